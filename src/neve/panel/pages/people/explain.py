"""Who may what, and why: the server explains its own decision."""

from typing import Any

from starlette.responses import Response

from neve.client.errors import ServerError
from neve.panel.pages.people._shared import abilities, bucket_names, identities
from neve.panel.routing import get
from neve.panel.visit import Visit

COMMON = (
    "s3:ListBucket",
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "s3:GetBucketPolicy",
    "s3:PutBucketPolicy",
    "s3:PutLifecycleConfiguration",
    "s3:PutBucketVersioning",
    "s3:CreateBucket",
    "s3:DeleteBucket",
    "s3:ListAllMyBuckets",
    "admin:CreateUser",
    "admin:ServerInfo",
)


def show(visit: Visit) -> Response:
    """The question, and the answer once it was asked."""
    who, action = visit.query("who"), visit.query("action")
    bucket, key = visit.query("bucket"), visit.query("key")
    found: dict[str, Any] | None = None
    problem = ""
    if action:
        query = {"action": action, "bucket": bucket, "object": key}
        query |= {"anonymous": "true"} if who == "*" else {"user": who}
        if visit.query("ip"):
            query["sourceIp"] = visit.query("ip")
        try:
            found = visit.admin.call(
                "GET", "neve/explain", {name: value for name, value in query.items() if value},
                doing="explain access", named={"user": who, "bucket": bucket},
            )  # fmt: skip
        except ServerError as error:
            problem = visit.sentence(error)
    may = abilities(visit, "ListUsers", "GetUser")
    users = identities(visit).users() if may["ListUsers"] else []
    return visit.page(
        "people/explain.html",
        users=[user.name for user in users],
        others=may["GetUser"].allowed,
        buckets=bucket_names(visit),
        common=COMMON,
        asked={"who": who, "action": action, "bucket": bucket, "key": key, "ip": visit.query("ip")},
        found=found,
        problem=problem,
    )


ROUTES = [get("/explain", show)]

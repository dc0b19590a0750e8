"""Which other sites' scripts may use a bucket: CORS rules, and the preset for viewers of data."""

import json
from typing import Any

from starlette.responses import Response

from neve.client import cors
from neve.client.s3 import S3
from neve.client.xml import parse
from neve.panel.pages.buckets._forms import (
    PROBLEMS,
    Wrong,
    mark_of,
    number,
    place_in,
    raw,
    reason,
    rules_in,
)
from neve.panel.pages.buckets._settings import bucket_of, page, path_of
from neve.panel.routing import get, post
from neve.panel.visit import Visit

PATH = "/buckets/{bucket}/cors"
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE")

Rules = list[dict[str, Any]]


def show(visit: Visit) -> Response:
    """The rules, in words, and the forms."""
    return _show(visit)


def change(visit: Visit) -> Response:
    """Use the preset, add a rule, take one away, or replace all by a document."""
    bucket, server = bucket_of(visit), visit.s3
    try:
        rules = _changed(visit, read(server, bucket))
        if rules:
            server.put_setting(bucket, "cors", cors.to_xml(rules), "set CORS rules")
        else:
            server.delete_setting(bucket, "cors", "remove CORS rules")
    except PROBLEMS as error:
        return _show(visit, *reason(visit, error))
    visit.tell(visit._("The rules for other sites were set."))
    return visit.go(path_of(bucket, "cors"))


def read(server: S3, bucket: str) -> Rules:
    """Return the rules of the bucket."""
    body = server.get_setting(bucket, "cors", "read CORS rules")
    return cors.rules_of(parse(body)) if body else []


def _changed(visit: Visit, rules: Rules) -> Rules:
    what = visit.field("what")
    if what == "preset":
        ready = cors.PRESETS["web-viewers"]
        return [*(rule for rule in rules if rule.get("ID") != ready[0]["ID"]), *ready]
    if what == "remove":
        place = place_in(visit, [mark_of(rule) for rule in rules])
        return rules[:place] + rules[place + 1 :]
    if what == "document":
        problem = visit._("This holds no CORS rules: write CORSRules as JSON, or S3's XML.")
        return rules_in(visit, cors.parse_rules, problem)
    return [*rules, _rule(visit)]


def _rule(visit: Visit) -> dict[str, Any]:
    origins = visit.field("origins").replace(",", " ").split()
    methods = [method for method in visit.fields("methods") if method in METHODS]
    if not origins or not methods:
        raise Wrong(visit._("A rule needs a site and something that it may do."))
    ready = cors.PRESETS["web-viewers"][0]
    age = number(visit, "age", 0)
    rule = {
        "AllowedOrigins": origins,
        "AllowedMethods": methods,
        "AllowedHeaders": visit.field("headers", "*").replace(",", " ").split() or ["*"],
        "ExposeHeaders": ready["ExposeHeaders"],
    }
    return rule | ({"MaxAgeSeconds": age} if age is not None else {})


def _show(visit: Visit, problem: str = "", status: int = 200) -> Response:
    bucket = bucket_of(visit)
    rules = read(visit.s3, bucket)
    given = {name: visit.field(name) for name in ("what", "origins", "headers", "age")}
    document = json.dumps({"CORSRules": rules}, indent=2, ensure_ascii=False) if rules else ""
    return page(
        visit, "cors", problem=problem, status=status,
        rules=[(rule, mark_of(rule)) for rule in rules],
        has_preset=cors.PRESETS["web-viewers"][0] in rules,
        methods=METHODS, chosen=visit.fields("methods") if problem else ["GET", "HEAD"],
        given=given, document=raw(visit, "document") or document,
        may_set=visit.may("s3:PutBucketCORS", bucket),
    )  # fmt: skip


ROUTES = [get(PATH, show), post(PATH, change)]

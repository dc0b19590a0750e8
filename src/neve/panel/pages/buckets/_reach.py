"""Who can reach a bucket, and why, as the server weighs the policies of everybody."""

from typing import Any

from neve.client.errors import ServerError
from neve.panel.visit import Visit

USES = ("list", "read", "write", "delete", "manage")


def reach(visit: Visit, bucket: str) -> dict[str, Any] | None:
    """Return a page of the answer, None when the visitor may not know."""
    query = {"bucket": bucket, "prefix": visit.query("within"), "marker": visit.query("after")}
    try:
        found = visit.admin.call(
            "GET", "neve/access", {name: value for name, value in query.items() if value},
            doing="see who can reach the bucket", named={"bucket": bucket},
        )  # fmt: skip
    except ServerError as error:
        if error.denied:
            return None
        raise
    for row in found["who"]:
        row["allowing"], row["denying"] = _policies(row, "by"), _policies(row, "against")
    found["public"] = any(
        row[use]["may"] != "no"
        for row in found["who"]
        if row["kind"] == "anonymous"
        for use in USES
    )
    return dict(found)


def _policies(row: dict[str, Any], kind: str) -> list[str]:
    """The policies that have to do with it, each once: `policy readwrite (hydro)`, by a group."""
    found: dict[str, None] = {}
    for use in USES:
        for share in row[use][kind]:
            via = f" ({', '.join(share['via'])})" if share.get("via") else ""
            found[share["policy"] + via] = None
    return list(found)

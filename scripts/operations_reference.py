"""Write docs/reference/operations.md from the route table and the operations' docstrings.

usage: python scripts/operations_reference.py [--check]

With --check nothing is written; the exit status says whether the page is up to date.
"""

import inspect
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from neve.iam.actions import OPERATIONS
from neve.s3.operations import unconfigured
from neve.s3.pipeline import Operation
from neve.s3.routes import ALIASES, BUCKET, OBJECT, ROUTES, SERVICE, Route

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "operations.md"

_HEAD = """\
# S3 operations

<!-- Written by scripts/operations_reference.py: change docstrings, not this page. -->

What Neve answers of the S3 API, operation by operation. Names are those of boto3. Every operation
of its S3 client is known; {served} of {all} are served, {empty} more answer as AWS does for a
bucket without the setting, the rest answer `501 NotImplemented` and do nothing. A request needs the
permission named with it; root has every permission that no bucket policy denies.
"""

_DIFFERENCES = """\
## Where Neve differs from AWS

| What | AWS | Neve | Why |
|---|---|---|---|
| Creating a bucket that one has | 200 in us-east-1, 409 elsewhere | 409 `BucketAlreadyOwnedByYou` \
| a second owner of a script should notice |
| Access control lists | off in new buckets | on, and private until one is set, as with \
ObjectWriter; `BucketOwnerEnforced` turns them off | public data and older tools still use them |
| Storage classes | stored differently | accepted, kept, returned by GetObject and HeadObject; all \
stored alike, and listings show STANDARD | clients that set one keep working |
| Non-ASCII user metadata | returned as RFC 2047 words | returned byte for byte as it was sent | \
nothing is lost or changed |
| ETag of a copied multipart object | computed anew | that of its source | no bytes are moved |
| Conditional writes | If-None-Match takes `*` only | `*` or one ETag; If-Match `*` too | superset |
| Absent key for readers who may not list | 403 | 403, or 404 with the bucket's `public_404` \
| Zarr readers must tell "no such chunk" from "not yours" |
| Checksum of a multipart upload that asked for none | CRC64NVME | a full-object CRC if all parts \
came with one | clients then verify their reads |
"""


_OWN = {
    "PutBucketQuota": "`admin:SetBucketQuota`",
    **dict.fromkeys(("GetStoreQuota", "PutStoreQuota"), "root"),
    "GetStoreUsage": "every user for its own, `admin:DataUsageInfo` for all",
}
"""Who may do what no policy speaks of, when it is not the owner of the bucket."""


def module_of(route: Route) -> Any:
    return import_module(f"neve.s3.operations.{route.module}")


def first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


def request_of(route: Route) -> str:
    """Return how a request names the operation."""
    path = {SERVICE: "/", BUCKET: "/bucket", OBJECT: "/bucket/key"}[route.target]
    fields = [route.resource] if route.resource else []
    fields += [also[1:] for also in route.also if also[0] == "?"]
    fields = [field for field in fields if not any(f.startswith(field + "=") for f in fields)]
    headers = [f" with `{also}`" for also in route.also if also[0] != "?"]
    query = "?" + "&".join(fields) if fields else ""
    return f"`{route.method} {path}{query}`{''.join(headers)}"


def permission_of(route: Route) -> str:
    permission = OPERATIONS.get(route.operation)
    if permission is None:
        return _OWN.get(route.operation, "owner")
    source = f", `{permission.source}` on the source" if permission.source else ""
    return f"`{permission.action}`{source}"


def served_table(routes: list[Route]) -> list[str]:
    lines = ["| Operation | Request | Permission | |", "|---|---|---|---|"]
    for route in routes:
        what = first_line(Operation(route).operate.__doc__)
        cells = (f"[{route.operation}](#{anchor(route)})", request_of(route), permission_of(route))
        lines.append(f"| {' | '.join(cells)} | {what} |")
    return lines


def anchor(route: Route) -> str:
    return first_line(module_of(route).__doc__).partition(":")[0].lower().replace(", ", "-")


def details(routes: list[Route]) -> list[str]:
    """Return a section for each module: its docstring."""
    lines: list[str] = []
    seen = set()
    for route in routes:
        if route.module in seen:
            continue
        seen.add(route.module)
        text = inspect.cleandoc(module_of(route).__doc__)
        title, _, rest = text.partition(":")
        lines += [f'<a id="{anchor(route)}"></a>', f"### {title}", "", _sentence(rest.strip()), ""]
    return lines


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def unconfigured_table(routes: list[Route]) -> list[str]:
    lines = ["| Operation | Request | Permission | Answer |", "|---|---|---|---|"]
    for route in routes:
        answer = unconfigured.describe(route.operation)
        cells = (route.operation, request_of(route), permission_of(route), answer)
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def page() -> str:
    """Return the whole page."""
    served = [route for route in ROUTES if route.module not in ("", "unconfigured")]
    empty = [route for route in ROUTES if route.module == "unconfigured"]
    rest = [route for route in ROUTES if not route.module]
    lines = [_HEAD.format(served=len(served), empty=len(empty), all=len(ROUTES))]
    lines += ["## Served", "", *served_table(served), ""]
    lines += ["## Details", "", *details(served)]
    lines += ["## Not configurable yet", "", *unconfigured_table(empty), ""]
    lines += ["## Not implemented", ""]
    lines += [f"- {route.operation}: {request_of(route)}" for route in rest]
    names = ", ".join(f"{old} ({new})" for old, new in ALIASES.items())
    lines += ["", f"Old names of the same requests: {names}.", "", _DIFFERENCES]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write the page, or compare it."""
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != text:
            print(f"{PAGE} is out of date: run scripts/operations_reference.py")
            return 1
        return 0
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

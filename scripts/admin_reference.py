"""Write docs/reference/admin.md from the admin API's route table and its functions' docstrings.

usage: python scripts/admin_reference.py [--check]

With --check nothing is written; the exit status says whether the page is up to date.
"""

import inspect
import sys
from importlib import import_module
from pathlib import Path

from neve.admin.admin import operation_of
from neve.admin.errors import CODES, WIRE_CODES
from neve.admin.routes import ROUTES, Route
from neve.s3.errors import CODES as S3_CODES

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "admin.md"

_HEAD = """\
# Admin API

<!-- Written by scripts/admin_reference.py: change docstrings, not this page. -->

What Neve answers of MinIO's admin API, version 3, under `/minio/admin/v3/`. Requests are signed as
those of S3 (any region, or none); bodies and answers with secrets are encrypted with the secret key
of the caller, as MinIO's clients do. {served} of {all} calls are served; the rest, and whatever is
not in the table, answer `501 NotImplemented` with the name of the call. How to use it:
[mc with Neve](../how-to/mc.md).

Root may make every call. A user may make those whose permission a policy of the user allows; with
*own*, the user may also make it for what is the user's own without any policy. What needs no
permission may be called without a signature, too. Errors are JSON: `Code`, `Message`, `Resource`,
`RequestId`.
"""


def served_table(routes: list[Route]) -> list[str]:
    """Return the table of the calls that are served."""
    lines = ["| Call | Permission | |", "|---|---|---|"]
    for route in routes:
        function = operation_of(route)
        what = (inspect.getdoc(function) or "").partition("\n")[0]
        own = " or own" if route.own else ""
        action = f"`{route.action}`" if route.action else "none"
        lines.append(f"| `{route.method} {route.path}` | {action}{own} | {what} |")
    return lines


def notes(routes: list[Route]) -> list[str]:
    """Return what the docstring of each module says of its calls."""
    lines = []
    for module in dict.fromkeys(route.module for route in routes):
        text = inspect.cleandoc(import_module(f"neve.admin.{module}").__doc__ or "")
        title, _, rest = text.partition(": ")
        lines += [f"### {title}", "", rest[:1].upper() + rest[1:], ""]
    return lines


def errors_table() -> list[str]:
    """Return the table of the error codes that S3 does not have."""
    own = {code: row for code, row in CODES.items() if code[:6] == "XMinio" or code not in S3_CODES}
    lines = ["| Code | Status | Message |", "|---|---|---|"]
    for code, (status, message) in sorted(own.items()):
        lines.append(f"| `{WIRE_CODES.get(code, code)}` | {status} | {message} |")
    return lines


def page() -> str:
    """Return the whole page."""
    served = [route for route in ROUTES if route.module]
    rest = [route for route in ROUTES if not route.module]
    lines = [_HEAD.format(served=len(served), all=len(ROUTES))]
    lines += ["## Served", "", *served_table(served), ""]
    lines += ["## Details", "", *notes(served)]
    lines += ["## Errors", "", "Beside [those of S3](errors.md).", "", *errors_table(), ""]
    lines += ["## Not implemented", ""]
    lines += [f"- `{route.method} {route.path}` (`{route.action}`)" for route in rest]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write the page, or compare it."""
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != text:
            print(f"{PAGE} is out of date: run scripts/admin_reference.py")
            return 1
        return 0
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

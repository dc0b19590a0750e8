"""Write the tables of docs/reference/ that the code knows: settings, limits, error codes.

usage: python scripts/reference_tables.py [--check]

A page holds `<!-- table NAME -->` and `<!-- end -->`; what is between them is written, the rest of
the page is left alone. With --check nothing is written; the exit status says whether all pages are
up to date.
"""

import ast
import inspect
import itertools
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import ModuleType
from typing import Any

from neve import config
from neve.config import Config
from neve.engine import commit, quota, upload, write
from neve.iam import documents, editor
from neve.iam.canned import canned_policies
from neve.names import KEY_BYTES_MAX
from neve.s3 import cors, lifecycle, listing, metadata, request, tagging, xml
from neve.s3.errors import CODES, DOMAIN
from neve.s3.operations import (
    complete_multipart_upload,
    copy_object,
    delete_objects,
    list_buckets,
    put_object,
    upload_part,
)
from neve.server import http_limits
from neve.server.http_limits import HttpLimits
from neve.signing import EXPIRES_S_MAX

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
_TABLE = re.compile(r"(<!-- table (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

_UNITS = {40: "TiB", 30: "GiB", 20: "MiB", 10: "KiB"}

# Limits that are no settings: what, value, unit.
_FIXED: tuple[tuple[str, int, str], ...] = (
    ("Key", KEY_BYTES_MAX, "bytes"),
    ("Object in one request", put_object.OBJECT_BYTES_MAX, "bytes"),
    ("Source of a CopyObject", copy_object.SOURCE_BYTES_MAX, "bytes"),
    ("Part of an upload", upload_part.PART_BYTES_MAX, "bytes"),
    ("Part of an upload but the last, least", upload.PART_BYTES_MIN, "bytes"),
    ("Parts of an upload", complete_multipart_upload.PARTS_MAX, ""),
    ("Keys or common prefixes of a listing's page", listing.KEYS_MAX, ""),
    ("Buckets of a listing's page", list_buckets.BUCKETS_MAX, ""),
    ("Keys of a DeleteObjects", delete_objects.KEYS_MAX, ""),
    ("User metadata, names and values", metadata.USER_BYTES_MAX, "bytes"),
    ("Tags of an object", tagging.TAGS_MAX, ""),
    ("Counted prefixes of a bucket", quota.PREFIXES_MAX, ""),
    ("Bucket policy", documents.POLICY_BYTES_MAX, "bytes"),
    ("Policy for users", documents.POLICY_BYTES_MAX, "bytes"),
    ("Policy of an access key", editor.KEY_POLICY_BYTES_MAX, "bytes"),
    ("CORS rules of a bucket", cors.RULES_MAX, ""),
    ("CORS rules of a bucket, as a document", cors.DOCUMENT_BYTES_MAX, "bytes"),
    ("Lifecycle rules of a bucket", lifecycle.RULES_MAX, ""),
    ("Lifecycle rules of a bucket, as a document", lifecycle.DOCUMENT_BYTES_MAX, "bytes"),
    ("Life of a presigned URL", EXPIRES_S_MAX, "seconds"),
    ("Fields of a query", request.QUERY_FIELDS_MAX, ""),
    ("Depth of an XML document", xml.DEPTH_MAX, ""),
    ("Elements of an XML document", xml.ELEMENTS_MAX, ""),
    ("Document of a DeleteObjects", delete_objects.DOCUMENT_BYTES_MAX, "bytes"),
    ("Object that lies in a segment, less than", write.SMALL_BYTES, "bytes"),
    ("Large bodies written at once by a worker", write.LARGE_WRITERS_MAX, ""),
    ("Writes of a group commit", commit.COMMANDS_MAX, ""),
    ("Worker processes", config.WORKERS_MAX, ""),
)

# What the code does not say because the name does.
_MEANINGS = {
    "header_bytes_max": "All header lines of a request together.",
    "header_count_max": "Header lines of a request.",
    "discard_timeout_s": "How long skipping such a body may take.",
    "trailer_bytes_max": "All trailer lines after a chunked body together.",
    "connections_max": "Open connections of one worker; what comes on top is answered 503 and cut.",
}


def settings_table() -> Iterator[str]:
    """The settings of `neve serve`, with flag, variable and default."""
    yield "| flag | variable | default | |"
    yield "|---|---|---|---|"
    for item in fields(Config):
        text = item.metadata.get("help")
        if not text:
            continue
        flag = f"`--{item.name.replace('_', '-')}`" if item.metadata["flag"] else ""
        yield f"| {flag} | {_variables(item)} | {_default(item)} | {_meaning(item, text)} |"


def limits_table() -> Iterator[str]:
    """The limits that the environment can change."""
    meanings = {**_MEANINGS, **_docstrings(http_limits, HttpLimits), **_docstrings(config, Config)}
    yield "| variable | default | |"
    yield "|---|---|---|"
    for item in fields(Config):
        if item.default is MISSING or item.metadata.get("help"):
            continue
        meaning = meanings[item.name]
        yield f"| {_variables(item)} | {_value(item.name, item.default)} | {meaning} |"


def fixed_table() -> Iterator[str]:
    """The limits that nothing can change."""
    yield "| what | at most |"
    yield "|---|---|"
    for what, value, unit in _FIXED:
        yield f"| {what} | {_size(value) if unit == 'bytes' else f'{value:,} {unit}'.strip()} |"


def errors_table() -> Iterator[str]:
    """The S3 error codes that may be answered."""
    yield "| code | status | message |"
    yield "|---|---|---|"
    for code, (status, message) in sorted(CODES.items()):
        yield f"| `{code}` | {status} | {message} |"


def domain_table() -> Iterator[str]:
    """The refusals of the engine and their codes."""
    yield "| refusal | code | meaning |"
    yield "|---|---|---|"
    for kind, code in DOMAIN.items():
        yield f"| `{kind.__name__}` | `{code}` | {inspect.cleandoc(kind.__doc__ or '')} |"


def policies_table() -> Iterator[str]:
    """The statements of the policies that Neve gives."""
    yield "| policy | lets do | where | when |"
    yield "|---|---|---|---|"
    for policy in canned_policies():
        for number, said in enumerate(json.loads(policy.document)["Statement"]):
            name = "" if number else f"`{policy.name}`"
            actions = ", ".join(f"`{action}`" for action in said["Action"])
            where = ", ".join(f"`{place}`" for place in said.get("Resource", []))
            when = ", ".join(
                f"`{operator} {key} {value}`"
                for operator, keys in said.get("Condition", {}).items()
                for key, value in keys.items()
            )
            yield f"| {name} | {actions} | {where} | {when} |"


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "settings": settings_table,
    "limits": limits_table,
    "fixed": fixed_table,
    "errors": errors_table,
    "domain": domain_table,
    "policies": policies_table,
}


def fill(page: str) -> str:
    """Return the page with its tables written anew."""

    def table(match: re.Match[str]) -> str:
        rows = "\n".join(TABLES[match[2]]())
        return f"{match[1]}{rows}\n{match[3]}"

    return _TABLE.sub(table, page)


def pages() -> list[Path]:
    """The pages that hold a table."""
    return [page for page in sorted(FOLDER.glob("*.md")) if _TABLE.search(page.read_text())]


def _variables(item: "Field[Any]") -> str:
    names = item.metadata["environment"] or (f"NEVE_{item.name.upper()}",)
    return ", ".join(f"`{name}`" for name in names)


def _default(item: "Field[Any]") -> str:
    if item.name == "workers":
        return "one per CPU"
    if item.name == "panel_address":
        return "port 9001 of the S3 host"
    if item.name.startswith("root_"):
        return "made at first start"
    if item.default is False:
        return "off"
    if item.name == "audit_events":
        return "`all`"
    if isinstance(item.default, frozenset):
        return f"`{','.join(sorted(item.default))}`"
    return _value(item.name, item.default) if item.default else "none"


def _meaning(item: "Field[Any]", text: str) -> str:
    """The help without its default, which has a column of its own, as a sentence."""
    text = re.sub(r" ?\(default[^)]*\)", "", text)
    return text[:1].upper() + text[1:] + "."


def _value(name: str, value: Any) -> str:
    if "_bytes" in name or name == "body_rate_min":
        return _size(value)
    if name.endswith("_s"):
        return f"{value:,.0f} s"
    return f"{value:,}" if isinstance(value, int) else f"`{value}`"


def _size(value: int) -> str:
    for shift, unit in _UNITS.items():
        if value >= 1 << shift and value % (1 << shift) == 0:
            return f"{value >> shift:,} {unit}"
    return f"{value:,} bytes"


def _docstrings(module: ModuleType, owner: type) -> dict[str, str]:
    """The docstrings under the fields of a class."""
    tree = ast.parse(inspect.getsource(module))
    body = next(
        node.body
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == owner.__name__
    )
    found = {}
    for field, text in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr):
            value = text.value
            if isinstance(value, ast.Constant) and isinstance(field.target, ast.Name):
                found[field.target.id] = " ".join(str(value.value).split())
    return found


def main() -> int:
    """Write the tables, or compare them."""
    stale = [page for page in pages() if page.read_text() != fill(page.read_text())]
    for page in stale:
        if "--check" in sys.argv[1:]:
            print(f"{page} is out of date: run scripts/reference_tables.py")
        else:
            page.write_text(fill(page.read_text()))
    return 1 if stale and "--check" in sys.argv[1:] else 0


if __name__ == "__main__":
    sys.exit(main())

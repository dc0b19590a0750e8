"""Write docs/reference/cli-json.md: what every client verb answers with --json.

usage: python scripts/cli_json_reference.py [--check]

Made from the dataclasses that the verbs name in `RESULTS`; with --check nothing is written.
"""

import sys
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from neve.cli.main import VERBS, module_name
from neve.cli.output import Failure, Result, camel

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "cli-json.md"
_HEAD = """\
# What `neve --json` prints

<!-- Written by scripts/cli_json_reference.py: change the verbs' RESULTS, not this page. -->

With `--json` a verb prints one JSON object per line on the standard output and nothing else. Each
has `status` (`success` or `error`) and `type`; the other fields of a type are always there, `null`
when there is nothing to say. Times are RFC 3339 in UTC. A new version may add fields; none is
removed or changed without a line in the changelog.

Every verb may answer `failure`:
"""
_NAMES = {
    "str": "string", "int": "integer", "float": "number", "bool": "boolean", "datetime": "time",
    "NoneType": "null", "Any": "any",
}  # fmt: skip


def leaves(path: str = "neve.cli.verbs", verbs: Any = None, name: str = "neve") -> Iterator[Any]:
    """Every client verb: its full name and its module."""
    for verb in VERBS if verbs is None else verbs:
        module = import_module(f"{path}.{module_name(verb)}")
        if hasattr(module, "RESULTS"):
            yield f"{name} {verb}", module
        if getattr(module, "VERBS", None):
            yield from leaves(module.__name__, module.VERBS, f"{name} {verb}")


def type_name(hint: Any) -> str:
    """Return a type as the page writes it."""
    if hint is NoneType:
        return "null"
    if isinstance(hint, UnionType):
        return " or ".join(type_name(each) for each in get_args(hint))
    origin = get_origin(hint)
    if origin in (list, tuple):
        return f"list of {type_name(get_args(hint)[0])}"
    if origin is dict:
        return f"object of {type_name(get_args(hint)[1])}"
    if isinstance(hint, type) and issubclass(hint, Result):
        inner = ", ".join(f"`{name}`" for name, _, _ in rows(hint))
        return f"object ({inner})"
    return _NAMES.get(hint.__name__, hint.__name__)


def rows(result: type[Result]) -> Iterator[tuple[str, str, str]]:
    """Name, type and meaning of every field."""
    hints = get_type_hints(result, include_extras=True)
    for item in fields(result):
        hint, meaning = get_args(hints[item.name])
        yield camel(item.name), type_name(hint), meaning


def section(result: type[Result]) -> Iterator[str]:
    """The table of a type."""
    meaning = " ".join((result.__doc__ or "").split())
    yield f"**`{result.kind}`** {meaning[0].lower()}{meaning[1:]}"
    yield ""
    yield "| field | type | |"
    yield "|---|---|---|"
    for name, kind, text in rows(result):
        yield f"| `{name}` | {kind} | {text} |"
    yield ""


def page() -> str:
    """The whole page."""
    lines = [_HEAD, *section(Failure)]
    for name, module in leaves():
        results = [result for result in module.RESULTS if result is not Failure]
        lines += [f"## `{name}`", ""]
        if not results:
            lines += ["Nothing but failures: what it writes is data.", ""]
        for result in results:
            lines += section(result)
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write or compare."""
    text = page()
    if "--check" in sys.argv[1:]:
        stale = not PAGE.exists() or PAGE.read_text() != text
        if stale:
            print(f"{PAGE} is out of date: run scripts/cli_json_reference.py")
        return int(stale)
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

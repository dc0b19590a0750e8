"""Write docs/reference/cli.md: every verb of `neve`, from its docstring, flags and examples.

usage: python scripts/cli_reference.py [--check]

With --check nothing is written; the exit status says whether the page is up to date.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from neve.cli.main import GROUPS, actions_of, module_name, parser_of
from neve.cli.session import add_shared_arguments

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"
_HEAD = """\
# Command line

<!-- Written by scripts/cli_reference.py: change the verbs' docstrings, not this page. -->

What `neve VERB --help` says of every verb. Verbs on servers take names such as
`alias/bucket/key`, where the alias is one of `neve alias ls`; a name whose first part is no alias
is a path of this machine, and so is all that begins with `./`, `../`, `~/` or `/`. `-` is the
standard input or output. Patterns (`*`, `?`, `[abc]`, and `**` across slashes) belong in quotes, so
that the shell leaves them alone.

Sizes are written `500MB` (powers of ten) or `2TiB`, `2T` (powers of two); durations `90s`, `2h30m`,
`7d`; dates `2026-11-01`, `2026-11-01T12:30Z`, `3d ago`.

The exit status is 0 when all was done, 1 when something was refused or failed, also in part, 2 when
the command line makes no sense, and 130 after Ctrl-C. What `--json` prints:
[JSON](cli-json.md). `NEVE_TRACEBACK=1` shows where an unexpected error came from.
"""
_VARIABLES = """\
## Environment

| variable | |
|---|---|
| `NEVE_CONFIG_DIR` | folder of settings; else `$XDG_CONFIG_HOME/neve`, else `~/.config/neve` |
| `NEVE_HOST_<alias>` | an alias without a file: `https://KEY:SECRET[:TOKEN]@host` |
| `MC_HOST_<alias>`, `MC_CONFIG_DIR` | aliases of mc, used when there is none of ours of that name |
| `NO_COLOR` | no colours, whatever its value |
"""
_EXAMPLES = re.compile(r"^examples:\n", re.MULTILINE)


def verbs(path: str, names: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Every verb below a group: its full name and its module."""
    for verb in names:
        module = import_module(f"{path}.{module_name(verb)}")
        yield f"{prefix} {verb}", module
        if getattr(module, "VERBS", None):
            yield from verbs(module.__name__, module.VERBS, f"{prefix} {verb}")


def usage_of(name: str, parser: argparse.ArgumentParser) -> str:
    """The line of what is typed: flags are in the table below it."""
    parts = [name]
    flags = [action for action in actions_of(parser) if action.option_strings]
    if len(flags) > 1:
        parts.append("[FLAGS]")
    for action in actions_of(parser):
        if action.option_strings or (action.help == argparse.SUPPRESS and action.nargs == "*"):
            continue
        word = str(action.metavar or "|".join(str(each) for each in action.choices or ()))
        word += " …" if action.nargs in ("*", "+") else ""
        parts.append(f"[{word}]" if action.nargs in ("*", "?") else word)
    return " ".join(parts)


def rows_of(parser: argparse.ArgumentParser, left_out: set[str]) -> Iterator[str]:
    """A row for every argument and flag."""
    for action in actions_of(parser):
        if action.help == argparse.SUPPRESS or left_out & set(action.option_strings):
            continue
        value = ""
        if action.nargs != 0 and action.option_strings:
            default = "\\|".join(str(each) for each in action.choices or ()) or action.dest.upper()
            value = f" {action.metavar or default}"
        names = action.option_strings or [str(action.metavar or action.dest)]
        shown = ", ".join(f"`{name}{value}`" for name in names)
        text = (action.help or "").replace("|", "\\|")
        yield f"| {shown} | {text} |"


def section(name: str, module: Any, left_out: set[str]) -> Iterator[str]:
    """The section of a verb or of a group of verbs."""
    yield f"### `{name}`"
    yield ""
    yield (module.__doc__ or "").strip().replace("<", "\\<")
    yield ""
    if hasattr(module, "run"):
        parser = parser_of(name, module)
        yield f"```\n{usage_of(name, parser)}\n```"
        yield ""
        rows = list(rows_of(parser, left_out | {"--help"}))
        if rows:
            yield from ("| | |", "|---|---|", *rows, "")
    text, *_ = _EXAMPLES.split(module.EXAMPLES)[1].split("\n\n")
    lines = [line.removeprefix("  ") for line in text.rstrip().splitlines()]
    yield from ("```sh", *lines, "```", "")


def page() -> str:
    """The whole page."""
    shared = argparse.ArgumentParser(add_help=False)
    add_shared_arguments(shared)
    left_out = {name for action in actions_of(shared) for name in action.option_strings}
    lines = [_HEAD, "## Flags of every verb on a server", "", "| | |", "|---|---|"]
    lines += [*rows_of(shared, set()), "", _VARIABLES]
    for group, names in GROUPS.items():
        lines += [f"## {group[0].upper()}{group[1:]}", ""]
        for name, module in verbs("neve.cli.verbs", names, "neve"):
            lines += section(name, module, left_out)
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write or compare."""
    text = page()
    if "--check" in sys.argv[1:]:
        stale = not PAGE.exists() or PAGE.read_text() != text
        if stale:
            print(f"{PAGE} is out of date: run scripts/cli_reference.py")
        return int(stale)
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

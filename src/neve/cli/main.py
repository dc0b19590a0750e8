"""The command `neve`: finds the verb, runs it, and turns refusals into one sentence.

Imports next to nothing: a verb's module is imported when the verb is used.

A verb is a module `neve.cli.verbs.<verb>` with a docstring, `EXAMPLES`, `add_arguments(parser)` and
`run`. An operator's verb works on a folder of this machine: `run(options)` returns the exit status.
A client's verb speaks HTTP to a server; it has `RESULTS`, the classes of what it may answer, and
`run(options, session)` yields them; it also gets the flags of `neve.cli.session`. An operator's
verb whose answers are worth it may be made so, too (`import minio-drive`). A package with `VERBS`
holds verbs of its own (`neve alias set`); when it has `run`, too, it is a verb itself with any
other word (`neve version`).

Exit status: 0 done, 1 refused or failed, also when only a part did, 2 wrong usage, 130 interrupted.
"""

import argparse
import os
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import Any, NoReturn

from neve import __version__
from neve.errors import NeveError

GROUPS: dict[str, dict[str, str]] = {
    "servers": {
        "alias": "names for servers: set, ls, rm, import, export",
        "ping": "measure how fast a server answers",
        "ready": "say whether a server is ready; wait until it is",
    },
    "data": {
        "ls": "list buckets and objects",
        "tree": "show folders as a tree",
        "stat": "show what is known of objects and buckets",
        "du": "add up sizes",
        "find": "find objects by name, size, age; do something with each",
        "diff": "compare two folders or buckets",
        "cat": "write objects to the standard output",
        "head": "write the beginning of objects",
        "pipe": "write the standard input to an object",
        "cp": "copy files and objects, to, from and between servers",
        "put": "upload files",
        "get": "download objects",
        "mv": "move files and objects",
        "mirror": "make a folder, bucket or server the same as another",
        "undo": "take back the last changes, in buckets with versions",
        "rm": "remove objects, versions, unfinished uploads",
    },
    "buckets": {
        "mb": "make buckets",
        "rb": "remove buckets",
        "anonymous": "let everybody read or write without keys: set, get, ls, links",
        "share": "links that need no keys: download, upload, ls",
        "tag": "tags of objects and buckets: set, ls, rm",
        "retention": "lock versions for a time: set, clear, info",
        "legalhold": "lock versions until it is taken off: set, clear, info",
        "quota": "limit buckets, prefixes and users: set, info, clear",
        "ilm": "let old data go by itself: rule add, ls, rm, …",
        "cors": "let pages of other sites read a bucket: set, get, rm",
        "event": "send notifications of changes: add, ls, rm",
        "watch": "show changes as they happen",
        "encrypt": "encryption at rest: set, info, clear",
    },
    "administration": {
        "admin": "users, groups, policies, access keys, settings, trace, logs, metrics, …",
    },
    "store (on the machine that has the folder)": {
        "serve": "serve a folder as an S3 object store",
        "backup": "copy a store to another folder, while it is served or not",
        "restore": "make a store out of a backup",
        "rebuild": "make a lost or damaged catalog anew from the stored bytes",
        "key": "change the key that seals the secrets of users",
        "import": "move in from MinIO",
    },
    "about": {
        "completion": "completion of this command for bash, zsh and fish",
        "version": "versions of Neve and of servers; of objects: enable, suspend, info",
    },
}
VERBS = {verb: text for group in GROUPS.values() for verb, text in group.items()}

_SYNONYMS = {"list": "ls", "remove": "rm", "delete": "rm", "-V": "version", "--version": "version"}
_LEADING = ("--json", "--quiet", "-q", "--debug", "--no-color", "--insecure")
"""Shared flags that may also stand before the verb, as with mc."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    # Closed by who started us: what is said goes nowhere, what is done is done.
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    if isinstance(sys.stdout, TextIOWrapper) and sys.stdout.errors == "strict":
        # A locale that lacks a character of a key is no reason to print none of them.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = _run(arguments)
        sys.stdout.flush()
        return status
    except NeveError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Who read our output has gone; say nothing more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except OSError as error:
        if os.environ.get("NEVE_TRACEBACK"):
            raise
        place = error.filename if isinstance(error.filename, str) else "the input or the output"
        return _fail(f"{place}: {error.strerror or error}.")
    except Exception as error:
        if os.environ.get("NEVE_TRACEBACK"):
            raise
        kind = type(error).__name__
        return _fail(f"{kind}: {error} (set NEVE_TRACEBACK=1 to see where it happened)")


def _run(arguments: list[str]) -> int:
    leading, words = _split_leading(arguments)
    if not words or words[0] in ("-h", "--help", "help"):
        if len(words) > 1:
            return _run([*words[1:], "--help"])
        print(_usage())
        return 0
    try:
        name, module, rest = find_verb(words)
    except LookupError as error:
        _fail(str(error.args[0]))
        return 2
    if not hasattr(module, "run"):
        print(_usage_of_group(name, module))
        return 0
    parser = parser_of(name, module)
    options = parser.parse_args([*leading, *rest] if hasattr(module, "RESULTS") else rest)
    if hasattr(module, "RESULTS"):
        from neve.cli.session import run_verb

        return run_verb(module, options)
    status: int = module.run(options)
    return status


def find_verb(words: list[str]) -> tuple[str, Any, list[str]]:
    """Return the verb's full name, its module, and the words behind the name.

    The module is that of a group when its help is asked for. Raises: LookupError (a sentence).
    """
    name, module, verbs = "neve", None, VERBS
    path = "neve.cli.verbs"
    while verbs:
        word = words[0] if words else "--help"
        if module and word in ("-h", "--help", "help") and not hasattr(module, "run"):
            return name, module, []
        if word not in verbs:
            word = _SYNONYMS.get(word, word)
        if word not in verbs and hasattr(module, "run"):
            break
        if word not in verbs:
            raise LookupError(_unknown(word, name, verbs))
        name = f"{name} {word}"
        path = f"{path}.{module_name(word)}"
        module = import_module(path)
        verbs = getattr(module, "VERBS", {})
        words = words[1:]
    return name, module, words


def _unknown(word: str, name: str, verbs: dict[str, str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, verbs, 3)
    if not near:
        return f"{word!r} is no verb of {name}: choose one of {', '.join(verbs)}."
    return f"{word!r} is no verb of {name}; did you mean {' or '.join(near)}?"


def module_name(verb: str) -> str:
    """The module of a verb; names that Python keeps for itself get an underscore."""
    name = verb.replace("-", "_")
    return f"{name}_" if name in ("import", "del", "is", "from", "with") else name


def parser_of(name: str, module: Any) -> argparse.ArgumentParser:
    """Return the parser of a verb, with the shared flags if it is a client's."""
    inner = getattr(module, "VERBS", {})
    verbs = "".join(f"\n  {name} {verb:<10} {text}" for verb, text in inner.items())
    parser = _Parser(
        prog=name,
        description=module.__doc__ + (f"\nverbs:{verbs}" if verbs else ""),
        epilog=module.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    if hasattr(module, "RESULTS"):
        from neve.cli.session import add_shared_arguments

        add_shared_arguments(parser)
    return parser


def actions_of(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    """Every argument and flag of a parser, for completion and documentation."""
    return parser._actions  # noqa: SLF001


class _Parser(argparse.ArgumentParser):
    """Errors in one sentence, without the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _split_leading(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Divide into the shared flags before the verb and the rest."""
    count = 0
    while count < len(arguments):
        if arguments[count] in _LEADING or arguments[count].startswith("--config-dir="):
            count += 1
        elif arguments[count] == "--config-dir" and count + 1 < len(arguments):
            count += 2
        else:
            break
    return arguments[:count], arguments[count:]


def _usage() -> str:
    lines = [f"Neve {__version__}: an S3-compatible object store for scientific data.", ""]
    lines += ["usage: neve VERB …"]
    for group, verbs in GROUPS.items():
        lines += ["", f"{group}:"]
        lines += [f"  {verb:<10} {text}" for verb, text in verbs.items()]
    lines += [
        "",
        "examples:",
        "  neve serve ./data",
        "  neve alias set local http://127.0.0.1:9000",
        "  neve ls local/bucket",
        "  neve ls --help",
        "",
        "exit status: 0 done, 1 refused or failed (also in part), 2 wrong usage, 130 interrupted",
    ]
    return "\n".join(lines)


def _usage_of_group(name: str, module: Any) -> str:
    lines = [f"usage: {name} VERB …", "", (module.__doc__ or "").strip(), ""]
    lines += [f"  {verb:<10} {text}" for verb, text in module.VERBS.items()]
    return "\n".join([*lines, "", module.EXAMPLES.rstrip()])


def _fail(message: str) -> int:
    print(f"neve: {message}", file=sys.stderr)
    return 1

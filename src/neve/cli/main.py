"""The command `neve`: finds the verb, runs it, and turns refusals into one sentence.

Imports next to nothing: a verb's module is imported when the verb is used. Exit status: 0 done,
1 refused or failed, 2 wrong usage, 130 interrupted.
"""

import argparse
import os
import sys
from importlib import import_module
from typing import NoReturn

from neve import __version__
from neve.errors import NeveError

VERBS = {
    "serve": "serve a folder as an S3 object store",
    "backup": "copy a store to another folder, while it is served or not",
    "restore": "make a store out of a backup",
    "rebuild": "make a lost or damaged catalog anew from the stored bytes",
    "key": "change the key that seals the secrets of users",
    "version": "show the versions of Neve and of what it stands on",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        return _run(arguments)
    except NeveError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Who read our output has gone; say nothing more, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 1
    except Exception as error:
        if os.environ.get("NEVE_TRACEBACK"):
            raise
        kind = type(error).__name__
        return _fail(f"{kind}: {error} (set NEVE_TRACEBACK=1 to see where it happened)")


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        if arguments[1:2] and arguments[1] in VERBS:
            return _run([arguments[1], "--help"])
        print(_usage())
        return 0
    verb = arguments[0]
    if verb in ("-V", "--version"):
        verb = "version"
    if verb not in VERBS:
        _fail(f"{verb!r} is no verb of neve: choose one of {', '.join(VERBS)}.")
        return 2
    module = import_module(f"neve.cli.verbs.{verb}")
    parser = _Parser(
        prog=f"neve {verb}",
        description=module.__doc__,
        epilog=module.EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.add_arguments(parser)
    status: int = module.run(parser.parse_args(arguments[1:]))
    return status


class _Parser(argparse.ArgumentParser):
    """Errors in one sentence, without the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


def _usage() -> str:
    lines = [f"Neve {__version__}: an S3-compatible object store for scientific data.", ""]
    lines += ["usage: neve VERB …", ""]
    lines += [f"  {verb:<9} {text}" for verb, text in VERBS.items()]
    lines += [
        "",
        "examples:",
        "  neve serve ./data",
        "  neve serve /srv/neve --address 0.0.0.0:9000",
        "  neve serve --help",
    ]
    return "\n".join(lines)


def _fail(message: str) -> int:
    print(f"neve: {message}", file=sys.stderr)
    return 1

"""Questions to who sits at the terminal; without one, answers are lines of the standard input.

Questions go to the standard error: they are no result, and must not stand in what is piped on.
"""

import sys

from neve.cli.errors import UsageError


def ask(prompt: str, hidden: bool = False) -> str:
    """Return the answer to a question; `hidden`: what is typed is not shown."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().strip()
    if hidden:
        from getpass import getpass

        return getpass(prompt).strip()
    sys.stderr.write(prompt)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def ask_secret(prompt: str) -> str:
    """Return a new secret: on a terminal it is asked for twice. Raises: UsageError."""
    secret = ask(prompt, hidden=True)
    if not secret:
        raise UsageError("no secret was given.")
    if sys.stdin.isatty() and ask("Once more: ", hidden=True) != secret:
        raise UsageError("the two secrets differ; nothing was done.")
    return secret


def confirm(question: str, yes: bool) -> None:
    """Go on only if the user agrees, or has said `--yes`. Raises: UsageError."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"{question} Say so with --yes: nobody can be asked here.")
    if ask(f"{question} [y/N]: ").lower() not in ("y", "yes"):
        raise UsageError("nothing was done.")

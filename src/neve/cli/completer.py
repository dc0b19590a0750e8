"""What may stand where the cursor is: verbs, flags, aliases, buckets, keys. Never an error.

A server is given little time, and of a bucket only one page is asked for: who presses Tab waits.
"""

import argparse
from collections.abc import Iterator
from itertools import islice

from neve.cli.main import VERBS, actions_of, find_verb, parser_of
from neve.cli.session import Session
from neve.cli.target import Remote
from neve.errors import NeveError

TIMEOUT_S = 2.0
WORDS_MAX = 200


def of_line(line: str, session: Session) -> list[str]:
    """Return what may stand at the end of a line of bash.

    For bash a word also ends at `:` and `=`: only what is behind the last one is replaced.
    """
    words = split(line)[1:] or [""]
    shown = max(words[-1].rfind(":"), words[-1].rfind("=")) + 1
    return [word[shown:] for word in candidates(words, session)]


def split(line: str) -> list[str]:
    """Return the words of a line as a shell would, whose last word is still being written."""
    words, quote, escaped = [""], "", False
    for sign in line:
        if escaped:
            words[-1], escaped = words[-1] + sign, False
        elif sign == "\\" and quote != "'":
            escaped = True
        elif sign in ("'", '"') and quote in ("", sign):
            quote = "" if quote else sign
        elif sign.isspace() and not quote:
            if words[-1]:
                words.append("")
        else:
            words[-1] += sign
    return words


def candidates(words: list[str], session: Session) -> list[str]:
    """Return what the last word may become; `words` are those behind `neve`."""
    *before, word = words
    found = [text for text in _all(before, word, session) if text.startswith(word)]
    return found[:WORDS_MAX]


def _all(before: list[str], word: str, session: Session) -> Iterator[str]:
    before = [each for each in before if each not in ("--json", "--debug", "--quiet", "-q")]
    if not before:
        yield from VERBS
        return
    try:
        name, module, rest = find_verb(before)
    except LookupError:
        return
    if not rest:
        yield from getattr(module, "VERBS", {})
    if not hasattr(module, "run"):
        return
    parser = parser_of(name, module)
    if word.startswith("-"):
        yield from (
            flag
            for action in actions_of(parser)
            for flag in action.option_strings
            if flag.startswith("--") and action.help != argparse.SUPPRESS
        )
        return
    yield from _choices(parser)
    if hasattr(module, "RESULTS"):
        try:
            yield from _targets(word, session)
        except NeveError:
            return


def _choices(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Words that a positional argument allows, if it names them."""
    for action in actions_of(parser):
        if not action.option_strings and action.choices:
            yield from (str(choice) for choice in action.choices)


def _targets(word: str, session: Session) -> Iterator[str]:
    if "/" not in word:
        yield from (f"{name}/" for name in session.aliases.all())
        return
    target = session.target(word)
    if not isinstance(target, Remote):
        return
    alias = session.aliases.get(target.alias)
    with session.connect(alias, attempts=1, timeout_s=TIMEOUT_S) as server:
        if word.count("/") == 1:
            yield from (f"{target.alias}/{bucket.name}/" for bucket in server.buckets())
            return
        rows = server.objects(target.bucket, target.key, "/", page=WORDS_MAX)
        yield from (str(target.at(row.key)) for row in islice(rows, WORDS_MAX))

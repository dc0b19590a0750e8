"""Every command that the documentation names exists, with the flags it shows."""

import itertools
import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from neve.cli.main import actions_of, find_verb, parser_of

from .pages import ROOT, blocks, name_of, pages, prose

SHELL = ("", "sh", "bash", "console")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def commands(page: Path) -> list[str]:
    """What a reader would type: lines of shell blocks, and code in the prose."""
    found: list[str] = []
    for block in blocks(page):
        if block.language in SHELL:
            found += block.text.replace("\\\n", " ").splitlines()
    return found + re.findall(r"`([^`\n]+)`", prose(page))


def words_after(program: str, command: str) -> list[str] | None:
    """The words behind the program, None when the command is another."""
    match = re.match(
        rf"(?:\$ )?(?:sudo )?(?:[A-Z_]+=\S+ )*(?:\S*/)?{program} (.*)", command.strip()
    )
    if match is None:
        return None
    return shlex.split(match[1], comments=True)


def flags_of(module: Any) -> set[str]:
    """The flags that a verb knows; a group of verbs knows none but its help."""
    if not hasattr(module, "run"):
        return {"--help", "-h"}
    return {flag for action in actions_of(parser_of("", module)) for flag in action.option_strings}


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_neve_command_exists(page: Path) -> None:
    for command in commands(page):
        words = words_after("neve", command)
        if not words or words[0] in ("VERB", "--version", "--json"):
            continue
        words = list(itertools.takewhile(lambda word: word not in ("|", "&&", ";", ">"), words))
        _, module, rest = find_verb(words)
        flags = {word.partition("=")[0] for word in rest if word.startswith("--")}
        assert flags <= flags_of(module), command


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_every_make_target_exists(page: Path) -> None:
    for command in commands(page):
        words = words_after("make", command)
        if words is None:
            continue
        assert next(word for word in words if "=" not in word) in TARGETS, command


def test_the_checks_see_the_commands_of_the_readme() -> None:
    found = commands(ROOT / "README.md")
    assert words_after("make", "make serve DATA=/srv/neve") == ["serve", "DATA=/srv/neve"]
    assert any(words_after("make", command) == ["serve"] for command in found)
    assert any(words_after("neve", command) == ["serve", "DATA"] for command in found)

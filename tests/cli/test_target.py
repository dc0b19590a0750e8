"""What an argument names, and what matches a pattern."""

import pytest

from neve.cli.errors import UsageError
from neve.cli.globs import fixed_part, has_glob, matcher
from neve.cli.target import Local, Remote, Standard, Target, parse, parse_remote
from neve.client.errors import ClientError

NAMES = {"a", "data"}


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("a", Remote("a")),
        ("a/", Remote("a")),
        ("a/b", Remote("a", "b")),
        ("a/b/", Remote("a", "b")),
        ("a/b/k", Remote("a", "b", "k")),
        ("a/b/k/", Remote("a", "b", "k/")),
        ("a/b//k", Remote("a", "b", "/k")),
        ("a/b/./../k", Remote("a", "b", "./../k")),
        ("data/x", Remote("data", "x")),
        ("./data/x", Local("./data/x")),
        ("../data", Local("../data")),
        ("/a/b", Local("/a/b")),
        (".", Local(".")),
        ("other/x", Local("other/x")),
        ("aa/b", Local("aa/b")),
        ("-", Standard()),
    ],
)
def test_what_an_argument_names(text: str, target: Target) -> None:
    assert parse(text, NAMES) == target


@pytest.mark.parametrize("text", ["a", "a/b", "a/b/k", "a/b/k/", "a/b//k"])
def test_a_remote_target_is_written_as_it_was(text: str) -> None:
    assert str(parse(text, NAMES)) == text


def test_remote_targets_that_lack_something() -> None:
    assert parse_remote("a/b", NAMES, "bucket") == Remote("a", "b")
    with pytest.raises(UsageError, match="name a bucket"):
        parse_remote("a", NAMES, "bucket")
    with pytest.raises(UsageError, match="name an object"):
        parse_remote("a/b/", NAMES, "key")
    with pytest.raises(ClientError, match="no alias 'other'"):
        parse_remote("other/b", NAMES)
    with pytest.raises(UsageError, match="local"):
        parse_remote("./a/b", NAMES)
    with pytest.raises(UsageError, match="is a URL"):
        parse_remote("https://h/b", NAMES)
    with pytest.raises(UsageError, match="empty"):
        parse("", NAMES)


@pytest.mark.parametrize(
    ("pattern", "fits", "not_fits"),
    [
        ("a*c", ["ac", "abc"], ["a/c", "abcd", "xac"]),
        ("a/**/c", ["a/b/c", "a/b/d/c"], ["a/c", "a/b/cx"]),
        ("**.nc", ["x.nc", "a/b.nc", ".nc"], ["x.ncx", "xnc"]),
        ("a?c", ["abc"], ["ac", "a/c"]),
        ("[ab]x", ["ax", "bx"], ["cx", "[ab]x"]),
        ("[!ab]x", ["cx"], ["ax"]),
        ("[^ab]x", ["cx"], ["ax"]),
        ("[a-c]x", ["bx"], ["dx", "-x"]),
        ("a[*]b", ["a*b"], ["axb"]),
        ("a[]b", ["a[]b"], ["ab"]),
        ("a.b\n*", ["a.b\n", "a.b\nx"], ["axb\n"]),
        ("[\\d]", ["\\", "d"], ["1"]),
    ],
)
def test_patterns(pattern: str, fits: list[str], not_fits: list[str]) -> None:
    matches = matcher(pattern)
    assert [text for text in fits if not matches(text)] == []
    assert [text for text in not_fits if matches(text)] == []


def test_what_is_asked_of_the_server() -> None:
    assert has_glob("a/b*c")
    assert not has_glob("a/b")
    assert fixed_part("a/b*c/d") == "a/b"
    assert fixed_part("a/b") == "a/b"

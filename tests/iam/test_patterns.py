"""Wildcards and variables: what they match, and that no pattern makes matching slow."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.iam.reference import glob, tokens

from neve.iam.patterns import can_continue, compile_text, parse_pattern


def matches(pattern: str, text: str) -> bool:
    return compile_text(parse_pattern(pattern, variables=False).text)(text)


@settings(max_examples=500, deadline=None)
@given(st.text("ab*?", max_size=12), st.text("ab", max_size=14))
def test_matching_agrees_with_dynamic_programming(pattern: str, text: str) -> None:
    assert matches(pattern, text) == glob(tokens(pattern, True), text)


@settings(max_examples=200, deadline=None)
@given(st.integers(33, 80), st.text("ab", min_size=60, max_size=200), st.data())
def test_long_runs_with_question_marks_agree_too(size: int, text: str, data: st.DataObject) -> None:
    """Runs over 32 characters take the bit-parallel search."""
    start = data.draw(st.integers(0, len(text)))
    run = "".join(c if i % 7 else "?" for i, c in enumerate(text[start : start + size]))
    for pattern in (f"*{run}*", f"*{run}*b", f"a*{run}*", f"*{run}?*{run}*"):
        assert matches(pattern, text) == glob(tokens(pattern, True), text)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        ("a*", "a", True),
        ("a*", "a/b\nc", True),
        ("a?c", "a/c", True),
        ("a?c", "a\nc", True),
        ("a?c", "ac", False),
        ("?", "é", True),
        ("[ab]", "a", False),
        ("[ab]", "[ab]", True),
        ("a.c", "abc", False),
        ("a*a", "a", False),
        ("*ab*ab*", "ab", False),
        ("", "", True),
        ("", "a", False),
        ("A", "a", False),
    ],
)
def test_wildcards(pattern: str, text: str, expected: bool) -> None:
    assert matches(pattern, text) is expected


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*a" * 5000, "a" * 4999 + "b"),
        ("a*" * 5000 + "b", "a" * 8000),
        ("*" * 10_000 + "b", "a" * 8000),
        ("*?" * 5000 + "b", "a" * 8000),
        ("*" + "a?" * 2000 + "b*", "a" * 8000),
        ("*" + "?" * 7999 + "b*", "a" * 8192),
        ("*" + "a" * 4000 + "b*", "a" * 8000),
        ("*a?a?a?b" * 1000 + "*", "a" * 8000),
    ],
)
def test_hostile_patterns_cost_milliseconds(pattern: str, text: str) -> None:
    """The text is as long as a header may be, the pattern as a policy may be."""
    test = compile_text(parse_pattern(pattern, variables=False).text)
    started = time.process_time()
    assert test(text) is False
    assert time.process_time() - started < 0.25


def resolved(pattern: str, values: dict[str, str]) -> object:
    return parse_pattern(pattern).resolve(values.get)


def test_variables_take_values_defaults_and_escapes() -> None:
    values = {"aws:username": "amy", "odd": "*?"}
    assert resolved("home/${aws:username}/x", values) == "home/amy/x"
    assert resolved("${nobody, 'all of them'}", values) == "all of them"
    assert resolved("${nobody}", values) is None
    assert resolved("${*}${?}${$}{x}", values) == "*?${x}"


def test_a_value_with_wildcards_matches_only_itself() -> None:
    text = parse_pattern("home/${odd}/*").resolve({"odd": "*?"}.get)
    assert text is not None
    assert compile_text(text)("home/*?/file")
    assert not compile_text(text)("home/amy/file")


def test_escapes_are_literal_and_wildcards_are_not() -> None:
    test = compile_text(parse_pattern("a${*}b*").text)
    assert test("a*bc")
    assert not test("axbc")


@pytest.mark.parametrize("source", ["${", "${}", "a${b", "${a{b}", "${a,b}", "${a, 'b}"])
def test_broken_variables_are_refused(source: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_pattern(source)


@settings(max_examples=300, deadline=None)
@given(st.text("ab*?", max_size=8), st.text("ab", max_size=5))
def test_can_continue_agrees_with_trying(pattern: str, prefix: str) -> None:
    """Tails over the alphabet, up to the pattern's length, are enough to find a match."""
    text = parse_pattern(pattern, variables=False).text
    tails = [""]
    for _ in range(min(len(pattern) + 1, 5)):
        tails += [tail + char for tail in tails[-32:] for char in "ab"]
    found = any(glob(tokens(pattern, True), prefix + tail) for tail in set(tails) - {""})
    assert can_continue(text, prefix) or not found
    if len(pattern) <= 5:
        assert can_continue(text, prefix) == found

"""Which versions a target that keeps them does not have yet."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from neve.cli.target import Remote
from neve.cli.transfer.replicating import missing_of
from neve.client.s3 import Object

NOON = 1_772_366_400.0


def row(version: str, at: float, text: str = "a", *, marker: bool = False) -> Object:
    etag = "" if marker else text * 32
    return Object("k", 1, datetime.fromtimestamp(NOON + at, UTC), etag, "STANDARD", version,
                  marker=marker)  # fmt: skip


def look(history: list[Object], present: list[Object]) -> tuple[list[str], int]:
    """(versions to send, how many cannot come)."""
    told: list[Any] = []
    engine: Any = SimpleNamespace(warn=told.append)
    missing = missing_of(engine, Remote("old", "bucket", "k"), history, present)
    return [each.version for each in missing], len(told)


def test_versions_are_known_by_their_ids() -> None:
    history = [row("1", 0), row("2", 1, marker=True), row("3", 2)]
    assert look(history, []) == (["1", "2", "3"], 0)
    # Wherever one is missing, and whatever else the target has.
    assert look(history, [row("own", 0.5), row("3", 2), row("1", 0)]) == (["2"], 0)
    assert look(history, history) == ([], 0)
    assert look(history, [row("1", 0, "b"), row("2", 1), row("3", 2, marker=True)]) == ([], 3)


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        (row("null", 0, "a"), ([], 0)),
        (row("null", -1, "a"), (["null"], 0)),
        (row("null", 1, "a"), ([], 0)),
        (row("null", -1, "b"), (["null"], 0)),
        # Neve lists whole seconds: it may be older, and is asked.
        (row("null", 0, "b"), (["null"], 0)),
        (row("null", 1, "b"), ([], 1)),
        (row("null", -1, marker=True), (["null"], 0)),
    ],
)
def test_a_null_version_gives_way_to_a_newer_one(
    there: Object, expected: tuple[list[str], int]
) -> None:
    assert look([row("null", 0.8, "a")], [there]) == expected

"""Sizes, durations and dates as people write them."""

from datetime import UTC, datetime, timedelta

import pytest

from neve.cli.errors import UsageError
from neve.cli.units import format_duration, format_size, iso_time, parse_duration, parse_time
from neve.client.units import parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("500", 500),
        ("12B", 12),
        ("500MB", 500_000_000),
        ("500mb", 500_000_000),
        ("64k", 65_536),
        ("64KiB", 65_536),
        ("2TiB", 2 << 40),
        ("2T", 2 << 40),
        ("1.5 GiB", 3 << 29),
        ("7EiB", 7 << 60),
        ("9007199254740993", 9_007_199_254_740_993),
    ],
)
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "5 XB", "-5", "5MiBs", "1,5G", "iB"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(UsageError, match="size"):
        parse_size(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1_048_575, "1.0 MiB"),
        (1_500_000, "1.4 MiB"),
        (2 << 40, "2.0 TiB"),
        (5 << 60, "5.0 EiB"),
    ],
)
def test_sizes_are_shown_short(size: int, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("2h30m", 9000), ("7d", 604_800), ("1w", 604_800), ("250ms", 0.25),
     ("1.5h", 5400), ("1d 2h", 93_600), ("1mo", 2_592_000)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "7x", "7d!", "-7d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(UsageError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "250ms"), (45, "45s"), (9000, "2h30m"), (604_800, "7d"), (90_061, "1d1h"), (60, "1m"),
     (3601, "1h"), (59.7, "1m")],
)  # fmt: skip
def test_durations_are_shown_in_two_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_dates() -> None:
    now = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    local = datetime(2026, 11, 1).astimezone()
    assert parse_time("2026-11-01") == parse_time("2026.11.01") == local
    assert parse_time("2026-11-01T12:30Z") == datetime(2026, 11, 1, 12, 30, tzinfo=UTC)
    assert parse_time("2026.11.01T12:30:05") == datetime(2026, 11, 1, 12, 30, 5).astimezone()
    assert parse_time("3d ago", now.timestamp()) == now - timedelta(days=3)
    assert parse_time("2h30m", now.timestamp()) == now - timedelta(hours=2, minutes=30)
    assert parse_time("yesterday", now.timestamp()) < parse_time("today", now.timestamp()) <= now
    with pytest.raises(UsageError, match="date"):
        parse_time("the day before")


def test_json_has_times_in_utc() -> None:
    assert iso_time(datetime(2026, 11, 28, 12, 0, tzinfo=UTC)) == "2026-11-28T12:00:00Z"
    east = datetime.fromisoformat("2026-11-28T12:00:00.250+02:00")
    assert iso_time(east) == "2026-11-28T10:00:00.250Z"

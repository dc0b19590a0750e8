"""Sizes, durations and dates as people write them; sizes are read in `neve.client.units`.

Durations: `90s`, `2h30m`, `7d`, `1w`. Dates: `2026-11-01`, `2026-11-01T12:30`, with `Z` or an
offset or else in local time, `today`, `yesterday`, `3d ago`, and mc's `2026.11.01`.
"""

import re
import time
from datetime import UTC, datetime, timedelta

from neve.cli.errors import UsageError

_LETTERS = "kmgtpe"
_STEP = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|mo|[smhdwy])")
_STEPS_S = {
    "ms": 0.001,
    "s": 1,
    "m": 60,
    "h": 3600,
    "d": 86_400,
    "w": 604_800,
    "mo": 30 * 86_400,
    "y": 365 * 86_400,
}
_MC_DATE = re.compile(r"(\d{4})\.(\d\d)\.(\d\d)(?=$|T)")


def format_size(size: float) -> str:
    """Return a size as people read it: `12 B`, `1.4 KiB`, `2.0 TiB`."""
    if size < 1024:
        return f"{int(size)} B"
    power = 0
    while round(size, 1) >= 1024 and power < len(_LETTERS):
        size /= 1024
        power += 1
    return f"{size:.1f} {_LETTERS[power - 1].upper()}iB"


def parse_duration(text: str) -> float:
    """Return the seconds that a text such as `7d` or `2h30m` means."""
    plain = text.strip().lower()
    steps = _STEP.findall(plain)
    if not steps or _STEP.sub("", plain).strip():
        raise UsageError(f"{text!r} is no duration: write 90s, 2h30m or 7d.")
    return float(sum(float(number) * _STEPS_S[unit] for number, unit in steps))


def format_duration(seconds: float) -> str:
    """Return a duration in its two largest units: `45s`, `2h30m`, `7d`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    left = round(seconds)
    parts: list[str] = []
    for unit in ("d", "h", "m", "s"):
        count, left = divmod(left, int(_STEPS_S[unit]))
        if count:
            parts.append(f"{count}{unit}")
        elif parts:
            break
    return "".join(parts[:2])


def parse_time(text: str, now: float | None = None) -> datetime:
    """Return the moment, with its zone, that a text such as `2026-11-01` or `3d ago` means."""
    plain = text.strip()
    present = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    midnight = present.astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": present, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if plain.lower() in named:
        return named[plain.lower()]
    if _STEP.match(plain.lower()):
        duration = parse_duration(plain.lower().removesuffix("ago"))
        return present - timedelta(seconds=duration)
    try:
        parsed = datetime.fromisoformat(_MC_DATE.sub(r"\1-\2-\3", plain))
    except ValueError as error:
        wanted = "write 2026-11-01, 2026-11-01T12:30Z or 3d ago"
        raise UsageError(f"{text!r} is no date: {wanted}.") from error
    return parsed if parsed.tzinfo else parsed.astimezone()


def format_time(moment: datetime) -> str:
    """Return a moment in local time with its zone: `2026-11-01 12:30:00 UTC`."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z")


def iso_time(moment: datetime) -> str:
    """Return a moment as JSON has it: in UTC, with milliseconds when there are any."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z").replace(".000Z", "Z")


def counted(count: int, one: str, many: str = "") -> str:
    """Return a count and what is counted."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"

"""Charts as SVG that the server makes: lines over time, with gaps where nothing is known.

A chart is numbers and texts; the template draws it, so that everything in it is escaped. The unit
of lengths is that of the `viewBox`: `WIDTH` by `HEIGHT`, the plot inside the margins.
"""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

WIDTH, HEIGHT = 640, 190
LEFT, RIGHT, TOP, BOTTOM = 64, 8, 10, 24
LINES = 4
_STEPS = (1, 2, 2.5, 5, 10)


class Series(NamedTuple):
    """One line: a value for each moment, None where there is none."""

    label: str
    values: Sequence[float | None]


class Drawn(NamedTuple):
    """A line as it is drawn."""

    label: str
    path: str
    latest: str


class Tick(NamedTuple):
    """A mark on an axis."""

    at: float
    text: str


class Chart(NamedTuple):
    """What the template needs."""

    title: str
    lines: list[Drawn]
    across: list[Tick]
    down: list[Tick]
    """Of the vertical axis: from the top of the plot."""


def chart(
    title: str,
    times: Sequence[datetime],
    series: Sequence[Series],
    since: datetime,
    until: datetime,
    write: Callable[[float], str],
    step_s: float,
    base: float = 10,
) -> Chart:
    """Return a chart. `write` gives the text of a value; `base` is 1024 for bytes, else 10.

    A gap longer than two steps between points interrupts the lines.
    """
    span_s = max(1.0, (until - since).total_seconds())
    values = [value for each in series for value in each.values if value is not None]
    top = nice(max(values, default=0), base)
    plot_width, plot_height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    seconds = [(moment - since).total_seconds() for moment in times]
    drawn = []
    for each in series:
        pieces: list[str] = []
        last: float | None = None
        for at_s, value in zip(seconds, each.values, strict=True):
            if value is None:
                last = None
                continue
            x = LEFT + plot_width * min(1.0, max(0.0, at_s / span_s))
            y = TOP + plot_height * (1 - value / top)
            joined = last is not None and at_s - last <= 2 * step_s + 1
            pieces.append(f"{'L' if joined else 'M'}{x:.1f} {y:.1f}" + ("" if joined else "h.1"))
            last = at_s
        known = [value for value in each.values if value is not None]
        drawn.append(Drawn(each.label, "".join(pieces), write(known[-1]) if known else "–"))
    down = [
        Tick(TOP + plot_height * (1 - part / LINES), write(top * part / LINES))
        for part in range(LINES + 1)
    ]
    return Chart(title, drawn, _ticks(since, until, span_s, plot_width), down)


def nice(value: float, base: float = 10) -> float:
    """Return a round number that is not less, for the top of an axis; 1 for 0."""
    if value <= 0:
        return 1.0
    unit = base ** math.floor(math.log(value, base))
    if base == 1024:
        inner = nice(value / unit)
        return unit * inner
    return next(unit * step for step in _STEPS if unit * step >= value * 0.999999)


def _ticks(since: datetime, until: datetime, span_s: float, width: float) -> list[Tick]:
    form = "%H:%M" if span_s <= 86400 * 1.5 else "%d %b" if span_s > 86400 * 8 else "%a %H:%M"
    form = "%d.%m. %H:%M" if form == "%a %H:%M" else "%d.%m." if form == "%d %b" else form
    count = 5
    return [
        Tick(LEFT + width * part / count, (since + (until - since) * part / count).strftime(form))
        for part in range(count + 1)
    ]

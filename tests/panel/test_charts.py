"""Charts: round axes, gaps, bounds."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from neve.panel.charts import HEIGHT, LEFT, RIGHT, TOP, WIDTH, Series, chart, nice

SINCE = datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "base", "top"),
    [
        *((0, 10, 1), (0.3, 10, 0.5), (1, 10, 1), (7, 10, 10), (11, 10, 20), (230, 10, 250)),
        *((1500, 1024, 2048), (1024, 1024, 1024), (700 * 1024, 1024, 1000 * 1024)),
    ],
)
def test_axes_end_at_round_numbers(value: float, base: float, top: float) -> None:
    assert nice(value, base) == pytest.approx(top)


def test_lines_stay_in_the_plot_and_stop_where_nothing_is_known() -> None:
    times = [SINCE + timedelta(minutes=minute) for minute in (0, 1, 2, 10, 11, 12)]
    values = [1.0, 2.0, None, 4.0, 5.0, 400.0]
    drawn = chart("t", times, [Series("a", values)], SINCE, SINCE + timedelta(minutes=12), str, 60)
    path = drawn.lines[0].path
    assert path.count("M") == 2  # the gap after the second minute
    points = [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]
    assert len(points) == 5
    for x, y in points:
        assert LEFT <= x <= WIDTH - RIGHT
        assert TOP <= y <= HEIGHT
    assert points[-1] == (WIDTH - RIGHT, pytest.approx(TOP + (1 - 400 / 500) * (HEIGHT - TOP - 24)))
    assert drawn.lines[0].latest == "400.0"


def test_nothing_known_is_an_empty_chart() -> None:
    drawn = chart("t", [], [Series("a", [])], SINCE, SINCE, str, 60)
    assert drawn.lines[0].path == ""
    assert drawn.lines[0].latest == "–"

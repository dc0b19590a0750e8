"""The dashboard: what the server holds and does, now and over time."""

from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from neve.client.xml import moment
from neve.panel.charts import Chart, Series, chart
from neve.panel.routing import get
from neve.panel.visit import Visit

SPANS = ("1h", "24h", "7d", "30d")
POINTS = 240


def show(visit: Visit) -> Response:
    """The page, for one of `SPANS`."""
    span = visit.query("span")
    span = span if span in SPANS else SPANS[0]
    query = {"span": span, "points": str(POINTS)}
    history = visit.admin.call("GET", "neve/history", query, doing="read the history")
    upkeep = visit.admin.call("GET", "neve/upkeep", {"limit": "1"}, doing="read the upkeep")
    points = history["points"]
    return visit.page(
        "running/dashboard.html",
        span=span,
        spans=_spans(visit),
        charts=_charts(visit, history),
        total=history["total"] or {},
        latest=points[-1] if points else {},
        upkeep=upkeep,
        failing=[job["name"] for job in upkeep["jobs"] if job["failing"]],
        restarts=sum(each["restarts"] for each in upkeep["processes"]),
        largest=max((row["bytes"] for row in upkeep["buckets"]), default=0),
    )


def _spans(visit: Visit) -> list[tuple[str, str]]:
    words = (visit._("Hour"), visit._("Day"), visit._("Week"), visit._("Month"))
    return list(zip(SPANS, words, strict=True))


def _charts(visit: Visit, history: dict[str, Any]) -> list[Chart]:
    language, points = visit.language, history["points"]
    since, until = moment(history["since"]), moment(history["until"])
    times = [moment(point["time"]) for point in points]
    step_s = float(history["step_s"])

    def of(title: str, write: Callable[[float], str], base: float, **lines: list[Any]) -> Chart:
        series = [Series(label, values) for label, values in lines.items()]
        return chart(title, times, series, since, until, write, step_s, base)

    def rate(name: str) -> list[float | None]:
        return [point[name] / point["seconds"] if point["seconds"] else None for point in points]

    def plain(name: str) -> list[float | None]:
        return [point[name] for point in points]

    def per_second(value: float) -> str:
        return f"{language.number(round(value, 2))}/s"

    def speed(value: float) -> str:
        return f"{language.size(value)}/s"

    def milliseconds(value: float) -> str:
        return f"{language.number(round(value * 1000, 2))} ms"

    return [
        of(visit._("Requests"), per_second, 10, **{visit._("Requests"): rate("requests")}),
        of(
            visit._("Errors"), per_second, 10,
            **{
                visit._("refused (4xx)"): rate("client_errors"),
                visit._("failed (5xx)"): rate("server_errors"),
            },
        ),
        of(
            visit._("Throughput"), speed, 1024,
            **{
                visit._("received"): rate("received_bytes"),
                visit._("sent"): rate("sent_bytes"),
            },
        ),
        of(
            visit._("Latency"), milliseconds, 10,
            **{
                visit._("median"): plain("latency_p50_s"),
                visit._("99 of 100"): plain("latency_p99_s"),
            },
        ),
        of(visit._("Stored"), language.size, 1024, **{visit._("bytes"): plain("bytes")}),
        of(visit._("Objects"), language.number, 10, **{visit._("Objects"): plain("objects")}),
    ]  # fmt: skip


ROUTES = [get("/dashboard", show)]

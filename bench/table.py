"""Results as Markdown: one run, or several beside each other."""

from __future__ import annotations

from typing import Any

Result = dict[str, Any]
_HEADER = (
    "| operation (clients) | server CPU µs | ops/s | MB/s | p50 ms | p99 ms | "
    "server cores | generator CPU µs | PSS MB | errors |"
)


def header() -> str:
    """Return the head of the table of one run."""
    return f"{_HEADER}\n|{'---|' * (_HEADER.count('|') - 1)}"


def line(name: str, row: Result) -> str:
    """Return one operation as a line of that table."""
    cells = [
        f"{name} ({row['clients']})",
        _number(row.get("server_cpu_us")),
        _number(row["per_second"]),
        _number(row["mb_per_second"]) if row["mb_per_second"] else "–",
        _milliseconds(row["p50_us"]),
        _milliseconds(row["p99_us"]),
        f"{row['server_cores']:.2f}" if "server_cores" in row else "–",
        _number(row["generator_cpu_us"]),
        _megabytes(row.get("memory")),
        _errors(row["errors"]),
    ]
    return f"| {' | '.join(cells)} |"


def compare(results: list[Result]) -> str:
    """Return the runs beside each other; ratios are to the first one."""
    labels = [result["label"] for result in results]
    cells = ["operation"]
    for index, label in enumerate(labels):
        cells.append(f"{label}: CPU µs")
        cells += ["ratio"] if index else []
        cells += [f"{label}: ops/s", f"{label}: p50 / p99 ms"]
    lines = [_line(cells), _line(["---"] * len(cells))]
    lines += [_line([name, *_compared(name, results)]) for name in _names(results)]
    lines += ["", *(_about(result) for result in results)]
    return "\n".join(lines)


def _compared(name: str, results: list[Result]) -> list[str]:
    cells: list[str] = []
    first = results[0]["operations"].get(name, {})
    for index, result in enumerate(results):
        row = result["operations"].get(name)
        if row is None:
            cells += ["–"] * (4 if index else 3)
            continue
        failed = " (errors!)" if row["errors"] else ""
        cells.append(_number(row.get("server_cpu_us")) + failed)
        cells += [_ratio(row.get("server_cpu_us"), first.get("server_cpu_us"))] if index else []
        cells.append(_number(row["per_second"]))
        cells.append(f"{_milliseconds(row['p50_us'])} / {_milliseconds(row['p99_us'])}")
    return cells


def _about(result: Result) -> str:
    machine = result["machine"]
    peak = max((row.get("memory") or 0 for row in result["operations"].values()), default=0)
    memory = f"{_megabytes(result['memory_idle'])} → {_megabytes(peak or None)} MB"
    return (
        f"- {result['label']}: {result['date']}, {machine['cpu']}, {machine['cores']} cores, "
        f"payload {result['payload']}, memory (PSS, idle → peak) {memory}"
    )


def _names(results: list[Result]) -> list[str]:
    return list(dict.fromkeys(name for result in results for name in result["operations"]))


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}"


def _ratio(value: float | None, base: float | None) -> str:
    return f"{value / base:.1f}×" if value and base else "–"


def _milliseconds(value: int | None) -> str:
    return "–" if value is None else f"{value / 1000:,.2f}"


def _megabytes(value: int | None) -> str:
    return "–" if value is None else f"{value / 1e6:,.0f}"


def _errors(errors: dict[str, int]) -> str:
    if not errors:
        return "0"
    return ", ".join(f"{count} × {reason}" for reason, count in errors.items())

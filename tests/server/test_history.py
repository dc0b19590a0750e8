"""The history: what the metrics grew by, in rings of fixed size, over restarts and damage."""

import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.admin.client import Client

from neve.server import recorder
from neve.server.history import COARSE, COUNTS, FINE, LEVELS, MINUTES, SAVE_S, History
from neve.server.metrics import LATENCY_BOUNDS_S, Metrics, Totals
from neve.server.recorder import Recorder, counters_of, quantile, tell
from neve.server.shared import STEWARD, SUPERVISOR, Shared
from neve.testing.server import LiveServer, wait_until

NOW_S = 1_800_000_000
"""Divides by every step."""
STORED = (7, 700, 10**9, 10**10)


def counters(requests: int = 0, **others: int) -> list[int]:
    return [({"requests": requests} | others).get(name, 0) for name in COUNTS]


def begun(at_s: int = NOW_S, file: str = "/nonexistent/history") -> History:
    history = History()
    history.begin(file, at_s * 1000)
    return history


def requests_of(history: History, span: str, now_s: int, points: int = 5000) -> list[int]:
    return [point["requests"] for point in tell(history, span, points, now_s)["points"]]


def test_each_step_has_what_the_counters_grew_by() -> None:
    history = begun()
    for step, total in enumerate((5, 5, 12), 1):
        history.add((NOW_S + step * 10) * 1000 + 3, counters(total), STORED)
    found = tell(history, "1h", 5000, NOW_S + 30)
    assert [point["requests"] for point in found["points"]] == [5, 0, 7]
    assert [point["time"] for point in found["points"]] == [
        "2027-01-15T08:00:00Z",
        "2027-01-15T08:00:10Z",
        "2027-01-15T08:00:20Z",
    ]
    assert [point["seconds"] for point in found["points"]] == [10.003, 10.0, 10.0]
    assert found["total"]["requests"] == 12
    last = found["points"][-1]
    assert tuple(last[name] for name in LEVELS) == STORED


def test_minutes_and_ten_minutes_add_up_to_the_same() -> None:
    history = begun()
    total = 0
    for step in range(1, 6 * 60 * 2 + 1):
        total += step % 7
        history.add((NOW_S + step * 10) * 1000, counters(total), STORED)
    now_s = NOW_S + 7200
    minutes, coarse = (requests_of(history, span, now_s) for span in ("24h", "7d"))
    assert (len(minutes), len(coarse)) == (120, 12)
    assert sum(minutes) == sum(coarse) == total
    assert minutes[0] == sum(step % 7 for step in range(1, 7))


def test_a_counter_that_begins_anew_is_no_step_down() -> None:
    history = begun()
    history.add((NOW_S + 10) * 1000, counters(1000), STORED)
    history.add((NOW_S + 20) * 1000, counters(4), STORED)
    assert requests_of(history, "1h", NOW_S + 20) == [1000, 4]


def test_rings_forget_what_is_too_old_and_nothing_else() -> None:
    history = begun()
    for step in range(1, FINE.records + 101):
        history.add((NOW_S + step * 10) * 1000, counters(step), STORED)
    now_s = NOW_S + (FINE.records + 100) * 10
    records = history.read(FINE, 0, now_s)
    assert [record.at_s for record in records] == list(range(now_s - 7200, now_s, 10))
    assert all(record.counts[0] == 1 for record in records)
    # A day later the places still hold them, but they are none of that day.
    assert history.read(FINE, 0, now_s + 86_400) == []
    assert len(history.read(MINUTES, 0, now_s)) == (FINE.records + 100) // 6 + 1


def test_a_time_when_nothing_was_noted_has_no_point() -> None:
    history = begun()
    history.add((NOW_S + 10) * 1000, counters(1), STORED)
    history.add((NOW_S + 100) * 1000, counters(2), STORED)
    found = tell(history, "1h", 5000, NOW_S + 100)
    assert [point["time"][-4:-1] for point in found["points"]] == [":00", ":30"]
    assert found["points"][1]["seconds"] == 90.0


def test_points_are_merged_to_as_many_as_are_wanted() -> None:
    history = begun()
    for step in range(1, 361):
        slow = {f"latency_{step % 3}": step, "latency_us": step * 700}
        history.add((NOW_S + step * 10) * 1000, counters(step, **slow), STORED)
    now_s = NOW_S + 3600
    found = tell(history, "1h", 36, now_s)
    assert found["step_s"] == 100
    assert len(found["points"]) == 36
    assert sum(point["requests"] for point in found["points"]) == 360
    assert tell(history, "30d", 100, now_s)["step_s"] == 44 * COARSE.step_s


def test_latency_is_estimated_within_the_bounds_of_the_histogram() -> None:
    none = [0] * (len(LATENCY_BOUNDS_S) + 1)
    assert quantile(none, 0.5) is None
    first = [100, *none[1:]]
    assert quantile(first, 0.5) == pytest.approx(LATENCY_BOUNDS_S[0] / 2)
    mixed = [90, 0, 0, 10, *none[4:]]
    p99 = quantile(mixed, 0.99)
    assert p99 is not None
    assert LATENCY_BOUNDS_S[2] < p99 <= LATENCY_BOUNDS_S[3]
    assert quantile([*none[:-1], 1], 0.5) == LATENCY_BOUNDS_S[-1]


def test_what_the_metrics_counted_arrives() -> None:
    shared = Shared(1)
    shared.attach(2)
    metrics = Metrics(shared)
    for _ in range(3):
        metrics.end("GetObject", 200, 0.004, 0, 1000, "")
    metrics.end("PutObject", 404, 0.004, 50, 10, "NoSuchBucket")
    metrics.end("GetBucketAcl", 503, 9.0, 0, 0, "SlowDown")
    metrics.end("AdminTrace", 200, 3600.0, 0, 0, "")
    found = dict(zip(COUNTS, counters_of(Totals(shared))))
    assert found["requests"] == 5
    assert found["other_requests"] == 1
    assert (found["client_errors"], found["server_errors"]) == (1, 1)
    assert (found["received_bytes"], found["sent_bytes"]) == (50, 3010)
    # Neither settings nor a stream that somebody watched for an hour are slow requests.
    assert sum(found[f"latency_{number}"] for number in range(16)) == 4
    assert found["latency_us"] == pytest.approx(16_000, abs=8)


def test_a_new_server_reads_what_the_last_one_kept(tmp_path: Path) -> None:
    file = str(tmp_path / "history")
    first = begun()
    first.add((NOW_S + 10) * 1000, counters(5), STORED)
    first.save(file)
    second = begun(NOW_S + 60, file)
    assert requests_of(second, "1h", NOW_S + 60) == [5]
    second.add((NOW_S + 70) * 1000, counters(2), STORED)
    assert requests_of(second, "1h", NOW_S + 70) == [5, 2]
    assert not list(tmp_path.glob("*.tmp"))


def test_a_new_steward_goes_on_where_the_last_one_died(tmp_path: Path) -> None:
    file = str(tmp_path / "history")
    begun().save(file)
    history = begun()
    history.add((NOW_S + 10) * 1000, counters(5), STORED)
    history.begin(file, NOW_S * 1000)
    history.add((NOW_S + 20) * 1000, counters(8), STORED)
    assert requests_of(history, "1h", NOW_S + 20) == [5, 3]


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "other"])
def test_a_damaged_file_is_said_and_made_anew(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "history"
    first = begun()
    first.add((NOW_S + 10) * 1000, counters(5), STORED)
    first.save(str(file))
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    damaged = {"empty": b"", "cut": data[:-9], "flipped": bytes(data), "other": b"NEVEHIS0" * 9}
    file.write_bytes(damaged[damage])
    second = begun(NOW_S + 60, str(file))
    assert requests_of(second, "1h", NOW_S + 60) == []
    assert "begins anew" in caplog.text
    second.add((NOW_S + 70) * 1000, counters(1), STORED)
    second.save(str(file))
    assert requests_of(begun(NOW_S + 80, str(file)), "1h", NOW_S + 80) == [1]


def test_a_folder_that_cannot_be_written_stops_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shared = Shared(1)
    shared.attach(STEWARD)
    recorder = Recorder(shared, str(tmp_path / "gone"), lambda: (0, 0))
    recorder.close()
    assert "cannot be kept" in caplog.text


def test_a_server_that_is_killed_loses_the_last_minutes_at_most(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(now_s=NOW_S)
    monkeypatch.setattr(recorder.time, "time_ns", lambda: clock.now_s * 10**9)
    monkeypatch.setattr(recorder.time, "monotonic", lambda: float(clock.now_s))
    shared = Shared(1)
    shared.attach(STEWARD)
    shared.begin(SUPERVISOR)
    metrics = Metrics(shared)
    recording = Recorder(shared, str(tmp_path), lambda: (1, 2))
    for _ in range(1000):
        clock.now_s += 1
        metrics.end("GetObject", 200, 0.001, 0, 1, "")
        recording.run()
    # Nobody closes it: this is what the next server finds.
    kept = requests_of(begun(clock.now_s, str(tmp_path / "history")), "1h", clock.now_s)
    assert 1000 - SAVE_S - 2 * FINE.step_s <= sum(kept) < 1000
    assert sum(requests_of(shared.history, "1h", clock.now_s)) == 1000
    assert len(kept) == pytest.approx(sum(kept) / FINE.step_s, abs=1)


def history_of(server: LiveServer, **query: str) -> Any:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = Client(server)("GET", f"neve/history?{asked}")
    return answer.json if answer.status == 200 else (answer.status, answer.code)


@pytest.mark.slow
def test_history_of_a_server_survives_its_end_and_a_damaged_file(tmp_path: Path) -> None:
    with LiveServer(tmp_path / "data") as server:
        client = server.client()
        client.create_bucket(Bucket="history")
        for number in range(5):
            client.put_object(Bucket="history", Key=str(number), Body=b"x" * 100)
        wait_until(lambda: history_of(server)["total"].get("requests", 0) >= 6, 60)
        total = history_of(server)["total"]
        assert total["received_bytes"] == 500
        assert total["server_errors"] == 0
        assert 0 < total["latency_p50_s"] <= total["latency_p99_s"]
        assert (total["objects"], total["bytes"]) == (5, 500)
        assert total["free_bytes"] <= total["size_bytes"]

        server.restart()
        wait_until(lambda: history_of(server)["total"].get("requests", 0) >= 6, 60)
        steward = server.children()[0]
        os.kill(steward, signal.SIGKILL)
        assert history_of(server, span="30d")["total"]["requests"] == 6

        server.stop()
        (server.folder / "history").write_bytes(b"no history")
        server.start()
        assert history_of(server, span="30d")["total"].get("requests", 0) == 0
        wait_until(lambda: len(history_of(server)["points"]) > 0, 60)


def test_what_may_be_asked_and_by_whom(live_server: LiveServer) -> None:
    found = history_of(live_server, span="7d", points="10")
    assert (found["span"], found["step_s"]) == ("7d", 101 * 600)
    invalid = (400, "XMinioAdminInvalidArgument")
    assert history_of(live_server, span="2h") == invalid
    for points in ("-1", "5001", "x", "1" * 30):
        assert history_of(live_server, points=points) == invalid

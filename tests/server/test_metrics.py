"""Counting in shared memory: what is counted where, summed over processes, and what it costs."""

import os
import time
from pathlib import Path

import pytest

from neve.engine.quota import BucketQuota, Quota, Used
from neve.engine.quotas import Usage
from neve.server.metrics import OPERATIONS, Metrics, Totals, operation_class
from neve.server.prometheus import render
from neve.server.shared import STEWARD, Shared

HOT_PATH_US_MAX = 1.5


def lines_of(shared: Shared, folder: Path) -> dict[str, float]:
    holders = {
        "bucket": [('bucket="b1"', Usage(Used(5, 30), BucketQuota(bytes=40, soft=75), 3, 4))],
        "prefix": [('bucket="b1",prefix="p/"', Usage(Used(1, 7), Quota()))],
        "user": [('user="ada"', Usage(Used(9, 9), Quota(objects=9)))],
    }
    text = render(shared, str(folder), holders).decode()
    rows = [line for line in text.splitlines() if line and not line.startswith("#")]
    found = {name: float(value) for name, _, value in (row.rpartition(" ") for row in rows)}
    assert len(found) == len(rows), "a series is there twice"
    return found


@pytest.fixture
def shared() -> Shared:
    return Shared(2)


def worker(shared: Shared, slot: int) -> Metrics:
    shared.attach(slot)
    return Metrics(shared)


def test_requests_are_summed_over_workers(shared: Shared, tmp_path: Path) -> None:
    one, two = worker(shared, 2), worker(shared, 3)
    one.end("GetObject", 200, 0.003, 0, 1000, "")
    two.end("GetObject", 200, 0.3, 0, 500, "")
    two.end("GetObject", 404, 0.0001, 0, 200, "NoSuchKey")
    one.end("PutObject", 200, 0.01, 4096, 0, "")
    found = lines_of(shared, tmp_path)
    assert found['neve_requests_total{operation="GetObject",status="2xx"}'] == 2
    assert found['neve_requests_total{operation="GetObject",status="4xx"}'] == 1
    assert found['neve_requests_total{operation="PutObject",status="2xx"}'] == 1
    assert found['neve_errors_total{code="NoSuchKey"}'] == 1
    assert found["neve_received_bytes_total"] == 4096
    assert found["neve_sent_bytes_total"] == 1700


def test_latency_histogram_is_cumulative_and_exact(shared: Shared, tmp_path: Path) -> None:
    metrics = worker(shared, 2)
    for seconds in (0.0004, 0.0005, 0.0006, 0.9, 31.0):
        metrics.end("GetObject", 200, seconds, 0, 0, "")
    found = lines_of(shared, tmp_path)
    name = 'neve_request_seconds_bucket{class="read",le="'
    assert found[name + '0.0005"}'] == 2
    assert found[name + '0.001"}'] == 3
    assert found[name + '1.0"}'] == 4
    assert found[name + '30.0"}'] == 4
    assert found[name + '+Inf"}'] == 5
    assert found['neve_request_seconds_count{class="read"}'] == 5
    assert found['neve_request_seconds_sum{class="read"}'] == pytest.approx(31.9015)


def test_unknown_operation_status_and_code_are_counted_as_other(
    shared: Shared, tmp_path: Path
) -> None:
    worker(shared, 2).end("", 0, 0.1, 0, 0, "MadeUp")
    found = lines_of(shared, tmp_path)
    assert found['neve_requests_total{operation="Other",status="cut"}'] == 1
    assert found['neve_errors_total{code="Other"}'] == 1


def test_open_requests_of_a_dead_process_are_forgotten_but_its_counts_stay(
    shared: Shared, tmp_path: Path
) -> None:
    metrics = worker(shared, 2)
    metrics.end("GetObject", 200, 0.1, 0, 0, "")
    metrics.now(in_flight=3, connections=7)
    assert lines_of(shared, tmp_path)["neve_connections"] == 7
    worker(shared, 2)
    found = lines_of(shared, tmp_path)
    assert found["neve_connections"] == found["neve_requests_in_flight"] == 0
    assert found['neve_requests_total{operation="GetObject",status="2xx"}'] == 1


def test_commits_show_batch_size_and_time(shared: Shared, tmp_path: Path) -> None:
    metrics = worker(shared, 2)
    metrics.committed(1, 0.0002)
    metrics.committed(20, 0.004)
    found = lines_of(shared, tmp_path)
    assert found['neve_commit_writes_bucket{le="16"}'] == 1
    assert found['neve_commit_writes_bucket{le="32"}'] == 2
    assert found["neve_commit_writes_sum"] == 21
    assert found['neve_commit_seconds_bucket{le="0.0005"}'] == 1
    assert found["neve_commit_seconds_sum"] == pytest.approx(0.0042)


def test_figures_and_jobs_of_the_steward_survive_its_restart(
    shared: Shared, tmp_path: Path
) -> None:
    metrics = worker(shared, STEWARD)
    metrics.figure("scrub_bytes_total", 10)
    metrics.figure("checkpoint_pages", 3)
    metrics.job("scrub", 0.25, failed=True)
    again = worker(shared, STEWARD)
    again.figure("scrub_bytes_total", 12)
    again.job("scrub", 0.5, failed=False)
    found = lines_of(shared, tmp_path)
    assert found["neve_scrub_bytes_total"] == 12
    assert found["neve_checkpoint_pages"] == 3
    assert found['neve_job_runs_total{job="scrub"}'] == 2
    assert found['neve_job_failures_total{job="scrub"}'] == 1
    assert found['neve_job_failing{job="scrub"}'] == 0
    assert found['neve_job_duration_seconds{job="scrub"}'] == 0.5


def test_too_many_figures_are_dropped_not_written_elsewhere(shared: Shared) -> None:
    metrics = worker(shared, STEWARD)
    for number in range(200):
        metrics.figure(f"figure_{number}", number + 1)
    figures = Totals(shared).figures()
    assert len(figures) == 64
    assert figures["figure_63"] == 64
    assert Totals(shared).jobs() == []


def test_buckets_and_space_are_shown(shared: Shared, tmp_path: Path) -> None:
    (tmp_path / "catalog.db-wal").write_bytes(bytes(321))
    found = lines_of(shared, tmp_path)
    assert found['neve_bucket_objects{bucket="b1"}'] == 2
    assert found['neve_bucket_bytes{bucket="b1"}'] == 30
    assert found['neve_bucket_quota_bytes{bucket="b1"}'] == 40
    assert found['neve_bucket_quota_warning{bucket="b1"}'] == 1
    assert found['neve_bucket_versions{bucket="b1"}'] == 3
    assert found['neve_bucket_delete_markers{bucket="b1"}'] == 4
    assert found['neve_prefix_bytes{bucket="b1",prefix="p/"}'] == 7
    assert 'neve_prefix_quota_warning{bucket="b1",prefix="p/"}' not in found
    assert found['neve_user_objects{user="ada"}'] == 9
    assert 'neve_bucket_quota_objects{bucket="b1"}' not in found
    assert found["neve_wal_bytes"] == 321
    disk = os.statvfs(tmp_path)
    assert found["neve_disk_size_bytes"] == disk.f_blocks * disk.f_frsize
    assert 0 < found["neve_disk_free_bytes"] <= found["neve_disk_size_bytes"]


def test_every_metric_has_help_and_type(shared: Shared, tmp_path: Path) -> None:
    worker(shared, 2).end("GetObject", 200, 0.1, 1, 1, "")
    text = render(shared, str(tmp_path), {}).decode()
    helped = {line.split()[2] for line in text.splitlines() if line.startswith("# HELP")}
    typed = {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")}
    assert helped == typed
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name = line.partition("{")[0].partition(" ")[0]
            stem = name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
            assert name in helped or stem in helped


@pytest.mark.parametrize(
    ("operation", "label"),
    [
        ("GetObject", "read"),
        ("HeadObject", "head"),
        ("HeadBucket", "head"),
        ("PutObject", "write"),
        ("CopyObject", "write"),
        ("UploadPart", "write"),
        ("CompleteMultipartUpload", "write"),
        ("CreateMultipartUpload", "write"),
        ("DeleteObjects", "delete"),
        ("AbortMultipartUpload", "delete"),
        ("ListObjectsV2", "list"),
        ("ListParts", "list"),
        ("GetBucketPolicy", "other"),
        ("CreateBucket", "other"),
        ("Other", "other"),
    ],
)
def test_operations_fall_into_classes(operation: str, label: str) -> None:
    assert operation in OPERATIONS
    assert operation_class(operation) == label


def test_counting_a_request_costs_little(shared: Shared) -> None:
    """CPU time of this thread, the best of several runs: what others do here does not count."""
    metrics = worker(shared, 2)
    best = float("inf")
    for _ in range(10):
        start = time.thread_time_ns()
        for _ in range(2000):
            metrics.end("GetObject", 200, 0.0012, 0, 4096, "")
        best = min(best, (time.thread_time_ns() - start) / 2000 / 1000)
    assert best < HOT_PATH_US_MAX

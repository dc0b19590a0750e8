"""The runner of s3-tests on a checkout of our own making, whose tests end in every way."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from bench.errors import MeasurementFailed
from bench.s3_tests import Run, batches_of, expected_failures, markdown, surprises

TESTS = """
import os, time
import pytest

@pytest.fixture(autouse=True)
def clean(request):
    assert not os.environ.get("DIRTY"), "an earlier test left something behind"
    yield
    if "leaves_behind" in request.node.name:
        os.environ["DIRTY"] = "yes"
        raise OSError("cannot delete the bucket")

def test_passes(): pass
def test_fails(): assert 1 == 2, "as told\\nand more"
def test_leaves_behind(): pass
def test_after_that(): assert os.environ["S3TEST_CONF"].endswith("conf")
def test_hangs():
    while True:
        try: time.sleep(60)
        except Exception: pass
def test_kills_its_process(): os._exit(3)
@pytest.mark.skip(reason="not here")
def test_skipped(): pass
@pytest.mark.fails_on_aws
def test_wrong_on_aws(): pass
@pytest.mark.object_lock
def test_object_lock_first(): print(os.getpid())
def test_object_lock_second(): pass
def test_list_buckets(): pass
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    folder = tmp_path / "s3tests" / "functional"
    folder.mkdir(parents=True)
    (folder / "test_s3.py").write_text(TESTS)
    (folder / "test_headers.py").write_text("def test_header(): pass\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  fails_on_aws\n  object_lock\n")
    return Run(tmp_path, Path(sys.executable), tmp_path / "conf", timeout_s=0.5)


def test_every_test_gets_the_outcome_it_deserves(run):
    tests = run.collect("")
    alone, side_by_side = batches_of(tests)
    run.work(alone)
    run.work(side_by_side)
    outcomes = {
        name.split("::")[1]: (result["outcome"], result["reason"])
        for name, result in run.results.items()
    }
    assert outcomes == {
        "test_passes": ("passed", ""),
        "test_fails": ("failed", "AssertionError: as told"),
        "test_leaves_behind": ("passed", ""),
        "test_after_that": ("passed", ""),
        "test_hangs": ("failed", "OutOfTime"),
        "test_kills_its_process": ("error", "process lost or killed"),
        "test_skipped": ("skipped", "Skipped: not here"),
        "test_object_lock_first": ("passed", ""),
        "test_object_lock_second": ("passed", ""),
        "test_list_buckets": ("passed", ""),
        "test_header": ("passed", ""),
    }
    assert "cannot delete" in run.results[f"{S3}::test_leaves_behind"]["cleanup"]


S3 = "s3tests/functional/test_s3.py"


def test_tests_are_kept_apart_that_would_disturb_each_other():
    names = [f"{S3}::test_{n}" for n in range(100)]
    locked = [f"{S3}::test_object_lock_{n}" for n in range(3)]
    alone, side_by_side = batches_of(
        {name: [] for name in [*names, f"{S3}::test_buckets_list_ctime", *locked]}
    )
    assert list(alone) == [[f"{S3}::test_buckets_list_ctime"]]
    assert [test for batch in side_by_side for test in batch] == [*names, *locked]
    assert all(len(batch) == 1 for batch in side_by_side if "object_lock" in batch[0])


def test_a_failure_needs_a_written_reason_and_a_reason_needs_a_failure(tmp_path):
    known = tmp_path / "known.txt"
    known.write_text("# Not built yet\ntest_a\ntest_b\n\n# Wrong test\ntest_c\n")
    reasons = expected_failures(known)
    assert reasons == {"test_a": "Not built yet", "test_b": "Not built yet", "test_c": "Wrong test"}
    outcomes = {"test_a": "failed", "test_b": "passed", "test_d": "error", "test_e": "passed"}
    tests = {name: {"outcome": end, "reason": "boom"} for name, end in outcomes.items()}
    assert surprises({"tests": tests}, reasons) == [
        "test_b passes now: take it from the list (Not built yet)",
        "test_d did not pass and no reason is written down: boom",
    ]
    known.write_text("test_a\n# Too late\n")
    with pytest.raises(MeasurementFailed, match="test_a stands under no reason"):
        expected_failures(known)


def test_the_scoreboard_names_what_another_server_passes():
    def score(label: str, outcome: str) -> dict:
        test = {"outcome": outcome, "reason": "a | b", "markers": ["tagging"]}
        counts = {outcome: 1}
        return {"label": label, "date": "today", "counts": counts, "tests": {"test_x": test}}

    text = markdown(score("ours", "failed"), score("theirs", "passed"))
    assert "today: 1 failed of 1." in text
    assert "| tagging | 0 | 1 |" in text
    assert "## Passed by theirs, not here\n\n- `test_x` a | b" in text
    assert "| test_x | failed | a ¦ b |" in text
    assert "Passed by" not in markdown(score("ours", "failed"), None)

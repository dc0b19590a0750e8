"""Run some of ceph/s3-tests under pytest and report each test as it ends.

Started by `bench.s3_tests` with the interpreter of the user's own s3-tests environment, so it may
import nothing of this project. Reports are JSON lines on the file descriptor given. After a test
that could not clean up, or that ran out of time, it stops: what such a test leaves behind would
spoil the following ones, which the parent then starts in a new process.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

# The folder of this file would shadow modules that the tests import.
if __name__ == "__main__":
    sys.path.pop(0)

import pytest

ALARM_AGAIN_S = 5.0
REASON_CHARACTERS_MAX = 300


class OutOfTime(BaseException):
    """The test took too long. Not an Exception, so that no test swallows it."""


class Recorder:
    """A pytest plugin: time limit per phase, one JSON line per event."""

    def __init__(self, descriptor: int, timeout_s: float) -> None:
        self._out = os.fdopen(descriptor, "w", encoding="utf-8")
        self._timeout_s = timeout_s
        self._now: dict[str, Any] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if session.config.option.collectonly:
            for item in session.items:
                markers = sorted({marker.name for marker in item.iter_markers()})
                self._say({"test": item.nodeid, "markers": markers})

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._now = {"test": nodeid, "outcome": "passed", "reason": "", "seconds": 0.0}
        self._say({"begun": nodeid})

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Any:
        return (yield from self._limited())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Any:
        return (yield from self._limited())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Any:
        return (yield from self._limited())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        now = self._now
        now["seconds"] += report.duration
        if report.skipped:
            now["outcome"], now["reason"] = "skipped", _reason(report)
        elif report.failed and report.when == "teardown":
            now["cleanup"] = _reason(report)
        elif report.failed:
            now["outcome"] = "failed" if report.when == "call" else "error"
            now["reason"] = _reason(report)

    @pytest.hookimpl(trylast=True)
    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        self._now["seconds"] = round(self._now["seconds"], 2)
        self._say(self._now)

    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> None:
        if self._now.get("cleanup") or "OutOfTime" in self._now.get("reason", ""):
            item.session.shouldstop = "the previous test left something behind"
            raise pytest.exit.Exception("unclean", returncode=0)

    def _limited(self) -> Any:
        signal.signal(signal.SIGALRM, _out_of_time)
        signal.setitimer(signal.ITIMER_REAL, self._timeout_s, ALARM_AGAIN_S)
        try:
            return (yield)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _say(self, event: dict[str, Any]) -> None:
        self._out.write(json.dumps(event) + "\n")
        self._out.flush()


def _out_of_time(number: int, frame: object) -> None:
    raise OutOfTime


def _reason(report: pytest.TestReport) -> str:
    """Return the first line of what went wrong."""
    representation = report.longrepr
    if isinstance(representation, tuple):
        return str(representation[2])[:REASON_CHARACTERS_MAX]
    crash = getattr(representation, "reprcrash", None)
    text = crash.message if crash else str(representation)
    return text.strip().split("\n")[0][:REASON_CHARACTERS_MAX]


def main(descriptor: str, timeout_s: str, *arguments: str) -> int:
    """Run pytest with the remaining arguments; test ids come on standard input, if any."""
    names = sys.stdin.read().split("\n")
    tests = [name for name in names if name]
    quiet = ["-q", "-p", "no:cacheprovider", "--no-header", "--tb=short"]
    recorder = Recorder(int(descriptor), float(timeout_s))
    return int(pytest.main([*quiet, *arguments, *tests], plugins=[recorder]))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

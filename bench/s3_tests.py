"""Run ceph/s3-tests against an endpoint and write a scoreboard.

The tests are not ours and not in our tree: clone https://github.com/ceph/s3-tests, make a virtual
environment with its requirements.txt, and name both here. Chosen are test_s3.py and test_headers.py
without those marked fails_on_aws. Each object-lock test runs in a process of its own, because
what it leaves behind cannot be deleted; tests that look at all buckets run before the others.

Example:
  python -m bench.s3_tests CHECKOUT --python ENVIRONMENT/bin/python
    --endpoint http://127.0.0.1:9000 --access-key K --secret-key S --json score.json
"""

from __future__ import annotations

import argparse
import configparser
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.buckets import Session
from bench.errors import MeasurementFailed

CHILD = Path(__file__).with_name("s3_tests_child.py")
FILES = ("s3tests/functional/test_s3.py", "s3tests/functional/test_headers.py")
BATCH = 40
"""Tests per process: starting one takes seconds, and a lost one takes its batch with it."""
GRACE_S = 30.0
"""What a process may be silent beyond a test's three time limits before it is killed."""
PRINTED_CHARACTERS_MAX = 2000
_ALONE = re.compile(r"list_buckets|buckets_list|buckets_create_then_list")
_LOCKED = re.compile(r"object_lock")
Score = dict[str, Any]


@dataclass(slots=True)
class Run:
    """Where the tests are, how they are run, and what came out so far."""

    checkout: Path
    python: Path
    config: Path
    timeout_s: float
    markers: str = "not fails_on_aws"
    results: dict[str, Score] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def collect(self, expression: str) -> dict[str, list[str]]:
        """Return the ids of the chosen tests and their markers."""
        chosen = ["--collect-only", "-m", self.markers, *FILES]
        if expression:
            chosen += ["-k", expression]
        events, said = self._child([], chosen)
        if not events:
            raise MeasurementFailed(f"no tests found in {self.checkout}: {said}")
        return {event["test"]: event["markers"] for event in events}

    def work(self, batches: deque[list[str]]) -> None:
        """Run batch after batch until none is left; what a batch did not reach comes back."""
        while True:
            with self.lock:
                if not batches:
                    return
                batch = batches.popleft()
            rest = self._run(batch)
            if rest:
                with self.lock:
                    batches.appendleft(rest)

    def _run(self, tests: list[str]) -> list[str]:
        """Run tests in one process; return those that were not begun."""
        begun = ""
        done: set[str] = set()
        events, _ = self._child(tests, [])
        for event in events:
            if "begun" in event:
                begun = event["begun"]
                continue
            done.add(event["test"])
            self._record(event)
        if begun not in done:
            # Nothing begun means that the process failed to start: blame the first test.
            lost = begun or tests[0]
            done.add(lost)
            self._record({"test": lost, "outcome": "error", "reason": "process lost or killed"})
        return [test for test in tests if test not in done]

    def _record(self, event: Score) -> None:
        name = event.pop("test")
        with self.lock:
            self.results[name] = event
            print(f"{len(self.results):4} {event['outcome']:7} {name.split('::')[1]}", flush=True)

    def _child(self, tests: list[str], arguments: list[str]) -> tuple[list[Score], str]:
        """Run one process to its end; return what it reported, and the end of what it printed."""
        reader, writer = os.pipe()
        command = [str(self.python), str(CHILD), str(writer), str(self.timeout_s), *arguments]
        with tempfile.TemporaryFile("w+") as said, os.fdopen(reader) as events:
            child = subprocess.Popen(
                command, cwd=self.checkout, env=self._environment(), pass_fds=[writer],
                stdin=subprocess.PIPE, stdout=said, stderr=said, text=True,
            )  # fmt: skip
            os.close(writer)
            assert child.stdin is not None
            child.stdin.write("\n".join(tests))
            child.stdin.close()
            reported = list(_watched(child, events, 3 * self.timeout_s + GRACE_S))
            child.wait()
            said.seek(0)
            return reported, said.read()[-PRINTED_CHARACTERS_MAX:]

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.config.parent),
            "S3TEST_CONF": str(self.config),
            "AWS_EC2_METADATA_DISABLED": "true",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }


def _watched(child: subprocess.Popen[str], events: Any, silence_s: float) -> Any:
    """Yield the reports of a process; kill it when it says nothing for too long."""
    last = time.monotonic()
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(1.0):
            if time.monotonic() - last > silence_s:
                child.kill()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        for line in events:
            last = time.monotonic()
            yield json.loads(line)
    finally:
        ended.set()
        watcher.join()


def batches_of(tests: dict[str, list[str]]) -> tuple[deque[list[str]], deque[list[str]]]:
    """Return the batches that must run one by one, and those that may run side by side."""
    alone = [test for test in tests if _ALONE.search(test)]
    locked = [test for test in tests if _LOCKED.search(test) and test not in alone]
    apart = {*alone, *locked}
    others = [test for test in tests if test not in apart]
    side_by_side = deque(others[at : at + BATCH] for at in range(0, len(others), BATCH))
    side_by_side.extend([test] for test in locked)
    return deque([alone] if alone else []), side_by_side


def write_config(path: Path, chosen: argparse.Namespace) -> None:
    """Write the file that s3-tests reads; every section it insists on is filled."""
    config = configparser.RawConfigParser()
    address = urlsplit(chosen.endpoint)
    config["DEFAULT"] = {
        "host": address.hostname or "",
        "port": str(address.port or 80),
        "is_secure": "False",
        "ssl_verify": "False",
    }
    config["fixtures"] = {"bucket prefix": "s3tests-{random}-"}
    main = (chosen.access_key, chosen.secret_key)
    people = {"s3 main": main, "s3 alt": chosen.alt, "s3 tenant": chosen.tenant}
    for section in ("iam", "iam root", "iam alt root"):
        people[section] = None
    for section, keys in people.items():
        config[section] = _person(chosen.endpoint, keys or main, section)
    config["s3 tenant"]["tenant"] = "testx"
    if chosen.lifecycle_day:
        config["s3 main"]["lc_debug_interval"] = str(chosen.lifecycle_day)
    if chosen.location:
        config["s3 main"]["api_name"] = chosen.location
    with path.open("w", encoding="utf-8") as file:
        config.write(file)


def _person(endpoint: str, keys: tuple[str, str], section: str) -> dict[str, str]:
    address = urlsplit(endpoint)
    session = Session((address.hostname or "", address.port or 80), keys, "us-east-1")
    user_id, display_name = session.owner()
    session.close()
    return {
        "access_key": keys[0],
        "secret_key": keys[1],
        "user_id": user_id,
        "display_name": display_name,
        "email": f"{section.replace(' ', '.')}@example.com",
    }


def markdown(score: Score, against: Score | None) -> str:
    """Return the scoreboard: totals, totals per marker, and every test that did not pass."""
    tests: dict[str, Score] = score["tests"]
    counts = ", ".join(f"{count} {outcome}" for outcome, count in score["counts"].items())
    lines = [f"# s3-tests: {score['label']}", "", f"{score['date']}: {counts} of {len(tests)}.", ""]
    lines += ["| marker | passed | of |", "|---|---|---|"]
    total, passed = Counter[str](), Counter[str]()
    for test in tests.values():
        total.update(test["markers"] or ["(none)"])
        if test["outcome"] == "passed":
            passed.update(test["markers"] or ["(none)"])
    lines += [f"| {name} | {passed[name]} | {total[name]} |" for name in sorted(total)]
    if against:
        lines += ["", f"## Passed by {against['label']}, not here", ""]
        theirs = {name for name, test in against["tests"].items() if test["outcome"] == "passed"}
        lines += [
            f"- `{name}` {tests[name]['reason']}"
            for name in tests
            if name in theirs and tests[name]["outcome"] != "passed"
        ]
    lines += ["", "## Not passed", "", "| test | outcome | reason |", "|---|---|---|"]
    lines += [
        f"| {name} | {test['outcome']} | {test['reason'].replace('|', '¦')} |"
        for name, test in tests.items()
        if test["outcome"] != "passed"
    ]
    return "\n".join(lines) + "\n"


def expected_failures(path: Path) -> dict[str, str]:
    """Read a list of tests that are known not to pass: `# reason`, then a test per line."""
    reasons: dict[str, str] = {}
    reason = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            reason = line.lstrip("# ")
        elif line.strip():
            if not reason:
                raise MeasurementFailed(f"{path}: {line.strip()} stands under no reason")
            reasons[line.strip()] = reason
    return reasons


def surprises(score: Score, expected: dict[str, str]) -> list[str]:
    """Say which tests failed without a written reason, and which reasons are out of date."""
    said = []
    for name, test in score["tests"].items():
        passed = test["outcome"] == "passed"
        if not passed and name not in expected:
            said.append(f"{name} did not pass and no reason is written down: {test['reason']}")
        if passed and name in expected:
            said.append(f"{name} passes now: take it from the list ({expected[name]})")
    return said


def _score(chosen: argparse.Namespace) -> Score:
    with tempfile.TemporaryDirectory(prefix="s3-tests-") as folder:
        config = Path(folder) / "s3tests.conf"
        write_config(config, chosen)
        run = Run(chosen.checkout.resolve(), chosen.python.absolute(), config, chosen.timeout)
        if chosen.lifecycle_day:
            run.markers += " or lifecycle_expiration"
        tests = run.collect(chosen.only)
        alone, side_by_side = batches_of(tests)
        run.work(alone)
        workers = [
            threading.Thread(target=run.work, args=(side_by_side,)) for _ in range(chosen.processes)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    named = {
        name.split("::")[1]: {"markers": tests[name], **run.results[name]}
        for name in tests
        if name in run.results
    }
    return {
        "label": chosen.label,
        "endpoint": chosen.endpoint,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "checkout": _revision(chosen.checkout),
        "counts": dict(Counter(test["outcome"] for test in named.values())),
        "tests": named,
    }


def _revision(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def main(arguments: list[str]) -> int:
    """Run the tests, write the scoreboard and print the totals."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.s3_tests",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("checkout", type=Path, help="folder of a clone of ceph/s3-tests")
    parser.add_argument("--python", type=Path, required=True, help="interpreter that has its needs")
    parser.add_argument("--endpoint", required=True, help="http://HOST:PORT")
    parser.add_argument("--access-key", required=True)
    parser.add_argument("--secret-key", required=True)
    parser.add_argument("--alt", nargs=2, metavar=("KEY", "SECRET"), help="a second user")
    parser.add_argument("--tenant", nargs=2, metavar=("KEY", "SECRET"), help="a third user")
    parser.add_argument("--location", help="LocationConstraint to try; without it that is skipped")
    parser.add_argument(
        "--lifecycle-day",
        type=int,
        metavar="SECONDS",
        help="what the server takes for a day: tests that wait for lifecycle rules are run too",
    )
    parser.add_argument("--only", default="", help="pytest -k expression")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds per phase of a test")
    parser.add_argument("--label", default="neve")
    parser.add_argument("--against", type=Path, help="a scoreboard to name the differences to")
    parser.add_argument("--expected", type=Path, help="known failures; any other is an error")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    chosen = parser.parse_args(arguments)
    score = _score(chosen)
    against = json.loads(chosen.against.read_text()) if chosen.against else None
    if chosen.json:
        chosen.json.write_text(json.dumps(score, indent=1) + "\n")
    if chosen.markdown:
        chosen.markdown.write_text(markdown(score, against))
    said = surprises(score, expected_failures(chosen.expected)) if chosen.expected else []
    print(*said, f"{score['counts']} of {len(score['tests'])}", sep="\n")
    return 1 if said else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (MeasurementFailed, OSError) as error:
        sys.exit(f"s3-tests: {error}")

"""The measurement of decisions runs, and every case that it measures is allowed."""

import re

import pytest

from bench import policies


def test_it_measures_every_case(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "ROUNDS", 1)
    monkeypatch.setattr(policies, "TIMES", 10)
    policies.main()
    rows = re.findall(r"^(.+?) +\d+\.\d+ µs", capsys.readouterr().out, re.MULTILINE)
    assert rows == [
        "root",
        "a user, 1 statement",
        "a user, 20 statements",
        "a user, 20 statements, and 20 of the bucket",
    ]

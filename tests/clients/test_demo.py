"""`make demo`: the whole tour, as a newcomer runs it."""

import os
import subprocess
import sys

import pytest

from .conftest import ROOT


@pytest.mark.slow
def test_tour_ends_well() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "demo.py", "--exit"],
        capture_output=True,
        text=True,
        timeout=110,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("the same as in the NetCDF file") == 3
    assert "Warning" not in done.stderr

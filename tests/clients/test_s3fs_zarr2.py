"""zarr 2.18 with the xarray and s3fs of its time, in an environment of their own."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from neve.testing.server import LiveServer

from .conftest import ROOT

PYTHON = ROOT / ".venv-zarr2" / "bin" / "python"
SCRIPT = Path(__file__).with_name("zarr2_recipe.py")

pytestmark = pytest.mark.skipif(not PYTHON.exists(), reason="make environments makes .venv-zarr2")


@pytest.mark.parametrize(
    "file", ["A1B_north_america.nc", "ostia_monthly.nc", "atlantic_profiles.nc"]
)
def test_recipe(
    live_server: LiveServer,
    bucket: str,
    publish: Callable[[str], None],
    netcdf: Callable[[str], str],
    environment: dict[str, str],
    file: str,
) -> None:
    place = (live_server.endpoint, f"{bucket}/test.zarr", netcdf(file))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        del environment[name]

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [PYTHON, SCRIPT, *arguments],
            capture_output=True,
            text=True,
            timeout=110,
            env=environment,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    # Twice: the second run replaces the first.
    for _ in range(2):
        run("write", *place, live_server.access_key, live_server.secret_key)
    publish(bucket)
    assert run("read", *place) == "identical\n"

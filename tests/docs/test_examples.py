"""The Python of README, tutorial and how-to does on a live server what the pages say."""

import contextlib
import io
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest

from neve.testing.server import LiveServer

from .pages import ROOT, blocks

EXAMPLES = (
    "README.md",
    "docs/tutorial.md",
    "docs/how-to/anonymous-access.md",
    "docs/how-to/lifecycle.md",
    "docs/how-to/web-viewers.md",
    "docs/how-to/quotas.md",
    "docs/how-to/users.md",
)


def run(page: Path, server: LiveServer) -> tuple[dict[str, Any], str]:
    """Run the page's Python from top to bottom; its names and what it printed."""
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = io.StringIO()
    for block in blocks(page):
        if block.language != "python":
            continue
        text = "\n" * (block.line - 1) + block.text
        for shown, real in (
            ("http://localhost:9000", server.endpoint),
            ("ACCESS_KEY", server.access_key),
            ("SECRET_KEY", server.secret_key),
        ):
            text = text.replace(shown, real)
        with contextlib.redirect_stdout(printed):
            exec(compile(text, str(page), "exec"), names)
    return names, printed.getvalue()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the NetCDF file that README speaks of."""
    iris_sample_data = pytest.importorskip("iris_sample_data")
    shutil.copy(Path(iris_sample_data.path, "A1B_north_america.nc"), tmp_path / "data.nc")
    monkeypatch.chdir(tmp_path)
    # s3fs keeps file systems and their listings for the next who asks with the same arguments.
    import s3fs

    monkeypatch.setattr(s3fs.S3FileSystem, "cachable", False)
    return tmp_path


@pytest.fixture(params=EXAMPLES)
def ran(
    request: pytest.FixtureRequest, here: Path, fresh_server: LiveServer
) -> tuple[str, dict[str, Any], str]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        warnings.filterwarnings("ignore", message=".*cftime.*")
        names, printed = run(ROOT / request.param, fresh_server)
    return request.param, names, printed


def test_the_examples_of_a_page_run(
    ran: tuple[str, dict[str, Any], str], fresh_server: LiveServer
) -> None:
    page, names, printed = ran
    if page == "README.md":
        import xarray as xr

        there = names["xr"].open_zarr(
            store=names["s3fs"].S3Map(root="portail-ing/test.zarr", s3=names["s3r"], check=False)
        )
        assert names["s3r"].anon
        xr.testing.assert_equal(xr.open_dataset("data.nc").load(), there.load())
    for block in blocks(ROOT / page):
        if block.language == "output":
            for line in block.text.splitlines():
                assert line.strip() in printed, (page, line)

"""The lines that pages offer for programs, run as a user would run them."""

import html
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.panel.conftest import Shown, Visitor

from neve.panel.pages.objects.snippets import SECRET, Place, snippets_of
from neve.testing.server import LiveServer

BIN = Path(sys.executable).parent
ODD = 'd/it\'s "so" $(touch x) `touch y`;#&.txt'


@pytest.fixture(scope="module")
def s3(server: LiveServer) -> Any:
    return server.client()


def snippets(shown: Shown) -> dict[str, str]:
    """The offered lines by their label."""
    assert shown.status == 200, shown.words
    found = re.findall(r"<h3>([^<]*)</h3><pre[^>]*><code>(.*?)</code>", shown.text, re.DOTALL)
    return {html.unescape(label): html.unescape(text) for label, text in found}


def run(server: LiveServer, programs: list[str]) -> str:
    """What Python programs print, each in the same process."""
    source = json.dumps([text.replace(SECRET, server.secret_key) for text in programs])
    code = "import json, sys\nfor text in json.load(sys.stdin): exec(text, {})"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], input=source, capture_output=True, text=True,
        timeout=170,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def shell(server: LiveServer, text: str, folder: Path) -> None:
    """Run lines of a shell in a folder, with `neve` and a home of its own."""
    environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(folder / "home")}
    (folder / "home").mkdir(exist_ok=True)
    (folder / "in").mkdir()
    done = subprocess.run(
        ["bash", "-e", "-c", text.replace(SECRET, server.secret_key)], cwd=folder / "in",
        env=environment, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr + done.stdout


def grant(s3: Any, bucket: str) -> None:
    statement = {
        "Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)


@pytest.mark.slow
def test_stores_open_as_the_pages_say(
    administrator: Visitor, visitor: Visitor, server: LiveServer, s3: Any
) -> None:
    icechunk, numpy = pytest.importorskip("icechunk"), pytest.importorskip("numpy")
    xarray = pytest.importorskip("xarray")
    for bucket in ("data", "open-data"):
        s3.create_bucket(Bucket=bucket)
    grant(s3, "open-data")
    field = xarray.Dataset({"t2m": (("lat", "lon"), numpy.arange(12.0).reshape(3, 4))})
    keys = {"key": server.access_key, "secret": server.secret_key, "endpoint_url": server.endpoint}
    for bucket in ("data", "open-data"):
        field.to_zarr(f"s3://{bucket}/runs/a.zarr", storage_options=keys)
    storage = icechunk.s3_storage(
        bucket="data", prefix="ice", endpoint_url=server.endpoint, region="us-east-1",
        access_key_id=server.access_key, secret_access_key=server.secret_key, allow_http=True,
        force_path_style=True,
    )  # fmt: skip
    session = icechunk.Repository.create(storage).writable_session("main")
    field.to_zarr(session.store, consolidated=False)
    session.commit("first")
    offered = snippets(administrator.get("/browse/data/code", prefix="runs/a.zarr/"))
    public = snippets(visitor.get("/browse/open-data/code", prefix="runs/a.zarr/"))
    ice = snippets(administrator.get("/browse/data/code", prefix="ice/"))
    names = ["xarray", "zarr", "zarr + obstore"]
    assert [*offered][:3] == [*public][:3] == names and next(iter(ice)) == "Icechunk + xarray"
    assert "anon" in public["xarray"] and SECRET not in "".join(public.values())
    printed = run(
        server,
        [offered[name] for name in names]
        + [public[name] for name in names]
        + [ice["Icechunk + xarray"]],
    )
    assert printed.count("t2m") >= 3 and printed.count("Group") >= 4


@pytest.mark.slow
def test_objects_and_folders_are_read_as_the_pages_say(
    administrator: Visitor, visitor: Visitor, server: LiveServer, s3: Any, tmp_path: Path
) -> None:
    xarray = pytest.importorskip("xarray")
    for bucket in ("files", "open-files"):
        s3.create_bucket(Bucket=bucket)
    grant(s3, "open-files")
    xarray.Dataset({"neige": ("x", [1.0, 2.0])}).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    s3.upload_file(str(tmp_path / "x.nc"), "files", "d/x.nc")
    for bucket in ("files", "open-files"):
        s3.put_object(Bucket=bucket, Key=ODD, Body=b"seven b")
    netcdf = snippets(administrator.get("/object/files/code", key="d/x.nc"))
    odd = snippets(administrator.get("/object/files/code", key=ODD))
    public = snippets(visitor.get("/object/open-files/code", key=ODD))
    folder = snippets(administrator.get("/browse/files/code", prefix="d/"))
    assert next(iter(netcdf)) == "xarray"
    printed = run(
        server,
        [netcdf["xarray"], odd["s3fs"], odd["obstore"], public["s3fs"], public["obstore"],
         folder["s3fs"], folder["obstore"]],
    )  # fmt: skip
    assert "neige" in printed and printed.count("7 bytes") == 4
    assert printed.count("d/x.nc") == 2
    for label, text in {"neve": odd["neve"], "open": public["neve"]}.items():
        place = tmp_path / label
        place.mkdir()
        shell(server, text, place)
        assert [file.read_bytes() for file in (place / "in").iterdir()] == [b"seven b"]
    assert shutil.which("curl"), "the tests need curl"
    for label, text in {"curl": odd["curl"], "curl-open": public["curl"]}.items():
        place = tmp_path / label
        place.mkdir()
        shell(server, text, place)
        assert [file.read_bytes() for file in (place / "in").iterdir()] == [b"seven b"]
    place = tmp_path / "folder"
    place.mkdir()
    shell(server, folder["neve"], place)
    assert "x.nc" in [file.name for file in (place / "in").rglob("*") if file.is_file()]


def test_names_cannot_become_code() -> None:
    for key in (ODD, 'a"""\nimport os\n"""', "x\\", "a\nb", "\u202ex", "--flag", "{x}%s"):
        for kind in ("", "Zarr", "Icechunk"):
            for access in ("", 'evil" key'):
                for place in (
                    Place("http://h:9000", "r", "b", key, access, kind),
                    Place("http://h:9000", "r", "b", f"{key}/", access, kind),
                ):
                    for label, text in snippets_of(place):
                        if text.startswith("import"):
                            compile(text, label, "exec")
                        else:
                            done = subprocess.run(["bash", "-n", "-c", text], capture_output=True)
                            assert done.returncode == 0, (label, text)

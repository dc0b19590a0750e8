"""Headers of NetCDF and HDF5 files, against files that the netCDF library wrote."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neve.panel.reading import hdf5, netcdf3
from neve.panel.reading.headers import Group, Unreadable, dump

netCDF4 = pytest.importorskip("netCDF4")
numpy = pytest.importorskip("numpy")

CLASSIC = ["NETCDF3_CLASSIC", "NETCDF3_64BIT_OFFSET", "NETCDF3_64BIT_DATA"]
LINES = """\
    time = UNLIMITED ; // (5 currently)
    lat = 3 ;
    nv = 2 ;
    float t(time, lat) ;
        t:_FillValue = -999.f ;
        t:units = "K" ;
    double time(time) ;
    short b(lat, nv) ;
        b:scale_factor = 0.1 ;
        b:valid_range = 1s, 2s ;
        :title = "a \\"quoted\\" <b>é</b>" ;
        :version = 3 ;"""


def written(path: Path, format: str) -> bytes:
    with netCDF4.Dataset(path, "w", format=format) as data:
        data.createDimension("time", None)
        data.createDimension("lat", 3)
        data.createDimension("nv", 2)
        t = data.createVariable("t", "f4", ("time", "lat"), fill_value=numpy.float32(-999))
        t.units = "K"
        t[:5] = 1.5
        data.createVariable("time", "f8", ("time",))[:] = numpy.arange(5)
        b = data.createVariable("b", "i2", ("lat", "nv"))
        b.scale_factor = 0.1
        b.valid_range = numpy.array([1, 2], dtype="i2")
        data.title = 'a "quoted" <b>é</b>'
        data.version = numpy.int32(3)
        data.long = numpy.arange(100, dtype="i4")
        if format == "NETCDF4":
            group = data.createGroup("sub")
            group.note = "inner"
            group.createVariable("names", str, ("lat",))
    return path.read_bytes()


def of_hdf5(data: bytes) -> Group:
    return hdf5.read("x.nc", len(data), lambda start, stop: data[start:stop])


@pytest.mark.parametrize("format", [*CLASSIC, "NETCDF4"])
def test_header_is_as_it_was_written(tmp_path: Path, format: str) -> None:
    data = written(tmp_path / "x.nc", format)
    root = netcdf3.read(data, "x") if format in CLASSIC else of_hdf5(data)
    lines = dump(root).split("\n")
    for line in LINES.split("\n"):
        assert line in lines, line
    assert any(line.endswith("38, 39, … ;") for line in lines)
    if format == "NETCDF4":
        assert "group: sub {" in lines
        assert "        string names(lat) ;" in lines
        assert not any("_NCProperties" in line or "DIMENSION" in line for line in lines)


@pytest.mark.parametrize("format", CLASSIC)
def test_every_cut_and_every_wrong_byte_is_refused_or_read(tmp_path: Path, format: str) -> None:
    data = written(tmp_path / "x.nc", format)
    header = data[:800]
    for stop in range(4, 800, 7):
        with pytest.raises(Unreadable):
            netcdf3.read(header[: min(stop, 400)], "x")
    for at in range(4, 800):
        for byte in (0, 0x7F, 0xFF):
            try:
                dump(netcdf3.read(data[:at] + bytes([byte]) + data[at + 1 :], "x"))
            except Unreadable:
                pass


def test_damaged_hdf5_is_refused(tmp_path: Path) -> None:
    data = written(tmp_path / "x.nc", "NETCDF4")
    for damaged in (data[:600], hdf5.MAGIC + b"\xff" * 5000, hdf5.MAGIC):
        with pytest.raises(Unreadable):
            of_hdf5(damaged)


def test_links_out_of_the_file_are_not_followed(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "secret.h5", "w") as secret:
        secret.attrs["password"] = "hunter2"
        secret["inner"] = [1, 2, 3]
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["out"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/")
        file["soft"] = h5py.SoftLink("/here")
        file["here"] = numpy.zeros((4, 5))
        file["loop/again"] = file["/"]
    text = dump(of_hdf5((tmp_path / "x.h5").read_bytes()))
    assert "double here(4, 5) ;" in text
    assert "hunter2" not in text and "inner" not in text


def test_reader_sees_no_setting_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEVE_ROOT_PASSWORD", "hunter2")
    environment = hdf5._environment()
    assert "hunter2" not in environment.values() and "NEVE_ROOT_PASSWORD" not in environment


def test_reader_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hdf5, "SECONDS", 0.3)
    begun: list[Any] = []
    original = subprocess.Popen

    def popen(command: list[str], **options: Any) -> Any:
        process = original([sys.executable, "-c", "import time; time.sleep(600)"], **options)
        begun.append(process.pid)
        return process

    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(Unreadable):
        of_hdf5(hdf5.MAGIC)
    with pytest.raises(ProcessLookupError):
        os.kill(begun[0], 0)


def test_reader_that_asks_for_too_much_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hdf5, "READ_MAX", 1000)
    with pytest.raises(Unreadable, match="too much"):
        of_hdf5(written(tmp_path / "x.nc", "NETCDF4"))

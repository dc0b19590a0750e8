"""A file system of a few megabytes, mounted for one test: what full means is the kernel's word."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

MIB = 1 << 20


@contextlib.contextmanager
def small_disk(folder: Path, kind: str, size: int) -> Iterator[Path]:
    """Mount an empty file system of `kind` (ext4 in an image, or tmpfs); skip where that is
    not permitted."""
    if os.geteuid():
        pytest.skip("mounting a file system takes root")
    place, image = folder / "disk", folder / "image"
    place.mkdir()
    if kind == "ext4":
        if not shutil.which("mkfs.ext4"):
            pytest.skip("mkfs.ext4 is not installed")
        with open(image, "wb") as stream:
            stream.truncate(size)
        # No blocks kept for root: the tests run as root and want the disk to be really full.
        _run("mkfs.ext4", "-q", "-m", "0", str(image))
        mount = ["mount", "-o", "loop", str(image), str(place)]
    else:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    made = subprocess.run(mount, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"mounting {kind} is not permitted here: {made.stderr.strip()}")
    try:
        yield place
    finally:
        _run("umount", str(place))


def free_bytes(place: Path) -> int:
    figures = os.statvfs(place)
    return figures.f_bavail * figures.f_frsize


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)

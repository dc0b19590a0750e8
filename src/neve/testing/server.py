"""Pytest fixtures around a real server; a conftest imports them from here.

`live_server` is shared by a whole test session (two workers): use buckets of your own.
`fresh_server` is this test's own, on an empty store.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from neve.testing.live import ACCESS_KEY, SECRET_KEY, LiveServer, wait_until

__all__ = ["ACCESS_KEY", "SECRET_KEY", "LiveServer", "fresh_server", "live_server", "wait_until"]


@pytest.fixture(scope="session")
def live_server() -> Iterator[LiveServer]:
    """A server that all tests of the session share: use buckets of your own."""
    with tempfile.TemporaryDirectory(prefix="neve-live-") as folder:
        with LiveServer(Path(folder, "data")) as server:
            yield server


@pytest.fixture
def fresh_server(tmp_path: Path) -> Iterator[LiveServer]:
    """A server of this test's own, on an empty store."""
    with LiveServer(tmp_path / "data") as server:
        yield server

"""A server with short timeouts for all of these tests, watched by each of them."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hostile.wild import Watch, ask

from neve.testing.live import LiveServer

TIMEOUT_S = 1.5


@pytest.fixture(scope="package")
def server() -> Iterator[LiveServer]:
    """A server that waits for slow clients only for moments; the bucket `wild` is in it."""
    limits = ("HEADER_TIMEOUT", "BODY_TIMEOUT", "WRITE_TIMEOUT", "LINGER_TIMEOUT")
    environment = {f"NEVE_{name}_S": str(TIMEOUT_S) for name in limits}
    with tempfile.TemporaryDirectory(prefix="neve-wild-") as folder:
        with LiveServer(Path(folder, "data"), environment=environment) as running:
            assert ask(running, "PUT", "/wild").status == 200
            yield running


@pytest.fixture
def watch(server: LiveServer) -> Iterator[Watch]:
    """Looks after the test whether the server took harm."""
    watching = Watch(server)
    yield watching
    watching.check()

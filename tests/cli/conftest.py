"""The command line against the session's server, whose alias is `live`; buckets of one test."""

import secrets
from pathlib import Path
from typing import Any

import pytest

from neve.testing.cli import CommandLine
from neve.testing.server import LiveServer


@pytest.fixture
def neve(tmp_path: Path, live_server: LiveServer) -> CommandLine:
    return CommandLine(tmp_path, live_server)


@pytest.fixture
def client(live_server: LiveServer) -> Any:
    return live_server.client()


@pytest.fixture
def bucket(client: Any) -> str:
    name = f"cli-{secrets.token_hex(6)}"
    client.create_bucket(Bucket=name)
    return name

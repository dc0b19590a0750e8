"""A bucket of a test's own."""

import re

import pytest

from neve.testing.server import LiveServer


@pytest.fixture
def bucket(server: LiveServer, request: pytest.FixtureRequest) -> str:
    """A bucket that is called as the test."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())[:60].strip("-")
    server.client().create_bucket(Bucket=name)
    return name

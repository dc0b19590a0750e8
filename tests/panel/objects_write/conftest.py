"""What the tests of writing objects share."""

import uuid

import pytest

from neve.testing.server import LiveServer


@pytest.fixture
def bucket(server: LiveServer) -> str:
    """A bucket of this test's own."""
    name = f"essai-{uuid.uuid4().hex[:12]}"
    server.client().create_bucket(Bucket=name)
    return name

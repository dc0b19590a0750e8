"""A bucket as it was: the newest version of each key that is not younger than the moment."""

import hashlib
import uuid
from datetime import datetime, timedelta

import pytest
from tests.panel.conftest import Visitor

from neve.client.alias import Alias
from neve.client.s3 import S3, Object, Prefix
from neve.client.transport import Transport
from neve.panel.pages.objects.as_of import moment, page
from neve.testing.server import LiveServer

START = moment("2026-01-01T00:00:00")


def replicate(s3: S3, bucket: str, key: str, at: datetime, body: bytes | None) -> None:
    """Write a version, or without a body a delete marker, as if it had been written then."""
    version = str(uuid.uuid4())
    headers = {
        "x-minio-source-mtime": at.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
        "x-minio-source-replication-request": "true",
        "x-amz-replication-status": "REPLICA",
    }
    if body is None:
        headers["x-minio-source-deletemarker"] = "true"
        s3.transport.request("DELETE", bucket, key, {"versionId": version}, headers)
    else:
        headers["x-minio-source-etag"] = hashlib.md5(body).hexdigest()
        s3.transport.request("PUT", bucket, key, {"versionId": version}, headers, body)


@pytest.fixture(scope="module")
def s3(server: LiveServer) -> S3:
    keys = (server.access_key, server.secret_key)
    return S3(Transport(Alias("x", server.endpoint, *keys, path="on")))


@pytest.fixture(scope="module")
def history(server: LiveServer, s3: S3) -> str:
    """Keys a to e: each written at its hour, overwritten the day after, e deleted in between."""
    client = server.client()
    client.create_bucket(Bucket="rewound")
    client.put_bucket_versioning(Bucket="rewound", VersioningConfiguration={"Status": "Enabled"})
    for hour, key in enumerate("abcde"):
        replicate(s3, "rewound", f"data/{key}", START + timedelta(hours=hour), b"first")
    replicate(s3, "rewound", "data/e", START + timedelta(hours=10), None)
    for hour, key in enumerate("abcde"):
        at = START + timedelta(days=1, hours=hour)
        replicate(s3, "rewound", f"data/{key}", at, b"second, longer")
    replicate(s3, "rewound", "data/sub/x", START + timedelta(days=2), b"x")
    return "rewound"


def names(rows: list[Object | Prefix]) -> list[tuple[str, int]]:
    return [(row.key[5:], row.size if isinstance(row, Object) else -1) for row in rows]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (timedelta(hours=-1), []),
        (timedelta(hours=0), [("a", 5)]),
        (timedelta(hours=2, minutes=30), [("a", 5), ("b", 5), ("c", 5)]),
        (timedelta(hours=4), [(key, 5) for key in "abcde"]),
        (timedelta(hours=10), [(key, 5) for key in "abcd"]),
        (timedelta(days=1, hours=1), [("a", 14), ("b", 14), ("c", 5), ("d", 5)]),
        (timedelta(days=2), [(key, 14) for key in "abcde"]),
    ],
)
def test_what_was_there(s3: S3, history: str, after: timedelta, expected: list[object]) -> None:
    found = page(s3, history, "data/", "", START + after, 100)
    assert names(found.rows) == [*expected, ("sub/", -1)]
    assert found.after == ""


def test_pages_join_without_gap_or_repetition(s3: S3, history: str) -> None:
    then = START + timedelta(days=1, hours=1)
    whole = page(s3, history, "data/", "", then, 100).rows
    for limit in (1, 2, 3):
        seen: list[Object | Prefix] = []
        after = ""
        while True:
            part = page(s3, history, "data/", after, then, limit)
            seen += part.rows
            assert len(part.rows) <= limit
            after = part.after
            if not after:
                break
        assert seen == whole


def test_page_shows_it_and_leads_to_the_versions_of_then(
    administrator: Visitor, history: str
) -> None:
    shown = administrator.get(f"/browse/{history}", prefix="data/", at="2026-01-01T02:30")
    assert "This is what was here at that time" in shown.words
    assert "key=data/a&amp;version=" in shown.text
    assert "data/d" not in shown.text
    assert 'name="key"' not in shown.text  # nothing of then can be worked on
    wrong = administrator.get(f"/browse/{history}", at="yesterday")
    assert wrong.status == 400
    assert "no date and time: yesterday" in wrong.words

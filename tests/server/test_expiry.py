"""Lifecycle rules on a live server whose days are short: what goes, what stays, what is told."""

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from neve.testing.live import LiveServer, wait_until

DAY_S = 1


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    short = {
        "NEVE_LIFECYCLE_DAY_S": str(DAY_S),
        "NEVE_LIFECYCLE_INTERVAL_S": "0.5",
        "NEVE_METRICS_PUBLIC": "on",
    }
    with LiveServer(tmp_path / "data", environment=short) as made:
        yield made


def put_rules(s3: Any, *rules: dict[str, Any]) -> None:
    base = {"Status": "Enabled", "Filter": {"Prefix": ""}}
    s3.put_bucket_lifecycle_configuration(
        Bucket="data", LifecycleConfiguration={"Rules": [base | rule for rule in rules]}
    )


def keys(s3: Any) -> list[str]:
    return [row["Key"] for row in s3.list_objects_v2(Bucket="data").get("Contents", [])]


def metric(server: LiveServer, name: str) -> int:
    with urllib.request.urlopen(f"{server.endpoint}/neve/metrics") as answer:
        match = re.search(rf"^neve_{name} (\d+)$", answer.read().decode(), re.MULTILINE)
    return int(match[1]) if match else 0


def test_objects_and_uploads_expire(server: LiveServer) -> None:
    s3 = server.client()
    s3.create_bucket(Bucket="data")
    for key in ("tmp/a", "tmp/b", "kept"):
        s3.put_object(Bucket="data", Key=key, Body=b"x")
    s3.put_object(Bucket="data", Key="tagged", Body=b"x", Tagging="end=soon")
    s3.create_multipart_upload(Bucket="data", Key="tmp/up")
    s3.create_multipart_upload(Bucket="data", Key="up")
    # Readers that know the rows must see them go.
    assert s3.get_object(Bucket="data", Key="tmp/a")["Body"].read() == b"x"
    put_rules(
        s3,
        {
            "Filter": {"Prefix": "tmp/"},
            "Expiration": {"Days": 1},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        },
        {"Filter": {"Tag": {"Key": "end", "Value": "soon"}}, "Expiration": {"Days": 1}},
    )
    wait_until(lambda: keys(s3) == ["kept"])
    with pytest.raises(ClientError, match="NoSuchKey"):
        s3.get_object(Bucket="data", Key="tmp/a")
    uploads = s3.list_multipart_uploads(Bucket="data")["Uploads"]
    assert [upload["Key"] for upload in uploads] == ["up"]
    wait_until(lambda: metric(server, "lifecycle_objects_total") == 3)
    wait_until(lambda: metric(server, "lifecycle_uploads_total") == 1)
    assert metric(server, "lifecycle_rules") == 2
    assert metric(server, "lifecycle_finished_seconds") > 0
    assert "lifecycle of bucket data: " in server.output()


def test_an_object_that_is_written_again_and_again_stays(server: LiveServer) -> None:
    s3 = server.client()
    s3.create_bucket(Bucket="data")
    put_rules(s3, {"Expiration": {"Days": 1}})
    s3.put_object(Bucket="data", Key="forgotten")

    def write() -> bool:
        s3.put_object(Bucket="data", Key="busy", Body=b"x")
        assert "busy" in keys(s3)
        return metric(server, "lifecycle_walks_total") >= 3 and "forgotten" not in keys(s3)

    wait_until(write)


def test_the_walk_goes_on_after_every_process_was_killed(server: LiveServer) -> None:
    s3 = server.client()
    s3.create_bucket(Bucket="data")
    for number in range(300):
        s3.put_object(Bucket="data", Key=f"old/{number:03}")
    put_rules(s3, {"Filter": {"Prefix": "old/"}, "Expiration": {"Days": 1}})
    wait_until(lambda: len(keys(s3)) < 300)
    s3.put_object(Bucket="data", Key="kept")
    server.kill()
    server.start()
    wait_until(lambda: keys(s3) == ["kept"])


def history(s3: Any) -> tuple[list[str], list[str]]:
    """Keys of the versions and of the delete markers."""
    page = s3.list_object_versions(Bucket="data")
    return tuple(
        [row["Key"] for row in page.get(name, [])] for name in ("Versions", "DeleteMarkers")
    )


def test_versions_and_delete_markers_expire(server: LiveServer) -> None:
    s3 = server.client()
    s3.create_bucket(Bucket="data")
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    for _ in range(4):
        s3.put_object(Bucket="data", Key="three", Body=b"x")
        s3.put_object(Bucket="data", Key="gone", Body=b"x")
    s3.delete_object(Bucket="data", Key="gone")
    put_rules(
        s3,
        {"NoncurrentVersionExpiration": {"NoncurrentDays": 1, "NewerNoncurrentVersions": 2}},
        {
            "Filter": {"Prefix": "gone"},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        },
    )
    wait_until(lambda: history(s3) == (["three"] * 3, []))
    wait_until(lambda: metric(server, "lifecycle_versions_total") == 5)
    wait_until(lambda: metric(server, "lifecycle_markers_total") == 1)
    put_rules(s3, {"Expiration": {"Days": 1}})
    wait_until(lambda: history(s3) == (["three"] * 3, ["three"]))
    assert keys(s3) == []

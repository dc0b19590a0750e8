"""Emptying and deleting buckets: the name is asked for, the work goes on in the background."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from neve.testing.server import LiveServer, wait_until


def ended(visitor: Any, shown: Any, place: str) -> str:
    """What the page of the progress says at the end."""
    found: list[str] = []

    def over() -> bool:
        page = visitor.get(place)
        found.append(page.words)
        return "refresh" not in page.headers

    wait_until(over)
    return found[-1]


def begin(visitor: Any, path: str, name: str) -> str:
    """Begin; where the progress is shown."""
    shown = visitor.post(path, name=name, follow=False)
    assert shown.status == 303, shown.words
    return str(shown.headers["location"])


def test_bucket_with_everything_in_it_is_deleted(administrator: Any, server: LiveServer) -> None:
    client = server.client()
    client.create_bucket(Bucket="going")
    client.put_bucket_versioning(Bucket="going", VersioningConfiguration={"Status": "Enabled"})
    for number in range(1100):
        client.put_object(Bucket="going", Key=f"{number % 600}", Body=b"1234")
    client.delete_object(Bucket="going", Key="1")
    client.create_multipart_upload(Bucket="going", Key="big")
    asked = administrator.get("/buckets/going/delete").words
    assert "599 objects 501 older versions 1 delete marker 1 upload in progress" in asked
    assert "in all 4.3 KiB" in asked
    shown = administrator.post("/buckets/going/delete", name="goin")
    assert (shown.status, "nothing was done" in shown.words) == (400, True)
    place = begin(administrator, "/buckets/going/delete", "going")
    words = ended(administrator, shown, place)
    assert "The bucket going was deleted." in words
    assert "1,101 objects, versions and markers were deleted." in words
    with pytest.raises(ClientError):
        client.head_bucket(Bucket="going")


def test_empty_bucket_is_deleted_at_once(administrator: Any, server: LiveServer) -> None:
    server.client().create_bucket(Bucket="empty-one")
    assert "The bucket holds nothing." in administrator.get("/buckets/empty-one/delete").words
    shown = administrator.post("/buckets/empty-one/delete", name="empty-one")
    assert "The bucket empty-one was deleted." in shown.words


def test_locked_versions_stay_and_so_does_the_bucket(
    administrator: Any, server: LiveServer
) -> None:
    client = server.client()
    client.create_bucket(Bucket="held", ObjectLockEnabledForBucket=True)
    client.put_object(Bucket="held", Key="free", Body=b"1")
    client.put_object(
        Bucket="held", Key="locked", Body=b"1", ObjectLockMode="COMPLIANCE",
        ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(minutes=5),
    )  # fmt: skip
    shown = administrator.get("/buckets/held/delete")
    assert "versions that are locked stay" in shown.words
    place = begin(administrator, "/buckets/held/delete", "held")
    words = ended(administrator, shown, place)
    assert "Some could not be deleted: 1: They are locked" in words
    assert "So the bucket stays." in words
    assert [row["Key"] for row in client.list_objects_v2(Bucket="held")["Contents"]] == ["locked"]


def test_progress_is_of_who_began_it_alone(
    administrator: Any, user: Callable[..., Any], server: LiveServer
) -> None:
    client = server.client()
    client.create_bucket(Bucket="emptied")
    client.put_object(Bucket="emptied", Key="a", Body=b"1")
    reader = user("removal-reader", "reader:emptied")
    shown = reader.get("/buckets/emptied/empty")
    place = begin(administrator, "/buckets/emptied/empty", "emptied")
    assert "The bucket emptied is empty." in ended(administrator, shown, place)
    assert reader.get(place).status == 404
    client.put_object(Bucket="emptied", Key="a", Body=b"1")
    words = ended(reader, shown, begin(reader, "/buckets/emptied/empty", "emptied"))
    assert "Your policies do not allow this." in words
    assert client.list_objects_v2(Bucket="emptied")["KeyCount"] == 1

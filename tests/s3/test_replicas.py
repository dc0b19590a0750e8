"""What the servers of MinIO send to a target of their replication: the shapes of their requests.

Recorded from `minio server` (2025) and its minio-go 7.0.95, replicating buckets into Neve.
"""

import json
from hashlib import md5
from typing import Any
from xml.etree import ElementTree

import pytest
from tests.s3.conftest import Answer, Store, allow

ONE, TWO, THREE = (f"{n}db2f934-3b02-4945-bc6c-d811514b8b2f" for n in "123")
T1, T2, T3 = (f"2026-03-0{n}T14:30:25.31812{n}456Z" for n in "123")
SHOWN = "2026-03-0%dT14:30:25.000Z"
LATER = "2035-01-01T00:00:00Z"


@pytest.fixture
def data(s3: Any) -> Any:
    """root's client; its bucket keeps versions."""
    keep(s3)
    return s3


def keep(s3: Any, state: str = "Enabled") -> None:
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": state})


def etag_of(body: bytes) -> str:
    return md5(body).hexdigest()


def replica(time: str = "", etag: str = "", **more: str) -> dict[str, str]:
    """The headers of a replicated write."""
    found = {"X-Amz-Replication-Status": "REPLICA", "X-Minio-Source-Replication-Request": "true"}
    found |= {"X-Minio-Source-Mtime": time} if time else {}
    found |= {"X-Minio-Source-Etag": etag} if etag else {}
    return found | {name.replace("_", "-"): value for name, value in more.items()}


def put(store: Store, version: str, time: str, body: bytes, **more: str) -> Answer:
    headers = replica(time, etag_of(body), **more)
    return store.signed("PUT", f"/data/k?versionId={version}", body, headers)


def mark(store: Store, version: str, time: str, *, server: bool = True) -> Answer:
    headers = replica(time) | {"X-Minio-Source-DeleteMarker": "true"}
    if not server:
        del headers["X-Minio-Source-Replication-Request"]
    return store.signed("DELETE", f"/data/k?versionId={version}", b"", headers)


def purge(store: Store, version: str) -> Answer:
    return store.signed("DELETE", f"/data/k?versionId={version}", b"", replica())


def code_of(answer: Answer) -> tuple[int, str]:
    return answer.status, ElementTree.fromstring(answer.body).findtext("Code", "")


def shown(s3: Any) -> list[tuple[str, str, str, bool]]:
    """(id, time, ETag, latest) as listed, newest first; delete markers have no ETag."""
    page = s3.list_object_versions(Bucket="data")
    rows = page.get("Versions", []) + page.get("DeleteMarkers", [])
    rows.sort(key=lambda row: row["LastModified"], reverse=True)
    return [
        (row["VersionId"], f"{row['LastModified']:%Y-%m-%dT%H:%M:%S}.000Z",
         row.get("ETag", "").strip('"'), row["IsLatest"])
        for row in rows
    ]  # fmt: skip


def test_versions_keep_id_time_and_etag_in_any_order(store: Store, data: Any) -> None:
    answer = put(store, THREE, T3, b"three", X_Amz_Meta_A="b", X_Amz_Tagging="p=q")
    assert answer.status == 200
    assert answer.headers["x-amz-version-id"] == THREE
    assert answer.headers["etag"] == f'"{etag_of(b"three")}"'
    assert put(store, ONE, T1, b"one").status == 200
    assert mark(store, TWO, T2).status == 204
    assert shown(data) == [
        (THREE, SHOWN % 3, etag_of(b"three"), True),
        (TWO, SHOWN % 2, "", False),
        (ONE, SHOWN % 1, etag_of(b"one"), False),
    ]
    head = data.head_object(Bucket="data", Key="k")
    assert (head["Metadata"], head["VersionId"]) == ({"a": "b"}, THREE)
    tags = data.get_object_tagging(Bucket="data", Key="k", VersionId=THREE)["TagSet"]
    assert tags == [{"Key": "p", "Value": "q"}]
    # A write of Neve's own comes on top of all of them, and goes again.
    own = data.put_object(Bucket="data", Key="k", Body=b"own")["VersionId"]
    assert [row[0] for row in shown(data)] == [own, THREE, TWO, ONE]
    data.delete_object(Bucket="data", Key="k", VersionId=own)
    for version in (THREE, TWO):
        assert purge(store, version).status == 204
    assert data.get_object(Bucket="data", Key="k")["Body"].read() == b"one"


def test_a_version_that_is_there_is_never_written_over(store: Store, data: Any) -> None:
    for _ in range(2):
        answer = put(store, ONE, T1, b"one")
        assert (answer.status, answer.headers["x-amz-version-id"]) == (200, ONE)
        assert mark(store, TWO, T2, server=False).status == 204
    assert code_of(put(store, ONE, T1, b"two")) == (409, "ConditionalRequestConflict")
    assert code_of(put(store, TWO, T2, b"two")) == (409, "ConditionalRequestConflict")
    assert code_of(mark(store, ONE, T1, server=False)) == (409, "ConditionalRequestConflict")
    assert [row[0] for row in shown(data)] == [TWO, ONE]
    body = data.get_object(Bucket="data", Key="k", VersionId=ONE)["Body"].read()
    assert body == b"one"


def test_a_server_takes_a_marker_away_as_it_brings_it(store: Store, data: Any) -> None:
    put(store, ONE, T1, b"one")
    assert mark(store, TWO, T2).headers["x-amz-delete-marker"] == "true"
    assert [row[0] for row in shown(data)] == [TWO, ONE]
    assert mark(store, TWO, T2).status == 204
    assert [row[0] for row in shown(data)] == [ONE]
    assert shown(data)[0][3]


def test_a_multipart_upload_becomes_the_version_that_it_was_begun_for(
    small_parts: Store,
) -> None:
    store, s3 = small_parts, small_parts.client()
    s3.create_bucket(Bucket="data")
    keep(s3)
    etag = f"{md5(md5(b'first').digest() + md5(b'second').digest()).hexdigest()}-2"
    headers = replica("", etag, X_Amz_Meta_A="b")
    put(store, THREE, T3, b"three")

    def begin() -> str:
        answer = store.signed("POST", f"/data/k?uploads=&versionId={ONE}", b"", headers)
        found = ElementTree.fromstring(answer.body).findtext("{*}UploadId")
        assert found is not None
        return found

    def fill(upload: str) -> None:
        for number, body in ((1, b"first"), (2, b"second")):
            target = f"/data/k?partNumber={number}&uploadId={upload}"
            more = {"X-Minio-Source-Replication-Request": "true"}
            assert store.signed("PUT", target, body, more).status == 200

    def complete(upload: str) -> Answer:
        parts = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag_of(body)}</ETag></Part>"
            for number, body in ((1, b"first"), (2, b"second"))
        )
        body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
        more = replica(T1, etag) | {"X-Minio-Replication-Actual-Object-Size": "11"}
        del more["X-Amz-Replication-Status"]
        return store.signed("POST", f"/data/k?uploadId={upload}", body, more)

    first = begin()
    fill(first)
    assert complete(first).headers["x-amz-version-id"] == ONE
    assert complete(first).headers["x-amz-version-id"] == ONE
    assert [row[:3] for row in shown(s3)][1] == (ONE, SHOWN % 1, etag)
    head = s3.head_object(Bucket="data", Key="k", VersionId=ONE)
    assert head["Metadata"] == {"a": "b"}
    assert not [name for name in head["ResponseMetadata"]["HTTPHeaders"] if "replica" in name]
    # Sent again as another upload: known, and nothing of it is left.
    second = begin()
    fill(second)
    assert complete(second).headers["x-amz-version-id"] == ONE
    assert "Uploads" not in s3.list_multipart_uploads(Bucket="data")
    assert len(shown(s3)) == 2


def test_metadata_that_change_at_the_source_change_here(store: Store, data: Any) -> None:
    put(store, ONE, T1, b"one", X_Amz_Meta_A="b")
    put(store, TWO, T2, b"two")
    headers = replica(T1, etag_of(b"one"), X_Amz_Meta_C="d", X_Amz_Tagging="x=y")
    headers |= {
        "X-Amz-Copy-Source": f"data/k?versionId={ONE}",
        "X-Amz-Tagging-Directive": "REPLACE",
    }
    answer = store.signed("PUT", f"/data/k?versionId={ONE}", b"", headers)
    assert (answer.status, answer.headers["x-amz-version-id"]) == (200, ONE)
    head = data.head_object(Bucket="data", Key="k", VersionId=ONE)
    assert head["Metadata"] == {"c": "d"}
    tags = data.get_object_tagging(Bucket="data", Key="k", VersionId=ONE)["TagSet"]
    assert tags == [{"Key": "x", "Value": "y"}]
    assert [row[:2] for row in shown(data)] == [(TWO, SHOWN % 2), (ONE, SHOWN % 1)]
    headers["X-Amz-Copy-Source"] = "data/other"
    other = store.signed("PUT", f"/data/k?versionId={ONE}", b"", headers)
    assert code_of(other) == (501, "NotImplemented")


def test_locks_come_along_even_those_that_have_ended(store: Store) -> None:
    s3 = store.client()
    s3.create_bucket(Bucket="data", ObjectLockEnabledForBucket=True)
    rule = {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 1}}
    s3.put_object_lock_configuration(
        Bucket="data", ObjectLockConfiguration={"ObjectLockEnabled": "Enabled", "Rule": rule}
    )
    mode = {"X_Amz_Object_Lock_Mode": "GOVERNANCE"}
    put(store, ONE, T1, b"one", X_Amz_Object_Lock_Retain_Until_Date=LATER, **mode)
    put(store, TWO, T2, b"two", X_Amz_Object_Lock_Retain_Until_Date=T2, **mode)
    put(store, THREE, T3, b"three", X_Amz_Object_Lock_Legal_Hold="ON")

    def head(version: str) -> tuple[Any, ...]:
        found = s3.head_object(Bucket="data", Key="k", VersionId=version)
        return found.get("ObjectLockRetainUntilDate"), found.get("ObjectLockLegalHoldStatus")

    assert head(ONE)[0].year == 2035
    assert head(TWO)[0].year == 2026
    # Nothing of the bucket's own default, which is for what is written here.
    assert head(THREE) == (None, "ON")
    assert code_of(purge(store, THREE)) == (403, "AccessDenied")
    # A retention in governance mode was passed over where the deletion comes from.
    assert [purge(store, version).status for version in (ONE, TWO)] == [204, 204]


def test_it_takes_rights_of_its_own(store: Store, data: Any) -> None:
    def send(method: str, headers: dict[str, str], version: str = ONE) -> int:
        body = b"one" if method == "PUT" else b""
        headers |= {"Content-Length": str(len(body))}
        return store.send(method, f"/data/k?versionId={version}", headers, body).status

    marker = replica(T2) | {"X-Minio-Source-DeleteMarker": "true"}
    allow(data, "s3:PutObject", "s3:DeleteObject")
    assert send("PUT", replica(T1)) == 403
    assert send("DELETE", dict(marker), TWO) == 403
    allow(data, "s3:PutObject", "s3:DeleteObject", "s3:ReplicateObject", "s3:ReplicateDelete")
    assert send("PUT", replica(T1)) == 200
    assert send("PUT", replica(T1, X_Amz_Tagging="a=b"), TWO) == 403
    assert send("DELETE", dict(marker), TWO) == 204
    assert [row[0] for row in shown(data)] == [TWO, ONE]
    # As in MinIO it takes no s3:DeleteObjectVersion, which a plain request does.
    assert send("DELETE", {}) == 403
    statements = [
        {"Effect": effect, "Principal": "*", "Action": action, "Resource": "arn:aws:s3:::data/*"}
        for effect, action in (("Allow", "s3:*"), ("Deny", "s3:DeleteObjectVersion"))
    ]
    policy = {"Version": "2012-10-17", "Statement": statements}
    data.put_bucket_policy(Bucket="data", Policy=json.dumps(policy))
    assert send("DELETE", replica()) == 403
    allow(data, "s3:DeleteObject", "s3:ReplicateDelete")
    assert send("DELETE", replica()) == 204


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_request_that_only_asks_changes_nothing(store: Store, data: Any, method: str) -> None:
    headers = replica(T1) | {"X-Minio-Source-Replication-Check": "true"}
    answer = store.signed(method, f"/data/k?versionId={ONE}", b"", headers)
    assert code_of(answer) == (400, "ReplicationPermissionCheck")
    assert shown(data) == []


def test_what_says_no_version_or_not_that_it_is_a_replica_is_a_write_as_any(
    store: Store, data: Any
) -> None:
    plain = replica(T1)
    del plain["X-Amz-Replication-Status"]
    first = store.signed("PUT", f"/data/k?versionId={ONE}", b"1", plain)
    second = store.signed("PUT", "/data/k", b"2", replica(T1))
    ids = [answer.headers["x-amz-version-id"] for answer in (first, second)]
    assert ONE not in ids
    assert {row[0] for row in shown(data)} == set(ids)
    assert not any(row[1].startswith("2026-03") for row in shown(data))


def test_what_cannot_be_kept_is_refused(store: Store, s3: Any) -> None:
    state = (409, "InvalidBucketState")
    assert code_of(put(store, ONE, T1, b"one")) == state
    assert code_of(mark(store, ONE, T1)) == state
    # A null version can be had without versions; a newer one stays.
    assert put(store, "null", T2, b"two").status == 200
    assert put(store, "null", T2, b"two").status == 200
    assert code_of(put(store, "null", T1, b"one")) == (409, "ConditionalRequestConflict")
    assert put(store, "null", T3, b"three").status == 200
    assert shown(s3) == [("null", SHOWN % 3, etag_of(b"three"), True)]
    for time in ("yesterday", "2026-03-01", "1960-01-01T00:00:00Z"):
        assert code_of(put(store, ONE, time, b"one")) == (400, "InvalidArgument")
    headers = replica(T3) | {"If-None-Match": "*"}
    answer = store.signed("PUT", f"/data/k?versionId={ONE}", b"1", headers)
    assert code_of(answer) == (501, "NotImplemented")


def test_quotas_hold(store: Store, data: Any) -> None:
    assert store.signed("PUT", "/data?neve-quota", b'{"bytes": 4}').status == 204
    assert put(store, ONE, T1, b"one").status == 200
    refused = put(store, TWO, T2, b"two")
    assert code_of(refused) == (400, "XMinioAdminBucketQuotaExceeded")
    assert [row[0] for row in shown(data)] == [ONE]

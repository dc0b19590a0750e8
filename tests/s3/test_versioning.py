"""Versions over S3, with boto3 against AWS's documented answers.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/versioning-workflows.html
"""

import io
import json
from base64 import b64encode
from collections.abc import Callable
from hashlib import md5
from typing import Any

import pytest
from tests.s3.conftest import Store, allow

Code = Callable[..., tuple[int, str]]
K = {"Bucket": "data", "Key": "k"}


@pytest.fixture
def versioned(s3: Any) -> Any:
    set_state(s3, "Enabled")
    return s3


def set_state(s3: Any, state: str) -> None:
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": state})


def put(s3: Any, body: bytes, key: str = "k", **more: Any) -> str:
    # A null version has no id in the answer to its write.
    return str(s3.put_object(Bucket="data", Key=key, Body=body, **more).get("VersionId", "null"))


def read(s3: Any, version: str | None = None, key: str = "k") -> bytes:
    named = {} if version is None else {"VersionId": version}
    answer = s3.get_object(Bucket="data", Key=key, **named)
    if version is not None:
        assert answer["VersionId"] == version
    return bytes(answer["Body"].read())


def versions(s3: Any, **more: Any) -> list[tuple[str, str, bool, bool]]:
    """(key, version, latest, marker) of all pages, as they were listed by key and age."""
    found = []
    for page in s3.get_paginator("list_object_versions").paginate(Bucket="data", **more):
        entries = [(v, False) for v in page.get("Versions", ())]
        entries += [(m, True) for m in page.get("DeleteMarkers", ())]
        found += [(e["Key"], e["VersionId"], e["IsLatest"], marker) for e, marker in entries]
    return found


def test_the_state_of_a_bucket_is_what_it_was_told(s3: Any, code: Code) -> None:
    assert "Status" not in s3.get_bucket_versioning(Bucket="data")
    assert "VersionId" not in s3.put_object(**K, Body=b"1")
    for state in ("Enabled", "Suspended", "Enabled"):
        set_state(s3, state)
        assert s3.get_bucket_versioning(Bucket="data")["Status"] == state

    def told(**configuration: str) -> tuple[int, str]:
        return code(s3.put_bucket_versioning, Bucket="data", VersioningConfiguration=configuration)

    illegal = (400, "IllegalVersioningConfigurationException")
    assert told(Status="On") == illegal
    assert told() == illegal
    assert told(Status="Enabled", MFADelete="Enabled") == (501, "NotImplemented")
    configuration = {"Status": "Enabled", "MFADelete": "Disabled"}
    s3.put_bucket_versioning(Bucket="data", VersioningConfiguration=configuration)


def test_every_write_has_an_id_and_is_read_by_it(versioned: Any) -> None:
    s3 = versioned
    ids = [put(s3, b"%d" % n) for n in range(3)]
    assert len({*ids, "null"}) == 4
    assert read(s3) == b"2"
    assert s3.get_object(**K)["VersionId"] == ids[2]
    assert s3.head_object(**K)["VersionId"] == ids[2]
    for number, version in enumerate(ids):
        assert read(s3, version) == b"%d" % number
        head = s3.head_object(**K, VersionId=version)
        assert (head["VersionId"], head["ContentLength"]) == (version, 1)
    part = s3.get_object(**K, VersionId=ids[0], Range="bytes=0-0")
    assert (part["Body"].read(), part["VersionId"]) == (b"0", ids[0])
    assert versions(s3) == [
        ("k", ids[2], True, False), ("k", ids[1], False, False), ("k", ids[0], False, False),
    ]  # fmt: skip


def test_what_was_there_before_is_the_null_version(s3: Any, code: Code) -> None:
    s3.put_object(**K, Body=b"old")
    assert "VersionId" not in s3.get_object(**K)
    assert "VersionId" not in s3.head_object(**K)
    set_state(s3, "Enabled")
    assert s3.get_object(**K)["VersionId"] == "null"
    assert s3.head_object(**K)["VersionId"] == "null"
    new = put(s3, b"new")
    assert read(s3, "null") == b"old"
    assert s3.delete_object(**K, VersionId=new)["VersionId"] == new
    assert read(s3) == b"old"
    assert s3.delete_object(**K, VersionId="null")["VersionId"] == "null"
    assert code(s3.get_object, **K) == (404, "NoSuchKey")
    assert code(s3.get_object, **K, VersionId="null") == (404, "NoSuchVersion")


def test_a_delete_marker_hides_the_object(versioned: Any, store: Store, code: Code) -> None:
    s3 = versioned
    kept = put(s3, b"kept")
    deleted = s3.delete_object(**K)
    marker = deleted["VersionId"]
    assert deleted["DeleteMarker"] is True
    signed = s3.generate_presigned_url("get_object", K)
    answer = store.send("GET", signed.partition("s3.test:9000")[2], {})
    assert answer.status == 404
    assert answer.headers["x-amz-delete-marker"] == "true"
    assert answer.headers["x-amz-version-id"] == marker
    assert code(s3.head_object, **K)[0] == 404
    named = {**K, "VersionId": marker}
    for call in (s3.get_object, s3.get_object_tagging, s3.get_object_acl):
        assert code(call, **named) == (405, "MethodNotAllowed")
    signed = s3.generate_presigned_url("head_object", named)
    answer = store.send("HEAD", signed.partition("s3.test:9000")[2], {})
    assert answer.status == 405
    assert answer.headers["x-amz-delete-marker"] == "true"
    assert "last-modified" in answer.headers
    assert s3.list_objects_v2(Bucket="data")["KeyCount"] == 0
    assert versions(s3) == [("k", kept, False, False), ("k", marker, True, True)]
    again = s3.delete_object(**named)
    assert (again["DeleteMarker"], again["VersionId"]) == (True, marker)
    assert read(s3) == b"kept"
    gone = s3.delete_object(**K, VersionId=kept)
    assert (gone["VersionId"], "DeleteMarker" in gone) == (kept, False)
    assert versions(s3) == []


def test_a_marker_is_made_even_where_nothing_is(versioned: Any) -> None:
    marker = versioned.delete_object(**K)
    assert marker["DeleteMarker"] is True
    assert versions(versioned) == [("k", marker["VersionId"], True, True)]


def test_while_suspended_the_null_version_is_written(versioned: Any) -> None:
    s3 = versioned
    kept = put(s3, b"kept")
    set_state(s3, "Suspended")
    assert put(s3, b"a") == "null"
    assert put(s3, b"b") == "null"
    assert read(s3) == b"b"
    assert [v for _, v, _, _ in versions(s3)] == ["null", kept]
    deleted = s3.delete_object(**K)
    assert (deleted["DeleteMarker"], deleted["VersionId"]) == (True, "null")
    assert versions(s3) == [("k", kept, False, False), ("k", "null", True, True)]
    assert read(s3, kept) == b"kept"


def test_ids_that_are_none_and_ids_that_are_not_there(versioned: Any, code: Code) -> None:
    s3 = versioned
    put(s3, b"1")
    for call in (
        s3.get_object, s3.head_object, s3.get_object_tagging, s3.delete_object_tagging,
        s3.get_object_acl,
    ):  # fmt: skip
        head = call == s3.head_object
        assert code(call, **K, VersionId="a b") == (400, "400" if head else "InvalidArgument")
        assert code(call, **K, VersionId="0" * 32) == (404, "404" if head else "NoSuchVersion")
    assert s3.delete_object(**K, VersionId="0" * 32)["VersionId"] == "0" * 32
    assert read(s3) == b"1"


def test_many_are_deleted_in_one_request(versioned: Any) -> None:
    s3 = versioned
    old, new = put(s3, b"old"), put(s3, b"new")
    other = put(s3, b"x", "other")
    marker = s3.delete_object(Bucket="data", Key="marked")["VersionId"]
    objects = [
        {"Key": "k", "VersionId": new},
        {"Key": "other"},
        {"Key": "marked", "VersionId": marker},
        {"Key": "absent", "VersionId": "0" * 32},
    ]
    answer = s3.delete_objects(Bucket="data", Delete={"Objects": objects})
    by_key = {each["Key"]: each for each in answer["Deleted"]}
    assert by_key["k"] == {"Key": "k", "VersionId": new}
    assert by_key["other"]["DeleteMarker"] is True
    made = by_key["other"]["DeleteMarkerVersionId"]
    assert by_key["marked"] == {
        "Key": "marked", "VersionId": marker, "DeleteMarker": True, "DeleteMarkerVersionId": marker,
    }  # fmt: skip
    assert by_key["absent"] == {"Key": "absent", "VersionId": "0" * 32}
    assert read(s3) == b"old"
    assert set(versions(s3)) == {
        ("k", old, True, False), ("other", made, True, True), ("other", other, False, False),
    }  # fmt: skip


def test_a_version_is_copied_and_so_restored(versioned: Any, code: Code) -> None:
    s3 = versioned
    old = put(s3, b"old", Metadata={"m": "1"})
    put(s3, b"new")
    source = {**K, "VersionId": old}
    answer = s3.copy_object(**K, CopySource=source)
    assert answer["CopySourceVersionId"] == old
    restored = answer["VersionId"]
    assert restored not in (old, "null")
    got = s3.get_object(**K)
    assert (got["Body"].read(), got["Metadata"]) == (b"old", {"m": "1"})
    assert code(s3.copy_object, **K, CopySource=K) == (400, "InvalidRequest")
    plain = s3.copy_object(Bucket="data", Key="b", CopySource=K)
    assert plain["CopySourceVersionId"] == restored
    marker = s3.delete_object(**K)["VersionId"]
    refused = code(s3.copy_object, **K, CopySource={**K, "VersionId": marker})
    assert refused == (400, "InvalidRequest")
    assert code(s3.copy_object, Bucket="data", Key="c", CopySource=K) == (404, "NoSuchKey")


def test_parts_are_copied_from_a_version_and_become_one(versioned: Any, small_parts: Any) -> None:
    s3 = versioned
    old = put(s3, b"0123456789")
    put(s3, b"new")
    upload = s3.create_multipart_upload(Bucket="data", Key="m")["UploadId"]
    at = {"Bucket": "data", "Key": "m", "UploadId": upload}
    part = s3.upload_part_copy(
        **at, PartNumber=1, CopySource={**K, "VersionId": old}, CopySourceRange="bytes=2-5"
    )
    assert part["CopySourceVersionId"] == old
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]}
    done = s3.complete_multipart_upload(**at, MultipartUpload=parts)
    assert done["VersionId"] not in ("", "null")
    assert read(s3, done["VersionId"], "m") == b"2345"
    put(s3, b"newer", "m")
    again = s3.complete_multipart_upload(**at, MultipartUpload=parts)
    assert again["VersionId"] == done["VersionId"]


def test_tags_acls_and_attributes_are_those_of_a_version(versioned: Any) -> None:
    s3 = versioned
    old, new = put(s3, b"old"), put(s3, b"newer")
    tagging = {"TagSet": [{"Key": "age", "Value": "old"}]}
    assert s3.put_object_tagging(**K, VersionId=old, Tagging=tagging)["VersionId"] == old
    got = s3.get_object_tagging(**K, VersionId=old)
    assert (got["TagSet"], got["VersionId"]) == (tagging["TagSet"], old)
    assert s3.get_object_tagging(**K)["TagSet"] == []
    s3.put_object_acl(**K, VersionId=old, ACL="public-read")
    assert len(s3.get_object_acl(**K, VersionId=old)["Grants"]) == 2
    assert len(s3.get_object_acl(**K)["Grants"]) == 1
    asked = {"ObjectAttributes": ["ObjectSize"]}
    attributes = s3.get_object_attributes(**K, VersionId=old, **asked)
    assert (attributes["ObjectSize"], attributes["VersionId"]) == (3, old)
    assert s3.get_object_attributes(**K, **asked)["VersionId"] == new
    assert s3.delete_object_tagging(**K, VersionId=old)["VersionId"] == old
    assert s3.get_object_tagging(**K, VersionId=old)["TagSet"] == []
    assert [v for _, v, _, _ in versions(s3)] == [new, old]


@pytest.mark.parametrize("page", [1, 2, 3, 1000])
def test_versions_are_listed_by_pages(versioned: Any, page: int) -> None:
    s3 = versioned
    wanted: list[tuple[str, str, bool, bool]] = []
    for key in ("a/1", "a/2", "b", "c/1", "é"):
        first, second = put(s3, b"1", key), put(s3, b"22", key)
        marker = s3.delete_object(Bucket="data", Key=key)["VersionId"] if key == "b" else None
        mine = [(key, second, marker is None, False), (key, first, False, False)]
        if marker is not None:
            mine.insert(0, (key, marker, True, True))
        wanted += mine
    paged = {"PaginationConfig": {"PageSize": page}}
    assert sorted(versions(s3, **paged)) == sorted(wanted)
    assert [v[0] for v in versions(s3, **paged) if v[0] != "b"] == [
        w[0] for w in wanted if w[0] != "b"
    ]
    under = versions(s3, Prefix="a/", **paged)
    assert under == wanted[:4]
    pages = s3.get_paginator("list_object_versions").paginate(Bucket="data", Delimiter="/", **paged)
    prefixes, keys = [], []
    for each in pages:
        assert len(each.get("Versions", ())) + len(each.get("CommonPrefixes", ())) <= page
        prefixes += [p["Prefix"] for p in each.get("CommonPrefixes", ())]
        keys += [v["Key"] for v in each.get("Versions", ())]
    assert prefixes == ["a/", "c/"]
    assert keys == ["b", "b", "é", "é"]


def test_a_marker_of_a_listing_that_is_gone_loses_nothing(versioned: Any) -> None:
    s3 = versioned
    ids = [put(s3, b"%d" % n) for n in range(4)][::-1]
    page = s3.list_object_versions(Bucket="data", MaxKeys=2)
    assert (page["NextKeyMarker"], page["NextVersionIdMarker"]) == ("k", ids[1])
    for version in ids[:2]:
        s3.delete_object(**K, VersionId=version)
    after = s3.list_object_versions(Bucket="data", KeyMarker="k", VersionIdMarker=ids[1])
    assert [v["VersionId"] for v in after["Versions"]] == ids[2:]


def test_an_owner_and_an_etag_are_listed(versioned: Any) -> None:
    put(versioned, b"x")
    (listed,) = versioned.list_object_versions(Bucket="data")["Versions"]
    assert listed["ETag"] == f'"{md5(b"x").hexdigest()}"'
    assert (listed["Size"], listed["StorageClass"]) == (1, "STANDARD")
    assert listed["Owner"]["ID"]


def test_a_bucket_with_any_version_is_not_empty(versioned: Any, code: Code) -> None:
    s3 = versioned
    version = put(s3, b"x")
    marker = s3.delete_object(**K)["VersionId"]
    assert code(s3.delete_bucket, Bucket="data") == (409, "BucketNotEmpty")
    s3.delete_object(**K, VersionId=version)
    assert code(s3.delete_bucket, Bucket="data") == (409, "BucketNotEmpty")
    s3.delete_object(**K, VersionId=marker)
    s3.delete_bucket(Bucket="data")


def test_a_bucket_is_deleted_by_force_with_all_its_versions(
    s3: Any, store: Store, code: Code
) -> None:
    put(s3, b"null")
    set_state(s3, "Enabled")
    for number in range(3):
        put(s3, b"%d" % number, f"k{number}")
        put(s3, b"%d" % number, f"k{number}")
        s3.delete_object(Bucket="data", Key=f"k{number}")
    s3.create_multipart_upload(**K)
    force = {"x-minio-force-delete": "true"}
    allow(s3, "s3:DeleteBucket", "s3:DeleteObject*")
    assert store.send("DELETE", "/data", {}).status == 409
    assert store.send("DELETE", "/data", force).status == 403
    assert len(versions(s3)) == 10
    for withheld in ((), ("s3:DeleteObject",)):
        allow(s3, "s3:DeleteBucket", "s3:ForceDeleteBucket", *withheld)
        assert store.send("DELETE", "/data", force).status == 403
        assert len(versions(s3)) == 10
    allow(s3, "s3:DeleteBucket", "s3:ForceDeleteBucket", "s3:DeleteObjectVersion")
    assert store.send("DELETE", "/data", force).status == 204
    assert code(s3.list_object_versions, Bucket="data") == (404, "NoSuchBucket")
    assert store.engine.catalog.reader().object_trees() == []


def test_force_takes_no_object_that_may_not_be_deleted(s3: Any, store: Store) -> None:
    """Else who is denied to delete objects, but is allowed `s3:*`, would delete the bucket."""
    put(s3, b"kept", "kept/k")
    statement = {"Effect": "Allow", "Principal": "*", "Action": "s3:*"}
    allowed = {**statement, "Resource": ["arn:aws:s3:::data", "arn:aws:s3:::data/*"]}
    denied = {"Effect": "Deny", "Action": "s3:DeleteObject*", "Resource": "arn:aws:s3:::data/kept*"}
    policy = {"Version": "2012-10-17", "Statement": [allowed, {**statement, **denied}]}
    s3.put_bucket_policy(Bucket="data", Policy=json.dumps(policy))
    assert store.send("DELETE", "/data", {"x-minio-force-delete": "true"}).status == 403
    assert s3.get_object(Bucket="data", Key="kept/k")["Body"].read() == b"kept"
    s3.delete_bucket_policy(Bucket="data")


def test_conditions_are_about_the_current_version(versioned: Any, code: Code) -> None:
    s3 = versioned
    first = s3.put_object(**K, Body=b"1", IfNoneMatch="*")["ETag"]
    assert code(s3.put_object, **K, Body=b"2", IfNoneMatch="*") == (412, "PreconditionFailed")
    second = s3.put_object(**K, Body=b"2", IfMatch=first)["ETag"]
    assert code(s3.put_object, **K, Body=b"3", IfMatch=first) == (412, "PreconditionFailed")
    assert code(s3.delete_object, **K, IfMatch=first) == (412, "PreconditionFailed")
    s3.delete_object(**K, IfMatch=second)
    assert code(s3.put_object, **K, Body=b"3", IfMatch=second) == (404, "NoSuchKey")
    s3.put_object(**K, Body=b"3", IfNoneMatch="*")
    assert len(versions(s3)) == 4


def test_reading_a_version_has_its_own_permission(
    versioned: Any, anonymous: Any, code: Code
) -> None:
    s3 = versioned
    old, _ = put(s3, b"old"), put(s3, b"new")
    denied = (403, "AccessDenied")
    allow(s3, "s3:GetObject")
    assert read(anonymous) == b"new"
    assert code(anonymous.get_object, **K, VersionId=old) == denied
    assert code(anonymous.get_object, **K, VersionId="0" * 32) == denied
    allow(s3, "s3:GetObjectVersion")
    assert read(anonymous, old) == b"old"
    assert code(anonymous.get_object, **K, VersionId="0" * 32) == denied
    assert code(anonymous.delete_object, **K, VersionId=old) == denied
    assert code(anonymous.list_object_versions, Bucket="data") == denied


def test_conditions_on_tags_are_about_the_version_asked_for(
    versioned: Any, anonymous: Any, code: Code
) -> None:
    s3 = versioned
    public = put(s3, b"public", Tagging="open=yes")
    private = put(s3, b"private")
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObjectVersion",
        "Resource": "arn:aws:s3:::data/*",
        "Condition": {"StringEquals": {"s3:ExistingObjectTag/open": "yes"}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket="data", Policy=policy)
    assert read(anonymous, public) == b"public"
    assert code(anonymous.get_object, **K, VersionId=private) == (403, "AccessDenied")


def test_excluded_prefixes_are_told_and_kept(s3: Any, store: Store) -> None:
    allow(s3, "s3:PutBucketVersioning", "s3:GetBucketVersioning")

    def tell(inner: str) -> int:
        body = f"<VersioningConfiguration>{inner}</VersioningConfiguration>".encode()
        headers = {"content-md5": b64encode(md5(body).digest()).decode()}
        return int(store.send("PUT", "/data?versioning", headers, body).status)

    prefix = "<ExcludedPrefixes><Prefix>*.zarr/c/</Prefix></ExcludedPrefixes>"
    more = "<ExcludeFolders>true</ExcludeFolders>"
    assert tell(f"<Status>Suspended</Status>{prefix}") == 400
    assert tell(f"<Status>Enabled</Status>{prefix * 11}") == 400
    assert tell(f"<Status>Enabled</Status>{prefix}{more}") == 200
    told = store.send("GET", "/data?versioning", {}).body.decode()
    assert prefix in told
    assert more in told
    assert put(s3, b"1", "a.zarr/c/0") == "null"
    assert put(s3, b"1", "folder/") == "null"
    assert put(s3, b"1", "a.zarr/zarr.json") != "null"
    s3.delete_object(Bucket="data", Key="a.zarr/c/0")
    assert [v[0] for v in versions(s3, Prefix="a.zarr/c/")] == []


def test_forms_make_versions_too(versioned: Any, store: Store) -> None:
    form = versioned.generate_presigned_post("data", "k")
    boundary = "x-boundary"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in form["fields"].items()
    ]
    parts.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nbody'
        f"\r\n--{boundary}--\r\n"
    )
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    answer = store.send("POST", "/data", headers, "".join(parts).encode())
    assert answer.status == 204
    assert read(versioned, answer.headers["x-amz-version-id"]) == b"body"


def test_uploads_of_files_are_versions(versioned: Any) -> None:
    versioned.upload_fileobj(io.BytesIO(b"1"), "data", "k")
    versioned.upload_fileobj(io.BytesIO(b"2"), "data", "k")
    assert len(versions(versioned)) == 2

"""What an unmodified `mc` sends, verb by verb, with the answers that it needs to go on.

The requests are those that were recorded between the last community `mc` and the last community
MinIO server; each test is a session with buckets of its own.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import urllib3
from minio import Minio
from minio.datatypes import PostPolicy
from tests.admin.client import Client
from tests.clients.mc_wire import STREAMING, UNSIGNED, Answer, Wire

from neve.testing.server import ACCESS_KEY, SECRET_KEY, LiveServer

ADMIN = "/minio/admin/v3"
F = bytes(range(256)) * 40
BIG = b"\0" * (5 << 20)


@pytest.fixture
def mc(live_server: LiveServer) -> Wire:
    """`mc` with root's keys."""
    return Wire(live_server, (ACCESS_KEY, SECRET_KEY))


def listing(bucket: str, prefix: str, *, delimiter: str = "%2F", keys: int = 0) -> str:
    most = f"&max-keys={keys}" if keys else ""
    return (
        f"GET /{bucket}/?delimiter={delimiter}&encoding-type=url&fetch-owner=true&list-type=2"
        f"{most}&prefix={prefix}"
    )


def make(mc: Wire, bucket: str) -> None:
    """mc mb"""
    assert mc(f"PUT /{bucket}/", payload=UNSIGNED).status == 200


def begin(mc: Wire, bucket: str) -> None:
    """What nearly every verb begins with."""
    location = mc(f"GET /{bucket}/?location=")
    assert location.status == 200
    assert location.xml.tag == "LocationConstraint"
    assert not location.xml.text


def put(mc: Wire, bucket: str, key: str, data: bytes) -> None:
    """mc cp FILE, of an object that is not there"""
    begin(mc, bucket)
    lock = mc(f"GET /{bucket}/?object-lock=")
    assert (lock.status, lock.code) == (404, "ObjectLockConfigurationNotFoundError")
    head = mc(f"HEAD /{bucket}/{key}", X_Amz_Checksum_Mode="ENABLED")
    assert (head.status, head.code) == (404, "NoSuchKey")
    assert keys_of(mc(listing(bucket, f"{key}%2F", keys=1))) == []
    done = mc(f"PUT /{bucket}/{key}", data, STREAMING)
    assert done.status == 200
    assert re.fullmatch('"[0-9a-f]{32}"', done.headers["etag"])


def keys_of(answer: Answer) -> list[str | None]:
    assert answer.status == 200
    return [row.findtext("Key") for row in answer.xml.findall("Contents")]


def test_alias_set_asks_for_a_bucket_that_is_not_there(mc: Wire) -> None:
    answer = mc("GET /probe-bsign-2kbvqpvalhtf/?location=")
    assert (answer.status, answer.code) == (404, "NoSuchBucket")


def test_alias_set_without_keys(live_server: LiveServer) -> None:
    mc = Wire(live_server, None)
    assert mc("GET /probe-bsign-2kbvqpvalhtf/?location=").status in (403, 404)
    head = mc("HEAD /probe-bsign-2kbvqpvalhtf/")
    assert head.code in ("AccessDenied", "NoSuchBucket")


def test_cp_ls_stat_cat_du_find_tree_and_rm(mc: Wire) -> None:
    bucket = "wire-objects"
    make(mc, bucket)
    assert b"<Name>wire-objects</Name>" in mc("GET /").body
    put(mc, bucket, "f", F)
    # mc ls
    assert mc(f"HEAD /{bucket}/").status == 200
    rows = mc(listing(bucket, "")).xml
    assert [row.findtext("Key") for row in rows.findall("Contents")] == ["f"]
    row = rows.find("Contents")
    assert row is not None
    assert row.findtext("Size") == str(len(F))
    assert row.find("Owner") is not None
    # mc stat, mc cat
    head = mc(f"HEAD /{bucket}/f", X_Amz_Checksum_Mode="ENABLED")
    assert (head.status, head.headers["content-length"]) == (200, str(len(F)))
    assert head.headers["last-modified"]
    assert mc(f"GET /{bucket}/f").body == F
    # mc cp -r, mc mirror
    for key in ("d/sub/b", "d/a", "m/a", "m/sub/b"):
        assert mc(f"PUT /{bucket}/{key}", b"x", STREAMING).status == 200
    # mc du, mc find
    assert keys_of(mc(listing(bucket, "", delimiter=""))) == [
        "d/a",
        "d/sub/b",
        "f",
        "m/a",
        "m/sub/b",
    ]
    # mc tree
    level = mc(listing(bucket, "d%2F")).xml
    assert [each.findtext("Prefix") for each in level.findall("CommonPrefixes")] == ["d/sub/"]
    # mc cp OBJECT OBJECT
    copied = mc(
        f"PUT /{bucket}/g",
        payload=UNSIGNED,
        X_Amz_Copy_Source=f"{bucket}/f",
        X_Amz_Metadata_Directive="REPLACE",
    )
    assert copied.status == 200
    assert copied.xml.findtext("ETag")
    # mc rm
    gone = (
        b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Quiet>false</Quiet>'
        b"<Object><Key>g</Key></Object></Delete>"
    )
    answer = mc(f"POST /{bucket}/?delete=", gone, md5=True)
    assert answer.status == 200
    assert answer.xml.findtext("Deleted/Key") == "g"
    assert mc(f"HEAD /{bucket}/g", X_Amz_Checksum_Mode="ENABLED").code == "NoSuchKey"
    # mc rm -r: the first page tells with which token the next is asked for.
    page = mc(listing(bucket, "m%2F", keys=1)).xml
    token = page.findtext("NextContinuationToken")
    assert token
    more = mc(
        f"GET /{bucket}/?continuation-token={token}&delimiter=%2F&encoding-type=url"
        "&fetch-owner=true&list-type=2&max-keys=1&prefix=m%2F"
    )
    assert more.status == 200
    # mc rb --force
    versions = mc(f"GET /{bucket}/?delimiter=&encoding-type=url&prefix=&versions=")
    rows = versions.xml.findall("Version")
    assert {row.findtext("VersionId") for row in rows} == {"null"}
    objects = "".join(
        f"<Object><Key>{row.findtext('Key')}</Key><VersionId>null</VersionId></Object>"
        for row in rows
    )
    assert (
        mc(f"POST /{bucket}/?delete=", f"<Delete>{objects}</Delete>".encode(), md5=True).status
        == 200
    )
    assert mc(f"DELETE /{bucket}/").status == 204


def test_cp_of_a_large_file_and_of_a_large_object(mc: Wire) -> None:
    bucket = "wire-multipart"
    make(mc, bucket)
    upload = mc(f"POST /{bucket}/big?uploads=", payload=UNSIGNED).xml.findtext("UploadId")
    etag = mc(f"PUT /{bucket}/big?partNumber=1&uploadId={upload}", BIG, STREAMING).headers["etag"]
    parts = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    done = mc(f"POST /{bucket}/big?uploadId={upload}", document)
    assert done.status == 200
    assert done.xml.findtext("ETag")
    upload = mc(f"POST /{bucket}/big2?uploads=", payload=UNSIGNED).xml.findtext("UploadId")
    part = mc(
        f"PUT /{bucket}/big2?partNumber=1&uploadId={upload}",
        payload=UNSIGNED,
        X_Amz_Copy_Source=f"{bucket}/big",
        X_Amz_Copy_Source_Range=f"bytes=0-{len(BIG) - 1}",
    )
    etag = str(part.xml.findtext("ETag"))
    parts = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    assert mc(f"POST /{bucket}/big2?uploadId={upload}", document).status == 200
    assert mc(f"HEAD /{bucket}/big2").headers["content-length"] == str(len(BIG))


def test_stat_of_a_bucket_asks_for_all_that_it_may_be_told(mc: Wire) -> None:
    bucket = "wire-stat"
    make(mc, bucket)
    begin(mc, bucket)
    assert mc(f"GET /{bucket}/?versioning=", payload=UNSIGNED).xml.tag == "VersioningConfiguration"
    for name, payload, code in (
        ("object-lock=", "sha256", "ObjectLockConfigurationNotFoundError"),
        ("replication=", UNSIGNED, "ReplicationConfigurationNotFoundError"),
        ("encryption=", UNSIGNED, "ServerSideEncryptionConfigurationNotFoundError"),
        ("policy=", "sha256", "NoSuchBucketPolicy"),
        ("tagging=", UNSIGNED, "NoSuchTagSet"),
        ("lifecycle=&withUpdatedAt=true", UNSIGNED, "NoSuchLifecycleConfiguration"),
    ):
        answer = mc(f"GET /{bucket}/?{name}", payload=payload)
        assert (answer.status, answer.code) == (404, code), name
    events = mc(f"GET /{bucket}/?notification=")
    assert (events.status, events.xml.tag, len(events.xml)) == (200, "NotificationConfiguration", 0)
    usage = json.loads(mc(f"GET {ADMIN}/datausageinfo?capacity=true").body)
    assert usage["bucketsUsageInfo"][bucket]["objectsCount"] == 0
    assert usage["bucketsUsageInfo"][bucket]["size"] == 0


def test_anonymous_share_and_reading_without_keys(mc: Wire, live_server: LiveServer) -> None:
    bucket = "wire-anonymous"
    make(mc, bucket)
    put(mc, bucket, "f", F)
    assert mc(f"GET /{bucket}/?policy=").code == "NoSuchBucketPolicy"
    everybody: dict[str, Any] = {"Effect": "Allow", "Principal": {"AWS": ["*"]}}
    arn = f"arn:aws:s3:::{bucket}"
    listing_rights = {"Action": ["s3:GetBucketLocation", "s3:ListBucket"], "Resource": [arn]}
    reading = {"Action": ["s3:GetObject"], "Resource": [f"{arn}/*"]}
    statements = [{**everybody, **listing_rights}, {**everybody, **reading}]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements}).encode()
    assert mc(f"PUT /{bucket}/?policy=", policy, UNSIGNED).status in (200, 204)
    assert json.loads(mc(f"GET /{bucket}/?policy=").body)["Statement"] == statements
    anonymous = Wire(live_server, None)
    begin(anonymous, bucket)
    assert anonymous(f"HEAD /{bucket}/").status == 200
    assert keys_of(anonymous(listing(bucket, ""))) == ["f"]
    assert anonymous(f"GET /{bucket}/f").body == F


def test_share_hands_out_links_that_work_without_keys(mc: Wire, live_server: LiveServer) -> None:
    bucket = "wire-share"
    make(mc, bucket)
    put(mc, bucket, "f", F)
    signer = Minio(
        live_server.endpoint.partition("://")[2],
        access_key=ACCESS_KEY,
        secret_key=SECRET_KEY,
        secure=False,
        region="us-east-1",
    )
    # mc share download: it looks at the object, then signs by itself.
    begin(mc, bucket)
    assert mc(f"HEAD /{bucket}/f", X_Amz_Checksum_Mode="ENABLED").status == 200
    link = signer.presigned_get_object(bucket, "f", timedelta(days=7))
    assert urllib3.request("GET", link).data == F
    # mc share upload: a form for curl.
    begin(mc, bucket)
    policy = PostPolicy(bucket, datetime.now(UTC) + timedelta(days=7))
    policy.add_equals_condition("key", "zz")
    form = signer.presigned_post_policy(policy)
    fields = {**form, "key": "zz", "file": ("zz", F)}
    assert urllib3.request("POST", f"{live_server.endpoint}/{bucket}/", fields=fields).status == 204
    assert mc(f"GET /{bucket}/zz").body == F


def test_diff_mirror_and_removal_of_whole_buckets(mc: Wire) -> None:
    for bucket in ("wire-left", "wire-right"):
        make(mc, bucket)
    for key in ("m/a", "m/sub/b"):
        begin(mc, "wire-left")
        assert mc(f"PUT /wire-left/{key}", F, STREAMING).status == 200
    # mc diff: both buckets whole, without a delimiter.
    for bucket, keys in (("wire-right", []), ("wire-left", ["m/a", "m/sub/b"])):
        begin(mc, bucket)
        assert mc(f"HEAD /{bucket}/").status == 200
        assert keys_of(mc(listing(bucket, "", delimiter=""))) == keys
    # mc anonymous links: the first level.
    assert mc("GET /wire-left/?policy=").code == "NoSuchBucketPolicy"
    assert mc(listing("wire-left", "")).xml.findtext("CommonPrefixes/Prefix") == "m/"
    # mc rb --force
    gone = mc("DELETE /wire-right/")
    assert gone.status == 204
    refused = mc("DELETE /wire-left/")
    assert (refused.status, refused.code) == (409, "BucketNotEmpty")


def test_versions_tags_and_lifecycle_rules(mc: Wire) -> None:
    bucket = "wire-versions"
    make(mc, bucket)
    enabled = (
        b'<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<Status>Enabled</Status></VersioningConfiguration>"
    )
    assert mc(f"PUT /{bucket}/?versioning=", enabled, md5=True).status == 200
    state = mc(f"GET /{bucket}/?versioning=", payload=UNSIGNED)
    assert state.xml.findtext("Status") == "Enabled"
    put(mc, bucket, "f", F)
    assert mc(f"PUT /{bucket}/f", b"2", STREAMING).headers["x-amz-version-id"]
    versions = mc(f"GET /{bucket}/?delimiter=&encoding-type=url&prefix=&versions=").xml
    assert [row.findtext("IsLatest") for row in versions.findall("Version")] == ["true", "false"]
    tags = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
    assert mc(f"PUT /{bucket}/f?tagging=", tags, UNSIGNED, md5=True).status == 200
    rule = (
        b"<LifecycleConfiguration><Rule><Expiration><Days>30</Days></Expiration><ID>r1</ID>"
        b"<Filter></Filter><Status>Enabled</Status></Rule></LifecycleConfiguration>"
    )
    assert mc(f"PUT /{bucket}/?lifecycle=", rule, UNSIGNED, md5=True).status == 200
    found = mc(f"GET /{bucket}/?lifecycle=&withUpdatedAt=true", payload=UNSIGNED)
    assert found.xml.findtext("Rule/Expiration/Days") == "30"


def test_quotas_and_the_server(mc: Wire) -> None:
    bucket = "wire-quota"
    make(mc, bucket)
    quota = b'{"quota":1073741824,"size":1073741824,"rate":0,"requests":0,"quotatype":"hard"}'
    assert mc(f"PUT {ADMIN}/set-bucket-quota?bucket={bucket}", quota).status == 200
    found = json.loads(mc(f"GET {ADMIN}/get-bucket-quota?bucket={bucket}").body)
    assert (found["quota"], found["quotatype"]) == (1 << 30, "hard")
    info = json.loads(mc(f"GET {ADMIN}/info?metrics=false").body)
    assert info["servers"][0]["state"] == "online"
    # By these numbers mc finds the drive of the one pool.
    assert info["backend"]["totalSets"] == info["backend"]["totalDrivesPerSet"] == [1]
    drive = info["servers"][0]["drives"][0]
    assert (drive["pool_index"], drive["set_index"], drive["disk_index"]) == (0, 0, 0)
    assert mc("GET /minio/health/live").status == 200
    assert mc("GET /minio/health/cluster").status == 200


def test_users_groups_policies_and_access_keys(mc: Wire, live_server: LiveServer) -> None:
    root = Client(live_server)
    user = b'{"secretKey":"wire-alice-secret","status":"enabled"}'
    added = mc(f"PUT {ADMIN}/add-user?accessKey=wire-alice", user, sealed=True)
    assert (added.status, added.body) == (200, b"")
    members = (
        b'{"group":"wire-g1","members":["wire-alice"],"isRemove":false,"groupStatus":"enabled"}'
    )
    assert mc(f"PUT {ADMIN}/update-group-members", members).status == 200
    # mc admin user ls asks for each group that it was told of.
    users = root("GET", "list-users").unsealed
    assert users["wire-alice"]["memberOf"] == ["wire-g1"]
    group = json.loads(mc(f"GET {ADMIN}/group?group=wire-g1").body)
    assert group["members"] == ["wire-alice"]
    policies = json.loads(mc(f"GET {ADMIN}/list-canned-policies").body)
    assert {"readwrite", "readonly", "writeonly", "diagnostics", "consoleAdmin"} <= policies.keys()
    attach = b'{"policies":["readwrite"],"user":"wire-alice"}'
    path = f"POST {ADMIN}/idp/builtin/policy/attach"
    assert mc(path, attach, sealed=True, Content_Type="application/octet-stream").status == 200
    assert root("GET", "user-info?accessKey=wire-alice").json["policyName"] == "readwrite"
    key = b'{"targetUser":"wire-alice"}'
    made = mc(f"PUT {ADMIN}/add-service-account", key, sealed=True)
    assert made.status == 200
    keys = root("GET", "list-service-accounts?user=wire-alice").unsealed["accounts"]
    assert [row["parentUser"] for row in keys] == ["wire-alice"]

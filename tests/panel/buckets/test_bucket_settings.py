"""What a bucket is told on the pages of its settings; the effect is looked at with boto3."""

import json
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from botocore.exceptions import ClientError

from neve.client.buckets import quota
from neve.testing.server import LiveServer

HOSTILE = '"><script>alert(1)</script>'


def quota_document(server: LiveServer, bucket: str) -> Any:
    from neve.client.alias import Alias
    from neve.client.s3 import S3
    from neve.client.transport import Transport

    alias = Alias("t", server.endpoint, server.access_key, server.secret_key)
    with S3(Transport(alias)) as client:
        return quota(client, bucket)


def test_quota_of_bucket_and_prefixes(administrator: Any, server: LiveServer, bucket: str) -> None:
    client, path = server.client(), f"/buckets/{bucket}/quota"
    client.put_object(Bucket=bucket, Key="cmip6/a", Body=b"x" * 600)
    administrator.get(path)
    shown = administrator.post(path, what="bucket", bytes="1 KiB", objects="1 000", soft="50")
    assert "The quota was set." in shown.words
    shown = administrator.post(path, what="prefix", prefix=f" {HOSTILE}", bytes="2TiB", soft="")
    assert "<script>" not in shown.text
    shown = administrator.post(path, what="prefix", prefix="cmip6/", objects="2")
    assert "600 B of 1.0 KiB (59%)" in shown.words
    assert "1 of 2 objects (50%)" in shown.words
    whole, prefixes = quota_document(server, bucket)
    assert whole == (1024, 1000, 50)
    assert prefixes == {f" {HOSTILE}": (2 << 40, None, None), "cmip6/": (None, 2, None)}
    with pytest.raises(ClientError, match="QuotaExceeded"):
        client.put_object(Bucket=bucket, Key="more", Body=b"x" * 600)
    shown = administrator.post(path, what="bucket", bytes="-3", objects="", soft="")
    assert shown.status == 400
    assert 'value="-3"' in shown.text
    administrator.post(path, what="forget", prefix="cmip6/")
    assert list(quota_document(server, bucket)[1]) == [f" {HOSTILE}"]


def test_versions_are_kept_with_exceptions_and_suspended(
    administrator: Any, server: LiveServer, bucket: str
) -> None:
    client, path = server.client(), f"/buckets/{bucket}/versioning"
    assert "lost at once" in administrator.get(path).words
    shown = administrator.post(path, status="Enabled", excluded="scratch/\r\ntmp/*\r\n")
    assert "Versions are kept." in shown.words
    for key in ("scratch/a", "kept/a"):
        client.put_object(Bucket=bucket, Key=key, Body=b"1")
        client.put_object(Bucket=bucket, Key=key, Body=b"2")
    versions = client.list_object_versions(Bucket=bucket)["Versions"]
    assert [row["Key"] for row in versions] == ["kept/a", "kept/a", "scratch/a"]
    shown = administrator.post(path, status="Suspended")
    assert client.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    assert "No new versions are made." in shown.words


def test_object_lock_is_turned_on_for_good_and_given_a_default(
    administrator: Any, server: LiveServer, bucket: str
) -> None:
    client, path = server.client(), f"/buckets/{bucket}/lock"
    administrator.get(path)
    assert administrator.post(path).status == 400
    assert "needs versions" in administrator.post(path, sure="on").words
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    assert "Object lock is on." in administrator.post(path, sure="on").words
    shown = administrator.post(path, mode="GOVERNANCE", number="x", unit="Days")
    assert shown.status == 400
    administrator.post(path, mode="GOVERNANCE", number="30", unit="Days")
    found = client.get_object_lock_configuration(Bucket=bucket)["ObjectLockConfiguration"]
    assert found["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": 30}
    shown = administrator.post(f"/buckets/{bucket}/versioning", status="Suspended")
    assert shown.status == 409


def test_cors_preset_rules_and_document(
    administrator: Any, server: LiveServer, bucket: str
) -> None:
    client, path = server.client(), f"/buckets/{bucket}/cors"
    administrator.get(path)
    administrator.post(
        path, what="rule", origins="https://a.example https://b.example", methods=["GET", "PUT"]
    )
    administrator.post(path, what="preset")
    rules = client.get_bucket_cors(Bucket=bucket)["CORSRules"]
    assert rules[0]["AllowedOrigins"] == ["https://a.example", "https://b.example"]
    assert (rules[1]["ID"], rules[1]["AllowedOrigins"]) == ("web-viewers", ["*"])
    shown = administrator.post(path, what="remove", place="0", mark="of another time")
    assert shown.status == 400
    assert len(client.get_bucket_cors(Bucket=bucket)["CORSRules"]) == 2
    shown = administrator.post(path, what="document", document='{"CORSRules":\n [}')
    assert (shown.status, "line 2, column 3" in shown.words) == (400, True)
    shown = administrator.post(path, what="rule", origins="*", methods=["GET"], headers="a*b*")
    assert (shown.status, "wildcard" in shown.words) == (400, True)
    one = {"CORSRules": [{"AllowedOrigins": [f"https://{HOSTILE}"], "AllowedMethods": ["GET"]}]}
    shown = administrator.post(path, what="document", document=json.dumps(one))
    assert "<script>alert" not in shown.text
    assert len(client.get_bucket_cors(Bucket=bucket)["CORSRules"]) == 1
    administrator.post(path, what="document", document="")
    with pytest.raises(ClientError, match="NoSuchCORSConfiguration"):
        client.get_bucket_cors(Bucket=bucket)


def test_tags(administrator: Any, server: LiveServer, bucket: str) -> None:
    client, path = server.client(), f"/buckets/{bucket}/tags"
    administrator.get(path)
    administrator.post(path, key=["project", "", "état"], value=["CMIP6", "x", ""])
    found = client.get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert {row["Key"]: row["Value"] for row in found} == {"project": "CMIP6", "état": ""}
    shown = administrator.post(path, key=["a", "a"], value=["1", "2"])
    assert (shown.status, "once" in shown.words) == (400, True)
    administrator.post(path, key=[""], value=[""])
    with pytest.raises(ClientError, match="NoSuchTagSet"):
        client.get_bucket_tagging(Bucket=bucket)


def test_what_a_reader_may_not_is_not_shown_nor_done(
    user: Callable[..., Any], server: LiveServer, bucket: str
) -> None:
    reader = user("settings-reader", f"reader:{bucket}")
    shown = reader.get(f"/buckets/{bucket}")
    assert shown.status == 200
    assert "/delete" not in shown.text
    assert f'href="/buckets/{bucket}/versioning"' in shown.text
    assert f'href="/buckets/{bucket}/cors"' not in shown.text
    assert reader.get(f"/buckets/{bucket}/cors").status == 403
    quota = reader.get(f"/buckets/{bucket}/quota")
    assert "Quotas are set by administrators" in quota.words
    assert reader.post(f"/buckets/{bucket}/quota", what="bucket", bytes="1").status == 403
    page = reader.get(f"/buckets/{bucket}/versioning")
    assert "To change this needs s3:PutBucketVersioning." in page.words
    shown = reader.post(f"/buckets/{bucket}/versioning", status="Enabled")
    assert (shown.status, "Your policies do not allow this." in shown.words) == (403, True)
    shown = reader.post(f"/buckets/{bucket}/tags", key=["a"], value=["b"])
    assert shown.status == 403
    assert "Status" not in server.client().get_bucket_versioning(Bucket=bucket)


def test_owner_sees_the_quota_but_does_not_set_it(
    user: Callable[..., Any], server: LiveServer
) -> None:
    owner = user("settings-owner", "selfservice")
    server.client(
        aws_access_key_id="settings-owner", aws_secret_access_key="secret-of-the-user"
    ).create_bucket(Bucket="of-the-owner")
    shown = owner.get("/buckets/of-the-owner/quota")
    assert shown.status == 200
    assert "Quotas are set by administrators" in shown.words
    assert owner.post("/buckets/of-the-owner/quota", what="bucket", bytes="1T").status == 403


def test_quotas_of_users_and_of_new_buckets(
    administrator: Any, user: Callable[..., Any], server: LiveServer
) -> None:
    other = user("quota-user", "readwrite", "diagnostics")
    path = "/buckets/_quotas"
    administrator.get(path)
    administrator.post(path, what="user", name="quota-user", bytes="1 KiB", soft="50")
    own = server.client(aws_access_key_id="quota-user", aws_secret_access_key="secret-of-the-user")
    own.create_bucket(Bucket="of-quota-user")
    own.put_object(Bucket="of-quota-user", Key="a", Body=b"x" * 600)
    with pytest.raises(ClientError, match="QuotaExceeded"):
        own.put_object(Bucket="of-quota-user", Key="b", Body=b"x" * 600)
    words = administrator.get(path).words
    assert "quota-user nearly full 59% 600 B of 1.0 KiB (59%)" in words
    administrator.post(path, what="default", objects="7")
    server.client().create_bucket(Bucket="begins-with-quota")
    assert quota_document(server, "begins-with-quota")[0] == (None, 7, None)
    assert "0 of 7 objects" in administrator.get("/buckets/begins-with-quota/quota").words
    assert administrator.post(path, what="default", objects="many").status == 400
    administrator.post(path, what="forget", name="quota-user")
    administrator.post(path, what="default")
    own.put_object(Bucket="of-quota-user", Key="b", Body=b"x" * 600)
    assert "No user has a quota." in administrator.get(path).words
    assert other.get(path).status == 403


def test_uploads_in_progress_are_listed_and_ended(
    administrator: Any, user: Callable[..., Any], server: LiveServer, bucket: str
) -> None:
    client, path = server.client(), f"/buckets/{bucket}/uploads"
    assert "There are none." in administrator.get(path).words
    for key in ("kept", f"a\r\nb%0A{HOSTILE}"):
        client.create_multipart_upload(Bucket=bucket, Key=key)
    shown = administrator.get(path)
    assert "<script>alert" not in shown.text
    assert f'href="{path}"' in administrator.get(f"/buckets/{bucket}").text
    key, upload = (
        unescape(re.findall(rf'name="{name}" value="([^"]*)"', shown.text)[0])
        for name in ("key", "upload")
    )
    shown = administrator.post(path, key=key, upload=upload)
    assert "The upload was ended" in shown.words
    left = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [row["Key"] for row in left] == ["kept"]
    reader = user("uploads-reader", f"reader:{bucket}")
    assert reader.get(path).status == 403
    assert reader.post(path, key="kept", upload=left[0]["UploadId"]).status == 403
    assert len(client.list_multipart_uploads(Bucket=bucket)["Uploads"]) == 1

"""Quotas over S3: who may set and see them, and what a client over its quota is told."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.s3.conftest import ACCESS_KEY, Store, allow

from neve.iam.canned import canned_policy
from neve.iam.policies import Rights, parse_user_policy
from neve.iam.principals import root_principal, user_canonical_id, user_principal

EXCEEDED = (400, "XMinioAdminBucketQuotaExceeded")


def put_quota(store: Store, **limits: Any) -> int:
    return store.signed("PUT", "/data?neve-quota", json.dumps(limits).encode()).status


def usage(store: Store) -> Any:
    return json.loads(store.signed("GET", "/data?neve-usage").body)


def test_a_quota_is_put_read_and_removed(store: Store, s3: Any) -> None:
    assert json.loads(store.signed("GET", "/data?neve-quota").body) == {}
    assert put_quota(store, bytes=1000, soft=50) == 204
    assert json.loads(store.signed("GET", "/data?neve-quota").body) == {"bytes": 1000, "soft": 50}
    assert put_quota(store, objects=3) == 204
    assert json.loads(store.signed("GET", "/data?neve-quota").body) == {"objects": 3}
    assert put_quota(store) == 204
    assert store.signed("GET", "/data?neve-quota").body == b"{}"


def test_usage_shows_the_share_of_the_quota(store: Store, s3: Any) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"12345")
    owners = {root_principal("").canonical_id: {"objects": 1, "bytes": 5}}
    plain = {"bucket": "data", "objects": 1, "bytes": 5, "owners": owners, "prefixes": {}}
    plain |= {"noncurrent_versions": 0, "delete_markers": 0}
    assert usage(store) == plain
    put_quota(store, bytes=9, objects=100, soft=60)
    assert usage(store) == plain | {
        "quota": {"bytes": 9, "objects": 100, "soft": 60},
        "percent": 55,
        "warning": False,
    }
    s3.put_object(Bucket="data", Key="k", Body=b"123456")
    assert usage(store)["warning"] is True


def test_the_refusal_says_which_quota_and_how_much_is_used(store: Store, s3: Any) -> None:
    put_quota(store, bytes=1000)
    s3.put_object(Bucket="data", Key="k", Body=bytes(900))
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="data", Key="more", Body=bytes(101))
    answer = caught.value.response
    assert (answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]) == EXCEEDED
    assert answer["Error"]["Message"] == (
        "Bucket quota exceeded: data may hold 1000 bytes, 900 are used, and this write would add"
        " 101."
    )
    assert (answer["Error"]["Limit"], answer["Error"]["Used"]) == ("1000", "900")
    assert (answer["Error"]["Added"], answer["Error"]["Quota"]) == ("101", "bucket")


def test_every_operation_that_writes_keeps_it(small_parts: Store, code: Any) -> None:
    store = small_parts
    s3 = store.client()
    s3.create_bucket(Bucket="data")
    s3.put_object(Bucket="data", Key="k", Body=bytes(60))
    put_quota(store, bytes=100)
    source = {"Bucket": "data", "Key": "k"}
    assert code(s3.put_object, Bucket="data", Key="n", Body=bytes(41)) == EXCEEDED
    assert code(s3.copy_object, Bucket="data", Key="n", CopySource=source) == EXCEEDED
    upload = s3.create_multipart_upload(Bucket="data", Key="n")["UploadId"]
    part = {"Bucket": "data", "Key": "n", "UploadId": upload}
    assert code(s3.upload_part, **part, PartNumber=1, Body=bytes(41)) == EXCEEDED
    assert code(s3.upload_part_copy, **part, PartNumber=1, CopySource=source) == EXCEEDED
    tag = s3.upload_part(**part, PartNumber=1, Body=bytes(40))["ETag"]
    s3.put_object(Bucket="data", Key="one", Body=b"1")
    complete = {"MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": tag}]}}
    assert code(s3.complete_multipart_upload, **part, **complete) == EXCEEDED
    s3.delete_object(Bucket="data", Key="one")
    s3.complete_multipart_upload(**part, **complete)
    assert code(s3.create_multipart_upload, Bucket="data", Key="m") == EXCEEDED
    form = s3.generate_presigned_post("data", "form")["fields"]
    lines = [
        f'--b\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}' for n, v in form.items()
    ]
    lines.append(
        '--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nx\r\n--b--'
    )
    body = "\r\n".join(lines).encode()
    answer = store.send("POST", "/data", {"content-type": "multipart/form-data; boundary=b"}, body)
    assert (answer.status, b"XMinioAdminBucketQuotaExceeded" in answer.body) == (400, True)
    # What adds nothing passes: other metadata, other tags, fewer bytes.
    replace = {"CopySource": source, "MetadataDirective": "REPLACE", "Metadata": {"a": "b"}}
    s3.copy_object(Bucket="data", Key="k", **replace)
    s3.put_object_tagging(Bucket="data", Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.put_object(Bucket="data", Key="k", Body=bytes(59))
    assert usage(store)["bytes"] == 99


def test_a_body_that_cannot_fit_is_refused_before_it_is_sent(store: Store, s3: Any) -> None:
    put_quota(store, bytes=1000)
    request = store.client().generate_presigned_url(
        "put_object", Params={"Bucket": "data", "Key": "k"}
    )
    target = request.partition(":9000")[2]
    # The body breaks when it is read: an answer about the quota came before that.
    broken = {"pieces": [b""], "error": RuntimeError("the body was read")}
    answer = store.send("PUT", target, {"content-length": "1001"}, **broken)
    assert (answer.status, b"may hold 1000 bytes, 0 are used" in answer.body) == (400, True)
    answer = store.send("PUT", target, {"content-length": "1000"}, **broken)
    assert answer.status == 500


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{",
        b'{"\x9a": 1}',
        b'{"bytes": -1}',
        b'{"bytes": "1G"}',
        b'{"bytes": 1.5}',
        b'{"byte": 1}',
        b'{"soft": 0}',
        b'{"soft": 101}',
        b'{"prefixes": {"": {}}}',
        b'{"prefixes": {"a": {"prefixes": {}}}}',
        b'{"prefixes": {%s}}' % b",".join(b'"%d": {}' % number for number in range(101)),
        b'{"objects": 1152921504606846977}',
    ],
)
def test_what_is_no_quota_is_refused(store: Store, s3: Any, document: bytes) -> None:
    answer = store.signed("PUT", "/data?neve-quota", document)
    assert (answer.status, b"<Code>InvalidArgument</Code>" in answer.body) == (400, True)
    assert store.signed("GET", "/data?neve-quota").body == b"{}"


def test_who_has_no_part_in_it_neither_sets_nor_sees_quotas(store: Store, s3: Any) -> None:
    allow(s3, "s3:*")
    for method, resource in (("GET", "quota"), ("PUT", "quota"), ("GET", "usage")):
        answer = store.send(method, f"/data?neve-{resource}", {}, b"{}" if method == "PUT" else b"")
        assert answer.status == 403, (method, resource)
        assert store.signed(method, f"/data?neve-{resource}", b"{}").status in (200, 204)
        assert store.signed(method, f"/absent?neve-{resource}", b"{}").status == 404


def store_quota(store: Store, **document: Any) -> int:
    return store.signed("PUT", "/?neve-quota", json.dumps(document).encode()).status


def test_quotas_of_users_and_the_default_change_one_by_one(store: Store, s3: Any) -> None:
    def shown() -> Any:
        return json.loads(store.signed("GET", "/?neve-quota").body)

    assert shown() == {"users": {}, "default": None}
    assert store_quota(store, users={"ada": {"bytes": 9}, "bob": {"objects": 1}}) == 204
    assert store_quota(store, default={"bytes": 5, "soft": 50}) == 204
    assert store_quota(store, users={"bob": None}) == 204
    assert shown() == {"users": {"ada": {"bytes": 9}}, "default": {"bytes": 5, "soft": 50}}
    s3.create_bucket(Bucket="new")
    limits = {"bytes": 5, "soft": 50}
    assert json.loads(store.signed("GET", "/new?neve-quota").body) == limits
    assert store_quota(store, default=None) == 204
    assert shown()["default"] is None
    for document in ({"users": {"": {}}}, {"other": 1}, {"users": {"a": {"bytes": -1}}}, []):
        answer = store.signed("PUT", "/?neve-quota", json.dumps(document).encode())
        assert (answer.status, b"InvalidArgument" in answer.body) == (400, True)


def test_usage_by_prefix_and_owner(store: Store, s3: Any) -> None:
    allow(s3, "s3:PutObject")
    s3.put_object(Bucket="data", Key="a/1", Body=b"12345")
    assert store.send("PUT", "/data/a/2", {}, b"123").status == 200
    assert put_quota(store, prefixes={"a/": {"bytes": 10, "soft": 80}, "b/": {}}) == 204
    found = usage(store)
    root = root_principal("").canonical_id
    assert found == {
        "bucket": "data",
        "objects": 2,
        "bytes": 8,
        "noncurrent_versions": 0,
        "delete_markers": 0,
        "owners": {root: {"objects": 2, "bytes": 8}},
        "prefixes": {
            "a/": {
                "objects": 2,
                "bytes": 8,
                "quota": {"bytes": 10, "soft": 80},
                "percent": 80,
                "warning": True,
            },
            "b/": {"objects": 0, "bytes": 0},
        },
    }
    assert store_quota(store, users={"ada": {"bytes": 9}}) == 204
    everything = json.loads(store.signed("GET", "/?neve-usage").body)
    assert everything["buckets"] == {"data": {"objects": 2, "bytes": 8}}
    assert everything["owners"] == {
        root: {"objects": 2, "bytes": 8},
        user_canonical_id("ada"): {
            "objects": 0,
            "bytes": 0,
            "quota": {"bytes": 9},
            "percent": 0,
            "warning": False,
            "name": "ada",
        },
    }


def test_what_nobody_in_particular_writes_counts_for_the_owner_of_the_bucket(
    small_parts: Store, code: Any
) -> None:
    """Else a user would leave its quota by opening a bucket of its own to all."""
    store = small_parts
    everything = canned_policy("readwrite")
    assert everything is not None
    ada = user_principal("ada", Rights((parse_user_policy(everything.document, "readwrite"),)))
    assert store_quota(store, users={"ada": {"bytes": 5}}) == 204
    store.pipeline.principal_of = lambda key: ada
    hers, anonymous = store.client(), store.client(anonymous=True)
    hers.create_bucket(Bucket="hers")
    allow(hers, "s3:PutObject", bucket="hers")
    k = {"Bucket": "hers", "Key": "a"}
    upload = anonymous.create_multipart_upload(**k)["UploadId"]
    sent = {**k, "UploadId": upload}
    assert code(anonymous.upload_part, **sent, PartNumber=1, Body=b"123456") == EXCEEDED
    part = anonymous.upload_part(**sent, PartNumber=1, Body=b"12345")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    anonymous.complete_multipart_upload(**sent, MultipartUpload=parts)
    assert code(anonymous.put_object, Bucket="hers", Key="b", Body=b"1") == EXCEEDED
    found = json.loads(store.signed("GET", "/?neve-usage").body)["owners"]
    assert {owner: used["bytes"] for owner, used in found.items()} == {ada.canonical_id: 5}


def test_a_prefix_over_its_quota_is_named(store: Store, s3: Any) -> None:
    put_quota(store, prefixes={"a/": {"objects": 1}})
    s3.put_object(Bucket="data", Key="a/1", Body=b"")
    s3.put_object(Bucket="data", Key="b/1", Body=b"")
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket="data", Key="a/2", Body=b"")
    assert caught.value.response["Error"]["Message"] == (
        "Prefix quota exceeded: a/ of bucket data may hold 1 objects, 1 are used, and this write"
        " would add 1."
    )


def test_what_the_store_is_told_is_roots_matter(store: Store, s3: Any) -> None:
    for method, resource in (("GET", "quota"), ("PUT", "quota"), ("GET", "usage")):
        assert store.send(method, f"/?neve-{resource}", {}, b"").status == 403


ADMINISTRATOR = json.dumps(
    {
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["admin:SetBucketQuota", "admin:GetBucketQuota", "admin:DataUsageInfo"],
            }
        ]
    }
).encode()


def test_owners_read_and_administrators_set(store: Store, s3: Any) -> None:
    """Neither needs the other's rights; the owner cannot lift the quota of its own bucket."""
    selfservice = canned_policy("selfservice")
    assert selfservice is not None
    everything = Rights((parse_user_policy(selfservice.document, "selfservice"),))
    administers = Rights((parse_user_policy(ADMINISTRATOR, "quotas"),))
    people = {
        "owner": user_principal("owner", everything),
        "administrator": user_principal("administrator", administers),
        "other": user_principal("other", everything),
        ACCESS_KEY: root_principal(ACCESS_KEY),
    }
    who = [""]
    store.pipeline.principal_of = lambda key: people[who[0]]

    def ask(name: str, method: str, resource: str, bucket: str = "hers") -> int:
        who[0] = name
        body = b'{"bytes": 9}' if method == "PUT" else b""
        return store.signed(method, f"/{bucket}?neve-{resource}", body).status

    who[0], hers = "owner", people["owner"].canonical_id
    store.client().create_bucket(Bucket="hers")
    requests = (("GET", "quota"), ("GET", "usage"), ("PUT", "quota"))
    allowed = {
        "owner": [200, 200, 403],
        "administrator": [200, 200, 204],
        "other": [403, 403, 403],
        ACCESS_KEY: [200, 200, 204],
    }
    for name, statuses in allowed.items():
        assert [ask(name, *request) for request in requests] == statuses, name
        root = name == ACCESS_KEY
        # Of the whole store everybody sees what is its own, and who may see all does.
        assert [ask(name, *request, bucket="") for request in requests] == (
            [200, 200, 400] if root else [403, 200, 403]
        )
        found = json.loads(store.signed("GET", "/?neve-usage").body)
        id = people[name].canonical_id
        seen = {"owner": (["hers"], [id]), "other": ([], [id])}
        everybody = [people[ACCESS_KEY].canonical_id, hers]
        wanted = seen.get(name, (["data", "hers"], everybody))
        assert (list(found["buckets"]), list(found["owners"])) == wanted
    people["owner"] = user_principal("owner", everything, limit=everything)
    assert ask("owner", "GET", "usage", bucket="") == 403

"""ACLs over the protocol: set by canned name, header and document; obeyed for whoever asks.

Callers are root, the anonymous, and two users who have no right but what ACLs and policies give.
"""

import json
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from tests.s3.conftest import ACCESS_KEY, Store, allow

from neve.iam.canned import canned_policy
from neve.iam.policies import Rights, parse_user_policy
from neve.iam.principals import root_principal, user_principal
from neve.s3.metadata import unpack

ALL = "http://acs.amazonaws.com/groups/global/AllUsers"
AUTHENTICATED = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"
PEOPLE = ("amy", "bob")
IDS = {name: user_principal(name).canonical_id for name in PEOPLE}
ROOT = root_principal("").canonical_id
CANNED = (
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
)
DENIED = (403, "AccessDenied")
K = {"Bucket": "data", "Key": "k"}
Code = Callable[..., Any]


SELFSERVICE = canned_policy("selfservice")
assert SELFSERVICE is not None
OWNERS = Rights((parse_user_policy(SELFSERVICE.document, "selfservice"),))
"""What people may do besides what ACLs say: all with what they own."""


@pytest.fixture
def people(store: Store) -> dict[str, Any]:
    """Clients by name: root, amy, bob, anonymous."""
    known = {ROOT, *IDS.values()}
    store.pipeline.principal_of = lambda key: (
        root_principal(key) if key == ACCESS_KEY else user_principal(key, OWNERS)
    )
    store.pipeline.known_canonical_id = known.__contains__
    clients = {"root": store.client(), "anonymous": store.client(anonymous=True)}
    for name in PEOPLE:
        store.secrets[name] = f"secret of {name}"
        clients[name] = store.client()
        clients[name]._request_signer._credentials = Credentials(name, store.secrets[name])
    return clients


def may(function: Callable[..., Any], **arguments: Any) -> bool:
    """Whether it is allowed; a refusal must be AccessDenied and nothing else."""
    try:
        answer = function(**arguments)
    except ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        assert status == 403, error
        return False
    # DeleteObjects refuses keys one by one to who may delete something somewhere.
    refused = [error["Code"] for error in answer.get("Errors", [])]
    assert set(refused) <= {"AccessDenied"}
    return not refused


def granted(answer: dict[str, Any]) -> set[tuple[str, str]]:
    """(grantee, permission) of an ACL as boto3 returns it."""
    return {
        (grant["Grantee"].get("ID") or grant["Grantee"]["URI"], grant["Permission"])
        for grant in answer["Grants"]
    }


def document(owner: str, *grants: tuple[str, str]) -> dict[str, Any]:
    def grantee(name: str) -> dict[str, str]:
        if name.startswith("http"):
            return {"Type": "Group", "URI": name}
        return {"Type": "CanonicalUser", "ID": name}

    return {
        "Owner": {"ID": owner},
        "Grants": [{"Grantee": grantee(name), "Permission": what} for name, what in grants],
    }


def code_of(body: bytes) -> str:
    return body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


def test_what_has_no_acl_is_private(s3: Any, people: dict[str, Any]) -> None:
    s3.put_object(**K, Body=b"x")
    owner = s3.list_buckets()["Owner"]
    for acl in (s3.get_bucket_acl(Bucket="data"), s3.get_object_acl(**K)):
        assert acl["Owner"] == owner
        grantee = {"Type": "CanonicalUser", **owner}
        assert acl["Grants"] == [{"Grantee": grantee, "Permission": "FULL_CONTROL"}]
    for name in ("anonymous", "amy"):
        client = people[name]
        assert not may(client.list_objects_v2, Bucket="data")
        assert not may(client.get_object, **K)
        assert not may(client.get_object_acl, **K)
        assert not may(client.get_bucket_acl, Bucket="data")


# Who may do what under which ACL, from AWS's table of canned ACLs.
LISTERS = {
    "public-read": {"anonymous", "amy"},
    "public-read-write": {"anonymous", "amy"},
    "authenticated-read": {"amy"},
}
WRITERS = {"public-read-write": {"anonymous", "amy"}}


@pytest.mark.parametrize("acl", CANNED)
def test_a_canned_acl_of_a_bucket_opens_just_what_it_says(
    s3: Any, people: dict[str, Any], acl: str
) -> None:
    s3.put_object(**K, Body=b"secret")
    s3.put_bucket_acl(Bucket="data", ACL=acl)
    for name in ("anonymous", "amy"):
        client = people[name]
        lists, writes = name in LISTERS.get(acl, ()), name in WRITERS.get(acl, ())
        assert may(client.list_objects_v2, Bucket="data") is lists
        assert may(client.list_objects, Bucket="data") is lists
        assert may(client.list_object_versions, Bucket="data") is lists
        assert may(client.list_multipart_uploads, Bucket="data") is lists
        assert may(client.head_bucket, Bucket="data") is lists
        assert may(client.put_object, Bucket="data", Key=name, Body=b"") is writes
        assert may(client.create_multipart_upload, Bucket="data", Key=name) is writes
        assert may(client.delete_object, Bucket="data", Key=name) is writes
        # A grant on the bucket never reads an object, nor says anything about either's ACL.
        assert not may(client.get_object, **K)
        assert not may(client.head_object, **K)
        assert not may(client.get_object_acl, **K)
        assert not may(client.put_object_acl, **K, ACL="public-read")
        assert not may(client.get_bucket_acl, Bucket="data")
        assert not may(client.put_bucket_acl, Bucket="data", ACL="private")
        assert not may(client.delete_bucket, Bucket="data")
        assert not may(client.get_bucket_policy, Bucket="data")
    assert s3.get_object(**K)["Body"].read() == b"secret"


@pytest.mark.parametrize("acl", CANNED)
def test_a_canned_acl_of_an_object_opens_just_what_it_says(
    s3: Any, people: dict[str, Any], acl: str
) -> None:
    s3.put_object(**K, Body=b"data", ACL=acl)
    s3.put_object(Bucket="data", Key="other", Body=b"secret")
    for name in ("anonymous", "amy"):
        client, reads = people[name], name in LISTERS.get(acl, ())
        assert may(client.get_object, **K) is reads
        assert may(client.head_object, **K) is reads
        assert may(client.get_object, **K, VersionId="null") is reads
        assert may(client.get_object_attributes, **K, ObjectAttributes=["ETag"]) is reads
        assert not may(client.get_object, Bucket="data", Key="other")
        assert not may(client.get_object, Bucket="data", Key="absent")
        assert not may(client.put_object, **K, Body=b"spoilt")
        assert not may(client.delete_object, **K)
        assert not may(client.get_object_acl, **K)
        assert not may(client.put_object_acl, **K, ACL="public-read")
        assert not may(client.get_object_tagging, **K)
        assert not may(client.list_objects_v2, Bucket="data")
    assert s3.get_object(**K)["Body"].read() == b"data"


def test_an_acl_by_which_everybody_has_everything_still_keeps_the_owners_business(
    s3: Any, people: dict[str, Any], store: Store
) -> None:
    s3.put_object(**K, Body=b"x")
    everything = document(ROOT, (ALL, "FULL_CONTROL"))
    s3.put_bucket_acl(Bucket="data", AccessControlPolicy=everything)
    s3.put_object_acl(**K, AccessControlPolicy=everything)
    anonymous = people["anonymous"]
    assert may(anonymous.get_object, **K)
    assert granted(anonymous.get_object_acl(**K)) == {(ALL, "FULL_CONTROL")}
    assert granted(anonymous.get_bucket_acl(Bucket="data")) == {(ALL, "FULL_CONTROL")}
    for method, target in (
        ("DELETE", "/data"),
        ("PUT", "/data?policy"),
        ("GET", "/data?policy"),
        ("DELETE", "/data?policy"),
        ("GET", "/data?location"),
        ("PUT", "/data?publicAccessBlock"),
        ("DELETE", "/data?publicAccessBlock"),
        ("PUT", "/data?ownershipControls"),
        ("PUT", "/data?neve-options"),
        ("GET", "/data?neve-options"),
        ("GET", "/data/k?tagging"),
        ("DELETE", "/data/k?versionId=null"),
        ("PUT", "/elsewhere"),
        ("GET", "/"),
    ):
        answer = store.send(method, target)
        assert (answer.status, code_of(answer.body)) == DENIED, (method, target)
    anonymous.put_object_acl(**K, ACL="private")
    anonymous.put_bucket_acl(Bucket="data", ACL="private")
    assert not may(anonymous.get_object, **K)
    assert not may(anonymous.get_bucket_acl, Bucket="data")


def test_grants_name_users_one_by_one(s3: Any, people: dict[str, Any]) -> None:
    amy, bob = people["amy"], people["bob"]
    calls = {
        "READ": lambda c: may(c.get_object, **K),
        "READ_ACP": lambda c: may(c.get_object_acl, **K),
        "WRITE_ACP": lambda c: may(c.put_object_acl, **K, ACL="private"),
    }
    for permission, allowed in product((*calls, "FULL_CONTROL"), calls):
        s3.put_object(**K, Body=b"x")
        grants = document(ROOT, (ROOT, "FULL_CONTROL"), (IDS["amy"], permission))
        s3.put_object_acl(**K, AccessControlPolicy=grants)
        assert calls[allowed](amy) is (permission in (allowed, "FULL_CONTROL"))
        assert not calls[allowed](bob)


def test_grant_headers_are_read_in_all_their_spellings(s3: Any, people: dict[str, Any]) -> None:
    amy, bob = IDS["amy"], IDS["bob"]
    s3.put_object(
        **K,
        GrantRead=f'id="{amy}", uri="{AUTHENTICATED}"',
        GrantReadACP=f"id={bob},id={amy}",
        GrantWriteACP=f" ID = {bob} ",
        GrantFullControl=f'uri={ALL} , id="{ROOT}"',
    )
    assert granted(s3.get_object_acl(**K)) == {
        (amy, "READ"),
        (AUTHENTICATED, "READ"),
        (bob, "READ_ACP"),
        (amy, "READ_ACP"),
        (bob, "WRITE_ACP"),
        (ALL, "FULL_CONTROL"),
        (ROOT, "FULL_CONTROL"),
    }
    s3.put_bucket_acl(Bucket="data", GrantWrite=f"id={amy}")
    assert granted(s3.get_bucket_acl(Bucket="data")) == {(amy, "WRITE")}
    s3.create_bucket(Bucket="given", GrantRead=f'uri="{ALL}"')
    assert granted(s3.get_bucket_acl(Bucket="given")) == {(ALL, "READ")}
    assert may(people["anonymous"].list_objects_v2, Bucket="given")


def test_a_document_is_returned_as_it_was_put_and_may_grant_nothing(s3: Any) -> None:
    sent = [(ALL, "READ"), (ROOT, "FULL_CONTROL")]
    s3.put_object(**K, Body=b"x")
    for put, get, where in (
        (s3.put_bucket_acl, s3.get_bucket_acl, {"Bucket": "data"}),
        (s3.put_object_acl, s3.get_object_acl, K),
    ):
        put(**where, AccessControlPolicy=document(ROOT, *sent, *sent))
        answer = get(**where)
        assert granted(answer) == set(sent)
        assert len(answer["Grants"]) == len(sent)
        put(**where, AccessControlPolicy=document(ROOT))
        assert get(**where)["Grants"] == []
        assert get(**where)["Owner"]["ID"] == ROOT
    assert may(s3.get_object, **K)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"ACL": "public"}, (400, "InvalidArgument")),
        ({"ACL": "log-delivery-write"}, (501, "NotImplemented")),
        ({"ACL": "private", "GrantRead": f"id={ROOT}"}, (400, "InvalidRequest")),
        ({"GrantRead": "id=" + "0" * 64}, (400, "InvalidArgument")),
        ({"GrantRead": "nonsense"}, (400, "InvalidArgument")),
        ({"GrantRead": 'id="unclosed'}, (400, "InvalidArgument")),
        ({"GrantRead": f"id={ROOT};id={ROOT}"}, (400, "InvalidArgument")),
        ({"GrantRead": "name=root"}, (400, "InvalidArgument")),
        ({"GrantRead": "uri=http://acs.amazonaws.com/groups/global/All"}, (400, "InvalidArgument")),
        ({"GrantRead": "emailAddress=a@b.c"}, (400, "UnresolvableGrantByEmailAddress")),
        ({"GrantRead": ", ".join([f"id={ROOT}"] * 101)}, (400, "MalformedACLError")),
        ({}, (400, "MissingSecurityHeader")),
    ],
)
def test_headers_that_cannot_be_obeyed_are_refused(
    s3: Any, code: Code, arguments: dict[str, Any], expected: tuple[int, str]
) -> None:
    s3.put_object(**K, Body=b"x")
    assert code(s3.put_bucket_acl, Bucket="data", **arguments) == expected
    assert code(s3.put_object_acl, **K, **arguments) == expected
    if arguments:
        assert code(s3.create_bucket, Bucket="another", **arguments) == expected
        where = {"Bucket": "data", "Key": "new"}
        assert code(s3.put_object, **where, **arguments) == expected
        assert code(s3.create_multipart_upload, **where, **arguments) == expected
        assert code(s3.copy_object, **where, CopySource="data/k", **arguments) == expected
    assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["data"]
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="data")["Contents"]] == ["k"]
    assert granted(s3.get_bucket_acl(Bucket="data")) == {(ROOT, "FULL_CONTROL")}
    assert granted(s3.get_object_acl(**K)) == {(ROOT, "FULL_CONTROL")}


OWNER = f"<Owner><ID>{ROOT}</ID></Owner>"
GOOD = f"<Grant><Grantee><URI>{ALL}</URI></Grantee><Permission>READ</Permission></Grant>"


def policy(inner: str) -> str:
    return f"<AccessControlPolicy>{inner}</AccessControlPolicy>"


def grant(grantee: str, permission: str = "READ") -> str:
    inner = f"<Grant><Grantee>{grantee}</Grantee><Permission>{permission}</Permission></Grant>"
    return policy(f"{OWNER}<AccessControlList>{inner}</AccessControlList>")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<Access", (400, "MalformedACLError")),
        ("<Tagging/>", (400, "MalformedACLError")),
        (policy(""), (400, "MalformedACLError")),
        (policy(OWNER), (400, "MalformedACLError")),
        (policy(f"<AccessControlList>{GOOD}</AccessControlList>"), (400, "MalformedACLError")),
        (policy(f"{OWNER}<AccessControlList><Grunt/></AccessControlList>"),
         (400, "MalformedACLError")),
        (policy(f"{OWNER}<AccessControlList>{GOOD * 101}</AccessControlList>"),
         (400, "MalformedACLError")),
        (policy(f"<Owner><ID>{IDS['amy']}</ID></Owner><AccessControlList/>"), DENIED),
        (grant(f"<URI>{ALL}</URI>", "READ_WRITE"), (400, "MalformedACLError")),
        (grant(f"<URI>{ALL}</URI>", ""), (400, "MalformedACLError")),
        (grant(""), (400, "MalformedACLError")),
        (grant(f"<ID>{ROOT}</ID><URI>{ALL}</URI>"), (400, "MalformedACLError")),
        (grant("<ID>_foo</ID>"), (400, "InvalidArgument")),
        (grant("<ID></ID>"), (400, "InvalidArgument")),
        (grant("<URI>http://acs.amazonaws.com/groups/s3/LogDelivery</URI>"),
         (501, "NotImplemented")),
        (grant("<EmailAddress>a@b.c</EmailAddress>"), (400, "UnresolvableGrantByEmailAddress")),
    ],
)  # fmt: skip
def test_documents_that_cannot_be_obeyed_are_refused(
    store: Store, s3: Any, body: str, expected: tuple[int, str]
) -> None:
    s3.put_object(**K, Body=b"x")
    for target in ("/data?acl", "/data/k?acl"):
        answer = store.signed("PUT", target, body.encode())
        assert (answer.status, code_of(answer.body)) == expected
    assert granted(s3.get_bucket_acl(Bucket="data")) == {(ROOT, "FULL_CONTROL")}
    assert granted(s3.get_object_acl(**K)) == {(ROOT, "FULL_CONTROL")}


def test_a_hundred_grants_are_taken(store: Store, s3: Any) -> None:
    body = policy(f"{OWNER}<AccessControlList>{GOOD * 100}</AccessControlList>").encode()
    assert store.signed("PUT", "/data?acl", body).status == 200
    assert granted(s3.get_bucket_acl(Bucket="data")) == {(ALL, "READ")}


def test_an_acl_comes_in_headers_or_in_the_body_not_in_both(store: Store, s3: Any) -> None:
    body = policy(f"{OWNER}<AccessControlList/>").encode()
    answer = store.signed("PUT", "/data?acl", body, {"x-amz-acl": "private"})
    assert (answer.status, code_of(answer.body)) == (400, "UnexpectedContent")


def test_a_document_type_in_an_acl_is_refused(store: Store, s3: Any) -> None:
    body = b'<!DOCTYPE a [<!ENTITY e "x">]>' + grant("<ID>&e;</ID>").encode()
    answer = store.signed("PUT", "/data?acl", body)
    assert (answer.status, code_of(answer.body)) == (400, "MalformedACLError")


def test_an_acl_changes_nothing_else_of_an_object(small_parts: Store) -> None:
    s3 = small_parts.client()
    s3.create_bucket(Bucket="data")
    kept = {
        "ContentType": "text/plain",
        "CacheControl": "no-cache",
        "Metadata": {"a": "1"},
        "Tagging": "t=1",
        "StorageClass": "STANDARD_IA",
        "ChecksumAlgorithm": "SHA256",
    }
    for size in (0, 1, 5_000, (1 << 20) + 1):
        s3.put_object(Bucket="data", Key=f"{size}", Body=b"x" * size, **kept)
    upload = s3.create_multipart_upload(Bucket="data", Key="multi", Metadata={"m": "2"})["UploadId"]
    where = {"Bucket": "data", "Key": "multi", "UploadId": upload}
    parts = [
        {"PartNumber": n, "ETag": s3.upload_part(**where, PartNumber=n, Body=b"p" * n)["ETag"]}
        for n in (1, 2)
    ]
    s3.complete_multipart_upload(**where, MultipartUpload={"Parts": parts})

    def seen(key: str) -> Any:
        answer = s3.get_object(Bucket="data", Key=key, ChecksumMode="ENABLED")
        headers = dict(answer["ResponseMetadata"]["HTTPHeaders"])
        return headers, answer["Body"].read()

    listing = s3.list_objects_v2(Bucket="data")["Contents"]
    for key in (entry["Key"] for entry in listing):
        before = seen(key)
        assert not any("acl" in name for name in before[0])
        for acl in ("public-read", "authenticated-read", "private"):
            s3.put_object_acl(Bucket="data", Key=key, ACL=acl)
            assert seen(key) == before
    assert s3.list_objects_v2(Bucket="data")["Contents"] == listing


def test_what_is_private_again_is_stored_as_if_it_never_was_public(store: Store, s3: Any) -> None:
    s3.put_object(**K, Body=b"x")
    bucket = store.engine.bucket("data")
    plain = unpack(store.engine.head(bucket, "k").meta)
    assert "acl" not in plain
    s3.put_object_acl(**K, ACL="public-read")
    s3.put_bucket_acl(Bucket="data", ACL="public-read")
    assert "acl" in unpack(store.engine.head(bucket, "k").meta)
    assert "acl" in store.engine.bucket("data").options
    s3.put_object_acl(**K, ACL="private")
    s3.put_bucket_acl(Bucket="data", ACL="private")
    assert unpack(store.engine.head(bucket, "k").meta) == plain
    assert store.engine.bucket("data").options == {}


def test_an_overwrite_or_a_copy_starts_private(s3: Any, people: dict[str, Any]) -> None:
    anonymous = people["anonymous"]
    s3.put_object(**K, Body=b"one", ACL="public-read")
    s3.copy_object(Bucket="data", Key="copy", CopySource="data/k")
    s3.copy_object(Bucket="data", Key="public", CopySource="data/k", ACL="public-read")
    s3.copy_object(Bucket="data", Key="replaced", CopySource="data/k", MetadataDirective="REPLACE")
    assert may(anonymous.get_object, **K)
    assert may(anonymous.get_object, Bucket="data", Key="public")
    assert not may(anonymous.get_object, Bucket="data", Key="copy")
    assert not may(anonymous.get_object, Bucket="data", Key="replaced")
    s3.put_object(**K, Body=b"two")
    assert not may(anonymous.get_object, **K)


def test_an_object_in_parts_has_the_acl_it_was_begun_with(
    small_parts: Store,
) -> None:
    s3, anonymous = small_parts.client(), small_parts.client(anonymous=True)
    s3.create_bucket(Bucket="data")
    for acl, readable in (("public-read", True), ("private", False)):
        upload = s3.create_multipart_upload(**K, ACL=acl)["UploadId"]
        part = s3.upload_part(**K, UploadId=upload, PartNumber=1, Body=b"p")
        parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        s3.complete_multipart_upload(**K, UploadId=upload, MultipartUpload=parts)
        assert may(anonymous.get_object, **K) is readable


def test_an_absent_key_is_404_for_who_may_list_and_403_for_others(
    s3: Any, people: dict[str, Any], code: Code
) -> None:
    absent = {"Bucket": "data", "Key": "nope"}
    for acl, anonymous, amy in (
        ("private", DENIED, DENIED),
        ("public-read", (404, "NoSuchKey"), (404, "NoSuchKey")),
        ("authenticated-read", DENIED, (404, "NoSuchKey")),
    ):
        s3.put_bucket_acl(Bucket="data", ACL=acl)
        assert code(people["anonymous"].get_object, **absent) == anonymous
        assert code(people["amy"].get_object, **absent) == amy
        assert code(people["amy"].get_object_acl, **absent) == amy
        source = {"Bucket": "data", "Key": "nope"}
        s3.put_bucket_acl(Bucket="data", GrantWrite=f"id={IDS['bob']}")
        assert code(people["bob"].copy_object, **K, CopySource=source) == DENIED
    # What is there but not the caller's is 403 even to who may list.
    s3.put_bucket_acl(Bucket="data", ACL="public-read")
    s3.put_object(**K, Body=b"x")
    assert code(people["anonymous"].get_object, **K) == DENIED


def test_a_copy_needs_the_right_to_read_its_source(s3: Any, people: dict[str, Any]) -> None:
    amy = people["amy"]
    s3.create_bucket(Bucket="drop", ACL="public-read-write")
    s3.put_object(**K, Body=b"secret")
    target = {"Bucket": "drop", "Key": "copy", "CopySource": "data/k"}
    upload = amy.create_multipart_upload(Bucket="drop", Key="parts")["UploadId"]
    part = {"Bucket": "drop", "Key": "parts", "UploadId": upload, "PartNumber": 1}
    assert not may(amy.copy_object, **target)
    assert not may(amy.upload_part_copy, **part, CopySource="data/k")
    s3.put_object_acl(**K, ACL="authenticated-read")
    assert may(amy.copy_object, **target)
    assert may(amy.upload_part_copy, **part, CopySource="data/k")
    assert amy.get_object(Bucket="drop", Key="copy")["Body"].read() == b"secret"
    assert not may(people["anonymous"].copy_object, **target)


def test_many_are_deleted_by_who_may_write(s3: Any, people: dict[str, Any]) -> None:
    for key in ("a", "b"):
        s3.put_object(Bucket="data", Key=key, Body=b"x")
    wanted = {"Bucket": "data", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b"}]}}
    amy = people["amy"]
    s3.put_bucket_acl(Bucket="data", ACL="public-read")
    assert not may(amy.delete_objects, **wanted)
    s3.put_bucket_acl(Bucket="data", GrantWrite=f"id={IDS['amy']}")
    assert not may(people["anonymous"].delete_objects, **wanted)
    assert not may(people["bob"].delete_objects, **wanted)
    assert {entry["Key"] for entry in amy.delete_objects(**wanted)["Deleted"]} == {"a", "b"}
    assert "Contents" not in s3.list_objects_v2(Bucket="data")


def deny(s3: Any, *actions: str) -> None:
    allow(s3, *actions, effect="Deny")


def test_a_deny_of_the_policy_overrules_an_acl(s3: Any, people: dict[str, Any]) -> None:
    s3.put_bucket_acl(Bucket="data", ACL="public-read-write")
    s3.put_object(**K, Body=b"x", ACL="public-read")
    anonymous = people["anonymous"]
    assert may(anonymous.get_object, **K)
    deny(s3, "s3:GetObject", "s3:PutObject", "s3:ListBucket")
    assert not may(anonymous.get_object, **K)
    assert not may(anonymous.put_object, Bucket="data", Key="new", Body=b"")
    assert not may(anonymous.list_objects_v2, Bucket="data")
    # Who is denied the listing is not told what is absent either.
    assert not may(anonymous.get_object, Bucket="data", Key="absent")
    assert may(anonymous.delete_object, Bucket="data", Key="absent")


def test_policy_and_acl_add_up(s3: Any, people: dict[str, Any], code: Code) -> None:
    anonymous = people["anonymous"]
    s3.put_object(**K, Body=b"x")
    s3.put_object(Bucket="data", Key="public", Body=b"x", ACL="public-read")
    allow(s3, "s3:ListBucket")
    assert may(anonymous.list_objects_v2, Bucket="data")
    assert may(anonymous.get_object, Bucket="data", Key="public")
    assert not may(anonymous.get_object, **K)
    assert code(anonymous.get_object, Bucket="data", Key="nope") == (404, "NoSuchKey")
    allow(s3, "s3:GetObject")
    assert may(anonymous.get_object, **K)
    assert not may(anonymous.list_objects_v2, Bucket="data")


def test_policy_conditions_see_the_acl_that_is_asked_for(s3: Any, people: dict[str, Any]) -> None:
    statement = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::data/*",
        "Condition": {"StringLike": {"s3:x-amz-acl": "public*"}},
    }
    s3.put_bucket_policy(Bucket="data", Policy=json.dumps({"Statement": [statement]}))
    s3.put_bucket_acl(Bucket="data", ACL="public-read-write")
    for client in (people["root"], people["amy"]):
        assert may(client.put_object, **K, Body=b"x")
        assert may(client.put_object, **K, Body=b"x", ACL="authenticated-read")
        assert not may(client.put_object, **K, Body=b"x", ACL="public-read")


def test_publishing_needs_the_right_to_set_acls(s3: Any, people: dict[str, Any]) -> None:
    """An open drop box must not become a public download."""
    anonymous, amy = people["anonymous"], people["amy"]
    allow(s3, "s3:PutObject", "s3:GetObject")
    for acl in ("private", "bucket-owner-read", "bucket-owner-full-control"):
        assert may(anonymous.put_object, **K, Body=b"x", ACL=acl)
    for acl in ("public-read", "public-read-write", "authenticated-read"):
        assert not may(anonymous.put_object, **K, Body=b"x", ACL=acl)
        assert not may(anonymous.create_multipart_upload, **K, ACL=acl)
        assert not may(anonymous.copy_object, **K, CopySource="data/k", ACL=acl)
        # A user owns what it writes, and its ACL with it.
        assert may(amy.put_object, Bucket="data", Key="amys", Body=b"x", ACL=acl)
    allow(s3, "s3:PutObject", "s3:PutObjectAcl")
    assert may(anonymous.put_object, **K, Body=b"x", ACL="public-read")
    # A bucket that is open to all by its ACL is open for this too.
    s3.delete_bucket_policy(Bucket="data")
    s3.put_bucket_acl(Bucket="data", ACL="public-read-write")
    assert may(anonymous.put_object, **K, Body=b"x", ACL="public-read")
    deny(s3, "s3:PutObjectAcl")
    for client in (anonymous, amy, s3):
        assert not may(client.put_object, **K, Body=b"x", ACL="public-read")
        assert may(client.put_object, **K, Body=b"x")


def test_objects_belong_to_their_writer_and_those_of_nobody_to_the_bucket_owner(
    s3: Any, store: Store, people: dict[str, Any]
) -> None:
    s3.put_bucket_acl(Bucket="data", ACL="public-read-write")
    amy, bob = people["amy"], people["bob"]
    amy.put_object(**K, Body=b"amy's")
    assert s3.get_object_acl(**K)["Owner"]["ID"] == IDS["amy"]
    assert granted(amy.get_object_acl(**K)) == {(IDS["amy"], "FULL_CONTROL")}
    assert may(amy.get_object, **K)
    assert not may(bob.get_object, **K)
    amy.put_object_acl(**K, GrantRead=f"id={IDS['bob']}")
    assert may(bob.get_object, **K)
    assert s3.get_object_acl(**K)["Owner"]["ID"] == IDS["amy"]
    # What a user owns it rules by its policies, not by grants to itself.
    assert may(amy.get_object, **K)
    store.pipeline.principal_of = lambda key: (
        root_principal(key) if key == ACCESS_KEY else user_principal(key)
    )
    assert not may(amy.get_object, **K)
    assert not may(amy.get_object_acl, **K)
    assert may(bob.get_object, **K)
    people["anonymous"].put_object(**K, Body=b"nobody's")
    assert s3.get_object_acl(**K)["Owner"]["ID"] == ROOT
    assert not may(amy.get_object, **K)
    assert not may(people["anonymous"].get_object, **K)


def test_with_bucket_owner_preferred_full_control_hands_the_object_over(
    s3: Any, people: dict[str, Any]
) -> None:
    s3.put_bucket_acl(Bucket="data", ACL="public-read-write")
    amy = people["amy"]
    for ownership, owner in (("BucketOwnerPreferred", ROOT), ("ObjectWriter", IDS["amy"])):
        rules = {"Rules": [{"ObjectOwnership": ownership}]}
        s3.put_bucket_ownership_controls(Bucket="data", OwnershipControls=rules)
        amy.put_object(**K, ACL="bucket-owner-full-control")
        assert s3.get_object_acl(**K)["Owner"]["ID"] == owner
        amy.put_object(**K, ACL="private")
        assert s3.get_object_acl(**K)["Owner"]["ID"] == IDS["amy"]
        assert not may(people["bob"].get_object, **K)


def test_ownership_is_set_told_and_forgotten(s3: Any, store: Store, code: Code) -> None:
    absent = (404, "OwnershipControlsNotFoundError")
    assert code(s3.get_bucket_ownership_controls, Bucket="data") == absent
    for ownership in ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"):
        rules = {"Rules": [{"ObjectOwnership": ownership}]}
        s3.put_bucket_ownership_controls(Bucket="data", OwnershipControls=rules)
        name = ownership.lower()
        s3.create_bucket(Bucket=name, ObjectOwnership=ownership)
        for bucket in ("data", name):
            answer = s3.get_bucket_ownership_controls(Bucket=bucket)
            assert answer["OwnershipControls"] == rules
    s3.delete_bucket_ownership_controls(Bucket="data")
    assert code(s3.get_bucket_ownership_controls, Bucket="data") == absent
    for rules in ("", "<Rule><ObjectOwnership>Mine</ObjectOwnership></Rule>", "<Rule/><Rule/>"):
        body = f"<OwnershipControls>{rules}</OwnershipControls>".encode()
        answer = store.signed("PUT", "/data?ownershipControls", body)
        assert (answer.status, code_of(answer.body)) == (400, "MalformedXML")


def test_bucket_owner_enforced_turns_acls_off(s3: Any, people: dict[str, Any], code: Code) -> None:
    anonymous, amy = people["anonymous"], people["amy"]
    enforced = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_bucket_acl(Bucket="data", ACL="public-read-write")
    amy.put_object(**K, Body=b"x", ACL="public-read")
    put = {"Bucket": "data", "OwnershipControls": enforced}
    refused = (400, "InvalidBucketAclWithObjectOwnership")
    assert code(s3.put_bucket_ownership_controls, **put) == refused
    arguments = {"ACL": "public-read", "ObjectOwnership": "BucketOwnerEnforced"}
    assert code(s3.create_bucket, Bucket="another", **arguments) == refused
    s3.put_bucket_acl(Bucket="data", ACL="private")
    assert may(anonymous.get_object, **K)
    s3.put_bucket_ownership_controls(**put)
    assert not may(anonymous.get_object, **K)
    assert not may(amy.get_object, **K)
    assert s3.get_object_acl(**K)["Owner"]["ID"] == ROOT
    assert granted(s3.get_object_acl(**K)) == {(ROOT, "FULL_CONTROL")}
    off = (400, "AccessControlListNotSupported")
    assert code(s3.put_bucket_acl, Bucket="data", ACL="private") == off
    assert code(s3.put_object_acl, **K, ACL="private") == off
    for write, more in (
        (s3.put_object, {}),
        (s3.create_multipart_upload, {}),
        (s3.copy_object, {"CopySource": "data/k"}),
    ):
        new = {"Bucket": "data", "Key": "new", **more}
        write(**new)
        write(**new, ACL="bucket-owner-full-control")
        for acl in ("private", "public-read"):
            assert code(write, **new, ACL=acl) == off
        assert code(write, **new, GrantRead=f"uri={ALL}") == off
    allow(s3, "s3:GetObject")
    assert may(anonymous.get_object, **K)
    s3.delete_bucket_policy(Bucket="data")
    s3.delete_bucket_ownership_controls(Bucket="data")
    assert may(anonymous.get_object, **K)


BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def block(s3: Any, *names: str) -> dict[str, bool]:
    configuration = {name: name in names for name in BLOCKS}
    s3.put_public_access_block(Bucket="data", PublicAccessBlockConfiguration=configuration)
    return configuration


def test_a_public_access_block_is_set_told_and_forgotten(s3: Any, store: Store, code: Code) -> None:
    absent = (404, "NoSuchPublicAccessBlockConfiguration")
    assert code(s3.get_public_access_block, Bucket="data") == absent
    for names in ((), *((name,) for name in BLOCKS), BLOCKS):
        configuration = block(s3, *names)
        answer = s3.get_public_access_block(Bucket="data")
        assert answer["PublicAccessBlockConfiguration"] == configuration
    body = b"<PublicAccessBlockConfiguration><BlockPublicAcls>maybe</BlockPublicAcls>"
    answer = store.signed(
        "PUT", "/data?publicAccessBlock", body + b"</PublicAccessBlockConfiguration>"
    )
    assert (answer.status, code_of(answer.body)) == (400, "MalformedXML")
    s3.delete_public_access_block(Bucket="data")
    assert code(s3.get_public_access_block, Bucket="data") == absent


def test_block_public_acls_refuses_new_ones_and_leaves_old_ones(
    s3: Any, people: dict[str, Any]
) -> None:
    s3.put_object(**K, Body=b"x", ACL="public-read")
    block(s3, "BlockPublicAcls")
    assert may(people["anonymous"].get_object, **K)
    new = {"Bucket": "data", "Key": "new"}
    for acl in ("public-read", "public-read-write", "authenticated-read"):
        assert not may(s3.put_bucket_acl, Bucket="data", ACL=acl)
        assert not may(s3.put_object_acl, **K, ACL=acl)
        assert not may(s3.put_object, **new, Body=b"x", ACL=acl)
        assert not may(s3.copy_object, **new, CopySource="data/k", ACL=acl)
        assert not may(s3.create_multipart_upload, **new, ACL=acl)
    assert not may(s3.put_object, **new, GrantReadACP=f"uri={ALL}")
    assert may(s3.put_object, **new, Body=b"x", ACL="private")
    assert may(s3.put_bucket_acl, Bucket="data", GrantRead=f"id={IDS['amy']}")


def test_ignore_public_acls_makes_grants_to_groups_count_for_nothing(
    s3: Any, people: dict[str, Any]
) -> None:
    anonymous, amy = people["anonymous"], people["amy"]
    s3.put_bucket_acl(Bucket="data", ACL="public-read-write")
    grants = document(ROOT, (ALL, "READ"), (AUTHENTICATED, "READ"), (IDS["bob"], "READ"))
    s3.put_object(**K, Body=b"x")
    s3.put_object_acl(**K, AccessControlPolicy=grants)
    block(s3, "IgnorePublicAcls")
    for client in (anonymous, amy):
        assert not may(client.get_object, **K)
        assert not may(client.list_objects_v2, Bucket="data")
        assert not may(client.put_object, Bucket="data", Key="new", Body=b"")
        assert not may(client.get_object, Bucket="data", Key="absent")
        wanted = {"Bucket": "data", "Delete": {"Objects": [{"Key": "k"}]}}
        assert not may(client.delete_objects, **wanted)
    assert may(people["bob"].get_object, **K)
    s3.delete_public_access_block(Bucket="data")
    assert may(anonymous.get_object, **K)


def test_block_public_policy_refuses_public_policies(s3: Any) -> None:
    block(s3, "BlockPublicPolicy")
    with pytest.raises(ClientError, match="AccessDenied"):
        allow(s3, "s3:GetObject")
    deny(s3, "s3:DeleteObject")
    s3.delete_public_access_block(Bucket="data")
    allow(s3, "s3:GetObject")


def test_restrict_public_buckets_shuts_the_anonymous_out_and_nobody_else(
    s3: Any, people: dict[str, Any]
) -> None:
    s3.put_object(**K, Body=b"x")
    allow(s3, "s3:GetObject", "s3:ListBucket")
    anonymous = people["anonymous"]
    assert may(anonymous.get_object, **K)
    block(s3, "RestrictPublicBuckets")
    assert not may(anonymous.get_object, **K)
    assert not may(anonymous.list_objects_v2, Bucket="data")
    assert not may(anonymous.get_object, Bucket="data", Key="absent")
    assert may(people["amy"].get_object, **K)
    assert may(s3.get_object, **K)


def test_what_was_checked_is_what_is_read(
    store: Store, s3: Any, people: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private object that takes the place of a public one in between is not handed out."""
    s3.put_object(**K, Body=b"public", ACL="public-read")
    real, rows = store.engine.head, []
    public = real(store.engine.bucket("data"), "k")
    s3.put_object(**K, Body=b"secret")

    def head(bucket: Any, key: str, version: str | None = None) -> Any:
        rows.append(key)
        return public if len(rows) == 1 else real(bucket, key, version)

    monkeypatch.setattr(store.engine, "head", head)
    for read in (people["anonymous"].get_object, people["anonymous"].head_object):
        rows.clear()
        assert read(**K)["ETag"].strip('"') == public.etag
        assert rows == ["k"]


def test_an_acl_that_changed_meanwhile_gives_no_right_to_change_it(
    store: Store, s3: Any, people: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    s3.put_object(**K, Body=b"x")
    mine = document(ROOT, (IDS["amy"], "WRITE_ACP"))
    s3.put_object_acl(**K, AccessControlPolicy=mine)
    real = store.engine.set_object_meta

    async def late(bucket: Any, key: str, change: Any, version: str | None) -> Any:
        monkeypatch.setattr(store.engine, "set_object_meta", real)
        # Meanwhile the owner takes the right away.
        await real(bucket, key, lambda _: b"")
        return await real(bucket, key, change, version)

    monkeypatch.setattr(store.engine, "set_object_meta", late)
    assert not may(people["amy"].put_object_acl, **K, ACL="public-read")
    assert granted(s3.get_object_acl(**K)) == {(ROOT, "FULL_CONTROL")}


def test_presigned_requests_carry_acls_too(store: Store, s3: Any, people: dict[str, Any]) -> None:
    url = s3.generate_presigned_url("put_object", {**K, "ACL": "public-read"})
    target = url.partition("s3.test:9000")[2]
    assert store.send("PUT", target, {}, b"x").status == 403
    answer = store.send("PUT", target, {"x-amz-acl": "public-read"}, b"x")
    assert answer.status == 200
    assert may(people["anonymous"].get_object, **K)

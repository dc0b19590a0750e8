"""PostObject: browser forms, signed by boto3 or not at all, whole and in pieces, and their limits.

botocore signs the policies of most tests; what it cannot be made to send is signed here.
"""

import base64
import json
import re
import tracemalloc
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from tests.s3.conftest import ACCESS_KEY, REGION, SECRET_KEY, Answer, Store, allow

from neve.errors import BodyTruncated
from neve.s3.errors import S3Error
from neve.s3.forms import FIELDS_BYTES_MAX, Form, FormParser
from neve.s3.sigv2 import signature as signature_2
from neve.signing import signature, signing_key

BOUNDARY = "----a-boundary"
Fields = Iterable[tuple[str, Any]]


def form(
    fields: Fields, file: bytes | None = b"bytes", filename: str = "f.txt", tail: bytes = b""
) -> bytes:
    """A body as browsers write it."""
    parts = [_part(f'name="{name}"', _bytes(value)) for name, value in fields]
    if file is not None:
        disposition = f'name="file"; filename="{filename}"\r\nContent-Type: text/x'
        parts.append(_part(disposition, file))
    return b"".join(parts) + tail + f"--{BOUNDARY}--\r\n".encode()


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _part(disposition: str, value: bytes) -> bytes:
    head = f"--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n\r\n"
    return head.encode() + value + b"\r\n"


def post(store: Store, body: bytes, target: str = "/data", **arguments: Any) -> Answer:
    headers = {
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(len(body)),
    }
    return store.send("POST", target, headers, body, **arguments)


def presigned(s3: Any, key: str = "k", **arguments: Any) -> dict[str, str]:
    fields: dict[str, str] = s3.generate_presigned_post("data", key, **arguments)["fields"]
    return fields


def soon(seconds: float = 600) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def encoded(conditions: Any, **more: Any) -> bytes:
    document = {"expiration": soon(), "conditions": conditions, **more}
    kept = {name: value for name, value in document.items() if value is not None}
    return base64.b64encode(json.dumps(kept).encode())


def signed(policy: bytes, secret: str = SECRET_KEY, region: str = REGION) -> dict[str, Any]:
    """The fields that sign a policy, and itself."""
    amz_date = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    day = amz_date[:8]
    key = signing_key(secret.encode(), day.encode(), region.encode())
    return {
        "x-amz-algorithm": "AWS4-HMAC-SHA256",
        "x-amz-credential": f"{ACCESS_KEY}/{day}/{region}/s3/aws4_request",
        "x-amz-date": amz_date,
        "policy": policy,
        "x-amz-signature": signature(key, policy),
    }


SIGNED = [["starts-with", f"$x-amz-{name}", ""] for name in ("algorithm", "credential", "date")]
ANY_KEY = [{"bucket": "data"}, ["starts-with", "$key", ""], *SIGNED]


def refused(answer: Answer) -> tuple[int, str, str]:
    """Status, code and message of an error."""
    found = re.search(rb"<Code>(.*?)</Code><Message>(.*?)</Message>", answer.body)
    assert found, answer.body
    return answer.status, found[1].decode(), found[2].decode().replace("&quot;", '"')


def object_of(s3: Any, key: str = "k") -> bytes:
    data: bytes = s3.get_object(Bucket="data", Key=key)["Body"].read()
    return data


def is_absent(s3: Any) -> bool:
    return "Contents" not in s3.list_objects_v2(Bucket="data")


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_a_form_that_boto3_signed_becomes_an_object(store: Store, s3: Any, version: str) -> None:
    signer = store.client(signature=version)
    fields = presigned(
        signer,
        Fields={"acl": "private", "Content-Type": "text/plain", "x-amz-meta-a": "é"},
        Conditions=[
            {"acl": "private"},
            ["starts-with", "$Content-Type", "text/"],
            {"x-amz-meta-a": "é"},
        ],
    )
    assert ("x-amz-signature" in fields) == (version == "s3v4")
    answer = post(store, form(fields.items()))
    assert answer.status == 204
    assert answer.headers["location"] == "http://s3.test:9000/data/k"
    there = s3.get_object(Bucket="data", Key="k")
    assert there["Body"].read() == b"bytes"
    assert answer.headers["etag"] == there["ETag"]
    assert there["ContentType"] == "text/plain"
    [request] = [request for request in store.requests if request.method == "POST"]
    assert (request.principal, request.bucket, request.key) == (ACCESS_KEY, "data", "k")


@pytest.mark.parametrize("version", ["s3v4", "s3"])
def test_another_secret_signs_nothing(store: Store, s3: Any, version: str) -> None:
    fields = presigned(store.client(signature=version))
    store.secrets[ACCESS_KEY] = "another-secret"
    assert refused(post(store, form(fields.items())))[:2] == (403, "SignatureDoesNotMatch")
    del store.secrets[ACCESS_KEY]
    assert refused(post(store, form(fields.items())))[:2] == (403, "InvalidAccessKeyId")


def test_a_changed_policy_is_not_what_was_signed(store: Store, s3: Any) -> None:
    fields = presigned(s3)
    fields["policy"] = encoded(ANY_KEY).decode()
    assert refused(post(store, form(fields.items())))[:2] == (403, "SignatureDoesNotMatch")
    assert is_absent(s3)


def test_an_anonymous_form_needs_a_bucket_that_lets_it(store: Store, s3: Any) -> None:
    body = form([("key", "k")])
    assert refused(post(store, body))[:2] == (403, "AccessDenied")
    assert is_absent(s3)
    allow(s3, "s3:PutObject")
    assert post(store, body).status == 204
    assert object_of(s3) == b"bytes"


def test_a_form_acts_with_the_rights_of_its_signer_only(store: Store, s3: Any) -> None:
    allow(s3, "s3:PutObject", effect="Deny")
    fields = presigned(s3)
    assert refused(post(store, form(fields.items())))[:2] == (403, "AccessDenied")


def test_policies_see_the_fields_as_headers_and_the_form_as_its_kind(store: Store, s3: Any) -> None:
    def only_if(condition: dict[str, Any]) -> None:
        statement = {
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": "arn:aws:s3:::data/*",
            "Condition": condition,
        }
        document = {"Version": "2012-10-17", "Statement": [statement]}
        s3.put_bucket_policy(Bucket="data", Policy=json.dumps(document))

    extra = {"Fields": {"x-amz-storage-class": "GLACIER"}}
    extra["Conditions"] = [extra["Fields"]]  # type: ignore[assignment]
    fields = presigned(s3, **extra)
    only_if({"StringEquals": {"s3:x-amz-storage-class": "GLACIER"}})
    assert post(store, form(fields.items())).status == 403
    only_if({"StringEquals": {"s3:x-amz-storage-class": "STANDARD_IA"}})
    assert post(store, form(fields.items())).status == 204
    only_if({"StringEquals": {"s3:authType": "POST"}})
    assert post(store, form(fields.items())).status == 403


CONDITIONS: dict[str, tuple[list[Any], dict[str, str], str]] = {
    "eq": ([["eq", "$acl", "private"]], {"acl": "private"}, ""),
    "eq fails": ([["eq", "$acl", "private"]], {"acl": "Private"}, '["eq", "$acl", "private"]'),
    "simple": ([{"acl": "private"}], {"acl": "private"}, ""),
    "absent": ([{"acl": "private"}], {}, '["eq", "$acl", "private"]'),
    "absent, anything": (
        [["starts-with", "$acl", ""]],
        {},
        '["starts-with", "$acl", ""]',
    ),
    "starts": ([["starts-with", "$x-amz-meta-a", "ab"]], {"x-amz-meta-a": "abc"}, ""),
    "starts not": (
        [["starts-with", "$x-amz-meta-a", "ab"]],
        {"x-amz-meta-a": "acb"},
        '["starts-with", "$x-amz-meta-a", "ab"]',
    ),
    "any case": ([["StArTs-WiTh", "$X-Amz-Meta-A", "ab"]], {"x-AMZ-meta-a": "abc"}, ""),
    "all types": ([["starts-with", "$Content-Type", "a/"]], {"Content-Type": "a/b, a/c"}, ""),
    "one type not": (
        [["starts-with", "$Content-Type", "a/"]],
        {"Content-Type": "a/b, c/d"},
        '["starts-with", "$content-type", "a/"]',
    ),
    "uncovered": ([], {"x-amz-meta-a": "b"}, "Extra input fields: x-amz-meta-a"),
    "ignored": ([], {"x-ignore-this": "b"}, ""),
    "both must hold": (
        [["starts-with", "$acl", "p"], ["eq", "$acl", "public-read"]],
        {"acl": "private"},
        '["eq", "$acl", "public-read"]',
    ),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_conditions_of_a_policy(store: Store, s3: Any, name: str) -> None:
    conditions, fields, why = CONDITIONS[name]
    all_fields = {"key": "k", **signed(encoded([*ANY_KEY, *conditions])), **fields}
    answer = post(store, form(all_fields.items()))
    if not why:
        assert answer.status == 204, answer.body
        return
    status, code, message = refused(answer)
    assert (status, code) == (403, "AccessDenied")
    assert message.startswith("Invalid according to Policy: ")
    assert message.endswith(why)
    assert is_absent(s3)


def test_a_policy_is_for_its_bucket_whatever_the_form_says(store: Store, s3: Any) -> None:
    s3.create_bucket(Bucket="other")
    fields = {**presigned(s3), "bucket": "data"}
    answer = post(store, form(fields.items()), "/other")
    assert refused(answer)[2].endswith('Policy Condition failed: ["eq", "$bucket", "data"]')
    without = [condition for condition in ANY_KEY if condition != {"bucket": "data"}]
    fields = {"key": "k", **signed(encoded(without))}
    assert refused(post(store, form(fields.items())))[2].endswith("Extra input fields: bucket")


def test_a_policy_ends(store: Store, s3: Any) -> None:
    fields = {"key": "k", **signed(encoded(ANY_KEY, expiration=soon(-1)))}
    answer = refused(post(store, form(fields.items())))
    assert answer == (403, "AccessDenied", "Invalid according to Policy: Policy expired.")


DOCUMENTS = {
    "no expiration": encoded(ANY_KEY, expiration=None),
    "other case": encoded(ANY_KEY, expiration=None, Expiration=soon()),
    "no conditions": encoded(None),
    "other date": encoded(ANY_KEY, expiration="2099-11-23 00:00:00+00:00"),
    "no such day": encoded(ANY_KEY, expiration="2099-02-30T00:00:00Z"),
    "unknown name": encoded(ANY_KEY, extra=1),
    "empty condition": encoded([{}]),
    "two in one": encoded([{"a": "b", "c": "d"}]),
    "no text": encoded([{"a": 1}]),
    "no dollar": encoded([["eq", "key", "k"]]),
    "unknown operator": encoded([["ends-with", "$key", "k"]]),
    "too short": encoded([["eq", "$key"]]),
    "range too short": encoded([["content-length-range", 0]]),
    "range below nothing": encoded([["content-length-range", -1, 5]]),
    "range of words": encoded([["content-length-range", "a", "b"]]),
    "range of truths": encoded([["content-length-range", False, True]]),
    "a number": encoded([7]),
    "a list": base64.b64encode(b"[]"),
    "no JSON": base64.b64encode(b"{"),
    "deep": base64.b64encode(b"[" * 5000),
    "no base64": b"!",
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_malformed_policy_is_refused(store: Store, s3: Any, name: str) -> None:
    fields = {"key": "k", **signed(DOCUMENTS[name])}
    status, code, message = refused(post(store, form(fields.items())))
    assert (status, code) == (400, "InvalidPolicyDocument")
    assert message.startswith("Invalid Policy: ")
    assert is_absent(s3)


SIZES = {3: "EntityTooSmall", 4: "", 6: "", 7: "EntityTooLarge"}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bounds", [[4, 6], ["4", "6"]])
def test_a_policy_limits_the_size(store: Store, s3: Any, size: int, bounds: list[Any]) -> None:
    policy = encoded([*ANY_KEY, ["content-length-range", *bounds]])
    fields = {"key": "k", **signed(policy)}
    answer = post(store, form(fields.items(), b"x" * size))
    if SIZES[size]:
        assert refused(answer)[:2] == (400, SIZES[size])
        assert is_absent(s3)
    else:
        assert object_of(s3) == b"x" * size


MISSING = {
    "key": {"key": None},
    "policy": {"policy": None},
    "X-Amz-Signature": {"x-amz-signature": None},
    "X-Amz-Credential": {"x-amz-credential": None},
    "X-Amz-Date": {"x-amz-date": None},
    "X-Amz-Algorithm": {"x-amz-algorithm": None},
}


@pytest.mark.parametrize("name", MISSING)
def test_a_form_must_have_its_fields(store: Store, s3: Any, name: str) -> None:
    policy = encoded([{"bucket": "data"}, *SIGNED] if name == "key" else ANY_KEY)
    fields = {"key": "k", **signed(policy), **MISSING[name]}
    kept = [(field, value) for field, value in fields.items() if value is not None]
    status, code, message = refused(post(store, form(kept)))
    assert (status, code) == (400, "InvalidArgument")
    assert f"a field named &#39;{name}&#39;" in message


def test_version_2_must_have_its_fields_too(store: Store, s3: Any) -> None:
    policy = encoded([{"bucket": "data"}, {"key": "k"}])
    whole = {
        "key": "k",
        "AWSAccessKeyId": ACCESS_KEY,
        "policy": policy,
        "signature": signature_2(SECRET_KEY, policy),
    }
    assert post(store, form(whole.items())).status == 204
    for name in ("AWSAccessKeyId", "policy", "signature"):
        less = [(field, value) for field, value in whole.items() if field != name]
        assert f"&#39;{name}&#39;" in refused(post(store, form(less)))[2]


SIGNATURES: dict[str, tuple[dict[str, Any], int, str]] = {
    "region": ({"region": "eu-west-1"}, 400, "AuthorizationQueryParametersError"),
    "algorithm": ({"x-amz-algorithm": "AWS4-HMAC-SHA1"}, 400, "InvalidArgument"),
    "credential": ({"x-amz-credential": "a/b"}, 400, "AuthorizationQueryParametersError"),
    "day": ({"x-amz-date": "20200101T000000Z"}, 400, "AuthorizationQueryParametersError"),
    "date": ({"x-amz-date": "yesterday"}, 400, "AuthorizationQueryParametersError"),
    "token": ({"x-amz-security-token": "t"}, 400, "InvalidToken"),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_malformed_signature_is_refused(store: Store, s3: Any, name: str) -> None:
    change, status, code = SIGNATURES[name]
    change = dict(change)
    fields = {"key": "k", **signed(encoded(ANY_KEY), region=change.pop("region", REGION)), **change}
    assert refused(post(store, form(fields.items())))[:2] == (status, code)


def test_a_form_is_not_signed_in_headers(store: Store, s3: Any) -> None:
    content_type = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    answer = store.signed("POST", "/data", form([("key", "k")]), content_type)
    assert refused(answer)[:2] == (400, "InvalidRequest")
    assert is_absent(s3)


@pytest.fixture
def open_bucket(s3: Any) -> Any:
    """root's client, with a bucket into which everybody may write."""
    allow(s3, "s3:PutObject", "s3:PutObjectTagging")
    return s3


@pytest.mark.parametrize(
    ("filename", "key"),
    [
        ("a b.txt", "in/a b.txt/x"),
        (r"C:\folder\f.txt", "in/f.txt/x"),
        ("/home/me/é.txt", "in/é.txt/x"),
        ("", "in//x"),
        (r"say \"hi\".txt", 'in/say "hi".txt/x'),
    ],
)
def test_the_name_of_the_file_goes_where_its_variable_stands(
    store: Store, open_bucket: Any, filename: str, key: str
) -> None:
    fields = [("key", "in/${filename}/x"), ("x-amz-meta-name", "${filename}")]
    assert post(store, form(fields, filename=filename)).status == 204
    assert [entry["Key"] for entry in open_bucket.list_objects_v2(Bucket="data")["Contents"]] == [
        key
    ]


def test_a_policy_judges_the_key_with_the_name_in_it(store: Store, s3: Any) -> None:
    policy = encoded([{"bucket": "data"}, ["starts-with", "$key", "up/f"], *SIGNED])
    body = {"key": "up/${filename}", **signed(policy)}.items()
    assert post(store, form(body, filename="f.txt")).status == 204
    assert post(store, form(body, filename="g.txt")).status == 403


def test_the_form_says_how_it_is_answered(store: Store, open_bucket: Any) -> None:
    def ask(**fields: str) -> Answer:
        return post(store, form([("key", "a&b/ü"), *fields.items()]))

    assert (ask().status, ask().body) == (204, b"")
    assert ask(success_action_status="200").status == 200
    assert ask(success_action_status="404").status == 204
    created = ask(success_action_status="201")
    assert created.status == 201
    assert ElementTree.fromstring(created.body).find("Key") is not None, "no namespace, as on AWS"
    etag = created.headers["etag"].strip('"')
    assert created.headers["location"] == "http://s3.test:9000/data/a%26b/%C3%BC"
    assert f"<Key>a&amp;b/ü</Key><ETag>&quot;{etag}&quot;</ETag>".encode() in created.body
    assert b"<Bucket>data</Bucket>" in created.body
    tail = f"bucket=data&key={quote('a&b/ü', safe='')}&etag=%22{etag}%22"
    sent = ask(success_action_redirect="http://web.test/done")
    assert (sent.status, sent.headers["location"]) == (303, f"http://web.test/done?{tail}")
    sent = ask(redirect="https://web.test/é?a=b", success_action_status="201")
    assert sent.headers["location"] == f"https://web.test/%C3%A9?a=b&{tail}"
    assert ask(success_action_redirect="not a url").status == 204
    assert ask(success_action_redirect="http://a/\r\nX-Evil: 1").status == 204


def test_a_virtual_host_is_where_its_form_was_sent(store: Store, open_bucket: Any) -> None:
    body = form([("key", "k")])
    headers = {
        "Host": "data.s3.test:9000",
        "Content-Type": f"multipart/form-data; boundary={BOUNDARY}",
        "Content-Length": str(len(body)),
    }
    answer = store.send("POST", "/", headers, body)
    assert answer.headers["location"] == "http://data.s3.test:9000/k"
    assert object_of(open_bucket) == b"bytes"


def test_a_form_sets_what_a_put_sets(store: Store, open_bucket: Any) -> None:
    fields = [
        ("key", "k"),
        ("Cache-Control", "no-store"),
        ("Content-Disposition", "inline"),
        ("x-amz-meta-Spaced", "  a b "),
        ("x-amz-storage-class", "GLACIER"),
        ("x-amz-website-redirect-location", "/there"),
        ("unknown", "x"),
    ]
    assert post(store, form(fields)).status == 204
    there = open_bucket.head_object(Bucket="data", Key="k")
    assert there["CacheControl"] == "no-store"
    assert there["ContentDisposition"] == "inline"
    assert there["Metadata"] == {"spaced": "a b"}
    assert there["StorageClass"] == "GLACIER"
    assert there["WebsiteRedirectLocation"] == "/there"
    # AWS: the type of the file's own part counts for nothing.
    assert there["ContentType"] == "binary/octet-stream"


@pytest.mark.parametrize("name", ["x-amz-meta-a", "Content-Type", "x-amz-meta-a b", "x-amz-meta-é"])
def test_nothing_in_a_form_can_end_a_header(store: Store, open_bucket: Any, name: str) -> None:
    value = "v" if " " in name or "é" in name else "v\r\nSet-Cookie: a=b"
    answer = post(store, form([("key", "k"), (name, value)]))
    assert refused(answer)[:2] == (400, "InvalidArgument")
    assert is_absent(open_bucket)


TAGS = "<Tagging><TagSet><Tag><Key>a</Key><Value>b&amp;c</Value></Tag></TagSet></Tagging>"


def test_a_form_sets_tags(store: Store, s3: Any) -> None:
    body = form([("key", "k"), ("tagging", TAGS.replace("&amp;", "+"))])
    allow(s3, "s3:PutObject")
    assert refused(post(store, body))[:2] == (403, "AccessDenied")
    allow(s3, "s3:PutObject", "s3:PutObjectTagging")
    assert post(store, body).status == 204
    tags = s3.get_object_tagging(Bucket="data", Key="k")["TagSet"]
    assert tags == [{"Key": "a", "Value": "b+c"}]
    assert refused(post(store, form([("key", "k"), ("tagging", TAGS)])))[1] == "InvalidTag"
    assert refused(post(store, form([("key", "k"), ("tagging", "<a/>")])))[1] == "MalformedXML"


def test_checksums_in_a_form_are_checked(store: Store, open_bucket: Any) -> None:
    crc = "h5PgxA=="  # of other bytes
    bad = post(store, form([("key", "k"), ("x-amz-checksum-crc32", crc)]))
    assert refused(bad)[:2] == (400, "BadDigest")
    assert is_absent(open_bucket)
    open_bucket.put_object(Bucket="data", Key="same", Body=b"bytes", ChecksumAlgorithm="SHA256")
    there = open_bucket.head_object(Bucket="data", Key="same", ChecksumMode="ENABLED")
    good = post(store, form([("key", "k"), ("x-amz-checksum-sha256", there["ChecksumSHA256"])]))
    assert good.status == 204
    assert good.headers["x-amz-checksum-sha256"] == there["ChecksumSHA256"]
    there = open_bucket.head_object(Bucket="data", Key="k", ChecksumMode="ENABLED")
    assert there["ChecksumType"] == "FULL_OBJECT"


def test_a_form_that_asks_for_encryption_is_refused(store: Store, open_bucket: Any) -> None:
    fields = [("key", "k"), ("x-amz-server-side-encryption", "AES256")]
    assert refused(post(store, form(fields)))[:2] == (501, "NotImplemented")


BROKEN = {
    "no file": (form([("key", "k")], None), 400, "InvalidArgument"),
    "no end": (form([("key", "k")])[: -len(BOUNDARY) - 8], 400, "MalformedPOSTRequest"),
    "no form": (b"bytes", 400, "MalformedPOSTRequest"),
    "nothing": (b"", 400, "MalformedPOSTRequest"),
    "no name": (_part("filename=x", b"v"), 400, "MalformedPOSTRequest"),
    "no disposition": (f"--{BOUNDARY}\r\nA: b\r\n\r\nv\r\n".encode(), 400, "MalformedPOSTRequest"),
    "garbage behind the boundary": (
        f"--{BOUNDARY}garbage\r\nA: b\r\n\r\nv\r\n".encode(),
        400,
        "MalformedPOSTRequest",
    ),
    "two keys": (form([("key", "k"), ("Key", "l")]), 400, "InvalidArgument"),
    "key no text": (form([("key", b"\xff")]), 400, "InvalidURI"),
    "key too long": (form([("key", "k" * 1025)]), 400, "KeyTooLongError"),
    "much before": (form([("key", "k"), ("a", "x" * 20480)]), 400, "MaxPostPreDataLengthExceeded"),
    "much behind": (form([("key", "k")], tail=b"x" * 40960), 400, "MalformedPOSTRequest"),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("pieces", [False, True])
def test_a_broken_form_leaves_nothing(
    store: Store, open_bucket: Any, name: str, pieces: bool
) -> None:
    body, status, code = BROKEN[name]
    if name == "much behind":
        body = form([("key", "k")]) + b"x" * 40960
    cut = [body[at : at + 997] for at in range(0, len(body), 997)]
    answer = post(store, body, pieces=cut) if pieces else post(store, body)
    assert refused(answer)[:2] == (status, code)
    assert is_absent(open_bucket)


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/mixed; boundary=a"])
def test_only_forms_are_posted(store: Store, s3: Any, content_type: str) -> None:
    answer = store.send("POST", "/data", {"Content-Type": content_type}, b"")
    assert refused(answer)[:2] == (412, "PreconditionFailed")


def test_a_form_without_a_boundary_is_refused(store: Store, s3: Any) -> None:
    answer = store.send("POST", "/data", {"Content-Type": "multipart/form-data"}, b"")
    assert refused(answer)[:2] == (400, "MalformedPOSTRequest")


def test_a_form_cut_off_leaves_nothing(store: Store, open_bucket: Any) -> None:
    body = form([("key", "k")], b"x" * (3 << 20))
    pieces = [body[: 1 << 20], body[1 << 20 : 2 << 20]]
    answer = post(store, body, pieces=pieces, error=BodyTruncated())
    assert refused(answer)[:2] == (400, "IncompleteBody")
    assert is_absent(open_bucket)


def test_a_large_file_passes_through_in_pieces(store: Store, open_bucket: Any) -> None:
    data = bytes(range(256)) * (5 << 12) + f"\r\n--{BOUNDARY}x".encode() * 3
    body = form([("key", "k")], data)
    pieces = [body[at : at + 65_521] for at in range(0, len(body), 65_521)]
    assert post(store, body, pieces=pieces, unsized=True).status == 204
    assert object_of(open_bucket) == data


def test_the_parser_holds_no_more_than_a_piece() -> None:
    pieces = 256
    piece = form([("key", "k")], bytes(1 << 20))[: 1 << 16]
    fed = 0

    def sink(view: memoryview) -> None:
        nonlocal fed
        fed += len(view)

    parser = FormParser(BOUNDARY.encode(), lambda _: sink)
    parser.feed(memoryview(piece))
    tracemalloc.start()
    try:
        for _ in range(pieces):
            parser.feed(memoryview(bytes(1 << 16)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert fed > pieces << 16
    assert peak < 4 << 16


def parsed(body: bytes, size: int) -> tuple[dict[str, bytes], bytes]:
    """Fields and file of a form fed in pieces of `size` bytes that are overwritten afterwards."""
    file: list[bytes] = []
    forms: list[Form] = []

    def begin(found: Form) -> Any:
        forms.append(found)
        return lambda piece: file.append(bytes(piece))

    parser = FormParser(BOUNDARY.encode(), begin)
    for at in range(0, len(body), size):
        buffer = bytearray(body[at : at + size])
        parser.feed(memoryview(buffer))
        buffer[:] = bytes(len(buffer))
    parser.finish()
    return forms[0].fields, b"".join(file)


TRICKY = [
    b"",
    b"\r",
    b"\r\n",
    b"\r\n--",
    f"\r\n--{BOUNDARY}".encode()[:-1],
    f"--{BOUNDARY}--".encode(),
    f"\r\n--{BOUNDARY}x\r\n".encode(),
    f"\r\r\n\r\n--{BOUNDARY}\n".encode(),
    b"\r\n-\r\n--\r\n---",
]


@pytest.mark.parametrize("data", TRICKY)
def test_the_file_is_the_same_however_it_is_cut(data: bytes) -> None:
    for body in (form([("a", ""), ("b", data)], data), b"preamble\r\n" + form([("a", "")], data)):
        whole = parsed(body, len(body))
        assert whole[1] == data
        assert whole[0]["a"] == b""
        for size in range(1, 80):
            assert parsed(body, size) == whole


def test_fields_may_have_20_kib_and_no_byte_more() -> None:
    overhead = len(form([("a", "")], b"").partition(b"text/x\r\n\r\n")[0]) + len("text/x\r\n\r\n")
    room = FIELDS_BYTES_MAX - overhead - len("\r\n")
    assert parsed(form([("a", "x" * room)]), 4096)[1] == b"bytes"
    for size in (1, 1 << 20):
        with pytest.raises(S3Error, match="MaxPostPreDataLengthExceeded"):
            parsed(form([("a", "x" * (room + 1))]), size)

"""The verifier against botocore, AWS's published examples, and every way to be refused."""

import hashlib
import random
import string
import time
from email.utils import formatdate
from urllib.parse import quote, urlencode, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.s3.signed_requests import (
    ACCESS_KEY,
    CLAIM,
    EMPTY,
    ENDPOINT,
    NOW,
    REGION,
    SECRET_KEY,
    SignedRequest,
    changed,
    refusal,
    sign_as_minio_go,
    sign_by_header,
    sign_by_query,
    verifier,
)

from neve import signing
from neve.s3 import sigv4
from neve.s3.errors import S3Error
from neve.s3.sigv4 import Verifier

# AWS, "Examples: Signature Calculations in AWS Signature Version 4".
AWS_EXAMPLES = {
    "get object": (
        ("GET", b"/test.txt", b"", {"range": "bytes=0-9"}),
        "host;range;x-amz-content-sha256;x-amz-date",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
    ),
    "put object": (
        (
            "PUT",
            b"/test$file.text",
            b"",
            {
                "date": "Fri, 24 May 2013 00:00:00 GMT",
                "x-amz-storage-class": "REDUCED_REDUNDANCY",
                "x-amz-content-sha256": hashlib.sha256(b"Welcome to Amazon S3.").hexdigest(),
            },
        ),
        "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
    ),
    "get lifecycle": (
        ("GET", b"/", b"lifecycle", {}),
        "host;x-amz-content-sha256;x-amz-date",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
    ),
    "list objects": (
        ("GET", b"/", b"max-keys=2&prefix=J", {}),
        "host;x-amz-content-sha256;x-amz-date",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
    ),
}


@pytest.mark.parametrize("name", AWS_EXAMPLES)
def test_published_example_of_aws_verifies(name):
    (method, path, raw_query, headers), signed, signature = AWS_EXAMPLES[name]
    headers = {
        "host": "examplebucket.s3.amazonaws.com",
        "x-amz-content-sha256": EMPTY,
        "x-amz-date": "20130524T000000Z",
        **headers,
        "authorization": f"AWS4-HMAC-SHA256 {CLAIM},SignedHeaders={signed},Signature={signature}",
    }
    request = {name.encode(): value.encode() for name, value in headers.items()}
    assert verifier().verify(method, path, raw_query, request).access_key == ACCESS_KEY
    request[b"host"] = b"other.s3.amazonaws.com"
    assert refusal(SignedRequest(method, path, raw_query, request)).code == "SignatureDoesNotMatch"


def test_published_presigned_example_of_aws_verifies():
    raw_query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2F"
        "us-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400"
        "&X-Amz-SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    headers = {b"host": b"examplebucket.s3.amazonaws.com"}
    found = verifier().verify("GET", b"/test.txt", raw_query.encode(), headers)
    assert (found.access_key, found.presigned) == (ACCESS_KEY, True)


def random_text(dice: random.Random, length: int) -> str:
    alphabet = string.ascii_letters + string.digits + " +%/&=?#@:;,$~*'()!._-\"<>\\^`{|}[]éß雪🎿"
    return "".join(dice.choice(alphabet) for _ in range(dice.randint(1, length)))


def random_request(dice: random.Random) -> tuple[str, str, dict[str, str]]:
    """A method, a URL as botocore sends it, and headers."""
    key = random_text(dice, 30)
    if dice.random() < 0.2:
        key = dice.choice(["//", "./", "../", "a//b/", "%2F", "%"]) + key
    pairs = [
        (dice.choice(["prefix", "marker", "a", "a-b", "A", "délim"]), random_text(dice, 12))
        for _ in range(dice.randint(0, 5))
    ]
    pairs += [("uploads", "")] if dice.random() < 0.3 else []
    # botocore sends a parameter without value as `?uploads`, the others percent-encoded.
    encoded = [quote(k, safe="-_.~") + (f"={quote(v, safe='-_.~')}" if v else "") for k, v in pairs]
    url = f"{ENDPOINT}/{quote(key, safe='/~')}" + ("?" + "&".join(encoded) if encoded else "")
    headers = {}
    for number in range(dice.randint(0, 4)):
        words = [random_text(dice, 8).strip() or "x" for _ in range(dice.randint(1, 4))]
        headers[f"x-amz-meta-{number}"] = dice.choice([" ", "  ", "\t", "   "]).join(words)
    return dice.choice(["GET", "PUT", "HEAD", "DELETE", "POST"]), url, headers


def test_thousands_of_requests_signed_by_botocore_verify():
    dice = random.Random(4)
    by = verifier()
    for _ in range(2500):
        method, url, headers = random_request(dice)
        body = dice.choice([b"", b"body"])
        request = sign_by_header(method, url, headers, body=body)
        found = by.verify(*request)
        assert found.access_key == ACCESS_KEY, url
        assert found.payload.sha256.decode() == hashlib.sha256(body).hexdigest()
        twisted = request._replace(raw_path=request.raw_path + b"x")
        assert refusal(twisted, by).code == "SignatureDoesNotMatch", url


def test_hundreds_of_urls_presigned_by_botocore_verify():
    dice = random.Random(5)
    by = verifier()
    for _ in range(800):
        method, url, headers = random_request(dice)
        request = sign_by_query(method, url, headers)
        assert by.verify(*request).presigned, url
        twisted = request._replace(method="PATCH")
        assert refusal(twisted, by).code == "SignatureDoesNotMatch", url


def test_own_header_signature_equals_botocores():
    dice = random.Random(6)
    for _ in range(500):
        method, url, headers = random_request(dice)
        ours = signing.sign_headers(
            method, url, headers, ACCESS_KEY, SECRET_KEY, REGION, payload_hash=EMPTY, now=NOW
        )
        assert (
            ours["authorization"].encode()
            == sign_by_header(method, url, headers).headers[b"authorization"]
        )


def test_own_presigned_url_verifies_and_dies():
    url = signing.presign_url(
        "GET", f"{ENDPOINT}/a%20b/c+d?versionId=x%2Fy", ACCESS_KEY, SECRET_KEY, REGION, 60, NOW
    )
    parts = urlsplit(url)
    request = SignedRequest(
        "GET", parts.path.encode(), parts.query.encode(), {b"host": parts.netloc.encode()}
    )
    assert verifier(NOW + 60).verify(*request).signature_age_ms == 60_000
    assert refusal(request, verifier(NOW + 61)).message == "Request has expired"
    with pytest.raises(ValueError):
        signing.presign_url("GET", url, ACCESS_KEY, SECRET_KEY, REGION, 604_801)


@pytest.mark.parametrize("text", ["a b", "a+b", "a%2fb", "%61", "a/b", "%zz", "a=b=c", "%e9"])
def test_canonical_forms_do_not_change_when_repeated(text):
    path = signing.canonical_path(text.encode())
    assert signing.canonical_path(path) == path
    once = signing.canonical_query(f"k={text}&j".encode())
    assert signing.canonical_query(once) == once


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        (b"a=b=c", b"a=b%3Dc"),
        (b"a%20=b=c", b"a%20=b%3Dc"),
        (b"uploads", b"uploads="),
        (b"&b=2&&a=1&", b"a=1&b=2"),
        (b"=x&a", b"=x&a="),
        (b"a-b=1&a=2&a=1", b"a=1&a=2&a-b=1"),
        (b"X-Amz-Signature=x&a=%2f", b"a=%2F"),
        (b"a=%zz", b"a=%25zz"),
        (b"", b""),
    ],
)
def test_canonical_query(raw, canonical):
    assert signing.canonical_query(raw) == canonical


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://h:80/", "h"),
        ("https://h:443/", "h"),
        ("http://h:443/", "h:443"),
        ("http://user@[::1]:9000/", "[::1]:9000"),
    ],
)
def test_host_is_signed_as_http_libraries_send_it(url, host):
    assert signing.sign_headers("GET", url, {}, "a", "s", REGION)["host"] == host


def test_every_escape_is_canonical_exactly_when_reencoding_leaves_it():
    for byte in range(256):
        plain = bytes((byte,))
        in_path = quote(plain, safe="/-_.~").encode()
        in_query = quote(plain, safe="-_.~").encode()
        for form in (b"%%%02X" % byte, b"%%%02x" % byte):
            assert signing.canonical_path(b"/a" + form) == b"/a" + in_path
            assert signing.canonical_query(b"k=" + form) == b"k=" + in_query


def test_hostile_path_and_query_cost_time_linear_in_their_length():
    hostile = b"a" * 60_000 + b"%61"
    began = time.process_time()
    assert signing.canonical_path(b"/" + hostile) == b"/" + b"a" * 60_001
    assert signing.canonical_query(b"k=" + hostile) == b"k=" + b"a" * 60_001
    assert signing.canonical_path(b"a%20" * 15_000 + b"(") == b"a%20" * 15_000 + b"%28"
    signing.canonical_query(b"&=" * 30_000)
    assert time.process_time() - began < 1


def test_client_that_signs_its_raw_bytes_is_understood():
    # curl and some SDKs sign `(` and lower-case escapes as sent.
    url = f"{ENDPOINT}/a(b)%c3%a9?prefix=(x)&marker=%c3%a9"
    request = sign_by_header("GET", url)
    assert b"(b)" in request.raw_path
    assert verifier().verify(*request).access_key == ACCESS_KEY
    swapped = request._replace(raw_path=request.raw_path.replace(b"(b)", b"(c)"))
    assert refusal(swapped).code == "SignatureDoesNotMatch"


def test_values_of_one_name_may_be_signed_in_the_order_they_come():
    # `mc watch` names three kinds of events.
    url = f"{ENDPOINT}/?events=s3%3AObjectRemoved%3A%2A&events=s3%3AObjectCreated%3A%2A&ping=10"
    request = sign_as_minio_go("GET", url)
    assert verifier().verify(*request).access_key == ACCESS_KEY
    for old, new in ((b"ping=10", b"ping=11"), (b"Removed", b"Renamed")):
        forged = request._replace(raw_query=request.raw_query.replace(old, new))
        assert refusal(forged).code == "SignatureDoesNotMatch"
    turned = b"&".join(reversed(request.raw_query.split(b"&")))
    assert refusal(request._replace(raw_query=turned)).code == "SignatureDoesNotMatch"


def test_plus_in_a_query_is_a_space():
    assert signing.canonical_query(b"prefix=a+b") == b"prefix=a%20b"
    request = sign_by_header("GET", f"{ENDPOINT}/?prefix=a%20b")
    assert verifier().verify(*request._replace(raw_query=b"prefix=a+b")).access_key == ACCESS_KEY


def test_date_header_serves_when_x_amz_date_is_absent():
    # botocore keeps to the Date header, in the form of mail with zone -0000, if there is one.
    request = sign_by_header("GET", f"{ENDPOINT}/k", {"Date": "x"})
    assert b"x-amz-date" not in request.headers
    assert verifier().verify(*request).signed_at == NOW
    usual = changed(request, date=formatdate(NOW, usegmt=True))
    assert refusal(usual).code == "SignatureDoesNotMatch"


def test_warm_caches_do_not_change_the_answer():
    by = verifier()
    request = sign_by_header("GET", f"{ENDPOINT}/k", {"x-amz-meta-a": "1"})
    later = sign_by_header("GET", f"{ENDPOINT}/other", {"x-amz-meta-a": "2"}, now=NOW + 1)
    for _ in range(3):
        assert by.verify(*request).signed_at == NOW
        assert by.verify(*later).signed_at == NOW + 1
        assert refusal(changed(request, x_amz_meta_a="2"), by).code == "SignatureDoesNotMatch"
        assert refusal(changed(request, x_amz_acl="private"), by).code == "AccessDenied"
        assert refusal(changed(request, x_amz_meta_a=None), by).code == "SignatureDoesNotMatch"


def test_full_caches_are_emptied_and_verification_goes_on(monkeypatch):
    for bound in ("AUTHORIZATIONS_MAX", "SIGNING_KEYS_MAX", "DATES_MAX"):
        monkeypatch.setattr(sigv4, bound, 2)
    by = verifier(region="")
    for number in range(9):
        headers = {f"x-amz-meta-{number}": "v"}
        request = sign_by_header("GET", ENDPOINT, headers, region=f"r{number}", now=NOW + number)
        assert by.verify(*request).access_key == ACCESS_KEY
    assert max(len(by._claims), len(by._keys), len(by._dates)) <= 2


def test_nothing_is_remembered_of_a_forged_authorization():
    by = verifier()
    request = sign_by_header("GET", f"{ENDPOINT}/k", secret="wrong")
    assert refusal(request, by).code == "SignatureDoesNotMatch"
    assert by._claims == {}


def test_revoked_key_and_changed_secret_take_effect_at_once():
    secrets: dict[str, str] = {ACCESS_KEY: SECRET_KEY}
    by = Verifier(secrets.get, REGION, now=lambda: NOW)
    request = sign_by_header("GET", f"{ENDPOINT}/k")
    by.verify(*request)
    secrets[ACCESS_KEY] = "another"
    assert refusal(request, by).code == "SignatureDoesNotMatch"
    del secrets[ACCESS_KEY]
    error = refusal(request, by)
    assert (error.code, error.status) == ("InvalidAccessKeyId", 403)
    assert error.message == "The AWS Access Key Id you provided does not exist in our records."
    assert error.fields == {"AWSAccessKeyId": ACCESS_KEY}


def test_mismatch_tells_what_was_signed():
    request = sign_by_header("GET", f"{ENDPOINT}/é", {"x-amz-meta-a": "b  c"})
    error = refusal(request._replace(method="PUT"))
    assert (error.code, error.status) == ("SignatureDoesNotMatch", 403)
    canonical = error.fields["CanonicalRequest"]
    assert canonical.startswith("PUT\n/%C3%A9\n\nhost:examplebucket.s3.amazonaws.com\n")
    assert "\nx-amz-meta-a:b c\n\nhost;x-amz-content-sha256;" in canonical
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    scope = "20130524/us-east-1/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n20130524T000000Z\n{scope}\n{digest}"
    assert error.fields["StringToSign"] == text
    assert error.fields["StringToSignBytes"].startswith("41 57 53 34 2d")
    assert bytes.fromhex(error.fields["CanonicalRequestBytes"]) == canonical.encode()
    assert error.fields["AWSAccessKeyId"] == ACCESS_KEY
    assert request.headers[b"authorization"].decode().endswith(error.fields["SignatureProvided"])


def signed_with_payload(value: str | None) -> SignedRequest:
    headers = {"x-amz-meta-a": "b"}
    signed = signing.sign_headers(
        "PUT", f"{ENDPOINT}/k", headers, ACCESS_KEY, SECRET_KEY, REGION, value or "", NOW
    )
    if value is None:
        del signed["x-amz-content-sha256"]
    encoded = {name.encode(): text.encode() for name, text in signed.items()}
    return SignedRequest("PUT", b"/k", b"", encoded)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("UNSIGNED-PAYLOAD", sigv4.UNSIGNED),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", sigv4.STREAM_SIGNED),
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", sigv4.STREAM_SIGNED_TRAILER),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", sigv4.STREAM_UNSIGNED_TRAILER),
        (EMPTY, sigv4.SHA256),
        (EMPTY.upper(), sigv4.SHA256),
    ],
)
def test_payload_hash_says_how_to_verify_the_body(value, kind):
    request = signed_with_payload(value)
    found = verifier(NOW + 0.25).verify(*request)
    assert found.payload.kind == kind
    assert found.payload.sha256 == (value.encode() if kind == sigv4.SHA256 else b"")
    assert (found.auth_type, found.presigned) == ("REST-HEADER", False)
    assert (found.signature_version, found.signature_age_ms) == ("AWS4-HMAC-SHA256", 250)
    if kind > sigv4.SHA256:
        signature = request.headers[b"authorization"].rpartition(b"=")[2]
        assert found.payload.seed_signature == signature
        assert found.payload.scope == b"20130524/us-east-1/s3/aws4_request"
        assert found.payload.amz_date == b"20130524T000000Z"


def test_payload_hash_is_required_of_a_signed_request():
    error = refusal(signed_with_payload(None))
    assert (error.code, error.status) == ("InvalidRequest", 400)
    assert error.message == "Missing required header for this request: x-amz-content-sha256"


@pytest.mark.parametrize("value", ["invalid", "unsigned-payload", EMPTY[:-1], "STREAMING-X"])
def test_malformed_payload_hash_is_refused(value):
    error = refusal(signed_with_payload(value))
    assert (error.code, error.status) == ("InvalidArgument", 400)
    assert error.message.startswith("x-amz-content-sha256 must be UNSIGNED-PAYLOAD, ")
    assert error.message.endswith("or a valid sha256 value.")
    assert error.fields == {"ArgumentName": "x-amz-content-sha256", "ArgumentValue": value}


def test_presigned_body_is_free_unless_its_hash_was_signed():
    free = verifier().verify(*sign_by_query("PUT", f"{ENDPOINT}/k"))
    assert free.payload.kind == sigv4.UNSIGNED
    # The JavaScript SDK moves the header into the query.
    url = f"{ENDPOINT}/k?X-Amz-Content-Sha256=UNSIGNED-PAYLOAD"
    assert verifier().verify(*sign_by_query("PUT", url)).payload.kind == sigv4.UNSIGNED
    assert free.auth_type == "REST-QUERY-STRING"


@pytest.mark.parametrize("authorization", [None, ""])
def test_request_without_signature_is_anonymous(authorization):
    headers = {b"host": b"h"} | ({} if authorization is None else {b"authorization": b""})
    found = verifier().verify("GET", b"/bucket/key", b"list-type=2&prefix=X-Amz-", headers)
    assert found.access_key is None
    assert (found.auth_type, found.signature_version, found.presigned) == ("", "", False)
    assert found.payload.kind == sigv4.UNSIGNED


def test_anonymous_body_may_be_hashed_or_framed_but_not_signed():
    def kind(headers: dict[bytes, bytes]) -> int:
        return verifier().verify("PUT", b"/b/k", b"", headers).payload.kind

    digest = b"x-amz-content-sha256"
    assert kind({digest: EMPTY.encode()}) == sigv4.SHA256
    assert kind({digest: b"STREAMING-UNSIGNED-PAYLOAD-TRAILER"}) == sigv4.STREAM_UNSIGNED_TRAILER
    framed = {b"content-encoding": b"gzip,aws-chunked", b"x-amz-decoded-content-length": b"3"}
    assert kind(framed) == sigv4.STREAM_UNSIGNED_TRAILER
    assert kind(framed | {digest: EMPTY.encode()}) == sigv4.SHA256
    with pytest.raises(S3Error, match="Anonymous requests don't support"):
        kind({digest: b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"})


def test_header_that_vanished_on_the_way_breaks_the_signature():
    request = sign_by_header("GET", ENDPOINT, {"x-custom": "1"})
    assert refusal(changed(request, x_custom=None)).code == "SignatureDoesNotMatch"


def test_spaces_around_the_authorization_are_nothing():
    by = verifier()
    request = sign_by_header("GET", ENDPOINT)
    padded = changed(request, authorization=request.headers[b"authorization"].decode() + "  ")
    for _ in range(2):
        assert by.verify(*padded).access_key == ACCESS_KEY
        assert by.verify(*request).access_key == ACCESS_KEY


def test_parts_of_the_authorization_may_come_in_any_order():
    request = sign_by_header("GET", ENDPOINT)
    credential, signed, signature = request.headers[b"authorization"].decode()[17:].split(", ")
    by = verifier()
    for text in (f"{signature},{credential},{signed}", f"{signed}, {signature}, {credential}"):
        swapped = changed(request, authorization=f"AWS4-HMAC-SHA256 {text}")
        for _ in range(2):
            assert by.verify(*swapped).access_key == ACCESS_KEY
    assert by._claims == {}


_BYTES = st.binary(max_size=40)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_damaged_request_is_refused_or_means_the_same(data):
    sign = data.draw(st.sampled_from([sign_by_header, sign_by_query]))
    pairs = urlencode([("prefix", "a b"), ("max-keys", "2")])
    request = sign("GET", f"{ENDPOINT}/a%20b/c?{pairs}", {"x-amz-meta-a": "b c"})
    part = data.draw(st.sampled_from(["path", "query", "name", *request.headers]))
    text = {"path": request.raw_path, "query": request.raw_query, "name": b"x-amz-meta-a"}.get(
        part, request.headers.get(part, b"")
    )
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 3))
    damaged = text[:at] + data.draw(st.binary(max_size=4)) + text[at + cut :]
    headers = dict(request.headers)
    if part == "name":
        headers[damaged] = headers.pop(text)
    elif part not in ("path", "query"):
        headers[part] = damaged
    path = damaged if part == "path" else request.raw_path
    raw_query = damaged if part == "query" else request.raw_query
    try:
        found = verifier().verify("GET", path, raw_query, headers)
    except S3Error as error:
        assert error.status in (400, 403)
    else:
        if found.access_key is not None:
            assert signing.canonical_path(path) == signing.canonical_path(request.raw_path)
            assert signing.canonical_query(raw_query) == signing.canonical_query(request.raw_query)
            assert b"x-amz-meta-a" in headers


@settings(max_examples=150, deadline=None)
@given(_BYTES, _BYTES, st.dictionaries(_BYTES, _BYTES, max_size=4), _BYTES, st.booleans())
def test_arbitrary_bytes_are_never_more_than_refused(path, raw_query, headers, text, presigned):
    if presigned:
        raw_query += b"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" + text
    else:
        headers[b"authorization"] = b"AWS4-HMAC-SHA256 " + text
    with pytest.raises(S3Error):
        verifier().verify("GET", path, raw_query, headers)

"""Signature Version 2: AWS's published examples, botocore's two signers, and every refusal.

What a URL must not be turned into by somebody who holds it is tested as well as what it is for.
"""

import random
from email.utils import formatdate
from urllib.parse import quote

import pytest
from botocore.auth import HmacV1Auth, HmacV1QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.s3.signed_requests import (
    ACCESS_KEY,
    EMPTY,
    NOW,
    SECRET_KEY,
    SignedRequest,
    as_received,
    changed,
    query,
    refusal,
    sign_by_query,
)
from tests.s3.signed_requests import verifier as plain_verifier

from neve.s3 import sigv2, sigv4
from neve.s3.errors import S3Error
from neve.s3.routes import ROUTES
from neve.s3.sigv4 import Verifier

HOST = "s3.test"
URL = f"http://{HOST}/bucket/key"
DATE = formatdate(NOW, usegmt=True)
TOKEN = st.binary(max_size=30)


class ByHeader(HmacV1Auth):
    """botocore's signer with a clock of ours."""

    def _get_date(self) -> str:
        return DATE


class ByQuery(HmacV1QueryAuth):
    def _get_date(self) -> str:
        return str(int(NOW) + self._expires)


CREDENTIALS = Credentials(ACCESS_KEY, SECRET_KEY)
SIGNERS = {"header": ByHeader(CREDENTIALS), "query": ByQuery(CREDENTIALS, 3600)}


def sign(
    how: str,
    method: str = "GET",
    url: str = URL,
    headers: dict[str, str] | None = None,
    resource: str | None = None,
) -> SignedRequest:
    """Sign as botocore does; `resource` where that is not the URL's path."""
    request = AWSRequest(method, url, headers=headers, auth_path=resource)
    SIGNERS[how].add_auth(request)
    signed = as_received(method, request)
    # What botocore keeps the end of the URL in while it signs; it does not send it.
    return changed(signed, date=None) if how == "query" else signed


def by_hand(text: str, headers: dict[str, str], path: str = "/bucket/key", raw_query: str = ""):
    """A GET with the Authorization header for a string to sign of ours."""
    signature = sigv2.signature(SECRET_KEY, text.encode()).decode()
    fields = {"host": HOST, "authorization": f"AWS {ACCESS_KEY}:{signature}", **headers}
    raw = {name.encode(): value.encode() for name, value in fields.items()}
    return SignedRequest("GET", path.encode(), raw_query.encode(), raw)


def verifier(now: float = NOW, domain: str = HOST, **secrets: str | None) -> Verifier:
    by = plain_verifier(now, **secrets)
    by.domains = [f".{domain}".encode()]
    return by


def refused(request: SignedRequest, by: Verifier | None = None) -> S3Error:
    return refusal(request, by or verifier())


PUBLISHED = [
    ("GET", "johnsmith", "/photos/puppy.jpg", "", {"Date": "Tue, 27 Mar 2007 19:36:42 +0000"},
     "bWq2s1WEIj+Ydj0vQ697zp+IXMU="),
    ("PUT", "johnsmith", "/photos/puppy.jpg", "",
     {"Content-Type": "image/jpeg", "Content-Length": "94328",
      "Date": "Tue, 27 Mar 2007 21:15:45 +0000"},
     "MyyxeRY7whkBe+bq8fHCL/2kKUg="),
    ("GET", "johnsmith", "/", "prefix=photos&max-keys=50&marker=puppy",
     {"User-Agent": "Mozilla/5.0", "Date": "Tue, 27 Mar 2007 19:42:41 +0000"},
     "htDYFYduRNen8P9ZfE/s9SuKy0U="),
    ("GET", "johnsmith", "/", "acl", {"Date": "Tue, 27 Mar 2007 19:44:46 +0000"},
     "c2WLPFtWHVgbEmeEG93a4cG37dM="),
    ("PUT", "", "/static.johnsmith.net/db-backup.dat.gz", "",
     {"User-Agent": "curl/7.15.5", "Date": "Tue, 27 Mar 2007 21:06:08 +0000",
      "x-amz-acl": "public-read", "content-type": "application/x-download",
      "Content-MD5": "4gJE4saaMU4BqNR0kLY+lw==",
      "X-Amz-Meta-ReviewedBy": "joe@johnsmith.net,jane@johnsmith.net",
      "X-Amz-Meta-FileChecksum": "0x02661779", "X-Amz-Meta-ChecksumAlgorithm": "crc32",
      "Content-Disposition": "attachment; filename=database.dat", "Content-Encoding": "gzip"},
     "ilyl83RwaSoYIEdixDQcA4OnAnc="),
    ("GET", "", "/", "", {"Date": "Wed, 28 Mar 2007 01:29:59 +0000"},
     "qGdzdERIC03wnaRNKh6OqZehG9s="),
    ("GET", "", "/dictionary/fran%C3%A7ais/pr%c3%a9f%c3%a8re", "",
     {"Date": "Wed, 28 Mar 2007 01:49:49 +0000"}, "DNEZGsoieTZ92F3bUfSPQcbGmlM="),
]  # fmt: skip


@pytest.mark.parametrize("example", PUBLISHED, ids=lambda example: example[-1][:6])
def test_published_examples(example):
    method, bucket, path, raw_query, headers, signature = example
    host = f"{bucket}.s3.amazonaws.com".lstrip(".")
    fields = {"host": host, "authorization": f"AWS {ACCESS_KEY}:{signature}", **headers}
    raw = {name.lower().encode(): value.encode() for name, value in fields.items()}
    now = sigv4.parse_mail_date(raw[b"date"])
    by = verifier(now, "s3.amazonaws.com")
    request = SignedRequest(method, path.encode(), raw_query.encode(), raw)
    assert by.verify(*request).access_key == ACCESS_KEY
    assert refused(changed(request, date=formatdate(now + 1)), by).code == "SignatureDoesNotMatch"


def test_published_example_of_a_query():
    raw_query = (
        f"AWSAccessKeyId={ACCESS_KEY}&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
    )
    headers = {b"host": b"johnsmith.s3.amazonaws.com"}
    request = SignedRequest("GET", b"/photos/puppy.jpg", raw_query.encode(), headers)
    assert verifier(1_175_139_620, "s3.amazonaws.com").verify(*request).presigned
    assert refused(request, verifier(1_175_139_621, "s3.amazonaws.com")).code == "AccessDenied"


LETTERS = "abcXYZ019-._~ +%&=?#/:;,@!'()*$[]\"<>\\^`{|}éßñ日本🙂"


def _text(chance: random.Random, length: int) -> str:
    return "".join(chance.choices(LETTERS, k=chance.randint(1, length)))


def _random_request(chance: random.Random) -> tuple[str, SignedRequest]:
    how = chance.choice(["header", "query"])
    key = quote(_text(chance, 12), safe="/~")
    path = chance.choice(["/", f"/{key}", f"/{key}", f"/{key}"])
    names = chance.sample(HmacV1Auth.QSAOfInterest, chance.randint(0, 3))
    names += chance.sample(["prefix", "list-type", "x-id", "Acl"], chance.randint(0, 2))
    chance.shuffle(names)
    fields = [
        name if chance.random() < 0.3 else f"{name}={quote(_text(chance, 9), safe='-._~')}"
        for name in names
    ]
    headers = {}
    for name in ("Content-MD5", "Content-Type", "x-amz-meta-b", "X-Amz-Acl", "X-AMZ-Meta-a-1"):
        if chance.random() < 0.4:
            headers[name] = chance.choice(["", " ", "a  "]) + "".join(
                chance.choices("aZ /=;,", k=6)
            )
    question = "?" + "&".join(fields) if fields else ""
    virtual = chance.random() < 0.5
    host, start = (f"bucket.{HOST}", "") if virtual else (HOST, "/bucket")
    url = f"http://{host}:9000{start}{path}{question}"
    method = chance.choice(["GET", "PUT", "HEAD", "POST", "DELETE"])
    return how, sign(how, method, url, headers, f"/bucket{path}" if virtual else None)


def test_botocore_signs_what_is_verified():
    chance, by = random.Random(2), verifier()
    seen = set()
    for _ in range(800):
        how, request = _random_request(chance)
        found = by.verify(*request)
        assert (found.access_key, found.signature_version) == (ACCESS_KEY, "AWS"), request
        assert found.presigned == (how == "query")
        seen.add((how, request.method))
        other = {"GET": "PUT", "PUT": "GET"}.get(request.method, "GET")
        for damaged in (
            request._replace(method=other),
            request._replace(raw_path=request.raw_path + b"x"),
            request._replace(raw_query=request.raw_query + b"&acl"),
            changed(request, x_amz_meta_b="another"),
            changed(request, content_type="another"),
            changed(request, content_md5="another"),
            changed(request, host=f"another.{HOST}"),
        ):
            assert refused(damaged, by).code == "SignatureDoesNotMatch", damaged
    assert len(seen) == 10


def test_all_that_botocore_signs_and_all_that_routes_know_is_signed():
    assert {name.encode() for name in HmacV1Auth.QSAOfInterest} <= sigv2.SUBRESOURCES
    resources = {route.resource.encode() for route in ROUTES} - {b"", b"list-type"}
    assert resources <= sigv2.SUBRESOURCES


@pytest.mark.parametrize("resource", sorted({r.resource for r in ROUTES} - {"", "list-type"}))
def test_signed_url_cannot_be_turned_into_another_operation(resource):
    for how in SIGNERS:
        request = sign(how, "PUT")
        for name in (resource, f"{resource}=1", f"%{ord(resource[0]):02x}{resource[1:]}"):
            raw_query = b"&".join(filter(None, (name.encode(), request.raw_query)))
            error = refused(request._replace(raw_query=raw_query))
            assert error.code == "SignatureDoesNotMatch"


def test_url_of_one_bucket_opens_no_other_by_its_host():
    by_path = sign("query", url=f"http://{HOST}/bucket/key")
    assert verifier().verify(*by_path).presigned
    assert refused(changed(by_path, host=f"other.{HOST}")).code == "SignatureDoesNotMatch"
    by_host = sign("query", url=f"http://bucket.{HOST}/key", resource="/bucket/key")
    assert verifier().verify(*by_host).presigned
    assert verifier().verify(*changed(by_host, host=f"BUCKET.{HOST}:9000")).presigned
    assert refused(changed(by_host, host=HOST)).code == "SignatureDoesNotMatch"
    # Without domains a Host names no bucket, whatever it looks like.
    assert refused(by_host, plain_verifier()).code == "SignatureDoesNotMatch"
    assert plain_verifier().verify(*changed(by_path, host=f"other.{HOST}")).presigned


@pytest.mark.parametrize(("path", "resource"), [("/bucket", "/bucket/"), ("/bucket/", "/bucket")])
def test_slash_after_a_bucket_is_nothing(path, resource):
    for how in SIGNERS:
        request = sign(how, "PUT", f"http://{HOST}{path}", resource=resource)
        assert verifier().verify(*request).access_key == ACCESS_KEY
        error = refused(sign(how, "PUT", f"http://{HOST}{path}x/k", resource=f"{resource}x/k/"))
        assert error.code == "SignatureDoesNotMatch"


def test_empty_value_may_be_signed_with_and_without_its_sign():
    for resource in ("/bucket/key?acl", "/bucket/key?acl="):
        request = by_hand(f"GET\n\n\n{DATE}\n{resource}", {"date": DATE}, raw_query="acl=&x=")
        assert verifier().verify(*request).access_key == ACCESS_KEY


def test_overrides_are_signed_decoded():
    text = f"GET\n\n\n{DATE}\n/bucket/key?response-content-type=a b+c"
    for sent in ("a%20b%2Bc", "a+b%2bc", "%61 b%2Bc"):
        raw_query = f"response-content-type={sent}"
        request = by_hand(text, {"date": DATE}, raw_query=raw_query)
        assert verifier().verify(*request).access_key == ACCESS_KEY
    wrong = by_hand(text, {"date": DATE}, raw_query="response-content-type=a+b+c")
    assert refused(wrong).code == "SignatureDoesNotMatch"


def test_amz_date_is_the_date():
    late = formatdate(NOW + 60, usegmt=True)
    for form in (late, "20130524T000100Z"):
        text = f"GET\n\n\n\nx-amz-date:{form}\n/bucket/key"
        request = by_hand(text, {"date": "not even one", "x-amz-date": form})
        found = verifier().verify(*request)
        assert (found.signed_at, found.signature_age_ms) == (NOW + 60, -60_000)
    for headers in ({"x-amz-date": "", "date": DATE}, {"x-amz-date": "soon", "date": DATE}, {}):
        error = refused(by_hand("", headers))
        assert (error.code, error.status) == ("AccessDenied", 403)
        assert error.message == "AWS authentication requires a valid Date or x-amz-date header"


@pytest.mark.parametrize("late_s", [-901, 901])
def test_skewed_request_is_refused(late_s):
    request = sign("header")
    assert verifier(NOW + late_s // 901 * 900).verify(*request).signed_at == NOW
    error = refused(request, verifier(NOW + late_s))
    assert (error.code, error.status) == ("RequestTimeTooSkewed", 403)
    assert error.fields["RequestTime"] == DATE
    assert error.fields["MaxAllowedSkewMilliseconds"] == 900_000


def test_presigned_url_lives_to_its_end():
    request = sign("query")
    assert verifier(NOW + 3600).verify(*request).presigned
    assert verifier(NOW - 86_400).verify(*request).presigned
    error = refused(request, verifier(NOW + 3601))
    assert (error.code, error.status, error.message) == ("AccessDenied", 403, "Request has expired")
    assert error.fields == {
        "Expires": "2013-05-24T01:00:00Z",
        "ServerTime": "2013-05-24T01:00:01Z",
    }
    longer = query(request, f"Expires={int(NOW) + 3600}", f"Expires={int(NOW) + 9999}")
    assert refused(longer, verifier(NOW + 3601)).code == "SignatureDoesNotMatch"


def test_signature_of_one_form_is_none_of_the_other():
    presigned, header = sign("query"), sign("header")
    signature = header.headers[b"authorization"].decode().partition(":")[2]
    start = f"AWSAccessKeyId={ACCESS_KEY}&Signature={quote(signature, safe='')}"
    moved = SignedRequest("GET", b"/bucket/key", f"{start}&Expires={quote(DATE)}".encode(), {})
    assert refused(moved).message == f"Invalid date (should be seconds since epoch): {DATE}"
    fields = dict(piece.split("=") for piece in presigned.raw_query.decode().split("&"))
    authorization = f"AWS {ACCESS_KEY}:{fields['Signature'].replace('%3D', '=')}"
    back = {b"authorization": authorization.encode(), b"date": fields["Expires"].encode()}
    error = refused(SignedRequest("GET", b"/bucket/key", b"", back))
    assert error.message == "AWS authentication requires a valid Date or x-amz-date header"


@pytest.mark.parametrize("expires", ["", "soon", "-1", "+9", "1e12", "9" * 19, "٣"])
def test_malformed_end_is_refused(expires):
    request = sign("query")
    other = query(request, f"Expires={int(NOW) + 3600}", f"Expires={quote(expires)}")
    error = refused(other)
    assert (error.code, error.status) == ("AccessDenied", 403)
    if expires:
        assert error.message == f"Invalid date (should be seconds since epoch): {expires}"
    else:
        assert error.message.startswith("Query-string authentication requires the Signature, Exp")


@pytest.mark.parametrize("name", ["AWSAccessKeyId", "Signature"])
def test_empty_key_or_signature_is_refused(name):
    request = sign("query")
    pieces = [
        name.encode() + b"=" if piece.startswith(name.encode()) else piece
        for piece in request.raw_query.split(b"&")
    ]
    error = refused(request._replace(raw_query=b"&".join(pieces)))
    assert (error.code, error.message[:27]) == ("AccessDenied", "Query-string authentication")


@pytest.mark.parametrize(
    "text", ["AWS HAHAHA", "AWS :c2ln", "AWS key:", "AWS a b:c", "AWS a:b c", "AWS  "]
)
def test_malformed_authorization_is_refused(text):
    error = refused(changed(sign("header"), authorization=text))
    assert (error.code, error.status) == ("InvalidArgument", 400)
    assert error.fields == {"ArgumentName": "Authorization", "ArgumentValue": text}


@pytest.mark.parametrize("how", SIGNERS)
def test_unknown_revoked_and_changed_secrets_are_refused(how):
    secrets = {ACCESS_KEY: SECRET_KEY}
    by = Verifier(secrets.get, "us-east-1", now=lambda: NOW)
    request = sign(how)
    assert by.verify(*request).access_key == ACCESS_KEY
    secrets[ACCESS_KEY] = "another"
    assert refusal(request, by).code == "SignatureDoesNotMatch"
    del secrets[ACCESS_KEY]
    error = refusal(request, by)
    assert (error.code, error.status) == ("InvalidAccessKeyId", 403)
    assert error.fields == {"AWSAccessKeyId": ACCESS_KEY}


def test_mismatch_says_what_was_expected_to_be_signed():
    request = sign("header", "PUT", f"{URL}?acl&prefix=x", {"x-amz-b": "2", "x-amz-a": "1"})
    error = refused(request._replace(method="GET"))
    text = f"GET\n\n\n{DATE}\nx-amz-a:1\nx-amz-b:2\n/bucket/key?acl"
    assert (error.code, error.status) == ("SignatureDoesNotMatch", 403)
    assert error.fields["StringToSign"] == text
    assert bytes.fromhex(error.fields["StringToSignBytes"]) == text.encode()
    assert error.fields["SignatureProvided"] in request.headers[b"authorization"].decode()
    assert error.fields["AWSAccessKeyId"] == ACCESS_KEY


@pytest.mark.parametrize("how", SIGNERS)
def test_headers_with_a_meaning_cannot_be_added(how):
    request = sign(how, "PUT")
    for more in ({"x_amz_acl": "public-read"}, {"x_amz_copy_source": "/other/key"}):
        assert refused(changed(request, **more)).code == "SignatureDoesNotMatch"
    assert verifier().verify(*changed(request, range="bytes=0-1")).access_key == ACCESS_KEY


def test_signed_headers_must_be_sent():
    # boto3 repeats them in the query. They mean nothing there: whoever left them out would store
    # an object that is not what was signed.
    headers = {"Content-Type": "text/plain", "x-amz-meta-a": "b"}
    request = sign("query", "PUT", headers=headers)
    assert b"content-type=text%2Fplain" in request.raw_query
    assert verifier().verify(*request).presigned
    for name in ("content_type", "x_amz_meta_a"):
        assert refused(changed(request, **{name: None})).code == "SignatureDoesNotMatch"


def test_security_token_is_refused():
    for how in SIGNERS:
        error = refused(sign(how, headers={"x-amz-security-token": "t"}))
        assert (error.code, error.fields) == ("InvalidToken", {"Token-0": "t"})


def test_two_mechanisms_at_once_are_refused():
    for request in (
        changed(sign("query"), authorization=f"AWS {ACCESS_KEY}:c2ln"),
        changed(sign_by_query("GET", URL), authorization=f"AWS {ACCESS_KEY}:c2ln"),
    ):
        error = refused(request)
        assert error.code == "InvalidArgument"
        assert error.message.startswith("Only one auth mechanism allowed")


def test_plus_that_nobody_escaped_is_a_plus():
    for end in range(100):
        request = sign("query", url=f"{URL}{end}")
        if b"%2B" in request.raw_query:
            break
    plain = request._replace(raw_query=request.raw_query.replace(b"%2B", b"+"))
    assert b"+" in plain.raw_query
    assert verifier().verify(*plain).presigned


def test_body_is_what_its_own_headers_say():
    def kind(**headers: str) -> int:
        more = {name.replace("_", "-"): value for name, value in headers.items()}
        return verifier().verify(*sign("header", "PUT", headers=more)).payload.kind

    assert kind() == sigv4.UNSIGNED
    assert kind(x_amz_content_sha256="UNSIGNED-PAYLOAD") == sigv4.UNSIGNED
    assert kind(x_amz_content_sha256=EMPTY) == sigv4.SHA256
    framed = {"content_encoding": "aws-chunked", "x_amz_decoded_content_length": "3"}
    assert kind(**framed) == sigv4.STREAM_UNSIGNED_TRAILER


@settings(max_examples=200, deadline=None)
@given(TOKEN, TOKEN, TOKEN, st.dictionaries(TOKEN, TOKEN, max_size=4), st.booleans())
def test_arbitrary_bytes_are_never_more_than_refused(path, text, more, headers, presigned):
    raw_query = more
    if presigned:
        raw_query += b"&AWSAccessKeyId=%b&Signature=%b&Expires=9999999999" % (text, text)
    else:
        headers[b"authorization"] = b"AWS " + text
    with pytest.raises(S3Error):
        verifier().verify("GET", path, raw_query, headers)

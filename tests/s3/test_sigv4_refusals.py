"""Every way in which a signature can be refused, with AWS's code, status, words and fields."""

from urllib.parse import quote

import pytest
from tests.s3.signed_requests import (
    ACCESS_KEY,
    CLAIM,
    ENDPOINT,
    NOW,
    authorization,
    changed,
    query,
    refusal,
    sign_by_header,
    sign_by_query,
    verifier,
)

HEADER_REFUSALS = {
    "no space": ("AWS4-HMAC-SHA256", "InvalidArgument", "one and only one ' ' (space) required"),
    "basic": ("Basic dXNlcjpwYXNz", "InvalidArgument", "Unsupported Authorization Type"),
    "ecdsa": ("AWS4-ECDSA-P256-SHA256 Credential=a", "InvalidRequest", "Please use AWS4-HMAC"),
    "one part": (f"AWS4-HMAC-SHA256 {CLAIM}", None, "requires three components"),
    "no equals": (
        f"AWS4-HMAC-SHA256 {CLAIM},SignedHeaders,Signature=a",
        None,
        '"SignedHeaders"',
    ),
    "empty part": (
        f"AWS4-HMAC-SHA256 {CLAIM},SignedHeaders=,Signature=a",
        None,
        "missing SignedHeaders.",
    ),
    "other part": (
        f"AWS4-HMAC-SHA256 {CLAIM},S=h,Signature=a",
        None,
        "missing SignedHeaders.",
    ),
}


@pytest.mark.parametrize("name", HEADER_REFUSALS)
def test_malformed_authorization_is_refused(name):
    text, code, message = HEADER_REFUSALS[name]
    error = refusal(changed(sign_by_header("GET", ENDPOINT), authorization=text))
    assert error.code == code or (code is None and error.code == "AuthorizationHeaderMalformed")
    assert error.status == 400
    assert message in error.message
    if error.code == "InvalidArgument":
        assert error.fields == {"ArgumentName": "Authorization", "ArgumentValue": text}


CREDENTIAL_REFUSALS = {
    "/s3/aws4_request": ("/aws4_request", 'expecting "<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4'),
    "/s3/": ("/ec2/", 'incorrect service "ec2". This endpoint belongs to "s3".'),
    "aws4_request": ("aws_request", 'incorrect terminal "aws_request". This endpoint uses "aws4_r'),
    "/20130524/": ("/2013-5-4/", 'incorrect date format "2013-5-4". This date in the credential'),
    "/us-east-1/": ("/eu-west-3/", "the region 'eu-west-3' is wrong; expecting 'us-east-1'"),
    f"{ACCESS_KEY}/": ("/", "a non-empty Access Key (AKID) must be provided in the credential."),
}


@pytest.mark.parametrize("old", CREDENTIAL_REFUSALS)
def test_odd_credential_is_refused_in_header_and_query(old):
    new, message = CREDENTIAL_REFUSALS[old]
    by_header = refusal(authorization(sign_by_header("GET", ENDPOINT), old, new))
    assert by_header.code == "AuthorizationHeaderMalformed"
    assert by_header.message.startswith("The authorization header is malformed; ")
    by_query = refusal(query(sign_by_query("GET", ENDPOINT), quote(old, ""), quote(new, "")))
    assert by_query.code == "AuthorizationQueryParametersError"
    assert by_query.message.startswith("Error parsing the X-Amz-Credential parameter; ")
    for error in (by_header, by_query):
        assert error.status == 400
        assert message in error.message
        assert error.fields == ({"Region": "us-east-1"} if "region '" in message else {})


def test_date_of_the_credential_must_be_the_date_of_the_request():
    message = 'Invalid credential date "20130523". This date is not the same as X-Amz-Date: "2013'
    request = authorization(sign_by_header("GET", ENDPOINT), "/20130524/", "/20130523/")
    error = refusal(request)
    assert error.code == "AuthorizationHeaderMalformed"
    assert message in error.message
    presigned = query(sign_by_query("GET", ENDPOINT), "F20130524%", "F20130523%")
    assert message in refusal(presigned).message


def test_region_is_compared_unless_none_is_configured_or_the_caller_says_so():
    request = sign_by_header("GET", ENDPOINT, region="eu-west-3")
    presigned = sign_by_query("GET", ENDPOINT)
    assert refusal(request).code == "AuthorizationHeaderMalformed"
    assert verifier(region="").verify(*request).access_key == ACCESS_KEY
    assert verifier().verify(*request, any_region=True).access_key == ACCESS_KEY
    assert refusal(presigned, verifier(region="mars")).fields == {"Region": "mars"}
    assert verifier(region="mars").verify(*presigned, any_region=True).presigned
    assert verifier(region="").verify(*presigned).presigned


@pytest.mark.parametrize(
    "date",
    [
        None,
        "",
        "yesterday",
        "Fri, 24 May 2013 00:00:00 GMT" + " " * 99,
        "20130524T000000",
        "20131324T000000Z",
        "٢٠١٣0524T000000Z",
    ],
)
def test_request_without_a_valid_date_is_refused(date):
    error = refusal(changed(sign_by_header("GET", ENDPOINT), x_amz_date=date))
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.message == "AWS authentication requires a valid Date or x-amz-date header"


@pytest.mark.parametrize("date", ["Tue, 07 Jul 1950 21:53:04 GMT", "Tue, 99 Jul 2013 21:53:04 GMT"])
def test_date_before_the_epoch_or_in_no_calendar_is_refused(date):
    request = changed(sign_by_header("GET", ENDPOINT), x_amz_date=None, date=date)
    assert refusal(request).code == "AccessDenied"


@pytest.mark.parametrize("late_s", [-901, 901])
def test_skewed_request_is_refused(late_s):
    request = sign_by_header("GET", ENDPOINT)
    assert verifier(NOW + late_s // 901 * 900).verify(*request).signed_at == NOW
    error = refusal(request, verifier(NOW + late_s))
    assert (error.code, error.status) == ("RequestTimeTooSkewed", 403)
    assert error.fields["RequestTime"] == "20130524T000000Z"
    assert error.fields["MaxAllowedSkewMilliseconds"] == 900_000
    assert (
        error.fields["ServerTime"] == ("2013-05-23T23:44:59Z", "2013-05-24T00:15:01Z")[late_s > 0]
    )


def test_security_token_is_refused():
    error = refusal(changed(sign_by_header("GET", ENDPOINT), x_amz_security_token="t"))
    assert (error.code, error.status, error.fields) == ("InvalidToken", 400, {"Token-0": "t"})
    presigned = sign_by_query("GET", ENDPOINT)
    longer = presigned._replace(raw_query=presigned.raw_query + b"&X-Amz-Security-Token=t%2B")
    assert refusal(longer).fields == {"Token-0": "t+"}


@pytest.mark.parametrize("sign", [sign_by_header, sign_by_query])
def test_amz_headers_and_host_must_be_signed(sign):
    request = sign("GET", ENDPOINT)
    more = changed(request, x_amz_meta_b="1", x_amz_acl="private", content_type="text/plain")
    error = refusal(more)
    assert (error.code, error.status) == ("AccessDenied", 403)
    assert error.message == "There were headers present in the request which were not signed"
    assert error.fields == {"HeadersNotSigned": "x-amz-acl, x-amz-meta-b"}
    assert verifier().verify(*changed(request, content_type="text/plain")).access_key == ACCESS_KEY


def test_host_must_be_signed():
    error = refusal(authorization(sign_by_header("GET", ENDPOINT), "=host;", "="))
    assert error.fields == {"HeadersNotSigned": "host"}


def test_two_mechanisms_at_once_are_refused():
    presigned = sign_by_query("GET", ENDPOINT)
    for request in (
        changed(presigned, authorization="Bearer x"),
        sign_by_header("GET", f"{ENDPOINT}/?AWSAccessKeyId=a&Signature=b&Expires=1"),
    ):
        error = refusal(request)
        assert (error.code, error.status) == ("InvalidArgument", 400)
        assert error.message.startswith("Only one auth mechanism allowed; only the X-Amz-Algorithm")
        assert error.fields["ArgumentName"] == "Authorization"


@pytest.mark.parametrize(
    "name",
    ["Algorithm", "Credential", "Signature", "Date", "SignedHeaders", "Expires"],
)
def test_each_parameter_of_a_presigned_url_is_required(name):
    request = sign_by_query("GET", f"{ENDPOINT}/k")
    pieces = request.raw_query.split(b"&")
    kept = b"&".join(piece for piece in pieces if not piece.startswith(f"X-Amz-{name}=".encode()))
    assert kept != request.raw_query
    error = refusal(request._replace(raw_query=kept))
    assert error.code == "AuthorizationQueryParametersError"
    assert error.message.startswith("Query-string authentication version 4 requires the X-Amz-Algo")


@pytest.mark.parametrize(
    ("old", "new", "code", "message"),
    [
        ("=3600", "=soon", None, "X-Amz-Expires should be a number"),
        ("=3600", "=1_0", None, "X-Amz-Expires should be a number"),
        ("=3600", "=-1", None, "X-Amz-Expires must be non-negative"),
        ("=3600", "=604801", None, "X-Amz-Expires must be less than a week (in seconds)"),
        ("T000000Z", "T00", None, "X-Amz-Date must be in the ISO8601 Long Format"),
        ("Date=201305", "Date=201335", None, "X-Amz-Date must be in the ISO8601 Long Format"),
        ("HMAC-SHA256", "HMAC-MD5", None, 'X-Amz-Algorithm only supports "AWS4-HMAC-SHA256'),
        ("HMAC-SHA256", "ECDSA-P256-SHA256", "InvalidRequest", "Please use AWS4-HMAC-SHA256."),
    ],
)
def test_malformed_presigned_url_is_refused(old, new, code, message):
    error = refusal(query(sign_by_query("GET", ENDPOINT), old, new))
    assert error.code == (code or "AuthorizationQueryParametersError")
    assert error.status == 400
    assert message in error.message


def test_presigned_url_lives_from_its_date_to_its_end():
    request = sign_by_query("GET", ENDPOINT, expires_s=604_800)
    assert verifier(NOW + 604_800).verify(*request).signature_age_ms == 604_800_000
    error = refusal(request, verifier(NOW + 604_801))
    assert (error.code, error.status, error.message) == ("AccessDenied", 403, "Request has expired")
    assert error.fields == {
        "X-Amz-Expires": 604_800,
        "Expires": "2013-05-31T00:00:00Z",
        "ServerTime": "2013-05-31T00:00:01Z",
    }
    assert verifier(NOW - 900).verify(*request).presigned
    early = refusal(request, verifier(NOW - 901))
    assert (early.code, early.message) == ("AccessDenied", "Request is not yet valid")

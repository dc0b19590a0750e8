"""Conditions of reads, writes and deletions."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from neve.s3.conditions import check_read, parse_date
from neve.s3.errors import S3Error

MTIME_S = 784_111_777
BEFORE = b"Sun, 06 Nov 1994 08:49:36 GMT"
THEN = b"Sun, 06 Nov 1994 08:49:37 GMT"
AFTER = b"Sun, 06 Nov 1994 08:49:38 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({b"if-match": b'"e"'}, None),
        ({b"if-match": b"e"}, None),
        ({b"if-match": b"*"}, None),
        ({b"if-match": b'"x", "e"'}, None),
        ({b"if-match": b'"x"'}, "PreconditionFailed"),
        ({b"if-none-match": b'"e"'}, "NotModified"),
        ({b"if-none-match": b'W/"e"'}, "NotModified"),
        ({b"if-none-match": b"*"}, "NotModified"),
        ({b"if-none-match": b'"x"'}, None),
        ({b"if-modified-since": BEFORE}, None),
        ({b"if-modified-since": THEN}, "NotModified"),
        ({b"if-modified-since": AFTER}, "NotModified"),
        ({b"if-modified-since": b"yesterday"}, None),
        ({b"if-unmodified-since": BEFORE}, "PreconditionFailed"),
        ({b"if-unmodified-since": THEN}, None),
        ({b"if-unmodified-since": AFTER}, None),
        ({b"if-unmodified-since": b"yesterday"}, None),
        # RFC 9110 §13.2.2: a tag outweighs a date.
        ({b"if-match": b'"e"', b"if-unmodified-since": BEFORE}, None),
        ({b"if-match": b'"x"', b"if-unmodified-since": AFTER}, "PreconditionFailed"),
        ({b"if-none-match": b'"e"', b"if-modified-since": BEFORE}, "NotModified"),
        ({b"if-none-match": b'"x"', b"if-modified-since": AFTER}, None),
        ({b"if-match": b'"e"', b"if-none-match": b'"e"'}, "NotModified"),
        ({b"if-match": b'"x"', b"if-none-match": b'"e"'}, "PreconditionFailed"),
        ({b"if-unmodified-since": BEFORE, b"if-none-match": b'"e"'}, "PreconditionFailed"),
    ],
)
def test_conditions_of_reads_follow_the_rfc(
    headers: dict[bytes, bytes], expected: str | None
) -> None:
    mtime_us = MTIME_S * 1_000_000 + 999_999
    assert _outcome(headers, mtime_us, b"") == expected
    # A copy has the same conditions on its source, and no 304 to answer with.
    prefixed = {b"x-amz-copy-source-" + name: value for name, value in headers.items()}
    copied = "PreconditionFailed" if expected == "NotModified" else expected
    assert _outcome(prefixed, mtime_us, b"x-amz-copy-source-") == copied
    assert _outcome(prefixed, mtime_us, b"") is None


def _outcome(headers: dict[bytes, bytes], mtime_us: int, prefix: bytes) -> str | None:
    try:
        check_read(headers, "e", mtime_us, prefix)
    except S3Error as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("text", "second"),
    [
        (THEN, MTIME_S),
        (b"Sunday, 06-Nov-94 08:49:37 GMT", MTIME_S),
        (b"Sun Nov  6 08:49:37 1994", MTIME_S),
        (b"Sun, 06 Nov 1994 09:49:37 +0100", MTIME_S),
        (b"", None),
        (b"Sun, 99 Foo 1994", None),
        (b"\xff\xfe", None),
        (b"Sun, 06 Nov 99999999999 08:49:37 GMT", None),
    ],
)
def test_dates_of_all_http_forms_are_read(text: bytes, second: int | None) -> None:
    assert parse_date(text) == second


def test_a_304_repeats_the_fields_of_the_object_and_has_no_body(s3: Any) -> None:
    etag = s3.put_object(Bucket="data", Key="k", Body=b"x", CacheControl="max-age=9")["ETag"]
    for call in (s3.get_object, s3.head_object):
        with pytest.raises(s3.exceptions.ClientError) as caught:
            call(Bucket="data", Key="k", IfNoneMatch=etag)
        answer = caught.value.response["ResponseMetadata"]
        assert answer["HTTPStatusCode"] == 304
        assert answer["HTTPHeaders"]["etag"] == etag
        assert answer["HTTPHeaders"]["cache-control"] == "max-age=9"
        assert "last-modified" in answer["HTTPHeaders"]


def test_a_412_names_the_condition(s3: Any) -> None:
    s3.put_object(Bucket="data", Key="k", Body=b"x")
    with pytest.raises(s3.exceptions.ClientError) as caught:
        s3.get_object(Bucket="data", Key="k", IfMatch='"other"')
    assert caught.value.response["Error"]["Condition"] == "If-Match"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412


def test_put_if_none_match_writes_only_where_nothing_is(s3: Any, code: Callable[..., Any]) -> None:
    where = {"Bucket": "data", "Key": "k"}
    etag = s3.put_object(Body=b"first", IfNoneMatch="*", **where)["ETag"]
    assert code(s3.put_object, Body=b"2", IfNoneMatch="*", **where) == (412, "PreconditionFailed")
    assert code(s3.put_object, Body=b"2", IfNoneMatch=etag, **where)[0] == 412
    assert code(s3.put_object, Body=b"2", IfNoneMatch="W/" + etag, **where)[0] == 412
    assert s3.get_object(**where)["Body"].read() == b"first"
    s3.put_object(Body=b"3", IfNoneMatch='"other"', **where)
    assert s3.get_object(**where)["Body"].read() == b"3"


def test_put_if_match_writes_only_over_the_object_it_names(
    s3: Any, code: Callable[..., Any]
) -> None:
    where = {"Bucket": "data", "Key": "k"}
    assert code(s3.put_object, Body=b"", IfMatch="*", **where) == (404, "NoSuchKey")
    assert code(s3.put_object, Body=b"", IfMatch='"x"', **where) == (404, "NoSuchKey")
    etag = s3.put_object(Body=b"first", **where)["ETag"]
    assert code(s3.put_object, Body=b"2", IfMatch='"x"', **where) == (412, "PreconditionFailed")
    s3.put_object(Body=b"second", IfMatch=etag, **where)
    s3.put_object(Body=b"third", IfMatch="*", **where)
    assert s3.get_object(**where)["Body"].read() == b"third"


@pytest.mark.parametrize(
    "headers",
    [
        {"If-Modified-Since": "Sat, 29 Oct 1994 19:43:31 GMT"},
        {"If-Unmodified-Since": "Sat, 29 Oct 1994 19:43:31 GMT"},
        {"If-None-Match": '"a", "b"'},
        {"If-None-Match": "*", "If-Match": '"a"'},
    ],
)
def test_conditions_that_writes_do_not_have_are_refused(
    s3: Any, code: Callable[..., Any], headers: dict[str, str]
) -> None:
    def add(params: Any, **_: Any) -> None:
        params["headers"].update(headers)

    s3.meta.events.register("before-call.s3.PutObject", add)
    assert code(s3.put_object, Bucket="data", Key="k", Body=b"") == (501, "NotImplemented")


def test_delete_if_match(s3: Any, code: Callable[..., Any]) -> None:
    where = {"Bucket": "data", "Key": "k"}
    assert code(s3.delete_object, IfMatch='"x"', **where) == (404, "NoSuchKey")
    etag = s3.put_object(Body=b"x", **where)["ETag"]
    assert code(s3.delete_object, IfMatch='"x"', **where) == (412, "PreconditionFailed")
    s3.delete_object(IfMatch=etag, **where)
    s3.put_object(Body=b"x", **where)
    s3.delete_object(IfMatch="*", **where)
    assert "Contents" not in s3.list_objects_v2(Bucket="data")


def test_delete_if_size_and_time_match(s3: Any, code: Callable[..., Any]) -> None:
    where = {"Bucket": "data", "Key": "k"}
    s3.put_object(Body=b"1234", **where)
    modified = s3.head_object(**where)["LastModified"]
    earlier = modified - timedelta(seconds=1)
    assert code(s3.delete_object, IfMatchSize=3, **where) == (412, "PreconditionFailed")
    refused = code(s3.delete_object, IfMatchLastModifiedTime=earlier, **where)
    assert refused == (412, "PreconditionFailed")
    s3.delete_object(IfMatchSize=4, IfMatchLastModifiedTime=modified, **where)
    # AWS: of what is not there, size and time are not asked for.
    s3.delete_object(IfMatchSize=4, **where)


@pytest.mark.parametrize(
    ("name", "value"),
    [("x-amz-if-match-size", "-1"), ("x-amz-if-match-last-modified-time", "soon")],
)
def test_a_condition_that_is_no_size_or_time_is_refused(
    s3: Any, code: Callable[..., Any], name: str, value: str
) -> None:
    def add(params: Any, **_: Any) -> None:
        params["headers"][name] = value

    s3.meta.events.register("before-call.s3.DeleteObject", add)
    assert code(s3.delete_object, Bucket="data", Key="k") == (400, "InvalidArgument")

"""Lifecycle configurations: what comes back, what is refused, and what answers say of the end."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.s3.conftest import Store, allow

Code = Callable[..., tuple[int, str]]
NEXT_YEAR = datetime(2035, 1, 1, tzinfo=UTC)


def put(s3: Any, *rules: dict[str, Any]) -> None:
    s3.put_bucket_lifecycle_configuration(
        Bucket="data", LifecycleConfiguration={"Rules": list(rules)}
    )


def got(s3: Any) -> list[dict[str, Any]]:
    rules: list[dict[str, Any]] = s3.get_bucket_lifecycle_configuration(Bucket="data")["Rules"]
    return rules


def rule(**fields: Any) -> dict[str, Any]:
    base = {"ID": "r", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
    return {name: value for name, value in (base | fields).items() if value is not None}


TAG = {"Key": "k", "Value": "v"}
FORMS = {
    "prefix": rule(Filter={"Prefix": "tmp/ä&<"}),
    "no filter": rule(Filter={}),
    "legacy prefix": rule(Filter=None, Prefix="old/"),
    "empty legacy prefix": rule(Filter=None, Prefix=""),
    "tag": rule(Filter={"Tag": TAG}),
    "larger": rule(Filter={"ObjectSizeGreaterThan": 0}),
    "smaller": rule(Filter={"ObjectSizeLessThan": 5 << 40}),
    "all of them": rule(
        Filter={
            "And": {
                "Prefix": "a/",
                "Tags": [TAG, {"Key": "empty", "Value": ""}],
                "ObjectSizeGreaterThan": 500,
                "ObjectSizeLessThan": 64_000,
            }
        }
    ),
    "disabled": rule(Status="Disabled"),
    "date": rule(Expiration={"Date": NEXT_YEAR}),
    "markers": rule(Expiration={"ExpiredObjectDeleteMarker": True}),
    "noncurrent": rule(
        Expiration=None,
        NoncurrentVersionExpiration={"NoncurrentDays": 3, "NewerNoncurrentVersions": 100},
    ),
    "uploads": rule(Expiration=None, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7}),
    "everything": rule(
        ID="x" * 255,
        NoncurrentVersionExpiration={"NoncurrentDays": 3},
        AbortIncompleteMultipartUpload={"DaysAfterInitiation": 7},
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_rules_come_back_as_they_were_put(s3: Any, name: str) -> None:
    put(s3, FORMS[name])
    assert got(s3) == [FORMS[name]]


def test_a_thousand_rules_fit_and_keep_their_order(s3: Any, code: Code) -> None:
    rules = [rule(ID=str(number), Filter={"Prefix": f"{number}/"}) for number in range(1001)]
    put(s3, *rules[:1000])
    assert got(s3) == rules[:1000]
    too_many = {"Bucket": "data", "LifecycleConfiguration": {"Rules": rules}}
    assert code(s3.put_bucket_lifecycle_configuration, **too_many) == (400, "InvalidRequest")
    assert len(got(s3)) == 1000


def test_rules_go_away(s3: Any, code: Code) -> None:
    put(s3, rule())
    assert s3.delete_bucket_lifecycle(Bucket="data")["ResponseMetadata"]["HTTPStatusCode"] == 204
    missing = (404, "NoSuchLifecycleConfiguration")
    assert code(s3.get_bucket_lifecycle_configuration, Bucket="data") == missing
    s3.delete_bucket_lifecycle(Bucket="data")


def test_rules_without_an_id_get_one_each(s3: Any) -> None:
    put(s3, rule(ID=None), rule(ID=""), rule(ID="mine"))
    ids = [each["ID"] for each in got(s3)]
    assert len(set(ids)) == 3
    assert all(ids)


def test_the_rules_need_their_own_permissions(s3: Any, anonymous: Any, code: Code) -> None:
    allow(s3, "s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject")
    for call, more in (
        (anonymous.put_bucket_lifecycle_configuration, {"LifecycleConfiguration": {"Rules": []}}),
        (anonymous.get_bucket_lifecycle_configuration, {}),
        (anonymous.delete_bucket_lifecycle, {}),
    ):
        assert code(call, Bucket="data", **more) == (403, "AccessDenied")


REFUSED: dict[str, tuple[list[dict[str, Any]], str]] = {
    "no rule": ([], "MalformedXML"),
    "long id": ([rule(ID="x" * 256)], "InvalidArgument"),
    "one id twice": ([rule(), rule(Filter={"Prefix": "b"})], "InvalidArgument"),
    "small status": ([rule(Status="enabled")], "MalformedXML"),
    "neither prefix nor filter": ([rule(Filter=None)], "MalformedXML"),
    "both": ([rule(Prefix="a")], "MalformedXML"),
    "two predicates": ([rule(Filter={"Prefix": "a", "Tag": TAG})], "MalformedXML"),
    "nothing in And": ([rule(Filter={"And": {}})], "MalformedXML"),
    "one tag twice": ([rule(Filter={"And": {"Tags": [TAG, TAG]}})], "InvalidRequest"),
    "long tag key": ([rule(Filter={"Tag": {"Key": "k" * 129, "Value": "v"}})], "InvalidTag"),
    "long tag": ([rule(Filter={"Tag": {"Key": "k", "Value": "v" * 257}})], "InvalidTag"),
    "no size fits": (
        [rule(Filter={"And": {"ObjectSizeGreaterThan": 9, "ObjectSizeLessThan": 10}})],
        "InvalidRequest",
    ),
    "negative size": ([rule(Filter={"ObjectSizeGreaterThan": -1})], "InvalidArgument"),
    "long prefix": ([rule(Filter={"Prefix": "x" * 1025})], "InvalidRequest"),
    "no action": ([rule(Expiration=None)], "InvalidRequest"),
    "nothing in Expiration": ([rule(Expiration={})], "MalformedXML"),
    "no days": ([rule(Expiration={"Days": 0})], "InvalidArgument"),
    "negative days": ([rule(Expiration={"Days": -1})], "InvalidArgument"),
    "days beyond 32 bits": ([rule(Expiration={"Days": 2**31})], "MalformedXML"),
    "days and date": ([rule(Expiration={"Days": 1, "Date": NEXT_YEAR})], "MalformedXML"),
    "days and markers": (
        [rule(Expiration={"Days": 1, "ExpiredObjectDeleteMarker": True})],
        "MalformedXML",
    ),
    "noon": ([rule(Expiration={"Date": NEXT_YEAR + timedelta(hours=12)})], "InvalidArgument"),
    "markers with tags": (
        [rule(Filter={"Tag": TAG}, Expiration={"ExpiredObjectDeleteMarker": True})],
        "InvalidRequest",
    ),
    "markers with a size": (
        [
            rule(
                Filter={"ObjectSizeLessThan": 5},
                Expiration={"ExpiredObjectDeleteMarker": True},
            )
        ],
        "InvalidRequest",
    ),
    "uploads with tags": (
        [rule(Filter={"Tag": TAG}, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 1})],
        "InvalidRequest",
    ),
    "no days for uploads": (
        [rule(AbortIncompleteMultipartUpload={"DaysAfterInitiation": 0})],
        "InvalidArgument",
    ),
    "nothing for uploads": ([rule(AbortIncompleteMultipartUpload={})], "MalformedXML"),
    "no noncurrent days": (
        [rule(NoncurrentVersionExpiration={"NoncurrentDays": 0})],
        "InvalidArgument",
    ),
    "too many kept": (
        [rule(NoncurrentVersionExpiration={"NoncurrentDays": 1, "NewerNoncurrentVersions": 101})],
        "InvalidArgument",
    ),
    "transition": ([rule(Transitions=[{"Days": 30, "StorageClass": "GLACIER"}])], "NotImplemented"),
    "noncurrent transition": (
        [
            rule(
                NoncurrentVersionTransitions=[{"NoncurrentDays": 3, "StorageClass": "GLACIER"}]
            )
        ],
        "NotImplemented",
    ),
    "transition at a bad time": (
        [rule(Transitions=[{"Date": "20220927", "StorageClass": "GLACIER"}])],
        "InvalidArgument",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_bad_rule_is_refused_and_changes_nothing(s3: Any, name: str, code: Code) -> None:
    rules, expected = REFUSED[name]
    put(s3, rule(ID="old"))
    arguments = {"Bucket": "data", "LifecycleConfiguration": {"Rules": rules}}
    status = 501 if expected == "NotImplemented" else 400
    assert code(s3.put_bucket_lifecycle_configuration, **arguments) == (status, expected)
    assert got(s3) == [rule(ID="old")]


def document(inner: str) -> bytes:
    text = f"<LifecycleConfiguration><Rule>{inner}</Rule></LifecycleConfiguration>"
    return text.encode()


BASE = "<ID>r</ID><Status>Enabled</Status><Filter/>"
DAY = "<Expiration><Days>1</Days></Expiration>"
MALFORMED = {
    "nothing": b"",
    "other root": b"<Lifecycle/>",
    "empty": b"<LifecycleConfiguration/>",
    "no rule": b"<LifecycleConfiguration><R/></LifecycleConfiguration>",
    "unknown part": document(BASE + DAY + "<Archive/>"),
    "unknown in Expiration": document(BASE + "<Expiration><Hours>1</Hours></Expiration>"),
    "no status": document("<ID>r</ID><Filter/>" + DAY),
    "two statuses": document(BASE + "<Status>Enabled</Status>" + DAY),
    "two expirations": document(BASE + DAY + DAY),
    "two days": document(BASE + "<Expiration><Days>1</Days><Days>2</Days></Expiration>"),
    "days in words": document(BASE + "<Expiration><Days>one</Days></Expiration>"),
    "arabic days": document(BASE + "<Expiration><Days>\u0661</Days></Expiration>"),
    "broken days": document(BASE + "<Expiration><Days>1.5</Days></Expiration>"),
    "date in words": document(BASE + "<Expiration><Date>soon</Date></Expiration>"),
    "first date": document(
        BASE + "<Expiration><Date>0001-01-01T00:00:00+23:59</Date></Expiration>"
    ),
    "last date": document(BASE + "<Expiration><Date>9999-12-31T23:59:59-23:59</Date></Expiration>"),
    "maybe": document(
        BASE + "<Expiration><ExpiredObjectDeleteMarker>maybe</ExpiredObjectDeleteMarker>"
        "</Expiration>"
    ),
    "tag without value": document(
        "<ID>r</ID><Status>Enabled</Status><Filter><Tag><Key>k</Key></Tag></Filter>" + DAY
    ),
    "nested": document(BASE + "<Expiration><Days><Days>1</Days></Days></Expiration>"),
    "all versions by date": document(
        BASE + "<Expiration><Date>2035-01-01</Date>"
        "<ExpiredObjectAllVersions>true</ExpiredObjectAllVersions></Expiration>"
    ),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_document_is_refused(store: Store, s3: Any, code: Code, name: str) -> None:
    answer = store.signed("PUT", "/data?lifecycle", MALFORMED[name])
    assert answer.status == 400
    assert re.search(rb"<Code>(MalformedXML|InvalidArgument)</Code>", answer.body), answer.body
    missing = (404, "NoSuchLifecycleConfiguration")
    assert code(s3.get_bucket_lifecycle_configuration, Bucket="data") == missing


def test_what_only_minio_has_comes_back(store: Store, s3: Any) -> None:
    inner = (
        "<Expiration><Days>3</Days><ExpiredObjectAllVersions>true</ExpiredObjectAllVersions>"
        "</Expiration><DelMarkerExpiration><Days>4</Days></DelMarkerExpiration>"
        "<AllVersionsExpiration><Days>5</Days><DeleteMarker>true</DeleteMarker>"
        "</AllVersionsExpiration><NoncurrentVersionExpiration><NewerNoncurrentVersions>2"
        "</NewerNoncurrentVersions></NoncurrentVersionExpiration>"
    )
    assert store.signed("PUT", "/data?lifecycle", document(BASE + inner)).status == 200
    assert inner.encode() in store.signed("GET", "/data?lifecycle").body


def test_mc_is_told_when_the_rules_were_put(store: Store, s3: Any) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    put(s3, rule())
    name = "x-minio-lifecycleconfig-updatedat"
    answer = store.signed("GET", "/data?lifecycle=&withUpdatedAt=true")
    moment = datetime.strptime(answer.headers[name], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert before <= moment <= datetime.now(UTC)
    assert name not in store.signed("GET", "/data?lifecycle").headers


# x-amz-expiration.


def expiration(answer: dict[str, Any]) -> tuple[datetime, str] | None:
    text = answer.get("Expiration")
    if text is None:
        return None
    match = re.fullmatch(r'expiry-date="(.*) GMT", rule-id="(.*)"', text)
    assert match, text
    moment = datetime.strptime(match[1], "%a, %d %b %Y %H:%M:%S").replace(tzinfo=UTC)
    return moment, match[2]


def midnight_after(moment: datetime, days: int) -> datetime:
    """AWS: the days are added, and the result is rounded to the next midnight UTC."""
    return (moment + timedelta(days=days + 1)).replace(hour=0, minute=0, second=0, microsecond=0)


def test_answers_say_when_an_object_ends_and_by_which_rule(s3: Any) -> None:
    put(
        s3,
        rule(ID="off", Status="Disabled"),
        rule(ID="ten days / ä", Filter={"Prefix": "tmp/"}, Expiration={"Days": 10}),
        rule(ID="later", Filter={"Prefix": "tmp/"}, Expiration={"Days": 11}),
        rule(ID="tagged", Filter={"Tag": TAG}, Expiration={"Days": 2}),
        rule(ID="large", Filter={"ObjectSizeGreaterThan": 10}, Expiration={"Days": 5}),
        rule(ID="day", Filter={"Prefix": "dated/"}, Expiration={"Date": NEXT_YEAR}),
    )
    s3.put_object(Bucket="data", Key="source", Body=b"1")
    now = s3.head_object(Bucket="data", Key="source")["LastModified"]
    ten, two, five = (midnight_after(now, days) for days in (10, 2, 5))
    for key, arguments, expected in (
        ("tmp/a", {}, (ten, "ten%20days%20%2F%20%C3%A4")),
        ("tmp/b", {"Tagging": "k=v&x=y"}, (two, "tagged")),
        ("tmp/c", {"Body": b"0123456789"}, (ten, "ten%20days%20%2F%20%C3%A4")),
        ("tmp/d", {"Body": b"0123456789+"}, (five, "large")),
        ("dated/e", {}, (NEXT_YEAR, "day")),
        ("f", {"Tagging": "k=w"}, None),
    ):
        answers = [
            s3.put_object(Bucket="data", Key=key, **arguments),
            s3.head_object(Bucket="data", Key=key),
            s3.get_object(Bucket="data", Key=key),
            s3.get_object(Bucket="data", Key=key, IfMatch="*"),
        ]
        assert [expiration(answer) for answer in answers] == [expected] * 4, key
    copied = s3.copy_object(Bucket="data", Key="tmp/g", CopySource="data/source")
    assert expiration(copied) == (ten, "ten%20days%20%2F%20%C3%A4")
    upload = s3.create_multipart_upload(Bucket="data", Key="tmp/h")["UploadId"]
    named = {"Bucket": "data", "Key": "tmp/h", "UploadId": upload}
    part = s3.upload_part(PartNumber=1, Body=b"1", **named)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    assert expiration(s3.complete_multipart_upload(MultipartUpload=parts, **named)) == (
        ten,
        "ten%20days%20%2F%20%C3%A4",
    )


def test_without_rules_nothing_is_said(s3: Any) -> None:
    put(s3, rule(Status="Disabled"))
    assert expiration(s3.put_object(Bucket="data", Key="k")) is None
    put(s3, rule(Expiration={"Days": 2**31 - 1}))
    # After the year 9999, which HTTP cannot write.
    assert expiration(s3.get_object(Bucket="data", Key="k")) is None


def test_answers_say_when_an_upload_ends_and_by_which_rule(s3: Any) -> None:
    put(
        s3,
        rule(ID="4", Expiration=None, AbortIncompleteMultipartUpload={"DaysAfterInitiation": 4}),
        rule(
            ID="tmp 3",
            Expiration=None,
            Filter={"Prefix": "tmp/"},
            AbortIncompleteMultipartUpload={"DaysAfterInitiation": 3},
        ),
    )
    for key, days, name in (("k", 4, "4"), ("tmp/k", 3, "tmp%203")):
        begun = s3.create_multipart_upload(Bucket="data", Key=key)
        listed = s3.list_parts(Bucket="data", Key=key, UploadId=begun["UploadId"])
        uploads = s3.list_multipart_uploads(Bucket="data", Prefix=key)["Uploads"]
        end = midnight_after(uploads[0]["Initiated"], days)
        for answer in (begun, listed):
            assert (answer["AbortDate"], answer["AbortRuleId"]) == (end, name)
    s3.delete_bucket_lifecycle(Bucket="data")
    assert "AbortDate" not in s3.create_multipart_upload(Bucket="data", Key="k")

"""Object lock over S3, with boto3 against AWS's documented answers.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.s3.conftest import Store, allow

from neve import clock
from neve.engine import commit

Code = Callable[..., tuple[int, str]]
K = {"Bucket": "locked", "Key": "k"}
DENIED = (403, "AccessDenied")
MALFORMED = (400, "MalformedXML")


def days(number: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) + timedelta(days=number)


@pytest.fixture
def locked(s3: Any) -> Any:
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    return s3


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[float], None]]:
    """Let some days pass for the engine's transactions."""
    real = clock.now_us

    def pass_days(number: float) -> None:
        monkeypatch.setattr(commit, "now_us", lambda: real() + int(number * 86_400e6))

    yield pass_days


def put(s3: Any, body: bytes = b"x", **more: Any) -> str:
    return str(s3.put_object(**K, Body=body, **more)["VersionId"])


def retain(s3: Any, version: str, mode: str, until: datetime, **more: Any) -> None:
    retention = {"Mode": mode, "RetainUntilDate": until}
    s3.put_object_retention(**K, VersionId=version, Retention=retention, **more)


def retention(s3: Any, version: str) -> tuple[str, datetime]:
    found = s3.get_object_retention(**K, VersionId=version)["Retention"]
    return found["Mode"], found["RetainUntilDate"]


def test_a_bucket_with_lock_has_versioning_and_keeps_it(locked: Any, code: Code) -> None:
    s3 = locked
    assert s3.get_bucket_versioning(Bucket="locked")["Status"] == "Enabled"
    told = s3.get_object_lock_configuration(Bucket="locked")["ObjectLockConfiguration"]
    assert told == {"ObjectLockEnabled": "Enabled"}
    suspend = {"Bucket": "locked", "VersioningConfiguration": {"Status": "Suspended"}}
    assert code(s3.put_bucket_versioning, **suspend) == (409, "InvalidBucketState")


def test_lock_can_be_enabled_later_on_a_versioned_bucket(s3: Any, code: Code) -> None:
    enable = {
        "Bucket": "data",
        "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"},
    }
    assert code(s3.get_object_lock_configuration, Bucket="data") == (
        404, "ObjectLockConfigurationNotFoundError",
    )  # fmt: skip
    assert code(s3.put_object_lock_configuration, **enable) == (409, "InvalidBucketState")
    for state, refused in (("Suspended", True), ("Enabled", False)):
        versioning = {"Status": state}
        s3.put_bucket_versioning(Bucket="data", VersioningConfiguration=versioning)
        if refused:
            assert code(s3.put_object_lock_configuration, **enable) == (409, "InvalidBucketState")
    s3.put_object_lock_configuration(**enable)
    assert code(
        s3.put_bucket_versioning, Bucket="data", VersioningConfiguration={"Status": "Suspended"}
    ) == (409, "InvalidBucketState")


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE"])
def test_nobody_removes_a_retained_version(locked: Any, code: Code, mode: str) -> None:
    s3 = locked
    until = days(1)
    version = put(s3, ObjectLockMode=mode, ObjectLockRetainUntilDate=until)
    assert retention(s3, version) == (mode, until)
    head = s3.head_object(**K)
    assert (head["ObjectLockMode"], head["ObjectLockRetainUntilDate"]) == (mode, until)
    named = {**K, "VersionId": version}
    assert code(s3.delete_object, **named) == DENIED
    answer = s3.delete_objects(
        Bucket="locked", Delete={"Objects": [{"Key": "k", "VersionId": version}]}
    )
    assert [error["Code"] for error in answer["Errors"]] == ["AccessDenied"]
    # Overwriting and deleting hide it only.
    put(s3, b"newer")
    marker = s3.delete_object(**K)["VersionId"]
    assert s3.get_object(**named)["Body"].read() == b"x"
    assert code(s3.delete_object, **named) == DENIED
    s3.delete_object(**K, VersionId=marker)
    assert code(s3.delete_bucket, Bucket="locked") == (409, "BucketNotEmpty")
    if mode == "COMPLIANCE":
        assert code(s3.delete_object, **named, BypassGovernanceRetention=True) == DENIED
    else:
        s3.delete_object(**named, BypassGovernanceRetention=True)
        assert code(s3.get_object, **named) == (404, "NoSuchVersion")


def test_a_retention_ends_with_its_time(locked: Any, code: Code, later: Any) -> None:
    s3 = locked
    version = put(s3, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=days(2))
    later(1.9)
    assert code(s3.delete_object, **K, VersionId=version) == DENIED
    later(2.1)
    s3.delete_object(**K, VersionId=version)


def test_a_compliance_retention_is_only_prolonged(locked: Any, code: Code) -> None:
    s3 = locked
    version = put(s3)
    retain(s3, version, "COMPLIANCE", days(2))
    retain(s3, version, "COMPLIANCE", days(3))
    for mode, until in (("COMPLIANCE", days(1)), ("GOVERNANCE", days(9))):
        for bypass in (False, True):
            refused = code(
                s3.put_object_retention,
                **K,
                VersionId=version,
                Retention={"Mode": mode, "RetainUntilDate": until},
                BypassGovernanceRetention=bypass,
            )
            assert refused == DENIED
    refused = code(s3.put_object_retention, **K, Retention={}, BypassGovernanceRetention=True)
    assert refused == DENIED
    assert retention(s3, version)[0] == "COMPLIANCE"
    # What changes other metadata keeps the lock.
    s3.put_object_tagging(**K, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    s3.put_object_acl(**K, ACL="public-read")
    assert retention(s3, version)[0] == "COMPLIANCE"
    assert code(s3.delete_object, **K, VersionId=version) == DENIED


def test_a_governance_retention_is_bypassed_when_asked(locked: Any, code: Code) -> None:
    s3 = locked
    version = put(s3)
    retain(s3, version, "GOVERNANCE", days(2))
    retain(s3, version, "GOVERNANCE", days(3))
    named = {**K, "VersionId": version}
    shorter = {"Mode": "GOVERNANCE", "RetainUntilDate": days(1)}
    assert code(s3.put_object_retention, **named, Retention=shorter) == DENIED
    assert code(s3.put_object_retention, **named, Retention={}) == DENIED
    retain(s3, version, "GOVERNANCE", days(1), BypassGovernanceRetention=True)
    s3.put_object_retention(**named, Retention={}, BypassGovernanceRetention=True)
    assert code(s3.get_object_retention, **named) == (404, "NoSuchObjectLockConfiguration")
    s3.delete_object(**named)


def test_a_legal_hold_binds_until_it_is_taken_off(locked: Any, code: Code) -> None:
    s3 = locked
    version = put(s3, ObjectLockLegalHoldStatus="ON")
    named = {**K, "VersionId": version}
    assert s3.head_object(**K)["ObjectLockLegalHoldStatus"] == "ON"
    assert code(s3.delete_object, **named, BypassGovernanceRetention=True) == DENIED
    s3.put_object_legal_hold(**named, LegalHold={"Status": "OFF"})
    assert s3.get_object_legal_hold(**named)["LegalHold"]["Status"] == "OFF"
    s3.delete_object(**named)
    other = put(s3)
    assert code(s3.get_object_legal_hold, **K, VersionId=other) == (
        404, "NoSuchObjectLockConfiguration",
    )  # fmt: skip


def test_new_versions_have_the_default_retention(locked: Any, small_parts: Store) -> None:
    s3 = locked
    for period, length in (({"Days": 2}, 2), ({"Years": 1}, 365)):
        rule = {"DefaultRetention": {"Mode": "GOVERNANCE", **period}}
        configuration = {"ObjectLockEnabled": "Enabled", "Rule": rule}
        s3.put_object_lock_configuration(Bucket="locked", ObjectLockConfiguration=configuration)
        told = s3.get_object_lock_configuration(Bucket="locked")["ObjectLockConfiguration"]
        assert told == configuration
        mode, until = retention(s3, put(s3))
        assert mode == "GOVERNANCE"
        assert days(length - 1) < until < days(length + 2)
    own = put(s3, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=days(1))
    assert retention(s3, own)[0] == "COMPLIANCE"
    upload = s3.create_multipart_upload(**K)["UploadId"]
    part = s3.upload_part(**K, UploadId=upload, PartNumber=1, Body=b"part")
    done = s3.complete_multipart_upload(
        **K, UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )  # fmt: skip
    assert retention(s3, done["VersionId"])[0] == "GOVERNANCE"
    copied = s3.copy_object(
        **K, CopySource=K, MetadataDirective="REPLACE", ObjectLockLegalHoldStatus="ON"
    )
    assert retention(s3, copied["VersionId"])[0] == "GOVERNANCE"
    assert s3.get_object_legal_hold(**K)["LegalHold"]["Status"] == "ON"
    plain = {"ObjectLockEnabled": "Enabled"}
    s3.put_object_lock_configuration(Bucket="locked", ObjectLockConfiguration=plain)
    assert "ObjectLockMode" not in s3.head_object(**K, VersionId=put(s3))


def test_an_upload_keeps_the_lock_it_was_begun_with(locked: Any, code: Code) -> None:
    s3 = locked
    until = days(1)
    upload = s3.create_multipart_upload(
        **K, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=until
    )["UploadId"]
    part = s3.upload_part(**K, UploadId=upload, PartNumber=1, Body=b"part")
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    done = s3.complete_multipart_upload(**K, UploadId=upload, MultipartUpload=parts)
    assert retention(s3, done["VersionId"]) == ("COMPLIANCE", until)
    assert code(s3.delete_object, **K, VersionId=done["VersionId"]) == DENIED


def test_force_does_not_help(locked: Any, store: Store) -> None:
    version = put(locked, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=days(1))
    allow(locked, "s3:*", bucket="locked")
    answer = store.send("DELETE", "/locked", {"x-minio-force-delete": "true"})
    assert answer.status == 405
    assert locked.get_object(**K, VersionId=version)["Body"].read() == b"x"


def test_forms_lock_too(locked: Any, store: Store) -> None:
    until = days(1)
    lock = {
        "x-amz-object-lock-mode": "COMPLIANCE",
        "x-amz-object-lock-retain-until-date": until.isoformat(),
    }
    form = locked.generate_presigned_post(
        "locked", "k", Fields=lock, Conditions=[{name: value} for name, value in lock.items()]
    )
    boundary = "x-boundary"
    fields = [*form["fields"].items()]
    body = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    )
    body += (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\nbody'
        f"\r\n--{boundary}--\r\n"
    )
    headers = {"content-type": f"multipart/form-data; boundary={boundary}"}
    assert store.send("POST", "/locked", headers, body.encode()).status == 204
    assert retention(locked, locked.head_object(**K)["VersionId"]) == ("COMPLIANCE", until)


def test_a_lock_is_not_copied(locked: Any) -> None:
    s3 = locked
    put(s3, ObjectLockMode="COMPLIANCE", ObjectLockRetainUntilDate=days(1))
    copy = {"Bucket": "locked", "Key": "copy"}
    s3.copy_object(**copy, CopySource=K)
    assert "ObjectLockMode" not in s3.head_object(**copy)


def test_what_is_wrong_is_refused(locked: Any, code: Code) -> None:
    s3 = locked
    invalid = (400, "InvalidArgument")
    until = {"ObjectLockRetainUntilDate": days(1)}
    assert code(s3.put_object, **K, **until) == invalid
    assert code(s3.put_object, **K, ObjectLockMode="GOVERNANCE") == invalid
    assert code(s3.put_object, **K, ObjectLockMode="NONE", **until) == invalid
    assert code(s3.put_object, **K, ObjectLockLegalHoldStatus="MAYBE") == invalid
    past = {"ObjectLockMode": "GOVERNANCE", "ObjectLockRetainUntilDate": days(-1)}
    assert code(s3.put_object, **K, **past) == invalid
    put(s3)
    for wrong, error in (
        ({"Mode": "NONE", "RetainUntilDate": days(1)}, MALFORMED),
        ({"Mode": "GOVERNANCE"}, MALFORMED),
        ({"RetainUntilDate": days(1)}, MALFORMED),
        ({"Mode": "GOVERNANCE", "RetainUntilDate": days(-1)}, invalid),
    ):
        assert code(s3.put_object_retention, **K, Retention=wrong) == error
    assert code(s3.put_object_legal_hold, **K, LegalHold={"Status": "on"}) == MALFORMED
    period = (400, "InvalidRetentionPeriod")
    for default, error in (
        ({"Mode": "GOVERNANCE", "Days": 0}, period),
        ({"Mode": "GOVERNANCE", "Days": -1}, period),
        ({"Mode": "GOVERNANCE", "Years": 101}, period),
        ({"Mode": "GOVERNANCE", "Days": 1, "Years": 1}, MALFORMED),
        ({"Mode": "GOVERNANCE"}, MALFORMED),
        ({"Mode": "NONE", "Days": 1}, MALFORMED),
    ):
        configuration = {"ObjectLockEnabled": "Enabled", "Rule": {"DefaultRetention": default}}
        call = {"Bucket": "locked", "ObjectLockConfiguration": configuration}
        assert code(s3.put_object_lock_configuration, **call) == error
    marker = s3.delete_object(**K)["VersionId"]
    hold = {"LegalHold": {"Status": "ON"}, "VersionId": marker}
    assert code(s3.put_object_legal_hold, **K, **hold) == (405, "MethodNotAllowed")


def test_a_bucket_without_lock_takes_none(s3: Any, code: Code) -> None:
    missing = (400, "InvalidRequest")
    k = {"Bucket": "data", "Key": "k"}
    s3.put_object(**k, Body=b"x")
    assert code(s3.put_object, **k, ObjectLockLegalHoldStatus="ON") == missing
    assert code(s3.create_multipart_upload, **k, ObjectLockLegalHoldStatus="ON") == missing
    assert code(s3.put_object_legal_hold, **k, LegalHold={"Status": "ON"}) == missing
    assert code(s3.get_object_legal_hold, **k) == missing
    assert code(s3.get_object_retention, **k) == missing
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": days(1)}
    assert code(s3.put_object_retention, **k, Retention=retention) == missing


def test_locks_have_their_own_permissions(locked: Any, anonymous: Any, code: Code) -> None:
    s3 = locked
    version = put(
        s3,
        ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=days(1),
        ObjectLockLegalHoldStatus="OFF",
    )
    named = {**K, "VersionId": version}

    def may(*actions: str) -> None:
        allow(s3, *actions, bucket="locked")

    shown = ("ObjectLockMode", "ObjectLockRetainUntilDate", "ObjectLockLegalHoldStatus")

    def seen() -> list[str]:
        return [name for name in shown if name in anonymous.head_object(**K)]

    may("s3:GetObject")
    assert seen() == []
    assert code(anonymous.get_object_retention, **K) == DENIED
    may("s3:GetObject", "s3:GetObjectRetention")
    assert seen() == list(shown[:2])
    assert anonymous.get_object_retention(**K)["Retention"]["Mode"] == "GOVERNANCE"
    may("s3:GetObject", "s3:GetObjectLegalHold")
    assert seen() == [shown[2]]
    may("s3:DeleteObjectVersion", "s3:PutObject")
    assert code(anonymous.put_object, **K, ObjectLockLegalHoldStatus="ON") == DENIED
    assert code(anonymous.delete_object, **named) == DENIED
    assert code(anonymous.delete_object, **named, BypassGovernanceRetention=True) == DENIED
    may("s3:DeleteObjectVersion", "s3:BypassGovernanceRetention")
    assert code(anonymous.delete_object, **named) == DENIED
    anonymous.delete_object(**named, BypassGovernanceRetention=True)

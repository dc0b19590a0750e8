"""ExportBucketMetadata, ImportBucketMetadata: what buckets are told, as a zip archive.

The archive is MinIO's, so that either server reads what the other wrote: for each bucket a folder
with the documents of S3 under MinIO's names (`policy.json`, `versioning.xml`, `lifecycle.xml` …),
and Neve's own settings beside them. Objects are not in it.

An import makes buckets that are not there, for the caller, and replaces the settings that the
archive has; others stay as they are. What cannot be taken is left out and named in the answer.
"""

import asyncio
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from neve.admin.archive import ARCHIVE_BYTES_MAX, Archive, pack
from neve.admin.call import AdminCall, json_response, parse_object
from neve.admin.errors import AdminError, as_answer
from neve.admin.inner import perform
from neve.admin.quotas import parse_quota, quota_document, with_size
from neve.answer import Response
from neve.errors import DomainError, NoSuchBucket
from neve.s3.acls import BUCKET_ACL
from neve.s3.errors import S3Error

if TYPE_CHECKING:
    from neve.engine.bucket import Bucket


class _File(NamedTuple):
    """A file of the archive, the S3 operations that read and write it, its name in the answer."""

    name: str
    get: str
    put: str
    report: str = ""


_LOCK = _File(
    "object-lock.xml", "GetObjectLockConfiguration", "PutObjectLockConfiguration", "olock"
)
_VERSIONING = _File("versioning.xml", "GetBucketVersioning", "PutBucketVersioning", "versioning")
_OPTIONS = _File("neve-options.json", "GetBucketOptions", "PutBucketOptions")
_QUOTA = _File("quota.json", "", "", "quota")
_NEVE_QUOTA = _File("neve-quota.json", "GetBucketQuota", "PutBucketQuota")
_ACL = _File("acl.xml", "GetBucketAcl", "PutBucketAcl")

# In the order of an import: a lock needs versions, a public policy must come before what forbids
# public policies, an ACL before what turns ACLs off.
_FILES = (
    _VERSIONING,
    _LOCK,
    _File("policy.json", "GetBucketPolicy", "PutBucketPolicy", "policy"),
    _File("tagging.xml", "GetBucketTagging", "PutBucketTagging", "tagging"),
    _File("bucket-encryption.xml", "GetBucketEncryption", "PutBucketEncryption", "sse"),
    _File(
        "lifecycle.xml",
        "GetBucketLifecycleConfiguration",
        "PutBucketLifecycleConfiguration",
        "lifecycle",
    ),
    _File(
        "notification.xml",
        "GetBucketNotificationConfiguration",
        "PutBucketNotificationConfiguration",
        "notification",
    ),
    _QUOTA,
    _File("cors.xml", "GetBucketCors", "PutBucketCors", "cors"),
    _File("replication.xml", "GetBucketReplication", "PutBucketReplication"),
    _NEVE_QUOTA,
    _OPTIONS,
    _ACL,
    _File("ownership.xml", "GetBucketOwnershipControls", "PutBucketOwnershipControls"),
    _File("public-access-block.xml", "GetPublicAccessBlock", "PutPublicAccessBlock"),
)
_BY_NAME = {file.name: file for file in _FILES}
_REPORTED = tuple(file.report for file in _FILES if file.report)
_ZIP = [(b"content-type", b"application/zip")]
# MinIO notes in the document when it was changed, which is no part of S3's.
_CHANGED_AT = re.compile(rb"<ExpiryUpdatedAt>[^<]*</ExpiryUpdatedAt>")
_EMPTY = re.compile(rb"\s*(<\?xml[^>]*\?>)?\s*<\w+[^>]*?(/>|>\s*</\w+>)\s*")


async def export_bucket_metadata(call: AdminCall) -> Response:
    """Return the archive of one bucket, or of all."""
    name = call.query.get("bucket", "")
    buckets = [call.engine.bucket(name)] if name else call.engine.buckets()
    files = []
    for bucket in buckets:
        for file in _FILES:
            data = await _exported(call, bucket, file)
            if data:
                files.append((f"{bucket.name}/{file.name}", data))
    return Response(200, _ZIP, await asyncio.to_thread(pack, files))


async def import_bucket_metadata(call: AdminCall) -> Response:
    """Give buckets the settings in an archive, and return which were taken."""
    archive = Archive(await call.body(ARCHIVE_BYTES_MAX))
    only = call.query.get("bucket", "")
    names: dict[str, list[str]] = {}
    for bucket, name in archive.files():
        if only in ("", bucket):
            names.setdefault(bucket, []).append(name)
    report = {}
    for bucket, files in names.items():
        found = {name: archive.read(f"{bucket}/{name}") for name in files if name in _BY_NAME}
        report[bucket] = await take_settings(call, bucket, found)
    return json_response({"buckets": report})


async def _exported(call: AdminCall, bucket: "Bucket", file: _File) -> bytes:
    """Return the bytes of a file of a bucket; b"" when there is nothing to say."""
    if file is _QUOTA:
        return msgspec.json.encode(quota_document(bucket.quota))
    if file is _ACL and BUCKET_ACL not in bucket.options:
        return b""
    try:
        answer = await perform(call, file.get, bucket.name)
    except (S3Error, DomainError) as error:
        if as_answer(error).status != 404:
            raise
        return b""
    body = answer.body
    assert isinstance(body, bytes)
    if file is _VERSIONING and b"<Status>" not in body:
        return b""
    if file in (_OPTIONS, _NEVE_QUOTA):
        document = {name: value for name, value in msgspec.json.decode(body).items() if value}
        document.pop("cors", None)  # It only names the rules of cors.xml.
        return msgspec.json.encode(document) if document else b""
    return body


async def take_settings(call: AdminCall, bucket: str, files: dict[str, bytes]) -> dict[str, Any]:
    """Give a bucket, made if it is not there, the settings in files named as in an archive.

    Returns its part of the answer of an import.
    """
    report: dict[str, Any] = {name: {"isSet": False} for name in _REPORTED}
    try:
        await _make(call, bucket, locked=_LOCK.name in files)
    except (S3Error, DomainError) as error:
        report["error"] = as_answer(error).message
        return report
    for file in _FILES:
        if file.name not in files:
            continue
        message = await _put(call, bucket, file, files[file.name])
        if file.report:
            report[file.report] = {"isSet": True} | ({"error": message} if message else {})
        elif message:
            report["error"] = f"{file.name}: {message}"
    return report


async def _make(call: AdminCall, bucket: str, *, locked: bool) -> None:
    """Make the bucket if it is not there, for object lock if it will have that."""
    try:
        call.engine.bucket(bucket)
        return
    except NoSuchBucket:
        pass
    headers = {b"x-amz-bucket-object-lock-enabled": b"true"} if locked else {}
    try:
        await perform(call, "CreateBucket", bucket, headers=headers, caller=call.caller)
    except S3Error as error:
        if not locked or error.code != "NotImplemented":
            raise
        await perform(call, "CreateBucket", bucket, caller=call.caller)


async def _put(call: AdminCall, bucket: str, file: _File, data: bytes) -> str:
    """Give the bucket one setting; return why it could not be taken, "" when it was."""
    try:
        if file is _QUOTA:
            size = parse_quota(parse_object(data))
            quota = call.engine.bucket(bucket).quota
            await call.engine.quotas.set_bucket(bucket, with_size(quota, size))
        elif not (file.name.endswith(".xml") and _EMPTY.fullmatch(data)):
            await perform(call, file.put, bucket, _CHANGED_AT.sub(b"", data))
    except (S3Error, AdminError, DomainError) as error:
        return as_answer(error).message
    return ""

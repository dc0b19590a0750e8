"""CopyObject: makes an object of the bytes of another one, without moving them where files allow.

Supported: x-amz-copy-source with versionId, x-amz-copy-source-if-*, x-amz-metadata-directive,
x-amz-tagging-directive, x-amz-checksum-algorithm, If-Match, If-None-Match, what PutObject keeps of
an object; what MinIO's replication sends to change the metadata of a version. The ACL of the source
is not copied. Refused: as PutObject. Ignored: x-amz-request-payer.
"""

from neve.catalog.catalog import ObjectRow
from neve.s3.acl_requests import new_object_acl
from neve.s3.call import Call, written_headers
from neve.s3.checksums import parse_algorithm
from neve.s3.conditions import check_read, write_conditions
from neve.s3.errors import S3Error
from neve.s3.integrity import checksum_elements, object_checksum
from neve.s3.lifecycle import expiration_headers
from neve.s3.locks import may_bypass, set_default, set_lock
from neve.s3.metadata import ACL, SYSTEM, Metadata, pack, read_metadata, unpack
from neve.s3.names import parse_copy_source
from neve.s3.rehash import checksum_of
from neve.s3.replicas import is_replica, replica_metadata
from neve.s3.response import Headers, Response, xml_response
from neve.s3.xml import stamp

SOURCE_BYTES_MAX = 5 << 30
_PREFIX = b"x-amz-copy-source-"
_EXPECTED_OWNER = b"x-amz-source-expected-bucket-owner"


async def copy_object(call: Call) -> Response:
    """Copy an object."""
    if call.version is not None and is_replica(call):
        return await _change_replica(call)
    given = read_metadata(call.headers)
    acl = new_object_acl(call, call.headers)
    conditions = write_conditions(call.headers)
    source = find_source(call)
    if source.size > SOURCE_BYTES_MAX:
        raise S3Error(
            "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy"
            f" source: {SOURCE_BYTES_MAX}",
        )
    meta = _new_metadata(call, source, given)
    if acl is not None:
        meta[ACL] = acl
    set_lock(call, call.headers, meta)
    set_default(call.bucket, meta)
    row = await call.engine.copy_object(
        source,
        call.bucket,
        call.key,
        meta=pack(meta),
        checksum=await _new_checksum(call, source),
        conditions=conditions,
        owner=call.writer_id,
    )
    headers = source_version_headers(call, source)
    return _answer(call, row, headers)


async def _change_replica(call: Call) -> Response:
    """Give a version the metadata that it has now at the server it came from."""
    source = parse_copy_source(call.headers[b"x-amz-copy-source"])
    if (source.bucket, source.key, source.version) != (call.name, call.key, call.version):
        raise S3Error("NotImplemented", "A replica is copied onto itself only.")
    meta = pack(replica_metadata(call))
    bypass = call.bucket.locks and may_bypass(call, call.key, call.version, asked=True)
    row = await call.engine.set_object_meta(
        call.bucket, call.key, lambda _row: meta, call.version, bypass=bypass
    )
    return _answer(call, row, [])


def _answer(call: Call, row: ObjectRow, more: Headers) -> Response:
    inner = (
        f"<LastModified>{stamp(row.mtime_us // 1_000_000)}</LastModified>"
        f"<ETag>&quot;{row.etag}&quot;</ETag>{checksum_elements(row.checksum)}"
    )
    headers = [
        *written_headers(row),
        *more,
        *expiration_headers(call.bucket, row),
    ]
    return xml_response("CopyObjectResult", inner, headers)


def find_source(call: Call) -> ObjectRow:
    """Return the object that the request copies, which the caller may read.

    Raises: S3Error InvalidArgument, AccessDenied, PreconditionFailed; NoSuchBucket, NoSuchKey.
    """
    source = parse_copy_source(call.headers[b"x-amz-copy-source"])
    bucket = call.engine.bucket(source.bucket)
    expected = call.headers.get(_EXPECTED_OWNER)
    if expected is not None:
        call.check_owner(bucket, expected)
    action = "s3:GetObject" if source.version is None else "s3:GetObjectVersion"
    call.check(action, bucket, source.key, source.version)
    row = call.readable(bucket, source.key, source.version)
    if not row.etag:
        raise S3Error(
            "InvalidRequest",
            "The source of a copy request may not specifically refer to a delete marker by version"
            " id.",
        )
    check_read(call.headers, row.etag, row.mtime_us, _PREFIX)
    return row


def source_version_headers(call: Call, row: ObjectRow) -> Headers:
    """Return the field that says which version was copied."""
    source = parse_copy_source(call.headers[b"x-amz-copy-source"])
    versioned = call.engine.bucket(source.bucket).versioning is not None
    if not versioned and source.version is None:
        return []
    return [(b"x-amz-copy-source-version-id", row.version.encode() or b"null")]


def _directive(call: Call, name: bytes) -> bool:
    """Say whether the directive is REPLACE. Raises: S3Error InvalidArgument."""
    value = call.headers.get(name, b"COPY")
    if value not in (b"COPY", b"REPLACE"):
        raise S3Error(
            "InvalidArgument",
            "Unknown metadata directive." if b"metadata" in name else "Unknown tagging directive.",
            ArgumentName=name.decode(),
            ArgumentValue=value.decode("latin-1"),
        )
    return value == b"REPLACE"


def _new_metadata(call: Call, source: ObjectRow, given: Metadata) -> Metadata:
    """Return the metadata of the copy: AWS copies the storage class and the redirect never."""
    replace = _directive(call, b"x-amz-metadata-directive")
    replace_tags = _directive(call, b"x-amz-tagging-directive")
    old = unpack(source.meta)
    storage_class = given.get("x-amz-storage-class")
    if (
        not replace
        and source.tree == call.bucket.tree
        and source.key == call.key
        and _names_current(call)
        and "x-amz-website-redirect-location" not in given
        and storage_class == old.get("x-amz-storage-class")
        and not replace_tags
    ):
        raise S3Error(
            "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without"
            " changing the object's metadata, storage class, website redirect location or"
            " encryption attributes.",
        )
    if replace:
        meta = dict(given)
    else:
        meta = {name: value for name, value in old.items() if _is_copied(name)}
        for name in ("x-amz-storage-class", "x-amz-website-redirect-location"):
            if name in given:
                meta[name] = given[name]
    meta.pop("x-amz-tagging", None)
    tags = (given if replace_tags else old).get("x-amz-tagging")
    if tags is not None and not replace_tags:
        _check_tags_copied(call)
    if tags is not None:
        meta["x-amz-tagging"] = tags
    return meta


def _names_current(call: Call) -> bool:
    """Say whether the source is no version by id: copying such a one onto its key restores it."""
    return parse_copy_source(call.headers[b"x-amz-copy-source"]).version is None


def _check_tags_copied(call: Call) -> None:
    """Raise S3Error AccessDenied unless the caller may read the source's tags and set the copy's.

    AWS: "Copying objects", s3:GetObjectTagging and s3:PutObjectTagging.
    """
    source = parse_copy_source(call.headers[b"x-amz-copy-source"])
    versioned = source.version is not None
    action = "s3:GetObjectVersionTagging" if versioned else "s3:GetObjectTagging"
    call.check(action, call.engine.bucket(source.bucket), source.key, source.version)
    call.check("s3:PutObjectTagging", call.bucket, call.key)


def _is_copied(name: str) -> bool:
    return name.startswith("x-amz-meta-") or name.encode("latin-1") in SYSTEM


async def _new_checksum(call: Call, source: ObjectRow) -> str | None:
    """Return the checksum of the copy: the source's, unless another algorithm is asked for."""
    asked = call.headers.get(b"x-amz-checksum-algorithm")
    if asked is None:
        return source.checksum
    algorithm = parse_algorithm(asked)
    if source.checksum is not None and source.checksum.startswith(f"{algorithm.name};FULL_OBJECT"):
        return source.checksum
    digest = await checksum_of(call.engine, source, 0, source.size, algorithm.name)
    return object_checksum((algorithm.name, digest))

"""CreateMultipartUpload: begins an object that comes in parts.

Supported: what PutObject keeps of an object, x-amz-checksum-algorithm, x-amz-checksum-type,
what MinIO's replication sends.
Refused: as PutObject. Ignored: x-amz-request-payer.
"""

from neve.clock import now_us
from neve.s3.acl_requests import new_object_acl
from neve.s3.call import Call
from neve.s3.checksums import parse_upload
from neve.s3.lifecycle import abort_headers
from neve.s3.locks import set_lock
from neve.s3.metadata import ACL, pack, read_metadata
from neve.s3.replicas import begun_metadata, is_replica
from neve.s3.response import Headers, Response, xml_response
from neve.s3.xml import escape


async def create_multipart_upload(call: Call) -> Response:
    """Begin an upload in parts."""
    meta = begun_metadata(call) if is_replica(call) else _metadata(call)
    asked = parse_upload(call.headers)
    checksum = None
    headers: Headers = []
    if asked is not None:
        algorithm, type_ = asked
        checksum = f"{algorithm.name};{type_}"
        headers = [
            (b"x-amz-checksum-algorithm", algorithm.label.encode()),
            (b"x-amz-checksum-type", type_.encode()),
        ]
    upload = await call.engine.create_upload(
        call.bucket, call.key, call.writer_id or call.bucket.owner, meta, checksum
    )
    inner = (
        f"<Bucket>{call.bucket.name}</Bucket><Key>{escape(call.key)}</Key>"
        f"<UploadId>{upload}</UploadId>"
    )
    headers += abort_headers(call.bucket, call.key, now_us())
    return xml_response("InitiateMultipartUploadResult", inner, headers)


def _metadata(call: Call) -> bytes:
    metadata = read_metadata(call.headers)
    acl = new_object_acl(call, call.headers)
    if acl is not None:
        metadata[ACL] = acl
    set_lock(call, call.headers, metadata)
    return pack(metadata)

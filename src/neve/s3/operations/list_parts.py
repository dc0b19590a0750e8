"""ListParts: the parts of an upload in progress.

Supported: max-parts 0…1000, part-number-marker, encoding-type=url. Ignored: x-amz-request-payer.
"""

from neve.s3.acls import object_acl
from neve.s3.call import Call
from neve.s3.integrity import part_checksum_elements
from neve.s3.lifecycle import abort_headers
from neve.s3.listing import encoded, owner_xml, parse_encoding, truncated_xml
from neve.s3.metadata import unpack
from neve.s3.request import integer
from neve.s3.response import Response, xml_response
from neve.s3.xml import stamp

PARTS_MAX = 1000


def list_parts(call: Call) -> Response:
    """List the parts of an upload."""
    query = call.query
    limit = integer(query, "max-parts", PARTS_MAX, 0, PARTS_MAX)
    marker = integer(query, "part-number-marker", 0, 0, 2**31 - 1)
    upload = call.engine.upload(call.bucket, call.key, query["uploadId"])
    parts, truncated = call.engine.list_parts(upload.id, marker, limit)
    storage_class = unpack(upload.meta).get("x-amz-storage-class", b"STANDARD").decode()
    inner = [
        f"<Bucket>{call.bucket.name}</Bucket>",
        f"<Key>{encoded(call.key, parse_encoding(query))}</Key><UploadId>{upload.id}</UploadId>",
        owner_xml(upload.owner, "Initiator"),
        owner_xml(object_acl(call.bucket, upload.meta).owner),
        f"<StorageClass>{storage_class}</StorageClass>",
        f"<PartNumberMarker>{marker}</PartNumberMarker><MaxParts>{limit}</MaxParts>",
    ]
    if parts:
        inner.append(f"<NextPartNumberMarker>{parts[-1].number}</NextPartNumberMarker>")
    inner.append(truncated_xml(truncated))
    if upload.checksum is not None:
        algorithm, _, type_ = upload.checksum.partition(";")
        inner.append(f"<ChecksumAlgorithm>{algorithm.upper()}</ChecksumAlgorithm>")
        inner.append(f"<ChecksumType>{type_}</ChecksumType>")
    inner += [
        f"<Part><PartNumber>{part.number}</PartNumber>"
        f"<LastModified>{stamp(part.mtime_us // 1_000_000)}</LastModified>"
        f"<ETag>&quot;{part.etag}&quot;</ETag><Size>{part.size}</Size>"
        f"{part_checksum_elements(part.checksum)}</Part>"
        for part in parts
    ]
    headers = abort_headers(call.bucket, call.key, upload.created_us)
    return xml_response("ListPartsResult", "".join(inner), headers)

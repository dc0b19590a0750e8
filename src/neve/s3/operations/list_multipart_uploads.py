"""ListMultipartUploads: the uploads in progress of a bucket.

Supported: prefix, delimiter, key-marker, upload-id-marker, max-uploads 0…1000, encoding-type=url.
Ignored: x-amz-request-payer.
"""

from neve.catalog.catalog import UploadRow
from neve.s3.acls import object_acl
from neve.s3.call import Call
from neve.s3.listing import Listing, owner_xml, parse_encoding, truncated_xml
from neve.s3.metadata import unpack
from neve.s3.request import integer
from neve.s3.response import Response, xml_response
from neve.s3.xml import escape, stamp

UPLOADS_MAX = 1000
_PAGE = 1000


def list_multipart_uploads(call: Call) -> Response:
    """List uploads in progress."""
    query = call.query
    listing = Listing(
        query.get("prefix", ""),
        query.get("delimiter", ""),
        integer(query, "max-uploads", UPLOADS_MAX, 0, UPLOADS_MAX),
        parse_encoding(query),
    )
    key_marker = query.get("key-marker", "")
    # AWS: without a key marker the upload id marker is ignored.
    id_marker = query.get("upload-id-marker", "") if key_marker else ""
    entries, truncated = _page(call, listing, key_marker, id_marker)
    text = listing.text
    inner = [
        f"<Bucket>{call.bucket.name}</Bucket><KeyMarker>{text(key_marker)}</KeyMarker>",
        f"<UploadIdMarker>{escape(id_marker)}</UploadIdMarker>",
        f"<Prefix>{text(listing.prefix)}</Prefix><MaxUploads>{listing.limit}</MaxUploads>",
    ]
    if listing.delimiter:
        inner.append(f"<Delimiter>{text(listing.delimiter)}</Delimiter>")
    if listing.url:
        inner.append("<EncodingType>url</EncodingType>")
    if truncated and entries:
        last = entries[-1]
        key, id = (last, "") if isinstance(last, str) else (last.key, last.id)
        inner.append(f"<NextKeyMarker>{text(key)}</NextKeyMarker>")
        inner.append(f"<NextUploadIdMarker>{id}</NextUploadIdMarker>")
    inner.append(truncated_xml(truncated))
    uploads = [entry for entry in entries if not isinstance(entry, str)]
    inner += [_upload(e, listing, object_acl(call.bucket, e.meta).owner) for e in uploads]
    inner += [
        f"<CommonPrefixes><Prefix>{text(entry)}</Prefix></CommonPrefixes>"
        for entry in entries
        if isinstance(entry, str)
    ]
    return xml_response("ListMultipartUploadsResult", "".join(inner))


def _page(
    call: Call, listing: Listing, key_after: str, id_after: str
) -> tuple[list[UploadRow | str], bool]:
    """Return at most `limit` uploads and common prefixes after the markers, and if more follow."""
    prefix, delimiter, limit = listing.prefix, listing.delimiter, listing.limit
    entries: list[UploadRow | str] = []
    if limit == 0:
        return entries, False
    rolled = ""
    if delimiter and key_after.endswith(delimiter) and not id_after:
        # The marker is a common prefix that the page before has shown.
        rolled = _common_prefix(key_after, prefix, delimiter)
    while True:
        uploads = call.engine.list_uploads(call.bucket, prefix, key_after, id_after, _PAGE)
        for upload in uploads:
            group = _common_prefix(upload.key, prefix, delimiter)
            if group and group == rolled:
                continue
            if len(entries) == limit:
                return entries, True
            rolled = group
            entries.append(group or upload)
        if len(uploads) < _PAGE:
            return entries, False
        key_after, id_after = uploads[-1].key, uploads[-1].id


def _common_prefix(key: str, prefix: str, delimiter: str) -> str:
    """Return the common prefix that hides `key`, empty when it is listed itself."""
    if not delimiter or not key.startswith(prefix):
        return ""
    at = key.find(delimiter, len(prefix))
    return "" if at < 0 else key[: at + len(delimiter)]


def _upload(upload: UploadRow, listing: Listing, owner: str) -> str:
    storage_class = unpack(upload.meta).get("x-amz-storage-class", b"STANDARD").decode()
    sums = ""
    if upload.checksum is not None:
        algorithm, _, type_ = upload.checksum.partition(";")
        sums = (
            f"<ChecksumAlgorithm>{algorithm.upper()}</ChecksumAlgorithm>"
            f"<ChecksumType>{type_}</ChecksumType>"
        )
    return (
        f"<Upload><Key>{listing.text(upload.key)}</Key><UploadId>{upload.id}</UploadId>"
        f"{owner_xml(upload.owner, 'Initiator')}{owner_xml(owner)}"
        f"<StorageClass>{storage_class}</StorageClass>"
        f"<Initiated>{stamp(upload.created_us // 1_000_000)}</Initiated>{sums}</Upload>"
    )

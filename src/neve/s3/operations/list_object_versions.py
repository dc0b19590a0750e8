"""ListObjectVersions: every version and delete marker, by key and then newest first.

In a bucket that was never versioned, every object is its one version, `null`.

Supported: prefix, delimiter, key-marker, version-id-marker, max-keys, encoding-type=url.
Ignored: x-amz-request-payer, x-amz-optional-object-attributes.
"""

from neve.catalog.catalog import ListedVersion
from neve.s3.acls import object_acl
from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.listing import Listing, checksum_xml, owner_xml, parse_listing, truncated_xml
from neve.s3.names import NULL, parse_version
from neve.s3.response import Response, xml_response
from neve.s3.xml import escape, stamp


def list_object_versions(call: Call) -> Response:
    """List the versions of keys after a marker."""
    query, bucket = call.query, call.bucket
    listing = parse_listing(query)
    marker = query.get("key-marker", "")
    version = query.get("version-id-marker") or ""
    if version and not marker:
        raise S3Error(
            "InvalidArgument",
            "A version-id marker cannot be specified without a key marker.",
            ArgumentName="version-id-marker",
            ArgumentValue=version,
        )
    page = call.engine.list_versions(
        bucket,
        listing.prefix,
        listing.delimiter,
        marker,
        parse_version(version or None),
        listing.limit,
    )
    inner = [
        listing.head(bucket.name, listing.text(listing.prefix)),
        f"<KeyMarker>{listing.text(marker)}</KeyMarker>",
        f"<VersionIdMarker>{escape(version)}</VersionIdMarker>",
    ]
    if page.truncated:
        inner.append(_next_xml(page.entries[-1], listing))
    inner.append(truncated_xml(page.truncated))
    inner += [_entry_xml(call, listing, entry) for entry in page.entries]
    return xml_response("ListVersionsResult", "".join(inner))


def _next_xml(last: tuple[ListedVersion, bool] | str, listing: Listing) -> str:
    if isinstance(last, str):
        return f"<NextKeyMarker>{listing.text(last)}</NextKeyMarker>"
    key, version = last[0].key, last[0].version or NULL
    return (
        f"<NextKeyMarker>{listing.text(key)}</NextKeyMarker>"
        f"<NextVersionIdMarker>{version}</NextVersionIdMarker>"
    )


def _entry_xml(call: Call, listing: Listing, entry: tuple[ListedVersion, bool] | str) -> str:
    if isinstance(entry, str):
        return f"<CommonPrefixes><Prefix>{listing.text(entry)}</Prefix></CommonPrefixes>"
    row, newest = entry
    bucket = call.bucket
    owner = object_acl(bucket, row.meta).owner if row.owner else bucket.owner
    about = (
        f"<Key>{listing.text(row.key)}</Key><VersionId>{row.version or NULL}</VersionId>"
        f"<IsLatest>{'true' if newest else 'false'}</IsLatest>"
        f"<LastModified>{stamp(row.mtime_us // 1_000_000)}</LastModified>{owner_xml(owner)}"
    )
    if not row.etag:
        return f"<DeleteMarker>{about}</DeleteMarker>"
    sums = checksum_xml(row.checksum) if row.checksum is not None else ""
    return (
        f"<Version>{about}<ETag>&quot;{row.etag}&quot;</ETag>{sums}<Size>{row.size}</Size>"
        "<StorageClass>STANDARD</StorageClass></Version>"
    )

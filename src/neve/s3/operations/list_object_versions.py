"""ListObjectVersions: every object as its one version, `null`, as in a bucket without versioning.

Supported: prefix, delimiter, key-marker, version-id-marker, max-keys, encoding-type=url.
Ignored: x-amz-request-payer, x-amz-optional-object-attributes.
"""

from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.listing import contents_xml, owner_xml, parse_listing, truncated_xml
from neve.s3.response import Response, xml_response
from neve.s3.xml import escape

_NULL = "<VersionId>null</VersionId><IsLatest>true</IsLatest>"


def list_object_versions(call: Call) -> Response:
    """List the versions of keys after a marker."""
    query, bucket = call.query, call.bucket
    listing = parse_listing(query)
    marker = query.get("key-marker", "")
    version = query.get("version-id-marker", "")
    if version and not marker:
        raise S3Error(
            "InvalidArgument",
            "A version-id marker cannot be specified without a key marker.",
            ArgumentName="version-id-marker",
            ArgumentValue=version,
        )
    page = call.engine.list_objects(
        bucket, listing.prefix, listing.delimiter, marker, listing.limit
    )
    inner = [
        listing.head(bucket.name, listing.text(listing.prefix)),
        f"<KeyMarker>{listing.text(marker)}</KeyMarker>",
        f"<VersionIdMarker>{escape(version)}</VersionIdMarker>",
    ]
    if page.truncated:
        inner.append(f"<NextKeyMarker>{listing.text(page.last)}</NextKeyMarker>")
        if not isinstance(page.entries[-1], str):
            inner.append("<NextVersionIdMarker>null</NextVersionIdMarker>")
    inner.append(truncated_xml(page.truncated))
    owner = owner_xml(bucket.owner)
    inner.append(
        contents_xml(page.entries, listing, element="Version", after_key=_NULL, tail=owner)
    )
    return xml_response("ListVersionsResult", "".join(inner))

"""ListObjects: keys and common prefixes in pages, by marker.

Supported: prefix, delimiter of any length, marker, max-keys 0…1000, encoding-type=url.
Ignored: x-amz-request-payer, x-amz-optional-object-attributes.
"""

from neve.s3.call import Call
from neve.s3.listing import contents_xml, owner_xml, parse_listing, truncated_xml
from neve.s3.response import Response, xml_response
from neve.s3.xml import escape


def list_objects(call: Call) -> Response:
    """List keys and common prefixes after a marker."""
    listing = parse_listing(call.query)
    marker = call.query.get("marker", "")
    bucket = call.bucket
    page = call.engine.list_objects(
        bucket, listing.prefix, listing.delimiter, marker, listing.limit
    )
    # AWS: encoding-type leaves the prefix of this version alone; botocore does not decode it
    # (s3-tests: test_bucket_list_prefix_unreadable).
    inner = [
        listing.head(bucket.name, escape(listing.prefix)),
        f"<Marker>{listing.text(marker)}</Marker>",
    ]
    # AWS: without a delimiter the last key is the next marker, and no element says so.
    if page.truncated and listing.delimiter:
        inner.append(f"<NextMarker>{listing.text(page.last)}</NextMarker>")
    inner.append(truncated_xml(page.truncated))
    inner.append(contents_xml(page.entries, listing, tail=owner_xml(bucket.owner)))
    return xml_response("ListBucketResult", "".join(inner))

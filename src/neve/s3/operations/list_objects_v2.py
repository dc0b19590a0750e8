"""ListObjectsV2: keys and common prefixes in pages, by opaque token.

Supported: prefix, delimiter of any length, start-after, continuation-token, max-keys 0…1000,
encoding-type=url, fetch-owner. Ignored: x-amz-request-payer, x-amz-optional-object-attributes.
"""

from neve.s3.call import Call
from neve.s3.listing import (
    contents_xml,
    decode_token,
    encode_token,
    owner_xml,
    parse_listing,
    truncated_xml,
)
from neve.s3.response import Response, xml_response
from neve.s3.xml import escape


def list_objects_v2(call: Call) -> Response:
    """List keys and common prefixes, page by page."""
    query, bucket = call.query, call.bucket
    listing = parse_listing(query)
    token = query.get("continuation-token")
    start_after = query.get("start-after", "")
    after = decode_token(token) if token else start_after
    page = call.engine.list_objects(bucket, listing.prefix, listing.delimiter, after, listing.limit)
    inner = [
        listing.head(bucket.name, listing.text(listing.prefix)),
        f"<KeyCount>{len(page.entries)}</KeyCount>",
    ]
    if start_after:
        inner.append(f"<StartAfter>{listing.text(start_after)}</StartAfter>")
    if token is not None:
        inner.append(f"<ContinuationToken>{escape(token)}</ContinuationToken>")
    if page.truncated:
        following = encode_token(page.last)
        inner.append(f"<NextContinuationToken>{following}</NextContinuationToken>")
    inner.append(truncated_xml(page.truncated))
    owner = owner_xml(bucket.owner) if query.get("fetch-owner") == "true" else ""
    inner.append(contents_xml(page.entries, listing, tail=owner))
    return xml_response("ListBucketResult", "".join(inner))

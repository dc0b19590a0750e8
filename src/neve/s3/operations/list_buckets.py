"""ListBuckets: the buckets of the store that the caller may see, in name order.

Supported: prefix, max-buckets 1…10000, continuation-token, bucket-region.
"""

from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.listing import decode_token, encode_token, owner_xml
from neve.s3.request import integer
from neve.s3.response import Response, xml_response
from neve.s3.rights import may_list_all, may_see, may_see_some
from neve.s3.xml import escape, stamp

BUCKETS_MAX = 10_000


def list_buckets(call: Call) -> Response:
    """List the caller's buckets."""
    query = call.query
    limit = integer(query, "max-buckets", BUCKETS_MAX, 1, BUCKETS_MAX)
    token = query.get("continuation-token")
    after = decode_token(token) if token else ""
    prefix, region = query.get("prefix", ""), query.get("bucket-region")
    if region is not None and region not in ("", call.pipeline.region):
        raise S3Error(
            "InvalidArgument",
            f"Argument value {region} is not a valid AWS Region",
            ArgumentName="bucket-region",
        )
    mine = call.caller.canonical_id
    every = may_list_all(call)
    found = [
        bucket
        for bucket in call.engine.buckets()
        if bucket.name > after
        and bucket.name.startswith(prefix)
        and (every or may_see(call, bucket))
    ]
    if not found and not may_see_some(call):
        raise S3Error("AccessDenied")
    shown = "".join(
        f"<Bucket><Name>{bucket.name}</Name>"
        f"<CreationDate>{stamp(bucket.created_us // 1_000_000)}</CreationDate>"
        f"<BucketRegion>{bucket.region}</BucketRegion></Bucket>"
        for bucket in found[:limit]
    )
    inner = f"<Buckets>{shown}</Buckets>{owner_xml(mine)}"
    if len(found) > limit:
        inner += f"<ContinuationToken>{encode_token(found[limit - 1].name)}</ContinuationToken>"
    if prefix:
        inner += f"<Prefix>{escape(prefix)}</Prefix>"
    return xml_response("ListAllMyBucketsResult", inner)

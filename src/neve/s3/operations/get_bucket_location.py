"""GetBucketLocation: the region of a bucket; empty for us-east-1, as on AWS."""

from neve.s3.call import Call
from neve.s3.response import Response, xml_response


def get_bucket_location(call: Call) -> Response:
    """Return the region of the bucket."""
    region = call.bucket.region
    return xml_response("LocationConstraint", "" if region == "us-east-1" else region)

"""HeadBucket: says that a bucket exists and where it is."""

from neve.s3.call import Call
from neve.s3.response import Response


def head_bucket(call: Call) -> Response:
    """Say that the bucket exists and may be used."""
    headers = [
        (b"x-amz-bucket-region", call.bucket.region.encode()),
        (b"x-amz-access-point-alias", b"false"),
        (b"content-type", b"application/xml"),
        (b"content-length", b"0"),
    ]
    return Response(200, headers)

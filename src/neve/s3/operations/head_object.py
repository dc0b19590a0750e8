"""HeadObject: what GetObject would say, without the object.

Supported: what GetObject supports. Ignored: x-amz-request-payer.
"""

from neve.s3.call import Call
from neve.s3.lifecycle import expiration_headers
from neve.s3.operations.get_object import choose, is_special, shown, special_headers
from neve.s3.response import Response


def head_object(call: Call) -> Response:
    """Describe an object, or the part of it that is asked for."""
    if is_special(call):
        row = call.row()
        headers = special_headers(call, row)
        status, start, stop = choose(call, row, headers)
        headers.append((b"content-length", b"%d" % (stop - start)))
        return Response(status, headers)
    found = call.found()
    fields = shown(call, found)[1]
    if call.bucket.lifecycle is None:
        return Response(200, fields)
    return Response(200, [*fields, *expiration_headers(call.bucket, found.row)])

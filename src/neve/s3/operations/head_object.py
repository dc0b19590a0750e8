"""HeadObject: what GetObject would say, without the object.

Supported: what GetObject supports. Ignored: x-amz-request-payer.
"""

from neve.s3.call import Call
from neve.s3.operations.get_object import choose, is_special, object_headers
from neve.s3.response import Response


def head_object(call: Call) -> Response:
    """Describe an object, or the part of it that is asked for."""
    row = call.row()
    headers = object_headers(row)
    if is_special(call):
        status, start, stop = choose(call, row, headers)
        headers.append((b"content-length", b"%d" % (stop - start)))
        return Response(status, headers)
    headers.append((b"content-length", b"%d" % row.size))
    return Response(200, headers)

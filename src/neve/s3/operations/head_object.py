"""HeadObject: what GetObject would say, without the object.

Supported: what GetObject supports. Ignored: x-amz-request-payer.
"""

from neve.s3.call import Call
from neve.s3.operations.get_object import choose, is_special, object_headers, shown
from neve.s3.response import Response


def head_object(call: Call) -> Response:
    """Describe an object, or the part of it that is asked for."""
    if is_special(call):
        row = call.row()
        headers = object_headers(row)
        status, start, stop = choose(call, row, headers)
        headers.append((b"content-length", b"%d" % (stop - start)))
        return Response(status, headers)
    return Response(200, shown(call.found())[1])

"""Trace, ConsoleLog: what the server does and says, as it goes on, until the client leaves.

Each is JSON documents one after the other, with blanks between them when there is nothing to tell.
"""

from neve.admin.call import AdminCall
from neve.admin.errors import AdminError
from neve.admin.info import deployment
from neve.answer import Response

_HEADERS = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
)


def trace(call: AdminCall) -> Response:
    """Send what all workers answer, as it ends."""
    try:
        stream = call.node.trace(call.query)
    except ValueError as error:
        raise AdminError("XMinioAdminInvalidArgument", str(error)) from error
    return Response(200, _HEADERS, stream, close=True)


def console_log(call: AdminCall) -> Response:
    """Send the last log lines of all processes, then those to come."""
    return Response(200, _HEADERS, call.node.logs(call.query, deployment(call)), close=True)

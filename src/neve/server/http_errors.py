"""What can go wrong on the wire, and the small XML page that answers protocol errors.

`BodyError` and its kin are raised from `Body.pump`; `HttpRefused` never leaves the front.
"""

from neve.answer import Response
from neve.errors import NeveError


class HttpRefused(NeveError):
    """A request that the front refuses itself; the connection closes after the answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def bad_request(message: str) -> HttpRefused:
    """Return the refusal for a request that breaks HTTP."""
    return HttpRefused(400, "BadRequest", message)


def error_page(status: int, code: str, message: str, request_id: str) -> Response:
    """Return S3's XML for an error of the protocol. The texts are ours and need no escaping."""
    page = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{message}</Message>"
        f"<RequestId>{request_id}</RequestId></Error>"
    )
    return Response(status, [(b"Content-Type", b"application/xml")], page.encode(), close=True)

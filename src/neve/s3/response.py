"""Answers of the protocol layer: common header values, XML documents, errors.

The front adds the request id, the date, the server's name and the length of a body in memory.
"""

from email.utils import formatdate

from neve.answer import Response
from neve.s3.errors import S3Error
from neve.s3.xml import document, escape

__all__ = ["Headers", "Response", "error_response", "http_date", "xml_response"]

XML_TYPE = (b"content-type", b"application/xml")

Headers = list[tuple[bytes, bytes]]


_dates: dict[int, bytes] = {}
_DATES_MAX = 65_536


def http_date(second: int) -> bytes:
    """Return the second as HTTP writes times: `Mon, 23 Nov 2026 05:36:00 GMT`."""
    text = _dates.get(second)
    if text is None:
        if len(_dates) >= _DATES_MAX:
            _dates.clear()
        text = _dates[second] = formatdate(second, usegmt=True).encode()
    return text


def xml_response(name: str, inner: str, headers: Headers | None = None) -> Response:
    """Return 200 with the document whose root element is `name`."""
    return Response(200, [XML_TYPE, *(headers or ())], document(name, inner))


def error_response(error: S3Error, *, head: bool, resource: str, request_id: str) -> Response:
    """Return the answer to a refused request; HEAD and 304 have no body."""
    headers = _error_headers(error)
    if error.status == 304:
        return Response(304, headers)
    if head:
        # mc reads the code of a failed HEAD here, as a HEAD has no body to hold it.
        headers.append((b"x-minio-error-code", error.code.encode()))
        headers.append((b"x-minio-error-desc", b'"' + _one_line(error.message) + b'"'))
        return Response(error.status, headers)
    fields = "".join(
        f"<{name}>{escape(str(value))}</{name}>" for name, value in error.fields.items()
    )
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{error.code}</Code><Message>{escape(error.message)}</Message>{fields}"
        f"<Resource>{escape(resource)}</Resource><RequestId>{escape(request_id)}</RequestId>"
        f"<HostId>{escape(request_id)}</HostId></Error>"
    )
    headers.append(XML_TYPE)
    return Response(error.status, headers, body.encode())


def _error_headers(error: S3Error) -> Headers:
    headers: Headers = list(getattr(error, "headers", ()))
    if error.code == "InvalidRange" and "ActualObjectSize" in error.fields:
        headers.append((b"content-range", b"bytes */%d" % error.fields["ActualObjectSize"]))
    if error.status == 503:
        headers.append((b"retry-after", b"1"))
    return headers


def _one_line(text: str) -> bytes:
    return text.encode("ascii", "replace").replace(b"\n", b" ").replace(b'"', b"'")

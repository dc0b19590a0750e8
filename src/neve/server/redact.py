"""What must not be written down of a request, blanked: signatures, tokens, customers' keys.

Names in a query are compared decoded, because that is how they are read.
"""

import re
from urllib.parse import unquote_to_bytes

BLANK = b"***"

_QUERY_SECRETS = frozenset((b"x-amz-signature", b"x-amz-security-token", b"signature"))
_HEADER_SECRETS = frozenset(
    (
        b"cookie",
        b"proxy-authorization",
        b"set-cookie",
        b"x-amz-copy-source-server-side-encryption-customer-key",
        b"x-amz-security-token",
        b"x-amz-server-side-encryption-customer-key",
        b"x-neve-client",
    )
)
_V4 = re.compile(rb"(?i)AWS4-HMAC-SHA256 .*Signature=", re.DOTALL)
_SIGNATURE = re.compile(rb"(?i)(Signature=)[^,\s]*")
_V2 = re.compile(rb"(AWS [^:\s]*:).*", re.DOTALL)


def blank_query(query: bytes) -> bytes:
    """Return a query without its signature and session token."""
    fields = query.split(b"&")
    for index, field in enumerate(fields):
        name, sign, _ = field.partition(b"=")
        if b"%" in name:
            name = unquote_to_bytes(name)
        if sign and name.lower() in _QUERY_SECRETS:
            fields[index] = field[: field.index(b"=") + 1] + BLANK
    return b"&".join(fields)


def blank_header(name: bytes, value: bytes) -> bytes:
    """Return the value of a header (its name in lower case) without what is secret in it."""
    if name in _HEADER_SECRETS:
        return BLANK
    if name == b"authorization":
        return _blank_authorization(value)
    if name in (b"referer", b"location") and b"?" in value:
        start, _, query = value.partition(b"?")
        return start + b"?" + blank_query(query)
    return value


def _blank_authorization(value: bytes) -> bytes:
    """Keep whose key it is and what was signed; of other forms nothing is known, so all goes."""
    if _V4.match(value):
        return _SIGNATURE.sub(rb"\1" + BLANK, value)
    match = _V2.fullmatch(value)
    return match[1] + BLANK if match else BLANK

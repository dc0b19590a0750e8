"""Sign requests cheaply: everything that does not depend on the key is computed once.

A Template belongs to one method, one set of headers and one payload; `head()` then costs two
SHA-256 runs over some 300 bytes. The date is fixed when the Signer is made, so a Signer must
not be used for longer than the clock skew that servers allow (15 minutes).
"""

from __future__ import annotations

import hashlib
from typing import Literal

from neve.signing import (
    EMPTY_SHA256,
    amz_date_of,
    canonical_request,
    scope_of,
    signature,
    signing_key,
    string_to_sign,
)

Payload = Literal["signed", "unsigned", "streaming"]
Buffer = bytes | memoryview
FRAME_BYTES = 65536
STREAMING = b"STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
SIGNATURE_BYTES = 64


class Signer:
    """Signature V4 for one key pair, one host and one moment."""

    def __init__(self, host: str, access_key: str, secret_key: str, region: str) -> None:
        self.host = host.encode()
        self.access_key = access_key.encode()
        self.date = amz_date_of(None).encode()
        self.scope = scope_of(self.date[:8], region.encode())
        self.key = signing_key(secret_key.encode(), self.date[:8], region.encode())


class Template:
    """Heads of requests that differ only in path and query."""

    def __init__(
        self, signer: Signer, method: str, headers: dict[str, str], payload: bytes
    ) -> None:
        """Headers are sent and, when their name starts with x-amz- or content-, signed."""
        self._signer = signer
        self._method = method.encode()
        self._payload = payload
        signed = {
            b"host": signer.host,
            b"x-amz-content-sha256": payload,
            b"x-amz-date": signer.date,
        }
        plain = b""
        for name, value in headers.items():
            if name.startswith(("x-amz-", "content-md5", "content-type")):
                signed[name.encode()] = value.encode()
            else:
                plain += f"{name}: {value}\r\n".encode()
        names = self._names = b";".join(sorted(signed))
        self._block = b"".join(b"%b:%b\n" % item for item in sorted(signed.items()))
        sent = b"".join(b"%b: %b\r\n" % item for item in signed.items())
        self._before = b" HTTP/1.1\r\n" + sent + plain
        self._before += b"authorization: AWS4-HMAC-SHA256 Credential=%b/%b, " % (
            signer.access_key,
            signer.scope,
        )
        self._before += b"SignedHeaders=%b, Signature=" % names

    def head(self, path: bytes, query: bytes = b"") -> bytes:
        """Return request line and headers; path and query are already percent-encoded."""
        return self.head_and_signature(path, query)[0]

    def head_and_signature(self, path: bytes, query: bytes = b"") -> tuple[bytes, bytes]:
        """Return the head and its signature, the seed of a chain of signed frames."""
        method, signer = self._method, self._signer
        canonical = canonical_request(method, path, query, self._block, self._names, self._payload)
        signed = signature(signer.key, string_to_sign(signer.date, signer.scope, canonical))
        target = b"%b?%b" % (path, query) if query else path
        head = b"%b %b%b%b\r\n\r\n" % (method, target, self._before, signed)
        return head, signed


class Frames:
    """One body as signed aws-chunked frames; the digest of each frame is computed once."""

    def __init__(self, signer: Signer, body: bytes) -> None:
        view = memoryview(body)
        parts = [view[at : at + FRAME_BYTES] for at in range(0, len(body), FRAME_BYTES)]
        self._signer = signer
        self._frames = [(part, hashlib.sha256(part).hexdigest().encode()) for part in parts]
        self._frames.append((view[:0], EMPTY_SHA256))
        sizes = [len(part) for part, _ in self._frames]
        overhead = len(";chunk-signature=") + SIGNATURE_BYTES + 2 * len("\r\n")
        self.encoded_bytes = sum(len(f"{size:x}") + overhead + size for size in sizes)

    def buffers(self, seed: bytes) -> list[Buffer]:
        """Return what to send after the head, chained from the head's signature."""
        signer, previous, out = self._signer, seed, list[Buffer]()
        prefix = b"AWS4-HMAC-SHA256-PAYLOAD\n%b\n%b" % (signer.date, signer.scope)
        end = b""
        for part, digest in self._frames:
            chain = b"%b\n%b\n%b\n%b" % (prefix, previous, EMPTY_SHA256, digest)
            previous = signature(signer.key, chain)
            out.append(b"%b%x;chunk-signature=%b\r\n" % (end, len(part), previous))
            out.append(part)
            end = b"\r\n"
        out[-1] = b"\r\n"
        return out

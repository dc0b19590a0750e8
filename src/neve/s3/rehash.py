"""Checksums of bytes that are stored already, computed in a thread while the loop goes on."""

import asyncio
import os
from typing import TYPE_CHECKING, Any

from neve.s3.checksums import ALGORITHMS

if TYPE_CHECKING:
    from neve.catalog.catalog import ObjectRow
    from neve.engine.engine import Engine

_READ_BYTES = 1 << 20


async def checksum_of(
    engine: "Engine", row: "ObjectRow", start: int, stop: int, algorithm: str
) -> bytes:
    """Return the digest of bytes [start, stop) of an object. Raises: BlobMissing."""
    body = engine.read(row, start, stop)
    return await asyncio.to_thread(_digest, body, algorithm)


def _digest(body: "bytes | list[Any]", algorithm: str) -> bytes:
    hasher = ALGORITHMS[algorithm].new()
    if isinstance(body, bytes):
        hasher.update(body)
        return hasher.digest()
    for span in body:
        if hasattr(span, "open"):
            span = span.open()
        try:
            at, end = span.offset, span.offset + span.length
            while at < end:
                data = os.pread(span.fd, min(_READ_BYTES, end - at), at)
                if not data:
                    raise EOFError("a blob is shorter than its row says")
                hasher.update(data)
                at += len(data)
        finally:
            span.close()
    return hasher.digest()

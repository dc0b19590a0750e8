"""What a request carries: bytes in memory, or a piece of a file that the kernel sends.

A body can be sent again from its beginning. Its CRC-32C was computed before anything is sent, so a
file that changes meanwhile is refused by the server instead of being stored torn.
"""

import base64
import hashlib
import os
import socket
import ssl
from collections.abc import Callable
from typing import Protocol

from neve.client.errors import ClientError

PIECE = 1 << 20
UNSIGNED = "UNSIGNED-PAYLOAD"

Meter = Callable[[int], None]
"""Is told of every so many bytes that went through; may wait, or raise to stop."""


class Changed(ClientError):
    """The source is not any more what it was when its transfer began."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} changed while it was read.", "Changed", what)


class Interrupted(ClientError):
    """The run is being ended; what is under way is given up."""

    def __init__(self) -> None:
        super().__init__("interrupted.", "Interrupted")


class Body(Protocol):
    """Bytes with a length and a checksum."""

    size: int
    payload: str
    """What Signature V4 says of the bytes: their SHA-256, or that they are not signed."""

    @property
    def crc32c(self) -> int:
        """The CRC-32C of all bytes."""

    def send(self, connection: socket.socket, meter: Meter) -> None:
        """Send all bytes. Raises: Changed when there are fewer than there were."""


class Bytes:
    """A body in memory, signed with its SHA-256."""

    def __init__(self, data: bytes | memoryview) -> None:
        self.data = data
        self.size = len(data)
        self.payload = hashlib.sha256(data).hexdigest()

    @property
    def crc32c(self) -> int:
        """The CRC-32C of all bytes."""
        return crc32c(self.data)

    def send(self, connection: socket.socket, meter: Meter) -> None:
        """Send all bytes."""
        view = memoryview(self.data)
        for start in range(0, self.size, PIECE):
            piece = view[start : start + PIECE]
            connection.sendall(piece)
            meter(len(piece))


class Slice:
    """The bytes `[start, start + size)` of an open file; never all in memory."""

    def __init__(self, file: int, start: int, size: int, name: str) -> None:
        self._file, self._start, self._name = file, start, name
        self.size = size
        self.payload = UNSIGNED
        self.crc32c = self._crc()

    def _crc(self) -> int:
        value, position, end = 0, self._start, self._start + self.size
        while position < end:
            piece = os.pread(self._file, min(PIECE, end - position), position)
            if not piece:
                raise Changed(self._name)
            value = crc32c(piece, value)
            position += len(piece)
        return value

    def send(self, connection: socket.socket, meter: Meter) -> None:
        """Send all bytes, from the page cache if the connection is a plain one."""
        position, end = self._start, self._start + self.size
        plain = not isinstance(connection, ssl.SSLSocket)
        while position < end:
            count = min(PIECE, end - position)
            if plain:
                count = os.sendfile(connection.fileno(), self._file, position, count)
            else:
                piece = os.pread(self._file, count, position)
                count = len(piece)
                connection.sendall(piece)
            if not count:
                raise Changed(self._name)
            position += count
            meter(count)


EMPTY = Bytes(b"")


def crc32c(data: bytes | bytearray | memoryview, previous: int = 0) -> int:
    """Return the CRC-32C of what `previous` is the CRC of, followed by `data`."""
    from awscrt import checksums

    return int(checksums.crc32c(data, previous))


def combined_crc32c(first: int, second: int, second_size: int) -> int:
    """Return the CRC-32C of two blocks from those of each."""
    from awscrt import checksums

    return int(checksums.combine_crc32c(first, second, second_size))


def encoded(value: int, size: int = 4) -> str:
    """Return a CRC as S3 writes it."""
    return base64.b64encode(value.to_bytes(size, "big")).decode()

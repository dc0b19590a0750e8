"""A strict decoder of `Transfer-Encoding: chunked` over whatever pieces the socket delivers.

It copies no data: it says where in the piece at hand the data lie. Size lines and trailers are
bounded, trailers are checked for form and thrown away.
"""

import re

from neve.errors import BodyMalformed

_LINE_MAX = 1024
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e\x80-\xff]*")
_SIZE_LINE, _DATA, _DATA_END, _TRAILERS, _DONE = range(5)


class ChunkDecoder:
    """State between two pieces of a chunked body."""

    __slots__ = ("_state", "_left", "_line", "_trailer_left")

    def __init__(self, trailer_bytes_max: int) -> None:
        self._state = _SIZE_LINE
        self._left = 0
        self._line = bytearray()
        self._trailer_left = trailer_bytes_max

    @property
    def done(self) -> bool:
        """Whether the last chunk and its trailers have been read."""
        return self._state == _DONE

    def step(self, view: memoryview, at: int) -> tuple[int, int]:
        """Read on from `at` to the next data; return where they start and stop in `view`.

        An empty range means that `view` is used up to its start, or that the body is done there.
        Raises BodyMalformed.
        """
        end = len(view)
        while at < end and self._state != _DONE:
            if self._state == _DATA:
                stop = min(end, at + self._left)
                self._left -= stop - at
                if not self._left:
                    self._state = _DATA_END
                return at, stop
            at, line = self._read_line(view, at)
            if line is not None:
                self._take_line(line)
        return at, at

    def _read_line(self, view: memoryview, at: int) -> tuple[int, bytes | None]:
        partial = self._line
        have = len(partial)
        partial += view[at : at + _LINE_MAX + 2 - have]
        end = partial.find(b"\n", have)
        if end < 0:
            if len(partial) > _LINE_MAX:
                raise BodyMalformed("A line of the chunked framing is too long.")
            return len(view), None
        line = bytes(partial[: end + 1])
        partial.clear()
        if not line.endswith(b"\r\n"):
            raise BodyMalformed("A line of the chunked framing ends without CR.")
        return at + end + 1 - have, line[:-2]

    def _take_line(self, line: bytes) -> None:
        if self._state == _SIZE_LINE:
            size = _SIZE.fullmatch(line)
            if size is None:
                raise BodyMalformed("A chunk size is malformed.")
            self._left = int(size[1], 16)
            self._state = _DATA if self._left else _TRAILERS
        elif self._state == _DATA_END:
            if line:
                raise BodyMalformed("A chunk is longer than its size.")
            self._state = _SIZE_LINE
        elif line:
            self._trailer_left -= len(line) + 2
            if self._trailer_left < 0 or not _TRAILER.fullmatch(line):
                raise BodyMalformed("The trailers are malformed or too large.")
        else:
            self._state = _DONE


def decode_whole(view: memoryview, trailer_bytes_max: int) -> tuple[bytes, int] | None:
    """Return the body and the length of its encoding if `view` holds all of it, else None."""
    decoder = ChunkDecoder(trailer_bytes_max)
    pieces = []
    at = 0
    while not decoder.done:
        start, at = decoder.step(view, at)
        if start == at:
            break
        pieces.append(view[start:at])
    return (b"".join(pieces), at) if decoder.done else None

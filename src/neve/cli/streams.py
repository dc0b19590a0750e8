"""Answers that go on: JSON documents one after the other, with blanks between them.

The wait for the next one has no end: a server that has nothing to say is not broken.
"""

import json
from collections.abc import Iterator
from typing import Any

from neve.client.errors import Unreachable
from neve.client.transport import Stream

PIECE_BYTES = 1 << 16


def documents(stream: Stream) -> Iterator[dict[str, Any]]:
    """Every document as it comes, until the server ends. Raises: Unreachable when it breaks off."""
    decoder = json.JSONDecoder()
    text, rest = "", b""
    while piece := stream.read_some(PIECE_BYTES):
        rest += piece
        try:
            text, rest = text + rest.decode(), b""
        except UnicodeDecodeError as error:
            # The piece ends within a character; what is before it can be read.
            if error.start < len(rest) - 4:
                raise Unreachable("the server sends what is no JSON.", "BrokenOff") from error
            text, rest = text + rest[: error.start].decode(), rest[error.start :]
        text = text.lstrip()
        while text:
            try:
                found, end = decoder.raw_decode(text)
            except ValueError:
                break
            if isinstance(found, dict):
                yield found
            text = text[end:].lstrip()

"""Bytes as a text: UTF-8, else what spreadsheets and older programs write.

UTF-16 says so in its first bytes. Windows-1252, of which Latin-1 is a part, is a guess: it is made
only of bytes most of which are ASCII and none of which is a control, and pages say that it is one.
"""

from typing import NamedTuple

_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r\f\x1b")
_SIGNS = frozenset(map(chr, _CONTROLS))
_ASCII_MIN = 0.6
"""Which part of the bytes."""


class Text(NamedTuple):
    """A text, and in what it was written: '' for UTF-8."""

    text: str
    encoding: str


def decoded(data: bytes, whole: bool) -> Text | None:
    """Return a text, of which a last character may be cut off unless it is whole; else None."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _utf16(data)
    if _CONTROLS & set(data):
        return None
    for drop in range(1 if whole else 4):
        try:
            return Text(data[: len(data) - drop].decode("utf-8-sig"), "")
        except UnicodeDecodeError:
            continue
    ascii_bytes = len(data.decode("ascii", "ignore"))
    if ascii_bytes < _ASCII_MIN * len(data):
        return None
    try:
        return Text(data.decode("cp1252"), "Windows-1252")
    except UnicodeDecodeError:
        return None


def _utf16(data: bytes) -> Text | None:
    even = len(data) - len(data) % 2
    for drop in (0, 2):
        try:
            text = data[: even - drop].decode("utf-16")
        except UnicodeDecodeError:
            continue
        return None if _SIGNS & set(text) else Text(text, "UTF-16")
    return None

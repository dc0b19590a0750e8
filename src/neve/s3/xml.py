"""XML of the S3 protocol: a hardened reader for request bodies and fast escaping for answers.

The reader accepts no document type, no entity but the five built in, bounded depth, element count
and text; namespaces and prefixes are ignored, as S3 does. Answers are built as text by their
operations; this module gives the escaping, the time stamps and the envelope.
"""

import re
from datetime import UTC, datetime
from xml.parsers import expat

from neve.s3.errors import S3Error

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
DEPTH_MAX = 10
ELEMENTS_MAX = 120_000
"""A completion of 10,000 parts with every checksum has about 80,000 elements."""

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
# Characters that XML 1.0 cannot hold are sent as numeric references all the same.
# AWS: keys with control characters come as `&#x1;` unless the client asks encoding-type=url.
UNSAFE = re.compile("[&<>\"'\x00-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}


class Element:
    """An element of a parsed document: local name, text and child elements, in order."""

    __slots__ = ("children", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.children: list[Element] = []

    def find(self, name: str) -> "Element | None":
        """Return the first child called `name`."""
        for child in self.children:
            if child.name == name:
                return child
        return None

    def value(self, name: str) -> str | None:
        """Return the stripped text of the first child called `name`."""
        child = self.find(name)
        return None if child is None else child.text.strip()

    def all(self, name: str) -> "list[Element]":
        """Return every child called `name`."""
        return [child for child in self.children if child.name == name]


class _Builder:
    """Receives expat's events; refuses what a request has no business to contain."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self.stack: list[Element] = []
        self.texts: list[list[str]] = []
        self.elements = 0

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self.elements += 1
        if len(self.stack) >= DEPTH_MAX or self.elements > ELEMENTS_MAX:
            raise S3Error("MalformedXML")
        element = Element(name.rpartition(" ")[2].rpartition(":")[2])
        if self.stack:
            self.stack[-1].children.append(element)
        else:
            self.root = element
        self.stack.append(element)
        self.texts.append([])

    def end(self, _name: str) -> None:
        self.stack.pop().text = "".join(self.texts.pop())

    def data(self, text: str) -> None:
        self.texts[-1].append(text)

    def refuse(self, *_declaration: object) -> None:
        raise S3Error("MalformedXML")


def parse_xml(body: bytes, root: str) -> Element:
    """Return the root element of `body`, which must be called `root`.

    Raises: S3Error MalformedXML.
    """
    if not body.strip():
        raise S3Error("MalformedXML")
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = builder.refuse
    parser.EntityDeclHandler = builder.refuse
    parser.buffer_text = True
    try:
        parser.Parse(body, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        raise S3Error("MalformedXML") from error
    if builder.root is None or builder.root.name != root:
        raise S3Error("MalformedXML")
    return builder.root


def _escape_match(match: re.Match[str]) -> str:
    character = match.group()
    return _NAMED.get(character) or f"&#x{ord(character):x};"


def escape(text: str) -> str:
    """Return `text` as XML character data."""
    return UNSAFE.sub(_escape_match, text) if UNSAFE.search(text) else text


def document(name: str, inner: str) -> bytes:
    """Return the document whose root element is `name` in the S3 namespace."""
    return f'{_DECLARATION}<{name} xmlns="{NAMESPACE}">{inner}</{name}>'.encode()


STAMPS: dict[int, str] = {}
"""Second → text, of those asked for lately; filled by `stamp`."""
_STAMPS_MAX = 65_536


def stamp(second: int) -> str:
    """Return the second as S3 writes times in XML: `2026-11-23T05:36:00.000Z`."""
    text = STAMPS.get(second)
    if text is None:
        if len(STAMPS) >= _STAMPS_MAX:
            STAMPS.clear()
        moment = datetime.fromtimestamp(second, UTC)
        text = STAMPS[second] = moment.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return text

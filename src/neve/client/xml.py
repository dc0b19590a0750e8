"""Documents of S3 as a client meets them: answers read whatever their namespace, requests made."""

from collections.abc import Iterator
from datetime import UTC, datetime
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from neve.client.errors import ClientError

_CR = {"\r": "&#13;"}
"""Readers take a bare one for the end of a line."""
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class Node:
    """An element; children are found by their name whatever their namespace."""

    __slots__ = ("_element", "name")

    def __init__(self, element: ElementTree.Element) -> None:
        self._element = element
        self.name = element.tag.rpartition("}")[2]

    def __iter__(self) -> Iterator["Node"]:
        return map(Node, self._element)

    def all(self, name: str) -> list["Node"]:
        """Every child of that name."""
        return [Node(child) for child in self._element if child.tag.rpartition("}")[2] == name]

    def find(self, *path: str) -> "Node | None":
        """The first descendant at the path."""
        node: Node | None = self
        for name in path:
            node = next(iter(node.all(name)), None) if node else None
        return node

    @property
    def value(self) -> str:
        """The text of the element itself."""
        return self._element.text or ""

    def text(self, *path: str) -> str:
        """The text at the path, '' when there is none."""
        node = self.find(*path)
        return node.value if node else ""

    def texts(self) -> dict[str, str]:
        """The texts of all children by name; the quick way for rows of a listing."""
        return {child.tag.rpartition("}")[2]: child.text or "" for child in self._element}


def parse(body: bytes, what: str = "the answer") -> Node:
    """Return the root of a document. Raises: ClientError when it is none."""
    try:
        return Node(ElementTree.fromstring(body))
    except ElementTree.ParseError as error:
        raise ClientError(f"{what} is no XML document: {error}.", "NotS3") from error


def element(name: str, content: str | list[str], attributes: str = "") -> str:
    """Return an element of text, which is escaped, or of elements, which are taken as they are."""
    inner = escape(content, _CR) if isinstance(content, str) else "".join(content)
    return f"<{name}{attributes}>{inner}</{name}>"


def document(name: str, content: list[str]) -> bytes:
    """Return a document in the namespace of S3."""
    return element(name, content, f' xmlns="{NAMESPACE}"').encode()


def moment(text: str) -> datetime:
    """Return a time of a document. Raises: ClientError."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise ClientError(f"{text!r} is no time.", "NotS3") from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)

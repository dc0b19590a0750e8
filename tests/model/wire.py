"""Signed requests over connections of our own choosing: which worker answers is known.

A client library would hide what these tests are about: which connection a request takes, the exact
bytes of a key on the wire, and every status as it came.
"""

import hashlib
import http.client
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from typing import NamedTuple, Self
from urllib.parse import quote, unquote

from neve.signing import sign_headers
from neve.testing.live import LiveServer

_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"
_REFERENCE = re.compile(r"&#x([0-9a-f]+);")
_STAND_IN = 0xF0000
"""References to what XML 1.0 does not have are read as characters of a private plane."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The S3 error code, empty without one."""
        match = re.search(rb"<Code>(\w+)</Code>", self.body)
        return match[1].decode() if match else ""

    @property
    def etag(self) -> str:
        return self.headers["etag"].strip('"')

    @property
    def outcome(self) -> tuple[int, str]:
        return self.status, self.code

    def xml(self) -> ElementTree.Element:
        return parse(self.body)


class Wire:
    """One kept connection, and root's keys."""

    def __init__(self, server: LiveServer, timeout_s: float = 30.0) -> None:
        self.server = server
        host = server.endpoint.removeprefix("http://")
        self.connection = http.client.HTTPConnection(host, timeout=timeout_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self.connection.close()

    def ask(
        self,
        method: str,
        bucket: str = "",
        key: str = "",
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one signed request. `query` is as sent; the key is escaped here."""
        path = target(bucket, key) + (f"?{query}" if query else "")
        payload = hashlib.sha256(body).hexdigest() if len(body) < 1 << 16 else "UNSIGNED-PAYLOAD"
        url = self.server.endpoint + path
        keys = self.server.access_key, self.server.secret_key
        signed = sign_headers(method, url, headers or {}, *keys, "us-east-1", payload)
        raw = {name: value.encode() for name, value in signed.items()}
        self.connection.request(method, path, body or None, raw)  # type: ignore[arg-type]
        answer = self.connection.getresponse()
        fields = {name.lower(): value for name, value in answer.getheaders()}
        return Answer(answer.status, fields, answer.read())

    def worker(self) -> str:
        """The worker that holds this connection: its request ids begin alike."""
        return self.ask("GET").headers["x-amz-request-id"][:8]


def wires(server: LiveServer, per_worker: int = 1, workers: int = 2) -> list[Wire]:
    """Connections to every worker in turn: the kernel spreads them as it likes, so some are
    given up again."""
    found: dict[str, list[Wire]] = {}
    for _ in range(100 * per_worker * workers):
        wire = Wire(server)
        found.setdefault(wire.worker(), []).append(wire)
        if len(found) == workers and all(len(each) >= per_worker for each in found.values()):
            break
    assert len(found) == workers, f"of {workers} workers only {list(found)} take connections"
    for each in found.values():
        for wire in each[per_worker:]:
            wire.close()
    return [each[number] for number in range(per_worker) for each in found.values()]


def target(bucket: str, key: str) -> str:
    """The path of an object, its key escaped byte by byte except for the slashes."""
    return f"/{bucket}/{quote(key)}" if key else f"/{bucket}"


def parse(document: bytes) -> ElementTree.Element:
    """The document as a strict XML parser reads it, which control characters must not stop."""

    def stand_in(match: re.Match[str]) -> str:
        code = int(match[1], 16)
        return chr(_STAND_IN + code) if code < 32 or code in (0xFFFE, 0xFFFF) else match[0]

    root = ElementTree.fromstring(_REFERENCE.sub(stand_in, document.decode()))
    for element in root.iter():
        element.tag = element.tag.removeprefix(_NAMESPACE)
        if element.text:
            element.text = "".join(map(_original, element.text))
    return root


def text_of(parent: ElementTree.Element, name: str, url: bool = False) -> str:
    """The text of a child, which must be there; decoded if `url`."""
    text = parent.findtext(name)
    assert text is not None, (name, ElementTree.tostring(parent)[:500])
    return unquote(text) if url else text


def _original(character: str) -> str:
    code = ord(character)
    return chr(code - _STAND_IN) if _STAND_IN <= code < _STAND_IN + 0x10000 else character

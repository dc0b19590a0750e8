"""What is asked of a server: the operations measured and the requests they consist of.

Objects are numbered. Name and content follow from the number alone, so any process can write,
read back or delete any object without telling the others. A Share says which numbers are whose.
"""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass
from html import unescape
from typing import Literal, Protocol
from urllib.parse import quote

from bench.connection import Exchange
from bench.signing import STREAMING, Buffer, Frames, Payload, Signer, Template
from neve.signing import EMPTY_SHA256, UNSIGNED_PAYLOAD

KIB, MIB = 1024, 1024 * 1024
Verb = Literal["PUT", "GET", "HEAD", "DELETE", "LIST"]
LIST_PAGE = 1000
LIST_FANOUT = 20
"""Keys below each of the listed prefixes."""
CONTENT_BYTES_MAX = 64 * MIB
"""Memory spent on distinct contents of one size."""
CONTENTS_MAX = 16
CHECK_EVERY = 64
"""One answer in so many is compared byte by byte."""
SHUFFLE = 2654435761
"""Odd, so that multiplying by it modulo 2**32 never maps two numbers onto one."""
_TOKEN = re.compile(rb"<NextContinuationToken>([^<]*)</NextContinuationToken>")


@dataclass(frozen=True, slots=True)
class Operation:
    """One row of the table."""

    name: str
    verb: Verb
    size: int
    clients: int = 16
    prepared: int = 0
    """Objects that have to exist before it starts."""
    delimiter: bool = False


OPERATIONS = (
    Operation("put-4k", "PUT", 4 * KIB),
    Operation("get-4k", "GET", 4 * KIB, prepared=1000),
    Operation("head", "HEAD", KIB, prepared=1000),
    Operation("delete", "DELETE", KIB, prepared=8000),
    Operation("put-64k", "PUT", 64 * KIB),
    Operation("get-64k", "GET", 64 * KIB, prepared=1000),
    Operation("put-1m", "PUT", MIB, clients=8),
    Operation("get-1m", "GET", MIB, clients=8, prepared=200),
    Operation("put-64m", "PUT", 64 * MIB, clients=2),
    Operation("get-64m", "GET", 64 * MIB, clients=2, prepared=8),
    Operation("list-keys", "LIST", 1, clients=1, prepared=20000),
    Operation("list-prefixes", "LIST", 1, clients=1, prepared=20000, delimiter=True),
)


@dataclass(frozen=True, slots=True)
class Share:
    """The numbers start, start + step, … below stop: those of one process."""

    start: int
    step: int
    stop: int


class Workload(Protocol):
    """A source of requests that also judges their answers."""

    def next(self) -> Exchange | None:
        """Return the next request, or None when there are no more."""

    def check(self, exchange: Exchange, body: bytes) -> str | None:
        """Say what is wrong with a kept body of the expected status and length."""


class Objects:
    """Names and contents of the numbered objects of one bucket."""

    def __init__(self, bucket: str, size: int, nested: bool) -> None:
        count = max(1, min(CONTENTS_MAX, CONTENT_BYTES_MAX // size))
        self.bucket = bucket
        self.size = size
        self.contents = [random.Random(f"{size} {n}").randbytes(size) for n in range(count)]
        self._nested = nested

    def key(self, number: int) -> str:
        """Return the name of an object; it needs no percent-encoding."""
        if self._nested:
            return f"z/{number // LIST_FANOUT:06d}/c/{number % LIST_FANOUT}"
        return f"{number * SHUFFLE % 2**32:08x}-{number}"

    def path(self, number: int) -> bytes:
        """Return the path of an object's URL."""
        return f"/{self.bucket}/{self.key(number)}".encode()

    def content(self, number: int) -> bytes:
        """Return what the object holds."""
        return self.contents[number % len(self.contents)]


class Writes:
    """PutObject of every number of the share, once each."""

    def __init__(self, objects: Objects, share: Share, signer: Signer, payload: Payload) -> None:
        self._objects = objects
        self._share = share
        self._number = share.start
        self._frames: list[Frames] = []
        if payload == "streaming":
            self._frames = [Frames(signer, content) for content in objects.contents]
        self._templates = [self._template(n, signer, payload) for n in range(self._variants)]

    @property
    def _variants(self) -> int:
        return len(self._objects.contents)

    def _template(self, variant: int, signer: Signer, payload: Payload) -> Template:
        content = self._objects.contents[variant]
        headers = {"content-type": "application/octet-stream"}
        if payload == "streaming":
            headers["content-length"] = str(self._frames[variant].encoded_bytes)
            headers["x-amz-decoded-content-length"] = str(len(content))
            return Template(signer, "PUT", headers, STREAMING)
        headers["content-length"] = str(len(content))
        digest = hashlib.sha256(content).hexdigest().encode()
        return Template(
            signer, "PUT", headers, UNSIGNED_PAYLOAD if payload == "unsigned" else digest
        )

    def next(self) -> Exchange | None:
        number = self._number
        if number >= self._share.stop:
            return None
        self._number += self._share.step
        variant = number % self._variants
        path = self._objects.path(number)
        head, signature = self._templates[variant].head_and_signature(path)
        buffers: list[Buffer] = [head]
        if self._frames:
            buffers += self._frames[variant].buffers(signature)
        else:
            buffers.append(self._objects.contents[variant])
        return Exchange(buffers, status=200, length=None, number=number)

    def check(self, exchange: Exchange, body: bytes) -> str | None:
        return None


class Reads:
    """GetObject or HeadObject of the prepared objects, again and again in random order."""

    def __init__(self, verb: Verb, objects: Objects, prepared: int, signer: Signer) -> None:
        template = Template(signer, verb, {}, EMPTY_SHA256)
        self._objects = objects
        self._get = verb == "GET"
        self._heads: list[list[Buffer]] = [
            [template.head(objects.path(number))] for number in range(prepared)
        ]
        self._random = random.Random(0)
        self._count = 0

    def next(self) -> Exchange | None:
        number = int(self._random.random() * len(self._heads))
        keep = self._get and self._count % CHECK_EVERY == 0
        self._count += 1
        size = self._objects.size
        return Exchange(self._heads[number], 200, size, number, keep, has_body=self._get)

    def check(self, exchange: Exchange, body: bytes) -> str | None:
        return None if body == self._objects.content(exchange.number) else "wrong content"


class Deletes:
    """DeleteObject of every number of the share, once each."""

    def __init__(self, objects: Objects, share: Share, signer: Signer) -> None:
        self._objects = objects
        self._share = share
        self._number = share.start
        self._template = Template(signer, "DELETE", {}, EMPTY_SHA256)

    def next(self) -> Exchange | None:
        number = self._number
        if number >= self._share.stop:
            return None
        self._number += self._share.step
        head = self._template.head(self._objects.path(number))
        return Exchange([head], status=204, length=None, number=number)

    def check(self, exchange: Exchange, body: bytes) -> str | None:
        return None


class Lists:
    """ListObjectsV2, page after page and again from the start; every page is counted."""

    def __init__(self, bucket: str, entries: int, delimiter: bool, signer: Signer) -> None:
        self._path = f"/{bucket}".encode()
        self._entries = entries
        self._delimiter = delimiter
        self._mark = b"<CommonPrefixes>" if delimiter else b"<Key>"
        self._template = Template(signer, "GET", {}, EMPTY_SHA256)
        self._walks: list[tuple[bytes, int]] = []
        """Continuation token and entries seen so far of each walk under way."""

    def next(self) -> Exchange | None:
        query = b"encoding-type=url&list-type=2&max-keys=%d&prefix=z%%2F" % LIST_PAGE
        if self._delimiter:
            query = b"delimiter=%2F&" + query
        seen = 0
        if self._walks:
            token, seen = self._walks.pop()
            query = b"continuation-token=%b&%b" % (
                quote(unescape(token.decode()), safe="").encode(),
                query,
            )
        head = self._template.head(self._path, query)
        return Exchange([head], status=200, length=None, number=seen, keep=True)

    def check(self, exchange: Exchange, body: bytes) -> str | None:
        token = _TOKEN.search(body)
        seen = exchange.number + body.count(self._mark)
        if token:
            self._walks.append((token[1], seen))
            return None
        return None if seen == self._entries else f"listed {seen} instead of {self._entries}"


def workload(
    operation: Operation, objects: Objects, share: Share, signer: Signer, payload: Payload
) -> Workload:
    """Return the source of requests of one process."""
    if operation.verb == "PUT":
        return Writes(objects, share, signer, payload)
    if operation.verb == "DELETE":
        return Deletes(objects, share, signer)
    if operation.verb == "LIST":
        keys = operation.prepared
        entries = -(-keys // LIST_FANOUT) if operation.delimiter else keys
        return Lists(objects.bucket, entries, operation.delimiter, signer)
    return Reads(operation.verb, objects, operation.prepared, signer)

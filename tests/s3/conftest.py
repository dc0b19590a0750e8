"""A pipeline on an engine in memory, and boto3 clients whose requests go straight into it.

No socket, no server: what botocore would send is parsed by the front's own parser and answered by
`Pipeline.handle`, so that signatures, framing and every header are the real ones.
"""

import asyncio
import json
import os
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore import UNSIGNED
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from neve.blobs.memory import MemoryBlobStore
from neve.catalog.memory import MemoryCatalog
from neve.engine.engine import Engine
from neve.s3.pipeline import Pipeline
from neve.s3.sigv4 import Verifier
from neve.server.http_body import Body
from neve.server.http_limits import HttpLimits
from neve.server.http_request import Request, parse_head

ACCESS_KEY, SECRET_KEY, REGION = "neverootkey", "a-secret-for-tests", "us-east-1"
ENDPOINT = "http://s3.test:9000"
DOMAIN = "s3.test"


# One session: its loader keeps the description of the service between clients.
_session = boto3.Session()


class Quiet:
    """What the processes of one store share, for one process."""

    def __init__(self) -> None:
        self.generation = 1
        self.settings = 1

    def bucket_generation(self) -> int:
        return self.generation

    def bump_bucket_generation(self) -> None:
        self.generation += 1

    def settings_generation(self) -> int:
        return self.settings

    def bump_settings_generation(self) -> None:
        self.settings += 1

    def set_oldest_read(self, at_us: int) -> None:
        pass


class Answer:
    """A response with its body in hand."""

    def __init__(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.status = status
        self.headers = {name.lower(): value for name, value in headers}
        self.body = body


class PumpedBody:
    """A body that arrives in pieces after the handler has begun, whole or cut short."""

    ready = None

    def __init__(self, length: int | None, pieces: list[bytes], error: Exception | None) -> None:
        self.length = length
        self.pieces = pieces
        self.error = error

    async def pump(self, feed: Callable[[memoryview], Any]) -> None:
        for piece in self.pieces:
            # As from a receive buffer: what was fed is overwritten as soon as feed returns.
            buffer = bytearray(piece)
            waiting = feed(memoryview(buffer))
            buffer[:] = bytes(len(buffer))
            if waiting is not None:
                await waiting
        if self.error is not None:
            raise self.error

    async def read(self, limit: int) -> bytes:
        pieces: list[bytes] = []
        await self.pump(lambda piece: pieces.append(bytes(piece)))
        return b"".join(pieces)


class Store:
    """An engine in memory behind a pipeline, and the loop both run in."""

    def __init__(self, part_bytes_min: int = 5 << 20) -> None:
        self.loop = asyncio.new_event_loop()
        self.engine = Engine(
            MemoryCatalog(), MemoryBlobStore(), Quiet(), part_bytes_min=part_bytes_min
        )
        self.secrets = {ACCESS_KEY: SECRET_KEY}
        verifier = Verifier(self.secrets.get, REGION)
        self.pipeline = Pipeline(self.engine, verifier, region=REGION, domains=[DOMAIN])
        self.requests: list[Request] = []
        self.run(self._start())

    async def _start(self) -> None:
        self.engine.start()

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self.engine.close())
        self.loop.close()

    def send(
        self,
        method: str,
        target: str,
        headers: dict[str, Any] | None = None,
        body: bytes = b"",
        *,
        pieces: list[bytes] | None = None,
        error: Any = None,
        unsized: bool = False,
    ) -> Answer:
        """Answer one request. With `pieces` the body is pumped, and ends with `error` if given.
        `unsized` hides the length of the body, as chunked transfer does."""
        fields = {"Host": "s3.test:9000", **(headers or {})}
        lines = [f"{method} {target} HTTP/1.1".encode()]
        for name, value in fields.items():
            raw = value if isinstance(value, bytes) else str(value).encode()
            lines.append(name.encode() + b": " + raw)
        request = parse_head(b"\r\n".join(lines), HttpLimits())
        request.client, request.secure, request.id = "127.0.0.1", False, "REQUESTID"
        if pieces is not None:
            length = None if unsized else int(request.headers[b"content-length"])
            request.body = PumpedBody(length, pieces, error)  # type: ignore[assignment]
        else:
            request.body = Body(None if unsized else len(body), None, body)
        self.requests.append(request)
        return self.run(self._answer(request))

    def signed(
        self, method: str, target: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Answer:
        """Answer a request that boto3 has no method for, signed with root's keys."""
        request = AWSRequest(method, ENDPOINT + target, data=body, headers=headers or {})
        S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", REGION).add_auth(request)
        return self.send(method, target, dict(request.headers), body)

    async def _answer(self, request: Request) -> Answer:
        response = self.pipeline.handle(request)
        if asyncio.iscoroutine(response):
            response = await response
        headers = [(n.decode("latin-1"), v.decode("latin-1")) for n, v in response.headers]
        body = response.body
        if isinstance(body, list):
            data = b"".join(map(self._read_span, body))
        else:
            assert isinstance(body, bytes)
            data = body
        return Answer(response.status, headers, data)

    def _read_span(self, span: Any) -> bytes:
        if hasattr(span, "open"):
            span = span.open()
        try:
            return os.pread(span.fd, span.length, span.offset)
        finally:
            span.close()

    def client(self, *, anonymous: bool = False, **config: Any) -> Any:
        """A boto3 client of this store."""
        s3 = {"addressing_style": config.pop("addressing_style", "path")}
        client = _session.client(
            "s3",
            endpoint_url=ENDPOINT,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            config=Config(
                s3=s3,
                retries={"total_max_attempts": 1},
                signature_version=UNSIGNED if anonymous else config.pop("signature", "s3v4"),
                **config,
            ),
        )
        client._endpoint.http_session = _Session(self)
        return client


class _Raw:
    """The body of an answer as botocore reads it."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def read(self, amount: int | None = None, **_: Any) -> bytes:
        taken = self._data if amount is None else self._data[:amount]
        self._data = self._data[len(taken) :]
        return bytes(taken)

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()

    def close(self) -> None:
        pass

    def release_conn(self) -> None:
        pass


class _Session:
    """Takes botocore's requests where a connection would."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def send(self, request: Any) -> Any:
        url = urlsplit(request.url)
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        body = request.body or b""
        if hasattr(body, "read"):
            body = body.read()
        if isinstance(body, str):
            body = body.encode()
        headers = {"Host": url.netloc}
        for name, value in request.headers.items():
            if name.lower() not in ("host", "content-length", "transfer-encoding", "expect"):
                # urllib3 puts text on the wire as Latin-1.
                headers[name] = value if isinstance(value, bytes) else value.encode("latin-1")
        answer = self.store.send(request.method, target, headers, bytes(body))
        return AWSResponse(request.url, answer.status, answer.headers, _Raw(answer.body))

    def close(self) -> None:
        pass


@pytest.fixture
def store() -> Iterator[Store]:
    made = Store()
    yield made
    made.close()


@pytest.fixture
def small_parts() -> Iterator[Store]:
    """A store that takes parts of one byte."""
    made = Store(part_bytes_min=1)
    yield made
    made.close()


@pytest.fixture
def s3(store: Store) -> Any:
    """root's client, with a bucket called `data` in the store."""
    client = store.client()
    client.create_bucket(Bucket="data")
    return client


def allow(s3: Any, *actions: str, bucket: str = "data", effect: str = "Allow") -> None:
    """Let everybody do the actions on the bucket and everything in it."""
    statement = {
        "Effect": effect,
        "Principal": "*",
        "Action": list(actions),
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }
    document = {"Version": "2012-10-17", "Statement": [statement]}
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(document))


@pytest.fixture
def anonymous(store: Store) -> Any:
    return store.client(anonymous=True)


@pytest.fixture
def code() -> Callable[..., tuple[int, str]]:
    """Call what must fail, and return status and code of its error."""

    def call(function: Callable[..., Any], **arguments: Any) -> tuple[int, str]:
        with pytest.raises(ClientError) as caught:
            function(**arguments)
        answer = caught.value.response
        return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]

    return call

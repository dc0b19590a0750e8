"""Calls of MinIO's admin protocol that need no encrypted body.

They go to `/minio/admin/v3/<call>` of a Neve or MinIO server; other S3 servers do not have them,
and the refusal says so.
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from neve.cli.errors import CliError, ServerError
from neve.cli.transport import Query, Transport

PREFIX = "minio/admin/v3/"


class ServerInfo(NamedTuple):
    """What a server says about itself."""

    servers: list[dict[str, Any]]
    """Its nodes, as `info` describes them."""
    document: dict[str, Any]
    """The whole answer."""


def call(
    transport: Transport,
    method: str,
    name: str,
    query: Query | None = None,
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
    doing: str = "",
) -> bytes:
    """Make an admin call and return the body of its answer. Raises: ServerError, Unreachable."""
    try:
        answer = transport.request(
            method, "", PREFIX + name, query, headers, body, doing=doing or f"answer {name}"
        )
    except ServerError as error:
        if error.code in ("NotImplemented", "MethodNotAllowed", "NoSuchBucket", "NotFound"):
            host = transport.host
            sentence = f"{host} cannot {doing or name}: it has no MinIO admin API for this."
            raise ServerError(sentence, error.code, error.status, error.said) from error
        raise
    return answer.body


def call_json(transport: Transport, method: str, name: str, **options: Any) -> Any:
    """As `call`, for an answer that is JSON."""
    body = call(transport, method, name, **options)
    try:
        return json.loads(body)
    except ValueError as error:
        raise CliError(f"{transport.host} does not answer as MinIO's admin API.") from error


def server_info(transport: Transport) -> ServerInfo:
    """Return what the server says about itself."""
    document = call_json(transport, "GET", "info", doing="tell about itself")
    return ServerInfo(document.get("servers") or [], document)

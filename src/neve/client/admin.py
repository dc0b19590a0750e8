"""The admin API of MinIO as a client: signed requests, sealed bodies, refusals as sentences.

What carries secrets is sealed with the secret key of the alias (`neve.sealed_bodies`).
"""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from neve.client.errors import ClientError, ServerError
from neve.client.s3 import S3
from neve.client.transport import Answer, Query, Stream

PREFIX = "minio/admin/v3/"

_SENTENCES = {
    "XMinioAdminNoSuchUser": "there is no user {user} at {alias}.",
    "XMinioAdminNoSuchGroup": "there is no group {group} at {alias}.",
    "XMinioAdminNoSuchPolicy": "there is no policy {policy} at {alias}.",
    "XMinioAdminNoSuchAccessKey": "there is no access key {key} at {alias}.",
    "XMinioAdminGroupNotEmpty": "the group {group} has members: take them out first.",
    "XMinioAdminPolicyChangeAlreadyApplied": "that is so already: {policy}.",
    "XMinioIAMPolicyInUse": "somebody has the policy {policy}: neve admin policy entities {alias}",
    "NoSuchBucket": "there is no bucket {bucket} at {alias}.",
}
_NO_ADMIN = ("NoSuchBucket", "NoSuchKey", "NotFound", "MethodNotAllowed", "NotS3")
"""What servers without this API answer: to them its path is a bucket and a key."""
_MISSING = "\0"
_NOTHING: Mapping[str, str] = {}
_DETAIL = re.compile(r"[^(]*\((.+)\)", re.DOTALL)
"""The server's own words for a code, and in brackets what is wrong this time."""


class Admin:
    """The admin calls of one server."""

    def __init__(self, server: S3, inside: bool = False) -> None:
        """`inside`: what is sealed for others goes as it is, on the server's own machine."""
        self.server = server
        self._inside = inside
        if server.alias.anonymous:
            raise ClientError(
                f"the alias {server.alias.name!r} has no keys: nobody administers a server "
                f"without; set them with neve alias set {server.alias.name} {server.alias.url}",
                "Anonymous",
                server.alias.name,
            )

    @property
    def alias(self) -> str:
        """The alias's name."""
        return self.server.alias.name

    def call(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        document: Any = None,
        *,
        sealed: bool = False,
        doing: str = "",
        named: Mapping[str, str] = _NOTHING,
    ) -> Any:
        """Make a call and return the JSON of its answer, None when it is empty.

        `document` is sent as JSON, or as it is when it is bytes; `sealed`: only for who has the
        secret key. A sealed answer is opened. `named` is what the call is about (`user`, `group`,
        `policy`, `key`, `bucket`), for refusals.
        Raises: ClientError.
        """
        answer = self.answer(method, path, query, document, sealed=sealed, doing=doing, named=named)
        data = self.opened(answer)
        try:
            return json.loads(data) if data.strip() else None
        except ValueError as error:
            host = self.server.transport.host
            raise ClientError(f"{host} does not answer as MinIO's admin API.", "NoAdmin") from error

    def answer(
        self,
        method: str,
        path: str,
        query: Query | None = None,
        document: Any = None,
        *,
        sealed: bool = False,
        doing: str = "",
        named: Mapping[str, str] = _NOTHING,
    ) -> Answer:
        """As `call`, but return the answer as it came."""
        body = b"" if document is None else _encode(document)
        if sealed and not self._inside:
            from neve.sealed_bodies import seal

            body = seal(self.server.alias.secret_key, body)
        # MinIO takes some bodies with this type only: nothing on the way has read them as a form.
        headers = {"content-type": "application/octet-stream"} if body else {}
        try:
            return self.server.transport.request(
                method, key=PREFIX + path, query=query, headers=headers, body=body, doing=doing
            )
        except ServerError as error:
            raise self._refusal(error, doing, named) from error

    def stream(self, path: str, query: Query | None = None, doing: str = "") -> Stream:
        """Make a call whose answer goes on until one leaves."""
        try:
            return self.server.transport.stream("GET", key=PREFIX + path, query=query, doing=doing)
        except ServerError as error:
            raise self._refusal(error, doing, {}) from error

    def opened(self, answer: Answer) -> bytes:
        """Return what an answer says, opened if it is sealed. Raises: ClientError."""
        if self._inside:
            return answer.body
        if answer.body[:1] in (b"", b"{", b"[", b'"') and _is_text(answer.body):
            return answer.body
        from neve.sealed_bodies import NotSealed, unseal

        try:
            return unseal(self.server.alias.secret_key, answer.body)
        except NotSealed as error:
            host = self.server.transport.host
            raise ClientError(f"the answer of {host} cannot be read.", "NotSealed") from error

    def _refusal(self, error: ServerError, doing: str, named: Mapping[str, str]) -> ServerError:
        alias, doing = self.server.alias, doing or "do this"
        host = urlsplit(alias.url).netloc
        detail = _DETAIL.fullmatch(error.said)
        said = (detail[1] if detail else error.said).rstrip(". ")
        code = error.code
        if "service account" in said and error.absent:
            code = "XMinioAdminNoSuchAccessKey"
        known = _SENTENCES.get(code, "").format_map(_Named(named, alias=alias.name))
        if known and _MISSING not in known:
            sentence = known
        elif code in ("NotImplemented", "XMinioAdminVersionMismatch"):
            sentence = f"{host} cannot {doing}: it does not have this operation."
        elif code == "AccessDenied":
            sentence = f"the key {alias.access_key!r} is right but may not {doing} at {alias.name}."
        elif code in _NO_ADMIN:
            sentence = f"{host} cannot {doing}: it has no admin API for this."
        elif code in ("InvalidAccessKeyId", "SignatureDoesNotMatch") or not said:
            sentence = error.message
        else:
            sentence = f"could not {doing} at {alias.name}: {said} ({error.code})."
        return ServerError(sentence, error.code, error.status, error.said, alias.name)


class _Named(dict[str, str]):
    """What a call is about; what it is not about is marked as missing."""

    def __missing__(self, name: str) -> str:
        return _MISSING


def _encode(document: Any) -> bytes:
    return document if isinstance(document, bytes) else json.dumps(document).encode()


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True

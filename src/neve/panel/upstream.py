"""The server as the panel reaches it: the clients that a visitor's requests go out with.

All visitors share the open connections; what a request may do depends on its signature alone.
"""

from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from neve.client.admin import PREFIX
from neve.client.alias import Alias
from neve.client.connections import Connections
from neve.client.s3 import S3
from neve.client.transport import Transport
from neve.panel.settings import Settings

TIMEOUT_S = 60.0
ASKS_MAX = 500


class Ask(NamedTuple):
    """Something that a visitor may do, or may not."""

    action: str
    """As in policies: `s3:PutObject`, `admin:CreateUser`."""
    bucket: str = ""
    object: str = ""


class May(NamedTuple):
    """What the server says to it."""

    allowed: bool
    reason: str

    def __bool__(self) -> bool:
        return self.allowed


class Upstream:
    """Makes clients for visitors."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        scheme = urlsplit(settings.upstream).scheme
        # On this machine, under a name that no certificate has: nobody is in between.
        self._connections = Connections(scheme, TIMEOUT_S, insecure=True, authorities=())

    def client(
        self, access_key: str, secret_key: str, address: str, secure: bool, url: str = ""
    ) -> S3:
        """Return the S3 calls as somebody, for a browser at `address`; without keys: anonymous.

        With `url` the client is only good for signing links to that place.
        """
        settings = self.settings
        alias = Alias(
            "neve", url or settings.upstream, access_key, secret_key, path="on",
            region=settings.region,
        )  # fmt: skip
        return S3(
            Transport(
                alias,
                attempts=1,
                timeout_s=TIMEOUT_S,
                connections=self._connections,
                headers=settings.on_behalf(address, secure),
            )
        )

    def close(self) -> None:
        """Close the connections."""
        self._connections.close()


def ask(server: S3, asks: Sequence[Ask]) -> list[May]:
    """Return what the caller may do, in the order of `asks`. Raises: ServerError, Unreachable."""
    found: list[May] = []
    for start in range(0, len(asks), ASKS_MAX):
        some = [each._asdict() for each in asks[start : start + ASKS_MAX]]
        answer = server.transport.request(
            "POST",
            key=PREFIX + "neve/can",
            headers={"content-type": "application/json"},
            body=msgspec.json.encode({"asks": some}),
            doing="see what is allowed",
            idempotent=True,
        )
        raw = msgspec.json.decode(answer.body)
        found += [May(each["allowed"], each.get("reason", "")) for each in raw["answers"]]
    return found

"""Nonsense in every call: an error of the protocol, never a failure of the server."""

import json
import random
from typing import Any
from urllib.parse import quote

import pytest
from tests.admin.client import Client

from neve.admin.routes import ROUTES, Route
from neve.testing.server import LiveServer

CALLS = [route for route in ROUTES if route.module not in ("", "streams", "service")]
FIELDS = [
    "accessKey",
    "secretKey",
    "status",
    "policy",
    "policies",
    "user",
    "group",
    "members",
    "isRemove",
    "groupStatus",
    "targetUser",
    "name",
    "description",
    "expiration",
    "newPolicy",
    "newExpiration",
    "newStatus",
    "newName",
    "newDescription",
    "quota",
    "size",
    "quotatype",
    "rate",
    "requests",
    "newSecretKey",
    "comment",
]
QUERY = [
    "accessKey",
    "bucket",
    "user",
    "users",
    "group",
    "status",
    "name",
    "v",
    "policyName",
    "userOrGroup",
    "isGroup",
    "listType",
    "all",
    "key",
    "subSys",
    "count",
    "restoreId",
    "capacity",
    "type",
    "policy",
]
TEXTS = (
    "",
    "x",
    "hostile",
    "true",
    "\0",
    "../..",
    "é" * 200,
    "a" * 3000,
    "%",
    "{}",
    "2",
    "all",
    "\ud83d",
)


def value(random: random.Random, depth: int = 0) -> Any:
    kind = random.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return None
    if kind == 1:
        return random.choice((True, False))
    if kind == 2:
        return random.choice((0, -1, 1 << 62, 1 << 70, 1.5, -0.0))
    if kind < 6:
        return random.choice(TEXTS[:-1])
    if kind == 6:
        return [value(random, depth + 1) for _ in range(random.randrange(4))]
    return {random.choice(FIELDS): value(random, depth + 1) for _ in range(random.randrange(5))}


def query(random: random.Random) -> str:

    pairs = [
        f"{random.choice(QUERY)}={quote(random.choice(TEXTS).encode('utf-8', 'surrogatepass'))}"
        for _ in range(random.randrange(6))
    ]
    return "&".join(pairs)


@pytest.mark.parametrize("route", CALLS, ids=lambda route: route.name)
def test_nonsense_is_refused_in_the_words_of_the_protocol(
    live_server: LiveServer, route: Route
) -> None:
    dice = random.Random(route.name)
    client = Client(live_server)
    for number in range(8):
        body: Any = {dice.choice(FIELDS): value(dice) for _ in range(dice.randrange(8))}
        if number % 4 == 3:
            body = dice.randbytes(dice.randrange(300))
        sealed = number % 4 == 0
        headers = {"Content-Type": "application/octet-stream"}
        answer = client(
            route.method, f"{route.path}?{query(dice)}", body, sealed=sealed, headers=headers
        )
        assert answer.status < 500 or answer.status == 501, (answer.body, body)
        if answer.status >= 400:
            assert answer.code
            assert json.loads(answer.body)["Message"]
    assert "failed | Traceback" not in live_server.output()

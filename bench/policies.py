"""What deciding costs, in process: CPU microseconds per request, beside those of root.

No server and no socket: who asks is looked up and asked about as a GET of one object is, with the
policies of users and of the bucket. The best of several rounds counts.

Example:
  python -m bench.policies
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

from neve.engine.engine import Bucket
from neve.iam.directory import Directory
from neve.iam.keyring import new_keyring
from neve.s3.call import Call
from neve.s3.pipeline import Pipeline
from neve.s3.rights import allows
from neve.s3.sigv4 import HEADER, Authenticated, PayloadSpec, Verifier
from neve.server.http_limits import HttpLimits
from neve.server.http_request import Request, parse_head
from neve.testing.engine import memory_store

ROUNDS, TIMES = 7, 20_000
ROOT = {"benchroot": "bench-secret"}


def main() -> None:
    """Measure and print a line for each case."""
    asyncio.run(_measure())


async def _measure() -> None:
    store = memory_store()
    engine = store.engine
    engine.start()
    directory = Directory(engine, new_keyring(), ROOT)
    verifier = Verifier(directory.secret_of, "us-east-1")
    pipeline = Pipeline(engine, verifier, directory=directory)
    await engine.create_bucket("data", "somebody", "us-east-1")
    await engine.create_bucket("told", "somebody", "us-east-1")
    await engine.set_bucket_policy("told", _document(20, "*"))
    for name, count in (("one", 1), ("twenty", 20)):
        await directory.put_policy(name, _document(count))
        await directory.put_user(name, secret="bench-secret")
        await directory.attach([name], user=name)
    await directory.put_user("nobody", secret="bench-secret")
    rows = (
        ("root", "benchroot", "data"),
        ("a user, 1 statement", "one", "data"),
        ("a user, 20 statements", "twenty", "data"),
        ("a user, 20 statements, and 20 of the bucket", "twenty", "told"),
    )
    floor = 0.0
    for label, key, bucket in rows:
        cost = _best(_request(pipeline, engine.bucket(bucket), key))
        floor = floor or cost
        print(f"{label:<45} {cost:6.2f} µs   {cost - floor:+6.2f}")
    await engine.close()


def _document(count: int, principal: str = "") -> bytes:
    """A policy of many statements that all name the action; the last one allows it."""
    statements: list[dict[str, Any]] = [
        {
            "Effect": "Deny" if number % 5 == 0 else "Allow",
            "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": [_place(number if number < count - 1 else -1, principal)],
            "Condition": {"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "127.0.0.0/8"]}},
        }
        for number in range(1, count + 1)
    ]
    statements[-1] |= {"Effect": "Allow", "Resource": [_place(-1, principal)]}
    for statement in statements if principal else ():
        statement["Principal"] = principal
    return json.dumps({"Version": "2012-10-17", "Statement": statements}).encode()


def _place(number: int, principal: str) -> str:
    bucket = "told" if principal else "data"
    return f"arn:aws:s3:::{bucket}/" + ("*" if number < 0 else f"prefix-{number}/*")


def _request(pipeline: Pipeline, bucket: Bucket, key: str) -> Callable[[], bool]:
    head = f"GET /{bucket.name}/some/key HTTP/1.1\r\nhost: x\r\nuser-agent: bench"
    request: Request = parse_head(head.encode(), HttpLimits())
    request.client, request.secure, request.id = "127.0.0.1", False, "1"
    call = Call(pipeline, request, None, {}, bucket.name)  # type: ignore[arg-type]
    call.auth = Authenticated(key, PayloadSpec(0), HEADER, 0.0, 0)
    call.key = "some/key"
    call.bucket = bucket

    def ask() -> bool:
        pipeline.verifier.secret(key)
        call.caller = caller = pipeline.principal_of(key)
        if caller.is_unlimited and bucket.policy is None:
            return True
        return allows(call, "s3:GetObject", bucket, "some/key")

    assert ask()
    return ask


def _best(ask: Callable[[], bool]) -> float:
    best = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        for _ in range(TIMES):
            ask()
        best = min(best, time.process_time() - started)
    return best / TIMES * 1e6


if __name__ == "__main__":
    main()

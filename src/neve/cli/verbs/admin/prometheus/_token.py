"""The bearer token with which metrics are read: a JSON web token made of the alias's keys (HS512).

Both Neve and MinIO take it. It shows no secret, but gives its holder what the key may read.
"""

import base64
import hashlib
import hmac
import json
import time

from neve.client.alias import Alias
from neve.client.errors import ClientError

LIFE_S = 100 * 365 * 86_400
PATHS = {
    "cluster": "minio/v2/metrics/cluster",
    "node": "minio/v2/metrics/node",
    "bucket": "minio/v2/metrics/bucket",
    "resource": "minio/v2/metrics/resource",
}


def bearer_token(alias: Alias, life_s: int = LIFE_S) -> str:
    """Return the token of an alias. Raises: ClientError when it has no keys."""
    if alias.anonymous:
        raise ClientError(f"the alias {alias.name!r} has no keys to make a token of.", "Anonymous")
    head = {"alg": "HS512", "typ": "JWT"}
    claims = {"exp": int(time.time()) + life_s, "sub": alias.access_key, "iss": "prometheus"}
    signed = b".".join(_encode(json.dumps(part).encode()) for part in (head, claims))
    signature = hmac.digest(alias.secret_key.encode(), signed, hashlib.sha512)
    return (signed + b"." + _encode(signature)).decode()


def _encode(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")

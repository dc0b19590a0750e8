"""Who may read metrics: root, and users whose policies allow `admin:Prometheus`.

Two proofs of a secret key are taken: HTTP Basic with access key and secret key, and the bearer
token that `mc admin prometheus generate` makes of them.
"""

import base64
import binascii
import hashlib
import hmac
import json
import time

from neve.iam.context import RequestContext
from neve.iam.directory import Directory
from neve.iam.evaluate import decide

ACTION = "admin:Prometheus"
_TOKEN_BYTES_MAX = 4096
_NOBODY = "\0"
"""The secret of an unknown access key: it takes as long to refuse."""


class Scrapers:
    """Knows who may read metrics."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def allows(self, authorization: bytes) -> bool:
        """Say whether the header proves to come from somebody who may."""
        scheme, _, token = authorization.partition(b" ")
        token = token.strip()
        if len(token) > _TOKEN_BYTES_MAX:
            return False
        name = ""
        if scheme.lower() == b"basic":
            name = self._by_basic(token)
        elif scheme.lower() == b"bearer":
            name = self._by_token(token)
        return bool(name) and self._may(name)

    def _may(self, access_key: str) -> bool:
        principal = self._directory.principal_of(access_key)
        if principal.is_unlimited:
            return True
        return decide(principal, "", None, ACTION, "", None, RequestContext(principal)).allowed

    def _by_basic(self, token: bytes) -> str:
        """Return the access key; "" when the secret key is not its own."""
        name, _, secret = _decode(token).partition(b":")
        access_key = name.decode("utf-8", "replace")
        known = self._directory.secret_of(access_key)
        good = hmac.compare_digest(secret, (known or _NOBODY).encode())
        return access_key if good and known else ""

    def _by_token(self, token: bytes) -> str:
        """Return the access key of a JSON web token as MinIO's clients make it (HS512)."""
        signed, _, signature = token.rpartition(b".")
        head, _, claims = signed.partition(b".")
        try:
            algorithm = json.loads(_decode(head))["alg"]
            stated = json.loads(_decode(claims))
            access_key = str(stated.get("sub") or stated.get("accessKey") or "")
            expires = float(stated.get("exp", 0))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return ""
        known = self._directory.secret_of(access_key)
        right = hmac.digest((known or _NOBODY).encode(), signed, hashlib.sha512)
        good = hmac.compare_digest(_decode(signature), right) and known is not None
        fresh = not expires or expires > time.time()
        return access_key if good and fresh and algorithm == "HS512" else ""


def _decode(text: bytes) -> bytes:
    """Return the bytes of base64 text of either alphabet, padded or not; b"" when it is none."""
    try:
        return base64.b64decode(text.translate(_URL_SAFE) + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return b""


_URL_SAFE = bytes.maketrans(b"-_", b"+/")

"""The few blocking requests around a measurement: make a bucket, read back, empty, delete."""

from __future__ import annotations

import base64
import hashlib
import http.client
import re
from html import unescape
from xml.sax.saxutils import escape

from bench.errors import MeasurementFailed
from neve.signing import sign_headers

TIMEOUT_S = 60.0
PAGES_MAX = 100_000
_OWNER_ID = re.compile(r"<ID>([^<]*)</ID>")
_OWNER_NAME = re.compile(r"<DisplayName>([^<]*)</DisplayName>")
_KEY = re.compile(r"<Key>([^<]*)</Key>")


class RequestFailed(MeasurementFailed):
    """The endpoint refused one of the requests around a measurement."""


class Session:
    """One blocking connection to the endpoint."""

    def __init__(self, address: tuple[str, int], keys: tuple[str, str], region: str) -> None:
        self._http = http.client.HTTPConnection(*address, timeout=TIMEOUT_S)
        self._origin = f"http://{address[0]}:{address[1]}"
        self._keys = (*keys, region)

    def create(self, bucket: str) -> None:
        """Create a bucket."""
        self._request("PUT", f"/{bucket}")

    def read(self, path: bytes) -> bytes:
        """Return an object's content."""
        return self._request("GET", path.decode())

    def keys(self, bucket: str) -> list[str]:
        """Return the first page of keys."""
        page = self._request("GET", f"/{bucket}", query="list-type=2&max-keys=1000")
        return [unescape(key) for key in _KEY.findall(page.decode())]

    def owner(self) -> tuple[str, str]:
        """Return canonical id and display name of whoever holds the key."""
        answer = self._request("GET", "/").decode()
        user_id, display_name = _OWNER_ID.search(answer), _OWNER_NAME.search(answer)
        return user_id[1] if user_id else "", display_name[1] if display_name else ""

    def delete(self, bucket: str) -> None:
        """Delete a bucket and all that is in it."""
        for _ in range(PAGES_MAX):
            keys = self.keys(bucket)
            if not keys:
                break
            named = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
            body = f"<Delete><Quiet>true</Quiet>{named}</Delete>".encode()
            self._request("POST", f"/{bucket}", query="delete=", body=body)
        self._request("DELETE", f"/{bucket}")

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _request(self, method: str, path: str, query: str = "", body: bytes = b"") -> bytes:
        url = f"{path}?{query}" if query else path
        headers = {"content-length": str(len(body))} if body or method == "PUT" else {}
        if body:
            headers["content-md5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
        payload = hashlib.sha256(body).hexdigest()
        signed = sign_headers(method, self._origin + url, headers, *self._keys, payload)
        self._http.request(method, url, body=body or None, headers=signed)
        answer = self._http.getresponse()
        content = answer.read()
        if answer.status >= 300:
            raise RequestFailed(f"{method} {path}: {answer.status} {content[:300]!r}")
        return content

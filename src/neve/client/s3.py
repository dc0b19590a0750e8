"""The calls of S3 that verbs need, as functions; listings are iterators that ask page by page.

Object data of any size goes through `get` and `put` as streams; verbs that move much have an
engine of their own. Documents that change a bucket carry Content-MD5, which old servers want.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import IO, NamedTuple, Self
from urllib.parse import unquote_plus

from neve.client.alias import Alias
from neve.client.errors import ServerError
from neve.client.reasons import reason_of
from neve.client.transport import Answer, Query, Stream, Transport
from neve.client.xml import Node, document, element, moment, parse

PAGE = 1000
DELETE_MAX = 1000
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
"""No document can have these, so such keys are deleted one at a time."""


class Bucket(NamedTuple):
    """A row of ListBuckets."""

    name: str
    created: datetime


class Prefix(NamedTuple):
    """What keys have in common up to a delimiter."""

    key: str


class Object(NamedTuple):
    """A row of a listing: an object, or one version of it, or a delete marker."""

    key: str
    size: int
    modified: datetime
    etag: str
    storage_class: str
    version: str = ""
    """'' in listings without versions; `null` for the version that has no id."""
    latest: bool = True
    marker: bool = False
    owner: str = ""
    """Who wrote it, where the listing tells."""


class Page(NamedTuple):
    """A part of a listing."""

    rows: list[Object | Prefix]
    after: str
    """The key or prefix that the next part begins after; '' when this was the last."""
    version: str = ""
    """The version of that key."""


class Upload(NamedTuple):
    """A multipart upload that was begun and not ended."""

    key: str
    upload: str
    begun: datetime


class Head(NamedTuple):
    """What HEAD says about an object."""

    size: int
    modified: datetime
    etag: str
    content_type: str
    version: str
    storage_class: str
    metadata: dict[str, str]
    """The user's own, names in lower case without `x-amz-meta-`."""
    headers: dict[str, str]
    """All headers of the answer, names in lower case."""


class Failed(NamedTuple):
    """A key that DeleteObjects could not delete."""

    key: str
    version: str
    code: str
    message: str


class Deleted(NamedTuple):
    """A key that was deleted, or had not been there."""

    key: str
    version: str
    marker: str
    """The version of the delete marker that was made, '' for none."""


class S3:
    """The S3 calls of one server."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport

    @property
    def alias(self) -> Alias:
        """The server's alias."""
        return self.transport.alias

    def close(self) -> None:
        """Close the connections."""
        self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # Buckets.

    def buckets(self) -> Iterator[Bucket]:
        """Every bucket that the caller may see."""
        query: dict[str, str] = {}
        while True:
            root = self._document("GET", "", query, "list buckets")
            for node in (root.find("Buckets") or root).all("Bucket"):
                row = node.texts()
                yield Bucket(row["Name"], moment(row["CreationDate"]))
            token = root.text("ContinuationToken")
            if not token:
                return
            query = {"continuation-token": token}

    def bucket_exists(self, bucket: str) -> bool:
        """Whether the bucket exists. Raises: ServerError when that may not be known."""
        answer = self.transport.request("HEAD", bucket, doing="see this bucket", accept=(404,))
        return answer.status != 404

    def make_bucket(self, bucket: str, region: str = "", lock: bool = False) -> None:
        """Make a bucket."""
        headers = {"x-amz-bucket-object-lock-enabled": "true"} if lock else {}
        doing = "make a bucket with object locks" if lock else "make a bucket"
        where = region or self.alias.region
        body = b""
        if where and where != "us-east-1":
            body = document("CreateBucketConfiguration", [element("LocationConstraint", where)])
        self.transport.request("PUT", bucket, headers=headers, body=body, doing=doing)

    def delete_bucket(self, bucket: str, force: bool = False) -> None:
        """Remove a bucket; `force` asks a MinIO or Neve server to remove what it holds as well."""
        headers = {"x-minio-force-delete": "true"} if force else {}
        self.transport.request("DELETE", bucket, headers=headers, doing="remove this bucket")

    def get_setting(self, bucket: str, name: str, doing: str = "") -> bytes | None:
        """Return a sub-resource of a bucket (`policy`, `versioning` …), None when it has none."""
        doing = doing or f"read the {name} setting"
        try:
            return self.transport.request("GET", bucket, query={name: ""}, doing=doing).body
        except ServerError as error:
            if error.absent and error.code != "NoSuchBucket":
                return None
            raise

    def put_setting(self, bucket: str, name: str, body: bytes, doing: str = "") -> None:
        """Set a sub-resource of a bucket."""
        self.transport.request(
            "PUT",
            bucket,
            query={name: ""},
            headers={"content-md5": md5_of(body)},
            body=body,
            doing=doing or f"change the {name} setting",
        )

    def delete_setting(self, bucket: str, name: str, doing: str = "") -> None:
        """Remove a sub-resource of a bucket, if it has it."""
        doing = doing or f"remove the {name} setting"
        try:
            self.transport.request("DELETE", bucket, query={name: ""}, doing=doing)
        except ServerError as error:
            if not error.absent or error.code == "NoSuchBucket":
                raise

    # Listings.

    def objects(
        self, bucket: str, prefix: str = "", delimiter: str = "", after: str = "", page: int = PAGE
    ) -> Iterator[Object | Prefix]:
        """Every object under the prefix, in the order of keys; with a delimiter also prefixes."""
        query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
        query |= {"delimiter": delimiter} if delimiter else {}
        query |= {"start-after": after} if after else {}
        query |= {"max-keys": str(page)} if page != PAGE else {}
        while True:
            root = self._document("GET", bucket, query, "list this bucket")
            decode = _decoder(root)
            yield from _in_order(_rows(root, decode))
            if root.text("IsTruncated") != "true":
                return
            query["continuation-token"] = root.text("NextContinuationToken")

    def versions(
        self, bucket: str, prefix: str = "", delimiter: str = ""
    ) -> Iterator[Object | Prefix]:
        """Every version and delete marker, newest first within a key."""
        query = {"versions": "", "encoding-type": "url", "prefix": prefix}
        query |= {"delimiter": delimiter} if delimiter else {}
        while True:
            root = self._document("GET", bucket, query, "list the versions of this bucket")
            decode = _decoder(root)
            yield from _in_order(_rows(root, decode))
            if root.text("IsTruncated") != "true":
                return
            query["key-marker"] = decode(root.text("NextKeyMarker"))
            query["version-id-marker"] = root.text("NextVersionIdMarker")

    def page(
        self, bucket: str, prefix: str = "", delimiter: str = "", after: str = "", limit: int = PAGE
    ) -> Page:
        """One part of `objects`: at most `limit` rows after a key or prefix, in one request."""
        query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
        query |= {"delimiter": delimiter, "start-after": after, "max-keys": str(limit)}
        query = {name: value for name, value in query.items() if value or name == "prefix"}
        root = self._document("GET", bucket, query, "list this bucket")
        rows = _in_order(_rows(root, _decoder(root)))
        more = root.text("IsTruncated") == "true" and rows
        return Page(rows, rows[-1].key if more else "")

    def version_page(
        self,
        bucket: str,
        prefix: str = "",
        delimiter: str = "",
        after: str = "",
        version: str = "",
        limit: int = PAGE,
    ) -> Page:
        """One part of `versions`: at most `limit` rows after a version of a key."""
        query = {"versions": "", "encoding-type": "url", "prefix": prefix, "max-keys": str(limit)}
        query |= {"delimiter": delimiter} if delimiter else {}
        query |= {"key-marker": after} if after else {}
        query |= {"version-id-marker": version} if version else {}
        root = self._document("GET", bucket, query, "list the versions of this bucket")
        decode = _decoder(root)
        rows = _in_order(_rows(root, decode))
        if root.text("IsTruncated") != "true":
            return Page(rows, "")
        return Page(rows, decode(root.text("NextKeyMarker")), root.text("NextVersionIdMarker"))

    def uploads(self, bucket: str, prefix: str = "", delimiter: str = "") -> Iterator[Upload]:
        """Every multipart upload that is in progress or was left."""
        query = {"uploads": "", "encoding-type": "url", "prefix": prefix}
        query |= {"delimiter": delimiter} if delimiter else {}
        while True:
            root = self._document("GET", bucket, query, "list the uploads of this bucket")
            decode = _decoder(root)
            for node in root.all("Upload"):
                row = node.texts()
                yield Upload(decode(row["Key"]), row["UploadId"], moment(row["Initiated"]))
            if root.text("IsTruncated") != "true":
                return
            query["key-marker"] = decode(root.text("NextKeyMarker"))
            query["upload-id-marker"] = root.text("NextUploadIdMarker")

    # Objects.

    def head(
        self, bucket: str, key: str, version: str = "", headers: Mapping[str, str] | None = None
    ) -> Head:
        """Return what is known of an object. Raises: ServerError (`absent` when there is none)."""
        query = {"versionId": version} if version else {}
        answer = self.transport.request(
            "HEAD", bucket, key, query, headers, doing="read this object"
        )
        return _head_of(answer)

    def find(self, bucket: str, key: str, version: str = "") -> Head | None:
        """As `head`, None when there is no such object."""
        try:
            return self.head(bucket, key, version)
        except ServerError as error:
            if error.absent and error.code != "NoSuchBucket":
                return None
            raise

    def get(
        self,
        bucket: str,
        key: str,
        version: str = "",
        start: int | None = None,
        stop: int | None = None,
        query: Query | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Stream:
        """Return the bytes `[start, stop)` of an object; a negative start counts from the end."""
        fields = dict(query or {}) | ({"versionId": version} if version else {})
        sent = dict(headers or {})
        if start is not None and start < 0:
            sent["range"] = f"bytes={start}"
        elif start or stop is not None:
            sent["range"] = f"bytes={start or 0}-" + (f"{stop - 1}" if stop is not None else "")
        return self.transport.stream("GET", bucket, key, fields, sent, doing="read this object")

    def put(
        self,
        bucket: str,
        key: str,
        body: bytes | IO[bytes],
        headers: Mapping[str, str] | None = None,
        query: Query | None = None,
    ) -> Answer:
        """Write an object; a stream needs `content-length` among the headers."""
        sent = dict(headers or {})
        if isinstance(body, bytes):
            sent.setdefault("content-md5", md5_of(body))
        return self.transport.request(
            "PUT", bucket, key, query, sent, body, doing="write this object"
        )

    def delete(
        self, bucket: str, key: str, version: str = "", bypass: bool = False, etag: str = ""
    ) -> Answer:
        """Delete an object, or a version of it; with an ETag only if it has that still."""
        query = {"versionId": version} if version else {}
        headers = {"x-amz-bypass-governance-retention": "true"} if bypass else {}
        headers |= {"if-match": f'"{etag}"'} if etag else {}
        return self.transport.request(
            "DELETE", bucket, key, query, headers, doing="delete this object"
        )

    def delete_many(
        self, bucket: str, keys: Iterable[tuple[str, str]], bypass: bool = False
    ) -> list[Failed]:
        """Delete up to `DELETE_MAX` pairs of key and version ('' for none); return the failures."""
        pairs = list(keys)
        plain = [pair for pair in pairs if not _NOT_IN_XML.search(pair[0])]
        rows = self._delete_many(bucket, plain, bypass, quiet=True).all("Error") if plain else ()
        odd = (self._delete_marking(bucket, *pair, bypass) for pair in set(pairs) - set(plain))
        return [*map(_failed_of, rows), *(each for each in odd if isinstance(each, Failed))]

    def delete_marking(
        self,
        bucket: str,
        keys: Sequence[tuple[str, str]],
        bypass: bool = False,
        etags: Mapping[str, str] | None = None,
    ) -> list[Deleted | Failed]:
        """As `delete_many`, but return what became of each key, in order.

        Keys that `etags` names are deleted only if they have that ETag still.
        """
        done: dict[tuple[str, str], Deleted | Failed] = {}
        plain = [pair for pair in keys if not _NOT_IN_XML.search(pair[0])]
        if plain:
            rows = self._delete_many(bucket, plain, bypass, quiet=False, etags=etags)
            found = [node for node in rows if node.name in ("Deleted", "Error")]
            for (key, version), node in zip(plain, found, strict=True):
                marker = node.text("DeleteMarkerVersionId") if not version else ""
                failed = node.name == "Error"
                done[key, version] = _failed_of(node) if failed else Deleted(key, version, marker)
        for key, version in set(keys) - set(done):
            etag = (etags or {}).get(key, "")
            done[key, version] = self._delete_marking(bucket, key, version, bypass, etag)
        return [done[pair] for pair in keys]

    def _delete_marking(
        self, bucket: str, key: str, version: str, bypass: bool, etag: str = ""
    ) -> Deleted | Failed:
        try:
            headers = self.delete(bucket, key, version, bypass, etag).headers
        except ServerError as error:
            return Failed(key, version, error.code, error.said)
        marker = not version and headers.get("x-amz-delete-marker") == "true"
        return Deleted(key, version, headers.get("x-amz-version-id", "") if marker else "")

    def _delete_many(
        self,
        bucket: str,
        keys: list[tuple[str, str]],
        bypass: bool,
        quiet: bool,
        etags: Mapping[str, str] | None = None,
    ) -> Node:
        rows = []
        for key, version in keys:
            fields = [element("Key", key)]
            fields += [element("VersionId", version)] if version else []
            fields += [element("ETag", etags[key])] if etags and key in etags else []
            rows.append(element("Object", fields))
        body = document("Delete", [element("Quiet", "true" if quiet else "false"), *rows])
        headers = {"content-md5": md5_of(body)}
        if bypass:
            headers["x-amz-bypass-governance-retention"] = "true"
        try:
            answer = self.transport.request(
                "POST", bucket, query={"delete": ""}, headers=headers, body=body,
                doing="delete objects", idempotent=True,
            )  # fmt: skip
        except ServerError as error:
            if error.why and keys:
                # Rights to delete are of objects: the first one stands for all.
                error.why = partial(self._why_kept, bucket, *keys[0])
            raise
        return parse(answer.body)

    def _why_kept(self, bucket: str, key: str, version: str) -> str:
        query = {"versionId": version} if version else {}
        return reason_of(self.transport, "DELETE", bucket, key, query)

    def abort(self, bucket: str, key: str, upload: str) -> None:
        """End a multipart upload and free what it holds; one that is gone is no error."""
        query = {"uploadId": upload}
        self.transport.request("DELETE", bucket, key, query, doing="end an upload", accept=(404,))

    def presign(
        self, method: str, bucket: str, key: str, expires_s: int, query: Query | None = None
    ) -> str:
        """Return a URL with which anybody may do `method` for a while."""
        return self.transport.presign(method, bucket, key, expires_s, query)

    def _document(self, method: str, bucket: str, query: Query, doing: str) -> Node:
        answer = self.transport.request(method, bucket, query=query, doing=doing)
        return parse(answer.body, f"the answer of {self.transport.host}")


def md5_of(body: bytes) -> str:
    """Return the value of Content-MD5."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()


def _failed_of(node: Node) -> Failed:
    row = node.texts()
    return Failed(
        row.get("Key", ""), row.get("VersionId", ""), row.get("Code", ""), row.get("Message", "")
    )


def _decoder(root: Node) -> Callable[[str], str]:
    """How keys are written in a listing: as the server was asked, if it knows how."""
    return unquote_plus if root.text("EncodingType") == "url" else str


def _rows(root: Node, decode: Callable[[str], str]) -> Iterator[Object | Prefix]:
    for node in root:
        if node.name == "CommonPrefixes":
            yield Prefix(decode(node.text("Prefix")))
        elif node.name in ("Contents", "Version", "DeleteMarker"):
            row = node.texts()
            yield Object(
                decode(row["Key"]),
                int(row.get("Size") or 0),
                moment(row["LastModified"]),
                row.get("ETag", "").strip('"'),
                row.get("StorageClass") or "STANDARD",
                row.get("VersionId", ""),
                row.get("IsLatest", "true") == "true",
                node.name == "DeleteMarker",
                node.text("Owner", "DisplayName") if "Owner" in row else "",
            )


def _in_order(rows: Iterator[Object | Prefix]) -> list[Object | Prefix]:
    """The rows of a page in the order of keys, current versions before others.

    Some servers name all prefixes, or all delete markers, behind everything else.
    """
    return sorted(
        rows, key=lambda row: (row.key.encode(), isinstance(row, Object) and not row.latest)
    )


def _head_of(answer: Answer) -> Head:
    headers = answer.headers
    return Head(
        int(headers.get("content-length", 0)),
        parsedate_to_datetime(headers.get("last-modified", "Thu, 01 Jan 1970 00:00:00 GMT")),
        headers.get("etag", "").strip('"'),
        headers.get("content-type", ""),
        headers.get("x-amz-version-id", ""),
        headers.get("x-amz-storage-class", "STANDARD"),
        {
            name.removeprefix("x-amz-meta-"): value
            for name, value in headers.items()
            if name.startswith("x-amz-meta-")
        },
        headers,
    )

"""Copies that the server makes without the bytes passing here, whatever their size.

Up to 5 GiB it is one CopyObject; above, a multipart upload of ranges, with what the object has
beside its bytes read and written again. A copy has the source's ETag as its condition, so what it
copies is what was looked at.
"""

from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import quote, urlencode

from neve.client import multipart
from neve.client.errors import ServerError
from neve.client.s3 import S3, Head
from neve.client.xml import parse

ONE_MAX = 5 << 30
PART = 1 << 30
SYSTEM = (
    "cache-control", "content-disposition", "content-encoding", "content-language",
    "content-type", "expires", "x-amz-website-redirect-location",
)  # fmt: skip
"""Headers that an object keeps as it was written."""
_META = "x-amz-meta-"


class Place(NamedTuple):
    """An object, or one version of it."""

    bucket: str
    key: str
    version: str = ""


def copy(
    server: S3,
    source: Place,
    target: Place,
    *,
    overwrite: bool = True,
    headers: Mapping[str, str] | None = None,
) -> Head:
    """Copy an object; with `headers` (content type, metadata) instead of its own, if given.

    Returns what the source was.

    Raises: ServerError; PreconditionFailed when the target exists and is not to be overwritten, or
    the source was changed meanwhile.
    """
    head = server.head(source.bucket, source.key, source.version)
    sent = {
        "x-amz-copy-source": _source(source),
        "x-amz-copy-source-if-match": f'"{head.etag}"',
    }
    condition = {} if overwrite else {"if-none-match": "*"}
    if head.size > ONE_MAX:
        _in_parts(server, head, source, target, headers, sent, condition)
        return head
    if headers is not None:
        sent |= {**headers, "x-amz-metadata-directive": "REPLACE"}
        sent |= _storage_class(head)
    answer = server.transport.request(
        "PUT", target.bucket, target.key, headers=sent | condition, doing="copy this object"
    )
    root = parse(answer.body)
    if root.name == "Error":  # S3 may fail after it has said 200
        code, said = root.text("Code"), root.text("Message")
        raise ServerError(f"could not copy: {said}", code, 500, said, target.key)
    return head


def kept(head: Head) -> dict[str, str]:
    """Return the headers with which a copy becomes what the object is."""
    return {
        name: value
        for name, value in head.headers.items()
        if name in SYSTEM or name.startswith(_META)
    }


def _in_parts(
    server: S3,
    head: Head,
    source: Place,
    target: Place,
    headers: Mapping[str, str] | None,
    sent: Mapping[str, str],
    condition: Mapping[str, str],
) -> None:
    about = dict(kept(head) if headers is None else headers) | _storage_class(head)
    tags = _tags(server, source, head)
    about |= {"x-amz-tagging": tags} if tags else {}
    upload = multipart.begin(server, target.bucket, target.key, about)
    try:
        etags = []
        for number, start in enumerate(range(0, head.size, PART), 1):
            last = min(start + PART, head.size) - 1
            answer = server.transport.request(
                "PUT",
                target.bucket,
                target.key,
                {"partNumber": str(number), "uploadId": upload},
                {**sent, "x-amz-copy-source-range": f"bytes={start}-{last}"},
                doing="copy this object",
            )
            etags.append(parse(answer.body).text("ETag").strip('"'))
        multipart.complete(server, target.bucket, target.key, upload, etags, condition)
    except BaseException:
        server.abort(target.bucket, target.key, upload)
        raise


def _source(place: Place) -> str:
    version = f"?versionId={quote(place.version, safe='')}" if place.version else ""
    return f"/{place.bucket}/{quote(place.key, safe='/~')}{version}"


def _storage_class(head: Head) -> dict[str, str]:
    plain = head.storage_class in ("", "STANDARD")
    return {} if plain else {"x-amz-storage-class": head.storage_class}


def _tags(server: S3, source: Place, head: Head) -> str:
    """The tags as a header has them, '' without any."""
    if not int(head.headers.get("x-amz-tagging-count", 0)):
        return ""
    query = {"tagging": ""} | ({"versionId": source.version} if source.version else {})
    answer = server.transport.request(
        "GET", source.bucket, source.key, query, doing="read the tags of this object"
    )
    found = parse(answer.body).find("TagSet")
    rows = [node.texts() for node in found.all("Tag")] if found else []
    return urlencode({row["Key"]: row.get("Value", "") for row in rows}, quote_via=quote)

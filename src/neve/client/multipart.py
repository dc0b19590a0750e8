"""Multipart uploads as functions: begun and completed. Parts go their own ways."""

import hashlib
from collections.abc import Mapping, Sequence

from neve.client.errors import ServerError
from neve.client.s3 import S3, md5_of
from neve.client.xml import document, element, parse


def begin(server: S3, bucket: str, key: str, headers: Mapping[str, str]) -> str:
    """Begin an upload; return its id."""
    answer = server.transport.request(
        "POST", bucket, key, {"uploads": ""}, headers, doing="begin an upload"
    )
    return parse(answer.body).text("UploadId")


def complete(
    server: S3,
    bucket: str,
    key: str,
    upload: str,
    etags: Sequence[str],
    headers: Mapping[str, str] | None = None,
) -> None:
    """Make the object of its parts, 1 to the last, by their ETags.

    An upload that is gone because an earlier attempt completed it counts as completed.
    """
    parts = [
        element("Part", [element("PartNumber", str(number)), element("ETag", etag)])
        for number, etag in enumerate(etags, 1)
    ]
    body = document("CompleteMultipartUpload", parts)
    sent = {"content-md5": md5_of(body), **(headers or {})}
    try:
        answer = server.transport.request(
            "POST", bucket, key, {"uploadId": upload}, sent, body, doing="complete an upload"
        )
    except ServerError as error:
        if error.code != "NoSuchUpload":
            raise
        there = server.find(bucket, key)
        if there is None or there.etag != etag_of(etags):
            raise
        return
    root = parse(answer.body)
    if root.name == "Error":  # S3 may fail after it has said 200
        code, said = root.text("Code"), root.text("Message")
        raise ServerError(f"could not complete the upload: {said}", code, 500, said, key)


def etag_of(etags: Sequence[str]) -> str:
    """Return the ETag of an object that is made of parts with these, which are MD5s in hex."""
    joined = b"".join(bytes.fromhex(etag) for etag in etags)
    return f"{hashlib.md5(joined, usedforsecurity=False).hexdigest()}-{len(etags)}"

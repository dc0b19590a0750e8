"""Uploading: browsers send files straight to S3, over addresses that are signed here.

What a script is given is good for one key and one hour, and no better than the visitor's own keys.
Multipart uploads are begun, completed and aborted over the panel, as the visitor. Without scripts a
form sends one file of bounded size through the panel.
"""

import os
import re
from typing import IO

from starlette.datastructures import UploadFile
from starlette.responses import Response

from neve.client import multipart
from neve.client.errors import ServerError
from neve.panel.formtext import key_of
from neve.panel.pages.objects import names
from neve.panel.routing import post
from neve.panel.visit import Refused, Visit

EXPIRES_S = 3600
KEYS_MAX = 100
PARTS_MAX = 10_000
SIGNED_PARTS_MAX = 100
FORM_FILE_BYTES_MAX = 64 << 20
_ETAG = re.compile(r"[0-9a-f]{32}\Z")


def sign(visit: Visit) -> Response:
    """Addresses for a PUT of each of `keys`; and the ETags of those that are there already."""
    bucket, keys = _bucket(visit), _texts(visit, "keys", KEYS_MAX)
    taken = [""] * len(keys) if visit.form.get("overwrite") else _taken(visit, bucket, keys)
    urls = [visit.links.presign("PUT", bucket, key, EXPIRES_S) for key in keys]
    return visit.json({"urls": urls, "taken": taken})


def begin(visit: Visit) -> Response:
    """Begin a multipart upload of `key`, unless something is there that must not be replaced."""
    bucket, key = _bucket(visit), _key(visit)
    if not visit.form.get("overwrite") and _taken(visit, bucket, [key])[0]:
        return visit.json({"exists": True})
    kind = visit.field("type")
    headers = {"content-type": kind if kind.isascii() and kind.isprintable() else ""}
    upload = multipart.begin(visit.s3, bucket, key, headers if headers["content-type"] else {})
    return visit.json({"upload": upload})


def parts(visit: Visit) -> Response:
    """Addresses for the parts `first` to `last` of an upload."""
    bucket, key, upload = _bucket(visit), _key(visit), visit.field("upload")
    first, last = _number(visit, "first"), _number(visit, "last")
    if not 1 <= first <= last <= PARTS_MAX or last - first >= SIGNED_PARTS_MAX:
        raise Refused(400, visit._("This is not how an upload is made."))
    urls = [
        visit.links.presign(
            "PUT", bucket, key, EXPIRES_S, {"partNumber": str(number), "uploadId": upload}
        )
        for number in range(first, last + 1)
    ]
    return visit.json({"urls": urls})


def complete(visit: Visit) -> Response:
    """Make the object of the parts whose MD5s the browser has computed."""
    bucket, key, upload = _bucket(visit), _key(visit), visit.field("upload")
    etags = _texts(visit, "etags", PARTS_MAX)
    if not all(_ETAG.match(etag) for etag in etags):
        raise Refused(400, visit._("This is not how an upload is made."))
    condition = {} if visit.form.get("overwrite") else {"if-none-match": "*"}
    try:
        multipart.complete(visit.s3, bucket, key, upload, etags, condition)
    except ServerError as error:
        if error.code == "PreconditionFailed":
            return visit.json({"exists": True})
        raise
    return visit.json({"exists": False})


def abort(visit: Visit) -> Response:
    """Throw an upload away. A page that is being left says it as a form, with several."""
    bucket = _bucket(visit)
    for key, upload in zip(visit.fields("key"), visit.fields("upload"), strict=False):
        if key and upload:  # without a key it would be another request, about the bucket
            visit.s3.abort(bucket, key, upload)
    return visit.json({})


def form(visit: Visit) -> Response:
    """Write the one file that a form has sent; for browsers without scripts."""
    bucket, prefix = _bucket(visit), key_of(visit, "prefix")
    given = visit.form.get("file")
    sent = given.filename if isinstance(given, UploadFile) else None
    name = os.path.basename((sent or "").replace("\\", "/"))
    if not isinstance(given, UploadFile) or not name:
        visit.tell(visit._("Choose a file first."), "problem")
        return visit.go(f"/browse/{bucket}", prefix=prefix)
    headers = {"content-type": given.content_type or "application/octet-stream"}
    headers["content-length"] = str(given.size or 0)
    if not visit.form.get("overwrite"):
        headers["if-none-match"] = "*"
    stream: IO[bytes] = given.file
    try:
        visit.s3.put(bucket, prefix + name, stream, headers)
    except ServerError as error:
        if error.code == "PreconditionFailed":
            visit.tell(visit._("%(name)s exists already; nothing was done.", name=name), "problem")
        elif visit.panel.refusals.ends_session(error):
            raise
        else:
            visit.tell(visit.sentence(error), "problem")
    else:
        visit.tell(visit._("%(name)s is uploaded.", name=name))
    return visit.go(f"/browse/{bucket}", prefix=prefix)


def _taken(visit: Visit, bucket: str, keys: list[str]) -> list[str]:
    """The ETags of what is there under the keys, as far as the visitor may know."""
    found = []
    for key in keys:
        try:
            there = visit.s3.find(bucket, key)
        except ServerError as error:
            if visit.panel.refusals.ends_session(error) or not error.denied:
                raise
            there = None  # the write itself has a condition
        found.append((there.etag or "?") if there else "")
    return found


def _bucket(visit: Visit) -> str:
    return names.checked_bucket(visit, visit.field("bucket"))


def _text(visit: Visit, name: str) -> str:
    """A field as it was sent, with the blanks around it: they are part of a key."""
    value = visit.form.get(name, "")
    return value if isinstance(value, str) else ""


def _key(visit: Visit) -> str:
    key = _text(visit, "key")
    if not key:
        raise Refused(400, visit._("This is not how an upload is made."))
    return key


def _texts(visit: Visit, name: str, count_max: int) -> list[str]:
    values: object = visit.form.get(name)
    if not isinstance(values, list) or not 1 <= len(values) <= count_max:
        raise Refused(400, visit._("This is not how an upload is made."))
    if not all(isinstance(value, str) and value for value in values):
        raise Refused(400, visit._("This is not how an upload is made."))
    return values


def _number(visit: Visit, name: str) -> int:
    value: object = visit.form.get(name)
    return value if isinstance(value, int) else 0


ROUTES = [
    post("/upload/sign", sign),
    post("/upload/begin", begin),
    post("/upload/parts", parts),
    post("/upload/complete", complete),
    post("/upload/abort", abort),
    post("/upload/form", form, bytes_max=FORM_FILE_BYTES_MAX + (64 << 10)),
]

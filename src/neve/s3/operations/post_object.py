"""PostObject: writes an object from a browser's form, the file being its last field.

Supported: policies signed with version 4 or 2, anonymous forms, `${filename}`, acl, tagging (as a
document), Content-*, Cache-Control, Expires, x-amz-meta-*, x-amz-storage-class,
x-amz-website-redirect-location, x-amz-checksum-*, success_action_status, success_action_redirect
and its old name redirect. Refused: as PutObject; requests signed in a header or the query.
Ignored: what follows the file, fields that no policy covers in anonymous forms.

The fields come before the file, so who sends the form and whether it may is known before the first
byte of the file is taken; those bytes are never held.
"""

import re
from typing import Any
from urllib.parse import quote

from neve.iam.actions import more_actions
from neve.iam.principals import ANONYMOUS
from neve.names import parse_key
from neve.s3.acl_requests import new_object_acl
from neve.s3.call import Call, written_headers
from neve.s3.checksums import BodyDigest, parse_content_md5, parse_declared
from neve.s3.errors import S3Error
from neve.s3.forms import Form, FormParser, Sink, parse_boundary, text_of_field
from neve.s3.integrity import checksum_headers, object_checksum
from neve.s3.locks import set_default, set_lock
from neve.s3.metadata import ACL, pack, read_metadata
from neve.s3.operations.put_object import OBJECT_BYTES_MAX
from neve.s3.payload import Feed
from neve.s3.post_auth import authenticate_form, missing
from neve.s3.post_policy import PostPolicy, check_policy, check_size, parse_post_policy
from neve.s3.response import XML_TYPE, Headers, Response
from neve.s3.sigv4 import UNSIGNED
from neve.s3.tagging import encode_tags, parse_tag_document
from neve.s3.xml import escape

_FILENAME = b"${filename}"
_NOT_EXPANDED = frozenset(("policy", "signature", "x-amz-signature"))
_KEPT = (b"host", b"user-agent", b"referer")
"""Headers of the request that policy conditions may ask for."""
_PLAIN = frozenset(
    (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-md5",
        "content-type",
        "expires",
    )
)
_AUTH = frozenset(
    (
        "x-amz-algorithm",
        "x-amz-credential",
        "x-amz-date",
        "x-amz-security-token",
        "x-amz-signature",
    )
)
_IS_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9a-z]{1,256}").fullmatch
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_IS_URL = re.compile(r"https?://[^\s\x00-\x1f\x7f]+").fullmatch
_URL_PLAIN = "!#$%&'()*+,/:;=?@[]~"


async def post_object(call: Call) -> Response:
    """Write the file of a form."""
    if call.auth.access_key is not None or call.auth.payload.kind != UNSIGNED:
        raise S3Error("InvalidRequest", "A form is signed in its fields, not in the request.")
    upload = _Upload(call)
    parser = FormParser(parse_boundary(call.headers.get(b"content-type", b"")), upload.begin)
    try:
        await call.request.body.pump(parser.feed)
        parser.finish()
        return await upload.publish()
    except BaseException:
        upload.abort()
        raise


class _Upload:
    """One form on its way to be an object."""

    __slots__ = ("_acl", "_asked", "_call", "_digest", "_fields", "_meta", "_policy", "_writer")
    _asked: Call
    """The request as if the fields of the form were its headers."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._writer: Any = None
        self._policy: PostPolicy | None = None

    def begin(self, form: Form) -> Sink:
        """Judge the fields; return where the bytes of the file go."""
        fields = self._fields = _expanded(form)
        call = self._call
        pipeline, request = call.pipeline, call.request
        asked = Call(pipeline, request, call.route, call.query, call.name)
        asked.bucket = call.bucket
        asked.auth = authenticate_form(pipeline.verifier, fields)
        access_key = asked.auth.access_key
        asked.caller = ANONYMOUS if access_key is None else pipeline.principal_of(access_key)
        request.auth, request.caller = asked.auth, asked.caller
        request.principal = asked.caller.name
        self._check_policy()
        if not fields.get("key"):
            raise missing("key")
        request.key = asked.key = parse_key(fields["key"])
        self._asked = asked
        self._read_headers()
        digest = self._digest
        writer = self._writer = call.engine.writer(None)
        limit = OBJECT_BYTES_MAX
        if self._policy is not None and self._policy.size_max is not None:
            limit = min(limit, self._policy.size_max)
        return Feed(digest, writer, limit)

    def _check_policy(self) -> None:
        if "policy" not in self._fields:
            return
        texts = {name: text_of_field(value) for name, value in self._fields.items()}
        self._policy = parse_post_policy(self._fields["policy"])
        now = self._call.pipeline.verifier.now()
        check_policy(self._policy, texts, self._call.name, now)

    def _read_headers(self) -> None:
        """Read what the form says of the object. Raises: S3Error AccessDenied, InvalidArgument."""
        asked = self._asked
        headers = _form_headers(self._call.headers, self._fields)
        asked.headers = headers
        tagging = self._fields.get("tagging")
        if tagging is not None:
            tags = parse_tag_document(tagging)
            asked.tags = dict(tags)
            headers[b"x-amz-tagging"] = encode_tags(tags)
        asked.check("s3:PutObject", asked.bucket, asked.key)
        for action in more_actions("PutObject", headers, False):
            asked.check(action, asked.bucket, asked.key)
        self._meta = read_metadata(headers)
        acl = new_object_acl(asked, headers)
        if acl is not None:
            self._meta[ACL] = acl
        declared = parse_declared(headers, streaming=False)
        set_lock(asked, headers, self._meta)
        self._digest = BodyDigest(asked.auth.payload, declared, parse_content_md5(headers))

    async def publish(self) -> Response:
        """Make the file an object, now that it is whole."""
        asked, writer = self._asked, self._writer
        if self._policy is not None:
            check_size(self._policy, writer.size)
        md5, checksum = self._digest.finish()
        await writer.close()
        set_default(asked.bucket, self._meta)
        row = await asked.engine.put_object(
            asked.bucket,
            asked.key,
            writer,
            etag=md5,
            meta=pack(self._meta),
            checksum=object_checksum(checksum),
            owner=asked.writer_id,
        )
        more = [*written_headers(row), *checksum_headers(row.checksum)]
        return _answer(asked, self._fields, row.etag, more)

    def abort(self) -> None:
        """Give up what has come in."""
        if self._writer is not None:
            self._writer.abort()


def _expanded(form: Form) -> dict[str, bytes]:
    """Return the fields with the file's name, without its folders, in the place of its variable."""
    name = re.split(rb"[/\\]", form.filename)[-1]
    return {
        field: value if field in _NOT_EXPANDED else value.replace(_FILENAME, name)
        for field, value in form.fields.items()
    }


def _form_headers(sent: dict[bytes, bytes], fields: dict[str, bytes]) -> dict[bytes, bytes]:
    """Return the fields that PutObject has as headers, under the names it has them."""
    headers = {name: sent[name] for name in _KEPT if name in sent}
    for field, value in fields.items():
        name = "x-amz-acl" if field == "acl" else field
        if name in _AUTH or not (name in _PLAIN or name.startswith("x-amz-")):
            continue
        # They come back as headers: nothing in them may end one.
        if not _IS_NAME(name) or _CONTROL.search(value):
            raise S3Error("InvalidArgument", ArgumentName=field[:256])
        headers[name.encode()] = value.strip(b" \t")
    return headers


def _answer(asked: Call, fields: dict[str, bytes], etag: str, sums: Headers) -> Response:
    """Return what the form asks to be answered with."""
    target = _redirect(fields)
    quoted = f"%22{etag}%22"
    if target is not None:
        mark = "&" if "?" in target else "?"
        key = quote(asked.key, safe="")
        url = f"{target}{mark}bucket={asked.bucket.name}&key={key}&etag={quoted}"
        return Response(303, [(b"location", url.encode()), (b"etag", b'"%b"' % etag.encode())])
    location = _location(asked)
    headers: Headers = [
        (b"location", location.encode("latin-1")),
        (b"etag", b'"%b"' % etag.encode()),
        *sums,
    ]
    status = fields.get("success_action_status", b"")
    if status != b"201":
        return Response(200 if status == b"200" else 204, headers)
    inner = (
        f"<Location>{escape(location)}</Location><Bucket>{asked.bucket.name}</Bucket>"
        f"<Key>{escape(asked.key)}</Key><ETag>&quot;{etag}&quot;</ETag>"
    )
    # AWS: the one document of S3 that has no namespace.
    page = f'<?xml version="1.0" encoding="UTF-8"?>\n<PostResponse>{inner}</PostResponse>'
    return Response(201, [XML_TYPE, *headers], page.encode())


def _redirect(fields: dict[str, bytes]) -> str | None:
    """Return where the browser is sent. AWS: what is no URL counts as if it were not there."""
    value = fields.get("success_action_redirect") or fields.get("redirect")
    if not value:
        return None
    url = text_of_field(value).strip()
    return quote(url, safe=_URL_PLAIN) if _IS_URL(url) else None


def _location(asked: Call) -> str:
    request = asked.request
    scheme = "https" if request.secure else "http"
    host = asked.headers.get(b"host", b"").decode("latin-1")
    path = request.raw_path.decode("latin-1").rstrip("/")
    return f"{scheme}://{host}{path}/{quote(asked.key, safe='/')}"

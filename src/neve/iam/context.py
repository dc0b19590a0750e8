"""What conditions and policy variables can see of a request, and the table of condition keys.

A `RequestContext` holds references to what the pipeline already has; nothing is decoded until a
condition asks for it, so that a request to a bucket without a policy pays for a few slots only.

Invariants: a key's value is text, a tuple of texts (keys with many values) or None (the request
does not have it); key names are lower case here, except the tag name behind `/`, which S3
distinguishes by case.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote

from neve.clock import now_us
from neve.iam.principals import ANONYMOUS, Principal

Value = str | tuple[str, ...] | None
Extract = Callable[["RequestContext"], Value]
Tags = Mapping[str, str]

_NO_HEADERS: Mapping[bytes, bytes] = {}
_NO_QUERY: Mapping[str, str] = {}


class RequestContext:
    """One request, as its conditions see it.

    `headers` are lower-case names and raw values, `query` the decoded fields. `existing_tags` and
    `request_tags` are called at most once, and only when a condition names a tag; without
    `request_tags` the tags are those of the `x-amz-tagging` header. `auth_type` is
    `REST-HEADER`, `REST-QUERY-STRING` or `POST`, empty for anonymous requests.
    """

    __slots__ = (
        "_existing",
        "_requested",
        "auth_type",
        "bucket_owner",
        "existing_tags",
        "headers",
        "location",
        "memo",
        "object_owner",
        "principal",
        "query",
        "request_tags",
        "secure",
        "signature_age_ms",
        "signature_version",
        "source_ip",
        "time_us",
    )

    def __init__(
        self,
        principal: Principal = ANONYMOUS,
        source_ip: str = "",
        secure: bool = False,
        headers: Mapping[bytes, bytes] = _NO_HEADERS,
        query: Mapping[str, str] = _NO_QUERY,
        auth_type: str = "",
        signature_age_ms: int = 0,
        time_us: int = 0,
        signature_version: str = "AWS4-HMAC-SHA256",
    ) -> None:
        self.principal = principal
        self.source_ip = source_ip
        self.secure = secure
        self.headers = headers
        self.query = query
        self.auth_type = auth_type
        self.signature_age_ms = signature_age_ms
        self.time_us = time_us
        self.signature_version = signature_version
        self.existing_tags: Callable[[], Tags] | None = None
        self.request_tags: Callable[[], Tags] | None = None
        self.location: str | None = None
        self.bucket_owner = ""
        """Canonical id of the owner of the bucket that is asked about; empty without one."""
        self.object_owner: Callable[[], str] | None = None
        """Asked when a condition names it: canonical id of the owner of the object."""
        self.memo: dict[Extract, Value] = {}
        """What conditions have read already."""
        self._existing: Tags | None = None
        self._requested: Tags | None = None

    def listing(self, prefix: str) -> "RequestContext":
        """Return this request as if it listed `prefix`: may its caller know what is there?"""
        return RequestContext(
            self.principal, self.source_ip, self.secure, self.headers, {"prefix": prefix},
            self.auth_type, self.signature_age_ms, self.time_us, self.signature_version,
        )  # fmt: skip

    def epoch_s(self) -> float:
        """The time of the request, the same however often it is asked for."""
        if not self.time_us:
            self.time_us = now_us()
        return self.time_us / 1e6

    def object_tags(self) -> Tags:
        """The tags of the object as it is."""
        if self._existing is None:
            self._existing = self.existing_tags() if self.existing_tags else {}
        return self._existing

    def requested_tags(self) -> Tags:
        """The tags that the request would set."""
        if self._requested is None:
            if self.request_tags:
                self._requested = self.request_tags()
            else:
                raw = self.headers.get(b"x-amz-tagging", b"")
                self._requested = dict(parse_qsl(_text(raw), keep_blank_values=True))
        return self._requested


def extractor(key: str) -> Extract | None:
    """Return how the value of `key` (any case) is read; None when there is no such key.

    Keys that name what this store does not have are absent from every request: any `aws:` key (S3
    accepts those it does not know), those of MinIO's temporary credentials, and the S3 keys of
    `_ABSENT`. Keys of ours begin with `neve:`.
    """
    name, slash, tag = key.partition("/")
    name = name.lower()
    if slash:
        return _tag_extractor(name, tag)
    found = _KEYS.get(name)
    if found is None and (name in _ABSENT or _IS_FOREIGN(name)):
        return _absent
    return found


def lookup_for(context: RequestContext) -> Callable[[str], str | None]:
    """Return what policy variables stand for in this request; keys with many values have none."""

    def lookup(key: str) -> str | None:
        extract = extractor(key)
        value = extract(context) if extract else None
        return value if isinstance(value, str) else None

    return lookup


def _tag_extractor(name: str, tag: str) -> Extract | None:
    if not tag:
        return None
    if name == "s3:existingobjecttag":
        return lambda context: context.object_tags().get(tag)
    if name == "s3:requestobjecttag":
        return lambda context: context.requested_tags().get(tag)
    return _absent if name.startswith("aws:") or name in _ABSENT_TAGS else None


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _header(name: str) -> Extract:
    raw_name = name.encode()

    def extract(context: RequestContext) -> Value:
        raw = context.headers.get(raw_name)
        return None if raw is None else raw.decode("utf-8", "surrogateescape")

    return extract


def _query(name: str) -> Extract:
    return lambda context: context.query.get(name)


def _absent(_: RequestContext) -> Value:
    return None


def _username(context: RequestContext) -> Value:
    return context.principal.name if context.principal.kind == "user" else None


def _current_time(context: RequestContext) -> Value:
    return datetime.fromtimestamp(int(context.epoch_s()), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch_time(context: RequestContext) -> Value:
    """The value of `aws:EpochTime`."""
    return str(int(context.epoch_s()))


def _copy_source(context: RequestContext) -> Value:
    """`bucket/key` whichever way the client wrote it, so that no spelling escapes a Deny."""
    raw = context.headers.get(b"x-amz-copy-source")
    if raw is None:
        return None
    path = _text(raw).partition("?versionId=")[0]
    return unquote(path, errors="surrogateescape").removeprefix("/")


def _content_sha256(context: RequestContext) -> Value:
    raw = context.headers.get(b"x-amz-content-sha256")
    return context.query.get("X-Amz-Content-Sha256") if raw is None else _text(raw)


def _object_creation(context: RequestContext) -> Value:
    """False for the calls of a multipart upload that carry an uploadId or begin one."""
    return "false" if "uploadId" in context.query or "uploads" in context.query else "true"


_HEADER_KEYS = """
    acl grant-read grant-write grant-read-acp grant-write-acp grant-full-control
    metadata-directive server-side-encryption server-side-encryption-aws-kms-key-id
    server-side-encryption-customer-algorithm storage-class website-redirect-location
    object-ownership
"""

_KEYS: dict[str, Extract] = {
    "aws:sourceip": lambda c: c.source_ip or None,
    "aws:securetransport": lambda c: "true" if c.secure else "false",
    "aws:currenttime": _current_time,
    "aws:epochtime": epoch_time,
    "aws:useragent": _header("user-agent"),
    "aws:referer": _header("referer"),
    "aws:username": _username,
    "aws:userid": lambda c: c.principal.user_id,
    "aws:principalarn": lambda c: c.principal.arn or None,
    "aws:principaltype": lambda c: c.principal.type,
    "aws:groups": lambda c: c.principal.groups or None,
    "neve:bucketowner": lambda c: c.bucket_owner or None,
    "neve:objectowner": lambda c: c.object_owner() if c.object_owner else None,
    "neve:canonicalid": lambda c: c.principal.canonical_id if c.principal.arn else None,
    "aws:principalaccount": lambda c: c.principal.account or None,
    "s3:prefix": _query("prefix"),
    "s3:delimiter": _query("delimiter"),
    "s3:max-keys": _query("max-keys"),
    "s3:versionid": _query("versionId"),
    "s3:locationconstraint": lambda c: c.location,
    "s3:signatureversion": lambda c: c.signature_version if c.auth_type else None,
    "s3:signatureage": lambda c: str(c.signature_age_ms) if c.auth_type else None,
    "s3:authtype": lambda c: c.auth_type or None,
    "s3:if-match": _header("if-match"),
    "s3:if-none-match": _header("if-none-match"),
    "s3:objectcreationoperation": _object_creation,
    "s3:requestobjecttagkeys": lambda c: tuple(c.requested_tags()) or None,
    "s3:object-lock-mode": _header("x-amz-object-lock-mode"),
    "s3:object-lock-legal-hold": _header("x-amz-object-lock-legal-hold"),
    "s3:object-lock-retain-until-date": _header("x-amz-object-lock-retain-until-date"),
    "s3:x-amz-copy-source": _copy_source,
    "s3:x-amz-content-sha256": _content_sha256,
    **{f"s3:x-amz-{name}": _header(f"x-amz-{name}") for name in _HEADER_KEYS.split()},
}

_ABSENT_NAMES = """
    accessgrantsinstancearn accesspointnetworkorigin annotation-prefix dataaccesspointaccount
    dataaccesspointarn destinationregion inventoryaccessibleoptionalfields
    isreplicationpauserequest logtype max-annotation-results object-lock-remaining-retention-days
    resourceaccount tlsversion x-amz-bucket-namespace x-amz-object-annotation-directive
    x-amz-object-if-match
"""
_IS_FOREIGN = re.compile(r"(aws|jwt|ldap|sts|svc):.+", re.DOTALL).fullmatch
_ABSENT = frozenset(f"s3:{name}" for name in _ABSENT_NAMES.split())
_ABSENT_TAGS = frozenset(("s3:buckettag", "s3:accesspointtag"))

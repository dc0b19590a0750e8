"""Quotas: how much a bucket, a prefix of it or a user may hold. Values and sentences, no store.

A limit that is absent does not hold. `bytes` counts everything stored, noncurrent versions
included; `objects` counts it as well, but no delete markers: deleting is never refused. `soft` is a
percentage of the limits from which on usage answers, metrics and the log warn; it refuses nothing.
"""

import logging
from functools import lru_cache
from typing import Annotated, Any, NamedTuple

import msgspec

from neve.errors import QuotaExceeded

OPTION = "quota"
"""The bucket option that holds a BucketQuota."""
DEFAULT = "quota/bucket"
"""The setting that holds the Quota of new buckets."""
USERS = "quota/user/"
"""Begin of the settings that hold a UserQuota; the canonical id of the user follows."""
PREFIXES_MAX = 100
"""Prefixes of a bucket that are counted: every write compares its key with each."""
_KIND = {"bucket": "Bucket", "prefix": "Prefix", "user": "User"}

log = logging.getLogger("neve.quota")

Count = Annotated[int, msgspec.Meta(ge=0, le=2**60)]
Percent = Annotated[int, msgspec.Meta(ge=1, le=100)]
Prefix = Annotated[str, msgspec.Meta(min_length=1, max_length=1024)]


class Quota(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Limits of one holder."""

    bytes: Count | None = None
    objects: Count | None = None
    soft: Percent | None = None


class BucketQuota(Quota, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Limits of a bucket, and of prefixes of it; a prefix without limits is only counted."""

    prefixes: Annotated[dict[Prefix, Quota], msgspec.Meta(max_length=PREFIXES_MAX)] = {}


class UserQuota(Quota, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Limits of a user, over everything that is its own in all buckets."""

    name: str = ""
    """How messages call the user."""


class Used(NamedTuple):
    """What a holder has."""

    objects: int
    bytes: int


def check(quota: Quota, kind: str, name: str, used: Used, added: Used) -> None:
    """Raise QuotaExceeded when adding `added` to `used` grows over a limit.

    A write that does not grow passes even where the limit was lowered below what is there.
    """
    for unit, limit, has, more in (
        ("bytes", quota.bytes, used.bytes, added.bytes),
        ("objects", quota.objects, used.objects, added.objects),
    ):
        if limit is not None and more > 0 and has + more > limit:
            message = (
                f"{_KIND[kind]} quota exceeded: {name} may hold {limit} {unit}, {has} are used,"
                f" and this write would add {more}."
            )
            raise QuotaExceeded(
                message, Quota=kind, Holder=name, Unit=unit, Limit=limit, Used=has, Added=more
            )


def percent(quota: Quota, used: Used) -> int | None:
    """How much of its tightest limit a holder has used, rounded down; None without limits."""
    shares = [
        100 if not limit else 100 * has // limit
        for limit, has in ((quota.bytes, used.bytes), (quota.objects, used.objects))
        if limit is not None
    ]
    return max(shares, default=None)


def warns(quota: Quota, used: Used) -> bool:
    """Whether the holder is over its soft level."""
    share = percent(quota, used)
    return quota.soft is not None and share is not None and share >= quota.soft


def of_options(options: dict[str, Any]) -> BucketQuota | None:
    """The quota among a bucket's options. One that this release cannot read limits nothing."""
    stored = options.get(OPTION)
    if stored is None:
        return None
    try:
        return msgspec.convert(stored, BucketQuota)
    except msgspec.ValidationError as error:
        log.error("the quota %r of a bucket cannot be read and limits nothing: %s", stored, error)
        return None


@lru_cache(maxsize=4096)
def of_packed(options: bytes) -> BucketQuota | None:
    """The same of options as they stand in a bucket's row."""
    return of_options(msgspec.msgpack.decode(options)) if options else None


def with_quota(options: bytes, limits: BucketQuota | None) -> bytes:
    """Packed options of a bucket with this quota in the place of the old one; None: without."""
    fields: dict[str, Any] = msgspec.msgpack.decode(options) if options else {}
    fields.pop(OPTION, None)
    if limits is not None and plain(limits):
        fields[OPTION] = plain(limits)
    return msgspec.msgpack.encode(fields) if fields else b""


def with_default(options: bytes, default: bytes | None) -> bytes:
    """Packed options of a new bucket, with the default quota unless they bring one."""
    if default is None:
        return options
    fields: dict[str, Any] = msgspec.msgpack.decode(options) if options else {}
    return msgspec.msgpack.encode({OPTION: msgspec.msgpack.decode(default)} | fields)


def pack(limits: Quota) -> bytes:
    """A quota as a setting holds it."""
    return msgspec.msgpack.encode(limits)


def users_in(settings: list[tuple[str, bytes]]) -> dict[str, UserQuota]:
    """Canonical id → quota, of the settings under USERS."""
    decode = msgspec.msgpack.Decoder(UserQuota).decode
    return {name.removeprefix(USERS): decode(value) for name, value in settings}


def plain(limits: Quota) -> dict[str, Any]:
    """A quota as options, settings and JSON hold it; empty when it says nothing."""
    values: dict[str, Any] = msgspec.to_builtins(limits)
    return values

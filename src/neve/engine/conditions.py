"""Conditions of a write, checked inside its transaction against the object that is there then.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
"""

from typing import NamedTuple

from neve.catalog.catalog import ObjectRow
from neve.errors import NoSuchKey, PreconditionFailed


class Conditions(NamedTuple):
    """What must hold for a write to happen; None asks nothing."""

    if_match: str | None = None
    """An ETag without quotes, or `*` for any object."""
    if_none_match: str | None = None
    """`*`: no object may be there; an ETag: the object there must not have it."""
    if_size: int | None = None
    if_mtime_us: int | None = None
    """Compared by whole seconds, as HTTP dates have no finer ones."""


NO_CONDITIONS = Conditions()


def check_conditions(conditions: Conditions, old: ObjectRow | None) -> None:
    """Raise PreconditionFailed, or NoSuchKey when If-Match finds no object."""
    if conditions is NO_CONDITIONS:
        return
    match, none_match, size, mtime_us = conditions
    if none_match is not None and old is not None and none_match in ("*", old.etag):
        raise PreconditionFailed(Condition="If-None-Match")
    if match is None and size is None and mtime_us is None:
        return
    if old is None:
        raise NoSuchKey()
    if match is not None and match not in ("*", old.etag):
        raise PreconditionFailed(Condition="If-Match")
    if size is not None and size != old.size:
        raise PreconditionFailed(Condition="x-amz-if-match-size")
    if mtime_us is not None and mtime_us // 1_000_000 != old.mtime_us // 1_000_000:
        raise PreconditionFailed(Condition="x-amz-if-match-last-modified-time")

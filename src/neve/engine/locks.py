"""Object lock: until when a version may not be removed, and who may change that.

The lock of a version stands in its metadata, under the names of the headers that show it, so that
it is told in the version's record and comes back with a rebuild. It binds inside the transaction
that would remove the version or change its metadata, by the time of the transaction, for everybody
who asks: requests, lifecycle, root. Overwriting and deleting without a version id remove nothing in
a bucket with object lock, since its versioning stays enabled.

- COMPLIANCE: nobody removes the version or shortens its retention before its time.
- GOVERNANCE: whoever has s3:BypassGovernanceRetention may, when the request says so.
- A legal hold binds until it is taken off, whatever the retention.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec

from neve.engine.versions import LOCK
from neve.errors import ObjectLocked

GOVERNANCE = "GOVERNANCE"
COMPLIANCE = "COMPLIANCE"

MODE = "x-amz-object-lock-mode"
UNTIL = "x-amz-object-lock-retain-until-date"
HOLD = "x-amz-object-lock-legal-hold"
"""Names among the metadata of an object."""
NAMES = (MODE, UNTIL, HOLD)

_MARK = b"x-amz-object-lock-"
_decode = msgspec.msgpack.Decoder(dict[str, bytes]).decode


class Lock(NamedTuple):
    """What binds a version."""

    mode: str = ""
    """Empty: no retention."""
    until_us: int = 0
    hold: bool = False


UNLOCKED = Lock()


class Default(NamedTuple):
    """The retention that a bucket gives to new versions."""

    mode: str
    days: int | None
    years: int | None

    def until_us(self, now_us: int) -> int:
        """When the retention of a version written now ends."""
        if self.days is not None:
            return now_us + self.days * 86_400_000_000
        now = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now_us)
        year = now.year + (self.years or 0)
        try:
            then = now.replace(year=year)
        except ValueError:  # 29 February
            then = now.replace(year=year, month=3, day=1)
        return now_us + (then - now) // timedelta(microseconds=1)


def default_of(options: dict[str, Any]) -> Default | None:
    """The default retention among a bucket's options."""
    lock = options.get(LOCK)
    if not lock or "mode" not in lock:
        return None
    return Default(lock["mode"], lock.get("days"), lock.get("years"))


def option_of(default: Default | None) -> dict[str, Any]:
    """The option of a bucket with object lock."""
    option: dict[str, Any] = {"enabled": True}
    if default is not None:
        option |= {name: value for name, value in default._asdict().items() if value is not None}
    return option


def is_locked_text(meta: bytes) -> bool:
    """Whether packed metadata may hold a lock; never False for one that does."""
    return _MARK in meta


def lock_of(meta: bytes) -> Lock:
    """The lock in packed metadata."""
    if _MARK not in meta:
        return UNLOCKED
    fields = _decode(meta)
    mode, until = fields.get(MODE, b"").decode(), fields.get(UNTIL, b"").decode()
    hold = fields.get(HOLD) == b"ON"
    return Lock(mode, parse_date(until), hold) if mode else Lock("", 0, hold)


def parse_date(text: str) -> int:
    """Microseconds since 1970 of an ISO date. Raises: ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def format_date(at_us: int) -> str:
    """The ISO date of a time, rounded up to milliseconds: a retention never becomes shorter."""
    thousandths = -(-at_us // 1000)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=thousandths)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{thousandths % 1000:03}Z"


def check_removable(meta: bytes, now_us: int, *, bypass: bool) -> None:
    """Raise ObjectLocked unless the version may be removed now."""
    lock = lock_of(meta)
    if lock.hold or _binds(lock, now_us, bypass=bypass):
        raise ObjectLocked()


def check_change(old: bytes, new: bytes, now_us: int, *, bypass: bool) -> None:
    """Raise ObjectLocked if the new metadata take away of the old lock what still binds."""
    if _MARK not in old:
        return
    before, after = lock_of(old), lock_of(new)
    kept = after.mode == before.mode and after.until_us >= before.until_us
    if not kept and _binds(before, now_us, bypass=bypass):
        raise ObjectLocked()


def _binds(lock: Lock, now_us: int, *, bypass: bool) -> bool:
    """Whether the retention holds against this caller."""
    if not lock.mode or lock.until_us <= now_us:
        return False
    return lock.mode != GOVERNANCE or not bypass

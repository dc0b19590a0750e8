"""One entry of the audit log: its schema, and its form on a line.

Invariants: an entry is one JSON object on one line that ends with LF; the fields stand in the order
below, all of them, always; a change of meaning raises VERSION, a new field does not. No field holds
a signature, a secret or a body: who fills them chooses what goes in, never what stays out.
"""

from datetime import UTC, datetime
from typing import Any, Final, Literal

import msgspec

VERSION = 1

READ: Final = "read"
WRITE: Final = "write"
ADMIN: Final = "admin"

Category = Literal["read", "write", "admin"]


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What is written down of one action. The documentation's table has these rows."""

    version: int = VERSION
    """Of this schema."""
    time: str
    """When the action ended: UTC, RFC 3339 with microseconds."""
    request_id: str = ""
    """The client got it as `x-amz-request-id`; unique."""
    process: str = ""
    """Which process answered."""
    category: Category
    """`read`, `write` or `admin`."""
    operation: str
    """As S3 calls it; `Admin` and MinIO's name for administration; empty: not recognised."""
    principal_kind: str = "unknown"
    """`anonymous`, `root`, `user`; `unknown`: refused before anybody was recognised."""
    principal: str = ""
    """The name of the user; root's access key; empty for anonymous and unknown."""
    access_key: str = ""
    """The id of the key that signed; of an unknown principal, the one it claimed."""
    client: str = ""
    """Source address."""
    secure: bool = False
    """Whether it came over HTTPS."""
    method: str = ""
    """HTTP method."""
    bucket: str = ""
    """Bucket, or empty."""
    key: str = ""
    """Key, or empty."""
    version_id: str = ""
    """Version that was made, read or removed, where there are versions."""
    copy_source: str = ""
    """What a copy was made of, as the client wrote it."""
    objects: list[dict[str, Any]] = msgspec.field(default_factory=list)
    """DeleteObjects: `key`, `version_id`, `error` of each object."""
    arguments: dict[str, Any] = msgspec.field(default_factory=dict)
    """Administration: what the call names (users, policies, buckets, states …); no secrets."""
    status: int = 0
    """HTTP status of the answer."""
    error: str = ""
    """S3 error code, or empty."""
    allowed: bool | None = None
    """Whether it was allowed; null where nothing was decided, as for a bucket that is not there."""
    reason: str = ""
    """Why, as far as known: `root`, `bucket policy allows`, `nothing allows it` …"""
    policy: str = ""
    """The policy that decided, when one did: `bucket policy`, `policy` and its name …"""
    statement: str = ""
    """The statement that decided: its Sid, else `NO_ID-` and its place."""
    bytes_in: int = 0
    """Bytes of the request's body that were read."""
    bytes_out: int = 0
    """Bytes of the answer's body that were sent."""
    ms: float = 0.0
    """Time from the request's head to the end of the answer."""
    user_agent: str = ""
    """As the client states it."""


FIELDS = Entry.__struct_fields__

_encode = msgspec.json.Encoder().encode


def encode_line(entry: Entry) -> bytes:
    """Return the entry as a line."""
    return _encode(entry) + b"\n"


def stamp(seconds: float) -> str:
    """Return a time as an entry has it."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"

"""What the directory knows: users, groups, policies and access keys, and how each is stored.

Values only. Limits and words of refusals are MinIO's, because its tools show them.
Invariants: each kind is stored under a prefix of its own, by name; a secret is stored sealed,
beside the record and never in it; unknown fields of a record are ignored, absent ones have their
default.
"""

import re
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from neve.errors import (
    InvalidAccessKey,
    InvalidGroupName,
    InvalidIamArgument,
    InvalidPolicyName,
    InvalidSecretKey,
)
from neve.iam.keyring import Keyring

PREFIX = "iam/"
ACCESS_KEY_LENGTH_MIN, ACCESS_KEY_LENGTH_MAX = 3, 128
SECRET_KEY_LENGTH_MIN, SECRET_KEY_LENGTH_MAX = 8, 128
NAME_LENGTH_MAX = 128
KEY_NAME_LENGTH_MAX = 32
DESCRIPTION_LENGTH_MAX = 256

_KEY_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a secret. The name is the access key, as in MinIO."""

    name: str
    secret: str
    """Empty when it cannot be opened: then nobody can sign as this user."""
    enabled: bool = True
    policies: tuple[str, ...] = ()
    """Attached to the user itself, in order of attachment."""
    created_us: int = 0
    changed_us: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Users that share policies. A disabled group gives its members nothing."""

    name: str
    members: tuple[str, ...] = ()
    enabled: bool = True
    policies: tuple[str, ...] = ()
    changed_us: int = 0


@dataclass(frozen=True, slots=True)
class NamedPolicy:
    """A policy document that can be attached by its name."""

    name: str
    document: bytes
    created_us: int = 0
    changed_us: int = 0
    canned: bool = False
    """Given by Neve: it cannot be changed or removed."""


@dataclass(frozen=True, slots=True)
class AccessKey:
    """A further key of a user or of root (MinIO: service account). It can do what its parent can,
    and only what `policy` allows too, when there is one."""

    id: str
    secret: str
    parent: str
    """Name of the user, or root's access key."""
    of_root: bool = False
    name: str = ""
    description: str = ""
    expires_us: int = 0
    """0: never."""
    policy: bytes | None = None
    enabled: bool = True
    created_us: int = 0
    changed_us: int = 0


Item = User | Group | NamedPolicy | AccessKey
T = TypeVar("T", User, Group, NamedPolicy, AccessKey)

_PLACES: dict[type[Item], str] = {
    User: PREFIX + "user/",
    Group: PREFIX + "group/",
    NamedPolicy: PREFIX + "policy/",
    AccessKey: PREFIX + "key/",
}
_encode = msgspec.msgpack.Encoder().encode


def place_of(kind: type[Item], name: str = "") -> str:
    """Return the name of the setting that holds an item; without a name their prefix."""
    return _PLACES[kind] + name


def pack(item: Item, keyring: Keyring) -> bytes:
    """Return the stored form: msgpack, `[record, sealed secret or nil]`."""
    if isinstance(item, User | AccessKey):
        name = item.name if isinstance(item, User) else item.id
        sealed = keyring.seal(place_of(type(item), name), item.secret)
        return _encode((msgspec.Raw(_encode(replace(item, secret=""))), sealed))
    return _encode((msgspec.Raw(_encode(item)), None))


def unpack(kind: type[T], stored: bytes) -> tuple[T, bytes | None]:
    """Return the item, its secret empty, and the sealed secret. Raises: msgspec.DecodeError."""
    record, sealed = msgspec.msgpack.decode(stored, type=tuple[msgspec.Raw, bytes | None])
    return msgspec.msgpack.decode(record, type=kind), sealed


def resealed(place: str, stored: bytes, keyring: Keyring) -> bytes | None:
    """Return the stored form under the current key; None when it is that already, or has no secret.

    Raises: SecretUnreadable.
    """
    record, sealed = _parts(stored)
    if sealed is None or keyring.is_current(sealed):
        return None
    return _encode((record, keyring.seal(place, keyring.open(place, sealed))))


def is_sealed(stored: bytes) -> bool:
    """Whether there is a sealed secret in it."""
    return _parts(stored)[1] is not None


def _parts(stored: bytes) -> tuple[msgspec.Raw, bytes | None]:
    try:
        return msgspec.msgpack.decode(stored, type=tuple[msgspec.Raw, bytes | None])
    except msgspec.DecodeError:
        # Something of another release: what it seals, it must know itself.
        return msgspec.Raw(b""), None


def check_access_key(name: str) -> None:
    """Raise InvalidAccessKey unless a user or an access key may be called so."""
    right_length = ACCESS_KEY_LENGTH_MIN <= len(name) <= ACCESS_KEY_LENGTH_MAX
    if not right_length or not name.isascii() or not _is_plain(name, "=,/ "):
        raise InvalidAccessKey()


def check_secret(secret: str) -> None:
    """Raise InvalidSecretKey unless it can be a secret."""
    if not SECRET_KEY_LENGTH_MIN <= len(secret) <= SECRET_KEY_LENGTH_MAX:
        raise InvalidSecretKey()


def check_group_name(name: str) -> None:
    """Raise InvalidGroupName unless a group may be called so."""
    if not _is_name(name):
        raise InvalidGroupName()


def check_policy_name(name: str) -> None:
    """Raise InvalidPolicyName unless a policy may be called so."""
    if not _is_name(name):
        raise InvalidPolicyName()


def check_key_texts(name: str, description: str) -> None:
    """Raise InvalidIamArgument unless an access key may have this name and description."""
    if name and (len(name) > KEY_NAME_LENGTH_MAX or not _KEY_NAME.fullmatch(name)):
        raise InvalidIamArgument(
            "name must begin with a letter and have at most 32 letters, digits, hyphens and"
            " underscores"
        )
    if len(description) > DESCRIPTION_LENGTH_MAX:
        raise InvalidIamArgument("description must be at most 256 bytes long")


def _is_name(name: str) -> bool:
    return 0 < len(name) <= NAME_LENGTH_MAX and name == name.strip() and _is_plain(name, "=,")


def _is_plain(name: str, without: str) -> bool:
    return name.isprintable() and not any(sign in name for sign in without)

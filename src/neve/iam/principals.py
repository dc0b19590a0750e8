"""Who makes a request: the anonymous principal, the root of the store, a user.

A Principal is a value; it says who was authenticated, never what it may do.
Invariants: the canonical id is 64 hex digits and depends only on kind and (for users) name, so that
ownership survives a change of keys; all principals but the anonymous one are in one account.
"""

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

ACCOUNT = "000000000000"
"""The one account of a store, in AWS's form (12 digits), because tools check that form."""

Kind = Literal["anonymous", "root", "user"]


@dataclass(frozen=True, slots=True)
class Principal:
    """The caller of a request."""

    kind: Kind
    name: str
    """User name; the access key of root; empty for the anonymous principal."""
    arn: str
    canonical_id: str
    account: str

    @property
    def user_id(self) -> str:
        """The value of `aws:userid`."""
        if self.kind == "user":
            return "AIDA" + self.canonical_id[:16].upper()
        return self.account or "anonymous"

    @property
    def type(self) -> str:
        """The value of `aws:PrincipalType`."""
        return _TYPES[self.kind]


_TYPES = {"anonymous": "Anonymous", "root": "Account", "user": "User"}


def _canonical_id(identity: str) -> str:
    return sha256(b"neve canonical id\0" + identity.encode()).hexdigest()


ANONYMOUS = Principal("anonymous", "", "", _canonical_id("anonymous"), "")


def root_principal(access_key: str) -> Principal:
    """Return the root of the store. Its canonical id does not depend on the access key."""
    return Principal("root", access_key, f"arn:aws:iam::{ACCOUNT}:root", _ROOT_ID, ACCOUNT)


def user_principal(name: str) -> Principal:
    """Return the user called `name`."""
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    return Principal("user", name, arn, _canonical_id(f"user/{name}"), ACCOUNT)


_ROOT_ID = _canonical_id("root")

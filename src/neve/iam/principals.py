"""Who makes a request: the anonymous principal, the root of the store, a user.

A Principal is a value: who was authenticated, and the policies that are attached to it; what those
allow is `neve.iam.evaluate`'s to say.
Invariants: the canonical id is 64 hex digits and depends only on kind and (for users) name, so that
ownership survives a change of keys; all principals but the anonymous one are in one account.
"""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from neve.iam.policies import Rights

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
    rights: "Rights | None" = field(default=None, compare=False, repr=False)
    """What the policies of a user and its groups say; None for root and anonymous."""
    limit: "Rights | None" = field(default=None, compare=False, repr=False)
    """The policy of the access key that signed: nothing that it does not allow can be done."""
    groups: tuple[str, ...] = field(default=(), compare=False)
    is_unlimited: bool = field(default=False, compare=False)
    """Root without a `limit`: where no policy of a bucket can say otherwise, it may do anything."""

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


def root_principal(access_key: str, limit: "Rights | None" = None) -> Principal:
    """Return the root of the store. Its canonical id does not depend on the access key."""
    arn = f"arn:aws:iam::{ACCOUNT}:root"
    return Principal(
        "root", access_key, arn, _ROOT_ID, ACCOUNT, limit=limit, is_unlimited=limit is None
    )


def user_principal(
    name: str,
    rights: "Rights | None" = None,
    limit: "Rights | None" = None,
    groups: tuple[str, ...] = (),
) -> Principal:
    """Return the user called `name`."""
    arn = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    return Principal("user", name, arn, user_canonical_id(name), ACCOUNT, rights, limit, groups)


def user_canonical_id(name: str) -> str:
    """Return the canonical id of the user called `name`."""
    return _canonical_id(f"user/{name}")


_ROOT_ID = _canonical_id("root")

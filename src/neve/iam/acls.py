"""Access control lists: who was granted what on a bucket or an object, and what that allows.

Pure values and tables; where an ACL is stored and what a request says about one is `neve.s3`.
Source: "Access control list (ACL) overview", S3 User Guide. An ACL only ever allows: it is asked
after the policies, and only when they are silent. What a user owns it rules by its policies, so
that taking those away takes everything away: an ACL gives rights to others than its owner.
Invariants: an Acl never changes; a grantee is a canonical id or a name of `GROUPS`.
"""

from typing import NamedTuple

import msgspec

from neve.iam.actions import Target
from neve.iam.principals import Principal

READ, WRITE, READ_ACP, WRITE_ACP = "READ", "WRITE", "READ_ACP", "WRITE_ACP"
FULL_CONTROL = "FULL_CONTROL"
PERMISSIONS = frozenset((READ, WRITE, READ_ACP, WRITE_ACP, FULL_CONTROL))
GRANTS_MAX = 100

ALL_USERS, AUTHENTICATED_USERS = "AllUsers", "AuthenticatedUsers"
GROUPS = {
    ALL_USERS: "http://acs.amazonaws.com/groups/global/AllUsers",
    AUTHENTICATED_USERS: "http://acs.amazonaws.com/groups/global/AuthenticatedUsers",
}
"""Name → URI of the groups that grants can name."""

BUCKET_ACTIONS = {
    "s3:ListBucket": READ,
    "s3:ListBucketVersions": READ,
    "s3:ListBucketMultipartUploads": READ,
    "s3:PutObject": WRITE,
    "s3:DeleteObject": WRITE,
    "s3:AbortMultipartUpload": WRITE,
    "s3:ListMultipartUploadParts": WRITE,
    "s3:GetBucketAcl": READ_ACP,
    "s3:PutBucketAcl": WRITE_ACP,
}
"""Action → the permission on the bucket that allows it. No other action is in an ACL's gift."""

OBJECT_ACTIONS = {
    "s3:GetObject": READ,
    "s3:GetObjectVersion": READ,
    "s3:GetObjectAttributes": READ,
    "s3:GetObjectVersionAttributes": READ,
    "s3:GetObjectAcl": READ_ACP,
    "s3:GetObjectVersionAcl": READ_ACP,
    "s3:PutObjectAcl": WRITE_ACP,
    "s3:PutObjectVersionAcl": WRITE_ACP,
}
"""Action → the permission on the object that allows it."""

_GROUP_GRANTS: dict[str, tuple[tuple[str, str], ...]] = {
    "private": (),
    "public-read": ((ALL_USERS, READ),),
    "public-read-write": ((ALL_USERS, READ), (ALL_USERS, WRITE)),
    "authenticated-read": ((AUTHENTICATED_USERS, READ),),
    # The reader meant is AWS's own image service, which no store but AWS's has.
    "aws-exec-read": (),
    "bucket-owner-read": (),
    "bucket-owner-full-control": (),
}
_BUCKET_OWNER = {"bucket-owner-read": READ, "bucket-owner-full-control": FULL_CONTROL}


class Grant(NamedTuple):
    """One permission of one grantee."""

    grantee: str
    permission: str


class Acl(NamedTuple):
    """The owner of a bucket or an object, and what it granted."""

    owner: str
    """A canonical id."""
    grants: tuple[Grant, ...]

    @property
    def is_public(self) -> bool:
        """Whether a group is granted anything: what Block Public Access calls public."""
        return any(grant.grantee in GROUPS for grant in self.grants)

    def gives_only_to(self, *ids: str) -> bool:
        """Whether nobody but these canonical ids is granted anything."""
        return all(grant.grantee in ids for grant in self.grants)

    def allows(self, principal: Principal, permission: str, *, groups: bool = True) -> bool:
        """Whether the principal has the permission; without `groups`, by its own name only."""
        known = principal.kind != "anonymous"
        id = principal.canonical_id
        own = id == self.owner
        for grantee, granted in self.grants:
            if granted != permission and granted != FULL_CONTROL:
                continue
            if grantee == ALL_USERS:
                if groups:
                    return True
            elif not known:
                continue
            elif (grantee == id and not own) or (groups and grantee == AUTHENTICATED_USERS):
                return True
        return False


def private_acl(owner: str) -> Acl:
    """Return the ACL of what has none: full control for its owner."""
    return Acl(owner, (Grant(owner, FULL_CONTROL),))


def canned_acl(name: str, target: Target, owner: str, bucket_owner: str) -> Acl | None:
    """Return the ACL that AWS gave the name to; None when there is none of that name."""
    groups = _GROUP_GRANTS.get(name)
    if groups is None:
        return None
    # Groups first: clients that look the owner up at its place expect it behind them
    # (s3-tests: test_object_acl_canned_bucketownerread).
    grants = [Grant(*grant) for grant in groups]
    grants.append(Grant(owner, FULL_CONTROL))
    permission = _BUCKET_OWNER.get(name)
    # AWS: on a bucket the bucket-owner ACLs say nothing that does not hold anyway.
    if permission and target == "object" and bucket_owner != owner:
        grants.append(Grant(bucket_owner, permission))
    return Acl(owner, tuple(grants))


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Acl).decode
_unpacked: dict[bytes, Acl] = {}
_UNPACKED_MAX = 4096


def pack_acl(acl: Acl) -> bytes:
    """Return the stored form: msgpack, `[owner, [[grantee, permission], …]]`."""
    return _encode(acl)


def unpack_acl(packed: bytes) -> Acl:
    """The inverse of `pack_acl`. Raises: msgspec.DecodeError."""
    acl = _unpacked.get(packed)
    if acl is None:
        if len(_unpacked) >= _UNPACKED_MAX:
            _unpacked.clear()
        acl = _unpacked[packed] = _decode(packed)
    return acl

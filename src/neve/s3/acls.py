"""The ACLs of buckets and objects as they are stored, and what bucket settings make of them.

A bucket keeps its ACL, its object ownership and its public access block among its options, an
object keeps its ACL in its metadata. What is stored nowhere is private and belongs to the owner of
the bucket, so that a store without ACLs pays nothing for them.
"""

from typing import TYPE_CHECKING

from neve.iam.acls import BUCKET_ACTIONS, OBJECT_ACTIONS, Acl, private_acl, unpack_acl
from neve.iam.principals import Principal
from neve.s3.metadata import ACL, unpack

if TYPE_CHECKING:
    from neve.catalog.catalog import ObjectRow
    from neve.engine.bucket import Bucket

BUCKET_ACL = "acl"
"""Option of a bucket: its packed ACL."""
OWNERSHIP = "ownership"
"""Option of a bucket: one of `OWNERSHIPS`; absent counts as ObjectWriter, ACLs on."""
ACCESS_BLOCK = "public_access_block"
"""Option of a bucket: the names of `BLOCKS` that are on; absent means not configured."""

ENFORCED, PREFERRED = "BucketOwnerEnforced", "BucketOwnerPreferred"
OWNERSHIPS = (ENFORCED, PREFERRED, "ObjectWriter")

BLOCK_ACLS, IGNORE_ACLS = "BlockPublicAcls", "IgnorePublicAcls"
BLOCK_POLICY, RESTRICT = "BlockPublicPolicy", "RestrictPublicBuckets"
BLOCKS = (BLOCK_ACLS, IGNORE_ACLS, BLOCK_POLICY, RESTRICT)


def is_blocked(bucket: "Bucket", block: str) -> bool:
    """Say whether the bucket's public access block has this one on."""
    blocks = bucket.options.get(ACCESS_BLOCK)
    return blocks is not None and block in blocks


def acls_are_off(bucket: "Bucket") -> bool:
    """Say whether the owner of the bucket owns all that is in it, and ACLs count for nothing."""
    return bucket.options.get(OWNERSHIP) == ENFORCED


def bucket_acl(bucket: "Bucket") -> Acl:
    """Return the ACL of the bucket."""
    packed = bucket.options.get(BUCKET_ACL)
    if packed is None or acls_are_off(bucket):
        return private_acl(bucket.owner)
    return unpack_acl(packed)


def object_acl(bucket: "Bucket", meta: bytes) -> Acl:
    """Return the ACL of the object, or of the upload, whose stored metadata are `meta`."""
    packed = unpack(meta).get(ACL)
    if packed is None or acls_are_off(bucket):
        return private_acl(bucket.owner)
    return unpack_acl(packed)


def bucket_allows(bucket: "Bucket", principal: Principal, action: str) -> bool:
    """Say whether the ACL of the bucket lets the principal do the action."""
    permission = BUCKET_ACTIONS.get(action)
    if permission is None:
        return False
    if principal.kind == "anonymous" and BUCKET_ACL not in bucket.options:
        return False
    groups = not is_blocked(bucket, IGNORE_ACLS)
    return bucket_acl(bucket).allows(principal, permission, groups=groups)


def object_allows(bucket: "Bucket", row: "ObjectRow", principal: Principal, action: str) -> bool:
    """Say whether the ACL of the object lets the principal do the action."""
    permission = OBJECT_ACTIONS.get(action)
    if permission is None:
        return False
    groups = not is_blocked(bucket, IGNORE_ACLS)
    return object_acl(bucket, row.meta).allows(principal, permission, groups=groups)

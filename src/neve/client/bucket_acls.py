"""What limits or widens access to a bucket besides policies: ACL, ownership, public block."""

from collections.abc import Iterable
from typing import NamedTuple

from neve.client.s3 import S3
from neve.client.xml import document, element, parse

BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
OWNERSHIPS = ("BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter")
CANNED = ("private", "public-read", "public-read-write", "authenticated-read")


class Grant(NamedTuple):
    """What an ACL gives somebody."""

    grantee: str
    """A name, or `AllUsers` or `AuthenticatedUsers`."""
    permission: str


def acl(server: S3, bucket: str) -> list[Grant]:
    """What the ACL of the bucket gives."""
    body = server.get_setting(bucket, "acl", "read the ACL")
    found = parse(body or b"<AccessControlPolicy/>").find("AccessControlList")
    grants = []
    for node in found.all("Grant") if found else ():
        uri = node.text("Grantee", "URI").rpartition("/")[2]
        name = node.text("Grantee", "DisplayName") or node.text("Grantee", "ID")
        grants.append(Grant(uri or name, node.text("Permission")))
    return grants


def set_acl(server: S3, bucket: str, canned: str) -> None:
    """Replace the ACL by one of `CANNED`."""
    server.transport.request(
        "PUT", bucket, query={"acl": ""}, headers={"x-amz-acl": canned}, doing="change the ACL"
    )


def ownership(server: S3, bucket: str) -> str:
    """One of `OWNERSHIPS`, '' when nothing was said."""
    body = server.get_setting(bucket, "ownershipControls", "read who owns objects")
    return parse(body).text("Rule", "ObjectOwnership") if body else ""


def set_ownership(server: S3, bucket: str, wanted: str) -> None:
    """Say who owns what others write; '' says nothing."""
    if not wanted:
        server.delete_setting(bucket, "ownershipControls", "change who owns objects")
        return
    rule = element("Rule", [element("ObjectOwnership", wanted)])
    body = document("OwnershipControls", [rule])
    server.put_setting(bucket, "ownershipControls", body, "change who owns objects")


def blocks(server: S3, bucket: str) -> set[str]:
    """Which of `BLOCKS` are on."""
    body = server.get_setting(bucket, "publicAccessBlock", "read the block of public access")
    found = parse(body).texts() if body else {}
    return {name for name in BLOCKS if found.get(name) == "true"}


def set_blocks(server: S3, bucket: str, wanted: Iterable[str]) -> None:
    """Turn these of `BLOCKS` on and the others off."""
    on = set(wanted)
    if not on:
        server.delete_setting(bucket, "publicAccessBlock", "change the block of public access")
        return
    fields = [element(name, "true" if name in on else "false") for name in BLOCKS]
    body = document("PublicAccessBlockConfiguration", fields)
    server.put_setting(bucket, "publicAccessBlock", body, "change the block of public access")

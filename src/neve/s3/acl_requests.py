"""What requests say about ACLs: canned names, x-amz-grant-* headers, AccessControlPolicy documents.

Nothing is stored here. Whatever a request asks for has been checked when it is returned: its
grantees exist, and the caller may give what it gives.
"""

import re
from typing import TYPE_CHECKING

from neve.iam.acls import (
    FULL_CONTROL,
    GRANTS_MAX,
    GROUPS,
    PERMISSIONS,
    READ,
    READ_ACP,
    WRITE,
    WRITE_ACP,
    Acl,
    Grant,
    canned_acl,
    pack_acl,
    private_acl,
)
from neve.iam.actions import Target
from neve.s3 import rights
from neve.s3.acls import BLOCK_ACLS, ENFORCED, OWNERSHIP, PREFERRED, acls_are_off, is_blocked
from neve.s3.errors import S3Error
from neve.s3.listing import display_name, owner_xml
from neve.s3.response import Headers, Response, xml_response
from neve.s3.xml import Element, parse_xml

if TYPE_CHECKING:
    from neve.engine.bucket import Bucket
    from neve.s3.call import Call

ACL_BYTES_MAX = 64 << 10
CANNED = b"x-amz-acl"
_GRANTS = {
    b"x-amz-grant-read": READ,
    b"x-amz-grant-write": WRITE,
    b"x-amz-grant-read-acp": READ_ACP,
    b"x-amz-grant-write-acp": WRITE_ACP,
    b"x-amz-grant-full-control": FULL_CONTROL,
}
HEADERS = frozenset((CANNED, *_GRANTS))
# Possessive throughout: a header cannot make it try twice.
_GRANTEE = re.compile(r'\s*+([A-Za-z]++)\s*+=\s*+(?:"([^"]*+)"\s*+|([^",]*+))(?:,|$)')
_NAME_OF_URI = {uri: name for name, uri in GROUPS.items()}
_LOG_DELIVERY = "http://acs.amazonaws.com/groups/s3/LogDelivery"
_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def acl_response(acl: Acl, headers: Headers | None = None) -> Response:
    """Return the document of an ACL."""
    grants = "".join(
        f"<Grant>{_grantee_xml(grant.grantee)}<Permission>{grant.permission}</Permission></Grant>"
        for grant in acl.grants
    )
    inner = f"{owner_xml(acl.owner)}<AccessControlList>{grants}</AccessControlList>"
    return xml_response("AccessControlPolicy", inner, headers)


def _grantee_xml(grantee: str) -> str:
    uri = GROUPS.get(grantee)
    if uri is not None:
        return f'<Grantee {_XSI} xsi:type="Group"><URI>{uri}</URI></Grantee>'
    return (
        f'<Grantee {_XSI} xsi:type="CanonicalUser"><ID>{grantee}</ID>'
        f"<DisplayName>{display_name(grantee)}</DisplayName></Grantee>"
    )


def new_object_acl(call: "Call", headers: dict[bytes, bytes]) -> bytes | None:
    """Return the packed ACL of an object that the request writes; None when there is none to keep.

    `headers` are those of the request, or the fields of a form under their names.
    Raises: S3Error AccessControlListNotSupported, AccessDenied, InvalidArgument …
    """
    bucket, caller = call.bucket, call.caller
    owner = bucket.owner
    # What nobody in particular wrote belongs to the owner of the bucket.
    if caller.kind != "anonymous" and caller.canonical_id != owner and not acls_are_off(bucket):
        owner = caller.canonical_id
        given = headers.get(CANNED) == b"bucket-owner-full-control"
        if given and bucket.options.get(OWNERSHIP) == PREFERRED:
            owner = bucket.owner
    if HEADERS.isdisjoint(headers):
        return None if owner == bucket.owner else pack_acl(private_acl(owner))
    if acls_are_off(bucket):
        _check_enforced(headers)
        return None
    acl = header_acl(call, headers, "object", owner, bucket.owner)
    if acl is None:
        acl = private_acl(owner)
    check_block(bucket, acl)
    if not acl.gives_only_to(owner, bucket.owner) and not rights.may_give(call, bucket, call.key):
        raise S3Error("AccessDenied")
    return packed_or_none(acl, bucket.owner)


def packed_or_none(acl: Acl, bucket_owner: str) -> bytes | None:
    """Return what to store of an ACL: nothing when it is what holds without one."""
    return None if acl == private_acl(bucket_owner) else pack_acl(acl)


def _check_enforced(headers: dict[bytes, bytes]) -> None:
    """AWS: with ACLs off only the one that changes nothing is taken."""
    fine = headers.get(CANNED, b"") in (b"bucket-owner-full-control", b"")
    if not fine or any(name in headers for name in _GRANTS):
        raise S3Error("AccessControlListNotSupported")


def check_new_bucket(acl: Acl, ownership: str | None) -> None:
    """Raise S3Error when a bucket cannot have both."""
    if ownership == ENFORCED and acl != private_acl(acl.owner):
        raise S3Error("InvalidBucketAclWithObjectOwnership")


def check_block(bucket: "Bucket", acl: Acl) -> None:
    """Raise S3Error AccessDenied when the bucket takes no public ACLs and this is one."""
    if acl.is_public and is_blocked(bucket, BLOCK_ACLS):
        raise S3Error("AccessDenied")


async def replacing_acl(call: "Call", target: Target, owner: str) -> Acl:
    """Return the ACL that PutBucketAcl or PutObjectAcl sets, in headers or as a document.

    Raises: S3Error AccessControlListNotSupported, AccessDenied, MalformedACLError …
    """
    bucket = call.bucket
    if acls_are_off(bucket):
        raise S3Error("AccessControlListNotSupported")
    acl = header_acl(call, call.headers, target, owner, bucket.owner)
    body = await call.body(ACL_BYTES_MAX)
    if body.strip():
        if acl is not None:
            raise S3Error("UnexpectedContent", "This request does not support content.")
        acl = document_acl(call, body, owner)
    if acl is None:
        raise S3Error("MissingSecurityHeader", MissingHeaderName="x-amz-acl")
    check_block(bucket, acl)
    return acl


def header_acl(
    call: "Call", headers: dict[bytes, bytes], target: Target, owner: str, bucket_owner: str
) -> Acl | None:
    """Return the ACL that the headers describe; None when they describe none.

    Raises: S3Error InvalidRequest, InvalidArgument, NotImplemented, MalformedACLError.
    """
    canned = headers.get(CANNED, b"").decode("latin-1").strip()
    grants: list[Grant] = []
    explicit = False
    for name, permission in _GRANTS.items():
        value = headers.get(name)
        if value is not None:
            explicit = True
            grants += _parse_grantees(call, name.decode(), value.decode("latin-1"), permission)
    if canned and explicit:
        raise S3Error(
            "InvalidRequest", "Specifying both Canned ACLs and Header Grants is not allowed"
        )
    if explicit:
        return _acl(owner, grants)
    if not canned:
        return None
    if canned == "log-delivery-write":
        raise S3Error("NotImplemented", "Logs are not delivered to buckets.", Header="x-amz-acl")
    acl = canned_acl(canned, target, owner, bucket_owner)
    if acl is None:
        raise S3Error("InvalidArgument", ArgumentName="x-amz-acl", ArgumentValue=canned)
    return acl


def _acl(owner: str, grants: list[Grant]) -> Acl:
    if len(grants) > GRANTS_MAX:
        raise S3Error("MalformedACLError", f"An ACL can have at most {GRANTS_MAX} grants.")
    # Groups first, as in canned ACLs (s3-tests: test_put_bucket_acl_grant_group_read).
    return Acl(owner, tuple(sorted(dict.fromkeys(grants), key=lambda g: g.grantee not in GROUPS)))


def _parse_grantees(call: "Call", header: str, value: str, permission: str) -> list[Grant]:
    """Read `id="…", uri="…"`, the quotes being optional."""
    grants = []
    at = 0
    while at < len(value):
        found = _GRANTEE.match(value, at)
        if found is None or found.end() == at:
            raise S3Error(
                "InvalidArgument",
                "Argument format not recognized",
                ArgumentName=header,
                ArgumentValue=value,
            )
        at = found.end()
        text = found[2] if found[2] is not None else found[3].rstrip()
        grants.append(Grant(_grantee(call, found[1].lower(), text), permission))
    return grants


def _grantee(call: "Call", kind: str, text: str) -> str:
    """Return the grantee that is called `text`. Raises: S3Error."""
    if kind == "id":
        if not call.pipeline.known_canonical_id(text):
            raise S3Error(
                "InvalidArgument",
                "Invalid id",
                ArgumentName="CanonicalUser/ID",
                ArgumentValue=text,
            )
        return text
    if kind == "emailaddress":
        # Nobody here has an address.
        raise S3Error("UnresolvableGrantByEmailAddress")
    if text == _LOG_DELIVERY:
        raise S3Error("NotImplemented", "Logs are not delivered to buckets.")
    name = _NAME_OF_URI.get(text) if kind == "uri" else None
    if name is None:
        raise S3Error(
            "InvalidArgument", "Invalid group uri", ArgumentName="Group/URI", ArgumentValue=text
        )
    return name


def document_acl(call: "Call", body: bytes, owner: str) -> Acl:
    """Return the ACL that an AccessControlPolicy describes, which must name `owner` as the owner.

    Raises: S3Error MalformedACLError, AccessDenied, InvalidArgument …
    """
    try:
        root = parse_xml(body, "AccessControlPolicy")
    except S3Error as error:
        raise S3Error("MalformedACLError") from error
    named, grants = root.find("Owner"), root.find("AccessControlList")
    if named is None or grants is None or not named.value("ID"):
        raise S3Error("MalformedACLError")
    if named.value("ID") != owner:
        raise S3Error("AccessDenied")
    return _acl(owner, [_document_grant(call, element) for element in grants.children])


def _document_grant(call: "Call", element: Element) -> Grant:
    grantee, permission = element.find("Grantee"), element.value("Permission")
    if element.name != "Grant" or grantee is None or permission not in PERMISSIONS:
        raise S3Error("MalformedACLError")
    # The child says which type it is, as xsi:type must say too.
    kinds = [
        (kind, text)
        for kind in ("ID", "URI", "EmailAddress")
        if (text := grantee.value(kind)) is not None
    ]
    if len(kinds) != 1:
        raise S3Error("MalformedACLError")
    kind, text = kinds[0]
    return Grant(_grantee(call, kind.lower(), text), permission)

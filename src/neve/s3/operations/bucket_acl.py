"""GetBucketAcl, PutBucketAcl: the one ACL there is, full control for the owner.

Access is given by policies; ACLs are off, as on AWS with BucketOwnerEnforced. Setting an ACL that
gives more is refused with AccessControlListNotSupported.
"""

from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.listing import display_name, owner_xml
from neve.s3.metadata import check_acl
from neve.s3.response import Response, xml_response
from neve.s3.xml import Element, parse_xml

ACL_BYTES_MAX = 64 << 10
_XSI = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'


def owner_acl(owner: str) -> Response:
    """Return the ACL that gives `owner`, and nobody else, full control."""
    grantee = f"<ID>{owner}</ID><DisplayName>{display_name(owner)}</DisplayName>"
    inner = (
        f"{owner_xml(owner)}<AccessControlList><Grant>"
        f'<Grantee {_XSI} xsi:type="CanonicalUser">{grantee}</Grantee>'
        "<Permission>FULL_CONTROL</Permission></Grant></AccessControlList>"
    )
    return xml_response("AccessControlPolicy", inner)


def get_bucket_acl(call: Call) -> Response:
    """Return the ACL of the bucket."""
    return owner_acl(call.bucket.owner)


async def put_bucket_acl(call: Call) -> Response:
    """Accept the ACL that the bucket has anyway; refuse any other."""
    await check_new_acl(call)
    return Response(200, [])


async def check_new_acl(call: Call) -> None:
    """Raise S3Error AccessControlListNotSupported unless the ACL sent is the owner's."""
    check_acl(call.headers)
    body = await call.body(ACL_BYTES_MAX)
    if body.strip():
        acl = parse_xml(body, "AccessControlPolicy")
        grants = acl.find("AccessControlList")
        if grants is None:
            raise S3Error("MalformedXML")
        if not all(_is_owner(grant, call.bucket.owner) for grant in grants.children):
            raise S3Error("AccessControlListNotSupported")


def _is_owner(grant: Element, owner: str) -> bool:
    grantee = grant.find("Grantee")
    return (
        grantee is not None
        and grantee.value("ID") == owner
        and grant.value("Permission") == "FULL_CONTROL"
    )

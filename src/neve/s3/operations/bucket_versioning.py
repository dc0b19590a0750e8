"""GetBucketVersioning, PutBucketVersioning: whether writes keep what was there before.

Supported: Status; MinIO's ExcludedPrefixes (up to ten, with the wildcards `*` and `?`) and
ExcludeFolders: what matches is written as if versioning was suspended. Refused: MfaDelete=Enabled
(NotImplemented), Suspended for a bucket with object lock (InvalidBucketState).
"""

from neve.engine.versions import ENABLED, SUSPENDED, Versioning
from neve.s3.call import Call
from neve.s3.errors import S3Error
from neve.s3.response import Response, xml_response
from neve.s3.xml import Element, escape, parse_xml

DOCUMENT_BYTES_MAX = 64 << 10
PREFIXES_MAX = 10


def get_bucket_versioning(call: Call) -> Response:
    """Return the state; empty for a bucket that was never versioned."""
    versioning = call.bucket.versioning
    if versioning is None:
        return xml_response("VersioningConfiguration", "")
    inner = f"<Status>{versioning.state}</Status>"
    if versioning.exclude_folders:
        inner += "<ExcludeFolders>true</ExcludeFolders>"
    for prefix in versioning.excluded:
        inner += f"<ExcludedPrefixes><Prefix>{escape(prefix)}</Prefix></ExcludedPrefixes>"
    return xml_response("VersioningConfiguration", inner)


async def put_bucket_versioning(call: Call) -> Response:
    """Enable or suspend versioning."""
    root = parse_xml(await call.body(DOCUMENT_BYTES_MAX), "VersioningConfiguration")
    await call.engine.set_versioning(call.bucket.name, _parse(root))
    return Response(200, [])


def _parse(root: Element) -> Versioning:
    """Raises: S3Error IllegalVersioningConfigurationException, NotImplemented."""
    mfa = root.value("MfaDelete")
    if mfa not in (None, "Disabled"):
        raise S3Error("NotImplemented", "MFA delete is not implemented.")
    state = root.value("Status")
    if state not in (ENABLED, SUSPENDED):
        raise S3Error("IllegalVersioningConfigurationException")
    prefixes = tuple(each.value("Prefix") or "" for each in root.all("ExcludedPrefixes"))
    folders = (root.value("ExcludeFolders") or "").lower() == "true"
    if len(prefixes) > PREFIXES_MAX or "" in prefixes:
        message = f"There may be up to {PREFIXES_MAX} excluded prefixes, none of them empty."
        raise S3Error("IllegalVersioningConfigurationException", message)
    if state == SUSPENDED and (prefixes or folders):
        message = "Prefixes can be excluded only while versioning is enabled."
        raise S3Error("IllegalVersioningConfigurationException", message)
    return Versioning(state, prefixes, folders)

"""The route table: every S3 operation, how a request names it, and which module answers it.

The table is data. A row without a module is an operation that is known and answers NotImplemented.
A request names an operation by method, target (service, bucket, object) and at most one
sub-resource of its query; `also` lists what more must be there (`?name` in the query, `name` among
the headers). Unknown query fields are ignored, as AWS does.
"""

from typing import NamedTuple

SERVICE, BUCKET, OBJECT = "service", "bucket", "object"


class Route(NamedTuple):
    """How one operation is recognised, and the module of `neve.s3.operations` that answers it."""

    operation: str
    method: str
    target: str
    resource: str = ""
    """The sub-resource: a field of the query."""
    module: str = ""
    also: tuple[str, ...] = ()
    """`?name` or `?name=value`: a further field of the query; `name`: a header."""


def _plain() -> tuple[Route, ...]:
    """Operations that no sub-resource names."""
    return (
        Route("ListBuckets", "GET", SERVICE, "", "list_buckets"),
        Route("ListDirectoryBuckets", "GET", SERVICE, "", "", ("?x-id=ListDirectoryBuckets",)),
        Route("ListenNotification", "GET", SERVICE, "events"),
        Route("GetStoreQuota", "GET", SERVICE, "neve-quota", "store_quota"),
        Route("PutStoreQuota", "PUT", SERVICE, "neve-quota", "store_quota"),
        Route("GetStoreUsage", "GET", SERVICE, "neve-usage", "store_quota"),
        Route("CreateBucket", "PUT", BUCKET, "", "create_bucket"),
        Route("HeadBucket", "HEAD", BUCKET, "", "head_bucket"),
        Route("DeleteBucket", "DELETE", BUCKET, "", "delete_bucket"),
        Route("ListObjects", "GET", BUCKET, "", "list_objects"),
        Route("PostObject", "POST", BUCKET, "", "post_object"),
        Route("WriteGetObjectResponse", "POST", BUCKET, "", "", ("x-amz-request-route",)),
        Route("GetObject", "GET", OBJECT, "", "get_object"),
        Route("HeadObject", "HEAD", OBJECT, "", "head_object"),
        Route("PutObject", "PUT", OBJECT, "", "put_object"),
        Route("CopyObject", "PUT", OBJECT, "", "copy_object", ("x-amz-copy-source",)),
        Route("DeleteObject", "DELETE", OBJECT, "", "delete_object"),
    )


def _data() -> tuple[Route, ...]:
    """Operations on objects, uploads and listings that a sub-resource names."""
    part = ("?partNumber",)
    return (
        Route("ListObjectsV2", "GET", BUCKET, "list-type", "list_objects_v2", ("?list-type=2",)),
        Route("ListObjectVersions", "GET", BUCKET, "versions", "list_object_versions"),
        Route("ListMultipartUploads", "GET", BUCKET, "uploads", "list_multipart_uploads"),
        Route("DeleteObjects", "POST", BUCKET, "delete", "delete_objects"),
        Route("CreateSession", "GET", BUCKET, "session"),
        Route("GetObjectAttributes", "GET", OBJECT, "attributes", "get_object_attributes"),
        Route("CreateMultipartUpload", "POST", OBJECT, "uploads", "create_multipart_upload"),
        Route("UploadPart", "PUT", OBJECT, "uploadId", "upload_part", part),
        Route(
            "UploadPartCopy",
            "PUT",
            OBJECT,
            "uploadId",
            "upload_part_copy",
            ("?partNumber", "x-amz-copy-source"),
        ),
        Route("CompleteMultipartUpload", "POST", OBJECT, "uploadId", "complete_multipart_upload"),
        Route("AbortMultipartUpload", "DELETE", OBJECT, "uploadId", "abort_multipart_upload"),
        Route("ListParts", "GET", OBJECT, "uploadId", "list_parts"),
        Route("GetObjectAcl", "GET", OBJECT, "acl", "object_acl"),
        Route("PutObjectAcl", "PUT", OBJECT, "acl", "object_acl"),
        Route("GetObjectTagging", "GET", OBJECT, "tagging", "object_tagging"),
        Route("PutObjectTagging", "PUT", OBJECT, "tagging", "object_tagging"),
        Route("DeleteObjectTagging", "DELETE", OBJECT, "tagging", "object_tagging"),
        Route("GetObjectLegalHold", "GET", OBJECT, "legal-hold", "object_lock"),
        Route("PutObjectLegalHold", "PUT", OBJECT, "legal-hold", "object_lock"),
        Route("GetObjectRetention", "GET", OBJECT, "retention", "object_lock"),
        Route("PutObjectRetention", "PUT", OBJECT, "retention", "object_lock"),
        Route("GetObjectTorrent", "GET", OBJECT, "torrent"),
        Route("RestoreObject", "POST", OBJECT, "restore"),
        Route("SelectObjectContent", "POST", OBJECT, "select"),
        Route("RenameObject", "PUT", OBJECT, "renameObject"),
        Route("UpdateObjectEncryption", "PUT", OBJECT, "encryption"),
        Route("GetObjectAnnotation", "GET", OBJECT, "annotation", "", ("?annotationName",)),
        Route("PutObjectAnnotation", "PUT", OBJECT, "annotation"),
        Route("DeleteObjectAnnotation", "DELETE", OBJECT, "annotation"),
        Route("ListObjectAnnotations", "GET", OBJECT, "annotation"),
    )


def _configuration() -> tuple[Route, ...]:
    """Operations on what a bucket is told."""
    return (
        Route("GetBucketLocation", "GET", BUCKET, "location", "get_bucket_location"),
        Route("GetBucketPolicy", "GET", BUCKET, "policy", "bucket_policy"),
        Route("PutBucketPolicy", "PUT", BUCKET, "policy", "bucket_policy"),
        Route("DeleteBucketPolicy", "DELETE", BUCKET, "policy", "bucket_policy"),
        Route("GetBucketPolicyStatus", "GET", BUCKET, "policyStatus", "bucket_policy"),
        Route("GetBucketOptions", "GET", BUCKET, "neve-options", "bucket_options"),
        Route("PutBucketOptions", "PUT", BUCKET, "neve-options", "bucket_options"),
        Route("GetBucketQuota", "GET", BUCKET, "neve-quota", "bucket_quota"),
        Route("PutBucketQuota", "PUT", BUCKET, "neve-quota", "bucket_quota"),
        Route("GetBucketUsage", "GET", BUCKET, "neve-usage", "bucket_quota"),
        Route("GetBucketAcl", "GET", BUCKET, "acl", "bucket_acl"),
        Route("PutBucketAcl", "PUT", BUCKET, "acl", "bucket_acl"),
        Route("GetBucketVersioning", "GET", BUCKET, "versioning", "bucket_versioning"),
        Route("PutBucketVersioning", "PUT", BUCKET, "versioning", "bucket_versioning"),
        Route("GetBucketTagging", "GET", BUCKET, "tagging", "bucket_tagging"),
        Route("PutBucketTagging", "PUT", BUCKET, "tagging", "bucket_tagging"),
        Route("DeleteBucketTagging", "DELETE", BUCKET, "tagging", "bucket_tagging"),
        Route("GetBucketLifecycleConfiguration", "GET", BUCKET, "lifecycle", "bucket_lifecycle"),
        Route("PutBucketLifecycleConfiguration", "PUT", BUCKET, "lifecycle", "bucket_lifecycle"),
        Route("DeleteBucketLifecycle", "DELETE", BUCKET, "lifecycle", "bucket_lifecycle"),
        Route("GetBucketCors", "GET", BUCKET, "cors", "bucket_cors"),
        Route("PutBucketCors", "PUT", BUCKET, "cors", "bucket_cors"),
        Route("DeleteBucketCors", "DELETE", BUCKET, "cors", "bucket_cors"),
        Route("GetBucketEncryption", "GET", BUCKET, "encryption", "unconfigured"),
        Route("PutBucketEncryption", "PUT", BUCKET, "encryption"),
        Route("DeleteBucketEncryption", "DELETE", BUCKET, "encryption", "unconfigured"),
        Route(
            "GetObjectLockConfiguration",
            "GET",
            BUCKET,
            "object-lock",
            "object_lock_configuration",
        ),
        Route(
            "PutObjectLockConfiguration",
            "PUT",
            BUCKET,
            "object-lock",
            "object_lock_configuration",
        ),
        Route("GetPublicAccessBlock", "GET", BUCKET, "publicAccessBlock", "public_access_block"),
        Route("PutPublicAccessBlock", "PUT", BUCKET, "publicAccessBlock", "public_access_block"),
        Route(
            "DeletePublicAccessBlock", "DELETE", BUCKET, "publicAccessBlock", "public_access_block"
        ),
        Route("GetBucketOwnershipControls", "GET", BUCKET, "ownershipControls", "bucket_ownership"),
        Route("PutBucketOwnershipControls", "PUT", BUCKET, "ownershipControls", "bucket_ownership"),
        Route(
            "DeleteBucketOwnershipControls",
            "DELETE",
            BUCKET,
            "ownershipControls",
            "bucket_ownership",
        ),
        Route("GetBucketReplication", "GET", BUCKET, "replication", "unconfigured"),
        Route("PutBucketReplication", "PUT", BUCKET, "replication"),
        Route("DeleteBucketReplication", "DELETE", BUCKET, "replication", "unconfigured"),
        Route("GetBucketWebsite", "GET", BUCKET, "website", "unconfigured"),
        Route("PutBucketWebsite", "PUT", BUCKET, "website"),
        Route("DeleteBucketWebsite", "DELETE", BUCKET, "website", "unconfigured"),
        Route("GetBucketRequestPayment", "GET", BUCKET, "requestPayment", "unconfigured"),
        Route("PutBucketRequestPayment", "PUT", BUCKET, "requestPayment"),
        Route("GetBucketLogging", "GET", BUCKET, "logging", "unconfigured"),
        Route("PutBucketLogging", "PUT", BUCKET, "logging"),
        Route("GetBucketNotificationConfiguration", "GET", BUCKET, "notification", "unconfigured"),
        Route("PutBucketNotificationConfiguration", "PUT", BUCKET, "notification"),
        Route("ListenBucketNotification", "GET", BUCKET, "events"),
        Route("GetBucketAccelerateConfiguration", "GET", BUCKET, "accelerate", "unconfigured"),
        Route("PutBucketAccelerateConfiguration", "PUT", BUCKET, "accelerate"),
        *_reports(),
    )


def _reports() -> tuple[Route, ...]:
    """AWS's own services around a bucket: known by name, none implemented."""
    rows = []
    for noun, resource in (
        ("Analytics", "analytics"),
        ("IntelligentTiering", "intelligent-tiering"),
        ("Inventory", "inventory"),
        ("Metrics", "metrics"),
    ):
        name = f"Bucket{noun}Configuration"
        rows += [
            Route(f"Get{name}", "GET", BUCKET, resource, "", ("?id",)),
            Route(f"List{name}s", "GET", BUCKET, resource),
            Route(f"Put{name}", "PUT", BUCKET, resource),
            Route(f"Delete{name}", "DELETE", BUCKET, resource),
        ]
    for name in ("Metadata", "MetadataTable"):
        resource = name[0].lower() + name[1:] + ("Configuration" if name == "Metadata" else "")
        rows += [
            Route(f"CreateBucket{name}Configuration", "POST", BUCKET, resource),
            Route(f"GetBucket{name}Configuration", "GET", BUCKET, resource),
            Route(f"DeleteBucket{name}Configuration", "DELETE", BUCKET, resource),
        ]
    for name in ("Annotation", "Inventory", "Journal"):
        operation = f"UpdateBucketMetadata{name}TableConfiguration"
        rows.append(Route(operation, "PUT", BUCKET, f"metadata{name}Table"))
    rows += [
        Route("GetBucketAbac", "GET", BUCKET, "abac"),
        Route("PutBucketAbac", "PUT", BUCKET, "abac"),
    ]
    return tuple(rows)


ROUTES: tuple[Route, ...] = (*_plain(), *_data(), *_configuration())

ALIASES = {
    "GetBucketLifecycle": "GetBucketLifecycleConfiguration",
    "PutBucketLifecycle": "PutBucketLifecycleConfiguration",
    "GetBucketNotification": "GetBucketNotificationConfiguration",
    "PutBucketNotification": "PutBucketNotificationConfiguration",
}
"""Deprecated names of the SDKs for what is the same request on the wire."""

PREFLIGHT = Route("PreflightRequest", "OPTIONS", BUCKET, "", "preflight")
"""Any OPTIONS request: a browser asks before it sends the real one."""

_Key = tuple[str, str, str]


def _index() -> dict[_Key, list[Route]]:
    """(method, target, resource) → its routes, those that ask for more first."""
    index: dict[_Key, list[Route]] = {}
    for route in ROUTES:
        index.setdefault((route.method, route.target, route.resource), []).append(route)
    for routes in index.values():
        routes.sort(key=lambda route: -len(route.also))
    return index


_INDEX = _index()
_RESOURCES = {
    target: frozenset(
        route.resource for route in ROUTES if route.target == target and route.resource
    )
    for target in (SERVICE, BUCKET, OBJECT)
}
_METHODS = {
    target: frozenset(route.method for route in ROUTES if route.target == target)
    for target in (SERVICE, BUCKET, OBJECT)
}


def _has(also: str, query: dict[str, str], headers: dict[bytes, bytes]) -> bool:
    if also[0] != "?":
        return also.encode() in headers
    name, equals, value = also[1:].partition("=")
    return name in query and (not equals or query[name] == value)


def find_route(
    method: str, target: str, query: dict[str, str], headers: dict[bytes, bytes]
) -> Route | None:
    """Return the operation that the request names; None when S3 has none for the method."""
    if method == "OPTIONS":
        return PREFLIGHT
    resource = ""
    if query:
        known = _RESOURCES[target]
        for name in query:
            if name in known:
                resource = name
                break
    routes = _INDEX.get((method, target, resource))
    if routes is None:
        return None
    for route in routes:
        if not route.also or all(_has(also, query, headers) for also in route.also):
            return route
    # A sub-resource whose companions are missing: `?list-type=1` or `?uploadId` without a part.
    plain = _INDEX.get((method, target, ""))
    return plain[-1] if plain and method == "GET" else None

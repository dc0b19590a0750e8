"""The actions of the policy language, and which of them each S3 operation needs on which resource.

Two tables and nothing else: `ACTIONS` (every action a policy may name, and what it applies to) and
`OPERATIONS` (every S3 operation, named as in boto3, and the permission it asks for).
Sources: "Actions, resources, and condition keys for Amazon S3" (Service Authorization Reference)
and "Required permissions for Amazon S3 API operations" (S3 User Guide).

Invariant: every action that `OPERATIONS` asks for is in `ACTIONS`, with the same target.
"""

from typing import Literal, NamedTuple

Target = Literal["service", "bucket", "object"]

_SERVICE = """
    ListAllMyBuckets GetAccountPublicAccessBlock PutAccountPublicAccessBlock
    CreateJob DescribeJob ListJobs UpdateJobPriority UpdateJobStatus GetJobTagging PutJobTagging
    DeleteJobTagging CreateAccessPoint DeleteAccessPoint GetAccessPoint ListAccessPoints
    GetAccessPointPolicy PutAccessPointPolicy DeleteAccessPointPolicy GetAccessPointPolicyStatus
    PutAccessPointPublicAccessBlock CreateMultiRegionAccessPoint DeleteMultiRegionAccessPoint
    GetMultiRegionAccessPoint ListMultiRegionAccessPoints GetStorageLensConfiguration
    PutStorageLensConfiguration DeleteStorageLensConfiguration ListStorageLensConfigurations
    GetStorageLensDashboard ListenNotification
"""

_BUCKET = """
    CreateBucket DeleteBucket ListBucket ListBucketVersions ListBucketMultipartUploads
    GetAccelerateConfiguration PutAccelerateConfiguration GetAnalyticsConfiguration
    PutAnalyticsConfiguration GetBucketABAC PutBucketABAC GetBucketAcl PutBucketAcl GetBucketCORS
    PutBucketCORS GetBucketLocation GetBucketLogging PutBucketLogging GetBucketNotification
    PutBucketNotification GetBucketObjectLockConfiguration PutBucketObjectLockConfiguration
    GetBucketOwnershipControls PutBucketOwnershipControls GetBucketPolicy PutBucketPolicy
    DeleteBucketPolicy GetBucketPolicyStatus GetBucketPublicAccessBlock PutBucketPublicAccessBlock
    GetBucketRequestPayment PutBucketRequestPayment GetBucketTagging PutBucketTagging
    GetBucketVersioning PutBucketVersioning GetBucketWebsite PutBucketWebsite DeleteBucketWebsite
    GetEncryptionConfiguration PutEncryptionConfiguration GetIntelligentTieringConfiguration
    PutIntelligentTieringConfiguration GetInventoryConfiguration PutInventoryConfiguration
    GetLifecycleConfiguration PutLifecycleConfiguration GetMetricsConfiguration
    PutMetricsConfiguration GetReplicationConfiguration PutReplicationConfiguration
    CreateBucketMetadataTableConfiguration DeleteBucketMetadataTableConfiguration
    GetBucketMetadataTableConfiguration UpdateBucketMetadataAnnotationTableConfiguration
    UpdateBucketMetadataInventoryTableConfiguration UpdateBucketMetadataJournalTableConfiguration
    PauseReplication TagResource UntagResource ListTagsForResource CreateSession
    ForceDeleteBucket ListenBucketNotification ResetBucketReplicationState
"""

_OBJECT = """
    GetObject GetObjectVersion GetObjectAcl GetObjectVersionAcl GetObjectAttributes
    GetObjectVersionAttributes GetObjectLegalHold GetObjectRetention GetObjectTagging
    GetObjectVersionTagging GetObjectTorrent GetObjectVersionTorrent GetObjectVersionForReplication
    PutObject PutObjectAcl PutObjectVersionAcl PutObjectLegalHold PutObjectRetention
    PutObjectTagging PutObjectVersionTagging DeleteObject DeleteObjectVersion DeleteObjectTagging
    DeleteObjectVersionTagging AbortMultipartUpload ListMultipartUploadParts RestoreObject
    BypassGovernanceRetention ObjectOwnerOverrideToBucketOwner ReplicateObject ReplicateDelete
    ReplicateTags InitiateReplication UpdateObjectEncryption GetObjectAnnotation
    PutObjectAnnotation DeleteObjectAnnotation ListObjectAnnotations SelectObjectContent
    PutObjectFanOut
"""

_TARGETS: dict[Target, str] = {"service": _SERVICE, "bucket": _BUCKET, "object": _OBJECT}

ACTIONS: dict[str, Target] = {
    f"s3:{name}": target for target, names in _TARGETS.items() for name in names.split()
}
"""Action → what it applies to. A few are MinIO's own (`s3:ForceDeleteBucket` …)."""


class Permission(NamedTuple):
    """What an operation needs before it may run."""

    action: str
    target: Target
    versioned: str = ""
    """The action asked for instead when the request names a versionId."""
    source: str = ""
    """The action needed on the source object of a copy (`s3:GetObjectVersion` with a versionId)."""


def _bucket(name: str) -> Permission:
    return Permission(f"s3:{name}", "bucket")


def _object(name: str, versioned: str = "", source: str = "") -> Permission:
    return Permission(
        f"s3:{name}", "object", versioned and f"s3:{versioned}", source and f"s3:{source}"
    )


_OBJECT_OPERATIONS = {
    "AbortMultipartUpload": _object("AbortMultipartUpload"),
    "CompleteMultipartUpload": _object("PutObject"),
    "CopyObject": _object("PutObject", source="GetObject"),
    "CreateMultipartUpload": _object("PutObject"),
    "DeleteObject": _object("DeleteObject", "DeleteObjectVersion"),
    "DeleteObjectAnnotation": _object("DeleteObjectAnnotation"),
    "DeleteObjectTagging": _object("DeleteObjectTagging", "DeleteObjectVersionTagging"),
    # Asked once for each key in the body, not for the bucket.
    "DeleteObjects": _object("DeleteObject", "DeleteObjectVersion"),
    "GetObject": _object("GetObject", "GetObjectVersion"),
    "GetObjectAcl": _object("GetObjectAcl", "GetObjectVersionAcl"),
    "GetObjectAnnotation": _object("GetObjectAnnotation"),
    # AWS: needs s3:GetObject as well (API_GetObjectAttributes); see `more_actions`.
    "GetObjectAttributes": _object("GetObjectAttributes", "GetObjectVersionAttributes"),
    "GetObjectLegalHold": _object("GetObjectLegalHold"),
    "GetObjectRetention": _object("GetObjectRetention"),
    "GetObjectTagging": _object("GetObjectTagging", "GetObjectVersionTagging"),
    "GetObjectTorrent": _object("GetObjectTorrent", "GetObjectVersionTorrent"),
    # HEAD is allowed where GET is.
    "HeadObject": _object("GetObject", "GetObjectVersion"),
    "ListObjectAnnotations": _object("ListObjectAnnotations"),
    "ListParts": _object("ListMultipartUploadParts"),
    "PostObject": _object("PutObject"),
    "PutObject": _object("PutObject"),
    "PutObjectAcl": _object("PutObjectAcl", "PutObjectVersionAcl"),
    "PutObjectAnnotation": _object("PutObjectAnnotation"),
    "PutObjectLegalHold": _object("PutObjectLegalHold"),
    "PutObjectRetention": _object("PutObjectRetention"),
    "PutObjectTagging": _object("PutObjectTagging", "PutObjectVersionTagging"),
    "RenameObject": _object("PutObject", source="GetObject"),
    "RestoreObject": _object("RestoreObject"),
    "SelectObjectContent": _object("GetObject"),
    "UpdateObjectEncryption": _object("UpdateObjectEncryption"),
    "UploadPart": _object("PutObject"),
    "UploadPartCopy": _object("PutObject", source="GetObject"),
    "WriteGetObjectResponse": _object("GetObject"),
}

_BUCKET_OPERATIONS = {
    "CreateBucketMetadataConfiguration": "CreateBucketMetadataTableConfiguration",
    "CreateBucketMetadataTableConfiguration": "CreateBucketMetadataTableConfiguration",
    "CreateBucket": "CreateBucket",
    "CreateSession": "CreateSession",
    "DeleteBucket": "DeleteBucket",
    "DeleteBucketAnalyticsConfiguration": "PutAnalyticsConfiguration",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
    "DeleteBucketInventoryConfiguration": "PutInventoryConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "DeleteBucketMetadataConfiguration": "DeleteBucketMetadataTableConfiguration",
    "DeleteBucketMetadataTableConfiguration": "DeleteBucketMetadataTableConfiguration",
    "DeleteBucketMetricsConfiguration": "PutMetricsConfiguration",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
    "DeleteBucketPolicy": "DeleteBucketPolicy",
    "DeleteBucketReplication": "PutReplicationConfiguration",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteBucketWebsite": "DeleteBucketWebsite",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketAbac": "GetBucketABAC",
    "GetBucketAccelerateConfiguration": "GetAccelerateConfiguration",
    "GetBucketAcl": "GetBucketAcl",
    "GetBucketAnalyticsConfiguration": "GetAnalyticsConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "GetBucketIntelligentTieringConfiguration": "GetIntelligentTieringConfiguration",
    "GetBucketInventoryConfiguration": "GetInventoryConfiguration",
    "GetBucketLifecycle": "GetLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "GetBucketLocation": "GetBucketLocation",
    "GetBucketLogging": "GetBucketLogging",
    "GetBucketMetadataConfiguration": "GetBucketMetadataTableConfiguration",
    "GetBucketMetadataTableConfiguration": "GetBucketMetadataTableConfiguration",
    "GetBucketMetricsConfiguration": "GetMetricsConfiguration",
    "GetBucketNotification": "GetBucketNotification",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "GetBucketOwnershipControls": "GetBucketOwnershipControls",
    "GetBucketPolicy": "GetBucketPolicy",
    "GetBucketPolicyStatus": "GetBucketPolicyStatus",
    "GetBucketReplication": "GetReplicationConfiguration",
    "GetBucketRequestPayment": "GetBucketRequestPayment",
    "GetBucketTagging": "GetBucketTagging",
    "GetBucketVersioning": "GetBucketVersioning",
    "GetBucketWebsite": "GetBucketWebsite",
    "GetObjectLockConfiguration": "GetBucketObjectLockConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "HeadBucket": "ListBucket",
    "ListBucketAnalyticsConfigurations": "GetAnalyticsConfiguration",
    "ListBucketIntelligentTieringConfigurations": "GetIntelligentTieringConfiguration",
    "ListBucketInventoryConfigurations": "GetInventoryConfiguration",
    "ListBucketMetricsConfigurations": "GetMetricsConfiguration",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "PutBucketAbac": "PutBucketABAC",
    "PutBucketAccelerateConfiguration": "PutAccelerateConfiguration",
    "PutBucketAcl": "PutBucketAcl",
    "PutBucketAnalyticsConfiguration": "PutAnalyticsConfiguration",
    "PutBucketCors": "PutBucketCORS",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketIntelligentTieringConfiguration": "PutIntelligentTieringConfiguration",
    "PutBucketInventoryConfiguration": "PutInventoryConfiguration",
    "PutBucketLifecycle": "PutLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "PutBucketLogging": "PutBucketLogging",
    "PutBucketMetricsConfiguration": "PutMetricsConfiguration",
    "PutBucketNotification": "PutBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "PutBucketOwnershipControls": "PutBucketOwnershipControls",
    "PutBucketPolicy": "PutBucketPolicy",
    "PutBucketReplication": "PutReplicationConfiguration",
    "PutBucketRequestPayment": "PutBucketRequestPayment",
    "PutBucketTagging": "PutBucketTagging",
    "PutBucketVersioning": "PutBucketVersioning",
    "PutBucketWebsite": "PutBucketWebsite",
    "PutObjectLockConfiguration": "PutBucketObjectLockConfiguration",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "UpdateBucketMetadataAnnotationTableConfiguration": (
        "UpdateBucketMetadataAnnotationTableConfiguration"
    ),
    "UpdateBucketMetadataInventoryTableConfiguration": (
        "UpdateBucketMetadataInventoryTableConfiguration"
    ),
    "UpdateBucketMetadataJournalTableConfiguration": (
        "UpdateBucketMetadataJournalTableConfiguration"
    ),
}

OPERATIONS: dict[str, Permission] = {
    "ListBuckets": Permission("s3:ListAllMyBuckets", "service"),
    "ListDirectoryBuckets": Permission("s3:ListAllMyBuckets", "service"),
    **{operation: _bucket(action) for operation, action in _BUCKET_OPERATIONS.items()},
    **_OBJECT_OPERATIONS,
}
"""S3 operation (as in boto3, and PostObject) → the permission it needs."""

_HEADER_ACTIONS: tuple[tuple[bytes, str], ...] = (
    (b"x-amz-tagging", "s3:PutObjectTagging"),
    (b"x-amz-object-lock-mode", "s3:PutObjectRetention"),
    (b"x-amz-object-lock-retain-until-date", "s3:PutObjectRetention"),
    (b"x-amz-object-lock-legal-hold", "s3:PutObjectLegalHold"),
)
REPLICA_STATUS, REPLICA = b"x-amz-replication-status", b"REPLICA"
"""The header, and its value, of a request by which another server brings a version of its own."""
_OBJECT_CREATION = frozenset(("PutObject", "CopyObject", "CreateMultipartUpload"))


def more_actions(operation: str, headers: dict[bytes, bytes], versioned: bool) -> tuple[str, ...]:
    """Return what `operation` needs on its own target beyond its `Permission`.

    Setting tags, retention or a legal hold while an object is created needs their own actions.
    AWS also asks for s3:PutObjectAcl when an ACL is given; that depends on what the ACL gives and
    to whom, so `neve.s3.acl_requests` does (s3-tests: test_bucket_policy_put_obj_grant).
    """
    if operation in _OBJECT_CREATION:
        if headers.get(REPLICA_STATUS) == REPLICA:
            return _replication_actions(headers)
        return tuple(dict.fromkeys(a for name, a in _HEADER_ACTIONS if name in headers))
    if operation == "DeleteObject":
        return ("s3:ReplicateDelete",) if headers.get(REPLICA_STATUS) == REPLICA else ()
    if operation == "GetObjectAttributes":
        return ("s3:GetObjectVersion",) if versioned else ("s3:GetObject",)
    return ()


def _replication_actions(headers: dict[bytes, bytes]) -> tuple[str, ...]:
    """What bringing a replica needs; AWS and MinIO have an action of its own for its tags."""
    needed = dict.fromkeys(a for name, a in _HEADER_ACTIONS if name in headers)
    if needed.pop("s3:PutObjectTagging", 0) is None:
        needed["s3:ReplicateTags"] = None
    return ("s3:ReplicateObject", *needed)

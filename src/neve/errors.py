"""The closed list of domain errors: what the engine and IAM may refuse, and how storage may fail.

No HTTP status and no wording for clients here: `neve.s3.errors` maps each class to its S3 code.
Fields are keywords, so that the protocol layer can put them where its answer wants them.
"""

from typing import Any


class NeveError(Exception):
    """Base of every error that Neve raises on purpose."""


class DomainError(NeveError):
    """A request that S3's rules refuse. `fields` carries what the answer shows (bucket, key …)."""

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message or (self.__doc__ or "").strip())
        self.message = message
        self.fields = fields


class NoSuchBucket(DomainError):
    """The bucket does not exist."""


class NoSuchKey(DomainError):
    """The key does not exist."""

    marker: str | None = None
    """The version id of the delete marker that is the newest version of the key, if one is."""


class NoSuchVersion(DomainError):
    """The key has no version of that id."""


class ObjectLocked(DomainError):
    """Access Denied because object protected by object lock."""


class VersioningChanged(DomainError):
    """The bucket's versioning was changed while the write was under way."""


class VersionConflict(DomainError):
    """The key has that version already, or a newer one, and keeps it."""


class NoSuchUpload(DomainError):
    """The multipart upload does not exist: never created, completed or aborted."""


class NoSuchBucketPolicy(DomainError):
    """The bucket has no policy."""


class BucketAlreadyExists(DomainError):
    """The name is taken by another owner."""


class BucketAlreadyOwnedByYou(DomainError):
    """The name is taken by the caller itself."""


class BucketNotEmpty(DomainError):
    """The bucket still holds objects."""


class InvalidBucketName(DomainError):
    """The name breaks the bucket naming rules."""


class InvalidBucketState(DomainError):
    """A bucket with object lock has versioning, enabled for all keys, and keeps both."""


class KeyTooLong(DomainError):
    """The key has more than 1,024 UTF-8 bytes."""


class InvalidKey(DomainError):
    """The key is empty or is not valid UTF-8."""


class PreconditionFailed(DomainError):
    """A condition of the request does not hold. Field: condition."""


class ConditionalConflict(DomainError):
    """Another write to the same key got in between."""


class InvalidPart(DomainError):
    """A part named by the completion is absent or its ETag differs."""


class InvalidPartOrder(DomainError):
    """The parts of the completion are not in ascending order."""


class EntityTooSmall(DomainError):
    """A part but the last is under 5 MiB. Fields: part_number, etag, size, size_min."""


class EntityTooLarge(DomainError):
    """The body is over the limit. Fields: size, size_max."""


class BadDigest(DomainError):
    """The body does not match the checksum the client sent."""


class InvalidRange(DomainError):
    """The range lies outside the object. Fields: size, range."""


class InvalidArgument(DomainError):
    """An argument is out of its domain. Fields: name, value."""


class MalformedPolicy(DomainError):
    """A policy document breaks the policy grammar."""


class QuotaExceeded(DomainError):
    """The write would take a quota over its limit.

    Fields: Quota (bucket, prefix, user), Holder, Unit (bytes, objects), Limit, Used, Added.
    """


class MalformedIamPolicy(DomainError):
    """The document of a policy for users is not one."""


class NoSuchUser(DomainError):
    """The user does not exist."""


class NoSuchGroup(DomainError):
    """The group does not exist."""


class NoSuchPolicy(DomainError):
    """No policy for users has this name."""


class NoSuchAccessKey(DomainError):
    """The access key does not exist."""


class InvalidAccessKey(DomainError):
    """The name of a user or an access key breaks the rules, or is taken."""


class InvalidSecretKey(DomainError):
    """The secret is too short or too long."""


class InvalidGroupName(DomainError):
    """The name of a group breaks the rules."""


class InvalidPolicyName(DomainError):
    """The name of a policy breaks the rules, or is one that Neve gives."""


class InvalidIamArgument(DomainError):
    """A description, expiry or other property of an access key breaks the rules."""


class GroupNotEmpty(DomainError):
    """The group still has members."""


class PolicyInUse(DomainError):
    """The policy is attached to users or groups."""


class PolicyChangeAlreadyApplied(DomainError):
    """What a change of attached policies asks for is so already."""


class AccessDenied(DomainError):
    """No statement allows the request, or one denies it."""


class StoreFault(NeveError):
    """Storage failed; nothing of the request took effect."""


class BlobMissing(StoreFault):
    """A blob that the catalog names is not on disk."""


class BlobCorrupt(StoreFault):
    """The bytes of a blob do not match their digest."""


class StoreFull(StoreFault):
    """The disk has no room for the write."""


class StoreReadOnly(StoreFault):
    """The store refuses writes since a sync failed; it must be restarted."""


class BodyError(NeveError):
    """The request body cannot be read to its end."""


class BodyTruncated(BodyError):
    """The client went away before the end of the body."""


class BodyTimeout(BodyError):
    """The body made no progress, or less than the minimum rate."""


class BodyTooLarge(BodyError):
    """The body has more bytes than the reader allows."""


class BodyMalformed(BodyError):
    """The chunked framing of the body is broken."""


class StoreRefused(NeveError):
    """A folder cannot be served: the message says why and what to do."""

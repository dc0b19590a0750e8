"""S3 error codes: code → HTTP status and AWS's message, and the table from domain errors to codes.

Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
"""

from typing import Any

from neve import errors

# One line for each, as in AWS's table.
# fmt: off
CODES: dict[str, tuple[int, str]] = {
    "AccessControlListNotSupported": (400, "The bucket does not allow ACLs."),
    "AccessDenied": (403, "Access Denied."),
    "AccessForbidden": (403, "CORSResponse: CORS is not enabled for this bucket."),
    "AuthorizationHeaderMalformed": (400, "The authorization header you provided is invalid."),
    "AuthorizationQueryParametersError": (400, "Error parsing the X-Amz-Credential parameter."),
    "BadDigest": (400, "The Content-MD5 or checksum value that you specified did not match what the server received."),
    "BadRequest": (400, "Bad Request"),
    "BucketAlreadyExists": (409, "The requested bucket name is not available. The bucket namespace is shared by all users of the system. Select a different name and try again."),
    "BucketAlreadyOwnedByYou": (409, "Your previous request to create the named bucket succeeded and you already own it."),
    "BucketNotEmpty": (409, "The bucket you tried to delete is not empty."),
    "ConditionalRequestConflict": (409, "The conditional request cannot succeed due to a conflicting operation against this resource."),
    "EntityTooLarge": (400, "Your proposed upload exceeds the maximum allowed object size."),
    "EntityTooSmall": (400, "Your proposed upload is smaller than the minimum allowed size."),
    "ExpiredToken": (400, "The provided token has expired."),
    "IllegalLocationConstraintException": (400, "The specified location-constraint is not valid."),
    "IllegalVersioningConfigurationException": (400, "The versioning configuration specified in the request is invalid."),
    "IncompleteBody": (400, "You did not provide the number of bytes specified by the Content-Length HTTP header."),
    "InternalError": (500, "We encountered an internal error. Please try again."),
    "InvalidAccessKeyId": (403, "The AWS access key ID that you provided does not exist in our records."),
    "InvalidArgument": (400, "Invalid Argument."),
    "InvalidBucketAclWithObjectOwnership": (400, "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting"),
    "InvalidBucketName": (400, "The specified bucket is not valid."),
    "InvalidBucketState": (409, "The request is not valid for the current state of the bucket."),
    "InvalidChunkSizeError": (403, "Only the last chunk is allowed to have a size less than 8192 bytes."),
    "InvalidDigest": (400, "The Content-MD5 or checksum value that you specified is not valid."),
    "InvalidEncryptionAlgorithmError": (400, "The encryption request that you specified is not valid. The valid value is AES256."),
    "InvalidLocationConstraint": (400, "The specified location constraint is not valid."),
    "InvalidPart": (400, "One or more of the specified parts could not be found. The part might not have been uploaded, or the specified entity tag might not have matched the part's entity tag."),
    "InvalidPartNumber": (416, "The requested partnumber is not satisfiable."),
    "InvalidPartOrder": (400, "The list of parts was not in ascending order. The parts list must be specified in order by part number."),
    "InvalidPolicyDocument": (400, "The content of the form does not meet the conditions specified in the policy document."),
    "InvalidRange": (416, "The requested range is not satisfiable."),
    "InvalidRedirectLocation": (400, "The website redirect location has a nonvalid scheme."),
    "InvalidRequest": (400, "Invalid Request."),
    "InvalidRetentionPeriod": (400, "The retention period must be a positive number of days or years, 100 years at most."),
    "InvalidStorageClass": (400, "The storage class that you specified is not valid."),
    "InvalidTag": (400, "The tag provided was not a valid tag."),
    "InvalidToken": (400, "The provided token is malformed or otherwise not valid."),
    "InvalidURI": (400, "The specified URI couldn't be parsed."),
    "KeyTooLongError": (400, "Your key is too long."),
    "MalformedACLError": (400, "The ACL that you provided was not well formed or did not validate against our published schema."),
    "MalformedPOSTRequest": (400, "The body of your POST request is not well-formed multipart/form-data."),
    "MalformedPolicy": (400, "The policy is not in the valid JSON format."),
    "MalformedTrailerError": (400, "The request contained trailing data that was not well-formed or did not conform to our published schema."),
    "MalformedXML": (400, "The XML that you provided was not well formed or did not validate against our published schema."),
    "MaxMessageLengthExceeded": (400, "Your request was too large."),
    "MaxPostPreDataLengthExceeded": (400, "Your POST request fields preceding the upload file were too large."),
    "MetadataTooLarge": (400, "Your metadata headers exceed the maximum allowed metadata size."),
    "MethodNotAllowed": (405, "The specified method is not allowed against this resource."),
    "MissingContentLength": (411, "You must provide the Content-Length HTTP header."),
    "MissingRequestBodyError": (400, "Request body is empty."),
    "MissingSecurityHeader": (400, "Your request is missing a required header."),
    "NoSuchBucket": (404, "The specified bucket does not exist."),
    "NoSuchBucketPolicy": (404, "The bucket policy does not exist."),
    "NoSuchCORSConfiguration": (404, "The CORS configuration does not exist."),
    "NoSuchKey": (404, "The specified key does not exist."),
    "NoSuchLifecycleConfiguration": (404, "The lifecycle configuration does not exist."),
    "NoSuchPublicAccessBlockConfiguration": (404, "The public access block configuration was not found."),
    "NoSuchTagSet": (404, "The TagSet does not exist."),
    "NoSuchObjectLockConfiguration": (404, "The specified object does not have an ObjectLock configuration."),
    "NoSuchUpload": (404, "The specified multipart upload does not exist. The upload ID might not be valid, or the multipart upload might have been aborted or completed."),
    "NoSuchVersion": (404, "The version ID specified in the request does not match an existing version."),
    "NoSuchWebsiteConfiguration": (404, "The specified bucket does not have a website configuration."),
    "NotImplemented": (501, "A header or operation you provided implies functionality that is not implemented."),
    "NotModified": (304, "Not Modified"),
    "ObjectLockConfigurationNotFoundError": (404, "Object Lock configuration does not exist for this bucket."),
    "OwnershipControlsNotFoundError": (404, "The bucket ownership controls were not found."),
    "PolicyTooLarge": (400, "Policy exceeds the maximum allowed document size."),
    "PreconditionFailed": (412, "At least one of the preconditions you specified did not hold."),
    "ReplicationConfigurationNotFoundError": (404, "The replication configuration was not found."),
    "ReplicationPermissionCheck": (400, "X-Minio-Source-Replication-Check cannot be specified in request. Request cannot be completed"),
    "RequestHeaderSectionTooLarge": (431, "Your request header section exceeds the maximum allowed request header size."),
    "RequestTimeTooSkewed": (403, "The difference between the request time and the server's time is too large."),
    "RequestTimeout": (400, "Your socket connection to the server was not read from or written to within the timeout period."),
    "ServerSideEncryptionConfigurationNotFoundError": (404, "The server side encryption configuration was not found."),
    "ServiceUnavailable": (503, "Service is unable to handle request."),
    "SignatureDoesNotMatch": (403, "The request signature that the server calculated does not match the signature that you provided. Check your AWS secret access key and signing method."),
    "SlowDown": (503, "Please reduce your request rate."),
    "StorageFull": (507, "The disk of the store is full: reads go on, writes are refused until space is freed."),
    "TooManyBuckets": (400, "You have attempted to create more buckets than are allowed."),
    "TooManyParts": (400, "You have attempted to upload more parts than are allowed."),
    "URITooLong": (414, "The request URI is too long."),
    "UnexpectedContent": (400, "This request contains unsupported content."),
    "UnresolvableGrantByEmailAddress": (400, "The email address that you provided does not match any account on record."),
    "UnsupportedSignature": (400, "The provided request is signed with an unsupported STS token version or the signature version is not supported."),
    "UserKeyMustBeSpecified": (400, "The bucket POST must contain the specified field name. If it is specified, check the order of the fields."),
    "XMinioAdminBucketQuotaExceeded": (400, "Bucket quota exceeded"),
    "XAmzContentChecksumMismatch": (400, "The provided 'x-amz-checksum' header does not match what was computed."),
    "XAmzContentSHA256Mismatch": (400, "The provided 'x-amz-content-sha256' header does not match what was computed."),
    "XMinioAdminGroupNotEmpty": (400, "The specified group is not empty - cannot remove it."),
    "XMinioAdminInvalidAccessKey": (400, "The access key is invalid."),
    "XMinioAdminInvalidArgument": (400, "Invalid arguments specified."),
    "XMinioAdminInvalidSecretKey": (400, "The secret key is invalid."),
    "XMinioAdminNoSuchAccessKey": (404, "The specified access key does not exist."),
    "XMinioAdminNoSuchGroup": (404, "The specified group does not exist."),
    "XMinioAdminNoSuchPolicy": (404, "The canned policy does not exist."),
    "XMinioAdminNoSuchUser": (404, "The specified user does not exist."),
    "XMinioAdminPolicyChangeAlreadyApplied": (400, "The specified policy change is already in effect."),
    "XMinioIAMPolicyInUse": (400, "The policy cannot be removed, as it is in use"),
    "XMinioInvalidResource": (400, "Policy, user or group names are not allowed to begin or end with space characters, or to have = or , in them"),
    "XMinioMalformedIAMPolicy": (400, "The policy is not valid."),
}
# fmt: on

DOMAIN: dict[type[errors.NeveError], str] = {
    errors.NoSuchBucket: "NoSuchBucket",
    errors.NoSuchKey: "NoSuchKey",
    errors.NoSuchUpload: "NoSuchUpload",
    errors.NoSuchVersion: "NoSuchVersion",
    errors.ObjectLocked: "AccessDenied",
    errors.VersioningChanged: "ConditionalRequestConflict",
    errors.VersionConflict: "ConditionalRequestConflict",
    errors.NoSuchBucketPolicy: "NoSuchBucketPolicy",
    errors.BucketAlreadyExists: "BucketAlreadyExists",
    errors.BucketAlreadyOwnedByYou: "BucketAlreadyOwnedByYou",
    errors.BucketNotEmpty: "BucketNotEmpty",
    errors.InvalidBucketName: "InvalidBucketName",
    errors.InvalidBucketState: "InvalidBucketState",
    errors.KeyTooLong: "KeyTooLongError",
    errors.InvalidKey: "InvalidURI",
    errors.PreconditionFailed: "PreconditionFailed",
    errors.ConditionalConflict: "ConditionalRequestConflict",
    errors.InvalidPart: "InvalidPart",
    errors.InvalidPartOrder: "InvalidPartOrder",
    errors.EntityTooSmall: "EntityTooSmall",
    errors.EntityTooLarge: "EntityTooLarge",
    errors.BadDigest: "BadDigest",
    errors.InvalidRange: "InvalidRange",
    errors.InvalidArgument: "InvalidArgument",
    errors.MalformedPolicy: "MalformedPolicy",
    errors.QuotaExceeded: "XMinioAdminBucketQuotaExceeded",
    errors.MalformedIamPolicy: "XMinioMalformedIAMPolicy",
    errors.NoSuchUser: "XMinioAdminNoSuchUser",
    errors.NoSuchGroup: "XMinioAdminNoSuchGroup",
    errors.NoSuchPolicy: "XMinioAdminNoSuchPolicy",
    errors.NoSuchAccessKey: "XMinioAdminNoSuchAccessKey",
    errors.InvalidAccessKey: "XMinioAdminInvalidAccessKey",
    errors.InvalidSecretKey: "XMinioAdminInvalidSecretKey",
    errors.InvalidGroupName: "XMinioInvalidResource",
    errors.InvalidPolicyName: "XMinioInvalidResource",
    errors.InvalidIamArgument: "XMinioAdminInvalidArgument",
    errors.GroupNotEmpty: "XMinioAdminGroupNotEmpty",
    errors.PolicyInUse: "XMinioIAMPolicyInUse",
    errors.PolicyChangeAlreadyApplied: "XMinioAdminPolicyChangeAlreadyApplied",
    errors.AccessDenied: "AccessDenied",
    errors.BodyTruncated: "IncompleteBody",
    errors.BodyTimeout: "RequestTimeout",
    errors.BodyTooLarge: "MaxMessageLengthExceeded",
    errors.BodyMalformed: "IncompleteBody",
    errors.BlobMissing: "InternalError",
    errors.BlobCorrupt: "InternalError",
    errors.StoreFull: "StorageFull",
    errors.StoreReadOnly: "ServiceUnavailable",
}
"""Total over the leaves of `neve.errors` that may reach the protocol: a test asserts it."""


class S3Error(Exception):
    """An answer with an S3 error code, raised by the protocol layer itself.

    `fields` become XML elements of the error body (`BucketName`, `Key`, `ArgumentName` …).
    """

    def __init__(self, code: str, message: str = "", **fields: Any) -> None:
        status, default = CODES[code]
        super().__init__(f"{code}: {message or default}")
        self.code = code
        self.status = status
        self.message = message or default
        self.fields = fields
        self.headers: list[tuple[bytes, bytes]] = []
        """Header fields of the answer: a 304 repeats those of the object."""


def from_domain(error: errors.NeveError) -> S3Error:
    """Return the S3 answer to a domain error; what is not in the table is InternalError."""
    code = DOMAIN.get(type(error), "InternalError")
    if code == "InternalError":
        return S3Error(code)
    message = getattr(error, "message", "")
    answer = S3Error(code, message, **getattr(error, "fields", {}))
    marker = getattr(error, "marker", None)
    if marker is not None:
        answer.headers = marker_headers(marker)
    return answer


def marker_headers(version: str) -> list[tuple[bytes, bytes]]:
    """Return the fields that tell of a delete marker."""
    return [
        (b"x-amz-delete-marker", b"true"),
        (b"x-amz-version-id", version.encode() or b"null"),
    ]

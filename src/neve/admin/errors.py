"""Error codes of the admin protocol: code → HTTP status and message, and the JSON form of errors.

Codes, statuses and messages are those that MinIO's clients look for; those of signatures, buckets,
bodies and identities are in `neve.s3.errors`. What is unknown is InternalError, without its text.
"""

from typing import Any

import msgspec

from neve import errors
from neve.admin.wire import TooBusy
from neve.answer import Response
from neve.s3.errors import CODES as S3_CODES
from neve.s3.errors import S3Error, from_domain
from neve.sealed_bodies import NotSealed

JSON_TYPE = (b"content-type", b"application/json")

# One line for each, as in the protocol's own table.
# fmt: off
CODES: dict[str, tuple[int, str]] = {
    **S3_CODES,
    "InvalidRequest": (400, "Invalid Request"),
    "NotImplemented": (501, "This admin call is not implemented."),
    "SlowDown": (503, "Too many admin calls wait already: please reduce your request rate."),
    "XMinioAdminConfigBadJSON": (400, "JSON configuration provided is of incorrect format"),
    "XMinioAdminConfigTooLarge": (400, "The configuration data provided exceeds the allowed maximum size."),
    "XMinioAdminNoAccessKey": (400, "No access key was provided."),
    "XMinioAdminNoSecretKey": (400, "No secret key was provided."),
    "XMinioAdminVersionMismatch": (426, "This server speaks version 3 of the admin API."),
    "XMinioConfigError": (400, "Configuration error."),
    "XMinioIAMActionNotAllowed": (403, "Specified IAM action is not allowed"),
    "XMinioIAMServiceAccountNotAllowed": (400, "Specified service account action is not allowed"),
    "XMinioInvalidIAMCredentials": (403, "Credential is not allowed to be same as admin access key"),
    "XMinioNameIsOfAccessKey": (403, "An access key has this name: remove it first, or choose another name"),
    "XMinioServiceAccountNotFound": (404, "The specified service account is not found"),
}
# fmt: on

WIRE_CODES = dict.fromkeys(
    ("XMinioNameIsOfAccessKey", "XMinioServiceAccountNotFound"), "XMinioInvalidIAMCredentials"
)
"""The protocol has one code for several errors; they differ in status and message."""


class AdminError(Exception):
    """An answer with an error code. `detail` is added to the code's message."""

    def __init__(self, code: str, detail: str = "", **fields: Any) -> None:
        status, message = CODES[code]
        super().__init__(f"{code}: {detail or message}")
        self.code = WIRE_CODES.get(code, code)
        self.status = status
        self.message = f"{message} ({detail})" if detail else message
        self.fields = fields


def as_answer(error: Exception) -> AdminError | S3Error:
    """Return the answer to whatever an admin call raised."""
    if isinstance(error, AdminError | S3Error):
        return error
    if isinstance(error, NotSealed):
        return AdminError(
            "XMinioAdminConfigBadJSON", "the body is not encrypted with the caller's secret key"
        )
    if isinstance(error, TooBusy):
        return AdminError("SlowDown")
    if isinstance(error, errors.BodyTooLarge):
        return AdminError("XMinioAdminConfigTooLarge")
    if isinstance(error, errors.NeveError):
        return from_domain(error)
    return AdminError("InternalError")


def error_response(error: AdminError | S3Error, *, resource: str, request_id: str) -> Response:
    """Return the answer to a refused call, as JSON."""
    document: dict[str, Any] = {"Code": error.code, "Message": error.message}
    document.update((name, str(value)) for name, value in error.fields.items())
    document.update(Resource=resource, RequestId=request_id, HostId=request_id)
    headers = [JSON_TYPE]
    if error.status == 503:
        headers.append((b"retry-after", b"1"))
    return Response(error.status, headers, msgspec.json.encode(document))

"""Server-side encryption, which nobody here does: what asks for it is refused, never dropped.

A request that AWS would refuse for its arguments is refused as AWS does, so that a client with a
mistake is told of the mistake; every other is NotImplemented.
"""

import binascii
import hashlib
import hmac

from neve.s3.errors import S3Error

METHOD = b"x-amz-server-side-encryption"
KMS_KEY = METHOD + b"-aws-kms-key-id"
KMS_CONTEXT = METHOD + b"-context"
ALGORITHM = METHOD + b"-customer-algorithm"
KEY = METHOD + b"-customer-key"
KEY_MD5 = METHOD + b"-customer-key-md5"
SOURCE_ALGORITHM = b"x-amz-copy-source-server-side-encryption-customer-algorithm"

HEADERS = frozenset((METHOD, KMS_KEY, KMS_CONTEXT, ALGORITHM, KEY, KEY_MD5, SOURCE_ALGORITHM))

_METHODS = (b"AES256", b"aws:kms", b"aws:kms:dsse")
_KEY_BYTES = 32
_CUSTOMER = "Requests specifying Server Side Encryption with Customer provided keys must provide"


def check_encryption(headers: dict[bytes, bytes]) -> None:
    """Refuse a request that asks for encryption.

    Raises: S3Error InvalidArgument, InvalidEncryptionAlgorithmError, NotImplemented.
    """
    asked = HEADERS.intersection(headers)
    if not asked:
        return
    customer = not asked.isdisjoint((ALGORITHM, KEY, KEY_MD5))
    method = headers.get(METHOD)
    if method is not None and customer:
        message = (
            "Server Side Encryption with Customer provided key is incompatible with the encryption"
            " method specified"
        )
        raise _invalid(message, METHOD, method)
    if method is not None and method not in _METHODS:
        raise _invalid("The encryption method specified is not supported", METHOD, method)
    if (KMS_KEY in headers or KMS_CONTEXT in headers) and method not in _METHODS[1:]:
        message = (
            "Server Side Encryption with AWS KMS managed key requires HTTP header"
            " x-amz-server-side-encryption : aws:kms"
        )
        raise _invalid(message, METHOD, method or b"null")
    if customer:
        _check_customer_key(headers)
    name = min(asked).decode()
    raise S3Error("NotImplemented", "Server-side encryption is not implemented.", Header=name)


def _check_customer_key(headers: dict[bytes, bytes]) -> None:
    algorithm = headers.get(ALGORITHM)
    if algorithm is None:
        raise _invalid(f"{_CUSTOMER} a valid encryption algorithm.", ALGORITHM, b"null")
    if algorithm != b"AES256":
        raise S3Error("InvalidEncryptionAlgorithmError", ArgumentName=ALGORITHM.decode())
    if KEY not in headers:
        raise _invalid(f"{_CUSTOMER} an appropriate secret key.", KEY, b"null")
    if KEY_MD5 not in headers:
        raise _invalid(
            f"{_CUSTOMER} the client calculated MD5 of the secret key.", KEY_MD5, b"null"
        )
    # Neither key nor digest is repeated in the answer: answers are logged by those who get them.
    key = _decoded(headers[KEY])
    if len(key) != _KEY_BYTES:
        raise _invalid("The secret key was invalid for the specified algorithm.", KEY, b"")
    digest = hashlib.md5(key, usedforsecurity=False).digest()
    if not hmac.compare_digest(digest, _decoded(headers[KEY_MD5])):
        message = "The calculated MD5 hash of the key did not match the hash that was provided."
        raise _invalid(message, KEY_MD5, b"")


def _decoded(text: bytes) -> bytes:
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return b""


def _invalid(message: str, name: bytes, value: bytes) -> S3Error:
    text = value.decode("utf-8", "replace")
    return S3Error("InvalidArgument", message, ArgumentName=name.decode(), ArgumentValue=text)

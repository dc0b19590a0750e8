"""The sealed form in which the admin protocol carries secrets: madmin's, both ways.

    32 bytes  salt of the key derivation
     1 byte   scheme: 0 Argon2id + AES-256-GCM, 1 Argon2id + ChaCha20-Poly1305,
              2 PBKDF2-SHA256 + AES-256-GCM
     8 bytes  nonce
    then fragments of at most 16 KiB of plain text, each with its 16 bytes of tag

The key is derived from the secret key of whoever signed the request. Fragment n (from 1) is sealed
with nonce || n (4 bytes, little-endian); its associated data is one byte that says whether it is
the last (0x80) and the tag of sealing nothing with n = 0. So no fragment can be cut off, moved or
added without notice.

Argon2id takes 64 MiB and tens of milliseconds. No key outlives its call. Servers and clients share
this module.
"""

import hashlib
import os
from typing import Any

SALT_BYTES = 32
NONCE_BYTES = 8
HEAD_BYTES = SALT_BYTES + 1 + NONCE_BYTES
FRAGMENT_BYTES = 16 << 10
TAG_BYTES = 16

AES_GCM, CHACHA20_POLY1305, PBKDF2_AES_GCM = 0, 1, 2

_ARGON2_KIB = 64 << 10
_PBKDF2_ROUNDS = 8192
_MORE, _LAST = b"\x00", b"\x80"


class NotSealed(ValueError):
    """The bytes are not a sealed message, or not one of this secret."""


def seal(secret: str, data: bytes, scheme: int = AES_GCM) -> bytes:
    """Return `data` sealed for the holder of `secret`."""
    salt, nonce = os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES)
    cipher = _cipher(secret, salt, scheme)
    proof = _proof(cipher, nonce)
    starts = range(0, len(data) or 1, FRAGMENT_BYTES)
    pieces = [salt, bytes((scheme,)), nonce]
    for number, start in enumerate(starts, 1):
        mark = _LAST if number == len(starts) else _MORE
        plain = data[start : start + FRAGMENT_BYTES]
        pieces.append(cipher.encrypt(_nonce(nonce, number), plain, mark + proof))
    return b"".join(pieces)


def unseal(secret: str, message: bytes) -> bytes:
    """Return the plain text of a sealed message. Raises: NotSealed."""
    from cryptography.exceptions import InvalidTag

    if len(message) < HEAD_BYTES + TAG_BYTES:
        raise NotSealed
    salt, scheme = message[:SALT_BYTES], message[SALT_BYTES]
    nonce, body = message[SALT_BYTES + 1 : HEAD_BYTES], message[HEAD_BYTES:]
    cipher = _cipher(secret, salt, scheme)
    proof = _proof(cipher, nonce)
    starts = range(0, len(body), FRAGMENT_BYTES + TAG_BYTES)
    pieces = []
    try:
        for number, start in enumerate(starts, 1):
            mark = _LAST if number == len(starts) else _MORE
            fragment = body[start : start + FRAGMENT_BYTES + TAG_BYTES]
            pieces.append(cipher.decrypt(_nonce(nonce, number), fragment, mark + proof))
    except (InvalidTag, ValueError) as error:
        raise NotSealed from error
    return b"".join(pieces)


def _cipher(secret: str, salt: bytes, scheme: int) -> Any:
    """Return the cipher of a message. Raises: NotSealed when there is no such scheme."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    if scheme == PBKDF2_AES_GCM:
        return AESGCM(hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, _PBKDF2_ROUNDS))
    if scheme not in (AES_GCM, CHACHA20_POLY1305):
        raise NotSealed
    derivation = Argon2id(salt=salt, length=32, iterations=1, lanes=4, memory_cost=_ARGON2_KIB)
    key = derivation.derive(secret.encode())
    return AESGCM(key) if scheme == AES_GCM else ChaCha20Poly1305(key)


def _proof(cipher: Any, nonce: bytes) -> bytes:
    tag: bytes = cipher.encrypt(_nonce(nonce, 0), b"", None)
    return tag


def _nonce(nonce: bytes, number: int) -> bytes:
    return nonce + number.to_bytes(4, "little")

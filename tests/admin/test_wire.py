"""The sealed form against the `minio` package, which implements it independently."""

import asyncio
import io
from typing import Any

import pytest
from minio import crypto

from neve.admin.wire import WAITING_MAX, Sealer, TooBusy
from neve.sealed_bodies import (
    AES_GCM,
    CHACHA20_POLY1305,
    FRAGMENT_BYTES,
    HEAD_BYTES,
    PBKDF2_AES_GCM,
    TAG_BYTES,
    NotSealed,
    seal,
    unseal,
)

SECRET = "a secret of somebody"
SIZES = (1, 17, FRAGMENT_BYTES - 1, FRAGMENT_BYTES, FRAGMENT_BYTES + 1, 3 * FRAGMENT_BYTES)


class _Response(io.BytesIO):
    def release_conn(self) -> None:
        pass


def theirs(message: bytes, secret: str = SECRET) -> bytes:
    """What the `minio` package reads from a sealed message."""
    response: Any = _Response(message)
    return crypto.decrypt(response, secret)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", [AES_GCM, CHACHA20_POLY1305])
def test_the_minio_package_reads_what_we_seal(size: int, scheme: int) -> None:
    data = bytes(index % 251 for index in range(size))
    assert theirs(seal(SECRET, data, scheme)) == data


@pytest.mark.parametrize("size", SIZES)
def test_we_read_what_the_minio_package_seals(size: int) -> None:
    data = bytes(index % 241 for index in range(size))
    assert unseal(SECRET, crypto.encrypt(data, SECRET)) == data


@pytest.mark.parametrize("scheme", [AES_GCM, CHACHA20_POLY1305, PBKDF2_AES_GCM])
@pytest.mark.parametrize("size", [0, 5, 2 * FRAGMENT_BYTES])
def test_every_scheme_comes_back_as_it_went(scheme: int, size: int) -> None:
    data = b"x" * size
    message = seal(SECRET, data, scheme)
    assert message[32] == scheme
    assert unseal(SECRET, message) == data


def test_a_message_of_another_secret_is_refused() -> None:
    with pytest.raises(NotSealed):
        unseal("another secret", seal(SECRET, b"data"))


def test_every_cut_and_every_flipped_byte_is_noticed() -> None:
    message = seal(SECRET, b"d" * (FRAGMENT_BYTES + 100), PBKDF2_AES_GCM)
    fragment = FRAGMENT_BYTES + TAG_BYTES
    cuts = (0, 1, 32, 40, HEAD_BYTES, HEAD_BYTES + 15, HEAD_BYTES + 16, HEAD_BYTES + fragment)
    for cut in (*cuts, len(message) - 1):
        with pytest.raises(NotSealed):
            unseal(SECRET, message[:cut])
    for at in (0, 31, 33, 40, HEAD_BYTES, HEAD_BYTES + fragment, len(message) - 1):
        broken = bytearray(message)
        broken[at] ^= 1
        with pytest.raises(NotSealed):
            unseal(SECRET, bytes(broken))


def test_fragments_cannot_be_swapped_or_repeated() -> None:
    message = seal(SECRET, b"1" * FRAGMENT_BYTES + b"2" * FRAGMENT_BYTES, PBKDF2_AES_GCM)
    fragment = FRAGMENT_BYTES + TAG_BYTES
    head = message[:HEAD_BYTES]
    first, second = message[HEAD_BYTES:][:fragment], message[HEAD_BYTES:][fragment:]
    for wrong in (second + first, first, second, first + first + second):
        with pytest.raises(NotSealed):
            unseal(SECRET, head + wrong)


def test_an_unknown_scheme_is_refused() -> None:
    message = bytearray(seal(SECRET, b"data", PBKDF2_AES_GCM))
    message[32] = 3
    with pytest.raises(NotSealed):
        unseal(SECRET, bytes(message))


def test_two_messages_of_the_same_text_differ() -> None:
    one, other = (seal(SECRET, b"data", PBKDF2_AES_GCM) for _ in range(2))
    assert one[:HEAD_BYTES] != other[:HEAD_BYTES]
    assert one[HEAD_BYTES:] != other[HEAD_BYTES:]


def test_the_sealer_bounds_how_many_wait() -> None:
    async def crowd() -> list[Any]:
        sealer = Sealer()
        message = seal(SECRET, b"data", PBKDF2_AES_GCM)
        work = [sealer.unseal(SECRET, message) for _ in range(WAITING_MAX + 3)]
        try:
            return await asyncio.gather(*work, return_exceptions=True)
        finally:
            sealer.close()

    results = asyncio.run(crowd())
    assert results.count(b"data") == WAITING_MAX
    assert sum(isinstance(result, TooBusy) for result in results) == 3

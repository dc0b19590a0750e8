"""Checksums: declared, verified over bodies, summed for uploads; botocore as oracle."""

import base64
import hashlib
import random
import subprocess
import sys
import zlib

import pytest
from botocore import httpchecksum
from hypothesis import given, settings
from hypothesis import strategies as st

from neve.s3 import checksums
from neve.s3.checksums import ALGORITHMS, BodyDigest, Declared, parse_declared
from neve.s3.errors import S3Error
from neve.s3.sigv4 import SHA256, STREAM_UNSIGNED_TRAILER, UNSIGNED, PayloadSpec

BODY = b"123456789"
# The check values of the catalogue of parametrised CRC algorithms, and FIPS 180-4 by hashlib.
CHECKS = {
    "crc32": "cbf43926",
    "crc32c": "e3069283",
    "crc64nvme": "ae8b14860a799888",
    "sha1": hashlib.sha1(BODY).hexdigest(),
    "sha256": hashlib.sha256(BODY).hexdigest(),
}
BOTOCORE = {
    "crc32": httpchecksum.Crc32Checksum,
    "crc32c": httpchecksum.CrtCrc32cChecksum,
    "crc64nvme": httpchecksum.CrtCrc64NvmeChecksum,
    "sha1": httpchecksum.Sha1Checksum,
    "sha256": httpchecksum.Sha256Checksum,
}
EVERY = sorted(ALGORITHMS)
CRCS = ["crc32", "crc32c", "crc64nvme"]


def digest_of(name: str, data: bytes) -> bytes:
    hasher = ALGORITHMS[name].new()
    hasher.update(memoryview(data))
    return hasher.digest()


def encoded(name: str, data: bytes = BODY) -> bytes:
    return base64.b64encode(digest_of(name, data))


def header(name: str) -> bytes:
    return f"x-amz-checksum-{name}".encode()


def refusal(headers: dict[bytes, bytes], *, streaming: bool = False) -> S3Error:
    with pytest.raises(S3Error) as caught:
        parse_declared(headers, streaming=streaming)
    assert caught.value.status == 400
    return caught.value


@pytest.mark.parametrize("name", EVERY)
def test_digest_is_the_published_check_value(name):
    assert digest_of(name, BODY).hex() == CHECKS[name]
    assert digest_of(name, b"") == bytes(ALGORITHMS[name].size) or name.startswith("sha")


@pytest.mark.parametrize("name", EVERY)
def test_running_digest_equals_botocores(name):
    dice = random.Random(7)
    oracle = BOTOCORE[name]()
    hasher = ALGORITHMS[name].new()
    for size in (0, 1, 3, 4095, 100_000):
        piece = dice.randbytes(size)
        oracle.update(piece)
        hasher.update(memoryview(piece))
    assert checksums.encode(hasher.digest()) == oracle.b64digest()


@pytest.mark.parametrize("name", EVERY)
def test_checksum_in_a_header_is_declared(name):
    value = encoded(name)
    for extra in ({}, {b"x-amz-sdk-checksum-algorithm": name.encode()}):
        found = parse_declared({b"host": b"h", header(name): value} | extra, streaming=False)
        assert found is not None
        assert (found.algorithm.name, found.digest) == (name, digest_of(name, BODY))
        assert found.trailer_names == frozenset()


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("end", ["", ",", ",,", ", "])
def test_checksum_in_a_trailer_is_declared(name, end):
    headers = {
        b"x-amz-trailer": header(name) + end.encode(),
        b"x-amz-sdk-checksum-algorithm": name.upper().encode(),
    }
    found = parse_declared(headers, streaming=True)
    assert found is not None
    assert (found.algorithm.name, found.digest) == (name, None)
    assert found.trailer_names == {header(name)}


def test_request_without_checksum_declares_none():
    headers = {b"host": b"h", b"x-amz-checksum-mode": b"ENABLED", b"x-amz-checksum-type": b"x"}
    assert parse_declared(headers, streaming=False) is None


_ONE = "Expecting a single x-amz-checksum- header"
_MANY = f"{_ONE}. Multiple checksum Types are not allowed."
_CRC, _SHA = header("crc32"), header("sha1")
REFUSED = {
    "two headers": ({_CRC: encoded("crc32"), _SHA: encoded("sha1")}, _MANY),
    "two trailers": ({b"x-amz-trailer": _CRC + b", " + _SHA}, _MANY),
    "one trailer twice": ({b"x-amz-trailer": _CRC + b"," + _CRC}, _MANY),
    "two trailers and a header": (
        {b"x-amz-trailer": _CRC + b"," + _SHA, _CRC: encoded("crc32")},
        _MANY,
    ),
    "header and trailer": ({b"x-amz-trailer": _CRC, _CRC: encoded("crc32")}, _ONE),
    "two headers and another algorithm": (
        {
            _CRC: encoded("crc32"),
            _SHA: encoded("sha1"),
            b"x-amz-sdk-checksum-algorithm": b"sha256",
        },
        _MANY,
    ),
    "unknown header": (
        {header("md6"): b"AAAA"},
        "The algorithm type you specified in x-amz-checksum- header is invalid.",
    ),
    "unknown trailer": (
        {b"x-amz-trailer": header("md6")},
        "The value specified in the x-amz-trailer header is not supported",
    ),
    "trailer that is no checksum": (
        {b"x-amz-trailer": _CRC + b",x-amz-foo"},
        "The value specified in the x-amz-trailer header is not supported",
    ),
    "empty name before": (
        {b"x-amz-trailer": b"," + _CRC},
        "The value specified in the x-amz-trailer header is not supported",
    ),
    "empty name between": (
        {b"x-amz-trailer": _CRC + b", ,"},
        "The value specified in the x-amz-trailer header is not supported",
    ),
    "algorithm without checksum": (
        {b"x-amz-sdk-checksum-algorithm": b"CRC32"},
        (
            "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or"
            " x-amz-trailer headers were found."
        ),
    ),
    "another algorithm than the header": (
        {b"x-amz-sdk-checksum-algorithm": b"CRC32C", _CRC: encoded("crc32")},
        "Value for x-amz-sdk-checksum-algorithm header is invalid.",
    ),
    "another algorithm than the trailer": (
        {b"x-amz-sdk-checksum-algorithm": b"sha256", b"x-amz-trailer": _CRC},
        "Value for x-amz-sdk-checksum-algorithm header is invalid.",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_odd_declaration_is_refused(name):
    headers, message = REFUSED[name]
    error = refusal(headers, streaming=True)
    assert (error.code, error.message) == ("InvalidRequest", message)


def test_trailer_of_a_body_that_is_not_framed_is_refused():
    error = refusal({b"x-amz-trailer": _CRC}, streaming=False)
    assert error.code == "MalformedTrailerError"


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("value", [b"", b"bad", b"AAAA", b"AAAAAA==\n", b"\xff", b"AAAA,AAAA"])
def test_malformed_checksum_is_refused(name, value):
    error = refusal({header(name): value})
    assert error.code == "InvalidRequest"
    assert error.message == f"Value for x-amz-checksum-{name} header is invalid."


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([header(n) for n in EVERY] + [b"x-amz-trailer", b"x-amz-checksum-\xe9"])
        | st.just(b"x-amz-sdk-checksum-algorithm"),
        st.binary(max_size=12) | st.sampled_from([_CRC, b"CRC32", encoded("crc32")]),
    ),
    st.booleans(),
)
def test_arbitrary_declarations_are_never_more_than_refused(headers, streaming):
    try:
        found = parse_declared(headers, streaming=streaming)
    except S3Error as error:
        assert error.status == 400
    else:
        assert found is None or found.digest is None or len(found.digest) == found.algorithm.size


def body_digest(
    *, sha256: bytes | None = None, declared: Declared | None = None, md5: bytes | None = None
) -> BodyDigest:
    spec = PayloadSpec(UNSIGNED) if sha256 is None else PayloadSpec(SHA256, sha256)
    digest = BodyDigest(spec, declared, md5)
    digest.update(memoryview(BODY)[:4])
    digest.update(memoryview(BODY)[4:])
    return digest


def finish_refused(digest: BodyDigest, trailers: dict[bytes, bytes] | None = None) -> S3Error:
    with pytest.raises(S3Error) as caught:
        digest.finish(trailers or {})
    assert caught.value.status == 400
    return caught.value


MD5 = hashlib.md5(BODY).digest()
SHA = hashlib.sha256(BODY).hexdigest().encode()
WRONG = hashlib.sha256(b"other").hexdigest().encode()


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("sha256", [None, SHA, SHA.upper()])
def test_body_that_matches_is_accepted(name, sha256):
    declared = parse_declared({header(name): encoded(name)}, streaming=False)
    found = body_digest(sha256=sha256, declared=declared, md5=MD5).finish()
    assert found == (MD5.hex(), (name, digest_of(name, BODY)))


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("sha256", [None, SHA])
def test_body_that_differs_from_its_checksum_is_refused(name, sha256):
    declared = parse_declared({header(name): encoded(name, b"x")}, streaming=False)
    error = finish_refused(body_digest(sha256=sha256, declared=declared))
    assert error.code == "BadDigest"
    message = "you specified did not match the calculated checksum."
    assert error.message == f"The {name.upper()} {message}"


def test_body_that_differs_from_its_signed_hash_is_refused_before_all_else():
    declared = parse_declared({_CRC: encoded("crc32", b"x")}, streaming=False)
    for given_hash in (WRONG, b"invalid", "é".encode()):
        error = finish_refused(body_digest(sha256=given_hash, declared=declared, md5=b"0" * 16))
        assert error.code == "XAmzContentSHA256Mismatch"
        assert error.fields == {
            "ClientComputedContentSHA256": given_hash.decode(),
            "S3ComputedContentSHA256": SHA.decode(),
        }


def test_body_that_differs_from_content_md5_is_refused():
    wrong = hashlib.md5(b"").digest()
    error = finish_refused(body_digest(md5=wrong))
    assert error.code == "BadDigest"
    assert error.message == "The Content-MD5 you specified did not match what we received."
    assert error.fields == {
        "ExpectedDigest": wrong.hex(),
        "CalculatedDigest": base64.b64encode(MD5).decode(),
    }


@pytest.mark.parametrize("name", EVERY)
def test_checksum_in_the_trailers_is_verified(name):
    declared = parse_declared({b"x-amz-trailer": header(name)}, streaming=True)
    digest = body_digest(declared=declared)
    assert digest.finish({header(name): encoded(name)})[1] == (name, digest_of(name, BODY))
    wrong = finish_refused(digest, {header(name): encoded(name, b"x")})
    assert wrong.code == "BadDigest"
    invalid = finish_refused(digest, {header(name): b"not-base-64"})
    assert invalid.code == "InvalidRequest"
    assert invalid.message == f"Value for x-amz-checksum-{name} trailing header is invalid."
    assert finish_refused(digest).code == "MalformedTrailerError"


def test_default_algorithm_is_computed_only_when_none_is_declared():
    spec = PayloadSpec(STREAM_UNSIGNED_TRAILER)
    digest = BodyDigest(spec, default_algorithm="crc64nvme")
    digest.update(memoryview(BODY))
    assert digest.finish() == (MD5.hex(), ("crc64nvme", bytes.fromhex(CHECKS["crc64nvme"])))
    declared = parse_declared({_CRC: encoded("crc32", b"")}, streaming=False)
    empty = BodyDigest(spec, declared, default_algorithm="crc64nvme")
    assert empty.finish() == (hashlib.md5(b"").hexdigest(), ("crc32", bytes(4)))
    assert BodyDigest(spec).finish()[1] is None


@pytest.mark.parametrize("value", [b"", b"AWS HAHAHA", b"YWJyYWNhZGFicmE=", b"rL0Y20xC+Fzt72VPz"])
def test_malformed_content_md5_is_refused(value):
    with pytest.raises(S3Error) as caught:
        checksums.parse_content_md5({b"content-md5": value})
    assert (caught.value.code, caught.value.status) == ("InvalidDigest", 400)
    assert caught.value.message == "The Content-MD5 you specified was invalid."
    assert caught.value.fields == {"Content-MD5": value.decode()}


def test_content_md5_is_parsed():
    assert checksums.parse_content_md5({}) is None
    assert checksums.parse_content_md5({b"content-md5": base64.b64encode(MD5)}) == MD5


@pytest.mark.parametrize("name", CRCS)
@pytest.mark.parametrize("sizes", [(0,), (0, 0), (5, 0, 7), (0, 5), (1,) * 40, (65_537, 99_999)])
def test_full_object_sum_of_parts_is_the_sum_of_the_whole(name, sizes):
    dice = random.Random(8)
    parts = [dice.randbytes(size) for size in sizes]
    pairs = [(digest_of(name, part), len(part)) for part in parts]
    assert checksums.full_object(ALGORITHMS[name], pairs).encode() == encoded(name, b"".join(parts))


@pytest.mark.parametrize("name", CRCS)
def test_full_object_sum_of_huge_parts_is_associative(name):
    algorithm = ALGORITHMS[name]
    five = 5 * 1024**3
    parts = [(bytes([n + 1]) * algorithm.size, five - n) for n in range(4)]
    left = base64.b64decode(checksums.full_object(algorithm, parts[:2]))
    right = base64.b64decode(checksums.full_object(algorithm, parts[2:]))
    halves = [(left, 2 * five - 1), (right, 2 * five - 5)]
    assert checksums.full_object(algorithm, parts) == checksums.full_object(algorithm, halves)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(CRCS), st.lists(st.binary(max_size=300), min_size=1, max_size=8))
def test_full_object_sum_of_any_parts(name, parts):
    pairs = [(digest_of(name, part), len(part)) for part in parts]
    assert checksums.full_object(ALGORITHMS[name], pairs).encode() == encoded(name, b"".join(parts))


def test_full_object_crc32_equals_zlibs():
    parts = [b"hello ", b"", b"world" * 1000]
    pairs = [(zlib.crc32(part).to_bytes(4, "big"), len(part)) for part in parts]
    whole = base64.b64encode(zlib.crc32(b"".join(parts)).to_bytes(4, "big")).decode()
    assert checksums.full_object(ALGORITHMS["crc32"], pairs) == whole


@pytest.mark.parametrize("name", EVERY)
def test_composite_is_the_sum_of_the_sums_and_their_count(name):
    digests = [digest_of(name, part) for part in (b"one", b"two", b"")]
    oracle = BOTOCORE[name]()
    oracle.update(b"".join(digests))
    assert checksums.composite(ALGORITHMS[name], digests) == f"{oracle.b64digest()}-3"


UPLOADS = {
    (b"CRC32", None): "COMPOSITE",
    (b"crc32c", None): "COMPOSITE",
    (b"CRC64NVME", None): "FULL_OBJECT",
    (b"SHA1", None): "COMPOSITE",
    (b"SHA256", None): "COMPOSITE",
    (b"CRC32", b"FULL_OBJECT"): "FULL_OBJECT",
    (b"CRC32C", b"FULL_OBJECT"): "FULL_OBJECT",
    (b"CRC32C", b"COMPOSITE"): "COMPOSITE",
    (b"CRC64NVME", b"FULL_OBJECT"): "FULL_OBJECT",
}


@pytest.mark.parametrize("asked", UPLOADS)
def test_upload_gets_the_type_that_aws_gives(asked):
    headers = {b"x-amz-checksum-algorithm": asked[0]}
    if asked[1] is not None:
        headers[b"x-amz-checksum-type"] = asked[1]
    found = checksums.parse_upload(headers)
    assert found == (ALGORITHMS[asked[0].decode().lower()], UPLOADS[asked])


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        (
            b"CRC64NVME",
            b"COMPOSITE",
            "The COMPOSITE checksum type cannot be used with the crc64nvme checksum algorithm.",
        ),
        (
            b"SHA1",
            b"FULL_OBJECT",
            "The FULL_OBJECT checksum type cannot be used with the sha1 checksum algorithm.",
        ),
        (
            b"SHA256",
            b"FULL_OBJECT",
            "The FULL_OBJECT checksum type cannot be used with the sha256 checksum algorithm.",
        ),
        (b"CRC32", b"WHOLE", "Value for x-amz-checksum-type header is invalid."),
        (
            None,
            b"FULL_OBJECT",
            (
                "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm"
                " header."
            ),
        ),
        (
            b"MD6",
            None,
            (
                "Checksum algorithm provided is unsupported. Please try again with any of the valid"
                " types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]"
            ),
        ),
    ],
)
def test_upload_with_an_illegal_checksum_is_refused(name, kind, message):
    pairs = {b"x-amz-checksum-algorithm": name, b"x-amz-checksum-type": kind}
    with pytest.raises(S3Error) as caught:
        checksums.parse_upload({key: value for key, value in pairs.items() if value is not None})
    assert (caught.value.code, caught.value.message) == ("InvalidRequest", message)


def test_upload_without_checksum_asks_for_none():
    assert checksums.parse_upload({}) is None


def test_import_starts_no_thread_and_stays_small():
    """`awscrt` is large; only its checksums may be loaded, and no event loop of it started."""
    code = (
        "import os, sys, neve.s3.checksums\n"
        "assert len(os.listdir('/proc/self/task')) == 1\n"
        "loaded = {name for name in sys.modules if name.startswith('awscrt')}\n"
        "assert loaded == {'awscrt', 'awscrt.checksums'}, loaded\n"
    )
    path = checksums.__file__.removesuffix("neve/s3/checksums.py")
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": path})

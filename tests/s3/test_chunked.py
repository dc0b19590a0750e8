"""The decoder of `aws-chunked` bodies: AWS's examples, the SDKs' variants, damage of every kind."""

import hashlib
import io
import time
from collections.abc import Callable

import pytest
from botocore.httpchecksum import AwsChunkedWrapper, Crc32Checksum, Sha256Checksum
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.s3.framed_bodies import (
    CRC32,
    DATA,
    SCOPE,
    UNSIGNED,
    decode,
    frames,
    minio_trailer_body,
    refusal,
    signed_frames,
    signed_minio_trailer_body,
    signed_spec,
    signed_trailer_body,
    trailing,
)
from tests.s3.signed_requests import ACCESS_KEY, NOW, REGION, SECRET_KEY

from neve.s3 import chunked
from neve.s3.chunked import ChunkDecoder, decoded_length_of
from neve.s3.errors import S3Error
from neve.s3.sigv4 import (
    STREAM_SIGNED_TRAILER,
    PayloadSpec,
    Verifier,
)

# AWS, "Signature Calculations: Transferring Payload in Multiple Chunks": 64 KiB and 1 KiB of `a`.
_AWS_CHUNKS = (b"a" * 65_536, b"a" * 1024, b"")


def test_published_example_of_signed_chunks_decodes():
    headers = {
        "content-encoding": "aws-chunked",
        "content-length": "66824",
        "host": "s3.amazonaws.com",
        "x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "x-amz-date": "20130524T000000Z",
        "x-amz-decoded-content-length": "66560",
        "x-amz-storage-class": "REDUCED_REDUNDANCY",
    }
    seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{SCOPE.decode()},"
        f"SignedHeaders={';'.join(headers)},Signature={seed}"
    )
    request = {name.encode(): value.encode() for name, value in headers.items()}
    by = Verifier({ACCESS_KEY: SECRET_KEY}.get, REGION, now=lambda: NOW)
    spec = by.verify("PUT", b"/examplebucket/chunkObject.txt", b"", request).payload
    signatures = (
        b"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        b"0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        b"b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
    )
    body = b"".join(
        b"%x;chunk-signature=%b\r\n%b\r\n" % (len(chunk), signature, chunk)
        for chunk, signature in zip(_AWS_CHUNKS, signatures, strict=True)
    )
    assert len(body) == 66_824
    assert decode(body, decoded_length_of(request), spec, step=5000) == (b"a" * 66_560, {})


def test_published_example_of_signed_trailer_decodes():
    seed = b"106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    signatures = (
        b"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        b"1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        b"2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    )
    body = b"".join(
        b"%x;chunk-signature=%b\r\n%b%b" % (len(chunk), signature, chunk, b"\r\n" if chunk else b"")
        for chunk, signature in zip(_AWS_CHUNKS, signatures, strict=True)
    )
    body += (
        b"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:"
        b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"
    )
    spec = signed_spec(STREAM_SIGNED_TRAILER, seed)
    data, trailers = decode(body, 66_560, spec, [b"x-amz-checksum-crc32c"], step=777)
    assert data == b"a" * 66_560
    assert trailers == {b"x-amz-checksum-crc32c": b"sOO8/Q=="}


@pytest.mark.parametrize("size", [0, 1, 1_048_576, 2_500_000])
@pytest.mark.parametrize(
    ("checksum", "name"),
    [(None, b""), (Crc32Checksum, CRC32), (Sha256Checksum, b"x-amz-checksum-sha256")],
)
def test_bodies_of_botocore_decode(size, checksum, name):
    data = bytes(range(251)) * (size // 251 + 1)
    data = data[:size]
    body = AwsChunkedWrapper(io.BytesIO(data), checksum, name.decode()).read()
    found, trailers = decode(body, size, UNSIGNED, [name] if name else [], step=65_536)
    assert found == data
    if name:
        digest = checksum()
        digest.update(data)
        assert trailers == {name: digest.b64digest().encode()}


def test_small_unsigned_frames_of_short_reads_are_accepted():
    class Trickle(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            return super().read(7)

    body = AwsChunkedWrapper(Trickle(b"x" * 100), Crc32Checksum, CRC32.decode()).read()
    assert body.count(b"\r\n") > 30
    assert decode(body, 100, UNSIGNED, [CRC32])[0] == b"x" * 100


UNSIGNED_ENDS = {
    "final line end": b"0\r\n\r\n",
    "none": b"0\r\n",
    "one too many": b"0\r\n\r\n\r\n",
}
TRAILER_ENDS = {"final line end": b"\r\n", "none": b"", "one too many": b"\r\n\r\n"}


@pytest.mark.parametrize("name", UNSIGNED_ENDS)
def test_endings_of_the_sdks_are_accepted(name):
    assert decode(frames(DATA) + UNSIGNED_ENDS[name], len(DATA)) == (DATA, {})


@pytest.mark.parametrize("name", TRAILER_ENDS)
def test_endings_after_trailers_are_accepted(name):
    body = frames(DATA) + b"0\r\n" + trailing(DATA) + TRAILER_ENDS[name]
    found, trailers = decode(body, len(DATA), UNSIGNED, [CRC32])
    assert (found, list(trailers)) == (DATA, [CRC32])


@pytest.mark.parametrize("end", [b"\r\n", b"", b"\r\n\r\n"])
def test_endings_of_signed_bodies_are_accepted(end):
    body, _ = signed_frames(DATA, b"", end=end)
    assert decode(body, len(DATA), signed_spec()) == (DATA, {})


WHOLE = {
    "unsigned": (frames(b"ab", b"c" * 20, b""), 22, UNSIGNED, ()),
    "trailer": (frames(DATA) + b"0\r\n" + trailing(DATA) + b"\r\n", 8, UNSIGNED, (CRC32,)),
    "signed": (signed_frames(b"a" * 8192, b"bc", b"")[0], 8194, signed_spec(), ()),
    "signed trailer": (signed_trailer_body(), 8, signed_spec(STREAM_SIGNED_TRAILER), (CRC32,)),
    "minio trailer": (minio_trailer_body(), 8, UNSIGNED, (CRC32,)),
    "signed minio trailer": (
        signed_minio_trailer_body(),
        8,
        signed_spec(STREAM_SIGNED_TRAILER),
        (CRC32,),
    ),
    "empty": (b"0\r\n\r\n", 0, UNSIGNED, ()),
}


@pytest.mark.parametrize("name", WHOLE)
def test_result_does_not_depend_on_where_the_body_is_split(name):
    body, length, spec, trailers = WHOLE[name]
    whole = decode(body, length, spec, trailers)
    assert len(whole[0]) == length
    edges = set(range(400)) | set(range(len(body) - 400, len(body)))
    for at in sorted(edge for edge in edges if 0 <= edge <= len(body)):
        out = bytearray()
        decoder = ChunkDecoder(
            spec, out.extend, decoded_length=length, trailer_names=frozenset(trailers)
        )
        decoder.feed(memoryview(body)[:at])
        decoder.feed(memoryview(body)[at:])
        assert (bytes(out), decoder.finish()) == whole
    for step in (1, 2, 3, 7):
        assert decode(body, length, spec, trailers, step=step) == whole


@pytest.mark.parametrize("name", WHOLE)
def test_truncated_body_never_passes_as_whole(name):
    body, length, spec, trailers = WHOLE[name]
    shortest = body.rstrip(b"\r\n") + b"\r\n"
    for at in [*range(min(300, len(shortest))), len(shortest) - 2, len(shortest) - 1]:
        error = refusal(body[:at], length, spec, *trailers)
        assert error.code in ("IncompleteBody", "MalformedTrailerError"), at


def test_data_is_passed_on_at_once_and_in_slices():
    seen: list[memoryview] = []
    decoder = ChunkDecoder(UNSIGNED, seen.append, decoded_length=10, trailer_names=frozenset())
    piece = memoryview(b"a\r\n0123")
    decoder.feed(piece)
    assert [bytes(part) for part in seen] == [b"0123"]
    assert seen[0].obj is piece.obj


def test_answer_of_the_sink_is_handed_back():
    answers = iter(["wait", None, "again", "more"])
    decoder = ChunkDecoder(
        UNSIGNED, lambda _: next(answers), decoded_length=4, trailer_names=frozenset()
    )
    assert decoder.feed(memoryview(b"1\r\na\r\n1\r\nb\r\n")) == "wait"
    assert decoder.feed(memoryview(b"1\r")) is None
    assert decoder.feed(memoryview(b"\nc\r\n1\r\nd\r\n0\r\n")) == "more"
    assert decoder.finish() == {}


def test_decoding_costs_little_besides_hashing():
    chunk = bytes(65_536)
    signed, _ = signed_frames(*[chunk] * 256, b"")
    unsigned = frames(*[chunk] * 256, b"")

    def cost(action: Callable[[], object]) -> float:
        began = time.process_time()
        action()
        return time.process_time() - began

    def run(body: bytes, spec: PayloadSpec) -> None:
        decoder = ChunkDecoder(
            spec, lambda _: None, decoded_length=256 * 65_536, trailer_names=frozenset()
        )
        view = memoryview(body)
        for at in range(0, len(body), 262_144):
            decoder.feed(view[at : at + 262_144])
        decoder.finish()

    hashing = min(cost(lambda: hashlib.sha256(bytes(256 * 65_536))) for _ in range(3))
    assert min(cost(lambda: run(unsigned, UNSIGNED)) for _ in range(3)) < hashing
    assert min(cost(lambda: run(signed, signed_spec())) for _ in range(3)) < 2.5 * hashing


def test_every_kind_of_line_is_bounded():
    decoder = ChunkDecoder(UNSIGNED, lambda _: None, decoded_length=1, trailer_names=frozenset())
    with pytest.raises(S3Error, match="IncompleteBody"):
        for _ in range(chunked.LINE_BYTES_MAX + 1):
            decoder.feed(memoryview(b"1"))


CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=5)


@settings(max_examples=150, deadline=None)
@given(CHUNKS, st.booleans(), st.data())
def test_any_chunks_in_any_pieces_decode(chunks, with_trailer, data):
    whole = b"".join(chunks)
    body = frames(*chunks) + b"0\r\n" + (trailing(whole) if with_trailer else b"") + b"\r\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=6)))
    out = bytearray()
    names = frozenset((CRC32,) if with_trailer else ())
    decoder = ChunkDecoder(UNSIGNED, out.extend, decoded_length=len(whole), trailer_names=names)
    for start, stop in zip([0, *cuts], [*cuts, len(body)], strict=True):
        decoder.feed(memoryview(body)[start:stop])
    assert decoder.finish().keys() == names
    assert out == whole


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_damaged_body_is_refused_or_decodes_to_the_declared_length(name, data):
    body, length, spec, trailers = WHOLE[name]
    near = st.one_of(st.integers(0, min(len(body), 250)), st.integers(max(0, len(body) - 250)))
    at = min(data.draw(near), len(body))
    damage = data.draw(st.binary(max_size=4))
    damaged = body[:at] + damage + body[at + data.draw(st.integers(0, 4)) :]
    step = data.draw(st.sampled_from([None, 1, 3, 100]))
    try:
        found, _ = decode(damaged, length, spec, trailers, step=step)
    except S3Error as error:
        assert error.status in (400, 403)
    else:
        assert len(found) == length
        if spec is not UNSIGNED:
            assert found == decode(body, length, spec, trailers)[0]


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([UNSIGNED, signed_spec()]), st.integers(1, 50))
def test_arbitrary_bytes_are_never_more_than_refused(body, spec, step):
    with pytest.raises(S3Error):
        decode(body, 1_000, spec, step=step)

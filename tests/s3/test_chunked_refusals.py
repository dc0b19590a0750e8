"""Framed bodies that are refused: broken framing, wrong lengths, bad trailers, bad signatures."""

import pytest
from tests.s3.framed_bodies import (
    CRC32,
    DATA,
    SEED,
    UNSIGNED,
    decode,
    frames,
    refusal,
    signed_frames,
    signed_spec,
    signed_trailer_body,
    trailing,
)
from tests.s3.signed_requests import ACCESS_KEY

from neve.s3.chunked import ChunkDecoder, decoded_length_of
from neve.s3.errors import S3Error
from neve.s3.sigv4 import STREAM_SIGNED_TRAILER

BROKEN = {
    "not framed": b"the data and more",
    "no carriage return": frames(DATA, b"").replace(b"\r", b""),
    "no line feed": frames(DATA, b"").replace(b"\n", b""),
    "negative size": b"-8\r\n" + DATA + b"\r\n0\r\n\r\n",
    "prefixed size": b"0x8\r\n" + DATA + b"\r\n0\r\n\r\n",
    "underscore in size": b"0_8\r\n" + DATA + b"\r\n0\r\n\r\n",
    "size of 17 digits": b"0" * 16 + b"8\r\n" + DATA + b"\r\n0\r\n\r\n",
    "no size": b"\r\n" + DATA + b"\r\n0\r\n\r\n",
    "too long a line": b"8" + b" " * 2000 + b"\r\n" + DATA + b"\r\n0\r\n\r\n",
    "data longer than its size": b"7\r\n" + DATA + b"\r\n0\r\n\r\n",
    "no last frame": frames(DATA),
    "half a line end": frames(DATA, b"")[:-1],
    "nothing": b"",
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_framing_is_an_incomplete_body(name):
    error = refusal(BROKEN[name], len(DATA))
    assert (error.code, error.status) == ("IncompleteBody", 400)
    assert error.message == "The request body terminated unexpectedly"


@pytest.mark.parametrize(
    ("body", "provided"),
    [
        (frames(DATA[:4], b"", DATA[4:], b""), 4),
        (frames(DATA + DATA, b""), 16),
        (frames(DATA, b"x", b""), 9),
        (b"ffffffffffffffff\r\n", 2**64 - 1),
    ],
)
def test_length_must_be_the_declared_one(body, provided):
    error = refusal(body, len(DATA))
    assert error.code == "IncompleteBody"
    assert error.message.startswith("You did not provide the number of bytes specified by the Cont")
    assert error.fields == {"NumberBytesExpected": 8, "NumberBytesProvided": provided}


def test_no_byte_over_the_declared_length_reaches_the_sink():
    out = bytearray()
    decoder = ChunkDecoder(UNSIGNED, out.extend, decoded_length=8, trailer_names=frozenset())
    with pytest.raises(S3Error):
        decoder.feed(memoryview(frames(DATA, b"more", b"")))
    assert out == DATA


def test_declared_length_is_required():
    with pytest.raises(S3Error, match="MissingContentLength"):
        decode(b"0\r\n\r\n", None)
    for text in (None, b"", b"x", b"-1", b"1.0", b"\xb2", b"9" * 19):
        headers = {} if text is None else {b"x-amz-decoded-content-length": text}
        with pytest.raises(S3Error) as caught:
            decoded_length_of(headers)
        assert (caught.value.code, caught.value.status) == ("MissingContentLength", 411)
    assert decoded_length_of({b"x-amz-decoded-content-length": b" 12 "}) == 12


TAIL = frames(DATA) + b"0\r\n"
MALFORMED_TRAILERS = {
    "declared but not sent": (TAIL + b"\r\n", (CRC32,)),
    "another than declared": (TAIL + trailing(DATA), (b"x-amz-checksum-sha1",)),
    "sent but not declared": (TAIL + trailing(DATA), ()),
    "one more than declared": (TAIL + trailing(DATA) + b"bonus: trailer\r\n", (CRC32,)),
    "no colon": (TAIL + CRC32 + b"\r\n", (CRC32,)),
    "empty line before": (TAIL + b"\r\n" + trailing(DATA), (CRC32,)),
    "too long": (TAIL + CRC32 + b":" + b"A" * 2000 + b"\r\n", (CRC32,)),
    "too many": (TAIL + trailing(DATA) * 9, (CRC32,)),
    "junk after the end": (TAIL + trailing(DATA) + b"\r\njunk", (CRC32,)),
    "line ends without end": (TAIL + trailing(DATA) + b"\r\n" * 9, (CRC32,)),
    "signature in an unsigned body": (
        TAIL + trailing(DATA) + b"x-amz-trailer-signature:" + SEED + b"\r\n",
        (CRC32,),
    ),
}


@pytest.mark.parametrize("name", MALFORMED_TRAILERS)
def test_malformed_trailers_are_refused(name):
    body, names = MALFORMED_TRAILERS[name]
    error = refusal(body, len(DATA), UNSIGNED, *names)
    assert (error.code, error.status) == ("MalformedTrailerError", 400)


@pytest.mark.parametrize("end", [b"\n", b"\r", b""])
def test_trailer_without_its_line_end_is_incomplete(end):
    body = TAIL + trailing(DATA)[:-2] + end
    assert refusal(body, len(DATA), UNSIGNED, CRC32).code == "IncompleteBody"


def test_of_a_repeated_trailer_the_last_counts():
    body = TAIL + CRC32.upper() + b":  AAAA \r\n" + trailing(DATA)
    assert (
        decode(body, 8, UNSIGNED, [CRC32])[1]
        == decode(TAIL + trailing(DATA), 8, UNSIGNED, [CRC32])[1]
    )


def mismatch_of(error: S3Error, kind: str) -> dict[str, object]:
    assert (error.code, error.status) == ("SignatureDoesNotMatch", 403)
    assert error.fields["StringToSign"].startswith(f"AWS4-HMAC-SHA256-{kind}\n20130524T000000Z\n")
    assert error.fields["AWSAccessKeyId"] == ACCESS_KEY
    return error.fields


def test_changed_byte_of_a_signed_body_is_detected_before_finish():
    good, _ = signed_frames(DATA, b"")
    for body in (
        good.replace(DATA, DATA.upper()),
        good.replace(b"8;chunk-signature=", b"8;chunk-signature=0"),
        good[:-20] + b"0" * 16 + good[-4:],
        good.replace(b"0;", b"0;extra=param;"),
        good.replace(DATA, b";x\r\n" + DATA[4:]),
    ):
        assert body != good
        decoder = ChunkDecoder(
            signed_spec(), lambda _: None, decoded_length=8, trailer_names=frozenset()
        )
        with pytest.raises(S3Error) as caught:
            decoder.feed(memoryview(body))
        mismatch_of(caught.value, "PAYLOAD")
        with pytest.raises(S3Error, match="IncompleteBody"):
            decoder.feed(memoryview(b"0\r\n\r\n"))
        with pytest.raises(S3Error, match="IncompleteBody"):
            decoder.finish()


def test_signed_frames_cannot_be_swapped_or_dropped():
    one, two = b"1" * 8192, b"2" * 8192
    first, _, rest = signed_frames(one, two, b"")[0].partition(b"\r\n" + one + b"\r\n")
    second = signed_frames(one, two, b"")[0][len(first) + 8196 :]
    assert rest == second
    mismatch_of(refusal(second, 8192, signed_spec()), "PAYLOAD")
    other_seed = signed_spec(seed=b"1" * 64)
    mismatch_of(refusal(signed_frames(one, b"")[0], 8192, other_seed), "PAYLOAD")


@pytest.mark.parametrize("extension", [b"", b";", b";chunk-signature", b";chunk-signature="])
def test_frame_without_signature_in_a_signed_body_is_incomplete(extension):
    body = b"8%b\r\n%b\r\n0\r\n\r\n" % (extension, DATA)
    assert refusal(body, 8, signed_spec()).code == "IncompleteBody"


def test_spaces_around_the_signature_are_nothing():
    good, _ = signed_frames(DATA, b"")
    spaced = good.replace(b";chunk-signature=", b" ; chunk-signature = ")
    assert decode(spaced, 8, signed_spec())[0] == DATA


def test_only_the_last_signed_frame_may_be_small():
    body, _ = signed_frames(b"x" * 1024, b"y" * 4096, b"")
    error = refusal(body, 5120, signed_spec())
    assert (error.code, error.status) == ("InvalidChunkSizeError", 403)
    assert error.message == "Only the last chunk is allowed to have a size less than 8192 bytes"
    assert error.fields == {"Chunk": 2, "BadChunkSize": 1024}
    ragged = [b"x" * 15_000, b"y" * 8192, b"z" * 16_000, b"last"]
    body, _ = signed_frames(*ragged, b"")
    assert decode(body, 39_196, signed_spec())[0] == b"".join(ragged)


def test_signature_of_the_trailers_is_required_and_verified():
    spec = signed_spec(STREAM_SIGNED_TRAILER)
    good = signed_trailer_body()
    head, _, signature = good.partition(b"x-amz-trailer-signature:")
    assert refusal(head + b"\r\n", 8, spec, CRC32).code == "IncompleteBody"
    changed = good.replace(trailing(DATA), trailing(b"other"))
    fields = mismatch_of(refusal(changed, 8, spec, CRC32), "TRAILER")
    assert fields["SignatureProvided"] == signature.strip().decode()
    late = good[:-2] + trailing(DATA)
    assert refusal(late, 8, spec, CRC32).code == "MalformedTrailerError"

"""What bytes are taken for."""

import random

import pytest

from neve.panel.reading.texts import Text, decoded


def test_utf_8_comes_first() -> None:
    assert decoded("größer".encode(), whole=True) == Text("größer", "")
    assert decoded("größ".encode()[:-1], whole=False) == Text("grö", "")


def test_what_older_programs_write() -> None:
    assert decoded("Höhe 5 €".encode("cp1252"), whole=True) == Text("Höhe 5 €", "Windows-1252")
    for codec, mark in (("utf-16-le", b"\xff\xfe"), ("utf-16-be", b"\xfe\xff")):
        data = mark + "Höhe 🧊".encode(codec)
        assert decoded(data, whole=True) == Text("Höhe 🧊", "UTF-16")
        assert decoded(data[:-2], whole=False) == Text("Höhe ", "UTF-16")
        assert decoded(data[:-1], whole=False) == Text("Höhe ", "UTF-16")


@pytest.mark.parametrize(
    "data",
    [b"a\0b", b"\xff\xfe\x01\x00", b"\xff\xfe\x00\xd8\x00\xd8", bytes(range(128, 256)), b"ab\x81"],
)
def test_what_is_no_text(data: bytes) -> None:
    assert decoded(data, whole=True) is None


def test_no_text_is_found_in_noise() -> None:
    noise = random.Random(7)
    for _ in range(200):
        assert decoded(noise.randbytes(256), whole=False) is None

"""Zip archives: read by others, and names that are safe and never the same twice."""

import io
import random
import struct
import zipfile
from datetime import UTC, datetime
from pathlib import PurePosixPath, PureWindowsPath

import pytest

from neve.panel.zipping import Names, Zip

NOW = datetime(2026, 11, 28, 12, 30, 42, tzinfo=UTC)


def made(files: dict[str, bytes]) -> bytes:
    archive, out = Zip(), io.BytesIO()
    for name, content in files.items():
        for piece in archive.add(name, len(content), NOW, [content[:3], content[3:]]):
            out.write(piece)
    for piece in archive.end():
        out.write(piece)
    archive.close()
    return out.getvalue()


def test_others_read_what_was_written() -> None:
    files = {"a": b"", "d/": b"", "d/b.bin": bytes(range(256)) * 50, "d/é 日本": b"x"}
    with zipfile.ZipFile(io.BytesIO(made(files))) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == files
        assert archive.getinfo("a").date_time == (2026, 11, 28, 12, 30, 42)
        assert archive.getinfo("d/").is_dir()


def test_more_files_than_old_archives_count() -> None:
    with zipfile.ZipFile(io.BytesIO(made({f"{n}": b"" for n in range(70_000)}))) as archive:
        assert len(archive.namelist()) == 70_000


def test_files_and_offsets_beyond_4_gib() -> None:
    """The bytes are counted, not kept: the directory alone is read, with a hole before it."""
    archive, size, piece = Zip(), (4 << 30) + 5, bytes(1 << 20)
    pieces = [piece] * (size >> 20) + [b"tail!"]
    length, last = 0, b""
    for last in archive.add("large", size, NOW, pieces):
        length += len(last)
    assert struct.unpack("<IIQQ", last)[2:] == (size, size)
    start = length
    length += sum(map(len, archive.add("behind", 2, NOW, [b"hi"])))
    tail = b"".join(archive.end())
    archive.close()

    class Hole(io.RawIOBase):
        """`length` bytes that nobody reads, then the directory."""

        def __init__(self) -> None:
            self.at = 0

        def seekable(self) -> bool:
            return True

        def seek(self, offset: int, whence: int = 0) -> int:
            self.at = offset + (0, self.at, length + len(tail))[whence]
            return self.at

        def tell(self) -> int:
            return self.at

        def read(self, count: int = -1) -> bytes:
            assert self.at >= length
            found = tail[self.at - length :][: count if count >= 0 else None]
            self.at += len(found)
            return found

    with zipfile.ZipFile(Hole()) as found:  # type: ignore[arg-type]
        large, behind = found.infolist()
    assert (large.file_size, large.compress_size, large.header_offset) == (size, size, 0)
    assert (behind.file_size, behind.header_offset) == (2, start)
    assert large.CRC != 0


def test_file_of_another_size_than_was_said_breaks_the_archive() -> None:
    archive = Zip()
    with pytest.raises(ValueError, match="2 bytes came of 3"):
        list(archive.add("x", 3, NOW, [b"ab"]))
    archive.close()


KEYS = [
    "a", "a-b", "a/b", "a/b/c", "a//b", "/abs", "//abs", "../up", "a/../../b", "..", ".", "./x",
    "C:/windows", "c:x", "a\\..\\b", "new\nline", "_missing.txt", "d/_missing.txt", "d/", "d/e/",
    "x~0123456789abcdef", "x~0123456789abcdef/", "é", "日本/🌍", "a~b", "_/x", "end/..",
]  # fmt: skip


def names_of(keys: list[str]) -> dict[str, str]:
    given = Names()
    return {key: given.of(key) for key in sorted(keys, key=str.encode)}


def check(names: dict[str, str]) -> None:
    found = list(names.values())
    assert len(set(found)) == len(found)
    files = {name for name in found if not name.endswith("/")}
    for name in found:
        assert not PurePosixPath(name).is_absolute() and not PureWindowsPath(name).drive
        assert not {"..", ".", ""} & set(name.removesuffix("/").replace("\\", "/").split("/"))
        above = {str(parent) for parent in PurePosixPath(name).parents}
        assert not above & files, name


def test_names_are_safe_and_all_different() -> None:
    names = names_of(KEYS)
    check(names)
    for plain in ("a", "a-b", "é", "日本/🌍", "a~b", "d/", "d/e/", "d/_missing.txt", "_/x"):
        assert names[plain] == plain


def test_names_of_any_keys_are_all_different() -> None:
    chance = random.Random(7)
    for _ in range(300):
        parts = ["", ".", "..", "_", "a", "b", "a~b", "C:", "\\"]
        keys = {
            "/".join(chance.choice(parts) for _ in range(chance.randint(1, 4))) for _ in range(40)
        } - {""}
        first = names_of(list(keys))
        check(first)
        # Somebody who knows the names of the first archive cannot make two be the same.
        check(names_of(list({*keys, *(name for name in first.values())})))

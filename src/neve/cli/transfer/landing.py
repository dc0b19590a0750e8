"""Files that arrive: written beside their place under a hidden name, synced, renamed when whole.

Invariants: a key never leads out of the folder it is copied to (`..`, absolute names, empty
components and NUL are refused); what another process is writing is not touched; the hidden name is
the same each time, so that what a killed process has left is gone on with or written over by the
next; no file of another name is ever written under a hidden one.
"""

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
import threading
from typing import Self

from neve.client.errors import ClientError

SUFFIX = ".neve-part"
_NAME_BYTES_MAX = 255
_RESERVE_FROM = 1 << 20
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
_WRITE_BYTES = 1 << 18
"""At once. A write has the page cache allocate blocks of its size; those of 1 MiB a virtual machine
that gives free memory back to its host has to get from there: 8 s for 2 GiB instead of 0.5."""


def is_temporary(name: str) -> bool:
    """Whether a file of this name is one that is being written."""
    return name.startswith(".") and name.endswith(SUFFIX)


def path_of(folder: str, name: str) -> str:
    """Return where the object of that name lands below the folder. Raises: ClientError."""
    parts = name.rstrip("/").split("/")
    bad = next((part for part in parts if part in ("", ".", "..")), None)
    if bad is not None or "\0" in name:
        what = "the sign NUL" if "\0" in name else f"the component {bad!r}"
        raise ClientError(
            f"the key {name!r} cannot name a file below {folder or '.'}: it has {what}.",
            "BadName",
            name,
        )
    return os.path.join(folder, *parts)


class Names:
    """What a run writes to: two sources may have one target, and on some file systems two names.

    Sources that follow each other as keys do are told apart by remembering few of them: what a name
    begins with. `several` sources named by the user have no such order, and all are remembered.
    """

    def __init__(self) -> None:
        self.several = False
        self._folds: bool | None = None
        self._seen: dict[str, tuple[str, str]] = {}
        self._above: list[tuple[str, str]] = []

    def check_file(self, path: str, source: str) -> None:
        """Take note of a file. Raises: ClientError when it would be written over another."""
        if self._folds is None:
            self._folds = folds_case(os.path.dirname(path) or ".")
        if self._folds or self.several:
            self._check(path.casefold() if self._folds else path, path, source)
            return
        while self._above and not path.startswith(self._above[-1][0]):
            self._above.pop()
        if not self._above or self._above[-1][0] != path:
            self._above.append((path, source))
        _tell_apart(self._above[-1], path, source)

    def check_object(self, target: str, source: str) -> None:
        """Take note of an object. Raises: ClientError as `check_file`."""
        if self.several:
            self._check(target, target, source)

    def _check(self, name: str, target: str, source: str) -> None:
        _tell_apart(self._seen.setdefault(name, (target, source)), target, source)


def _tell_apart(first: tuple[str, str], target: str, source: str) -> None:
    if first[0] != target:
        sentence = f"{target} and {first[0]} are one file here: names do not differ by case."
        raise ClientError(sentence, "BadName", target)
    if first[1] != source:
        sentence = f"{source} and {first[1]} cannot both be {target}: the former stays out."
        raise ClientError(sentence, "BadName", source)


def folds_case(folder: str) -> bool:
    """Whether the file system of a folder, which may not exist yet, ignores case."""
    while folder and not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    try:
        with tempfile.NamedTemporaryFile(prefix=".neve-Case-", suffix=SUFFIX, dir=folder) as file:
            return os.path.exists(os.path.join(folder, os.path.basename(file.name).swapcase()))
    except OSError:
        return False  # What follows will say why nothing can be written there.


class Landing:
    """A file that is being written. `commit` it, or leave the context, which takes it away."""

    def __init__(self, path: str, size: int = 0, *, goes_on: bool = False) -> None:
        """`size` is reserved, so that a full disk is known before the bytes are sent.

        `goes_on`: what an earlier one has left is still there, and the caller judges it.
        """
        self.path = path
        self._goes_on = goes_on
        _check(path)
        folder, base = os.path.split(path)
        self._temporary = os.path.join(folder, _hidden(base))
        try:
            self.file = self._open()
        except (FileNotFoundError, NotADirectoryError):
            os.makedirs(folder or ".", exist_ok=True)
            self.file = self._open()
        self._committed = False
        self._writing = threading.Lock()
        if size >= _RESERVE_FROM:
            try:
                os.posix_fallocate(self.file, 0, size)
            except OSError:
                self.abort()
                raise

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        while True:
            file = os.open(self._temporary, flags, 0o666)
            try:
                if self._made_ready(file):
                    return file
            except BaseException:
                os.close(file)
                raise
            os.close(file)  # Another process gave it its name just now: it is not ours.

    def _made_ready(self, file: int) -> bool:
        """Lock and empty the file; return whether it still has its name."""
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            sentence = (
                f"{self.path} is being written already, for another key or by another process."
            )
            raise ClientError(sentence, "Busy", self.path) from error
        except OSError as error:
            # Lustre mounted without flock, say: then nobody guards against a second writer.
            if error.errno not in _NO_LOCKS:
                raise
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            sentence = f"{self._temporary} is no leftover of a download; remove it."
            raise ClientError(sentence, "SpecialFile", self.path)
        if not _is_at(found, self._temporary):
            return False
        if found.st_size and not self._goes_on:
            os.ftruncate(file, 0)
        return True

    def write(self, data: bytes | memoryview, position: int) -> None:
        """Write all bytes at the position."""
        view = memoryview(data)
        # One at a time: the kernel locks the file anyway, and those who wait there spin. For 2 GiB
        # in ranges that was 6.2 s instead of 3.5 on two cores.
        with self._writing:
            while view:
                count = os.pwrite(self.file, view[:_WRITE_BYTES], position)
                view, position = view[count:], position + count

    def start_writing_out(self, position: int, size: int) -> None:
        """Have the kernel begin to put so many bytes on the disk, so that `commit` waits less."""
        # It drops clean pages only, and these are dirty: their writing begins, and they stay.
        os.posix_fadvise(self.file, position, size, os.POSIX_FADV_DONTNEED)

    def commit(self, modified: float | None = None) -> None:
        """Give the file its name, once its bytes are on the disk."""
        if modified is not None:
            os.utime(self.file, (modified, modified))
        os.fdatasync(self.file)
        os.replace(self._temporary, self.path)
        self._committed = True
        os.close(self.file)
        self.file = -1

    def abort(self) -> None:
        """Take the file away unless it has got its name."""
        self.close(keep=False)

    def close(self, *, keep: bool) -> None:
        """Let go of the file; one that has not got its name is taken away unless it is kept."""
        if self.file < 0:
            return
        if not self._committed and not keep:
            # Its folder may have been removed under us, or become one that is only read.
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)
        os.close(self.file)
        self.file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.abort()


def make_folder(path: str) -> None:
    """Make the folder that an object with a slash at its end stands for."""
    os.makedirs(path, exist_ok=True)


def _check(path: str) -> None:
    """Raises: ClientError when a file cannot be put there without harm."""
    if is_temporary(os.path.basename(path)):
        sentence = f"{path}: a name of this form is for files that are not whole yet."
        raise ClientError(sentence, "BadName", path)
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    if stat.S_ISDIR(mode):
        sentence = f"{path} is a folder, and the object wants to be a file of this name."
        raise ClientError(sentence, "BadName", path)
    if not stat.S_ISREG(mode):
        raise ClientError(
            f"{path} is a device or a pipe: use neve cat … > {path}", "SpecialFile", path
        )


def _hidden(base: str) -> str:
    name = f".{base}{SUFFIX}"
    if len(os.fsencode(name)) <= _NAME_BYTES_MAX:
        return name
    import hashlib

    return f".{hashlib.sha256(os.fsencode(base)).hexdigest()}{SUFFIX}"


def _is_at(found: os.stat_result, path: str) -> bool:
    """Whether the file that was opened still has this name."""
    try:
        return os.path.samestat(found, os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False

"""The folder of a store: whose it is, whether it may be served, who serves it, and its root keys.

    DATA/neve.json               format version, store id, when created
    DATA/lock                    held (flock) by the one server of the folder; contains its pid
    DATA/root-credentials.json   root keys, when the environment gave none (mode 0600)
    DATA/store-key.json          key that seals secrets, unless it is kept elsewhere (mode 0600)
    DATA/catalog.db  segments/  files/     written by the catalog and the blob store

A folder becomes a store only by a durable `neve.json`, written last; one that was interrupted
before that counts as empty. Every refusal is a `StoreRefused` of one sentence.
"""

import errno
import fcntl
import json
import os
import secrets
import string
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from neve import __version__, clock
from neve.errors import StoreRefused

FORMAT = 1
LOCK_WAIT_S = 3.0

_MARK = "neve.json"
CREDENTIALS = "root-credentials.json"
_DIRECTORIES = ("segments", "files")
_IGNORED = frozenset({"lock", _MARK + ".tmp", CREDENTIALS, "lost+found", *_DIRECTORIES})
"""Names that do not make a folder somebody else's: ours before the mark, and ext4's own."""

# SQLite's WAL needs memory shared between processes and locks that hold: not over a network.
_NETWORK = frozenset(
    {
        "9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre",
        "ncpfs", "nfs", "nfs4", "ocfs2", "prl_fs", "pvfs2", "smb2", "smb3", "smbfs", "vboxsf",
        "fuse.ceph", "fuse.cephfs", "fuse.davfs", "fuse.gcsfuse", "fuse.glusterfs",
        "fuse.goofys", "fuse.juicefs", "fuse.mount-s3", "fuse.moosefs", "fuse.mfs",
        "fuse.rclone", "fuse.s3fs", "fuse.seaweedfs", "fuse.smbnetfs", "fuse.sshfs",
    }
)  # fmt: skip


class RootKeys(NamedTuple):
    """The keys of the principal that may do everything."""

    access_key: str
    secret_key: str
    created: bool
    """Made by this very call."""


@dataclass(slots=True)
class Folder:
    """A store's folder, locked by this process and by those it forks."""

    path: str
    store_id: str
    created: bool
    """Made by this very call."""
    lock: int
    """Descriptor that holds the lock for as long as any process has it open."""

    def close(self) -> None:
        """Give the lock back."""
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


def open_folder(path: str, *, create: bool = True) -> Folder:
    """Check the folder, create it if it is absent or empty, and lock it.

    Raises: StoreRefused.
    """
    try:
        return _open(path, create)
    except OSError as error:
        raise StoreRefused(_explain(path, error)) from error


def check_store(path: str) -> None:
    """Raise StoreRefused unless there is a store of a known format at `path`; served or not."""
    if not os.path.isdir(path):
        raise StoreRefused(f"There is no store at {path}.")
    try:
        _check_contents(path, create=False)
        _read_mark(path)
    except OSError as error:
        raise StoreRefused(_explain(path, error)) from error


def store_id(path: str) -> str:
    """Return the id of the store at `path`: 32 hex digits. Raises: StoreRefused, OSError."""
    mark = _read_mark(path)
    if mark is None:
        raise StoreRefused(f"There is no store at {path}.")
    return str(mark["store"])


def root_keys(path: str) -> RootKeys:
    """Return the root keys kept in the folder, made now if there are none.

    Raises: StoreRefused.
    """
    file = os.path.join(path, CREDENTIALS)
    try:
        with open(file, "rb") as stream:
            stored = json.load(stream)
        return RootKeys(stored["access_key"], stored["secret_key"], created=False)
    except FileNotFoundError:
        pass
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreRefused(
            f"The root keys in {file} cannot be read:"
            " restore the file, or delete it to get new ones."
        ) from error
    keys = RootKeys(
        _random(string.ascii_uppercase + string.digits, 20),
        _random(string.ascii_letters + string.digits, 40),
        created=True,
    )
    document = {"access_key": keys.access_key, "secret_key": keys.secret_key}
    try:
        write_durably(file, document, mode=0o600)
    except OSError as error:
        raise StoreRefused(_explain(path, error)) from error
    return keys


def write_durably(file: str, document: dict[str, Any], mode: int = 0o640) -> None:
    """Replace a JSON file so that a crash leaves the old one or the new one, whole."""
    temporary = file + ".tmp"
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with open(fd, "w", encoding="utf-8") as stream:
        os.fchmod(fd, mode)
        json.dump(document, stream, indent=1)
        stream.write("\n")
        stream.flush()
        os.fsync(fd)
    os.rename(temporary, file)
    _sync_directory(os.path.dirname(file))


def file_system_of(path: str, mounts: str = "/proc/self/mountinfo") -> str:
    """Return the type of the file system that holds `path`, "" when it cannot be told."""
    path = os.path.realpath(path)
    best, kind = "", ""
    try:
        with open(mounts, encoding="utf-8", errors="surrogateescape") as stream:
            for line in stream:
                left, _, right = line.partition(" - ")
                point = left.split(" ")[4].replace("\\040", " ")
                inside = path == point or path.startswith(point.rstrip("/") + "/")
                # The last mount at a point is the one seen.
                if inside and len(point) >= len(best):
                    best, kind = point, right.split(" ")[0]
    except (OSError, IndexError):
        return ""
    return kind


def _open(path: str, create: bool) -> Folder:
    if os.path.isdir(path):
        _check_contents(path, create)
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, "", path)
    elif not create:
        raise StoreRefused(f"There is no store at {path}.")
    kind = file_system_of(path)
    if kind in _NETWORK:
        raise StoreRefused(
            f"{path} is on a network file system ({kind}), where SQLite's log is not safe:"
            " choose a folder on a local disk."
        )
    if not os.path.isdir(path):
        os.mkdir(path, 0o750)
        _sync_directory(os.path.dirname(path))
    lock = _lock(path)
    try:
        mark, created = _read_mark(path), False
        if mark is None:
            mark, created = _create(path), True
        return Folder(path, mark["store"], created, lock)
    except BaseException:
        os.close(lock)
        raise


def _check_contents(path: str, create: bool) -> None:
    names = set(os.listdir(path))
    if _MARK in names:
        return
    if ".minio.sys" in names:
        raise StoreRefused(
            f"{path} is a drive of a MinIO server: give Neve a folder of its own,"
            f" then move in with `neve import minio-drive {path} FOLDER`."
        )
    if names - _IGNORED:
        raise StoreRefused(
            f"{path} is not empty and not a Neve store: choose an empty or a new folder."
        )
    if not create:
        raise StoreRefused(f"There is no store at {path}.")


def _lock(path: str) -> int:
    file = os.path.join(path, "lock")
    fd = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    deadline = time.monotonic() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError as error:
            holder = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
            # A holder that is gone left children behind that are about to end.
            if time.monotonic() > deadline or _is_alive(holder):
                os.close(fd)
                raise StoreRefused(
                    f"{path} is served already by process {holder or 'unknown'}:"
                    " one server per folder."
                ) from error
            time.sleep(0.02)
    os.ftruncate(fd, 0)
    os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    return fd


def _is_alive(pid: str) -> bool:
    return not pid.isdigit() or os.path.exists(f"/proc/{pid}")


def _read_mark(path: str) -> dict[str, Any] | None:
    file = os.path.join(path, _MARK)
    try:
        with open(file, "rb") as stream:
            mark = json.load(stream)
        number, store = mark["format"], mark["store"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise StoreRefused(f"{file} is damaged: restore it from a backup.") from error
    if not isinstance(number, int) or not isinstance(store, str):
        raise StoreRefused(f"{file} is damaged: restore it from a backup.")
    if number > FORMAT:
        raise StoreRefused(
            f"{path} was written by a newer Neve (format {number}, this one knows {FORMAT}):"
            " upgrade Neve."
        )
    return {"format": number, "store": store}


def _create(path: str) -> dict[str, Any]:
    for name in _DIRECTORIES:
        os.makedirs(os.path.join(path, name), 0o750, exist_ok=True)
    mark = {
        "format": FORMAT,
        "store": clock.new_id(),
        "created": datetime.fromtimestamp(clock.now_us() / 1e6, UTC).isoformat(timespec="seconds"),
        "version": __version__,
    }
    write_durably(os.path.join(path, _MARK), mark)
    return mark


def _sync_directory(path: str) -> None:
    fd = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _random(alphabet: str, length: int) -> str:
    return "".join(secrets.choice(alphabet) for _ in range(length))


def _explain(path: str, error: OSError) -> str:
    """Return one sentence for a system error on the way to serving `path`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk of {path} is full: free some space first."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path} is not writable by this user: choose another folder or change its rights."
    if error.errno == errno.ENOENT:
        return f"The folder that should hold {path} does not exist: create it first."
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return f"{path} is not a folder."
    return f"{path} cannot be used: {os.strerror(error.errno or 0)}."

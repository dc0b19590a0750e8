"""SQLite's own file writes, in the same recording as those of a `RecordingDisk`.

What SQLite keeps in its -shm file does not outlive a crash and is not recorded.
"""
# ruff: noqa: N802 - the names of the methods are apsw's

import os

import apsw

from neve.testing.disks import Operation, Recording


class RecordingVFS(apsw.VFS):
    """The system's own VFS, with everything below the recorded folder written down.

    Give `name` to `SqliteCatalog` as its `vfs`; call `unregister` when done.
    """

    def __init__(self, name: str, recording: Recording) -> None:
        self.name = name
        self._recording = recording
        super().__init__(name, base="")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        relative = None if path is None else self._recording.relative(path)
        if relative is None:
            return apsw.VFSFile("", name, flags)
        with self._recording.lock:
            new = not os.path.exists(os.path.join(self._recording.root, relative))
            opened = _RecordedFile(name, flags, self._recording, relative, new)
            self._recording.file(relative)
            return opened

    def xDelete(self, filename: str, syncdir: bool) -> None:
        with self._recording.lock:
            super().xDelete(filename, syncdir)
            relative = self._recording.relative(filename)
            if relative is not None:
                self._recording.add(Operation("unlink", relative))
                if syncdir:
                    self._recording.add(Operation("sync_dir", os.path.dirname(relative)))


_SYNCS_ITS_NAME = (
    apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
)


class _RecordedFile(apsw.VFSFile):
    def __init__(
        self,
        name: str | apsw.URIFilename | None,
        flags: list[int],
        recording: Recording,
        path: str,
        new: bool,
    ) -> None:
        # SQLite's own VFS syncs the directory at the first sync of a journal that it created.
        self._name_unsynced = new and bool(flags[0] & _SYNCS_ITS_NAME)
        super().__init__("", name, flags)
        self._recording = recording
        self._path = path
        self._file = recording.file(path)

    def xWrite(self, data: bytes, offset: int) -> None:
        with self._recording.lock:
            super().xWrite(data, offset)
            self._add("write", offset, bytes(data))

    def xTruncate(self, newsize: int) -> None:
        with self._recording.lock:
            super().xTruncate(newsize)
            self._add("truncate", newsize)

    def xSync(self, flags: int) -> None:
        with self._recording.lock:
            super().xSync(flags)
            self._add("sync")
            if self._name_unsynced:
                self._name_unsynced = False
                self._recording.add(Operation("sync_dir", os.path.dirname(self._path)))

    def _add(self, name: str, offset: int = 0, data: bytes = b"") -> None:
        self._recording.add(Operation(name, self._path, self._file, offset, data))

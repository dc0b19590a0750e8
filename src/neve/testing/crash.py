"""What a power cut, or the end of every process, leaves of a recorded folder.

A kill leaves all that was done. Before a power cut the disk promised only what was synced: the
bytes of a file by a sync of the file, names by a sync of their directory. Of everything else any
part may be there, in any order, large writes torn at sectors. A seed chooses; the same seed gives
the same folder.
"""

import os
import random
from collections.abc import Sequence

from neve.testing.disks import DATA_OPERATIONS, Operation

SECTOR = 512

_LIKELY = (0.0, 0.2, 0.5, 0.8, 1.0)


def crash_image(log: Sequence[Operation], upto: int, seed: int, target: str) -> None:
    """Make the folder `target`, empty so far, look as after a power cut that followed the first
    `upto` operations."""
    chance = random.Random(f"{seed}/{upto}")
    image = _Image()
    for operation in log[:upto]:
        image.do(operation)
    image.cut_power(chance)
    image.store(target)


def kill_image(log: Sequence[Operation], upto: int, target: str) -> None:
    """Make the folder `target`, empty so far, look as after a kill of every process that followed
    the first `upto` operations."""
    image = _Image()
    for operation in log[:upto]:
        image.do(operation)
    image.keep()
    image.store(target)


class _Image:
    """The folder as the disk holds it for sure, and what it may hold besides."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        """Durable names: the number of the file, 0 for a directory."""
        self.contents: dict[int, bytearray] = {}
        self._unsynced_data: dict[int, list[Operation]] = {}
        self._unsynced_names: list[Operation] = []

    def do(self, operation: Operation) -> None:
        if operation.name in DATA_OPERATIONS:
            self._unsynced_data.setdefault(operation.file, []).append(operation)
        elif operation.name == "sync":
            for change in self._unsynced_data.pop(operation.file, ()):
                self._change(change)
        elif operation.name == "sync_dir":
            self._sync_dir(operation.path)
        else:
            self._unsynced_names.append(operation)

    def keep(self) -> None:
        """Let everything reach the disk."""
        for operation in self._unsynced_names:
            self._rename(operation)
        for changes in self._unsynced_data.values():
            for change in changes:
                self._change(change)

    def cut_power(self, chance: random.Random) -> None:
        """Let chance decide about everything that was not synced."""
        named = chance.choice(_LIKELY)
        likely = chance.choice(_LIKELY)
        lost: set[str] = set()
        for operation in self._unsynced_names:
            names = {operation.path, operation.target} - {""}
            # Of one name, changes survive in order; different names are independent.
            if names & lost or chance.random() >= named:
                lost |= names
            else:
                self._rename(operation)
        for changes in self._unsynced_data.values():
            for change in changes:
                if chance.random() < likely:
                    self._change(change)
                elif change.name == "write" and chance.random() < 0.7:
                    self._tear(change, chance)

    def store(self, target: str) -> None:
        for path, number in sorted(self.names.items()):
            parent = os.path.dirname(path)
            if parent and self.names.get(parent) != 0:
                continue
            if number == 0:
                if os.path.isdir(os.path.join(target, parent)):
                    os.mkdir(os.path.join(target, path))
            elif os.path.isdir(os.path.join(target, parent)):
                with open(os.path.join(target, path), "wb") as file:
                    file.write(self.contents.get(number, b""))

    def _sync_dir(self, folder: str) -> None:
        left = []
        for operation in self._unsynced_names:
            if folder in (
                os.path.dirname(operation.path),
                os.path.dirname(operation.target or "/"),
            ):
                self._rename(operation)
            else:
                left.append(operation)
        self._unsynced_names = left

    def _rename(self, operation: Operation) -> None:
        if operation.name in ("create", "mkdir"):
            self.names[operation.path] = operation.file
        elif operation.name in ("unlink", "rmdir"):
            self.names.pop(operation.path, None)
        elif operation.name == "rename" and operation.path in self.names:
            self.names[operation.target] = self.names.pop(operation.path)

    def _change(self, change: Operation) -> None:
        content = self.contents.setdefault(change.file, bytearray())
        if change.name == "truncate":
            del content[change.offset :]
            content.extend(bytes(change.offset - len(content)))
            return
        content.extend(bytes(max(0, change.offset - len(content))))
        content[change.offset : change.offset + len(change.data)] = change.data

    def _tear(self, write: Operation, chance: random.Random) -> None:
        """Let some of the sectors of a write reach the disk."""
        at, stop = write.offset, write.offset + len(write.data)
        while at < stop:
            edge = min(stop, (at // SECTOR + 1) * SECTOR)
            if chance.random() < 0.5:
                data = write.data[at - write.offset : edge - write.offset]
                self._change(write._replace(offset=at, data=data))
            at = edge

"""What was begun and not ended, so that the same command goes on where it stopped.

Two kinds of files in the user's folder, `transfers/`: of each multipart upload under way its id and
what it is made of; of each mirror what has arrived, a line per object. Both go away when all is
done. Lost or damaged, they cost work, never data: everything they say is checked again.
"""

import hashlib
import json
import os
import threading
from typing import IO, Any

UploadState = dict[str, Any]


class Uploads:
    """Multipart uploads that may be gone on with."""

    def __init__(self, folder: str) -> None:
        self._folder = os.path.join(folder, "transfers")

    def load(self, name: str) -> UploadState | None:
        """Return what was saved under the name, None when there is nothing of use."""
        try:
            with open(self._path(name)) as stream:
                found = json.load(stream)
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and found.get("name") == name else None

    def save(self, name: str, state: UploadState) -> None:
        """Keep the state, whole or not at all."""
        path = self._path(name)
        try:
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            with open(f"{path}.new", "w") as stream:
                json.dump(state | {"name": name}, stream)
            os.replace(f"{path}.new", path)
        except OSError:
            pass  # A home that cannot be written to: then an interruption costs more.

    def forget(self, name: str) -> None:
        """The upload has ended."""
        try:
            os.unlink(self._path(name))
        except OSError:
            pass  # It was never there, or cannot be removed: what it says is checked before use.

    def _path(self, name: str) -> str:
        return os.path.join(self._folder, f"upload-{_short(name)}.json")


class MirrorJournal:
    """What of a mirror has arrived: for each name what it was at the source."""

    def __init__(self, folder: str, source: str, target: str) -> None:
        self._folder = os.path.join(folder, "transfers")
        self._path = os.path.join(self._folder, f"mirror-{_short(f'{source} {target}')}.jsonl")
        self._lock = threading.Lock()
        self._stream: IO[str] | None = None
        self._arrived = self._load()

    @property
    def begun(self) -> int:
        """How many objects an earlier run has brought."""
        return len(self._arrived)

    def arrived(self, name: str, fingerprint: str) -> bool:
        """Whether this state of the source has arrived already."""
        return self._arrived.get(name) == fingerprint

    def note(self, name: str, fingerprint: str) -> None:
        """It has arrived."""
        with self._lock:
            try:
                if self._stream is None:
                    os.makedirs(self._folder, mode=0o700, exist_ok=True)
                    self._stream = open(self._path, "a")  # noqa: SIM115 - closed by `close`
                    if self._arrived:
                        self._stream.write("\n")  # Behind what may be half a line.
                self._stream.write(json.dumps([name, fingerprint]) + "\n")
                # Into the kernel at once: a killed process loses nothing then.
                self._stream.flush()
            except OSError:
                pass  # A home that cannot be written to: both sides are compared all the same.

    def close(self, done: bool) -> None:
        """End; `done` says that the journal is not needed any more."""
        if self._stream:
            self._stream.close()
            self._stream = None
        if done:
            try:
                os.unlink(self._path)
            except OSError:
                pass  # As above.

    def _load(self) -> dict[str, str]:
        found: dict[str, str] = {}
        try:
            with open(self._path) as stream:
                for line in stream:
                    try:
                        name, fingerprint = json.loads(line)
                    except (ValueError, TypeError):
                        continue  # A killed process has left half a line.
                    found[name] = fingerprint
        except (OSError, ValueError):
            pass  # No journal, or none that can be read: everything is compared.
        return found


def _short(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:32]

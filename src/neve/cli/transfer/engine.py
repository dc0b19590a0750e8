"""One run of transfers: what all its jobs share, and which way each pair of places goes.

Ways: up (file to object), down (object to file), across on one server (the server copies), across
between servers (through memory, piece by piece), and file to file.
"""

import argparse
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.target import Local, Remote
from neve.cli.transfer.attributes import parse_attributes, parse_tags
from neve.cli.transfer.body import Meter
from neve.cli.transfer.entries import Entry, is_folder
from neve.cli.transfer.journal import Uploads
from neve.cli.transfer.landing import SUFFIX, Names
from neve.cli.transfer.meter import Limit
from neve.cli.transfer.pool import Done, Job, Pool, failed
from neve.cli.transfer.replica import Replica
from neve.cli.transfer.results import Copied, LeftOut, Planned, Removed, TransferSummary
from neve.cli.transfer.wire import Wire
from neve.cli.transfers import Transfers
from neve.client.errors import ClientError
from neve.client.units import parse_size

PART_BYTES = 16 << 20
PARTS_MAX = 10_000
PART_BYTES_MIN = 5 << 20
MEMORY_BYTES = 64 << 20
"""What may be held of objects on their way between servers."""
FAILURES_NAMED = 100


class Pair(NamedTuple):
    """Something to copy and where to."""

    entry: Entry
    target: Remote | Local
    replica: Replica | None = None
    """What a version of another server keeps at the target."""


Arrived = Callable[[Pair, Copied], Iterable[Result]]
"""What is done when an object has arrived; its results are told as well."""


def add_transfer_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of every verb that moves data."""
    group = parser.add_argument_group("how")
    group.add_argument(
        "--dry-run", "--fake", action="store_true", help="only say what would be done"
    )
    group.add_argument(
        "-a", "--preserve", action="store_true",
        help="keep times, mode and owner of files, as mc does (x-amz-meta-mc-attrs)",
    )  # fmt: skip
    group.add_argument(
        "--attr", metavar="PAIRS", default="", help="metadata: 'Cache-Control=no-cache;author=me'"
    )
    group.add_argument("--tags", metavar="PAIRS", default="", help="tags: 'project=x&state=final'")
    group.add_argument("--storage-class", "--sc", metavar="CLASS", default="", help="storage class")
    group.add_argument("--limit-upload", metavar="SIZE", help="bytes per second, such as 10MiB")
    group.add_argument("--limit-download", metavar="SIZE", help="bytes per second")
    group.add_argument("--part-size", metavar="SIZE", help="of uploads in parts (default 16MiB)")
    group.add_argument(
        "--max-workers", metavar="N", type=int, default=0,
        help="requests at once (default: as many as make it faster, up to 64)",
    )  # fmt: skip


@dataclass
class Settings:
    """What the flags say of every object."""

    preserve: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    """What each object gets besides its own."""
    tags: str = ""
    part_bytes: int = PART_BYTES
    dry_run: bool = False
    action: str = "copy"

    @classmethod
    def of(cls, options: argparse.Namespace) -> "Settings":
        """Read the flags. Raises: UsageError."""
        part_bytes = parse_size(options.part_size) if options.part_size else PART_BYTES
        if not PART_BYTES_MIN <= part_bytes <= 5 << 30:
            raise UsageError("--part-size is from 5MiB to 5GiB.")
        headers = parse_attributes(options.attr)
        if options.storage_class:
            headers["x-amz-storage-class"] = options.storage_class
        return cls(options.preserve, headers, parse_tags(options.tags), part_bytes, options.dry_run)


class Memory:
    """A number of bytes that jobs share: who wants more than there are waits."""

    def __init__(self, size: int) -> None:
        self._free = self._size = size
        self._changed = threading.Condition()

    def take(self, size: int, stopped: Callable[[], bool]) -> None:
        """Wait until so many are free; one that wants more than all gets all."""
        with self._changed:
            while self._free < min(size, self._size) and not stopped():
                self._changed.wait(0.2)
            self._free -= min(size, self._size)

    def give(self, size: int) -> None:
        """They are free again."""
        with self._changed:
            self._free += min(size, self._size)
            self._changed.notify_all()


class Engine:
    """Runs transfers and counts what came of them. Use `run` once."""

    def __init__(self, session: Session, options: argparse.Namespace, progress: Transfers) -> None:
        self.session = session
        self.settings = Settings.of(options)
        self.progress = progress
        self.pool = Pool(max(0, options.max_workers))
        self.pool.wake = self._close
        self.uploads = Uploads(session.aliases.folder)
        self.memory = Memory(MEMORY_BYTES)
        self._up = Limit(_rate(options.limit_upload))
        self._down = Limit(_rate(options.limit_download))
        self.names = Names()
        self._wires: dict[str, Wire] = {}
        self._lock = threading.Lock()
        self._warnings: list[Result] = []
        self._objects = self._bytes = self._same = self._left_out = self._removed = 0
        self._failures: list[str] = []
        self._failed = 0
        self.kept: list[Remote | Local] = []
        """Files of which what has come is kept, for the same command to go on with."""

    @classmethod
    def plain(
        cls, session: Session, progress: Transfers, *, dry_run: bool = False, workers: int = 4
    ) -> "Engine":
        """An engine for verbs that have none of its flags."""
        options = argparse.Namespace(
            preserve=False, attr="", tags="", storage_class="", limit_upload=None,
            limit_download=None, part_size=None, max_workers=workers, dry_run=dry_run,
        )  # fmt: skip
        return cls(session, options, progress)

    def warn(self, result: Result) -> None:
        """Tell of something that is found while what is to do is listed."""
        self._warnings.append(result)

    def same(self) -> None:
        """Something is at the target already."""
        self._same += 1

    def wire(self, alias: str) -> Wire:
        """The connections to a server."""
        with self._lock:
            wire = self._wires.get(alias)
            if wire is None:
                wire = Wire(self.session.server(alias).transport, self.pool.busy)
                self._wires[alias] = wire
            return wire

    def run(self, pairs: Iterable[Pair], arrived: Arrived | None = None) -> Iterator[Result]:
        """Copy all pairs; yield what comes of each. The summary is `summary`."""
        yield from self.do(self._jobs(pairs, arrived))

    def do(self, jobs: Iterable[Job]) -> Iterator[Result]:
        """Do jobs; yield and count what comes of them."""
        results = self.pool.run(jobs)
        try:
            for result in results:
                yield from self._told()
                yield self._counted(result)
            yield from self._told()
        except KeyboardInterrupt:
            self.pool.stop()
            for result in self.pool.drain():
                yield self._counted(result)
            self.session.output.note(self._how_to_go_on())
            raise
        finally:
            self.pool.stop()

    def summary(self) -> TransferSummary:
        """All that was done."""
        return TransferSummary(
            self._objects, self._bytes, self._same, self._left_out, self._removed, self._failed,
            self.pool.hopeless is not None, round(self.progress.seconds(), 3), self._failures,
        )  # fmt: skip

    @property
    def failed(self) -> bool:
        """Whether something could not be done."""
        return self._failed > 0

    def meter(self, name: str, size: int, *, up: bool) -> "FileMeter":
        """What the bytes of one object are told to."""
        return FileMeter(self, name, size, self._up if up else self._down)

    def job(self, pair: Pair, arrived: Arrived | None = None) -> Job:
        """The job that copies a pair."""
        entry, target = pair.entry, pair.target
        if self.settings.dry_run:
            planned = Planned(self.settings.action, entry.label, str(target), entry.size)
            return Job(entry.label, lambda done: done([planned]))
        try:
            if isinstance(target, Remote):
                self.names.check_object(str(target), entry.label)
            elif not is_folder(entry):
                self.names.check_file(target.path, entry.label)
        except ClientError as error:
            failure = failed(error, entry.label)
            return Job(entry.label, lambda done: done([failure]))

        def run(done: Done) -> None:
            def finish(results: Iterable[Result]) -> None:
                found = list(results)
                for result in list(found):
                    if arrived and isinstance(result, Copied):
                        found += arrived(pair, result)
                done(found)

            self._way(pair)(self, pair, finish)

        return Job(entry.label, run)

    def _way(self, pair: Pair) -> "Callable[[Engine, Pair, Done], None]":
        source, target = pair.entry.place, pair.target
        if isinstance(target, Local):
            from neve.cli.transfer import download

            return download.down if isinstance(source, Remote) else download.beside
        from neve.cli.transfer import copying, upload

        if isinstance(source, Remote) and self.one_server(source.alias, target.alias):
            return copying.across
        return upload.up

    def one_server(self, first: str, second: str) -> bool:
        """Whether two aliases are one server with one key, which can copy by itself."""
        one, other = self.session.aliases.get(first), self.session.aliases.get(second)
        return (one.url, one.access_key) == (other.url, other.access_key)

    def _jobs(self, pairs: Iterable[Pair], arrived: Arrived | None) -> Iterator[Job]:
        for pair in pairs:
            self.progress.expect(1, pair.entry.size)
            yield self.job(pair, arrived)
        self.progress.expect(0, 0, counted=True)

    def _close(self) -> None:
        for wire in list(self._wires.values()):
            wire.close()

    def _told(self) -> Iterator[Result]:
        while self._warnings:
            yield self._counted(self._warnings.pop(0))

    def _counted(self, result: Result) -> Result:
        if isinstance(result, Copied):
            self._objects += 1
            self._bytes += result.size
        elif isinstance(result, Removed):
            self._removed += 1
        elif isinstance(result, LeftOut):
            self._left_out += 1
        elif isinstance(result, Failure):
            self._failed += 1
            if len(self._failures) < FAILURES_NAMED:
                self._failures.append(result.target)
        return result

    def _how_to_go_on(self) -> str:
        count = len(self.kept)
        kept = f" (what came of {count:,} is in hidden files, .NAME{SUFFIX})" if count else ""
        return (
            f"Interrupted: {self._objects:,} objects have arrived whole, nothing is half there. "
            f"The same command goes on; large objects go on where they stopped{kept}."
        )


class FileMeter:
    """Shows, limits and stops the transfer of one object. Begins when it is made."""

    def __init__(self, engine: Engine, name: str, size: int, limit: Limit) -> None:
        self._engine = engine
        self._limit = limit
        self._file = engine.progress.begin(name, size)

    def __call__(self, count: int) -> None:
        engine = self._engine
        engine.progress.advance(self._file, count)
        if count > 0:
            engine.pool.moved(count)
            self._limit.take(count, self._is_stopped)

    def skip(self, count: int) -> None:
        """So many bytes were there already: they count, and take no time."""
        self._engine.progress.advance(self._file, count)

    def end(self, *, done: bool) -> None:
        """It is through, or has failed."""
        self._engine.progress.end(self._file, done=done)

    def _is_stopped(self) -> bool:
        return self._engine.pool.stopped


def quiet_meter(engine: Engine) -> Meter:
    """A meter that only stops: for bytes that are counted on their other way."""

    def moved(count: int) -> None:
        if engine.pool.stopped:
            engine.pool.moved(0)

    return moved


def part_bytes_of(size: int, wanted: int) -> int:
    """The size of parts with which an object has no more than it may have."""
    least = -(-size // PARTS_MAX)
    return max(wanted, -(-least // (1 << 20)) * (1 << 20))


def open_source(path: str) -> int:
    """Open a file that is to be read. Raises: ClientError when it has become something else."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    import stat

    if not stat.S_ISREG(os.fstat(file).st_mode):
        os.close(file)
        raise ClientError(f"{path} is not a file any more.", "SpecialFile", path)
    return file


def _rate(text: str | None) -> float:
    return parse_size(text.lower().removesuffix("/s")) if text else 0.0

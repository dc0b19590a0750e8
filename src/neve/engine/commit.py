"""Group commit: commands gathered while the last group was on its way become one transaction.

Order for a group, each step before the next (crash order, `docs/explanation/durability.md`):
  1. the records of all commands are appended to this process's segment in one write;
  2. large groups: the segment is synced. Small ones: their bytes also go into the transaction as a
     redo row, so that the one sync of step 4 covers them (of large ones, headers corrected later);
  3. one catalog transaction: each command checks its conditions, then writes its rows;
  4. the catalog is synced, and only then is any command answered.
A refused command leaves no row, and its records are voided; so are those of a whole group whose
transaction failed.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from neve.blobs.blobs import SEGMENT, BlobStore, Record, unpack_blob
from neve.catalog.catalog import BucketRow, Catalog, ObjectRow, Transaction
from neve.clock import now_us
from neve.engine import records
from neve.engine.guard import NO_USERS, Guard, UserBook, guard_of
from neve.engine.room import Room
from neve.errors import DomainError, NoSuchBucket, StoreFault, StoreFull, StoreReadOnly

COMMANDS_MAX = 256
GROUP_BYTES_MAX = 8 << 20
REDO_BYTES_MAX = 96 << 10
CATALOG_BYTES = 8 << 10
"""What a record adds to the catalog's log, about: a page or two."""
LEAVE_BYTES_MIN = 1 << 20
"""On a full disk a segment of this size takes no more appends."""
RECORD_BYTES = 100
"""What a record takes besides its data, at least: counted so that a segment of tiny objects does
not look as if it were mostly dead."""
UNTOLD = "untold/"
"""With the name of a bucket: a setting that is there until a record tells the bucket as it is."""
LINGER_S = 0.0003
"""How long a group waits for the writers of the one before."""

log = logging.getLogger("neve.engine")


class Command:
    """One change. Subclasses set `records` before submission and implement `apply`."""

    __slots__ = ("batch", "first", "future", "records")
    records: list[Record]
    """Appended to the segment before the transaction. Only the first may hold data."""
    batch: "Batch"
    first: int
    """Place of the first record in the group; -1 when nothing was appended."""
    future: "asyncio.Future[Any]"
    frees = False
    """Whether the command only gives space back: such go on even when nothing can be appended."""

    def apply(self, txn: Transaction, batch: "Batch") -> Any:
        """Check, then write rows; the return value answers the caller.

        Raises: any DomainError to refuse, before the first write.
        """
        raise NotImplementedError

    def run(self, txn: Transaction) -> Any:
        try:
            return self.apply(txn, self.batch)
        except DomainError:
            for index in range(len(self.records)):
                self.batch.amend(self, index, records.VOID, 0)
            raise


class Nothing(Command):
    """Changes nothing: makes the commit thread look after its segment."""

    __slots__ = ()

    def __init__(self) -> None:
        self.records = []

    def apply(self, _txn: Transaction, _batch: "Batch") -> None:
        return None


class Batch:
    """What a group of commands shares: where records went and the sums of their deltas."""

    def __init__(self, store: BlobStore, users: UserBook | None = None) -> None:
        self.store = store
        self.users = users
        self.now = now_us()
        self.append: Any = None
        self.raw: bytearray | None = None
        self.amended: dict[int, bytes] | None = None
        """Of a group that was synced before its transaction: the headers corrected since, by their
        places. The sync of the catalog is to cover them too."""
        self.buckets: dict[str, BucketRow | None] = {}
        self.buckets_changed = False
        self.settings_changed = False
        self.usage: dict[int, list[int]] = {}
        self.guard: Guard | None = None
        """Keeps the quotas that the group touches; None while it touches none."""
        self.owned: dict[tuple[int, str], list[int]] = {}
        """(tree, owner) → objects and bytes come to others than the bucket's owner."""
        self.warnings: list[str] = []
        self.live: dict[int, int] = {}
        self.seq_min: int | None = None
        self.sealing: list[int] = []
        """Segments left for good, to be told to the catalog."""

    def bucket(self, txn: Transaction, name: str, tree: int) -> BucketRow:
        """The bucket, as long as it is the one the request saw. Raises: NoSuchBucket."""
        if name in self.buckets:
            row = self.buckets[name]
        else:
            row = self.buckets[name] = txn.bucket(name)
            if row is not None:
                self._watch(txn, row)
        if row is None or row.tree != tree:
            raise NoSuchBucket(BucketName=name)
        return row

    def change_bucket(self, txn: Transaction, name: str, row: BucketRow | None) -> None:
        """Note that the bucket now is `row`, or gone."""
        txn.put_setting(UNTOLD + name, None if row is None else b"")
        self.buckets[name] = row
        self.buckets_changed = True
        if row is not None:
            self._watch(txn, row)

    def _watch(self, txn: Transaction, row: BucketRow) -> None:
        users = self.users.now(txn) if self.users is not None else NO_USERS
        if users or row.options or self.guard is not None:
            self.guard = guard_of(self.guard, self.usage, users, txn, row)

    def forget(self, txn: Transaction, tree: int) -> None:
        """The tree is about to go: what the group has counted of it is for nobody."""
        if self.guard is not None:
            self.guard.forget(txn, tree)
        self.usage.pop(tree, None)
        for place in [place for place in self.owned if place[0] == tree]:
            del self.owned[place]

    def data_offset(self, command: Command) -> tuple[int, int]:
        """(segment, offset) of the data of the command's first record."""
        return self.append.segment, self.append.offsets[command.first]

    def amend(self, command: Command, index: int, kind: int, seq: int) -> None:
        """Correct kind and seq of a record of `command` that is already in the segment."""
        if self.append is None or command.first < 0:
            return
        start = self.append.starts[command.first + index]
        header = self.store.amend(self.append.segment, start, kind, seq)
        if self.raw is not None:
            at = start - self.append.offset
            self.raw[at : at + len(header)] = header
        elif self.amended is not None:
            self.amended[start] = header

    def count(
        self, tree: int, objects: int, size: int, versions: int = 0, markers: int = 0
    ) -> None:
        sums = self.usage.get(tree)
        if sums is None:
            self.usage[tree] = [objects, size, versions, markers]
        else:
            sums[0] += objects
            sums[1] += size
            sums[2] += versions
            sums[3] += markers

    def hold(self, segment: int, length: int) -> None:
        self.live[segment] = self.live.get(segment, 0) + length + RECORD_BYTES

    def release(self, txn: Transaction, packed: bytes) -> None:
        """One row less refers to the blob; what nobody refers to becomes garbage."""
        if not packed:
            return
        blob = unpack_blob(packed)
        if blob.tier == SEGMENT:
            self.live[blob.id] = self.live.get(blob.id, 0) - blob.length - RECORD_BYTES
        else:
            release_shared(txn, blob.tier, blob.id, self.now)

    def replaced(self, txn: Transaction, old: ObjectRow | None, new: ObjectRow | None) -> None:
        """Account for `new` standing where `old` stood, either of them maybe absent."""
        row = new or old
        if row is None:
            return
        objects = (new is not None) - (old is not None)
        size = (new.size if new else 0) - (old.size if old else 0)
        self.count(row.tree, objects, size)
        if self.guard is not None or row.owner or (old is not None and old.owner):
            if old is not None:
                self.moved(old, -1)
            if new is not None:
                self.moved(new, 1)
        if old is not None:
            self.release(txn, old.blob)

    def moved(self, row: ObjectRow, sign: int) -> None:
        """Count for owner and prefix that an object or noncurrent version came (1) or went (-1)."""
        if row.owner:
            sums = self.owned.setdefault((row.tree, row.owner), [0, 0])
            sums[0] += sign
            sums[1] += sign * row.size
        if self.guard is not None:
            self.guard.moved(row, sign)

    def finish(self, txn: Transaction) -> None:
        """The last command of every group: write the sums."""
        if self.guard is not None:
            self.warnings = self.guard.finish(txn)
        for tree, sums in self.usage.items():
            if any(sums):
                txn.add_usage(tree, *sums)
        for (tree, owner), (objects, size) in self.owned.items():
            if objects or size:
                txn.add_owned(tree, owner, objects, size)
        if self.settings_changed and self.users is not None:
            self.users.tell()
        self._finish_segments(txn)

    def _finish_segments(self, txn: Transaction) -> None:
        if self.append is not None:
            live = self.live.pop(self.append.segment, 0)
            txn.add_segment(self.append.segment, self.append.end, live, self.seq_min)
            if self.raw is not None:
                txn.put_redo(self.append.segment, self.append.offset, bytes(self.raw))
            for start, header in (self.amended or {}).items():
                txn.put_redo(self.append.segment, start, header)
        for segment, live in self.live.items():
            if live:
                txn.add_segment(segment, 0, live)
        for segment in self.sealing:
            txn.seal_segment(segment)


def _disown(commands: list[Command], batch: Batch) -> None:
    """Void what was appended for a transaction that came to nothing: a rebuild must not take it
    for true. Where that fails too, the disk is in such a state that nothing can be promised."""
    with contextlib.suppress(StoreFault):
        for command in commands:
            for index in range(len(command.records)):
                batch.amend(command, index, records.VOID, 0)


def release_shared(txn: Transaction, tier: int, id: int, now: int) -> None:
    """Take one owner off a file or manifest; without any it becomes garbage."""
    if txn.references(tier, id) > 0:
        txn.add_reference(tier, id, -1)
    else:
        txn.add_garbage(tier, id, now)


class CommitFigures:
    """Counters for the metrics."""

    __slots__ = ("bytes", "commands", "groups", "observe", "seconds")

    def __init__(self) -> None:
        self.groups = self.commands = self.bytes = 0
        self.seconds = 0.0
        self.observe: Callable[[int, float], None] | None = None
        """Called with (commands, seconds) after each group, in the commit thread."""


class Committer:
    """Owns the commit thread of a process; `submit` belongs to the event loop's thread."""

    def __init__(
        self,
        catalog: Catalog,
        store: BlobStore,
        room: Room,
        *,
        durable: bool,
        on_buckets_changed: Callable[[], None],
        on_settings_changed: Callable[[], None],
        settings_generation: Callable[[], int],
        on_fatal: Callable[[BaseException], None],
    ) -> None:
        self._catalog = catalog
        self._store = store
        self._room = room
        self._durable = durable
        self._on_buckets_changed = on_buckets_changed
        self._on_settings_changed = on_settings_changed
        self._users = UserBook(settings_generation, on_settings_changed)
        self._on_fatal = on_fatal
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pending: list[Command] = []
        self._idle = True
        self._signal: SimpleQueue[bool] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="commit", daemon=True)
        self._broken: BaseException | None = None
        self.figures = CommitFigures()

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._thread.start()

    def submit(self, command: Command) -> "asyncio.Future[Any]":
        """Queue the command for the next group; the future ends once it is durable."""
        assert self._loop is not None
        future: asyncio.Future[Any] = self._loop.create_future()
        if self._broken is not None:
            future.set_exception(StoreReadOnly(str(self._broken)))
            return future
        command.future = future
        with self._lock:
            self._pending.append(command)
            kick, self._idle = self._idle, False
        if kick:
            # On the next turn of the loop, so that commands of this turn join the group.
            self._loop.call_soon(self._signal.put, True)
        return future

    async def close(self) -> None:
        """Finish what was submitted, then end the thread."""
        if self._thread.is_alive():
            self._signal.put(False)
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, self._thread.join)

    def _take(self) -> list[Command]:
        with self._lock:
            taken: list[Command] = []
            size = 0
            for command in self._pending:
                size += len(command.records[0].data) if command.records else 0
                if taken and (size > GROUP_BYTES_MAX or len(taken) >= COMMANDS_MAX):
                    break
                taken.append(command)
            del self._pending[: len(taken)]
            if not taken:
                self._idle = True
            return taken

    def _run(self) -> None:
        going = True
        last = 0
        while going:
            going = self._signal.get()
            if last > 1 and len(self._pending) < last:
                # The writers just answered are about to come again: a group of all of them costs
                # little more than one of the first. A lone writer never waits here.
                time.sleep(LINGER_S)
            while commands := self._take():
                last = len(commands)
                started = time.perf_counter()
                results = self._guarded(commands)
                elapsed = time.perf_counter() - started
                figures = self.figures
                figures.groups += 1
                figures.commands += len(commands)
                figures.seconds += elapsed
                if figures.observe is not None:
                    figures.observe(len(commands), elapsed)
                assert self._loop is not None
                try:
                    self._loop.call_soon_threadsafe(_answer, commands, results)
                except RuntimeError:  # the loop was closed under us: nobody is waiting
                    return

    def _guarded(self, commands: list[Command]) -> list[Any]:
        if self._broken is not None:
            return [StoreReadOnly(str(self._broken))] * len(commands)
        try:
            return self.commit(commands)
        except StoreReadOnly as error:
            self._broken = error
            self._on_fatal(error)
            return [error] * len(commands)
        except StoreFault as error:
            return [error] * len(commands)
        except Exception as error:
            log.exception("a group of %d commands failed", len(commands))
            return [error] * len(commands)

    def commit(self, commands: list[Command]) -> list[Any]:
        """Commit one group in the calling thread; a result or an exception for each command.

        Raises: StoreFault for all of them together.
        """
        batch = Batch(self._store, self._users)
        failed = self._append(commands, batch)
        going = [command for command in commands if command not in failed] if failed else commands
        run: list[Callable[[Transaction], Any]] = [command.run for command in going]
        batch.sealing = list(self._store.sealed)
        try:
            results = self._catalog.transact([*run, batch.finish])
        except BaseException:
            _disown(going, batch)
            raise
        if batch.sealing:
            del self._store.sealed[: len(batch.sealing)]
        if batch.buckets_changed:
            self._on_buckets_changed()
        for sentence in batch.warnings:
            log.warning("%s", sentence)
        if batch.settings_changed:
            self._on_settings_changed()
        if self._durable:
            self._catalog.sync()
        if failed:
            by_command = dict(zip(going, results, strict=False))
            return [failed.get(c) or by_command[c] for c in commands]
        return results[:-1]

    def _append(self, commands: list[Command], batch: Batch) -> dict[Command, Exception]:
        """Append all records; on a full disk give up the commands that need space."""
        failed: dict[Command, Exception] = {}
        if self._room.full:
            # They were let in while there was room.
            full = StoreFull("the disk has become full")
            failed = {c: full for c in commands if c.records and not c.frees}
            commands = [c for c in commands if c not in failed]
            # What is deleted from it makes room only once it is compacted.
            self._store.leave_segment(LEAVE_BYTES_MIN)
        group: list[Record] = []
        for command in commands:
            command.batch = batch
            command.first = len(group)
            group += command.records
        if not group:
            return failed
        try:
            self._write(group, batch)
        except StoreFull as error:
            failed |= {c: error for c in commands if c.records and not c.frees}
            # Deleting must go on when the disk is full, even without a record of it: then a
            # rebuild may bring the deleted object back, which loses nothing.
            for command in commands:
                command.first = -1
        return failed

    def _write(self, group: list[Record], batch: Batch) -> None:
        append = self._store.append(group, REDO_BYTES_MAX if self._durable else 0)
        batch.append = append
        batch.seq_min = min(record.seq for record in group)
        self.figures.bytes += append.length
        self._room.spend(append.length + CATALOG_BYTES * len(group))
        if self._durable:
            if append.raw is None:
                self._store.sync_segment(append.segment)
                batch.amended = {}
            else:
                batch.raw = bytearray(append.raw)


def _answer(commands: list[Command], results: list[Any]) -> None:
    for command, result in zip(commands, results, strict=True):
        future = command.future
        if future.cancelled():
            continue
        if isinstance(result, BaseException):
            future.set_exception(result)
        else:
            future.set_result(result)

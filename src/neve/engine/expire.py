"""The steward's walk along the lifecycle rules: looks at every key that a rule may be about.

One walk goes through the buckets with rules in the order of their names: current objects, then
noncurrent versions and delete markers, then uploads, in key order and in small steps. The place
reached is a setting, so a restart goes on there; judging a page again does no harm.

What was judged is deleted by the engine's own commands, and only if it still is what was judged,
inside the transaction: an object that was written again, a version that has become current, a
marker behind which a version has come, stay. Locked versions are the engine's to refuse.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from neve.catalog.catalog import BucketRow, ObjectRow, Reader, Transaction
from neve.clock import now_us
from neve.engine.bucket import Bucket
from neve.engine.commit import Batch
from neve.engine.delete import Deleted, DeleteObjects, Deletion
from neve.engine.engine import Engine
from neve.engine.lifecycle import (
    DAY_US,
    OPTION,
    Rule,
    expiry_of,
    lone_marker_expired,
    marked_key_expired,
    next_start,
    noncurrent_expired,
    upload_expiry_of,
)
from neve.engine.upload import AbortUpload
from neve.engine.versions import Versioning, find_version
from neve.errors import DomainError, PreconditionFailed, VersioningChanged

PLACE = "lifecycle/place"
ROWS_PER_STEP = 500
GROUP = 100
"""Deletions in one transaction."""
VERSIONS_AT_ONCE = 1000
"""Versions of a key that go before its newest in one step; the next walk takes what is left."""
OBJECTS, VERSIONS, UPLOADS = range(3)

log = logging.getLogger("neve.lifecycle")


class Place(NamedTuple):
    """How far the walk has come."""

    started_us: int = 0
    """0: no walk is under way."""
    finished_us: int = 0
    """When the last walk ended; 0 for never."""
    bucket: str = ""
    tree: int = 0
    phase: int = OBJECTS
    key: str = ""
    after: str = ""
    """Within `key`: the upload after which to go on."""
    below: int = 0
    """Within `key`: the rank of the version after which to go on …"""
    since_us: int = 0
    """… the time of that version, since when the next is noncurrent …"""
    newer: int = 0
    """… and how many noncurrent versions there were before it."""


def place_of(reader: Reader) -> Place:
    """Return how far the walk of a store has come, by any process."""
    stored = reader.setting(PLACE)
    return Place(*msgspec.msgpack.decode(stored)) if stored else Place()


class Counts:
    """What has become of things since the process started."""

    __slots__ = ("locked", "markers", "objects", "rules", "uploads", "versions", "walks")

    def __init__(self) -> None:
        self.objects = self.versions = self.markers = self.uploads = 0
        self.locked = self.walks = 0
        self.rules = 0
        """Enabled rules, as the walk under way or the last one found them."""

    def removed(self) -> tuple[int, int, int, int]:
        return self.objects, self.versions, self.markers, self.uploads


class Judged(NamedTuple):
    """A row that is to go."""

    row: ObjectRow
    forever: bool = True
    """Whether this version goes, or (False) the object goes out of sight as by a DELETE."""
    current: bool = False
    """Whether the version was the current object."""
    lone: bool = False
    """Whether it goes only if it is the newest version and there is nothing behind it."""
    under: int = 0
    """The seq of the newest version of the key, with which it goes; 0 when it goes by itself."""

    def holds(self, txn: Transaction, tree: int) -> bool:
        """Say whether the row still is what was judged."""
        key, version = self.row.key, self.row.version
        if not self.forever:
            current = txn.object(tree, key)
            return current is not None and current.seq == self.row.seq
        found = find_version(txn, tree, key, version)
        if found is None or found.row.seq != self.row.seq or (found.rank == 0) != self.current:
            return False
        if self.under and self.under != newest_seq(txn, tree, key):
            return False
        if not self.lone:
            return True
        if not self.current and txn.object(tree, key) is not None:
            return False
        return len(txn.versions(tree, key, 2)) == (not self.current)


class Expire(DeleteObjects):
    """Deletes what was judged and still is what it was."""

    __slots__ = ("judged",)

    def __init__(self, bucket: Bucket, judged: list[Judged]) -> None:
        self.judged = judged
        deletions = [
            Deletion(each.row.key, version=each.row.version if each.forever else None)
            for each in judged
        ]
        super().__init__(bucket.name, bucket.tree, deletions, bucket.versioning)

    def _delete(
        self,
        txn: Transaction,
        batch: Batch,
        bucket: BucketRow,
        versioning: Versioning | None,
        index: int,
    ) -> Deleted:
        if not self.judged[index].holds(txn, self.tree):
            raise PreconditionFailed(Condition="lifecycle")
        return super()._delete(txn, batch, bucket, versioning, index)


class Expirer:
    """Walks in one process of the store (the steward), in the thread that made it."""

    def __init__(
        self,
        engine: Engine,
        *,
        tags_of: Callable[[bytes], Mapping[str, str]],
        day_us: int = DAY_US,
        now: Callable[[], int] = now_us,
    ) -> None:
        """`tags_of` reads the tags in the metadata of an object."""
        self._engine = engine
        self._reader = engine.catalog.reader()
        self._tags_of = tags_of
        self._day_us = day_us
        self._now = now
        self._cached: tuple[BucketRow, Bucket] | None = None
        self._at_start = (0, 0, 0, 0)
        self.counts = Counts()

    def place(self) -> Place:
        """Return how far the walk has come, by any process."""
        return place_of(self._reader)

    def walk(self, seconds_max: float = float("inf")) -> bool:
        """Go on with the walk, or begin one; True when it has ended within the time."""
        deadline = time.monotonic() + seconds_max
        place = self.place()
        if not place.started_us:
            self.counts.rules = 0
            place = Place(started_us=self._now(), finished_us=place.finished_us)
        while True:
            following = self._step(place)
            if following is None:
                self._note(Place(finished_us=self._now()))
                self.counts.walks += 1
                return True
            place = following
            if time.monotonic() >= deadline:
                self._note(place)
                return False

    def _note(self, place: Place) -> None:
        packed = msgspec.msgpack.encode(place)
        self._engine.catalog.transact([lambda txn: txn.put_setting(PLACE, packed)])

    def _step(self, place: Place) -> Place | None:
        """Look at a page and expire what is due on it; None at the end of the walk."""
        bucket = self._bucket_at(place)
        if bucket is None:
            self._tell(place.bucket)
            return None
        if bucket.tree != place.tree:
            self._tell(place.bucket)
            assert bucket.lifecycle is not None
            self.counts.rules += len(bucket.lifecycle)
            place = Place(place.started_us, place.finished_us, bucket.name, bucket.tree)
        step = (self._objects, self._versions, self._uploads)[place.phase]
        try:
            return step(bucket, place)
        except VersioningChanged:
            # The bucket was told something while we judged: judge again.
            self._cached = None
            return place

    def _bucket_at(self, place: Place) -> Bucket | None:
        """Return the bucket of the place, or the next one with rules."""
        if place.bucket:
            row = self._reader.bucket(place.bucket)
            bucket = self._open(row) if row is not None and row.tree == place.tree else None
            if bucket is not None and bucket.lifecycle is not None and place.phase <= UPLOADS:
                return bucket
        mark = OPTION.encode()
        for row in self._reader.buckets():
            if row.name > place.bucket and mark in row.options:
                bucket = self._open(row)
                if bucket.lifecycle is not None:
                    return bucket
        return None

    def _open(self, row: BucketRow) -> Bucket:
        if self._cached is None or self._cached[0] != row:
            self._cached = (row, Bucket(row))
        return self._cached[1]

    def _tell(self, name: str) -> None:
        """Log what has gone from the bucket that the walk leaves."""
        removed = self.counts.removed()
        if name and removed != self._at_start:
            told = [now - before for now, before in zip(removed, self._at_start, strict=True)]
            log.info(
                "lifecycle of bucket %s: %d objects, %d versions, %d delete markers, %d uploads",
                name,
                *told,
            )
        self._at_start = removed

    def _tags(self, row: ObjectRow) -> Callable[[], Mapping[str, str]]:
        return lambda: self._tags_of(row.meta)

    # Current objects.

    def _objects(self, bucket: Bucket, place: Place) -> Place:
        wanted = [rule for rule in bucket.lifecycle or () if rule.ends_objects]
        start = next_start(prefixes_of(wanted), place.key)
        done = place._replace(phase=VERSIONS, key="")
        if start is None:
            return done
        rows = self._reader.objects(bucket.tree, start, ROWS_PER_STEP)
        judged: list[Judged] = []
        now = self._now()
        for row in rows:
            about = [rule for rule in wanted if row.key.startswith(rule.prefix)]
            if not about:
                self._expire(bucket, judged)
                return place._replace(key=row.key)
            tags = self._tags(row)
            expiry = expiry_of(about, row.size, row.mtime_us, tags, self._day_us)
            if expiry is None or expiry.at_us > now:
                continue
            if expiry.all_versions and bucket.versioning is not None:
                judged += self._whole_key(row)
            else:
                judged.append(Judged(row, forever=False))
        self._expire(bucket, judged)
        return place._replace(key=rows[-1].key + "\0") if len(rows) == ROWS_PER_STEP else done

    def _whole_key(self, newest: ObjectRow) -> list[Judged]:
        """Judge all versions of a key, oldest first: none comes to light, even if one is locked."""
        found = self._reader.versions(newest.tree, newest.key, VERSIONS_AT_ONCE + 2)
        older = [each.row for each in found if each.row.version != newest.version]
        judged = [Judged(row, under=newest.seq) for row in reversed(older[:VERSIONS_AT_ONCE])]
        if len(older) <= VERSIONS_AT_ONCE:
            judged.append(Judged(newest, current=bool(newest.etag), lone=True))
        return judged

    # Noncurrent versions and delete markers.

    def _versions(self, bucket: Bucket, place: Place) -> Place:
        done = place._replace(phase=UPLOADS, key="", below=0)
        wanted = [rule for rule in bucket.lifecycle or () if rule.ends_history]
        if bucket.versioning is None:
            return done
        start = next_start(prefixes_of(wanted), place.key)
        if start is None:
            return done
        below = place.below if start == place.key else 0
        with self._reader.snapshot():
            rows = self._reader.all_versions(bucket.tree, start, below, ROWS_PER_STEP)
            shown = {
                key: self._reader.object(bucket.tree, key)
                for key in dict.fromkeys(found.row.key for found in rows)
            }
        judged: list[Judged] = []
        for found in rows:
            key = found.row.key
            about = [rule for rule in wanted if key.startswith(rule.prefix)]
            if not about:
                self._expire(bucket, judged)
                return place._replace(key=key, below=0)
            if key != place.key or not place.below:
                place = place._replace(key=key, since_us=0, newer=0)
                current = shown[key]
                if current is not None:
                    place = place._replace(since_us=current.mtime_us)
            judged += self._judge_version(about, found.row, place)
            place = place._replace(
                below=found.rank,
                since_us=found.row.mtime_us,
                newer=place.newer + bool(found.row.etag and place.since_us),
            )
        self._expire(bucket, judged)
        return place if len(rows) == ROWS_PER_STEP else done

    def _judge_version(self, about: list[Rule], row: ObjectRow, place: Place) -> list[Judged]:
        now, day_us = self._now(), self._day_us
        if place.since_us:
            if noncurrent_expired(
                about, row.size, place.since_us, place.newer, self._tags(row), now, day_us
            ):
                return [Judged(row)]
            return []
        # The newest of its key, which has no current object: a delete marker.
        if marked_key_expired(about, row.mtime_us, now, day_us):
            return self._whole_key(row)
        lone = len(self._reader.versions(row.tree, row.key, 2)) == 1
        if lone and lone_marker_expired(about, row.mtime_us, now, day_us):
            return [Judged(row, lone=True)]
        return []

    # Uploads.

    def _uploads(self, bucket: Bucket, place: Place) -> Place:
        done = place._replace(phase=UPLOADS + 1, key="", after="")
        rules = [rule for rule in bucket.lifecycle or () if rule.upload_days is not None]
        if not rules:
            return done
        rows = self._reader.uploads(bucket.tree, "", place.key, place.after, ROWS_PER_STEP)
        now = self._now()
        for row in rows:
            about = [rule for rule in rules if row.key.startswith(rule.prefix)]
            expiry = upload_expiry_of(about, row.created_us, self._day_us)
            if expiry is not None and expiry.at_us <= now:
                self._run(AbortUpload(bucket.tree, row.key, row.id))
        if len(rows) < ROWS_PER_STEP:
            return done
        return place._replace(key=rows[-1].key, after=rows[-1].id)

    # Deleting.

    def _expire(self, bucket: Bucket, judged: list[Judged]) -> None:
        """Delete what was judged, in small groups. Raises: VersioningChanged."""
        for at in range(0, len(judged), GROUP):
            group = judged[at : at + GROUP]
            results = self._run(Expire(bucket, group))
            for each, result in zip(group, results or (), strict=False):
                self._count(each, result)

    def _run(self, command: Any) -> Any:
        """Commit a command in this thread; None when it is refused for what has changed."""
        result = self._engine.committer.commit([command])[0]
        if isinstance(result, VersioningChanged):
            raise result
        if isinstance(result, DomainError):
            return None
        if isinstance(result, Exception):
            raise result
        if isinstance(command, AbortUpload):
            self.counts.uploads += 1
        return result

    def _count(self, judged: Judged, result: Deleted | DomainError) -> None:
        counts = self.counts
        if isinstance(result, PreconditionFailed):
            return
        if isinstance(result, DomainError):
            counts.locked += 1
        elif not judged.row.etag:
            counts.markers += 1
        elif judged.forever and not judged.current:
            counts.versions += 1
        else:
            counts.objects += 1


def newest_seq(reader: Reader, tree: int, key: str) -> int:
    """Return the seq of the newest version of a key; 0 when it has none."""
    current = reader.object(tree, key)
    if current is not None:
        return current.seq
    found = reader.versions(tree, key, 1)
    return found[0].row.seq if found else 0


def prefixes_of(rules: Iterable[Rule]) -> list[str]:
    """Return the prefixes of the rules in order, each once."""
    return sorted({rule.prefix for rule in rules})

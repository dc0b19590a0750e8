"""One way from a folder, a bucket or a server to its mirror: what to copy and what to remove.

Both sides are listed at once in the order of their names and compared name by name, so memory does
not grow with them. What is the same: the size, and the ETag where both sides have a comparable one,
else a time at the target that is not before the source's; or what the journal of an interrupted run
says. A mirror is therefore resumable by itself; the journal makes it certain.

Invariant: nothing is removed at the target while a part of the source could not be read.
"""

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from neve.cli.output import Failure, Result
from neve.cli.target import Local, Remote
from neve.cli.transfer.deleting import Doomed, delete_jobs
from neve.cli.transfer.engine import Engine, Pair
from neve.cli.transfer.entries import Entry, Warn, is_folder, local_entries, remote_entries
from neve.cli.transfer.filters import Filter
from neve.cli.transfer.journal import MirrorJournal
from neve.cli.transfer.plan import place_of
from neve.cli.transfer.pool import Done, Job, failed
from neve.cli.transfer.results import Copied, Planned, Removed
from neve.client.errors import ClientError, ServerError

_MD5 = re.compile(r"[0-9a-f]{32}")
_DELETE_BATCH = 1000


class Ends(NamedTuple):
    """A source and its mirror: folders or buckets or prefixes."""

    source: Local | Remote
    target: Local | Remote


class Mirroring:
    """One pass over both sides."""

    def __init__(
        self, engine: Engine, chosen: Filter, journal: MirrorJournal, *, overwrite: bool,
        remove: bool,
    ) -> None:  # fmt: skip
        self._engine, self._filter, self._journal = engine, chosen, journal
        self._overwrite, self._remove = overwrite, remove
        self._unread = False

    def jobs(self, ends: Ends) -> Iterator[Job]:
        """What is to be done for one pair of ends."""
        extra: list[Entry] = []
        for entry, there in _joined(self._source(ends), self._target(ends)):
            if entry is None:
                assert there is not None
                if self._remove:
                    extra.append(there)
                if len(extra) >= _DELETE_BATCH:
                    yield from self._removals(extra)
                    extra = []
            elif self._filter.takes_time(entry.modified):
                yield from self._copies(ends, entry, there)
        yield from self._removals(extra)

    def arrived(self, pair: Pair, copied: Copied) -> Iterable[Result]:
        """Note in the journal what has arrived."""
        self._journal.note(str(pair.target), _fingerprint(pair.entry))
        return ()

    def _copies(self, ends: Ends, entry: Entry, there: Entry | None) -> Iterator[Job]:
        try:
            pair = Pair(entry, place_of(ends.target, entry.name))
        except ClientError as error:
            self._engine.warn(failed(error, entry.label))
            return
        if isinstance(pair.target, Local) and is_folder(entry) and os.path.isdir(pair.target.path):
            self._engine.same()
            return
        if there is None or (not self._same(pair, there) and self._overwrite):
            self._engine.progress.expect(1, entry.size)
            yield self._engine.job(pair, self.arrived)
        elif self._same(pair, there):
            self._engine.same()
        else:
            sentence = f"{there.label} is another than {entry.label}; to replace it: --overwrite."
            self._engine.warn(Failure(sentence, "Differs", entry.label))

    def _same(self, pair: Pair, there: Entry) -> bool:
        entry = pair.entry
        if entry.size != there.size:
            return False
        if self._journal.arrived(str(pair.target), _fingerprint(entry)):
            return True
        if _MD5.fullmatch(entry.etag) and _MD5.fullmatch(there.etag):
            return entry.etag == there.etag
        if entry.etag and entry.etag == there.etag:
            return True
        if isinstance(there.place, Local) and isinstance(entry.place, Remote):
            # What comes down gets the time of the object.
            return int(there.modified) == int(entry.modified)
        if int(there.modified) == int(entry.modified) and isinstance(entry.place, Local):
            # Both in one second, and servers tell no more: the bytes themselves are compared.
            return not _MD5.fullmatch(there.etag) or _md5_of(entry.place.path) == there.etag
        return there.modified >= int(entry.modified)

    def _removals(self, extra: list[Entry]) -> Iterator[Job]:
        if not extra:
            return
        if self._unread:
            sentence = "nothing is removed, since a part of the source could not be read."
            self._engine.warn(Failure(sentence, "Unread", extra[0].label))
            return
        dry_run = self._engine.settings.dry_run
        if isinstance(extra[0].place, Remote):
            doomed = (
                Doomed(row.place, "", row.size) for row in extra if isinstance(row.place, Remote)
            )
            yield from delete_jobs(self._engine, doomed, bypass=False, dry_run=dry_run)
            return
        for row in extra:
            if dry_run:
                planned = Planned("remove", "", row.label, row.size)
                yield Job(row.label, _Tell(planned).run)
            else:
                yield Job(row.label, _Unlink(row).run)

    def _source(self, ends: Ends) -> Iterator[Entry]:
        for entry in _entries(self._engine, ends.source, self._warn):
            if self._filter.takes_name(entry.name):
                yield entry

    def _target(self, ends: Ends) -> Iterator[Entry]:
        """What is there; nothing if the target itself is not there yet."""
        try:
            for entry in _entries(self._engine, ends.target, lambda result: None):
                if self._filter.takes_name(entry.name):
                    yield entry
        except ClientError as error:
            if error.code not in ("NoSuchKey", "LocalFile", "NoSuchBucket"):
                raise

    def _warn(self, result: Result) -> None:
        self._unread = self._unread or (isinstance(result, Failure) and result.code != "BadName")
        self._engine.warn(result)


class _Tell:
    def __init__(self, result: Result) -> None:
        self._result = result

    def run(self, done: Done) -> None:
        done([self._result])


class _Unlink:
    def __init__(self, entry: Entry) -> None:
        self._entry = entry

    def run(self, done: Done) -> None:
        assert isinstance(self._entry.place, Local)
        os.unlink(self._entry.place.path)
        done([Removed(self._entry.label)])


def make_target(engine: Engine, target: Local | Remote) -> None:
    """Have the bucket that is mirrored to. Raises: ClientError."""
    if engine.settings.dry_run or not isinstance(target, Remote):
        return
    server = engine.session.server(target.alias)
    try:
        if not server.bucket_exists(target.bucket):
            server.make_bucket(target.bucket)
    except ServerError as error:
        # Who may not see a bucket may still be allowed to write to it.
        if not error.denied:
            raise


def ends_of(engine: Engine, source: Local | Remote, target: Local | Remote) -> Iterator[Ends]:
    """The ends themselves, or those of each bucket when the source is a whole server."""
    if isinstance(source, Local) or source.bucket:
        yield Ends(source, target)
        return
    for bucket in engine.session.server(source.alias).buckets():
        if isinstance(target, Remote) and not target.bucket:
            there: Local | Remote = Remote(target.alias, bucket.name)
        else:
            there = place_of(target, bucket.name)
        yield Ends(Remote(source.alias, bucket.name), there)


def _entries(engine: Engine, place: Local | Remote, warn: Warn) -> Iterator[Entry]:
    if isinstance(place, Local):
        return local_entries(place.path, True, False, warn)
    server = engine.session.server(place.alias)
    # A prefix means what lies below it, whether its slash was written or not.
    slash = "/" if place.key and not place.key.endswith("/") else ""
    return remote_entries(server, replace(place, key=place.key + slash), True, False)


def _joined(
    first: Iterator[Entry], second: Iterator[Entry]
) -> Iterator[tuple[Entry | None, Entry | None]]:
    """Entries of both sides side by side; each side is in the order of the names' bytes."""
    one, other = next(first, None), next(second, None)
    while one is not None or other is not None:
        if other is None or (one is not None and one.name.encode() < other.name.encode()):
            yield one, None
            one = next(first, None)
        elif one is None or other.name.encode() < one.name.encode():
            yield None, other
            other = next(second, None)
        else:
            yield one, other
            one, other = next(first, None), next(second, None)


def _md5_of(path: str) -> str:
    import hashlib

    with open(path, "rb") as stream:
        found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
    return found.hexdigest()


def _fingerprint(entry: Entry) -> str:
    return f"{entry.size} {entry.modified} {entry.etag}"

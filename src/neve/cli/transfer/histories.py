"""Mirrors with versions: for each key, what of the source's history the target does not have yet.

The target's history must be a beginning of the source's (versions are compared by size and ETag);
what is missing is written in order, oldest first, delete markers as well. So an interrupted mirror
goes on inside a history. Version ids and times are the target's own.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from neve.cli.output import Failure, Result
from neve.cli.target import Remote
from neve.cli.transfer.engine import Engine, Pair
from neve.cli.transfer.entries import entry_of
from neve.cli.transfer.filters import Filter
from neve.cli.transfer.plan import place_of
from neve.cli.transfer.pool import Done, Job, failed
from neve.cli.transfer.results import Copied, Planned
from neve.cli.transfer.wire import Request
from neve.client import s3
from neve.client.errors import ServerError

_MD5 = re.compile(r"[0-9a-f]{32}")

History = list[s3.Object]
"""The versions of a key, oldest first."""


def history_jobs(engine: Engine, source: Remote, target: Remote, chosen: Filter) -> Iterator[Job]:
    """A job for each key whose history is not at the target yet."""
    start = len(source.key)
    theirs = histories(engine, target)
    there = next(theirs, None)
    for key, history in histories(engine, source):
        name = key[start:]
        if not name or not chosen.takes_name(name):
            continue
        wanted = place_of(target, name)
        assert isinstance(wanted, Remote)
        while there is not None and there[0].encode() < wanted.key.encode():
            there = next(theirs, None)
        present = there[1] if there is not None and there[0] == wanted.key else []
        if not _begins(history, present):
            sentence = f"{wanted} has another history than {source.at(key)}."
            engine.warn(Failure(sentence, "DifferentHistory", str(source.at(key))))
            continue
        if missing := history[len(present) :]:
            engine.progress.expect(len(missing), sum(row.size for row in missing))
            yield Job(str(source.at(key)), Writing(engine, source, wanted, missing, start).run)
        else:
            engine.same()


def keep_versions(engine: Engine, source: Remote, target: Remote) -> None:
    """Have the target keep versions if the source does. Raises: ClientError."""
    setting = engine.session.server(source.alias).get_setting(source.bucket, "versioning")
    if not setting or b"<Status>Enabled</Status>" not in setting:
        return
    server = engine.session.server(target.alias)
    there = server.get_setting(target.bucket, "versioning")
    if not there or b"<Status>Enabled</Status>" not in there:
        from neve.client.xml import document, element

        body = document("VersioningConfiguration", [element("Status", "Enabled")])
        server.put_setting(target.bucket, "versioning", body, "have versions kept")


def histories(engine: Engine, place: Remote) -> Iterator[tuple[str, History]]:
    server = engine.session.server(place.alias)
    rows = (row for row in server.versions(place.bucket, place.key) if isinstance(row, s3.Object))
    try:
        for key, group in groupby(rows, key=lambda row: row.key):
            yield key, list(group)[::-1]
    except ServerError as error:
        if error.code != "NoSuchBucket" or not engine.settings.dry_run:
            raise


def _begins(history: History, present: History) -> bool:
    return len(present) <= len(history) and all(map(alike, history, present))


def alike(one: s3.Object, other: s3.Object) -> bool:
    if one.marker or other.marker:
        return one.marker == other.marker
    comparable = _MD5.fullmatch(one.etag) and _MD5.fullmatch(other.etag)
    return one.size == other.size and (not comparable or one.etag == other.etag)


class Writing:
    """Writes versions one after the other; each step is a piece of the pool, none recurses."""

    stops = True
    """Whether no version may come after one that could not be written."""

    def __init__(
        self, engine: Engine, source: Remote, target: Remote, rows: History, start: int
    ) -> None:
        self.engine, self.source, self.target = engine, source, target
        self.rows, self.start = iter(rows), start
        self._results: list[Result] = []
        self._done: Done = lambda results: None

    def run(self, done: Done) -> None:
        """Begin."""
        self._done = done
        self._step()

    def _step(self) -> None:
        row = next(self.rows, None)
        if row is None:
            self._done(self._results)
            return
        name = f"{self.source.at(row.key)} ({row.version or 'null'})"
        try:
            if self.engine.settings.dry_run:
                self.proceed([Planned("copy", name, str(self.target), row.size)])
            elif row.marker:
                self.mark(row, name)
            else:
                self.copy(row)
        except Exception as error:  # noqa: BLE001 - it is told as the failure of this object
            self.proceed([failed(error, name)])

    def mark(self, row: s3.Object, name: str) -> None:
        """Make a delete marker."""
        request = Request("DELETE", self.target.bucket, self.target.key, doing="delete this object")
        found = self.engine.wire(self.target.alias).call(request, lambda reply: reply.headers)
        version = found.get("x-amz-version-id", "")
        self.proceed([Copied(name, str(self.target), 0, version, verified="delete marker")])

    def copy(self, row: s3.Object) -> None:
        """Copy an object."""
        entry = entry_of(self.source, row._replace(version=row.version or "null"), self.start)
        job = self.engine.job(Pair(entry, self.target))
        job.run(self.proceed)

    def proceed(self, results: Iterable[Result]) -> None:
        """Go on with the next version."""
        found = list(results)
        self._results += found
        failure = any(isinstance(result, Failure) for result in found)
        if failure and (self.stops or self.engine.pool.stopped):
            self._done(self._results)
            return
        self.engine.pool.spread([self._step])

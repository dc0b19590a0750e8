"""Versions brought to a server that keeps their ids and times: those that it does not have yet.

Each is known by its id, so the target may have others beside them, and one that is missing anywhere
comes, oldest first. The null version is known by its time and bytes; a newer one at the target
stays.
"""

import uuid
from collections.abc import Iterator
from datetime import timedelta

from neve.cli.output import Failure
from neve.cli.target import Remote
from neve.cli.transfer.engine import Engine, Pair
from neve.cli.transfer.entries import entry_of
from neve.cli.transfer.histories import History, Writing, alike, histories
from neve.cli.transfer.pool import Job
from neve.cli.transfer.replica import CHECK, CHECKED, STATUS, Replica
from neve.cli.transfer.results import Copied
from neve.cli.transfer.wire import Request
from neve.client import s3
from neve.client.errors import ServerError

_NULL = ("", "null")


def keeps_versions(server: s3.S3, bucket: str) -> bool:
    """Whether the server keeps ids and times of versions, and lets the caller bring such.

    Asked by a deletion of a version that is nowhere, which does no harm at a server that takes it
    for one. Raises: ServerError when it cannot be asked.
    """
    try:
        server.transport.request(
            "DELETE", bucket, f".neve-{uuid.uuid4()}", {"versionId": str(uuid.uuid4())},
            STATUS | CHECK, doing="ask whether versions are kept", accept=(404,),
        )  # fmt: skip
    except ServerError as error:
        if error.code == CHECKED:
            return True
        if error.status >= 500 or error.code in ("NoSuchBucket", "AccessDenied"):
            raise
    return False


def replica_jobs(engine: Engine, source: Remote, target: Remote) -> Iterator[Job]:
    """A job for each key of a bucket with versions that are not at the target yet."""
    theirs = histories(engine, target)
    there = next(theirs, None)
    for key, history in histories(engine, source):
        while there is not None and there[0].encode() < key.encode():
            there = next(theirs, None)
        present = there[1] if there is not None and there[0] == key else []
        missing = missing_of(engine, source.at(key), _apart(history), present)
        if missing:
            engine.progress.expect(len(missing), sum(row.size for row in missing))
            job = _Bringing(engine, source, target.at(key), missing, 0)
            yield Job(str(source.at(key)), job.run)
        else:
            engine.same()


def _apart(history: History) -> History:
    """The history with no two times alike: listings round them, and times are what orders it."""
    found: History = []
    for row in history:
        if found and row.modified <= found[-1].modified:
            row = row._replace(modified=found[-1].modified + timedelta(microseconds=1))
        found.append(row)
    return found


def missing_of(engine: Engine, place: Remote, history: History, present: History) -> History:
    """What of a history is not there; what cannot come is told."""
    known = {row.version: row for row in present if row.version not in _NULL}
    null = next((row for row in present if row.version in _NULL), None)
    missing = []
    for row in history:
        is_null = row.version in _NULL
        other = null if is_null else known.get(row.version)
        same = other is not None and alike(row, other)
        if other is None or (is_null and _seconds(row) >= _seconds(other) + same):
            missing.append(row)
        elif not same:
            engine.warn(_differs(place, row))
    return missing


def _seconds(row: s3.Object) -> int:
    """The time as every server lists it. Where it is alike the target knows which is newer."""
    return int(row.modified.timestamp())


def _differs(place: Remote, row: s3.Object) -> Failure:
    what = f"version {row.version}" if row.version not in _NULL else "null version"
    sentence = f"{place}: the target has another {what}, which stays."
    return Failure(sentence, "DifferentHistory", str(place))


class _Bringing(Writing):
    """Writes versions as they are at the source, in whatever order they arrive."""

    stops = False

    def mark(self, row: s3.Object, name: str) -> None:
        """Make the delete marker."""
        replica = Replica(row.version or "null", row.modified, "")
        request = Request(
            "DELETE", self.target.bucket, self.target.key, replica.query, replica.headers,
            doing="make this delete marker",
        )  # fmt: skip
        self.engine.wire(self.target.alias).call(request, lambda reply: reply.headers)
        target = str(self.target)
        self.proceed([Copied(name, target, 0, replica.version, verified="delete marker")])

    def copy(self, row: s3.Object) -> None:
        """Copy the object."""
        replica = Replica(row.version or "null", row.modified, row.etag)
        entry = entry_of(self.source, row._replace(version=replica.version), self.start)
        self.engine.job(Pair(entry, self.target, replica)).run(self.proceed)

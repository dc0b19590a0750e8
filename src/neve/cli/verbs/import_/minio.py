"""Move in from a running MinIO, over S3 and its admin API: settings, users, objects with versions.

SOURCE and TARGET are aliases with the keys of an administrator. First come users, groups, policies
and access keys (not when buckets are named), then what each bucket is told, then its objects, every
version of each, oldest first, with ids, times, ETags, tags and locks. At the end the objects are
looked at once more, for what has changed meanwhile. What is at TARGET already is not sent again:
run it again after an interruption.

A TARGET that takes no such versions gives them ids and times of its own; the report says so. What
could not be brought along is named on the standard error, and the exit status is then 1.
"""

import argparse
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import Annotated, Any, ClassVar

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session, admin_of
from neve.cli.target import Remote
from neve.cli.units import format_size
from neve.client import s3
from neve.client.admin import Admin
from neve.client.errors import ClientError
from neve.client.xml import moment, parse

EXAMPLES = """\
examples:
  neve import minio pavics new
  neve import minio pavics new portail-ing results
"""

_PASSES = 2
"""The second is for what has changed during the first."""
_LOCK = "object-lock.xml"


@dataclass(frozen=True)
class MovedIn(Result):
    """What an import from a running server has brought along."""

    kind: ClassVar[str] = "movedIn"

    source: Annotated[str, "alias of the server it came from"]
    target: Annotated[str, "alias of the server it went to"]
    buckets: Annotated[int, "buckets"]
    objects: Annotated[int, "versions and delete markers that were written"]
    size: Annotated[int, "their bytes"]
    same: Annotated[int, "keys whose versions were there already when first looked at"]
    identities: Annotated[int, "users, groups, policies and access keys that were written"]
    kept: Annotated[bool, "whether versions have the ids and times that they had"]
    missing: Annotated[int, "things that could not be brought; each has a `failure` of its own"]

    def text(self, style: Style) -> str:
        """Some lines of figures."""
        size = format_size(self.size)
        lines = [
            f"Buckets: {self.buckets:,}; versions and delete markers: {self.objects:,} ({size}).",
            f"Users, groups, policies and access keys: {self.identities:,}.",
            f"Keys that were there already: {self.same:,}.",
        ]
        if not self.kept:
            lines.append(style.bad(f"Versions have ids and times of {self.target}'s own."))
        if self.missing:
            lines.append(style.bad(f"Could not be brought: {self.missing:,}, see above."))
        else:
            lines.append(style.good("Nothing is missing."))
        return "\n".join(lines)


RESULTS = (MovedIn, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add both servers and the buckets."""
    parser.add_argument("source", metavar="SOURCE", help="alias of MinIO")
    parser.add_argument("target", metavar="TARGET", help="alias of Neve")
    parser.add_argument("buckets", metavar="BUCKET", nargs="*", help="these only, and no users")
    parser.add_argument(
        "--max-workers", metavar="N", type=int, default=0,
        help="requests at once (default: as many as make it faster, up to 24)",
    )  # fmt: skip


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Bring everything."""
    source, target = admin_of(session, options.source), admin_of(session, options.target)
    ends = (source.server.alias, target.server.alias)
    if ends[0].url == ends[1].url:
        raise UsageError("SOURCE and TARGET are one server.")
    move = _Move(session, source, target, options.max_workers)
    yield from move.run(options.buckets)
    yield MovedIn(
        ends[0].name, ends[1].name, move.buckets, move.objects, move.size, move.same,
        move.identities, move.kept, move.missing,
    )  # fmt: skip


class _Move:
    """One import; counts what it does."""

    def __init__(self, session: Session, source: Admin, target: Admin, workers: int) -> None:
        self._session = session
        self._source = source
        self._target = target
        self._workers = workers
        self._locked: list[str] = []
        """Buckets with object lock."""
        self._keeping: set[str] = set()
        """Buckets whose versions keep ids and times."""
        self.kept = True
        self.buckets = self.objects = self.size = self.same = self.identities = self.missing = 0

    def run(self, wanted: list[str]) -> Iterator[Failure]:
        """Bring the buckets, or everything; yield what could not be brought."""
        from neve.cli.transfer.replicating import keeps_versions

        there = [bucket.name for bucket in self._source.server.buckets()]
        for name in wanted:
            if name not in there:
                yield self._missed(name, "there is no such bucket at the source")
        if not wanted:
            yield from self._bring_identities()
        names = []
        for name in there:
            if wanted and name not in wanted:
                continue
            yield from self._bring_settings(name)
            try:
                self._make(name)
                if keeps_versions(self._target.server, name):
                    self._keeping.add(name)
                names.append(name)
            except ClientError as error:
                yield self._missed(name, str(error))
        self.buckets = len(names)
        self.kept = self._keeping.issuperset(names)
        for number in range(_PASSES):
            yield from self._bring_objects(names, first=number == 0)
        for name in names:
            if name in self._locked:
                yield from self._bring_locks(name)

    def _missed(self, what: str, why: str) -> Failure:
        self.missing += 1
        return Failure(f"{what}: {why}", "NotImported", what)

    def _bring_identities(self) -> Iterator[Failure]:
        try:
            archive = self._source.answer("GET", "export-iam", doing="export its users").body
            done = self._target.call(
                "PUT", "import-iam-v2", document=archive, doing="take users from an archive"
            )
        except ClientError as error:
            yield self._missed("users, groups, policies and access keys", str(error))
            return
        for kind, failures in (done.get("failed") or {}).items():
            for failure in failures or ():
                yield self._missed(f"{kind}/{failure.get('name')}", str(failure.get("error")))
        added = done.get("added") or {}
        kinds = ("users", "groups", "policies", "serviceAccounts")
        self.identities = sum(len(added.get(kind) or ()) for kind in kinds)

    def _bring_settings(self, name: str) -> Iterator[Failure]:
        query = {"bucket": name}
        try:
            doing = "export what its buckets are told"
            about = self._source.answer("GET", "export-bucket-metadata", query, doing=doing).body
            doing = "take what buckets are told from an archive"
            done = self._target.call(
                "PUT", "import-bucket-metadata", query, document=about, doing=doing
            )
            locked = f"{name}/{_LOCK}" in zipfile.ZipFile(io.BytesIO(about)).namelist()
        except (ClientError, zipfile.BadZipFile) as error:
            yield self._missed(f"settings of {name}", str(error))
            return
        told: dict[str, Any] = (done.get("buckets") or {}).get(name) or {}
        for kind, answer in told.items():
            why = answer if kind == "error" else answer.get("error")
            if why:
                what = "settings" if kind == "error" else kind
                yield self._missed(f"{what} of {name}", str(why))
        if locked:
            self._locked.append(name)

    def _make(self, name: str) -> None:
        """Make the bucket if its settings have not made it. Raises: ClientError."""
        server = self._target.server
        if not any(bucket.name == name for bucket in server.buckets()):
            server.make_bucket(name)

    def _bring_objects(self, names: list[str], *, first: bool) -> Iterator[Failure]:
        from neve.cli.transfer.engine import Engine
        from neve.cli.transfer.pool import Job
        from neve.cli.transfers import Transfers

        with Transfers(self._session.output) as progress:
            engine = Engine.plain(self._session, progress, workers=self._workers)

            def jobs() -> Iterator[Job]:
                for name in names:
                    yield from self._histories(engine, name)
                progress.expect(0, 0, counted=True)

            for result in engine.do(jobs()):
                # What failed is tried again in the last pass: only that one tells.
                if isinstance(result, Failure) and not first:
                    self.missing += 1
                    yield result
            summary = engine.summary()
        self.objects += summary.objects
        self.size += summary.size
        if first:
            self.same = summary.same

    def _histories(self, engine: Any, name: str) -> Iterator[Any]:
        from neve.cli.transfer.filters import Filter
        from neve.cli.transfer.histories import history_jobs
        from neve.cli.transfer.replicating import replica_jobs

        ends = (self._source.server.alias.name, self._target.server.alias.name)
        source, target = (Remote(alias, name) for alias in ends)
        if name in self._keeping:
            yield from replica_jobs(engine, source, target)
            return
        everything = Filter(argparse.Namespace(older_than=None, newer_than=None))
        yield from history_jobs(engine, source, target, everything)

    def _bring_locks(self, name: str) -> Iterator[Failure]:
        """Give the versions of a bucket the retention and legal hold that they have."""
        there = dict(self._versions(self._target, name))
        for key, versions in self._versions(self._source, name):
            for one, other in self._same_versions(name, versions, there.get(key, [])):
                try:
                    self._copy_lock(Remote("", name, key), one, other)
                except ClientError as error:
                    yield self._missed(f"lock of {name}/{key} ({one})", str(error))

    def _same_versions(
        self, name: str, ones: list[str], others: list[str]
    ) -> Iterable[tuple[str, str]]:
        """The versions of a key at the source with those that they are at the target."""
        if name in self._keeping:
            return [(version, version) for version in ones if version in others]
        return zip(ones, others)

    def _versions(self, side: Admin, name: str) -> Iterator[tuple[str, list[str]]]:
        """Key → ids of its versions, newest first, without delete markers."""
        rows = (row for row in side.server.versions(name) if isinstance(row, s3.Object))
        for key, group in groupby(rows, key=lambda row: row.key):
            yield key, [row.version for row in group if not row.marker]

    def _copy_lock(self, place: Remote, one: str, other: str) -> None:
        """Lock version `other` at the target as version `one` is at the source."""
        from neve.cli.chosen import Chosen
        from neve.cli.verbs.retention._retention import get_lock, put_lock

        here, there = Chosen(place, one), Chosen(place, other)
        bypass = {"x-amz-bypass-governance-retention": "true"}
        for kind, headers in (("retention", bypass), ("legal-hold", {})):
            wanted = get_lock(self._source.server, here, kind)
            if wanted is None or _has_ended(wanted):
                continue
            if wanted != get_lock(self._target.server, there, kind):
                put_lock(self._target.server, there, kind, wanted, headers)


def _has_ended(lock: bytes) -> bool:
    """Whether it is a retention until a time that is past: such binds nobody and cannot be set."""
    until = parse(lock).text("RetainUntilDate")
    return bool(until) and moment(until) <= datetime.now(UTC)

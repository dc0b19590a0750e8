"""Removing objects in numbers: a request per thousand, several at once."""

from collections.abc import Iterable, Iterator
from functools import partial
from itertools import islice
from typing import NamedTuple

from neve.cli.output import Failure, Result
from neve.cli.target import Remote
from neve.cli.transfer.engine import Engine
from neve.cli.transfer.pool import Done, Job
from neve.cli.transfer.results import Planned, Removed
from neve.client import s3
from neve.client.reasons import reason_of


class Doomed(NamedTuple):
    """An object, or a version of it, that is to be removed."""

    place: Remote
    version: str = ""
    size: int = 0


def delete_jobs(
    engine: Engine, doomed: Iterable[Doomed], *, bypass: bool, dry_run: bool
) -> Iterator[Job]:
    """A job for each thousand. All are of one bucket."""
    rows = iter(doomed)
    while batch := list(islice(rows, s3.DELETE_MAX)):
        if dry_run:
            yield Job(_named(batch), partial(_plan, batch))
        else:
            yield Job(_named(batch), partial(_delete, engine, batch, bypass))


def _plan(batch: list[Doomed], done: Done) -> None:
    done([Planned("remove", "", _label(row), row.size) for row in batch])


def _named(batch: list[Doomed]) -> str:
    more = f" and {len(batch) - 1:,} more" if len(batch) > 1 else ""
    return f"{batch[0].place}{more}"


def _label(row: Doomed) -> str:
    return str(row.place) + (f" ({row.version})" if row.version else "")


def _delete(engine: Engine, batch: list[Doomed], bypass: bool, done: Done) -> None:
    place = batch[0].place
    server = engine.session.server(place.alias)
    failed = server.delete_many(
        place.bucket, [(row.place.key, row.version) for row in batch], bypass
    )
    bad = {(each.key, each.version) for each in failed}
    gone = [row for row in batch if (row.place.key, row.version) not in bad]
    results: list[Result] = [Removed(str(row.place), row.version) for row in gone]
    for each in failed:
        name = str(place.at(each.key))
        what = each.message.rstrip(". ") or "refused"
        if each.code == "AccessDenied":
            query = {"versionId": each.version} if each.version else {}
            what = reason_of(server.transport, "DELETE", place.bucket, each.key, query) or what
        results.append(Failure(f"could not remove {name}: {what} ({each.code}).", each.code, name))
    done(results)

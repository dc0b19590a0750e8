"""`--rewind TIME`: what there was then, in buckets that keep versions.

Of each key the newest version that was written by then, unless it was a delete marker; S3 tells
times to the second, so what was written in that second is there. Versions
that were removed for good since, and what buckets without versions have lost, cannot come back.
"""

import argparse
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import groupby

from neve.cli.errors import UsageError
from neve.cli.session import Session
from neve.cli.target import Remote, Target
from neve.cli.units import format_time, parse_time
from neve.client import s3
from neve.client.errors import ClientError

Listing = Callable[..., Iterator[s3.Object | s3.Prefix]]
"""Bucket, prefix and delimiter to rows, as `S3.objects`."""


def add_rewind(parser: argparse.ArgumentParser) -> None:
    """Add the flag."""
    parser.add_argument(
        "--rewind", metavar="TIME", help="what there was then: 7d (ago), 2026-11-01T12:30"
    )


def moment_of(options: argparse.Namespace) -> datetime | None:
    """Return the moment that is asked for. Raises: UsageError."""
    if not getattr(options, "rewind", None):
        return None
    for name in ("versions", "version_id", "incomplete"):
        if getattr(options, name, None):
            raise UsageError(f"--rewind and --{name.replace('_', '-')} do not go together.")
    return parse_time(options.rewind)


def listing_of(server: s3.S3, moment: datetime | None, versions: bool = False) -> Listing:
    """Return what lists the objects of a bucket, as of a moment if there is one."""
    if moment:
        return partial(_objects_at, server, moment)
    return server.versions if versions else server.objects


def version_at(server: s3.S3, target: Remote, moment: datetime) -> str:
    """Return the id of the version that an object had. Raises: ClientError when it was not."""
    for row in _objects_at(server, moment, target.bucket, target.key):
        if row.key != target.key:
            break
        assert isinstance(row, s3.Object)
        return row.version
    when = format_time(moment)
    raise ClientError(f"there was no object {target} at {when}.", "NoSuchKey", str(target))


def wanted_version(options: argparse.Namespace, session: Session, target: Target) -> str:
    """Return the version of an object that the flags ask for, '' for the present one."""
    moment = moment_of(options)
    if moment and isinstance(target, Remote):
        return version_at(session.server(target.alias), target, moment)
    return getattr(options, "version_id", "") or ""


def _objects_at(
    server: s3.S3, moment: datetime, bucket: str, prefix: str = "", delimiter: str = ""
) -> Iterator[s3.Object | s3.Prefix]:
    rows = (row for row in server.versions(bucket, prefix) if isinstance(row, s3.Object))
    last = ""
    for key, versions in groupby(rows, key=lambda row: row.key):
        # Newest first.
        row = next((each for each in versions if each.modified <= moment), None)
        if row is None or row.marker:
            continue
        end = key.find(delimiter, len(prefix)) if delimiter else -1
        if end < 0:
            yield row._replace(version=row.version or "null")
        elif last != (folder := key[: end + len(delimiter)]):
            last = folder
            yield s3.Prefix(folder)

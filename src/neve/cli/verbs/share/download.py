"""Make links with which anybody can read objects, for at most seven days."""

import argparse
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.target import Remote
from neve.cli.verbs.share import _shares
from neve.cli.verbs.share._shares import Share
from neve.client import s3
from neve.client.errors import ClientError

EXAMPLES = """\
examples:
  neve share download pavics/results/tas.nc
  neve share download --expire 2h pavics/results/tas.nc
  neve share download -r --json pavics/results/raw/ | jq -r .url
"""
RESULTS = (Share, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the target and for how long."""
    parser.add_argument("target", metavar="TARGET", help="an object; a prefix with -r")
    parser.add_argument(
        "-E", "--expire", metavar="TIME", default="7d", help="how long it holds (default: 7d)"
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="all objects under a prefix")
    parser.add_argument("--version-id", metavar="ID", default="", help="this version of the object")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Make them and write them down."""
    seconds = _shares.expiry_of(options.expire)
    target = session.remote(options.target, "bucket" if options.recursive else "key")
    if options.recursive and options.version_id:
        raise UsageError("--version-id names one version: it goes without -r.")
    server = session.server(target.alias)
    query = {"versionId": options.version_id} if options.version_id else {}
    made: list[Share] = []
    for key in _keys(server, target, options):
        expires = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
        url = server.presign("GET", target.bucket, key, seconds, query)
        made.append(Share("download", str(target.at(key)), url, url, expires))
    if not made:
        raise ClientError(f"there is nothing at {target}.", "NoSuchKey", str(target))
    _shares.add(session.aliases.folder, made)
    yield from made


def _keys(server: s3.S3, target: Remote, options: argparse.Namespace) -> Iterator[str]:
    if not options.recursive:
        # A link to what is not there would only be found out by who gets it.
        server.head(target.bucket, target.key, options.version_id)
        yield target.key
        return
    for row in server.objects(target.bucket, target.key):
        if isinstance(row, s3.Object):
            yield row.key

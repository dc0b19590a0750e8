"""Which objects and versions a verb is about: one, a version, all under a prefix, all versions.

For verbs that tell something to objects: tags, locks.
"""

import argparse
from collections.abc import Iterator
from typing import NamedTuple

from neve.cli.errors import UsageError
from neve.cli.session import Session
from neve.cli.target import Remote
from neve.client import s3
from neve.client.errors import ClientError


class Chosen(NamedTuple):
    """An object, or a version of it when `version` is not ''."""

    target: Remote
    version: str = ""

    @property
    def query(self) -> dict[str, str]:
        """The field that names the version."""
        return {"versionId": self.version} if self.version else {}


def add_choice(parser: argparse.ArgumentParser) -> None:
    """Add the flags that choose."""
    parser.add_argument("-r", "--recursive", action="store_true", help="all objects under a prefix")
    parser.add_argument("--version-id", metavar="ID", default="", help="this version of the object")
    parser.add_argument("--versions", action="store_true", help="every version of what is named")


def choose(options: argparse.Namespace, session: Session) -> Iterator[Chosen]:
    """Return what the flags and `options.target` name; delete markers are left out.

    Raises: UsageError, ClientError when there is nothing.
    """
    target = session.remote(options.target, "" if options.recursive else "key")
    if options.recursive and not target.bucket:
        raise UsageError(f"{options.target} names a server; name a bucket: {target.alias}/bucket.")
    if options.version_id and (options.recursive or options.versions):
        raise UsageError("--version-id names one version: it goes without -r and --versions.")
    if not (options.recursive or options.versions):
        yield Chosen(target, options.version_id)
        return
    found = False
    for row in _rows(session.server(target.alias), target, options.versions):
        if not row.marker and (options.recursive or row.key == target.key):
            found = True
            yield Chosen(target.at(row.key), row.version if options.versions else "")
    if not found:
        raise ClientError(f"there is nothing at {target}.", "NoSuchKey", str(target))


def _rows(server: s3.S3, target: Remote, versions: bool) -> Iterator[s3.Object]:
    listing = server.versions if versions else server.objects
    return (row for row in listing(target.bucket, target.key) if isinstance(row, s3.Object))

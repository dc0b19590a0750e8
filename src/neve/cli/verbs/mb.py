"""Make buckets."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style, failure_of
from neve.cli.session import Session
from neve.client.errors import ServerError
from neve.client.s3 import S3
from neve.client.xml import document, element
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve mb pavics/results
  neve mb --ignore-existing pavics/results pavics/scratch
  neve mb --with-versioning pavics/archive
  neve mb --with-lock pavics/records
"""


@dataclass(frozen=True)
class BucketMade(Result):
    """A bucket was made, or was there already."""

    kind: ClassVar[str] = "bucketMade"
    quiet: ClassVar[bool] = True

    bucket: Annotated[str, "alias/bucket"]
    created: Annotated[bool, "false when it existed and --ignore-existing was given"]

    def text(self, style: Style) -> str:
        """The sentence."""
        what = "was made" if self.created else "exists already"
        return f"The bucket {style.folder(self.bucket)} {what}."


RESULTS = (BucketMade, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the buckets and what they are to have."""
    parser.add_argument("buckets", metavar="ALIAS/BUCKET", nargs="+", help="the buckets to make")
    parser.add_argument("--region", default="", help="where to make them")
    parser.add_argument(
        "-p", "--ignore-existing", action="store_true", help="a bucket of yours may exist already"
    )
    parser.add_argument("--with-versioning", action="store_true", help="keep old versions")
    parser.add_argument(
        "-l", "--with-lock", action="store_true", help="allow object locks; keeps old versions"
    )


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Make each bucket; go on after a failure."""
    targets = [session.remote(text, "bucket") for text in options.buckets]
    for target in targets:
        try:
            server = session.server(target.alias)
            created = _make(server, target.bucket, options)
            if options.with_versioning and not options.with_lock:
                _keep_versions(server, target.bucket)
            yield BucketMade(f"{target.alias}/{target.bucket}", created)
        except NeveError as error:
            yield failure_of(error, f"{target.alias}/{target.bucket}")


def _make(server: S3, bucket: str, options: argparse.Namespace) -> bool:
    try:
        server.make_bucket(bucket, options.region, options.with_lock)
    except ServerError as error:
        if error.code == "BucketAlreadyOwnedByYou" and options.ignore_existing:
            return False
        raise
    return True


def _keep_versions(server: S3, bucket: str) -> None:
    body = document("VersioningConfiguration", [element("Status", "Enabled")])
    server.put_setting(bucket, "versioning", body, "keep versions")

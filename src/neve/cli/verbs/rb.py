"""Remove buckets.

A bucket that holds something is only removed with --force, and with it everything in it: objects,
their versions, unfinished uploads. There is no way back.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, ClassVar

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result, Style, failure_of
from neve.cli.session import Session
from neve.cli.target import Remote
from neve.client import s3
from neve.client.errors import ClientError
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve rb pavics/scratch
  neve rb --force pavics/old                    # with all that it holds
  neve rb --force --dangerous pavics            # every bucket of the server
"""


@dataclass(frozen=True)
class BucketRemoved(Result):
    """A bucket was removed."""

    kind: ClassVar[str] = "bucketRemoved"
    quiet: ClassVar[bool] = True

    bucket: Annotated[str, "alias/bucket"]
    objects: Annotated[int, "objects, versions and delete markers that were removed with it"]

    def text(self, style: Style) -> str:
        """The sentence."""
        held = f", with the {self.objects:,} objects in it" if self.objects else ""
        return f"The bucket {style.folder(self.bucket)} was removed{held}."


RESULTS = (BucketRemoved, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the buckets and how far to go."""
    parser.add_argument("buckets", metavar="ALIAS/BUCKET", nargs="+", help="the buckets to remove")
    parser.add_argument("--force", action="store_true", help="also with everything that it holds")
    parser.add_argument(
        "--dangerous", action="store_true", help="with --force: ALIAS alone means all its buckets"
    )


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Remove each bucket; go on after a failure."""
    for target in list(_targets(options, session)):
        name = f"{target.alias}/{target.bucket}"
        try:
            server = session.server(target.alias)
            count = _empty(server, target.bucket) if options.force else 0
            server.delete_bucket(target.bucket)
            yield BucketRemoved(name, count)
        except NeveError as error:
            if isinstance(error, ClientError) and error.code == "BucketNotEmpty":
                sentence = f"the bucket {name} is not empty; remove it with all in it: --force"
                yield Failure(sentence, error.code, name)
            else:
                yield failure_of(error, name)


def _targets(options: argparse.Namespace, session: Session) -> Iterator[Remote]:
    for text in options.buckets:
        target = session.remote(text)
        if target.key:
            raise UsageError(f"{text} is no bucket; objects are removed with neve rm.")
        if target.bucket:
            yield target
        elif options.force and options.dangerous:
            for bucket in session.server(target.alias).buckets():
                yield Remote(target.alias, bucket.name)
        else:
            raise UsageError(
                f"{text} is a server; all its buckets are removed with --force --dangerous."
            )


def _empty(server: s3.S3, bucket: str) -> int:
    """Remove everything from the bucket; return how many versions that were."""
    for upload in server.uploads(bucket):
        server.transport.request(
            "DELETE", bucket, upload.key, {"uploadId": upload.upload}, doing="end an upload"
        )
    rows = (row for row in server.versions(bucket) if isinstance(row, s3.Object))
    count = 0
    while batch := [(row.key, row.version) for row in islice(rows, s3.DELETE_MAX)]:
        failed = server.delete_many(bucket, batch)
        if failed:
            first = failed[0]
            sentence = f"{len(failed):,} objects could not be removed, such as {first.key!r}: "
            raise ClientError(sentence + first.message, first.code, f"{bucket}/{first.key}")
        count += len(batch)
    return count

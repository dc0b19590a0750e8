"""Bring what a single-drive MinIO server left in its folder into a store, without MinIO.

Neither MinIO nor Neve may be running on the two folders. The drive is only read; DATA is a store's
folder, or a new one. Buckets come with what they are told, objects with all their versions, delete
markers, times, ETags, metadata, tags and locks; users, groups, policies and access keys as well.
Every byte is compared with MinIO's sums before it counts. Run it again after an interruption, or
when MinIO has written more meanwhile: what is there and equal is skipped.

What could not be brought along is named on the standard error, and the exit status is then 1.

Users may be encrypted with MinIO's root credentials: they are taken from --root-user and
MINIO_ROOT_USER, MINIO_ROOT_PASSWORD, and asked for on a terminal when they are needed.
"""

import argparse
import getpass
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, ClassVar

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result, Style
from neve.cli.progress import Progress
from neve.cli.session import Session
from neve.cli.units import counted

if TYPE_CHECKING:
    from neve.config import Config
    from neve.moving.drive import Drive
    from neve.moving.mover import Wanted

EXAMPLES = """\
examples:
  neve import minio-drive minio-drive store
  neve import minio-drive minio-drive store --bucket results --bucket archive
  neve import minio-drive minio-drive store --no-bitrot --json
"""


@dataclass(frozen=True)
class Imported(Result):
    """What an import has brought along."""

    kind: ClassVar[str] = "imported"

    folder: Annotated[str, "the store's folder"]
    buckets: Annotated[int, "buckets brought, or told anew"]
    objects: Annotated[int, "objects and noncurrent versions brought"]
    markers: Annotated[int, "delete markers brought"]
    bytes: Annotated[int, "bytes of these objects"]
    skipped: Annotated[int, "versions and delete markers that were there already, and equal"]
    users: Annotated[int, "users brought, or told anew"]
    groups: Annotated[int, "groups"]
    policies: Annotated[int, "policies"]
    access_keys: Annotated[int, "access keys"]
    uploads: Annotated[int, "unfinished uploads, which stay behind"]
    missing: Annotated[int, "things that could not be brought; each has a `failure` of its own"]
    root_keys: Annotated[str, "the file with the store's root keys, '' when they were there before"]

    def text(self, style: Style) -> str:
        """Some lines of figures."""
        objects = counted(self.objects, "object or version", "objects and versions")
        markers = counted(self.markers, "delete marker")
        people = (
            counted(self.users, "user"),
            counted(self.groups, "group"),
            counted(self.policies, "policy", "policies"),
            counted(self.access_keys, "access key"),
        )
        brought = f"{objects} of {self.bytes:,} bytes and {markers} brought"
        lines = [
            f"{counted(self.buckets, 'bucket')}; {brought}, {self.skipped:,} were there already.",
            ", ".join(people) + ".",
        ]
        if self.uploads:
            lines.append(f"{counted(self.uploads, 'unfinished upload')} left behind.")
        if self.missing:
            things = counted(self.missing, "thing")
            lines.append(style.bad(f"{things} could not be brought: see above."))
        else:
            lines.append(style.good("Nothing is missing."))
        if self.root_keys:
            lines.append(f"New root keys are in {self.root_keys}.")
        return "\n".join([*lines, f"Serve it with: neve serve {self.folder}"])


RESULTS = (Imported, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the two folders and what to take."""
    parser.add_argument("drive", metavar="PATH", type=os.path.abspath, help="the folder of MinIO")
    parser.add_argument(
        "folder", metavar="DATA", type=os.path.abspath, help="the store's folder, or a new one"
    )
    parser.add_argument(
        "--bucket",
        action="append",
        default=[],
        metavar="BUCKET",
        help="bring this bucket only, and no users; may be repeated",
    )
    parser.add_argument(
        "--root-user",
        default=os.environ.get("MINIO_ROOT_USER") or os.environ.get("MINIO_ACCESS_KEY") or "",
        metavar="NAME",
        help="MinIO's root user (default: $MINIO_ROOT_USER); its access keys become those of root",
    )
    parser.add_argument(
        "--no-bitrot",
        action="store_true",
        help="where the ETag is an MD5, trust it alone and leave MinIO's slow sums out",
    )
    parser.add_argument(
        "--key-file",
        metavar="FILE",
        type=os.path.abspath,
        help="where the store's key is kept (default: $NEVE_KEY_FILE, else store-key.json in DATA)",
    )


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Bring everything."""
    from neve.config import load
    from neve.folder import CREDENTIALS, open_folder, root_keys
    from neve.moving.drive import Drive
    from neve.moving.mover import Wanted

    if os.path.commonpath((options.drive, options.folder)) in (options.drive, options.folder):
        raise UsageError("The two folders must not lie in each other.")
    drive = Drive(options.drive)
    config = load(options.folder, {"key_file": options.key_file})
    user, password = _root(options.root_user, drive, asked=not options.bucket)
    wanted = Wanted(options.bucket, user, password, not options.no_bitrot)
    os.umask(0o027)  # nothing in the folder is for everybody
    folder = open_folder(options.folder)
    created = ""
    try:
        if not config.root_access_key:
            keys = root_keys(options.folder)
            config = replace(
                config, root_access_key=keys.access_key, root_secret_key=keys.secret_key
            )
            if keys.created:
                created = os.path.join(options.folder, CREDENTIALS)
        yield _bring(drive, config, wanted, session, created)
    finally:
        folder.close()


def _bring(
    drive: "Drive", config: "Config", wanted: "Wanted", session: Session, created: str
) -> Imported:
    from neve.moving.mover import import_drive
    from neve.moving.report import Report
    from neve.server.shared import Shared

    def on_missing(what: str, why: str) -> None:
        session.output.show(Failure(f"{what}: {why}", "NotImported", what))

    report = Report(on_missing)
    with Progress("bytes copied and compared:") as progress:
        if not session.output.quiet:
            report.on_progress = progress
            session.output.screen = progress
        import_drive(drive, config, Shared(0), wanted, report)
    return Imported(
        config.folder,
        report.buckets,
        report.objects,
        report.markers,
        report.bytes,
        report.skipped,
        report.users,
        report.groups,
        report.policies,
        report.keys,
        report.uploads,
        report.missing,
        created,
    )


def _root(user: str, drive: "Drive", *, asked: bool) -> tuple[str, str]:
    """MinIO's root credentials; asked for when they are needed and somebody is there."""
    from neve.moving.mover import locked_identities

    password = os.environ.get("MINIO_ROOT_PASSWORD") or os.environ.get("MINIO_SECRET_KEY") or ""
    if not asked or (user and password) or not sys.stdin.isatty() or not locked_identities(drive):
        return user, password
    print("The users on the drive are encrypted with MinIO's root credentials.", file=sys.stderr)
    user = user or input("Root user (empty: leave the users behind): ")
    if user:
        password = getpass.getpass("Root password: ")
    return user, password

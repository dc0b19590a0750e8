"""Show what is known of objects, buckets, and local files.

Of an object: size, time, type, version, checksums, metadata, tags, lock. Of a bucket: what it is
set to; what you may not see, or the server does not have, is left out.
"""

import argparse
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, ClassVar

from neve.cli.globs import has_glob
from neve.cli.output import Failure, Result, Style, failure_of, table
from neve.cli.rewind import add_rewind, moment_of, wanted_version
from neve.cli.session import Session
from neve.cli.target import Local, Remote
from neve.cli.units import format_size, format_time, iso_time
from neve.cli.walk import resolve, walk
from neve.client import s3, xml
from neve.client.errors import ClientError, ServerError
from neve.errors import NeveError

EXAMPLES = """\
examples:
  neve stat pavics/portail-ing/results/tas.nc
  neve stat pavics/portail-ing
  neve stat -r pavics/portail-ing/results/
  neve stat --json pavics/portail-ing/results/tas.nc | jq -r .etag
"""
_CHECKSUM = "x-amz-checksum-"
_SETTINGS = ("versioning", "object-lock", "policy", "tagging", "lifecycle", "cors", "encryption")


@dataclass(frozen=True)
class ObjectStat(Result):
    """An object, or a version of one."""

    kind: ClassVar[str] = "objectStat"

    key: Annotated[str, "its key"]
    url: Annotated[str, "as a verb would take it"]
    size: Annotated[int, "bytes"]
    last_modified: Annotated[datetime, "when it was written"]
    etag: Annotated[str, "ETag without quotes"]
    content_type: Annotated[str, "Content-Type"]
    version_id: Annotated[str, "id of the version, '' when the bucket keeps none"]
    storage_class: Annotated[str, "storage class"]
    checksums: Annotated[dict[str, str], "by name: crc32, crc32c, crc64nvme, sha1, sha256"]
    headers: Annotated[dict[str, str], "Cache-Control, Content-Encoding and the like, if set"]
    metadata: Annotated[dict[str, str], "the user's own"]
    tags: Annotated[dict[str, str] | None, "tags, null when they may not be seen"]
    lock_mode: Annotated[str, "GOVERNANCE, COMPLIANCE or ''"]
    lock_until: Annotated[str, "end of the lock as RFC 3339, or ''"]
    legal_hold: Annotated[bool, "whether a legal hold is on it"]

    def text(self, style: Style) -> str:
        """A block of names and values."""
        rows = [
            ("size", _size(self.size)),
            ("modified", format_time(self.last_modified)),
            ("etag", self.etag),
            ("type", self.content_type),
            ("version", self.version_id),
            ("storage class", self.storage_class),
            *(("checksum", f"{name} {value}") for name, value in self.checksums.items()),
            *(self.headers.items()),
            *(("metadata", f"{name}: {value}") for name, value in self.metadata.items()),
            *(("tag", f"{name}: {value}") for name, value in (self.tags or {}).items()),
            ("locked", f"{self.lock_mode} until {self.lock_until}" if self.lock_mode else ""),
            ("legal hold", "on" if self.legal_hold else ""),
        ]
        return _block(style.bold(self.url), rows)


@dataclass(frozen=True)
class BucketStat(Result):
    """A bucket and what it is set to."""

    kind: ClassVar[str] = "bucketStat"

    bucket: Annotated[str, "its name"]
    url: Annotated[str, "as a verb would take it"]
    region: Annotated[str, "the region it says it is in"]
    versioning: Annotated[str, "Enabled, Suspended or ''"]
    locking: Annotated[bool | None, "whether objects can be locked, null when that is hidden"]
    policy: Annotated[bool | None, "whether it has a policy, null when that is hidden"]
    lifecycle_rules: Annotated[int | None, "number of lifecycle rules, null when that is hidden"]
    cors_rules: Annotated[int | None, "number of CORS rules, null when that is hidden"]
    encryption: Annotated[str, "algorithm of the default encryption, or ''"]
    tags: Annotated[dict[str, str] | None, "tags, null when they may not be seen"]

    def text(self, style: Style) -> str:
        """A block of names and values."""
        rows = [
            ("region", self.region),
            ("versioning", self.versioning or "off"),
            ("object lock", _yes(self.locking)),
            ("policy", _yes(self.policy)),
            ("lifecycle", _rules(self.lifecycle_rules)),
            ("cors", _rules(self.cors_rules)),
            ("encryption", self.encryption),
            *(("tag", f"{name}: {value}") for name, value in (self.tags or {}).items()),
        ]
        return _block(style.bold(self.url), rows)


@dataclass(frozen=True)
class FileStat(Result):
    """A file or folder of this machine."""

    kind: ClassVar[str] = "fileStat"

    url: Annotated[str, "its path"]
    size: Annotated[int, "bytes"]
    last_modified: Annotated[datetime, "when it was written"]
    mode: Annotated[str, "permissions in octal"]
    folder: Annotated[bool, "whether it is a folder"]

    def text(self, style: Style) -> str:
        """A block of names and values."""
        rows = [
            ("size", _size(self.size)),
            ("modified", format_time(self.last_modified)),
            ("mode", self.mode),
            ("type", "folder" if self.folder else "file"),
        ]
        return _block(style.bold(self.url), rows)


RESULTS = (ObjectStat, BucketStat, FileStat, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to show."""
    parser.add_argument("targets", metavar="TARGET", nargs="+", help="objects, buckets, files")
    parser.add_argument("-r", "--recursive", action="store_true", help="every object below")
    parser.add_argument("--versions", action="store_true", help="with -r: every version")
    parser.add_argument(
        "--version-id", "--vid", metavar="ID", default="", help="this version of the object"
    )
    add_rewind(parser)


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Show each; go on after a failure."""
    for text in options.targets:
        try:
            yield from _stat(text, options, session)
        except NeveError as error:
            yield failure_of(error, text)


def _stat(text: str, options: argparse.Namespace, session: Session) -> Iterator[Result]:
    target = resolve(session, text)
    if isinstance(target, Local):
        yield from _files(target.path, options.recursive, session)
        return
    assert isinstance(target, Remote)
    if not target.bucket:
        for bucket in session.server(target.alias).buckets():
            yield bucket_stat(session, Remote(target.alias, bucket.name))
    elif options.recursive or options.versions or has_glob(target.key):
        for entry in walk(session, target, options.versions, moment_of(options)):
            if not entry.marker:
                found = session.remote(entry.url, "key")
                yield object_stat(session, found, entry.version)
    elif target.key:
        yield object_stat(session, target, wanted_version(options, session, target))
    else:
        yield bucket_stat(session, target)


def object_stat(session: Session, target: Remote, version: str = "") -> ObjectStat:
    """Ask for all that is known of an object. Raises: ServerError."""
    server = session.server(target.alias)
    asked = {"x-amz-checksum-mode": "ENABLED"}
    head = server.head(target.bucket, target.key, version, asked)
    headers = head.headers
    shown = ("cache-control", "content-encoding", "content-disposition", "content-language")
    until = headers.get("x-amz-object-lock-retain-until-date", "")
    return ObjectStat(
        target.key,
        str(target),
        head.size,
        head.modified,
        head.etag,
        head.content_type,
        head.version,
        head.storage_class,
        {
            name.removeprefix(_CHECKSUM): value
            for name, value in headers.items()
            if name.startswith(_CHECKSUM) and name != _CHECKSUM + "type"
        },
        {name: headers[name] for name in shown if headers.get(name)},
        head.metadata,
        _object_tags(server, target, version) if headers.get("x-amz-tagging-count") else {},
        headers.get("x-amz-object-lock-mode", ""),
        iso_time(xml.moment(until)) if until else "",
        headers.get("x-amz-object-lock-legal-hold", "") == "ON",
    )


def bucket_stat(session: Session, target: Remote) -> BucketStat:
    """Ask for all that a bucket is set to. Raises: ServerError when it does not exist."""
    server = session.server(target.alias)
    answer = server.transport.request("HEAD", target.bucket, doing="see this bucket")
    found = {name: _setting(server, target.bucket, name) for name in _SETTINGS}
    versioning, lock, policy, tags, lifecycle, cors, encryption = found.values()
    rule = encryption and encryption.find("Rule", "ApplyServerSideEncryptionByDefault")
    return BucketStat(
        target.bucket,
        str(target),
        answer.headers.get("x-amz-bucket-region", "") or server.transport.region(target.bucket),
        versioning.text("Status") if versioning else "",
        None if lock is None else lock.text("ObjectLockEnabled") == "Enabled",
        None if policy is None else policy.name != _ABSENT,
        None if lifecycle is None else len(lifecycle.all("Rule")),
        None if cors is None else len(cors.all("CORSRule")),
        rule.text("SSEAlgorithm") if rule else "",
        _tags_of(tags) if tags else None,
    )


_ABSENT = "Absent"


def _setting(server: s3.S3, bucket: str, name: str) -> xml.Node | None:
    """A setting as a document, an empty one named `Absent` when it is not set, None if hidden."""
    try:
        body = server.get_setting(bucket, name)
    except ServerError as error:
        if error.denied or error.code in ("NotImplemented", "MethodNotAllowed"):
            return None
        raise
    if body is None:
        return xml.parse(f"<{_ABSENT}/>".encode())
    return xml.parse(b"<Policy/>" if name == "policy" else body)


def _object_tags(server: s3.S3, target: Remote, version: str) -> dict[str, str] | None:
    query = {"tagging": ""} | ({"versionId": version} if version else {})
    try:
        answer = server.transport.request("GET", target.bucket, target.key, query)
    except ServerError as error:
        if error.denied:
            return None
        raise
    return _tags_of(xml.parse(answer.body))


def _tags_of(root: xml.Node) -> dict[str, str]:
    found = root.find("TagSet")
    return {tag.text("Key"): tag.text("Value") for tag in (found.all("Tag") if found else [])}


def _files(path: str, recursive: bool, session: Session) -> Iterator[Result]:
    paths = [path]
    if recursive and os.path.isdir(path):
        paths = [entry.url for entry in walk(session, Local(path))]
    for each in paths:
        try:
            state = os.stat(each)
        except OSError as error:
            raise ClientError(f"{each}: {error.strerror}.", "LocalFile", each) from error
        moment = datetime.fromtimestamp(state.st_mtime, UTC)
        mode = f"{state.st_mode & 0o7777:o}"
        yield FileStat(each, state.st_size, moment, mode, os.path.isdir(each))


def _block(title: str, rows: list[tuple[str, str]]) -> str:
    shown = [(f"  {name}", value) for name, value in rows if value]
    return f"{title}\n{table(shown)}"


def _size(size: int) -> str:
    exact = f" ({size:,} bytes)" if size >= 1024 else ""
    return format_size(size) + exact


def _yes(answer: bool | None) -> str:
    return "" if answer is None else "yes" if answer else "no"


def _rules(count: int | None) -> str:
    return "" if count is None else f"{count} rule{'' if count == 1 else 's'}" if count else "none"

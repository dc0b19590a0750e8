"""Whether a bucket keeps old versions: the document of S3, with MinIO's exceptions."""

import argparse
from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Result, Style
from neve.cli.target import Remote
from neve.client.s3 import S3
from neve.client.xml import document, element, parse


@dataclass(frozen=True)
class Versioning(Result):
    """Whether a bucket keeps old versions."""

    kind: ClassVar[str] = "versioning"

    bucket: Annotated[str, "alias/bucket"]
    versioning: Annotated[str, "`Enabled`, `Suspended`, or '' when it never was"]
    excluded_prefixes: Annotated[list[str], "prefixes whose objects keep no versions"]
    exclude_folders: Annotated[bool, "whether keys that end in a slash keep none"]

    def text(self, style: Style) -> str:
        """The sentence, and the exceptions."""
        name = style.folder(self.bucket)
        if not self.versioning:
            return f"{name} keeps no versions: an overwrite or a deletion is final."
        if self.versioning == "Suspended":
            return f"{name} keeps the versions that it has, and makes no new ones (suspended)."
        but = list(self.excluded_prefixes) + (["folders"] if self.exclude_folders else [])
        return f"{name} keeps old versions" + (f", except of {', '.join(but)}." if but else ".")


def add_bucket(parser: argparse.ArgumentParser) -> None:
    """Add the bucket."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")


def read(server: S3, target: Remote) -> Versioning:
    """Ask the server."""
    body = server.get_setting(target.bucket, "versioning", "read whether versions are kept")
    root = parse(body or b"<VersioningConfiguration/>")
    prefixes = [node.text("Prefix") for node in root.all("ExcludedPrefixes")]
    folders = root.text("ExcludeFolders") == "true"
    name = f"{target.alias}/{target.bucket}"
    return Versioning(name, root.text("Status"), prefixes, folders)


def write(
    server: S3, target: Remote, status: str, prefixes: list[str], folders: bool
) -> Versioning:
    """Set it, and return what is so now."""
    fields = [element("Status", status)]
    if folders:
        fields.append(element("ExcludeFolders", "true"))
    fields += [element("ExcludedPrefixes", [element("Prefix", each)]) for each in prefixes]
    body = document("VersioningConfiguration", fields)
    doing = "keep versions" if status == "Enabled" else "stop keeping versions"
    server.put_setting(target.bucket, "versioning", body, doing)
    return read(server, target)

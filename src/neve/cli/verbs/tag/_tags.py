"""Tags of objects, versions and buckets: the calls, the one result, the way they are written."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, ClassVar
from urllib.parse import unquote_plus

from neve.cli.chosen import Chosen, choose
from neve.cli.errors import UsageError
from neve.cli.output import Result, Style, table
from neve.cli.session import Session
from neve.client.s3 import S3, md5_of
from neve.client.xml import document, element, parse


@dataclass(frozen=True)
class Tags(Result):
    """The tags that an object or a bucket has now."""

    kind: ClassVar[str] = "tags"

    target: Annotated[str, "alias/bucket or alias/bucket/key"]
    version_id: Annotated[str, "the version that was named, '' otherwise"]
    tags: Annotated[dict[str, str], "value by name"]

    def text(self, style: Style) -> str:
        """The name, and a line for each tag."""
        version = f" ({self.version_id})" if self.version_id else ""
        name = style.folder(self.target) + version
        if not self.tags:
            return f"{name} has no tags."
        rows = table((f"  {key}", value) for key, value in self.tags.items())
        return f"{name}\n{rows}"


def chosen(options: argparse.Namespace, session: Session) -> Iterator[Chosen]:
    """What the verb is about: objects, or the bucket itself when no key is named."""
    target = session.remote(options.target, "bucket")
    if target.key or options.recursive:
        yield from choose(options, session)
    elif options.version_id or options.versions:
        raise UsageError(f"{options.target} is a bucket: it has no versions.")
    else:
        yield Chosen(target)


def read(server: S3, found: Chosen) -> Tags:
    """Ask for the tags."""
    answer = server.transport.request(
        "GET", found.target.bucket, found.target.key, {"tagging": "", **found.query},
        doing="read the tags", accept=(404,),
    )  # fmt: skip
    tags: dict[str, str] = {}
    if answer.status == 404 and b"NoSuchTagSet" not in answer.body:
        # Ask again for the refusal: it says what is not there.
        server.transport.request(
            "GET", found.target.bucket, found.target.key, {"tagging": "", **found.query}
        )
    if answer.status != 404:
        node = parse(answer.body).find("TagSet")
        for row in node.all("Tag") if node else ():
            tags[row.text("Key")] = row.text("Value")
    return Tags(str(found.target), found.version, tags)


def write(server: S3, found: Chosen, tags: dict[str, str]) -> Tags:
    """Replace the tags; no tags takes them away."""
    query = {"tagging": "", **found.query}
    if tags:
        rows = [
            element("Tag", [element("Key", name), element("Value", value)])
            for name, value in tags.items()
        ]
        body = document("Tagging", [element("TagSet", rows)])
        server.transport.request(
            "PUT", found.target.bucket, found.target.key, query,
            {"content-md5": md5_of(body)}, body, doing="set tags",
        )  # fmt: skip
    else:
        server.transport.request(
            "DELETE", found.target.bucket, found.target.key, query, doing="remove tags"
        )
    return Tags(str(found.target), found.version, tags)


def parse_tags(words: list[str]) -> dict[str, str]:
    """Return the tags in words such as `a=1` or mc's `a=1&b=2`. Raises: UsageError."""
    tags: dict[str, str] = {}
    for pair in (pair for word in words for pair in word.split("&")):
        name, sign, value = pair.partition("=")
        if not (name and sign):
            raise UsageError(f"{pair!r} is no tag: write name=value.")
        # A pair of mc's form may be percent-encoded; a word of its own is taken as it is written.
        encoded = any("&" in word for word in words)
        tags[unquote_plus(name) if encoded else name] = unquote_plus(value) if encoded else value
    return tags

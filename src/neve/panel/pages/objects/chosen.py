"""What was selected of a folder, and what it comes to: how many objects and bytes.

It is counted by listing, up to a bound: of more the pages say "at least".
"""

from collections.abc import Iterator
from dataclasses import dataclass

from neve.client.errors import ServerError
from neve.client.s3 import S3, Object
from neve.panel.formtext import key_of, keys_of
from neve.panel.pages.objects import names
from neve.panel.visit import Refused, Visit

COUNT_MAX = 10_000
HEADS_MAX = 200
"""Objects whose size is asked for one by one."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Objects and folders of a bucket."""

    bucket: str
    folder: str
    """Where they were selected."""
    keys: list[str]
    prefixes: list[str]
    version: str = ""
    """Of the one key, '' for the current one."""

    def all(self, server: S3) -> Iterator[str]:
        """Every key, those in the folders included. Raises: ServerError."""
        yield from self.keys
        for prefix in self.prefixes:
            rows = server.objects(self.bucket, prefix)
            yield from (row.key for row in rows if isinstance(row, Object))

    @property
    def names(self) -> list[str]:
        """What is shown of them."""
        start = len(self.folder)
        return [names.visible(each[start:] or each) for each in (*self.prefixes, *self.keys)]

    @property
    def samples(self) -> list[str]:
        """Keys that stand for all when the server is asked what is allowed."""
        return [*self.keys, *(f"{prefix}x" for prefix in self.prefixes)]


@dataclass(slots=True)
class Sum:
    """How many objects, and how many bytes they have."""

    objects: int = 0
    bytes: int = 0
    more: bool = False
    """Whether it is at least that."""


def chosen(visit: Visit) -> Chosen:
    """Return what a form has sent. Raises: Refused."""
    folder, keys, prefixes = (
        key_of(visit, "folder"),
        keys_of(visit, "key"),
        keys_of(visit, "prefix"),
    )
    every = [*keys, *prefixes]
    if not every or not all(each and each.startswith(folder) for each in every):
        raise Refused(400, visit._("Select at least one object or folder."))
    if visit.form.get("folder") is None:  # one object, from its own page
        folder = names.folder_of(every[0])
    version = visit.field("version") if len(every) == 1 and keys else ""
    return Chosen(names.bucket_of(visit), folder, keys, prefixes, version)


def count(server: S3, of: Chosen) -> Sum:
    """Return what it comes to. Raises: ServerError."""
    found = Sum()
    for place, key in enumerate(of.keys):
        found.objects += 1
        size = _size(server, of.bucket, key, of.version) if place < HEADS_MAX else None
        found.bytes += size or 0
        found.more = found.more or size is None
    for prefix in of.prefixes:
        for row in server.objects(of.bucket, prefix):
            if found.objects >= COUNT_MAX:
                found.more = True
                return found
            if isinstance(row, Object):
                found.objects += 1
                found.bytes += row.size
    return found


def _size(server: S3, bucket: str, key: str, version: str) -> int | None:
    """None when it may not be known. A delete marker has no bytes."""
    try:
        head = server.find(bucket, key, version)
    except ServerError as error:
        if error.denied:
            return None
        if error.status == 405:
            return 0
        raise
    return head.size if head else 0

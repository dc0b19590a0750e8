"""What a verb's arguments name: `alias/bucket/key…`, a path of this machine, or `-`.

The first component decides: a known alias makes it remote. `./x`, `../x`, `~/x` and `/x` are always
local, and so is everything else whose first component is no alias. A key is taken as it is written;
`*`, `?`, `[…]` in it are a pattern (`neve.cli.globs`) for verbs that take several objects.
"""

import os
from dataclasses import dataclass
from typing import Protocol

from neve.cli.errors import UsageError
from neve.client.errors import ClientError


class Names(Protocol):
    """Which names are aliases."""

    def __contains__(self, name: str) -> bool: ...


@dataclass(frozen=True)
class Remote:
    """A server, a bucket, a key or the beginning of keys."""

    alias: str
    bucket: str = ""
    key: str = ""

    def __str__(self) -> str:
        return "/".join(filter(None, (self.alias, self.bucket))) + (
            f"/{self.key}" if self.key else ""
        )

    def at(self, key: str) -> "Remote":
        """The same bucket, another key."""
        return Remote(self.alias, self.bucket, key)

    @property
    def folder(self) -> bool:
        """Whether it names a server, a bucket or, by its slash, what lies below a prefix."""
        return not self.key or self.key.endswith("/")


@dataclass(frozen=True)
class Local:
    """A path of this machine, as it was written."""

    path: str

    def __str__(self) -> str:
        return self.path

    @property
    def folder(self) -> bool:
        """Whether it ends in a slash or is a directory."""
        return self.path.endswith("/") or os.path.isdir(self.path)


@dataclass(frozen=True)
class Standard:
    """Standard input as a source, standard output as a target: `-`."""

    def __str__(self) -> str:
        return "-"


Target = Remote | Local | Standard


def parse(text: str, aliases: Names) -> Target:
    """Return what the text names. Raises: UsageError when it is empty."""
    if not text:
        raise UsageError("an empty name names nothing: write alias/bucket/key or a path.")
    if text == "-":
        return Standard()
    first, _, rest = text.partition("/")
    if first in (".", "..", "~", "") or first not in aliases:
        return Local(os.path.expanduser(text) if first == "~" else text)
    bucket, _, key = rest.partition("/")
    return Remote(first, bucket, key)


def parse_remote(text: str, aliases: Names, needs: str = "") -> Remote:
    """Return the remote target; `needs` is `bucket` or `key` when it must name one.

    Raises: ClientError (no such alias), UsageError (no bucket or key).
    """
    target = parse(text, aliases)
    if text.startswith(("http://", "https://", "s3://")):
        raise UsageError(f"{text} is a URL; name its server first: neve alias set NAME https://…")
    if not isinstance(target, Remote):
        first = text.partition("/")[0]
        if text.startswith(("/", "./", "../", "~")) or text == "-" or os.path.lexists(text):
            raise UsageError(f"{text} is local; this verb wants alias/bucket/key.")
        nor = f", nor a file or folder {text}" if os.path.lexists(first) else ""
        raise ClientError(
            f"there is no alias {first!r}{nor}; see neve alias ls, or make it with: "
            f"neve alias set {first} https://…",
            "NoSuchAlias",
            text,
        )
    if needs and not target.bucket:
        raise UsageError(f"{text} names a server; name a bucket: {target.alias}/bucket.")
    if needs == "key" and not target.key:
        raise UsageError(f"{text} names a bucket; name an object: {target}/key.")
    return target

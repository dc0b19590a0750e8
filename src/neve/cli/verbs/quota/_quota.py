"""Quotas at both kinds of server: Neve's own requests, or MinIO's admin call for a bucket's bytes.

Neve answers `?neve-quota` with JSON; others do not know the field and answer a listing. So it is
asked before anything is written.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from neve.cli.errors import UsageError
from neve.cli.output import Result, Style
from neve.cli.session import Session
from neve.cli.target import Remote
from neve.cli.units import format_size
from neve.client.admin import Admin
from neve.client.errors import ClientError
from neve.client.s3 import S3

Document = dict[str, Any]


@dataclass(frozen=True)
class Quota(Result):
    """The limits of a bucket, a prefix, a user or new buckets, and what is used of them."""

    kind: ClassVar[str] = "quota"

    of: Annotated[str, "`bucket`, `prefix`, `user` or `default` (of new buckets)"]
    target: Annotated[str, "alias/bucket, alias/bucket/prefix, the user, or the alias"]
    size: Annotated[int | None, "bytes that it may hold, null for no limit"]
    objects: Annotated[int | None, "objects that it may hold, null for no limit"]
    soft: Annotated[int | None, "percent from which on the server warns"]
    used_size: Annotated[int | None, "bytes that it holds, null when that is not known"]
    used_objects: Annotated[int | None, "objects that it holds, null when that is not known"]
    percent: Annotated[int | None, "how much of the nearest limit is used"]
    warning: Annotated[bool, "whether the soft level is reached"]

    def text(self, style: Style) -> str:
        """The sentence: what it may hold, what it holds."""
        names = {"user": f"the user {self.target}", "default": f"a new bucket at {self.target}"}
        name = style.folder(names.get(self.of, self.target))
        limits = [format_size(self.size)] if self.size is not None else []
        limits += [plural(self.objects)] if self.objects is not None else []
        may = f"{name} may hold {' and '.join(limits)}" if limits else f"{name} has no limit"
        may += f" (warning from {self.soft} %)" if self.soft and limits else ""
        if self.used_size is not None:
            may += f"; it holds {format_size(self.used_size)} in {plural(self.used_objects)}"
            may += f", {self.percent} %" if self.percent is not None else ""
        may += style.bad(" (over the warning level)") if self.warning else ""
        return f"{may[0].upper()}{may[1:]}." if self.of in names else f"{may}."


class Place:
    """What a quota is about: a bucket, a prefix of it, a user, or the default of new buckets."""

    def __init__(self, options: argparse.Namespace, session: Session) -> None:
        target = session.remote(options.target)
        self.user: str = options.user
        self.default: bool = options.default
        if bool(self.user) + self.default + bool(target.bucket) != 1:
            raise UsageError(
                "name a bucket or prefix (alias/bucket/prefix), or the server with --user or "
                "--default."
            )
        self.target: Remote = target
        self.server: S3 = session.server(target.alias)
        self.neve = knows_quotas(self.server, target.bucket)

    @property
    def of(self) -> str:
        """What kind of thing it is."""
        if self.user or self.default:
            return "user" if self.user else "default"
        return "prefix" if self.target.key else "bucket"

    def change(self, changes: Document | None) -> None:
        """Change the limits that are named; None takes all of it away. Raises: ClientError."""
        if not self.neve:
            self._change_at_minio(changes)
            return
        found = self._document()
        before = self._own(found) or {}
        after = None if changes is None else _limits({**before, **changes})
        if self.of == "bucket":
            rest = {"prefixes": found["prefixes"]} if found.get("prefixes") else {}
            new = {**(after or {}), **rest}
        elif self.of == "prefix":
            prefixes = dict(found.get("prefixes") or {})
            prefixes.pop(self.target.key, None)
            if after is not None:
                prefixes[self.target.key] = after
            new = {**found, "prefixes": prefixes}
            new = new if prefixes else _limits(found)
        elif self.of == "user":
            new = {"users": {self.user: after or None}}
        else:
            new = {"default": after or None}
        body = json.dumps(new).encode()
        self.server.transport.request(
            "PUT", self.target.bucket, query={"neve-quota": ""}, body=body, doing="set quotas"
        )

    def show(self) -> Quota:
        """Return limits and usage as they are now."""
        if not self.neve:
            return self._show_at_minio()
        limits = self._own(self._document()) or {}
        used: Document = {}
        if self.of in ("bucket", "prefix"):
            usage = ask(self.server, self.target.bucket, "neve-usage", "read what is used")
            used = usage if self.of == "bucket" else usage["prefixes"].get(self.target.key) or {}
        elif self.of == "user":
            owners = ask(self.server, "", "neve-usage", "read what is used")["owners"].values()
            used = next((each for each in owners if each.get("name") == self.user), {})
        name = self.user or str(self.target)
        return quota_of(self.of, name, {**used, "quota": limits})

    def _document(self) -> Document:
        return ask(self.server, self.target.bucket, "neve-quota", "read quotas")

    def _own(self, found: Document) -> Document | None:
        place: Document | None = {
            "bucket": found,
            "prefix": (found.get("prefixes") or {}).get(self.target.key),
            "user": (found.get("users") or {}).get(self.user),
            "default": found.get("default"),
        }[self.of]
        return None if place is None else _limits(place)

    def _change_at_minio(self, changes: Document | None) -> None:
        changes = {"bytes": None} if changes is None else changes
        if self.of != "bucket" or set(changes) != {"bytes"}:
            host = self.server.transport.host
            raise ClientError(
                f"{host} has quotas of buckets only, and of bytes only (--size).", "NotImplemented"
            )
        size = changes["bytes"] or 0
        document = {"quota": size, "size": size, "quotatype": "hard"}
        query = {"bucket": self.target.bucket}
        Admin(self.server).call("PUT", "set-bucket-quota", query, document, doing="set quotas")

    def _show_at_minio(self) -> Quota:
        query = {"bucket": self.target.bucket}
        found = Admin(self.server).call("GET", "get-bucket-quota", query, doing="read quotas")
        size = found.get("size") or found.get("quota") or None
        name = f"{self.target.alias}/{self.target.bucket}"
        return quota_of("bucket", name, {"quota": {"bytes": size}})


def knows_quotas(server: S3, bucket: str) -> bool:
    """Whether the server has Neve's quotas. Raises: ServerError when the bucket is not there."""
    # Who may not ask here may be allowed to make the admin call, which is about one bucket.
    accept = (403,) if bucket else ()
    answer = server.transport.request(
        "GET", bucket, query={"neve-quota": ""}, doing="read quotas", accept=accept
    )
    return answer.headers.get("content-type", "").startswith("application/json")


def ask(server: S3, bucket: str, name: str, doing: str) -> Document:
    """Return the JSON of one of Neve's own requests."""
    answer = server.transport.request("GET", bucket, query={name: ""}, doing=doing)
    found: Document = json.loads(answer.body)
    return found


def quota_of(of: str, target: str, usage: Document) -> Quota:
    """Return a row of usage as a result."""
    limits = usage.get("quota") or {}
    return Quota(
        of,
        target,
        limits.get("bytes"),
        limits.get("objects"),
        limits.get("soft"),
        usage.get("bytes"),
        usage.get("objects"),
        usage.get("percent"),
        bool(usage.get("warning")),
    )


def of_prefixes(place: Place) -> Iterator[Quota]:
    """The prefixes of a bucket that have a quota or are counted."""
    if place.neve and place.of == "bucket":
        usage = ask(place.server, place.target.bucket, "neve-usage", "read what is used")
        for prefix, used in usage["prefixes"].items():
            name = f"{place.target.alias}/{place.target.bucket}/{prefix}"
            yield quota_of("prefix", name, used or {})


def of_store(server: S3) -> Iterator[Quota]:
    """Every bucket, the users with a quota, the default. Raises: ClientError when it has none."""
    if not knows_quotas(server, ""):
        raise ClientError(f"{server.transport.host} has quotas of buckets only: name one.")
    usage = ask(server, "", "neve-usage", "read what is used")
    for name, used in sorted(usage["buckets"].items()):
        yield quota_of("bucket", f"{server.alias.name}/{name}", used)
    for used in usage["owners"].values():
        if used.get("name"):
            yield quota_of("user", used["name"], used)
    default = ask(server, "", "neve-quota", "read quotas").get("default")
    if default:
        yield quota_of("default", server.alias.name, {"quota": default})


def add_place(parser: argparse.ArgumentParser, target: str = "TARGET") -> None:
    """Add what the quota is about."""
    parser.add_argument(
        "target", metavar=target, help="alias/bucket, alias/bucket/prefix, or the alias alone"
    )
    parser.add_argument("--user", metavar="NAME", default="", help="the quota of a user (root)")
    parser.add_argument(
        "--default", action="store_true", help="the quota that new buckets get (root)"
    )


def plural(number: int | None) -> str:
    """`1 object`, `2 objects`."""
    return f"{number or 0:,} object" + ("" if number == 1 else "s")


def _limits(document: Document) -> Document:
    """Only the limits of a quota, without those that are off."""
    kept = ("bytes", "objects", "soft")
    return {name: document[name] for name in kept if document.get(name)}

"""What a bucket holds and what it was told: S3's documents and Neve's own as values.

Writing replaces the whole setting, as the requests do.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from neve.client.admin import Admin
from neve.client.errors import ServerError
from neve.client.s3 import S3
from neve.client.xml import document, element, moment, parse


class Limits(NamedTuple):
    """What somebody may hold; None is no limit. `soft` is a percentage from which on it warns."""

    bytes: int | None = None
    objects: int | None = None
    soft: int | None = None

    @property
    def is_set(self) -> bool:
        """Whether there is a limit."""
        return self.bytes is not None or self.objects is not None

    def plain(self) -> dict[str, int]:
        """As in the documents of quotas."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class Usage(NamedTuple):
    """What somebody holds. `objects` are all versions, of which `versions` are no current ones."""

    objects: int
    bytes: int
    limits: Limits
    percent: int | None = None
    """How much of the nearest limit is used."""
    warning: bool = False
    versions: int = 0
    markers: int = 0
    prefixes: dict[str, "Usage | None"] = {}  # noqa: RUF012
    """By prefix; None while it is still being counted."""


class Row(NamedTuple):
    """A bucket among all."""

    name: str
    created: datetime
    owner: str
    """The name of the owner, '' when the caller may not know it."""
    own: bool
    """Whether it is the caller's."""
    versioning: str
    """`Enabled`, `Suspended`, or ''."""
    lock: bool
    public: dict[str, str]
    """`list`, `read`, `write`: `yes`, `no`, `partly` or `conditionally` without a signature."""
    usage: Usage | None
    """What it holds, None when the caller may not know."""

    @property
    def open(self) -> bool:
        """Whether who has no keys may do something with it."""
        return any(word != "no" for word in self.public.values())


class StoreQuotas(NamedTuple):
    """Quotas that are of no one bucket."""

    users: dict[str, Usage]
    """What users with a quota have, by name."""
    default: Limits
    """What new buckets begin with."""


class Versioning(NamedTuple):
    """Whether versions are kept: `Enabled`, `Suspended`, '' when they never were."""

    status: str = ""
    excluded: tuple[str, ...] = ()
    folders: bool = False
    """Whether keys that end in a slash keep none."""


class Retention(NamedTuple):
    """The lock that new versions get: mode '' is none; `unit` is `Days` or `Years`."""

    mode: str = ""
    number: int = 0
    unit: str = "Days"


def rows(server: S3) -> Iterator[Row]:
    """Every bucket that the caller may see, by name."""
    query: dict[str, str] = {}
    while True:
        found = Admin(server).call("GET", "neve/buckets", query, doing="list buckets")
        yield from map(_row, found["buckets"])
        if not found["next"]:
            return
        query["marker"] = found["next"]


def row(server: S3, bucket: str) -> Row | None:
    """The bucket as in the list of all, None when the caller may not see it there."""
    query = {"prefix": bucket, "limit": "1"}
    try:
        found = Admin(server).call("GET", "neve/buckets", query, doing="list buckets")
    except ServerError as error:
        if error.denied:
            return None
        raise
    return next((_row(each) for each in found["buckets"] if each["name"] == bucket), None)


def _row(found: Mapping[str, Any]) -> Row:
    return Row(
        found["name"],
        moment(found["created"]),
        found["ownerName"],
        found["own"],
        found["versioning"],
        found["locking"],
        found["public"],
        _whole(found["usage"]) if found["usage"] is not None else None,
    )


def usage(server: S3, bucket: str) -> tuple[Usage, int]:
    """What the bucket holds, and how many uploads are in progress, at most 1,000."""
    query = {"bucket": bucket}
    found = Admin(server).call("GET", "neve/usage", query, doing="read what is used")
    prefixes = {
        prefix: usage_of(each) if each is not None else None
        for prefix, each in found["prefixes"].items()
    }
    return _whole(found["usage"])._replace(prefixes=prefixes), found["uploads"]


def _whole(found: Mapping[str, Any]) -> Usage:
    """Return what a document says of a whole bucket, whose `objects` are the current ones."""
    return usage_of(found)._replace(
        objects=found["versions"],
        versions=found["versions"] - found["objects"],
        markers=found["deleteMarkers"],
    )


def usage_of(found: Mapping[str, Any]) -> Usage:
    """Return what a document of usage says."""
    return Usage(
        found["objects"],
        found["bytes"],
        limits_of(found.get("quota") or {}),
        found.get("percent"),
        bool(found.get("warning")),
    )


def limits_of(found: Mapping[str, Any]) -> Limits:
    """Return what a document of limits says."""
    return Limits(found.get("bytes"), found.get("objects"), found.get("soft"))


def quota(server: S3, bucket: str) -> tuple[Limits, dict[str, Limits]]:
    """The limits of the bucket and those of prefixes; a prefix without is counted only."""
    found = _json(server, bucket, "neve-quota", "read the quota")
    prefixes = found.get("prefixes") or {}
    return limits_of(found), {prefix: limits_of(each) for prefix, each in prefixes.items()}


def set_quota(
    server: S3, bucket: str, limits: Limits, prefixes: Mapping[str, Limits] | None = None
) -> None:
    """Replace the limits."""
    wanted: dict[str, Any] = dict(limits.plain()) if limits.is_set else {}
    if prefixes:
        wanted["prefixes"] = {
            prefix: each.plain() if each.is_set else {} for prefix, each in prefixes.items()
        }
    server.put_setting(bucket, "neve-quota", json.dumps(wanted).encode(), "set the quota")


def store_quotas(server: S3) -> StoreQuotas | None:
    """Quotas that are of no one bucket, None when the caller may not know."""
    try:
        found = _json(server, "", "neve-quota", "read quotas")
    except ServerError as error:
        if error.denied:
            return None
        raise
    owners = _json(server, "", "neve-usage", "read what is used")["owners"].values()
    users = {each["name"]: usage_of(each) for each in owners if each.get("name")}
    return StoreQuotas(dict(sorted(users.items())), limits_of(found["default"] or {}))


def set_user_quota(server: S3, user: str, limits: Limits) -> None:
    """Replace the limits of a user, over all buckets."""
    _set_store_quota(server, {"users": {user: limits.plain() if limits.is_set else None}})


def set_default_quota(server: S3, limits: Limits) -> None:
    """Replace what new buckets begin with."""
    _set_store_quota(server, {"default": limits.plain() if limits.is_set else None})


def _set_store_quota(server: S3, wanted: dict[str, Any]) -> None:
    body = json.dumps(wanted).encode()
    server.transport.request("PUT", query={"neve-quota": ""}, body=body, doing="set quotas")


def versioning(server: S3, bucket: str) -> Versioning:
    """Whether the bucket keeps versions."""
    body = server.get_setting(bucket, "versioning", "read whether versions are kept")
    root = parse(body or b"<VersioningConfiguration/>")
    excluded = tuple(node.text("Prefix") for node in root.all("ExcludedPrefixes"))
    return Versioning(root.text("Status"), excluded, root.text("ExcludeFolders") == "true")


def set_versioning(server: S3, bucket: str, wanted: Versioning) -> None:
    """Keep versions, or keep no new ones."""
    fields = [element("Status", wanted.status)]
    if wanted.folders:
        fields.append(element("ExcludeFolders", "true"))
    fields += [element("ExcludedPrefixes", [element("Prefix", each)]) for each in wanted.excluded]
    body = document("VersioningConfiguration", fields)
    server.put_setting(bucket, "versioning", body, "change whether versions are kept")


def retention(server: S3, bucket: str) -> Retention | None:
    """The default lock of new versions, None when the bucket has no object lock."""
    body = server.get_setting(bucket, "object-lock", "read the default lock")
    if body is None:
        return None
    rule = parse(body).find("Rule", "DefaultRetention")
    if rule is None:
        return Retention()
    unit = "Years" if rule.text("Years") else "Days"
    return Retention(rule.text("Mode"), int(rule.text(unit)), unit)


def set_retention(server: S3, bucket: str, wanted: Retention) -> None:
    """Set the default lock; this gives a bucket object lock that has none."""
    fields = [element("ObjectLockEnabled", "Enabled")]
    if wanted.mode:
        rule = [element("Mode", wanted.mode), element(wanted.unit, str(wanted.number))]
        fields.append(element("Rule", [element("DefaultRetention", rule)]))
    body = document("ObjectLockConfiguration", fields)
    server.put_setting(bucket, "object-lock", body, "change the default lock")


def tags(server: S3, bucket: str) -> dict[str, str]:
    """The tags of the bucket."""
    body = server.get_setting(bucket, "tagging", "read the tags")
    found = parse(body).find("TagSet") if body else None
    return {row.text("Key"): row.text("Value") for row in found.all("Tag")} if found else {}


def set_tags(server: S3, bucket: str, wanted: Mapping[str, str]) -> None:
    """Replace the tags; no tags takes them away."""
    if not wanted:
        server.delete_setting(bucket, "tagging", "remove the tags")
        return
    rows = [
        element("Tag", [element("Key", name), element("Value", value)])
        for name, value in wanted.items()
    ]
    body = document("Tagging", [element("TagSet", rows)])
    server.put_setting(bucket, "tagging", body, "set tags")


def options(server: S3, bucket: str) -> dict[str, Any]:
    """Neve's own switches of the bucket."""
    return _json(server, bucket, "neve-options", "read the bucket's switches")


def set_options(server: S3, bucket: str, changes: Mapping[str, Any]) -> None:
    """Set some of Neve's own switches; None restores the default."""
    body = json.dumps(dict(changes)).encode()
    server.put_setting(bucket, "neve-options", body, "set the bucket's switches")


def _json(server: S3, bucket: str, name: str, doing: str) -> dict[str, Any]:
    answer = server.transport.request("GET", bucket, query={name: ""}, doing=doing)
    found: dict[str, Any] = json.loads(answer.body)
    return found

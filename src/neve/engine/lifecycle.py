"""Lifecycle rules: what a bucket is told about the end of its objects, versions and uploads.

Everything here is pure: rules and facts in, moments out. A bucket's rules are kept in its option
`lifecycle`, in the names of AWS's document; `Rule` is what is left of one to judge by. Days end at
midnight UTC, as on AWS; a day that tests have shortened ends exactly that much later.

Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from neve.names import prefix_end

OPTION = "lifecycle"
"""Option of a bucket: a map of `rules` and `updated_us`."""
DAY_US = 86_400_000_000

Tags = Mapping[str, str]


class Rule(NamedTuple):
    """An enabled rule. Without a value (None) a rule does not do that."""

    id: str
    prefix: str = ""
    tags: tuple[tuple[str, str], ...] = ()
    """Every one of them must be among those of the object."""
    above: int = -1
    """The object must have more bytes than this."""
    below: int | None = None
    """It must have fewer bytes than this."""
    days: int | None = None
    date_us: int | None = None
    """Current objects expire after so many days, or all of them from a moment on."""
    lone_markers: bool = False
    """Delete markers go that no version is behind."""
    noncurrent_days: int | None = None
    newer_kept: int = 0
    """So many noncurrent versions, the newest, stay whatever their age."""
    upload_days: int | None = None
    all_days: int | None = None
    """A key whose current object is so old goes with all its versions (MinIO)."""
    marker_days: int | None = None
    """A key whose newest version is a delete marker so old goes with all its versions (MinIO)."""

    @property
    def ends_objects(self) -> bool:
        """Whether current objects expire by the rule."""
        return any(end is not None for end in (self.days, self.date_us, self.all_days))

    @property
    def ends_history(self) -> bool:
        """Whether noncurrent versions or delete markers go by the rule."""
        ends = (self.days, self.date_us, self.noncurrent_days, self.marker_days)
        return self.lone_markers or any(end is not None for end in ends)

    @property
    def asks_more(self) -> bool:
        """Whether more than the key decides if the rule is about an object."""
        return bool(self.tags) or self.above >= 0 or self.below is not None

    def covers(self, size: int, tags: Callable[[], Tags]) -> bool:
        """Say whether the rule is about an object under its prefix, of that size and those tags."""
        if size <= self.above or (self.below is not None and size >= self.below):
            return False
        if not self.tags:
            return True
        there = tags()
        return all(there.get(name) == value for name, value in self.tags)


class Rules(tuple[Rule, ...]):
    """The enabled rules of a bucket, in their order."""

    __slots__ = ()

    def under(self, key: str) -> "list[Rule]":
        """Return the rules whose prefix the key has."""
        return [rule for rule in self if key.startswith(rule.prefix)]


def rules_of(options: Mapping[str, Any]) -> Rules | None:
    """Return the enabled rules that the options of a bucket tell; None without any."""
    told = options.get(OPTION)
    if not told:
        return None
    return Rules(_read(rule) for rule in told["rules"] if rule["Status"] == "Enabled") or None


def _read(rule: Mapping[str, Any]) -> Rule:
    filter_: Mapping[str, Any] = rule.get("Filter") or {}
    about = filter_.get("And") or filter_
    tags = about.get("Tags") or ([about["Tag"]] if "Tag" in about else [])
    expiration = rule.get("Expiration") or {}
    noncurrent = rule.get("NoncurrentVersionExpiration") or {}
    every = rule.get("AllVersionsExpiration") or {}
    with_all = expiration.get("ExpiredObjectAllVersions")
    days, date = expiration.get("Days"), expiration.get("Date")
    marker_days = rule.get("DelMarkerExpiration", {}).get("Days")
    return Rule(
        id=rule["ID"],
        prefix=rule.get("Prefix") or about.get("Prefix") or "",
        tags=tuple((name, value) for name, value in tags),
        above=about.get("ObjectSizeGreaterThan", -1),
        below=about.get("ObjectSizeLessThan"),
        days=None if with_all else days,
        date_us=None if date is None else date * 1_000_000,
        lone_markers=bool(expiration.get("ExpiredObjectDeleteMarker")),
        noncurrent_days=noncurrent.get("NoncurrentDays", 0 if noncurrent else None),
        newer_kept=noncurrent.get("NewerNoncurrentVersions", 0),
        upload_days=rule.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"),
        all_days=days if with_all else every.get("Days"),
        marker_days=every["Days"] if every.get("DeleteMarker") else marker_days,
    )


def due_us(since_us: int, days: int, day_us: int = DAY_US) -> int:
    """Return when `days` after a moment are over: midnight UTC after so many whole days.

    Nothing is waited for when no days are asked.
    """
    if not days:
        return since_us
    if day_us == DAY_US:
        return (since_us // DAY_US + days + 1) * DAY_US
    return since_us + days * day_us


class Expiry(NamedTuple):
    """When a current object or an upload goes, and by which rule."""

    at_us: int
    rule: Rule
    all_versions: bool = False
    """Whether its noncurrent versions go with it."""


def expiry_of(
    rules: Iterable[Rule], size: int, mtime_us: int, tags: Callable[[], Tags], day_us: int = DAY_US
) -> Expiry | None:
    """Return the first end of a current object that one of the rules, all of its prefix, brings."""
    first: Expiry | None = None
    for rule in rules:
        if rule.days is not None:
            at = due_us(mtime_us, rule.days, day_us)
        elif rule.date_us is not None:
            at = rule.date_us
        elif rule.all_days is not None:
            at = due_us(mtime_us, rule.all_days, day_us)
        else:
            continue
        if (first is None or at < first.at_us) and rule.covers(size, tags):
            first = Expiry(at, rule, rule.all_days is not None)
    return first


def noncurrent_expired(
    rules: Iterable[Rule],
    size: int,
    since_us: int,
    newer: int,
    tags: Callable[[], Tags],
    now_us: int,
    day_us: int = DAY_US,
) -> bool:
    """Say whether a version goes that is not current since then and has `newer` such after it."""
    return any(
        rule.noncurrent_days is not None
        and newer >= rule.newer_kept
        and due_us(since_us, rule.noncurrent_days, day_us) <= now_us
        and rule.covers(size, tags)
        for rule in rules
    )


def lone_marker_expired(
    rules: Iterable[Rule], mtime_us: int, now_us: int, day_us: int = DAY_US
) -> bool:
    """Say whether a delete marker goes that no version is behind.

    AWS: rules that expire current objects clear away markers of that age too.
    """
    for rule in rules:
        if rule.asks_more:
            continue  # A marker has neither tags nor bytes.
        if rule.lone_markers:
            return True
        if rule.days is not None and due_us(mtime_us, rule.days, day_us) <= now_us:
            return True
        if rule.date_us is not None and rule.date_us <= now_us:
            return True
    return False


def marked_key_expired(
    rules: Iterable[Rule], mtime_us: int, now_us: int, day_us: int = DAY_US
) -> bool:
    """Say whether a key goes with all its versions whose newest is a delete marker of that time."""
    return any(
        rule.marker_days is not None
        and not rule.asks_more
        and due_us(mtime_us, rule.marker_days, day_us) <= now_us
        for rule in rules
    )


def upload_expiry_of(rules: Iterable[Rule], created_us: int, day_us: int = DAY_US) -> Expiry | None:
    """Return when an upload that was begun then is given up, by the first of the rules."""
    ends = [
        Expiry(due_us(created_us, rule.upload_days, day_us), rule)
        for rule in rules
        if rule.upload_days is not None
    ]
    return min(ends, key=lambda end: end.at_us, default=None)


def next_start(prefixes: Sequence[str], at: str) -> str | None:
    """Return the first place from `at` on that is under one of the sorted prefixes."""
    for prefix in prefixes:
        if at <= prefix:
            return prefix
        end = prefix_end(prefix) if prefix else None
        if end is None or at < end:
            return at
    return None

"""The walk along the lifecycle rules, held against a model that knows AWS's documentation only."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neve import clock
from neve.catalog.catalog import ObjectRow, UploadRow
from neve.engine import expire, locks
from neve.engine.bucket import Bucket
from neve.engine.delete import DeleteObjects
from neve.engine.expire import Expirer
from neve.engine.lifecycle import DAY_US, due_us, next_start
from neve.errors import NoSuchUpload, PreconditionFailed
from neve.testing.engine import Store, memory_store, on_folder, run

START = datetime(2026, 3, 1, 10, 17, tzinfo=UTC)
Rule = dict[str, Any]


class Clock:
    """The time as all of the engine sees it."""

    def __init__(self) -> None:
        self.moment = START

    def time_ns(self) -> int:
        self.moment += timedelta(microseconds=1)  # no two looks are at one time
        return us(self.moment) * 1000

    def pass_(self, **time: float) -> None:
        self.moment += timedelta(**time)


def us(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def moment_of(at_us: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)


@contextmanager
def fake_clock() -> Iterator[Clock]:
    made = Clock()
    with patch.object(clock, "time", SimpleNamespace(time_ns=made.time_ns)):
        yield made


def packed(tags: dict[str, str]) -> bytes:
    return msgspec.msgpack.encode(tags) if tags else b""


def tags_of(meta: bytes) -> dict[str, str]:
    return msgspec.msgpack.decode(meta) if meta else {}


def expirer(store: Store, **options: Any) -> Expirer:
    return Expirer(store.engine, tags_of=tags_of, **options)


async def told(store: Store, *rules: Rule, versioning: str | None = None) -> Bucket:
    """A bucket with these rules."""
    engine = store.engine
    await engine.create_bucket("bucket", "me", "r")
    if versioning:
        await engine.set_bucket_option("bucket", "versioning", versioning)
    return await tell(store, *rules)


async def tell(store: Store, *rules: Rule) -> Bucket:
    base = {"Status": "Enabled", "Filter": {}}
    full = [base | {"ID": str(number)} | rule for number, rule in enumerate(rules)]
    await store.engine.set_bucket_option("bucket", "lifecycle", {"rules": full, "updated_us": 0})
    return store.engine.bucket("bucket")


def history(store: Store, key: str) -> list[ObjectRow]:
    """All versions of a key, newest first."""
    reader = store.engine.catalog.reader()
    tree = store.engine.bucket("bucket").tree
    current = reader.object(tree, key)
    others = [found.row for found in reader.versions(tree, key, 1000)]
    return ([current] if current else []) + others


def play(scenario: Callable[[Store, Clock], Coroutine[Any, Any, Any]]) -> None:
    with fake_clock() as time:
        run(memory_store(), lambda store: scenario(store, time))


# The model.


class Version:
    """What the documentation calls an object version or a delete marker."""

    def __init__(self, row: ObjectRow) -> None:
        self.id = row.version
        self.marker = not row.etag
        self.made = moment_of(row.mtime_us)
        self.size = row.size
        self.tags = tags_of(row.meta)

    def shown(self) -> tuple[str, bool, datetime]:
        return self.id, self.marker, self.made


class New(Version):
    """A delete marker that the walk has made: nobody knows its id, nor when exactly."""

    def __init__(self, now: datetime, id: str) -> None:
        self.id, self.marker, self.made, self.size = id, True, now, 0
        self.tags: dict[str, str] = {}


class Model:
    """What AWS's documentation says that rules do to the versions of keys, at one moment."""

    def __init__(self, rules: list[Rule], versioning: str | None, now: datetime) -> None:
        self.rules = rules
        self.versioning = versioning
        self.now = now

    def over(self, since: datetime, days: int) -> bool:
        midnight = (since + timedelta(days=days)).date() + timedelta(days=1)
        return self.now >= datetime(midnight.year, midnight.month, midnight.day, tzinfo=UTC)

    def matching(self, key: str, version: Version) -> Iterator[Rule]:
        for rule in self.rules:
            if rule["Status"] != "Enabled":
                continue
            conditions = rule["Filter"].get("And", rule["Filter"])
            tags = conditions.get("Tags", [])
            if "Tag" in conditions:
                tags = [conditions["Tag"]]
            asked = dict(tags)
            if (
                key.startswith(conditions.get("Prefix", ""))
                and asked.items() <= version.tags.items()
                and version.size > conditions.get("ObjectSizeGreaterThan", -1)
                and version.size < conditions.get("ObjectSizeLessThan", 1 << 60)
                and not (version.marker and "ObjectSizeLessThan" in conditions
                         and "NoncurrentVersionExpiration" not in rule)
            ):  # fmt: skip
                yield rule

    def after(self, key: str, versions: list[Version]) -> list[Version]:
        return self.history_after(key, self.current_after(key, versions))

    def current_after(self, key: str, versions: list[Version]) -> list[Version]:
        if not versions or versions[0].marker:
            return versions
        newest = versions[0]
        for rule in self.matching(key, newest):
            how = rule.get("Expiration", {})
            by_days = "Days" in how and self.over(newest.made, how["Days"])
            by_date = "Date" in how and self.now >= moment_of(how["Date"] * 1_000_000)
            if by_days or by_date:
                if self.versioning is None:
                    return []
                if self.versioning == "Enabled":
                    return [New(self.now, "?"), *versions]
                return [New(self.now, ""), *(one for one in versions if one.id)]
        return versions

    def history_after(self, key: str, versions: list[Version]) -> list[Version]:
        gone: set[int] = set()
        for place, version in enumerate(versions):
            for rule in self.matching(key, version):
                if place == 0:
                    if version.marker and len(versions) == 1 and self.lone(rule, version):
                        gone.add(place)
                    continue
                how = rule.get("NoncurrentVersionExpiration")
                if how is None:
                    continue
                newer = sum(not one.marker for one in versions[1:place])
                days = how.get("NoncurrentDays")
                if newer >= how.get("NewerNoncurrentVersions", 0) and (
                    days is None or self.over(versions[place - 1].made, days)
                ):
                    gone.add(place)
        return [version for place, version in enumerate(versions) if place not in gone]

    def lone(self, rule: Rule, marker: Version) -> bool:
        conditions = rule["Filter"].get("And", rule["Filter"])
        if not conditions.keys() <= {"Prefix"}:
            return False
        how = rule.get("Expiration", {})
        return bool(
            how.get("ExpiredObjectDeleteMarker")
            or ("Days" in how and self.over(marker.made, how["Days"]))
            or ("Date" in how and self.now >= moment_of(how["Date"] * 1_000_000))
        )

    def keeps(self, upload: UploadRow) -> bool:
        return not any(
            upload.key.startswith(rule["Filter"].get("Prefix", ""))
            and self.over(
                moment_of(upload.created_us),
                rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"],
            )
            for rule in self.rules
            if rule["Status"] == "Enabled" and "AbortIncompleteMultipartUpload" in rule
        )


KEYS = ("a/1", "a/2", "ab", "b/1", "c", "\U0001f600")
TAGS: list[dict[str, str]] = [{}, {"t": "x"}, {"t": "y"}, {"t": "x", "u": "z"}]

keys = st.sampled_from(KEYS)
events = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.integers(1, 60)),
        st.tuples(st.just("put"), keys, st.sampled_from([0, 5, 50]), st.sampled_from(TAGS)),
        st.tuples(st.just("put"), keys, st.sampled_from([0, 5, 50]), st.sampled_from(TAGS)),
        st.tuples(st.just("delete"), keys),
        st.tuples(st.just("remove"), keys, st.integers(0, 3)),
        st.tuples(st.just("tag"), keys, st.sampled_from(TAGS)),
        st.tuples(st.just("upload"), keys),
        st.tuples(st.just("version"), st.sampled_from(["Enabled", "Suspended"])),
    ),
    min_size=3,
    max_size=25,
)
days = st.integers(1, 4)
plain = st.sampled_from([{}, {"Prefix": ""}, {"Prefix": "a/"}, {"Prefix": "b"}, {"Prefix": "zz"}])
filters = plain | st.sampled_from(
    [
        {"Tag": ["t", "x"]},
        {"ObjectSizeGreaterThan": 5},
        {"ObjectSizeLessThan": 5},
        {"And": {"Prefix": "a", "Tags": [["t", "x"], ["u", "z"]]}},
        {"And": {"ObjectSizeGreaterThan": 0, "ObjectSizeLessThan": 50}},
    ]
)
midnights = st.integers(0, 6).map(
    lambda after: us(START.replace(hour=0, minute=0) + timedelta(days=after)) // 1_000_000
)
expirations = st.one_of(
    st.fixed_dictionaries({"Days": days}), st.fixed_dictionaries({"Date": midnights})
)
noncurrent = st.fixed_dictionaries(
    {}, optional={"NoncurrentDays": days, "NewerNoncurrentVersions": st.integers(1, 3)}
).filter(bool)
status = st.sampled_from(["Enabled"] * 4 + ["Disabled"])
rules_ = st.lists(
    st.one_of(
        st.fixed_dictionaries({"Status": status, "Filter": filters, "Expiration": expirations}),
        st.fixed_dictionaries(
            {"Status": status, "Filter": filters, "NoncurrentVersionExpiration": noncurrent}
        ),
        st.fixed_dictionaries(
            {
                "Status": status,
                "Filter": plain,
                "Expiration": st.just({"ExpiredObjectDeleteMarker": True}),
            }
        ),
        st.fixed_dictionaries(
            {
                "Status": status,
                "Filter": plain,
                "AbortIncompleteMultipartUpload": st.fixed_dictionaries(
                    {"DaysAfterInitiation": days}
                ),
            }
        ),
    ),
    min_size=1,
    max_size=4,
)


async def happen(store: Store, time: Clock, event: tuple[Any, ...]) -> None:
    engine, bucket = store.engine, store.engine.bucket("bucket")
    match event:
        case ("pass", hours):
            time.pass_(hours=hours)
        case ("put", key, size, tags):
            await store.put(bucket, key, b"x" * size, meta=packed(tags))
        case ("delete", key):
            await engine.delete_object(bucket, key)
        case ("remove", key, place):
            rows = history(store, key)
            if len(rows) > place:
                await engine.delete_object(bucket, key, version=rows[place].version)
        case ("tag", key, tags):
            rows = history(store, key)
            if rows and rows[0].etag:
                await engine.set_object_meta(bucket, key, lambda _: packed(tags))
        case ("upload", key):
            await engine.create_upload(bucket, key, "me", b"", None)
        case ("version", state):
            await engine.set_bucket_option("bucket", "versioning", state)


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(
    events,
    rules_,
    st.sampled_from([None, "Enabled", "Enabled", "Suspended"]),
    st.integers(0, 100),
    st.sampled_from([1, 2, 3, 500]),
)
def test_what_is_over_goes_and_nothing_else(
    happened: list[tuple[Any, ...]],
    rules: list[Rule],
    versioning: str | None,
    hours: int,
    rows_per_step: int,
) -> None:
    async def scenario(store: Store, time: Clock) -> None:
        await told(store, *rules, versioning=versioning)
        for event in happened:
            await happen(store, time, event)
        time.pass_(hours=hours)
        bucket = store.engine.bucket("bucket")
        state = bucket.options.get("versioning")
        model = Model(bucket.options["lifecycle"]["rules"], state, time.moment)
        before = {key: [Version(row) for row in history(store, key)] for key in KEYS}
        uploads = store.engine.catalog.reader().uploads(bucket.tree, "", "", "", 1000)
        # Every slice is a step, and a new process goes on where the last one was.
        with patch.object(expire, "ROWS_PER_STEP", rows_per_step):
            while not expirer(store).walk(0):
                pass
        for key in KEYS:
            expected = model.after(key, before[key])
            there = [Version(row) for row in history(store, key)]
            assert len(there) == len(expected), (key, [one.shown() for one in there])
            for one, other in zip(there, expected, strict=True):
                assert one.marker == other.marker
                if isinstance(other, New):
                    assert one.made >= other.made
                else:
                    assert one.shown() == other.shown()
        left = store.engine.catalog.reader().uploads(bucket.tree, "", "", "", 1000)
        assert left == [upload for upload in uploads if model.keeps(upload)]

    play(scenario)


# One by one.


def test_days_end_at_midnight() -> None:
    at = us(datetime(2026, 2, 27, 0, 0, tzinfo=UTC))
    expected = us(datetime(2026, 3, 1, 0, 0, tzinfo=UTC))
    assert due_us(at, 1) == due_us(at + DAY_US - 1, 1) == expected
    assert due_us(at - 1, 1) == expected - DAY_US
    # A day of tests has no midnight.
    assert due_us(at + 7, 3, 10_000_000) == at + 7 + 30_000_000


@pytest.mark.parametrize(
    ("filter_", "gone"),
    [
        ({}, "abcd"),
        ({"ObjectSizeGreaterThan": 5}, "d"),
        ({"ObjectSizeGreaterThan": 4}, "cd"),
        ({"ObjectSizeLessThan": 5}, "ab"),
        ({"ObjectSizeLessThan": 6}, "abc"),
        ({"And": {"ObjectSizeGreaterThan": 0, "ObjectSizeLessThan": 6}}, "bc"),
        ({"Tag": ["t", "x"]}, "bd"),
        ({"Tag": ["t", ""]}, ""),
        ({"And": {"Tags": [["t", "x"], ["u", "y"]]}}, "d"),
        ({"And": {"Prefix": "d", "Tags": [["t", "x"]]}}, "d"),
    ],
)
def test_a_filter_says_what_a_rule_is_about(filter_: Rule, gone: str) -> None:
    async def scenario(store: Store, time: Clock) -> None:
        bucket = await told(store, {"Filter": filter_, "Expiration": {"Days": 1}})
        for key, size, tags in (
            ("a", 0, {}),
            ("b", 4, {"t": "x"}),
            ("c", 5, {"t": "y"}),
            ("d", 6, {"t": "x", "u": "y"}),
        ):
            await store.put(bucket, key, b"x" * size, meta=packed(tags))
        time.pass_(days=3)
        expirer(store).walk()
        assert {*"abcd"} - {*store.keys(bucket)} == {*gone}

    play(scenario)


@pytest.mark.parametrize(
    ("prefixes", "at", "expected"),
    [
        ([""], "", ""),
        ([""], "k", "k"),
        (["b/", "d/"], "", "b/"),
        (["b/", "d/"], "b/x", "b/x"),
        (["b/", "d/"], "c", "d/"),
        (["b/", "d/"], "d0", None),
        (["b", "ba"], "bz", "bz"),
        (["\U0010ffff"], "\U0010ffffx", "\U0010ffffx"),
        ([], "", None),
    ],
)
def test_the_walk_jumps_to_what_rules_are_about(
    prefixes: list[str], at: str, expected: str | None
) -> None:
    assert next_start(prefixes, at) == expected


def test_a_rule_on_a_prefix_reads_nothing_else() -> None:
    async def scenario(store: Store, time: Clock) -> None:
        bucket = await told(store, {"Filter": {"Prefix": "m/"}, "Expiration": {"Days": 1}})
        for key in ("a", "m/1", "m/2", "z"):
            await store.put(bucket, key, b"x")
        time.pass_(days=3)
        walker = expirer(store)
        seen: list[str] = []
        objects = walker._reader.objects

        def spy(tree: int, start: str, limit: int) -> list[ObjectRow]:
            rows = objects(tree, start, limit)
            seen.append(start)
            return rows

        with patch.object(walker._reader, "objects", spy):
            assert walker.walk()
        assert seen == ["m/"]
        assert store.keys(bucket) == ["a", "z"]

    play(scenario)


def test_an_object_written_again_does_not_die_by_an_old_judgement() -> None:
    async def scenario(store: Store, time: Clock) -> None:
        bucket = await told(store, {"Expiration": {"Days": 1}})
        for key in ("a", "b", "c"):
            await store.put(bucket, key, b"old")
        time.pass_(days=3)
        walker = expirer(store)
        await between(
            walker,
            lambda: (
                store.put(bucket, "a", b"new"),
                store.engine.set_object_meta(bucket, "b", lambda _: packed({"keep": "yes"})),
            ),
        )
        assert store.keys(bucket) == ["a", "b"]
        assert store.get(bucket, "a") == b"new"
        assert walker.counts.objects == 1

    play(scenario)


def test_a_version_that_has_become_current_stays() -> None:
    async def scenario(store: Store, time: Clock) -> None:
        rule = {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
        bucket = await told(store, rule, versioning="Enabled")
        await store.put(bucket, "k", b"old")
        newer = await store.put(bucket, "k", b"new")
        time.pass_(days=3)
        walker = expirer(store)
        await between(
            walker,
            lambda: (store.engine.delete_object(bucket, "k", version=newer.version),),
        )
        assert store.get(bucket, "k") == b"old"
        assert walker.counts.versions == 0

    play(scenario)


def test_a_marker_behind_which_a_version_has_come_stays() -> None:
    async def scenario(store: Store, time: Clock) -> None:
        rule = {"Expiration": {"ExpiredObjectDeleteMarker": True}}
        bucket = await told(store, rule, versioning="Enabled")
        await store.engine.delete_object(bucket, "k")
        walker = expirer(store)
        await between(walker, lambda: (store.put(bucket, "k", b"new"),))
        assert store.get(bucket, "k") == b"new"
        assert len(history(store, "k")) == 2
        assert walker.counts.markers == 0

    play(scenario)


@pytest.mark.parametrize("deleted", [False, True])
def test_a_key_written_again_keeps_its_versions(deleted: bool) -> None:
    async def scenario(store: Store, time: Clock) -> None:
        rules = ALL[0], {"DelMarkerExpiration": {"Days": 1}}
        bucket = await told(store, *rules, versioning="Enabled")
        for _ in range(3):
            await store.put(bucket, "k", b"old")
        if deleted:
            await store.engine.delete_object(bucket, "k")
        time.pass_(days=4)
        before = history(store, "k")
        await between(expirer(store), lambda: (store.put(bucket, "k", b"new"),))
        assert history(store, "k")[1:] == before
        # What is read again while it is judged is not taken for what was due.
        walker = expirer(store)
        versions = walker._reader.versions
        written: list[Any] = []

        def meanwhile(*about: Any) -> Any:
            if not written:
                written.append(asyncio.run_coroutine_threadsafe(write(), loop).result())
            return versions(*about)

        async def write() -> None:
            await store.put(bucket, "k", b"newer")

        if deleted:
            await store.engine.delete_object(bucket, "k")
        time.pass_(days=4)
        before = history(store, "k")
        loop = asyncio.get_running_loop()
        with patch.object(walker._reader, "versions", meanwhile):
            await loop.run_in_executor(None, walker.walk)
        assert written
        assert history(store, "k")[1:] == before

    play(scenario)


async def between(walker: Expirer, act: Callable[[], Any]) -> None:
    """Walk, and let `act` happen after everything was judged and before anything is deleted."""
    loop = asyncio.get_running_loop()
    commit = walker._engine.committer.commit
    acted = False

    def after_acting(commands: list[Any]) -> list[Any]:
        nonlocal acted
        if not acted:
            acted = True
            for one in act():
                asyncio.run_coroutine_threadsafe(one, loop).result()
        return commit(commands)

    # The commands of `act` go through the commit thread, which must not come here.
    def run_it(command: Any) -> Any:
        result = after_acting([command])[0]
        return None if isinstance(result, PreconditionFailed | NoSuchUpload) else result

    with patch.object(walker, "_run", run_it):
        await loop.run_in_executor(None, walker.walk)
    assert acted


def test_a_bucket_told_to_keep_versions_meanwhile_keeps_them() -> None:
    async def scenario(store: Store, time: Clock) -> None:
        bucket = await told(store, {"Expiration": {"Days": 1}})
        await store.put(bucket, "k", b"x")
        time.pass_(days=3)
        walker = expirer(store)
        assert walker._bucket_at(walker.place()) is not None  # it remembers the bucket
        await store.engine.set_bucket_option("bucket", "versioning", "Enabled")
        with patch.object(walker, "_open", stale(walker._open, bucket)):
            assert walker.walk()
        marker, version = history(store, "k")
        assert not marker.etag
        assert version.etag

    play(scenario)


def stale(open_: Callable[[Any], Bucket], bucket: Bucket) -> Callable[[Any], Bucket]:
    """Open the bucket as it was, twice, then as it is."""
    left = [bucket, bucket]
    return lambda row: left.pop() if left else open_(row)


def test_rules_that_change_hold_for_the_rest_of_the_walk() -> None:
    async def scenario(store: Store, time: Clock) -> None:
        bucket = await told(store, {"Expiration": {"Days": 1}})
        for number in range(6):
            await store.put(bucket, str(number), b"x")
        time.pass_(days=3)
        with patch.object(expire, "ROWS_PER_STEP", 2):
            assert not expirer(store).walk(0)
            assert len(store.keys(bucket)) == 4
            await tell(store, {"Expiration": {"Days": 1}, "Filter": {"Prefix": "5"}})
            while not expirer(store).walk(0):
                pass
            assert store.keys(bucket) == ["2", "3", "4"]
            await store.engine.set_bucket_option("bucket", "lifecycle", None)
            assert expirer(store).walk()
        assert store.keys(bucket) == ["2", "3", "4"]

    play(scenario)


def test_a_deleted_bucket_ends_nothing_but_its_own_part_of_the_walk() -> None:
    async def scenario(store: Store, time: Clock) -> None:
        engine = store.engine
        for name in ("aaa", "bbb", "ccc"):
            await engine.create_bucket(name, "me", "r")
            rule = {"ID": "r", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 1}}
            value = {"rules": [rule], "updated_us": 0}
            await engine.set_bucket_option(name, "lifecycle", value)
            for number in range(3):
                await store.put(engine.bucket(name), str(number), b"x")
        time.pass_(days=3)
        with patch.object(expire, "ROWS_PER_STEP", 1):
            while expirer(store).place().bucket != "bbb":
                assert not expirer(store).walk(0)
            for number in range(3):
                await engine.delete_object(engine.bucket("bbb"), str(number))
            await engine.delete_bucket("bbb")
            await engine.create_bucket("bbb", "me", "r")
            await store.put(engine.bucket("bbb"), "new", b"x")
            while not expirer(store).walk(0):
                pass
        assert store.keys(engine.bucket("bbb")) == ["new"]
        assert store.keys(engine.bucket("aaa")) == store.keys(engine.bucket("ccc")) == []

    play(scenario)


ALL = [
    {"Expiration": {"Days": 2, "ExpiredObjectAllVersions": True}},
    {"AllVersionsExpiration": {"Days": 2}},
]


@pytest.mark.parametrize("rule", ALL)
@pytest.mark.parametrize("at_once", [1, 2, 1000])
def test_an_object_goes_with_all_its_versions(rule: Rule, at_once: int) -> None:
    async def scenario(store: Store, time: Clock) -> None:
        bucket = await told(store, rule, versioning="Enabled")
        for number in range(4):
            await store.put(bucket, "k", b"%d" % number)
        await store.engine.delete_object(bucket, "marked")
        with patch.object(expire, "VERSIONS_AT_ONCE", at_once):
            expirer(store).walk()
            assert len(history(store, "k")) == 4
            time.pass_(days=4)
            expirer(store).walk()
            # Whatever is left, no older version has come to light.
            assert all(row.etag for row in history(store, "k"))
            if left := history(store, "k"):
                assert store.get(bucket, "k") == b"3"
                assert len(left) == 4 - at_once
            for _ in range(4):
                expirer(store).walk()
        assert history(store, "k") == []
        assert len(history(store, "marked")) == 1

    play(scenario)


@pytest.mark.parametrize(
    "rule",
    [
        {"DelMarkerExpiration": {"Days": 2}},
        {"AllVersionsExpiration": {"Days": 9, "DeleteMarker": True}},
    ],
)
def test_a_deleted_key_goes_with_all_its_versions(rule: Rule) -> None:
    days = 3 if "DelMarkerExpiration" in rule else 10

    async def scenario(store: Store, time: Clock) -> None:
        bucket = await told(store, rule, versioning="Enabled")
        for _ in range(3):
            await store.put(bucket, "k", b"x")
            await store.put(bucket, "shown", b"x")
        time.pass_(days=days)
        await store.engine.delete_object(bucket, "k")
        expirer(store).walk()
        assert len(history(store, "k")) == 4
        time.pass_(days=days)
        expirer(store).walk()
        assert history(store, "k") == []
        if "DelMarkerExpiration" in rule:
            assert len(history(store, "shown")) == 3

    play(scenario)


def test_what_the_engine_refuses_is_counted_and_the_rest_goes_on() -> None:
    refused = DeleteObjects._delete

    def refuse(self: DeleteObjects, *arguments: Any) -> Any:
        if self.deletions[arguments[-1]].key == "b":
            raise NoSuchUpload()  # any refusal of the domain: locks come with their own
        return refused(self, *arguments)

    async def scenario(store: Store, time: Clock) -> None:
        bucket = await told(store, {"Expiration": {"Days": 1}})
        for key in ("a", "b", "c"):
            await store.put(bucket, key, b"x")
        time.pass_(days=3)
        walker = expirer(store)
        with patch.object(DeleteObjects, "_delete", refuse):
            assert walker.walk()
        assert store.keys(bucket) == ["b"]
        assert (walker.counts.objects, walker.counts.locked) == (2, 1)

    play(scenario)


@pytest.mark.parametrize("mode", ["GOVERNANCE", "COMPLIANCE", "hold"])
def test_a_locked_version_stays_until_its_lock_ends(mode: str) -> None:
    def locked(days: int) -> bytes:
        if mode == "hold":
            return msgspec.msgpack.encode({locks.HOLD: b"ON"})
        until = locks.format_date(us(START + timedelta(days=days))).encode()
        return msgspec.msgpack.encode({locks.MODE: mode.encode(), locks.UNTIL: until})

    async def scenario(store: Store, time: Clock) -> None:
        rules = (ALL[0] | {"Filter": {"Prefix": "all"}}, NONCURRENT, LONE)
        bucket = await told(store, *rules, versioning="Enabled")
        await store.engine.set_bucket_option("bucket", "lock", {"enabled": True})
        for key in ("all", "k"):
            for meta in (b"", locked(10), b""):
                await store.put(bucket, key, b"x", meta=meta)
        walker = expirer(store)
        time.pass_(days=5)
        assert walker.walk()
        assert [bool(row.meta) for row in history(store, "all")] == [False, True]
        assert [bool(row.meta) for row in history(store, "k")] == [False, True]
        # That of `all` was due twice: with its key, and as a noncurrent version.
        assert (walker.counts.versions, walker.counts.objects, walker.counts.locked) == (2, 0, 3)
        time.pass_(days=5.5)
        assert walker.walk()
        left = 2 if mode == "hold" else 0
        assert len(history(store, "all")) == left
        assert len(history(store, "k")) == max(left, 1)

    play(scenario)


NONCURRENT = {"NoncurrentVersionExpiration": {"NoncurrentDays": 1}}
LONE = {"Expiration": {"ExpiredObjectDeleteMarker": True}}


def test_behind_a_locked_version_nothing_goes_that_hides_it() -> None:
    refused = DeleteObjects._delete
    locked: list[str] = []

    def refuse(self: DeleteObjects, *arguments: Any) -> Any:
        if self.deletions[arguments[-1]].version in locked:
            raise NoSuchUpload()
        return refused(self, *arguments)

    async def scenario(store: Store, time: Clock) -> None:
        bucket = await told(store, ALL[0], {"DelMarkerExpiration": {"Days": 1}})
        await store.engine.set_bucket_option("bucket", "versioning", "Enabled")
        for key in ("shown", "deleted"):
            for number in range(3):
                await store.put(bucket, key, b"%d" % number)
            locked.append(history(store, key)[1].version)
        await store.engine.delete_object(store.engine.bucket("bucket"), "deleted")
        time.pass_(days=9)
        with patch.object(DeleteObjects, "_delete", refuse):
            assert expirer(store).walk()
        for key, version in zip(("shown", "deleted"), locked, strict=True):
            newest, other = history(store, key)
            assert bool(newest.etag) is (key == "shown")
            assert other.version == version
        locked.clear()
        assert expirer(store).walk()
        assert history(store, "shown") == history(store, "deleted") == []

    play(scenario)


def test_short_days(tmp_path: Path) -> None:
    async def scenario(store: Store, time: Clock) -> None:
        bucket = await told(store, {"Expiration": {"Days": 2}})
        await store.put(bucket, "k", b"x")
        for seconds, left in ((19, ["k"]), (2, [])):
            time.pass_(seconds=seconds)
            assert expirer(store, day_us=10_000_000).walk()
            assert store.keys(bucket) == left

    with fake_clock() as time:
        on_folder(tmp_path, lambda store: scenario(store, time))


def test_expired_bytes_are_given_back(tmp_path: Path) -> None:
    async def scenario(store: Store, time: Clock) -> None:
        bucket = await told(store, {"Expiration": {"Days": 1}})
        await store.put(bucket, "large", b"x" * (2 << 20))
        await store.put(bucket, "small", b"x")
        upload = await store.engine.create_upload(bucket, "up", "me", b"", None)
        await store.put_part(bucket, "up", upload, 1, b"x" * (2 << 20))
        assert len(list(store.engine.store.files(1 << 60))) == 2
        await tell(
            store,
            {
                "Expiration": {"Days": 1},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            },
        )
        time.pass_(days=3)
        walker = expirer(store)
        assert walker.walk()
        assert store.engine.usage(bucket) == (0, 0)
        assert walker.counts.removed() == (2, 0, 0, 1)
        time.pass_(days=1)
        store.collect_all()
        assert list(store.engine.store.files(1 << 60)) == []

    with fake_clock() as time:
        on_folder(tmp_path, lambda store: scenario(store, time))

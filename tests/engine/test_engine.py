"""The rules of S3 as the engine keeps them, on the real store and on the model in memory."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from neve import errors
from neve.engine.bucket import Bucket
from neve.engine.conditions import Conditions
from neve.engine.delete import Deleted, Deletion
from neve.engine.store import prepare
from neve.engine.write import LARGE_WRITERS_MAX
from neve.testing.engine import Store, local_store, md5, memory_store, pattern, run
from neve.testing.live import wait_until

MIB = 1 << 20
Scenario = Callable[[Store, Bucket], Coroutine[Any, Any, Any]]


@pytest.fixture(params=["local", "relaxed", "memory"])
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[Scenario], Any]:
    """Run a scenario with an empty bucket."""

    def start(scenario: Scenario, **options: Any) -> Any:
        if request.param == "memory":
            store = memory_store(**options)
        else:
            prepare(str(tmp_path))
            store = local_store(tmp_path, durable=request.param == "local", **options)

        async def whole(store: Store) -> Any:
            bucket = await store.engine.create_bucket("bucket", "me", "us-east-1")
            return await scenario(store, bucket)

        return run(store, whole)

    return start


@pytest.mark.parametrize("size", [0, 1, 4096, 4097, 65536, MIB - 1, MIB, MIB + 1, 3 * MIB + 12345])
def test_what_is_put_is_read(play: Any, size: int) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        data = pattern(size)
        row = await store.put(bucket, "key", data, meta=b"meta")
        assert store.engine.head(bucket, "key") == row
        assert (row.size, row.etag, row.meta) == (size, md5(data), b"meta")
        assert store.get(bucket, "key") == data
        assert store.get(bucket, "key", size // 3, size // 2) == data[size // 3 : size // 2]

    play(scenario)


def test_a_body_of_unknown_size_is_taken_small_or_large(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        for size in (0, 10, MIB - 1, MIB, 2 * MIB + 7):
            writer = store.engine.writer(None)
            data = pattern(size, size)
            for at in range(0, size, 70_001):
                waiting = writer.feed(memoryview(data)[at : at + 70_001])
                if waiting is not None:
                    await waiting
            await writer.close()
            await store.engine.put_object(
                bucket, f"{size}", writer, etag=md5(data), meta=b"", checksum=None
            )
            assert store.get(bucket, f"{size}") == data

    play(scenario)


def test_usage_follows_every_change(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        usage = store.engine.usage
        await store.put(bucket, "a", b"12345")
        await store.put(bucket, "b", pattern(2 * MIB))
        assert usage(bucket) == (2, 2 * MIB + 5)
        await store.put(bucket, "b", b"1")
        assert usage(bucket) == (2, 6)
        row = store.engine.head(bucket, "a")
        await store.engine.copy_object(row, bucket, "c", meta=b"", checksum=None)
        assert usage(bucket) == (3, 11)
        await store.engine.delete_object(bucket, "a")
        await store.engine.delete_object(bucket, "a")
        assert usage(bucket) == (2, 6)
        await store.engine.delete_objects(bucket, [Deletion("b"), Deletion("x")])
        assert usage(bucket) == (1, 5)
        with pytest.raises(errors.PreconditionFailed):
            await store.put(bucket, "c", b"refused", Conditions(if_none_match="*"))
        assert usage(bucket) == (1, 5)

    play(scenario)


def test_conditions_on_put(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        first = await store.put(bucket, "k", b"1", Conditions(if_none_match="*"))
        with pytest.raises(errors.PreconditionFailed):
            await store.put(bucket, "k", b"2", Conditions(if_none_match="*"))
        with pytest.raises(errors.PreconditionFailed):
            await store.put(bucket, "k", b"2", Conditions(if_match="0" * 32))
        with pytest.raises(errors.NoSuchKey):
            await store.put(bucket, "absent", b"2", Conditions(if_match=first.etag))
        with pytest.raises(errors.NoSuchKey):
            await store.put(bucket, "absent", b"2", Conditions(if_match="*"))
        assert store.get(bucket, "k") == b"1"
        await store.put(bucket, "k", b"3", Conditions(if_match=first.etag))
        assert store.get(bucket, "k") == b"3"
        assert store.keys(bucket) == ["k"]

    play(scenario)


def test_of_many_conditional_writers_exactly_one_wins(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        async def attempt(number: int) -> bool:
            try:
                await store.put(bucket, "k", b"%d" % number, Conditions(if_none_match="*"))
            except errors.PreconditionFailed:
                return False
            return True

        won = await asyncio.gather(*(attempt(number) for number in range(40)))
        assert sum(won) == 1
        assert store.get(bucket, "k") == b"%d" % won.index(True)

    play(scenario)


def test_conditions_on_delete(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        row = await store.put(bucket, "k", b"1")
        delete = store.engine.delete_object
        for wrong in (
            Conditions(if_match="0" * 32),
            Conditions(if_size=2),
            Conditions(if_mtime_us=row.mtime_us - 2_000_000),
        ):
            with pytest.raises(errors.PreconditionFailed):
                await delete(bucket, "k", wrong)
        right = Conditions(if_match=row.etag, if_size=1, if_mtime_us=row.mtime_us)
        assert (await delete(bucket, "k", right)).existed
        with pytest.raises(errors.NoSuchKey):
            await delete(bucket, "k", right)
        assert not (await delete(bucket, "k")).existed

    play(scenario)


def test_delete_objects_refuses_key_by_key(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        for key in "abc":
            await store.put(bucket, key, b"1")
        results = await store.engine.delete_objects(
            bucket,
            [Deletion("a"), Deletion("b", Conditions(if_match="0" * 32)), Deletion("x")],
        )
        assert results[0] == Deleted(True)
        assert isinstance(results[1], errors.PreconditionFailed)
        assert results[2] == Deleted(False)
        assert store.keys(bucket) == ["b", "c"]

    play(scenario)


def test_buckets_come_and_go(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        with pytest.raises(errors.BucketAlreadyOwnedByYou):
            await engine.create_bucket("bucket", "me", "us-east-1")
        with pytest.raises(errors.BucketAlreadyExists):
            await engine.create_bucket("bucket", "other", "us-east-1")
        with pytest.raises(errors.InvalidBucketName):
            await engine.create_bucket("Bucket!", "me", "us-east-1")
        await store.put(bucket, "k", b"1")
        with pytest.raises(errors.BucketNotEmpty):
            await engine.delete_bucket("bucket")
        await engine.delete_object(bucket, "k")
        await engine.delete_bucket("bucket")
        with pytest.raises(errors.NoSuchBucket):
            engine.bucket("bucket")
        with pytest.raises(errors.NoSuchBucket):
            await store.put(bucket, "k", b"1")
        again = await engine.create_bucket("bucket", "other", "us-east-1")
        assert again.tree != bucket.tree
        assert store.keys(again) == []
        with pytest.raises(errors.NoSuchBucket):
            await store.put(bucket, "k", b"into the old bucket of that name")

    play(scenario)


def test_policy_and_options_hold_at_once(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        document = (
            b'{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
            b'"Action":"s3:GetObject","Resource":"arn:aws:s3:::bucket/*"}]}'
        )
        await store.engine.set_bucket_policy("bucket", document)
        await store.engine.set_bucket_option("bucket", "public_404", True)
        now = store.engine.bucket("bucket")
        assert now.policy_document == document
        assert now.policy is not None
        assert now.options == {"public_404": True}
        await store.engine.set_bucket_policy("bucket", None)
        await store.engine.set_bucket_option("bucket", "public_404", None)
        now = store.engine.bucket("bucket")
        assert (now.policy, now.options) == (None, {})

    play(scenario)


def test_listing_pages_meet_without_gap_or_overlap(play: Any) -> None:
    keys = sorted(
        ["a", "a/1", "a/2", "a/b/1", "a/b/2", "a0", "b//x", "b/", "b/x", "é/1", "é/2", "𝄞", "z"],
        key=lambda key: key.encode(),
    )

    def naive(prefix: str, delimiter: str) -> list[str]:
        found: list[str] = []
        for key in keys:
            if not key.startswith(prefix):
                continue
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            entry = key if cut < 0 else key[: cut + len(delimiter)]
            if not found or found[-1] != entry:
                found.append(entry)
        return found

    async def scenario(store: Store, bucket: Bucket) -> None:
        for key in keys:
            await store.put(bucket, key, b"1")
        for prefix in ("", "a", "a/", "b/", "é", "nothing"):
            for delimiter in ("", "/", "/b"):
                for limit in (1, 2, 3, 100):
                    found: list[str] = []
                    after = ""
                    while True:
                        page = store.engine.list_objects(bucket, prefix, delimiter, after, limit)
                        texts = [e if isinstance(e, str) else e[0] for e in page.entries]
                        assert len(texts) <= limit
                        found += texts
                        if not page.truncated:
                            break
                        assert page.last == texts[-1]
                        after = page.last
                    assert found == naive(prefix, delimiter), (prefix, delimiter, limit)

    play(scenario)


def test_listing_from_below_a_common_prefix_shows_it_again(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        for key in ("foo/a", "foo/c", "goo"):
            await store.put(bucket, key, b"1")
        page = store.engine.list_objects(bucket, "", "/", "foo/b", 10)
        assert page.entries[0] == "foo/"
        page = store.engine.list_objects(bucket, "", "/", "foo/", 10)
        assert [entry[0] for entry in page.entries] == ["goo"]
        assert store.engine.list_objects(bucket, "", "/", "", 0).entries == []

    play(scenario)


def test_copies_share_and_outlive_their_source(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        for name, data in (("small", pattern(100)), ("large", pattern(2 * MIB))):
            row = await store.put(bucket, name, data)
            await store.engine.copy_object(row, bucket, name + "2", meta=b"m", checksum=None)
            await store.engine.delete_object(bucket, name)
            store.collect_all()
            assert store.get(bucket, name + "2") == data
            assert store.engine.head(bucket, name + "2").meta == b"m"
            copy = store.engine.head(bucket, name + "2")
            # Onto itself, as clients do to change metadata.
            await store.engine.copy_object(copy, bucket, name + "2", meta=b"n", checksum=None)
            store.collect_all()
            assert store.get(bucket, name + "2") == data
            await store.engine.delete_object(bucket, name + "2")
            store.collect_all()
        assert no_files(store)

    play(scenario)


def test_a_copy_of_a_large_object_adds_no_file(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        row = await store.put(bucket, "large", pattern(8 * MIB))
        before = files(store)
        for number in range(5):
            await store.engine.copy_object(row, bucket, f"c{number}", meta=b"", checksum=None)
        assert files(store) == before
        assert store.engine.usage(bucket) == (6, 48 * MIB)

    play(scenario)


def files(store: Store) -> set[int]:
    return set(store.engine.store.files(1 << 23))


def no_files(store: Store) -> bool:
    return not files(store)


def test_multipart_in_any_order_reads_as_one(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        upload = await store.engine.create_upload(bucket, "mp", "me", b"meta", None)
        parts = {2: pattern(5 * MIB, 2), 1: pattern(5 * MIB + 3, 1), 7: b"tail", 9: b"unused"}
        wanted = [await store.put_part(bucket, "mp", upload, n, d) for n, d in parts.items()]
        wanted[0] = await store.put_part(bucket, "mp", upload, 2, parts[2])  # again
        with pytest.raises(errors.NoSuchKey):
            store.engine.head(bucket, "mp")
        chosen = sorted(w for w in wanted if w[0] != 9)
        row = await store.engine.complete_upload(bucket, "mp", upload, chosen)
        whole = parts[1] + parts[2] + parts[7]
        assert row.etag.endswith("-3")
        assert row.size == len(whole)
        assert row.meta == b"meta"
        assert store.get(bucket, "mp") == whole
        at = len(parts[1])
        assert store.get(bucket, "mp", at - 5, at + 5) == whole[at - 5 : at + 5]
        assert store.get(bucket, "mp", 10, 20) == whole[10:20]
        store.collect_all()
        assert len(files(store)) == 3
        again = await store.engine.complete_upload(bucket, "mp", upload, chosen)
        assert again == row
        with pytest.raises(errors.NoSuchUpload):
            await store.engine.abort_upload(bucket, "mp", upload)
        await store.engine.delete_object(bucket, "mp")
        store.collect_all()
        assert no_files(store)

    play(scenario)


def test_multipart_refusals(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        upload = await engine.create_upload(bucket, "mp", "me", b"", None)
        one = await store.put_part(bucket, "mp", upload, 1, b"small")
        two = await store.put_part(bucket, "mp", upload, 2, b"tail")
        complete = engine.complete_upload
        with pytest.raises(errors.EntityTooSmall):
            await complete(bucket, "mp", upload, [one, two])
        with pytest.raises(errors.InvalidPartOrder):
            await complete(bucket, "mp", upload, [two, one])
        with pytest.raises(errors.InvalidPart):
            await complete(bucket, "mp", upload, [(1, "0" * 32, None)])
        with pytest.raises(errors.InvalidPart):
            await complete(bucket, "mp", upload, [(3, one[1], None)])
        with pytest.raises(errors.InvalidPart):
            await complete(bucket, "mp", upload, [])
        with pytest.raises(errors.NoSuchUpload):
            await complete(bucket, "other key", upload, [one])
        with pytest.raises(errors.NoSuchUpload):
            await store.put_part(bucket, "mp", "no such upload", 1, b"1")
        await store.put(bucket, "mp", b"there")
        with pytest.raises(errors.PreconditionFailed):
            await complete(bucket, "mp", upload, [one], conditions=Conditions(if_none_match="*"))
        assert store.get(bucket, "mp") == b"there"
        await engine.abort_upload(bucket, "mp", upload)
        with pytest.raises(errors.NoSuchUpload):
            await complete(bucket, "mp", upload, [one])
        store.collect_all()
        wait_until(lambda: no_files(store))  # what a refused part wrote goes in the pool

    play(scenario)


def test_parts_copied_from_objects(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        engine = store.engine
        large, small = pattern(12 * MIB, 1), pattern(1000, 2)
        source = await store.put(bucket, "large", large)
        little = await store.put(bucket, "small", small)
        upload = await engine.create_upload(bucket, "mp", "me", b"", None)
        one = await engine.copy_part(bucket, "mp", upload, 1, source, MIB, 7 * MIB)
        two = await engine.copy_part(bucket, "mp", upload, 2, source, 0, 5 * MIB)
        three = await engine.copy_part(bucket, "mp", upload, 3, little, 10, 900)
        assert one.etag == md5(large[MIB : 7 * MIB])
        parts = [(p.number, p.etag, None) for p in (one, two, three)]
        row = await engine.complete_upload(bucket, "mp", upload, parts)
        whole = large[MIB : 7 * MIB] + large[: 5 * MIB] + small[10:900]
        await engine.delete_object(bucket, "large")
        await engine.delete_object(bucket, "small")
        store.collect_all()
        assert store.get(bucket, "mp") == whole
        copy = await engine.copy_object(row, bucket, "mp2", meta=b"", checksum=None)
        assert copy.etag == row.etag
        await engine.delete_object(bucket, "mp")
        store.collect_all()
        assert store.get(bucket, "mp2") == whole
        await engine.delete_object(bucket, "mp2")
        store.collect_all()
        store.collect_all()
        assert no_files(store)

    play(scenario)


def test_a_reader_of_old_bytes_is_not_disturbed(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        parts = [pattern(5 * MIB, 1), pattern(5 * MIB, 2)]
        row = await store.put_multipart(bucket, "mp", parts)
        body = store.engine.read(row, 0, row.size)
        await store.put(bucket, "mp", b"new")
        store.collect_all()
        from neve.testing.engine import body_bytes

        assert body_bytes(body) == parts[0] + parts[1]
        del body
        store.collect_all()
        store.collect_all()
        assert no_files(store)

    play(scenario)


def test_a_refused_large_body_leaves_no_file(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        await store.put(bucket, "k", b"1")
        with pytest.raises(errors.PreconditionFailed):
            await store.put(bucket, "k", pattern(3 * MIB), Conditions(if_none_match="*"))
        store.engine._pool.submit(lambda: None).result()
        await asyncio.sleep(0)
        for _ in range(100):
            if no_files(store):
                break
            await asyncio.sleep(0.01)
        assert no_files(store)

    play(scenario)


def test_a_full_store_refuses_writes_and_still_deletes(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        await store.put(bucket, "k", b"1")
        store.engine.room.reserve = 1 << 60
        store.engine.check_space()
        with pytest.raises(errors.StoreFull):
            await store.put(bucket, "x", b"1")
        with pytest.raises(errors.StoreFull):
            await store.engine.create_bucket("another", "me", "us-east-1")
        assert store.get(bucket, "k") == b"1"
        assert (await store.engine.delete_object(bucket, "k")).existed
        store.engine.room.reserve = 0
        store.engine.check_space()
        await store.put(bucket, "x", b"1")

    play(scenario)


def test_many_large_bodies_at_once_wait_for_their_turn(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        count = LARGE_WRITERS_MAX + 8

        async def upload(number: int) -> None:
            await store.put(bucket, f"k{number}", pattern(MIB + number, number))

        await asyncio.gather(*(upload(number) for number in range(count)))
        for number in range(count):
            assert store.get(bucket, f"k{number}") == pattern(MIB + number, number)

    play(scenario)


def test_a_body_given_up_while_it_waits_makes_room_for_the_next(play: Any) -> None:
    async def scenario(store: Store, bucket: Bucket) -> None:
        piece = memoryview(pattern(200_000))
        holders = [store.engine.writer(2 * MIB) for _ in range(LARGE_WRITERS_MAX)]
        for holder in holders:
            assert holder.feed(piece) is None
        waiting, later = store.engine.writer(2 * MIB), store.engine.writer(MIB)
        assert waiting.feed(piece) is not None
        turn = later.feed(piece)
        assert turn is not None and not turn.done()
        waiting.abort()
        holders[0].abort()
        await asyncio.wait_for(turn, 10)
        for holder in [*holders[1:], later]:
            holder.abort()
        await store.put(bucket, "k", pattern(MIB))
        assert store.get(bucket, "k") == pattern(MIB)

    play(scenario)

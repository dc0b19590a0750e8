"""The state machine: every rule asks the server and the model the same, over both workers.

A rule takes any connection, so that what one worker acknowledged is read on the other at once.
"""

from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.model.check import Checker
from tests.model.wire import Answer, Wire, wires
from tests.model.world import (
    DELIMITERS,
    KEYS,
    KIB,
    MIB,
    PREFIXES,
    Stored,
    Upload,
    World,
    checksum,
    md5,
    multipart_etag,
)

from neve.testing.engine import pattern
from neve.testing.live import LiveServer

SIZES = (0, 1, 5 * KIB, 5 * KIB, 100 * KIB, MIB + 1)
PART_BYTES_MIN = 5 * MIB
ALGORITHMS = ("", "", "crc32", "crc32c", "crc64nvme", "sha1", "sha256")
META = (
    {},
    {"x-amz-meta-a": "1", "content-type": "application/zarr"},
    {"cache-control": "no-cache", "x-amz-meta-long": "v" * 60},
    {"content-disposition": 'attachment; filename="a b"', "x-amz-meta-b": "two  words"},
)
CONDITIONS = ("", "", "", "new", "match", "mismatch", "any", "other")

keys = st.integers(0, 11)
chances = st.integers(0, 1 << 16)


class StoreMachine(RuleBasedStateMachine):
    """Buckets of one example are its own; the last thing it does is to look at all of them."""

    server: ClassVar[LiveServer]
    worlds: ClassVar[list[World]] = []
    """The world of every example, to be looked at again after a restart."""
    lines: ClassVar[list[Wire]] = []

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.worlds.append(self.world)
        self.number = len(self.worlds)
        self.step = 0
        self.keys: list[str] = []
        self.completed: list[tuple[str, str, str, bytes]] = []
        """Uploads that became objects: bucket, key, id, document."""
        if not self.lines:
            self.lines.extend(wires(self.server, per_worker=2))
        self.checker = Checker(self.ask, self.world)

    def ask(self, *request: Any, **more: Any) -> Answer:
        self.step += 1
        # Neighbouring requests take different workers, but not always in the same order.
        return self.lines[(self.step + self.step // 7) % len(self.lines)].ask(*request, **more)

    def key(self, index: int) -> str:
        return self.keys[index % len(self.keys)]

    def bucket(self, chance: int) -> str:
        names = sorted(self.world.buckets)
        return names[chance % len(names)]

    @initialize(chosen=st.lists(st.sampled_from(KEYS), min_size=4, max_size=12, unique=True))
    def begin(self, chosen: list[str]) -> None:
        self.keys = chosen
        self.create_bucket("x")
        for key in chosen[: len(chosen) // 2]:
            self._put(self._name("x"), key, pattern(100, self.step), {}, "", "")

    def _name(self, letter: str) -> str:
        return f"model-{self.number}-{letter}"

    # Buckets.

    @rule(letter=st.sampled_from("xyz"))
    def create_bucket(self, letter: str) -> None:
        name = self._name(letter)
        answer = self.ask("PUT", name)
        if name in self.world.buckets:
            assert answer.outcome == (409, "BucketAlreadyOwnedByYou")
        else:
            assert answer.outcome == (200, "")
            self.world.buckets[name] = {}
        assert self.ask("HEAD", name).status == 200

    @rule(letter=st.sampled_from("xyz"))
    def delete_bucket(self, letter: str) -> None:
        name = self._name(letter)
        answer = self.ask("DELETE", name)
        found = self.world.buckets.get(name)
        if found is None:
            assert answer.outcome == (404, "NoSuchBucket")
        elif found:
            assert answer.outcome == (409, "BucketNotEmpty")
        else:
            assert answer.outcome == (204, "")
            del self.world.buckets[name]
            for id in [id for id, upload in self.world.uploads.items() if upload.bucket == name]:
                del self.world.uploads[id]

    # Writing.

    @precondition(lambda self: self.world.buckets)
    @rule(
        chance=chances,
        index=keys,
        size=st.sampled_from(SIZES),
        meta=st.sampled_from(META),
        algorithm=st.sampled_from(ALGORITHMS),
        condition=st.sampled_from(CONDITIONS),
    )
    def put(
        self, chance: int, index: int, size: int, meta: dict[str, str], algorithm: str,
        condition: str,
    ) -> None:  # fmt: skip
        bucket, key = self._name("x") if chance % 3 else self.bucket(chance), self.key(index)
        if bucket in self.world.buckets:
            self._put(bucket, key, pattern(size, chance), meta, algorithm, condition)

    def _put(
        self, bucket: str, key: str, data: bytes, meta: dict[str, str], algorithm: str,
        condition: str,
    ) -> None:  # fmt: skip
        headers = dict(meta)
        if algorithm:
            headers[f"x-amz-checksum-{algorithm}"] = checksum(algorithm, data)
        asked, refusal = self._conditions(bucket, key, condition)
        answer = self.ask("PUT", bucket, key, body=data, headers=headers | asked)
        assert answer.outcome == (refusal or (200, "")), (key, condition)
        if not refusal:
            assert answer.etag == md5(data)
            self.world.buckets[bucket][key] = Stored(data, md5(data), headers)
        self.checker.object(bucket, key)

    def _conditions(
        self, bucket: str, key: str, condition: str
    ) -> tuple[dict[str, str], tuple[int, str] | None]:
        """Header fields, and how the request is refused if it must be."""
        old = self.world.buckets[bucket].get(key)
        failed, absent = (412, "PreconditionFailed"), (404, "NoSuchKey")
        if condition == "new":
            return {"if-none-match": "*"}, failed if old else None
        if condition == "match":
            etag = old.etag if old else "0" * 32
            return {"if-match": f'"{etag}"'}, None if old else absent
        if condition == "mismatch":
            return {"if-match": '"%s"' % ("0" * 32)}, failed if old else absent
        if condition == "any":
            return {"if-match": "*"}, None if old else absent
        if condition == "other" and old:
            return {"if-none-match": f'"{old.etag}"'}, failed
        return {}, None

    @precondition(lambda self: self.world.buckets)
    @rule(chance=chances, index=keys, kind=st.sampled_from(("checksum", "md5", "sha256", "short")))
    def put_of_a_damaged_body_changes_nothing(self, chance: int, index: int, kind: str) -> None:
        bucket, key = self.bucket(chance), self.key(index)
        headers, code = {
            "checksum": ({"x-amz-checksum-crc32c": checksum("crc32c", b"other")}, "BadDigest"),
            "md5": ({"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, "BadDigest"),
            "sha256": ({"x-amz-checksum-sha256": checksum("sha256", b"")}, "BadDigest"),
            "short": ({"content-md5": "AAAA"}, "InvalidDigest"),
        }[kind]
        answer = self.ask("PUT", bucket, key, body=pattern(5 * KIB, chance), headers=headers)
        assert answer.outcome == (400, code)
        self.checker.object(bucket, key)

    @precondition(lambda self: self.world.buckets)
    @rule(chance=chances, index=keys, condition=st.sampled_from(("", "", "match", "mismatch")))
    def delete(self, chance: int, index: int, condition: str) -> None:
        bucket, key = self.bucket(chance), self.key(index)
        asked, refusal = self._conditions(bucket, key, condition)
        answer = self.ask("DELETE", bucket, key, headers=asked)
        assert answer.outcome == (refusal or (204, "")), (key, condition)
        if not refusal:
            self.world.buckets[bucket].pop(key, None)
        self.checker.object(bucket, key)

    @precondition(lambda self: self.world.buckets)
    @rule(chance=chances, indexes=st.lists(keys, min_size=1, max_size=5), quiet=st.booleans())
    def delete_objects(self, chance: int, indexes: list[int], quiet: bool) -> None:
        bucket = self.bucket(chance)
        # XML 1.0 cannot name keys with control characters, on AWS neither.
        chosen = [key for key in map(self.key, indexes) if key.isprintable()]
        if chosen:
            self.checker.delete_many(bucket, chosen, quiet)

    @precondition(lambda self: self.world.objects())
    @rule(
        chance=chances,
        index=keys,
        replace=st.booleans(),
        condition=st.sampled_from(("", "", "match", "mismatch")),
        itself=st.booleans(),
    )
    def copy(self, chance: int, index: int, replace: bool, condition: str, itself: bool) -> None:
        objects = self.world.objects()
        source_bucket, source_key = objects[chance % len(objects)]
        bucket, key = self.bucket(chance), self.key(index)
        if itself:
            bucket, key = source_bucket, source_key
        source = self.world.buckets[source_bucket][source_key]
        headers = self.checker.copy_source(source_bucket, source_key)
        if condition:
            etag = source.etag if condition == "match" else "0" * 32
            headers["x-amz-copy-source-if-match"] = etag
        given = {"x-amz-meta-new": str(chance), "content-type": "text/x"} if replace else {}
        headers |= {"x-amz-metadata-directive": "REPLACE", **given} if replace else {}
        answer = self.ask("PUT", bucket, key, headers=headers)
        if condition == "mismatch":
            assert answer.outcome == (412, "PreconditionFailed")
        elif not replace and (bucket, key) == (source_bucket, source_key):
            assert answer.outcome == (400, "InvalidRequest")
        else:
            assert answer.outcome == (200, "")
            self.world.buckets[bucket][key] = self.checker.copied(source, given or None, answer)
        self.checker.object(bucket, key)
        self.checker.object(source_bucket, source_key)

    # Multipart.

    @precondition(lambda self: self.world.buckets)
    @rule(chance=chances, index=keys, meta=st.sampled_from(META))
    def create_upload(self, chance: int, index: int, meta: dict[str, str]) -> None:
        bucket, key = self.bucket(chance), self.key(index)
        answer = self.ask("POST", bucket, key, "uploads=", headers=meta)
        assert answer.outcome == (200, "")
        id = answer.xml().findtext("UploadId") or ""
        assert id not in self.world.uploads
        self.world.uploads[id] = Upload(bucket, key, dict(meta))
        self.checker.uploads(bucket, 1 + chance % 4)

    def _upload(self, chance: int) -> tuple[str, Upload]:
        ids = list(self.world.uploads)
        id = ids[chance % len(ids)]
        return id, self.world.uploads[id]

    @precondition(lambda self: self.world.uploads)
    @rule(
        chance=chances,
        number=st.sampled_from((1, 1, 2, 2, 3, 7, 10_000)),
        size=st.sampled_from((0, 1, 100 * KIB, PART_BYTES_MIN, PART_BYTES_MIN + 1)),
    )
    def upload_part(self, chance: int, number: int, size: int) -> None:
        id, upload = self._upload(chance)
        data = pattern(size, chance)
        query = f"partNumber={number}&uploadId={id}"
        answer = self.ask("PUT", upload.bucket, upload.key, query, data)
        assert answer.outcome == (200, "")
        assert answer.etag == md5(data)
        upload.parts[number] = data
        self.checker.parts(id, 1 + chance % 3)

    @precondition(lambda self: self.world.uploads and self.world.objects())
    @rule(chance=chances, number=st.sampled_from((1, 2, 3)), part=st.floats(0, 1))
    def copy_part(self, chance: int, number: int, part: float) -> None:
        id, upload = self._upload(chance)
        objects = self.world.objects()
        source_bucket, source_key = objects[chance % len(objects)]
        data = self.world.buckets[source_bucket][source_key].data
        headers = self.checker.copy_source(source_bucket, source_key)
        if data and part < 0.9:
            start = int(len(data) * part) % len(data)
            headers["x-amz-copy-source-range"] = f"bytes={start}-{len(data) - 1}"
            data = data[start:]
        query = f"partNumber={number}&uploadId={id}"
        answer = self.ask("PUT", upload.bucket, upload.key, query, headers=headers)
        assert answer.outcome == (200, "")
        assert (answer.xml().findtext("ETag") or "").strip('"') == md5(data)
        upload.parts[number] = data
        self.checker.parts(id, 1000)

    @precondition(lambda self: any(upload.parts for upload in self.world.uploads.values()))
    @rule(
        chance=chances,
        skip=st.sampled_from((0, 0, 0, 1)),
        condition=st.sampled_from(CONDITIONS),
        swap=st.sampled_from((False, False, False, True)),
    )
    def complete(self, chance: int, skip: int, condition: str, swap: bool) -> None:
        ids = [id for id, upload in self.world.uploads.items() if upload.parts]
        id = ids[chance % len(ids)]
        upload = self.world.uploads[id]
        bucket, key = upload.bucket, upload.key
        numbers = sorted(upload.parts)[skip:] or sorted(upload.parts)
        swapped = swap and len(numbers) > 1
        document = self.checker.completion(id, numbers[::-1] if swapped else numbers)
        asked, refusal = self._conditions(bucket, key, condition)
        used = [upload.parts[number] for number in numbers]
        if any(len(part) < PART_BYTES_MIN for part in used[:-1]):
            refusal = (400, "EntityTooSmall")
        if swapped:
            refusal = (400, "InvalidPartOrder")
        answer = self.ask("POST", bucket, key, f"uploadId={id}", document, asked)
        assert answer.outcome == (refusal or (200, "")), (condition, [len(part) for part in used])
        if not refusal:
            self._completed(id, numbers)
            self.completed.append((bucket, key, id, document))
        self.checker.object(bucket, key)
        self.checker.uploads(bucket, 1000)

    def _completed(self, id: str, numbers: list[int]) -> None:
        upload = self.world.uploads.pop(id)
        used = [upload.parts[number] for number in numbers]
        sizes = [(number, len(upload.parts[number])) for number in numbers]
        stored = Stored(b"".join(used), multipart_etag(used), upload.headers, sizes, id)
        self.world.buckets[upload.bucket][upload.key] = stored

    @precondition(lambda self: self.world.buckets)
    @rule(chance=chances, index=keys, sizes=st.lists(st.sampled_from((1, 70_000)), max_size=1))
    def upload_whole(self, chance: int, index: int, sizes: list[int]) -> None:
        """Parts of full size, the last one first and one of them sent twice."""
        self.create_upload(chance, index, META[chance % len(META)])
        id, upload = list(self.world.uploads.items())[-1]
        wanted = {2 * n: s for n, s in enumerate([PART_BYTES_MIN + 1, PART_BYTES_MIN, *sizes], 1)}
        for number, size in [(2, 3), *sorted(wanted.items(), reverse=True)]:
            query = f"partNumber={number}&uploadId={id}"
            data = pattern(size, chance + number)
            assert self.ask("PUT", upload.bucket, upload.key, query, data).outcome == (200, "")
            upload.parts[number] = data
        document = self.checker.completion(id, sorted(wanted))
        answer = self.ask("POST", upload.bucket, upload.key, f"uploadId={id}", document)
        assert answer.outcome == (200, "")
        self._completed(id, sorted(wanted))
        self.checker.object(upload.bucket, upload.key)
        self.checker.range(upload.bucket, upload.key, (chance % 100) / 90, MIB)

    @precondition(lambda self: self.completed)
    @rule(chance=chances)
    def complete_again(self, chance: int) -> None:
        """A client that lost the answer asks again."""
        bucket, key, id, document = self.completed[chance % len(self.completed)]
        answer = self.ask("POST", bucket, key, f"uploadId={id}", document)
        there = self.world.buckets.get(bucket, {}).get(key)
        if bucket not in self.world.buckets:
            assert answer.outcome == (404, "NoSuchBucket")
        elif there is not None and there.upload == id:
            assert answer.outcome == (200, "")
            assert answer.xml().findtext("ETag") == f'"{there.etag}"'
        else:
            assert answer.outcome == (404, "NoSuchUpload")
            self.checker.object(bucket, key)

    @precondition(lambda self: self.world.uploads)
    @rule(chance=chances)
    def abort(self, chance: int) -> None:
        id, upload = self._upload(chance)
        query = f"uploadId={id}"
        assert self.ask("DELETE", upload.bucket, upload.key, query).outcome == (204, "")
        del self.world.uploads[id]
        again = self.ask("PUT", upload.bucket, upload.key, query + "&partNumber=1", b"late")
        assert again.outcome == (404, "NoSuchUpload")
        self.checker.uploads(upload.bucket, 2)

    # Reading.

    @precondition(lambda self: self.world.objects())
    @rule(chance=chances, start=st.floats(0, 1.2), length=st.sampled_from((1, 100, MIB, 6 * MIB)))
    def read_range(self, chance: int, start: float, length: int) -> None:
        objects = self.world.objects()
        self.checker.range(*objects[chance % len(objects)], start, length)

    @precondition(lambda self: self.world.objects())
    @rule(chance=chances)
    def read_on_condition(self, chance: int) -> None:
        objects = self.world.objects()
        self.checker.conditional_read(*objects[chance % len(objects)])

    @precondition(lambda self: self.world.buckets)
    @rule(
        chance=chances,
        prefix=st.sampled_from(PREFIXES),
        delimiter=st.sampled_from(DELIMITERS),
        after=st.sampled_from(("", "", "", *KEYS, *PREFIXES)),
        size=st.sampled_from((1, 2, 3, 1000)),
    )
    def list_objects(self, chance: int, prefix: str, delimiter: str, after: str, size: int) -> None:
        bucket = self.bucket(chance)
        self.checker.listing(bucket, prefix, delimiter, after, size, version=2)
        self.checker.listing(bucket, prefix, delimiter, after, size, version=1)

    def teardown(self) -> None:
        self.checker.everything()

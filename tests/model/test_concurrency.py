"""Clients that race each other over both workers: what S3 promises about one at a time still holds.

Every test puts the same requests on connections to different workers at the same moment, again and
again; what came back must be explained by some order of them.
"""

import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.model.wire import Answer, Wire, wires
from tests.model.world import MIB, md5, ordered

from neve.engine.reclaim import GRACE_S
from neve.testing.engine import pattern
from neve.testing.live import LiveServer

CLIENTS = 6
ROUNDS = 15
KEY = re.compile(rb"<Key>([^<]*)</Key>")

OK, NO_CONTENT = (200, ""), (204, "")
FAILED = (412, "PreconditionFailed")


@pytest.fixture(scope="module")
def lines(live_server: LiveServer) -> Iterator[list[Wire]]:
    """Connections; neighbours lead to different workers."""
    opened = wires(live_server, per_worker=CLIENTS // 2)
    opened[0].ask("PUT", "races")
    yield opened
    for wire in opened:
        wire.close()


def together(lines: list[Wire], act: Callable[[int, Wire], Any]) -> list[Any]:
    """Let all clients act at the same moment; what each came to."""
    barrier = threading.Barrier(len(lines))
    results: list[Any] = [None] * len(lines)
    errors: list[BaseException] = []

    def run(number: int) -> None:
        try:
            barrier.wait(30)
            results[number] = act(number, lines[number])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(lines))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def outcomes(answers: list[Answer]) -> list[tuple[int, str]]:
    return sorted(answer.outcome for answer in answers)


def test_of_many_creators_exactly_one_wins(lines: list[Wire]) -> None:
    for turn in range(ROUNDS):
        key = f"create/{turn}"
        size = (10, 200_000, MIB + 5)[turn % 3]

        def put(number: int, wire: Wire, key: str = key, size: int = size) -> Answer:
            data = pattern(size, number)
            return wire.ask("PUT", "races", key, body=data, headers={"if-none-match": "*"})

        answers = together(lines, put)
        assert outcomes(answers) == [OK] + [FAILED] * (CLIENTS - 1)
        winner = [answer.status for answer in answers].index(200)
        for wire in lines[:2]:
            got = wire.ask("GET", "races", key)
            assert got.body == pattern(size, winner)


def test_a_counter_kept_by_compare_and_swap_counts_every_success(lines: list[Wire]) -> None:
    assert lines[0].ask("PUT", "races", "counter", body=b"0 nobody").outcome == OK

    def count(number: int, wire: Wire) -> tuple[int, int]:
        won = lost = 0
        while won < ROUNDS:
            got = wire.ask("GET", "races", "counter")
            body = b"%d %d" % (int(got.body.split()[0]) + 1, number)
            headers = {"if-match": got.headers["etag"]}
            answer = wire.ask("PUT", "races", "counter", body=body, headers=headers)
            assert answer.outcome in (OK, FAILED)
            won, lost = won + (answer.status == 200), lost + (answer.status == 412)
        return won, lost

    scores = together(lines, count)
    final = int(lines[1].ask("GET", "races", "counter").body.split()[0])
    assert final == sum(won for won, _ in scores) == CLIENTS * ROUNDS
    assert sum(lost for _, lost in scores) > 0, "nobody ever raced"


def begin_upload(wire: Wire, key: str, data: bytes) -> tuple[str, bytes]:
    """An upload of one part, and the document that completes it."""
    id = wire.ask("POST", "races", key, "uploads=").xml().findtext("UploadId") or ""
    assert wire.ask("PUT", "races", key, f"partNumber=1&uploadId={id}", data).outcome == OK
    part = f"<Part><PartNumber>1</PartNumber><ETag>{md5(data)}</ETag></Part>"
    return id, f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()


def test_of_many_conditional_completions_exactly_one_wins(lines: list[Wire]) -> None:
    for turn in range(ROUNDS // 3):
        key = f"complete/{turn}"
        uploads = [begin_upload(wire, key, pattern(500, n)) for n, wire in enumerate(lines)]

        def complete(
            number: int, wire: Wire, key: str = key, uploads: list[Any] = uploads
        ) -> Answer:
            id, document = uploads[number]
            headers = {"if-none-match": "*"}
            return wire.ask("POST", "races", key, f"uploadId={id}", document, headers)

        answers = together(lines, complete)
        assert outcomes(answers) == [OK] + [FAILED] * (CLIENTS - 1)
        winner = [answer.status for answer in answers].index(200)
        assert lines[0].ask("GET", "races", key).body == pattern(500, winner)
        for number, (id, _) in enumerate(uploads):
            gone = lines[1].ask("DELETE", "races", key, f"uploadId={id}").outcome
            assert gone == ((404, "NoSuchUpload") if number == winner else NO_CONTENT)


def test_the_same_completion_asked_by_many_answers_all_the_same(lines: list[Wire]) -> None:
    for turn in range(ROUNDS // 3):
        key = f"again/{turn}"
        id, document = begin_upload(lines[0], key, pattern(1000, turn))
        query = f"uploadId={id}"
        answers = together(
            lines,
            lambda _, wire, key=key, query=query, document=document: wire.ask(
                "POST", "races", key, query, document
            ),
        )
        assert outcomes(answers) == [OK] * CLIENTS
        assert len({answer.xml().findtext("ETag") for answer in answers}) == 1
        assert lines[1].ask("GET", "races", key).body == pattern(1000, turn)


def test_parts_abort_and_completion_of_one_upload_leave_one_whole_state(lines: list[Wire]) -> None:
    for turn in range(ROUNDS):
        key = f"abort/{turn}"
        id, document = begin_upload(lines[0], key, b"part")

        def act(
            number: int, wire: Wire, key: str = key, id: str = id, document: bytes = document
        ) -> Answer:
            query = f"uploadId={id}"
            if number < 2:
                return wire.ask("DELETE", "races", key, query)
            if number < 4:
                return wire.ask("POST", "races", key, query, document)
            return wire.ask("PUT", "races", key, query + "&partNumber=2", b"more")

        answers = together(lines, act)
        assert {answer.status for answer in answers} <= {200, 204, 404}
        aborted = [answer.status for answer in answers[:2]].count(204)
        completed = {answer.status for answer in answers[2:4]}
        assert (aborted, completed) in ((1, {404}), (0, {200}))
        assert lines[0].ask("GET", "races", key).status == (404 if aborted else 200)
        assert lines[1].ask("GET", "races", key, f"uploadId={id}").status == 404


def test_puts_and_deletes_of_one_key_end_in_one_of_them(lines: list[Wire]) -> None:
    lines[0].ask("PUT", "races-one")
    for turn in range(ROUNDS):
        bodies = [pattern((7, 3000, MIB + number)[number % 3], number) for number in range(CLIENTS)]

        def act(number: int, wire: Wire, bodies: list[bytes] = bodies) -> Answer:
            if number % 2:
                return wire.ask("DELETE", "races-one", "key")
            return wire.ask("PUT", "races-one", "key", body=bodies[number])

        answers = together(lines, act)
        assert {answer.outcome for answer in answers} == {OK, NO_CONTENT}
        found = [wire.ask("GET", "races-one", "key") for wire in lines]
        # Refusals differ in their request ids.
        assert len({got.body if got.status == 200 else got.status for got in found}) == 1
        assert found[0].status == 404 or found[0].body in bodies[::2]
        listed = KEY.findall(lines[turn % CLIENTS].ask("GET", "races-one").body)
        assert listed == ([b"key"] if found[0].status == 200 else [])


def test_of_many_conditional_deletions_exactly_one_finds_the_object(lines: list[Wire]) -> None:
    for _ in range(ROUNDS):
        etag = lines[0].ask("PUT", "races", "doomed", body=b"x").headers["etag"]
        answers = together(
            lines,
            lambda _, wire, etag=etag: wire.ask(
                "DELETE", "races", "doomed", headers={"if-match": etag}
            ),
        )
        assert outcomes(answers) == [NO_CONTENT] + [(404, "NoSuchKey")] * (CLIENTS - 1)


def test_a_bucket_is_made_once_and_never_deleted_under_an_object(lines: list[Wire]) -> None:
    for turn in range(ROUNDS):
        name = f"races-bucket-{turn}"
        made = together(lines, lambda _, wire, name=name: wire.ask("PUT", name))
        owned = (409, "BucketAlreadyOwnedByYou")
        assert outcomes(made) == [OK] + [owned] * (CLIENTS - 1)

        def act(number: int, wire: Wire, name: str = name) -> Answer:
            if number == 0:
                return wire.ask("DELETE", name)
            return wire.ask("PUT", name, f"key{number}", body=b"x")

        deleted, *puts = together(lines, act)
        stored = sorted(f"key{n}" for n, put in enumerate(puts, 1) if put.status == 200)
        if deleted.status == 204:
            assert {put.outcome for put in puts} == {(404, "NoSuchBucket")}
        else:
            assert deleted.outcome == (409, "BucketNotEmpty")
            listed = [key.decode() for key in KEY.findall(lines[1].ask("GET", name).body)]
            assert listed == stored != []


class Diary:
    """What one client did to the keys that it alone writes, and when."""

    def __init__(self) -> None:
        self.entries: dict[str, list[tuple[float, float, bool]]] = {}
        """Per key: (asked at, acknowledged at, whether it is there then)."""

    def note(self, key: str, begun: float, present: bool) -> None:
        self.entries.setdefault(key, []).append((begun, time.monotonic(), present))

    def known(self, key: str, start: float, end: float) -> bool | None:
        """Whether the key was there all the time from start to end; None: it changed."""
        present = False
        for begun, acknowledged, now in self.entries[key]:
            if acknowledged <= start:
                present = now
            elif begun <= end and now != present:
                return None
        return present


def write_on(diary: Diary, number: int, wire: Wire, until: threading.Event) -> None:
    step = 0
    while not until.is_set():
        step += 1
        key = f"{number}/{step * 7 % 60:02}"
        begun = time.monotonic()
        if step % 3:
            assert wire.ask("PUT", "races-list", key, body=b"x" * (step % 50)).outcome == OK
            diary.note(key, begun, True)
        else:
            assert wire.ask("DELETE", "races-list", key).outcome == NO_CONTENT
            diary.note(key, begun, False)


def list_once(wire: Wire, page: int) -> tuple[float, float, list[str]]:
    """A whole listing in pages, with the moments it began and ended."""
    start, found, step = time.monotonic(), [], ""
    for _ in range(200):
        query = f"list-type=2&max-keys={page}{step}"
        root = wire.ask("GET", "races-list", query=query).xml()
        found += [each.findtext("Key") or "" for each in root.findall("Contents")]
        token = root.findtext("NextContinuationToken")
        if token is None:
            return start, time.monotonic(), found
        step = f"&continuation-token={token}"
    raise AssertionError("the pages do not end")


def test_a_listing_during_writes_misses_nothing_and_invents_nothing(lines: list[Wire]) -> None:
    lines[0].ask("PUT", "races-list")
    diaries = [Diary() for _ in range(4)]
    listings: list[tuple[float, float, list[str]]] = []
    over = threading.Event()

    def act(number: int, wire: Wire) -> None:
        if number < 4:
            write_on(diaries[number], number, wire, over)
            return
        try:
            listings.extend(list_once(wire, (7, 50, 1000)[turn % 3]) for turn in range(30))
        finally:
            if number == CLIENTS - 1:
                over.set()

    together(lines, act)
    assert len(listings) == 60
    settled = 0
    for start, end, found in listings:
        assert found == ordered(set(found)), "out of order or twice"
        for number, diary in enumerate(diaries):
            shown = {key for key in found if key.startswith(f"{number}/")}
            assert shown <= diary.entries.keys()
            for key in diary.entries:
                known = diary.known(key, start, end)
                assert known is None or known == (key in shown), (key, known)
                settled += known is not None
    assert settled > 1000


def test_who_reads_during_overwrites_gets_one_whole_version(lines: list[Wire]) -> None:
    sizes = (100, 5000, 300_000, MIB + 1, 3 * MIB)
    versions = [pattern(size, number) for number, size in enumerate(sizes)]
    tags = {md5(version): version for version in versions}
    lines[0].ask("PUT", "races", "changing", body=versions[0])

    def act(number: int, wire: Wire) -> set[str]:
        seen = set()
        for turn in range(4 * ROUNDS):
            if number < 2:
                body = versions[(turn + number) % len(versions)]
                assert wire.ask("PUT", "races", "changing", body=body).outcome == OK
            else:
                got = wire.ask("GET", "races", "changing")
                assert got.status == 200
                assert got.body == tags[got.etag]
                seen.add(got.etag)
        return seen

    seen = set().union(*together(lines, act)[2:])
    assert len(seen) > 1, "no reader saw a change"


def test_a_slow_reader_gets_the_old_version_to_its_end(
    lines: list[Wire], live_server: LiveServer
) -> None:
    """The object is overwritten and deleted, and reclaim has its turn, while it is being read."""
    data = pattern(48 * MIB, 5)
    with Wire(live_server) as wire:
        assert wire.ask("PUT", "races", "slow", body=data).outcome == OK
        url = live_server.client().generate_presigned_url(
            "get_object", Params={"Bucket": "races", "Key": "slow"}
        )
        wire.connection.request("GET", url.removeprefix(live_server.endpoint))
        answer = wire.connection.getresponse()
        read = [answer.read(100_000)]
        assert lines[0].ask("PUT", "races", "slow", body=b"new").outcome == OK
        assert lines[1].ask("DELETE", "races", "slow").outcome == NO_CONTENT
        time.sleep(GRACE_S + 2)  # what reclaim waits for, and its period
        while piece := answer.read(1 << 20):
            read.append(piece)
    assert md5(b"".join(read)) == md5(data)

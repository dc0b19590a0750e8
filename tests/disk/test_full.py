"""A disk that is really full: writes are refused in words, the rest goes on, nothing is lost."""

import contextlib
import http.client
import random
import threading
from pathlib import Path

import pytest
from tests.disk.small_disk import MIB, free_bytes, small_disk
from tests.model.wire import Answer, Wire

from neve.testing.engine import pattern
from neve.testing.live import LiveServer, wait_until

SIZE = 100 * MIB
RESERVE = 16 * MIB
CLIENTS = 4
REFUSALS = 4
FULL = (507, "StorageFull")


class Filler:
    """One client that writes until it is refused, and knows what was acknowledged."""

    def __init__(self, server: LiveServer, number: int, sizes: tuple[int, ...]) -> None:
        self.server = server
        self.number = number
        self.sizes = sizes
        self.chance = random.Random(number)
        self.stored: dict[str, bytes] = {}
        self.doubtful: dict[str, bytes] = {}
        """Writes that were never answered."""
        self.answers: list[Answer] = []
        self.failure: BaseException | None = None
        self.step = 0

    def run(self) -> None:
        """Write until refused several times in a row, or until the connection breaks."""
        refused = 0
        try:
            with Wire(self.server) as wire:
                while refused < REFUSALS:
                    answer = self._write(wire)
                    refused = 0 if answer.status == 200 else refused + 1
        except (OSError, http.client.HTTPException):
            pass
        except BaseException as error:
            self.failure = error

    def _write(self, wire: Wire) -> Answer:
        self.step += 1
        key = f"{self.number}/{self.step}"
        data = pattern(self.chance.choice(self.sizes), self.number * 10_000 + self.step)
        self.doubtful[key] = data
        answer = wire.ask("PUT", "full", key, body=data)
        del self.doubtful[key]
        if answer.status == 200:
            self.stored[key] = data
        else:
            self.answers.append(answer)
        return answer


def fill(fillers: list[Filler], kill: LiveServer | None = None) -> None:
    threads = [threading.Thread(target=filler.run) for filler in fillers]
    for thread in threads:
        thread.start()
    if kill is not None:
        wait_until(lambda: any(filler.answers for filler in fillers))
        kill.kill()
    for thread in threads:
        thread.join()
    assert [filler.failure for filler in fillers if filler.failure] == []


def check(server: LiveServer, fillers: list[Filler]) -> None:
    """All that was acknowledged is there whole, and nothing else but whole doubtful writes."""
    with Wire(server) as wire:
        for filler in fillers:
            for key, data in filler.stored.items():
                answer = wire.ask("GET", "full", key)
                assert answer.status == 200, (key, answer)
                assert answer.body == data, key
            for key, data in filler.doubtful.items():
                answer = wire.ask("GET", "full", key)
                assert answer.status == 404 or answer.body == data, key
        assert wire.ask("GET", "full", query="list-type=2&max-keys=5").status == 200


def accepts(server: LiveServer, size: int) -> bool:
    with Wire(server) as wire:
        answer = wire.ask("PUT", "full", "again", body=pattern(size, 1))
        assert answer.outcome in ((200, ""), FULL)
        return answer.status == 200


def stores(filler: Filler) -> bool:
    fill([filler])
    return bool(filler.stored)


def environment(reserve: int) -> dict[str, str]:
    return {"NEVE_DISK_RESERVE_BYTES": str(reserve)}


@pytest.mark.timeout(180)
@pytest.mark.parametrize("kind", ["ext4", "tmpfs"])
def test_a_full_store_serves_reads_and_deletes_and_recovers(tmp_path: Path, kind: str) -> None:
    with contextlib.ExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path, kind, SIZE))
        folder = disk / "data"
        server = LiveServer(folder, environment=environment(RESERVE))
        server.log = tmp_path / "log"
        stack.enter_context(server)
        with Wire(server) as wire:
            assert wire.ask("PUT", "full").status == 200
        sizes = (1000, 1000, 90_000, 2 * MIB)
        fillers = [Filler(server, number, sizes) for number in range(CLIENTS)]
        fill(fillers)
        refusals = [answer for filler in fillers for answer in filler.answers]
        assert {answer.outcome for answer in refusals} == {FULL}
        assert b"full" in refusals[0].body, "the message says why"
        assert free_bytes(disk) < RESERVE + SIZE // 4, "room is left for the log, no more"
        check(server, fillers)

        # Killed while full, and while clients go on trying.
        fill(fillers, kill=server)
        server.start()
        check(server, fillers)
        # What was half-written has made room at the start: that is filled again as well.
        fill(fillers)
        assert not accepts(server, 2 * MIB)

        with Wire(server) as wire:
            for filler in fillers:
                for key in list(filler.stored)[::2]:
                    assert wire.ask("DELETE", "full", key).status == 204
                    del filler.stored[key]
        wait_until(lambda: accepts(server, 2 * MIB), 30)
        check(server, fillers)
        # Room comes back piece by piece, and what was just accepted may have taken the first.
        fillers.append(Filler(server, 99, (50_000, MIB)))
        wait_until(lambda: stores(fillers[-1]), 30)
        check(server, fillers)
        server.restart()
        check(server, fillers)


@pytest.mark.timeout(120)
def test_deleting_small_objects_makes_room_too(tmp_path: Path) -> None:
    """They lie in segments, which take more appends: the room is made by compacting those."""
    with contextlib.ExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path, "tmpfs", 60 * MIB))
        server = LiveServer(disk / "data", environment=environment(RESERVE))
        server.log = tmp_path / "log"
        stack.enter_context(server)
        with Wire(server) as wire:
            assert wire.ask("PUT", "full").status == 200
            fillers = [Filler(server, number, (60_000, 90_000)) for number in range(CLIENTS)]
            fill(fillers)
            for filler in fillers:
                for key in list(filler.stored)[5:]:
                    assert wire.ask("DELETE", "full", key).status == 204
                    del filler.stored[key]
        wait_until(lambda: accepts(server, 90_000), 60)
        check(server, fillers)


@pytest.mark.timeout(120)
def test_without_a_reserve_nothing_acknowledged_is_lost_either(tmp_path: Path) -> None:
    """Here it is the kernel that says no, in the middle of any write."""
    with contextlib.ExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path, "ext4", 40 * MIB))
        ballast = disk / "ballast"
        ballast.write_bytes(b"x" * (8 * MIB))
        server = LiveServer(disk / "data", environment=environment(1))
        server.log = tmp_path / "log"
        stack.enter_context(server)
        with Wire(server) as wire:
            assert wire.ask("PUT", "full").status == 200
        fillers = [Filler(server, n, (1000, 200_000, MIB + 9)) for n in range(CLIENTS)]
        fill(fillers)
        refusals = {answer.outcome for filler in fillers for answer in filler.answers}
        assert refusals == {FULL}
        check(server, fillers)
        server.kill()
        ballast.unlink()
        server.start()
        check(server, fillers)
        with Wire(server) as wire:
            for filler in fillers:
                for key in list(filler.stored):
                    assert wire.ask("DELETE", "full", key).status == 204
                filler.stored.clear()
        wait_until(lambda: accepts(server, 2 * MIB), 30)
        assert server.stop() == 0

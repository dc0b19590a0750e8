"""Rings: readers get what was written, whole, and know what they missed."""

import os
import time

from neve.server.rings import Rings


def test_records_come_in_order_and_once() -> None:
    rings = Rings(2, 8, 64)
    for number in range(5):
        rings.append(1, b"%d" % number)
    records, place, lost = rings.read(1, 0)
    assert records == [b"0", b"1", b"2", b"3", b"4"]
    assert rings.read(1, place) == ([], 5, 0)
    assert rings.read(0, 0) == ([], 0, 0)
    rings.append(1, b"five")
    assert rings.read(1, place) == ([b"five"], 6, 0)
    assert lost == 0


def test_who_comes_too_late_is_told_how_much_is_lost() -> None:
    rings = Rings(1, 8, 64)
    for number in range(20):
        rings.append(0, b"%d" % number)
    records, place, lost = rings.read(0, 0)
    assert records == [b"%d" % number for number in range(12, 20)]
    assert (place, lost) == (20, 12)


def test_the_longest_record_fits_and_its_neighbours_are_not_touched() -> None:
    rings = Rings(2, 2, 64)
    full = b"x" * rings.data_bytes_max
    for _ in range(3):
        rings.append(0, full)
        rings.append(1, b"other")
    assert rings.read(0, 1)[0] == [full, full]
    assert rings.read(1, 1)[0] == [b"other", b"other"]


def test_a_reader_of_a_busy_ring_never_sees_half_a_record() -> None:
    rings = Rings(1, 4, 4096)
    pid = os.fork()
    if not pid:
        number = 0
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            number += 1
            rings.append(0, (b"%08d" % number) * (1 + number % 500))
        os._exit(0)
    place = seen = missed = 0
    while not os.waitpid(pid, os.WNOHANG)[0]:
        records, place, lost = rings.read(0, place)
        missed += lost
        for record in records:
            assert record == record[:8] * (1 + int(record[:8]) % 500)
        seen += len(records)
    records, place, lost = rings.read(0, place)
    assert seen + missed + len(records) + lost == rings.count(0) == place
    assert seen > 100

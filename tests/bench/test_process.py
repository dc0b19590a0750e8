"""CPU and memory of a process tree, against processes whose consumption is known."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager

import pytest

from bench import process

MIB = 1 << 20
SAY_AND_WAIT = "print('ready', flush=True)\ninput()\n"
BURN = "import time\nwhile time.process_time() < 0.3: pass\n"
FAMILY = f"""
import subprocess, sys
burn, wait = {BURN!r}, {SAY_AND_WAIT!r}
subprocess.run([sys.executable, "-c", burn])
child = subprocess.Popen(
    [sys.executable, "-c", burn + wait], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)
child.stdout.readline()
exec(burn + wait)
"""
SHARING = f"""
import os, time
block = b"x" * (64 << 20)
child = os.fork()
if not child:
    time.sleep(60)
exec({SAY_AND_WAIT!r})
os.kill(child, 9)
"""


@contextmanager
def running(source: str):
    child = subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert child.stdout.readline() == "ready\n"
        yield child
    finally:
        if child.poll() is None:
            child.communicate("\n", timeout=20)


def test_cpu_counts_the_process_its_children_and_those_already_gone():
    with running(FAMILY) as child:
        assert len(process.tree(child.pid)) == 2
        assert 0.85 < process.cpu_seconds(child.pid) < 1.5


def test_cpu_of_a_process_is_what_getrusage_says():
    # Not of this process: servers of other tests may be its children, and getrusage counts a child
    # only when it has ended.
    source = f"""
import resource, subprocess, sys
burn = {BURN!r}
exec(burn)
subprocess.run([sys.executable, "-c", burn])
usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
print("ready", flush=True)
input()
print(sum(one.ru_utime + one.ru_stime for one in usage))
"""
    with running(source) as child:
        counted = process.cpu_seconds(child.pid)
        said, _ = child.communicate("\n", timeout=20)
    assert counted == pytest.approx(float(said), abs=0.1)


def test_memory_counts_pages_shared_by_parent_and_child_once():
    with running(SHARING) as child:
        assert len(process.tree(child.pid)) == 2
        assert 64 * MIB < process.memory_bytes(child.pid) < 100 * MIB


def test_a_process_that_is_gone_costs_nothing():
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert not process.exists(child.pid)
    assert process.cpu_seconds(child.pid) == 0
    assert process.memory_bytes(child.pid) == 0

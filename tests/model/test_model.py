"""A state machine against a dict, over the live server: two workers, HTTP, several connections.

NEVE_MODEL_EXAMPLES sets the number of examples: then they are random, and a failing one is made
small; without it they are always the same and the suite's time is bounded.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.model.check import Checker, metered_usage
from tests.model.machine import StoreMachine
from tests.model.wire import Wire
from tests.model.world import World, entries

from neve.engine.scrub import count_tree
from neve.engine.store import open_catalog
from neve.testing.live import LiveServer

EXAMPLES = 30
STEPS = 40


@pytest.fixture
def server(fresh_server: LiveServer) -> Iterator[LiveServer]:
    """The machine's server; nothing of an earlier test is left in the machine."""
    StoreMachine.server = fresh_server
    StoreMachine.worlds.clear()
    StoreMachine.lines.clear()
    yield fresh_server
    for wire in StoreMachine.lines:
        wire.close()


@pytest.mark.timeout(300)
def test_the_server_is_a_dict(server: LiveServer) -> None:
    """After all examples the store is stopped, started, killed and started again."""
    asked = os.environ.get("NEVE_MODEL_EXAMPLES")
    examples = int(asked or EXAMPLES)
    shrink = [Phase.shrink] if asked else []
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            derandomize=not asked,
            phases=[Phase.generate, *shrink],
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    worlds = StoreMachine.worlds
    assert len(worlds) >= examples
    assert sum(len(world.objects()) for world in worlds) > 2 * examples
    wanted = {name: world.usage(name) for world in worlds for name in world.buckets}
    assert metered_usage(server) == wanted
    server.restart()
    look_again(server, worlds)
    server.kill()
    server.start()
    look_again(server, worlds)
    assert metered_usage(server) == wanted
    server.stop()
    check_counters(server, wanted)


def look_again(server: LiveServer, worlds: list[World]) -> None:
    with Wire(server) as wire:
        for world in worlds:
            Checker(wire.ask, world).everything()


def check_counters(server: LiveServer, wanted: dict[str, tuple[int, int]]) -> None:
    """The counters kept by the catalog are those of its rows, and of the model."""
    catalog = open_catalog(str(server.folder))
    reader = catalog.reader()
    trees = {row.name: row.tree for row in reader.buckets()}
    assert {name: reader.usage(tree) for name, tree in trees.items()} == wanted
    assert {name: count_tree(reader, tree) for name, tree in trees.items()} == wanted
    catalog.close()


def test_the_model_lists_as_aws_does() -> None:
    """The oracle of the listings on cases written down by hand."""
    keys = ["a", "a/1", "a/2", "b", "b/x", "\U00010000", "\uffff"]
    flat = [(key, False) for key in ["a", "a/1", "a/2", "b", "b/x", "\uffff", "\U00010000"]]
    assert entries(keys, "", "", "") == flat
    common = [("a", False), ("a/", True), ("b", False), ("b/", True)]
    assert entries(keys, "", "/", "")[:4] == common
    assert entries(keys, "a/", "/", "") == [("a/1", False), ("a/2", False)]
    assert entries(keys, "", "/", "a/")[0] == ("b", False)
    assert entries(keys, "", "/", "a/1")[0] == ("a/", True)
    assert entries(keys, "", "/", "a/2")[0] == ("b", False)
    assert entries(["a//", "a/"], "", "//", "") == [("a/", False), ("a//", True)]

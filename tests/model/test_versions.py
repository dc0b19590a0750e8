"""Versions and locks on the live server against the model, then restarted, killed and rebuilt.

NEVE_MODEL_EXAMPLES sets the number of examples, as in `test_model`.
"""

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.model.versions import VersionsMachine, check_world
from tests.model.wire import Wire

from neve.engine.rebuild import rebuild
from neve.engine.scrub import count_tree, count_versions
from neve.engine.store import open_catalog
from neve.testing.live import LiveServer

EXAMPLES = 20
STEPS = 40


@pytest.fixture
def server(fresh_server: LiveServer) -> Iterator[LiveServer]:
    """The machine's server; nothing of an earlier test is left in the machine."""
    VersionsMachine.server = fresh_server
    VersionsMachine.worlds.clear()
    VersionsMachine.lines.clear()
    yield fresh_server
    for wire in VersionsMachine.lines:
        wire.close()


@pytest.mark.timeout(300)
def test_versions_are_lists(server: LiveServer) -> None:
    asked = os.environ.get("NEVE_MODEL_EXAMPLES")
    examples = int(asked or EXAMPLES)
    run_state_machine_as_test(
        VersionsMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=STEPS,
            derandomize=not asked,
            phases=[Phase.generate, *([Phase.shrink] if asked else [])],
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    worlds = VersionsMachine.worlds
    versions = [v for w in worlds for b in w.values() for vs in b.keys.values() for v in vs]
    assert len(versions) > 5 * examples
    assert any(version.mode == "COMPLIANCE" for version in versions)
    server.kill()
    server.start()
    look_again(server)
    server.stop()
    check_counters(server)
    for path in server.folder.glob("catalog.db*"):
        path.unlink()
    assert rebuild(str(server.folder)).damaged == []
    server.start()
    look_again(server)
    server.stop()
    check_counters(server)


def look_again(server: LiveServer) -> None:
    with Wire(server) as wire:
        for world in VersionsMachine.worlds:
            check_world(wire.ask, world)


def check_counters(server: LiveServer) -> None:
    """The counters of the catalog are those of its rows, and of the model."""
    catalog = open_catalog(str(server.folder))
    reader = catalog.reader()
    trees = {row.name: row.tree for row in reader.buckets()}
    for world in VersionsMachine.worlds:
        for name, bucket in world.items():
            every = [v for versions in bucket.keys.values() for v in versions]
            size = sum(len(version.data or b"") for version in every)
            current = sum(bucket.current(key) is not None for key in bucket.keys)
            markers = sum(version.data is None for version in every)
            tree = trees[name]
            assert reader.usage(tree) == count_tree(reader, tree) == (current, size)
            counted = (len(every) - current - markers, markers)
            assert reader.version_usage(tree) == count_versions(reader, tree) == counted
    catalog.close()

"""Icechunk repositories: transactions that rest on the store's conditional writes."""

import threading

import icechunk
import numpy as np
import pytest
import zarr

from neve.testing.server import LiveServer

WRITERS = 2
ROUNDS = 5


def storage(server: LiveServer, bucket: str, prefix: str) -> icechunk.Storage:
    return icechunk.s3_storage(
        bucket=bucket,
        prefix=prefix,
        region="us-east-1",
        endpoint_url=server.endpoint,
        access_key_id=server.access_key,
        secret_access_key=server.secret_key,
        allow_http=True,
        force_path_style=True,
    )


@pytest.mark.parametrize("prefix", ["repo", ""])
def test_write_commit_and_read_back(live_server: LiveServer, bucket: str, prefix: str) -> None:
    repository = icechunk.Repository.create(storage(live_server, bucket, prefix))
    session = repository.writable_session("main")
    data = np.arange(10_000, dtype="f8").reshape(100, 100)
    zarr.create_array(session.store, name="t", data=data, chunks=(10, 10))
    snapshot = session.commit("first")
    again = icechunk.Repository.open(storage(live_server, bucket, prefix))
    there = zarr.open_group(again.readonly_session("main").store, mode="r")
    np.testing.assert_array_equal(there["t"][:], data)
    assert next(iter(again.ancestry(branch="main"))).id == snapshot


def test_of_two_writers_racing_exactly_one_wins(live_server: LiveServer, bucket: str) -> None:
    repository = icechunk.Repository.create(storage(live_server, bucket, "race"))
    session = repository.writable_session("main")
    zarr.create_array(session.store, name="t", shape=(WRITERS,), chunks=(1,), dtype="i8")
    session.commit("empty")
    for number in range(1, ROUNDS + 1):
        outcomes = race(live_server, bucket, number)
        assert sorted(outcomes) == ["conflict", "won"]
        there = icechunk.Repository.open(storage(live_server, bucket, "race"))
        values = zarr.open_group(there.readonly_session("main").store, mode="r")["t"][:]
        assert values[outcomes.index("won")] == number
        assert values[outcomes.index("conflict")] != number
        assert len(list(there.ancestry(branch="main"))) == number + 2


def race(server: LiveServer, bucket: str, number: int) -> list[str]:
    """Let both writers begin at the same snapshot, then commit at the same time."""
    ready = threading.Barrier(WRITERS)
    outcomes = [""] * WRITERS

    def write(index: int) -> None:
        repository = icechunk.Repository.open(storage(server, bucket, "race"))
        session = repository.writable_session("main")
        zarr.open_group(session.store)["t"][index] = number
        ready.wait(60)
        try:
            session.commit(f"writer {index}")
        except icechunk.ConflictError:
            outcomes[index] = "conflict"
        else:
            outcomes[index] = "won"

    threads = [threading.Thread(target=write, args=(index,)) for index in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(100)
    return outcomes


def test_history_survives_a_killed_server(fresh_server: LiveServer) -> None:
    fresh_server.client().create_bucket(Bucket="ice")
    repository = icechunk.Repository.create(storage(fresh_server, "ice", "repo"))
    session = repository.writable_session("main")
    zarr.create_array(session.store, name="t", data=np.arange(1000), chunks=(10,))
    snapshot = session.commit("kept")
    fresh_server.kill()
    fresh_server.start()
    again = icechunk.Repository.open(storage(fresh_server, "ice", "repo"))
    there = zarr.open_group(again.readonly_session("main").store, mode="r")
    np.testing.assert_array_equal(there["t"][:], np.arange(1000))
    assert next(iter(again.ancestry(branch="main"))).id == snapshot

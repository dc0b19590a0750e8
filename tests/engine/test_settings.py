"""Settings that are told: they come back with a rebuild, outlive compaction, and take turns."""

from pathlib import Path

import pytest

from neve.engine.engine import Engine
from neve.engine.rebuild import rebuild
from neve.engine.store import prepare
from neve.errors import ConditionalConflict, StoreFull
from neve.iam.directory import Directory
from neve.iam.identities import AccessKey
from neve.iam.keyring import new_keyring
from neve.testing.engine import Store, local_store, memory_store, on_folder, run

KEYRING = new_keyring()


def directory_of(engine: Engine) -> Directory:
    return Directory(engine, KEYRING, {"rootkey": "rootsecret"})


async def fill(store: Store) -> None:
    directory = directory_of(store.engine)
    for name in ("alice", "bob1", "carol"):
        await directory.put_user(name, secret=f"first-{name}")
        await directory.put_key(AccessKey(f"{name}-key", "key-secret", name))
    await directory.put_user("alice", secret="second-alice")
    await directory.put_group("lab", add=["alice", "bob1"])
    await directory.attach(["reader:data/"], group="lab")
    await directory.put_user("bob1", enabled=False)
    await directory.delete_user("carol")


async def check(store: Store) -> None:
    directory = directory_of(store.engine)
    assert [user.name for user in directory.users()] == ["alice", "bob1"]
    assert directory.secret_of("alice") == "second-alice"
    assert directory.secret_of("bob1") is None
    assert [key.id for key in directory.all_keys()] == ["alice-key", "bob1-key"]
    assert directory.secret_of("alice-key") == "key-secret"
    assert directory.policies_of("alice") == ["reader:data/"]


def test_a_rebuild_brings_all_identities_back_as_they_were_last(tmp_path: Path) -> None:
    on_folder(tmp_path, fill)
    (tmp_path / "catalog.db").unlink()
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"catalog.db{suffix}").unlink(missing_ok=True)
    rebuild(str(tmp_path))

    async def look(store: Store) -> None:
        await check(store)
        # What is changed after the rebuild is newer than all that was before it.
        await directory_of(store.engine).put_user("alice", secret="third-alice")

    on_folder(tmp_path, look)
    (tmp_path / "catalog.db").unlink()
    rebuild(str(tmp_path))

    async def look_again(store: Store) -> None:
        assert directory_of(store.engine).secret_of("alice") == "third-alice"
        assert directory_of(store.engine).secret_of("carol") is None

    on_folder(tmp_path, look_again)


def test_compaction_keeps_what_a_rebuild_needs_and_drops_older_values(tmp_path: Path) -> None:
    on_folder(tmp_path, fill)
    before = sum(path.stat().st_size for path in (tmp_path / "segments").rglob("*.seg"))
    prepare(str(tmp_path))  # seals the segments of the run before

    async def compact(store: Store) -> None:
        assert store.reclaimer.compact() >= 1
        store.reclaimer.collect()

    run(local_store(tmp_path), compact)
    after = sum(path.stat().st_size for path in (tmp_path / "segments").rglob("*.seg"))
    assert after < before
    (tmp_path / "catalog.db").unlink()
    rebuild(str(tmp_path))
    on_folder(tmp_path, check)


def test_a_change_that_saw_an_older_state_is_refused_whole() -> None:
    async def scenario(store: Store) -> None:
        engine = store.engine
        seen = engine.settings_seq()
        generation = engine.settings_generation()
        await engine.change_settings({"iam/a": b"1", "iam/b": b"1"}, seen)
        assert engine.settings_generation() != generation
        with pytest.raises(ConditionalConflict):
            await engine.change_settings({"iam/a": b"2", "iam/c": b"2"}, seen)
        assert engine.settings("iam/") == [("iam/a", b"1"), ("iam/b", b"1")]
        await engine.change_settings({"iam/a": None}, engine.settings_seq())
        assert engine.setting("iam/a") is None

    run(memory_store(), scenario)


def test_the_order_of_changes_does_not_hang_on_the_clock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def put(store: Store) -> None:
        engine = store.engine
        await engine.change_settings({"iam/a": b"first"}, engine.settings_seq())
        monkeypatch.setattr("neve.engine.settings.now_us", lambda: 1)
        await engine.change_settings({"iam/a": b"second"}, engine.settings_seq())

    on_folder(tmp_path, put)
    (tmp_path / "catalog.db").unlink()
    rebuild(str(tmp_path))

    async def look(store: Store) -> None:
        assert store.engine.setting("iam/a") == b"second"

    on_folder(tmp_path, look)


def test_somebody_can_be_locked_out_when_the_disk_is_full(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        directory = directory_of(store.engine)
        bucket = await store.engine.create_bucket("data", "owner", "us-east-1")
        await directory.put_user("alice", secret="alicesecret")
        room = store.engine.room
        room.reserve = 1 << 60
        room.look()
        with pytest.raises(StoreFull):
            await store.put(bucket, "k", b"x")
        await directory.put_user("alice", enabled=False)
        assert directory.secret_of("alice") is None
        await directory.delete_user("alice")
        assert directory.users() == []

    on_folder(tmp_path, scenario)

"""An upload that goes away while its completion looks at it: the moment is chosen here."""

from typing import Any

import pytest

from neve.engine import uploads as uploads_module
from neve.errors import NoSuchUpload
from neve.testing.engine import Store, memory_store, pattern, run


def between_upload_and_parts(monkeypatch: pytest.MonkeyPatch, act: Any) -> None:
    """Call `act` once, after a completion has read the upload and before it reads its parts."""
    read, acts = uploads_module.all_parts, [act]

    def intervene(*arguments: Any) -> Any:
        if acts:
            acts.pop()()
        return read(*arguments)

    monkeypatch.setattr(uploads_module, "all_parts", intervene)


def test_a_completion_overtaken_by_an_abort_finds_no_upload(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario(store: Store) -> None:
        engine = store.engine
        bucket = await engine.create_bucket("bucket", "me", "r")
        upload = await engine.create_upload(bucket, "k", "me", b"", None)
        part = await store.put_part(bucket, "k", upload, 1, b"data")
        between_upload_and_parts(
            monkeypatch, lambda: engine.catalog.transact([lambda txn: txn.delete_upload(upload)])
        )
        with pytest.raises(NoSuchUpload):
            await engine.complete_upload(bucket, "k", upload, [part])

    run(memory_store(), scenario)


def test_a_completion_overtaken_by_its_twin_answers_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client asked twice, as after a lost answer; the other worker was quicker."""

    async def scenario(store: Store) -> None:
        engine = store.engine
        bucket = await engine.create_bucket("bucket", "me", "r")
        upload = await engine.create_upload(bucket, "k", "me", b"", None)
        part = await store.put_part(bucket, "k", upload, 1, pattern(1000))
        stale = engine.upload(bucket, "k", upload)
        done = await engine.complete_upload(bucket, "k", upload, [part])
        # What the twin read before: the upload, still there.
        found = [stale]
        fresh = engine.upload
        monkeypatch.setattr(engine, "upload", lambda *a: found.pop() if found else fresh(*a))
        again = await engine.complete_upload(bucket, "k", upload, [part])
        assert again == done

    run(memory_store(), scenario)

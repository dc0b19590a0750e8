"""Identities of a store that is not being served, for tests that start with users."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from neve.engine.sealing import prepare_key
from neve.engine.store import open_engine, prepare
from neve.folder import open_folder
from neve.iam.directory import Directory
from neve.iam.keyring import store_keyring
from neve.testing.engine import LocalShared
from neve.testing.live import ACCESS_KEY, SECRET_KEY

Change = Callable[[Directory], Coroutine[Any, Any, Any]]


def edit_directory(folder: Path | str, change: Change) -> Any:
    """Run `change` on the directory of the store in `folder`, made if it is not there."""
    path = str(folder)
    opened = open_folder(path)
    try:
        prepare(path)
        prepare_key(path)
        return asyncio.run(_edit(path, change))
    finally:
        opened.close()


async def _edit(path: str, change: Change) -> Any:
    engine = open_engine(path, LocalShared())
    engine.start()
    try:
        directory = Directory(engine, store_keyring(path), {ACCESS_KEY: SECRET_KEY})
        return await change(directory)
    finally:
        await engine.close()

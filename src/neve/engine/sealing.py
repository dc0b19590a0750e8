"""The store's key at rest: made at the first start, checked at every start, changed by command.

Changing it is three steps, each durable before the next, so that a crash after any of them leaves
every secret readable, and running it again ends it: the new key is added to the file, what is
sealed is sealed again, some hundreds in a transaction, and the old key leaves the file.
"""

import asyncio
import os
from typing import NamedTuple

from neve.catalog.catalog import Reader
from neve.engine.core import Shared
from neve.engine.store import open_catalog, open_engine, prepare
from neve.errors import StoreRefused
from neve.iam.identities import PREFIX, is_sealed, resealed
from neve.iam.keyring import KEY_FILE, load_keyring, new_keyring

SETTINGS_PER_CHANGE = 500


class Rotated(NamedTuple):
    """What a change of the key did."""

    file: str
    secrets: int
    """How many secrets were sealed again."""
    resumed: bool
    """An earlier change had not come to its end."""


def prepare_key(folder: str, file: str = "") -> None:
    """Make the store's key if it has none; nobody may be serving the store.

    Raises: StoreRefused when secrets are sealed and the key is not there.
    """
    file = file or os.path.join(folder, KEY_FILE)
    if load_keyring(file) is not None:
        return
    catalog = open_catalog(folder, readonly=True)
    try:
        sealed = _sealed(catalog.reader())
    finally:
        catalog.close()
    if sealed:
        raise StoreRefused(
            f"The store's key {file} is missing, and {sealed} secrets are sealed under it:"
            " restore the file, or say with --key-file where it is."
        )
    new_keyring().save(file)


def rotate_key(folder: str, shared: Shared, file: str = "") -> Rotated:
    """Seal every secret under a new key; nobody may be serving the store.

    Raises: StoreRefused; SecretUnreadable when a secret is sealed under a key that is lost.
    """
    file = file or os.path.join(folder, KEY_FILE)
    prepare(folder)
    prepare_key(folder, file)
    keyring = load_keyring(file)
    assert keyring is not None
    resumed = not keyring.is_settled
    if not resumed:
        keyring = keyring.with_new_key()
        keyring.save(file)

    async def seal_again() -> int:
        engine = open_engine(folder, shared)
        engine.start()
        try:
            changes = {
                place: again
                for place, stored in engine.settings(PREFIX)
                if (again := resealed(place, stored, keyring)) is not None
            }
            names = list(changes)
            for start in range(0, len(names), SETTINGS_PER_CHANGE):
                part = {name: changes[name] for name in names[start : start + SETTINGS_PER_CHANGE]}
                await engine.change_settings(part, engine.settings_seq())
            return len(changes)
        finally:
            await engine.close()

    count = asyncio.run(seal_again())
    keyring.settled().save(file)
    return Rotated(file, count, resumed)


def _sealed(reader: Reader) -> int:
    return sum(is_sealed(stored) for _, stored in reader.settings(PREFIX))

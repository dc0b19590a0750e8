"""Items of the directory where they are stored: read one by one, all of a kind, or to be changed.

An item that cannot be read is as good as not there; a secret that cannot be opened is empty, and
nobody can sign with it.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol, TypeVar

import msgspec

from neve.clock import now_us
from neve.iam.identities import AccessKey, Group, Item, NamedPolicy, User, pack, place_of, unpack
from neve.iam.keyring import Keyring, SecretUnreadable

log = logging.getLogger("neve.iam")

T = TypeVar("T", User, Group, NamedPolicy, AccessKey)


class Settings(Protocol):
    """What the directory needs of the engine."""

    settings_generation: Callable[[], int]

    def setting(self, name: str) -> bytes | None: ...
    def settings(self, prefix: str) -> list[tuple[str, bytes]]: ...
    def settings_seq(self) -> int: ...
    async def change_settings(self, changes: Mapping[str, bytes | None], seen: int) -> None: ...


class Shelf:
    """Items as they are stored: reading them one by one or all of a kind."""

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        self._settings = settings
        self.keyring = keyring

    def get(self, kind: type[T], name: str) -> T | None:
        """Return the item; None when there is none, or none that this release can read."""
        place = place_of(kind, name)
        stored = self._settings.setting(place)
        return None if stored is None else self._read(kind, place, stored)

    def all(self, kind: type[T]) -> dict[str, T]:
        """Return all items of a kind by name, in name order."""
        prefix = place_of(kind)
        found = {}
        for place, stored in self._settings.settings(prefix):
            item = self._read(kind, place, stored)
            if item is not None:
                found[place.removeprefix(prefix)] = item
        return found

    def names(self, kind: type[Item]) -> list[str]:
        """Return the names of all items of a kind, those that cannot be read too."""
        prefix = place_of(kind)
        return [place.removeprefix(prefix) for place, _ in self._settings.settings(prefix)]

    def _read(self, kind: type[T], place: str, stored: bytes) -> T | None:
        try:
            item, sealed = unpack(kind, stored)
        except msgspec.DecodeError as error:
            log.error("%s cannot be read and grants nothing: %s", place, error)
            return None
        if sealed is None or isinstance(item, Group | NamedPolicy):
            return item
        try:
            secret = self.keyring.open(place, sealed)
        except SecretUnreadable as error:
            log.error("%s", error)
            return item
        return replace(item, secret=secret)


class Changes(Shelf):
    """A change being made: reads what is stored and what it has put itself."""

    def __init__(self, settings: Settings, keyring: Keyring) -> None:
        super().__init__(settings, keyring)
        # Before anything else is read: whatever changes from now on is noticed at the end.
        self.seen = settings.settings_seq()
        self.now = now_us()
        self.values: dict[str, bytes | None] = {}

    def put(self, item: Item) -> None:
        """Store the item."""
        name = item.id if isinstance(item, AccessKey) else item.name
        self.values[place_of(type(item), name)] = pack(item, self.keyring)

    def remove(self, kind: type[Item], name: str) -> None:
        """Remove the item."""
        self.values[place_of(kind, name)] = None

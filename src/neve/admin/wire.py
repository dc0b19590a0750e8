"""Seals and unseals the bodies of admin calls (`neve.sealed_bodies`) without holding up a worker.

A derivation takes 64 MiB and tens of milliseconds: `Sealer` runs it in one thread of its own, so
that one at a time is all a process ever does.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from neve.sealed_bodies import seal, unseal

WAITING_MAX = 64
"""Derivations that may wait in one process; each takes some 80 ms."""


class TooBusy(Exception):
    """Too many derivations wait already."""


class Sealer:
    """Seals and unseals off the event loop, one message at a time. One object per process."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="seal")
        self._waiting = 0

    async def seal(self, secret: str, data: bytes) -> bytes:
        """Return `data` sealed for the holder of `secret`. Raises: TooBusy."""
        return await self._run(partial(seal, secret, data))

    async def unseal(self, secret: str, message: bytes) -> bytes:
        """Return the plain text of a sealed message. Raises: NotSealed, TooBusy."""
        return await self._run(partial(unseal, secret, message))

    async def _run(self, work: partial[bytes]) -> bytes:
        if self._waiting >= WAITING_MAX:
            raise TooBusy
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let the message in hand end."""
        self._pool.shutdown()

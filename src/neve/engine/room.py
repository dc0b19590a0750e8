"""Whether the disk has room: looked at so often that writing never uses up the reserve.

The reserve is what deleting, reclaiming and starting need. Every process looks for itself, once a
second and whenever it has written a small share of what was free when it looked last, so that many
processes together stop in time. For any thread: two that look at once both see the truth.
"""

from collections.abc import Callable

from neve.errors import StoreFull

SHARE = 32
"""A process looks again after writing this part of the free space: so many may write at once."""


class Room:
    """The free space over the reserve, as far as this process knows."""

    __slots__ = ("_free_bytes", "_left", "full", "reserve")

    def __init__(self, free_bytes: Callable[[], int], reserve: int) -> None:
        self.reserve = reserve
        self.full = False
        """Set while less than the reserve is free: writes are refused."""
        self._free_bytes = free_bytes
        self._left = 0
        """What may be written before the next look."""

    def look(self) -> None:
        """Ask the system. Raises: OSError."""
        free = self._free_bytes() - self.reserve
        self.full = free < 0
        self._left = free // SHARE

    def check(self) -> None:
        """Raises: StoreFull."""
        if self.full:
            raise StoreFull("the disk has less free space than the store keeps in reserve")

    def spend(self, size: int) -> None:
        """Note that so many bytes were written."""
        self._left -= size
        if self._left < 0:
            self.look()

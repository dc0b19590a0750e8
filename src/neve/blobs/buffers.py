"""Page-aligned memory that is used again: what O_DIRECT needs and what first touches cost.

A fresh page costs more than the copy into it (a page fault each, dear on virtual machines), so
buffers come back to a free list. The pool never waits: memory is bounded by how many writers the
caller lets run, the free list by `keep`.
"""

import ctypes
import mmap
from collections import deque

BLOCK = 4096
"""Alignment of address, offset and length that every O_DIRECT device accepts."""

BUFFER_BYTES = 1 << 20


class AlignedBuffers:
    """A free list of writable, page-aligned buffers of one size. For any thread."""

    def __init__(self, keep: int, size: int = BUFFER_BYTES) -> None:
        assert size % BLOCK == 0
        self.size = size
        self._free: deque[memoryview] = deque(maxlen=keep)

    def acquire(self) -> memoryview:
        """A buffer of `size` bytes with unspecified contents."""
        try:
            # Last in, first out: the pages most likely still in the processor's cache.
            return self._free.pop()
        except IndexError:
            return memoryview(mmap.mmap(-1, self.size))

    def release(self, buffer: memoryview) -> None:
        """Give back what `acquire` returned, whole; no slice of it may be in use."""
        assert len(buffer) == self.size
        # A full deque drops its oldest buffer, whose pages go back to the system.
        self._free.append(buffer)


def is_aligned(data: memoryview) -> bool:
    """Whether the first byte lies on a block boundary (only known of writable memory)."""
    if data.readonly or not data.contiguous or not data:
        return False
    return ctypes.addressof(ctypes.c_char.from_buffer(data)) % BLOCK == 0


BUFFERS = AlignedBuffers(keep=16)
"""The pool of the process."""

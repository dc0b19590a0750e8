"""The door to time and to random names, so that tests can put their own in its place."""

import secrets
import time


def now_us() -> int:
    """Microseconds since 1970 (UTC)."""
    return time.time_ns() // 1000


def new_id() -> str:
    """A name nobody can guess: 32 hex digits."""
    return secrets.token_hex(16)

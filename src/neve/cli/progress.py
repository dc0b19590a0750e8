"""A line on a terminal that says how far a long verb is; silent when stderr is no terminal."""

import sys
import time
from types import TracebackType
from typing import Self

PERIOD_S = 0.2


class Progress:
    """Call it with (done, total); `total` 0 when that is not known."""

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._shown = 0.0
        self._terminal = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __call__(self, done: int, total: int) -> None:
        """Show the new state, not more often than a reader can follow."""
        now = time.monotonic()
        if not self._terminal or now - self._shown < PERIOD_S:
            return
        self._shown = now
        share = f" ({done * 100 // total} %)" if total else ""
        sys.stderr.write(f"\r\x1b[K{self._verb} {done:,}{share}")
        sys.stderr.flush()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Take the line off the terminal; the next state shows it again."""
        if self._shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

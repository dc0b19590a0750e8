"""How far a transfer is, drawn on a terminal: in total, and for the files under way.

Nothing is shown in the first second, nor when stderr is no terminal, nor with --quiet or --json.
Safe to call from several threads. Use it as a context manager: what is drawn goes away at its end.
"""

import shutil
import sys
import threading
import time
from collections import deque
from types import TracebackType
from typing import IO, Self

from neve.cli.output import Output, printable
from neve.cli.units import format_duration, format_size

SILENT_S = 1.0
PERIOD_S = 0.2
WINDOW_S = 5.0
FILES_SHOWN = 4


class File:
    """One file under way."""

    __slots__ = ("done", "name", "size")

    def __init__(self, name: str, size: int) -> None:
        self.name = name
        self.size = size
        self.done = 0

    def line(self) -> str:
        """Share and name."""
        share = f"{self.done * 100 // self.size:3d} %" if self.size else "     "
        return f"  {share}  {self.name}"


class Transfers:
    """The progress of many files. Totals may grow while what is to be done is being listed."""

    def __init__(self, output: Output, stream: IO[str] | None = None) -> None:
        self._output = output
        self._stream = stream or sys.stderr
        self._shown = self._stream.isatty() and not (output.quiet or output.as_json)
        self._lock = threading.Lock()
        self._files: dict[int, File] = {}
        self._lines = 0
        self.objects = self.objects_total = 0
        self.bytes = self.bytes_total = 0
        self.counted = False
        """Whether the totals are final, so that the time left can be told."""
        self._start = self._drawn = time.monotonic()
        self._samples: deque[tuple[float, int]] = deque([(self._start, 0)])

    def expect(self, objects: int, size: int, *, counted: bool = False) -> None:
        """Add to the totals; `counted` says that nothing more will come."""
        with self._lock:
            self.objects_total += objects
            self.bytes_total += size
            self.counted = self.counted or counted

    def begin(self, name: str, size: int) -> File:
        """A file is being transferred."""
        file = File(printable(name), size)
        with self._lock:
            self._files[id(file)] = file
        return file

    def advance(self, file: File, size: int) -> None:
        """So many more bytes of it are through; negative when they are sent again."""
        with self._lock:
            file.done += size
            self.bytes += size
            self._draw()

    def end(self, file: File, *, done: bool = True) -> None:
        """The file is through, or has failed."""
        with self._lock:
            self._files.pop(id(file), None)
            self.objects += done
            self._draw()

    def rate(self) -> float:
        """Bytes per second in the last few seconds."""
        now = time.monotonic()
        self._samples.append((now, self.bytes))
        while len(self._samples) > 2 and self._samples[0][0] < now - WINDOW_S:
            self._samples.popleft()
        then, before = self._samples[0]
        return (self.bytes - before) / max(now - then, 1e-9)

    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._start

    def summary(self) -> str:
        """The line of the totals."""
        parts = []
        if self.bytes_total:
            parts.append(f"{min(100, self.bytes * 100 // self.bytes_total):3d} %")
        known = self.bytes_total > self.bytes
        parts.append(
            format_size(self.bytes) + (f" of {format_size(self.bytes_total)}" if known else "")
        )
        more = self.objects_total > self.objects
        total = f" of {self.objects_total:,}" if more else ""
        parts.append(f"{self.objects:,}{total} objects")
        rate = self.rate()
        parts.append(f"{format_size(rate)}/s")
        if self.counted and rate > 0 and known:
            parts.append(f"{format_duration((self.bytes_total - self.bytes) / rate)} left")
        elif not self.counted:
            parts.append("still counting")
        return "  ".join(parts)

    def clear(self) -> None:
        """Take what is drawn off the terminal."""
        if self._lines:
            up = f"\x1b[{self._lines - 1}A" if self._lines > 1 else ""
            self._stream.write(f"\r{up}\x1b[J")
            self._stream.flush()
            self._lines = 0

    def _draw(self) -> None:
        now = time.monotonic()
        if not self._shown or now - self._drawn < PERIOD_S or now - self._start < SILENT_S:
            return
        self._drawn = now
        width = shutil.get_terminal_size().columns - 1
        files = list(self._files.values())[:FILES_SHOWN]
        lines = [self.summary(), *(file.line() for file in files)]
        self.clear()
        self._stream.write("\n".join(line[:width] for line in lines))
        self._stream.flush()
        self._lines = len(lines)

    def __enter__(self) -> Self:
        self._output.screen = self
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._lock:
            self.clear()
            self._shown = False
        self._output.screen = None

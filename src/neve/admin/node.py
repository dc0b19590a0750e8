"""What the admin calls ask of the server that they run in, as an interface."""

from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any, Protocol

from neve.config import Config


class Node(Protocol):
    """The server, seen from one of its workers (`neve.server.node`)."""

    config: Config

    def uptime_s(self) -> float:
        """Seconds since the server was started."""

    def processes(self) -> int:
        """How many workers run."""

    def restart(self) -> None:
        """Begin to end in order and start again with the program and settings as they are then."""

    def stop(self) -> None:
        """Begin to end in order."""

    def trace(self, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        """Give the requests of all workers from now on, those that the query asks for.

        Raises: ValueError (the query cannot be understood).
        """

    def logs(self, query: Mapping[str, str], deployment: str) -> AsyncIterator[bytes]:
        """Give the last log lines of all processes and those to come, as the query asks."""

    def last_logs(self, limit: int, wanted: Mapping[str, str]) -> list[dict[str, Any]]:
        """Give the last log lines of all processes, those that `wanted` asks for. For a thread."""

    def spans(self) -> Collection[str]:
        """How far back `history` may be asked to look."""

    def history(self, span: str, points_max: int) -> dict[str, Any]:
        """What the server did over one of `spans`, in at most so many points. For a thread."""

    def upkeep(self) -> dict[str, Any]:
        """How processes and jobs are, and what was answered since the start. For a thread."""

    def freeze(self, frozen: bool) -> None:
        """Refuse S3 requests of all workers, or (False) answer them again."""

"""What has become of an import: counts, and every single thing that could not come along."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Report:
    """Filled while the import runs; `on_missing` is told of each loss as it is found."""

    on_missing: Callable[[str, str], None]
    """Called with (what, why)."""
    on_progress: Callable[[int, int], None] = lambda _done, _total: None
    """Called with (bytes copied and compared so far, 0)."""
    buckets: int = 0
    objects: int = 0
    """Versions with bytes that were brought along."""
    markers: int = 0
    bytes: int = 0
    skipped: int = 0
    """Versions and delete markers that were there already, and equal."""
    users: int = 0
    groups: int = 0
    policies: int = 0
    keys: int = 0
    uploads: int = 0
    """Uploads that were never finished: left where they are."""
    missing: int = 0
    seen: set[str] = field(default_factory=set)

    def miss(self, what: str, why: str) -> None:
        """Note something that could not come along, once."""
        sentence = f"{what}\n{why}"
        if sentence not in self.seen:
            self.seen.add(sentence)
            self.missing += 1
            self.on_missing(what, why)

"""What transfers answer."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.units import format_duration, format_size


@dataclass(frozen=True)
class Copied(Result):
    """An object was copied, and what arrived is what was sent."""

    kind: ClassVar[str] = "copied"
    quiet: ClassVar[bool] = True

    source: Annotated[str, "what was copied"]
    target: Annotated[str, "where it is now"]
    size: Annotated[int, "bytes"]
    version_id: Annotated[str, "version that was made, '' when the target keeps none"] = ""
    etag: Annotated[str, "ETag at the target, '' for local files"] = ""
    verified: Annotated[str, "by what it was checked: a checksum's name, MD5, or size"] = ""

    def text(self, style: Style) -> str:
        """From and to."""
        return f"{self.source} {style.dim('->')} {self.target}"


@dataclass(frozen=True)
class Planned(Result):
    """With --dry-run: what would be done."""

    kind: ClassVar[str] = "planned"

    action: Annotated[str, "copy, move or remove"]
    source: Annotated[str, "of what; '' when something is removed"]
    target: Annotated[str, "where to, or what is removed"]
    size: Annotated[int, "bytes"]

    def text(self, style: Style) -> str:
        """The sentence in short."""
        if self.action == "remove":
            return f"would remove {self.target}"
        return f"would {self.action} {self.source} {style.dim('->')} {self.target}"


@dataclass(frozen=True)
class LeftOut(Result):
    """Something cannot be copied, and that is no failure: a pipe, a device, a broken link."""

    kind: ClassVar[str] = "leftOut"

    source: Annotated[str, "what"]
    reason: Annotated[str, "why, in a few words"]

    def text(self, style: Style) -> str:
        """The warning."""
        return f"left out: {self.source} ({self.reason})"


@dataclass(frozen=True)
class Removed(Result):
    """An object, a version, an upload or a file was removed."""

    kind: ClassVar[str] = "removed"
    quiet: ClassVar[bool] = True

    target: Annotated[str, "what was removed"]
    version_id: Annotated[str, "version that was removed, '' for the object"] = ""
    upload_id: Annotated[str, "upload that was given up, '' for an object"] = ""

    def text(self, style: Style) -> str:
        """The sentence in short."""
        what = self.version_id or self.upload_id
        return f"{style.bad('removed')} {self.target}" + (f" ({what})" if what else "")


@dataclass(frozen=True)
class TransferSummary(Result):
    """All that a verb has done."""

    kind: ClassVar[str] = "transferSummary"
    quiet: ClassVar[bool] = True

    objects: Annotated[int, "objects that were copied"]
    size: Annotated[int, "their bytes"]
    same: Annotated[int, "objects that were at the target already"]
    left_out: Annotated[int, "things that cannot be copied"]
    removed: Annotated[int, "objects that were removed"]
    failures: Annotated[int, "objects that could not be copied or removed"]
    not_tried: Annotated[bool, "whether a failure ended it before its end"]
    seconds: Annotated[float, "how long it took"]
    failed_objects: Annotated[list[str], "what failed, the first hundred"]

    def text(self, style: Style) -> str:
        """One line, and what failed below it."""
        rate = format_size(self.size / max(self.seconds, 1e-3))
        took = format_duration(self.seconds)
        copied = f"{self.objects:,} copied, {format_size(self.size)} in {took} ({rate}/s)"
        others = self.same or self.removed or self.failures
        parts = [copied] if self.objects or not others else []
        parts += [f"{self.same:,} there already"] if self.same else []
        parts += [f"{self.removed:,} removed"] if self.removed else []
        parts += [f"{self.left_out:,} left out"] if self.left_out else []
        parts += [style.bad(f"{self.failures:,} failed")] if self.failures else []
        line = "; ".join(parts)
        if self.not_tried:
            line += "; the rest was not tried"
        if self.failures > 1:
            line += ", namely:" + "".join(f"\n  {name}" for name in self.failed_objects)
            more = self.failures - len(self.failed_objects)
            line += f"\n  and {more:,} more" if more > 0 else ""
        return line


RESULTS = (Copied, Planned, LeftOut, Removed, TransferSummary, Failure)

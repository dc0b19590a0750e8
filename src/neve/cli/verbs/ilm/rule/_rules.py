"""A lifecycle rule as a result."""

from dataclasses import dataclass
from typing import Annotated, ClassVar
from xml.etree.ElementTree import Element

from neve.cli.output import Result, Style
from neve.cli.units import format_size
from neve.client.lifecycle import filter_of, is_true, number, unknown_actions


@dataclass(frozen=True)
class LifecycleRule(Result):
    """A rule of a bucket."""

    kind: ClassVar[str] = "lifecycleRule"

    bucket: Annotated[str, "alias/bucket"]
    id: Annotated[str, "the rule's id"]
    enabled: Annotated[bool, "whether the server follows it"]
    prefix: Annotated[str, "only keys that begin so"]
    tags: Annotated[dict[str, str], "only objects with these tags"]
    size_above: Annotated[int | None, "only objects larger than this"]
    size_below: Annotated[int | None, "only objects smaller than this"]
    expire_days: Annotated[int | None, "objects end so many days after they were written"]
    expire_date: Annotated[str, "objects end from this day on, '' for none"]
    expire_delete_markers: Annotated[bool, "delete markers end when no version is behind them"]
    expire_all_versions: Annotated[bool, "an object ends with all its versions (MinIO, Neve)"]
    noncurrent_days: Annotated[int | None, "old versions end so many days after they became old"]
    noncurrent_newer: Annotated[int | None, "so many of the newest old versions stay"]
    abort_upload_days: Annotated[int | None, "unfinished uploads end after so many days"]
    other: Annotated[list[str], "actions that these verbs do not know"]

    def text(self, style: Style) -> str:
        """The id, what it is about, and what it does."""
        name = style.bold(self.id or "(no id)") + ("" if self.enabled else style.bad(" disabled"))
        return f"{name}  {style.folder(self.bucket)}/{self._about()}: {'; '.join(self._does())}."

    def _about(self) -> str:
        limits = [f"{key}={value}" for key, value in self.tags.items()]
        limits += [f"> {format_size(self.size_above)}"] if self.size_above is not None else []
        limits += [f"< {format_size(self.size_below)}"] if self.size_below is not None else []
        return f"{self.prefix}*" + (f" ({', '.join(limits)})" if limits else "")

    def _does(self) -> list[str]:
        what = "objects with all versions" if self.expire_all_versions else "objects"
        found = []
        if self.expire_days:
            found.append(f"{what} end after {_days(self.expire_days)}")
        if self.expire_date:
            found.append(f"{what} end from {self.expire_date} on")
        if self.noncurrent_days:
            found.append(f"old versions end after {_days(self.noncurrent_days)}")
        if self.noncurrent_newer:
            found.append(f"the newest {self.noncurrent_newer} old versions stay")
        if self.expire_delete_markers:
            found.append("lonely delete markers end")
        if self.abort_upload_days:
            found.append(f"unfinished uploads end after {_days(self.abort_upload_days)}")
        return found + [f"also {name}" for name in self.other]


def shown(bucket: str, rule: Element) -> LifecycleRule:
    """Return a rule as a result."""
    about = filter_of(rule)
    return LifecycleRule(
        bucket,
        rule.findtext("ID", ""),
        rule.findtext("Status") == "Enabled",
        about.prefix,
        about.tags,
        about.size_above,
        about.size_below,
        number(rule, "Expiration/Days"),
        rule.findtext("Expiration/Date", "")[:10],
        is_true(rule, "Expiration/ExpiredObjectDeleteMarker"),
        is_true(rule, "Expiration/ExpiredObjectAllVersions"),
        number(rule, "NoncurrentVersionExpiration/NoncurrentDays"),
        number(rule, "NoncurrentVersionExpiration/NewerNoncurrentVersions"),
        number(rule, "AbortIncompleteMultipartUpload/DaysAfterInitiation"),
        unknown_actions(rule),
    )


def _days(number: int) -> str:
    return "a day" if number == 1 else f"{number:,} days"

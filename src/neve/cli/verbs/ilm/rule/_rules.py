"""Lifecycle rules: S3's document in XML and in the JSON of the AWS CLI, and a rule as a result.

Rules are kept as elements: what these verbs do not know stays as it is when a rule is edited.
"""

import json
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from neve.cli.errors import UsageError
from neve.cli.output import Result, Style
from neve.cli.units import format_size
from neve.client.errors import ClientError
from neve.client.s3 import S3
from neve.client.xml import NAMESPACE

_PLURALS = {
    "Rules": "Rule",
    "Tags": "Tag",
    "Transitions": "Transition",
    "NoncurrentVersionTransitions": "NoncurrentVersionTransition",
}
_SINGULARS = {singular: plural for plural, singular in _PLURALS.items()}
_KNOWN = frozenset(
    ("ID", "Status", "Prefix", "Filter", "Expiration", "NoncurrentVersionExpiration",
     "AbortIncompleteMultipartUpload")
)  # fmt: skip


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


def read(server: S3, bucket: str) -> list[Element]:
    """Return the rules of a bucket."""
    body = server.get_setting(bucket, "lifecycle", "read lifecycle rules")
    return of_xml(body) if body else []


def write(server: S3, bucket: str, rules: list[Element]) -> None:
    """Replace the rules of a bucket; no rule removes them."""
    if rules:
        server.put_setting(bucket, "lifecycle", to_xml(rules), "set lifecycle rules")
    else:
        server.delete_setting(bucket, "lifecycle", "remove lifecycle rules")


def shown(bucket: str, rule: Element) -> LifecycleRule:
    """Return a rule as a result."""
    about = filter_of(rule)
    expiration = rule.find("Expiration")
    return LifecycleRule(
        bucket,
        rule.findtext("ID", ""),
        rule.findtext("Status") == "Enabled",
        about.prefix,
        about.tags,
        about.size_above,
        about.size_below,
        _number(rule, "Expiration/Days"),
        rule.findtext("Expiration/Date", "")[:10],
        expiration is not None and _true(expiration, "ExpiredObjectDeleteMarker"),
        expiration is not None and _true(expiration, "ExpiredObjectAllVersions"),
        _number(rule, "NoncurrentVersionExpiration/NoncurrentDays"),
        _number(rule, "NoncurrentVersionExpiration/NewerNoncurrentVersions"),
        _number(rule, "AbortIncompleteMultipartUpload/DaysAfterInitiation"),
        sorted({child.tag for child in rule} - _KNOWN),
    )


@dataclass
class Filter:
    """Which objects a rule is about."""

    prefix: str
    tags: dict[str, str]
    size_above: int | None = None
    size_below: int | None = None


def filter_of(rule: Element) -> Filter:
    """Return what a rule is about."""
    place = rule.find("Filter")
    if place is not None and place.find("And") is not None:
        place = place.find("And")
    if place is None:
        return Filter(rule.findtext("Prefix", ""), {})
    tags = {tag.findtext("Key", ""): tag.findtext("Value", "") for tag in place.findall("Tag")}
    return Filter(
        place.findtext("Prefix", ""),
        tags,
        _number(place, "ObjectSizeGreaterThan"),
        _number(place, "ObjectSizeLessThan"),
    )


def set_filter(rule: Element, about: Filter) -> None:
    """Write what a rule is about."""
    for tag in ("Filter", "Prefix"):
        for old in rule.findall(tag):
            rule.remove(old)
    place = SubElement(rule, "Filter")
    sizes = {"ObjectSizeGreaterThan": about.size_above, "ObjectSizeLessThan": about.size_below}
    tests = len(about.tags) + bool(about.prefix) + sum(size is not None for size in sizes.values())
    if tests > 1:
        place = SubElement(place, "And")
    if about.prefix or not tests:
        SubElement(place, "Prefix").text = about.prefix
    for key, value in about.tags.items():
        test = SubElement(place, "Tag")
        SubElement(test, "Key").text = key
        SubElement(test, "Value").text = value
    for name, size in sizes.items():
        if size is not None:
            SubElement(place, name).text = str(size)


def set_value(rule: Element, path: str, value: str | None) -> None:
    """Set the text of `Action/Name`; None removes it, and the action when it is empty then."""
    action, _, name = path.partition("/")
    place = rule.find(action)
    if place is None:
        if value is None:
            return
        place = SubElement(rule, action)
    found = place.find(name)
    if found is not None:
        place.remove(found)
    if value is not None:
        SubElement(place, name).text = value
    elif not len(place):
        rule.remove(place)


def of_xml(body: bytes) -> list[Element]:
    """Return the rules of S3's document, without name spaces. Raises: ClientError."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as error:
        raise ClientError(f"these rules are no XML document: {error}.", "BadRules") from error
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
    return root.findall("Rule")


def to_xml(rules: list[Element]) -> bytes:
    """Return S3's document."""
    root = Element("LifecycleConfiguration", {"xmlns": NAMESPACE})
    root.extend(rules)
    return ElementTree.tostring(root)


def to_plain(rules: list[Element]) -> dict[str, Any]:
    """Return the rules as the AWS CLI writes them."""
    return {"Rules": [_plain(rule) for rule in rules]}


def of_plain(text: bytes, file: str) -> list[Element]:
    """Return the rules of a file, JSON or XML. Raises: UsageError, ClientError."""
    if text.lstrip().startswith(b"<"):
        return of_xml(text)
    try:
        document = json.loads(text)
        rules = document["Rules"] if isinstance(document, dict) else document
        return [_element("Rule", rule) for rule in rules]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(
            f"{file} holds no lifecycle rules: write Rules as JSON, or XML."
        ) from error


def _plain(node: Element) -> Any:
    if not len(node):
        return _value(node)
    fields: dict[str, Any] = {}
    for child in node:
        if child.tag in _SINGULARS and not (child.tag == "Tag" and node.tag == "Filter"):
            fields.setdefault(_SINGULARS[child.tag], []).append(_plain(child))
        else:
            fields[child.tag] = _plain(child)
    return fields


def _value(node: Element) -> Any:
    text = node.text or ""
    if node.tag in ("ID", "Key", "Value", "Prefix"):
        return text
    if node.tag == "Filter":
        return {"Prefix": ""}
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdigit() else text


def _element(name: str, value: Any) -> Element:
    node = Element(name)
    if isinstance(value, dict):
        for field, inner in value.items():
            tag = _PLURALS.get(str(field), str(field))
            for each in inner if isinstance(inner, list) else [inner]:
                node.append(_element(tag, each))
    elif isinstance(value, bool):
        node.text = "true" if value else "false"
    else:
        node.text = str(value)
    return node


def _number(node: Element, path: str) -> int | None:
    text = node.findtext(path, "")
    return int(text) if text.isdigit() else None


def _true(node: Element, name: str) -> bool:
    return node.findtext(name, "").lower() == "true"


def _days(number: int) -> str:
    return "a day" if number == 1 else f"{number:,} days"

"""Lifecycle rules of a bucket: S3's document in XML and in the JSON of the AWS CLI.

Rules are kept as elements: what is not known here stays as it is when a rule is edited.
"""

import json
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from neve.client.errors import ClientError, UsageError
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


def unknown_actions(rule: Element) -> list[str]:
    """Return the names of what the rule says that nothing here knows."""
    return sorted({child.tag for child in rule} - _KNOWN)


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
        number(place, "ObjectSizeGreaterThan"),
        number(place, "ObjectSizeLessThan"),
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


def number(node: Element, path: str) -> int | None:
    """Return the number at a path, None when there is none."""
    text = node.findtext(path, "")
    return int(text) if text.isdigit() else None


def is_true(node: Element, path: str) -> bool:
    """Whether the switch at a path is on."""
    return node.findtext(path, "").lower() == "true"

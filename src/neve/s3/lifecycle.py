"""The LifecycleConfiguration document: read with AWS's limits, written back as it was put.

A rule is kept as a map in the names of the document; `neve.engine.lifecycle` reads the maps. Rules
that move objects to another storage class are refused: there is no other, and they must not look as
if they did something.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from neve.clock import new_id
from neve.engine.lifecycle import Expiry, expiry_of, upload_expiry_of
from neve.names import KEY_BYTES_MAX
from neve.s3.errors import S3Error
from neve.s3.metadata import tags_in
from neve.s3.response import Headers, http_date
from neve.s3.tagging import TAG_KEY_MAX, TAG_VALUE_MAX
from neve.s3.xml import Element, escape, parse_xml, stamp

if TYPE_CHECKING:
    from neve.catalog.catalog import ObjectRow
    from neve.engine.bucket import Bucket

RULES_MAX = 1000
ID_LENGTH_MAX = 255
NEWER_VERSIONS_MAX = 100
DOCUMENT_BYTES_MAX = 512 << 10
_NUMBER_MAX = 2**31 - 1
_SIZE_MAX = 2**63 - 1
_LAST_SECOND = 253_402_300_799
"""The end of the year 9999, after which HTTP has no dates."""

Map = dict[str, Any]

_MOVES = ("Transition", "NoncurrentVersionTransition")


def parse_lifecycle(body: bytes) -> list[Map]:
    """Return the rules of a LifecycleConfiguration document.

    Raises: S3Error MalformedXML, InvalidArgument, InvalidRequest, NotImplemented.
    """
    root = parse_xml(body, "LifecycleConfiguration")
    if not root.children or any(child.name != "Rule" for child in root.children):
        raise S3Error("MalformedXML")
    if len(root.children) > RULES_MAX:
        raise S3Error(
            "InvalidRequest",
            f"The number of lifecycle rules must not exceed the allowed limit of {RULES_MAX} rules",
        )
    rules = [_parse_rule(element) for element in root.children]
    if len({rule["ID"] for rule in rules}) < len(rules):
        raise S3Error(
            "InvalidArgument", "Rule ID must be unique. Found same ID for more than one rule"
        )
    for name in _MOVES:
        if any(rule.pop(name, None) for rule in rules):
            raise S3Error(
                "NotImplemented",
                f"{name} rules are not implemented: there is one storage class only.",
            )
    return rules


def _children(element: Element, known: frozenset[str]) -> dict[str, Element]:
    """Return the children, each of them known and there once. Raises: S3Error MalformedXML."""
    found: dict[str, Element] = {}
    for child in element.children:
        if child.name not in known or child.name in found:
            raise S3Error("MalformedXML")
        found[child.name] = child
    return found


def _parse_rule(element: Element) -> Map:
    rule: Map = {}
    for child in element.children:
        name = child.name
        read = _PARTS.get(name)
        if read is None or (name in rule and name not in _MOVES):
            raise S3Error("MalformedXML")
        rule[name] = read(child)
    rule["ID"] = rule.get("ID") or new_id()
    if "Status" not in rule or ("Prefix" in rule) == ("Filter" in rule):
        raise S3Error("MalformedXML")
    _check_actions(rule)
    return rule


def _check_actions(rule: Map) -> None:
    """Refuse a rule that does nothing, or asks of something what it cannot have."""
    if not any(name in rule for name in _ACTIONS):
        raise S3Error("InvalidRequest", "At least one action needs to be specified in a rule.")
    filter_ = rule.get("Filter", {})
    about = filter_.get("And", filter_)
    kind = ""
    if "Tag" in about or "Tags" in about:
        kind = "Tags"
    elif "ObjectSizeGreaterThan" in about or "ObjectSizeLessThan" in about:
        kind = "Object Size"
    if not kind:
        return
    for name in ("AbortIncompleteMultipartUpload", "DelMarkerExpiration"):
        if name in rule:
            raise S3Error("InvalidRequest", f"{name} cannot be specified with {kind}.")
    if "ExpiredObjectDeleteMarker" in rule.get("Expiration", {}):
        raise S3Error(
            "InvalidRequest", f"ExpiredObjectDeleteMarker cannot be specified with {kind}."
        )


def _text(element: Element) -> str:
    if element.children:
        raise S3Error("MalformedXML")
    return element.text


def _id(element: Element) -> str:
    text = _text(element).strip()
    if len(text) > ID_LENGTH_MAX:
        raise S3Error(
            "InvalidArgument", f"ID length should not exceed allowed limit of {ID_LENGTH_MAX}"
        )
    return text


def _status(element: Element) -> str:
    text = _text(element).strip()
    if text not in ("Enabled", "Disabled"):
        raise S3Error("MalformedXML")
    return text


def _prefix(element: Element) -> str:
    text = _text(element)
    if len(text.encode()) > KEY_BYTES_MAX:
        raise S3Error("InvalidRequest", f"The maximum size of a prefix is {KEY_BYTES_MAX}.")
    return text


def _number(element: Element, limit: int = _NUMBER_MAX) -> int:
    text = _text(element).strip()
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 20 or int(digits) > limit:
        raise S3Error("MalformedXML")
    return int(text)


def _positive(element: Element, action: str) -> int:
    number = _number(element)
    if number < 1:
        raise S3Error(
            "InvalidArgument", f"'{element.name}' for {action} action must be a positive integer"
        )
    return number


def _boolean(element: Element) -> bool:
    text = _text(element).strip().lower()
    if text not in ("true", "false"):
        raise S3Error("MalformedXML")
    return text == "true"


def _date(element: Element) -> int:
    """Return the second of a date, which must be a midnight of UTC."""
    try:
        moment = datetime.fromisoformat(_text(element).strip())
        second = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise S3Error("MalformedXML") from error
    if moment.year < 1000:
        raise S3Error("MalformedXML")
    if second % 86_400:
        raise S3Error("InvalidArgument", "'Date' must be at midnight GMT")
    return int(second)


_FILTER = frozenset(("And", "Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"))
_AND = _FILTER - {"And"}
_TAG = frozenset(("Key", "Value"))


def _filter(element: Element) -> Map:
    found = _children(element, _FILTER)
    if len(found) > 1:
        raise S3Error("MalformedXML")
    if "And" in found:
        return {"And": _and(found["And"])}
    return _predicates(found)


def _and(element: Element) -> Map:
    tags = [_tag(child) for child in element.children if child.name == "Tag"]
    rest = Element("And")
    rest.children = [child for child in element.children if child.name != "Tag"]
    about = _predicates(_children(rest, _AND))
    if tags:
        about["Tags"] = tags
    if not about:
        raise S3Error("MalformedXML")
    if len({name for name, _ in tags}) < len(tags):
        raise S3Error("InvalidRequest", "Duplicate Tag Keys are not allowed.")
    above, below = about.get("ObjectSizeGreaterThan"), about.get("ObjectSizeLessThan")
    if above is not None and below is not None and below <= above + 1:
        raise S3Error(
            "InvalidRequest",
            "'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.",
        )
    return about


def _predicates(found: dict[str, Element]) -> Map:
    about: Map = {}
    if "Prefix" in found:
        about["Prefix"] = _prefix(found["Prefix"])
    if "Tag" in found:
        about["Tag"] = _tag(found["Tag"])
    for name in ("ObjectSizeGreaterThan", "ObjectSizeLessThan"):
        if name in found:
            about[name] = size = _number(found[name], _SIZE_MAX)
            if size < 0:
                raise S3Error("InvalidArgument", f"'{name}' must not be negative")
    return about


def _tag(element: Element) -> list[str]:
    found = _children(element, _TAG)
    if len(found) < 2:
        raise S3Error("MalformedXML")
    key, value = _text(found["Key"]), _text(found["Value"])
    if not 1 <= len(key) <= TAG_KEY_MAX:
        raise S3Error("InvalidTag", "The TagKey you have provided is invalid", TagKey=key[:256])
    if len(value) > TAG_VALUE_MAX:
        raise S3Error("InvalidTag", "The TagValue you have provided is invalid", TagKey=key)
    return [key, value]


_EXPIRATION = frozenset(("Days", "Date", "ExpiredObjectDeleteMarker", "ExpiredObjectAllVersions"))


def _expiration(element: Element) -> Map:
    found = _children(element, _EXPIRATION)
    how: Map = {}
    if "Days" in found:
        how["Days"] = _positive(found["Days"], "Expiration")
    if "Date" in found:
        how["Date"] = _date(found["Date"])
    if "ExpiredObjectDeleteMarker" in found:
        how["ExpiredObjectDeleteMarker"] = _boolean(found["ExpiredObjectDeleteMarker"])
    if len(how) != 1:
        raise S3Error("MalformedXML")
    if "ExpiredObjectAllVersions" in found:
        if "Days" not in how:
            raise S3Error("MalformedXML")
        how["ExpiredObjectAllVersions"] = _boolean(found["ExpiredObjectAllVersions"])
    return how


_NONCURRENT = frozenset(("NoncurrentDays", "NewerNoncurrentVersions"))


def _noncurrent(element: Element) -> Map:
    found = _children(element, _NONCURRENT)
    if not found:
        raise S3Error("MalformedXML")
    how = {name: _positive(child, element.name) for name, child in found.items()}
    if how.get("NewerNoncurrentVersions", 0) > NEWER_VERSIONS_MAX:
        raise S3Error(
            "InvalidArgument",
            f"'NewerNoncurrentVersions' for {element.name} action must be"
            f" an integer between 1 and {NEWER_VERSIONS_MAX}",
        )
    return how


_ABORT = frozenset(("DaysAfterInitiation",))
_MARKER = frozenset(("Days",))
_ALL = frozenset(("Days", "DeleteMarker"))


def _abort(element: Element) -> Map:
    return _days(element, _ABORT, "DaysAfterInitiation")


def _marker(element: Element) -> Map:
    return _days(element, _MARKER, "Days")


def _days(element: Element, known: frozenset[str], name: str) -> Map:
    found = _children(element, known)
    if name not in found:
        raise S3Error("MalformedXML")
    return {name: _positive(found[name], element.name)}


def _all(element: Element) -> Map:
    found = _children(element, _ALL)
    how = _days(element, _ALL, "Days")
    if "DeleteMarker" in found:
        how["DeleteMarker"] = _boolean(found["DeleteMarker"])
    return how


def _move(element: Element) -> bool:
    """Check the date of a rule that is refused anyway, so that what is wrong is said first."""
    date = element.find("Date")
    if date is not None:
        _date(date)
    return True


_ACTIONS = {
    "Expiration": _expiration,
    "NoncurrentVersionExpiration": _noncurrent,
    "AbortIncompleteMultipartUpload": _abort,
    "DelMarkerExpiration": _marker,
    "AllVersionsExpiration": _all,
    **dict.fromkeys(_MOVES, _move),
}
_PARTS: dict[str, Any] = {
    "ID": _id,
    "Status": _status,
    "Prefix": _prefix,
    "Filter": _filter,
    **_ACTIONS,
}


def lifecycle_xml(rules: list[Map]) -> str:
    """Return the elements of the rules."""
    return "".join(_xml("Rule", rule) for rule in rules)


def _xml(name: str, value: Any) -> str:
    if name == "Tags":
        return "".join(_xml("Tag", tag) for tag in value)
    if name == "Tag":
        inner = f"<Key>{escape(value[0])}</Key><Value>{escape(value[1])}</Value>"
    elif isinstance(value, dict):
        inner = "".join(_xml(child, value[child]) for child in value)
    elif name == "Date":
        inner = stamp(value)
    elif isinstance(value, bool):
        inner = str(value).lower()
    else:
        inner = escape(str(value))
    return f"<{name}>{inner}</{name}>"


def expiration_headers(bucket: "Bucket", row: "ObjectRow") -> Headers:
    """Return the field that says when a rule of the bucket ends the object; [] without one."""
    rules = bucket.lifecycle.under(row.key) if bucket.lifecycle is not None else None
    expiry = expiry_of(rules, row.size, row.mtime_us, lambda: tags_in(row.meta)) if rules else None
    told = _told(expiry)
    return [(b"x-amz-expiration", b'expiry-date="%b", rule-id="%b"' % told)] if told else []


def abort_headers(bucket: "Bucket", key: str, created_us: int) -> Headers:
    """Return the fields that say when a rule of the bucket gives an upload up; [] without one."""
    rules = bucket.lifecycle.under(key) if bucket.lifecycle is not None else None
    told = _told(upload_expiry_of(rules, created_us)) if rules else None
    return [(b"x-amz-abort-date", told[0]), (b"x-amz-abort-rule-id", told[1])] if told else []


def _told(expiry: Expiry | None) -> tuple[bytes, bytes] | None:
    """Return date and rule as header fields have them."""
    if expiry is None or expiry.at_us // 1_000_000 > _LAST_SECOND:
        return None
    return http_date(expiry.at_us // 1_000_000), quote(expiry.rule.id, safe="").encode()

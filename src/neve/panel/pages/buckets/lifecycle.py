"""What ends by itself in a bucket: lifecycle rules as sentences, a form for one, the document."""

import json
import secrets
from datetime import date
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from starlette.responses import Response

from neve.client import lifecycle
from neve.client.lifecycle import Filter
from neve.panel.formtext import in_form
from neve.panel.pages.buckets._forms import (
    PROBLEMS,
    Wrong,
    lines,
    mark_of,
    number,
    place_in,
    prefix_in,
    raw,
    reason,
    rules_in,
    shown_size,
    size,
)
from neve.panel.pages.buckets._rules import about, does
from neve.panel.pages.buckets._settings import bucket_of, page, path_of
from neve.panel.routing import get, post
from neve.panel.visit import Visit

PATH = "/buckets/{bucket}/lifecycle"
NUMBERS = {
    "days": "Expiration/Days",
    "old_days": "NoncurrentVersionExpiration/NoncurrentDays",
    "old_newer": "NoncurrentVersionExpiration/NewerNoncurrentVersions",
    "upload_days": "AbortIncompleteMultipartUpload/DaysAfterInitiation",
}
SWITCHES = {
    "markers": "Expiration/ExpiredObjectDeleteMarker",
    "all_versions": "Expiration/ExpiredObjectAllVersions",
}
_DATE = "Expiration/Date"
_ACTIONS = ("Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")
_TEXTS = ("id", "prefix", "tags", "above", "below", "date", *NUMBERS)


def show(visit: Visit) -> Response:
    """The rules, and the form: for a new one, or for the one that `edit` says."""
    return _show(visit)


def change(visit: Visit) -> Response:
    """Add, change, stop or take away a rule, or replace all."""
    bucket, server = bucket_of(visit), visit.s3
    try:
        rules = _changed(visit, lifecycle.read(server, bucket))
        lifecycle.write(server, bucket, rules)
    except PROBLEMS as error:
        return _show(visit, *reason(visit, error))
    visit.tell(visit._("The lifecycle rules were set."))
    return visit.go(path_of(bucket, "lifecycle"))


def _changed(visit: Visit, rules: list[Element]) -> list[Element]:
    what = visit.field("what")
    if what == "document":
        problem = visit._("This holds no lifecycle rules: write Rules as JSON, or S3's XML.")
        return rules_in(visit, lifecycle.of_plain, problem)
    rule = _chosen(visit, rules)
    if what == "remove" and rule is not None:
        rules.remove(rule)
    elif what == "toggle" and rule is not None:
        _set_status(rule, rule.findtext("Status") != "Enabled")
    elif what == "save":
        if rule is None:
            rule = Element("Rule")
            rules.append(rule)
        _fill(visit, rule)
    else:
        raise Wrong(visit._("This page is not used that way."))
    return rules


def _chosen(visit: Visit, rules: list[Element]) -> Element | None:
    """Return the rule that a form is about, as long as it is what its page showed."""
    if not visit.field("mark"):
        return None
    return rules[place_in(visit, [mark_of(ElementTree.tostring(rule)) for rule in rules])]


def _fill(visit: Visit, rule: Element) -> None:
    """Make the rule what the form says; what the form does not know stays."""
    for old in rule.findall("ID"):
        rule.remove(old)
    id = Element("ID")
    id.text = visit.field("id") or secrets.token_hex(8)
    rule.insert(0, id)
    _set_status(rule, bool(visit.field("enabled")))
    tags = dict(_tag(visit, line) for line in lines(visit, "tags"))
    limits = size(visit, "above"), size(visit, "below")
    lifecycle.set_filter(rule, Filter(prefix_in(visit).removesuffix("*"), tags, *limits))
    for name, path in NUMBERS.items():
        value = number(visit, name)
        lifecycle.set_value(rule, path, None if value is None else str(value))
    lifecycle.set_value(rule, _DATE, _day(visit))
    for name, path in SWITCHES.items():
        lifecycle.set_value(rule, path, "true" if visit.field(name) else None)
    if all(rule.find(action) is None for action in _ACTIONS):
        raise Wrong(visit._("Say what ends, and when."))


def _tag(visit: Visit, line: str) -> tuple[str, str]:
    name, sign, value = line.strip().partition("=")
    if not name or not sign:
        raise Wrong(visit._("“%(text)s” is no tag: write name=value.", text=line.strip()))
    return name, value


def _day(visit: Visit) -> str | None:
    text = visit.field("date")
    if not text:
        return None
    try:
        return f"{date.fromisoformat(text)}T00:00:00Z"
    except ValueError as error:
        message = visit._("“%(text)s” is no day: write 2026-12-31.", text=text)
        raise Wrong(message) from error


def _set_status(rule: Element, enabled: bool) -> None:
    status = rule.find("Status")
    if status is None:
        status = SubElement(rule, "Status")
    status.text = "Enabled" if enabled else "Disabled"


def _show(visit: Visit, problem: str = "", status: int = 200) -> Response:
    bucket = bucket_of(visit)
    rules = lifecycle.read(visit.s3, bucket)
    edited = visit.query("edit")
    place = int(edited) if edited.isascii() and edited.isdigit() and len(edited) < 6 else -1
    rule = rules[place] if 0 <= place < len(rules) else None
    given = _given(rule)
    if problem and visit.field("what") == "save":
        given = {name: visit.field(name) for name in (*_TEXTS, *SWITCHES, "enabled")}
        given |= {"mark": visit.field("mark"), "place": visit.field("place")}
    elif rule is not None:
        given |= {"mark": mark_of(ElementTree.tostring(rule)), "place": str(place)}
    plain = json.dumps(lifecycle.to_plain(rules), indent=2, ensure_ascii=False) if rules else ""
    return page(
        visit, "lifecycle", problem=problem, status=status, given=given,
        rules=[
            (each.findtext("ID", ""), each.findtext("Status") == "Enabled", about(visit, each),
             does(visit, each), mark_of(ElementTree.tostring(each)))
            for each in rules
        ],
        opened=bool(problem and visit.field("what") == "save") or rule is not None or not rules,
        of_document=bool(problem and visit.field("what") == "document"),
        document=raw(visit, "document") or plain, xml=_xml(rules),
        may_set=visit.may("s3:PutLifecycleConfiguration", bucket),
    )  # fmt: skip


def _xml(rules: list[Element]) -> str:
    """Return the rules as S3's document, for people."""
    if not rules:
        return ""
    root = ElementTree.fromstring(lifecycle.to_xml(rules))
    for each in root.iter():
        each.tag = each.tag.rpartition("}")[2]
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def _given(rule: Element | None) -> dict[str, str]:
    """Return what the fields of the form show for a rule."""
    found = dict.fromkeys((*_TEXTS, *SWITCHES, "mark", "place"), "") | {"enabled": "on"}
    if rule is None:
        return found
    place = lifecycle.filter_of(rule)
    found |= {
        "id": rule.findtext("ID", ""),
        "enabled": "on" if rule.findtext("Status") == "Enabled" else "",
        "prefix": in_form(place.prefix),
        "tags": "\n".join(f"{name}={value}" for name, value in place.tags.items()),
        "above": shown_size(place.size_above),
        "below": shown_size(place.size_below),
        "date": rule.findtext(_DATE, "")[:10],
    }
    found |= {name: rule.findtext(path, "") for name, path in NUMBERS.items()}
    found |= {
        name: "on" if lifecycle.is_true(rule, path) else "" for name, path in SWITCHES.items()
    }
    return found


ROUTES = [get(PATH, show), post(PATH, change)]

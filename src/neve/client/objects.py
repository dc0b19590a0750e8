"""What an object or a version is told: its tags, its retention, its legal hold."""

from collections.abc import Mapping
from datetime import UTC, datetime

from neve.client.copying import Place
from neve.client.s3 import S3, md5_of
from neve.client.xml import document, element, parse


def tags(server: S3, place: Place) -> dict[str, str]:
    """The tags."""
    answer = server.transport.request(
        "GET", place.bucket, place.key, _query(place, "tagging"), doing="read the tags"
    )
    found = parse(answer.body).find("TagSet")
    return {row.text("Key"): row.text("Value") for row in found.all("Tag")} if found else {}


def set_tags(server: S3, place: Place, wanted: Mapping[str, str]) -> None:
    """Replace the tags."""
    rows = [
        element("Tag", [element("Key", name), element("Value", value)])
        for name, value in wanted.items()
    ]
    _put(server, place, "tagging", document("Tagging", [element("TagSet", rows)]), "set tags")


def set_retention(
    server: S3, place: Place, mode: str, until: datetime | None, bypass: bool = False
) -> None:
    """Lock the version until a moment; without a mode, end its lock."""
    rows = []
    if mode and until:
        text = until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        rows = [element("Mode", mode), element("RetainUntilDate", text)]
    headers = {"x-amz-bypass-governance-retention": "true"} if bypass else {}
    _put(server, place, "retention", document("Retention", rows), "lock this version", headers)


def set_hold(server: S3, place: Place, on: bool) -> None:
    """Put a legal hold on the version, or take it off."""
    body = document("LegalHold", [element("Status", "ON" if on else "OFF")])
    _put(server, place, "legal-hold", body, "set a legal hold")


def _query(place: Place, name: str) -> dict[str, str]:
    return {name: ""} | ({"versionId": place.version} if place.version else {})


def _put(
    server: S3,
    place: Place,
    name: str,
    body: bytes,
    doing: str,
    headers: Mapping[str, str] | None = None,
) -> None:
    sent = {"content-md5": md5_of(body), **(headers or {})}
    server.transport.request(
        "PUT", place.bucket, place.key, _query(place, name), sent, body, doing=doing
    )

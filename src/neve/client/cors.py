"""CORS rules of a bucket: read and written as S3's XML or the JSON of boto3 and the AWS CLI."""

import json
from typing import Any

from neve.client.errors import UsageError
from neve.client.xml import Node, document, element, parse

_LISTS = {
    "AllowedOrigins": "AllowedOrigin",
    "AllowedMethods": "AllowedMethod",
    "AllowedHeaders": "AllowedHeader",
    "ExposeHeaders": "ExposeHeader",
}
PRESETS: dict[str, list[dict[str, Any]]] = {
    "web-viewers": [
        {
            "ID": "web-viewers",
            "AllowedOrigins": ["*"],
            "AllowedMethods": ["GET", "HEAD"],
            "AllowedHeaders": ["*"],
            "ExposeHeaders": [
                "ETag",
                "Accept-Ranges",
                "Content-Range",
                "Content-Length",
                "Content-Encoding",
                "Last-Modified",
                "x-amz-version-id",
                "x-amz-request-id",
            ],
            "MaxAgeSeconds": 3600,
        }
    ]
}
"""Rules that are ready: `web-viewers` is what Neve itself calls so."""


def parse_rules(text: bytes, file: str) -> list[dict[str, Any]]:
    """Return the rules of an XML or JSON file. Raises: UsageError."""
    if text.lstrip().startswith(b"<"):
        return rules_of(parse(text, file))
    try:
        found = json.loads(text)
        rules = found["CORSRules"] if isinstance(found, dict) else found
        return [dict(rule) for rule in rules]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file} holds no CORS rules: write CORSRules as JSON, or XML.") from error


def rules_of(root: Node) -> list[dict[str, Any]]:
    """Return the rules of S3's document."""
    rules = []
    for node in root.all("CORSRule"):
        rule: dict[str, Any] = {}
        if node.text("ID"):
            rule["ID"] = node.text("ID")
        for name, tag in _LISTS.items():
            values = [each.value for each in node.all(tag)]
            if values:
                rule[name] = values
        if node.text("MaxAgeSeconds"):
            rule["MaxAgeSeconds"] = int(node.text("MaxAgeSeconds"))
        rules.append(rule)
    return rules


def to_xml(rules: list[dict[str, Any]]) -> bytes:
    """Return the rules as S3's document."""
    return document("CORSConfiguration", [element("CORSRule", _fields(rule)) for rule in rules])


def _fields(rule: dict[str, Any]) -> list[str]:
    unknown = set(rule) - {"ID", "MaxAgeSeconds", *_LISTS}
    if unknown:
        raise UsageError(f"CORS rules have no field {min(unknown)!r}.")
    fields = [element("ID", str(rule["ID"]))] if rule.get("ID") else []
    for name, tag in _LISTS.items():
        values = rule.get(name) or []
        if not isinstance(values, list):
            raise UsageError(f"{name} of a CORS rule is a list.")
        fields += [element(tag, str(value)) for value in values]
    if rule.get("MaxAgeSeconds") is not None:
        fields.append(element("MaxAgeSeconds", str(rule["MaxAgeSeconds"])))
    return fields

"""Cross-origin resource sharing: which scripts of other sites a browser lets read our answers.

A bucket's rules are kept in its option `cors` as a list of maps with the names of AWS's document.
The first rule that matches decides, as on AWS. A bucket without rules has those of the server, if
there are any; a bucket's own rules replace them. Pages of our own panel, which upload straight to
S3, may use every bucket, whatever its rules. Rights are another matter: CORS gives nobody any.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from neve.errors import NoSuchBucket
from neve.s3.errors import S3Error
from neve.s3.response import Headers
from neve.s3.xml import Element, escape, parse_xml

if TYPE_CHECKING:
    from neve.engine.engine import Engine

OPTION = "cors"
RULES_MAX = 100
ID_LENGTH_MAX = 255
DOCUMENT_BYTES_MAX = 64 << 10
METHODS = ("GET", "PUT", "POST", "DELETE", "HEAD")
_SECONDS_MAX = 2**31 - 1
_PORT = re.compile(rb":[0-9]*$")

Rule = dict[str, Any]
Rules = list[Rule]

WEB_VIEWERS: Rules = [
    {
        "ID": "web-viewers",
        "AllowedMethods": ["GET", "HEAD"],
        "AllowedOrigins": ["*"],
        # Range and the conditions, and what libraries add of their own.
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
"""For viewers of Zarr and other data in a browser: every site may read what its user may read."""

VARY = (b"vary", b"Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
"""Caches must not give the answer for one site to another."""

NOT_ALLOWED = (
    "CORSResponse: This CORS request is not allowed. This is usually because the evalution of"
    " Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are"
    " not whitelisted by the resource's CORS spec."
)
"""AWS's words, its spelling included."""


def parse_cors(body: bytes) -> Rules:
    """Return the rules of a CORSConfiguration document.

    Raises: S3Error MalformedXML, InvalidRequest.
    """
    root = parse_xml(body, "CORSConfiguration")
    if not root.children or any(child.name != "CORSRule" for child in root.children):
        raise S3Error("MalformedXML")
    if len(root.children) > RULES_MAX:
        raise S3Error(
            "InvalidRequest",
            f"The number of CORS rules should not exceed allowed limit of {RULES_MAX} rules.",
        )
    return [_parse_rule(element) for element in root.children]


_LISTS = {
    "AllowedHeader": "AllowedHeaders",
    "AllowedMethod": "AllowedMethods",
    "AllowedOrigin": "AllowedOrigins",
    "ExposeHeader": "ExposeHeaders",
}


def _parse_rule(element: Element) -> Rule:
    rule: Rule = {}
    for child in element.children:
        text = child.text.strip()
        name = _LISTS.get(child.name)
        if child.children or not text.isprintable():
            raise S3Error("MalformedXML")
        if name is not None:
            rule.setdefault(name, []).append(text)
        elif child.name in rule:
            raise S3Error("MalformedXML")
        elif child.name == "ID":
            rule["ID"] = text
        elif child.name == "MaxAgeSeconds":
            rule["MaxAgeSeconds"] = _seconds(text)
        else:
            raise S3Error("MalformedXML")
    _check_rule(rule)
    return rule


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 10 or int(text) > _SECONDS_MAX:
        raise S3Error("MalformedXML")
    return int(text)


def _check_rule(rule: Rule) -> None:
    if "AllowedMethods" not in rule or "AllowedOrigins" not in rule:
        raise S3Error("MalformedXML")
    if len(rule.get("ID", "")) > ID_LENGTH_MAX:
        raise S3Error(
            "InvalidArgument", f"ID length should not exceed allowed limit of {ID_LENGTH_MAX}"
        )
    for method in rule["AllowedMethods"]:
        if method not in METHODS:
            message = "Found unsupported HTTP method in CORS config. Unsupported method is "
            raise S3Error("InvalidRequest", message + method)
    for name in ("AllowedOrigin", "AllowedHeader"):
        for value in rule.get(name + "s", ()):
            if value.count("*") > 1:
                message = f'{name} "{value}" can not have more than one wildcard.'
                raise S3Error("InvalidRequest", message)
    for value in rule.get("ExposeHeaders", ()):
        if "*" in value:
            message = (
                f'ExposeHeader "{value}" contains wildcard.'
                " We currently do not support wildcard for ExposeHeader."
            )
            raise S3Error("InvalidRequest", message)
    for name in _LISTS.values():
        # They become parts of header fields, where a comma would make two of one.
        if any(not value.isascii() or "," in value or not value for value in rule.get(name, ())):
            raise S3Error("MalformedXML")


def cors_xml(rules: Rules) -> str:
    """Return the elements of the rules."""
    return "".join(f"<CORSRule>{_rule_xml(rule)}</CORSRule>" for rule in rules)


def _rule_xml(rule: Rule) -> str:
    parts = [f"<ID>{escape(rule['ID'])}</ID>"] if "ID" in rule else []
    for element, name in _LISTS.items():
        parts += [f"<{element}>{escape(value)}</{element}>" for value in rule.get(name, ())]
    if "MaxAgeSeconds" in rule:
        parts.append(f"<MaxAgeSeconds>{rule['MaxAgeSeconds']}</MaxAgeSeconds>")
    return "".join(parts)


def server_rules(origins: Sequence[str]) -> Rules:
    """Return the rules of buckets without any: these sites may use the whole of S3."""
    if not origins:
        return []
    return [WEB_VIEWERS[0] | {"AllowedOrigins": list(origins), "AllowedMethods": list(METHODS)}]


class Panel:
    """The site whose pages are our own panel.

    It is that of `url` if there is one. Else it is where a browser finds the panel that finds S3
    under the host name of the request: the same name with the panel's `port`, 0 for none.
    """

    __slots__ = ("_origin", "_ports")

    def __init__(self, url: str = "", port: int = 0) -> None:
        self._origin = url.encode()
        self._ports = [
            (scheme, b"" if port == default else b":%d" % port)
            for scheme, default in ((b"http://", 80), (b"https://", 443))
            if port
        ]

    def asks(self, headers: dict[bytes, bytes]) -> bool:
        """Say whether the request comes from a page of the panel."""
        origin = headers.get(b"origin", b"")
        if self._origin or not origin:
            return bool(origin) and origin == self._origin
        host = _PORT.sub(b"", headers.get(b"host", b"")).lower()
        return any(origin == scheme + host + port for scheme, port in self._ports if host)

    def fields(self, headers: dict[bytes, bytes]) -> Headers:
        """Return the fields for an answer to a page of the panel, a preflight's included."""
        fields: Headers = [
            (b"access-control-allow-origin", headers[b"origin"]),
            (b"access-control-allow-methods", ", ".join(METHODS).encode()),
            # Its requests bear no cookies, so the star stands for every field.
            (b"access-control-expose-headers", b"*"),
            (b"access-control-max-age", b"3600"),
            VARY,
        ]
        asked = headers.get(b"access-control-request-headers")
        if asked:
            fields.append((b"access-control-allow-headers", asked))
        return fields


def rules_of(engine: "Engine", name: str, server: Rules) -> Rules:
    """Return the rules that hold for the bucket, or ("") for the service.

    Raises: NoSuchBucket, unless the server's rules hold for what is not there as well.
    """
    if not name:
        return server
    try:
        rules: Rules | None = engine.bucket(name).options.get(OPTION)
    except NoSuchBucket:
        if not server:
            raise
        return server
    return rules or server


def answer_headers(rules: Rules, headers: dict[bytes, bytes], method: str) -> Headers:
    """Return the fields for an answer to a script of another site, which came with `headers`."""
    origin = headers[b"origin"].decode("latin-1")
    # A request that names a method is judged by it, as on AWS and RGW.
    asked = headers.get(b"access-control-request-method")
    wanted = asked.decode("latin-1") if asked else method
    for rule in rules:
        allowed = _allowed_origin(rule, origin)
        if allowed is not None and wanted in rule["AllowedMethods"]:
            return _fields(rule, allowed)
    return [VARY]


def preflight_headers(rules: Rules, origin: str, method: str, names: list[str]) -> Headers | None:
    """Return the fields that permit the request a browser is about to send; None when none may.

    `names` are those of the header fields that its script sets.
    """
    for rule in rules:
        allowed = _allowed_origin(rule, origin)
        if allowed is None or method not in rule["AllowedMethods"]:
            continue
        patterns = [pattern.lower() for pattern in rule.get("AllowedHeaders", ())]
        if all(any(_matches(pattern, name) for pattern in patterns) for name in names):
            fields = _fields(rule, allowed)
            if names:
                value = ", ".join(names).encode("latin-1")
                fields.append((b"access-control-allow-headers", value))
            return fields
    return None


def _allowed_origin(rule: Rule, origin: str) -> str | None:
    """Return the pattern of the rule that the origin matches."""
    for pattern in rule["AllowedOrigins"]:
        if _matches(pattern, origin):
            return "*" if pattern == "*" else origin
    return None


def _matches(pattern: str, text: str) -> bool:
    start, star, end = pattern.partition("*")
    if not star:
        return text == pattern
    return len(text) >= len(start) + len(end) and text.startswith(start) and text.endswith(end)


def _fields(rule: Rule, allowed: str) -> Headers:
    fields: Headers = [
        (b"access-control-allow-origin", allowed.encode("latin-1")),
        (b"access-control-allow-methods", ", ".join(rule["AllowedMethods"]).encode()),
    ]
    if allowed != "*":
        fields.append((b"access-control-allow-credentials", b"true"))
    exposed = rule.get("ExposeHeaders")
    if exposed:
        fields.append((b"access-control-expose-headers", ", ".join(exposed).encode()))
    if "MaxAgeSeconds" in rule:
        fields.append((b"access-control-max-age", b"%d" % rule["MaxAgeSeconds"]))
    fields.append(VARY)
    return fields

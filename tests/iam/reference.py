"""A second evaluator of policies: slow, literal, sharing no code with `neve.iam`.

It walks the JSON documents at every question, the way the IAM User Guide tells it: `verdict` what
one document says, `permitted` what comes of all that hold for a caller. It does not validate: it is
given documents that were accepted.
"""

import base64
import datetime
import ipaddress
import re
from dataclasses import dataclass, field

ROOT_ARN = "arn:aws:iam::000000000000:root"


@dataclass
class Asked:
    """A request, in the words of the policy language."""

    kind: str
    user: str
    action: str
    bucket: str
    key: str | None
    ip: str = ""
    secure: bool = False
    epoch: int = 0
    headers: dict = field(default_factory=dict)
    query: dict = field(default_factory=dict)
    tags: dict = field(default_factory=dict)
    canonical_id: str = ""
    bucket_owner: str = ""
    object_owner: str = ""

    def values(self, key: str) -> list[str]:
        """All values of a condition key; an empty list when the request does not have it."""
        if "/" in key:
            name, tag = key.split("/", 1)
            source = {
                "s3:existingobjecttag": self.tags,
                "s3:requestobjecttag": self.request_tags(),
            }.get(name.lower(), {})
            return [source[tag]] if tag in source else []
        single = self.single(key.lower())
        if key.lower() == "s3:requestobjecttagkeys":
            return list(self.request_tags())
        return [] if single is None else [single]

    def request_tags(self) -> dict:
        text = self.headers.get("x-amz-tagging", "")
        return dict(pair.split("=", 1) for pair in text.split("&") if pair)

    def single(self, key: str) -> str | None:
        moment = datetime.datetime.fromtimestamp(self.epoch, datetime.UTC)
        table = {
            "aws:sourceip": self.ip or None,
            "aws:securetransport": str(self.secure).lower(),
            "aws:epochtime": str(self.epoch),
            "aws:currenttime": moment.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "aws:useragent": self.headers.get("user-agent"),
            "aws:referer": self.headers.get("referer"),
            "aws:username": self.user if self.kind == "user" else None,
            "aws:principaltype": {"anonymous": "Anonymous", "root": "Account", "user": "User"}[
                self.kind
            ],
            "aws:principalarn": self.arn() or None,
            "neve:canonicalid": self.canonical_id or None,
            "neve:bucketowner": self.bucket_owner or None,
            "neve:objectowner": self.object_owner or None,
            "s3:x-amz-acl": self.headers.get("x-amz-acl"),
            "s3:prefix": self.query.get("prefix"),
            "s3:max-keys": self.query.get("max-keys"),
        }
        return table.get(key)

    def arn(self) -> str:
        if self.kind == "user":
            return f"arn:aws:iam::000000000000:user/{self.user}"
        return ROOT_ARN if self.kind == "root" else ""

    def resource(self) -> str:
        return f"arn:aws:s3:::{self.bucket}" + ("" if self.key is None else f"/{self.key}")


@dataclass
class Held:
    """All that has a say about a caller's request."""

    policies: list[dict] = field(default_factory=list)
    """Those of the user and of its groups."""
    limit: dict | None = None
    """That of the access key."""
    bucket_policy: dict | None = None
    bucket_grants: set = field(default_factory=set)
    """(grantee, permission) of the bucket's ACL; a grantee is `all`, `authenticated` or an id."""
    object_grants: set = field(default_factory=set)


_POLICY_OF_A_BUCKET = ("s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy")
_BUCKET_GRANTS = {
    "READ": ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"),
    "WRITE": (
        "s3:PutObject",
        "s3:DeleteObject",
        "s3:AbortMultipartUpload",
        "s3:ListMultipartUploadParts",
    ),
    "READ_ACP": ("s3:GetBucketAcl",),
    "WRITE_ACP": ("s3:PutBucketAcl",),
}
_OBJECT_GRANTS = {
    "READ": ("s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes"),
    "READ_ACP": ("s3:GetObjectAcl",),
    "WRITE_ACP": ("s3:PutObjectAcl",),
}


def permitted(held: Held, asked: Asked) -> bool:
    """Whether the caller may do what it asks for."""
    if held.limit is not None and verdict(held.limit, asked) != "Allow":
        return False
    documents = [*held.policies] if asked.kind == "user" else []
    keeps = asked.kind == "root" and asked.action in _POLICY_OF_A_BUCKET
    if held.bucket_policy is not None and not keeps:
        documents.append(held.bucket_policy)
    said = {verdict(document, asked) for document in documents}
    if "Deny" in said:
        return False
    return "Allow" in said or asked.kind == "root" or _granted(held, asked)


def _granted(held: Held, asked: Asked) -> bool:
    names = {"all"} if asked.kind == "anonymous" else {"all", "authenticated", asked.canonical_id}
    for grants, owner, table in (
        (held.bucket_grants, asked.bucket_owner, _BUCKET_GRANTS),
        (held.object_grants, asked.object_owner, _OBJECT_GRANTS),
    ):
        for grantee, permission in grants:
            # Owners rule by their policies.
            if grantee in names and (grantee != owner) and asked.action in table[permission]:
                return True
    return False


def verdict(document: dict, asked: Asked) -> str:
    """`Deny`, `Allow` or `Neutral`."""
    statements = document["Statement"]
    statements = [statements] if isinstance(statements, dict) else statements
    variables = document.get("Version") == "2012-10-17"
    hits = {s["Effect"] for s in statements if _applies(s, asked, variables)}
    return "Deny" if "Deny" in hits else "Allow" if "Allow" in hits else "Neutral"


def _listed(value) -> list:
    return value if isinstance(value, list) else [value]


def _applies(statement: dict, asked: Asked, variables: bool) -> bool:
    return (
        _named(statement, asked)
        and _either(statement, "Action", lambda element: _action(element, asked.action))
        and _either(statement, "Resource", lambda each: _resource(each, asked, variables))
        and all(
            _condition(operator, key, _listed(values), asked, variables)
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def _either(statement: dict, name: str, test) -> bool:
    return test(statement[name]) if name in statement else not test(statement["Not" + name])


def _named(statement: dict, asked: Asked) -> bool:
    if "Principal" not in statement and "NotPrincipal" not in statement:
        return True  # a policy for users is about whoever has it
    if "NotPrincipal" in statement:
        return not _principal(statement["NotPrincipal"], asked, True)
    return _principal(statement["Principal"], asked, statement["Effect"] == "Deny")


def _principal(element, asked: Asked, users_follow_account: bool) -> bool:
    if element == "*":
        return True
    for name in _listed(element.get("AWS", [])):
        if name == "*":
            return True
        if asked.kind != "anonymous" and name == asked.arn():
            return True
        if name in (ROOT_ARN, "000000000000") and (
            asked.kind == "root" or (asked.kind == "user" and users_follow_account)
        ):
            return True
    return False


def _action(element, action: str) -> bool:
    return any(glob(tokens(each.lower(), True), action.lower()) for each in _listed(element))


def _resource(element, asked: Asked, variables: bool) -> bool:
    for text in _listed(element):
        pattern = replaced(text, True, variables, asked)
        if pattern is not None and glob(pattern, asked.resource()):
            return True
    return False


STAR, ONE = object(), object()


def tokens(text: str, wildcards: bool) -> list:
    return [({"*": STAR, "?": ONE}.get(c, c) if wildcards else c) for c in text]


def replaced(text: str, wildcards: bool, variables: bool, asked: Asked) -> list | None:
    """The pattern as tokens, variables replaced by the literal characters of their value."""
    if not variables:
        return tokens(text, wildcards)
    out: list = []
    for piece in re.split(r"(\$\{[^}]*\})", text):
        if not piece.startswith("${"):
            out += tokens(piece, wildcards)
            continue
        name, _, default = piece[2:-1].partition(",")
        if name in ("*", "?", "$"):
            out.append(name)
            continue
        found = asked.values(name.strip())
        if len(found) == 1 and name.strip().lower() != "s3:requestobjecttagkeys":
            out += list(found[0])
        elif default:
            out += list(default.strip()[1:-1])
        else:
            return None
    return out


def glob(pattern: list, text: str) -> bool:
    """By dynamic programming over all pairs of positions."""
    row = [True] + [False] * len(text)
    for token in pattern:
        if token is STAR:
            new = [row[0]]
            for i in range(len(text)):
                new.append(new[i] or row[i + 1])
        else:
            new = [False]
            for i, char in enumerate(text):
                new.append(row[i] and (token is ONE or token == char))
        row = new
    return row[-1]


def _condition(operator: str, key: str, wanted: list, asked: Asked, variables: bool) -> bool:
    wanted = [str(w).lower() if isinstance(w, bool) else str(w) for w in wanted]
    given = asked.values(key)
    if operator == "Null":
        return any((w.lower() == "true") == (not given) for w in wanted)
    quantifier, _, base = operator.rpartition(":")
    if_exists = base.endswith("IfExists")
    base = base.removesuffix("IfExists")
    if if_exists and not given:
        return True
    negated = "Not" in base
    positive = base.replace("Not", "")

    def holds(value: str) -> bool:
        found = any(_compare(positive, value, w, asked, variables) for w in wanted)
        return found != negated

    if quantifier == "ForAllValues":
        return all(holds(value) for value in given)
    if quantifier == "ForAnyValue":
        return any(holds(value) for value in given)
    if not given:
        return negated
    return all(map(holds, given)) if negated else any(map(holds, given))


def _compare(base: str, value: str, wanted: str, asked: Asked, variables: bool) -> bool:
    if base.startswith(("String", "Arn")):
        return _compare_text(base, value, wanted, asked, variables)
    if base == "Bool":
        return value.lower() == wanted.lower()
    if base == "BinaryEquals":
        return value.encode() == base64.b64decode(wanted)
    if base == "IpAddress":
        return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
    number = _number if base.startswith("Numeric") else _moment
    try:
        left, right = number(value), number(wanted)
    except ValueError:
        return False
    return {
        "Equals": left == right,
        "LessThan": left < right,
        "LessThanEquals": left <= right,
        "GreaterThan": left > right,
        "GreaterThanEquals": left >= right,
    }[base.removeprefix("Numeric").removeprefix("Date")]


def _compare_text(base: str, value: str, wanted: str, asked: Asked, variables: bool) -> bool:
    wildcards = base in ("StringLike", "ArnLike", "ArnEquals")
    pattern = replaced(wanted, wildcards, variables, asked)
    if pattern is None:
        return False
    if base == "StringEqualsIgnoreCase":
        return "".join(pattern).lower() == value.lower()
    if base.startswith("String"):
        return glob(pattern, value)
    parts: list[list] = [[]]
    for token in pattern:
        if token == ":" and len(parts) < 6:
            parts.append([])
        else:
            parts[-1].append(token)
    texts = value.split(":", 5)
    return len(texts) == len(parts) == 6 and all(map(glob, parts, texts))


def _number(text: str) -> float:
    return float(text)


def _moment(text: str) -> float:
    if re.fullmatch(r"\d{5,}", text):
        return int(text)
    return datetime.datetime.fromisoformat(text).timestamp()

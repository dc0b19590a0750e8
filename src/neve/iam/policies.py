"""Policies: reading a document into a `Policy`, with S3's own words for what is wrong.

The grammar is that of "Policies and permissions in Amazon S3": Version, Id, Statement; in it Sid,
Effect, Principal or NotPrincipal, Action or NotAction, Resource or NotResource, Condition.
Anything else is refused with MalformedPolicy, never ignored: a misspelt Condition must not open a
bucket. Evaluation is in `neve.iam.evaluate`.

Policies for users (`parse_user_policy`) have the same grammar without Principal. Their resources
may be anywhere, their actions also those of `neve.iam.admin_actions`, which need no Resource. As in
MinIO `*` means every action of S3 and none of the others.

Invariant: a Policy is immutable, and reading `policy.document` again gives an equal one.
"""

import re
from typing import Any

from neve.errors import MalformedPolicy
from neve.iam.actions import ACTIONS
from neve.iam.admin_actions import OTHER_ACTIONS
from neve.iam.conditions import Condition, parse_condition
from neve.iam.documents import parse_document
from neve.iam.patterns import Pattern, can_continue, compile_text, parse_pattern
from neve.iam.principals import ACCOUNT
from neve.iam.public import is_public
from neve.iam.statements import (
    ANYBODY,
    BUCKET_POLICY,
    EVERYTHING,
    Covers,
    Principals,
    Resources,
    Statement,
    Verdict,
    compile_resources,
)

RESOURCE_PREFIX = "arn:aws:s3:::"

_SYNTAX = "Invalid policy syntax."
_VERSIONS = ("2012-10-17", "2008-10-17")
_POLICY_FIELDS = frozenset(("Version", "Id", "Statement"))
_STATEMENT_FIELDS = frozenset(
    ("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource",
     "NotResource", "Condition")
)  # fmt: skip
_USER_STATEMENT_FIELDS = _STATEMENT_FIELDS - {"Principal", "NotPrincipal"}
_EFFECTS = {"Allow": Verdict.ALLOW, "Deny": Verdict.DENY}
_LOWERED_ACTIONS = {action.lower(): action for action in ACTIONS}
_ALL_ACTIONS = frozenset(ACTIONS)
_LOWERED_OTHERS = {action.lower(): action for action in OTHER_ACTIONS}
_ARN = re.compile(
    r"arn:aws[a-z-]*:(?:iam|sts)::([A-Za-z0-9_-]*):"
    r"(root|(?:user|role|assumed-role|federated-user)/[\w+=,.@/-]+)",
    re.ASCII,
)
_ACCOUNT = re.compile(r"[0-9]{12}")
_CANONICAL_ID = re.compile(r"[0-9a-f]{64}")
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+")
_FEDERATED = re.compile(r"arn:aws[a-z-]*:iam::[0-9]*:(saml|oidc)-provider/\S+|[\w.-]+(/\S*)?")

# The few keys that S3 ties to actions so strictly that a wrong pair can only be a mistake.
_LISTING = frozenset(("s3:ListBucket", "s3:ListBucketVersions"))
_KEY_ACTIONS: dict[str, frozenset[str]] = {
    "s3:prefix": _LISTING,
    "s3:delimiter": _LISTING,
    "s3:max-keys": _LISTING,
    "s3:x-amz-copy-source": frozenset(("s3:PutObject",)),
    "s3:x-amz-metadata-directive": frozenset(("s3:PutObject",)),
    "s3:locationconstraint": frozenset(("s3:CreateBucket",)),
}


class Policy:
    """A bucket policy: its document as sent, and its statements compiled."""

    __slots__ = ("by_action", "document", "is_public", "statements")

    def __init__(self, document: bytes, statements: tuple[Statement, ...]) -> None:
        self.document = document
        self.statements = statements
        self.is_public = is_public(statements)
        self.by_action = _index(statements)
        """Action → the statements that name it, those that deny first."""


class Rights:
    """Policies of one principal taken together, as if they were one."""

    __slots__ = ("by_action", "policies")

    def __init__(self, policies: tuple[Policy, ...]) -> None:
        self.policies = policies
        self.by_action = _index(tuple(each for policy in policies for each in policy.statements))
        """As in a Policy."""


def _index(statements: tuple[Statement, ...]) -> dict[str, tuple[Statement, ...]]:
    index: dict[str, list[Statement]] = {}
    for statement in sorted(statements, key=lambda each: -each.effect):
        for action in statement.actions:
            index.setdefault(action, []).append(statement)
    return {action: tuple(found) for action, found in index.items()}


def parse_policy(document: bytes, bucket: str) -> Policy:
    """Read the policy of `bucket`. Raises: MalformedPolicy with S3's message."""
    fields = _policy_fields(document)
    reader = _Reader(bucket, variables=fields.get("Version") == _VERSIONS[0])
    statements = tuple(
        reader.statement(index, each) for index, each in enumerate(_statements(fields))
    )
    sids = [statement.sid for statement in statements if statement.sid]
    if len(set(sids)) != len(sids):
        raise MalformedPolicy("Statement IDs (SID) in a single policy must be unique.")
    return Policy(document, statements)


def parse_user_policy(document: bytes, name: str) -> Policy:
    """Read a policy that is attached by its name, or the one of an access key.

    Raises: MalformedPolicy.
    """
    fields = _policy_fields(document)
    reader = _UserReader(name, variables=fields.get("Version") == _VERSIONS[0])
    statements = tuple(
        reader.statement(index, each) for index, each in enumerate(_statements(fields))
    )
    return Policy(document, statements)


def _policy_fields(document: bytes) -> dict[str, Any]:
    fields = parse_document(document)
    _check_fields(fields, _POLICY_FIELDS)
    if fields.get("Version", _VERSIONS[1]) not in _VERSIONS:
        raise MalformedPolicy("The policy must contain a valid version string")
    if not isinstance(fields.get("Id", ""), str):
        raise MalformedPolicy(_SYNTAX)
    return fields


def _check_fields(fields: dict[str, Any], known: frozenset[str]) -> None:
    for name in fields:
        if name not in known:
            raise MalformedPolicy(f"Unknown field {name}")


def _statements(fields: dict[str, Any]) -> list[dict[str, Any]]:
    if "Statement" not in fields:
        raise MalformedPolicy("Missing required field Statement")
    found = fields["Statement"]
    if isinstance(found, dict):
        found = [found]
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise MalformedPolicy(_SYNTAX)
    if not found:
        raise MalformedPolicy("Could not parse the policy: Statement is empty!")
    return found


class _Reader:
    """Reads the statements of the policy of one bucket."""

    policy = BUCKET_POLICY

    def __init__(self, bucket: str, variables: bool) -> None:
        self.bucket = bucket
        self.variables = variables
        self._covers: dict[Resources, Covers] = {}

    def statement(self, index: int, fields: dict[str, Any]) -> Statement:
        _check_fields(fields, _STATEMENT_FIELDS)
        sid, effect = _sid(fields), _effect(fields)
        principals = _principals(fields, effect)
        groups, not_action = _actions(fields)
        patterns, not_resource = self._resources(fields)
        conditions = self._conditions(fields.get("Condition", {}))
        actions: frozenset[str] = frozenset().union(*groups)
        if not_action:
            actions = _ALL_ACTIONS - actions
            groups = [actions]
        if not not_resource:
            self._check_targets(groups, patterns)
        _check_condition_actions([] if not_action else groups, conditions)
        resources = Resources(patterns, not_resource)
        covers = self._covers_of(resources)
        return Statement(
            index, sid, effect, principals, actions, covers, conditions, self.policy, resources
        )

    def _covers_of(self, resources: Resources) -> Covers:
        covers = self._covers.get(resources)
        if covers is None:
            covers = self._covers[resources] = compile_resources(*resources)
        return covers

    def _resources(self, fields: dict[str, Any]) -> tuple[tuple[Pattern, ...], bool]:
        name = _one_of(fields, "Resource", "NotResource")
        patterns = tuple(self._resource(text) for text in _strings(fields, name))
        return patterns, name == "NotResource"

    def _resource(self, text: str) -> Pattern:
        try:
            pattern = parse_pattern(text, variables=self.variables)
        except ValueError as error:
            raise MalformedPolicy("Policy has invalid resource") from error
        if not self._is_ours(text, pattern):
            raise MalformedPolicy("Policy has invalid resource")
        return pattern

    def _is_ours(self, text: str, pattern: Pattern) -> bool:
        return text.startswith(RESOURCE_PREFIX) and any(self._reach(pattern))

    def _reach(self, pattern: Pattern) -> tuple[bool, bool]:
        """Return whether the pattern can match the bucket, and an object in it."""
        arn = RESOURCE_PREFIX + self.bucket
        return compile_text(pattern.text)(arn), can_continue(pattern.text, arn + "/")

    def _check_targets(self, groups: list[frozenset[str]], patterns: tuple[Pattern, ...]) -> None:
        """Raise MalformedPolicy when an action has no resource that it could apply to."""
        reached = [self._reach(pattern) for pattern in patterns]
        targets = set()
        if any(bucket for bucket, _ in reached):
            targets.add("bucket")
        if any(key for _, key in reached):
            targets.add("object")
        for group in groups:
            if not any(ACTIONS[action] in targets for action in group):
                raise MalformedPolicy("Action does not apply to any resource(s) in statement")

    def _conditions(self, block: Any) -> tuple[Condition, ...]:
        if not isinstance(block, dict):
            raise MalformedPolicy(_SYNTAX)
        conditions = []
        for operator, keys in block.items():
            if not isinstance(keys, dict) or not keys:
                raise MalformedPolicy(_SYNTAX)
            for key, values in keys.items():
                texts = _condition_values(values)
                conditions.append(self._condition(operator, key, texts))
        return tuple(conditions)

    def _condition(self, operator: str, key: str, values: tuple[str, ...]) -> Condition:
        return parse_condition(operator, key, values, self.variables)


class _UserReader(_Reader):
    """Reads the statements of a policy for users."""

    def __init__(self, name: str, variables: bool) -> None:
        super().__init__("", variables)
        self.policy = f"policy {name}"

    def statement(self, index: int, fields: dict[str, Any]) -> Statement:
        _check_fields(fields, _USER_STATEMENT_FIELDS)
        sid, effect = _sid(fields), _effect(fields)
        name = _one_of(fields, "Action", "NotAction")
        actions: frozenset[str] = frozenset().union(*map(_expand_any, _strings(fields, name)))
        if name == "NotAction":
            actions = _ALL_ACTIONS - actions
        if actions <= OTHER_ACTIONS and not fields.keys() & {"Resource", "NotResource"}:
            resources = EVERYTHING
        else:
            resources = Resources(*self._resources(fields))
        covers = self._covers_of(resources)
        conditions = self._conditions(fields.get("Condition", {}))
        return Statement(
            index, sid, effect, ANYBODY, actions, covers, conditions, self.policy, resources
        )

    def _is_ours(self, text: str, pattern: Pattern) -> bool:
        return text == "*" or (text.startswith(RESOURCE_PREFIX) and text != RESOURCE_PREFIX)


def _sid(fields: dict[str, Any]) -> str:
    sid = fields.get("Sid", "")
    if not isinstance(sid, str):
        raise MalformedPolicy(_SYNTAX)
    return sid


def _effect(fields: dict[str, Any]) -> Verdict:
    if "Effect" not in fields:
        raise MalformedPolicy("Missing required field Effect")
    name = fields["Effect"]
    if not isinstance(name, str):
        raise MalformedPolicy(_SYNTAX)
    if name not in _EFFECTS:
        raise MalformedPolicy(f"Invalid effect: {name}")
    return _EFFECTS[name]


def _one_of(fields: dict[str, Any], name: str, negation: str) -> str:
    """Return which of the two fields is there: exactly one must be."""
    if name in fields and negation in fields:
        raise MalformedPolicy(_SYNTAX)
    if name in fields or negation in fields:
        return name if name in fields else negation
    raise MalformedPolicy(f"Missing required field {name}")


def _strings(fields: dict[str, Any], name: str) -> list[str]:
    """Return the texts of a field that is one text or a list of them."""
    found = fields[name]
    if isinstance(found, str):
        found = [found]
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise MalformedPolicy(_SYNTAX)
    if not found or "" in found:
        raise MalformedPolicy(f"Missing required field {name} cannot be empty!")
    return found


def _principals(fields: dict[str, Any], effect: Verdict) -> Principals:
    name = _one_of(fields, "Principal", "NotPrincipal")
    if name == "NotPrincipal" and effect is Verdict.ALLOW:
        raise MalformedPolicy("Allow with NotPrincipal is not allowed.")
    found = fields[name]
    if not found:
        raise MalformedPolicy(f"Missing required field {name} cannot be empty!")
    if isinstance(found, str):
        found = {"AWS": found} if found == "*" else {}
    if not isinstance(found, dict):
        raise MalformedPolicy(_SYNTAX)
    if not found:
        raise MalformedPolicy("Invalid principal in policy")
    return _read_principals(found, negated=name == "NotPrincipal")


def _read_principals(found: dict[str, Any], negated: bool) -> Principals:
    texts = {kind: _strings(found, kind) for kind in found}
    aws = texts.pop("AWS", [])
    canonical = texts.pop("CanonicalUser", [])
    named = [_aws_principal(text) for text in aws if text != "*"]
    valid = all(map(_CANONICAL_ID.fullmatch, canonical))
    valid = valid and all(map(_SERVICE.fullmatch, texts.pop("Service", [])))
    valid = valid and all(map(_FEDERATED.fullmatch, texts.pop("Federated", [])))
    if texts or not valid:
        raise MalformedPolicy("Invalid principal in policy")
    return Principals(
        everyone="*" in aws,
        arns=frozenset(f"arn:aws:iam::{ACCOUNT}:{each}" for each in named if each),
        account="root" in named,
        canonical_ids=frozenset(canonical),
        negated=negated,
    )


def _aws_principal(text: str) -> str:
    """Return `user/name` or `root` for this store's, empty for anybody else's.

    An empty account is ours too (`arn:aws:iam:::user/name`, as Ceph and MinIO write it).
    """
    if _ACCOUNT.fullmatch(text):
        return "root" if text == ACCOUNT else ""
    found = _ARN.fullmatch(text)
    if not found:
        raise MalformedPolicy("Invalid principal in policy")
    return found[2] if found[1] in ("", ACCOUNT) else ""


def _actions(fields: dict[str, Any]) -> tuple[list[frozenset[str]], bool]:
    """Return, for each action given, the actions it stands for; and whether it is NotAction."""
    name = _one_of(fields, "Action", "NotAction")
    return [_expand(text) for text in _strings(fields, name)], name == "NotAction"


def _expand(text: str) -> frozenset[str]:
    lowered = text.lower()
    if lowered == "*":
        return _ALL_ACTIONS
    exact = _LOWERED_ACTIONS.get(lowered)
    if exact:
        return frozenset((exact,))
    matches = compile_text(parse_pattern(lowered, variables=False).text)
    found = frozenset(action for low, action in _LOWERED_ACTIONS.items() if matches(low))
    if not lowered.startswith("s3:") or not found:
        raise MalformedPolicy("Policy has invalid action")
    return found


def _expand_any(text: str) -> frozenset[str]:
    """Return what an action of a policy for users stands for."""
    lowered = text.lower()
    if not lowered.startswith(("admin:", "kms:", "sts:")):
        return _expand(text)
    matches = compile_text(parse_pattern(lowered, variables=False).text)
    found = frozenset(action for low, action in _LOWERED_OTHERS.items() if matches(low))
    if not found:
        raise MalformedPolicy("Policy has invalid action")
    return found


def _condition_values(values: Any) -> tuple[str, ...]:
    found = values if isinstance(values, list) else [values]
    if not found or not all(isinstance(each, str | int | float) for each in found):
        raise MalformedPolicy(_SYNTAX)
    return tuple(_scalar(each) for each in found)


def _scalar(value: str | float) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def _check_condition_actions(
    groups: list[frozenset[str]], conditions: tuple[Condition, ...]
) -> None:
    """Raise MalformedPolicy when a key can never be there for one of the actions."""
    for condition in conditions:
        actions = _KEY_ACTIONS.get(condition.key)
        if actions and not all(actions & group for group in groups):
            raise MalformedPolicy(
                "Conditions do not apply to combination of actions and resources in statement"
            )

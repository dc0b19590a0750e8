"""Statements of a policy, compiled: whom they name, which actions, which resources, when.

Built by `neve.iam.policies` from a checked document; this module only answers questions.
Invariants: a Statement never changes; `actions` holds names exactly as in `neve.iam.actions`
(wildcards are expanded when the policy is read, so that evaluation is a set probe).
"""

from collections.abc import Callable
from enum import IntEnum
from typing import NamedTuple

from neve.iam.conditions import Check, Condition
from neve.iam.context import RequestContext, lookup_for
from neve.iam.patterns import STAR, Pattern, Test, compile_resolved, compile_text, is_plain
from neve.iam.principals import Principal

Covers = Callable[[str, RequestContext], bool]


class Verdict(IntEnum):
    """What a policy says about one request; DENY wins over ALLOW, ALLOW over NEUTRAL."""

    NEUTRAL = 0
    ALLOW = 1
    DENY = 2


class Principals(NamedTuple):
    """The Principal (or, when `negated`, NotPrincipal) element of a statement."""

    everyone: bool
    """`*` or `{"AWS": "*"}`: only this names the anonymous principal."""
    arns: frozenset[str]
    """Users of this store."""
    account: bool
    """The store's account: its root, and through it its users."""
    canonical_ids: frozenset[str]
    negated: bool = False

    def include(self, principal: Principal, effect: Verdict) -> bool:
        """Whether a statement with this effect is about `principal`.

        Naming the account in an Allow hands the right to the account, whose root has it; a user
        still needs a policy of its own (AWS: "Principal: AWS account principals"). A Deny of the
        account, or its exemption by NotPrincipal, reaches the users at once.
        """
        reaches_users = self.negated or effect is Verdict.DENY
        return self._names(principal, reaches_users) is not self.negated

    def _names(self, principal: Principal, reaches_users: bool) -> bool:
        if self.everyone:
            return True
        if principal.kind == "anonymous":
            return False
        if principal.arn in self.arns or principal.canonical_id in self.canonical_ids:
            return True
        return self.account and (principal.kind == "root" or reaches_users)


ANYBODY = Principals(True, frozenset(), False, frozenset())
"""What a statement without a Principal is about: whoever has its policy."""

BUCKET_POLICY = "bucket policy"


class Decision(NamedTuple):
    """The answer to one question, with its reason."""

    allowed: bool
    reason: str
    """`root`, `access control list allows`, `nothing allows it`, `the policy of the access key
    does not allow it`, or the name of a policy and what it does: `bucket policy denies`,
    `policy reader allows`."""
    statement: "Statement | None" = None
    """The statement that decided (its `policy`, `label` and `index`), when one did."""

    @property
    def policy(self) -> str:
        """The policy whose statement decided; empty when none did."""
        return "" if self.statement is None else self.statement.policy


class Resources(NamedTuple):
    """The Resource (or, when `negated`, NotResource) element of a statement."""

    patterns: tuple[Pattern, ...]
    negated: bool = False


EVERYTHING = Resources((Pattern((STAR,)),))


class Statement:
    """One statement. `covers` and `holds` are its compiled resources and conditions."""

    __slots__ = (
        "actions",
        "conditions",
        "covers",
        "decision",
        "effect",
        "everyone",
        "holds",
        "index",
        "policy",
        "principals",
        "resources",
        "sid",
    )

    def __init__(
        self,
        index: int,
        sid: str,
        effect: Verdict,
        principals: Principals,
        actions: frozenset[str],
        covers: Covers,
        conditions: tuple[Condition, ...],
        policy: str = BUCKET_POLICY,
        resources: "Resources | None" = None,
    ) -> None:
        self.index = index
        self.sid = sid
        self.effect = effect
        self.principals = principals
        self.everyone = principals.everyone and not principals.negated
        self.actions = actions
        self.covers = covers
        self.conditions = conditions
        allows = effect is Verdict.ALLOW
        self.policy = policy
        """What it stands in: `bucket policy`, or `policy` and a name."""
        reason = f"{policy} allows" if allows else f"{policy} denies"
        self.decision = Decision(allows, reason, self)
        """The answer where this statement settles the matter."""
        self.resources = resources or EVERYTHING
        """What `covers` was made of."""
        self.holds = _conjunction(tuple(condition.check for condition in conditions))

    @property
    def label(self) -> str:
        """Its Sid, or the name AWS gives to a statement without one."""
        return self.sid or f"NO_ID-{self.index}"


def _conjunction(checks: tuple[Check, ...]) -> Check:
    if len(checks) == 1:
        return checks[0]

    def holds(context: RequestContext) -> bool:
        for check in checks:  # noqa: SIM110 - no generator where every request passes
            if not check(context):
                return False
        return True

    return holds


def compile_resources(patterns: tuple[Pattern, ...], negated: bool) -> Covers:
    """Return the predicate for Resource (or NotResource) patterns over whole ARNs."""
    static = [pattern.text for pattern in patterns if pattern.is_static]
    dynamic = tuple(pattern for pattern in patterns if not pattern.is_static)
    exact = frozenset(text for text in static if is_plain(text))
    prefixes = tuple(text[:-1] for text in static if _is_prefix(text))
    others = tuple(
        compile_text(text) for text in static if text not in exact and not _is_prefix(text)
    )

    def covers_plain(resource: str, _: RequestContext) -> bool:
        return resource.startswith(prefixes) or resource in exact

    if not dynamic and not others and not negated:
        return covers_plain

    def covers(resource: str, context: RequestContext) -> bool:
        found = (
            resource.startswith(prefixes)
            or resource in exact
            or any(test(resource) for test in others)
            or any(test(resource) for test in _resolved(dynamic, context))
        )
        return found is not negated

    return covers


def _is_prefix(text: str) -> bool:
    return text.endswith(STAR) and is_plain(text[:-1])


def _resolved(patterns: tuple[Pattern, ...], context: RequestContext) -> list[Test]:
    if not patterns:
        return []
    lookup = lookup_for(context)
    texts = [pattern.resolve(lookup) for pattern in patterns]
    return [compile_resolved(text) for text in texts if text is not None]

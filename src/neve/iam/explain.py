"""Why a decision is what it is: the decision, and every statement that names the action.

For people who ask why somebody may or may not do something; no request needs it. It asks the same
`decide` and the same predicates that requests are decided with, so it cannot say otherwise.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from neve.iam.conditions import Condition
from neve.iam.context import RequestContext, extractor
from neve.iam.evaluate import decide, resource_arn
from neve.iam.policies import Policy
from neve.iam.principals import Principal
from neve.iam.statements import Decision, Statement, Verdict


class Considered(NamedTuple):
    """A statement that names the action, and whether it is about this request."""

    policy: str
    """`bucket policy`, `policy NAME`, or `policy of access key ID`."""
    statement: str
    """Its Sid, or `NO_ID-` and its place in the document."""
    effect: str
    """`Allow` or `Deny`."""
    applies: bool
    why: str
    """Why it does not apply; empty when it does."""


class Explanation(NamedTuple):
    """The answer to `explain`."""

    principal: str
    action: str
    resource: str
    decision: Decision
    considered: tuple[Considered, ...]
    policies: tuple[str, ...]
    """Those of the principal: of its user, its groups and the access key that signs."""

    def as_data(self) -> dict[str, Any]:
        """Return it as plain values, for JSON."""
        found = self.decision
        return {
            "principal": self.principal,
            "action": self.action,
            "resource": self.resource,
            "allowed": found.allowed,
            "reason": found.reason,
            "policy": found.policy,
            "statement": "" if found.statement is None else found.statement.label,
            "considered": [each._asdict() for each in self.considered],
            "policies": list(self.policies),
        }


def explain(
    principal: Principal,
    action: str,
    bucket: str,
    key: str | None,
    context: RequestContext,
    *,
    bucket_owner: str = "",
    policy: Policy | None = None,
    acl: Callable[[], bool] | None = None,
) -> Explanation:
    """Explain the decision about one action, spelt as in `neve.iam.actions`.

    `policy` is the bucket's; `acl` says whether an access control list allows it.
    """
    decision = decide(principal, bucket_owner, policy, action, bucket, key, context, acl)
    resource = resource_arn(bucket, key)
    context.bucket_owner = bucket_owner
    policies: list[Policy] = []
    for rights in (principal.limit, principal.rights):
        policies += () if rights is None else rights.policies
    names = [statement.policy for each in policies for statement in each.statements]
    policies += () if policy is None else (policy,)
    considered = tuple(
        _consider(statement, principal, resource, context)
        for each in policies
        for statement in each.by_action.get(action, ())
    )
    who = principal.arn or "anonymous"
    return Explanation(who, action, resource, decision, considered, tuple(dict.fromkeys(names)))


def _consider(
    statement: Statement, principal: Principal, resource: str, context: RequestContext
) -> Considered:
    why = ""
    if not statement.everyone and not statement.principals.include(principal, statement.effect):
        why = "it is about other principals"
    elif not statement.covers(resource, context):
        why = "it is about other resources"
    else:
        failed = [_said(each, context) for each in statement.conditions if not each.check(context)]
        if failed:
            why = "these conditions do not hold: " + "; ".join(failed)
    effect = "Allow" if statement.effect is Verdict.ALLOW else "Deny"
    return Considered(statement.policy, statement.label, effect, not why, why)


def _said(condition: Condition, context: RequestContext) -> str:
    operator = condition.operator
    name = f"{operator.quantifier}:{operator.base}" if operator.quantifier else operator.base
    if operator.if_exists:
        name += "IfExists"
    extract = extractor(condition.key)
    value = None if extract is None else extract(context)
    has = "absent" if value is None else repr(value)
    return f"{name} {condition.key} {list(condition.values)} (it is {has})"

"""Explanations: the decision of `decide`, and each statement that names the action with its why."""

import json
from typing import Any

from neve.iam.context import RequestContext
from neve.iam.evaluate import decide
from neve.iam.explain import Explanation, explain
from neve.iam.policies import Policy, Rights, parse_policy, parse_user_policy
from neve.iam.principals import ANONYMOUS, Principal, root_principal, user_principal

HERE, THERE = "127.0.0.1", "192.0.2.7"


def document(*statements: dict[str, Any]) -> bytes:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}).encode()


def allow(**more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bkt/*", **more}


def policy(name: str, *statements: dict[str, Any]) -> Policy:
    return parse_user_policy(document(*statements), name)


NEAR = {"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
READS = policy("reads", allow(Sid="Near", Condition=NEAR), allow(Resource="arn:aws:s3:::other/*"))
NOT_PRIVATE = policy("not-private", allow(Effect="Deny", Resource="arn:aws:s3:::*/private/*"))
AMY = user_principal("amy", Rights((READS, NOT_PRIVATE)))


def ask(principal: Principal, key: str, ip: str = HERE, **more: Any) -> Explanation:
    context = RequestContext(principal, ip)
    return explain(principal, "s3:GetObject", "bkt", key, context, **more)


def test_an_allowed_request_names_the_statement_that_allows_it() -> None:
    found = ask(AMY, "open/a")
    assert found.as_data() == {
        "principal": "arn:aws:iam::000000000000:user/amy",
        "action": "s3:GetObject",
        "resource": "arn:aws:s3:::bkt/open/a",
        "allowed": True,
        "reason": "policy reads allows",
        "policy": "policy reads",
        "statement": "Near",
        "considered": [
            {
                "policy": "policy reads", "statement": "Near", "effect": "Allow",
                "applies": True, "why": "",
            },
            {
                "policy": "policy reads", "statement": "NO_ID-1", "effect": "Allow",
                "applies": False, "why": "it is about other resources",
            },
            {
                "policy": "policy not-private", "statement": "NO_ID-0", "effect": "Deny",
                "applies": False, "why": "it is about other resources",
            },
        ],
        "policies": ["policy reads", "policy not-private"],
    }  # fmt: skip


def test_a_deny_wins_and_is_named() -> None:
    found = ask(AMY, "private/a")
    assert not found.decision.allowed
    assert found.decision.reason == "policy not-private denies"
    assert [each.policy for each in found.considered if each.applies] == [
        "policy reads",
        "policy not-private",
    ]


def test_a_condition_that_does_not_hold_is_shown_with_what_the_request_has() -> None:
    found = ask(AMY, "open/a", THERE)
    assert found.decision == (False, "nothing allows it", None)
    why = found.considered[0].why
    assert "IpAddress aws:sourceip ['127.0.0.0/8'] (it is '192.0.2.7')" in why


def test_bucket_policies_limits_and_lists_have_their_say() -> None:
    named = {"AWS": "arn:aws:iam::000000000000:user/bob"}
    of_bucket = parse_policy(document(allow(Principal=named)), "bkt")
    found = ask(AMY, "open/a", THERE, policy=of_bucket)
    assert found.considered[-1] == (
        "bucket policy", "NO_ID-0", "Allow", False, "it is about other principals",
    )  # fmt: skip
    assert ask(user_principal("bob"), "a", policy=of_bucket).decision.policy == "bucket policy"
    limit = Rights((policy("of access key K", allow(Action="s3:PutObject")),))
    limited = root_principal("root", limit)
    assert ask(limited, "a").decision.reason == "the policy of the access key does not allow it"
    assert ask(ANONYMOUS, "a", acl=lambda: True).decision.reason == "access control list allows"
    assert ask(ANONYMOUS, "a", acl=lambda: False).principal == "anonymous"
    assert ask(root_principal("root"), "a").decision.reason == "root"


def test_an_explanation_never_says_otherwise_than_the_decision() -> None:
    for principal in (AMY, user_principal("bob"), ANONYMOUS, root_principal("root")):
        for key in ("open/a", "private/a"):
            for ip in (HERE, THERE):
                context = RequestContext(principal, ip)
                decision = decide(principal, "", None, "s3:GetObject", "bkt", key, context)
                assert ask(principal, key, ip).decision == decision

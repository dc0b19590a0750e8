"""`neve.iam` against an independent evaluator, over generated policies and requests."""

import json
from collections import Counter
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.iam.reference import ROOT_ARN, Asked, Held, permitted, verdict

from neve.errors import MalformedPolicy
from neve.iam.acls import ALL_USERS, AUTHENTICATED_USERS, Acl, Grant
from neve.iam.acls import BUCKET_ACTIONS as BUCKET_ACTIONS_OF_ACLS
from neve.iam.acls import OBJECT_ACTIONS as OBJECT_ACTIONS_OF_ACLS
from neve.iam.context import RequestContext
from neve.iam.evaluate import decide, evaluate_bucket_policy, resource_arn
from neve.iam.policies import Policy, Rights, parse_policy, parse_user_policy
from neve.iam.principals import (
    ANONYMOUS,
    Principal,
    root_principal,
    user_canonical_id,
    user_principal,
)
from neve.iam.statements import Verdict

BUCKET = "bkt"
OBJECT_ACTIONS = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
BUCKET_ACTIONS = ["s3:ListBucket", "s3:GetBucketPolicy", "s3:ListBucketVersions"]
ACTION_PATTERNS = [*OBJECT_ACTIONS, *BUCKET_ACTIONS, "*", "s3:*", "s3:Get*", "S3:getobject"]
ACTION_PATTERNS += ["s3:*Object", "s3:ListBucket*", "s3:?etObject"]
USERS = ["amy", "bob", "*"]
TIME = 1_700_000_000

KEY_PIECES = ["a", "b", "/", "*", "?", "ab", "bb/", "${aws:username}", "${*}", "${?}", "${$}"]
KEY_PIECES += ["${aws:username, 'a'}", "${s3:prefix}", "${aws:nothing}"]
TEXTS = ["a", "A", "ab", "a*", "*", "?b", "${aws:username}", "${*}", "bob", ""]
IPS = ["10.0.0.0/8", "10.1.2.3", "127.0.0.1/32", "2001:db8::/32", "0.0.0.0/0"]
NUMBERS = ["0", "10", "10.5", "-1", 1000]
DATES = ["2023-11-14T22:13:20Z", "2023-11-14T23:13:20+01:00", str(TIME), "2030-01-01T00:00Z"]
ARNS = [ROOT_ARN, "arn:aws:iam::*:user/*", "arn:*:user/amy", "arn:aws:iam::000000000000:user/?my"]
TEXT_KEYS = ["aws:UserAgent", "aws:Referer", "s3:x-amz-acl", "aws:username", "AWS:PrincipalType"]
TEXT_KEYS += ["s3:ExistingObjectTag/t", "s3:RequestObjectTag/t", "s3:RequestObjectTagKeys"]

OPERATORS: list[tuple[str, list[str], list]] = [
    *((f"String{n}{kind}", TEXT_KEYS, TEXTS) for n in ("", "Not") for kind in ("Equals", "Like")),
    *((f"String{n}EqualsIgnoreCase", TEXT_KEYS, TEXTS) for n in ("", "Not")),
    *((f"{n}IpAddress", ["aws:SourceIp"], IPS) for n in ("", "Not")),
    *((f"Arn{kind}", ["aws:PrincipalArn"], ARNS) for kind in ("Like", "NotLike", "Equals")),
    ("Bool", ["aws:SecureTransport"], ["true", "False", True, False]),
    ("BinaryEquals", ["aws:UserAgent"], ["YQ==", "YWI="]),
]
for _name in ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan"):
    OPERATORS.append((f"Numeric{_name}", ["aws:UserAgent", "aws:EpochTime"], NUMBERS))
    OPERATORS.append((f"Date{_name}", ["aws:CurrentTime", "aws:epochtime"], DATES))


def some(random: Random, pool: list, most: int) -> list:
    return [random.choice(pool) for _ in range(random.randint(1, most))]


def make_resources(random: Random) -> list[str]:
    bucket = random.choice(["bkt", "bkt", "b*", "*", "bk?", "b*t"])
    head = random.choice(["bkt/", "bkt/", "*/", "bkt*", "*", "b?t/"])
    return [
        f"arn:aws:s3:::{each}" for each in (bucket, head + "".join(some(random, KEY_PIECES, 5)))
    ]


def make_principal(random: Random) -> object:
    users = [f"arn:aws:iam::000000000000:user/{name}" for name in ("amy", "bob")]
    named = {"AWS": some(random, [*users, ROOT_ARN, "000000000000", "*"], 3)}
    return random.choice(["*", {"AWS": "*"}, named, named])


def make_conditions(random: Random) -> dict:
    block: dict = {}
    for _ in range(random.randint(0, 2)):
        if random.randint(0, 5) == 0:
            name, key = "Null", random.choice(["aws:Referer", "s3:ExistingObjectTag/t"])
            values = some(random, ["true", "false", True], 1)
        else:
            base, its_keys, its_values = random.choice(OPERATORS)
            qualifier = random.choice(["", "", "ForAnyValue:", "ForAllValues:"])
            name = qualifier + base + random.choice(["", "IfExists"])
            key, values = random.choice(its_keys), some(random, its_values, 2)
        block.setdefault(name, {})[key] = values
    return block


def make_statement(random: Random) -> dict:
    effect = random.choice(["Allow", "Allow", "Deny"])
    negated = effect == "Deny" and random.randint(0, 3) == 0
    return {
        "Effect": effect,
        "NotPrincipal" if negated else "Principal": make_principal(random),
        random.choice(["Action", "Action", "NotAction"]): some(random, ACTION_PATTERNS, 2),
        random.choice(["Resource", "Resource", "NotResource"]): make_resources(random),
        "Condition": make_conditions(random),
    }


def make_policy(random: Random) -> dict:
    return {
        "Version": random.choice(["2012-10-17", "2012-10-17", "2008-10-17"]),
        "Statement": [make_statement(random) for _ in range(random.randint(1, 3))],
    }


def make_request(random: Random) -> Asked:
    small = ["a", "A", "ab", "b", "amy", "bob", "10", "*", "1000"]
    on_object = random.random() < 0.6
    kind = random.choice(["anonymous", "root", "user", "user"])
    names = ["user-agent", "referer", "x-amz-acl"]
    headers = {name: random.choice(small) for name in names if random.random() < 0.5}
    if random.random() < 0.5:
        headers["x-amz-tagging"] = random.choice(["t=a", "t=ab&a=b", "ab=1", "u=bob&t=A"])
    return Asked(
        kind=kind,
        user=random.choice(USERS) if kind == "user" else "",
        action=random.choice(OBJECT_ACTIONS if on_object else BUCKET_ACTIONS),
        bucket=BUCKET,
        key="".join(some(random, list("ab/*?$"), 6)) if on_object else None,
        ip=random.choice(["10.1.2.3", "127.0.0.1", "2001:db8::7", ""]),
        secure=random.random() < 0.5,
        epoch=TIME + random.randint(-1, 1),
        headers=headers,
        query={"prefix": random.choice(small)} if random.random() < 0.5 else {},
        tags={tag: random.choice(small) for tag in "tT" if random.random() < 0.4},
    )


def principal_of(asked: Asked) -> Principal:
    if asked.kind == "user":
        return user_principal(asked.user)
    return ANONYMOUS if asked.kind == "anonymous" else root_principal("key")


def context_of(asked: Asked) -> RequestContext:
    headers = {name.encode(): value.encode() for name, value in asked.headers.items()}
    context = RequestContext(principal_of(asked), asked.ip, asked.secure, headers, asked.query)
    context.time_us = asked.epoch * 1_000_000
    context.existing_tags = lambda: asked.tags
    return context


def accept(document: dict) -> Policy | None:
    """Return the policy; None when it is refused for the one reason the generator cannot avoid."""
    try:
        return parse_policy(json.dumps(document).encode(), BUCKET)
    except MalformedPolicy as error:
        assert error.message == "Action does not apply to any resource(s) in statement"
        return None


def check_agreement(policy: Policy, document: dict, asked: Asked) -> str:
    """Assert that both evaluators say the same about the request; return what they say."""
    principal, context = principal_of(asked), context_of(asked)
    resource = resource_arn(BUCKET, asked.key)
    got = evaluate_bucket_policy(policy, principal, asked.action, resource, context)
    expected = verdict(document, asked)
    assert got.name.title() == expected, (document, asked)
    decision = decide(principal, "", policy, asked.action, BUCKET, asked.key, context)
    keeps = asked.kind == "root" and asked.action == "s3:GetBucketPolicy"
    not_denied = got is not Verdict.DENY and asked.kind == "root"
    assert decision.allowed == (keeps or not_denied or got is Verdict.ALLOW)
    return expected


def test_evaluation_agrees_with_the_reference_on_many_policies() -> None:
    """The counts show that the comparison is not vacuous."""
    random = Random(20261123)
    seen: Counter = Counter()
    for _ in range(2500):
        document = make_policy(random)
        policy = accept(document)
        if policy is None:
            seen["refused"] += 1
            continue
        for _ in range(6):
            seen[check_agreement(policy, document, make_request(random))] += 1
    assert seen["refused"] < 500, seen
    assert min(seen["Deny"], seen["Allow"], seen["Neutral"]) > 800, seen


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_evaluation_agrees_with_the_reference_and_shrinks(random: Random) -> None:
    """The same comparison where a difference is reduced to a small policy and request."""
    document = make_policy(random)
    policy = accept(document)
    for _ in range(4):
        if policy is not None:
            check_agreement(policy, document, make_request(random))


# Several policies together: those of a user, of its access key, of the bucket, and ACLs.


def make_user_policy(random: Random) -> dict:
    document = make_policy(random)
    for statement in document["Statement"]:
        statement.pop("Principal", None)
        statement.pop("NotPrincipal", None)
        if random.random() < 0.3:
            key = random.choice(["neve:BucketOwner", "neve:ObjectOwner"])
            owner = random.choice(["${neve:CanonicalId}", "somebody", "?*"])
            operator = random.choice(["StringEquals", "StringLike", "StringNotEquals"])
            statement["Condition"].setdefault(operator, {})[key] = [owner]
    return document


def make_held(random: Random, asked: Asked) -> Held:
    ids = ["all", "authenticated", asked.canonical_id, "somebody"]
    grants = [(grantee, each) for grantee in ids for each in ("READ", "WRITE")]
    reads = [(grantee, "READ") for grantee in ids]
    return Held(
        policies=[make_user_policy(random) for _ in range(random.randint(0, 3))],
        limit=make_user_policy(random) if random.random() < 0.3 else None,
        bucket_policy=make_policy(random) if random.random() < 0.5 else None,
        bucket_grants=set(some(random, grants, 2)) if random.random() < 0.3 else set(),
        object_grants=set(some(random, reads, 2)) if asked.key and random.random() < 0.3 else set(),
    )


def compiled(document: dict) -> Policy:
    return parse_user_policy(json.dumps(document).encode(), "p")


def acl_of(grants: set, owner: str) -> Acl:
    names = {"all": ALL_USERS, "authenticated": AUTHENTICATED_USERS}
    return Acl(owner, tuple(Grant(names.get(who, who), what) for who, what in sorted(grants)))


def compare_together(random: Random) -> bool | None:
    """Assert that `decide` permits what the reference does; None when a policy was refused."""
    asked = make_request(random)
    if asked.kind == "user":
        asked.canonical_id = user_canonical_id(asked.user)
    else:
        asked.canonical_id = principal_of(asked).canonical_id if asked.kind == "root" else ""
    owners = ["somebody", asked.canonical_id or "somebody"]
    asked.bucket_owner = random.choice(owners)
    asked.object_owner = random.choice(owners) if asked.key else ""
    held = make_held(random, asked)
    if asked.kind == "anonymous":
        held.policies, held.limit = [], None
    bucket_policy = None
    if held.bucket_policy is not None:
        bucket_policy = accept(held.bucket_policy)
        if bucket_policy is None:
            return None
    limit = None if held.limit is None else Rights((compiled(held.limit),))
    if asked.kind == "user":
        rights = Rights(tuple(map(compiled, held.policies)))
        principal = user_principal(asked.user, rights, limit)
    else:
        principal = root_principal("key", limit) if asked.kind == "root" else ANONYMOUS
    headers = {name.encode(): value.encode() for name, value in asked.headers.items()}
    context = RequestContext(principal, asked.ip, asked.secure, headers, asked.query)
    context.time_us = asked.epoch * 1_000_000
    context.existing_tags = lambda: asked.tags
    if asked.key:
        context.object_owner = lambda: asked.object_owner

    def by_acl() -> bool:
        wanted = OBJECT_ACTIONS_OF_ACLS.get(asked.action)
        if wanted is not None:
            return acl_of(held.object_grants, asked.object_owner).allows(principal, wanted)
        wanted = BUCKET_ACTIONS_OF_ACLS.get(asked.action)
        bucket_acl = acl_of(held.bucket_grants, asked.bucket_owner)
        return wanted is not None and bucket_acl.allows(principal, wanted)

    owner, key = asked.bucket_owner, asked.key
    got = decide(principal, owner, bucket_policy, asked.action, BUCKET, key, context, by_acl)
    expected = permitted(held, asked)
    assert got.allowed is expected, (got, held, asked)
    return expected


def test_all_policies_together_agree_with_the_reference() -> None:
    random = Random(20261128)
    seen = Counter(compare_together(random) for _ in range(12_000))
    assert seen[None] < 2500, seen
    assert min(seen[True], seen[False]) > 3000, seen


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_all_policies_together_agree_and_shrink(random: Random) -> None:
    compare_together(random)

"""What somebody may do under a prefix: tables of plain cases, and `decide` on drawn requests."""

import json
import random
from typing import Any

import pytest

from neve.iam.canned import canned_policy
from neve.iam.context import RequestContext
from neve.iam.evaluate import decide
from neve.iam.policies import Policy, Rights, parse_policy, parse_user_policy
from neve.iam.principals import ANONYMOUS, Principal, root_principal, user_principal
from neve.iam.reach import May, Place, reach

BUCKET = "bkt"
OWNER = user_principal("olga").canonical_id
ALICE = user_principal("alice").canonical_id
READ, LIST, WRITE, DELETE = "s3:GetObject", "s3:ListBucket", "s3:PutObject", "s3:DeleteObject"
RULE = "s3:PutBucketPolicy"
Document = dict[str, Any]


def say(effect: str, action: Any, *places: str, **conditions: Any) -> Document:
    statement: Document = {
        "Effect": effect,
        "Action": action,
        "Resource": [f"arn:aws:s3:::{place}" for place in places],
    }
    if conditions:
        statement["Condition"] = {
            operator: {key: value} for operator, (key, value) in conditions.items()
        }
    return statement


def document(*statements: Document) -> bytes:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)}).encode()


def rights(*statements: Document) -> Rights:
    return Rights((parse_user_policy(document(*statements), "own"),))


def bucket_policy(*statements: Document) -> Policy:
    every = [{"Principal": "*", **each} for each in statements]
    return parse_policy(document(*every), BUCKET)


def alice(*statements: Document, limit: Rights | None = None) -> Principal:
    return user_principal("alice", rights(*statements), limit, ("staff",))


def canned(name: str) -> Principal:
    found = canned_policy(name)
    assert found is not None
    return user_principal("alice", Rights((parse_user_policy(found.document, name),)))


def at(
    prefix: str = "",
    policy: Policy | None = None,
    *,
    owner: str = OWNER,
    writers: tuple[str, ...] = (),
    restricted: bool = False,
) -> Place:
    return Place(BUCKET, prefix, owner, policy, lambda: frozenset(writers), restricted)


PUBLIC = bucket_policy(say("Allow", READ, "bkt/pub/*"), say("Allow", LIST, "bkt"))
IN_HOUSE = bucket_policy(say("Allow", READ, "bkt/*", IpAddress=("aws:SourceIp", "10.0.0.0/8")))
TLS_ONLY = bucket_policy(say("Deny", "s3:*", "bkt", "bkt/*", Bool=("aws:SecureTransport", "false")))
LISTER = say("Allow", LIST, "bkt", StringLike=("s3:prefix", ["a/*"]))
HOME = say("Allow", READ, "bkt/home/${aws:username}/*")
HIDDEN = say("Deny", "s3:*", "bkt/secret/*")
NOT_A = {"Effect": "Allow", "Action": READ, "NotResource": "arn:aws:s3:::bkt/a/*"}
READ_ALL = say("Allow", READ, "bkt/*")

TABLE: list[tuple[Principal, str, Place, May]] = [
    (ANONYMOUS, READ, at(), May.NO),
    (ANONYMOUS, READ, at("", PUBLIC), May.PARTLY),
    (ANONYMOUS, READ, at("pub/", PUBLIC), May.YES),
    (ANONYMOUS, READ, at("pub/x", PUBLIC), May.YES),
    (ANONYMOUS, READ, at("pu", PUBLIC), May.PARTLY),
    (ANONYMOUS, READ, at("priv/", PUBLIC), May.NO),
    (ANONYMOUS, LIST, at("priv/", PUBLIC), May.YES),
    (ANONYMOUS, WRITE, at("pub/", PUBLIC), May.NO),
    (ANONYMOUS, READ, at("pub/", PUBLIC, restricted=True), May.NO),
    (ANONYMOUS, READ, at("", IN_HOUSE), May.DEPENDS),
    (root_principal("r"), READ, at(), May.YES),
    (root_principal("r"), READ, at("", TLS_ONLY), May.DEPENDS),
    (root_principal("r"), RULE, at("", TLS_ONLY), May.YES),
    (root_principal("r", rights(READ_ALL)), READ, at(), May.YES),
    (root_principal("r", rights(READ_ALL)), WRITE, at(), May.NO),
    (canned("readonly"), READ, at(), May.YES),
    (canned("readonly"), LIST, at(), May.NO),
    (canned("readonly"), READ, at("", PUBLIC), May.YES),
    (canned("readwrite"), RULE, at(), May.YES),
    (canned("reader:bkt"), LIST, at(), May.YES),
    (canned("reader:bkt/a/"), LIST, at(), May.PARTLY),
    (canned("reader:bkt/a/"), LIST, at("a/"), May.YES),
    (canned("reader:bkt/a/"), LIST, at("b/"), May.NO),
    (canned("reader:bkt/a/"), READ, at(), May.PARTLY),
    (canned("reader:other"), READ, at(), May.NO),
    (canned("contributor:bkt/a/"), WRITE, at("a/b"), May.YES),
    (canned("selfservice"), WRITE, at(), May.NO),
    (canned("selfservice"), WRITE, at(owner=ALICE), May.YES),
    (canned("selfservice"), RULE, at(owner=ALICE), May.YES),
    (canned("selfservice"), READ, at(writers=(OWNER,)), May.NO),
    (canned("selfservice"), READ, at(writers=(OWNER, ALICE)), May.PARTLY),
    (canned("selfservice"), READ, at(writers=(ALICE,)), May.YES),
    (alice(LISTER), LIST, at(), May.PARTLY),
    (alice(LISTER), LIST, at("a/"), May.YES),
    (alice(LISTER), LIST, at("b"), May.NO),
    (alice(HOME), READ, at("home/"), May.PARTLY),
    (alice(HOME), READ, at("home/alice/"), May.YES),
    (alice(HOME), READ, at("home/bob/"), May.NO),
    (alice(READ_ALL, HIDDEN), READ, at(), May.PARTLY),
    (alice(READ_ALL, HIDDEN), READ, at("secret/"), May.NO),
    (alice(READ_ALL, HIDDEN), READ, at("open/"), May.YES),
    (alice(READ_ALL, limit=rights(say("Allow", READ, "bkt/a/*"))), READ, at(), May.PARTLY),
    (alice(READ_ALL, limit=rights(say("Allow", READ, "bkt/a/*"))), READ, at("a/"), May.YES),
    (alice(READ_ALL, limit=rights(say("Allow", LIST, "bkt"))), READ, at(), May.NO),
    (alice(NOT_A), READ, at(), May.PARTLY),
    (alice(NOT_A), READ, at("a/"), May.NO),
    (alice(NOT_A), READ, at("b/"), May.YES),
    (alice(say("Allow", READ, "bkt/*.csv")), READ, at(), May.PARTLY),
    (alice(say("Allow", READ, "bkt/" + "?" * 33)), READ, at(), May.PARTLY),
    (
        alice(say("Allow", READ, "bkt/*", StringEquals=("aws:PrincipalOrgID", "o"))),
        READ,
        at(),
        May.NO,
    ),
    (
        alice(say("Allow", READ, "bkt/*", StringEquals=("s3:ExistingObjectTag/a", "b"))),
        READ,
        at(),
        May.DEPENDS,
    ),
]


@pytest.mark.parametrize("case", range(len(TABLE)))
def test_plain_cases(case: int) -> None:
    principal, action, place, expected = TABLE[case]
    assert reach(principal, action, place).may is expected


def test_lists_of_access_count_when_policies_are_silent() -> None:
    found = reach(ANONYMOUS, LIST, at(), acl=True)
    assert (found.may, found.allowing[0].policy) == (May.YES, "access control list")
    denied = bucket_policy(say("Deny", LIST, "bkt"))
    assert reach(ANONYMOUS, LIST, at("", denied), acl=True).may is May.NO


def test_it_says_by_what() -> None:
    found = reach(alice({"Sid": "Mine", **READ_ALL}, HIDDEN), READ, at("", PUBLIC))
    assert [(share.policy, share.statement, share.may) for share in found.allowing] == [
        ("bucket policy", "NO_ID-0", May.PARTLY),
        ("policy own", "Mine", May.YES),
    ]
    assert [share.statement for share in found.denying] == ["NO_ID-1"]


# Against `decide`, on requests that are drawn.

ACTIONS = (READ, LIST, WRITE, DELETE, RULE)
PREFIXES = ("", "a", "a/", "a/b/", "b/", "home/alice/")
PLACES = (
    "bkt", "bkt/*", "bkt/a/*", "bkt/a*", "bkt/*/b/*", "bkt/?/*", "bkt/*.csv", "bkt/a/b/c",
    "bkt/home/${aws:username}/*", "bkt/${aws:groups}/*", "bkt/${aws:SourceIp}*", "*", "other/*",
    "bkt/${aws:PrincipalOrgID, 'a'}/*",
)  # fmt: skip
CONDITIONS: tuple[tuple[str, str, Any], ...] = (
    ("IpAddress", "aws:SourceIp", "10.0.0.0/8"),
    ("NotIpAddress", "aws:SourceIp", "10.0.0.0/8"),
    ("Bool", "aws:SecureTransport", "true"),
    ("StringLike", "s3:prefix", ["a/*", ""]),
    ("StringLike", "s3:prefix", "home/${aws:username}/*"),
    ("StringEquals", "s3:prefix", "a/"),
    ("StringNotLike", "s3:prefix", "a/*"),
    ("StringNotEquals", "s3:prefix", ["a/", "b/"]),
    ("StringLikeIfExists", "s3:prefix", "a*"),
    ("StringEqualsIgnoreCase", "s3:prefix", "A/"),
    ("Null", "s3:prefix", "true"),
    ("StringEquals", "neve:BucketOwner", "${neve:CanonicalId}"),
    ("StringEquals", "neve:ObjectOwner", "${neve:CanonicalId}"),
    ("StringNotEquals", "neve:ObjectOwner", "${neve:CanonicalId}"),
    ("StringEquals", "aws:username", ["alice", "bob"]),
    ("StringNotEquals", "aws:username", "alice"),
    ("ForAnyValue:StringEquals", "aws:groups", "staff"),
    ("ForAllValues:StringEquals", "aws:groups", "others"),
    ("StringEquals", "s3:ExistingObjectTag/k", "v"),
    ("StringEquals", "s3:authType", "REST-HEADER"),
    ("Null", "aws:PrincipalOrgID", "true"),
    ("StringEquals", "s3:x-amz-acl", "private"),
    ("StringLike", "aws:UserAgent", "${aws:username}*"),
    ("StringEquals", "aws:username", "${aws:UserAgent, 'bob'}"),
)


def draw_statements(dice: random.Random) -> list[Document]:
    found = []
    for _ in range(dice.randrange(1, 4)):
        effect = dice.choice(("Allow", "Allow", "Deny"))
        places = [f"arn:aws:s3:::{place}" for place in dice.sample(PLACES, dice.randrange(1, 4))]
        name = "NotResource" if dice.random() < 0.15 else "Resource"
        statement: Document = {"Effect": effect, "Action": ["s3:*"], name: places}
        for operator, key, value in dice.sample(CONDITIONS, dice.choice((0, 0, 1, 1, 2))):
            statement.setdefault("Condition", {}).setdefault(operator, {})[key] = value
        found.append(statement)
    return found


def draw_request(
    dice: random.Random, principal: Principal, action: str, place: Place
) -> tuple[str | None, RequestContext]:
    tail = dice.choice(("x", "b/x", "a/b/c", "k.csv", "/", "home/alice/k", "10.1.1.1", "z/é"))
    on_objects = action in (READ, WRITE, DELETE)
    context = RequestContext(
        principal,
        dice.choice(("10.1.1.1", "192.0.2.1")),
        dice.random() < 0.5,
        {} if dice.random() < 0.5 else {b"x-amz-acl": b"private", b"user-agent": b"alice"},
        {"prefix": place.prefix + dice.choice(("", tail))} if action == LIST else {},
        "" if principal.kind == "anonymous" else dice.choice(("REST-HEADER", "POST")),
    )
    context.existing_tags = lambda: {"k": dice.choice(("v", "w"))}
    if on_objects:
        owners = sorted(place.writers()) or [""]
        owner = dice.choice([*owners, ""] if action == WRITE else owners)
        context.object_owner = lambda: owner
    return (place.prefix + tail if on_objects else None), context


def draw_principal(dice: random.Random) -> Principal:
    limit = rights(*draw_statements(dice)) if dice.random() < 0.3 else None
    kind = dice.randrange(6)
    if kind == 0:
        return ANONYMOUS
    if kind == 1:
        return root_principal("r", limit)
    return user_principal("alice", rights(*draw_statements(dice)), limit, ("staff",))


@pytest.mark.parametrize("seed", range(40))
def test_what_is_certain_holds_for_every_request(seed: int) -> None:
    dice = random.Random(f"reach {seed}")
    said = dict.fromkeys(May, 0)
    for _ in range(60):
        principal = draw_principal(dice)
        policy = bucket_policy_of(draw_statements(dice)) if dice.random() < 0.5 else None
        writers = tuple(dice.sample((OWNER, ALICE, "f" * 64), dice.randrange(3)))
        owner = dice.choice((OWNER, ALICE))
        place = at(dice.choice(PREFIXES), policy, owner=owner, writers=writers)
        action, acl = dice.choice(ACTIONS), dice.random() < 0.2
        found = reach(principal, action, place, acl=acl)
        said[found.may] += 1
        if found.may not in (May.YES, May.NO):
            continue
        for _ in range(30):
            key, context = draw_request(dice, principal, action, place)
            allowed = decide(
                principal, owner, policy, action, BUCKET, key, context, lambda acl=acl: acl
            ).allowed
            assert allowed is (found.may is May.YES), (found, action, place, key, context.query)
    assert said[May.YES]
    assert said[May.NO]


def bucket_policy_of(statements: list[Document]) -> Policy | None:
    """A bucket's policy of the same statements, where their resources are its own."""
    kept = []
    for statement in statements:
        name = "Resource" if "Resource" in statement else "NotResource"
        places = [each for each in statement[name] if each.startswith("arn:aws:s3:::bkt")]
        if places:
            kept.append(statement | {name: places})
    kept = [each for each in kept if "s3:prefix" not in json.dumps(each)]
    return bucket_policy(*kept) if kept else None

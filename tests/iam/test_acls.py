"""ACLs as values: what canned ones grant, and what grants allow, against a table of AWS's words."""

from itertools import product

import pytest

from neve.iam.acls import (
    ALL_USERS,
    AUTHENTICATED_USERS,
    BUCKET_ACTIONS,
    FULL_CONTROL,
    OBJECT_ACTIONS,
    PERMISSIONS,
    READ,
    READ_ACP,
    WRITE,
    Acl,
    Grant,
    canned_acl,
    pack_acl,
    private_acl,
    unpack_acl,
)
from neve.iam.actions import ACTIONS
from neve.iam.principals import ANONYMOUS, Principal, root_principal, user_principal

ROOT, AMY, BOB = root_principal("key"), user_principal("amy"), user_principal("bob")
SPECIFIC = sorted(PERMISSIONS - {FULL_CONTROL})

# AWS: "Canned ACL", the grants beside the owner's FULL_CONTROL.
CANNED = {
    "private": [],
    "public-read": [(ALL_USERS, READ)],
    "public-read-write": [(ALL_USERS, READ), (ALL_USERS, WRITE)],
    "authenticated-read": [(AUTHENTICATED_USERS, READ)],
    "aws-exec-read": [],
    "bucket-owner-read": [(AMY.canonical_id, READ)],
    "bucket-owner-full-control": [(AMY.canonical_id, FULL_CONTROL)],
}


@pytest.mark.parametrize("name", CANNED)
def test_canned_acls_grant_what_aws_says(name: str) -> None:
    acl = canned_acl(name, "object", BOB.canonical_id, AMY.canonical_id)
    assert acl is not None
    assert acl.owner == BOB.canonical_id
    expected = {(BOB.canonical_id, FULL_CONTROL), *CANNED[name]}
    assert set(acl.grants) == expected
    assert len(acl.grants) == len(expected)


@pytest.mark.parametrize("name", ["bucket-owner-read", "bucket-owner-full-control"])
def test_bucket_owner_acls_say_nothing_new_on_buckets_and_on_their_owners_objects(
    name: str,
) -> None:
    amy, bob = AMY.canonical_id, BOB.canonical_id
    assert canned_acl(name, "object", amy, amy) == private_acl(amy)
    assert canned_acl(name, "bucket", bob, amy) == private_acl(bob)


@pytest.mark.parametrize("name", ["", "public", "Private", "log-delivery-write", "READ"])
def test_other_names_are_no_canned_acls(name: str) -> None:
    assert canned_acl(name, "bucket", AMY.canonical_id, AMY.canonical_id) is None


def who_gets(acl: Acl, permission: str) -> set[str]:
    people: dict[str, Principal] = {"anonymous": ANONYMOUS, "root": ROOT, "amy": AMY, "bob": BOB}
    return {name for name, person in people.items() if acl.allows(person, permission)}


@pytest.mark.parametrize("permission", SPECIFIC)
def test_a_grant_reaches_its_grantees_and_nobody_else(permission: str) -> None:
    for grantee, reached in (
        (ALL_USERS, {"anonymous", "root", "amy", "bob"}),
        (AUTHENTICATED_USERS, {"root", "amy", "bob"}),
        (BOB.canonical_id, {"bob"}),
    ):
        for granted in (permission, FULL_CONTROL):
            # Owned by somebody else altogether, so that ownership gives nothing.
            acl = Acl("0" * 64, (Grant(grantee, granted),))
            assert who_gets(acl, permission) == reached


def test_a_grant_allows_no_other_permission() -> None:
    for granted, asked in product(SPECIFIC, SPECIFIC):
        acl = Acl("0" * 64, (Grant(ALL_USERS, granted),))
        assert acl.allows(ANONYMOUS, asked) is (granted == asked)


def test_an_acl_gives_rights_to_others_than_its_owner() -> None:
    """What a user owns it rules by its policies, so that these can be taken away."""
    acl = private_acl(AMY.canonical_id)
    assert not any(acl.allows(AMY, p) for p in SPECIFIC)
    assert not any(acl.allows(BOB, p) for p in SPECIFIC)
    acl = Acl(AMY.canonical_id, (Grant(AUTHENTICATED_USERS, READ),))
    assert {p for p in SPECIFIC if acl.allows(AMY, p)} == {READ}


def test_what_nobody_owns_is_not_in_the_hands_of_the_anonymous() -> None:
    """The anonymous principal has a canonical id too, which must never count."""
    acl = Acl(ANONYMOUS.canonical_id, (Grant(ANONYMOUS.canonical_id, FULL_CONTROL),))
    assert not any(acl.allows(ANONYMOUS, p) for p in SPECIFIC)


def test_without_groups_only_names_count() -> None:
    grants = (
        Grant(ALL_USERS, READ),
        Grant(AUTHENTICATED_USERS, READ),
        Grant(BOB.canonical_id, READ),
    )
    acl = Acl(AMY.canonical_id, grants)
    assert acl.allows(BOB, READ, groups=False)
    assert not acl.allows(ANONYMOUS, READ, groups=False)
    assert not acl.allows(ROOT, READ, groups=False)


def test_public_is_what_grants_anything_to_a_group() -> None:
    amy, bob = AMY.canonical_id, BOB.canonical_id
    assert not Acl(amy, (Grant(amy, FULL_CONTROL), Grant(bob, READ))).is_public
    for group in (ALL_USERS, AUTHENTICATED_USERS):
        assert Acl(amy, (Grant(amy, FULL_CONTROL), Grant(group, READ_ACP))).is_public


def test_gives_only_to() -> None:
    amy, bob = AMY.canonical_id, BOB.canonical_id
    acl = Acl(amy, (Grant(amy, FULL_CONTROL), Grant(bob, READ)))
    assert acl.gives_only_to(amy, bob)
    assert not acl.gives_only_to(amy)
    assert not Acl(amy, (Grant(ALL_USERS, READ),)).gives_only_to(amy, bob)


def test_actions_are_real_and_of_the_right_target() -> None:
    assert {ACTIONS[action] for action in OBJECT_ACTIONS} == {"object"}
    assert set(BUCKET_ACTIONS) | set(OBJECT_ACTIONS) <= set(ACTIONS)
    assert not set(BUCKET_ACTIONS) & set(OBJECT_ACTIONS)
    # What acts on objects by a grant on the bucket is writing, and nothing that reads their bytes.
    on_objects = {a for a in BUCKET_ACTIONS if ACTIONS[a] == "object"}
    assert {BUCKET_ACTIONS[action] for action in on_objects} == {WRITE}


@pytest.mark.parametrize("name", CANNED)
def test_the_stored_form_gives_the_same_acl_back(name: str) -> None:
    acl = canned_acl(name, "object", BOB.canonical_id, AMY.canonical_id)
    assert acl is not None
    assert unpack_acl(pack_acl(acl)) == acl
    assert unpack_acl(bytes(pack_acl(acl))) == acl

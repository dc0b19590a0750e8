"""Principals: what stays the same, and what a policy can see of them."""

import re

from neve.iam.principals import ANONYMOUS, root_principal, user_principal


def test_canonical_ids_are_distinct_stable_and_in_awss_form() -> None:
    everyone = [ANONYMOUS, root_principal("a"), user_principal("amy"), user_principal("root")]
    ids = [principal.canonical_id for principal in everyone]
    assert len(set(ids)) == 4
    assert all(re.fullmatch(r"[0-9a-f]{64}", each) for each in ids)
    assert root_principal("other key").canonical_id == root_principal("a").canonical_id
    # Stored as owner of buckets: a change here would orphan them.
    assert ids[1] == "97483bf17b73e2e1181a9a09d25ee486646ea3077c21fa75eac2cedc74d1dc8b"


def test_arns_name_the_account() -> None:
    assert root_principal("a").arn == "arn:aws:iam::000000000000:root"
    assert user_principal("amy").arn == "arn:aws:iam::000000000000:user/amy"
    assert ANONYMOUS.arn == ANONYMOUS.account == ""

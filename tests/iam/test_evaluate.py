"""Decisions: AWS's documented examples, what `mc` and s3-tests send, and who may do what."""

import json
import time

import pytest

from neve.iam.context import RequestContext
from neve.iam.evaluate import Decision, decide, may_know_absence
from neve.iam.policies import Policy, parse_policy
from neve.iam.principals import ANONYMOUS, Principal, root_principal, user_principal

ROOT = root_principal("admin")
AMY = user_principal("amy")
BOB = user_principal("bob")
OWNER = ROOT.canonical_id
EVERYTHING = ["arn:aws:s3:::bkt", "arn:aws:s3:::bkt/*"]


def policy_of(*statements: dict, version: str = "2012-10-17") -> Policy:
    return parse_policy(json.dumps({"Version": version, "Statement": statements}).encode(), "bkt")


def allow(action: object, resource: object, principal: object = "*", **more: object) -> dict:
    return {
        "Effect": "Allow",
        "Principal": principal,
        "Action": action,
        "Resource": resource,
        **more,
    }


def deny(action: object, resource: object, principal: object = "*", **more: object) -> dict:
    return {**allow(action, resource, principal, **more), "Effect": "Deny"}


def ask(
    policy: Policy | None,
    principal: Principal,
    action: str,
    key: str | None = None,
    **request: object,
) -> Decision:
    context = RequestContext(principal, **request)
    return decide(principal, OWNER, policy, "s3:" + action, "bkt", key, context)


def test_without_a_policy_only_root_is_allowed() -> None:
    assert ask(None, ROOT, "PutObject", "k") == (True, "root", None)
    for principal in (ANONYMOUS, AMY):
        assert ask(None, principal, "GetObject", "k") == (False, "nothing allows it", None)


def test_anonymous_is_named_by_a_star_only() -> None:
    for principal in ("*", {"AWS": "*"}, {"AWS": ["*"]}):
        policy = policy_of(allow("s3:GetObject", "arn:aws:s3:::bkt/*", principal))
        assert ask(policy, ANONYMOUS, "GetObject", "k").allowed
        assert not ask(policy, ANONYMOUS, "PutObject", "k").allowed
        assert not ask(policy, ANONYMOUS, "GetObject").allowed
    for principal in (
        {"AWS": "000000000000"},
        {"AWS": AMY.arn},
        {"CanonicalUser": ANONYMOUS.canonical_id},
        {"Service": "s3.amazonaws.com"},
    ):
        policy = policy_of(allow("s3:GetObject", "arn:aws:s3:::bkt/*", principal))
        assert not ask(policy, ANONYMOUS, "GetObject", "k").allowed


@pytest.mark.parametrize(
    "named",
    [AMY.arn, "arn:aws:iam:::user/amy", [BOB.arn, AMY.arn]],
)
def test_a_user_is_named_by_its_arn(named: object) -> None:
    policy = policy_of(allow("s3:GetObject", "arn:aws:s3:::bkt/*", {"AWS": named}))
    assert ask(policy, AMY, "GetObject", "k").allowed
    other = user_principal("amy2")
    assert not ask(policy, other, "GetObject", "k").allowed


def test_a_user_is_named_by_its_canonical_id() -> None:
    policy = policy_of(allow("s3:*", EVERYTHING, {"CanonicalUser": AMY.canonical_id}))
    assert ask(policy, AMY, "GetObject", "k").allowed
    assert not ask(policy, BOB, "GetObject", "k").allowed


def test_users_of_other_accounts_are_nobody_here() -> None:
    policy = policy_of(allow("s3:*", EVERYTHING, {"AWS": "arn:aws:iam::123456789012:user/amy"}))
    assert not ask(policy, AMY, "GetObject", "k").allowed


def test_naming_the_account_allows_root_alone_but_denies_everybody_in_it() -> None:
    account = {"AWS": "arn:aws:iam::000000000000:root"}
    allowing = policy_of(allow("s3:*", EVERYTHING, account))
    assert ask(allowing, ROOT, "GetObject", "k").reason == "bucket policy allows"
    assert not ask(allowing, AMY, "GetObject", "k").allowed
    denying = policy_of(allow("s3:*", EVERYTHING), deny("s3:PutObject", EVERYTHING, account))
    assert not ask(denying, AMY, "PutObject", "k").allowed
    assert not ask(denying, ROOT, "PutObject", "k").allowed
    assert ask(denying, ANONYMOUS, "PutObject", "k").allowed


def test_not_principal_denies_everybody_else() -> None:
    statement = deny("s3:GetObject", EVERYTHING)
    statement["NotPrincipal"] = {"AWS": [AMY.arn, "000000000000"]}
    del statement["Principal"]
    policy = policy_of(allow("s3:GetObject", EVERYTHING), statement)
    assert ask(policy, AMY, "GetObject", "k").allowed
    assert ask(policy, ROOT, "GetObject", "k").allowed
    assert not ask(policy, ANONYMOUS, "GetObject", "k").allowed


def test_a_deny_wins_wherever_it_stands_and_says_which_it_was() -> None:
    statements = [
        allow("s3:*", EVERYTHING, Sid="open"),
        deny("s3:DeleteObject", "arn:aws:s3:::bkt/keep/*", Sid="keep"),
    ]
    for order in (statements, statements[::-1]):
        policy = policy_of(*order)
        denied = ask(policy, AMY, "DeleteObject", "keep/k")
        assert (denied.allowed, denied.reason) == (False, "bucket policy denies")
        assert denied.statement is not None
        assert denied.statement.label == "keep"
        assert denied.statement.index == order.index(statements[1])
        allowed = ask(policy, AMY, "DeleteObject", "k")
        assert allowed.statement is not None
        assert (allowed.allowed, allowed.statement.label) == (True, "open")


def test_root_is_denied_but_never_locked_out() -> None:
    """AWS: API_PutBucketPolicy; s3-tests: test_bucket_policy_deny_self_denied_policy."""
    policy = policy_of(deny("s3:*", EVERYTHING))
    assert not ask(policy, ROOT, "GetObject", "k").allowed
    assert not ask(policy, ROOT, "DeleteBucket").allowed
    assert not ask(policy, ROOT, "GetBucketPolicyStatus").allowed
    for action in ("PutBucketPolicy", "GetBucketPolicy", "DeleteBucketPolicy"):
        assert ask(policy, ROOT, action) == (True, "root", None)
        assert not ask(policy, AMY, action).allowed


def test_not_action_and_not_resource() -> None:
    not_action = allow("x", "arn:aws:s3:::bkt/*")
    not_action["NotAction"] = ["s3:Delete*", "s3:PutObject"]
    del not_action["Action"]
    policy = policy_of(not_action)
    assert ask(policy, AMY, "GetObject", "k").allowed
    assert not ask(policy, AMY, "DeleteObject", "k").allowed
    assert not ask(policy, AMY, "PutObject", "k").allowed
    not_resource = allow("s3:GetObject", "x")
    not_resource["NotResource"] = "arn:aws:s3:::bkt/private/*"
    del not_resource["Resource"]
    policy = policy_of(not_resource)
    assert ask(policy, AMY, "GetObject", "public/k").allowed
    assert not ask(policy, AMY, "GetObject", "private/k").allowed


def test_variables_in_resources() -> None:
    policy = policy_of(allow("s3:*", "arn:aws:s3:::bkt/home/${aws:username}/*"))
    assert ask(policy, AMY, "PutObject", "home/amy/k").allowed
    assert not ask(policy, AMY, "PutObject", "home/bob/k").allowed
    assert not ask(policy, user_principal("*"), "PutObject", "home/bob/k").allowed
    assert not ask(policy, ANONYMOUS, "PutObject", "home//k").allowed


@pytest.mark.parametrize(
    ("key", "allowed"),
    [("a b", True), ("ü/é", True), ("a\nb", True), ("", True), ("//", True), ("x" * 1024, True)],
)
def test_keys_of_every_kind_match_a_star(key: str, allowed: bool) -> None:
    policy = policy_of(allow("s3:GetObject", "arn:aws:s3:::bkt/*"))
    assert ask(policy, ANONYMOUS, "GetObject", key).allowed is allowed


# Examples of "Examples of Amazon S3 bucket policies" (S3 User Guide).


def test_example_https_only() -> None:
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    policy = policy_of(
        allow("s3:GetObject", EVERYTHING), deny("s3:*", EVERYTHING, Condition=insecure)
    )
    assert ask(policy, ANONYMOUS, "GetObject", "k", secure=True).allowed
    assert not ask(policy, ANONYMOUS, "GetObject", "k").allowed
    assert not ask(policy, ROOT, "PutObject", "k").allowed


def test_example_addresses() -> None:
    condition = {"NotIpAddress": {"aws:SourceIp": ["192.0.2.0/24", "2001:DB8:1234:5678::/64"]}}
    policy = policy_of(allow("s3:*", EVERYTHING), deny("s3:*", EVERYTHING, Condition=condition))
    assert ask(policy, AMY, "GetObject", "k", source_ip="192.0.2.7").allowed
    assert ask(policy, AMY, "GetObject", "k", source_ip="2001:db8:1234:5678::9").allowed
    assert not ask(policy, AMY, "GetObject", "k", source_ip="198.51.100.1").allowed


def test_example_referer() -> None:
    condition = {
        "StringLike": {"aws:Referer": ["http://www.example.com/*", "http://example.com/*"]}
    }
    policy = policy_of(
        allow(["s3:GetObject", "s3:GetObjectVersion"], EVERYTHING[1], Condition=condition)
    )
    headers = {b"referer": b"http://www.example.com/page"}
    assert ask(policy, ANONYMOUS, "GetObject", "k", headers=headers).allowed
    assert not ask(policy, ANONYMOUS, "GetObject", "k").allowed


def test_example_home_folders() -> None:
    """IAM User Guide: "Allows access to user-specific folders"."""
    listing = {
        "StringEquals": {"s3:delimiter": ["/"]},
        "StringLike": {"s3:prefix": ["", "home/", "home/${aws:username}/*"]},
    }
    policy = policy_of(
        allow("s3:ListBucket", EVERYTHING[0], Condition=listing),
        allow("s3:*", "arn:aws:s3:::bkt/home/${aws:username}/*"),
    )
    for prefix, allowed in (
        ("", True),
        ("home/", True),
        ("home/amy/x", True),
        ("home/bob/", False),
    ):
        query = {"prefix": prefix, "delimiter": "/"}
        assert ask(policy, AMY, "ListBucket", query=query).allowed is allowed
    assert not ask(policy, AMY, "ListBucket", query={"prefix": "home/amy/"}).allowed
    assert not ask(policy, AMY, "ListBucket").allowed


def test_example_encryption_is_demanded() -> None:
    wrong = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "AES256"}}
    policy = policy_of(
        allow("s3:PutObject", EVERYTHING[1]), deny("s3:PutObject", EVERYTHING[1], Condition=wrong)
    )
    right = {b"x-amz-server-side-encryption": b"AES256"}
    assert ask(policy, AMY, "PutObject", "k", headers=right).allowed
    assert not ask(policy, AMY, "PutObject", "k").allowed


def test_example_full_control_for_the_owner() -> None:
    condition = {"StringEquals": {"s3:x-amz-acl": ["bucket-owner-full-control"]}}
    policy = policy_of(allow("s3:PutObject", EVERYTHING[1], {"AWS": AMY.arn}, Condition=condition))
    assert ask(
        policy, AMY, "PutObject", "k", headers={b"x-amz-acl": b"bucket-owner-full-control"}
    ).allowed
    assert not ask(policy, AMY, "PutObject", "k").allowed


def test_example_max_keys() -> None:
    too_many = {"NumericGreaterThan": {"s3:max-keys": 10}}
    policy = policy_of(
        allow("s3:ListBucket", EVERYTHING[0]),
        deny("s3:ListBucket", EVERYTHING[0], Condition=too_many),
    )
    assert ask(policy, AMY, "ListBucket", query={"max-keys": "10"}).allowed
    assert not ask(policy, AMY, "ListBucket", query={"max-keys": "1000"}).allowed


# What `mc anonymous set download|upload|public bkt/pub` puts, as minio-go builds it.

STAR = {"AWS": ["*"]}
LOCATION = {
    "Effect": "Allow",
    "Principal": STAR,
    "Action": ["s3:GetBucketLocation"],
    "Resource": [EVERYTHING[0]],
}
MC_LISTING = {
    "Action": ["s3:ListBucket"],
    "Condition": {"StringEquals": {"s3:prefix": ["pub"]}},
    "Effect": "Allow",
    "Principal": STAR,
    "Resource": [EVERYTHING[0]],
}
MC_UPLOADS = {**LOCATION, "Action": ["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"]}
MC_READ = {**LOCATION, "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::bkt/pub*"]}
MC_WRITE = {
    **MC_READ,
    "Action": [
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
    ],
}


@pytest.mark.parametrize(
    ("statements", "reads", "writes", "lists"),
    [
        ([LOCATION, MC_LISTING, MC_READ], True, False, True),
        ([MC_UPLOADS, MC_WRITE], False, True, False),
        ([MC_UPLOADS, MC_LISTING, MC_READ, MC_WRITE], True, True, True),
    ],
)
def test_mc_anonymous(statements: list[dict], reads: bool, writes: bool, lists: bool) -> None:
    policy = policy_of(*statements)
    assert policy.is_public
    assert ask(policy, ANONYMOUS, "GetBucketLocation").allowed
    assert ask(policy, ANONYMOUS, "GetObject", "pub/k").allowed is reads
    assert not ask(policy, ANONYMOUS, "GetObject", "private").allowed
    assert ask(policy, ANONYMOUS, "ListBucket", query={"prefix": "pub"}).allowed is lists
    assert not ask(policy, ANONYMOUS, "ListBucket").allowed
    for action in ("PutObject", "DeleteObject", "AbortMultipartUpload", "ListMultipartUploadParts"):
        assert ask(policy, ANONYMOUS, action, "pub/k").allowed is writes
        assert not ask(policy, ANONYMOUS, action, "k").allowed


# Documents of ceph/s3-tests that are not covered above.


def test_ceph_listing_policy_that_works_in_every_bucket() -> None:
    """s3-tests: test_bucket_policy_another_bucket. AWS refuses `arn:aws:s3:::*` there."""
    document = policy_of(allow("s3:ListBucket", ["arn:aws:s3:::*", "arn:aws:s3:::*/*"])).document
    policy = parse_policy(document, "other")
    context = RequestContext(AMY)
    assert decide(AMY, OWNER, policy, "s3:ListBucket", "other", None, context).allowed


def test_ceph_existing_and_requested_tags() -> None:
    """s3-tests: test_bucket_policy_get_obj_existing_tag, …_put_obj_request_obj_tag."""
    existing = {"StringEquals": {"s3:ExistingObjectTag/security": "public"}}
    requested = {"StringEquals": {"s3:RequestObjectTag/security": "public"}}
    policy = policy_of(
        allow("s3:GetObject", EVERYTHING[1], Condition=existing),
        allow("s3:PutObject", EVERYTHING[1], Condition=requested),
    )
    context = RequestContext(AMY)
    context.existing_tags = lambda: {"security": "public", "foo": "bar"}
    assert decide(AMY, OWNER, policy, "s3:GetObject", "bkt", "k", context).allowed
    context = RequestContext(AMY)
    context.existing_tags = lambda: {"security": "private"}
    assert not decide(AMY, OWNER, policy, "s3:GetObject", "bkt", "k", context).allowed
    assert ask(
        policy, AMY, "PutObject", "k", headers={b"x-amz-tagging": b"security=public"}
    ).allowed
    assert not ask(policy, AMY, "PutObject", "k").allowed


def test_ceph_copy_source_and_directive() -> None:
    """s3-tests: test_bucket_policy_put_obj_copy_source, …_copy_source_meta."""
    source = {"StringLike": {"s3:x-amz-copy-source": "src/public/*"}}
    directive = {"StringEquals": {"s3:x-amz-metadata-directive": "COPY"}}
    policy = policy_of(allow("s3:PutObject", EVERYTHING[1], Condition={**source, **directive}))
    headers = {b"x-amz-copy-source": b"src/public/foo", b"x-amz-metadata-directive": b"COPY"}
    assert ask(policy, AMY, "PutObject", "k", headers=headers).allowed
    headers[b"x-amz-copy-source"] = b"src/private/foo"
    assert not ask(policy, AMY, "PutObject", "k", headers=headers).allowed


def test_ceph_encryption_null() -> None:
    """s3-tests: test_encryption_sse_c_enforced_with_bucket_policy (root is denied too)."""
    name = "s3:x-amz-server-side-encryption-customer-algorithm"
    policy = policy_of(
        deny("s3:PutObject", EVERYTHING[1], {"AWS": "*"}, Condition={"Null": {name: "true"}})
    )
    assert not ask(policy, ROOT, "PutObject", "k").allowed
    headers = {b"x-amz-server-side-encryption-customer-algorithm": b"AES256"}
    assert ask(policy, ROOT, "PutObject", "k", headers=headers).allowed


def test_absence_is_told_to_those_who_may_list_the_key() -> None:
    """s3-tests: test_head_object_404_with_policy_prefix."""
    condition = {"StringLike": {"s3:prefix": "public/*"}}
    policy = policy_of(allow("s3:ListBucket", EVERYTHING[0], {"AWS": "*"}, Condition=condition))
    context = RequestContext(AMY)
    assert may_know_absence(AMY, OWNER, policy, "bkt", "public/object", context)
    assert not may_know_absence(AMY, OWNER, policy, "bkt", "private/object", context)
    assert not may_know_absence(AMY, OWNER, None, "bkt", "public/object", context)
    assert may_know_absence(ROOT, OWNER, None, "bkt", "public/object", RequestContext(ROOT))


def test_absence_keeps_the_other_conditions_of_the_request() -> None:
    policy = policy_of(
        allow(
            "s3:ListBucket", EVERYTHING[0], Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
        )
    )
    near, far = RequestContext(AMY, "10.0.0.1"), RequestContext(AMY, "11.0.0.1")
    assert may_know_absence(AMY, OWNER, policy, "bkt", "k", near)
    assert not may_know_absence(AMY, OWNER, policy, "bkt", "k", far)


def test_twenty_statements_with_conditions_cost_microseconds() -> None:
    """The budget is 10 µs on an idle core; the bound leaves room for a busy one."""
    conditions = [
        {"NotIpAddress": {"aws:SourceIp": ["127.0.0.0/8", "10.0.0.0/8"]}},
        {"StringLike": {"aws:Referer": "http://x.example/*"}},
        {"Bool": {"aws:SecureTransport": "true"}},
        {"StringEquals": {"s3:x-amz-acl": ["public-read", "public-read-write"]}},
        {"DateGreaterThan": {"aws:CurrentTime": "2099-01-01T00:00:00Z"}},
    ]
    make = (allow, deny)
    policy = policy_of(
        *(make[i % 2]("s3:*", EVERYTHING, Condition=conditions[i % 5]) for i in range(20))
    )
    headers = {b"user-agent": b"boto", b"referer": b"http://y.example/"}
    best = 1.0
    for _ in range(20):
        started = time.process_time()
        for _ in range(200):
            assert not ask(
                policy, ANONYMOUS, "GetObject", "k", source_ip="127.0.0.1", headers=headers
            ).allowed
        best = min(best, (time.process_time() - started) / 200)
    assert best < 50e-6

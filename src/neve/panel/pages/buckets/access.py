"""Who may use a bucket: its policy as rules, as statements and as a document; who can reach it."""

import json

from starlette.responses import Response

from neve.client import anonymous, bucket_acls, bucket_policy
from neve.client.anonymous import LIST, PERMISSIONS, READ, WRITE, Grants
from neve.client.errors import ServerError
from neve.panel.pages.buckets._forms import (
    PROBLEMS,
    Wrong,
    json_of,
    mark_of,
    number,
    prefix_in,
    raw,
    reason,
)
from neve.panel.pages.buckets._reach import reach
from neve.panel.pages.buckets._settings import bucket_of, page, path_of
from neve.panel.routing import get, post
from neve.panel.visit import Visit

PATH = "/buckets/{bucket}/access"
WORDS = ("none", "download", "upload", "public")
ASKED = ("s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:PutBucketPolicy")
_DELETE = frozenset(("s3:DeleteObject",))
_FOR_ALL = {"list": frozenset((LIST,)), "read": READ, "write": WRITE - _DELETE, "delete": _DELETE}


def show(visit: Visit) -> Response:
    """What is so, and the forms."""
    return _show(visit)


def change(visit: Visit) -> Response:
    """Do what one of the forms says to the policy."""
    bucket, server = bucket_of(visit), visit.s3
    try:
        if visit.field("what") == "document":
            _put_document(visit, bucket)
        else:
            grants = anonymous.read(server, bucket)
            _CHANGES.get(visit.field("what"), _nothing)(visit, grants)
            anonymous.write(server, grants)
    except PROBLEMS as error:
        sentence, status = reason(visit, error)
        if isinstance(error, ServerError) and error.denied:
            sentence = f"{sentence} {_blocked(visit, bucket)}".strip()
        return _show(visit, sentence, status)
    visit.tell(visit._("The access was changed."))
    return visit.go(path_of(bucket, "access"))


def _private(visit: Visit, grants: Grants) -> None:
    grants.close()


def _readable(visit: Visit, grants: Grants) -> None:
    grants.rules[""] = grants.rules.get("", set()) | PERMISSIONS["download"]


def _rule(visit: Visit, grants: Grants) -> None:
    """What everybody may do under a prefix, in one of the words."""
    word = visit.field("permission")
    if word not in PERMISSIONS:
        raise Wrong(visit._("Say what everybody may do there."))
    prefix = _prefix(visit)
    grants.rules[prefix] = set(PERMISSIONS[word])
    if not visit.field("listing"):
        grants.rules[prefix].discard(LIST)


def _grant(visit: Visit, grants: Grants) -> None:
    """What somebody may do, by a form of the common cases."""
    uses = [use for use in bucket_policy.USES if use in visit.fields("uses")]
    if not uses:
        raise Wrong(visit._("Say what they may do."))
    prefix = _prefix(visit)
    if visit.field("who") == "everybody":
        for use in uses:
            grants.rules.setdefault(prefix, set()).update(_FOR_ALL[use])
        return
    name = visit.field("name")
    if not name:
        raise Wrong(visit._("Say who."))
    new = bucket_policy.allowing(grants.bucket, name, uses, prefix)
    grants.others += [each for each in new if each not in grants.others]


def _take(visit: Visit, grants: Grants) -> None:
    """Take a statement out."""
    place = number(visit, "place", 0)
    seen = visit.field("mark")
    if place is None or place >= len(grants.others) or mark_of(grants.others[place]) != seen:
        raise Wrong(visit._("The policy has changed meanwhile: look again."))
    del grants.others[place]


def _nothing(visit: Visit, grants: Grants) -> None:
    raise Wrong(visit._("This page is not used that way."))


_CHANGES = {
    "private": _private,
    "readable": _readable,
    "rule": _rule,
    "grant": _grant,
    "take": _take,
}


def _prefix(visit: Visit) -> str:
    """A prefix as it was typed, but for a star at its end, which it means anyway."""
    prefix = prefix_in(visit).removesuffix("*")
    if any(character in prefix for character in "*?$"):
        raise Wrong(visit._("A prefix is plain text: *, ? and $ mean something else in policies."))
    return prefix


def _put_document(visit: Visit, bucket: str) -> None:
    text = raw(visit, "document")
    if not text.strip():
        visit.s3.delete_setting(bucket, "policy", "remove the bucket's policy")
        return
    json_of(visit, text)
    visit.s3.put_setting(bucket, "policy", text.encode(), "change the bucket's policy")


def _blocked(visit: Visit, bucket: str) -> str:
    """Say so when it is a block of public access that refuses."""
    try:
        if "BlockPublicPolicy" not in bucket_acls.blocks(visit.s3, bucket):
            return ""
    except ServerError:
        return ""
    return visit._("Public policies are blocked for this bucket, on the page “Advanced”.")


def _show(visit: Visit, problem: str = "", status: int = 200) -> Response:
    bucket, server = bucket_of(visit), visit.s3
    body = server.get_setting(bucket, "policy", "read the bucket's policy")
    grants = anonymous.parse(bucket, body) if body else Grants(bucket)
    rules = [
        (prefix, *anonymous.permission_of(actions), sorted(actions))
        for prefix, actions in sorted(grants.rules.items())
        if actions
    ]
    statements = [(bucket_policy.shown(each), mark_of(each)) for each in grants.others]
    fields = ("what", "who", "name", "permission", "listing")
    given = {name: visit.field(name) if problem else "" for name in fields}
    return page(
        visit, "access", problem=problem, status=status,
        rules=rules, statements=statements, public=_word(rules, grants),
        document=raw(visit, "document") or _pretty(body), given=given,
        prefix=raw(visit, "prefix") if problem else "",
        uses=bucket_policy.USES, chosen=visit.fields("uses") if problem else ["list", "read"],
        words=WORDS, asked=ASKED,
        may_set=visit.may("s3:PutBucketPolicy", bucket),
        may_ask=visit.may("admin:GetUser"), may_give=visit.may("admin:UpdatePolicyAssociation"),
        reach=reach(visit, bucket), within=visit.query("within"),
    )  # fmt: skip


def _word(rules: list[tuple[str, str, bool, list[str]]], grants: Grants) -> str:
    """`private`, `readable` (by everybody, all of it) or `custom`."""
    if not rules and not grants.custom:
        return "private"
    plain = [rule[:3] for rule in rules] == [("", "download", True)] and not grants.custom
    return "readable" if plain else "custom"


def _pretty(body: bytes | None) -> str:
    return json.dumps(json.loads(body), indent=2, ensure_ascii=False) if body else ""


ROUTES = [get(PATH, show), post(PATH, change)]

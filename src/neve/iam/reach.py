"""What a principal may do with all that is under a prefix, whatever the request: for people.

`neve.iam.evaluate` decides about one request; this weighs the same statements over all requests
there can be. `YES` and `NO` are certain: every request would be allowed, or none. `PARTLY` is for
some keys only. `DEPENDS` is for what the request has and no store knows: its address, its time, its
tags. Where several of these meet the answer is the least that is sure.
ACLs of single objects are not asked; nothing is read but what is given.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from functools import lru_cache
from typing import NamedTuple

from neve.iam.actions import ACTIONS
from neve.iam.conditions import Condition
from neve.iam.context import RequestContext, extractor, lookup_for
from neve.iam.evaluate import ROOT_KEEPS, resource_arn
from neve.iam.patterns import STAR, Pattern, Variable, can_continue, compile_text, is_plain
from neve.iam.policies import Policy
from neve.iam.principals import Principal
from neve.iam.statements import Statement, Verdict


class May(IntEnum):
    """How much of it is allowed."""

    NO = 0
    DEPENDS = 1
    PARTLY = 2
    YES = 3


class Place(NamedTuple):
    """What is asked about: a bucket, or what in it begins with a prefix."""

    bucket: str
    prefix: str
    owner: str
    """Canonical id of the bucket's owner."""
    policy: Policy | None
    writers: Callable[[], frozenset[str]]
    """Gives the canonical ids of all who own objects in the bucket."""
    restricted: bool = False
    """Whether a policy that is public gives the anonymous nothing."""


class Share(NamedTuple):
    """What one statement has to do with it."""

    policy: str
    statement: str
    may: May
    """How much of it the statement allows, or denies."""


class Reach(NamedTuple):
    """The answer."""

    may: May
    allowing: tuple[Share, ...] = ()
    denying: tuple[Share, ...] = ()


_ROOT = Share("root", "", May.YES)
_ACL = Share("access control list", "", May.YES)

_LISTING = ("s3:ListBucket", "s3:ListBucketVersions")
_PREFIX, _OBJECT_OWNER = "s3:prefix", "neve:objectowner"
_WRITERS_MAX = 50
# What stands for every key: patterns do not hold it, but by a star. Two, for runs of `?`.
_PROBES = tuple(f"\ufdd0{secrets.token_hex(size)}" for size in (16, 23))
_OF_PRINCIPALS = frozenset(
    (
        "aws:groups",
        "aws:principalaccount",
        "aws:principalarn",
        "aws:principaltype",
        "aws:userid",
        "aws:username",
        "neve:bucketowner",
        "neve:canonicalid",
    )
)
_OF_LISTINGS = frozenset((_PREFIX, "s3:delimiter", "s3:max-keys"))
_OF_SIGNATURES = frozenset(("s3:authtype", "s3:signatureversion", "s3:signatureage"))
_NEVER_THERE = extractor("aws:principalorgid")

_ByAction = Mapping[str, tuple[Statement, ...]]


def reach(principal: Principal, action: str, place: Place, *, acl: bool = False) -> Reach:
    """Say how much of an action on the bucket, or on all keys of the place, is allowed.

    `acl`: whether an access control list allows it.
    """
    is_root = principal.kind == "root"
    policy = None if is_root and action in ROOT_KEEPS else place.policy
    if policy is None and principal.is_unlimited:
        return Reach(May.YES, (_ROOT,))
    asked = _Asked(principal, action, place)
    limit, allowing, denying = May.YES, [], []
    if principal.limit is not None:
        allowed, denied = asked.shares(principal.limit.by_action)
        limit = _left(_most(allowed), _most(denied))
        if limit is May.NO:
            return Reach(May.NO, (), tuple(denied))
        denying += denied
    for rights in (policy, principal.rights):
        if rights is None:
            continue
        allowed, denied = asked.shares(rights.by_action)
        if rights is policy and place.restricted and principal.kind == "anonymous":
            # `neve.s3.rights`: what the policy gave is refused, and no ACL is asked.
            denied += allowed
        else:
            allowing += allowed
        denying += denied
    if is_root:
        allowing.append(_ROOT)
    elif acl:
        allowing.append(_ACL)
    may = min(limit, _left(_most(allowing), _most(denying)))
    return Reach(may, tuple(allowing), tuple(denying))


def _most(shares: Iterable[Share]) -> May:
    return max((share.may for share in shares), default=May.NO)


def _left(allowed: May, denied: May) -> May:
    """Return what is left of what is allowed."""
    if denied is May.NO:
        return allowed
    return May.NO if denied is May.YES else min(allowed, denied)


class _Asked:
    """One principal and one action, with what their statements are weighed against."""

    def __init__(self, principal: Principal, action: str, place: Place) -> None:
        self.principal = principal
        self.action = action
        self.place = place
        self.on_objects = ACTIONS.get(action) == "object"
        self.listing = action in _LISTING
        self.context = self._context_of("")
        start = place.prefix if self.on_objects else None
        self.start = resource_arn(place.bucket, start)

    def _context_of(self, object_owner: str) -> RequestContext:
        query = {"prefix": self.place.prefix} if self.listing else {}
        context = RequestContext(self.principal, query=query)
        context.bucket_owner = self.place.owner
        if self.on_objects:
            context.object_owner = lambda: object_owner
        return context

    def shares(self, by_action: _ByAction) -> tuple[list[Share], list[Share]]:
        """Return what allows something of it, and what denies something of it."""
        allowing: list[Share] = []
        denying: list[Share] = []
        for statement in by_action.get(self.action, ()):
            may = self._weigh(statement)
            if may is not May.NO:
                found = allowing if statement.effect is Verdict.ALLOW else denying
                found.append(Share(statement.policy, statement.label, may))
        return allowing, denying

    def _weigh(self, statement: Statement) -> May:
        if not statement.everyone and not statement.principals.include(
            self.principal, statement.effect
        ):
            return May.NO
        may = self._coverage(statement)
        for condition in statement.conditions:
            if may is May.NO:
                break
            may = min(may, self._condition(condition))
        return may

    def _coverage(self, statement: Statement) -> May:
        """Return for how many keys of the place, or whether for the bucket, the statement is."""
        start, covers = self.start, statement.covers
        if not self.on_objects:
            return May.YES if covers(start, self.context) else May.NO
        whole = all(covers(start + probe, self.context) for probe in _PROBES)
        patterns, negated = statement.resources
        if whole and not negated:
            return May.YES
        some = any(_can_reach(text, start) for text in self._texts_of(patterns))
        if negated:
            return May.YES if not some else May.PARTLY if whole else May.NO
        return May.PARTLY if some else May.NO

    def _texts_of(self, patterns: tuple[Pattern, ...]) -> list[str]:
        """Return patterns with the variables that are known; the others can be any text.

        One with a variable that never has a value matches nothing, and is left out.
        """
        found = []
        lookup = lookup_for(self.context)
        for pattern in patterns:
            parts: list[str | Variable | None] = [
                lookup(part.key) or part.default
                if isinstance(part, Variable) and self._is_known(part.key)
                else part
                for part in pattern.parts
            ]
            known = tuple(part for part in parts if part is not None)
            if len(known) == len(parts):
                found.append(Pattern(known).text)
        return found

    def _condition(self, condition: Condition) -> May:
        """Return for how many of the requests the condition holds."""
        for pattern in condition.patterns:
            for part in pattern.parts:
                if isinstance(part, Variable) and not self._is_known(part.key):
                    return May.DEPENDS
        key = condition.key
        if key == _OBJECT_OWNER:
            return self._by_writers(condition)
        if key == _PREFIX and self.listing:
            return self._by_prefix(condition)
        if not self._is_known(key):
            return May.DEPENDS
        return May.YES if condition.check(self.context) else May.NO

    def _is_known(self, key: str) -> bool:
        """Say whether a key has the same value in every request of this principal, or never one."""
        key = key.lower()
        if key in _OF_PRINCIPALS or extractor(key) is _NEVER_THERE:
            return True
        if key in _OF_SIGNATURES:
            return self.principal.kind == "anonymous"
        return key in _OF_LISTINGS and not self.listing

    def _by_writers(self, condition: Condition) -> May:
        if not self.on_objects:
            return May.YES if condition.check(self.context) else May.NO
        writers = self.place.writers()
        if not writers or self.action.startswith("s3:Put"):
            writers |= {""}  # what is not there has no owner
        if len(writers) > _WRITERS_MAX:
            return May.DEPENDS
        held = {condition.check(self._context_of(writer)) for writer in writers}
        return May.PARTLY if len(held) > 1 else May.YES if held.pop() else May.NO

    def _by_prefix(self, condition: Condition) -> May:
        operator, start = condition.operator, self.place.prefix
        if operator.base == "Null":
            return May.YES if condition.check(self.context) else May.NO
        if operator.base.removeprefix("StringNot").removeprefix("String") not in ("Like", "Equals"):
            return May.DEPENDS
        texts = self._texts_of(condition.patterns)
        whole = all(
            any(compile_text(text)(start + tail) for text in texts) for tail in ("", *_PROBES)
        )
        some = any(_can_reach(text, start) for text in texts)
        if operator.negated:
            return May.NO if whole else May.PARTLY if some else May.YES
        return May.YES if whole else May.PARTLY if some else May.NO


@lru_cache(maxsize=4096)
def _can_reach(text: str, start: str) -> bool:
    """Say whether a pattern matches `start`, or anything that begins so."""
    head = text.removesuffix(STAR)
    if is_plain(head):
        return head.startswith(start) or (head != text and start.startswith(head))
    return can_continue(text, start) or compile_text(text)(start)

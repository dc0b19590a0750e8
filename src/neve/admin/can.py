"""CanDo: what may I do? The caller's own rights, many questions in one call. Neve's own.

`{"asks": [{"action": "s3:PutObject", "bucket": "b", "object": "k"}, …]}`, at most 500, is answered
with `{"answers": [{"allowed": true, "reason": "…"}, …]}` in the same order: each as a request that
needs the action would be decided. The call needs no right and no signature: who does not sign is
told what the anonymous may do. Whatever has no bucket of this name behind it is not allowed.

| member of an ask | meaning |
|---|---|
| `action` | as policies name it: `s3:GetObject`, `admin:CreateUser`; letter case does not matter |
| `bucket` | needed for actions on buckets and on objects |
| `object` | the key, which need not exist; for an action on a bucket the prefix that is listed |
| `versionId` | the version that the request would name |
| `delimiter` | the delimiter of the listing |
| `own` | true: an action of `admin:` on what is the caller's own, as a key of its own |
"""

import asyncio
from typing import TYPE_CHECKING, Annotated

import msgspec

from neve.admin.call import AdminCall, json_response
from neve.admin.errors import AdminError
from neve.admin.inner import question
from neve.admin.rights import allows
from neve.answer import Response
from neve.errors import NoSuchBucket, NoSuchKey, NoSuchVersion
from neve.iam.actions import ACTIONS
from neve.iam.admin_actions import OTHER_ACTIONS
from neve.iam.statements import Decision
from neve.s3 import rights
from neve.s3.errors import S3Error

if TYPE_CHECKING:
    from neve.s3.call import Call

ASKS_MAX = 500
ASKS_AT_ONCE = 50
"""Between two of these other requests get their turn."""

_BY_NAME = {name.lower(): name for name in (*ACTIONS, *OTHER_ACTIONS)}
_LIST_ALL = "s3:ListAllMyBuckets"

ROOT = Decision(True, "root")
NO_BUCKET = Decision(False, "there is no such bucket")
NO_SIGNATURE = Decision(False, "only for requests that are signed")
NOTHING = Decision(False, "nothing allows it")
DENIED = Decision(False, "a policy denies it")
EVERY = Decision(True, "every bucket")
ONLY_SOME = Decision(True, "the buckets that policies name")


class Ask(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """One question."""

    action: str
    bucket: str = ""
    object: str | None = None
    version_id: str | None = None
    delimiter: str | None = None
    own: bool = False


class Asks(msgspec.Struct, forbid_unknown_fields=True):
    """The body of the call."""

    asks: Annotated[list[Ask], msgspec.Meta(max_length=ASKS_MAX)]


async def can_do(call: AdminCall) -> Response:
    """Return whether the caller may do each of many things, and why."""
    answers = []
    for number, ask in enumerate(_parse(await call.body()), 1):
        found = _answer(call, ask)
        answers.append({"allowed": found.allowed, "reason": found.reason})
        if not number % ASKS_AT_ONCE:
            await asyncio.sleep(0)
    # This call was not let in by any of these.
    call.request.decision = None
    return json_response({"answers": answers})


def _parse(body: bytes) -> list[Ask]:
    try:
        asks = msgspec.json.decode(body, type=Asks).asks
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise AdminError("XMinioAdminConfigBadJSON", str(error)) from error
    for number, ask in enumerate(asks):
        action = _BY_NAME.get(ask.action.lower(), "")
        target = ACTIONS.get(action, "service")
        why = ""
        if not action:
            why = "there is no such action"
        elif target != "service" and not ask.bucket:
            why = "the action is on buckets: name one"
        elif target == "object" and not ask.object:
            why = "the action is on objects: name one"
        if why:
            raise AdminError("XMinioAdminInvalidArgument", f"asks[{number}]: {why}")
        ask.action = action
    return asks


def _answer(call: AdminCall, ask: Ask) -> Decision:
    action = ask.action
    signed = call.caller.kind != "anonymous"
    target = ACTIONS.get(action, "service")
    if not signed and (target == "service" or action == "s3:CreateBucket"):
        return NO_SIGNATURE
    if action not in ACTIONS:
        return _decided(call, allows(call, action, own=ask.own))
    asked = question(call, ask.bucket, _query(ask, target))
    if action == _LIST_ALL:
        return _list_all(asked)
    if target == "service" or action == "s3:CreateBucket":
        return _decided(asked, rights.allows(asked, action, None))
    key = (ask.object or "") if target == "object" else ""
    try:
        bucket = call.engine.bucket(ask.bucket)
        return _decided(asked, rights.allows(asked, action, bucket, key, ask.version_id))
    except NoSuchBucket:
        return NO_BUCKET
    except (NoSuchKey, NoSuchVersion):
        # Only an ACL could have allowed it, and what is not there has none.
        return NOTHING


def _query(ask: Ask, target: str) -> dict[str, str]:
    """Return the fields of the query of such a request that conditions can look at."""
    prefix = ask.object if target == "bucket" else None
    found = {"prefix": prefix, "delimiter": ask.delimiter, "versionId": ask.version_id}
    return {name: value for name, value in found.items() if value is not None}


def _list_all(asked: "Call") -> Decision:
    """Decide as ListBuckets does, which shows each caller the buckets that it may see."""
    try:
        every = rights.may_list_all(asked)
    except S3Error:
        return DENIED
    if every:
        return ROOT if asked.caller.is_unlimited else EVERY
    return ONLY_SOME if rights.may_see_some(asked) else NOTHING


def _decided(asked: "AdminCall | Call", allowed: bool) -> Decision:
    """Return the decision behind an answer; root's leave none."""
    decision: Decision | None = asked.request.decision
    if decision is not None and decision.allowed is allowed:
        return decision
    return ROOT if allowed else NOTHING

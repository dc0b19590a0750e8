"""AddCannedPolicy, InfoCannedPolicy, AttachPolicy and their kin: policies and who has them.

`canned` is the protocol's word for any policy with a name. The ones that Neve gives cannot be
changed; `reader:BUCKET/PREFIX` and `contributor:BUCKET/PREFIX` can be attached without being made.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from neve.admin.call import AdminCall, done, json_response, text_of, texts_of, time_text
from neve.admin.errors import AdminError
from neve.answer import Response
from neve.clock import now_us
from neve.iam.identities import NamedPolicy


async def add_canned_policy(call: AdminCall) -> Response:
    """Make or replace a policy."""
    await call.directory.put_policy(call.argument("name"), await call.body())
    return done()


def list_canned_policies(call: AdminCall) -> Response:
    """Return all policies with their documents."""
    call.refuse("bucket")
    policies = {policy.name: policy for policy in call.directory.policies()}
    return json_response({name: msgspec.Raw(each.document) for name, each in policies.items()})


def info_canned_policy(call: AdminCall) -> Response:
    """Return the document of a policy; with `v=2` also when it was made and changed."""
    policy = _policy(call, call.argument("name"))
    document = msgspec.Raw(policy.document)
    if call.query.get("v") != "2":
        return json_response(document)
    found: dict[str, Any] = {"PolicyName": policy.name, "Policy": document}
    if not policy.canned:
        found["CreateDate"] = time_text(policy.created_us)
        found["UpdateDate"] = time_text(policy.changed_us)
    return json_response(found)


async def remove_canned_policy(call: AdminCall) -> Response:
    """Remove a policy that nobody has."""
    await call.directory.delete_policy(call.argument("name"))
    return done()


async def set_policy_for_user_or_group(call: AdminCall) -> Response:
    """Attach these policies to a user or a group, and detach all others."""
    names = names_of(",".join(call.values("policyName")))
    holder = call.argument("userOrGroup")
    if call.choice("isGroup", "true", "false") == "true":
        await call.directory.set_policies(names, group=holder)
    else:
        await call.directory.set_policies(names, user=holder)
    return done()


async def attach_policy(call: AdminCall) -> Response:
    """Attach policies to a user or a group."""
    names, user, group = await _association(call)
    changed = await call.directory.attach(names, user=user, group=group)
    return await call.sealed({"policiesAttached": changed, "updatedAt": time_text(now_us())})


async def detach_policy(call: AdminCall) -> Response:
    """Detach policies from a user or a group."""
    names, user, group = await _association(call)
    for name in names:
        _policy(call, name)
    changed = await call.directory.detach(names, user=user, group=group)
    return await call.sealed({"policiesDetached": changed, "updatedAt": time_text(now_us())})


async def list_policy_entities(call: AdminCall) -> Response:
    """Return which users and groups have which policies: all, or those that are asked for."""
    users, groups, policies = map(call.values, ("user", "group", "policy"))
    document: dict[str, Any] = {"timestamp": time_text(now_us())}
    if users:
        document["userMappings"] = [found for name in users if (found := _of_user(call, name))]
    if groups:
        document["groupMappings"] = _of_groups(call, groups)
    if policies or not (users or groups):
        names = policies or attached(call)
        document["policyMappings"] = [
            {"policy": name, "users": users_of, "groups": groups_of}
            for name in names
            for users_of, groups_of in [call.directory.entities(name)]
            if users_of or groups_of
        ]
    return await call.sealed(document)


def names_of(text: str) -> list[str]:
    """Return the names in a list with commas between."""
    return [name for part in text.split(",") if (name := part.strip())]


async def _association(call: AdminCall) -> tuple[list[str], str, str]:
    document = await call.sealed_json_body()
    names, user, group = (
        texts_of(document, "policies"),
        text_of(document, "user"),
        text_of(document, "group"),
    )
    if bool(user) == bool(group):
        raise AdminError("XMinioAdminInvalidArgument", "one of user and group must be given")
    if not names:
        raise AdminError("XMinioAdminInvalidArgument", "no policy names were given")
    return names, user, group


def _policy(call: AdminCall, name: str) -> NamedPolicy:
    policy = call.directory.policy(name)
    if policy is None:
        raise AdminError("XMinioAdminNoSuchPolicy")
    return policy


def attached(call: AdminCall) -> list[str]:
    """Return the names of all policies that somebody has, scoped ones among them."""
    directory = call.directory
    names = {name for holder in directory.users() for name in holder.policies}
    names.update(name for holder in directory.groups() for name in holder.policies)
    return sorted(names)


def _of_user(call: AdminCall, name: str) -> dict[str, Any] | None:
    user = call.directory.user(name)
    if user is None:
        return None
    document: dict[str, Any] = {"user": name, "policies": list(user.policies)}
    groups = _of_groups(call, call.directory.groups_of(name))
    if groups:
        document["memberOfMappings"] = groups
    return document


def _of_groups(call: AdminCall, names: Iterable[str]) -> list[dict[str, Any]]:
    groups = [group for name in names if (group := call.directory.group(name))]
    return [{"group": group.name, "policies": list(group.policies)} for group in groups]

"""The write side of the directory: every change of users, groups, policies and access keys.

A change is made from what is stored, together with what depends on it, and committed in one
transaction against the state it was made from; when somebody else was faster it is made again.
What MinIO would refuse is refused for the same reason.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import TypeVar

import msgspec

from neve.errors import (
    ConditionalConflict,
    GroupNotEmpty,
    InvalidAccessKey,
    InvalidPolicyName,
    MalformedIamPolicy,
    MalformedPolicy,
    NoSuchAccessKey,
    NoSuchGroup,
    NoSuchPolicy,
    NoSuchUser,
    PolicyChangeAlreadyApplied,
    PolicyInUse,
)
from neve.iam.canned import canned_policy, is_reserved
from neve.iam.identities import (
    AccessKey,
    Group,
    NamedPolicy,
    User,
    check_access_key,
    check_group_name,
    check_key_texts,
    check_policy_name,
    check_secret,
)
from neve.iam.keyring import Keyring
from neve.iam.policies import parse_user_policy
from neve.iam.shelf import Changes, Settings

TRIES = 50
KEY_POLICY_BYTES_MAX = 4096
"""Bound on the policy of an access key, MinIO's."""

R = TypeVar("R")


class Editor:
    """Makes changes. `neve.iam.directory.Directory` is one that can be read, too."""

    def __init__(self, settings: Settings, keyring: Keyring, root_keys: Iterable[str]) -> None:
        self._settings = settings
        self._keyring = keyring
        self._root_keys = frozenset(root_keys)
        self._changing = asyncio.Lock()

    def is_root(self, access_key: str) -> bool:
        """Say whether it is root's own key."""
        return access_key in self._root_keys

    async def put_user(
        self, name: str, *, secret: str | None = None, enabled: bool | None = None
    ) -> User:
        """Make a user, which needs a secret, or change one.

        Raises: InvalidAccessKey, InvalidSecretKey, NoSuchUser.
        """
        check_access_key(name)
        if secret is not None:
            check_secret(secret)

        def put(changes: Changes) -> User:
            old = changes.get(User, name)
            if old is None:
                if secret is None:
                    raise NoSuchUser()
                if self.is_root(name) or changes.get(AccessKey, name) is not None:
                    raise InvalidAccessKey("The access key is taken.")
                old = User(name, secret, created_us=changes.now)
            new = replace(
                old,
                secret=old.secret if secret is None else secret,
                enabled=old.enabled if enabled is None else enabled,
                changed_us=changes.now,
            )
            changes.put(new)
            return new

        return await self._change(put)

    async def delete_user(self, name: str) -> None:
        """Remove a user with its access keys and memberships. Raises: NoSuchUser."""

        def delete(changes: Changes) -> None:
            if changes.get(User, name) is None:
                raise NoSuchUser()
            changes.remove(User, name)
            for key in changes.all(AccessKey).values():
                if key.parent == name and not key.of_root:
                    changes.remove(AccessKey, key.id)
            for group in changes.all(Group).values():
                if name in group.members:
                    members = tuple(each for each in group.members if each != name)
                    changes.put(replace(group, members=members, changed_us=changes.now))

        await self._change(delete)

    async def put_group(
        self,
        name: str,
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        enabled: bool | None = None,
    ) -> Group:
        """Change a group's members; adding makes one that is not there.

        Raises: InvalidGroupName, NoSuchGroup, NoSuchUser.
        """
        check_group_name(name)
        added, removed = list(dict.fromkeys(add)), frozenset(remove)

        def put(changes: Changes) -> Group:
            old = changes.get(Group, name)
            if old is None:
                if removed or enabled is not None:
                    raise NoSuchGroup()
                old = Group(name)
            for user in added:
                if changes.get(User, user) is None:
                    raise NoSuchUser()
            members = dict.fromkeys((*old.members, *added))
            new = replace(
                old,
                members=tuple(each for each in members if each not in removed),
                enabled=old.enabled if enabled is None else enabled,
                changed_us=changes.now,
            )
            changes.put(new)
            return new

        return await self._change(put)

    async def delete_group(self, name: str) -> None:
        """Remove a group without members. Raises: NoSuchGroup, GroupNotEmpty."""

        def delete(changes: Changes) -> None:
            group = changes.get(Group, name)
            if group is None:
                raise NoSuchGroup()
            if group.members:
                raise GroupNotEmpty()
            changes.remove(Group, name)

        await self._change(delete)

    async def put_policy(self, name: str, document: bytes) -> NamedPolicy:
        """Make or replace a policy. Raises: InvalidPolicyName, MalformedIamPolicy."""
        canned = canned_policy(name)
        if canned is not None and same_document(canned.document, document):
            return canned
        check_policy_name(name)
        if is_reserved(name):
            raise InvalidPolicyName("The policy is one that the server gives.")
        check_document(document, name)

        def put(changes: Changes) -> NamedPolicy:
            old = changes.get(NamedPolicy, name)
            created = changes.now if old is None else old.created_us
            new = NamedPolicy(name, document, created, changes.now)
            changes.put(new)
            return new

        return await self._change(put)

    async def delete_policy(self, name: str) -> None:
        """Remove a policy that nobody has. Raises: NoSuchPolicy, PolicyInUse, InvalidPolicyName."""
        if is_reserved(name):
            raise InvalidPolicyName("The policy is one that the server gives.")

        def delete(changes: Changes) -> None:
            if changes.get(NamedPolicy, name) is None:
                raise NoSuchPolicy()
            holders: list[User | Group] = [
                *changes.all(User).values(),
                *changes.all(Group).values(),
            ]
            if any(name in holder.policies for holder in holders):
                raise PolicyInUse()
            changes.remove(NamedPolicy, name)

        await self._change(delete)

    async def attach(
        self, policies: Iterable[str], *, user: str = "", group: str = ""
    ) -> list[str]:
        """Attach policies to a user or a group; return those that were not attached before.

        Raises: NoSuchUser, NoSuchGroup, NoSuchPolicy, PolicyChangeAlreadyApplied.
        """
        wanted = list(dict.fromkeys(policies))

        def attach(changes: Changes) -> list[str]:
            holder = _holder(changes, user, group)
            _check_policies(changes, wanted)
            new = [name for name in wanted if name not in holder.policies]
            if not new:
                raise PolicyChangeAlreadyApplied()
            _give(changes, holder, (*holder.policies, *new))
            return new

        return await self._change(attach)

    async def detach(
        self, policies: Iterable[str], *, user: str = "", group: str = ""
    ) -> list[str]:
        """Detach policies; return those that were attached.

        Raises: NoSuchUser, NoSuchGroup, PolicyChangeAlreadyApplied.
        """
        unwanted = list(dict.fromkeys(policies))

        def detach(changes: Changes) -> list[str]:
            holder = _holder(changes, user, group)
            gone = [name for name in unwanted if name in holder.policies]
            if not gone:
                raise PolicyChangeAlreadyApplied()
            _give(changes, holder, tuple(n for n in holder.policies if n not in gone))
            return gone

        return await self._change(detach)

    async def set_policies(
        self, policies: Iterable[str], *, user: str = "", group: str = ""
    ) -> None:
        """Attach these policies and no others. Raises: NoSuchUser, NoSuchGroup, NoSuchPolicy."""
        wanted = tuple(dict.fromkeys(policies))

        def put(changes: Changes) -> None:
            holder = _holder(changes, user, group)
            _check_policies(changes, wanted)
            _give(changes, holder, wanted)

        await self._change(put)

    async def put_key(self, key: AccessKey) -> AccessKey:
        """Make or replace an access key; when it was made stays as it was.

        Raises: InvalidAccessKey, InvalidSecretKey, InvalidIamArgument, MalformedIamPolicy,
        NoSuchUser.
        """
        check_access_key(key.id)
        check_secret(key.secret)
        check_key_texts(key.name, key.description)
        if key.policy is not None:
            if len(key.policy) > KEY_POLICY_BYTES_MAX:
                raise MalformedIamPolicy("Session policy should not exceed 4096 characters.")
            check_document(key.policy, f"of access key {key.id}")

        def put(changes: Changes) -> AccessKey:
            old = changes.get(AccessKey, key.id)
            taken = self.is_root(key.id) or changes.get(User, key.id) is not None
            if taken or (old is not None and old.parent != key.parent):
                raise InvalidAccessKey("The access key is taken.")
            if not key.of_root and changes.get(User, key.parent) is None:
                raise NoSuchUser()
            created = changes.now if old is None else old.created_us
            new = replace(key, created_us=created, changed_us=changes.now)
            changes.put(new)
            return new

        return await self._change(put)

    async def delete_key(self, id: str) -> None:
        """Remove an access key. Raises: NoSuchAccessKey."""

        def delete(changes: Changes) -> None:
            if changes.get(AccessKey, id) is None:
                raise NoSuchAccessKey()
            changes.remove(AccessKey, id)

        await self._change(delete)

    async def _change(self, make: Callable[[Changes], R]) -> R:
        """Make a change until nobody else was faster; what `make` raises ends the matter."""
        async with self._changing:
            for _ in range(TRIES):
                changes = Changes(self._settings, self._keyring)
                result = make(changes)
                try:
                    await self._settings.change_settings(changes.values, changes.seen)
                except ConditionalConflict:
                    continue
                return result
        raise ConditionalConflict()


def _holder(changes: Changes, user: str, group: str) -> User | Group:
    assert bool(user) != bool(group), "a user or a group"
    holder = changes.get(User, user) if user else changes.get(Group, group)
    if holder is None:
        raise NoSuchUser() if user else NoSuchGroup()
    return holder


def _check_policies(changes: Changes, names: Iterable[str]) -> None:
    for name in names:
        if canned_policy(name) is None and changes.get(NamedPolicy, name) is None:
            raise NoSuchPolicy()


def _give(changes: Changes, holder: User | Group, policies: tuple[str, ...]) -> None:
    changes.put(replace(holder, policies=policies, changed_us=changes.now))


def check_document(document: bytes, name: str) -> None:
    """Raise MalformedIamPolicy unless the document is a policy for users."""
    try:
        parse_user_policy(document, name)
    except MalformedPolicy as error:
        raise MalformedIamPolicy(error.message) from error


def same_document(one: bytes, other: bytes) -> bool:
    """Whether two documents are the same JSON."""
    try:
        return bool(msgspec.json.decode(one) == msgspec.json.decode(other))
    except msgspec.DecodeError:
        return False

"""The directory: users, groups, policies and access keys of a store, read and changed.

Reads are cached per process. The cache is emptied when the settings' generation changes, which is
looked at every time: so a change holds on the very next request of every worker. How changes are
made is `neve.iam.editor`'s.

    directory.user(name)  .users()  .group(name)  .groups()  .policy(name)  .policies()
    directory.key(id)  .keys_of(parent)  .all_keys()  .groups_of(user)  .policies_of(user)
    directory.entities(policy)                             who has a policy attached
    await directory.put_user(name, secret=…, enabled=…)    make or change; what is None stays
    await directory.delete_user(name)                      its keys and memberships go with it
    await directory.put_group(name, add=…, remove=…, enabled=…)  .delete_group(name)
    await directory.put_policy(name, document)  .delete_policy(name)
    await directory.attach(names, user=… | group=…)  .detach(…)  .set_policies(…)
    await directory.put_key(AccessKey(…))  .delete_key(id)
    directory.secret_of(access_key)  .principal_of(access_key)   what a request needs

Secrets of root are not here: its keys come from the server's settings, and stand above users and
access keys of the same name.
"""

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from neve.clock import now_us
from neve.errors import MalformedPolicy
from neve.iam.canned import canned_policies, canned_policy
from neve.iam.editor import Editor
from neve.iam.identities import AccessKey, Group, NamedPolicy, User
from neve.iam.keyring import Keyring
from neve.iam.policies import Policy, Rights, parse_user_policy
from neve.iam.principals import (
    ANONYMOUS,
    Principal,
    root_principal,
    user_canonical_id,
    user_principal,
)
from neve.iam.shelf import Settings, Shelf

CACHED_MAX = 10_000

log = logging.getLogger("neve.iam")


class Entities(NamedTuple):
    """Who has a policy attached."""

    users: list[str]
    groups: list[str]


class Identity(NamedTuple):
    """What signs with an access key: whoever it is, already joined with its policies."""

    secret: str
    principal: Principal
    expires_us: int


class Directory(Editor):
    """See the module. One per process, used from its event loop's thread."""

    def __init__(
        self, settings: Settings, keyring: Keyring, root: Mapping[str, str] | None = None
    ) -> None:
        """`root`: root's access key and its secret."""
        self._root = dict(root or {})
        super().__init__(settings, keyring, self._root)
        self._shelf = Shelf(settings, keyring)
        self._generation_of = settings.settings_generation
        self._generation = -1
        self._identities: dict[str, Identity] = {}
        self._groups: dict[str, Group] | None = None
        self._canonical_ids: frozenset[str] | None = None
        self._root_principals = {key: root_principal(key) for key in self._root}

    # What a request needs.

    def secret_of(self, access_key: str) -> str | None:
        """Return the secret of a key that may sign now; None when there is none."""
        secret = self._root.get(access_key)
        if secret is not None:
            return secret
        identity = self._identity(access_key)
        return None if identity is None else identity.secret

    def principal_of(self, access_key: str) -> Principal:
        """Return who signs with the key; the anonymous principal when it may not sign any more."""
        root = self._root_principals.get(access_key)
        if root is not None:
            return root
        identity = self._identity(access_key)
        return ANONYMOUS if identity is None else identity.principal

    def knows_canonical_id(self, canonical_id: str) -> bool:
        """Say whether the id is that of root or of a user."""
        self._refresh()
        known = self._canonical_ids
        if known is None:
            ids = {user_canonical_id(name) for name in self._shelf.names(User)}
            known = self._canonical_ids = frozenset(ids | {root_principal("").canonical_id})
        return canonical_id in known

    def _identity(self, access_key: str) -> Identity | None:
        if self._generation_of() != self._generation:
            self._refresh()
        found = self._identities.get(access_key)
        if found is None:
            found = self._make_identity(access_key)
            if found is None:
                # Not kept: whoever guesses keys must not push those in use out of the cache.
                return None
            if len(self._identities) >= CACHED_MAX:
                self._identities.clear()
            self._identities[access_key] = found
        if found.expires_us and found.expires_us <= now_us():
            return None
        return found

    def _refresh(self) -> None:
        generation = self._generation_of()
        if generation != self._generation:
            self._generation = generation
            self._identities.clear()
            self._groups = None
            self._canonical_ids = None

    def _make_identity(self, access_key: str) -> Identity | None:
        user = self._shelf.get(User, access_key)
        if user is not None:
            if not user.enabled or not user.secret:
                return None
            return Identity(user.secret, self._user_principal(user, None), 0)
        key = self._shelf.get(AccessKey, access_key)
        if key is None or not key.enabled or not key.secret:
            return None
        limit = None
        if key.policy is not None:
            limit = Rights((_compile(key.policy, f"of access key {key.id}"),))
        if key.of_root:
            return Identity(key.secret, root_principal(key.parent, limit), key.expires_us)
        parent = self._shelf.get(User, key.parent)
        if parent is None or not parent.enabled:
            return None
        return Identity(key.secret, self._user_principal(parent, limit), key.expires_us)

    def _user_principal(self, user: User, limit: Rights | None) -> Principal:
        names = self._policies_of(user)
        found = map(self.policy, names)
        rights = Rights(tuple(_compile(each.document, each.name) for each in found if each))
        groups = tuple(group.name for group in self._groups_of(user.name))
        return user_principal(user.name, rights, limit, groups)

    # Reads.

    def user(self, name: str) -> User | None:
        """Return the user."""
        return self._shelf.get(User, name)

    def users(self) -> list[User]:
        """Return all users in name order."""
        return list(self._shelf.all(User).values())

    def group(self, name: str) -> Group | None:
        """Return the group."""
        return self._shelf.get(Group, name)

    def groups(self) -> list[Group]:
        """Return all groups in name order."""
        return list(self._shelf.all(Group).values())

    def policy(self, name: str) -> NamedPolicy | None:
        """Return the policy, canned ones and their scoped forms included."""
        return canned_policy(name) or self._shelf.get(NamedPolicy, name)

    def policies(self) -> list[NamedPolicy]:
        """Return all policies in name order, the canned ones among them."""
        found = [*canned_policies(), *self._shelf.all(NamedPolicy).values()]
        return sorted(found, key=lambda policy: policy.name)

    def key(self, id: str) -> AccessKey | None:
        """Return the access key."""
        return self._shelf.get(AccessKey, id)

    def all_keys(self) -> list[AccessKey]:
        """Return all access keys in order of their ids."""
        return list(self._shelf.all(AccessKey).values())

    def keys_of(self, parent: str) -> list[AccessKey]:
        """Return the access keys of a user, or of root by its own access key."""
        of_root = parent in self._root
        return [
            key
            for key in self.all_keys()
            if (key.of_root if of_root else key.parent == parent and not key.of_root)
        ]

    def groups_of(self, user: str) -> list[str]:
        """Return the names of the groups that a user is in, disabled ones too."""
        self._refresh()
        return [group.name for group in self._all_groups().values() if user in group.members]

    def policies_of(self, user: str) -> list[str]:
        """Return the names of the policies that hold for a user: its own and its groups'."""
        self._refresh()
        found = self.user(user)
        return [] if found is None else self._policies_of(found)

    def entities(self, policy: str) -> Entities:
        """Return which users and groups have the policy attached."""
        return Entities(
            [user.name for user in self.users() if policy in user.policies],
            [group.name for group in self.groups() if policy in group.policies],
        )

    def _all_groups(self) -> dict[str, Group]:
        if self._groups is None:
            self._groups = self._shelf.all(Group)
        return self._groups

    def _groups_of(self, user: str) -> list[Group]:
        return [g for g in self._all_groups().values() if g.enabled and user in g.members]

    def _policies_of(self, user: User) -> list[str]:
        names = [*user.policies]
        for group in self._groups_of(user.name):
            names += group.policies
        return list(dict.fromkeys(names))


_NOTHING = b"""{"Version": "2012-10-17", "Statement": {"Effect": "Deny",
    "Action": ["s3:*", "admin:*", "kms:*", "sts:*"], "Resource": "*"}}"""


@lru_cache(maxsize=1024)
def _compile(document: bytes, name: str) -> Policy:
    """Return the policy. One that this release cannot read may have denied anything, and does."""
    try:
        return parse_user_policy(document, name)
    except MalformedPolicy as error:
        log.error("policy %s cannot be read and denies everything: %s", name, error)
        return parse_user_policy(_NOTHING, name)

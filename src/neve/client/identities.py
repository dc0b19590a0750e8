"""Users, groups, policies and access keys of a server, as values.

The calls are those of MinIO's admin API (`neve.client.admin`). A user is named by its access key.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from neve.client.admin import Admin
from neve.client.xml import moment

_NEVER_YEARS = (1, 1970)
"""Servers write these years for a key without an end."""


class User(NamedTuple):
    """A user. Root is none."""

    name: str
    enabled: bool
    policies: list[str]
    """Attached to the user itself."""
    groups: list[str]
    changed: datetime | None


class Group(NamedTuple):
    """A group; a disabled one gives its members nothing."""

    name: str
    enabled: bool
    members: list[str]
    policies: list[str]


class AccessKey(NamedTuple):
    """An access key beside the one that its user is named by."""

    id: str
    user: str
    enabled: bool
    name: str
    description: str
    expires: datetime | None
    policy: dict[str, Any] | None
    """None: it may do what its user may."""


class Holders(NamedTuple):
    """Who has a policy."""

    policy: str
    users: list[str]
    groups: list[str]


class Identities:
    """The calls of one server."""

    def __init__(self, admin: Admin) -> None:
        self.admin = admin

    # Users.

    def users(self) -> list[User]:
        """Every user, by name."""
        found = self.admin.call("GET", "list-users", doing="list users") or {}
        return [_user(name, row) for name, row in sorted(found.items())]

    def user(self, name: str) -> User:
        """One user. Raises: ServerError."""
        found = self.admin.call(
            "GET", "user-info", {"accessKey": name}, doing="read about users", named={"user": name}
        )
        return _user(name, found)

    def put_user(self, name: str, secret: str) -> None:
        """Make a user, or give one another secret; a user may so change its own."""
        document = {"secretKey": secret, "status": "enabled"}
        self.admin.call(
            "PUT", "add-user", {"accessKey": name}, document, sealed=True, doing="add users",
            named={"user": name},
        )  # fmt: skip

    def set_user_enabled(self, name: str, enabled: bool) -> None:
        """Let a user sign requests, or not."""
        query = {"accessKey": name, "status": _state(enabled)}
        self.admin.call("PUT", "set-user-status", query, doing="change users", named={"user": name})

    def remove_user(self, name: str) -> None:
        """Remove a user with its access keys."""
        query = {"accessKey": name}
        self.admin.call("DELETE", "remove-user", query, doing="remove users", named={"user": name})

    # Groups.

    def group_names(self) -> list[str]:
        """The names of all groups."""
        return sorted(self.admin.call("GET", "groups", doing="list groups") or ())

    def group(self, name: str) -> Group:
        """One group. Raises: ServerError."""
        found = self.admin.call(
            "GET", "group", {"group": name}, doing="read groups", named={"group": name}
        )
        return Group(
            name,
            found.get("status") == "enabled",
            list(found.get("members") or ()),
            _names(found.get("policy")),
        )

    def change_members(self, group: str, members: list[str], remove: bool = False) -> None:
        """Add users to a group, which is made when it is new, or take them out."""
        document = {"group": group, "members": members, "isRemove": remove}
        self.admin.call(
            "PUT", "update-group-members", document=document, doing="change groups",
            named={"group": group},
        )  # fmt: skip

    def remove_group(self, group: str) -> None:
        """Remove a group that nobody is in."""
        self.change_members(group, [], remove=True)

    def set_group_enabled(self, group: str, enabled: bool) -> None:
        """Let a group give its policies to its members, or not."""
        query = {"group": group, "status": _state(enabled)}
        self.admin.call(
            "PUT", "set-group-status", query, doing="change groups", named={"group": group}
        )

    # Policies.

    def policies(self) -> dict[str, dict[str, Any]]:
        """Every policy that is stored or always there: its document, by name."""
        found = self.admin.call("GET", "list-canned-policies", doing="list policies") or {}
        return dict(sorted(found.items()))

    def policy(self, name: str) -> dict[str, Any]:
        """The document of a policy; also of one that its name makes, such as `reader:climate`."""
        found = self.admin.call(
            "GET", "info-canned-policy", {"name": name, "v": "2"}, doing="read policies",
            named={"policy": name},
        )  # fmt: skip
        document = found.get("Policy") or found
        return dict(json.loads(document) if isinstance(document, str) else document)

    def put_policy(self, name: str, document: bytes) -> None:
        """Make or replace a policy."""
        self.admin.call(
            "PUT", "add-canned-policy", {"name": name}, document, doing="make policies",
            named={"policy": name},
        )  # fmt: skip

    def remove_policy(self, name: str) -> None:
        """Remove a policy that nobody has."""
        self.admin.call(
            "DELETE", "remove-canned-policy", {"name": name}, doing="remove policies",
            named={"policy": name},
        )  # fmt: skip

    def attach(self, policies: list[str], user: str = "", group: str = "") -> None:
        """Give policies to a user or a group."""
        self._associate("attach", policies, user, group)

    def detach(self, policies: list[str], user: str = "", group: str = "") -> None:
        """Take policies away from a user or a group."""
        self._associate("detach", policies, user, group)

    def holders(self, policy: str = "") -> list[Holders]:
        """Who has which policies: all that somebody has, or one."""
        query = {"policy": policy} if policy else {}
        found = self.admin.call(
            "GET", "idp/builtin/policy-entities", query, doing="read who has which policies"
        )
        return [
            Holders(row["policy"], list(row.get("users") or ()), list(row.get("groups") or ()))
            for row in found.get("policyMappings") or ()
        ]

    # Access keys.

    def keys(self, user: str = "", everybody: bool = False) -> list[AccessKey]:
        """The caller's own keys, or those of a user, or everybody's."""
        query = {"listType": "svcacc-only"}
        query |= {"all": "true"} if everybody else {"users": user} if user else {}
        found = self.admin.call("GET", "list-access-keys-bulk", query, doing="list access keys")
        return [
            _key(each["accessKey"], owner, each)
            for owner, rows in sorted((found or {}).items())
            for each in rows.get("serviceAccounts") or ()
        ]

    def key(self, id: str) -> AccessKey:
        """One key. Raises: ServerError."""
        found = self.admin.call(
            "GET", "info-service-account", {"accessKey": id}, doing="read about access keys",
            named={"key": id},
        )  # fmt: skip
        return _key(id, "", found)

    def add_key(
        self,
        user: str = "",
        name: str = "",
        description: str = "",
        expires: datetime | None = None,
        policy: Any = None,
    ) -> tuple[str, str]:
        """Make a key of the caller or of a user; return it and its secret, this once."""
        wanted = {
            "targetUser": user,
            "name": name,
            "description": description,
            "expiration": _time(expires),
            "policy": policy,
        }
        found = self.admin.call(
            "PUT", "add-service-account",
            document={field: value for field, value in wanted.items() if value},
            sealed=True, doing="make access keys", named={"user": user},
        )["credentials"]  # fmt: skip
        return found["accessKey"], found["secretKey"]

    def change_key(self, id: str, **changes: Any) -> None:
        """Change what a key is (`newName`, `newDescription`, `newExpiration`, `newStatus` …)."""
        self.admin.call(
            "POST", "update-service-account", {"accessKey": id}, changes, sealed=True,
            doing="change access keys", named={"key": id},
        )  # fmt: skip

    def remove_key(self, id: str) -> None:
        """Remove a key."""
        self.admin.call(
            "DELETE", "delete-service-account", {"accessKey": id}, doing="remove access keys",
            named={"key": id},
        )  # fmt: skip

    def _associate(self, verb: str, policies: list[str], user: str, group: str) -> None:
        holder = {"user": user} if user else {"group": group}
        self.admin.call(
            "POST", f"idp/builtin/policy/{verb}", document={"policies": policies, **holder},
            sealed=True, doing=f"{verb} policies",
            named={**holder, "policy": ", ".join(policies)},
        )  # fmt: skip


def after(days: float) -> datetime:
    """Return the moment so many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0)


def _time(when: datetime | None) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if when else ""


def _state(enabled: bool) -> str:
    return "enabled" if enabled else "disabled"


def _names(text: Any) -> list[str]:
    return [each for each in str(text or "").split(",") if each]


def _user(name: str, found: dict[str, Any]) -> User:
    changed = found.get("updatedAt")
    return User(
        name,
        found.get("status") == "enabled",
        _names(found.get("policyName")),
        list(found.get("memberOf") or ()),
        moment(changed) if changed else None,
    )


def _key(id: str, user: str, found: dict[str, Any]) -> AccessKey:
    policy = found.get("policy") if found.get("impliedPolicy") is False else None
    if isinstance(policy, str):
        policy = json.loads(policy or "{}")
    end = moment(found["expiration"]) if found.get("expiration") else None
    return AccessKey(
        id,
        str(found.get("parentUser") or user),
        found.get("accountStatus") not in ("off", "disabled"),
        str(found.get("name") or ""),
        str(found.get("description") or ""),
        None if end is None or end.year in _NEVER_YEARS else end,
        policy or None,
    )

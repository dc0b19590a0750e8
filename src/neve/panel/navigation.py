"""The menu: which pages there are, and which right one needs to find one useful.

What a visitor may not do is not shown. The right asked for here decides about the menu alone;
whether a page's action is done, the server decides.
"""

from typing import NamedTuple

from neve.panel.upstream import Ask


def _(message: str) -> str:
    """Mark a message for the catalogues."""
    return message


class Entry(NamedTuple):
    """One line of the menu."""

    path: str
    label: str
    icon: str
    ask: Ask | None = None
    """None: for everybody who is logged in."""
    also: tuple[str, ...] = ()
    """Paths whose pages belong to this line as well."""


class Group(NamedTuple):
    """Lines under one heading."""

    label: str
    entries: tuple[Entry, ...]


MENU = (
    Group(
        _("Data"),
        (
            Entry("/buckets", _("Buckets"), "bucket", also=("/browse", "/object")),
            Entry("/keys", _("My access keys"), "key", also=("/key",)),
        ),
    ),
    Group(
        _("People"),
        (
            Entry("/users", _("Users"), "user", Ask("admin:ListUsers"), ("/user", "/grant")),
            Entry("/groups", _("Groups"), "group", Ask("admin:ListGroups"), ("/group",)),
            Entry(
                "/policies", _("Policies"), "policy", Ask("admin:ListUserPolicies"), ("/policy",)
            ),
            Entry("/explain", _("Who may what"), "question", Ask("admin:GetUser")),
        ),
    ),
    Group(
        _("Server"),
        (
            Entry("/dashboard", _("Dashboard"), "chart", Ask("admin:ServerInfo")),
            Entry("/upkeep", _("Upkeep"), "check", Ask("admin:ServerInfo")),
            Entry("/audit", _("Audit"), "eye", Ask("admin:AuditLog")),
            Entry("/trace", _("Requests"), "pulse", Ask("admin:ServerTrace")),
            Entry("/logs", _("Logs"), "list", Ask("admin:ConsoleLog")),
            Entry("/server", _("Settings"), "gear", Ask("admin:ConfigUpdate")),
        ),
    ),
)

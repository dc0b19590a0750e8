"""People: users, groups, policies, access keys, who may what, and one's own account."""

from neve.panel.pages.people import (
    account,
    explain,
    grant,
    group,
    groups,
    keys,
    policies,
    user,
    users,
)
from neve.panel.routing import Page

PAGES: tuple[Page, ...] = (
    *users.ROUTES,
    *user.ROUTES,
    *groups.ROUTES,
    *group.ROUTES,
    *policies.ROUTES,
    *keys.ROUTES,
    *grant.ROUTES,
    *explain.ROUTES,
    *account.ROUTES,
)

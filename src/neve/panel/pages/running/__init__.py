"""Running the server: dashboard, upkeep, audit, requests, logs, settings, export and import."""

from neve.panel.pages.running import audit, dashboard, logs, settings, trace, upkeep
from neve.panel.routing import Page

PAGES: tuple[Page, ...] = (
    *dashboard.ROUTES,
    *upkeep.ROUTES,
    *audit.ROUTES,
    *trace.ROUTES,
    *logs.ROUTES,
    *settings.ROUTES,
)

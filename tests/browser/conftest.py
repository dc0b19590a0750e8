"""A real browser: Debian's Chromium, driven by Playwright, on a server of its own.

Without Chromium these tests are skipped, save where NEVE_REQUIRE_BROWSER says that it must be
there: `.ci/run` installs it.
"""

import os
import shutil
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from neve.testing.server import LiveServer

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
TIMEOUT_MS = 30_000
expect.set_options(timeout=TIMEOUT_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a module: as long as it runs, others have no `asyncio.run`."""
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if not found:
        message = "the tests of the panel need Chromium: apt-get install chromium"
        assert not os.environ.get("NEVE_REQUIRE_BROWSER"), message
        pytest.skip(message)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """One server for the tests of a module."""
    with LiveServer(tmp_path_factory.mktemp("panel") / "data") as running:
        running.await_panel()
        yield running


@pytest.fixture
def context(browser: Browser, server: LiveServer) -> Iterator[BrowserContext]:
    """A browser that has not been here before, and speaks English."""
    made = browser.new_context(base_url=server.panel, locale="en-GB", accept_downloads=True)
    made.set_default_timeout(TIMEOUT_MS)
    yield made
    made.close()


@pytest.fixture
def complaints() -> list[str]:
    """What a page that is shown has said went wrong; a test of `page` fails on any."""
    return []


@pytest.fixture
def page(context: BrowserContext, complaints: list[str]) -> Iterator[Page]:
    """A page of that browser. Errors of scripts and violations of our own policy are failures."""
    made = context.new_page()
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on(
        "console",
        lambda message: (
            complaints.append(message.text) if "Content Security Policy" in message.text else None
        ),
    )
    yield made
    assert complaints == []


@pytest.fixture
def login(page: Page, server: LiveServer) -> Callable[..., Page]:
    """Log in as the administrator, or with other keys."""

    def enter(access_key: str = "", secret_key: str = "", path: str = "/") -> Page:
        page.goto(f"/login?next={path}")
        page.get_by_label("Access key").fill(access_key or server.access_key)
        page.get_by_label("Secret key").fill(secret_key or server.secret_key)
        page.get_by_role("button", name="Log in").click()
        page.wait_for_url(lambda url: "/login" not in url)
        return page

    return enter

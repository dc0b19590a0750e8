"""Requests as they come and the dashboard, in a real browser."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from neve.testing.server import LiveServer


def test_requests_are_watched(login: Callable[..., Page], server: LiveServer) -> None:
    server.client().create_bucket(Bucket="watched")
    page = login(path="/trace")
    page.get_by_role("button", name="Watch").click()
    expect(page.get_by_role("status")).to_have_text("Watching.")
    hostile = "<img src=x onerror=alert(1)>.nc"
    server.client().put_object(Bucket="watched", Key=hostile, Body=b"1")
    expect(page.get_by_role("cell", name="PutObject").first).to_be_visible()
    expect(page.get_by_role("cell", name="onerror").first).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("status")).to_have_text("Not watching.")


def test_dashboard_draws_its_charts(login: Callable[..., Page]) -> None:
    page = login(path="/dashboard")
    expect(page.get_by_role("img", name="Requests").first).to_be_visible()
    page.get_by_role("link", name="Month").click()
    expect(page.get_by_role("link", name="Month")).to_have_attribute("aria-current", "page")

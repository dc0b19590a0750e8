"""Logging in and out, in a real browser."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from neve.testing.server import LiveServer


def test_administrator_logs_in_sees_the_buckets_and_logs_out(
    login: Callable[..., Page], server: LiveServer
) -> None:
    server.client().create_bucket(Bucket="portail-ing")
    page = login()
    expect(page.get_by_role("heading", name="Buckets", level=1)).to_be_visible()
    expect(page.get_by_role("link", name="portail-ing", exact=True)).to_be_visible()
    page.locator("summary").click()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()
    page.goto("/buckets")
    expect(page.get_by_role("heading", name="Log in")).to_be_visible()


def test_wrong_secret_is_refused_in_one_sentence(page: Page, server: LiveServer) -> None:
    page.goto("/login")
    page.get_by_label("Access key").fill(server.access_key)
    page.get_by_label("Secret key").fill("not-the-secret")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("alert")).to_have_text("The access key or the secret key is wrong.")


def test_french_and_dark_are_kept(page: Page) -> None:
    page.goto("/login")
    page.get_by_role("button", name="Français").click()
    expect(page.get_by_role("heading", name="Se connecter")).to_be_visible()
    page.get_by_role("button", name="Couleurs sombres").click()
    page.goto("/login")
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.locator("html").get_attribute("lang") == "fr"

"""Giving a colleague access, in a real browser."""

from collections.abc import Callable

from playwright.sync_api import Page, expect

from neve.testing.server import LiveServer


def test_colleague_gets_write_access_to_a_bucket_in_three_clicks(
    login: Callable[..., Page], server: LiveServer
) -> None:
    server.client().create_bucket(Bucket="portail-ing")
    page = login(path="/users/new")
    page.get_by_label("Name").fill("claire")
    page.get_by_label("Secret key").fill("claires-secret")
    page.get_by_role("button", name="Make the user").click()
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="Give access to a bucket").click()
    page.get_by_label("To which bucket").select_option("portail-ing")
    page.get_by_label("Read, list, write and delete").check()
    page.get_by_role("button", name="Give access").click()
    expect(page.get_by_role("status")).to_contain_text("claire may read and write portail-ing now.")
    claire = server.client(aws_access_key_id="claire", aws_secret_access_key="claires-secret")
    claire.put_object(Bucket="portail-ing", Key="from-claire", Body=b"1")

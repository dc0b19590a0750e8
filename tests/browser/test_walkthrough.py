"""The walkthrough of docs/how-to/panel.md: every step where one would look first."""

import os
import urllib.request
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page, expect

from neve.testing.server import LiveServer


def test_somebody_new_makes_fills_and_shares_a_bucket(
    login: Callable[..., Page], server: LiveServer, tmp_path: Path
) -> None:
    folder = tmp_path / "model-output"
    folder.mkdir()
    data = {name: os.urandom(3000) for name in ("a.nc", "b.nc")}
    for name, content in data.items():
        (folder / name).write_bytes(content)
    page = login()
    page.get_by_role("link", name="New bucket").first.click()
    page.get_by_label("Name", exact=True).fill("portail-ing")
    page.get_by_role("button", name="Make the bucket").click()
    expect(page.get_by_role("button", name="Choose a folder")).to_be_visible()
    page.locator("input[type=file][webkitdirectory]").set_input_files(folder)
    expect(page.get_by_role("link", name="model-output").first).to_be_visible()
    client = server.client()
    for name, content in data.items():
        found = client.get_object(Bucket="portail-ing", Key=f"model-output/{name}")
        assert found["Body"].read() == content

    page.get_by_role("main").get_by_role("link", name="Settings").first.click()
    page.get_by_role("link", name="Access", exact=True).click()
    page.get_by_role("button", name="Let everybody list and read it").click()
    expect(page.get_by_role("status")).to_be_visible()
    with urllib.request.urlopen(f"{server.endpoint}/portail-ing/model-output/a.nc") as answer:
        assert answer.read() == data["a.nc"]

    page.get_by_role("link", name="Users").click()
    page.get_by_role("link", name="New user").click()
    page.get_by_label("Name").fill("claire")
    page.get_by_label("Secret key").fill("claires-secret")
    page.get_by_role("button", name="Make the user").click()
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="Give access to a bucket").click()
    page.get_by_label("To which bucket").select_option("portail-ing")
    page.get_by_label("Read, list, write and delete").check()
    page.get_by_role("button", name="Give access").click()
    expect(page.get_by_role("status")).to_be_visible()
    claire = server.client(aws_access_key_id="claire", aws_secret_access_key="claires-secret")
    claire.put_object(Bucket="portail-ing", Key="from-claire", Body=b"1")

    page.get_by_role("link", name="Buckets").click()
    page.get_by_role("link", name="portail-ing", exact=True).click()
    page.get_by_role("link", name="model-output").first.click()
    page.get_by_role("link", name="b.nc").first.click()
    page.get_by_role("link", name="Share").first.click()
    page.get_by_role("button", name="Make a link").click()
    link = page.locator("code", has_text="X-Amz-Signature").first.inner_text()
    with urllib.request.urlopen(link) as answer:
        assert answer.read() == data["b.nc"]

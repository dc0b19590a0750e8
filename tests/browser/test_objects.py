"""Looking through a bucket in a real browser: folders, previews, downloads, versions, links."""

import json
import urllib.request
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from neve.testing.server import LiveServer

EVIL = "<img src=x onerror=window.hit=1>"
SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="30" height="20">
<script>parent.hit = 1; alert(1)</script><rect width="30" height="20" onload="alert(2)"/></svg>"""


@pytest.fixture(scope="module")
def s3(server: LiveServer) -> Any:
    return server.client()


def shows(page: Page, selector: str) -> None:
    """Wait until an image is there."""
    page.wait_for_function(
        "selector => document.querySelector(selector)?.naturalWidth > 0", arg=selector
    )


def test_way_down_to_an_object_and_back(login: Callable[..., Page], s3: Any) -> None:
    s3.create_bucket(Bucket="way")
    key = f"données 1/{EVIL}/à & b.txt"
    s3.put_object(Bucket="way", Key=key, Body=f"{EVIL}\nneige".encode(), ContentType="text/html")
    page = login(path="/browse/way")
    page.get_by_role("link", name="données 1/").click()
    page.get_by_role("link", name=f"{EVIL}/").click()
    page.get_by_role("link", name="à & b.txt").click()
    expect(page.get_by_role("heading", name="à & b.txt", level=1)).to_be_visible()
    expect(page.locator(".preview pre")).to_contain_text("neige")
    assert page.evaluate("window.hit") is None
    page.get_by_label("Where this is").get_by_role("link", name="données 1").click()
    expect(page.get_by_role("link", name=f"{EVIL}/")).to_be_visible()
    page.get_by_label("Name starts with").fill("nothing")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("No name here starts with this.")).to_be_visible()


def test_images_show_and_do_nothing_else(login: Callable[..., Page], s3: Any) -> None:
    s3.create_bucket(Bucket="images")
    s3.put_object(Bucket="images", Key="x.svg", Body=SVG.encode(), ContentType="text/html")
    page = login(path="/object/images?key=x.svg")
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss())[0])
    page.reload()
    shows(page, ".preview img")
    assert page.evaluate("window.hit") is None and dialogs == []
    link = page.locator(".preview img").get_attribute("src") or ""
    with page.expect_download():
        # Opened by itself it is a file: nothing of it runs.
        page.evaluate("link => { location.href = link }", link)
    assert dialogs == []


def test_selection_is_downloaded_as_a_zip_file(login: Callable[..., Page], s3: Any) -> None:
    s3.create_bucket(Bucket="picked")
    for key in ("a.txt", "b.txt", "d/c.txt"):
        s3.put_object(Bucket="picked", Key=key, Body=key.encode())
    page = login(path="/browse/picked")
    button = page.get_by_role("button", name="Download the selection as a zip file")
    expect(button).to_be_disabled()
    page.get_by_label("Select a.txt").check()
    page.get_by_label("Select d/").check()
    with page.expect_download() as download:
        button.click()
    assert download.value.suggested_filename == "picked.zip"
    with zipfile.ZipFile(download.value.path()) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    assert found == {"a.txt": b"a.txt", "d/c.txt": b"d/c.txt"}
    page.get_by_label("Select everything on this page").check()
    expect(page.get_by_label("Select b.txt")).to_be_checked()


def test_version_is_restored(login: Callable[..., Page], s3: Any) -> None:
    s3.create_bucket(Bucket="earlier")
    s3.put_bucket_versioning(Bucket="earlier", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"good\n", b"spoilt\n"):
        s3.put_object(Bucket="earlier", Key="k", Body=body)
    page = login(path="/object/earlier?key=k")
    page.get_by_role("link", name="Versions").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    page.locator("tbody tr").nth(1).locator("[name=before]").check()
    page.locator("tbody tr").nth(0).locator("[name=after]").check()
    page.get_by_role("button", name="Compare the two that are chosen").click()
    expect(page.locator(".diff .added")).to_contain_text("+spoilt")
    page.get_by_role("link", name="Versions").click()
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_role("status")).to_contain_text("is again what it was")
    assert s3.get_object(Bucket="earlier", Key="k")["Body"].read() == b"good\n"


def test_link_is_made_and_works_without_an_account(login: Callable[..., Page], s3: Any) -> None:
    s3.create_bucket(Bucket="lent")
    s3.put_object(Bucket="lent", Key="d/report.txt", Body=b"report")
    page = login(path="/object/lent?key=d/report.txt")
    page.get_by_role("link", name="Share").click()
    page.get_by_label("Good for").select_option("3 days")
    page.get_by_role("button", name="Make a link").click()
    expect(page.get_by_text("Whoever has this link may read the object")).to_be_visible()
    link = page.locator(".snippet code").first.text_content() or ""
    with urllib.request.urlopen(link, timeout=30) as answer:
        assert answer.read() == b"report"


def test_public_bucket_is_read_without_an_account(page: Page, server: LiveServer, s3: Any) -> None:
    s3.create_bucket(Bucket="public-data")
    s3.put_object(Bucket="public-data", Key="d/t.csv", Body=b"station,t\nA,1\n")
    statement = {
        "Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": ["arn:aws:s3:::public-data", "arn:aws:s3:::public-data/*"],
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket="public-data", Policy=policy)
    page.goto("/login")
    page.get_by_label("Bucket").fill("public-data")
    page.get_by_role("button", name="Open").click()
    page.get_by_role("link", name="d/").click()
    page.get_by_role("link", name="t.csv").click()
    expect(page.get_by_role("cell", name="A", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="Versions")).to_have_count(0)
    page.get_by_role("link", name="Use in programs").click()
    expect(page.get_by_text("no keys are needed")).to_be_visible()

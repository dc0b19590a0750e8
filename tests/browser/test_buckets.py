"""Buckets in a real browser: made, opened to the public, ruled, deleted; boto3 sees the effect."""

import urllib.request
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError
from playwright.sync_api import Page, expect

from neve.testing.server import LiveServer


def test_bucket_is_made_with_a_hint_of_the_rules(
    login: Callable[..., Page], server: LiveServer
) -> None:
    page = login()
    page.get_by_role("link", name="New bucket").click()
    name = page.get_by_label("Name", exact=True)
    name.fill("Wrong..name")
    expect(page.locator(".rules .unmet")).to_have_count(3)
    name.fill("climate-data")
    expect(page.locator(".rules .met")).to_have_count(5)
    page.get_by_label("Object lock: versions").check()
    page.get_by_label("Lock of new versions").select_option("GOVERNANCE")
    page.get_by_label("for", exact=True).fill("7")
    page.get_by_label("At most so many bytes").fill("2 TiB")
    page.get_by_role("button", name="Make the bucket").click()
    expect(page.get_by_role("status")).to_contain_text("The bucket climate-data was made.")
    client = server.client()
    lock = client.get_object_lock_configuration(Bucket="climate-data")["ObjectLockConfiguration"]
    assert lock["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": 7}
    page.goto("/buckets")
    row = page.get_by_role("row").filter(has_text="climate-data")
    expect(row).to_contain_text("0% of 2.0 TiB")
    page.get_by_label("Name contains").fill("nothing like it")
    expect(row).to_be_hidden()
    page.get_by_label("Name contains").fill("CLIMATE")
    expect(row).to_be_visible()


def test_bucket_is_opened_to_the_public_and_to_a_user(
    login: Callable[..., Page], server: LiveServer
) -> None:
    client = server.client()
    client.create_bucket(Bucket="opened")
    client.put_object(Bucket="opened", Key="k", Body=b"public data")
    page = login()
    page.get_by_role("row").filter(has_text="opened").get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Access", exact=True).click()
    page.get_by_role("button", name="Let everybody list and read it").click()
    expect(page.get_by_role("status")).to_contain_text("The access was changed.")
    with urllib.request.urlopen(f"{server.endpoint}/opened/k", timeout=30) as answer:
        assert answer.read() == b"public data"
    page.get_by_label("Name of the user").fill("alice")
    page.get_by_label("write", exact=True).check()
    page.get_by_role("button", name="Let them").click()
    rows = page.get_by_role("row").filter(has_text="alice")
    expect(rows).to_have_count(3)
    page.get_by_text("The whole policy as a document").click()
    page.get_by_label("Policy", exact=True).fill('{"Statement": [\n  oops')
    page.get_by_role("button", name="Replace the policy").click()
    expect(page.get_by_role("alert")).to_contain_text("line 2, column 3")
    expect(page.get_by_label("Policy", exact=True)).to_have_value('{"Statement": [\n  oops')
    assert '"alice"' not in client.get_bucket_policy(Bucket="opened")["Policy"]
    assert "user/alice" in client.get_bucket_policy(Bucket="opened")["Policy"]


def test_web_viewers_and_a_lifecycle_rule(login: Callable[..., Page], server: LiveServer) -> None:
    client = server.client()
    client.create_bucket(Bucket="ruled")
    page = login(path="/buckets/ruled/cors")
    page.get_by_role("button", name="Let web viewers read").click()
    expect(page.get_by_role("row").filter(has_text="every site")).to_be_visible()
    assert client.get_bucket_cors(Bucket="ruled")["CORSRules"][0]["AllowedOrigins"] == ["*"]
    page.get_by_role("link", name="Lifecycle").click()
    page.get_by_label("Prefix").fill("scratch/")
    page.get_by_label("End so many days after being written").fill("30")
    page.get_by_role("button", name="Add the rule").click()
    row = page.get_by_role("row").filter(has_text="under scratch/")
    expect(row).to_contain_text("Objects end 30 days after they were written.")
    row.get_by_role("link", name="Edit").click()
    page.get_by_label("End so many days after being written").fill("60")
    page.get_by_role("button", name="Save the rule").click()
    expect(row).to_contain_text("Objects end 60 days after they were written.")
    rules = client.get_bucket_lifecycle_configuration(Bucket="ruled")["Rules"]
    assert rules[0]["Expiration"] == {"Days": 60}


def test_bucket_with_content_is_deleted_once_its_name_is_typed(
    login: Callable[..., Page], server: LiveServer
) -> None:
    client = server.client()
    client.create_bucket(Bucket="doomed")
    for number in range(30):
        client.put_object(Bucket="doomed", Key=f"{number}", Body=b"x" * 100)
    page = login(path="/buckets/doomed")
    page.get_by_role("link", name="Delete the bucket …").click()
    expect(page.get_by_text("30 objects")).to_be_visible()
    page.get_by_label("Type the bucket's name").fill("doomed?")
    page.get_by_role("button", name="Delete the bucket").click()
    expect(page.get_by_role("alert")).to_contain_text("nothing was done")
    page.get_by_label("Type the bucket's name").fill("doomed")
    page.get_by_role("button", name="Delete the bucket").click()
    expect(page.get_by_text("The bucket doomed was deleted.")).to_be_visible()
    expect(page.get_by_text("30 objects, versions and markers were deleted.")).to_be_visible()
    with pytest.raises(ClientError):
        client.head_bucket(Bucket="doomed")


NAMELESS = """() => [...document.querySelectorAll("main input, main select, main textarea")]
  .filter(each => each.type !== "hidden" && !each.labels.length && !each.ariaLabel)
  .map(each => each.outerHTML)"""
TWICE = """() => [...document.querySelectorAll("[id]")].map(each => each.id)
  .filter((id, place, all) => all.indexOf(id) !== place)"""


def test_pages_fit_a_narrow_screen_and_name_their_fields(
    login: Callable[..., Page], server: LiveServer
) -> None:
    server.client().create_bucket(Bucket="narrow-" + "x" * 50)
    page = login()
    page.set_viewport_size({"width": 400, "height": 800})
    bucket = "narrow-" + "x" * 50
    tabs = ["access", "quota", "versioning", "lifecycle", "lock", "cors", "tags", "more", "delete"]
    paths = [f"/buckets/{bucket}/{tab}" for tab in tabs]
    for path in ("/buckets", "/buckets/_new", f"/buckets/{bucket}", *paths):
        page.goto(path)
        wide = page.evaluate("document.documentElement.scrollWidth")
        assert wide <= 400, f"{path} is {wide} pixels wide"
        assert page.evaluate(NAMELESS) == [], path
        assert page.evaluate(TWICE) == [], path

"""Every page in a real browser: hostile text stays text, and axe-core finds nothing serious."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from tests.browser import hostile

from neve.panel.pages import PAGES
from neve.testing.server import LiveServer

SERIOUS = ("serious", "critical")
EVALUATED = re.compile(r"(/script(&gt;|>)|&gt;)49")
NO_PAGE = {
    # Redirects, files, and what only the answer to a form leads to.
    "/", "/folder/{bucket}", "/zip/{bucket}", "/object/{bucket}/download",
    "/object/{bucket}/image", "/trace/stream", "/tasks/{name}", "/buckets/{bucket}/progress",
}  # fmt: skip


@pytest.fixture(scope="module")
def addresses(server: LiveServer) -> dict[str, str]:
    """Where hostile text is shown."""
    return hostile.fill(server)


@pytest.fixture
def watched(page: Page, server: LiveServer, complaints: list[str]) -> Page:
    """A page in which whatever came of hostile text is a complaint."""
    page.add_init_script("window.evil = () => { throw new Error('hostile script ran') }")
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))

    def requested(request: Any) -> None:
        ours = (f"{server.panel}/", f"{server.endpoint}/", "data:", "blob:", "chrome")
        if not request.url.startswith(ours):
            complaints.append(f"request: {request.url}")

    page.on("request", requested)
    return page


def test_every_page_is_visited(addresses: dict[str, str]) -> None:
    shown = {page.path for page in PAGES if page.method == "GET"} - NO_PAGE
    assert shown - {name.partition(" ")[0] for name in addresses} == set()


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_hostile_text_is_text_and_pages_are_accessible(
    theme: str,
    addresses: dict[str, str],
    watched: Page,
    login: Callable[..., Page],
    server: LiveServer,
    complaints: list[str],
) -> None:
    login()
    watched.context.add_cookies([{"name": "neve_theme", "value": theme, "url": server.panel}])
    axe, found = Axe(), []
    options = {"resultTypes": ["violations"]}
    if theme == "dark":  # what the colours do not change was looked at in light ones
        options["runOnly"] = ["color-contrast"]
    key = f"/object/{{bucket}} {hostile.EVIL}.txt"
    pressed = {f"{key} {button}": button for button in ("Delete", "Copy or move")}
    for name, address in (addresses | dict.fromkeys(pressed, addresses[key])).items():
        watched.goto(address)
        if name in pressed:  # pages that only the answer to a form is
            watched.get_by_role("button", name=pressed[name]).click()
            expect(watched.get_by_role("heading", level=1)).not_to_contain_text(".txt")
        assert watched.locator("html").get_attribute("data-theme") == theme
        if watched.locator("[data-evil], data-evil").count():
            complaints.append(f"{name}: an element of the hostile text")
        if EVALUATED.search(watched.content()):
            complaints.append(f"{name}: a template in the text was filled in")
        if name == "/object/{bucket} paper.pdf":
            continue  # the viewer of the browser is a page of its own, of another origin
        for each in axe.run(watched, options=options).response["violations"]:
            if each["impact"] in SERIOUS:
                nodes = [node["html"][:200] for node in each["nodes"][:3]]
                found.append(f"{name}: {each['id']}: {nodes}")
    assert not found, "\n".join(found)


def test_names_of_files_to_upload_are_text(
    addresses: dict[str, str], watched: Page, login: Callable[..., Page]
) -> None:
    login(path=addresses["/browse/{bucket}"])
    name = hostile.EVIL.replace("/", "")
    for body in (b"1", b"2"):  # the second time it is there already, and the page says so
        watched.locator("[data-input=files]").set_input_files(
            [{"name": name, "mimeType": "text/html", "buffer": body}]
        )
        expect(watched.locator("#upload")).to_contain_text(
            "Everything is uploaded." if body == b"1" else "exist already"
        )
        assert watched.locator("[data-evil]").count() == 0


@pytest.mark.parametrize("key", ["page.html", "drawing.svg", "paper.pdf"])
def test_downloads_are_files(
    key: str, addresses: dict[str, str], watched: Page, login: Callable[..., Page]
) -> None:
    login(path=addresses[f"/object/{{bucket}} {key}"])
    with watched.expect_download() as download:
        watched.get_by_role("link", name="Download", exact=True).click()
    assert download.value.suggested_filename == key


ATTACK = """<!doctype html><body><script>
(async () => {
  const panel = decodeURIComponent(location.hash.slice(1)), found = {};
  const no = async (name, act) => {
    try { found[name] = await act() } catch (error) { found[name] = "no" }
  };
  found.cookie = document.cookie;
  found.opener = String(window.opener);
  const as = { credentials: "include" };
  await no("read", async () => (await fetch(panel + "/buckets", as)).status);
  for (const path of ["/logout", "/preferences", "/buckets/_new"])
    await no("post", async () => (await fetch(panel + path, { ...as, method: "POST",
      mode: "no-cors", body: new URLSearchParams({ csrf: "", lang: "fr", name: "forged" }),
    })).type);
  const frame = document.createElement("iframe");
  frame.src = panel + "/buckets";
  const loaded = new Promise((done) => { frame.onload = done; setTimeout(done, 3000) });
  document.body.append(frame);
  await loaded;
  await no("frame", async () => frame.contentDocument.title);
  const picture = new Image();
  picture.src = panel + "/static/icon.svg";
  found.embedded = await new Promise((done) => {
    picture.onload = () => done("yes");
    picture.onerror = () => done("no");
  });
  document.title = JSON.stringify(found);
})();
</script>"""


def test_page_that_s3_serves_cannot_reach_the_panel(
    page: Page, login: Callable[..., Page], server: LiveServer, complaints: list[str]
) -> None:
    """It has the same host: cookies know no ports. A link shared to be looked at opens it."""
    s3 = server.client()
    s3.create_bucket(Bucket="attack")
    s3.put_object(Bucket="attack", Key="a.html", Body=ATTACK.encode(), ContentType="text/html")
    login(path="/buckets")
    link = s3.generate_presigned_url("get_object", {"Bucket": "attack", "Key": "a.html"})
    with page.context.expect_page() as opened:
        page.evaluate("link => { window.open(link, '_blank') }", f"{link}#{server.panel}")
    attacker = opened.value
    attacker.wait_for_function("document.title.startsWith('{')")
    found = json.loads(attacker.title())
    refused = dict.fromkeys(("read", "post", "frame", "embedded"), "no")
    assert found == {"cookie": "", "opener": "null"} | refused
    page.goto("/buckets")
    expect(page.get_by_role("heading", name="Buckets", level=1)).to_be_visible()
    assert "forged" not in [each["Name"] for each in s3.list_buckets()["Buckets"]]
    complaints.clear()  # of the attacker's page


def tab_to(page: Page, role: Any, name: str, **more: Any) -> None:
    """Go on with the Tab key until something has the focus, which must be seen."""
    wanted = page.get_by_role(role, name=name, **more).first
    expect(wanted).to_be_visible()
    for _ in range(150):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            style = wanted.evaluate("element => getComputedStyle(element).outlineStyle")
            assert style != "none", f"the focus on {name} is not seen"
            return
    raise AssertionError(f"the Tab key does not lead to {name}")


def test_everything_goes_by_keyboard(page: Page, server: LiveServer) -> None:
    s3 = server.client()
    s3.create_bucket(Bucket="keys-only")
    s3.put_object(Bucket="keys-only", Key="first.txt", Body=b"1")
    page.goto("/login")
    expect(page.get_by_label("Access key")).to_be_focused()
    page.keyboard.type(server.access_key)
    page.keyboard.press("Tab")
    page.keyboard.type(server.secret_key)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Buckets", level=1)).to_be_visible()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # the first of all leads over the menu
    assert page.url.endswith("#main")
    tab_to(page, "link", "keys-only")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="keys-only", level=1)).to_be_visible()
    with page.expect_file_chooser() as chooser:
        tab_to(page, "button", "Choose files")
        page.keyboard.press("Enter")
    chooser.value.set_files([{"name": "new.txt", "mimeType": "text/plain", "buffer": b"2"}])
    expect(page.locator("#upload")).to_contain_text("Everything is uploaded.")
    page.reload()
    tab_to(page, "checkbox", "Select first.txt")
    page.keyboard.press("Space")
    tab_to(page, "button", "Delete")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Delete")
    tab_to(page, "button", "Delete")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("1 object was deleted.")
    assert [row["Key"] for row in s3.list_objects_v2(Bucket="keys-only")["Contents"]] == ["new.txt"]
    menu = page.locator("details.account")
    menu.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(menu).to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(menu).not_to_have_attribute("open", "")
    expect(menu.locator("summary")).to_be_focused()


@pytest.fixture
def plain(browser: Browser, server: LiveServer) -> Iterator[Page]:
    """A page of a browser without scripts, logged in."""
    context: BrowserContext = browser.new_context(
        base_url=server.panel, locale="en-GB", java_script_enabled=False
    )
    page = context.new_page()
    page.goto("/login")
    page.get_by_label("Access key").fill(server.access_key)
    page.get_by_label("Secret key").fill(server.secret_key)
    page.get_by_role("button", name="Log in").click()
    yield page
    context.close()


@pytest.mark.slow
def test_every_page_is_read_without_scripts(addresses: dict[str, str], plain: Page) -> None:
    """The one of the login leads on to where there is nothing."""
    for name, address in addresses.items():
        answer = plain.goto(address)
        assert answer is not None
        assert answer.status == (404 if name in ("missing", "/login") else 200), name
        assert plain.get_by_role("heading", level=1).count() == 1, name


def test_journeys_without_scripts(plain: Page, server: LiveServer) -> None:
    s3 = server.client()
    plain.goto("/buckets")
    plain.get_by_role("link", name="New bucket").first.click()
    plain.get_by_label("Name").fill("no-scripts")
    plain.get_by_role("button", name="Make the bucket").click()
    expect(plain.get_by_role("heading", name="no-scripts", level=1)).to_be_visible()
    plain.set_input_files("#f-upload", {"name": "a.txt", "mimeType": "text/plain", "buffer": b"1"})
    plain.get_by_role("button", name="Upload").click()
    expect(plain.get_by_role("status")).to_contain_text("a.txt is uploaded.")
    plain.goto("/buckets/no-scripts/access")
    plain.get_by_role("button", name="Let everybody list and read").click()
    assert "no-scripts" in s3.get_bucket_policy(Bucket="no-scripts")["Policy"]
    plain.goto("/users/new")
    plain.get_by_label("Name").fill("plain-user")
    plain.get_by_label("Secret key").fill("plain-secret")
    plain.get_by_label("Rights").select_option("readwrite")
    plain.get_by_role("button", name="Make the user").click()
    expect(plain.get_by_role("heading", level=1)).to_contain_text("plain-user")
    keys = {"aws_access_key_id": "plain-user", "aws_secret_access_key": "plain-secret"}
    server.client(**keys).get_object(Bucket="no-scripts", Key="a.txt")

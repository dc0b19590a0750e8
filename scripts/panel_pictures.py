"""Take the pictures of the panel for the documentation: every page, and the walkthrough.

    python scripts/panel_pictures.py [NAME…]

Starts a server of its own with real data, logs in with Chromium, and writes `docs/pictures/`: each
page in English and French, light and dark; of the walkthrough each step, in English. With names,
only those pages. Needs Chromium and the development environment.
"""

import io
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, Page, expect, sync_playwright

from neve.testing.server import LiveServer

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "pictures"
GALLERY = FOLDER.parent / "reference" / "panel.md"
INTRODUCTION = """\
<!-- Written by scripts/panel_pictures.py, with the pictures. -->

Every page of the [panel](../how-to/panel.md) as an administrator sees it, in English; the links
lead to the same page in other colours and in French. What a user's policies do not allow is not
shown to that user."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
SIZE = {"width": 1200, "height": 780}
HEIGHT_MAX = 1500
COLOURS = 64
USERS = ("alice", "bruno", "claire")


class Shot(NamedTuple):
    """A page: the name of its picture, what it is, and where."""

    name: str
    title: str
    path: str
    public: bool = False
    """Whether it is taken by somebody who is not logged in."""


SHOTS = (
    Shot("login", "Log in", "/login", public=True),
    Shot("buckets", "Buckets", "/buckets"),
    Shot("bucket-new", "New bucket", "/buckets/_new"),
    Shot("quotas", "Quotas of the store", "/buckets/_quotas"),
    Shot("bucket", "A bucket: overview", "/buckets/portail-ing"),
    Shot("bucket-access", "A bucket: access", "/buckets/public-data/access"),
    Shot("bucket-quota", "A bucket: quota", "/buckets/portail-ing/quota"),
    Shot("bucket-versioning", "A bucket: versions", "/buckets/portail-ing/versioning"),
    Shot("bucket-lifecycle", "A bucket: lifecycle", "/buckets/portail-ing/lifecycle"),
    Shot("bucket-lock", "A bucket: locks", "/buckets/portail-ing/lock"),
    Shot("bucket-cors", "A bucket: other sites", "/buckets/portail-ing/cors"),
    Shot("bucket-tags", "A bucket: tags", "/buckets/portail-ing/tags"),
    Shot("bucket-more", "A bucket: more", "/buckets/portail-ing/more"),
    Shot(
        "bucket-uploads",
        "A bucket: uploads that were not completed",
        "/buckets/portail-ing/uploads",
    ),
    Shot("bucket-empty", "Empty a bucket", "/buckets/portail-ing/empty"),
    Shot("bucket-delete", "Delete a bucket", "/buckets/portail-ing/delete"),
    Shot("browse", "Browse a bucket", "/browse/portail-ing"),
    Shot("browse-public", "Browse without an account", "/browse/public-data", public=True),
    Shot("folder-code", "How programs read a folder", "/browse/portail-ing/code?prefix=test.zarr/"),
    Shot("store", "A Zarr store", "/browse/portail-ing/store?prefix=test.zarr/"),
    Shot("object", "An object", "/object/portail-ing?key=A1B_north_america.nc"),
    Shot(
        "object-change", "Change an object", "/object/portail-ing/change?key=A1B_north_america.nc"
    ),
    Shot("object-versions", "Versions of an object", "/object/portail-ing/versions?key=notes.txt"),
    Shot(
        "object-share", "A link to an object", "/object/portail-ing/share?key=A1B_north_america.nc"
    ),
    Shot(
        "object-code",
        "How programs read an object",
        "/object/portail-ing/code?key=A1B_north_america.nc",
    ),
    Shot("account", "My account", "/account"),
    Shot("keys", "My access keys", "/keys"),
    Shot("key", "An access key", "/key?id=NIGHTLYKEY"),
    Shot("key-new", "New access key", "/keys/new"),
    Shot("users", "Users", "/users"),
    Shot("user", "A user", "/user?name=alice"),
    Shot("user-new", "New user", "/users/new"),
    Shot("user-remove", "Remove a user", "/user/remove?name=bruno"),
    Shot("groups", "Groups", "/groups"),
    Shot("group", "A group", "/group?name=lab"),
    Shot("policies", "Policies", "/policies"),
    Shot("policy", "A policy", "/policy?name=contributor:results"),
    Shot("policy-edit", "Edit a policy", "/policy/edit?name=cmip6-readers"),
    Shot("grant", "Give access", "/grant?bucket=portail-ing&who=user:claire"),
    Shot(
        "explain", "Who may what", "/explain?who=bruno&action=s3:PutObject&bucket=portail-ing&key=x"
    ),
    Shot("dashboard", "Dashboard", "/dashboard"),
    Shot("upkeep", "Upkeep", "/upkeep"),
    Shot("audit", "Audit", "/audit"),
    Shot("trace", "Requests", "/trace"),
    Shot("logs", "Logs", "/logs"),
    Shot("server", "Settings of the server", "/server"),
)


def main(names: list[str]) -> None:
    """Take them."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    shots = [shot for shot in SHOTS if not names or shot.name in names]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        with LiveServer(Path(folder) / "climate") as server:
            fill(server)
            for language in ("en", "fr"):
                for theme in ("light", "dark"):
                    take(browser, server, shots, language, theme)
        if not names or "walkthrough" in names:
            with LiveServer(Path(folder) / "fresh") as server:
                walk(browser, server, Path(folder))
        browser.close()
    write_gallery()


def write_gallery() -> None:
    """Write the page that shows them all."""
    lines = ["# Pages of the panel", "", INTRODUCTION, ""]
    for shot in SHOTS:
        lines += [f"## {shot.title}", "", f"`{shot.path}`", ""]
        lines += [f"![{shot.title}](../pictures/{shot.name}-en-light.png)", ""]
        kinds = (("dark", "en-dark"), ("in French", "fr-light"), ("in French, dark", "fr-dark"))
        links = (f"[{words}](../pictures/{shot.name}-{kind}.png)" for words, kind in kinds)
        lines += [" ·\n".join(links), ""]
    GALLERY.write_text("\n".join(lines))


def take(
    browser: Browser, server: LiveServer, shots: list[Shot], language: str, theme: Any
) -> None:
    """Take some pages in one language and theme."""
    locale = "en-GB" if language == "en" else "fr-CA"
    for public in (True, False):
        context = browser.new_context(
            base_url=server.panel, locale=locale, color_scheme=theme, viewport=SIZE
        )
        page = context.new_page()
        if not public:
            log_in(page, server)
        for shot in shots:
            if shot.public == public:
                answer = page.goto(shot.path)
                assert answer and answer.status == 200, f"{shot.path}: {answer and answer.status}"
                keep(page, f"{shot.name}-{language}-{theme}")
        context.close()


def log_in(page: Page, server: LiveServer) -> None:
    """Log in as the administrator."""
    page.goto("/login")
    page.locator("[name=access_key]").fill(server.access_key)
    page.locator("[name=secret_key]").fill(server.secret_key)
    page.locator("form[action='/login'] button").click()
    page.wait_for_url(lambda url: "/login" not in url)


def keep(page: Page, name: str) -> None:
    """Write what the page shows, in few colours: small files for a repository."""
    page.wait_for_load_state("load")
    page.evaluate("document.fonts.ready")
    height = min(HEIGHT_MAX, page.evaluate("document.documentElement.scrollHeight"))
    clip = {"x": 0, "y": 0, "width": SIZE["width"], "height": height}
    raw = page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]
    image = Image.open(io.BytesIO(raw)).convert("RGB")
    small = image.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    FOLDER.mkdir(parents=True, exist_ok=True)
    small.save(FOLDER / f"{name}.png", optimize=True)
    print(name)


def fill(server: LiveServer) -> None:
    """Give the server what a climate institute has: NetCDF, Zarr, users, groups, policies, keys."""
    import iris_sample_data
    import s3fs
    import xarray
    from minio import MinioAdmin
    from minio.credentials import StaticProvider

    s3 = server.client()
    for bucket in ("portail-ing", "public-data", "results", "cmip6-raw"):
        s3.create_bucket(Bucket=bucket)
    sample = Path(iris_sample_data.path) / "A1B_north_america.nc"
    for bucket in ("portail-ing", "public-data"):
        s3.upload_file(str(sample), bucket, sample.name)
    filesystem = s3fs.S3FileSystem(
        key=server.access_key, secret=server.secret_key, endpoint_url=server.endpoint
    )
    store = s3fs.S3Map(root="portail-ing/test.zarr", s3=filesystem, check=False)
    with xarray.open_dataset(sample) as dataset:
        dataset.to_zarr(store=store, mode="w", consolidated=True)
    for number in range(40):
        s3.put_object(
            Bucket="cmip6-raw", Key=f"tas/{1980 + number}.nc", Body=bytes(20_000 * number)
        )
    server_policy(s3, "public-data")
    s3.put_bucket_versioning(Bucket="portail-ing", VersioningConfiguration={"Status": "Enabled"})
    for text in ("first notes\n", "first notes\nand a second line\n"):
        s3.put_object(Bucket="portail-ing", Key="notes.txt", Body=text.encode())
    s3.create_multipart_upload(Bucket="portail-ing", Key="left-behind.nc")
    tags = {"TagSet": [{"Key": "project", "Value": "portail"}]}
    s3.put_bucket_tagging(Bucket="portail-ing", Tagging=tags)
    rule = {"ID": "scratch", "Status": "Enabled", "Filter": {"Prefix": "scratch/"}}
    rules = {"Rules": [{**rule, "Expiration": {"Days": 30}}]}
    s3.put_bucket_lifecycle_configuration(Bucket="portail-ing", LifecycleConfiguration=rules)
    admin = MinioAdmin(
        endpoint=urlsplit(server.endpoint).netloc,
        credentials=StaticProvider(server.access_key, server.secret_key),
        secure=False,
    )
    for name in USERS:
        admin.user_add(name, f"secret-of-{name}")
    admin.bucket_quota_set("portail-ing", 50 << 20)
    admin.attach_policy(["readwrite"], user="alice")
    admin.attach_policy(["reader:portail-ing"], user="bruno")
    admin.group_add("lab", ["alice", "bruno"])
    admin.attach_policy(["contributor:results"], group="lab")
    reads = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"]}
    reads["Resource"] = ["arn:aws:s3:::cmip6-raw", "arn:aws:s3:::cmip6-raw/*"]
    document = {"Version": "2012-10-17", "Statement": [reads]}
    admin.policy_add("cmip6-readers", policy=document)
    admin.add_service_account(
        access_key="NIGHTLYKEY", secret_key="secret-of-the-key", name="nightly-upload",
        expiration="2030-01-01T00:00:00Z",
    )  # fmt: skip


def server_policy(s3: Any, bucket: str) -> None:
    """Let everybody read a bucket."""
    import json

    allow = {"Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"]}
    allow["Resource"] = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]  # type: ignore[assignment]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)


@contextmanager
def somebody(browser: Browser, server: LiveServer) -> Iterator[Page]:
    """A browser that is logged in as the administrator."""
    context = browser.new_context(base_url=server.panel, locale="en-GB", viewport=SIZE)
    page = context.new_page()
    log_in(page, server)
    yield page
    context.close()


def walk(browser: Browser, server: LiveServer, folder: Path) -> None:
    """The walkthrough of `docs/how-to/panel.md`: each step as somebody new would do it."""
    import iris_sample_data

    data = folder / "model-output"
    data.mkdir()
    for name in ("A1B_north_america.nc", "E1_north_america.nc"):
        shutil.copy(Path(iris_sample_data.path) / name, data / name)
    with somebody(browser, server) as page:
        page.get_by_role("link", name="New bucket").first.click()
        page.get_by_label("Name", exact=True).fill("portail-ing")
        keep(page, "walk-1-new-bucket")
        page.get_by_role("button", name="Make the bucket").click()
        expect(page.get_by_role("button", name="Choose a folder")).to_be_visible()
        page.locator("input[type=file][webkitdirectory]").set_input_files(data)
        expect(page.get_by_role("link", name="model-output").first).to_be_visible()
        keep(page, "walk-2-upload")
        page.get_by_role("main").get_by_role("link", name="Settings").first.click()
        page.get_by_role("link", name="Access", exact=True).click()
        keep(page, "walk-3-access")
        page.get_by_role("button", name="Let everybody list and read it").click()
        expect(page.get_by_role("status")).to_be_visible()
        page.get_by_role("link", name="Users").click()
        page.get_by_role("link", name="New user").click()
        page.get_by_label("Name").fill("claire")
        page.get_by_role("button", name="Make the user").click()
        page.get_by_role("link", name="I have copied it").click()
        page.get_by_role("link", name="Give access to a bucket").click()
        page.get_by_label("To which bucket").select_option("portail-ing")
        page.get_by_label("Read, list, write and delete").check()
        keep(page, "walk-4-grant")
        page.get_by_role("button", name="Give access").click()
        expect(page.get_by_role("status")).to_be_visible()
        page.goto("/object/portail-ing?key=model-output/A1B_north_america.nc")
        keep(page, "walk-5-object")
        page.get_by_role("link", name="Share").first.click()
        keep(page, "walk-6-share")


if __name__ == "__main__":
    main(sys.argv[1:])

"""Uploading from a real browser straight to S3; what arrived is checked over boto3."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from neve.testing.server import LiveServer, wait_until

ODD = [
    "plain.txt",
    "été/neige à 10 %.nc",
    "a+b & c?d#e.bin",
    "quo'te\"d <b>.txt",
    "雪/❄.txt",
    ".zattrs",
]
PART = 16 << 20


def steward(server: LiveServer) -> int:
    """The pid of the process that the panel is in: the one that listens on its port."""
    port = int(server.panel.rpartition(":")[2])
    table = Path("/proc/net/tcp").read_text().splitlines()[1:]
    rows = [line.split() for line in table]
    inode = next(row[9] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A")
    for pid in server.children():
        for link in Path(f"/proc/{pid}/fd").iterdir():
            if link.is_symlink() and os.readlink(link) == f"socket:[{inode}]":
                return pid
    raise AssertionError("nobody listens")


def memory(pid: int, name: str) -> int:
    found = re.search(
        rf"^{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE
    )
    assert found
    return int(found[1]) << 10


def resident(pid: int) -> int:
    return memory(pid, "VmRSS")


def peak(pid: int) -> int:
    return memory(pid, "VmHWM")


def open_bucket(page: Page, bucket: str, prefix: str = "") -> None:
    page.goto(f"/browse/{bucket}?prefix={quote(prefix)}")
    expect(page.get_by_role("heading", name="Upload")).to_be_visible()


def choose(page: Page, *paths: Path) -> None:
    page.get_by_label("Files to upload").set_input_files(list(paths))


def finished(page: Page, timeout_s: float = 30) -> None:
    expect(page.locator("#upload [data-status]")).to_have_text(
        "Everything is uploaded.", timeout=timeout_s * 1000
    )


def content(client: Any, bucket: str) -> dict[str, bytes]:
    found = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket):
        for row in page.get("Contents", ()):
            body = client.get_object(Bucket=bucket, Key=row["Key"])["Body"]
            found[row["Key"]] = body.read()
    return found


def sparse(path: Path, size: int) -> Path:
    """A large file that takes no place, with a few bytes in each part that tell it apart."""
    with path.open("wb") as stream:
        stream.truncate(size)
        for start in range(0, size, PART):
            stream.seek(start)
            stream.write(b"part %d" % start)
    return path


def etag_of(path: Path) -> str:
    """The ETag that S3 gives to a file sent in parts of 16 MiB."""
    digests = []
    with path.open("rb") as stream:
        while piece := stream.read(PART):
            digests.append(hashlib.md5(piece).digest())
    return f'"{hashlib.md5(b"".join(digests)).hexdigest()}-{len(digests)}"'


def drop(page: Page, *paths: Path) -> None:
    """Drop files and folders as a user does who drags them from a file manager."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 500, "y": 200, "data": data})


class Network:
    """The network of a page, which can be slow or cut."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)

    def be(self, bytes_per_s: int = -1, offline: bool = False) -> None:
        self._session.send(
            "Network.emulateNetworkConditions",
            {"offline": offline, "latency": 0, "downloadThroughput": -1,
             "uploadThroughput": bytes_per_s},
        )  # fmt: skip


def test_files_arrive_whole_with_their_type_and_the_listing_shows_them(
    login: Callable[..., Page], server: LiveServer, tmp_path: Path
) -> None:
    client = server.client()
    client.create_bucket(Bucket="choisis")
    files = [tmp_path / "relevé 1.csv", tmp_path / "champ.nc", tmp_path / "vide"]
    for number, path in enumerate(files):
        path.write_bytes(os.urandom(70_000) * number)
    page = login()
    open_bucket(page, "choisis", "a/b/")
    choose(page, *files)
    finished(page)
    assert content(client, "choisis") == {f"a/b/{path.name}": path.read_bytes() for path in files}
    assert client.head_object(Bucket="choisis", Key="a/b/relevé 1.csv")["ContentType"] == "text/csv"
    kind = client.head_object(Bucket="choisis", Key="a/b/champ.nc")["ContentType"]
    assert kind == "application/x-netcdf"
    expect(page.get_by_role("link", name="champ.nc")).to_be_visible()


def test_folder_of_300_files_with_odd_names_is_dropped(
    login: Callable[..., Page], server: LiveServer, tmp_path: Path
) -> None:
    client = server.client()
    client.create_bucket(Bucket="dossier")
    folder = tmp_path / "mes données"
    expected = {}
    for name in [*ODD, *(f"t/{number % 7}/{number}.dat" for number in range(300))]:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(50))
        expected[f"mes données/{name}"] = path.read_bytes()
    page = login()
    open_bucket(page, "dossier")
    drop(page, folder)
    finished(page)
    assert content(client, "dossier") == expected


def test_folder_is_chosen(login: Callable[..., Page], server: LiveServer, tmp_path: Path) -> None:
    client = server.client()
    client.create_bucket(Bucket="choix")
    (tmp_path / "jeu" / "sous").mkdir(parents=True)
    (tmp_path / "jeu" / "sous" / "x.txt").write_text("x")
    page = login()
    open_bucket(page, "choix", "p/")
    page.get_by_label("Folder to upload").set_input_files(tmp_path / "jeu")
    finished(page)
    assert content(client, "choix") == {"p/jeu/sous/x.txt": b"x"}


def test_large_file_goes_in_parts_and_goes_on_after_pause_and_lost_connections(
    login: Callable[..., Page], server: LiveServer, tmp_path: Path
) -> None:
    client = server.client()
    client.create_bucket(Bucket="morceaux")
    path = sparse(tmp_path / "grand.bin", 4 * PART + 5)
    page = login()
    open_bucket(page, "morceaux")
    network = Network(page)
    network.be(bytes_per_s=4 << 20)
    choose(page, path)
    expect(page.locator("#upload [data-rate]")).to_have_text(re.compile("per second"))
    page.get_by_role("button", name="Pause").click()
    expect(page.locator("#upload [data-status]")).to_have_text("Paused.")
    network.be(offline=True)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#upload [data-status]")).to_have_text(re.compile("Trying again"))
    network.be()
    finished(page)
    head = client.head_object(Bucket="morceaux", Key="grand.bin")
    assert (head["ContentLength"], head["ETag"]) == (path.stat().st_size, etag_of(path))
    assert "Uploads" not in client.list_multipart_uploads(Bucket="morceaux")


def test_cancelled_upload_leaves_nothing(
    login: Callable[..., Page], server: LiveServer, tmp_path: Path
) -> None:
    client = server.client()
    client.create_bucket(Bucket="annule")
    path = sparse(tmp_path / "grand.bin", 2 * PART)
    page = login()
    open_bucket(page, "annule")
    Network(page).be(bytes_per_s=1 << 20)
    choose(page, path)
    expect(page.locator("#upload [data-rate]")).to_have_text(re.compile("per second"))
    assert len(client.list_multipart_uploads(Bucket="annule")["Uploads"]) == 1
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#upload [data-status]")).to_have_text("The upload was cancelled.")
    wait_until(lambda: "Uploads" not in client.list_multipart_uploads(Bucket="annule"))
    assert content(client, "annule") == {}


def test_existing_files_are_left_or_overwritten_as_told(
    login: Callable[..., Page], server: LiveServer, tmp_path: Path
) -> None:
    client = server.client()
    client.create_bucket(Bucket="conflit")
    for name in ("un", "deux", "pareil"):
        client.put_object(Bucket="conflit", Key=name, Body=b"old")
        (tmp_path / name).write_bytes(b"old" if name == "pareil" else b"new")
    (tmp_path / "trois").write_bytes(b"new")
    page = login()
    open_bucket(page, "conflit")
    files = [tmp_path / name for name in ("un", "deux", "pareil", "trois")]
    choose(page, *files)
    conflicts = page.locator("[data-conflicts] li")
    expect(conflicts).to_have_count(2)
    page.get_by_role("button", name="Leave them as they are").click()
    finished(page)
    old = {"un": b"old", "deux": b"old", "pareil": b"old"}
    assert content(client, "conflit") == old | {"trois": b"new"}

    open_bucket(page, "conflit")
    choose(page, *files)
    expect(conflicts).to_have_count(2)
    page.get_by_role("button", name="Overwrite them all").click()
    finished(page)
    assert content(client, "conflit") == dict.fromkeys(("un", "deux", "trois"), b"new") | {
        "pareil": b"old"
    }

    (tmp_path / "un").write_bytes(b"newer")  # what was said before does not hold for what comes now
    choose(page, tmp_path / "un")
    expect(conflicts).to_have_text(["un"])
    assert content(client, "conflit")["un"] == b"new"


def test_refusals_are_told_in_a_sentence(
    login: Callable[..., Page], server: LiveServer, tmp_path: Path
) -> None:
    client = server.client()
    client.create_bucket(Bucket="refus")
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
             "Resource": "arn:aws:s3:::refus/secret*"},
        ],
    }  # fmt: skip
    client.put_bucket_policy(Bucket="refus", Policy=json.dumps(policy))
    for name in ("secret.txt", "ouvert.txt"):
        (tmp_path / name).write_text(name)
    page = login()
    open_bucket(page, "refus")
    choose(page, tmp_path / "secret.txt", tmp_path / "ouvert.txt")
    failed = page.locator("[data-failed] li")
    expect(failed).to_have_text(["secret.txt: Your policies do not allow this."])
    expect(page.locator("#upload [data-status]")).to_have_text(re.compile("Some files were not"))
    assert content(client, "refus") == {"ouvert.txt": b"ouvert.txt"}


def test_quota_is_told_in_a_sentence(
    login: Callable[..., Page], server: LiveServer, tmp_path: Path
) -> None:
    client = server.client()
    client.create_bucket(Bucket="etroit")
    page = login()
    page.goto("/buckets/etroit/quota")
    page.locator("#f-bytes-bucket").fill("1 MiB")
    page.locator("#f-bytes-bucket").press("Enter")
    expect(page.get_by_role("status")).to_be_visible()
    open_bucket(page, "etroit")
    small, large = tmp_path / "petit", sparse(tmp_path / "grand", 2 * PART)
    small.write_text("x")
    choose(page, large, small)
    expect(page.locator("[data-failed] li")).to_have_text(["grand: The bucket’s quota is used up."])
    assert content(client, "etroit") == {"petit": b"x"}
    assert "Uploads" not in client.list_multipart_uploads(Bucket="etroit")


def test_upload_goes_on_after_the_server_was_killed_and_one_has_logged_in_again(
    login: Callable[..., Page], server: LiveServer, tmp_path: Path
) -> None:
    client = server.client()
    client.create_bucket(Bucket="coupure")
    path = sparse(tmp_path / "grand.bin", 3 * PART)
    page = login()
    open_bucket(page, "coupure")
    network = Network(page)
    network.be(bytes_per_s=8 << 20)
    choose(page, path)
    expect(page.locator("#upload [data-rate]")).to_have_text(re.compile("per second"))
    server.kill()
    status = page.locator("#upload [data-status]")
    expect(status).to_have_text(re.compile("cannot be reached"))
    server.start()
    network.be()
    expect(status).to_have_text("Your session has ended: log in again.")
    other = page.context.new_page()
    other.goto("/login")
    other.get_by_label("Access key").fill(server.access_key)
    other.get_by_label("Secret key").fill(server.secret_key)
    other.get_by_role("button", name="Log in").click()
    other.wait_for_url(lambda url: "/login" not in url)
    page.get_by_role("button", name="Go on").click()
    finished(page)
    assert client.head_object(Bucket="coupure", Key="grand.bin")["ETag"] == etag_of(path)


@pytest.mark.slow
def test_500_mb_arrive_and_neither_page_nor_panel_holds_them(
    login: Callable[..., Page], server: LiveServer, tmp_path: Path
) -> None:
    client = server.client()
    client.create_bucket(Bucket="volume")
    path = sparse(tmp_path / "mesures.nc", 500 * 1000 * 1000)
    page = login()
    open_bucket(page, "volume")
    panel = steward(server)
    before = resident(panel)
    choose(page, path)
    finished(page, timeout_s=240)
    head = client.head_object(Bucket="volume", Key="mesures.nc")
    assert (head["ContentLength"], head["ETag"]) == (500_000_000, etag_of(path))
    assert head["ContentType"] == "application/x-netcdf"
    assert peak(panel) - before < 60 << 20
    heap = page.evaluate("performance.memory.usedJSHeapSize")
    assert heap < 60 << 20


def test_page_that_is_left_asks_first_and_then_leaves_nothing_behind(
    login: Callable[..., Page], server: LiveServer, tmp_path: Path
) -> None:
    client = server.client()
    client.create_bucket(Bucket="parti")
    page = login()
    open_bucket(page, "parti")
    page.get_by_role("heading", name="Upload").click()  # browsers ask only who did something
    Network(page).be(bytes_per_s=1 << 20)
    choose(page, sparse(tmp_path / "grand.bin", 2 * PART))
    expect(page.locator("#upload [data-rate]")).to_have_text(re.compile("per second"))
    assert len(client.list_multipart_uploads(Bucket="parti")["Uploads"]) == 1
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.goto("/buckets")
    assert asked == ["beforeunload"]
    wait_until(lambda: "Uploads" not in client.list_multipart_uploads(Bucket="parti"))

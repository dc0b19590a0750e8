"""Browsing a bucket: folders, pages, order, versions, and who may."""

import html
import json
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.panel.conftest import Shown, Visitor

from neve.testing.server import LiveServer

HOSTILE = [
    "<script>alert(1)</script>",
    "a&b=c?d#e+f %41.txt",
    "'\"><img src=x onerror=alert(1)>",
    "new\nline\ttab",
    "ÿ 日本 🌍",
    "turned\u202egnp.exe",
    "../../etc/passwd",
    "//double",
    "./.",
    "é" * 500,
]


@pytest.fixture(scope="module")
def s3(server: LiveServer) -> Any:
    return server.client()


@pytest.fixture(scope="module")
def many(s3: Any) -> Iterator[str]:
    """A bucket of 450 objects, in a folder of it 30 folders."""
    s3.create_bucket(Bucket="many")
    keys = [f"o{number:04}" for number in range(450)] + [f"sub/f{n:02}/x" for n in range(30)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda k: s3.put_object(Bucket="many", Key=k, Body=b"x" * int(k[1:4])
                                              if k[1:4].isdigit() else b""), keys))  # fmt: skip
    yield "many"


def rows(shown: Shown) -> list[str]:
    """The names in the table."""
    found = re.findall(
        r'<td class="break">.*?<a class="exact" href="[^"]*">(.*?)</a>', shown.text, re.DOTALL
    )
    return [html.unescape(each) for each in found]


def links(shown: Shown) -> dict[str, str]:
    """Where each name of the table leads."""
    found = re.findall(
        r'<td class="break">.*?<a class="exact" href="([^"]*)">(.*?)</a>', shown.text, re.DOTALL
    )
    return {html.unescape(name): html.unescape(link) for link, name in found}


def turn(visitor: Visitor, shown: Shown, rel: str) -> Shown | None:
    found = re.search(f'rel="{rel}" href="([^"]*)"', shown.text)
    return visitor.get(html.unescape(found[1])) if found else None


def test_pages_go_forth_to_the_end_and_back_to_the_beginning(
    administrator: Visitor, many: str
) -> None:
    pages = [administrator.get(f"/browse/{many}")]
    while following := turn(administrator, pages[-1], "next"):
        pages.append(following)
    names = [rows(page) for page in pages]
    assert [len(each) for each in names] == [200, 200, 51]
    assert [each for page in names for each in page] == [
        f"o{number:04}" for number in range(450)
    ] + ["sub/"]
    back = [pages[-1]]
    while before := turn(administrator, back[-1], "prev"):
        back.append(before)
    assert [rows(page) for page in back] == names[::-1]


def test_folders_lead_down_and_the_way_back_is_shown(administrator: Visitor, many: str) -> None:
    shown = administrator.get(links(administrator.get(f"/browse/{many}", starts="s"))["sub/"])
    assert rows(shown) == [f"f{number:02}/" for number in range(30)]
    assert "Buckets many sub" in shown.words
    deeper = administrator.get(links(shown)["f07/"])
    assert rows(deeper) == ["x"]
    assert f'href="/browse/{many}?prefix=sub/"' in deeper.text


def test_search_by_what_names_start_with(administrator: Visitor, many: str) -> None:
    assert rows(administrator.get(f"/browse/{many}", starts="o044")) == [
        f"o044{number}" for number in range(10)
    ]
    shown = administrator.get(f"/browse/{many}", prefix="sub/", starts="f1")
    assert rows(shown) == [f"f1{number}/" for number in range(10)]
    # What stands behind the last slash of a prefix is such a beginning.
    assert rows(administrator.get(f"/browse/{many}", prefix="sub/f1")) == rows(shown)
    nothing = administrator.get(f"/browse/{many}", starts="none")
    assert rows(nothing) == [] and "No name here starts with this." in nothing.words


def test_order_by_size_and_name(administrator: Visitor, many: str) -> None:
    shown = administrator.get(f"/browse/{many}", order="size", desc="1")
    first, second = rows(shown), turn(administrator, shown, "next")
    assert first[0] == "sub/"
    assert first[1:11] == [f"o{number:04}" for number in range(440, 450)]
    assert "451 entries, sorted." in shown.words
    assert second and len(rows(second)) == 200 and not set(rows(second)) & set(first)
    assert rows(administrator.get(f"/browse/{many}", desc="1"))[1] == "o0449"
    assert 'aria-sort="descending"' in shown.text


def test_hostile_keys_are_text_and_lead_to_themselves(administrator: Visitor, s3: Any) -> None:
    s3.create_bucket(Bucket="hostile")
    for key in HOSTILE:
        s3.put_object(Bucket="hostile", Key=f"in/{key}", Body=b"x")
    shown = administrator.get("/browse/hostile", prefix="in/")
    assert "<script>alert" not in shown.text and "<img src=x" not in shown.text
    found = links(shown)
    assert "new⟨U+000A⟩line⟨U+0009⟩tab" in found
    assert "turned⟨U+202E⟩gnp.exe" in found
    assert "ÿ 日本 🌍" in found
    # Keys with slashes are folders, however odd their names.
    assert {"../", "/", "./", "<script>alert(1)</"} <= set(found)
    for name in ("../", "/"):
        assert administrator.get(found[name]).status == 200
    deeper = administrator.get(links(administrator.get(found["/"]))["/"])
    assert rows(deeper) == ["double"]


def test_search_in_a_folder_with_ends_of_lines(administrator: Visitor, s3: Any) -> None:
    s3.create_bucket(Bucket="lines")
    s3.put_object(Bucket="lines", Key="a%\r\nb/found", Body=b"x")
    shown = administrator.get("/browse/lines", prefix="a%\r\nb/")
    form = shown.text.partition('role="search">')[2]
    field = re.search(r'<input type="hidden" name="(prefix|in)" value="([^"]*)"', form)
    assert field and "\n" not in field[2]
    found = administrator.get("/browse/lines", starts="f", **{field[1]: html.unescape(field[2])})
    assert rows(found) == ["found"]


def test_versions_and_deleted_objects_can_be_shown(administrator: Visitor, s3: Any) -> None:
    s3.create_bucket(Bucket="kept")
    s3.put_bucket_versioning(Bucket="kept", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"22"):
        s3.put_object(Bucket="kept", Key="a", Body=body)
    gone = s3.put_object(Bucket="kept", Key="b", Body=b"333")["VersionId"]
    s3.delete_object(Bucket="kept", Key="b")
    assert rows(administrator.get("/browse/kept")) == ["a"]
    assert "Show versions and deleted objects" in administrator.get("/browse/kept").words
    shown = administrator.get("/browse/kept", versions="1")
    assert rows(shown) == ["a", "a", "b", "b"]
    assert "deleted" in shown.words and gone in shown.text
    assert f"/object/kept?key=b&amp;version={gone}" in shown.text


def test_pages_of_versions_end_within_a_key(administrator: Visitor, s3: Any) -> None:
    s3.create_bucket(Bucket="deep")
    s3.put_bucket_versioning(Bucket="deep", VersioningConfiguration={"Status": "Enabled"})
    made = [s3.put_object(Bucket="deep", Key="k", Body=b"")["VersionId"] for _ in range(230)]
    shown = administrator.get("/browse/deep", versions="1")
    following = turn(administrator, shown, "next")
    assert following
    seen = re.findall(r'<code class="clip" title="([^"]+)"', shown.text + following.text)
    assert seen == made[::-1]
    before = turn(administrator, following, "prev")
    assert before and rows(before) == rows(shown)


def test_stores_have_badges(administrator: Visitor, s3: Any) -> None:
    s3.create_bucket(Bucket="stores")
    for key in (
        "two/.zgroup", "three/zarr.json", "ice/repo", "ice/snapshots/S", "ice/refs/r",
        "plain/x", "file.nc", "file.txt",
    ):  # fmt: skip
        s3.put_object(Bucket="stores", Key=key, Body=b"{}")
    shown = administrator.get("/browse/stores")
    badges = dict(re.findall(r'">([^<]*)</a>\s*<span class="badge info">(\w+)<', shown.text))
    expected = {"two/": "Zarr", "three/": "Zarr", "ice/": "Icechunk", "file.nc": "NetCDF"}
    assert badges == expected
    inside = administrator.get("/browse/stores", prefix="three/")
    assert re.search(r'<h1>three <span class="badge info">Zarr<', inside.text)


def test_zarr_json_behind_a_page_of_arrays_is_found(administrator: Visitor, s3: Any) -> None:
    s3.create_bucket(Bucket="wide")
    with ThreadPoolExecutor(4) as pool:
        keys = [f"g/a{number:03}/zarr.json" for number in range(220)] + ["g/zarr.json"]
        list(pool.map(lambda key: s3.put_object(Bucket="wide", Key=key, Body=b"{}"), keys))
    shown = administrator.get("/browse/wide", prefix="g/")
    assert "zarr.json" not in rows(shown)
    assert re.search(r'<h1>g <span class="badge info">Zarr<', shown.text)


def grant(s3: Any, bucket: str, *actions: str, effect: str = "Allow") -> None:
    statement = {
        "Effect": effect, "Principal": "*", "Action": list(actions),
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
    }  # fmt: skip
    s3.put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )


def test_anonymous_browse_public_buckets_and_no_others(visitor: Visitor, s3: Any) -> None:
    for bucket in ("open", "closed", "by-key"):
        s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key="d/k", Body=b"x")
    grant(s3, "open", "s3:GetObject", "s3:ListBucket")
    grant(s3, "by-key", "s3:GetObject")
    opened = visitor.get("/browse/open")
    assert rows(opened) == ["d/"]
    assert "versions" not in opened.words, "what policy denies is not shown"
    assert "Log in" in visitor.get("/browse/closed").words
    assert visitor.get("/browse/closed", follow=False).headers["location"].startswith("/login")
    shown = visitor.get("/browse/by-key")
    assert shown.status == 403 and "Open an object by its key" in shown.words


def test_who_may_only_read_is_offered_to_open_by_key(user: Callable[..., Visitor], s3: Any) -> None:
    s3.create_bucket(Bucket="unlisted")
    grant(s3, "unlisted", "s3:ListBucket", effect="Deny")
    shown = user("reader", "readwrite").get("/browse/unlisted", prefix="x/")
    assert shown.status == 403
    assert "You may not list what is in here." in shown.words
    assert 'value="x/"' in shown.text


@pytest.mark.parametrize("name", ["..", "a%3Fdelete", "a%20b", "minio%23", "no-such-bucket"])
def test_bucket_that_cannot_be_is_not_asked_for(administrator: Visitor, name: str) -> None:
    shown = administrator.request("GET", f"/browse/{name}")
    assert shown.status == 404

"""Previews of objects, none of which is trusted."""

import html
import io
import json
import re
import urllib.request
import zlib
from pathlib import Path
from typing import Any

import pytest
from tests.panel.conftest import Shown, Visitor

from neve.testing.server import LiveServer

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def s3(server: LiveServer) -> Any:
    client = server.client()
    client.create_bucket(Bucket="look")
    return client


def shown(visitor: Visitor, s3: Any, key: str, body: bytes, type: str = "text/html") -> Shown:
    s3.put_object(Bucket="look", Key=key, Body=body, ContentType=type)
    page = visitor.get("/object/look", key=key)
    assert page.status == 200
    assert EVIL not in page.text
    return page


def pre(page: Shown) -> str:
    found = re.search(r"<pre[^>]*><code>(.*?)</code></pre>", page.text, re.DOTALL)
    return html.unescape(found[1]) if found else ""


def test_text_and_pages_are_shown_as_text(administrator: Visitor, s3: Any) -> None:
    text = f"première ligne\n\t{EVIL}\n"
    assert pre(shown(administrator, s3, "a.html", text.encode())) == text
    assert pre(shown(administrator, s3, "noending", text.encode())) == text
    assert pre(shown(administrator, s3, "bom.txt", b"\xef\xbb\xbfx")) == "x"
    assert "⟨U+202E⟩" in pre(shown(administrator, s3, "turn.txt", "a\u202eb".encode()))


def test_long_text_is_cut_where_it_may_be(administrator: Visitor, s3: Any) -> None:
    page = shown(administrator, s3, "long.txt", ("é" * 300_000).encode())
    assert pre(page) == "é" * (128 << 10)
    assert "Only the beginning is shown." in page.words
    odd = shown(administrator, s3, "odd.txt", ("x" + "é" * 300_000).encode())
    assert pre(odd) == "x" + "é" * ((128 << 10) - 1)


def test_json_is_written_with_line_breaks(administrator: Visitor, s3: Any) -> None:
    body = json.dumps({"a": [1, EVIL], "é": None})
    page = shown(administrator, s3, "d/zarr.json", body.encode())
    assert json.loads(pre(page)) == json.loads(body) and '\n  "a": [' in pre(page)
    deep = b"[" * 100_000 + b"]" * 100_000
    assert pre(shown(administrator, s3, "deep.json", deep)).startswith("[[[[")
    assert pre(shown(administrator, s3, "bad.json", b"{not json}")) == "{not json}"


@pytest.mark.parametrize(("ending", "sign"), [("csv", ","), ("csv", ";"), ("tsv", "\t")])
def test_tables_are_tables(administrator: Visitor, s3: Any, ending: str, sign: str) -> None:
    lines = [sign.join(("station", "température", EVIL)), sign.join(('"a b"', "-4.5", "x"))]
    page = shown(administrator, s3, f"t.{ending}", "\n".join(lines * 150).encode(), "text/html")
    head = re.findall(r'<th scope="col">(.*?)</th>', page.text)
    assert [html.unescape(cell) for cell in head] == ["station", "température", EVIL]
    assert "<td>a b</td><td>-4.5</td><td>x</td>" in page.text
    assert page.text.count("<td>a b</td>") == 100
    assert "Only the beginning is shown." in page.words


@pytest.mark.parametrize(
    ("codec", "said"), [("latin-1", "read as Windows-1252"), ("utf-16", "read as UTF-16")]
)
def test_tables_of_spreadsheets_are_read(
    administrator: Visitor, s3: Any, codec: str, said: str
) -> None:
    body = f"Stadt;Höhe\nMünchen;{EVIL}\n".encode(codec)
    page = shown(administrator, s3, f"{codec}.csv", body)
    assert '<th scope="col">Höhe</th>' in page.text and "<td>München</td>" in page.text
    assert said in page.words
    same = shown(administrator, s3, "as-utf8.csv", "Höhe\n".encode())
    assert "read as" not in same.words


def png() -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    head = (1).to_bytes(4) * 2 + bytes([8, 0, 0, 0, 0])
    pixels = zlib.compress(b"\0\0")
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("key", "body", "type"),
    [
        ("i/real.dat", png(), "image/png"),
        ("i/x.svg", f"<svg>{EVIL}</svg>".encode(), "image/svg+xml"),
        ("i/p.jpg", b"\xff\xd8\xff\xe0" + EVIL.encode(), "image/jpeg"),
    ],
)  # fmt: skip
def test_images_are_images_whatever_they_were_stored_as(
    administrator: Visitor, s3: Any, key: str, body: bytes, type: str
) -> None:
    page = shown(administrator, s3, key, body)
    found = re.search(r'<img src="(/object/look/image[^"]*)" alt="([^"]*)"', page.text)
    assert found
    answer = administrator.get(html.unescape(found[1]), follow=False)
    assert answer.status == 303
    with urllib.request.urlopen(answer.headers["location"], timeout=30) as image:
        assert image.read() == body
        assert image.headers["content-type"] == type
        assert image.headers["content-disposition"] == "attachment"


def test_other_types_are_never_forced(administrator: Visitor, s3: Any) -> None:
    s3.put_object(Bucket="look", Key="k", Body=b"x")
    for type in ("text/html", "image/png, text/html", "", "application/pdf"):
        assert administrator.get("/object/look/image", key="k", type=type).status == 400


def test_pdf_is_shown_when_asked_for_in_a_frame_of_the_origin_of_s3(
    administrator: Visitor, server: LiveServer, s3: Any
) -> None:
    page = shown(administrator, s3, "a.bin", b"%PDF-1.4\n" + EVIL.encode())
    assert "<iframe" not in page.text  # a script in it could keep one from the page
    page = administrator.get("/object/look", key="a.bin", show="1")
    found = re.search(r'<iframe src="([^"]*)"', page.text)
    assert found
    link = html.unescape(found[1])
    assert link.startswith(server.endpoint + "/look/a.bin?")
    assert f"frame-src {server.endpoint}" in page.headers["content-security-policy"]
    with urllib.request.urlopen(link, timeout=30) as answer:
        assert answer.headers["content-type"] == "application/pdf"


def test_texts_that_begin_like_others_are_texts(administrator: Visitor, s3: Any) -> None:
    for text in ("BMI,weight\n", "About %PDF- files\n", "CDF files\n", "<svg> in a page\n"):
        assert pre(shown(administrator, s3, "t.txt", text.encode())) == text


def test_nothing_is_shown_of_other_bytes(administrator: Visitor, s3: Any) -> None:
    assert "no preview" in shown(administrator, s3, "b.bin", bytes(range(256))).words
    assert "no preview" in shown(administrator, s3, "b.txt", b"a\0b").words
    assert "The object is empty." in shown(administrator, s3, "empty", b"").words


def test_headers_of_netcdf_files(administrator: Visitor, s3: Any, tmp_path: Path) -> None:
    netcdf = pytest.importorskip("netCDF4")
    for format in ("NETCDF3_CLASSIC", "NETCDF4"):
        with netcdf.Dataset(tmp_path / "x.nc", "w", format=format) as data:
            data.createDimension("lat", 3)
            data.createVariable("t", "f4", ("lat",)).units = EVIL
        page = shown(administrator, s3, "x.nc", (tmp_path / "x.nc").read_bytes())
        if format == "NETCDF4":
            link = re.search(r'href="([^"]*header=1[^"]*)"', page.text)
            assert link
            page = administrator.get(html.unescape(link[1]))
            assert EVIL not in page.text
        assert f't:units = "{EVIL}"' in pre(page) and "float t(lat) ;" in pre(page)
    damaged = shown(administrator, s3, "bad.nc", b"CDF\x01" + b"\xff" * 100)
    assert "Its header cannot be read" in damaged.words


def test_tree_of_a_zarr_store(administrator: Visitor, s3: Any, tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    root = zarr.open_group(tmp_path / "s", mode="w")
    root.create_array("temp", shape=(1200, 4), chunks=(5, 4), dtype="float32",
                      dimension_names=(EVIL, "lat"))  # fmt: skip
    for path in (tmp_path / "s").rglob("zarr.json"):
        key = f"store/{path.relative_to(tmp_path / 's')}"
        s3.put_object(Bucket="look", Key=key, Body=path.read_bytes())
    folder = administrator.get("/browse/look", prefix="store/")
    assert "/browse/look/store?prefix=store/" in folder.text
    page = administrator.get("/browse/look/store", prefix="store/")
    assert EVIL not in page.text
    assert f"temp 1,200 {EVIL} × 4 lat float32 5 × 4 18.8 KiB" in page.words
    assert administrator.get("/browse/look/store", prefix="i/").status == 404


def test_previews_work_without_a_login_on_public_buckets(
    visitor: Visitor, server: LiveServer, s3: Any
) -> None:
    s3.create_bucket(Bucket="seen")
    statement = {
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::seen/*",
    }  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    s3.put_bucket_policy(Bucket="seen", Policy=policy)
    bodies = {"t.txt": b"text", "p": png(), "d": b"%PDF-1.4"}
    for key, body in bodies.items():
        s3.put_object(Bucket="seen", Key=key, Body=io.BytesIO(body))
    assert pre(visitor.get("/object/seen", key="t.txt")) == "text"
    image = visitor.get("/object/seen/image", follow=False, key="p", type="image/png")
    assert image.headers["location"] == f"{server.endpoint}/seen/p"
    assert "<iframe" not in visitor.get("/object/seen", key="d").text

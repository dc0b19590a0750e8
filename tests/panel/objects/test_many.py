"""A bucket of many keys: a page asks for what it shows, never for the bucket."""

import html
import re
import sqlite3
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.panel.conftest import Visitor

from neve.testing.server import LiveServer

FLAT, FOLDERS = 60_000, 20_000


def fill(folder: Path) -> None:
    """Write the row of the one object there is again under many keys, with the server stopped."""
    with sqlite3.connect(folder / "catalog.db") as catalog:
        columns = [row[1] for row in catalog.execute("PRAGMA table_info(object)")]
        row = dict(zip(columns, catalog.execute("SELECT * FROM object").fetchone(), strict=True))
        keys = [f"flat/{number:06}" for number in range(FLAT)]
        keys += [f"folders/{number:06}/x" for number in range(FOLDERS)]
        catalog.executemany(
            f"INSERT INTO object ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})",
            ([(row | {"key": key})[name] for name in columns] for key in keys),
        )
    catalog.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("many") / "data"
    with LiveServer(folder, "--metrics-public") as running:
        running.client().create_bucket(Bucket="many")
        running.client().put_object(Bucket="many", Key="one", Body=b"x")
        running.stop()
        fill(folder)
        yield running.start()


def listings(server: LiveServer) -> int:
    """How many listings S3 has answered."""
    with urllib.request.urlopen(f"{server.endpoint}/neve/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found = re.findall(r'neve_requests_total\{[^}]*operation="ListObject[^}]*\} (\d+)', text)
    return sum(map(int, found))


@pytest.mark.parametrize(
    ("prefix", "query", "most"),
    [
        ("", {}, 3),  # the page, and a look into each of the two folders
        ("flat/", {}, 1),
        ("flat/", {"after": "flat/040000"}, 1),
        ("flat/", {"starts": "03"}, 1),
        ("flat/", {"versions": "1"}, 1),
        ("flat/", {"order": "size"}, 5),
        ("folders/", {}, 25),
    ],
)
def test_page_asks_for_no_more_than_it_shows(
    administrator: Visitor, server: LiveServer, prefix: str, query: dict[str, str], most: int
) -> None:
    before = listings(server)
    shown = administrator.get("/browse/many", prefix=prefix, **query)
    asked = listings(server) - before
    assert shown.status == 200 and 1 <= asked <= most
    assert shown.text.count('<td class="break">') == (200 if prefix else 3)


def test_next_page_begins_where_this_ends(administrator: Visitor, server: LiveServer) -> None:
    shown = administrator.get("/browse/many", prefix="flat/", after="flat/040000")
    assert "040001" in shown.words and "040200" in shown.words and "040201" not in shown.words
    link = re.search('rel="next" href="([^"]*)"', shown.text)
    assert link
    following = administrator.get(html.unescape(link[1]))
    assert "040201" in following.words and "040200" not in following.words


def test_order_says_how_much_of_a_large_folder_it_looked_at(administrator: Visitor) -> None:
    shown = administrator.get("/browse/many", prefix="flat/", order="date")
    assert "Sorted among the first 5,000 entries of this folder; there are more." in shown.words

"""ListObjects, ListObjectsV2, ListObjectVersions: pages, prefixes, names, tokens."""

import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.s3.conftest import Store, allow

from neve.engine.list import Page
from neve.s3.listing import contents_xml, decode_token, encode_token, parse_listing

KEYS = ["a", "a/1", "a/2/x", "a/2/y", "a-b", "b/", "b//c", "foo-bar", "foo/baz", "ü/é", "z"]


@pytest.fixture(scope="module")
def listed() -> Iterator[Store]:
    """A store with KEYS in it, for tests that change nothing."""
    made = Store()
    client = made.client()
    client.create_bucket(Bucket="data")
    for key in KEYS:
        client.put_object(Bucket="data", Key=key, Body=key.encode())
    yield made
    made.close()


@pytest.fixture(scope="module")
def keys(listed: Store) -> Any:
    return listed.client()


def expected(prefix: str, delimiter: str, after: str) -> tuple[list[str], list[str]]:
    """What S3 lists, worked out the slow way."""
    contents, prefixes = [], []
    for key in sorted(KEYS, key=str.encode):
        if not key.startswith(prefix) or key <= after:
            continue
        at = key.find(delimiter, len(prefix)) if delimiter else -1
        if at < 0:
            contents.append(key)
        elif key[: at + len(delimiter)] not in prefixes:
            prefixes.append(key[: at + len(delimiter)])
    return contents, prefixes


def names(page: dict[str, Any]) -> tuple[list[str], list[str]]:
    return (
        [entry["Key"] for entry in page.get("Contents", [])],
        [entry["Prefix"] for entry in page.get("CommonPrefixes", [])],
    )


@pytest.mark.parametrize("delimiter", ["", "/", "//", "-", "a/", "nothing"])
@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/2/", "b/", "ü", "none"])
def test_prefix_and_delimiter(keys: Any, prefix: str, delimiter: str) -> None:
    for call in (keys.list_objects, keys.list_objects_v2):
        page = call(Bucket="data", Prefix=prefix, Delimiter=delimiter)
        assert names(page) == expected(prefix, delimiter, "")
        assert page["Prefix"] == prefix
        assert page.get("Delimiter", "") == delimiter
        assert page["IsTruncated"] is False


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("delimiter", ["", "/"])
@pytest.mark.parametrize("operation", ["list_objects", "list_objects_v2", "list_object_versions"])
def test_pages_put_together_are_the_whole(
    keys: Any, size: int, delimiter: str, operation: str
) -> None:
    contents: list[str] = []
    prefixes: list[str] = []
    for page in keys.get_paginator(operation).paginate(
        Bucket="data", Delimiter=delimiter, PaginationConfig={"PageSize": size}
    ):
        field = "Versions" if operation == "list_object_versions" else "Contents"
        entries = page.get(field, []) + page.get("CommonPrefixes", [])
        assert len(entries) <= size
        assert page["IsTruncated"] is False or len(entries) == size
        contents += [entry["Key"] for entry in page.get(field, [])]
        prefixes += [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
    assert (contents, prefixes) == expected("", delimiter, "")


@pytest.mark.parametrize("after", ["a", "a/", "a/2/x", "b", "zz", "\U0010ffff"])
def test_start_after_and_marker(keys: Any, after: str) -> None:
    page = keys.list_objects_v2(Bucket="data", StartAfter=after)
    assert names(page) == expected("", "", after)
    assert page["StartAfter"] == after
    assert names(keys.list_objects(Bucket="data", Marker=after)) == expected("", "", after)


def test_entries_describe_their_objects(keys: Any) -> None:
    entry = keys.list_objects_v2(Bucket="data", Prefix="a/1", FetchOwner=True)["Contents"][0]
    head = keys.head_object(Bucket="data", Key="a/1")
    assert (entry["ETag"], entry["Size"]) == (head["ETag"], 3)
    assert entry["LastModified"] == head["LastModified"]
    assert entry["StorageClass"] == "STANDARD"
    assert (entry["ChecksumAlgorithm"], entry["ChecksumType"]) == (["CRC32"], "FULL_OBJECT")
    owner = keys.list_buckets()["Owner"]
    assert entry["Owner"] == owner
    assert keys.list_objects(Bucket="data")["Contents"][0]["Owner"] == owner
    assert "Owner" not in keys.list_objects_v2(Bucket="data")["Contents"][0]


def test_max_keys(keys: Any, code: Callable[..., Any]) -> None:
    page = keys.list_objects_v2(Bucket="data", MaxKeys=0)
    assert (names(page), page["IsTruncated"], page["KeyCount"]) == (([], []), False, 0)
    assert keys.list_objects_v2(Bucket="data", MaxKeys=5000)["MaxKeys"] == 1000
    page = keys.list_objects_v2(Bucket="data", MaxKeys=len(KEYS))
    assert (page["IsTruncated"], page["KeyCount"]) == (False, len(KEYS))
    page = keys.list_objects_v2(Bucket="data", MaxKeys=len(KEYS) - 1)
    assert page["IsTruncated"] is True
    for wrong in (-1, 2**31):
        refused = code(keys.list_objects_v2, Bucket="data", MaxKeys=wrong)
        assert refused == (400, "InvalidArgument")


@pytest.mark.parametrize(
    "query",
    [
        "max-keys=x",
        "max-keys=-1",
        "max-keys=1.5",
        "max-keys=%C2%B2",
        "encoding-type=base64",
        "list-type=2&continuation-token=nonsense",
        "list-type=2&continuation-token=AAAAAAAA",
        "list-type=2&continuation-token=%F0%9F%92%A9",
        "versions&version-id-marker=null",
        "uploads&max-uploads=x",
    ],
)
def test_a_wrong_argument_is_named(store: Store, s3: Any, query: str) -> None:
    allow(s3, "s3:*")
    answer = store.send("GET", f"/data?{query}")
    assert answer.status == 400
    assert b"<Code>InvalidArgument</Code>" in answer.body
    assert b"<ArgumentName>" in answer.body


def test_an_empty_token_is_no_token(keys: Any) -> None:
    page = keys.list_objects_v2(Bucket="data", ContinuationToken="")
    assert names(page) == expected("", "", "")


def test_a_token_does_not_show_the_key_it_stands_for() -> None:
    assert "secret" not in encode_token("secret/key")


@given(st.text(max_size=40))
def test_tokens_come_back_as_they_were(text: str) -> None:
    assert decode_token(encode_token(text)) == text


def test_versions_are_null_and_latest(keys: Any) -> None:
    page = keys.list_object_versions(Bucket="data", Prefix="a/")
    assert [(v["Key"], v["VersionId"], v["IsLatest"]) for v in page["Versions"]] == [
        (key, "null", True) for key in KEYS if key.startswith("a/")
    ]
    assert "DeleteMarkers" not in page
    after = keys.list_object_versions(Bucket="data", KeyMarker="foo/baz", VersionIdMarker="null")
    assert [v["Key"] for v in after["Versions"]] == ["z", "ü/é"]


def test_an_unknown_list_type_is_the_first(store: Store, s3: Any) -> None:
    allow(s3, "s3:ListBucket")
    body = store.send("GET", "/data?list-type=1").body
    assert b"<Marker></Marker>" in body
    assert b"KeyCount" not in body


def test_a_plus_in_the_query_is_a_space(store: Store, s3: Any) -> None:
    for key in ("a b", "a+b"):
        s3.put_object(Bucket="data", Key=key, Body=b"")
    allow(s3, "s3:ListBucket")
    assert b"<Key>a b</Key>" in store.send("GET", "/data?prefix=a+b").body
    assert b"<Key>a+b</Key>" in store.send("GET", "/data?prefix=a%2Bb").body


def test_control_characters_are_numeric_references(store: Store, s3: Any) -> None:
    key = "a\x01\n\r\t<&>\"'\x7f\x85"
    s3.put_object(Bucket="data", Key=key, Body=b"")
    allow(s3, "s3:ListBucket")
    body = store.send("GET", "/data").body
    assert b"<Key>a&#x1;&#xa;&#xd;&#x9;&lt;&amp;&gt;&quot;&#39;&#x7f;\xc2\x85</Key>" in body
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="data")["Contents"]] == [key]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    keys=st.lists(
        st.text(
            st.characters(codec="utf-8", exclude_characters=[chr(code) for code in range(0x20)]),
            min_size=1,
        ),
        min_size=1,
        max_size=5,
    )
)
def test_any_key_is_readable_xml_and_decodes_to_itself(keys: list[str]) -> None:
    page = Page([(key, 1, "e", 0, None) for key in keys], False, "")
    listing = parse_listing({})
    listed = ElementTree.fromstring(f"<r>{contents_xml(page.entries, listing)}</r>")
    assert [element.findtext("Key") for element in listed] == [
        key.replace("\r", "\n") if "\r" in key else key for key in keys
    ]


def test_who_may_not_list_is_refused(listed: Store) -> None:
    for query in ("", "?list-type=2", "?versions", "?uploads"):
        answer = listed.send("GET", f"/data{query}")
        assert (answer.status, b"AccessDenied" in answer.body) == (403, True)


def test_a_page_of_1000_keys_costs_little() -> None:
    rows: list[Any] = [
        (
            f"store.zarr/temperature/c/{n}/0/0",
            8192,
            "0" * 32,
            n * 977_000,
            "crc32;FULL_OBJECT;AAAAAA==",
        )
        for n in range(1000)
    ]
    listing = parse_listing({})
    best = min(_cpu_s(lambda: contents_xml(rows, listing)) for _ in range(10))
    # The budget is 1.2 ms; the margin is for slow machines.
    assert best < 0.006


def _cpu_s(call: Callable[[], Any]) -> float:
    start = time.thread_time()
    call()
    return time.thread_time() - start

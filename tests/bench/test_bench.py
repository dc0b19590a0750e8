"""The benchmark against a live server: what it counts is what the server holds."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import boto3
import pytest
from bench.__main__ import main
from bench.errors import MeasurementFailed
from bench.measure import Options, Target, measure
from bench.workload import OPERATIONS, Objects, Operation
from botocore.config import Config

from bench import neve

BRIEF = Options(seconds=0.4, warm_seconds=0.1, keep=True)
BY_NAME = {operation.name: operation for operation in OPERATIONS}


@pytest.fixture(scope="module")
def target() -> Iterator[Target]:
    with neve.running([]) as running:
        yield running


@pytest.fixture(scope="module")
def client(target: Target):
    return boto3.client(
        "s3",
        endpoint_url=target.endpoint,
        aws_access_key_id=target.access_key,
        aws_secret_access_key=target.secret_key,
        region_name=target.region,
        config=Config(s3={"addressing_style": "path"}),
    )


def run(target: Target, operation: Operation, options: Options = BRIEF) -> dict:
    rows = []
    measure(target, [operation], options, lambda name, row: rows.append(row))
    return rows[0]


def sizes(client, bucket: str) -> dict[str, int]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {item["Key"]: item["Size"] for page in pages for item in page.get("Contents", [])}


def bench_buckets(client) -> list[str]:
    buckets = client.list_buckets()["Buckets"]
    return [bucket["Name"] for bucket in buckets if bucket["Name"].startswith("bench-put-4k")]


@pytest.mark.parametrize("payload", ["signed", "unsigned", "streaming"])
def test_every_counted_put_is_an_object_of_that_size_and_content(target, client, payload):
    row = run(target, BY_NAME["put-64k"], replace(BRIEF, payload=payload))
    found = sizes(client, row["bucket"])
    assert row["errors"] == {}
    assert row["operations"] > 10
    assert len(found) == row["operations"] + row["warm_operations"]
    assert set(found.values()) == {64 * 1024}
    objects = Objects(row["bucket"], 64 * 1024, nested=False)
    for number in range(20):
        got = client.get_object(Bucket=row["bucket"], Key=objects.key(number))["Body"].read()
        assert got == objects.content(number)


def test_every_counted_delete_took_one_object_away(target, client):
    operation = replace(BY_NAME["delete"], prepared=600)
    row = run(target, operation)
    assert row["errors"] == {}
    assert row["operations"] > 10
    gone = row["operations"] + row["warm_operations"]
    assert len(sizes(client, row["bucket"])) == 600 - gone


@pytest.mark.parametrize("name", ["get-4k", "head"])
def test_reads_are_counted_checked_and_timed(target, name):
    row = run(target, replace(BY_NAME[name], prepared=50))
    assert row["errors"] == {}
    assert row["operations"] > 50
    assert 0 < row["p50_us"] <= row["p99_us"] < BRIEF.seconds * 1e6
    assert row["server_cpu_us"] > 0
    assert 0 < row["server_cores"] < os.cpu_count() + 1
    assert row["memory"] > 1e6
    assert (row["checked"] > 0) == (name == "get-4k")


def test_listings_see_every_key_and_every_prefix(target, client):
    keys = replace(BY_NAME["list-keys"], prepared=2100)
    prefixes = replace(BY_NAME["list-prefixes"], prepared=2100)
    rows: dict[str, dict] = {}
    measure(target, [keys, prefixes], BRIEF, rows.__setitem__)
    assert [row["errors"] for row in rows.values()] == [{}, {}]
    assert all(row["operations"] >= 3 for row in rows.values())
    assert rows["list-keys"]["bucket"] == rows["list-prefixes"]["bucket"]
    assert len(sizes(client, rows["list-keys"]["bucket"])) == 2100


def test_a_listing_that_misses_a_key_is_an_error(target, client, monkeypatch):
    listing = replace(BY_NAME["list-keys"], prepared=40)
    path = Objects.path
    monkeypatch.setattr(Objects, "path", lambda self, number: path(self, number - number % 2))
    assert list(run(target, listing)["errors"]) == ["listed 20 instead of 40"]


def test_the_command_measures_cleans_up_and_compares(target, client, tmp_path: Path, capsys):
    before = bench_buckets(client)
    for label in ("one", "two"):
        status = main([
            *("--endpoint", target.endpoint, "--access-key", target.access_key),
            *(f"--secret-key={target.secret_key}", "--pid", str(target.pid), "--label", label),
            *("--only", "put-4k", "--seconds", "0.2", "--json", str(tmp_path / label)),
        ])  # fmt: skip
        assert status == 0
    assert bench_buckets(client) == before
    assert json.loads((tmp_path / "one").read_text())["operations"]["put-4k"]["operations"] > 0
    capsys.readouterr()
    assert main(["compare", str(tmp_path / "one"), str(tmp_path / "two")]) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].startswith("| operation | one: CPU µs |")
    assert "| two: ops/s |" in table[0]
    assert table[2].startswith("| put-4k |")
    assert len({line.count("|") for line in table[:3]}) == 1


def test_wrong_keys_stop_it_with_the_server_s_answer(target):
    refused = replace(target, secret_key="wrong")
    with pytest.raises(MeasurementFailed, match=r"403.*SignatureDoesNotMatch"):
        run(refused, BY_NAME["put-4k"])

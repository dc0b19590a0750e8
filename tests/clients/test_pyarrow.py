"""pyarrow's S3 file system (the AWS C++ SDK), with Parquet, and DuckDB and Polars upon it."""

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from pyarrow import fs

from neve.testing.server import LiveServer


@pytest.fixture
def s3(live_server: LiveServer) -> fs.S3FileSystem:
    return fs.S3FileSystem(
        access_key=live_server.access_key,
        secret_key=live_server.secret_key,
        endpoint_override=live_server.address,
        scheme="http",
        region="us-east-1",
    )


@pytest.fixture
def table() -> pa.Table:
    random = np.random.default_rng(3)
    return pa.table(
        {
            "station": random.integers(0, 10, 50_000),
            "year": random.integers(1990, 1994, 50_000),
            "tas": random.normal(size=50_000),
        }
    )


def test_files(s3: fs.S3FileSystem, bucket: str) -> None:
    data = bytes(range(256)) * 60_000
    with s3.open_output_stream(f"{bucket}/dir/large") as stream:
        for start in range(0, len(data), 3_000_000):
            stream.write(data[start : start + 3_000_000])
    with s3.open_input_file(f"{bucket}/dir/large") as file:
        assert file.size() == len(data)
        file.seek(1000)
        assert file.read(100) == data[1000:1100]
    s3.copy_file(f"{bucket}/dir/large", f"{bucket}/copied")
    found = s3.get_file_info(fs.FileSelector(bucket, recursive=True))
    assert {each.path: each.size for each in found if each.is_file} == {
        f"{bucket}/dir/large": len(data),
        f"{bucket}/copied": len(data),
    }
    assert s3.get_file_info(f"{bucket}/absent").type == fs.FileType.NotFound
    s3.delete_dir(f"{bucket}/dir")
    s3.delete_file(f"{bucket}/copied")
    assert s3.get_file_info(fs.FileSelector(bucket, recursive=True)) == []


def test_partitioned_dataset(s3: fs.S3FileSystem, bucket: str, table: pa.Table) -> None:
    place = f"{bucket}/stations"
    ds.write_dataset(
        table, place, filesystem=s3, format="parquet", partitioning=["year"],
        partitioning_flavor="hive",
    )  # fmt: skip
    there = ds.dataset(place, filesystem=s3, format="parquet", partitioning="hive")
    assert there.count_rows() == 50_000
    some = there.to_table(columns=["tas"], filter=ds.field("year") == 1991)
    years = table["year"].to_numpy()
    expected = table["tas"].to_numpy()[years == 1991]
    np.testing.assert_array_equal(np.sort(some["tas"].to_numpy()), np.sort(expected))


def test_duckdb_over_pyarrow(s3: fs.S3FileSystem, bucket: str, table: pa.Table) -> None:
    pq.write_table(table, f"{bucket}/t.parquet", filesystem=s3)
    there = ds.dataset(f"{bucket}/t.parquet", filesystem=s3)
    connection = duckdb.connect()
    connection.register("there", there)
    rows = connection.execute(
        "SELECT station, count(*), avg(tas) FROM there GROUP BY station ORDER BY station"
    ).fetchall()
    stations, values = table["station"].to_numpy(), table["tas"].to_numpy()
    for station, count, mean in rows:
        chosen = values[stations == station]
        assert count == len(chosen)
        assert mean == pytest.approx(chosen.mean())
    assert len(rows) == 10


def test_polars_reads_and_writes(live_server: LiveServer, bucket: str, table: pa.Table) -> None:
    options = {
        "aws_access_key_id": live_server.access_key,
        "aws_secret_access_key": live_server.secret_key,
        "aws_region": "us-east-1",
        "aws_endpoint_url": live_server.endpoint,
        "aws_allow_http": "true",
    }
    frame = pl.from_arrow(table)
    assert isinstance(frame, pl.DataFrame)
    frame.write_parquet(f"s3://{bucket}/polars/t.parquet", storage_options=options)
    lazy = pl.scan_parquet(f"s3://{bucket}/polars/*.parquet", storage_options=options)
    found = lazy.group_by("station").agg(pl.col("tas").sum()).sort("station").collect()
    expected = frame.group_by("station").agg(pl.col("tas").sum()).sort("station")
    np.testing.assert_allclose(found["tas"].to_numpy(), expected["tas"].to_numpy())

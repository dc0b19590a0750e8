"""`neve import minio` between two servers: the source has what a MinIO server had."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.moving.test_import_drive import Place, check_people, expected, shown

from neve.testing.cli import CommandLine
from neve.testing.server import ACCESS_KEY, SECRET_KEY, LiveServer


@pytest.fixture
def source(tmp_path: Path) -> Any:
    place = Place(tmp_path)
    place.bring()
    with place.serve() as server:
        yield server


def histories(rows: list[dict[str, Any]]) -> dict[str, list[tuple[Any, ...]]]:
    """Key → what stays the same of its versions, but for their order."""
    found: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows:
        about = row.get("sha256"), row.get("type"), row.get("metadata"), row.get("tags")
        latest = row["latest"] and bool(row.get("sha256"))
        found.setdefault(row["key"], []).append((latest, json.dumps(about, sort_keys=True)))
    return {key: sorted(history) for key, history in found.items()}


def lock(client: Any) -> tuple[Any, Any]:
    """Retention and legal hold of the one locked object."""
    about = {"Bucket": "archive", "Key": "held.nc"}
    retention = client.get_object_retention(**about)["Retention"]
    return retention, client.get_object_legal_hold(**about)["LegalHold"]


def test_everything_comes_and_a_second_run_sends_nothing(
    source: LiveServer, fresh_server: LiveServer, tmp_path: Path
) -> None:
    line = CommandLine(tmp_path)
    line.alias("old", source.endpoint, ACCESS_KEY, SECRET_KEY)
    line.alias("new", fresh_server.endpoint, ACCESS_KEY, SECRET_KEY)
    held = {"Bucket": "archive", "Key": "held.nc"}
    retention = {"Mode": "GOVERNANCE", "RetainUntilDate": datetime(2035, 1, 1, tzinfo=UTC)}
    source.client().put_object_retention(**held, Retention=retention)
    *failures, done = line.json("import", "minio", "old", "new")
    assert failures == []
    assert (done["buckets"], done["objects"], done["identities"]) == (3, 28, 5)
    client = fresh_server.client()
    for bucket in ("archive", "portail-ing", "results"):
        assert histories(shown(client, bucket)) == histories(expected(bucket))
    assert client.get_bucket_tagging(Bucket="portail-ing")["TagSet"][0]["Value"] == "peach"
    assert len(client.get_bucket_lifecycle_configuration(Bucket="results")["Rules"]) == 2
    assert lock(client) == lock(source.client())
    assert lock(client)[0]["RetainUntilDate"].year == 2035
    assert lock(client)[1]["Status"] == "ON"
    check_people(fresh_server)
    # The source goes on: what is new there comes, and nothing else.
    source.client().put_object(Bucket="portail-ing", Key="later", Body=b"later")
    *failures, again = line.json("import", "minio", "old", "new", "portail-ing")
    assert failures == []
    assert (again["objects"], again["size"], again["identities"]) == (1, 5, 0)
    text = line.run("import", "minio", "old", "new", "portail-ing")
    assert "Nothing is missing." in text.stdout
    assert text.stderr == ""


def test_what_cannot_come_is_named(
    source: LiveServer, fresh_server: LiveServer, tmp_path: Path
) -> None:
    line = CommandLine(tmp_path)
    line.alias("old", source.endpoint, ACCESS_KEY, SECRET_KEY)
    line.alias("alice", source.endpoint, "alice", "alicesecret123")
    line.alias("new", fresh_server.endpoint, ACCESS_KEY, SECRET_KEY)
    same = line.run("import", "minio", "old", "alice", status=2)
    assert "one server" in same.stderr
    none = line.json("import", "minio", "old", "new", "nothing", status=1)
    assert [row["target"] for row in none[:-1]] == ["nothing"]
    # Somebody who is no administrator at the source may read, but not export.
    *failures, done = line.json("import", "minio", "alice", "new", "portail-ing", status=1)
    assert "settings of portail-ing" in [row["target"] for row in failures]
    # A key that has another history at the target is left as it is.
    client = fresh_server.client()
    client.create_bucket(Bucket="results")
    client.put_bucket_versioning(Bucket="results", VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket="results", Key="gone", Body=b"of the target")
    *failures, done = line.json("import", "minio", "old", "new", "results", status=1)
    assert done["missing"] == len(failures) == 1
    assert "another history" in failures[0]["message"]
    assert client.get_object(Bucket="results", Key="gone")["Body"].read() == b"of the target"

"""`neve import minio` between two servers: the source has what a MinIO server had."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.moving.test_import_drive import Place, check_objects, check_people, shown

from neve.cli.output import Style
from neve.cli.target import Remote
from neve.cli.transfer.multipart import Multipart, Sent
from neve.cli.transfer.replica import Replica
from neve.cli.transfer.replicating import keeps_versions
from neve.cli.verbs.import_.minio import MovedIn
from neve.client.alias import Alias
from neve.client.s3 import S3
from neve.client.transport import Transport
from neve.testing.cli import CommandLine
from neve.testing.moto import MotoServer
from neve.testing.server import ACCESS_KEY, SECRET_KEY, LiveServer


@pytest.fixture(scope="module")
def brought(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with everything that the drive has."""
    place = Place(tmp_path_factory.mktemp("brought"))
    place.bring("--no-bitrot")
    return place.store


@pytest.fixture
def source(brought: Path, tmp_path: Path) -> Iterator[LiveServer]:
    with LiveServer(shutil.copytree(brought, tmp_path / "source")) as server:
        yield server


def checksums(head: dict[str, Any]) -> dict[str, Any]:
    """The checksum of an object, of which it has some."""
    found = {name: value for name, value in head.items() if name.startswith("Checksum")}
    assert found
    return found


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
    assert done["kept"]
    client = fresh_server.client()
    check_objects(client)
    assert client.get_bucket_tagging(Bucket="portail-ing")["TagSet"][0]["Value"] == "peach"
    assert len(client.get_bucket_lifecycle_configuration(Bucket="results")["Rules"]) == 2
    assert lock(client) == lock(source.client())
    assert lock(client)[0]["RetainUntilDate"].year == 2035
    assert lock(client)[1]["Status"] == "ON"
    check_people(fresh_server)
    parts = {"Bucket": "portail-ing", "Key": "multi-11m.bin", "PartNumber": 3}
    head = client.head_object(**parts)
    assert (head["PartsCount"], head["ContentLength"]) == (3, 777777)
    for key in ("sha256.bin", "part-3m.bin"):
        about = {"Bucket": "portail-ing", "Key": key, "ChecksumMode": "ENABLED"}
        given = [checksums(side.head_object(**about)) for side in (source.client(), client)]
        assert given[0] == given[1]
    # The source goes on: what is new there comes, and nothing else.
    source.client().put_object(Bucket="portail-ing", Key="later", Body=b"later")
    source.client().put_object(Bucket="portail-ing", Key="readme.txt", Body=b"again")
    *failures, again = line.json("import", "minio", "old", "new", "portail-ing")
    assert failures == []
    assert (again["objects"], again["size"], again["identities"]) == (2, 10, 0)
    assert client.get_object(Bucket="portail-ing", Key="readme.txt")["Body"].read() == b"again"
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
    # What is newer at the target stays; versions with ids find their places beside others.
    client = fresh_server.client()
    client.create_bucket(Bucket="results")
    client.put_bucket_versioning(Bucket="results", VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket="results", Key="gone", Body=b"of the target")
    client.put_object(Bucket="portail-ing", Key="readme.txt", Body=b"of the target")
    *failures, done = line.json("import", "minio", "old", "new", "results", "portail-ing", status=1)
    assert done["missing"] == len(failures) == 1
    assert failures[0]["target"] == "old/portail-ing/readme.txt"
    assert "another null version" in failures[0]["message"]
    for bucket, key in (("results", "gone"), ("portail-ing", "readme.txt")):
        assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"of the target"
    page = client.list_object_versions(Bucket="results", Prefix="gone")
    assert [len(page["Versions"]), len(page["DeleteMarkers"])] == [2, 1]


def test_what_came_to_the_source_late_takes_its_place(
    source: LiveServer, fresh_server: LiveServer, tmp_path: Path
) -> None:
    """A version that the target lost, or that failed to come, is brought by the next run."""
    line = CommandLine(tmp_path)
    line.alias("old", source.endpoint, ACCESS_KEY, SECRET_KEY)
    line.alias("new", fresh_server.endpoint, ACCESS_KEY, SECRET_KEY)
    line.json("import", "minio", "old", "new")
    client = fresh_server.client()
    about = {"Bucket": "results", "Key": "tas.zarr/zarr.json"}
    ids = [row["version"] for row in shown(client, "results", about["Key"])]
    assert len(ids) == 3
    for version in ids[1:]:
        client.delete_object(**about, VersionId=version)
    *failures, done = line.json("import", "minio", "old", "new", "results")
    assert (failures, done["objects"]) == ([], 2)
    check_objects(client)


def test_what_does_not_fit_its_sums_is_not_brought(
    source: LiveServer, fresh_server: LiveServer, tmp_path: Path
) -> None:
    """Objects whose ETags are not those of their bytes, as if the bytes had been damaged."""
    line = CommandLine(tmp_path)
    line.alias("old", source.endpoint, ACCESS_KEY, SECRET_KEY)
    line.alias("new", fresh_server.endpoint, ACCESS_KEY, SECRET_KEY)
    time = datetime(2026, 3, 1, tzinfo=UTC)
    whole, parts = (Replica("null", time, "0" * 32 + end) for end in ("", "-1"))
    with S3(Transport(Alias("old", source.endpoint, ACCESS_KEY, SECRET_KEY))) as server:
        server.make_bucket("damaged")
        server.put("damaged", "whole", b"bytes", whole.headers, whole.query)
        place = Remote("old", "damaged", "parts")
        upload = Multipart.create(server.transport, place, parts.headers, parts)
        about = {"partNumber": "1", "uploadId": upload.upload}
        etag = server.put("damaged", "parts", b"bytes", {}, about).headers["etag"].strip('"')
        upload.complete({1: Sent(etag, 5, "")}, None, parts)
    *failures, done = line.json("import", "minio", "old", "new", "damaged", status=1)
    assert done["missing"] == len(failures) == 2
    assert all("arrived damaged" in row["message"] for row in failures)
    assert "Versions" not in fresh_server.client().list_object_versions(Bucket="damaged")


@pytest.mark.slow
def test_an_import_killed_half_way_is_brought_to_its_end(
    source: LiveServer, fresh_server: LiveServer, tmp_path: Path
) -> None:
    line = CommandLine(tmp_path)
    line.alias("old", source.endpoint, ACCESS_KEY, SECRET_KEY)
    line.alias("new", fresh_server.endpoint, ACCESS_KEY, SECRET_KEY)
    there, here = source.client(), fresh_server.client()
    there.create_bucket(Bucket="many")
    there.put_bucket_versioning(Bucket="many", VersioningConfiguration={"Status": "Enabled"})
    for number in range(60):
        for text in (b"first", b"second"):
            there.put_object(Bucket="many", Key=f"k{number:03}", Body=text + b"%d" % number)
    there.delete_object(Bucket="many", Key="k000")

    def arrived() -> int:
        if not any(row["Name"] == "many" for row in here.list_buckets()["Buckets"]):
            return 0
        return len(here.list_object_versions(Bucket="many").get("Versions", []))

    killed = 0
    for _ in range(3):
        before = arrived()
        process = subprocess.Popen(
            [sys.executable, "-m", "neve", "import", "minio", "old", "new", "--max-workers", "1"],
            env=line.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        # Killed once something has come, not before and not after.
        while process.poll() is None and arrived() < before + 5:
            time.sleep(0.002)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
    assert killed
    came = arrived()
    *failures, done = line.json("import", "minio", "old", "new")
    assert failures == []
    assert done["objects"] <= 121 - came + 28
    assert shown(here, "many") == shown(there, "many")
    check_objects(here, also=("many",))


def test_a_target_is_asked_whether_it_keeps_versions(
    fresh_server: LiveServer, tmp_path: Path
) -> None:
    with MotoServer(tmp_path / "log") as moto:
        ours = Alias("neve", fresh_server.endpoint, ACCESS_KEY, SECRET_KEY)
        other = Alias("moto", moto.endpoint, moto.access_key, moto.secret_key)
        for alias, keeps in ((ours, True), (other, False)):
            with S3(Transport(alias)) as server:
                server.make_bucket("asked")
                assert keeps_versions(server, "asked") is keeps
                assert list(server.versions("asked")) == []


def test_the_report_says_when_ids_and_times_were_not_kept() -> None:
    style = Style(coloured=False)
    for kept in (True, False):
        text = MovedIn("old", "new", 1, 2, 3, 0, 0, kept, 0).text(style)
        assert ("ids and times of new's own" in text) is not kept

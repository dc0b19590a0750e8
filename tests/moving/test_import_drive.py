"""`neve import minio-drive` as its users run it: a live Neve then shows what MinIO showed."""

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from tests.admin.client import Client

from neve.sealed_bodies import seal
from neve.testing.cli import CommandLine
from neve.testing.drives import (
    ROOT_PASSWORD,
    ROOT_USER,
    MetaFile,
    change_meta,
    manifest,
    set_inline,
    unpack_drive,
)
from neve.testing.server import ACCESS_KEY, SECRET_KEY, LiveServer, wait_until

ROOT = {"NEVE_ROOT_USER": ACCESS_KEY, "NEVE_ROOT_PASSWORD": SECRET_KEY}
VERSIONS = sum(map(len, manifest().values()))


class Place:
    """A drive, a folder for the store, and the command line."""

    def __init__(self, folder: Path) -> None:
        self.drive = unpack_drive(folder)
        self.store = folder / "store"
        self.line = CommandLine(folder)
        self.line.environment |= ROOT

    def bring(self, *arguments: str, status: int = 0, **options: Any) -> dict[str, Any]:
        """Import; what the verb says at its end, with its failures under `failures`."""
        words = ("import", "minio-drive", str(self.drive), str(self.store), *arguments)
        *failures, last = self.line.json(*words, status=status, **options)
        return last | {"failures": {row["target"]: row["message"] for row in failures}}

    def serve(self) -> LiveServer:
        return LiveServer(self.store)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server of everything that the drive has."""
    place = Place(tmp_path_factory.mktemp("imported"))
    done = place.bring()
    assert done["failures"] == {}
    assert (done["buckets"], done["objects"], done["markers"]) == (3, 26, 2)
    assert (done["users"], done["groups"], done["policies"], done["accessKeys"]) == (2, 1, 1, 1)
    assert (done["uploads"], done["missing"], done["skipped"]) == (1, 0, 0)
    with place.serve() as server:
        yield server


def shown(client: Any, bucket: str, prefix: str = "") -> list[dict[str, Any]]:
    """Every version of a bucket in the words of the manifest."""
    listed = client.list_object_versions(Bucket=bucket, Prefix=prefix)
    rows = []
    for row in listed.get("Versions", []) + listed.get("DeleteMarkers", []):
        found = {
            "key": row["Key"],
            "version": row["VersionId"],
            "latest": row["IsLatest"],
            "modified": row["LastModified"].isoformat(),
        }
        if "ETag" not in row:
            rows.append(found | {"delete_marker": True})
            continue
        about = {"Bucket": bucket, "Key": row["Key"], "VersionId": row["VersionId"]}
        answer = client.get_object(**about)
        data = answer["Body"].read()
        tags = client.get_object_tagging(**about)["TagSet"]
        assert row["ETag"] == answer["ETag"]
        rows.append(
            found
            | {
                "etag": answer["ETag"],
                "size": row["Size"],
                "sha256": hashlib.sha256(data).hexdigest(),
                "type": answer["ContentType"],
                "cache_control": answer.get("CacheControl"),
                "metadata": answer["Metadata"],
                "tags": {tag["Key"]: tag["Value"] for tag in tags},
            }
        )
    return rows


def expected(bucket: str) -> list[dict[str, Any]]:
    rows = []
    for row in manifest()[bucket]:
        # Listings of Neve show whole seconds, as those of AWS do.
        modified = datetime.fromisoformat(row["modified"]).replace(microsecond=0)
        rows.append(row | {"modified": modified.isoformat()})
    return rows


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["key"], row["version"]))


def order(rows: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Keys and versions with bytes, as they are listed."""
    return [(row["key"], row["version"]) for row in rows if "sha256" in row]


def check_objects(client: Any, also: tuple[str, ...] = ()) -> None:
    buckets = [row["Name"] for row in client.list_buckets()["Buckets"]]
    assert buckets == sorted([*manifest(), *also])
    for bucket in manifest():
        found, wanted = shown(client, bucket), expected(bucket)
        assert in_order(found) == in_order(wanted), bucket
        assert order(found) == order(wanted), bucket


def test_every_version_is_shown_as_minio_showed_it(imported: LiveServer) -> None:
    client = imported.client()
    check_objects(client)
    versions = client.list_object_versions(Bucket="results", Prefix="tas.zarr/zarr.json")
    times = [row["LastModified"] for row in versions["Versions"]]
    assert len(times) == 3
    assert times == sorted(times, reverse=True)


def test_a_multipart_object_keeps_its_parts(imported: LiveServer) -> None:
    about = {"Bucket": "portail-ing", "Key": "multi-11m.bin"}
    whole = imported.client().get_object(**about)["Body"].read()
    head = imported.client().head_object(**about, PartNumber=3)
    assert (head["PartsCount"], head["ContentLength"]) == (3, 777777)
    last = imported.client().get_object(**about, PartNumber=3)["Body"].read()
    assert last == whole[-777777:]


def test_a_checksum_that_the_client_gave_is_kept(imported: LiveServer) -> None:
    client = imported.client()
    head = client.head_object(Bucket="portail-ing", Key="sha256.bin", ChecksumMode="ENABLED")
    data = client.get_object(Bucket="portail-ing", Key="sha256.bin")["Body"].read()
    assert head["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(data).digest()).decode()


def test_buckets_are_told_what_they_were_told(imported: LiveServer) -> None:
    client = imported.client()
    created = {row["Name"]: row["CreationDate"] for row in client.list_buckets()["Buckets"]}
    assert {f"{at:%Y-%m-%dT%H:%M}" for at in created.values()} == {"2026-11-23T01:11"}
    anonymous = imported.client(config=Config(signature_version=UNSIGNED))
    answer = anonymous.get_object(Bucket="portail-ing", Key="public/index.json")
    assert answer["ContentType"] == "application/json"
    with pytest.raises(ClientError, match="AccessDenied"):
        anonymous.get_object(Bucket="portail-ing", Key="readme.txt")
    assert client.get_bucket_tagging(Bucket="portail-ing")["TagSet"] == [
        {"Key": "team", "Value": "peach"}
    ]
    assert client.get_bucket_versioning(Bucket="results")["Status"] == "Enabled"
    rules = client.get_bucket_lifecycle_configuration(Bucket="results")["Rules"]
    assert [(rule["ID"], rule["Status"]) for rule in rules] == [
        ("old", "Enabled"),
        ("nc", "Enabled"),
    ]
    lock = client.get_object_lock_configuration(Bucket="archive")["ObjectLockConfiguration"]
    assert lock["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": 1}
    assert _quota(imported) == 2 << 30


def _quota(server: LiveServer) -> int:
    return int(json.loads(Client(server).minio().bucket_quota_get("portail-ing"))["quota"])


def test_locks_hold(imported: LiveServer) -> None:
    client = imported.client()
    (row,) = manifest()["archive"]
    about = {"Bucket": "archive", "Key": "held.nc", "VersionId": row["version"]}
    assert client.get_object_legal_hold(**about)["LegalHold"]["Status"] == "ON"
    retention = client.get_object_retention(**about)["Retention"]
    assert retention["Mode"] == "GOVERNANCE"
    assert retention["RetainUntilDate"].isoformat() == "2026-11-24T01:11:11.715000+00:00"
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(**about)


def check_people(server: LiveServer) -> None:
    for keys in (("alice", "alicesecret123"), ("ALICEKEY1", "alicekeysecret1")):
        client = server.client(aws_access_key_id=keys[0], aws_secret_access_key=keys[1])
        client.put_object(Bucket="results", Key="alice/mine", Body=b"1")
        # Her group may read everything.
        assert client.get_object(Bucket="portail-ing", Key="readme.txt")["ContentLength"] == 13
        with pytest.raises(ClientError, match="AccessDenied"):
            client.put_object(Bucket="results", Key="bob/hers", Body=b"1")
    bob = server.client(aws_access_key_id="bob", aws_secret_access_key="bobsecret1234")
    with pytest.raises(ClientError) as refused:
        bob.get_object(Bucket="portail-ing", Key="readme.txt")
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_people_sign_with_their_keys_and_may_what_they_might(imported: LiveServer) -> None:
    check_people(imported)
    for row in (
        imported.client()
        .list_object_versions(Bucket="results", Prefix="alice/")
        .get("Versions", [])
    ):
        imported.client().delete_object(
            Bucket="results", Key=row["Key"], VersionId=row["VersionId"]
        )


def test_a_rebuilt_catalog_has_it_all(place: Place) -> None:
    place.bring()
    for file in place.store.glob("catalog.db*"):
        file.unlink()
    place.line.run("rebuild", str(place.store))
    with place.serve() as server:
        check_objects(server.client())
        check_people(server)


def test_what_is_there_is_skipped_and_what_is_new_comes(place: Place) -> None:
    assert place.bring()["objects"] == 26
    again = place.bring()
    assert (again["objects"], again["markers"], again["skipped"]) == (0, 0, VERSIONS)
    # MinIO went on: an object without versions was written again, another is new.
    folder = place.drive / "portail-ing"
    shutil.copytree(folder / "readme.txt", folder / "later.txt")
    set_inline(folder / "readme.txt", b"written again")

    def later(file: MetaFile) -> None:
        fields = file.versions[0][1]["V2Obj"]
        fields["MTime"] += 10**9
        del fields["MetaSys"]["x-minio-internal-crc"]
        fields["MetaUsr"]["etag"] = hashlib.md5(b"written again").hexdigest()

    change_meta(folder / "readme.txt", later)
    last = place.bring()
    assert (last["objects"], last["skipped"]) == (2, VERSIONS - 1)
    with place.serve() as server:
        client = server.client()
        answer = client.get_object(Bucket="portail-ing", Key="readme.txt")
        assert answer["Body"].read() == b"written again"
        assert client.head_object(Bucket="portail-ing", Key="later.txt")["ContentLength"] == 13
        client.put_object(Bucket="portail-ing", Key="later.txt", Body=b"of Neve's own")
    # What Neve has written since is newer, and stays.
    kept = place.bring(status=1)
    assert list(kept["failures"]) == ["portail-ing/later.txt (version null)"]
    with place.serve() as server:
        answer = server.client().get_object(Bucket="portail-ing", Key="later.txt")
        assert answer["Body"].read() == b"of Neve's own"


def test_an_import_killed_half_way_is_brought_to_its_end(place: Place) -> None:
    folder = place.drive / "portail-ing"
    for number in range(300):
        shutil.copytree(folder / "readme.txt", folder / f"many-{number:03}")
    words = ("import", "minio-drive", str(place.drive), str(place.store))
    segments = place.store / "segments"
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-m", "neve", *words],
            env=place.line.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        before = _size(segments)
        # Killed in the middle of writing, not before and not after.
        while process.poll() is None and _size(segments) < before + 8000:
            time.sleep(0.002)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        process.wait()
    last = place.bring()
    assert last["skipped"] > 0
    assert last["objects"] + last["markers"] + last["skipped"] == VERSIONS + 300
    with place.serve() as server:
        client = server.client()
        listed = client.list_objects_v2(Bucket="portail-ing", Prefix="many-")
        assert listed["KeyCount"] == 300
        for row in listed["Contents"]:
            client.delete_object(Bucket="portail-ing", Key=row["Key"])
        check_objects(client)


def test_the_processes_of_a_killed_import_end(place: Place) -> None:
    words = ("import", "minio-drive", str(place.drive), str(place.store))
    process = subprocess.Popen(
        [sys.executable, "-m", "neve", *words],
        env=place.line.environment,
        stdout=subprocess.DEVNULL,
    )
    children: set[int] = set()
    while process.poll() is None and len(children) < 2:
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as stream:
            children = {int(pid) for pid in stream.read().split()}
    assert len(children) >= 2
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_until(lambda: not any(_is_summing(pid) for pid in children))


def _is_summing(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False


def _size(folder: Path) -> int:
    if not folder.is_dir():
        return 0
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def seal_identities(drive: Path, secret: str) -> None:
    """Encrypt everything of users, as MinIO does when it has been told no other key."""
    for file in (drive / ".minio.sys/config/iam").rglob("xl.meta"):
        meta = MetaFile(file.parent)
        set_inline(file.parent, seal(secret, meta.inline["null"][32:]))


def test_encrypted_users_need_the_root_credentials(place: Place) -> None:
    seal_identities(place.drive, f"{ROOT_USER}:{ROOT_PASSWORD}")
    without = place.bring(status=1)
    assert without["users"] == without["accessKeys"] == 0
    assert without["objects"] == 26
    assert "users/alice" in without["failures"]
    assert "root credentials" in without["failures"]["users/alice"]
    wrong = place.bring(
        "--root-user", ROOT_USER, status=1, environment={"MINIO_ROOT_PASSWORD": "another-secret"}
    )
    assert "not with these" in wrong["failures"]["users/alice"]
    right = place.bring(
        "--root-user", ROOT_USER, environment={"MINIO_ROOT_PASSWORD": ROOT_PASSWORD}
    )
    assert (right["users"], right["groups"], right["policies"], right["accessKeys"]) == (2, 1, 1, 1)
    with place.serve() as server:
        check_people(server)


def test_what_is_damaged_is_named_and_the_rest_comes(place: Place) -> None:
    portal, results = place.drive / "portail-ing", place.drive / "results"
    (portal / "empty/xl.meta").write_bytes(b"XL2 \x01\0\x03\0\xc6")
    (portal / "sha256.bin/xl.meta").write_bytes(os.urandom(300))
    part = next((portal / "part-300k.bin").glob("*/part.1"))
    part.write_bytes(_flipped(part.read_bytes(), 200_000))
    part = next((portal / "part-3m.bin").glob("*/part.1"))
    part.write_bytes(_flipped(part.read_bytes(), 5))  # in the sum, not in the data
    next((portal / "multi-11m.bin").glob("*/part.2")).unlink()
    part = next((portal / "part-1m-and-1.bin").glob("*/part.1"))
    part.write_bytes(part.read_bytes()[:-1])
    (results / "tas.zarr/tas/c/0/0/xl.meta").unlink()
    set_inline(portal / "dir/child", b"other")  # the sum is right, the ETag is not
    change_meta(portal / "inline-100k.bin", lambda file: file.inline.clear())
    os.makedirs(os.fsencode(portal) + b"/bad-\xff")
    shutil.copy(portal / "readme.txt/xl.meta", os.fsencode(portal) + b"/bad-\xff/xl.meta")
    (portal / "link").symlink_to("readme.txt")
    long = portal / ("d" * 250) / ("d" * 250) / ("d" * 250) / ("d" * 250) / ("d" * 100)
    shutil.copytree(portal / "readme.txt", long)
    done = place.bring(status=1)
    failures = {target: message.partition(": ")[2] for target, message in done["failures"].items()}
    long_key = str(long.relative_to(portal))
    null = " (version null)"
    assert failures == {
        "portail-ing/empty": "xl.meta is cut off",
        "portail-ing/sha256.bin": "xl.meta is not one",
        f"portail-ing/part-300k.bin{null}": "a block of part 1 does not match its sum",
        f"portail-ing/part-3m.bin{null}": "a block of part 1 does not match its sum",
        f"portail-ing/multi-11m.bin{null}": "the file of part 2 is missing",
        f"portail-ing/part-1m-and-1.bin{null}": (
            "the file of part 1 has another size than it should"
        ),
        "results/tas.zarr/tas/c/0/0": "xl.meta is missing",
        f"portail-ing/dir/child{null}": "the bytes do not match the ETag",
        "portail-ing/inline-100k.bin": "the inline data of a version are missing",
        "portail-ing/bad-\ufffd": "its name is no UTF-8",
        "portail-ing/link": "it is a link, which MinIO never makes",
        f"portail-ing/{long_key}": "The key has more than 1,024 UTF-8 bytes.",
    }
    assert done["missing"] == len(failures)
    with place.serve() as server:
        client = server.client()
        there = {row["Key"] for row in client.list_objects_v2(Bucket="portail-ing")["Contents"]}
        assert there == {
            "dir/", "public/index.json", "public/été 2026/données #1.bin", "readme.txt",
        }  # fmt: skip
        assert in_order(shown(client, "archive")) == in_order(expected("archive"))


def _flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes((data[at] ^ 4,)) + data[at + 1 :]


def test_without_sums_the_md5_still_finds_damage(place: Place) -> None:
    part = next((place.drive / "portail-ing/part-300k.bin").glob("*/part.1"))
    part.write_bytes(_flipped(part.read_bytes(), 200_000))
    part = next((place.drive / "portail-ing/multi-11m.bin").glob("*/part.2"))
    part.write_bytes(_flipped(part.read_bytes(), 2_000_000))
    done = place.bring("--no-bitrot", status=1)
    assert sorted(done["failures"]) == [
        f"portail-ing/{key} (version null)" for key in ("multi-11m.bin", "part-300k.bin")
    ]
    assert all("do not match the ETag" in why for why in done["failures"].values())
    assert done["objects"] == 24


def test_what_neve_cannot_keep_is_named(place: Place) -> None:
    portal = place.drive / "portail-ing"
    system = {
        "empty": {"X-Minio-Internal-compression": b"klauspost/compress/s2"},
        "sha256.bin": {"X-Minio-Internal-Server-Side-Encryption-Iv": b"iv"},
        "readme.txt": {"X-Minio-Internal-transition-status": b"complete"},
    }
    for key, fields in system.items():
        change_meta(
            portal / key,
            lambda file: file.versions[0][1]["V2Obj"]["MetaSys"].update(fields),  # noqa: B023
        )
    user = {
        "x-amz-tagging": "a=1&a=2",
        "x-amz-meta-evil": "a\r\nset-cookie: b",
        "x-amz-meta-é": "1",
    }
    change_meta(
        portal / "inline-100k.bin",
        lambda file: file.versions[0][1]["V2Obj"]["MetaUsr"].update(user),
    )
    crc = {"x-minio-internal-crc": b"\x08\0\0\0\0"}
    change_meta(
        portal / "dir/child", lambda file: file.versions[0][1]["V2Obj"]["MetaSys"].update(crc)
    )
    done = place.bring(status=1)
    null = " (version null)"
    assert {f"portail-ing/{key}{null}" for key in system} <= done["failures"].keys()
    assert "compressed" in done["failures"][f"portail-ing/empty{null}"]
    assert "encrypted" in done["failures"][f"portail-ing/sha256.bin{null}"]
    assert "another tier" in done["failures"][f"portail-ing/readme.txt{null}"]
    assert "checksum of portail-ing/dir/child" in done["failures"]
    assert {"tags of portail-ing/inline-100k.bin", "metadata of portail-ing/inline-100k.bin"} <= (
        done["failures"].keys()
    )
    with place.serve() as server:
        answer = server.client().head_object(Bucket="portail-ing", Key="inline-100k.bin")
        assert (answer["ContentLength"], answer["Metadata"]) == (100_000, {})
        child = server.client().get_object(Bucket="portail-ing", Key="dir/child")
        assert len(child["Body"].read()) == 5


def test_settings_that_neve_refuses_are_named(place: Place) -> None:
    folder = place.drive / ".minio.sys/buckets/results/.metadata.bin"
    data = MetaFile(folder).inline["null"][32:]
    fields = msgspec.msgpack.decode(data[4:])
    fields["LifecycleConfigXML"] = (
        b"<LifecycleConfiguration><Rule><ID>cold</ID><Status>Enabled</Status><Filter><Prefix>"
        b"</Prefix></Filter><Transition><Days>1</Days><StorageClass>TAPE</StorageClass></Transition>"
        b"</Rule></LifecycleConfiguration>"
    )
    fields["NotificationConfigXML"] = (
        b'<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        b"<QueueConfiguration><Id>1</Id><Queue>arn:minio:sqs::1:webhook</Queue>"
        b"<Event>s3:ObjectCreated:*</Event></QueueConfiguration></NotificationConfiguration>"
    )
    set_inline(folder, data[:4] + msgspec.msgpack.encode(fields))
    damaged = place.drive / ".minio.sys/buckets/archive/.metadata.bin"
    set_inline(damaged, b"\x01\0\x01\0\xff")
    done = place.bring(status=1)
    assert {"lifecycle of results", "notification of results", "settings of archive"} <= (
        done["failures"].keys()
    )
    # A bucket whose settings are lost is made without; a version with an id then has no place.
    assert any(target.startswith("archive/held.nc") for target in done["failures"])
    assert done["objects"] == 25


def test_one_bucket_alone(place: Place) -> None:
    done = place.bring("--bucket", "results", "--bucket", "none", status=1)
    assert done["failures"] == {"none": "none: there is no such bucket on the drive"}
    assert (done["buckets"], done["users"]) == (1, 0)


def test_what_is_refused_at_once(place: Place, tmp_path: Path) -> None:
    def refused(*words: str, status: int = 1) -> str:
        done = place.line.run("import", "minio-drive", *words, status=status)
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr

    assert "no drive of MinIO" in refused(str(tmp_path / "nothing"), str(place.store))
    inside = str(place.drive / "store")
    assert "must not lie" in refused(str(place.drive), inside, status=2)
    assert not Path(inside).exists()
    with place.serve():
        assert "served already" in refused(str(place.drive), str(place.store))
    other = tmp_path / "other"
    other.mkdir()
    (other / "file").touch()
    assert "not a Neve store" in refused(str(place.drive), str(other))


def test_the_text_of_an_import(place: Place) -> None:
    for name in ROOT:
        del place.line.environment[name]
    words = ("import", "minio-drive", str(place.drive), str(place.store))
    done = place.line.run(*words)
    came = "26 objects and versions of 16,187,065 bytes and 2 delete markers"
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        f"3 buckets; {came} brought, 0 were there already.",
        "2 users, 1 group, 1 policy, 1 access key.",
        "1 unfinished upload left behind.",
        "Nothing is missing.",
        f"New root keys are in {place.store}/root-credentials.json.",
        f"Serve it with: neve serve {place.store}",
    ]

"""rm as a process against a live Neve."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from neve.testing.cli import CommandLine

ALL = ["a", "b/c.tmp", "b/d", "b/e/f.tmp", "b2"]


@pytest.fixture
def filled(client: Any, bucket: str) -> str:
    for key in ALL:
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    return bucket


def keys(client: Any, bucket: str) -> list[str]:
    return [row["Key"] for row in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


def versions(client: Any, bucket: str) -> list[tuple[str, str]]:
    found = client.list_object_versions(Bucket=bucket)
    rows = found.get("Versions", []) + found.get("DeleteMarkers", [])
    return [(row["Key"], row["VersionId"]) for row in rows]


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (["live/{b}/a"], ["b/c.tmp", "b/d", "b/e/f.tmp", "b2"]),
        (["live/{b}/a", "live/{b}/b2"], ["b/c.tmp", "b/d", "b/e/f.tmp"]),
        (["-r", "--force", "live/{b}/b"], ["a", "b2"]),
        (["-r", "--force", "live/{b}/b/"], ["a", "b2"]),
        (["-r", "--force", "live/{b}/b*"], ["a", "b/c.tmp", "b/d", "b/e/f.tmp"]),
        (["-r", "--force", "live/{b}/**.tmp"], ["a", "b/d", "b2"]),
        (["-r", "--force", "--exclude", "*.tmp", "live/{b}"], ["b/c.tmp", "b/e/f.tmp"]),
        (["-r", "--force", "--older-than", "1h", "live/{b}"], ALL),
        (["-r", "--force", "--newer-than", "1h", "live/{b}"], []),
        (["--force", "live/{b}/no"], ALL),
    ],
)  # fmt: skip
def test_what_is_removed(
    neve: CommandLine, filled: str, client: Any, arguments: list[str], left: list[str]
) -> None:
    neve.run("rm", *(word.format(b=filled) for word in arguments))
    assert keys(client, filled) == left


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["live/{b}/no"], 1, "there is no object live/{b}/no."),
        (["live/{b}/b"], 2, "live/{b}/b is a folder; remove all in it: -r --force."),
        (["live/{b}/b/"], 2, "more than one object"),
        (["live/{b}/*"], 2, "more than one object"),
        (["-r", "live/{b}/b"], 2, "add --force"),
        (["-r", "--force", "live"], 2, "--dangerous"),
        (["-r", "--dry-run", "live/{b}/none"], 1, "there is nothing at live/{b}/none."),
        ([], 2, "say what to remove"),
    ],
)
def test_refusals(
    neve: CommandLine, filled: str, client: Any, arguments: list[str], status: int, sentence: str
) -> None:
    done = neve.run("rm", *(word.format(b=filled) for word in arguments), status=status)
    assert sentence.format(b=filled) in done.stderr
    assert len(keys(client, filled)) == 5


def test_dry_run_names_what_would_go(neve: CommandLine, filled: str, client: Any) -> None:
    done = neve.run("rm", "-r", "--dry-run", f"live/{filled}/b/")
    assert done.stdout.splitlines() == [
        f"would remove live/{filled}/b/c.tmp",
        f"would remove live/{filled}/b/d",
        f"would remove live/{filled}/b/e/f.tmp",
    ]
    assert len(keys(client, filled)) == 5


def test_names_from_the_input(neve: CommandLine, filled: str, client: Any) -> None:
    names = f"live/{filled}/a\nlive/{filled}/b/d\nlive/{filled}/none\n".encode()
    neve.run("rm", "--stdin", stdin=names)
    assert keys(client, filled) == ["b/c.tmp", "b/e/f.tmp", "b2"]


def test_versions(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(3):
        first = client.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]
        client.put_object(Bucket=bucket, Key="k2", Body=b"x")
    neve.run("rm", f"live/{bucket}/k")
    assert keys(client, bucket) == ["k2"]
    assert len(versions(client, bucket)) == 7
    neve.run("rm", "--version-id", first, f"live/{bucket}/k")
    assert ("k", first) not in versions(client, bucket)
    neve.run("rm", "--versions", f"live/{bucket}/k", "--force")
    assert {key for key, _ in versions(client, bucket)} == {"k2"}
    neve.run("rm", "-r", "--force", "--versions", f"live/{bucket}")
    assert versions(client, bucket) == []


def test_a_version_that_is_not_there(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    kept = client.put_object(Bucket=bucket, Key="k", Body=b"x")["VersionId"]
    marker = client.delete_object(Bucket=bucket, Key="k")["VersionId"]
    wrong = kept[:-1] + ("0" if kept[-1] != "0" else "1")
    for version in (wrong, "nonsense"):
        ended = neve.run("rm", "--version-id", version, f"live/{bucket}/k", status=1)
        assert f"live/{bucket}/k has no version {version}" in ended.stderr
    assert len(versions(client, bucket)) == 2
    neve.run("rm", "--version-id", marker, f"live/{bucket}/k")
    assert versions(client, bucket) == [("k", kept)]
    neve.run("rm", "--force", "--version-id", wrong, f"live/{bucket}/k")


def test_unfinished_uploads(neve: CommandLine, bucket: str, client: Any) -> None:
    client.create_multipart_upload(Bucket=bucket, Key="x/1")
    client.create_multipart_upload(Bucket=bucket, Key="y")
    (line,) = neve.json("rm", "-r", "--force", "-I", f"live/{bucket}/x/")
    assert line["uploadId"]
    left = client.list_multipart_uploads(Bucket=bucket)["Uploads"]
    assert [row["Key"] for row in left] == ["y"]


def test_what_a_lock_protects_stays_and_is_named(
    neve: CommandLine, client: Any, bucket: str
) -> None:
    locked = f"{bucket}-lock"
    client.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
    client.put_object(Bucket=locked, Key="free", Body=b"x")
    client.put_object(
        Bucket=locked, Key="held", Body=b"x", ObjectLockLegalHoldStatus="ON"
    )  # fmt: skip
    done = neve.run("rm", "-r", "--force", "--versions", f"live/{locked}", status=1)
    assert f"could not remove live/{locked}/held" in done.stderr
    assert [key for key, _ in versions(client, locked)] == ["held"]


def test_bypass_removes_what_governance_protects(
    neve: CommandLine, client: Any, bucket: str
) -> None:
    locked = f"{bucket}-lock"
    client.create_bucket(Bucket=locked, ObjectLockEnabledForBucket=True)
    version = client.put_object(
        Bucket=locked, Key="k", Body=b"x", ObjectLockMode="GOVERNANCE",
        ObjectLockRetainUntilDate=datetime.now(UTC) + timedelta(days=1),
    )["VersionId"]  # fmt: skip
    done = neve.run("rm", "--version-id", version, f"live/{locked}/k", status=1)
    assert f"could not remove live/{locked}/k" in done.stderr
    assert versions(client, locked) == [("k", version)]
    neve.run("rm", "--version-id", version, "--bypass", f"live/{locked}/k")
    assert versions(client, locked) == []

"""stat, tree, du, find, head, diff as processes against a live Neve."""

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from neve.testing.cli import CommandLine

OLD = 1_000_000_000
SIZES = {"a.txt": 5, "b/c.nc": 2000, "b/d e+f": 3, "b/g/h.nc": 1, "b2": 7}


@pytest.fixture
def filled(client: Any, bucket: str) -> str:
    for key, size in SIZES.items():
        client.put_object(Bucket=bucket, Key=key, Body=b"x" * size)
    return bucket


def write(folder: Path, sizes: dict[str, int]) -> None:
    for name, size in sizes.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        os.utime(path, (OLD, OLD))


def test_tree(neve: CommandLine, filled: str) -> None:
    assert neve.run("tree", f"live/{filled}").stdout == (
        f"live/{filled}\n"
        "└─ b/\n"
        "   └─ g/\n"
    )  # fmt: skip
    assert neve.run("tree", "--files", f"live/{filled}").stdout == (
        f"live/{filled}\n├─ a.txt\n├─ b/\n│  ├─ c.nc\n│  ├─ d e+f\n│  └─ g/\n│     └─ h.nc\n└─ b2\n"
    )
    assert neve.run("tree", "-f", "-d", "1", f"live/{filled}/b").stdout == (
        f"live/{filled}/b\n"
        "├─ c.nc\n"
        "├─ d e+f\n"
        "└─ g/\n"
    )  # fmt: skip
    write(neve.folder / "local", SIZES)
    local = neve.run("tree", "-f", "local").stdout
    assert local == neve.run("tree", "-f", f"live/{filled}").stdout.replace(
        f"live/{filled}", "local"
    )
    assert "nothing below" in neve.run("tree", f"live/{filled}/zz", status=1).stderr


@pytest.mark.parametrize("depth", range(4))
def test_du_adds_up_what_a_reader_would(neve: CommandLine, filled: str, depth: int) -> None:
    rows = neve.json("du", "--depth", str(depth), f"live/{filled}")
    folders = {""} | {
        "/".join(key.split("/")[:level]) + "/"
        for key in SIZES
        for level in range(1, min(depth, key.count("/")) + 1)
    }
    expected = {
        folder: (
            sum(size for key, size in SIZES.items() if key.startswith(folder)),
            sum(key.startswith(folder) for key in SIZES),
        )
        for folder in folders
    }
    root = f"live/{filled}"
    assert {
        row["url"].removeprefix(root).removeprefix("/"): (row["size"], row["objects"])
        for row in rows
    } == expected
    assert rows[-1]["url"] == root, "the whole comes last"


def test_du_as_text_and_of_versions(neve: CommandLine, filled: str, client: Any) -> None:
    assert neve.run("du", f"live/{filled}/b", f"live/{filled}/b2").stdout == (
        f"   2.0 KiB         3 objects  live/{filled}/b\n"
        f"       7 B          1 object  live/{filled}/b2\n"
    )
    client.put_bucket_versioning(Bucket=filled, VersioningConfiguration={"Status": "Enabled"})
    client.put_object(Bucket=filled, Key="b2", Body=b"xx")
    client.delete_object(Bucket=filled, Key="b2")
    (row,) = neve.json("du", "--versions", f"live/{filled}/b2")
    assert (row["size"], row["objects"], row["versions"]) == (9, 2, True)
    write(neve.folder / "local", SIZES)
    (row,) = neve.json("du", "local")
    assert (row["size"], row["objects"]) == (sum(SIZES.values()), len(SIZES))


@pytest.mark.parametrize(
    ("conditions", "keys"),
    [
        ([], list(SIZES)),
        (["--name", "*.nc"], ["b/c.nc", "b/g/h.nc"]),
        (["--path", "b/*"], ["b/c.nc", "b/d e+f"]),
        (["--path", "b/**"], ["b/c.nc", "b/d e+f", "b/g/h.nc"]),
        (["--regex", r"^b/.\."], ["b/c.nc"]),
        (["--ignore", "*.nc"], ["a.txt", "b/d e+f", "b2"]),
        (["--larger", "5"], ["b/c.nc", "b2"]),
        (["--smaller", "5"], ["b/d e+f", "b/g/h.nc"]),
        (["--larger", "1k", "--name", "*.txt"], []),
        (["--older-than", "1h"], []),
        (["--newer-than", "1h", "--name", "a*"], ["a.txt"]),
        (["--newer-than", "2999-01-01"], []),
        (["--maxdepth", "1"], ["a.txt", "b2"]),
        (["--storage-class", "GLACIER"], []),
        (["--type", "marker"], []),
    ],
)
def test_find(neve: CommandLine, filled: str, conditions: list[str], keys: list[str]) -> None:
    rows = neve.json("find", f"live/{filled}", *conditions)
    assert [row["key"] for row in rows] == keys
    assert [row["url"] for row in rows] == [f"live/{filled}/{key}" for key in keys]


def test_find_in_a_folder_gives_the_same(neve: CommandLine, filled: str) -> None:
    write(neve.folder / "local", SIZES)
    there = neve.json("find", f"live/{filled}")
    here = neve.json("find", "local")
    assert [(row["key"], row["size"]) for row in here] == [(r["key"], r["size"]) for r in there]


def test_find_prints_and_links(neve: CommandLine, filled: str) -> None:
    done = neve.run("find", f"live/{filled}", "--name", "c.nc", "--print", "{size}|{base}|{dir}")
    assert done.stdout == f"2.0 KiB|c.nc|live/{filled}/b\n"
    import urllib.request

    link = neve.run("find", f"live/{filled}", "--name", "c.nc", "--print", "{url}").stdout
    with urllib.request.urlopen(link.strip(), timeout=10) as answer:
        assert answer.read() == b"x" * 2000


def test_find_runs_a_program_for_each_without_a_shell(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    client.put_object(Bucket=bucket, Key="a; touch evil", Body=b"")
    client.put_object(Bucket=bucket, Key="b {base}", Body=b"")
    done = neve.run("find", f"live/{bucket}", "--exec", "printf '<%s>' {} {base}")
    assert done.stdout == (
        f"<live/{bucket}/a; touch evil><a; touch evil><live/{bucket}/b {{base}}><b {{base}}>"
    )
    assert not (neve.folder / "evil").exists()
    done = neve.run("find", f"live/{bucket}", "--exec", "false", status=1)
    assert done.stderr.count("false ended with 1 for") == 2
    assert "cannot run" in neve.run("find", f"live/{bucket}", "--exec", "./no", status=2).stderr


def test_head(neve: CommandLine, bucket: str, client: Any) -> None:
    lines = "".join(f"line {number}\n" for number in range(300_000))
    client.put_object(Bucket=bucket, Key="log", Body=lines.encode())
    name = f"live/{bucket}/log"
    assert neve.run("head", name).stdout == "".join(lines.splitlines(True)[:10])
    many = neve.run("head", "-n", "200000", name).stdout
    assert many == "".join(lines.splitlines(True)[:200_000])
    assert neve.run("head", "--bytes", "9", name).stdout == lines[:9]
    assert neve.run("head", "-n", "0", name).stdout == ""
    assert neve.run("head", "-n", "2", "-", stdin=b"x\ny\nz\n").stdout == "x\ny\n"


def test_stat_of_an_object(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_object(
        Bucket=bucket, Key="a b", Body=b"hello", ContentType="text/plain",
        CacheControl="no-cache", Metadata={"Who": "me"}, Tagging="k=v%20w",
        ChecksumAlgorithm="SHA256",
    )  # fmt: skip
    (row,) = neve.json("stat", f"live/{bucket}/a b")
    assert row["size"] == 5
    assert row["etag"] == hashlib.md5(b"hello").hexdigest()
    assert row["contentType"] == "text/plain"
    assert row["metadata"] == {"who": "me"}
    assert row["tags"] == {"k": "v w"}
    assert row["headers"] == {"cache-control": "no-cache"}
    assert row["checksums"] == {"sha256": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="}
    text = neve.run("stat", f"live/{bucket}/a b").stdout
    assert "  metadata       who: me\n" in text
    assert "  tag            k: v w\n" in text
    assert len(neve.json("stat", "-r", f"live/{bucket}")) == 1


def test_stat_of_a_bucket_and_of_files(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [{"Key": "k", "Value": "v"}]})
    policy = {"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }]}  # fmt: skip
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    (row,) = neve.json("stat", f"live/{bucket}")
    assert (row["versioning"], row["policy"], row["tags"]) == ("Enabled", True, {"k": "v"})
    assert (row["corsRules"], row["lifecycleRules"]) == (0, 0)
    write(neve.folder, {"f": 12})
    (row,) = neve.json("stat", "f")
    assert (row["size"], row["folder"]) == (12, False)
    done = neve.run("stat", f"live/{bucket}/none", "f", "./none", status=1)
    assert "there is no object" in done.stderr
    assert "no file or folder ./none" in done.stderr
    assert "12 B" in done.stdout


def test_diff_both_ways(neve: CommandLine, filled: str) -> None:
    local = neve.folder / "local"
    write(local, SIZES)
    assert neve.run("diff", "local", f"live/{filled}").stdout == ""
    (local / "a.txt").unlink()
    write(local, {"b/c.nc": 4, "b-x": 1, "b/g/z": 1})
    assert neve.run("diff", "local", f"live/{filled}", status=1).stdout == (
        "> a.txt\n< b-x\n! b/c.nc  4 B, 2.0 KiB\n< b/g/z\n"
    )
    rows = neve.json("diff", f"live/{filled}", "local", status=1)
    assert [(row["key"], row["reason"]) for row in rows] == [
        ("a.txt", "onlyInFirst"), ("b-x", "onlyInSecond"),
        ("b/c.nc", "size"), ("b/g/z", "onlyInSecond"),
    ]  # fmt: skip
    assert rows[0]["first"] == f"live/{filled}/a.txt"
    assert rows[0]["second"] is None


def test_diff_by_time_and_content(neve: CommandLine, filled: str, client: Any) -> None:
    local = neve.folder / "local"
    write(local, SIZES)
    later = time.time() + 3600
    os.utime(local / "b2", (later, later))
    (local / "a.txt").write_bytes(b"xxxxy")
    same = client.head_object(Bucket=filled, Key="a.txt")["LastModified"].timestamp()
    os.utime(local / "a.txt", (same, same))
    name = f"live/{filled}"
    assert neve.run("diff", "local", name).stdout == ""
    rows = neve.json("diff", "--newer", "local", name, status=1)
    assert [(row["key"], row["reason"]) for row in rows] == [("b2", "time")]
    rows = neve.json("diff", "--newer", name, "local", status=1)
    assert [row["key"] for row in rows] == ["b/c.nc", "b/d e+f", "b/g/h.nc"]
    rows = neve.json("diff", "--checksum", "local", name, status=1)
    assert [(row["key"], row["reason"]) for row in rows] == [("a.txt", "content")]


def test_diff_reads_what_was_written_in_parts(neve: CommandLine, bucket: str, client: Any) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key="a")["UploadId"]
    part = client.upload_part(
        Bucket=bucket, Key="a", UploadId=upload, PartNumber=1, Body=b"x" * 100
    )
    client.complete_multipart_upload(
        Bucket=bucket, Key="a", UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )  # fmt: skip
    write(neve.folder / "local", {"a": 100})
    assert neve.json("diff", "--checksum", "local", f"live/{bucket}") == []
    (neve.folder / "local" / "a").write_bytes(b"x" * 99 + b"y")
    (row,) = neve.json("diff", "--checksum", "local", f"live/{bucket}", status=1)
    assert row["reason"] == "content"


def test_version_of_the_server(neve: CommandLine) -> None:
    from neve import __version__

    assert neve.run("version", "live").stdout.splitlines()[-1] == f"live neve {__version__}"

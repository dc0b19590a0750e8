"""cp, put, get and mv as processes against a live Neve, judged by boto3 and the file system."""

import hashlib
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neve.testing.cli import CommandLine
from neve.testing.server import LiveServer, wait_until

BIG = 40 << 20


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones as well."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def keys(client: Any, bucket: str) -> list[str]:
    return [row["Key"] for row in client.list_objects_v2(Bucket=bucket).get("Contents", [])]


def body(client: Any, bucket: str, key: str) -> bytes:
    data: bytes = client.get_object(Bucket=bucket, Key=key)["Body"].read()
    return data


@pytest.fixture
def folder(neve: CommandLine) -> Path:
    """A small tree `d` in the current folder."""
    found = neve.folder / "d"
    (found / "sub").mkdir(parents=True)
    (found / "a.txt").write_bytes(b"hello\n")
    (found / "sub" / "b.nc").write_bytes(b"CDF")
    (found / "sub" / "c d+é").write_bytes(b"")
    return found


def test_one_file_up_and_down(neve: CommandLine, bucket: str, client: Any, folder: Path) -> None:
    (line,) = neve.json("cp", "d/a.txt", f"live/{bucket}/new.txt")
    assert line["source"] == "d/a.txt"
    assert line["target"] == f"live/{bucket}/new.txt"
    assert (line["size"], line["verified"]) == (6, "CRC-32C")
    found = client.get_object(Bucket=bucket, Key="new.txt", ChecksumMode="ENABLED")
    assert found["Body"].read() == b"hello\n"
    assert found["ContentType"] == "text/plain"
    assert "ChecksumCRC32C" in found
    done = neve.run("cp", f"live/{bucket}/new.txt", "back.txt")
    assert done.stdout == f"live/{bucket}/new.txt -> back.txt\n"
    assert (neve.folder / "back.txt").read_bytes() == b"hello\n"
    moment = found["LastModified"].timestamp()
    assert (neve.folder / "back.txt").stat().st_mtime == moment


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["d/a.txt", "live/{b}"], ["a.txt"]),
        (["d/a.txt", "live/{b}/p/"], ["p/a.txt"]),
        (["d/a.txt", "live/{b}/p"], ["p"]),
        (["d/a.txt", "d/sub/b.nc", "live/{b}/p"], ["p/a.txt", "p/b.nc"]),
        (["-r", "d", "live/{b}"], ["d/a.txt", "d/sub/b.nc", "d/sub/c d+é"]),
        (["-r", "d/", "live/{b}"], ["a.txt", "sub/b.nc", "sub/c d+é"]),
        (["-r", "d", "live/{b}/p"], ["p/d/a.txt", "p/d/sub/b.nc", "p/d/sub/c d+é"]),
        (["-r", "d/sub", "live/{b}/p/"], ["p/sub/b.nc", "p/sub/c d+é"]),
        (["-r", "./d/.", "live/{b}"], ["a.txt", "sub/b.nc", "sub/c d+é"]),
        (["-r", "--exclude", "*.nc", "d/", "live/{b}"], ["a.txt", "sub/c d+é"]),
        (["-r", "--exclude", "sub", "d", "live/{b}"], ["d/a.txt"]),
        (["-r", "--exclude", "sub/c*", "d", "live/{b}"], ["d/a.txt", "d/sub/b.nc"]),
        (["-r", "--include", "*.nc", "d/", "live/{b}"], ["sub/b.nc"]),
        (["-r", "--newer-than", "1h", "d/", "live/{b}"], ["a.txt", "sub/b.nc", "sub/c d+é"]),
        (["-r", "--older-than", "1h", "d/", "live/{b}"], []),
    ],
)
def test_names_of_what_goes_up(
    neve: CommandLine, bucket: str, client: Any, folder: Path, arguments: list[str],
    expected: list[str],
) -> None:  # fmt: skip
    neve.run("cp", *(word.format(b=bucket) for word in arguments))
    assert keys(client, bucket) == expected


@pytest.mark.parametrize(
    ("source", "target", "expected"),
    [
        ("live/{b}/x/", "out", ["out/1", "out/y/2"]),
        ("live/{b}/x", "out/", ["out/x/1", "out/x/y/2"]),
        ("live/{b}", "out", ["out/{b}/x/1", "out/{b}/x/y/2", "out/{b}/xy"]),
        ("live/{b}/", "out", ["out/x/1", "out/x/y/2", "out/xy"]),
        ("live/{b}/x/**", "out", ["out/1", "out/y/2"]),
        ("live/{b}/x*", "out", ["out/xy"]),
    ],
)
def test_names_of_what_comes_down(
    neve: CommandLine, bucket: str, client: Any, source: str, target: str, expected: list[str]
) -> None:
    for key in ("x/1", "x/y/2", "xy"):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    neve.run("cp", "-r", source.format(b=bucket), target)
    found = tree(neve.folder)
    assert [name for name in found if name.startswith("out")] == [
        name.format(b=bucket) for name in expected
    ]
    assert all(
        data.decode().endswith(Path(name).name) for name, data in found.items() if "out" in name
    )


def test_an_existing_prefix_is_a_folder(
    neve: CommandLine, bucket: str, client: Any, folder: Path
) -> None:
    client.put_object(Bucket=bucket, Key="p/x")
    client.put_object(Bucket=bucket, Key="both/x")
    client.put_object(Bucket=bucket, Key="both")
    neve.run("cp", "d/a.txt", f"live/{bucket}/p")
    neve.run("cp", "d/a.txt", f"live/{bucket}/both")
    assert keys(client, bucket) == ["both", "both/x", "p/a.txt", "p/x"]


def test_large_objects_go_in_parts_and_come_in_ranges(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    data = os.urandom(BIG + 12_345)
    (neve.folder / "big").write_bytes(data)
    (line,) = neve.json("cp", "--part-size", "5MiB", "big", f"live/{bucket}/big")
    assert line["verified"] == "CRC-32C"
    head = client.head_object(Bucket=bucket, Key="big", ChecksumMode="ENABLED")
    assert head["ETag"].endswith('-9"')
    assert head["ChecksumType"] == "FULL_OBJECT"
    (line,) = neve.json("cp", f"live/{bucket}/big", "back")
    assert line["verified"] == "CRC-32C"
    assert (neve.folder / "back").read_bytes() == data
    (line,) = neve.json("cp", f"live/{bucket}/big", f"live/{bucket}/copy")
    assert hashlib.md5(body(client, bucket, "copy")).digest() == hashlib.md5(data).digest()
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []
    assert list((neve.folder / "home" / ".config" / "neve" / "transfers").iterdir()) == []


def test_metadata_and_tags(neve: CommandLine, bucket: str, client: Any, folder: Path) -> None:
    neve.run(
        "cp", "d/a.txt", f"live/{bucket}/a.txt", "--attr", "Cache-Control=max-age=60;author=me",
        "--tags", "state=final&x=1 2",
    )  # fmt: skip
    neve.run("cp", f"live/{bucket}/a.txt", f"live/{bucket}/copy")
    neve.run("cp", f"live/{bucket}/a.txt", f"live/{bucket}/other", "--attr", "author=you")
    for key, author in (("a.txt", "me"), ("copy", "me"), ("other", "you")):
        head = client.head_object(Bucket=bucket, Key=key)
        assert head["CacheControl"] == "max-age=60"
        assert head["ContentType"] == "text/plain"
        assert head["Metadata"] == {"author": author}
        tags = client.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == {"state": "final", "x": "1 2"}


def test_times_and_modes_are_kept_on_demand(
    neve: CommandLine, bucket: str, client: Any, folder: Path
) -> None:
    file = folder / "a.txt"
    file.chmod(0o640)
    os.utime(file, ns=(10**18 + 5, 10**18 + 123_456_789))
    neve.run("cp", "-a", "d/a.txt", f"live/{bucket}/a.txt")
    head = client.head_object(Bucket=bucket, Key="a.txt")
    assert "mtime:1000000000#123456789" in head["Metadata"]["mc-attrs"]
    neve.run("cp", "-a", f"live/{bucket}/a.txt", "back")
    state = (neve.folder / "back").stat()
    assert (state.st_mtime_ns, state.st_mode & 0o777) == (10**18 + 123_456_789, 0o640)


def test_one_version(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = client.put_object(Bucket=bucket, Key="k", Body=b"old")["VersionId"]
    client.put_object(Bucket=bucket, Key="k", Body=b"new")
    neve.run("get", "--version-id", old, f"live/{bucket}/k", "k")
    assert (neve.folder / "k").read_bytes() == b"old"
    (line,) = neve.json("cp", "--version-id", old, f"live/{bucket}/k", f"live/{bucket}/k2")
    assert body(client, bucket, "k2") == b"old"
    assert line["versionId"]


def test_what_is_no_file_is_left_out_with_a_word(
    neve: CommandLine, bucket: str, client: Any, folder: Path
) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "broken").symlink_to("nowhere")
    (folder / "link").symlink_to("a.txt")
    (folder / "sub" / "loop").symlink_to("..")
    (Path(os.fsdecode(os.fsencode(folder) + b"/bad\xff"))).write_bytes(b"x")
    done = neve.run("cp", "-r", "d/", f"live/{bucket}", status=1)
    assert "left out: d/pipe (a pipe)" in done.stdout
    assert "left out: d/broken (a broken link)" in done.stdout
    assert "left out: d/sub/loop (a link to a folder that it is in)" in done.stdout
    assert "is not UTF-8, which keys must be" in done.stderr
    assert keys(client, bucket) == ["a.txt", "link", "sub/b.nc", "sub/c d+é"]
    assert body(client, bucket, "link") == b"hello\n"


def test_keys_that_are_no_file_names_stay_where_they_are(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    bad = ["../out", "a/../../out", "/etc/x", "a//b", "./x", "n" * 300]
    for key in [*bad, "good", "folder/", "f", "f/below"]:
        client.put_object(Bucket=bucket, Key=key, Body=b"" if key.endswith("/") else b"x")
    done = neve.run("cp", "-r", f"live/{bucket}/", "into/here", status=1)
    outside = {name for name in tree(neve.folder) if not name.startswith("home/")}
    assert outside in ({"into/here/good", "into/here/f"}, {"into/here/good", "into/here/f/below"})
    assert (neve.folder / "into/here/folder").is_dir()
    assert not Path("/etc/x").exists()
    assert done.stderr.count("cannot name a file below") == 5
    assert "too long for a file" in done.stderr
    assert "a file and a folder cannot have the same name; keys can." in done.stderr or (
        "is a folder, and the object wants to be a file of this name." in done.stderr
    )
    assert "6 failed" in done.stdout or "7 failed" in done.stdout


def test_dry_run_does_nothing(neve: CommandLine, bucket: str, client: Any, folder: Path) -> None:
    lines = neve.json("cp", "-r", "--dry-run", "d", f"live/{bucket}")
    assert [line["type"] for line in lines] == ["planned"] * 3
    assert keys(client, bucket) == []
    neve.run("mv", "-r", "--dry-run", "d", f"live/{bucket}")
    assert len(tree(folder)) == 3


def test_standard_streams(neve: CommandLine, bucket: str, client: Any) -> None:
    neve.run("cp", "-", f"live/{bucket}/in", stdin=b"piped")
    assert body(client, bucket, "in") == b"piped"
    assert neve.run("cp", f"live/{bucket}/in", "-").stdout == "piped"
    neve.run("pipe", f"live/{bucket}/t.txt", stdin=b"")
    head = client.head_object(Bucket=bucket, Key="t.txt")
    assert (head["ContentLength"], head["ContentType"]) == (0, "text/plain")
    data = os.urandom(BIG)
    (line,) = neve.json("pipe", "--part-size", "6MiB", f"live/{bucket}/big", stdin=data)
    assert (line["size"], line["verified"]) == (BIG, "CRC-32C")
    assert body(client, bucket, "big") == data


def test_mv(neve: CommandLine, bucket: str, client: Any, folder: Path) -> None:
    neve.run("mv", "-r", "d", f"live/{bucket}")
    assert not folder.exists()
    assert keys(client, bucket) == ["d/a.txt", "d/sub/b.nc", "d/sub/c d+é"]
    neve.run("mv", f"live/{bucket}/d/a.txt", f"live/{bucket}/z")
    assert body(client, bucket, "z") == b"hello\n"
    neve.run("mv", "-r", f"live/{bucket}/d/", "back")
    assert keys(client, bucket) == ["z"]
    assert sorted(tree(neve.folder / "back")) == ["sub/b.nc", "sub/c d+é"]


def test_mv_keeps_what_could_not_be_copied(
    neve: CommandLine, bucket: str, client: Any, folder: Path
) -> None:
    client.put_object(Bucket=bucket, Key="x/a", Body=b"a")
    client.put_object(Bucket=bucket, Key="x/../b", Body=b"b")
    neve.run("mv", "-r", f"live/{bucket}/x/", "out", status=1)
    assert keys(client, bucket) == ["x/../b"]
    neve.run("mv", "-r", "d", "live/no-such-bucket", status=1)
    assert len(tree(folder)) == 3


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["cp", "d", "live/{b}"], 2, "d is a folder; with all in it: -r."),
        (["cp", "live/{b}/p", "."], 2, "live/{b}/p is a folder; with all in it: -r."),
        (["cp", "live/{b}", "."], 2, "is a folder; with all in it: -r."),
        (["cp", "live/{b}/none", "."], 1, "there is no object live/{b}/none."),
        (["cp", "live/{b}/none*", "."], 1, "nothing matches live/{b}/none*."),
        (["cp", "./none", "live/{b}"], 1, "./none: there is no such file or folder."),
        (["cp", "d/a.txt", "live"], 2, "name a bucket"),
        (["cp", "live/{b}/p/k", "live/{b}/p/k"], 1, "are the same object."),
        (["cp", "-r", "d", "d/a.txt"], 2, "d/a.txt is a file"),
        (["cp", "live/{b}/p/k", "/dev/null"], 1, "/dev/null is a device or a pipe"),
        (["cp", "-", "-r", "live/{b}/k"], 2, "'-' is one object"),
        (["cp", "--part-size", "1k", "d/a.txt", "live/{b}"], 2, "from 5MiB to 5GiB"),
        (["cp", "--attr", "x", "d/a.txt", "live/{b}"], 2, "is no attribute"),
        (["put", "live/{b}/p/k", "live/{b}/x"], 2, "is remote"),
        (["get", "live/{b}/p/k", "live/{b}/x"], 2, "is no local place"),
        (["get", "d/a.txt", "."], 2, "d/a.txt is local; this verb wants alias/bucket/key."),
        (["cp", "d/no.txt", "live/{b}/"], 1, "there is no alias 'd', nor a file or folder d/no."),
        (["pipe", "live/{b}/x/"], 2, "ends with a slash"),
    ],
)
def test_refusals(
    neve: CommandLine, bucket: str, client: Any, folder: Path, arguments: list[str], status: int,
    sentence: str,
) -> None:  # fmt: skip
    client.put_object(Bucket=bucket, Key="p/k", Body=b"x")
    words = [word.format(b=bucket) for word in arguments]
    done = neve.run(*words, status=status)
    assert sentence.format(b=bucket) in done.stderr
    assert done.stderr.count("\n") == 1
    assert keys(client, bucket) == ["p/k"]


def test_what_ends_everything_is_told_once(neve: CommandLine, folder: Path) -> None:
    for number in range(50):
        (folder / str(number)).write_bytes(b"x")
    done = neve.run("cp", "-r", "d", "live/no-such-bucket", status=1)
    assert done.stderr == "neve: there is no bucket 'no-such-bucket' at live.\n"
    assert "the rest was not tried" in done.stdout


def test_a_full_disk_is_one_sentence_and_leaves_nothing(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    client.put_object(Bucket=bucket, Key="big", Body=bytes(3 << 20))
    # A limit on the size of files is met where a full disk would be: writing fails midway.
    code = (
        "import resource, signal, errno, os\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))\n"
        "from neve.cli.main import main\n"
        f"raise SystemExit(main(['cp', 'live/{bucket}/big', 'here']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=neve.folder, env=neve.environment, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "File too large" in done.stderr
    assert done.stderr.count("\n") == 1
    assert [path.name for path in neve.folder.iterdir() if path.name != "home"] == []


def test_interrupted_downloads_leave_nothing(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_object(Bucket=bucket, Key="small", Body=bytes(10 << 20))
    target = neve.folder / "out"
    target.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "neve", "cp", "--limit-download", "1MiB", f"live/{bucket}/small",
         "out/"],
        cwd=neve.folder, env=neve.environment, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_until(lambda: list(target.iterdir()) != [])
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Interrupted" in stderr
    assert list(target.iterdir()) == []


def test_interrupted_uploads_go_on_where_they_stopped(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    data = os.urandom(BIG)
    (neve.folder / "big").write_bytes(data)
    command = ["cp", "--part-size", "5MiB", "--max-workers", "2", "big", f"live/{bucket}/big"]
    process = subprocess.Popen(
        [sys.executable, "-m", "neve", *command, "--limit-upload", "10MiB"],
        cwd=neve.folder, env=neve.environment, stderr=subprocess.PIPE,
    )  # fmt: skip

    def parts() -> int:
        uploads = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        if not uploads:
            return 0
        found = client.list_parts(Bucket=bucket, Key="big", UploadId=uploads[0]["UploadId"])
        return len(found.get("Parts", []))

    wait_until(lambda: parts() >= 2)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"go on where they stopped" in stderr
    assert keys(client, bucket) == []
    there = parts()
    done = neve.run(*command, "--debug")
    sent = [line for line in done.stderr.splitlines() if line.startswith("> PUT")]
    # A part that was under way may have arrived after all.
    assert 0 < len(sent) <= 8 - there
    assert body(client, bucket, "big") == data
    assert parts() == 0


def test_a_resumed_upload_of_another_state_begins_anew(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    (neve.folder / "big").write_bytes(bytes(BIG))
    command = ["cp", "--part-size", "5MiB", "big", f"live/{bucket}/big"]
    process = subprocess.Popen(
        [sys.executable, "-m", "neve", *command, "--limit-upload", "5MiB"],
        cwd=neve.folder, env=neve.environment, stderr=subprocess.PIPE,
    )  # fmt: skip
    # The upload has begun, and the command has written down which it is.
    state = neve.folder / "home" / ".config" / "neve" / "transfers"
    wait_until(lambda: list(state.glob("upload-*.json")) != [])
    process.kill()
    process.communicate(timeout=30)
    data = os.urandom(BIG)
    (neve.folder / "big").write_bytes(data)
    neve.run(*command)
    assert body(client, bucket, "big") == data
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_a_file_that_is_written_meanwhile_is_sent_anew(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    file = neve.folder / "f"
    file.write_bytes(bytes(BIG))
    process = subprocess.Popen(
        [sys.executable, "-m", "neve", "cp", "--json", "--limit-upload", "20MiB", "f",
         f"live/{bucket}/f"],
        cwd=neve.folder, env=neve.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_until(lambda: client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) != [])
    data = os.urandom(BIG + 1)
    with file.open("r+b") as stream:
        stream.write(data)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stdout + stderr
    assert body(client, bucket, "f") == data
    assert client.list_multipart_uploads(Bucket=bucket).get("Uploads", []) == []


def test_an_object_that_is_written_meanwhile_is_fetched_anew(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=bytes(BIG))
    process = subprocess.Popen(
        [sys.executable, "-m", "neve", "cp", "--limit-download", "20MiB", f"live/{bucket}/k", "k"],
        cwd=neve.folder, env=neve.environment, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_until((neve.folder / ".k.neve-part").exists)
    data = os.urandom(BIG + 1)
    client.put_object(Bucket=bucket, Key="k", Body=data)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert (neve.folder / "k").read_bytes() in (data, bytes(BIG))


def test_two_processes_do_not_write_one_file(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=bytes(BIG))
    process = subprocess.Popen(
        [sys.executable, "-m", "neve", "cp", "--limit-download", "5MiB", f"live/{bucket}/k", "k"],
        cwd=neve.folder, env=neve.environment, stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_until((neve.folder / ".k.neve-part").exists)
    done = neve.run("cp", f"live/{bucket}/k", "k", status=1)
    assert "k is being written already" in done.stderr
    process.communicate(timeout=60)
    assert (neve.folder / "k").read_bytes() == bytes(BIG)


def test_names_that_differ_in_case_only(neve: CommandLine, bucket: str, client: Any) -> None:
    for key in ("Readme", "README", "other"):
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    # This file system tells them apart; one that does not is pretended.
    code = (
        "from neve.cli.transfer import landing\n"
        "landing.folds_case = lambda folder: True\n"
        "from neve.cli.main import main\n"
        f"raise SystemExit(main(['cp', '-r', 'live/{bucket}/', 'out']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=neve.folder, env=neve.environment, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert "out/Readme and out/README are one file here" in done.stderr
    assert tree(neve.folder / "out") == {"README": b"README", "other": b"other"}
    neve.run("cp", "-r", f"live/{bucket}/", "both")
    assert len(tree(neve.folder / "both")) == 3


def test_a_copy_into_its_own_source_ends(neve: CommandLine, bucket: str, client: Any) -> None:
    for key in ("x/a", "x/b"):
        client.put_object(Bucket=bucket, Key=key, Body=b"1")
    for _ in range(2):
        neve.run("cp", "-r", f"live/{bucket}/x/", f"live/{bucket}/x/copy/")
        assert keys(client, bucket) == ["x/a", "x/b", "x/copy/a", "x/copy/b"]
    (neve.folder / "d").mkdir()
    done = neve.run("cp", "-r", "d", "d/sub", status=2)
    assert done.stderr == "neve: d/sub is in d.\n"


def test_objects_that_stand_for_folders(neve: CommandLine, bucket: str, client: Any) -> None:
    for key in ("p/", "p/empty/", "p/f"):
        client.put_object(Bucket=bucket, Key=key)
    neve.run("cp", "-r", f"live/{bucket}/p/", "out")
    assert sorted(path.name for path in (neve.folder / "out").iterdir()) == ["empty", "f"]
    neve.run("cp", "-r", f"live/{bucket}/p/", f"live/{bucket}/q/")
    assert [key for key in keys(client, bucket) if key.startswith("q")] == ["q/", "q/empty/", "q/f"]
    assert neve.json("mirror", f"live/{bucket}/p", "out")[-1]["same"] == 3


def test_metadata_beyond_ascii_and_a_home_that_cannot_be_written(
    neve: CommandLine, bucket: str, client: Any, tmp_path: Path
) -> None:
    (neve.folder / "big").write_bytes(bytes(20 << 20))
    (neve.folder / "config").mkdir()
    (neve.folder / "config" / "transfers").write_bytes(b"no folder")
    nowhere = {"NEVE_CONFIG_DIR": str(neve.folder / "config")}
    neve.run("cp", "--attr", "title=été", "big", f"live/{bucket}/big", environment=nowhere)
    with LiveServer(tmp_path / "other") as other:
        neve.alias("other", other.endpoint, other.access_key, other.secret_key)
        neve.run("mb", "other/b-copy", environment=nowhere)
        neve.run("cp", f"live/{bucket}/big", "other/b-copy/big", environment=nowhere)
        (row,) = neve.json("stat", "other/b-copy/big")
        (first,) = neve.json("stat", f"live/{bucket}/big")
    assert row["metadata"] == first["metadata"] == {"title": "été"}
    neve.run("mirror", ".", f"live/{bucket}/m", environment=nowhere)


def test_a_copy_in_parts_keeps_what_the_object_has(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    data = os.urandom(12 << 20)
    client.put_object(
        Bucket=bucket, Key="k", Body=data, Metadata={"who": "me"}, Tagging="x=1",
        ContentType="text/x",
    )  # fmt: skip
    # CopyObject takes 5 GiB at most; the limit is lowered instead of writing that much.
    code = (
        "from neve.cli.transfer import copying\n"
        "copying.COPY_BYTES_MAX, copying.COPY_PART_BYTES = 1 << 20, 5 << 20\n"
        "from neve.cli.main import main\n"
        f"raise SystemExit(main(['cp', 'live/{bucket}/k', 'live/{bucket}/copy']))\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=neve.folder, env=neve.environment, check=True)
    found = client.get_object(Bucket=bucket, Key="copy")
    assert found["Body"].read() == data
    assert found["ETag"].endswith('-3"')
    assert (found["Metadata"], found["ContentType"]) == ({"who": "me"}, "text/x")
    tags = client.get_object_tagging(Bucket=bucket, Key="copy")["TagSet"]
    assert tags == [{"Key": "x", "Value": "1"}]


@pytest.mark.parametrize("quiet", [False, True])
def test_progress_is_drawn_on_a_terminal_and_taken_away(
    neve: CommandLine, bucket: str, client: Any, quiet: bool
) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=bytes(8 << 20))
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "neve", "cp", "--limit-download", "3MiB", *(["-q"] if quiet else []),
         f"live/{bucket}/k", "k"],
        cwd=neve.folder, env=neve.environment, stdout=subprocess.PIPE, stderr=theirs,
    )  # fmt: skip
    stdout, _ = process.communicate(timeout=60)
    os.close(theirs)
    drawn = b""
    with os.fdopen(ours, "rb", 0) as terminal:
        try:
            while piece := terminal.read(1 << 16):
                drawn += piece
        except OSError:
            pass  # The other end is closed.
    assert process.returncode == 0
    if quiet:
        assert (stdout, drawn) == (b"", b"")
        return
    assert b" of 8.0 MiB" in drawn
    assert b"/s" in drawn
    assert drawn.endswith(b"\x1b[J")
    assert stdout == f"live/{bucket}/k -> k\n".encode()


def test_a_disk_that_fills_up_ends_the_run(neve: CommandLine, bucket: str, client: Any) -> None:
    for number in range(60):
        client.put_object(Bucket=bucket, Key=f"{number:02d}", Body=b"x")
    code = (
        "import errno, os\n"
        "pwrite, written = os.pwrite, []\n"
        "def filling(file, data, position):\n"
        "    written.append(1)\n"
        "    if len(written) > 10:\n"
        "        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
        "    return pwrite(file, data, position)\n"
        "os.pwrite = filling\n"
        "from neve.cli.main import main\n"
        f"raise SystemExit(main(['cp', '-r', 'live/{bucket}/', 'out']))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=neve.folder, env=neve.environment, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("neve: the disk is full: ")
    assert done.stderr.count("\n") == 1
    assert "10 copied" in done.stdout
    assert "the rest was not tried" in done.stdout
    assert len(tree(neve.folder / "out")) == 10

"""The base verbs as processes against a live Neve: what they print, as text and as JSON."""

import re
import signal
import subprocess
import sys
from typing import Any

import pytest

from neve.testing.cli import CommandLine


def masked(text: str) -> str:
    """Text without what differs from run to run."""
    return re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", "TIME", text)


@pytest.fixture
def filled(client: Any, bucket: str) -> str:
    """A bucket with a few objects."""
    for key, size in [("a.txt", 5), ("b/c.nc", 2000), ("b/d e+f", 3), ("b/g/h.nc", 1), ("b2", 7)]:
        client.put_object(Bucket=bucket, Key=key, Body=b"x" * size)
    return bucket


def test_ls_of_a_bucket(neve: CommandLine, filled: str) -> None:
    assert masked(neve.run("ls", f"live/{filled}").stdout) == (
        "TIME         5 B  a.txt\n                                     b/\nTIME         7 B  b2\n"
    )


def test_ls_of_a_prefix_with_and_without_its_slash(neve: CommandLine, filled: str) -> None:
    below = (
        "TIME     2.0 KiB  c.nc\nTIME         3 B  d e+f\n                                     g/\n"
    )
    assert masked(neve.run("ls", f"live/{filled}/b/").stdout) == below
    assert masked(neve.run("ls", f"live/{filled}/b").stdout) == below


def test_ls_recursive_with_a_summary(neve: CommandLine, filled: str) -> None:
    assert masked(neve.run("ls", "-r", "--summarize", f"live/{filled}").stdout) == (
        "TIME         5 B  a.txt\n"
        "TIME     2.0 KiB  b/c.nc\n"
        "TIME         3 B  b/d e+f\n"
        "TIME         1 B  b/g/h.nc\n"
        "TIME         7 B  b2\n"
        "\n2.0 KiB in 5 objects\n"
    )


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [("b/*.nc", ["c.nc"]), ("**.nc", ["b/c.nc", "b/g/h.nc"]), ("b?", ["b2"])],
)
def test_ls_of_a_pattern(neve: CommandLine, filled: str, pattern: str, keys: list[str]) -> None:
    rows = neve.json("ls", f"live/{filled}/{pattern}")
    assert [row["key"] for row in rows] == keys


def test_ls_as_json(neve: CommandLine, filled: str, client: Any) -> None:
    rows = neve.json("ls", f"live/{filled}")
    head = client.head_object(Bucket=filled, Key="a.txt")
    assert [row["type"] for row in rows] == ["object", "prefix", "object"]
    assert rows[0] == {
        "status": "success",
        "type": "object",
        "key": "a.txt",
        "size": 5,
        "lastModified": head["LastModified"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "etag": head["ETag"].strip('"'),
        "storageClass": "STANDARD",
        "versionId": None,
        "isLatest": True,
        "isDeleteMarker": False,
        "url": f"live/{filled}/a.txt",
    }


def test_ls_of_servers_and_aliases(neve: CommandLine, bucket: str) -> None:
    buckets = neve.json("ls", "live")
    (row,) = [row for row in buckets if row["key"] == bucket]
    assert (row["type"], row["url"]) == ("bucket", f"live/{bucket}")
    assert [row["alias"] for row in neve.json("ls")] == ["live"]


def test_ls_of_uploads(neve: CommandLine, bucket: str, client: Any) -> None:
    upload = client.create_multipart_upload(Bucket=bucket, Key="big/one")
    (row,) = neve.json("ls", "--incomplete", f"live/{bucket}")
    assert (row["key"], row["uploadId"]) == ("big/one", upload["UploadId"])
    assert neve.json("ls", "-I", f"live/{bucket}/other") == []


def test_ls_of_a_local_folder(neve: CommandLine) -> None:
    (neve.folder / "d" / "sub").mkdir(parents=True)
    (neve.folder / "d" / "f").write_bytes(b"123")
    (neve.folder / "d" / "sub" / "g").write_bytes(b"1")
    assert masked(neve.run("ls", "d").stdout).splitlines() == [
        "TIME         3 B  f",
        "                                     sub/",
    ]
    rows = neve.json("ls", "-r", "./d")
    assert [(row["key"], row["size"]) for row in rows] == [("f", 3), ("sub/g", 1)]
    (neve.folder / "d" / "sub" / "up").symlink_to("..")
    rows = neve.json("ls", "-r", "d")
    assert [row["key"] for row in rows] == ["f", "sub/g", "sub/up/"]


def test_ls_pages_through_more_than_a_thousand(neve: CommandLine, fresh_server: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    client = fresh_server.client()
    client.create_bucket(Bucket="many")
    keys = sorted(f"k{number:05d}" for number in range(1203))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: client.put_object(Bucket="many", Key=key), keys))
    neve.alias("own", fresh_server.endpoint, fresh_server.access_key, fresh_server.secret_key)
    assert [row["key"] for row in neve.json("ls", "own/many")] == keys


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["ls", "live/no-such-bucket"], 1, "there is no bucket 'no-such-bucket' at live."),
        (["ls", "live/{bucket}/no/such"], 1, "there is nothing at live/{bucket}/no/such."),
        (["ls", "other/b"], 1, "there is no alias 'other'"),
        (["ls", "-"], 2, "the standard input cannot be listed."),
        (["ls", "--versions", "-I", "live"], 2, "do not go together"),
        (["cat", "live/{bucket}/none"], 1, "there is no object live/{bucket}/none."),
        (["cat", "live/{bucket}"], 2, "name an object"),
        (["cat", "--offset", "x", "live/{bucket}/a"], 2, "is no size"),
        (["mb", "live/A"], 1, "cannot name a bucket"),
        (["mb", "live"], 2, "name a bucket"),
        (["rb", "live/{bucket}/key"], 2, "objects are removed with neve rm"),
        (["rb", "live"], 2, "--force --dangerous"),
        (["rb", "live/no-such-bucket"], 1, "there is no bucket"),
    ],
)
def test_refusals(
    neve: CommandLine, bucket: str, arguments: list[str], status: int, sentence: str
) -> None:
    words = [word.format(bucket=bucket) for word in arguments]
    done = neve.run(*words, status=status)
    assert sentence.format(bucket=bucket) in done.stderr
    assert done.stderr.startswith("neve: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    (failure,) = neve.json(*words, status=status)
    assert failure["type"] == "failure"
    assert sentence.format(bucket=bucket) in failure["message"]


def test_cat(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_object(Bucket=bucket, Key="a", Body=b"0123456789\n")
    client.put_object(Bucket=bucket, Key="empty", Body=b"")
    (neve.folder / "local").write_bytes(b"local\n")
    name = f"live/{bucket}"
    assert neve.run("cat", f"{name}/a", f"{name}/empty", "local", "-", stdin=b"in\n").stdout == (
        "0123456789\nlocal\nin\n"
    )
    assert neve.run("cat", "--offset", "8", f"{name}/a").stdout == "89\n"
    assert neve.run("cat", "--tail", "3", f"{name}/a").stdout == "89\n"
    assert neve.run("cat", "--tail", "2", "local").stdout == "l\n"


def test_cat_into_a_pipe_that_is_closed_ends_quietly(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    client.put_object(Bucket=bucket, Key="big", Body=bytes(8 << 20))
    process = subprocess.Popen(
        [sys.executable, "-m", "neve", "cat", f"live/{bucket}/big"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=neve.environment,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    with process.stderr:
        assert process.wait(30) == 1
        assert process.stderr.read() == b""


def test_a_locale_without_a_character_of_a_key(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_object(Bucket=bucket, Key="é", Body=b"")
    done = neve.run("ls", f"live/{bucket}", environment={"PYTHONIOENCODING": "ascii"})
    assert done.stdout.endswith("  \\xe9\n")


@pytest.mark.parametrize("words", [["ls"], ["cat", "../d/f"]])
def test_an_output_that_is_full_is_one_sentence(neve: CommandLine, words: list[str]) -> None:
    (neve.folder / "d").mkdir()
    (neve.folder / "d" / "f").write_bytes(b"123")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "neve", *words],
            stdout=full,
            stderr=subprocess.PIPE,
            env=neve.environment,
            cwd=neve.folder / "d",
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == b"neve: the input or the output: No space left on device.\n"


def test_ctrl_c_ends_quietly(neve: CommandLine) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "neve", "cat", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=neve.environment,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(bytes(1 << 20))  # one piece: it is written before more is read
    process.stdin.flush()
    process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors) == (130, b"")


def test_buckets_are_made_and_removed(neve: CommandLine, bucket: str, client: Any) -> None:
    new = f"{bucket}-new"
    done = neve.run("mb", f"live/{new}", f"live/{bucket}", status=1)
    assert done.stdout == f"The bucket live/{new} was made.\n"
    assert done.stderr == f"neve: the bucket '{bucket}' exists already, and is yours.\n"
    assert neve.run("mb", "-p", f"live/{bucket}").stdout == (
        f"The bucket live/{bucket} exists already.\n"
    )
    assert neve.run("mb", "-p", "-q", f"live/{bucket}").stdout == ""
    assert neve.run("rb", f"live/{new}").stdout == f"The bucket live/{new} was removed.\n"
    assert new not in [row["Name"] for row in client.list_buckets()["Buckets"]]


def test_a_full_bucket_is_removed_by_force_only(
    neve: CommandLine, filled: str, client: Any
) -> None:
    client.create_multipart_upload(Bucket=filled, Key="left")
    done = neve.run("rb", f"live/{filled}", status=1)
    assert "--force" in done.stderr
    assert client.list_objects_v2(Bucket=filled)["KeyCount"] == 5
    assert "with the 5 objects" in neve.run("rb", "--force", f"live/{filled}").stdout
    assert filled not in [row["Name"] for row in client.list_buckets()["Buckets"]]


def test_keys_that_no_document_can_carry_are_removed(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for key in ("plain", "a\x01b", "a\x1b[31m", "a\ufffe", "a\nb", "a\rb"):
        client.put_object(Bucket=bucket, Key=key, Body=b"x")
    rows = neve.json("rm", "-r", "--force", f"live/{bucket}")
    assert [row["type"] for row in rows] == ["removed"] * 6 + ["transferSummary"]
    assert "Contents" not in client.list_objects_v2(Bucket=bucket, EncodingType="url")
    neve.run("rb", "--force", f"live/{bucket}")
    assert bucket not in [row["Name"] for row in client.list_buckets()["Buckets"]]


def test_ping_and_ready(neve: CommandLine) -> None:
    rows = neve.json("ping", "live", "--count", "3", "--interval", "1ms")
    assert [row["type"] for row in rows] == ["ping"] * 3 + ["pingSummary"]
    assert (rows[-1]["sent"], rows[-1]["answered"]) == (3, 3)
    assert rows[0]["connectMs"] is not None
    assert rows[1]["connectMs"] is None
    assert neve.run("ready", "live").stdout == "live is ready.\n"
    neve.alias("gone", "http://127.0.0.1:9")
    assert "gone is not ready: nothing listens" in neve.run("ready", "gone", status=1).stderr
    assert "nothing listens" in neve.run("ping", "gone", "-c", "1", status=1).stderr


def test_debug_shows_requests_and_no_secret(neve: CommandLine, bucket: str) -> None:
    done = neve.run("--debug", "ls", f"live/{bucket}")
    assert f"> GET {neve.server.endpoint}/{bucket}/?list-type=2" in done.stderr  # type: ignore[union-attr]
    assert "< 200 OK" in done.stderr
    assert neve.server.secret_key not in done.stderr + done.stdout  # type: ignore[union-attr]
    assert "Signature=" not in done.stderr


def test_keys_cannot_command_the_terminal(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_object(Bucket=bucket, Key="a\x1b[31mred\nline", Body=b"")
    (line,) = neve.run("ls", f"live/{bucket}").stdout.splitlines()
    assert line.endswith("a\\x1b[31mred\\nline")
    assert neve.json("ls", f"live/{bucket}")[0]["key"] == "a\x1b[31mred\nline"
    done = neve.run("cat", f"live/{bucket}/no\nsuch\x1b[31m", status=1)
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr


def test_keys_that_look_like_paths_stay_keys(neve: CommandLine, bucket: str, client: Any) -> None:
    keys = ["/lead", "a/", "a//b", "..", "./x", "x/../y", "d", "d/e", "a*b", "-dash"]
    for key in keys:
        client.put_object(Bucket=bucket, Key=key, Body=key.encode())
    rows = neve.json("ls", "-r", f"live/{bucket}")
    assert [row["key"] for row in rows] == sorted(keys)
    level = [row["key"] for row in neve.json("ls", f"live/{bucket}")]
    assert level == ["-dash", "..", "./", "/", "a*b", "a/", "d", "d/", "x/"]
    assert [row["key"] for row in neve.json("ls", f"live/{bucket}/a/")] == ["./", "/"]
    assert [row["key"] for row in neve.json("ls", f"live/{bucket}/d")] == ["d", "e"]
    for key in keys:
        if not key.endswith("/"):
            assert neve.run("cat", f"live/{bucket}/{key}").stdout == key

"""The connections of transfers against servers that misbehave, and against moto's."""

import base64
import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.client.scripted_server import Scripted, ScriptedServer, error

from neve.cli.transfer.body import Bytes
from neve.cli.transfer.wire import Request, Wire
from neve.client.alias import Alias
from neve.client.errors import ClientError, ServerError, Unreachable
from neve.client.transport import Transport
from neve.testing.cli import CommandLine
from neve.testing.moto import MotoServer


@contextmanager
def wire(url: str, busy: Callable[[], None] = lambda: None) -> Iterator[Wire]:
    found = Wire(Transport(Alias("s", url, "key", "secret")), busy)
    try:
        yield found
    finally:
        found.close()


def get(key: str = "k") -> Request:
    return Request("GET", "b", key, doing="read this object")


def with_wire(url: str) -> bytes:
    with wire(url) as found:
        return found.call(get(), lambda reply: reply.read())


def test_a_connection_is_kept() -> None:
    with (
        ScriptedServer(Scripted(body=b"1"), Scripted(body=b"22")) as server,
        wire(server.url) as found,
    ):
        assert found.call(get(), lambda reply: reply.read()) == b"1"
        assert found.call(get(), lambda reply: reply.read()) == b"22"
        assert server.asked[0].port == server.asked[1].port


@pytest.mark.parametrize("cut", [-1, 3])
def test_what_breaks_off_is_asked_for_again_as_a_whole(cut: int) -> None:
    with ScriptedServer(Scripted(body=b"12345", cut=cut), Scripted(body=b"12345")) as server:
        told: list[int] = []

        def take(reply: Any) -> bytes:
            data: bytes = reply.read()
            told.append(len(data))
            return data

        with wire(server.url) as found:
            assert found.call(get(), take) == b"12345"
        assert told == [5]


def test_a_body_is_sent_again_and_the_meter_takes_back_what_was_lost() -> None:
    with ScriptedServer(
        Scripted(503, error("SlowDown")), Scripted(headers={"ETag": '"x"'})
    ) as server:
        told: list[int] = []
        busy: list[int] = []
        body = Bytes(os.urandom(3 << 20))
        request = Request("PUT", "b", "k", body=body, doing="write this object")
        with wire(server.url, lambda: busy.append(1)) as found:
            found.call(request, lambda reply: reply.headers, told.append)
        assert sum(told) == 3 << 20
        assert [asked.body for asked in server.asked] == [body.data, body.data]
        assert busy == [1]


def test_a_refusal_is_one_sentence_and_not_tried_again() -> None:
    with ScriptedServer(Scripted(403, error("AccessDenied"))) as server:
        with pytest.raises(ServerError, match="is right but may not read this object at s/b/k"):
            with_wire(server.url)


def test_a_refusal_in_chunks() -> None:
    body = error("NoSuchBucket")
    chunks = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)

    with ScriptedServer(
        Scripted(404, chunks, {"Transfer-Encoding": "chunked", "Connection": "close"})
    ) as server:
        with pytest.raises(ServerError, match="there is no bucket 'b'"):
            with_wire(server.url)


def test_nothing_listens() -> None:
    with pytest.raises(Unreachable, match="nothing listens"):
        with_wire("http://127.0.0.1:9")


def test_errors_of_files_are_not_tried_again() -> None:
    def full(reply: Any) -> None:
        raise OSError(28, "No space left on device")

    with ScriptedServer(Scripted(body=b"1")) as server:
        with pytest.raises(OSError, match="No space left"):
            with wire(server.url) as found:
                found.call(get(), full)
        assert len(server.asked) == 1


def line(tmp_path: Path, server: ScriptedServer) -> CommandLine:
    found = CommandLine(tmp_path)
    found.alias("s", server.url, "key", "secret")
    return found


def head(body: bytes, **headers: str) -> dict[str, str]:
    return {"ETag": '"e"', "Last-Modified": "Sat, 28 Nov 2026 10:00:00 GMT"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }


def test_damage_on_the_way_down_is_noticed(tmp_path: Path) -> None:
    sound, damaged = b"sound", b"sOund"
    for headers, name in (
        ({"x_amz_checksum_sha256": base64.b64encode(hashlib.sha256(sound).digest()).decode()},
         "SHA-256"),
        ({"ETag": f'"{hashlib.md5(sound).hexdigest()}"'}, "MD5"),
    ):  # fmt: skip
        answer = head(sound, **headers)
        with ScriptedServer(
            Scripted(body=sound, headers=answer), Scripted(body=damaged, headers=answer)
        ) as server:
            done = line(tmp_path, server).run("cp", "s/b/k", "k", status=1)
            assert f"s/b/k arrived damaged: its {name} is" in done.stderr
            assert not (tmp_path / "k").exists()
            assert [path.name for path in tmp_path.iterdir() if path.name != "home"] == []


def test_damage_on_the_way_up_is_noticed(tmp_path: Path) -> None:
    other = hashlib.md5(b"other").hexdigest()
    with ScriptedServer(
        Scripted(body=b"<ListBucketResult/>"), Scripted(headers={"ETag": f'"{other}"'})
    ) as server:
        (tmp_path / "f").write_bytes(b"sound")
        done = line(tmp_path, server).run("cp", "f", "s/b/k", status=1)
        assert "s/b/k arrived damaged: its MD5 is not that of the source." in done.stderr


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MotoServer]:
    with MotoServer(tmp_path_factory.mktemp("moto") / "log") as server:
        yield server


def test_with_another_implementation(
    tmp_path: Path, moto: MotoServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is written in parts has a wrong checksum there: one of checksums, said to be of bytes.
    monkeypatch.setenv("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required")
    neve = CommandLine(tmp_path)
    neve.alias("other", moto.endpoint, moto.access_key, moto.secret_key)
    neve.alias("same", moto.endpoint + "/", moto.access_key, moto.secret_key)
    client = moto.client()
    source = tmp_path / "d"
    (source / "sub").mkdir(parents=True)
    files = {"a.txt": b"a", "sub/é +": b"", "sub/big": os.urandom(17 << 20)}
    for name, data in files.items():
        (source / name).write_bytes(data)
    parts = ["--part-size", "32MiB"]
    assert neve.json("mirror", *parts, "d", "other/data")[-1]["objects"] == 3
    assert neve.json("mirror", "d", "other/data")[-1]["same"] == 3
    for name, data in files.items():
        assert client.get_object(Bucket="data", Key=name)["Body"].read() == data
    neve.run("mirror", "other/data", "back")
    for name, data in files.items():
        assert (tmp_path / "back" / name).read_bytes() == data
    neve.run("cp", "d/sub/big", "other/data/parts")
    head = client.get_object(Bucket="data", Key="parts")
    assert head["Body"].read() == files["sub/big"]
    assert head["ETag"].endswith('-2"')
    neve.run("rm", "other/data/parts")
    neve.run("cp", "-r", "other/data/", "other/data/copy/")
    copied = client.list_objects_v2(Bucket="data", Prefix="copy/")["Contents"]
    assert [row["Size"] for row in copied] == [1, 17 << 20, 0]
    neve.run("cp", "d/a.txt", "other/data/t", "--tags", "x=1", "--attr", "who=me")
    assert client.get_object_tagging(Bucket="data", Key="t")["TagSet"] == [
        {"Key": "x", "Value": "1"}
    ]
    neve.run("mv", "other/data/t", "other/data/u")
    neve.run("rm", "-r", "--force", "other/data/copy/")
    keys = [row["Key"] for row in client.list_objects_v2(Bucket="data")["Contents"]]
    assert keys == ["a.txt", "sub/big", "sub/é +", "u"]
    neve.run("pipe", "other/data/p", stdin=b"piped")
    assert client.get_object(Bucket="data", Key="p")["Body"].read() == b"piped"
    client.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
    neve.run("rm", "other/data/u")
    neve.run("undo", "other/data/u")
    assert client.get_object(Bucket="data", Key="u")["Metadata"] == {"who": "me"}


def test_from_another_implementation_to_neve(
    neve: CommandLine, moto: MotoServer, bucket: str, client: Any
) -> None:
    neve.alias("other", moto.endpoint, moto.access_key, moto.secret_key)
    moto.client().create_bucket(Bucket=bucket)
    big = os.urandom(20 << 20)
    moto.client().put_object(Bucket=bucket, Key="big", Body=big, Metadata={"a": "b"})
    moto.client().put_object(Bucket=bucket, Key="s", Body=b"small", Tagging="t=1")
    neve.run("cp", "-r", f"other/{bucket}/", f"live/{bucket}")
    found = client.get_object(Bucket=bucket, Key="big")
    assert (found["Body"].read() == big, found["Metadata"]) == (True, {"a": "b"})
    assert client.get_object_tagging(Bucket=bucket, Key="s")["TagSet"] == [
        {"Key": "t", "Value": "1"}
    ]


def test_memory_of_many_small_and_one_large_file(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    for number in range(3000):
        path = neve.folder / "d" / f"{number % 10}" / f"{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % number)
    with (neve.folder / "d" / "large").open("wb") as stream:
        stream.truncate(300 << 20)
    code = (
        "import sys\n"
        "from neve.cli.main import main\n"
        "status = main(sys.argv[1:])\n"
        "peak = [row for row in open('/proc/self/status') if row.startswith('VmHWM')][0]\n"
        "print(peak.split()[1])\n"
        "raise SystemExit(status)\n"
    )
    for arguments in (["d", f"live/{bucket}"], [f"live/{bucket}/d", "back"]):
        done = subprocess.run(
            [sys.executable, "-c", code, "cp", "-q", "-r", *arguments],
            cwd=neve.folder, env=neve.environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert int(done.stdout.split()[-1]) < 150 * 1024


def test_an_unknown_length_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with ScriptedServer(
        Scripted(headers=head(b"")), Scripted(body=b"1\r\nx\r\n0\r\n\r\n",
        headers=head(b"") | {"Transfer-Encoding": "chunked"})
    ) as server:  # fmt: skip
        with pytest.raises(ClientError, match="does not say how long the object is"):
            with wire(server.url) as found:
                found.call(get(), lambda reply: reply.size)
                found.call(get(), lambda reply: reply.size)

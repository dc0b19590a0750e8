"""MinIO's client itself, when it is installed: every verb that Neve's how-to says works."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from neve.testing.server import LiveServer

pytestmark = pytest.mark.skipif(
    shutil.which("mc") is None, reason="MinIO's client is not installed"
)

POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::mc-one/*"]}
    ],
}
Run = Callable[..., str]


@pytest.fixture
def mc(fresh_server: LiveServer, tmp_path: Path) -> Run:
    """A function that runs `mc` in a folder with some files; it fails when `mc` does."""
    keys = f"{fresh_server.access_key}:{fresh_server.secret_key}"
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "MC_CONFIG_DIR": str(tmp_path / "mc"),
        "MC_HOST_n": f"http://{keys}@{fresh_server.address}",
        "MC_HOST_alice": f"http://alice:alice-secret@{fresh_server.address}",
        "MC_HOST_anon": f"http://{fresh_server.address}",
    }
    work = tmp_path / "work"
    (work / "d" / "sub").mkdir(parents=True)
    (work / "f").write_bytes(os.urandom(10_000))
    (work / "large").write_bytes(bytes(20 << 20))
    (work / "d" / "a").write_text("a\n")
    (work / "d" / "sub" / "b").write_text("b\n")
    (work / "policy.json").write_text(json.dumps(POLICY))
    cors = "<CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>"
    (work / "cors.xml").write_text(f"<CORSConfiguration>{cors}</CORSConfiguration>")

    def run(command: str, *, ok: bool = True) -> str:
        done = subprocess.run(
            ["mc", "--json", *command.split()],
            cwd=work,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=60,
        )
        output = (done.stdout + done.stderr).decode("utf-8", "replace")
        assert (done.returncode == 0) is ok, f"mc {command}: {output}"
        return output

    return run


def test_objects(mc: Run) -> None:
    for command in (
        "mb n/mc-one",
        "cp f n/mc-one/f",
        "cp large n/mc-one/large",
        "ls n/mc-one",
        "ls --incomplete n/mc-one",
        "stat n/mc-one/f",
        "stat n/mc-one",
        "cat n/mc-one/f",
        "head n/mc-one/f",
        "cp -r d n/mc-one/",
        "mirror d n/mc-one/m",
        "mirror --overwrite --remove d n/mc-one/m",
        "cp n/mc-one/f n/mc-one/g",
        "cp n/mc-one/large n/mc-one/large2",
        "mv n/mc-one/g n/mc-one/h",
        "put f n/mc-one/put",
        "get n/mc-one/put got",
        "cp --attr a=b;c=d f n/mc-one/attr",
        "cp --tags x=y f n/mc-one/tagged",
        "du n/mc-one",
        "find n/mc-one --name *.x",
        "tree n/mc-one",
        "diff d n/mc-one/m",
        "share download n/mc-one/f",
        "share upload n/mc-one/new",
        "tag set n/mc-one/f a=b",
        "tag list n/mc-one/f",
        "tag remove n/mc-one/f",
        "tag set n/mc-one a=b",
        "tag list n/mc-one",
        "tag remove n/mc-one",
        "event ls n/mc-one",
        "rm n/mc-one/h",
        "rm -r --force n/mc-one/m",
        "rb --force n/mc-one",
    ):
        mc(command)


def test_what_a_bucket_is_told(mc: Run) -> None:
    for command in (
        "mb n/mc-one",
        "mb --with-versioning n/mc-two",
        "cp f n/mc-one/f",
        "anonymous set download n/mc-one",
        "anonymous get n/mc-one",
        "anonymous list n/mc-one",
        "anonymous links n/mc-one",
        "anonymous set public n/mc-one/m",
        "cat anon/mc-one/f",
        "ls anon/mc-one",
        "anonymous set private n/mc-one",
        "quota set n/mc-one --size 1GiB",
        "quota info n/mc-one",
        "quota clear n/mc-one",
        "cors set n/mc-one cors.xml",
        "cors get n/mc-one",
        "cors remove n/mc-one",
        "version info n/mc-two",
        "version suspend n/mc-two",
        "version enable n/mc-two --excluded-prefixes tmp/*",
        "cp f n/mc-two/v",
        "cp d/a n/mc-two/v",
        "rm n/mc-two/v",
        "ls --versions n/mc-two",
        "undo n/mc-two/v --last 1",
        "stat --versions n/mc-two/v",
        "ilm rule add n/mc-two --expire-days 30",
        "ilm rule add n/mc-two --prefix tmp/ --noncurrent-expire-days 3 --tags k=v",
        "ilm rule ls n/mc-two",
        "ilm rule rm --all --force n/mc-two",
        "mb --with-lock n/mc-three",
        "retention set --default GOVERNANCE 1d n/mc-three",
        "retention info --default n/mc-three",
        "cp f n/mc-three/f",
        "retention info n/mc-three/f",
        "retention set GOVERNANCE 2d n/mc-three/f",
        "legalhold set n/mc-three/f",
        "legalhold info n/mc-three/f",
        "legalhold clear n/mc-three/f",
        "retention clear n/mc-three/f",
        "retention clear --default n/mc-three",
        "rb --force n/mc-three",
        "rb --force n/mc-two",
    ):
        mc(command)


def test_administration(mc: Run) -> None:
    for command in (
        "ping n --count 1",
        "ready n",
        "mb n/mc-one",
        "cp f n/mc-one/f",
        "admin info n",
        "admin user add n alice alice-secret",
        "admin user ls n",
        "admin user info n alice",
        "admin user disable n alice",
        "admin user enable n alice",
        "admin policy ls n",
        "admin policy create n own policy.json",
        "admin policy info n own",
        "admin policy attach n own --user alice",
        "admin policy entities n --user alice",
        "cat alice/mc-one/f",
        "admin policy detach n own --user alice",
        "admin policy rm n own",
        "admin policy attach n reader:mc-one --user alice",
        "ls alice/mc-one",
        "admin group add n g1 alice",
        "admin group ls n",
        "admin group info n g1",
        "admin group disable n g1",
        "admin group enable n g1",
        "admin accesskey create n alice --access-key alice-key --secret-key alice-key-secret",
        "admin accesskey ls n --all",
        "admin accesskey info n alice-key",
        "admin accesskey edit n alice-key --name laptop",
        "admin accesskey disable n alice-key",
        "admin accesskey enable n alice-key",
        "admin accesskey rm n alice-key",
        "admin accesskey create alice",
        "admin accesskey ls alice",
        "admin user svcacct ls n alice",
        "admin cluster iam export n",
        "admin cluster iam import n n-iam-info.zip",
        "admin cluster bucket export n",
        "admin cluster bucket import n n-bucket-metadata.zip",
        "admin config get n site",
        "admin config set n quota bytes=1TiB",
        "admin config reset n quota",
        "admin config export n",
        "admin prometheus generate n",
        "admin prometheus metrics n",
        "admin group rm n g1 alice",
        "admin group rm n g1",
        "admin service freeze n",
        "admin service unfreeze n",
        "admin user rm n alice",
    ):
        mc(command)
    assert "does not exist" in mc("admin user ls alice", ok=False)
    assert "read-only" in mc("admin config set n site region=x", ok=False)
    assert "not implemented" in mc("admin heal n", ok=False)

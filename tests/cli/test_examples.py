"""The examples in the help of every client verb, run as they stand, on a server made for them.

The server is `pavics`, `new` and `local`, with the buckets of `BUCKETS`; the working folder has
`out/` and what `FILES` names. Add what the examples of a new verb need; every verb starts afresh.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from neve.cli.main import VERBS, find_verb
from neve.testing.cli import CommandLine
from neve.testing.drives import unpack_drive
from neve.testing.server import LiveServer

BUCKETS: dict[str, dict[str, bytes]] = {
    "portail-ing": {
        "readme.txt": b"read me\n",
        "log.txt": b"line\n" * 500,
        "results/tas.nc": b"tas" * 1000,
        "results/2026/pr.nc": b"pr" * 1000,
        "a.nc": b"a",
        "b.nc": b"b",
        "draft.nc": b"draft",
        "run1/x.nc": b"x",
        "run1/y.tmp": b"y",
        "run2/y.tmp": b"y",
    },
    "parts": {"1": b"1", "2": b"2"},
    "archive": {"readme.txt": b"old\n"},
    "results": {"f": b"1", "tas.nc": b"tas" * 1000, "raw/1": b"1"},
    "old": {"f": b"1"},
    "scratch": {},
    "records": {"run-7.nc": b"7", "final/a": b"a"},
    "climate": {"tas.nc": b"tas"},
    "inbox": {},
    "private": {},
}
LOCKED = {"records"}
"""Buckets with object lock."""
FILES = {
    "out/f": b"1",
    "file.txt": b"text\n",
    "file.nc": b"CDF",
    "folder/f": b"1",
    "more/f": b"1",
    "rules.json": b"{}",
    "cors/rules.json": json.dumps(
        {"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"]}]}
    ).encode(),
    "ilm/rules.json": b'{"Rules": [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": ""},'
    b' "Expiration": {"Days": 1}}]}',
    "home.json": b'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*",'
    b' "Resource": "*"}]}',
    "upload-only.json": b'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action":'
    b' "s3:PutObject", "Resource": "*"}]}',
    "policy.json": b'{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*",'
    b' "Action": "s3:GetObject", "Resource": "arn:aws:s3:::portail-ing/secret/*"}]}',
}
MADE_BY_EXAMPLES = {"neve mb": ["results", "scratch", "archive", "records"]}
"""Buckets that are not there before, since an example makes them."""
SERVERS = r"https://minio\.example\.org|http://127\.0\.0\.1:9000|https://s3\.amazonaws\.com"
ELSEWHERE = re.compile(r"\b(ssh|mc) ")
"""Programs that are not ours to run."""
_UPLOADS = "neve ilm rule add --id uploads --abort-upload-days 2 pavics/results"
_POLICY = "neve anonymous set download"
BEFORE = {
    "neve ilm rule edit": [_UPLOADS],
    "neve ilm rule rm": [_UPLOADS, "neve ilm rule add --id b --expire-days 1 pavics/results"],
    "neve ilm rule import": [
        "cp ilm/rules.json rules.json",
        "neve ilm rule add --expire-days 1 pavics/old",
    ],
    "neve cors set": ["cp cors/rules.json rules.json"],
    "neve anonymous get-json": [f"{_POLICY} pavics/portail-ing"],
    "neve anonymous set-json": ["neve anonymous set-json policy.json pavics/portail-ing"],
    "neve anonymous links": [f"{_POLICY} pavics/portail-ing"],
    "neve quota clear": ["neve quota set pavics --user alice --size 1TiB"],
    "neve quota info": ["neve quota set pavics --user alice --size 1TiB"],
}
"""What must have been done before the examples of a verb."""
_USERS = """
(neve admin user rm pavics alice bob1; neve admin group rm pavics lab
neve admin policy rm pavics home) > /dev/null 2>&1
neve admin user add pavics alice alices-secret
neve admin user add pavics bob1 b0bs-secret
"""
_GROUPS = "neve admin group add pavics lab alice bob1; neve admin group add pavics empty"
_MINE = "neve admin policy create pavics home home.json"
_KEY = """
neve admin accesskey rm pavics NIGHTLY > /dev/null 2>&1
neve admin accesskey create pavics --access-key NIGHTLY --secret-key nightly-secret
"""
BEFORE |= {
    "neve admin user rm": [_USERS],
    "neve admin user enable": [_USERS],
    "neve admin user disable": [_USERS],
    "neve admin user info": [_USERS],
    "neve admin group add": [_USERS],
    "neve admin group rm": [_USERS, _GROUPS, "neve admin group rm pavics lab alice"],
    **{f"neve admin group {verb}": [_USERS, _GROUPS] for verb in ("info", "enable", "disable")},
    "neve admin policy rm": [_MINE],
    "neve admin policy attach": [_USERS, _GROUPS],
    "neve admin policy detach": [
        _USERS,
        _GROUPS,
        "neve admin policy attach pavics readwrite --user alice",
        "neve admin policy attach pavics reader:climate contributor:home/lab/ --group lab",
    ],
    "neve admin policy entities": [
        _USERS, "neve admin policy attach pavics readwrite --user alice",
    ],
    "neve admin explain": [_USERS],
    "neve admin accesskey create": [_USERS],
    "neve admin accesskey ls": [_USERS],
    **{
        f"neve admin accesskey {verb}": [_KEY]
        for verb in ("info", "edit", "rm", "enable", "disable")
    },
    "neve admin config import": ["neve admin config export pavics > settings.txt"],
    "neve admin service unfreeze": ["neve admin service freeze pavics"],
}  # fmt: skip
ENDLESS = {"neve admin trace", "neve admin logs"}
"""Verbs that go on until they are interrupted: it is enough that they begin."""
ONE_SERVER = {"neve admin service stop", "neve admin service restart", "neve admin service freeze"}
"""Verbs whose examples need a server of their own."""
LACKING = re.compile(
    r"neve: (this server has no (event|encryption)|\S+ sends no such notifications"
    r"|SOURCE and TARGET are one server)"
)
"""What a verb says when Neve cannot do it, or when it needs two servers."""
MAY_FAIL = {"neve diff"}
"""Verbs whose answer may be no."""


def client_verbs(words: list[str], verbs: dict[str, str]) -> Iterator[tuple[str, Any]]:
    for verb in verbs:
        name, module, _ = find_verb([*words, verb])
        if hasattr(module, "RESULTS"):
            yield name, module
        if getattr(module, "VERBS", None):
            yield from client_verbs([*words, verb], module.VERBS)


ALL = dict(client_verbs([], VERBS))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with LiveServer(tmp_path_factory.mktemp("examples") / "data") as server:
        yield server


def examples(text: str) -> list[str]:
    """The commands of the help, without comments that stand behind them."""
    block = text.partition("examples:\n")[2].partition("\n\n")[0].replace("\\\n", " ")
    lines = [re.sub(r" {2,}# .*", "", line.strip()) for line in block.splitlines()]
    return [line for line in lines if line and not ELSEWHERE.search(line)]


def empty(client: Any) -> None:
    for bucket in client.list_buckets()["Buckets"]:
        name = bucket["Name"]
        if name in LOCKED:
            free(client, name)
        listed = client.list_object_versions(Bucket=name)
        for row in listed.get("Versions", []) + listed.get("DeleteMarkers", []):
            client.delete_object(Bucket=name, Key=row["Key"], VersionId=row["VersionId"])
        client.delete_bucket(Bucket=name)


def free(client: Any, bucket: str) -> None:
    """End every lock in a bucket."""
    for row in client.list_object_versions(Bucket=bucket).get("Versions", []):
        named = {"Bucket": bucket, "Key": row["Key"], "VersionId": row["VersionId"]}
        client.put_object_legal_hold(**named, LegalHold={"Status": "OFF"})
        client.put_object_retention(**named, Retention={}, BypassGovernanceRetention=True)


def prepare(client: Any, absent: list[str]) -> str:
    """Make the buckets; return the id of a version of the archive's readme."""
    empty(client)
    version = ""
    for bucket, objects in BUCKETS.items():
        if bucket in absent:
            continue
        client.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=bucket in LOCKED)
        if bucket == "archive":
            client.put_bucket_versioning(
                Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
            )
        for key, body in objects.items():
            written = client.put_object(Bucket=bucket, Key=key, Body=body)
            version = written["VersionId"] if bucket == "archive" else version
    return version


def settings(folder: Path, server: LiveServer) -> None:
    """Aliases in our file, one in mc's, and one to be imported."""
    entry = {"url": server.endpoint, "accessKey": server.access_key,
             "secretKey": server.secret_key, "api": "s3v4", "path": "auto"}  # fmt: skip
    ours = dict.fromkeys(("pavics", "new", "local"), entry)
    for path, document in {
        "home/.config/neve/aliases.json": {"version": "1", "aliases": ours},
        "home/.mc/config.json": {"version": "10", "aliases": {"mcs": entry}},
        "credentials.json": entry,
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(json.dumps(document))
    for path, body in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(body)
    unpack_drive(folder)
    program = folder / "bin" / "neve"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m neve "$@"\n')
    program.chmod(0o755)


@pytest.mark.parametrize("name", ALL)
def test_examples(
    name: str, server: LiveServer, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bash = shutil.which("bash")
    assert bash
    lines = examples(ALL[name].EXAMPLES)
    assert lines, f"{name} has no examples"
    assert all(name in line or "--version" in line for line in lines), f"examples of {name}"
    if name in ONE_SERVER:
        server = request.getfixturevalue("fresh_server")
    version = prepare(server.client(), MADE_BY_EXAMPLES.get(name, []))
    line = CommandLine(tmp_path)
    settings(tmp_path, server)
    environment = line.environment | {
        "PATH": f"{tmp_path / 'bin'}:{line.environment['PATH']}",
        "KEY": server.access_key,
        "SECRET": server.secret_key,
    }
    for text in BEFORE.get(name, []) + lines:
        text = re.sub(SERVERS, server.endpoint, text).replace("7f3c", version)
        text = f"timeout -s INT 2 {text}" if name in ENDLESS else text
        text = text.replace("--rewind 2026-11-01T12:30", "--rewind now")
        text = text.replace("ACCESS_KEY SECRET_KEY", '"$KEY" "$SECRET"')
        done = subprocess.run(
            [bash, "-o", "pipefail", "-c", text], cwd=tmp_path, env=environment, timeout=60,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if LACKING.match(done.stderr):
            continue
        expected = (0, 1) if name in MAY_FAIL else (124,) if name in ENDLESS else (0,)
        assert done.returncode in expected, f"{text}\n{done.stderr}"
        assert done.stderr == "", text

"""The admin verbs as processes against a live Neve; effects checked with `minio.MinioAdmin`, boto3.

Names of users, groups and policies begin with the name of their test: the server is shared.
"""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from tests.admin.client import Client
from tests.cli.terminal import on_a_terminal

from neve.testing.cli import CommandLine
from neve.testing.server import ACCESS_KEY, LiveServer, wait_until


@pytest.fixture
def admin(live_server: LiveServer) -> Any:
    return Client(live_server).minio()


@pytest.fixture
def alice(neve: CommandLine, live_server: LiveServer, request: pytest.FixtureRequest) -> str:
    """A user without rights, whose alias is `own`."""
    name = f"alice-{abs(hash(request.node.name)):x}"[:20]
    Client(live_server).minio().user_add(name, "alices-secret")
    neve.alias("own", live_server.endpoint, name, "alices-secret")
    return name


def knows(server: LiveServer, key: str, secret: str) -> bool:
    """Whether the server takes the keys: a user without a policy may do nothing with them."""
    client = server.client(aws_access_key_id=key, aws_secret_access_key=secret)
    try:
        client.list_buckets()
    except client.exceptions.ClientError as error:
        code = error.response["Error"]["Code"]
        assert code in ("AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch")
        return bool(code == "AccessDenied")
    return True


def document(**statement: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **statement}]}


# Users and groups.


def test_users(neve: CommandLine, admin: Any, live_server: LiveServer) -> None:
    done = neve.run("admin", "user", "add", "live", "users-amy", "amys-secret")
    assert done.stdout == "The user users-amy was added.\n"
    neve.run("admin", "user", "add", "live", "users-bob", stdin=b"bobs-secret\n")
    assert knows(live_server, "users-bob", "bobs-secret")
    assert json.loads(admin.user_info("users-amy"))["status"] == "enabled"
    rows = {row["user"]: row for row in neve.json("admin", "user", "ls", "live")}
    assert rows["users-amy"]["policies"] == []
    done = neve.run("admin", "user", "disable", "live", "users-amy", "users-nobody", status=1)
    assert done.stdout == "The user users-amy was disabled.\n"
    assert done.stderr == "neve: there is no user users-nobody at live.\n"
    assert json.loads(admin.user_info("users-amy"))["status"] == "disabled"
    assert neve.run("admin", "user", "info", "live", "users-amy").stdout == (
        "disabled  users-amy             no policy\n"
    )
    neve.run("admin", "user", "enable", "live", "users-amy")
    assert neve.json("admin", "user", "info", "live", "users-amy")[0]["enabled"] is True
    neve.run("admin", "user", "rm", "live", "users-amy", "users-bob")
    assert "users-amy" not in json.loads(admin.user_list())


def test_a_secret_is_asked_for_twice_and_not_shown(
    neve: CommandLine, live_server: LiveServer
) -> None:
    words = ["admin", "user", "add", "live", "asked-amy"]
    status, screen = on_a_terminal(neve, ["amys-secret", "other"], *words)
    assert status == 2
    assert "the two secrets differ" in screen
    status, screen = on_a_terminal(neve, ["", ""], *words)
    assert status == 2
    assert "no secret was given" in screen
    status, screen = on_a_terminal(neve, ["amys-secret", "amys-secret"], *words)
    assert status == 0, screen
    assert "Secret key of asked-amy: " in screen
    assert "amys-secret" not in screen
    assert knows(live_server, "asked-amy", "amys-secret")


def test_groups(neve: CommandLine, admin: Any, alice: str) -> None:
    assert neve.run("admin", "group", "add", "live", "groups-lab", alice).stdout == (
        f"The group groups-lab was added with {alice}.\n"
    )
    assert json.loads(admin.group_info("groups-lab"))["members"] == [alice]
    assert neve.run("admin", "group", "info", "live", "groups-lab").stdout == (
        f"enabled   groups-lab            no policy  (members: {alice})\n"
    )
    neve.run("admin", "group", "disable", "live", "groups-lab")
    (row,) = [row for row in neve.json("admin", "group", "ls", "live")
              if row["group"] == "groups-lab"]  # fmt: skip
    assert row["enabled"] is False
    neve.run("admin", "group", "enable", "live", "groups-lab")
    assert json.loads(admin.group_info("groups-lab"))["status"] == "enabled"
    done = neve.run("admin", "group", "rm", "live", "groups-lab", status=1)
    assert done.stderr == "neve: the group groups-lab has members: take them out first.\n"
    neve.run("admin", "group", "rm", "live", "groups-lab", alice)
    assert neve.run("admin", "group", "rm", "live", "groups-lab").stdout == (
        "The group groups-lab was removed.\n"
    )
    assert "groups-lab" not in json.loads(admin.group_list())


# Policies.


def test_policies(neve: CommandLine, admin: Any, alice: str, live_server: LiveServer) -> None:
    policy = document(Action=["s3:ListAllMyBuckets"], Resource=["arn:aws:s3:::*"])
    (neve.folder / "p.json").write_text(json.dumps(policy))
    assert neve.run("admin", "policy", "create", "live", "policies-see", "p.json").stdout == (
        "The policy policies-see was created.\n"
    )
    assert json.loads(neve.run("admin", "policy", "info", "live", "policies-see").stdout) == policy
    rows = {row["name"]: row for row in neve.json("admin", "policy", "ls", "live")}
    assert rows["policies-see"]["actions"] == ["s3:ListAllMyBuckets"]
    assert "readwrite" in rows
    words = ["policies-see", "reader:some-bucket", "--user", alice]
    assert neve.run("admin", "policy", "attach", "live", *words).stdout == (
        f"The policy policies-see was attached to user {alice}.\n"
        f"The policy reader:some-bucket was attached to user {alice}.\n"
    )
    assert json.loads(admin.user_info(alice))["policyName"] == "policies-see,reader:some-bucket"
    done = neve.run("admin", "policy", "attach", "live", "policies-see", "-u", alice, status=1)
    assert done.stderr == "neve: that is so already: policies-see.\n"
    done = neve.run("admin", "policy", "rm", "live", "policies-see", status=1)
    assert "somebody has the policy policies-see" in done.stderr
    assert neve.run("admin", "policy", "entities", "live", "--user", alice).stdout == (
        f"user {alice}: policies-see, reader:some-bucket\n"
    )
    (row,) = neve.json("admin", "policy", "entities", "live", "--policy", "policies-see")
    assert row["users"] == [alice]
    neve.run("admin", "policy", "detach", "live", *words)
    neve.run("admin", "policy", "rm", "live", "policies-see")
    done = neve.run("admin", "policy", "info", "live", "policies-see", status=1)
    assert done.stderr == "neve: there is no policy policies-see at live.\n"


# Access keys.


def test_access_keys(neve: CommandLine, alice: str, live_server: LiveServer) -> None:
    done = neve.run("admin", "accesskey", "create", "live", alice, "--name", "nightly",
                    "--access-key", "NIGHTLYKEY", "--secret-key", "nightly-secret")  # fmt: skip
    assert done.stdout == (
        "Access key  NIGHTLYKEY\nSecret key  nightly-secret\nEnds        never\n"
        "The secret is not shown again.\n"
    )
    assert knows(live_server, "NIGHTLYKEY", "nightly-secret")
    assert neve.run("admin", "accesskey", "ls", "own").stdout == (
        f"enabled   NIGHTLYKEY            of {alice}  nightly  no end\n"
    )
    (neve.folder / "p.json").write_text(json.dumps(document(Action="s3:Get*", Resource="*")))
    neve.run("admin", "accesskey", "edit", "own", "NIGHTLYKEY", "--description", "each night",
             "--expiry", "2090-01-01T00:00Z", "--policy", "p.json")  # fmt: skip
    (row,) = neve.json("admin", "accesskey", "info", "live", "NIGHTLYKEY")
    assert (row["user"], row["description"]) == (alice, "each night")
    assert row["expires"] == "2090-01-01T00:00:00Z"
    assert row["policy"]["Statement"][0]["Action"] == "s3:Get*"
    neve.run("admin", "accesskey", "disable", "own", "NIGHTLYKEY")
    assert not knows(live_server, "NIGHTLYKEY", "nightly-secret")
    neve.run("admin", "accesskey", "enable", "own", "NIGHTLYKEY")
    done = neve.run("admin", "accesskey", "rm", "live", "NIGHTLYKEY", "NOSUCHKEY", status=1)
    assert done.stdout == "The access key NIGHTLYKEY was removed.\n"
    assert done.stderr == "neve: there is no access key NOSUCHKEY at live.\n"


def test_a_key_of_ones_own_is_made_with_its_secret(
    neve: CommandLine, alice: str, live_server: LiveServer
) -> None:
    (row,) = neve.json("admin", "accesskey", "create", "own", "--expiry-duration", "1h")
    assert knows(live_server, row["accessKey"], row["secretKey"])
    assert row["expires"] is not None
    (listed,) = neve.json("admin", "accesskey", "ls", "live", alice)
    assert listed["accessKey"] == row["accessKey"]
    assert row["secretKey"] not in neve.run("admin", "accesskey", "ls", "live", alice).stdout


# Why?


def test_explain(neve: CommandLine, alice: str, admin: Any, bucket: str, client: Any) -> None:
    client.put_object(Bucket=bucket, Key="a", Body=b"1")
    admin.attach_policy([f"reader:{bucket}"], user=alice)
    asked = ["--action", "s3:GetObject", "--resource", f"{bucket}/a"]
    lines = neve.run("admin", "explain", "live", "--user", alice, *asked).stdout.splitlines()
    assert lines[0] == (
        f"arn:aws:iam::000000000000:user/{alice} may do s3:GetObject on arn:aws:s3:::{bucket}/a:"
        f" policy reader:{bucket} allows."
    )
    assert lines[1].startswith(f"  allows: policy reader:{bucket}, statement ")
    deny = document(Action="s3:*", Resource=f"arn:aws:s3:::{bucket}/*", Principal="*", Sid="No")
    deny["Statement"][0]["Effect"] = "Deny"
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(deny))
    (row,) = neve.json("admin", "explain", "own", *asked)
    assert (row["allowed"], row["policy"], row["statement"]) == (False, "bucket policy", "No")
    assert [each["effect"] for each in row["considered"] if each["applies"]] == ["Allow", "Deny"]
    (row,) = neve.json("admin", "explain", "live", "--anonymous", *asked)
    assert row["allowed"] is False


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("live --user no-such-user --action s3:GetObject --resource b/k", "there is no user"),
        ("live --action s3:Fly --resource b/k", "there is no such action"),
        ("live --action s3:GetObject --resource b", "the action is on objects: name one"),
        ("live --action s3:GetObject --resource no-such-bucket/k", "there is no bucket"),
        ("own --user somebody --action s3:GetObject --resource b/k", "may not explain what"),
        ("own --anonymous --action s3:GetObject --resource b/k", "may not explain what"),
    ],
)
def test_refusals_to_explain(neve: CommandLine, alice: str, words: str, sentence: str) -> None:
    done = neve.run("admin", "explain", *words.split(), status=1)
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1


# Who did what?


def test_audit(neve: CommandLine, alice: str, bucket: str) -> None:
    (row,) = neve.json("admin", "audit", "live", "--event", "AdminAddUser", "--text", alice)
    assert (row["allowed"], row["statusCode"]) == (True, 200)
    assert row["arguments"]["accessKey"] == alice
    line = neve.run("admin", "audit", "live", "--bucket", bucket, "--event", "write").stdout
    assert line.count("\n") == 1
    assert f" {ACCESS_KEY} CreateBucket {bucket}" in line
    neve.run("ls", f"own/{bucket}", status=1)
    (row,) = neve.json("admin", "audit", "live", "--user", alice, "--refused", "--since", "1h")
    assert (row["operation"], row["bucket"]) == ("ListObjectsV2", bucket)
    assert neve.json("admin", "audit", "live", "--user", alice, "--until", "1d ago") == []
    assert len(neve.json("admin", "audit", "live", "--last", "2")) == 2


def test_history(neve: CommandLine, alice: str, bucket: str) -> None:
    def points() -> list[dict[str, Any]]:
        return neve.json("admin", "history", "live", "24h", "--points", "1")

    wait_until(lambda: sum(row["requests"] for row in points()) > 0, 60)
    (row,) = points()
    assert row["serverErrors"] == 0
    assert 0 < row["latencyP50"] <= row["latencyP99"]
    assert " requests, " in neve.run("admin", "history", "live").stdout
    refused = neve.run("admin", "history", "own", status=1).stderr
    assert "may not see what the server did" in refused
    assert (
        "--points must be" in neve.run("admin", "history", "live", "--points", "0", status=2).stderr
    )


def test_refusals_of_audit(neve: CommandLine, alice: str) -> None:
    assert "may not read the audit trail" in neve.run("admin", "audit", "own", status=1).stderr
    done = neve.run("admin", "audit", "live", "--refused", "--allowed", status=2)
    assert "--refused and --allowed" in done.stderr


# The server.


def test_info(neve: CommandLine, bucket: str) -> None:
    text = neve.run("admin", "info", "live").stdout
    assert "  server     127.0.0.1:" in text
    assert "online for " in text
    assert "ok, " in text
    (row,) = neve.json("admin", "info", "live")
    assert row["buckets"] >= 1
    assert row["nodes"][0]["drives"][0]["state"] == "ok"


def test_settings_and_quotas_of_the_server(neve: CommandLine, fresh_server: LiveServer) -> None:
    neve.alias("new", fresh_server.endpoint, fresh_server.access_key, fresh_server.secret_key)
    assert neve.run("admin", "config", "get", "new", "quota").stdout == (
        "quota\n  bytes\n  objects\n  soft\n"
    )
    neve.run("admin", "config", "set", "new", "quota", "bytes=1MiB", "soft=90")
    (row,) = neve.json("admin", "config", "get", "new", "quota")
    assert row["values"] == {"bytes": "1048576", "objects": "", "soft": "90"}
    fresh_server.client().create_bucket(Bucket="limited")
    (limited, default) = neve.json("admin", "quota", "new")
    assert (limited["target"], limited["size"], default["of"]) == (
        "new/limited",
        1 << 20,
        "default",
    )
    exported = neve.run("admin", "config", "export", "new").stdout
    neve.run("admin", "config", "reset", "new", "quota")
    assert neve.json("admin", "config", "get", "new", "quota")[0]["values"]["bytes"] == ""
    neve.run("admin", "config", "import", "new", "-", stdin=exported.encode())
    assert neve.json("admin", "config", "get", "new", "quota")[0]["values"]["bytes"] == "1048576"
    assert {row["group"] for row in neve.json("admin", "config", "get", "new")} >= {
        "site",
        "limits",
    }
    done = neve.run("admin", "config", "set", "new", "site", "region=mars", status=1)
    assert done.stderr.count("\n") == 1


def test_prometheus(neve: CommandLine, alice: str, live_server: LiveServer) -> None:
    lines = neve.run("admin", "prometheus", "generate", "live").stdout.splitlines()
    token = lines[2].removeprefix("    bearer_token: ")
    url = f"{live_server.endpoint}/minio/v2/metrics/cluster"
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    assert b"neve_requests_total" in urllib.request.urlopen(asked).read()
    assert live_server.secret_key not in "".join(lines)
    assert (
        "bearer_token" not in neve.run("admin", "prometheus", "generate", "live", "--public").stdout
    )
    assert "neve_requests_total" in neve.run("admin", "prometheus", "metrics", "live").stdout
    done = neve.run("admin", "prometheus", "metrics", "own", status=1)
    assert "admin:Prometheus" in done.stderr


def test_backup_tells_the_command_and_the_folder(
    neve: CommandLine, live_server: LiveServer
) -> None:
    (row,) = neve.json("admin", "backup", "live", "--to", "/elsewhere")
    assert row["backup"] == f"neve backup {live_server.folder} /elsewhere"


class Following:
    """A verb that goes on until it is interrupted, its output in a file."""

    def __init__(self, neve: CommandLine, path: Path, *words: str) -> None:
        self.path = path
        with path.open("wb") as stream:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "neve", *words],
                stdout=stream, stderr=subprocess.STDOUT, env=neve.environment,
            )  # fmt: skip

    def lines(self) -> list[str]:
        return self.path.read_text().splitlines()

    def end(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


def test_trace_follows_and_filters(neve: CommandLine, bucket: str, client: Any) -> None:
    words = ["admin", "trace", "live", "--path", f"{bucket}/**", "--json"]
    every = Following(neve, neve.folder / "every", *words)
    failed = Following(neve, neve.folder / "failed", *words[:-1], "--errors")

    def seen() -> bool:
        client.put_object(Bucket=bucket, Key="traced", Body=b"12345")
        with pytest.raises(client.exceptions.ClientError):
            client.get_object(Bucket=bucket, Key="absent")
        return len(every.lines()) >= 2 and len(failed.lines()) >= 1

    wait_until(seen, within_s=30)
    assert (every.end(), failed.end()) == (130, 130)
    rows = [json.loads(line) for line in every.lines()]
    (put, *_) = [row for row in rows if row["api"] == "s3.PutObject"]
    assert (put["path"], put["statusCode"], put["method"]) == (f"/{bucket}/traced", 200, "PUT")
    assert put["durationMs"] > 0
    assert all(" 404 s3.GetObject " in line for line in failed.lines())


def test_logs_follow(neve: CommandLine, fresh_server: LiveServer) -> None:
    neve.alias("new", fresh_server.endpoint, fresh_server.access_key, fresh_server.secret_key)
    fresh_server.signal(signal.SIGHUP)
    following = Following(
        neve, neve.folder / "log", "admin", "logs", "new", "--last", "5", "--json"
    )
    try:
        wait_until(lambda: bool(following.lines()), within_s=30)
    finally:
        status = following.end()
    assert status == 130
    row = json.loads(following.lines()[0])
    assert (row["type"], row["status"], row["level"]) == ("log", "success", "INFO")
    assert "reopening logs" in row["message"]


def test_service(neve: CommandLine, tmp_path: Path) -> None:
    server = LiveServer(tmp_path / "data")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.address = f"127.0.0.1:{listener.getsockname()[1]}"
    with server:
        neve.alias("new", server.endpoint, server.access_key, server.secret_key)
        done = neve.run("admin", "service", "restart", "new", status=2)
        assert "Say so with --yes" in done.stderr
        status, screen = on_a_terminal(neve, ["n"], "admin", "service", "restart", "new")
        assert (status, "nothing was done" in screen) == (2, True)
        done = neve.run("admin", "service", "freeze", "new")
        assert done.stdout == "The server new was frozen.\n"
        neve.run("admin", "service", "unfreeze", "new")
        before = set(server.children())
        status, screen = on_a_terminal(neve, ["y"], "admin", "service", "restart", "new")
        assert status == 0, screen
        assert "The server new was told to restart." in screen
        wait_until(lambda: server.is_ready() and not before & set(server.children()))
        neve.run("admin", "service", "stop", "new", "--yes")
        assert server.wait() == 0


# Refusals.


@pytest.mark.parametrize(
    "words",
    [
        "user ls", "user info {} somebody", "user add {} somebody secret-123", "user rm {} x",
        "group ls", "group add {} g x", "policy ls", "policy info {} readwrite",
        "policy attach {} readwrite --user x", "policy entities", "accesskey ls {} --all",
        "accesskey create {} root", "info", "quota", "config get", "config set {} quota bytes=1",
        "trace", "logs", "backup", "service stop {} --yes", "service freeze",
    ],
)  # fmt: skip
def test_an_ordinary_user_is_told_what_it_may_not(
    neve: CommandLine, alice: str, words: str
) -> None:
    text = words.format("own") if "{}" in words else f"{words} own"
    done = neve.run("admin", *text.split(), status=1)
    assert done.stderr.startswith(f"neve: the key '{alice}' is right but may not "), done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


def test_wrong_names_and_servers(neve: CommandLine, live_server: LiveServer) -> None:
    assert "name the server alone" in neve.run("admin", "info", "live/b", status=2).stderr
    assert "there is no alias" in neve.run("admin", "info", "nope", status=1).stderr
    neve.alias("pub", live_server.endpoint)
    assert "has no keys" in neve.run("admin", "info", "pub", status=1).stderr
    neve.alias("wrong", live_server.endpoint, live_server.access_key, "not-the-secret")
    assert "secret key" in neve.run("admin", "info", "wrong", status=1).stderr
    done = neve.run("admin", "policy", "attach", "live", "readwrite", status=2)
    assert "give one of --user and --group" in done.stderr

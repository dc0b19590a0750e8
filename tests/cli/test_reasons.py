"""Refusals that name their cause: a Neve server is asked why, once, and others are not."""

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.admin.client import Client
from tests.client.scripted_server import Scripted, ScriptedServer, error

from neve.client.reasons import _OF_BUCKETS, _OF_OBJECTS, ASKED_MAX, action_of
from neve.iam.actions import OPERATIONS
from neve.s3.routes import BUCKET, OBJECT, ROUTES
from neve.testing.cli import CommandLine
from neve.testing.server import LiveServer


@pytest.fixture
def admin(live_server: LiveServer) -> Any:
    return Client(live_server).minio()


@pytest.fixture
def alice(neve: CommandLine, live_server: LiveServer, admin: Any) -> Iterator[str]:
    """A user without policies, whose alias is `own`."""
    name = f"alice-{secrets.token_hex(4)}"
    admin.user_add(name, "alice-secret")
    neve.alias("own", live_server.endpoint, name, "alice-secret")
    yield name
    admin.user_remove(name)


def explained(stderr: str) -> int:
    return stderr.count("neve/explain")


def allow_delete(resource: str) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:DeleteObject",
             "Resource": f"arn:aws:s3:::{resource}"},
            {"Effect": "Allow", "Principal": "*", "Action": "s3:ListBucket",
             "Resource": f"arn:aws:s3:::{resource.partition('/')[0]}"},
        ],
    }  # fmt: skip


def test_the_policies_that_do_not_allow_it_are_named(
    neve: CommandLine, alice: str, admin: Any, bucket: str, client: Any
) -> None:
    client.put_object(Bucket=bucket, Key="k", Body=b"1")
    (neve.folder / "f").write_bytes(b"1")
    wanted = f"neve: the key '{alice}' is right but may not write this object at own/{bucket}/f: "
    said = neve.run("cp", "f", f"own/{bucket}/f", status=1).stderr
    assert said == f"{wanted}no policy is attached to it that could allow s3:PutObject.\n"
    admin.attach_policy(["readonly"], user=alice)
    neve.run("cat", f"own/{bucket}/k")
    said = neve.run("cp", "f", f"own/{bucket}/f", status=1).stderr
    assert said == f"{wanted}policy readonly does not allow s3:PutObject.\n"
    (line,) = neve.json("cp", "f", f"own/{bucket}/f", status=1)
    assert line["message"].endswith(": policy readonly does not allow s3:PutObject.")
    admin.attach_policy(["diagnostics"], user=alice)
    said = neve.run("mb", f"own/{bucket}-new", status=1).stderr
    assert said.endswith(
        "make a bucket at own/"
        f"{bucket}-new: policy readonly and policy diagnostics do not allow s3:CreateBucket.\n"
    )
    client.put_object(Bucket=bucket, Key="l", Body=b"1")
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(allow_delete(f"{bucket}/l")))
    for words in (["rm", f"own/{bucket}/k"], ["rm", "-r", "--force", f"own/{bucket}/"]):
        said = neve.run(*words, status=1).stderr
        assert "policy readonly and policy diagnostics do not allow s3:DeleteObject" in said
        assert said.count("\n") == 1


def test_a_statement_that_denies_is_named(
    neve: CommandLine, alice: str, admin: Any, bucket: str, client: Any
) -> None:
    admin.attach_policy(["readwrite"], user=alice)
    deny = {
        "Version": "2012-10-17",
        "Statement": [
            {"Sid": "Frozen", "Effect": "Deny", "Principal": "*", "Action": "s3:PutObject",
             "Resource": f"arn:aws:s3:::{bucket}/final/*"},
        ],
    }  # fmt: skip
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(deny))
    (neve.folder / "f").write_bytes(b"1")
    neve.run("cp", "f", f"own/{bucket}/draft")
    done = neve.run("cp", "--debug", "f", f"own/{bucket}/final/f", status=1)
    assert done.stderr.endswith(": bucket policy denies s3:PutObject (statement Frozen).\n")
    assert explained(done.stderr) == 1


def test_who_may_write_need_not_list(neve: CommandLine, bucket: str, client: Any) -> None:
    allow = {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": "*", "Action": "s3:PutObject",
             "Resource": f"arn:aws:s3:::{bucket}/*"},
        ],
    }  # fmt: skip
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(allow))
    assert neve.server
    neve.alias("anyone", neve.server.endpoint)
    (neve.folder / "f").write_bytes(b"1")
    neve.run("cp", "f", f"anyone/{bucket}/g")
    assert client.get_object(Bucket=bucket, Key="g")["Body"].read() == b"1"
    done = neve.run("cat", "--debug", f"anyone/{bucket}/g", status=1)
    assert "anonymous requests may not" in done.stderr
    assert explained(done.stderr) == 0


def test_a_run_that_is_refused_everywhere_asks_a_few_times(
    neve: CommandLine, alice: str, admin: Any, bucket: str
) -> None:
    for number in range(2 * ASKED_MAX):
        path = neve.folder / "d" / str(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"1")
    done = neve.run("cp", "-r", "--debug", "d", f"own/{bucket}/d", status=1)
    assert explained(done.stderr) == ASKED_MAX
    assert done.stderr.count("\nneve: ") == 2 * ASKED_MAX


DENIED = Scripted(403, error("AccessDenied", "Access Denied"), {"Server": "Neve"})


@pytest.mark.parametrize(
    ("answers", "asks"),
    [
        ([DENIED._replace(headers={"Server": "MinIO"})], 0),
        ([DENIED, Scripted(404, error("NoSuchBucket"))], 1),
        ([DENIED, Scripted(503, error("SlowDown"))], 1),
        ([DENIED, Scripted(cut=-1)], 1),
        ([DENIED, Scripted(body=b"[1, 2]")], 1),
        ([DENIED, Scripted(body=b'{"allowed": false}')], 1),
        ([DENIED, Scripted(body=b'{"allowed": true, "reason": "x"}')], 1),
        ([Scripted(403, error("InvalidAccessKeyId"), {"Server": "Neve"})], 0),
    ],
)
def test_who_does_not_know_changes_nothing(
    tmp_path: Path, answers: list[Scripted], asks: int
) -> None:
    with ScriptedServer(*answers) as server:
        neve = CommandLine(tmp_path)
        neve.alias("s", server.url, "key", "secret")
        done = neve.run("mb", "s/b-one", status=1)
        assert len(server.asked) == 1 + asks
    if asks:
        assert done.stderr == "neve: the key 'key' is right but may not make a bucket at s/b-one.\n"


def test_actions_are_those_that_the_server_asks_for() -> None:
    found: dict[tuple[str, str, str], str] = {}
    for route in ROUTES:
        found.setdefault((route.target, route.method, route.resource), route.operation)
    for target, table in ((BUCKET, _OF_BUCKETS), (OBJECT, _OF_OBJECTS)):
        for resource, methods in table.items():
            for method, action in methods.items():
                operation = found.get((target, method, resource))
                if operation is None:
                    continue
                needs = OPERATIONS[operation]
                assert f"s3:{action}" == needs.action, operation
                key = "k" if target == OBJECT else ""
                query = {resource: "", "versionId": "1"}
                assert action_of(method, "b", key, query) == (needs.versioned or needs.action)
    assert action_of("GET", "", "", {}) == OPERATIONS["ListBuckets"].action
    assert action_of("GET", "", "minio/admin/v3/info", {}) == ""

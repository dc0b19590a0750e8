"""Identities over a live server with two workers: a change holds on the next request of each."""

import http.client
import json
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
from botocore.exceptions import ClientError
from minio import MinioAdmin
from minio.credentials import StaticProvider
from tests.iam.matrix import (
    BUCKET,
    OPEN,
    OWNER,
    SCENES,
    SECRET,
    TAGS,
    THEIRS,
    Operation,
    Person,
    ask,
    expected,
    in_bucket,
    operations_on,
    people_in,
)

from neve.testing.identities import edit_directory
from neve.testing.live import LiveServer

USER = ("alice", "secret-of-alice")
GET = Operation("GET", "/data/k", ())


class Connection:
    """One keep-alive connection, which one worker serves."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.http = http.client.HTTPConnection(server.endpoint.removeprefix("http://"), timeout=30)
        self.http.connect()
        self.port = self.http.sock.getsockname()[1]

    def send(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> Any:
        port = self.http.sock and self.http.sock.getsockname()[1]
        self.http.request(method, target, body, headers)
        answer = self.http.getresponse()
        data = answer.read()
        # Another connection could be another worker's.
        assert port == self.port
        return answer.status, data

    def ask(self, keys: tuple[str, str] | None, operation: Operation = GET) -> str:
        return ask(self.send, self.server.endpoint, keys, operation)

    def worker(self) -> int | None:
        """Pid of the process at the other end."""
        for pid in self.server.children():
            for end in psutil.Process(pid).net_connections("tcp"):
                if end.raddr and end.raddr.port == self.port:
                    return pid
        return None


@pytest.fixture
def connections(fresh_server: LiveServer) -> Iterator[list[Connection]]:
    """A connection to each of the two workers."""
    by_worker: dict[int, Connection] = {}
    for _ in range(200):
        connection = Connection(fresh_server)
        connection.ask(None)  # it is accepted once it is answered
        pid = connection.worker()
        assert pid is not None
        if by_worker.setdefault(pid, connection) is not connection:
            connection.http.close()
        if len(by_worker) == 2:
            break
    assert len(by_worker) == 2
    yield list(by_worker.values())
    for connection in by_worker.values():
        connection.http.close()


@pytest.fixture
def admin(fresh_server: LiveServer) -> MinioAdmin:
    keys = StaticProvider(fresh_server.access_key, fresh_server.secret_key)
    host = fresh_server.endpoint.removeprefix("http://")
    return MinioAdmin(endpoint=host, credentials=keys, secure=False)


@pytest.fixture
def data(fresh_server: LiveServer) -> Any:
    client = fresh_server.client()
    client.create_bucket(Bucket="data")
    client.put_object(Bucket="data", Key="k", Body=b"x")
    return client


Toggle = tuple[Callable[[MinioAdmin], Any], Callable[[MinioAdmin], Any], str]

TOGGLES: dict[str, Toggle] = {
    "user disabled": (
        lambda admin: admin.user_disable("alice"),
        lambda admin: admin.user_enable("alice"),
        "InvalidAccessKeyId",
    ),
    "user removed": (
        lambda admin: admin.user_remove("alice"),
        lambda admin: (
            admin.user_add(*USER),
            admin.attach_policy(["readonly"], user="alice"),
        ),
        "InvalidAccessKeyId",
    ),
    "secret changed": (
        lambda admin: admin.user_add("alice", "another-secret"),
        lambda admin: admin.user_add(*USER),
        "SignatureDoesNotMatch",
    ),
    "policy detached": (
        lambda admin: admin.detach_policy(["readonly"], user="alice"),
        lambda admin: admin.attach_policy(["readonly"], user="alice"),
        "AccessDenied",
    ),
}


@pytest.mark.parametrize("toggle", TOGGLES)
def test_what_is_taken_away_is_gone_with_the_next_request_of_every_worker(
    toggle: str, admin: MinioAdmin, data: Any, connections: list[Connection]
) -> None:
    take, give, refusal = TOGGLES[toggle]
    admin.user_add(*USER)
    assert [each.ask(USER) for each in connections] == ["AccessDenied"] * 2
    admin.attach_policy(["readonly"], user="alice")
    for _ in range(5):
        assert [each.ask(USER) for each in connections] == ["allowed"] * 2
        take(admin)
        assert [each.ask(USER) for each in connections] == [refusal] * 2
        give(admin)


def test_a_revoked_key_is_gone_with_the_next_request_of_every_worker(
    admin: MinioAdmin, data: Any, connections: list[Connection]
) -> None:
    admin.user_add(*USER)
    admin.attach_policy(["readwrite"], user="alice")
    keys = StaticProvider(*USER)
    host = connections[0].server.endpoint.removeprefix("http://")
    own = MinioAdmin(endpoint=host, credentials=keys, secure=False)
    for number in range(5):
        key = (f"key-number-{number}", f"secret-of-key-{number}")
        own.add_service_account(access_key=key[0], secret_key=key[1], name="laptop")
        assert [each.ask(key) for each in connections] == ["allowed"] * 2
        own.delete_service_account(key[0])
        assert [each.ask(key) for each in connections] == ["InvalidAccessKeyId"] * 2


def test_a_policy_and_a_group_change_at_once_everywhere(
    admin: MinioAdmin, data: Any, connections: list[Connection]
) -> None:
    def document(effect: str) -> dict[str, Any]:
        statement = {"Effect": effect, "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::*"]}
        return {"Version": "2012-10-17", "Statement": [statement]}

    admin.user_add(*USER)
    admin.policy_add("mine", policy=document("Allow"))
    admin.group_add("lab", "alice")
    admin.attach_policy(["mine"], group="lab")
    assert [each.ask(USER) for each in connections] == ["allowed"] * 2
    admin.policy_add("mine", policy=document("Deny"))
    assert [each.ask(USER) for each in connections] == ["AccessDenied"] * 2
    admin.policy_add("mine", policy=document("Allow"))
    assert [each.ask(USER) for each in connections] == ["allowed"] * 2
    admin.group_disable("lab")
    assert [each.ask(USER) for each in connections] == ["AccessDenied"] * 2
    admin.group_enable("lab")
    assert [each.ask(USER) for each in connections] == ["allowed"] * 2


def test_identities_outlive_a_restart_and_a_kill(
    fresh_server: LiveServer, admin: MinioAdmin
) -> None:
    admin.user_add(*USER)
    admin.attach_policy(["selfservice"], user="alice")
    client = fresh_server.client(aws_access_key_id=USER[0], aws_secret_access_key=USER[1])
    client.create_bucket(Bucket="alices")
    assert [each["Name"] for each in client.list_buckets()["Buckets"]] == ["alices"]
    fresh_server.kill()
    fresh_server.start()
    assert [each["Name"] for each in client.list_buckets()["Buckets"]] == ["alices"]
    fresh_server.restart()
    client.put_object(Bucket="alices", Key="k", Body=b"x")
    admin.user_disable("alice")
    fresh_server.kill()
    fresh_server.start()
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        client.list_buckets()


def test_each_sees_the_buckets_it_may_use(fresh_server: LiveServer, admin: MinioAdmin) -> None:
    root = fresh_server.client()
    for name in ("climate", "private", "public-a"):
        root.create_bucket(Bucket=name)
    for name, policies, seen in (
        ("allofthem", ["readwrite"], ["climate", "private", "public-a"]),
        ("reads", ["reader:climate"], ["climate"]),
        ("prefix", ["contributor:climate/cmip6/"], ["climate"]),
        ("publics", ["reader:public-*"], ["public-a"]),
        ("owner", ["selfservice"], []),
        ("nobody", ["writeonly"], None),
    ):
        admin.user_add(name, f"secret-of-{name}")
        admin.attach_policy(policies, user=name)
        client = fresh_server.client(
            aws_access_key_id=name, aws_secret_access_key=f"secret-of-{name}"
        )
        if seen is None:
            with pytest.raises(ClientError, match="AccessDenied"):
                client.list_buckets()
            continue
        assert [each["Name"] for each in client.list_buckets()["Buckets"]] == seen


def test_no_answer_and_no_file_has_a_secret_in_it(
    fresh_server: LiveServer, admin: MinioAdmin
) -> None:
    admin.user_add("alice", "very-visible-secret")
    assert "very-visible" not in admin.user_info("alice")
    fresh_server.stop()
    for path in fresh_server.folder.rglob("*"):
        if path.is_file():
            assert b"very-visible" not in path.read_bytes(), path
    assert "very-visible" not in fresh_server.log.read_text()


# A sample of the authorisation matrix, whose every cell is asked in process.


def arrange(server: LiveServer, people: list[Person], scene: str) -> None:
    said = SCENES[scene]
    keys = next(each.keys for each in people if each.name == OWNER and not each.limit)
    assert keys is not None
    owner = server.client(aws_access_key_id=keys[0], aws_secret_access_key=keys[1])
    for bucket, client in ((BUCKET, server.client()), (THEIRS, owner)):
        client.create_bucket(Bucket=bucket)
        for key in (OPEN, SECRET):
            tags = "&".join(f"{name}={value}" for name, value in TAGS[key].items())
            acl = said.object_acl[0]
            client.put_object(Bucket=bucket, Key=key, Body=b"x", Tagging=tags, ACL=acl)
        client.put_bucket_acl(Bucket=bucket, ACL=said.bucket_acl[0])
        policy = in_bucket(said.policy, bucket)
        if policy is not None:
            client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))


@pytest.mark.parametrize("scene", ["silent", "tagged", "acl-users"])
def test_the_matrix_over_the_wire(fresh_server: LiveServer, scene: str) -> None:
    server = fresh_server
    server.stop()
    root = (server.access_key, server.secret_key)
    people = edit_directory(server.folder, lambda directory: people_in(directory, root))
    server.start()
    arrange(server, people, scene)
    cells = [
        (person, bucket, key, name, operation)
        for bucket, key in ((BUCKET, OPEN), (THEIRS, SECRET))
        for name, operation in operations_on(bucket, key).items()
        for person in people
        # What is written stays there, and would be seen by those who come later.
        if operation.method in ("GET", "HEAD", "DELETE")
    ]
    connection = Connection(server)
    wrong = []
    for person, bucket, key, name, operation in cells[::3]:
        wanted = expected(person, SCENES[scene], bucket, operation)
        got = connection.ask(person.keys, operation)
        if (got == "allowed") is not wanted:
            wrong.append((person.keys, name, bucket, key, got))
    connection.http.close()
    assert len(cells) > 600
    assert wrong == []

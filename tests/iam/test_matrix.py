"""Who may do what: every cell of the matrix of `tests.iam.matrix`, in process."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.credentials import Credentials
from tests.iam.matrix import (
    BUCKET,
    OPEN,
    OWNER,
    SCENES,
    SECRET,
    TAGS,
    THEIRS,
    Person,
    ask,
    expected,
    in_bucket,
    operations_on,
    people_in,
)
from tests.s3.conftest import ACCESS_KEY, DOMAIN, ENDPOINT, REGION, SECRET_KEY, Store

from neve.iam.directory import Directory
from neve.iam.keyring import new_keyring
from neve.s3.pipeline import Pipeline
from neve.s3.sigv4 import Verifier

ROOT = (ACCESS_KEY, SECRET_KEY)


class World:
    """A store with everybody in it, and two buckets with two objects each."""

    def __init__(self) -> None:
        self.store = store = Store()
        directory = Directory(store.engine, new_keyring(), dict([ROOT]))
        verifier = Verifier(directory.secret_of, REGION)
        store.pipeline = Pipeline(
            store.engine, verifier, region=REGION, domains=[DOMAIN], directory=directory
        )
        self.directory = directory
        self.people: list[Person] = store.run(people_in(directory, ROOT))
        self.root = store.client()
        self.root.create_bucket(Bucket=BUCKET)
        self.client_of(OWNER).create_bucket(Bucket=THEIRS)

    def client_of(self, name: str) -> Any:
        person = next(each for each in self.people if each.name == name and not each.limit)
        client = self.store.client()
        client._request_signer._credentials = Credentials(*person.keys)
        return client

    def send(self, method: str, target: str, body: bytes, headers: dict[str, str]) -> Any:
        answer = self.store.send(method, target, headers, body)
        return answer.status, answer.body

    def arrange(self, scene: str) -> None:
        """Give both buckets and their objects what the scene says."""
        said = SCENES[scene]
        for bucket, owner in ((BUCKET, self.root), (THEIRS, self.client_of(OWNER))):
            for key in (OPEN, SECRET):
                tags = "&".join(f"{name}={value}" for name, value in TAGS[key].items())
                acl = said.object_acl[0]
                owner.put_object(Bucket=bucket, Key=key, Body=b"x", Tagging=tags, ACL=acl)
            owner.put_bucket_acl(Bucket=bucket, ACL=said.bucket_acl[0])
            policy = in_bucket(said.policy, bucket)
            if policy is not None:
                owner.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))

    def tidy(self, bucket: str) -> None:
        """Remove what requests have written."""
        engine = self.store.engine
        found = engine.list_objects(engine.bucket(bucket), "", "", "", 1000)
        for row in found.entries:
            if row[0] not in TAGS:
                self.store.run(engine.delete_object(engine.bucket(bucket), row[0]))


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.store.close()


@pytest.mark.parametrize("scene", SCENES)
def test_every_cell_is_as_the_reference_says(world: World, scene: str) -> None:
    world.arrange(scene)
    wrong = []
    counts: Counter[bool] = Counter()
    for bucket in (BUCKET, THEIRS):
        for key in (OPEN, SECRET):
            for name, operation in operations_on(bucket, key).items():
                for person in world.people:
                    wanted = expected(person, SCENES[scene], bucket, operation)
                    got = ask(world.send, ENDPOINT, person.keys, operation)
                    counts[wanted] += 1
                    if got == "allowed" and operation.method in ("PUT", "POST"):
                        world.tidy(bucket)
                    if (got == "allowed") is not wanted:
                        wrong.append((person.keys, name, bucket, key, got))
                    if not person.valid and operation.method != "HEAD":
                        assert got == "InvalidAccessKeyId"
    assert wrong == []
    assert min(counts.values()) > 40, counts

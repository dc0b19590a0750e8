"""Who may do what: every cell of the matrix of `tests.iam.matrix`, in process."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
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
    Operation,
    Person,
    Scene,
    ask,
    expected,
    in_bucket,
    operations_on,
    people_in,
    statement_for_all,
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


# Locks: what a right is worth against a retention.

LOCKED = "locked"
LOCK_SCENES: dict[str, dict[str, Any] | None] = {
    "silent": None,
    "nobody bypasses": statement_for_all("Deny", "s3:BypassGovernanceRetention", LOCKED),
    "everybody deletes": statement_for_all("Allow", "s3:DeleteObjectVersion", LOCKED),
    "everybody bypasses": statement_for_all(
        "Allow", ["s3:DeleteObjectVersion", "s3:BypassGovernanceRetention"], LOCKED
    ),
}
BYPASS = (("x-amz-bypass-governance-retention", "true"),)


@pytest.mark.parametrize("scene", LOCK_SCENES)
def test_a_retention_yields_to_who_may_bypass_it_and_compliance_to_nobody(
    world: World, scene: str
) -> None:
    """Each asks to delete a locked version, with and without the wish to bypass."""
    root, policy = world.root, LOCK_SCENES[scene]
    root.create_bucket(Bucket=LOCKED, ObjectLockEnabledForBucket=True)
    if policy is not None:
        root.put_bucket_policy(Bucket=LOCKED, Policy=json.dumps(policy))
    until = datetime.now(UTC) + timedelta(days=1)

    def put(mode: str) -> str:
        lock = {"ObjectLockMode": mode, "ObjectLockRetainUntilDate": until, "Tagging": "class=open"}
        version: str = root.put_object(Bucket=LOCKED, Key=OPEN, Body=b"x", **lock)["VersionId"]
        return version

    counts: Counter[bool] = Counter()
    versions = {mode: put(mode) for mode in ("GOVERNANCE", "COMPLIANCE")}
    for person in world.people:
        for mode in versions:
            for headers in ((), BYPASS):
                operation = Operation(
                    "DELETE",
                    f"/{LOCKED}/{OPEN}?versionId={versions[mode]}",
                    (("s3:DeleteObjectVersion", OPEN), ("s3:BypassGovernanceRetention", OPEN)),
                    headers=headers,
                )
                may_both = expected(person, Scene(policy), LOCKED, operation)
                wanted = may_both and mode == "GOVERNANCE" and bool(headers)
                got = ask(world.send, ENDPOINT, person.keys, operation)
                assert (got == "allowed") is wanted, (person, mode, headers, got)
                counts[wanted] += 1
                if got == "allowed":
                    versions[mode] = put(mode)
    assert counts[False] > 60
    # Root is among them, unless a policy denies it.
    assert (counts[True] > 5) is (scene != "nobody bypasses")


@pytest.mark.parametrize("scene", LOCK_SCENES)
def test_locks_are_set_and_read_by_who_may(world: World, scene: str) -> None:
    root, policy = world.root, LOCK_SCENES[scene]
    root.create_bucket(Bucket=LOCKED, ObjectLockEnabledForBucket=True)
    root.put_object(Bucket=LOCKED, Key=OPEN, Body=b"x", Tagging="class=open")
    if policy is not None:
        root.put_bucket_policy(Bucket=LOCKED, Policy=json.dumps(policy))
    at = f"/{LOCKED}/{OPEN}"
    hold = b"<LegalHold><Status>OFF</Status></LegalHold>"
    until = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    mode = f"<Mode>GOVERNANCE</Mode><RetainUntilDate>{until}</RetainUntilDate>"
    retention = f"<Retention>{mode}</Retention>".encode()
    lock = (
        ("x-amz-object-lock-mode", "GOVERNANCE"),
        ("x-amz-object-lock-retain-until-date", until),
    )
    new = OPEN + "-new"
    operations = {
        "hold": Operation("PUT", at + "?legal-hold", (("s3:PutObjectLegalHold", OPEN),), hold),
        "is held": Operation("GET", at + "?legal-hold", (("s3:GetObjectLegalHold", OPEN),)),
        "retain": Operation(
            "PUT", at + "?retention", (("s3:PutObjectRetention", OPEN),), retention
        ),
        "is retained": Operation("GET", at + "?retention", (("s3:GetObjectRetention", OPEN),)),
        "default": Operation(
            "GET",
            f"/{LOCKED}?object-lock",
            (("s3:GetBucketObjectLockConfiguration", None),),
        ),
        "put locked": Operation(
            "PUT", at + "-new", (("s3:PutObject", new), ("s3:PutObjectRetention", new)), b"x", lock
        ),
    }
    counts: Counter[bool] = Counter()
    for name, operation in operations.items():
        for person in world.people:
            wanted = expected(person, Scene(policy), LOCKED, operation)
            got = ask(world.send, ENDPOINT, person.keys, operation)
            assert (got == "allowed") is wanted, (name, person, got)
            counts[wanted] += 1
    assert min(counts.values()) > 20, counts

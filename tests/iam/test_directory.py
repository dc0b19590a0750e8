"""The directory on both catalogs: what is put can be read, what depends on it changes with it."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from neve import errors
from neve.engine.engine import Engine
from neve.iam.context import RequestContext
from neve.iam.directory import CACHED_MAX, Directory
from neve.iam.evaluate import decide
from neve.iam.identities import AccessKey
from neve.iam.keyring import Keyring, new_keyring
from neve.testing.engine import Store, memory_store, on_folder, run

Scenario = Callable[[Store, Directory], Coroutine[Any, Any, Any]]
Within = Callable[[Scenario], Any]

KEYRING = new_keyring()
ROOT = {"rootkey": "rootsecret"}
LIST = b"""{"Version": "2012-10-17",
    "Statement": {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*"}}"""


def directory_of(engine: Engine, keyring: Keyring = KEYRING) -> Directory:
    return Directory(engine, keyring, ROOT)


@pytest.fixture(params=["memory", "sqlite"])
def within(request: pytest.FixtureRequest, tmp_path: Path) -> Within:
    def within(scenario: Scenario) -> Any:
        async def whole(store: Store) -> Any:
            return await scenario(store, directory_of(store.engine))

        if request.param == "memory":
            return run(memory_store(), whole)
        return on_folder(tmp_path, whole)

    return within


async def refused(kind: type[Exception], work: Coroutine[Any, Any, Any]) -> None:
    with pytest.raises(kind):
        await work


def test_a_user_is_made_changed_and_removed(within: Within) -> None:
    async def scenario(store: Store, directory: Directory) -> None:
        await refused(errors.NoSuchUser, directory.put_user("alice", enabled=False))
        made = await directory.put_user("alice", secret="alicesecret")
        assert directory.user("alice") == made
        assert directory.secret_of("alice") == "alicesecret"
        await directory.put_user("alice", enabled=False)
        assert directory.secret_of("alice") is None
        assert directory.user("alice").secret == "alicesecret"
        await directory.put_user("alice", secret="anothersecret", enabled=True)
        assert directory.secret_of("alice") == "anothersecret"
        assert directory.user("alice").created_us == made.created_us
        await directory.delete_user("alice")
        assert directory.secret_of("alice") is None
        assert directory.users() == []
        await refused(errors.NoSuchUser, directory.delete_user("alice"))

    within(scenario)


def test_a_removed_user_takes_its_keys_and_memberships_along(within: Within) -> None:
    async def scenario(store: Store, directory: Directory) -> None:
        for name in ("alice", "bob1"):
            await directory.put_user(name, secret=name + "-secret")
            await directory.put_key(AccessKey(name + "-key", name + "-key-secret", name))
        await directory.put_group("lab", add=["alice", "bob1"])
        assert directory.groups_of("alice") == ["lab"]
        await directory.delete_user("alice")
        assert [key.id for key in directory.all_keys()] == ["bob1-key"]
        assert directory.group("lab").members == ("bob1",)
        # Whoever comes with the same name later inherits neither.
        await directory.put_user("alice", secret="alice-secret")
        assert directory.groups_of("alice") == []
        assert directory.keys_of("alice") == []
        assert directory.secret_of("alice-key") is None

    within(scenario)


def test_policies_of_a_user_are_its_own_and_those_of_its_enabled_groups(within: Within) -> None:
    async def scenario(store: Store, directory: Directory) -> None:
        await directory.put_user("alice", secret="alicesecret")
        await directory.put_group("lab", add=["alice"])
        await directory.put_policy("lists", LIST)
        assert await directory.attach(["readonly", "lists"], user="alice") == ["readonly", "lists"]
        assert await directory.attach(["lists", "reader:data/cmip6/"], group="lab") == [
            "lists",
            "reader:data/cmip6/",
        ]
        assert directory.policies_of("alice") == ["readonly", "lists", "reader:data/cmip6/"]
        assert directory.entities("lists") == (["alice"], ["lab"])
        await directory.put_group("lab", enabled=False)
        assert directory.policies_of("alice") == ["readonly", "lists"]
        await refused(errors.PolicyInUse, directory.delete_policy("lists"))
        assert await directory.detach(["lists", "writeonly"], user="alice") == ["lists"]
        await directory.set_policies([], group="lab")
        await directory.delete_policy("lists")
        assert directory.policy("lists") is None

    within(scenario)


def test_refusals_of_policies(within: Within) -> None:
    async def scenario(store: Store, directory: Directory) -> None:
        await directory.put_user("alice", secret="alicesecret")
        await refused(errors.NoSuchPolicy, directory.attach(["nothing"], user="alice"))
        await refused(errors.NoSuchPolicy, directory.attach(["readonly:data"], user="alice"))
        await refused(errors.NoSuchPolicy, directory.attach(["reader:Data"], user="alice"))
        await refused(errors.NoSuchPolicy, directory.attach(["reader:a/*/b"], user="alice"))
        await refused(errors.NoSuchUser, directory.attach(["readonly"], user="nobody"))
        await refused(errors.NoSuchGroup, directory.attach(["readonly"], group="nobody"))
        await directory.attach(["readonly"], user="alice")
        again = directory.attach(["readonly"], user="alice")
        await refused(errors.PolicyChangeAlreadyApplied, again)
        none = directory.detach(["reader"], user="alice")
        await refused(errors.PolicyChangeAlreadyApplied, none)
        await refused(errors.MalformedIamPolicy, directory.put_policy("bad", b"{}"))
        await refused(errors.InvalidPolicyName, directory.put_policy("reader", LIST))
        await refused(errors.InvalidPolicyName, directory.put_policy("reader:No Bucket", LIST))
        await refused(errors.InvalidPolicyName, directory.put_policy("a,b", LIST))
        await refused(errors.InvalidPolicyName, directory.delete_policy("reader"))
        canned = directory.policy("readwrite")
        assert await directory.put_policy("readwrite", canned.document) == canned

    within(scenario)


@pytest.mark.parametrize(
    ("name", "secret", "error"),
    [
        ("al", "alicesecret", errors.InvalidAccessKey),
        ("al=ice", "alicesecret", errors.InvalidAccessKey),
        ("al,ice", "alicesecret", errors.InvalidAccessKey),
        ("al ice", "alicesecret", errors.InvalidAccessKey),
        ("a/lice", "alicesecret", errors.InvalidAccessKey),
        ("älice", "alicesecret", errors.InvalidAccessKey),
        ("rootkey", "alicesecret", errors.InvalidAccessKey),
        ("taken-key", "alicesecret", errors.InvalidAccessKey),
        ("alice", "short", errors.InvalidSecretKey),
    ],
)
def test_names_and_secrets_have_limits(name: str, secret: str, error: type[Exception]) -> None:
    async def scenario(store: Store) -> None:
        directory = directory_of(store.engine)
        await directory.put_user("parent", secret="parentsecret")
        await directory.put_key(AccessKey("taken-key", "taken-secret", "parent"))
        await refused(error, directory.put_user(name, secret=secret))

    run(memory_store(), scenario)


def test_access_keys_act_for_their_parent(within: Within) -> None:
    async def scenario(store: Store, directory: Directory) -> None:
        await refused(errors.NoSuchUser, directory.put_key(AccessKey("key1", "keysecret", "alice")))
        await directory.put_user("alice", secret="alicesecret")
        await directory.put_key(AccessKey("key1", "keysecret", "alice", name="laptop"))
        assert directory.secret_of("key1") == "keysecret"
        principal = directory.principal_of("key1")
        assert (principal.kind, principal.name) == ("user", "alice")
        assert principal == directory.principal_of("alice")
        await directory.put_user("alice", enabled=False)
        assert directory.secret_of("key1") is None
        await directory.put_user("alice", enabled=True)
        await directory.put_key(AccessKey("key1", "keysecret", "alice", enabled=False))
        assert directory.secret_of("key1") is None
        await directory.put_key(AccessKey("key1", "keysecret", "alice", expires_us=1))
        assert directory.secret_of("key1") is None
        assert directory.principal_of("key1").kind == "anonymous"
        await directory.put_key(AccessKey("key2", "keysecret", "rootkey", of_root=True))
        assert directory.principal_of("key2").is_unlimited
        await directory.put_key(
            AccessKey("key2", "keysecret", "rootkey", of_root=True, policy=LIST)
        )
        assert directory.principal_of("key2").kind == "root"
        assert not directory.principal_of("key2").is_unlimited
        assert [key.id for key in directory.keys_of("rootkey")] == ["key2"]
        assert [key.id for key in directory.keys_of("alice")] == ["key1"]
        await directory.delete_key("key2")
        await refused(errors.NoSuchAccessKey, directory.delete_key("key2"))

    within(scenario)


def test_a_change_holds_at_once_in_another_process_and_changes_do_not_get_lost(
    within: Within,
) -> None:
    async def scenario(store: Store, directory: Directory) -> None:
        other = directory_of(store.engine)
        await directory.put_user("alice", secret="alicesecret")
        assert other.secret_of("alice") == "alicesecret"
        assert other.knows_canonical_id(other.principal_of("alice").canonical_id)
        names = [f"policy{n}" for n in range(8)]
        for name in names:
            await directory.put_policy(name, LIST)
        both = (directory, other)
        await asyncio.gather(
            *(both[n % 2].attach([name], user="alice") for n, name in enumerate(names))
        )
        assert sorted(directory.user("alice").policies) == names
        await other.delete_user("alice")
        assert directory.secret_of("alice") is None

    within(scenario)


def test_a_change_of_a_bucket_leaves_the_directory_alone() -> None:
    async def scenario(store: Store) -> None:
        directory = directory_of(store.engine)
        await directory.put_user("alice", secret="alicesecret")
        before = directory.principal_of("alice")
        await store.engine.create_bucket("data", "owner", "us-east-1")
        assert directory.principal_of("alice") is before

    run(memory_store(), scenario)


def test_secrets_are_sealed_in_the_catalog_and_in_segments(tmp_path: Path) -> None:
    async def scenario(store: Store) -> None:
        directory = directory_of(store.engine)
        await directory.put_user("alice", secret="a-very-visible-secret")
        await directory.put_key(AccessKey("key1", "another-visible-one", "alice"))

    on_folder(tmp_path, scenario)
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"alice" in stored
    assert b"visible" not in stored


def test_a_secret_under_another_key_signs_nothing(tmp_path: Path) -> None:
    async def put(store: Store) -> None:
        await directory_of(store.engine).put_user("alice", secret="alicesecret")

    async def look(store: Store) -> None:
        directory = directory_of(store.engine, new_keyring())
        assert directory.secret_of("alice") is None
        assert directory.user("alice").secret == ""

    on_folder(tmp_path, put)
    on_folder(tmp_path, look)


def test_who_guesses_keys_does_not_push_others_out_of_the_cache() -> None:
    async def scenario(store: Store) -> None:
        directory = directory_of(store.engine)
        await directory.put_user("alice", secret="alicesecret")
        before = directory.principal_of("alice")
        for number in range(CACHED_MAX + 1):
            assert directory.secret_of(f"guess{number}") is None
        assert directory.principal_of("alice") is before

    run(memory_store(), scenario)


def test_a_policy_that_cannot_be_read_denies_everything_and_a_user_is_as_good_as_gone() -> None:
    """As after a return to an older release, which does not know all that is stored."""

    async def scenario(store: Store) -> None:
        directory = directory_of(store.engine)
        engine = store.engine
        await directory.put_policy("strange", LIST)
        await directory.put_user("alice", secret="alicesecret")
        await directory.put_user("carol", secret="carolsecret")
        await directory.attach(["readwrite", "strange"], user="alice")

        def may() -> bool:
            alice = directory.principal_of("alice")
            context = RequestContext(alice)
            return decide(alice, "", None, "s3:GetObject", "bkt", "k", context).allowed

        assert may()
        stored = engine.setting("iam/policy/strange")
        assert stored is not None
        strange = stored.replace(b'"Allow"', b'"Never"')
        changes = {"iam/policy/strange": strange, "iam/user/carol": b"\xc1"}
        await engine.change_settings(changes, engine.settings_seq())
        assert not may()
        assert directory.secret_of("carol") is None
        assert [user.name for user in directory.users()] == ["alice"]

    run(memory_store(), scenario)

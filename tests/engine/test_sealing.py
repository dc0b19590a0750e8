"""The store's key: made once, never replaced silently, changed so that a crash costs nothing."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neve.cli.main import main
from neve.engine.sealing import prepare_key, rotate_key
from neve.engine.store import prepare
from neve.errors import StoreRefused
from neve.folder import open_folder
from neve.iam.directory import Directory
from neve.iam.identities import AccessKey
from neve.iam.keyring import (
    KEY_FILE,
    Keyring,
    SecretUnreadable,
    load_keyring,
    new_keyring,
    store_keyring,
)
from neve.testing.engine import LocalShared
from neve.testing.identities import edit_directory

USERS = 15


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with users and a key."""

    async def fill(directory: Directory) -> None:
        for number in range(USERS):
            await directory.put_user(f"user{number}", secret=f"secret-of-{number}")
        await directory.put_key(AccessKey("key1", "secret-of-key1", "user1"))

    edit_directory(tmp_path / "data", fill)
    return tmp_path / "data"


def check_secrets(folder: Path) -> None:
    async def look(directory: Directory) -> None:
        for number in range(USERS):
            assert directory.secret_of(f"user{number}") == f"secret-of-{number}"
        assert directory.secret_of("key1") == "secret-of-key1"

    edit_directory(folder, look)


def key_of(folder: Path) -> Keyring:
    return store_keyring(str(folder))


def test_sealing_is_undone_by_the_same_key_and_name_only() -> None:
    keyring = new_keyring()
    sealed = keyring.seal("iam/user/a", "s3cret-ü")
    assert keyring.open("iam/user/a", sealed) == "s3cret-ü"
    assert keyring.seal("iam/user/a", "s3cret-ü") != sealed
    damaged = sealed[:-1] + bytes([sealed[-1] ^ 1])
    for name, text, ring in (
        ("iam/user/b", sealed, keyring),
        ("iam/user/a", damaged, keyring),
        ("iam/user/a", sealed[:10], keyring),
        ("iam/user/a", b"", keyring),
        ("iam/user/a", sealed, new_keyring()),
    ):
        with pytest.raises(SecretUnreadable):
            ring.open(name, text)


def test_the_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    prepare(str(tmp_path))
    prepare_key(str(tmp_path))
    file = tmp_path / KEY_FILE
    before = file.read_bytes()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    prepare_key(str(tmp_path))
    assert file.read_bytes() == before


def test_a_lost_key_is_not_replaced_while_secrets_need_it(folder: Path) -> None:
    (folder / KEY_FILE).unlink()
    with pytest.raises(StoreRefused, match=f"{USERS + 1} secrets are sealed"):
        prepare_key(str(folder))
    assert not (folder / KEY_FILE).exists()


@pytest.mark.parametrize("content", ["", "{}", '{"current":"00","keys":{"00":"AA=="}}', "[]"])
def test_a_damaged_key_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / KEY_FILE).write_text(content)
    with pytest.raises(StoreRefused):
        load_keyring(str(tmp_path / KEY_FILE))


def test_rotation_seals_every_secret_under_a_new_key_and_forgets_the_old(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = key_of(folder)
    assert main(["key", "rotate", str(folder)]) == 0
    assert f"{USERS + 1} secrets were sealed" in capsys.readouterr().out
    new = key_of(folder)
    assert new.current != old.current
    assert new.is_settled
    check_secrets(folder)


def test_the_key_can_lie_outside_the_folder(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "elsewhere.json"
    (folder / KEY_FILE).rename(outside)
    assert main(["key", "rotate", str(folder), "--key-file", str(outside)]) == 0
    assert not (folder / KEY_FILE).exists()
    outside.rename(folder / KEY_FILE)
    check_secrets(folder)


def test_a_served_store_is_refused(folder: Path) -> None:
    held = open_folder(str(folder))
    try:
        assert main(["key", "rotate", str(folder)]) == 1
    finally:
        held.close()


_DYING = """
import os, signal, sys
from neve.engine import sealing
from neve.iam.keyring import Keyring
from neve.engine.engine import Engine
from neve.cli.main import main

folder, point, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
sealing.SETTINGS_PER_CHANGE = 3
owner = Keyring if point.startswith("save") else Engine
name = "save" if point.startswith("save") else "change_settings"
real = getattr(owner, name)
seen = 0

def dies():
    os.kill(os.getpid(), signal.SIGKILL)

def save(self, file):
    global seen
    seen += 1
    if point == "save-before" and seen == count:
        dies()
    real(self, file)
    if point == "save-after" and seen == count:
        dies()

async def change(self, changes, at):
    global seen
    seen += 1
    if point == "change-before" and seen == count:
        dies()
    await real(self, changes, at)
    if point == "change-after" and seen == count:
        dies()

setattr(owner, name, save if name == "save" else change)
sys.exit(main(["key", "rotate", folder]))
"""


@pytest.mark.parametrize(
    ("point", "count"),
    [
        ("save-before", 1),
        ("save-after", 1),
        ("change-before", 1),
        ("change-after", 1),
        ("change-after", 3),
        ("change-before", 6),
        ("save-before", 2),
        ("save-after", 2),
    ],
)
def test_a_rotation_killed_anywhere_costs_no_secret_and_can_be_ended(
    folder: Path, point: str, count: int
) -> None:
    old = key_of(folder)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command: list[Any] = [sys.executable, "-c", _DYING, str(folder), point, str(count)]
    killed = subprocess.run(command, env=environment, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    check_secrets(folder)
    done = rotate_key(str(folder), LocalShared())
    half_way = point != "save-before" or count == 2
    assert done.resumed is (half_way and (point, count) != ("save-after", 2))
    assert key_of(folder).is_settled
    assert key_of(folder).current != old.current
    check_secrets(folder)

"""The folder of a store: made durable, locked, refused in one sentence when need be."""

import errno
import json
import multiprocessing
import os
import stat
from pathlib import Path

import pytest

from neve import folder as folder_module
from neve.errors import StoreRefused
from neve.folder import FORMAT, file_system_of, open_folder, root_keys


def refused(path: Path, *, create: bool = True) -> str:
    with pytest.raises(StoreRefused) as refusal:
        open_folder(str(path), create=create).close()
    text = str(refusal.value)
    assert "\n" not in text
    assert text.endswith(".")
    assert str(path) in text
    return text


def test_new_folder_gets_a_mark_that_survives_reopening(tmp_path: Path) -> None:
    first = open_folder(str(tmp_path / "data"))
    first.close()
    assert first.created
    mark = json.loads((tmp_path / "data" / "neve.json").read_text())
    assert mark["format"] == FORMAT
    assert mark["store"] == first.store_id
    second = open_folder(str(tmp_path / "data"))
    second.close()
    assert not second.created
    assert second.store_id == first.store_id


def test_two_stores_have_different_ids(tmp_path: Path) -> None:
    stores = [open_folder(str(tmp_path / name)) for name in ("a", "b")]
    assert stores[0].store_id != stores[1].store_id
    for each in stores:
        each.close()


def test_mark_is_synced_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(fd: int) -> None:
        events.append("sync " + os.path.basename(os.readlink(f"/proc/self/fd/{fd}")))
        real_fsync(fd)

    def rename(source: str, target: str) -> None:
        events.append("rename " + os.path.basename(target))
        real_rename(source, target)

    monkeypatch.setattr(folder_module.os, "fsync", fsync)
    monkeypatch.setattr(folder_module.os, "rename", rename)
    open_folder(str(tmp_path / "data")).close()
    assert events[-3:] == ["sync neve.json.tmp", "rename neve.json", "sync data"]
    assert events[0] == f"sync {tmp_path.name}"


def test_interrupted_creation_is_taken_up_again(tmp_path: Path) -> None:
    data = tmp_path / "data"
    open_folder(str(data)).close()
    (data / "neve.json").rename(data / "neve.json.tmp")
    again = open_folder(str(data))
    again.close()
    assert again.created


def test_empty_disk_of_its_own_is_accepted(tmp_path: Path) -> None:
    (tmp_path / "lost+found").mkdir()
    open_folder(str(tmp_path)).close()


def test_folder_of_somebody_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    assert "not empty and not a Neve store" in refused(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_minio_drive_is_refused_with_its_own_sentence(tmp_path: Path) -> None:
    (tmp_path / ".minio.sys").mkdir()
    assert "MinIO" in refused(tmp_path)
    assert os.listdir(tmp_path) == [".minio.sys"]


def test_missing_parent_is_refused(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "a" / "b")


def test_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    assert "is not a folder" in refused(tmp_path / "data")


def test_absent_store_is_not_created_when_one_is_expected(tmp_path: Path) -> None:
    assert "no store" in refused(tmp_path / "data", create=False)
    assert "no store" in refused(tmp_path, create=False)
    assert os.listdir(tmp_path) == []


def test_newer_format_is_refused(tmp_path: Path) -> None:
    open_folder(str(tmp_path / "data")).close()
    mark = tmp_path / "data" / "neve.json"
    mark.write_text(json.dumps(json.loads(mark.read_text()) | {"format": FORMAT + 1}))
    assert "newer Neve" in refused(tmp_path / "data")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": "1", "store": "x"}', "{}"])
def test_damaged_mark_is_refused(tmp_path: Path, content: str) -> None:
    open_folder(str(tmp_path / "data")).close()
    (tmp_path / "data" / "neve.json").write_text(content)
    assert "damaged" in refused(tmp_path / "data")


def test_second_server_is_refused_and_told_who_has_the_folder(tmp_path: Path) -> None:
    held = open_folder(str(tmp_path / "data"))
    assert f"process {os.getpid()}" in refused(tmp_path / "data")
    held.close()
    open_folder(str(tmp_path / "data")).close()


def test_lock_is_held_by_a_child_after_its_parent_let_go(tmp_path: Path) -> None:
    held = open_folder(str(tmp_path / "data"))
    context = multiprocessing.get_context("fork")
    end = context.Event()
    child = context.Process(target=end.wait)
    child.start()
    held.close()
    try:
        refused(tmp_path / "data")
    finally:
        end.set()
        child.join()
    open_folder(str(tmp_path / "data")).close()


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EDQUOT, "is full"),
        (errno.EROFS, "not writable"),
        (errno.EACCES, "not writable"),
        (errno.EIO, "cannot be used"),
    ],
)
def test_errors_of_the_disk_become_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def fail(path: str, mode: int = 0) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(folder_module.os, "mkdir", fail)
    assert said in refused(tmp_path / "data")


def test_folder_without_rights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module.os, "access", lambda path, mode: False)
    assert "not writable" in refused(tmp_path)


MOUNTS = """\
22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
23 22 0:21 / /proc rw - proc proc rw
40 22 0:50 / /srv/share rw - nfs4 server:/export rw
41 40 0:51 / /srv/share/local rw - xfs /dev/vdb rw
42 22 0:52 / /with\\040space rw - fuse.sshfs me@there: rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/x", "ext4"),
        ("/srv/share", "nfs4"),
        ("/srv/share/data", "nfs4"),
        ("/srv/shared", "ext4"),
        ("/srv/share/local/data", "xfs"),
        ("/with space/data", "fuse.sshfs"),
    ],
)
def test_file_system_is_that_of_the_innermost_mount(tmp_path: Path, path: str, kind: str) -> None:
    (tmp_path / "mountinfo").write_text(MOUNTS)
    assert file_system_of(path, str(tmp_path / "mountinfo")) == kind


@pytest.mark.parametrize("kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "lustre"])
def test_network_file_system_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(folder_module, "file_system_of", lambda path: kind)
    assert f"network file system ({kind})" in refused(tmp_path / "data")
    assert os.listdir(tmp_path) == []


def test_root_keys_are_made_once_and_only_the_owner_can_read_them(tmp_path: Path) -> None:
    first, second = root_keys(str(tmp_path)), root_keys(str(tmp_path))
    assert first.created
    assert not second.created
    assert first[:2] == second[:2]
    assert len(first.secret_key) == 40
    file = tmp_path / "root-credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["root-credentials.json"]


def test_damaged_root_keys_are_refused_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "root-credentials.json").write_text("{")
    with pytest.raises(StoreRefused, match="restore the file, or delete it"):
        root_keys(str(tmp_path))
    assert (tmp_path / "root-credentials.json").read_text() == "{"

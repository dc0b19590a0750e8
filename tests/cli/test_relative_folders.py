"""Folders on the command line may be relative to where one is."""

from pathlib import Path

import pytest

from neve.cli.main import main
from neve.testing.server import LiveServer


def test_backup_restore_and_rebuild_take_relative_folders(
    fresh_server: LiveServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    client = fresh_server.client()
    client.create_bucket(Bucket="science")
    client.put_object(Bucket="science", Key="small", Body=b"s")
    client.put_object(Bucket="science", Key="large", Body=b"l" * (2 << 20))
    fresh_server.stop()
    monkeypatch.chdir(fresh_server.folder.parent)
    assert main(["backup", fresh_server.folder.name, "backup"]) == 0
    assert main(["restore", "backup", "restored"]) == 0
    for path in Path("restored").glob("catalog.db*"):
        path.unlink()
    assert main(["rebuild", "restored"]) == 0
    assert "2 objects" in capsys.readouterr().out

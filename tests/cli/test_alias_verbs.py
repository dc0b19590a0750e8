"""`neve alias`: keys given, asked for on a terminal, or piped in; checked at once; those of mc."""

import json
from typing import Any

import pytest
from tests.cli.terminal import on_a_terminal

from neve.testing.cli import CommandLine
from neve.testing.server import LiveServer


def saved(neve: CommandLine) -> dict[str, Any]:
    path = neve.folder / "home" / ".config" / "neve" / "aliases.json"
    return dict(json.loads(path.read_text())["aliases"]) if path.exists() else {}


@pytest.fixture
def server(neve: CommandLine) -> LiveServer:
    assert neve.server is not None
    return neve.server


def test_enter_twice_is_anonymous(neve: CommandLine, server: LiveServer) -> None:
    status, screen = on_a_terminal(neve, ["", ""], "alias", "set", "pub", server.endpoint)
    assert status == 0
    assert "Access key (Enter: anonymous, read-only): " in screen
    assert "Anonymous: it reads what is public." in screen
    assert "Buckets may not be listed" in screen
    assert saved(neve)["pub"]["accessKey"] == ""


def test_keys_are_asked_for_and_the_secret_is_not_shown(
    neve: CommandLine, server: LiveServer, bucket: str
) -> None:
    keys = [server.access_key, server.secret_key]
    status, screen = on_a_terminal(neve, keys, "alias", "set", "own", server.endpoint)
    assert status == 0
    assert f"own is {server.endpoint} (Neve)." in screen
    assert f"The keys of {server.access_key} are right." in screen
    assert server.secret_key not in screen
    assert saved(neve)["own"]["secretKey"] == server.secret_key
    assert bucket in {row["key"] for row in neve.json("ls", "own")}


def test_a_key_without_a_secret_is_refused(neve: CommandLine, server: LiveServer) -> None:
    status, screen = on_a_terminal(neve, ["KEY", ""], "alias", "set", "own", server.endpoint)
    assert status == 2
    assert "go together" in screen
    assert saved(neve) == {}


def test_keys_can_be_piped_in(neve: CommandLine, server: LiveServer) -> None:
    keys = f"{server.access_key}\n{server.secret_key}\n".encode()
    (row,) = neve.json("alias", "set", "own", server.endpoint + "/", stdin=keys)
    assert (row["alias"], row["server"], row["tls"], row["checked"]) == ("own", "Neve", "", True)
    assert neve.run("ls", "own").stderr == ""


@pytest.mark.parametrize(
    ("keys", "sentence"),
    [
        (("nobody", "whatever"), "does not know the access key 'nobody'"),
        (("neve-test-root", "wrong-secret"), "the secret key of the alias 'own' is wrong"),
    ],
)
def test_wrong_keys_are_not_saved(
    neve: CommandLine, server: LiveServer, keys: tuple[str, str], sentence: str
) -> None:
    done = neve.run("alias", "set", "own", server.endpoint, *keys, status=1)
    assert sentence in done.stderr
    assert keys[1] not in done.stderr
    assert saved(neve) == {}
    neve.run("alias", "set", "own", server.endpoint, *keys, "--no-check")
    assert saved(neve)["own"]["accessKey"] == keys[0]


def test_what_is_no_s3_server_is_not_saved(neve: CommandLine, server: LiveServer) -> None:
    done = neve.run("alias", "set", "own", server.panel, "", "", status=1)
    assert "does not answer as an S3 server" in done.stderr
    assert saved(neve) == {}
    done = neve.run("alias", "set", "own", "http://127.0.0.1:9", "", "", status=1)
    assert "nothing listens at 127.0.0.1:9" in done.stderr


def test_ls_rm_export_import(neve: CommandLine, server: LiveServer) -> None:
    neve.run("alias", "set", "own", server.endpoint, server.access_key, server.secret_key)
    rows = {row["alias"]: row for row in neve.json("alias", "list")}
    assert rows["live"]["source"] == "NEVE_HOST_live"
    assert rows["own"]["source"].endswith("aliases.json")
    assert server.secret_key not in neve.run("alias", "ls").stdout
    exported = neve.run("alias", "export", "own").stdout
    assert json.loads(exported) == {
        "url": server.endpoint, "accessKey": server.access_key, "secretKey": server.secret_key,
        "api": "s3v4", "path": "auto",
    }  # fmt: skip
    assert neve.run("alias", "remove", "own").stdout == "The alias own was removed.\n"
    assert saved(neve) == {}
    neve.run("alias", "import", "again", "-", stdin=exported.encode())
    assert saved(neve)["again"]["secretKey"] == server.secret_key
    assert "comes from NEVE_HOST_live" in neve.run("alias", "rm", "live", status=1).stderr


def test_aliases_of_mc_are_read_and_imported(neve: CommandLine, server: LiveServer) -> None:
    mc = neve.folder / "home" / ".mc"
    mc.mkdir(parents=True)
    entry = {"url": server.endpoint, "accessKey": server.access_key,
             "secretKey": server.secret_key, "api": "S3v4", "path": "auto"}  # fmt: skip
    aliases = {"old": entry, "own": entry | {"url": "https://mc.example.org"}}
    (mc / "config.json").write_text(json.dumps({"version": "10", "aliases": aliases}))
    neve.run("ls", "old")
    neve.run("alias", "set", "own", server.endpoint, server.access_key, server.secret_key)
    rows = neve.json("alias", "import")
    assert {row["alias"]: row["imported"] for row in rows} == {"old": True, "own": False}
    assert saved(neve)["own"]["url"] == server.endpoint
    neve.run("alias", "import", "--overwrite")
    assert saved(neve)["own"]["url"] == "https://mc.example.org"


def test_config_dir_as_a_flag(neve: CommandLine, server: LiveServer) -> None:
    neve.run("--config-dir", "here", "alias", "set", "own", server.endpoint, "", "")
    assert (neve.folder / "here" / "aliases.json").exists()
    assert saved(neve) == {}
    neve.run("alias", "ls", "own", "--config-dir", "here")
    neve.run("alias", "ls", "own", status=1)

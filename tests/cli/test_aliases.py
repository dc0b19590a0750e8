"""Aliases: where they come from, which one wins, and how the file is written."""

import json
import os
import stat
from pathlib import Path

import pytest

from neve.cli.aliases import Aliases, check_url, config_folder, mc_file
from neve.cli.errors import UsageError
from neve.client.alias import Alias
from neve.client.errors import ClientError


def mc_config(folder: Path, **aliases: dict[str, str]) -> dict[str, str]:
    """Write mc's file; return the environment that names it."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps({"version": "10", "aliases": aliases}))
    return {"MC_CONFIG_DIR": str(folder)}


def test_a_saved_alias_comes_back_and_its_file_is_private(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "neve"
    alias = Alias("x", "https://s3.example.org", "KEY", "SECRET", "TOKEN", "off", "eu-1")
    Aliases(str(folder), {}).save(alias)
    read = Aliases(str(folder), {}).get("x")
    assert read == Alias(
        "x", "https://s3.example.org", "KEY", "SECRET", "TOKEN", "off", "eu-1",
        str(folder / "aliases.json"),
    )  # fmt: skip
    assert stat.S_IMODE(os.stat(folder / "aliases.json").st_mode) == 0o600
    assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
    assert os.listdir(folder) == ["aliases.json"]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aliases = Aliases(str(tmp_path), {"MC_CONFIG_DIR": str(tmp_path)})
    aliases.save(Alias("x", "https://one.example.org"))

    def fail(*names: str) -> None:
        raise OSError("no rename today")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no rename"):
        aliases.save(Alias("x", "https://two.example.org"))
    assert aliases.get("x").url == "https://one.example.org"
    assert os.listdir(tmp_path) == ["aliases.json"]


def test_the_environment_wins_over_our_file_over_mcs(tmp_path: Path) -> None:
    entry = {"url": "https://mc.example.org", "accessKey": "M", "secretKey": "S", "api": "S3v4"}
    environment = mc_config(tmp_path / "mc", a=entry, b=entry, c=entry, d=entry)
    environment["MC_HOST_a"] = "https://K:S@mchost.example.org"
    environment["MC_HOST_b"] = "https://K:S@mchost.example.org"
    environment["NEVE_HOST_a"] = "https://K:S@nevehost.example.org"
    ours = Aliases(str(tmp_path / "neve"), environment)
    ours.save(Alias("b", "https://own.example.org"))
    ours.save(Alias("c", "https://own.example.org"))
    found = {name: (alias.url, alias.source) for name, alias in ours.all().items()}
    assert found == {
        "a": ("https://nevehost.example.org", "NEVE_HOST_a"),
        "b": ("https://mchost.example.org", "MC_HOST_b"),
        "c": ("https://own.example.org", str(tmp_path / "neve" / "aliases.json")),
        "d": ("https://mc.example.org", str(tmp_path / "mc" / "config.json")),
    }


@pytest.mark.parametrize(
    ("text", "url", "keys"),
    [
        ("https://h.example.org", "https://h.example.org", ("", "", "")),
        ("http://h:9000/", "http://h:9000", ("", "", "")),
        ("https://K:S@h", "https://h", ("K", "S", "")),
        ("https://K:a/b+c@d@h:1", "https://h:1", ("K", "a/b+c@d", "")),
        ("https://K:S:T==@h", "https://h", ("K", "S", "T==")),
    ],
)
def test_hosts_in_the_environment_are_read_as_mc_reads_them(
    tmp_path: Path, text: str, url: str, keys: tuple[str, str, str]
) -> None:
    alias = Aliases(str(tmp_path), {"MC_HOST_x": text, "HOME": str(tmp_path)}).get("x")
    assert (alias.url, (alias.access_key, alias.secret_key, alias.session_token)) == (url, keys)
    assert alias.anonymous == (not keys[0])


def test_a_broken_variable_is_named(tmp_path: Path) -> None:
    environment = {"NEVE_HOST_x": "ftp://h", "HOME": str(tmp_path)}
    with pytest.raises(ClientError, match="NEVE_HOST_x"):
        Aliases(str(tmp_path), environment).all()


def test_mcs_file_need_not_be_whole_but_ours_must(tmp_path: Path) -> None:
    environment = mc_config(tmp_path / "mc", gcs={"url": ""}, play={"url": "https://play"})
    (tmp_path / "neve").mkdir()
    aliases = Aliases(str(tmp_path / "neve"), environment)
    assert list(aliases.all()) == ["play"]
    (tmp_path / "mc" / "config.json").write_text("{")
    assert list(Aliases(str(tmp_path / "neve"), environment).all()) == []
    (tmp_path / "neve" / "aliases.json").write_text("{")
    with pytest.raises(ClientError, match=r"aliases\.json is no file of aliases"):
        Aliases(str(tmp_path / "neve"), environment).all()


def test_what_is_not_ours_cannot_be_removed(tmp_path: Path) -> None:
    environment = {"MC_HOST_x": "https://h", "HOME": str(tmp_path)}
    aliases = Aliases(str(tmp_path / "neve"), environment)
    aliases.save(Alias("y", "https://h"))
    with pytest.raises(ClientError, match="MC_HOST_x"):
        aliases.remove("x")
    with pytest.raises(ClientError, match="known: x, y"):
        aliases.remove("z")
    aliases.remove("y")
    assert list(aliases.all()) == ["x"]


@pytest.mark.parametrize("name", ["", "1x", "a/b", "a.b", "ä"])
def test_names_that_cannot_be(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        Aliases(str(tmp_path), {}).save(Alias(name, "https://h"))


@pytest.mark.parametrize(
    "url", ["", "h", "ftp://h", "https://", "https://h/bucket", "https://k:s@h", "http://h:x"]
)
def test_urls_that_cannot_be(url: str) -> None:
    with pytest.raises(UsageError):
        check_url(url)


def test_where_settings_lie() -> None:
    home = {"HOME": "/h"}
    assert config_folder(None, home) == "/h/.config/neve"
    assert config_folder(None, home | {"XDG_CONFIG_HOME": "/x"}) == "/x/neve"
    assert config_folder(None, home | {"XDG_CONFIG_HOME": "/x", "NEVE_CONFIG_DIR": "/n"}) == "/n"
    assert config_folder("/flag", home | {"NEVE_CONFIG_DIR": "/n"}) == "/flag"
    assert mc_file(home) == "/h/.mc/config.json"
    assert mc_file(home | {"MC_CONFIG_DIR": "/m"}) == "/m/config.json"

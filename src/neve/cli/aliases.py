"""Names for servers: URL and keys, from the environment, our own file, or mc's.

The first of these that knows a name wins: `NEVE_HOST_<alias>`, `MC_HOST_<alias>`, `aliases.json` in
the user's folder (`--config-dir`, NEVE_CONFIG_DIR, $XDG_CONFIG_HOME/neve, ~/.config/neve), mc's
`config.json` (MC_CONFIG_DIR, ~/.mc). Only our file is ever written: with mode 0600, and whole or
not at all. It has the shape of mc's file, so each program can read the other's.
"""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from neve.cli.errors import UsageError
from neve.client.alias import Alias
from neve.client.errors import ClientError

PATHS = ("auto", "on", "off")
"""Bucket in the path: `on`; in the host name: `off`; `auto`: as the known clouds want it."""

_NAME = re.compile(r"[A-Za-z][\w-]*", re.ASCII)
_KEYS_TOKEN = re.compile(r"(https?://)(.*?):(.*?):(.*)@(.*)")
_KEYS = re.compile(r"(https?://)(.*?):(.*)@(.*)")
_VARIABLES = ("NEVE_HOST_", "MC_HOST_")


class Aliases:
    """All aliases that a user has, by name."""

    def __init__(self, folder: str, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.file = os.path.join(folder, "aliases.json")
        self._environment = os.environ if environment is None else environment
        self._all: dict[str, Alias] | None = None

    def all(self) -> dict[str, Alias]:
        """Every alias, in the order of their names."""
        if self._all is None:
            found = {**self._of_mc(), **read_file(self.file), **self._of_environment()}
            self._all = dict(sorted(found.items()))
        return self._all

    def __contains__(self, name: str) -> bool:
        return name in self.all()

    def get(self, name: str) -> Alias:
        """Return the alias. Raises: ClientError, with what could be meant."""
        alias = self.all().get(name)
        if alias is None:
            known = ", ".join(self.all()) or "none yet"
            raise ClientError(
                f"there is no alias {name!r} (known: {known}); make it with: "
                f"neve alias set {name} https://…",
                "NoSuchAlias",
                name,
            )
        return alias

    def save(self, alias: Alias) -> None:
        """Put an alias into our own file."""
        check_name(alias.name)
        own = read_file(self.file)
        own[alias.name] = replace(alias, source=self.file)
        self._write(own)

    def remove(self, name: str) -> None:
        """Take an alias out of our own file. Raises: ClientError when it is not there."""
        own = read_file(self.file)
        if name not in own:
            elsewhere = self.all().get(name)
            if elsewhere is None:
                self.get(name)
            else:
                raise ClientError(
                    f"the alias {name!r} comes from {elsewhere.source}: remove it there.",
                    "ForeignAlias",
                    name,
                )
        del own[name]
        self._write(own)

    def _write(self, own: dict[str, Alias]) -> None:
        entries = {name: alias.entry() for name, alias in sorted(own.items())}
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        # mkstemp makes the file readable by its owner alone.
        handle, temporary = tempfile.mkstemp(prefix=".aliases-", dir=self.folder)
        try:
            with os.fdopen(handle, "w") as stream:
                json.dump({"version": "1", "aliases": entries}, stream, indent=2)
                stream.write("\n")
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, self.file)
        except BaseException:
            os.unlink(temporary)
            raise
        self._all = None

    def _of_mc(self) -> dict[str, Alias]:
        return read_file(mc_file(self._environment), needed=False)

    def _of_environment(self) -> dict[str, Alias]:
        found: dict[str, Alias] = {}
        for prefix in reversed(_VARIABLES):
            for variable, value in self._environment.items():
                if variable.startswith(prefix) and value:
                    name = variable.removeprefix(prefix)
                    found[name] = parse_host(name, value, variable)
        return found


def config_folder(given: str | None, environment: Mapping[str, str] | None = None) -> str:
    """Return the folder of the user's settings."""
    variables = os.environ if environment is None else environment
    if given or variables.get("NEVE_CONFIG_DIR"):
        return os.path.abspath(os.path.expanduser(given or variables["NEVE_CONFIG_DIR"]))
    base = variables.get("XDG_CONFIG_HOME") or os.path.join(_home(variables), ".config")
    return os.path.join(base, "neve")


def mc_file(environment: Mapping[str, str] | None = None) -> str:
    """Return where mc keeps its aliases."""
    variables = os.environ if environment is None else environment
    folder = variables.get("MC_CONFIG_DIR") or os.path.join(_home(variables), ".mc")
    return os.path.join(folder, "config.json")


def read_file(path: str, needed: bool = True) -> dict[str, Alias]:
    """Return the aliases of a file, none when it is absent.

    Raises: ClientError when the file is not one of aliases; only if it is `needed`.
    """
    try:
        with open(path) as stream:
            return parse_entries(json.load(stream), path)
    except FileNotFoundError:
        return {}
    except OSError as error:
        if needed:
            raise ClientError(f"cannot read {path}: {error.strerror}.", "BadAliases") from error
    except ValueError as error:
        if needed:
            raise ClientError(f"{path} is no file of aliases: {error}.", "BadAliases") from error
    return {}


def parse_entries(document: Any, source: str) -> dict[str, Alias]:
    """Return the aliases of a document as mc and we write it. Raises: ValueError."""
    entries = document.get("aliases") if isinstance(document, dict) else None
    if not isinstance(entries, dict):
        raise ValueError("it has no 'aliases'")
    found = {}
    for name, entry in entries.items():
        # mc's own file comes with aliases that nobody has given keys or a server.
        if isinstance(entry, dict) and entry.get("url"):
            found[name] = parse_entry(name, entry, source)
    return found


def parse_entry(name: str, entry: Any, source: str) -> Alias:
    """Return the alias of an entry as `neve alias export` and mc write it. Raises: ValueError."""
    if not isinstance(entry, dict) or not isinstance(entry.get("url"), str):
        raise ValueError(f"the alias {name!r} has no 'url'")
    path = str(entry.get("path") or "auto").lower()
    return Alias(
        name,
        entry["url"].rstrip("/"),
        str(entry.get("accessKey") or ""),
        str(entry.get("secretKey") or ""),
        str(entry.get("sessionToken") or ""),
        {"dns": "off", "path": "on"}.get(path, path if path in PATHS else "auto"),
        str(entry.get("region") or ""),
        source,
    )


def parse_host(name: str, text: str, source: str) -> Alias:
    """Return the alias of mc's form, `https://KEY:SECRET[:TOKEN]@HOST`; keys are not decoded.

    Raises: ClientError.
    """
    for pattern in (_KEYS_TOKEN, _KEYS):
        match = pattern.fullmatch(text)
        if match is not None:
            scheme, access, secret, *token, host = match.groups()
            alias = Alias(name, scheme + host, access, secret, "".join(token), source=source)
            break
    else:
        alias = Alias(name, text, source=source)
    try:
        return replace(alias, url=check_url(alias.url))
    except UsageError as error:
        raise ClientError(f"{source} is not understood: {error}", "BadAliases", name) from error


def check_name(name: str) -> str:
    """Return the name. Raises: UsageError when it cannot name an alias."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot name an alias: begin with a letter, go on with letters, "
            "digits, '-' and '_'."
        )
    return name


def check_url(url: str) -> str:
    """Return the URL of a server without a slash at its end. Raises: UsageError."""
    try:
        parts = urlsplit(url)
        bad = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:
        bad = True
    if bad:
        raise UsageError("the URL of a server looks like https://minio.example.org:9000.")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise UsageError(f"give the server's URL alone: {parts.scheme}://{parts.hostname}…")
    return f"{parts.scheme}://{parts.netloc}"


def _home(variables: Mapping[str, str]) -> str:
    return variables.get("HOME") or os.path.expanduser("~")

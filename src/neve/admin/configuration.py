"""GetConfig, GetConfigKv, HelpConfigKv, SetConfigKv and its kin: the settings of the server.

They are Neve's own, in four groups. `quota` is the quota of new buckets: it can be changed and
holds at once. `site`, `server` and `limits` come from the command line and the environment, where a
new value holds after a restart: here they can be read and not changed. Setting one to what it is
does nothing, so that a whole configuration can be exported and imported. No history is kept.
Secrets are not among them.
"""

import shlex
from dataclasses import Field, fields
from typing import Any

from neve.admin import default_quota
from neve.admin.call import AdminCall, json_response
from neve.admin.errors import AdminError
from neve.answer import Response
from neve.config import Config

GROUPS = {
    default_quota.GROUP: "the quota of buckets that are made from now on",
    "site": "what clients must know of the server: region and domain names",
    "server": "how the server runs: addresses, processes, durability, logs",
    "limits": "bounds of requests, times and sizes",
}
_APPLIED = (b"x-minio-config-applied", b"true")
"""Tells clients that no restart is needed."""
_SITE = frozenset(("region", "domain"))
_HIDDEN = frozenset(("folder", "root_access_key"))


async def get_config(call: AdminCall) -> Response:
    """Return all settings."""
    return await call.sealed(_all_lines(call))


async def get_config_kv(call: AdminCall) -> Response:
    """Return the settings of one group."""
    group = call.query.get("key", "").strip()
    if not group and "subSys" in call.query:
        # The `minio` package asks so for everything, and does not decrypt the answer.
        return Response(200, [(b"content-type", b"text/plain; charset=utf-8")], _all_lines(call))
    if not group:
        return await get_config(call)
    _check_group(group)
    return await call.sealed(_line_of(call, group).encode())


def help_config_kv(call: AdminCall) -> Response:
    """Return what groups or settings there are."""
    group, name = call.query.get("subSys", ""), call.query.get("key", "")
    if not group:
        rows = [_help(name, text, "") for name, text in GROUPS.items()]
        return json_response({"subSys": "", "description": "", "keysHelp": rows})
    _check_group(group)
    if group == default_quota.GROUP:
        found = [_help(key, text, "number") for key, text in default_quota.KEYS.items()]
    else:
        found = [_help(each.name, _describe(each), _type_of(each)) for each in _fields_of(group)]
    rows = [row for row in found if name in ("", row["key"])]
    if not rows:
        raise AdminError("XMinioConfigError", f"there is no setting {name!r} in {group}")
    return json_response({"subSys": group, "description": GROUPS[group], "keysHelp": rows})


async def set_config_kv(call: AdminCall) -> Response:
    """Change the quota of new buckets; other settings are read-only."""
    return await _apply(call, await call.sealed_body())


async def set_config(call: AdminCall) -> Response:
    """Do the same with all groups of an exported configuration."""
    return await _apply(call, await call.sealed_body())


async def del_config_kv(call: AdminCall) -> Response:
    """Let new buckets have no quota; other settings are read-only."""
    group = (await call.sealed_body()).decode("utf-8", "replace").strip().partition(" ")[0]
    _check_group(group)
    if group != default_quota.GROUP:
        raise _read_only("the NEVE_ variables")
    await default_quota.reset(call.engine.quotas)
    return Response(200, [_APPLIED, (b"content-length", b"0")])


async def list_config_history_kv(call: AdminCall) -> Response:
    """Return no changes: settings are never changed here."""
    return await call.sealed([])


def clear_config_history_kv(call: AdminCall) -> Response:
    """Refuse what names a change; there is nothing to clear otherwise."""
    if call.query.get("restoreId") not in ("", "all", None):
        raise AdminError("XMinioConfigError", "settings have no history")
    return json_response({})


def restore_config_history_kv(call: AdminCall) -> Response:
    """Refuse: there is no history."""
    raise AdminError("XMinioConfigError", "settings have no history")


def _line_of(call: AdminCall, group: str) -> str:
    """Return the settings of a group as clients print them: `group name=value name=value`."""
    pairs = [f"{name}={_quoted(value)}" for name, value in _values_of(call, group).items()]
    return " ".join([group, *pairs])


def _all_lines(call: AdminCall) -> bytes:
    return "".join(f"{_line_of(call, group)}\n" for group in GROUPS).encode()


def _values_of(call: AdminCall, group: str) -> dict[str, str]:
    if group == default_quota.GROUP:
        return default_quota.values_of(call.engine.quotas)
    config = call.node.config
    return {field.name: _text(getattr(config, field.name)) for field in _fields_of(group)}


async def _apply(call: AdminCall, body: bytes) -> Response:
    """Do what lines of `group name=value …` say; nothing of it when one cannot be done."""
    changes: dict[str, str] = {}
    for line in body.decode("utf-8", "replace").splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        group, values = _parse_line(line)
        _check_values(call, group, values)
        if group == default_quota.GROUP:
            changes.update(values)
    if changes:
        await default_quota.change(call.engine.quotas, changes)
    return Response(200, [_APPLIED, (b"content-length", b"0")])


def _check_values(call: AdminCall, group: str, values: dict[str, str]) -> None:
    """Raise AdminError XMinioConfigError unless these can be the settings of the group."""
    known = _values_of(call, group)
    for name, value in values.items():
        if name not in known:
            raise AdminError("XMinioConfigError", f"there is no setting {name[:64]!r} in {group}")
        if group != default_quota.GROUP and value != known[name]:
            raise _read_only(f"NEVE_{name.upper()}")


def _parse_line(line: str) -> tuple[str, dict[str, str]]:
    """Return the group of a line and its pairs. Raises: AdminError XMinioConfigError."""
    try:
        group, *pairs = shlex.split(line)
    except ValueError as error:
        raise AdminError("XMinioConfigError", str(error)) from error
    _check_group(group.partition(":")[0])
    found = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise AdminError("XMinioConfigError", f"{pair[:64]!r} is not of the form name=value")
        found[name] = value
    return group, found


def _fields_of(group: str) -> "list[Field[Any]]":
    # Secrets are fields without a repr.
    return [
        field
        for field in fields(Config)
        if field.repr and field.name not in _HIDDEN and _group_of(field) == group
    ]


def _group_of(field: "Field[Any]") -> str:
    if field.name in _SITE:
        return "site"
    return "server" if field.metadata["help"] else "limits"


def _check_group(group: str) -> None:
    if group not in GROUPS:
        names = ", ".join(GROUPS)
        raise AdminError("XMinioConfigError", f"unknown sub-system {group[:64]!r}: try {names}")


def _read_only(variable: str) -> AdminError:
    return AdminError(
        "XMinioConfigError",
        f"that is read-only here: set {variable} for the server, then restart it",
    )


def _help(name: str, description: str, kind: str) -> dict[str, Any]:
    return {
        "key": name,
        "type": kind,
        "description": description,
        "optional": True,
        "multipleTargets": False,
    }


def _describe(field: "Field[Any]") -> str:
    text = field.metadata["help"] or "a limit: see the reference of limits"
    return f"{text} [read-only; set NEVE_{field.name.upper()}]"


def _type_of(field: "Field[Any]") -> str:
    return {int: "number", float: "number", bool: "on|off"}.get(type(field.default), "string")


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, frozenset):
        value = tuple(sorted(value))
    if isinstance(value, tuple) and not hasattr(value, "_fields"):
        value = ",".join(value)
    return "" if value is None else str(value)


def _quoted(text: str) -> str:
    return f'"{text}"' if " " in text else text

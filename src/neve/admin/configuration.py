"""GetConfig, GetConfigKv, HelpConfigKv, SetConfigKv and its kin: the settings of the server.

They are Neve's own (`neve.config`), in three groups: `site`, `server` and `limits`. All of them can
be read and none can be changed here: they come from the command line and the environment, and a
new value holds after a restart. So there is no history either. Secrets are not among them.
"""

from dataclasses import Field, fields
from typing import Any

from neve.admin.call import AdminCall, json_response
from neve.admin.errors import AdminError
from neve.answer import Response
from neve.config import Config

GROUPS = {
    "site": "what clients must know of the server: region and domain names",
    "server": "how the server runs: addresses, processes, durability, logs",
    "limits": "bounds of requests, times and sizes",
}
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
    return await call.sealed(line_of(call.node.config, group).encode())


def help_config_kv(call: AdminCall) -> Response:
    """Return what groups or settings there are."""
    group, name = call.query.get("subSys", ""), call.query.get("key", "")
    if not group:
        rows = [_help(name, text, "") for name, text in GROUPS.items()]
        return json_response({"subSys": "", "description": "", "keysHelp": rows})
    _check_group(group)
    rows = [
        _help(field.name, _describe(field), _type_of(field))
        for field in _fields_of(group)
        if name in ("", field.name)
    ]
    if not rows:
        raise AdminError("XMinioConfigError", f"there is no setting {name!r} in {group}")
    return json_response({"subSys": group, "description": GROUPS[group], "keysHelp": rows})


async def set_config_kv(call: AdminCall) -> Response:
    """Refuse: settings are read-only."""
    text = (await call.sealed_body()).decode("utf-8", "replace").strip()
    group, _, rest = text.partition(" ")
    _check_group(group.partition(":")[0])
    raise _read_only(group, rest.partition("=")[0].strip())


async def set_config(call: AdminCall) -> Response:
    """Refuse: settings are read-only."""
    await call.sealed_body()
    raise _read_only("", "")


async def del_config_kv(call: AdminCall) -> Response:
    """Refuse: settings are read-only."""
    group = (await call.sealed_body()).decode("utf-8", "replace").strip().partition(" ")[0]
    _check_group(group)
    raise _read_only(group, "")


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


def line_of(config: Config, group: str) -> str:
    """Return the settings of a group as clients print them: `group name=value name=value`."""
    pairs = [f"{field.name}={_text(getattr(config, field.name))}" for field in _fields_of(group)]
    return " ".join([group, *pairs])


def _all_lines(call: AdminCall) -> bytes:
    return "".join(f"{line_of(call.node.config, group)}\n" for group in GROUPS).encode()


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


def _read_only(group: str, name: str) -> AdminError:
    known = [field.name for field in _fields_of(group)] if group else []
    variable = f"NEVE_{name.upper()}" if name in known else "the NEVE_ variables"
    return AdminError(
        "XMinioConfigError",
        f"settings are read-only here: set {variable} for the server, then restart it",
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
    text = "" if value is None else str(value)
    return f'"{text}"' if " " in text else text

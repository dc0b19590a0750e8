"""The group `quota` of the settings: the quota that buckets get which are made from now on."""

from collections.abc import Mapping

import msgspec

from neve.admin.errors import AdminError
from neve.config import parse_size
from neve.engine.quota import Quota
from neve.engine.quotas import Quotas

GROUP = "quota"
KEYS = {
    "bytes": "most bytes that a new bucket may hold, as 500GiB; empty: any number",
    "objects": "most objects that a new bucket may hold; empty: any number",
    "soft": "percentage of these from which on usage, metrics and the log warn; empty: never",
}
"""Name → what it means."""


def values_of(quotas: Quotas) -> dict[str, str]:
    """Return the settings as text, "" for what is not limited."""
    default = quotas.default() or Quota()
    values = {name: getattr(default, name) for name in KEYS}
    return {name: "" if value is None else str(value) for name, value in values.items()}


async def change(quotas: Quotas, values: Mapping[str, str]) -> None:
    """Set what `values` names and leave the rest. Raises: AdminError XMinioConfigError."""
    texts = values_of(quotas) | dict(values)
    try:
        found = {
            name: parse_size(text) if name == "bytes" else int(text)
            for name, text in texts.items()
            if text
        }
        default = msgspec.convert(found, Quota)
    except ValueError as error:
        raise AdminError("XMinioConfigError", f"{GROUP} cannot be set: {error}") from error
    await quotas.set_store({}, default=default if found else None)


async def reset(quotas: Quotas) -> None:
    """Let new buckets have no quota."""
    await quotas.set_store({}, default=None)

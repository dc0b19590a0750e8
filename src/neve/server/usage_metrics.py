"""Usage and quotas in the Prometheus text: of buckets, counted prefixes, users with a quota."""

from collections.abc import Callable, Mapping, Sequence

from neve.engine.engine import Engine
from neve.engine.quotas import Usage

Holders = Mapping[str, Sequence[tuple[str, Usage]]]
"""`bucket`, `prefix`, `user` → (labels, what it has) of each."""

_Column = tuple[str, str, Callable[[Usage], int | None]]

_QUOTA: tuple[_Column, ...] = (
    ("quota_bytes", "Most bytes for a {}.", lambda u: u.quota.bytes if u.quota else None),
    ("quota_objects", "Most objects for a {}.", lambda u: u.quota.objects if u.quota else None),
    (
        "quota_warning",
        "1 when the soft level of the quota of a {} is reached.",
        lambda u: None if u.percent is None else int(u.warns),
    ),
)
_BUCKET: tuple[_Column, ...] = (
    ("objects", "Current objects in a {}.", lambda u: u.used.objects - u.versions),
    ("versions", "Noncurrent versions in a {}.", lambda u: u.versions),
    ("delete_markers", "Delete markers in a {}.", lambda u: u.markers),
    ("bytes", "Bytes of objects and noncurrent versions in a {}.", lambda u: u.used.bytes),
    *_QUOTA,
)
_OTHER: tuple[_Column, ...] = (
    ("objects", "Objects and noncurrent versions of a {}.", lambda u: u.used.objects),
    ("bytes", "Bytes of objects and noncurrent versions of a {}.", lambda u: u.used.bytes),
    *_QUOTA,
)
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def holders_of(engine: Engine) -> Holders:
    """Return what there is to tell, as of now."""
    quotas = engine.quotas
    buckets, prefixes = [], []
    for bucket in engine.buckets():
        label = f'bucket="{bucket.name}"'
        buckets.append((label, quotas.usage(bucket)))
        for prefix, usage in quotas.prefixes(bucket).items():
            if usage is not None:
                prefixes.append((f'{label},prefix="{prefix.translate(_ESCAPES)}"', usage))
    users = [
        (f'user="{(limits.name or id).translate(_ESCAPES)}"', quotas.user(id))
        for id, limits in quotas.users().items()
    ]
    return {"bucket": buckets, "prefix": prefixes, "user": users}


def render_usage(lines: list[str], holders: Holders) -> None:
    """Add the lines of all holders."""
    for noun, rows in holders.items():
        for column, help, value_of in _BUCKET if noun == "bucket" else _OTHER:
            name = f"neve_{noun}_{column}"
            lines += (f"# HELP {name} {help.format(noun)}", f"# TYPE {name} gauge")
            for labels, usage in rows:
                value = value_of(usage)
                if value is not None:
                    lines.append(f"{name}{{{labels}}} {value}")

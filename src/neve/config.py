"""All settings and limits of a server, in one frozen value, with where each one comes from.

A setting is taken from the command line, else from the environment (`NEVE_<NAME>`), else it has its
default. Limits are settings without a flag: the environment alone changes them. Does not touch the
disk; certificates and folders are checked by those who open them.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from neve.errors import NeveError

ACCESS_KEY_LENGTH_MIN = 3
SECRET_KEY_LENGTH_MIN = 8
WORKERS_MAX = 256
AUDIT_EVENTS = ("reads", "writes", "refusals", "admin")
"""What may be audited; a request that fits any of those chosen is."""
TRAIL_EVENTS = ("changes", "refusals", "writes", "reads")
"""The same of the audit trail in the folder."""

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_SIZE = re.compile(r"(\d+)\s*([KMGT]?)(?:i?B)?", re.IGNORECASE)
_REGION = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9-]{0,62}")
_ORIGIN = re.compile(r"\*|[a-z][a-z0-9+.-]*://[A-Za-z0-9.:\[\]_-]*\*?[A-Za-z0-9.:\[\]_-]*")
_HOST = re.compile(r"[a-z0-9_.-]+|[0-9a-f:.]+")
_DOMAIN = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9.-]{0,251}[a-zA-Z0-9])?")


class InvalidSetting(NeveError):
    """A setting cannot be used: the message is one sentence that says which and why."""


class Address(NamedTuple):
    """Where to listen."""

    host: str
    """Name or IP address; empty for every interface."""
    port: int
    """0 asks the system for a free one."""

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Return the address in `HOST:PORT`, `[IPV6]:PORT`, `:PORT` or `PORT`."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError("an IPv6 address needs brackets, as in [::1]:9000")
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("it must be HOST:PORT with a port from 0 to 65535")
    return Address(host if colon else "", int(port))


def parse_size(text: str) -> int:
    """Return the bytes in `4096`, `64K`, `8MiB`, `1G` …"""
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError("it must be a size such as 4096, 64K or 8MiB")
    return int(match[1]) * _UNITS[match[2].upper()]


def _parse_count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise ValueError("it must be a whole number of at least 1")
    return int(text)


def _parse_workers(text: str) -> int:
    count = _parse_count(text)
    if count > WORKERS_MAX:
        raise ValueError(f"at most {WORKERS_MAX} workers can run")
    return count


def _parse_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e9:
        raise ValueError("it must be a number of seconds above 0")
    return seconds


def _parse_switch(text: str) -> bool:
    if text.lower() in ("1", "true", "yes", "on"):
        return True
    if text.lower() in ("", "0", "false", "no", "off"):
        return False
    raise ValueError("it must be on or off")


def _parse_region(text: str) -> str:
    if not _REGION.fullmatch(text):
        raise ValueError("it must be letters, digits and hyphens, such as us-east-1")
    return text


def _parse_domains(text: str) -> tuple[str, ...]:
    names = tuple(part.strip().lower().rstrip(".") for part in text.split(",") if part.strip())
    for name in names:
        if not _DOMAIN.fullmatch(name):
            raise ValueError(f"{name!r} is not a domain name")
    return names


def _parse_origins(text: str) -> tuple[str, ...]:
    origins = tuple(part.strip() for part in text.split(",") if part.strip())
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin!r} is no origin such as https://viewer.example.org")
    return origins


def _parse_access_key(text: str) -> str:
    if len(text) < ACCESS_KEY_LENGTH_MIN or not text.isascii() or not text.isprintable():
        raise ValueError(f"it must be at least {ACCESS_KEY_LENGTH_MIN} printable ASCII characters")
    if any(sign in text for sign in " /=,"):
        raise ValueError("it must not contain a space, slash, comma or equals sign")
    return text


def _parse_secret_key(text: str) -> str:
    if len(text) < SECRET_KEY_LENGTH_MIN:
        raise ValueError(f"it must have at least {SECRET_KEY_LENGTH_MIN} characters")
    return text


def _parse_webhook(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or not text.isascii():
        raise ValueError("it must be http://HOST[:PORT]/PATH or https://…")
    if parts.username is not None or any(sign in text for sign in " \t\r\n#"):
        raise ValueError("it must hold no user, blank or fragment")
    _ = parts.port  # refuses what is no port
    return text


def _parse_site(text: str) -> str:
    """Return a URL without a path in the form in which browsers name its origin."""
    parts = urlsplit(text)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not _HOST.fullmatch(host):
        raise ValueError("it must be http://HOST[:PORT] or https://HOST[:PORT]")
    if parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("it must hold nothing but a scheme, a host and a port")
    host = f"[{host}]" if ":" in host else host
    default = 443 if parts.scheme == "https" else 80
    port = "" if parts.port in (None, default) else f":{parts.port}"
    return f"{parts.scheme}://{host}{port}"


def _parse_token(text: str) -> str:
    if not text.isascii() or not text.isprintable():
        raise ValueError("it must be printable ASCII characters")
    return text


def _parse_events(text: str) -> frozenset[str]:
    names = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not names or not names <= {"all", *AUDIT_EVENTS}:
        raise ValueError("it must be all, or some of " + ", ".join(AUDIT_EVENTS))
    return frozenset(AUDIT_EVENTS) if "all" in names else names


def _parse_trail(text: str) -> frozenset[str]:
    names = frozenset(part.strip() for part in text.split(",") if part.strip())
    if names == {"off"}:
        return frozenset()
    if not names or not names <= {"all", *TRAIL_EVENTS}:
        raise ValueError("it must be off, all, or some of " + ", ".join(TRAIL_EVENTS))
    return frozenset(TRAIL_EVENTS) if "all" in names else names


def _parse_choice(*choices: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in choices:
            raise ValueError("it must be " + " or ".join(choices))
        return text

    return parse


def _setting(
    default: Any,
    parse: Callable[[str], Any],
    help: str = "",
    *,
    metavar: str = "",
    environment: tuple[str, ...] = (),
    flag: bool = True,
    secret: bool = False,
) -> Any:
    """A field of `Config` with how it is read. Without `help` it is a limit: no flag."""
    return field(
        default=default,
        repr=not secret,
        metadata={
            "parse": parse,
            "help": help,
            "metavar": metavar,
            "environment": environment,
            "flag": flag and bool(help),
        },
    )


@dataclass(frozen=True, slots=True)
class Config:
    """What one server runs with. Sizes are bytes (`_bytes`), times seconds (`_s`)."""

    folder: str
    """Absolute path of the store's folder."""

    address: Address = _setting(
        Address("127.0.0.1", 9000),
        parse_address,
        "where to serve S3 (default 127.0.0.1:9000; 0.0.0.0:9000 for every interface)",
        metavar="HOST:PORT",
    )
    panel_address: Address | None = _setting(
        None,
        parse_address,
        "where to serve the panel (default: port 9001 of the S3 host)",
        metavar="HOST:PORT",
    )
    """None until `load` fills it in from `address`."""
    server_url: str = _setting(
        "",
        _parse_site,
        "where users and browsers reach S3, when that is not the address itself: behind a proxy",
        metavar="URL",
        environment=("NEVE_SERVER_URL", "MINIO_SERVER_URL"),
    )
    panel_url: str = _setting(
        "",
        _parse_site,
        "where browsers reach the panel, when that is not its address itself: behind a proxy",
        metavar="URL",
        environment=("NEVE_PANEL_URL", "MINIO_BROWSER_REDIRECT_URL"),
    )
    workers: int = _setting(
        0, _parse_workers, "number of worker processes (default: one per CPU)", metavar="N"
    )
    """0 until `load` fills in the number of CPUs this process may run on."""
    durability: str = _setting(
        "full",
        _parse_choice("full", "relaxed"),
        "full: a write is answered once it is on the disk; relaxed: once the system has it,"
        " so that a power cut may lose the last seconds (default full)",
        metavar="full|relaxed",
    )
    region: str = _setting(
        "us-east-1", _parse_region, "region that clients must sign for (default us-east-1)"
    )
    domain: tuple[str, ...] = _setting(
        (),
        _parse_domains,
        "serve BUCKET.DOMAIN as well as DOMAIN/BUCKET; several: comma between",
    )
    cors_allow_origins: tuple[str, ...] = _setting(
        (),
        _parse_origins,
        "let scripts of these sites use buckets without CORS rules of their own;"
        " several: comma between; * for every site",
        metavar="ORIGINS",
    )
    tls_cert: str = _setting(
        "", os.path.abspath, "serve HTTPS with this certificate chain (PEM)", metavar="FILE"
    )
    tls_key: str = _setting(
        "", os.path.abspath, "private key of the certificate (PEM)", metavar="FILE"
    )
    log_format: str = _setting(
        "text",
        _parse_choice("text", "json"),
        "form of the log on stderr (default text)",
        metavar="text|json",
    )
    log_level: str = _setting(
        "info",
        _parse_choice("debug", "info", "warning", "error"),
        "least severe messages to log (default info)",
        metavar="LEVEL",
    )
    access_log: str = _setting(
        "", str, "write a line per request to FILE, or to stdout with -", metavar="FILE|-"
    )
    audit_log: str = _setting(
        "",
        str,
        "write who did what, a JSON object a line, to FILE, or to stdout with -",
        metavar="FILE|-",
    )
    audit_webhook: str = _setting(
        "",
        _parse_webhook,
        "send the same to this address, in batches",
        metavar="URL",
        secret=True,
    )
    audit_webhook_token: str = _setting(
        "",
        _parse_token,
        "what is sent to it as `Authorization: Bearer …`, or whole if there is a space in it;"
        " environment only",
        flag=False,
        secret=True,
    )
    audit_events: frozenset[str] = _setting(
        frozenset(AUDIT_EVENTS),
        _parse_events,
        "what is audited: all, or some of reads, writes, refusals, admin; comma between"
        " (default all)",
        metavar="EVENTS",
    )
    audit_trail: frozenset[str] = _setting(
        frozenset(("changes", "refusals")),
        _parse_trail,
        "what is kept in DATA/audit to be searched: off, all, or some of changes, refusals, writes,"
        " reads; comma between (default changes,refusals)",
        metavar="EVENTS",
    )
    metrics_public: bool = _setting(
        False,
        _parse_switch,
        "answer /neve/metrics and /minio/v2/metrics/* without keys",
    )
    drain_timeout_s: float = _setting(
        30.0,
        _parse_seconds,
        "how long requests in flight may take after Ctrl-C or SIGTERM (default 30)",
        metavar="SECONDS",
    )
    root_access_key: str = _setting(
        "",
        _parse_access_key,
        "root access key; environment only",
        environment=("NEVE_ROOT_USER", "MINIO_ROOT_USER"),
        flag=False,
    )
    """Empty: made at first start and kept in the folder."""
    root_secret_key: str = _setting(
        "",
        _parse_secret_key,
        "root secret key; environment only",
        environment=("NEVE_ROOT_PASSWORD", "MINIO_ROOT_PASSWORD"),
        flag=False,
        secret=True,
    )

    key_file: str = _setting(
        "",
        os.path.abspath,
        "keep the key that seals the secrets of users in FILE (default: store-key.json in DATA)",
        metavar="FILE",
    )

    # Limits of the HTTP front, the fields of `HttpLimits`, which says what they mean.
    request_line_bytes_max: int = _setting(16 << 10, parse_size)
    header_bytes_max: int = _setting(64 << 10, parse_size)
    header_count_max: int = _setting(200, _parse_count)
    header_timeout_s: float = _setting(30.0, _parse_seconds)
    idle_timeout_s: float = _setting(75.0, _parse_seconds)
    body_timeout_s: float = _setting(60.0, _parse_seconds)
    body_rate_min: int = _setting(1024, parse_size)
    write_timeout_s: float = _setting(60.0, _parse_seconds)
    linger_timeout_s: float = _setting(10.0, _parse_seconds)
    discard_bytes_max: int = _setting(256 << 10, parse_size)
    discard_timeout_s: float = _setting(5.0, _parse_seconds)
    trailer_bytes_max: int = _setting(16 << 10, parse_size)
    gather_bytes_max: int = _setting(80 << 10, parse_size)
    gather_total_bytes_max: int = _setting(64 << 20, parse_size)
    connections_max: int = _setting(20_000, _parse_count)

    # Limits of the layers below it.
    audit_queue_bytes_max: int = _setting(16 << 20, parse_size)
    """Entries of one process that wait for the audit webhook; what comes on top is dropped."""
    audit_trail_bytes_max: int = _setting(64 << 20, parse_size)
    """Of all entries in DATA/audit; the oldest make room for new ones."""
    clock_skew_max_s: float = _setting(900.0, _parse_seconds)
    """How far the clock of who signs a request may be from ours."""
    disk_reserve_bytes: int = _setting(64 << 20, parse_size)
    """Writes are refused when less than this is free, so that deleting always works."""
    upload_expiry_s: float = _setting(7 * 86400.0, _parse_seconds)
    """A multipart upload begun longer ago than this is aborted."""
    lifecycle_interval_s: float = _setting(3600.0, _parse_seconds)
    """How long after a walk along the lifecycle rules of all buckets the next begins."""
    lifecycle_day_s: float = _setting(86400.0, _parse_seconds)
    """What lifecycle rules take for a day. Another length is for tests, and ends at no midnight."""
    scrub_bytes_per_s: int = _setting(8 << 20, parse_size)
    """How fast stored bytes are read and compared with their digests, all day long."""
    worker_hang_s: float = _setting(60.0, _parse_seconds)
    """A process whose event loop stands still for this long is killed and replaced."""


def load(
    folder: str, flags: Mapping[str, str | None], environ: Mapping[str, str] | None = None
) -> Config:
    """Return the settings for `folder` from flags, else environment, else defaults.

    `flags` maps field names to the text given, or None. Raises: InvalidSetting.
    """
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {"folder": os.path.abspath(folder)}
    for item in fields(Config):
        if item.default is MISSING:
            continue
        source, text = _find(item.name, item.metadata["environment"], flags, environ)
        if text is not None:
            try:
                values[item.name] = item.metadata["parse"](text)
            except ValueError as error:
                raise InvalidSetting(f"{source} cannot be used: {error}.") from error
    return _complete(values, environ)


def available_cpus() -> int:
    """Return how many CPUs this process may run on."""
    return max(1, min(WORKERS_MAX, len(os.sched_getaffinity(0))))


def _find(
    name: str,
    variables: tuple[str, ...],
    flags: Mapping[str, str | None],
    environ: Mapping[str, str],
) -> tuple[str, str | None]:
    given = flags.get(name)
    if given is not None:
        return "--" + name.replace("_", "-"), given
    for variable in variables or ("NEVE_" + name.upper(),):
        if environ.get(variable):
            return variable, environ[variable]
    return "", None


def _complete(values: dict[str, Any], environ: Mapping[str, str]) -> Config:
    """Fill in what depends on other settings and refuse what does not go together."""
    values.setdefault("workers", available_cpus())
    address = values.setdefault("address", Address("127.0.0.1", 9000))
    panel = values.setdefault("panel_address", Address(address.host, 9001))
    if panel == address and panel.port:
        raise InvalidSetting(f"S3 and the panel cannot share the address {address}.")
    if bool(values.get("tls_cert")) != bool(values.get("tls_key")):
        raise InvalidSetting("HTTPS needs both --tls-cert and --tls-key.")
    if bool(values.get("root_access_key")) != bool(values.get("root_secret_key")):
        raise InvalidSetting("Set both NEVE_ROOT_USER and NEVE_ROOT_PASSWORD, or neither.")
    if environ.get("MINIO_PROMETHEUS_AUTH_TYPE") == "public":
        values.setdefault("metrics_public", True)
    return Config(**values)

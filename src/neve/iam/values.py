"""Values in conditions that are not text: numbers, dates, addresses and blocks of addresses.

Policies and requests go through the same functions, so that both sides mean the same. Every
`parse_…` refuses what it does not know with ValueError; only `parse_ip` answers None, because a
request without a usable address is no error.
"""

import ipaddress
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")
_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?"
    r"(?:([Zz])|([+-])(\d\d):?(\d\d)))?)?)?",
    re.ASCII,
)

Address = tuple[int, int]
"""(4 or 6, the address as a number)."""
Block = tuple[int, int, int]
"""(4 or 6, mask, first address): `address & mask == first`."""


@lru_cache(maxsize=1024)
def parse_number(text: str) -> float:
    """Return the decimal number; whole numbers stay exact."""
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return float(text) if "." in text else int(text)


@lru_cache(maxsize=1024)
def parse_date(text: str) -> float:
    """Return seconds since 1970 of a date in W3C's profile of ISO 8601, or in epoch seconds.

    Four digits are a year; any other number is epoch seconds.
    """
    if len(text) > 4 and text.isdecimal() and text.isascii():
        return parse_number(text)
    found = _DATE.fullmatch(text)
    if not found:
        return parse_number(text)
    year, month, day, hour, minute, second, fraction, _, sign, zone_h, zone_m = found.groups()
    zone = UTC
    if sign:
        offset = timedelta(hours=int(zone_h), minutes=int(zone_m))
        zone = timezone(-offset if sign == "-" else offset)
    moment = datetime(
        int(year), int(month or 1), int(day or 1), int(hour or 0), int(minute or 0),
        int(second or 0), tzinfo=zone,
    )  # fmt: skip
    return moment.timestamp() + (float(f"0.{fraction}") if fraction else 0.0)


@lru_cache(maxsize=4096)
def parse_ip(text: str) -> Address | None:
    """Return the address; an IPv4 address inside IPv6 is the IPv4 address; None if it is none."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address.version, int(address)


def parse_networks(values: Iterable[str]) -> tuple[Block, ...]:
    """Return the blocks for addresses and CIDRs (host bits may be set, as AWS allows)."""
    return tuple(_block(value) for value in values)


def _block(value: str) -> Block:
    _, slash, length = value.partition("/")
    if slash and not (length.isascii() and length.isdigit()):
        raise ValueError(value)
    network = ipaddress.ip_network(value, strict=False)
    start, mask = int(network.network_address), int(network.netmask)
    if network.version == 6 and network.prefixlen >= 96 and start >> 32 == 0xFFFF:
        # Addresses come in as IPv4 when they are IPv4 inside IPv6: so must blocks.
        return 4, mask & 0xFFFFFFFF, start & 0xFFFFFFFF
    return network.version, mask, start

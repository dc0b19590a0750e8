"""Listening sockets: reserved once by the supervisor, opened by each worker for itself.

The kernel spreads connections over sockets that share a port (SO_REUSEPORT), but then nothing stops
a second server from sharing it as well. So the supervisor first binds the port for itself alone,
which fails if anyone listens there, and keeps that socket, which never listens, for as long as it
runs: whoever else wants the port alone is refused.
"""

import errno
import os
import socket
from typing import NamedTuple

from neve.config import Address
from neve.errors import StoreRefused

BACKLOG = 4096


class Reservation(NamedTuple):
    """A port that belongs to this server, on every address of the host that was asked for."""

    address: Address
    """With the port that the system chose, when it was asked to."""
    sockets: list[socket.socket]

    def close(self) -> None:
        """Give the port back."""
        for each in self.sockets:
            each.close()


def reserve(address: Address, purpose: str, flag: str) -> Reservation:
    """Take a port for this server. Raises: StoreRefused."""
    reserved: list[socket.socket] = []
    port = address.port
    try:
        for family, host in _resolve(address.host):
            each = _socket(family)
            reserved.append(each)
            each.bind((host, port))
            port = each.getsockname()[1]
            # From here on sockets of ours may join, which say the same of themselves.
            each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError as error:
        for each in reserved:
            each.close()
        raise StoreRefused(_explain(address, purpose, flag, error)) from error
    return Reservation(Address(address.host, port), reserved)


def listen(reservation: Reservation) -> list[socket.socket]:
    """Open this process's own listening sockets on the reserved port."""
    opened = []
    for reserved in reservation.sockets:
        each = _socket(reserved.family)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        each.bind(reserved.getsockname()[:2])
        each.listen(BACKLOG)
        each.setblocking(False)
        opened.append(each)
    return opened


def _socket(family: int) -> socket.socket:
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made


def _resolve(host: str) -> list[tuple[int, str]]:
    """Return (family, IP address) of every address to bind; IPv4 alone where IPv6 is off."""
    if not host:
        both = [(int(socket.AF_INET), "0.0.0.0"), (int(socket.AF_INET6), "::")]
        return both if _has_ipv6() else both[:1]
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    pairs = [(int(family), str(where[0])) for family, _, _, _, where in found]
    if len(pairs) > 1 and not _has_ipv6():
        pairs = [pair for pair in pairs if pair[0] == socket.AF_INET]
    return list(dict.fromkeys(pairs))


def _has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def _explain(address: Address, purpose: str, flag: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {address.port} for {purpose} is taken by another program on this machine:"
            f" stop it, or choose another port with {flag} HOST:PORT."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"Port {address.port} for {purpose} needs more rights than this user has:"
            f" choose a port above 1023 with {flag} HOST:PORT."
        )
    if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
        return f"The host of {address} for {purpose} is not an address of this machine."
    return f"{address} for {purpose} cannot be used: {os.strerror(error.errno or 0)}."

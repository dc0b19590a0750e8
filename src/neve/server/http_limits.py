"""The limits of the HTTP front: every size, count and time that a client could stretch has one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds of one server process. Times are kept by a coarse sweep: late by up to two steps."""

    request_line_bytes_max: int = 16 * 1024
    """S3 keys need 3 KiB percent-encoded; presigned queries with session tokens some more."""
    header_bytes_max: int = 64 * 1024
    header_count_max: int = 200
    header_timeout_s: float = 30.0
    """From the first byte of a head (or from accept) to its end."""
    idle_timeout_s: float = 75.0
    """Between two requests of a connection."""
    body_timeout_s: float = 60.0
    """Without a byte of the body while it is wanted."""
    body_rate_min: int = 1024
    """Bytes per second, over each `body_timeout_s` in which the body is wanted."""
    write_timeout_s: float = 60.0
    """Without progress of an answer."""
    linger_timeout_s: float = 10.0
    """How long the rest of a refused body is read and thrown away before the connection is cut."""
    discard_bytes_max: int = 256 * 1024
    """An unread body with no more than this left is skipped and its connection kept."""
    discard_timeout_s: float = 5.0
    trailer_bytes_max: int = 16 * 1024
    gather_bytes_max: int = 80 * 1024
    """A body up to this size is collected before the handler starts, so that it is `ready`."""
    gather_total_bytes_max: int = 64 * 1024 * 1024
    """Of all bodies being collected at one time; over it, handlers start at once and pump."""
    connections_max: int = 20_000

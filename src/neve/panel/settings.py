"""What the panel is told of the server that it belongs to."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the server is, for the panel itself and for the browsers of its users."""

    upstream: str
    """URL over which the panel reaches S3: on this machine."""
    s3_port: int
    s3_secure: bool
    """Whether S3 is served over TLS."""
    region: str
    version: str
    server_url: str = ""
    """Where users reach S3; empty: the host that they reach the panel under, with the S3 port."""
    panel_url: str = ""
    """Where users reach the panel; empty: what their browsers say."""
    on_behalf: Callable[[str, bool], dict[str, str]] = lambda address, secure: {}
    """The headers that tell the server for whose address, and over TLS or not, a request is."""

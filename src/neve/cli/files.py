"""Documents that a verb is given as a file, or on the standard input as `-`."""

import sys
from pathlib import Path

from neve.client.errors import ClientError


def read_document(path: str) -> bytes:
    """Return what is in the file. Raises: ClientError when it cannot be read."""
    if path == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(path).expanduser().read_bytes()
    except OSError as error:
        raise ClientError(f"cannot read {path}: {error.strerror}.", "LocalFile", path) from error

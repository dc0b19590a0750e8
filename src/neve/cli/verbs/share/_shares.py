"""What was shared from here: share.json in the settings' folder, readable by its owner alone.

Links that have ended are left out whenever it is read.
"""

import json
import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from neve.cli.errors import UsageError
from neve.cli.output import Result, Style, to_json
from neve.cli.units import format_duration, format_time, parse_duration
from neve.client.errors import ClientError

EXPIRE_S_MAX = 7 * 86_400


@dataclass(frozen=True)
class Share(Result):
    """A link, or the command of an upload."""

    kind: ClassVar[str] = "share"

    direction: Annotated[str, "`download` or `upload`"]
    target: Annotated[str, "what is shared: alias/bucket/key"]
    url: Annotated[str, "the URL, with its signature"]
    share: Annotated[str, "what to hand on: the URL, or a command of curl"]
    expires: Annotated[datetime, "when it ends"]

    def text(self, style: Style) -> str:
        """What it is about, when it ends, and what to hand on."""
        left = (self.expires - datetime.now(UTC)).total_seconds()
        ends = f"until {format_time(self.expires)} (in {format_duration(max(left, 0))})"
        return f"{style.folder(self.target)}  {style.dim(f'{self.direction} {ends}')}\n{self.share}"


def expiry_of(text: str) -> int:
    """Return the seconds that a link is to live. Raises: UsageError."""
    seconds = int(parse_duration(text))
    if not 0 < seconds <= EXPIRE_S_MAX:
        raise UsageError(f"a link lives from 1s to 7d, not {text}.")
    return seconds


def load(folder: str) -> list[Share]:
    """Return all that still hold. Raises: ClientError when the file cannot be read."""
    path = _file(folder)
    try:
        with open(path) as stream:
            found = json.load(stream)["shares"]
        shares = [_share(entry) for entry in found]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClientError(f"{path} is no list of shares; move it away.", "BadShares") from error
    now = datetime.now(UTC)
    return [share for share in shares if share.expires > now]


def add(folder: str, new: Iterable[Share]) -> None:
    """Write down what was shared now."""
    shares = [*load(folder), *new]
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".share-", dir=folder)
    with os.fdopen(handle, "w") as stream:
        json.dump({"version": "1", "shares": [to_json(each) for each in shares]}, stream, indent=1)
    os.replace(temporary, _file(folder))


def _file(folder: str) -> str:
    return os.path.join(folder, "share.json")


def _share(entry: dict[str, Any]) -> Share:
    return Share(
        entry["direction"],
        entry["target"],
        entry["url"],
        entry["share"],
        datetime.fromisoformat(entry["expires"]),
    )

"""What a version is at its own server, as it is told to one that keeps versions so.

The headers are those of MinIO's replication, which Neve takes from whoever may replicate.
"""

import re
from datetime import UTC, datetime
from typing import NamedTuple

_PARTS = re.compile(r"[0-9a-f]{32}-([1-9][0-9]{0,4})")

STATUS = {"x-amz-replication-status": "REPLICA"}
CHECK = {"x-minio-source-replication-check": "true"}
"""With it a request is only asked whether it would be let in, and is refused if it would."""
CHECKED = "ReplicationPermissionCheck"
"""The code of that refusal."""


class Replica(NamedTuple):
    """A version with what it keeps."""

    version: str
    """`null` for the one that has no id."""
    modified: datetime
    etag: str
    """Empty for a delete marker."""

    @property
    def parts(self) -> int:
        """In how many parts it was written; 0: whole."""
        found = _PARTS.fullmatch(self.etag)
        return int(found[1]) if found else 0

    @property
    def query(self) -> dict[str, str]:
        """What names the version."""
        return {"versionId": self.version}

    @property
    def headers(self) -> dict[str, str]:
        """What tells the rest."""
        moment = self.modified.astimezone(UTC).isoformat(timespec="microseconds")
        time = {"x-minio-source-mtime": moment.replace("+00:00", "Z")}
        if not self.etag:
            return STATUS | time | {"x-minio-source-deletemarker": "true"}
        return STATUS | time | {"x-minio-source-etag": self.etag}

"""A bucket as it was at a moment, from the versions that it keeps.

Of each key the newest version that is not younger counts; where that is a delete marker, there was
nothing. Listings tell whole seconds, so that is how exact it is. Folders are shown when anything is
in them, of whatever time. One call reads a bounded number of versions; a page may be short, and the
next one goes on behind its last key.
"""

from datetime import UTC, datetime

from neve.client.s3 import S3, Object, Page, Prefix

CALLS_MAX = 20
"""Listings for one page, of a thousand versions each."""


def moment(text: str) -> datetime:
    """Return the moment in a text without a zone, which means UTC. Raises: ValueError."""
    found = datetime.fromisoformat(text)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def page(s3: S3, bucket: str, prefix: str, after: str, then: datetime, limit: int) -> Page:
    """Return at most `limit` rows of a folder as of `then`, after a key. Raises: ServerError."""
    found: list[Object | Prefix] = []
    key, version, decided = after, "", ""
    for _ in range(CALLS_MAX):
        part = s3.version_page(bucket, prefix, "/", key, version)
        for row in part.rows:
            if row.key == decided:
                continue
            if isinstance(row, Prefix):
                decided = row.key
                found.append(row)
            elif row.modified <= then:
                decided = row.key
                if not row.marker:
                    found.append(row)
            if len(found) == limit and decided == row.key:
                return Page(found, row.key)
        if not part.after:
            return Page(found, "")
        key, version = part.after, part.version
    return Page(found, decided or key)

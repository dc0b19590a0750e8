"""The format of the catalog file: its mark, its version and the steps from one version to the next.

A step is a file `migrations/NNNN_name.sql`; the version of a catalog (`PRAGMA user_version`) is the
number of its last step. All the steps that an open needs are one transaction: a crash leaves the
old format or the new one.
"""

import re
from pathlib import Path

import apsw

from neve.errors import StoreRefused

APPLICATION_ID = 0x4E455645
"""`NEVE`, at offset 68 of the file."""

PAGE_BYTES = 4096

_FOLDER = Path(__file__).parent / "migrations"
_STEP_NAME = re.compile(r"(\d{4})_\w+\.sql")


def steps() -> list[tuple[int, Path]]:
    """Return (version reached, file) of every step, in order."""
    found = [(_STEP_NAME.fullmatch(file.name), file) for file in _FOLDER.iterdir()]
    return sorted((int(match[1]), file) for match, file in found if match)


def prepare(connection: apsw.Connection, path: str, *, create: bool, readonly: bool) -> None:
    """Bring the catalog to the newest format.

    `create` also makes a catalog out of an empty file, as a crash during creation leaves it.
    Raises: StoreRefused (not a catalog, or written by a newer Neve).
    """
    newest = steps()[-1][0]
    version = _version(connection, path, newest)
    if version == newest:
        return
    if version == 0 and not create:
        raise StoreRefused(f"{path} is empty: it is no Neve catalog")
    if readonly:
        raise StoreRefused(
            f"{path} has format {version}, this Neve works with {newest}:"
            " open it for writing once to bring it up to date"
        )
    if version == 0:
        # Neither can change inside a transaction; on an empty file neither can do harm.
        connection.pragma("page_size", PAGE_BYTES)
        connection.pragma("journal_mode", "wal")
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have done it while this one waited.
        _step_up(connection, _version(connection, path, newest))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _step_up(connection: apsw.Connection, version: int) -> None:
    for number, file in steps():
        if number > version:
            connection.execute(file.read_text(encoding="utf-8")).fetchall()
            connection.pragma("user_version", number)
    connection.pragma("application_id", APPLICATION_ID)


def _version(connection: apsw.Connection, path: str, newest: int) -> int:
    """Return the version of the catalog, 0 for an empty file."""
    mark = connection.pragma("application_id")
    version = int(connection.pragma("user_version"))
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if mark != APPLICATION_ID and (mark or version or tables):
        raise StoreRefused(f"{path} is no Neve catalog: another program wrote it")
    if version > newest:
        raise StoreRefused(
            f"{path} was written by a newer Neve (format {version}, this one knows {newest})"
        )
    return version

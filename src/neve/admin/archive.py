"""Zip archives of settings: small files, read within bounds whatever the archive says of itself."""

import io
import zipfile
import zlib
from collections.abc import Iterable, Iterator

from neve.admin.errors import AdminError

ARCHIVE_BYTES_MAX = 32 << 20
"""Of an archive as it is sent."""
FILES_MAX = 200_000
FILE_BYTES_MAX = 8 << 20
TOTAL_BYTES_MAX = 128 << 20
"""Of all files, unpacked."""


def pack(files: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the archive of the files."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return stream.getvalue()


class Archive:
    """An archive that somebody sent. Raises AdminError InvalidRequest when it is none."""

    def __init__(self, data: bytes) -> None:
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
            raise _broken("the body is not a zip archive") from error
        self._left = TOTAL_BYTES_MAX
        if len(self._zip.infolist()) > FILES_MAX:
            raise _broken("the archive has too many files")

    def names(self) -> list[str]:
        """Return the names of all files."""
        return [info.filename for info in self._zip.infolist() if not info.is_dir()]

    def read(self, name: str) -> bytes:
        """Return a file's bytes; b"" when it is not there. Raises: AdminError."""
        try:
            with self._zip.open(name) as stream:
                # The size that the archive claims is not trusted.
                data = stream.read(min(FILE_BYTES_MAX, self._left) + 1)
        except KeyError:
            return b""
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
            raise _broken(f"{name[:200]} cannot be unpacked") from error
        self._left -= len(data)
        if len(data) > FILE_BYTES_MAX or self._left < 0:
            raise _broken(f"{name[:200]} is too large")
        return data

    def files(self) -> Iterator[tuple[str, str]]:
        """Give (folder, name) of the files that lie in one folder."""
        for path in self.names():
            folder, slash, name = path.rpartition("/")
            if slash and folder and "/" not in folder:
                yield folder, name


def _broken(detail: str) -> AdminError:
    return AdminError("InvalidRequest", detail)

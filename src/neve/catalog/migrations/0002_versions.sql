-- Versions: `object` keeps the current, visible object of each key and nothing else, so that a
-- store without versions pays nothing. '' as version is the null version; '' as owner is the
-- owner of the bucket.

ALTER TABLE object ADD COLUMN version TEXT NOT NULL DEFAULT '';
ALTER TABLE object ADD COLUMN owner TEXT NOT NULL DEFAULT '';

ALTER TABLE tree ADD COLUMN versions INTEGER NOT NULL DEFAULT 0;
ALTER TABLE tree ADD COLUMN markers INTEGER NOT NULL DEFAULT 0;

-- Noncurrent versions and delete markers (etag ''), a marker that is the newest too. `rank` is the
-- seq that the version had as the newest; `seq` is that of the record which tells it.
CREATE TABLE version (
    rank INTEGER NOT NULL,
    tree INTEGER NOT NULL,
    key TEXT NOT NULL,
    seq INTEGER NOT NULL,
    size INTEGER NOT NULL,
    etag TEXT NOT NULL,
    mtime_us INTEGER NOT NULL,
    meta BLOB NOT NULL,
    checksum TEXT,
    blob BLOB NOT NULL,
    version TEXT NOT NULL,
    owner TEXT NOT NULL,
    PRIMARY KEY (tree, key, rank DESC)
) STRICT, WITHOUT ROWID;

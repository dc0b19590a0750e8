-- What principals other than a bucket's owner have in its tree, noncurrent versions included.
CREATE TABLE owner_usage (
    tree INTEGER NOT NULL,
    owner TEXT NOT NULL,
    objects INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (tree, owner)
) STRICT, WITHOUT ROWID;

CREATE INDEX owner_usage_by_owner ON owner_usage (owner);
CREATE INDEX bucket_by_owner ON bucket (owner);

INSERT INTO owner_usage
SELECT tree, owner, count(*), sum(size)
FROM (
    SELECT tree, owner, size FROM object WHERE owner <> ''
    UNION ALL
    SELECT tree, owner, size FROM version WHERE owner <> '' AND etag <> ''
)
GROUP BY tree, owner;

-- What lies under the prefixes that are counted. `upto`: of the keys below it so far; NULL: of all.
CREATE TABLE prefix_usage (
    tree INTEGER NOT NULL,
    prefix TEXT NOT NULL,
    upto TEXT,
    objects INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (tree, prefix)
) STRICT, WITHOUT ROWID;

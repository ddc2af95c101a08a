-- Entries, a table for each tree; the rowid is the index in the tree.
CREATE TABLE entry_ct (
    idx INTEGER PRIMARY KEY,
    body BLOB NOT NULL,
    extra BLOB NOT NULL
) STRICT;
CREATE TABLE entry_rekor2 (
    idx INTEGER PRIMARY KEY,
    body BLOB NOT NULL,
    extra BLOB NOT NULL
) STRICT;

-- Full tiles; id = tree << 56 | level << 48 | index.
CREATE TABLE tile (
    id INTEGER PRIMARY KEY,
    hashes BLOB NOT NULL
) STRICT;

-- The last head of each tree. digest is SHA-256 over the other columns (see rows.rs): no signature
-- covers the time of an artifact log's head.
CREATE TABLE head (
    tree INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    digest BLOB NOT NULL
) STRICT;

-- Dedup and search keys, as sorted runs of fixed records (see keys.rs). Each commit adds a row
-- of records here; when there are enough of them they become a run.
CREATE TABLE key_recent (
    id INTEGER PRIMARY KEY,
    dedup BLOB NOT NULL,
    search BLOB NOT NULL
) STRICT;
-- family: 0 dedup, 1 search. state: 0 being written, 1 live, 2 to be deleted.
CREATE TABLE key_run (
    run INTEGER PRIMARY KEY,
    family INTEGER NOT NULL,
    level INTEGER NOT NULL,
    records INTEGER NOT NULL,
    state INTEGER NOT NULL
) STRICT;
-- The records of runs, some KiB in a row. first is the first record of the row.
CREATE TABLE key_chunk (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    first BLOB NOT NULL,
    records BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX key_chunk_place ON key_chunk (run, first);

-- Audit rows, each with the hash over the one before it and itself.
CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    row BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;

-- Small durable values.
CREATE TABLE value (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- CA certificates that CT entries refer to.
CREATE TABLE issuer (
    fingerprint BLOB PRIMARY KEY,
    der BLOB NOT NULL
) STRICT;

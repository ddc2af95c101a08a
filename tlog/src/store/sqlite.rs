//! The store in one SQLite file: write-ahead log, `synchronous = FULL`, one connection that
//! writes and a few that read.
//!
//! The file is input like any other: parameters are bound, the schema is not trusted, and what is
//! read is checked before it is believed ([`crate::Engine::open`], [`crate::fsck`]).

mod keys;
mod rows;
mod schema;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use merkle::tile::TileId;
use rusqlite::config::DbConfig;
use rusqlite::{
    Connection, ErrorCode, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params,
};

use super::{Commit, CommitError, Row, SignedHead, Store, StoreError, StoredAudit, StoredEntry};
use crate::entry::Tree;
use crate::search::SearchKey;
use keys::Keys;
use rows::{head, tile_row, walk_issuers, walk_tiles, write};

/// A store in one SQLite file (with `-wal` and `-shm` beside it).
///
/// The connections that read are closed before the one that writes: the last to go copies the
/// write-ahead log into the database, which a reader can't, and after a clean stop the one file is
/// all there is.
pub struct SqliteStore {
    path: PathBuf,
    readers: Mutex<Vec<Connection>>,
    writer: Mutex<Writer>,
}

struct Writer {
    connection: Connection,
    /// What is known of the stored keys; `None` until it is needed, and after any failure.
    keys: Option<Keys>,
    /// Bytes written since the write-ahead log was last copied into the database.
    since_checkpoint: usize,
    /// See [`StoreError::FlushFailed`].
    flush_failed: bool,
}

impl SqliteStore {
    /// Opens the database at `path`, and creates it when there is none. An older schema is
    /// migrated.
    ///
    /// # Errors
    /// [`StoreError::NewerSchema`] and [`StoreError::NotOurs`] for a database that this program
    /// must not touch, and the database's own errors.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut connection = Connection::open(path).map_err(failed("opening the database"))?;
        connection
            .execute_batch(&format!("PRAGMA page_size = {PAGE_SIZE}"))
            .map_err(failed("setting up the database"))?;
        set_up(&connection, WRITER_PRAGMAS)?;
        schema::prepare(&mut connection, &path.display().to_string())?;
        let writer = Writer { connection, keys: None, since_checkpoint: 0, flush_failed: false };
        Ok(Self { path: path.to_owned(), writer: Mutex::new(writer), readers: Mutex::default() })
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a read on a connection of the pool. Each statement sees the last commit.
    fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let pooled = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
                let connection = Connection::open_with_flags(&self.path, flags)
                    .map_err(failed("opening the database to read"))?;
                set_up(&connection, READER_PRAGMAS)?;
                connection
            }
        };
        let result = work(&connection);
        let mut readers = self.readers.lock().unwrap_or_else(PoisonError::into_inner);
        if result.is_ok() && readers.len() < MAX_READERS {
            readers.push(connection);
        }
        result
    }
}

impl Store for SqliteStore {
    fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        let mut writer = self.writer();
        if writer.flush_failed {
            return Err(CommitError::NotPersisted(StoreError::FlushFailed));
        }
        // Taken out, and put back only when all went well: after a failure it is loaded anew.
        let known = writer.keys.take();
        let transaction = writer
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(not_persisted("beginning a transaction"))?;
        // The write lock is held from here on, so the heads that are compared can't move before
        // the commit, in this process or another.
        for part in &commit.trees {
            let found = head(&transaction, part.tree).map_err(CommitError::NotPersisted)?;
            if found != part.expected {
                return Err(CommitError::HeadMoved { tree: part.tree });
            }
        }
        let mut keys = match known {
            Some(keys) if keys.is_current(&transaction).map_err(CommitError::NotPersisted)? => keys,
            // Another connection wrote. Heads are as expected, but duplicates were looked for in
            // runs of keys that may have been merged away, so they have to be looked for again.
            Some(_) if let Some(part) = commit.trees.first() => {
                return Err(CommitError::HeadMoved { tree: part.tree });
            }
            _ => Keys::load(&transaction).map_err(CommitError::NotPersisted)?,
        };
        let written = write(&transaction, &mut keys, commit).map_err(CommitError::NotPersisted)?;
        if let Err(error) = transaction.commit() {
            writer.flush_failed |= is_flush(&error);
            return Err(match error.sqlite_error_code() {
                Some(ErrorCode::DatabaseBusy) => not_persisted("committing")(error),
                _ => CommitError::Unknown(failed("committing")(error)),
            });
        }
        writer.keys = Some(keys);
        writer.since_checkpoint += written;
        writer.copy_back();
        Ok(())
    }

    fn load(&self, tree: Tree) -> Result<Option<SignedHead>, StoreError> {
        if self.writer().flush_failed {
            return Err(StoreError::FlushFailed);
        }
        self.read(|connection| head(connection, tree))
    }

    fn entries(&self, tree: Tree, first: u64, max: usize) -> Result<Vec<StoredEntry>, StoreError> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached(match tree {
                    Tree::Ct => {
                        "SELECT idx, body, extra FROM entry_ct WHERE idx >= ?1 ORDER BY idx LIMIT ?2"
                    }
                    Tree::Rekor2 => {
                        "SELECT idx, body, extra FROM entry_rekor2 WHERE idx >= ?1 ORDER BY idx LIMIT ?2"
                    }
                })
                .map_err(failed("reading entries"))?;
            let rows = statement
                .query_map(params![signed(first), signed(max as u64)], |row| {
                    Ok(StoredEntry {
                        index: index_of(row, 0)?,
                        body: row.get_ref(1)?.as_blob()?.into(),
                        extra: row.get_ref(2)?.as_blob()?.into(),
                    })
                })
                .map_err(failed("reading entries"))?;
            rows.collect::<Result<_, _>>().map_err(failed("reading entries"))
        })
    }

    fn tile(&self, tree: Tree, tile: TileId) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT hashes FROM tile WHERE id = ?1")
                .map_err(failed("reading a tile"))?;
            let found = statement.query_row([tile_row(tree, tile)], |row| row.get(0));
            found.optional().map_err(failed("reading a tile"))
        })
    }

    fn find_duplicate(&self, tree: Tree, identity: &[u8; 32]) -> Result<Option<u64>, StoreError> {
        let mut writer = self.writer();
        let Writer { connection, keys, .. } = &mut *writer;
        if keys.is_none() {
            *keys = Some(Keys::load(&*snapshot(connection)?)?);
        }
        keys.as_ref().map_or(Ok(None), |keys| keys.find(connection, tree, identity))
    }

    fn search(&self, key: &SearchKey, max: usize) -> Result<Vec<(Tree, u64)>, StoreError> {
        self.read(|connection| keys::search(&*snapshot(connection)?, key, max))
    }

    fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|connection| {
            connection
                .query_row("SELECT value FROM value WHERE name = ?1", [name], |row| row.get(0))
                .optional()
                .map_err(failed("reading a value"))
        })
    }

    fn issuer(&self, fingerprint: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        self.read(|connection| {
            let sql = "SELECT der FROM issuer WHERE fingerprint = ?1";
            connection
                .query_row(sql, [fingerprint], |row| row.get(0))
                .optional()
                .map_err(failed("reading an issuer"))
        })
    }

    fn audit(&self, first: u64, max: usize) -> Result<Vec<StoredAudit>, StoreError> {
        self.read(|connection| {
            let sql =
                "SELECT number, row, hash FROM audit WHERE number >= ?1 ORDER BY number LIMIT ?2";
            let mut statement =
                connection.prepare_cached(sql).map_err(failed("reading audit rows"))?;
            let rows = statement
                .query_map(params![signed(first), signed(max as u64)], |row| {
                    Ok(StoredAudit {
                        number: index_of(row, 0)?,
                        row: row.get(1)?,
                        hash: row.get(2)?,
                    })
                })
                .map_err(failed("reading audit rows"))?;
            rows.collect::<Result<_, _>>().map_err(failed("reading audit rows"))
        })
    }

    fn walk(&self, visit: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        self.read(|connection| {
            let check = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
            let verdict: String = check.map_err(failed("checking the database file"))?;
            if verdict != "ok" {
                visit(Row::Malformed {
                    table: "sqlite_schema",
                    what: "SQLite finds pages damaged",
                });
            }
            let connection = &*snapshot(connection)?;
            keys::walk(connection, visit)?;
            walk_tiles(connection, visit)?;
            walk_issuers(connection, visit)
        })
    }
}

impl Writer {
    /// Copies the write-ahead log into the database once enough of it is new. Done here and not by
    /// SQLite's own hook, because that drops the error of a failed flush, after which the log
    /// would be overwritten although its pages never reached the disk.
    fn copy_back(&mut self) {
        if self.since_checkpoint < CHECKPOINT_BYTES {
            return;
        }
        self.since_checkpoint = 0;
        let copied = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        if let Err(error) = copied {
            self.flush_failed |= is_flush(&error);
            tracing::error!(%error, "the write-ahead log was not copied into the database");
        }
    }
}

/// A read transaction, so that several statements see the same commit.
fn snapshot(connection: &Connection) -> Result<Transaction<'_>, StoreError> {
    connection.unchecked_transaction().map_err(failed("beginning to read"))
}

fn set_up(connection: &Connection, pragmas: &str) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed("setting up the database"))?;
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)
        .map_err(failed("setting up the database"))?;
    // Two that open a fresh database at once want the same lock to make it a write-ahead one, and
    // SQLite does not wait for that lock by itself.
    let began = Instant::now();
    loop {
        match connection.execute_batch(pragmas) {
            Err(error) if is_busy(&error) && began.elapsed() < BUSY_TIMEOUT => {
                std::thread::sleep(BUSY_PAUSE);
            }
            done => return done.map_err(failed("setting up the database")),
        }
    }
}

/// SQLite's integers are signed. Ours stay below 2^63 by far: an index has 40 bits, a time 44.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn index_of(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

fn is_flush(error: &rusqlite::Error) -> bool {
    error.sqlite_error().is_some_and(|error| FLUSH_ERRORS.contains(&error.extended_code))
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

fn failed(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> StoreError {
    move |error| match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        _ => StoreError::Failed { doing, reason: error.to_string() },
    }
}

fn not_persisted(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> CommitError {
    move |error| CommitError::NotPersisted(failed(doing)(error))
}

/// `synchronous = FULL` flushes the write-ahead log in every commit. `fullfsync` is what a flush
/// takes on macOS. Checkpoints are run by [`Writer::copy_back`].
const WRITER_PRAGMAS: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA fullfsync = ON;
    PRAGMA checkpoint_fullfsync = ON;
    PRAGMA wal_autocheckpoint = 0;
    PRAGMA cache_size = -8192;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;";

const READER_PRAGMAS: &str = "
    PRAGMA query_only = ON;
    PRAGMA cache_size = -1024;
    PRAGMA temp_store = MEMORY;
    PRAGMA trusted_schema = OFF;
    PRAGMA cell_size_check = ON;";

/// Bodies are about 1.5 KB. Smaller pages leave much of themselves unused, larger ones make a commit
/// of one entry write more than it needs.
const PAGE_SIZE: u32 = 8192;
const CHECKPOINT_BYTES: usize = 16 << 20;
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
const BUSY_PAUSE: Duration = Duration::from_millis(5);
const MAX_READERS: usize = 4;

/// SQLITE_IOERR_FSYNC and SQLITE_IOERR_DIR_FSYNC.
const FLUSH_ERRORS: [i32; 2] = [10 | 4 << 8, 10 | 5 << 8];

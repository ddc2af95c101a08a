//! One sorted run: written once, looked into, merged into a larger one, deleted.

use rusqlite::{Connection, OptionalExtension, params};

use super::filter::Filter;
use crate::entry::Tree;
use crate::search::{SEARCH_KEY_LEN, SearchKey};
use crate::store::sqlite::failed;
use crate::store::{Row, StoreError};

/// A kind of key. A record is the key, the tree (one byte) and the index (five bytes), so that
/// records sort by key, then tree, then index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Dedup,
    Search,
}

impl Family {
    pub(super) const fn width(self) -> usize {
        match self {
            Self::Dedup => DEDUP_WIDTH,
            Self::Search => SEARCH_KEY_LEN + PLACE_LEN,
        }
    }

    /// The record as what it says.
    pub(super) fn row(self, record: &[u8]) -> Row {
        let malformed = Row::Malformed { table: "key_chunk", what: "a tree that does not exist" };
        let Some((tree, index)) = index(record) else { return malformed };
        match self {
            Self::Dedup => record.first_chunk().map_or(malformed, |identity| Row::Dedup {
                tree,
                identity: *identity,
                index,
            }),
            Self::Search => record.first_chunk().map_or(malformed, |key| Row::Search {
                tree,
                key: SearchKey::from_bytes(*key),
                index,
            }),
        }
    }

    fn from_id(id: i64) -> Self {
        if id == 0 { Self::Dedup } else { Self::Search }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Unfinished,
    Live,
    Garbage,
}

/// A run, as its row in `key_run` says.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) id: i64,
    pub(super) family: Family,
    pub(super) level: u8,
    records: usize,
    filter: Option<std::sync::Arc<Filter>>,
}

impl Run {
    pub(super) fn records(&self) -> usize {
        self.records
    }

    /// Whether an identity can be in this run at all.
    pub(super) fn may_hold(&self, identity: &[u8; 32]) -> bool {
        self.family == Family::Dedup
            && self.filter.as_ref().is_none_or(|filter| filter.may_hold(identity))
    }

    /// The index under a dedup key (identity and tree).
    pub(super) fn find(
        &self,
        connection: &Connection,
        key: &[u8; 33],
    ) -> Result<Option<u64>, StoreError> {
        let mut bound = key.to_vec();
        bound.extend_from_slice(&[0xff; 5]);
        let Some((_, records)) = chunk_at(connection, self.id, &bound)? else { return Ok(None) };
        let (records, _) = records.as_chunks::<DEDUP_WIDTH>();
        let at = records.partition_point(|record| record.as_slice() < key.as_slice());
        let record = records.get(at).filter(|record| record.starts_with(key));
        Ok(record.and_then(|record| index(record)).map(|(_, index)| index))
    }

    /// Adds up to `max` places under a search key.
    pub(super) fn collect(
        &self,
        connection: &Connection,
        key: &[u8; SEARCH_KEY_LEN],
        max: usize,
        found: &mut Vec<(Tree, u64)>,
    ) -> Result<(), StoreError> {
        let mut chunk = match chunk_at(connection, self.id, key)? {
            None => chunk_after(connection, self.id, key)?,
            chunk => chunk,
        };
        let mut count = 0;
        while let Some((first, records)) = chunk {
            for record in records.chunks_exact(self.family.width()) {
                if record.starts_with(key) && count < max {
                    found.extend(index(record));
                    count += 1;
                }
            }
            let past = first.as_slice() > key.as_slice() && !first.starts_with(key);
            if past || count >= max {
                break;
            }
            chunk = chunk_after(connection, self.id, &first)?;
        }
        Ok(())
    }

    /// Shows every record, and checks that the run is whole and sorted, without which lookups
    /// would miss keys that are there.
    pub(super) fn walk(
        &self,
        connection: &Connection,
        visit: &mut dyn FnMut(Row),
    ) -> Result<(), StoreError> {
        let mut malformed = |what| visit(Row::Malformed { table: "key_chunk", what });
        let width = self.family.width();
        let (mut last, mut count) = (Vec::new(), 0);
        each_chunk(connection, self.id, &mut |first, records| {
            if !records.starts_with(first) || first.len() != width {
                malformed("a row whose first record is another");
            }
            if records.len() % width != 0 {
                malformed("a record that is cut short");
            }
            for record in records.chunks_exact(width) {
                if count > 0 && record <= last.as_slice() {
                    malformed("records out of order");
                }
                last.clear();
                last.extend_from_slice(record);
                count += 1;
            }
        })?;
        if count != self.records {
            malformed("a run with more or fewer records than it says");
        }
        each_chunk(connection, self.id, &mut |_, records| {
            records.chunks_exact(width).for_each(|record| visit(self.family.row(record)));
        })
    }

    /// The run with a filter made of its keys.
    pub(super) fn with_filter(mut self, connection: &Connection) -> Result<Self, StoreError> {
        if self.family == Family::Dedup {
            let mut filter = Filter::for_keys(self.records);
            each_chunk(connection, self.id, &mut |_, records| {
                let records = records.as_chunks::<DEDUP_WIDTH>().0.iter();
                records.filter_map(|record| record.first_chunk()).for_each(|key| filter.add(key));
            })?;
            self.filter = Some(filter.into());
        }
        Ok(self)
    }
}

/// Every run with its state, oldest first.
pub(super) fn list(connection: &Connection) -> Result<Vec<(Run, State)>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT run, family, level, records, state FROM key_run ORDER BY run")
        .map_err(failed("listing runs of keys"))?;
    let rows = statement.query_map([], |row| {
        let run = Run {
            id: row.get(0)?,
            family: Family::from_id(row.get(1)?),
            level: row.get(2)?,
            records: row.get::<_, u32>(3)? as usize,
            filter: None,
        };
        let state = match row.get::<_, i64>(4)? {
            0 => State::Unfinished,
            1 => State::Live,
            _ => State::Garbage,
        };
        Ok((run, state))
    });
    rows.and_then(Iterator::collect).map_err(failed("listing runs of keys"))
}

/// Sorts records and writes them as a run of the lowest level.
pub(super) fn write_sorted(
    connection: &Connection,
    id: i64,
    family: Family,
    records: &[u8],
) -> Result<Run, StoreError> {
    let mut sorted: Vec<&[u8]> = records.chunks_exact(family.width()).collect();
    sorted.sort_unstable();
    sorted.dedup();
    let mut output = Output::start(connection, id, family, 0, sorted.len())?;
    for record in sorted {
        output.push(connection, record)?;
    }
    output.finish(connection)
}

/// Deletes up to `max` rows of a run; answers whether it is gone.
pub(super) fn delete_some(
    connection: &Connection,
    run: i64,
    max: usize,
) -> Result<bool, StoreError> {
    let sql =
        "DELETE FROM key_chunk WHERE id IN (SELECT id FROM key_chunk WHERE run = ?1 LIMIT ?2)";
    let deleted = connection
        .prepare_cached(sql)
        .and_then(|mut delete| delete.execute(params![run, max as i64]))
        .map_err(failed("deleting a merged run"))?;
    if deleted < max {
        connection
            .prepare_cached("DELETE FROM key_run WHERE run = ?1")
            .and_then(|mut delete| delete.execute([run]))
            .map_err(failed("deleting a merged run"))?;
    }
    Ok(deleted < max)
}

/// Writes a run, record by record in order.
pub(super) struct Output {
    id: i64,
    pub(super) family: Family,
    pub(super) level: u8,
    records: usize,
    filter: Option<Filter>,
    chunk: Vec<u8>,
}

impl Output {
    pub(super) fn start(
        connection: &Connection,
        id: i64,
        family: Family,
        level: u8,
        records: usize,
    ) -> Result<Self, StoreError> {
        let sql =
            "INSERT INTO key_run (run, family, level, records, state) VALUES (?1, ?2, ?3, 0, 0)";
        let number = i64::from(family == Family::Search);
        connection
            .prepare_cached(sql)
            .and_then(|mut insert| insert.execute(params![id, number, level]))
            .map_err(failed("writing a run of keys"))?;
        let filter = (family == Family::Dedup).then(|| Filter::for_keys(records));
        let chunk = Vec::with_capacity(CHUNK_BYTES);
        Ok(Self { id, family, level, records: 0, filter, chunk })
    }

    pub(super) fn push(
        &mut self,
        connection: &Connection,
        record: &[u8],
    ) -> Result<(), StoreError> {
        if let (Some(filter), Some(key)) = (&mut self.filter, record.first_chunk()) {
            filter.add(key);
        }
        self.chunk.extend_from_slice(record);
        self.records += 1;
        if self.chunk.len() + record.len() > CHUNK_BYTES {
            self.flush(connection)?;
        }
        Ok(())
    }

    fn flush(&mut self, connection: &Connection) -> Result<(), StoreError> {
        if let Some(first) = self.chunk.get(..self.family.width()) {
            connection
                .prepare_cached("INSERT INTO key_chunk (run, first, records) VALUES (?1, ?2, ?3)")
                .and_then(|mut insert| insert.execute(params![self.id, first, self.chunk]))
                .map_err(failed("writing a run of keys"))?;
        }
        self.chunk.clear();
        Ok(())
    }

    pub(super) fn finish(mut self, connection: &Connection) -> Result<Run, StoreError> {
        self.flush(connection)?;
        connection
            .prepare_cached("UPDATE key_run SET records = ?2, state = 1 WHERE run = ?1")
            .and_then(|mut update| update.execute(params![self.id, self.records as i64]))
            .map_err(failed("writing a run of keys"))?;
        let Self { id, family, level, records, filter, .. } = self;
        Ok(Run { id, family, level, records, filter: filter.map(Into::into) })
    }
}

/// Marks a run as merged: no longer looked into, and to be deleted.
pub(super) fn set_garbage(connection: &Connection, run: i64) -> Result<(), StoreError> {
    connection
        .prepare_cached("UPDATE key_run SET state = 2 WHERE run = ?1")
        .and_then(|mut update| update.execute([run]))
        .map(drop)
        .map_err(failed("writing a run of keys"))
}

pub(super) type Chunk = (Vec<u8>, Vec<u8>);

/// The last row whose first record is not after `bound`.
fn chunk_at(connection: &Connection, run: i64, bound: &[u8]) -> Result<Option<Chunk>, StoreError> {
    chunk(
        connection,
        "SELECT first, records FROM key_chunk WHERE run = ?1 AND first <= ?2
            ORDER BY first DESC LIMIT 1",
        run,
        bound,
    )
}

/// The first row whose first record is after `bound`.
pub(super) fn chunk_after(
    connection: &Connection,
    run: i64,
    bound: &[u8],
) -> Result<Option<Chunk>, StoreError> {
    chunk(
        connection,
        "SELECT first, records FROM key_chunk WHERE run = ?1 AND first > ?2
            ORDER BY first LIMIT 1",
        run,
        bound,
    )
}

fn chunk(
    connection: &Connection,
    sql: &str,
    run: i64,
    bound: &[u8],
) -> Result<Option<Chunk>, StoreError> {
    connection
        .prepare_cached(sql)
        .and_then(|mut statement| {
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            statement.query_row(params![run, bound], read).optional()
        })
        .map_err(failed("reading keys"))
}

fn each_chunk(
    connection: &Connection,
    run: i64,
    visit: &mut dyn FnMut(&[u8], &[u8]),
) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT first, records FROM key_chunk WHERE run = ?1 ORDER BY first")
        .map_err(failed("reading keys"))?;
    let mut rows = statement.query([run]).map_err(failed("reading keys"))?;
    while let Some(row) = rows.next().map_err(failed("reading keys"))? {
        let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
        let first = blob(0).map_err(failed("reading keys"))?;
        visit(first, blob(1).map_err(failed("reading keys"))?);
    }
    Ok(())
}

/// Tree and index as they end a record.
pub(super) fn place(tree: Tree, index: u64) -> [u8; PLACE_LEN] {
    let [a, b, c, d, e] = index_bytes(index);
    [tree.id(), a, b, c, d, e]
}

pub(super) fn index_bytes(index: u64) -> [u8; 5] {
    let [_, _, _, bytes @ ..] = index.to_be_bytes();
    bytes
}

/// The tree and index that end a record.
pub(super) fn index(record: &[u8]) -> Option<(Tree, u64)> {
    let [tree, a, b, c, d, e] = *record.last_chunk()?;
    Some((Tree::from_id(tree)?, u64::from_be_bytes([0, 0, 0, a, b, c, d, e])))
}

pub(super) const DEDUP_WIDTH: usize = 32 + PLACE_LEN;
const PLACE_LEN: usize = 6;
const CHUNK_BYTES: usize = 3968;

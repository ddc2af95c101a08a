//! Dedup and search keys, as sorted runs.
//!
//! Keys are hashes: each new one belongs somewhere else in a sorted table, and a B-tree of a
//! million of them would write a whole page for every key. So they are written in order of arrival
//! (`key_recent`, one row for a commit), sorted into a run when there are some thousands, and
//! eight runs of a level are merged into one of the next, a little in every commit. What a key
//! costs is a few sequential copies, whatever the size of the log. All of it happens inside the
//! commit that brings the keys, so they are never behind the entries.

mod filter;
mod merge;
mod run;

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::failed;
use crate::entry::Tree;
use crate::search::SearchKey;
use crate::store::{NewEntry, Row, StoreError};
use merge::Merge;
use run::{Family, Run, State};

/// What the writer knows of the stored keys.
pub(super) struct Keys {
    /// SQLite's data version: changes when another connection commits.
    version: i64,
    runs: Vec<Run>,
    merges: Vec<Merge>,
    garbage: Vec<i64>,
    next_run: i64,
    /// Records in `key_recent`, by dedup key; search records are only kept sorted when a run is
    /// made of them.
    dedup: HashMap<[u8; 33], u64>,
    search: Vec<u8>,
    /// Records of the commit that is being written.
    new_dedup: Vec<u8>,
    new_search: Vec<u8>,
}

impl Keys {
    /// Reads what is stored, inside a transaction.
    pub(super) fn load(connection: &Connection) -> Result<Self, StoreError> {
        let mut keys = Self {
            version: data_version(connection)?,
            runs: Vec::new(),
            merges: Vec::new(),
            garbage: Vec::new(),
            next_run: 1,
            dedup: HashMap::new(),
            search: Vec::new(),
            new_dedup: Vec::new(),
            new_search: Vec::new(),
        };
        for (run, state) in run::list(connection)? {
            keys.next_run = keys.next_run.max(run.id + 1);
            match state {
                State::Live => keys.runs.push(run.with_filter(connection)?),
                // A merge that its writer did not finish starts again from its inputs.
                State::Unfinished | State::Garbage => keys.garbage.push(run.id),
            }
        }
        let mut recent = Vec::new();
        each_recent(connection, &mut |dedup, search| {
            recent.extend_from_slice(dedup);
            keys.search.extend_from_slice(search);
        })?;
        keys.remember(&recent);
        Ok(keys)
    }

    /// Whether no other connection has written since.
    pub(super) fn is_current(&self, connection: &Connection) -> Result<bool, StoreError> {
        Ok(data_version(connection)? == self.version)
    }

    /// The index of the entry with this identity.
    pub(super) fn find(
        &self,
        connection: &Connection,
        tree: Tree,
        identity: &[u8; 32],
    ) -> Result<Option<u64>, StoreError> {
        let mut key = [0; 33];
        key[..32].copy_from_slice(identity);
        key[32] = tree.id();
        if let Some(index) = self.dedup.get(&key) {
            return Ok(Some(*index));
        }
        for run in &self.runs {
            if run.may_hold(identity)
                && let Some(index) = run.find(connection, &key)?
            {
                return Ok(Some(index));
            }
        }
        Ok(None)
    }

    /// Takes the keys of new entries.
    pub(super) fn add(&mut self, tree: Tree, entries: &[NewEntry]) {
        for entry in entries {
            let place = run::place(tree, entry.index);
            self.new_dedup.extend_from_slice(&entry.dedup);
            self.new_dedup.extend_from_slice(&place);
            for key in &entry.search {
                self.new_search.extend_from_slice(key.as_bytes());
                self.new_search.extend_from_slice(&place);
            }
        }
    }

    /// Writes what was taken, and does a commit's share of the merging.
    pub(super) fn write(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let dedup = std::mem::take(&mut self.new_dedup);
        let search = std::mem::take(&mut self.new_search);
        if dedup.is_empty() {
            return Ok(());
        }
        self.remember(&dedup);
        self.search.extend_from_slice(&search);
        if self.dedup.len() < RECENT_ENTRIES {
            connection
                .prepare_cached("INSERT INTO key_recent (dedup, search) VALUES (?1, ?2)")
                .and_then(|mut insert| insert.execute(params![dedup, search]))
                .map_err(failed("writing keys"))?;
        } else {
            self.spill(connection)?;
        }
        let entries = dedup.len() / Family::Dedup.width();
        self.merge(connection, Family::Dedup, entries)?;
        self.merge(connection, Family::Search, search.len() / Family::Search.width())?;
        self.delete_garbage(connection, entries)
    }

    fn remember(&mut self, dedup: &[u8]) {
        for record in dedup.as_chunks::<{ run::DEDUP_WIDTH }>().0 {
            if let (Some(key), Some((_, index))) = (record.first_chunk(), run::index(record)) {
                self.dedup.insert(*key, index);
            }
        }
    }

    /// Makes runs of the recent records.
    fn spill(&mut self, connection: &Connection) -> Result<(), StoreError> {
        let mut dedup = Vec::with_capacity(self.dedup.len() * Family::Dedup.width());
        for (key, index) in self.dedup.drain() {
            dedup.extend_from_slice(&key);
            dedup.extend_from_slice(&run::index_bytes(index));
        }
        let search = std::mem::take(&mut self.search);
        for (family, records) in [(Family::Dedup, dedup), (Family::Search, search)] {
            if records.is_empty() {
                continue;
            }
            let id = self.take_id();
            self.runs.push(run::write_sorted(connection, id, family, &records)?);
        }
        connection
            .prepare_cached("DELETE FROM key_recent")
            .and_then(|mut delete| delete.execute([]))
            .map_err(failed("writing keys"))?;
        Ok(())
    }

    /// Starts merges where a level is full, and moves all of a family's on by twice what came in:
    /// that finishes each before its level is full again.
    fn merge(
        &mut self,
        connection: &Connection,
        family: Family,
        new_records: usize,
    ) -> Result<(), StoreError> {
        for level in 0..MAX_LEVEL {
            let here = |run: &&Run| run.family == family && run.level == level;
            let inputs: Vec<Run> = self.runs.iter().filter(here).take(FAN).cloned().collect();
            let busy = self.merges.iter().any(|m| m.family() == family && m.level() == level + 1);
            if inputs.len() == FAN && !busy {
                let id = self.take_id();
                self.merges.push(Merge::start(connection, id, inputs)?);
            }
        }
        let mut left = Vec::new();
        for mut merge in std::mem::take(&mut self.merges) {
            if merge.family() == family {
                merge.advance(connection, 2 * new_records + MIN_MERGE)?;
            }
            if merge.is_done() {
                let (output, inputs) = merge.finish(connection)?;
                self.runs.retain(|run| !inputs.contains(&run.id));
                self.runs.push(output);
                self.garbage.extend(inputs);
            } else {
                left.push(merge);
            }
        }
        self.merges = left;
        Ok(())
    }

    /// Deletes rows of merged runs, about as many as are written.
    fn delete_garbage(
        &mut self,
        connection: &Connection,
        entries: usize,
    ) -> Result<(), StoreError> {
        let Some(run) = self.garbage.first().copied() else { return Ok(()) };
        if run::delete_some(connection, run, entries / 16 + 8)? {
            self.garbage.remove(0);
        }
        Ok(())
    }

    fn take_id(&mut self) -> i64 {
        self.next_run += 1;
        self.next_run - 1
    }
}

/// Entries under a search key, inside a read transaction.
pub(super) fn search(
    connection: &Connection,
    key: &SearchKey,
    max: usize,
) -> Result<Vec<(Tree, u64)>, StoreError> {
    let mut found = Vec::new();
    for (run, state) in run::list(connection)? {
        if run.family == Family::Search && state == State::Live {
            run.collect(connection, key.as_bytes(), max, &mut found)?;
        }
    }
    each_recent(connection, &mut |_, search| {
        let records = search.chunks_exact(Family::Search.width());
        found.extend(records.filter(|r| r.starts_with(key.as_bytes())).filter_map(run::index));
    })?;
    found.sort_unstable();
    found.dedup();
    found.truncate(max);
    Ok(found)
}

/// Shows every key, and whatever is wrong with the way they are stored.
pub(super) fn walk(connection: &Connection, visit: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
    for (run, state) in run::list(connection)? {
        if state == State::Live {
            run.walk(connection, visit)?;
        }
    }
    each_recent(connection, &mut |dedup, search| {
        for (family, records) in [(Family::Dedup, dedup), (Family::Search, search)] {
            if records.len() % family.width() != 0 {
                visit(Row::Malformed { table: "key_recent", what: "a record that is cut short" });
            }
            records.chunks_exact(family.width()).for_each(|record| visit(family.row(record)));
        }
    })
}

fn each_recent(
    connection: &Connection,
    visit: &mut dyn FnMut(&[u8], &[u8]),
) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT dedup, search FROM key_recent ORDER BY id")
        .map_err(failed("reading keys"))?;
    let mut rows = statement.query([]).map_err(failed("reading keys"))?;
    while let Some(row) = rows.next().map_err(failed("reading keys"))? {
        let blob = |column| row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from);
        let dedup = blob(0).map_err(failed("reading keys"))?;
        visit(dedup, blob(1).map_err(failed("reading keys"))?);
    }
    Ok(())
}

fn data_version(connection: &Connection) -> Result<i64, StoreError> {
    connection
        .prepare_cached("PRAGMA data_version")
        .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
        .map_err(failed("reading the data version"))
}

const RECENT_ENTRIES: usize = 1024;
const FAN: usize = 8;
const MAX_LEVEL: u8 = 12;
const MIN_MERGE: usize = 256;

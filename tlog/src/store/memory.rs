//! The hostile double: a store in memory that fails in every way a real one can, on demand. For
//! tests of the engine and of whatever runs on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use merkle::tile::TileId;

use super::{
    Commit, CommitError, Issuer, Row, SignedHead, Store, StoreError, StoredAudit, StoredEntry,
    chain,
};
use crate::entry::Tree;
use crate::search::SearchKey;

/// A store in memory, with faults to inject.
#[derive(Default)]
pub struct MemoryStore {
    data: Mutex<Data>,
    faults: Mutex<Faults>,
}

/// How an operation goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The operation is well.
    None,
    /// It fails and had no effect, and a commit says so.
    FailCleanly,
    /// It fails and had no effect, and a commit does not know.
    FailAndDrop,
    /// It fails, but a commit had all of its effect.
    FailButPersist,
    /// It succeeds, but then a bit of the last entry that it stored flips.
    FlipBitAfter,
    /// It fails because the volume is full.
    Full,
}

#[derive(Default)]
struct Faults {
    next_commits: VecDeque<Fault>,
    /// Counts down over all operations; the one that reaches 0 fails.
    countdown: Option<(u64, Fault)>,
    operations: u64,
}

#[derive(Default)]
struct Data {
    heads: BTreeMap<Tree, SignedHead>,
    entries: BTreeMap<(Tree, u64), StoredEntry>,
    tiles: BTreeMap<(Tree, TileId), Vec<u8>>,
    dedup: BTreeMap<(Tree, [u8; 32]), u64>,
    search: BTreeSet<(SearchKey, Tree, u64)>,
    values: BTreeMap<String, Vec<u8>>,
    issuers: BTreeMap<[u8; 32], Issuer>,
    audit: Vec<StoredAudit>,
    commits: u64,
}

impl MemoryStore {
    /// An empty store that works.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next commits go like this, one after the other.
    pub fn inject(&self, faults: impl IntoIterator<Item = Fault>) {
        self.faults().next_commits.extend(faults);
    }

    /// The `n`-th operation from now (0 is the next one) goes like this.
    pub fn inject_at(&self, n: u64, fault: Fault) {
        self.faults().countdown = Some((n, fault));
    }

    /// Forgets all faults.
    pub fn heal(&self) {
        let mut faults = self.faults();
        faults.next_commits.clear();
        faults.countdown = None;
    }

    /// How many operations there were, of every kind.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.faults().operations
    }

    /// How many commits had an effect.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.data().commits
    }

    /// Flips the lowest bit of the first byte of an entry.
    pub fn flip_bit(&self, tree: Tree, index: u64) {
        if let Some(entry) = self.data().entries.get_mut(&(tree, index)) {
            flip(entry);
        }
    }

    /// Goes back to an earlier copy, as a restored backup does.
    pub fn restore(&self, backup: &Self) {
        let backup = backup.copy();
        *self.data() = std::mem::take(&mut *backup.data());
    }

    /// A copy of the data, without faults.
    #[must_use]
    pub fn copy(&self) -> Self {
        let data = self.data();
        let copy = Data {
            heads: data.heads.clone(),
            entries: data.entries.clone(),
            tiles: data.tiles.clone(),
            dedup: data.dedup.clone(),
            search: data.search.clone(),
            values: data.values.clone(),
            issuers: data.issuers.clone(),
            audit: data.audit.clone(),
            commits: data.commits,
        };
        Self { data: Mutex::new(copy), faults: Mutex::default() }
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn step(&self) -> Fault {
        let mut faults = self.faults();
        faults.operations += 1;
        match faults.countdown.take() {
            Some((0, fault)) => fault,
            later => {
                faults.countdown = later.map(|(left, fault)| (left - 1, fault));
                Fault::None
            }
        }
    }

    fn reading(&self) -> Result<MutexGuard<'_, Data>, StoreError> {
        match self.step() {
            Fault::None | Fault::FlipBitAfter => Ok(self.data()),
            Fault::Full => Err(StoreError::Full),
            _ => Err(injected("reading")),
        }
    }
}

impl Store for MemoryStore {
    fn load(&self, tree: Tree) -> Result<Option<SignedHead>, StoreError> {
        Ok(self.reading()?.heads.get(&tree).cloned())
    }

    fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        let queued = self.faults().next_commits.pop_front();
        let fault = match self.step() {
            Fault::None => queued.unwrap_or(Fault::None),
            fault => fault,
        };
        let mut data = self.data();
        for part in &commit.trees {
            if data.heads.get(&part.tree) != part.expected.as_ref() {
                return Err(CommitError::HeadMoved { tree: part.tree });
            }
        }
        match fault {
            Fault::FailCleanly => return Err(CommitError::NotPersisted(injected("committing"))),
            Fault::Full => return Err(CommitError::NotPersisted(StoreError::Full)),
            Fault::FailAndDrop => return Err(CommitError::Unknown(injected("committing"))),
            Fault::None | Fault::FailButPersist | Fault::FlipBitAfter => {}
        }
        let last = data.apply(commit)?;
        match (fault, last) {
            (Fault::FailButPersist, _) => Err(CommitError::Unknown(injected("committing"))),
            (Fault::FlipBitAfter, Some(last)) => {
                data.entries.get_mut(&last).map(flip);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn entries(&self, tree: Tree, first: u64, max: usize) -> Result<Vec<StoredEntry>, StoreError> {
        let data = self.reading()?;
        let rows = data.entries.range((tree, first)..=(tree, u64::MAX)).take(max);
        Ok(rows.map(|(_, entry)| entry.clone()).collect())
    }

    fn tile(&self, tree: Tree, tile: TileId) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.reading()?.tiles.get(&(tree, tile)).cloned())
    }

    fn find_duplicate(&self, tree: Tree, identity: &[u8; 32]) -> Result<Option<u64>, StoreError> {
        Ok(self.reading()?.dedup.get(&(tree, *identity)).copied())
    }

    fn search(&self, key: &SearchKey, max: usize) -> Result<Vec<(Tree, u64)>, StoreError> {
        let data = self.reading()?;
        let rows = data.search.range((*key, Tree::Ct, 0)..);
        let rows = rows.take_while(|(found, ..)| found == key).take(max);
        Ok(rows.map(|(_, tree, index)| (*tree, *index)).collect())
    }

    fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.reading()?.values.get(name).cloned())
    }

    fn issuer(&self, fingerprint: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.reading()?.issuers.get(fingerprint).map(|issuer| issuer.der.to_vec()))
    }

    fn audit(&self, first: u64, max: usize) -> Result<Vec<StoredAudit>, StoreError> {
        let data = self.reading()?;
        Ok(data.audit.iter().filter(|row| row.number >= first).take(max).cloned().collect())
    }

    fn walk(&self, visit: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
        let data = self.reading()?;
        for ((tree, identity), index) in &data.dedup {
            visit(Row::Dedup { tree: *tree, identity: *identity, index: *index });
        }
        for (key, tree, index) in &data.search {
            visit(Row::Search { tree: *tree, key: *key, index: *index });
        }
        for (tree, tile) in data.tiles.keys() {
            visit(Row::Tile { tree: *tree, tile: *tile });
        }
        for issuer in data.issuers.values() {
            visit(Row::Issuer(issuer.clone()));
        }
        Ok(())
    }
}

impl Data {
    /// Applies a commit; answers the place of its last entry.
    fn apply(&mut self, commit: &Commit) -> Result<Option<(Tree, u64)>, CommitError> {
        let mut last = None;
        for part in &commit.trees {
            let tree = part.tree;
            let first = part.expected.as_ref().map_or(0, |expected| expected.head.size);
            for (entry, next) in part.entries.iter().zip(first..) {
                if entry.index != next || self.dedup.contains_key(&(tree, entry.dedup)) {
                    return Err(CommitError::NotPersisted(injected("checking indexes")));
                }
                last = Some((tree, entry.index));
                let (body, extra) = (entry.body.clone(), entry.extra.clone());
                let stored = StoredEntry { index: entry.index, body, extra };
                self.entries.insert((tree, entry.index), stored);
                self.dedup.insert((tree, entry.dedup), entry.index);
                self.search.extend(entry.search.iter().map(|key| (*key, tree, entry.index)));
            }
            let tiles = part.tiles.iter().map(|(id, bytes)| ((tree, *id), bytes.clone()));
            self.tiles.extend(tiles);
            self.heads.insert(tree, part.head.clone());
        }
        for row in &commit.audit {
            let previous = self.audit.last().map_or([0; 32], |row| row.hash);
            let number = self.audit.len() as u64 + 1;
            let hash = chain(&previous, row);
            self.audit.push(StoredAudit { number, row: row.clone(), hash });
        }
        self.values.extend(commit.values.iter().cloned());
        for issuer in &commit.issuers {
            self.issuers.insert(issuer.fingerprint, issuer.clone());
        }
        self.commits += 1;
        Ok(last)
    }
}

fn flip(entry: &mut StoredEntry) {
    let mut body = entry.body.to_vec();
    if let Some(byte) = body.first_mut() {
        *byte ^= 1;
    }
    entry.body = body.into();
}

fn injected(doing: &'static str) -> StoreError {
    StoreError::Failed { doing, reason: "injected fault".into() }
}

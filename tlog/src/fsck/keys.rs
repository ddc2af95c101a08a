//! Comparing the keys that entries ought to have with those that are stored, in constant memory.
//!
//! Both sides are summed up as multisets, in buckets by a hash of the whole row. Sums that agree
//! in every bucket mean equal multisets (short of a forged collision, and fsck looks for damage,
//! not for forgery: that is what the tree is for). Rows of the buckets that differ are then
//! collected and compared one by one.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use crate::entry::Tree;
use crate::search::SearchKey;
use crate::store::Row;

/// A key row, of either kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum KeyRow {
    Dedup { tree: Tree, index: u64, identity: [u8; 32] },
    Search { tree: Tree, index: u64, key: SearchKey },
}

impl KeyRow {
    fn of(row: &Row) -> Option<Self> {
        match *row {
            Row::Dedup { tree, identity, index } => Some(Self::Dedup { tree, index, identity }),
            Row::Search { tree, key, index } => Some(Self::Search { tree, index, key }),
            _ => None,
        }
    }

    fn of_entry(
        tree: Tree,
        index: u64,
        identity: [u8; 32],
        search: &[SearchKey],
    ) -> impl Iterator<Item = Self> {
        let search = search.iter().map(move |key| Self::Search { tree, index, key: *key });
        std::iter::once(Self::Dedup { tree, index, identity }).chain(search)
    }

    /// A bucket, and what the row adds to its sum.
    fn hash(&self) -> (usize, u128) {
        let (kind, tree, index, key): (u8, Tree, u64, &[u8]) = match self {
            Self::Dedup { tree, index, identity } => (0, *tree, *index, identity),
            Self::Search { tree, index, key } => (1, *tree, *index, key.as_bytes()),
        };
        let mut hasher = Sha256::new();
        hasher.update([kind, tree.id()]);
        hasher.update(index.to_be_bytes());
        hasher.update(key);
        let hash: [u8; 32] = hasher.finalize().into();
        let [a, b, rest @ ..] = hash;
        let summand = rest.first_chunk().map_or(0, |bytes| u128::from_le_bytes(*bytes));
        (usize::from(u16::from_le_bytes([a, b])), summand)
    }
}

/// Derived minus stored, summed up in each bucket.
pub(super) struct KeySums(Vec<u128>);

impl KeySums {
    pub(super) fn new() -> Self {
        Self(vec![0; BUCKETS])
    }

    pub(super) fn derived(
        &mut self,
        tree: Tree,
        index: u64,
        identity: [u8; 32],
        search: &[SearchKey],
    ) {
        for row in KeyRow::of_entry(tree, index, identity, search) {
            let (bucket, summand) = row.hash();
            if let Some(sum) = self.0.get_mut(bucket) {
                *sum = sum.wrapping_add(summand);
            }
        }
    }

    pub(super) fn stored(&mut self, row: &Row) {
        let Some((bucket, summand)) = KeyRow::of(row).map(|row| row.hash()) else { return };
        if let Some(sum) = self.0.get_mut(bucket) {
            *sum = sum.wrapping_sub(summand);
        }
    }

    pub(super) fn agree(&self) -> bool {
        self.0.iter().all(|sum| *sum == 0)
    }

    pub(super) fn suspects(&self) -> Suspects {
        let suspected = self.0.iter().map(|sum| *sum != 0).collect();
        Suspects { suspected, rows: BTreeMap::new() }
    }
}

/// The rows of buckets that differ, with how often each is stored beyond what it should be.
pub(super) struct Suspects {
    suspected: Vec<bool>,
    rows: BTreeMap<KeyRow, i64>,
}

impl Suspects {
    pub(super) fn derived(
        &mut self,
        tree: Tree,
        index: u64,
        identity: [u8; 32],
        search: &[SearchKey],
    ) {
        for row in KeyRow::of_entry(tree, index, identity, search) {
            self.count(row, -1);
        }
    }

    pub(super) fn stored(&mut self, row: &Row) {
        if let Some(row) = KeyRow::of(row) {
            self.count(row, 1);
        }
    }

    pub(super) fn differing(self) -> impl Iterator<Item = (KeyRow, i64)> {
        self.rows.into_iter().filter(|(_, surplus)| *surplus != 0)
    }

    /// With wholesale damage, rows beyond a cap are left out: there are findings enough.
    fn count(&mut self, row: KeyRow, change: i64) {
        let suspected = self.suspected.get(row.hash().0).is_some_and(|suspected| *suspected);
        if suspected && (self.rows.len() < MAX_ROWS || self.rows.contains_key(&row)) {
            *self.rows.entry(row).or_default() += change;
        }
    }
}

const BUCKETS: usize = 1 << 16;
const MAX_ROWS: usize = 1 << 17;

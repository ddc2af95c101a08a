//! What the engine asks of a store, and what a store promises in return.
//!
//! The heart is [`Store::commit`]: *persist this batch if every head is still the one it was built
//! on*. Entries, full tiles, dedup and search keys, audit rows and the new signed heads go in
//! together or not at all. A signed head exists only inside a committed transaction, so the log
//! can't fork; nothing is answered before that, so nothing acknowledged can be lost.
//!
//! A store is not trusted: heads are checked against our key and the tree is recomputed when it is
//! opened ([`crate::Engine::open`]), and [`crate::fsck`] recomputes everything.

use std::sync::Arc;

use merkle::Hash;
use merkle::tile::TileId;
use thiserror::Error;

use crate::entry::Tree;
use crate::search::SearchKey;

#[cfg(any(test, feature = "memory-store"))]
pub mod memory;
pub mod sqlite;

/// Durable storage for all trees. Every method may block on the disk.
pub trait Store: Send + Sync {
    /// The last committed head of a tree; `None` when the tree was never born. An empty tree is
    /// not a head.
    ///
    /// # Errors
    /// When the store can't be read or holds a head that does not parse.
    fn load(&self, tree: Tree) -> Result<Option<SignedHead>, StoreError>;

    /// Persists all of `commit`, durably (survives a power cut), or nothing of it.
    ///
    /// # Errors
    /// [`CommitError`] tells whether it is certain that nothing was stored.
    fn commit(&self, commit: &Commit) -> Result<(), CommitError>;

    /// Up to `max` entries from index `first`, in order and without gaps; fewer at the end of the
    /// tree.
    ///
    /// # Errors
    /// When the store can't be read.
    fn entries(&self, tree: Tree, first: u64, max: usize) -> Result<Vec<StoredEntry>, StoreError>;

    /// The bytes of a full tile (256 hashes). Partial tiles are never stored: they follow from
    /// what is.
    ///
    /// # Errors
    /// When the store can't be read.
    fn tile(&self, tree: Tree, tile: TileId) -> Result<Option<Vec<u8>>, StoreError>;

    /// The index of the entry with this identity.
    ///
    /// # Errors
    /// When the store can't be read.
    fn find_duplicate(&self, tree: Tree, identity: &[u8; 32]) -> Result<Option<u64>, StoreError>;

    /// Up to `max` entries under a search key, of all trees, lowest index first in each tree.
    ///
    /// # Errors
    /// When the store can't be read.
    fn search(&self, key: &SearchKey, max: usize) -> Result<Vec<(Tree, u64)>, StoreError>;

    /// A small durable value, such as the TSA's clock mark.
    ///
    /// # Errors
    /// When the store can't be read.
    fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// An issuer certificate (DER) by its SHA-256.
    ///
    /// # Errors
    /// When the store can't be read.
    fn issuer(&self, fingerprint: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Up to `max` audit rows from number `first` (the first row is 1), in order.
    ///
    /// # Errors
    /// When the store can't be read.
    fn audit(&self, first: u64, max: usize) -> Result<Vec<StoredAudit>, StoreError>;

    /// Shows every dedup key, search key, tile and issuer that the store holds, in any order. For
    /// [`crate::fsck`].
    ///
    /// # Errors
    /// When the store can't be read.
    fn walk(&self, visit: &mut dyn FnMut(Row)) -> Result<(), StoreError>;
}

/// The size, root and time of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of entries.
    pub size: u64,
    /// The Merkle root over them.
    pub root: Hash,
    /// Unix milliseconds; never less than in an earlier head of the tree.
    pub timestamp_ms: u64,
}

/// A head with the signed note over it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// What was signed.
    pub head: Head,
    /// The whole signed note (C2SP signed-note, tlog-checkpoint).
    pub checkpoint: String,
}

/// One transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// At most one part for each tree.
    pub trees: Vec<TreeCommit>,
    /// Audit rows, in order; the store chains their hashes ([`chain`]).
    pub audit: Vec<Vec<u8>>,
    /// Small values to set.
    pub values: Vec<(String, Vec<u8>)>,
    /// Issuer certificates that entries of this commit refer to.
    pub issuers: Vec<Issuer>,
}

/// The part of a transaction that moves one tree from `expected` to `head`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeCommit {
    /// Which tree.
    pub tree: Tree,
    /// The checkpoint that this was built on; `None` for the commit that creates the tree. The
    /// text is compared, not the size: an idle log's head is signed anew at the same size.
    pub expected: Option<SignedHead>,
    /// New entries, with consecutive indexes from `expected`'s size; none when a head is only
    /// signed anew.
    pub entries: Vec<NewEntry>,
    /// Tiles that these entries filled.
    pub tiles: Vec<(TileId, Vec<u8>)>,
    /// The new head.
    pub head: SignedHead,
}

/// An entry to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEntry {
    /// Its place in the tree.
    pub index: u64,
    /// What is hashed.
    pub body: Arc<[u8]>,
    /// What is kept beside it.
    pub extra: Arc<[u8]>,
    /// Its identity, for strict dedup.
    pub dedup: [u8; 32],
    /// What it is found by.
    pub search: Vec<SearchKey>,
}

/// An entry as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its place in the tree.
    pub index: u64,
    /// What is hashed.
    pub body: Arc<[u8]>,
    /// What is kept beside it.
    pub extra: Arc<[u8]>,
}

/// A CA certificate that CT entries refer to by its fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// SHA-256 of `der`.
    pub fingerprint: [u8; 32],
    /// The certificate.
    pub der: Arc<[u8]>,
}

/// An audit row as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAudit {
    /// Its number, from 1, without gaps.
    pub number: u64,
    /// The row as it was given.
    pub row: Vec<u8>,
    /// [`chain`] over the hash of the row before it and `row`.
    pub hash: [u8; 32],
}

/// One row of those that [`Store::walk`] shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A dedup key.
    Dedup {
        /// The tree it is of.
        tree: Tree,
        /// The identity.
        identity: [u8; 32],
        /// The entry it leads to.
        index: u64,
    },
    /// A search key.
    Search {
        /// The tree of the entry.
        tree: Tree,
        /// The key.
        key: SearchKey,
        /// The entry it leads to.
        index: u64,
    },
    /// A full tile.
    Tile {
        /// The tree it is of.
        tree: Tree,
        /// Its place.
        tile: TileId,
    },
    /// An issuer certificate.
    Issuer(Issuer),
    /// A row whose own columns make no sense: a tree that does not exist, a key of a wrong length.
    Malformed {
        /// The table.
        table: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// The hash of an audit row: SHA-256(previous hash ‖ row). The hash before the first is 32 zero
/// bytes. Removing, changing or reordering rows breaks every hash after them; cutting the end off
/// does not, which is why the last hash is worth copying elsewhere.
#[must_use]
pub fn chain(previous: &[u8; 32], row: &[u8]) -> [u8; 32] {
    use sha2::{Digest as _, Sha256};
    Sha256::new().chain_update(previous).chain_update(row).finalize().into()
}

/// A store can't be read, or holds what can't be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StoreError {
    /// The database said no.
    #[error("the store failed while {doing}: {reason}")]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// The database's words.
        reason: String,
    },
    /// There is no room left to write.
    #[error("the volume that holds the store is full")]
    Full,
    /// The database was made by a later version.
    #[error(
        "the store has schema version {found}, but this program knows versions up to {known}; run a newer program, or restore the store that belongs to this one"
    )]
    NewerSchema {
        /// The version found.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// The file is a database, but not one of ours.
    #[error("{path} is a database of another program (application id {found:#010x})")]
    NotOurs {
        /// The file.
        path: String,
        /// The application id found.
        found: i64,
    },
    /// A stored value does not parse.
    #[error("the store holds {what} of tree {tree} that does not parse")]
    Corrupt {
        /// The tree.
        tree: Tree,
        /// What does not parse.
        what: &'static str,
    },
    /// A flush to disk failed earlier. What the disk holds since is unknown, and asking again
    /// can't tell (the kernel forgets failed pages), so nothing more is written until a restart.
    #[error("a flush to disk failed earlier, so nothing is written until a restart")]
    FlushFailed,
}

/// How a commit failed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommitError {
    /// Another writer committed first. Nothing was stored.
    #[error("another writer moved the head of tree {tree}")]
    HeadMoved {
        /// The first tree that had moved.
        tree: Tree,
    },
    /// Nothing was stored, for certain.
    #[error("nothing was stored: {0}")]
    NotPersisted(StoreError),
    /// It may have been stored or not.
    #[error("whether the batch was stored is unknown: {0}")]
    Unknown(StoreError),
}

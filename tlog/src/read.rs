//! What anyone may read: checkpoints, tiles, entry bundles, data tiles, proofs. Everything is
//! served below the last committed head. Entry bundles and data tiles are assembled from the
//! rows: a body is stored once.
//!
//! All of these block on the disk.

use std::sync::Arc;

use merkle::Hash;
use merkle::entries::EntriesError;
use merkle::merkle::{ProveError, prove_consistency, prove_inclusion};
use merkle::tile::{TILE_WIDTH, TilePath, tile_width};
use thiserror::Error;

use crate::ct;
use crate::edge::{AllNodes, NodeError, stored_tile_bytes};
use crate::engine::{Engine, View};
use crate::entry::{Published, Tree};
use crate::search::SearchKey;
use crate::store::{StoreError, StoredEntry};

impl Engine {
    /// A tile (C2SP tlog-tiles): `path.width` hashes of 32 bytes. A width below what there is now
    /// is the beginning of it, as it was at an earlier size.
    ///
    /// # Errors
    /// [`ReadError::NotFound`] for what no checkpoint covers yet.
    pub fn tile(&self, tree: Tree, path: TilePath) -> Result<Vec<u8>, ReadError> {
        let view = self.view(tree)?;
        if path.width == 0 || path.width > tile_width(view.edge.size(), path.tile) {
            return Err(ReadError::NotFound);
        }
        let mut bytes = match view.edge.tile(path.tile) {
            Some(tile) => tile.to_bytes(),
            None => stored_tile_bytes(&*self.shared.store, tree, path.tile)?,
        };
        bytes.truncate(usize::from(path.width) * 32);
        Ok(bytes)
    }

    /// An entry bundle (C2SP tlog-tiles): `width` entries from `index * 256`, each with its length
    /// in two bytes.
    ///
    /// # Errors
    /// [`ReadError::NotFound`] for what no checkpoint covers yet.
    pub fn entry_bundle(&self, tree: Tree, index: u64, width: u16) -> Result<Vec<u8>, ReadError> {
        let entries = self.bundle(tree, index, width)?;
        let bodies: Vec<&[u8]> = entries.iter().map(|entry| &*entry.body).collect();
        merkle::entries::encode(&bodies).map_err(ReadError::Encode)
    }

    /// A data tile (static-ct-api): `width` TileLeaf structures from `index * 256`.
    ///
    /// # Errors
    /// [`ReadError::NotFound`] for what no checkpoint covers yet.
    pub fn data_tile(&self, index: u64, width: u16) -> Result<Vec<u8>, ReadError> {
        let mut tile = Vec::new();
        for entry in self.bundle(Tree::Ct, index, width)? {
            ct::tile_leaf(&mut tile, &entry);
        }
        Ok(tile)
    }

    /// An issuer certificate (DER) by its SHA-256 (static-ct-api).
    ///
    /// # Errors
    /// [`ReadError::NotFound`] when no entry refers to it.
    pub fn issuer(&self, fingerprint: &[u8; 32]) -> Result<Vec<u8>, ReadError> {
        self.shared.store.issuer(fingerprint)?.ok_or(ReadError::NotFound)
    }

    /// One entry.
    ///
    /// # Errors
    /// [`ReadError::NotFound`] for an index that no checkpoint covers yet.
    pub fn entry(&self, tree: Tree, index: u64) -> Result<StoredEntry, ReadError> {
        self.entries(tree, index, 1)?.into_iter().next().ok_or(ReadError::NotFound)
    }

    /// Up to `max` entries from `first` that the last checkpoint covers.
    ///
    /// # Errors
    /// When the store can't be read, or an entry is missing.
    pub fn entries(
        &self,
        tree: Tree,
        first: u64,
        max: usize,
    ) -> Result<Vec<StoredEntry>, ReadError> {
        let left = self.view(tree)?.edge.size().saturating_sub(first);
        let count = max.min(usize::try_from(left).unwrap_or(usize::MAX));
        let entries = self.shared.store.entries(tree, first, count)?;
        match entries.iter().zip(first..).find(|(entry, index)| entry.index != *index) {
            Some((_, index)) => Err(NodeError::MissingEntry { tree, index }.into()),
            None if entries.len() < count => {
                Err(NodeError::MissingEntry { tree, index: first + entries.len() as u64 }.into())
            }
            None => Ok(entries),
        }
    }

    /// One entry with a proof under the last head, as when it was submitted.
    ///
    /// # Errors
    /// [`ReadError::NotFound`] for an index that no checkpoint covers yet.
    pub fn published(&self, tree: Tree, index: u64) -> Result<Published, ReadError> {
        let view = self.view(tree)?;
        let entry = self.entry(tree, index)?;
        let nodes = AllNodes::new(&view.edge, &*self.shared.store, tree);
        let proof = prove_inclusion(index, view.edge.size(), &nodes)?;
        Ok(Published { tree, entry, duplicate: true, head: view.head.clone(), proof })
    }

    /// The inclusion proof of an entry in the tree of `size` (RFC 6962 §2.1.1).
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] unless `index < size <=` the log's size.
    pub fn inclusion(&self, tree: Tree, index: u64, size: u64) -> Result<Vec<Hash>, ReadError> {
        let view = self.covering(tree, size)?;
        let nodes = AllNodes::new(&view.edge, &*self.shared.store, tree);
        Ok(prove_inclusion(index, size, &nodes)?)
    }

    /// The consistency proof between two sizes (RFC 6962 §2.1.2).
    ///
    /// # Errors
    /// [`ReadError::OutOfRange`] unless `second <=` the log's size; [`ReadError::Prove`] unless
    /// `0 < first <= second`.
    pub fn consistency(&self, tree: Tree, first: u64, second: u64) -> Result<Vec<Hash>, ReadError> {
        let view = self.covering(tree, second)?;
        let nodes = AllNodes::new(&view.edge, &*self.shared.store, tree);
        Ok(prove_consistency(first, second, &nodes)?)
    }

    /// Entries under a search key, of all trees.
    ///
    /// # Errors
    /// When the store can't be read.
    pub fn search(&self, key: &SearchKey, max: usize) -> Result<Vec<(Tree, u64)>, ReadError> {
        Ok(self.shared.store.search(key, max)?)
    }

    fn bundle(&self, tree: Tree, index: u64, width: u16) -> Result<Vec<StoredEntry>, ReadError> {
        let size = self.view(tree)?.edge.size();
        let first = index.checked_mul(u64::from(TILE_WIDTH)).ok_or(ReadError::NotFound)?;
        let end = first.checked_add(u64::from(width)).ok_or(ReadError::NotFound)?;
        if width == 0 || width > TILE_WIDTH || end > size {
            return Err(ReadError::NotFound);
        }
        self.entries(tree, first, usize::from(width))
    }

    fn covering(&self, tree: Tree, size: u64) -> Result<Arc<View>, ReadError> {
        let view = self.view(tree)?;
        let there = view.edge.size();
        if size > there { Err(ReadError::OutOfRange { size: there }) } else { Ok(view) }
    }

    fn view(&self, tree: Tree) -> Result<Arc<View>, ReadError> {
        self.shared.view(tree).ok_or(ReadError::NoSuchTree { tree })
    }
}

/// Why something can't be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReadError {
    /// It does not exist, or not yet.
    #[error("there is no such thing in the log, or not yet")]
    NotFound,
    /// This tree is not run here.
    #[error("there is no {tree} log here")]
    NoSuchTree {
        /// The tree.
        tree: Tree,
    },
    /// A range that the log does not have.
    #[error("the log has {size} entries, and the range asked for is not within them")]
    OutOfRange {
        /// The log's size.
        size: u64,
    },
    /// The head is not a CT one.
    #[error("the head is not an RFC 6962 tree head")]
    NotATreeHead,
    /// A stored entry does not parse.
    #[error("stored entry {index} is damaged")]
    Damaged {
        /// The entry.
        index: u64,
    },
    /// Entries do not fit the wire form.
    #[error(transparent)]
    Encode(EntriesError),
    /// A proof can't be made.
    #[error(transparent)]
    Prove(#[from] ProveError<NodeError>),
    /// A node or entry can't be had.
    #[error(transparent)]
    Nodes(#[from] NodeError),
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

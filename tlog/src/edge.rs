//! The right edge of a tree: the tile that is being filled at each level, with its inner nodes,
//! and the tiles that the current batch filled. An append costs two hashes on average and a proof
//! for a new entry reads nothing from the store.
//!
//! Only full tiles are stored, each once. Partial tiles live here; they are recomputed when a tree
//! is opened, from its last entries and full tiles, which checks these against the signed root.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use merkle::Hash;
use merkle::merkle::{Nodes, empty_root, leaf_hash, root};
use merkle::tile::{TILE_HEIGHT, TILE_WIDTH, Tile, TileId, TileNode};
use thiserror::Error;

use crate::entry::Tree;
use crate::store::{Store, StoreError};

/// The right edge at one size. Cloning is cheap: tiles are shared until they change.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    size: u64,
    levels: Vec<Arc<Tile>>,
    completed: BTreeMap<TileId, Arc<Tile>>,
}

impl Edge {
    /// Recomputes the edge of a tree of `size` from its last entries and full tiles.
    pub(crate) fn load(store: &dyn Store, tree: Tree, size: u64) -> Result<Self, NodeError> {
        let mut edge = Self { size, ..Self::default() };
        let mut width = size % WIDTH;
        let mut level0 = Tile::new();
        let first = size - width;
        for entry in store.entries(tree, first, width as usize)? {
            push(&mut level0, leaf_hash(&entry.body))?;
        }
        if u64::from(level0.len()) != width {
            return Err(NodeError::MissingEntry { tree, index: first + u64::from(level0.len()) });
        }
        edge.levels.push(Arc::new(level0));
        let mut tiles = size / WIDTH;
        let mut level = 0;
        while tiles > 0 {
            width = tiles % WIDTH;
            let mut above = Tile::new();
            for index in tiles - width..tiles {
                let below = stored_tile(store, tree, TileId { level, index })?;
                push(&mut above, below.root().ok_or(NodeError::Incomplete)?)?;
            }
            edge.levels.push(Arc::new(above));
            tiles /= WIDTH;
            level += 1;
        }
        Ok(edge)
    }

    /// The edge that the next batch appends to: this one, without the tiles already stored.
    pub(crate) fn next(&self) -> Self {
        Self { size: self.size, levels: self.levels.clone(), completed: BTreeMap::new() }
    }

    /// Appends a leaf.
    pub(crate) fn push(&mut self, leaf: Hash) -> Result<(), NodeError> {
        let mut hash = leaf;
        let mut filled = self.size;
        for level in 0.. {
            if self.levels.len() <= level {
                self.levels.push(Arc::new(Tile::new()));
            }
            let Some(tile) = self.levels.get_mut(level) else { break };
            push(Arc::make_mut(tile), hash)?;
            let Some(root) = tile.root() else { break };
            filled /= WIDTH;
            let id = TileId { level: level as u8, index: filled };
            self.completed.insert(id, std::mem::take(tile));
            hash = root;
        }
        self.size += 1;
        Ok(())
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// The root at this size. The empty tree has one too: SHA-256 of nothing.
    pub(crate) fn root(&self) -> Result<Hash, NodeError> {
        if self.size == 0 { Ok(empty_root()) } else { root(self.size, self) }
    }

    /// The tiles that were filled since [`Edge::next`].
    pub(crate) fn completed(&self) -> impl Iterator<Item = (TileId, Vec<u8>)> + '_ {
        self.completed.iter().map(|(id, tile)| (*id, tile.to_bytes()))
    }

    /// A tile that is in memory: one being filled, or filled in the last batch.
    pub(crate) fn tile(&self, id: TileId) -> Option<&Tile> {
        if let Some(tile) = self.completed.get(&id) {
            return Some(tile);
        }
        let level = usize::from(id.level);
        let shift = u32::from(TILE_HEIGHT) * (u32::from(id.level) + 1);
        let current = self.size.checked_shr(shift).unwrap_or(0);
        self.levels.get(level).filter(|_| id.index == current).map(Arc::as_ref)
    }
}

impl Nodes for Edge {
    type Error = NodeError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, NodeError> {
        let place = TileNode::of(level, index);
        let tile = self.tile(place.tile).ok_or(NodeError::NotInMemory)?;
        tile.node(place.level, place.index).ok_or(NodeError::Incomplete)
    }
}

/// An edge with the stored tiles behind it: any node of the tree.
pub(crate) struct AllNodes<'a> {
    edge: &'a Edge,
    store: &'a dyn Store,
    tree: Tree,
    read: RefCell<BTreeMap<TileId, Tile>>,
}

impl<'a> AllNodes<'a> {
    pub(crate) fn new(edge: &'a Edge, store: &'a dyn Store, tree: Tree) -> Self {
        Self { edge, store, tree, read: RefCell::default() }
    }
}

impl Nodes for AllNodes<'_> {
    type Error = NodeError;

    fn node(&self, level: u8, index: u64) -> Result<Hash, NodeError> {
        match self.edge.node(level, index) {
            Err(NodeError::NotInMemory) => {}
            known => return known,
        }
        let place = TileNode::of(level, index);
        let mut read = self.read.borrow_mut();
        let tile = match read.entry(place.tile) {
            Entry::Occupied(tile) => tile.into_mut(),
            Entry::Vacant(empty) => empty.insert(stored_tile(self.store, self.tree, place.tile)?),
        };
        tile.node(place.level, place.index).ok_or(NodeError::Incomplete)
    }
}

/// A full tile from the store, with its inner nodes.
pub(crate) fn stored_tile(store: &dyn Store, tree: Tree, id: TileId) -> Result<Tile, NodeError> {
    let bytes = stored_tile_bytes(store, tree, id)?;
    Tile::from_bytes(&bytes).map_err(|_| missing(tree, id))
}

/// The bytes of a full tile from the store.
pub(crate) fn stored_tile_bytes(
    store: &dyn Store,
    tree: Tree,
    id: TileId,
) -> Result<Vec<u8>, NodeError> {
    let bytes = store.tile(tree, id)?;
    bytes.filter(|bytes| bytes.len() == FULL_TILE_BYTES).ok_or_else(|| missing(tree, id))
}

fn missing(tree: Tree, id: TileId) -> NodeError {
    NodeError::MissingTile { tree, level: id.level, index: id.index }
}

/// A node of the tree can't be had.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NodeError {
    /// The store can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A full tile is not in the store, or not 256 hashes long.
    #[error("tile {level}/{index} of tree {tree} is missing or damaged")]
    MissingTile {
        /// The tree.
        tree: Tree,
        /// The tile's level.
        level: u8,
        /// The tile's index.
        index: u64,
    },
    /// An entry below the tree's size is not in the store.
    #[error("entry {index} of tree {tree} is missing")]
    MissingEntry {
        /// The tree.
        tree: Tree,
        /// The entry's index.
        index: u64,
    },
    /// The tile is in the store only.
    #[error("the tile is not in memory")]
    NotInMemory,
    /// A subtree was asked for that is not complete at this size.
    #[error("the subtree is not complete at this size")]
    Incomplete,
}

fn push(tile: &mut Tile, hash: Hash) -> Result<(), NodeError> {
    tile.push(hash).map_err(|_| NodeError::Incomplete)
}

const WIDTH: u64 = TILE_WIDTH as u64;
const FULL_TILE_BYTES: usize = 32 * TILE_WIDTH as usize;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use merkle::merkle::node_hash;

    use super::*;

    /// RFC 6962 2.1, word for word.
    fn defined(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let k = leaves.len().next_power_of_two() / 2;
                node_hash(&defined(&leaves[..k]), &defined(&leaves[k..]))
            }
        }
    }

    #[test]
    fn roots_are_those_of_the_definition() {
        let mut edge = Edge::default();
        let mut leaves = Vec::new();
        let mut tiles = 0;
        for n in 0..700_u64 {
            assert_eq!(edge.root(), Ok(defined(&leaves)));
            let leaf = leaf_hash(&n.to_be_bytes());
            leaves.push(leaf);
            edge.push(leaf).unwrap();
        }
        tiles += edge.completed().count();
        assert_eq!(tiles, 2);
        assert_eq!(edge.next().completed().count(), 0);
    }

    #[test]
    fn a_tile_of_a_higher_level_is_filled_too() {
        let mut edge = Edge::default();
        let leaf = leaf_hash(b"");
        (0..65_536).for_each(|_| edge.push(leaf).unwrap());
        let levels: Vec<u8> = edge.completed().map(|(id, _)| id.level).collect();
        assert_eq!(levels.iter().filter(|level| **level == 1).count(), 1);
        let mut doubled = leaf;
        (0..16).for_each(|_| doubled = node_hash(&doubled, &doubled));
        assert_eq!(edge.root(), Ok(doubled));
        assert!(edge.tile(TileId { level: 2, index: 0 }).is_some_and(|tile| tile.len() == 1));
    }
}

//! Tiles of C2SP tlog-tiles: 256 hashes wide, eight levels of the tree each.

mod path;

use thiserror::Error;

pub use path::{TilePath, TilePathError, TreePath};

use crate::merkle::{HASH_LEN, Hash, node_hash};

/// How many levels of the tree one level of tiles spans.
pub const TILE_HEIGHT: u8 = 8;

/// How many hashes a full tile has.
pub const TILE_WIDTH: u16 = 256;

/// Names a tile, full or partial.
///
/// Its hashes are the nodes of tree level `8 * level` with the indices
/// `256 * index .. 256 * (index + 1)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// The level of tiles; level 0 holds leaf hashes.
    pub level: u8,
    /// The position within the level, from the left, counted from 0.
    pub index: u64,
}

/// Where a node of the tree is found: its tile, and its place within.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileNode {
    /// The tile that holds the node.
    pub tile: TileId,
    /// The level within the tile, `0..=7`.
    pub level: u8,
    /// The index within that level of the tile.
    pub index: u16,
}

impl TileNode {
    /// The place of the tree's node `(level, index)`, as [`crate::merkle::Nodes`] counts them.
    #[must_use]
    pub const fn of(level: u8, index: u64) -> Self {
        let height = level % TILE_HEIGHT;
        let bits = TILE_HEIGHT - height;
        let tile = TileId { level: level / TILE_HEIGHT, index: index >> bits };
        Self { tile, level: height, index: (index & ((1 << bits) - 1)) as u16 }
    }
}

/// How many hashes `tile` has in a tree of `tree_size` leaves: 0 when it does not exist yet,
/// 256 when it is full.
#[must_use]
pub fn tile_width(tree_size: u64, tile: TileId) -> u16 {
    let shift = u32::from(tile.level) * u32::from(TILE_HEIGHT);
    let nodes = tree_size.checked_shr(shift).unwrap_or(0);
    let before = tile.index.saturating_mul(u64::from(TILE_WIDTH));
    nodes.saturating_sub(before).min(u64::from(TILE_WIDTH)) as u16
}

/// The hashes of a tile, with every inner node that they complete.
///
/// Nodes are kept in the order in which they become known: a hash, then the subtrees it
/// completes, smallest first. So the vector only ever grows, a push costs one hash on
/// average, and the place of a node is arithmetic.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tile {
    hashes: Vec<Hash>,
    width: u16,
}

impl Tile {
    /// The tile without hashes.
    #[must_use]
    pub const fn new() -> Self {
        Self { hashes: Vec::new(), width: 0 }
    }

    /// Reads the wire form: 1 to 256 hashes of 32 bytes. Computes the inner nodes.
    ///
    /// # Errors
    /// [`TileError::WrongLength`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TileError> {
        let (hashes, rest) = bytes.as_chunks::<HASH_LEN>();
        if hashes.is_empty() || hashes.len() > usize::from(TILE_WIDTH) || !rest.is_empty() {
            return Err(TileError::WrongLength { len: bytes.len() });
        }
        let mut tile = Self { hashes: Vec::with_capacity(2 * hashes.len()), width: 0 };
        for hash in hashes {
            tile.push(Hash::new(*hash))?;
        }
        Ok(tile)
    }

    /// The wire form: 32 bytes per hash, no inner nodes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(usize::from(self.width) * HASH_LEN);
        for hash in (0..self.width).filter_map(|index| self.node(0, index)) {
            bytes.extend_from_slice(hash.as_bytes());
        }
        bytes
    }

    /// Appends a hash, and computes the inner nodes it completes.
    ///
    /// # Errors
    /// [`TileError::Full`]; the tile is then unchanged.
    pub fn push(&mut self, hash: Hash) -> Result<(), TileError> {
        if self.is_full() {
            return Err(TileError::Full);
        }
        let mut node = hash;
        let mut index = self.width;
        self.width += 1;
        self.hashes.push(node);
        // Each set bit is a right child, whose left sibling is known already.
        for level in 0..TILE_HEIGHT {
            if index & 1 == 0 {
                break;
            }
            let Some(left) = self.node(level, index - 1) else { break };
            node = node_hash(&left, &node);
            self.hashes.push(node);
            index >>= 1;
        }
        Ok(())
    }

    /// The node at `level` (`0..=8`) and `index` within this tile, in constant time; none
    /// unless the tile has all of the hashes below it.
    #[must_use]
    pub fn node(&self, level: u8, index: u16) -> Option<Hash> {
        if level > TILE_HEIGHT {
            return None;
        }
        let end = (u32::from(index) + 1) << level;
        if end > u32::from(self.width) {
            return None;
        }
        // Before the last hash below the node stand `last` hashes and the `last - ones(last)`
        // subtrees they complete; after it, its own chain, one node per level.
        let last = end - 1;
        let place = 2 * last - last.count_ones() + u32::from(level);
        self.hashes.get(place as usize).copied()
    }

    /// How many hashes the tile has, inner nodes not counted, `0..=256`.
    #[must_use]
    pub const fn len(&self) -> u16 {
        self.width
    }

    /// Whether the tile has no hash.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.width == 0
    }

    /// Whether the tile has all of its 256 hashes.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// The root of a full tile, which is one hash of the tile above; none before it is full.
    #[must_use]
    pub fn root(&self) -> Option<Hash> {
        self.node(TILE_HEIGHT, 0)
    }
}

/// Why a tile was not read or not extended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TileError {
    /// The bytes are not 1 to 256 hashes.
    #[error("a tile is 1 to {TILE_WIDTH} hashes of {HASH_LEN} bytes, not {len} bytes")]
    WrongLength {
        /// The length that was offered, in bytes.
        len: usize,
    },
    /// The tile has all of its hashes.
    #[error("the tile is full")]
    Full,
}

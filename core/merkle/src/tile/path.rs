//! The paths of tiles and entry bundles, C2SP tlog-tiles and static-ct-api.
//!
//! A request path is turned into numbers and nothing else leaves this module, so no part of
//! it can reach a file name. Each number has one spelling: whatever parses is what
//! `Display` writes, byte for byte.

use std::fmt;

use thiserror::Error;

use super::{TILE_WIDTH, TileId};

/// The path of a tile at one of its widths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TilePath {
    /// The tile.
    pub tile: TileId,
    /// How many of its hashes, `1..=256`; 256 is the full tile.
    pub width: u16,
}

/// A path below `tile/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TreePath {
    /// Hashes.
    Tile(TilePath),
    /// The entries under a tile of level 0.
    Entries {
        /// The index of that tile.
        index: u64,
        /// How many of its entries, `1..=256`; 256 is the full bundle.
        width: u16,
    },
}

impl TreePath {
    /// Reads what follows `tile/` in a path of C2SP tlog-tiles: `0/x001/067`,
    /// `0/x001/067.p/8`, `entries/000`.
    ///
    /// # Errors
    /// [`TilePathError`], for anything that `Display` would not write.
    pub fn parse(rest: &str) -> Result<Self, TilePathError> {
        parse(rest, "entries", MAX_LEVEL)
    }

    /// Reads what follows `tile/` in a path of C2SP static-ct-api, where entries are at
    /// `data/` and levels end at 5. Its inverse is [`TreePath::to_ct`].
    ///
    /// # Errors
    /// [`TilePathError`], for anything that [`TreePath::to_ct`] would not write.
    pub fn parse_ct(rest: &str) -> Result<Self, TilePathError> {
        parse(rest, "data", MAX_CT_LEVEL)
    }

    /// The path below `tile/` as static-ct-api spells it.
    #[must_use]
    pub fn to_ct(&self) -> String {
        match self {
            Self::Tile(path) => path.to_string(),
            Self::Entries { index, width } => format!("data/{}", Position(*index, *width)),
        }
    }
}

impl fmt::Display for TreePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tile(path) => path.fmt(f),
            Self::Entries { index, width } => write!(f, "entries/{}", Position(*index, *width)),
        }
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tile.level, Position(self.tile.index, self.width))
    }
}

/// Why a path names no tile and no bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TilePathError {
    /// There is nothing after the level, or not even a level.
    #[error("the tile path has no index")]
    NoIndex,
    /// The level is not a number without leading zeros, nor the word for entries.
    #[error("the level of the tile path is malformed")]
    MalformedLevel,
    /// The level is higher than the format has.
    #[error("the level of the tile path is above {max}")]
    LevelTooHigh {
        /// The highest level of the format.
        max: u8,
    },
    /// The index is not in groups of three digits, all but the last behind an `x`, or starts
    /// with a group of zeros.
    #[error("the index of the tile path is malformed")]
    MalformedIndex,
    /// The index does not fit 64 bits.
    #[error("the index of the tile path is too large")]
    IndexTooLarge,
    /// The width of a partial tile is not a number without leading zeros.
    #[error("the width of the partial tile is malformed")]
    MalformedWidth,
    /// The width of a partial tile is 0, or that of a full tile or more.
    #[error("the width of the partial tile is not between 1 and 255")]
    WidthOutOfRange,
}

fn parse(rest: &str, entries: &str, max_level: u8) -> Result<TreePath, TilePathError> {
    let (first, rest) = rest.split_once('/').ok_or(TilePathError::NoIndex)?;
    if first == entries {
        let (index, width) = parse_position(rest)?;
        return Ok(TreePath::Entries { index, width });
    }
    let level = decimal(first, 2).ok_or(TilePathError::MalformedLevel)?;
    let level = u8::try_from(level)
        .ok()
        .filter(|level| *level <= max_level)
        .ok_or(TilePathError::LevelTooHigh { max: max_level })?;
    let (index, width) = parse_position(rest)?;
    Ok(TreePath::Tile(TilePath { tile: TileId { level, index }, width }))
}

/// The index and the width.
fn parse_position(position: &str) -> Result<(u64, u16), TilePathError> {
    let Some((index, width)) = position.split_once(".p/") else {
        return Ok((parse_index(position)?, TILE_WIDTH));
    };
    let width = decimal(width, 3).ok_or(TilePathError::MalformedWidth)?;
    if width == 0 || width >= TILE_WIDTH {
        return Err(TilePathError::WidthOutOfRange);
    }
    Ok((parse_index(index)?, width))
}

fn parse_index(index: &str) -> Result<u64, TilePathError> {
    let (leading, last) = match index.rsplit_once('/') {
        Some((leading, last)) => (Some(leading), last),
        None => (None, index),
    };
    let mut number: u64 = 0;
    for group in leading.into_iter().flat_map(|leading| leading.split('/')) {
        let group = group.strip_prefix('x').ok_or(TilePathError::MalformedIndex)?;
        number = add_group(number, group)?;
        // A first group of zeros would be a second spelling of the same number.
        if number == 0 {
            return Err(TilePathError::MalformedIndex);
        }
    }
    add_group(number, last)
}

fn add_group(number: u64, group: &str) -> Result<u64, TilePathError> {
    if group.len() != 3 || !group.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(TilePathError::MalformedIndex);
    }
    let group: u64 = group.parse().map_err(|_| TilePathError::MalformedIndex)?;
    number
        .checked_mul(1000)
        .and_then(|number| number.checked_add(group))
        .ok_or(TilePathError::IndexTooLarge)
}

/// A decimal of at most `digits` (up to 4) digits without sign or leading zeros.
fn decimal(text: &str, digits: usize) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    let padded = text.len() > 1 && text.starts_with('0');
    if !plain || padded || text.len() > digits { None } else { text.parse().ok() }
}

/// An index and a width, spelled.
struct Position(u64, u16);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(index, width) = *self;
        let mut groups = 1;
        let mut rest = index / 1000;
        while rest > 0 {
            groups += 1;
            rest /= 1000;
        }
        for group in (1..groups).rev() {
            write!(f, "x{:03}/", index / 1000_u64.pow(group) % 1000)?;
        }
        write!(f, "{:03}", index % 1000)?;
        if width == TILE_WIDTH { Ok(()) } else { write!(f, ".p/{width}") }
    }
}

const MAX_LEVEL: u8 = 63;
const MAX_CT_LEVEL: u8 = 5;

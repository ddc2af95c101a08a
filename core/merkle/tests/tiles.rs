//! Tiles as a source of nodes, and paths as a source of nothing but numbers.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod naive;

use merkle::Hash;
use merkle::merkle::{Nodes, leaf_hash, prove_consistency, prove_inclusion, root};
use merkle::tile::{
    Tile, TileError, TileId, TileNode, TilePath, TilePathError, TreePath, tile_width,
};
use naive::Naive;
use proptest::prelude::*;

#[test]
fn every_complete_node_of_every_width() {
    let tree = Naive::new(256);
    let mut tile = Tile::new();
    assert!(tile.is_empty());
    for width in 0..=256_u16 {
        assert_eq!(tile.len(), width);
        for level in 0..=8_u8 {
            for index in 0..=(256 >> level) {
                let (from, to) = (usize::from(index) << level, usize::from(index + 1) << level);
                let expected = (to <= usize::from(width)).then(|| Hash::new(tree.mth(from, to)));
                assert_eq!(tile.node(level, index), expected, "{level}/{index} of {width}");
            }
        }
        assert_eq!(tile.is_full(), width == 256);
        assert_eq!(tile.root(), (width == 256).then(|| Hash::new(tree.mth(0, 256))));
        if width > 0 {
            assert_eq!(Tile::from_bytes(&tile.to_bytes()).as_ref(), Ok(&tile));
        }
        if width < 256 {
            tile.push(leaf_hash(tree.entry(usize::from(width)))).unwrap();
        }
    }
    let full = tile.clone();
    assert_eq!(tile.push(leaf_hash(b"")), Err(TileError::Full));
    assert_eq!(tile, full);
    assert_eq!(tile.to_bytes().len(), 8192);
}

#[test]
fn nodes_outside_a_tile_are_none() {
    let mut tile = Tile::new();
    tile.push(leaf_hash(b"")).unwrap();
    for (level, index) in [(0, 1), (1, 0), (8, 0), (9, 0), (255, 0), (0, u16::MAX), (8, u16::MAX)] {
        assert_eq!(tile.node(level, index), None);
    }
}

#[test]
fn tile_bytes_are_whole_hashes() {
    for len in [0, 1, 31, 33, 8191, 8193, 257 * 32] {
        assert_eq!(Tile::from_bytes(&vec![0; len]), Err(TileError::WrongLength { len }));
    }
    assert!(Tile::from_bytes(&[0; 32]).is_ok());
    assert!(Tile::from_bytes(&[0; 256 * 32]).is_ok());
}

/// The tiles of a log, grown leaf by leaf as a log grows them.
struct Tiles(Vec<Vec<Tile>>);

impl Tiles {
    fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for level in 0.. {
            if self.0.len() == level {
                self.0.push(vec![Tile::new()]);
            }
            let row = &mut self.0[level];
            if row.last().unwrap().is_full() {
                row.push(Tile::new());
            }
            let tile = row.last_mut().unwrap();
            tile.push(hash).unwrap();
            match tile.root() {
                Some(root) => hash = root,
                None => break,
            }
        }
    }
}

impl Nodes for Tiles {
    type Error = &'static str;

    fn node(&self, level: u8, index: u64) -> Result<Hash, &'static str> {
        let place = TileNode::of(level, index);
        self.0
            .get(usize::from(place.tile.level))
            .and_then(|row| row.get(place.tile.index as usize))
            .and_then(|tile| tile.node(place.level, place.index))
            .ok_or("no such node")
    }
}

#[test]
fn proofs_out_of_tiles() {
    const SIZE: usize = 3 * 256 + 77;
    let tree = Naive::new(SIZE);
    let mut tiles = Tiles(Vec::new());
    for size in 1..=SIZE {
        tiles.push(leaf_hash(tree.entry(size - 1)));
        let n = size as u64;
        assert_eq!(root(n, &tiles), Ok(Hash::new(tree.mth(0, size))));
        for (level, row) in tiles.0.iter().enumerate() {
            for (index, tile) in row.iter().enumerate() {
                let id = TileId { level: level as u8, index: index as u64 };
                assert_eq!(tile_width(n, id), tile.len(), "{id:?} at {size}");
            }
            let next = TileId { level: level as u8, index: row.len() as u64 };
            assert_eq!(tile_width(n, next), 0);
        }
        for at in (1..=size).step_by(37) {
            let bytes = |proof: Vec<Hash>| proof.iter().map(|h| *h.as_bytes()).collect::<Vec<_>>();
            let inclusion = prove_inclusion(at as u64 - 1, n, &tiles).unwrap();
            assert_eq!(bytes(inclusion), tree.path(at - 1, 0, size));
            let consistency = prove_consistency(at as u64, n, &tiles).unwrap();
            assert_eq!(bytes(consistency), tree.proof(at, size));
        }
    }
}

#[test]
fn widths_are_those_of_the_specification() {
    let width = |size, level, index| tile_width(size, TileId { level, index });
    // The example of C2SP tlog-tiles: a tree of 70,000 leaves.
    assert_eq!((width(70_000, 0, 0), width(70_000, 0, 272)), (256, 256));
    assert_eq!((width(70_000, 0, 273), width(70_000, 0, 274)), (112, 0));
    assert_eq!((width(70_000, 1, 0), width(70_000, 1, 1)), (256, 17));
    assert_eq!((width(70_000, 2, 0), width(70_000, 3, 0)), (1, 0));
    // The ends of the range.
    assert_eq!(width(0, 0, 0), 0);
    assert_eq!((width(u64::MAX, 0, u64::MAX >> 8), width(u64::MAX, 0, u64::MAX)), (255, 0));
    assert_eq!((width(u64::MAX, 7, 0), width(u64::MAX, 8, 0)), (255, 0));
    assert_eq!((width(u64::MAX, 63, 0), width(u64::MAX, 255, 0)), (0, 0));
}

#[test]
fn paths_of_the_specification() {
    let tile =
        |level, index, width| TreePath::Tile(TilePath { tile: TileId { level, index }, width });
    let cases = [
        ("0/x001/x234/067", tile(0, 1_234_067, 256)),
        ("0/x001/067.p/8", tile(0, 1067, 8)),
        ("0/000.p/1", tile(0, 0, 1)),
        ("63/999.p/255", tile(63, 999, 255)),
        ("2/x018/x446/x744/x073/x709/x551/615", tile(2, u64::MAX, 256)),
        ("entries/000", TreePath::Entries { index: 0, width: 256 }),
        ("entries/x001/000.p/112", TreePath::Entries { index: 1000, width: 112 }),
    ];
    for (text, path) in cases {
        assert_eq!(TreePath::parse(text), Ok(path));
        assert_eq!(path.to_string(), text);
    }
    let data = TreePath::Entries { index: 67, width: 3 };
    assert_eq!(TreePath::parse_ct("data/067.p/3"), Ok(data));
    assert_eq!(data.to_ct(), "data/067.p/3");
    assert_eq!(TreePath::parse_ct("5/000"), Ok(tile(5, 0, 256)));
    assert_eq!(tile(5, 0, 256).to_ct(), "5/000");
}

#[test]
fn paths_never_reach_the_disk() {
    use TilePathError::*;
    let too_high = LevelTooHigh { max: 63 };
    let cases = [
        ("", NoIndex),
        ("0", NoIndex),
        ("entries", NoIndex),
        ("checkpoint", NoIndex),
        // Levels.
        ("/000", MalformedLevel),
        ("00/000", MalformedLevel),
        ("01/000", MalformedLevel),
        ("+1/000", MalformedLevel),
        ("-1/000", MalformedLevel),
        (" 0/000", MalformedLevel),
        ("0x0/000", MalformedLevel),
        ("\u{0660}/000", MalformedLevel),
        ("100/000", MalformedLevel),
        ("64/000", too_high),
        ("99/000", too_high),
        ("data/000", MalformedLevel),
        ("Entries/000", MalformedLevel),
        // Ways out of a folder, and files of other logs.
        ("../000", MalformedLevel),
        ("%2e%2e/000", MalformedLevel),
        ("..\\000/000", MalformedLevel),
        (".state/x", MalformedLevel),
        ("./000", MalformedLevel),
        ("0/..", MalformedIndex),
        ("0/../../etc/passwd", MalformedIndex),
        ("0/x001/../067", MalformedIndex),
        ("0/%2e%2e/000", MalformedIndex),
        ("0/%30%30%30", MalformedIndex),
        ("0/x001%2f067", MalformedIndex),
        ("0/x001\\067", MalformedIndex),
        ("0/000\0", MalformedIndex),
        ("0/000\n", MalformedIndex),
        ("0/000?x", MalformedIndex),
        ("0/.state", MalformedIndex),
        ("entries/..", MalformedIndex),
        // Second spellings of an index.
        ("0/", MalformedIndex),
        ("0/0", MalformedIndex),
        ("0/00", MalformedIndex),
        ("0/0000", MalformedIndex),
        ("0/+00", MalformedIndex),
        ("0/x000", MalformedIndex),
        ("0/x000/001", MalformedIndex),
        ("0/x000/x001/001", MalformedIndex),
        ("0/001/067", MalformedIndex),
        ("0/X001/067", MalformedIndex),
        ("0/xx001/067", MalformedIndex),
        ("0/x001/x067", MalformedIndex),
        ("0/x001//067", MalformedIndex),
        ("0//000", MalformedIndex),
        ("0/x1/067", MalformedIndex),
        ("0/x001/067/", MalformedIndex),
        ("0/\u{0660}\u{0660}\u{0660}", MalformedIndex),
        // One more than 64 bits hold.
        ("0/x018/x446/x744/x073/x709/x551/616", IndexTooLarge),
        ("0/x999/x999/x999/x999/x999/x999/999", IndexTooLarge),
        // Widths.
        ("0/000.p/0", WidthOutOfRange),
        ("0/000.p/256", WidthOutOfRange),
        ("0/000.p/999", WidthOutOfRange),
        ("0/000.p/65537", MalformedWidth),
        ("0/000.p/", MalformedWidth),
        ("0/000.p/01", MalformedWidth),
        ("0/000.p/00", MalformedWidth),
        ("0/000.p/+8", MalformedWidth),
        ("0/000.p/-8", MalformedWidth),
        ("0/000.p/8/", MalformedWidth),
        ("0/000.p/8.p/8", MalformedWidth),
        ("0/000.p/..", MalformedWidth),
        ("0/000.p", MalformedIndex),
        ("0/000.P/8", MalformedIndex),
        ("0/.p/8", MalformedIndex),
    ];
    for (text, error) in cases {
        assert_eq!(TreePath::parse(text), Err(error), "{text:?}");
    }
    assert_eq!(TreePath::parse_ct("6/000"), Err(LevelTooHigh { max: 5 }));
    assert_eq!(TreePath::parse_ct("entries/000"), Err(MalformedLevel));
    // A path of any length is refused at its first wrong group, or once it overflows.
    assert_eq!(TreePath::parse(&format!("0/{}000", "x999/".repeat(100_000))), Err(IndexTooLarge));
}

fn any_path() -> impl Strategy<Value = TreePath> {
    let index = prop_oneof![0..3000_u64, any::<u64>()];
    (prop::option::of(0..=63_u8), index, 1..=256_u16).prop_map(
        |(level, index, width)| match level {
            Some(level) => TreePath::Tile(TilePath { tile: TileId { level, index }, width }),
            None => TreePath::Entries { index, width },
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(path in any_path()) {
        prop_assert_eq!(TreePath::parse(&path.to_string()), Ok(path));
        match TreePath::parse_ct(&path.to_ct()) {
            Ok(read) => prop_assert_eq!(read, path),
            Err(error) => prop_assert_eq!(error, TilePathError::LevelTooHigh { max: 5 }),
        }
    }

    #[test]
    fn what_is_read_is_written(text in "(entries|data|[0-9]{1,2})(/x[0-9]{3,4}){0,7}/x?[0-9]{3}(\\.p/[0-9]{1,4})?") {
        if let Ok(path) = TreePath::parse(&text) {
            prop_assert_eq!(path.to_string(), text.as_str());
        }
        if let Ok(path) = TreePath::parse_ct(&text) {
            prop_assert_eq!(path.to_ct(), text.as_str());
        }
    }

    #[test]
    fn parsing_paths_is_total(text: String) {
        if let Ok(path) = TreePath::parse(&text) {
            prop_assert_eq!(path.to_string(), text);
        }
    }

    #[test]
    fn places_are_where_the_leaves_are(level in 0..64_u8, index: u64) {
        let index = index & (u64::MAX >> level);
        let place = TileNode::of(level, index);
        prop_assert!(place.level < 8 && place.index < 256 >> place.level);
        prop_assert_eq!(u16::from(place.tile.level) * 8 + u16::from(place.level), u16::from(level));
        let back = (u128::from(place.tile.index) << (8 - place.level)) + u128::from(place.index);
        prop_assert_eq!(back, u128::from(index));
    }
}

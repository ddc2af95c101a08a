//! Tiles, bundles and proofs, read back the way a client reads them.

use std::collections::BTreeMap;
use std::sync::Arc;

use merkle::Hash;
use merkle::merkle::{
    Nodes, leaf_hash, prove_inclusion, root, verify_consistency, verify_inclusion,
};
use merkle::tile::{Tile, TileId, TileNode, TilePath, tile_width};
use tlog::read::ReadError;
use tlog::store::Store;
use tlog::store::memory::MemoryStore;
use tlog::store::sqlite::SqliteStore;
use tlog::{Engine, Tree};

use crate::support::{World, rekor_entry, submit};

/// A client that knows nothing but tiles of one tree size.
struct Client(BTreeMap<TileId, Tile>);

impl Client {
    fn fetch(engine: &Engine, size: u64) -> Self {
        let mut tiles = BTreeMap::new();
        for level in 0..8 {
            for index in 0.. {
                let tile = TileId { level, index };
                let width = tile_width(size, tile);
                if width == 0 {
                    break;
                }
                let bytes = engine.tile(Tree::Rekor2, TilePath { tile, width }).unwrap();
                assert_eq!(bytes.len(), usize::from(width) * 32);
                tiles.insert(tile, Tile::from_bytes(&bytes).unwrap());
            }
        }
        Self(tiles)
    }
}

impl Nodes for Client {
    type Error = ();

    fn node(&self, level: u8, index: u64) -> Result<Hash, ()> {
        let place = TileNode::of(level, index);
        self.0.get(&place.tile).and_then(|t| t.node(place.level, place.index)).ok_or(())
    }
}

#[test]
fn clients_prove_everything_from_tiles() {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(&folder.path().join("log.db")).unwrap();
    for store in [Arc::new(MemoryStore::new()) as Arc<dyn Store>, Arc::new(sqlite)] {
        let world = World::new();
        let engine = world.open(store.clone()).unwrap();
        let mut heads = vec![engine.head(Tree::Rekor2).unwrap().head];
        for n in 0..530 {
            heads.push(submit(&engine, rekor_entry(n)).unwrap().head().head);
        }
        // Half of it is read from a log that was opened anew.
        let reopened = world.open(store).unwrap();
        for (n, head) in heads
            .iter()
            .enumerate()
            .filter(|(n, _)| n % 41 == 0 || *n > 524 || (254..258).contains(n))
        {
            let engine = if n % 2 == 0 { &engine } else { &reopened };
            let client = Client::fetch(engine, head.size);
            assert_eq!(root(head.size, &client), Ok(head.root));
            let bundle = (head.size - 1) / 256;
            let width = (head.size - 256 * bundle) as u16;
            let bytes = engine.entry_bundle(Tree::Rekor2, bundle, width).unwrap();
            for (at, body) in merkle::entries::decode(&bytes).unwrap().into_iter().enumerate() {
                let (index, leaf) = (256 * bundle + at as u64, leaf_hash(body));
                let proof = prove_inclusion(index, head.size, &client).unwrap();
                verify_inclusion(index, head.size, &leaf, &proof, &head.root).unwrap();
                assert_eq!(engine.inclusion(Tree::Rekor2, index, head.size).unwrap(), proof);
            }
            let last = heads.last().unwrap();
            let proof = engine.consistency(Tree::Rekor2, head.size, last.size).unwrap();
            verify_consistency(head.size, last.size, &head.root, &last.root, &proof).unwrap();
        }
    }
}

#[test]
fn what_no_checkpoint_covers_is_not_found() {
    let world = World::new();
    let engine = world.open(Arc::new(MemoryStore::new())).unwrap();
    (0..299).for_each(|n| drop(submit(&engine, rekor_entry(n)).unwrap()));
    let tile = |level, index, width| {
        engine.tile(Tree::Rekor2, TilePath { tile: TileId { level, index }, width })
    };
    assert!(tile(0, 0, 256).is_ok() && tile(0, 0, 7).is_ok() && tile(0, 1, 44).is_ok());
    assert_eq!(tile(0, 0, 7).unwrap(), tile(0, 0, 256).unwrap()[..7 * 32]);
    for (level, index, width) in [
        (0, 1, 45),
        (0, 1, 256),
        (0, 2, 1),
        (0, 0, 0),
        (0, 0, 257),
        (1, 0, 2),
        (1, 1, 1),
        (2, 0, 1),
        (63, u64::MAX, 256),
        (255, u64::MAX, u16::MAX),
    ] {
        assert_eq!(tile(level, index, width), Err(ReadError::NotFound), "{level}/{index}.{width}");
    }
    let bundle = |index, width| engine.entry_bundle(Tree::Rekor2, index, width);
    assert!(bundle(0, 256).is_ok() && bundle(1, 44).is_ok() && bundle(1, 1).is_ok());
    for (index, width) in [(1, 45), (2, 1), (0, 0), (0, 257), (u64::MAX, 1), (u64::MAX / 256, 256)]
    {
        assert_eq!(bundle(index, width), Err(ReadError::NotFound), "{index}.{width}");
    }
    assert_eq!(engine.entry(Tree::Rekor2, 300).err(), Some(ReadError::NotFound));
    let out = ReadError::OutOfRange { size: 300 };
    assert_eq!(engine.inclusion(Tree::Rekor2, 0, 301), Err(out.clone()));
    assert_eq!(engine.consistency(Tree::Rekor2, 1, 301), Err(out));
    assert!(matches!(engine.consistency(Tree::Rekor2, 0, 3), Err(ReadError::Prove(_))));
}

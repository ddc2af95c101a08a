//! Submitting and answering.

use std::sync::Arc;

use tlog::Tree;
use tlog::store::memory::MemoryStore;
use tlog::store::sqlite::SqliteStore;
use tlog::store::Store;

use crate::support::{World, rekor_entry, submit};

fn both(test: impl Fn(Arc<dyn Store>)) {
    test(Arc::new(MemoryStore::new()));
    let folder = tempfile::tempdir().unwrap();
    test(Arc::new(SqliteStore::open(&folder.path().join("log.db")).unwrap()));
}

#[test]
fn entries_are_answered_with_their_proofs() {
    both(|store| {
        let world = World::new();
        let engine = world.open(store).unwrap();
        for n in 1..600 {
            let published = submit(&engine, rekor_entry(n)).unwrap();
            assert_eq!(published.index(), n);
            assert!(!published.is_duplicate());
            world.check(&published);
        }
        assert_eq!(engine.head(Tree::Rekor2).unwrap().head.size, 600);
        engine.shutdown();
    });
}

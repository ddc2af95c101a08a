//! Several writers on one store.

use std::sync::{Arc, Mutex};

use merkle::merkle::{empty_root, verify_consistency};
use tlog::store::memory::MemoryStore;
use tlog::store::sqlite::SqliteStore;
use tlog::store::{Commit, CommitError, Head, SignedHead, Store, TreeCommit};
use tlog::{Engine, Tree};

use crate::support::{World, assert_whole, rekor_entry, submit};

/// Two engines, as two processes would be: each with connections and a view of its own.
#[test]
fn head_is_compare_and_swap() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let open = || Arc::new(SqliteStore::open(&path).unwrap());
    let engines = [world.open(open()).unwrap(), world.open(open()).unwrap()];
    let heads = Mutex::new(Vec::new());
    let entries: Vec<_> = (0..EACH / 10).map(rekor_entry).collect();
    std::thread::scope(|scope| {
        for (who, engine) in engines.iter().enumerate() {
            let (heads, world, entries) = (&heads, &world, &entries);
            scope.spawn(move || {
                for n in 0..EACH {
                    // Every tenth entry is one that the other brings too.
                    let entry = match entries.get(n as usize / 10) {
                        Some(entry) if n % 10 == 0 => entry.clone(),
                        _ => rekor_entry(1_000_000 * (who as u64 + 1) + n),
                    };
                    let published = submit(engine, entry).unwrap();
                    world.check(&published);
                    heads.lock().unwrap().push(published.head().head);
                }
            });
        }
    });
    let mut heads = heads.into_inner().unwrap();
    heads.sort_by_key(|head| head.size);
    heads.dedup();
    let distinct = 1 + 2 * EACH - EACH / 10;
    let store = open();
    let last = store.load(Tree::Rekor2).unwrap().unwrap().head;
    assert_eq!(last.size, distinct, "entries that both brought are there once");
    let engine = world.open(store.clone()).unwrap();
    for pair in heads.windows(2) {
        assert!(pair[0].size < pair[1].size, "two heads of size {}", pair[0].size);
    }
    for head in heads {
        let proof = engine.consistency(Tree::Rekor2, head.size, last.size).unwrap();
        verify_consistency(head.size, last.size, &head.root, &last.root, &proof).unwrap();
    }
    assert_whole(&world, &*store);
}

/// About a thousand commits in all.
const EACH: u64 = 500;

#[test]
fn null_head_is_not_empty_head() {
    // The empty tree has a root, and a store without a tree has no head.
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(empty_root().to_string(), empty);
    let folder = tempfile::tempdir().unwrap();
    let sqlite = SqliteStore::open(&folder.path().join("log.db")).unwrap();
    let stores: [&dyn Store; 2] = [&MemoryStore::new(), &sqlite];
    for store in stores {
        assert_eq!(store.load(Tree::Ct), Ok(None));
        let head = |text: &str| {
            let head = Head { size: 0, root: empty_root(), timestamp_ms: 0 };
            SignedHead { head, checkpoint: text.into() }
        };
        let commit = |expected: Option<SignedHead>, text: &str| {
            let part = TreeCommit {
                tree: Tree::Ct,
                expected,
                entries: Vec::new(),
                tiles: Vec::new(),
                head: head(text),
            };
            store.commit(&Commit { trees: vec![part], ..Commit::default() })
        };
        let moved = Err(CommitError::HeadMoved { tree: Tree::Ct });
        assert_eq!(commit(Some(head("never")), "a"), moved);
        assert_eq!(commit(None, "a"), Ok(()));
        // A head of size 0 is a head: it is not created a second time.
        assert_eq!(commit(None, "b"), moved);
        assert_eq!(commit(Some(head("other text")), "b"), moved);
        assert_eq!(commit(Some(head("a")), "b"), Ok(()));
    }
}

#[test]
fn of_two_writers_on_a_fresh_store_one_makes_the_log() {
    for _ in 0..20 {
        let world = World::new();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let open = || world.open_file(&path);
        let engines: Vec<Engine> = std::thread::scope(|scope| {
            let openers: Vec<_> = (0..2).map(|_| scope.spawn(open)).collect();
            openers.into_iter().map(|opener| opener.join().unwrap()).collect()
        });
        let heads: Vec<_> = engines.iter().map(|e| e.head(Tree::Rekor2).unwrap()).collect();
        assert_eq!(heads[0], heads[1]);
        for (n, engine) in engines.iter().enumerate() {
            assert_eq!(submit(engine, rekor_entry(n as u64)).unwrap().index(), n as u64 + 1);
        }
    }
}

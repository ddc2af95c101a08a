//! The stored keys against a simple model, through enough entries for runs to be merged.

use std::sync::Arc;

use merkle::merkle::empty_root;
use sha2::{Digest as _, Sha256};
use tlog::Tree;
use tlog::search::SearchKey;
use tlog::store::sqlite::SqliteStore;
use tlog::store::{Commit, CommitError, Head, NewEntry, Row, SignedHead, Store, TreeCommit};

fn identity(n: u64) -> [u8; 32] {
    Sha256::digest(n.to_be_bytes()).into()
}

fn own_key(n: u64) -> SearchKey {
    SearchKey::identity(&format!("own {n}"))
}

fn shared_key(n: u64) -> SearchKey {
    SearchKey::identity(&format!("shared {}", n % 3))
}

fn head(size: u64) -> SignedHead {
    let head = Head { size, root: empty_root(), timestamp_ms: size };
    SignedHead { head, checkpoint: format!("{size}") }
}

/// Entries without a tree over them: the store does not look at that.
fn commit(store: &dyn Store, first: u64, count: u64) -> Result<(), CommitError> {
    let body: Arc<[u8]> = [0].into();
    let entries = (first..first + count).map(|index| NewEntry {
        index,
        body: body.clone(),
        extra: body.clone(),
        dedup: identity(index),
        search: vec![own_key(index), shared_key(index)],
    });
    let part = TreeCommit {
        tree: Tree::Rekor2,
        expected: (first > 0).then(|| head(first)),
        entries: entries.collect(),
        tiles: Vec::new(),
        head: head(first + count),
    };
    store.commit(&Commit { trees: vec![part], ..Commit::default() })
}

fn assert_keys(store: &dyn Store, size: u64, step: usize) {
    for n in (0..size).step_by(4 * step) {
        assert_eq!(store.find_duplicate(Tree::Rekor2, &identity(n)), Ok(Some(n)));
        assert_eq!(store.find_duplicate(Tree::Ct, &identity(n)), Ok(None));
        assert_eq!(store.search(&own_key(n), 10), Ok(vec![(Tree::Rekor2, n)]));
        assert_eq!(store.find_duplicate(Tree::Rekor2, &identity(size + n)), Ok(None));
    }
    for shared in 0..3 {
        let expected: Vec<_> = (shared..size).step_by(3).map(|n| (Tree::Rekor2, n)).collect();
        assert_eq!(store.search(&shared_key(shared), usize::MAX).unwrap(), expected);
        assert_eq!(store.search(&shared_key(shared), 2).unwrap(), expected[..2]);
    }
}

fn count(store: &dyn Store) -> (u64, u64) {
    let (mut dedup, mut search) = (0, 0);
    store
        .walk(&mut |row| match row {
            Row::Dedup { tree, identity: key, index } => {
                assert_eq!((tree, key), (Tree::Rekor2, identity(index)));
                dedup += 1;
            }
            Row::Search { key, index, .. } => {
                assert!(key == own_key(index) || key == shared_key(index));
                search += 1;
            }
            other => panic!("{other:?}"),
        })
        .unwrap();
    (dedup, search)
}

#[test]
fn keys_are_found_through_all_merges() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let store = SqliteStore::open(&path).unwrap();
    let batch = 509;
    let mut size = 0;
    for round in 0..160 {
        commit(&store, size, batch).unwrap();
        size += batch;
        if round % 40 == 39 {
            assert_keys(&store, size, 997);
            assert_eq!(count(&store), (size, 2 * size));
        }
    }
    // A new process, which finds merges unfinished, and goes on.
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_keys(&store, size, 499);
    for _ in 0..60 {
        commit(&store, size, batch).unwrap();
        size += batch;
    }
    assert_keys(&store, size, 997);
    assert_eq!(count(&store), (size, 2 * size));
}

/// Two writers in turn: what one merges away, the other does not look for in vain.
#[test]
fn keys_stay_whole_between_two_writers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let stores = [SqliteStore::open(&path).unwrap(), SqliteStore::open(&path).unwrap()];
    let (mut size, mut turns) = (0, 0);
    for round in 0_u64..220 {
        // Long turns and short ones, so that each leaves merges unfinished for the other.
        let store = &stores[usize::from(round % 7 < 3)];
        match commit(store, size, 401) {
            Ok(()) => size += 401,
            // Told once that another wrote, so that duplicates are looked for again.
            Err(CommitError::HeadMoved { .. }) => {
                turns += 1;
                commit(store, size, 401).unwrap();
                size += 401;
            }
            Err(error) => panic!("{error}"),
        }
        let other = &stores[usize::from(round % 7 >= 3)];
        let _ = other.find_duplicate(Tree::Rekor2, &identity(round));
    }
    assert!(turns > 20);
    let fresh = SqliteStore::open(&path).unwrap();
    assert_keys(&fresh, size, 499);
    assert_eq!(count(&fresh), (size, 2 * size));
}

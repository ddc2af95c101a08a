//! Submitting and answering.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use merkle::tile::TileId;
use tlog::engine::{OpenError, Settings, SubmitError};
use tlog::scrub::Damage;
use tlog::search::SearchKey;
use tlog::signer::{CheckpointSigner, CheckpointVerifier, LogKey, SignError};
use tlog::store::memory::{Fault, MemoryStore};
use tlog::store::sqlite::SqliteStore;
use tlog::store::{
    Commit, CommitError, Row, SignedHead, Store, StoreError, StoredAudit, StoredEntry,
};
use tlog::{Tree, ct};

use crate::support::{
    CT_ORIGIN, REKOR_ORIGIN, START_MS, World, assert_whole, findings, rekor_entry, submit, wait,
};

fn both(test: impl Fn(Arc<dyn Store>)) {
    test(Arc::new(MemoryStore::new()));
    let folder = tempfile::tempdir().unwrap();
    test(Arc::new(SqliteStore::open(&folder.path().join("log.db")).unwrap()));
}

#[test]
fn entries_are_answered_with_their_proofs() {
    both(|store| {
        let world = World::new();
        let engine = world.open(store.clone()).unwrap();
        for n in 1..600 {
            let published = submit(&engine, rekor_entry(n)).unwrap();
            assert_eq!(published.index(), n);
            assert!(!published.is_duplicate());
            world.check(&published);
        }
        assert_eq!(engine.head(Tree::Rekor2).unwrap().head.size, 600);
        engine.shutdown();
        assert_whole(&world, &*store);
        let again = world.open(store).unwrap();
        let published = submit(&again, rekor_entry(600)).unwrap();
        assert_eq!(published.index(), 600);
        world.check(&published);
    });
}

#[test]
fn a_batch_is_one_commit() {
    let world = World::new();
    let store = Arc::new(GatedStore::new());
    let engine = world.open(store.clone()).unwrap();
    store.close();
    let first = spawn_submit(&engine, 0);
    store.wait_for_commit();
    let rest: Vec<_> = (1..200).map(|n| spawn_submit(&engine, n)).collect();
    while engine.health().outstanding < 200 {
        std::thread::yield_now();
    }
    let before = store.inner.commits();
    store.open();
    first.join().unwrap().unwrap();
    let published: Vec<_> = rest.into_iter().map(|t| t.join().unwrap().unwrap()).collect();
    assert_eq!(store.inner.commits(), before + 2);
    published.iter().for_each(|published| world.check(published));
    let head = published[0].head();
    assert!(published.iter().all(|published| published.head() == head));
}

#[test]
fn a_repeated_entry_is_answered_with_the_one_that_is_there() {
    both(|store| {
        let world = World::new();
        let engine = world.open(store).unwrap();
        let entry = rekor_entry(7);
        let first = submit(&engine, entry.clone()).unwrap();
        (0..300).for_each(|n| drop(submit(&engine, rekor_entry(1000 + n)).unwrap()));
        let second = submit(&engine, entry).unwrap();
        assert!(second.is_duplicate());
        assert_eq!((second.index(), second.body()), (first.index(), first.body()));
        assert_eq!(second.head(), &*engine.head(Tree::Rekor2).unwrap());
        world.check(&second);
    });
}

#[test]
fn one_entry_many_times_in_one_batch_is_logged_once() {
    let world = World::new();
    let store = Arc::new(GatedStore::new());
    let engine = world.open(store.clone()).unwrap();
    store.close();
    let first = spawn_submit(&engine, 0);
    store.wait_for_commit();
    let entry = rekor_entry(1);
    let twins: Vec<_> = (0..100)
        .map(|_| {
            let (engine, entry) = (engine.clone(), entry.clone());
            std::thread::spawn(move || submit(&engine, entry).unwrap())
        })
        .collect();
    while engine.health().outstanding < 101 {
        std::thread::yield_now();
    }
    store.open();
    first.join().unwrap().unwrap();
    let answers: Vec<_> = twins.into_iter().map(|twin| twin.join().unwrap()).collect();
    assert!(answers.iter().all(|answer| answer.index() == 2 && answer.body() == answers[0].body()));
    assert_eq!(answers.iter().filter(|answer| !answer.is_duplicate()).count(), 1);
    assert_eq!(engine.head(Tree::Rekor2).unwrap().head.size, 3);
}

/// sunlight once answered with the SCT of another certificate, whose shortened key was the same.
#[test]
fn dedup_key_full_hash() {
    let world = World::new();
    let store = Arc::new(CollidingStore(MemoryStore::new()));
    let engine = world.open(store).unwrap();
    let entry = rekor_entry(1);
    assert_eq!(entry.identity().len(), 32);
    let collision = SubmitError::IdentityCollision { tree: Tree::Rekor2, index: 0 };
    assert_eq!(submit(&engine, entry), Err(collision));
    let precertificate = world.ca.precertificate("a@example.com");
    let entry = ct::accept_precertificate(&precertificate, &[], &world.ca.authorities()).unwrap();
    let collision = SubmitError::IdentityCollision { tree: Tree::Ct, index: 0 };
    assert_eq!(submit(&engine, entry), Err(collision));
}

#[test]
fn failed_batch_not_remembered() {
    for fault in [Fault::FailCleanly, Fault::FailAndDrop, Fault::Full] {
        let world = World::new();
        let store = Arc::new(MemoryStore::new());
        let engine = world.open(store.clone()).unwrap();
        let entry = rekor_entry(1);
        store.inject([fault]);
        assert!(matches!(submit(&engine, entry.clone()), Err(SubmitError::Store(_))));
        assert!(engine.health().last_commit.is_err());
        let published = submit(&engine, entry).unwrap();
        assert!(!published.is_duplicate(), "{fault:?}");
        assert_eq!(published.index(), 1);
        world.check(&published);
        assert!(engine.health().last_commit.is_ok());
    }
}

#[test]
fn a_commit_that_failed_but_persisted_is_found() {
    let world = World::new();
    let store = Arc::new(MemoryStore::new());
    let engine = world.open(store.clone()).unwrap();
    store.inject([Fault::FailButPersist]);
    let published = submit(&engine, rekor_entry(1)).unwrap();
    assert_eq!((published.index(), published.is_duplicate()), (1, false));
    world.check(&published);
    assert_whole(&world, &*store);
}

#[test]
fn bit_flip_caught_before_signing() {
    let world = World::new();
    let store = Arc::new(MemoryStore::new());
    let engine = world.open(store.clone()).unwrap();
    submit(&engine, rekor_entry(1)).unwrap();
    store.inject([Fault::FlipBitAfter]);
    let last = submit(&engine, rekor_entry(2)).unwrap();
    let damage = Damage::Entry { tree: Tree::Rekor2, index: 2 };
    assert_eq!(submit(&engine, rekor_entry(3)), Err(SubmitError::Damaged(damage.clone())));
    assert_eq!(&*engine.head(Tree::Rekor2).unwrap(), last.head());
    let health = engine.health();
    let rekor = health.trees.iter().find(|tree| tree.tree == Tree::Rekor2).unwrap();
    assert_eq!(rekor.damage, Some(damage));
    let ours: Vec<String> = findings(&world, &*store).iter().map(ToString::to_string).collect();
    assert!(ours.iter().any(|finding| finding.contains("entry 2")), "{ours:?}");
    // Nor is an idle log's head signed anew over it.
    world.clock.fetch_add(3_600_000, Ordering::SeqCst);
    let entry = ct::accept_precertificate(
        &world.ca.precertificate("a@example.com"),
        &[],
        &world.ca.authorities(),
    );
    submit(&engine, entry.unwrap()).unwrap();
    assert_eq!(&*engine.head(Tree::Rekor2).unwrap(), last.head());
}

#[test]
fn the_scrubber_finds_an_old_flip() {
    both_sizes(|size| {
        let world = World::new();
        let store = Arc::new(MemoryStore::new());
        let engine = world.open(store.clone()).unwrap();
        (1..size).for_each(|n| drop(submit(&engine, rekor_entry(n)).unwrap()));
        assert_eq!(engine.scrub(Tree::Rekor2, 0, u64::MAX), Ok(()));
        store.flip_bit(Tree::Rekor2, 3);
        let damage = Damage::Entry { tree: Tree::Rekor2, index: 3 };
        assert_eq!(engine.scrub(Tree::Rekor2, 0, u64::MAX), Err(damage.clone()));
        assert_eq!(submit(&engine, rekor_entry(size)), Err(SubmitError::Damaged(damage)));
    });
    // In the background too.
    let world = World::new();
    let store = Arc::new(MemoryStore::new());
    let settings = Settings { scrub_entries_per_second: 100_000, ..World::settings() };
    let engine = world.open_with(store.clone(), settings).unwrap();
    submit(&engine, rekor_entry(1)).unwrap();
    store.flip_bit(Tree::Rekor2, 0);
    while engine.health().trees.iter().all(|tree| tree.damage.is_none()) {
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn both_sizes(test: impl Fn(u64)) {
    test(10);
    test(300);
}

#[test]
fn heads_never_go_back_in_time() {
    let world = World::new();
    let engine = world.open(Arc::new(MemoryStore::new())).unwrap();
    world.clock.store(START_MS + 5000, Ordering::SeqCst);
    submit(&engine, rekor_entry(1)).unwrap();
    world.clock.store(START_MS - 1_000_000, Ordering::SeqCst);
    let published = submit(&engine, rekor_entry(2)).unwrap();
    assert_eq!(published.head().head.timestamp_ms, START_MS + 5000);
    let health = engine.health();
    let rekor = health.trees.iter().find(|tree| tree.tree == Tree::Rekor2).unwrap();
    assert_eq!((rekor.head_age_ms, rekor.clock_behind_ms), (0, 1_005_000));
}

/// A key that can't be reached for a while.
struct LostKey(crate::support::TestKey, AtomicBool);

impl LogKey for LostKey {
    fn public_key(&self) -> &formats::key::PublicKey {
        self.0.public()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        if self.1.load(Ordering::SeqCst) {
            return Err(SignError::Unavailable { reason: "the token was pulled out".into() });
        }
        Ok(self.0.sign_message(message))
    }
}

#[test]
fn a_key_that_can_not_sign_stops_its_own_tree_only() {
    let world = World::new();
    let key = Arc::new(LostKey(world.rekor_key.clone(), AtomicBool::new(false)));
    let mut trees = world.trees();
    trees[0].signer = Arc::new(CheckpointSigner::new(REKOR_ORIGIN, key.clone()).unwrap());
    let store = Arc::new(MemoryStore::new());
    let clock = Arc::new(|| START_MS);
    let engine = tlog::Engine::open(store.clone(), trees, clock, World::settings()).unwrap();
    key.1.store(true, Ordering::SeqCst);
    let lost = SignError::Unavailable { reason: "the token was pulled out".into() };
    let entry = rekor_entry(1);
    assert_eq!(submit(&engine, entry.clone()), Err(SubmitError::Sign(lost.clone())));
    assert_eq!(engine.health().last_commit, Err(SubmitError::Sign(lost)));
    let precertificate = world.ca.precertificate("a@example.com");
    let other = ct::accept_precertificate(&precertificate, &[], &world.ca.authorities()).unwrap();
    world.check(&submit(&engine, other).unwrap());
    key.1.store(false, Ordering::SeqCst);
    assert_eq!(submit(&engine, entry).unwrap().index(), 1);
    assert_eq!(engine.health().last_commit, Ok(()));
    assert_whole(&world, &*store);
}

#[test]
fn the_head_of_an_idle_log_is_signed_anew() {
    let world = World::new();
    let store = Arc::new(MemoryStore::new());
    let settings = Settings { resign_after_ms: 1000, ..World::settings() };
    let engine = world.open_with(store.clone(), settings).unwrap();
    let old = engine.head(Tree::Rekor2).unwrap();
    let age = |engine: &tlog::Engine| engine.health().trees.iter().map(|t| t.head_age_ms).max();
    world.clock.fetch_add(1000, Ordering::SeqCst);
    assert_eq!(age(&engine), Some(1000));
    while age(&engine) != Some(0) {
        std::thread::sleep(Duration::from_millis(5));
    }
    let new = engine.head(Tree::Rekor2).unwrap();
    assert_eq!((new.head.size, new.head.root), (old.head.size, old.head.root));
    assert_eq!(new.head.timestamp_ms, old.head.timestamp_ms + 1000);
    assert_ne!(new.checkpoint, old.checkpoint);
    assert_eq!(store.load(Tree::Rekor2).unwrap().as_ref(), Some(&*new));
    assert_whole(&world, &*store);
}

#[test]
fn a_caller_that_hangs_up_fails_nobody() {
    let world = World::new();
    let store = Arc::new(GatedStore::new());
    let engine = world.open(store.clone()).unwrap();
    store.close();
    let mut gone = Box::pin(engine.submit(rekor_entry(1)));
    wait(async { poll_once(&mut gone).await });
    store.wait_for_commit();
    drop(gone);
    let stays = spawn_submit(&engine, 2);
    store.open();
    assert_eq!(stays.join().unwrap().unwrap().index(), 2);
    assert_eq!(engine.head(Tree::Rekor2).unwrap().head.size, 3);
}

#[test]
fn shutdown_commits_what_was_taken() {
    let world = World::new();
    let store = Arc::new(GatedStore::new());
    let engine = world.open(store.clone()).unwrap();
    store.close();
    let waiting: Vec<_> = (0..50).map(|n| spawn_submit(&engine, n)).collect();
    while engine.health().outstanding < 50 {
        std::thread::yield_now();
    }
    let stopping = engine.clone();
    let stopping = std::thread::spawn(move || stopping.shutdown());
    while engine.health().running {
        std::thread::yield_now();
    }
    assert_eq!(submit(&engine, rekor_entry(99)), Err(SubmitError::ShuttingDown));
    store.open();
    stopping.join().unwrap();
    waiting.into_iter().for_each(|waiter| world.check(&waiter.join().unwrap().unwrap()));
    assert_eq!(store.inner.load(Tree::Rekor2).unwrap().unwrap().head.size, 51);
}

#[test]
fn overload_says_503() {
    let world = World::new();
    let store = Arc::new(GatedStore::new());
    let settings = Settings { max_outstanding: 20, ..World::settings() };
    let engine = world.open_with(store.clone(), settings).unwrap();
    store.close();
    let admitted: Vec<_> = (0..20).map(|n| spawn_submit(&engine, n)).collect();
    while engine.health().outstanding < 20 {
        std::thread::yield_now();
    }
    let entry = rekor_entry(1000);
    for _ in 0..10_000 {
        assert_eq!(submit(&engine, entry.clone()), Err(SubmitError::Overloaded));
    }
    assert_eq!(engine.audit_later(b"row".to_vec()), Err(SubmitError::Overloaded));
    store.open();
    admitted.into_iter().for_each(|waiter| world.check(&waiter.join().unwrap().unwrap()));
    while engine.health().outstanding > 0 {
        std::thread::yield_now();
    }
    submit(&engine, entry).unwrap();
}

#[test]
fn disk_full_is_safe() {
    let world = World::new();
    let store = Arc::new(MemoryStore::new());
    let engine = world.open(store.clone()).unwrap();
    let before = submit(&engine, rekor_entry(1)).unwrap();
    store.inject([Fault::Full; 3]);
    for n in 2..5 {
        assert_eq!(submit(&engine, rekor_entry(n)), Err(SubmitError::Store(StoreError::Full)));
        // Reads go on.
        assert_eq!(&engine.published(Tree::Rekor2, 1).unwrap().head(), &before.head());
    }
    assert_eq!(submit(&engine, rekor_entry(5)).unwrap().index(), 2);
    assert_whole(&world, &*store);
}

#[test]
fn restored_backup_refused() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let (db, backup) = (folder.path().join("log.db"), folder.path().join("yesterday.db"));
    let settings =
        || Settings { high_water: Some(folder.path().join("high-water")), ..World::settings() };
    let open =
        |path: &Path| world.open_with(Arc::new(SqliteStore::open(path).unwrap()), settings());
    let fill = |first, count| {
        let engine = open(&db).unwrap();
        (first..first + count).for_each(|n| drop(submit(&engine, rekor_entry(n)).unwrap()));
        engine.shutdown();
    };
    fill(0, 300);
    std::fs::copy(&db, &backup).unwrap();
    fill(300, 10);
    let refused = OpenError::RolledBack { tree: Tree::Rekor2, stored: 301, seen: 311 };
    assert_eq!(open(&backup).err(), Some(refused.clone()));
    assert!(refused.to_string().contains("301") && refused.to_string().contains("311"));
    // Nor a log that starts over where a database was lost.
    let lost = OpenError::RolledBack { tree: Tree::Rekor2, stored: 0, seen: 311 };
    assert_eq!(open(&folder.path().join("new.db")).err(), Some(lost));
    // Nor the same number of other entries.
    let other = folder.path().join("other.db");
    std::fs::rename(folder.path().join("high-water"), folder.path().join("kept")).unwrap();
    std::fs::copy(&backup, &other).unwrap();
    let engine = open(&other).unwrap();
    (1000..1020).for_each(|n| drop(submit(&engine, rekor_entry(n)).unwrap()));
    engine.shutdown();
    std::fs::rename(folder.path().join("kept"), folder.path().join("high-water")).unwrap();
    let forked = OpenError::Forked { tree: Tree::Rekor2, size: 311 };
    assert_eq!(open(&other).err(), Some(forked));
    // The newest one is taken.
    fill(400, 1);
    // A damaged mark is said to be that.
    std::fs::write(folder.path().join("high-water"), "rekor2 many 00\n").unwrap();
    assert!(matches!(open(&db).err(), Some(OpenError::HighWater(_))));
}

#[test]
fn a_store_that_goes_back_while_we_run_is_refused() {
    let world = World::new();
    let store = Arc::new(MemoryStore::new());
    let engine = world.open(store.clone()).unwrap();
    submit(&engine, rekor_entry(1)).unwrap();
    let backup = store.copy();
    let seen = submit(&engine, rekor_entry(2)).unwrap();
    store.restore(&backup);
    let gone = Damage::Gone { tree: Tree::Rekor2, index: 2 };
    assert_eq!(submit(&engine, rekor_entry(3)), Err(SubmitError::Damaged(gone)));
    assert_eq!(&*engine.head(Tree::Rekor2).unwrap(), seen.head());
}

#[test]
fn names_unique() {
    let world = World::new();
    let open = |trees| {
        tlog::Engine::open(Arc::new(MemoryStore::new()), trees, Arc::new(|| 1), World::settings())
            .err()
    };
    let rekor = |origin: &str, key: &crate::support::TestKey, verifier: &str| {
        let mut tree = world.rekor_tree();
        tree.signer = Arc::new(CheckpointSigner::new(origin, Arc::new(key.clone())).unwrap());
        let public = key.public().clone();
        tree.verifier = Arc::new(CheckpointVerifier::new(verifier, public).unwrap());
        tree
    };
    let same_name = vec![world.ct_tree(), rekor(CT_ORIGIN, &world.rekor_key, CT_ORIGIN)];
    let refused = OpenError::DuplicateOrigin { origin: CT_ORIGIN.into() };
    assert_eq!(open(same_name), Some(refused));
    let same_key = vec![world.ct_tree(), rekor(REKOR_ORIGIN, &world.ct_key, REKOR_ORIGIN)];
    assert_eq!(open(same_key), Some(OpenError::DuplicateKey { tree: Tree::Rekor2 }));
    let twice = vec![world.rekor_tree(), world.rekor_tree()];
    assert_eq!(open(twice), Some(OpenError::DuplicateTree { tree: Tree::Rekor2 }));
    let apart = vec![rekor(REKOR_ORIGIN, &world.rekor_key, "other.example")];
    assert!(matches!(open(apart), Some(OpenError::OriginMismatch { .. })));
    assert_eq!(open(world.trees()), None);
}

#[test]
fn a_store_of_another_key_or_name_is_refused() {
    let world = World::new();
    let store = Arc::new(MemoryStore::new());
    world.open(store.clone()).unwrap();
    let other = World { rekor_key: crate::support::TestKey::generate(), ..World::new() };
    let refused = other.open(store.clone()).err();
    assert!(matches!(refused, Some(OpenError::HeadNotOurs { .. })), "{refused:?}");
}

#[test]
fn audit_rows_and_values_are_durable() {
    both(|store| {
        let world = World::new();
        let engine = world.open(store.clone()).unwrap();
        let rows = ["first", "'; DROP TABLE audit; --", ""];
        for row in rows {
            wait(engine.audit(row.into())).unwrap();
        }
        wait(engine.put_value("'; DROP TABLE value; --", vec![1])).unwrap();
        wait(engine.put_value("'; DROP TABLE value; --", vec![2])).unwrap();
        assert_eq!(engine.value("'; DROP TABLE value; --").unwrap(), Some(vec![2]));
        let stored = store.audit(1, 10).unwrap();
        assert_eq!(
            stored.iter().map(|row| row.row.as_slice()).collect::<Vec<_>>(),
            rows.map(str::as_bytes)
        );
        assert_whole(&world, &*store);
    });
}

fn spawn_submit(
    engine: &tlog::Engine,
    n: u64,
) -> std::thread::JoinHandle<Result<tlog::Published, SubmitError>> {
    let engine = engine.clone();
    std::thread::spawn(move || submit(&engine, rekor_entry(n)))
}

async fn poll_once<F: Future + Unpin>(future: &mut F) {
    std::future::poll_fn(|context| {
        assert!(std::pin::Pin::new(&mut *future).poll(context).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
}

/// Holds commits back until it is opened.
struct GatedStore {
    inner: MemoryStore,
    closed: Mutex<bool>,
    opened: Condvar,
    inside: AtomicBool,
}

impl GatedStore {
    fn new() -> Self {
        Self {
            inner: MemoryStore::new(),
            closed: Mutex::new(false),
            opened: Condvar::new(),
            inside: AtomicBool::new(false),
        }
    }

    fn close(&self) {
        *self.closed.lock().unwrap() = true;
    }

    fn open(&self) {
        *self.closed.lock().unwrap() = false;
        self.opened.notify_all();
    }

    /// Waits until the engine is inside a commit that is held back.
    fn wait_for_commit(&self) {
        while !self.inside.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    }
}

/// Says of every entry that the first one is its twin.
struct CollidingStore(MemoryStore);

macro_rules! delegate {
    ($store:ty, $inner:ident, $commit:item, $find:item) => {
        impl Store for $store {
            $commit
            $find

            fn load(&self, tree: Tree) -> Result<Option<SignedHead>, StoreError> {
                self.$inner().load(tree)
            }

            fn entries(
                &self,
                tree: Tree,
                first: u64,
                max: usize,
            ) -> Result<Vec<StoredEntry>, StoreError> {
                self.$inner().entries(tree, first, max)
            }

            fn tile(&self, tree: Tree, tile: TileId) -> Result<Option<Vec<u8>>, StoreError> {
                self.$inner().tile(tree, tile)
            }

            fn search(&self, key: &SearchKey, max: usize) -> Result<Vec<(Tree, u64)>, StoreError> {
                self.$inner().search(key, max)
            }

            fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
                self.$inner().value(name)
            }

            fn issuer(&self, fingerprint: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
                self.$inner().issuer(fingerprint)
            }

            fn audit(&self, first: u64, max: usize) -> Result<Vec<StoredAudit>, StoreError> {
                self.$inner().audit(first, max)
            }

            fn walk(&self, visit: &mut dyn FnMut(Row)) -> Result<(), StoreError> {
                self.$inner().walk(visit)
            }
        }
    };
}

impl GatedStore {
    fn store(&self) -> &MemoryStore {
        &self.inner
    }
}

impl CollidingStore {
    fn store(&self) -> &MemoryStore {
        &self.0
    }
}

delegate!(
    GatedStore,
    store,
    fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        self.inside.store(true, Ordering::SeqCst);
        let closed = self.closed.lock().unwrap();
        drop(self.opened.wait_while(closed, |closed| *closed).unwrap());
        self.inside.store(false, Ordering::SeqCst);
        self.inner.commit(commit)
    },
    fn find_duplicate(&self, tree: Tree, identity: &[u8; 32]) -> Result<Option<u64>, StoreError> {
        self.inner.find_duplicate(tree, identity)
    }
);

delegate!(
    CollidingStore,
    store,
    fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        self.0.commit(commit)
    },
    fn find_duplicate(&self, _: Tree, _: &[u8; 32]) -> Result<Option<u64>, StoreError> {
        Ok(Some(0))
    }
);

//! Everything that can fail, fails: at every operation of the store, in every way. After each the
//! whole state is checked, and what was acknowledged must be there.

use std::sync::Arc;

use merkle::merkle::verify_consistency;
use tlog::engine::SubmitError;
use tlog::store::Store;
use tlog::store::memory::{Fault, MemoryStore};
use tlog::store::sqlite::SqliteStore;
use tlog::{Accepted, Engine, Published, Tree, ct};

use crate::support::{World, assert_whole, findings, rekor_entry, submit};

/// Every checkpoint that anyone was ever given must be a prefix of the last.
fn assert_one_history(engine: &Engine, answers: &[Published]) {
    for answer in answers {
        let (then, tree) = (&answer.head().head, answer.tree());
        let now = engine.head(tree).unwrap().head;
        let proof = engine.consistency(tree, then.size, now.size).unwrap();
        verify_consistency(then.size, now.size, &then.root, &now.root, &proof).unwrap();
    }
}

fn assert_all_there(engine: &Engine, answers: &[Published]) {
    for answer in answers {
        let there = engine.published(answer.tree(), answer.index()).unwrap();
        assert_eq!(there.body(), answer.body());
    }
}

fn ct_entry(world: &World, n: u64) -> Accepted {
    let precertificate = world.ca.precertificate(&format!("person{n}@example.com"));
    ct::accept_precertificate(&precertificate, &[], &world.ca.authorities()).unwrap()
}

/// Fails operation `n` of a short life in this way; answers whether there was an operation `n`.
fn life_with_a_fault(world: &World, n: u64, fault: Fault) -> bool {
    let store = Arc::new(MemoryStore::new());
    store.inject_at(n, fault);
    // Birth itself may fail: a second start must find the log whole, or make it.
    let open = || world.open(store.clone()).or_else(|_| world.open(store.clone())).unwrap();
    let engine = open();
    let mut acknowledged = Vec::new();
    let mut refused = Vec::new();
    let mut send = |engine: &Engine, entry: Accepted| match submit(engine, entry.clone()) {
        Ok(published) => {
            world.check(&published);
            acknowledged.push(published);
        }
        Err(SubmitError::Store(_) | SubmitError::Proof { .. }) => refused.push(entry),
        Err(error) => panic!("operation {n}, {fault:?}: {error}"),
    };
    let first = rekor_entry(0);
    send(&engine, first.clone());
    send(&engine, ct_entry(world, 0));
    send(&engine, rekor_entry(1));
    send(&engine, first);
    assert_whole(world, &store.copy());
    // The process dies here; a new one finds the store.
    drop(engine);
    let engine = open();
    for entry in refused {
        // Whether it was logged before or not: trying again is answered, and logged once.
        let again = submit(&engine, entry.clone()).or_else(|_| submit(&engine, entry)).unwrap();
        world.check(&again);
        acknowledged.push(again);
    }
    let reached = store.operations() > n;
    store.heal();
    assert_all_there(&engine, &acknowledged);
    assert_one_history(&engine, &acknowledged);
    assert_eq!(engine.head(Tree::Rekor2).unwrap().head.size, 3, "operation {n}, {fault:?}");
    assert_eq!(engine.head(Tree::Ct).unwrap().head.size, 2, "operation {n}, {fault:?}");
    assert_whole(world, &*store);
    reached
}

#[test]
fn promise_only_after_durable() {
    let world = World::new();
    for fault in [Fault::FailCleanly, Fault::FailAndDrop, Fault::FailButPersist, Fault::Full] {
        let mut n = 0;
        while n < 60 && life_with_a_fault(&world, n, fault) {
            n += 1;
        }
        assert!(n > 20, "a life has more than {n} operations");
    }
}

/// Two faults in a row, the second while the engine recovers from the first.
#[test]
fn a_fault_during_recovery_loses_nothing() {
    let world = World::new();
    for second in [Fault::FailCleanly, Fault::FailAndDrop, Fault::FailButPersist] {
        for first in [Fault::FailAndDrop, Fault::FailButPersist] {
            for distance in 0..12 {
                let store = Arc::new(MemoryStore::new());
                let engine = world.open(store.clone()).unwrap();
                let mut acknowledged = vec![submit(&engine, rekor_entry(0)).unwrap()];
                store.inject([first]);
                // The commit is the third operation or so from here; the second fault follows.
                store.inject_at(2 + distance, second);
                let entries: Vec<Accepted> = (1..4).map(rekor_entry).collect();
                for entry in &entries {
                    acknowledged.extend(submit(&engine, entry.clone()).ok());
                }
                store.heal();
                for entry in entries {
                    acknowledged.push(submit(&engine, entry).unwrap());
                }
                assert_eq!(engine.head(Tree::Rekor2).unwrap().head.size, 5);
                acknowledged.iter().for_each(|published| world.check(published));
                assert_all_there(&engine, &acknowledged);
                assert_one_history(&engine, &acknowledged);
                assert_whole(&world, &*store);
            }
        }
    }
}

/// A copy of the files as they are at some moment, as a power cut leaves them: whatever was
/// acknowledged before must be in it.
#[test]
fn files_copied_at_any_moment_hold_what_was_acknowledged() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let engine = world.open_file(&path);
    let mut acknowledged = Vec::new();
    for n in 0..40 {
        acknowledged.push(submit(&engine, rekor_entry(n)).unwrap());
        let copy = tempfile::tempdir().unwrap();
        // The write-ahead log second: what is copied from it later only adds to the first.
        for name in ["log.db", "log.db-wal"] {
            std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        let store = Arc::new(SqliteStore::open(&copy.path().join("log.db")).unwrap());
        let found = world.open(store.clone()).unwrap();
        assert_all_there(&found, &acknowledged);
        assert_whole(&world, &*store);
    }
}

/// A write-ahead log that ends in the middle of a commit is as if that commit never came.
#[test]
fn a_torn_commit_is_no_commit() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let engine = world.open_file(&path);
    let wal = folder.path().join("log.db-wal");
    let mut ends = Vec::new();
    for n in 0..6 {
        submit(&engine, rekor_entry(n)).unwrap();
        ends.push(std::fs::metadata(&wal).unwrap().len());
    }
    let (main, log) = (std::fs::read(&path).unwrap(), std::fs::read(&wal).unwrap());
    drop(engine);
    let (from, to) = (ends[2], ends[5]);
    for step in 0..=40 {
        let cut = from + (to - from) * step / 40;
        let copy = tempfile::tempdir().unwrap();
        std::fs::write(copy.path().join("log.db"), &main).unwrap();
        let torn = log.get(..cut as usize).unwrap();
        std::fs::write(copy.path().join("log.db-wal"), torn).unwrap();
        let store = Arc::new(SqliteStore::open(&copy.path().join("log.db")).unwrap());
        let size = store.load(Tree::Rekor2).unwrap().unwrap().head.size;
        // Birth and the first entry that `n` counts are two.
        let committed = ends.iter().filter(|end| **end <= cut).count() as u64 + 1;
        assert_eq!(size, committed, "cut at {cut}");
        assert_eq!(findings(&world, &*store), []);
        let engine = world.open(store.clone()).unwrap();
        world.check(&submit(&engine, rekor_entry(99)).unwrap());
        assert_whole(&world, &*store);
    }
}

/// A real file that can't grow: the limit on the size of files stands in for a full volume.
#[cfg(unix)]
#[test]
fn a_file_that_can_not_grow_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let this = std::env::current_exe().unwrap();
    let script = "trap '' XFSZ; ulimit -f 2000; exec \"$0\" --exact --ignored crash::limited_child";
    let status = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(this)
        .env(CHILD_FOLDER, folder.path())
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    // Room again: everything that was acknowledged is there, and it goes on.
    let keys = std::fs::read(folder.path().join("key")).unwrap();
    let acknowledged: u64 =
        std::fs::read_to_string(folder.path().join("acknowledged")).unwrap().parse().unwrap();
    assert!(acknowledged > 10);
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    let head = store.load(Tree::Rekor2).unwrap().unwrap().head;
    assert!(head.size > acknowledged, "{} entries, {acknowledged} acknowledged", head.size);
    let world = World::with_keys(&keys);
    assert_whole(&world, &*store);
    let engine = world.open(store.clone()).unwrap();
    let next = submit(&engine, rekor_entry(u64::MAX)).unwrap();
    assert_eq!(next.index(), head.size);
    assert_whole(&world, &*store);
}

/// Run by the test above with files limited in size.
#[test]
#[ignore = "needs the limits that the test above sets"]
fn limited_child() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER).map(std::path::PathBuf::from) else { return };
    let (keys, world) = World::with_new_keys();
    std::fs::write(folder.join("key"), keys).unwrap();
    let engine = world.open_file(&folder.join("log.db"));
    let mut acknowledged = 0;
    let error = loop {
        match submit(&engine, rekor_entry(acknowledged)) {
            Ok(published) => {
                acknowledged = published.index();
                std::fs::write(folder.join("acknowledged"), acknowledged.to_string()).unwrap();
            }
            Err(error) => break error,
        }
    };
    assert!(matches!(error, SubmitError::Store(_)), "{error}");
    // No more is taken, but what is there is served.
    assert!(submit(&engine, rekor_entry(1_000_000)).is_err());
    let head = engine.head(Tree::Rekor2).unwrap();
    assert_eq!(head.head.size, acknowledged + 1);
    world.check(&engine.published(Tree::Rekor2, acknowledged).unwrap());
}

const CHILD_FOLDER: &str = "TLOG_TEST_CHILD_FOLDER";

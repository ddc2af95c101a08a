//! One byte changed anywhere that matters is noticed, and named.

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use rusqlite::types::Value;
use sha2::{Digest as _, Sha256};
use tlog::engine::OpenError;
use tlog::fsck::Finding;
use tlog::store::sqlite::SqliteStore;
use tlog::store::{Store, StoreError};
use tlog::{Tree, ct};

use crate::support::{World, assert_whole, findings, rekor_entry, submit, wait};

/// A log with every kind of row: full tiles, runs of keys and recent ones, audit rows, issuers.
fn a_log(world: &World, path: &Path) {
    let engine = world.open_file(path);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let entries: Vec<_> = (0..1200).map(rekor_entry).collect();
    runtime.block_on(async {
        for some in entries.chunks(200) {
            let submissions = some.iter().map(|entry| {
                let (engine, entry) = (engine.clone(), entry.clone());
                tokio::task::spawn(async move { engine.submit(entry).await.unwrap() })
            });
            for submission in submissions.collect::<Vec<_>>() {
                submission.await.unwrap();
            }
        }
    });
    for n in 0..3 {
        let precertificate = world.ca.precertificate(&format!("{n}@example.com"));
        let ours = world.ca.authorities();
        submit(&engine, ct::accept_precertificate(&precertificate, &[], &ours).unwrap()).unwrap();
        wait(engine.audit(format!("row {n}").into())).unwrap();
    }
    engine.shutdown();
}

/// Flips one bit of a blob or text, or adds one to an integer.
fn spoil(path: &Path, table: &str, column: &str, row: i64, at: usize) {
    let connection = Connection::open(path).unwrap();
    let sql = format!("SELECT {column} FROM {table} WHERE rowid = {row}");
    let value: Value = connection.query_row(&sql, [], |row| row.get(0)).unwrap();
    let spoiled = match value {
        Value::Integer(number) => Value::Integer(number + 1),
        Value::Blob(mut bytes) => {
            let at = at.min(bytes.len() - 1);
            bytes[at] ^= 1;
            Value::Blob(bytes)
        }
        Value::Text(text) => {
            let mut bytes = text.into_bytes();
            bytes[at] ^= 1;
            Value::Text(String::from_utf8(bytes).unwrap())
        }
        other => panic!("{other:?}"),
    };
    let sql = format!("UPDATE {table} SET {column} = ?1 WHERE rowid = {row}");
    assert_eq!(connection.execute(&sql, [spoiled]).unwrap(), 1);
}

/// Makes a head's row agree with itself again, as whoever writes the database can.
fn digest_head_again(path: &Path, tree: Tree) {
    let connection = Connection::open(path).unwrap();
    let row = i64::from(tree.id());
    let sql = "SELECT size, root, timestamp_ms, checkpoint FROM head WHERE tree = ?1";
    let digest: [u8; 32] = connection
        .query_row(sql, [row], |row| {
            let (size, root): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let (time, checkpoint): (i64, String) = (row.get(2)?, row.get(3)?);
            let mut whole = vec![tree.id()];
            whole.extend(size.to_be_bytes());
            whole.extend(root);
            whole.extend(time.to_be_bytes());
            whole.extend(checkpoint.into_bytes());
            Ok(Sha256::digest(whole).into())
        })
        .unwrap();
    connection.execute("UPDATE head SET digest = ?1 WHERE tree = ?2", (digest, row)).unwrap();
}

fn first_row(path: &Path, sql: &str) -> i64 {
    Connection::open(path).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

#[test]
fn one_changed_byte_is_named() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.db");
    a_log(&world, &whole);
    assert_whole(&world, &SqliteStore::open(&whole).unwrap());
    let copy = folder.path().join("copy.db");
    let after = |change: &dyn Fn(&Path)| {
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("copy.db{suffix}")));
        }
        std::fs::copy(&whole, &copy).unwrap();
        change(&copy);
        findings(&world, &SqliteStore::open(&copy).unwrap())
    };
    let spoiled = |table: &'static str, column: &'static str, row: i64, at: usize| {
        after(&|path| spoil(path, table, column, row, at))
    };
    let (ct, rekor) = (Tree::Ct, Tree::Rekor2);
    let dedup_chunk = "SELECT c.id FROM key_chunk c JOIN key_run r USING (run) WHERE r.family = 0";
    let search_chunk = "SELECT c.id FROM key_chunk c JOIN key_run r USING (run) WHERE r.family = 1";
    let dedup_chunk = first_row(&whole, dedup_chunk);
    let search_chunk = first_row(&whole, search_chunk);
    let recent = first_row(&whole, "SELECT max(id) FROM key_recent");
    let recent_ct = recent;

    // An entry under a full tile, and one under the partial tile at the end.
    for index in [17, 1200] {
        let found = spoiled("entry_rekor2", "body", index, 200);
        let named = |finding: &Finding| finding.to_string().contains(&format!("entry {index}"));
        assert!(found.iter().any(named), "{found:?}");
        assert!(found.contains(&Finding::RootDiffers { tree: rekor, size: 1201 }));
    }
    assert!(
        spoiled("entry_rekor2", "body", 17, 200)
            .contains(&Finding::EntryDiffers { tree: rekor, index: 17 })
    );
    // What is kept beside an entry: the precertificate's length, TBS and signature, a fingerprint.
    for at in [1, 40, 300, 100_000] {
        let found = spoiled("entry_ct", "extra", 2, at);
        assert!(found.iter().any(|f| f.to_string().contains("entry 2")), "{at}: {found:?}");
    }
    let length: i64 = first_row(&whole, "SELECT length(extra) FROM entry_ct WHERE idx = 2");
    let signature_end = length as usize - 67;
    assert_eq!(
        spoiled("entry_ct", "extra", 2, signature_end),
        [Finding::NotSigned { tree: ct, index: 2 }]
    );
    assert_eq!(
        spoiled("entry_ct", "extra", 2, length as usize - 1),
        [Finding::IssuerMissing { tree: ct, index: 2 }]
    );
    let beside = after(&|path| {
        let connection = Connection::open(path).unwrap();
        connection.execute("UPDATE entry_rekor2 SET extra = x'00' WHERE idx = 5", []).unwrap();
    });
    assert!(beside.contains(&Finding::EntryMalformed { tree: rekor, index: 5 }), "{beside:?}");
    // A tile.
    let tile = merkle::tile::TileId { level: 0, index: 3 };
    let id = (2_i64 << 56) + 3;
    assert_eq!(spoiled("tile", "hashes", id, 99), [Finding::TileDiffers { tree: rekor, tile }]);
    let moved = spoiled("tile", "id", id, 0);
    let (last, none) =
        (merkle::tile::TileId { index: 3, ..tile }, merkle::tile::TileId { index: 4, ..tile });
    assert!(moved.contains(&Finding::TileMissing { tree: rekor, tile: last }), "{moved:?}");
    assert!(moved.contains(&Finding::TileBeyondHead { tree: rekor, tile: none }), "{moved:?}");
    // Each field of a head: by a failing disk, and by someone who also writes the row's digest.
    for (column, at) in [
        ("size", 0),
        ("root", 5),
        ("timestamp_ms", 0),
        ("checkpoint", 30),
        ("checkpoint", 120),
        ("digest", 7),
    ] {
        for tree in [ct, rekor] {
            let row = i64::from(tree.id());
            let found = spoiled("head", column, row, at);
            let error = StoreError::Corrupt { tree, what: "a head" };
            let unreadable = Finding::HeadUnreadable { tree, error };
            assert!(found.contains(&unreadable), "{column} of {tree}: {found:?}");
            if matches!(column, "timestamp_ms" | "digest") {
                continue;
            }
            let found = after(&|path| {
                spoil(path, "head", column, row, at);
                digest_head_again(path, tree);
            });
            let named =
                |f: &Finding| matches!(f, Finding::HeadNotOurs { tree: t, .. } if *t == tree);
            assert!(found.iter().any(named), "{column} of {tree}: {found:?}");
        }
    }
    let later = after(&|path| {
        spoil(path, "head", "timestamp_ms", 1, 0);
        digest_head_again(path, ct);
    });
    assert_eq!(later, [Finding::HeadTime { tree: ct }]);
    // Keys: of a run and of the last commits, dedup and search, key and index.
    for (row, table, column, at) in [
        (dedup_chunk, "key_chunk", "records", 38 * 3 + 5),
        (dedup_chunk, "key_chunk", "records", 38 * 3 + 37),
        (recent, "key_recent", "dedup", 4),
    ] {
        let found = spoiled(table, column, row, at);
        let missing = |f: &Finding| matches!(f, Finding::DedupMissing { .. });
        let wrong = |f: &Finding| matches!(f, Finding::DedupWrong { .. });
        assert!(found.iter().any(missing) && found.iter().any(wrong), "{table} {at}: {found:?}");
    }
    for (row, table, column, at) in [
        (search_chunk, "key_chunk", "records", 22 * 3 + 5),
        (search_chunk, "key_chunk", "records", 22 * 3 + 21),
        (recent_ct, "key_recent", "search", 4),
    ] {
        let found = spoiled(table, column, row, at);
        let missing = |f: &Finding| matches!(f, Finding::SearchMissing { .. });
        let wrong = |f: &Finding| matches!(f, Finding::SearchWrong { .. });
        assert!(found.iter().any(missing) && found.iter().any(wrong), "{table} {at}: {found:?}");
    }
    let malformed = |f: &Finding| matches!(f, Finding::Malformed { table: "key_chunk", .. });
    assert!(spoiled("key_chunk", "first", dedup_chunk, 9).iter().any(malformed));
    assert!(spoiled("key_run", "records", 1, 0).iter().any(malformed));
    let lost = spoiled("key_run", "state", 1, 0);
    assert!(lost.iter().any(|f| matches!(f, Finding::DedupMissing { .. })), "a run left out");
    // Audit rows, in the middle and at the end, and their hashes.
    for (column, row) in [("row", 2), ("hash", 2), ("row", 3), ("hash", 3), ("number", 3)] {
        let found = spoiled("audit", column, row, 1);
        let broken = |f: &Finding| matches!(f, Finding::AuditBroken { .. });
        assert!(found.iter().any(broken), "{column} {row}: {found:?}");
    }
    // An issuer.
    let found = spoiled("issuer", "der", 1, 50);
    assert!(found.iter().any(|f| matches!(f, Finding::IssuerDiffers { .. })), "{found:?}");
    // Rows that are gone, and rows that are too many.
    let run = |sql: &'static str| {
        after(&|path| assert_ne!(Connection::open(path).unwrap().execute(sql, []), Ok(0)))
    };
    let gone = run("DELETE FROM entry_rekor2 WHERE idx = 300");
    assert!(gone.contains(&Finding::EntryMissing { tree: rekor, index: 300 }));
    let more = run("INSERT INTO entry_ct VALUES (4, x'00', x'00')");
    assert!(more.contains(&Finding::EntryBeyondHead { tree: ct, index: 4 }));
    let headless = run("DELETE FROM head WHERE tree = 1");
    assert!(headless.contains(&Finding::NoHead { tree: ct }));
    let keyless = run("DELETE FROM key_recent");
    assert!(keyless.iter().any(|f| matches!(f, Finding::DedupMissing { .. })));
    let unaudited = run("DELETE FROM audit WHERE number = 2");
    assert!(unaudited.contains(&Finding::AuditBroken { number: 3 }));
}

#[test]
fn database_is_input_too() {
    let folder = tempfile::tempdir().unwrap();
    // Not a database at all.
    let garbage = folder.path().join("garbage.db");
    std::fs::write(&garbage, [b'x'; 10_000]).unwrap();
    assert!(matches!(SqliteStore::open(&garbage), Err(StoreError::Failed { .. })));
    // One of a later version.
    let later = folder.path().join("later.db");
    drop(SqliteStore::open(&later).unwrap());
    Connection::open(&later).unwrap().execute_batch("PRAGMA user_version = 999").unwrap();
    let refused = SqliteStore::open(&later).err();
    assert_eq!(refused, Some(StoreError::NewerSchema { found: 999, known: 1 }));
    // One of another program.
    let other = folder.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    assert!(matches!(SqliteStore::open(&other), Err(StoreError::NotOurs { found: 0, .. })));
    // Ours, with pages of nonsense: an error or a finding, and no panic.
    let world = World::new();
    let path = folder.path().join("log.db");
    let engine = world.open_file(&path);
    (0..300).for_each(|n| drop(submit(&engine, rekor_entry(n)).unwrap()));
    drop(engine);
    let whole = std::fs::read(&path).unwrap();
    for page in 1..whole.len() / 8192 {
        let spoiled = folder.path().join("spoiled.db");
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(folder.path().join(format!("spoiled.db{suffix}")));
        }
        let mut bytes = whole.clone();
        bytes[page * 8192..(page + 1) * 8192].fill(0xa5);
        std::fs::write(&spoiled, bytes).unwrap();
        let Ok(store) = SqliteStore::open(&spoiled) else { continue };
        assert_ne!(findings(&world, &store), [], "page {page}");
        if let Ok(engine) = world.open(Arc::new(store)) {
            let _ = submit(&engine, rekor_entry(1000));
        }
    }
}

#[test]
fn a_head_over_other_entries_is_not_opened() {
    let world = World::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let engine = world.open_file(&path);
    (0..299).for_each(|n| drop(submit(&engine, rekor_entry(n)).unwrap()));
    drop(engine);
    // The last entry and a full tile are what opening recomputes the root from.
    for (table, column, row) in [("entry_rekor2", "body", 299), ("tile", "hashes", 2 << 56)] {
        let copy = folder.path().join(format!("{table}.db"));
        std::fs::copy(&path, &copy).unwrap();
        spoil(&copy, table, column, row, 100);
        let store = Arc::new(SqliteStore::open(&copy).unwrap());
        assert!(store.load(Tree::Rekor2).unwrap().is_some());
        let refused = OpenError::RootMismatch { tree: Tree::Rekor2, size: 300 };
        assert_eq!(world.open(store).err(), Some(refused));
    }
}

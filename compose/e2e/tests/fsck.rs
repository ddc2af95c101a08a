//! `ca fsck`: one flipped byte anywhere in the store is noticed, and named.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};

use e2e::instance::Instance;
use e2e::issue::certificate;
use e2e::key::Key;
use e2e::process::ca;
use e2e::rekor::hashed_rekord;
use e2e::token::{Change, Forger};
use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::json;
use tempfile::TempDir;

/// The folder of an instance that has done some work and has stopped.
struct Worked {
    folder: TempDir,
    original: PathBuf,
}

impl Worked {
    /// `entries` in the artifact log, some certificates, some refusals.
    fn new(entries: usize) -> Self {
        let server = Instance::dev();
        for number in 0..3 {
            let _issued = certificate(&server, &format!("user{number}@example.com"));
        }
        let forger = Forger::new(&server);
        for claim in ["exp", "aud", "email"] {
            let token = forger.changed("alice@example.com", claim, Change::Set(json!("nonsense")));
            let refused = e2e::issue::with_token(&server, &token, "alice@example.com");
            assert_eq!(refused.status, 400);
        }
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let server = &server;
                scope.spawn(move || {
                    let key = Key::p256();
                    let mut connection = server.connect();
                    for number in 0..entries.div_ceil(4) {
                        let message = format!("{writer}/{number}");
                        let body = hashed_rekord(&key, message.as_bytes()).to_string();
                        let json = [("content-type", "application/json")];
                        let answer = connection
                            .send("POST", "/api/v2/log/entries", &json, body.as_bytes())
                            .unwrap();
                        assert_eq!(answer.status, 201, "{}", answer.text());
                    }
                });
            }
        });
        let stopped = server.terminate();
        let folder = TempDir::new().unwrap();
        let original = folder.path().join("original");
        copy(stopped.dir(), &original);
        Self { folder, original }
    }

    /// Runs `ca fsck` over a copy that was changed; answers its exit code and its output.
    fn fsck(&self, change: impl FnOnce(&Connection)) -> (Option<i32>, String) {
        let dir = self.folder.path().join("changed");
        let _absent = fs::remove_dir_all(&dir);
        copy(&self.original, &dir);
        let database = Connection::open(dir.join("log.db")).unwrap();
        change(&database);
        database.close().unwrap();
        let output = ca(&["fsck", dir.to_str().unwrap()]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), format!("{text}{error}"))
    }

    /// A change that must be noticed under one of these names.
    fn notices(&self, what: &str, names: &[&str], change: impl FnOnce(&Connection)) {
        let (code, text) = self.fsck(change);
        assert_eq!(code, Some(1), "{what} was not noticed: {text}");
        assert!(names.iter().any(|name| text.contains(name)), "{what}: {names:?} not in {text}");
        assert!(!text.lines().any(|line| line == "ok"), "{what}: {text}");
    }

    fn number(&self, query: &str) -> i64 {
        let database = Connection::open(self.original.join("log.db")).unwrap();
        database.query_row(query, [], |row| row.get(0)).unwrap()
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Flips one bit of a value; `at` counts from the end when it is negative.
fn flip(database: &Connection, table: &str, column: &str, row: i64, at: isize) {
    let read = format!("SELECT {column} FROM {table} WHERE rowid = ?1");
    let value: Value = database.query_row(&read, [row], |row| row.get(0)).unwrap();
    let place = |length: usize| at.rem_euclid(length as isize) as usize;
    let changed = match value {
        Value::Integer(number) => Value::Integer(number ^ 1),
        Value::Blob(mut bytes) => {
            let place = place(bytes.len());
            bytes[place] ^= 1;
            Value::Blob(bytes)
        }
        Value::Text(text) => {
            let mut bytes = text.into_bytes();
            let place = place(bytes.len());
            bytes[place] ^= 1;
            Value::Text(String::from_utf8_lossy(&bytes).into_owned())
        }
        other => panic!("{table}.{column} is {other:?}"),
    };
    let write = format!("UPDATE {table} SET {column} = ?1 WHERE rowid = ?2");
    assert_eq!(database.execute(&write, rusqlite::params![changed, row]).unwrap(), 1);
}

#[test]
fn an_untouched_log_is_ok() {
    let worked = Worked::new(8);
    let (code, text) = worked.fsck(|_| {});
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(text.lines().next(), Some("ok"), "{text}");
    // Also while the server runs, and on an instance that has just been born.
    let server = Instance::dev();
    let output = ca(&["fsck", server.dir().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(server.json("/readyz")["status"], "READY");
    let nothing = TempDir::new().unwrap();
    assert_eq!(ca(&["fsck", nothing.path().to_str().unwrap()]).status.code(), Some(1));
}

#[test]
fn bit_flip_caught() {
    let worked = Worked::new(300);
    let size = worked.number("SELECT count(*) FROM entry_rekor2");
    assert!(size > 300);
    for index in [0, 1, 17, 255, 256, size - 1] {
        let name = format!("entry {index}");
        for at in [0, 100, -1] {
            worked.notices(&name, &[&name], |database| {
                flip(database, "entry_rekor2", "body", index, at);
            });
        }
    }
    for index in [0, 1, 2] {
        let name = format!("entry {index}");
        for at in [0, 5, 60, -1] {
            worked.notices(&name, &[&name], |database| {
                flip(database, "entry_ct", "body", index, at);
            });
        }
        for at in [0, 3, 40, -40, -1] {
            worked.notices(&format!("what stands beside {name}"), &[&name, "issuer"], |database| {
                flip(database, "entry_ct", "extra", index, at);
            });
        }
    }
    let tile = worked.number("SELECT min(id) FROM tile");
    for at in [0, 31, 32, 4000, -1] {
        worked.notices("a tile", &["tile 0/0"], |database| {
            flip(database, "tile", "hashes", tile, at);
        });
    }
    for tree in ["min(tree)", "max(tree)"] {
        let tree = worked.number(&format!("SELECT {tree} FROM head"));
        for column in ["size", "root"] {
            worked.notices(column, &["head", "entries", "entry"], |database| {
                flip(database, "head", column, tree, 0);
            });
        }
        for at in [0, 3, 12, 30, -3, -20] {
            worked.notices("a checkpoint", &["head"], |database| {
                flip(database, "head", "checkpoint", tree, at);
            });
        }
    }
}

#[test]
fn flipped_keys_and_audit_rows_are_caught() {
    let worked = Worked::new(24);
    let first = worked.number("SELECT min(id) FROM key_recent");
    let last = worked.number("SELECT max(id) FROM key_recent");
    for row in [first, last] {
        for at in [0, 1, 16, -1, -2] {
            worked.notices("a dedup key", &["dedup", "table"], |database| {
                flip(database, "key_recent", "dedup", row, at);
            });
            worked.notices("a search key", &["search", "table"], |database| {
                flip(database, "key_recent", "search", row, at);
            });
        }
    }
    let rows = worked.number("SELECT count(*) FROM audit");
    assert!(rows >= 6, "three issued and three refused, but {rows}");
    let first = worked.number("SELECT min(number) FROM audit");
    let last = worked.number("SELECT max(number) FROM audit");
    for number in [first, first + 2, last] {
        for column in ["row", "hash"] {
            for at in [0, 10, -1] {
                let name = format!("audit row {number}");
                let next = format!("audit row {}", number + 1);
                worked.notices(&name, &[&name, &next], |database| {
                    flip(database, "audit", column, number, at);
                });
            }
        }
    }
    let issuer = worked.number("SELECT min(rowid) FROM issuer");
    for column in ["fingerprint", "der"] {
        worked.notices("an issuer", &["issuer"], |database| {
            flip(database, "issuer", column, issuer, 5);
        });
    }
}

#[test]
fn flipped_runs_of_keys_are_caught() {
    // Keys are sorted into runs once there are enough of them.
    let worked = Worked::new(1_100);
    let chunks = worked.number("SELECT count(*) FROM key_chunk");
    assert!(chunks > 4, "{chunks}");
    for order in ["min(id)", "max(id)"] {
        let row = worked.number(&format!("SELECT {order} FROM key_chunk"));
        for at in [0, 20, 500, -1] {
            worked.notices("a record of a run", &["dedup", "search", "table"], |database| {
                flip(database, "key_chunk", "records", row, at);
            });
        }
        worked.notices("the place of a chunk", &["dedup", "search", "table", "rows"], |database| {
            flip(database, "key_chunk", "first", row, 3);
        });
    }
    let run = worked.number("SELECT min(run) FROM key_run WHERE state = 1");
    for sql in [
        format!("DELETE FROM key_run WHERE run = {run}"),
        format!("UPDATE key_run SET state = 2 WHERE run = {run}"),
        format!("UPDATE key_run SET family = 1 - family WHERE run = {run}"),
        format!("DELETE FROM key_chunk WHERE run = {run}"),
    ] {
        worked.notices(&sql, &["dedup", "search", "table", "rows"], |database| {
            database.execute_batch(&sql).unwrap();
        });
    }
}

#[test]
fn what_is_gone_or_added_is_caught() {
    let worked = Worked::new(300);
    let size = worked.number("SELECT count(*) FROM entry_rekor2");
    let middle = worked.number("SELECT min(number) + 2 FROM audit");
    for (what, names, sql) in [
        ("an entry", vec!["entry 17"], "DELETE FROM entry_rekor2 WHERE idx = 17".to_owned()),
        ("a certificate", vec!["entry 1"], "DELETE FROM entry_ct WHERE idx = 1".to_owned()),
        (
            "the last entry",
            vec!["entry", "entries"],
            format!("DELETE FROM entry_rekor2 WHERE idx = {}", size - 1),
        ),
        ("a tile", vec!["tile"], "DELETE FROM tile".to_owned()),
        ("the heads", vec!["head"], "DELETE FROM head".to_owned()),
        ("all dedup keys", vec!["dedup"], "UPDATE key_recent SET dedup = x''".to_owned()),
        ("all search keys", vec!["search"], "UPDATE key_recent SET search = x''".to_owned()),
        ("all keys", vec!["dedup", "search"], "DELETE FROM key_recent".to_owned()),
        ("an audit row", vec!["audit"], format!("DELETE FROM audit WHERE number = {middle}")),
        ("the issuers", vec!["issuer"], "DELETE FROM issuer".to_owned()),
        (
            "an entry too many",
            vec!["beyond", "entry"],
            format!(
                "INSERT INTO entry_rekor2 SELECT {size}, body, extra FROM entry_rekor2 WHERE idx = 1"
            ),
        ),
        (
            "two entries swapped",
            vec!["entry 3", "entry 4"],
            "UPDATE entry_rekor2 SET body = (SELECT body FROM entry_rekor2 o WHERE \
             o.idx = 7 - entry_rekor2.idx) WHERE idx IN (3, 4)"
                .to_owned(),
        ),
    ] {
        worked.notices(what, &names, |database| {
            database.execute_batch(&sql).unwrap();
        });
    }
    let newer = worked.number("PRAGMA user_version") + 1;
    worked.notices("a newer schema", &["newer", "version"], |database| {
        database.execute_batch(&format!("PRAGMA user_version = {newer}")).unwrap();
    });
}

#[test]
fn damage_stops_the_signing() {
    // Whoever changes the store under a stopped server finds it refusing or red, never signing on.
    let worked = Worked::new(8);
    let dir = worked.folder.path().join("damaged");
    copy(&worked.original, &dir);
    let database = Connection::open(dir.join("log.db")).unwrap();
    let tree = worked.number("SELECT max(tree) FROM head");
    flip(&database, "head", "root", tree, 3);
    database.close().unwrap();
    let Err(refused) = Instance::dev_in(&dir) else { panic!("a false head was served") };
    assert_eq!(refused.code, Some(1), "{}", refused.stderr);
}

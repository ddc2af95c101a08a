//! SIGKILL under load, again and again: nothing that was acknowledged is lost, nothing forks.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use e2e::ct::{self, Entry as CtEntry, Sct};
use e2e::http::Connection;
use e2e::instance::{Instance, Stopped};
use e2e::issue::{chain, challenge};
use e2e::key::Key;
use e2e::log::Log;
use e2e::merkle::{Hash, leaf_hash, roots};
use e2e::note::Checkpoint;
use e2e::process::ca;
use e2e::rekor::{Entry, hashed_rekord, published};
use e2e::unb64;

const ROUNDS: u64 = 20;
const WRITERS: u64 = 4;
const ALICE: &str = "alice@example.com";

/// What the server has promised, over all of its lives.
#[derive(Default)]
struct Promises {
    entries: Vec<Entry>,
    /// Leaf hash and index of each certificate's precertificate.
    certificates: Vec<(Hash, u64)>,
    /// Size and root of every checkpoint that was served.
    heads: BTreeSet<(u64, Hash)>,
    ct_heads: BTreeSet<(u64, Hash)>,
}

impl Promises {
    fn take(&mut self, more: Self) {
        self.entries.extend(more.entries);
        self.certificates.extend(more.certificates);
        self.heads.extend(more.heads);
        self.ct_heads.extend(more.ct_heads);
    }

    /// Reads both logs whole and checks that every promise is kept.
    fn must_be_kept(&mut self, server: &Instance, keys: &Keys) {
        let log = Log::read(server);
        log.checkpoint.must_be_signed("localhost", &keys.log);
        self.heads.insert((log.checkpoint.size, log.checkpoint.root));
        for entry in &self.entries {
            let found = log.entries.get(entry.index as usize);
            assert_eq!(found, Some(&entry.body), "acknowledged entry {} is not there", entry.index);
        }
        for (size, root) in &self.heads {
            let now = log.roots.get(*size as usize);
            assert_eq!(now, Some(root), "a checkpoint of size {size} is not of this log");
        }
        let ct = ct_leaves(server, keys, &mut self.ct_heads);
        for (leaf, index) in &self.certificates {
            assert_eq!(ct.get(*index as usize), Some(leaf), "certificate {index} is not logged");
        }
        let ct_roots = roots(&ct);
        for (size, root) in &self.ct_heads {
            let now = ct_roots.get(*size as usize);
            assert_eq!(now, Some(root), "a CT checkpoint of size {size} is not of this log");
        }
    }
}

struct Keys {
    log: Vec<u8>,
    ct: Vec<u8>,
}

/// All leaves of the CT log, compared with its checkpoint.
fn ct_leaves(server: &Instance, keys: &Keys, heads: &mut BTreeSet<(u64, Hash)>) -> Vec<Hash> {
    let note = server.get("/ct/checkpoint").expect(200).text();
    let checkpoint = Checkpoint::read(&note);
    let origin = format!("localhost:{}/ct", server.port());
    let _time = checkpoint.must_be_tree_head(&origin, &keys.ct);
    heads.insert((checkpoint.size, checkpoint.root));
    let mut leaves = Vec::new();
    while (leaves.len() as u64) < checkpoint.size {
        let (start, end) = (leaves.len(), checkpoint.size - 1);
        let answer = server.json(&format!("/ct/v1/get-entries?start={start}&end={end}"));
        let entries = answer["entries"].as_array().unwrap();
        assert!(!entries.is_empty());
        let leaf = |entry: &serde_json::Value| unb64(entry["leaf_input"].as_str().unwrap());
        leaves.extend(entries.iter().map(|entry| leaf_hash(&leaf(entry))));
    }
    assert_eq!(*roots(&leaves).last().unwrap(), checkpoint.root);
    leaves
}

/// Writes to both logs until the server is gone or `stop` is set; answers what it promised.
fn load(
    server: &Instance,
    keys: &Keys,
    round: u64,
    stop: &AtomicBool,
    acknowledged: &AtomicU64,
    mut end: impl FnMut(),
) -> Promises {
    std::thread::scope(|scope| {
        let mut threads = Vec::new();
        for writer in 0..WRITERS {
            threads.push(scope.spawn(move || {
                let mut promises = Promises::default();
                let key = Key::p256();
                let Ok(mut connection) = Connection::open(server.port()) else { return promises };
                for number in 0..MOST_PER_WRITER {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let message = format!("{round}/{writer}/{number}");
                    let body = hashed_rekord(&key, message.as_bytes()).to_string();
                    let json = [("content-type", "application/json")];
                    let sent =
                        connection.send("POST", "/api/v2/log/entries", &json, body.as_bytes());
                    let Ok(response) = sent else { break };
                    if response.status == 503 {
                        break;
                    }
                    assert_eq!(response.status, 201, "{}", response.text());
                    let entry = published(&response.json(), &keys.log);
                    promises.heads.insert((entry.checkpoint.size, entry.checkpoint.root));
                    promises.entries.push(entry);
                    acknowledged.fetch_add(1, Ordering::Relaxed);
                }
                promises
            }));
        }
        threads.push(scope.spawn(move || certificates(server, stop)));
        threads.push(scope.spawn(move || checkpoints(server, stop)));
        end();
        let mut all = Promises::default();
        for thread in threads {
            all.take(thread.join().unwrap());
        }
        all
    })
}

/// Asks for one certificate after the other.
fn certificates(server: &Instance, stop: &AtomicBool) -> Promises {
    let mut promises = Promises::default();
    let forger = e2e::token::Forger::new(server);
    let token = forger.with_claims(&forger.claims(ALICE));
    let bearer = format!("Bearer {token}");
    let key = Key::p256();
    let Ok(mut connection) = Connection::open(server.port()) else { return promises };
    while !stop.load(Ordering::Relaxed) {
        let body = challenge(&key, ALICE).to_string();
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        let sent = connection.send("POST", "/api/v2/signingCert", &headers, body.as_bytes());
        let Ok(response) = sent else { break };
        if response.status == 503 {
            break;
        }
        let chain = chain(&response);
        let sct = Sct::embedded(&chain[0]);
        let leaf = CtEntry::precert_of(&chain[0], &chain[1]);
        let leaf = leaf.leaf(sct.timestamp_ms, &sct.extensions);
        promises.certificates.push((leaf_hash(&leaf), sct.leaf_index()));
    }
    promises
}

/// Reads checkpoints as a monitor would.
fn checkpoints(server: &Instance, stop: &AtomicBool) -> Promises {
    let mut promises = Promises::default();
    let Ok(mut connection) = Connection::open(server.port()) else { return promises };
    while !stop.load(Ordering::Relaxed) {
        for path in ["/checkpoint", "/ct/checkpoint"] {
            let Ok(response) = connection.send("GET", path, &[], b"") else { return promises };
            if response.status == 503 {
                return promises;
            }
            let checkpoint = Checkpoint::read(&response.expect(200).text());
            let artifact = checkpoint.origin == "localhost";
            let heads = if artifact { &mut promises.heads } else { &mut promises.ct_heads };
            heads.insert((checkpoint.size, checkpoint.root));
        }
        std::thread::sleep(Duration::from_millis(3));
    }
    promises
}

#[test]
fn promise_only_after_durable() {
    let began = Instant::now();
    let mut server = Instance::dev();
    let keys = Keys { log: e2e::rekor::log_key(&server), ct: ct::log_key(&server) };
    let mut promises = Promises::default();
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        let stop = AtomicBool::new(false);
        let acknowledged = AtomicU64::new(0);
        let pid = server.pid().to_string();
        // Other moments each time: early, within a batch, after many.
        let moment = Duration::from_millis(40 + round * 37 % 400);
        let more = load(&server, &keys, round, &stop, &acknowledged, || {
            std::thread::sleep(moment);
            // By its id, and while the clients are writing.
            let killed = std::process::Command::new("kill").args(["-KILL", &pid]).status();
            assert!(killed.unwrap().success());
        });
        promises.take(more);
        let stopped = server.killed();
        server = stopped.restart();
        slowest = slowest.max(server.ready_after());
        assert!(server.ready_after() < Duration::from_secs(5), "{:?}", server.ready_after());
        assert_eq!(server.json("/readyz")["status"], "READY");
        promises.must_be_kept(&server, &keys);
        assert!(began.elapsed() < Duration::from_secs(120), "round {round} of {ROUNDS}");
    }
    assert!(promises.entries.len() > 200, "only {} entries", promises.entries.len());
    assert!(promises.certificates.len() > 20, "only {} certificates", promises.certificates.len());
    assert!(promises.heads.len() > 50, "only {} heads", promises.heads.len());

    // And once by SIGTERM: whoever was answered is logged, and nobody waits long.
    let stop = AtomicBool::new(false);
    let acknowledged = AtomicU64::new(0);
    let more = load(&server, &keys, ROUNDS, &stop, &acknowledged, || {
        std::thread::sleep(Duration::from_millis(300));
        server.signal_stop();
    });
    promises.take(more);
    let (stopped, took) = server.wait_stopped();
    assert!(took < Duration::from_secs(10), "{took:?}");
    fsck_is_clean(&stopped);
    let server = stopped.restart();
    promises.must_be_kept(&server, &keys);
    drop(server);
}

fn fsck_is_clean(stopped: &Stopped) {
    let output = ca(&["fsck", stopped.dir().to_str().unwrap()]);
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(text.trim_end().lines().last(), Some("ok"), "{text}");
}

#[test]
fn an_accepted_request_survives_the_stop() {
    let server = Instance::dev();
    let key = Key::p256();
    let log_key = e2e::rekor::log_key(&server);
    let body = hashed_rekord(&key, b"in the last moment").to_string();
    let json = [("content-type", "application/json")];
    // Half of the body is there when the signal comes, and the rest a little later.
    let mut connection = server.connect();
    let head = connection.head("POST", "/api/v2/log/entries", &json, Some(body.len()));
    connection.raw(head.as_bytes()).unwrap();
    let (first, second) = body.as_bytes().split_at(body.len() / 2);
    connection.raw(first).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    server.signal_stop();
    std::thread::sleep(Duration::from_millis(300));
    connection.raw(second).unwrap();
    let response = connection.read("POST").expect("an accepted request is answered");
    let entry = published(&response.expect(201).json(), &log_key);
    let (stopped, took) = server.wait_stopped();
    assert!(took < Duration::from_secs(10), "{took:?}");
    let server = stopped.restart();
    assert_eq!(Log::read(&server).entries[entry.index as usize], entry.body);
}

#[test]
fn a_second_signal_stops_at_once() {
    let server = Instance::dev();
    let mut connection = server.connect();
    let head = connection.head("POST", "/api/v2/log/entries", &[], Some(1000));
    connection.raw(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    server.signal_stop();
    std::thread::sleep(Duration::from_millis(200));
    server.signal_stop();
    let began = Instant::now();
    let _stopped = server.killed();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

const MOST_PER_WRITER: u64 = 400;

//! What an append costs: `cargo run --release -p tlog --example append -- ENTRIES OUTSTANDING`.
//!
//! Prints, for each part of the run, the processor time of store, hashing and proofs per entry
//! (verification of the signatures is done before and not counted), the time on the clock, and the
//! bytes on disk per entry and per byte of its body.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

#[path = "../tests/log/support.rs"]
#[allow(dead_code)]
mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use formats::digest::HashAlgorithm;
use rcgen::{CertificateParams, CustomExtension, SanType, SigningKey as _};
use serde_json::{Value, json};
use support::{World, hashed_rekord, request};
use tlog::store::sqlite::SqliteStore;
use tlog::{Accepted, Engine, rekor2};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| arguments.next().map_or(default, |text| text.parse().unwrap());
    let (entries, outstanding): (usize, usize) = (number(100_000), number(256));
    let folder = tempfile::tempdir_in(".").unwrap();
    let path = folder.path().join("log.db");
    let world = World::new();
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    let engine = world.open_with(store, World::settings()).unwrap();
    let signers: Vec<Signer> = (0..256).map(Signer::new).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut bodies = 0;
    let part = (entries / 10).clamp(1, 20_000);
    for first in (0..entries).step_by(part) {
        let accepted: Vec<Accepted> =
            (first..first + part).map(|n| signers[n % signers.len()].entry(n)).collect();
        let before = (cpu_us(), Instant::now());
        bodies += runtime.block_on(submit_all(&engine, accepted, outstanding));
        let (cpu, wall) = (cpu_us() - before.0, before.1.elapsed().as_micros() as u64);
        let done = (first + part) as u64;
        let disk = disk_bytes(folder.path());
        println!(
            "{done:>8} entries: cpu {:>6.1} us, clock {:>6.1} us, disk {:>5} bytes ({:.3} x body of {})",
            cpu as f64 / part as f64,
            wall as f64 / part as f64,
            disk / done,
            disk as f64 / bodies as f64,
            bodies as u64 / done,
        );
    }
    engine.shutdown();
}

async fn submit_all(engine: &Engine, entries: Vec<Accepted>, outstanding: usize) -> usize {
    let mut queues: Vec<Vec<Accepted>> = (0..outstanding).map(|_| Vec::new()).collect();
    for (n, entry) in entries.into_iter().enumerate() {
        queues[n % outstanding].push(entry);
    }
    let local = tokio::task::LocalSet::new();
    let tasks: Vec<_> = queues
        .into_iter()
        .map(|queue| {
            let engine = engine.clone();
            local.spawn_local(async move {
                let mut bytes = 0;
                for entry in queue {
                    bytes += engine.submit(entry).await.unwrap().body().len();
                }
                bytes
            })
        })
        .collect();
    local.await;
    let mut bytes = 0;
    for task in tasks {
        bytes += task.await.unwrap();
    }
    bytes
}

/// A certificate of the usual size and its key.
struct Signer {
    key: rcgen::KeyPair,
    verifier: Value,
}

impl Signer {
    fn new(n: usize) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        let email = format!("person{n}@example.com");
        params.subject_alt_names = vec![SanType::Rfc822Name(email.as_str().try_into().unwrap())];
        let filling = CustomExtension::from_oid_content(&[1, 3, 9999, 1], vec![7; 460]);
        params.custom_extensions = vec![filling];
        let certificate = params.self_signed(&key).unwrap();
        let verifier = json!({
            "x509Certificate": { "rawBytes": STANDARD.encode(certificate.der()) },
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        });
        Self { key, verifier }
    }

    fn entry(&self, n: usize) -> Accepted {
        let message = format!("artifact {n}");
        let signature = self.key.sign(message.as_bytes()).unwrap();
        let digest = HashAlgorithm::Sha256.digest(message.as_bytes());
        let value = hashed_rekord(digest.as_bytes(), &signature, &self.verifier);
        rekor2::accept(&request(&value)).unwrap()
    }
}

fn disk_bytes(folder: &Path) -> u64 {
    let files = std::fs::read_dir(folder).unwrap();
    files
        .map(|file| file.unwrap())
        .filter(|f| !f.file_name().to_string_lossy().ends_with("wal"))
        .map(|file| file.metadata().unwrap().len())
        .sum()
}

/// Processor time of this process, all threads.
fn cpu_us() -> u64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after = stat.rsplit(')').next().unwrap();
    let field = |n: usize| after.split_whitespace().nth(n).unwrap().parse::<u64>().unwrap();
    (field(11) + field(12)) * 10_000
}

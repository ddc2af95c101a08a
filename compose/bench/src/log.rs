//! The artifact log: entries with certificates, durable, with their proofs.

use std::error::Error;

use aws_lc_rs::rand::SystemRandom;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::certificate::Certified;
use crate::client::{self, Connection, Request};
use crate::limits::Limits;
use crate::server::Server;
use crate::table::{Table, median};

/// Measures appending `entries` entries, and what they take on disk.
pub fn append(
    server: &Server,
    certificates: &[Certified],
    entries: usize,
    table: &mut Table,
) -> Result<(), Box<dyn Error>> {
    let mut number = 0_u64;
    let disk_before = server.database_bytes()?;

    let few = requests(certificates, &mut number, 100)?;
    let idle = median(client::one_by_one(server.port, &few, 201)?);
    let flush = median(flushes()?);
    let beside = format!("one fsync: {flush:.2} ms; peers: 1,000 to 11,000 ms");
    table.at_most("log entry with proof, idle server, median", idle, 15.0, "ms", &beside);

    let mut body_bytes = 0;
    for connections in [64, 256] {
        let mut written = 0;
        while written < entries / 2 {
            let batch = CHUNK.min(entries / 2 - written);
            let prepared = requests(certificates, &mut number, batch)?;
            let ((answers, seconds, wall), limits) = Limits::around(|| {
                let before = server.cpu_seconds()?;
                let started = std::time::Instant::now();
                let answers = client::load(server.port, connections, &prepared, 201)?;
                let wall = started.elapsed().as_secs_f64();
                Ok((answers, (server.cpu_seconds()? - before) / batch as f64, wall))
            })?;
            let limit = (limits.p256_verify, "one P-256 verify");
            written += batch;
            let what = format!(
                "log entry, {connections} connections, log of {number}, server CPU (peers: 1,267 us)"
            );
            table.ratio(&what, seconds * 1e6, limit, 2.5);
            let rate = 2.0 / seconds;
            let beside = format!("clients on the same cores: {:.0}/s", batch as f64 / wall);
            table.at_least("entries per second of two server cores", rate, 1e4, "/s", &beside);
            body_bytes = body_of(&answers)?;
        }
    }
    hang_up(server, certificates, &mut number, table)?;
    let grown = (server.database_bytes()? - disk_before) as f64 / number as f64;
    let beside = format!("{grown:.0} bytes for a body of {body_bytes}");
    table.at_most("disk per entry over its body", grown / body_bytes as f64, 1.6, "x", &beside);
    Ok(())
}

/// Clients that hang up at once fail nobody else.
fn hang_up(
    server: &Server,
    certificates: &[Certified],
    number: &mut u64,
    table: &mut Table,
) -> Result<(), Box<dyn Error>> {
    let rude = requests(certificates, number, 32)?;
    let polite = requests(certificates, number, 32)?;
    for request in &rude {
        Connection::open(server.port)?.send(request)?;
    }
    client::load(server.port, 8, &polite, 201)?;
    table.note("32 clients hang up among 32 others", "the others were all answered".to_owned());
    Ok(())
}

fn requests(
    certificates: &[Certified],
    number: &mut u64,
    count: usize,
) -> Result<Vec<Request>, Box<dyn Error>> {
    let random = SystemRandom::new();
    (0..count)
        .map(|_| {
            let certified = &certificates[usize::try_from(*number)? % certificates.len()];
            let artifact = number.to_be_bytes();
            *number += 1;
            let body = json!({ "hashedRekordRequestV002": {
                "digest": STANDARD.encode(Sha256::digest(artifact)),
                "signature": {
                    "content": STANDARD.encode(certified.key.sign(&random, &artifact)?),
                    "verifier": {
                        "x509Certificate": { "rawBytes": STANDARD.encode(&certified.der) },
                        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    },
                },
            } });
            let headers = "content-type: application/json\r\n";
            let body = body.to_string();
            Ok(Request::post("/api/v2/log/entries", headers, body.as_bytes()))
        })
        .collect()
}

fn body_of(answers: &[Vec<u8>]) -> Result<usize, Box<dyn Error>> {
    let answer: Value = serde_json::from_slice(answers.last().ok_or("no answer")?)?;
    let body = answer["canonicalizedBody"].as_str().ok_or("no body")?;
    Ok(STANDARD.decode(body)?.len())
}

/// Milliseconds that this disk takes to make 4 KiB durable.
fn flushes() -> Result<Vec<f64>, Box<dyn Error>> {
    use std::io::Write as _;
    let mut file = tempfile::tempfile()?;
    (0..50)
        .map(|_| {
            let started = std::time::Instant::now();
            file.write_all(&[7; 4096])?;
            file.sync_data()?;
            Ok(started.elapsed().as_secs_f64() * 1e3)
        })
        .collect()
}

/// How many prepared requests are held in memory at once.
const CHUNK: usize = 50_000;

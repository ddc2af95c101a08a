//! Timestamps.

use std::error::Error;

use sha2::{Digest as _, Sha256};

use crate::client::{self, Request};
use crate::limits::Limits;
use crate::server::Server;
use crate::table::Table;

/// Measures stamping.
pub fn stamp(server: &Server, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let requests: Vec<Request> = (0..TIMESTAMPS)
        .map(|number| {
            let query = [QUERY, &Sha256::digest(number.to_be_bytes())].concat();
            let headers = "content-type: application/timestamp-query\r\n";
            Request::post("/api/v1/timestamp", headers, &query)
        })
        .collect();
    let (micros, limits) = Limits::around(|| {
        let before = server.cpu_seconds()?;
        client::load(server.port, 64, &requests, 200)?;
        Ok((server.cpu_seconds()? - before) * 1e6 / f64::from(TIMESTAMPS))
    })?;
    let limit = (limits.p256_sign, "one P-256 signature");
    table.ratio("timestamp, server CPU (peers: 322 us)", micros, limit, 5.0);
    Ok(())
}

/// TimeStampReq (RFC 3161 section 2.4.1): version 1 and a SHA-256 imprint, up to its 32 bytes.
const QUERY: &[u8] = &[
    0x30, 0x36, 0x02, 0x01, 0x01, 0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
    0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20,
];

const TIMESTAMPS: u32 = 20_000;

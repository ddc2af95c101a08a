//! Certificates: the whole path over HTTP, with an embedded SCT.

use std::error::Error;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::client::{self, Request};
use crate::limits::Limits;
use crate::server::Server;
use crate::table::{Table, median};

/// A certificate with the key that it is for.
pub struct Certified {
    /// The one-use key.
    pub key: EcdsaKeyPair,
    /// The certificate in DER.
    pub der: Vec<u8>,
}

/// Measures issuing, and keeps what was issued.
pub fn issue(server: &Server, table: &mut Table) -> Result<Vec<Certified>, Box<dyn Error>> {
    let token = server.token(EMAIL)?;
    let (_, few) = requests(&token, 60)?;
    let idle = median(client::one_by_one(server.port, &few, 200)?);
    table.at_most("certificate, idle server, median", idle, 5.0, "ms", "peers: 98 to 1,454 ms");

    let mut issued = Vec::new();
    for connections in [64, 256] {
        let (keys, many) = requests(&token, CERTIFICATES)?;
        let ((answers, micros), limits) = Limits::around(|| {
            let before = server.cpu_seconds()?;
            let answers = client::load(server.port, connections, &many, 200)?;
            Ok((answers, (server.cpu_seconds()? - before) * 1e6 / CERTIFICATES as f64))
        })?;
        let limit = (limits.certificate(), "its cryptography");
        let what = format!("certificate, {connections} connections, server CPU (peers: 3,018 us)");
        table.ratio(&what, micros, limit, 1.6);
        for (key, answer) in keys.into_iter().zip(answers) {
            issued.push(Certified { key, der: leaf(&answer)? });
        }
    }
    Ok(issued)
}

fn requests(
    token: &str,
    count: usize,
) -> Result<(Vec<EcdsaKeyPair>, Vec<Request>), Box<dyn Error>> {
    let headers = format!("authorization: Bearer {token}\r\ncontent-type: application/json\r\n");
    let (mut keys, mut requests) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
        let proof = key.sign(&SystemRandom::new(), EMAIL.as_bytes())?;
        let spki = spki(&key);
        let body = json!({ "publicKeyRequest": {
            "publicKey": { "algorithm": "ECDSA", "content": pem(&spki) },
            "proofOfPossession": STANDARD.encode(proof.as_ref()),
        } });
        let body = body.to_string();
        requests.push(Request::post("/api/v2/signingCert", &headers, body.as_bytes()));
        keys.push(key);
    }
    Ok((keys, requests))
}

fn leaf(answer: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let answer: Value = serde_json::from_slice(answer)?;
    let pem = answer["signedCertificateEmbeddedSct"]["chain"]["certificates"][0]
        .as_str()
        .ok_or("no certificate")?;
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    Ok(STANDARD.decode(base64)?)
}

fn spki(key: &EcdsaKeyPair) -> Vec<u8> {
    [P256, key.public_key().as_ref()].concat()
}

fn pem(spki: &[u8]) -> String {
    let base64 = STANDARD.encode(spki);
    let lines: Vec<String> =
        base64.as_bytes().chunks(64).map(|l| String::from_utf8_lossy(l).into_owned()).collect();
    format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"))
}

/// DER of a P-256 SubjectPublicKeyInfo up to the point.
const P256: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

const EMAIL: &str = "alice@example.com";
const CERTIFICATES: usize = 4_000;

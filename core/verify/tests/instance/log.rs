//! Transparency logs: bodies, Merkle trees (RFC 6962 2.1, straight from the definitions),
//! checkpoints and promises.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::pki::Key;

pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn pem(label: &str, der: &[u8]) -> String {
    let text = base64(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

pub fn leaf_hash(entry: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

pub fn tree_root(leaves: &[[u8; 32]]) -> [u8; 32] {
    match leaves {
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&tree_root(left), &tree_root(right))
        }
    }
}

/// PATH(m, D[n]) of RFC 6962 2.1.1.
pub fn path(index: usize, leaves: &[[u8; 32]]) -> Vec<[u8; 32]> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let split = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(split);
    if index < split {
        [path(index, left), vec![tree_root(right)]].concat()
    } else {
        [path(index - split, right), vec![tree_root(left)]].concat()
    }
}

/// A line under a checkpoint.
pub fn note_line(name: &str, hint: &[u8], signature: &[u8]) -> String {
    format!("\u{2014} {name} {}\n", base64(&[hint, signature].concat()))
}

/// The C2SP key id of an Ed25519 key, whole.
pub fn ed25519_note_id(name: &str, key: &Key) -> [u8; 32] {
    let public = key.public();
    Sha256::new()
        .chain_update(name)
        .chain_update([0x0a, 0x01])
        .chain_update(public.raw())
        .finalize()
        .into()
}

/// What a body records; the fields that its kind has no place for go unused.
#[derive(Clone)]
pub struct Body {
    /// Of the message, or of the pre-authentication encoding.
    pub digest: Vec<u8>,
    pub algorithm: &'static str,
    pub payload_hash: Vec<u8>,
    pub payload_type: String,
    /// Signature and verifier's DER.
    pub signatures: Vec<(Vec<u8>, Vec<u8>)>,
    /// A certificate, or else a bare key.
    pub certificate: bool,
    pub key_details: &'static str,
}

impl Body {
    fn pem(&self, der: &[u8]) -> String {
        let label = if self.certificate { "CERTIFICATE" } else { "PUBLIC KEY" };
        base64(pem(label, der).as_bytes())
    }

    fn hash_name(&self) -> &'static str {
        match self.algorithm {
            "SHA2_384" => "sha384",
            "SHA2_512" => "sha512",
            _ => "sha256",
        }
    }

    pub fn hashedrekord2(&self) -> String {
        let (signature, verifier) = &self.signatures[0];
        let form = if self.certificate { "x509Certificate" } else { "publicKey" };
        let (algorithm, digest) = (self.algorithm, base64(&self.digest));
        let (content, details, raw) = (base64(signature), self.key_details, base64(verifier));
        format!(
            r#"{{"apiVersion":"0.0.2","kind":"hashedrekord","spec":{{"hashedRekordV002":{{"data":{{"algorithm":"{algorithm}","digest":"{digest}"}},"signature":{{"content":"{content}","verifier":{{"keyDetails":"{details}","{form}":{{"rawBytes":"{raw}"}}}}}}}}}}}}"#
        )
    }

    pub fn hashedrekord1(&self) -> String {
        let (signature, verifier) = &self.signatures[0];
        let (name, digest) = (self.hash_name(), hex(&self.digest));
        let (content, pem) = (base64(signature), self.pem(verifier));
        format!(
            r#"{{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{{"data":{{"hash":{{"algorithm":"{name}","value":"{digest}"}}}},"signature":{{"content":"{content}","publicKey":{{"content":"{pem}"}}}}}}}}"#
        )
    }

    pub fn dsse(&self) -> String {
        let signatures: Vec<String> = self
            .signatures
            .iter()
            .map(|(signature, verifier)| {
                let (signature, verifier) = (base64(signature), self.pem(verifier));
                format!(r#"{{"signature":"{signature}","verifier":"{verifier}"}}"#)
            })
            .collect();
        let (zero, payload) = ("0".repeat(64), hex(&self.payload_hash));
        format!(
            r#"{{"apiVersion":"0.0.1","kind":"dsse","spec":{{"envelopeHash":{{"algorithm":"sha256","value":"{zero}"}},"payloadHash":{{"algorithm":"sha256","value":"{payload}"}},"signatures":[{}]}}}}"#,
            signatures.join(",")
        )
    }

    pub fn intoto(&self) -> String {
        let signatures: Vec<String> = self
            .signatures
            .iter()
            .map(|(signature, verifier)| {
                let twice = base64(base64(signature).as_bytes());
                format!(r#"{{"publicKey":"{}","sig":"{twice}"}}"#, self.pem(verifier))
            })
            .collect();
        let (zero, payload) = ("0".repeat(64), hex(&self.payload_hash));
        let (kind, signatures) = (&self.payload_type, signatures.join(","));
        format!(
            r#"{{"apiVersion":"0.0.2","kind":"intoto","spec":{{"content":{{"envelope":{{"payloadType":"{kind}","signatures":[{signatures}]}},"hash":{{"algorithm":"sha256","value":"{zero}"}},"payloadHash":{{"algorithm":"sha256","value":"{payload}"}}}}}}}}"#
        )
    }
}

/// What a Rekor v1 log signs as its promise.
pub fn promise(body: &[u8], time: i64, log_id: &[u8], index: u64) -> Vec<u8> {
    let (body, log_id) = (base64(body), hex(log_id));
    format!(r#"{{"body":"{body}","integratedTime":{time},"logID":"{log_id}","logIndex":{index}}}"#)
        .into_bytes()
}

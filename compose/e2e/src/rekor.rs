//! The artifact log: entries in, entries with proofs out.

use serde_json::{Value, json};

use crate::http::Response;
use crate::instance::Instance;
use crate::key::Key;
use crate::merkle::{Hash, included, leaf_hash};
use crate::note::Checkpoint;
use crate::{b64, sha256, unb64};

/// A hashedrekord request over a message, with the bare key as the verifier.
#[must_use]
pub fn hashed_rekord(key: &Key, message: &[u8]) -> Value {
    hashed_rekord_of(&sha256(message), &key.sign(message), key)
}

/// A hashedrekord request of these parts.
#[must_use]
pub fn hashed_rekord_of(digest: &[u8], signature: &[u8], key: &Key) -> Value {
    json!({ "hashedRekordRequestV002": {
        "digest": b64(digest),
        "signature": { "content": b64(signature), "verifier": verifier(key) },
    }})
}

/// A verifier that is a bare key.
#[must_use]
pub fn verifier(key: &Key) -> Value {
    json!({ "publicKey": { "rawBytes": b64(key.spki()) }, "keyDetails": key.details() })
}

/// Posts an entry.
#[must_use]
pub fn post(instance: &Instance, body: &Value) -> Response {
    instance.post("/api/v2/log/entries", &[], body)
}

/// A published entry as the answer tells it, its proof already checked.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its place in the log.
    pub index: u64,
    /// The canonical body.
    pub body: Vec<u8>,
    /// The checkpoint that the proof leads to.
    pub checkpoint: Checkpoint,
}

/// Reads a TransparencyLogEntry, and checks its proof and its checkpoint's signature.
///
/// # Panics
/// When anything in it does not hold.
#[must_use]
pub fn published(answer: &Value, log_key: &[u8]) -> Entry {
    let number = |value: &Value| -> u64 {
        let text = value.as_str().unwrap_or_else(|| panic!("no decimal string: {value}"));
        text.parse().expect("a decimal number")
    };
    let hash = |value: &Value| -> Hash {
        unb64(value.as_str().expect("base64")).try_into().expect("32 bytes")
    };
    let proof = &answer["inclusionProof"];
    let index = number(&answer["logIndex"]);
    assert_eq!(number(&proof["logIndex"]), index);
    assert_eq!(answer["logId"]["keyId"], b64(&sha256(log_key)));
    assert_eq!(answer["integratedTime"], "0");
    assert!(answer["inclusionPromise"].is_null(), "{answer}");
    assert_eq!(answer["kindVersion"], json!({ "kind": "hashedrekord", "version": "0.0.2" }));
    let body = unb64(answer["canonicalizedBody"].as_str().expect("a body"));
    let hashes: Vec<Hash> =
        proof["hashes"].as_array().expect("a list of hashes").iter().map(hash).collect();
    let (size, root) = (number(&proof["treeSize"]), hash(&proof["rootHash"]));
    assert!(included(index, size, &leaf_hash(&body), &hashes, &root), "{answer}");
    let envelope = proof["checkpoint"]["envelope"].as_str().expect("a checkpoint");
    let checkpoint = Checkpoint::read(envelope);
    checkpoint.must_be_signed("localhost", log_key);
    assert_eq!((checkpoint.size, checkpoint.root), (size, root));
    Entry { index, body, checkpoint }
}

/// The SPKI of the artifact log's key, out of the served trust root.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn log_key(instance: &Instance) -> Vec<u8> {
    let root = instance.json("/trusted_root.json");
    unb64(root["tlogs"][0]["publicKey"]["rawBytes"].as_str().expect("a log key"))
}

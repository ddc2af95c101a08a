//! The classic reads of RFC 6962 §4: data and JSON, for the few clients that still ask so.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use merkle::Hash;
use merkle::merkle::leaf_hash;
use merkle::note::Note;
use serde_json::{Value, json};

use super::stored::{Kind, StoredExtra, StoredLeaf, push_u24};
use crate::engine::Engine;
use crate::entry::Tree;
use crate::read::ReadError;
use crate::search::SearchKey;
use crate::signer::split_tree_head;
use crate::store::{SignedHead, StoredEntry};

/// `get-sth` (§4.3): the head that the checkpoint's note carries.
///
/// # Errors
/// When the head's note is not a CT one.
pub fn get_sth(signed: &SignedHead) -> Result<Value, ReadError> {
    let note = Note::parse(&signed.checkpoint).map_err(|_| ReadError::NotATreeHead)?;
    let line = note.signatures().first().ok_or(ReadError::NotATreeHead)?;
    let (timestamp, signature) = split_tree_head(&line.signature).ok_or(ReadError::NotATreeHead)?;
    Ok(json!({
        "tree_size": signed.head.size,
        "timestamp": timestamp,
        "sha256_root_hash": STANDARD.encode(signed.head.root.as_bytes()),
        "tree_head_signature": STANDARD.encode(signature),
    }))
}

/// `get-sth-consistency` (§4.4). Equal sizes, and a first size of 0, have an empty proof, as the
/// section says.
///
/// # Errors
/// [`ReadError::OutOfRange`] unless `first <= second <= size`.
pub fn get_sth_consistency(engine: &Engine, first: u64, second: u64) -> Result<Value, ReadError> {
    let size = engine.head(Tree::Ct).map_or(0, |head| head.head.size);
    if first > second || second > size {
        return Err(ReadError::OutOfRange { size });
    }
    let proof = match first {
        0 => Vec::new(),
        first => engine.consistency(Tree::Ct, first, second)?,
    };
    Ok(json!({ "consistency": encoded(&proof) }))
}

/// `get-proof-by-hash` (§4.5).
///
/// # Errors
/// [`ReadError::NotFound`] when no leaf below `tree_size` has this hash,
/// [`ReadError::OutOfRange`] when the log is not as large as `tree_size`.
pub fn get_proof_by_hash(engine: &Engine, hash: &Hash, tree_size: u64) -> Result<Value, ReadError> {
    // A search key is a shortened hash: the entry itself says whether it is the one.
    let candidates = engine.search(&SearchKey::leaf(hash), MAX_CANDIDATES)?;
    for (tree, index) in candidates {
        if tree != Tree::Ct || index >= tree_size {
            continue;
        }
        if leaf_hash(&engine.entry(tree, index)?.body) == *hash {
            let path = engine.inclusion(Tree::Ct, index, tree_size)?;
            return Ok(json!({ "leaf_index": index, "audit_path": encoded(&path) }));
        }
    }
    Err(ReadError::NotFound)
}

/// `get-entries` (§4.6): `start` and `end` inclusive, at most [`MAX_GET_ENTRIES`] in one answer.
///
/// # Errors
/// [`ReadError::OutOfRange`] when `start` is beyond the log or after `end`.
pub fn get_entries(engine: &Engine, start: u64, end: u64) -> Result<Value, ReadError> {
    let size = engine.head(Tree::Ct).map_or(0, |head| head.head.size);
    if start > end || start >= size {
        return Err(ReadError::OutOfRange { size });
    }
    let count = (end.min(size - 1) - start).saturating_add(1).min(MAX_GET_ENTRIES);
    let entries = engine.entries(Tree::Ct, start, count as usize)?;
    let mut answer = Vec::with_capacity(entries.len());
    for entry in &entries {
        answer.push(json!({
            "leaf_input": STANDARD.encode(&entry.body),
            "extra_data": STANDARD.encode(extra_data(engine, entry)?),
        }));
    }
    Ok(json!({ "entries": answer }))
}

/// The extra data of §4.6: the chain, after the precertificate if it is about one.
fn extra_data(engine: &Engine, entry: &StoredEntry) -> Result<Vec<u8>, ReadError> {
    let index = entry.index;
    let damaged = || ReadError::Damaged { index };
    let leaf = StoredLeaf::parse(&entry.body).ok_or_else(damaged)?;
    let extra = StoredExtra::parse(&leaf, &entry.extra).ok_or_else(damaged)?;
    let mut chain = Vec::new();
    for fingerprint in extra.fingerprints {
        let der = engine.issuer(fingerprint)?;
        push_u24(&mut chain, &der).ok_or_else(damaged)?;
    }
    let mut data = Vec::new();
    if let (Kind::Precert { .. }, Some(der)) = (&leaf.kind, extra.precertificate) {
        push_u24(&mut data, der).ok_or_else(damaged)?;
    }
    push_u24(&mut data, &chain).ok_or_else(damaged)?;
    Ok(data)
}

fn encoded(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| STANDARD.encode(hash.as_bytes())).collect()
}

/// The most entries that one `get-entries` answers.
pub const MAX_GET_ENTRIES: u64 = 256;
const MAX_CANDIDATES: usize = 16;

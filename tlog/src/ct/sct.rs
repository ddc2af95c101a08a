//! The SCT over a published entry, made when it is asked for: the stored leaf holds all that it
//! covers, so a repeated submission gets the same timestamp and index again.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use formats::sct::{HASH_SHA256, SIGNATURE_ECDSA, Sct, SctError, digitally_signed};
use serde_json::{Value, json};
use thiserror::Error;

use super::stored::StoredLeaf;
use crate::entry::Published;
use crate::signer::{LogKey, SignError};

/// Signs the SCT of a published entry. It is a promise already kept: the entry is in the tree
/// that `published` has a head of.
///
/// # Errors
/// When the key can't sign, or the entry is not a CT leaf.
pub fn sct(published: &Published, key: &dyn LogKey) -> Result<Sct, SctAnswerError> {
    let leaf = StoredLeaf::parse(published.body()).ok_or(SctAnswerError::NotALeaf)?;
    // The bytes that an SCT signs (RFC 6962 3.2) and the MerkleTreeLeaf (3.4) are the same:
    // version 0, then signature type 0 in one and leaf type 0 in the other, then the same fields.
    let signature = key.sign(published.body())?;
    Ok(Sct {
        log_id: key.public_key().id(),
        timestamp_ms: leaf.timestamp_ms,
        extensions: leaf.extensions.to_vec(),
        hash: HASH_SHA256,
        signature_algorithm: SIGNATURE_ECDSA,
        signature,
    })
}

/// The answer to `add-chain` and `add-pre-chain` (RFC 6962 §4.1).
///
/// # Errors
/// When the signature does not fit its field.
pub fn sct_json(sct: &Sct) -> Result<Value, SctAnswerError> {
    Ok(json!({
        "sct_version": 0,
        "id": STANDARD.encode(sct.log_id),
        "timestamp": sct.timestamp_ms,
        "extensions": STANDARD.encode(&sct.extensions),
        "signature": STANDARD.encode(digitally_signed(&sct.signature)?),
    }))
}

/// An SCT can't be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SctAnswerError {
    /// The key can't sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The entry is of another dialect.
    #[error("the entry is not a CT leaf")]
    NotALeaf,
    /// A field is too long.
    #[error(transparent)]
    Encode(#[from] SctError),
}

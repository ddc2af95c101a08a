//! Transparency log entries, in bundles and in the answers of a log (protobuf-specs
//! `sigstore_rekor.proto`).

use merkle::merkle::Hash;

use super::wire::{WireEntry, WireProof};
use super::{BundleError, all, base64, integer, write};
use crate::entry::{self, EntryBody, EntryError};
use crate::json;
use crate::limits::MAX_BUNDLE_BYTES;

/// One entry of a transparency log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The index over all of a log's shards; 0 is an index like any other.
    pub log_index: u64,
    /// The ID of the log's key: 32 bytes.
    pub log_id: [u8; 32],
    /// The kind of the body, equal to the body's own.
    pub kind: String,
    /// The version of the body, equal to the body's own.
    pub version: String,
    /// When a Rekor v1 log says it integrated the entry, in Unix seconds: a claim until the
    /// promise verifies. `None` when absent or 0, as it always is in Rekor v2.
    pub integrated_time: Option<i64>,
    /// The signed entry timestamp of Rekor v1; not empty.
    pub inclusion_promise: Option<Vec<u8>>,
    /// The proof that the log holds the body.
    pub inclusion_proof: Option<InclusionProof>,
    /// The Merkle leaf, in the log's own bytes; parses as [`LogEntry::body`].
    pub canonicalized_body: Vec<u8>,
}

/// A Merkle inclusion proof with the checkpoint it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// The index within the shard, which the proof is about.
    pub log_index: u64,
    /// The root that the prover states; the checkpoint's counts.
    pub root_hash: Hash,
    /// The tree size that the prover states; the checkpoint's counts.
    pub tree_size: u64,
    /// Sibling hashes from the leaf up.
    pub hashes: Vec<Hash>,
    /// The checkpoint, a signed note; not empty.
    pub checkpoint: String,
}

/// Reads the TransparencyLogEntry that a Rekor v2 log answers with: like an entry of a v0.3
/// bundle, it must have a proof.
///
/// # Errors
/// [`BundleError`], by cause.
pub fn parse_log_entry(bytes: &[u8]) -> Result<LogEntry, BundleError> {
    let entry = LogEntry::try_from(json::from_slice_capped::<WireEntry>(bytes, MAX_BUNDLE_BYTES)?)?;
    if entry.inclusion_proof.is_none() {
        return Err(BundleError::NoProof);
    }
    Ok(entry)
}

impl LogEntry {
    /// The body, parsed.
    ///
    /// # Errors
    /// [`EntryError`], never for an entry that came out of a parser of this crate.
    pub fn body(&self) -> Result<EntryBody, EntryError> {
        entry::parse(&self.kind, &self.version, &self.canonicalized_body)
    }

    /// The JSON a Rekor v2 log answers with: every member is there, `integratedTime` as `"0"` and
    /// `inclusionPromise` as `null` when there is none.
    #[must_use]
    pub fn to_response_json(&self) -> String {
        write::response(self)
    }
}

impl TryFrom<WireEntry> for LogEntry {
    type Error = BundleError;

    fn try_from(wire: WireEntry) -> Result<Self, BundleError> {
        let log_index = integer("logIndex", &wire.log_index)?;
        let key_id = base64("logId.keyId", &wire.log_id.unwrap_or_default().key_id)?;
        let log_id = <[u8; 32]>::try_from(key_id.as_slice())
            .map_err(|_| BundleError::LogIdLength { bytes: key_id.len() })?;
        let integrated_time = integer("integratedTime", &wire.integrated_time.unwrap_or_default())?;
        let integrated_time = i64::try_from(integrated_time)
            .map_err(|_| BundleError::IntegerTooLarge { field: "integratedTime" })?;
        let inclusion_promise = wire
            .inclusion_promise
            .map(|promise| {
                let set = base64("signedEntryTimestamp", &promise.signed_entry_timestamp)?;
                if set.is_empty() {
                    return Err(BundleError::EmptyPromise);
                }
                Ok(set)
            })
            .transpose()?;
        let inclusion_proof = wire.inclusion_proof.map(InclusionProof::try_from).transpose()?;
        let kind_version = wire.kind_version.ok_or(BundleError::NoKindVersion)?;
        let canonicalized_body = base64("canonicalizedBody", &wire.canonicalized_body)?;
        if canonicalized_body.is_empty() {
            return Err(BundleError::NoBody);
        }
        entry::parse(&kind_version.kind, &kind_version.version, &canonicalized_body)?;
        Ok(Self {
            log_index,
            log_id,
            kind: kind_version.kind,
            version: kind_version.version,
            integrated_time: Some(integrated_time).filter(|time| *time != 0),
            inclusion_promise,
            inclusion_proof,
            canonicalized_body,
        })
    }
}

impl TryFrom<WireProof> for InclusionProof {
    type Error = BundleError;

    fn try_from(wire: WireProof) -> Result<Self, BundleError> {
        let checkpoint = wire.checkpoint.unwrap_or_default().envelope;
        if checkpoint.is_empty() {
            return Err(BundleError::NoCheckpoint);
        }
        let hashes = all("hashes", wire.hashes)?;
        Ok(Self {
            log_index: integer("inclusionProof.logIndex", &wire.log_index)?,
            root_hash: hash("rootHash", &wire.root_hash)?,
            tree_size: integer("treeSize", &wire.tree_size)?,
            hashes: hashes.iter().map(|text| hash("hashes", text)).collect::<Result<_, _>>()?,
            checkpoint,
        })
    }
}

fn hash(field: &'static str, text: &str) -> Result<Hash, BundleError> {
    let bytes = base64(field, text)?;
    Hash::try_from(bytes.as_slice())
        .map_err(|_| BundleError::HashLength { field, bytes: bytes.len() })
}

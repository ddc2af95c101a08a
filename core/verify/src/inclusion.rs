//! Log entries in, [`Included`] out: a trusted log holds this very signature, by this very key,
//! over this very content.
//!
//! Which rules apply follows from the parsed kind of the body, a closed enum, and never from the
//! bundle's media type. Whatever the kind, a checkpoint counts only under the key that the trust
//! root has for the entry's log id.

mod binding;

use std::num::NonZeroU32;

use formats::bundle::{Bundle, InclusionProof, LogEntry};
use formats::entry::EntryBody;
use merkle::checkpoint::{self, OpenedCheckpoint};
use merkle::merkle::{leaf_hash, verify_inclusion};
use merkle::note::{Note, NoteVerifier, key_hint};

use crate::crypto;
use crate::error::{AuthorityFault, BundleFault, EntryFault, PolicyFault, Refusal};
use crate::root::{Anchors, Log};
use crate::signature::SignedContent;
use crate::signer::Signer;
use crate::time::VerifiedTime;

/// A signer whose signature is in enough logs.
#[derive(Debug)]
pub(crate) struct Included<'a> {
    signer: Signer<'a>,
    entries: Vec<IncludedEntry>,
}

/// Where a log holds the entry.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct IncludedEntry {
    /// The log's id, 32 bytes.
    pub log_id: [u8; 32],
    /// The log's host name according to the trust root.
    pub log: String,
    /// The entry's index as the log counts it for people (over all shards in Rekor v1).
    pub log_index: u64,
}

impl<'a> Included<'a> {
    pub(crate) fn signer(&self) -> &Signer<'a> {
        &self.signer
    }

    pub(crate) fn into_parts(self) -> (Signer<'a>, Vec<IncludedEntry>) {
        (self.signer, self.entries)
    }
}

/// A log entry with its body parsed and its log found; nothing of it verified yet.
#[derive(Debug)]
pub(crate) struct ReadEntry<'a> {
    pub(crate) index: usize,
    pub(crate) entry: &'a LogEntry,
    pub(crate) body: EntryBody,
    /// All listings of the log, which have one key; at least one.
    logs: Vec<&'a Log>,
}

impl<'a> ReadEntry<'a> {
    /// The log.
    pub(crate) fn log(&self) -> Option<&'a Log> {
        self.logs.first().copied()
    }

    /// Whether the trust root trusts the log at `time`, unix seconds.
    fn log_trusted_at(&self, time: i64) -> bool {
        self.logs.iter().any(|log| log.window.contains(time))
    }

    pub(crate) fn refuse(&self, fault: EntryFault) -> Refusal {
        BundleFault::Entry { index: self.index, fault }.into()
    }
}

/// Parses every entry's body and finds its log.
///
/// # Errors
/// A bundle without entries, a body off the closed list, a log that the trust root does not have.
pub(crate) fn read<'a>(
    bundle: &'a Bundle,
    anchors: &'a Anchors,
) -> Result<Vec<ReadEntry<'a>>, Refusal> {
    if bundle.entries.is_empty() {
        return Err(BundleFault::NoLogEntry.into());
    }
    let read = |(index, entry): (usize, &'a LogEntry)| {
        let body = entry.body().map_err(|error| {
            Refusal::from(BundleFault::Entry { index, fault: EntryFault::Body(error) })
        })?;
        let logs: Vec<&Log> = anchors.logs(entry.log_id).collect();
        if logs.is_empty() {
            return Err(AuthorityFault::LogUnknown.into());
        }
        Ok(ReadEntry { index, entry, body, logs })
    };
    bundle.entries.iter().enumerate().map(read).collect()
}

/// Checks every entry, and counts distinct logs: two indices of one log are one witness.
///
/// # Errors
/// The first entry that does not hold refuses the bundle; [`PolicyFault::TooFewLogs`] below the
/// threshold.
pub(crate) fn verify<'a>(
    entries: &[ReadEntry<'_>],
    signer: Signer<'a>,
    content: &SignedContent<'_>,
    threshold: NonZeroU32,
) -> Result<Included<'a>, Refusal> {
    let mut included = Vec::with_capacity(entries.len());
    let mut logs: Vec<[u8; 32]> = Vec::new();
    for read in entries {
        let log = read.log().ok_or(AuthorityFault::LogUnknown)?;
        check_inclusion(read, log)?;
        check_window(read, &signer)?;
        binding::check(read, &signer, content).map_err(|fault| read.refuse(fault))?;
        included.push(IncludedEntry {
            log_id: log.id,
            log: log.host.clone(),
            log_index: read.entry.log_index,
        });
        let key = log.key.id();
        if !logs.contains(&key) {
            logs.push(key);
        }
    }
    let (have, need) = (logs.len(), threshold.get());
    if have < usize::try_from(need).unwrap_or(usize::MAX) {
        return Err(PolicyFault::TooFewLogs { have, need }.into());
    }
    Ok(Included { signer, entries: included })
}

/// The entry is in the tree that the log signed. Size and root come from the opened checkpoint;
/// what the proof says of them only has to agree.
fn check_inclusion(read: &ReadEntry<'_>, log: &Log) -> Result<(), Refusal> {
    let refuse = |fault| read.refuse(fault);
    let proof =
        read.entry.inclusion_proof.as_ref().ok_or_else(|| refuse(EntryFault::NoInclusionProof))?;
    let tree = match &read.body {
        EntryBody::HashedRekord001(_) | EntryBody::Dsse001(_) | EntryBody::Intoto002(_) => {
            if log.id != log.key.id() {
                return Err(AuthorityFault::LogId.into());
            }
            open_v1(proof, log).map_err(refuse)?
        }
        EntryBody::HashedRekord002(_) => {
            // A tile log's id is its note key id; another id means another key or host name.
            if log.id != log.note_id {
                return Err(AuthorityFault::LogId.into());
            }
            if read.entry.log_index != proof.log_index {
                return Err(refuse(EntryFault::LogIndexDiffers));
            }
            open_v2(proof, log).map_err(refuse)?
        }
    };
    if proof.root_hash != tree.root() {
        return Err(refuse(EntryFault::RootDiffers));
    }
    if proof.tree_size != tree.size() {
        return Err(refuse(EntryFault::SizeDiffers));
    }
    let leaf = leaf_hash(&read.entry.canonicalized_body);
    verify_inclusion(proof.log_index, tree.size(), &leaf, &proof.hashes, &tree.root())
        .map_err(|error| refuse(EntryFault::Inclusion(error)))
}

/// Rekor v1 signs `HOST - TREE-ID` with `HOST` as key name, whatever URL it is reached at; its key
/// id is the hash of the key alone. A v1 body in a log with the C2SP form is taken too, as long as
/// the origin is the log's name.
fn open_v1(proof: &InclusionProof, log: &Log) -> Result<OpenedCheckpoint, EntryFault> {
    let note = Note::parse(&proof.checkpoint).map_err(EntryFault::CheckpointNote)?;
    let origin = note.text().lines().next().unwrap_or_default();
    let name = match v1_name(origin) {
        Some(name) => name,
        None if origin == log.host => &log.host,
        None => return Err(EntryFault::CheckpointOrigin),
    };
    let key = LogKey { name, key_id: log.key.id(), log };
    checkpoint::open(&note, &key).map_err(EntryFault::Checkpoint)
}

/// C2SP tlog-checkpoint: the origin is the log's name, and so is the key's.
fn open_v2(proof: &InclusionProof, log: &Log) -> Result<OpenedCheckpoint, EntryFault> {
    let note = Note::parse(&proof.checkpoint).map_err(EntryFault::CheckpointNote)?;
    let key = LogKey { name: &log.host, key_id: log.note_id, log };
    let opened = checkpoint::open(&note, &key).map_err(EntryFault::Checkpoint)?;
    if opened.origin() != log.host {
        return Err(EntryFault::CheckpointOrigin);
    }
    Ok(opened)
}

fn v1_name(origin: &str) -> Option<&str> {
    let (name, tree) = origin.split_once(" - ")?;
    let digits = !tree.is_empty() && tree.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !name.is_empty()).then_some(name)
}

struct LogKey<'a> {
    name: &'a str,
    key_id: [u8; 32],
    log: &'a Log,
}

impl NoteVerifier for LogKey<'_> {
    fn name(&self) -> &str {
        self.name
    }

    fn key_id(&self) -> [u8; 4] {
        key_hint(&self.key_id)
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        crypto::verify_message(&self.log.key, self.log.scheme(), text, signature).is_ok()
    }
}

/// The log was trusted at every verified time, its own promise's included; a key bundle without any
/// time has none to check.
fn check_window(read: &ReadEntry<'_>, signer: &Signer<'_>) -> Result<(), Refusal> {
    match signer.times().iter().map(VerifiedTime::seconds).find(|time| !read.log_trusted_at(*time))
    {
        Some(time) => Err(AuthorityFault::LogWindow(time).into()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::v1_name;

    #[test]
    fn v1_origin_is_a_name_and_a_tree() {
        assert_eq!(v1_name("rekor.sigstore.dev - 2605736670972794746"), Some("rekor.sigstore.dev"));
        for other in ["rekor.sigstore.dev", "a - ", "a - 1x", " - 1", "a - -1", "a - 1 - 2", ""] {
            assert_eq!(v1_name(other), None, "{other}");
        }
    }
}

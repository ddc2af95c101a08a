//! Repository metadata in, verified files out: the client rules of The Update Framework (TUF
//! specification 1.0, section 5), for the four top-level roles.
//!
//! Bytes come from anywhere, the network or a cache that somebody may have written to: each step
//! judges them anew, against the pinned fingerprint and the keys that it leads to. A fact is a type
//! that only its check can make: [`RootChain`] → [`CurrentRoot`] → [`Fresh`] metadata →
//! [`VerifiedFile`]. What is held from the last time ([`Held`]) is good for comparing, and, where
//! there is no network, for as long as snapshot, targets and root live.
//!
//! Delegations are not followed: what a delegated role lists is not there.

use std::collections::HashSet;

use formats::digest::{Digest, HashAlgorithm};
use formats::tuf::{
    MetaFile, Role, Root, Signed, Snapshot, TargetFile, Targets, Timestamp, TufFormatError,
};
use thiserror::Error;

use crate::crypto::{Scheme, verify_message};

/// A root that a pinned one leads to, version by version. It may have expired: only the newest must
/// not have (specification 5.3.10).
#[derive(Debug, Clone)]
pub struct RootChain(Root);

/// The newest root, in force.
#[derive(Debug, Clone)]
pub struct CurrentRoot(Root);

/// Metadata that the root's keys have signed, that is not older than what was held, has not expired
/// and is what the metadata above it describes.
#[derive(Debug, Clone)]
pub struct Fresh<T>(T);

/// Metadata that the root's keys have signed some time: it may be old, and may have expired.
#[derive(Debug, Clone)]
pub struct Held<T>(T);

/// Which snapshot a verified timestamp names.
#[derive(Debug, Clone)]
pub struct NamedSnapshot(MetaFile);

/// A file that verified targets list.
#[derive(Debug, Clone, Copy)]
pub struct Listed<'a> {
    name: &'a str,
    file: &'a TargetFile,
}

/// The bytes of a file that verified targets list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedFile(Vec<u8>);

/// Why a repository was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TufFault {
    /// Metadata that does not parse.
    #[error(transparent)]
    Format(#[from] TufFormatError),
    /// Another root than the one that was pinned.
    #[error("the root's fingerprint is {found}, not {pinned}")]
    Fingerprint {
        /// What was pinned.
        pinned: Box<Digest>,
        /// What there is.
        found: Box<Digest>,
    },
    /// A root that is not the next one.
    #[error("root version {found} stands where version {expected} must")]
    RootVersion {
        /// The next version.
        expected: u64,
        /// The one found.
        found: u64,
    },
    /// Too few of the role's keys have signed.
    #[error("{role}: {valid} of {needed} keys of root version {root} have signed it")]
    NotSigned {
        /// Which metadata.
        role: Role,
        /// By which root.
        root: u64,
        /// Distinct keys that must.
        needed: usize,
        /// Distinct keys that did.
        valid: usize,
    },
    /// Metadata past its end.
    #[error("{role} version {version} has expired")]
    Expired {
        /// Which metadata.
        role: Role,
        /// Its version.
        version: u64,
        /// Unix seconds since when.
        since: i64,
    },
    /// An older version than one that was seen before.
    #[error("{role} went back from version {held} to {found}")]
    Rollback {
        /// Which metadata.
        role: Role,
        /// What was seen before.
        held: u64,
        /// What there is now.
        found: u64,
    },
    /// Another version than the metadata above it names.
    #[error("{role} has version {found}, where {named} was named")]
    OtherVersion {
        /// Which metadata.
        role: Role,
        /// The version that was named.
        named: u64,
        /// The version found.
        found: u64,
    },
    /// A file of another length than was signed.
    #[error("{name} has {found} bytes, where {signed} were signed")]
    Length {
        /// Which file.
        name: String,
        /// The length that was signed.
        signed: u64,
        /// The length found.
        found: u64,
    },
    /// A file with another digest than was signed.
    #[error("{name} does not have the digest that was signed")]
    Digest {
        /// Which file.
        name: String,
    },
}

impl RootChain {
    /// The root with this fingerprint, the SHA-256 of its file, which its own keys have signed.
    ///
    /// # Errors
    /// [`TufFault::Fingerprint`] before anything is parsed; [`TufFault::Format`] and
    /// [`TufFault::NotSigned`].
    pub fn pinned(json: &[u8], fingerprint: &Digest) -> Result<Self, TufFault> {
        let found = HashAlgorithm::Sha256.digest(json);
        if found != *fingerprint {
            return Err(TufFault::Fingerprint {
                pinned: Box::new(*fingerprint),
                found: Box::new(found),
            });
        }
        let signed = Signed::root(json)?;
        check_signed(&signed.content, Role::Root, &signed)?;
        Ok(Self(signed.content))
    }

    /// The next root (specification 5.3.4 and 5.3.5): exactly one version further, signed by enough
    /// keys of this one and by enough of its own.
    ///
    /// # Errors
    /// [`TufFault::Format`], [`TufFault::RootVersion`], [`TufFault::NotSigned`].
    pub fn step(&self, json: &[u8]) -> Result<Self, TufFault> {
        let signed = Signed::root(json)?;
        let expected = self.next_version();
        if signed.content.version != expected {
            return Err(TufFault::RootVersion { expected, found: signed.content.version });
        }
        check_signed(&self.0, Role::Root, &signed)?;
        check_signed(&signed.content, Role::Root, &signed)?;
        Ok(Self(signed.content))
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.version
    }

    /// The version that follows.
    #[must_use]
    pub fn next_version(&self) -> u64 {
        self.0.version.saturating_add(1)
    }

    /// This root as the newest, at `now` in Unix seconds.
    ///
    /// # Errors
    /// [`TufFault::Expired`].
    pub fn newest(self, now: i64) -> Result<CurrentRoot, TufFault> {
        check_lives(Role::Root, self.0.version, self.0.expires, now)?;
        Ok(CurrentRoot(self.0))
    }
}

impl CurrentRoot {
    /// When it ends, in Unix seconds.
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.0.expires
    }

    /// The timestamp that the repository serves now (specification 5.4).
    ///
    /// # Errors
    /// [`TufFault`]: not signed, older than `held` or naming an older snapshot, or expired.
    pub fn timestamp(
        &self,
        json: &[u8],
        held: Option<&Held<Timestamp>>,
        now: i64,
    ) -> Result<Fresh<Timestamp>, TufFault> {
        let Held(timestamp) = self.held_timestamp(json)?;
        if let Some(Held(held)) = held {
            check_not_older(Role::Timestamp, held.version, timestamp.version)?;
            check_not_older(Role::Snapshot, held.snapshot.version, timestamp.snapshot.version)?;
        }
        check_lives(Role::Timestamp, timestamp.version, timestamp.expires, now)?;
        Ok(Fresh(timestamp))
    }

    /// A timestamp that was held.
    ///
    /// # Errors
    /// [`TufFault::Format`], [`TufFault::NotSigned`]. Where the root has changed the keys since, what
    /// they signed before does not count any more.
    pub fn held_timestamp(&self, json: &[u8]) -> Result<Held<Timestamp>, TufFault> {
        let signed = Signed::timestamp(json)?;
        check_signed(&self.0, Role::Timestamp, &signed)?;
        Ok(Held(signed.content))
    }

    /// The snapshot that a timestamp names (specification 5.5).
    ///
    /// # Errors
    /// [`TufFault`]: not what was named, not signed, naming older targets than `held`, or expired.
    pub fn snapshot(
        &self,
        json: &[u8],
        NamedSnapshot(named): &NamedSnapshot,
        held: Option<&Held<Snapshot>>,
        now: i64,
    ) -> Result<Fresh<Snapshot>, TufFault> {
        check_named(Role::Snapshot, named, json)?;
        let Held(snapshot) = self.held_snapshot(json)?;
        check_version(Role::Snapshot, named.version, snapshot.version)?;
        if let Some(Held(held)) = held {
            check_not_older(Role::Targets, held.targets.version, snapshot.targets.version)?;
        }
        check_lives(Role::Snapshot, snapshot.version, snapshot.expires, now)?;
        Ok(Fresh(snapshot))
    }

    /// A snapshot that was held.
    ///
    /// # Errors
    /// As [`Self::held_timestamp`].
    pub fn held_snapshot(&self, json: &[u8]) -> Result<Held<Snapshot>, TufFault> {
        let signed = Signed::snapshot(json)?;
        check_signed(&self.0, Role::Snapshot, &signed)?;
        Ok(Held(signed.content))
    }

    /// The targets that a snapshot names (specification 5.6).
    ///
    /// # Errors
    /// [`TufFault`]: not what was named, not signed, or expired.
    pub fn targets(
        &self,
        json: &[u8],
        Fresh(snapshot): &Fresh<Snapshot>,
        now: i64,
    ) -> Result<Fresh<Targets>, TufFault> {
        let named = &snapshot.targets;
        check_named(Role::Targets, named, json)?;
        let signed = Signed::targets(json)?;
        check_signed(&self.0, Role::Targets, &signed)?;
        let targets = signed.content;
        check_version(Role::Targets, named.version, targets.version)?;
        check_lives(Role::Targets, targets.version, targets.expires, now)?;
        Ok(Fresh(targets))
    }
}

impl Fresh<Timestamp> {
    /// The snapshot that it names.
    #[must_use]
    pub fn snapshot(&self) -> NamedSnapshot {
        NamedSnapshot(self.0.snapshot.clone())
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.version
    }

    /// When it ends, in Unix seconds.
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.0.expires
    }
}

impl Held<Timestamp> {
    /// The snapshot that was the newest when the repository was last asked. Whoever goes on with it
    /// learns of no change since then, until snapshot, targets or root end.
    #[must_use]
    pub fn last_known_snapshot(&self) -> NamedSnapshot {
        NamedSnapshot(self.0.snapshot.clone())
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.version
    }

    /// When it ends or ended, in Unix seconds.
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.0.expires
    }
}

impl NamedSnapshot {
    /// Its version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.0.version
    }

    /// Its length in bytes, where it is told.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.0.length
    }
}

impl Fresh<Snapshot> {
    /// The version of the targets that it names.
    #[must_use]
    pub fn targets_version(&self) -> u64 {
        self.0.targets.version
    }

    /// Their length in bytes, where it is told.
    #[must_use]
    pub fn targets_length(&self) -> Option<u64> {
        self.0.targets.length
    }

    /// When it ends, in Unix seconds.
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.0.expires
    }
}

impl Fresh<Targets> {
    /// The file with this name, compared byte for byte.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<Listed<'_>> {
        self.0.files.get_key_value(name).map(|(name, file)| Listed { name, file })
    }

    /// When they end, in Unix seconds.
    #[must_use]
    pub fn expires(&self) -> i64 {
        self.0.expires
    }
}

impl Listed<'_> {
    /// Its length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.file.length
    }

    /// The digest that it is named by.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.file.digest
    }

    /// Its bytes, when they are the ones that were signed.
    ///
    /// # Errors
    /// [`TufFault::Length`], [`TufFault::Digest`].
    pub fn check(&self, bytes: &[u8]) -> Result<VerifiedFile, TufFault> {
        check_bytes(self.name, Some(self.file.length), &self.file.hashes, bytes)?;
        Ok(VerifiedFile(bytes.to_vec()))
    }
}

impl VerifiedFile {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Counts keys, not signatures and not key ids: one key with two ids, or one that signed twice, is
/// one signer (go-tuf GHSA-3633-5h82-39pq, python-tuf CVE-2020-6174). The scheme follows from the
/// key.
fn check_signed<T>(root: &Root, role: Role, signed: &Signed<T>) -> Result<(), TufFault> {
    let keys = root.role(role);
    let mut signers = HashSet::new();
    for signature in &signed.signatures {
        if !keys.key_ids.contains(&signature.key_id) {
            continue;
        }
        let Some(key) = root.keys.get(&signature.key_id) else { continue };
        let scheme = Scheme::for_key(key);
        if verify_message(key, scheme, &signed.payload, &signature.bytes).is_ok() {
            signers.insert(key.spki_der());
        }
    }
    if signers.len() < keys.threshold {
        return Err(TufFault::NotSigned {
            role,
            root: root.version,
            needed: keys.threshold,
            valid: signers.len(),
        });
    }
    Ok(())
}

/// The second of `expires` is past the end (specification 5.3.10: "expires" is not before now).
fn check_lives(role: Role, version: u64, expires: i64, now: i64) -> Result<(), TufFault> {
    if now >= expires {
        return Err(TufFault::Expired { role, version, since: expires });
    }
    Ok(())
}

fn check_not_older(role: Role, held: u64, found: u64) -> Result<(), TufFault> {
    if found < held {
        return Err(TufFault::Rollback { role, held, found });
    }
    Ok(())
}

fn check_version(role: Role, named: u64, found: u64) -> Result<(), TufFault> {
    if found != named {
        return Err(TufFault::OtherVersion { role, named, found });
    }
    Ok(())
}

fn check_named(role: Role, named: &MetaFile, json: &[u8]) -> Result<(), TufFault> {
    check_bytes(&format!("{role}.json"), named.length, &named.hashes, json)
}

fn check_bytes(
    name: &str,
    length: Option<u64>,
    hashes: &[Digest],
    bytes: &[u8],
) -> Result<(), TufFault> {
    let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if let Some(signed) = length.filter(|signed| *signed != found) {
        return Err(TufFault::Length { name: name.to_owned(), signed, found });
    }
    for digest in hashes {
        if digest.algorithm().digest(bytes) != *digest {
            return Err(TufFault::Digest { name: name.to_owned() });
        }
    }
    Ok(())
}

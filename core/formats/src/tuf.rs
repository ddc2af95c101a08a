//! Metadata of The Update Framework (TUF specification 1.0), as far as a repository of trust roots
//! needs it: the four top-level roles. Delegations are neither read nor followed.
//!
//! Reading is not believing: a [`Signed`] holds what was signed and the signatures, and whether
//! they count is judged by `verify`.

mod canonical;
mod wire;

use std::collections::BTreeMap;
use std::fmt;

use thiserror::Error;

use crate::digest::Digest;
use crate::json::JsonError;
use crate::key::PublicKey;

/// A top-level role of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Says which keys the roles have.
    Root,
    /// Says which snapshot is the newest.
    Timestamp,
    /// Says which metadata belongs together.
    Snapshot,
    /// Says which files there are.
    Targets,
}

/// Metadata as it stands in a file: what was signed, read; the bytes that signatures are over; and
/// the signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<T> {
    /// What was signed, to be believed once the signatures are verified.
    pub content: T,
    /// The canonical JSON that the signatures are over.
    pub payload: Vec<u8>,
    /// The signatures, in the order of the file; none of them verified.
    pub signatures: Vec<Signature>,
}

/// A signature, not verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// Which key of the root claims to have made it.
    pub key_id: String,
    /// Its bytes: ECDSA in DER, Ed25519 raw. Empty where a signer has not signed yet.
    pub bytes: Vec<u8>,
}

/// `root.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root {
    /// From one.
    pub version: u64,
    /// Unix seconds from which on it must not be used.
    pub expires: i64,
    /// The keys by the ids that the file gives them. Keys of a kind that is not understood are left
    /// out.
    pub keys: BTreeMap<String, PublicKey>,
    roles: [RoleKeys; 4],
}

/// The keys of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleKeys {
    /// Their ids.
    pub key_ids: Vec<String>,
    /// How many of them must sign: at least one, and at most as many as there are.
    pub threshold: usize,
}

/// `timestamp.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timestamp {
    /// From one.
    pub version: u64,
    /// Unix seconds from which on it must not be used.
    pub expires: i64,
    /// The newest snapshot.
    pub snapshot: MetaFile,
}

/// `snapshot.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// From one.
    pub version: u64,
    /// Unix seconds from which on it must not be used.
    pub expires: i64,
    /// The top-level targets metadata that belongs to it.
    pub targets: MetaFile,
}

/// `targets.json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets {
    /// From one.
    pub version: u64,
    /// Unix seconds from which on it must not be used.
    pub expires: i64,
    /// The files by their names. A name is compared with the names that we look for, and is never a
    /// path or a part of one.
    pub files: BTreeMap<String, TargetFile>,
}

/// Another metadata file, as timestamp and snapshot describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaFile {
    /// Its version.
    pub version: u64,
    /// Its size in bytes, where it is told.
    pub length: Option<u64>,
    /// Its digests, where they are told: then at least one, all SHA-256 or SHA-512.
    pub hashes: Vec<Digest>,
}

/// A file that the repository vouches for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetFile {
    /// Its size in bytes.
    pub length: u64,
    /// The digest that it is named by: SHA-256 where it has one, else SHA-512.
    pub digest: Digest,
    /// All its digests that count, that one among them.
    pub hashes: Vec<Digest>,
}

/// Why metadata was refused before any signature was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TufFormatError {
    /// Not strict JSON of the expected shape.
    #[error("{role}: {fault}")]
    Json {
        /// Which metadata.
        role: Role,
        /// What was wrong.
        fault: JsonError,
    },
    /// Metadata of another role.
    #[error("{role}: its _type is {found:?}")]
    OtherType {
        /// Which metadata was expected.
        role: Role,
        /// What it calls itself.
        found: String,
    },
    /// A specification that is not 1.x.
    #[error("{role}: specification version {found:?} is not 1.x")]
    SpecVersion {
        /// Which metadata.
        role: Role,
        /// What it says.
        found: String,
    },
    /// Version zero.
    #[error("{role}: a version is zero")]
    VersionZero {
        /// Which metadata.
        role: Role,
    },
    /// `expires` is not UTC in whole seconds, `2030-01-02T03:04:05Z`.
    #[error("{role}: {text:?} is not a time of the form 2030-01-02T03:04:05Z")]
    Expires {
        /// Which metadata.
        role: Role,
        /// What it says.
        text: String,
    },
    /// A number with a fraction, which has no canonical form.
    #[error("{role}: a number has a fraction or an exponent")]
    Fraction {
        /// Which metadata.
        role: Role,
    },
    /// More signatures than [`MAX_SIGNATURES`].
    #[error("{role}: {count} signatures exceed {MAX_SIGNATURES}")]
    TooManySignatures {
        /// Which metadata.
        role: Role,
        /// How many there were.
        count: usize,
    },
    /// A signature that is not lower-case hexadecimal.
    #[error("{role}: a signature is not hexadecimal")]
    SignatureNotHex {
        /// Which metadata.
        role: Role,
    },
    /// More keys than [`MAX_KEYS`].
    #[error("root: {count} keys exceed {MAX_KEYS}")]
    TooManyKeys {
        /// How many there were.
        count: usize,
    },
    /// A role without a place in `roles`.
    #[error("root: names no keys for {role}")]
    NoRole {
        /// The role.
        role: Role,
    },
    /// A threshold below one, or above the number of the role's keys.
    #[error("root: the threshold {threshold} of {role} is not between 1 and its {keys} keys")]
    Threshold {
        /// The role.
        role: Role,
        /// The threshold.
        threshold: i64,
        /// How many keys the role has.
        keys: usize,
    },
    /// One key named twice for a role.
    #[error("root: {role} names a key twice")]
    KeyTwice {
        /// The role.
        role: Role,
    },
    /// `consistent_snapshot` is not true: without it, files change under their names.
    #[error("root: consistent_snapshot is not true")]
    NotConsistent,
    /// No entry for the metadata that this one is there to describe.
    #[error("{role}: describes no {wanted}.json")]
    NotDescribed {
        /// Which metadata.
        role: Role,
        /// Which other it does not describe.
        wanted: Role,
    },
    /// `hashes` that are there and hold neither SHA-256 nor SHA-512.
    #[error("{role}: the hashes of {file:?} hold neither sha256 nor sha512")]
    NoStrongHash {
        /// Which metadata.
        role: Role,
        /// The file.
        file: String,
    },
    /// A digest of the wrong length, or not lower-case hexadecimal.
    #[error("{role}: a hash of {file:?} is not one")]
    Hash {
        /// Which metadata.
        role: Role,
        /// The file.
        file: String,
    },
    /// More files than [`MAX_TARGETS`].
    #[error("targets: {count} files exceed {MAX_TARGETS}")]
    TooManyTargets {
        /// How many there were.
        count: usize,
    },
}

impl Root {
    /// The keys of a role.
    #[must_use]
    pub fn role(&self, role: Role) -> &RoleKeys {
        let [root, timestamp, snapshot, targets] = &self.roles;
        match role {
            Role::Root => root,
            Role::Timestamp => timestamp,
            Role::Snapshot => snapshot,
            Role::Targets => targets,
        }
    }
}

impl Signed<Root> {
    /// Reads `root.json`, at most [`MAX_ROOT_BYTES`].
    ///
    /// # Errors
    /// See [`TufFormatError`].
    pub fn root(json: &[u8]) -> Result<Self, TufFormatError> {
        wire::root(json)
    }
}

impl Signed<Timestamp> {
    /// Reads `timestamp.json`, at most [`MAX_TIMESTAMP_BYTES`].
    ///
    /// # Errors
    /// See [`TufFormatError`].
    pub fn timestamp(json: &[u8]) -> Result<Self, TufFormatError> {
        wire::timestamp(json)
    }
}

impl Signed<Snapshot> {
    /// Reads `snapshot.json`, at most [`MAX_SNAPSHOT_BYTES`].
    ///
    /// # Errors
    /// See [`TufFormatError`].
    pub fn snapshot(json: &[u8]) -> Result<Self, TufFormatError> {
        wire::snapshot(json)
    }
}

impl Signed<Targets> {
    /// Reads `targets.json`, at most [`MAX_TARGETS_BYTES`].
    ///
    /// # Errors
    /// See [`TufFormatError`].
    pub fn targets(json: &[u8]) -> Result<Self, TufFormatError> {
        wire::targets(json)
    }
}

impl Role {
    /// All of them, in the order in which a client reads them.
    pub const ALL: [Self; 4] = [Self::Root, Self::Timestamp, Self::Snapshot, Self::Targets];

    /// The name in metadata.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Timestamp => "timestamp",
            Self::Snapshot => "snapshot",
            Self::Targets => "targets",
        }
    }
}

/// The name in metadata.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Largest `root.json`, in bytes.
pub const MAX_ROOT_BYTES: usize = 512 * 1024;
/// Largest `timestamp.json`, in bytes.
pub const MAX_TIMESTAMP_BYTES: usize = 16 * 1024;
/// Largest `snapshot.json`, in bytes.
pub const MAX_SNAPSHOT_BYTES: usize = 1024 * 1024;
/// Largest `targets.json`, in bytes.
pub const MAX_TARGETS_BYTES: usize = 4 * 1024 * 1024;
/// Most signatures in one file.
pub const MAX_SIGNATURES: usize = 64;
/// Most keys in a root.
pub const MAX_KEYS: usize = 64;
/// Most files in `targets.json`.
pub const MAX_TARGETS: usize = 4096;

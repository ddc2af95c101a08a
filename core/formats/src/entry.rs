//! Bodies of transparency log entries, as a closed list of kinds and versions.
//!
//! A body is a Merkle leaf: its bytes are judged as they are, and never encoded anew before they
//! are hashed.

mod hashedrekord2;
mod rekor1;

use serde::Deserialize;
use serde::de::IgnoredAny;
use thiserror::Error;

use crate::digest::DigestError;
use crate::json::{self, JsonError};

pub use hashedrekord2::HashedRekord002;
pub use rekor1::{Dsse001, HashedRekord001, Intoto002};

/// A log body that we read. What it says is a claim until it is bound to a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryBody {
    /// Rekor v1 `hashedrekord` 0.0.1.
    HashedRekord001(HashedRekord001),
    /// Rekor v2 `hashedrekord` 0.0.2.
    HashedRekord002(HashedRekord002),
    /// Rekor v1 `dsse` 0.0.1.
    Dsse001(Dsse001),
    /// Rekor v1 `intoto` 0.0.2.
    Intoto002(Intoto002),
}

/// What a log entry says its signature verifies with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryVerifier {
    /// A certificate, in DER. Not parsed: it is compared with the bundle's, byte by byte.
    Certificate(Vec<u8>),
    /// A SubjectPublicKeyInfo, in DER. Not parsed, for the same reason.
    PublicKey(Vec<u8>),
}

/// Why a log body was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EntryError {
    /// The body is larger than any log stores.
    #[error("log body: {bytes} bytes, more than {limit}")]
    TooLarge {
        /// Its size in bytes.
        bytes: usize,
        /// The largest allowed, in bytes.
        limit: usize,
    },
    /// Not strict JSON, or a member is missing, unknown or of the wrong type.
    #[error("log body: {0}")]
    Json(#[from] JsonError),
    /// The body is of another kind or version than `kindVersion` states.
    #[error("log body is {found_kind:?} {found_version:?}, kindVersion says otherwise")]
    KindMismatch {
        /// `kind` of the body.
        found_kind: String,
        /// `apiVersion` of the body.
        found_version: String,
    },
    /// A kind or version that we do not read.
    #[error("log entry of unknown kind {kind:?} {version:?}")]
    UnknownKind {
        /// The kind.
        kind: String,
        /// The version.
        version: String,
    },
    /// `dsse` 0.0.2, which Rekor v2 once took and now refuses; it has no verifier in sigstore-go.
    #[error("log entry of the withdrawn kind dsse 0.0.2")]
    DsseV002Refused,
    /// A member is not canonical standard base64.
    #[error("log body: {field} is not canonical base64")]
    Base64 {
        /// The member.
        field: &'static str,
    },
    /// A hash algorithm that we do not know, or that this member does not allow.
    #[error("log body: {field} has the unknown algorithm {name:?}")]
    UnknownAlgorithm {
        /// The member.
        field: &'static str,
        /// The name that was found.
        name: String,
    },
    /// A digest does not fit its algorithm.
    #[error("log body: {field}: {fault}")]
    Digest {
        /// The member.
        field: &'static str,
        /// What was wrong with it.
        fault: DigestError,
    },
    /// `keyDetails` names no algorithm that we know.
    #[error("log body: unknown keyDetails {name:?}")]
    UnknownKeyDetails {
        /// The name that was found.
        name: String,
    },
    /// Neither a certificate nor a public key.
    #[error("log body: no verifier")]
    NoVerifier,
    /// Both a certificate and a public key.
    #[error("log body: two verifiers, a certificate and a public key")]
    TwoVerifiers,
    /// A verifier is not exactly one PEM block (RFC 7468, 64 columns, line feeds, one at the end)
    /// of a certificate or public key.
    #[error("log body: {field} is not one canonical PEM certificate or public key")]
    Pem {
        /// The member.
        field: &'static str,
    },
    /// The list of signatures is empty.
    #[error("log body: no signature")]
    NoSignatures,
    /// The list of signatures is too long.
    #[error("log body: {count} signatures, more than {limit}")]
    TooManySignatures {
        /// How many there were.
        count: usize,
        /// The most allowed.
        limit: usize,
    },
    /// A signature without bytes.
    #[error("log body: {field} is empty")]
    EmptySignature {
        /// The member.
        field: &'static str,
    },
    /// The bytes are not the RFC 8785 form of what they say.
    #[error("log body is not canonical JSON")]
    NotCanonical,
}

/// Reads a body that an entry's `kindVersion` says is of this kind and version.
///
/// # Errors
/// [`EntryError`], by cause. Kinds and versions off the list are refused, never passed over.
pub fn parse(kind: &str, version: &str, body: &[u8]) -> Result<EntryBody, EntryError> {
    let read = match (kind, version) {
        ("hashedrekord", "0.0.1") => rekor1::hashedrekord,
        ("hashedrekord", "0.0.2") => hashedrekord2::parse,
        ("dsse", "0.0.1") => rekor1::dsse,
        ("intoto", "0.0.2") => rekor1::intoto,
        ("dsse", "0.0.2") => return Err(EntryError::DsseV002Refused),
        _ => {
            return Err(EntryError::UnknownKind {
                kind: kind.to_owned(),
                version: version.to_owned(),
            });
        }
    };
    if body.len() > MAX_BODY {
        return Err(EntryError::TooLarge { bytes: body.len(), limit: MAX_BODY });
    }
    let header: Header = json::from_slice_capped(body, MAX_BODY)?;
    if header.kind != kind || header.api_version != version {
        return Err(EntryError::KindMismatch {
            found_kind: header.kind,
            found_version: header.api_version,
        });
    }
    read(body)
}

impl EntryBody {
    /// The `kind` and `version` that an entry with this body states.
    #[must_use]
    pub fn kind_version(&self) -> (&'static str, &'static str) {
        match self {
            Self::HashedRekord001(_) => ("hashedrekord", "0.0.1"),
            Self::HashedRekord002(_) => ("hashedrekord", "0.0.2"),
            Self::Dsse001(_) => ("dsse", "0.0.1"),
            Self::Intoto002(_) => ("intoto", "0.0.2"),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Header {
    api_version: String,
    kind: String,
    #[serde(rename = "spec")]
    _spec: IgnoredAny,
}

/// A whole body, once its header is known to fit `S`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Whole<S> {
    #[serde(rename = "apiVersion")]
    _api_version: IgnoredAny,
    #[serde(rename = "kind")]
    _kind: IgnoredAny,
    spec: S,
}

fn spec<'a, S: Deserialize<'a>>(body: &'a [u8]) -> Result<S, EntryError> {
    Ok(json::from_slice_capped::<Whole<S>>(body, MAX_BODY)?.spec)
}

/// Largest body we read, in bytes. Rekor v2 stores at most 65,535 (the entry bundle's `u16`); a
/// v1 `intoto` body with several certificates can be larger.
const MAX_BODY: usize = 1 << 20;

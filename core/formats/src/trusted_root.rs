//! Trust roots: the keys and chains that verdicts rest on (protobuf-specs
//! `sigstore_trustroot.proto`, proto3 JSON).

mod wire;

pub(crate) mod window;

use std::collections::HashMap;

use thiserror::Error;

use crate::bundle::wire::{TooMany, to_json};
use crate::certificate::{Certificate, CertificateError};
use crate::json::{self, JsonError};
use crate::key::{KeyDetails, KeyError, PublicKey};
use crate::limits::MAX_TRUSTED_ROOT_BYTES;

pub use window::{Window, WindowError};

pub(crate) use wire::WireTrustedRoot;

/// Everything that is trusted, parsed on load.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrustedRoot {
    /// Transparency logs for signatures.
    pub logs: Vec<TransparencyLog>,
    /// Certificate Transparency logs.
    pub ct_logs: Vec<TransparencyLog>,
    /// Authorities that issue signing certificates.
    pub authorities: Vec<CertificateAuthority>,
    /// Authorities that issue timestamps.
    pub timestamp_authorities: Vec<CertificateAuthority>,
    /// Logs that were left out because their keys can't be used. What needs one of them fails;
    /// this says why.
    pub skipped: Vec<SkippedLog>,
}

/// A log and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransparencyLog {
    /// The URL of the log; its host name is the origin of a Rekor v2 log's checkpoints.
    pub base_url: String,
    /// The key that signs the log's checkpoints, promises or SCTs.
    pub key: PublicKey,
    /// The algorithm the key is used with; fits the key.
    pub key_details: KeyDetails,
    /// When the key is trusted.
    pub window: Window,
    /// The ID of the log's key as the trust root states it.
    pub log_id: [u8; 32],
    /// The key ID that checkpoints carry, where stated apart: its first four bytes, or all 32.
    pub checkpoint_key_id: Option<Vec<u8>>,
    /// Who runs the log; empty when not stated.
    pub operator: String,
}

/// A certificate authority or timestamp authority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateAuthority {
    /// Its URI; empty when not stated.
    pub uri: String,
    /// The organization of its subject, for people.
    pub subject_org: String,
    /// The common name of its subject, for people.
    pub subject_cn: String,
    /// Its certificates, leaf side first and anchor last; at least one. A timestamp authority's
    /// signing certificate comes first.
    pub chain: Vec<Certificate>,
    /// When it is trusted, beside its certificates' own validity.
    pub window: Window,
    /// Who runs it; empty when not stated.
    pub operator: String,
}

/// A log that was left out of a trust root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedLog {
    /// The list it was in, `tlogs` or `ctlogs`.
    pub list: &'static str,
    /// Its URL.
    pub base_url: String,
    /// The ID of its key.
    pub log_id: [u8; 32],
    /// Why its key can't be used.
    pub reason: SkipReason,
}

/// Why a log's key can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SkipReason {
    /// `keyDetails` names no algorithm that we know.
    #[error("unknown keyDetails {name:?}")]
    UnknownKeyDetails {
        /// The name that was found.
        name: String,
    },
    /// The key does not parse, or is of a kind we do not use.
    #[error("unusable key: {0}")]
    Key(#[from] KeyError),
    /// The key is not of the kind that `keyDetails` names.
    #[error("the key is not of the kind that its keyDetails name")]
    KeyDetailsMismatch,
}

/// Why a trust root was refused as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TrustedRootError {
    /// Not strict JSON of the expected shape. Unknown members are among the causes.
    #[error("trust root: {0}")]
    Json(#[from] JsonError),
    /// `mediaType` is not [`TRUSTED_ROOT_MEDIA_TYPE`].
    #[error("trust root: unknown mediaType {found:?}")]
    UnknownMediaType {
        /// The media type.
        found: String,
    },
    /// A list is longer than any real trust root's.
    #[error("trust root: {count} {list}, more than {limit}")]
    TooMany {
        /// The list.
        list: &'static str,
        /// How many items there were.
        count: usize,
        /// The most allowed.
        limit: usize,
    },
    /// A `validFor` is unusable; most often, it has no start.
    #[error("trust root: {list}[{index}].validFor: {fault}")]
    Window {
        /// The list.
        list: &'static str,
        /// The place in the list, from 0.
        index: usize,
        /// What was wrong.
        fault: WindowError,
    },
    /// A member is not base64 in its one accepted spelling.
    #[error("trust root: {list}[{index}]: {field} is not canonical base64")]
    Base64 {
        /// The list.
        list: &'static str,
        /// The place in the list, from 0.
        index: usize,
        /// The member.
        field: &'static str,
    },
    /// `hashAlgorithm` of a log is not SHA2_256, the only hash of its Merkle tree.
    #[error("trust root: {list}[{index}]: hashAlgorithm is {found:?}, not SHA2_256")]
    HashAlgorithm {
        /// The list.
        list: &'static str,
        /// The place in the list, from 0.
        index: usize,
        /// The name that was found.
        found: String,
    },
    /// A log without `publicKey`.
    #[error("trust root: {list}[{index}] has no publicKey")]
    NoPublicKey {
        /// The list.
        list: &'static str,
        /// The place in the list, from 0.
        index: usize,
    },
    /// A `logId` is not 32 bytes.
    #[error("trust root: {list}[{index}]: logId has {bytes} bytes, not 32")]
    LogIdLength {
        /// The list.
        list: &'static str,
        /// The place in the list, from 0.
        index: usize,
        /// How many bytes there were; 0 when it is absent.
        bytes: usize,
    },
    /// Two logs of one list have one `logId` and different keys, so that the ID selects neither.
    #[error("trust root: {list}[{index}] has the logId of an earlier log, but another key")]
    LogIdClash {
        /// The list.
        list: &'static str,
        /// The place of the later of the two, from 0.
        index: usize,
    },
    /// An authority without certificates.
    #[error("trust root: {list}[{index}] has no certificates")]
    EmptyChain {
        /// The list.
        list: &'static str,
        /// The place in the list, from 0.
        index: usize,
    },
    /// An authority's certificate does not parse.
    #[error("trust root: {list}[{index}]: certificate {certificate}: {fault}")]
    Certificate {
        /// The list.
        list: &'static str,
        /// The place in the list, from 0.
        index: usize,
        /// The place in the chain, from 0.
        certificate: usize,
        /// What was wrong with it.
        fault: CertificateError,
    },
}

impl TrustedRoot {
    /// Reads the JSON of a trust root. A log whose key can't be used is left out and listed in
    /// [`TrustedRoot::skipped`]; any other fault refuses the whole.
    ///
    /// # Errors
    /// [`TrustedRootError`], by cause.
    pub fn from_json(bytes: &[u8]) -> Result<Self, TrustedRootError> {
        json::from_slice_capped::<WireTrustedRoot>(bytes, MAX_TRUSTED_ROOT_BYTES)?.try_into()
    }

    /// The JSON of this trust root, compact. Every `validFor` has its start; `checkpointKeyId` is
    /// written with 32 bytes or not at all; skipped logs are left out.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(&WireTrustedRoot::from(self))
    }
}

impl TryFrom<WireTrustedRoot> for TrustedRoot {
    type Error = TrustedRootError;

    fn try_from(wire: WireTrustedRoot) -> Result<Self, TrustedRootError> {
        if wire.media_type != TRUSTED_ROOT_MEDIA_TYPE {
            return Err(TrustedRootError::UnknownMediaType { found: wire.media_type });
        }
        let mut skipped = Vec::new();
        Ok(Self {
            logs: logs("tlogs", wire.tlogs, &mut skipped)?,
            ct_logs: logs("ctlogs", wire.ctlogs, &mut skipped)?,
            authorities: authorities("certificateAuthorities", wire.certificate_authorities)?,
            timestamp_authorities: authorities("timestampAuthorities", wire.timestamp_authorities)?,
            skipped,
        })
    }
}

fn logs(
    list: &'static str,
    wire: wire::Logs,
    skipped: &mut Vec<SkippedLog>,
) -> Result<Vec<TransparencyLog>, TrustedRootError> {
    let mut usable = Vec::new();
    let mut key_of = HashMap::new();
    for (index, log) in all(list, wire)?.into_iter().enumerate() {
        let place = wire::Place { list, index };
        let log = log.strict(place)?;
        if let Some(earlier) = key_of.insert(log.log_id, log.spki_der.clone())
            && earlier != log.spki_der
        {
            return Err(TrustedRootError::LogIdClash { list, index });
        }
        match log.usable() {
            Ok(log) => usable.push(log),
            Err(reason) => skipped.push(SkippedLog {
                list,
                base_url: log.base_url,
                log_id: log.log_id,
                reason,
            }),
        }
    }
    Ok(usable)
}

fn authorities(
    list: &'static str,
    wire: wire::Authorities,
) -> Result<Vec<CertificateAuthority>, TrustedRootError> {
    all(list, wire)?
        .into_iter()
        .enumerate()
        .map(|(index, authority)| authority.strict(wire::Place { list, index }))
        .collect()
}

fn all<T, const N: usize>(
    list: &'static str,
    items: crate::bundle::wire::Capped<T, N>,
) -> Result<Vec<T>, TrustedRootError> {
    items.into_all().map_err(|TooMany { count, limit }| TrustedRootError::TooMany {
        list,
        count,
        limit,
    })
}

/// The media type that every released client reads; newer ones are refused by most.
pub const TRUSTED_ROOT_MEDIA_TYPE: &str =
    "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

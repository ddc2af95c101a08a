//! Sigstore bundles: everything a verdict needs about one signature, read once into a strict
//! form (protobuf-specs `sigstore_bundle.proto`, proto3 JSON).

mod legacy;
mod log_entry;
mod write;

pub(crate) mod wire;

use thiserror::Error;

use crate::certificate::{Certificate, CertificateError};
use crate::digest::{Digest, DigestError, HashAlgorithm};
use crate::dsse::{DsseError, Envelope};
use crate::entry::EntryError;
use crate::json::{self, JsonError};
use crate::limits::MAX_BUNDLE_BYTES;

pub use log_entry::{InclusionProof, LogEntry, parse_log_entry};

use wire::{IntFault, TooMany, WireBundle, WireInt, WireMaterial, WireMessage};

/// A bundle. Nothing in it is trusted; all of it has its right form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The version of the format. It decides how the bundle is read, never what is verified.
    pub version: BundleVersion,
    /// What the signature verifies with.
    pub material: Material,
    /// What was signed.
    pub content: Content,
    /// Transparency log entries. May be empty: that verification needs one is not a matter of
    /// form.
    pub entries: Vec<LogEntry>,
    /// RFC 3161 TimeStampResp, each in DER and not yet parsed; none is empty.
    pub timestamps: Vec<Vec<u8>>,
}

/// The versions of the bundle format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum BundleVersion {
    /// v0.1: a certificate chain, a promise of inclusion, perhaps a proof.
    V01,
    /// v0.2: a certificate chain, a proof of inclusion.
    V02,
    /// v0.3: one certificate, a proof of inclusion.
    V03,
}

/// What a bundle's signature verifies with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "a bundle has one, and most have the large one")]
pub enum Material {
    /// The signer's certificate.
    Certificate(Certificate),
    /// The signer's certificate first, then others that are never trusted; at least one. Only in
    /// v0.1 and v0.2.
    Chain(Vec<Certificate>),
    /// A key known to the verifier.
    PublicKey {
        /// A hint at which key; often the base64 of the SHA-256 of its SubjectPublicKeyInfo.
        hint: String,
    },
}

/// What was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// An artifact that is not in the bundle.
    Message {
        /// The digest the signer states; a hint that never stands in for hashing the artifact.
        digest: Option<Digest>,
        /// The signature, in the encoding of the key's algorithm; not empty.
        signature: Vec<u8>,
    },
    /// An envelope with its payload.
    Dsse(Envelope),
}

/// Why a bundle or log entry was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BundleError {
    /// Not strict JSON of the expected shape. Unknown members are among the causes.
    #[error("bundle: {0}")]
    Json(#[from] JsonError),
    /// `mediaType` is not that of a version we read.
    #[error("bundle: unknown mediaType {found:?}")]
    UnknownMediaType {
        /// The media type.
        found: String,
    },
    /// `verificationMaterial` is absent, or holds neither certificate, chain nor key.
    #[error("bundle: no certificate and no public key")]
    NoMaterial,
    /// More than one of certificate, chain and key.
    #[error("bundle: more than one of certificate, x509CertificateChain and publicKey")]
    SeveralMaterials,
    /// `x509CertificateChain` in v0.3, which has one certificate alone.
    #[error("bundle: a certificate chain in v0.3")]
    ChainInV03,
    /// `certificate` in v0.1 or v0.2, which have a chain.
    #[error("bundle: a lone certificate before v0.3")]
    CertificateBeforeV03,
    /// `x509CertificateChain` without certificates.
    #[error("bundle: the certificate chain is empty")]
    EmptyChain,
    /// A certificate does not parse.
    #[error("bundle: certificate {index}: {fault}")]
    Certificate {
        /// Its place in the chain, from 0.
        index: usize,
        /// What was wrong with it.
        fault: CertificateError,
    },
    /// Neither `messageSignature` nor `dsseEnvelope`.
    #[error("bundle: neither messageSignature nor dsseEnvelope")]
    NoContent,
    /// Both `messageSignature` and `dsseEnvelope`.
    #[error("bundle: both messageSignature and dsseEnvelope")]
    TwoContents,
    /// The message signature has no bytes.
    #[error("bundle: messageSignature.signature is empty")]
    EmptySignature,
    /// `messageDigest.algorithm` is not one that we know.
    #[error("bundle: unknown messageDigest.algorithm {name:?}")]
    UnknownDigestAlgorithm {
        /// The name that was found.
        name: String,
    },
    /// `messageDigest.digest` does not fit its algorithm.
    #[error("bundle: messageDigest: {0}")]
    MessageDigest(DigestError),
    /// The envelope was refused, for example for not having exactly one signature.
    #[error("bundle: {0}")]
    Dsse(#[from] DsseError),
    /// A member is not base64 in its one accepted spelling.
    #[error("bundle: {field} is not canonical base64")]
    Base64 {
        /// The member.
        field: &'static str,
    },
    /// An integer is below zero.
    #[error("bundle: {field} is negative")]
    NegativeInteger {
        /// The member.
        field: &'static str,
    },
    /// An integer is not plain decimal.
    #[error("bundle: {field} is not a plain decimal integer")]
    NotDecimal {
        /// The member.
        field: &'static str,
    },
    /// An integer does not fit an `int64`.
    #[error("bundle: {field} is larger than an int64")]
    IntegerTooLarge {
        /// The member.
        field: &'static str,
    },
    /// A list is longer than its cap.
    #[error("bundle: {count} {field}, more than {limit}")]
    TooMany {
        /// The member.
        field: &'static str,
        /// How many items there were.
        count: usize,
        /// The most allowed.
        limit: usize,
    },
    /// A timestamp without bytes.
    #[error("bundle: timestamp {index} is empty")]
    EmptyTimestamp {
        /// Its place in the list, from 0.
        index: usize,
    },
    /// `logId` is not the 32 bytes of a log's key ID.
    #[error("log entry: logId has {bytes} bytes, not 32")]
    LogIdLength {
        /// How many bytes there were; 0 when it is absent.
        bytes: usize,
    },
    /// `kindVersion` is absent.
    #[error("log entry: no kindVersion")]
    NoKindVersion,
    /// `canonicalizedBody` is absent or empty.
    #[error("log entry: no canonicalizedBody")]
    NoBody,
    /// The body was refused, for example for being of another kind than `kindVersion` states.
    #[error("log entry: {0}")]
    Body(#[from] EntryError),
    /// `inclusionPromise` is there, but has no bytes.
    #[error("log entry: the inclusion promise is empty")]
    EmptyPromise,
    /// A v0.1 entry without `inclusionPromise`.
    #[error("log entry: no inclusion promise, which bundle v0.1 needs")]
    NoPromise,
    /// An entry of v0.2 or later without `inclusionProof`.
    #[error("log entry: no inclusion proof")]
    NoProof,
    /// An inclusion proof without `checkpoint`, which proves nothing.
    #[error("log entry: the inclusion proof has no checkpoint")]
    NoCheckpoint,
    /// A Merkle hash is not 32 bytes.
    #[error("log entry: {field} has {bytes} bytes, not 32")]
    HashLength {
        /// The member.
        field: &'static str,
        /// How many bytes there were.
        bytes: usize,
    },
}

impl Bundle {
    /// Reads the JSON of a bundle of any known version.
    ///
    /// # Errors
    /// [`BundleError`], by cause.
    pub fn from_json(bytes: &[u8]) -> Result<Self, BundleError> {
        let wire: WireBundle = json::from_slice_capped(bytes, MAX_BUNDLE_BYTES)?;
        let version = BundleVersion::from_media_type(&wire.media_type)
            .ok_or(BundleError::UnknownMediaType { found: wire.media_type })?;
        let mut evidence = wire.verification_material.ok_or(BundleError::NoMaterial)?;
        let entries = all("tlogEntries", std::mem::take(&mut evidence.tlog_entries))?
            .into_iter()
            .map(|entry| {
                let entry = LogEntry::try_from(entry)?;
                legacy::check_entry(version, &entry)?;
                Ok(entry)
            })
            .collect::<Result<_, BundleError>>()?;
        let timestamps = timestamps(&mut evidence)?;
        let material = material(evidence)?;
        legacy::check_material(version, &material)?;
        let content = match (wire.message_signature, wire.dsse_envelope) {
            (Some(message), None) => message_content(message)?,
            (None, Some(envelope)) => Content::Dsse(envelope.try_into()?),
            (None, None) => return Err(BundleError::NoContent),
            (Some(_), Some(_)) => return Err(BundleError::TwoContents),
        };
        Ok(Self { version, material, content, entries, timestamps })
    }

    /// The JSON of this bundle, in its own version and compact. `logIndex`, `treeSize` and lists
    /// are written even when zero or empty; what is `None` is left out.
    #[must_use]
    pub fn to_json(&self) -> String {
        write::bundle(self)
    }

    /// The signer's certificate, unless a bare key signed.
    #[must_use]
    pub fn leaf(&self) -> Option<&Certificate> {
        match &self.material {
            Material::Certificate(certificate) => Some(certificate),
            Material::Chain(chain) => chain.first(),
            Material::PublicKey { .. } => None,
        }
    }

    /// The bytes of the one signature, over the message or the envelope.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        match &self.content {
            Content::Message { signature, .. } => signature,
            Content::Dsse(envelope) => &envelope.signature,
        }
    }
}

impl BundleVersion {
    /// The version with this media type, of which v0.3 has two.
    #[must_use]
    pub fn from_media_type(media_type: &str) -> Option<Self> {
        match media_type {
            MEDIA_TYPE_V01 => Some(Self::V01),
            MEDIA_TYPE_V02 => Some(Self::V02),
            MEDIA_TYPE_V03 | MEDIA_TYPE_V03_PARAMETER => Some(Self::V03),
            _ => None,
        }
    }

    /// The media type that is written.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::V01 => MEDIA_TYPE_V01,
            Self::V02 => MEDIA_TYPE_V02,
            Self::V03 => MEDIA_TYPE_V03,
        }
    }
}

fn material(evidence: WireMaterial) -> Result<Material, BundleError> {
    match (evidence.certificate, evidence.x509_certificate_chain, evidence.public_key) {
        (Some(one), None, None) => Ok(Material::Certificate(certificate(0, &one.raw_bytes)?)),
        (None, Some(chain), None) => {
            let chain = all("certificates", chain.certificates)?;
            if chain.is_empty() {
                return Err(BundleError::EmptyChain);
            }
            let parsed = chain.iter().enumerate().map(|(i, one)| certificate(i, &one.raw_bytes));
            Ok(Material::Chain(parsed.collect::<Result<_, _>>()?))
        }
        (None, None, Some(key)) => Ok(Material::PublicKey { hint: key.hint }),
        (None, None, None) => Err(BundleError::NoMaterial),
        _ => Err(BundleError::SeveralMaterials),
    }
}

fn certificate(index: usize, raw_bytes: &str) -> Result<Certificate, BundleError> {
    let der = base64("certificate.rawBytes", raw_bytes)?;
    Certificate::from_der(&der).map_err(|fault| BundleError::Certificate { index, fault })
}

fn timestamps(evidence: &mut WireMaterial) -> Result<Vec<Vec<u8>>, BundleError> {
    let Some(data) = evidence.timestamp_verification_data.take() else { return Ok(Vec::new()) };
    all("rfc3161Timestamps", data.rfc3161_timestamps)?
        .iter()
        .enumerate()
        .map(|(index, timestamp)| {
            let der = base64("signedTimestamp", &timestamp.signed_timestamp)?;
            if der.is_empty() {
                return Err(BundleError::EmptyTimestamp { index });
            }
            Ok(der)
        })
        .collect()
}

fn message_content(message: WireMessage) -> Result<Content, BundleError> {
    let digest = message
        .message_digest
        .map(|stated| {
            let algorithm = HashAlgorithm::from_proto_name(&stated.algorithm)
                .ok_or(BundleError::UnknownDigestAlgorithm { name: stated.algorithm })?;
            Digest::new(algorithm, &base64("messageDigest.digest", &stated.digest)?)
                .map_err(BundleError::MessageDigest)
        })
        .transpose()?;
    let signature = base64("messageSignature.signature", &message.signature)?;
    if signature.is_empty() {
        return Err(BundleError::EmptySignature);
    }
    Ok(Content::Message { digest, signature })
}

fn base64(field: &'static str, text: &str) -> Result<Vec<u8>, BundleError> {
    wire::base64(text).ok_or(BundleError::Base64 { field })
}

fn all<T, const N: usize>(
    field: &'static str,
    list: wire::Capped<T, N>,
) -> Result<Vec<T>, BundleError> {
    list.into_all().map_err(|TooMany { count, limit }| BundleError::TooMany { field, count, limit })
}

fn integer(field: &'static str, value: &WireInt) -> Result<u64, BundleError> {
    value.index().map_err(|fault| match fault {
        IntFault::NotDecimal => BundleError::NotDecimal { field },
        IntFault::Negative => BundleError::NegativeInteger { field },
        IntFault::TooLarge => BundleError::IntegerTooLarge { field },
    })
}

/// The media type of v0.3, which is what we write.
pub const MEDIA_TYPE_V03: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

const MEDIA_TYPE_V01: &str = "application/vnd.dev.sigstore.bundle+json;version=0.1";
const MEDIA_TYPE_V02: &str = "application/vnd.dev.sigstore.bundle+json;version=0.2";
const MEDIA_TYPE_V03_PARAMETER: &str = "application/vnd.dev.sigstore.bundle+json;version=0.3";

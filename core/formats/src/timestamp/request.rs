//! TimeStampReq (RFC 3161 section 2.4.1).

use thiserror::Error;

use super::{ImprintFault, PkiFailure, message_imprint};
use crate::certificate::DerError;
use crate::certificate::tlv::{self, Elements};
use crate::digest::{Digest, DigestError};
use crate::limits::{MAX_TIMESTAMP_INTEGER_BYTES, MAX_TIMESTAMP_REQUEST_BYTES};

/// A request for a timestamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimestampRequest {
    /// What is to be timestamped.
    pub imprint: Digest,
    /// The AlgorithmIdentifier of the imprint in DER as the client spelled it. A token repeats it
    /// unchanged: clients compare the bytes, and write or omit NULL parameters as they like.
    pub imprint_algorithm_der: Vec<u8>,
    /// The policy asked for, in dotted decimals.
    pub policy: Option<String>,
    /// Content of the nonce's DER INTEGER, in its shortest form. A token repeats it unchanged.
    pub nonce: Option<Vec<u8>>,
    /// Whether the answer should carry the authority's certificate.
    pub cert_req: bool,
}

/// Why a request is refused, and with which PKIFailureInfo ([`RequestError::failure`]).
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RequestError {
    /// More bytes than [`MAX_TIMESTAMP_REQUEST_BYTES`].
    #[error("timestamp request of {bytes} bytes exceeds {MAX_TIMESTAMP_REQUEST_BYTES}")]
    TooLarge {
        /// Size of the request.
        bytes: usize,
    },
    /// Not the DER of a request.
    #[error("timestamp request: {0}")]
    Der(#[from] DerError),
    /// A version other than 1.
    #[error("timestamp request version {version} is not 1")]
    UnknownVersion {
        /// The version.
        version: u64,
    },
    /// An imprint of another algorithm than SHA-256, SHA-384 and SHA-512.
    #[error("hash algorithm {oid} is not accepted")]
    UnsupportedHash {
        /// Its object identifier in dotted decimals.
        oid: String,
    },
    /// Parameters on the hash algorithm other than NULL.
    #[error("hash algorithm parameters are wrong")]
    HashParameters,
    /// An imprint whose length is not its algorithm's.
    #[error("message imprint: {0}")]
    ImprintLength(DigestError),
    /// A nonce above [`MAX_TIMESTAMP_INTEGER_BYTES`].
    #[error("nonce of {bytes} bytes exceeds {MAX_TIMESTAMP_INTEGER_BYTES}")]
    NonceTooLong {
        /// Bytes of INTEGER content.
        bytes: usize,
    },
    /// A policy the authority does not issue under; see [`TimestampRequest::check_policy`].
    #[error("policy {oid} is not accepted")]
    UnacceptedPolicy {
        /// Its object identifier in dotted decimals.
        oid: String,
    },
    /// An extension. None is known, and RFC 3161 section 2.4.1 has unknown ones refused whether
    /// critical or not.
    #[error("extension {oid} is not accepted")]
    UnacceptedExtension {
        /// Its object identifier in dotted decimals.
        oid: String,
    },
}

impl RequestError {
    /// What to answer the client.
    #[must_use]
    pub fn failure(&self) -> PkiFailure {
        match self {
            Self::UnsupportedHash { .. } | Self::HashParameters => PkiFailure::BadAlg,
            Self::UnknownVersion { .. } | Self::NonceTooLong { .. } => PkiFailure::BadRequest,
            Self::TooLarge { .. } | Self::Der(_) | Self::ImprintLength(_) => {
                PkiFailure::BadDataFormat
            }
            Self::UnacceptedPolicy { .. } => PkiFailure::UnacceptedPolicy,
            Self::UnacceptedExtension { .. } => PkiFailure::UnacceptedExtension,
        }
    }
}

impl From<ImprintFault> for RequestError {
    fn from(fault: ImprintFault) -> Self {
        match fault {
            ImprintFault::Der(error) => Self::Der(error),
            ImprintFault::UnsupportedHash { oid } => Self::UnsupportedHash { oid },
            ImprintFault::Parameters => Self::HashParameters,
            ImprintFault::Length(error) => Self::ImprintLength(error),
        }
    }
}

impl TimestampRequest {
    /// A request without policy, nonce or certificate.
    #[must_use]
    pub fn for_digest(imprint: Digest) -> Self {
        let oid = tlv::oid_element(imprint.algorithm().oid());
        let null = tlv::write(tlv::NULL, &[]);
        Self {
            imprint,
            imprint_algorithm_der: tlv::write(tlv::SEQUENCE, &[&oid, &null]),
            policy: None,
            nonce: None,
            cert_req: false,
        }
    }

    /// Reads one DER request that fills `der` exactly.
    ///
    /// # Errors
    /// See [`RequestError`].
    pub fn from_der(der: &[u8]) -> Result<Self, RequestError> {
        if der.len() > MAX_TIMESTAMP_REQUEST_BYTES {
            return Err(RequestError::TooLarge { bytes: der.len() });
        }
        let mut fields = Elements::new(tlv::document(der, tlv::SEQUENCE)?.value);
        let version = fields.small()?;
        if version != 1 {
            return Err(RequestError::UnknownVersion { version });
        }
        let (imprint, algorithm) = message_imprint(&mut fields)?;
        let policy = match fields.optional(tlv::OBJECT_IDENTIFIER)? {
            Some(element) => Some(tlv::oid_to_string(element.value)?),
            None => None,
        };
        let nonce =
            fields.optional(tlv::INTEGER)?.map(|element| nonce(element.value)).transpose()?;
        let cert_req = match fields.optional(tlv::BOOLEAN)? {
            Some(element) => tlv::boolean(element.value)?,
            None => false,
        };
        if let Some(element) = fields.optional(tlv::context_constructed(0))? {
            return Err(refused_extension(element.value)?);
        }
        fields.finish()?;
        Ok(Self { imprint, imprint_algorithm_der: algorithm.to_vec(), policy, nonce, cert_req })
    }

    /// The request in DER.
    ///
    /// # Errors
    /// [`RequestError::Der`] for a policy that is not dotted decimals.
    pub fn to_der(&self) -> Result<Vec<u8>, RequestError> {
        let hashed = tlv::write(tlv::OCTET_STRING, &[self.imprint.as_bytes()]);
        let imprint = tlv::write(tlv::SEQUENCE, &[&self.imprint_algorithm_der, &hashed]);
        let policy = match &self.policy {
            Some(oid) => tlv::write(tlv::OBJECT_IDENTIFIER, &[&tlv::oid_from_str(oid)?]),
            None => Vec::new(),
        };
        let nonce = self.nonce.as_ref().map(|nonce| tlv::write(tlv::INTEGER, &[nonce]));
        let cert_req = if self.cert_req { TRUE } else { &[] };
        let nonce = nonce.unwrap_or_default();
        Ok(tlv::write(tlv::SEQUENCE, &[VERSION_1, &imprint, &policy, &nonce, cert_req]))
    }

    /// Checks the policy asked for, if any, against those the authority issues under.
    ///
    /// # Errors
    /// [`RequestError::UnacceptedPolicy`].
    pub fn check_policy(&self, accepted: &[&str]) -> Result<(), RequestError> {
        match &self.policy {
            Some(oid) if !accepted.contains(&oid.as_str()) => {
                Err(RequestError::UnacceptedPolicy { oid: oid.clone() })
            }
            _ => Ok(()),
        }
    }
}

fn nonce(content: &[u8]) -> Result<Vec<u8>, RequestError> {
    tlv::check_canonical(content)?;
    if content.len() > MAX_TIMESTAMP_INTEGER_BYTES {
        return Err(RequestError::NonceTooLong { bytes: content.len() });
    }
    Ok(content.to_vec())
}

fn refused_extension(list: &[u8]) -> Result<RequestError, DerError> {
    let oid = Elements::new(list).sequence()?.oid()?;
    Ok(RequestError::UnacceptedExtension { oid })
}

const VERSION_1: &[u8] = &[tlv::INTEGER, 1, 1];
const TRUE: &[u8] = &[tlv::BOOLEAN, 1, 0xff];

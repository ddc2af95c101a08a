//! RFC 3161 timestamps: requests, tokens and responses, read strictly and written.
//!
//! Only the shape is judged here, and that the signed digest is the content's: signature, chain
//! and time belong to `verify`.

mod build;
mod request;
mod response;
mod signed_data;
mod token;
mod tst_info;

use crate::certificate::DerError;
use crate::certificate::tlv::{self, Elements};
use crate::digest::{Digest, DigestError, HashAlgorithm};

pub use build::{BuildError, TokenTemplate, build_token};
pub use request::{RequestError, TimestampRequest};
pub use response::{PkiFailure, granted_response, rejection};
pub use token::{EssCertId, SignerId, TimestampToken, TokenError};
pub use tst_info::Accuracy;

/// INTEGER content (shortest form) of an unsigned big-endian number, as nonces and serial numbers
/// are kept here.
#[must_use]
pub fn integer_content(big_endian: &[u8]) -> Vec<u8> {
    tlv::unsigned_content(big_endian)
}

/// Why a hash algorithm or the digest under it is not taken.
enum ImprintFault {
    Der(DerError),
    UnsupportedHash { oid: String },
    Parameters,
    Length(DigestError),
}

impl From<DerError> for ImprintFault {
    fn from(error: DerError) -> Self {
        Self::Der(error)
    }
}

/// MessageImprint (RFC 3161 section 2.4.1): the digest, and the AlgorithmIdentifier as it stands.
fn message_imprint<'a>(fields: &mut Elements<'a>) -> Result<(Digest, &'a [u8]), ImprintFault> {
    let mut imprint = fields.sequence()?;
    let identifier = imprint.expect(tlv::SEQUENCE)?;
    let hashed = imprint.expect(tlv::OCTET_STRING)?.value;
    imprint.finish()?;
    let algorithm = hash_algorithm(identifier.value)?;
    let digest = Digest::new(algorithm, hashed).map_err(ImprintFault::Length)?;
    Ok((digest, identifier.raw))
}

/// The content of an AlgorithmIdentifier for a SHA-2 hash; parameters absent or NULL (RFC 5754
/// section 2 asks readers to take both).
fn hash_algorithm(identifier: &[u8]) -> Result<HashAlgorithm, ImprintFault> {
    let mut parts = Elements::new(identifier);
    let oid = parts.oid()?;
    let Some(algorithm) = HashAlgorithm::from_oid(&oid) else {
        return Err(ImprintFault::UnsupportedHash { oid });
    };
    let null = parts.optional(tlv::NULL)?;
    if !parts.is_empty() || null.is_some_and(|null| !null.value.is_empty()) {
        return Err(ImprintFault::Parameters);
    }
    Ok(algorithm)
}

/// id-ct-TSTInfo.
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
/// id-signedData.
const SIGNED_DATA: &str = "1.2.840.113549.1.7.2";
/// id-contentType, signed attribute.
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
/// id-messageDigest, signed attribute.
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";
/// id-signingTime, signed attribute.
const SIGNING_TIME: &str = "1.2.840.113549.1.9.5";
/// id-aa-signingCertificateV2, signed attribute (RFC 5035 section 3).
const SIGNING_CERTIFICATE_V2: &str = "1.2.840.113549.1.9.16.2.47";

/// All that are written into tokens, for the test that they are well formed.
#[cfg(test)]
pub(crate) const WRITTEN_OIDS: [&str; 6] =
    [TST_INFO, SIGNED_DATA, CONTENT_TYPE, MESSAGE_DIGEST, SIGNING_TIME, SIGNING_CERTIFICATE_V2];

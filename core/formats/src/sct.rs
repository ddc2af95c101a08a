//! Signed certificate timestamps and the other TLS-encoded structures of certificate transparency
//! (RFC 6962), with the leaf index of static-ct-api.

mod leaf;
mod precert;

use thiserror::Error;

use crate::certificate::{Certificate, DerError, oid, tlv};
use crate::limits::MAX_SCTS;

pub use leaf::{
    LogEntryKind, leaf_index_extension, merkle_tree_leaf, parse_leaf_index_extension,
    sct_signed_data, tree_head_signed_data,
};
pub use precert::{is_precertificate, precert_tbs};

/// Why bytes are not the certificate transparency structure that was asked for, or cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SctError {
    /// A certificate without an embedded SCT list.
    #[error("certificate has no embedded SCT list")]
    NoSctList,
    /// The extension, or the certificate around it, is not the DER it should be.
    #[error("SCT extension: {0}")]
    Der(#[from] DerError),
    /// A list without SCTs (RFC 6962 section 3.3 demands one).
    #[error("SCT list is empty")]
    EmptyList,
    /// More SCTs than [`MAX_SCTS`].
    #[error("SCT list has more than {MAX_SCTS} SCTs")]
    TooManyScts,
    /// The input ends inside a field.
    #[error("{field} is cut short")]
    Truncated {
        /// The field.
        field: &'static str,
    },
    /// Bytes after the last field.
    #[error("trailing bytes after {field}")]
    TrailingBytes {
        /// The structure that ended.
        field: &'static str,
    },
    /// A version other than v1, which is spelled 0.
    #[error("SCT version {version} is not 0")]
    UnknownVersion {
        /// The version byte.
        version: u8,
    },
    /// A field too long for its length prefix.
    #[error("{field} is too long to encode")]
    TooLong {
        /// The field.
        field: &'static str,
    },
    /// SCT extensions without exactly one leaf index of five bytes (static-ct-api).
    #[error("SCT extensions do not hold one leaf index")]
    NoLeafIndex,
    /// A poison extension that is not critical or not NULL (RFC 6962 section 3.1).
    #[error("precertificate poison is malformed")]
    MalformedPoison,
}

/// A signed certificate timestamp, version 1 (RFC 6962 section 3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sct {
    /// SHA-256 of the log's SubjectPublicKeyInfo.
    pub log_id: [u8; 32],
    /// Unix milliseconds.
    pub timestamp_ms: u64,
    /// CtExtensions as they were signed, without the length before them.
    pub extensions: Vec<u8>,
    /// TLS HashAlgorithm; 4 is SHA-256.
    pub hash: u8,
    /// TLS SignatureAlgorithm; 1 is RSA, 3 is ECDSA.
    pub signature_algorithm: u8,
    /// The signature; DER for ECDSA.
    pub signature: Vec<u8>,
}

impl Sct {
    /// Reads one SerializedSCT that fills `bytes` exactly.
    ///
    /// # Errors
    /// See [`SctError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SctError> {
        let mut fields = Fields { rest: bytes };
        let [version] = fields.array("SCT version")?;
        if version != VERSION_1 {
            return Err(SctError::UnknownVersion { version });
        }
        let log_id = fields.array("SCT log id")?;
        let timestamp_ms = u64::from_be_bytes(fields.array("SCT timestamp")?);
        let extensions = fields.vector("SCT extensions")?.to_vec();
        let [hash, signature_algorithm] = fields.array("SCT signature algorithm")?;
        let signature = fields.vector("SCT signature")?.to_vec();
        fields.finish("SCT")?;
        Ok(Self { log_id, timestamp_ms, extensions, hash, signature_algorithm, signature })
    }

    /// The SerializedSCT.
    ///
    /// # Errors
    /// [`SctError::TooLong`] for extensions or a signature above 65,535 bytes.
    pub fn encode(&self) -> Result<Vec<u8>, SctError> {
        let mut out = Vec::with_capacity(64 + self.extensions.len() + self.signature.len());
        out.push(VERSION_1);
        out.extend_from_slice(&self.log_id);
        out.extend_from_slice(&self.timestamp_ms.to_be_bytes());
        push_vector(&mut out, &self.extensions, "SCT extensions")?;
        out.extend_from_slice(&[self.hash, self.signature_algorithm]);
        push_vector(&mut out, &self.signature, "SCT signature")?;
        Ok(out)
    }
}

/// The SCTs embedded in a certificate: at least one, at most [`MAX_SCTS`].
///
/// # Errors
/// [`SctError::NoSctList`] if there is no such extension; anything else if it is not exactly a
/// list of v1 SCTs.
pub fn embedded_scts(certificate: &Certificate) -> Result<Vec<Sct>, SctError> {
    let extension = certificate.extension(oid::SCT_LIST).ok_or(SctError::NoSctList)?;
    parse_sct_list(&extension.value)
}

/// Reads the content of an SCT list extension: an OCTET STRING around a
/// SignedCertificateTimestampList.
///
/// # Errors
/// See [`SctError`].
pub fn parse_sct_list(extension_value: &[u8]) -> Result<Vec<Sct>, SctError> {
    let mut outer = Fields { rest: tlv::exactly(extension_value, tlv::OCTET_STRING)?.value };
    let mut list = Fields { rest: outer.vector("SCT list")? };
    outer.finish("SCT list")?;
    let mut scts = Vec::with_capacity(1);
    while !list.rest.is_empty() {
        if scts.len() == MAX_SCTS {
            return Err(SctError::TooManyScts);
        }
        scts.push(Sct::parse(list.vector("SCT")?)?);
    }
    if scts.is_empty() { Err(SctError::EmptyList) } else { Ok(scts) }
}

/// The content of an SCT list extension, the OCTET STRING inside extnValue included.
///
/// # Errors
/// [`SctError::EmptyList`], [`SctError::TooManyScts`] or [`SctError::TooLong`].
pub fn encode_sct_list(scts: &[Sct]) -> Result<Vec<u8>, SctError> {
    if scts.is_empty() {
        return Err(SctError::EmptyList);
    }
    if scts.len() > MAX_SCTS {
        return Err(SctError::TooManyScts);
    }
    let mut list = Vec::with_capacity(160 * scts.len());
    for sct in scts {
        push_vector(&mut list, &sct.encode()?, "SCT")?;
    }
    let mut vector = Vec::with_capacity(list.len() + 2);
    push_vector(&mut vector, &list, "SCT list")?;
    Ok(tlv::write(tlv::OCTET_STRING, &[&vector]))
}

/// DigitallySigned (RFC 5246 section 4.7) for SHA-256 with ECDSA: `04 03`, a two-byte length and
/// the DER signature.
///
/// # Errors
/// [`SctError::TooLong`] above 65,535 bytes.
pub fn digitally_signed(signature: &[u8]) -> Result<Vec<u8>, SctError> {
    let mut out = Vec::with_capacity(4 + signature.len());
    out.extend_from_slice(&[HASH_SHA256, SIGNATURE_ECDSA]);
    push_vector(&mut out, signature, "signature")?;
    Ok(out)
}

/// What a DigitallySigned holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DigitallySigned<'a> {
    /// TLS HashAlgorithm; 4 is SHA-256.
    pub hash: u8,
    /// TLS SignatureAlgorithm; 1 is RSA, 3 is ECDSA.
    pub signature_algorithm: u8,
    /// The signature; DER for ECDSA.
    pub signature: &'a [u8],
}

/// Reads a DigitallySigned that fills `bytes` exactly.
///
/// # Errors
/// See [`SctError`].
pub fn parse_digitally_signed(bytes: &[u8]) -> Result<DigitallySigned<'_>, SctError> {
    let mut fields = Fields { rest: bytes };
    let [hash, signature_algorithm] = fields.array("signature algorithm")?;
    let signature = fields.vector("signature")?;
    fields.finish("signature")?;
    Ok(DigitallySigned { hash, signature_algorithm, signature })
}

/// Reads TLS presentation language (RFC 5246 section 4) field by field.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn array<const N: usize>(&mut self, field: &'static str) -> Result<[u8; N], SctError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(SctError::Truncated { field })?;
        self.rest = rest;
        Ok(*bytes)
    }

    /// Two bytes of length, then as many bytes.
    fn vector(&mut self, field: &'static str) -> Result<&'a [u8], SctError> {
        let length = u16::from_be_bytes(self.array(field)?);
        let split = self.rest.split_at_checked(usize::from(length));
        let (bytes, rest) = split.ok_or(SctError::Truncated { field })?;
        self.rest = rest;
        Ok(bytes)
    }

    fn finish(&self, field: &'static str) -> Result<(), SctError> {
        if self.rest.is_empty() { Ok(()) } else { Err(SctError::TrailingBytes { field }) }
    }
}

fn push_vector(out: &mut Vec<u8>, bytes: &[u8], field: &'static str) -> Result<(), SctError> {
    let length = u16::try_from(bytes.len()).map_err(|_| SctError::TooLong { field })?;
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}

/// TLS HashAlgorithm of SHA-256 (RFC 5246 section 7.4.1.4.1).
pub const HASH_SHA256: u8 = 4;
/// TLS SignatureAlgorithm of RSA.
pub const SIGNATURE_RSA: u8 = 1;
/// TLS SignatureAlgorithm of ECDSA.
pub const SIGNATURE_ECDSA: u8 = 3;
const VERSION_1: u8 = 0;

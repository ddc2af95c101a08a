//! The token as its reader sees it, and every reason to refuse one.

use thiserror::Error;

use super::tst_info::Accuracy;
use super::{ImprintFault, PkiFailure, response, signed_data};
use crate::certificate::tlv;
use crate::certificate::{Certificate, CertificateError, DerError, SignatureAlgorithm};
use crate::digest::{Digest, DigestError, HashAlgorithm};
use crate::limits::{MAX_CHAIN_CERTIFICATES, MAX_TIMESTAMP_BYTES};

/// A timestamp token whose shape is right and whose signed digest is its content's. Nothing is
/// authentic before the signature over [`TimestampToken::signed_attributes_der`] is verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TimestampToken {
    /// genTime in Unix seconds, a fraction rounded down.
    pub gen_time: i64,
    /// genTime in Unix milliseconds, a smaller fraction rounded down.
    pub gen_time_ms: i64,
    /// How far genTime may be off, if said.
    pub accuracy: Option<Accuracy>,
    /// The digest that was timestamped.
    pub imprint: Digest,
    /// The policy in dotted decimals.
    pub policy: String,
    /// Content of the token's serial number, a DER INTEGER in its shortest form.
    pub serial: Vec<u8>,
    /// Content of the nonce, a DER INTEGER in its shortest form.
    pub nonce: Option<Vec<u8>>,
    /// The bytes that are signed: the signed attributes with the SET OF tag 0x31 (RFC 5652
    /// section 5.4), otherwise as they stand in the token.
    pub signed_attributes_der: Vec<u8>,
    /// The TSTInfo.
    pub tst_info_der: Vec<u8>,
    /// The messageDigest attribute; equal to the digest of `tst_info_der`.
    pub message_digest: Digest,
    /// The SignerInfo's digest algorithm.
    pub digest_algorithm: HashAlgorithm,
    /// How the signed attributes are signed.
    pub signature_algorithm: SignatureAlgorithm,
    /// The signature.
    pub signature: Vec<u8>,
    /// Which certificate signed.
    pub signer: SignerId,
    /// The certificates in the token, in its order; often none.
    pub certificates: Vec<Certificate>,
    /// The SigningCertificateV2 attribute, the signer's own first; empty if there is none.
    pub ess_cert_ids: Vec<EssCertId>,
}

/// IssuerAndSerialNumber (RFC 5652 section 10.2.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerId {
    /// The issuer's Name in DER.
    pub issuer_dn: Vec<u8>,
    /// Content of the serial number's DER INTEGER.
    pub serial: Vec<u8>,
}

impl SignerId {
    /// Whether this names a certificate.
    #[must_use]
    pub fn names(&self, certificate: &Certificate) -> bool {
        self.issuer_dn == certificate.issuer_dn() && self.serial == certificate.serial()
    }
}

/// ESSCertIDv2 (RFC 5035 section 4): a certificate by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EssCertId {
    /// Digest of the whole certificate in DER, under the algorithm the attribute names.
    pub hash: Digest,
    /// Content of the certificate's serial number, if the attribute repeats it.
    pub serial: Option<Vec<u8>>,
}

impl EssCertId {
    /// The algorithm of [`EssCertId::hash`].
    #[must_use]
    pub fn algorithm(&self) -> HashAlgorithm {
        self.hash.algorithm()
    }

    /// Whether this names a certificate: its digest, and its serial number if repeated.
    #[must_use]
    pub fn names(&self, certificate: &Certificate) -> bool {
        self.hash == self.algorithm().digest(certificate.der())
            && self.serial.as_deref().is_none_or(|serial| serial == certificate.serial())
    }
}

/// Why bytes are not a timestamp we take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenError {
    /// More bytes than [`MAX_TIMESTAMP_BYTES`].
    #[error("timestamp of {bytes} bytes exceeds {MAX_TIMESTAMP_BYTES}")]
    TooLarge {
        /// Size of the timestamp.
        bytes: usize,
    },
    /// Not the DER of a timestamp.
    #[error("timestamp: {0}")]
    Der(#[from] DerError),
    /// The authority refused the request.
    #[error("timestamp authority refused: status {status}, {failure:?}, {text:?}")]
    Rejected {
        /// PKIStatus.
        status: u64,
        /// The first known PKIFailureInfo.
        failure: Option<PkiFailure>,
        /// The first statusString.
        text: Option<String>,
    },
    /// Granted, but without a token.
    #[error("timestamp response has no token")]
    NoToken,
    /// A content other than id-signedData or id-ct-TSTInfo.
    #[error("timestamp content is {oid}, not {expected}")]
    WrongContentType {
        /// What there is, in dotted decimals.
        oid: String,
        /// What there should be.
        expected: &'static str,
    },
    /// A version this structure does not have.
    #[error("{structure} version {version} is unknown")]
    UnknownVersion {
        /// SignedData, SignerInfo or TSTInfo.
        structure: &'static str,
        /// The version.
        version: u64,
    },
    /// No signer, or several. RFC 3161 allows one; with several, checks can be made to run on
    /// different ones.
    #[error("timestamp has {count} signers, not one")]
    SignerCount {
        /// How many.
        count: usize,
    },
    /// A signer named by key identifier instead of issuer and serial number.
    #[error("timestamp signer is not named by issuer and serial number")]
    SignerNotByIssuer,
    /// A hash algorithm other than SHA-256, SHA-384 and SHA-512.
    #[error("hash algorithm {oid} is not accepted")]
    UnsupportedHash {
        /// Its object identifier in dotted decimals.
        oid: String,
    },
    /// Parameters on a hash algorithm other than NULL.
    #[error("hash algorithm parameters are wrong")]
    HashParameters,
    /// A digest whose length is not its algorithm's.
    #[error("timestamp {0}")]
    DigestLength(DigestError),
    /// A signature algorithm outside [`SignatureAlgorithm`].
    #[error("signature algorithm {oid} is not supported")]
    UnsupportedSignatureAlgorithm {
        /// Its object identifier in dotted decimals.
        oid: String,
    },
    /// A signature algorithm over another hash than the SignerInfo names.
    #[error("timestamp signature and digest algorithms differ")]
    SignatureHashMismatch,
    /// No signed attributes: the signature would be over bare content.
    #[error("timestamp has no signed attributes")]
    NoSignedAttributes,
    /// A signed attribute that must be there and is not.
    #[error("timestamp has no signed attribute {oid}")]
    MissingAttribute {
        /// Its object identifier.
        oid: &'static str,
    },
    /// A signed attribute twice, or one with other than one value.
    #[error("timestamp has signed attribute {oid} more than once")]
    RepeatedAttribute {
        /// Its object identifier.
        oid: String,
    },
    /// A messageDigest attribute that is not the digest of the content.
    #[error("timestamp message digest is not that of its content")]
    MessageDigestMismatch,
    /// A certificate in the token that does not parse.
    #[error("timestamp {0}")]
    Certificate(#[from] CertificateError),
    /// More certificates, or certificate identifiers, than [`MAX_CHAIN_CERTIFICATES`].
    #[error("timestamp has more than {MAX_CHAIN_CERTIFICATES} certificates")]
    TooManyCertificates,
    /// Accuracy with millis or micros outside 1..=999.
    #[error("timestamp accuracy is out of range")]
    AccuracyOutOfRange,
    /// A serial number or nonce above the cap.
    #[error("timestamp integer of {bytes} bytes is too long")]
    IntegerTooLong {
        /// Bytes of INTEGER content.
        bytes: usize,
    },
    /// A critical extension; none is known.
    #[error("timestamp has unknown critical extension {oid}")]
    CriticalExtension {
        /// Its object identifier in dotted decimals.
        oid: String,
    },
}

impl From<ImprintFault> for TokenError {
    fn from(fault: ImprintFault) -> Self {
        match fault {
            ImprintFault::Der(error) => Self::Der(error),
            ImprintFault::UnsupportedHash { oid } => Self::UnsupportedHash { oid },
            ImprintFault::Parameters => Self::HashParameters,
            ImprintFault::Length(error) => Self::DigestLength(error),
        }
    }
}

impl TimestampToken {
    /// Reads a DER TimeStampResp that grants a token and fills `der` exactly.
    ///
    /// # Errors
    /// See [`TokenError`]; [`TokenError::Rejected`] for a refusal.
    pub fn from_response_der(der: &[u8]) -> Result<Self, TokenError> {
        checked_size(der)?;
        tlv::document(der, tlv::SEQUENCE)?;
        signed_data::parse(response::granted_token(der)?)
    }

    /// Reads a bare DER token (ContentInfo) that fills `der` exactly.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn from_token_der(der: &[u8]) -> Result<Self, TokenError> {
        checked_size(der)?;
        tlv::document(der, tlv::SEQUENCE)?;
        signed_data::parse(der)
    }
}

fn checked_size(der: &[u8]) -> Result<(), TokenError> {
    if der.len() > MAX_TIMESTAMP_BYTES {
        return Err(TokenError::TooLarge { bytes: der.len() });
    }
    Ok(())
}

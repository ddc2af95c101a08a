//! The token: CMS SignedData (RFC 5652) over a TSTInfo, as RFC 3161 section 2.4.2 narrows it.

use thiserror::Error;

use super::tst_info::{self, Accuracy};
use super::{
    CONTENT_TYPE, ImprintFault, MESSAGE_DIGEST, PkiFailure, SIGNED_DATA, SIGNING_CERTIFICATE_V2,
    TST_INFO, hash_algorithm, response,
};
use crate::certificate::tlv::{self, Elements};
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
        signed_data(response::granted_token(der)?)
    }

    /// Reads a bare DER token (ContentInfo) that fills `der` exactly.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn from_token_der(der: &[u8]) -> Result<Self, TokenError> {
        checked_size(der)?;
        tlv::document(der, tlv::SEQUENCE)?;
        signed_data(der)
    }
}

fn checked_size(der: &[u8]) -> Result<(), TokenError> {
    if der.len() > MAX_TIMESTAMP_BYTES {
        return Err(TokenError::TooLarge { bytes: der.len() });
    }
    Ok(())
}

/// ContentInfo and SignedData (RFC 5652 sections 3 and 5.1).
fn signed_data(token: &[u8]) -> Result<TimestampToken, TokenError> {
    let mut info = Elements::new(tlv::exactly(token, tlv::SEQUENCE)?.value);
    content_type(&mut info, SIGNED_DATA)?;
    let wrapped = info.expect(tlv::context_constructed(0))?.value;
    info.finish()?;

    let mut fields = Elements::new(tlv::exactly(wrapped, tlv::SEQUENCE)?.value);
    let version = fields.small()?;
    if !(1..=5).contains(&version) {
        return Err(TokenError::UnknownVersion { structure: "SignedData", version });
    }
    // The set of digest algorithms helps one-pass readers; what counts is in the SignerInfo.
    fields.expect(tlv::SET)?;
    let tst_info_der = encapsulated(fields.sequence()?)?;
    let certificates = match fields.optional(tlv::context_constructed(0))? {
        Some(bag) => certificates(bag.value)?,
        None => Vec::new(),
    };
    fields.optional(tlv::context_constructed(1))?;
    let mut signers = Elements::new(fields.expect(tlv::SET)?.value);
    fields.finish()?;

    let signer = one_signer(&mut signers)?;
    let tst_info = tst_info::parse(tst_info_der)?;
    if signer.message_digest != signer.digest_algorithm.digest(tst_info_der) {
        return Err(TokenError::MessageDigestMismatch);
    }
    Ok(TimestampToken {
        gen_time: tst_info.gen_time_ms.div_euclid(1000),
        gen_time_ms: tst_info.gen_time_ms,
        accuracy: tst_info.accuracy,
        imprint: tst_info.imprint,
        policy: tst_info.policy,
        serial: tst_info.serial,
        nonce: tst_info.nonce,
        signed_attributes_der: signer.signed_attributes_der,
        tst_info_der: tst_info_der.to_vec(),
        message_digest: signer.message_digest,
        digest_algorithm: signer.digest_algorithm,
        signature_algorithm: signer.signature_algorithm,
        signature: signer.signature,
        signer: signer.id,
        certificates,
        ess_cert_ids: signer.ess_cert_ids,
    })
}

fn content_type(fields: &mut Elements<'_>, expected: &'static str) -> Result<(), TokenError> {
    let oid = fields.oid()?;
    if oid == expected { Ok(()) } else { Err(TokenError::WrongContentType { oid, expected }) }
}

fn encapsulated(mut fields: Elements<'_>) -> Result<&[u8], TokenError> {
    content_type(&mut fields, TST_INFO)?;
    let wrapped = fields.expect(tlv::context_constructed(0))?.value;
    fields.finish()?;
    Ok(tlv::exactly(wrapped, tlv::OCTET_STRING)?.value)
}

fn certificates(bag: &[u8]) -> Result<Vec<Certificate>, TokenError> {
    let mut elements = Elements::new(bag);
    let mut found = Vec::new();
    while !elements.is_empty() {
        if found.len() == MAX_CHAIN_CERTIFICATES {
            return Err(TokenError::TooManyCertificates);
        }
        // Only X.509: attribute certificates and other formats have context tags.
        found.push(Certificate::from_der(elements.expect(tlv::SEQUENCE)?.raw)?);
    }
    Ok(found)
}

struct Signer {
    id: SignerId,
    digest_algorithm: HashAlgorithm,
    signed_attributes_der: Vec<u8>,
    message_digest: Digest,
    ess_cert_ids: Vec<EssCertId>,
    signature_algorithm: SignatureAlgorithm,
    signature: Vec<u8>,
}

/// The SignerInfo (RFC 5652 section 5.3), of which there is one.
fn one_signer(signers: &mut Elements<'_>) -> Result<Signer, TokenError> {
    if signers.is_empty() {
        return Err(TokenError::SignerCount { count: 0 });
    }
    let mut fields = signers.sequence()?;
    if !signers.is_empty() {
        let mut count = 1;
        while !signers.is_empty() {
            signers.next()?;
            count += 1;
        }
        return Err(TokenError::SignerCount { count });
    }
    let version = fields.small()?;
    if fields.peek() != Some(tlv::SEQUENCE) {
        return Err(TokenError::SignerNotByIssuer);
    }
    if version != 1 {
        return Err(TokenError::UnknownVersion { structure: "SignerInfo", version });
    }
    let mut id = fields.sequence()?;
    let issuer_dn = id.expect(tlv::SEQUENCE)?.raw.to_vec();
    let serial = id.unsigned()?.to_vec();
    id.finish()?;
    let digest_algorithm = hash_algorithm(fields.expect(tlv::SEQUENCE)?.value)?;
    let attributes =
        fields.optional(tlv::context_constructed(0))?.ok_or(TokenError::NoSignedAttributes)?;
    let signature_algorithm =
        signature_algorithm(fields.expect(tlv::SEQUENCE)?.value, digest_algorithm)?;
    let signature = fields.expect(tlv::OCTET_STRING)?.value.to_vec();
    fields.optional(tlv::context_constructed(1))?;
    fields.finish()?;

    let found = signed_attributes(attributes.value)?;
    let message_digest = found.message_digest.ok_or(missing(MESSAGE_DIGEST))?;
    Ok(Signer {
        id: SignerId { issuer_dn, serial },
        digest_algorithm,
        signed_attributes_der: tlv::write(tlv::SET, &[attributes.value]),
        message_digest: Digest::new(digest_algorithm, message_digest)
            .map_err(TokenError::DigestLength)?,
        ess_cert_ids: found.ess_cert_ids,
        signature_algorithm,
        signature,
    })
}

#[derive(Default)]
struct SignedAttributes<'a> {
    message_digest: Option<&'a [u8]>,
    ess_cert_ids: Vec<EssCertId>,
}

fn signed_attributes(content: &[u8]) -> Result<SignedAttributes<'_>, TokenError> {
    let mut attributes = Elements::new(content);
    let mut seen: Vec<String> = Vec::with_capacity(4);
    let mut found = SignedAttributes::default();
    while !attributes.is_empty() {
        let mut parts = attributes.sequence()?;
        let oid = parts.oid()?;
        let mut values = Elements::new(parts.expect(tlv::SET)?.value);
        parts.finish()?;
        if seen.contains(&oid) {
            return Err(TokenError::RepeatedAttribute { oid });
        }
        match oid.as_str() {
            CONTENT_TYPE => content_type(&mut values, TST_INFO)?,
            MESSAGE_DIGEST => found.message_digest = Some(values.expect(tlv::OCTET_STRING)?.value),
            SIGNING_CERTIFICATE_V2 => found.ess_cert_ids = ess_cert_ids(values.sequence()?)?,
            _ => {
                // The value of an attribute unknown here is not read, but there is one.
                values.next()?;
            }
        }
        let known = matches!(oid.as_str(), CONTENT_TYPE | MESSAGE_DIGEST | SIGNING_CERTIFICATE_V2);
        if known && !values.is_empty() {
            return Err(TokenError::RepeatedAttribute { oid });
        }
        seen.push(oid);
    }
    if !seen.iter().any(|oid| oid == CONTENT_TYPE) {
        return Err(missing(CONTENT_TYPE));
    }
    Ok(found)
}

const fn missing(oid: &'static str) -> TokenError {
    TokenError::MissingAttribute { oid }
}

/// SigningCertificateV2 (RFC 5035 section 3): certificates, then policies that are not read.
fn ess_cert_ids(mut attribute: Elements<'_>) -> Result<Vec<EssCertId>, TokenError> {
    let mut certs = attribute.sequence()?;
    attribute.optional(tlv::SEQUENCE)?;
    attribute.finish()?;
    let mut found = vec![ess_cert_id(certs.sequence()?)?];
    while !certs.is_empty() {
        if found.len() == MAX_CHAIN_CERTIFICATES {
            return Err(TokenError::TooManyCertificates);
        }
        found.push(ess_cert_id(certs.sequence()?)?);
    }
    Ok(found)
}

fn ess_cert_id(mut fields: Elements<'_>) -> Result<EssCertId, TokenError> {
    let algorithm = match fields.optional(tlv::SEQUENCE)? {
        Some(identifier) => hash_algorithm(identifier.value)?,
        None => HashAlgorithm::Sha256,
    };
    let hash = fields.expect(tlv::OCTET_STRING)?.value;
    let serial = match fields.optional(tlv::SEQUENCE)? {
        Some(issuer_serial) => {
            let mut parts = Elements::new(issuer_serial.value);
            parts.expect(tlv::SEQUENCE)?;
            let serial = parts.unsigned()?.to_vec();
            parts.finish()?;
            Some(serial)
        }
        None => None,
    };
    fields.finish()?;
    let hash = Digest::new(algorithm, hash).map_err(TokenError::DigestLength)?;
    Ok(EssCertId { hash, serial })
}

/// The algorithm of the signature. rsaEncryption names no hash and takes the SignerInfo's (RFC
/// 3370 section 3.2); all others must name the same.
fn signature_algorithm(
    identifier: &[u8],
    digest: HashAlgorithm,
) -> Result<SignatureAlgorithm, TokenError> {
    let mut parts = Elements::new(identifier);
    let oid = parts.oid()?;
    let null = parts.optional(tlv::NULL)?;
    parts.finish()?;
    if null.is_some_and(|null| !null.value.is_empty()) {
        return Err(DerError::UnexpectedElement.into());
    }
    let algorithm = match (oid.as_str(), digest) {
        (RSA_ENCRYPTION, HashAlgorithm::Sha256) => SignatureAlgorithm::RsaPkcs1Sha256,
        (RSA_ENCRYPTION, HashAlgorithm::Sha384) => SignatureAlgorithm::RsaPkcs1Sha384,
        (RSA_ENCRYPTION, HashAlgorithm::Sha512) => SignatureAlgorithm::RsaPkcs1Sha512,
        _ => SignatureAlgorithm::from_oid(&oid)
            .ok_or(TokenError::UnsupportedSignatureAlgorithm { oid })?,
    };
    if algorithm.hash() == digest { Ok(algorithm) } else { Err(TokenError::SignatureHashMismatch) }
}

const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";

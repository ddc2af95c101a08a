//! X.509 certificates (RFC 5280), read strictly once; and the identity inside a signing
//! certificate.
//!
//! The original bytes are kept and every part of them that is signed or compared is a slice of
//! them: nothing is ever re-encoded. A certificate that parses has version 3, no trailing bytes,
//! one signature algorithm named twice, and each extension once; the extensions with a meaning
//! here (basic constraints, key usage, extended key usage, both key identifiers) are well formed.

mod extension;
mod identity;
/// The object identifiers of extensions, purposes and names, in dotted decimals.
pub mod oid;
mod parse;
pub(crate) mod time;
pub(crate) mod tlv;

use std::ops::Range;

use pem_rfc7468::LineEnding;
use thiserror::Error;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use crate::key::{KeyError, PublicKey, pem_block};
use crate::limits::{MAX_CERTIFICATE_BYTES, MAX_CHAIN_CERTIFICATES, MAX_EXTENSIONS};

pub use extension::{BasicConstraints, Extension, GeneralName, KeyUsage, SignatureAlgorithm};
pub use identity::{FulcioExtensions, IdentityError, LeafIdentity, SubjectName};
pub use tlv::DerError;

/// Why bytes or text are not a certificate we take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// More bytes than [`MAX_CERTIFICATE_BYTES`].
    #[error("certificate of {bytes} bytes exceeds {MAX_CERTIFICATE_BYTES}")]
    TooLarge {
        /// Size of the encoding.
        bytes: usize,
    },
    /// Not the DER of a certificate.
    #[error("certificate: {0}")]
    Der(#[from] DerError),
    /// Version 1 or 2, which have no extensions.
    #[error("certificate is not version 3")]
    NotVersion3,
    /// A signature algorithm outside [`SignatureAlgorithm`].
    #[error("certificate signature algorithm {oid} is not supported")]
    UnsupportedSignatureAlgorithm {
        /// Its object identifier in dotted decimals.
        oid: String,
    },
    /// Parameters that the signature algorithm does not have, or its own missing.
    #[error("certificate signature algorithm parameters are wrong")]
    SignatureParameters,
    /// The algorithm inside the signed part is not the one outside (RFC 5280 section 4.1.1.2).
    #[error("certificate names two signature algorithms")]
    SignatureAlgorithmMismatch,
    /// An issuer or subject that is not a distinguished name.
    #[error("certificate {field} is not a distinguished name")]
    MalformedName {
        /// `issuer` or `subject`.
        field: &'static str,
    },
    /// More extensions than [`MAX_EXTENSIONS`].
    #[error("certificate has more than {MAX_EXTENSIONS} extensions")]
    TooManyExtensions,
    /// One extension twice (RFC 5280 section 4.2 forbids it).
    #[error("certificate has extension {oid} twice")]
    DuplicateExtension {
        /// Its object identifier in dotted decimals.
        oid: String,
    },
    /// An extension whose content is not what its type says.
    #[error("certificate extension {oid} is malformed")]
    MalformedExtension {
        /// Its object identifier in dotted decimals.
        oid: String,
    },
    /// Not PEM blocks labelled `CERTIFICATE` with nothing else around them.
    #[error("certificate is not a PEM block labelled CERTIFICATE")]
    Pem,
    /// A chain without certificates, or with more than [`MAX_CHAIN_CERTIFICATES`].
    #[error("certificate chain has {count} certificates, not 1 to {MAX_CHAIN_CERTIFICATES}")]
    ChainLength {
        /// Certificates in the chain.
        count: usize,
    },
}

/// A certificate. Equal when the encodings are.
#[derive(Clone)]
pub struct Certificate {
    der: Box<[u8]>,
    tbs: Range<usize>,
    serial: Range<usize>,
    issuer: Range<usize>,
    subject: Range<usize>,
    spki: Range<usize>,
    signature: Range<usize>,
    signature_algorithm: SignatureAlgorithm,
    not_before: i64,
    not_after: i64,
    extensions: Vec<Extension>,
    basic_constraints: Option<BasicConstraints>,
    key_usage: Option<KeyUsage>,
    extended_key_usages: Option<Vec<String>>,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
}

impl Certificate {
    /// Reads one DER certificate that fills `der` exactly.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        parse::certificate(der)
    }

    /// Reads one PEM block labelled `CERTIFICATE` (RFC 7468 section 5), white space around it
    /// allowed.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn from_pem(pem: &str) -> Result<Self, CertificateError> {
        Self::from_der(&pem_block(pem, PEM_LABEL).ok_or(CertificateError::Pem)?)
    }

    /// Reads a chain of 1 to [`MAX_CHAIN_CERTIFICATES`] PEM blocks, in their order.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn chain_from_pem(pem: &str) -> Result<Vec<Self>, CertificateError> {
        let blocks = pem.trim_ascii().split_inclusive(PEM_END);
        let count = blocks.clone().count();
        if !(1..=MAX_CHAIN_CERTIFICATES).contains(&count) {
            return Err(CertificateError::ChainLength { count });
        }
        blocks.map(Self::from_pem).collect()
    }

    /// PEM with 64-column lines and a newline at the end.
    #[must_use]
    pub fn to_pem(&self) -> String {
        // Encoding fails only on a malformed label or an overflowing length; neither can be.
        pem_rfc7468::encode_string(PEM_LABEL, LineEnding::LF, &self.der).unwrap_or_default()
    }

    /// The whole certificate in DER, as it was given.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The TBSCertificate in DER: the bytes that the issuer signed.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        self.slice(&self.tbs)
    }

    /// The issuer's signature: the content of the BIT STRING.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        self.slice(&self.signature)
    }

    /// How the issuer signed.
    #[must_use]
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.signature_algorithm
    }

    /// The serial number: content of the DER INTEGER, big endian, a leading zero byte kept.
    #[must_use]
    pub fn serial(&self) -> &[u8] {
        self.slice(&self.serial)
    }

    /// The issuer's Name in DER. Names are compared byte for byte.
    #[must_use]
    pub fn issuer_dn(&self) -> &[u8] {
        self.slice(&self.issuer)
    }

    /// The subject's Name in DER; `30 00` when empty.
    #[must_use]
    pub fn subject_dn(&self) -> &[u8] {
        self.slice(&self.subject)
    }

    /// The issuer's name for people, such as `O=Example, CN=Example root`. Never compare it.
    #[must_use]
    pub fn issuer_text(&self) -> String {
        name_text(self.issuer_dn())
    }

    /// The subject's name for people; empty for an empty name. Never compare it.
    #[must_use]
    pub fn subject_text(&self) -> String {
        name_text(self.subject_dn())
    }

    /// First second of validity, in Unix seconds, inclusive.
    #[must_use]
    pub fn not_before(&self) -> i64 {
        self.not_before
    }

    /// Last second of validity, in Unix seconds, inclusive.
    #[must_use]
    pub fn not_after(&self) -> i64 {
        self.not_after
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        self.slice(&self.spki)
    }

    /// The subject's key.
    ///
    /// # Errors
    /// A key outside our list; see [`KeyError`].
    pub fn public_key(&self) -> Result<PublicKey, KeyError> {
        PublicKey::from_spki_der(self.spki_der())
    }

    /// All extensions in their order.
    #[must_use]
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// The extension with this object identifier in dotted decimals.
    #[must_use]
    pub fn extension(&self, oid: &str) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.oid == oid)
    }

    /// Basic constraints (RFC 5280 section 4.2.1.9), if present.
    #[must_use]
    pub fn basic_constraints(&self) -> Option<BasicConstraints> {
        self.basic_constraints
    }

    /// Key usage (RFC 5280 section 4.2.1.3), if present.
    #[must_use]
    pub fn key_usage(&self) -> Option<KeyUsage> {
        self.key_usage
    }

    /// Extended key usages (RFC 5280 section 4.2.1.12) as dotted decimals in their order, if the
    /// extension is present. Never an empty list.
    #[must_use]
    pub fn extended_key_usages(&self) -> Option<&[String]> {
        self.extended_key_usages.as_deref()
    }

    /// The subject key identifier, if present.
    #[must_use]
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.subject_key_id.as_deref()
    }

    /// The key identifier inside the authority key identifier, if both are present.
    #[must_use]
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.authority_key_id.as_deref()
    }

    /// All subject alternative names in their order; none if the extension is absent.
    ///
    /// # Errors
    /// [`CertificateError::MalformedExtension`].
    pub fn subject_alt_names(&self) -> Result<Vec<GeneralName>, CertificateError> {
        self.extension(oid::SUBJECT_ALT_NAME).map_or(Ok(Vec::new()), |extension| {
            extension::general_names(&extension.value)
                .map_err(|_| CertificateError::MalformedExtension { oid: extension.oid.clone() })
        })
    }

    /// Who signed with this certificate, according to its issuer: the one subject alternative
    /// name and the Fulcio extensions.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub fn identity(&self) -> Result<LeafIdentity, IdentityError> {
        LeafIdentity::of(self)
    }

    /// Whether the subject and issuer names are the same bytes.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject_dn() == self.issuer_dn()
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.der.get(range.clone()).unwrap_or_default()
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

/// Serial number and validity; a kilobyte of DER helps nobody in a log.
impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate")
            .field("serial", &format_args!("{:02x?}", self.serial()))
            .field("not_before", &self.not_before)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

/// Control characters in a name could forge lines in a terminal or a log; they become `?`.
fn name_text(dn: &[u8]) -> String {
    X509Name::from_der(dn)
        .map(|(_, name)| name.to_string().replace(char::is_control, "?"))
        .unwrap_or_default()
}

const PEM_LABEL: &str = "CERTIFICATE";
const PEM_END: &str = "-----END CERTIFICATE-----";

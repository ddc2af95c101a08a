//! Extensions and the typed contents of those that carry meaning here.

use super::DerError;
use super::tlv::{self, Elements};
use crate::digest::HashAlgorithm;

/// One certificate extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// Its object identifier in dotted decimals.
    pub oid: String,
    /// Whether a reader that does not know it must refuse the certificate.
    pub critical: bool,
    /// The content of extnValue, without the OCTET STRING around it.
    pub value: Vec<u8>,
}

/// Basic constraints (RFC 5280 section 4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BasicConstraints {
    /// Whether the key may sign certificates.
    pub ca: bool,
    /// How many intermediates may follow in a path.
    pub path_len: Option<u32>,
}

/// Key usage bits (RFC 5280 section 4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUsage {
    /// Bit `n` of the BIT STRING is `1 << n` here.
    bits: u16,
}

impl KeyUsage {
    /// All bits; bit `n` of the BIT STRING is `1 << n`.
    #[must_use]
    pub fn bits(self) -> u16 {
        self.bits
    }

    /// Bit 0: signatures other than on certificates and CRLs.
    #[must_use]
    pub fn digital_signature(self) -> bool {
        self.bits & 1 != 0
    }

    /// Bit 5: signatures on certificates.
    #[must_use]
    pub fn key_cert_sign(self) -> bool {
        self.bits & (1 << 5) != 0
    }

    /// Bit 6: signatures on revocation lists.
    #[must_use]
    pub fn crl_sign(self) -> bool {
        self.bits & (1 << 6) != 0
    }
}

/// A name in a subject alternative name (RFC 5280 section 4.2.1.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GeneralName {
    /// rfc822Name `[1]`, ASCII.
    Email(String),
    /// dNSName `[2]`, ASCII.
    Dns(String),
    /// uniformResourceIdentifier `[6]`, ASCII.
    Uri(String),
    /// otherName `[0]`.
    OtherName {
        /// The type of name, in dotted decimals.
        oid: String,
        /// The DER inside the explicit `[0]`.
        value: Vec<u8>,
    },
    /// Any other kind: x400Address, directoryName, ediPartyName, iPAddress, registeredID.
    Other {
        /// The context-specific tag number.
        number: u8,
    },
}

/// The signature algorithms on certificates that we take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureAlgorithm {
    /// ECDSA with SHA-256.
    EcdsaSha256,
    /// ECDSA with SHA-384.
    EcdsaSha384,
    /// ECDSA with SHA-512.
    EcdsaSha512,
    /// RSA PKCS #1 v1.5 with SHA-256.
    RsaPkcs1Sha256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    RsaPkcs1Sha384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    RsaPkcs1Sha512,
    /// Ed25519.
    Ed25519,
}

impl SignatureAlgorithm {
    /// The algorithm with this object identifier in dotted decimals.
    #[must_use]
    pub fn from_oid(oid: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.oid() == oid)
    }

    /// The object identifier in dotted decimals.
    #[must_use]
    pub const fn oid(self) -> &'static str {
        match self {
            Self::EcdsaSha256 => "1.2.840.10045.4.3.2",
            Self::EcdsaSha384 => "1.2.840.10045.4.3.3",
            Self::EcdsaSha512 => "1.2.840.10045.4.3.4",
            Self::RsaPkcs1Sha256 => "1.2.840.113549.1.1.11",
            Self::RsaPkcs1Sha384 => "1.2.840.113549.1.1.12",
            Self::RsaPkcs1Sha512 => "1.2.840.113549.1.1.13",
            Self::Ed25519 => "1.3.101.112",
        }
    }

    /// The hash that is signed. Ed25519 hashes with SHA-512 inside, and CMS pairs it with SHA-512
    /// (RFC 8419 section 2.3).
    #[must_use]
    pub const fn hash(self) -> HashAlgorithm {
        match self {
            Self::EcdsaSha256 | Self::RsaPkcs1Sha256 => HashAlgorithm::Sha256,
            Self::EcdsaSha384 | Self::RsaPkcs1Sha384 => HashAlgorithm::Sha384,
            Self::EcdsaSha512 | Self::RsaPkcs1Sha512 | Self::Ed25519 => HashAlgorithm::Sha512,
        }
    }

    /// Whether the AlgorithmIdentifier carries a NULL (RFC 4055 section 5) or nothing (RFC 5758
    /// section 3.2, RFC 8410 section 3).
    pub(crate) const fn has_null_parameters(self) -> bool {
        matches!(self, Self::RsaPkcs1Sha256 | Self::RsaPkcs1Sha384 | Self::RsaPkcs1Sha512)
    }

    pub(crate) const ALL: [Self; 7] = [
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
        Self::RsaPkcs1Sha256,
        Self::RsaPkcs1Sha384,
        Self::RsaPkcs1Sha512,
        Self::Ed25519,
    ];
}

pub(super) fn basic_constraints(value: &[u8]) -> Result<BasicConstraints, DerError> {
    let mut fields = Elements::new(tlv::exactly(value, tlv::SEQUENCE)?.value);
    let ca = match fields.optional(tlv::BOOLEAN)? {
        Some(element) => tlv::boolean(element.value)?,
        None => false,
    };
    let path_len = match fields.optional(tlv::INTEGER)? {
        Some(element) => Some(tlv::small_from_content(element.value)?),
        None => None,
    };
    fields.finish()?;
    let path_len = path_len.map(u32::try_from).transpose().map_err(|_| DerError::BadInteger)?;
    Ok(BasicConstraints { ca, path_len })
}

pub(super) fn key_usage(value: &[u8]) -> Result<KeyUsage, DerError> {
    let [unused, bits @ ..] = tlv::exactly(value, tlv::BIT_STRING)?.value else {
        return Err(DerError::BadBitString);
    };
    // Nine bits are defined; a named bit list in DER ends in a one (X.690 11.2.2).
    let last_is_one = |last: &u8| last.trailing_zeros() == u32::from(*unused);
    if bits.len() > 2 || !bits.last().is_some_and(last_is_one) {
        return Err(DerError::BadBitString);
    }
    let bits = bits
        .iter()
        .enumerate()
        .fold(0_u16, |all, (index, byte)| all | (u16::from(byte.reverse_bits()) << (8 * index)));
    Ok(KeyUsage { bits })
}

pub(super) fn extended_key_usages(value: &[u8]) -> Result<Vec<String>, DerError> {
    let mut purposes = Elements::new(tlv::document(value, tlv::SEQUENCE)?.value);
    let mut oids = vec![purposes.oid()?];
    while !purposes.is_empty() {
        oids.push(purposes.oid()?);
    }
    Ok(oids)
}

pub(super) fn subject_key_id(value: &[u8]) -> Result<Vec<u8>, DerError> {
    Ok(tlv::exactly(value, tlv::OCTET_STRING)?.value.to_vec())
}

pub(super) fn authority_key_id(value: &[u8]) -> Result<Option<Vec<u8>>, DerError> {
    let mut fields = Elements::new(tlv::document(value, tlv::SEQUENCE)?.value);
    let key = fields.optional(tlv::context(0))?;
    // The issuer's own issuer and serial number are not used to build paths here.
    fields.optional(tlv::context_constructed(1))?;
    fields.optional(tlv::context(2))?;
    fields.finish()?;
    Ok(key.map(|key| key.value.to_vec()))
}

pub(super) fn general_names(value: &[u8]) -> Result<Vec<GeneralName>, DerError> {
    let mut names = Elements::new(tlv::document(value, tlv::SEQUENCE)?.value);
    let mut found = vec![general_name(names.next()?)?];
    while !names.is_empty() {
        found.push(general_name(names.next()?)?);
    }
    Ok(found)
}

fn general_name(element: tlv::Tlv<'_>) -> Result<GeneralName, DerError> {
    match element.tag {
        OTHER_NAME => {
            let mut parts = Elements::new(element.value);
            let oid = parts.oid()?;
            let value = parts.expect(tlv::context_constructed(0))?.value.to_vec();
            parts.finish()?;
            Ok(GeneralName::OtherName { oid, value })
        }
        EMAIL => ascii(element.value).map(GeneralName::Email),
        DNS => ascii(element.value).map(GeneralName::Dns),
        URI => ascii(element.value).map(GeneralName::Uri),
        // x400Address, directoryName and ediPartyName; iPAddress and registeredID.
        0xa3..=0xa5 | 0x87..=0x88 => Ok(GeneralName::Other { number: element.tag & 0x1f }),
        _ => Err(DerError::UnexpectedElement),
    }
}

/// IA5String content.
fn ascii(content: &[u8]) -> Result<String, DerError> {
    match std::str::from_utf8(content) {
        Ok(text) if text.is_ascii() => Ok(text.to_owned()),
        _ => Err(DerError::BadString),
    }
}

const OTHER_NAME: u8 = tlv::context_constructed(0);
const EMAIL: u8 = tlv::context(1);
const DNS: u8 = tlv::context(2);
const URI: u8 = tlv::context(6);

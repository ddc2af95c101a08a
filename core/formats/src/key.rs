//! Public keys: a closed list of algorithms, read from a strict SubjectPublicKeyInfo (RFC 5280
//! section 4.1.2.7).
//!
//! Shape and size are judged here. That an EC point lies on its curve is judged by the
//! cryptographic provider on first use; this crate has no curve arithmetic.

mod details;

use std::ops::Range;

use pem_rfc7468::LineEnding;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::certificate::DerError;
use crate::certificate::tlv::{self, Elements};
use crate::digest::HashAlgorithm;
use crate::limits::MAX_PUBLIC_KEY_BYTES;

pub use details::{KeyDetails, RsaSize};

/// The kinds of key that are understood; no other is ever accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyAlgorithm {
    /// ECDSA on NIST P-256.
    EcdsaP256,
    /// ECDSA on NIST P-384.
    EcdsaP384,
    /// ECDSA on NIST P-521.
    EcdsaP521,
    /// RSA with PKCS #1 v1.5 signatures.
    Rsa {
        /// Length of the modulus in bits, 2048 to 8192.
        bits: u32,
    },
    /// Ed25519 (RFC 8032).
    Ed25519,
}

/// Why bytes or text are not a public key we take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// More bytes than [`MAX_PUBLIC_KEY_BYTES`].
    #[error("public key of {bytes} bytes exceeds {MAX_PUBLIC_KEY_BYTES}")]
    TooLarge {
        /// Size of the encoding.
        bytes: usize,
    },
    /// Not the DER of a SubjectPublicKeyInfo.
    #[error("public key: {0}")]
    Der(#[from] DerError),
    /// A key algorithm outside the list.
    #[error("public key algorithm {oid} is not supported")]
    UnsupportedAlgorithm {
        /// Its object identifier in dotted decimals.
        oid: String,
    },
    /// An elliptic curve outside the list.
    #[error("elliptic curve {oid} is not supported")]
    UnsupportedCurve {
        /// Its object identifier in dotted decimals.
        oid: String,
    },
    /// Algorithm parameters that the algorithm does not have, or its own missing.
    #[error("public key algorithm parameters are wrong")]
    WrongParameters,
    /// An EC point that is compressed, at infinity or of another length than its curve's.
    #[error("EC point is not uncompressed and of its curve's length")]
    BadPoint,
    /// An Ed25519 key of another length than 32 bytes.
    #[error("Ed25519 key has {actual} bytes, not 32")]
    BadEd25519Length {
        /// Bytes there were.
        actual: usize,
    },
    /// An RSA modulus outside 2048..=8192 bits.
    #[error("RSA modulus has {bits} bits, not 2048 to 8192")]
    RsaSize {
        /// Its length in bits.
        bits: u32,
    },
    /// An even RSA modulus: it has the factor two.
    #[error("RSA modulus is even")]
    RsaModulusEven,
    /// An RSA exponent that is even, below three or above 64 bits.
    #[error("RSA public exponent is not odd and between 3 and 2^64")]
    RsaExponent,
    /// Not one PEM block with the label `PUBLIC KEY`.
    #[error("public key is not a PEM block labelled PUBLIC KEY")]
    Pem,
}

/// A public key in its original encoding. Equal when the encodings are.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    spki: Box<[u8]>,
    /// Where the BIT STRING content lies in `spki`.
    raw: Range<usize>,
    algorithm: KeyAlgorithm,
}

impl PublicKey {
    /// Reads DER SubjectPublicKeyInfo.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyError> {
        if der.len() > MAX_PUBLIC_KEY_BYTES {
            return Err(KeyError::TooLarge { bytes: der.len() });
        }
        let mut spki = Elements::new(tlv::document(der, tlv::SEQUENCE)?.value);
        let mut identifier = spki.sequence()?;
        let oid = identifier.oid()?;
        let raw = spki.whole_bits()?;
        spki.finish()?;
        let algorithm = match oid.as_str() {
            EC_PUBLIC_KEY => ec_algorithm(&mut identifier, raw)?,
            RSA_ENCRYPTION => rsa_algorithm(&mut identifier, raw)?,
            ED25519 => ed25519_algorithm(&identifier, raw)?,
            _ => return Err(KeyError::UnsupportedAlgorithm { oid }),
        };
        // The BIT STRING content is the tail of the encoding: `finish` saw nothing after it.
        let raw = der.len() - raw.len()..der.len();
        Ok(Self { spki: der.into(), raw, algorithm })
    }

    /// Reads one PEM block labelled `PUBLIC KEY` (RFC 7468 section 13), white space around it
    /// allowed.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        Self::from_spki_der(&pem_block(pem, PEM_LABEL).ok_or(KeyError::Pem)?)
    }

    /// PEM with 64-column lines and a newline at the end.
    #[must_use]
    pub fn to_pem(&self) -> String {
        // Encoding fails only on a malformed label or an overflowing length; neither can be.
        pem_rfc7468::encode_string(PEM_LABEL, LineEnding::LF, &self.spki).unwrap_or_default()
    }

    /// The kind of key.
    #[must_use]
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The SubjectPublicKeyInfo in DER, as it was given.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The content of the BIT STRING: an uncompressed point, an RSAPublicKey in DER or 32 bytes of
    /// Ed25519.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        self.spki.get(self.raw.clone()).unwrap_or_default()
    }

    /// SHA-256 of the SubjectPublicKeyInfo: the log id of RFC 6962 and the usual key hint.
    #[must_use]
    pub fn id(&self) -> [u8; 32] {
        Sha256::digest(&self.spki).into()
    }

    /// The hash this key signs digests with by default: the curve's own size, SHA-256 for RSA,
    /// none for Ed25519, which hashes for itself.
    #[must_use]
    pub fn default_hash(&self) -> Option<HashAlgorithm> {
        match self.algorithm {
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::Rsa { .. } => Some(HashAlgorithm::Sha256),
            KeyAlgorithm::EcdsaP384 => Some(HashAlgorithm::Sha384),
            KeyAlgorithm::EcdsaP521 => Some(HashAlgorithm::Sha512),
            KeyAlgorithm::Ed25519 => None,
        }
    }
}

/// The algorithm and the key id in hexadecimal; a key of 500 bytes helps nobody in a log.
impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let id = crate::digest::Digest::sha256(self.id());
        write!(f, "PublicKey({:?}, {})", self.algorithm, id.to_hex())
    }
}

/// The content of one PEM block with this label and nothing but white space around it. The decoder
/// alone would pass over text before the block.
pub(crate) fn pem_block(pem: &str, label: &str) -> Option<Vec<u8>> {
    let pem = pem.trim_ascii();
    if !pem.starts_with("-----BEGIN ") {
        return None;
    }
    match pem_rfc7468::decode_vec(pem.as_bytes()) {
        Ok((found, der)) if found == label => Some(der),
        _ => None,
    }
}

fn ec_algorithm(parameters: &mut Elements<'_>, point: &[u8]) -> Result<KeyAlgorithm, KeyError> {
    // Named curves only (RFC 5480 section 2.1.1): explicit parameters let the sender choose the
    // generator, and so forge (CVE-2020-0601).
    if parameters.peek() != Some(tlv::OBJECT_IDENTIFIER) {
        return Err(KeyError::WrongParameters);
    }
    let curve = parameters.oid()?;
    parameters.finish().map_err(|_| KeyError::WrongParameters)?;
    let (algorithm, field_bytes) = match curve.as_str() {
        P256 => (KeyAlgorithm::EcdsaP256, 32),
        P384 => (KeyAlgorithm::EcdsaP384, 48),
        P521 => (KeyAlgorithm::EcdsaP521, 66),
        _ => return Err(KeyError::UnsupportedCurve { oid: curve }),
    };
    if point.first() != Some(&UNCOMPRESSED) || point.len() != 1 + 2 * field_bytes {
        return Err(KeyError::BadPoint);
    }
    Ok(algorithm)
}

fn rsa_algorithm(parameters: &mut Elements<'_>, key: &[u8]) -> Result<KeyAlgorithm, KeyError> {
    // RFC 3279 section 2.3.1: the parameters are NULL, present.
    match parameters.next() {
        Ok(null) if null.tag == tlv::NULL && null.value.is_empty() && parameters.is_empty() => {}
        _ => return Err(KeyError::WrongParameters),
    }
    let mut numbers = Elements::new(tlv::document(key, tlv::SEQUENCE)?.value);
    let modulus = numbers.unsigned()?;
    let exponent = numbers.unsigned()?;
    numbers.finish()?;
    let bits = bit_length(modulus);
    if !(2048..=8192).contains(&bits) {
        return Err(KeyError::RsaSize { bits });
    }
    if modulus.last().is_none_or(|byte| byte & 1 == 0) {
        return Err(KeyError::RsaModulusEven);
    }
    let odd = exponent.last().is_some_and(|byte| byte & 1 == 1);
    if !odd || !(2..=64).contains(&bit_length(exponent)) {
        return Err(KeyError::RsaExponent);
    }
    Ok(KeyAlgorithm::Rsa { bits })
}

fn ed25519_algorithm(parameters: &Elements<'_>, key: &[u8]) -> Result<KeyAlgorithm, KeyError> {
    // RFC 8410 section 3: the parameters are absent.
    if !parameters.is_empty() {
        return Err(KeyError::WrongParameters);
    }
    if key.len() != 32 {
        return Err(KeyError::BadEd25519Length { actual: key.len() });
    }
    Ok(KeyAlgorithm::Ed25519)
}

/// Bits of a canonical, non-negative big-endian integer.
fn bit_length(content: &[u8]) -> u32 {
    let digits = content.strip_prefix(&[0]).unwrap_or(content);
    let whole = u32::try_from(digits.len()).unwrap_or(u32::MAX / 8).saturating_mul(8);
    whole - digits.first().map_or(0, |byte| byte.leading_zeros())
}

const PEM_LABEL: &str = "PUBLIC KEY";
const UNCOMPRESSED: u8 = 0x04;
const EC_PUBLIC_KEY: &str = "1.2.840.10045.2.1";
const RSA_ENCRYPTION: &str = "1.2.840.113549.1.1.1";
const ED25519: &str = "1.3.101.112";
const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
const P521: &str = "1.3.132.0.35";

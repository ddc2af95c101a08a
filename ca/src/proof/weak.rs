//! Keys of a known kind that must not be certified, because others could sign with them too.
//!
//! The rules are those that Let's Encrypt applies to its subscribers' keys: RSA sizes and
//! exponent, small factors, the ROCA fingerprint, close primes, and points off their curve. For
//! Ed25519 the points of small order are refused, under which one signature fits many messages.

mod factor;
mod number;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519,
    ParsedPublicKey, VerificationAlgorithm,
};
use der::asn1::UintRef;
use der::{Decode, Sequence};
use formats::key::{KeyAlgorithm, PublicKey};
use thiserror::Error;

use self::number::Number;

/// Why a key is weak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WeakKey {
    /// An RSA modulus of another length than those that are accepted.
    #[error("RSA modulus of {bits} bits, not 2048, 3072 or 4096")]
    RsaSize {
        /// Its length in bits.
        bits: u32,
    },
    /// An RSA exponent other than 65537.
    #[error("RSA exponent is not 65537")]
    RsaExponent,
    /// An RSA modulus with a small prime factor.
    #[error("RSA modulus is divisible by {prime}")]
    SmallFactor {
        /// The factor.
        prime: u32,
    },
    /// An RSA modulus with the structure of CVE-2017-15361, which is factored in practice.
    #[error("RSA modulus has the ROCA fingerprint")]
    Roca,
    /// An RSA modulus of two primes so close that Fermat's method finds them.
    #[error("RSA modulus is the product of two close primes")]
    ClosePrimes,
    /// A point that is not on its curve.
    #[error("the point is not on its curve")]
    OffCurve,
    /// An Ed25519 point of small order.
    #[error("Ed25519 point of small order")]
    SmallOrder,
}

pub(super) fn check(key: &PublicKey) -> Result<(), WeakKey> {
    match key.algorithm() {
        KeyAlgorithm::EcdsaP256 => on_curve(&ECDSA_P256_SHA256_ASN1, key),
        KeyAlgorithm::EcdsaP384 => on_curve(&ECDSA_P384_SHA384_ASN1, key),
        KeyAlgorithm::EcdsaP521 => on_curve(&ECDSA_P521_SHA512_ASN1, key),
        KeyAlgorithm::Ed25519 => ed25519(key),
        KeyAlgorithm::Rsa { bits } => rsa(bits, key.raw()),
    }
}

fn on_curve(algorithm: &'static dyn VerificationAlgorithm, key: &PublicKey) -> Result<(), WeakKey> {
    ParsedPublicKey::new(algorithm, key.raw()).map(drop).map_err(|_| WeakKey::OffCurve)
}

fn ed25519(key: &PublicKey) -> Result<(), WeakKey> {
    on_curve(&ED25519, key)?;
    // The top bit is the sign of x and says nothing of the order.
    let mut y = key.raw().to_vec();
    if let Some(last) = y.last_mut() {
        *last &= 0x7f;
    }
    if SMALL_ORDER_Y.iter().any(|small| y == small) {
        return Err(WeakKey::SmallOrder);
    }
    Ok(())
}

fn rsa(bits: u32, key: &[u8]) -> Result<(), WeakKey> {
    if !matches!(bits, 2048 | 3072 | 4096) {
        return Err(WeakKey::RsaSize { bits });
    }
    // Its shape was checked when it was read, so an error here is an exponent too wide as well.
    let numbers = RsaPublicKey::from_der(key).map_err(|_| WeakKey::RsaExponent)?;
    if numbers.exponent.as_bytes() != EXPONENT_65537 {
        return Err(WeakKey::RsaExponent);
    }
    let modulus = Number::from_be_bytes(numbers.modulus.as_bytes());
    if let Some(prime) = factor::small(&modulus) {
        return Err(WeakKey::SmallFactor { prime });
    }
    if factor::has_roca_fingerprint(&modulus) {
        return Err(WeakKey::Roca);
    }
    if factor::has_close_primes(&modulus) {
        return Err(WeakKey::ClosePrimes);
    }
    Ok(())
}

/// RFC 8017 A.1.1.
#[derive(Sequence)]
struct RsaPublicKey<'k> {
    modulus: UintRef<'k>,
    exponent: UintRef<'k>,
}

const EXPONENT_65537: &[u8] = &[0x01, 0x00, 0x01];

/// The y coordinates of the eight points of small order of RFC 8032's curve, little-endian, with
/// the two that are written p and p + 1 instead of 0 and 1.
const SMALL_ORDER_Y: [[u8; 32]; 7] = [
    y_of(0x00, 0x00, 0x00),
    y_of(0x01, 0x00, 0x00),
    ORDER_EIGHT,
    ORDER_EIGHT_NEGATED,
    y_of(0xec, 0xff, 0x7f),
    y_of(0xed, 0xff, 0x7f),
    y_of(0xee, 0xff, 0x7f),
];

const fn y_of(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut y = [middle; 32];
    y[0] = first;
    y[31] = last;
    y
}

const ORDER_EIGHT: [u8; 32] = [
    0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
    0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
];
const ORDER_EIGHT_NEGATED: [u8; 32] = [
    0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
    0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
];

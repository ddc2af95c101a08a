//! protobuf-specs' `PublicKeyDetails`: one name for key type, size, padding and hash together.

use crate::digest::HashAlgorithm;

use super::{KeyAlgorithm, PublicKey};

/// A row of the algorithm registry that we sign or verify with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyDetails {
    /// ECDSA P-256 over SHA-256.
    EcdsaP256Sha256,
    /// ECDSA P-384 over SHA-384.
    EcdsaP384Sha384,
    /// ECDSA P-384 over SHA-256, as old clients signed; deprecated by the registry.
    EcdsaP384Sha256,
    /// ECDSA P-521 over SHA-512.
    EcdsaP521Sha512,
    /// ECDSA P-521 over SHA-256, as old clients signed; deprecated by the registry.
    EcdsaP521Sha256,
    /// RSA PKCS #1 v1.5 over SHA-256.
    RsaPkcs1Sha256 {
        /// The size of the modulus.
        bits: RsaSize,
    },
    /// Ed25519 over the message itself.
    Ed25519,
    /// Ed25519ph over SHA-512 of the message (RFC 8032 section 5.1).
    Ed25519ph,
}

/// The RSA sizes that the registry has rows for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RsaSize {
    /// 2048 bits.
    Bits2048,
    /// 3072 bits.
    Bits3072,
    /// 4096 bits.
    Bits4096,
}

impl RsaSize {
    /// The size in bits.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Bits2048 => 2048,
            Self::Bits3072 => 3072,
            Self::Bits4096 => 4096,
        }
    }

    const ALL: [Self; 3] = [Self::Bits2048, Self::Bits3072, Self::Bits4096];
}

impl KeyDetails {
    /// Every row.
    pub const ALL: [Self; 10] = [
        Self::EcdsaP256Sha256,
        Self::EcdsaP384Sha384,
        Self::EcdsaP384Sha256,
        Self::EcdsaP521Sha512,
        Self::EcdsaP521Sha256,
        Self::RsaPkcs1Sha256 { bits: RsaSize::Bits2048 },
        Self::RsaPkcs1Sha256 { bits: RsaSize::Bits3072 },
        Self::RsaPkcs1Sha256 { bits: RsaSize::Bits4096 },
        Self::Ed25519,
        Self::Ed25519ph,
    ];

    /// The protobuf enum name.
    #[must_use]
    pub const fn proto_name(self) -> &'static str {
        match self {
            Self::EcdsaP256Sha256 => "PKIX_ECDSA_P256_SHA_256",
            Self::EcdsaP384Sha384 => "PKIX_ECDSA_P384_SHA_384",
            Self::EcdsaP384Sha256 => "PKIX_ECDSA_P384_SHA_256",
            Self::EcdsaP521Sha512 => "PKIX_ECDSA_P521_SHA_512",
            Self::EcdsaP521Sha256 => "PKIX_ECDSA_P521_SHA_256",
            Self::RsaPkcs1Sha256 { bits: RsaSize::Bits2048 } => "PKIX_RSA_PKCS1V15_2048_SHA256",
            Self::RsaPkcs1Sha256 { bits: RsaSize::Bits3072 } => "PKIX_RSA_PKCS1V15_3072_SHA256",
            Self::RsaPkcs1Sha256 { bits: RsaSize::Bits4096 } => "PKIX_RSA_PKCS1V15_4096_SHA256",
            Self::Ed25519 => "PKIX_ED25519",
            Self::Ed25519ph => "PKIX_ED25519_PH",
        }
    }

    /// The row with this protobuf enum name; `None` for those we neither sign nor verify with.
    #[must_use]
    pub fn from_proto_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|details| details.proto_name() == name)
    }

    /// The usual row for a key; `None` for an RSA size without a row. Ed25519 gives pure Ed25519.
    #[must_use]
    pub fn for_key(key: &PublicKey) -> Option<Self> {
        Some(match key.algorithm() {
            KeyAlgorithm::EcdsaP256 => Self::EcdsaP256Sha256,
            KeyAlgorithm::EcdsaP384 => Self::EcdsaP384Sha384,
            KeyAlgorithm::EcdsaP521 => Self::EcdsaP521Sha512,
            KeyAlgorithm::Rsa { bits } => Self::RsaPkcs1Sha256 {
                bits: RsaSize::ALL.into_iter().find(|size| size.bits() == bits)?,
            },
            KeyAlgorithm::Ed25519 => Self::Ed25519,
        })
    }

    /// Whether a key is of this row's type and size.
    #[must_use]
    pub fn fits(self, key: &PublicKey) -> bool {
        let algorithm = key.algorithm();
        match self {
            Self::EcdsaP256Sha256 => algorithm == KeyAlgorithm::EcdsaP256,
            Self::EcdsaP384Sha384 | Self::EcdsaP384Sha256 => algorithm == KeyAlgorithm::EcdsaP384,
            Self::EcdsaP521Sha512 | Self::EcdsaP521Sha256 => algorithm == KeyAlgorithm::EcdsaP521,
            Self::RsaPkcs1Sha256 { bits } => algorithm == KeyAlgorithm::Rsa { bits: bits.bits() },
            Self::Ed25519 | Self::Ed25519ph => algorithm == KeyAlgorithm::Ed25519,
        }
    }

    /// The hash that is signed; `None` for pure Ed25519, which takes the message.
    #[must_use]
    pub const fn hash(self) -> Option<HashAlgorithm> {
        match self {
            Self::EcdsaP256Sha256
            | Self::EcdsaP384Sha256
            | Self::EcdsaP521Sha256
            | Self::RsaPkcs1Sha256 { .. } => Some(HashAlgorithm::Sha256),
            Self::EcdsaP384Sha384 => Some(HashAlgorithm::Sha384),
            Self::EcdsaP521Sha512 | Self::Ed25519ph => Some(HashAlgorithm::Sha512),
            Self::Ed25519 => None,
        }
    }
}

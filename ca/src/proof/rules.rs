//! Which keys may be certified, with which hash: the names of Sigstore's algorithm registry.

use formats::key::{KeyAlgorithm, PublicKey};
use serde::{Deserialize, Serialize};
use verify::crypto::Scheme;

use super::ProofRefusal;

/// One accepted kind of key with its hash. Its serde form is the registry's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeyRule {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ecdsa-sha2-256-nistp256")]
    EcdsaP256Sha256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ecdsa-sha2-384-nistp384")]
    EcdsaP384Sha384,
    /// ECDSA on P-521 with SHA-512.
    #[serde(rename = "ecdsa-sha2-512-nistp521")]
    EcdsaP521Sha512,
    /// ECDSA on P-384 with SHA-256: only requests can be signed so. Not a default.
    #[serde(rename = "ecdsa-sha2-256-nistp384")]
    EcdsaP384Sha256,
    /// ECDSA on P-521 with SHA-256: only requests can be signed so. Not a default.
    #[serde(rename = "ecdsa-sha2-256-nistp521")]
    EcdsaP521Sha256,
    /// RSA of 2048 bits, PKCS#1 v1.5 with SHA-256.
    #[serde(rename = "rsa-sign-pkcs1-2048-sha256")]
    Rsa2048Sha256,
    /// RSA of 3072 bits, PKCS#1 v1.5 with SHA-256.
    #[serde(rename = "rsa-sign-pkcs1-3072-sha256")]
    Rsa3072Sha256,
    /// RSA of 4096 bits, PKCS#1 v1.5 with SHA-256.
    #[serde(rename = "rsa-sign-pkcs1-4096-sha256")]
    Rsa4096Sha256,
    /// Pure Ed25519.
    #[serde(rename = "ed25519")]
    Ed25519,
}

impl KeyRule {
    /// What Fulcio accepts unless told otherwise, and so do we.
    pub const DEFAULTS: [Self; 7] = [
        Self::EcdsaP256Sha256,
        Self::EcdsaP384Sha384,
        Self::EcdsaP521Sha512,
        Self::Rsa2048Sha256,
        Self::Rsa3072Sha256,
        Self::Rsa4096Sha256,
        Self::Ed25519,
    ];

    const ALL: [Self; 9] = [
        Self::EcdsaP256Sha256,
        Self::EcdsaP384Sha384,
        Self::EcdsaP521Sha512,
        Self::EcdsaP384Sha256,
        Self::EcdsaP521Sha256,
        Self::Rsa2048Sha256,
        Self::Rsa3072Sha256,
        Self::Rsa4096Sha256,
        Self::Ed25519,
    ];

    /// The registry's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::EcdsaP256Sha256 => "ecdsa-sha2-256-nistp256",
            Self::EcdsaP384Sha384 => "ecdsa-sha2-384-nistp384",
            Self::EcdsaP521Sha512 => "ecdsa-sha2-512-nistp521",
            Self::EcdsaP384Sha256 => "ecdsa-sha2-256-nistp384",
            Self::EcdsaP521Sha256 => "ecdsa-sha2-256-nistp521",
            Self::Rsa2048Sha256 => "rsa-sign-pkcs1-2048-sha256",
            Self::Rsa3072Sha256 => "rsa-sign-pkcs1-3072-sha256",
            Self::Rsa4096Sha256 => "rsa-sign-pkcs1-4096-sha256",
            Self::Ed25519 => "ed25519",
        }
    }

    const fn parts(self) -> (KeyAlgorithm, Scheme) {
        match self {
            Self::EcdsaP256Sha256 => (KeyAlgorithm::EcdsaP256, Scheme::EcdsaSha256),
            Self::EcdsaP384Sha384 => (KeyAlgorithm::EcdsaP384, Scheme::EcdsaSha384),
            Self::EcdsaP521Sha512 => (KeyAlgorithm::EcdsaP521, Scheme::EcdsaSha512),
            Self::EcdsaP384Sha256 => (KeyAlgorithm::EcdsaP384, Scheme::EcdsaSha256),
            Self::EcdsaP521Sha256 => (KeyAlgorithm::EcdsaP521, Scheme::EcdsaSha256),
            Self::Rsa2048Sha256 => (KeyAlgorithm::Rsa { bits: 2048 }, Scheme::RsaPkcs1Sha256),
            Self::Rsa3072Sha256 => (KeyAlgorithm::Rsa { bits: 3072 }, Scheme::RsaPkcs1Sha256),
            Self::Rsa4096Sha256 => (KeyAlgorithm::Rsa { bits: 4096 }, Scheme::RsaPkcs1Sha256),
            Self::Ed25519 => (KeyAlgorithm::Ed25519, Scheme::Ed25519),
        }
    }
}

/// Checks a key and the scheme it signed with against the operator's list. An empty list permits
/// nothing.
pub(super) fn check(
    key: &PublicKey,
    scheme: Scheme,
    allowed: &[KeyRule],
) -> Result<(), ProofRefusal> {
    let used = (key.algorithm(), scheme);
    if allowed.iter().any(|rule| rule.parts() == used) {
        return Ok(());
    }
    let algorithm = match KeyRule::ALL.into_iter().find(|rule| rule.parts() == used) {
        Some(rule) => rule.name().to_owned(),
        None => describe(used.0, used.1),
    };
    let names: Vec<&str> = allowed.iter().map(|rule| rule.name()).collect();
    let allowed = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Err(ProofRefusal::NotAllowed { algorithm, allowed })
}

fn describe(key: KeyAlgorithm, scheme: Scheme) -> String {
    let kind = match key {
        KeyAlgorithm::EcdsaP256 => "ECDSA P-256".to_owned(),
        KeyAlgorithm::EcdsaP384 => "ECDSA P-384".to_owned(),
        KeyAlgorithm::EcdsaP521 => "ECDSA P-521".to_owned(),
        KeyAlgorithm::Rsa { bits } => format!("RSA {bits}"),
        KeyAlgorithm::Ed25519 => "Ed25519".to_owned(),
    };
    match scheme {
        Scheme::EcdsaSha256 | Scheme::RsaPkcs1Sha256 => format!("{kind} with SHA-256"),
        Scheme::EcdsaSha384 | Scheme::RsaPkcs1Sha384 => format!("{kind} with SHA-384"),
        Scheme::EcdsaSha512 | Scheme::RsaPkcs1Sha512 => format!("{kind} with SHA-512"),
        Scheme::Ed25519 => kind,
    }
}

//! The one door to the cryptographic provider. Everything else in this workspace that checks a
//! signature comes through here, so that another provider (a browser build, a validated module)
//! is a change in this file alone.
//!
//! The scheme is always a function of a key that the caller already trusts, never of a field that
//! came with the signature; [`Scheme::for_key`] is that function. Ed25519ph goes to
//! `ed25519-dalek`, because the provider has no prehashed form of it.

use aws_lc_rs::digest as provider_digest;
use aws_lc_rs::signature::{self as provider, UnparsedPublicKey, VerificationAlgorithm};
use ed25519_dalek::{Signature as EdSignature, VerifyingKey as EdKey};
use formats::certificate::{Certificate, SignatureAlgorithm};
use formats::digest::{Digest, HashAlgorithm};
use formats::key::{KeyAlgorithm, PublicKey};
use sha2::digest::consts::U64;
use sha2::digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Update};

/// Verifies `signature` over `message` with `key`.
///
/// ECDSA signatures are DER (`Ecdsa-Sig-Value`, RFC 3279 2.2.3), RSA is PKCS#1 v1.5 (RFC 8017
/// 8.2), Ed25519 is the pure form (RFC 8032 5.1).
///
/// # Errors
/// [`SignatureError::SchemeDoesNotFitKey`] when the scheme is of another family than the key,
/// [`SignatureError::Invalid`] when the signature (or the key's point) does not hold.
pub fn verify_message(
    key: &PublicKey,
    scheme: Scheme,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let algorithm =
        provider_algorithm(key.algorithm(), scheme).ok_or(SignatureError::SchemeDoesNotFitKey)?;
    UnparsedPublicKey::new(algorithm, key.raw())
        .verify(message, signature)
        .map_err(|_| SignatureError::Invalid)
}

/// Verifies `signature` over a message of which only `digest` is known.
///
/// Which of the three hashes is right for an ECDSA key is the caller's rule, taken from the
/// key (see [`Scheme::for_key`]). An Ed25519 key is used as Ed25519ph with an empty context (RFC
/// 8032 5.1), which exists for SHA-512 alone.
///
/// # Errors
/// [`SignatureError::DigestDoesNotFitKey`] for Ed25519 with any digest but SHA-512,
/// [`SignatureError::Invalid`] when the signature does not hold.
pub fn verify_digest(
    key: &PublicKey,
    digest: &Digest,
    signature: &[u8],
) -> Result<(), SignatureError> {
    let scheme = match key.algorithm() {
        KeyAlgorithm::Ed25519 => return verify_ed25519ph(key, digest, signature),
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521 => {
            match digest.algorithm() {
                HashAlgorithm::Sha256 => Scheme::EcdsaSha256,
                HashAlgorithm::Sha384 => Scheme::EcdsaSha384,
                HashAlgorithm::Sha512 => Scheme::EcdsaSha512,
            }
        }
        KeyAlgorithm::Rsa { .. } => match digest.algorithm() {
            HashAlgorithm::Sha256 => Scheme::RsaPkcs1Sha256,
            HashAlgorithm::Sha384 => Scheme::RsaPkcs1Sha384,
            HashAlgorithm::Sha512 => Scheme::RsaPkcs1Sha512,
        },
    };
    let algorithm =
        provider_algorithm(key.algorithm(), scheme).ok_or(SignatureError::SchemeDoesNotFitKey)?;
    let hashed = match digest.algorithm() {
        HashAlgorithm::Sha256 => &provider_digest::SHA256,
        HashAlgorithm::Sha384 => &provider_digest::SHA384,
        HashAlgorithm::Sha512 => &provider_digest::SHA512,
    };
    let imported = provider_digest::Digest::import_less_safe(digest.as_bytes(), hashed)
        .map_err(|_| SignatureError::DigestDoesNotFitKey)?;
    UnparsedPublicKey::new(algorithm, key.raw())
        .verify_digest(&imported, signature)
        .map_err(|_| SignatureError::Invalid)
}

/// Verifies that `issuer` signed `certificate` (RFC 5280 6.1.3 (a)(1)). Says nothing about names,
/// dates or permissions.
///
/// # Errors
/// As [`verify_message`]; the scheme is the certificate's own signature algorithm, which only a
/// key of the same family can satisfy.
pub fn verify_certificate_signature(
    issuer: &PublicKey,
    certificate: &Certificate,
) -> Result<(), SignatureError> {
    let scheme = Scheme::from(certificate.signature_algorithm());
    verify_message(issuer, scheme, certificate.tbs(), certificate.signature())
}

/// A signature family together with its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// ECDSA over SHA-256, on the curve of the key.
    EcdsaSha256,
    /// ECDSA over SHA-384, on the curve of the key.
    EcdsaSha384,
    /// ECDSA over SHA-512, on the curve of the key.
    EcdsaSha512,
    /// RSASSA-PKCS1-v1_5 over SHA-256.
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 over SHA-384.
    RsaPkcs1Sha384,
    /// RSASSA-PKCS1-v1_5 over SHA-512.
    RsaPkcs1Sha512,
    /// Ed25519 over the message itself.
    Ed25519,
}

impl Scheme {
    /// The one scheme a key of this kind signs with: P-256 with SHA-256, P-384 with SHA-384, P-521
    /// with SHA-512, RSA PKCS#1 v1.5 with SHA-256, Ed25519.
    #[must_use]
    pub fn for_key(key: &PublicKey) -> Self {
        match key.algorithm() {
            KeyAlgorithm::EcdsaP256 => Self::EcdsaSha256,
            KeyAlgorithm::EcdsaP384 => Self::EcdsaSha384,
            KeyAlgorithm::EcdsaP521 => Self::EcdsaSha512,
            KeyAlgorithm::Rsa { .. } => Self::RsaPkcs1Sha256,
            KeyAlgorithm::Ed25519 => Self::Ed25519,
        }
    }
}

impl From<SignatureAlgorithm> for Scheme {
    fn from(algorithm: SignatureAlgorithm) -> Self {
        match algorithm {
            SignatureAlgorithm::EcdsaSha256 => Self::EcdsaSha256,
            SignatureAlgorithm::EcdsaSha384 => Self::EcdsaSha384,
            SignatureAlgorithm::EcdsaSha512 => Self::EcdsaSha512,
            SignatureAlgorithm::RsaPkcs1Sha256 => Self::RsaPkcs1Sha256,
            SignatureAlgorithm::RsaPkcs1Sha384 => Self::RsaPkcs1Sha384,
            SignatureAlgorithm::RsaPkcs1Sha512 => Self::RsaPkcs1Sha512,
            SignatureAlgorithm::Ed25519 => Self::Ed25519,
        }
    }
}

/// Why a signature was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SignatureError {
    /// The signature does not hold for this key and message, or the key is not a point of its
    /// curve.
    #[error("the signature does not verify under the key")]
    Invalid,
    /// The scheme belongs to another family of keys.
    #[error("the signature scheme does not fit the kind of key")]
    SchemeDoesNotFitKey,
    /// The key cannot sign a digest of this algorithm or length.
    #[error("the digest algorithm does not fit the kind of key")]
    DigestDoesNotFitKey,
}

fn provider_algorithm(
    key: KeyAlgorithm,
    scheme: Scheme,
) -> Option<&'static dyn VerificationAlgorithm> {
    match (key, scheme) {
        (KeyAlgorithm::EcdsaP256, Scheme::EcdsaSha256) => Some(&provider::ECDSA_P256_SHA256_ASN1),
        (KeyAlgorithm::EcdsaP256, Scheme::EcdsaSha384) => Some(&provider::ECDSA_P256_SHA384_ASN1),
        (KeyAlgorithm::EcdsaP256, Scheme::EcdsaSha512) => Some(&provider::ECDSA_P256_SHA512_ASN1),
        (KeyAlgorithm::EcdsaP384, Scheme::EcdsaSha256) => Some(&provider::ECDSA_P384_SHA256_ASN1),
        (KeyAlgorithm::EcdsaP384, Scheme::EcdsaSha384) => Some(&provider::ECDSA_P384_SHA384_ASN1),
        (KeyAlgorithm::EcdsaP384, Scheme::EcdsaSha512) => Some(&provider::ECDSA_P384_SHA512_ASN1),
        (KeyAlgorithm::EcdsaP521, Scheme::EcdsaSha256) => Some(&provider::ECDSA_P521_SHA256_ASN1),
        (KeyAlgorithm::EcdsaP521, Scheme::EcdsaSha384) => Some(&provider::ECDSA_P521_SHA384_ASN1),
        (KeyAlgorithm::EcdsaP521, Scheme::EcdsaSha512) => Some(&provider::ECDSA_P521_SHA512_ASN1),
        (KeyAlgorithm::Rsa { .. }, Scheme::RsaPkcs1Sha256) => {
            Some(&provider::RSA_PKCS1_2048_8192_SHA256)
        }
        (KeyAlgorithm::Rsa { .. }, Scheme::RsaPkcs1Sha384) => {
            Some(&provider::RSA_PKCS1_2048_8192_SHA384)
        }
        (KeyAlgorithm::Rsa { .. }, Scheme::RsaPkcs1Sha512) => {
            Some(&provider::RSA_PKCS1_2048_8192_SHA512)
        }
        (KeyAlgorithm::Ed25519, Scheme::Ed25519) => Some(&provider::ED25519),
        (
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 | KeyAlgorithm::EcdsaP521,
            Scheme::RsaPkcs1Sha256
            | Scheme::RsaPkcs1Sha384
            | Scheme::RsaPkcs1Sha512
            | Scheme::Ed25519,
        )
        | (
            KeyAlgorithm::Rsa { .. },
            Scheme::EcdsaSha256 | Scheme::EcdsaSha384 | Scheme::EcdsaSha512 | Scheme::Ed25519,
        )
        | (
            KeyAlgorithm::Ed25519,
            Scheme::EcdsaSha256
            | Scheme::EcdsaSha384
            | Scheme::EcdsaSha512
            | Scheme::RsaPkcs1Sha256
            | Scheme::RsaPkcs1Sha384
            | Scheme::RsaPkcs1Sha512,
        ) => None,
    }
}

fn verify_ed25519ph(
    key: &PublicKey,
    digest: &Digest,
    signature: &[u8],
) -> Result<(), SignatureError> {
    let hashed: [u8; 64] = match digest.algorithm() {
        HashAlgorithm::Sha512 => {
            digest.as_bytes().try_into().map_err(|_| SignatureError::DigestDoesNotFitKey)?
        }
        HashAlgorithm::Sha256 | HashAlgorithm::Sha384 => {
            return Err(SignatureError::DigestDoesNotFitKey);
        }
    };
    let raw: [u8; 32] = key.raw().try_into().map_err(|_| SignatureError::Invalid)?;
    let key = EdKey::from_bytes(&raw).map_err(|_| SignatureError::Invalid)?;
    let signature = EdSignature::from_slice(signature).map_err(|_| SignatureError::Invalid)?;
    // The strict form refuses keys of small order, under which one signature fits many messages.
    key.verify_prehashed_strict(FinishedSha512(hashed), None, &signature)
        .map_err(|_| SignatureError::Invalid)
}

/// A SHA-512 that was computed elsewhere, in the shape that `verify_prehashed_strict` asks for.
struct FinishedSha512([u8; 64]);

impl Default for FinishedSha512 {
    fn default() -> Self {
        Self([0; 64])
    }
}

impl OutputSizeUser for FinishedSha512 {
    type OutputSize = U64;
}

impl Update for FinishedSha512 {
    // The hash is finished: taking more bytes in must never leave it looking like the same one.
    fn update(&mut self, _data: &[u8]) {
        self.0 = [0; 64];
    }
}

impl FixedOutput for FinishedSha512 {
    fn finalize_into(self, out: &mut Output<Self>) {
        out.copy_from_slice(&self.0);
    }
}

impl HashMarker for FinishedSha512 {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rcgen::{KeyPair, PublicKeyData as _, SigningKey as _};

    fn key(algorithm: &'static rcgen::SignatureAlgorithm) -> (KeyPair, PublicKey) {
        let pair = KeyPair::generate_for(algorithm).unwrap();
        let public = PublicKey::from_spki_der(&pair.subject_public_key_info()).unwrap();
        (pair, public)
    }

    #[test]
    fn each_kind_of_key_verifies_its_own_scheme_and_no_other() {
        let kinds = [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Scheme::EcdsaSha256),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Scheme::EcdsaSha384),
            (&rcgen::PKCS_ECDSA_P521_SHA512, Scheme::EcdsaSha512),
            (&rcgen::PKCS_ECDSA_P521_SHA256, Scheme::EcdsaSha256),
            (&rcgen::PKCS_ED25519, Scheme::Ed25519),
            (&rcgen::PKCS_RSA_SHA256, Scheme::RsaPkcs1Sha256),
        ];
        for (algorithm, scheme) in kinds {
            let (pair, public) = key(algorithm);
            let signature = pair.sign(b"message").unwrap();
            assert_eq!(verify_message(&public, scheme, b"message", &signature), Ok(()));
            let invalid = Err(SignatureError::Invalid);
            assert_eq!(verify_message(&public, scheme, b"massage", &signature), invalid);
            assert_eq!(verify_message(&public, scheme, b"message", &[]), invalid);
            for other in ALL.into_iter().filter(|other| *other != scheme) {
                assert!(verify_message(&public, other, b"message", &signature).is_err());
            }
        }
    }

    #[test]
    fn scheme_of_another_family_is_named() {
        let families = [
            (&rcgen::PKCS_ECDSA_P256_SHA256, vec![Scheme::Ed25519, Scheme::RsaPkcs1Sha256]),
            (&rcgen::PKCS_ED25519, vec![Scheme::EcdsaSha256, Scheme::RsaPkcs1Sha512]),
            (&rcgen::PKCS_RSA_SHA256, vec![Scheme::EcdsaSha384, Scheme::Ed25519]),
        ];
        for (algorithm, others) in families {
            let (_, public) = key(algorithm);
            for other in others {
                let verdict = verify_message(&public, other, b"", b"");
                assert_eq!(verdict, Err(SignatureError::SchemeDoesNotFitKey));
            }
        }
    }

    #[test]
    fn digest_stands_for_the_message() {
        for (algorithm, hash) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, HashAlgorithm::Sha256),
            (&rcgen::PKCS_ECDSA_P384_SHA384, HashAlgorithm::Sha384),
            (&rcgen::PKCS_ECDSA_P521_SHA512, HashAlgorithm::Sha512),
            (&rcgen::PKCS_RSA_SHA256, HashAlgorithm::Sha256),
        ] {
            let (pair, public) = key(algorithm);
            let signature = pair.sign(b"message").unwrap();
            assert_eq!(verify_digest(&public, &hash.digest(b"message"), &signature), Ok(()));
            for other in HashAlgorithm::ALL {
                let verdict = verify_digest(&public, &other.digest(b"massage"), &signature);
                assert_eq!(verdict, Err(SignatureError::Invalid));
            }
        }
    }

    /// RFC 8032 section 7.3, "-----TEST abc".
    #[test]
    fn ed25519ph_of_the_standard() {
        let public = hex("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf");
        let signature = hex(concat!(
            "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae41",
            "31f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406"
        ));
        let spki = [hex("302a300506032b6570032100"), public].concat();
        let key = PublicKey::from_spki_der(&spki).unwrap();
        let abc = HashAlgorithm::Sha512.digest(b"abc");
        assert_eq!(verify_digest(&key, &abc, &signature), Ok(()));
        let other = HashAlgorithm::Sha512.digest(b"abd");
        assert_eq!(verify_digest(&key, &other, &signature), Err(SignatureError::Invalid));
        let plain = verify_message(&key, Scheme::Ed25519, b"abc", &signature);
        assert_eq!(plain, Err(SignatureError::Invalid));
        let short = HashAlgorithm::Sha256.digest(b"abc");
        assert_eq!(
            verify_digest(&key, &short, &signature),
            Err(SignatureError::DigestDoesNotFitKey)
        );
    }

    #[test]
    fn plain_ed25519_is_not_prehashed() {
        let (pair, public) = key(&rcgen::PKCS_ED25519);
        let signature = pair.sign(b"abc").unwrap();
        let digest = HashAlgorithm::Sha512.digest(b"abc");
        assert_eq!(verify_message(&public, Scheme::Ed25519, b"abc", &signature), Ok(()));
        assert_eq!(verify_digest(&public, &digest, &signature), Err(SignatureError::Invalid));
    }

    #[test]
    fn point_off_the_curve_verifies_nothing() {
        let (pair, public) = key(&rcgen::PKCS_ECDSA_P256_SHA256);
        let signature = pair.sign(b"message").unwrap();
        let mut spki = public.spki_der().to_vec();
        *spki.last_mut().unwrap() ^= 1;
        let public = PublicKey::from_spki_der(&spki).unwrap();
        let verdict = verify_message(&public, Scheme::EcdsaSha256, b"message", &signature);
        assert_eq!(verdict, Err(SignatureError::Invalid));
    }

    #[test]
    fn ecdsa_signature_is_strict_der() {
        let (pair, public) = key(&rcgen::PKCS_ECDSA_P256_SHA256);
        let signature = pair.sign(b"message").unwrap();
        let judge = |bytes: &[u8]| verify_message(&public, Scheme::EcdsaSha256, b"message", bytes);
        assert_eq!(judge(&signature), Ok(()));
        let trailing = [signature.as_slice(), &[0]].concat();
        assert_eq!(judge(&trailing), Err(SignatureError::Invalid));
        let (head, tail) = signature.split_at(1);
        let long_form = [head, &[0x81], tail].concat();
        assert_eq!(judge(&long_form), Err(SignatureError::Invalid));
    }

    fn hex(text: &str) -> Vec<u8> {
        text.as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    const ALL: [Scheme; 7] = [
        Scheme::EcdsaSha256,
        Scheme::EcdsaSha384,
        Scheme::EcdsaSha512,
        Scheme::RsaPkcs1Sha256,
        Scheme::RsaPkcs1Sha384,
        Scheme::RsaPkcs1Sha512,
        Scheme::Ed25519,
    ];
}

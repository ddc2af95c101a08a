//! One-use keys of every kind that clients bring, their proofs and their PKCS#10 requests.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
    ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RsaEncoding, RsaKeyPair, UnparsedPublicKey,
};

use serde_json::{Value, json};

use crate::der::{children, element, pem, sequence, tlv};
use crate::token::segment;

/// A private key with its SubjectPublicKeyInfo.
pub struct Key {
    private: Private,
    spki: Vec<u8>,
    signature_algorithm: &'static [u8],
    details: &'static str,
}

enum Private {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl Key {
    /// ECDSA P-256 with SHA-256: what clients use.
    #[must_use]
    pub fn p256() -> Self {
        Self::ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_WITH_SHA256, "PKIX_ECDSA_P256_SHA_256")
    }

    /// ECDSA P-384 with SHA-384.
    #[must_use]
    pub fn p384() -> Self {
        Self::ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_WITH_SHA384, "PKIX_ECDSA_P384_SHA_384")
    }

    /// ECDSA P-521 with SHA-512.
    #[must_use]
    pub fn p521() -> Self {
        Self::ecdsa(&ECDSA_P521_SHA512_ASN1_SIGNING, ECDSA_WITH_SHA512, "PKIX_ECDSA_P521_SHA_512")
    }

    /// Ed25519.
    ///
    /// # Panics
    /// When the provider fails.
    #[must_use]
    pub fn ed25519() -> Self {
        let pair = Ed25519KeyPair::generate().expect("a key can be made");
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("an SPKI");
        let spki = spki.as_ref().to_vec();
        Self {
            private: Private::Ed25519(pair),
            spki,
            signature_algorithm: ED25519,
            details: "PKIX_ED25519",
        }
    }

    /// RSA-2048 with PKCS#1 v1.5 and SHA-256.
    ///
    /// # Panics
    /// When the provider fails.
    #[must_use]
    pub fn rsa2048() -> Self {
        Self::rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key can be made"))
    }

    /// An RSA key in PKCS#8 PEM.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn rsa_from_pem(text: &str) -> Self {
        let der = crate::der::unpem(text);
        Self::rsa(RsaKeyPair::from_pkcs8(&der).expect("an RSA key in PKCS#8"))
    }

    fn rsa(pair: RsaKeyPair) -> Self {
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("an SPKI");
        let spki = spki.as_ref().to_vec();
        Self {
            private: Private::Rsa(Box::new(pair)),
            spki,
            signature_algorithm: RSA_WITH_SHA256,
            details: "PKIX_RSA_PKCS1V15_2048_SHA256",
        }
    }

    fn ecdsa(
        algorithm: &'static EcdsaSigningAlgorithm,
        signature_algorithm: &'static [u8],
        details: &'static str,
    ) -> Self {
        let pair = EcdsaKeyPair::generate(algorithm).expect("a key can be made");
        let spki: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("an SPKI");
        let spki = spki.as_ref().to_vec();
        Self { private: Private::Ecdsa(pair), spki, signature_algorithm, details }
    }

    /// Signs a message with the key's own hash: ECDSA in DER, RSA PKCS#1 v1.5, pure Ed25519.
    ///
    /// # Panics
    /// When the provider fails.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        match &self.private {
            Private::Ecdsa(pair) => {
                pair.sign(&SystemRandom::new(), message).expect("signing").as_ref().to_vec()
            }
            Private::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Private::Rsa(_) => self.sign_rsa(&RSA_PKCS1_SHA256, message),
        }
    }

    /// Signs with RSA in another encoding.
    ///
    /// # Panics
    /// When the key is none of RSA.
    #[must_use]
    pub fn sign_rsa(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let Private::Rsa(pair) = &self.private else { panic!("not an RSA key") };
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), message, &mut signature).expect("signing");
        signature
    }

    /// SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// SubjectPublicKeyInfo in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem("PUBLIC KEY", &self.spki)
    }

    /// The name of key kind and hash in Sigstore's protocols.
    #[must_use]
    pub const fn details(&self) -> &'static str {
        self.details
    }

    /// The key as a JWK (RFC 7517) with this `kid` and `alg`.
    ///
    /// # Panics
    /// For an Ed25519 key.
    #[must_use]
    pub fn jwk(&self, key_id: &str, algorithm: &str) -> Value {
        let bits = &children(element(&self.spki).0.content)[1].content[1..];
        let mut jwk = match &self.private {
            Private::Rsa(_) => {
                let modulus = element(element(bits).0.content).0.content;
                let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
                json!({ "kty": "RSA", "n": segment(modulus), "e": "AQAB" })
            }
            Private::Ecdsa(_) => {
                let (x, y) = bits[1..].split_at(bits.len() / 2);
                let curve = format!("P-{}", if x.len() == 66 { 521 } else { x.len() * 8 });
                json!({ "kty": "EC", "crv": curve, "x": segment(x), "y": segment(y) })
            }
            Private::Ed25519(_) => panic!("no JWK for Ed25519 here"),
        };
        jwk["kid"] = key_id.into();
        jwk["alg"] = algorithm.into();
        jwk["use"] = "sig".into();
        jwk
    }

    /// An ECDSA signature as JWS has it (RFC 7518 section 3.4): r and s, each of fixed width.
    ///
    /// # Panics
    /// For a key of another kind.
    #[must_use]
    pub fn sign_fixed(&self, message: &[u8]) -> Vec<u8> {
        assert!(matches!(self.private, Private::Ecdsa(_)), "an ECDSA key");
        let width = (children(element(&self.spki).0.content)[1].content.len() - 2) / 2;
        let signature = self.sign(message);
        let mut fixed = Vec::new();
        for number in children(element(&signature).0.content) {
            let digits = number.content.strip_prefix(&[0]).unwrap_or(number.content);
            fixed.extend(vec![0; width - digits.len()]);
            fixed.extend_from_slice(digits);
        }
        fixed
    }

    /// A PKCS#10 request (RFC 2986) with an empty subject, in PEM.
    #[must_use]
    pub fn csr(&self) -> String {
        self.csr_for(&self.spki)
    }

    /// A PKCS#10 request for any key, signed by this one.
    #[must_use]
    pub fn csr_for(&self, spki: &[u8]) -> String {
        let info = sequence(&[&[2, 1, 0], &tlv(0x30, b""), spki, &tlv(0xa0, b"")]);
        let mut bits = vec![0];
        bits.extend(self.sign(&info));
        let request = sequence(&[&info, self.signature_algorithm, &tlv(0x03, &bits)]);
        pem("CERTIFICATE REQUEST", &request)
    }
}

/// Whether an ECDSA P-256 signature in DER holds over a message.
#[must_use]
pub fn p256_verifies(spki: &[u8], message: &[u8], signature: &[u8]) -> bool {
    // In the SPKI of a P-256 key the uncompressed point stands last.
    let Some(point) = spki.len().checked_sub(65).and_then(|at| spki.get(at..)) else {
        return false;
    };
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(message, signature).is_ok()
}

const ECDSA_WITH_SHA256: &[u8] =
    &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ECDSA_WITH_SHA384: &[u8] =
    &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
const ECDSA_WITH_SHA512: &[u8] =
    &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04];
const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
const RSA_WITH_SHA256: &[u8] =
    &[0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00];

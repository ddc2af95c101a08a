//! The key door: proof that the caller holds the private half of the key it wants certified.
//!
//! Two forms, one result: a signature over the identity's challenge, or a PKCS#10 request signed
//! by the key that it carries. Both make a [`ProvenKey`], which is the key that is certified; no
//! name, attribute or extension of a request goes any further.

mod csr;
mod rules;
mod weak;

use formats::key::{KeyError, PublicKey};
use thiserror::Error;
use verify::crypto::{self, Scheme};

use crate::identity::VerifiedIdentity;

pub use self::csr::CsrFault;
pub use self::rules::KeyRule;
pub use self::weak::WeakKey;

/// A public key whose private half the caller has shown to hold. Only [`signed_challenge`] and
/// [`csr()`] make one, and issuing takes it by value.
#[derive(Debug)]
pub struct ProvenKey(PublicKey);

impl ProvenKey {
    /// The key to certify.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.0
    }
}

/// Checks a signature over [`VerifiedIdentity::challenge`].
///
/// `key` is PEM (`PUBLIC KEY`, or `RSA PUBLIC KEY` of PKCS#1) or a DER SubjectPublicKeyInfo. The
/// scheme follows from the key: ECDSA in DER with the hash of the curve's size, RSA PKCS#1 v1.5
/// with SHA-256, pure Ed25519.
///
/// # Errors
/// A key that is malformed, weak or not in `allowed`, or a signature that does not hold for this
/// key and this identity.
pub fn signed_challenge(
    key: &[u8],
    signature: &[u8],
    identity: &VerifiedIdentity,
    allowed: &[KeyRule],
) -> Result<ProvenKey, ProofRefusal> {
    let key = read_key(key)?;
    weak::check(&key)?;
    let scheme = Scheme::for_key(&key);
    rules::check(&key, scheme, allowed)?;
    crypto::verify_message(&key, scheme, identity.challenge().as_bytes(), signature)
        .map_err(|_| ProofRefusal::ChallengeSignature)?;
    Ok(ProvenKey(key))
}

/// Checks a PKCS#10 request (RFC 2986) in PEM (`CERTIFICATE REQUEST` or `NEW CERTIFICATE REQUEST`)
/// and takes its key. Everything else in it is ignored, and still has to be well formed.
///
/// # Errors
/// A request that is malformed or not signed by its own key, or a key that is weak or not in
/// `allowed` with the hash the request was signed with.
pub fn csr(pem: &[u8], allowed: &[KeyRule]) -> Result<ProvenKey, ProofRefusal> {
    let request = csr::Request::from_pem(pem)?;
    weak::check(&request.key)?;
    rules::check(&request.key, request.scheme, allowed)?;
    crypto::verify_message(&request.key, request.scheme, &request.signed, &request.signature)
        .map_err(|_| ProofRefusal::RequestSignature)?;
    Ok(ProvenKey(request.key))
}

/// Why no key was proven. No message holds bytes of the request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProofRefusal {
    /// The key is neither PEM nor DER of a kind known here.
    #[error("the public key could not be parsed: {0}")]
    Key(#[from] KeyFault),
    /// The key is of a known kind and must not be used.
    #[error("the public key is insecure: {0}")]
    Weak(#[from] WeakKey),
    /// The kind of key, or its hash, is not in the operator's list.
    #[error("signing algorithm not permitted: {algorithm}; configured: {allowed}")]
    NotAllowed {
        /// The key's algorithm and hash, by the registry's name where it has one.
        algorithm: String,
        /// The configured rules.
        allowed: String,
    },
    /// The signature over the challenge does not hold.
    #[error("the signature over the identity's challenge does not verify under the public key")]
    ChallengeSignature,
    /// The request is not a PKCS#10 request of a kind known here.
    #[error("the certificate signing request could not be parsed: {0}")]
    Request(#[from] CsrFault),
    /// The request is not signed by the key that it carries.
    #[error("the certificate signing request is not signed by its own key")]
    RequestSignature,
}

impl ProofRefusal {
    /// A stable kebab-case name of the cause, for metrics and audit records. The set is finite.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key(_) => "key-malformed",
            Self::Weak(_) => "key-weak",
            Self::NotAllowed { .. } => "key-not-allowed",
            Self::ChallengeSignature => "challenge-signature",
            Self::Request(_) => "csr-malformed",
            Self::RequestSignature => "csr-signature",
        }
    }
}

/// Why bytes are no public key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// PEM that does not decode, or with another label.
    #[error("not a PEM block labelled PUBLIC KEY or RSA PUBLIC KEY")]
    Pem,
    /// Not a SubjectPublicKeyInfo of a kind known here.
    #[error("{0}")]
    Spki(#[from] KeyError),
}

fn read_key(bytes: &[u8]) -> Result<PublicKey, KeyFault> {
    let text = bytes.trim_ascii();
    if !text.starts_with(PEM_START) {
        return Ok(PublicKey::from_spki_der(bytes)?);
    }
    let (label, der) = pem_rfc7468::decode_vec(text).map_err(|_| KeyFault::Pem)?;
    match label {
        "PUBLIC KEY" => Ok(PublicKey::from_spki_der(&der)?),
        "RSA PUBLIC KEY" => Ok(PublicKey::from_spki_der(&rsa_spki(&der))?),
        _ => Err(KeyFault::Pem),
    }
}

/// Wraps an RSAPublicKey (RFC 8017 A.1.1) in the SubjectPublicKeyInfo of RFC 3279 2.3.1. What is
/// inside is judged by the reader of the result.
fn rsa_spki(key: &[u8]) -> Vec<u8> {
    let mut bits = vec![0];
    bits.extend_from_slice(key);
    let mut content = RSA_ALGORITHM.to_vec();
    content.extend(element(0x03, &bits));
    element(0x30, &content)
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let digits = length.get(length.iter().take_while(|b| **b == 0).count()..).unwrap_or_default();
    let mut out = vec![tag];
    match (u8::try_from(content.len()), u8::try_from(digits.len())) {
        (Ok(short), _) if short < 0x80 => out.push(short),
        (_, Ok(count)) => {
            out.push(0x80 | count);
            out.extend_from_slice(digits);
        }
        (_, Err(_)) => {}
    }
    out.extend_from_slice(content);
    out
}

const PEM_START: &[u8] = b"-----BEGIN ";
/// AlgorithmIdentifier of rsaEncryption with NULL parameters.
const RSA_ALGORITHM: [u8; 15] =
    [0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00];

#[cfg(test)]
mod tests;

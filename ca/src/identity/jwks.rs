//! An issuer's published keys (RFC 7517), and the signature check under them.
//!
//! The key decides the algorithm: its kind, its JWK's own `alg`, and the issuer's list. The
//! token's `alg` can only agree with that or be refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use formats::json;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};

use super::claims::Claims;
use super::config::Alg;
use super::fetch::{FetchFault, MAX_DOCUMENT_BYTES};
use super::token::Unverified;

/// The usable signing keys of one issuer.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    kind: KeyKind,
    algorithm: Option<Alg>,
    material: DecodingKey,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// Claims under a signature that held. Only [`KeySet::open`] makes it.
pub(super) struct SignedClaims<'u>(&'u Claims);

impl SignedClaims<'_> {
    pub(super) fn claims(&self) -> &Claims {
        self.0
    }
}

/// Why no key opened a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OpenFault {
    /// No key has the token's `kid`.
    NoSuchKey,
    /// Keys have it, but are of another kind or for another algorithm.
    NotForAlgorithm,
    /// The signature does not hold.
    Invalid,
}

impl KeySet {
    /// Reads a JWK set. Keys that cannot verify a token (for encryption, symmetric, of an unknown
    /// kind, too small, broken) are left out and break nothing; a document without one usable
    /// key is refused.
    pub(super) fn parse(document: &[u8]) -> Result<Self, FetchFault> {
        let members: Map<String, Value> = json::from_slice_capped(document, MAX_DOCUMENT_BYTES)
            .map_err(|_| FetchFault::KeysMalformed)?;
        let Some(Value::Array(keys)) = members.get("keys") else {
            return Err(FetchFault::KeysMalformed);
        };
        let keys: Vec<Key> = keys.iter().filter_map(Key::read).take(MAX_KEYS).collect();
        if keys.is_empty() {
            return Err(FetchFault::NoUsableKey);
        }
        Ok(Self(keys))
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Checks the signature of a token. `kid` is compared and nothing else: a token with one is
    /// tried under the keys that have the same, a token without one under all.
    pub(super) fn open<'u>(
        &self,
        token: &'u Unverified<'_>,
    ) -> Result<SignedClaims<'u>, OpenFault> {
        let wanted = token.header.key_id.as_deref();
        let mut fault = OpenFault::NoSuchKey;
        for key in &self.0 {
            if wanted.is_some() && key.id.as_deref() != wanted {
                continue;
            }
            if !key.is_for(token.header.algorithm) {
                fault = match fault {
                    OpenFault::Invalid => OpenFault::Invalid,
                    OpenFault::NoSuchKey | OpenFault::NotForAlgorithm => OpenFault::NotForAlgorithm,
                };
                continue;
            }
            if key.verifies(token) {
                return Ok(SignedClaims(token.claims()));
            }
            fault = OpenFault::Invalid;
        }
        Err(fault)
    }
}

impl Key {
    fn read(jwk: &Value) -> Option<Self> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        let bytes = |name: &str| text(name).and_then(|t| URL_SAFE_NO_PAD.decode(t).ok());
        if !is_for_signatures(jwk) || PRIVATE_MEMBERS.iter().any(|m| jwk.get(m).is_some()) {
            return None;
        }
        let (kind, material) = match (text("kty")?, text("crv")) {
            ("RSA", None) => (KeyKind::Rsa, rsa(&bytes("n")?, &bytes("e")?)?),
            ("EC", Some("P-256")) => (KeyKind::P256, point(&bytes("x")?, &bytes("y")?, 32)?),
            ("EC", Some("P-384")) => (KeyKind::P384, point(&bytes("x")?, &bytes("y")?, 48)?),
            ("OKP", Some("Ed25519")) => {
                let x = bytes("x").filter(|x| x.len() == 32)?;
                (KeyKind::Ed25519, DecodingKey::from_ed_der(&x))
            }
            _ => return None,
        };
        let algorithm = match jwk.get("alg") {
            None | Some(Value::Null) => None,
            Some(Value::String(name)) => Some(Alg::from_name(name)?),
            Some(_) => return None,
        };
        if algorithm.is_some_and(|alg| kind_of(alg) != kind) {
            return None;
        }
        let id = match jwk.get("kid") {
            None | Some(Value::Null) => None,
            Some(Value::String(kid)) => Some(kid.clone()),
            Some(_) => return None,
        };
        Some(Self { id, kind, algorithm, material })
    }

    fn is_for(&self, algorithm: Alg) -> bool {
        self.kind == kind_of(algorithm) && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// The provider is named, not looked up: the library's own default panics when a second
    /// backend is compiled in.
    fn verifies(&self, token: &Unverified<'_>) -> bool {
        (DEFAULT_PROVIDER.verifier_factory)(&provider_name(token.header.algorithm), &self.material)
            .is_ok_and(|verifier| verifier.verify(token.signing_input, &token.signature).is_ok())
    }
}

/// `use` and `key_ops` (RFC 7517 4.2, 4.3), where present, must allow verifying.
fn is_for_signatures(jwk: &Value) -> bool {
    let usage = match jwk.get("use") {
        None | Some(Value::Null) => true,
        Some(usage) => usage.as_str() == Some("sig"),
    };
    let operations = match jwk.get("key_ops") {
        None | Some(Value::Null) => true,
        Some(operations) => operations
            .as_array()
            .is_some_and(|list| list.iter().any(|op| op.as_str() == Some("verify"))),
    };
    usage && operations
}

/// RSA of 2048 to 8192 bits with an odd exponent above 1. Some issuers write the modulus with a
/// leading zero byte, which RFC 7518 6.3.1.1 forbids and everybody accepts.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Option<DecodingKey> {
    let modulus = modulus.get(modulus.iter().position(|b| *b != 0)?..)?;
    let exponent = exponent.get(exponent.iter().position(|b| *b != 0)?..)?;
    let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
    let odd = |number: &[u8]| number.last().is_some_and(|b| b & 1 == 1);
    let exponent_fits = exponent.len() <= 5 && odd(exponent) && exponent != [1];
    ((2048..=8192).contains(&bits) && odd(modulus) && exponent_fits)
        .then(|| DecodingKey::from_rsa_raw_components(modulus, exponent))
}

/// An uncompressed point (SEC 1 2.3.3). That it lies on the curve is checked with the signature.
fn point(x: &[u8], y: &[u8], width: usize) -> Option<DecodingKey> {
    if x.len() != width || y.len() != width {
        return None;
    }
    Some(DecodingKey::from_ec_der(&[&[4], x, y].concat()))
}

fn kind_of(algorithm: Alg) -> KeyKind {
    match algorithm {
        Alg::RS256 | Alg::RS384 | Alg::RS512 | Alg::PS256 | Alg::PS384 | Alg::PS512 => KeyKind::Rsa,
        Alg::ES256 => KeyKind::P256,
        Alg::ES384 => KeyKind::P384,
        Alg::EdDSA => KeyKind::Ed25519,
    }
}

fn provider_name(algorithm: Alg) -> Algorithm {
    match algorithm {
        Alg::RS256 => Algorithm::RS256,
        Alg::RS384 => Algorithm::RS384,
        Alg::RS512 => Algorithm::RS512,
        Alg::PS256 => Algorithm::PS256,
        Alg::PS384 => Algorithm::PS384,
        Alg::PS512 => Algorithm::PS512,
        Alg::ES256 => Algorithm::ES256,
        Alg::ES384 => Algorithm::ES384,
        Alg::EdDSA => Algorithm::EdDSA,
    }
}

/// A token without `kid` is tried under every key, so their number bounds what it costs.
const MAX_KEYS: usize = 32;

/// Members that only a private or symmetric key has. A set that publishes one has given the key
/// away, and anybody could sign with it.
const PRIVATE_MEMBERS: [&str; 3] = ["d", "k", "priv"];

//! Tokens and issuers for the tests: keys are pinned, and it is always the same second.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair, RsaEncoding};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use ca::identity::{
    Alg, Clock, Identities, IssuerConfig, IssuerKind, Token, TokenRefusal, VerifiedIdentity,
};
use ca::oidc_dev::DevIssuer;
use serde_json::{Value, json};

pub const NOW: i64 = 1_800_000_000;
pub const ISSUER: &str = "http://localhost:8700/oidc";
pub const OTHER: &str = "https://other.example";

pub static KEY: LazyLock<String> = LazyLock::new(|| DevIssuer::generate_key().unwrap().to_string());
pub static RSA: LazyLock<RsaKey> = LazyLock::new(|| RsaKey::generate(KeySize::Rsa2048).unwrap());

pub fn clock() -> Clock {
    Arc::new(|| NOW)
}

pub fn dev() -> DevIssuer {
    DevIssuer::new(ISSUER, &KEY, clock()).unwrap()
}

/// One e-mail issuer with the development key pinned, and a second that no token here is from.
pub fn identities() -> Identities {
    let other = IssuerConfig::new(OTHER, "sigstore", IssuerKind::Email);
    let identities = Identities::new(vec![dev().trust(), other], clock()).unwrap();
    identities.pin_keys(ISSUER, dev().jwks()).unwrap();
    let jwks = json!({ "keys": [rsa_jwk(&RSA)] }).to_string();
    identities.pin_keys(OTHER, jwks.as_bytes()).unwrap();
    identities
}

/// One issuer with these keys and algorithms.
pub fn identities_of(jwks: &Value, algorithms: &[Alg]) -> Identities {
    let mut config = IssuerConfig::new(ISSUER, "sigstore", IssuerKind::Email);
    config.algorithms = algorithms.to_vec();
    let identities = Identities::new(vec![config], clock()).unwrap();
    identities.pin_keys(ISSUER, jwks.to_string().as_bytes()).unwrap();
    identities
}

pub fn verify(identities: &Identities, token: &str) -> Result<VerifiedIdentity, TokenRefusal> {
    let token = Token::new(token.as_bytes().to_vec())?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(identities.verify(&token))
}

pub fn good() -> Value {
    json!({
        "iss": ISSUER, "sub": "subject-1", "aud": "sigstore", "iat": NOW, "exp": NOW + 600,
        "email": "alice@example.com", "email_verified": true,
    })
}

/// The good claims with one changed; null takes it away.
pub fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    let members = claims.as_object_mut().unwrap();
    match value {
        Value::Null => members.remove(name),
        value => members.insert(name.to_owned(), value),
    };
    claims
}

pub fn verify_claims(claims: &Value) -> Result<VerifiedIdentity, TokenRefusal> {
    verify(&identities(), &dev().mint(claims).unwrap())
}

pub fn verify_header(header: &Value) -> Result<VerifiedIdentity, TokenRefusal> {
    let token = dev().sign(header.to_string().as_bytes(), good().to_string().as_bytes()).unwrap();
    verify(&identities(), &token)
}

pub fn header() -> Value {
    json!({ "alg": "RS256", "kid": dev().key_id(), "typ": "JWT" })
}

pub fn header_with(name: &str, value: Value) -> Value {
    let mut header = header();
    header.as_object_mut().unwrap().insert(name.to_owned(), value);
    header
}

pub fn missing(claim: &str) -> TokenRefusal {
    TokenRefusal::ClaimMissing { claim: claim.to_owned() }
}

pub fn wrong_type(claim: &str, expected: &'static str) -> TokenRefusal {
    TokenRefusal::ClaimType { claim: claim.to_owned(), expected }
}

pub fn signing_input(header: &Value, claims: &Value) -> String {
    format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()))
}

pub fn assemble(input: &str, signature: &[u8]) -> String {
    format!("{input}.{}", B64.encode(signature))
}

pub fn modulus(key: &RsaKey) -> Vec<u8> {
    key.public_key().modulus().big_endian_without_leading_zero().to_vec()
}

pub fn rsa_jwk(key: &RsaKey) -> Value {
    let exponent = key.public_key().exponent().big_endian_without_leading_zero().to_vec();
    json!({ "kty": "RSA", "n": B64.encode(modulus(key)), "e": B64.encode(exponent) })
}

pub fn rsa_sign(encoding: &'static dyn RsaEncoding, input: &str) -> Vec<u8> {
    let mut signature = vec![0; RSA.public_modulus_len()];
    RSA.sign(encoding, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
    signature
}

pub fn rsa_token(alg: &str, encoding: &'static dyn RsaEncoding, claims: &Value) -> String {
    let input = signing_input(&json!({ "alg": alg }), claims);
    assemble(&input, &rsa_sign(encoding, &input))
}

pub fn ec_jwk(key: &EcdsaKeyPair) -> Value {
    let point = key.public_key().as_ref();
    let width = (point.len() - 1) / 2;
    let crv = if width == 32 { "P-256" } else { "P-384" };
    let (x, y) = point[1..].split_at(width);
    json!({ "kty": "EC", "crv": crv, "x": B64.encode(x), "y": B64.encode(y) })
}

pub fn ec_token(alg: &str, key: &EcdsaKeyPair, claims: &Value) -> String {
    let input = signing_input(&json!({ "alg": alg }), claims);
    let signature = key.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    assemble(&input, signature.as_ref())
}

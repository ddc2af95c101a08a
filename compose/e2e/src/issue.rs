//! Requests for certificates, and what comes of them.

use serde_json::{Value, json};

use crate::der::all_pem;
use crate::http::Response;
use crate::instance::Instance;
use crate::key::Key;
use crate::{b64, token};

/// A v2 request with a signed challenge; the token goes in a header.
#[must_use]
pub fn challenge(key: &Key, challenge: &str) -> Value {
    challenge_with(&key.pem(), &key.sign(challenge.as_bytes()))
}

/// A v2 request with this key and this proof.
#[must_use]
pub fn challenge_with(pem: &str, proof: &[u8]) -> Value {
    json!({ "publicKeyRequest": {
        "publicKey": { "algorithm": "ECDSA", "content": pem },
        "proofOfPossession": b64(proof),
    }})
}

/// A v2 request with a certificate signing request in PEM.
#[must_use]
pub fn csr(pem: &str) -> Value {
    json!({ "certificateSigningRequest": b64(pem.as_bytes()) })
}

/// Posts a v2 request with the token in the Authorization header.
#[must_use]
pub fn post_v2(instance: &Instance, token: &str, body: &Value) -> Response {
    let authorization = format!("Bearer {token}");
    instance.post("/api/v2/signingCert", &[("authorization", &authorization)], body)
}

/// A v2 request for a token that claims to be `email`'s, right in everything but maybe the token.
#[must_use]
pub fn with_token(instance: &Instance, token: &str, email: &str) -> Response {
    post_v2(instance, token, &challenge(&Key::p256(), email))
}

/// An issued chain: DER, leaf first.
///
/// # Panics
/// When the answer is not 200 with one chain.
#[must_use]
pub fn chain(response: &Response) -> Vec<Vec<u8>> {
    assert_eq!(response.status, 200, "{}", response.text());
    let body = response.json();
    let chain = &body["signedCertificateEmbeddedSct"]["chain"]["certificates"];
    let chain = chain.as_array().unwrap_or_else(|| panic!("no chain: {body}"));
    chain
        .iter()
        .map(|pem| {
            let pem = pem.as_str().expect("PEM is a string");
            assert!(!pem.ends_with('\n'), "v2 certificates have no trailing line feed");
            let [der] = <[_; 1]>::try_from(all_pem(pem)).expect("one certificate each");
            der
        })
        .collect()
}

/// A good certificate for this identity, on a key of its own.
///
/// # Panics
/// When none is issued.
#[must_use]
pub fn certificate(instance: &Instance, email: &str) -> (Key, Vec<Vec<u8>>) {
    let key = Key::p256();
    let token = token::token(instance, email);
    let response = post_v2(instance, &token, &challenge(&key, email));
    let chain = chain(&response);
    (key, chain)
}

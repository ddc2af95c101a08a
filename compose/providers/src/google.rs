//! Google as an OpenID provider.
//!
//! From Google's documents "OpenID Connect" and "Google OpenID Connect API Reference": the
//! discovery document, the parameters of the authorization and token endpoints, the claims of an
//! ID token (`hd` only for accounts of a Workspace domain, `email` and `email_verified` with the
//! scope `email`, an hour of life), and redirect URIs that "must exactly match". Its issuer is its
//! own URL unless another is given; the real one's is `https://accounts.google.com`.

mod authorize;
mod token;

use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::accounts::GoogleAccount;
use crate::consent::Consents;
use crate::random_hex;
use crate::registration::Registration;

/// A Google with these accounts and one registered web application.
#[derive(Clone)]
pub struct Google(Arc<Inner>);

struct Inner {
    url: String,
    issuer: String,
    client: Registration,
    accounts: Vec<GoogleAccount>,
    consents: Consents,
    key: KeyPair,
    key_id: String,
}

impl Google {
    /// A Google at this URL (no slash at its end), whose tokens name this issuer.
    ///
    /// # Panics
    /// When no key can be made.
    #[must_use]
    pub fn new(
        url: &str,
        issuer: &str,
        client: Registration,
        accounts: Vec<GoogleAccount>,
    ) -> Self {
        Self(Arc::new(Inner {
            url: url.to_owned(),
            issuer: issuer.to_owned(),
            client,
            accounts,
            consents: Consents::default(),
            key: KeyPair::generate(KeySize::Rsa2048).expect("a key can be made"),
            key_id: random_hex(20),
        }))
    }

    /// Its pages and endpoints.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/o/oauth2/v2/auth", get(authorize::show).post(authorize::submit))
            .route("/token", post(token::token))
            .route("/oauth2/v3/certs", get(certs))
            .with_state(self.clone())
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({ "alg": "RS256", "kid": self.0.key_id, "typ": "JWT" });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let mut jwt = format!("{}.{}", encode(&header), encode(claims));
        let mut signature = vec![0; self.0.key.public_modulus_len()];
        self.0
            .key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), jwt.as_bytes(), &mut signature)
            .expect("an RSA key signs");
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(&signature, &mut jwt);
        jwt
    }
}

async fn discovery(State(google): State<Google>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", google.0.url);
    Json(json!({
        "issuer": google.0.issuer,
        "authorization_endpoint": at("/o/oauth2/v2/auth"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/oauth2/v3/certs"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "scopes_supported": ["openid", "email", "profile"],
        "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
        "claims_supported": [
            "aud", "email", "email_verified", "exp", "iat", "iss", "name", "sub",
        ],
        "code_challenge_methods_supported": ["plain", "S256"],
        "grant_types_supported": ["authorization_code"],
    }))
}

async fn certs(State(google): State<Google>) -> Json<Value> {
    let public = google.0.key.public_key();
    let number = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    Json(json!({ "keys": [{
        "kty": "RSA",
        "use": "sig",
        "alg": "RS256",
        "kid": google.0.key_id,
        "n": number(public.modulus().big_endian_without_leading_zero()),
        "e": number(public.exponent().big_endian_without_leading_zero()),
    }] }))
}

const NAME: &str = "Google";

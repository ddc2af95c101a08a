//! The development issuer: an OpenID provider that believes every address it is told.
//!
//! It stands in for a real provider on a developer's own machine, so that every client's sign-in
//! can be used and tested without an account anywhere. It refuses an issuer URL that is not on
//! loopback, answers only to loopback host names (a page elsewhere that rebinds its name to
//! 127.0.0.1 gets no token), and redirects only to loopback.

mod answer;
mod authorize;
mod grants;
mod page;
mod redeem;
mod redirect;

use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::url::Url;
use pem_rfc7468::LineEnding;
use serde_json::{Value, json};
use thiserror::Error;
use zeroize::Zeroizing;

use self::grants::Grants;
use crate::identity::config::{is_loopback, issuer_url};
use crate::identity::{Clock, IssuerConfig, IssuerKind, email};

/// A development issuer with its key. Cloning shares both, and the sign-ins in progress.
#[derive(Clone)]
pub struct DevIssuer(Arc<Inner>);

struct Inner {
    issuer: String,
    /// The path that the router is mounted at: the issuer URL's.
    path: String,
    key: KeyPair,
    key_id: String,
    jwks: Vec<u8>,
    clock: Clock,
    grants: Mutex<Grants>,
}

impl DevIssuer {
    /// An issuer at this URL (`http://localhost:8700/oidc`), signing with this RSA key in PKCS#8
    /// PEM.
    ///
    /// # Errors
    /// [`DevIssuerError::NotLoopback`], or [`DevIssuerError::Key`].
    pub fn new(issuer: &str, key_pem: &str, clock: Clock) -> Result<Self, DevIssuerError> {
        let url = issuer_url(issuer).ok().filter(is_loopback).filter(|url| url.scheme() == "http");
        let url = url.ok_or(DevIssuerError::NotLoopback)?;
        let (label, der) = pem_rfc7468::decode_vec(key_pem.trim_ascii().as_bytes())
            .map_err(|_| DevIssuerError::Key)?;
        let der = Zeroizing::new(der);
        if label != KEY_LABEL {
            return Err(DevIssuerError::Key);
        }
        let key = KeyPair::from_pkcs8(&der).map_err(|_| DevIssuerError::Key)?;
        let (key_id, jwks) = publish(&key);
        Ok(Self(Arc::new(Inner {
            issuer: issuer.to_owned(),
            path: mount_path(&url),
            key,
            key_id,
            jwks,
            clock,
            grants: Mutex::default(),
        })))
    }

    /// Makes a new key: RSA-2048 in PKCS#8 PEM. Takes a tenth of a second or so.
    ///
    /// # Errors
    /// [`DevIssuerError::Provider`] if the cryptographic provider fails.
    pub fn generate_key() -> Result<Zeroizing<String>, DevIssuerError> {
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(|_| DevIssuerError::Provider)?;
        let der = key.as_der().map_err(|_| DevIssuerError::Provider)?;
        pem_rfc7468::encode_string(KEY_LABEL, LineEnding::LF, der.as_ref())
            .map(Zeroizing::new)
            .map_err(|_| DevIssuerError::Provider)
    }

    /// The issuer URL: the `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Its JWK set as JSON. Whoever runs it in the same process pins this
    /// ([`crate::identity::Identities::pin_keys`]) instead of fetching it.
    #[must_use]
    pub fn jwks(&self) -> &[u8] {
        &self.0.jwks
    }

    /// How an instance trusts it: as an issuer of e-mail identities for the audience `sigstore`.
    #[must_use]
    pub fn trust(&self) -> IssuerConfig {
        IssuerConfig::new(self.issuer(), DEFAULT_AUDIENCE, IssuerKind::Email)
    }

    /// A token for this address, good for ten minutes. The usual audience is `sigstore`.
    ///
    /// # Errors
    /// [`DevIssuerError::Email`] or [`DevIssuerError::Audience`] for what no token can carry.
    pub fn token(&self, email: &str, audience: &str) -> Result<String, DevIssuerError> {
        self.token_with_nonce(email, audience, None)
    }

    /// A token with exactly these claims, right or wrong. For tests and `ca token --claims`.
    ///
    /// # Errors
    /// [`DevIssuerError::Provider`] if the cryptographic provider fails.
    pub fn mint(&self, claims: &Value) -> Result<String, DevIssuerError> {
        let header = json!({ "alg": "RS256", "kid": self.0.key_id, "typ": "JWT" });
        self.sign(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }

    /// Signs any header and any claims (RS256), so that a test can forge what [`Self::mint`]
    /// would not write.
    ///
    /// # Errors
    /// [`DevIssuerError::Provider`] if the cryptographic provider fails.
    pub fn sign(&self, header: &[u8], claims: &[u8]) -> Result<String, DevIssuerError> {
        let mut jwt =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let mut signature = vec![0; self.0.key.public_modulus_len()];
        self.0
            .key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), jwt.as_bytes(), &mut signature)
            .map_err(|_| DevIssuerError::Provider)?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(&signature, &mut jwt);
        Ok(jwt)
    }

    /// The `kid` of its one key, for forged headers.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.0.key_id
    }

    /// Its pages and endpoints, to be nested at the issuer URL's path.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/.well-known/openid-configuration", get(answer::discovery))
            .route("/jwks", get(answer::jwks))
            .route("/auth", get(authorize::show).post(authorize::submit))
            .route("/token", post(redeem::token))
            .route("/dev/token", get(answer::dev_token))
            .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
            .layer(middleware::from_fn(answer::loopback_host_only))
            .with_state(self.clone())
    }

    fn token_with_nonce(
        &self,
        address: &str,
        audience: &str,
        nonce: Option<&str>,
    ) -> Result<String, DevIssuerError> {
        email::check(address).map_err(DevIssuerError::Email)?;
        let printable = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        if audience.is_empty() || audience.len() > MAX_AUDIENCE || !printable(audience) {
            return Err(DevIssuerError::Audience);
        }
        let now = self.now();
        let mut claims = json!({
            "iss": self.issuer(),
            "sub": subject_of(address),
            "aud": audience,
            "iat": now,
            "exp": now.saturating_add(TOKEN_SECONDS),
            "email": address,
            "email_verified": true,
        });
        if let (Some(nonce), Some(members)) = (nonce, claims.as_object_mut()) {
            members.insert("nonce".to_owned(), nonce.into());
        }
        self.mint(&claims)
    }

    fn now(&self) -> i64 {
        (self.0.clock)()
    }
}

/// Why the development issuer cannot do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DevIssuerError {
    /// Another URL than plain http on loopback.
    #[error("the development issuer's URL is not http on loopback")]
    NotLoopback,
    /// The key is not an RSA private key in PKCS#8 PEM of 2048 bits or more.
    #[error("the development issuer's key is not an RSA key of 2048 bits or more in PKCS#8 PEM")]
    Key,
    /// An address that no certificate could carry.
    #[error("email is not accepted: {0}")]
    Email(email::EmailFault),
    /// An audience that is empty, long, or not printable ASCII.
    #[error("audience is not 1 to {MAX_AUDIENCE} printable ASCII characters")]
    Audience,
    /// The cryptographic provider failed.
    #[error("the cryptographic provider failed")]
    Provider,
}

/// The key id (RFC 7638: SHA-256 over the required members in order) and the JWK set.
fn publish(key: &KeyPair) -> (String, Vec<u8>) {
    let public = key.public_key();
    let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
    let n = encode(public.modulus().big_endian_without_leading_zero());
    let e = encode(public.exponent().big_endian_without_leading_zero());
    let required = format!("{{\"e\":\"{e}\",\"kty\":\"RSA\",\"n\":\"{n}\"}}");
    let key_id = encode(digest(&SHA256, required.as_bytes()).as_ref());
    let jwk = json!({
        "kty": "RSA", "use": "sig", "alg": "RS256", "kid": key_id, "n": n, "e": e,
    });
    (key_id, json!({ "keys": [jwk] }).to_string().into_bytes())
}

/// The same for one address always, and no address to look at.
fn subject_of(address: &str) -> String {
    let hash = digest(&SHA256, format!("{SUBJECT_DOMAIN}{address}").as_bytes());
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..SUBJECT_BYTES).unwrap_or_default())
}

fn mount_path(url: &Url) -> String {
    url.path().trim_end_matches('/').to_owned()
}

/// The audience that Sigstore clients ask for.
pub const DEFAULT_AUDIENCE: &str = "sigstore";

const TOKEN_SECONDS: i64 = 10 * 60;
const KEY_LABEL: &str = "PRIVATE KEY";
const SUBJECT_DOMAIN: &str = "paraph development subject\n";
const SUBJECT_BYTES: usize = 18;
const MAX_AUDIENCE: usize = 256;
const MAX_FORM_BYTES: usize = 16 * 1024;

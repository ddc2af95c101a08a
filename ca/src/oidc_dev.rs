//! The development issuer: a key on this machine that vouches for every address it is told.
//!
//! It stands in for a real provider on a developer's own machine, so that every client's sign-in
//! can be used and tested without an account anywhere. Its pages are those of the sign-in
//! ([`crate::broker`]), where it is one connector; `ca token` and tests take tokens from here.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::broker::keys::{TokenKey, TokenKeyError};
use crate::identity::config::{is_loopback, issuer_url};
use crate::identity::{Clock, IssuerConfig, IssuerKind, email};

/// A development issuer with its key. Cloning shares both.
#[derive(Clone)]
pub struct DevIssuer(Arc<Inner>);

struct Inner {
    issuer: String,
    key: Arc<TokenKey>,
    jwks: Vec<u8>,
    clock: Clock,
}

impl DevIssuer {
    /// An issuer at this URL (`http://localhost:8700/oidc`), signing with this RSA key in PKCS#8
    /// PEM.
    ///
    /// # Errors
    /// [`DevIssuerError::NotLoopback`], or [`DevIssuerError::Key`].
    pub fn new(issuer: &str, key_pem: &str, clock: Clock) -> Result<Self, DevIssuerError> {
        let url = issuer_url(issuer).ok().filter(is_loopback);
        url.filter(|url| url.scheme() == "http").ok_or(DevIssuerError::NotLoopback)?;
        let key = Arc::new(TokenKey::from_pem(key_pem)?);
        let jwks = json!({ "keys": [key.jwk()] }).to_string().into_bytes();
        Ok(Self(Arc::new(Inner { issuer: issuer.to_owned(), key, jwks, clock })))
    }

    /// Makes a new key: RSA-2048 in PKCS#8 PEM. Takes a tenth of a second or so.
    ///
    /// # Errors
    /// [`DevIssuerError::Provider`] if the cryptographic provider fails.
    pub fn generate_key() -> Result<Zeroizing<String>, DevIssuerError> {
        Ok(TokenKey::generate_pem()?)
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
    pub fn token(&self, address: &str, audience: &str) -> Result<String, DevIssuerError> {
        email::check(address).map_err(DevIssuerError::Email)?;
        let printable = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
        if audience.is_empty() || audience.len() > MAX_AUDIENCE || !printable(audience) {
            return Err(DevIssuerError::Audience);
        }
        let now = (self.0.clock)();
        let user_id = Self::user_id(address);
        self.mint(&json!({
            "iss": self.issuer(),
            "sub": format!("{CONNECTOR}:{user_id}"),
            "aud": audience,
            "iat": now,
            "exp": now.saturating_add(TOKEN_SECONDS),
            "email": address,
            "email_verified": true,
            "federated_claims": { "connector_id": self.issuer(), "user_id": user_id },
        }))
    }

    /// A token with exactly these claims, right or wrong. For tests and `ca token --claims`.
    ///
    /// # Errors
    /// [`DevIssuerError::Provider`] if the cryptographic provider fails.
    pub fn mint(&self, claims: &Value) -> Result<String, DevIssuerError> {
        Ok(self.0.key.mint(claims)?)
    }

    /// Signs any header and any claims (RS256), so that a test can forge what [`Self::mint`]
    /// would not write.
    ///
    /// # Errors
    /// [`DevIssuerError::Provider`] if the cryptographic provider fails.
    pub fn sign(&self, header: &[u8], claims: &[u8]) -> Result<String, DevIssuerError> {
        Ok(self.0.key.sign(header, claims)?)
    }

    /// The `kid` of its one key, for forged headers.
    #[must_use]
    pub fn key_id(&self) -> &str {
        self.0.key.key_id()
    }

    pub(crate) fn key(&self) -> Arc<TokenKey> {
        Arc::clone(&self.0.key)
    }

    /// The same for one address always, and no address to look at.
    pub(crate) fn user_id(address: &str) -> String {
        let hash = digest(&SHA256, format!("{SUBJECT_DOMAIN}{address}").as_bytes());
        URL_SAFE_NO_PAD.encode(hash.as_ref().get(..SUBJECT_BYTES).unwrap_or_default())
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

impl From<TokenKeyError> for DevIssuerError {
    fn from(error: TokenKeyError) -> Self {
        match error {
            TokenKeyError::Key | TokenKeyError::File(_) | TokenKeyError::InFolder { .. } => {
                Self::Key
            }
            TokenKeyError::Provider | TokenKeyError::Folder { .. } => Self::Provider,
        }
    }
}

/// The audience that Sigstore clients ask for.
pub const DEFAULT_AUDIENCE: &str = "sigstore";

/// The development issuer's name among the ways to sign in.
pub(crate) const CONNECTOR: &str = "development";

const TOKEN_SECONDS: i64 = 10 * 60;
const SUBJECT_DOMAIN: &str = "paraph development subject\n";
const SUBJECT_BYTES: usize = 18;
const MAX_AUDIENCE: usize = 256;

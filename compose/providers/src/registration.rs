//! The application as it is registered at a provider, and which requests are its own.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

/// What a provider knows of the application that sends people to it.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The public name of the application.
    pub client_id: String,
    /// Its password.
    pub client_secret: String,
    /// Where people are sent back to: GitHub's one callback URL, Google's list.
    pub redirect_uris: Vec<String>,
}

impl Registration {
    pub(crate) fn is(&self, client_id: &str, client_secret: &str) -> bool {
        self.client_id == client_id && self.client_secret == client_secret
    }
}

/// The challenge that belongs to a verifier (RFC 7636 section 4.2, S256).
pub(crate) fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

/// 32 bytes in base64url.
pub(crate) fn is_challenge(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// Name and password of HTTP Basic (RFC 6749 section 2.3.1), still percent-encoded: ours have
/// nothing to encode.
pub(crate) fn basic(header: &str) -> Option<(String, String)> {
    let encoded = header.strip_prefix("Basic ")?;
    let pair = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (name, password) = pair.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

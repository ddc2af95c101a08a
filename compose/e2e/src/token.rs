//! Identity tokens: good ones from the development provider, and forged ones under its very key.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::instance::Instance;
use crate::key::Key;
use crate::now;

/// A good token of the development provider.
///
/// # Panics
/// When it gives none.
#[must_use]
pub fn token(instance: &Instance, email: &str) -> String {
    let path = format!("/oidc/dev/token?email={}", email.replace('+', "%2B"));
    instance.get(&path).expect(200).text().trim().to_owned()
}

/// Signs tokens with the development provider's key, which lies in the instance folder.
pub struct Forger {
    key: Key,
    key_id: String,
    issuer: String,
}

impl Forger {
    /// Takes the key of an instance.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn new(instance: &Instance) -> Self {
        let path = instance.dir().join("keys/dev-oidc.pem");
        let pem = fs::read_to_string(path).expect("ca dev leaves its provider's key there");
        let jwks = instance.json("/oidc/jwks");
        Self {
            key: Key::rsa_from_pem(&pem),
            key_id: jwks["keys"][0]["kid"].as_str().expect("a key id").to_owned(),
            issuer: format!("{}/oidc", instance.base()),
        }
    }

    /// The key that the provider signs with.
    #[must_use]
    pub const fn key(&self) -> &Key {
        &self.key
    }

    /// The issuer's URL.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Claims that are right.
    #[must_use]
    pub fn claims(&self, email: &str) -> Value {
        json!({
            "iss": self.issuer,
            "sub": format!("subject of {email}"),
            "aud": "sigstore",
            "iat": now(),
            "exp": now() + 600,
            "email": email,
            "email_verified": true,
        })
    }

    /// A header that is right.
    #[must_use]
    pub fn header(&self) -> Value {
        json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id })
    }

    /// A well-signed token with a right header and these claims.
    #[must_use]
    pub fn with_claims(&self, claims: &Value) -> String {
        self.sign(&self.header().to_string(), &claims.to_string())
    }

    /// A well-signed token whose claims differ from right ones in one member; `null` given as
    /// [`Change::Remove`] takes it away.
    #[must_use]
    pub fn changed(&self, email: &str, member: &str, change: Change) -> String {
        let mut claims = self.claims(email);
        change.apply(&mut claims, member);
        self.with_claims(&claims)
    }

    /// A well-signed token whose header differs from a right one in one member.
    #[must_use]
    pub fn with_header(&self, email: &str, member: &str, change: Change) -> String {
        let mut header = self.header();
        change.apply(&mut header, member);
        self.sign(&header.to_string(), &self.claims(email).to_string())
    }

    /// A well-signed token over any two texts.
    #[must_use]
    pub fn sign(&self, header: &str, claims: &str) -> String {
        let input = signing_input(header, claims);
        let signature = self.key.sign(input.as_bytes());
        format!("{input}.{}", segment(&signature))
    }
}

/// What is done to one member of an object.
pub enum Change {
    /// It is set to a value.
    Set(Value),
    /// It is taken away.
    Remove,
}

impl Change {
    fn apply(self, object: &mut Value, member: &str) {
        let members = object.as_object_mut().expect("an object");
        match self {
            Self::Set(value) => members.insert(member.to_owned(), value),
            Self::Remove => members.remove(member),
        };
    }
}

/// The first two segments of a compact JWS.
#[must_use]
pub fn signing_input(header: &str, claims: &str) -> String {
    format!("{}.{}", segment(header.as_bytes()), segment(claims.as_bytes()))
}

/// One segment of a compact JWS.
#[must_use]
pub fn segment(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

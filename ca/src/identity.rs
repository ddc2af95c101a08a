//! The identity door: a token in, a [`VerifiedIdentity`] out, or one reason why not.
//!
//! [`Identities::verify`] is the whole order of checks. Nothing in a token is believed before
//! its signature holds, except the `iss` that says whose keys to try. The rules are stricter than
//! OpenID Connect Core 3.1.3.7 wherever no client notices.

mod claims;
pub mod config;
pub mod email;
pub mod fetch;
mod jwks;
mod keys;
pub mod refusal;
pub mod san;
pub mod template;
mod token;

use std::sync::Arc;

use formats::certificate::SubjectName;
use serde_json::{Value, json};

use self::config::{ConfigFault, Names, issuer_url};
use self::fetch::Fetcher;
use self::jwks::{KeySet, SignedClaims};
use self::keys::KeySource;
use self::token::Unverified;

pub use self::claims::Claims;
pub use self::config::{Alg, IssuerConfig, IssuerKind};
pub use self::fetch::FetchFault;
pub use self::refusal::TokenRefusal;
pub use self::template::CiProvider;
pub use self::token::Token;

/// Our clock, in Unix seconds.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// The issuers that this instance trusts, and what it holds of their keys.
pub struct Identities {
    issuers: Vec<Issuer>,
    clock: Clock,
}

struct Issuer {
    config: Arc<IssuerConfig>,
    keys: KeySource,
}

impl Identities {
    /// Trusts exactly these issuers. Nothing is fetched yet; see [`Self::warm`].
    ///
    /// The HTTP client is this module's own, because its rules (no redirect, caps, time-outs) are
    /// part of what makes an issuer's answer trustworthy.
    ///
    /// # Errors
    /// A table that [`IssuerConfig::validate`] refuses, or the same URL twice.
    pub fn new(configs: Vec<IssuerConfig>, clock: Clock) -> Result<Self, ConfigFault> {
        let fetcher = Arc::new(Fetcher::default());
        let mut issuers: Vec<Issuer> = Vec::with_capacity(configs.len());
        for config in configs {
            config.validate()?;
            if issuers.iter().any(|known| known.config.url == config.url) {
                return Err(ConfigFault::DuplicateUrl { url: config.url });
            }
            let url = issuer_url(&config.url)?;
            let (fetcher, clock) = (Arc::clone(&fetcher), Arc::clone(&clock));
            let keys = KeySource::new(config.url.clone(), url, fetcher, clock);
            issuers.push(Issuer { config: Arc::new(config), keys });
        }
        Ok(Self { issuers, clock })
    }

    /// Gives an issuer's keys as a JWK set (JSON bytes) instead of having them fetched, for good:
    /// the development issuer is in this very process.
    ///
    /// # Errors
    /// [`ConfigFault::PinnedUnknown`] for a URL that is not configured,
    /// [`ConfigFault::PinnedKeys`] for a set without a usable key.
    pub fn pin_keys(&self, url: &str, jwks: &[u8]) -> Result<(), ConfigFault> {
        let issuer = self.issuers.iter().find(|issuer| issuer.config.url == url);
        let issuer = issuer.ok_or_else(|| ConfigFault::PinnedUnknown { url: url.to_owned() })?;
        let keys =
            KeySet::parse(jwks).map_err(|_| ConfigFault::PinnedKeys { url: url.to_owned() })?;
        issuer.keys.pin(keys);
        Ok(())
    }

    /// Reads the keys of every issuer whose keys are not held, one after the other. An issuer that
    /// fails is seen in [`Self::status`] and tried again by its first token.
    pub async fn warm(&self) {
        for issuer in &self.issuers {
            issuer.keys.warm().await;
        }
    }

    /// Verifies a token: form, issuer, signature, audience, times, then what its issuer's type
    /// asks for.
    ///
    /// # Errors
    /// The first check that fails. [`TokenRefusal::is_our_side`] tells an outage from a bad token.
    pub async fn verify(&self, token: &Token) -> Result<VerifiedIdentity, TokenRefusal> {
        let unverified = Unverified::parse(token)?;
        let issuer = self.issuer(unverified.claimed_issuer()?)?;
        issuer.allows(unverified.header.algorithm)?;
        let signed = issuer.keys.open(&unverified).await?;
        claims::check(signed.claims(), &issuer.config, (self.clock)())?;
        match &issuer.config.kind {
            IssuerKind::Email => VerifiedIdentity::of_person(&issuer.config, &signed),
            IssuerKind::Ci { provider } => {
                VerifiedIdentity::of_pipeline(&issuer.config, provider, &signed)
            }
        }
    }

    /// The body of Fulcio's `GET /api/v2/configuration`: issuers in the configured order, each
    /// field there also when empty.
    #[must_use]
    pub fn configuration(&self) -> Value {
        let issuers: Vec<Value> = self
            .issuers
            .iter()
            .map(|Issuer { config, .. }| {
                let (issuer_type, challenge_claim) = match config.kind {
                    IssuerKind::Email => ("email", "email"),
                    IssuerKind::Ci { .. } => ("ci-provider", "sub"),
                };
                json!({
                    "issuerUrl": config.url,
                    "audience": config.client_id,
                    "challengeClaim": challenge_claim,
                    "spiffeTrustDomain": "",
                    "issuerType": issuer_type,
                    "subjectDomain": "",
                    "skipEmailVerification": false,
                })
            })
            .collect();
        json!({ "issuers": issuers })
    }

    /// What is held of each issuer, in the configured order, for readiness and metrics.
    #[must_use]
    pub fn status(&self) -> Vec<IssuerStatus> {
        let now = (self.clock)();
        self.issuers
            .iter()
            .map(|issuer| {
                let held = issuer.keys.held();
                IssuerStatus {
                    url: issuer.config.url.clone(),
                    usable_keys: held.usable(now).map_or(0, |keys| keys.len()),
                    fetched_at: (held.keys.is_some() && !held.pinned).then_some(held.fetched_at),
                    pinned: held.pinned,
                    fault: held.fault,
                }
            })
            .collect()
    }

    fn issuer(&self, url: &str) -> Result<&Issuer, TokenRefusal> {
        self.issuers.iter().find(|issuer| issuer.config.url == url).ok_or_else(|| {
            let configured: Names = self.issuers.iter().map(|issuer| &issuer.config.url).collect();
            TokenRefusal::IssuerNotConfigured { configured }
        })
    }
}

impl Issuer {
    fn allows(&self, algorithm: Alg) -> Result<(), TokenRefusal> {
        if self.config.algorithms.contains(&algorithm) {
            return Ok(());
        }
        Err(TokenRefusal::AlgorithmNotAllowed {
            issuer: self.config.url.clone(),
            algorithm,
            allowed: self.config.algorithms.iter().collect(),
        })
    }
}

/// What is held of one issuer's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerStatus {
    /// The issuer.
    pub url: String,
    /// How many of its keys could verify a token now.
    pub usable_keys: usize,
    /// When they were read, in Unix seconds; `None` if never, or if they are pinned.
    pub fetched_at: Option<i64>,
    /// True if they were given at start.
    pub pinned: bool,
    /// Why the last attempt to read them failed; `None` after one that did not.
    pub fault: Option<FetchFault>,
}

/// Who a verified token stands for, in the words of a certificate. Only [`Identities::verify`]
/// makes one, and issuing takes it by value.
#[derive(Debug, PartialEq, Eq)]
pub struct VerifiedIdentity {
    subject: SubjectName,
    issuer: String,
    challenge: String,
    token_subject: String,
    extensions: Vec<(u8, String)>,
    claims_used: Vec<(String, String)>,
    claims: Claims,
    vouched_by: Arc<IssuerConfig>,
}

impl VerifiedIdentity {
    fn of_person(
        issuer: &Arc<IssuerConfig>,
        signed: &SignedClaims<'_>,
    ) -> Result<Self, TokenRefusal> {
        let claims = signed.claims();
        let sub = claims.certified_text("sub")?;
        let address = claims.text("email")?;
        let verified = match claims.get("email_verified") {
            Some(Value::Bool(verified)) => *verified,
            Some(Value::String(verified)) => verified == "true",
            _ => false,
        };
        if !verified {
            return Err(TokenRefusal::EmailNotVerified);
        }
        email::check(address).map_err(|fault| TokenRefusal::Email { fault })?;
        Ok(Self {
            subject: SubjectName::Email(address.to_owned()),
            issuer: issuer.url.clone(),
            challenge: address.to_owned(),
            token_subject: sub.to_owned(),
            extensions: Vec::new(),
            claims_used: vec![
                ("email".to_owned(), address.to_owned()),
                ("email_verified".to_owned(), "true".to_owned()),
                ("sub".to_owned(), sub.to_owned()),
            ],
            claims: claims.clone(),
            vouched_by: Arc::clone(issuer),
        })
    }

    fn of_pipeline(
        issuer: &Arc<IssuerConfig>,
        provider: &CiProvider,
        signed: &SignedClaims<'_>,
    ) -> Result<Self, TokenRefusal> {
        let claims = signed.claims();
        let sub = claims.certified_text("sub")?;
        let mut rendered = provider.render(claims)?;
        let subject = san::uri(&rendered.subject)
            .map_err(|fault| TokenRefusal::Subject { issuer: issuer.url.clone(), fault })?;
        rendered.used.insert("sub".to_owned(), sub.to_owned());
        Ok(Self {
            subject: SubjectName::Uri(subject),
            issuer: issuer.url.clone(),
            challenge: sub.to_owned(),
            token_subject: sub.to_owned(),
            extensions: rendered.extensions,
            claims_used: rendered.used.into_iter().collect(),
            claims: claims.clone(),
            vouched_by: Arc::clone(issuer),
        })
    }

    /// The one subject alternative name.
    #[must_use]
    pub fn subject(&self) -> &SubjectName {
        &self.subject
    }

    /// The issuer, byte for byte as configured and as in the token (extensions 1.1 and 1.8).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The text that a signed challenge covers: the e-mail address of a person, else `sub`.
    #[must_use]
    pub fn challenge(&self) -> &str {
        &self.challenge
    }

    /// The raw `sub` (extension 1.24).
    #[must_use]
    pub fn token_subject(&self) -> &str {
        &self.token_subject
    }

    /// Last arcs of 1.3.6.1.4.1.57264.1 with their text, ascending, 2 to 6 and 9 to 23 only. None
    /// is empty. The certificate profile adds 1, 8 and 24.
    #[must_use]
    pub fn extensions(&self) -> &[(u8, String)] {
        &self.extensions
    }

    /// Every claim of the token, for the allow rules.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The entry of ca.toml whose keys and audience the token has.
    #[must_use]
    pub fn vouched_by(&self) -> &IssuerConfig {
        &self.vouched_by
    }

    /// The claims that decided, by name, for the audit record.
    #[must_use]
    pub fn claims_used(&self) -> &[(String, String)] {
        &self.claims_used
    }
}

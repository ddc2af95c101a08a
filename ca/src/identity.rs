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
pub mod kind;
mod provider;
pub mod refusal;
pub mod san;
mod sources;
pub mod template;
mod token;
mod wildcard;

use std::sync::Arc;

use formats::certificate::SubjectName;
use serde_json::{Value, json};

use self::config::{ConfigFault, Names};
use self::fetch::Clients;
use self::jwks::KeySet;
use self::keys::KeySource;
use self::sources::Sources;
use self::token::Unverified;

pub use self::claims::Claims;
pub use self::config::{Alg, IssuerClaim, IssuerConfig, IssuerTable};
pub use self::fetch::FetchFault;
pub use self::kind::IssuerKind;
pub use self::provider::CiProvider;
pub(crate) use self::provider::extension_name;
pub use self::refusal::TokenRefusal;
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
    sources: Sources,
}

impl Identities {
    /// Trusts exactly these issuers. Nothing is fetched yet; see [`Self::warm`].
    ///
    /// The HTTP client is this module's own, because its rules (no redirect, caps, time-outs) are
    /// part of what makes an issuer's answer trustworthy.
    ///
    /// # Errors
    /// A table that [`IssuerConfig::validate`] refuses, or the same URL and client id twice.
    pub fn new(configs: Vec<IssuerConfig>, clock: Clock) -> Result<Self, ConfigFault> {
        let clients = Arc::new(Clients::default());
        let mut issuers: Vec<Issuer> = Vec::with_capacity(configs.len());
        for config in configs {
            config.validate()?;
            if issuers.iter().any(|known| known.config.is_same_entry(&config)) {
                return Err(ConfigFault::Duplicate { url: config.url });
            }
            let sources = Sources::new(&config, &clients, Arc::clone(&clock))?;
            issuers.push(Issuer { config: Arc::new(config), sources });
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
        let mut known = false;
        for issuer in &self.issuers {
            let keys =
                KeySet::parse(jwks).map_err(|_| ConfigFault::PinnedKeys { url: url.to_owned() })?;
            known |= issuer.sources.pin(&issuer.config, url, keys);
        }
        if known { Ok(()) } else { Err(ConfigFault::PinnedUnknown { url: url.to_owned() }) }
    }

    /// Goes on with the keys that `previous` holds of each issuer whose entry is the same but for its
    /// allow rules, and with its pause before the next call to that issuer. Where an entry has a
    /// `ca_cert`, which may have changed, its keys are read anew.
    pub fn take_over_keys(&mut self, previous: &Self) {
        for issuer in &mut self.issuers {
            let wanted = &*issuer.config;
            if wanted.keys.ca_cert.is_some() {
                continue;
            }
            let same = previous.issuers.iter().find(|known| {
                IssuerConfig { allow: wanted.allow.clone(), ..(*known.config).clone() } == *wanted
            });
            if let Some(known) = same {
                issuer.sources = known.sources.clone();
            }
        }
    }

    /// Reads the keys of every issuer whose keys are not held, one after the other. An issuer that
    /// fails is seen in [`Self::status`] and tried again by its first token.
    pub async fn warm(&self) {
        for source in self.issuers.iter().flat_map(|issuer| issuer.sources.held()) {
            source.warm().await;
        }
    }

    /// Has the keys of every issuer read in the background, each by itself, and an issuer that
    /// cannot be reached tried again with growing pauses for as long as these issuers are trusted.
    /// Without a runtime, which has nobody to answer either, nothing happens.
    pub fn keep_warm(&self) {
        for issuer in &self.issuers {
            if let Sources::One(source) = &issuer.sources {
                source.keep_warm();
            }
        }
    }

    /// Verifies a token: form, issuer, signature, audience, times, then what its issuer's type
    /// asks for.
    ///
    /// # Errors
    /// The first check that fails. [`TokenRefusal::is_our_side`] tells an outage from a bad token.
    pub async fn verify(&self, token: &Token) -> Result<VerifiedIdentity, TokenRefusal> {
        let unverified = Unverified::parse(token)?;
        let url = unverified.claims().text("iss")?;
        let issuer = self.issuer(unverified.claims())?;
        unverified.header.check_kind(&issuer.config.kind)?;
        issuer.allows(unverified.header.algorithm)?;
        let keys = issuer.sources.of(url).ok_or_else(|| self.unknown())?;
        let signed = keys.open(&unverified).await?;
        claims::check(signed.claims(), &issuer.config, (self.clock)())?;
        let words = Words::of(&issuer.config, url, signed.claims())?;
        let vouched_by = Arc::clone(&issuer.config);
        Ok(VerifiedIdentity { words, claims: signed.claims().clone(), vouched_by })
    }

    /// What claims would make of their bearer if one of these issuers had signed them and they were
    /// in time: for an operator who asks. No certificate comes out of it.
    ///
    /// # Errors
    /// The first check that fails, signature and times aside.
    pub fn suppose(&self, claims: Claims) -> Result<SupposedIdentity, TokenRefusal> {
        let issuer = self.issuer(&claims)?;
        claims::check_audience(&claims, &issuer.config)?;
        let words = Words::of(&issuer.config, claims.text("iss")?, &claims)?;
        let vouched_by = Arc::clone(&issuer.config);
        Ok(SupposedIdentity { words, claims, vouched_by })
    }

    /// The body of Fulcio's `GET /api/v2/configuration`: issuers in the configured order, each
    /// field there also when empty.
    #[must_use]
    pub fn configuration(&self) -> Value {
        let issuers: Vec<Value> =
            self.issuers.iter().map(|issuer| issuer.config.as_fulcio_tells_it()).collect();
        json!({ "issuers": issuers })
    }

    /// What is held of each issuer, in the configured order, for readiness and metrics.
    #[must_use]
    pub fn status(&self) -> Vec<IssuerStatus> {
        self.issuers.iter().map(Issuer::status).collect()
    }

    /// The entry that a token is for, by its `iss`, and where several have that by its `aud`. Both
    /// only say whose keys to try; the audience is checked again under the signature.
    fn issuer(&self, claims: &Claims) -> Result<&Issuer, TokenRefusal> {
        let url = claims.text("iss")?;
        let exact: Vec<&Issuer> =
            self.issuers.iter().filter(|issuer| issuer.config.url == url).collect();
        let entries = match exact.as_slice() {
            [] => self.issuers.iter().filter(|issuer| issuer.sources.matches(url)).collect(),
            [..] => exact,
        };
        if entries.is_empty() {
            return Err(self.unknown());
        }
        choose(&entries, &claims.audiences()?)
    }

    fn unknown(&self) -> TokenRefusal {
        let configured = self.issuers.iter().map(|issuer| &issuer.config.url).collect();
        TokenRefusal::IssuerNotConfigured { configured }
    }
}

fn choose<'i>(entries: &[&'i Issuer], audiences: &[&str]) -> Result<&'i Issuer, TokenRefusal> {
    if let [only] = entries {
        return Ok(only);
    }
    let names = |issuer: &&&Issuer| audiences.contains(&issuer.config.client_id.as_str());
    let named: Vec<&&Issuer> = entries.iter().filter(names).collect();
    let client_ids = |entries: &[&&Issuer]| -> Names {
        entries.iter().map(|issuer| &issuer.config.client_id).collect()
    };
    match (named.as_slice(), entries) {
        ([one], _) => Ok(one),
        ([], [first, ..]) => Err(TokenRefusal::Audience {
            issuer: first.config.url.clone(),
            expected: client_ids(&entries.iter().collect::<Vec<_>>()).to_string(),
        }),
        (several, _) => Err(TokenRefusal::AudienceAmbiguous {
            issuer: entries.first().map(|issuer| issuer.config.url.clone()).unwrap_or_default(),
            configured: client_ids(several),
        }),
    }
}

impl Issuer {
    /// What is held of the entry's issuers. A pattern has no fault: a stranger can name an issuer
    /// that is not there.
    fn status(&self) -> IssuerStatus {
        let sources = self.sources.held();
        let usable_keys = sources.iter().map(KeySource::usable).sum();
        let held = match &self.sources {
            Sources::One(source) => source.held(),
            Sources::Matched(_) => keys::Held::default(),
        };
        IssuerStatus {
            url: self.config.url.clone(),
            usable_keys,
            fetched_at: (held.keys.is_some() && !held.pinned).then_some(held.fetched_at),
            pinned: held.pinned,
            fault: held.fault,
        }
    }

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

/// What a certificate says of its holder, as an issuer's type reads it out of claims. It says
/// nothing about whether the claims are true.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Words {
    pub(crate) subject: SubjectName,
    pub(crate) issuer: String,
    pub(crate) challenge: String,
    pub(crate) token_subject: String,
    pub(crate) extensions: Vec<(u8, String)>,
    pub(crate) claims_used: Vec<(String, String)>,
}

impl Words {
    /// Reads the claims of a token of `issuer`, which is the `iss` that `entry` is for.
    ///
    /// # Errors
    /// The claim that is missing, of another type, or not fit for a certificate.
    pub(crate) fn of(
        entry: &IssuerConfig,
        issuer: &str,
        claims: &Claims,
    ) -> Result<Self, TokenRefusal> {
        let sub = claims.certified_text("sub")?;
        let mut reading = entry.kind.read(issuer, sub, claims)?;
        let named = match &entry.issuer_claim {
            Some(issuer_claim) => issuer_claim.read(claims)?,
            None => issuer,
        };
        reading.used.insert("sub".to_owned(), sub.to_owned());
        Ok(Self {
            subject: reading.subject,
            issuer: named.to_owned(),
            challenge: reading.challenge,
            token_subject: sub.to_owned(),
            extensions: reading.extensions,
            claims_used: reading.used.into_iter().collect(),
        })
    }
}

/// Who a verified token stands for, in the words of a certificate. Only [`Identities::verify`]
/// makes one, and issuing takes it by value.
#[derive(Debug, PartialEq, Eq)]
pub struct VerifiedIdentity {
    words: Words,
    claims: Claims,
    vouched_by: Arc<IssuerConfig>,
}

/// Who a token with these claims would stand for. Nobody has signed them: there is no way from
/// here to a [`VerifiedIdentity`], and no door takes it:
///
/// ```compile_fail,E0308
/// fn issue(supposed: ca::identity::SupposedIdentity) {
///     let _ = ca::admit::admit(supposed);
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
pub struct SupposedIdentity {
    words: Words,
    claims: Claims,
    vouched_by: Arc<IssuerConfig>,
}

impl SupposedIdentity {
    /// What the certificate would say.
    pub(crate) const fn words(&self) -> &Words {
        &self.words
    }

    /// The claims.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The entry of ca.toml that they are for.
    #[must_use]
    pub fn vouched_by(&self) -> &IssuerConfig {
        &self.vouched_by
    }
}

impl VerifiedIdentity {
    /// What the certificate says.
    pub(crate) const fn words(&self) -> &Words {
        &self.words
    }

    /// The one subject alternative name.
    #[must_use]
    pub fn subject(&self) -> &SubjectName {
        &self.words.subject
    }

    /// The issuer, byte for byte as in the token, or as the entry's list of mapped issuers has it
    /// (extensions 1.1 and 1.8).
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.words.issuer
    }

    /// The issuer as the configuration has it: a URL with `*` stands for any number of issuers,
    /// and metrics must not have a series for each.
    #[must_use]
    pub fn counted_as(&self) -> &str {
        let entry = &self.vouched_by.url;
        if entry.contains('*') { entry } else { self.issuer() }
    }

    /// The text that a signed challenge covers: the e-mail address of a person, else `sub`.
    #[must_use]
    pub fn challenge(&self) -> &str {
        &self.words.challenge
    }

    /// The raw `sub` (extension 1.24).
    #[must_use]
    pub fn token_subject(&self) -> &str {
        &self.words.token_subject
    }

    /// Last arcs of 1.3.6.1.4.1.57264.1 with their text, ascending, 2 to 6 and 9 to 23 only. None
    /// is empty. The certificate profile adds 1, 8 and 24.
    #[must_use]
    pub fn extensions(&self) -> &[(u8, String)] {
        &self.words.extensions
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
        &self.words.claims_used
    }
}

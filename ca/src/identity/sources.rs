//! The key sources of one entry: one, or one for each issuer that its pattern matches.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use openidconnect::url::Url;
use reqwest::Certificate;

use super::Clock;
use super::config::{ConfigFault, IssuerConfig, KeysFrom, issuer_url};
use super::fetch::{Bearer, Clients, Fetcher, Origin};
use super::jwks::KeySet;
use super::keys::KeySource;
use super::wildcard::Wildcard;

/// Where the keys of an entry's issuers come from. Cloning shares what is held.
#[derive(Clone)]
pub(super) enum Sources {
    /// One issuer.
    One(KeySource),
    /// Whatever a pattern matches.
    Matched(Arc<Matched>),
}

/// The sources of issuers that tokens have named, the last used one last.
pub(super) struct Matched {
    wildcard: Wildcard,
    pattern: String,
    fetcher: Arc<Fetcher>,
    clock: Clock,
    held: Mutex<Vec<(String, KeySource)>>,
}

impl Sources {
    /// The sources of an entry; reads its `ca_cert`. Entries without one share their clients.
    ///
    /// # Errors
    /// [`ConfigFault::CaCert`], or a URL that [`IssuerConfig::validate`] refuses.
    pub(super) fn new(
        config: &IssuerConfig,
        shared: &Arc<Clients>,
        clock: Clock,
    ) -> Result<Self, ConfigFault> {
        let authorities = match &config.keys.ca_cert {
            Some(path) => Some(authorities(&config.url, path)?),
            None => None,
        };
        let pattern = config.url.clone();
        if Wildcard::is_in(&pattern) {
            let wildcard = Wildcard::parse(&pattern)?;
            let fetcher = Arc::new(Fetcher::of_strangers(authorities));
            let held = Mutex::default();
            let matched = Matched { wildcard, pattern, fetcher, clock, held };
            return Ok(Self::Matched(Arc::new(matched)));
        }
        let origin = match &config.keys.from {
            KeysFrom::Discovery => Origin::Discovery(issuer_url(&config.url)?),
            KeysFrom::Address(url) => Origin::Address(issuer_url(url)?),
            KeysFrom::File(path) => Origin::File(path.clone()),
        };
        let bearer = match (&config.keys.bearer_file, &origin) {
            (Some(file), Origin::Discovery(home) | Origin::Address(home)) => {
                Some(Bearer::new(file.clone(), home))
            }
            _ => None,
        };
        let clients =
            authorities.map_or_else(|| Arc::clone(shared), |own| Arc::new(Clients::trusting(own)));
        let fetcher = Arc::new(Fetcher::of_one(clients, bearer));
        Ok(Self::One(KeySource::new(pattern.clone(), pattern, origin, fetcher, clock)))
    }

    /// True for an issuer that a pattern of this entry matches.
    pub(super) fn matches(&self, issuer: &str) -> bool {
        match self {
            Self::One(_) => false,
            Self::Matched(matched) => matched.wildcard.matches(issuer).is_some(),
        }
    }

    /// The source for an issuer that is this entry's.
    pub(super) fn of(&self, issuer: &str) -> Option<KeySource> {
        match self {
            Self::One(source) => Some(source.clone()),
            Self::Matched(matched) => matched.of(issuer),
        }
    }

    /// The sources that are held now.
    pub(super) fn held(&self) -> Vec<KeySource> {
        match self {
            Self::One(source) => vec![source.clone()],
            Self::Matched(matched) => matched.sources(),
        }
    }

    /// Pins keys for `issuer` if it is this entry's, and says whether it is.
    pub(super) fn pin(&self, config: &IssuerConfig, issuer: &str, keys: KeySet) -> bool {
        let source = match self {
            Self::One(source) => (config.url == issuer).then(|| source.clone()),
            Self::Matched(matched) => matched.of(issuer),
        };
        source.map(|source| source.pin(keys)).is_some()
    }
}

impl Matched {
    /// The source of an issuer that the pattern matches.
    fn of(&self, issuer: &str) -> Option<KeySource> {
        let url = self.wildcard.matches(issuer)?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let known = held.iter().position(|(known, _)| known == issuer);
        let entry = match known {
            Some(at) => held.remove(at),
            None => (issuer.to_owned(), self.new_source(issuer, url)),
        };
        if held.len() >= MAX_HELD {
            // Names that lead nowhere go first: a stranger can think of any number of them.
            let at = held.iter().position(|(_, source)| source.usable() == 0).unwrap_or(0);
            held.remove(at);
        }
        let source = entry.1.clone();
        held.push(entry);
        Some(source)
    }

    fn new_source(&self, issuer: &str, url: Url) -> KeySource {
        KeySource::new(
            issuer.to_owned(),
            self.pattern.clone(),
            Origin::Discovery(url),
            Arc::clone(&self.fetcher),
            Arc::clone(&self.clock),
        )
    }

    fn sources(&self) -> Vec<KeySource> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.iter().map(|(_, source)| source.clone()).collect()
    }
}

fn authorities(url: &str, path: &PathBuf) -> Result<Vec<Certificate>, ConfigFault> {
    let refused = || ConfigFault::CaCert { url: url.to_owned(), path: path.clone() };
    let pem = std::fs::read(path).map_err(|_| refused())?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(authorities) if !authorities.is_empty() => Ok(authorities),
        _ => Err(refused()),
    }
}

/// As many as Fulcio holds.
const MAX_HELD: usize = 100;

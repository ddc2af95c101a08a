//! What an operator says about an issuer: one `[[issuer]]` table of ca.toml, and nothing implied.

use std::fmt;
use std::net::IpAddr;

use openidconnect::url::{Host, Url};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::template::CiProvider;
use crate::admit::{AllowRules, AllowTables, Breadth, RuleFault, Vocabulary};

/// One trusted issuer. There is no default issuer, and an unknown key in the table is an error.
///
/// ```toml
/// [[issuer]]
/// url = "https://token.actions.githubusercontent.com"
/// client_id = "sigstore"
/// type = "ci"
/// provider = "github-actions"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "IssuerTable")]
pub struct IssuerConfig {
    /// The exact `iss`, compared byte for byte; also where discovery starts.
    pub url: String,
    /// The audience that tokens must carry.
    pub client_id: String,
    /// How claims become a certificate subject.
    pub kind: IssuerKind,
    /// The algorithms that tokens may be signed with.
    pub algorithms: Vec<Alg>,
    /// Longest accepted time from `iat` to `exp`, in seconds.
    pub max_lifetime_seconds: u64,
    /// Who of those that it vouches for may have a certificate.
    pub allow: AllowRules,
}

impl IssuerConfig {
    /// An issuer with the default algorithm list (RS256) and lifetime cap (one day), and no allow
    /// rules.
    #[must_use]
    pub fn new(url: impl Into<String>, client_id: impl Into<String>, kind: IssuerKind) -> Self {
        let (url, client_id) = (url.into(), client_id.into());
        Self {
            allow: Breadth::of_issuer(&url).unstated(place(&url, &client_id)),
            url,
            client_id,
            kind,
            algorithms: default_algorithms(),
            max_lifetime_seconds: DEFAULT_MAX_LIFETIME_SECONDS,
        }
    }

    /// Checks what a table's types cannot: the URL's form and the ranges.
    ///
    /// # Errors
    /// The [`ConfigFault`] of the first thing wrong.
    pub fn validate(&self) -> Result<(), ConfigFault> {
        issuer_url(&self.url)?;
        if self.client_id.is_empty() || !self.client_id.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(ConfigFault::ClientId { url: self.url.clone() });
        }
        if self.algorithms.is_empty() {
            return Err(ConfigFault::NoAlgorithm { url: self.url.clone() });
        }
        if !(1..=LONGEST_LIFETIME_SECONDS).contains(&self.max_lifetime_seconds) {
            return Err(ConfigFault::Lifetime {
                url: self.url.clone(),
                seconds: self.max_lifetime_seconds,
            });
        }
        Ok(())
    }
}

/// How an issuer's claims become a certificate subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerKind {
    /// People: a verified `email` claim becomes an rfc822Name.
    Email,
    /// Pipelines: a provider's templates make a URI and the certificate extensions.
    Ci {
        /// The templates.
        provider: CiProvider,
    },
}

impl IssuerKind {
    /// Which keys the allow rules of such an issuer may have.
    fn vocabulary(&self) -> Vocabulary {
        match self {
            Self::Email => Vocabulary::People,
            Self::Ci { provider } if provider.name().starts_with("github") => Vocabulary::GitHub,
            Self::Ci { provider } if provider.name().starts_with("gitlab") => Vocabulary::GitLab,
            Self::Ci { .. } => Vocabulary::Other,
        }
    }
}

/// A signature algorithm of RFC 7518 or RFC 8037 that may stand in a token. There is no symmetric
/// one, so no path can take a public key for a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(clippy::upper_case_acronyms, reason = "the registered names")]
pub enum Alg {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    EdDSA,
}

impl Alg {
    /// Every one of them.
    pub const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// The registered name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The algorithm with exactly this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.name() == name)
    }
}

impl fmt::Display for Alg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Configured names, for a message: printed with commas between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(pub Vec<String>);

impl<T: fmt::Display> FromIterator<T> for Names {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Self(items.into_iter().map(|item| item.to_string()).collect())
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        f.write_str(&self.0.join(", "))
    }
}

/// Why an instance does not start with the issuers it was given.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ConfigFault {
    /// The URL is no absolute URL, or holds what an issuer's never does.
    #[error("issuer url {url:?} is not an https URL without user, query and fragment")]
    Url {
        /// As configured.
        url: String,
    },
    /// Plain http to anything but loopback.
    #[error("issuer url {url:?} is plain http, which is for loopback only")]
    PlainHttp {
        /// As configured.
        url: String,
    },
    /// The same URL twice.
    #[error("issuer url {url:?} is configured twice")]
    DuplicateUrl {
        /// As configured.
        url: String,
    },
    /// The client id is empty or holds blanks or non-ASCII.
    #[error("client_id of issuer {url:?} is empty or not printable ASCII")]
    ClientId {
        /// The issuer.
        url: String,
    },
    /// An empty algorithm list.
    #[error("algorithms of issuer {url:?} is empty")]
    NoAlgorithm {
        /// The issuer.
        url: String,
    },
    /// A lifetime cap of zero or more than a week.
    #[error("max_lifetime_seconds of issuer {url:?} is {seconds}, not 1 to 604800")]
    Lifetime {
        /// The issuer.
        url: String,
        /// As configured.
        seconds: u64,
    },
    /// `type` is none of the types known here.
    #[error("type {kind:?} of issuer {url:?} is not one of email, ci")]
    Type {
        /// The issuer.
        url: String,
        /// As configured.
        kind: String,
    },
    /// A `ci` issuer without `provider`.
    #[error("issuer {url:?} of type ci has no provider")]
    ProviderMissing {
        /// The issuer.
        url: String,
    },
    /// A provider on an issuer of another type.
    #[error("issuer {url:?} has a provider and is not of type ci")]
    ProviderUnused {
        /// The issuer.
        url: String,
    },
    /// A provider that is not shipped.
    #[error("provider {provider:?} of issuer {url:?} is not known")]
    ProviderUnknown {
        /// The issuer.
        url: String,
        /// As configured.
        provider: String,
    },
    /// The allow rules.
    #[error("issuer {url:?}: {fault}")]
    Allow {
        /// The issuer.
        url: String,
        /// What is wrong with them.
        fault: RuleFault,
    },
    /// Keys were pinned for an issuer that is not configured.
    #[error("keys are pinned for {url:?}, which is not a configured issuer")]
    PinnedUnknown {
        /// As given.
        url: String,
    },
    /// Pinned keys of which none can verify a token.
    #[error("the keys pinned for {url:?} hold no usable signing key")]
    PinnedKeys {
        /// The issuer.
        url: String,
    },
}

/// Parses an issuer's URL. The string itself stays what tokens are compared with.
pub(crate) fn issuer_url(url: &str) -> Result<Url, ConfigFault> {
    let refused = || ConfigFault::Url { url: url.to_owned() };
    if !url.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(refused());
    }
    let parsed = Url::parse(url).map_err(|_| refused())?;
    let bare = parsed.username().is_empty()
        && parsed.password().is_none()
        && parsed.query().is_none()
        && parsed.fragment().is_none();
    if !bare || parsed.host().is_none() {
        return Err(refused());
    }
    match parsed.scheme() {
        "https" => Ok(parsed),
        "http" if is_loopback(&parsed) => Ok(parsed),
        "http" => Err(ConfigFault::PlainHttp { url: url.to_owned() }),
        _ => Err(refused()),
    }
}

/// True for `localhost` and literal loopback addresses. Nothing is resolved.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).is_loopback(),
        None => false,
    }
}

/// The table as it is written. A plain struct, because serde cannot refuse unknown keys through
/// a flattened or tagged one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IssuerTable {
    url: String,
    client_id: String,
    #[serde(rename = "type")]
    kind: String,
    provider: Option<String>,
    #[serde(default = "default_algorithms")]
    algorithms: Vec<Alg>,
    #[serde(default = "default_max_lifetime")]
    max_lifetime_seconds: u64,
    #[serde(default)]
    allow: AllowTables,
}

impl TryFrom<IssuerTable> for IssuerConfig {
    type Error = ConfigFault;

    fn try_from(table: IssuerTable) -> Result<Self, ConfigFault> {
        let url = table.url;
        let kind = match (table.kind.as_str(), table.provider) {
            ("email", None) => IssuerKind::Email,
            ("email", Some(_)) => return Err(ConfigFault::ProviderUnused { url }),
            ("ci", Some(provider)) => match CiProvider::shipped(&provider) {
                Some(provider) => IssuerKind::Ci { provider },
                None => return Err(ConfigFault::ProviderUnknown { url, provider }),
            },
            ("ci", None) => return Err(ConfigFault::ProviderMissing { url }),
            _ => return Err(ConfigFault::Type { url, kind: table.kind }),
        };
        let place = place(&url, &table.client_id);
        let allow = table
            .allow
            .read(kind.vocabulary(), place, Breadth::of_issuer(&url))
            .map_err(|fault| ConfigFault::Allow { url: url.clone(), fault })?;
        let config = Self {
            url,
            client_id: table.client_id,
            allow,
            kind,
            algorithms: table.algorithms,
            max_lifetime_seconds: table.max_lifetime_seconds,
        };
        config.validate()?;
        Ok(config)
    }
}

/// How messages name an entry: two of them may have one URL.
fn place(url: &str, client_id: &str) -> String {
    format!("[[issuer]] {url} (client_id {client_id})")
}

fn default_algorithms() -> Vec<Alg> {
    vec![Alg::RS256]
}

fn default_max_lifetime() -> u64 {
    DEFAULT_MAX_LIFETIME_SECONDS
}

const DEFAULT_MAX_LIFETIME_SECONDS: u64 = 24 * 60 * 60;
const LONGEST_LIFETIME_SECONDS: u64 = 7 * 24 * 60 * 60;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const EMAIL: &str =
        "url = \"https://id.example\"\nclient_id = \"sigstore\"\ntype = \"email\"\n";

    fn parse(text: &str) -> Result<IssuerConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn defaults_are_rs256_and_a_day() {
        let config = parse(EMAIL).unwrap();
        assert_eq!(config, IssuerConfig::new("https://id.example", "sigstore", IssuerKind::Email));
        assert_eq!(config.algorithms, [Alg::RS256]);
        assert_eq!(config.max_lifetime_seconds, 86_400);
    }

    #[test]
    fn every_field_is_read() {
        let text = "url = \"http://127.0.0.1:9/x\"\nclient_id = \"me\"\ntype = \"ci\"\n\
                    provider = \"github-actions\"\nalgorithms = [\"ES256\", \"EdDSA\"]\n\
                    max_lifetime_seconds = 600\n";
        let config = parse(text).unwrap();
        assert!(matches!(config.kind, IssuerKind::Ci { .. }));
        assert_eq!(config.algorithms, [Alg::ES256, Alg::EdDSA]);
        assert_eq!(config.max_lifetime_seconds, 600);
    }

    #[test]
    fn no_config_no_trust() {
        for (from, to, named) in [
            ("client_id", "cilent_id", "cilent_id"),
            ("client_id = \"sigstore\"\n", "", "client_id"),
            ("type = \"email\"\n", "", "type"),
            ("\"email\"", "\"mail\"", "mail"),
            ("\"email\"", "\"ci\"", "no provider"),
            ("\"email\"", "\"ci\"\nprovider = \"gitbub\"", "gitbub"),
            ("\"email\"", "\"email\"\nprovider = \"github-actions\"", "not of type ci"),
            ("\"email\"", "\"email\"\nalgorithms = [\"HS256\"]", "HS256"),
            ("\"email\"", "\"email\"\nalgorithms = [\"none\"]", "none"),
            ("\"email\"", "\"email\"\nalgorithms = []", "algorithms"),
            ("\"email\"", "\"email\"\nmax_lifetime_seconds = 0", "max_lifetime_seconds"),
            ("\"email\"", "\"email\"\nskip_email_verification = true", "skip_email_verification"),
            ("\"sigstore\"", "\"\"", "client_id"),
            ("https://id.example", "http://id.example", "plain http"),
            ("https://id.example", "https://u@id.example", "https://u@id.example"),
            ("https://id.example", "https://id.example?x", "https://id.example?x"),
            ("https://id.example", "accounts.google.com", "accounts.google.com"),
            ("https://id.example", "ftp://id.example", "ftp://id.example"),
        ] {
            let error = parse(&EMAIL.replace(from, to)).unwrap_err();
            assert!(error.contains(named), "{named}: {error}");
        }
    }

    #[test]
    fn http_is_for_loopback_only() {
        for url in ["http://localhost:8700/oidc", "http://127.0.0.1", "http://[::1]:1"] {
            assert!(issuer_url(url).is_ok(), "{url}");
        }
        for url in ["http://localhost.evil", "http://10.0.0.1", "http://127.0.0.1.evil"] {
            assert_eq!(issuer_url(url), Err(ConfigFault::PlainHttp { url: url.to_owned() }));
        }
    }

    #[test]
    fn algorithm_names_round_trip() {
        for alg in Alg::ALL {
            assert_eq!(Alg::from_name(alg.name()), Some(alg));
            assert_eq!(serde_json::to_value(alg).unwrap(), alg.name());
        }
        for name in ["none", "nOnE", "", "HS256", "rs256", "RS256 ", "ES512", "ES256K"] {
            assert_eq!(Alg::from_name(name), None);
        }
    }
}

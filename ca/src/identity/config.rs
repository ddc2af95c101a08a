//! What an operator says about an issuer: one `[[issuer]]` table of ca.toml, and nothing implied.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use openidconnect::url::{Host, Url};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

mod fault;
mod issuer_claim;
mod keys;
mod table;

pub use self::fault::ConfigFault;
pub use self::issuer_claim::IssuerClaim;
pub use self::keys::{KeyOptions, KeysFrom};
pub use self::table::IssuerTable;

use super::kind::{IssuerKind, is_trust_domain};
use super::san;
use super::wildcard::Wildcard;
use crate::admit::{AllowRules, Breadth};

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
    /// The exact `iss`, compared byte for byte; also where discovery starts. With `*` in it, a
    /// pattern of many: each stands for part of one label or path segment.
    pub url: String,
    /// The audience that tokens must carry.
    pub client_id: String,
    /// How claims become a certificate subject.
    pub kind: IssuerKind,
    /// Where the certificate's issuer is taken from, if not from `iss`; e-mail types only.
    pub issuer_claim: Option<IssuerClaim>,
    /// Where its keys come from.
    pub keys: KeyOptions,
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
            issuer_claim: None,
            keys: KeyOptions::default(),
            algorithms: table::default_algorithms(),
            max_lifetime_seconds: DEFAULT_MAX_LIFETIME_SECONDS,
        }
    }

    /// Checks what a table's types cannot: the URL's form and the ranges.
    ///
    /// # Errors
    /// The [`ConfigFault`] of the first thing wrong.
    pub fn validate(&self) -> Result<(), ConfigFault> {
        let url = issuer_url(&self.url)?;
        self.validate_kind(&url)?;
        self.keys.validate(&self.url)?;
        if Wildcard::is_in(&self.url) {
            self.validate_wildcard()?;
        }
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

    /// True if a token could be for both: one issuer and one audience.
    #[must_use]
    pub fn is_same_entry(&self, other: &Self) -> bool {
        self.url == other.url && self.client_id == other.client_id
    }

    /// The entry in the words of Fulcio's `GET /api/v2/configuration`, each field there also when
    /// empty.
    pub(super) fn as_fulcio_tells_it(&self) -> Value {
        let (spiffe_trust_domain, subject_domain) = match &self.kind {
            IssuerKind::Spiffe { trust_domain } => (trust_domain.as_str(), ""),
            IssuerKind::Username { subject_domain } | IssuerKind::Uri { subject_domain } => {
                ("", subject_domain.as_str())
            }
            _ => ("", ""),
        };
        let url = if Wildcard::is_in(&self.url) { "wildcardIssuerUrl" } else { "issuerUrl" };
        json!({
            url: self.url,
            "audience": self.client_id,
            "challengeClaim": if self.kind.is_email() { "email" } else { "sub" },
            "spiffeTrustDomain": spiffe_trust_domain,
            "issuerType": self.kind.fulcio_name(),
            "subjectDomain": subject_domain,
            "skipEmailVerification": self.kind == IssuerKind::EmailWithoutVerifiedClaim,
        })
    }

    fn validate_kind(&self, url: &Url) -> Result<(), ConfigFault> {
        if self.issuer_claim.is_some() && !self.kind.is_email() {
            return Err(ConfigFault::NotForType { url: self.url.clone(), key: "issuer_claim" });
        }
        match &self.kind {
            IssuerKind::EmailWithoutVerifiedClaim if is_multi_tenant(&self.url, url) => {
                Err(ConfigFault::MultiTenant { url: self.url.clone() })
            }
            // Equal hosts: "the same last two labels" makes one family of all of co.uk.
            IssuerKind::Username { subject_domain } => {
                let equal =
                    san::is_host(subject_domain) && Some(subject_domain.as_str()) == url.host_str();
                self.subject_domain_fits(subject_domain, equal)
            }
            IssuerKind::Uri { subject_domain } => {
                let host =
                    subject_domain.strip_prefix("https://").filter(|host| san::is_host(host));
                self.subject_domain_fits(
                    subject_domain,
                    host.is_some() && host == authority(url).as_deref(),
                )
            }
            IssuerKind::Spiffe { trust_domain } if !is_trust_domain(trust_domain) => {
                Err(ConfigFault::TrustDomain {
                    url: self.url.clone(),
                    domain: trust_domain.clone(),
                })
            }
            _ => Ok(()),
        }
    }

    /// Nothing that belongs to one issuer stands beside a pattern of many.
    fn validate_wildcard(&self) -> Result<(), ConfigFault> {
        Wildcard::parse(&self.url)?;
        let not_for = |key| Err(ConfigFault::NotForWildcard { url: self.url.clone(), key });
        match self.kind {
            IssuerKind::Username { .. } | IssuerKind::Uri { .. } => not_for("subject_domain"),
            IssuerKind::Spiffe { .. } => not_for("trust_domain"),
            _ if self.keys.from != KeysFrom::Discovery => not_for("jwks_file or jwks_url"),
            _ if self.keys.bearer_file.is_some() => not_for("bearer_file"),
            _ => Ok(()),
        }
    }

    /// Reads relative paths as below `dir`, where ca.toml is.
    pub fn below(&mut self, dir: &Path) {
        self.keys.below(dir);
    }

    fn subject_domain_fits(&self, domain: &str, fits: bool) -> Result<(), ConfigFault> {
        if fits {
            return Ok(());
        }
        Err(ConfigFault::SubjectDomain { url: self.url.clone(), domain: domain.to_owned() })
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

fn authority(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// True for issuers of whose people no one operator has verified every address. A Microsoft tenant
/// that is named is its organisation's own.
fn is_multi_tenant(issuer: &str, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    if MICROSOFT_HOSTS.contains(&host) {
        let tenant = url.path_segments().and_then(|mut segments| segments.next());
        return MICROSOFT_SHARED_TENANTS.contains(&tenant.unwrap_or_default());
    }
    Breadth::of_issuer(issuer) != Breadth::Own
}

/// How messages name an entry: two of them may have one URL.
fn place(url: &str, client_id: &str) -> String {
    format!("[[issuer]] {url} (client_id {client_id})")
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

const DEFAULT_MAX_LIFETIME_SECONDS: u64 = 24 * 60 * 60;
const LONGEST_LIFETIME_SECONDS: u64 = 7 * 24 * 60 * 60;

const MICROSOFT_HOSTS: [&str; 3] =
    ["login.microsoftonline.com", "login.windows.net", "sts.windows.net"];
/// The tenants that everybody is in; the last is the number of the one for personal accounts.
const MICROSOFT_SHARED_TENANTS: [&str; 5] =
    ["", "common", "organizations", "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"];

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
            ("\"email\"", "\"email\"\nprovider = \"github-actions\"", "not for its type"),
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

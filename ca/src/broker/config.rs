//! `[sign_in]` of ca.toml: which upstream providers people sign in with, checked as far as that
//! needs no network.

use std::collections::BTreeSet;
use std::path::PathBuf;

use openidconnect::url::Url;
use serde::Deserialize;
use thiserror::Error;

use crate::admit::{AllowRules, AllowTables, Breadth, RuleFault, Vocabulary};
use crate::identity::config::{is_loopback, issuer_url};

/// The table `[sign_in]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// The audience of the tokens, and the `client_id` of the public clients that ask for them.
    #[serde(default = "default_client_id")]
    pub client_id: String,
    /// Whether a code that is typed in a browser may sign in a terminal elsewhere (RFC 8628).
    #[serde(default = "default_device_flow")]
    pub device_flow: bool,
    /// The upstream providers, in the order in which they are offered.
    #[serde(default, rename = "connector")]
    pub connectors: Vec<ConnectorConfig>,
}

/// One upstream provider: a table `[[sign_in.connector]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ConnectorTable")]
pub struct ConnectorConfig {
    /// Its name in addresses and in the `sub` of tokens: lower case letters, digits and hyphens.
    pub id: String,
    /// Its name on the page.
    pub name: String,
    /// Our name at the provider.
    pub client_id: String,
    /// The file with our secret there; readable by its owner alone.
    pub client_secret_file: Option<PathBuf>,
    /// Which provider.
    pub kind: ConnectorKind,
    /// Who of those that sign in there may have a token here.
    pub allow: AllowRules,
}

/// What is particular to a kind of provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectorKind {
    /// GitHub, or a GitHub Enterprise Server.
    GitHub(GitHubConfig),
    /// Google accounts.
    Google {
        /// The issuer: Google's, or a stand-in's on loopback.
        issuer: String,
        /// Google Workspace domains, of which the account must be in one; any account when empty.
        hosted_domains: Vec<String>,
    },
    /// Any OpenID provider.
    Oidc {
        /// The exact `iss` of its tokens; discovery starts there.
        issuer: String,
        /// Scopes to ask for; `openid` is among them.
        scopes: Vec<String>,
        /// A PEM file with the only roots that its TLS certificate may come from.
        ca_cert: Option<PathBuf>,
    },
}

/// What is particular to GitHub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHubConfig {
    /// Where people sign in, without a slash at the end: `https://github.com`.
    pub url: String,
    /// Where the API is, without a slash at the end: `https://api.github.com`.
    pub api_url: String,
    /// Organisations or teams, of which the account must be in one; any account when empty.
    pub organizations: Vec<Membership>,
    /// How far the server is believed about addresses.
    pub addresses: Addresses,
}

/// An organisation, or a team in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The organisation's login.
    pub organization: String,
    /// The team's slug.
    pub team: Option<String>,
}

/// How far a GitHub server is believed about an account's addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Addresses {
    /// Those that it says are verified: github.com, and a stand-in on loopback.
    AsVerified,
    /// None: a GitHub Enterprise Server verifies no address.
    Unverified,
    /// Every one, because the operator answers for it.
    Trusted,
}

impl SignIn {
    /// The checks that need more than one table.
    ///
    /// # Errors
    /// The [`SignInFault`] of the first thing wrong.
    pub fn check(&self) -> Result<(), SignInFault> {
        if self.client_id.is_empty() || !printable(&self.client_id) {
            return Err(SignInFault::OwnClientId);
        }
        let (mut ids, mut issuers) = (BTreeSet::new(), BTreeSet::new());
        for connector in &self.connectors {
            if !ids.insert(connector.id.as_str()) {
                return Err(SignInFault::IdTwice { id: connector.id.clone() });
            }
            if !issuers.insert(connector.issuer()) {
                return Err(SignInFault::IssuerTwice { issuer: connector.issuer() });
            }
        }
        Ok(())
    }
}

impl ConnectorConfig {
    /// The issuer in the certificates of those who sign in here: the strings that Sigstore's own
    /// sign-in made well known for GitHub and Google, which nothing else may use, and a URL of the
    /// provider's for all others.
    #[must_use]
    pub fn issuer(&self) -> String {
        match &self.kind {
            ConnectorKind::GitHub(github) => format!("{}{GITHUB_LOGIN}", github.url),
            ConnectorKind::Google { issuer, .. } | ConnectorKind::Oidc { issuer, .. } => {
                issuer.clone()
            }
        }
    }
}

impl ConnectorKind {
    /// Whom it vouches for: the public, unless its own settings have said who of them.
    fn breadth(&self) -> Breadth {
        match self {
            Self::GitHub(github) if github.organizations.is_empty() => Breadth::Public,
            Self::Google { hosted_domains, .. } if hosted_domains.is_empty() => Breadth::Public,
            Self::GitHub(_) | Self::Google { .. } => Breadth::Own,
            Self::Oidc { issuer, .. } => Breadth::of_issuer(issuer),
        }
    }
}

/// Why `[sign_in]` is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignInFault {
    /// The audience is empty or holds blanks or non-ASCII.
    #[error("sign_in.client_id is empty or not printable ASCII")]
    OwnClientId,
    /// An id that is no slug.
    #[error(
        "sign_in.connector.id {id:?} is not 1 to 32 lower case letters, digits and hyphens, \
         or is \"development\""
    )]
    Id {
        /// As configured.
        id: String,
    },
    /// Two connectors with one id.
    #[error("sign_in.connector.id {id:?} stands twice")]
    IdTwice {
        /// As configured.
        id: String,
    },
    /// Two connectors would make certificates with one issuer.
    #[error("two connectors lead to the issuer {issuer:?}; nobody could tell their people apart")]
    IssuerTwice {
        /// The issuer.
        issuer: String,
    },
    /// `type` is none of the types known here.
    #[error("type {kind:?} of connector {id:?} is not one of github, google, oidc")]
    Type {
        /// The connector.
        id: String,
        /// As configured.
        kind: String,
    },
    /// A key that belongs to another type.
    #[error("connector {id:?} of type {kind} has no key {key}")]
    Unused {
        /// The connector.
        id: String,
        /// Its type.
        kind: &'static str,
        /// The key.
        key: &'static str,
    },
    /// A key that the type needs.
    #[error("connector {id:?} of type {kind} needs the key {key}")]
    Missing {
        /// The connector.
        id: String,
        /// Its type.
        kind: &'static str,
        /// The key.
        key: &'static str,
    },
    /// A URL that is unusable.
    #[error(
        "{key} of connector {id:?} is not an https URL without user, query, fragment and slash at \
         the end"
    )]
    Url {
        /// The connector.
        id: String,
        /// The key.
        key: &'static str,
    },
    /// An issuer that belongs to another type alone.
    #[error("issuer {issuer:?} of connector {id:?} belongs to the type {kind} alone")]
    Reserved {
        /// The connector.
        id: String,
        /// The issuer.
        issuer: String,
        /// The type.
        kind: &'static str,
    },
    /// Google somewhere else than at Google.
    #[error("issuer of connector {id:?} of type google is for a stand-in on loopback only")]
    GoogleElsewhere {
        /// The connector.
        id: String,
    },
    /// Another API for github.com.
    #[error("api_url of connector {id:?}: that of https://github.com is {GITHUB_API}")]
    OtherApi {
        /// The connector.
        id: String,
    },
    /// Trust in addresses that github.com says are not verified.
    #[error(
        "connector {id:?}: trust_unverified_addresses_of_this_server is for a GitHub Enterprise \
         Server; github.com verifies addresses itself"
    )]
    TrustNotNeeded {
        /// The connector.
        id: String,
    },
    /// An organisation that is none.
    #[error("{entry:?} of connector {id:?} is not ORGANISATION or ORGANISATION/TEAM")]
    Membership {
        /// The connector.
        id: String,
        /// As configured.
        entry: String,
    },
    /// The allow rules.
    #[error("connector {id:?}: {fault}")]
    Allow {
        /// The connector.
        id: String,
        /// What is wrong with them.
        fault: RuleFault,
    },
    /// A text that is empty, too long or not printable.
    #[error("{key} of connector {id:?} is empty, too long or not printable")]
    Text {
        /// The connector.
        id: String,
        /// The key.
        key: &'static str,
    },
}

/// The table as it is written. A plain struct, because serde cannot refuse unknown keys through
/// a flattened or tagged one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConnectorTable {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    name: Option<String>,
    client_id: String,
    client_secret_file: Option<PathBuf>,
    url: Option<String>,
    api_url: Option<String>,
    organizations: Option<Vec<String>>,
    trust_unverified_addresses_of_this_server: Option<bool>,
    hosted_domains: Option<Vec<String>>,
    issuer: Option<String>,
    scopes: Option<Vec<String>>,
    ca_cert: Option<PathBuf>,
    #[serde(default)]
    allow: AllowTables,
}

impl TryFrom<ConnectorTable> for ConnectorConfig {
    type Error = SignInFault;

    fn try_from(mut table: ConnectorTable) -> Result<Self, SignInFault> {
        let id = table.id.clone();
        if !is_slug(&id) || id == crate::oidc_dev::CONNECTOR {
            return Err(SignInFault::Id { id });
        }
        let (kind, default_name) = match table.kind.as_str() {
            "github" => (table.github()?, "GitHub".to_owned()),
            "google" => (table.google()?, "Google".to_owned()),
            "oidc" => (table.oidc()?, id.clone()),
            _ => return Err(SignInFault::Type { id, kind: table.kind }),
        };
        let name = table.name.unwrap_or(default_name);
        if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            return Err(SignInFault::Text { id, key: "name" });
        }
        if table.client_id.is_empty() || !printable(&table.client_id) {
            return Err(SignInFault::Text { id, key: "client_id" });
        }
        let place = format!("sign_in.connector {id:?}");
        let allow = table
            .allow
            .read(Vocabulary::People, place, kind.breadth())
            .map_err(|fault| SignInFault::Allow { id: id.clone(), fault })?;
        let (client_id, client_secret_file) = (table.client_id, table.client_secret_file);
        Ok(Self { id, name, client_id, client_secret_file, kind, allow })
    }
}

impl ConnectorTable {
    fn github(&mut self) -> Result<ConnectorKind, SignInFault> {
        let kind = "github";
        self.refuse(kind, "hosted_domains", self.hosted_domains.is_some())?;
        self.refuse(kind, "issuer", self.issuer.is_some())?;
        self.refuse(kind, "scopes", self.scopes.is_some())?;
        self.need_secret(kind)?;
        let url = self.url.take().unwrap_or_else(|| GITHUB.to_owned());
        let parsed = self.base_url("url", &url)?;
        let public = url == GITHUB;
        // Another spelling of github.com would be another issuer in certificates.
        let is_github = matches!(parsed.host_str(), Some("github.com" | "www.github.com"));
        if is_github && !public {
            return Err(SignInFault::Url { id: self.id.clone(), key: "url" });
        }
        let api_url = self.api_url.take().unwrap_or_else(|| {
            if public { GITHUB_API.to_owned() } else { format!("{url}/api/v3") }
        });
        self.base_url("api_url", &api_url)?;
        if public && api_url != GITHUB_API {
            return Err(SignInFault::OtherApi { id: self.id.clone() });
        }
        let trusted = self.trust_unverified_addresses_of_this_server.unwrap_or(false);
        if public && trusted {
            return Err(SignInFault::TrustNotNeeded { id: self.id.clone() });
        }
        let addresses = if trusted {
            Addresses::Trusted
        } else if public || is_loopback(&parsed) {
            Addresses::AsVerified
        } else {
            Addresses::Unverified
        };
        let organizations = self.organizations.take().unwrap_or_default();
        let organizations =
            organizations.iter().map(|entry| self.membership(entry)).collect::<Result<_, _>>()?;
        Ok(ConnectorKind::GitHub(GitHubConfig { url, api_url, organizations, addresses }))
    }

    fn google(&mut self) -> Result<ConnectorKind, SignInFault> {
        let kind = "google";
        self.refuse_github_keys(kind)?;
        self.refuse(kind, "scopes", self.scopes.is_some())?;
        self.need_secret(kind)?;
        let issuer = self.issuer.take().unwrap_or_else(|| GOOGLE.to_owned());
        if issuer != GOOGLE && !issuer_url(&issuer).is_ok_and(|url| is_loopback(&url)) {
            return Err(SignInFault::GoogleElsewhere { id: self.id.clone() });
        }
        let hosted_domains = self.hosted_domains.take().unwrap_or_default();
        if hosted_domains.iter().any(|domain| domain.is_empty() || !printable(domain)) {
            return Err(SignInFault::Text { id: self.id.clone(), key: "hosted_domains" });
        }
        Ok(ConnectorKind::Google { issuer, hosted_domains })
    }

    fn oidc(&mut self) -> Result<ConnectorKind, SignInFault> {
        let kind = "oidc";
        self.refuse_github_keys(kind)?;
        self.refuse(kind, "hosted_domains", self.hosted_domains.is_some())?;
        let issuer = self.issuer.take().ok_or_else(|| SignInFault::Missing {
            id: self.id.clone(),
            kind,
            key: "issuer",
        })?;
        let url = issuer_url(&issuer)
            .map_err(|_fault| SignInFault::Url { id: self.id.clone(), key: "issuer" })?;
        // By host, so that no other spelling of the two passes for a provider of its own.
        let reserved = match url.host_str() {
            Some("github.com" | "www.github.com") => Some("github"),
            Some("accounts.google.com") => Some("google"),
            _ => None,
        };
        if let Some(kind) = reserved {
            return Err(SignInFault::Reserved { id: self.id.clone(), issuer, kind });
        }
        let mut scopes =
            self.scopes.take().unwrap_or_else(|| vec!["openid".to_owned(), "email".to_owned()]);
        if scopes.iter().any(|scope| scope.is_empty() || !printable(scope)) {
            return Err(SignInFault::Text { id: self.id.clone(), key: "scopes" });
        }
        if !scopes.iter().any(|scope| scope == "openid") {
            scopes.insert(0, "openid".to_owned());
        }
        Ok(ConnectorKind::Oidc { issuer, scopes, ca_cert: self.ca_cert.take() })
    }

    fn refuse_github_keys(&self, kind: &'static str) -> Result<(), SignInFault> {
        self.refuse(kind, "url", self.url.is_some())?;
        self.refuse(kind, "api_url", self.api_url.is_some())?;
        self.refuse(kind, "organizations", self.organizations.is_some())?;
        let trust = self.trust_unverified_addresses_of_this_server.is_some();
        self.refuse(kind, "trust_unverified_addresses_of_this_server", trust)
    }

    fn refuse(
        &self,
        kind: &'static str,
        key: &'static str,
        present: bool,
    ) -> Result<(), SignInFault> {
        if present { Err(SignInFault::Unused { id: self.id.clone(), kind, key }) } else { Ok(()) }
    }

    fn need_secret(&self, kind: &'static str) -> Result<(), SignInFault> {
        let key = "client_secret_file";
        if self.client_secret_file.is_some() {
            return Ok(());
        }
        Err(SignInFault::Missing { id: self.id.clone(), kind, key })
    }

    fn base_url(&self, key: &'static str, url: &str) -> Result<Url, SignInFault> {
        let refused = || SignInFault::Url { id: self.id.clone(), key };
        let parsed = issuer_url(url).map_err(|_fault| refused())?;
        if url.ends_with('/') { Err(refused()) } else { Ok(parsed) }
    }

    fn membership(&self, entry: &str) -> Result<Membership, SignInFault> {
        let refused = || SignInFault::Membership { id: self.id.clone(), entry: entry.to_owned() };
        let (organization, team) = match entry.split_once('/') {
            Some((organization, team)) => (organization, Some(team)),
            None => (entry, None),
        };
        let is_name = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        };
        if !is_name(organization) || team.is_some_and(|team| !is_name(team)) {
            return Err(refused());
        }
        Ok(Membership { organization: organization.to_owned(), team: team.map(str::to_owned) })
    }
}

fn is_slug(id: &str) -> bool {
    (1..=32).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

fn printable(text: &str) -> bool {
    text.len() <= 256 && text.bytes().all(|b| b.is_ascii_graphic())
}

fn default_client_id() -> String {
    crate::oidc_dev::DEFAULT_AUDIENCE.to_owned()
}

const fn default_device_flow() -> bool {
    true
}

impl Default for SignIn {
    fn default() -> Self {
        Self {
            client_id: default_client_id(),
            device_flow: default_device_flow(),
            connectors: Vec::new(),
        }
    }
}

/// The one public GitHub.
pub const GITHUB: &str = "https://github.com";

/// The one public GitHub's API.
pub const GITHUB_API: &str = "https://api.github.com";

/// What follows a GitHub server's address in the issuer of certificates.
pub const GITHUB_LOGIN: &str = "/login/oauth";

/// Google's issuer.
pub const GOOGLE: &str = "https://accounts.google.com";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const GITHUB_TABLE: &str = "[[connector]]\nid = \"github\"\ntype = \"github\"\n\
        client_id = \"Iv1\"\nclient_secret_file = \"keys/github.secret\"\n";
    const GOOGLE_TABLE: &str = "[[connector]]\nid = \"google\"\ntype = \"google\"\n\
        client_id = \"x.apps\"\nclient_secret_file = \"keys/google.secret\"\n";
    const OIDC_TABLE: &str = "[[connector]]\nid = \"corp\"\ntype = \"oidc\"\n\
        client_id = \"ca\"\nissuer = \"https://login.corp.example\"\n";

    fn parse(text: &str) -> Result<SignIn, String> {
        let sign_in: SignIn = toml::from_str(text).map_err(|error| error.to_string())?;
        sign_in.check().map_err(|fault| fault.to_string())?;
        Ok(sign_in)
    }

    #[test]
    fn the_three_kinds_and_their_issuers() {
        let whole = format!("{GITHUB_TABLE}{GOOGLE_TABLE}{OIDC_TABLE}");
        let sign_in = parse(&whole).unwrap();
        assert_eq!((sign_in.client_id.as_str(), sign_in.device_flow), ("sigstore", true));
        let issuers: Vec<String> = sign_in.connectors.iter().map(ConnectorConfig::issuer).collect();
        assert_eq!(
            issuers,
            [
                "https://github.com/login/oauth",
                "https://accounts.google.com",
                "https://login.corp.example"
            ]
        );
        let enterprise = format!("{GITHUB_TABLE}url = \"https://git.corp.example\"\n");
        let enterprise = parse(&enterprise).unwrap().connectors.remove(0);
        assert_eq!(enterprise.issuer(), "https://git.corp.example/login/oauth");
        let ConnectorKind::GitHub(github) = enterprise.kind else { panic!() };
        assert_eq!(github.api_url, "https://git.corp.example/api/v3");
        assert_eq!(github.addresses, Addresses::Unverified);
    }

    #[test]
    fn well_known_issuers_belong_to_their_types() {
        for issuer in [
            "https://accounts.google.com",
            "https://accounts.google.com/",
            "https://github.com/login/oauth",
            "https://GitHub.com/login/oauth",
        ] {
            let table = OIDC_TABLE.replace("https://login.corp.example", issuer);
            let error = parse(&table).unwrap_err();
            assert!(error.contains("belongs to the type"), "{issuer}: {error}");
        }
    }

    #[test]
    fn what_is_refused_is_named() {
        for (table, more, named) in [
            (GITHUB_TABLE, "scopes = []", "scopes"),
            (GITHUB_TABLE, "url = \"http://git.corp.example\"", "url"),
            (GITHUB_TABLE, "url = \"https://git.corp.example/\"", "url"),
            (GITHUB_TABLE, "url = \"https://GITHUB.com\"", "url"),
            (GITHUB_TABLE, "api_url = \"https://evil.example\"", "api_url"),
            (GITHUB_TABLE, "trust_unverified_addresses_of_this_server = true", "github.com"),
            (GITHUB_TABLE, "organizations = [\"acme/a/b\"]", "acme/a/b"),
            (GITHUB_TABLE, "organizations = [\"\"]", "ORGANISATION"),
            (GOOGLE_TABLE, "issuer = \"https://login.corp.example\"", "loopback"),
            (GOOGLE_TABLE, "organizations = []", "organizations"),
            (OIDC_TABLE, "hosted_domains = []", "hosted_domains"),
            (OIDC_TABLE, "client_secret = \"inline\"", "client_secret"),
            (OIDC_TABLE, "name = \"\"", "name"),
        ] {
            assert!(parse(table).is_ok());
            let error = parse(&format!("{table}{more}\n")).unwrap_err();
            assert!(error.contains(named), "{more}: {error}");
        }
        for (from, to, named) in [
            ("\"github\"\ntype", "\"Git Hub\"\ntype", "Git Hub"),
            ("\"github\"\ntype", "\"development\"\ntype", "development"),
            ("type = \"github\"", "type = \"gitlab\"", "gitlab"),
            ("client_secret_file = \"keys/github.secret\"\n", "", "client_secret_file"),
        ] {
            let error = parse(&GITHUB_TABLE.replace(from, to)).unwrap_err();
            assert!(error.contains(named), "{to}: {error}");
        }
    }

    #[test]
    fn two_with_one_name_or_one_issuer_are_refused() {
        let twice = format!("{GITHUB_TABLE}{GITHUB_TABLE}");
        assert!(parse(&twice).unwrap_err().contains("stands twice"));
        let other = GITHUB_TABLE.replace("id = \"github\"\n", "id = \"hub\"\n");
        let error = parse(&format!("{GITHUB_TABLE}{other}")).unwrap_err();
        assert!(error.contains("https://github.com/login/oauth"), "{error}");
    }
}

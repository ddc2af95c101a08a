//! `ca.toml` as strict types: an unknown key, a second spelling or a suspicious value stops the
//! start, with the name of the key.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use reqwest::Url;
use serde::Deserialize;
use tough::schema::RoleType;

use crate::broker::config::{SignIn, SignInFault};
use crate::identity::config::{ConfigFault, is_loopback};
use crate::identity::{CiProvider, IssuerConfig, IssuerTable};
use crate::limits::LimitsConfig;
use crate::proxy::Network;
use crate::tls::TlsFiles;
use crate::tuf::config::TufConfig;

/// The whole of `ca.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who runs the instance: the organisation in its certificates.
    pub name: String,
    /// Made by `ca dev`: the only kind of folder in which `ca dev` will start.
    #[serde(default)]
    pub development: bool,
    /// Where the server listens.
    pub listen: Listen,
    /// The addresses under which clients reach each face.
    pub urls: Urls,
    /// How much one identity and one client address may ask for.
    #[serde(default)]
    pub limits: LimitsConfig,
    /// Who may sign in: one `[[issuer]]` for each identity provider and audience; none by default.
    #[serde(skip)]
    pub issuers: Vec<IssuerConfig>,
    /// The same as they are written, before their providers are looked up.
    #[serde(default, rename = "issuer")]
    issuer_tables: Vec<IssuerTable>,
    /// The operator's own templates for pipelines.
    #[serde(default, rename = "ci_provider")]
    ci_providers: Vec<CiProvider>,
    /// What a person confirms once before the first signature; nothing by default.
    #[serde(default)]
    pub notice: Option<String>,
    /// The roles of the TUF repository.
    #[serde(default)]
    pub tuf: TufConfig,
    /// The sign-in of this instance: providers that people sign in with; none by default.
    #[serde(default)]
    pub sign_in: SignIn,
}

/// Where the server listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// Address and port of the one listener for every face.
    pub address: SocketAddr,
    /// Address and port of `/metrics` in `ca serve`; loopback unless said otherwise.
    #[serde(default = "default_metrics")]
    pub metrics: SocketAddr,
    /// Something in front of this server speaks TLS, so it may listen beyond loopback.
    #[serde(default)]
    pub behind_proxy: bool,
    /// Whose `X-Forwarded-For` is believed; nobody's unless said otherwise.
    #[serde(default)]
    pub trusted_proxies: Vec<Network>,
    /// The certificate of this listener, when it speaks TLS by itself.
    pub tls: Option<TlsFiles>,
}

/// The address of each face, as clients write it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Urls {
    /// Certificate authority: scheme and host alone (sigstore-python drops a path).
    pub ca: String,
    /// Artifact log (Rekor v2): its host name is the log's origin.
    pub log: String,
    /// Certificate transparency log: without the scheme it is the log's origin.
    pub ct: String,
    /// Timestamp authority: the full address that clients post to.
    pub tsa: String,
    /// TUF repository; `/tuf` of the certificate authority where it is left out.
    #[serde(default)]
    pub tuf: Option<String>,
}

/// Why `ca.toml` is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: cannot be read: {source}; `ca init DIR` makes a new instance")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is not TOML of the known shape.
    #[error("{path}: {message}")]
    Shape {
        /// The file.
        path: PathBuf,
        /// Line, column and key, as the TOML reader tells them.
        message: String,
    },
    /// A URL of `[urls]` is unusable.
    #[error("urls.{key} = \"{value}\": {reason}")]
    Url {
        /// The key below `[urls]`.
        key: &'static str,
        /// What it says.
        value: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Two logs would sign under one name.
    #[error(
        "urls.log and urls.ct lead to the same origin \"{origin}\"; give each log its own host name"
    )]
    SharedOrigin {
        /// The origin that both have.
        origin: String,
    },
    /// A plain listener beyond loopback.
    #[error(
        "listen.address = \"{address}\" is not a loopback address: give it a certificate in \
         [listen.tls], or put a TLS proxy in front of it and set listen.behind_proxy = true"
    )]
    OpenListener {
        /// The address.
        address: SocketAddr,
    },
    /// The name cannot stand in a certificate.
    #[error("name must be 1 to 64 printable characters")]
    Name,
    /// An `[[issuer]]` or `[[ci_provider]]` table cannot be.
    #[error(transparent)]
    Issuer(#[from] ConfigFault),
    /// The notice cannot be shown.
    #[error("notice must be 1 to 16384 bytes of printable text")]
    Notice,
    /// A role of `[tuf]` cannot be kept up.
    #[error("tuf.{role}.{reason}")]
    Tuf {
        /// The role.
        role: RoleType,
        /// The key, and what it must be.
        reason: &'static str,
    },
    /// Two issuers have the same URL and the same audience.
    #[error("issuer.url = \"{url}\" stands twice with the same client_id")]
    IssuerTwice {
        /// The URL.
        url: String,
    },
    /// An issuer of the configuration is the sign-in of this very instance.
    #[error(
        "issuer.url = \"{url}\" is this instance's own sign-in; name its providers in \
         [[sign_in.connector]] instead"
    )]
    OwnIssuer {
        /// The URL.
        url: String,
    },
    /// `[sign_in]` is refused.
    #[error(transparent)]
    SignIn(#[from] SignInFault),
}

impl Config {
    /// Reads and checks `DIR/ca.toml`.
    ///
    /// # Errors
    /// When the file is missing, has an unknown or missing key, or fails [`Config::check`].
    pub fn read(dir: &Path) -> Result<Self, ConfigError> {
        Self::parse(&dir.join(FILE_NAME), &Self::text(dir)?)
    }

    /// The text of `DIR/ca.toml`.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn text(dir: &Path) -> Result<String, ConfigError> {
        let path = dir.join(FILE_NAME);
        fs::read_to_string(&path).map_err(|source| ConfigError::Unreadable { path, source })
    }

    /// Parses and checks the text of a `ca.toml`; `path` is for the messages, and relative paths in
    /// the text are read as below its folder.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|error| ConfigError::Shape {
            path: path.to_owned(),
            message: error.to_string(),
        })?;
        config.issuers = issuers(&config.issuer_tables, &config.ci_providers)?;
        if let Some(dir) = path.parent() {
            config.issuers.iter_mut().for_each(|issuer| issuer.below(dir));
        }
        config.check()?;
        Ok(config)
    }

    /// The checks that need no key and no file.
    ///
    /// # Errors
    /// One variant for each suspicious value.
    pub fn check(&self) -> Result<(), ConfigError> {
        let printable = |c: char| !c.is_control();
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(printable) {
            return Err(ConfigError::Name);
        }
        if self.notice.as_ref().is_some_and(|notice| {
            let printable = notice.chars().all(|c| c == '\n' || !c.is_control());
            !printable || !(1..=MAX_NOTICE).contains(&notice.len())
        }) {
            return Err(ConfigError::Notice);
        }
        self.tuf.check().map_err(|(role, reason)| ConfigError::Tuf { role, reason })?;
        let kept_in = self.listen.behind_proxy || self.listen.tls.is_some();
        if !self.listen.address.ip().is_loopback() && !kept_in {
            return Err(ConfigError::OpenListener { address: self.listen.address });
        }
        let faces = self.urls.check()?;
        if faces.log_origin == faces.ct_origin {
            return Err(ConfigError::SharedOrigin { origin: faces.log_origin });
        }
        for (position, issuer) in self.issuers.iter().enumerate() {
            if self.issuers.iter().take(position).any(|known| known.is_same_entry(issuer)) {
                return Err(ConfigError::IssuerTwice { url: issuer.url.clone() });
            }
            if issuer.url == self.sign_in_issuer() {
                return Err(ConfigError::OwnIssuer { url: issuer.url.clone() });
            }
        }
        self.sign_in.check()?;
        Ok(())
    }

    /// The issuer URL of the instance's own sign-in; in `ca dev` that of the development provider.
    pub fn sign_in_issuer(&self) -> String {
        format!("{}/oidc", self.urls.ca.trim_end_matches('/'))
    }
}

fn issuers(
    tables: &[IssuerTable],
    providers: &[CiProvider],
) -> Result<Vec<IssuerConfig>, ConfigFault> {
    let mut names: BTreeSet<&str> = CiProvider::shipped_names().collect();
    if let Some(twice) = providers.iter().find(|provider| !names.insert(provider.name())) {
        return Err(ConfigFault::ProviderTwice { name: twice.name().to_owned() });
    }
    tables.iter().map(|table| table.clone().resolve(providers)).collect()
}

/// What the URLs say about the faces once they are parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faces {
    /// Origin of the artifact log: the host name of its URL (sigstore-go compares the two).
    pub log_origin: String,
    /// Origin of the CT log: its submission prefix without the scheme (static-ct-api).
    pub ct_origin: String,
    /// Host (with port where the URL has one) of the CT log, when it is not the artifact log's:
    /// requests that name it are read as if their path began with `/ct`.
    pub ct_host: Option<String>,
}

impl Urls {
    /// The address of the TUF repository.
    pub fn tuf(&self) -> String {
        self.tuf.clone().unwrap_or_else(|| format!("{}/tuf", self.ca))
    }

    /// Parses the addresses.
    ///
    /// # Errors
    /// [`ConfigError::Url`] for the first one that is unusable.
    pub fn check(&self) -> Result<Faces, ConfigError> {
        let ca = parse_url("ca", &self.ca)?;
        if ca.path() != "/" || self.ca.ends_with('/') {
            return Err(refuse(
                "ca",
                &self.ca,
                "must end after the host: some clients drop a path",
            ));
        }
        let log = parse_url("log", &self.log)?;
        if log.path() != "/" || self.log.ends_with('/') {
            return Err(refuse("log", &self.log, "must end after the host, which is the origin"));
        }
        let ct = parse_url("ct", &self.ct)?;
        if !matches!(ct.path(), "/" | "/ct") || self.ct.ends_with('/') {
            return Err(refuse("ct", &self.ct, "must be a host alone, or a host and /ct"));
        }
        parse_url("tsa", &self.tsa)?;
        if let Some(tuf) = &self.tuf {
            parse_url("tuf", tuf)?;
            if tuf.ends_with('/') {
                return Err(refuse("tuf", tuf, "must not end with a slash"));
            }
        }
        let (log_host, ct_host) = (authority(&log), authority(&ct));
        if ct.path() == "/" && ct_host == log_host {
            return Err(refuse("ct", &self.ct, "needs the path /ct on the artifact log's host"));
        }
        Ok(Faces {
            log_origin: log.host_str().unwrap_or_default().to_owned(),
            ct_origin: self.ct.split_once("://").map_or("", |(_, rest)| rest).to_owned(),
            ct_host: (ct.path() == "/").then_some(ct_host),
        })
    }
}

fn parse_url(key: &'static str, value: &str) -> Result<Url, ConfigError> {
    let url = Url::parse(value).map_err(|_malformed| refuse(key, value, "is not a URL"))?;
    let loopback = is_loopback(&url);
    match url.scheme() {
        "https" => {}
        "http" if loopback => {}
        _ => return Err(refuse(key, value, "must be https, or http on loopback")),
    }
    let decorated = !url.username().is_empty() || url.query().is_some() || url.fragment().is_some();
    if url.host_str().is_none_or(str::is_empty) || decorated {
        return Err(refuse(key, value, "must be a scheme, a host and at most a path"));
    }
    Ok(url)
}

fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn refuse(key: &'static str, value: &str, reason: &'static str) -> ConfigError {
    ConfigError::Url { key, value: value.to_owned(), reason }
}

fn default_metrics() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 2112))
}

/// The file's name in the instance folder.
pub const FILE_NAME: &str = "ca.toml";

/// As much as a client will read.
const MAX_NOTICE: usize = 16 * 1024;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        name = "Example"
        [listen]
        address = "127.0.0.1:8700"
        [urls]
        ca = "https://ca.example.com"
        log = "https://log.example.com"
        ct = "https://ct.example.com"
        tsa = "https://tsa.example.com/api/v1/timestamp"
    "#;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new("ca.toml"), text)
    }

    fn refusal(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "the fixture lost {from}");
        parse(&GOOD.replace(from, to)).unwrap_err().to_string()
    }

    #[test]
    fn a_whole_configuration_is_read() {
        let config = parse(GOOD).unwrap();
        let faces = config.urls.check().unwrap();
        assert_eq!(faces.log_origin, "log.example.com");
        assert_eq!(faces.ct_origin, "ct.example.com");
        assert_eq!(faces.ct_host.as_deref(), Some("ct.example.com"));
        assert!(config.issuers.is_empty(), "no_config_no_trust: nobody is trusted unasked");
    }

    #[test]
    fn no_config_no_trust() {
        assert!(refusal("name =", "nmae =").contains("nmae"));
        assert!(refusal("[urls]", "[url]").contains("url"));
        let missing = Config::read(Path::new("no-such-folder")).unwrap_err();
        assert!(missing.to_string().contains("ca init"));
    }

    #[test]
    fn a_path_on_the_ca_is_refused() {
        assert!(refusal("https://ca.example.com", "https://ca.example.com/ca").contains("urls.ca"));
    }

    #[test]
    fn plain_http_is_for_loopback() {
        assert!(refusal("https://log", "http://log").contains("urls.log"));
        assert!(parse(&GOOD.replace("https://log.example.com", "http://localhost:1")).is_ok());
    }

    #[test]
    fn names_unique() {
        let shared = refusal("https://ct.example.com", "https://log.example.com");
        assert!(shared.contains("urls.ct"), "{shared}");
    }

    #[test]
    fn an_open_listener_needs_a_proxy() {
        let open = GOOD.replace("127.0.0.1:8700", "0.0.0.0:8700");
        assert!(matches!(parse(&open), Err(ConfigError::OpenListener { .. })));
        let behind = open.replace("[urls]", "behind_proxy = true\n[urls]");
        assert!(parse(&behind).is_ok());
    }

    #[test]
    fn an_open_listener_may_have_tls() {
        let open = GOOD.replace("127.0.0.1:8700", "0.0.0.0:8700");
        let tls = "[listen.tls]\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n[urls]";
        let config = parse(&open.replace("[urls]", tls)).unwrap();
        assert_eq!(config.listen.tls.unwrap().key, Path::new("key.pem"));
        let half = "[listen.tls]\ncertificate = \"cert.pem\"\n[urls]";
        assert!(matches!(parse(&open.replace("[urls]", half)), Err(ConfigError::Shape { .. })));
        let unknown = tls.replace("key =", "ciphers = \"all\"\nkey =");
        assert!(
            parse(&open.replace("[urls]", &unknown)).unwrap_err().to_string().contains("ciphers")
        );
    }

    #[test]
    fn trusted_proxies_are_ranges() {
        let with = |list: &str| {
            parse(&GOOD.replace("[urls]", &format!("trusted_proxies = {list}\n[urls]")))
        };
        assert_eq!(
            with("[\"127.0.0.1/32\", \"10.0.0.0/8\"]").unwrap().listen.trusted_proxies.len(),
            2
        );
        for bad in ["[\"10.0.0.1/8\"]", "[\"0.0.0.0/0\"]", "[\"proxy.example.com\"]"] {
            assert!(matches!(with(bad), Err(ConfigError::Shape { .. })), "{bad}");
        }
    }
}

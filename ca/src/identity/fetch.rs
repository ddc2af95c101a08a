//! An issuer's discovery document and keys, over HTTP, with every length and direction capped.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use formats::json;
use openidconnect::url::Url;
use openidconnect::{IssuerUrl, JsonWebKeySetUrl};
use reqwest::header::AUTHORIZATION;
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, ClientBuilder, Response};
use serde::Deserialize;
use thiserror::Error;
use tokio::sync::Semaphore;

use super::config::is_loopback;
use super::jwks::KeySet;

mod address;
mod bearer;

pub(super) use self::bearer::Bearer;

/// Why no keys came from an issuer. Holds nothing that the issuer sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FetchFault {
    /// The HTTP client could not be made, most often for want of root certificates.
    #[error("no HTTP client can be made here")]
    Client,
    /// The file that holds its keys cannot be read.
    #[error("the file of its keys cannot be read")]
    KeysFile,
    /// The file of the bearer token cannot be read, or holds no token.
    #[error("bearer_file cannot be read, or holds no token")]
    BearerFile,
    /// An issuer that was matched by a pattern, or its keys, are not on the public network.
    #[error("the issuer or its keys are at an address that is not public")]
    PrivateAddress,
    /// No connection, TLS included.
    #[error("no connection to the issuer")]
    Connect,
    /// Not done within the time allowed.
    #[error("the issuer took longer than {} s", TIME_OUT.as_secs())]
    TimeOut,
    /// The connection broke, or what came was not HTTP.
    #[error("the connection to the issuer broke")]
    Transport,
    /// Any status but 200 and the redirects.
    #[error("the issuer answered with status {status}")]
    Status {
        /// The status code.
        status: u16,
    },
    /// A redirect. None is followed: it would let another host speak for the issuer.
    #[error("the issuer answered with a redirect, and none is followed")]
    Redirect,
    /// More bytes than a discovery document or a key set has.
    #[error("the issuer's document exceeds {MAX_DOCUMENT_BYTES} bytes")]
    TooLarge,
    /// The discovery document is not strict JSON with `issuer` and `jwks_uri`.
    #[error("the discovery document is not strict JSON with issuer and jwks_uri")]
    DiscoveryMalformed,
    /// Its `issuer` is not byte for byte the configured one (OpenID Connect Discovery 4.3).
    #[error("the discovery document is that of another issuer")]
    OtherIssuer,
    /// `jwks_uri` is not https, nor http on loopback for an issuer that is there too.
    #[error("jwks_uri is not an https URL")]
    KeysUrl,
    /// The key set is not strict JSON with a list of keys.
    #[error("the key set is not strict JSON with a list of keys")]
    KeysMalformed,
    /// No key in the set can verify a token.
    #[error("the key set holds no usable signing key")]
    NoUsableKey,
}

impl FetchFault {
    /// True if the issuer, or the way to it, failed; false if it gave a wrong answer.
    #[must_use]
    pub fn is_outage(self) -> bool {
        match self {
            Self::Client
            | Self::KeysFile
            | Self::BearerFile
            | Self::Connect
            | Self::TimeOut
            | Self::Transport => true,
            Self::Status { status } => status >= 500 || status == 429,
            Self::PrivateAddress
            | Self::Redirect
            | Self::TooLarge
            | Self::DiscoveryMalformed
            | Self::OtherIssuer
            | Self::KeysUrl
            | Self::KeysMalformed
            | Self::NoUsableKey => false,
        }
    }
}

/// Where one issuer's keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// Where the discovery document below this URL says.
    Discovery(Url),
    /// At an address of the operator's.
    Address(Url),
    /// In a file of the operator's.
    File(PathBuf),
}

/// Reads keys.
pub(super) struct Fetcher {
    clients: Arc<Clients>,
    bearer: Option<Bearer>,
    /// For issuers that strangers name: few at once.
    strangers: Option<Semaphore>,
}

impl Fetcher {
    /// For one configured issuer, which may have a bearer token of its own.
    pub(super) fn of_one(clients: Arc<Clients>, bearer: Option<Bearer>) -> Self {
        Self { clients, bearer, strangers: None }
    }

    /// For all issuers that a pattern matches: on the public network, whatever they are called.
    pub(super) fn of_strangers(authorities: Option<Vec<Certificate>>) -> Self {
        let clients = Clients { authorities, public_only: true, ..Clients::default() };
        let strangers = Some(Semaphore::new(MAX_STRANGERS));
        Self { clients: Arc::new(clients), bearer: None, strangers }
    }

    /// Reads the keys of one issuer, all within one time-out.
    pub(super) async fn keys(&self, issuer: &str, origin: &Origin) -> Result<KeySet, FetchFault> {
        tokio::time::timeout(TIME_OUT, async {
            let _permit = match &self.strangers {
                Some(strangers) => strangers.acquire().await.ok(),
                None => None,
            };
            match origin {
                Origin::Discovery(url) => {
                    let document = self.document(&discovery_url(url)).await?;
                    let keys_url = read_discovery(&document, issuer, url)?;
                    KeySet::parse(&self.document(&keys_url).await?)
                }
                Origin::Address(url) => KeySet::parse(&self.document(url).await?),
                Origin::File(path) => KeySet::parse(&read_file(path).await?),
            }
        })
        .await
        .unwrap_or(Err(FetchFault::TimeOut))
    }

    async fn document(&self, url: &Url) -> Result<Vec<u8>, FetchFault> {
        let client = self.clients.of(url)?;
        let mut request = client.get(url.clone());
        if let Some(bearer) = &self.bearer
            && let Some(value) = bearer.header(url).await?
        {
            request = request.header(AUTHORIZATION, value);
        }
        let mut response = request.send().await.map_err(|e| fault(&e))?;
        check_status(&response)?;
        let mut document = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| fault(&e))? {
            if document.len() + chunk.len() > MAX_DOCUMENT_BYTES {
                return Err(FetchFault::TooLarge);
            }
            document.extend_from_slice(&chunk);
        }
        Ok(document)
    }
}

/// The HTTP clients, made on first use: an instance whose issuers' keys are all pinned needs none,
/// and starts without root certificates.
#[derive(Default)]
pub(super) struct Clients {
    /// The only authorities that vouch for a host; the system's, where there are none.
    authorities: Option<Vec<Certificate>>,
    /// Only https, and only to public addresses.
    public_only: bool,
    far: OnceLock<Option<Client>>,
    near: OnceLock<Option<Client>>,
}

impl Clients {
    /// With no authorities but these.
    pub(super) fn trusting(authorities: Vec<Certificate>) -> Self {
        Self { authorities: Some(authorities), ..Self::default() }
    }

    /// A proxy from the environment is for far hosts; loopback is never behind one. Nor may one
    /// stand before issuers that strangers name: it would look up their addresses itself.
    fn of(&self, url: &Url) -> Result<&Client, FetchFault> {
        let authorities = || self.authorities.clone().unwrap_or_default();
        let client = if self.public_only {
            address::check_literal(url).map_err(|_| FetchFault::PrivateAddress)?;
            self.far.get_or_init(|| {
                let guarded = base().no_proxy().https_only(true).dns_resolver(address::PublicOnly);
                match &self.authorities {
                    Some(_) => guarded.tls_certs_only(authorities()).build().ok(),
                    None => guarded.build().ok(),
                }
            })
        } else if is_loopback(url) {
            self.near.get_or_init(|| base().no_proxy().tls_certs_only(authorities()).build().ok())
        } else {
            self.far.get_or_init(|| match &self.authorities {
                Some(_) => base().tls_certs_only(authorities()).build().ok(),
                None => base().build().ok(),
            })
        };
        client.as_ref().ok_or(FetchFault::Client)
    }
}

fn base() -> ClientBuilder {
    Client::builder().redirect(Policy::none()).timeout(TIME_OUT).referer(false)
}

async fn read_file(path: &Path) -> Result<Vec<u8>, FetchFault> {
    let path = path.to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let mut document = Vec::new();
        let limit = u64::try_from(MAX_DOCUMENT_BYTES).unwrap_or(u64::MAX);
        std::fs::File::open(path)?.take(limit + 1).read_to_end(&mut document)?;
        Ok::<_, std::io::Error>(document)
    });
    let document = read.await.map_err(|_| FetchFault::KeysFile)?;
    let document = document.map_err(|_| FetchFault::KeysFile)?;
    if document.len() > MAX_DOCUMENT_BYTES {
        return Err(FetchFault::TooLarge);
    }
    Ok(document)
}

/// The issuer's URL less one trailing slash, then the well-known path (Discovery 4.1).
fn discovery_url(issuer: &Url) -> Url {
    let mut url = issuer.clone();
    let path = issuer.path().strip_suffix('/').unwrap_or(issuer.path());
    url.set_path(&format!("{path}/.well-known/openid-configuration"));
    url
}

/// What is read of a discovery document. The full type of `openidconnect` asks for an
/// authorization endpoint, which issuers of workload tokens do not have.
#[derive(Deserialize)]
struct Discovery {
    issuer: IssuerUrl,
    jwks_uri: JsonWebKeySetUrl,
}

fn read_discovery(document: &[u8], issuer: &str, url: &Url) -> Result<Url, FetchFault> {
    let discovery: Discovery = json::from_slice_capped(document, MAX_DOCUMENT_BYTES)
        .map_err(|_| FetchFault::DiscoveryMalformed)?;
    if discovery.issuer.as_str() != issuer {
        return Err(FetchFault::OtherIssuer);
    }
    let keys = discovery.jwks_uri.url();
    match keys.scheme() {
        "https" => Ok(keys.clone()),
        "http" if is_loopback(keys) && is_loopback(url) => Ok(keys.clone()),
        _ => Err(FetchFault::KeysUrl),
    }
}

fn check_status(response: &Response) -> Result<(), FetchFault> {
    let status = response.status();
    if status.is_redirection() {
        return Err(FetchFault::Redirect);
    }
    if status.as_u16() != 200 {
        return Err(FetchFault::Status { status: status.as_u16() });
    }
    Ok(())
}

/// The library's own texts hold URLs, so only the kind of error goes on.
fn fault(error: &reqwest::Error) -> FetchFault {
    if address::is_not_public(error) {
        FetchFault::PrivateAddress
    } else if error.is_timeout() {
        FetchFault::TimeOut
    } else if error.is_connect() {
        FetchFault::Connect
    } else {
        FetchFault::Transport
    }
}

/// How many issuers of one pattern are asked at the same time.
const MAX_STRANGERS: usize = 8;

/// For discovery and keys together.
const TIME_OUT: Duration = Duration::from_secs(5);

/// Cap on one discovery document or key set. Large issuers publish some ten kilobytes.
pub(super) const MAX_DOCUMENT_BYTES: usize = 256 * 1024;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn keys_of(issuer: &str, named: &str, jwks_uri: &str) -> Result<String, FetchFault> {
        let document = serde_json::json!({ "issuer": named, "jwks_uri": jwks_uri }).to_string();
        read_discovery(document.as_bytes(), issuer, &Url::parse(issuer).unwrap())
            .map(|url| url.to_string())
    }

    #[test]
    fn keys_are_never_nearer_or_plainer_than_their_issuer() {
        let (far, near) = ("https://id.example", "http://127.0.0.1:9");
        let https = "https://keys.example/jwks";
        assert_eq!(keys_of(far, far, https).as_deref(), Ok(https));
        assert_eq!(keys_of(near, near, https).as_deref(), Ok(https));
        assert!(keys_of(near, near, "http://localhost:9/jwks").is_ok());
        for uri in ["http://localhost:9/jwks", "http://id.example/jwks", "file:///etc/passwd"] {
            assert_eq!(keys_of(far, far, uri), Err(FetchFault::KeysUrl), "{uri}");
        }
        assert_eq!(keys_of(near, near, "http://10.0.0.1/jwks"), Err(FetchFault::KeysUrl));
        for named in ["https://id.example/", "https://ID.example", "https://id.example:443"] {
            assert_eq!(keys_of(far, named, https), Err(FetchFault::OtherIssuer), "{named}");
        }
    }

    #[test]
    fn discovery_is_below_the_issuers_path() {
        for (issuer, url) in [
            ("https://a.example", "https://a.example/.well-known/openid-configuration"),
            ("https://a.example/", "https://a.example/.well-known/openid-configuration"),
            ("https://a.example/b", "https://a.example/b/.well-known/openid-configuration"),
            ("https://a.example/b/", "https://a.example/b/.well-known/openid-configuration"),
        ] {
            assert_eq!(discovery_url(&Url::parse(issuer).unwrap()).as_str(), url);
        }
    }
}

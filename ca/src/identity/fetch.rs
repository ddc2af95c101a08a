//! An issuer's discovery document and keys, over HTTP, with every length and direction capped.

use std::sync::OnceLock;
use std::time::Duration;

use formats::json;
use openidconnect::url::Url;
use openidconnect::{IssuerUrl, JsonWebKeySetUrl};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde::Deserialize;
use thiserror::Error;

use super::config::is_loopback;
use super::jwks::KeySet;

/// Why no keys came from an issuer. Holds nothing that the issuer sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FetchFault {
    /// The HTTP client could not be made, most often for want of root certificates.
    #[error("no HTTP client can be made here")]
    Client,
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
            Self::Client | Self::Connect | Self::TimeOut | Self::Transport => true,
            Self::Status { status } => status >= 500 || status == 429,
            Self::Redirect
            | Self::TooLarge
            | Self::DiscoveryMalformed
            | Self::OtherIssuer
            | Self::KeysUrl
            | Self::KeysMalformed
            | Self::NoUsableKey => false,
        }
    }
}

/// The HTTP clients, made on first use: an instance whose issuers' keys are all pinned needs none,
/// and starts without root certificates.
#[derive(Default)]
pub(super) struct Fetcher {
    far: OnceLock<Option<Client>>,
    near: OnceLock<Option<Client>>,
}

impl Fetcher {
    /// Reads the keys of one issuer: discovery, then its `jwks_uri`, all within one time-out.
    pub(super) async fn keys(&self, issuer: &str, url: &Url) -> Result<KeySet, FetchFault> {
        tokio::time::timeout(TIME_OUT, async {
            let document = self.document(&discovery_url(url)).await?;
            let keys_url = read_discovery(&document, issuer, url)?;
            KeySet::parse(&self.document(&keys_url).await?)
        })
        .await
        .unwrap_or(Err(FetchFault::TimeOut))
    }

    async fn document(&self, url: &Url) -> Result<Vec<u8>, FetchFault> {
        let client = self.client(url).ok_or(FetchFault::Client)?;
        let mut response = client.get(url.clone()).send().await.map_err(|e| fault(&e))?;
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

    /// A proxy from the environment is for far hosts; loopback is never behind one.
    fn client(&self, url: &Url) -> Option<&Client> {
        let base = || Client::builder().redirect(Policy::none()).timeout(TIME_OUT).referer(false);
        let client = if is_loopback(url) {
            self.near.get_or_init(|| base().no_proxy().tls_certs_only([]).build().ok())
        } else {
            self.far.get_or_init(|| base().build().ok())
        };
        client.as_ref()
    }
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
    if error.is_timeout() {
        FetchFault::TimeOut
    } else if error.is_connect() {
        FetchFault::Connect
    } else {
        FetchFault::Transport
    }
}

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

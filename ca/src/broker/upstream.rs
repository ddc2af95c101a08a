//! HTTP to the upstream providers: every answer has a size cap and a time limit, no redirect is
//! followed, and nothing leaves in the clear but to loopback.

use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use formats::json;
use openidconnect::url::Url;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, Method, Request};
use serde::de::DeserializeOwned;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::identity::config::is_loopback;

/// Why an upstream provider could not be asked. Holds nothing that it sent but a status.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UpstreamFault {
    /// The HTTP client could not be made, most often for want of root certificates.
    #[error("no HTTP client can be made here")]
    Client,
    /// An address that is neither https nor http on loopback.
    #[error("an address of the provider is not https")]
    Plain,
    /// No connection, TLS included.
    #[error("no connection to the provider")]
    Connect,
    /// Not done within the time allowed.
    #[error("the provider took longer than {} s", TIME_OUT.as_secs())]
    TimeOut,
    /// The connection broke, or what came was not HTTP.
    #[error("the connection to the provider broke")]
    Transport,
    /// Any status but the one that was due.
    #[error("the provider answered {what} with status {status}")]
    Status {
        /// What was asked for.
        what: &'static str,
        /// The status code.
        status: u16,
    },
    /// More bytes than such an answer has.
    #[error("the provider's answer to {what} exceeds {MAX_ANSWER} bytes")]
    TooLarge {
        /// What was asked for.
        what: &'static str,
    },
    /// More pages than anybody has.
    #[error("the provider's answer to {what} has more than {MAX_PAGES} pages")]
    TooManyPages {
        /// What was asked for.
        what: &'static str,
    },
    /// The next page is somewhere else.
    #[error("the provider's answer to {what} goes on at another host")]
    PageElsewhere {
        /// What was asked for.
        what: &'static str,
    },
    /// Not strict JSON of the known shape.
    #[error("the provider's answer to {what} is not what its documents say")]
    Malformed {
        /// What was asked for.
        what: &'static str,
    },
    /// The discovery document is that of another issuer.
    #[error("the discovery document is that of another issuer")]
    OtherIssuer,
    /// The provider took our code or our secret for wrong.
    #[error("the provider refused the code: {error}")]
    Refused {
        /// The error code of RFC 6749 5.2, as far as it is one of the known ones.
        error: &'static str,
    },
}

/// What to send.
pub(super) enum Ask<'a> {
    Get { bearer: Option<&'a str> },
    Form { fields: &'a [(&'a str, &'a str)], basic: Option<(&'a str, &'a str)> },
}

/// An answer within the cap.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Zeroizing<Vec<u8>>,
}

/// The HTTP client of one connector, made on first use.
pub(super) struct Upstream {
    near: bool,
    roots: Option<Vec<Certificate>>,
    headers: HeaderMap,
    client: OnceLock<Option<Client>>,
}

impl Upstream {
    /// For the provider at `url`. With `roots`, only they may vouch for its TLS certificate.
    pub(super) fn new(url: &str, roots: Option<Vec<Certificate>>, headers: HeaderMap) -> Self {
        let near = Url::parse(url).is_ok_and(|url| is_loopback(&url));
        Self { near, roots, headers, client: OnceLock::new() }
    }

    /// Asks and reads the answer, whatever its status.
    pub(super) async fn ask(
        &self,
        what: &'static str,
        url: &Url,
        ask: Ask<'_>,
    ) -> Result<Answer, UpstreamFault> {
        self.may_reach(url)?;
        let client = self.client().ok_or(UpstreamFault::Client)?;
        let request = self.request(url, ask)?;
        let send = async {
            let mut response = client.execute(request).await.map_err(|error| fault(&error))?;
            let mut body = Zeroizing::new(Vec::new());
            while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error))? {
                if body.len() + chunk.len() > MAX_ANSWER {
                    return Err(UpstreamFault::TooLarge { what });
                }
                body.extend_from_slice(&chunk);
            }
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            Ok(Answer { status, headers, body })
        };
        tokio::time::timeout(TIME_OUT, send).await.unwrap_or(Err(UpstreamFault::TimeOut))
    }

    fn request(&self, url: &Url, ask: Ask<'_>) -> Result<Request, UpstreamFault> {
        let (method, body) = match &ask {
            Ask::Get { .. } => (Method::GET, None),
            Ask::Form { fields, .. } => {
                let mut form = openidconnect::url::form_urlencoded::Serializer::new(String::new());
                (Method::POST, Some(form.extend_pairs(*fields).finish()))
            }
        };
        let mut request = Request::new(method, url.clone());
        let headers = request.headers_mut();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.extend(self.headers.clone());
        let authorization = match ask {
            Ask::Get { bearer } => bearer.map(|token| format!("Bearer {token}")),
            Ask::Form { basic, .. } => basic.map(basic_header),
        };
        if let Some(authorization) = authorization.map(Zeroizing::new) {
            let mut value = HeaderValue::from_str(&authorization)
                .map_err(|_unprintable| UpstreamFault::Malformed { what: "the token" })?;
            value.set_sensitive(true);
            headers.insert(AUTHORIZATION, value);
        }
        if let Some(body) = body {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            headers.insert(CONTENT_TYPE, form);
            *request.body_mut() = Some(body.into());
        }
        Ok(request)
    }

    /// https; or plain http on loopback for a provider that is there itself.
    fn may_reach(&self, url: &Url) -> Result<(), UpstreamFault> {
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.near && is_loopback(url) => Ok(()),
            _ => Err(UpstreamFault::Plain),
        }
    }

    /// A proxy from the environment is for far hosts; loopback is never behind one.
    fn client(&self) -> Option<&Client> {
        let make = || {
            let base = Client::builder().redirect(Policy::none()).referer(false);
            let base = if self.near { base.no_proxy() } else { base };
            match &self.roots {
                Some(roots) => base.tls_certs_only(roots.clone()).build().ok(),
                None if self.near => base.tls_certs_only([]).build().ok(),
                None => base.build().ok(),
            }
        };
        self.client.get_or_init(make).as_ref()
    }
}

impl Answer {
    /// The JSON of an answer whose status is 200.
    pub(super) fn json<T: DeserializeOwned>(&self, what: &'static str) -> Result<T, UpstreamFault> {
        if self.status != 200 {
            return Err(UpstreamFault::Status { what, status: self.status });
        }
        self.json_of_any_status(what)
    }

    pub(super) fn json_of_any_status<T: DeserializeOwned>(
        &self,
        what: &'static str,
    ) -> Result<T, UpstreamFault> {
        json::from_slice_capped(&self.body, MAX_ANSWER)
            .map_err(|_malformed| UpstreamFault::Malformed { what })
    }
}

/// The error codes of RFC 6749 5.2 and those that GitHub documents; anything else is not repeated.
pub(super) fn known_error(error: &str) -> &'static str {
    KNOWN_ERRORS.iter().find(|known| **known == error).copied().unwrap_or("an unknown error")
}

/// Reads the PEM certificates that a connector's TLS must come from.
pub(super) fn read_roots(path: &Path) -> std::io::Result<Vec<Certificate>> {
    let bundle = Certificate::from_pem_bundle(&std::fs::read(path)?);
    match bundle {
        Ok(roots) if !roots.is_empty() => Ok(roots),
        _ => Err(std::io::Error::other("no PEM certificate in it")),
    }
}

/// RFC 6749 2.3.1: both halves form-encoded.
fn basic_header((id, secret): (&str, &str)) -> String {
    use base64::Engine as _;
    let encode = |text: &str| {
        openidconnect::url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>()
    };
    let pair = Zeroizing::new(format!("{}:{}", encode(id), encode(secret)));
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair.as_bytes()))
}

/// The library's own texts hold URLs, so only the kind of error goes on.
fn fault(error: &reqwest::Error) -> UpstreamFault {
    if error.is_timeout() {
        UpstreamFault::TimeOut
    } else if error.is_connect() {
        UpstreamFault::Connect
    } else {
        UpstreamFault::Transport
    }
}

/// How many pages of a list are read.
pub(super) const MAX_PAGES: usize = 20;

const AGENT: &str = concat!("paraph-ca/", env!("CARGO_PKG_VERSION"));
const TIME_OUT: Duration = Duration::from_secs(10);
const MAX_ANSWER: usize = 512 * 1024;
const KNOWN_ERRORS: [&str; 10] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "bad_verification_code",
    "incorrect_client_credentials",
    "redirect_uri_mismatch",
    "unverified_user_email",
];

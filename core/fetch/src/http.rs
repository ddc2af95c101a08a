//! The one HTTP client: every answer has a size cap and a time limit, no redirect is followed, and
//! a failure names the service, its URL and what the service said.
//!
//! Two connections pools stand behind it, each made when first needed: a plain one, without TLS
//! roots, for services on this machine, and one with the system's roots. Loading those roots costs
//! more than the whole of a local signature.

mod error;
mod exchange;
mod retry;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};

pub use self::error::{HttpError, Service};
pub use self::exchange::Reach;
use self::retry::{Attempts, Pause};
use crate::endpoint::Endpoint;

/// A request, and what its answer may be.
#[derive(Debug)]
pub struct Request<'a> {
    /// Who is asked; named in errors.
    pub service: Service,
    /// Where.
    pub endpoint: &'a Endpoint,
    /// What is sent; `None` makes it a GET.
    pub body: Option<Body<'a>>,
    /// Media type asked for.
    pub accept: &'static str,
    /// Largest answer, in bytes.
    pub cap: usize,
    /// Time for one attempt, connection and body included.
    pub limit: Duration,
}

/// The body of a POST.
pub struct Body<'a> {
    /// Media type.
    pub content_type: &'static str,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// A bearer token. It goes to [`Request::endpoint`] and nowhere else, and only over TLS or to
    /// this machine.
    pub bearer: Option<&'a str>,
}

/// The client. Cheap to make: nothing is loaded before it is needed.
#[derive(Debug, Default)]
pub struct Http {
    plain: OnceLock<Client>,
    secure: OnceLock<Client>,
}

impl Http {
    /// A client that has not opened anything yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sends a request and returns the body of its 200 or 201 answer.
    ///
    /// It is sent again, twice at most, when the connection could not be made, and on 429, 500, 502,
    /// 503 and 504, after a pause that `Retry-After` may set. Nothing is sent again after a time-out:
    /// the service may still be at work on the first. Every service asked here takes a repeated
    /// request well: a log answers with the entry that it has, and a second certificate or
    /// timestamp replaces an answer that was lost.
    ///
    /// # Errors
    /// [`HttpError`].
    pub async fn send(&self, request: &Request<'_>) -> Result<Vec<u8>, HttpError> {
        let mut attempts = Attempts::new();
        loop {
            let error = match self.attempt(request).await {
                Ok(body) => return Ok(body),
                Err(error) => error,
            };
            match attempts.after(&error) {
                Pause::For(pause) => tokio::time::sleep(pause).await,
                Pause::GiveUp => return Err(error),
            }
        }
    }

    async fn attempt(&self, request: &Request<'_>) -> Result<Vec<u8>, HttpError> {
        let answer = self
            .prepare(request)?
            .send()
            .await
            .map_err(|error| HttpError::from_transport(request, &error))?;
        let status = answer.status();
        if status.is_redirection() {
            // Following one would carry the token, or the trust, to a host nobody named.
            return Err(HttpError::redirected(request, &answer));
        }
        if !matches!(status, StatusCode::OK | StatusCode::CREATED) {
            return Err(HttpError::refused(request, answer).await);
        }
        read_capped(request, answer).await
    }

    fn prepare(&self, request: &Request<'_>) -> Result<RequestBuilder, HttpError> {
        let client = self.client_for(request)?;
        let url = request.endpoint.url().clone();
        let method = if request.body.is_some() { Method::POST } else { Method::GET };
        let mut builder =
            client.request(method, url).header(ACCEPT, request.accept).timeout(request.limit);
        if let Some(body) = &request.body {
            builder = builder.header(CONTENT_TYPE, body.content_type).body(body.bytes.clone());
            if let Some(token) = body.bearer {
                builder = builder.header(AUTHORIZATION, bearer(request, token)?);
            }
        }
        Ok(builder)
    }

    fn client_for(&self, request: &Request<'_>) -> Result<&Client, HttpError> {
        let (cell, build): (_, fn() -> Result<Client, reqwest::Error>) =
            if request.endpoint.is_https() {
                (&self.secure, secure_client)
            } else {
                (&self.plain, plain_client)
            };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let client = build().map_err(|error| HttpError::from_transport(request, &error))?;
        Ok(cell.get_or_init(|| client))
    }
}

fn bearer(request: &Request<'_>, token: &str) -> Result<HeaderValue, HttpError> {
    if !request.endpoint.keeps_secrets() {
        return Err(HttpError::SecretInClear {
            service: request.service,
            url: request.endpoint.to_string(),
        });
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .map_err(|_| HttpError::TokenNotHeaderText { service: request.service })?;
    value.set_sensitive(true);
    Ok(value)
}

async fn read_capped(request: &Request<'_>, mut answer: Response) -> Result<Vec<u8>, HttpError> {
    let too_large = || HttpError::TooLarge {
        service: request.service,
        url: request.endpoint.to_string(),
        cap: request.cap,
    };
    let mut body = Vec::new();
    while let Some(chunk) =
        answer.chunk().await.map_err(|error| HttpError::from_transport(request, &error))?
    {
        if chunk.len() > request.cap.saturating_sub(body.len()) {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Without TLS roots and without proxy: plain HTTP is for this machine and for private networks.
fn plain_client() -> Result<Client, reqwest::Error> {
    common().no_proxy().tls_certs_only([]).build()
}

fn secure_client() -> Result<Client, reqwest::Error> {
    common().https_only(true).build()
}

fn common() -> reqwest::ClientBuilder {
    // `localhost` is this machine whatever a resolver or a hosts file says (RFC 6761 6.3).
    let here = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)]
        .map(|ip| SocketAddr::new(ip, 0));
    Client::builder()
        .user_agent(concat!("paraph/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .connect_timeout(CONNECT_LIMIT)
        .resolve_to_addrs("localhost", &here)
}

impl std::fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("content_type", &self.content_type)
            .field("bytes", &self.bytes.len())
            .field("bearer", &self.bearer.map(|_| "redacted"))
            .finish()
    }
}

const CONNECT_LIMIT: Duration = Duration::from_secs(10);

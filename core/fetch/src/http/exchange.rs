//! Requests of sign-in protocols. Their answers are judged by status and body together (OAuth says
//! "not yet" with a 400), so any status but a redirect is handed on.

use std::time::Duration;

use reqwest::Url;

use super::{Http, HttpError, Request, Service, read_capped};
use crate::endpoint::Endpoint;

/// Where a request that carries or asks for a secret may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Over TLS, or to this machine.
    Private,
    /// There, or to the metadata server of the cloud that this machine runs in, which speaks plain
    /// HTTP over a link that nobody else is on.
    OrMetadataServer,
}

impl Http {
    /// Sends one request, once, and returns its answer whatever the status says; at most `CAP`
    /// bytes of it, within `LIMIT`. Errors name the URL without its query, which may hold secrets.
    ///
    /// # Errors
    /// [`HttpError`], but never [`HttpError::Refused`]. [`HttpError::SecretInClear`] for a URL out
    /// of `reach`.
    pub async fn exchange(
        &self,
        service: Service,
        reach: Reach,
        request: http::Request<Vec<u8>>,
    ) -> Result<http::Response<Vec<u8>>, HttpError> {
        let (parts, body) = request.into_parts();
        let in_clear = |url: &str| HttpError::SecretInClear { service, url: url.to_owned() };
        let url = Url::parse(&parts.uri.to_string()).map_err(|_| in_clear("no URL"))?;
        let endpoint = without_query(&url).ok_or_else(|| in_clear(url.scheme()))?;
        let allowed = match reach {
            Reach::Private => endpoint.keeps_secrets(),
            Reach::OrMetadataServer => endpoint.keeps_secrets() || endpoint.is_metadata_server(),
        };
        if !allowed {
            return Err(in_clear(&endpoint.to_string()));
        }
        let told = Request {
            service,
            endpoint: &endpoint,
            body: None,
            accept: "",
            cap: CAP,
            limit: LIMIT,
        };
        let answer = self
            .client_for(&told)?
            .request(parts.method, url)
            .headers(parts.headers)
            .body(body)
            .timeout(LIMIT)
            .send()
            .await
            .map_err(|error| HttpError::from_transport(&told, &error))?;
        if answer.status().is_redirection() {
            return Err(HttpError::redirected(&told, &answer));
        }
        let mut whole = http::Response::new(Vec::new());
        *whole.status_mut() = answer.status();
        *whole.headers_mut() = answer.headers().clone();
        *whole.body_mut() = read_capped(&told, answer).await?;
        Ok(whole)
    }
}

fn without_query(url: &Url) -> Option<Endpoint> {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    Endpoint::parse(bare.as_str()).ok()
}

/// Discovery documents and key sets are a few KiB, tokens at most sixteen.
const CAP: usize = 256 * 1024;
const LIMIT: Duration = Duration::from_secs(10);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    async fn refused(reach: Reach, uri: &str) -> HttpError {
        let request = http::Request::get(uri).body(Vec::new()).unwrap();
        Http::new().exchange(Service::TokenService, reach, request).await.unwrap_err()
    }

    #[tokio::test]
    async fn a_secret_stays_out_of_the_clear() {
        for uri in ["http://token.example/?x=secret", "http://10.0.0.1/", "http://169.254.169.254/"]
        {
            let error = refused(Reach::Private, uri).await;
            assert!(matches!(error, HttpError::SecretInClear { .. }), "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        for uri in ["http://169.254.169.253/", "http://metadata.google.internal.example/"] {
            let error = refused(Reach::OrMetadataServer, uri).await;
            assert!(matches!(error, HttpError::SecretInClear { .. }), "{error}");
        }
        // Nothing listens on port 1: it was tried, so it was allowed.
        let error = refused(Reach::Private, "http://localhost:1/?x=secret").await;
        assert!(matches!(error, HttpError::Unreachable { .. }), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

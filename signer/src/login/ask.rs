//! How a pipeline's own token service is asked: JSON over HTTPS, or over plain HTTP to this machine
//! or to a cloud's metadata server. No redirect is followed: it would carry the job's credential,
//! or the token, to somebody else.

use std::time::Duration;

use fetch::http::{Http, HttpError, Reach, Service};
use formats::json;
use http::header::{ACCEPT, AUTHORIZATION};
use http::{HeaderValue, Request, Uri};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::ambient::AmbientError;

/// Sends a request and reads the JSON of its answer.
///
/// # Errors
/// [`AmbientError::Http`], [`AmbientError::Answer`].
pub(super) async fn ask<T: DeserializeOwned>(
    http: &Http,
    reach: Reach,
    request: Request<Vec<u8>>,
) -> Result<T, AmbientError> {
    let url = without_query(request.uri());
    let body = ask_bytes(http, reach, request).await?;
    json::from_slice(&body).map_err(|fault| AmbientError::Answer { url, fault })
}

/// Sends a request, and once more each time that nobody answers or the service fails, three times in
/// all: the token services of pipelines are known for it.
///
/// # Errors
/// [`AmbientError::Http`].
pub(super) async fn ask_bytes(
    http: &Http,
    reach: Reach,
    request: Request<Vec<u8>>,
) -> Result<Zeroizing<Vec<u8>>, AmbientError> {
    let url = without_query(request.uri());
    let mut attempt = 1;
    loop {
        let error = match http.exchange(Service::TokenService, reach, request.clone()).await {
            Ok(answer) if answer.status().is_success() => {
                return Ok(Zeroizing::new(answer.into_body()));
            }
            Ok(answer) => HttpError::of_answer(Service::TokenService, url.clone(), &answer),
            Err(error) => error,
        };
        let passing = matches!(
            error,
            HttpError::Unreachable { .. } | HttpError::Refused { status: 429 | 500..=599, .. }
        );
        if !passing || attempt == MOST_ATTEMPTS {
            return Err(error.into());
        }
        attempt += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

/// A GET of JSON at this URL, with `name=value` added to its query.
///
/// # Errors
/// [`AmbientError::Url`], naming the variable that the URL is from.
pub(super) fn get(
    url: &str,
    from: &'static str,
    query: &[(&str, &str)],
) -> Result<Request<Vec<u8>>, AmbientError> {
    let fault = || AmbientError::Url { from };
    let mut url = openidconnect::url::Url::parse(url).map_err(|_| fault())?;
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Request::get(url.as_str())
        .header(ACCEPT, "application/json")
        .body(Vec::new())
        .map_err(|_| fault())
}

/// Puts a credential into the `Authorization` header.
///
/// # Errors
/// [`AmbientError::Credential`] for one that no header can carry.
pub(super) fn authorize(
    request: &mut Request<Vec<u8>>,
    scheme: &str,
    credential: &str,
    from: &'static str,
) -> Result<(), AmbientError> {
    let text = Zeroizing::new(format!("{scheme} {credential}"));
    let mut value = HeaderValue::from_str(&text).map_err(|_| AmbientError::Credential { from })?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(())
}

fn without_query(uri: &Uri) -> String {
    let whole = uri.to_string();
    whole.split('?').next().unwrap_or_default().to_owned()
}

const MOST_ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_secs(1);

//! What the server answers when it does not do what was asked, and how it reads a body.
//!
//! Every refusal is JSON: `{"code":…,"message":…,"details":[]}`, the shape that the Sigstore
//! clients look for (`code` is the gRPC code of the Fulcio and Rekor gateways). A message names
//! what was wrong and never repeats a token.

use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

/// A refusal on its way to the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    reason: &'static str,
    message: String,
    retry_after_seconds: Option<u64>,
}

impl Refusal {
    /// 400: the request is at fault. `reason` is the short stable name used in metrics.
    pub fn bad_request(reason: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, reason, message)
    }

    /// 404: there is no such thing.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", message)
    }

    /// 500 with fixed text: the fault is ours, and its details are in the log under the request
    /// id alone.
    pub fn internal(reason: &'static str) -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            reason,
            "the server failed; its log has the details under the request id of this answer",
        )
    }

    /// 503 with Retry-After: something this answer needs is not there now.
    pub fn unavailable(reason: &'static str, message: impl Into<String>) -> Self {
        let mut refusal = Self::new(StatusCode::SERVICE_UNAVAILABLE, reason, message);
        refusal.retry_after_seconds = Some(RETRY_SECONDS);
        refusal
    }

    /// 429 with Retry-After: the requester has asked for more than its share.
    pub fn too_many(seconds: u64, what: &str) -> Self {
        let message = format!("{what}: try again in {seconds} s");
        let mut refusal = Self::new(StatusCode::TOO_MANY_REQUESTS, "rate", message);
        refusal.retry_after_seconds = Some(seconds);
        refusal
    }

    /// A refusal with another status.
    pub fn new(status: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { status, reason, message: message.into(), retry_after_seconds: None }
    }

    /// The short stable name of the reason, for metrics and the audit record.
    pub const fn reason(&self) -> &'static str {
        self.reason
    }

    /// The HTTP status.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence for the person who asked.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let body = serde_json::json!({
            "code": grpc_code(self.status),
            "message": self.message,
            "details": [],
        });
        let mut response = json(self.status, &body);
        if let Some(seconds) = self.retry_after_seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Reason(self.reason));
        response
    }
}

/// The reason of a refusal, left on the response for the access log and the metrics.
#[derive(Debug, Clone, Copy)]
pub struct Reason(pub &'static str);

/// A JSON answer.
pub fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    typed(status, "application/json", body.to_string())
}

/// An answer with a body of the given media type.
pub fn typed(status: StatusCode, media_type: &'static str, body: impl Into<Body>) -> Response {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Reads a whole body of at most `limit` bytes that is JSON by its content type.
///
/// # Errors
/// 415 for another content type, else as [`body`].
pub async fn json_body(request: Request<Body>, limit: usize) -> Result<Bytes, Refusal> {
    match media_type(request.headers()) {
        None | Some("application/json") => body(request, limit).await,
        Some(other) => Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-type",
            format!("this address takes application/json, not {}", printable(other)),
        )),
    }
}

/// Reads a whole body of at most `limit` bytes, uncompressed, within [`BODY_TIMEOUT`].
///
/// # Errors
/// 413 over the limit, 415 for a compressed body (a small one can unpack to any size), 408 when
/// it does not arrive in time, 400 when it breaks off.
pub async fn body(request: Request<Body>, limit: usize) -> Result<Bytes, Refusal> {
    if request.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity") {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content-encoding",
            "compressed bodies are not taken: send it without Content-Encoding",
        ));
    }
    let too_large = || {
        Refusal::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-large",
            format!("the body is larger than the {limit} bytes that this address takes"),
        )
    };
    let declared = request.headers().get(http::header::CONTENT_LENGTH);
    let declared = declared.and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| usize::try_from(length).map_or(true, |l| l > limit)) {
        return Err(too_large());
    }
    let collected = Limited::new(request.into_body(), limit).collect();
    match tokio::time::timeout(BODY_TIMEOUT, collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_broken)) => Err(Refusal::bad_request("body", "the body broke off")),
        Err(_elapsed) => Err(Refusal::new(
            StatusCode::REQUEST_TIMEOUT,
            "body-timeout",
            format!("the body did not arrive within {} seconds", BODY_TIMEOUT.as_secs()),
        )),
    }
}

/// The media type of a request without its parameters; `None` where the header is absent.
///
/// The header is cut at the first `;` and never split: a megabyte of separators costs nothing.
pub fn media_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().unwrap_or("unreadable");
    Some(value.split_once(';').map_or(value, |(media_type, _)| media_type).trim())
}

/// At most 60 characters of a client's text, with anything unprintable replaced.
pub fn printable(text: &str) -> String {
    text.chars().take(60).map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect()
}

/// The gRPC code that the gateways of Fulcio and Rekor put beside an HTTP status.
fn grpc_code(status: StatusCode) -> u8 {
    match status.as_u16() {
        404 => 5,
        405 | 501 => 12,
        408 => 4,
        429 => 8,
        503 => 14,
        500..=599 => 13,
        _ => 3,
    }
}

/// How long a client may take to send a body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(15);

const RETRY_SECONDS: u64 = 2;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn post(content_type: &str, body: Vec<u8>) -> Request<Body> {
        Request::post("/").header(CONTENT_TYPE, content_type).body(Body::from(body)).unwrap()
    }

    async fn reason(request: Request<Body>) -> (u16, &'static str) {
        let refusal = json_body(request, 8).await.unwrap_err();
        (refusal.status().as_u16(), refusal.reason())
    }

    #[tokio::test]
    async fn body_limit_per_route() {
        assert_eq!(json_body(post("application/json", vec![b' '; 8]), 8).await.unwrap().len(), 8);
        let over = post("application/json", vec![b' '; 9]);
        assert_eq!(reason(over).await, (413, "too-large"));
        let mut packed = post("application/json", vec![b' '; 8]);
        packed.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        assert_eq!(reason(packed).await, (415, "content-encoding"));
    }

    #[tokio::test]
    async fn only_json_on_json_addresses() {
        let charset = post("application/json; charset=utf-8", vec![]);
        assert!(json_body(charset, 8).await.is_ok());
        let form = post("application/x-www-form-urlencoded", vec![]);
        assert_eq!(reason(form).await, (415, "content-type"));
    }

    #[test]
    fn overload_says_503() {
        let response = Refusal::unavailable("busy", "try again").into_response();
        assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), "2");
    }
}

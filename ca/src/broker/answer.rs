//! The forms of an answer, and what every request must have.

use std::collections::BTreeMap;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HOST, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use openidconnect::url::form_urlencoded;
use serde_json::{Value, json};

use super::{Broker, redirect};
use crate::answer::Refusal;

/// Answers 404 without a connector. With the development one, refuses requests under any other
/// name than loopback's: a page whose name was rebound to 127.0.0.1 is of the same origin as we,
/// and could read tokens.
pub(super) async fn guard(State(broker): State<Broker>, request: Request, next: Next) -> Response {
    if !broker.is_open() {
        return Refusal::not_found("this instance has no sign-in of its own".to_owned())
            .into_response();
    }
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if broker.0.development.is_none() || host.is_some_and(redirect::is_loopback_host) {
        return next.run(request).await;
    }
    json_error(
        StatusCode::MISDIRECTED_REQUEST,
        "invalid_request",
        "the development issuer answers to localhost, 127.0.0.1 and [::1] only",
    )
}

/// The parameters of a query or form; nothing if one of them is repeated (RFC 6749 3.1).
pub(super) fn fields(encoded: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(encoded) {
        if fields.insert(name.into_owned(), value.into_owned()).is_some() {
            return None;
        }
    }
    Some(fields)
}

/// The same without one parameter that is not read. cosign sends `scope` twice when it polls.
pub(super) fn fields_but(encoded: &[u8], unread: &str) -> Option<BTreeMap<String, String>> {
    let mut kept = form_urlencoded::Serializer::new(String::new());
    kept.extend_pairs(form_urlencoded::parse(encoded).filter(|(name, _)| name != unread));
    fields(kept.finish().as_bytes())
}

pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// 303, so that a form is not sent on.
pub(super) fn see_other(location: &str) -> Response {
    let mut response = plain(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Vec::new());
    match HeaderValue::from_str(location) {
        Ok(location) => {
            let headers = response.headers_mut();
            headers.insert(LOCATION, location);
            let none = HeaderValue::from_static("no-referrer");
            headers.insert(REFERRER_POLICY, none);
            response
        }
        Err(_) => server_error(),
    }
}

pub(super) fn json_answer(status: StatusCode, body: &Value) -> Response {
    plain(status, "application/json", body.to_string().into_bytes())
}

/// An error of RFC 6749 5.2.
pub(super) fn json_error(status: StatusCode, error: &str, description: &str) -> Response {
    json_answer(status, &json!({ "error": error, "error_description": description }))
}

pub(super) fn server_error() -> Response {
    json_error(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "internal error")
}

pub(super) fn plain(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, body).into_response()
}

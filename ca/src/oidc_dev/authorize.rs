//! The authorization endpoint (RFC 6749 4.1.1, RFC 7636): a page that asks for an address.
//!
//! A request that is not in order gets a page that says so and no redirect: whoever develops a
//! client reads it there, and nobody is sent anywhere.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use openidconnect::url::form_urlencoded;

use super::answer::{fields, html};
use super::grants::Request;
use super::{DevIssuer, page, redirect};
use crate::identity::email;

/// `GET /auth`.
pub(super) async fn show(State(issuer): State<DevIssuer>, RawQuery(query): RawQuery) -> Response {
    let request = match fields(query.unwrap_or_default().as_bytes()) {
        Some(fields) => read_request(fields),
        None => Err("a parameter is repeated"),
    };
    let request = match request {
        Ok(request) => request,
        Err(reason) => return refused(StatusCode::BAD_REQUEST, reason),
    };
    let now = issuer.now();
    let mut grants = issuer.0.grants.lock().unwrap_or_else(PoisonError::into_inner);
    match grants.wait(request.clone(), now) {
        Some(session) => ask(&issuer, StatusCode::OK, &session, &request, None),
        None => refused(StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
    }
}

/// `POST /auth`: the page's form.
pub(super) async fn submit(
    State(issuer): State<DevIssuer>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_form(&headers) {
        return refused(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the form is not urlencoded");
    }
    let Some(mut fields) = fields(&body) else {
        return refused(StatusCode::BAD_REQUEST, "a parameter is repeated");
    };
    let session = fields.remove("session").unwrap_or_default();
    let address = fields.remove("email").unwrap_or_default();
    let now = issuer.now();
    let mut grants = issuer.0.grants.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(request) = grants.waiting(&session, now) else {
        return refused(StatusCode::BAD_REQUEST, "this sign-in has ended; start it again");
    };
    // Typed by a person, who may leave blanks around it; the address itself is not touched.
    let address = address.trim_ascii();
    if let Err(fault) = email::check(address) {
        let asked_again = StatusCode::UNPROCESSABLE_ENTITY;
        return ask(&issuer, asked_again, &session, request, Some(&fault.to_string()));
    }
    match grants.grant(&session, address, now) {
        Some((code, request)) => send_back(&issuer, &request, &code),
        None => refused(StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
    }
}

pub(super) fn is_form(headers: &HeaderMap) -> bool {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn read_request(mut fields: BTreeMap<String, String>) -> Result<Request, &'static str> {
    let mut take = |name: &str| fields.remove(name).filter(|value| !value.is_empty());
    let printable = |text: &String| text.bytes().all(|b| b.is_ascii_graphic());
    let short = |text: &Option<String>| text.as_ref().is_none_or(|t| t.len() <= MAX_ECHOED);

    let redirect_uri = take("redirect_uri").ok_or("parameter redirect_uri is missing")?;
    if !redirect::is_loopback(&redirect_uri) {
        return Err("redirect_uri is not http on localhost, 127.0.0.1 or [::1]");
    }
    let client_id = take("client_id").ok_or("parameter client_id is missing")?;
    if client_id.len() > super::MAX_AUDIENCE || !printable(&client_id) {
        return Err("client_id is too long or not printable ASCII");
    }
    if take("response_type").as_deref() != Some("code") {
        return Err("response_type is not code");
    }
    if !take("scope").is_some_and(|scope| scope.split(' ').any(|scope| scope == "openid")) {
        return Err("scope does not contain openid");
    }
    let challenge = take("code_challenge").ok_or("PKCE is required: code_challenge is missing")?;
    if take("code_challenge_method").as_deref() != Some("S256") {
        return Err("PKCE is required: code_challenge_method is not S256");
    }
    // 32 bytes of SHA-256 in base64url.
    let base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if challenge.len() != 43 || !challenge.bytes().all(base64url) {
        return Err("code_challenge is not a SHA-256 in base64url");
    }
    let (state, nonce) = (take("state"), take("nonce"));
    if !short(&state) || !short(&nonce) {
        return Err("state or nonce is too long");
    }
    Ok(Request { client_id, redirect_uri, challenge, state, nonce })
}

fn ask(
    issuer: &DevIssuer,
    status: StatusCode,
    session: &str,
    request: &Request,
    complaint: Option<&str>,
) -> Response {
    let action = format!("{}/auth", issuer.0.path);
    let body = page::sign_in(&action, session, &request.client_id, complaint);
    html(status, &page::policy(Some(redirect::origin(&request.redirect_uri))), body)
}

fn refused(status: StatusCode, reason: &str) -> Response {
    html(status, &page::policy(None), page::refusal(reason))
}

/// RFC 6749 4.1.2, with the `iss` of RFC 9207. 303, so that the form is not sent on.
fn send_back(issuer: &DevIssuer, request: &Request, code: &str) -> Response {
    let mut answer = form_urlencoded::Serializer::new(String::new());
    answer.append_pair("code", code);
    if let Some(state) = &request.state {
        answer.append_pair("state", state);
    }
    answer.append_pair("iss", issuer.issuer());
    let joint = if request.redirect_uri.contains('?') { '&' } else { '?' };
    let location = format!("{}{joint}{}", request.redirect_uri, answer.finish());
    let mut response = html(StatusCode::SEE_OTHER, &page::policy(None), page::refusal("signed in"));
    match HeaderValue::from_str(&location) {
        Ok(location) => {
            response.headers_mut().insert(LOCATION, location);
            response
        }
        Err(_) => refused(StatusCode::INTERNAL_SERVER_ERROR, "internal error"),
    }
}

const MAX_ECHOED: usize = 2048;

//! The token endpoint (RFC 6749 4.1.3, RFC 7636 4.6): a code for a token.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openidconnect::url::form_urlencoded;
use serde_json::json;

use super::answer::{fields, json_answer, json_error, server_error};
use super::authorize::is_form;
use super::grants::Grant;
use super::{DevIssuer, DevIssuerError, TOKEN_SECONDS};

/// `POST /token`.
pub(super) async fn token(
    State(issuer): State<DevIssuer>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_form(&headers) {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return json_error(status, "invalid_request", "the form is not urlencoded");
    }
    let Some(fields) = fields(&body) else {
        return invalid("invalid_request", "a parameter is repeated");
    };
    let client_id = match client(&headers, &fields) {
        Ok(client_id) => client_id,
        Err(reason) => return not_the_client(reason),
    };
    match fields.get("grant_type").map(String::as_str) {
        Some("authorization_code") => {}
        Some(_) => return invalid("unsupported_grant_type", "only authorization_code is known"),
        None => return invalid("invalid_request", "parameter grant_type is missing"),
    }
    let Some(code) = fields.get("code") else {
        return invalid("invalid_request", "parameter code is missing");
    };
    let now = issuer.now();
    // Whoever presents a code ends it: a stolen one is worth one try, and its owner notices.
    let grant = issuer.0.grants.lock().unwrap_or_else(PoisonError::into_inner).redeem(code, now);
    let Some(grant) = grant else {
        return invalid("invalid_grant", "the code is unknown, spent or older than 5 minutes");
    };
    if let Err(reason) = fits(&grant, &client_id, &fields) {
        return invalid("invalid_grant", reason);
    }
    let nonce = grant.request.nonce.as_deref();
    match issuer.token_with_nonce(&grant.email, &client_id, nonce) {
        // sigstore-python reads its identity from the access token, everybody else from the ID
        // token.
        Ok(token) => json_answer(
            StatusCode::OK,
            &json!({
                "access_token": token,
                "id_token": token,
                "token_type": "Bearer",
                "expires_in": TOKEN_SECONDS,
                "scope": "openid email",
            }),
        ),
        Err(DevIssuerError::Provider) => server_error(),
        Err(_) => invalid("invalid_grant", "no token can be made for this sign-in"),
    }
}

/// A code is redeemed by the client, for the redirect and with the verifier it was made for.
fn fits(
    grant: &Grant,
    client_id: &str,
    fields: &BTreeMap<String, String>,
) -> Result<(), &'static str> {
    if grant.request.client_id != client_id {
        return Err("the code was made for another client");
    }
    if fields.get("redirect_uri") != Some(&grant.request.redirect_uri) {
        return Err("redirect_uri is not that of the sign-in");
    }
    let verifier = fields.get("code_verifier").ok_or("PKCE is required: no code_verifier")?;
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return Err("code_verifier is not 43 to 128 unreserved characters");
    }
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref());
    if challenge != grant.request.challenge {
        return Err("code_verifier does not fit the code_challenge of the sign-in");
    }
    Ok(())
}

/// The client's name: in an Authorization header (RFC 6749 2.3.1) or in the form. These are
/// public clients, so the secret that comes with it is the empty one.
fn client(headers: &HeaderMap, fields: &BTreeMap<String, String>) -> Result<String, &'static str> {
    let named = fields.get("client_id");
    if fields.get("client_secret").is_some_and(|secret| !secret.is_empty()) {
        return Err("clients here have no secret");
    }
    let Some(header) = headers.get(AUTHORIZATION) else {
        return named.cloned().ok_or("parameter client_id is missing");
    };
    let (id, secret) = basic(header).ok_or("the Authorization header is not HTTP Basic")?;
    if !secret.is_empty() {
        return Err("clients here have no secret");
    }
    if id.is_empty() || named.is_some_and(|named| *named != id) {
        return Err("the Authorization header and client_id disagree");
    }
    Ok(id)
}

fn basic(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("Basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = pair.split_once(':')?;
    let decode = |text: &str| {
        form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned())
    };
    Some((decode(id).unwrap_or_default(), decode(secret).unwrap_or_default()))
}

fn invalid(error: &str, description: &str) -> Response {
    json_error(StatusCode::BAD_REQUEST, error, description)
}

fn not_the_client(reason: &str) -> Response {
    let mut response = json_error(StatusCode::UNAUTHORIZED, "invalid_client", reason);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
    response
}

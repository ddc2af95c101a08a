//! The token endpoint (RFC 6749 4.1.3, RFC 7636 4.6): a code for a token.

use std::collections::BTreeMap;

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

use super::Broker;
use super::answer::{fields_but, is_form, json_answer, json_error, server_error};
use super::device::{Device, Waits};
use super::discovery::{CODE_GRANT, DEVICE_GRANT};
use super::grants::{Grant, Key};
use super::token::{Authorised, TOKEN_SECONDS};

/// `POST /token`.
pub(super) async fn token(
    State(broker): State<Broker>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !is_form(&headers) {
        let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return json_error(status, "invalid_request", "the form is not urlencoded");
    }
    let Some(fields) = fields_but(&body, "scope") else {
        return invalid("invalid_request", "a parameter is repeated");
    };
    let client_id = match client(&headers, &fields) {
        Ok(client_id) => client_id,
        Err(reason) => return not_the_client(reason),
    };
    match fields.get("grant_type").map(String::as_str) {
        Some(CODE_GRANT) => {
            let Some(client_id) = client_id else {
                return not_the_client("parameter client_id is missing");
            };
            for_code(&broker, &client_id, &fields).await
        }
        Some(DEVICE_GRANT) if broker.settings().device_flow => {
            for_device(&broker, client_id.as_deref(), &fields).await
        }
        Some(_) => invalid("unsupported_grant_type", "that grant_type is not known here"),
        None => invalid("invalid_request", "parameter grant_type is missing"),
    }
}

async fn for_code(broker: &Broker, client_id: &str, fields: &BTreeMap<String, String>) -> Response {
    let Some(code) = fields.get("code") else {
        return invalid("invalid_request", "parameter code is missing");
    };
    // Whoever presents a code ends it: a stolen one is worth one try, and its owner notices.
    let grant = broker.grants().codes.take(Key::of(code), broker.now());
    let Some(grant) = grant else {
        return invalid("invalid_grant", "the code is unknown, spent or older than 5 minutes");
    };
    if let Err(reason) = fits(&grant, client_id, fields) {
        return invalid("invalid_grant", reason);
    }
    give(broker, grant.authorised, client_id, grant.request.nonce.as_deref()).await
}

/// RFC 8628 section 3.5. cosign leaves `client_id` out: then PKCE alone says that it is the same
/// client, and without either nobody does.
async fn for_device(
    broker: &Broker,
    client_id: Option<&str>,
    fields: &BTreeMap<String, String>,
) -> Response {
    let Some(code) = fields.get("device_code") else {
        return invalid("invalid_request", "parameter device_code is missing");
    };
    let (key, now) = (Key::of(code), broker.now());
    let outcome = {
        let mut grants = broker.grants();
        let outcome = match grants.devices.get_mut(key, now) {
            Some(device) => poll(device, client_id, fields.get("code_verifier"), now),
            None => Poll::Over("invalid_grant", "the device code is unknown or spent"),
        };
        match outcome {
            Poll::Again(error, why) => Err((error, why)),
            Poll::Over(error, why) => {
                grants.devices.take(key, now);
                Err((error, why))
            }
            Poll::Granted => Ok(grants.devices.take(key, now)),
        }
    };
    match outcome {
        Ok(Some(Device { state: Waits::Granted(authorised), client_id, .. })) => {
            give(broker, authorised, &client_id, None).await
        }
        Ok(_) => server_error(),
        Err((error, why)) => invalid(error, why),
    }
}

enum Poll {
    Granted,
    /// The device code stays good.
    Again(&'static str, &'static str),
    /// It is spent.
    Over(&'static str, &'static str),
}

fn poll(device: &mut Device, client_id: Option<&str>, verifier: Option<&String>, now: i64) -> Poll {
    let same_client = match client_id {
        Some(named) => named == device.client_id,
        None => device.challenge.is_some(),
    };
    if !same_client {
        return Poll::Over("invalid_grant", "the device code was made for another client");
    }
    let fits = match (&device.challenge, verifier) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => verify(verifier, challenge).is_ok(),
        _ => false,
    };
    if !fits {
        return Poll::Over("invalid_grant", "code_verifier does not fit the code_challenge");
    }
    if now >= device.expires_at {
        return Poll::Over("expired_token", "nobody signed in within 10 minutes");
    }
    let too_soon = device.polled_at.is_some_and(|at| now < at.saturating_add(device.interval));
    device.polled_at = Some(now);
    match device.state {
        Waits::Granted(_) => Poll::Granted,
        Waits::Denied => Poll::Over("access_denied", "the person said no"),
        Waits::Waiting | Waits::Typed { .. } if too_soon => {
            device.interval = device.interval.saturating_add(SLOWER);
            Poll::Again("slow_down", "pause longer between two questions")
        }
        Waits::Waiting | Waits::Typed { .. } => {
            Poll::Again("authorization_pending", "nobody has signed in yet")
        }
    }
}

/// The answer of RFC 6749 5.1 and OpenID Connect Core 3.1.3.3.
async fn give(broker: &Broker, who: Authorised, client_id: &str, nonce: Option<&str>) -> Response {
    broker.turn_keys().await;
    let now = broker.now();
    let claims = who.claims(client_id, nonce, now);
    let key = broker.0.keys.get().and_then(|ring| ring.current(now));
    let Some(Ok(token)) = key.map(|key| key.mint(&claims)) else { return server_error() };
    // sigstore-python reads its identity from the access token, everybody else from the ID token.
    json_answer(
        StatusCode::OK,
        &json!({
            "access_token": token,
            "id_token": token,
            "token_type": "Bearer",
            "expires_in": TOKEN_SECONDS,
            "scope": "openid email",
        }),
    )
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
    verify(verifier, &grant.request.challenge)
}

/// RFC 7636 4.1 and 4.6.
fn verify(verifier: &str, challenge: &str) -> Result<(), &'static str> {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    if !(43..=128).contains(&verifier.len()) || !verifier.bytes().all(unreserved) {
        return Err("code_verifier is not 43 to 128 unreserved characters");
    }
    if URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()).as_ref()) != challenge {
        return Err("code_verifier does not fit the code_challenge of the sign-in");
    }
    Ok(())
}

/// The client's name: in an Authorization header (RFC 6749 2.3.1) or in the form. These are
/// public clients, so the secret that comes with it is the empty one.
pub(super) fn client(
    headers: &HeaderMap,
    fields: &BTreeMap<String, String>,
) -> Result<Option<String>, &'static str> {
    let named = fields.get("client_id");
    if fields.get("client_secret").is_some_and(|secret| !secret.is_empty()) {
        return Err("clients here have no secret");
    }
    let Some(header) = headers.get(AUTHORIZATION) else { return Ok(named.cloned()) };
    let (id, secret) = basic(header).ok_or("the Authorization header is not HTTP Basic")?;
    if !secret.is_empty() {
        return Err("clients here have no secret");
    }
    if id.is_empty() || named.is_some_and(|named| *named != id) {
        return Err("the Authorization header and client_id disagree");
    }
    Ok(Some(id))
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

pub(super) fn not_the_client(reason: &str) -> Response {
    let mut response = json_error(StatusCode::UNAUTHORIZED, "invalid_client", reason);
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic"));
    response
}

/// By how many seconds a terminal that does not pause is slowed down (RFC 8628 section 3.5).
const SLOWER: i64 = 5;

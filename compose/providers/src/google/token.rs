//! The token endpoint.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::{Form, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::Google;
use crate::consent::Granted;
use crate::registration::{basic, challenge_of};
use crate::{now, random_hex};

type Fields = BTreeMap<String, String>;

/// `POST /token`.
pub(super) async fn token(
    State(google): State<Google>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let (status, body) = match redeem(&google, &headers, &fields) {
        Ok(body) => (StatusCode::OK, body),
        Err((status, error, description)) => {
            (status, json!({ "error": error, "error_description": description }))
        }
    };
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

type Refused = (StatusCode, &'static str, &'static str);

fn redeem(google: &Google, headers: &HeaderMap, fields: &Fields) -> Result<Value, Refused> {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    let header = headers.get(AUTHORIZATION).and_then(|header| header.to_str().ok());
    let (client_id, secret) = match header {
        Some(header) => basic(header).unwrap_or_default(),
        None => (field("client_id").to_owned(), field("client_secret").to_owned()),
    };
    if client_id != google.0.client.client_id {
        let what = "The OAuth client was not found.";
        return Err((StatusCode::UNAUTHORIZED, "invalid_client", what));
    }
    if !google.0.client.is(&client_id, &secret) {
        return Err((StatusCode::UNAUTHORIZED, "invalid_client", "Unauthorized"));
    }
    let bad = |error, description| (StatusCode::BAD_REQUEST, error, description);
    if field("grant_type") != "authorization_code" {
        return Err(bad("unsupported_grant_type", "Invalid grant_type"));
    }
    let granted = google.0.consents.redeem(field("code"));
    let granted = granted.ok_or(bad("invalid_grant", "Bad Request"))?;
    if field("redirect_uri") != granted.asked.redirect_uri {
        return Err(bad("redirect_uri_mismatch", "Bad Request"));
    }
    match (&granted.asked.challenge, fields.get("code_verifier")) {
        (None, None) => {}
        (Some(challenge), Some(verifier)) if challenge_of(verifier) == *challenge => {}
        (Some(_), None) => return Err(bad("invalid_grant", "Missing code verifier.")),
        _ => return Err(bad("invalid_grant", "Invalid code verifier.")),
    }
    Ok(answer(google, &client_id, &granted))
}

fn answer(google: &Google, client_id: &str, granted: &Granted) -> Value {
    let access_token = format!("ya29.{}", random_hex(40));
    let mut body = json!({
        "access_token": access_token,
        "expires_in": LIFE_SECONDS - 1,
        "scope": granted.asked.scopes.join(" "),
        "token_type": "Bearer",
    });
    let Some(account) = google.0.accounts.get(granted.account) else { return body };
    if !granted.asked.may("openid") {
        return body;
    }
    // OpenID Connect Core section 3.1.3.6: the left half of the hash.
    let hash = Sha256::digest(access_token.as_bytes());
    let mut claims = json!({
        "iss": google.0.issuer,
        "azp": client_id,
        "aud": client_id,
        "sub": account.sub,
        "at_hash": URL_SAFE_NO_PAD.encode(&hash[..16]),
        "iat": now(),
        "exp": now() + LIFE_SECONDS,
    });
    if let Some(hd) = &account.hd {
        claims["hd"] = json!(hd);
    }
    if let Some(nonce) = &granted.asked.nonce {
        claims["nonce"] = json!(nonce);
    }
    if granted.asked.may("email") {
        claims["email"] = json!(account.email);
        claims["email_verified"] = json!(account.email_verified);
    }
    if granted.asked.may("profile") {
        claims["name"] = json!(account.name);
    }
    body["id_token"] = json!(google.sign(&claims));
    body
}

const LIFE_SECONDS: u64 = 3600;

//! The authorization endpoint. What is wrong with the request itself is shown and not sent back.

use std::collections::BTreeMap;

use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::{Google, NAME};
use crate::consent::{Asked, Granted};
use crate::page::{self, Choice};
use crate::registration::is_challenge;

type Fields = BTreeMap<String, String>;

/// `GET /o/oauth2/v2/auth`.
pub(super) async fn show(
    State(google): State<Google>,
    Query(mut fields): Query<Fields>,
) -> Response {
    let asked = match read(&google, &mut fields) {
        Ok(asked) => asked,
        Err((status, what)) => return page::error(status, NAME, what),
    };
    let scopes = asked.scopes.clone();
    let session = google.0.consents.ask(asked);
    let choices: Vec<Choice> = google
        .0
        .accounts
        .iter()
        .enumerate()
        .map(|(value, account)| Choice { value, shown: format!("Continue as {}", account.email) })
        .collect();
    page::ask(NAME, "/o/oauth2/v2/auth", &session, &scopes, &choices)
}

fn read(google: &Google, fields: &mut Fields) -> Result<Asked, (StatusCode, &'static str)> {
    let bad = |what| Err((StatusCode::BAD_REQUEST, what));
    let mut take = |name: &str| fields.remove(name).filter(|value| !value.is_empty());
    if take("client_id").is_none_or(|id| id != google.0.client.client_id) {
        let what = "Error 401: invalid_client. The OAuth client was not found.";
        return Err((StatusCode::UNAUTHORIZED, what));
    }
    let Some(redirect_uri) = take("redirect_uri") else {
        return bad("Error 400: invalid_request. Missing required parameter: redirect_uri");
    };
    if !google.0.client.redirect_uris.contains(&redirect_uri) {
        return bad("Error 400: redirect_uri_mismatch");
    }
    if take("response_type").as_deref() != Some("code") {
        return bad("Error 400: unsupported_response_type");
    }
    let scopes: Vec<String> =
        take("scope").unwrap_or_default().split(' ').map(ToOwned::to_owned).collect();
    if scopes.iter().all(String::is_empty) {
        return bad("Error 400: invalid_request. Missing required parameter: scope");
    }
    let (challenge, method) = (take("code_challenge"), take("code_challenge_method"));
    // `plain` is Google's too, but nobody here has a use for it.
    let pkce = match (&challenge, method.as_deref()) {
        (None, None) => true,
        (Some(challenge), Some("S256")) => is_challenge(challenge),
        _ => false,
    };
    if !pkce {
        return bad("Error 400: invalid_request. The code_challenge is not of method S256");
    }
    Ok(Asked { redirect_uri, state: take("state"), scopes, challenge, nonce: take("nonce") })
}

/// `POST /o/oauth2/v2/auth`: the page's form.
pub(super) async fn submit(State(google): State<Google>, Form(fields): Form<Fields>) -> Response {
    let session = fields.get("session").map_or("", String::as_str);
    let Some(asked) = google.0.consents.answered(session) else {
        return page::error(StatusCode::BAD_REQUEST, NAME, "This page has expired.");
    };
    let (redirect_uri, state) = (asked.redirect_uri.clone(), asked.state.clone());
    let account = fields.get("account").and_then(|account| account.parse().ok());
    let account = account.filter(|account: &usize| *account < google.0.accounts.len());
    let Some(account) = account.filter(|_| !fields.contains_key("cancel")) else {
        let denied = [("error", Some("access_denied")), ("state", state.as_deref())];
        return page::back(&redirect_uri, &denied);
    };
    let scope = asked.scopes.join(" ");
    let code = google.0.consents.grant(Granted { asked, account });
    page::back(
        &redirect_uri,
        &[("state", state.as_deref()), ("code", Some(&code)), ("scope", Some(&scope))],
    )
}

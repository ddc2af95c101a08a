//! The two steps of the web flow.

use std::collections::BTreeMap;

use axum::Form;
use axum::extract::{Query, State};
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use openidconnect::url::{Url, form_urlencoded};
use serde_json::{Value, json};

use super::GitHub;
use crate::consent::{Asked, Granted};
use crate::page::{self, Choice};
use crate::registration::{challenge_of, is_challenge};

type Fields = BTreeMap<String, String>;

/// `GET /login/oauth/authorize`.
pub(super) async fn show(
    State(github): State<GitHub>,
    Query(mut fields): Query<Fields>,
) -> Response {
    let mut take = |name: &str| fields.remove(name).filter(|value| !value.is_empty());
    if take("client_id").is_none_or(|id| id != github.0.app.client_id) {
        return page::error(
            StatusCode::NOT_FOUND,
            NAME,
            "This is not the app you are looking for.",
        );
    }
    let state = take("state");
    let callback = github.callback().to_owned();
    let redirect_uri = take("redirect_uri").unwrap_or_else(|| callback.clone());
    if !fits_callback(&callback, &redirect_uri) {
        return page::back(
            &callback,
            &[
                ("error", Some("redirect_uri_mismatch")),
                ("error_description", Some(REDIRECT_MISMATCH)),
                ("state", state.as_deref()),
            ],
        );
    }
    let (challenge, method) = (take("code_challenge"), take("code_challenge_method"));
    // Both or neither, S256 alone ("Authorizing OAuth apps"); how the refusal looks is not told.
    let pkce = match (&challenge, method.as_deref()) {
        (None, None) => true,
        (Some(challenge), Some("S256")) => is_challenge(challenge),
        _ => false,
    };
    if !pkce {
        return page::error(
            StatusCode::BAD_REQUEST,
            NAME,
            "code_challenge and code_challenge_method go together, and the method is S256.",
        );
    }
    let scopes: Vec<String> = take("scope")
        .unwrap_or_default()
        .split([' ', ','])
        .filter(|scope| !scope.is_empty())
        .map(ToOwned::to_owned)
        .collect();
    let asked = Asked { redirect_uri, state, scopes: scopes.clone(), challenge, nonce: None };
    let session = github.0.consents.ask(asked);
    let choices: Vec<Choice> = github
        .0
        .accounts
        .iter()
        .enumerate()
        .map(|(value, account)| Choice { value, shown: format!("Authorize as {}", account.login) })
        .collect();
    page::ask(NAME, "/login/oauth/authorize", &session, &scopes, &choices)
}

/// `POST /login/oauth/authorize`: the page's form.
pub(super) async fn submit(State(github): State<GitHub>, Form(fields): Form<Fields>) -> Response {
    let session = fields.get("session").map_or("", String::as_str);
    let Some(asked) = github.0.consents.answered(session) else {
        return page::error(StatusCode::UNPROCESSABLE_ENTITY, NAME, "This page has expired.");
    };
    let (redirect_uri, state) = (asked.redirect_uri.clone(), asked.state.clone());
    let account = fields.get("account").and_then(|account| account.parse().ok());
    let account = account.filter(|account: &usize| *account < github.0.accounts.len());
    let Some(account) = account.filter(|_| !fields.contains_key("cancel")) else {
        return page::back(
            &redirect_uri,
            &[
                ("error", Some("access_denied")),
                ("error_description", Some("The user has denied your application access.")),
                ("state", state.as_deref()),
            ],
        );
    };
    let code = github.0.consents.grant(Granted { asked, account });
    page::back(&redirect_uri, &[("code", Some(&code)), ("state", state.as_deref())])
}

/// `POST /login/oauth/access_token`. Errors too come with 200.
pub(super) async fn access_token(
    State(github): State<GitHub>,
    headers: HeaderMap,
    Form(fields): Form<Fields>,
) -> Response {
    let answer = redeem(&github, &fields).unwrap_or_else(|(error, description)| {
        json!({ "error": error, "error_description": description, "error_uri": ERRORS_ARE_AT })
    });
    let accepts_json = headers
        .get(ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("application/json"));
    if accepts_json {
        return axum::Json(answer).into_response();
    }
    let mut form = form_urlencoded::Serializer::new(String::new());
    for (name, value) in answer.as_object().into_iter().flatten() {
        form.append_pair(name, value.as_str().unwrap_or_default());
    }
    ([(CONTENT_TYPE, "application/x-www-form-urlencoded; charset=utf-8")], form.finish())
        .into_response()
}

fn redeem(github: &GitHub, fields: &Fields) -> Result<Value, (&'static str, &'static str)> {
    let field = |name: &str| fields.get(name).map_or("", String::as_str);
    if !github.0.app.is(field("client_id"), field("client_secret")) {
        return Err((
            "incorrect_client_credentials",
            "The client_id and/or client_secret passed are incorrect.",
        ));
    }
    const BAD_CODE: (&str, &str) =
        ("bad_verification_code", "The code passed is incorrect or expired.");
    let granted = github.0.consents.redeem(field("code")).ok_or(BAD_CODE)?;
    if fields.get("redirect_uri").is_some_and(|uri| *uri != granted.asked.redirect_uri) {
        return Err(("redirect_uri_mismatch", REDIRECT_MISMATCH));
    }
    let verified = match (&granted.asked.challenge, fields.get("code_verifier")) {
        (None, None) => true,
        (Some(challenge), Some(verifier)) => challenge_of(verifier) == *challenge,
        _ => false,
    };
    // Which error a wrong verifier gets is not told; it makes the code no good.
    if !verified {
        return Err(BAD_CODE);
    }
    let scope = granted.asked.scopes.join(",");
    let token = github.token(granted);
    Ok(json!({ "access_token": token, "scope": scope, "token_type": "bearer" }))
}

/// "The redirect URL's host (excluding sub-domains) and port must exactly match the callback URL.
/// The redirect URL's path must reference a subdirectory of the callback URL." A loopback
/// callback leaves the port open.
fn fits_callback(callback: &str, redirect_uri: &str) -> bool {
    let (Ok(callback), Ok(given)) = (Url::parse(callback), Url::parse(redirect_uri)) else {
        return false;
    };
    let (Some(registered), Some(host)) = (callback.host_str(), given.host_str()) else {
        return false;
    };
    let loopback = ["127.0.0.1", "[::1]", "localhost"].contains(&registered);
    let same_host = host == registered || host.ends_with(&format!(".{registered}"));
    let same_port = loopback || given.port_or_known_default() == callback.port_or_known_default();
    let below = format!("{}/", callback.path().trim_end_matches('/'));
    let same_path = given.path() == callback.path() || given.path().starts_with(&below);
    given.scheme() == callback.scheme() && same_host && same_port && same_path
}

const NAME: &str = "GitHub";
const REDIRECT_MISMATCH: &str =
    "The redirect_uri MUST match the registered callback URL for this application.";
const ERRORS_ARE_AT: &str =
    "/apps/managing-oauth-apps/troubleshooting-oauth-app-access-token-request-errors/";

#[cfg(test)]
mod tests {
    use super::*;

    /// The list in "Redirect URLs" of "Authorizing OAuth apps".
    #[test]
    fn the_documents_good_and_bad_redirects() {
        let callback = "http://example.com/path";
        for good in [
            "http://example.com/path",
            "http://example.com/path/subdir/other",
            "http://oauth.example.com/path",
            "http://oauth.example.com/path/subdir/other",
        ] {
            assert!(fits_callback(callback, good), "{good}");
        }
        for bad in [
            "http://example.com/bar",
            "http://example.com/",
            "http://example.com:8080/path",
            "http://oauth.example.com:8080/path",
            "http://example.org",
        ] {
            assert!(!fits_callback(callback, bad), "{bad}");
        }
        assert!(fits_callback("http://127.0.0.1/path", "http://127.0.0.1:1234/path"));
    }
}

//! The authorization endpoint (RFC 6749 4.1.1, RFC 7636): which client asks, and where the person
//! signs in.
//!
//! A request that is not in order gets a page that says so and no redirect: whoever develops a
//! client reads it there, and nobody is sent anywhere.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use openidconnect::url::form_urlencoded;
use zeroize::Zeroizing;

use super::answer::{fields, is_form, see_other};
use super::callback::hand_over;
use super::connector::{Connector, Kind, Leg, SignInRefusal, anybody as anybody_at};
use super::grants::{Away, Key, Purpose, Request, SIGN_IN_SECONDS, SignIn, Step, unguessable};
use super::page::{self, Way};
use super::{Broker, Settings, redirect, token};
use crate::identity::email;

/// `GET /auth`.
pub(super) async fn begin(
    State(broker): State<Broker>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let settings = broker.settings();
    let query = query.unwrap_or_default();
    let Some(mut fields) = fields(query.as_bytes()) else {
        return refused(&broker, "a parameter is repeated");
    };
    let named = fields.remove("connector_id").filter(|name| !name.is_empty());
    let request = match read_request(fields, &settings.client_id) {
        Ok(request) => request,
        Err(reason) => return refused(&broker, reason),
    };
    let only = match (&named, settings.connectors.all()) {
        (Some(name), _) => match settings.connectors.named(name) {
            Some(connector) => Some(connector),
            None => return refused(&broker, "connector_id names no way to sign in here"),
        },
        (None, [only]) => Some(only),
        (None, _) => None,
    };
    let Some((session, key, cookie)) = open(&broker, request) else {
        return internal(&broker);
    };
    let mut response = match only {
        Some(connector) => go_to(&broker, connector, &session).await,
        None => {
            let client = &settings.client_id;
            broker.show(page::choose(client, &ways(&broker, &settings, &session)))
        }
    };
    broker.0.cookies.end_if_crowded(&mut response, &headers);
    broker.0.cookies.give(&mut response, key, &cookie);
    response
}

/// `GET /auth/go`: a way from the page that offers them.
pub(super) async fn go(
    State(broker): State<Broker>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(fields) = fields(query.unwrap_or_default().as_bytes()) else {
        return refused(&broker, "a parameter is repeated");
    };
    let settings = broker.settings();
    let session = fields.get("session").map_or("", String::as_str);
    if let Err(none) = with_sign_in(&broker, &headers, session, |_sign_in| ()) {
        return none.respond(&broker);
    }
    match fields.get("connector").and_then(|id| settings.connectors.by_id(id)) {
        Some(connector) => go_to(&broker, connector, session).await,
        None => refused(&broker, "there is no such way to sign in here"),
    }
}

/// `POST /auth`: the form of the development connector.
pub(super) async fn anybody(
    State(broker): State<Broker>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let settings = broker.settings();
    let development = |connector: &&Connector| matches!(connector.kind, Kind::Development);
    let Some(connector) = settings.connectors.all().iter().find(development) else {
        return refused(&broker, "there is no such way to sign in here");
    };
    if !is_form(&headers) {
        return refused(&broker, "the form is not urlencoded");
    }
    let Some(fields) = fields(&body) else { return refused(&broker, "a parameter is repeated") };
    let session = fields.get("session").map_or("", String::as_str);
    // Typed by a person, who may leave blanks around it; the address itself is not touched.
    let address = fields.get("email").map_or("", |address| address.trim_ascii());
    let purpose = match with_sign_in(&broker, &headers, session, |s| s.purpose.clone()) {
        Ok(purpose) => purpose,
        Err(none) => return none.respond(&broker),
    };
    if let Err(fault) = email::check(address) {
        let again = form_of_anybody(&broker, &purpose, session, Some(&fault.to_string()));
        return broker.show(again.status(StatusCode::UNPROCESSABLE_ENTITY));
    }
    // The page says that the address becomes public and takes whatever is typed: it is the
    // question and the answer in one.
    match token::authorise(broker.issuer(), connector, &anybody_at(address), address) {
        Ok(authorised) => hand_over(&broker, session, authorised),
        Err(refusal) => not_signed_in(&broker, &settings, session, &refusal),
    }
}

fn read_request(
    mut fields: BTreeMap<String, String>,
    own_client_id: &str,
) -> Result<Request, &'static str> {
    let mut take = |name: &str| fields.remove(name).filter(|value| !value.is_empty());
    let short = |text: &Option<String>| text.as_ref().is_none_or(|t| t.len() <= MAX_ECHOED);

    let redirect_uri = take("redirect_uri").ok_or("parameter redirect_uri is missing")?;
    if !redirect::is_accepted(&redirect_uri) {
        return Err("redirect_uri is not http on localhost, 127.0.0.1 or [::1] with the path \
                    /auth/callback or none, nor urn:ietf:wg:oauth:2.0:oob");
    }
    let client_id = take("client_id").ok_or("parameter client_id is missing")?;
    if client_id != own_client_id {
        return Err("client_id is not that of this instance");
    }
    if take("response_type").as_deref() != Some("code") {
        return Err("response_type is not code");
    }
    if take("response_mode").is_some_and(|mode| mode != "query") {
        return Err("response_mode is not query");
    }
    if !take("scope").is_some_and(|scope| scope.split(' ').any(|scope| scope == "openid")) {
        return Err("scope does not contain openid");
    }
    let challenge = take("code_challenge").ok_or("PKCE is required: code_challenge is missing")?;
    if take("code_challenge_method").as_deref() != Some("S256") {
        return Err("PKCE is required: code_challenge_method is not S256");
    }
    if !is_challenge(&challenge) {
        return Err("code_challenge is not a SHA-256 in base64url");
    }
    let (state, nonce) = (take("state"), take("nonce"));
    if !short(&state) || !short(&nonce) {
        return Err("state or nonce is too long");
    }
    let login_hint = take("login_hint").filter(|hint| hint.len() <= 254);
    Ok(Request { client_id, redirect_uri, challenge, state, nonce, login_hint })
}

/// 32 bytes of SHA-256 in base64url.
pub(super) fn is_challenge(challenge: &str) -> bool {
    let base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    challenge.len() == 43 && challenge.bytes().all(base64url)
}

/// Begins a sign-in: its session for the pages, its key, and the cookie that the browser is given.
fn open(broker: &Broker, request: Request) -> Option<(String, Key, String)> {
    let now = broker.now();
    let cookie = unguessable()?;
    let purpose = Purpose::Client(request);
    let sign_in = SignIn { purpose, browser: Key::of(&cookie), step: Step::Open };
    let until = now.saturating_add(SIGN_IN_SECONDS);
    let session = broker.grants().sign_ins.put(sign_in, until, now)?;
    let key = Key::of(&session);
    Some((session, key, cookie))
}

/// Runs `look` over the sign-in of a page, if the browser is the one that began it.
pub(super) fn with_sign_in<T>(
    broker: &Broker,
    headers: &HeaderMap,
    session: &str,
    look: impl FnOnce(&mut SignIn) -> T,
) -> Result<T, NoSignIn> {
    let (key, now) = (Key::of(session), broker.now());
    let mut grants = broker.grants();
    let sign_in = grants.sign_ins.get_mut(key, now).ok_or(NoSignIn::Ended)?;
    if !broker.0.cookies.hold(headers, key, sign_in.browser) {
        return Err(NoSignIn::OtherBrowser);
    }
    Ok(look(sign_in))
}

/// Why a page belongs to no sign-in of this browser.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSignIn {
    /// Finished, too old, or never begun.
    Ended,
    /// Begun by somebody else.
    OtherBrowser,
}

impl NoSignIn {
    /// The page that says so.
    pub(super) fn respond(self, broker: &Broker) -> Response {
        let page = match self {
            Self::Ended => page::problem("This sign-in has ended", &START_AGAIN, &[]),
            Self::OtherBrowser => {
                page::problem("This sign-in was begun in another browser", &IN_ONE_BROWSER, &[])
            }
        };
        broker.show(page.status(StatusCode::BAD_REQUEST))
    }
}

/// Sends the browser to a provider.
async fn go_to(broker: &Broker, connector: &Connector, session: &str) -> Response {
    let (key, now) = (Key::of(session), broker.now());
    let purpose = broker.grants().sign_ins.get_mut(key, now).map(|sign_in| sign_in.purpose.clone());
    let Some(purpose) = purpose else { return internal(broker) };
    let (Some(verifier), Some(nonce)) = (unguessable(), unguessable()) else {
        return internal(broker);
    };
    let away = Away {
        sign_in: key,
        connector: connector.id.clone(),
        verifier: Zeroizing::new(verifier.clone()),
        nonce: nonce.clone(),
    };
    let until = now.saturating_add(SIGN_IN_SECONDS);
    let state = broker.grants().away.put(away, until, now);
    let Some(state) = state else { return internal(broker) };
    let login_hint = match &purpose {
        Purpose::Client(request) => request.login_hint.clone(),
        Purpose::Device { .. } => None,
    };
    let leg = Leg { state, verifier: Zeroizing::new(verifier), nonce, login_hint };
    match connector.begin(&leg, &broker.callback(&connector.id)).await {
        Ok(Some(url)) => see_other(url.as_str()),
        Ok(None) => broker.show(form_of_anybody(broker, &purpose, session, None)),
        Err(refusal) => not_signed_in(broker, &broker.settings(), session, &refusal),
    }
}

fn form_of_anybody(
    broker: &Broker,
    purpose: &Purpose,
    session: &str,
    complaint: Option<&str>,
) -> page::Page {
    let action = broker.at("/auth");
    page::development(&action, session, purpose.leads_to(), purpose.client_id(), complaint)
}

/// A link to each way to sign in.
pub(super) fn ways(broker: &Broker, settings: &Settings, session: &str) -> Vec<Way> {
    let link = |connector: &Connector| {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("session", session)
            .append_pair("connector", &connector.id)
            .finish();
        let href = broker.at(&format!("/auth/go?{query}"));
        Way { href, name: format!("Continue with {}", connector.name) }
    };
    settings.connectors.all().iter().map(link).collect()
}

/// Why nobody is signed in, what to do, and every way to try again.
pub(super) fn not_signed_in(
    broker: &Broker,
    settings: &Settings,
    session: &str,
    refusal: &SignInRefusal,
) -> Response {
    tracing::info!(reason = %refusal, "a sign-in was refused");
    let status =
        if refusal.is_upstreams() { StatusCode::BAD_GATEWAY } else { StatusCode::FORBIDDEN };
    let what = sentence(&refusal.to_string());
    let page = page::problem(&what, refusal.advice(), &ways(broker, settings, session));
    broker.show(page.status(status))
}

fn refused(broker: &Broker, reason: &str) -> Response {
    let advice = ["The program that sent you here asked in a way that is not taken."];
    let page = page::problem(&sentence(reason), &advice, &[]);
    broker.show(page.status(StatusCode::BAD_REQUEST))
}

pub(super) fn internal(broker: &Broker) -> Response {
    let page = page::problem("Something failed on our side", &["Try again in a moment."], &[]);
    broker.show(page.status(StatusCode::INTERNAL_SERVER_ERROR))
}

/// A reason as the first words of a page; names of parameters keep their case.
fn sentence(reason: &str) -> String {
    let first_word = reason.split(' ').next().unwrap_or_default();
    if first_word.contains('_') {
        return reason.to_owned();
    }
    let mut characters = reason.chars();
    characters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}

const START_AGAIN: [&str; 1] =
    ["Go back to the program that asked you to sign in, and start again there."];
const IN_ONE_BROWSER: [&str; 2] = [
    "Finish where you began, with cookies allowed for this site.",
    "If somebody sent you the address of this page, they wanted to sign as you: close it.",
];
const MAX_ECHOED: usize = 2048;

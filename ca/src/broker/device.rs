//! Signing in for a terminal without a browser (RFC 8628).
//!
//! Its danger is the link that somebody sends: a person who follows it signs in for a terminal
//! that is not theirs (RFC 8628 section 5.4). So no link carries the code: it is typed, off one's
//! own terminal; and what is about to be let in is shown before anybody signs in, and again before
//! they agree. `verification_uri_complete` is therefore never given.

use std::net::IpAddr;

use aws_lc_rs::rand;
use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;
use time::OffsetDateTime;
use time::macros::format_description;

use super::answer::{fields, is_form, json_answer, json_error, server_error};
use super::authorize::{NoSignIn, internal, is_challenge, ways};
use super::grants::{Key, Purpose, SIGN_IN_SECONDS, SignIn, Step, unguessable};
use super::session::Cookies;
use super::token::Authorised;
use super::{Broker, page, redeem};
use crate::proxy::ClientAddress;

/// A terminal that waits.
pub(super) struct Device {
    pub(super) client_id: String,
    /// Of PKCE, which cosign uses here too.
    pub(super) challenge: Option<String>,
    user_code: String,
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) expires_at: i64,
    pub(super) interval: i64,
    pub(super) polled_at: Option<i64>,
    pub(super) state: Waits,
}

/// How far a terminal is.
pub(super) enum Waits {
    /// Nobody has typed its code.
    Waiting,
    /// Somebody has; the last one to do so may answer.
    Typed { claim: Key },
    /// Somebody has agreed.
    Granted(Authorised),
    /// Somebody has said no.
    Denied,
}

/// A browser with the page where a code is typed.
pub(super) struct Typing {
    browser: Key,
    wrong: u8,
}

/// `POST /device_authorization` (RFC 8628 section 3.1).
pub(super) async fn authorize(
    State(broker): State<Broker>,
    client: Option<Extension<ClientAddress>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let settings = broker.settings();
    let invalid = |why: &str| json_error(StatusCode::BAD_REQUEST, "invalid_request", why);
    if !settings.device_flow {
        return json_error(StatusCode::NOT_FOUND, "invalid_request", SWITCHED_OFF);
    }
    if !is_form(&headers) {
        return invalid("the form is not urlencoded");
    }
    let Some(fields) = fields(&body) else { return invalid("a parameter is repeated") };
    let client_id = match redeem::client(&headers, &fields) {
        Ok(Some(client_id)) if client_id == settings.client_id => client_id,
        Ok(_) => return redeem::not_the_client("client_id is not that of this instance"),
        Err(reason) => return redeem::not_the_client(reason),
    };
    let scope = fields.get("scope").map_or("", String::as_str);
    if !scope.split(' ').any(|scope| scope == "openid") {
        return json_error(StatusCode::BAD_REQUEST, "invalid_scope", "scope has no openid");
    }
    let method = fields.get("code_challenge_method").map(String::as_str);
    let challenge = match (fields.get("code_challenge"), method) {
        (None, None) => None,
        (Some(challenge), Some("S256")) if is_challenge(challenge) => Some(challenge.clone()),
        _ => return invalid("code_challenge is not a SHA-256 in base64url with the method S256"),
    };
    let now = broker.now();
    let Some(user_code) = new_user_code() else { return server_error() };
    let device = Device {
        client_id,
        challenge,
        facts: vec![
            ("Program", settings.client_id.clone()),
            ("Asked from", place(&broker, client.map(|Extension(ClientAddress(address))| address))),
            ("Asked at", moment(now)),
        ],
        user_code: user_code.clone(),
        expires_at: now.saturating_add(DEVICE_SECONDS),
        interval: INTERVAL,
        polled_at: None,
        state: Waits::Waiting,
    };
    // Kept for longer than it is good for, so that a late terminal learns that it is late.
    let until = now.saturating_add(2 * DEVICE_SECONDS);
    let Some(device_code) = broker.grants().devices.put(device, until, now) else {
        return server_error();
    };
    json_answer(
        StatusCode::OK,
        &json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": format!("{}/device", broker.issuer()),
            "expires_in": DEVICE_SECONDS,
            "interval": INTERVAL,
        }),
    )
}

/// `GET /device`: where a code is typed. A code in the address is not read.
pub(super) async fn show(State(broker): State<Broker>, headers: HeaderMap) -> Response {
    if !broker.settings().device_flow {
        let advice = ["Sign in with a browser on the machine that signs."];
        let page = page::problem("Codes of terminals are not taken here", &advice, &[]);
        return broker.show(page.status(StatusCode::NOT_FOUND));
    }
    let now = broker.now();
    let Some(cookie) = unguessable() else { return internal(&broker) };
    let typing = Typing { browser: Key::of(&cookie), wrong: 0 };
    let until = now.saturating_add(SIGN_IN_SECONDS);
    let Some(session) = broker.grants().typing.put(typing, until, now) else {
        return internal(&broker);
    };
    let mut response = broker.show(page::type_code(&broker.at("/device"), &session, None));
    broker.0.cookies.end_if_crowded(&mut response, &headers);
    broker.0.cookies.give(&mut response, Key::of(&session), &cookie);
    response
}

/// `POST /device`: the code.
pub(super) async fn typed(
    State(broker): State<Broker>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fields = if is_form(&headers) { fields(&body) } else { None };
    let fields = fields.unwrap_or_default();
    let session = fields.get("session").map_or("", String::as_str);
    let user_code = normal(fields.get("user_code").map_or("", String::as_str));
    let (key, now) = (Key::of(session), broker.now());
    let settings = broker.settings();

    let mut grants = broker.grants();
    let Some(typing) = grants.typing.get_mut(key, now).filter(|_| settings.device_flow) else {
        drop(grants);
        return NoSignIn::Ended.respond(&broker);
    };
    if !broker.0.cookies.hold(&headers, key, typing.browser) {
        drop(grants);
        return NoSignIn::OtherBrowser.respond(&broker);
    }
    let browser = typing.browser;
    let open = |device: &Device| {
        let answerable = matches!(device.state, Waits::Waiting | Waits::Typed { .. });
        answerable && now < device.expires_at && normal(&device.user_code) == user_code
    };
    let Some((device, found)) = grants.devices.find_mut(now, open) else {
        let wrong = grants.typing.get_mut(key, now).map_or(MOST_WRONG, |typing| {
            typing.wrong = typing.wrong.saturating_add(1);
            typing.wrong
        });
        if wrong >= MOST_WRONG {
            grants.typing.take(key, now);
        }
        drop(grants);
        return not_the_code(&broker, session, key, wrong);
    };
    let Some(claim) = unguessable().map(|claim| Key::of(&claim)) else {
        drop(grants);
        return internal(&broker);
    };
    found.state = Waits::Typed { claim };
    let (client_id, facts) = (found.client_id.clone(), found.facts.clone());
    let purpose = Purpose::Device { device, claim, client_id: client_id.clone(), facts };
    let Purpose::Device { facts, .. } = &purpose else { return internal(&broker) };
    let facts = facts.clone();
    grants.typing.take(key, now);
    let sign_in = SignIn { purpose, browser, step: Step::Open };
    let cookie = unguessable();
    let session = grants.sign_ins.put(sign_in, now.saturating_add(SIGN_IN_SECONDS), now);
    let (Some(session), Some(cookie)) = (session, cookie) else {
        drop(grants);
        return internal(&broker);
    };
    let new_key = Key::of(&session);
    if let Some(sign_in) = grants.sign_ins.get_mut(new_key, now) {
        sign_in.browser = Key::of(&cookie);
    }
    drop(grants);
    let ways = ways(&broker, &settings, &session);
    let mut response = broker.show(page::choose_for_device(&facts, &ways));
    broker.0.cookies.end(&mut response, key);
    broker.0.cookies.give(&mut response, new_key, &cookie);
    response
}

fn not_the_code(broker: &Broker, session: &str, key: Key, wrong: u8) -> Response {
    if wrong < MOST_WRONG {
        let complaint = "No terminal waits with that code. Codes are good for ten minutes";
        let again = page::type_code(&broker.at("/device"), session, Some(complaint));
        return broker.show(again.status(StatusCode::UNPROCESSABLE_ENTITY));
    }
    let advice = ["Ask for a new code in your terminal, and open this page again."];
    let page = page::problem("That was one wrong code too many", &advice, &[]);
    let mut response = broker.show(page.status(StatusCode::TOO_MANY_REQUESTS));
    broker.0.cookies.end(&mut response, key);
    response
}

/// Ends a terminal's waiting with an answer; false if another browser has typed its code since, or
/// it is too late.
pub(super) fn settle(broker: &Broker, device: Key, claim: Key, answer: Waits) -> bool {
    let now = broker.now();
    let mut grants = broker.grants();
    match grants.devices.get_mut(device, now) {
        Some(found) if now < found.expires_at => match found.state {
            Waits::Typed { claim: held } if held == claim => {
                found.state = answer;
                true
            }
            _ => false,
        },
        _ => false,
    }
}

/// Eight consonants, so that no word comes out (RFC 8628 section 6.1): 34 bits.
fn new_user_code() -> Option<String> {
    let mut code = String::with_capacity(9);
    while code.len() < 9 {
        let mut byte = [0];
        rand::fill(&mut byte).ok()?;
        // 240 is the largest multiple of 20 in a byte: what is beyond would favour some letters.
        let Some(&letter) = LETTERS.get(usize::from(byte[0] % 20)).filter(|_| byte[0] < 240) else {
            continue;
        };
        if code.len() == 4 {
            code.push('-');
        }
        code.push(char::from(letter));
    }
    Some(code)
}

/// A code as it is compared: people type blanks, hyphens and small letters.
fn normal(code: &str) -> String {
    code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect()
}

fn place(broker: &Broker, address: Option<IpAddr>) -> String {
    match address {
        Some(address) if !address.is_loopback() => address.to_string(),
        // On a public instance that is the proxy, which is not who asked.
        _ if broker.0.cookies == Cookies::Secure => "an address that is not known here".to_owned(),
        _ => "this computer".to_owned(),
    }
}

fn moment(now: i64) -> String {
    let format = format_description!("[hour]:[minute] UTC");
    OffsetDateTime::from_unix_timestamp(now)
        .ok()
        .and_then(|at| at.format(format).ok())
        .unwrap_or_default()
}

/// How long a code is good for.
pub(super) const DEVICE_SECONDS: i64 = 10 * 60;

/// How long a terminal pauses between two questions, and by how much more when it did not.
const INTERVAL: i64 = 5;

const MOST_WRONG: u8 = 5;
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const SWITCHED_OFF: &str = "the device flow is switched off here";

//! Back from a provider: who it is, whether they agree, and the way back to the client.

use axum::body::Bytes;
use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use openidconnect::url::form_urlencoded;

use super::answer::{fields, is_form, see_other};
use super::authorize::{NoSignIn, internal, not_signed_in, with_sign_in};
use super::connector::{Leg, Person, Returned, SignInRefusal};
use super::device::{Waits, settle};
use super::grants::{CODE_SECONDS, Grant, Key, Purpose, Request, Step, unguessable};
use super::page::{self, Confirm};
use super::token::{Authorised, authorise};
use super::{Broker, redirect};

/// `GET /callback/{connector}` (RFC 6749 4.1.2).
pub(super) async fn back(
    State(broker): State<Broker>,
    Path(connector): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(fields) = fields(query.unwrap_or_default().as_bytes()) else {
        return ended(&broker);
    };
    let state = fields.get("state").map_or("", String::as_str);
    let now = broker.now();
    // Whoever presents a state ends it.
    let away = broker.grants().away.take(Key::of(state), now);
    let Some(away) = away else { return ended(&broker) };
    let key = away.sign_in;
    let browser = broker.grants().sign_ins.get_mut(key, now).map(|sign_in| sign_in.browser);
    let Some(browser) = browser else { return ended(&broker) };
    if !broker.0.cookies.hold(&headers, key, browser) {
        return NoSignIn::OtherBrowser.respond(&broker);
    }
    let settings = broker.settings();
    let person = if away.connector != connector {
        Err(SignInRefusal::MixedUp)
    } else if let Some(connector) = settings.connectors.by_id(&away.connector) {
        match fields.get("code") {
            Some(code) if !fields.contains_key("error") => {
                let leg = Leg {
                    state: state.to_owned(),
                    verifier: away.verifier,
                    nonce: away.nonce,
                    login_hint: None,
                };
                let issuer = fields.get("iss").map(String::as_str);
                let returned = Returned { code, issuer };
                connector.complete(&leg, &broker.callback(&connector.id), &returned).await
            }
            _ => Err(SignInRefusal::Denied),
        }
    } else {
        Err(SignInRefusal::Denied)
    };
    // Time has passed while the provider was asked.
    let Some((session, cookie)) = renew(&broker, key) else { return ended(&broker) };
    let mut response = match person {
        Ok(person) => {
            let connector = away.connector;
            let mut grants = broker.grants();
            match grants.sign_ins.get_mut(Key::of(&session), broker.now()) {
                Some(sign_in) => sign_in.step = Step::SignedIn { connector, person },
                None => return ended(&broker),
            }
            drop(grants);
            // The code and state of the provider leave the address bar.
            see_other(&confirm_url(&broker, &session))
        }
        Err(refusal) => not_signed_in(&broker, &settings, &session, &refusal),
    };
    broker.0.cookies.end(&mut response, key);
    broker.0.cookies.give(&mut response, Key::of(&session), &cookie);
    response
}

/// `GET /confirm`: the question.
pub(super) async fn ask(
    State(broker): State<Broker>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let fields = fields(query.unwrap_or_default().as_bytes()).unwrap_or_default();
    let session = fields.get("session").map_or("", String::as_str);
    match signed_in(&broker, &headers, session) {
        Ok(signed_in) => question(&broker, session, &signed_in, None),
        Err(none) => none.respond(&broker),
    }
}

/// `POST /confirm`: the answer.
pub(super) async fn answer(
    State(broker): State<Broker>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let fields = if is_form(&headers) { fields(&body) } else { None };
    let Some(fields) = fields else { return ended(&broker) };
    let session = fields.get("session").map_or("", String::as_str);
    let (purpose, connector, person) = match signed_in(&broker, &headers, session) {
        Ok(signed_in) => signed_in,
        Err(none) => return none.respond(&broker),
    };
    match fields.get("answer").map(String::as_str) {
        Some("cancel") => return cancel(&broker, session),
        Some("continue") => {}
        _ => return ended(&broker),
    }
    let settings = broker.settings();
    let Some(connector_now) = settings.connectors.by_id(&connector) else {
        return not_signed_in(&broker, &settings, session, &SignInRefusal::Denied);
    };
    let address = fields.get("email").map_or("", String::as_str);
    match authorise(broker.issuer(), connector_now, &person, address) {
        Ok(authorised) => hand_over(&broker, session, authorised),
        Err(SignInRefusal::AddressNotOffered) => {
            let complaint = "Choose one of your addresses";
            question(&broker, session, &(purpose, connector, person), Some(complaint))
        }
        Err(refusal) => not_signed_in(&broker, &settings, session, &refusal),
    }
}

/// Ends a sign-in: with a code for the client, or for the terminal that waits.
pub(super) fn hand_over(broker: &Broker, session: &str, authorised: Authorised) -> Response {
    let (key, now) = (Key::of(session), broker.now());
    let address = authorised.address().to_owned();
    let taken = broker.grants().sign_ins.take(key, now);
    let Some(sign_in) = taken else { return ended(broker) };
    let mut response = match sign_in.purpose {
        Purpose::Client(request) => {
            let grant = Grant { request: request.clone(), authorised };
            let until = now.saturating_add(CODE_SECONDS);
            let code = broker.grants().codes.put(grant, until, now);
            match (code, redirect::origin(&request.redirect_uri)) {
                (None, _) => internal(broker),
                (Some(code), Some(_)) => see_other(&location(broker, &request, &[("code", &code)])),
                (Some(code), None) => broker.show(page::code(&address, &code)),
            }
        }
        Purpose::Device { device, claim, .. } => {
            if settle(broker, device, claim, Waits::Granted(authorised)) {
                broker.show(page::done(&address))
            } else {
                ended(broker)
            }
        }
    };
    broker.0.cookies.end(&mut response, key);
    response
}

/// RFC 6749 4.1.2.1.
fn cancel(broker: &Broker, session: &str) -> Response {
    let key = Key::of(session);
    let taken = broker.grants().sign_ins.take(key, broker.now());
    let Some(sign_in) = taken else { return ended(broker) };
    let said_no = || {
        let advice = ["Nothing was signed. You can close this page."];
        broker.show(page::problem("You cancelled the sign-in", &advice, &[]))
    };
    let denied = [("error", "access_denied"), ("error_description", "the person said no")];
    let mut response = match sign_in.purpose {
        Purpose::Client(request) => match redirect::origin(&request.redirect_uri) {
            Some(_) => see_other(&location(broker, &request, &denied)),
            None => said_no(),
        },
        Purpose::Device { device, claim, .. } => {
            // A terminal that somebody else has taken over is not answered.
            settle(broker, device, claim, Waits::Denied);
            said_no()
        }
    };
    broker.0.cookies.end(&mut response, key);
    response
}

fn question(
    broker: &Broker,
    session: &str,
    (purpose, connector, person): &(Purpose, String, Person),
    complaint: Option<&str>,
) -> Response {
    let settings = broker.settings();
    let provider = settings.connectors.by_id(connector).map_or("", |c| c.name.as_str());
    let leads_to = purpose.leads_to();
    let facts = match purpose {
        Purpose::Device { facts, .. } => facts.clone(),
        Purpose::Client(request) => {
            let place = match leads_to {
                Some(origin) => format!("A program on this computer ({origin})"),
                None => "A program that you copy a code to".to_owned(),
            };
            vec![("Program", request.client_id.clone()), ("Asked by", place)]
        }
    };
    let page = page::confirm(&Confirm {
        action: &broker.at("/confirm"),
        session,
        provider,
        login: person.login.as_deref(),
        addresses: &person.addresses,
        preselected: person.has_default.then_some(0),
        facts: &facts,
        is_device: matches!(purpose, Purpose::Device { .. }),
        leads_to,
        complaint,
    });
    let status =
        if complaint.is_some() { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
    broker.show(page.status(status))
}

/// What a sign-in holds once the provider has said who it is.
fn signed_in(
    broker: &Broker,
    headers: &HeaderMap,
    session: &str,
) -> Result<(Purpose, String, Person), NoSignIn> {
    let found = with_sign_in(broker, headers, session, |sign_in| match &sign_in.step {
        Step::SignedIn { connector, person } => {
            Some((sign_in.purpose.clone(), connector.clone(), person.clone()))
        }
        Step::Open => None,
    })?;
    found.ok_or(NoSignIn::Ended)
}

/// Gives a sign-in another session and another cookie: whatever was known of it before the
/// provider answered opens nothing now.
fn renew(broker: &Broker, key: Key) -> Option<(String, String)> {
    let cookie = unguessable()?;
    let mut grants = broker.grants();
    let (session, sign_in) = grants.sign_ins.rename(key, broker.now())?;
    sign_in.browser = Key::of(&cookie);
    Some((session, cookie))
}

/// The client's redirect URI with an answer, its `state` and the `iss` of RFC 9207.
fn location(broker: &Broker, request: &Request, answer: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(answer);
    if let Some(state) = &request.state {
        query.append_pair("state", state);
    }
    query.append_pair("iss", broker.issuer());
    format!("{}?{}", request.redirect_uri, query.finish())
}

fn confirm_url(broker: &Broker, session: &str) -> String {
    let query =
        form_urlencoded::Serializer::new(String::new()).append_pair("session", session).finish();
    broker.at(&format!("/confirm?{query}"))
}

fn ended(broker: &Broker) -> Response {
    NoSignIn::Ended.respond(broker)
}

//! `whoami`, `login` and `logout`: as whom a signature would be made, and who says so. The token
//! itself is never shown.

use fetch::http::Http;
use fetch::shown::shown;
use serde_json::json;

use crate::cli::login::WhoAmI;
use crate::error::Failure;
use crate::login::environment::Environment;
use crate::login::keyring::Place;
use crate::login::person::Person;
use crate::login::{self, Claimed, LoginError, Order, SignedIn, Source, now};
use crate::report::Told;
use crate::trust;

/// Looks for a token as `sign-blob` would, without asking a person for one.
///
/// # Errors
/// [`Failure::Login`], [`Failure::Trust`].
pub async fn who_am_i(mut flags: WhoAmI) -> Result<Told, Failure> {
    let environment = Environment::of_this_process();
    let person = Person::at_this_process(&environment);
    let http = Http::new();
    let Whose { client_id, issuer } = Whose::of(&flags, &http).await?;
    let flags = &mut flags.identity;
    let order = Order { flags, http: &http, person: &person, client_id: client_id.clone(), issuer };
    let SignedIn { token, source } = login::already(order).await?;
    Ok(told(SCHEMA, &token.claimed(), source, &client_id))
}

/// Has a person sign in, and keeps the token.
///
/// # Errors
/// [`Failure::Login`], [`Failure::Trust`], [`Failure::Keyring`].
pub async fn log_in(mut flags: WhoAmI) -> Result<Told, Failure> {
    let environment = Environment::of_this_process();
    let person = Person::at_this_process(&environment);
    let http = Http::new();
    let Whose { client_id, issuer } = Whose::of(&flags, &http).await?;
    let issuer = issuer.ok_or(LoginError::NoIssuer)?;
    // Whether there is a store is known before anybody signs in for nothing.
    let place = Place::of(&issuer, &client_id)?;
    place.probe()?;
    let way = person.way(flags.identity.fulcio_auth_flow).map_err(LoginError::NobodyToAsk)?;
    let order = Order {
        flags: &mut flags.identity,
        http: &http,
        person: &person,
        client_id: client_id.clone(),
        issuer: Some(issuer),
    };
    let SignedIn { token, source } = login::ask_expected(way, order).await?;
    place.keep(token.reveal())?;
    Ok(told(LOGIN_SCHEMA, &token.claimed(), source, &client_id))
}

/// Forgets the token that is kept.
///
/// # Errors
/// [`Failure::Login`], [`Failure::Trust`], [`Failure::Keyring`].
pub async fn log_out(flags: WhoAmI) -> Result<Told, Failure> {
    let Whose { client_id, issuer } = Whose::of(&flags, &Http::new()).await?;
    let issuer = issuer.ok_or(LoginError::NoIssuer)?;
    let was_there = Place::of(&issuer, &client_id)?.forget()?;
    let words = if was_there { "The token is forgotten.\n" } else { "There was no token.\n" };
    Ok(Told {
        result: String::new(),
        words: words.to_owned(),
        members: json!({ "schema": LOGOUT_SCHEMA, "issuer": issuer, "forgotten": was_there }),
    })
}

/// Whose tokens: by whom, and for which instance.
struct Whose {
    client_id: String,
    issuer: Option<String>,
}

impl Whose {
    async fn of(flags: &WhoAmI, http: &Http) -> Result<Self, Failure> {
        let trust = trust::chosen(flags.instance.as_deref(), http, now()).await?;
        Ok(Self {
            client_id: login::client_id(&flags.identity, trust.as_ref()),
            issuer: login::issuer(&flags.identity, trust.as_ref()),
        })
    }
}

fn told(schema: &str, claimed: &Claimed, source: Source, client_id: &str) -> Told {
    let Claimed { identity, issuer, expires } = claimed;
    Told {
        result: format!("{}\n", shown(identity)),
        words: format!(
            "  vouched by  {}\n  token from  {source}\n  for         {}\n  expires in  {} s\n",
            shown(issuer),
            shown(client_id),
            expires.saturating_sub(now())
        ),
        members: json!({
            "schema": schema,
            "identity": identity,
            "issuer": issuer,
            "source": source.code(),
            "audience": client_id,
            "expires": expires,
        }),
    }
}

/// The version of the JSON report. Members are added to it, never changed or taken away.
pub(crate) const SCHEMA: &str = "paraph.whoami.v1";
/// As [`SCHEMA`].
pub(crate) const LOGIN_SCHEMA: &str = "paraph.login.v1";
/// As [`SCHEMA`].
pub(crate) const LOGOUT_SCHEMA: &str = "paraph.logout.v1";

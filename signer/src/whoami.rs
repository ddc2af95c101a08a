//! `whoami`: as whom a signature would be made, and who says so. The token itself is never shown,
//! and nobody is asked to sign in for it.

use fetch::http::Http;
use fetch::shown::shown;
use serde_json::json;

use crate::cli::login::WhoAmI;
use crate::error::Failure;
use crate::login::environment::Environment;
use crate::login::{self, Claimed, Order, SignedIn, Source, now};
use crate::report::Told;

/// Looks for a token as `sign-blob` would, without asking a person for one.
///
/// # Errors
/// [`Failure::Login`].
pub async fn who_am_i(mut flags: WhoAmI) -> Result<Told, Failure> {
    let environment = Environment::of_this_process();
    let http = Http::new();
    let client_id = login::client_id(&flags.identity, None);
    let order = Order {
        flags: &mut flags.identity,
        http: &http,
        environment: &environment,
        client_id: client_id.clone(),
    };
    let SignedIn { token, source } = login::sign_in(order).await?;
    Ok(told(&token.claimed(), source, &client_id))
}

fn told(claimed: &Claimed, source: Source, client_id: &str) -> Told {
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
            "schema": SCHEMA,
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

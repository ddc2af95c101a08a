//! GitHub, as far as signing in goes: OAuth apps' web flow and the API behind it.
//!
//! From GitHub's documents "Authorizing OAuth apps" (parameters, redirect rules, codes of ten
//! minutes, the form of the answer by `Accept`), "Troubleshooting OAuth app access token request
//! errors" (HTTP 200 with `error`), "Troubleshooting authorization request errors", "Scopes for
//! OAuth apps" and, for the API, of the REST reference "Emails", "Organizations", "Team members",
//! "Getting started with the REST API" (`User-Agent` or 403) and "Using pagination". The API
//! answers at the root, as api.github.com does, and at `/api/v3`, as an Enterprise Server does.

mod api;
mod authorize;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::routing::{get, post};

use crate::accounts::GitHubAccount;
use crate::consent::{Consents, Granted};
use crate::random_hex;
use crate::registration::Registration;

/// A GitHub with these users and one registered OAuth app.
#[derive(Clone)]
pub struct GitHub(Arc<Inner>);

struct Inner {
    /// Where it is: `http://127.0.0.1:PORT`, for the links between pages of a list.
    url: String,
    app: Registration,
    accounts: Vec<GitHubAccount>,
    consents: Consents,
    tokens: Mutex<BTreeMap<String, Granted>>,
}

impl GitHub {
    /// A GitHub at this URL (no slash at its end). Of the registration's redirect URIs only the
    /// first counts: an OAuth app has one callback URL.
    #[must_use]
    pub fn new(url: &str, app: Registration, accounts: Vec<GitHubAccount>) -> Self {
        Self(Arc::new(Inner {
            url: url.to_owned(),
            app,
            accounts,
            consents: Consents::default(),
            tokens: Mutex::default(),
        }))
    }

    /// Its pages and endpoints.
    pub fn router(&self) -> Router {
        let api = Router::new()
            .route("/user", get(api::user))
            .route("/user/emails", get(api::emails))
            .route("/user/orgs", get(api::orgs))
            .route("/user/teams", get(api::teams))
            .route("/user/memberships/orgs/{org}", get(api::membership));
        Router::new()
            .route("/login/oauth/authorize", get(authorize::show).post(authorize::submit))
            .route("/login/oauth/access_token", post(authorize::access_token))
            .merge(api.clone())
            .nest("/api/v3", api)
            .with_state(self.clone())
    }

    fn callback(&self) -> &str {
        self.0.app.redirect_uris.first().map_or("", String::as_str)
    }

    fn token(&self, granted: Granted) -> String {
        let token = format!("gho_{}", random_hex(18));
        let mut tokens = self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.insert(token.clone(), granted);
        token
    }

    fn granted(&self, token: &str) -> Option<Granted> {
        self.0.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }
}

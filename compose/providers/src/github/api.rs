//! The part of the REST API that tells who somebody is.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::header::{AUTHORIZATION, LINK, USER_AGENT};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

use super::GitHub;
use crate::accounts::GitHubAccount;
use crate::consent::Granted;

type Fields = BTreeMap<String, String>;

/// `GET /user`. A public address is not among what is known here.
pub(super) async fn user(State(github): State<GitHub>, headers: HeaderMap) -> Response {
    match caller(&github, &headers) {
        Ok(caller) => Json(json!({
            "login": caller.account.login,
            "id": caller.account.id,
            "name": caller.account.name,
            "type": "User",
            "email": null,
        }))
        .into_response(),
        Err(refused) => refused,
    }
}

/// `GET /user/emails`: needs `user:email` or `user`, and is not there without.
pub(super) async fn emails(
    State(github): State<GitHub>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Response {
    let caller = match caller(&github, &headers) {
        Ok(caller) => caller,
        Err(refused) => return refused,
    };
    if !caller.may(&["user:email", "user"]) {
        return refusal(StatusCode::NOT_FOUND, "Not Found");
    }
    let account = caller.account;
    let filler = (0..account.unverified_first).map(|n| {
        let email = format!("{}+{n}@example.invalid", account.login);
        json!({ "email": email, "primary": false, "verified": false, "visibility": null })
    });
    let own = account.emails.iter().map(|email| {
        let visibility = email.primary.then_some("private");
        json!({
            "email": email.email,
            "primary": email.primary,
            "verified": email.verified,
            "visibility": visibility,
        })
    });
    page(&github, "/user/emails", &query, filler.chain(own).collect())
}

/// `GET /user/orgs`: needs `user` or `read:org`. Invitations that are open are not listed.
pub(super) async fn orgs(
    State(github): State<GitHub>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Response {
    let caller = match caller(&github, &headers) {
        Ok(caller) => caller,
        Err(refused) => return refused,
    };
    if !caller.may(&["user", "read:org"]) {
        return refusal(StatusCode::FORBIDDEN, NEEDS_READ_ORG);
    }
    let members = caller.account.orgs.iter().filter(|org| !org.pending);
    page(&github, "/user/orgs", &query, members.map(|org| json!({ "login": org.login })).collect())
}

/// `GET /user/teams`: needs `user`, `repo` or `read:org`.
pub(super) async fn teams(
    State(github): State<GitHub>,
    Query(query): Query<Fields>,
    headers: HeaderMap,
) -> Response {
    let caller = match caller(&github, &headers) {
        Ok(caller) => caller,
        Err(refused) => return refused,
    };
    if !caller.may(&["user", "repo", "read:org"]) {
        return refusal(StatusCode::FORBIDDEN, NEEDS_READ_ORG);
    }
    let members = caller.account.orgs.iter().filter(|org| !org.pending);
    let teams = members.flat_map(|org| {
        org.teams.iter().map(
            |slug| json!({ "name": slug, "slug": slug, "organization": { "login": org.login } }),
        )
    });
    page(&github, "/user/teams", &query, teams.collect())
}

/// `GET /user/memberships/orgs/{org}`: `state` is `active` or `pending`.
pub(super) async fn membership(
    State(github): State<GitHub>,
    Path(org): Path<String>,
    headers: HeaderMap,
) -> Response {
    let caller = match caller(&github, &headers) {
        Ok(caller) => caller,
        Err(refused) => return refused,
    };
    if !caller.may(&["read:org"]) {
        return refusal(StatusCode::FORBIDDEN, NEEDS_READ_ORG);
    }
    // Logins are compared without case.
    let found = caller.account.orgs.iter().find(|known| known.login.eq_ignore_ascii_case(&org));
    let Some(found) = found else {
        return refusal(StatusCode::NOT_FOUND, "Not Found");
    };
    Json(json!({
        "state": if found.pending { "pending" } else { "active" },
        "role": "member",
        "organization": { "login": found.login },
        "user": { "login": caller.account.login, "id": caller.account.id },
    }))
    .into_response()
}

struct Caller<'a> {
    granted: Granted,
    account: &'a GitHubAccount,
}

impl Caller<'_> {
    fn may(&self, any_of: &[&str]) -> bool {
        any_of.iter().any(|scope| self.granted.asked.may(scope))
    }
}

/// Whose token it is. Boxed into a response when it is nobody's.
#[allow(clippy::result_large_err)]
fn caller<'a>(github: &'a GitHub, headers: &HeaderMap) -> Result<Caller<'a>, Response> {
    if headers.get(USER_AGENT).is_none_or(axum::http::HeaderValue::is_empty) {
        return Err(refusal(
            StatusCode::FORBIDDEN,
            "Request forbidden by administrative rules. Please make sure your request has a \
             User-Agent header.",
        ));
    }
    let version = headers.get("x-github-api-version").and_then(|version| version.to_str().ok());
    if version.is_some_and(|version| !API_VERSIONS.contains(&version)) {
        return Err(refusal(StatusCode::BAD_REQUEST, "The API version is not supported."));
    }
    let given = headers.get(AUTHORIZATION).and_then(|given| given.to_str().ok());
    let Some(given) = given else {
        return Err(refusal(StatusCode::UNAUTHORIZED, "Requires authentication"));
    };
    let token = given.split_once(' ').filter(|(scheme, _)| {
        scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token")
    });
    let granted = token.and_then(|(_, token)| github.granted(token));
    let known = granted.and_then(|granted| {
        let account = github.0.accounts.get(granted.account)?;
        Some(Caller { granted, account })
    });
    known.ok_or_else(|| refusal(StatusCode::UNAUTHORIZED, "Bad credentials"))
}

/// One page of a list, with the links of "Using pagination in the REST API".
fn page(github: &GitHub, path: &str, query: &Fields, all: Vec<Value>) -> Response {
    let number = |name: &str| query.get(name).and_then(|value| value.parse::<usize>().ok());
    let size = number("per_page").unwrap_or(USUAL_PAGE).clamp(1, LARGEST_PAGE);
    let page = number("page").unwrap_or(1).max(1);
    let last = all.len().div_ceil(size).max(1);
    let link = |page: usize, relation: &str| {
        format!("<{}{path}?per_page={size}&page={page}>; rel=\"{relation}\"", github.0.url)
    };
    let mut links = Vec::new();
    if page > 1 {
        links.push(link(page - 1, "prev"));
    }
    if page < last {
        links.extend([link(page + 1, "next"), link(last, "last")]);
    }
    if page > 1 {
        links.push(link(1, "first"));
    }
    let rows: Vec<Value> = all.into_iter().skip((page - 1) * size).take(size).collect();
    let mut response = Json(rows).into_response();
    if let Ok(links) = links.join(", ").parse()
        && last > 1
    {
        response.headers_mut().insert(LINK, links);
    }
    response
}

fn refusal(status: StatusCode, message: &str) -> Response {
    let body = json!({ "message": message, "documentation_url": "https://docs.github.com/rest" });
    (status, Json(body)).into_response()
}

const NEEDS_READ_ORG: &str = "You need at least read:org scope to list these.";
const API_VERSIONS: [&str; 1] = ["2022-11-28"];
const USUAL_PAGE: usize = 30;
const LARGEST_PAGE: usize = 100;

//! Providers on sockets of their own, answering as their documents say, and wrongly where a test
//! tells them to.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use ca::oidc_dev::DevIssuer;
use openidconnect::url::form_urlencoded;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::world::{KEY, START, encoded};

/// A JSON body.
struct Json(Value);

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        ([("content-type", "application/json")], self.0.to_string()).into_response()
    }
}

/// One provider.
#[derive(Clone)]
pub struct StandIn(Arc<Inner>);

struct Inner {
    url: String,
    key: DevIssuer,
    told: Mutex<Told>,
}

/// What it does, and what it has seen.
pub struct Told {
    /// Laid over the ID token's claims; null takes one away.
    pub claims: Value,
    /// Sent as `iss` with the code (RFC 9207).
    pub iss: Option<String>,
    pub announces_iss: bool,
    /// Answers with this error instead of a code.
    pub denies: bool,
    /// The pages of `/user/emails`.
    pub emails: Vec<Value>,
    pub organizations: Value,
    pub teams: Value,
    /// Where the next page of addresses is said to be, if not here.
    pub next_page: Option<String>,
    pub token_answer: Option<Value>,
    pub asked: BTreeMap<String, String>,
    pub requests: Vec<String>,
    pub user: Value,
}

impl StandIn {
    pub async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let key = DevIssuer::new(&url, &KEY, Arc::new(|| START)).unwrap();
        let told = Told {
            claims: json!({}),
            iss: None,
            announces_iss: false,
            denies: false,
            emails: vec![json!([email("octo@example.com", true, true)])],
            organizations: json!([]),
            teams: json!([]),
            next_page: None,
            token_answer: None,
            asked: BTreeMap::new(),
            requests: Vec::new(),
            user: json!({ "id": 583_231, "login": "octocat" }),
        };
        let stand_in = Self(Arc::new(Inner { url, key, told: Mutex::new(told) }));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/jwks", get(jwks))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/login/oauth/authorize", get(authorize))
            .route("/login/oauth/access_token", post(access_token))
            .route("/api/v3/user", get(user))
            .route("/api/v3/user/emails", get(emails))
            .route("/api/v3/user/orgs", get(organizations))
            .route("/api/v3/user/teams", get(teams))
            .with_state(stand_in.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        stand_in
    }

    pub fn url(&self) -> &str {
        &self.0.url
    }

    pub fn tell(&self, change: impl FnOnce(&mut Told)) {
        change(&mut self.0.told.lock().unwrap());
    }

    /// What the last authorization request named.
    pub fn asked(&self, name: &str) -> Option<String> {
        self.0.told.lock().unwrap().asked.get(name).cloned()
    }

    pub fn requests(&self) -> Vec<String> {
        self.0.told.lock().unwrap().requests.clone()
    }

    /// A table for it as an OpenID provider.
    pub fn oidc(&self, id: &str) -> String {
        format!(
            "[[sign_in.connector]]\nid = \"{id}\"\ntype = \"oidc\"\nname = \"Corp {id}\"\n\
             client_id = \"upstream-client\"\nclient_secret_file = \"secret\"\nissuer = \"{}\"\n",
            self.url()
        )
    }

    pub fn github(&self, id: &str) -> String {
        format!(
            "[[sign_in.connector]]\nid = \"{id}\"\ntype = \"github\"\nclient_id = \"Iv1.1\"\n\
             client_secret_file = \"secret\"\nurl = \"{}\"\n",
            self.url()
        )
    }

    pub fn google(&self, id: &str) -> String {
        self.oidc(id).replace("\"oidc\"", "\"google\"")
    }
}

/// Rules that let everybody in, for the last table.
pub const ANYONE: &str = "[[sign_in.connector.allow]]\nanyone = true\n";

pub fn email(email: &str, primary: bool, verified: bool) -> Value {
    json!({ "email": email, "primary": primary, "verified": verified, "visibility": null })
}

async fn discovery(State(it): State<StandIn>) -> Json {
    let url = it.url();
    Json(json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "jwks_uri": format!("{url}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "authorization_response_iss_parameter_supported":
            it.0.told.lock().unwrap().announces_iss,
    }))
}

async fn jwks(State(it): State<StandIn>) -> Vec<u8> {
    it.0.key.jwks().to_vec()
}

/// Signs in whoever comes, and sends the browser back at once.
async fn authorize(State(it): State<StandIn>, RawQuery(query): RawQuery) -> Response {
    let asked: BTreeMap<String, String> =
        form_urlencoded::parse(query.unwrap().as_bytes()).into_owned().collect();
    let mut told = it.0.told.lock().unwrap();
    let state = asked["state"].clone();
    let mut answer = vec![("state", state.as_str())];
    if told.denies {
        answer.push(("error", "access_denied"));
    } else {
        answer.push(("code", "upstream-code"));
    }
    if let Some(iss) = &told.iss {
        answer.push(("iss", iss));
    }
    let location = format!("{}?{}", asked["redirect_uri"], encoded(&answer));
    told.asked = asked;
    (StatusCode::FOUND, [("location", location)]).into_response()
}

/// What is wrong with a redemption, if anything is: the code, the redirect and PKCE must fit.
fn fault_of(told: &Told, fields: &BTreeMap<String, String>) -> Option<&'static str> {
    let challenge = B64.encode(digest(&SHA256, fields["code_verifier"].as_bytes()));
    let fits = fields["code"] == "upstream-code"
        && fields["redirect_uri"] == told.asked["redirect_uri"]
        && challenge == told.asked["code_challenge"];
    (!fits).then_some("invalid_grant")
}

async fn token(State(it): State<StandIn>, headers: HeaderMap, body: String) -> Response {
    let fields: BTreeMap<String, String> =
        form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let told = it.0.told.lock().unwrap();
    // "upstream-client:hush"
    if headers.get("authorization").unwrap() != "Basic dXBzdHJlYW0tY2xpZW50Omh1c2g=" {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    if let Some(error) = fault_of(&told, &fields) {
        return (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    }
    let mut claims = json!({
        "iss": it.url(),
        "aud": "upstream-client",
        "sub": "10769150350006150715113082367",
        "iat": START,
        "exp": START + 3600,
        "nonce": told.asked["nonce"],
        "email": "alice@corp.example",
        "email_verified": true,
        "name": "Alice",
    });
    for (name, value) in told.claims.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    let token = it.0.key.mint(&claims).unwrap();
    Json(json!({ "access_token": "a", "token_type": "Bearer", "id_token": token })).into_response()
}

async fn access_token(State(it): State<StandIn>, headers: HeaderMap, body: String) -> Response {
    let fields: BTreeMap<String, String> =
        form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let told = it.0.told.lock().unwrap();
    if headers["accept"] != "application/json" {
        return "access_token=gho_1&scope=user%3Aemail&token_type=bearer".into_response();
    }
    if fields["client_secret"] != "hush" || fields["client_id"] != "Iv1.1" {
        return Json(json!({ "error": "incorrect_client_credentials" })).into_response();
    }
    if fault_of(&told, &fields).is_some() {
        return Json(json!({ "error": "bad_verification_code" })).into_response();
    }
    let answer = told.token_answer.clone();
    Json(answer.unwrap_or(json!({ "access_token": "gho_1", "token_type": "bearer" })))
        .into_response()
}

/// The API wants a token, a user agent and a version.
fn api(it: &StandIn, what: &str, headers: &HeaderMap, answer: Value) -> Response {
    it.0.told.lock().unwrap().requests.push(what.to_owned());
    let is = |name: &str, value: &str| headers.get(name).is_some_and(|given| given == value);
    if !is("authorization", "Bearer gho_1") {
        return (StatusCode::UNAUTHORIZED, Json(json!({ "message": "Bad credentials" })))
            .into_response();
    }
    if !headers.contains_key("user-agent")
        || !is("x-github-api-version", "2022-11-28")
        || !is("accept", "application/vnd.github+json")
    {
        return StatusCode::FORBIDDEN.into_response();
    }
    Json(answer).into_response()
}

async fn user(State(it): State<StandIn>, headers: HeaderMap) -> Response {
    let user = it.0.told.lock().unwrap().user.clone();
    api(&it, "user", &headers, user)
}

async fn emails(
    State(it): State<StandIn>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let query = query.unwrap();
    assert!(query.starts_with("per_page=100"), "{query}");
    let page: usize = query.split_once("&page=").map_or(1, |(_, page)| page.parse().unwrap());
    let (answer, pages, elsewhere) = {
        let told = it.0.told.lock().unwrap();
        (told.emails[page - 1].clone(), told.emails.len(), told.next_page.clone())
    };
    let mut response = api(&it, &format!("emails {page}"), &headers, answer);
    if page < pages || elsewhere.is_some() {
        let here = format!("{}/api/v3/user/emails?per_page=100&page={}", it.url(), page + 1);
        let link = format!("<{}>; rel=\"next\"", elsewhere.unwrap_or(here));
        response.headers_mut().insert("link", link.parse().unwrap());
    }
    response
}

async fn organizations(State(it): State<StandIn>, headers: HeaderMap) -> Response {
    let organizations = it.0.told.lock().unwrap().organizations.clone();
    api(&it, "orgs", &headers, organizations)
}

async fn teams(State(it): State<StandIn>, headers: HeaderMap) -> Response {
    let teams = it.0.told.lock().unwrap().teams.clone();
    api(&it, "teams", &headers, teams)
}

//! What the stand-ins answer, and what they refuse: each refusal differs from the request that is
//! granted in one thing.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use axum::Router;
use axum::body::Body;
use axum::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, LINK, LOCATION, USER_AGENT};
use axum::http::{HeaderMap, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::BodyExt as _;
use openidconnect::url::{Url, form_urlencoded};
use providers::accounts::Accounts;
use providers::github::GitHub;
use providers::google::Google;
use providers::registration::Registration;
use serde_json::Value;
use tower::ServiceExt as _;

/// RFC 7636 appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const BACK: &str = "http://127.0.0.1:9/oidc/callback";

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.body))
    }

    fn sent_back(&self) -> Vec<(String, String)> {
        let location = self.headers[LOCATION].to_str().unwrap();
        assert!(location.starts_with(BACK), "{location}");
        Url::parse(location).unwrap().query_pairs().into_owned().collect()
    }

    fn parameter(&self, name: &str) -> String {
        let all = self.sent_back();
        all.into_iter().find(|(found, _)| found == name).expect("the parameter is there").1
    }
}

async fn call(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answer { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
}

fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

async fn get(router: &Router, path: &str, fields: &[(&str, &str)]) -> Answer {
    let uri = format!("{path}?{}", form(fields));
    call(router, Request::get(uri).body(Body::empty()).unwrap()).await
}

async fn post(router: &Router, path: &str, fields: &[(&str, &str)]) -> Answer {
    let request = Request::post(path)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json");
    call(router, request.body(Body::from(form(fields))).unwrap()).await
}

async fn api(router: &Router, path: &str, token: &str, agent: &str) -> Answer {
    let request = Request::get(path)
        .header(AUTHORIZATION, format!("Bearer {token}"))
        .header(USER_AGENT, agent);
    call(router, request.body(Body::empty()).unwrap()).await
}

fn registration() -> Registration {
    Registration {
        client_id: "paraph".to_owned(),
        client_secret: "secret".to_owned(),
        redirect_uris: vec![BACK.to_owned()],
    }
}

fn session(page: &Answer) -> String {
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let (_, after) = page.body.split_once("name=\"session\" value=\"").unwrap();
    after.split('"').next().unwrap().to_owned()
}

/// Replaces one field, or takes it away.
fn but<'a>(
    fields: &[(&'a str, &'a str)],
    name: &str,
    value: Option<&'a str>,
) -> Vec<(&'a str, &'a str)> {
    let all = fields.iter();
    all.filter_map(
        |(n, v)| if *n == name { value.map(|value| (*n, value)) } else { Some((*n, *v)) },
    )
    .collect()
}

mod github {
    use super::*;

    const AUTHORIZE: &str = "/login/oauth/authorize";
    const TOKEN: &str = "/login/oauth/access_token";
    const ASKED: [(&str, &str); 6] = [
        ("client_id", "paraph"),
        ("redirect_uri", BACK),
        ("scope", "user:email"),
        ("state", "s"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];

    fn router() -> Router {
        GitHub::new("http://127.0.0.1:7", registration(), Accounts::built_in().github).router()
    }

    async fn code(router: &Router, account: &str) -> String {
        let session = session(&get(router, AUTHORIZE, &ASKED).await);
        let fields = [("session", session.as_str()), ("account", account)];
        let back = post(router, AUTHORIZE, &fields).await;
        assert_eq!(back.parameter("state"), "s");
        back.parameter("code")
    }

    fn redeem(code: &str) -> [(&str, &str); 5] {
        [
            ("client_id", "paraph"),
            ("client_secret", "secret"),
            ("code", code),
            ("redirect_uri", BACK),
            ("code_verifier", VERIFIER),
        ]
    }

    async fn token(router: &Router, account: &str) -> String {
        let code = code(router, account).await;
        let answer = post(router, TOKEN, &redeem(&code)).await.json();
        assert_eq!(answer["token_type"], "bearer", "{answer}");
        assert_eq!(answer["scope"], "user:email");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    #[tokio::test]
    async fn a_person_signs_in() {
        let router = router();
        let token = token(&router, "0").await;
        let user = api(&router, "/user", &token, "t").await.json();
        assert_eq!((&user["login"], &user["id"]), (&"alice".into(), &1001.into()));
        let emails = api(&router, "/api/v3/user/emails", &token, "t").await.json();
        assert_eq!(emails[1]["email"], "alice@example.com");
        assert_eq!(emails[1]["primary"], true);
    }

    #[tokio::test]
    async fn the_list_of_addresses_has_pages() {
        let router = router();
        let token = token(&router, "3").await;
        let first = api(&router, "/user/emails?per_page=100", &token, "t").await;
        assert_eq!(first.json().as_array().unwrap().len(), 100);
        let link = first.headers[LINK].to_str().unwrap();
        let next = "<http://127.0.0.1:7/user/emails?per_page=100&page=2>; rel=\"next\"";
        assert!(link.starts_with(next), "{link}");
        let second = api(&router, "/user/emails?per_page=100&page=2", &token, "t").await;
        assert_eq!(second.json()[0]["email"], "oscar@example.com");
        assert!(!second.headers[LINK].to_str().unwrap().contains("next"));
    }

    #[tokio::test]
    async fn requests_out_of_order_are_not_sent_back() {
        let router = router();
        for (name, value, status) in [
            ("client_id", Some("other"), StatusCode::NOT_FOUND),
            ("code_challenge_method", Some("plain"), StatusCode::BAD_REQUEST),
            ("code_challenge_method", None, StatusCode::BAD_REQUEST),
            ("code_challenge", None, StatusCode::BAD_REQUEST),
        ] {
            let answer = get(&router, AUTHORIZE, &but(&ASKED, name, value)).await;
            assert_eq!(answer.status, status, "{name}");
        }
        let elsewhere = but(&ASKED, "redirect_uri", Some("http://127.0.0.1:9/other"));
        let answer = get(&router, AUTHORIZE, &elsewhere).await;
        assert_eq!(answer.parameter("error"), "redirect_uri_mismatch");
    }

    #[tokio::test]
    async fn a_person_may_refuse() {
        let router = router();
        let session = session(&get(&router, AUTHORIZE, &ASKED).await);
        let fields = [("session", session.as_str()), ("cancel", "1")];
        let back = post(&router, AUTHORIZE, &fields).await;
        assert_eq!(back.parameter("error"), "access_denied");
    }

    #[tokio::test]
    async fn codes_are_good_once_and_for_whom_they_were_made() {
        let router = router();
        for (name, value, error) in [
            ("client_secret", Some("wrong"), "incorrect_client_credentials"),
            ("client_id", Some("other"), "incorrect_client_credentials"),
            ("redirect_uri", Some("http://127.0.0.1:9/other"), "redirect_uri_mismatch"),
            ("code_verifier", Some(CHALLENGE), "bad_verification_code"),
            ("code_verifier", None, "bad_verification_code"),
            ("code", Some("0"), "bad_verification_code"),
        ] {
            let code = code(&router, "0").await;
            let answer = post(&router, TOKEN, &but(&redeem(&code), name, value)).await;
            assert_eq!(answer.status, StatusCode::OK, "errors come with 200");
            assert_eq!(answer.json()["error"], error, "{name}");
        }
        let code = code(&router, "0").await;
        assert!(post(&router, TOKEN, &redeem(&code)).await.json()["access_token"].is_string());
        let again = post(&router, TOKEN, &redeem(&code)).await.json();
        assert_eq!(again["error"], "bad_verification_code");
    }

    #[tokio::test]
    async fn the_api_wants_a_token_an_agent_and_the_scope() {
        let router = router();
        let token = token(&router, "0").await;
        let status = |path: &'static str, token: &str, agent: &'static str| {
            let (router, token) = (router.clone(), token.to_owned());
            async move { api(&router, path, &token, agent).await.status }
        };
        assert_eq!(status("/user/emails", &token, "t").await, StatusCode::OK);
        assert_eq!(status("/user/emails", &token, "").await, StatusCode::FORBIDDEN);
        assert_eq!(status("/user/emails", "gho_0", "t").await, StatusCode::UNAUTHORIZED);
        assert_eq!(status("/user/orgs", &token, "t").await, StatusCode::FORBIDDEN);
    }
}

mod google {
    use super::*;

    const AUTHORIZE: &str = "/o/oauth2/v2/auth";
    const ASKED: [(&str, &str); 8] = [
        ("client_id", "paraph"),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid email"),
        ("state", "s"),
        ("nonce", "n"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];

    fn router() -> Router {
        let accounts = Accounts::built_in().google;
        Google::new("http://127.0.0.1:7", "https://issuer.example", registration(), accounts)
            .router()
    }

    async fn code(router: &Router, account: &str) -> String {
        let session = session(&get(router, AUTHORIZE, &ASKED).await);
        let fields = [("session", session.as_str()), ("account", account)];
        post(router, AUTHORIZE, &fields).await.parameter("code")
    }

    fn redeem(code: &str) -> [(&str, &str); 6] {
        [
            ("grant_type", "authorization_code"),
            ("client_id", "paraph"),
            ("client_secret", "secret"),
            ("code", code),
            ("redirect_uri", BACK),
            ("code_verifier", VERIFIER),
        ]
    }

    async fn claims(router: &Router, account: &str) -> Value {
        let code = code(router, account).await;
        let answer = post(router, "/token", &redeem(&code)).await.json();
        let token = answer["id_token"].as_str().unwrap_or_else(|| panic!("{answer}"));
        let claims = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_person_signs_in() {
        let router = router();
        let member = claims(&router, "0").await;
        assert_eq!(member["iss"], "https://issuer.example");
        assert_eq!(member["aud"], "paraph");
        assert_eq!(member["email"], "alice@example.com");
        assert_eq!(member["email_verified"], true);
        assert_eq!(member["hd"], "example.com");
        assert_eq!(member["nonce"], "n");
        let outsider = claims(&router, "3").await;
        assert_eq!(outsider["email"], "oscar@example.com");
        assert!(outsider.get("hd").is_none());
    }

    #[tokio::test]
    async fn requests_out_of_order_are_not_sent_back() {
        let router = router();
        for (name, value, status) in [
            ("client_id", Some("other"), StatusCode::UNAUTHORIZED),
            ("redirect_uri", Some("http://127.0.0.1:9/oidc/callback/"), StatusCode::BAD_REQUEST),
            ("redirect_uri", Some("http://localhost:9/oidc/callback"), StatusCode::BAD_REQUEST),
            ("response_type", Some("token"), StatusCode::BAD_REQUEST),
            ("scope", None, StatusCode::BAD_REQUEST),
            ("code_challenge", Some("short"), StatusCode::BAD_REQUEST),
        ] {
            let answer = get(&router, AUTHORIZE, &but(&ASKED, name, value)).await;
            assert_eq!(answer.status, status, "{name} {value:?}");
        }
    }

    #[tokio::test]
    async fn codes_are_good_once_and_for_whom_they_were_made() {
        let router = router();
        for (name, value, status, error) in [
            ("client_id", Some("other"), StatusCode::UNAUTHORIZED, "invalid_client"),
            ("client_secret", Some("wrong"), StatusCode::UNAUTHORIZED, "invalid_client"),
            ("grant_type", Some("password"), StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            ("code", Some("0"), StatusCode::BAD_REQUEST, "invalid_grant"),
            ("redirect_uri", None, StatusCode::BAD_REQUEST, "redirect_uri_mismatch"),
            ("code_verifier", Some(CHALLENGE), StatusCode::BAD_REQUEST, "invalid_grant"),
            ("code_verifier", None, StatusCode::BAD_REQUEST, "invalid_grant"),
        ] {
            let code = code(&router, "0").await;
            let answer = post(&router, "/token", &but(&redeem(&code), name, value)).await;
            assert_eq!(answer.status, status, "{name}");
            assert_eq!(answer.json()["error"], error, "{name}");
        }
        let code = code(&router, "0").await;
        assert_eq!(post(&router, "/token", &redeem(&code)).await.status, StatusCode::OK);
        let again = post(&router, "/token", &redeem(&code)).await;
        assert_eq!(again.json()["error"], "invalid_grant");
    }
}

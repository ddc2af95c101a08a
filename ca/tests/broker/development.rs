//! The development connector as clients meet it: over a socket, through the whole sign-in.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as B64};
use ca::oidc_dev::{DevIssuer, DevIssuerError};
use formats::certificate::SubjectName;
use openidconnect::core::CoreProviderMetadata;
use reqwest::Response;
use serde_json::{Value, json};

use crate::world::*;

impl Browser {
    /// Answers the development form.
    async fn submit(&self, session: &str, email: &str) -> Response {
        self.post("/auth", &[("session", session), ("email", email)]).await
    }

    /// Signs in and gives the code.
    async fn code(&self) -> String {
        let session = self.open(&request()).await;
        let sent_back = self.submit(&session, "alice@example.com").await;
        assert_eq!(sent_back.status(), 303);
        let location = location(&sent_back);
        assert_eq!(location.as_str().split_once('?').unwrap().0, REDIRECT);
        query(&location, "code").unwrap()
    }
}

#[test]
fn the_challenge_of_the_rfc() {
    assert_eq!(B64.encode(digest(&SHA256, VERIFIER.as_bytes())), CHALLENGE);
}

#[tokio::test]
async fn discovery_is_what_clients_ask_for() {
    let world = World::development().await;
    let browser = world.browser();
    let response = browser.get("/.well-known/openid-configuration").await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let document = response.bytes().await.unwrap();
    // As a client of the openidconnect crate reads it.
    let metadata: CoreProviderMetadata = serde_json::from_slice(&document).unwrap();
    assert_eq!(metadata.issuer().as_str(), world.broker.issuer());
    assert_eq!(
        metadata.authorization_endpoint().as_str(),
        format!("{}/auth", world.broker.issuer())
    );
    assert_eq!(
        metadata.token_endpoint().unwrap().as_str(),
        format!("{}/token", world.broker.issuer())
    );
    assert_eq!(metadata.jwks_uri().as_str(), format!("{}/jwks", world.broker.issuer()));
    let document: Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["RS256"]));
    assert_eq!(document["response_types_supported"], json!(["code"]));
    assert_eq!(document["subject_types_supported"], json!(["public"]));
    let jwks = browser.get("/jwks").await;
    assert_eq!(jwks.bytes().await.unwrap(), world.broker.jwks().unwrap());
}

#[tokio::test]
async fn a_sign_in_ends_with_a_token() {
    let world = World::development().await;
    let browser = world.browser();
    let session = browser.open(&request()).await;
    let fields = [("session", session.as_str()), ("email", " alice@example.com ")];
    let sent_back = browser.post("/auth", &fields).await;
    let back = location(&sent_back);
    assert_eq!(query(&back, "state").as_deref(), Some("st&te="));
    assert_eq!(query(&back, "iss").as_deref(), Some(world.broker.issuer()));
    let code = query(&back, "code").unwrap();

    let response = browser.post("/token", &redemption(&code)).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    let (status, answer) = read(response).await;
    assert_eq!((status, &answer["token_type"]), (200, &json!("Bearer")));
    assert_eq!(answer["id_token"], answer["access_token"]);
    let token = answer["id_token"].as_str().unwrap();
    let claims = claims_of(token);
    assert_eq!(claims["nonce"], "n-0S6_WzA2Mj");
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);

    let identity = world.verify(token).await;
    assert_eq!(*identity.subject(), SubjectName::Email("alice@example.com".to_owned()));
    assert_eq!(identity.issuer(), world.broker.issuer());
}

#[tokio::test]
async fn code_bound_to_everything() {
    let world = World::development().await;
    let browser = world.browser();
    let cases: [(&str, Option<&str>); 6] = [
        ("client_id", Some("another")),
        ("redirect_uri", Some("http://localhost:40123/auth/callback/")),
        ("redirect_uri", Some("http://127.0.0.1:40123/auth/callback")),
        ("redirect_uri", None),
        ("code_verifier", Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl")),
        ("code_verifier", None),
    ];
    for (name, value) in cases {
        let code = browser.code().await;
        let mut fields = redemption(&code);
        fields.retain(|(field, _)| *field != name);
        fields.extend(value.map(|value| (name, value)));
        let (status, answer) = browser.redeem(&fields).await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid_grant")), "{name}");
        // The code is burned: the right redemption comes too late.
        let (status, answer) = browser.redeem(&redemption(&code)).await;
        assert_eq!((status, &answer["error"]), (400, &json!("invalid_grant")), "{name}");
    }
    let code = browser.code().await;
    assert_eq!(browser.redeem(&redemption(&code)).await.0, 200);
    assert_eq!(browser.redeem(&redemption(&code)).await.0, 400);
    let code = browser.code().await;
    world.pass(300);
    assert_eq!(browser.redeem(&redemption(&code)).await.0, 400);
    assert_eq!(browser.redeem(&redemption("guess")).await.0, 400);
}

#[tokio::test]
async fn pkce_downgrade_refused() {
    let world = World::development().await;
    let browser = world.browser();
    for (name, value) in [
        ("code_challenge", None),
        ("code_challenge", Some("short")),
        ("code_challenge", Some("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw+cM")),
        ("code_challenge_method", None),
        ("code_challenge_method", Some("plain")),
        ("code_challenge_method", Some("s256")),
    ] {
        let page = browser.authorize(&request_with(name, value)).await;
        assert_eq!(page.status(), 400, "{name} {value:?}");
        assert!(page.headers().get("location").is_none());
        assert!(!page.text().await.unwrap().contains("name=\"session\""));
    }
}

// RFC 7636 4.1: a verifier that fits its challenge and is no verifier.
#[tokio::test]
async fn verifiers_have_their_form() {
    let world = World::development().await;
    let browser = world.browser();
    let long = "a".repeat(129);
    let spaced = format!("{} ", &VERIFIER[..42]);
    for (verifier, status) in
        [(VERIFIER, 200), (&long[..128], 200), (&VERIFIER[..42], 400), (&long, 400), (&spaced, 400)]
    {
        let challenge = B64.encode(digest(&SHA256, verifier.as_bytes()));
        let mut fields = request_with("code_challenge", None);
        fields.push(("code_challenge", &challenge));
        let session = browser.open(&fields).await;
        let page = [("session", session.as_str()), ("email", "alice@example.com")];
        let code = query(&location(&browser.post("/auth", &page).await), "code").unwrap();
        let mut fields = redemption(&code);
        fields.retain(|(name, _)| *name != "code_verifier");
        fields.push(("code_verifier", verifier));
        assert_eq!(browser.redeem(&fields).await.0, status, "{verifier}");
    }
}

#[tokio::test]
async fn bad_requests_get_a_page_and_no_redirect() {
    let world = World::development().await;
    let browser = world.browser();
    for (name, value) in [
        ("redirect_uri", None),
        ("redirect_uri", Some("http://127.0.0.1:80@evil/cb")),
        ("redirect_uri", Some("http://localhost.evil/cb")),
        ("redirect_uri", Some("http://0x7f.1/cb")),
        ("redirect_uri", Some("http://localhost/cb#f")),
        ("redirect_uri", Some("http%3A%2F%2Flocalhost%2Fcb")),
        ("redirect_uri", Some("https://evil.example/cb")),
        ("client_id", None),
        ("client_id", Some("sig store")),
        ("response_type", Some("token")),
        ("response_type", Some("code id_token")),
        ("scope", Some("email")),
        ("scope", None),
    ] {
        let page = browser.authorize(&request_with(name, value)).await;
        assert_eq!(page.status(), 400, "{name} {value:?}");
        assert!(page.headers().get("location").is_none());
    }
    let mut twice = request();
    twice.push(("client_id", "sigstore"));
    assert_eq!(browser.authorize(&twice).await.status(), 400);
    assert_eq!(browser.get("/auth").await.status(), 400);
    // State and nonce are optional.
    let session = browser.open(&request_with("state", None)).await;
    let fields = [("session", session.as_str()), ("email", "a@b.example")];
    assert_eq!(query(&location(&browser.post("/auth", &fields).await), "state"), None);
}

#[tokio::test]
async fn the_page_is_plain_and_guarded() {
    let world = World::development().await;
    let browser = world.browser();
    let page = browser.authorize(&request()).await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.contains("form-action 'self' http://localhost:40123;"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
    assert_eq!(page.headers()["cache-control"], "no-store");
    assert_eq!(page.headers()["referrer-policy"], "no-referrer");
    let text = page.text().await.unwrap();
    assert!(!text.contains("<script"), "{text}");
    assert!(text.contains("Test &amp; Co"), "{text}");
    for needed in ["<html lang=\"en\">", "<label for=\"email\">", "<h1>", "<main>", "<title>"] {
        assert!(text.contains(needed), "{needed}");
    }
    // The policy's hash is that of the style on the page.
    let style = text.split_once("<style>").unwrap().1.split_once("</style>").unwrap().0;
    let hash = STANDARD.encode(digest(&SHA256, style.as_bytes()));
    assert!(policy.contains(&format!("'sha256-{hash}'")));
    assert!(text.contains("action=\"/oidc/auth\""), "{text}");
}

#[tokio::test]
async fn a_bad_address_is_asked_again() {
    let world = World::development().await;
    let browser = world.browser();
    let session = browser.open(&request()).await;
    for email in ["", "nobody", "a@@b.c", "<script>@b.c"] {
        let again = browser.post("/auth", &[("session", &session), ("email", email)]).await;
        assert_eq!(again.status(), 422, "{email}");
        let text = again.text().await.unwrap();
        assert!(text.contains("role=\"alert\"") && !text.contains("<script"), "{text}");
        assert_eq!(session_in(&text), session);
    }
    let fields = [("session", session.as_str()), ("email", "a@b.example")];
    assert_eq!(browser.post("/auth", &fields).await.status(), 303);
    assert_eq!(browser.post("/auth", &fields).await.status(), 400, "the session is spent");
    let other = [("session", "guess"), ("email", "a@b.example")];
    assert_eq!(browser.post("/auth", &other).await.status(), 400);
}

#[tokio::test]
async fn clients_are_public() {
    let world = World::development().await;
    let browser = world.browser();
    // As sigstore-python and Go's oauth2 send it: the client in the header, the secret empty.
    let code = browser.code().await;
    let mut fields = redemption(&code);
    fields.retain(|(name, _)| *name != "client_id");
    let response = browser.post_with("/token", &fields, Some("sigstore:")).await;
    assert_eq!(response.status(), 200);
    let code = browser.code().await;
    let response = browser.post_with("/token", &redemption(&code), Some("sigstore:")).await;
    assert_eq!(response.status(), 200);

    for basic in ["sigstore:secret", "another:", ":", "sigstore"] {
        let code = browser.code().await;
        let response = browser.post_with("/token", &redemption(&code), Some(basic)).await;
        assert_eq!(response.status(), 401, "{basic}");
        assert_eq!(response.headers()["www-authenticate"], "Basic");
        let (_, answer) = read(response).await;
        assert_eq!(answer["error"], "invalid_client");
    }
    let code = browser.code().await;
    let mut fields = redemption(&code);
    fields.push(("client_secret", "secret"));
    assert_eq!(browser.redeem(&fields).await.0, 401);
    fields.pop();
    fields.push(("client_secret", ""));
    assert_eq!(browser.redeem(&fields).await.0, 200);
}

#[tokio::test]
async fn the_token_endpoint_is_strict() {
    let world = World::development().await;
    let browser = world.browser();
    for (grant, error) in [
        (Some("refresh_token"), "unsupported_grant_type"),
        (Some("urn:ietf:params:oauth:grant-type:device_code"), "invalid_request"),
        (None, "invalid_request"),
    ] {
        let mut fields = redemption("code");
        fields.retain(|(name, _)| *name != "grant_type");
        fields.extend(grant.map(|grant| ("grant_type", grant)));
        let (status, answer) = browser.redeem(&fields).await;
        assert_eq!((status, &answer["error"]), (400, &json!(error)));
    }
    let mut twice = redemption("code");
    twice.push(("code", "other"));
    assert_eq!(browser.redeem(&twice).await.1["error"], "invalid_request");
    assert_eq!(browser.post_json("/token").await.status(), 415);
    let large = "x".repeat(20_000);
    assert_eq!(browser.post("/token", &[("code", &large)]).await.status(), 413);
    let wrong_method = browser.get("/token").await;
    assert_eq!(wrong_method.status(), 405);
    assert_eq!(wrong_method.headers()["allow"], "POST");
}

#[tokio::test]
async fn dev_tokens_are_bare() {
    let world = World::development().await;
    let browser = world.browser();
    let response = browser.get("/dev/token?email=alice%2Bx@example.com").await;
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    let token = response.text().await.unwrap();
    let identity = world.verify(&token).await;
    assert_eq!(*identity.subject(), SubjectName::Email("alice+x@example.com".to_owned()));
    assert_eq!(claims_of(&token)["aud"], "sigstore");
    let again = browser.get("/dev/token?email=alice%2Bx@example.com&aud=other").await;
    let again = claims_of(&again.text().await.unwrap());
    assert_eq!(again["aud"], "other");
    assert_eq!(again["sub"], claims_of(&token)["sub"], "one address, one subject");
    let bob =
        claims_of(&world.issuer.as_ref().unwrap().token("bob@example.com", "sigstore").unwrap());
    assert_ne!(bob["sub"], again["sub"]);
    for query in [
        "",
        "?email=",
        "?email=nobody",
        "?email=a@b.example&email=c@d.example",
        "?email=a@b.example&aud=",
    ] {
        assert_eq!(browser.get(&format!("/dev/token{query}")).await.status(), 400, "{query}");
    }
}

#[tokio::test]
async fn a_rebound_host_name_gets_nothing() {
    let world = World::development().await;
    let browser = world.browser();
    for (host, status) in
        [("localhost:1", 200), ("127.0.0.1", 200), ("evil.example", 421), ("localhost.evil:1", 421)]
    {
        let response = browser.get_as("/dev/token?email=a@b.example", host).await;
        assert_eq!(response.status(), status, "{host}");
    }
}

#[test]
fn only_on_loopback_and_only_with_an_rsa_key() {
    let make = |url: &str, key: &str| {
        DevIssuer::new(url, key, Arc::new(|| START))
            .err()
            .map_or("ok".to_owned(), |e| e.to_string())
    };
    for url in ["http://localhost:8700/oidc", "http://127.0.0.1:1", "http://[::1]:1/a/b"] {
        assert_eq!(make(url, &KEY), "ok", "{url}");
    }
    for url in ["https://localhost/oidc", "http://10.0.0.1/oidc", "http://localhost.evil/", "x"] {
        assert_eq!(make(url, &KEY), DevIssuerError::NotLoopback.to_string(), "{url}");
    }
    for key in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"] {
        assert_eq!(make("http://localhost:1", key), DevIssuerError::Key.to_string());
    }
    let label = KEY.replace("PRIVATE KEY", "RSA PRIVATE KEY");
    assert_eq!(make("http://localhost:1", &label), DevIssuerError::Key.to_string());
}

#[test]
fn what_no_token_can_carry() {
    let issuer = DevIssuer::new("http://localhost:1", &KEY, Arc::new(|| START)).unwrap();
    assert!(matches!(issuer.token("nobody", "sigstore"), Err(DevIssuerError::Email(_))));
    for audience in ["", "a b", "\u{e9}", &"a".repeat(257)] {
        assert_eq!(issuer.token("a@b.example", audience), Err(DevIssuerError::Audience));
    }
}

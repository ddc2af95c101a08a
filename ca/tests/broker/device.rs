//! A terminal without a browser, as cosign and `signer` are one.

use serde_json::{Value, json};

use crate::stand_in::StandIn;
use crate::world::*;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// As `signer` asks: by its name.
async fn begin(terminal: &Browser) -> (String, String) {
    let fields = [("client_id", "sigstore"), ("scope", "openid email")];
    let (status, answer) = read(terminal.post("/device_authorization", &fields).await).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!((&answer["expires_in"], &answer["interval"]), (&json!(600), &json!(5)));
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    assert!(text("verification_uri").ends_with("/oidc/device"));
    assert!(answer.get("verification_uri_complete").is_none(), "no link carries the code");
    (text("device_code"), text("user_code"))
}

async fn poll(terminal: &Browser, device_code: &str, client_id: &str) -> (u16, Value) {
    let fields = [("grant_type", GRANT), ("device_code", device_code), ("client_id", client_id)];
    terminal.redeem(&fields).await
}

async fn error(terminal: &Browser, device_code: &str) -> Value {
    let (status, answer) = poll(terminal, device_code, "sigstore").await;
    assert_eq!(status, 400, "{answer}");
    answer["error"].clone()
}

/// Types a code, and gives what is shown then.
async fn type_code(browser: &Browser, user_code: &str) -> reqwest::Response {
    let page = browser.get("/device").await;
    assert_eq!(page.status(), 200);
    let session = session_in(&page.text().await.unwrap());
    browser.post("/device", &[("session", &session), ("user_code", user_code)]).await
}

/// From the page after the code to the question.
async fn to_the_question(world: &World, browser: &Browser, page: reqwest::Response) -> String {
    assert_eq!(page.status(), 200);
    let text = page.text().await.unwrap();
    let link = text.split("class=\"button\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let link = format!("{}{}", world.base, link.replace("&amp;", "&"));
    browser.follow(browser.get(&link).await).await.text().await.unwrap()
}

async fn answer(browser: &Browser, question: &str, answer: &str) -> reqwest::Response {
    let session = session_in(question);
    let fields =
        [("session", session.as_str()), ("answer", answer), ("email", "alice@corp.example")];
    browser.post("/confirm", &fields).await
}

#[tokio::test]
async fn a_terminal_signs_in() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let (terminal, browser) = (world.browser(), world.browser());
    let (device_code, user_code) = begin(&terminal).await;
    assert_eq!(error(&terminal, &device_code).await, "authorization_pending");
    assert_eq!(error(&terminal, &device_code).await, "slow_down");
    world.pass(5);
    assert_eq!(error(&terminal, &device_code).await, "slow_down", "ten seconds from now on");
    world.pass(15);
    assert_eq!(error(&terminal, &device_code).await, "authorization_pending");

    // Typed as people type it.
    let typed = format!(" {} ", user_code.to_lowercase().replace('-', " "));
    let page = type_code(&browser, &typed).await;
    let question = to_the_question(&world, &browser, page).await;
    world.pass(15);
    assert_eq!(error(&terminal, &device_code).await, "authorization_pending");
    let done = answer(&browser, &question, "continue").await;
    assert_eq!(done.status(), 200);
    assert!(done.text().await.unwrap().contains("alice@corp.example"));
    world.pass(15);
    let (status, token) = poll(&terminal, &device_code, "sigstore").await;
    assert_eq!(status, 200, "{token}");
    assert_eq!(token["id_token"], token["access_token"]);
    let token = token["id_token"].as_str().unwrap();
    assert_eq!(world.verify(token).await.issuer(), corp.url());
    assert_eq!(claims_of(token)["aud"], "sigstore");
}

#[tokio::test]
async fn cosign_polls_without_its_name_and_with_pkce() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let (terminal, browser) = (world.browser(), world.browser());
    let ask = [
        ("client_id", "sigstore"),
        ("scope", "openid email"),
        ("code_challenge_method", "S256"),
        ("code_challenge", CHALLENGE),
    ];
    let redeem = |code: String, verifier: Option<&'static str>| {
        let mut fields = vec![
            ("grant_type", GRANT.to_owned()),
            ("device_code", code),
            ("scope", "openid".to_owned()),
            ("scope", "email".to_owned()),
        ];
        fields.extend(verifier.map(|verifier| ("code_verifier", verifier.to_owned())));
        fields
    };
    for (verifier, fits) in [
        (Some(VERIFIER), true),
        (None, false),
        (Some("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXl"), false),
    ] {
        let (_, asked) = read(terminal.post("/device_authorization", &ask).await).await;
        let page = type_code(&browser, asked["user_code"].as_str().unwrap()).await;
        let question = to_the_question(&world, &browser, page).await;
        assert_eq!(answer(&browser, &question, "continue").await.status(), 200);
        let fields = redeem(asked["device_code"].as_str().unwrap().to_owned(), verifier);
        let fields: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let (status, answer) = terminal.redeem(&fields).await;
        assert_eq!(status == 200, fits, "{verifier:?}: {answer}");
        assert!(fits || answer["error"] == "invalid_grant");
        // Spent, by the right one and by the wrong one.
        assert_eq!(terminal.redeem(&fields).await.0, 400);
    }
    // Without its name and without PKCE it could be anyone.
    let (device_code, _) = begin(&terminal).await;
    let fields = [("grant_type", GRANT), ("device_code", device_code.as_str())];
    assert_eq!(terminal.redeem(&fields).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn device_flow_resists_phishing() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let (terminal, browser) = (world.browser(), world.browser());

    // A link that carries the code is worth nothing: the code is not read, and nothing is approved.
    let (device_code, user_code) = begin(&terminal).await;
    let link = format!("/device?user_code={user_code}");
    let page = browser.get(&link).await;
    assert_eq!(page.status(), 200);
    assert!(!page.text().await.unwrap().contains(&user_code));
    assert_eq!(error(&terminal, &device_code).await, "authorization_pending");

    // What is let in is shown before anybody signs in, and again before they agree.
    let page = type_code(&browser, &user_code).await;
    let shown = page.text().await.unwrap();
    for said in ["sigstore", "Asked from", "Asked at", "UTC", "asked for it yourself"] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let again = type_code(&browser, &user_code).await;
    let question = to_the_question(&world, &browser, again).await;
    for said in ["Asked from", "your own terminal", "alice@corp.example", "becomes public"] {
        assert!(question.contains(said), "{said}: {question}");
    }
    assert_eq!(answer(&browser, &question, "continue").await.status(), 200);
    // Another client, whoever it is, ends it.
    assert_eq!(poll(&terminal, &device_code, "other").await.1["error"], "invalid_grant");
    assert_eq!(error(&terminal, &device_code).await, "invalid_grant");

    // One redemption.
    let (device_code, user_code) = begin(&terminal).await;
    let page = type_code(&browser, &user_code).await;
    let question = to_the_question(&world, &browser, page).await;
    assert_eq!(answer(&browser, &question, "continue").await.status(), 200);
    assert_eq!(poll(&terminal, &device_code, "sigstore").await.0, 200);
    assert_eq!(error(&terminal, &device_code).await, "invalid_grant");

    // Five wrong codes, and no sixth guess, not even the right one.
    let (_, user_code) = begin(&terminal).await;
    let session = session_in(&browser.get("/device").await.text().await.unwrap());
    let guess = |code: String| {
        let (browser, session) = (&browser, session.as_str());
        async move {
            let fields = [("session", session), ("user_code", code.as_str())];
            browser.post("/device", &fields).await.status().as_u16()
        }
    };
    for status in [422, 422, 422, 422, 429] {
        assert_eq!(guess("BBBB-BBBB".to_owned()).await, status);
    }
    assert_eq!(guess(user_code.clone()).await, 400);
    assert_eq!(type_code(&browser, &user_code).await.status(), 200, "a new page may");

    // Ten minutes.
    let (device_code, user_code) = begin(&terminal).await;
    let page = type_code(&browser, &user_code).await;
    let question = to_the_question(&world, &browser, page).await;
    world.pass(600);
    assert_eq!(answer(&browser, &question, "continue").await.status(), 400);
    assert_eq!(error(&terminal, &device_code).await, "expired_token");
    let (_, user_code) = begin(&terminal).await;
    world.pass(600);
    assert_eq!(type_code(&browser, &user_code).await.status(), 422);

    // The page of one browser is nobody else's.
    let session = session_in(&browser.get("/device").await.text().await.unwrap());
    let (_, user_code) = begin(&terminal).await;
    let fields = [("session", session.as_str()), ("user_code", user_code.as_str())];
    assert_eq!(world.browser().post("/device", &fields).await.status(), 400);

    // An operator may do without.
    world.reload(&format!("[sign_in]\ndevice_flow = false\n{}", corp.oidc("corp")));
    let ask = [("client_id", "sigstore"), ("scope", "openid email")];
    assert_eq!(terminal.post("/device_authorization", &ask).await.status(), 404);
    assert_eq!(browser.get("/device").await.status(), 404);
    assert_eq!(browser.post("/device", &fields).await.status(), 400);
    assert_eq!(error(&terminal, "code").await, "unsupported_grant_type");
    let document = read(browser.get("/.well-known/openid-configuration").await).await.1;
    assert!(document.get("device_authorization_endpoint").is_none());
}

#[tokio::test]
async fn the_last_browser_that_typed_the_code_answers() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let (terminal, first, second) = (world.browser(), world.browser(), world.browser());
    let (device_code, user_code) = begin(&terminal).await;
    let page = type_code(&first, &user_code).await;
    let question = to_the_question(&world, &first, page).await;
    let page = type_code(&second, &user_code).await;
    let newer = to_the_question(&world, &second, page).await;
    assert_eq!(answer(&first, &question, "continue").await.status(), 400);
    assert_eq!(error(&terminal, &device_code).await, "authorization_pending");
    assert_eq!(answer(&second, &newer, "cancel").await.status(), 200);
    world.pass(10);
    assert_eq!(error(&terminal, &device_code).await, "access_denied");
}

#[tokio::test]
async fn connector_rule_on_every_grant() {
    let corp = StandIn::new().await;
    let rule = "[[sign_in.connector.allow]]\nemail_domain = \"other.example\"\n";
    let world = World::with(&format!("{}{rule}", corp.oidc("corp"))).await;
    let (terminal, browser) = (world.browser(), world.browser());
    let (device_code, user_code) = begin(&terminal).await;
    let page = type_code(&browser, &user_code).await;
    let question = to_the_question(&world, &browser, page).await;
    assert_eq!(answer(&browser, &question, "continue").await.status(), 403);
    assert_eq!(error(&terminal, &device_code).await, "authorization_pending");
}

#[tokio::test]
async fn what_a_terminal_asks_is_checked() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let terminal = world.browser();
    let document = read(terminal.get("/.well-known/openid-configuration").await).await.1;
    let endpoint = format!("{}/device_authorization", world.broker.issuer());
    assert_eq!(document["device_authorization_endpoint"], endpoint);
    assert_eq!(document["grant_types_supported"], json!(["authorization_code", GRANT]));
    for (fields, status) in [
        (vec![("client_id", "other"), ("scope", "openid")], 401),
        (vec![("scope", "openid")], 401),
        (vec![("client_id", "sigstore"), ("scope", "email")], 400),
        (vec![("client_id", "sigstore"), ("scope", "openid"), ("code_challenge", CHALLENGE)], 400),
        (vec![("client_id", "sigstore"), ("client_id", "sigstore"), ("scope", "openid")], 400),
    ] {
        let response = terminal.post("/device_authorization", &fields).await;
        assert_eq!(response.status(), status, "{fields:?}");
    }
    let basic =
        terminal.post_with("/device_authorization", &[("scope", "openid")], Some("sigstore:"));
    assert_eq!(basic.await.status(), 200);
}

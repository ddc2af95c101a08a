//! Who signs in through which provider, and who does not.

use formats::certificate::SubjectName;
use serde_json::{Value, json};

use crate::stand_in::{ANYONE, StandIn, email};
use crate::world::*;

async fn refused(browser: &Browser, status: u16, named: &str) {
    let page = browser.follow(browser.authorize(&request()).await).await;
    assert_eq!(page.status(), status, "{named}");
    let text = page.text().await.unwrap();
    assert!(text.contains("role=\"alert\""), "{text}");
    assert!(text.contains(named), "{named}: {text}");
    assert!(!text.contains("name=\"answer\""), "{text}");
}

#[tokio::test]
async fn an_openid_provider_signs_in() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let browser = world.browser();
    let sent_back = browser.sign_in(&request(), "alice@corp.example").await;
    let back = location(&sent_back);
    assert_eq!(query(&back, "state").as_deref(), Some("st&te="));
    assert_eq!(query(&back, "iss").as_deref(), Some(world.broker.issuer()));
    let token = browser.token(&sent_back).await;
    assert_eq!(
        claims_of(&token),
        json!({
            "iss": world.broker.issuer(),
            "sub": "corp:10769150350006150715113082367",
            "aud": "sigstore",
            "email": "alice@corp.example",
            "email_verified": true,
            "nonce": "n-0S6_WzA2Mj",
            "iat": START,
            "exp": START + 300,
            "federated_claims": {
                "connector_id": corp.url(),
                "user_id": "10769150350006150715113082367",
            },
        })
    );
    let identity = world.verify(&token).await;
    assert_eq!(*identity.subject(), SubjectName::Email("alice@corp.example".to_owned()));
    assert_eq!(identity.issuer(), corp.url());
    assert!(browser.cookies.lock().unwrap().is_empty(), "nothing is left in the browser");
    assert_eq!(corp.asked("scope").as_deref(), Some("openid email"));
    assert_eq!(corp.asked("code_challenge_method").as_deref(), Some("S256"));
}

#[tokio::test]
async fn github_signs_in() {
    let github = StandIn::new().await;
    let world = World::with(&format!("{}{ANYONE}", github.github("github"))).await;
    let browser = world.browser();
    let sent_back = browser.sign_in(&request(), "octo@example.com").await;
    let token = browser.token(&sent_back).await;
    let claims = claims_of(&token);
    assert_eq!(claims["sub"], "github:583231");
    let issuer = format!("{}/login/oauth", github.url());
    let federated = json!({ "connector_id": issuer, "user_id": "583231" });
    assert_eq!(claims["federated_claims"], federated);
    assert_eq!(world.verify(&token).await.issuer(), issuer);
    assert_eq!(github.asked("scope").as_deref(), Some("user:email"));
    assert_eq!(github.requests(), ["user", "emails 1"]);
}

#[tokio::test]
async fn github_email_primary_and_verified() {
    let github = StandIn::new().await;
    let world = World::with(&format!("{}{ANYONE}", github.github("github"))).await;
    let browser = world.browser();
    let verified = |primary| email("octo@example.com", primary, true);
    let other = email("x@example.com", false, false);

    github.tell(|told| told.emails = vec![json!([other]), json!([]), json!([verified(true)])]);
    let sent_back = browser.sign_in(&request(), "octo@example.com").await;
    assert_eq!(browser.claims(&sent_back).await["email"], "octo@example.com");
    let unverified = email("octo@example.com", true, false);
    github.tell(|told| told.emails = vec![json!([other]), json!([unverified])]);
    refused(&browser, 403, "no verified email address").await;

    // Another verified one is taken only when the person picks it.
    let many = [unverified, verified(false), email("y@example.com", false, true), other];
    github.tell(|told| told.emails = vec![json!(many)]);
    let page = browser.follow(browser.authorize(&request()).await).await;
    let text = page.text().await.unwrap();
    assert!(!text.contains(" checked"), "{text}");
    assert!(text.contains("value=\"y@example.com\"") && !text.contains("x@example.com"), "{text}");
    let session = session_in(&text);
    for address in ["", "x@example.com", "anybody@example.com"] {
        let fields = [("session", session.as_str()), ("answer", "continue"), ("email", address)];
        assert_eq!(browser.post("/confirm", &fields).await.status(), 422, "{address}");
    }
    let fields =
        [("session", session.as_str()), ("answer", "continue"), ("email", "y@example.com")];
    let sent_back = browser.post("/confirm", &fields).await;
    assert_eq!(browser.claims(&sent_back).await["email"], "y@example.com");
}

#[tokio::test]
async fn githubs_token_stays_with_github() {
    let github = StandIn::new().await;
    let elsewhere = StandIn::new().await;
    let world = World::with(&format!("{}{ANYONE}", github.github("github"))).await;
    let next = format!("{}/api/v3/user/emails?per_page=100&page=2", elsewhere.url());
    github.tell(|told| told.next_page = Some(next));
    refused(&world.browser(), 502, "goes on at another host").await;
    assert!(elsewhere.requests().is_empty());
    // A list without an end ends all the same.
    let again = format!("{}/api/v3/user/emails?per_page=100&page=1", github.url());
    github.tell(|told| told.next_page = Some(again));
    refused(&world.browser(), 502, "more than 20 pages").await;
}

#[tokio::test]
async fn githubs_errors_come_with_status_200() {
    let github = StandIn::new().await;
    let world = World::with(&format!("{}{ANYONE}", github.github("github"))).await;
    let error = json!({ "error": "bad_verification_code", "error_description": "<script>" });
    github.tell(|told| told.token_answer = Some(error));
    refused(&world.browser(), 502, "bad_verification_code").await;
    github.tell(|told| told.token_answer = Some(json!({ "error": "<script>alert(1)</script>" })));
    refused(&world.browser(), 502, "an unknown error").await;
    github.tell(|told| told.token_answer = Some(json!({ "token_type": "bearer" })));
    refused(&world.browser(), 502, "not what its documents say").await;
}

#[tokio::test]
async fn an_organisation_or_team_is_asked_for_and_checked() {
    let github = StandIn::new().await;
    let table =
        format!("{}organizations = [\"acme\", \"Corp/Release\"]\n", github.github("github"));
    let world = World::with(&table).await;
    let browser = world.browser();
    refused(&browser, 403, "not in acme, Corp/Release").await;
    assert_eq!(github.asked("scope").as_deref(), Some("user:email read:org"));
    // Names that only contain the required one, and the team of another organisation.
    github.tell(|told| {
        told.organizations = json!([{ "login": "acme-evil" }, { "login": "corp" }]);
        told.teams = json!([{ "slug": "release", "organization": { "login": "evil" } }]);
    });
    refused(&browser, 403, "not in acme").await;
    github.tell(|told| {
        told.teams = json!([{ "slug": "release", "organization": { "login": "corp" } }]);
    });
    let sent_back = browser.sign_in(&request(), "octo@example.com").await;
    assert_eq!(browser.claims(&sent_back).await["groups"], json!(["Corp/Release"]));
    github.tell(|told| told.organizations = json!([{ "login": "Acme" }]));
    let sent_back = browser.sign_in(&request(), "octo@example.com").await;
    assert_eq!(browser.claims(&sent_back).await["groups"], json!(["acme", "Corp/Release"]));
}

#[tokio::test]
async fn google_domain_needs_hd() {
    let google = StandIn::new().await;
    let table = format!("{}hosted_domains = [\"corp.example\"]\n", google.google("google"));
    let world = World::with(&table).await;
    let browser = world.browser();
    for claims in [
        json!({}),
        json!({ "hd": "other.example" }),
        json!({ "hd": "Corp.example" }),
        json!({ "hd": ["corp.example"] }),
        json!({ "hd": "corp.example", "email": "alice@other.example" }),
        json!({ "hd": "corp.example", "email": "alice@sub.corp.example" }),
    ] {
        google.tell(|told| told.claims = claims);
        refused(&browser, 403, "not in the Google Workspace domain corp.example").await;
    }
    google.tell(|told| told.claims = json!({ "hd": "corp.example" }));
    let sent_back = browser.sign_in(&request(), "alice@corp.example").await;
    assert_eq!(browser.claims(&sent_back).await["hd"], "corp.example");
}

#[tokio::test]
async fn broker_owns_reserved_claims() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let browser = world.browser();
    corp.tell(|told| {
        told.claims = json!({
            "federated_claims": { "connector_id": "https://github.com/login/oauth", "user_id": "1" },
            "groups": ["admins"], "auth_time": 1, "jti": "x", "act": { "sub": "root" },
        });
    });
    let sent_back = browser.sign_in(&request(), "alice@corp.example").await;
    let claims = browser.claims(&sent_back).await;
    let names: Vec<&String> = claims.as_object().unwrap().keys().collect();
    let ours =
        ["aud", "email", "email_verified", "exp", "federated_claims", "iat", "iss", "nonce", "sub"];
    assert_eq!(names, ours);
    assert_eq!(claims["federated_claims"]["connector_id"], corp.url());
    assert_eq!(claims["sub"], "corp:10769150350006150715113082367");
    // What GitHub's account says of itself stays there, too.
    let github = StandIn::new().await;
    let world = World::with(&format!("{}{ANYONE}", github.github("github"))).await;
    github.tell(|told| {
        told.user = json!({
            "id": 583_231, "login": "octocat", "email": "ceo@example.com", "sub": "x:1",
            "email_verified": true, "iss": "https://accounts.google.com",
        });
    });
    let browser = world.browser();
    let sent_back = browser.sign_in(&request(), "octo@example.com").await;
    let claims = browser.claims(&sent_back).await;
    assert_eq!(claims["email"], "octo@example.com");
    assert_eq!(claims["iss"], world.broker.issuer());
    assert_eq!(claims["sub"], "github:583231");
}

#[tokio::test]
async fn a_providers_token_passes_the_door_of_every_token() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let browser = world.browser();
    for (claims, status, named) in [
        (json!({ "email_verified": false }), 403, "no verified email address"),
        (json!({ "email_verified": null }), 403, "no verified email address"),
        (json!({ "email": "a@@b.c" }), 502, "email"),
        (json!({ "email": null }), 502, "email"),
        (json!({ "aud": "sigstore" }), 502, "aud"),
        (json!({ "exp": START - 120 }), 502, "exp"),
        (json!({ "iss": "https://evil.example" }), 502, "iss"),
        (json!({ "sub": "" }), 502, "sub"),
        (json!({ "nonce": "other" }), 403, "another sign-in"),
        (json!({ "nonce": null }), 403, "another sign-in"),
        (json!({ "azp": "other" }), 403, "another application"),
        (json!({ "aud": ["upstream-client", "other"] }), 403, "another application"),
    ] {
        corp.tell(|told| told.claims = claims.clone());
        refused(&browser, status, named).await;
    }
    for claims in [
        json!({ "azp": "upstream-client" }),
        json!({ "aud": ["upstream-client", "other"], "azp": "upstream-client" }),
    ] {
        corp.tell(|told| told.claims = claims);
        let sent_back = browser.sign_in(&request(), "alice@corp.example").await;
        assert_eq!(browser.claims(&sent_back).await["email"], "alice@corp.example");
    }
}

#[tokio::test]
async fn account_reuse_distinguishable() {
    let corp = StandIn::new().await;
    let rule = "[[sign_in.connector.allow]]\nsubject = \"corp:1\"\n";
    let world = World::with(&format!("{}{rule}", corp.oidc("corp"))).await;
    let browser = world.browser();
    corp.tell(|told| told.claims = json!({ "sub": "1" }));
    let sent_back = browser.sign_in(&request(), "alice@corp.example").await;
    let token = browser.token(&sent_back).await;
    assert_eq!(world.verify(&token).await.token_subject(), "corp:1");
    // The same address, another account.
    corp.tell(|told| told.claims = json!({ "sub": "2" }));
    let page = browser.sign_in(&request(), "alice@corp.example").await;
    assert_eq!(page.status(), 403);
    assert!(page.text().await.unwrap().contains("You may not sign here"));
}

#[tokio::test]
async fn connector_rule_on_every_grant() {
    let (corp, hub) = (StandIn::new().await, StandIn::new().await);
    let rule = |domain: &str| format!("[[sign_in.connector.allow]]\nemail_domain = \"{domain}\"\n");
    let tables = format!(
        "{}{}{}{}",
        corp.oidc("corp"),
        rule("corp.example"),
        hub.oidc("hub"),
        rule("hub.example")
    );
    let world = World::with(&tables).await;
    let browser = world.browser();
    let through = |connector| {
        let mut fields = request();
        fields.push(("connector_id", connector));
        fields
    };
    // One person at both: the rule of the way that was taken is the one that counts.
    let sent_back = browser.sign_in(&through("corp"), "alice@corp.example").await;
    assert_eq!(browser.claims(&sent_back).await["email"], "alice@corp.example");
    let page = browser.sign_in(&through("hub"), "alice@corp.example").await;
    assert_eq!(page.status(), 403);
    assert!(page.headers().get("location").is_none());
    // Closed until the operator has said who.
    let github = StandIn::new().await;
    let world = World::with(&github.github("github")).await;
    let page = world.browser().sign_in(&request(), "octo@example.com").await;
    assert_eq!(page.status(), 403);
    assert!(page.text().await.unwrap().contains("no allow rule"));
}

#[tokio::test]
async fn a_provider_that_is_down_is_named_and_tried_again() {
    let corp = StandIn::new().await;
    let table = corp.oidc("corp").replace(corp.url(), "http://127.0.0.1:9");
    let world = World::with(&table).await;
    refused(&world.browser(), 502, "No connection to the provider").await;
    world.reload(&corp.oidc("corp"));
    let sent_back = world.browser().sign_in(&request(), "alice@corp.example").await;
    assert_eq!(sent_back.status(), 303);
}

#[tokio::test]
async fn a_reload_decides_over_sign_ins_under_way() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let browser = world.browser();
    let page = browser.follow(browser.authorize(&request()).await).await;
    let rule = "[[sign_in.connector.allow]]\nemail = \"bob@corp.example\"\n";
    world.reload(&format!("{}{rule}", corp.oidc("corp")));
    assert_eq!(browser.agree(page, "alice@corp.example").await.status(), 403);
    world.reload("");
    assert_eq!(browser.authorize(&request()).await.status(), 404);
    assert!(world.broker.trust(&world.broker.settings()).unwrap().is_none());
}

#[tokio::test]
async fn several_ways_are_offered_and_one_is_taken_by_name() {
    let (corp, hub) = (StandIn::new().await, StandIn::new().await);
    let github = format!("{}{ANYONE}", hub.github("github"));
    let world = World::with(&format!("{}{github}", corp.oidc("corp"))).await;
    let browser = world.browser();
    let page = browser.authorize(&request()).await;
    assert_eq!(page.status(), 200);
    let text = page.text().await.unwrap();
    assert!(text.contains("Continue with Corp corp") && text.contains("Continue with GitHub"));
    let link = text.split("href=\"").nth(2).unwrap().split('"').next().unwrap();
    let link = format!("{}{}", world.base, link.replace("&amp;", "&"));
    let page = browser.follow(browser.get(&link).await).await;
    let sent_back = browser.agree(page, "octo@example.com").await;
    assert_eq!(browser.claims(&sent_back).await["sub"], "github:583231");

    // By our name, and by the issuer string that public Sigstore's connectors go by.
    let issuer = format!("{}/login/oauth", hub.url());
    for name in ["github", issuer.as_str()] {
        let mut fields: Vec<(&str, &str)> = request();
        fields.push(("connector_id", name));
        fields.push(("login_hint", "octo@example.com"));
        let sent_back = browser.sign_in(&fields, "octo@example.com").await;
        assert_eq!(browser.claims(&sent_back).await["sub"], "github:583231");
        assert_eq!(hub.asked("login").as_deref(), Some("octo@example.com"));
    }
    let mut fields: Vec<(&str, &str)> = request();
    fields.push(("connector_id", "\"><script>"));
    let page = browser.authorize(&fields).await;
    assert_eq!(page.status(), 400);
    assert!(!page.text().await.unwrap().contains("<script"));
}

#[tokio::test]
async fn no_connector_no_sign_in() {
    let world = World::with("").await;
    let browser = world.browser();
    for path in ["/.well-known/openid-configuration", "/jwks", "/auth", "/dev/token?email=a@b.c"] {
        assert_eq!(browser.get(path).await.status(), 404, "{path}");
    }
    assert!(world.broker.jwks().is_none());
    assert!(!world.folder.path().join("keys").exists(), "no key is made for nothing");
    let corp = StandIn::new().await;
    world.reload(&corp.oidc("corp"));
    assert_eq!(browser.get("/jwks").await.status(), 200);
    let answer: Value = read(browser.get("/.well-known/openid-configuration").await).await.1;
    assert_eq!(answer["issuer"], world.broker.issuer());
}

//! One sign-in, one browser: what a link, a cookie or an answer from elsewhere is worth.

use crate::stand_in::{ANYONE, StandIn};
use crate::world::*;

#[tokio::test]
async fn approval_bound_to_browser() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let browser = world.browser();
    let page = browser.follow(browser.authorize(&request()).await).await;
    let session = session_in(&page.text().await.unwrap());
    let fields =
        [("session", session.as_str()), ("answer", "continue"), ("email", "alice@corp.example")];

    // Somebody else has the address of the page, and all that is in it.
    let other = world.browser();
    let shown = other.get(&format!("/confirm?session={session}")).await;
    assert_eq!(shown.status(), 400);
    assert!(!shown.text().await.unwrap().contains("alice@corp.example"));
    let approved = other.post("/confirm", &fields).await;
    assert_eq!(approved.status(), 400);
    assert!(approved.headers().get("location").is_none());
    // A cookie of another sign-in does not do either.
    let page = other.follow(other.authorize(&request()).await).await;
    assert_eq!(page.status(), 200);
    assert_eq!(other.post("/confirm", &fields).await.status(), 400);

    let sent_back = browser.post("/confirm", &fields).await;
    assert_eq!(browser.claims(&sent_back).await["email"], "alice@corp.example");
}

#[tokio::test]
async fn a_providers_answer_is_bound_to_the_browser_that_left() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let (browser, other) = (world.browser(), world.browser());
    let away = location_of(&browser.authorize(&request()).await);
    let back = location_of(&browser.get(&away).await);
    // Login CSRF: the attacker's answer in the victim's browser.
    assert_eq!(other.get(&back).await.status(), 400);
    assert_eq!(browser.get(&back).await.status(), 400, "whoever presents a state ends it");
    let away = location_of(&browser.authorize(&request()).await);
    let back = location_of(&browser.get(&away).await);
    let page = browser.follow(browser.get(&back).await).await;
    assert_eq!(page.status(), 200);
    assert_eq!(browser.get(&back).await.status(), 400, "replayed");
}

#[tokio::test]
async fn idp_mixup_refused() {
    let (honest, evil) = (StandIn::new().await, StandIn::new().await);
    let world = World::with(&format!("{}{}", honest.oidc("honest"), evil.oidc("evil"))).await;
    let browser = world.browser();
    let mut through = request();
    through.push(("connector_id", "honest"));
    // The state of one at the address of the other.
    let away = location_of(&browser.authorize(&through).await);
    let back = location_of(&browser.get(&away).await);
    assert!(back.contains("/callback/honest?"), "{back}");
    let crossed = browser.get(&back.replace("/callback/honest", "/callback/evil")).await;
    assert_eq!(crossed.status(), 403);
    assert!(crossed.text().await.unwrap().contains("Another provider answered"));
    // RFC 9207: the answer names another issuer, or none where one was promised.
    for (iss, announces, status) in [
        (Some(evil.url().to_owned()), false, 403),
        (Some(format!("{}/", honest.url())), false, 403),
        (None, true, 403),
        (Some(honest.url().to_owned()), true, 200),
        (None, false, 200),
    ] {
        // A reload forgets what discovery said.
        world.reload(&format!("{}{}", honest.oidc("honest"), evil.oidc("evil")));
        honest.tell(|told| {
            told.iss.clone_from(&iss);
            told.announces_iss = announces;
        });
        let page = browser.follow(browser.authorize(&through).await).await;
        assert_eq!(page.status(), status, "{iss:?} {announces}");
    }
}

#[tokio::test]
async fn session_fresh_and_expiring() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let browser = world.browser();
    // Fixation: whoever planted the cookie that the browser had before the provider answered holds
    // nothing after.
    let away = location_of(&browser.authorize(&request()).await);
    let planted = browser.cookies.lock().unwrap().clone();
    let back = location_of(&browser.get(&away).await);
    let page = browser.follow(browser.get(&back).await).await;
    let session = session_in(&page.text().await.unwrap());
    let fresh = browser.cookies.lock().unwrap().clone();
    assert_eq!((planted.len(), fresh.len()), (1, 1));
    assert_ne!(planted.values().next(), fresh.values().next());
    let fields =
        [("session", session.as_str()), ("answer", "continue"), ("email", "alice@corp.example")];
    let name = fresh.keys().next().unwrap();
    for value in [planted.values().next().unwrap().as_str(), "guess", ""] {
        let thief = world.browser();
        thief.cookies.lock().unwrap().extend(planted.clone());
        thief.cookies.lock().unwrap().insert(name.clone(), value.to_owned());
        assert_eq!(thief.post("/confirm", &fields).await.status(), 400, "{value}");
    }
    // Idle for a quarter of an hour: nobody is signed in.
    world.pass(899);
    assert_eq!(browser.get(&format!("/confirm?session={session}")).await.status(), 200);
    world.pass(1);
    assert_eq!(browser.get(&format!("/confirm?session={session}")).await.status(), 400);
    assert_eq!(browser.post("/confirm", &fields).await.status(), 400);
}

#[tokio::test]
async fn cookies_are_guarded() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let answer = world.browser().authorize(&request()).await;
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("sign-in-"), "{cookie}");
    for attribute in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Max-Age=900"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    // An instance with https: the same without a listener.
    let config = config("https://ca.example.com", &corp.oidc("corp")).unwrap();
    let clock = clock(&world.now);
    let broker = ca::broker::Broker::open(world.folder.path(), &config, None, clock).unwrap();
    let asked = format!("/auth?{}", encoded(&request()));
    let asked = http::Request::get(asked).body(axum::body::Body::empty()).unwrap();
    let answer = tower::ServiceExt::oneshot(broker.router(), asked).await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-sign-in-") && cookie.contains("; Secure"), "{cookie}");
    assert!(cookie.contains("; Path=/;") && !cookie.contains("Domain"), "{cookie}");
    let sent = answer.headers()["location"].to_str().unwrap();
    let callback = encoded(&[("redirect_uri", "https://ca.example.com/oidc/callback/corp")]);
    assert!(sent.contains(&callback), "{sent}");
}

#[tokio::test]
async fn two_terminals_sign_in_at_once_and_no_more_than_fit() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let browser = world.browser();
    let first = browser.follow(browser.authorize(&request()).await).await;
    let second = browser.follow(browser.authorize(&request()).await).await;
    for page in [second, first] {
        assert_eq!(browser.agree(page, "alice@corp.example").await.status(), 303);
    }
    for _ in 0..20 {
        browser.authorize(&request()).await;
        assert!(browser.cookies.lock().unwrap().len() <= 9);
    }
}

#[tokio::test]
async fn no_is_an_answer() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let browser = world.browser();
    let page = browser.follow(browser.authorize(&request()).await).await;
    let session = session_in(&page.text().await.unwrap());
    let fields = [("session", session.as_str()), ("answer", "cancel")];
    let sent_back = location(&browser.post("/confirm", &fields).await);
    assert_eq!(query(&sent_back, "error").as_deref(), Some("access_denied"));
    assert_eq!(query(&sent_back, "state").as_deref(), Some("st&te="));
    assert_eq!(query(&sent_back, "code"), None);
    assert_eq!(browser.post("/confirm", &fields).await.status(), 400, "it has ended");
    // At the provider: told, and every way is offered again.
    corp.tell(|told| told.denies = true);
    let page = browser.follow(browser.authorize(&request()).await).await;
    assert_eq!(page.status(), 403);
    let text = page.text().await.unwrap();
    assert!(text.contains("did not sign you in") && text.contains("Continue with Corp corp"));
    corp.tell(|told| told.denies = false);
    let link = text.split("class=\"button\" href=\"").nth(1).unwrap().split('"').next().unwrap();
    let again = browser.get(&format!("{}{}", world.base, link.replace("&amp;", "&"))).await;
    let page = browser.follow(again).await;
    assert_eq!(browser.agree(page, "alice@corp.example").await.status(), 303);
}

#[tokio::test]
async fn consent_names_the_public_email() {
    let github = StandIn::new().await;
    let world = World::with(&format!("{}{ANYONE}", github.github("github"))).await;
    let browser = world.browser();
    let page = browser.follow(browser.authorize(&request()).await).await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("form-action 'self' http://localhost:40123;"), "{policy}");
    let text = page.text().await.unwrap();
    for said in ["octo@example.com", "octocat", "GitHub", "becomes public", "nobody can erase"] {
        assert!(text.contains(said), "{said}: {text}");
    }
    // Without the answer there is no code.
    let session = session_in(&text);
    let fields = [("session", session.as_str()), ("email", "octo@example.com")];
    let silent = browser.post("/confirm", &fields).await;
    assert_eq!(silent.status(), 400);
    assert!(silent.headers().get("location").is_none());
}

#[tokio::test]
async fn a_code_is_carried_over_by_hand() {
    let corp = StandIn::new().await;
    let world = World::with(&corp.oidc("corp")).await;
    let browser = world.browser();
    let page =
        browser.follow(browser.authorize(&request_with("redirect_uri", Some(OUT_OF_BAND))).await);
    let page = page.await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("form-action 'self';"), "{policy}");
    let shown = browser.agree(page, "alice@corp.example").await;
    assert_eq!(shown.status(), 200);
    let text = shown.text().await.unwrap();
    assert!(text.contains("alice@corp.example"), "{text}");
    let (_, rest) = text.split_once("id=\"code\"").unwrap();
    let code = rest.split_once('>').unwrap().1.split_once('<').unwrap().0;
    let mut fields = redemption(code);
    fields.retain(|(name, _)| *name != "redirect_uri");
    fields.push(("redirect_uri", OUT_OF_BAND));
    assert_eq!(browser.redeem(&fields).await.0, 200);
}

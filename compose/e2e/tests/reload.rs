//! A changed ca.toml is taken over while the server works; a broken one changes nothing.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use e2e::answer::refused;
use e2e::http::Response;
use e2e::instance::Instance;
use e2e::issue::with_token;
use e2e::key::Key;
use e2e::now;
use e2e::provider::{DISCOVERY, Provider, serve};
use e2e::tls::replace;
use e2e::token::{segment, signing_input};
use serde_json::json;

const ALICE: &str = "alice@example.com";
const BOB: &str = "bob@other.example";
const CAROL: &str = "carol@example.com";

fn table(provider: &Provider, rules: &str) -> String {
    let url = provider.url();
    format!("[[issuer]]\nurl = \"{url}\"\nclient_id = \"sigstore\"\ntype = \"email\"\n{rules}")
}

fn token(provider: &Provider, key: &Key, email: &str) -> String {
    let header = json!({ "alg": "RS256", "kid": "k" }).to_string();
    let claims = json!({
        "iss": provider.url(), "sub": email, "aud": "sigstore", "iat": now(), "exp": now() + 600,
        "email": email, "email_verified": true,
    });
    let input = signing_input(&header, &claims.to_string());
    format!("{input}.{}", segment(&key.sign(input.as_bytes())))
}

const LIMITS: &str = "[limits]\ncertificates_per_minute = 600000\ncertificates_burst = 600000\n\n";

/// The configuration without its issuers.
fn base(dir: &Path) -> String {
    let text = fs::read_to_string(dir.join("ca.toml")).unwrap();
    let (base, _) = text.split_once("\n[[issuer]]").unwrap();
    base.to_owned()
}

fn hang_up(server: &Instance) {
    let pid = server.pid().to_string();
    assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
}

fn count(server: &Instance, outcome: &str) -> f64 {
    server.metric(&format!("paraph_reloads_total{{outcome=\"{outcome}\",what=\"configuration\"}}"))
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Writes ca.toml and waits for what comes of it.
fn reload(server: &Instance, text: &str, outcome: &str) {
    let before = count(server, outcome);
    replace(&server.dir().join("ca.toml"), text.as_bytes());
    hang_up(server);
    eventually(outcome, || count(server, outcome) > before);
}

#[test]
fn a_reload_drops_no_request() {
    let key = Key::rsa2048();
    let provider = Provider::new(&[key.jwk("k", "RS256")]);
    let served = serve(&format!("{LIMITS}{}", table(&provider, "")));
    let server = &served.server;
    let (stop, answered) = (AtomicBool::new(false), AtomicU64::new(0));
    let good = token(&provider, &key, ALICE);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    let Response { status, body, .. } = with_token(server, &good, ALICE);
                    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let base = base(server.dir());
        let other = Provider::new(&[key.jwk("k", "RS256")]);
        for round in 0..50 {
            let second = if round % 2 == 0 { table(&other, "") } else { String::new() };
            reload(server, &format!("{base}\n{}{second}", table(&provider, "")), "taken");
            let known = server.json("/api/v2/configuration");
            assert_eq!(known["issuers"].as_array().unwrap().len(), 2 - round % 2);
        }
        stop.store(true, Ordering::SeqCst);
    });
    assert!(answered.load(Ordering::SeqCst) > 50, "requests ran through the reloads");
    let asked = provider.asked();
    let fetched = asked.iter().filter(|path| *path == DISCOVERY).count();
    assert_eq!(fetched, 1, "the keys of an issuer that stays are kept: {asked:?}");
}

#[test]
fn a_rule_change_takes_effect_and_a_broken_file_does_not() {
    let key = Key::rsa2048();
    let provider = Provider::new(&[key.jwk("k", "RS256")]);
    let served = serve(&table(&provider, ""));
    let server = &served.server;
    let (alice, bob) = (token(&provider, &key, ALICE), token(&provider, &key, BOB));
    assert_eq!(with_token(server, &bob, BOB).status, 200);

    let base = base(server.dir());
    let rules = "[[issuer.allow]]\nemail_domain = \"example.com\"\n";
    let ruled = format!("{base}\n{}", table(&provider, rules));
    // No signal: the file is looked at.
    replace(&server.dir().join("ca.toml"), ruled.as_bytes());
    eventually("the rule is taken", || with_token(server, &bob, BOB).status != 200);
    assert_eq!(with_token(server, &alice, ALICE).status, 200);
    assert!(server.log().contains("ca.toml was reloaded"), "{}", server.log());

    // Each differs from what runs in one thing, and would let Bob in again.
    let open = format!("{base}\n{}", table(&provider, ""));
    for (broken, word) in [
        (format!("{open}colour = \"blue\"\n"), "colour"),
        (format!("{open}\n[[issuer]]\nurl = \"https://id.example.com\"\n"), "client_id"),
        (open.replace("name = \"", "name = \"New "), "name has changed, which needs a restart"),
        (open.replace("[listen]", "[listen]\nbehind_proxy = true"), "listen.behind_proxy"),
    ] {
        reload(server, &broken, "refused");
        assert_eq!(with_token(server, &bob, BOB).status, 400, "{word}");
        assert_eq!(with_token(server, &alice, ALICE).status, 200, "{word}");
        let log = server.log();
        let told = log.lines().rfind(|line| line.contains("was not reloaded")).unwrap();
        assert!(told.contains(word) || log.contains(word), "{word}: {told}");
    }
    assert_eq!(server.get("/readyz").status, 200, "what runs is well");

    // Limits follow too, and what was asked for before still counts.
    let few = "[limits]\ncertificates_per_minute = 1\ncertificates_burst = 2\n";
    reload(server, &format!("{ruled}\n{few}"), "taken");
    let carol = token(&provider, &key, CAROL);
    assert_eq!(with_token(server, &carol, CAROL).status, 200);
    assert!((0..3).any(|_| with_token(server, &alice, ALICE).status == 429));

    reload(server, &format!("{base}\n"), "taken");
    refused(&with_token(server, &alice, ALICE), 400, "iss");
}

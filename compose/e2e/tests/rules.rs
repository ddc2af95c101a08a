//! Who may sign: the operator's rules and limits, as a client of `ca serve` meets them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::answer::refused;
use e2e::audit;
use e2e::http::Response;
use e2e::issue::{chain, challenge, post_v2};
use e2e::key::Key;
use e2e::now;
use e2e::provider::{Provider, Served, serve};
use e2e::token::{segment, signing_input};
use serde_json::{Value, json};

/// An operator's own provider that vouches for people and lets its staff sign.
struct Scene {
    key: Key,
    provider: Provider,
    served: Served,
}

impl Scene {
    fn new(rules: &str) -> Self {
        let key = Key::rsa2048();
        let provider = Provider::new(&[key.jwk("k", "RS256")]);
        let url = provider.url();
        let served = serve(&format!(
            "[[issuer]]\nurl = \"{url}\"\nclient_id = \"sigstore\"\ntype = \"email\"\n{rules}"
        ));
        Self { key, provider, served }
    }

    fn claims(&self, email: &str, groups: &Value) -> Value {
        json!({
            "iss": self.provider.url(), "sub": format!("id of {email}"), "aud": "sigstore",
            "iat": now(), "exp": now() + 300, "email": email, "email_verified": true,
            "groups": groups,
        })
    }

    fn token(&self, claims: &Value) -> String {
        let header = json!({ "alg": "RS256", "kid": "k" }).to_string();
        let input = signing_input(&header, &claims.to_string());
        format!("{input}.{}", segment(&self.key.sign(input.as_bytes())))
    }

    fn ask(&self, email: &str, groups: &Value) -> Response {
        let token = self.token(&self.claims(email, groups));
        post_v2(&self.served.server, &token, &challenge(&Key::p256(), email))
    }
}

fn issued(response: &Response) {
    assert!(!chain(response).is_empty());
}

const STAFF: &str = "[[issuer.allow]]\nemail_domain = \"acme.example\"\ngroup = \"staff\"\n\
                     [[issuer.allow]]\nemail = \"guest@other.example\"\n";

#[test]
fn a_denied_request_is_told_why_and_recorded() {
    let scene = Scene::new(STAFF);
    let staff = json!(["staff", "all"]);
    issued(&scene.ask("alice@acme.example", &staff));
    issued(&scene.ask("guest@other.example", &json!([])));
    let message = refused(&scene.ask("alice@acme.example", &json!(["all"])), 400, "group");
    assert!(message.contains(&scene.provider.url()) && message.contains("client_id sigstore"));
    assert!(message.contains("rule 1: group: groups is \"all\", wanted \"staff\""), "{message}");
    assert!(!message.contains("guest@other.example"), "names no other person: {message}");
    refused(&scene.ask("mallory@other.example", &staff), 400, "email_domain");
    let reason = "paraph_refusals_total{face=\"ca\",reason=\"not-allowed\"}";
    assert_eq!(scene.served.server.metric(reason), 2.0);

    // Rows of refusals are written with the next commit.
    issued(&scene.ask("alice@acme.example", &staff));
    let place = format!("[[issuer]] {} (client_id sigstore)", scene.provider.url());
    let stopped = scene.served.server.terminate();
    let rows = audit::rows(stopped.dir());
    let told = |row: &Value| {
        [&row["event"], &row["subject"], &row["allowedBy"], &row["reason"]]
            .map(|member| member.as_str().unwrap_or_default().to_owned())
    };
    let first = format!("rule 1 of {place}");
    let second = format!("rule 2 of {place}");
    let rows_told: Vec<[String; 4]> = rows.iter().map(told).collect();
    for expected in [
        ["issued", "alice@acme.example", &first, ""],
        ["issued", "guest@other.example", &second, ""],
        ["refused", "alice@acme.example", "", "not-allowed"],
        ["refused", "mallory@other.example", "", "not-allowed"],
    ] {
        assert!(rows_told.iter().any(|row| row == &expected), "{expected:?} in {rows_told:?}");
    }
    let refusal = rows.iter().find(|row| row["event"] == "refused").unwrap();
    assert_eq!(refusal["message"], message.as_str());
}

#[test]
fn an_issuer_of_the_public_is_closed_and_said_to_be() {
    let served = serve(
        "[[issuer]]\nurl = \"https://token.actions.githubusercontent.com\"\n\
         client_id = \"sigstore\"\ntype = \"ci\"\nprovider = \"github-actions\"\n",
    );
    let log = served.server.log();
    assert!(
        log.contains(
            "https://token.actions.githubusercontent.com (client_id sigstore) vouches for"
        ) && log.contains("nobody may sign"),
        "{log}"
    );
    let open = Scene::new("");
    issued(&open.ask("anyone@anywhere.example", &json!([])));
    assert!(!open.served.server.log().contains("nobody may sign"));
}

#[test]
fn one_identity_cannot_take_it_all() {
    let scene = Scene::new("[limits]\ncertificates_per_minute = 1\ncertificates_burst = 2\n");
    let none = json!([]);
    for _ in 0..2 {
        issued(&scene.ask("alice@acme.example", &none));
    }
    let response = scene.ask("alice@acme.example", &none);
    refused(&response, 429, "too many certificates");
    let wait: u64 = response.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(response.json()["code"], 8);
    issued(&scene.ask("bob@acme.example", &none));
    // What a bad proof costs is not taken from the one whose token it is.
    let claims = scene.claims("carol@acme.example", &none);
    for _ in 0..5 {
        let proof = challenge(&Key::p256(), "somebody else");
        refused(&post_v2(&scene.served.server, &scene.token(&claims), &proof), 400, "challenge");
    }
    issued(&scene.ask("carol@acme.example", &none));
}

//! Who may sign: the operator's rules and limits, as a client of `ca serve` meets them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::answer::refused;
use e2e::audit;
use e2e::der::{Certificate, element};
use e2e::http::Response;
use e2e::issue::{chain, challenge, post_v2};
use e2e::key::Key;
use e2e::now;
use e2e::process::ca;
use e2e::provider::{Provider, Served, serve, serve_listening};
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

#[test]
fn one_address_cannot_take_it_all() {
    let limits = "[limits]\nrequests_per_minute = 1\nrequests_burst = 3\n";
    let asked = |served: &Served, forwarded: &str| {
        let headers = [("x-forwarded-for", forwarded), ("content-type", "application/json")];
        served.server.request("POST", "/api/v2/signingCert", &headers, b"{}")
    };
    let proxies = "behind_proxy = true\ntrusted_proxies = [\"127.0.0.1/32\", \"::1/128\"]";
    let served = serve_listening(proxies, limits);
    for _ in 0..3 {
        refused(&asked(&served, "198.51.100.7"), 400, "no identity token");
    }
    let response = asked(&served, "198.51.100.7");
    refused(&response, 429, "too many requests");
    assert!(response.header("retry-after").is_some());
    // What a client itself writes into the header, the proxy leaves on the left.
    for forged in 0..5 {
        let forwarded = format!("203.0.113.{forged}, 198.51.100.7");
        refused(&asked(&served, &forwarded), 429, "too many requests");
    }
    refused(&asked(&served, "198.51.100.8"), 400, "no identity token");
    assert_eq!(served.server.get("/readyz").status, 200, "reads are not counted");
    let counted = "paraph_refusals_total{face=\"ca\",reason=\"rate\"}";
    assert_eq!(served.server.metric(counted), 6.0);

    // Nobody's word is taken unasked, and one proxy is not one client.
    let served = serve_listening("behind_proxy = true", limits);
    assert!(served.server.log().contains("trusted_proxies names no proxy"));
    for client in 0..10 {
        let forwarded = format!("198.51.100.{client}");
        refused(&asked(&served, &forwarded), 400, "no identity token");
    }
}

/// What `ca explain` says about a token, with the exit code.
fn explain(scene: &Scene, flag: &str, text: &str) -> (i32, Value) {
    let file = scene.served.server.scratch().join("explained");
    std::fs::write(&file, text).unwrap();
    let dir = scene.served.server.dir().to_str().unwrap();
    let file = file.to_str().unwrap();
    let told = ca(&["explain", dir, flag, file, "--output", "json"]);
    let printed = [told.stdout.as_slice(), &told.stderr].concat();
    let printed = String::from_utf8(printed).unwrap();
    for secret in text.split('.').filter(|part| flag == "--token" && part.len() > 20) {
        assert!(!printed.contains(secret), "the token is in {printed}");
    }
    (told.status.code().unwrap(), serde_json::from_slice(&told.stdout).unwrap_or_default())
}

#[test]
fn explain_agrees_with_the_server() {
    let scene = Scene::new(STAFF);
    for (email, groups, key, admits) in [
        ("alice@acme.example", json!(["staff"]), None, Some(0)),
        ("guest@other.example", json!([]), Some("email_domain"), Some(1)),
        ("alice@acme.example", json!([]), Some("group"), None),
        ("mallory@other.example", json!(["staff"]), Some("email_domain"), None),
    ] {
        let claims = scene.claims(email, &groups);
        let token = scene.token(&claims);
        let answer = post_v2(&scene.served.server, &token, &challenge(&Key::p256(), email));
        for (flag, text) in [("--token", token), ("--claims", claims.to_string())] {
            let (exit, told) = explain(&scene, flag, &text);
            assert_eq!(told["issued"], json!(answer.status == 200), "{told}");
            assert_eq!(exit, if answer.status == 200 { 0 } else { 12 }, "{told}");
            assert_eq!(told["verified"], json!(flag == "--token"));
            assert_eq!(told["rules"][0]["key"].as_str(), key, "{told}");
            let holds = |rule: usize| told["rules"][rule]["holds"] == json!(true);
            assert_eq!((0..2).find(|&rule| holds(rule)), admits, "{told}");
            if answer.status == 400 {
                assert_eq!(told["refusal"]["message"], answer.json()["message"]);
                continue;
            }
            // Every value that it promises stands in the certificate.
            let leaf = chain(&answer).remove(0);
            let leaf = Certificate::read(&leaf);
            let san = element(element(leaf.extension("2.5.29.17").value).0.content).0;
            let subject = told["certificate"]["subject"]["value"].as_str().unwrap();
            assert_eq!((san.tag, san.content), (0x81, subject.as_bytes()));
            let promised = told["certificate"]["extensions"].as_array().unwrap();
            let of_fulcio = |oid: &str| oid.starts_with("1.3.6.1.4.1.57264.1.");
            let there = leaf.extensions.iter().filter(|found| of_fulcio(&found.oid)).count();
            assert_eq!(promised.len(), there, "{promised:?}");
            for extension in promised {
                let found = leaf.extension(extension["oid"].as_str().unwrap()).value;
                let value = extension["value"].as_str().unwrap().as_bytes();
                assert!(found.ends_with(value), "{extension}");
            }
        }
    }
}

#[test]
fn explain_verifies_what_it_is_given() {
    let scene = Scene::new(STAFF);
    let claims = scene.claims("alice@acme.example", &json!(["staff"]));
    let refused_as = |flag: &str, text: &str| {
        let (exit, told) = explain(&scene, flag, text);
        assert_eq!((exit, &told["issued"]), (12, &json!(false)), "{told}");
        told["refusal"]["code"].as_str().unwrap().to_owned()
    };
    let forged = {
        let token = scene.token(&claims);
        let (input, _) = token.rsplit_once('.').unwrap();
        format!("{input}.{}", segment(&Key::rsa2048().sign(input.as_bytes())))
    };
    assert_eq!(refused_as("--token", &forged), "token-signature");
    let expired = {
        let mut claims = claims.clone();
        claims["exp"] = json!(now() - 1);
        claims
    };
    assert_eq!(refused_as("--token", &scene.token(&expired)), "token-expired");
    assert_eq!(explain(&scene, "--claims", &expired.to_string()).0, 0, "no time is checked");
    let elsewhere = {
        let mut claims = claims.clone();
        claims["aud"] = json!("other");
        claims
    };
    for (flag, text) in [("--token", scene.token(&elsewhere)), ("--claims", elsewhere.to_string())]
    {
        assert_eq!(refused_as(flag, &text), "token-audience");
    }
    // What cannot be told is neither a yes nor a no.
    assert_eq!(explain(&scene, "--claims", &scene.token(&claims)).0, 1);
    assert_eq!(explain(&scene, "--claims", "[]").0, 1);
    let dir = scene.served.server.dir().to_str().unwrap();
    assert_eq!(ca(&["explain", dir]).status.code(), Some(1));
    assert_eq!(ca(&["explain", dir, "--token", "no-such-file"]).status.code(), Some(1));
}

#[test]
fn explain_reads_in_words() {
    let scene = Scene::new(STAFF);
    let file = scene.served.server.scratch().join("claims.json");
    let claims = scene.claims("guest@other.example", &json!(["\u{1b}[31m"]));
    std::fs::write(&file, claims.to_string()).unwrap();
    let dir = scene.served.server.dir().to_str().unwrap();
    let told = ca(&["explain", dir, "--claims", file.to_str().unwrap()]);
    let url = scene.provider.url();
    assert_eq!(
        String::from_utf8(told.stdout).unwrap(),
        format!(
            "a certificate would be issued\n\
             \x20 from claims alone: no signature and no time was checked\n\
             \x20 issuer entry  {url} (client_id sigstore)\n\
             \x20 rule 1        does not hold: email_domain: email is \"guest@other.example\", \
             wanted \"acme.example\"\n\
             \x20 rule 2        holds\n\
             it says\n\
             \x20 subject       email guest@other.example\n\
             \x20 issuer        {url}\n\
             \x20 1.1           issuer (v1): {url}\n\
             \x20 1.8           issuer: {url}\n\
             \x20 1.24          token-subject: id of guest@other.example\n"
        )
    );
}

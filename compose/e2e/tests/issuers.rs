//! `ca serve` and its identity providers: whose keys count, how they are fetched, and what becomes
//! of a pipeline's claims.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use e2e::answer::refused;
use e2e::ct;
use e2e::der::{Certificate, element};
use e2e::http::Response;
use e2e::instance::Instance;
use e2e::issue::{chain, challenge, post_v2, with_token};
use e2e::key::Key;
use e2e::now;
use e2e::openssl::Desk;
use e2e::provider::{DISCOVERY, Provider, serve};
use e2e::token::{segment, signing_input};
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";

fn email_table(provider: &Provider) -> String {
    format!(
        "[[issuer]]\nurl = \"{}\"\nclient_id = \"sigstore\"\ntype = \"email\"\n",
        provider.url()
    )
}

fn claims(provider: &Provider) -> Value {
    json!({
        "iss": provider.url(), "sub": "1", "aud": "sigstore", "iat": now(), "exp": now() + 300,
        "email": ALICE, "email_verified": true,
    })
}

fn rs256(key: &Key, key_id: &str, claims: &Value) -> String {
    let header = json!({ "alg": "RS256", "kid": key_id }).to_string();
    let input = signing_input(&header, &claims.to_string());
    format!("{input}.{}", segment(&key.sign(input.as_bytes())))
}

fn ask(server: &Instance, token: &str) -> Response {
    with_token(server, token, ALICE)
}

#[test]
fn an_organisations_own_provider_signs_people_in() {
    let key = Key::rsa2048();
    let provider = Provider::new(&[key.jwk("k", "RS256")]);
    let served = serve(&email_table(&provider));
    let response = ask(&served.server, &rs256(&key, "k", &claims(&provider)));
    let leaf = chain(&response);
    let leaf = Certificate::read(&leaf[0]);
    let issuer = leaf.extension("1.3.6.1.4.1.57264.1.1").value;
    assert_eq!(issuer, provider.url().as_bytes());
    let configuration = served.server.json("/api/v2/configuration");
    assert_eq!(configuration["issuers"][0]["issuerUrl"], provider.url());
    let expired = {
        let mut claims = claims(&provider);
        claims["exp"] = json!(now() - 1);
        rs256(&key, "k", &claims)
    };
    refused(&ask(&served.server, &expired), 400, "expired");
}

#[test]
fn one_issuers_key_is_not_anothers() {
    let (first, second) = (Key::rsa2048(), Key::rsa2048());
    // Both call their key by the same name.
    let (a, b) =
        (Provider::new(&[first.jwk("k", "RS256")]), Provider::new(&[second.jwk("k", "RS256")]));
    let served = serve(&format!("{}{}", email_table(&a), email_table(&b)));
    let server = &served.server;
    let before = ct::size(server);
    refused(&ask(server, &rs256(&second, "k", &claims(&a))), 400, "signature");
    refused(&ask(server, &rs256(&first, "k", &claims(&b))), 400, "signature");
    assert_eq!(ct::size(server), before);
    assert_eq!(ask(server, &rs256(&first, "k", &claims(&a))).status, 200);
    assert_eq!(ask(server, &rs256(&second, "k", &claims(&b))).status, 200);
}

#[test]
fn jws_ecdsa_strict() {
    let (p256, p384) = (Key::p256(), Key::p384());
    let provider = Provider::new(&[p256.jwk("a", "ES256"), p384.jwk("b", "ES384")]);
    let table = email_table(&provider) + "algorithms = [\"ES256\", \"ES384\"]\n";
    let served = serve(&table);
    let server = &served.server;
    let input = |alg: &str, key_id: &str| {
        let header = json!({ "alg": alg, "kid": key_id }).to_string();
        signing_input(&header, &claims(&provider).to_string())
    };
    let send =
        |input: &str, signature: &[u8]| ask(server, &format!("{input}.{}", segment(signature)));
    let es256 = input("ES256", "a");
    let good = p256.sign_fixed(es256.as_bytes());
    assert_eq!(send(&es256, &good).status, 200, "the passing twin");
    let es384 = input("ES384", "b");
    assert_eq!(send(&es384, &p384.sign_fixed(es384.as_bytes())).status, 200);

    let order = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
    let order: Vec<u8> =
        (0..32).map(|at| u8::from_str_radix(&order[at * 2..at * 2 + 2], 16).unwrap()).collect();
    let (r, s) = good.split_at(32);
    for (what, signature) in [
        ("r = s = 0", vec![0; 64]),
        ("r = 0", [&[0; 32], s].concat()),
        ("s = 0", [r, &[0; 32]].concat()),
        ("r = n", [&order[..], s].concat()),
        ("s = n", [r, &order[..]].concat()),
        ("DER", p256.sign(es256.as_bytes())),
        ("a byte less", good[..63].to_vec()),
        ("a byte more", [&good[..], &[0]].concat()),
        ("wide numbers", [&[0; 16], r, &[0; 16], s].concat()),
        ("nothing", vec![]),
    ] {
        let response = send(&es256, &signature);
        assert_eq!(response.status, 400, "{what}: {}", response.text());
    }
    // A curve belongs to its algorithm.
    let crossed = input("ES256", "b");
    refused(&send(&crossed, &p384.sign_fixed(crossed.as_bytes())), 400, "alg");
    let crossed = input("ES384", "a");
    refused(&send(&crossed, &p256.sign_fixed(crossed.as_bytes())), 400, "alg");
}

#[test]
fn jwk_use_alg_size_filtered() {
    let (good, encrypting, small) = (Key::rsa2048(), Key::rsa2048(), rsa1024());
    let mut enc = encrypting.jwk("enc", "RS256");
    enc["use"] = json!("enc");
    let mut oaep = encrypting.jwk("oaep", "RSA-OAEP");
    oaep["use"] = json!("sig");
    let mut wrapping = encrypting.jwk("ops", "RS256");
    wrapping["key_ops"] = json!(["encrypt"]);
    wrapping.as_object_mut().unwrap().remove("use");
    let provider = Provider::new(&[
        json!({ "kty": "OKP", "crv": "X25519", "x": "AAAA", "kid": "x" }),
        json!({ "kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AAAA" }),
        json!({ "kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "btc" }),
        json!({ "kty": "oct", "k": "AAAA", "kid": "secret", "alg": "HS256" }),
        json!({ "kty": "RSA", "kid": "torso" }),
        json!({}),
        enc,
        oaep,
        wrapping,
        small.jwk.clone(),
        good.jwk("good", "RS256"),
    ]);
    let served = serve(&email_table(&provider));
    let server = &served.server;
    let before = ct::size(server);
    for key_id in ["enc", "oaep", "ops"] {
        let response = ask(server, &rs256(&encrypting, key_id, &claims(&provider)));
        assert_eq!(response.status, 400, "{key_id}: {}", response.text());
    }
    let header = json!({ "alg": "RS256", "kid": "small" }).to_string();
    let input = signing_input(&header, &claims(&provider).to_string());
    let response = ask(server, &format!("{input}.{}", segment(&small.sign(&input))));
    assert_eq!(response.status, 400, "RSA-1024: {}", response.text());
    assert_eq!(ct::size(server), before);
    let response = ask(server, &rs256(&good, "good", &claims(&provider)));
    assert_eq!(response.status, 200, "odd neighbours break nothing: {}", response.text());
}

/// A 1024-bit RSA key, which only openssl will still make.
struct Small {
    desk: Desk,
    jwk: Value,
}

impl Small {
    fn sign(&self, input: &str) -> Vec<u8> {
        self.desk.put("input", input);
        let _made =
            self.desk.ok(&["dgst", "-sha256", "-sign", "key.pem", "-out", "signature", "input"]);
        self.desk.get("signature")
    }
}

fn rsa1024() -> Small {
    let desk = Desk::new();
    let bits = "rsa_keygen_bits:1024";
    let _made = desk.ok(&["genpkey", "-algorithm", "RSA", "-pkeyopt", bits, "-out", "key.pem"]);
    let text = desk.ok(&["rsa", "-in", "key.pem", "-noout", "-modulus"]);
    let digits = text.trim().strip_prefix("Modulus=").unwrap();
    let modulus: Vec<u8> = (0..digits.len() / 2)
        .map(|at| u8::from_str_radix(&digits[at * 2..at * 2 + 2], 16).unwrap())
        .collect();
    let jwk = json!({
        "kty": "RSA", "n": segment(&modulus), "e": "AQAB", "kid": "small", "alg": "RS256",
        "use": "sig",
    });
    Small { desk, jwk }
}

#[test]
fn jwks_refetch_rationed() {
    let key = Key::rsa2048();
    let provider = Provider::new(&[key.jwk("k", "RS256")]);
    let served = serve(&email_table(&provider));
    let server = &served.server;
    assert_eq!(ask(server, &rs256(&key, "k", &claims(&provider))).status, 200);
    let fetches = || provider.asked().iter().filter(|path| *path == "/jwks").count();
    let before = fetches();
    assert!((1..=2).contains(&before), "{:?}", provider.asked());
    let stranger = Key::rsa2048();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (provider, stranger) = (&provider, &stranger);
            scope.spawn(move || {
                for number in 0..100 {
                    let key_id = format!("{thread}-{number}");
                    let response = ask(server, &rs256(stranger, &key_id, &claims(provider)));
                    refused(&response, 400, "key id");
                }
            });
        }
        let token = rs256(&key, "k", &claims(&provider));
        for _ in 0..10 {
            assert_eq!(ask(server, &token).status, 200, "valid tokens are served meanwhile");
        }
    });
    let more = fetches() - before;
    assert!(more <= 1, "400 unknown key ids led to {more} fetches");
}

#[test]
fn a_new_key_is_found() {
    let (old, new) = (Key::rsa2048(), Key::rsa2048());
    let provider = Provider::new(&[old.jwk("old", "RS256")]);
    let served = serve(&email_table(&provider));
    assert_eq!(ask(&served.server, &rs256(&old, "old", &claims(&provider))).status, 200);
    provider.page("/jwks", &json!({ "keys": [old.jwk("old", "RS256"), new.jwk("new", "RS256")] }));
    // At most one look every half minute: by then it is there.
    let token = rs256(&new, "new", &claims(&provider));
    let until = Instant::now() + Duration::from_secs(33);
    let mut response = ask(&served.server, &token);
    while response.status == 400 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(500));
        response = ask(&served.server, &token);
    }
    assert_eq!(response.status, 200, "{}", response.text());
}

#[test]
fn discovery_stays_on_host() {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let elsewhere = format!("http://{}", trap.local_addr().unwrap());
    let key = Key::rsa2048();
    let redirect = |target: &str| {
        let head = "HTTP/1.1 302 Found\r\ncontent-length: 0\r\nconnection: close\r\n";
        format!("{head}location: {target}\r\n\r\n").into_bytes()
    };
    type Change<'a> = Box<dyn Fn(&Provider) + 'a>;
    let document = |provider: &Provider, issuer: &str, keys: &str| {
        provider.page(DISCOVERY, &json!({ "issuer": issuer, "jwks_uri": keys }));
    };
    let endless = || {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n";
        [head.as_bytes(), &vec![b' '; 3 * 1024 * 1024]].concat()
    };
    let cases: Vec<(&str, Change<'_>)> = vec![
        ("a redirect of discovery", Box::new(|p| p.raw(DISCOVERY, redirect(&elsewhere)))),
        ("a redirect of the keys", Box::new(|p| p.raw("/jwks", redirect(&elsewhere)))),
        (
            "a redirect to metadata",
            Box::new(|p| {
                p.raw(DISCOVERY, redirect("http://169.254.169.254/latest/meta-data"));
            }),
        ),
        (
            "another issuer's document",
            Box::new(|p| {
                document(p, "https://accounts.example.com", &format!("{}/jwks", p.url()));
            }),
        ),
        (
            "a slash too many",
            Box::new(|p| {
                document(p, &format!("{}/", p.url()), &format!("{}/jwks", p.url()));
            }),
        ),
        ("plain http keys", Box::new(|p| document(p, &p.url(), "http://example.com/jwks"))),
        ("a file", Box::new(|p| document(p, &p.url(), "file:///etc/passwd"))),
        ("endless discovery", Box::new(|p| p.raw(DISCOVERY, endless()))),
        ("endless keys", Box::new(|p| p.raw("/jwks", endless()))),
        (
            "equal names",
            Box::new(|p| {
                let body = format!(
                    "{{\"issuer\":\"x\",\"issuer\":\"{0}\",\"jwks_uri\":\"{0}/jwks\"}}",
                    p.url()
                );
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
                p.raw(DISCOVERY, format!("{head}\r\n\r\n{body}").into_bytes());
            }),
        ),
        ("no document", Box::new(|p| p.raw(DISCOVERY, b"HTTP/1.1 404 x\r\n\r\n".to_vec()))),
        ("no keys", Box::new(|p| p.page("/jwks", &json!({ "keys": [] })))),
        ("not JSON", Box::new(|p| p.raw("/jwks", b"HTTP/1.1 200 OK\r\n\r\n<html>".to_vec()))),
    ];
    // All of them in one server: each issuer stands for itself.
    let providers: Vec<Provider> = cases
        .iter()
        .map(|(_, change)| {
            let provider = Provider::new(&[key.jwk("k", "RS256")]);
            change(&provider);
            provider
        })
        .collect();
    let healthy = Provider::new(&[key.jwk("k", "RS256")]);
    let tables: String = providers.iter().chain([&healthy]).map(email_table).collect();
    let served = serve(&tables);
    let before = served.server.resident_kib();
    for ((what, _), provider) in cases.iter().zip(&providers) {
        let response = ask(&served.server, &rs256(&key, "k", &claims(provider)));
        assert_eq!(response.status, 400, "{what}: {}", response.text());
        refused(&response, 400, &provider.url());
    }
    let called = trap.accept();
    assert!(matches!(&called, Err(error) if error.kind() == ErrorKind::WouldBlock), "{called:?}");
    let grown = served.server.resident_kib().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more");
    assert_eq!(ask(&served.server, &rs256(&key, "k", &claims(&healthy))).status, 200);
    // Readiness tells which issuers can't be used, by name.
    let ready = served.server.get("/readyz");
    let text = ready.text();
    assert!(!text.contains(&healthy.url()), "{text}");
}

#[test]
fn an_issuer_that_is_down_is_503() {
    let key = Key::rsa2048();
    let provider = Provider::new(&[key.jwk("k", "RS256")]);
    let (table, token) = (email_table(&provider), rs256(&key, "k", &claims(&provider)));
    drop(provider);
    let served = serve(&table);
    let before = ct::size(&served.server);
    let response = ask(&served.server, &token);
    refused(&response, 503, "cannot be read");
    assert!(response.header("retry-after").is_some());
    assert_eq!(ct::size(&served.server), before);
}

/// The claims of a GitHub Actions token.
fn github(provider: &Provider) -> Value {
    json!({
        "iss": provider.url(), "aud": "sigstore", "iat": now(), "exp": now() + 300,
        "sub": "repo:octo-org/octo-repo:environment:prod",
        "job_workflow_ref": "octo-org/automation/.github/workflows/oidc.yml@refs/heads/main",
        "job_workflow_sha": "1111111111111111111111111111111111111111",
        "sha": "2222222222222222222222222222222222222222",
        "event_name": "workflow_dispatch",
        "repository": "octo-org/octo-repo",
        "repository_id": "74",
        "repository_owner": "octo-org",
        "repository_owner_id": "65",
        "repository_visibility": "private",
        "workflow": "release & <sign>",
        "workflow_ref": "octo-org/octo-repo/.github/workflows/main.yml@refs/heads/main",
        "workflow_sha": "3333333333333333333333333333333333333333",
        "ref": "refs/heads/main",
        "runner_environment": "github-hosted",
        "run_id": "9007199254740993",
        "run_attempt": "2",
        "environment": "prod",
    })
}

fn github_scene() -> (Key, Provider, e2e::provider::Served) {
    let key = Key::rsa2048();
    let provider = Provider::new(&[key.jwk("k", "RS256")]);
    let table = format!(
        "[[issuer]]\nurl = \"{}\"\nclient_id = \"sigstore\"\ntype = \"ci\"\n\
         provider = \"github-actions\"\n",
        provider.url()
    );
    let served = serve(&table);
    (key, provider, served)
}

fn ask_as_pipeline(server: &Instance, key: &Key, claims: &Value) -> Response {
    let token = rs256(key, "k", claims);
    let subject = claims["sub"].as_str().unwrap_or_default();
    post_v2(server, &token, &challenge(&Key::p256(), subject))
}

#[test]
fn a_workflow_gets_all_its_extensions() {
    let (key, provider, served) = github_scene();
    let response = ask_as_pipeline(&served.server, &key, &github(&provider));
    let chain = chain(&response);
    let leaf = Certificate::read(&chain[0]);
    let san = element(leaf.extension("2.5.29.17").value).0;
    let uri = element(san.content).0;
    let workflow =
        "https://github.com/octo-org/automation/.github/workflows/oidc.yml@refs/heads/main";
    assert_eq!((uri.tag, uri.content), (0x86, workflow.as_bytes()), "the SAN is a URI");
    let arc = |last: u8| format!("1.3.6.1.4.1.57264.1.{last}");
    for (last, value) in [
        (1, provider.url().as_str()),
        (2, "workflow_dispatch"),
        (3, "2222222222222222222222222222222222222222"),
        (4, "release & <sign>"),
        (5, "octo-org/octo-repo"),
        (6, "refs/heads/main"),
    ] {
        let found = leaf.extension(&arc(last)).value;
        assert_eq!(String::from_utf8_lossy(found), value, "1.{last} is raw");
    }
    for (last, value) in [
        (8, provider.url().as_str()),
        (9, workflow),
        (10, "1111111111111111111111111111111111111111"),
        (11, "github-hosted"),
        (12, "https://github.com/octo-org/octo-repo"),
        (13, "2222222222222222222222222222222222222222"),
        (14, "refs/heads/main"),
        (15, "74"),
        (16, "https://github.com/octo-org"),
        (17, "65"),
        (18, "https://github.com/octo-org/octo-repo/.github/workflows/main.yml@refs/heads/main"),
        (19, "3333333333333333333333333333333333333333"),
        (20, "workflow_dispatch"),
        (21, "https://github.com/octo-org/octo-repo/actions/runs/9007199254740993/attempts/2"),
        (22, "private"),
        (23, "prod"),
        (24, "repo:octo-org/octo-repo:environment:prod"),
    ] {
        let text = element(leaf.extension(&arc(last)).value).0;
        let found = String::from_utf8_lossy(text.content).into_owned();
        assert_eq!((text.tag, found.as_str()), (0x0c, value), "1.{last} is a UTF8String");
    }
    let order: Vec<&str> = leaf.extensions.iter().map(|e| e.oid.as_str()).collect();
    let arcs: Vec<u8> = order
        .iter()
        .filter_map(|oid| oid.strip_prefix("1.3.6.1.4.1.57264.1.")?.parse().ok())
        .collect();
    assert!(arcs.is_sorted() && arcs.len() == 23, "{arcs:?}");
    assert!(leaf.extensions.iter().all(|e| !e.oid.starts_with("1.3.6.1.4.1.57264") || !e.critical));
    // An absent optional claim is an absent extension.
    let mut claims = github(&provider);
    claims.as_object_mut().unwrap().remove("environment");
    let chain = e2e::issue::chain(&ask_as_pipeline(&served.server, &key, &claims));
    let leaf = Certificate::read(&chain[0]);
    assert!(leaf.extensions.iter().all(|e| e.oid != arc(23)));
}

#[test]
fn ci_paths_validated_values_verbatim() {
    let (key, provider, served) = github_scene();
    let server = &served.server;
    let with = |claim: &str, value: Value| {
        let mut claims = github(&provider);
        claims[claim] = value;
        ask_as_pipeline(server, &key, &claims)
    };
    for workflow in ["naïve <b>&amp;", "2^53+1 = 9007199254740993", "日本語", "{{ .sha }}", "  x  "]
    {
        let chain = chain(&with("workflow", json!(workflow)));
        let leaf = Certificate::read(&chain[0]);
        let found = leaf.extension("1.3.6.1.4.1.57264.1.4").value;
        assert_eq!(String::from_utf8_lossy(found), workflow);
    }
    let chain = chain(&with("run_id", json!(9_007_199_254_740_993_u64)));
    let url = element(Certificate::read(&chain[0]).extension("1.3.6.1.4.1.57264.1.21").value).0;
    assert!(String::from_utf8_lossy(url.content).contains("/9007199254740993/"), "exact");
    let before = ct::size(server);
    for path in [
        "octo-org/../evil/.github/workflows/x.yml@refs/heads/main",
        "octo-org/./x.yml@refs/heads/main",
        "octo-org//x.yml@refs/heads/main",
        "/octo-org/x.yml@refs/heads/main",
        "octo-org/%2e%2e/x.yml@refs/heads/main",
        "octo-org/x\u{0}/y.yml@refs/heads/main",
        "octo-org/x\n/y.yml@refs/heads/main",
        "octo-org/x.yml?@refs/heads/main",
        "",
    ] {
        let response = with("job_workflow_ref", json!(path));
        assert_eq!(response.status, 400, "{path:?}: {}", response.text());
    }
    for claim in ["job_workflow_ref", "sha", "repository", "repository_id", "ref", "run_id", "sub"]
    {
        for wrong in [json!(null), json!([]), json!({}), json!(["x"])] {
            let response = with(claim, wrong.clone());
            assert_eq!(response.status, 400, "{claim} = {wrong}: {}", response.text());
        }
        let mut claims = github(&provider);
        claims.as_object_mut().unwrap().remove(claim);
        refused(&ask_as_pipeline(server, &key, &claims), 400, claim);
    }
    assert_eq!(ct::size(server), before);
}

#[test]
fn sub_is_not_the_san() {
    let (key, provider, served) = github_scene();
    let mut claims = github(&provider);
    claims["sub"] = json!("repo:victim/repo:ref:refs/heads/main");
    claims["email"] = json!("victim@example.com");
    claims["email_verified"] = json!(true);
    let chain = chain(&ask_as_pipeline(&served.server, &key, &claims));
    let leaf = Certificate::read(&chain[0]);
    let san = element(leaf.extension("2.5.29.17").value).0;
    let uri = String::from_utf8_lossy(element(san.content).0.content).into_owned();
    assert!(uri.starts_with("https://github.com/octo-org/automation/"), "{uri}");
    let subject = element(leaf.extension("1.3.6.1.4.1.57264.1.24").value).0;
    assert_eq!(subject.content, b"repo:victim/repo:ref:refs/heads/main");
    let found = chain[0].windows(6).any(|window| window == b"victim");
    assert!(found, "in extension 24 alone");
    assert!(!chain[0].windows(18).any(|window| window == b"victim@example.com"));
}

/// Jenkins and the like: an issuer of its own, jobs as subjects, and nothing in ca.toml but that.
#[test]
fn a_build_server_of_ones_own_signs_as_its_jobs() {
    let key = Key::rsa2048();
    let provider = Provider::new(&[key.jwk("k", "RS256")]);
    let server = provider.url().replace("http://", "https://");
    let served = serve(&format!(
        "[[issuer]]\nurl = \"{}\"\nclient_id = \"sigstore\"\ntype = \"uri\"\n\
         subject_domain = \"{server}\"\n",
        provider.url()
    ));
    let job = format!("{server}/job/release/job/main/");
    let claims = json!({
        "iss": provider.url(), "sub": job, "aud": "sigstore", "iat": now(), "exp": now() + 300,
        "build_number": 42,
    });
    let chain = chain(&ask_as_pipeline(&served.server, &key, &claims));
    let leaf = Certificate::read(&chain[0]);
    let san = element(leaf.extension("2.5.29.17").value).0;
    assert_eq!(element(san.content).0.content, job.as_bytes());
    for (sub, named) in [
        ("https://other.example/job/release/job/main/".to_owned(), format!("not below {server}/")),
        (format!("{server}/job/release/job/main//"), "empty or a dot path segment".to_owned()),
    ] {
        let mut claims = claims.clone();
        claims["sub"] = json!(sub);
        refused(&ask_as_pipeline(&served.server, &key, &claims), 400, &named);
    }
}

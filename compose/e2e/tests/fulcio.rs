//! The certificate authority: its two doors, and what it answers to nonsense.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::answer::refused;
use e2e::ct::{self, Sct};
use e2e::der::{Certificate, all_pem};
use e2e::instance::Instance;
use e2e::issue::{certificate, chain, challenge, challenge_with, csr, post_v2};
use e2e::key::Key;
use e2e::token::token;
use e2e::{b64, http, issue};
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";

#[test]
fn v2_takes_a_challenge_of_every_key_kind() {
    let server = Instance::shared();
    let token = token(&server, ALICE);
    for key in [Key::p256(), Key::p384(), Key::p521(), Key::ed25519(), Key::rsa2048()] {
        let response = post_v2(&server, &token, &challenge(&key, ALICE));
        let chain = chain(&response);
        assert_eq!(chain.len(), 3, "leaf, issuing CA, root");
        assert_eq!(Certificate::read(&chain[0]).spki, key.spki(), "the proven key");
    }
}

#[test]
fn v2_takes_a_request_of_every_key_kind() {
    let server = Instance::shared();
    let token = token(&server, ALICE);
    for key in [Key::p256(), Key::p384(), Key::p521(), Key::ed25519(), Key::rsa2048()] {
        let chain = chain(&post_v2(&server, &token, &csr(&key.csr())));
        assert_eq!(Certificate::read(&chain[0]).spki, key.spki());
    }
    let key = Key::p256();
    let old_label = key.csr().replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    assert_eq!(post_v2(&server, &token, &csr(&old_label)).status, 200);
}

#[test]
fn v2_takes_the_token_in_the_body_or_the_header() {
    let server = Instance::shared();
    let token = token(&server, ALICE);
    let mut body = challenge(&Key::p256(), ALICE);
    assert_eq!(
        server.post("/api/v2/signingCert", &[("authorization", &token)], &body).status,
        200,
        "without \"Bearer \""
    );
    body["credentials"] = json!({ "oidcIdentityToken": token });
    assert_eq!(server.post("/api/v2/signingCert", &[], &body).status, 200, "in the body");
    refused(&post_v2(&server, &token, &body), 400, "more than one identity token");
    let twice = format!("Bearer {token}");
    let headers = [("authorization", twice.as_str()), ("authorization", twice.as_str())];
    let body = challenge(&Key::p256(), ALICE);
    refused(&server.post("/api/v2/signingCert", &headers, &body), 400, "more than one");
    // An empty one in the body is none, as protojson has it.
    let mut empty = body.clone();
    empty["credentials"] = json!({ "oidcIdentityToken": "" });
    assert_eq!(post_v2(&server, &token, &empty).status, 200);
}

#[test]
fn every_door_authorised() {
    let server = Instance::shared();
    let token = token(&server, ALICE);
    let key = Key::p256();
    let v1 = json!({
        "publicKey": { "content": b64(key.spki()), "algorithm": "ecdsa" },
        "signedEmailAddress": b64(&key.sign(ALICE.as_bytes())),
    });
    let v1_csr = json!({ "certificateSigningRequest": b64(key.csr().as_bytes()) });
    let doors = [
        ("/api/v2/signingCert", challenge(&key, ALICE)),
        ("/api/v2/signingCert", csr(&key.csr())),
        ("/api/v1/signingCert", v1),
        ("/api/v1/signingCert", v1_csr),
    ];
    let bearer = format!("Bearer {token}");
    for (path, body) in &doors {
        refused(&server.post(path, &[], body), 400, "no identity token");
        refused(&server.post(path, &[("authorization", "")], body), 400, "token");
        refused(&server.post(path, &[("authorization", "Bearer ")], body), 400, "token");
        refused(&server.post(path, &[("cookie", &bearer)], body), 400, "no identity token");
        refused(
            &server.post(path, &[("x-authorization", &bearer)], body),
            400,
            "no identity token",
        );
        let in_query = format!("{path}?access_token={token}");
        refused(&server.post(&in_query, &[], body), 400, "no identity token");
        let twice = [("authorization", bearer.as_str()), ("authorization", bearer.as_str())];
        refused(&server.post(path, &twice, body), 400, "more than one");
        let good = server.post(path, &[("authorization", &bearer)], body);
        assert!(matches!(good.status, 200 | 201), "the passing twin: {}", good.text());
    }
}

#[test]
fn v1_answers_pem() {
    let server = Instance::shared();
    let bearer = format!("Bearer {}", token(&server, ALICE));
    let key = Key::p256();
    let proof = b64(&key.sign(ALICE.as_bytes()));
    for content in [b64(key.spki()), b64(key.pem().as_bytes())] {
        // gitsign sends the null, sigstore-rs the DER.
        let body = json!({
            "publicKey": { "content": content, "algorithm": "ecdsa" },
            "signedEmailAddress": proof,
            "certificateSigningRequest": null,
        });
        let response =
            server.post("/api/v1/signingCert", &[("authorization", &bearer)], &body).expect(201);
        assert_eq!(response.header("content-type"), Some("application/pem-certificate-chain"));
        assert_eq!(response.header("sct"), None, "the SCT is in the certificate");
        let text = response.text();
        assert!(!text.contains("\n\n"), "one line feed between certificates");
        let chain = all_pem(&text);
        assert_eq!(chain.len(), 3);
        assert_eq!(Certificate::read(&chain[0]).spki, key.spki());
    }
    let body = json!({ "certificateSigningRequest": b64(key.csr().as_bytes()) });
    server.post("/api/v1/signingCert", &[("authorization", &bearer)], &body).expect(201);
    let nothing = server.post("/api/v1/signingCert", &[("authorization", &bearer)], &json!({}));
    refused(&nothing, 400, "public key");
}

#[test]
fn reads_describe_the_instance() {
    let server = Instance::shared();
    let bundle = server.json("/api/v2/trustBundle");
    let certificates = bundle["chains"][0]["certificates"].as_array().unwrap().clone();
    assert_eq!(certificates.len(), 2);
    assert!(certificates.iter().all(|pem| pem.as_str().unwrap().ends_with("-----\n")));
    let root = server.get("/api/v1/rootCert").expect(200);
    assert_eq!(root.header("content-type"), Some("application/pem-certificate-chain"));
    let ders: Vec<Vec<u8>> =
        certificates.iter().flat_map(|pem| all_pem(pem.as_str().unwrap())).collect();
    assert_eq!(all_pem(&root.text()), ders);
    let (_, chain) = certificate(&server, ALICE);
    assert_eq!(chain[1..], ders[..]);

    let issuers = server.json("/api/v2/configuration")["issuers"].clone();
    assert_eq!(issuers.as_array().unwrap().len(), 1);
    let issuer = &issuers[0];
    assert_eq!(issuer["issuerUrl"], format!("{}/oidc", server.base()));
    assert_eq!(issuer["audience"], "sigstore");
    assert_eq!(issuer["challengeClaim"], "email");
    assert_eq!(issuer["issuerType"], "email");
    for empty in ["spiffeTrustDomain", "subjectDomain"] {
        assert_eq!(issuer[empty], "", "{issuer}");
    }
    assert_eq!(issuer["skipEmailVerification"], false);
}

#[test]
fn proven_key_is_certified_key() {
    let server = Instance::shared();
    let token = token(&server, ALICE);
    let (mine, other) = (Key::p256(), Key::p256());
    let mut both = challenge(&mine, ALICE);
    both["certificateSigningRequest"] = Value::String(b64(other.csr().as_bytes()));
    refused(&post_v2(&server, &token, &both), 400, "side by side");
    let by_another = challenge_with(&other.pem(), &mine.sign(ALICE.as_bytes()));
    refused(&post_v2(&server, &token, &by_another), 400, "challenge");
    let of_another = challenge(&mine, "bob@example.com");
    refused(&post_v2(&server, &token, &of_another), 400, "challenge");
    let folded = challenge(&mine, "Alice@example.com");
    refused(&post_v2(&server, &token, &folded), 400, "challenge");
    let stolen = csr(&mine.csr_for(other.spki()));
    refused(&post_v2(&server, &token, &stolen), 400, "not signed by its own key");
    let mut unproven = challenge(&mine, ALICE);
    unproven["publicKeyRequest"]["proofOfPossession"] = Value::Null;
    refused(&post_v2(&server, &token, &unproven), 400, "proof of possession");
    refused(&post_v2(&server, &token, &json!({})), 400, "neither");
    let v1 = json!({
        "publicKey": { "content": b64(mine.spki()), "algorithm": "ecdsa" },
        "signedEmailAddress": b64(&mine.sign(ALICE.as_bytes())),
        "certificateSigningRequest": b64(other.csr().as_bytes()),
    });
    let bearer = format!("Bearer {token}");
    refused(
        &server.post("/api/v1/signingCert", &[("authorization", &bearer)], &v1),
        400,
        "side by side",
    );
}

#[test]
fn protojson_leniency() {
    let server = Instance::shared();
    let token = token(&server, ALICE);
    let key = Key::p256();
    let good = challenge(&key, ALICE);
    for algorithm in [
        json!("RSA"),
        json!(""),
        json!("ED25519"),
        json!("garbage"),
        json!(7),
        json!(null),
        json!([]),
    ] {
        let mut body = good.clone();
        body["publicKeyRequest"]["publicKey"]["algorithm"] = algorithm.clone();
        assert_eq!(post_v2(&server, &token, &body).status, 200, "{algorithm}");
    }
    let mut unknown = good.clone();
    unknown["somethingNew"] = json!({ "a": [1, 2] });
    unknown["publicKeyRequest"]["more"] = json!("x");
    assert_eq!(post_v2(&server, &token, &unknown).status, 200, "unknown members are ignored");
    let mut null = good.clone();
    null["certificateSigningRequest"] = Value::Null;
    null["credentials"] = Value::Null;
    assert_eq!(post_v2(&server, &token, &null).status, 200, "null is absent");
    let proof = good["publicKeyRequest"]["proofOfPossession"].as_str().unwrap();
    let url_safe = proof.replace('+', "-").replace('/', "_");
    let mut spelled = good.clone();
    spelled["publicKeyRequest"]["proofOfPossession"] = json!(url_safe.trim_end_matches('='));
    assert_eq!(post_v2(&server, &token, &spelled).status, 200, "URL-safe, unpadded base64");
    let snake = json!({ "public_key_request": {
        "public_key": { "algorithm": "ECDSA", "content": key.pem() },
        "proof_of_possession": proof,
    }});
    assert_eq!(post_v2(&server, &token, &snake).status, 200, "snake_case names");
    let bearer = format!("Bearer {token}");
    // sigstore-python asks v2 for PEM and must get JSON; some clients name a charset or no type.
    for headers in [
        vec![("content-type", "application/json"), ("accept", "application/pem-certificate-chain")],
        vec![("content-type", "application/json; charset=utf-8")],
        vec![],
    ] {
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend(&headers);
        let text = good.to_string();
        let answer = server.request("POST", "/api/v2/signingCert", &all, text.as_bytes());
        assert_eq!(answer.status, 200, "{headers:?}: {}", answer.text());
        answer.json();
    }
}

#[test]
fn json_duplicate_members_refused() {
    let server = Instance::shared();
    let bearer = format!("Bearer {}", token(&server, ALICE));
    let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
    let key = Key::p256();
    let good = challenge(&key, ALICE).to_string();
    let send =
        |text: &str| server.request("POST", "/api/v2/signingCert", &headers, text.as_bytes());
    assert_eq!(send(&good).status, 200, "the passing twin");
    let twice = good.replacen('{', "{\"x\":1,\"x\":1,", 1);
    refused(&send(&twice), 400, "x");
    let hidden = good.replacen('{', "{\"public\\u004beyRequest\":null,", 1);
    refused(&send(&hidden), 400, "publicKeyRequest");
    let proof = format!("\"proofOfPossession\":\"{}\"", b64(b"other"));
    let inside =
        good.replacen("\"proofOfPossession\"", &format!("{proof},\"proofOfPossession\""), 1);
    refused(&send(&inside), 400, "proofOfPossession");
    for broken in ["", "{", "[]", "null", "7", "\"x\"", "{}{}", "{\"a\":01}", "{'a':1}", "\u{1}"] {
        refused(&send(broken), 400, "");
    }
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    refused(&send(&deep), 400, "deep");
}

#[test]
fn wrong_methods_say_what_is_right() {
    let server = Instance::shared();
    for (path, allowed) in [
        ("/api/v2/signingCert", "POST"),
        ("/api/v1/signingCert", "POST"),
        ("/api/v2/log/entries", "POST"),
        ("/api/v1/timestamp", "POST"),
        ("/ct/v1/add-chain", "POST"),
        ("/ct/v1/add-pre-chain", "POST"),
        ("/api/v2/trustBundle", "GET"),
        ("/api/v2/configuration", "GET"),
        ("/api/v1/rootCert", "GET"),
        ("/api/v2/checkpoint", "GET"),
        ("/checkpoint", "GET"),
        ("/ct/checkpoint", "GET"),
        ("/ct/v1/get-sth", "GET"),
        ("/healthz", "GET"),
        ("/trusted_root.json", "GET"),
    ] {
        let wrong = if allowed == "POST" { "GET" } else { "POST" };
        for method in [wrong, "DELETE", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            let response = server.request(method, path, &[], b"");
            refused(&response, 405, "allow");
            let allow = response.header("allow").unwrap_or_default().to_owned();
            assert!(allow.contains(allowed), "{method} {path}: {allow}");
        }
    }
}

#[test]
fn unknown_paths_are_404_in_json() {
    let server = Instance::shared();
    for path in [
        "/",
        "/api",
        "/api/v3/signingCert",
        "/api/v2/signingCert/",
        "/api/v2/signingcert",
        "/favicon.ico",
        "/ct",
        "/ct/",
        "/ct/v1/",
        "/ct/v2/get-sth",
        "/oidc",
        "/oidc/x",
        "/public/",
        "/keys/log.pem",
        "/ca.toml",
        "/log.db",
    ] {
        let response = server.get(path);
        assert_eq!(response.status, 404, "{path}: {}", response.text());
        let body = response.json();
        assert!(body["message"].is_string() || body["error"].is_string(), "{path}: {body}");
        assert_eq!(server.request("POST", path, &[], b"{}").status, 404, "POST {path}");
    }
}

#[test]
fn other_content_types_are_refused() {
    let server = Instance::shared();
    let bearer = format!("Bearer {}", token(&server, ALICE));
    let body = challenge(&Key::p256(), ALICE).to_string();
    for path in
        ["/api/v2/signingCert", "/api/v1/signingCert", "/api/v2/log/entries", "/ct/v1/add-chain"]
    {
        for kind in
            ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json", ""]
        {
            let headers = [("content-type", kind), ("authorization", bearer.as_str())];
            let response = server.request("POST", path, &headers, body.as_bytes());
            refused(&response, 415, "application/json");
        }
    }
}

#[test]
fn refusals_are_counted_and_recorded() {
    let server = Instance::dev();
    let (_, chain) = certificate(&server, ALICE);
    let issuer = format!("{}/oidc", server.base());
    assert_eq!(server.metric("fulcio_new_certs"), 1.0);
    let by_issuer = format!("paraph_certificates_issued_total{{issuer=\"{issuer}\"}}");
    assert_eq!(server.metric(&by_issuer), 1.0, "{}", server.metrics());
    let forger = e2e::token::Forger::new(&server);
    let expired = forger.changed(ALICE, "exp", e2e::token::Change::Set(json!(1)));
    refused(&issue::with_token(&server, &expired, ALICE), 400, "expired");
    let reason = "paraph_refusals_total{face=\"ca\",reason=\"token-expired\"}";
    assert_eq!(server.metric(reason), 1.0, "{}", server.metrics());
    assert!(server.metrics().contains("fulcio_api_latency_bucket{code=\"200\",method=\"post\""));

    let bob = token(&server, "bob@example.com");
    let unproven = challenge(&Key::p256(), ALICE);
    refused(&post_v2(&server, &bob, &unproven), 400, "challenge");
    // Rows of refusals are written with the next commit.
    let (_, second) = certificate(&server, "carol@example.com");
    let stopped = server.terminate();
    let rows = e2e::audit::rows(stopped.dir());
    let event = |row: &Value| row["event"].as_str().unwrap_or_default().to_owned();
    let issued: Vec<&Value> = rows.iter().filter(|row| event(row) == "issued").collect();
    let refusals: Vec<&Value> = rows.iter().filter(|row| event(row) == "refused").collect();
    assert_eq!((issued.len(), refusals.len()), (2, 2), "{rows:?}");
    for (row, (leaf, email)) in
        issued.iter().zip([(&chain[0], ALICE), (&second[0], "carol@example.com")])
    {
        assert_eq!(row["subject"], email);
        assert_eq!(row["issuer"], issuer);
        let serial = row["serial"].as_str().unwrap().trim_start_matches('0');
        let of_leaf = e2e::hex(Certificate::read(leaf).serial);
        assert_eq!(serial, of_leaf.trim_start_matches('0'));
        assert_eq!(row["ctIndex"], Sct::embedded(leaf).leaf_index());
    }
    assert_eq!(refusals[0]["reason"], "token-expired");
    assert_eq!(refusals[1]["subject"], "bob@example.com");
}

#[test]
fn errors_leak_nothing() {
    let server = Instance::dev_with(&["--log-level", "trace", "--log-format", "json"]);
    let good = token(&server, ALICE);
    let body = challenge(&Key::p256(), ALICE);
    assert_eq!(post_v2(&server, &good, &body).status, 200);
    let forger = e2e::token::Forger::new(&server);
    let bad = forger.changed(ALICE, "aud", e2e::token::Change::Set(json!("other")));
    let answer = post_v2(&server, &bad, &body);
    refused(&answer, 400, "aud");
    let mut tampered = good.clone();
    tampered.pop();
    let tampered = issue::with_token(&server, &tampered, ALICE);
    for text in [answer.text(), tampered.text(), server.log(), server.metrics()] {
        for token in [&good, &bad] {
            for segment in token.split('.').skip(1) {
                assert!(!text.contains(segment), "a token is in {text}");
            }
        }
    }
    let keys = std::fs::read_dir(server.dir().join("keys")).unwrap();
    for key in keys.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap()) {
        let line = key.lines().nth(1).unwrap();
        assert!(!server.log().contains(line), "a key is in the log");
    }
    let log = server.log();
    assert!(log.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{log}");
}

#[test]
fn request_ids_lead_to_the_log() {
    let server = Instance::dev();
    let response = server.post("/api/v2/signingCert", &[], &json!({}));
    let id = response.header("x-request-id").expect("a request id").to_owned();
    assert!(server.log().contains(&id), "{id} is not in {}", server.log());
    let other = http::request(server.port(), "GET", "/healthz", &[], b"").unwrap();
    assert_ne!(other.header("x-request-id"), Some(id.as_str()));
}

#[test]
fn crash_of_a_client_issues_nothing_twice() {
    // A request that breaks off before its end leaves neither a certificate nor an entry.
    let server = Instance::dev();
    let bearer = format!("Bearer {}", token(&server, ALICE));
    let before = ct::size(&server);
    let body = challenge(&Key::p256(), ALICE).to_string();
    for cut in [0, 1, body.len() / 2, body.len() - 1] {
        let mut connection = server.connect();
        let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
        let head = connection.head("POST", "/api/v2/signingCert", &headers, Some(body.len()));
        connection.raw(head.as_bytes()).unwrap();
        connection.raw(&body.as_bytes()[..cut]).unwrap();
    }
    let (_, chain) = certificate(&server, ALICE);
    assert_eq!(Sct::embedded(&chain[0]).leaf_index(), before);
    assert_eq!(ct::size(&server), before + 1);
}

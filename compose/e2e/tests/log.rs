//! The artifact log: what it takes, and what it answers.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use e2e::answer::refused;
use e2e::der::{Certificate, pem};
use e2e::instance::Instance;
use e2e::issue::certificate;
use e2e::key::{Key, p256_verifies};
use e2e::log::Log;
use e2e::rekor::{Entry, hashed_rekord, hashed_rekord_of, log_key, post, published, verifier};
use e2e::{b64, sha256, unb64};
use serde_json::{Value, json};

fn add(server: &Instance, body: &Value) -> Entry {
    let response = post(server, body).expect(201);
    published(&response.json(), &log_key(server))
}

#[test]
fn an_entry_comes_back_with_its_proof() {
    let server = Instance::shared();
    let (key, chain) = certificate(&server, "alice@example.com");
    let message = b"an artifact";
    let signature = key.sign(message);
    let mut request = hashed_rekord_of(&sha256(message), &signature, &key);
    request["hashedRekordRequestV002"]["signature"]["verifier"] = json!({
        "x509Certificate": { "rawBytes": b64(&chain[0]) },
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
    });
    let entry = add(&server, &request);
    assert!(entry.index > 0, "index 0 is the log's own");
    // RFC 8785 of strings: members sorted, nothing between them.
    let body = format!(
        "{{\"apiVersion\":\"0.0.2\",\"kind\":\"hashedrekord\",\"spec\":{{\"hashedRekordV002\":\
         {{\"data\":{{\"algorithm\":\"SHA2_256\",\"digest\":\"{}\"}},\"signature\":{{\"content\":\
         \"{}\",\"verifier\":{{\"keyDetails\":\"PKIX_ECDSA_P256_SHA_256\",\"x509Certificate\":\
         {{\"rawBytes\":\"{}\"}}}}}}}}}}}}",
        b64(&sha256(message)),
        b64(&signature),
        b64(&chain[0])
    );
    assert_eq!(String::from_utf8(entry.body).unwrap(), body);
}

#[test]
fn every_allowed_key_kind_is_logged() {
    let server = Instance::shared();
    for (key, algorithm, length) in [
        (Key::p256(), "SHA2_256", 32),
        (Key::p384(), "SHA2_384", 48),
        (Key::p521(), "SHA2_512", 64),
        (Key::rsa2048(), "SHA2_256", 32),
    ] {
        let message = b"a message";
        let digest = digest(algorithm, message);
        assert_eq!(digest.len(), length);
        let entry = add(&server, &hashed_rekord_of(&digest, &key.sign(message), &key));
        let body: Value = serde_json::from_slice(&entry.body).unwrap();
        let data = &body["spec"]["hashedRekordV002"]["data"];
        assert_eq!(data["algorithm"], algorithm);
        assert_eq!(data["digest"], b64(&digest));
    }
}

fn digest(algorithm: &str, message: &[u8]) -> Vec<u8> {
    use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
    let algorithm = match algorithm {
        "SHA2_384" => &SHA384,
        "SHA2_512" => &SHA512,
        _ => &SHA256,
    };
    digest(algorithm, message).as_ref().to_vec()
}

#[test]
fn a_repeated_entry_keeps_its_index() {
    let server = Instance::shared();
    let key = Key::p256();
    let request = hashed_rekord(&key, b"once");
    let first = add(&server, &request);
    let other = add(&server, &hashed_rekord(&key, b"something else"));
    let again = add(&server, &request);
    assert_eq!((again.index, &again.body), (first.index, &first.body));
    assert!(again.checkpoint.size >= other.checkpoint.size, "a fresh proof");
    // ECDSA is randomised: another signature is another entry.
    assert_ne!(add(&server, &hashed_rekord(&key, b"once")).index, first.index);
}

#[test]
fn at_once_and_repeated_is_one_entry() {
    let server = Instance::dev();
    let request = hashed_rekord(&Key::p256(), b"in a race");
    let indexes: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..16).map(|_| scope.spawn(|| add(&server, &request).index)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(indexes, vec![1; 16]);
    assert_eq!(Log::read(&server).checkpoint.size, 2);
}

#[test]
fn leaf_zero_is_a_leaf() {
    let server = Instance::dev();
    let key = log_key(&server);
    let log = Log::read(&server);
    assert_eq!((log.checkpoint.size, log.entries.len()), (1, 1), "one entry at birth");
    log.checkpoint.must_be_signed("localhost", &key);
    let body: Value = serde_json::from_slice(&log.entries[0]).unwrap();
    let record = &body["spec"]["hashedRekordV002"];
    assert_eq!(record["data"]["digest"], b64(&sha256(&key)), "over the log key's SPKI");
    let verifier = &record["signature"]["verifier"];
    let raw = unb64(verifier["publicKey"]["rawBytes"].as_str().unwrap());
    assert_ne!(raw, key, "signed by a key of its own: a log key signs only checkpoints");
    let signature = unb64(record["signature"]["content"].as_str().unwrap());
    assert!(p256_verifies(&raw, &key, &signature));
    assert_eq!(add(&server, &hashed_rekord(&Key::p256(), b"first")).index, 1);
}

#[test]
fn dsse_is_logged_as_its_pae() {
    let server = Instance::shared();
    let (key, chain) = certificate(&server, "alice@example.com");
    let payload = br#"{"_type":"https://in-toto.io/Statement/v1"}"#;
    let kind = "application/vnd.in-toto+json";
    let pae =
        [format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).as_bytes(), payload.as_slice()]
            .concat();
    let signature = key.sign(&pae);
    let request = json!({ "dsseRequestV002": {
        "envelope": {
            "payload": b64(payload),
            "payloadType": kind,
            "signatures": [{ "sig": b64(&signature), "keyid": "" }],
        },
        "verifiers": [{
            "x509Certificate": { "rawBytes": b64(&chain[0]) },
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        }],
    }});
    let entry = add(&server, &request);
    let body: Value = serde_json::from_slice(&entry.body).unwrap();
    assert_eq!(body["kind"], "hashedrekord", "no dsse 0.0.2 body is written");
    let record = &body["spec"]["hashedRekordV002"];
    assert_eq!(record["data"]["digest"], b64(&sha256(&pae)));
    assert_eq!(record["signature"]["content"], b64(&signature));
    // The same signature sent as a hashedrekord is the same entry.
    let mut direct = hashed_rekord_of(&sha256(&pae), &signature, &key);
    direct["hashedRekordRequestV002"]["signature"]["verifier"] =
        request["dsseRequestV002"]["verifiers"][0].clone();
    assert_eq!(add(&server, &direct).index, entry.index);

    let size = Log::read(&server).checkpoint.size;
    let change = |change: &dyn Fn(&mut Value)| {
        let mut request = request.clone();
        change(&mut request["dsseRequestV002"]);
        post(&server, &request)
    };
    let two = json!([{ "sig": b64(&signature) }, { "sig": b64(&signature) }]);
    refused(&change(&|r| r["envelope"]["signatures"] = two.clone()), 400, "signatures");
    refused(&change(&|r| r["envelope"]["signatures"] = json!([])), 400, "signatures");
    let twice = json!([request["dsseRequestV002"]["verifiers"][0], verifier(&key)]);
    refused(&change(&|r| r["verifiers"] = twice.clone()), 400, "verifiers");
    refused(&change(&|r| r["verifiers"] = json!([])), 400, "verifiers");
    refused(&change(&|r| r["envelope"]["payload"] = json!(b64(b"other"))), 400, "signature");
    refused(&change(&|r| r["envelope"]["payloadType"] = json!("x/y")), 400, "signature");
    refused(&change(&|r| r["envelope"]["payloadType"] = json!("")), 400, "payloadType");
    assert!(Log::read(&server).checkpoint.size >= size);
}

#[test]
fn algorithm_table_enforced() {
    let server = Instance::dev();
    let (p256, p384, rsa, ed) = (Key::p256(), Key::p384(), Key::rsa2048(), Key::ed25519());
    let message = b"a message";
    let sha384 = digest("SHA2_384", message);
    let with_details = |mut request: Value, details: Value| {
        request["hashedRekordRequestV002"]["signature"]["verifier"]["keyDetails"] = details;
        request
    };
    for (what, request, named) in [
        ("pure Ed25519", hashed_rekord(&ed, message), "PKIX_ED25519"),
        ("SHA-384 digest of 32 bytes", hashed_rekord(&p384, message), "digest"),
        ("SHA-256 digest of 48", hashed_rekord_of(&sha384, &p256.sign(message), &p256), "digest"),
        ("20 bytes", hashed_rekord_of(&[1; 20], &p256.sign(message), &p256), "digest"),
        (
            "another message",
            hashed_rekord_of(&sha256(b"x"), &p256.sign(message), &p256),
            "signature",
        ),
        (
            "another key",
            hashed_rekord_of(&sha256(message), &p256.sign(message), &Key::p256()),
            "signature",
        ),
        (
            "half a signature",
            hashed_rekord_of(&sha256(message), &p256.sign(message)[..20], &p256),
            "signature",
        ),
    ] {
        refused(&post(&server, &request), 400, named);
        let _ = what;
    }
    let good = hashed_rekord(&p256, message);
    for details in [
        json!("PKIX_ECDSA_P384_SHA_384"),
        json!("PKIX_RSA_PKCS1V15_2048_SHA256"),
        json!("PKIX_RSA_PSS_2048_SHA256"),
        json!("PKIX_ECDSA_P256_HMAC_SHA_256"),
        json!("PKIX_ED25519_PH"),
        json!("PUBLIC_KEY_DETAILS_UNSPECIFIED"),
        json!("nonsense"),
        json!(""),
        json!(null),
    ] {
        refused(&post(&server, &with_details(good.clone(), details)), 400, "key");
    }
    let pss = rsa.sign_rsa(&aws_lc_rs::signature::RSA_PSS_SHA256, message);
    refused(&post(&server, &hashed_rekord_of(&sha256(message), &pss, &rsa)), 400, "signature");
    // A P-256 key that signs with SHA-512 fits no row.
    refused(
        &post(&server, &hashed_rekord_of(&digest("SHA2_512", message), &p256.sign(message), &p256)),
        400,
        "digest",
    );
    assert_eq!(Log::read(&server).checkpoint.size, 1, "nothing was logged");
    assert_eq!(add(&server, &good).index, 1);
}

#[test]
fn entry_parsers_total() {
    let server = Instance::dev();
    let key = Key::p256();
    let good = hashed_rekord(&key, b"walked");
    // Every member missing, null, and of every other type.
    let mut paths = Vec::new();
    walk(&good, &mut Vec::new(), &mut paths);
    let mut refusals = 0;
    for path in &paths {
        for wrong in [
            None,
            Some(json!(null)),
            Some(json!(7)),
            Some(json!([])),
            Some(json!({})),
            Some(json!("x")),
            Some(json!("")),
            Some(json!(true)),
            Some(json!("AAAA")),
        ] {
            let mut request = good.clone();
            let (last, above) = path.split_last().unwrap();
            let parent = above.iter().fold(&mut request, |value, name| &mut value[name.as_str()]);
            let parent = parent.as_object_mut().unwrap();
            match &wrong {
                Some(value) => parent.insert(last.clone(), value.clone()),
                None => parent.remove(last),
            };
            let response = post(&server, &request);
            assert_eq!(response.status, 400, "{path:?} = {wrong:?}: {}", response.text());
            refused(&response, 400, "");
            refusals += 1;
        }
        let mut request = good.clone();
        let (_, above) = path.split_last().unwrap();
        let parent = above.iter().fold(&mut request, |value, name| &mut value[name.as_str()]);
        parent["unknownMember"] = json!(1);
        refused(&post(&server, &request), 400, "unknownMember");
    }
    assert!(refusals >= 50, "{refusals}");
    assert_eq!(Log::read(&server).checkpoint.size, 1, "nothing was logged");
    assert_eq!(add(&server, &good).index, 1, "the passing twin");
}

fn walk(value: &Value, at: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    for (name, below) in value.as_object().into_iter().flatten() {
        at.push(name.clone());
        found.push(at.clone());
        walk(below, at, found);
        at.pop();
    }
}

#[test]
fn only_needed_kinds() {
    let server = Instance::shared();
    let good = hashed_rekord(&Key::p256(), b"kinds");
    let inner = good["hashedRekordRequestV002"].clone();
    for kind in [
        "jar",
        "apk",
        "rpm",
        "helm",
        "cose",
        "rekord",
        "intoto",
        "hashedRekordRequestV003",
        "hashedRekordRequestV0_0_2",
        "dsseRequestV003",
    ] {
        refused(&post(&server, &json!({ kind: inner.clone() })), 400, kind);
    }
    let v1 = json!({ "apiVersion": "0.0.1", "kind": "hashedrekord", "spec": {} });
    refused(&post(&server, &v1), 400, "");
    let mut both = good.clone();
    both["dsseRequestV002"] = json!({});
    refused(&post(&server, &both), 400, "both");
    refused(&post(&server, &json!({})), 400, "neither");
    let snake = json!({ "hashed_rekord_request_v002": {
        "digest": inner["digest"],
        "signature": {
            "content": inner["signature"]["content"],
            "verifier": {
                "public_key": { "raw_bytes": inner["signature"]["verifier"]["publicKey"]["rawBytes"] },
                "key_details": "PKIX_ECDSA_P256_SHA_256",
            },
        },
    }});
    assert_eq!(post(&server, &snake).status, 201, "protojson takes both spellings");
}

#[test]
fn verifiers_are_der() {
    let server = Instance::shared();
    let (key, chain) = certificate(&server, "alice@example.com");
    let with_verifier = |verifier: Value| {
        let mut request = hashed_rekord(&key, b"verifiers");
        request["hashedRekordRequestV002"]["signature"]["verifier"] = verifier;
        post(&server, &request)
    };
    let details = "PKIX_ECDSA_P256_SHA_256";
    let public =
        |bytes: &[u8]| json!({ "publicKey": { "rawBytes": b64(bytes) }, "keyDetails": details });
    let leaf = |bytes: &[u8]| json!({ "x509Certificate": { "rawBytes": b64(bytes) }, "keyDetails": details });
    refused(&with_verifier(public(key.pem().as_bytes())), 400, "publicKey");
    refused(&with_verifier(leaf(pem("CERTIFICATE", &chain[0]).as_bytes())), 400, "x509Certificate");
    refused(&with_verifier(public(&[key.spki(), &[0]].concat())), 400, "publicKey");
    refused(&with_verifier(leaf(&[&chain[0][..], &[0]].concat())), 400, "x509Certificate");
    refused(&with_verifier(public(&key.spki()[..40])), 400, "publicKey");
    refused(&with_verifier(leaf(&chain[1])), 400, "signature");
    refused(&with_verifier(leaf(key.spki())), 400, "x509Certificate");
    let mut off_curve = key.spki().to_vec();
    *off_curve.last_mut().unwrap() ^= 1;
    refused(&with_verifier(public(&off_curve)), 400, "");
    let mut both = public(key.spki());
    both["x509Certificate"] = json!({ "rawBytes": b64(&chain[0]) });
    refused(&with_verifier(both), 400, "both");
    assert_eq!(with_verifier(leaf(&chain[0])).status, 201);
    assert_eq!(with_verifier(public(Certificate::read(&chain[0]).spki)).status, 201);
}

#[test]
fn server_fetches_no_client_url() {
    let server = Instance::shared();
    let trap = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("http://{}/key", trap.local_addr().unwrap());
    let mut request = hashed_rekord(&Key::p256(), b"url");
    let verifier = &mut request["hashedRekordRequestV002"]["signature"]["verifier"];
    verifier["publicKey"] = json!({ "url": url });
    refused(&post(&server, &request), 400, "url");
    std::thread::sleep(Duration::from_millis(200));
    assert!(trap.accept().is_err(), "somebody fetched it");
}

#[test]
fn canonical_body_exact() {
    let server = Instance::shared();
    let key = Key::p256();
    let request = hashed_rekord(&key, b"exact");
    let first = add(&server, &request);
    let text = request.to_string();
    // Other spellings of the same request are the same entry, byte for byte.
    let digest = request["hashedRekordRequestV002"]["digest"].as_str().unwrap();
    let escaped: String = digest.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let spelled = text.replace(digest, &escaped).replace(':', " :\t").replace(',', ",\n");
    let send = |text: &str| {
        let headers = [("content-type", "application/json")];
        server.request("POST", "/api/v2/log/entries", &headers, text.as_bytes())
    };
    let again = published(&send(&spelled).expect(201).json(), &log_key(&server));
    assert_eq!((again.index, again.body), (first.index, first.body));
    let url_safe = digest.replace('+', "-").replace('/', "_").replace('=', "");
    let again = send(&text.replace(digest, &url_safe)).expect(201);
    assert_eq!(published(&again.json(), &log_key(&server)).index, first.index);
    for broken in [
        text.replacen('{', "{\"hashedRekordRequestV002\":null,", 1),
        text.replacen("\"digest\"", "\"digest\":\"AA==\",\"digest\"", 1),
        text.replacen("\"digest\"", "\"d\\u0069gest\":\"AA==\",\"digest\"", 1),
        format!("{text}{text}"),
        format!("\u{feff}{text}"),
        text[..text.len() - 1].to_owned(),
    ] {
        refused(&send(&broken), 400, "");
    }
}

#[test]
fn an_entry_has_at_most_65535_bytes() {
    let server = Instance::shared();
    let (key, chain) = certificate(&server, "alice@example.com");
    // A certificate that is too large to be logged: openssl makes it, with a long comment.
    let desk = e2e::openssl::Desk::new();
    let long = format!("nsComment={}", "x".repeat(60_000));
    desk.put("config", format!("[req]\ndistinguished_name=dn\n[dn]\n[ext]\n{long}\n"));
    let curve = "ec_paramgen_curve:prime256v1";
    let _made = desk.ok(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        curve,
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "big.der",
        "-outform",
        "DER",
        "-subj",
        "/CN=big",
        "-config",
        "config",
        "-extensions",
        "ext",
    ]);
    let _key = desk.ok(&["dgst", "-sha256", "-sign", "key.pem", "-out", "signature", "config"]);
    let mut request = hashed_rekord_of(&sha256(&desk.get("config")), &desk.get("signature"), &key);
    let verifier = &mut request["hashedRekordRequestV002"]["signature"]["verifier"];
    *verifier = json!({
        "x509Certificate": { "rawBytes": b64(&desk.get("big.der")) },
        "keyDetails": "PKIX_ECDSA_P256_SHA_256",
    });
    refused(&post(&server, &request), 400, "");
    assert!(chain.len() == 3);
}

#[test]
fn a_client_that_hangs_up_fails_nobody() {
    let server = Instance::dev();
    let key = Key::p256();
    let path = "/api/v2/log/entries";
    let headers = [("content-type", "application/json")];
    let bodies: Vec<String> =
        (0..40).map(|n| hashed_rekord(&key, format!("gone {n}").as_bytes()).to_string()).collect();
    std::thread::scope(|scope| {
        for body in &bodies {
            let server = &server;
            scope.spawn(move || {
                let mut connection = server.connect();
                let head = connection.head("POST", path, &headers, Some(body.len()));
                connection.raw(format!("{head}{body}").as_bytes()).unwrap();
                // Gone before the answer.
                drop(connection);
            });
        }
        for n in 0..20 {
            let (server, key) = (&server, &key);
            scope.spawn(move || {
                let body = hashed_rekord(key, format!("waiting {n}").as_bytes());
                let _entry = add(server, &body);
            });
        }
    });
    let log = Log::read(&server);
    assert!(log.checkpoint.size >= 21, "{}", log.checkpoint.size);
    let distinct: std::collections::BTreeSet<_> = log.entries.iter().collect();
    assert_eq!(distinct.len(), log.entries.len());
}

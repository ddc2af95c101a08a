//! What stands in a certificate, and what does not, whatever was asked for.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::ct::{self, Entry, Sct};
use e2e::der::{Certificate, element, pem};
use e2e::instance::Instance;
use e2e::issue::{self, certificate, chain, challenge, csr, post_v2};
use e2e::key::Key;
use e2e::openssl::Desk;
use e2e::token::token;

const ALICE: &str = "alice@example.com";

#[test]
fn openssl_accepts_the_certificate() {
    let server = Instance::shared();
    let (_, chain) = certificate(&server, ALICE);
    let desk = Desk::new();
    desk.put("leaf.pem", pem("CERTIFICATE", &chain[0]));
    desk.put("issuing.pem", pem("CERTIFICATE", &chain[1]));
    desk.put("root.pem", pem("CERTIFICATE", &chain[2]));
    // OpenSSL takes the critical, empty-subject SAN as it is; x509_strict adds RFC 5280's rules.
    let verified = desk.ok(&[
        "verify",
        "-x509_strict",
        "-CAfile",
        "root.pem",
        "-untrusted",
        "issuing.pem",
        "leaf.pem",
    ]);
    assert!(verified.contains("leaf.pem: OK"), "{verified}");
    let other =
        desk.run(&["verify", "-CAfile", "leaf.pem", "-untrusted", "issuing.pem", "leaf.pem"]);
    assert!(!other.status.success(), "the failing twin: no root");
    let text = desk.ok(&["x509", "-in", "leaf.pem", "-noout", "-text"]);
    for part in
        ["email:alice@example.com", "Code Signing", "Digital Signature", "CT Precertificate SCTs"]
    {
        assert!(text.contains(part), "no {part} in {text}");
    }
    assert!(text.contains("Subject: \n"), "an empty subject: {text}");
    assert!(!text.contains("CA:TRUE"));
    // Valid now and eleven minutes later no more.
    let _valid = desk.ok(&["x509", "-in", "leaf.pem", "-noout", "-checkend", "0"]);
    assert!(!desk.run(&["x509", "-in", "leaf.pem", "-noout", "-checkend", "660"]).status.success());
}

#[test]
fn profile_matches_golden() {
    let server = Instance::shared();
    let (_, chain) = certificate(&server, ALICE);
    let leaf = Certificate::read(&chain[0]);
    let order: Vec<(&str, bool)> =
        leaf.extensions.iter().map(|e| (e.oid.as_str(), e.critical)).collect();
    // Fulcio's order and criticality: KU, EKU, SKI, AKI, SAN, issuer (old, new), subject, SCT.
    assert_eq!(
        order,
        [
            ("2.5.29.15", true),
            ("2.5.29.37", false),
            ("2.5.29.14", false),
            ("2.5.29.35", false),
            ("2.5.29.17", true),
            ("1.3.6.1.4.1.57264.1.1", false),
            ("1.3.6.1.4.1.57264.1.8", false),
            ("1.3.6.1.4.1.57264.1.24", false),
            (ct::SCT_LIST, false),
        ]
    );
    let issuer = format!("{}/oidc", server.base());
    assert_eq!(leaf.extension("2.5.29.15").value, [3, 2, 7, 0x80], "digitalSignature alone");
    assert_eq!(
        leaf.extension("2.5.29.37").value,
        [0x30, 0x0a, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 3],
        "codeSigning alone"
    );
    assert_eq!(leaf.extension("1.3.6.1.4.1.57264.1.1").value, issuer.as_bytes(), "raw");
    let utf8 = element(leaf.extension("1.3.6.1.4.1.57264.1.8").value).0;
    assert_eq!((utf8.tag, utf8.content), (0x0c, issuer.as_bytes()), "UTF8String");
    let san = element(leaf.extension("2.5.29.17").value).0;
    let (name, rest) = element(san.content);
    assert_eq!((name.tag, name.content, rest), (0x81, ALICE.as_bytes(), &b""[..]), "one e-mail");
    let issuing = Certificate::read(&chain[1]);
    let key_id = element(issuing.extension("2.5.29.14").value).0.content;
    let authority = element(element(leaf.extension("2.5.29.35").value).0.content).0.content;
    assert_eq!(authority, key_id);
    // openssl reads the same structure: a second opinion on our own reader.
    let desk = Desk::new();
    desk.put("leaf.der", &chain[0]);
    let parsed = desk.ok(&["asn1parse", "-inform", "DER", "-in", "leaf.der"]);
    let named: Vec<usize> = [
        "X509v3 Key Usage",
        "X509v3 Extended Key Usage",
        "X509v3 Subject Key Identifier",
        "X509v3 Authority Key Identifier",
        "X509v3 Subject Alternative Name",
        "1.3.6.1.4.1.57264.1.1",
        "1.3.6.1.4.1.57264.1.8",
        "1.3.6.1.4.1.57264.1.24",
        "CT Precertificate SCTs",
    ]
    .iter()
    .map(|name| parsed.find(name).unwrap_or_else(|| panic!("no {name} in {parsed}")))
    .collect();
    assert!(named.is_sorted(), "{named:?}");
}

#[test]
fn a_certificate_lives_ten_minutes() {
    let server = Instance::shared();
    let before = e2e::now();
    let (_, chain) = certificate(&server, ALICE);
    let after = e2e::now();
    let desk = Desk::new();
    desk.put("leaf.pem", pem("CERTIFICATE", &chain[0]));
    let dates = desk.ok(&["x509", "-in", "leaf.pem", "-noout", "-dates", "-dateopt", "iso_8601"]);
    let seconds = |name: &str| -> u64 {
        let line = dates.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        let command = std::process::Command::new("date").args(["-u", "+%s", "-d", line]).output();
        String::from_utf8(command.unwrap().stdout).unwrap().trim().parse().unwrap()
    };
    let (from, to) = (seconds("notBefore="), seconds("notAfter="));
    assert_eq!(to - from, 600);
    assert!((before..=after).contains(&from), "{before} <= {from} <= {after}: not backdated");
}

#[test]
fn serial_random_and_unique() {
    let server = Instance::shared();
    let token = token(&server, ALICE);
    let key = Key::p256();
    let body = challenge(&key, ALICE);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..64 {
        let chain = chain(&post_v2(&server, &token, &body));
        let serial = Certificate::read(&chain[0]).serial.to_vec();
        assert!(serial.len() <= 20 && serial.len() > 12 && serial[0] & 0x80 == 0, "{serial:?}");
        assert!(seen.insert(serial), "a serial came twice for one key");
    }
}

#[test]
fn precert_equals_cert() {
    let server = Instance::shared();
    let (_, chain) = certificate(&server, ALICE);
    let leaf = Certificate::read(&chain[0]);
    let sct = Sct::embedded(&chain[0]);
    let log_key = ct::log_key(&server);
    let entry = Entry::precert_of(&chain[0], &chain[1]);
    sct.must_hold(&entry, &log_key);
    let index = sct.leaf_index();
    let answer = server.json(&format!("/ct/v1/get-entries?start={index}&end={index}"));
    let leaf_input = e2e::unb64(answer["entries"][0]["leaf_input"].as_str().unwrap());
    assert_eq!(leaf_input, entry.leaf(sct.timestamp_ms, &sct.extensions), "what was logged");
    let extra = e2e::unb64(answer["entries"][0]["extra_data"].as_str().unwrap());
    let mut extra = ct::Reader(&extra);
    let precert = extra.vector(3);
    let precert = Certificate::read(precert);
    assert_eq!(precert.tbs_without(ct::POISON), leaf.tbs_without(ct::SCT_LIST));
    let poison = precert.extensions.last().unwrap();
    assert_eq!((poison.oid.as_str(), poison.critical), (ct::POISON, true));
    assert_eq!(poison.value, [5, 0]);
    let mut above = ct::Reader(extra.vector(3));
    assert_eq!([above.vector(3), above.vector(3)], [&chain[1][..], &chain[2][..]]);
}

#[test]
fn csr_names_ignored() {
    let server = Instance::shared();
    let token = token(&server, ALICE);
    let desk = Desk::new();
    let curve = "ec_paramgen_curve:prime256v1";
    let _made = desk.ok(&[
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        curve,
        "-nodes",
        "-keyout",
        "key.pem",
        "-out",
        "csr.pem",
        "-subj",
        "/CN=victim@example.com/O=Victim",
        "-addext",
        "subjectAltName=email:victim@example.com,URI:https://victim.example",
        "-addext",
        "basicConstraints=critical,CA:TRUE",
        "-addext",
        "extendedKeyUsage=serverAuth,timeStamping",
        "-addext",
        "keyUsage=keyCertSign",
    ]);
    let request = String::from_utf8(desk.get("csr.pem")).unwrap();
    let chain = chain(&post_v2(&server, &token, &csr(&request)));
    desk.put("leaf.pem", pem("CERTIFICATE", &chain[0]));
    let text = desk.ok(&["x509", "-in", "leaf.pem", "-noout", "-text"]);
    for wish in ["victim", "Victim", "CA:TRUE", "TLS Web", "Time Stamping", "Certificate Sign\n"] {
        assert!(!text.contains(wish), "{wish} came through: {text}");
    }
    assert!(text.contains("email:alice@example.com"), "{text}");
}

#[test]
fn email_never_normalised() {
    let server = Instance::shared();
    for address in ["Al+x@B.io", "O'Brien@Mail.Example.com", "a.l.i.c.e@example.com"] {
        let forger = e2e::token::Forger::new(&server);
        let token = forger.with_claims(&forger.claims(address));
        let chain = chain(&issue::with_token(&server, &token, address));
        let leaf = Certificate::read(&chain[0]);
        let san = element(leaf.extension("2.5.29.17").value).0;
        assert_eq!(element(san.content).0.content, address.as_bytes());
    }
}

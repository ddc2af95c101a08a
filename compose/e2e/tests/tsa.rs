//! The timestamp authority, judged by `openssl ts`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use e2e::answer::{client_fault, refused};
use e2e::b64;
use e2e::der::{children, element, sequence, tlv, unpem};
use e2e::http::Response;
use e2e::instance::Instance;
use e2e::openssl::Desk;
use serde_json::{Value, json};

const QUERY: &str = "application/timestamp-query";
const PATH: &str = "/api/v1/timestamp";

fn ask(server: &Instance, query: &[u8]) -> Response {
    server.request("POST", PATH, &[("content-type", QUERY)], query)
}

/// A desk with the data, and the authority's certificates.
fn desk(server: &Instance) -> Desk {
    let desk = Desk::new();
    desk.put("data", "what is timestamped");
    let chain = server.get("/api/v1/timestamp/certchain").expect(200);
    assert_eq!(chain.header("content-type"), Some("application/pem-certificate-chain"));
    let blocks: Vec<String> = chain
        .text()
        .split_inclusive("-----END CERTIFICATE-----\n")
        .map(|block| block.trim_start().to_owned())
        .filter(|block| !block.is_empty())
        .collect();
    let [leaf, root] = <[_; 2]>::try_from(blocks).unwrap();
    desk.put("leaf.pem", leaf);
    desk.put("root.pem", root);
    desk
}

fn granted(response: &Response) -> Vec<u8> {
    assert_eq!(response.status, 200, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("application/timestamp-reply"));
    response.body.clone()
}

#[test]
fn openssl_verifies_every_digest_with_and_without_everything() {
    let server = Instance::shared();
    let desk = desk(&server);
    for digest in ["-sha256", "-sha384", "-sha512"] {
        for nonce in [true, false] {
            for certificates in [true, false] {
                let mut query = vec!["ts", "-query", "-data", "data", digest, "-out", "query"];
                if !nonce {
                    query.push("-no_nonce");
                }
                if certificates {
                    query.push("-cert");
                }
                let _made = desk.ok(&query);
                let reply = granted(&ask(&server, &desk.get("query")));
                desk.put("reply", reply);
                let mut verify = vec![
                    "ts",
                    "-verify",
                    "-queryfile",
                    "query",
                    "-in",
                    "reply",
                    "-CAfile",
                    "root.pem",
                ];
                if !certificates {
                    verify.extend(["-untrusted", "leaf.pem"]);
                }
                let verified = desk.ok(&verify);
                assert!(verified.contains("Verification: OK"), "{verified}");
                let text = desk.ok(&["ts", "-reply", "-in", "reply", "-text"]);
                assert!(text.contains("Status: Granted"), "{text}");
                assert!(text.contains("Accuracy: 0x01 seconds"), "{text}");
                assert!(text.contains("Ordering: no"), "{text}");
                assert_eq!(text.contains("Nonce: unspecified"), !nonce, "{text}");
                assert!(text.contains("1.3.6.1.4.1.57264.2"), "{text}");
                desk.put("other", "other data");
                let mut wrong =
                    vec!["ts", "-verify", "-data", "other", "-in", "reply", "-CAfile", "root.pem"];
                wrong.extend(["-untrusted", "leaf.pem"]);
                assert!(!desk.run(&wrong).status.success(), "the failing twin");
            }
        }
    }
}

#[test]
fn the_chain_is_leaf_first_and_fit() {
    let server = Instance::shared();
    let desk = desk(&server);
    let text = desk.ok(&["x509", "-in", "leaf.pem", "-noout", "-text"]);
    assert!(
        text.contains("X509v3 Extended Key Usage: critical\n                Time Stamping\n"),
        "{text}"
    );
    assert!(
        text.contains("X509v3 Key Usage: critical\n                Digital Signature\n"),
        "{text}"
    );
    assert!(!text.contains("CA:TRUE"), "{text}");
    let _verified = desk.ok(&[
        "verify",
        "-x509_strict",
        "-purpose",
        "timestampsign",
        "-CAfile",
        "root.pem",
        "leaf.pem",
    ]);
    let root = server.json("/trusted_root.json");
    let authority = &root["timestampAuthorities"][0];
    assert_eq!(authority["uri"], format!("{}{PATH}", server.base()));
    let certificates = authority["certChain"]["certificates"].as_array().unwrap();
    for (certificate, name) in certificates.iter().zip(["leaf.pem", "root.pem"]) {
        let pem = String::from_utf8(desk.get(name)).unwrap();
        assert_eq!(certificate["rawBytes"], b64(&unpem(&pem)), "{name}");
    }
}

#[test]
fn nonce_returned() {
    let server = Instance::shared();
    let desk = desk(&server);
    let digest = digest_of(&desk);
    // DER INTEGER contents: zero, one byte, a sign byte, 64 bits, 20 bytes.
    for nonce in [
        vec![0],
        vec![0x7f],
        vec![0, 0x80],
        vec![0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0x55; 20],
    ] {
        let query = query(&sha256_imprint(&digest), &[&tlv(2, &nonce), &[1, 1, 0xff]]);
        let reply = granted(&ask(&server, &query));
        let wanted = tlv(2, &nonce);
        assert!(reply.windows(wanted.len()).any(|w| w == wanted), "{nonce:?} is not in the reply");
        desk.put("reply", &reply);
        let verified =
            desk.ok(&["ts", "-verify", "-data", "data", "-in", "reply", "-CAfile", "root.pem"]);
        assert!(verified.contains("Verification: OK"));
    }
    for (what, nonce) in [
        ("a leading zero", vec![0, 0x55]),
        ("a leading ff", vec![0xff, 0x80]),
        ("no bytes", vec![]),
    ] {
        let response = ask(&server, &query(&sha256_imprint(&digest), &[&tlv(2, &nonce)]));
        assert_eq!(response.status, 400, "{what}");
    }
    let long = query(&sha256_imprint(&digest), &[&tlv(2, &[0x55; 4000])]);
    assert_eq!(ask(&server, &long).status, 400, "a nonce of 4,000 bytes");
}

#[test]
fn refusals_in_rfc_3161_form() {
    let server = Instance::shared();
    let desk = desk(&server);
    let digest = digest_of(&desk);
    let imprint = sha256_imprint(&digest);
    let _made = desk.ok(&["ts", "-query", "-data", "data", "-sha1", "-out", "query"]);
    let extension = |critical: bool| {
        let mut parts = vec![6, 3, 0x55, 0x1d, 0x25];
        if critical {
            parts.extend([1, 1, 0xff]);
        }
        parts.extend(tlv(4, &[5, 0]));
        tlv(0xa0, &tlv(0x30, &parts))
    };
    let policy = [6, 3, 0x2a, 3, 4];
    let short = imprint_of(SHA256, &digest[..20]);
    for (what, query, bit, name) in [
        ("SHA-1", desk.get("query"), 0, "badAlg"),
        ("MD5", query(&imprint_of(MD5, &[0; 16]), &[]), 0, "badAlg"),
        ("a short imprint", query(&short, &[]), 5, "badDataFormat"),
        ("another policy", query(&imprint, &[&policy]), 15, "unacceptedPolicy"),
        ("an extension", query(&imprint, &[&extension(false)]), 16, "unacceptedExtension"),
        ("a critical extension", query(&imprint, &[&extension(true)]), 16, "unacceptedExtension"),
    ] {
        let response = ask(&server, &query);
        assert_eq!(response.status, 400, "{what}: {}", response.text());
        assert_eq!(response.header("content-type"), Some("application/timestamp-reply"), "{what}");
        assert_eq!(rejection(&response.body), bit, "{what} is {name}");
        desk.put("reply", &response.body);
        let text = desk.ok(&["ts", "-reply", "-in", "reply", "-text"]);
        assert!(text.contains("Status: Rejected"), "{what}: {text}");
    }
    let ours = [6, 9, 0x2b, 6, 1, 4, 1, 0x83, 0xbf, 0x30, 2];
    let policy_named = granted(&ask(&server, &query(&imprint, &[&ours])));
    assert!(!policy_named.is_empty(), "the passing twin: our own policy by name");
}

/// The bit of PKIFailureInfo in a rejection without a token.
fn rejection(der: &[u8]) -> usize {
    let (response, rest) = element(der);
    assert!(rest.is_empty());
    let parts = children(response.content);
    assert_eq!(parts.len(), 1, "no token");
    let status = children(parts[0].content);
    assert_eq!(status[0].whole, [2, 1, 2], "rejection");
    let bits = status.last().unwrap();
    assert_eq!(bits.tag, 3);
    let bytes = &bits.content[1..];
    (0..bytes.len() * 8).find(|bit| bytes[bit / 8] & (0x80 >> (bit % 8)) != 0).unwrap()
}

#[test]
fn refusals_in_json() {
    let server = Instance::shared();
    let desk = desk(&server);
    let _made = desk.ok(&["ts", "-query", "-data", "data", "-sha256", "-out", "query"]);
    let good = desk.get("query");
    let garbage: [(&str, Vec<u8>); 8] = [
        ("nothing", vec![]),
        ("text", b"hello".to_vec()),
        ("half", good[..good.len() / 2].to_vec()),
        ("one byte more", [&good[..], &[0]].concat()),
        ("twice", [&good[..], &good[..]].concat()),
        ("indefinite length", vec![0x30, 0x80, 0, 0]),
        ("a long length", vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
        ("deep", [0x30, 0x80].repeat(5000)),
    ];
    for (what, query) in garbage {
        let response = ask(&server, &query);
        assert_eq!(response.status, 400, "{what}: {}", response.text());
        refused(&response, 400, "");
    }
    for kind in ["text/plain", "application/octet-stream", "application/timestamp-reply", ""] {
        let response = server.request("POST", PATH, &[("content-type", kind)], &good);
        refused(&response, 415, "timestamp-query");
    }
    refused(&server.request("POST", PATH, &[], &good), 415, "timestamp-query");
    let big = ask(&server, &vec![0x30; 1024 * 1024 + 1]);
    assert!(matches!(client_fault(&big), (400 | 413, _)));
}

#[test]
fn tsa_request_bounded() {
    let server = Instance::shared();
    let desk = desk(&server);
    let _made = desk.ok(&["ts", "-query", "-data", "data", "-sha256", "-out", "query"]);
    let query = desk.get("query");
    // A megabyte of separators: refused by size of the head, or read as one odd type.
    for separators in ["/".repeat(1024 * 1024), ";".repeat(32 * 1024), "/".repeat(32 * 1024)] {
        let began = std::time::Instant::now();
        let kind = format!("application/timestamp-query{separators}");
        let mut connection = server.connect();
        if let Ok(response) = connection.send("POST", PATH, &[("content-type", &kind)], &query) {
            assert!((200..500).contains(&response.status), "{}", response.status);
        }
        assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
    }
    let digest = digest_of(&desk);
    let arcs = vec![1; 1_000_000];
    let endless = self::query(&sha256_imprint(&digest), &[&tlv(6, &arcs)]);
    let before = server.resident_kib();
    client_fault_of_any_form(&ask(&server, &endless));
    let some = self::query(&sha256_imprint(&digest), &[&tlv(6, &[1; 200])]);
    client_fault_of_any_form(&ask(&server, &some));
    assert!(server.resident_kib().saturating_sub(before) < 8 * 1024);
    let reply = granted(&ask(&server, &query));
    assert!(!reply.is_empty(), "the service goes on");
}

fn client_fault_of_any_form(response: &Response) {
    assert!((400..500).contains(&response.status), "{}", response.status);
}

#[test]
fn the_json_form_of_sigstore_js() {
    let server = Instance::shared();
    let desk = desk(&server);
    let ask = |body: &Value| server.post(PATH, &[], body);
    for (name, flag) in [("sha256", "-sha256"), ("sha384", "-sha384"), ("SHA512", "-sha512")] {
        let _digest = desk.ok(&["dgst", flag, "-binary", "-out", "digest", "data"]);
        let hash = b64(&desk.get("digest"));
        for body in [
            json!({ "artifactHash": hash, "hashAlgorithm": name, "certificates": true }),
            json!({ "artifactHash": hash, "hashAlgorithm": name, "certificates": true, "nonce": 1234567890123456789_u64 }),
            json!({ "artifactHash": hash, "hashAlgorithm": name, "certificates": true, "tsaPolicyOID": "1.3.6.1.4.1.57264.2" }),
        ] {
            desk.put("reply", granted(&ask(&body)));
            let verified =
                desk.ok(&["ts", "-verify", "-data", "data", "-in", "reply", "-CAfile", "root.pem"]);
            assert!(verified.contains("Verification: OK"), "{body}");
        }
        desk.put("reply", granted(&ask(&json!({ "artifactHash": hash, "hashAlgorithm": name }))));
        let bare = ["ts", "-verify", "-data", "data", "-in", "reply", "-CAfile", "root.pem"];
        assert!(!desk.run(&bare).status.success(), "no certificates unless asked for");
        let _verified = desk.ok(&[&bare[..], &["-untrusted", "leaf.pem"]].concat());
    }
    let hash = b64(&e2e::sha256(b"x"));
    for (body, named) in [
        (json!({ "artifactHash": hash, "hashAlgorithm": "sha1" }), "hashAlgorithm"),
        (json!({ "artifactHash": hash, "hashAlgorithm": "sha512" }), "artifactHash"),
        (json!({ "artifactHash": "%%", "hashAlgorithm": "sha256" }), "base64"),
        (json!({ "artifactHash": hash }), "hashAlgorithm"),
        (json!({ "hashAlgorithm": "sha256" }), "artifactHash"),
        (json!({ "artifactHash": hash, "hashAlgorithm": "sha256", "nonce": -1 }), "nonce"),
        (json!({ "artifactHash": hash, "hashAlgorithm": "sha256", "nonce": "x" }), "nonce"),
        (json!({ "artifactHash": hash, "hashAlgorithm": "sha256", "nonce": 1.5 }), "nonce"),
        (json!({ "artifactHash": hash, "hashAlgorithm": "sha256", "certificates": "yes" }), ""),
        (json!([]), ""),
        (json!({ "artifactHash": hash, "hashAlgorithm": "sha256", "x": "y".repeat(2000) }), ""),
    ] {
        let response = ask(&body);
        let (_, message) = client_fault(&response);
        assert!(message.contains(named), "{named}: {message}");
    }
    let other =
        json!({ "artifactHash": hash, "hashAlgorithm": "sha256", "tsaPolicyOID": "1.2.3.4" });
    assert_eq!(rejection(&ask(&other).body), 15, "unacceptedPolicy");
}

#[test]
fn tsa_time_and_serial_never_back() {
    let server = Instance::dev();
    let desk = desk(&server);
    let _made = desk.ok(&["ts", "-query", "-data", "data", "-sha256", "-out", "query"]);
    let query = desk.get("query");
    let mut serials = std::collections::BTreeSet::new();
    let mut last = String::new();
    let mut server = server;
    for _ in 0..3 {
        for _ in 0..10 {
            desk.put("reply", granted(&ask(&server, &query)));
            let text = desk.ok(&["ts", "-reply", "-in", "reply", "-text"]);
            let field = |name: &str| {
                let line = text.lines().find_map(|line| line.strip_prefix(name));
                line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
            };
            assert!(serials.insert(field("Serial number:")), "a serial came twice");
            let clock = std::process::Command::new("date")
                .args(["-u", "+%Y%m%d%H%M%S", "-d", &field("Time stamp:")])
                .output();
            let time = String::from_utf8(clock.unwrap().stdout).unwrap();
            assert!(time >= last, "{time} after {last}");
            last = time;
        }
        server = server.kill().restart();
    }
}

fn digest_of(desk: &Desk) -> Vec<u8> {
    e2e::sha256(&desk.get("data")).to_vec()
}

fn sha256_imprint(digest: &[u8]) -> Vec<u8> {
    imprint_of(SHA256, digest)
}

fn imprint_of(algorithm: &[u8], digest: &[u8]) -> Vec<u8> {
    sequence(&[&sequence(&[&tlv(6, algorithm), &[5, 0]]), &tlv(4, digest)])
}

fn query(imprint: &[u8], more: &[&[u8]]) -> Vec<u8> {
    sequence(&[&[2, 1, 1], imprint, &more.concat()])
}

const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const MD5: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 2, 5];

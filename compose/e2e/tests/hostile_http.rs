//! What is thrown at the listener: broken bodies, endless bodies, half requests, slow clients, weak
//! keys. Each gets its 4xx, and the service goes on.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use e2e::answer::{client_fault, refused};
use e2e::ct;
use e2e::der::{element, pem, sequence, tlv};
use e2e::instance::Instance;
use e2e::issue::{certificate, challenge, challenge_with, csr, post_v2};
use e2e::key::Key;
use e2e::openssl::Desk;
use e2e::rekor::hashed_rekord;
use e2e::token::token;
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";
const JSON_DOORS: [&str; 5] = [
    "/api/v2/signingCert",
    "/api/v1/signingCert",
    "/api/v2/log/entries",
    "/ct/v1/add-chain",
    "/ct/v1/add-pre-chain",
];

#[test]
fn other_encodings_of_text_are_refused() {
    let server = Instance::shared();
    let bearer = format!("Bearer {}", token(&server, ALICE));
    let key = Key::p256();
    for door in JSON_DOORS {
        let good = match door {
            "/api/v2/log/entries" => hashed_rekord(&key, b"x").to_string(),
            "/api/v2/signingCert" => challenge(&key, ALICE).to_string(),
            _ => json!({ "chain": [] }).to_string(),
        };
        let utf16 = |unit: fn(u16) -> [u8; 2], mark: bool| -> Vec<u8> {
            let units = mark.then_some(0xfeff).into_iter().chain(good.encode_utf16());
            units.flat_map(unit).collect()
        };
        for (what, body) in [
            ("a byte order mark", [b"\xef\xbb\xbf", good.as_bytes()].concat()),
            ("UTF-16LE", utf16(u16::to_le_bytes, true)),
            ("UTF-16BE", utf16(u16::to_be_bytes, true)),
            ("UTF-16LE without a mark", utf16(u16::to_le_bytes, false)),
            ("Latin-1", [b"{\"\xe9\":1,", &good.as_bytes()[1..]].concat()),
            ("an overlong NUL", [b"{\"\xc0\x80\":1,", &good.as_bytes()[1..]].concat()),
            ("a lone surrogate", good.replacen('{', "{\"\\ud800\":1,", 1).into_bytes()),
            ("CBOR", vec![0xa1, 0x61, 0x61, 0x01]),
            ("NULs", vec![0; 100]),
        ] {
            let headers =
                [("content-type", "application/json"), ("authorization", bearer.as_str())];
            let response = server.request("POST", door, &headers, &body);
            assert_eq!(response.status, 400, "{what} at {door}: {}", response.text());
            refused(&response, 400, "");
        }
    }
}

#[test]
fn body_limit_per_route() {
    let server = Instance::shared();
    let bearer = format!("Bearer {}", token(&server, ALICE));
    let before = server.resident_kib();
    let ten_mib = vec![b' '; 10 * 1024 * 1024];
    let doors = JSON_DOORS.map(|door| (door, "application/json")).into_iter().chain([
        ("/api/v1/timestamp", "application/timestamp-query"),
        ("/api/v1/timestamp", "application/json"),
    ]);
    for (door, kind) in doors {
        let headers = [("content-type", kind), ("authorization", bearer.as_str())];
        let response = server.request("POST", door, &headers, &ten_mib);
        refused(&response, 413, "larger");

        // Without a length: chunks until the server has had enough.
        let mut connection = server.connect();
        let mut all = headers.to_vec();
        all.push(("transfer-encoding", "chunked"));
        let head = connection.head("POST", door, &all, None);
        connection.raw(head.as_bytes()).unwrap();
        let chunk = [b"10000\r\n".to_vec(), vec![b' '; 0x10000], b"\r\n".to_vec()].concat();
        let mut sent = 0;
        while sent < 160 && connection.raw(&chunk).is_ok() {
            sent += 1;
        }
        match connection.read("POST") {
            Ok(response) => drop(refused(&response, 413, "larger")),
            // It may also close on a client that keeps pushing after the answer.
            Err(_) => assert!(sent < 160, "10 MiB of chunks were swallowed at {door}"),
        }
        let mut packed = headers.to_vec();
        packed.push(("content-encoding", "gzip"));
        let gzip = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        refused(&server.request("POST", door, &packed, &gzip), 415, "compressed");
    }
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more");
    let _issued = certificate(&server, ALICE);
}

#[test]
fn weak_or_invalid_key_refused() {
    let server = Instance::dev();
    let token = token(&server, ALICE);
    let before = ct::size(&server);
    let good = Key::p256();
    let proof = good.sign(ALICE.as_bytes());
    let by_key = |pem: &str, named: &str| {
        let response = post_v2(&server, &token, &challenge_with(pem, &proof));
        assert_eq!(response.status, 400, "{named}: {}", response.text());
        refused(&response, 400, "key");
    };
    let desk = Desk::new();
    for (file, options) in [
        ("rsa1024", vec!["rsa_keygen_bits:1024"]),
        ("rsa1536", vec!["rsa_keygen_bits:1536"]),
        ("rsa2056", vec!["rsa_keygen_bits:2056"]),
        ("e3", vec!["rsa_keygen_bits:2048", "rsa_keygen_pubexp:3"]),
    ] {
        let mut make = vec!["genpkey", "-algorithm", "RSA", "-out", "key.pem"];
        for option in &options {
            make.extend(["-pkeyopt", option]);
        }
        let _made = desk.ok(&make);
        let public = desk.ok(&["pkey", "-in", "key.pem", "-pubout"]);
        desk.put("email", ALICE);
        let _signed = desk.ok(&["dgst", "-sha256", "-sign", "key.pem", "-out", "proof", "email"]);
        let response = post_v2(&server, &token, &challenge_with(&public, &desk.get("proof")));
        assert_eq!(response.status, 400, "{file}: {}", response.text());
        refused(&response, 400, "key");
        let _request = desk.ok(&[
            "req", "-new", "-key", "key.pem", "-subj", "/CN=x", "-sha256", "-out", "csr.pem",
        ]);
        let request = String::from_utf8(desk.get("csr.pem")).unwrap();
        let response = post_v2(&server, &token, &csr(&request));
        assert_eq!(response.status, 400, "{file} by CSR: {}", response.text());
    }
    for curve in ["secp256k1", "P-224", "brainpoolP256r1"] {
        let option = format!("ec_paramgen_curve:{curve}");
        let _made =
            desk.ok(&["genpkey", "-algorithm", "EC", "-pkeyopt", &option, "-out", "key.pem"]);
        by_key(&desk.ok(&["pkey", "-in", "key.pem", "-pubout"]), curve);
    }
    for algorithm in ["X25519", "ED448"] {
        let _made = desk.ok(&["genpkey", "-algorithm", algorithm, "-out", "key.pem"]);
        by_key(&desk.ok(&["pkey", "-in", "key.pem", "-pubout"]), algorithm);
    }
    let spki = good.spki();
    let mut off_curve = spki.to_vec();
    *off_curve.last_mut().unwrap() ^= 1;
    by_key(&pem("PUBLIC KEY", &off_curve), "a point off the curve");
    let algorithm = element(element(spki).0.content).0.whole.to_vec();
    let point = |bytes: &[u8]| {
        pem("PUBLIC KEY", &sequence(&[&algorithm, &tlv(3, &[&[0], bytes].concat())]))
    };
    let whole = &spki[spki.len() - 65..];
    by_key(&point(&[0]), "the point at infinity");
    by_key(&point(&whole[..64]), "a point that is cut");
    by_key(&point(&[whole, &[0]].concat()), "a point with a byte more");
    by_key(&point(&[&[2], &whole[1..33]].concat()), "a compressed point");
    by_key(&point(&[&[4], &[0xff; 64][..]].concat()), "coordinates beyond the field");
    by_key(&point(&[&[4], &[0; 64][..]].concat()), "0, 0");
    let ed25519 = |bytes: &[u8]| {
        let bits = tlv(3, &[&[0], bytes].concat());
        pem("PUBLIC KEY", &sequence(&[&[0x30, 5, 6, 3, 0x2b, 0x65, 0x70], &bits]))
    };
    by_key(&ed25519(&[7; 31]), "31 bytes of Ed25519");
    by_key(&ed25519(&[7; 33]), "33 bytes of Ed25519");
    for text in [
        "",
        "x",
        "-----BEGIN PUBLIC KEY-----",
        &pem("PUBLIC KEY", b""),
        &pem("CERTIFICATE", spki),
        &pem("PRIVATE KEY", spki),
        &pem("PUBLIC KEY", &[spki, &[0]].concat()),
        &good.pem().repeat(2),
        &pem("PUBLIC KEY", &[0x30; 3000]),
    ] {
        by_key(text, "no key");
    }
    for request in [
        "",
        "x",
        &pem("CERTIFICATE REQUEST", b""),
        &pem("CERTIFICATE REQUEST", spki),
        &pem("CERTIFICATE REQUEST", &[0x30; 3000]),
        &good.pem(),
    ] {
        client_fault(&post_v2(&server, &token, &csr(request)));
    }
    // RSA with SHA-512, P-384 with SHA-256: hashes that are not in the table.
    for (make, digest) in [
        (vec!["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "-sha512"),
        (vec!["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"], "-sha256"),
        (vec!["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], "-sha1"),
    ] {
        let _made = desk.ok(&[&make[..], &["-out", "key.pem"]].concat());
        let _request = desk
            .ok(&["req", "-new", "-key", "key.pem", "-subj", "/CN=x", digest, "-out", "csr.pem"]);
        let request = String::from_utf8(desk.get("csr.pem")).unwrap();
        client_fault(&post_v2(&server, &token, &csr(&request)));
    }
    assert_eq!(ct::size(&server), before, "nothing was issued");
    let _issued = certificate(&server, ALICE);
}

/// HTTP/2 is not spoken: its preface, and whatever floods follow it, end the connection.
#[test]
fn http2_floods_survived() {
    let server = Instance::dev();
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    let reset = [0, 0, 4, 3, 0, 0, 0, 0, 1, 0, 0, 0, 8];
    let empty_data = [0, 0, 0, 0, 0, 0, 0, 0, 1];
    let began = Instant::now();
    for frame in [&settings[..], &reset, &empty_data] {
        let flood = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", frame.repeat(10_000).as_slice()].concat();
        for _ in 0..10 {
            let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let _cut_off = stream.write_all(&flood);
            let mut answer = Vec::new();
            let _cut_off = stream.read_to_end(&mut answer);
            assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
        }
    }
    assert!(began.elapsed() < Duration::from_secs(20), "each connection was ended at once");
    assert_eq!(server.get("/healthz").status, 200);
    let _issued = certificate(&server, ALICE);
}

/// Bodies as large as they may be, on more connections than there are threads, hold nobody up.
#[test]
fn heavy_work_off_the_reactor() {
    let server = Instance::dev();
    let port = server.port();
    let payload = "A".repeat(4_000_000);
    let body = format!(r#"{{"dsseRequestV002":{{"envelope":{{"payload":"{payload}"}}}}}}"#);
    let request = format!(
        "POST /api/v2/log/entries HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..5 {
                    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
                    stream.write_all(request.as_bytes()).unwrap();
                    let mut answer = String::new();
                    stream.read_to_string(&mut answer).unwrap();
                    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
                }
            });
        }
        for _ in 0..20 {
            let asked = Instant::now();
            assert_eq!(server.get("/healthz").status, 200);
            assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
        }
    });
}

#[test]
fn slow_clients_cut() {
    let server = Instance::dev();
    let port = server.port();
    let head = "POST /api/v2/signingCert HTTP/1.1\r\nhost: localhost\r\n\
                content-type: application/json\r\ncontent-length: 1000\r\n\r\n{";
    let openings: [&[u8]; 4] = [
        b"",
        b"GET /healthz HT",
        b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ",
        head.as_bytes(),
    ];
    let began = Instant::now();
    let mut slow: Vec<(usize, TcpStream)> = (0..200)
        .map(|number| {
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            stream.write_all(openings[number % openings.len()]).unwrap();
            (number % openings.len(), stream)
        })
        .collect();
    // Meanwhile others are served, and soon.
    let mut dripped = Instant::now();
    let mut slowest = Duration::ZERO;
    while !slow.is_empty() && began.elapsed() < Duration::from_secs(35) {
        let asked = Instant::now();
        assert_eq!(server.get("/healthz").status, 200);
        slowest = slowest.max(asked.elapsed());
        if dripped.elapsed() > Duration::from_secs(3) {
            // One byte now and then must not keep a request alive.
            for (_, stream) in slow.iter_mut().filter(|(kind, _)| *kind >= 2) {
                let _cut = stream.write_all(b"a");
            }
            let _issued = certificate(&server, ALICE);
            dripped = Instant::now();
        }
        slow.retain_mut(|(_, stream)| {
            stream.set_nonblocking(true).unwrap();
            let mut buffer = [0; 1024];
            let mut open = true;
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => open = false,
                    Ok(_) => continue,
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                    Err(_) => open = false,
                }
                stream.set_nonblocking(false).unwrap();
                return open;
            }
        });
        std::thread::sleep(Duration::from_millis(200));
    }
    let left: Vec<usize> = slow.iter().map(|(kind, _)| *kind).collect();
    assert!(left.is_empty(), "after {:?} still open: {left:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    assert!(slowest < Duration::from_secs(2), "others waited {slowest:?}");
    let open = server.metric("paraph_open_connections");
    assert!(open < 20.0, "{open} connections are still counted");
}

#[test]
fn metric_labels_finite() {
    let server = Instance::dev();
    let _issued = certificate(&server, ALICE);
    let series = |server: &Instance| -> Vec<String> {
        let text = server.metrics();
        let names = text.lines().filter(|line| !line.starts_with('#'));
        let mut names: Vec<String> =
            names.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect();
        names.sort();
        names
    };
    let rounds = |server: &Instance, from: usize, to: usize| {
        let mut connection = server.connect();
        for number in from..to {
            let path = match number % 4 {
                0 => format!("/x{number}"),
                1 => format!("/api/v2/{number}/tile"),
                2 => format!("/tile/0/{number}"),
                _ => format!("/ct/v1/get-entries?start={number}&x={number}"),
            };
            let method = format!("M{number}");
            let method = if number % 3 == 0 { method.as_str() } else { "GET" };
            let header = format!("v{number}");
            let headers = [("x-forwarded-for", header.as_str()), ("user-agent", header.as_str())];
            let response = connection.send(method, &path, &headers, b"").unwrap();
            assert!((400..500).contains(&response.status), "{path}: {}", response.status);
        }
    };
    let tokens = |server: &Instance, from: usize, to: usize| {
        let forger = e2e::token::Forger::new(server);
        for number in from..to {
            let claims = e2e::token::Change::Set(json!(format!("https://i{number}.example")));
            let token = forger.changed(ALICE, "iss", claims);
            refused(&e2e::issue::with_token(server, &token, ALICE), 400, "iss");
        }
    };
    rounds(&server, 0, 100);
    tokens(&server, 0, 2);
    let before = series(&server);
    rounds(&server, 100, 10_000);
    tokens(&server, 2, 50);
    let after = series(&server);
    let new: Vec<&String> = after.iter().filter(|name| !before.contains(name)).collect();
    assert!(new.is_empty(), "{new:?}");
}

#[test]
fn memory_stays_flat() {
    let server = Instance::dev();
    let good = token(&server, ALICE);
    let key = Key::p256();
    let forger = e2e::token::Forger::new(&server);
    let expired = forger.changed(ALICE, "exp", e2e::token::Change::Set(json!(1)));
    let bearer = |token: &str| format!("Bearer {token}");
    let (good, expired) = (bearer(&good), bearer(&expired));
    let challenge = challenge(&key, "bob@example.com").to_string().into_bytes();
    let wrong_signature = {
        let mut request = hashed_rekord(&key, b"x");
        request["hashedRekordRequestV002"]["digest"] = json!(e2e::b64(&[0; 32]));
        request.to_string().into_bytes()
    };
    let json = ("content-type", "application/json");
    let dots = ".".repeat(15_000);
    let large = vec![b'['; 60_000];
    type Hostile<'a> = (&'a str, Vec<(&'a str, &'a str)>, &'a [u8]);
    let requests: Vec<Hostile<'_>> = vec![
        ("/api/v2/signingCert", vec![json, ("authorization", &expired)], &challenge),
        ("/api/v2/signingCert", vec![json, ("authorization", &good)], &challenge),
        ("/api/v2/signingCert", vec![json, ("authorization", &dots)], &challenge),
        ("/api/v2/signingCert", vec![json, ("authorization", &good)], &large),
        ("/api/v1/signingCert", vec![json, ("authorization", &good)], b"{}"),
        ("/api/v2/log/entries", vec![json], &wrong_signature),
        ("/api/v2/log/entries", vec![json], &large),
        ("/ct/v1/add-chain", vec![json], b"{\"chain\":[\"AAAA\"]}"),
        ("/api/v1/timestamp", vec![("content-type", "application/timestamp-query")], &large),
        ("/api/v1/timestamp", vec![json], b"{\"artifactHash\":1}"),
    ];
    let mut connection = server.connect();
    let mut round = |count: usize| {
        for number in 0..count {
            let (path, headers, body) = &requests[number % requests.len()];
            let response = connection.send("POST", path, headers, body).unwrap();
            let status = response.status;
            assert!((400..500).contains(&status), "{path}: {status} {}", response.text());
            if response.header("connection") == Some("close") {
                connection = server.connect();
            }
        }
    };
    round(300);
    let before = server.resident_kib();
    round(2_000);
    let grown = server.resident_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB more after 2,000 hostile requests");
    assert_no_server_errors(&server);
    let _issued = certificate(&server, ALICE);
}

#[test]
fn broken_http_is_cut_off() {
    let server = Instance::shared();
    let smuggled = "POST /api/v2/log/entries HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\
                    transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n";
    let twice = "POST /api/v2/log/entries HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\
                 content-length: 5\r\n\r\nabcde";
    let many = format!(
        "GET /healthz HTTP/1.1\r\nhost: localhost\r\n{}\r\n",
        (0..2000).map(|n| format!("x{n}: y\r\n")).collect::<String>()
    );
    let long = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(200_000));
    let cases: [(&str, &[u8]); 12] = [
        ("TLS", &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]),
        ("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        ("HTTP/0.9", b"GET /healthz\r\n\r\n"),
        ("SSH", b"SSH-2.0-x\r\n\r\n"),
        ("NULs", &[0; 64]),
        ("a header without a colon", b"GET / HTTP/1.1\r\nnonsense\r\n\r\n"),
        ("a space in a header's name", b"GET / HTTP/1.1\r\na b: c\r\n\r\n"),
        (
            "a length that is none",
            b"POST /api/v2/log/entries HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        ),
        ("two lengths", twice.as_bytes()),
        ("length and chunks", smuggled.as_bytes()),
        ("2,000 headers", many.as_bytes()),
        ("a long path", long.as_bytes()),
    ];
    for (what, bytes) in cases {
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let _cut = stream.write_all(bytes);
        let _half = stream.shutdown(Shutdown::Write);
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok());
        assert!(status.is_none_or(|code| (400..500).contains(&code)), "{what}: {answer}");
    }
    assert_no_server_errors(&server);
    assert_eq!(server.get("/healthz").status, 200);
}

#[test]
fn a_request_cut_off_leaves_nothing() {
    let server = Instance::dev();
    let before = ct::size(&server);
    let good = token(&server, ALICE);
    let body = challenge(&Key::p256(), ALICE).to_string();
    let bearer = format!("Bearer {good}");
    let headers = [("content-type", "application/json"), ("authorization", bearer.as_str())];
    let whole = {
        let connection = server.connect();
        connection.head("POST", "/api/v2/signingCert", &headers, Some(body.len())) + &body
    };
    for cut in (1..whole.len()).step_by(whole.len() / 40) {
        let mut connection = server.connect();
        connection.raw(&whole.as_bytes()[..cut]).unwrap();
    }
    assert_eq!(ct::size(&server), before);
    // The same bytes in pieces, and two requests in one piece, are requests all the same.
    let mut connection = server.connect();
    for piece in whole.as_bytes().chunks(97) {
        connection.raw(piece).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(connection.read("POST").unwrap().status, 200);
    connection.raw(whole.repeat(2).as_bytes()).unwrap();
    assert_eq!(connection.read("POST").unwrap().status, 200);
    assert_eq!(connection.read("POST").unwrap().status, 200);
    assert_eq!(ct::size(&server), before + 3);
}

#[test]
fn many_connections_are_served() {
    let server = Instance::dev();
    let mut idle: Vec<_> = (0..300).map(|_| server.connect()).collect();
    assert_eq!(server.get("/healthz").status, 200);
    for connection in idle.iter_mut().step_by(10) {
        let answer = connection.send("GET", "/healthz", &[], b"").unwrap();
        assert_eq!(answer.status, 200);
    }
    let closed = idle
        .iter_mut()
        .take(1)
        .all(|connection| connection.closes_within(Duration::from_millis(50)).unwrap());
    assert!(!closed, "an idle connection is kept for a while");
}

#[test]
fn expect_continue_is_answered() {
    let server = Instance::shared();
    let body = hashed_rekord(&Key::p256(), b"expected").to_string();
    let mut connection = server.connect();
    let headers = [("content-type", "application/json"), ("expect", "100-continue")];
    let head = connection.head("POST", "/api/v2/log/entries", &headers, Some(body.len()));
    connection.raw(head.as_bytes()).unwrap();
    connection.patience(Duration::from_secs(5));
    let first = connection.read("HEAD").unwrap();
    assert_eq!(first.status, 100);
    connection.raw(body.as_bytes()).unwrap();
    assert_eq!(connection.read("POST").unwrap().status, 201);
}

/// No request was answered with a 5xx.
fn assert_no_server_errors(server: &Instance) {
    let metrics = server.metrics();
    let errors: Vec<&str> =
        metrics.lines().filter(|line| line.starts_with("http_requests_total{code=\"5")).collect();
    assert!(errors.is_empty(), "{errors:?}\n{}", server.log());
    let _: Value = server.json("/readyz");
}

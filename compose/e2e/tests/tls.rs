//! The listener's own TLS: what is spoken, what is refused, and how a certificate is exchanged.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use e2e::instance::{Instance, NotStarted};
use e2e::process::ca;
use e2e::provider::free_port;
use e2e::tls::{TlsClient, certificate, handshake, replace};
use tempfile::TempDir;

/// An instance with a certificate of this serial number; answers its folder.
fn init(folder: &TempDir, serial: u32) -> PathBuf {
    let dir = folder.path().join("instance");
    let port = free_port();
    let base = format!("https://localhost:{port}");
    let urls = [
        ("--ca-url", base.clone()),
        ("--log-url", base.clone()),
        ("--ct-url", format!("{base}/ct")),
        ("--tsa-url", format!("{base}/api/v1/timestamp")),
        ("--listen", format!("127.0.0.1:{port}")),
    ];
    let mut arguments = vec!["init".to_owned(), dir.to_str().unwrap().to_owned()];
    arguments.extend(urls.into_iter().flat_map(|(flag, value)| [flag.to_owned(), value]));
    let output = ca(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    certificate(&dir.join("tls"), serial, 90);
    let path = dir.join("ca.toml");
    let text = fs::read_to_string(&path).unwrap();
    let tls = "[listen.tls]\ncertificate = \"tls/cert.pem\"\nkey = \"tls/key.pem\"\n\n[urls]";
    let text = text.replace("127.0.0.1:2112", &format!("127.0.0.1:{}", free_port()));
    fs::write(&path, text.replace("[urls]", tls)).unwrap();
    dir
}

fn start(dir: &Path) -> Instance {
    Instance::serve_in(dir).unwrap_or_else(|refused| panic!("{refused:?}"))
}

/// Waits until a condition holds: the files are looked at every two seconds.
fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(15);
    while !holds() {
        assert!(Instant::now() < until, "{what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn shows(port: u16, serial: &str) -> bool {
    let desk = e2e::openssl::Desk::new();
    desk.put("shown.txt", handshake(port, &[]));
    desk.run(&["x509", "-in", "shown.txt", "-noout", "-serial"]).stdout
        == format!("serial={serial}\n").as_bytes()
}

#[test]
fn tls_settings_take_effect() {
    let folder = TempDir::new().unwrap();
    let dir = init(&folder, 1);
    let server = start(&dir);
    let mut client = TlsClient::open(server.port(), &dir.join("tls/cert.pem"));
    let (status, body) = client.get("/readyz").unwrap();
    assert_eq!((status, body.as_str()), (200, r#"{"status":"READY"}"#));
    assert_eq!(client.get("/trusted_root.json").unwrap().0, 200, "on the same connection");

    // One difference each: the version, the suite.
    let spoken = |flags: &[&str]| handshake(server.port(), flags);
    for (flags, cipher) in [
        (&["-tls1_3"][..], "TLS_AES_256_GCM_SHA384"),
        (&["-tls1_2"], "ECDHE-ECDSA-AES256-GCM-SHA384"),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-CHACHA20-POLY1305"], "ECDHE-ECDSA-CHACHA20-POLY1305"),
    ] {
        let said = spoken(flags);
        assert!(said.contains(&format!("Cipher is {cipher}")), "{flags:?}: {said}");
    }
    for flags in [
        &["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"][..],
        &["-tls1", "-cipher", "ALL:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0"],
        &["-tls1_2", "-cipher", "NULL:@SECLEVEL=0"],
    ] {
        let said = spoken(flags);
        assert!(said.contains("Cipher is (NONE)"), "{flags:?}: {said}");
        assert!(
            said.contains("alert protocol version") || said.contains("alert handshake failure"),
            "{flags:?}: {said}"
        );
    }
    assert!(spoken(&["-alpn", "h2,http/1.1"]).contains("ALPN protocol: http/1.1"));
    assert!(server.metric(r#"paraph_refusals_total{face="listener",reason="handshake"}"#) >= 6.0);
}

#[test]
fn plain_http_at_the_tls_port_learns_nothing() {
    let folder = TempDir::new().unwrap();
    let server = start(&init(&folder, 1));
    for request in
        ["GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n", "\r\n\r\n", "PRI * HTTP/2.0\r\n"]
    {
        use std::io::{Read as _, Write as _};
        let mut stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        // A TLS alert (content type 21) of seven bytes, or nothing.
        assert!(answer.len() <= 7 && answer.first().is_none_or(|first| *first == 21), "{answer:?}");
    }
}

#[test]
fn a_certificate_is_exchanged_under_open_connections() {
    let folder = TempDir::new().unwrap();
    let dir = init(&folder, 1);
    let server = start(&dir);
    let first = folder.path().join("first.pem");
    fs::copy(dir.join("tls/cert.pem"), &first).unwrap();
    let mut open = TlsClient::open(server.port(), &first);
    assert_eq!(open.get("/healthz").unwrap().0, 200);
    assert!(shows(server.port(), "01"));

    certificate(&dir.join("tls"), 2, 90);
    eventually("the new certificate is shown", || shows(server.port(), "02"));
    assert_eq!(open.get("/healthz").unwrap().0, 200, "the open connection goes on");
    let mut new = TlsClient::open(server.port(), &dir.join("tls/cert.pem"));
    assert_eq!(new.get("/healthz").unwrap().0, 200);
    assert!(TlsClient::open(server.port(), &first).get("/healthz").is_none());
    assert!(server.metric(r#"paraph_reloads_total{outcome="taken",what="tls"}"#) >= 1.0);
}

#[test]
fn a_mismatched_pair_is_kept_out() {
    let folder = TempDir::new().unwrap();
    let dir = init(&folder, 1);
    let server = start(&dir);
    let other = certificate(&folder.path().join("other"), 2, 90);
    let good = fs::read(dir.join("tls/cert.pem")).unwrap();
    replace(&dir.join("tls/cert.pem"), &fs::read(other).unwrap());
    let refused = r#"paraph_reloads_total{outcome="refused",what="tls"}"#;
    eventually("the pair is refused", || server.metric(refused) > 0.0);
    assert!(server.log().contains("do not go together"), "{}", server.log());
    assert!(shows(server.port(), "01"), "the old one stays");
    replace(&dir.join("tls/cert.pem"), &good);
    let taken = r#"paraph_reloads_total{outcome="taken",what="tls"}"#;
    eventually("the good pair is taken again", || server.metric(taken) > 0.0);
    let server = server.terminate();

    // At the start there is no old one to stay.
    let other = folder.path().join("other");
    replace(&dir.join("tls/cert.pem"), &fs::read(other.join("cert.pem")).unwrap());
    let Err(NotStarted { stderr, .. }) = Instance::serve_in(server.dir()) else {
        panic!("it started with a certificate that is not its key's");
    };
    assert!(stderr.contains("do not go together"), "{stderr}");
}

#[test]
fn readiness_says_when_the_certificate_ends() {
    let folder = TempDir::new().unwrap();
    let dir = init(&folder, 1);
    let server = start(&dir);
    let ready = || {
        let mut client = TlsClient::open(server.port(), &dir.join("tls/cert.pem"));
        client.get("/readyz")
    };
    assert_eq!(ready().unwrap().1, r#"{"status":"READY"}"#);
    certificate(&dir.join("tls"), 2, 5);
    eventually("a warning", || {
        ready().is_some_and(|(status, body)| {
            status == 200 && body.contains("tls: the listener's certificate has 4 days left")
        })
    });
    let ends = server.metric("paraph_tls_certificate_end_seconds");
    assert!((ends - e2e::now() as f64 - 5.0 * 86_400.0).abs() < 600.0, "{ends}");
}

#[test]
fn slow_handshakes_are_cut() {
    let folder = TempDir::new().unwrap();
    let dir = init(&folder, 1);
    let server = start(&dir);
    let held: Vec<TcpStream> =
        (0..50).map(|_| TcpStream::connect(("127.0.0.1", server.port())).unwrap()).collect();
    eventually("they have slots", || server.metric("paraph_open_connections") >= 50.0);
    let mut client = TlsClient::open(server.port(), &dir.join("tls/cert.pem"));
    assert_eq!(client.get("/healthz").unwrap().0, 200);
    let began = Instant::now();
    for mut stream in held {
        use std::io::Read as _;
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        assert!(matches!(stream.read(&mut [0]), Ok(0)), "closed by the server");
    }
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}

#[test]
fn dev_has_no_tls() {
    let stopped = Instance::dev().terminate();
    let path = stopped.dir().join("ca.toml");
    let text = fs::read_to_string(&path).unwrap();
    let tls = "[listen.tls]\ncertificate = \"c\"\nkey = \"k\"\n[urls]";
    fs::write(&path, text.replace("[urls]", tls)).unwrap();
    let Err(NotStarted { stderr, .. }) = Instance::dev_in(stopped.dir()) else {
        panic!("it started without the TLS that ca.toml asks for");
    };
    assert!(stderr.contains("[listen.tls]"), "{stderr}");
}

//! Keys are rotated under real signatures: bundles from before and after verify, the running
//! server publishes what was staged, and the logs go on as the trees they were.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use e2e::instance::Instance;
use e2e::process::{ca, run};
use e2e::token::token;
use serde_json::Value;
use tempfile::TempDir;

const ALICE: &str = "alice@example.com";

fn rotate(what: &str, dir: &Path, flags: &[&str]) -> (bool, String) {
    let dir = dir.to_str().unwrap();
    let output = ca(&[&["rotate", what, dir], flags].concat());
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn sign(server: &Instance, desk: &Path, bundle: &str) {
    let (dir, token) = (server.dir().to_str().unwrap(), token(server, ALICE));
    let arguments = ["sign-blob", "file", "--instance", dir, "--bundle", bundle];
    let output = run("signer", desk, &[("SIGSTORE_ID_TOKEN", &token)], &arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn verify(server: &Instance, desk: &Path, bundle: &str) {
    let issuer = format!("{}/oidc", server.base());
    let root = server.dir().join("public/trusted_root.json");
    let arguments = [
        "verify-blob",
        "file",
        "--bundle",
        bundle,
        "--certificate-identity",
        ALICE,
        "--certificate-oidc-issuer",
        &issuer,
        "--trusted-root",
        root.to_str().unwrap(),
        "--offline",
    ];
    let output = run("verifier", desk, &[], &arguments);
    assert!(output.status.success(), "{bundle}: {}", String::from_utf8_lossy(&output.stderr));
}

fn keys(root: &Value, list: &str) -> usize {
    root[list].as_array().unwrap().len()
}

#[test]
fn bundles_of_both_keys_verify() {
    let desk = TempDir::new().unwrap();
    let desk = desk.path();
    fs::write(desk.join("file"), b"signed across rotations").unwrap();
    let mut server = Instance::dev();
    sign(&server, desk, "first");
    let mut bundles = vec!["first".to_owned()];
    for (what, list) in [
        ("ca", "certificateAuthorities"),
        ("ct", "ctlogs"),
        ("log", "tlogs"),
        ("tsa", "timestampAuthorities"),
    ] {
        let dir = server.dir().to_owned();
        let (done, said) = rotate(what, &dir, &["--wait", "0"]);
        assert!(done && said.contains("is published"), "{said}");
        let until = Instant::now() + Duration::from_secs(20);
        while keys(&server.json("/trusted_root.json"), list) != 2 {
            assert!(Instant::now() < until, "{what}: not served\n{}", server.log());
            std::thread::sleep(Duration::from_millis(100));
        }
        bundles.push(format!("{what}-staged"));
        sign(&server, desk, bundles.last().unwrap());

        let (done, said) = rotate(what, &dir, &[]);
        assert!(!done && said.contains("a server runs"), "{said}");
        let stopped = server.terminate();
        let (done, said) = rotate(what, &dir, &[]);
        assert!(done && said.contains("destroy"), "{said}");
        server = stopped.restart();
        bundles.push(format!("{what}-switched"));
        sign(&server, desk, bundles.last().unwrap());
        for bundle in &bundles {
            verify(&server, desk, bundle);
        }
    }
    let (done, said) = rotate("status", server.dir(), &[]);
    assert!(done, "{said}");
    assert_eq!(said.matches(": signs; trusted since").count(), 4, "{said}");
    assert_eq!(said.matches(": retired; trusted since").count(), 4, "{said}");
    // Two chains are good; a client that asks is told of both.
    let chains = &server.json("/api/v2/trustBundle")["chains"];
    assert_eq!(chains.as_array().unwrap().len(), 2);
    let stopped = server.terminate();
    let checked = ca(&["fsck", stopped.dir().to_str().unwrap()]);
    assert_eq!(String::from_utf8_lossy(&checked.stdout), "ok\n");
}

#[test]
fn a_switch_waits() {
    let stopped = Instance::dev().terminate();
    let (done, said) = rotate("log", stopped.dir(), &["--without-waiting"]);
    assert!(!done && said.contains("no new log key is published"), "{said}");
    let (done, said) = rotate("log", stopped.dir(), &[]);
    assert!(done, "{said}");
    let (done, said) = rotate("log", stopped.dir(), &[]);
    assert!(!done && said.contains("too short a time ago"), "{said}");
    drop(stopped.restart());
}

//! An instance is trusted once, by the fingerprint that its operator reads out, and from then on
//! nothing needs to be said: signing, verifying, and verifying with the instance gone.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Output;

use e2e::instance::Instance;
use e2e::process::{ca, run};
use e2e::token::token;
use tempfile::TempDir;

const ALICE: &str = "alice@example.com";

/// Somebody with a file to sign, and settings of their own.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("f"), "f").unwrap();
        Self(folder)
    }

    fn run(&self, tool: &str, token: &str, arguments: &[&str]) -> Output {
        let home = self.home();
        let variables = [("PARAPH_HOME", home.as_str()), ("SIGSTORE_ID_TOKEN", token)];
        run(tool, self.0.path(), &variables, arguments)
    }

    fn trust(&self, instance: &Instance, fingerprint: &str) -> Output {
        self.run("verifier", "", &["trust", &instance.base(), "--fingerprint", fingerprint])
    }

    fn verify(&self, base: &str, more: &[&str]) -> Output {
        let issuer = format!("{base}/oidc");
        let whom = ["--certificate-identity", ALICE, "--certificate-oidc-issuer", &issuer];
        self.run("verifier", "", &[&["verify-blob", "f"], &whom[..], more].concat())
    }

    fn home(&self) -> String {
        self.0.path().join("home").to_str().unwrap().to_owned()
    }
}

/// As the operator has it.
fn fingerprint(instance: &Instance) -> String {
    let dir = instance.dir().to_str().unwrap();
    let said = ca(&["trust", dir, "--file", "root"]).stderr;
    let said = String::from_utf8(said).unwrap();
    said.lines().find_map(|line| line.strip_prefix("fingerprint ")).unwrap().to_owned()
}

#[track_caller]
fn expect(output: &Output, code: i32, said: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(said), "{said:?} not in {stderr}");
}

#[test]
fn trusted_once_nothing_needs_to_be_said() {
    let (instance, desk) = (Instance::dev(), Desk::new());
    expect(&desk.trust(&instance, &fingerprint(&instance)), 0, "the default from now on");
    let token = token(&instance, ALICE);
    expect(&desk.run("signer", &token, &["sign-blob", "f"]), 0, "Signed f");
    expect(&desk.verify(&instance.base(), &[]), 0, "");

    fs::write(desk.0.path().join("f"), "g").unwrap();
    expect(&desk.verify(&instance.base(), &[]), 12, "");
}

/// One digit is another root; nothing of it may be left behind for a later command to trust.
#[test]
fn another_fingerprint_is_refused_and_nothing_is_kept() {
    let (instance, desk) = (Instance::shared(), Desk::new());
    let right = fingerprint(&instance);
    let last = if right.ends_with('0') { '1' } else { '0' };
    let wrong = format!("{}{last}", &right[..right.len() - 1]);
    expect(&desk.trust(&instance, &wrong), 1, "[fingerprint]");
    assert!(!Path::new(&desk.home()).exists());
    assert!(desk.run("verifier", "", &["trust", "list"]).stdout.is_empty());

    expect(&desk.trust(&instance, &right), 0, "Trusted");
}

/// `--offline` asks nobody: it goes on when there is nobody to ask.
#[test]
fn offline_needs_no_instance() {
    let (instance, desk) = (Instance::dev(), Desk::new());
    expect(&desk.trust(&instance, &fingerprint(&instance)), 0, "");
    let token = token(&instance, ALICE);
    expect(&desk.run("signer", &token, &["sign-blob", "f"]), 0, "");
    let base = instance.base();
    let _stopped = instance.terminate();

    expect(&desk.verify(&base, &["--offline"]), 0, "");
    // It is gone: what must ask cannot.
    expect(&desk.run("verifier", "", &["trust", "update"]), 1, "[instance-unreachable]");
}

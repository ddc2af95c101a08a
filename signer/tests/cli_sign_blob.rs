//! `signer sign-blob` as far as it comes without a service. The rest is tested end to end, against
//! a real instance.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with a file `f`, and the tool at work in it without any environment.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("f"), "f").unwrap();
        Self(folder)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(assert_cmd::cargo::cargo_bin!("signer"))
            .arg("sign-blob")
            .args(arguments)
            .current_dir(self.0.path())
            .env_clear()
            .output()
            .unwrap()
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str], said: &[&str]) {
        let output = self.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert_eq!(output.stdout, b"", "{arguments:?}");
        for part in said {
            assert!(stderr.contains(part), "{arguments:?}: {part:?} not in {stderr}");
        }
        let left = fs::read_dir(self.0.path()).unwrap();
        assert!(left.map_while(Result::ok).all(|entry| entry.file_name() == "f"));
    }
}

#[test]
fn every_error_exits_nonzero() {
    let desk = Desk::new();
    let token = ["--identity-token", "t"];
    let cases: [(&[&str], &[&str]); 13] = [
        (&[], &["<FILE>"]),
        (&["f"], &["[usage]", "--instance"]),
        (&["f", "--trusted-root", "r"], &["--signing-config"]),
        (&["f", "--signing-config", "s"], &["--trusted-root"]),
        (
            &["f", "--instance", "i", "--trusted-root", "r", "--signing-config", "s"],
            &["cannot be used with"],
        ),
        (&["missing", "--instance", "."], &["[artifact-unreadable]", "no file missing"]),
        (&[".", "--instance", "."], &["is a folder"]),
        (&["f", "f", "--bundle", "b", "--instance", "."], &["[usage]", "--bundle names one file"]),
        (&["-", "--instance", "."], &["[usage]", "--bundle is missing"]),
        (&["f", "--instance", "."], &["[trust-unreadable]", "public/trusted_root.json"]),
        (&["f", "--instance", "nowhere"], &["[unknown-instance]", "nowhere"]),
        (
            &["f", "--instance", "https://sign.example.com"],
            &["[remote-instance]", "signer trust URL"],
        ),
        (&["f", "--instance", "http://u:secret@localhost"], &["[trust-unreadable]", "password"]),
    ];
    for (arguments, said) in cases {
        let arguments =
            if arguments.is_empty() { arguments.to_vec() } else { [arguments, &token].concat() };
        desk.fails(&arguments, said);
    }
}

#[test]
fn a_password_in_a_url_is_not_repeated() {
    let output = Desk::new().run(&["f", "--instance", "http://u:secret@localhost"]);
    assert!(!String::from_utf8(output.stderr).unwrap().contains("secret"));
}

#[test]
fn a_failure_is_json_too() {
    let output = Desk::new().run(&["f", "--output", "json", "--instance", "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(output.stderr, b"");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["schema"], "paraph.sign.v1");
    assert_eq!(found["signed"], false);
    assert_eq!(found["code"], "unknown-instance");
    assert_eq!(found["blame"], "usage");
    assert_eq!(found["files"], serde_json::json!([]));
}

/// What lies in the working folder is read only when it is named.
#[test]
fn nothing_read_from_cwd() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let folder = TempDir::new().unwrap();
    let planted = format!("{{\"caUrls\":[{{\"url\":\"{url}\"}}]}}");
    for name in ["f", "trusted_root.json", "signing_config.v0.2.json", "client_trust_config.json"] {
        fs::write(folder.path().join(name), &planted).unwrap();
    }
    fs::write(folder.path().join("token"), "token").unwrap();
    let output = Command::new(assert_cmd::cargo::cargo_bin!("signer"))
        .args(["sign-blob", "f", "--identity-token", "token"])
        .current_dir(folder.path())
        .env_clear()
        .output()
        .unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("nothing says where to sign"));
    assert!(listener.accept().is_err(), "somebody connected");
}

#[test]
fn help_and_version_are_answers() {
    let tool = || Command::new(assert_cmd::cargo::cargo_bin!("signer"));
    let version = tool().arg("--version").output().unwrap();
    assert_eq!(
        String::from_utf8(version.stdout).unwrap(),
        format!("signer {}\n", env!("CARGO_PKG_VERSION"))
    );
    let help = tool().args(["sign-blob", "--help"]).output().unwrap();
    assert_eq!((help.status.code(), version.status.code()), (Some(0), Some(0)));
    assert!(String::from_utf8(help.stdout).unwrap().contains("Exit codes: 0 everything signed"));
    assert_eq!(tool().output().unwrap().status.code(), Some(1));
}

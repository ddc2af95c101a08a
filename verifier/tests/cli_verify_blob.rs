//! `verifier verify-blob` as a person or a script meets it: what it prints where, and how it ends.
//! No server is needed; `tests/data/README.md` says where the bundles come from.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const DIGEST: &str = "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
const IMAGE: &str = "sha256:5763a9874903fbb1bc09ce56c0b993420914749c9aaaad8ab8f15848102541d3";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The tool in the folder of the data, without any environment.
fn verifier(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("verifier"));
    command.arg("verify-blob").args(arguments).current_dir(data("")).env_clear();
    command
}

fn run(arguments: &[&str]) -> Output {
    verifier(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[track_caller]
fn fails(arguments: &[&str], exit: i32, said: &[&str]) {
    let output = run(arguments);
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {stderr}");
    assert_eq!(text(&output.stdout), "", "{arguments:?}");
    for part in said {
        assert!(stderr.contains(part), "{arguments:?}: {part:?} not in {stderr}");
    }
}

const KEY: [&str; 4] = ["--key", "signer.pub", "--trusted-root", "trusted_root.json"];
const IDENTITY: [&str; 4] =
    ["--certificate-identity", "a@example.com", "--certificate-oidc-issuer", "https://i.example"];

const WHEEL: [&str; 3] = [
    "sha256:c4e92e9ecc828bef2aa7dba1de8ac983511f7532a0df11c770d39099a25cf201",
    "--bundle",
    "wheel.sigstore.json",
];
const WORKFLOW: [&str; 4] = [
    "--certificate-identity",
    "https://github.com/trailofbits/rfc8785.py/.github/workflows/release.yml@refs/tags/v0.1.2",
    "--certificate-oidc-issuer",
    "https://token.actions.githubusercontent.com",
];

#[test]
fn verifies_and_says_what_it_verified() {
    let output = run(&[&["blob.txt"], &KEY[..]].concat());
    assert_eq!(text(&output.stdout), format!("verified blob.txt {DIGEST}\n"));
    assert_eq!(
        text(&output.stderr),
        "Verified blob.txt\n  \
         signed with the key \
         sha256:6a22da08a9fde6a47d165a59d617099f3397b6d0c27d20b6ffc3f1148c4dbde3\n  \
         trusting    trusted_root.json\n  \
         at          2026-11-22T03:09:40Z (timestamp-authority)\n  \
         logged in   rekor.local, entry 0\n"
    );
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn verifies_a_digest_and_standard_input() {
    let bundle = ["--bundle", "blob.txt.sigstore.json"];
    let output = run(&[&[DIGEST], &bundle[..], &KEY[..]].concat());
    assert_eq!(text(&output.stdout), format!("verified {DIGEST}\n"));
    assert_eq!(output.status.code(), Some(0));

    let output = verifier(&[&["-"], &bundle[..], &KEY[..]].concat())
        .stdin(Stdio::from(fs::File::open(data("blob.txt")).unwrap()))
        .output()
        .unwrap();
    assert_eq!(text(&output.stdout), format!("verified - {DIGEST}\n"));
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn json_says_the_same() {
    let output = run(&[&["blob.txt", "--output", "json"], &KEY[..]].concat());
    assert_eq!(text(&output.stderr), "");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let expected = serde_json::json!({
        "schema": "paraph.verify.v1",
        "verified": true,
        "exit": 0,
        "artifact": { "name": "blob.txt", "digests": [DIGEST] },
        "bundle": "blob.txt.sigstore.json",
        "trust": { "source": "file", "file": "trusted_root.json" },
        "signer": {
            "type": "key",
            "keyId": "sha256:6a22da08a9fde6a47d165a59d617099f3397b6d0c27d20b6ffc3f1148c4dbde3",
        },
        "times": [{
            "time": "2026-11-22T03:09:40Z",
            "source": "timestamp-authority",
            "uri": "http://127.0.0.1:5066/api/v1/timestamp",
        }],
        "logEntries": [{
            "log": "rekor.local",
            "logId": "73aaa1584794db88cfb969e3db67ba22ae2568b3c91a1016b2857d0cbb48dfe6",
            "logIndex": 0,
        }],
        "predicateType": null,
    });
    assert_eq!(found, expected);
}

#[test]
fn a_refusal_is_json_too() {
    let arguments = ["other.pub", "--bundle", "blob.txt.sigstore.json", "--output", "json"];
    let output = run(&[&arguments[..], &KEY[..]].concat());
    assert_eq!(output.status.code(), Some(12));
    assert_eq!(text(&output.stderr), "");
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["schema"], "paraph.verify.v1");
    assert_eq!(found["verified"], false);
    assert_eq!(found["exit"], 12);
    assert_eq!(found["code"], "artifact-digest-differs");
    assert_eq!(found["blame"], "artifact");
    assert!(found["message"].as_str().unwrap().contains(DIGEST));
    assert!(!found["advice"].as_str().unwrap().is_empty());

    let output = run(&["blob.txt", "--output", "json"]);
    assert_eq!(output.status.code(), Some(1));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found["code"], &found["exit"]), (&"usage".into(), &1.into()));
}

#[test]
fn a_changed_file_is_refused_in_words() {
    let output = run(&[&["other.pub", "--bundle", "blob.txt.sigstore.json"], &KEY[..]].concat());
    assert_eq!(output.status.code(), Some(12));
    assert_eq!(
        text(&output.stderr),
        format!(
            "error: other.pub is not verified\n  \
             reason    artifact: the artifact's digest is \
             sha256:77c0b7448da57eb8ee92b331a24b2f6803f7c3cb03b744ac7009e0f58cbfbf00, the bundle \
             was made for {DIGEST} [artifact-digest-differs]\n  \
             trusting  trusted_root.json\n  \
             at fault  artifact\n  \
             advice    Do not use the artifact: it was changed, or is another version than the \
             bundle's. Get both from the publisher again.\n"
        )
    );
}

/// Arguments in groups, exit code, and what must be said.
type Case<'a> = (&'a [&'a [&'a str]], i32, &'a [&'a str]);

#[test]
fn every_error_exits_nonzero() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (broken, empty, missing) = (path("broken"), path("empty"), path("missing"));
    fs::write(&broken, "{\"mediaType\":").unwrap();
    fs::write(&empty, "").unwrap();
    let root = ["--trusted-root", "trusted_root.json"];
    let key = ["--key", "signer.pub"];
    let cases: [Case<'_>; 15] = [
        (&[&[&missing], &KEY], 11, &["no-artifact", "there is no file"]),
        (&[&["sha256:beef"], &KEY], 11, &["no-artifact", "64 lower-case"]),
        (&[&["other.pub"], &KEY], 10, &["no-bundle", "other.pub.sigstore.json", "--bundle"]),
        (&[&["."], &KEY, &["--bundle", &empty]], 1, &["is a folder"]),
        (&[&["blob.txt"], &KEY, &["--bundle", &broken]], 12, &["bundle-malformed"]),
        (&[&["blob.txt"], &KEY, &["--bundle", &empty]], 12, &["bundle-malformed"]),
        (&[&["blob.txt"], &KEY, &["--bundle", "."]], 1, &["unreadable"]),
        (&[&["blob.txt"], &key, &["--trusted-root", &missing]], 1, &["trust-root-unreadable"]),
        (&[&["blob.txt"], &key, &["--trusted-root", &broken]], 1, &["trust-root-unreadable"]),
        (&[&["blob.txt"], &key, &["--instance", &missing]], 1, &["trust-root-unreadable"]),
        (&[&["blob.txt"], &root, &["--key", &missing]], 1, &["unreadable"]),
        (&[&["blob.txt"], &root, &["--key", &broken]], 1, &["key-unreadable"]),
        (&[&["blob.txt"], &root, &["--key", "other.pub"]], 12, &["at fault  artifact"]),
        (&[&["blob.txt"], &key], 12, &["log-unknown", "built-in trust root", "2026-11-22"]),
        (&[&[DIGEST], &KEY, &["--bundle", "unlogged.sigstore.json"]], 12, &["no-log-entry"]),
    ];
    for (arguments, exit, said) in cases {
        fails(&arguments.concat(), exit, said);
    }
}

#[test]
fn missing_flags_are_named_early() {
    // The file does not exist, which would be said if it came to that.
    let cases: [(&[&str], &str); 6] = [
        (&[], "--certificate-identity and --certificate-oidc-issuer"),
        (
            &IDENTITY[..2],
            "--certificate-oidc-issuer (or --certificate-oidc-issuer-regexp) is missing",
        ),
        (&IDENTITY[2..], "--certificate-identity (or --certificate-identity-regexp) is missing"),
        (&["--certificate-identity-regexp", "a.b"], "--certificate-oidc-issuer (or"),
        (&["--key", "k", "--type", "slsa"], "neither a URI nor one of slsaprovenance"),
        (&["--key", "k", "--certificate-identity", ""], "a value is required"),
    ];
    for (flags, said) in cases {
        fails(&[&["missing"], flags].concat(), 1, &[said]);
    }
    fails(&[DIGEST, "--key", "k"], 1, &["--bundle is missing, and a digest"]);
    fails(&["-", "--key", "k"], 1, &["--bundle is missing, and standard input"]);
    fails(&["--key", "k"], 1, &["FILE|sha256:HEX"]);
    fails(&["blob.txt", "--nonsense"], 1, &["--nonsense"]);
}

#[test]
fn key_and_identity_exclusive() {
    let said = &["--key cannot be combined with --certificate-identity"];
    fails(&[&["blob.txt"], &KEY[..], &IDENTITY].concat(), 1, said);
    fails(&[&["blob.txt"], &KEY[..], &IDENTITY[..2]].concat(), 1, said);
    let issuer = ["--certificate-oidc-issuer-regexp", "https://i\\.example"];
    let said = &["--key cannot be combined with --certificate-oidc-issuer-regexp"];
    fails(&[&["blob.txt"], &KEY[..], &issuer].concat(), 1, said);
    // A bundle made with a key, asked for an identity.
    let root = &["--trusted-root", "trusted_root.json"];
    fails(&[&["blob.txt"], &IDENTITY[..], root].concat(), 12, &["key-bundle", "--key"]);
    let both = ["--certificate-identity-regexp", "x"];
    fails(&[&["blob.txt"], &IDENTITY[..], &both].concat(), 1, &["cannot be used with"]);
    let trusts = ["--trusted-root", "trusted_root.json", "--instance", "."];
    fails(&[&["blob.txt", "--key", "k"], &trusts[..]].concat(), 1, &["cannot be used with"]);
}

#[test]
fn wildcards_need_consent() {
    for pattern in [".*", ".+", "^", "", "(", "^.*$|x", "a*"] {
        for (identity, issuer) in [(pattern, "https://i\\.example"), ("a@example\\.com", pattern)] {
            let flags = [
                "blob.txt",
                "--certificate-identity-regexp",
                identity,
                "--certificate-oidc-issuer-regexp",
                issuer,
            ];
            fails(&flags, 1, &["-regexp: the pattern", "[usage]"]);
        }
    }
}

#[test]
fn attestations_are_about_their_subject() {
    let bundle = ["--bundle", "image.sigstore.json"];
    let kind = "https://sigstore.dev/cosign/sign/v1";
    let output = run(&[&[IMAGE, "--type", kind], &bundle[..], &KEY[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains(&format!("  predicate   {kind}\n")));
    let other = [&[IMAGE, "--type", "slsaprovenance1"], &bundle[..], &KEY[..]].concat();
    fails(&other, 12, &["predicate-type", kind]);
    fails(&[&["blob.txt"], &bundle[..], &KEY[..]].concat(), 12, &["artifact-not-a-subject"]);
    let file = [&["blob.txt", "--type", kind], &KEY[..]].concat();
    fails(&file, 12, &["not-an-attestation"]);
}

/// A bundle of the public Sigstore, with nothing but what is built in.
#[test]
fn the_public_sigstore_is_built_in() {
    let output = run(&[&WHEEL[..], &WORKFLOW].concat());
    assert_eq!(
        text(&output.stderr),
        "Verified sha256:c4e92e9ecc828bef2aa7dba1de8ac983511f7532a0df11c770d39099a25cf201\n  \
         signed by   https://github.com/trailofbits/rfc8785.py/.github/workflows/release.yml@refs/\
         tags/v0.1.2\n  \
         vouched by  https://token.actions.githubusercontent.com\n  \
         trusting    sigstore (the public Sigstore, as of 2026-11-22)\n  \
         at          2024-03-19T22:41:16Z (signed-entry-timestamp)\n  \
         logged in   rekor.sigstore.dev, entry 79605083\n"
    );
    assert_eq!(output.status.code(), Some(0));
    let output = run(&[&WHEEL[..], &WORKFLOW, &["--output", "json"]].concat());
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["signer"]["subjectType"], "uri");
    assert_eq!(found["trust"], serde_json::json!({ "source": "built-in", "name": "sigstore" }));
    let claims = &found["signer"]["claims"];
    assert_eq!(claims["source-repository-uri"], "https://github.com/trailofbits/rfc8785.py");
    assert_eq!(claims["runner-environment"], "github-hosted");
}

#[test]
fn regexp_matches_whole() {
    let verify = |pattern| {
        let flags = ["--certificate-identity-regexp", pattern];
        run(&[&WHEEL[..], &flags, &WORKFLOW[2..]].concat())
    };
    let whole = r"https://github\.com/trailofbits/rfc8785\.py/.*@refs/tags/v0\.1\.2";
    assert_eq!(verify(whole).status.code(), Some(0));
    for part in [
        "https://github.com/trailofbits",
        r"github\.com",
        r"https://github\.com/trailofbits/|https://github\.com/other/.*",
        "^https://github.com/trailofbits/.*release",
    ] {
        let output = verify(part);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(12), "{part}: {stderr}");
        assert!(stderr.contains("[subject-matches-in-part]"), "{part}: {stderr}");
        assert!(stderr.contains("A pattern must match the whole identity"), "{part}: {stderr}");
    }
    let other = verify("https://github.com/trail-of-evil/.*");
    assert!(text(&other.stderr).contains("[subject-differs]"));
    assert_eq!(other.status.code(), Some(12));
}

/// What another identity is refused with: wanted against found.
#[test]
fn a_mismatch_shows_the_identity_found() {
    let output = run(&[&WHEEL[..], &IDENTITY].concat());
    assert_eq!(output.status.code(), Some(12));
    let stderr = text(&output.stderr);
    let found = "  found     https://github.com/trailofbits/rfc8785.py/.github/workflows/\
                 release.yml@refs/tags/v0.1.2 of https://token.actions.githubusercontent.com\n";
    assert!(stderr.contains(found), "{stderr}");
    assert!(stderr.contains("  wanted    a@example.com of https://i.example\n"), "{stderr}");
    // A certificate bundle asked for a key.
    let key = [&WHEEL[..], &["--key", "signer.pub"]].concat();
    fails(&key, 12, &["[certificate-bundle]", "--certificate-identity"]);
}

/// A path wins over the digest that it looks like, as the conformance suite's protocol has it.
#[test]
fn a_digest_is_none_when_a_file_has_its_name() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(DIGEST), "something else").unwrap();
    let absolute = |name: &str| data(name).to_str().unwrap().to_owned();
    let output = verifier(&[DIGEST, "--bundle", &absolute("blob.txt.sigstore.json")])
        .args(["--key", &absolute("signer.pub"), "--trusted-root", &absolute("trusted_root.json")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(12));
    assert!(text(&output.stderr).contains("artifact-digest-differs"));
    for not_a_digest in [DIGEST.to_uppercase(), DIGEST.replace("sha256:", "sha256:0")] {
        fails(&[&[&*not_a_digest], &KEY[..]].concat(), 11, &["no-artifact"]);
    }
}

#[test]
fn offline_sends_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://localhost:{}", listener.local_addr().unwrap().port());
    let said = &["--offline forbids asking", "client_trust_config.json", "--trusted-root"];
    fails(&["blob.txt", "--key", "signer.pub", "--offline", "--instance", &url], 1, said);
    assert!(listener.accept().is_err(), "somebody connected");
    // Not even a name is looked up for an instance that is elsewhere, offline or not.
    for flags in [&["--offline"][..], &[]] {
        let remote = ["blob.txt", "--key", "k", "--instance", "https://sign.example.com"];
        fails(&[&remote[..], flags].concat(), 1, &["remote-instance", "verifier trust URL"]);
    }
}

/// Neither with files nor with the built-in root is a socket made, with `--offline` or without it.
#[cfg(target_os = "linux")]
#[test]
fn no_socket_is_made() {
    let trace = tempfile::NamedTempFile::new().unwrap();
    let tool = assert_cmd::cargo::cargo_bin!("verifier");
    for (flags, exit) in [(&KEY[..], 0), (&["--key", "signer.pub", "--offline"], 12)] {
        let traced = Command::new("strace")
            .args(["-f", "-e", "trace=network,%file", "-o"])
            .arg(trace.path())
            .arg(tool)
            .args(["verify-blob", "blob.txt"])
            .args(flags)
            .current_dir(data(""))
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .output();
        let Ok(output) = traced else { return };
        if output.status.code() == Some(1) && text(&output.stderr).contains("ptrace") {
            // A machine that forbids tracing; the other tests still count connections.
            return;
        }
        assert_eq!(output.status.code(), Some(exit), "{}", text(&output.stderr));
        let calls = fs::read_to_string(trace.path()).unwrap();
        for call in ["socket(", "connect(", "resolv.conf", "/etc/ssl"] {
            assert!(!calls.contains(call), "{call} in {calls}");
        }
    }
}

#[test]
fn nothing_read_from_cwd() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["trusted_root.json", "client_trust_config.json", "root.json", ".paraph"] {
        fs::write(folder.path().join(name), "not JSON").unwrap();
    }
    fs::create_dir(folder.path().join("public")).unwrap();
    fs::copy(data("trusted_root.json"), folder.path().join("public/trusted_root.json")).unwrap();
    let absolute = |name: &str| data(name).to_str().unwrap().to_owned();
    let output = verifier(&[&absolute("blob.txt"), "--key", &absolute("signer.pub")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    // With the built-in root, and no other: that log is unknown to it.
    assert!(text(&output.stderr).contains("log-unknown"), "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(12));
    // Named, the same folder is an instance.
    let output = verifier(&[&absolute("blob.txt"), "--key", &absolute("signer.pub")])
        .args(["--instance", "."])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

/// A default that cannot be had, or a name that is not known, ends the run: the built-in root would
/// have verified this bundle.
#[test]
fn no_root_stands_in_for_another() {
    let home = tempfile::tempdir().unwrap();
    let wheel = |flags: &[&str]| {
        verifier(&[&WHEEL[..], &WORKFLOW, flags].concat())
            .env("PARAPH_HOME", home.path())
            .output()
            .unwrap()
    };
    assert_eq!(wheel(&[]).status.code(), Some(0), "nothing was made the default");
    fs::write(home.path().join("default"), "team\n").unwrap();
    let output = wheel(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("under the name team"), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("[unknown-instance]"));
    for flags in [&["--instance", "team"][..], &["--offline"]] {
        let output = wheel(flags);
        assert_eq!(output.status.code(), Some(1));
        assert!(text(&output.stderr).contains("[unknown-instance]"), "{}", text(&output.stderr));
    }
    // Asked for by its name, the built-in one is there.
    let output = wheel(&["--instance", "sigstore"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    fs::write(home.path().join("default"), "sigstore\n").unwrap();
    let output = wheel(&[]);
    assert_eq!(output.status.code(), Some(1), "a reserved name is nobody's: {output:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_result_that_cannot_be_written_is_no_success() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = verifier(&[&["blob.txt"], &KEY[..]].concat())
        .stdout(full)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn help_and_version_are_answers() {
    let tool = || Command::new(assert_cmd::cargo::cargo_bin!("verifier"));
    let version = tool().arg("--version").output().unwrap();
    assert_eq!(text(&version.stdout), format!("verifier {}\n", env!("CARGO_PKG_VERSION")));
    let help = tool().args(["verify-blob", "--help"]).output().unwrap();
    assert_eq!((help.status.code(), version.status.code()), (Some(0), Some(0)));
    assert!(text(&help.stdout).contains("Exit codes: 0 verified, 1 usage or environment"));
    assert_eq!(tool().output().unwrap().status.code(), Some(1));
    assert_eq!(tool().arg("verify-everything").output().unwrap().status.code(), Some(1));
}

//! The two tools against a real instance: what is signed verifies, what is not does not, and a
//! service that answers wrongly is found out before anything is reported.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "sign_and_verify/person.rs"]
mod person;
#[path = "sign_and_verify/proxy.rs"]
mod proxy;

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use e2e::http::Response;
use e2e::instance::Instance;
use e2e::token::{Change, Forger, token};
use e2e::{b64, issue, rekor, sha256, unb64};
use person::{Ended, Person, default_arguments};
use proxy::Proxy;
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";

#[test]
fn a_file_is_signed_and_verified() {
    let instance = Instance::shared();
    for (name, bytes) in [
        ("app.tar.gz", &b"hello"[..]),
        ("empty", b""),
        ("with space \u{e9}.txt", b"x"),
        ("larger than a buffer", &[7; 700_001]),
    ] {
        let alice = Person::new(&instance);
        alice.write(name, bytes);
        let signed = alice.sign(&[name]).expect(0);
        assert_eq!(signed.stdout, format!("{name}.sigstore.json\n"));
        assert!(signed.stderr.contains("  as          alice@example.com\n"), "{}", signed.stderr);
        let verified = alice.verify(&[name], ALICE).expect(0);
        let digest = e2e::hex(&sha256(bytes));
        assert!(verified.stdout.ends_with(&format!(" sha256:{digest}\n")), "{}", verified.stdout);
        let bundle = format!("{name}.sigstore.json");
        let by_digest = format!("sha256:{digest}");
        alice.verify(&[&by_digest, "--bundle", &bundle], ALICE).expect(0);
        assert_eq!(alice.names(), {
            let mut both = [name.to_owned(), bundle];
            both.sort();
            both
        });
    }
}

#[test]
fn an_instance_has_many_names() {
    let instance = Instance::shared();
    let public = instance.dir().join("public");
    let file = |name: &str| public.join(name).to_str().unwrap().to_owned();
    let (config, root) = (file("client_trust_config.json"), file("trusted_root.json"));
    let services = file("signing_config.v0.2.json");
    let folder = instance.dir().to_str().unwrap().to_owned();
    let base = instance.base();
    let both = ["--trusted-root", &root, "--signing-config", &services];
    for names in
        [&["--instance", &base][..], &["--instance", &folder], &["--instance", &config], &both]
    {
        let alice = Person::new(&instance);
        alice.write("f", b"f");
        alice.run("signer", &[&["sign-blob", "f"], names].concat()).expect(0);
        let pins = default_arguments(ALICE, &instance);
        let trust = if names.len() == 4 { &names[..2] } else { names };
        let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
        alice.run("verifier", &[&["verify-blob", "f"], &pins[..], trust].concat()).expect(0);
    }
}

#[test]
fn what_differs_is_refused_with_its_reason() {
    let instance = Instance::shared();
    let alice = Person::new(&instance);
    alice.write("f", b"one");
    alice.sign(&["f"]).expect(0);
    let refused = |ended: Ended, code: &str, said: &str| {
        let ended = ended.expect(12);
        assert_eq!(ended.stdout, "");
        assert!(ended.stderr.contains(&format!("[{code}]")), "{}", ended.stderr);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    };
    refused(
        alice.verify(&["f"], "bob@example.com"),
        "subject-differs",
        "found     alice@example.com",
    );
    refused(alice.verify(&["f"], "Alice@example.com"), "subject-differs", ALICE);
    let issuer = format!("{}/oidc", instance.base());
    let pinned = |identity: &[&str], issuer: &[&str]| {
        let folder = instance.dir().to_str().unwrap();
        let trust = ["--instance", folder];
        alice.run("verifier", &[&["verify-blob", "f"], identity, issuer, &trust].concat())
    };
    let exact = ["--certificate-identity", ALICE];
    let exact_issuer = ["--certificate-oidc-issuer", &issuer];
    let other = ["--certificate-oidc-issuer", "https://accounts.example.com"];
    refused(pinned(&exact, &other), "issuer-differs", &issuer);

    // regexp_matches_whole, at the command line.
    let pattern = |pattern| ["--certificate-identity-regexp", pattern];
    pinned(&pattern(".*@example\\.com"), &exact_issuer).expect(0);
    let part = pinned(&pattern("alice@example"), &exact_issuer);
    refused(part, "subject-matches-in-part", "must match the whole identity");
    refused(pinned(&pattern("bob|alice"), &exact_issuer), "subject-matches-in-part", "part");
    refused(pinned(&pattern("bob@.*"), &exact_issuer), "subject-differs", "the pattern bob@.*");
    let part = ["--certificate-oidc-issuer-regexp", "localhost"];
    refused(pinned(&exact, &part), "issuer-matches-in-part", "whole");

    // A certificate bundle asked for a key, and another instance's trust root.
    alice.write("key.pem", e2e::key::Key::p256().pem().as_bytes());
    let folder = instance.dir().to_str().unwrap();
    let key = ["verify-blob", "f", "--key", "key.pem", "--instance", folder];
    refused(alice.run("verifier", &key), "certificate-bundle", "--certificate-identity");
    let stranger = Instance::dev();
    let pins = default_arguments(ALICE, &instance);
    let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
    let theirs = ["--instance", stranger.dir().to_str().unwrap()];
    let ended = alice.run("verifier", &[&["verify-blob", "f"], &pins[..], &theirs].concat());
    refused(ended, "log-unknown", "instance which the signer used");

    alice.write("f", b"two");
    refused(alice.verify(&["f"], ALICE), "artifact-digest-differs", "at fault  artifact");
}

#[test]
fn a_refusal_is_json_with_what_was_found() {
    let instance = Instance::shared();
    let alice = Person::new(&instance);
    alice.write("f", b"one");
    let signed = alice.sign(&["f", "--output", "json"]).expect(0).json();
    assert_eq!((&signed["schema"], &signed["signed"]), (&"paraph.sign.v1".into(), &true.into()));
    let file = &signed["files"][0];
    assert_eq!(file["subject"], ALICE);
    assert_eq!(file["bundle"], "f.sigstore.json");

    let verified = alice.verify(&["f", "--output", "json"], ALICE).expect(0).json();
    assert_eq!(verified["verified"], true);
    assert_eq!(verified["signer"]["subject"], ALICE);
    assert_eq!(verified["signer"]["issuer"], format!("{}/oidc", instance.base()));
    assert_eq!(verified["logEntries"], file["logEntries"]);

    let refused = alice.verify(&["f", "--output", "json"], "bob@example.com").expect(12).json();
    assert_eq!(refused["verified"], false);
    assert_eq!(refused["code"], "subject-differs");
    assert_eq!(refused["blame"], "policy");
    assert_eq!(refused["found"]["subject"], ALICE);
    assert_eq!(refused["wanted"]["subject"], "bob@example.com");
}

#[test]
fn many_files_share_a_certificate() {
    let instance = Instance::shared();
    let alice = Person::new(&instance);
    let names: Vec<String> = (0..25).map(|n| format!("f{n}")).collect();
    for name in &names {
        alice.write(name, name.as_bytes());
    }
    let arguments: Vec<&str> = names.iter().map(String::as_str).collect();
    let signed = alice.sign(&arguments).expect(0);
    assert_eq!(signed.stdout.lines().count(), names.len());
    let certificate = |name: &str| {
        let bundle = alice.bundle(name);
        bundle["verificationMaterial"]["certificate"]["rawBytes"].as_str().unwrap().to_owned()
    };
    for name in &names {
        alice.verify(&[name], ALICE).expect(0);
        assert_eq!(certificate(name), certificate("f0"));
    }
    // Another run, another key.
    alice.sign(&["f0"]).expect(0);
    assert_ne!(certificate("f0"), certificate("f1"));
}

#[test]
fn standard_input_is_a_file_too() {
    let instance = Instance::shared();
    let alice = Person::new(&instance);
    alice.write("f", b"piped");
    let input = || Stdio::from(fs::File::open(alice.path("f")).unwrap());
    let base = instance.base();
    let sign = ["sign-blob", "-", "--bundle", "b", "--instance", &base];
    alice.run_with("signer", &sign, |command| _ = command.stdin(input())).expect(0);
    alice.verify(&["f", "--bundle", "b"], ALICE).expect(0);
    let pins = default_arguments(ALICE, &instance);
    let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
    let verify = [&["verify-blob", "-", "--bundle", "b", "--instance", &base], &pins[..]].concat();
    alice.run_with("verifier", &verify, |command| _ = command.stdin(input())).expect(0);
}

/// Every bundle carries `logIndex` and `hashes`, for clients that take an absent one amiss.
#[test]
fn bundles_leave_nothing_out() {
    let instance = Instance::dev();
    let alice = Person::new(&instance);
    alice.write("f", b"first");
    alice.sign(&["f"]).expect(0);
    let bundle = alice.bundle("f");
    assert_eq!(bundle["mediaType"], "application/vnd.dev.sigstore.bundle.v0.3+json");
    let entry = &bundle["verificationMaterial"]["tlogEntries"][0];
    assert_eq!(
        (&entry["logIndex"], &entry["inclusionProof"]["logIndex"]),
        (&"1".into(), &"1".into())
    );
    assert!(entry["inclusionProof"]["hashes"].is_array());
    let digest = &bundle["messageSignature"]["messageDigest"];
    assert_eq!(digest["digest"], b64(&sha256(b"first")));
}

#[test]
fn a_refused_token_is_explained() {
    let instance = Instance::shared();
    let alice = Person::new(&instance);
    alice.write("f", b"f");
    let forger = Forger::new(&instance);
    let refused = |token: String, code: &str, said: &str| {
        alice.write("other-token", token.as_bytes());
        let ended = alice.sign(&["f", "--identity-token", "other-token"]).expect(1);
        assert!(ended.stderr.contains(&format!("[{code}]")), "{}", ended.stderr);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        assert!(!ended.stderr.contains(token.split('.').nth(1).unwrap()), "{}", ended.stderr);
        assert!(!alice.names().contains(&"f.sigstore.json".to_owned()));
        ended
    };
    let other = forger.changed(ALICE, "aud", Change::Set("other".into()));
    refused(other, "token-audience", "for other, not for \"sigstore\"");
    let old = forger.changed(ALICE, "exp", Change::Set((e2e::now() - 40).into()));
    refused(old, "token-expired", "expired 4");
    // Of what only the authority can see, it is the authority's words that are shown.
    let stranger = forger.changed(ALICE, "iss", Change::Set("https://other.example".into()));
    let ended = refused(stranger, "service-refused", "answered 400: ");
    assert!(ended.stderr.contains("at fault  certificate authority"), "{}", ended.stderr);
}

/// The token is sent to the authority, once, and nowhere else.
#[test]
fn token_goes_to_one_place() {
    let instance = Instance::shared();
    let proxy = Proxy::honest(&instance);
    let alice = Person::new(&instance);
    alice.write("f", b"f");
    alice.sign_through(&proxy, &["f"]).expect(0);
    let token = alice.token();
    let seen = proxy.seen();
    let carriers: Vec<_> = seen.iter().filter(|seen| seen.contains(&token)).collect();
    assert_eq!(carriers.len(), 1, "{seen:?}");
    assert!(carriers[0].starts_with("POST /api/v2/signingCert "));
    assert_eq!(seen.len(), 3, "{seen:?}");

    // For another audience: not even a connection.
    let proxy = Proxy::honest(&instance);
    let other = Forger::new(&instance).changed(ALICE, "aud", Change::Set("other".into()));
    alice.write("other-token", other.as_bytes());
    alice.sign_through(&proxy, &["f", "--identity-token", "other-token"]).expect(1);
    assert_eq!(proxy.seen(), Vec::<String>::new());

    // Sent elsewhere by the authority: not followed.
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let location = format!("http://{}/api/v2/signingCert", elsewhere.local_addr().unwrap());
    let proxy = Proxy::new(&instance, move |_, mut answer| {
        answer.status = 307;
        answer.headers = vec![("location".into(), location.clone())];
        answer
    });
    let ended = alice.sign_through(&proxy, &["f"]).expect(1);
    assert!(ended.stderr.contains("[service-redirected]"), "{}", ended.stderr);
    assert!(elsewhere.accept().is_err(), "somebody followed");
}

/// The token is in no command line but one that a person wrote it into, and in no output.
#[test]
fn token_kept_off_command_line() {
    let instance = Instance::shared();
    let alice = Person::new(&instance);
    alice.write("f", b"f");
    let token = alice.token();
    let held = Proxy::holding(&instance, "/api/v2/log/entries", Duration::from_secs(5));
    let mut child = alice.spawn_through(&held, &["f"]);
    held.wait_for("/api/v2/log/entries");
    // The signer runs and starts no other process; whoever is on the machine sees no token.
    for process in fs::read_dir("/proc").unwrap().map_while(Result::ok) {
        let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&command).contains(&token), "{process:?}");
    }
    let ended = Ended::of(child.wait_with_output_within(Duration::from_secs(30))).expect(0);
    assert!(!ended.stderr.contains(&token) && !ended.stdout.contains(&token));
    let environment = |command: &mut Command| _ = command.env("SIGSTORE_ID_TOKEN", &token);
    let base = instance.base();
    let arguments = ["sign-blob", "f", "--instance", &base];
    alice.run_with("signer", &arguments, environment).expect(0);
    let help = alice.run_with("signer", &["sign-blob", "--help"], environment).expect(0);
    assert!(!help.stdout.contains(&token));
}

type Lie = fn(&Instance, Response) -> Response;

/// One wrong answer in an otherwise honest run, for each thing that a service could get wrong.
#[test]
fn signer_checks_own_output() {
    let instance = Instance::shared();
    const CA: &str = "/api/v2/signingCert";
    const TSA: &str = "/api/v1/timestamp";
    const LOG: &str = "/api/v2/log/entries";
    let lies: [(&str, Lie, &str, &str); 13] = [
        // client_checks_what_log_returned: valid, and not ours.
        (LOG, another_entry, "log-entry-unusable", "another entry"),
        (
            LOG,
            |_, answer| edited(answer, |entry| flip(entry, "/canonicalizedBody", 200)),
            "log-entry-unusable",
            "transparency log",
        ),
        (
            LOG,
            |_, answer| edited(answer, |entry| flip(entry, "/inclusionProof/rootHash", 5)),
            "self-check",
            "does not verify",
        ),
        (
            LOG,
            |_, answer| edited(answer, |entry| flip(entry, "/logId/keyId", 5)),
            "self-check",
            "log",
        ),
        (
            LOG,
            |_, answer| {
                edited(answer, |entry| {
                    let size = entry.pointer_mut("/inclusionProof/treeSize").unwrap();
                    *size = (size.as_str().unwrap().parse::<u64>().unwrap() + 1).to_string().into();
                })
            },
            "self-check",
            "treeSize",
        ),
        (
            LOG,
            |_, answer| {
                edited(answer, |entry| {
                    let note = entry.pointer_mut("/inclusionProof/checkpoint/envelope").unwrap();
                    let text = note.as_str().unwrap();
                    let at = text.len() - 20;
                    let other = if &text[at..=at] == "A" { "B" } else { "A" };
                    *note = format!("{}{other}{}", &text[..at], &text[at + 1..]).into();
                })
            },
            "self-check",
            "checkpoint",
        ),
        (
            LOG,
            |_, answer| edited(answer, |entry| entry["inclusionProof"] = Value::Null),
            "log-entry-unusable",
            "no inclusion proof",
        ),
        (
            TSA,
            |_, mut answer| {
                *answer.body.last_mut().unwrap() ^= 1;
                answer
            },
            "self-check",
            "timestamp",
        ),
        (
            TSA,
            |_, mut answer| {
                answer.body.truncate(40);
                answer
            },
            "timestamp-unusable",
            "timestamp authority",
        ),
        (TSA, another_timestamp, "timestamp-unusable", "of another signature"),
        (CA, another_certificate, "certificate-unusable", "another key"),
        (
            CA,
            |_, answer| {
                edited(answer, |answer| {
                    let leaf = answer
                        .pointer_mut("/signedCertificateEmbeddedSct/chain/certificates/0")
                        .unwrap();
                    // Inside the issuer's signature, at the end of the DER.
                    let mut lines: Vec<String> =
                        leaf.as_str().unwrap().lines().map(str::to_owned).collect();
                    let at = lines.len() - 3;
                    let other = if lines[at].starts_with('A') { "B" } else { "A" };
                    lines[at].replace_range(0..1, other);
                    *leaf = (lines.join("\n") + "\n").into();
                })
            },
            "certificate-unusable",
            "certificate",
        ),
        (
            CA,
            |_, answer| edited(answer, |answer| *answer = json!({})),
            "certificate-unusable",
            "no certificate",
        ),
    ];
    for (number, (path, lie, code, said)) in lies.into_iter().enumerate() {
        let alice = Person::new(&instance);
        alice.write("f", b"f");
        let shared = Instance::shared();
        let proxy =
            Proxy::new(
                &instance,
                move |asked, answer| {
                    if asked == path { lie(&shared, answer) } else { answer }
                },
            );
        let ended = alice.sign_through(&proxy, &["f"]).expect(1);
        assert!(ended.stderr.contains(&format!("[{code}]")), "{number}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{number}: {}", ended.stderr);
        assert_eq!(ended.stdout, "", "{number}");
        assert_eq!(alice.names(), ["f"], "{number}");
    }
}

fn edited(mut answer: Response, edit: impl FnOnce(&mut Value)) -> Response {
    let mut value = serde_json::from_slice(&answer.body).unwrap();
    edit(&mut value);
    answer.body = value.to_string().into_bytes();
    answer
}

/// Flips one bit of the base64 at `pointer`.
fn flip(value: &mut Value, pointer: &str, at: usize) {
    let member = value.pointer_mut(pointer).unwrap();
    let mut bytes = unb64(member.as_str().unwrap());
    bytes[at] ^= 1;
    *member = b64(&bytes).into();
}

/// An entry that the log really has, of somebody else's signature.
fn another_entry(instance: &Instance, mut answer: Response) -> Response {
    let key = e2e::key::Key::p256();
    let message = format!("{:?}", Instant::now());
    answer.body = rekor::post(instance, &rekor::hashed_rekord(&key, message.as_bytes())).body;
    answer
}

/// A certificate that the authority really gave, for somebody else's key.
fn another_certificate(instance: &Instance, mut answer: Response) -> Response {
    let key = e2e::key::Key::p256();
    let body = issue::challenge(&key, ALICE);
    answer.body = issue::post_v2(instance, &token(instance, ALICE), &body).expect(200).body;
    answer
}

/// A timestamp that the authority really gave, of another signature.
fn another_timestamp(_: &Instance, mut answer: Response) -> Response {
    answer.body = stamped(b"another signature");
    answer
}

/// A timestamp over other bytes, asked for with openssl's own query.
fn stamped(bytes: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    fs::write(&path, bytes).unwrap();
    let query = Command::new("openssl")
        .args(["ts", "-query", "-sha256", "-data"])
        .arg(&path)
        .output()
        .unwrap()
        .stdout;
    let headers = [("content-type", "application/timestamp-query")];
    Instance::shared().request("POST", "/api/v1/timestamp", &headers, &query).expect(200).body
}

/// Interrupted while the log keeps it waiting, the signer leaves its folder as it was.
#[test]
fn an_interruption_leaves_nothing() {
    let instance = Instance::shared();
    for signal in ["-INT", "-TERM"] {
        let alice = Person::new(&instance);
        alice.write("f", b"f");
        let held = Proxy::holding(&instance, "/api/v2/log/entries", Duration::from_secs(20));
        let mut child = alice.spawn_through(&held, &["f"]);
        held.wait_for("/api/v2/log/entries");
        let pid = child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let ended = Ended::of(child.wait_with_output_within(Duration::from_secs(5))).expect(1);
        assert!(ended.stderr.contains("interrupted"), "{}", ended.stderr);
        assert_eq!(alice.names(), ["f"]);
    }
}

#[test]
fn a_service_that_is_down_is_named() {
    let instance = Instance::shared();
    let alice = Person::new(&instance);
    alice.write("f", b"f");
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://localhost:{gone}");
    let ended = alice.run("signer", &["sign-blob", "f", "--instance", &url]).expect(1);
    assert!(ended.stderr.contains("cannot reach the instance at"), "{}", ended.stderr);
    assert!(ended.stderr.contains("[instance-unreachable]"), "{}", ended.stderr);
    let busy = Proxy::new(&instance, |path, mut answer| {
        if path == "/api/v2/log/entries" {
            answer.status = 503;
            answer.headers = vec![("retry-after".into(), "0".into())];
            answer.body = br#"{"code":14,"message":"the log is overloaded"}"#.to_vec();
        }
        answer
    });
    let ended = alice.sign_through(&busy, &["f"]).expect(1);
    assert!(ended.stderr.contains("answered 503: the log is overloaded"), "{}", ended.stderr);
    assert!(ended.stderr.contains("at fault  transparency log"), "{}", ended.stderr);
    let tries = busy.seen().iter().filter(|seen| seen.contains("/api/v2/log/entries")).count();
    assert_eq!(tries, 3);
    assert_eq!(alice.names(), ["f"]);
}

#[test]
fn one_bad_file_stops_a_run_before_it_begins() {
    let instance = Instance::shared();
    let proxy = Proxy::honest(&instance);
    let alice = Person::new(&instance);
    alice.write("f", b"f");
    let ended = alice.sign_through(&proxy, &["f", "missing"]).expect(1);
    assert!(ended.stderr.contains("there is no file missing"), "{}", ended.stderr);
    assert_eq!(proxy.seen(), Vec::<String>::new());
    assert_eq!(alice.names(), ["f"]);
    let ended = alice.sign_through(&proxy, &["f", "--bundle", "no/such/folder/b"]).expect(1);
    assert!(ended.stderr.contains("[unwritable]"), "{}", ended.stderr);
    assert_eq!(proxy.seen(), Vec::<String>::new());
}

/// With no home, no environment, and a folder that nobody can write to.
#[test]
fn the_verifier_needs_nothing_but_its_inputs() {
    use std::os::unix::fs::PermissionsExt as _;
    let instance = Instance::shared();
    let alice = Person::new(&instance);
    alice.write("f", b"f");
    alice.sign(&["f"]).expect(0);
    fs::set_permissions(alice.path("."), fs::Permissions::from_mode(0o555)).unwrap();
    let ended = alice.verify(&["f", "--offline"], ALICE);
    fs::set_permissions(alice.path("."), fs::Permissions::from_mode(0o755)).unwrap();
    ended.expect(0);
}

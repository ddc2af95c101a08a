//! A signed bundle before other judges than our verifier, and before our verifier when it was
//! put together from two.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;

use e2e::ct::{self, Entry, Sct};
use e2e::der::{Certificate, element, pem};
use e2e::instance::Instance;
use e2e::key::p256_verifies;
use e2e::log::Log;
use e2e::merkle::leaf_hash;
use e2e::openssl::Desk;
use e2e::process::run;
use e2e::{rekor, sha256, token, unb64};
use serde_json::Value;
use tempfile::TempDir;

const ALICE: &str = "alice@example.com";

/// A server, and a folder to work in.
struct Scene {
    server: Arc<Instance>,
    folder: TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { server: Instance::shared(), folder: TempDir::new().unwrap() }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    fn sign(&self, name: &str) {
        let token = token::token(&self.server, ALICE);
        let instance = self.server.dir().to_str().unwrap();
        let variables = [("SIGSTORE_ID_TOKEN", token.as_str())];
        let output =
            run("signer", self.path(), &variables, &["sign-blob", name, "--instance", instance]);
        assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    }

    /// Verifies `file` with a bundle under the trust of an instance.
    fn verify(&self, bundle: &str, trust: &Instance) -> Output {
        let issuer = format!("{}/oidc", self.server.base());
        run(
            "verifier",
            self.path(),
            &[],
            &[
                "verify-blob",
                "file",
                "--offline",
                "--bundle",
                bundle,
                "--instance",
                trust.dir().to_str().unwrap(),
                "--certificate-identity",
                ALICE,
                "--certificate-oidc-issuer",
                &issuer,
            ],
        )
    }

    fn bundle(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path().join(name)).unwrap()).unwrap()
    }
}

fn error(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn the_bundle_holds_for_other_judges() {
    let scene = Scene::new();
    scene.write("file", b"what is signed");
    scene.sign("file");
    let bundle = scene.bundle("file.sigstore.json");
    assert_eq!(bundle["mediaType"], "application/vnd.dev.sigstore.bundle.v0.3+json");
    let material = &bundle["verificationMaterial"];
    let leaf = unb64(material["certificate"]["rawBytes"].as_str().unwrap());
    let signature = unb64(bundle["messageSignature"]["signature"].as_str().unwrap());
    let certificate = Certificate::read(&leaf);
    assert!(p256_verifies(certificate.spki, b"what is signed", &signature));
    let san = element(certificate.extension("2.5.29.17").value).0;
    assert_eq!(element(san.content).0.content, ALICE.as_bytes());

    // The entry is in the log, with proof and checkpoint.
    let entries = material["tlogEntries"].as_array().unwrap();
    assert_eq!(entries.len(), 1);
    let body = unb64(entries[0]["canonicalizedBody"].as_str().unwrap());
    let index: usize = entries[0]["logIndex"].as_str().unwrap().parse().unwrap();
    assert_eq!(Log::read(&scene.server).entries[index], body);
    let mut answer = entries[0].clone();
    answer["integratedTime"] = "0".into();
    answer["inclusionPromise"] = Value::Null;
    let entry = rekor::published(&answer, &rekor::log_key(&scene.server));
    assert_eq!(entry.index as usize, index);
    let logged: Value = serde_json::from_slice(&body).unwrap();
    let record = &logged["spec"]["hashedRekordV002"];
    assert_eq!(record["data"]["digest"], e2e::b64(&sha256(b"what is signed")));
    assert_eq!(record["signature"]["content"], e2e::b64(&signature));

    // The SCT is of the CT log, and its leaf is there.
    let issuing = e2e::der::all_pem(&scene.server.get("/api/v1/rootCert").text());
    let sct = Sct::embedded(&leaf);
    let entry = Entry::precert_of(&leaf, &issuing[0]);
    sct.must_hold(&entry, &ct::log_key(&scene.server));
    let at = sct.leaf_index();
    let logged = scene.server.json(&format!("/ct/v1/get-entries?start={at}&end={at}"));
    let input = unb64(logged["entries"][0]["leaf_input"].as_str().unwrap());
    assert_eq!(leaf_hash(&input), leaf_hash(&entry.leaf(sct.timestamp_ms, &sct.extensions)));

    // The timestamp is over the signature, says openssl.
    let times = &material["timestampVerificationData"]["rfc3161Timestamps"];
    let reply = unb64(times[0]["signedTimestamp"].as_str().unwrap());
    let desk = Desk::new();
    desk.put("signature", &signature);
    desk.put("reply", reply);
    let chain = scene.server.get("/api/v1/timestamp/certchain").text();
    let chain = e2e::der::all_pem(&chain);
    desk.put("leaf.pem", pem("CERTIFICATE", &chain[0]));
    desk.put("root.pem", pem("CERTIFICATE", &chain[1]));
    let verified = desk.ok(&[
        "ts",
        "-verify",
        "-data",
        "signature",
        "-in",
        "reply",
        "-CAfile",
        "root.pem",
        "-untrusted",
        "leaf.pem",
    ]);
    assert!(verified.contains("Verification: OK"), "{verified}");
}

#[test]
fn bundles_changed_in_one_place_are_refused() {
    let scene = Scene::new();
    scene.write("file", b"what is signed");
    scene.sign("file");
    scene.write("other", b"something else");
    scene.sign("other");
    let (good, other) = (scene.bundle("file.sigstore.json"), scene.bundle("other.sigstore.json"));
    let parts = [
        "/messageSignature/signature",
        "/messageSignature/messageDigest/digest",
        "/verificationMaterial/certificate/rawBytes",
        "/verificationMaterial/tlogEntries/0/canonicalizedBody",
        "/verificationMaterial/tlogEntries/0/logIndex",
        "/verificationMaterial/tlogEntries/0/inclusionProof/rootHash",
        "/verificationMaterial/tlogEntries/0/inclusionProof/treeSize",
        "/verificationMaterial/tlogEntries/0/inclusionProof/checkpoint/envelope",
        "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp",
        "/verificationMaterial/tlogEntries/0",
        "/verificationMaterial/timestampVerificationData",
        "/verificationMaterial",
    ];
    for part in parts {
        let theirs = other.pointer(part).unwrap_or_else(|| panic!("no {part} in {other}")).clone();
        let mut changed = good.clone();
        assert_ne!(changed.pointer(part).unwrap(), &theirs, "{part}");
        *changed.pointer_mut(part).unwrap() = theirs;
        scene.write("changed.json", changed.to_string().as_bytes());
        let output = scene.verify("changed.json", &scene.server);
        assert_eq!(output.status.code(), Some(12), "{part} of another: {}", error(&output));
        *changed.pointer_mut(part).unwrap() = Value::Null;
        scene.write("changed.json", changed.to_string().as_bytes());
        let output = scene.verify("changed.json", &scene.server);
        assert_eq!(output.status.code(), Some(12), "no {part}: {}", error(&output));
    }
    let output = scene.verify("file.sigstore.json", &scene.server);
    assert_eq!(output.status.code(), Some(0), "the passing twin: {}", error(&output));
    // A whole other instance is another world.
    let stranger = Instance::dev();
    let output = scene.verify("file.sigstore.json", &stranger);
    assert_eq!(output.status.code(), Some(12), "{}", error(&output));
}

#[test]
fn the_first_bundle_of_a_log_has_index_and_hashes() {
    let server = Instance::dev();
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("file"), "first").unwrap();
    let token = token::token(&server, ALICE);
    let dir = server.dir().to_str().unwrap();
    let output = run(
        "signer",
        folder.path(),
        &[("SIGSTORE_ID_TOKEN", &token)],
        &["sign-blob", "file", "--instance", dir],
    );
    assert_eq!(output.status.code(), Some(0), "{}", error(&output));
    let bundle = fs::read(folder.path().join("file.sigstore.json")).unwrap();
    let bundle: Value = serde_json::from_slice(&bundle).unwrap();
    let entry = &bundle["verificationMaterial"]["tlogEntries"][0];
    assert_eq!(entry["logIndex"], "1", "index 0 is the log's own");
    assert_eq!(entry["inclusionProof"]["hashes"].as_array().unwrap().len(), 1);
}

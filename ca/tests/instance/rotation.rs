//! Keys that are rotated: what was signed before and after verifies, and nothing else does.

use axum::body::Body;
use ca::disk::InUse;
use ca::keys::Role;
use ca::profile::LIFE_SECONDS;
use ca::rotate::{How, RotateError, rotate, status};
use ca::rotation::{Rotation, certificate_path, key_path};
use formats::bundle::{Bundle, BundleVersion, Content, Material, parse_log_entry};
use formats::certificate::Certificate;
use formats::digest::HashAlgorithm;
use formats::timestamp::TimestampRequest;
use formats::trusted_root::TrustedRoot;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::EncodePublicKey as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;
use verify::error::{AuthorityFault, PathFault, Refusal};
use verify::policy::{IdentityMatch, Matcher, Policy};
use verify::verify::{Artifact, Verifier};

use crate::desk::{Desk, EMAIL};

const MESSAGE: &[u8] = b"signed once, verified for years";
const DAY: i64 = 24 * 60 * 60;
const ROLES: [Role; 4] = [Role::Issuing, Role::Ct, Role::Log, Role::Timestamp];

async fn post(desk: &Desk, path: &str, media: &str, token: &str, body: Vec<u8>) -> Vec<u8> {
    let request = Request::post(path).header("content-type", media);
    let request = if token.is_empty() { request } else { request.header("authorization", token) };
    let response =
        desk.faces().router.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap();
    let status = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let fine = status == StatusCode::OK || status == StatusCode::CREATED;
    assert!(fine, "{path}: {status} {}", String::from_utf8_lossy(&body));
    body.to_vec()
}

fn b64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

/// The request to the artifact log for this signature.
fn entry(signature: &[u8], leaf: &Certificate) -> Value {
    json!({ "hashedRekordRequestV002": {
        "digest": b64(HashAlgorithm::Sha256.digest(MESSAGE).as_bytes()),
        "signature": { "content": b64(signature), "verifier": {
            "x509Certificate": { "rawBytes": b64(leaf.der()) },
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        }},
    }})
}

/// A whole signature, as a client makes it: certificate, timestamp, log entry.
async fn sign(desk: &Desk) -> Bundle {
    let key = SigningKey::try_generate().unwrap();
    let proof: p256::ecdsa::DerSignature = key.sign(EMAIL.as_bytes());
    let spki = key.verifying_key().to_public_key_der().unwrap();
    let pem = formats::key::PublicKey::from_spki_der(spki.as_bytes()).unwrap().to_pem();
    let token = format!("Bearer {}", desk.issuer.token(EMAIL, "sigstore").unwrap());
    let asked = json!({ "publicKeyRequest": {
        "publicKey": { "algorithm": "ECDSA", "content": pem },
        "proofOfPossession": b64(proof.as_bytes()),
    }});
    let json = "application/json";
    let answer = post(desk, "/api/v2/signingCert", json, &token, asked.to_string().into()).await;
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    let chain = &answer["signedCertificateEmbeddedSct"]["chain"]["certificates"];
    let leaf = Certificate::from_pem(chain[0].as_str().unwrap()).unwrap();

    let signature: p256::ecdsa::DerSignature = key.sign(MESSAGE);
    let signature = signature.as_bytes().to_vec();
    let query =
        TimestampRequest::for_digest(HashAlgorithm::Sha256.digest(&signature)).to_der().unwrap();
    let query_type = "application/timestamp-query";
    let timestamp = post(desk, "/api/v1/timestamp", query_type, "", query).await;
    let asked = entry(&signature, &leaf).to_string();
    let logged = post(desk, "/api/v2/log/entries", json, "", asked.into()).await;
    Bundle {
        version: BundleVersion::V03,
        content: Content::Message {
            digest: Some(HashAlgorithm::Sha256.digest(MESSAGE)),
            signature,
        },
        material: Material::Certificate(leaf),
        entries: vec![parse_log_entry(&logged).unwrap()],
        timestamps: vec![timestamp],
    }
}

fn published(desk: &Desk) -> TrustedRoot {
    let text = std::fs::read(desk.dir().join("public/trusted_root.json")).unwrap();
    TrustedRoot::from_json(&text).unwrap()
}

fn judge(desk: &Desk, bundle: &Bundle, root: &TrustedRoot) -> Result<(), Refusal> {
    let subject = Matcher::exact(EMAIL);
    let policy =
        Policy::identity(IdentityMatch::new(subject, Matcher::exact(desk.issuer.issuer())));
    let verifier = Verifier::new(root).unwrap();
    // Through its wire form, as anybody else gets it.
    let bundle = Bundle::from_json(bundle.to_json().as_bytes()).unwrap();
    let verdict = verifier.verify(&bundle, &Artifact::Message(MESSAGE), &policy, desk.clock.now());
    verdict.map(|_| ())
}

fn how(wait_seconds: i64) -> How {
    How { wait_seconds, ..How::default() }
}

#[tokio::test]
async fn bundles_of_both_keys_verify() {
    for role in ROLES {
        let desk = Desk::new();
        let before = sign(&desk).await;
        let root_before = published(&desk);
        judge(&desk, &before, &root_before).unwrap();

        // Staged: published, and nothing signs with it.
        let staged_at = desk.clock.now() + 1;
        desk.clock.set(staged_at);
        let said = rotate(&desk.dir(), role, &how(DAY), &desk.clock).unwrap();
        assert!(said.contains("is published"), "{said}");
        let desk = desk.restarted();
        let root_staged = published(&desk);
        let meanwhile = sign(&desk).await;
        judge(&desk, &meanwhile, &root_before).unwrap();

        // Switched.
        desk.clock.set(staged_at + DAY);
        let desk = desk.stopped();
        let said = rotate(&desk.dir(), role, &how(DAY), &desk.clock).unwrap();
        assert!(said.contains("from the next start on"), "{said}");
        let desk = desk.restarted();
        let after = sign(&desk).await;
        let root = published(&desk);
        for bundle in [&before, &meanwhile, &after] {
            judge(&desk, bundle, &root).unwrap();
        }
        // Who read the trust root while the key was staged verifies what it signs.
        judge(&desk, &after, &root_staged).unwrap();
        // Who did not could not have: the wait is for them.
        judge(&desk, &after, &root_before).unwrap_err();
        assert_eq!(
            ca::instance::Instance::open(&desk.dir(), desk.clock.now())
                .unwrap()
                .rotation
                .number(role),
            2
        );
        let lists = (
            root.authorities.len(),
            root.ct_logs.len(),
            root.logs.len(),
            root.timestamp_authorities.len(),
        );
        let two = |wanted| if role == wanted { 2 } else { 1 };
        let expected = (two(Role::Issuing), two(Role::Ct), two(Role::Log), two(Role::Timestamp));
        assert_eq!(lists, expected);
    }
}

#[tokio::test]
async fn a_retired_key_signs_for_nobody() {
    for role in ROLES {
        let desk = Desk::new();
        rotate(&desk.dir(), role, &how(0), &desk.clock).unwrap();
        let desk = desk.stopped();
        let switched_at = desk.clock.now();
        rotate(&desk.dir(), role, &how(0), &desk.clock).unwrap();
        let root = published(&desk);

        // A thief of the old key runs an instance with it, from before the rotation.
        let thief = desk.of_first_keys();
        let end = switched_at + LIFE_SECONDS;
        thief.clock.set(end);
        let last = sign(&thief).await;
        judge(&thief, &last, &root).unwrap();
        thief.clock.set(end + 1);
        let late = sign(&thief).await;
        let refusal = judge(&thief, &late, &root).unwrap_err();
        let expected = match role {
            Role::Issuing => AuthorityFault::Issuer(PathFault::Window(end + 1)),
            Role::Ct => AuthorityFault::SctWindow(u64::try_from(end + 1).unwrap() * 1000),
            Role::Log => AuthorityFault::LogWindow(end + 1),
            _ => AuthorityFault::TimestampAuthority(PathFault::Window(end + 1)),
        };
        assert_eq!(refusal, Refusal::Authority(expected), "{role:?}");
    }
}

#[tokio::test]
async fn a_known_entry_is_answered_under_the_new_key() {
    let desk = Desk::new();
    let before = sign(&desk).await;
    rotate(&desk.dir(), Role::Log, &how(0), &desk.clock).unwrap();
    let desk = desk.stopped();
    rotate(&desk.dir(), Role::Log, &how(0), &desk.clock).unwrap();
    let desk = desk.restarted();
    let (Content::Message { signature, .. }, Material::Certificate(leaf)) =
        (&before.content, &before.material)
    else {
        panic!("not what was signed");
    };
    let asked = entry(signature, leaf).to_string().into();
    let again = post(&desk, "/api/v2/log/entries", "application/json", "", asked).await;
    let again = parse_log_entry(&again).unwrap();
    assert_ne!(again.log_id, before.entries[0].log_id);
    assert_eq!(again.log_index, before.entries[0].log_index, "the same entry of the same tree");
    let renewed = Bundle { entries: vec![again], ..before.clone() };
    let root = published(&desk);
    judge(&desk, &before, &root).unwrap();
    judge(&desk, &renewed, &root).unwrap();
}

#[tokio::test]
async fn a_switch_waits_for_the_clients_and_for_the_server() {
    let desk = Desk::new();
    let dir = desk.dir();
    let early = How { without_waiting: true, ..how(DAY) };
    let refused = rotate(&dir, Role::Log, &early, &desk.clock).unwrap_err();
    assert!(matches!(refused.downcast_ref(), Some(RotateError::NotStaged { .. })));
    rotate(&dir, Role::Log, &how(DAY), &desk.clock).unwrap();
    let staged = Rotation::read(&dir).unwrap();

    let serving = InUse::by_server(&dir).unwrap();
    desk.clock.set(desk.clock.now() + DAY);
    let refused = rotate(&dir, Role::Log, &how(DAY), &desk.clock).unwrap_err();
    assert!(refused.to_string().contains("a server runs"), "{refused}");
    drop(serving);
    desk.clock.set(desk.clock.now() - 1);
    let refused = rotate(&dir, Role::Log, &how(DAY), &desk.clock).unwrap_err();
    assert!(matches!(refused.downcast_ref(), Some(RotateError::TooEarly { left_seconds: 1, .. })));
    assert_eq!(Rotation::read(&dir).unwrap(), staged, "nothing was changed");
    let told = status(&dir, desk.clock.now()).unwrap();
    assert!(told.contains("log 1: signs;") && told.contains("log 2: published"), "{told}");
    let desk = desk.stopped();
    rotate(&dir, Role::Log, &early, &desk.clock).unwrap();
    assert_eq!(Rotation::read(&dir).unwrap().number(Role::Log), 2);
}

#[tokio::test]
async fn a_new_certificate_needs_the_roots_key() {
    let desk = Desk::new();
    let dir = desk.dir();
    let kept = dir.join("elsewhere.pem");
    std::fs::rename(dir.join("keys/root.pem"), &kept).unwrap();
    let refused = rotate(&dir, Role::Issuing, &how(0), &desk.clock).unwrap_err();
    assert!(refused.to_string().contains("--root-key"), "{refused}");
    let wrong = How { root_key: Some(dir.join("keys/tsa-root.pem")), ..how(0) };
    let refused = rotate(&dir, Role::Issuing, &wrong, &desk.clock).unwrap_err();
    assert!(refused.to_string().contains("root"), "{refused}");
    assert!(!key_path(&dir, Role::Issuing, 2).exists(), "nothing is left of a failed try");
    let right = How { root_key: Some(kept), ..how(0) };
    rotate(&dir, Role::Issuing, &right, &desk.clock).unwrap();
    assert!(certificate_path(&dir, Role::Issuing, 2).exists());
}

#[tokio::test]
async fn served_root_equals_running_keys() {
    let desk = Desk::new();
    let dir = desk.dir();
    rotate(&dir, Role::Ct, &how(0), &desk.clock).unwrap();
    let desk = desk.stopped();
    rotate(&dir, Role::Ct, &how(0), &desk.clock).unwrap();
    // The old key under the new one's name.
    std::fs::copy(key_path(&dir, Role::Ct, 1), key_path(&dir, Role::Ct, 2)).unwrap();
    let refused = ca::instance::Instance::open(&dir, desk.clock.now()).err().unwrap();
    assert!(refused.to_string().contains("rotation.json"), "{refused}");
}

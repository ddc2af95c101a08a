//! Bundles that cosign 3.1.1 made against rekor-tiles 2.3.0 and timestamp-server 2.1.3, with a bare
//! key: verified as they are, and refused for one change each. See `data/README.md`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use formats::bundle::Bundle;
use formats::digest::{Digest, HashAlgorithm};
use formats::key::PublicKey;
use formats::trusted_root::TrustedRoot;
use verify::error::{ArtifactFault, BundleFault, Refusal};
use verify::policy::Policy;
use verify::time::TimeSource;
use verify::verify::{Artifact, required_digests, verify};

const BLOB: &[u8] = include_bytes!("data/real-clients/blob.txt");
const BUNDLE: &[u8] = include_bytes!("data/real-clients/blob-bundle-rekorv2-tsa.json");
const ROOT: &[u8] = include_bytes!("data/real-clients/trusted-root-rekorv2-tsa.json");
const KEY: &str = include_str!("data/real-clients/cosign.pub");
const UNLOGGED: [&[u8]; 3] = [
    include_bytes!("data/real-clients/cosign3-bundle-0.json"),
    include_bytes!("data/real-clients/cosign3-bundle-1.json"),
    include_bytes!("data/real-clients/cosign3-bundle-3.json"),
];
const LOGGED: &[u8] = include_bytes!("data/real-clients/cosign3-bundle-2.json");
/// 2026-11-22T03:09:40Z, the genTime in the token according to `openssl ts -reply -text`.
const STAMPED: i64 = 1_795_316_980;
const NOW: i64 = STAMPED + 3600;

fn root() -> TrustedRoot {
    TrustedRoot::from_json(ROOT).unwrap()
}

fn key() -> PublicKey {
    PublicKey::from_pem(KEY).unwrap()
}

#[test]
fn blob_with_tile_log_and_timestamp_verifies() {
    let bundle = Bundle::from_json(BUNDLE).unwrap();
    let verified =
        verify(&bundle, &Artifact::Message(BLOB), &Policy::key(key()), &root(), NOW).unwrap();
    assert_eq!(verified.subject, None);
    assert_eq!(verified.entries.len(), 1);
    assert_eq!(verified.entries[0].log, "rekor.local");
    assert_eq!(verified.times.len(), 1);
    assert_eq!(verified.times[0].seconds(), STAMPED);
    assert!(matches!(verified.times[0].source(), TimeSource::TimestampAuthority { .. }));
}

#[test]
fn blob_verifies_by_its_digest() {
    let bundle = Bundle::from_json(BUNDLE).unwrap();
    assert_eq!(required_digests(&bundle, Some(&key())), [HashAlgorithm::Sha256]);
    let digest = HashAlgorithm::Sha256.digest(BLOB);
    let verified =
        verify(&bundle, &Artifact::Digests(&[digest]), &Policy::key(key()), &root(), NOW);
    assert!(verified.is_ok());
    let none = verify(&bundle, &Artifact::Digests(&[]), &Policy::key(key()), &root(), NOW);
    assert_eq!(
        none.unwrap_err(),
        Refusal::Artifact(ArtifactFault::DigestMissing(HashAlgorithm::Sha256))
    );
}

#[test]
fn attestation_of_an_image_verifies_by_its_digest() {
    let bundle = Bundle::from_json(LOGGED).unwrap();
    let image = image_digest();
    let verified =
        verify(&bundle, &Artifact::Digests(&[image]), &Policy::key(key()), &root(), NOW).unwrap();
    assert!(verified.statement.is_some());
}

#[test]
fn bundles_that_no_log_holds_are_refused() {
    for bundle in UNLOGGED {
        let bundle = Bundle::from_json(bundle).unwrap();
        let refusal = verify(
            &bundle,
            &Artifact::Digests(&[image_digest()]),
            &Policy::key(key()),
            &root(),
            NOW,
        )
        .unwrap_err();
        assert_eq!(refusal, Refusal::Bundle(BundleFault::NoLogEntry));
    }
}

fn image_digest() -> Digest {
    let hex = "5763a9874903fbb1bc09ce56c0b993420914749c9aaaad8ab8f15848102541d3";
    Digest::from_hex(HashAlgorithm::Sha256, hex).unwrap()
}

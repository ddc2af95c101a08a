//! Signed certificate timestamps: each test changes one thing and names the one reason.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod instance;

use std::num::NonZeroU32;

use formats::certificate::oid;
use formats::sct::SctError;
use instance::der;
use instance::scene::{Sct, YEAR};
use instance::{Key, Kind, Scene, T};
use verify::error::{AuthorityFault, PolicyFault, Refusal};
use verify::policy::Policy;

fn refused(change: impl FnOnce(&mut Scene)) -> Refusal {
    Scene::refused(Kind::Rekor2, change)
}

fn accepted(change: impl FnOnce(&mut Scene)) {
    assert_eq!(Scene::after(Kind::Rekor2, change).map(|_| ()), Ok(()));
}

fn authority(fault: AuthorityFault) -> Refusal {
    Refusal::Authority(fault)
}

#[test]
fn sct_present_and_complete() {
    assert_eq!(refused(|scene| scene.scts.clear()), authority(AuthorityFault::NoSct));
    let sct = |change: fn(&mut Sct)| refused(move |scene| change(&mut scene.scts[0]));
    assert_eq!(sct(|sct| sct.forged = true), authority(AuthorityFault::SctSignature));
    for algorithm in [[2, 3], [5, 3], [4, 1], [0, 0], [8, 7]] {
        let refusal = refused(|scene| scene.scts[0].algorithm = algorithm);
        assert_eq!(refusal, authority(AuthorityFault::SctAlgorithm));
    }
    // Extension bytes are signed as they are.
    accepted(|scene| scene.scts[0].extensions = vec![0, 0, 5, 0, 0, 0, 0, 0x70]);
    let malformed = |value: Vec<u8>| refused(|scene| scene.sct_list = Some(value));
    assert_eq!(
        malformed(der::octets(&[0, 0])),
        authority(AuthorityFault::SctMalformed(SctError::EmptyList))
    );
    assert_eq!(
        malformed(der::octets(&[0, 3, 0, 1, 1])),
        authority(AuthorityFault::SctMalformed(SctError::UnknownVersion { version: 1 }))
    );
    let trailing = malformed([der::octets(&[0, 0]), vec![0]].concat());
    assert_eq!(trailing.code(), "sct-malformed");
}

#[test]
fn invalid_ct_key() {
    // The log's id with another key behind it.
    let refusal = refused(|scene| {
        let other = Key::p256().public();
        scene.edit_root(move |root| root.ct_logs[0].key = other.clone());
    });
    assert_eq!(refusal, authority(AuthorityFault::SctSignature));
    // A log nobody knows counts for nothing, and harms nothing beside a known one.
    let unknown = refused(|scene| scene.scts[0].log_id = Some([7; 32]));
    assert_eq!(unknown, authority(AuthorityFault::SctLogUnknown));
    accepted(|scene| scene.scts.push(Sct { log_id: Some([7; 32]), ..Sct::good() }));
    // RFC 6962 knows no Ed25519: such a log is left out.
    let ed25519 = refused(|scene| {
        let key = Key::ed25519().public();
        scene.edit_root(move |root| root.ct_logs[0].key = key.clone());
    });
    assert_eq!(ed25519, authority(AuthorityFault::SctLogUnknown));
}

#[test]
fn sct_is_of_this_certificate_and_issuer() {
    // Another certificate's SCT: same log, genuine signature.
    let refusal = refused(|scene| {
        let mut other = Scene::new(Kind::Rekor2);
        other.ct_keys = vec![std::mem::replace(&mut scene.ct_keys[0], Key::p256())];
        let list = other.leaf_certificate().extension(oid::SCT_LIST).unwrap().value.clone();
        scene.sct_list = Some(list);
        scene.ct_keys[0] = other.ct_keys.remove(0);
    });
    assert_eq!(refusal, authority(AuthorityFault::SctSignature));
}

#[test]
fn windows_enforced_for_ct_logs() {
    let verdict = |start, end| {
        Scene::after(Kind::Rekor2, |scene| {
            scene.edit_root(move |root| {
                let window = &mut root.ct_logs[0].window;
                (window.start, window.end) = (start, Some(end));
            });
        })
        .map(|_| ())
    };
    let outside = authority(AuthorityFault::SctWindow(u64::try_from(T).unwrap() * 1000));
    assert_eq!(verdict(T, T), Ok(()));
    assert_eq!(verdict(T - YEAR, T - 1), Err(outside.clone()));
    assert_eq!(verdict(T + 1, T + YEAR), Err(outside));
}

#[test]
fn thresholds_count_ct_logs() {
    let policy = || Some(Policy::identity(Scene::identity().scts(NonZeroU32::new(2).unwrap())));
    let too_few = Refusal::Policy(PolicyFault::TooFewScts { have: 1, need: 2 });
    let twice = refused(|scene| {
        scene.policy = policy();
        scene.scts.push(Sct { timestamp_ms: 1_800_000_001_000, ..Sct::good() });
    });
    assert_eq!(twice, too_few);
    accepted(|scene| {
        scene.policy = policy();
        scene.scts.push(Sct { key: 1, ..Sct::good() });
    });
    // A second log that is known must verify, asked for or not.
    let forged = refused(|scene| scene.scts.push(Sct { key: 1, forged: true, ..Sct::good() }));
    assert_eq!(forged, authority(AuthorityFault::SctSignature));
}

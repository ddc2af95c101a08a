//! What verifies: every kind of entry, and every variation that a verifier must bear.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod instance;

use instance::scene::{ISSUER, SUBJECT};
use instance::{Kind, Scene, T};

#[test]
fn every_kind_of_entry_verifies() {
    for kind in Kind::ALL {
        let scene = Scene::new(kind);
        let verified = scene.verdict().unwrap_or_else(|refusal| panic!("{kind:?}: {refusal}"));
        assert_eq!(verified.subject.unwrap().as_str(), SUBJECT);
        assert_eq!(verified.issuer.unwrap(), ISSUER);
        assert_eq!(verified.times.len(), 1);
        assert_eq!(verified.times[0].seconds(), T);
        assert_eq!(verified.statement.is_some(), !kind.is_message());
    }
}

#[test]
fn every_kind_verifies_with_a_bare_key() {
    for kind in Kind::ALL {
        let mut scene = Scene::new(kind);
        scene.bare_key = true;
        let verified = scene.verdict().unwrap_or_else(|refusal| panic!("{kind:?}: {refusal}"));
        assert_eq!((verified.subject, verified.issuer), (None, None));
    }
}

#[test]
fn envelope_recorded_by_the_digest_of_its_encoding() {
    for bare_key in [false, true] {
        let verdict = Scene::after(Kind::Dsse1, |scene| {
            scene.bare_key = bare_key;
            scene.entry_kind = Kind::HashedRekord1;
        });
        assert!(verdict.unwrap().statement.is_some());
    }
}

#[test]
fn v1_body_in_a_log_with_a_plain_origin() {
    for kind in [Kind::HashedRekord1, Kind::Dsse1, Kind::Intoto2] {
        let verdict =
            Scene::after(kind, |scene| scene.checkpoint.origin = "v1.log.example.org".to_owned());
        assert!(verdict.is_ok());
    }
}

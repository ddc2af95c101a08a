//! Promises of Rekor v1 logs: each test changes one thing and names the one reason.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod instance;

use instance::tsa::TokenSpec;
use instance::{Kind, Scene, T};
use verify::error::{BundleFault, EntryFault, Refusal};

fn v1(fault: EntryFault) -> Refusal {
    Refusal::Bundle(BundleFault::Entry { index: 0, fault })
}

#[test]
fn time_is_authenticated_first() {
    for kind in [Kind::HashedRekord1, Kind::Dsse1, Kind::Intoto2] {
        // Time without promise.
        let refusal = Scene::refused(kind, |scene| {
            scene.edit_entry(|entry| entry.inclusion_promise = None);
        });
        assert_eq!(refusal, Refusal::Bundle(BundleFault::NoVerifiedTime));
        // Promise without time.
        let refusal =
            Scene::refused(kind, |scene| scene.edit_entry(|entry| entry.integrated_time = None));
        assert_eq!(refusal, v1(EntryFault::PromiseWithoutTime));
        // Time, index or signature other than promised.
        for edit in [
            (|entry| entry.integrated_time = Some(T + 1)) as fn(&mut formats::bundle::LogEntry),
            |entry| entry.log_index += 1,
            |entry| *entry.inclusion_promise.as_mut().unwrap().last_mut().unwrap() ^= 1,
        ] {
            let refusal = Scene::refused(kind, |scene| scene.edit_entry(edit));
            assert_eq!(refusal, v1(EntryFault::PromiseSignature));
        }
        // A log that lives in the future.
        let refusal = Scene::refused(kind, |scene| scene.now = T - 1);
        assert_eq!(refusal, v1(EntryFault::IntegratedTimeInFuture(T)));
        assert!(Scene::after(kind, |scene| scene.now = T).is_ok());
        // Promised, and outside the certificate.
        let refusal = Scene::refused(kind, |scene| scene.promise = Some(T + 541));
        assert_eq!(refusal.code(), "certificate-not-valid-at");
    }
}

#[test]
fn unpromised_time_is_not_read() {
    // With a timestamp, an entry needs no promise; the number beside it decides nothing.
    for kind in [Kind::HashedRekord1, Kind::Dsse1, Kind::Intoto2] {
        for number in [None, Some(1), Some(T + 99_999)] {
            let verdict = Scene::after(kind, |scene| {
                scene.tokens.push(TokenSpec::at(T));
                scene.edit_entry(move |entry| {
                    entry.inclusion_promise = None;
                    entry.integrated_time = number;
                });
            });
            let times = verdict.unwrap().times;
            assert_eq!(times.iter().map(|time| time.seconds()).collect::<Vec<_>>(), [T]);
        }
    }
}

#[test]
fn promise_from_a_tile_log() {
    for kind in [Kind::Rekor2, Kind::Rekor2Dsse] {
        assert_eq!(
            Scene::refused(kind, |scene| scene.promise = Some(T)),
            v1(EntryFault::PromiseFromTileLog)
        );
        let unpromised = Scene::after(kind, |scene| {
            scene.edit_entry(|entry| entry.integrated_time = Some(T + 99_999));
        });
        assert!(unpromised.is_ok());
    }
}

#[test]
fn promise_and_timestamp_must_both_fit() {
    let refusal = Scene::refused(Kind::Intoto2, |scene| {
        scene.tokens.push(TokenSpec::at(T + 541));
    });
    assert_eq!(refusal.code(), "certificate-not-valid-at");
    assert!(Scene::after(Kind::Intoto2, |scene| scene.tokens.push(TokenSpec::at(T))).is_ok());
}

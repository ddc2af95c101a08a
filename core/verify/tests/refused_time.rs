//! Timestamps and promises: each test changes one thing and names the one reason.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod instance;

use std::num::NonZeroU32;

use formats::certificate::oid;
use formats::timestamp::TokenError;
use instance::pki::{self, sha256};
use instance::scene::{Authority, YEAR, tsa_spec};
use instance::tsa::TokenSpec;
use instance::{Key, Kind, Scene, T};
use verify::error::{AuthorityFault, BundleFault, PathFault, PolicyFault, Refusal, SignerFault};
use verify::policy::Policy;

fn authority(fault: AuthorityFault) -> Refusal {
    Refusal::Authority(fault)
}

fn tsa(fault: PathFault) -> Refusal {
    authority(AuthorityFault::TimestampAuthority(fault))
}

fn stamped(change: impl FnOnce(&mut Scene)) -> Refusal {
    Scene::refused(Kind::Rekor2, change)
}

/// A second timestamp authority under the same root.
fn add_tsa(scene: &mut Scene) {
    let spec = tsa_spec("Second", &scene.tsa_root.key, (T - YEAR, T + 9 * YEAR));
    scene.tsas.push(Authority { spec, key: Key::p256() });
}

fn second(gen_time: i64) -> TokenSpec {
    TokenSpec { authority: 1, ..TokenSpec::at(gen_time) }
}

#[test]
fn no_timestamp() {
    assert_eq!(stamped(|scene| scene.tokens.clear()), Refusal::Bundle(BundleFault::NoVerifiedTime));
}

#[test]
fn timestamp_malformed() {
    let refusal = stamped(|scene| {
        scene.edit_bundle(|bundle| bundle.timestamps[0].push(0));
    });
    assert_eq!(refusal.code(), "timestamp-malformed");
    let refusal = stamped(|scene| scene.edit_bundle(|bundle| bundle.timestamps[0].clear()));
    assert_eq!(refusal.code(), "timestamp-malformed");
}

#[test]
fn imprint_is_of_the_signature() {
    let refusal = stamped(|scene| scene.tokens[0].over = Some(scene.artifact.clone()));
    assert_eq!(refusal, Refusal::Bundle(BundleFault::TimestampImprint { index: 0 }));
    let refusal = Scene::refused(Kind::Rekor2Dsse, |scene| {
        scene.tokens[0].over = Some(scene.payload.clone());
    });
    assert_eq!(refusal, Refusal::Bundle(BundleFault::TimestampImprint { index: 0 }));
}

#[test]
fn timestamp_with_and_without_embedded_certificate() {
    assert!(Scene::new(Kind::Rekor2).verdict().is_ok());
    let verdict = Scene::after(Kind::Rekor2, |scene| {
        scene.tokens[0].bag = scene.tsa_chain(0).to_vec();
    });
    assert!(verdict.is_ok());
}

#[test]
fn untrusted_tsa() {
    for embedded in [false, true] {
        let refusal = stamped(|scene| {
            if embedded {
                scene.tokens[0].bag = scene.tsa_chain(0).to_vec();
            }
            scene.edit_root(|root| root.timestamp_authorities.clear());
        });
        assert_eq!(refusal, authority(AuthorityFault::TimestampAuthorityUnknown));
    }
}

#[test]
fn signer_cert_is_the_judged_cert() {
    // An untrusted authority signs; the trusted one's certificate lies in front of the bag.
    let refusal = stamped(|scene| {
        add_tsa(scene);
        scene.tokens = vec![second(T)];
        scene.tokens[0].bag = vec![scene.tsa_chain(0)[0].clone(), scene.tsa_chain(1)[0].clone()];
        scene.edit_root(|root| root.timestamp_authorities.truncate(1));
    });
    assert_eq!(refusal, authority(AuthorityFault::TimestampAuthorityUnknown));
    // The token names the trusted certificate, and another key signed.
    let mut scene = Scene::new(Kind::Rekor2);
    let thief = Key::p256();
    let signer = scene.tsa_chain(0)[0].clone();
    scene.edit_bundle(move |bundle| {
        let forged = TokenSpec::at(T).response(bundle.signature(), &signer, &thief);
        bundle.timestamps = vec![forged];
    });
    assert_eq!(scene.verdict().unwrap_err(), authority(AuthorityFault::TimestampSignature));
}

#[test]
fn embedded_certificate_is_the_trusted_one() {
    let refusal = stamped(|scene| {
        // Same issuer, same serial number, same key, other certificate.
        let mut spec = scene.tsas[0].spec.clone();
        spec.not_after += 1;
        let twin = spec.issue(&scene.tsas[0].key, "Stamping Root", &scene.tsa_root.key);
        scene.tokens[0].bag = vec![twin];
    });
    assert_eq!(refusal, authority(AuthorityFault::TimestampCertificate));
}

#[test]
fn token_signature_itself_checked() {
    assert_eq!(
        stamped(|scene| scene.tokens[0].forged = true),
        authority(AuthorityFault::TimestampSignature)
    );
    // Another TSTInfo under the same attributes: a later second in genTime.
    let refusal = stamped(|scene| {
        scene.edit_bundle(|bundle| {
            let token = &mut bundle.timestamps[0];
            let at = token.windows(5).position(|window| window == [0x18, 15, b'2', b'0', b'2']);
            token[at.unwrap() + 15] ^= 1;
        });
    });
    let error = TokenError::MessageDigestMismatch;
    assert_eq!(refusal, Refusal::Bundle(BundleFault::TimestampMalformed { index: 0, error }));
}

#[test]
fn ess_cert_id_checked() {
    assert_eq!(
        stamped(|scene| scene.tokens[0].ess = Some(Vec::new())),
        authority(AuthorityFault::TimestampNoSigningCertificate)
    );
    assert_eq!(
        stamped(|scene| scene.tokens[0].ess = Some(vec![[7; 32]])),
        authority(AuthorityFault::TimestampSigningCertificate)
    );
    let ids = |scene: &Scene| -> Vec<[u8; 32]> {
        scene.tsa_chain(0).iter().map(|certificate| sha256(certificate.der())).collect()
    };
    let whole = Scene::after(Kind::Rekor2, |scene| scene.tokens[0].ess = Some(ids(scene)));
    assert!(whole.is_ok());
    let reversed = stamped(|scene| {
        scene.tokens[0].ess = Some(ids(scene).into_iter().rev().collect());
    });
    assert_eq!(reversed, authority(AuthorityFault::TimestampSigningCertificate));
    let stranger = stamped(|scene| {
        scene.tokens[0].ess = Some([ids(scene), vec![[7; 32]]].concat());
    });
    assert_eq!(stranger, authority(AuthorityFault::TimestampSigningCertificate));
}

#[test]
fn tsa_eku_sole_and_critical() {
    let purposes = |critical, purposes: &'static [&'static str]| {
        stamped(move |scene| {
            let value = pki::extended_key_usage(purposes);
            scene.tsas[0].spec.set(oid::EXTENDED_KEY_USAGE, critical, value);
        })
    };
    assert_eq!(purposes(false, &[oid::EKU_TIME_STAMPING]), tsa(PathFault::LeafPurposeNotCritical));
    for bad in [
        &[oid::EKU_TIME_STAMPING, oid::EKU_CODE_SIGNING][..],
        &[oid::EKU_ANY],
        &[oid::EKU_CODE_SIGNING],
    ] {
        assert_eq!(purposes(true, bad), tsa(PathFault::LeafPurpose));
    }
    assert_eq!(
        stamped(|scene| scene.tsas[0].spec.remove(oid::EXTENDED_KEY_USAGE)),
        tsa(PathFault::LeafPurpose)
    );
    let authority = stamped(|scene| {
        let value = pki::basic_constraints(true, None);
        scene.tsas[0].spec.set(oid::BASIC_CONSTRAINTS, true, value);
    });
    assert_eq!(authority, tsa(PathFault::LeafIsAuthority));
    let certs_only = stamped(|scene| {
        let value = pki::key_usage(pki::KEY_CERT_SIGN);
        scene.tsas[0].spec.set(oid::KEY_USAGE, true, value);
    });
    assert_eq!(certs_only, tsa(PathFault::LeafKeyUsage));
    // Authorities above: no purpose, timestamping or any.
    for (purpose, verdict) in [
        (oid::EKU_TIME_STAMPING, Ok(())),
        (oid::EKU_ANY, Ok(())),
        (oid::EKU_CODE_SIGNING, Err(tsa(PathFault::Purpose(1)))),
    ] {
        let found = Scene::after(Kind::Rekor2, |scene| {
            let value = pki::extended_key_usage(&[purpose]);
            scene.tsa_root.spec.set(oid::EXTENDED_KEY_USAGE, false, value);
        });
        assert_eq!(found.map(|_| ()), verdict);
    }
}

#[test]
fn tsa_chain_at_gentime() {
    // Expired when it is checked, valid when it stamped.
    let long_after = Scene::after(Kind::Rekor2, |scene| {
        scene.tsas[0].spec.not_after = T + 10;
        scene.tsa_root.spec.not_after = T + 20;
        scene.now = T + 50 * YEAR;
    });
    assert!(long_after.is_ok());
    let fault = |position| tsa(PathFault::NotValidAt { position, time: T });
    assert_eq!(stamped(|scene| scene.tsas[0].spec.not_after = T - 1), fault(0));
    assert_eq!(stamped(|scene| scene.tsas[0].spec.not_before = T + 1), fault(0));
    assert_eq!(stamped(|scene| scene.tsa_root.spec.not_after = T - 1), fault(1));
    let ends = Scene::after(Kind::Rekor2, |scene| {
        (scene.tsas[0].spec.not_before, scene.tsas[0].spec.not_after) = (T, T);
    });
    assert!(ends.is_ok());
}

#[test]
fn windows_enforced_for_timestamp_authorities() {
    let verdict = |start, end| {
        Scene::after(Kind::Rekor2, |scene| {
            scene.edit_root(move |root| {
                let window = &mut root.timestamp_authorities[0].window;
                (window.start, window.end) = (start, Some(end));
            });
        })
        .map(|_| ())
    };
    assert_eq!(verdict(T, T), Ok(()));
    assert_eq!(verdict(T - YEAR, T - 1), Err(tsa(PathFault::Window(T))));
    assert_eq!(verdict(T + 1, T + YEAR), Err(tsa(PathFault::Window(T))));
}

#[test]
fn window_of_the_signing_authority() {
    // The retired authority's token does not borrow the window of the one still open.
    let refusal = stamped(|scene| {
        add_tsa(scene);
        scene.edit_root(|root| root.timestamp_authorities[0].window.end = Some(T - 1));
    });
    assert_eq!(refusal, tsa(PathFault::Window(T)));
    // The same authority listed twice: the entry that was open then counts.
    let listed_twice = Scene::after(Kind::Rekor2, |scene| {
        scene.edit_root(|root| {
            let mut old = root.timestamp_authorities[0].clone();
            old.window.end = Some(T - 1);
            root.timestamp_authorities.insert(0, old);
        });
    });
    assert!(listed_twice.is_ok());
}

#[test]
fn every_time_must_fit() {
    let outside = |time| {
        let (not_before, not_after) = (T - 60, T + 540);
        Refusal::Signer(SignerFault::NotValidAt { time, not_before, not_after })
    };
    for time in [T - 61, T + 541] {
        assert_eq!(stamped(|scene| scene.tokens[0].gen_time = time), outside(time));
        // One good, one that a trusted authority vouches for as well.
        let both = stamped(|scene| {
            add_tsa(scene);
            scene.tokens.push(second(time));
        });
        assert_eq!(both, outside(time));
    }
    for time in [T - 60, T + 540] {
        assert!(Scene::after(Kind::Rekor2, |scene| scene.tokens[0].gen_time = time).is_ok());
    }
    // One good, one of an authority nobody knows.
    let stray = Scene::after(Kind::Rekor2, |scene| {
        add_tsa(scene);
        scene.tokens.push(second(T + 99_999));
        scene.edit_root(|root| root.timestamp_authorities.truncate(1));
    });
    assert_eq!(stray.unwrap().times.len(), 1);
}

#[test]
fn thresholds_count_authorities() {
    let policy = || Some(Policy::identity(Scene::identity()).times(NonZeroU32::new(2).unwrap()));
    let too_few = Refusal::Policy(PolicyFault::TooFewTimes { have: 1, need: 2 });
    let one = stamped(|scene| scene.policy = policy());
    assert_eq!(one, too_few);
    // The same token twice; two tokens of one authority; two keys under one name.
    let same = stamped(|scene| {
        scene.policy = policy();
        scene.edit_bundle(|bundle| bundle.timestamps.push(bundle.timestamps[0].clone()));
    });
    assert_eq!(same, too_few);
    let twice = stamped(|scene| {
        scene.policy = policy();
        scene.tokens.push(TokenSpec::at(T + 1));
    });
    assert_eq!(twice, too_few);
    let one_name = stamped(|scene| {
        scene.policy = policy();
        add_tsa(scene);
        scene.tokens.push(second(T));
        scene.edit_root(|root| {
            root.timestamp_authorities[1].uri = root.timestamp_authorities[0].uri.clone();
        });
    });
    assert_eq!(one_name, too_few);
    // One key under two names, one after the other.
    let renamed = stamped(|scene| {
        scene.policy = policy();
        scene.tokens.push(TokenSpec::at(T + 1));
        scene.edit_root(|root| {
            let mut later = root.timestamp_authorities[0].clone();
            later.uri = "https://renamed.example.org".to_owned();
            later.window.start = T + 1;
            root.timestamp_authorities[0].window.end = Some(T);
            root.timestamp_authorities.push(later);
        });
    });
    assert_eq!(renamed, too_few);
    let two = Scene::after(Kind::Rekor2, |scene| {
        scene.policy = policy();
        add_tsa(scene);
        scene.tokens.push(second(T));
    });
    assert_eq!(two.unwrap().times.len(), 2);
    let log_and_tsa = Scene::after(Kind::Dsse1, |scene| {
        scene.policy = policy();
        scene.tokens.push(TokenSpec::at(T));
    });
    assert_eq!(log_and_tsa.unwrap().times.len(), 2);
}

#[test]
fn now_bounds_no_timestamp_authority() {
    // A verifier's clock a little behind must not refuse what was stamped a moment ago.
    assert!(Scene::after(Kind::Rekor2, |scene| scene.now = T - 30).is_ok());
}

#[test]
fn cms_digest_from_signerinfo() {
    // Nothing in the token is SHA-256 but the imprint.
    assert!(Scene::after(Kind::Rekor2, |scene| scene.tsas[0].key = Key::p384()).is_ok());
}

//! Log entries that prove something else than they should: each test changes one thing in a scene
//! that verifies (`accepted.rs`) and names the one reason.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod instance;

use formats::bundle::{BundleVersion, Content};
use formats::entry::EntryError;
use instance::pki::sha256;
use instance::scene::Checkpoint;
use instance::{Key, Kind, Scene, T};
use verify::crypto::{Scheme, verify_message};
use verify::error::{AuthorityFault, BundleFault, EntryFault, PolicyFault, Refusal};
use verify::policy::Policy;

fn entry(fault: EntryFault) -> Refusal {
    Refusal::Bundle(BundleFault::Entry { index: 0, fault })
}

#[test]
fn no_entry() {
    for kind in Kind::ALL {
        let refusal =
            Scene::refused(kind, |scene| scene.edit_bundle(|bundle| bundle.entries.clear()));
        assert_eq!(refusal, Refusal::Bundle(BundleFault::NoLogEntry));
    }
}

#[test]
fn unknown_entry_version_rejected() {
    for (kind, version) in [("dsse", "0.0.9"), ("hashedrekord", "0.0.3"), ("rekord", "0.0.1")] {
        let refusal = Scene::refused(Kind::Rekor2, |scene| {
            scene.edit_entry(|entry| {
                entry.kind = kind.to_owned();
                entry.version = version.to_owned();
            });
        });
        let (kind, version) = (kind.to_owned(), version.to_owned());
        assert_eq!(refusal, entry(EntryFault::Body(EntryError::UnknownKind { kind, version })));
    }
    let withdrawn = Scene::refused(Kind::Rekor2Dsse, |scene| {
        scene.edit_entry(|entry| entry.kind = "dsse".to_owned());
    });
    assert_eq!(withdrawn, entry(EntryFault::Body(EntryError::DsseV002Refused)));
    let other = Scene::refused(Kind::Rekor2, |scene| {
        scene.edit_entry(|entry| entry.version = "0.0.1".to_owned());
    });
    assert!(matches!(
        other,
        Refusal::Bundle(BundleFault::Entry {
            fault: EntryFault::Body(EntryError::KindMismatch { .. }),
            ..
        })
    ));
}

#[test]
fn bodies_parse_totally() {
    for body in ["", "[]", "null", "{}", "not JSON", "{\"kind\":\"hashedrekord\"}", "\u{0}"] {
        for kind in Kind::ALL {
            let refusal = Scene::refused(kind, |scene| {
                scene.edit_entry(|entry| entry.canonicalized_body = body.as_bytes().to_vec());
            });
            assert_eq!(refusal.code(), "entry-body", "{body:?} as {kind:?}");
        }
    }
}

#[test]
fn entry_of_another_artifact() {
    for kind in [Kind::Rekor2, Kind::Rekor2Dsse, Kind::HashedRekord1] {
        let refusal = Scene::refused(kind, |scene| {
            scene.edit_body(|body| body.digest = sha256(b"another artifact").to_vec());
        });
        assert_eq!(refusal, entry(EntryFault::DigestDiffers), "{kind:?}");
    }
    for kind in [Kind::Dsse1, Kind::Intoto2] {
        let refusal = Scene::refused(kind, |scene| {
            scene.edit_body(|body| body.payload_hash = sha256(b"another payload").to_vec());
        });
        assert_eq!(refusal, entry(EntryFault::DigestDiffers), "{kind:?}");
    }
}

#[test]
fn entry_of_another_signature_by_the_same_key() {
    for kind in Kind::ALL {
        let mut scene = Scene::new(kind);
        let message = if kind.is_message() { scene.artifact.clone() } else { scene.pae() };
        let other = scene.leaf.key.sign(&message);
        scene.edit_body(move |body| body.signatures[0].0 = other.clone());
        assert_eq!(scene.verdict().unwrap_err(), entry(EntryFault::SignatureDiffers), "{kind:?}");
    }
}

#[test]
fn entry_of_another_certificate_for_the_same_key() {
    for kind in Kind::ALL {
        let refusal = Scene::refused(kind, |scene| {
            let mut spec = scene.leaf.spec.clone();
            spec.serial = vec![9, 9, 9];
            let other = spec.issue(&scene.leaf.key, "Issuing", &scene.ca.key);
            scene.edit_body(move |body| body.signatures[0].1 = other.der().to_vec());
        });
        assert_eq!(refusal, entry(EntryFault::KeyDiffers), "{kind:?}");
    }
}

#[test]
fn entry_of_the_bare_key_under_a_certificate() {
    for kind in Kind::ALL {
        let refusal = Scene::refused(kind, |scene| {
            let key = scene.leaf.key.spki();
            scene.edit_body(move |body| {
                body.certificate = false;
                body.signatures[0].1 = key.clone();
            });
        });
        assert_eq!(refusal, entry(EntryFault::KeyDiffers), "{kind:?}");
    }
}

#[test]
fn entry_of_another_key_under_a_bare_key() {
    for kind in Kind::ALL {
        let refusal = Scene::refused(kind, |scene| {
            scene.bare_key = true;
            let other = Key::p256().spki();
            scene.edit_body(move |body| body.signatures[0].1 = other.clone());
        });
        assert_eq!(refusal, entry(EntryFault::KeyDiffers), "{kind:?}");
    }
}

#[test]
fn entry_of_another_payload_type() {
    let refusal = Scene::refused(Kind::Intoto2, |scene| {
        scene.edit_body(|body| body.payload_type = "text/plain".to_owned());
    });
    assert_eq!(refusal, entry(EntryFault::PayloadTypeDiffers));
}

#[test]
fn entry_with_two_signatures() {
    for kind in [Kind::Dsse1, Kind::Intoto2] {
        for good_first in [true, false] {
            let refusal = Scene::refused(kind, |scene| {
                scene.edit_body(move |body| {
                    let bad = (b"bad".to_vec(), body.signatures[0].1.clone());
                    body.signatures.insert(usize::from(good_first), bad);
                });
            });
            assert_eq!(refusal, entry(EntryFault::SignatureCount(2)));
        }
    }
}

#[test]
fn entry_with_key_details_of_another_key() {
    for kind in [Kind::Rekor2, Kind::Rekor2Dsse] {
        for details in ["PKIX_ECDSA_P384_SHA_384", "PKIX_ED25519_PH", "PKIX_ECDSA_P384_SHA_256"] {
            let refusal = Scene::refused(kind, |scene| {
                scene.edit_body(move |body| body.key_details = details);
            });
            assert_eq!(refusal, entry(EntryFault::KeyDetails));
        }
    }
}

#[test]
fn entry_kind_of_other_content() {
    for recorded in [Kind::Dsse1, Kind::Intoto2] {
        let refusal = Scene::refused(Kind::HashedRekord1, |scene| scene.entry_kind = recorded);
        assert_eq!(refusal, entry(EntryFault::KindDoesNotFitContent));
    }
}

#[test]
fn tile_log_body_under_a_v1_checkpoint() {
    let refusal = Scene::refused(Kind::HashedRekord1, |scene| {
        scene.entry_kind = Kind::Rekor2;
        scene.promise = None;
        scene.tokens.push(instance::tsa::TokenSpec::at(T));
        scene.edit_entry(|entry| entry.log_index = 3);
    });
    assert_eq!(refusal, entry(EntryFault::CheckpointOrigin));
}

#[test]
fn index_in_a_tile_log_is_one_number() {
    let refusal = Scene::refused(Kind::Rekor2, |scene| {
        scene.edit_entry(|entry| entry.log_index = 2);
    });
    assert_eq!(refusal, entry(EntryFault::LogIndexDiffers));
}

#[test]
fn no_inclusion_proof() {
    for kind in Kind::ALL {
        let refusal = Scene::refused(kind, |scene| {
            scene.edit_entry(|entry| entry.inclusion_proof = None);
        });
        assert_eq!(refusal, entry(EntryFault::NoInclusionProof), "{kind:?}");
    }
}

#[test]
fn bundle_chooses_no_check() {
    // The media type is not signed: under the oldest one a proof is no less needed.
    for version in [BundleVersion::V01, BundleVersion::V02, BundleVersion::V03] {
        for kind in Kind::ALL {
            let verdict = Scene::after(kind, |scene| {
                scene.edit_bundle(move |bundle| bundle.version = version);
            });
            assert!(verdict.is_ok(), "the version alone changes nothing");
            let refusal = Scene::refused(kind, |scene| {
                scene.edit_bundle(move |bundle| {
                    bundle.version = version;
                    bundle.entries[0].inclusion_proof = None;
                });
            });
            assert_eq!(refusal, entry(EntryFault::NoInclusionProof));
        }
    }
}

#[test]
fn thresholds_count_logs() {
    let two = std::num::NonZeroU32::new(2).unwrap();
    let policy = || Policy::identity(Scene::identity()).logs(two);
    let twice = Scene::refused(Kind::Rekor2, |scene| {
        scene.policy = Some(policy());
        scene.edit_bundle(|bundle| bundle.entries.push(bundle.entries[0].clone()));
    });
    assert_eq!(twice, Refusal::Policy(PolicyFault::TooFewLogs { have: 1, need: 2 }));
    let other = || Some(Checkpoint::of("other.example.org", "other.example.org"));
    let both = Scene::after(Kind::Rekor2, |scene| {
        scene.policy = Some(policy());
        scene.other_checkpoint = other();
    });
    assert_eq!(both.unwrap().entries.len(), 2);
    // One log listed twice is one log.
    let twins = Scene::refused(Kind::HashedRekord1, |scene| {
        scene.policy = Some(policy());
        scene.edit_root(|root| root.logs.push(root.logs[0].clone()));
        scene.edit_bundle(|bundle| bundle.entries.push(bundle.entries[0].clone()));
    });
    assert_eq!(twins, Refusal::Policy(PolicyFault::TooFewLogs { have: 1, need: 2 }));
    let once = Scene::refused(Kind::Rekor2, |scene| scene.policy = Some(policy()));
    assert_eq!(once, Refusal::Policy(PolicyFault::TooFewLogs { have: 1, need: 2 }));
}

#[test]
fn a_second_entry_is_held_to_the_same_rules() {
    let refusal = Scene::refused(Kind::Rekor2, |scene| {
        scene.edit_bundle(|bundle| {
            let mut second = bundle.entries[0].clone();
            second.log_index = 2;
            bundle.entries.push(second);
        });
    });
    let fault = EntryFault::LogIndexDiffers;
    assert_eq!(refusal, Refusal::Bundle(BundleFault::Entry { index: 1, fault }));
    let refusal = Scene::refused(Kind::Rekor2, |scene| {
        scene.edit_bundle(|bundle| {
            let mut second = bundle.entries[0].clone();
            second.log_id = [7; 32];
            bundle.entries.push(second);
        });
    });
    assert_eq!(refusal, Refusal::Authority(AuthorityFault::LogUnknown));
}

#[test]
fn negated_signature_is_another_signature() {
    // (r, n - s) verifies wherever (r, s) does; what the log holds is the other one.
    for kind in Kind::ALL {
        let refusal = Scene::refused(kind, |scene| {
            scene.tokens.clear();
            scene.bare_key = true;
            scene.promise = None;
            scene.edit_bundle(|bundle| {
                let signature = match &mut bundle.content {
                    Content::Message { signature, .. } => signature,
                    Content::Dsse(envelope) => &mut envelope.signature,
                };
                *signature = negated(signature);
            });
        });
        assert_eq!(refusal, entry(EntryFault::SignatureDiffers), "{kind:?}");
    }
    let key = Key::p256();
    let (one, message) = (key.sign(b"message"), b"message");
    for signature in [&one, &negated(&one)] {
        let (public, scheme) = (key.public(), Scheme::EcdsaSha256);
        assert_eq!(verify_message(&public, scheme, message, signature), Ok(()));
    }
}

/// The DER of (r, n - s), n being the order of P-256 (FIPS 186-4 D.1.2.3).
fn negated(der: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let r_end = 4 + usize::from(der[3]);
    let s = &der[r_end + 2..];
    let s = &s[s.len().saturating_sub(32)..];
    let mut negated = ORDER;
    let mut borrow = 0;
    for (at, byte) in negated.iter_mut().enumerate().rev() {
        let minus = (at + s.len()).checked_sub(32).map_or(0, |at| s[at]);
        let difference = i16::from(*byte) - i16::from(minus) - borrow;
        borrow = i16::from(difference < 0);
        *byte = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    let first = negated.iter().position(|byte| *byte != 0).unwrap();
    let sign: &[u8] = if negated[first] & 0x80 == 0 { &[] } else { &[0] };
    instance::der::sequence(&[
        &der[2..r_end],
        &instance::der::tlv(0x02, &[sign, &negated[first..]]),
    ])
}

//! Signatures that hold, and are not what was asked for: identity, key, artifact, statement.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod instance;

use formats::bundle::Content;
use formats::digest::{Digest, HashAlgorithm};
use formats::statement::{StatementError, SubjectMismatch};
use formats::trusted_root::Window;
use instance::log::hex;
use instance::pki::sha256;
use instance::scene::{PREDICATE, statement};
use instance::{Key, Kind, Scene, T};
use verify::crypto::SignatureError;
use verify::error::{ArtifactFault, BundleFault, PolicyFault, Refusal, SignerFault};
use verify::policy::Policy;
use verify::verify::{Artifact, required_digests, verify};

fn signature() -> Refusal {
    Refusal::Signer(SignerFault::Signature(SignatureError::Invalid))
}

#[test]
fn signature_always_verified() {
    // Only the bytes of the signature are another one's, in bundle, entry and timestamp alike.
    for kind in Kind::ALL {
        for bare_key in [false, true] {
            let refusal = Scene::refused(kind, |scene| {
                scene.bare_key = bare_key;
                let thief = Key::p256();
                let message = if kind.is_message() { scene.artifact.clone() } else { scene.pae() };
                scene.signature = Some(thief.sign(&message));
            });
            assert_eq!(refusal, signature(), "{kind:?}");
            let refusal = Scene::refused(kind, |scene| {
                scene.bare_key = bare_key;
                scene.signature = Some(scene.leaf.key.sign(b"something else"));
            });
            assert_eq!(refusal, signature(), "{kind:?}");
        }
    }
}

#[test]
fn dsse_signature_covers_type_and_payload() {
    for kind in [Kind::Rekor2Dsse, Kind::Dsse1, Kind::Intoto2] {
        let refusal = Scene::refused(kind, |scene| {
            scene.signature = Some(scene.leaf.key.sign(&scene.payload));
        });
        assert_eq!(refusal, signature());
    }
}

#[test]
fn key_kinds_verify() {
    for key in [Key::p384, Key::p521, Key::rsa] {
        for kind in Kind::ALL {
            let verdict = Scene::after(kind, |scene| scene.leaf.key = key());
            assert_eq!(verdict.map(|_| ()), Ok(()), "{kind:?}");
        }
    }
    // Plain Ed25519 signs envelopes; Rekor v1 logs those as they are.
    for kind in [Kind::Dsse1, Kind::Intoto2] {
        assert!(Scene::after(kind, |scene| scene.leaf.key = Key::ed25519()).is_ok());
    }
}

#[test]
fn algorithm_from_trusted_key() {
    // P-384 over SHA-256, stated as such everywhere the bundle has a say.
    let mut scene = Scene::new(Kind::Rekor2);
    scene.leaf.key = Key::p384();
    scene.edit_body(|body| {
        body.algorithm = "SHA2_256";
        body.digest = sha256(b"an artifact").to_vec();
        body.key_details = "PKIX_ECDSA_P384_SHA_256";
    });
    scene.edit_bundle(|bundle| {
        if let Content::Message { digest, .. } = &mut bundle.content {
            *digest = Some(Digest::sha256(sha256(b"an artifact")));
        }
    });
    let (stated, wanted) = (HashAlgorithm::Sha256, HashAlgorithm::Sha384);
    assert_eq!(
        scene.verdict().unwrap_err(),
        Refusal::Artifact(ArtifactFault::DigestAlgorithm { stated, wanted })
    );
    scene.edit_bundle(|bundle| {
        if let Content::Message { digest, .. } = &mut bundle.content {
            *digest = None;
        }
    });
    assert_eq!(scene.verdict().unwrap_err().code(), "entry-digest-differs");
}

#[test]
fn wrong_artifact() {
    for kind in [Kind::Rekor2, Kind::HashedRekord1] {
        let scene = Scene::new(kind);
        let (bundle, root, policy) = (scene.bundle(), scene.root(), scene.policy());
        let judge = |artifact: &Artifact<'_>| verify(&bundle, artifact, &policy, &root, scene.now);
        assert!(judge(&Artifact::Message(&scene.artifact)).is_ok());
        assert!(matches!(
            judge(&Artifact::Message(b"another artifact")).unwrap_err(),
            Refusal::Artifact(ArtifactFault::DigestDiffers { .. })
        ));
        let good = Digest::sha256(sha256(&scene.artifact));
        let bad = Digest::sha256(sha256(b"another artifact"));
        assert!(judge(&Artifact::Digests(&[good])).is_ok());
        assert!(judge(&Artifact::Digests(&[good, good])).is_ok());
        for contradiction in [[good, bad], [bad, good]] {
            assert_eq!(
                judge(&Artifact::Digests(&contradiction)).unwrap_err(),
                Refusal::Artifact(ArtifactFault::DigestsContradict(HashAlgorithm::Sha256))
            );
        }
        let other = HashAlgorithm::Sha512.digest(&scene.artifact);
        assert_eq!(
            judge(&Artifact::Digests(&[other])).unwrap_err(),
            Refusal::Artifact(ArtifactFault::DigestMissing(HashAlgorithm::Sha256))
        );
    }
}

#[test]
fn stated_digest_equals_artifact() {
    // Signature, entry and timestamp are right; only the unsigned messageDigest is not.
    let state = |stated: Option<Digest>| {
        Scene::after(Kind::Rekor2, |scene| {
            scene.edit_bundle(move |bundle| {
                if let Content::Message { digest, .. } = &mut bundle.content {
                    *digest = stated;
                }
            });
        })
        .map(|_| ())
    };
    assert_eq!(state(None), Ok(()));
    assert_eq!(state(Some(Digest::sha256(sha256(b"an artifact")))), Ok(()));
    let other = state(Some(Digest::sha256(sha256(b"another artifact")))).unwrap_err();
    assert_eq!(other.code(), "artifact-digest-differs");
    let long = HashAlgorithm::Sha512.digest(b"an artifact");
    assert_eq!(
        state(Some(long)),
        Err(Refusal::Artifact(ArtifactFault::DigestAlgorithm {
            stated: HashAlgorithm::Sha512,
            wanted: HashAlgorithm::Sha256
        }))
    );
}

#[test]
fn dsse_payload_type_exact() {
    for found in ["application/vnd.in-toto+JSON", "application/vnd.in-toto+json;v=1", "text/plain"]
    {
        for kind in [Kind::Rekor2Dsse, Kind::Dsse1, Kind::Intoto2] {
            let refusal = Scene::refused(kind, |scene| scene.payload_type = found.to_owned());
            let fault = StatementError::PayloadType { found: found.to_owned() };
            assert_eq!(refusal, Refusal::Bundle(BundleFault::Statement(fault)));
        }
    }
    let v9 = Scene::refused(Kind::Rekor2Dsse, |scene| {
        let text = String::from_utf8(scene.payload.clone()).unwrap();
        scene.payload = text.replace("Statement/v1", "Statement/v9").into_bytes();
    });
    assert_eq!(v9.code(), "statement-malformed");
    let v01 = Scene::after(Kind::Rekor2Dsse, |scene| {
        let text = String::from_utf8(scene.payload.clone()).unwrap();
        scene.payload = text.replace("Statement/v1", "Statement/v0.1").into_bytes();
    });
    assert!(v01.is_ok());
}

#[test]
fn raw_bytes_judged() {
    let odd = Scene::after(Kind::Rekor2Dsse, |scene| {
        let text = String::from_utf8(scene.payload.clone()).unwrap();
        scene.payload = text.replace(':', " :\n\t").replace("https :\n\t", "https:").into_bytes();
    });
    assert!(odd.is_ok());
    let doubled = Scene::refused(Kind::Rekor2Dsse, |scene| {
        let text = String::from_utf8(scene.payload.clone()).unwrap();
        scene.payload = text.replacen('{', r#"{"subject":[],"#, 1).into_bytes();
    });
    assert_eq!(doubled.code(), "statement-malformed");
}

#[test]
fn subjects_any_but_consistent() {
    let mine = hex(&sha256(b"an artifact"));
    let mine_512 = HashAlgorithm::Sha512.digest(b"an artifact").to_hex();
    let other = hex(&sha256(b"another artifact"));
    let judge = |digests: &str| {
        Scene::after(Kind::Rekor2Dsse, |scene| scene.payload = statement(digests)).map(|_| ())
    };
    let not_it = Err(Refusal::Artifact(ArtifactFault::NotASubject(SubjectMismatch::Differs)));
    assert_eq!(judge(&format!(r#"{{"sha256":"{mine}"}}"#)), Ok(()));
    assert_eq!(judge(&format!(r#"{{"sha512":"{mine_512}"}}"#)), Ok(()));
    assert_eq!(judge(&format!(r#"{{"sha256":"{mine}","sha512":"{mine_512}"}}"#)), Ok(()));
    assert_eq!(judge(&format!(r#"{{"sha256":"{other}"}}"#)), not_it);
    assert_eq!(judge(&format!(r#"{{"sha256":"{other}","sha512":"{mine_512}"}}"#)), not_it);
    assert_eq!(
        judge(r#"{"gitCommit":"00"}"#),
        Err(Refusal::Artifact(ArtifactFault::NotASubject(SubjectMismatch::NothingComparable)))
    );
    // The second subject.
    let second = Scene::after(Kind::Rekor2Dsse, |scene| {
        let text = String::from_utf8(scene.payload.clone()).unwrap();
        let first = format!(r#""subject":[{{"name":"b","digest":{{"sha256":"{other}"}}}},"#);
        scene.payload = text.replace(r#""subject":["#, &first).into_bytes();
    });
    assert!(second.is_ok());
    for payload in ["", "[]", "null", "not JSON", r#"{"_type":"https://in-toto.io/Statement/v1"}"#]
    {
        let refusal = Scene::refused(Kind::Rekor2Dsse, |scene| {
            scene.payload = payload.as_bytes().to_vec();
        });
        assert_eq!(refusal.code(), "statement-malformed");
    }
}

#[test]
fn required_digests_are_those_that_decide() {
    let required = |kind, change: fn(&mut Scene)| {
        let mut scene = Scene::new(kind);
        change(&mut scene);
        let key = scene.leaf.key.public();
        required_digests(&scene.bundle(), scene.bare_key.then_some(&key))
    };
    assert_eq!(required(Kind::Rekor2, |_| {}), [HashAlgorithm::Sha256]);
    let p384 = required(Kind::Rekor2, |scene| scene.leaf.key = Key::p384());
    assert_eq!(p384, [HashAlgorithm::Sha384]);
    let bare = required(Kind::Rekor2, |scene| {
        scene.bare_key = true;
        scene.leaf.key = Key::p521();
    });
    assert_eq!(bare, [HashAlgorithm::Sha512]);
    assert_eq!(required(Kind::Dsse1, |_| {}), [HashAlgorithm::Sha256]);
    let mixed = required(Kind::Dsse1, |scene| {
        let (short, long) = ("0".repeat(64), "0".repeat(128));
        scene.payload = statement(&format!(r#"{{"sha512":"{long}","sha256":"{short}"}}"#));
    });
    assert_eq!(mixed, [HashAlgorithm::Sha256, HashAlgorithm::Sha512]);
    let unread = required(Kind::Dsse1, |scene| scene.payload = b"[]".to_vec());
    assert_eq!(unread, []);
}

#[test]
fn predicate_type_checked_everywhere() {
    let judge = |kind, wanted: &str| {
        let policy = Policy::identity(Scene::identity()).predicate_type(wanted);
        Scene::after(kind, |scene| scene.policy = Some(policy)).map(|_| ())
    };
    for kind in [Kind::Rekor2Dsse, Kind::Dsse1, Kind::Intoto2] {
        assert_eq!(judge(kind, PREDICATE), Ok(()));
        let found = PREDICATE.to_owned();
        assert_eq!(
            judge(kind, "https://spdx.dev/Document"),
            Err(Refusal::Policy(PolicyFault::PredicateType { found }))
        );
    }
    for kind in [Kind::Rekor2, Kind::HashedRekord1] {
        assert_eq!(judge(kind, PREDICATE), Err(Refusal::Policy(PolicyFault::NotAnAttestation)));
    }
}

#[test]
fn key_and_identity_exclusive() {
    for kind in Kind::ALL {
        let key_for_certificate = Scene::refused(kind, |scene| {
            scene.policy = Some(Policy::key(scene.leaf.key.public()));
        });
        assert_eq!(key_for_certificate, Refusal::Policy(PolicyFault::CertificateBundle));
        let identity_for_key = Scene::refused(kind, |scene| {
            scene.bare_key = true;
            scene.policy = Some(Policy::identity(Scene::identity()));
        });
        assert_eq!(identity_for_key, Refusal::Policy(PolicyFault::KeyBundle));
    }
}

#[test]
fn incorrect_public_key() {
    for kind in Kind::ALL {
        let refusal = Scene::refused(kind, |scene| {
            scene.bare_key = true;
            scene.policy = Some(Policy::key(Key::p256().public()));
        });
        assert_eq!(refusal.code(), "entry-key-differs");
    }
}

#[test]
fn key_bundle_needs_no_time_and_takes_no_wrong_one() {
    let bare = |change: fn(&mut Scene)| {
        Scene::after(Kind::Rekor2, |scene| {
            scene.bare_key = true;
            change(scene);
        })
    };
    assert_eq!(bare(|scene| scene.tokens.clear()).unwrap().times, []);
    let unknown = bare(|scene| scene.edit_root(|root| root.timestamp_authorities.clear()));
    assert_eq!(unknown.unwrap_err().code(), "timestamp-authority-unknown");
    let forged = bare(|scene| scene.tokens[0].forged = true);
    assert_eq!(forged.unwrap_err().code(), "timestamp-signature");
}

#[test]
fn windows_enforced_for_keys() {
    let within = |start, end, change: fn(&mut Scene)| {
        Scene::after(Kind::Rekor2, |scene| {
            scene.bare_key = true;
            let window = Window { start, end: Some(end) };
            scene.policy = Some(Policy::key_within(scene.leaf.key.public(), window));
            change(scene);
        })
        .map(|_| ())
    };
    assert_eq!(within(T, T, |_| {}), Ok(()));
    let outside = Err(Refusal::Policy(PolicyFault::KeyWindow(T)));
    assert_eq!(within(T + 1, T + 9, |_| {}), outside);
    assert_eq!(within(T - 9, T - 1, |_| {}), outside);
    let untimed = within(T - 9, T + 9, |scene| scene.tokens.clear());
    assert_eq!(untimed, Err(Refusal::Bundle(BundleFault::NoVerifiedTime)));
}

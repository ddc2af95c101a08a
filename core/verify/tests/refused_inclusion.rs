//! Checkpoints and Merkle proofs: what is refused, and the signature lines that must be borne.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod instance;

use instance::log::note_line;
use instance::scene::YEAR;
use instance::{Key, Kind, Scene, T};
use merkle::checkpoint::{CheckpointError, OpenError};
use merkle::merkle::{Hash, ProofError};
use merkle::note::NoteError;
use verify::error::{AuthorityFault, BundleFault, EntryFault, Refusal};

fn entry(fault: EntryFault) -> Refusal {
    Refusal::Bundle(BundleFault::Entry { index: 0, fault })
}

fn each(change: impl Fn(&mut Scene)) -> Vec<Refusal> {
    [Kind::Rekor2, Kind::Dsse1].map(|kind| Scene::refused(kind, &change)).into()
}

fn not_opened(error: OpenError) -> Refusal {
    entry(EntryFault::Checkpoint(error))
}

#[test]
fn missing_log_signature() {
    for refusal in each(|scene| {
        scene.checkpoint.unsigned = true;
        scene.checkpoint.after.push(note_line("witness.example.org", &[1; 4], &[2; 64]));
    }) {
        assert_eq!(refusal, not_opened(OpenError::NotSigned));
    }
}

#[test]
fn no_signature_at_all() {
    for refusal in each(|scene| scene.checkpoint.unsigned = true) {
        assert_eq!(refusal, entry(EntryFault::CheckpointNote(NoteError::NoSignatures)));
    }
}

#[test]
fn no_matching_signature() {
    for refusal in each(|scene| scene.checkpoint.name = "elsewhere.example.org".to_owned()) {
        assert_eq!(refusal, not_opened(OpenError::NotSigned));
    }
}

#[test]
fn checkpoint_bad_keyhint() {
    for refusal in each(|scene| scene.checkpoint.hint = Some([0; 4])) {
        assert_eq!(refusal, not_opened(OpenError::NotSigned));
    }
}

#[test]
fn invalid_checkpoint_signature() {
    for refusal in each(|scene| scene.checkpoint.forged = true) {
        assert_eq!(refusal, not_opened(OpenError::BadSignature));
    }
}

#[test]
fn second_line_of_the_same_key_must_verify_too() {
    for refusal in each(|scene| {
        let hint: [u8; 4] = scene.log_id()[..4].try_into().unwrap();
        scene.checkpoint.after.push(note_line(&scene.checkpoint.name, &hint, &[2; 70]));
    }) {
        assert_eq!(refusal, not_opened(OpenError::BadSignature));
    }
}

#[test]
fn missing_origin_size_or_root() {
    type Strip = fn(&str) -> String;
    let cases: [(Strip, CheckpointError); 3] = [
        (|text| text.replacen("log.example.org\n5", "\n5", 1), CheckpointError::EmptyOrigin),
        (|text| text.replacen("\n5\n", "\n", 1), CheckpointError::MalformedSize),
        (
            |text| text.lines().take(2).map(|line| format!("{line}\n")).collect(),
            CheckpointError::MissingRoot,
        ),
    ];
    for (strip, fault) in cases {
        let mut scene = Scene::new(Kind::Rekor2);
        // The log itself signs the text, so that nothing but its form is wrong.
        let whole = scene.bundle().entries[0].inclusion_proof.clone().unwrap().checkpoint;
        let text = strip(&format!("{}\n", whole.split_once("\n\n").unwrap().0));
        let line = note_line(
            "log.example.org",
            &scene.log_id()[..4],
            &scene.log_key.sign(text.as_bytes()),
        );
        let checkpoint = format!("{text}\n{line}");
        scene.edit_entry(move |entry| {
            entry.inclusion_proof.as_mut().unwrap().checkpoint = checkpoint.clone();
        });
        assert_eq!(
            scene.verdict().unwrap_err(),
            not_opened(OpenError::Checkpoint(fault)),
            "{text:?}"
        );
    }
}

#[test]
fn origin_of_another_log() {
    for origin in ["elsewhere.example.org", "log.example.org/2", "log.example.org - 77"] {
        let refusal =
            Scene::refused(Kind::Rekor2, |scene| scene.checkpoint.origin = origin.to_owned());
        assert_eq!(refusal, entry(EntryFault::CheckpointOrigin), "{origin}");
    }
    for origin in ["elsewhere.example.org", "v1.log.example.org - ", "v1.log.example.org - x1"] {
        let refusal = Scene::refused(Kind::HashedRekord1, |scene| {
            scene.checkpoint.origin = origin.to_owned()
        });
        assert_eq!(refusal, entry(EntryFault::CheckpointOrigin), "{origin}");
    }
}

#[test]
fn signature_lines_of_others_are_borne() {
    let witness = |name: &str| note_line(name, &[1, 2, 3, 4], &[9; 72]);
    type Change = Box<dyn Fn(&mut Scene)>;
    let changes: [Change; 4] = [
        // cosigned
        Box::new(move |scene| scene.checkpoint.after.push(witness("w1.example.org"))),
        // multiple-cosigs, one of them in a form we do not know
        Box::new(move |scene| {
            scene.checkpoint.after.extend([witness("w1.example.org"), witness("w2.example.org")]);
            scene.checkpoint.after.push(note_line("w3.example.org", &[0; 4], &[1; 2420]));
        }),
        // origin-not-first
        Box::new(move |scene| scene.checkpoint.before.push(witness("w1.example.org"))),
        // two-sigs-from-origin: another key of the same name
        Box::new(|scene| {
            let other = Key::p256();
            let line = note_line("log.example.org", &other.id()[..4], &[7; 70]);
            scene.checkpoint.before.push(line);
        }),
    ];
    for change in changes {
        assert_eq!(Scene::after(Kind::Rekor2, change).map(|_| ()), Ok(()));
    }
}

#[test]
fn root_hash_from_checkpoint() {
    let edit = |edit: fn(&mut formats::bundle::InclusionProof)| {
        each(move |scene| {
            scene.edit_entry(move |entry| edit(entry.inclusion_proof.as_mut().unwrap()));
        })
    };
    for refusal in edit(|proof| proof.root_hash = Hash::new([7; 32])) {
        assert_eq!(refusal, entry(EntryFault::RootDiffers));
    }
    for refusal in edit(|proof| proof.tree_size = 4) {
        assert_eq!(refusal, entry(EntryFault::SizeDiffers));
    }
    // A proof with a root of its own, over a tree of one: without the log's signature on that
    // root it proves nothing.
    for kind in [Kind::Rekor2, Kind::Dsse1] {
        let refusal = Scene::refused(kind, |scene| {
            scene.edit_entry(move |entry| {
                let leaf = merkle::merkle::leaf_hash(&entry.canonicalized_body);
                let proof = entry.inclusion_proof.as_mut().unwrap();
                (proof.root_hash, proof.hashes, proof.log_index) = (leaf, Vec::new(), 0);
                proof.tree_size = 1;
                if kind == Kind::Rekor2 {
                    entry.log_index = 0;
                }
            });
        });
        assert_eq!(refusal, entry(EntryFault::RootDiffers));
    }
}

#[test]
fn inclusion_proof_corrupted() {
    for refusal in each(|scene| {
        scene.edit_entry(|entry| {
            entry.inclusion_proof.as_mut().unwrap().hashes[1] = Hash::new([7; 32]);
        });
    }) {
        assert_eq!(refusal, entry(EntryFault::Inclusion(ProofError::RootMismatch)));
    }
    for refusal in each(|scene| {
        scene.edit_entry(|entry| {
            entry.inclusion_proof.as_mut().unwrap().hashes.pop();
        });
    }) {
        assert!(matches!(
            refusal,
            Refusal::Bundle(BundleFault::Entry {
                fault: EntryFault::Inclusion(ProofError::WrongLength { .. }),
                ..
            })
        ));
    }
    let beyond = Scene::refused(Kind::Dsse1, |scene| {
        scene.edit_entry(|entry| entry.inclusion_proof.as_mut().unwrap().log_index = 5);
    });
    assert_eq!(beyond.code(), "inclusion-proof");
    let elsewhere = Scene::refused(Kind::Dsse1, |scene| {
        scene.edit_entry(|entry| entry.inclusion_proof.as_mut().unwrap().log_index = 2);
    });
    assert_eq!(elsewhere, entry(EntryFault::Inclusion(ProofError::RootMismatch)));
}

#[test]
fn log_unknown_to_the_trust_root() {
    for refusal in each(|scene| scene.edit_root(|root| root.logs.clear())) {
        assert_eq!(refusal, Refusal::Authority(AuthorityFault::LogUnknown));
    }
}

#[test]
fn log_id_is_that_of_the_key() {
    // A Rekor v1 log's id is the hash of its key, a tile log's the note key id under its name.
    for refusal in each(|scene| {
        scene.edit_root(|root| root.logs[0].log_id = [7; 32]);
        scene.edit_entry(|entry| entry.log_id = [7; 32]);
        scene.promise = None;
        scene.tokens = vec![instance::tsa::TokenSpec::at(T)];
    }) {
        assert_eq!(refusal, Refusal::Authority(AuthorityFault::LogId));
    }
    let renamed = |change: fn(&mut Scene)| {
        Scene::refused(Kind::Rekor2, |scene| {
            change(scene);
            scene.edit_root(|root| root.logs[0].base_url = "https://else.example.org".to_owned());
        })
    };
    let ed25519 = renamed(|scene| scene.log_key = Key::ed25519());
    assert_eq!(ed25519, Refusal::Authority(AuthorityFault::LogId));
    let ecdsa = renamed(|_| {});
    assert_eq!(ecdsa, not_opened(OpenError::NotSigned));
}

#[test]
fn log_with_an_ed25519_key_verifies() {
    assert!(Scene::after(Kind::Rekor2, |scene| scene.log_key = Key::ed25519()).is_ok());
}

#[test]
fn windows_enforced_for_logs() {
    for kind in Kind::ALL {
        let verdict = |start: i64, end: i64| {
            Scene::after(kind, |scene| {
                scene.edit_root(move |root| {
                    (root.logs[0].window.start, root.logs[0].window.end) = (start, Some(end));
                });
            })
            .map(|_| ())
        };
        let outside = Err(Refusal::Authority(AuthorityFault::LogWindow(T)));
        assert_eq!(verdict(T - YEAR, T), Ok(()), "the end belongs to it");
        assert_eq!(verdict(T, T + YEAR), Ok(()), "and so does the start");
        assert_eq!(verdict(T - YEAR, T - 1), outside);
        assert_eq!(verdict(T + 1, T + YEAR), outside);
    }
}

#[test]
fn one_log_with_two_windows() {
    let verdict = Scene::after(Kind::Rekor2, |scene| {
        scene.edit_root(|root| {
            let mut earlier = root.logs[0].clone();
            earlier.window.end = Some(T - 1);
            root.logs.insert(0, earlier);
        });
    });
    assert!(verdict.is_ok());
}

#[test]
fn checkpoint_text_is_read_as_it_was_signed() {
    // Windows line ends are not what the log signed, and no note.
    let refusal = Scene::refused(Kind::Rekor2, |scene| {
        scene.edit_entry(|entry| {
            let proof = entry.inclusion_proof.as_mut().unwrap();
            proof.checkpoint = proof.checkpoint.replace('\n', "\r\n");
        });
    });
    assert_eq!(refusal.code(), "checkpoint-malformed");
}

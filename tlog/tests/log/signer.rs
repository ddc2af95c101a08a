//! What a head's verifier takes and refuses.

use std::sync::Arc;

use merkle::Hash;
use merkle::checkpoint::OpenError;
use merkle::note::{Note, key_id_rfc6962};
use tlog::engine::TreeConfig;
use tlog::signer::{HeadError, HeadSigner, TreeHeadKeyError, TreeHeadSigner, check_head};
use tlog::store::{Head, SignedHead};

use crate::support::{CT_ORIGIN, REKOR_ORIGIN, TestKey, World};

const HEAD: Head = Head { size: 5, root: Hash::new([3; 32]), timestamp_ms: 1_800_000_000_123 };

fn sign(signer: &dyn HeadSigner) -> SignedHead {
    SignedHead { head: HEAD, checkpoint: signer.sign(&HEAD).unwrap() }
}

fn refused(config: &TreeConfig, signed: &SignedHead) -> HeadError {
    check_head(signed, &*config.verifier).unwrap_err()
}

#[test]
fn heads_of_each_kind_verify_and_nothing_else_does() {
    let (world, other) = (World::new(), World::new());
    for (ours, foreign) in world.trees().into_iter().zip(other.trees()) {
        let signed = sign(&*ours.signer);
        assert_eq!(check_head(&signed, &*ours.verifier), Ok(()));
        let foreign = refused(&ours, &sign(&*foreign.signer));
        assert_eq!(foreign, HeadError::Open(OpenError::NotSigned));
        let with = |head: Head| SignedHead { head, ..signed.clone() };
        let row = HeadError::Row;
        assert_eq!(refused(&ours, &with(Head { size: 6, ..HEAD })), row);
        assert_eq!(refused(&ours, &with(Head { root: Hash::new([4; 32]), ..HEAD })), row);
        let rewritten = signed.checkpoint.replacen("\n5\n", "\n6\n", 1);
        let rewritten = SignedHead { head: Head { size: 6, ..HEAD }, checkpoint: rewritten };
        assert_eq!(refused(&ours, &rewritten), HeadError::Open(OpenError::BadSignature));
    }
}

/// RFC 6962 signs size, root and time. What a note says beside them must not look signed.
#[test]
fn a_tree_head_does_not_carry_another_origin_or_extension() {
    let world = World::new();
    let ct = world.ct_tree();
    let signed = sign(&*ct.signer);
    let note = Note::parse(&signed.checkpoint).unwrap();
    let blob = &note.signatures()[0].signature;
    assert!(ct.verifier.verify(note.text().as_bytes(), blob));
    let other = note.text().replace(CT_ORIGIN, REKOR_ORIGIN);
    assert!(!ct.verifier.verify(other.as_bytes(), blob));
    let extended = format!("{}an extension\n", note.text());
    assert!(!ct.verifier.verify(extended.as_bytes(), blob));
    for cut in [0, 7, 8, 12, blob.len() - 1] {
        assert!(!ct.verifier.verify(note.text().as_bytes(), &blob[..cut]));
    }
    let mut earlier = blob.clone();
    earlier[7] ^= 1;
    assert!(!ct.verifier.verify(note.text().as_bytes(), &earlier));
}

#[test]
fn key_ids_are_those_of_the_specifications() {
    let world = World::new();
    let note = |config: &TreeConfig| Note::parse(&sign(&*config.signer).checkpoint).unwrap();
    let ct = note(&world.ct_tree());
    let id = key_id_rfc6962(CT_ORIGIN, &world.ct_key.public().id());
    assert_eq!(ct.signatures()[0].key_id, id[..4]);
    // C2SP signed-note: an ECDSA key is named by its SPKI alone.
    let rekor = note(&world.rekor_tree());
    assert_eq!(rekor.signatures()[0].key_id, world.rekor_key.public().id()[..4]);
    assert_eq!(rekor.signatures()[0].name, REKOR_ORIGIN);
}

#[test]
fn origins_are_key_names() {
    for name in ["", "with space", "a+b", "line\n"] {
        let refused = TreeHeadSigner::new(name, Arc::new(TestKey::generate())).err();
        assert!(matches!(refused, Some(TreeHeadKeyError::Name(_))), "{name:?}");
    }
}

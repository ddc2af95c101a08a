//! What other logs wrote, see data/README.md.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use merkle::Hash;
use merkle::checkpoint::Checkpoint;
use merkle::merkle::{ProofError, leaf_hash, verify_consistency, verify_inclusion};
use merkle::note::{Note, key_hint, key_id_ecdsa, key_id_ed25519};

fn decode(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap()
}

fn checkpoint(note: &str) -> (Note, Checkpoint) {
    let parsed = Note::parse(note).unwrap();
    assert_eq!(parsed.to_string(), note);
    let checkpoint = Checkpoint::parse(parsed.text()).unwrap();
    assert_eq!(checkpoint.to_string(), parsed.text());
    (parsed, checkpoint)
}

#[test]
fn a_rekor_v2_log_of_two_entries() {
    let first = leaf_hash(include_bytes!("data/rekor-tiles.entry-0.json"));
    let second = leaf_hash(include_bytes!("data/rekor-tiles.entry-1.json"));
    let (_, one) = checkpoint(include_str!("data/rekor-tiles.checkpoint-1"));
    let (note, two) = checkpoint(include_str!("data/rekor-tiles.checkpoint-2"));
    assert_eq!((one.size, two.size), (1, 2));

    assert_eq!(verify_inclusion(0, 1, &first, &[], &one.root), Ok(()));
    assert_eq!(verify_inclusion(0, 2, &first, &[second], &two.root), Ok(()));
    assert_eq!(verify_inclusion(1, 2, &second, &[first], &two.root), Ok(()));
    assert_eq!(verify_inclusion(0, 2, &second, &[first], &two.root), Err(ProofError::RootMismatch));
    assert_eq!(verify_consistency(1, 2, &one.root, &two.root, &[second]), Ok(()));
    assert_eq!(
        verify_consistency(1, 2, &one.root, &two.root, &[first]),
        Err(ProofError::RootMismatch)
    );

    // The key and its ID as that log's trusted root has them; the key follows a 12-byte header.
    let spki = decode("MCowBQYDK2VwAyEAeWmnT73VX/+cfNLMJJtXB6ZjBgtREbmbIh4rr8XPA2E=");
    let key_id = key_id_ed25519("rekor.local", spki.last_chunk().unwrap());
    assert_eq!(key_id.to_vec(), decode("c6qhWEeU24jPuWnj22e6Iq4laLPJGhAWsoV9DLtI3+Y="));
    let [line] = note.signatures() else { panic!("one line") };
    assert_eq!((line.name.as_str(), line.key_id), ("rekor.local", key_hint(&key_id)));
    assert_eq!(line.signature.len(), 64);
}

#[test]
fn an_entry_of_the_public_rekor_v1_log() {
    let (note, checkpoint) = checkpoint(include_str!("data/rekor-v1.checkpoint"));
    assert_eq!(checkpoint.origin, "rekor.sigstore.dev - 2605736670972794746");
    assert_eq!(checkpoint.extensions, ["Timestamp: 1692374735595899989"]);

    let mut lines = include_str!("data/rekor-v1.proof").lines();
    let index: u64 = lines.next().unwrap().parse().unwrap();
    let size: u64 = lines.next().unwrap().parse().unwrap();
    let leaf = lines.next().unwrap();
    let leaf: Vec<u8> =
        (0..32).map(|i| u8::from_str_radix(&leaf[2 * i..2 * i + 2], 16).unwrap()).collect();
    let leaf = Hash::try_from(leaf.as_slice()).unwrap();
    let proof: Vec<Hash> =
        lines.map(|line| Hash::try_from(decode(line).as_slice()).unwrap()).collect();
    assert_eq!((size, proof.len()), (checkpoint.size, 10));
    assert_eq!(verify_inclusion(index, size, &leaf, &proof, &checkpoint.root), Ok(()));
    assert!(verify_inclusion(index - 1, size, &leaf, &proof, &checkpoint.root).is_err());

    // The key and the log ID as the public trusted root has them.
    let spki = decode(
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwrkBbmLSGtks4L3qX6yYY0zufBnhC8Ur/iy55GhWP/9A/bY2LhC30M9+RYtw==",
    );
    let key_id = key_id_ecdsa(&spki);
    assert_eq!(key_id.to_vec(), decode("wNI9atQGlz+VWfO6LRygH4QUfY/8W4RFwiT5i5WRgB0="));
    let [line] = note.signatures() else { panic!("one line") };
    assert_eq!((line.name.as_str(), line.key_id), ("rekor.sigstore.dev", key_hint(&key_id)));
}

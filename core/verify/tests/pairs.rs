//! Bundles changed in two places at once, and bundles put together from two genuine ones: never
//! accepted, whichever places.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod instance;

use formats::bundle::{Bundle, Content, LogEntry, Material};
use formats::digest::Digest;
use instance::pki::sha256;
use instance::scene::statement;
use instance::{Kind, Scene, T};
use merkle::merkle::Hash;
use proptest::prelude::*;
use proptest::sample::Index;
use verify::policy::Policy;
use verify::verify::{Artifact, Verifier};

type Change = (&'static str, fn(&mut Bundle));

fn entry(bundle: &mut Bundle) -> &mut LogEntry {
    &mut bundle.entries[0]
}

fn proof(bundle: &mut Bundle) -> &mut formats::bundle::InclusionProof {
    entry(bundle).inclusion_proof.as_mut().unwrap()
}

fn signature(bundle: &mut Bundle) -> &mut Vec<u8> {
    match &mut bundle.content {
        Content::Message { signature, .. } => signature,
        Content::Dsse(envelope) => &mut envelope.signature,
    }
}

fn flip(bytes: &mut [u8], at: usize) {
    bytes[at % bytes.len()] ^= 0x40;
}

/// Each of these alone is refused, for every kind of entry.
const CHANGES: &[Change] = &[
    ("no entry", |bundle| bundle.entries.clear()),
    ("log id", |bundle| entry(bundle).log_id[9] ^= 1),
    ("kind", |bundle| entry(bundle).kind.push('x')),
    ("version", |bundle| entry(bundle).version = "0.0.3".to_owned()),
    ("log index", |bundle| entry(bundle).log_index += 1),
    ("no proof", |bundle| entry(bundle).inclusion_proof = None),
    ("proof index", |bundle| proof(bundle).log_index ^= 1),
    ("root", |bundle| proof(bundle).root_hash = Hash::new([1; 32])),
    ("size", |bundle| proof(bundle).tree_size += 1),
    ("hash", |bundle| proof(bundle).hashes[0] = Hash::new([1; 32])),
    ("hashes swapped", |bundle| proof(bundle).hashes.reverse()),
    ("hash dropped", |bundle| proof(bundle).hashes.truncate(1)),
    ("checkpoint size", |bundle| {
        let proof = proof(bundle);
        proof.checkpoint = proof.checkpoint.replacen("\n5\n", "\n6\n", 1);
    }),
    ("checkpoint origin", |bundle| proof(bundle).checkpoint.insert(0, 'x')),
    ("checkpoint signature", |bundle| {
        let at = proof(bundle).checkpoint.len() - 8;
        let old = proof(bundle).checkpoint.remove(at);
        proof(bundle).checkpoint.insert(at, if old == 'A' { 'B' } else { 'A' });
    }),
    ("body", |bundle| {
        let body = &mut entry(bundle).canonicalized_body;
        let at = body.len() / 2;
        body[at] = if body[at] == b'A' { b'B' } else { b'A' };
    }),
    ("signature", |bundle| flip(signature(bundle), 20)),
    ("signature of nothing", |bundle| signature(bundle).clear()),
    ("content", |bundle| match &mut bundle.content {
        Content::Message { digest, .. } => *digest = Some(Digest::sha256([3; 32])),
        Content::Dsse(envelope) => envelope.payload.push(b' '),
    }),
    ("material", |bundle| {
        let leaf = Scene::new(Kind::Rekor2).leaf_certificate().clone();
        bundle.material = match &bundle.material {
            Material::Certificate(_) => Material::Certificate(leaf),
            Material::Chain(_) => Material::Chain(vec![leaf]),
            Material::PublicKey { hint } => Material::PublicKey { hint: hint.clone() },
        };
    }),
    ("bare key", |bundle| bundle.material = Material::PublicKey { hint: String::new() }),
];

/// Alone and in pairs, in both orders.
#[test]
fn pairs_of_changed_fields_never_verify() {
    for kind in Kind::ALL {
        let scene = Scene::new(kind);
        let (bundle, policy) = (scene.bundle(), scene.policy());
        let verifier = Verifier::new(&scene.root()).unwrap();
        let judge = |bundle: &Bundle| {
            verifier.verify(bundle, &Artifact::Message(&scene.artifact), &policy, scene.now)
        };
        assert!(judge(&bundle).is_ok());
        for (first, change) in CHANGES {
            let mut once = bundle.clone();
            change(&mut once);
            assert!(judge(&once).is_err(), "{kind:?}: {first}");
            if once.entries.is_empty() || once.entries[0].inclusion_proof.is_none() {
                continue;
            }
            for (second, change) in CHANGES {
                if first == second || signature(&mut once).is_empty() {
                    continue;
                }
                let mut twice = once.clone();
                change(&mut twice);
                assert!(judge(&twice).is_err(), "{kind:?}: {first}, {second}");
            }
        }
    }
}

type Splice = (&'static str, fn(&mut Bundle, &Bundle));

/// Parts that a forger could take from another genuine bundle.
const PARTS: &[Splice] = &[
    ("material", |into, from| into.material = from.material.clone()),
    ("signature", |into, from| {
        let mut from = from.clone();
        *signature(into) = signature(&mut from).clone();
    }),
    ("content", |into, from| match (&mut into.content, &from.content) {
        (Content::Message { digest, .. }, Content::Message { digest: other, .. }) => {
            *digest = *other;
        }
        (Content::Dsse(envelope), Content::Dsse(other)) => {
            envelope.payload = other.payload.clone();
        }
        _ => unreachable!("both are of one kind"),
    }),
    ("body", |into, from| {
        entry(into).canonicalized_body = from.entries[0].canonicalized_body.clone();
    }),
    ("proof", |into, from| {
        entry(into).inclusion_proof = from.entries[0].inclusion_proof.clone();
    }),
    ("promise", |into, from| {
        entry(into).inclusion_promise = from.entries[0].inclusion_promise.clone();
        entry(into).integrated_time = from.entries[0].integrated_time;
    }),
    ("timestamps", |into, from| into.timestamps = from.timestamps.clone()),
];

/// Every way to put a bundle together from two, by the same signer and by another one.
#[test]
fn entry_bound_to_this_signature() {
    for kind in Kind::ALL {
        for same_signer in [true, false] {
            let mut scene = Scene::new(kind);
            if kind.is_v1() {
                scene.tokens.push(instance::tsa::TokenSpec::at(T));
            }
            let (artifact, good) = (scene.artifact.clone(), scene.bundle());
            let verifier = Verifier::new(&scene.root()).unwrap();
            if !same_signer {
                scene.renew_leaf();
            }
            scene.artifact = b"another artifact".to_vec();
            let hash = instance::log::hex(&sha256(&scene.artifact));
            scene.payload = statement(&format!(r#"{{"sha256":"{hash}"}}"#));
            let other = scene.bundle();
            let policy = Policy::identity(Scene::identity());
            for set in 0..1_u32 << PARTS.len() {
                let mut spliced = good.clone();
                let taken = PARTS.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1);
                let names: Vec<&str> = taken
                    .map(|(_, (name, splice))| {
                        splice(&mut spliced, &other);
                        *name
                    })
                    .collect();
                let verdict =
                    verifier.verify(&spliced, &Artifact::Message(&artifact), &policy, scene.now);
                assert_eq!(verdict.is_ok(), spliced == good, "{kind:?}: {names:?}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Two bytes of the JSON changed: never a panic, and whatever still verifies says the same.
    #[test]
    fn pairs_of_changed_bytes_change_nothing(
        kind in prop::sample::select(Kind::ALL.to_vec()),
        at in any::<[Index; 2]>(),
        to in "[ -~]{2}",
    ) {
        let scene = Scene::new(kind);
        let bundle = scene.bundle();
        let verifier = Verifier::new(&scene.root()).unwrap();
        let mut json = bundle.to_json().into_bytes();
        let length = json.len();
        for (at, to) in at.iter().zip(to.bytes()) {
            json[at.index(length)] = to;
        }
        let Ok(changed) = Bundle::from_json(&json) else { return Ok(()) };
        let artifact = Artifact::Message(&scene.artifact);
        let policy = scene.policy();
        if let Ok(verified) = verifier.verify(&changed, &artifact, &policy, scene.now) {
            let original = verifier.verify(&bundle, &artifact, &policy, scene.now).unwrap();
            prop_assert_eq!(verified, original);
            prop_assert_eq!(&changed.material, &bundle.material);
            prop_assert_eq!(changed.signature(), bundle.signature());
        }
    }
}

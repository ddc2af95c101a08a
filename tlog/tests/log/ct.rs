//! The CT face.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use formats::certificate::Certificate;
use formats::sct::{
    LogEntryKind, parse_digitally_signed, parse_leaf_index_extension, precert_tbs, sct_signed_data,
    tree_head_signed_data,
};
use merkle::Hash;
use merkle::merkle::{leaf_hash, verify_consistency, verify_inclusion};
use rcgen::CustomExtension;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tlog::ct::{self, Authorities, AuthorityError, Rejected};
use tlog::read::ReadError;
use tlog::store::memory::MemoryStore;
use tlog::{Engine, Published, Submitted, Tree};
use verify::crypto::{Scheme, verify_message};

use crate::support::{Ca, START_MS, World, chain, poison, request, submit};

fn engine(world: &World) -> Engine {
    world.open(Arc::new(MemoryStore::new())).unwrap()
}

fn scts() -> CustomExtension {
    // An OCTET STRING around an SCT list of one byte-long SCT: the log does not read it.
    let oid = [1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];
    CustomExtension::from_oid_content(&oid, vec![4, 5, 0, 3, 0, 1, 0])
}

fn log_precertificate(world: &World, engine: &Engine, email: &str) -> (Certificate, Published) {
    let precertificate = world.ca.precertificate(email);
    let body = world.ca.chain(&precertificate);
    let accepted = ct::accept_pre_chain(&body, &world.ca.authorities()).unwrap();
    (precertificate, submit(engine, accepted).unwrap())
}

#[test]
fn an_sct_verifies_over_what_was_submitted() {
    let world = World::new();
    let engine = engine(&world);
    let (precertificate, published) = log_precertificate(&world, &engine, "a@example.com");
    world.check(&published);
    let sct = ct::sct(&published, &world.ct_key).unwrap();
    assert_eq!(sct.timestamp_ms, START_MS);
    assert_eq!(parse_leaf_index_extension(&sct.extensions), Ok(published.index()));
    let issuer_key_hash = Sha256::digest(world.ca.issuing.spki_der()).into();
    let tbs = precert_tbs(&precertificate).unwrap();
    let kind = LogEntryKind::Precert { issuer_key_hash, tbs: &tbs };
    let signed = sct_signed_data(sct.timestamp_ms, &kind, &sct.extensions).unwrap();
    let key = world.ct_key.public();
    verify_message(key, Scheme::EcdsaSha256, &signed, &sct.signature).unwrap();
    let answer = ct::sct_json(&sct).unwrap();
    assert_eq!(answer["sct_version"], 0);
    assert_eq!(answer["timestamp"], START_MS);
    assert_eq!(answer["id"], STANDARD.encode(key.id()));
    let signature = STANDARD.decode(answer["signature"].as_str().unwrap()).unwrap();
    assert_eq!(parse_digitally_signed(&signature).unwrap().signature, sct.signature);
}

#[test]
fn a_repeated_certificate_gets_the_same_time_and_index() {
    let world = World::new();
    let engine = engine(&world);
    let (precertificate, first) = log_precertificate(&world, &engine, "a@example.com");
    world.clock.fetch_add(60_000, std::sync::atomic::Ordering::SeqCst);
    log_precertificate(&world, &engine, "b@example.com");
    let body = world.ca.chain(&precertificate);
    let again = ct::accept_pre_chain(&body, &world.ca.authorities()).unwrap();
    let second = submit(&engine, again).unwrap();
    assert!(second.is_duplicate());
    world.check(&second);
    let (first, second) =
        (ct::sct(&first, &world.ct_key).unwrap(), ct::sct(&second, &world.ct_key).unwrap());
    assert_eq!((first.timestamp_ms, first.extensions), (second.timestamp_ms, second.extensions));
}

#[test]
fn ct_takes_only_ours() {
    let world = World::new();
    let ours = world.ca.authorities();
    let (precertificate, certificate) =
        (world.ca.precertificate("a@example.com"), world.ca.issue("a@example.com", &[scts()]));
    let pre = |body: &Submitted| ct::accept_pre_chain(body, &ours).map(drop);
    let add = |body: &Submitted| ct::accept_chain(body, &ours).map(drop);
    let (issuing, root) = (&world.ca.issuing, &world.ca.root);
    assert_eq!(pre(&chain(&[&precertificate, issuing, root])), Ok(()));
    assert_eq!(pre(&chain(&[&precertificate, issuing])), Ok(()));
    assert_eq!(add(&chain(&[&certificate, issuing, root])), Ok(()));
    // Each at the other's door.
    assert_eq!(add(&chain(&[&precertificate, issuing])), Err(Rejected::Precertificate));
    assert_eq!(pre(&chain(&[&certificate, issuing])), Err(Rejected::NotAPrecertificate));
    // Poison and SCTs at once.
    let both = world.ca.issue("a@example.com", &[poison(), scts()]);
    assert_eq!(pre(&chain(&[&both, issuing])), Err(Rejected::PoisonAndScts));
    assert_eq!(add(&chain(&[&both, issuing])), Err(Rejected::Precertificate));
    // A poison that is not one.
    let mut mild = poison();
    mild.set_criticality(false);
    let mild = world.ca.issue("a@example.com", &[mild]);
    assert!(matches!(pre(&chain(&[&mild, issuing])), Err(Rejected::Structure(_))));
    // Another CA, and another CA of the same name.
    let foreign = Ca::new("another CA");
    let leaf = foreign.precertificate("a@example.com");
    assert_eq!(pre(&foreign.chain(&leaf)), Err(Rejected::NotOurs));
    assert_eq!(pre(&chain(&[&leaf, issuing, root])), Err(Rejected::NotOurs));
    let namesake = Ca::new("test CA");
    let leaf = namesake.precertificate("a@example.com");
    assert_eq!(pre(&namesake.chain(&leaf)), Err(Rejected::NotOurs));
    assert_eq!(pre(&chain(&[&leaf, issuing, root])), Err(Rejected::BadSignature));
    // Chains that are not ours in order and extent.
    assert_eq!(pre(&chain(&[&precertificate, root])), Err(Rejected::NotOurs));
    assert_eq!(pre(&chain(&[&precertificate, issuing, root, root])), Err(Rejected::NotOurs));
    assert_eq!(pre(&chain(&[])), Err(Rejected::EmptyChain));
    assert_eq!(pre(&chain(&[&precertificate; 11])), Err(Rejected::ChainTooLong { count: 11 }));
    // The CA certificates themselves.
    assert_eq!(add(&chain(&[issuing, root])), Err(Rejected::NotOurs));
    assert_eq!(add(&chain(&[root])), Err(Rejected::NotOurs));
}

/// The CA's own way in is as strict about everything but the signature that it has just made.
#[test]
fn what_the_ca_just_signed_is_the_same_entry() {
    let world = World::new();
    let ours = world.ca.authorities();
    let precertificate = world.ca.precertificate("a@example.com");
    let checked = ct::accept_precertificate(&precertificate, &[], &ours).unwrap();
    let signed = ct::accept_just_signed(&precertificate, &ours).unwrap();
    assert_eq!(signed.identity(), checked.identity());
    let just = |certificate: &Certificate| ct::accept_just_signed(certificate, &ours).err();
    let foreign = Ca::new("another CA").precertificate("a@example.com");
    assert_eq!(just(&foreign), Some(Rejected::NotOurs));
    let plain = world.ca.issue("a@example.com", &[]);
    assert_eq!(just(&plain), Some(Rejected::NotAPrecertificate));
    let both = world.ca.issue("a@example.com", &[poison(), scts()]);
    assert_eq!(just(&both), Some(Rejected::PoisonAndScts));
}

#[test]
fn chain_bodies_of_any_shape_are_refused() {
    let world = World::new();
    let ours = world.ca.authorities();
    for value in [
        json!(null),
        json!({}),
        json!({ "chain": null }),
        json!({ "chain": "AAAA" }),
        json!({ "chain": [null] }),
        json!({ "chain": [1] }),
        json!({ "chain": [""] }),
        json!({ "chain": ["AAAA"] }),
        json!({ "chain": ["AAA"] }),
        json!({ "chain": [], "more": 1 }),
    ] {
        assert!(ct::accept_chain(&request(&value), &ours).is_err(), "{value}");
        assert!(ct::accept_pre_chain(&request(&value), &ours).is_err(), "{value}");
    }
    let trailing = [world.ca.precertificate("a@example.com").der(), &[0]].concat();
    let value = json!({ "chain": [STANDARD.encode(trailing)] });
    let refused = ct::accept_pre_chain(&request(&value), &ours);
    assert!(matches!(refused, Err(Rejected::Certificate { at: 0, .. })));
}

#[test]
fn authorities_are_chains() {
    let (one, other) = (Ca::new("one"), Ca::new("other"));
    let new = |chain: Vec<&Certificate>| {
        Authorities::new(vec![chain.into_iter().cloned().collect()]).map(drop)
    };
    assert_eq!(new(vec![&one.issuing, &one.root]), Ok(()));
    assert_eq!(new(vec![&one.root]), Ok(()));
    assert_eq!(new(vec![]), Err(AuthorityError::Empty));
    assert_eq!(new(vec![&one.issuing, &other.root]), Err(AuthorityError::Link));
    assert_eq!(new(vec![&one.root, &one.issuing]), Err(AuthorityError::Link));
}

#[test]
fn the_log_is_born_with_the_issuing_ca() {
    let world = World::new();
    let engine = engine(&world);
    let first = engine.published(Tree::Ct, 0).unwrap();
    world.check(&first);
    let kind = LogEntryKind::X509 { der: world.ca.issuing.der() };
    let extension = formats::sct::leaf_index_extension(0).unwrap();
    let leaf = formats::sct::merkle_tree_leaf(START_MS, &kind, &extension).unwrap();
    assert_eq!(first.body(), leaf);
    let roots = ct::get_roots(&world.ca.authorities());
    assert_eq!(roots, json!({ "certificates": [STANDARD.encode(world.ca.root.der())] }));
}

fn base64(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

fn hashes(value: &Value) -> Vec<Hash> {
    value.as_array().unwrap().iter().map(|h| Hash::try_from(&base64(h)[..]).unwrap()).collect()
}

#[test]
fn classic_reads_agree_with_each_other() {
    let world = World::new();
    let engine = engine(&world);
    let mut sths = vec![ct::get_sth(&engine.head(Tree::Ct).unwrap()).unwrap()];
    for n in 0..20 {
        log_precertificate(&world, &engine, &format!("{n}@example.com"));
        sths.push(ct::get_sth(&engine.head(Tree::Ct).unwrap()).unwrap());
    }
    let size = |sth: &Value| sth["tree_size"].as_u64().unwrap();
    let root = |sth: &Value| Hash::try_from(&base64(&sth["sha256_root_hash"])[..]).unwrap();
    let last = sths.last().unwrap();
    for sth in &sths {
        let signature = base64(&sth["tree_head_signature"]);
        let signature = parse_digitally_signed(&signature).unwrap().signature.to_vec();
        let timestamp = sth["timestamp"].as_u64().unwrap();
        let signed = tree_head_signed_data(timestamp, size(sth), root(sth).as_bytes());
        let key = world.ct_key.public();
        verify_message(key, Scheme::EcdsaSha256, &signed, &signature).unwrap();
        let answer = ct::get_sth_consistency(&engine, size(sth), size(last)).unwrap();
        let proof = hashes(&answer["consistency"]);
        verify_consistency(size(sth), size(last), &root(sth), &root(last), &proof).unwrap();
    }
    let entries = ct::get_entries(&engine, 0, u64::MAX).unwrap();
    let entries = entries["entries"].as_array().unwrap();
    assert_eq!(entries.len() as u64, size(last));
    for (index, entry) in entries.iter().enumerate() {
        let leaf = leaf_hash(&base64(&entry["leaf_input"]));
        let answer = ct::get_proof_by_hash(&engine, &leaf, size(last)).unwrap();
        assert_eq!(answer["leaf_index"], index);
        let path = hashes(&answer["audit_path"]);
        verify_inclusion(index as u64, size(last), &leaf, &path, &root(last)).unwrap();
        // A tree that is too small for the leaf does not prove it.
        assert_eq!(ct::get_proof_by_hash(&engine, &leaf, index as u64), Err(ReadError::NotFound));
    }
    let some = ct::get_entries(&engine, 3, 5).unwrap();
    assert_eq!(some["entries"].as_array().unwrap(), &entries[3..=5]);
    let nothing = Hash::new([7; 32]);
    assert_eq!(ct::get_proof_by_hash(&engine, &nothing, 5), Err(ReadError::NotFound));
    let out = Err(ReadError::OutOfRange { size: 21 });
    assert_eq!(ct::get_entries(&engine, 21, 30), out);
    assert_eq!(ct::get_entries(&engine, 5, 4), out);
    assert_eq!(ct::get_sth_consistency(&engine, 1, 22), out);
    assert_eq!(ct::get_sth_consistency(&engine, 3, 2), out);
    assert_eq!(ct::get_sth_consistency(&engine, 0, 5), Ok(json!({ "consistency": [] })),);
}

/// The extra data and the data tile, read the way their specifications lay them out.
#[test]
fn precertificates_and_chains_are_served() {
    let world = World::new();
    let engine = engine(&world);
    let (precertificate, published) = log_precertificate(&world, &engine, "a@example.com");
    let vector = |der: &[u8]| [&(der.len() as u32).to_be_bytes()[1..], der].concat();
    let (issuing, root) = (world.ca.issuing.der(), world.ca.root.der());
    let answer = ct::get_entries(&engine, 1, 1).unwrap();
    let extra = base64(&answer["entries"][0]["extra_data"]);
    let chain = [vector(issuing), vector(root)].concat();
    assert_eq!(extra, [vector(precertificate.der()), vector(&chain)].concat());
    let birth = ct::get_entries(&engine, 0, 0).unwrap();
    assert_eq!(base64(&birth["entries"][0]["extra_data"]), vector(&vector(root)));

    let fingerprints = [issuing, root].map(|der| <[u8; 32]>::from(Sha256::digest(der)));
    for (fingerprint, der) in fingerprints.iter().zip([issuing, root]) {
        assert_eq!(engine.issuer(fingerprint).unwrap(), der);
    }
    assert_eq!(engine.issuer(&[0; 32]), Err(ReadError::NotFound));
    let tile = engine.data_tile(0, 2).unwrap();
    let second = [
        &published.body()[2..],
        &vector(precertificate.der()),
        &64_u16.to_be_bytes(),
        &fingerprints.concat(),
    ]
    .concat();
    assert!(tile.ends_with(&second));
    let first =
        [&engine.entry(Tree::Ct, 0).unwrap().body[2..], &32_u16.to_be_bytes(), &fingerprints[1]]
            .concat();
    assert_eq!(tile, [first, second].concat());
    assert_eq!(engine.data_tile(0, 3), Err(ReadError::NotFound));
}

//! Bundles: real ones in and out again, and what each version demands.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod mutate;
mod real;

use formats::bundle::{
    Bundle, BundleError, BundleVersion, Content, InclusionProof, LogEntry, Material,
    parse_log_entry,
};
use formats::digest::{Digest, DigestError, HashAlgorithm};
use formats::dsse::{Envelope, IN_TOTO_PAYLOAD_TYPE};
use formats::entry::{EntryVerifier, HashedRekord002};
use formats::key::KeyDetails;
use formats::statement::Statement;
use merkle::merkle::{Hash, leaf_hash, verify_inclusion};
use mutate::{at, with, without};
use proptest::prelude::*;
use real::{
    BLOB, COSIGN3, REAL, V01_INTOTO, V02_HASHEDREKORD1, V03_DSSE1, V03_HASHEDREKORD2,
    V03_MANAGED_KEY,
};
use serde_json::{Value, json};

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

fn parse(bundle: &Value) -> Result<Bundle, BundleError> {
    Bundle::from_json(bundle.to_string().as_bytes())
}

fn refused(bundle: &Value, expected: &BundleError) {
    assert_eq!(parse(bundle).as_ref(), Err(expected));
}

#[test]
fn real_bundles_read_and_read_back() {
    for (json, version, entries) in REAL {
        let bundle = Bundle::from_json(json.as_bytes()).unwrap();
        assert_eq!((bundle.version, bundle.entries.len()), (version, entries));
        assert_eq!(Bundle::from_json(bundle.to_json().as_bytes()).unwrap(), bundle);
    }
}

/// The proof in each real bundle leads from the body's bytes to its root: nothing was touched.
#[test]
fn real_bodies_are_kept_to_the_byte() {
    for (json, _, _) in REAL {
        let bundle = Bundle::from_json(json.as_bytes()).unwrap();
        for entry in &bundle.entries {
            let proof = entry.inclusion_proof.as_ref().unwrap();
            let leaf = leaf_hash(&entry.canonicalized_body);
            verify_inclusion(
                proof.log_index,
                proof.tree_size,
                &leaf,
                &proof.hashes,
                &proof.root_hash,
            )
            .unwrap();
            assert!(entry.body().is_ok());
        }
    }
}

#[test]
fn real_statements_are_read_from_their_envelopes() {
    let mut subjects = Vec::new();
    for (json, _, _) in REAL {
        if let Content::Dsse(envelope) = Bundle::from_json(json.as_bytes()).unwrap().content {
            assert_eq!(envelope.payload_type, IN_TOTO_PAYLOAD_TYPE);
            subjects.push(Statement::from_envelope(&envelope).unwrap().subjects.len());
        }
    }
    assert_eq!(subjects, [1, 1, 1, 1, 1, 1, 1]);
    let alone = include_bytes!("data/cosign2-dsse-att.json");
    let statement = Statement::from_envelope(&Envelope::from_json(alone).unwrap()).unwrap();
    assert_eq!(statement.predicate_type, "https://cosign.sigstore.dev/attestation/vuln/v1");
}

/// What cosign wrote is what we write, but for members that it leaves out when they are zero.
#[test]
fn written_as_cosign_writes() {
    let ours = |json: &str| -> Value {
        let written = Bundle::from_json(json.as_bytes()).unwrap().to_json();
        serde_json::from_str(&written).unwrap()
    };
    assert_eq!(ours(COSIGN3[2]), serde_json::from_str::<Value>(COSIGN3[2]).unwrap());
    let mut blob = with(BLOB, &format!("{ENTRY}/logIndex"), json!("0"));
    let proof = blob.pointer_mut(&format!("{ENTRY}/inclusionProof")).unwrap();
    proof["logIndex"] = json!("0");
    proof["hashes"] = json!([]);
    assert_eq!(ours(BLOB), blob);
    assert_eq!(ours(COSIGN3[0]), with(COSIGN3[0], "/verificationMaterial/tlogEntries", json!([])));
}

#[test]
fn leaf_zero_is_a_leaf() {
    let absent = Bundle::from_json(BLOB.as_bytes()).unwrap();
    assert!(!BLOB.contains("logIndex"), "cosign leaves a zero index out");
    assert_eq!(absent.entries[0].log_index, 0);
    assert_eq!(absent.entries[0].inclusion_proof.as_ref().unwrap().log_index, 0);
    for zero in [json!("0"), json!(0)] {
        assert_eq!(parse(&with(BLOB, &format!("{ENTRY}/logIndex"), zero)).unwrap(), absent);
    }
    assert!(absent.to_json().contains(r#""logIndex":"0""#));
}

#[test]
fn integers_are_strings_or_numbers() {
    let index = format!("{ENTRY}/logIndex");
    for seven in [json!("7"), json!(7)] {
        assert_eq!(parse(&with(BLOB, &index, seven)).unwrap().entries[0].log_index, 7);
    }
    let largest = json!(i64::MAX.to_string());
    assert_eq!(
        parse(&with(BLOB, &index, largest)).unwrap().entries[0].log_index,
        i64::MAX.unsigned_abs()
    );
}

#[test]
fn integrated_time_of_zero_is_none() {
    let pointer = format!("{ENTRY}/integratedTime");
    for (json, time) in [(json!("0"), None), (json!(0), None), (json!("5"), Some(5))] {
        let bundle = parse(&with(BLOB, &pointer, json)).unwrap();
        assert_eq!(bundle.entries[0].integrated_time, time);
    }
}

#[test]
fn media_types_are_exact() {
    for (media_type, version) in [
        ("application/vnd.dev.sigstore.bundle.v0.3+json", BundleVersion::V03),
        ("application/vnd.dev.sigstore.bundle+json;version=0.3", BundleVersion::V03),
    ] {
        let bundle = parse(&with(BLOB, "/mediaType", json!(media_type))).unwrap();
        assert_eq!(bundle.version, version);
    }
    for unknown in [
        "",
        "application/vnd.dev.sigstore.bundle.v0.4+json",
        "application/vnd.dev.sigstore.bundle+json;version=99.9",
        "application/vnd.dev.sigstore.bundle+json; version=0.3",
        "application/vnd.dev.sigstore.bundle.v0.1+json",
        "APPLICATION/vnd.dev.sigstore.bundle.v0.3+json",
    ] {
        refused(
            &with(BLOB, "/mediaType", json!(unknown)),
            &BundleError::UnknownMediaType { found: unknown.to_owned() },
        );
    }
}

#[test]
fn material_is_exactly_one() {
    let material = "/verificationMaterial";
    refused(&without(BLOB, material), &BundleError::NoMaterial);
    refused(&with(BLOB, material, Value::Null), &BundleError::NoMaterial);
    refused(&without(BLOB, &format!("{material}/publicKey")), &BundleError::NoMaterial);
    let certificate = at(V03_DSSE1, &format!("{material}/certificate"));
    refused(
        &with(BLOB, &format!("{material}/certificate"), certificate),
        &BundleError::SeveralMaterials,
    );
}

#[test]
fn chains_are_older_than_v03_and_certificates_are_not() {
    let material = "/verificationMaterial";
    let old = at(V02_HASHEDREKORD1, "/mediaType");
    let v03 = at(V03_DSSE1, "/mediaType");
    let Ok(Bundle { material: Material::Chain(chain), .. }) =
        Bundle::from_json(V02_HASHEDREKORD1.as_bytes())
    else {
        panic!("v0.2 has a chain");
    };
    assert_eq!(chain.len(), 1);
    refused(&with(V02_HASHEDREKORD1, "/mediaType", v03), &BundleError::ChainInV03);
    refused(&with(V03_DSSE1, "/mediaType", old.clone()), &BundleError::CertificateBeforeV03);
    // Keys are in every version.
    assert!(parse(&with(V03_MANAGED_KEY, "/mediaType", old)).is_ok());

    let chain = format!("{material}/x509CertificateChain");
    for empty in [json!({}), json!({"certificates": []})] {
        refused(&with(V02_HASHEDREKORD1, &chain, empty), &BundleError::EmptyChain);
    }
}

#[test]
fn a_chain_has_its_leaf_first() {
    let bundle = Bundle::from_json(V01_INTOTO.as_bytes()).unwrap();
    let Material::Chain(chain) = &bundle.material else { panic!("v0.1 has a chain") };
    assert_eq!(bundle.leaf(), chain.first());
    assert_eq!(Bundle::from_json(BLOB.as_bytes()).unwrap().leaf(), None);
}

#[test]
fn content_is_exactly_one() {
    refused(&without(BLOB, "/messageSignature"), &BundleError::NoContent);
    refused(&with(BLOB, "/messageSignature", Value::Null), &BundleError::NoContent);
    let envelope = at(COSIGN3[2], "/dsseEnvelope");
    refused(&with(BLOB, "/dsseEnvelope", envelope), &BundleError::TwoContents);
}

#[test]
fn null_messages_are_absent() {
    let plain = Bundle::from_json(BLOB.as_bytes()).unwrap();
    for pointer in [
        "/dsseEnvelope",
        "/verificationMaterial/certificate",
        "/verificationMaterial/x509CertificateChain",
        "/verificationMaterial/tlogEntries/0/inclusionPromise",
        "/verificationMaterial/tlogEntries/0/integratedTime",
    ] {
        assert_eq!(parse(&with(BLOB, pointer, Value::Null)).unwrap(), plain, "{pointer}");
    }
    let timestamps = "/verificationMaterial/timestampVerificationData";
    assert_eq!(parse(&with(BLOB, timestamps, Value::Null)).unwrap().timestamps.len(), 0);
    assert_eq!(parse(&with(BLOB, timestamps, json!({}))).unwrap().timestamps.len(), 0);
}

#[test]
fn no_entries_is_a_form_like_any_other() {
    let pointer = "/verificationMaterial/tlogEntries";
    for bundle in [without(BLOB, pointer), with(BLOB, pointer, json!([]))] {
        assert_eq!(parse(&bundle).unwrap().entries, []);
    }
}

#[test]
fn message_digests_fit_their_algorithm() {
    let digest = "/messageSignature/messageDigest";
    let stated = |bundle: &Value| match parse(bundle).unwrap().content {
        Content::Message { digest, .. } => digest,
        Content::Dsse(_) => panic!("a message"),
    };
    assert_eq!(stated(&without(BLOB, digest)), None);
    assert!(stated(&serde_json::from_str(BLOB).unwrap()).is_some());
    for name in ["", "HASH_ALGORITHM_UNSPECIFIED", "sha256", "SHA1"] {
        refused(
            &with(BLOB, &format!("{digest}/algorithm"), json!(name)),
            &BundleError::UnknownDigestAlgorithm { name: name.to_owned() },
        );
    }
    refused(
        &with(BLOB, &format!("{digest}/algorithm"), json!("SHA2_512")),
        &BundleError::MessageDigest(DigestError::WrongLength {
            algorithm: HashAlgorithm::Sha512,
            expected: 64,
            actual: 32,
        }),
    );
    refused(&with(BLOB, "/messageSignature/signature", json!("")), &BundleError::EmptySignature);
    refused(&without(BLOB, "/messageSignature/signature"), &BundleError::EmptySignature);
}

#[test]
fn a_proof_needs_a_checkpoint() {
    let checkpoint = format!("{ENTRY}/inclusionProof/checkpoint");
    refused(&without(BLOB, &checkpoint), &BundleError::NoCheckpoint);
    for empty in [Value::Null, json!({}), json!({"envelope": ""})] {
        refused(&with(BLOB, &checkpoint, empty), &BundleError::NoCheckpoint);
    }
    assert_eq!(
        Bundle::from_json(include_bytes!("data/staging-v01-no-checkpoint.json")),
        Err(BundleError::NoCheckpoint)
    );
}

#[test]
fn proofs_and_promises_by_version() {
    let proof = format!("{ENTRY}/inclusionProof");
    let promise = format!("{ENTRY}/inclusionPromise");
    refused(&without(V02_HASHEDREKORD1, &proof), &BundleError::NoProof);
    refused(&without(V03_DSSE1, &proof), &BundleError::NoProof);
    refused(&with(V03_DSSE1, &proof, Value::Null), &BundleError::NoProof);
    assert_eq!(parse(&without(V01_INTOTO, &proof)).unwrap().entries[0].inclusion_proof, None);

    refused(&without(V01_INTOTO, &promise), &BundleError::NoPromise);
    assert!(parse(&without(V02_HASHEDREKORD1, &promise)).is_ok());
    for empty in [json!({}), json!({"signedEntryTimestamp": ""})] {
        refused(&with(V01_INTOTO, &promise, empty), &BundleError::EmptyPromise);
    }
}

#[test]
fn log_answers_have_every_member() {
    let entry = |integrated_time, inclusion_promise| LogEntry {
        log_index: 0,
        log_id: [1; 32],
        kind: "hashedrekord".to_owned(),
        version: "0.0.2".to_owned(),
        integrated_time,
        inclusion_promise,
        inclusion_proof: Some(InclusionProof {
            log_index: 0,
            root_hash: Hash::new([0; 32]),
            tree_size: 1,
            hashes: Vec::new(),
            checkpoint: "log\n1\n\u{2014} \"\n".to_owned(),
        }),
        canonicalized_body: b"{}".to_vec(),
    };
    let id = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let root = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let expected = |time: &str, promise: &str| {
        format!(
            r#"{{"logIndex":"0","logId":{{"keyId":"{id}"}},"kindVersion":{{"kind":"hashedrekord","version":"0.0.2"}},"integratedTime":"{time}","inclusionPromise":{promise},"inclusionProof":{{"logIndex":"0","rootHash":"{root}","treeSize":"1","hashes":[],"checkpoint":{{"envelope":"log\n1\n— \"\n"}}}},"canonicalizedBody":"e30="}}"#
        )
    };
    assert_eq!(entry(None, None).to_response_json(), expected("0", "null"));
    assert_eq!(
        entry(Some(7), Some(vec![0])).to_response_json(),
        expected("7", r#"{"signedEntryTimestamp":"AA=="}"#)
    );
}

#[test]
fn log_answers_read_back_and_need_a_proof() {
    let entry = Bundle::from_json(V03_HASHEDREKORD2.as_bytes()).unwrap().entries.remove(0);
    assert_eq!(parse_log_entry(entry.to_response_json().as_bytes()), Ok(entry.clone()));
    let bare = LogEntry { inclusion_proof: None, ..entry };
    assert_eq!(parse_log_entry(bare.to_response_json().as_bytes()), Err(BundleError::NoProof));
}

#[test]
fn a_bundle_made_by_hand_is_written_whole() {
    let Bundle { material, .. } = Bundle::from_json(V03_DSSE1.as_bytes()).unwrap();
    let bundle = Bundle {
        version: BundleVersion::V03,
        material,
        content: Content::Message {
            digest: Some(Digest::sha256([0; 32])),
            signature: vec![0xff, 0xfe],
        },
        entries: Vec::new(),
        timestamps: vec![vec![0x30, 0x00]],
    };
    let written: Value = serde_json::from_str(&bundle.to_json()).unwrap();
    let certificate = at(V03_DSSE1, "/verificationMaterial/certificate");
    assert_eq!(
        written,
        json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": certificate,
                "tlogEntries": [],
                "timestampVerificationData": {
                    "rfc3161Timestamps": [{"signedTimestamp": "MAA="}]
                }
            },
            "messageSignature": {
                "messageDigest": {
                    "algorithm": "SHA2_256",
                    "digest": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
                },
                "signature": "//4="
            }
        })
    );
}

fn bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 1..40)
}

fn proof() -> impl Strategy<Value = InclusionProof> {
    let index = 0..=i64::MAX.unsigned_abs();
    let hashes = proptest::collection::vec(any::<[u8; 32]>().prop_map(Hash::new), 0..=64);
    (index.clone(), any::<[u8; 32]>(), index, hashes, "(?s).{1,40}").prop_map(
        |(log_index, root, tree_size, hashes, checkpoint)| InclusionProof {
            log_index,
            root_hash: Hash::new(root),
            tree_size,
            hashes,
            checkpoint,
        },
    )
}

fn entry() -> impl Strategy<Value = LogEntry> {
    let index = 0..=i64::MAX.unsigned_abs();
    let time = proptest::option::of(1..=i64::MAX);
    (index, any::<[u8; 32]>(), time, proptest::option::of(bytes()), proof(), bytes()).prop_map(
        |(log_index, log_id, integrated_time, inclusion_promise, proof, signature)| {
            let body = HashedRekord002 {
                digest: Digest::sha256(log_id),
                verifier: EntryVerifier::PublicKey(signature.clone()),
                signature,
                key_details: KeyDetails::EcdsaP256Sha256,
            };
            LogEntry {
                log_index,
                log_id,
                kind: "hashedrekord".to_owned(),
                version: "0.0.2".to_owned(),
                integrated_time,
                inclusion_promise,
                inclusion_proof: Some(proof),
                canonicalized_body: body.to_canonical(),
            }
        },
    )
}

fn content() -> impl Strategy<Value = Content> {
    let digest = proptest::option::of(any::<[u8; 32]>().prop_map(Digest::sha256));
    let key_id = proptest::option::of("(?s).{1,10}");
    prop_oneof![
        (digest, bytes()).prop_map(|(digest, signature)| Content::Message { digest, signature }),
        ("(?s).{0,20}", bytes(), bytes(), key_id).prop_map(
            |(payload_type, payload, signature, key_id)| {
                Content::Dsse(Envelope { payload_type, payload, signature, key_id })
            }
        ),
    ]
}

proptest! {
    #[test]
    fn bundles_read_back(
        hint in "(?s).{0,20}",
        content in content(),
        entries in proptest::collection::vec(entry(), 0..3),
        timestamps in proptest::collection::vec(bytes(), 0..3),
    ) {
        let material = Material::PublicKey { hint };
        let bundle = Bundle { version: BundleVersion::V03, material, content, entries, timestamps };
        prop_assert_eq!(Bundle::from_json(bundle.to_json().as_bytes()), Ok(bundle));
    }

    #[test]
    fn log_answers_read_back(entry in entry()) {
        prop_assert_eq!(parse_log_entry(entry.to_response_json().as_bytes()), Ok(entry));
    }

    #[test]
    fn arbitrary_bytes_are_no_bundle(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(Bundle::from_json(&bytes).is_err());
        prop_assert!(parse_log_entry(&bytes).is_err());
    }
}

//! Bundles: real ones in, every fault out by its own name. See `data/README.md` for origins.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::{Duration, Instant};

use formats::bundle::{
    Bundle, BundleError, BundleVersion, Content, InclusionProof, LogEntry, Material,
    parse_log_entry,
};
use formats::digest::{Digest, DigestError, HashAlgorithm};
use formats::dsse::{DsseError, Envelope, IN_TOTO_PAYLOAD_TYPE};
use formats::entry::EntryError;
use formats::json::JsonError;
use formats::limits::{MAX_BUNDLE_BYTES, MAX_CHAIN_CERTIFICATES, MAX_LOG_ENTRIES, MAX_TIMESTAMPS};
use formats::statement::Statement;
use merkle::merkle::{Hash, leaf_hash, verify_inclusion};
use serde_json::{Value, json};

const BLOB: &str = include_str!("data/blob-bundle-rekorv2-tsa.json");
const COSIGN3: [&str; 4] = [
    include_str!("data/cosign3-bundle-0.json"),
    include_str!("data/cosign3-bundle-1.json"),
    include_str!("data/cosign3-bundle-2.json"),
    include_str!("data/cosign3-bundle-3.json"),
];
const V01_INTOTO: &str = include_str!("data/public-v01-intoto.json");
const V02_HASHEDREKORD1: &str = include_str!("data/public-v02-hashedrekord1.json");
const V03_DSSE1: &str = include_str!("data/public-v03-dsse1.json");
const V03_HASHEDREKORD2: &str = include_str!("data/staging-v03-hashedrekord2.json");
const V03_MANAGED_KEY: &str = include_str!("data/public-v03-managed-key.json");

const REAL: [(&str, BundleVersion, usize); 10] = [
    (BLOB, BundleVersion::V03, 1),
    (COSIGN3[0], BundleVersion::V03, 0),
    (COSIGN3[1], BundleVersion::V03, 0),
    (COSIGN3[2], BundleVersion::V03, 1),
    (COSIGN3[3], BundleVersion::V03, 0),
    (V01_INTOTO, BundleVersion::V01, 1),
    (V02_HASHEDREKORD1, BundleVersion::V02, 1),
    (V03_DSSE1, BundleVersion::V03, 1),
    (V03_HASHEDREKORD2, BundleVersion::V03, 1),
    (V03_MANAGED_KEY, BundleVersion::V03, 1),
];

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

fn parse(bundle: &Value) -> Result<Bundle, BundleError> {
    Bundle::from_json(bundle.to_string().as_bytes())
}

/// The bundle with the member at a JSON pointer changed, or added.
fn with(bundle: &str, pointer: &str, value: Value) -> Value {
    let mut bundle: Value = serde_json::from_str(bundle).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match bundle.pointer_mut(parent).unwrap() {
        Value::Object(members) => {
            members.insert(name.to_owned(), value);
        }
        Value::Array(items) => items[name.parse::<usize>().unwrap()] = value,
        other => panic!("{parent} is {other}"),
    }
    bundle
}

fn without(bundle: &str, pointer: &str) -> Value {
    let mut bundle: Value = serde_json::from_str(bundle).unwrap();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = bundle.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    parent.remove(name).expect("the member was there");
    bundle
}

fn at(bundle: &str, pointer: &str) -> Value {
    serde_json::from_str::<Value>(bundle).unwrap().pointer(pointer).unwrap().clone()
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
fn other_integers_are_refused() {
    for (member, field) in [
        ("logIndex", "logIndex"),
        ("integratedTime", "integratedTime"),
        ("inclusionProof/logIndex", "inclusionProof.logIndex"),
        ("inclusionProof/treeSize", "treeSize"),
    ] {
        let pointer = format!("{ENTRY}/{member}");
        for negative in [json!("-1"), json!(-1), json!("-0")] {
            refused(&with(BLOB, &pointer, negative), &BundleError::NegativeInteger { field });
        }
        for odd in [
            json!(""),
            json!("+1"),
            json!("01"),
            json!("1.0"),
            json!(1.0),
            json!(1.5),
            json!("1e2"),
            json!("0x1"),
            json!(" 1"),
            json!("1 "),
            json!("--1"),
            json!("\u{0661}"),
        ] {
            refused(&with(BLOB, &pointer, odd), &BundleError::NotDecimal { field });
        }
        for large in [json!("9223372036854775808"), json!(u64::MAX), json!("9".repeat(1000))] {
            refused(&with(BLOB, &pointer, large), &BundleError::IntegerTooLarge { field });
        }
    }
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
fn certificates_parse() {
    let pointer = "/verificationMaterial/certificate/rawBytes";
    refused(
        &with(V03_DSSE1, pointer, json!("\n")),
        &BundleError::Base64 { field: "certificate.rawBytes" },
    );
    for broken in ["", "MAA=", "AAAA"] {
        assert!(matches!(
            parse(&with(V03_DSSE1, pointer, json!(broken))),
            Err(BundleError::Certificate { index: 0, .. })
        ));
    }
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
fn dsse_one_signature() {
    let list = "/dsseEnvelope/signatures";
    let good = at(COSIGN3[2], &format!("{list}/0"));
    let bad = json!({"sig": "AAAA"});
    for (signatures, count) in
        [(json!([]), 0), (json!([good, bad]), 2), (json!([bad, good]), 2), (json!([good, good]), 2)]
    {
        refused(
            &with(COSIGN3[2], list, signatures),
            &BundleError::Dsse(DsseError::SignatureCount { count }),
        );
    }
    assert_eq!(
        Bundle::from_json(include_bytes!("data/public-v01-two-signatures.json")),
        Err(BundleError::Dsse(DsseError::SignatureCount { count: 2 }))
    );
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
fn unknown_entry_version_rejected() {
    let kind_version = format!("{ENTRY}/kindVersion");
    let stating = |kind: &str, version: &str| {
        with(BLOB, &kind_version, json!({"kind": kind, "version": version}))
    };
    assert!(parse(&stating("hashedrekord", "0.0.2")).is_ok());
    for (kind, version) in
        [("dsse", "0.0.9"), ("hashedrekord", "0.0.3"), ("rekord", "0.0.1"), ("", "")]
    {
        refused(
            &stating(kind, version),
            &BundleError::Body(EntryError::UnknownKind {
                kind: kind.to_owned(),
                version: version.to_owned(),
            }),
        );
    }
    refused(&stating("dsse", "0.0.2"), &BundleError::Body(EntryError::DsseV002Refused));
    for (kind, version) in [("hashedrekord", "0.0.1"), ("dsse", "0.0.1"), ("intoto", "0.0.2")] {
        refused(
            &stating(kind, version),
            &BundleError::Body(EntryError::KindMismatch {
                found_kind: "hashedrekord".to_owned(),
                found_version: "0.0.2".to_owned(),
            }),
        );
    }
    refused(&without(BLOB, &kind_version), &BundleError::NoKindVersion);
    refused(&with(BLOB, &kind_version, Value::Null), &BundleError::NoKindVersion);
}

#[test]
fn bodies_parse_totally() {
    let body = format!("{ENTRY}/canonicalizedBody");
    refused(&without(BLOB, &body), &BundleError::NoBody);
    refused(&with(BLOB, &body, json!("")), &BundleError::NoBody);
    for (content, base64) in
        [("[]", "W10="), ("null", "bnVsbA=="), ("{}", "e30="), ("not JSON", "bm90IEpTT04=")]
    {
        assert!(
            matches!(
                parse(&with(BLOB, &body, json!(base64))),
                Err(BundleError::Body(EntryError::Json(_)))
            ),
            "{content}"
        );
    }
    let other = at(V03_DSSE1, &body);
    refused(
        &with(BLOB, &body, other),
        &BundleError::Body(EntryError::KindMismatch {
            found_kind: "dsse".to_owned(),
            found_version: "0.0.1".to_owned(),
        }),
    );
}

#[test]
fn base64_and_signature_bytes_canonical() {
    let token = at(
        BLOB,
        "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp",
    );
    let token = token.as_str().unwrap();
    for (pointer, field) in [
        ("/messageSignature/signature".to_owned(), "messageSignature.signature"),
        ("/messageSignature/messageDigest/digest".to_owned(), "messageDigest.digest"),
        (format!("{ENTRY}/logId/keyId"), "logId.keyId"),
        (format!("{ENTRY}/inclusionProof/rootHash"), "rootHash"),
        (format!("{ENTRY}/canonicalizedBody"), "canonicalizedBody"),
        (
            "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp"
                .to_owned(),
            "signedTimestamp",
        ),
    ] {
        let good = at(BLOB, &pointer);
        let good = good.as_str().unwrap();
        let (head, tail) = good.split_at(8);
        for (why, odd) in [
            ("newline inside", format!("{head}\n{tail}")),
            ("newline at the end", format!("{good}\n")),
            ("space", format!(" {good}")),
            ("url-safe", format!("-_{}", good.get(2..).unwrap())),
            ("too much padding", format!("{good}====")),
        ] {
            assert_eq!(
                parse(&with(BLOB, &pointer, json!(odd))),
                Err(BundleError::Base64 { field }),
                "{why} in {pointer}"
            );
        }
    }
    let lines = token.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap());
    let wrapped = lines.collect::<Vec<_>>().join("\n");
    refused(
        &with(
            BLOB,
            "/verificationMaterial/timestampVerificationData/rfc3161Timestamps/0/signedTimestamp",
            json!(wrapped),
        ),
        &BundleError::Base64 { field: "signedTimestamp" },
    );
    let digest = "/messageSignature/messageDigest/digest";
    let good = at(BLOB, digest);
    let good = good.as_str().unwrap();
    let unpadded = good.trim_end_matches('=');
    let spare = format!("{}N=", unpadded.get(..unpadded.len() - 1).unwrap());
    assert_ne!(spare, good);
    for odd in [unpadded.to_owned(), spare] {
        refused(
            &with(BLOB, digest, json!(odd)),
            &BundleError::Base64 { field: "messageDigest.digest" },
        );
    }
}

#[test]
fn fixed_lengths() {
    let id = format!("{ENTRY}/logId");
    refused(&without(BLOB, &id), &BundleError::LogIdLength { bytes: 0 });
    refused(&with(BLOB, &id, json!({"keyId": "AAAA"})), &BundleError::LogIdLength { bytes: 3 });
    let proof = format!("{ENTRY}/inclusionProof");
    refused(
        &without(BLOB, &format!("{proof}/rootHash")),
        &BundleError::HashLength { field: "rootHash", bytes: 0 },
    );
    refused(
        &with(BLOB, &format!("{proof}/hashes"), json!(["AAAA"])),
        &BundleError::HashLength { field: "hashes", bytes: 3 },
    );
    refused(
        &with(
            BLOB,
            "/verificationMaterial/timestampVerificationData/rfc3161Timestamps",
            json!([{"signedTimestamp": ""}]),
        ),
        &BundleError::EmptyTimestamp { index: 0 },
    );
}

#[test]
fn untrusted_lists_capped() {
    let lists = [
        (BLOB, "/verificationMaterial/tlogEntries", "tlogEntries", MAX_LOG_ENTRIES),
        (
            BLOB,
            "/verificationMaterial/timestampVerificationData/rfc3161Timestamps",
            "rfc3161Timestamps",
            MAX_TIMESTAMPS,
        ),
        (
            V02_HASHEDREKORD1,
            "/verificationMaterial/x509CertificateChain/certificates",
            "certificates",
            MAX_CHAIN_CERTIFICATES,
        ),
    ];
    for (bundle, pointer, field, limit) in lists {
        let item = at(bundle, &format!("{pointer}/0"));
        let of = |count| with(bundle, pointer, Value::Array(vec![item.clone(); count]));
        assert!(parse(&of(limit)).is_ok(), "{field}");
        refused(&of(limit + 1), &BundleError::TooMany { field, count: limit + 1, limit });
    }
    let hashes = format!("{ENTRY}/inclusionProof/hashes");
    let hash = at(BLOB, &format!("{ENTRY}/inclusionProof/rootHash"));
    let of = |count| with(BLOB, &hashes, Value::Array(vec![hash.clone(); count]));
    assert!(parse(&of(64)).is_ok());
    refused(&of(65), &BundleError::TooMany { field: "hashes", count: 65, limit: 64 });
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test measures how soon a flood is refused")]
fn untrusted_lists_capped_before_any_work() {
    let flood = with(BLOB, "/verificationMaterial/tlogEntries", json!([])).to_string().replace(
        r#""tlogEntries":[]"#,
        &format!(r#""tlogEntries":[{}{{}}]"#, "{},".repeat(999_999)),
    );
    let started = Instant::now();
    assert_eq!(
        Bundle::from_json(flood.as_bytes()),
        Err(BundleError::TooMany {
            field: "tlogEntries",
            count: 1_000_000,
            limit: MAX_LOG_ENTRIES
        })
    );
    let allowed = Duration::from_millis(if cfg!(debug_assertions) { 2_000 } else { 50 });
    assert!(started.elapsed() < allowed, "{:?}", started.elapsed());
}

#[test]
fn bytes_capped() {
    let large = format!("{BLOB}{}", " ".repeat(MAX_BUNDLE_BYTES));
    assert_eq!(
        Bundle::from_json(large.as_bytes()),
        Err(BundleError::Json(JsonError::TooLarge { bytes: large.len(), limit: MAX_BUNDLE_BYTES }))
    );
}

/// A member nobody knows, added to every object in turn, is refused wherever it is.
#[test]
fn unknown_members_refused_everywhere() {
    for (json, _, _) in REAL {
        let bundle: Value = serde_json::from_str(json).unwrap();
        for pointer in objects(&bundle, String::new()) {
            let odd = with(json, &format!("{pointer}/later"), json!(1));
            assert!(
                matches!(parse(&odd), Err(BundleError::Json(JsonError::Schema { .. }))),
                "{pointer}"
            );
        }
    }
}

#[test]
fn equal_members_refused() {
    let twice = BLOB.replacen('{', r#"{"media\u0054ype":"x","#, 1);
    assert_eq!(
        Bundle::from_json(twice.as_bytes()),
        Err(BundleError::Json(JsonError::DuplicateMember { name: "mediaType".to_owned() }))
    );
}

/// Every value of every real bundle in turn is left out or replaced by one of another type.
/// Nothing panics; and what still parses reads back equal.
#[test]
fn bundle_parser_is_total() {
    let odd = [
        Value::Null,
        json!(true),
        json!(-1),
        json!(1.5),
        json!(""),
        json!("AAAA"),
        json!([]),
        json!({}),
        json!([null]),
    ];
    for (json, _, _) in REAL {
        let bundle: Value = serde_json::from_str(json).unwrap();
        for pointer in values(&bundle, String::new()) {
            for value in &odd {
                if let Ok(bundle) = parse(&with(json, &pointer, value.clone())) {
                    assert_eq!(Bundle::from_json(bundle.to_json().as_bytes()), Ok(bundle));
                }
            }
        }
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

fn objects(value: &Value, pointer: String) -> Vec<String> {
    let mut found = children(value, &pointer)
        .into_iter()
        .flat_map(|(child, pointer)| objects(child, pointer))
        .collect::<Vec<_>>();
    if value.is_object() {
        found.push(pointer);
    }
    found
}

fn values(value: &Value, pointer: String) -> Vec<String> {
    let mut found = children(value, &pointer)
        .into_iter()
        .flat_map(|(child, pointer)| values(child, pointer))
        .collect::<Vec<_>>();
    if !pointer.is_empty() {
        found.push(pointer);
    }
    found
}

fn children<'a>(value: &'a Value, pointer: &str) -> Vec<(&'a Value, String)> {
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, child)| (child, format!("{pointer}/{name}"))).collect()
        }
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(index, child)| (child, format!("{pointer}/{index}")))
            .collect(),
        _ => Vec::new(),
    }
}

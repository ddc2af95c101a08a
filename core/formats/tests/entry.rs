//! Log bodies: real ones of each kind, and every way to be another.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod mutate;

use formats::bundle::{Bundle, Content};
use formats::digest::{Digest, DigestError, HashAlgorithm};
use formats::entry::{self, EntryBody, EntryError, EntryVerifier, HashedRekord002};
use formats::json::{self, JsonError};
use formats::key::KeyDetails;
use proptest::prelude::*;
use serde_json::{Value, json};

/// The bundles whose bodies stand for the four kinds.
const REAL: [&str; 6] = [
    include_str!("data/public-v02-hashedrekord1.json"),
    include_str!("data/public-v03-managed-key.json"),
    include_str!("data/staging-v03-hashedrekord2.json"),
    include_str!("data/blob-bundle-rekorv2-tsa.json"),
    include_str!("data/public-v03-dsse1.json"),
    include_str!("data/public-v01-intoto.json"),
];
const HASHEDREKORD1: usize = 0;
const HASHEDREKORD2: usize = 2;
const DSSE1: usize = 4;
const INTOTO2: usize = 5;

struct Real {
    bundle: Bundle,
    kind: String,
    version: String,
    bytes: Vec<u8>,
}

fn real(index: usize) -> Real {
    let bundle = Bundle::from_json(REAL[index].as_bytes()).unwrap();
    let entry = bundle.entries[0].clone();
    Real { bundle, kind: entry.kind, version: entry.version, bytes: entry.canonicalized_body }
}

impl Real {
    fn value(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    fn parse(&self, value: &Value) -> Result<EntryBody, EntryError> {
        entry::parse(&self.kind, &self.version, value.to_string().as_bytes())
    }

    fn with(&self, pointer: &str, value: Value) -> Result<EntryBody, EntryError> {
        let mut body = self.value();
        *body.pointer_mut(pointer).unwrap() = value;
        self.parse(&body)
    }
}

/// Each body says what its own bundle holds: the binding that a verdict will ask for.
#[test]
fn real_bodies_say_what_their_bundles_hold() {
    for (index, source) in REAL.iter().enumerate() {
        let real = real(index);
        let body = entry::parse(&real.kind, &real.version, &real.bytes).unwrap();
        assert_eq!(body.kind_version(), (real.kind.as_str(), real.version.as_str()));
        let leaf = real
            .bundle
            .leaf()
            .map(|certificate| EntryVerifier::Certificate(certificate.der().to_vec()));
        let (digest, signature, verifier) = match body {
            EntryBody::HashedRekord001(record) => (record.hash, record.signature, record.verifier),
            EntryBody::HashedRekord002(record) => {
                assert_eq!(record.key_details, KeyDetails::EcdsaP256Sha256);
                (record.digest, record.signature, record.verifier)
            }
            EntryBody::Dsse001(record) => {
                let (signature, verifier) = record.signatures[0].clone();
                (record.payload_hash, signature, verifier)
            }
            EntryBody::Intoto002(record) => {
                assert_eq!(record.payload_type, "application/vnd.in-toto+json");
                let (signature, verifier) = record.signatures[0].clone();
                (record.payload_hash, signature, verifier)
            }
        };
        assert_eq!(signature, real.bundle.signature());
        match leaf {
            Some(leaf) => assert_eq!(verifier, leaf),
            None => assert!(matches!(verifier, EntryVerifier::PublicKey(_))),
        }
        let expected = match (&real.bundle.content, real.kind.as_str()) {
            (Content::Message { digest, .. }, _) => digest.unwrap(),
            (Content::Dsse(envelope), "hashedrekord") => {
                HashAlgorithm::Sha256.digest(&envelope.pae())
            }
            (Content::Dsse(envelope), _) => HashAlgorithm::Sha256.digest(&envelope.payload),
        };
        assert_eq!(digest, expected, "{source}");
    }
}

#[test]
fn canonical_body_exact() {
    let real = real(HASHEDREKORD2);
    let Ok(EntryBody::HashedRekord002(record)) = entry::parse("hashedrekord", "0.0.2", &real.bytes)
    else {
        panic!("a hashedrekord 0.0.2");
    };
    assert_eq!(record.to_canonical(), real.bytes, "as the log stored it");

    let text = String::from_utf8(real.bytes.clone()).unwrap();
    let parse = |text: &str| entry::parse("hashedrekord", "0.0.2", text.as_bytes());
    for other in [
        text.replacen(':', ": ", 1),
        format!("{text}\n"),
        text.replacen("kind", "k\\u0069nd", 1),
        text.replacen("0.0.2", "0.0\\u002e2", 1),
        text.replacen("SHA2_256", "\\u0053HA2_256", 1),
        text.replacen(
            r#""apiVersion":"0.0.2","kind":"hashedrekord""#,
            r#""kind":"hashedrekord","apiVersion":"0.0.2""#,
            1,
        ),
        text.replacen(r#""x509Certificate""#, r#""publicKey":null,"x509Certificate""#, 1),
    ] {
        assert_ne!(other, text);
        assert_eq!(parse(&other), Err(EntryError::NotCanonical), "{other}");
    }
    let twice = text.replacen('{', r#"{"kind":"hashedrekord","#, 1);
    assert_eq!(
        parse(&twice),
        Err(EntryError::Json(JsonError::DuplicateMember { name: "kind".to_owned() }))
    );
    for number in ["1e2", "-0", "1"] {
        let odd = text.replacen(r#""0.0.2""#, number, 1);
        assert!(matches!(parse(&odd), Err(EntryError::Json(JsonError::Schema { .. }))));
    }
    let large = format!("{text}{}", " ".repeat(65_536 - text.len()));
    assert_eq!(parse(&large), Err(EntryError::TooLarge { bytes: 65_536, limit: 65_535 }));
}

/// Every member of every kind in turn is left out, renamed or replaced: no panic, and never a
/// body that says the same.
#[test]
fn entry_parsers_total() {
    let odd = [
        Value::Null,
        json!(true),
        json!(0),
        json!(-1.5),
        json!(""),
        json!("AA=="),
        json!("\u{0}"),
        json!([]),
        json!([[]]),
        json!({}),
    ];
    for index in 0..REAL.len() {
        let real = real(index);
        let value = real.value();
        let good = real.parse(&value).unwrap();
        for pointer in mutate::values(&value.to_string()) {
            for replacement in &odd {
                if let Ok(other) = real.with(&pointer, replacement.clone()) {
                    assert_ne!(other, good, "{pointer} {replacement}");
                }
            }
            if let Some(members) = value.pointer(&pointer).unwrap().as_object() {
                let array = Value::Array(members.values().cloned().collect());
                assert!(real.with(&pointer, array).is_err(), "{pointer} as an array");
            }
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let mut changed = value.clone();
            if let Some(members) = changed.pointer_mut(parent).unwrap().as_object_mut() {
                let taken = members.remove(name).unwrap();
                assert!(real.parse(&changed).is_err(), "{pointer} left out");
                let members = changed.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                members.insert(format!("{name}x"), taken.clone());
                assert!(real.parse(&changed).is_err(), "{pointer} renamed");
                let members = changed.pointer_mut(parent).unwrap().as_object_mut().unwrap();
                members.insert(name.to_owned(), taken);
                assert!(
                    matches!(real.parse(&changed), Err(EntryError::Json(JsonError::Schema { .. }))),
                    "{parent} with an unknown member"
                );
            }
        }
        for cut in 0..real.bytes.len() {
            let head = real.bytes.get(..cut).unwrap();
            assert!(entry::parse(&real.kind, &real.version, head).is_err());
        }
        for not_a_body in ["", "[]", "null", "0", "\"\"", "{", "\u{feff}{}", "{}"] {
            assert!(matches!(
                entry::parse(&real.kind, &real.version, not_a_body.as_bytes()),
                Err(EntryError::Json(_))
            ));
        }
        assert_eq!(
            entry::parse(&real.kind, &real.version, &[0xff]),
            Err(EntryError::Json(JsonError::NotUtf8))
        );
    }
}

#[test]
fn unknown_entry_version_rejected() {
    let real = real(HASHEDREKORD1);
    for (kind, version) in [
        ("hashedrekord", "0.0.3"),
        ("hashedrekord", "0.0.01"),
        ("Hashedrekord", "0.0.1"),
        ("dsse", "0.0.9"),
        ("intoto", "0.0.1"),
        ("rpm", "0.0.1"),
        ("", ""),
    ] {
        assert_eq!(
            entry::parse(kind, version, &real.bytes),
            Err(EntryError::UnknownKind { kind: kind.to_owned(), version: version.to_owned() })
        );
    }
    assert_eq!(entry::parse("dsse", "0.0.2", &real.bytes), Err(EntryError::DsseV002Refused));
    assert_eq!(
        entry::parse("dsse", "0.0.1", &real.bytes),
        Err(EntryError::KindMismatch {
            found_kind: "hashedrekord".to_owned(),
            found_version: "0.0.1".to_owned()
        })
    );
    assert_eq!(
        entry::parse("hashedrekord", "0.0.2", &real.bytes),
        Err(EntryError::KindMismatch {
            found_kind: "hashedrekord".to_owned(),
            found_version: "0.0.1".to_owned()
        })
    );
}

#[test]
fn digests_of_v1_are_strict() {
    let real = real(HASHEDREKORD1);
    let value = "/spec/data/hash/value";
    let hex = real.value().pointer(value).unwrap().as_str().unwrap().to_owned();
    let field = "data.hash";
    assert_eq!(
        real.with(value, json!(hex.to_uppercase())),
        Err(EntryError::Digest { field, fault: DigestError::NotHex })
    );
    assert!(matches!(
        real.with(value, json!(hex.get(2..).unwrap())),
        Err(EntryError::Digest { field: "data.hash", fault: DigestError::WrongLength { .. } })
    ));
    for name in ["sha1", "SHA256", ""] {
        assert_eq!(
            real.with("/spec/data/hash/algorithm", json!(name)),
            Err(EntryError::UnknownAlgorithm { field, name: name.to_owned() })
        );
    }
    // Envelopes are hashed with SHA-256 alone; records with any of the three.
    let long = json!({"algorithm": "sha512", "value": "00".repeat(64)});
    assert!(real.with("/spec/data/hash", long.clone()).is_ok());
    assert_eq!(
        self::real(DSSE1).with("/spec/payloadHash", long),
        Err(EntryError::UnknownAlgorithm { field: "payloadHash", name: "sha512".to_owned() })
    );
}

#[test]
fn one_spelling_of_pem() {
    let encode = |pem: &str| {
        use base64::Engine as _;
        json!(base64::engine::general_purpose::STANDARD.encode(pem))
    };
    for (index, pointer, field) in [
        (HASHEDREKORD1, "/spec/signature/publicKey/content", "signature.publicKey.content"),
        (DSSE1, "/spec/signatures/0/verifier", "signatures.verifier"),
        (
            INTOTO2,
            "/spec/content/envelope/signatures/0/publicKey",
            "content.envelope.signatures.publicKey",
        ),
    ] {
        let real = real(index);
        let pem = real.bundle.leaf().unwrap().to_pem();
        assert!(real.with(pointer, encode(&pem)).is_ok());
        let bare = pem.trim_end();
        let body = bare.lines().filter(|line| !line.starts_with('-')).collect::<String>();
        let one_line = format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----");
        for sent_by_npm in [bare, &one_line, &pem.replacen("\nMI", "\nM\nI", 1)] {
            let taken = real.with(pointer, encode(sent_by_npm)).is_ok();
            assert_eq!(taken, index == INTOTO2, "{sent_by_npm}");
        }
        for other in [
            format!("{pem}\n"),
            pem.replace('\n', "\r\n"),
            format!("{pem}{pem}"),
            format!(" {pem}"),
            format!("subject=x\n{pem}"),
            pem.replace("CERTIFICATE", "X509 CRL"),
            one_line.replace('M', "M "),
            one_line.replace("=\n", "\n").replacen("MI", "M", 1),
            String::new(),
        ] {
            assert_eq!(
                real.with(pointer, encode(&other)),
                Err(EntryError::Pem { field }),
                "{other}"
            );
        }
        assert_eq!(real.with(pointer, json!("\n")), Err(EntryError::Base64 { field }));
    }
}

#[test]
fn signatures_are_there_and_capped() {
    for (index, pointer, member, field) in [
        (DSSE1, "/spec/signatures", "signature", "signatures.signature"),
        (INTOTO2, "/spec/content/envelope/signatures", "sig", "content.envelope.signatures.sig"),
    ] {
        let real = real(index);
        let one = real.value().pointer(pointer).unwrap()[0].clone();
        assert!(real.with(pointer, Value::Array(vec![one.clone(); 32])).is_ok());
        assert_eq!(
            real.with(pointer, Value::Array(vec![one; 33])),
            Err(EntryError::TooManySignatures { count: 33, limit: 32 })
        );
        assert_eq!(real.with(pointer, json!([])), Err(EntryError::NoSignatures));
        assert_eq!(
            real.with(&format!("{pointer}/0/{member}"), json!("")),
            Err(EntryError::EmptySignature { field })
        );
        assert_eq!(
            real.with(&format!("{pointer}/0/{member}"), json!("A")),
            Err(EntryError::Base64 { field })
        );
    }
    // base64("!"): the inner layer of intoto's two is judged as well.
    assert_eq!(
        real(INTOTO2).with("/spec/content/envelope/signatures/0/sig", json!("IQ==")),
        Err(EntryError::Base64 { field: "content.envelope.signatures.sig" })
    );
    assert_eq!(
        real(HASHEDREKORD1).with("/spec/signature/content", json!("")),
        Err(EntryError::EmptySignature { field: "signature.content" })
    );
}

#[test]
fn faults_of_v2_have_their_names() {
    let real = real(HASHEDREKORD2);
    let spec = "/spec/hashedRekordV002";
    let data = |value| real.with(&format!("{spec}/data"), value);
    let verifier = |value| real.with(&format!("{spec}/signature/verifier"), value);
    assert_eq!(
        data(json!({"algorithm": "sha256", "digest": "AA=="})),
        Err(EntryError::UnknownAlgorithm { field: "data.algorithm", name: "sha256".to_owned() })
    );
    assert!(matches!(
        data(json!({"algorithm": "SHA2_384", "digest": "AA=="})),
        Err(EntryError::Digest { field: "data.digest", fault: DigestError::WrongLength { .. } })
    ));
    assert_eq!(
        data(json!({"algorithm": "SHA2_384", "digest": "AA"})),
        Err(EntryError::Base64 { field: "data.digest" })
    );
    assert_eq!(
        real.with(&format!("{spec}/signature/content"), json!("")),
        Err(EntryError::EmptySignature { field: "signature.content" })
    );
    let details = "PKIX_ECDSA_P256_SHA_256";
    let raw = json!({"rawBytes": "AA=="});
    assert_eq!(verifier(json!({"keyDetails": details})), Err(EntryError::NoVerifier));
    assert_eq!(
        verifier(json!({"keyDetails": details, "publicKey": raw, "x509Certificate": raw})),
        Err(EntryError::TwoVerifiers)
    );
    assert!(verifier(json!({"keyDetails": details, "publicKey": raw})).is_ok());
    assert_eq!(
        verifier(json!({"keyDetails": "PKIX_ML_DSA_65", "publicKey": raw})),
        Err(EntryError::UnknownKeyDetails { name: "PKIX_ML_DSA_65".to_owned() })
    );
}

fn record() -> impl Strategy<Value = HashedRekord002> {
    let algorithm = proptest::sample::select(HashAlgorithm::ALL.to_vec());
    let details = proptest::sample::select(KeyDetails::ALL.to_vec());
    let bytes = || proptest::collection::vec(any::<u8>(), 1..300);
    (algorithm, details, bytes(), bytes(), any::<bool>(), any::<[u8; 64]>()).prop_map(
        |(algorithm, key_details, signature, der, certificate, hash)| HashedRekord002 {
            digest: Digest::new(algorithm, hash.get(..algorithm.len()).unwrap()).unwrap(),
            signature,
            verifier: if certificate {
                EntryVerifier::Certificate(der)
            } else {
                EntryVerifier::PublicKey(der)
            },
            key_details,
        },
    )
}

proptest! {
    /// Our leaf is RFC 8785 by a second implementation, and by our own canonical form.
    #[test]
    fn leaves_are_canonical_json(record in record()) {
        let leaf = record.to_canonical();
        let value: Value = serde_json::from_slice(&leaf).unwrap();
        prop_assert_eq!(&serde_json_canonicalizer::to_vec(&value).unwrap(), &leaf);
        prop_assert_eq!(&json::canonical(&value).unwrap(), &leaf);
        prop_assert_eq!(
            entry::parse("hashedrekord", "0.0.2", &leaf),
            Ok(EntryBody::HashedRekord002(record))
        );
    }

    #[test]
    fn arbitrary_bytes_are_no_body(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for (kind, version) in
            [("hashedrekord", "0.0.1"), ("hashedrekord", "0.0.2"), ("dsse", "0.0.1"), ("intoto", "0.0.2")]
        {
            prop_assert!(entry::parse(kind, version, &bytes).is_err());
        }
    }
}

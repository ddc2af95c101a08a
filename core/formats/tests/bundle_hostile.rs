//! Bundles that someone made to be misread: every fault has its own name.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod mutate;
mod real;

use std::time::{Duration, Instant};

use formats::bundle::{Bundle, BundleError};
use formats::dsse::DsseError;
use formats::entry::EntryError;
use formats::json::JsonError;
use formats::limits::{MAX_BUNDLE_BYTES, MAX_CHAIN_CERTIFICATES, MAX_LOG_ENTRIES, MAX_TIMESTAMPS};
use mutate::{at, objects, values, with, without};
use real::{BLOB, COSIGN3, REAL, V02_HASHEDREKORD1, V03_DSSE1};
use serde_json::{Value, json};

const ENTRY: &str = "/verificationMaterial/tlogEntries/0";

fn parse(bundle: &Value) -> Result<Bundle, BundleError> {
    Bundle::from_json(bundle.to_string().as_bytes())
}

fn refused(bundle: &Value, expected: &BundleError) {
    assert_eq!(parse(bundle).as_ref(), Err(expected));
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
        for pointer in objects(json) {
            let odd = with(json, &format!("{pointer}/later"), json!(1));
            assert!(
                matches!(parse(&odd), Err(BundleError::Json(JsonError::Schema { .. }))),
                "{pointer}"
            );
        }
    }
}

/// An array is no message, be it empty or the values of the message in their order.
#[test]
fn arrays_are_no_messages() {
    for (json, _, _) in REAL {
        for pointer in objects(json).iter().filter(|pointer| !pointer.is_empty()) {
            let members = at(json, pointer).as_object().unwrap().values().cloned().collect();
            for array in [json!([]), Value::Array(members)] {
                assert!(
                    matches!(
                        parse(&with(json, pointer, array)),
                        Err(BundleError::Json(JsonError::Schema { .. }))
                    ),
                    "{pointer}"
                );
            }
        }
    }
    assert!(matches!(Bundle::from_json(b"[]"), Err(BundleError::Json(JsonError::Schema { .. }))));
}

#[test]
fn equal_members_refused() {
    let twice = BLOB.replacen('{', r#"{"media\u0054ype":"x","#, 1);
    assert_eq!(
        Bundle::from_json(twice.as_bytes()),
        Err(BundleError::Json(JsonError::DuplicateMember { name: "mediaType".to_owned() }))
    );
}

/// Every value of every real bundle in turn is replaced by one of another type. Nothing panics;
/// and what still parses reads back equal.
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
        for pointer in values(json) {
            for value in &odd {
                if let Ok(bundle) = parse(&with(json, &pointer, value.clone())) {
                    assert_eq!(Bundle::from_json(bundle.to_json().as_bytes()), Ok(bundle));
                }
            }
        }
    }
}

//! The Rekor v2 face: what is accepted, what is refused, and why.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self as provider, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use formats::bundle::parse_log_entry;
use formats::digest::{Digest, DigestError, HashAlgorithm};
use formats::entry::{EntryBody, EntryVerifier};
use formats::json::JsonError;
use formats::key::PublicKey;
use serde_json::{Value, json};
use sha2::Digest as _;
use std::sync::Arc;
use tlog::rekor2::{Rejected, accept, log_entry};
use tlog::search::SearchKey;
use tlog::signer::{CheckpointSigner, CheckpointVerifier, check_head};
use tlog::store::memory::MemoryStore;
use tlog::store::{Head, SignedHead};
use tlog::{Submitted, Tree};
use verify::crypto::SignatureError;

use crate::support::{REKOR_ORIGIN, TestKey, World, hashed_rekord, rekor_request, request, submit};

const P256: &str = "PKIX_ECDSA_P256_SHA_256";

fn public_key(spki: &[u8], details: &str) -> Value {
    json!({ "publicKey": { "rawBytes": STANDARD.encode(spki) }, "keyDetails": details })
}

/// A request that is accepted, as JSON to be spoiled.
fn good() -> Value {
    let key = TestKey::generate();
    let digest = HashAlgorithm::Sha256.digest(b"an artifact");
    let verifier = public_key(key.public().spki_der(), P256);
    hashed_rekord(digest.as_bytes(), &key.sign_message(b"an artifact"), &verifier)
}

fn good_dsse() -> Value {
    let key = TestKey::generate();
    let payload = br#"{"_type":"https://in-toto.io/Statement/v1"}"#;
    let kind = "application/vnd.in-toto+json";
    let signature = key.sign_message(&formats::dsse::pae(kind, payload));
    json!({ "dsseRequestV002": {
        "envelope": {
            "payload": STANDARD.encode(payload),
            "payloadType": kind,
            "signatures": [{ "sig": STANDARD.encode(signature), "keyid": "" }],
        },
        "verifiers": [public_key(key.public().spki_der(), P256)],
    }})
}

fn rejected(value: &Value) -> Rejected {
    accept(&request(value)).unwrap_err()
}

/// The value with the member at `pointer` replaced.
fn with(value: &Value, pointer: &str, new: Value) -> Value {
    let mut value = value.clone();
    *value.pointer_mut(pointer).unwrap() = new;
    value
}

const H: &str = "/hashedRekordRequestV002";

#[test]
fn a_request_becomes_an_answer_that_clients_read() {
    let world = World::new();
    let engine = world.open(Arc::new(MemoryStore::new())).unwrap();
    let value = good();
    let published = submit(&engine, accept(&request(&value)).unwrap()).unwrap();
    let key = Arc::new(world.rekor_key.clone());
    let log_id = CheckpointSigner::new(REKOR_ORIGIN, key).unwrap().log_id();
    assert_eq!(log_id, world.rekor_key.public().id());
    let answer = log_entry(&published, log_id).to_response_json();
    let entry = parse_log_entry(answer.as_bytes()).unwrap();
    assert_eq!((entry.log_index, entry.log_id), (1, log_id));
    let EntryBody::HashedRekord002(record) = entry.body().unwrap() else { panic!() };
    let at = |pointer| STANDARD.decode(value.pointer(pointer).unwrap().as_str().unwrap()).unwrap();
    assert_eq!(record.digest.as_bytes(), at("/hashedRekordRequestV002/digest"));
    assert_eq!(record.signature, at("/hashedRekordRequestV002/signature/content"));
    let raw = at("/hashedRekordRequestV002/signature/verifier/publicKey/rawBytes");
    assert_eq!(record.verifier, EntryVerifier::PublicKey(raw));
    // rekor-tiles answers with every member present.
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["integratedTime"], "0");
    assert_eq!(answer["inclusionPromise"], Value::Null);
    assert_eq!(answer["inclusionProof"]["logIndex"], "1");
}

#[test]
fn a_dsse_request_is_logged_as_a_hashedrekord_over_its_pae() {
    let world = World::new();
    let engine = world.open(Arc::new(MemoryStore::new())).unwrap();
    let value = good_dsse();
    let published = submit(&engine, accept(&request(&value)).unwrap()).unwrap();
    let body = formats::entry::parse("hashedrekord", "0.0.2", published.body()).unwrap();
    let EntryBody::HashedRekord002(record) = body else { panic!() };
    let payload = br#"{"_type":"https://in-toto.io/Statement/v1"}"#;
    let pae = format!(
        "DSSEv1 28 application/vnd.in-toto+json {} {}",
        payload.len(),
        std::str::from_utf8(payload).unwrap()
    );
    assert_eq!(record.digest, HashAlgorithm::Sha256.digest(pae.as_bytes()));
}

/// The same signature sent to us and to a real rekor-tiles gives the same body, byte for byte, and
/// our verifier reads that log's checkpoint.
#[test]
fn a_real_log_writes_the_same_body() {
    let bundle = include_bytes!("../data/blob-bundle-rekorv2-tsa.json");
    let bundle: Value = serde_json::from_slice(bundle).unwrap();
    let entry = &bundle["verificationMaterial"]["tlogEntries"][0];
    let body = STANDARD.decode(entry["canonicalizedBody"].as_str().unwrap()).unwrap();
    let parsed: Value = serde_json::from_slice(&body).unwrap();
    let spec = &parsed["spec"]["hashedRekordV002"];
    let sent = json!({ "hashedRekordRequestV002": {
        "digest": spec["data"]["digest"],
        "signature": spec["signature"],
    }});
    let world = World::new();
    let engine = world.open(Arc::new(MemoryStore::new())).unwrap();
    let published = submit(&engine, accept(&request(&sent)).unwrap()).unwrap();
    assert_eq!(published.body(), body);

    let root = include_bytes!("../data/trusted-root-rekorv2-tsa.json");
    let root: Value = serde_json::from_slice(root).unwrap();
    let key = root["tlogs"][0]["publicKey"]["rawBytes"].as_str().unwrap();
    let key = PublicKey::from_spki_der(&STANDARD.decode(key).unwrap()).unwrap();
    let verifier = CheckpointVerifier::new("rekor.local", key).unwrap();
    let proof = &entry["inclusionProof"];
    let hash = STANDARD.decode(proof["rootHash"].as_str().unwrap()).unwrap();
    let hash = merkle::Hash::try_from(hash.as_slice()).unwrap();
    let signed = SignedHead {
        head: Head { size: 1, root: hash, timestamp_ms: 0 },
        checkpoint: proof["checkpoint"]["envelope"].as_str().unwrap().into(),
    };
    assert_eq!(check_head(&signed, &verifier), Ok(()));
    assert_eq!(merkle::merkle::leaf_hash(&body), hash, "a log of one entry");
}

#[test]
fn the_first_entry_is_about_the_log_itself() {
    let world = World::new();
    let engine = world.open(Arc::new(MemoryStore::new())).unwrap();
    let first = engine.published(Tree::Rekor2, 0).unwrap();
    world.check(&first);
    let body = formats::entry::parse("hashedrekord", "0.0.2", first.body()).unwrap();
    let EntryBody::HashedRekord002(record) = body else { panic!() };
    assert_eq!(record.digest, Digest::sha256(world.rekor_key.public().id()));
    assert!(matches!(record.verifier, EntryVerifier::PublicKey(_)));
}

#[test]
fn entries_are_found_by_digest_key_and_name() {
    let world = World::new();
    let engine = world.open(Arc::new(MemoryStore::new())).unwrap();
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    let name = rcgen::SanType::Rfc822Name("someone@example.com".try_into().unwrap());
    params.subject_alt_names = vec![name];
    let certificate = params.self_signed(&key).unwrap();
    let digest = HashAlgorithm::Sha256.digest(b"x");
    let signature = rcgen::SigningKey::sign(&key, b"x").unwrap();
    let verifier = json!({
        "x509Certificate": { "rawBytes": STANDARD.encode(certificate.der()) },
        "keyDetails": P256,
    });
    let value = hashed_rekord(digest.as_bytes(), &signature, &verifier);
    let index = submit(&engine, accept(&request(&value)).unwrap()).unwrap().index();
    let certificate = formats::certificate::Certificate::from_der(certificate.der()).unwrap();
    let keys = [
        SearchKey::artifact(&digest),
        SearchKey::identity("someone@example.com"),
        SearchKey::public_key(&certificate.public_key().unwrap().id()),
    ];
    for key in keys {
        assert_eq!(engine.search(&key, 10).unwrap(), [(Tree::Rekor2, index)]);
    }
    assert_eq!(engine.search(&SearchKey::identity("someone@example.co"), 10).unwrap(), []);
}

#[test]
fn both_spellings_of_names_and_of_base64_are_taken() {
    let body = |value: &Value| {
        let world = World::new();
        let engine = world.open(Arc::new(MemoryStore::new())).unwrap();
        submit(&engine, accept(&request(value)).unwrap()).unwrap().body().to_vec()
    };
    let camel = good();
    let snake = camel
        .to_string()
        .replace("hashedRekordRequestV002", "hashed_rekord_request_v002")
        .replace("publicKey", "public_key")
        .replace("rawBytes", "raw_bytes")
        .replace("keyDetails", "key_details");
    let snake: Value = serde_json::from_str(&snake).unwrap();
    assert_eq!(body(&camel), body(&snake));
    let pointer = "/hashedRekordRequestV002/signature/content";
    let signature = STANDARD.decode(camel.pointer(pointer).unwrap().as_str().unwrap()).unwrap();
    let lenient = with(&camel, pointer, URL_SAFE_NO_PAD.encode(signature).into());
    assert_eq!(body(&camel), body(&lenient));
    let unknown = json!({ "hashedRekordRequestV002": {}, "extra": 1 });
    assert!(matches!(rejected(&unknown), Rejected::Json(JsonError::Schema { .. })));
    let twice =
        camel.to_string().replacen('{', r#"{"dsseRequestV002":null,"dsseRequestV002":null,"#, 1);
    let twice = accept(&Submitted::new(twice.into_bytes()));
    assert!(matches!(twice, Err(Rejected::Json(JsonError::DuplicateMember { .. }))));
}

/// Every member of each request, left out, null, and of every wrong type.
#[test]
fn entry_parsers_total() {
    fn pointers(value: &Value, at: String, all: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    pointers(member, format!("{at}/{name}"), all);
                }
            }
            Value::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    pointers(item, format!("{at}/{n}"), all);
                }
            }
            _ => {}
        }
        all.push(at);
    }
    for value in [good(), good_dsse()] {
        accept(&request(&value)).unwrap();
        let mut all = Vec::new();
        pointers(&value, String::new(), &mut all);
        for pointer in all.iter().filter(|p| !p.is_empty() && !p.ends_with("/keyid")) {
            let wrong = [
                Value::Null,
                json!(""),
                json!("!"),
                json!(0),
                json!(-1.5e300),
                json!(true),
                json!([]),
                json!([[]]),
                json!({}),
                json!({ "": {} }),
            ];
            for new in wrong {
                let spoiled = with(&value, pointer, new);
                assert!(accept(&request(&spoiled)).is_err(), "{spoiled}");
            }
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let mut without = value.clone();
            match without.pointer_mut(parent).unwrap() {
                Value::Object(members) => drop(members.remove(name)),
                Value::Array(items) => drop(items.remove(name.parse().unwrap())),
                _ => unreachable!(),
            }
            assert!(accept(&request(&without)).is_err(), "{without}");
        }
    }
    for bytes in [&b""[..], b"null", b"[]", b"{", b"\xef\xbb\xbf{}", b"\xff\xfe{\0", b"{}x"] {
        assert!(accept(&Submitted::new(bytes.to_vec())).is_err());
    }
    let deep = "[".repeat(100_000);
    assert!(accept(&Submitted::new(deep.into_bytes())).is_err());
}

#[test]
fn each_missing_field_is_named() {
    let value = good();
    for (pointer, field) in [
        ("/digest", "hashedRekordRequestV002.digest"),
        ("/signature", "hashedRekordRequestV002.signature"),
        ("/signature/content", "hashedRekordRequestV002.signature.content"),
        ("/signature/verifier", "verifier"),
        ("/signature/verifier/keyDetails", "verifier.keyDetails"),
        ("/signature/verifier/publicKey", "verifier.x509Certificate or publicKey"),
        ("/signature/verifier/publicKey/rawBytes", "verifier.publicKey.rawBytes"),
    ] {
        let spoiled = with(&value, &format!("{H}{pointer}"), Value::Null);
        assert_eq!(rejected(&spoiled), Rejected::Missing { field });
    }
    assert_eq!(rejected(&json!({})), Rejected::NoRequest);
    let mut both = good();
    both["dsseRequestV002"] = good_dsse()["dsseRequestV002"].clone();
    assert_eq!(rejected(&both), Rejected::TwoRequests);
    let verifier = value.pointer("/hashedRekordRequestV002/signature/verifier").unwrap();
    let mut two = verifier.clone();
    two["x509Certificate"] = json!({ "rawBytes": "AAAA" });
    let spoiled = with(&value, "/hashedRekordRequestV002/signature/verifier", two);
    assert_eq!(rejected(&spoiled), Rejected::TwoVerifiers);
}

#[test]
fn dsse_requests_have_one_signature_and_one_verifier() {
    let value = good_dsse();
    for (pointer, field) in [
        ("/dsseRequestV002/envelope/signatures", "dsseRequestV002.envelope.signatures"),
        ("/dsseRequestV002/verifiers", "dsseRequestV002.verifiers"),
    ] {
        let one = value.pointer(pointer).unwrap().as_array().unwrap()[0].clone();
        let two = with(&value, pointer, json!([one, one]));
        assert_eq!(rejected(&two), Rejected::NotOne { field, count: 2 });
        assert_eq!(
            rejected(&with(&value, pointer, json!([]))),
            Rejected::NotOne { field, count: 0 }
        );
    }
    let other = with(&value, "/dsseRequestV002/envelope/payload", json!("b3RoZXI="));
    assert_eq!(rejected(&other), Rejected::Signature(SignatureError::Invalid));
    let other = with(&value, "/dsseRequestV002/envelope/payloadType", json!("text/plain"));
    assert_eq!(rejected(&other), Rejected::Signature(SignatureError::Invalid));
}

#[test]
fn the_signature_is_verified() {
    let value = good();
    let other = STANDARD.encode(HashAlgorithm::Sha256.digest(b"another").as_bytes());
    let spoiled = with(&value, "/hashedRekordRequestV002/digest", other.into());
    assert_eq!(rejected(&spoiled), Rejected::Signature(SignatureError::Invalid));
    let key = public_key(TestKey::generate().public().spki_der(), P256);
    let spoiled = with(&value, "/hashedRekordRequestV002/signature/verifier", key);
    assert_eq!(rejected(&spoiled), Rejected::Signature(SignatureError::Invalid));
}

#[test]
fn only_needed_kinds() {
    for kind in ["apk", "jar", "rpm", "helm", "cose", "alpine", "tuf", "rekord", "rfc3161"] {
        let v1 = json!({ "apiVersion": "0.0.1", "kind": kind, "spec": {} });
        assert!(matches!(rejected(&v1), Rejected::Json(JsonError::Schema { .. })), "{kind}");
        let v2 = json!({ format!("{kind}RequestV002"): {} });
        assert!(matches!(rejected(&v2), Rejected::Json(JsonError::Schema { .. })), "{kind}");
    }
    let later = json!({ "hashedRekordRequestV003": good()["hashedRekordRequestV002"] });
    assert!(matches!(rejected(&later), Rejected::Json(JsonError::Schema { .. })));
}

#[test]
fn server_fetches_no_client_url() {
    let value = good();
    let url = json!({ "url": "http://127.0.0.1:1/key" });
    let pointer = "/hashedRekordRequestV002/signature/verifier/publicKey";
    let spoiled = with(&value, pointer, url);
    assert!(matches!(rejected(&spoiled), Rejected::Json(JsonError::Schema { .. })));
    let text = with(&value, &format!("{pointer}/rawBytes"), json!("http://127.0.0.1:1/key"));
    assert!(matches!(rejected(&text), Rejected::Json(JsonError::Schema { .. })));
}

#[test]
fn algorithm_table_enforced() {
    let value = good();
    let details = "/hashedRekordRequestV002/signature/verifier/keyDetails";
    for name in [
        "PKIX_ED25519",
        "PKIX_RSA_PSS_2048_SHA256",
        "PKIX_ECDSA_P384_SHA_256",
        "PKIX_ECDSA_P521_SHA_256",
        "PKCS1_RSA_PSS",
        "LMS_SHA256",
        "PUBLIC_KEY_DETAILS_UNSPECIFIED",
        "pkix_ecdsa_p256_sha_256",
    ] {
        let refused = Rejected::AlgorithmNotAllowed { name: name.into() };
        assert_eq!(rejected(&with(&value, details, name.into())), refused);
    }
    // A key of another kind than stated.
    for name in ["PKIX_ECDSA_P384_SHA_384", "PKIX_RSA_PKCS1V15_2048_SHA256", "PKIX_ED25519_PH"] {
        assert_eq!(
            rejected(&with(&value, details, name.into())),
            Rejected::KeyMismatch { details: name }
        );
    }
    // A digest of another length than the row's hash.
    let long = STANDARD.encode([0; 48]);
    assert_eq!(
        rejected(&with(&value, "/hashedRekordRequestV002/digest", long.into())),
        Rejected::Digest(DigestError::WrongLength {
            algorithm: HashAlgorithm::Sha256,
            expected: 32,
            actual: 48,
        })
    );
    // PEM where DER belongs.
    let pem = STANDARD.encode(TestKey::generate().public().to_pem());
    let pointer = "/hashedRekordRequestV002/signature/verifier/publicKey/rawBytes";
    assert!(matches!(rejected(&with(&value, pointer, pem.into())), Rejected::Key(_)));
}

/// Every row of the table with a key of its kind, and SHA-256 under P-384's name.
#[test]
fn every_row_of_the_table_is_accepted() {
    let random = SystemRandom::new();
    for (algorithm, hash, name) in [
        (
            &provider::ECDSA_P384_SHA384_ASN1_SIGNING,
            HashAlgorithm::Sha384,
            "PKIX_ECDSA_P384_SHA_384",
        ),
        (
            &provider::ECDSA_P521_SHA512_ASN1_SIGNING,
            HashAlgorithm::Sha512,
            "PKIX_ECDSA_P521_SHA_512",
        ),
    ] {
        let key = provider::EcdsaKeyPair::generate(algorithm).unwrap();
        let spki = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(
            key.public_key(),
        );
        let spki = spki.unwrap();
        let signature = key.sign(&random, b"message").unwrap();
        let verifier = public_key(spki.as_ref(), name);
        let digest = hash.digest(b"message");
        let value = hashed_rekord(digest.as_bytes(), signature.as_ref(), &verifier);
        accept(&request(&value)).unwrap();
        let short = HashAlgorithm::Sha256.digest(b"message");
        let value = hashed_rekord(short.as_bytes(), signature.as_ref(), &verifier);
        assert!(matches!(rejected(&value), Rejected::Digest(DigestError::WrongLength { .. })));
    }
    for (size, name) in [
        (aws_lc_rs::rsa::KeySize::Rsa2048, "PKIX_RSA_PKCS1V15_2048_SHA256"),
        (aws_lc_rs::rsa::KeySize::Rsa3072, "PKIX_RSA_PKCS1V15_3072_SHA256"),
    ] {
        let key = provider::RsaKeyPair::generate(size).unwrap();
        let spki = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(
            key.public_key(),
        );
        let spki = spki.unwrap();
        PublicKey::from_spki_der(spki.as_ref()).unwrap();
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(&provider::RSA_PKCS1_SHA256, &random, b"message", &mut signature).unwrap();
        let digest = HashAlgorithm::Sha256.digest(b"message");
        let verifier = public_key(spki.as_ref(), name);
        accept(&request(&hashed_rekord(digest.as_bytes(), &signature, &verifier))).unwrap();
        // The same key, padded the other way.
        key.sign(&provider::RSA_PSS_SHA256, &random, b"message", &mut signature).unwrap();
        let value = hashed_rekord(digest.as_bytes(), &signature, &verifier);
        assert_eq!(rejected(&value), Rejected::Signature(SignatureError::Invalid));
    }
}

#[test]
fn ed25519ph_is_the_ed25519_that_is_accepted() {
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let prefix = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
    let spki = [&prefix[..], key.verifying_key().as_bytes()].concat();
    let digest = HashAlgorithm::Sha512.digest(b"message");
    let hasher = sha2::Sha512::new_with_prefix(b"message");
    let signature = key.sign_prehashed(hasher, None).unwrap().to_bytes();
    let verifier = public_key(&spki, "PKIX_ED25519_PH");
    accept(&request(&hashed_rekord(digest.as_bytes(), &signature, &verifier))).unwrap();
    let pure = ed25519_dalek::Signer::sign(&key, b"message").to_bytes();
    let value = hashed_rekord(digest.as_bytes(), &pure, &verifier);
    assert_eq!(rejected(&value), Rejected::Signature(SignatureError::Invalid));
    let short = HashAlgorithm::Sha256.digest(b"message");
    let value = hashed_rekord(short.as_bytes(), &signature, &verifier);
    assert!(matches!(rejected(&value), Rejected::Digest(DigestError::WrongLength { .. })));
}

#[test]
fn canonical_body_exact() {
    let world = World::new();
    let engine = world.open(Arc::new(MemoryStore::new())).unwrap();
    for n in 0..20 {
        let published = submit(&engine, accept(&rekor_request(n)).unwrap()).unwrap();
        // serde_json's maps are sorted, and every text in a body is ASCII without escapes: its
        // compact form is RFC 8785.
        let parsed: Value = serde_json::from_slice(published.body()).unwrap();
        assert_eq!(parsed.to_string().as_bytes(), published.body());
        let stored = engine.entry(Tree::Rekor2, published.index()).unwrap();
        assert_eq!(&*stored.body, published.body());
    }
    // Escapes mean the same text, and so the same entry.
    let value = good();
    let first = submit(&engine, accept(&request(&value)).unwrap()).unwrap();
    let escaped = value.to_string().replace("PKIX", "\\u0050KIX").replace("digest", "d\\u0069gest");
    let again = accept(&Submitted::new(escaped.into_bytes())).unwrap();
    assert_eq!(submit(&engine, again).unwrap().index(), first.index());
    // A certificate that is all filling takes the body past 65,535 bytes.
    let key = rcgen::KeyPair::generate().unwrap();
    let signed = |filling| {
        let mut params = rcgen::CertificateParams::default();
        let oid = [1, 3, 9999, 1];
        let extension = rcgen::CustomExtension::from_oid_content(&oid, vec![7; filling]);
        params.custom_extensions = vec![extension];
        let certificate = params.self_signed(&key).unwrap();
        let verifier = json!({
            "x509Certificate": { "rawBytes": STANDARD.encode(certificate.der()) },
            "keyDetails": P256,
        });
        let digest = HashAlgorithm::Sha256.digest(b"x");
        let signature = rcgen::SigningKey::sign(&key, b"x").unwrap();
        accept(&request(&hashed_rekord(digest.as_bytes(), &signature, &verifier)))
    };
    signed(40_000).unwrap();
    assert!(matches!(signed(50_000), Err(Rejected::TooLarge { .. })));
}

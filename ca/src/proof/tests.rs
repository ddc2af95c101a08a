#![allow(clippy::unwrap_used)]

use std::sync::{Arc, LazyLock};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use formats::key::KeyAlgorithm;

use super::*;
use crate::identity::{Identities, Token};
use crate::oidc_dev::DevIssuer;

macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("../../tests/data/keys/", $name)).as_slice()
    };
}

static ALICE: LazyLock<VerifiedIdentity> = LazyLock::new(|| identity("alice@example.com"));

fn identity(email: &str) -> VerifiedIdentity {
    let clock: crate::identity::Clock = Arc::new(|| 1_800_000_000);
    let key = DevIssuer::generate_key().unwrap();
    let dev = DevIssuer::new("http://localhost:1/oidc", &key, Arc::clone(&clock)).unwrap();
    let identities = Identities::new(vec![dev.trust()], clock).unwrap();
    identities.pin_keys(dev.issuer(), dev.jwks()).unwrap();
    let token = Token::new(dev.token(email, "sigstore").unwrap().into_bytes()).unwrap();
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(identities.verify(&token))
        .unwrap()
}

fn challenge(key: &[u8], signature: &[u8]) -> Result<ProvenKey, ProofRefusal> {
    signed_challenge(key, signature, &ALICE, &KeyRule::DEFAULTS)
}

fn der_of(pem: &[u8]) -> Vec<u8> {
    pem_rfc7468::decode_vec(pem).unwrap().1
}

fn pem_of(label: &str, der: &[u8]) -> Vec<u8> {
    pem_rfc7468::encode_string(label, pem_rfc7468::LineEnding::LF, der).unwrap().into_bytes()
}

#[test]
fn every_default_algorithm_proves_its_key() {
    for (key, signature, algorithm) in [
        (data!("p256.pem"), data!("challenge-p256-sha256.sig"), KeyAlgorithm::EcdsaP256),
        (data!("p384.pem"), data!("challenge-p384-sha384.sig"), KeyAlgorithm::EcdsaP384),
        (data!("p521.pem"), data!("challenge-p521-sha512.sig"), KeyAlgorithm::EcdsaP521),
        (data!("ed25519.pem"), data!("challenge-ed25519.sig"), KeyAlgorithm::Ed25519),
        (
            data!("rsa2048.pem"),
            data!("challenge-rsa2048-sha256.sig"),
            KeyAlgorithm::Rsa { bits: 2048 },
        ),
        (
            data!("rsa3072.pem"),
            data!("challenge-rsa3072-sha256.sig"),
            KeyAlgorithm::Rsa { bits: 3072 },
        ),
        (
            data!("rsa4096.pem"),
            data!("challenge-rsa4096-sha256.sig"),
            KeyAlgorithm::Rsa { bits: 4096 },
        ),
    ] {
        let proven = challenge(key, signature).unwrap();
        assert_eq!(proven.public_key().algorithm(), algorithm);
        assert_eq!(proven.public_key().spki_der(), der_of(key));
        assert_eq!(challenge(&der_of(key), signature).unwrap().public_key(), proven.public_key());
    }
}

#[test]
fn pkcs1_pem_is_the_same_key() {
    let signature = data!("challenge-rsa2048-sha256.sig");
    let proven = challenge(data!("rsa2048-pkcs1.pem"), signature).unwrap();
    assert_eq!(proven.public_key().spki_der(), der_of(data!("rsa2048.pem")));
}

#[test]
fn proven_key_is_certified_key() {
    let (key, signature) = (data!("p256.pem"), data!("challenge-p256-sha256.sig"));
    // A proof by one key for another.
    let other = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let by_other = other.sign(&SystemRandom::new(), b"alice@example.com").unwrap();
    assert_eq!(challenge(key, by_other.as_ref()).unwrap_err(), ProofRefusal::ChallengeSignature);
    let mut spki = der_of(key);
    let point = spki.len() - 65;
    spki[point..].copy_from_slice(other.public_key().as_ref());
    assert_eq!(challenge(&spki, signature).unwrap_err(), ProofRefusal::ChallengeSignature);
    assert!(challenge(&spki, by_other.as_ref()).is_ok());
    // A proof for another identity, and the same letters in another case.
    for email in ["bob@example.com", "Alice@example.com"] {
        let refusal =
            signed_challenge(key, signature, &identity(email), &KeyRule::DEFAULTS).unwrap_err();
        assert_eq!(refusal, ProofRefusal::ChallengeSignature);
    }
    // The right key with the wrong hash or padding.
    for (key, signature) in [
        (data!("p384.pem"), data!("challenge-p384-sha256.sig")),
        (data!("rsa2048.pem"), data!("challenge-rsa2048-sha512.sig")),
        (data!("rsa2048.pem"), data!("challenge-rsa2048-pss.sig")),
        (data!("p256.pem"), b"".as_slice()),
        (data!("p256.pem"), &[0x30, 0x06, 0x02, 0x01, 0, 0x02, 0x01, 0]),
    ] {
        assert_eq!(challenge(key, signature).unwrap_err(), ProofRefusal::ChallengeSignature);
    }
}

#[test]
fn weak_or_invalid_key_refused() {
    let refused = |key: &[u8]| challenge(key, b"").unwrap_err();
    for (key, weak) in [
        (data!("rsa-2560.pem"), WeakKey::RsaSize { bits: 2560 }),
        (data!("rsa-2048-exponent-3.pem"), WeakKey::RsaExponent),
        (data!("rsa-2048-factor-751.pem"), WeakKey::SmallFactor { prime: 751 }),
        (data!("rsa-2048-roca.pem"), WeakKey::Roca),
        (data!("rsa-2048-close-primes.pem"), WeakKey::ClosePrimes),
    ] {
        assert_eq!(refused(key), ProofRefusal::Weak(weak));
    }
    for (key, fault) in [
        (data!("rsa-1024.pem"), KeyError::RsaSize { bits: 1024 }),
        (data!("rsa-2040.pem"), KeyError::RsaSize { bits: 2040 }),
        (data!("secp256k1.pem"), KeyError::UnsupportedCurve { oid: "1.3.132.0.10".to_owned() }),
    ] {
        assert_eq!(refused(key), ProofRefusal::Key(KeyFault::Spki(fault)));
    }
    // A point off its curve, for each curve.
    for key in [data!("p256.pem"), data!("p384.pem"), data!("p521.pem")] {
        let mut spki = der_of(key);
        *spki.last_mut().unwrap() ^= 1;
        assert_eq!(refused(&spki), ProofRefusal::Weak(WeakKey::OffCurve));
    }
    // The point at infinity, and a compressed point.
    let p256 = der_of(data!("p256.pem"));
    let infinity = [&[0x30, 0x19], &p256[2..23], &[0x03, 0x02, 0x00, 0x00]].concat();
    assert_eq!(refused(&infinity), ProofRefusal::Key(KeyFault::Spki(KeyError::BadPoint)));
    let x = &p256[27..59];
    let compressed = [&[0x30, 0x39], &p256[2..23], &[0x03, 0x22, 0x00, 0x02], x].concat();
    assert_eq!(refused(&compressed), ProofRefusal::Key(KeyFault::Spki(KeyError::BadPoint)));
}

#[test]
fn weak_ed25519_points_are_refused() {
    let spki = der_of(data!("ed25519.pem"));
    let (head, _) = spki.split_at(12);
    let with = |y: [u8; 32]| challenge(&[head, &y].concat(), b"").unwrap_err();
    let mut one = [0; 32];
    one[0] = 1;
    assert_eq!(with(one), ProofRefusal::Weak(WeakKey::SmallOrder));
    assert_eq!(with([0; 32]), ProofRefusal::Weak(WeakKey::SmallOrder));
    let mut negative_zero = [0; 32];
    negative_zero[31] = 0x80;
    assert_eq!(with(negative_zero), ProofRefusal::Weak(WeakKey::SmallOrder));
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    assert_eq!(with(minus_one), ProofRefusal::Weak(WeakKey::SmallOrder));
    // 31 bytes, with every length in the DER right.
    let short =
        [&[0x30, 0x29, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x20, 0x00], &[9; 31][..]];
    assert_eq!(
        challenge(&short.concat(), b"").unwrap_err(),
        ProofRefusal::Key(KeyFault::Spki(KeyError::BadEd25519Length { actual: 31 }))
    );
}

#[test]
fn keys_that_are_no_keys() {
    for key in [
        b"-----BEGIN PUBLIC KEY-----\n!!!\n-----END PUBLIC KEY-----\n".as_slice(),
        b"-----BEGIN PUBLIC KEY-----",
        data!("csr-p384-sha384.pem"),
    ] {
        assert_eq!(challenge(key, b"").unwrap_err(), ProofRefusal::Key(KeyFault::Pem));
    }
    for key in [b"".as_slice(), b"0", &[0x30, 0x80], &[0xff; 3000]] {
        assert!(matches!(challenge(key, b""), Err(ProofRefusal::Key(KeyFault::Spki(_)))));
    }
}

#[test]
fn the_list_of_rules_decides() {
    let (key, signature) = (data!("p256.pem"), data!("challenge-p256-sha256.sig"));
    assert!(signed_challenge(key, signature, &ALICE, &[KeyRule::EcdsaP256Sha256]).is_ok());
    assert_eq!(
        signed_challenge(key, signature, &ALICE, &[KeyRule::Ed25519, KeyRule::Rsa2048Sha256])
            .unwrap_err(),
        ProofRefusal::NotAllowed {
            algorithm: "ecdsa-sha2-256-nistp256".to_owned(),
            allowed: "ed25519, rsa-sign-pkcs1-2048-sha256".to_owned(),
        }
    );
    assert!(signed_challenge(key, signature, &ALICE, &[]).is_err());
    for rule in KeyRule::DEFAULTS {
        assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
        assert_eq!(serde_json::from_value::<KeyRule>(rule.name().into()).unwrap(), rule);
    }
    assert!(serde_json::from_value::<KeyRule>("ed25519-ph".into()).is_err());
}

#[test]
fn requests_prove_their_own_key() {
    for (request, key) in [
        (data!("csr-p256-newhdr.pem"), data!("p256.pem")),
        (data!("csr-p384-sha384.pem"), data!("p384.pem")),
        (data!("csr-p521-sha512.pem"), data!("p521.pem")),
        (data!("csr-ed25519.pem"), data!("ed25519.pem")),
        (data!("csr-rsa2048-sha256.pem"), data!("rsa2048.pem")),
        (data!("csr-rsa3072-sha256.pem"), data!("rsa3072.pem")),
        (data!("csr-rsa4096-sha256.pem"), data!("rsa4096.pem")),
    ] {
        let proven = csr(request, &KeyRule::DEFAULTS).unwrap();
        assert_eq!(proven.public_key().spki_der(), der_of(key));
    }
}

#[test]
fn csr_names_ignored() {
    let proven = csr(data!("csr-p256-asks-for-everything.pem"), &KeyRule::DEFAULTS).unwrap();
    // What is proven is a key and has no room for a name.
    assert_eq!(proven.public_key().spki_der(), der_of(data!("p256.pem")));
    assert_eq!(
        csr(data!("csr-p256-empty-eku.pem"), &KeyRule::DEFAULTS).unwrap_err(),
        ProofRefusal::Request(CsrFault::Extension)
    );
}

#[test]
fn requests_with_another_hash_need_a_rule() {
    let refused = |request: &[u8]| match csr(request, &KeyRule::DEFAULTS).unwrap_err() {
        ProofRefusal::NotAllowed { algorithm, .. } => algorithm,
        other => panic!("{other}"),
    };
    assert_eq!(refused(data!("csr-p384-sha256.pem")), "ecdsa-sha2-256-nistp384");
    assert_eq!(refused(data!("csr-p521-sha256.pem")), "ecdsa-sha2-256-nistp521");
    assert_eq!(refused(data!("csr-rsa2048-sha512.pem")), "RSA 2048 with SHA-512");
    assert!(csr(data!("csr-p384-sha256.pem"), &[KeyRule::EcdsaP384Sha256]).is_ok());
    assert!(csr(data!("csr-p521-sha256.pem"), &[KeyRule::EcdsaP521Sha256]).is_ok());
}

#[test]
fn malformed_requests_are_refused() {
    let refused = |request: &[u8]| csr(request, &KeyRule::DEFAULTS).unwrap_err();
    let oid =
        |oid: &str| ProofRefusal::Request(CsrFault::SignatureAlgorithm { oid: oid.to_owned() });
    assert_eq!(refused(data!("csr-rsa2048-pss.pem")), oid("1.2.840.113549.1.1.10"));
    assert_eq!(refused(data!("csr-p384-sha1.pem")), oid("1.2.840.10045.4.1"));
    assert!(matches!(
        refused(data!("csr-secp256k1.pem")),
        ProofRefusal::Request(CsrFault::Key(KeyError::UnsupportedCurve { .. }))
    ));
    let exponent = refused(data!("csr-rsa2048-exponent-3-sha256.pem"));
    assert_eq!(exponent, ProofRefusal::Weak(WeakKey::RsaExponent));
    for pem in [b"".as_slice(), data!("p256.pem"), b"-----BEGIN CERTIFICATE REQUEST-----"] {
        assert_eq!(refused(pem), ProofRefusal::Request(CsrFault::Pem));
    }
    let too_large = vec![b'A'; 65 * 1024];
    let fault = CsrFault::TooLarge { bytes: too_large.len() };
    assert_eq!(refused(&too_large), ProofRefusal::Request(fault));

    let good = der_of(data!("csr-p256-newhdr.pem"));
    let again = |der: &[u8]| csr(&pem_of("CERTIFICATE REQUEST", der), &KeyRule::DEFAULTS);
    assert!(again(&good).is_ok());
    let trailing = [&good[..], &[0]].concat();
    assert_eq!(again(&trailing).unwrap_err(), ProofRefusal::Request(CsrFault::Der));
    for cut in 0..good.len() {
        assert!(matches!(again(&good[..cut]).unwrap_err(), ProofRefusal::Request(_)));
    }
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 0x01;
        assert!(again(&flipped).is_err(), "byte {at}");
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(0_u8.., 0..200)) {
        let _ = challenge(&bytes, &bytes);
        let _ = csr(&pem_of("CERTIFICATE REQUEST", &bytes), &KeyRule::DEFAULTS);
    }
}

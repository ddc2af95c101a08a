//! Answers of an authority, each wrong in one thing, beside the one that is right.

use formats::digest::Digest;
use formats::key::{KeyDetails, PublicKey};
use formats::sct::{Sct, encode_sct_list};
use formats::trusted_root::{CertificateAuthority, TransparencyLog, Window};
use rcgen::{
    CertificateParams, CustomExtension, Issuer, KeyPair, PublicKeyData as _, SanType,
    SigningKey as _, SubjectPublicKeyInfo,
};
use zeroize::Zeroizing;

use super::*;
use crate::login::CLIENT_ID;

/// An authority with its CT log, and everything a signer holds when it asks.
struct World {
    authority: Issuer<'static, KeyPair>,
    ct: KeyPair,
    root: TrustedRoot,
    key: OneUseKey,
    token: IdentityToken,
}

impl World {
    fn new() -> Self {
        let ca_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        let certificate = params.self_signed(&ca_key).unwrap();
        let ct = KeyPair::generate().unwrap();
        let ct_key = PublicKey::from_spki_der(&ct.subject_public_key_info()).unwrap();
        let window = Window { start: 0, end: None };
        let root = TrustedRoot {
            ct_logs: vec![TransparencyLog {
                base_url: "http://localhost/ct".into(),
                log_id: ct_key.id(),
                key: ct_key,
                key_details: KeyDetails::EcdsaP256Sha256,
                window,
                checkpoint_key_id: None,
                operator: String::new(),
            }],
            authorities: vec![CertificateAuthority {
                uri: String::new(),
                subject_org: String::new(),
                subject_cn: String::new(),
                chain: vec![Certificate::from_der(certificate.der()).unwrap()],
                window,
                operator: String::new(),
            }],
            ..TrustedRoot::default()
        };
        let token = token("alice@example.com");
        let authority = Issuer::new(params, ca_key);
        Self { authority, ct, root, key: OneUseKey::generate().unwrap(), token }
    }

    /// The PEM of a certificate for this key and address, signed for by this CT log if any.
    fn certificate(&self, key: &OneUseKey, email: &str, ct: Option<&KeyPair>) -> String {
        let public = SubjectPublicKeyInfo::from_der(key.public().spki_der()).unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::Rfc822Name(email.try_into().unwrap())];
        params.custom_extensions.push(extension(&ISSUER_OID, utf8_string(ISSUER)));
        if let Some(ct) = ct {
            let unlogged = params.signed_by(&public, &self.authority).unwrap();
            let unlogged = Certificate::from_der(unlogged.der()).unwrap();
            let list = encode_sct_list(&[self.sct(&unlogged, ct)]).unwrap();
            params.custom_extensions.push(extension(&SCT_OID, list));
        }
        params.signed_by(&public, &self.authority).unwrap().pem()
    }

    fn sct(&self, unlogged: &Certificate, ct: &KeyPair) -> Sct {
        let issuer = self.authority.key().subject_public_key_info();
        let issuer_key_hash = PublicKey::from_spki_der(&issuer).unwrap().id();
        let entry = LogEntryKind::Precert { issuer_key_hash, tbs: unlogged.tbs() };
        let message = sct::sct_signed_data(1_800_000_000_000, &entry, &[]).unwrap();
        Sct {
            log_id: PublicKey::from_spki_der(&ct.subject_public_key_info()).unwrap().id(),
            timestamp_ms: 1_800_000_000_000,
            extensions: vec![],
            hash: sct::HASH_SHA256,
            signature_algorithm: sct::SIGNATURE_ECDSA,
            signature: ct.sign(&message).unwrap(),
        }
    }

    fn check(&self, pem: &str) -> Result<Issued, CertificateFault> {
        let answer = serde_json::json!({
            "signedCertificateEmbeddedSct": { "chain": { "certificates": [pem] } },
        });
        check(answer.to_string().as_bytes(), &self.token, &self.key, &self.root)
    }
}

fn token(email: &str) -> IdentityToken {
    let encode = |text: &str| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text);
    let claims = serde_json::json!({
        "iss": ISSUER, "sub": "u", "aud": CLIENT_ID, "exp": 2, "email": email,
        "email_verified": true,
    });
    let text = format!("{}.{}.{}", encode("{}"), encode(&claims.to_string()), encode("s"));
    IdentityToken::read(Zeroizing::new(text), CLIENT_ID, 1).unwrap()
}

fn extension(oid: &[u64], content: Vec<u8>) -> CustomExtension {
    CustomExtension::from_oid_content(oid, content)
}

fn utf8_string(text: &str) -> Vec<u8> {
    [&[0x0c, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

#[test]
fn takes_a_certificate_for_our_key_and_identity() {
    let world = World::new();
    let pem = world.certificate(&world.key, "alice@example.com", Some(&world.ct));
    let issued = world.check(&pem).unwrap();
    assert_eq!(issued.identity.subject.as_str(), "alice@example.com");
    assert_eq!(issued.identity.issuer, ISSUER);
}

#[test]
fn refuses_a_certificate_for_another_key() {
    let world = World::new();
    let other = OneUseKey::generate().unwrap();
    let pem = world.certificate(&other, "alice@example.com", Some(&world.ct));
    assert_eq!(world.check(&pem).unwrap_err(), CertificateFault::AnotherKey);
}

#[test]
fn refuses_a_certificate_for_another_identity() {
    let world = World::new();
    let pem = world.certificate(&world.key, "mallory@example.com", Some(&world.ct));
    assert_eq!(
        world.check(&pem).unwrap_err(),
        CertificateFault::AnotherIdentity {
            subject: "mallory@example.com".into(),
            issuer: ISSUER.into(),
        }
    );
}

#[test]
fn refuses_a_certificate_of_another_authority() {
    let (world, other) = (World::new(), World::new());
    let pem = other.certificate(&world.key, "alice@example.com", Some(&world.ct));
    assert_eq!(world.check(&pem).unwrap_err(), CertificateFault::Untrusted);
}

#[test]
fn refuses_a_certificate_that_no_trusted_ct_log_signed_for() {
    let world = World::new();
    let none = world.certificate(&world.key, "alice@example.com", None);
    assert_eq!(world.check(&none).unwrap_err(), CertificateFault::NoSct);
    let stranger = KeyPair::generate().unwrap();
    let strange = world.certificate(&world.key, "alice@example.com", Some(&stranger));
    assert_eq!(world.check(&strange).unwrap_err(), CertificateFault::NoSct);
}

#[test]
fn refuses_an_answer_without_certificate() {
    let world = World::new();
    let check = |answer: &[u8]| check(answer, &world.token, &world.key, &world.root).unwrap_err();
    assert!(matches!(check(b"<html>"), CertificateFault::Answer(_)));
    assert_eq!(check(b"{}"), CertificateFault::Absent);
    let empty = b"{\"signedCertificateEmbeddedSct\":{\"chain\":{\"certificates\":[]}}}";
    assert_eq!(check(empty), CertificateFault::Absent);
    let detached = b"{\"signedCertificateDetachedSct\":{\"chain\":{\"certificates\":[\"x\"]}}}";
    assert_eq!(check(detached), CertificateFault::Absent);
    assert!(matches!(world.check("no PEM").unwrap_err(), CertificateFault::Malformed(_)));
}

/// The challenge of Fulcio's protocol: an ECDSA signature over the SHA-256 of the subject's text.
#[test]
fn the_request_proves_that_the_key_is_ours() {
    let world = World::new();
    let request: serde_json::Value =
        serde_json::from_slice(&request(&world.token, &world.key).unwrap()).unwrap();
    let key = &request["publicKeyRequest"]["publicKey"];
    assert_eq!(key["algorithm"], "ECDSA");
    let public = PublicKey::from_pem(key["content"].as_str().unwrap()).unwrap();
    let proof = request["publicKeyRequest"]["proofOfPossession"].as_str().unwrap();
    let proof = BASE64_STANDARD.decode(proof).unwrap();
    let digest: Digest = HashAlgorithm::Sha256.digest(b"alice@example.com");
    assert_eq!(verify::crypto::verify_digest(&public, &digest, &proof), Ok(()));
    assert!(!request.to_string().contains(world.token.reveal()));
}

const ISSUER: &str = "https://issuer.example";
const ISSUER_OID: [u64; 9] = [1, 3, 6, 1, 4, 1, 57264, 1, 8];
const SCT_OID: [u64; 10] = [1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];

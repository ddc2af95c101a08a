//! Under which key and algorithm a token may be signed.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use ca::identity::config::Names;
use ca::identity::{Alg, Identities, IssuerConfig, IssuerKind, TokenRefusal};
use serde_json::{Value, json};

use crate::pinned::*;

#[test]
fn jwt_alg_fixed_by_key() {
    for alg in [json!("none"), json!("nOnE"), json!(""), json!(null), json!(7), json!(["RS256"])] {
        let refusal = verify_header(&header_with("alg", alg)).unwrap_err();
        assert_eq!(refusal, TokenRefusal::AlgorithmUnknown);
    }
    assert_eq!(verify_header(&json!({})), Err(TokenRefusal::AlgorithmUnknown));
    assert!(verify_header(&header()).is_ok());

    // The issuer's public key as a shared secret: DER, PEM, and the JWK's own text.
    let der = RSA.public_key().as_der().unwrap();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        base64::engine::general_purpose::STANDARD.encode(der.as_ref())
    );
    let input = signing_input(&json!({ "alg": "HS256", "typ": "JWT" }), &good());
    let all = identities_of(&json!({ "keys": [rsa_jwk(&RSA)] }), &Alg::ALL);
    for secret in [der.as_ref(), pem.as_bytes(), rsa_jwk(&RSA)["n"].as_str().unwrap().as_bytes()] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), input.as_bytes());
        let refusal = verify(&all, &assemble(&input, tag.as_ref())).unwrap_err();
        assert_eq!(refusal, TokenRefusal::AlgorithmUnknown);
    }

    // An algorithm outside the issuer's list, and one that the JWK excludes.
    let rs512 = rsa_token("RS512", &RSA_PKCS1_SHA512, &good());
    let jwks = json!({ "keys": [rsa_jwk(&RSA)] });
    assert!(verify(&identities_of(&jwks, &[Alg::RS512]), &rs512).is_ok());
    assert_eq!(
        verify(&identities_of(&jwks, &[Alg::RS256, Alg::ES256]), &rs512),
        Err(TokenRefusal::AlgorithmNotAllowed {
            issuer: ISSUER.to_owned(),
            algorithm: Alg::RS512,
            allowed: Names(vec!["RS256".to_owned(), "ES256".to_owned()]),
        })
    );
    let mut rs256_only = rsa_jwk(&RSA);
    rs256_only["alg"] = json!("RS256");
    let not_of_key =
        |algorithm| TokenRefusal::AlgorithmNotOfKey { issuer: ISSUER.to_owned(), algorithm };
    let jwks = json!({ "keys": [rs256_only] });
    assert_eq!(verify(&identities_of(&jwks, &Alg::ALL), &rs512), Err(not_of_key(Alg::RS512)));
    let es256 = signing_input(&json!({ "alg": "ES256" }), &good());
    let es256 = assemble(&es256, &[1; 64]);
    assert_eq!(verify(&identities_of(&jwks, &Alg::ALL), &es256), Err(not_of_key(Alg::ES256)));
}

#[test]
fn every_algorithm_verifies_and_each_only_its_own() {
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let ed = Ed25519KeyPair::generate().unwrap();
    let mut ed_jwk = json!({ "kty": "OKP", "crv": "Ed25519" });
    ed_jwk["x"] = json!(B64.encode(ed.public_key().as_ref()));
    let jwks = json!({ "keys": [rsa_jwk(&RSA), ec_jwk(&p256), ec_jwk(&p384), ed_jwk] });
    let ed_input = signing_input(&json!({ "alg": "EdDSA" }), &good());
    let ed_token = assemble(&ed_input, ed.sign(ed_input.as_bytes()).as_ref());
    let tokens = [
        (Alg::RS256, rsa_token("RS256", &RSA_PKCS1_SHA256, &good())),
        (Alg::RS384, rsa_token("RS384", &RSA_PKCS1_SHA384, &good())),
        (Alg::RS512, rsa_token("RS512", &RSA_PKCS1_SHA512, &good())),
        (Alg::PS256, rsa_token("PS256", &RSA_PSS_SHA256, &good())),
        (Alg::PS384, rsa_token("PS384", &RSA_PSS_SHA384, &good())),
        (Alg::PS512, rsa_token("PS512", &RSA_PSS_SHA512, &good())),
        (Alg::ES256, ec_token("ES256", &p256, &good())),
        (Alg::ES384, ec_token("ES384", &p384, &good())),
        (Alg::EdDSA, ed_token),
    ];
    for (alg, token) in &tokens {
        assert!(verify(&identities_of(&jwks, &[*alg]), token).is_ok(), "{alg}");
        for other in Alg::ALL.iter().filter(|other| *other != alg) {
            let refusal = verify(&identities_of(&jwks, &[*other]), token).unwrap_err();
            assert_eq!(refusal.code(), "token-algorithm-not-allowed");
            // The same signature under another name of the header.
            let (_, rest) = token.split_once('.').unwrap();
            let renamed = format!("{}.{rest}", B64.encode(json!({ "alg": other }).to_string()));
            let refusal = verify(&identities_of(&jwks, &Alg::ALL), &renamed).unwrap_err();
            assert_eq!(refusal.code(), "token-signature", "{alg} as {other}");
        }
    }
}

#[test]
fn jwt_header_keys_ignored() {
    let jwk = rsa_jwk(&RSA);
    for (name, value) in [
        ("jwk", jwk),
        ("jku", json!("http://127.0.0.1:9/keys")),
        ("x5u", json!("http://127.0.0.1:9/chain")),
        ("x5c", json!(["AAAA"])),
    ] {
        let header = header_with(name, value);
        assert!(verify_header(&header).is_ok(), "{name} is ignored");
        let input = signing_input(&header, &good());
        let token = assemble(&input, &rsa_sign(&RSA_PKCS1_SHA256, &input));
        let refusal = TokenRefusal::Signature { issuer: ISSUER.to_owned() };
        assert_eq!(verify(&identities(), &token), Err(refusal), "{name}");
    }
}

#[test]
fn a_changed_token_is_refused() {
    let token = dev().mint(&good()).unwrap();
    let identities = identities();
    for at in (0..token.len()).step_by(7) {
        let mut bytes = token.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        assert!(verify(&identities, std::str::from_utf8(&bytes).unwrap()).is_err(), "byte {at}");
    }
}

#[test]
fn jws_ecdsa_strict() {
    let p256 = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let p384 = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
    let only = |key: &EcdsaKeyPair| {
        identities_of(&json!({ "keys": [ec_jwk(key)] }), &[Alg::ES256, Alg::ES384])
    };
    let token = ec_token("ES256", &p256, &good());
    assert!(verify(&only(&p256), &token).is_ok());
    let (input, _) = token.rsplit_once('.').unwrap();
    let signature = TokenRefusal::Signature { issuer: ISSUER.to_owned() };
    for forged in [vec![0; 64], vec![0; 63], vec![0; 65], vec![0xff; 64], vec![1; 96]] {
        assert_eq!(verify(&only(&p256), &assemble(input, &forged)), Err(signature.clone()));
    }
    // The same key, with the signature in DER.
    let pkcs8 = p256.to_pkcs8v1().unwrap();
    let der = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
    let der = der.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    assert_eq!(verify(&only(&p256), &assemble(input, der.as_ref())), Err(signature));
    // A curve of the other algorithm.
    let refusal =
        TokenRefusal::AlgorithmNotOfKey { issuer: ISSUER.to_owned(), algorithm: Alg::ES256 };
    assert_eq!(verify(&only(&p384), &ec_token("ES256", &p384, &good())), Err(refusal));
    assert!(verify(&only(&p384), &ec_token("ES384", &p384, &good())).is_ok());
}

#[test]
fn jwk_use_alg_size_filtered() {
    let token = rsa_token("RS256", &RSA_PKCS1_SHA256, &good());
    let base = || rsa_jwk(&RSA);
    let set = |name: &str, value: Value| {
        let mut jwk = base();
        jwk[name] = value;
        jwk
    };
    let config = || IssuerConfig::new(ISSUER, "sigstore", IssuerKind::Email);
    let pin = |keys: Value| {
        let identities = Identities::new(vec![config()], clock()).unwrap();
        let jwks = json!({ "keys": keys }).to_string();
        identities.pin_keys(ISSUER, jwks.as_bytes()).map(|()| identities)
    };
    for usable in [
        base(),
        set("use", json!("sig")),
        set("key_ops", json!(["verify"])),
        set("alg", json!("RS256")),
        set("x5t", json!(7)),
        set("use", json!(null)),
        set("n", json!(B64.encode([&[0], modulus(&RSA).as_slice()].concat()))),
    ] {
        assert!(verify(&pin(json!([usable])).unwrap(), &token).is_ok());
    }
    let small = json!({ "kty": "RSA", "e": "AQAB", "n": B64.encode([0xff; 128]) });
    for unusable in [
        set("use", json!("enc")),
        set("use", json!(["sig"])),
        set("key_ops", json!(["encrypt"])),
        set("key_ops", json!("verify")),
        set("alg", json!("RSA-OAEP")),
        set("alg", json!("HS256")),
        set("alg", json!("ES256")),
        set("alg", json!(7)),
        set("kid", json!(7)),
        set("d", json!("AQAB")),
        set("crv", json!("P-256")),
        set("kty", json!("oct")),
        set("kty", json!(7)),
        set("n", json!("not base64!")),
        set("n", json!("")),
        set("e", json!("AQ")),
        set("e", json!("AAAA")),
        set("e", json!("Ag")),
        small.clone(),
        json!({ "kty": "oct", "k": "AAAA" }),
        json!({ "kty": "EC", "crv": "P-521", "x": "AA", "y": "AA" }),
        json!({ "kty": "EC", "crv": "P-256", "x": "AA", "y": "AA" }),
        json!({ "kty": "EC", "crv": "secp256k1", "x": B64.encode([1; 32]), "y": B64.encode([1; 32]) }),
        json!({ "kty": "EC", "crv": "P-256", "x": B64.encode([1; 31]), "y": B64.encode([1; 33]) }),
        set("n", json!(B64.encode([modulus(&RSA).as_slice(), &[0]].concat()))),
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA" }),
        json!({ "kty": "OKP", "crv": "X25519", "x": B64.encode([1; 32]) }),
        json!({}),
        json!(7),
    ] {
        assert!(pin(json!([unusable])).is_err(), "{unusable}");
        // An odd neighbour breaks nothing.
        assert!(verify(&pin(json!([unusable, base()])).unwrap(), &token).is_ok());
    }
    // A set is read up to its 32nd usable key.
    let crowd = |before: usize| {
        let other = RsaKey::generate(KeySize::Rsa2048).unwrap();
        let mut keys = vec![rsa_jwk(&other); before];
        keys.push(base());
        json!(keys)
    };
    assert!(verify(&pin(crowd(31)).unwrap(), &token).is_ok());
    assert_eq!(verify(&pin(crowd(32)).unwrap(), &token).unwrap_err().code(), "token-signature");
    assert!(pin(json!([])).is_err());
    assert!(pin(json!({})).is_err());
}

// An RSA-1024 key and a token that it really signed (OpenSSL), beside a usable key.
#[test]
fn rsa_1024_verifies_nothing() {
    let jwk: Value =
        serde_json::from_str(include_str!("../data/tokens/rsa-1024.jwk.json")).unwrap();
    let token = include_str!("../data/tokens/rsa-1024.jwt").trim_end();
    let identities = identities_of(&json!({ "keys": [jwk, rsa_jwk(&RSA)] }), &[Alg::RS256]);
    assert_eq!(verify(&identities, token).unwrap_err().code(), "token-key-unknown");
    // The twin: the same claims by the same tool under 2048 bits.
    let jwk: Value =
        serde_json::from_str(include_str!("../data/tokens/rsa-2048.jwk.json")).unwrap();
    let token = include_str!("../data/tokens/rsa-2048.jwt").trim_end();
    let identities = identities_of(&json!({ "keys": [jwk] }), &[Alg::RS256]);
    assert!(verify(&identities, token).is_ok());
}

#[test]
fn kid_is_only_compared() {
    let unknown = |kid: &str| {
        let refusal = verify_header(&header_with("kid", json!(kid))).unwrap_err();
        assert_eq!(refusal.code(), "token-key-unknown", "{kid}");
        assert!(kid.is_empty() || !refusal.to_string().contains(kid));
    };
    for kid in ["../../dev/null", "' OR 1=1--", "", "\u{0}", &"k".repeat(10_000)] {
        unknown(kid);
    }
    let refusal = verify_header(&header_with("kid", json!("k".repeat(64 * 1024)))).unwrap_err();
    assert_eq!(refusal.code(), "token-too-large");
    // The same kid on two keys: the right one is found, whatever the order.
    let other = RsaKey::generate(KeySize::Rsa2048).unwrap();
    let named = |key: &RsaKey| {
        let mut jwk = rsa_jwk(key);
        jwk["kid"] = json!("same");
        jwk
    };
    let input = signing_input(&json!({ "alg": "RS256", "kid": "same" }), &good());
    let token = assemble(&input, &rsa_sign(&RSA_PKCS1_SHA256, &input));
    for keys in [[named(&other), named(&RSA)], [named(&RSA), named(&other)]] {
        let identities = identities_of(&json!({ "keys": keys }), &[Alg::RS256]);
        assert!(verify(&identities, &token).is_ok());
    }
    // A key without kid is for tokens without kid.
    let identities = identities_of(&json!({ "keys": [rsa_jwk(&RSA)] }), &[Alg::RS256]);
    assert_eq!(verify(&identities, &token).unwrap_err().code(), "token-key-unknown");
}

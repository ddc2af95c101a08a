//! What a token must be: every refusal with a twin that passes, on keys that are pinned.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING,
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
    RsaEncoding,
};
use aws_lc_rs::{encoding::AsDer, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
use ca::identity::config::Names;
use ca::identity::email::EmailFault;
use ca::identity::refusal::{JsonFault, Segment};
use ca::identity::san::SanFault;
use ca::identity::{
    Alg, CiProvider, Clock, Identities, IssuerConfig, IssuerKind, Token, TokenRefusal,
    VerifiedIdentity,
};
use ca::oidc_dev::DevIssuer;
use formats::certificate::SubjectName;
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "http://localhost:8700/oidc";
const OTHER: &str = "https://other.example";

static KEY: LazyLock<String> = LazyLock::new(|| DevIssuer::generate_key().unwrap().to_string());
static RSA: LazyLock<RsaKey> = LazyLock::new(|| RsaKey::generate(KeySize::Rsa2048).unwrap());

fn clock() -> Clock {
    Arc::new(|| NOW)
}

fn dev() -> DevIssuer {
    DevIssuer::new(ISSUER, &KEY, clock()).unwrap()
}

/// One e-mail issuer with the development key pinned, and a second that no token here is from.
fn identities() -> Identities {
    let other = IssuerConfig::new(OTHER, "sigstore", IssuerKind::Email);
    let identities = Identities::new(vec![dev().trust(), other], clock()).unwrap();
    identities.pin_keys(ISSUER, dev().jwks()).unwrap();
    let jwks = json!({ "keys": [rsa_jwk(&RSA)] }).to_string();
    identities.pin_keys(OTHER, jwks.as_bytes()).unwrap();
    identities
}

/// One issuer with these keys and algorithms.
fn identities_of(jwks: &Value, algorithms: &[Alg]) -> Identities {
    let mut config = IssuerConfig::new(ISSUER, "sigstore", IssuerKind::Email);
    config.algorithms = algorithms.to_vec();
    let identities = Identities::new(vec![config], clock()).unwrap();
    identities.pin_keys(ISSUER, jwks.to_string().as_bytes()).unwrap();
    identities
}

fn verify(identities: &Identities, token: &str) -> Result<VerifiedIdentity, TokenRefusal> {
    let token = Token::new(token.as_bytes().to_vec())?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(identities.verify(&token))
}

fn good() -> Value {
    json!({
        "iss": ISSUER, "sub": "subject-1", "aud": "sigstore", "iat": NOW, "exp": NOW + 600,
        "email": "alice@example.com", "email_verified": true,
    })
}

/// The good claims with one changed; null takes it away.
fn with(name: &str, value: Value) -> Value {
    let mut claims = good();
    let members = claims.as_object_mut().unwrap();
    match value {
        Value::Null => members.remove(name),
        value => members.insert(name.to_owned(), value),
    };
    claims
}

fn verify_claims(claims: &Value) -> Result<VerifiedIdentity, TokenRefusal> {
    verify(&identities(), &dev().mint(claims).unwrap())
}

fn verify_header(header: &Value) -> Result<VerifiedIdentity, TokenRefusal> {
    let token = dev().sign(header.to_string().as_bytes(), good().to_string().as_bytes()).unwrap();
    verify(&identities(), &token)
}

fn header() -> Value {
    json!({ "alg": "RS256", "kid": dev().key_id(), "typ": "JWT" })
}

fn header_with(name: &str, value: Value) -> Value {
    let mut header = header();
    header.as_object_mut().unwrap().insert(name.to_owned(), value);
    header
}

fn missing(claim: &str) -> TokenRefusal {
    TokenRefusal::ClaimMissing { claim: claim.to_owned() }
}

fn wrong_type(claim: &str, expected: &'static str) -> TokenRefusal {
    TokenRefusal::ClaimType { claim: claim.to_owned(), expected }
}

fn signing_input(header: &Value, claims: &Value) -> String {
    format!("{}.{}", B64.encode(header.to_string()), B64.encode(claims.to_string()))
}

fn assemble(input: &str, signature: &[u8]) -> String {
    format!("{input}.{}", B64.encode(signature))
}

#[test]
fn a_good_token_becomes_an_identity() {
    let identity = verify_claims(&good()).unwrap();
    assert_eq!(*identity.subject(), SubjectName::Email("alice@example.com".to_owned()));
    assert_eq!(identity.issuer(), ISSUER);
    assert_eq!(identity.challenge(), "alice@example.com");
    assert_eq!(identity.token_subject(), "subject-1");
    assert!(identity.extensions().is_empty());
    let used: Vec<(&str, &str)> =
        identity.claims_used().iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let expected =
        [("email", "alice@example.com"), ("email_verified", "true"), ("sub", "subject-1")];
    assert_eq!(used, expected);
}

#[test]
fn jwt_many_dots_bounded() {
    let started = Instant::now();
    let four_mib = 4 * 1024 * 1024;
    let dots = vec![b'.'; four_mib];
    let limit = 16 * 1024;
    let refusal = TokenRefusal::TooLarge { bytes: four_mib, limit };
    assert_eq!(Token::from_bytes(&dots).unwrap_err(), refusal);
    assert_eq!(Token::new(dots).unwrap_err(), refusal);
    assert_eq!(verify(&identities(), &".".repeat(limit)), Err(TokenRefusal::NotThreeSegments));
    assert!(started.elapsed() < Duration::from_secs(1));
    let padded = "a".repeat(limit - 2);
    assert!(matches!(
        verify(&identities(), &format!("{padded}..")),
        Err(TokenRefusal::Encoding { .. })
    ));
}

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
fn jwt_crit_and_typ_checked() {
    for crit in [json!(["x"]), json!([]), json!(null), json!(["b64"])] {
        let refusal = verify_header(&header_with("crit", crit)).unwrap_err();
        assert_eq!(refusal, TokenRefusal::CriticalHeader);
    }
    for typ in ["at+jwt", "logout+jwt", "JOSE", "", "Jwt", "application/jwt"] {
        let refusal = verify_header(&header_with("typ", json!(typ))).unwrap_err();
        assert_eq!(refusal, TokenRefusal::TypeNotJwt, "{typ}");
    }
    for typ in [json!(null), json!(1), json!(["JWT"])] {
        let refusal = verify_header(&header_with("typ", typ)).unwrap_err();
        assert_eq!(refusal, TokenRefusal::TypeNotJwt);
    }
    assert!(verify_header(&header_with("typ", json!("jwt"))).is_ok());
    assert!(verify_header(&json!({ "alg": "RS256", "kid": dev().key_id() })).is_ok());
}

#[test]
fn jwt_wrong_type_is_error() {
    const SECONDS: &str = "a time in whole seconds";
    for value in [json!("9999999999"), json!(-1), json!(NOW as f64 + 0.5), json!([]), json!(true)] {
        for claim in ["exp", "nbf", "iat"] {
            let refusal = verify_claims(&with(claim, value.clone())).unwrap_err();
            assert_eq!(refusal, wrong_type(claim, SECONDS), "{value}");
        }
    }
    for claim in ["exp", "nbf", "iat"] {
        let mut claims = good();
        claims[claim] = Value::Null;
        assert_eq!(verify_claims(&claims), Err(wrong_type(claim, SECONDS)));
    }
    // A number beyond any float, and whole ones in exponent form.
    let claims = |exp: &str| good().to_string().replace(&(NOW + 600).to_string(), exp);
    let raw = |claims: &str| {
        let token = dev().sign(header().to_string().as_bytes(), claims.as_bytes()).unwrap();
        verify(&identities(), &token)
    };
    let syntax = TokenRefusal::Json { segment: Segment::Claims, fault: JsonFault::Syntax };
    assert_eq!(raw(&claims("1e400")), Err(syntax));
    assert_eq!(raw(&claims("1e300")), Err(wrong_type("exp", SECONDS)));
    assert!(raw(&claims("1800000600.0")).is_ok());
    assert!(raw(&claims("18000006e2")).is_ok());

    assert_eq!(verify_claims(&with("sub", json!(7))), Err(wrong_type("sub", "a string")));
    assert_eq!(verify_claims(&with("sub", Value::Null)), Err(missing("sub")));
    let empty = TokenRefusal::ClaimEmpty { claim: "sub".to_owned() };
    assert_eq!(verify_claims(&with("sub", json!(""))), Err(empty));
    let control = TokenRefusal::ClaimControlCharacter { claim: "sub".to_owned() };
    assert_eq!(verify_claims(&with("sub", json!("a\nb"))), Err(control));
    assert_eq!(verify_claims(&with("email", json!(7))), Err(wrong_type("email", "a string")));
    let lists = with("iss", json!([ISSUER, "https://evil.example"]));
    assert_eq!(verify_claims(&lists), Err(wrong_type("iss", "a string")));
    assert_eq!(verify_claims(&with("iss", Value::Null)), Err(missing("iss")));
    for kid in [json!(null), json!(7), json!([])] {
        let refusal = verify_header(&header_with("kid", kid)).unwrap_err();
        assert_eq!(refusal, TokenRefusal::KeyIdNotText);
    }
}

#[test]
fn jwt_aud_present_and_exact() {
    for aud in [json!("sigstore"), json!(["sigstore"]), json!(["other", "sigstore"])] {
        assert!(verify_claims(&with("aud", aud)).is_ok());
    }
    assert_eq!(verify_claims(&with("aud", Value::Null)), Err(missing("aud")));
    let refusal = TokenRefusal::Audience { issuer: ISSUER.to_owned(), expected: "sigstore".into() };
    for aud in [
        json!([]),
        json!(""),
        json!("sigstore "),
        json!("SIGSTORE"),
        json!(["other"]),
        json!("sigstore,other"),
        json!(["sigstor", "e"]),
    ] {
        assert_eq!(verify_claims(&with("aud", aud)), Err(refusal.clone()));
    }
    for aud in [json!(7), json!({}), json!(["sigstore", 7]), json!([["sigstore"]]), json!(true)] {
        let expected = "a string or a list of strings";
        assert_eq!(verify_claims(&with("aud", aud)), Err(wrong_type("aud", expected)));
    }
}

#[test]
fn jwt_lifetime_enforced() {
    assert_eq!(verify_claims(&with("exp", Value::Null)), Err(missing("exp")));
    assert!(verify_claims(&with("exp", json!(NOW + 1))).is_ok());
    for late in [0, 1] {
        let refusal = TokenRefusal::Expired { expires_at: NOW - late, now: NOW };
        assert_eq!(verify_claims(&with("exp", json!(NOW - late))), Err(refusal));
    }
    assert!(verify_claims(&with("nbf", json!(NOW + 60))).is_ok());
    let refusal = TokenRefusal::NotYetValid { not_before: NOW + 61, now: NOW, skew: 60 };
    assert_eq!(verify_claims(&with("nbf", json!(NOW + 61))), Err(refusal));
    assert!(verify_claims(&with("iat", json!(NOW + 60))).is_ok());
    let refusal = TokenRefusal::IssuedInFuture { issued_at: NOW + 61, now: NOW, skew: 60 };
    assert_eq!(verify_claims(&with("iat", json!(NOW + 61))), Err(refusal));

    let day = 86_400;
    let lifetime = |lifetime: i64| TokenRefusal::Lifetime {
        issuer: ISSUER.to_owned(),
        lifetime,
        limit: 86_400,
    };
    assert!(verify_claims(&with("exp", json!(NOW + day))).is_ok());
    assert_eq!(verify_claims(&with("exp", json!(NOW + day + 1))), Err(lifetime(day + 1)));
    assert_eq!(verify_claims(&with("iat", json!(NOW - day))), Err(lifetime(day + 600)));
    // Without iat the time from now counts.
    let mut claims = with("iat", Value::Null);
    claims["exp"] = json!(NOW + day);
    assert!(verify_claims(&claims).is_ok());
    claims["exp"] = json!(NOW + day + 1);
    assert_eq!(verify_claims(&claims), Err(lifetime(day + 1)));
    // Numbers at the ends of their range.
    let refusal = verify_claims(&with("exp", json!(i64::MAX))).unwrap_err();
    assert_eq!(refusal, lifetime(i64::MAX - NOW));
    let refusal = verify_claims(&with("exp", json!(u64::MAX))).unwrap_err();
    assert_eq!(refusal, wrong_type("exp", "a time in whole seconds"));
}

#[test]
fn the_lifetime_cap_is_per_issuer() {
    let mut config = dev().trust();
    config.max_lifetime_seconds = 599;
    let identities = Identities::new(vec![config], clock()).unwrap();
    identities.pin_keys(ISSUER, dev().jwks()).unwrap();
    let refusal = TokenRefusal::Lifetime { issuer: ISSUER.to_owned(), lifetime: 600, limit: 599 };
    assert_eq!(verify(&identities, &dev().mint(&good()).unwrap()), Err(refusal));
    let short = dev().mint(&with("exp", json!(NOW + 599))).unwrap();
    assert!(verify(&identities, &short).is_ok());
}

#[test]
fn json_duplicate_members_refused() {
    let raw = |header: &str, claims: &str| {
        verify(&identities(), &dev().sign(header.as_bytes(), claims.as_bytes()).unwrap())
    };
    let header = header().to_string();
    let claims = good().to_string();
    assert!(raw(&header, &claims).is_ok());
    let twice = |segment| TokenRefusal::Json { segment, fault: JsonFault::DuplicateMember };
    for extra in [
        ",\"email\":\"b@example.com\"}",
        ",\"e\\u006dail\":\"b@example.com\"}",
        ",\"x\":{\"y\":[{\"z\":1,\"z\":2}]}}",
    ] {
        let claims = format!("{}{extra}", claims.strip_suffix('}').unwrap());
        assert_eq!(raw(&header, &claims), Err(twice(Segment::Claims)), "{extra}");
    }
    let two_algs = header.replace("{", "{\"\\u0061lg\":\"none\",");
    assert_eq!(raw(&two_algs, &claims), Err(twice(Segment::Header)));
    // A key set with a duplicate is no key set.
    let jwks = String::from_utf8(dev().jwks().to_vec()).unwrap();
    let jwks = jwks.replace("\"kty\"", "\"kid\":\"x\",\"kty\"");
    assert!(identities().pin_keys(ISSUER, jwks.as_bytes()).is_err());
}

#[test]
fn jws_one_parse_one_meaning() {
    let token = dev().mint(&good()).unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let refused = |token: &str| verify(&identities(), token).unwrap_err();
    assert!(verify(&identities(), &token).is_ok());

    let json_form = json!({ "payload": parts[1], "protected": parts[0], "signature": parts[2] });
    assert_eq!(refused(&json_form.to_string()), TokenRefusal::NotThreeSegments);
    for other in [
        String::new(),
        "..".repeat(2),
        format!("{}.{}", parts[0], parts[1]),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{}.{}", parts[0], parts[1]),
    ] {
        assert_eq!(refused(&other), TokenRefusal::NotThreeSegments);
    }
    let encoding = |segment| TokenRefusal::Encoding { segment };
    assert_eq!(refused(".."), encoding(Segment::Signature));
    assert_eq!(refused(&format!("{}.{}.", parts[0], parts[1])), encoding(Segment::Signature));
    assert_eq!(refused(&format!("{token}=")), encoding(Segment::Signature));
    assert_eq!(refused(&format!("{token}\n")), encoding(Segment::Signature));
    assert_eq!(refused(&format!(" {token}")), encoding(Segment::Header));
    assert_eq!(
        refused(&format!("{}.{}=.{}", parts[0], parts[1], parts[2])),
        encoding(Segment::Claims)
    );
    // 256 bytes of signature are 342 characters, of which the last carries four spare bits.
    assert_eq!(parts[2].len(), 342);
    let last = parts[2].chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let spare = alphabet.chars().nth(alphabet.find(last).unwrap() | 1).unwrap();
    let spare_bit = format!("{}{spare}", &token[..token.len() - 1]);
    assert_eq!(refused(&spare_bit), encoding(Segment::Signature));
    let cut = &token[..token.len() - 2];
    assert_eq!(refused(cut).code(), "token-signature");
    // The standard alphabet is another one.
    let standard = parts[2].replace('-', "+").replace('_', "/");
    if standard != parts[2] {
        let other = format!("{}.{}.{standard}", parts[0], parts[1]);
        assert_eq!(refused(&other), encoding(Segment::Signature));
    }
    // Not one JSON object.
    let json = |segment, fault| TokenRefusal::Json { segment, fault };
    for (claims, fault) in [
        (b"[]".as_slice(), JsonFault::NotObject),
        (b"7", JsonFault::NotObject),
        (b"{} {}", JsonFault::Syntax),
        (b"{", JsonFault::Syntax),
        (b"\xef\xbb\xbf{}", JsonFault::NotUtf8),
        (b"{\"a\":\"\xff\"}", JsonFault::NotUtf8),
        (b"{\0\"\0}\0", JsonFault::Syntax),
        ("[".repeat(40).as_bytes(), JsonFault::TooDeep),
    ] {
        let signed = dev().sign(header().to_string().as_bytes(), claims).unwrap();
        assert_eq!(refused(&signed), json(Segment::Claims, fault), "{claims:?}");
        let signed = dev().sign(claims, good().to_string().as_bytes()).unwrap();
        assert_eq!(refused(&signed), json(Segment::Header, fault), "{claims:?}");
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
        json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA" }),
        json!({ "kty": "OKP", "crv": "X25519", "x": B64.encode([1; 32]) }),
        json!({}),
        json!(7),
    ] {
        assert!(pin(json!([unusable])).is_err(), "{unusable}");
        // An odd neighbour breaks nothing.
        assert!(verify(&pin(json!([unusable, base()])).unwrap(), &token).is_ok());
    }
    assert!(pin(json!([])).is_err());
    assert!(pin(json!({})).is_err());
}

// An RSA-1024 key and a token that it really signed (OpenSSL), beside a usable key.
#[test]
fn rsa_1024_verifies_nothing() {
    let jwk: Value = serde_json::from_str(include_str!("data/tokens/rsa-1024.jwk.json")).unwrap();
    let token = include_str!("data/tokens/rsa-1024.jwt").trim_end();
    let identities = identities_of(&json!({ "keys": [jwk, rsa_jwk(&RSA)] }), &[Alg::RS256]);
    assert_eq!(verify(&identities, token).unwrap_err().code(), "token-key-unknown");
    // The twin: the same claims by the same tool under 2048 bits.
    let jwk: Value = serde_json::from_str(include_str!("data/tokens/rsa-2048.jwk.json")).unwrap();
    let token = include_str!("data/tokens/rsa-2048.jwt").trim_end();
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

#[test]
fn issuer_compared_exactly() {
    let refusal = TokenRefusal::IssuerNotConfigured {
        configured: Names(vec![ISSUER.to_owned(), OTHER.to_owned()]),
    };
    for iss in [
        "http://localhost:8700/oidc/",
        "http://localhost:8700/OIDC",
        "HTTP://localhost:8700/oidc",
        "http://LOCALHOST:8700/oidc",
        "http://localhost.:8700/oidc",
        "localhost:8700/oidc",
        " http://localhost:8700/oidc",
        "https://other.example/",
        "https://other.example:443",
        "https://xn--other-.example",
        "",
        "https://evil.example/?x=http://localhost:8700/oidc",
    ] {
        assert_eq!(verify_claims(&with("iss", json!(iss))), Err(refusal.clone()), "{iss}");
    }
    // A configured issuer does not speak for another.
    let foreign = verify_claims(&with("iss", json!(OTHER))).unwrap_err();
    assert_eq!(foreign.code(), "token-key-unknown");
    let own = rsa_token("RS256", &RSA_PKCS1_SHA256, &with("iss", json!(OTHER)));
    assert!(verify(&identities(), &own).is_ok());
    let own = rsa_token("RS256", &RSA_PKCS1_SHA256, &good());
    assert_eq!(verify(&identities(), &own).unwrap_err().code(), "token-signature");
}

#[test]
fn email_verified_strict() {
    for verified in [json!(true), json!("true")] {
        assert!(verify_claims(&with("email_verified", verified)).is_ok());
    }
    for verified in [
        json!(false),
        json!("false"),
        json!("True"),
        json!("yes"),
        json!("1"),
        json!(1),
        json!([true]),
        json!({}),
        Value::Null,
    ] {
        let refusal = verify_claims(&with("email_verified", verified)).unwrap_err();
        assert_eq!(refusal, TokenRefusal::EmailNotVerified);
    }
    let mut null = good();
    null["email_verified"] = Value::Null;
    assert_eq!(verify_claims(&null), Err(TokenRefusal::EmailNotVerified));
}

#[test]
fn email_never_normalised() {
    for address in ["Al+x@B.io", "al+x@B.io", "A.L+x@b.IO", "alx@b.io"] {
        let identity = verify_claims(&with("email", json!(address))).unwrap();
        assert_eq!(*identity.subject(), SubjectName::Email(address.to_owned()));
        assert_eq!(identity.challenge(), address);
    }
}

#[test]
fn san_bytes_printable() {
    for (address, fault) in [
        ("a@corp.com\0@evil.com", EmailFault::NotOneAt),
        ("a@corp.com\0.evil.com", EmailFault::Domain),
        ("a\r\n@corp.com", EmailFault::LocalPart),
        ("\u{430}@corp.com", EmailFault::LocalPart),
    ] {
        let refusal = verify_claims(&with("email", json!(address))).unwrap_err();
        assert_eq!(refusal, TokenRefusal::Email { fault });
    }
    assert_eq!(verify_claims(&with("email", Value::Null)), Err(missing("email")));
}

#[test]
fn errors_leak_nothing() {
    let token = dev().mint(&with("exp", json!(NOW - 1))).unwrap();
    let opaque = Token::new(token.clone().into_bytes()).unwrap();
    assert_eq!(format!("{opaque:?}"), "Token([redacted])");
    let refusal = verify(&identities(), &token).unwrap_err();
    assert_eq!(refusal.to_string(), "identity token expired at 1799999999, and it is 1800000000");
    for claims in [
        with("iss", json!("https://secret.example")),
        with("aud", json!("secret")),
        with("email", json!("secret secret")),
        with("email_verified", json!("secret")),
        with("nbf", json!("secret")),
    ] {
        let refusal = verify_claims(&claims).unwrap_err();
        assert!(!format!("{refusal} {refusal:?}").contains("secret"), "{refusal:?}");
    }
    for value in ["secret\u{1}", "secret"] {
        let refusal = verify_header(&header_with("kid", json!(value))).unwrap_err();
        assert!(!format!("{refusal} {refusal:?}").contains("secret"), "{refusal:?}");
    }
}

#[test]
fn configuration_is_what_fulcio_answers() {
    let github = IssuerConfig::new(GITHUB, "sigstore", github());
    let identities = Identities::new(vec![dev().trust(), github], clock()).unwrap();
    let issuer = |url: &str, kind: &str, claim: &str| {
        json!({
            "issuerUrl": url, "audience": "sigstore", "challengeClaim": claim,
            "spiffeTrustDomain": "", "issuerType": kind, "subjectDomain": "",
            "skipEmailVerification": false,
        })
    };
    let expected = json!({
        "issuers": [issuer(ISSUER, "email", "email"), issuer(GITHUB, "ci-provider", "sub")]
    });
    assert_eq!(identities.configuration(), expected);
}

#[test]
fn issuers_are_unique() {
    let twice = Identities::new(vec![dev().trust(), dev().trust()], clock());
    assert!(twice.is_err());
    let plain = IssuerConfig::new("http://id.example", "sigstore", IssuerKind::Email);
    assert!(Identities::new(vec![plain], clock()).is_err());
}

// ---- pipelines

const GITHUB: &str = "https://token.actions.githubusercontent.com";

fn github() -> IssuerKind {
    IssuerKind::Ci { provider: CiProvider::shipped("github-actions").unwrap() }
}

/// The members of the example token in GitHub's OpenID Connect reference, with values of the
/// length and alphabet that real ones have.
fn workflow() -> Value {
    json!({
        "jti": "7f2b3d0e-5a43-4d4f-9d0f-2f5e1f1d9a11",
        "sub": "repo:octo-org/octo-repo:environment:prod",
        "aud": "sigstore",
        "ref": "refs/heads/main",
        "sha": "0123456789abcdef0123456789abcdef01234567",
        "repository": "octo-org/octo-repo",
        "repository_owner": "octo-org",
        "repository_owner_id": "65",
        "run_id": "11223344556",
        "run_number": "10",
        "run_attempt": "2",
        "repository_visibility": "private",
        "repository_id": "74",
        "actor_id": "12",
        "actor": "octocat",
        "workflow": "Release <\u{1f680}>",
        "head_ref": "",
        "base_ref": "",
        "event_name": "workflow_dispatch",
        "ref_protected": "true",
        "ref_type": "branch",
        "workflow_ref": "octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main",
        "workflow_sha": "89abcdef0123456789abcdef0123456789abcdef",
        "job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v1",
        "job_workflow_sha": "fedcba9876543210fedcba9876543210fedcba98",
        "runner_environment": "github-hosted",
        "environment": "prod",
        "iss": GITHUB,
        "nbf": NOW - 5,
        "exp": NOW + 900,
        "iat": NOW,
    })
}

fn workflow_with(name: &str, value: Value) -> Value {
    let mut claims = workflow();
    claims[name] = value;
    claims
}

fn verify_workflow(claims: &Value) -> Result<VerifiedIdentity, TokenRefusal> {
    let config = IssuerConfig::new(GITHUB, "sigstore", github());
    let identities = Identities::new(vec![config], clock()).unwrap();
    identities.pin_keys(GITHUB, dev().jwks()).unwrap();
    verify(&identities, &dev().mint(claims).unwrap())
}

// The right-hand column of the extension table in Fulcio's docs/oid-info.md, for this token.
#[test]
fn github_actions_extensions_are_golden() {
    let identity = verify_workflow(&workflow()).unwrap();
    let expected = [
        (2, "workflow_dispatch"),
        (3, "0123456789abcdef0123456789abcdef01234567"),
        (4, "Release <\u{1f680}>"),
        (5, "octo-org/octo-repo"),
        (6, "refs/heads/main"),
        (9, "https://github.com/octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v1"),
        (10, "fedcba9876543210fedcba9876543210fedcba98"),
        (11, "github-hosted"),
        (12, "https://github.com/octo-org/octo-repo"),
        (13, "0123456789abcdef0123456789abcdef01234567"),
        (14, "refs/heads/main"),
        (15, "74"),
        (16, "https://github.com/octo-org"),
        (17, "65"),
        (18, "https://github.com/octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main"),
        (19, "89abcdef0123456789abcdef0123456789abcdef"),
        (20, "workflow_dispatch"),
        (21, "https://github.com/octo-org/octo-repo/actions/runs/11223344556/attempts/2"),
        (22, "private"),
        (23, "prod"),
    ];
    let found: Vec<(u8, &str)> =
        identity.extensions().iter().map(|(arc, value)| (*arc, value.as_str())).collect();
    assert_eq!(found, expected);
    let subject =
        "https://github.com/octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v1";
    assert_eq!(*identity.subject(), SubjectName::Uri(subject.to_owned()));
    // 1.1 and 1.8, and 1.24.
    assert_eq!(identity.issuer(), GITHUB);
    assert_eq!(identity.token_subject(), "repo:octo-org/octo-repo:environment:prod");
    assert_eq!(identity.challenge(), "repo:octo-org/octo-repo:environment:prod");
    let used: Vec<&str> = identity.claims_used().iter().map(|(name, _)| name.as_str()).collect();
    assert!(used.contains(&"sub") && used.contains(&"job_workflow_ref"));
    assert!(!used.contains(&"actor") && !used.contains(&"jti"));
}

#[test]
fn every_claim_of_the_templates_is_required_but_environment() {
    let mut claims = workflow();
    claims.as_object_mut().unwrap().remove("environment");
    let identity = verify_workflow(&claims).unwrap();
    assert!(identity.extensions().iter().all(|(arc, _)| *arc != 23));
    let used = verify_workflow(&workflow()).unwrap().claims_used().to_vec();
    assert_eq!(used.len(), 18);
    for (name, _) in used.iter().filter(|(name, _)| name != "environment") {
        let mut claims = workflow();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(verify_workflow(&claims), Err(missing(name)));
        assert_eq!(verify_workflow(&workflow_with(name, Value::Null)), Err(missing(name)));
    }
}

#[test]
fn sub_is_not_the_san() {
    let plain = verify_workflow(&workflow()).unwrap();
    let claims = workflow_with("sub", json!("repo:victim-org/victim-repo:ref:refs/heads/main"));
    let identity = verify_workflow(&claims).unwrap();
    assert_eq!(identity.subject(), plain.subject());
    assert_eq!(identity.token_subject(), "repo:victim-org/victim-repo:ref:refs/heads/main");
    let owner = identity.extensions().iter().find(|(arc, _)| *arc == 17);
    assert_eq!(owner.map(|(_, id)| id.as_str()), Some("65"));
}

// A pipeline's token that also carries an address is still a pipeline's.
#[test]
fn san_type_follows_issuer_type() {
    let mut claims = workflow_with("email", json!("ceo@corp.example"));
    claims["email_verified"] = json!(true);
    claims["sub"] = json!("ceo@corp.example");
    let identity = verify_workflow(&claims).unwrap();
    assert!(matches!(identity.subject(), SubjectName::Uri(_)));
    assert_eq!(identity.challenge(), "ceo@corp.example");
}

#[test]
fn ci_paths_validated_values_verbatim() {
    // Verbatim in the extensions: HTML, non-ASCII, numbers past 2^53.
    let mut claims = workflow_with("workflow", json!("a <b> & \"c\" \u{e9}"));
    claims["run_id"] = json!(9_007_199_254_740_993_u64);
    claims["repository_id"] = json!(123_000_000);
    let identity = verify_workflow(&claims).unwrap();
    let value = |arc: u8| {
        let found = identity.extensions().iter().find(|(known, _)| *known == arc);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(value(4), Some("a <b> & \"c\" \u{e9}"));
    assert_eq!(value(15), Some("123000000"));
    assert!(value(21).unwrap().contains("/runs/9007199254740993/"));
    // The subject is escaped where a URI must be, and the extension beside it is not.
    let branch = "o/r/.github/workflows/w.yml@refs/heads/a<b";
    let identity = verify_workflow(&workflow_with("job_workflow_ref", json!(branch))).unwrap();
    let subject = "https://github.com/o/r/.github/workflows/w.yml@refs/heads/a%3Cb";
    assert_eq!(*identity.subject(), SubjectName::Uri(subject.to_owned()));
    let extension = identity.extensions().iter().find(|(arc, _)| *arc == 9).unwrap();
    assert_eq!(extension.1, format!("https://github.com/{branch}"));

    for (path, fault) in [
        ("o/../victim/w.yml@refs/heads/main", SanFault::Segment),
        ("o/./w.yml@refs/heads/main", SanFault::Segment),
        ("o//w.yml@refs/heads/main", SanFault::Segment),
        ("/o/r/w.yml@refs/heads/main", SanFault::Segment),
        ("", SanFault::Segment),
        ("o/%2e%2e/victim/w.yml@refs/heads/main", SanFault::Character),
        ("o/r/w.yml@refs/heads/a%3Cb", SanFault::Character),
        ("o/r/w.yml?x=@refs/heads/main", SanFault::Character),
    ] {
        let refusal = verify_workflow(&workflow_with("job_workflow_ref", json!(path))).unwrap_err();
        assert_eq!(refusal, TokenRefusal::Subject { issuer: GITHUB.to_owned(), fault }, "{path}");
    }
    for claim in ["job_workflow_ref", "workflow", "environment"] {
        let refusal = verify_workflow(&workflow_with(claim, json!("a\0b"))).unwrap_err();
        assert_eq!(refusal, TokenRefusal::ClaimControlCharacter { claim: claim.to_owned() });
        let refusal = verify_workflow(&workflow_with(claim, json!(["a"]))).unwrap_err();
        assert_eq!(refusal, wrong_type(claim, "a string, a whole number or a boolean"));
        let refusal = verify_workflow(&workflow_with(claim, json!(1e20))).unwrap_err();
        assert_eq!(refusal, wrong_type(claim, "a whole number of 64 bits"));
    }
}

// ---- no input panics

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn no_header_or_claims_panic(header in members(), claims in members()) {
        let mut signed_header = header;
        signed_header.entry("alg".to_owned()).or_insert(json!("RS256"));
        let mut signed_claims = claims;
        signed_claims.entry("iss".to_owned()).or_insert(json!(ISSUER));
        let token = dev().sign(
            serde_json::to_vec(&signed_header).unwrap().as_slice(),
            serde_json::to_vec(&signed_claims).unwrap().as_slice(),
        ).unwrap();
        let _ = verify(&identities(), &token);
        signed_claims.insert("iss".to_owned(), json!(GITHUB));
        let _ = verify_workflow(&Value::Object(signed_claims));
    }

    #[test]
    fn no_bytes_panic(text in "[A-Za-z0-9_.={}\"-]{0,80}") {
        let _ = verify(&identities(), &text);
    }
}

/// Objects that use the names which are read, with values of every type.
fn members() -> impl proptest::strategy::Strategy<Value = serde_json::Map<String, Value>> {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        (NOW - 100..NOW + 100).prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        Just(json!("sigstore")),
        Just(json!("a@b.c")),
        Just(json!("JWT")),
    ];
    let value = leaf.prop_recursive(2, 8, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{1,3}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    let name = proptest::sample::select(vec![
        "alg",
        "kid",
        "typ",
        "crit",
        "iss",
        "aud",
        "exp",
        "iat",
        "nbf",
        "sub",
        "email",
        "email_verified",
        "sha",
        "ref",
        "repository",
        "job_workflow_ref",
        "workflow",
        "run_id",
        "x",
    ]);
    proptest::collection::btree_map(name.prop_map(str::to_owned), value, 0..12)
        .prop_map(|members| members.into_iter().collect())
}

// ---- keys

fn modulus(key: &RsaKey) -> Vec<u8> {
    key.public_key().modulus().big_endian_without_leading_zero().to_vec()
}

fn rsa_jwk(key: &RsaKey) -> Value {
    let exponent = key.public_key().exponent().big_endian_without_leading_zero().to_vec();
    json!({ "kty": "RSA", "n": B64.encode(modulus(key)), "e": B64.encode(exponent) })
}

fn rsa_sign(encoding: &'static dyn RsaEncoding, input: &str) -> Vec<u8> {
    let mut signature = vec![0; RSA.public_modulus_len()];
    RSA.sign(encoding, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
    signature
}

fn rsa_token(alg: &str, encoding: &'static dyn RsaEncoding, claims: &Value) -> String {
    let input = signing_input(&json!({ "alg": alg }), claims);
    assemble(&input, &rsa_sign(encoding, &input))
}

fn ec_jwk(key: &EcdsaKeyPair) -> Value {
    let point = key.public_key().as_ref();
    let width = (point.len() - 1) / 2;
    let crv = if width == 32 { "P-256" } else { "P-384" };
    let (x, y) = point[1..].split_at(width);
    json!({ "kty": "EC", "crv": crv, "x": B64.encode(x), "y": B64.encode(y) })
}

fn ec_token(alg: &str, key: &EcdsaKeyPair, claims: &Value) -> String {
    let input = signing_input(&json!({ "alg": alg }), claims);
    let signature = key.sign(&SystemRandom::new(), input.as_bytes()).unwrap();
    assemble(&input, signature.as_ref())
}

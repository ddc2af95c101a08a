//! What a token must be, in its form and in its claims.

use std::time::{Duration, Instant};

use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use ca::identity::config::Names;
use ca::identity::email::EmailFault;
use ca::identity::refusal::{JsonFault, Segment};
use ca::identity::{Identities, IssuerConfig, IssuerKind, Token, TokenRefusal};
use formats::certificate::SubjectName;
use serde_json::{Value, json};

use crate::pinned::*;
use crate::pipelines::{GITHUB, github, verify_workflow};

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

//! Tokens that are signed by the right key and wrong in one thing, or look right and are not.
//!
//! The development provider's key lies in the instance folder, so the signature is never the
//! reason for a refusal unless the test is about signatures.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RSA_PSS_SHA256};
use e2e::answer::refused;
use e2e::ct;
use e2e::der::{Certificate, element};
use e2e::instance::Instance;
use e2e::issue::{challenge, with_token};
use e2e::key::Key;
use e2e::now;
use e2e::token::{
    Change::{self, Remove, Set},
    Forger, segment, signing_input,
};
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";

/// A server of its own, so that its CT log shows whether anything was issued.
struct Scene {
    server: Instance,
    forger: Forger,
}

impl Scene {
    fn new() -> Self {
        let server = Instance::dev();
        let forger = Forger::new(&server);
        Self { server, forger }
    }

    /// The token must be refused with a message that names `check`, and leave no trace.
    fn refuses(&self, what: &str, token: &str, check: &str) {
        let size = ct::size(&self.server);
        let response = with_token(&self.server, token, ALICE);
        assert_eq!(response.status, 400, "{what}: {}", response.text());
        let message = refused(&response, 400, check);
        for segment in token.split('.').filter(|segment| segment.len() > 12) {
            assert!(!message.contains(segment), "{what}: the token is in {message:?}");
        }
        assert_eq!(ct::size(&self.server), size, "{what}: something was logged");
    }

    /// Right claims but for one.
    fn refuses_claim(&self, claim: &str, change: Change, check: &str) {
        let what = match &change {
            Set(value) => format!("{claim} = {value}"),
            Remove => format!("no {claim}"),
        };
        self.refuses(&what, &self.forger.changed(ALICE, claim, change), check);
    }

    fn accepts(&self, what: &str, token: &str) {
        let response = with_token(&self.server, token, ALICE);
        assert_eq!(response.status, 200, "{what}: {}", response.text());
    }

    /// The passing twin: the same forger, nothing changed.
    fn twin(&self) {
        self.accepts("the passing twin", &self.forger.with_claims(&self.forger.claims(ALICE)));
    }
}

#[test]
fn jwt_many_dots_bounded() {
    let scene = Scene::new();
    scene.twin();
    let before = scene.server.resident_kib();
    scene.refuses("15 KiB of dots", &".".repeat(15 * 1024), "three segments");
    scene.refuses("20 KiB of dots", &".".repeat(20 * 1024), "16384");
    // In the body there is room for the token alone; anything larger ends at the body's limit.
    let mut body = challenge(&Key::p256(), ALICE);
    for (size, status) in [(17 * 1024, 400), (4 * 1024 * 1024, 413)] {
        body["credentials"] = json!({ "oidcIdentityToken": ".".repeat(size) });
        let began = Instant::now();
        refused(&scene.server.post("/api/v2/signingCert", &[], &body), status, "");
        assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
    }
    let good = scene.forger.with_claims(&scene.forger.claims(ALICE));
    for token in [format!("{good}."), format!(".{good}"), good.replacen('.', "..", 1)] {
        scene.refuses("one dot more", &token, "segments");
    }
    let grown = scene.server.resident_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "{grown} KiB more");
    scene.twin();
}

#[test]
fn jwt_alg_fixed_by_key() {
    let scene = Scene::new();
    let claims = scene.forger.claims(ALICE).to_string();
    let key = scene.forger.key();
    let with_alg = |alg: Value| {
        let mut header = scene.forger.header();
        header["alg"] = alg;
        header.to_string()
    };
    let public_pem = key.pem();
    for secret in [public_pem.as_bytes(), public_pem.trim().as_bytes(), key.spki(), b""] {
        for (name, algorithm) in [("HS256", hmac::HMAC_SHA256), ("HS512", hmac::HMAC_SHA512)] {
            let input = signing_input(&with_alg(json!(name)), &claims);
            let tag = hmac::sign(&hmac::Key::new(algorithm, secret), input.as_bytes());
            let token = format!("{input}.{}", segment(tag.as_ref()));
            scene.refuses(name, &token, "alg");
        }
    }
    for alg in [
        json!("none"),
        json!("nOnE"),
        json!("NONE"),
        json!(""),
        json!(null),
        json!(7),
        json!(["RS256"]),
    ] {
        let input = signing_input(&with_alg(alg.clone()), &claims);
        scene.refuses(&format!("{alg} unsigned"), &format!("{input}."), "");
        scene.refuses(&format!("{alg} signed"), &scene.forger.sign(&with_alg(alg), &claims), "alg");
    }
    scene.refuses("no alg", &scene.forger.with_header(ALICE, "alg", Remove), "alg");
    // Signed as stated, by the right key, and not what the issuer's key is for.
    for (name, encoding) in [
        ("RS512", &RSA_PKCS1_SHA512 as &'static dyn aws_lc_rs::signature::RsaEncoding),
        ("PS256", &RSA_PSS_SHA256),
    ] {
        let input = signing_input(&with_alg(json!(name)), &claims);
        let signature = key.sign_rsa(encoding, input.as_bytes());
        scene.refuses(name, &format!("{input}.{}", segment(&signature)), "alg");
    }
    let own = Key::p256();
    let input = signing_input(&with_alg(json!("ES256")), &claims);
    let token = format!("{input}.{}", segment(&own.sign(input.as_bytes())));
    scene.refuses("ES256 by another key", &token, "alg");
    let input = signing_input(&with_alg(json!("RS256")), &claims);
    let signature = key.sign_rsa(&RSA_PKCS1_SHA256, input.as_bytes());
    scene.accepts("the passing twin", &format!("{input}.{}", segment(&signature)));
}

#[test]
fn jwt_header_keys_ignored() {
    let scene = Scene::new();
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let url = format!("http://{}/jwks", trap.local_addr().unwrap());
    let thief = Key::rsa2048();
    let jwk = thief.jwk("thief", "RS256");
    let x5c = json!([e2e::b64(thief.spki())]);
    let members = [("jwk", jwk.clone()), ("jku", json!(url)), ("x5u", json!(url)), ("x5c", x5c)];
    for (member, value) in members {
        for keep_kid in [true, false] {
            let mut header = scene.forger.header();
            header[member] = value.clone();
            if !keep_kid {
                header.as_object_mut().unwrap().remove("kid");
            }
            let header = header.to_string();
            let claims = scene.forger.claims(ALICE).to_string();
            let input = signing_input(&header, &claims);
            let token = format!("{input}.{}", segment(&thief.sign(input.as_bytes())));
            scene.refuses(member, &token, "signature");
            // The member alone changes nothing: it is not read.
            scene.accepts(member, &scene.forger.sign(&header, &claims));
        }
    }
    let called = trap.accept();
    assert!(matches!(&called, Err(error) if error.kind() == ErrorKind::WouldBlock), "{called:?}");
}

#[test]
fn jwt_crit_and_typ_checked() {
    let scene = Scene::new();
    for crit in [json!(["x"]), json!([]), json!(null), json!(["b64"]), json!("x")] {
        scene.refuses("crit", &scene.forger.with_header(ALICE, "crit", Set(crit)), "crit");
    }
    for typ in ["at+jwt", "logout+jwt", "JOSE", "", "JWT ", "application/jwt"] {
        scene.refuses(typ, &scene.forger.with_header(ALICE, "typ", Set(json!(typ))), "typ");
    }
    for typ in [json!(null), json!(7)] {
        scene.refuses("typ", &scene.forger.with_header(ALICE, "typ", Set(typ)), "typ");
    }
    scene.accepts("no typ", &scene.forger.with_header(ALICE, "typ", Remove));
    scene.twin();
}

#[test]
fn jwt_wrong_type_is_error() {
    let scene = Scene::new();
    for (claim, value) in [
        ("exp", json!("9999999999")),
        ("exp", json!((now() + 600).to_string())),
        ("exp", json!(-1)),
        ("exp", json!(null)),
        ("exp", json!([now() + 600])),
        ("exp", json!(true)),
        ("nbf", json!("never")),
        ("nbf", json!({})),
        ("iat", json!([])),
        ("iat", json!("0")),
        ("sub", json!(7)),
        ("sub", json!([])),
        ("iss", json!([scene.forger.issuer(), "https://evil.example"])),
        ("iss", json!({})),
        ("email", json!([ALICE])),
        ("email", json!(7)),
    ] {
        scene.refuses_claim(claim, Set(value), claim);
    }
    let claims = scene.forger.claims(ALICE).to_string();
    let exp = (now() + 600).to_string();
    let number = claims.split("\"exp\":").nth(1).unwrap().split([',', '}']).next().unwrap();
    for wrong in ["1e400", "1e309", "NaN", "18446744073709551616", "1.5e9.1", "+5", "0x7fffffff"] {
        let text = claims.replace(&format!("\"exp\":{number}"), &format!("\"exp\":{wrong}"));
        assert_ne!(text, claims);
        scene.refuses(wrong, &scene.forger.sign(&scene.forger.header().to_string(), &text), "");
    }
    for claim in ["iss", "sub", "aud", "exp", "email"] {
        scene.refuses_claim(claim, Remove, claim);
    }
    assert!(claims.contains(number) && exp.len() == number.len());
    scene.twin();
}

#[test]
fn jwt_aud_present_and_exact() {
    let scene = Scene::new();
    for aud in [
        json!([]),
        json!(""),
        json!(7),
        json!({}),
        json!(null),
        json!("sigstore "),
        json!(" sigstore"),
        json!("SIGSTORE"),
        json!("sigstore\u{0}"),
        json!("sigstore,other"),
        json!(["other"]),
        json!(["sigstore ", "Sigstore"]),
        json!(["sigstore", 7]),
        json!([["sigstore"]]),
    ] {
        scene.refuses_claim("aud", Set(aud), "aud");
    }
    scene.refuses_claim("aud", Remove, "aud");
    for aud in [json!("sigstore"), json!(["sigstore"]), json!(["other", "sigstore"])] {
        scene.accepts("aud", &scene.forger.changed(ALICE, "aud", Set(aud)));
    }
}

#[test]
fn jwt_lifetime_enforced() {
    let scene = Scene::new();
    let day = 24 * 60 * 60;
    let both = |iat: u64, exp: u64| {
        let mut claims = scene.forger.claims(ALICE);
        claims["iat"] = json!(iat);
        claims["exp"] = json!(exp);
        scene.forger.with_claims(&claims)
    };
    scene.refuses("expired a second ago", &both(now() - 600, now() - 1), "expired");
    scene.refuses("expires now", &both(now() - 600, now()), "expired");
    scene.refuses("expired in 1970", &both(0, 1), "expired");
    scene.refuses_claim("exp", Remove, "exp");
    scene.refuses("iat ten minutes ahead", &both(now() + 600, now() + 1200), "issued at");
    scene.refuses("in 2099", &both(now(), 4_070_908_800), "86400");
    scene.refuses("a day and a minute", &both(now(), now() + day + 60), "lives");
    scene.refuses("old, and long", &both(now() - day, now() + 600), "lives");
    scene.refuses_claim("nbf", Set(json!(now() + 600)), "not valid before");
    let mut no_iat = scene.forger.claims(ALICE);
    no_iat.as_object_mut().unwrap().remove("iat");
    no_iat["exp"] = json!(now() + day + 600);
    scene.refuses("without iat", &scene.forger.with_claims(&no_iat), "lives");

    no_iat["exp"] = json!(now() + 600);
    scene.accepts("without iat", &scene.forger.with_claims(&no_iat));
    scene.accepts("a day less a minute", &both(now(), now() + day - 60));
    scene.accepts("iat half a minute ahead", &both(now() + 30, now() + 600));
    let token = scene.forger.changed(ALICE, "nbf", Set(json!(now() + 30)));
    scene.accepts("nbf half a minute ahead", &token);
}

#[test]
fn json_duplicate_members_refused() {
    let scene = Scene::new();
    let header = scene.forger.header().to_string();
    let claims = scene.forger.claims(ALICE).to_string();
    let email = format!("\"email\":\"{ALICE}\"");
    assert!(claims.contains(&email));
    for twice in [
        format!("{email},\"email\":\"bob@example.com\""),
        format!("\"email\":\"bob@example.com\",{email}"),
        format!("{email},\"e\\u006dail\":\"bob@example.com\""),
        format!("{email},\"x\":{{\"y\":[{{\"z\":1,\"z\":1}}]}}"),
        format!("{email},\"x\":1,\"x\":1"),
    ] {
        let token = scene.forger.sign(&header, &claims.replacen(&email, &twice, 1));
        scene.refuses(&twice, &token, "same name");
    }
    for more in ["\"alg\":\"RS256\"", "\"kid\":\"x\"", "\"\\u0061lg\":\"none\""] {
        let twice = header.replacen('{', &format!("{{{more},"), 1);
        scene.refuses(more, &scene.forger.sign(&twice, &claims), "same name");
    }
    scene.accepts("the passing twin", &scene.forger.sign(&header, &claims));
}

#[test]
fn jws_one_parse_one_meaning() {
    let scene = Scene::new();
    let good = scene.forger.with_claims(&scene.forger.claims(ALICE));
    scene.accepts("the passing twin", &good);
    let [header, claims, signature] =
        <[&str; 3]>::try_from(good.split('.').collect::<Vec<_>>()).unwrap();
    let serialised = json!({ "protected": header, "payload": claims, "signature": signature });
    let general = json!({ "payload": claims, "signatures": [
        { "protected": header, "signature": signature },
    ]});
    for (what, token) in [
        ("JSON serialisation", serialised.to_string()),
        ("general JSON serialisation", general.to_string()),
        ("five parts", format!("{good}.{header}.{claims}")),
        ("two parts", format!("{header}.{claims}")),
        ("JWE", format!("{header}..{claims}.{signature}.{signature}")),
        ("nothing", String::new()),
        ("two dots", "..".to_owned()),
    ] {
        scene.refuses(what, &token, "");
    }
    let cut = &good[..good.len() - 1];
    scene.refuses("last character cut", cut, "");
    for padded in [format!("{good}="), format!("{good}=="), good.replacen('.', "=.", 1)] {
        scene.refuses("padding", &padded, "base64url");
    }
    for odd in ["+", "/", " ", "\t", "%2e", "\u{e9}"] {
        scene.refuses("alphabet", &good.replacen('.', &format!("{odd}."), 1), "");
    }
    // 256 bytes end in a character of which four bits count: the other two must be zero.
    let last = signature.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let at = alphabet.find(last).unwrap();
    assert_eq!(at % 16, 0, "canonical");
    let spare = alphabet.chars().nth(at + 1).unwrap();
    scene.refuses("spare bits", &format!("{cut}{spare}"), "base64url");
    let mut flipped = signature.to_owned();
    let first = if flipped.starts_with('A') { "B" } else { "A" };
    flipped.replace_range(..1, first);
    scene.refuses("one bit", &format!("{header}.{claims}.{flipped}"), "signature");
    let empty = format!("{header}.{claims}.");
    scene.refuses("no signature", &empty, "");
    let other = scene.forger.with_claims(&scene.forger.claims("bob@example.com"));
    let bobs = other.split('.').nth(1).unwrap();
    scene.refuses("claims swapped", &format!("{header}.{bobs}.{signature}"), "signature");
    for text in ["\u{feff}{}", "[]", "\"x\"", "7", "null", "{", "{} {}", ""] {
        let token = scene.forger.sign(&scene.forger.header().to_string(), text);
        scene.refuses(text, &token, "");
        let token = scene.forger.sign(text, &scene.forger.claims(ALICE).to_string());
        scene.refuses(text, &token, "");
    }
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(2000), "]".repeat(2000));
    let token = scene.forger.sign(&scene.forger.header().to_string(), &deep);
    scene.refuses("deep", &token, "deep");
}

#[test]
fn kid_is_only_compared() {
    let scene = Scene::new();
    let before = ct::size(&scene.server);
    for kid in [
        "../../dev/null",
        "/etc/passwd",
        "' OR 1=1--",
        "http://127.0.0.1:1/jwks",
        "%00",
        "\u{0}",
        "",
        "x",
    ] {
        let token = scene.forger.with_header(ALICE, "kid", Set(json!(kid)));
        scene.refuses(kid, &token, "key id");
    }
    for kid in [json!(null), json!(7), json!([]), json!({})] {
        scene.refuses("type", &scene.forger.with_header(ALICE, "kid", Set(kid)), "kid");
    }
    let long = scene.forger.with_header(ALICE, "kid", Set(json!("k".repeat(64 * 1024))));
    let mut body = challenge(&Key::p256(), ALICE);
    body["credentials"] = json!({ "oidcIdentityToken": long });
    refused(&scene.server.post("/api/v2/signingCert", &[], &body), 413, "");
    assert_eq!(ct::size(&scene.server), before);
    scene.accepts("no kid", &scene.forger.with_header(ALICE, "kid", Remove));
}

#[test]
fn issuer_compared_exactly() {
    let scene = Scene::new();
    let issuer = scene.forger.issuer().to_owned();
    let port = scene.server.port();
    for other in [
        format!("{issuer}/"),
        issuer.to_uppercase(),
        issuer.replace("localhost", "LOCALHOST"),
        issuer.replace("localhost", "127.0.0.1"),
        issuer.replace("http:", "https:"),
        issuer.replace("http://", ""),
        issuer.replace("/oidc", ""),
        issuer.replace("/oidc", "/%6fidc"),
        issuer.replace("/oidc", "/./oidc"),
        format!("{issuer}#"),
        format!("{issuer}?"),
        format!("http://evil@localhost:{port}/oidc"),
        format!("https://evil.example/{issuer}"),
        format!("{issuer}.evil.example"),
        format!("{issuer} "),
        String::new(),
        "https://accounts.google.com".to_owned(),
        "https://token.actions.githubusercontent.com".to_owned(),
    ] {
        scene.refuses_claim("iss", Set(json!(other)), "iss");
    }
    scene.twin();
}

#[test]
fn email_verified_strict() {
    let scene = Scene::new();
    for value in [
        json!(false),
        json!(null),
        json!(1),
        json!("false"),
        json!("yes"),
        json!("TRUE"),
        json!("True"),
        json!(" true"),
        json!([true]),
        json!({}),
    ] {
        scene.refuses_claim("email_verified", Set(value), "email_verified");
    }
    scene.refuses_claim("email_verified", Remove, "email_verified");
    let text = scene.forger.changed(ALICE, "email_verified", Set(json!("true")));
    scene.accepts("\"true\"", &text);
    scene.twin();
}

#[test]
fn email_grammar_minimal() {
    let scene = Scene::new();
    let long = format!("a@{}.example", ["b".repeat(63).as_str(); 4].join("."));
    for address in [
        "",
        "a",
        "@",
        "a@",
        "@b.c",
        "a@@b.c",
        "a@b.c@d.e",
        "\"a@b\"@c.d",
        "\"a\"@b.c",
        "a(x)@b.c",
        "a@b(x).c",
        "=?utf-8?q?a?=@b.c",
        "a@b.c.",
        "a@.b.c",
        "a@b..c",
        "a@b",
        "a@[1.2.3.4]",
        "a@1.2.3.4",
        "a@-b.c",
        "a..b@c.d",
        ".a@b.c",
        "a.@b.c",
        "a b@c.d",
        "A <a@b.c>",
        "a@b.c\r\nbcc: x@y.z",
        "a@b.c\n",
        "a\u{ff20}b.c",
        "a@b\u{ff0e}c",
        "\u{430}lice@example.com",
        "alice@ex\u{e4}mple.com",
        "a,b@c.d",
        "a@b_c.d",
        "mailto:a@b.c@d",
        &long,
    ] {
        scene.refuses_claim("email", Set(json!(address)), "email");
    }
    for address in ["a@b.c", "o'brien+x@mail.example.com", "a@xn--bcher-kva.example"] {
        let token = scene.forger.with_claims(&scene.forger.claims(address));
        let response = with_token(&scene.server, &token, address);
        assert_eq!(response.status, 200, "{address}: {}", response.text());
    }
}

#[test]
fn san_bytes_printable() {
    let scene = Scene::new();
    for address in [
        "a@corp.com\u{0}@evil.com",
        "a@corp.com\u{0}.evil.com",
        "a@corp.com\u{0}",
        "\u{0}a@corp.com",
        "a\u{7f}@corp.com",
        "a\t@corp.com",
        "a@corp.com\u{202e}",
        "a\u{1b}[2J@corp.com",
    ] {
        scene.refuses_claim("email", Set(json!(address)), "email");
    }
    for sub in ["a\u{0}b", "a\nb", "\u{1b}x", ""] {
        scene.refuses_claim("sub", Set(json!(sub)), "sub");
    }
    scene.twin();
}

#[test]
fn sub_is_not_the_san() {
    let scene = Scene::new();
    let mut claims = scene.forger.claims(ALICE);
    claims["sub"] = json!("repo:other/owner:ref:refs/heads/main");
    claims["name"] = json!("Victim");
    claims["preferred_username"] = json!("victim@example.com");
    claims["federated_claims"] = json!({ "connector_id": "https://evil.example" });
    let response = with_token(&scene.server, &scene.forger.with_claims(&claims), ALICE);
    let chain = e2e::issue::chain(&response);
    let leaf = Certificate::read(&chain[0]);
    let san = element(leaf.extension("2.5.29.17").value).0;
    assert_eq!(element(san.content).0.content, ALICE.as_bytes());
    let subject = element(leaf.extension("1.3.6.1.4.1.57264.1.24").value).0;
    assert_eq!(subject.content, b"repo:other/owner:ref:refs/heads/main", "verbatim, there only");
    for word in ["Victim", "victim@example.com", "evil.example"] {
        let found = chain[0].windows(word.len()).any(|window| window == word.as_bytes());
        assert!(!found, "{word} came into the certificate");
    }
}

#[test]
fn account_reuse_distinguishable() {
    let scene = Scene::new();
    let subject = |sub: &str| {
        let token = scene.forger.changed(ALICE, "sub", Set(json!(sub)));
        let chain = e2e::issue::chain(&with_token(&scene.server, &token, ALICE));
        let leaf = Certificate::read(&chain[0]);
        element(leaf.extension("1.3.6.1.4.1.57264.1.24").value).0.content.to_vec()
    };
    assert_eq!(subject("account 1"), b"account 1");
    assert_eq!(subject("account 2"), b"account 2", "one address, two accounts");
}

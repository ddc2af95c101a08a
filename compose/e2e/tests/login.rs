//! How people sign in to sign: the browser and the device code, against a real instance, and
//! against a provider that does not play fair.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "login/desk.rs"]
mod desk;

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use desk::{Desk, Ended, get, parameter, post, until};
use e2e::instance::Instance;
use e2e::key::Key;
use e2e::now;
use e2e::provider::{DISCOVERY, Provider, Served, serve};
use e2e::token::{segment, signing_input, token};
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";

/// The page of `ca dev` asks for an address, and sends the browser back with a code.
#[test]
fn a_person_signs_in_with_their_browser() {
    let instance = Instance::shared();
    let desk = Desk::new();
    let base = instance.base();
    let signing = desk.sign("normal", &["--instance", &base]);
    let page = signing.page();
    assert!(page.starts_with(&format!("{base}/oidc/auth?")), "{page}");
    for (name, value) in [
        ("response_type", "code"),
        ("client_id", "sigstore"),
        ("scope", "openid email"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(parameter(&page, name), value);
    }
    // 128 bits are 22 characters.
    assert!(parameter(&page, "state").len() >= 22 && parameter(&page, "nonce").len() >= 22);
    let redirect = parameter(&page, "redirect_uri");
    assert!(redirect.starts_with("http://localhost:") && redirect.ends_with("/auth/callback"));

    let form = get(&page).expect(200);
    // The sign-in is bound to the browser that began it.
    let cookie = form.header("set-cookie").and_then(|cookie| cookie.split(';').next());
    let cookie = cookie.unwrap_or_default().to_owned();
    let form = form.text();
    let session = form.split("name=\"session\" value=\"").nth(1).unwrap();
    let session = session.split('"').next().unwrap();
    let email = ALICE.replace('@', "%40");
    let sent = format!("session={session}&email={email}");
    let back = post(&format!("{base}/oidc/auth"), &cookie, &sent).expect(303);
    let back = back.header("location").unwrap();
    assert!(back.starts_with(&redirect), "{back}");
    let last = get(back).expect(200);
    assert!(last.text().contains("Signed in"), "{}", last.text());

    let about = format!("You are about to sign as {ALICE} (vouched for by {base}/oidc).");
    let ended =
        signing.end().expect(0, &[&about, "public and permanent", "Sign in with the browser"]);
    assert_eq!(ended.stdout, "f.sigstore.json\n");
    // The browser got the page, and no credential.
    assert!(!desk.browsers_environment().contains("a-pipelines-credential"));
    let issuer = format!("{base}/oidc");
    let verify = [
        "verify-blob",
        "f",
        "--instance",
        &base,
        "--certificate-identity",
        ALICE,
        "--certificate-oidc-issuer",
        &issuer,
    ];
    Ended::of(desk.command("verifier", &verify).output().unwrap()).expect(0, &[]);
}

/// Where the system keeps secrets for this process, a token serves until `logout`; elsewhere, as in
/// most containers, that is said before anybody signs in for nothing.
#[test]
fn login_keeps_a_token_or_says_why_not() {
    let trusted = Trusted::new();
    let desk = Desk::new();
    let instance = ["--instance", trusted.instance()];
    let run = |command: &str| {
        let output = desk.command("signer", &[&[command], &instance[..]].concat()).output();
        Ended::of(output.unwrap())
    };
    run("whoami").expect(1, &["[no-token]"]);
    let arguments = ["login", "--fulcio-auth-flow", "normal"];
    let login = desk.start(&[&arguments, &instance[..]].concat());
    until("an end or a browser", || login.has_ended() || desk.path("arguments").exists());
    if !desk.path("arguments").exists() {
        login.end().expect(1, &["[keyring]", "the system's store for secrets"]);
        return;
    }
    let page = login.page();
    let (redirect, state) = (parameter(&page, "redirect_uri"), parameter(&page, "state"));
    trusted.gives(&trusted.token(&json!({ "nonce": parameter(&page, "nonce") })));
    get(&format!("{redirect}?code=c&state={state}")).expect(200);
    assert_eq!(login.end().expect(0, &[]).stdout, format!("{ALICE}\n"));
    run("whoami").expect(0, &["token from  signer login"]);
    let sign = [&["sign-blob", "f"], &instance[..]].concat();
    Ended::of(desk.command("signer", &sign).output().unwrap()).expect(0, &[]);
    run("logout").expect(0, &["The token is forgotten."]);
    run("logout").expect(0, &["There was no token."]);
    run("whoami").expect(1, &["[no-token]"]);
}

/// A provider of the test's own, which an instance trusts, and its key.
struct Trusted {
    key: Key,
    provider: Provider,
    served: Served,
}

impl Trusted {
    fn new() -> Self {
        let key = Key::rsa2048();
        let provider = Provider::new(&[key.jwk("k", "RS256")]);
        let url = provider.url();
        let served = serve(&format!(
            "[[issuer]]\nurl = \"{url}\"\nclient_id = \"sigstore\"\ntype = \"email\"\n"
        ));
        provider.page(
            DISCOVERY,
            &json!({
                "issuer": url,
                "authorization_endpoint": format!("{url}/auth"),
                "token_endpoint": format!("{url}/token"),
                "device_authorization_endpoint": format!("{url}/device"),
                "jwks_uri": format!("{url}/jwks"),
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }),
        );
        Self { key, provider, served }
    }

    fn instance(&self) -> &str {
        self.served.server.dir().to_str().unwrap()
    }

    /// A good token, with these members besides or instead.
    fn token(&self, changes: &Value) -> String {
        let mut claims = json!({
            "iss": self.provider.url(), "sub": "1", "aud": "sigstore", "iat": now(),
            "exp": now() + 300, "email": ALICE, "email_verified": true,
        });
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let header = json!({ "alg": "RS256", "kid": "k" }).to_string();
        let input = signing_input(&header, &claims.to_string());
        format!("{input}.{}", segment(&self.key.sign(input.as_bytes())))
    }

    /// The token endpoint answers with this token from now on.
    fn gives(&self, token: &str) {
        let answer = json!({ "access_token": "opaque", "id_token": token, "token_type": "Bearer" });
        self.provider.page("/token", &answer);
    }

    fn refuses(&self, path: &str, error: &str) {
        let body = json!({ "error": error }).to_string();
        let head = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n";
        let length = body.len();
        let answer = format!("{head}connection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        self.provider.raw(path, answer.into_bytes());
    }
}

#[test]
fn state_and_nonce_checked() {
    let trusted = Trusted::new();
    let issuer = trusted.provider.url();
    let mut earlier = String::new();
    type Return = fn(&str, &str, &str) -> String;
    let cases: [(Return, Option<&str>, i32, &str); 9] = [
        (|state, _, iss| format!("code=c&state={state}&iss={iss}"), Some("same"), 0, ""),
        (|state, _, _| format!("code=c&state={state}"), Some("same"), 0, ""),
        (|_, _, _| "code=c&state=x".into(), Some("same"), 1, "[sign-in-forged]"),
        (|_, _, _| "code=c".into(), Some("same"), 1, "[sign-in-forged]"),
        (|_, earlier, _| format!("code=c&state={earlier}"), Some("same"), 1, "[sign-in-forged]"),
        (
            |state, _, _| format!("code=c&state={state}&state={state}"),
            Some("same"),
            1,
            "[sign-in-forged]",
        ),
        (
            |state, _, _| format!("code=c&state={state}&iss=https%3A%2F%2Fevil.example"),
            Some("same"),
            1,
            "another issuer answered",
        ),
        (|state, _, _| format!("code=c&state={state}"), Some("other"), 1, "nonce"),
        (|state, _, _| format!("code=c&state={state}"), None, 1, "nonce"),
    ];
    for (back, nonce, code, said) in cases {
        let desk = Desk::new();
        let signing = desk.sign("normal", &["--instance", trusted.instance()]);
        let page = signing.page();
        let state = parameter(&page, "state");
        let claims = match nonce {
            Some("same") => json!({ "nonce": parameter(&page, "nonce") }),
            Some(other) => json!({ "nonce": other }),
            None => json!({}),
        };
        trusted.gives(&trusted.token(&claims));
        let redirect = parameter(&page, "redirect_uri");
        let query = back(&state, &earlier, &issuer);
        let shown = get(&format!("{redirect}?{query}"));
        assert_eq!(shown.status, if code == 0 { 200 } else { 400 }, "{query}");
        signing.end().expect(code, &[said]);
        earlier = state;
    }
}

/// What a person is told when the provider, or they themselves, say no; and a code is redeemed with
/// its verifier.
#[test]
fn a_refusal_is_told_and_a_code_is_redeemed_with_its_verifier() {
    let trusted = Trusted::new();
    let desk = Desk::new();
    let signing = desk.sign("normal", &["--instance", trusted.instance()]);
    let page = signing.page();
    let redirect = parameter(&page, "redirect_uri");
    let state = parameter(&page, "state");
    let why = "error=access_denied&error_description=%3Cscript%3Eno%1b%5B2J";
    let shown = get(&format!("{redirect}?{why}&state={state}")).expect(400).text();
    assert!(!shown.contains("script") && !shown.contains("access_denied"), "{shown}");
    let said = ["[sign-in-refused]", "access_denied: <script>no\\u{1b}[2J"];
    signing.end().expect(1, &said);

    let desk = Desk::new();
    let signing = desk.sign("normal", &["--instance", trusted.instance()]);
    let page = signing.page();
    trusted.gives(&trusted.token(&json!({ "nonce": parameter(&page, "nonce") })));
    let (redirect, state) = (parameter(&page, "redirect_uri"), parameter(&page, "state"));
    get(&format!("{redirect}?code=the-code&state={state}")).expect(200);
    signing.end().expect(0, &[]);
    let form = trusted.provider.forms("/token").pop().unwrap();
    let field = |name: &str| parameter(&format!("?{form}"), name);
    assert_eq!(field("grant_type"), "authorization_code");
    assert_eq!(field("code"), "the-code");
    assert_eq!(field("client_id"), "sigstore");
    assert_eq!(field("redirect_uri"), redirect);
    let hashed = segment(&e2e::sha256(field("code_verifier").as_bytes()));
    assert_eq!(hashed, parameter(&page, "code_challenge"));
}

#[test]
fn a_code_signs_in_where_there_is_no_display() {
    let trusted = Trusted::new();
    let details = json!({
        "device_code": "the-device-code", "user_code": "WDJB-MJHT",
        "verification_uri": format!("{}/device-page", trusted.provider.url()),
        "verification_uri_complete": format!("{}/device-page?c=x", trusted.provider.url()),
        "expires_in": 60, "interval": 1,
    });
    trusted.provider.page("/device", &details);
    trusted.refuses("/token", "authorization_pending");
    let desk = Desk::new();
    let signing = desk.sign("device", &["--instance", trusted.instance()]);
    until("the first poll", || !trusted.provider.forms("/token").is_empty());
    trusted.gives(&trusted.token(&json!({})));
    let page = format!("{}/device-page\n", trusted.provider.url());
    let ended = signing.end().expect(0, &["WDJB-MJHT", &page, "You are about to sign as alice@"]);
    assert!(!ended.stderr.contains("?c=x"), "{}", ended.stderr);

    // As cosign's: with a PKCE challenge in the first request and its verifier in the polls.
    let asked = trusted.provider.forms("/device").remove(0);
    let field = |form: &str, name: &str| parameter(&format!("?{form}"), name);
    assert_eq!(field(&asked, "client_id"), "sigstore");
    assert_eq!(field(&asked, "scope"), "openid email");
    assert_eq!(field(&asked, "code_challenge_method"), "S256");
    let polls = trusted.provider.forms("/token");
    assert!(polls.len() >= 2, "{polls:?}");
    for poll in &polls {
        assert_eq!(field(poll, "grant_type"), "urn:ietf:params:oauth:grant-type:device_code");
        assert_eq!(field(poll, "device_code"), "the-device-code");
        assert_eq!(field(poll, "client_id"), "sigstore");
        let hashed = segment(&e2e::sha256(field(poll, "code_verifier").as_bytes()));
        assert_eq!(hashed, field(&asked, "code_challenge"));
    }
}

/// The client's half: no page but a plain one is shown, nothing is signed for a token of another
/// client, and a code that was denied or has expired ends the run.
#[test]
fn device_flow_resists_phishing() {
    let trusted = Trusted::new();
    let details = |page: &str| {
        json!({
            "device_code": "d", "user_code": "A-B", "verification_uri": page, "expires_in": 60,
            "interval": 1,
        })
    };
    let plain = format!("{}/p", trusted.provider.url());
    for (page, error, claims, said) in [
        ("javascript:alert(1)", "", json!({}), "is neither https nor on this machine"),
        ("http://phish.example/", "", json!({}), "is neither https nor on this machine"),
        (&plain, "access_denied", json!({}), "[sign-in-refused]"),
        (&plain, "expired_token", json!({}), "[sign-in-refused]"),
        (&plain, "", json!({ "aud": "other" }), "[sign-in-failed]"),
        (&plain, "", json!({ "iss": "https://evil.example" }), "[sign-in-failed]"),
    ] {
        trusted.provider.page("/device", &details(page));
        if error.is_empty() {
            trusted.gives(&trusted.token(&claims));
        } else {
            trusted.refuses("/token", error);
        }
        let desk = Desk::new();
        desk.sign("device", &["--instance", trusted.instance()]).end().expect(1, &[said]);
        assert!(!desk.path("f.sigstore.json").exists());
    }
    trusted.provider.page("/device", &details(&plain));
    trusted.gives(&trusted.token(&json!({})));
    let desk = Desk::new();
    desk.sign("device", &["--instance", trusted.instance()]).end().expect(0, &[]);
}

/// A folder like an instance's own, with a notice in its description.
fn with_notice(instance: &Instance, desk: &Desk) -> String {
    let public = desk.path("instance/public");
    fs::create_dir_all(&public).unwrap();
    for name in ["trusted_root.json", "signing_config.v0.2.json"] {
        fs::copy(instance.dir().join("public").join(name), public.join(name)).unwrap();
    }
    let base = instance.base();
    let description = json!({
        "mediaType": "application/vnd.paraph.instance.v1+json",
        "name": "Example Org",
        "clientId": "sigstore",
        "notice": "Your address will be public.",
        "faces": {
            "ca": base, "log": base, "ct": base, "tsa": format!("{base}/api/v1/timestamp"),
            "oidc": format!("{base}/oidc"), "tuf": format!("{base}/tuf"),
        },
    });
    fs::write(public.join("paraph_instance.v1.json"), description.to_string()).unwrap();
    desk.path("instance").to_str().unwrap().to_owned()
}

#[test]
fn consent_names_the_public_email() {
    let instance = Instance::shared();
    let desk = Desk::new();
    let folder = with_notice(&instance, &desk);
    fs::write(desk.path("token"), token(&instance, ALICE)).unwrap();
    let arguments = ["sign-blob", "f", "--instance", &folder, "--identity-token", "token"];
    let home = desk.path("home");
    let run = |more: &[&str]| {
        let mut command = desk.command("signer", &[&arguments, more].concat());
        Ended::of(command.env("HOME", &home).output().unwrap())
    };

    // Nobody there: the notice is in the message, and nothing is sent.
    run(&[]).expect(1, &["[usage]", "Example Org", "Your address will be public.", "--yes"]);
    assert!(!desk.path("f.sigstore.json").exists());
    run(&["--yes"]).expect(0, &[]);
    fs::remove_file(desk.path("f.sigstore.json")).unwrap();

    // Somebody there: they are shown who they are, and asked; a no ends it.
    let question = ["Your address will be public.", "about to sign as alice@example.com", "[y/N]"];
    let refused = at_a_terminal(&desk, &arguments, "n\n");
    for part in question.iter().chain(&["was not agreed to"]) {
        assert!(refused.contains(part), "{part:?} not in {refused}");
    }
    assert!(!desk.path("f.sigstore.json").exists());
    let agreed = at_a_terminal(&desk, &arguments, "y\n");
    assert!(agreed.contains("[y/N]") && desk.path("f.sigstore.json").exists(), "{agreed}");
    // Once and for all, with a terminal or without.
    let again = at_a_terminal(&desk, &arguments, "");
    assert!(!again.contains("[y/N]"), "{again}");
    run(&[]).expect(0, &[]);
}

/// Runs `signer` on a terminal of its own (`script`, of util-linux), and types.
fn at_a_terminal(desk: &Desk, arguments: &[&str], typed: &str) -> String {
    let line = [&[e2e::binaries::binary("signer").to_str().unwrap()], arguments].concat().join(" ");
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .current_dir(desk.path("."))
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", desk.path("home"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(typed.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

//! Whatever an issuer puts into its tokens: nothing panics, and what is accepted is an identity
//! that stands in a certificate and can be read out of it again.

use ca::admit::admit;
use ca::identity::{Identities, IssuerConfig, Token, TokenRefusal, VerifiedIdentity};
use ca::issue::issue;
use ca::proof::{self, KeyRule};
use formats::certificate::SubjectName;
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::EncodePublicKey as _;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Map, Value, json};

use crate::desk::Desk;

const ISSUER: &str = "https://id.example";

const KINDS: [&str; 17] = [
    "type = \"email\"",
    "type = \"email-without-verified-claim\"",
    "type = \"email\"\nissuer_claim = \"$.federated_claims.connector_id\"\n\
     issuer_claim_values = [\"https://up.example\"]",
    "type = \"username\"\nsubject_domain = \"id.example\"",
    "type = \"uri\"\nsubject_domain = \"https://id.example\"",
    "type = \"spiffe\"\ntrust_domain = \"td.example\"",
    "type = \"kubernetes\"",
    "type = \"chainguard-identity\"",
    "type = \"ci\"\nprovider = \"github-actions\"",
    "type = \"ci\"\nprovider = \"gitlab\"",
    "type = \"ci\"\nprovider = \"buildkite\"",
    "type = \"ci\"\nprovider = \"circleci\"",
    "type = \"ci\"\nprovider = \"codefresh\"",
    "type = \"ci\"\nprovider = \"buddy\"",
    "type = \"github-workflow\"",
    "type = \"gitlab-pipeline\"",
    "type = \"codefresh-workflow\"",
];

/// Claims with which each of the types is satisfied, so that one odd value does not hide behind a
/// missing one.
fn whole() -> Map<String, Value> {
    let mut claims = json!({
        "sub": "https://id.example/a",
        "email": "al@b.example",
        "email_verified": true,
        "federated_claims": { "connector_id": "https://up.example" },
        "kubernetes.io": {
            "namespace": "build",
            "serviceaccount": { "name": "signer", "uid": "49ad3572" },
        },
        "ref_type": "branch",
        "ci_config_ref_uri": "gitlab.example/g/p//.gitlab-ci.yml@refs/heads/main",
    });
    for name in NAMES {
        claims.as_object_mut().unwrap().entry(name).or_insert_with(|| json!("a"));
    }
    claims.as_object().unwrap().clone()
}

/// Every claim that a type or a shipped template reads.
const NAMES: [&str; 58] = [
    "sub",
    "email",
    "email_verified",
    "federated_claims",
    "kubernetes.io",
    "url",
    "ref",
    "sha",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "repository_visibility",
    "run_id",
    "run_attempt",
    "workflow",
    "event_name",
    "workflow_ref",
    "workflow_sha",
    "job_workflow_ref",
    "job_workflow_sha",
    "runner_environment",
    "environment",
    "namespace_id",
    "namespace_path",
    "project_id",
    "project_path",
    "project_visibility",
    "pipeline_id",
    "pipeline_source",
    "job_id",
    "ref_type",
    "runner_id",
    "ci_config_ref_uri",
    "ci_config_sha",
    "organization_slug",
    "pipeline_slug",
    "build_number",
    "build_commit",
    "build_source",
    "oidc.circleci.com/project-id",
    "oidc.circleci.com/pipeline-id",
    "oidc.circleci.com/pipeline-definition-id",
    "oidc.circleci.com/workflow-id",
    "oidc.circleci.com/job-id",
    "oidc.circleci.com/ssh-rerun",
    "oidc.circleci.com/vcs-origin",
    "account_id",
    "account_name",
    "pipeline_name",
    "platform_url",
    "workflow_id",
    "scm_repo_url",
    "workspace_domain",
    "project_name",
    "execution_id",
    "base_url",
    "revision",
];

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9/@.:!#_-]{0,24}",
        "\\PC{0,12}",
        ".{0,12}",
        Just("a\u{0}b".to_owned()),
        Just("a\r\nb".to_owned()),
        Just("../../x".to_owned()),
        Just("%2e%2e/x".to_owned()),
        Just("ceo@corp.example".to_owned()),
        Just("spiffe://td.example/a".to_owned()),
        Just("https://id.example/b c".to_owned()),
        Just("https://user@h.example/x?y#z".to_owned()),
        Just("\u{202e}gpj.exe".to_owned()),
        Just(String::new()),
        Just("a".repeat(3000)),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        8 => text().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<u64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(
                "[a-z]{1,4}|namespace|serviceaccount|name|uid|connector_id",
                inner,
                0..4
            )
            .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

#[test]
fn whatever_is_claimed_an_identity_is_one() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let desk = Desk::new();
    let doors: Vec<Identities> = KINDS.into_iter().map(|lines| door(&desk, lines)).collect();
    let accepted = std::cell::Cell::new(0);
    let changes = prop::collection::vec((prop::sample::select(&NAMES[..]), value()), 0..4);
    let config = Config { cases: 200, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&changes, |changes| {
            let mut claims = whole();
            for (name, value) in &changes {
                claims.insert((*name).to_owned(), value.clone());
            }
            for door in &doors {
                match runtime.block_on(verify(&desk, door, &claims)) {
                    Err(refusal) => {
                        prop_assert!(!refusal.to_string().contains(char::is_control), "{refusal}");
                    }
                    Ok(identity) => {
                        accepted.set(accepted.get() + 1);
                        check(&identity)?;
                        // One in eight goes all the way: the log makes it slow.
                        if accepted.get() % 8 == 1 {
                            runtime.block_on(certify(&desk, identity))?;
                        }
                    }
                }
            }
            Ok(())
        })
        .unwrap();
    assert!(accepted.get() > 500, "only {} were accepted: nothing was tried", accepted.get());
}

fn door(desk: &Desk, lines: &str) -> Identities {
    let text = format!("url = \"{ISSUER}\"\nclient_id = \"sigstore\"\n{lines}");
    let config: IssuerConfig = toml::from_str(&text).unwrap();
    let identities = Identities::new(vec![config], desk.clock.as_seconds()).unwrap();
    identities.pin_keys(ISSUER, desk.issuer.jwks()).unwrap();
    identities
}

async fn verify(
    desk: &Desk,
    door: &Identities,
    claims: &Map<String, Value>,
) -> Result<VerifiedIdentity, TokenRefusal> {
    let now = desk.clock.now();
    let mut claims = claims.clone();
    for (name, value) in [
        ("iss", json!(ISSUER)),
        ("aud", json!("sigstore")),
        ("iat", json!(now)),
        ("exp", json!(now + 300)),
    ] {
        claims.insert(name.to_owned(), value);
    }
    // Service accounts and workloads have a sub of their own form.
    let kind = door.configuration()["issuers"][0]["issuerType"].clone();
    if claims["sub"] == "https://id.example/a" {
        claims["sub"] = match kind.as_str().unwrap() {
            "kubernetes" => json!("system:serviceaccount:build:signer"),
            "spiffe" => json!("spiffe://td.example/a"),
            _ => json!("https://id.example/a"),
        };
    }
    if kind != "ci-provider" || claims["platform_url"] == "a" {
        claims.remove("platform_url");
    }
    for name in ["url", "base_url", "platform_url"] {
        if claims.get(name) == Some(&json!("a")) {
            claims.remove(name);
        }
    }
    let token = desk.issuer.mint(&Value::Object(claims)).unwrap();
    door.verify(&Token::new(token.into_bytes())?).await
}

fn check(identity: &VerifiedIdentity) -> Result<(), TestCaseError> {
    let printable = |text: &str| !text.is_empty() && !text.contains(char::is_control);
    let ascii = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    match identity.subject() {
        SubjectName::Email(name) => prop_assert!(ascii(name) && name.contains('@'), "{name:?}"),
        SubjectName::Uri(name) => {
            prop_assert!(ascii(name) && name.contains("://"), "{name:?}");
            prop_assert!(!name.contains("/../"), "{name:?}");
        }
        SubjectName::OtherName(name) => {
            prop_assert!(printable(name) && name.ends_with("!id.example"), "{name:?}");
            prop_assert!(!name.contains('@') && name.matches('!').count() == 1, "{name:?}");
        }
    }
    prop_assert!(ascii(identity.issuer()));
    prop_assert!(printable(identity.challenge()) && printable(identity.token_subject()));
    for (number, text) in identity.extensions() {
        prop_assert!(matches!(number, 2..=6 | 9..=23) && printable(text), "{number} {text:?}");
    }
    Ok(())
}

async fn certify(desk: &Desk, identity: VerifiedIdentity) -> Result<(), TestCaseError> {
    let (subject, issuer) = (identity.subject().clone(), identity.issuer().to_owned());
    let extensions = identity.extensions().to_vec();
    let key = SigningKey::try_generate().unwrap();
    let signature: p256::ecdsa::DerSignature = key.sign(identity.challenge().as_bytes());
    let spki = key.verifying_key().to_public_key_der().unwrap();
    let rules = &KeyRule::DEFAULTS;
    let proven =
        proof::signed_challenge(spki.as_bytes(), signature.as_bytes(), &identity, rules).unwrap();
    let issued = issue(&desk.authority(), admit(identity).unwrap(), proven).await.unwrap();
    let read = issued.leaf().identity().unwrap();
    prop_assert_eq!(read.subject, subject);
    prop_assert_eq!(read.issuer, issuer);
    let found: Vec<(u8, String)> = read
        .extensions
        .present()
        .map(|(number, text)| (number.parse().unwrap(), text.to_owned()))
        .filter(|(number, _)| *number != 24)
        .collect();
    prop_assert_eq!(found, extensions);
    Ok(())
}

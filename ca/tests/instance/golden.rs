//! A certificate for each type of issuer and each shipped provider, compared byte for byte.
//!
//! The expected values are written by hand from Fulcio's tables: docs/oid-info.md (numbers,
//! encodings and what each provider's claims become), its code of each type, and the templates of
//! its published configuration. None of them was printed by this server.

use ca::admit::admit;
use ca::identity::{Identities, IssuerConfig, Token};
use ca::issue::issue;
use ca::proof::{self, KeyRule};
use formats::certificate::{Certificate, oid};
use p256::ecdsa::SigningKey;
use p256::ecdsa::signature::Signer as _;
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::EncodePublicKey as _;
use serde_json::{Value, json};

use crate::desk::Desk;

/// One certificate: the entry, the claims besides times and audience, what a client signs, the
/// one subject, and the extensions besides 1, 8 and 24.
struct Golden {
    issuer: &'static str,
    lines: &'static str,
    claims: Value,
    challenge: &'static str,
    subject: San,
    extensions: &'static [(u8, &'static str)],
}

enum San {
    Email(&'static str),
    Uri(&'static str),
    User(&'static str),
}

async fn certificate(golden: &Golden) -> Certificate {
    let desk = Desk::new();
    let text = format!(
        "url = \"{}\"\nclient_id = \"sigstore\"\nallow = [{{ anyone = true }}]\n{}",
        golden.issuer, golden.lines
    );
    let config: IssuerConfig = toml::from_str(&text).unwrap();
    let identities = Identities::new(vec![config], desk.clock.as_seconds()).unwrap();
    identities.pin_keys(golden.issuer, desk.issuer.jwks()).unwrap();
    let now = desk.clock.now();
    let mut claims = golden.claims.clone();
    for (name, value) in [
        ("iss", json!(golden.issuer)),
        ("aud", json!("sigstore")),
        ("iat", json!(now)),
        ("exp", json!(now + 300)),
    ] {
        claims[name] = value;
    }
    let token = Token::new(desk.issuer.mint(&claims).unwrap().into_bytes()).unwrap();
    let identity = identities.verify(&token).await.unwrap();
    let key = SigningKey::try_generate().unwrap();
    let signature: p256::ecdsa::DerSignature = key.sign(golden.challenge.as_bytes());
    let spki = key.verifying_key().to_public_key_der().unwrap();
    let rules = &KeyRule::DEFAULTS;
    let proven =
        proof::signed_challenge(spki.as_bytes(), signature.as_bytes(), &identity, rules).unwrap();
    let issued = issue(&desk.authority(), admit(identity).unwrap(), proven).await.unwrap();
    issued.leaf().clone()
}

async fn check(golden: Golden) {
    let leaf = certificate(&golden).await;
    let san = leaf.extension(oid::SUBJECT_ALT_NAME).unwrap();
    assert!(san.critical, "{}", golden.lines);
    assert_eq!(san.value, san_bytes(&golden.subject), "{}", golden.lines);
    let sub = golden.claims["sub"].as_str().unwrap();
    let mut expected: Vec<(u8, Vec<u8>)> = golden
        .extensions
        .iter()
        .copied()
        .chain([(1, golden.issuer), (8, golden.issuer), (24, sub)])
        .map(|(number, text)| (number, extension_bytes(number, text)))
        .collect();
    expected.sort();
    let found: Vec<(u8, Vec<u8>)> = leaf
        .extensions()
        .iter()
        .filter_map(|e| Some((e.oid.strip_prefix(ARC)?.parse().unwrap(), e.value.clone())))
        .collect();
    assert_eq!(found, expected, "{}", golden.lines);
}

const ARC: &str = "1.3.6.1.4.1.57264.1.";

/// docs/oid-info.md: 1 to 6 hold the text itself, 8 and later a DER UTF8String.
fn extension_bytes(number: u8, text: &str) -> Vec<u8> {
    if number <= 6 { text.as_bytes().to_vec() } else { der(0x0c, text.as_bytes()) }
}

/// RFC 5280 4.2.1.6: GeneralNames with one name; [1] rfc822Name, [6] URI, [0] otherName with
/// Fulcio's type id 1.3.6.1.4.1.57264.1.7 and an explicit UTF8String.
fn san_bytes(subject: &San) -> Vec<u8> {
    let name = match subject {
        San::Email(text) => der(0x81, text.as_bytes()),
        San::Uri(text) => der(0x86, text.as_bytes()),
        San::User(text) => {
            let id = [0x06, 0x0a, 0x2b, 6, 1, 4, 1, 0x83, 0xbf, 0x30, 1, 7];
            der(0xa0, &[&id[..], &der(0xa0, &der(0x0c, text.as_bytes()))].concat())
        }
    };
    der(0x30, &name)
}

fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut out = vec![tag];
    match length {
        0..128 => out.push(u8::try_from(length).unwrap()),
        128..256 => out.extend([0x81, u8::try_from(length).unwrap()]),
        _ => out.extend([&[0x82][..], &u16::try_from(length).unwrap().to_be_bytes()].concat()),
    }
    out.extend(content);
    out
}

#[tokio::test]
async fn golden_email() {
    check(Golden {
        issuer: "https://id.example",
        lines: "type = \"email\"",
        claims: json!({ "sub": "1012", "email": "Al+x@b.example", "email_verified": true }),
        challenge: "Al+x@b.example",
        subject: San::Email("Al+x@b.example"),
        extensions: &[],
    })
    .await;
    check(Golden {
        issuer: "https://id.example",
        lines: "type = \"email-without-verified-claim\"",
        claims: json!({ "sub": "1012", "email": "al@b.example" }),
        challenge: "al@b.example",
        subject: San::Email("al@b.example"),
        extensions: &[],
    })
    .await;
}

#[tokio::test]
async fn golden_mapped_issuer() {
    let golden = Golden {
        issuer: "https://dex.example/auth",
        lines: "type = \"email\"\nissuer_claim = \"$.federated_claims.connector_id\"\n\
                issuer_claim_values = [\"https://github.com/login/oauth\"]",
        claims: json!({ "sub": "Cg0w", "email": "al@b.example", "email_verified": true,
            "federated_claims": { "connector_id": "https://github.com/login/oauth" } }),
        challenge: "al@b.example",
        subject: San::Email("al@b.example"),
        extensions: &[],
    };
    let leaf = certificate(&golden).await;
    let value = |number: &str| leaf.extension(&format!("{ARC}{number}")).unwrap().value.clone();
    assert_eq!(value("1"), b"https://github.com/login/oauth");
    assert_eq!(value("8"), der(0x0c, b"https://github.com/login/oauth"));
}

#[tokio::test]
async fn golden_username() {
    check(Golden {
        issuer: "https://id.example",
        lines: "type = \"username\"\nsubject_domain = \"id.example\"",
        claims: json!({ "sub": "f\u{fc}\u{df}ler" }),
        challenge: "f\u{fc}\u{df}ler",
        subject: San::User("f\u{fc}\u{df}ler!id.example"),
        extensions: &[],
    })
    .await;
}

#[tokio::test]
async fn golden_uri() {
    check(Golden {
        issuer: "https://id.example",
        lines: "type = \"uri\"\nsubject_domain = \"https://id.example\"",
        claims: json!({ "sub": "https://id.example/users/1" }),
        challenge: "https://id.example/users/1",
        subject: San::Uri("https://id.example/users/1"),
        extensions: &[],
    })
    .await;
}

#[tokio::test]
async fn golden_spiffe() {
    check(Golden {
        issuer: "https://spire.example",
        lines: "type = \"spiffe\"\ntrust_domain = \"td.example\"",
        claims: json!({ "sub": "spiffe://td.example/ns/build/sa/signer" }),
        challenge: "spiffe://td.example/ns/build/sa/signer",
        subject: San::Uri("spiffe://td.example/ns/build/sa/signer"),
        extensions: &[],
    })
    .await;
}

#[tokio::test]
async fn golden_kubernetes() {
    check(Golden {
        issuer: "https://kubernetes.default.svc.cluster.local",
        lines: "type = \"kubernetes\"",
        claims: json!({
            "sub": "system:serviceaccount:default:signer",
            "kubernetes.io": {
                "namespace": "default",
                "pod": { "name": "oidc-test", "uid": "49ad3572-b3dd-43a6-8d77-5858d3660275" },
                "serviceaccount":
                    { "name": "signer", "uid": "f5720c1d-e152-4356-a897-11b07aff165d" },
            },
        }),
        challenge: "system:serviceaccount:default:signer",
        subject: San::Uri("https://kubernetes.io/namespaces/default/serviceaccounts/signer"),
        extensions: &[],
    })
    .await;
}

#[tokio::test]
async fn golden_chainguard_identity() {
    for (email, challenge) in [(Value::Null, "0a/1b"), (json!("al@b.example"), "al@b.example")] {
        check(Golden {
            issuer: "https://issuer.enforce.dev",
            lines: "type = \"chainguard-identity\"",
            claims: json!({ "sub": "0a/1b", "email": email, "email_verified": true }),
            challenge,
            subject: San::Uri("https://issuer.enforce.dev/0a/1b"),
            extensions: &[],
        })
        .await;
    }
}

fn github() -> Value {
    json!({
        "sub": "repo:octo-org/octo-repo:environment:prod",
        "ref": "refs/heads/main",
        "sha": "0123456789abcdef0123456789abcdef01234567",
        "repository": "octo-org/octo-repo",
        "repository_id": "74",
        "repository_owner": "octo-org",
        "repository_owner_id": "65",
        "repository_visibility": "private",
        "run_id": "1122",
        "run_attempt": "2",
        "workflow": "Release <all>",
        "event_name": "push",
        "workflow_ref": "octo-org/octo-repo/.github/workflows/release.yml@refs/heads/main",
        "workflow_sha": "89abcdef0123456789abcdef0123456789abcdef",
        "job_workflow_ref": "octo-org/shared/.github/workflows/a b.yml@refs/tags/v1",
        "job_workflow_sha": "fedcba9876543210fedcba9876543210fedcba98",
        "runner_environment": "github-hosted",
        "environment": "prod",
    })
}

/// What both of GitHub's types say, but for 9 and 23.
const GITHUB: [(u8, &str); 18] = [
    (2, "push"),
    (3, "0123456789abcdef0123456789abcdef01234567"),
    (4, "Release <all>"),
    (5, "octo-org/octo-repo"),
    (6, "refs/heads/main"),
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
    (20, "push"),
    (21, "https://github.com/octo-org/octo-repo/actions/runs/1122/attempts/2"),
    (22, "private"),
];

const GITHUB_SUBJECT: &str =
    "https://github.com/octo-org/shared/.github/workflows/a%20b.yml@refs/tags/v1";

#[tokio::test]
async fn golden_ci_github_actions() {
    let raw = "https://github.com/octo-org/shared/.github/workflows/a b.yml@refs/tags/v1";
    check(Golden {
        issuer: "https://token.actions.githubusercontent.com",
        lines: "type = \"ci\"\nprovider = \"github-actions\"",
        claims: github(),
        challenge: "repo:octo-org/octo-repo:environment:prod",
        subject: San::Uri(GITHUB_SUBJECT),
        extensions: [&GITHUB[..], &[(9, raw), (23, "prod")]].concat().leak(),
    })
    .await;
}

#[tokio::test]
async fn golden_github_workflow() {
    check(Golden {
        issuer: "https://token.actions.githubusercontent.com",
        lines: "type = \"github-workflow\"",
        claims: github(),
        challenge: "repo:octo-org/octo-repo:environment:prod",
        subject: San::Uri(GITHUB_SUBJECT),
        extensions: [&GITHUB[..], &[(9, GITHUB_SUBJECT)]].concat().leak(),
    })
    .await;
}

#[tokio::test]
async fn golden_ci_github_enterprise_server() {
    let mut claims = github();
    claims["job_workflow_ref"] = json!("o/r/.github/workflows/a.yml@refs/heads/main");
    let leaf = certificate(&Golden {
        issuer: "https://ghes.example/_services/token",
        lines: "type = \"ci\"\nprovider = \"github-actions\"",
        claims,
        challenge: "repo:octo-org/octo-repo:environment:prod",
        subject: San::Uri(""),
        extensions: &[],
    })
    .await;
    let own = "https://ghes.example/o/r/.github/workflows/a.yml@refs/heads/main";
    let san = &leaf.extension(oid::SUBJECT_ALT_NAME).unwrap().value;
    assert_eq!(*san, san_bytes(&San::Uri(own)));
    let repository = &leaf.extension(&format!("{ARC}12")).unwrap().value;
    assert_eq!(*repository, der(0x0c, b"https://ghes.example/octo-org/octo-repo"));
}

fn gitlab() -> Value {
    json!({
        "sub": "project_path:my-group/my-project:ref_type:branch:ref:main",
        "namespace_id": "72",
        "namespace_path": "my-group",
        "project_id": "20",
        "project_path": "my-group/my-project",
        "pipeline_id": "574",
        "pipeline_source": "push",
        "job_id": "302",
        "ref": "main",
        "ref_type": "branch",
        "runner_id": 1,
        "runner_environment": "gitlab-hosted",
        "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc",
        "project_visibility": "public",
        "ci_config_ref_uri": "gitlab.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main",
        "ci_config_sha": "714a629c0b401fdce83e847fc9589983fc6f46bd",
        "environment": "test",
    })
}

const GITLAB_SUBJECT: &str =
    "https://gitlab.com/my-group/my-project//.gitlab-ci.yml@refs/heads/main";

/// What both of GitLab's types say, but for 14 and 23.
const GITLAB: [(u8, &str); 13] = [
    (9, GITLAB_SUBJECT),
    (10, "714a629c0b401fdce83e847fc9589983fc6f46bd"),
    (11, "gitlab-hosted"),
    (12, "https://gitlab.com/my-group/my-project"),
    (13, "714a629c0b401fdce83e847fc9589983fc6f46bc"),
    (15, "20"),
    (16, "https://gitlab.com/my-group"),
    (17, "72"),
    (18, GITLAB_SUBJECT),
    (19, "714a629c0b401fdce83e847fc9589983fc6f46bd"),
    (20, "push"),
    (21, "https://gitlab.com/my-group/my-project/-/jobs/302"),
    (22, "public"),
];

#[tokio::test]
async fn golden_ci_gitlab() {
    check(Golden {
        issuer: "https://gitlab.com",
        lines: "type = \"ci\"\nprovider = \"gitlab\"",
        claims: gitlab(),
        challenge: "project_path:my-group/my-project:ref_type:branch:ref:main",
        subject: San::Uri(GITLAB_SUBJECT),
        extensions: [&GITLAB[..], &[(14, "refs/heads/main"), (23, "test")]].concat().leak(),
    })
    .await;
}

#[tokio::test]
async fn golden_gitlab_pipeline() {
    let mut claims = gitlab();
    claims["ref"] = json!("v1");
    claims["ref_type"] = json!("tag");
    check(Golden {
        issuer: "https://gitlab.com",
        lines: "type = \"gitlab-pipeline\"",
        claims,
        challenge: "project_path:my-group/my-project:ref_type:branch:ref:main",
        subject: San::Uri(GITLAB_SUBJECT),
        extensions: [&GITLAB[..], &[(14, "refs/tags/v1")]].concat().leak(),
    })
    .await;
}

fn buildkite() -> Value {
    json!({
        "sub": "organization:acme-inc:pipeline:bash-example:ref:refs/heads/main:commit:f00d:step:b",
        "organization_slug": "acme-inc",
        "pipeline_slug": "bash-example",
        "build_number": 5,
        "build_branch": "main",
        "build_tag": null,
        "build_commit": "b5ffe3aeea51cec6c41aef16e45ee6bce47d8810",
        "build_source": "webhook",
        "step_key": null,
        "job_id": "01894ab0-bf35-4c2c-9c1a-6d3a1d6cc1b2",
        "agent_id": "01894aaf-0c1d-4b21-9a3c-43c1c2e4d5f6",
        "runner_environment": "self-hosted",
    })
}

#[tokio::test]
async fn golden_ci_buildkite() {
    check(Golden {
        issuer: "https://agent.buildkite.com",
        lines: "type = \"ci\"\nprovider = \"buildkite\"",
        claims: buildkite(),
        challenge:
            "organization:acme-inc:pipeline:bash-example:ref:refs/heads/main:commit:f00d:step:b",
        subject: San::Uri("https://buildkite.com/acme-inc/bash-example"),
        extensions: &[
            (11, "self-hosted"),
            (13, "b5ffe3aeea51cec6c41aef16e45ee6bce47d8810"),
            (20, "webhook"),
            (
                21,
                "https://buildkite.com/acme-inc/bash-example/builds/5#01894ab0-bf35-4c2c-9c1a-6d3a1d6cc1b2",
            ),
        ],
    })
    .await;
}

#[tokio::test]
async fn golden_buildkite_job() {
    check(Golden {
        issuer: "https://agent.buildkite.com",
        lines: "type = \"buildkite-job\"",
        claims: buildkite(),
        challenge:
            "organization:acme-inc:pipeline:bash-example:ref:refs/heads/main:commit:f00d:step:b",
        subject: San::Uri("https://buildkite.com/acme-inc/bash-example"),
        extensions: &[],
    })
    .await;
}

#[tokio::test]
async fn golden_ci_circleci() {
    // Without a rerun over SSH Fulcio's template leaves two quotation marks, and ours does too.
    for (rerun, environment) in [(json!(false), "\"\""), (json!(true), "ssh-rerun")] {
        check(Golden {
            issuer: "https://oidc.circleci.com",
            lines: "type = \"ci\"\nprovider = \"circleci\"",
            claims: json!({
                "sub": "org/0f1e/project/11aa/user/22bb/vcs-origin/github.com/o/r/vcs-ref/refs/heads/main",
                "oidc.circleci.com/project-id": "11aa",
                "oidc.circleci.com/context-ids": ["33cc"],
                "oidc.circleci.com/pipeline-id": "44dd",
                "oidc.circleci.com/pipeline-definition-id": "55ee",
                "oidc.circleci.com/workflow-id": "66ff",
                "oidc.circleci.com/job-id": "7700",
                "oidc.circleci.com/ssh-rerun": rerun,
                "oidc.circleci.com/vcs-origin": "github.com/o/r",
                "oidc.circleci.com/vcs-ref": "refs/heads/main",
            }),
            challenge:
                "org/0f1e/project/11aa/user/22bb/vcs-origin/github.com/o/r/vcs-ref/refs/heads/main",
            subject: San::Uri("https://circleci.com/api/v2/projects/11aa/pipeline-definitions/55ee"),
            extensions: vec![
                (9, "https://circleci.com/api/v2/projects/11aa/pipeline-definitions/55ee"),
                (11, environment),
                (12, "github.com/o/r"),
                (14, "refs/heads/main"),
                (18, "https://circleci.com/api/v2/pipeline/44dd/config"),
                (21, "https://app.circleci.com//workflow/66ff/job/7700"),
            ]
            .leak(),
        })
        .await;
    }
}

fn codefresh() -> Value {
    json!({
        "sub": "account:628a80b6:pipeline:65e5a53e:scm_repo_url:https://github.com/o/r:scm_ref:main",
        "account_id": "628a80b6",
        "account_name": "codefresh-account",
        "pipeline_id": "65e5a53e",
        "pipeline_name": "oidc-test/get-token",
        "workflow_id": "64f447c0",
        "scm_repo_url": "https://github.com/o/r",
        "scm_ref": "main",
        "runner_environment": "hybrid",
    })
}

#[tokio::test]
async fn golden_codefresh_of_both_types() {
    for lines in ["type = \"ci\"\nprovider = \"codefresh\"", "type = \"codefresh-workflow\""] {
        check(Golden {
            issuer: "https://oidc.codefresh.io",
            lines,
            claims: codefresh(),
            challenge:
                "account:628a80b6:pipeline:65e5a53e:scm_repo_url:https://github.com/o/r:scm_ref:main",
            subject: San::Uri(
                "https://g.codefresh.io/codefresh-account/oidc-test/get-token:628a80b6/65e5a53e",
            ),
            extensions: &[
                (9, "https://g.codefresh.io/build/64f447c0"),
                (11, "hybrid"),
                (12, "https://github.com/o/r"),
                (14, "main"),
                (18, "https://g.codefresh.io/api/pipelines/65e5a53e"),
                (21, "https://g.codefresh.io/build/64f447c0"),
            ],
        })
        .await;
    }
}

#[tokio::test]
async fn golden_ci_buddy() {
    check(Golden {
        issuer: "https://eu-oidc.buddyusercontent.com",
        lines: "type = \"ci\"\nprovider = \"buddy\"",
        claims: json!({
            "sub": "myworkspace/abc123",
            "base_url": "https://app.eu.buddy.works",
            "workspace_domain": "myworkspace",
            "project_name": "my-project",
            "pipeline_id": "123456",
            "execution_id": "65e5a53e",
            "revision": "a1b2c3d4",
        }),
        challenge: "myworkspace/abc123",
        subject: San::Uri(
            "https://app.eu.buddy.works/myworkspace/my-project/pipelines/pipeline/123456",
        ),
        extensions: &[
            (13, "a1b2c3d4"),
            (
                21,
                "https://app.eu.buddy.works/myworkspace/my-project/pipelines/pipeline/123456/execution/65e5a53e",
            ),
        ],
    })
    .await;
}

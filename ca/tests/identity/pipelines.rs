//! GitHub Actions tokens, from claims to certificate values.

use ca::identity::san::SanFault;
use ca::identity::{
    CiProvider, Identities, IssuerConfig, IssuerKind, TokenRefusal, VerifiedIdentity,
};
use formats::certificate::SubjectName;
use serde_json::{Value, json};

use crate::pinned::*;

pub const GITHUB: &str = "https://token.actions.githubusercontent.com";

pub fn github() -> IssuerKind {
    IssuerKind::Ci { provider: CiProvider::shipped("github-actions").unwrap() }
}

/// The members of the example token in GitHub's OpenID Connect reference, with values of the
/// length and alphabet that real ones have.
pub fn workflow() -> Value {
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

pub fn workflow_with(name: &str, value: Value) -> Value {
    let mut claims = workflow();
    claims[name] = value;
    claims
}

pub fn verify_workflow(claims: &Value) -> Result<VerifiedIdentity, TokenRefusal> {
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

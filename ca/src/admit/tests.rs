#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::*;
use crate::config::Config;
use crate::identity::{Claims, IssuerConfig};

const PERSON: &str = r#"{
    "iss": "https://id.example", "sub": "CgM0MjE", "email": "alice@acme.example",
    "email_verified": true, "groups": ["staff", "release"]
}"#;

/// As GitHub's documentation has it.
const GITHUB: &str = r#"{
    "iss": "https://token.actions.githubusercontent.com",
    "sub": "repo:octo-org/octo-automation:environment:prod",
    "environment": "prod", "ref": "refs/heads/main", "ref_type": "branch",
    "repository": "octo-org/octo-automation", "repository_owner": "octo-org",
    "repository_id": "74", "repository_owner_id": "65", "repository_visibility": "private",
    "job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main",
    "event_name": "workflow_dispatch", "run_attempt": "2", "repo_property_tier": ["one", "gold"]
}"#;

/// As GitLab's documentation has it.
const GITLAB: &str = r#"{
    "iss": "https://gitlab.example.com", "sub": "project_path:my-group/my-project:ref_type:branch:ref:v1",
    "namespace_id": "72", "namespace_path": "my-group", "project_id": "20",
    "project_path": "my-group/my-project", "ref": "v1", "ref_type": "branch",
    "ref_path": "refs/heads/v1", "ref_protected": "true", "environment": "test-environment2",
    "runner_id": 1, "user_access_level": "developer"
}"#;

/// As an API server of Kubernetes writes it.
const KUBERNETES: &str = r#"{
    "iss": "https://kubernetes.default.svc", "sub": "system:serviceaccount:builds:signer",
    "kubernetes.io": {
        "namespace": "builds", "serviceaccount": { "name": "signer", "uid": "0d3b" },
        "pod": { "name": "signer-1", "uid": "9f" }, "warnafter": 1800003607
    }
}"#;

const OTHER: &str = r#"{
    "iss": "https://agent.buildkite.com", "sub": "organization:acme:pipeline:app",
    "organization_slug": "acme", "pipeline_slug": "app", "build_number": 18446744073709551615,
    "ratio": 1.5, "build_tag": null, "oidc.circleci.com/ssh-rerun": false,
    "deep": { "er": { "still": "here" }, "list": ["a", 7, null, { "x": "y" }] }
}"#;

#[derive(Deserialize)]
struct Written {
    allow: AllowTables,
}

fn read(vocabulary: Vocabulary, rules: &str) -> Result<AllowRules, RuleFault> {
    let written: Written = toml::from_str(&format!("allow = [{rules}]")).unwrap();
    written.allow.read(vocabulary, "[[issuer]] x".to_owned(), Breadth::Own)
}

/// Keys that hold for [`GITHUB`], each with the claim that it reads.
const GITHUB_KEYS: [(&str, &str); 9] = [
    ("organization = 'octo-org'", "repository_owner"),
    ("organization_id = 65", "repository_owner_id"),
    ("repository = 'octo-org/*'", "repository"),
    ("repository_id = [74, 75]", "repository_id"),
    ("workflow = 'octo-org/*/.github/workflows/*@refs/**'", "job_workflow_ref"),
    ("ref = 'refs/heads/main'", "ref"),
    ("environment = 'prod'", "environment"),
    ("event = 'workflow_dispatch'", "event_name"),
    ("claims = { run_attempt = 2 }", "run_attempt"),
];

/// The claims with some of them replaced; what is replaced by "<absent>" is taken out.
fn claims(vocabulary: Vocabulary, changes: &str) -> Map<String, Value> {
    let base = match vocabulary {
        People => PERSON,
        GitHub => GITHUB,
        GitLab => GITLAB,
        Kubernetes => KUBERNETES,
        Other => OTHER,
    };
    let mut claims: Map<String, Value> = serde_json::from_str(base).unwrap();
    let changes: Map<String, Value> = serde_json::from_str(&format!("{{{changes}}}")).unwrap();
    claims.extend(changes);
    claims.retain(|_, value| value != "<absent>");
    claims
}

/// The rule that admits, or the key of each rule that does not hold.
fn verdict(rules: &AllowRules, claims: Map<String, Value>) -> Result<Option<usize>, Vec<String>> {
    let issuer = claims.get("iss").and_then(Value::as_str).unwrap_or_default().to_owned();
    match rules.judge(&issuer, &Claims::new(claims)) {
        Ok(admission) => Ok(admission.rule()),
        Err(NotAllowed::NoRuleHolds { misses, .. }) => {
            Err(misses.iter().map(|miss| miss.key().to_owned()).collect())
        }
        Err(other) => Err(vec![other.code().to_owned()]),
    }
}

/// `Admits(n)`: rule n does. `Misses`: no rule does, for these keys.
enum Says {
    Admits(usize),
    Misses(&'static [&'static str]),
}
use Says::{Admits, Misses};
use Vocabulary::{GitHub, GitLab, Kubernetes, Other, People};

const WORKFLOW: &str =
    r#"{ workflow = "octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/*" }"#;
const MAIN: &str =
    r#"{ workflow = "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main" }"#;
const ANY_WORKFLOW: &str = r#"{ workflow = "octo-org/*/.github/workflows/*.yml@refs/heads/**" }"#;

#[rustfmt::skip]
const ROWS: &[(Vocabulary, &str, &str, Says)] = &[
    // People: email_never_normalised, account_reuse_distinguishable.
    (People, r#"{ email = "alice@acme.example" }"#, "", Admits(1)),
    (People, r#"{ email = "alice@acme.example" }"#, r#""email": "Alice@acme.example""#, Misses(&["email"])),
    (People, r#"{ email = "alice@acme.example" }"#, r#""email": "al.ice@acme.example""#, Misses(&["email"])),
    (People, r#"{ email = "alice@acme.example" }"#, r#""email": "alice+x@acme.example""#, Misses(&["email"])),
    (People, r#"{ email = ["bob@acme.example", "alice@acme.example"] }"#, "", Admits(1)),
    (People, r#"{ email = "alice@acme.example" }"#, r#""email": "<absent>""#, Misses(&["email"])),
    (People, r#"{ email_domain = "acme.example" }"#, "", Admits(1)),
    (People, r#"{ email_domain = "acme.example" }"#, r#""email": "a@evil-acme.example""#, Misses(&["email_domain"])),
    (People, r#"{ email_domain = "acme.example" }"#, r#""email": "a@sub.acme.example""#, Misses(&["email_domain"])),
    (People, r#"{ email_domain = "acme.example" }"#, r#""email": "a@acme.example.evil""#, Misses(&["email_domain"])),
    (People, r#"{ email_domain = "acme.example" }"#, r#""email": "a@ACME.example""#, Misses(&["email_domain"])),
    (People, r#"{ email_domain = "acme.example" }"#, r#""email": "evil@x@acme.example""#, Misses(&["email_domain"])),
    (People, r#"{ email_domain = "acme.example" }"#, r#""email": ["alice@acme.example"]"#, Misses(&["email_domain"])),
    (People, r#"{ email_domain = "acme.example" }"#, r#""iss": "https://accounts.google.com", "hd": "acme.example""#, Admits(1)),
    (People, r#"{ email_domain = "acme.example" }"#, r#""iss": "https://accounts.google.com""#, Misses(&["email_domain"])),
    (People, r#"{ email_domain = "acme.example" }"#, r#""iss": "https://accounts.google.com", "hd": "other.example""#, Misses(&["email_domain"])),
    (People, r#"{ email_domain = ["acme.example", "other.example"] }"#, r#""iss": "https://accounts.google.com", "hd": "other.example""#, Misses(&["email_domain"])),
    (People, r#"{ subject = "CgM0MjE" }"#, "", Admits(1)),
    (People, r#"{ email = "alice@acme.example", subject = "CgM0MjE" }"#, r#""sub": "CgM5OTk""#, Misses(&["subject"])),
    (People, r#"{ group = "release" }"#, "", Admits(1)),
    (People, r#"{ group = "release" }"#, r#""groups": "release""#, Admits(1)),
    (People, r#"{ group = "release" }"#, r#""groups": ["releases", "prerelease"]"#, Misses(&["group"])),
    (People, r#"{ group = "release" }"#, r#""groups": []"#, Misses(&["group"])),
    (People, r#"{ group = "release" }"#, r#""groups": { "release": true }"#, Misses(&["group"])),
    (People, "{ anyone = true }", "", Admits(1)),
    // GitHub: names, and ids that beat them.
    (GitHub, r#"{ organization = "octo-org" }"#, "", Admits(1)),
    (GitHub, r#"{ organization = "octo-org" }"#, r#""repository_owner": "Octo-Org""#, Misses(&["organization"])),
    (GitHub, r#"{ organization = "octo-org" }"#, r#""sub": "repo:octo-org/x:ref:refs/heads/main", "repository_owner": "evil""#, Misses(&["organization"])),
    (GitHub, "{ organization_id = 65 }", "", Admits(1)),
    (GitHub, r#"{ organization_id = "65" }"#, "", Admits(1)),
    (GitHub, "{ organization_id = 65 }", r#""repository_owner_id": "650""#, Misses(&["organization_id"])),
    (GitHub, r#"{ organization = "octo-org", organization_id = 65 }"#, r#""repository_owner_id": "66""#, Misses(&["organization_id"])),
    (GitHub, r#"{ repository = "octo-org/octo-automation" }"#, "", Admits(1)),
    (GitHub, r#"{ repository = "octo-org/*" }"#, "", Admits(1)),
    (GitHub, r#"{ repository = "octo-org/*" }"#, r#""repository": "octo-org-evil/app""#, Misses(&["repository"])),
    (GitHub, r#"{ repository = "octo-org/*-automation" }"#, "", Admits(1)),
    (GitHub, "{ repository_id = [1, 74] }", "", Admits(1)),
    (GitHub, "{ repository_id = 74 }", r#""repository_id": "75""#, Misses(&["repository_id"])),
    (GitHub, "{ repository_id = 74 }", r#""repository_id": 74"#, Admits(1)),
    (GitHub, "{ repository_id = 74 }", r#""repository_id": 74.0"#, Misses(&["repository_id"])),
    // GitHub: the workflow that signs, and the repository that called it (caller_repo_checkable).
    (GitHub, MAIN, "", Admits(1)),
    (GitHub, MAIN, r#""job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main2""#, Misses(&["workflow"])),
    (GitHub, MAIN, r#""repository": "evil/caller", "repository_owner": "evil""#, Admits(1)),
    (GitHub, r#"{ workflow = "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/main", repository = "octo-org/*" }"#, r#""repository": "evil/caller""#, Misses(&["repository"])),
    (GitHub, WORKFLOW, r#""job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v1""#, Admits(1)),
    (GitHub, WORKFLOW, r#""job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/heads/a@refs/tags/v1""#, Misses(&["workflow"])),
    (GitHub, WORKFLOW, r#""job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@evil.yml@refs/tags/v1""#, Misses(&["workflow"])),
    (GitHub, ANY_WORKFLOW, "", Admits(1)),
    (GitHub, ANY_WORKFLOW, r#""job_workflow_ref": "evil/octo-org/.github/workflows/a.yml@refs/heads/main""#, Misses(&["workflow"])),
    (GitHub, ANY_WORKFLOW, r#""job_workflow_ref": "octo-org/a/.github/workflows/b.yml@refs/tags/x.yml@refs/heads/main""#, Misses(&["workflow"])),
    (GitHub, r#"{ ref = "refs/tags/*" }"#, r#""ref": "refs/tags/v1""#, Admits(1)),
    (GitHub, r#"{ ref = "refs/tags/*" }"#, r#""ref": "refs/heads/a@refs/tags/v1""#, Misses(&["ref"])),
    (GitHub, r#"{ ref = "refs/heads/release/**" }"#, r#""ref": "refs/heads/release/1/2""#, Admits(1)),
    (GitHub, r#"{ environment = "prod" }"#, "", Admits(1)),
    (GitHub, r#"{ environment = "prod" }"#, r#""environment": "<absent>""#, Misses(&["environment"])),
    (GitHub, r#"{ environment = "prod" }"#, r#""environment": """#, Misses(&["environment"])),
    (GitHub, r#"{ environment = "prod" }"#, r#""environment": null"#, Misses(&["environment"])),
    (GitHub, r#"{ environment = "p*" }"#, r#""environment": "staging""#, Misses(&["environment"])),
    (GitHub, r#"{ event = ["push", "workflow_dispatch"] }"#, "", Admits(1)),
    (GitHub, r#"{ event = ["push", "workflow_dispatch"] }"#, r#""event_name": "pull_request_target""#, Misses(&["event"])),
    (GitHub, r#"{ visibility = "private" }"#, "", Admits(1)),
    (GitHub, r#"{ visibility = "private" }"#, r#""repository_visibility": "public""#, Misses(&["visibility"])),
    (GitHub, r#"{ claims = { repo_property_tier = "gold" } }"#, "", Admits(1)),
    (GitHub, r#"{ claims = { run_attempt = 2 } }"#, "", Admits(1)),
    // Several rules, and several keys in one.
    (GitHub, r#"{ repository = "a/b" }, { environment = "x" }, { organization = "octo-org" }"#, "", Admits(3)),
    (GitHub, r#"{ repository = "a/b" }, { environment = "x" }, { organization = "y" }"#, "", Misses(&["repository", "environment", "organization"])),
    (GitHub, r#"{ organization = "octo-org", environment = "prod", ref = "refs/heads/main", event = "push" }"#, "", Misses(&["event"])),
    // GitLab: protected refs, ids, and a tag's name on a branch.
    (GitLab, r#"{ namespace = "my-group" }"#, "", Admits(1)),
    (GitLab, r#"{ namespace = ["my-group", "my-group/**"] }"#, r#""namespace_path": "my-group/sub/two""#, Admits(1)),
    (GitLab, r#"{ namespace = "my-group/**" }"#, r#""namespace_path": "my-group-evil""#, Misses(&["namespace"])),
    (GitLab, "{ namespace_id = 72 }", "", Admits(1)),
    (GitLab, r#"{ project = "my-group/*" }"#, "", Admits(1)),
    (GitLab, r#"{ project = "my-group/*" }"#, r#""project_path": "my-group/sub/app""#, Misses(&["project"])),
    (GitLab, r#"{ project = "my-group/my-project", project_id = 20 }"#, r#""project_id": "21""#, Misses(&["project_id"])),
    (GitLab, "{ protected_ref = true }", "", Admits(1)),
    (GitLab, "{ protected_ref = true }", r#""ref_protected": true"#, Admits(1)),
    (GitLab, "{ protected_ref = true }", r#""ref_protected": "false""#, Misses(&["protected_ref"])),
    (GitLab, "{ protected_ref = true }", r#""ref_protected": 1"#, Misses(&["protected_ref"])),
    (GitLab, r#"{ ref = "refs/tags/v*" }"#, "", Misses(&["ref"])),
    (GitLab, r#"{ ref = "refs/tags/v*" }"#, r#""ref_path": "refs/tags/v1""#, Admits(1)),
    (GitLab, r#"{ claims = { runner_id = 1, user_access_level = "developer" } }"#, "", Admits(1)),
    (GitLab, r#"{ environment = "test-*" }"#, "", Admits(1)),
    // Kubernetes.
    (Kubernetes, r#"{ namespace = "builds", service_account = "signer" }"#, "", Admits(1)),
    (Kubernetes, r#"{ namespace = "builds", service_account = "default" }"#, "", Misses(&["service_account"])),
    (Kubernetes, r#"{ namespace = "build*" }"#, "", Admits(1)),
    (Kubernetes, r#"{ namespace = "builds" }"#, r#""kubernetes.io": { "namespace": "" }"#, Misses(&["namespace"])),
    (Kubernetes, r#"{ namespace = "builds" }"#, r#""kubernetes.io": "builds""#, Misses(&["namespace"])),
    (Kubernetes, r#"{ service_account = "signer" }"#, r#""kubernetes.io": { "serviceaccount": "signer" }"#, Misses(&["service_account"])),
    (Kubernetes, r#"{ claims = { "kubernetes.io" = { pod = { name = "signer-*" } } } }"#, "", Admits(1)),
    (Kubernetes, r#"{ issuer = "https://kubernetes.default.svc", namespace = "builds" }"#, r#""iss": "https://other.example""#, Misses(&["issuer"])),
    // Any claim.
    (Other, r#"{ subject = "organization:acme:pipeline:app" }"#, "", Admits(1)),
    (Other, r#"{ claims = { organization_slug = "acme", pipeline_slug = ["app", "lib"] } }"#, "", Admits(1)),
    (Other, r#"{ claims = { organization_slug = "acm" } }"#, "", Misses(&["claims.organization_slug"])),
    (Other, r#"{ claims = { "oidc.circleci.com/ssh-rerun" = false } }"#, "", Admits(1)),
    (Other, r#"{ claims = { "oidc.circleci.com/ssh-rerun" = "False" } }"#, "", Misses(&["claims.oidc.circleci.com/ssh-rerun"])),
    (Other, r#"{ claims = { build_number = "18446744073709551615" } }"#, "", Admits(1)),
    (Other, r#"{ claims = { build_number = "1844674407370955161*" } }"#, r#""build_number": 18446744073709551616"#, Misses(&["claims.build_number"])),
    (Other, r#"{ claims = { ratio = "1.5" } }"#, "", Misses(&["claims.ratio"])),
    (Other, r#"{ claims = { build_tag = "null" } }"#, "", Misses(&["claims.build_tag"])),
    (Other, r#"{ claims = { deep = { er = { still = "here" } } } }"#, "", Admits(1)),
    (Other, r#"{ claims = { deep = "*here*" } }"#, "", Misses(&["claims.deep"])),
    (Other, r#"{ claims = { deep = { list = "7" } } }"#, "", Admits(1)),
    (Other, r#"{ claims = { deep = { list = "y" } } }"#, "", Misses(&["claims.deep.list"])),
    (Other, r#"{ claims = { deep = { list = { x = "y" } } } }"#, "", Misses(&["claims.deep.list.x"])),
];

#[test]
fn each_row_of_the_language() {
    assert!(ROWS.len() >= 60);
    for (vocabulary, rules, changes, says) in ROWS {
        let said = verdict(&read(*vocabulary, rules).unwrap(), claims(*vocabulary, changes));
        let expected = match says {
            Admits(rule) => Ok(Some(*rule)),
            Misses(keys) => Err(keys.iter().map(|&key| key.to_owned()).collect()),
        };
        assert_eq!(said, expected, "{rules} over {changes}");
    }
}

/// Takes out every claim at the top that a rule of the table names, one at a time.
#[test]
fn absent_claim_fails_the_rule() {
    let mut removed = 0;
    for (vocabulary, rules, changes, says) in ROWS {
        if !matches!(says, Admits(1)) || *rules == "{ anyone = true }" {
            continue;
        }
        let rules = read(*vocabulary, rules).unwrap();
        for nothing in [None, Some(json!(null)), Some(json!("")), Some(json!({})), Some(json!([]))]
        {
            for claim in rules.claims_read() {
                let mut claims = claims(*vocabulary, changes);
                claims.remove(&claim).unwrap();
                claims.extend(nothing.clone().map(|nothing| (claim.clone(), nothing)));
                assert!(verdict(&rules, claims).is_err(), "{rules:?} without {claim}");
                removed += 1;
            }
        }
    }
    assert!(removed > 200, "{removed}");
}

/// Whether the rules let the changed claims in, and let them in as they were: the two differ in
/// one thing only.
fn only_unchanged(vocabulary: Vocabulary, rules: &str, changes: &str) -> bool {
    let rules = read(vocabulary, rules).unwrap();
    verdict(&rules, claims(vocabulary, "")).is_ok()
        && verdict(&rules, claims(vocabulary, changes)).is_err()
}

#[test]
fn ids_beat_names() {
    let project = r#"{ project = "my-group/my-project", project_id = 20, protected_ref = true }"#;
    assert!(only_unchanged(GitLab, project, r#""project_id": "21""#));
    assert!(only_unchanged(GitLab, project, r#""ref_protected": "false""#));
    assert!(only_unchanged(GitHub, "{ repository_id = 74 }", r#""repository_id": "75""#));
    assert!(only_unchanged(GitHub, "{ organization_id = 65 }", r#""repository_owner_id": "66""#));
}

#[test]
fn sub_is_not_the_san() {
    let sub =
        r#""sub": "repo:octo-org/octo-automation:ref:refs/heads/main", "repository_owner": "evil""#;
    assert!(only_unchanged(GitHub, r#"{ organization = "octo-org" }"#, sub));
}

#[test]
fn caller_repo_checkable() {
    let called = MAIN.trim_end_matches('}');
    let called = format!("{called}, repository = \"octo-org/octo-automation\" }}");
    assert!(only_unchanged(GitHub, &called, r#""repository": "evil/caller""#));
    let event = r#"{ event = "workflow_dispatch" }"#;
    assert!(only_unchanged(GitHub, event, r#""event_name": "pull_request_target""#));
}

#[test]
fn ref_not_split_from_san() {
    let tag =
        r#""job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@refs/tags/v1""#;
    let evil = r#""job_workflow_ref": "octo-org/octo-automation/.github/workflows/oidc.yml@evil@refs/tags/v1""#;
    let rules = read(GitHub, WORKFLOW).unwrap();
    assert!(verdict(&rules, claims(GitHub, tag)).is_ok());
    assert!(verdict(&rules, claims(GitHub, evil)).is_err());
}

#[test]
fn account_reuse_distinguishable() {
    let alice = r#"{ email = "alice@acme.example", subject = "CgM0MjE" }"#;
    assert!(only_unchanged(People, alice, r#""sub": "CgM5OTk""#));
}

#[test]
fn email_never_normalised() {
    let alice = r#"{ email = "alice@acme.example" }"#;
    for other in ["Alice@acme.example", "alice@Acme.example", "a.lice@acme.example"] {
        assert!(only_unchanged(People, alice, &format!(r#""email": "{other}""#)), "{other}");
    }
}

#[test]
fn google_domain_needs_hd() {
    let rules = read(People, r#"{ email_domain = "acme.example" }"#).unwrap();
    let google = r#""iss": "https://accounts.google.com", "hd": "other.example""#;
    let claims = Claims::new(claims(People, google));
    let refused = rules.judge("https://accounts.google.com", &claims).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "none of the 1 allow rules of [[issuer]] x holds: rule 1: email_domain: hd is \
         \"other.example\", wanted \"acme.example\""
    );
    assert!(rules.judge("https://github.com/login/oauth", &claims).is_ok());
}

#[test]
fn wildcards_need_consent() {
    for (rules, fault) in [
        (r#"{ repository = "*" }"#, ValueFault::Anything),
        (r#"{ repository = "**" }"#, ValueFault::Anything),
        (r#"{ repository = "*/*" }"#, ValueFault::Anything),
        (r#"{ repository = "" }"#, ValueFault::Empty),
        (r#"{ repository = ["octo-org/app", "**"] }"#, ValueFault::Anything),
        (r#"{ repository = "***x" }"#, ValueFault::Stars),
        (r#"{ repository = "octo-*/app" }"#, ValueFault::AnyOwner),
        (r#"{ repository = "*/app" }"#, ValueFault::AnyOwner),
        (r#"{ organization = "octo-*" }"#, ValueFault::NoGlob),
        (r#"{ organization_id = "6*" }"#, ValueFault::Id),
        (r#"{ organization_id = "octo-org" }"#, ValueFault::Id),
        ("{ repository_id = -1 }", ValueFault::Id),
        (r#"{ subject = "repo:octo-org/*" }"#, ValueFault::NoGlob),
        (r#"{ event = "p*" }"#, ValueFault::NoGlob),
        (r#"{ claims = { actor = "*" } }"#, ValueFault::Anything),
        (r#"{ claims = { actor = "" } }"#, ValueFault::Empty),
        (r#"{ workflow = "o/r/.github/workflows/x.yml" }"#, ValueFault::Workflow),
        (r#"{ workflow = "o/**/x.yml@refs/heads/main" }"#, ValueFault::Workflow),
        (r#"{ workflow = "o/r/.github/workflows/x.yml@**" }"#, ValueFault::Workflow),
        (r#"{ workflow = "*/r/.github/workflows/x.yml@refs/x" }"#, ValueFault::AnyOwner),
        ("{ ref = \"refs/\\n\" }", ValueFault::Control),
    ] {
        match read(GitHub, rules) {
            Err(RuleFault::Value { rule: 1, fault: found, .. }) => {
                assert_eq!(found, fault, "{rules}")
            }
            other => panic!("{rules}: {other:?}"),
        }
    }
    let long = format!(r#"{{ ref = "{}" }}"#, "r".repeat(513));
    assert!(matches!(
        read(GitHub, &long),
        Err(RuleFault::Value { fault: ValueFault::TooLong, .. })
    ));
    for (rules, fault) in [
        (r#"{ email = "alice" }"#, ValueFault::Address),
        (r#"{ email = "*@acme.example" }"#, ValueFault::NoGlob),
        (r#"{ email = "a@b@acme.example" }"#, ValueFault::Address),
        (r#"{ email_domain = "@acme.example" }"#, ValueFault::Domain),
        (r#"{ email_domain = "*.acme.example" }"#, ValueFault::Domain),
        (r#"{ email_domain = "acme" }"#, ValueFault::Domain),
        (r#"{ group = "rel*" }"#, ValueFault::NoGlob),
    ] {
        match read(People, rules) {
            Err(RuleFault::Value { fault: found, .. }) => assert_eq!(found, fault, "{rules}"),
            other => panic!("{rules}: {other:?}"),
        }
    }
}

#[test]
fn empty_policy_denies() {
    assert_eq!(read(GitHub, ""), Err(RuleFault::NoRules));
    assert_eq!(read(GitHub, r#"{ organization = "x" }, {}"#), Err(RuleFault::Empty { rule: 2 }));
    assert_eq!(read(GitHub, "{ claims = {} }"), Err(RuleFault::Empty { rule: 1 }));
    assert_eq!(read(GitHub, "{ claims = { a = {} } }"), Err(RuleFault::Empty { rule: 1 }));
    let list = "a string, or a list of strings";
    let key = || "ref".to_owned();
    let expected = Err(RuleFault::Type { rule: 1, key: key(), expected: list });
    assert_eq!(read(GitHub, "{ ref = [] }"), expected);
    assert_eq!(read(GitHub, "{ ref = 7 }"), expected);
    assert_eq!(read(GitHub, r#"{ ref = ["refs/x", 7] }"#), expected);
    assert_eq!(read(GitHub, r#"{ ref = { a = "x" } }"#), expected);
    for other in ["1.5", "1979-05-27", "[[1]]"] {
        assert!(matches!(
            read(GitHub, &format!("{{ claims = {{ a = {other} }} }}")),
            Err(RuleFault::Type { .. })
        ));
    }
    assert!(matches!(read(GitHub, r#"{ claims = "x" }"#), Err(RuleFault::Type { .. })));
}

#[test]
fn anyone_is_said_loudly_and_alone() {
    assert_eq!(
        read(GitHub, r#"{ anyone = true, organization = "x" }"#),
        Err(RuleFault::AnyoneAndMore { rule: 1 })
    );
    for (vocabulary, rules, key) in [
        (GitHub, "{ anyone = false }", "anyone"),
        (GitHub, r#"{ anyone = "true" }"#, "anyone"),
        (GitLab, "{ protected_ref = false }", "protected_ref"),
        (GitLab, r#"{ protected_ref = "true" }"#, "protected_ref"),
    ] {
        let fault = RuleFault::OnlyTrue { rule: 1, key: key.to_owned() };
        assert_eq!(read(vocabulary, rules), Err(fault));
    }
}

#[test]
fn a_key_of_another_issuer_names_those_there_are() {
    for (vocabulary, rules, key, known) in [
        (People, r#"{ repository = "a/b" }"#, "repository", "email, email_domain, group, subject"),
        (GitHub, r#"{ email = "a@b.example" }"#, "email", "organization, organization_id"),
        (GitHub, r#"{ namespace = "x" }"#, "namespace", "workflow, ref, environment, event"),
        (GitHub, r#"{ repositroy = "a/b" }"#, "repositroy", "claims, anyone"),
        (GitLab, r#"{ repository = "a/b" }"#, "repository", "project_id, protected_ref"),
        (Kubernetes, r#"{ project = "x" }"#, "project", "namespace, service_account, subject"),
        (Other, r#"{ organization = "x" }"#, "organization", "subject, issuer, claims, anyone"),
    ] {
        let fault = read(vocabulary, rules).unwrap_err();
        assert!(matches!(&fault, RuleFault::Key { key: named, .. } if named == key), "{fault}");
        assert!(fault.to_string().contains(known), "{fault}");
    }
}

fn issuer(url: &str, kind: &str, rest: &str) -> Result<IssuerConfig, String> {
    let text = format!("url = \"{url}\"\nclient_id = \"sigstore\"\n{kind}\n{rest}");
    toml::from_str(&text).map_err(|error| error.to_string())
}

const ACTIONS: &str = "type = \"ci\"\nprovider = \"github-actions\"";

#[test]
fn public_issuers_are_closed_until_the_operator_says_who() {
    let public = "https://token.actions.githubusercontent.com";
    let judge = |config: IssuerConfig| config.allow.judge(public, &Claims::new(claims(GitHub, "")));

    let silent = issuer(public, ACTIONS, "").unwrap();
    assert_eq!(
        silent.allow.closed(),
        ["[[issuer]] https://token.actions.githubusercontent.com (client_id sigstore)"]
    );
    assert!(matches!(judge(silent), Err(NotAllowed::NoRules { .. })));

    let one = issuer(public, ACTIONS, "[[allow]]\norganization = \"octo-org\"").unwrap();
    assert!(one.allow.closed().is_empty());
    let admission = judge(one).unwrap();
    assert_eq!(admission.rule(), Some(1));
    assert_eq!(
        admission.to_string(),
        "rule 1 of [[issuer]] https://token.actions.githubusercontent.com (client_id sigstore)"
    );

    let own = issuer("https://github.acme.example/_services/token", ACTIONS, "").unwrap();
    assert!(own.allow.closed().is_empty());
    assert_eq!(judge(own).unwrap().rule(), None);
}

#[test]
fn a_fault_in_a_rule_stops_the_start_and_is_named() {
    for (rest, named) in [
        ("[[allow]]\norganisation = \"x\"", "organisation"),
        ("[[allow]]\norganization = \"x\"\n[[allow]]\nref = \"*\"", "rule 2"),
        ("allow = []", "empty list"),
        ("allow = \"everyone\"", "invalid type"),
        ("[[alow]]\norganization = \"x\"", "alow"),
    ] {
        let fault = issuer("https://ghes.example", ACTIONS, rest).unwrap_err();
        assert!(fault.contains(named), "{named}: {fault}");
    }
}

#[test]
fn a_rule_about_every_tenant_of_a_cloud_says_which() {
    let read = |rules: &str, vocabulary| {
        let written: Written = toml::from_str(&format!("allow = [{rules}]")).unwrap();
        written.allow.read(vocabulary, "x".to_owned(), Breadth::of_issuer("https://*.example"))
    };
    let fault = Err(RuleFault::AnyTenant { rule: 1 });
    assert_eq!(read(r#"{ namespace = "default" }"#, Kubernetes), fault);
    assert!(read(r#"{ namespace = "default", issuer = "https://a.example" }"#, Kubernetes).is_ok());
    assert!(read("{ anyone = true }", Kubernetes).is_ok());
    assert_eq!(read(r#"{ organization = "octo-org" }"#, GitHub), fault);
    assert_eq!(Breadth::of_issuer("https://token.actions.*.ghe.com"), Breadth::Wildcard);
    let enterprises = "https://token.actions.githubusercontent.com/*";
    assert_eq!(Breadth::of_issuer(enterprises), Breadth::Public, "one forge, one owner of a name");
    assert_eq!(Breadth::of_issuer("https://*.example").unstated("x".to_owned()).closed(), ["x"]);
}

#[test]
fn rules_behind_the_broker_go_by_the_certificates_issuer() {
    let github = read(People, r#"{ email = "alice@acme.example" }"#).unwrap();
    let own = AllowRules::whoever("[[sign_in.connector]] own");
    let google = AllowRules::nobody("[[sign_in.connector]] google");
    let rules = AllowRules::by_issuer(
        "[sign_in]",
        [("https://github.com/login/oauth", github), ("https://id.example", own)]
            .map(|(issuer, rules)| (issuer.to_owned(), rules))
            .into_iter()
            .chain([("https://accounts.google.com".to_owned(), google)])
            .collect(),
    );
    let alice = Claims::new(claims(People, ""));
    let bob = Claims::new(claims(People, r#""email": "bob@acme.example""#));
    assert_eq!(rules.judge("https://github.com/login/oauth", &alice).unwrap().rule(), Some(1));
    assert!(matches!(
        rules.judge("https://github.com/login/oauth", &bob),
        Err(NotAllowed::NoRuleHolds { .. })
    ));
    assert_eq!(rules.judge("https://id.example", &bob).unwrap().rule(), None);
    assert_eq!(
        rules.judge("https://evil.example", &alice),
        Err(NotAllowed::NoSuchIssuer { place: "[sign_in]".to_owned() })
    );
    assert_eq!(rules.closed(), ["[[sign_in.connector]] google"]);
}

#[test]
fn a_refusal_says_what_was_not_allowed_and_names_no_person() {
    let refusal = |vocabulary, rules: &str, changes: &str| {
        let claims = Claims::new(claims(vocabulary, changes));
        read(vocabulary, rules).unwrap().judge("https://x", &claims).unwrap_err().to_string()
    };
    let said = refusal(GitHub, r#"{ repository = ["a/b", "a/c"] }, { environment = "x" }"#, "");
    assert_eq!(
        said,
        "none of the 2 allow rules of [[issuer]] x holds: rule 1: repository: repository is \
         \"octo-org/octo-automation\", wanted \"a/b\" or \"a/c\"; rule 2: environment: \
         environment is \"prod\", wanted \"x\""
    );
    for rules in [
        r#"{ email = "secret@acme.example" }"#,
        r#"{ subject = "secret" }"#,
        r#"{ claims = { user_email = "secret@acme.example" } }"#,
    ] {
        let said = refusal(People, rules, "");
        assert!(!said.contains("secret"), "{said}");
        assert!(said.contains("one of those that ca.toml names"), "{said}");
    }
    // What a claim holds is shown, and can neither move a terminal nor fill a page.
    let said = refusal(People, r#"{ group = "x" }"#, r#""groups": "\u001b[2J\n\u202egroup""#);
    assert!(said.contains("groups is \"?[2J??group\""), "{said}");
    let long = format!(r#""groups": "{}""#, "g".repeat(5000));
    assert!(refusal(People, r#"{ group = "x" }"#, &long).len() < 250);
    let many = vec![r#"{ group = "x" }"#; 500].join(",");
    let said = refusal(People, &many, "");
    assert!(said.ends_with("; and 495 more") && said.len() < 600, "{said}");
    let read = read(People, r#"{ email = "secret@acme.example" }"#).unwrap();
    let Err(NotAllowed::NoRuleHolds { misses, .. }) =
        read.judge("https://x", &Claims::new(Map::new()))
    else {
        panic!("admitted");
    };
    assert_eq!(misses[0].wanted(), ["secret@acme.example"]);
    assert_eq!(misses[0].found(), &Found::Nothing);
    assert!(misses[0].in_full().contains("secret@acme.example"));
}

#[test]
fn the_documented_rules_are_right() {
    let document = include_str!("../../../docs/operating.md");
    let section = document.split("\n## ").find(|s| s.starts_with("Who may sign")).unwrap();
    let example = section.split("```toml\n").nth(1).and_then(|s| s.split("```").next()).unwrap();
    let config = format!(
        "name = \"x\"\n[listen]\naddress = \"127.0.0.1:1\"\n[urls]\nca = \"https://a.example\"\n\
         log = \"https://b.example\"\nct = \"https://c.example\"\ntsa = \"https://d.example/x\"\n\
         {example}"
    );
    let config = Config::parse(std::path::Path::new("ca.toml"), &config).unwrap();
    assert_eq!(config.issuers.len(), 4);
    assert!(config.issuers.iter().all(|issuer| issuer.allow.closed().is_empty()));
    // Every key has its row, and every row is a key.
    for vocabulary in [People, GitHub, GitLab, Kubernetes, Other] {
        let Err(RuleFault::Key { known, .. }) = read(vocabulary, "{ nothing = 1 }") else {
            panic!("a key too many");
        };
        for key in known.0 {
            assert!(section.contains(&format!("`{key}`")), "{key}");
        }
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z.]{0,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_a_claim_holds_is_judged(
        row in 0..ROWS.len(),
        members in prop::collection::vec((0_usize..40, any_json()), 0..6),
    ) {
        let (vocabulary, rules, ..) = &ROWS[row];
        let rules = read(*vocabulary, rules).unwrap();
        let mut claims = claims(*vocabulary, "");
        let names: Vec<String> = claims.keys().cloned().collect();
        for (name, value) in members {
            claims.insert(names[name % names.len()].clone(), value);
        }
        let judged = rules.judge("https://x", &Claims::new(claims));
        if let Err(refusal) = judged {
            prop_assert!(refusal.to_string().chars().all(|c| !c.is_control()));
        }
    }

    /// Any rule of keys that hold admits, and without any one of their claims does not.
    #[test]
    fn no_rule_admits_without_a_claim_it_names(
        which in prop::sample::subsequence(GITHUB_KEYS.to_vec(), 1..=GITHUB_KEYS.len()),
    ) {
        let written: Vec<&str> = which.iter().map(|(rule, _)| *rule).collect();
        let rules = read(GitHub, &format!("{{ {} }}", written.join(", "))).unwrap();
        prop_assert_eq!(verdict(&rules, claims(GitHub, "")), Ok(Some(1)));
        for (_, claim) in which {
            let absent = format!("\"{claim}\": \"<absent>\"");
            prop_assert!(verdict(&rules, claims(GitHub, &absent)).is_err());
        }
    }

    #[test]
    fn a_written_rule_is_read_or_refused(key in "[a-z_]{1,12}", value in "\\PC{0,20}") {
        let quoted = toml::Value::String(value).to_string();
        for vocabulary in [People, GitHub, GitLab, Kubernetes, Other] {
            let _read_or_refused = read(vocabulary, &format!("{{ {key} = {quoted} }}"));
        }
    }
}

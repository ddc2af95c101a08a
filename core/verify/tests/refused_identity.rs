//! Identities that are not the one asked for, or no identities at all.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod instance;

use formats::certificate::{IdentityError, oid};
use instance::pki::{self};
use instance::scene::{ISSUER, SUBJECT};
use instance::{Kind, Scene, der};
use verify::error::{MatchFault, PolicyFault, Refusal, SignerFault};
use verify::policy::{Claim, IdentityMatch, Matcher, Policy, WholePattern};

fn refused(change: impl FnOnce(&mut Scene)) -> Refusal {
    Scene::refused(Kind::Rekor2, change)
}

fn asked(wanted: IdentityMatch) -> Result<(), Refusal> {
    Scene::after(Kind::Rekor2, |scene| scene.policy = Some(Policy::identity(wanted))).map(|_| ())
}

fn pattern(text: &str) -> Matcher {
    Matcher::Regexp(WholePattern::new(text).unwrap())
}

#[test]
fn exact_is_literal() {
    let subject =
        |text: &str| asked(IdentityMatch::new(Matcher::exact(text), Matcher::exact(ISSUER)));
    assert_eq!(subject(SUBJECT), Ok(()));
    for other in
        [&SUBJECT.to_uppercase(), "https://ci.example.org", "", ".*", &format!("{SUBJECT} ")]
    {
        let (found, fault) = (SUBJECT.to_owned(), MatchFault::Differs);
        assert_eq!(subject(other), Err(Refusal::Policy(PolicyFault::Subject { found, fault })));
    }
}

#[test]
fn regexp_matches_whole() {
    let subject = |text: &str| asked(IdentityMatch::new(pattern(text), Matcher::exact(ISSUER)));
    assert_eq!(subject("https://ci[.]example[.]org/app/.+"), Ok(()));
    let refusal = subject("https://ci[.]example[.]org/app").unwrap_err();
    let (found, fault) = (SUBJECT.to_owned(), MatchFault::InPart);
    assert_eq!(refusal, Refusal::Policy(PolicyFault::Subject { found, fault }));
    assert!(refusal.to_string().contains("only a part"));
    assert!(refusal.to_string().contains(SUBJECT));
}

#[test]
fn all_selectors_used() {
    let issuer = |rule: Matcher| asked(IdentityMatch::new(Matcher::exact(SUBJECT), rule));
    let fault =
        |fault| Err(Refusal::Policy(PolicyFault::Issuer { found: ISSUER.to_owned(), fault }));
    assert_eq!(issuer(Matcher::exact(ISSUER)), Ok(()));
    assert_eq!(issuer(Matcher::exact("https://evil.example.org")), fault(MatchFault::Differs));
    assert_eq!(issuer(pattern("https://token[.].*")), Ok(()));
    assert_eq!(issuer(pattern("https://token")), fault(MatchFault::InPart));
    assert_eq!(issuer(pattern("http://.*")), fault(MatchFault::Differs));
}

#[test]
fn caller_repo_checkable() {
    let claim = |rules: &[(Claim, &str)]| {
        let wanted = rules.iter().fold(Scene::identity(), |wanted, (claim, value)| {
            wanted.claim(*claim, Matcher::exact(*value))
        });
        asked(wanted)
    };
    let repository = Claim::GithubWorkflowRepository;
    assert_eq!(claim(&[(repository, "example/app")]), Ok(()));
    let (found, fault) = ("example/app".to_owned(), MatchFault::Differs);
    assert_eq!(
        claim(&[(repository, "example/other")]),
        Err(Refusal::Policy(PolicyFault::Claim { claim: repository, found, fault }))
    );
    assert_eq!(claim(&[(Claim::SourceRepositoryIdentifier, "4711")]), Ok(()));
    // Every rule counts, two on one claim included.
    assert!(claim(&[(repository, "example/app"), (repository, "example/other")]).is_err());
    assert!(claim(&[(Claim::SourceRepositoryIdentifier, "4711"), (repository, "x")]).is_err());
}

#[test]
fn absent_claim_fails_the_rule() {
    for claim in Claim::ALL.iter().filter(|claim| {
        !matches!(claim, Claim::GithubWorkflowRepository | Claim::SourceRepositoryIdentifier)
    }) {
        for rule in [Matcher::exact(""), Matcher::Regexp(WholePattern::anything().unwrap())] {
            assert_eq!(
                asked(Scene::identity().claim(*claim, rule)),
                Err(Refusal::Policy(PolicyFault::ClaimAbsent(*claim)))
            );
        }
    }
    let empty = refused(|scene| {
        scene.leaf.spec.set("1.3.6.1.4.1.57264.1.23", false, der::utf8(""));
        let wanted = Scene::identity().claim(Claim::DeploymentEnvironment, Matcher::exact(""));
        scene.policy = Some(Policy::identity(wanted));
    });
    let absent = PolicyFault::ClaimAbsent(Claim::DeploymentEnvironment);
    assert_eq!(empty, Refusal::Policy(absent));
}

#[test]
fn each_claim_reads_its_own_extension() {
    for (index, claim) in Claim::ALL.iter().enumerate() {
        let number = [2, 3, 4, 5, 6].into_iter().chain(9..=24).nth(index).unwrap();
        let oid = format!("1.3.6.1.4.1.57264.1.{number}");
        let raw = number <= 6;
        let verdict = Scene::after(Kind::Rekor2, |scene| {
            let value = if raw { b"mine".to_vec() } else { der::utf8("mine") };
            scene.leaf.spec.set(&oid, false, value);
            let wanted = Scene::identity().claim(*claim, Matcher::exact("mine"));
            scene.policy = Some(Policy::identity(wanted));
        });
        assert_eq!(verdict.map(|_| ()), Ok(()), "{claim}");
    }
}

#[test]
fn one_san_one_type() {
    let named = |names: Vec<Vec<u8>>, wanted: &str| {
        let policy =
            Policy::identity(IdentityMatch::new(Matcher::exact(wanted), Matcher::exact(ISSUER)));
        Scene::after(Kind::Rekor2, |scene| {
            scene.leaf.spec.set(oid::SUBJECT_ALT_NAME, true, pki::alt_names(&names));
            scene.policy = Some(policy);
        })
        .map(|_| ())
    };
    let mail = "alice@example.org";
    assert_eq!(named(vec![pki::email(mail)], mail), Ok(()));
    assert_eq!(named(vec![pki::user_name("alice!example.org")], "alice!example.org"), Ok(()));
    let shape = Err(Refusal::Signer(SignerFault::SubjectShape));
    assert_eq!(named(vec![pki::uri(mail)], mail), shape);
    assert_eq!(named(vec![pki::user_name(mail)], mail), shape);
    assert_eq!(named(vec![pki::email(SUBJECT)], SUBJECT), shape);
    let count = IdentityError::SeveralSubjectAltNames { count: 2 };
    assert_eq!(
        named(vec![pki::email(mail), pki::email(mail)], mail),
        Err(Refusal::Signer(SignerFault::Identity(count)))
    );
    let none = refused(|scene| {
        scene.leaf.spec.name = SUBJECT.to_owned();
        scene.leaf.spec.remove(oid::SUBJECT_ALT_NAME);
    });
    assert_eq!(none, Refusal::Signer(SignerFault::Identity(IdentityError::NoSubjectAltName)));
}

#[test]
fn extensions_single_and_well_formed() {
    let identity = |change: fn(&mut Scene)| match refused(change) {
        Refusal::Signer(SignerFault::Identity(error)) => error,
        other => panic!("{other}"),
    };
    let differ = identity(|scene| {
        scene.leaf.spec.set(oid::FULCIO_ISSUER_V1, false, b"https://evil.example.org".to_vec());
    });
    assert!(matches!(differ, IdentityError::IssuersDiffer { .. }));
    let trailing = identity(|scene| {
        let value = [der::utf8(ISSUER), vec![0]].concat();
        scene.leaf.spec.set(oid::FULCIO_ISSUER_V2, false, value);
    });
    assert!(matches!(trailing, IdentityError::MalformedExtension { .. }));
    let none = identity(|scene| {
        scene.leaf.spec.remove(oid::FULCIO_ISSUER_V1);
        scene.leaf.spec.remove(oid::FULCIO_ISSUER_V2);
    });
    assert_eq!(none, IdentityError::NoIssuer);
}

#[test]
fn refused_identity_is_shown_escaped() {
    let refusal = refused(|scene| {
        let name = pki::user_name("a\u{202e}b\u{e9}!example.org");
        scene.leaf.spec.set(oid::SUBJECT_ALT_NAME, true, pki::alt_names(&[name]));
    });
    let shown = refusal.to_string();
    assert!(shown.contains("a\\u{202e}b\\u{e9}!example.org"), "{shown}");
    assert!(shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
}

#[test]
fn ref_not_split_from_san() {
    // A branch named like a tag makes a subject that ends like a tag's.
    let subject = "https://ci.example.org/app/x.yml@refs/heads/a@refs/tags/v1";
    let judge = |rule: &str| {
        Scene::after(Kind::Rekor2, |scene| {
            scene.leaf.spec.set(oid::SUBJECT_ALT_NAME, true, pki::alt_names(&[pki::uri(subject)]));
            let value = der::utf8("refs/heads/a@refs/tags/v1");
            scene.leaf.spec.set("1.3.6.1.4.1.57264.1.14", false, value);
            let wanted = IdentityMatch::new(pattern(".+@refs/tags/v1"), Matcher::exact(ISSUER))
                .claim(Claim::SourceRepositoryRef, Matcher::exact(rule));
            scene.policy = Some(Policy::identity(wanted));
        })
        .map(|_| ())
    };
    assert_eq!(judge("refs/heads/a@refs/tags/v1"), Ok(()));
    assert_eq!(judge("refs/tags/v1").unwrap_err().code(), "claim-differs");
}

#[test]
fn ids_beat_names() {
    // The same path under another owner's number.
    let wanted = || {
        Scene::identity()
            .claim(Claim::GithubWorkflowRepository, Matcher::exact("example/app"))
            .claim(Claim::SourceRepositoryIdentifier, Matcher::exact("4711"))
    };
    assert_eq!(asked(wanted()), Ok(()));
    let refusal = refused(|scene| {
        scene.leaf.spec.set("1.3.6.1.4.1.57264.1.15", false, der::utf8("4712"));
        scene.policy = Some(Policy::identity(wanted()));
    });
    assert_eq!(refusal.code(), "claim-differs");
}

//! What each type of issuer takes, and refuses, in a token whose signature holds.

use ca::identity::config::ConfigFault;
use ca::identity::kind::{ServiceAccountFault, SpiffeFault, UsernameFault};
use ca::identity::san::SanFault;
use ca::identity::{Identities, IssuerConfig, TokenRefusal, VerifiedIdentity};
use formats::certificate::SubjectName;
use serde_json::{Value, json};

use crate::pinned::*;

pub const ID: &str = "https://id.example";

/// An entry for `https://id.example` out of the lines that its type needs.
pub fn entry(lines: &str) -> Result<IssuerConfig, String> {
    entry_at(ID, lines)
}

pub fn entry_at(url: &str, lines: &str) -> Result<IssuerConfig, String> {
    let text = format!("url = \"{url}\"\nclient_id = \"sigstore\"\n{lines}");
    toml::from_str(&text).map_err(|error| error.to_string())
}

pub fn verify_under(
    configs: Vec<IssuerConfig>,
    token: &str,
) -> Result<VerifiedIdentity, TokenRefusal> {
    let urls: Vec<String> = configs.iter().map(|config| config.url.clone()).collect();
    let identities = Identities::new(configs, clock()).unwrap();
    for url in urls {
        identities.pin_keys(&url, dev().jwks()).unwrap();
    }
    verify(&identities, token)
}

/// Claims of `https://id.example` with these members besides the times and the audience.
pub fn claims(members: Value) -> Value {
    let mut claims = json!({ "iss": ID, "aud": "sigstore", "iat": NOW, "exp": NOW + 600 });
    for (name, value) in members.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

fn take(lines: &str, members: Value) -> Result<VerifiedIdentity, TokenRefusal> {
    verify_under(vec![entry(lines).unwrap()], &dev().mint(&claims(members)).unwrap())
}

fn subject(fault: SanFault) -> TokenRefusal {
    TokenRefusal::Subject { issuer: ID.to_owned(), fault }
}

const USERNAME: &str = "type = \"username\"\nsubject_domain = \"id.example\"";
const URI: &str = "type = \"uri\"\nsubject_domain = \"https://id.example\"";
const SPIFFE: &str = "type = \"spiffe\"\ntrust_domain = \"td.example\"";
const KUBERNETES: &str = "type = \"kubernetes\"";
const CHAINGUARD: &str = "type = \"chainguard-identity\"";

#[test]
fn a_user_name_stands_before_its_domain() {
    let identity = take(USERNAME, json!({ "sub": "foo bar" })).unwrap();
    assert_eq!(*identity.subject(), SubjectName::OtherName("foo bar!id.example".to_owned()));
    assert_eq!(identity.challenge(), "foo bar");
    assert!(identity.extensions().is_empty());
}

#[test]
fn san_type_follows_issuer_type_of_names_and_uris() {
    for (sub, fault) in [
        ("foo!bar", UsernameFault::ExclamationMark),
        ("ceo@corp.com", UsernameFault::LooksLikeEmail),
        ("ceo\u{ff20}corp.com", UsernameFault::LooksLikeEmail),
    ] {
        let refusal = TokenRefusal::Username { fault };
        assert_eq!(take(USERNAME, json!({ "sub": sub })), Err(refusal), "{sub}");
    }
    let long = "a".repeat(257);
    let refusal = TokenRefusal::Username { fault: UsernameFault::TooLong };
    assert_eq!(take(USERNAME, json!({ "sub": long })), Err(refusal));
    assert!(take(USERNAME, json!({ "sub": &long[..256] })).is_ok());

    // An address in a claim beside it changes nothing, and in its place is refused.
    let members = json!({ "sub": "https://id.example/a", "email": "ceo@corp.com",
        "email_verified": true });
    let identity = take(URI, members).unwrap();
    assert_eq!(*identity.subject(), SubjectName::Uri("https://id.example/a".to_owned()));
    assert_eq!(identity.challenge(), "https://id.example/a");
    let refusal = subject(SanFault::NotHttps);
    assert_eq!(take(URI, json!({ "sub": "ceo@corp.com" })), Err(refusal.clone()));
    assert_eq!(take(URI, json!({ "sub": "mailto:ceo@corp.com" })), Err(refusal));
}

#[test]
fn suffix_and_trust_domain_exact() {
    let other = || TokenRefusal::SubjectDomain { expected: ID.to_owned() };
    assert!(take(URI, json!({ "sub": "https://id.example/users/1" })).is_ok());
    for sub in [
        "https://evil.example/users/1",
        "https://a.id.example/users/1",
        "https://id.example.evil/users/1",
        "https://ID.example/users/1",
        "https://id.example:443/users/1",
        "https://id.exampl/e",
    ] {
        assert_eq!(take(URI, json!({ "sub": sub })), Err(other()), "{sub}");
    }
    for (sub, fault) in [
        ("http://id.example/users/1", SanFault::NotHttps),
        ("https://me@id.example/users/1", SanFault::Host),
        ("https://id.example/../a", SanFault::Segment),
        ("https://id.example/%2e%2e/a", SanFault::Character),
    ] {
        assert_eq!(take(URI, json!({ "sub": sub })), Err(subject(fault)), "{sub}");
    }
    assert!(take(SPIFFE, json!({ "sub": "spiffe://td.example/a" })).is_ok());
    for (sub, fault) in [
        ("spiffe://td.evil/a", SpiffeFault::TrustDomain),
        ("spiffe://a.td.example/a", SpiffeFault::TrustDomain),
        ("spiffe://td.example/", SpiffeFault::Segment),
        ("https://td.example/a", SpiffeFault::Form),
    ] {
        let refusal = TokenRefusal::SpiffeId { trust_domain: "td.example".to_owned(), fault };
        assert_eq!(take(SPIFFE, json!({ "sub": sub })), Err(refusal), "{sub}");
    }
    // In ca.toml: the issuer's own host, and not the same last two labels.
    for (url, lines, fits) in [
        (ID, USERNAME, true),
        (ID, URI, true),
        ("https://evil.co.uk", "type = \"username\"\nsubject_domain = \"a.co.uk\"", false),
        ("https://a.co.uk", "type = \"username\"\nsubject_domain = \"a.co.uk\"", true),
        ("https://evil.co.uk", "type = \"uri\"\nsubject_domain = \"https://a.co.uk\"", false),
        ("https://a.co.uk", "type = \"uri\"\nsubject_domain = \"https://a.co.uk\"", true),
        ("https://a.co.uk", "type = \"uri\"\nsubject_domain = \"https://a.co.uk/x\"", false),
        ("https://a.co.uk", "type = \"uri\"\nsubject_domain = \"a.co.uk\"", false),
        ("https://a.co.uk", "type = \"username\"\nsubject_domain = \"https://a.co.uk\"", false),
        (ID, "type = \"spiffe\"\ntrust_domain = \"spiffe://td\"", false),
        (ID, "type = \"spiffe\"\ntrust_domain = \"\"", false),
    ] {
        assert_eq!(entry_at(url, lines).is_ok(), fits, "{url} {lines}");
    }
}

#[test]
fn workload_tokens_may_be_jose_without_iat() {
    let mut workload = claims(json!({ "sub": "spiffe://td.example/ns/a/sa/b" }));
    workload.as_object_mut().unwrap().remove("iat");
    let person = claims(json!({ "sub": "1", "email": "a@b.c", "email_verified": true }));
    let signed = |claims: &Value, typ: &str| {
        let header = header_with("typ", json!(typ)).to_string();
        dev().sign(header.as_bytes(), claims.to_string().as_bytes()).unwrap()
    };
    let spiffe = || vec![entry(SPIFFE).unwrap()];
    let identity = verify_under(spiffe(), &signed(&workload, "JOSE")).unwrap();
    let expected = SubjectName::Uri("spiffe://td.example/ns/a/sa/b".to_owned());
    assert_eq!(*identity.subject(), expected);
    assert!(verify_under(spiffe(), &signed(&workload, "JWT")).is_ok());
    for typ in ["jose", "at+jwt", ""] {
        let refused = verify_under(spiffe(), &signed(&workload, typ));
        assert_eq!(refused, Err(TokenRefusal::TypeNotJwt), "{typ}");
    }
    let email = || vec![entry("type = \"email\"").unwrap()];
    assert!(verify_under(email(), &signed(&person, "JWT")).is_ok());
    assert_eq!(verify_under(email(), &signed(&person, "JOSE")), Err(TokenRefusal::TypeNotJwt));
    // The time from now counts against the cap where there is no iat.
    workload["exp"] = json!(NOW + 86_401);
    let long = verify_under(spiffe(), &signed(&workload, "JOSE")).unwrap_err();
    assert_eq!(long.code(), "token-lifetime");
}

fn service_account() -> Value {
    json!({
        "sub": "system:serviceaccount:build:signer.v1",
        "kubernetes.io": {
            "namespace": "build",
            "pod": { "name": "signer-0", "uid": "b1a7" },
            "serviceaccount": { "name": "signer.v1", "uid": "49ad3572-b3dd-43a6-8d77-5858d3660275" },
        },
    })
}

#[test]
fn a_service_account_is_its_namespace_and_name() {
    let identity = take(KUBERNETES, service_account()).unwrap();
    let uri = "https://kubernetes.io/namespaces/build/serviceaccounts/signer.v1";
    assert_eq!(*identity.subject(), SubjectName::Uri(uri.to_owned()));
    assert_eq!(identity.challenge(), "system:serviceaccount:build:signer.v1");
    assert!(identity.extensions().is_empty());
}

#[test]
fn only_bound_service_account_tokens() {
    let with = |pointer: &str, value: Value| {
        let mut members = service_account();
        *members.pointer_mut(pointer).unwrap() = value;
        let refusal = take(KUBERNETES, members);
        match refusal {
            Err(TokenRefusal::ServiceAccount { fault }) => Some(fault),
            Err(other) => panic!("{other}"),
            Ok(_) => None,
        }
    };
    assert_eq!(with("/kubernetes.io/pod", Value::Null), None, "a pod need not be named");
    use ServiceAccountFault::{Name, Namespace, NotBound, Subject};
    let (ns, account) = ("/kubernetes.io/namespace", "/kubernetes.io/serviceaccount");
    let name = "/kubernetes.io/serviceaccount/name";
    for (pointer, value, fault) in [
        ("/kubernetes.io", Value::Null, NotBound),
        ("/kubernetes.io", json!("build"), NotBound),
        (ns, Value::Null, NotBound),
        (ns, json!(7), NotBound),
        (account, Value::Null, NotBound),
        (name, Value::Null, NotBound),
        ("/kubernetes.io/serviceaccount/uid", json!(""), NotBound),
        ("/kubernetes.io/serviceaccount/uid", Value::Null, NotBound),
        (ns, json!(""), Namespace),
        (ns, json!("a/b"), Namespace),
        (ns, json!(".."), Namespace),
        (ns, json!("Build"), Namespace),
        (ns, json!("a.b"), Namespace),
        (ns, json!("-a"), Namespace),
        (ns, json!("a".repeat(64)), Namespace),
        (ns, json!("b%75ild"), Namespace),
        (name, json!(""), Name),
        (name, json!(".."), Name),
        (name, json!("a/b"), Name),
        (name, json!("a\0"), Name),
        (name, json!("other"), Subject),
        (ns, json!("other"), Subject),
        ("/sub", json!("system:serviceaccount:kube-system:signer.v1"), Subject),
        ("/sub", json!("someone"), Subject),
    ] {
        assert_eq!(with(pointer, value.clone()), Some(fault), "{pointer} {value}");
    }
    // What lies in a Secret: flat claims, no audience, no expiry.
    let flat = json!({
        "iss": ID,
        "kubernetes.io/serviceaccount/namespace": "build",
        "kubernetes.io/serviceaccount/secret.name": "signer-token-x",
        "kubernetes.io/serviceaccount/service-account.name": "signer",
        "kubernetes.io/serviceaccount/service-account.uid": "49ad3572",
        "sub": "system:serviceaccount:build:signer",
    });
    let kubernetes = || vec![entry(KUBERNETES).unwrap()];
    assert_eq!(verify_under(kubernetes(), &dev().mint(&flat).unwrap()), Err(missing("aud")));
    let refused = take(KUBERNETES, flat).unwrap_err();
    assert_eq!(refused, TokenRefusal::ServiceAccount { fault: NotBound });
}

#[test]
fn chainguards_subject_is_issuer_and_sub() {
    let uri = SubjectName::Uri(format!("{ID}/0a1b/2c3d"));
    let identity = take(CHAINGUARD, json!({ "sub": "0a1b/2c3d" })).unwrap();
    assert_eq!((identity.subject(), identity.challenge()), (&uri, "0a1b/2c3d"));
    let person = |verified: Value| {
        let members =
            json!({ "sub": "0a1b/2c3d", "email": "a@b.example", "email_verified": verified });
        take(CHAINGUARD, members)
    };
    let identity = person(json!(true)).unwrap();
    assert_eq!((identity.subject(), identity.challenge()), (&uri, "a@b.example"));
    for verified in [json!(false), Value::Null] {
        assert_eq!(person(verified), Err(TokenRefusal::EmailNotVerified));
    }
    for sub in ["../x", "a//b", "/a"] {
        assert_eq!(take(CHAINGUARD, json!({ "sub": sub })), Err(subject(SanFault::Segment)));
    }
}

#[test]
fn an_absent_email_verified_needs_a_type_that_says_so() {
    let unsaid = || json!({ "sub": "1", "email": "a@b.example" });
    let said =
        |verified: Value| json!({ "sub": "1", "email": "a@b.example", "email_verified": verified });
    let long = "type = \"email-without-verified-claim\"";
    assert_eq!(take("type = \"email\"", unsaid()), Err(TokenRefusal::EmailNotVerified));
    let identity = take(long, unsaid()).unwrap();
    assert_eq!(*identity.subject(), SubjectName::Email("a@b.example".to_owned()));
    assert!(take(long, said(json!(true))).is_ok());
    for no in [json!(false), json!("false"), json!("yes"), json!(1), json!([])] {
        assert_eq!(take(long, said(no)), Err(TokenRefusal::EmailNotVerified));
    }
    // Not for issuers at which anybody has an account.
    for url in [
        "https://accounts.google.com",
        "https://login.microsoftonline.com/common/v2.0",
        "https://login.microsoftonline.com/organizations/v2.0",
        "https://login.microsoftonline.com/consumers/v2.0",
        "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0",
        "https://gitlab.com",
        "https://oauth2.sigstore.dev/auth",
    ] {
        assert!(entry_at(url, long).unwrap_err().contains("everybody's accounts"), "{url}");
        assert!(entry_at(url, "type = \"email\"").is_ok(), "{url}");
    }
    let tenant = "https://login.microsoftonline.com/7b1d2f3e-0000-4000-8000-1a2b3c4d5e6f/v2.0";
    assert!(entry_at(tenant, long).is_ok());
}

#[test]
fn a_mapped_issuer_comes_from_a_closed_list() {
    let lines = "type = \"email\"\nissuer_claim = \"$.federated_claims.connector_id\"\n\
                 issuer_claim_values = [\"https://github.com/login/oauth\", \"https://up.example\"]";
    let members = |claims: Value| {
        let mut members = json!({ "sub": "1", "email": "a@b.example", "email_verified": true });
        members["federated_claims"] = claims;
        members
    };
    let identity =
        take(lines, members(json!({ "connector_id": "https://github.com/login/oauth" }))).unwrap();
    assert_eq!(identity.issuer(), "https://github.com/login/oauth");
    assert_eq!(identity.vouched_by().url, ID);

    let claim = || "federated_claims.connector_id".to_owned();
    for named in ["https://accounts.google.com", "", "https://up.example/", "https://UP.example"] {
        let refusal = take(lines, members(json!({ "connector_id": named }))).unwrap_err();
        assert!(matches!(&refusal, TokenRefusal::IssuerClaim { .. }), "{named}: {refusal}");
        let said = refusal.to_string();
        assert!(said.contains("https://up.example") && said.contains(&claim()), "{said}");
    }
    for absent in [json!({}), json!({ "connector_id": null }), Value::Null, json!("x")] {
        let refusal = TokenRefusal::ClaimMissing { claim: claim() };
        assert_eq!(take(lines, members(absent)), Err(refusal));
    }
    let list = take(lines, members(json!({ "connector_id": ["https://up.example"] })));
    assert_eq!(list, Err(wrong_type(&claim(), "a string")));
}

#[test]
fn an_open_issuer_claim_stops_the_start() {
    let claim = "type = \"email\"\nissuer_claim = \"$.federated_claims.connector_id\"\n";
    for values in ["", "issuer_claim_values = []"] {
        let said = entry(&format!("{claim}{values}")).unwrap_err();
        for named in [
            "issuer_claim_values",
            "https://github.com/login/oauth",
            "https://accounts.google.com",
            "https://login.microsoftonline.com",
        ] {
            assert!(said.contains(named), "{named}: {said}");
        }
    }
    let values = "issuer_claim_values = [\"https://up.example\"]";
    assert!(entry(&format!("{claim}{values}")).is_ok());
    assert!(entry(&format!("type = \"email\"\n{values}")).is_err());
    assert!(entry(&format!("{claim}issuer_claim_values = [\"a b\"]")).is_err());
    let kubernetes = claim.replace("email", "kubernetes");
    assert!(entry(&format!("{kubernetes}{values}")).unwrap_err().contains("issuer_claim"));
    for path in ["federated_claims", "$.", "$..a", "$.a[0]", "$.a b", "$", "$.a.", "$.*"] {
        let lines = format!("type = \"email\"\nissuer_claim = \"{path}\"\n{values}");
        assert!(entry(&lines).unwrap_err().contains("issuer_claim"), "{path}");
    }
}

#[test]
fn each_type_has_its_own_keys() {
    for (lines, named) in [
        ("type = \"username\"", "subject_domain"),
        ("type = \"uri\"", "subject_domain"),
        ("type = \"spiffe\"", "trust_domain"),
        ("type = \"ci\"", "provider"),
        ("type = \"email\"\nsubject_domain = \"id.example\"", "subject_domain"),
        ("type = \"kubernetes\"\ntrust_domain = \"td\"", "trust_domain"),
        ("type = \"github-workflow\"\nprovider = \"github-actions\"", "provider"),
        ("type = \"email\"\nprovider_url = \"https://h.example\"", "provider_url"),
        ("type = \"ci\"\nprovider = \"buildkite\"\nprovider_url = \"http://h.example\"", "https"),
        ("type = \"ci\"\nprovider = \"buildkite\"\nprovider_url = \"https://h.example/\"", "https"),
        (
            "type = \"ci\"\nprovider = \"circleci\"\nprovider_url = \"https://h.example\"",
            "circleci",
        ),
        ("type = \"ci-provider\"", "codefresh-workflow"),
        ("type = \"ci\"\nprovider = \"jenkins\"", "buddy"),
    ] {
        let said = entry(lines).unwrap_err();
        assert!(said.contains(named) || named == "circleci", "{lines}: {said}");
    }
}

#[test]
fn entries_of_one_issuer_differ_in_their_audience() {
    let people = || entry("type = \"email\"").unwrap();
    let machines = || {
        let mut config = entry(USERNAME).unwrap();
        config.client_id = "machines".to_owned();
        config
    };
    let token = |aud: Value| {
        let members = json!({ "sub": "bob", "email": "a@b.example", "email_verified": true,
            "aud": aud });
        verify_under(vec![people(), machines()], &dev().mint(&claims(members)).unwrap())
    };
    let kind = |aud: Value| token(aud).map(|identity| identity.vouched_by().client_id.clone());
    assert_eq!(kind(json!("sigstore")).as_deref(), Ok("sigstore"));
    assert_eq!(kind(json!("machines")).as_deref(), Ok("machines"));
    assert_eq!(kind(json!(["other", "machines"])).as_deref(), Ok("machines"));
    let subject = token(json!("machines")).unwrap();
    assert_eq!(*subject.subject(), SubjectName::OtherName("bob!id.example".to_owned()));

    let both = token(json!(["machines", "sigstore"])).unwrap_err();
    assert_eq!(both.code(), "token-audience-ambiguous");
    assert!(both.to_string().contains("sigstore, machines"), "{both}");
    let refusal =
        TokenRefusal::Audience { issuer: ID.to_owned(), expected: "sigstore, machines".to_owned() };
    for aud in [json!("other"), json!([]), json!("SIGSTORE")] {
        assert_eq!(token(aud), Err(refusal.clone()));
    }
    assert_eq!(
        token(json!(["machines", 7])),
        Err(wrong_type("aud", "a string or a list of strings"))
    );
    // The same audience twice is one entry too many, here as in ca.toml.
    let twice = Identities::new(vec![people(), people()], clock()).err();
    assert_eq!(twice, Some(ConfigFault::Duplicate { url: ID.to_owned() }));
}

#[test]
fn a_configuration_tells_each_entry_as_fulcio_does() {
    let told = |lines: &str| {
        let identities = Identities::new(vec![entry(lines).unwrap()], clock()).unwrap();
        identities.configuration()["issuers"][0].clone()
    };
    let expected = |kind: &str, challenge: &str| {
        json!({ "issuerUrl": ID, "audience": "sigstore", "challengeClaim": challenge,
            "spiffeTrustDomain": "", "issuerType": kind, "subjectDomain": "",
            "skipEmailVerification": false })
    };
    assert_eq!(told("type = \"email\""), expected("email", "email"));
    assert_eq!(told("type = \"kubernetes\""), expected("kubernetes", "sub"));
    assert_eq!(told(CHAINGUARD), expected("chainguard-identity", "sub"));
    assert_eq!(told("type = \"ci\"\nprovider = \"gitlab\""), expected("ci-provider", "sub"));
    for name in ["github-workflow", "gitlab-pipeline", "buildkite-job", "codefresh-workflow"] {
        assert_eq!(told(&format!("type = \"{name}\"")), expected(name, "sub"));
    }
    let with = |kind: &str, member: &str, value: Value| {
        let mut issuer = expected(kind, if kind == "email" { "email" } else { "sub" });
        issuer[member] = value;
        issuer
    };
    assert_eq!(told(USERNAME), with("username", "subjectDomain", json!("id.example")));
    assert_eq!(told(URI), with("uri", "subjectDomain", json!(ID)));
    assert_eq!(told(SPIFFE), with("spiffe", "spiffeTrustDomain", json!("td.example")));
    let unsaid = "type = \"email-without-verified-claim\"";
    assert_eq!(told(unsaid), with("email", "skipEmailVerification", json!(true)));
}

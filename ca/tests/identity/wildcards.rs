//! Entries whose URL is a pattern: whom they match, and where their keys may be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ca::identity::config::ConfigFault;
use ca::identity::{FetchFault, Identities, IssuerConfig, Token, TokenRefusal};
use formats::certificate::SubjectName;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::kinds::entry_at;
use crate::pinned::*;

const EKS: &str = "https://oidc.eks.*.amazonaws.com/id/*";
const CLUSTER: &str = "https://oidc.eks.us-west-2.amazonaws.com/id/B02C93B6A2D30341";

fn kubernetes(url: &str) -> IssuerConfig {
    entry_at(url, "type = \"kubernetes\"").unwrap()
}

fn account(issuer: &str) -> Value {
    json!({
        "iss": issuer, "aud": "sigstore", "iat": NOW, "exp": NOW + 600,
        "sub": "system:serviceaccount:build:signer",
        "kubernetes.io": {
            "namespace": "build",
            "serviceaccount": { "name": "signer", "uid": "49ad3572" },
        },
    })
}

async fn verify_of(identities: &Identities, issuer: &str) -> Result<String, TokenRefusal> {
    let token = dev().mint(&account(issuer)).unwrap();
    let identity = identities.verify(&Token::new(token.into_bytes()).unwrap()).await?;
    let uri = "https://kubernetes.io/namespaces/build/serviceaccounts/signer".to_owned();
    assert_eq!(*identity.subject(), SubjectName::Uri(uri));
    assert_eq!(identity.vouched_by().url.contains('*'), identity.vouched_by().url != issuer);
    Ok(identity.issuer().to_owned())
}

/// A listener that counts who comes.
async fn planted() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let came = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&came);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, came)
}

#[tokio::test]
async fn a_cluster_of_a_pattern_is_named_as_itself() {
    let identities = Identities::new(vec![kubernetes(EKS)], clock()).unwrap();
    identities.pin_keys(CLUSTER, dev().jwks()).unwrap();
    assert_eq!(verify_of(&identities, CLUSTER).await.as_deref(), Ok(CLUSTER));
    let status = &identities.status()[0];
    assert_eq!((status.url.as_str(), status.usable_keys), (EKS, 1), "metrics name the pattern");
    let told = identities.configuration();
    assert_eq!(told["issuers"][0]["wildcardIssuerUrl"], EKS);
    assert!(told["issuers"][0].get("issuerUrl").is_none());
}

#[tokio::test]
async fn wildcard_issuer_anchored_in_tokens() {
    let (port, came) = planted().await;
    let identities = Identities::new(vec![kubernetes(EKS)], clock()).unwrap();
    for issuer in [
        format!("https://localhost:{port}/https://oidc.eks.a.amazonaws.com/id/x"),
        format!("https://localhost:{port}?https://oidc.eks.a.amazonaws.com/id/x"),
        format!("http://localhost:{port}/https://oidc.eks.a.amazonaws.com/id/x"),
        format!("https://oidc.eks.a.amazonaws.com@localhost:{port}/id/x"),
        format!("https://oidc.eks.a.amazonaws.com:{port}/id/x"),
        "https://oidc.eks.a.amazonaws.com.evil/id/x".to_owned(),
        "https://oidc.eks.a.amazonaws.com/id/x%2fy".to_owned(),
        "https://oidc.eks.a.amazonaws.com/id/x#y".to_owned(),
        "https://oidc.eks.a.b.amazonaws.com/id/x".to_owned(),
        EKS.to_owned(),
    ] {
        let refusal = verify_of(&identities, &issuer).await.unwrap_err();
        assert_eq!(refusal.code(), "token-issuer", "{issuer}");
        assert!(!refusal.to_string().contains("localhost"), "{refusal}");
    }
    assert_eq!(came.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_pattern_never_leads_inside() {
    let (port, came) = planted().await;
    for host in ["localhost", "127.0.0.1", "[::1]"] {
        let pattern = format!("https://{host}:{port}/id/*");
        let identities = Identities::new(vec![kubernetes(&pattern)], clock()).unwrap();
        let refusal = verify_of(&identities, &pattern.replace('*', "x")).await.unwrap_err();
        // The refusal names the pattern, and nothing of the token.
        let fault = FetchFault::PrivateAddress;
        assert_eq!(refusal, TokenRefusal::IssuerMisbehaves { issuer: pattern, fault });
        assert!(!refusal.is_our_side());
        assert_eq!(identities.status()[0].fault, None, "a stranger makes nothing unready");
    }
    assert_eq!(came.load(Ordering::SeqCst), 0);
    // The metadata service by its address: no packet, so no waiting either.
    let started = std::time::Instant::now();
    let identities =
        Identities::new(vec![kubernetes("https://169.254.169.254/*")], clock()).unwrap();
    assert!(verify_of(&identities, "https://169.254.169.254/latest").await.is_err());
    assert!(started.elapsed().as_secs() < 2);
}

#[tokio::test]
async fn a_fixed_entry_goes_before_a_pattern() {
    let mut fixed = kubernetes(CLUSTER);
    fixed.client_id = "ours".to_owned();
    let identities = Identities::new(vec![kubernetes(EKS), fixed], clock()).unwrap();
    identities.pin_keys(CLUSTER, dev().jwks()).unwrap();
    // Its audience is the fixed entry's, so the pattern's does not count for this cluster.
    let refusal = verify_of(&identities, CLUSTER).await.unwrap_err();
    assert!(matches!(refusal, TokenRefusal::Audience { expected, .. } if expected == "ours"));
    // Two patterns that fit with one audience are a matter of luck.
    let twice = vec![kubernetes(EKS), kubernetes("https://oidc.eks.us-west-2.amazonaws.com/id/*")];
    let identities = Identities::new(twice, clock()).unwrap();
    let refusal = verify_of(&identities, CLUSTER).await.unwrap_err();
    assert_eq!(refusal.code(), "token-audience-ambiguous");
}

#[tokio::test]
async fn names_that_lead_nowhere_push_nobody_out() {
    let pattern = "https://127.0.0.1:1/id/*";
    let identities = Identities::new(vec![kubernetes(pattern)], clock()).unwrap();
    let known = "https://127.0.0.1:1/id/known";
    identities.pin_keys(known, dev().jwks()).unwrap();
    for n in 0..300 {
        let refusal = verify_of(&identities, &format!("https://127.0.0.1:1/id/x{n}")).await;
        assert_eq!(refusal.unwrap_err().code(), "issuer-misbehaves");
    }
    assert_eq!(verify_of(&identities, known).await.as_deref(), Ok(known));
}

#[test]
fn what_is_about_one_issuer_does_not_stand_beside_a_pattern() {
    for (lines, named) in [
        ("type = \"spiffe\"\ntrust_domain = \"td.example\"", "trust_domain"),
        ("type = \"username\"\nsubject_domain = \"a.example\"", "subject_domain"),
        ("type = \"uri\"\nsubject_domain = \"https://a.example\"", "subject_domain"),
        ("type = \"email-without-verified-claim\"", "everybody's accounts"),
        ("type = \"kubernetes\"\njwks_file = \"x\"", "jwks_file"),
        ("type = \"kubernetes\"\njwks_url = \"https://k.example\"", "jwks_url"),
        ("type = \"kubernetes\"\nbearer_file = \"x\"", "bearer_file"),
    ] {
        let said = entry_at(EKS, lines).unwrap_err();
        assert!(said.contains(named), "{lines}: {said}");
    }
    assert!(entry_at("https://*.com/x", "type = \"kubernetes\"").unwrap_err().contains("*"));
}

#[test]
fn key_options_that_contradict_are_refused() {
    let of = |lines: &str| entry_at("https://id.example", &format!("type = \"email\"\n{lines}"));
    for lines in [
        "jwks_file = \"a\"\njwks_url = \"https://k.example\"",
        "jwks_file = \"a\"\nca_cert = \"b\"",
        "jwks_file = \"a\"\nbearer_file = \"b\"",
    ] {
        assert!(of(lines).unwrap_err().contains("jwks_file stands without"), "{lines}");
    }
    for address in ["http://k.example", "k.example", "https://u@k.example", "file:///x"] {
        let said = of(&format!("jwks_url = \"{address}\"")).unwrap_err();
        assert!(said.contains("jwks_url"), "{said}");
    }
    assert!(of("jwks_url = \"http://127.0.0.1:8001/openid/v1/jwks\"").is_ok());
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "not PEM").unwrap();
    for path in [folder.path().join("missing.pem"), empty] {
        let config = of(&format!("ca_cert = {:?}", path.to_str().unwrap())).unwrap();
        let fault = ConfigFault::CaCert { url: "https://id.example".to_owned(), path };
        assert_eq!(Identities::new(vec![config], clock()).err(), Some(fault));
    }
}

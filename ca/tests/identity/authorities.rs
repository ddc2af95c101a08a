//! An issuer behind a private certificate authority: `ca_cert` vouches for it, and for no other.

use std::path::PathBuf;
use std::sync::Arc;

use ca::identity::{FetchFault, Identities, IssuerConfig, IssuerKind, Token, TokenRefusal};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::pinned::*;

/// A root in PEM, and what a server of `localhost` under it needs.
fn authority() -> (String, ServerConfig) {
    let key = || KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root_key = key();
    let root = params.self_signed(&root_key).unwrap();
    let issuer = Issuer::new(params, root_key);
    let leaf_key = key();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
    let private = PrivatePkcs8KeyDer::from(leaf_key.serialize_der());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], private.into())
        .unwrap();
    (root.pem(), config)
}

/// An issuer that speaks TLS: discovery and keys, and nothing else.
async fn serve(config: ServerConfig) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let (acceptor, issuer) = (TlsAcceptor::from(Arc::new(config)), url.clone());
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut head = [0; 4096];
            let read = stream.read(&mut head).await.unwrap_or(0);
            let discovery = String::from_utf8_lossy(&head[..read]).contains("openid-configuration");
            let body = if discovery {
                json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/jwks") }).to_string()
            } else {
                String::from_utf8(dev().jwks().to_vec()).unwrap()
            };
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _hung_up = stream.write_all(answer.as_bytes()).await;
            let _hung_up = stream.shutdown().await;
        }
    });
    url
}

async fn verify_at(url: &str, ca_cert: Option<PathBuf>) -> Result<(), TokenRefusal> {
    let mut config = IssuerConfig::new(url, "sigstore", IssuerKind::Email);
    config.keys.ca_cert = ca_cert;
    let identities = Identities::new(vec![config], clock()).unwrap();
    let token = dev().mint(&with("iss", json!(url))).unwrap();
    identities.verify(&Token::new(token.into_bytes()).unwrap()).await.map(|_| ())
}

#[tokio::test]
async fn a_private_authority_vouches_for_its_entry_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let (pem, config) = authority();
    let url = serve(config).await;
    assert_eq!(verify_at(&url, file("ca.pem", &pem)).await, Ok(()));
    let both = format!("{}{pem}", authority().0);
    assert_eq!(verify_at(&url, file("both.pem", &both)).await, Ok(()));
    for other in [None, file("other.pem", &authority().0)] {
        let fault = FetchFault::Connect;
        let refusal = TokenRefusal::IssuerUnreachable { issuer: url.clone(), fault };
        assert_eq!(verify_at(&url, other).await, Err(refusal));
    }
}

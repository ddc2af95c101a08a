//! Token and key in, certificate out: one request to a Fulcio-compatible authority, and a look at
//! what came back before it is used.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fetch::endpoint::Endpoint;
use fetch::http::{Body, Http, Request, Service};
use fetch::shown::shown;
use formats::certificate::{Certificate, CertificateError, IdentityError, LeafIdentity};
use formats::digest::HashAlgorithm;
use formats::json::{self, JsonError};
use formats::sct::{self, LogEntryKind};
use formats::trusted_root::TrustedRoot;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use verify::crypto::{Scheme, verify_certificate_signature, verify_message};

use crate::error::Failure;
use crate::key::OneUseKey;
use crate::login::IdentityToken;

/// A certificate that was given for our key and our token, with what it says.
#[derive(Debug, Clone)]
pub struct Issued {
    /// The certificate.
    pub certificate: Certificate,
    /// Subject and issuer in it.
    pub identity: LeafIdentity,
}

/// Why a certificate that the authority gave cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CertificateFault {
    /// The answer is not the JSON that it should be.
    #[error("its answer does not parse: {0}")]
    Answer(JsonError),
    /// The answer has no certificate with an embedded SCT.
    #[error("its answer holds no certificate with an embedded SCT")]
    Absent,
    /// The certificate does not parse.
    #[error("the certificate does not parse: {0}")]
    Malformed(CertificateError),
    /// The certificate is for another key.
    #[error("the certificate is for another key than ours")]
    AnotherKey,
    /// The certificate names no identity.
    #[error("{0}")]
    Identity(IdentityError),
    /// The certificate names another identity than the token.
    #[error(
        "the certificate names {} of {}, which is not the token's identity",
        shown(subject),
        shown(issuer)
    )]
    AnotherIdentity {
        /// Who it names.
        subject: String,
        /// Who it says vouches for them.
        issuer: String,
    },
    /// No authority of the trust root has issued it.
    #[error("no authority of the trust root issued the certificate")]
    Untrusted,
    /// No CT log of the trust root has signed for it.
    #[error("no CT log of the trust root signed for the certificate")]
    NoSct,
}

/// Asks the authority at `base` for a certificate, and checks that it is one: for this key, for this
/// token's identity, from an authority of the trust root, signed for by a CT log of the trust root.
/// (What only a time can decide is decided when the finished bundle is verified.)
///
/// The token goes nowhere else. The request is Fulcio's `CreateSigningCertificate` (fulcio.proto),
/// with a signature over the token's subject as proof that the key is ours.
///
/// # Errors
/// [`Failure::Http`], [`Failure::Certificate`].
pub async fn certify(
    http: &Http,
    base: &Endpoint,
    token: &IdentityToken,
    key: &OneUseKey,
    root: &TrustedRoot,
) -> Result<Issued, Failure> {
    let endpoint = base.join("/api/v2/signingCert");
    let answer = http
        .send(&Request {
            service: Service::CertificateAuthority,
            endpoint: &endpoint,
            body: Some(Body {
                content_type: "application/json",
                bytes: request(token, key)?,
                bearer: Some(token.reveal()),
            }),
            accept: "application/json",
            cap: ANSWER_CAP,
            limit: LIMIT,
        })
        .await?;
    check(&answer, token, key, root)
        .map_err(|fault| Failure::Certificate { url: base.to_string(), fault })
}

fn request(token: &IdentityToken, key: &OneUseKey) -> Result<Vec<u8>, Failure> {
    let proof = key.sign(&HashAlgorithm::Sha256.digest(token.proof_subject().as_bytes()))?;
    let request = WireRequest {
        public_key_request: WireKeyRequest {
            public_key: WireKey { algorithm: "ECDSA", content: key.public().to_pem() },
            proof_of_possession: BASE64_STANDARD.encode(proof),
        },
    };
    serde_json::to_vec(&request).map_err(|_| Failure::Key)
}

fn check(
    answer: &[u8],
    token: &IdentityToken,
    key: &OneUseKey,
    root: &TrustedRoot,
) -> Result<Issued, CertificateFault> {
    let answer: WireAnswer = json::from_slice(answer).map_err(CertificateFault::Answer)?;
    let pem = answer
        .signed_certificate_embedded_sct
        .and_then(|signed| signed.chain.certificates.into_iter().next())
        .ok_or(CertificateFault::Absent)?;
    let certificate = Certificate::from_pem(&pem).map_err(CertificateFault::Malformed)?;
    if certificate.spki_der() != key.public().spki_der() {
        return Err(CertificateFault::AnotherKey);
    }
    let identity = certificate.identity().map_err(CertificateFault::Identity)?;
    if !token.may_become(&identity) {
        return Err(CertificateFault::AnotherIdentity {
            subject: identity.subject.as_str().to_owned(),
            issuer: identity.issuer,
        });
    }
    check_issuer(&certificate, root)?;
    Ok(Issued { certificate, identity })
}

/// A signature is logged for good before its bundle can be verified as a whole, so that a certificate
/// nobody would trust has to be noticed here.
fn check_issuer(certificate: &Certificate, root: &TrustedRoot) -> Result<(), CertificateFault> {
    let issuer = root
        .authorities
        .iter()
        .filter_map(|authority| authority.chain.first())
        .filter(|issuer| issuer.subject_dn() == certificate.issuer_dn())
        .filter_map(|issuer| issuer.public_key().ok())
        .find(|key| verify_certificate_signature(key, certificate).is_ok())
        .ok_or(CertificateFault::Untrusted)?;
    let scts = sct::embedded_scts(certificate).map_err(|_| CertificateFault::NoSct)?;
    let tbs = sct::precert_tbs(certificate).map_err(|_| CertificateFault::NoSct)?;
    let entry = LogEntryKind::Precert { issuer_key_hash: issuer.id(), tbs: &tbs };
    let signed = scts.iter().any(|sct| {
        let Ok(message) = sct::sct_signed_data(sct.timestamp_ms, &entry, &sct.extensions) else {
            return false;
        };
        root.ct_logs.iter().filter(|log| log.log_id == sct.log_id).any(|log| {
            verify_message(&log.key, Scheme::for_key(&log.key), &message, &sct.signature).is_ok()
        })
    });
    if signed { Ok(()) } else { Err(CertificateFault::NoSct) }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireRequest {
    public_key_request: WireKeyRequest,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireKeyRequest {
    public_key: WireKey,
    proof_of_possession: String,
}

#[derive(Serialize)]
struct WireKey {
    algorithm: &'static str,
    /// PEM.
    content: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAnswer {
    signed_certificate_embedded_sct: Option<WireSigned>,
}

#[derive(Deserialize)]
struct WireSigned {
    chain: WireChain,
}

#[derive(Deserialize)]
struct WireChain {
    /// PEM, leaf first. What follows the leaf is not read: trust comes from the trust root.
    certificates: Vec<String>,
}

const ANSWER_CAP: usize = 1024 * 1024;
const LIMIT: Duration = Duration::from_secs(30);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

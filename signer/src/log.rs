//! Digest, signature and certificate in, log entry out: one request to a Rekor v2 log.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use fetch::endpoint::Endpoint;
use fetch::http::{Body, Http, Request, Service};
use formats::bundle::{BundleError, LogEntry, parse_log_entry};
use formats::certificate::Certificate;
use formats::digest::Digest;
use formats::entry::{EntryVerifier, HashedRekord002};
use formats::key::KeyDetails;
use serde_json::json;
use thiserror::Error;

use crate::error::Failure;

/// Why an entry that the log gave cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LogFault {
    /// The answer is not a log entry with a proof.
    #[error("its answer does not parse: {0}")]
    Malformed(BundleError),
    /// The entry records something else than what was submitted: a log that answers so would have us
    /// hand out another's entry as ours.
    #[error("it answered with another entry than the one submitted")]
    AnotherEntry,
}

/// Submits a signature by the certificate's key (P-256) over a SHA-256 digest to the log at `base`,
/// and returns its entry, which records exactly that. Its proof is checked with the whole bundle.
///
/// # Errors
/// [`Failure::Http`], [`Failure::Log`].
pub async fn record(
    http: &Http,
    base: &Endpoint,
    digest: &Digest,
    signature: &[u8],
    certificate: &Certificate,
) -> Result<LogEntry, Failure> {
    let endpoint = base.join("/api/v2/log/entries");
    let answer = http
        .send(&Request {
            service: Service::TransparencyLog,
            endpoint: &endpoint,
            body: Some(Body {
                content_type: "application/json",
                bytes: request(digest, signature, certificate),
                bearer: None,
            }),
            accept: "application/json",
            cap: ANSWER_CAP,
            limit: LIMIT,
        })
        .await?;
    let submitted = HashedRekord002 {
        digest: *digest,
        signature: signature.to_vec(),
        verifier: EntryVerifier::Certificate(certificate.der().to_vec()),
        key_details: KeyDetails::EcdsaP256Sha256,
    };
    check(&answer, &submitted).map_err(|fault| Failure::Log { url: base.to_string(), fault })
}

/// rekor-tiles `HashedRekordRequestV002`, proto3 JSON.
fn request(digest: &Digest, signature: &[u8], certificate: &Certificate) -> Vec<u8> {
    json!({
        "hashedRekordRequestV002": {
            "digest": BASE64_STANDARD.encode(digest.as_bytes()),
            "signature": {
                "content": BASE64_STANDARD.encode(signature),
                "verifier": {
                    "x509Certificate": { "rawBytes": BASE64_STANDARD.encode(certificate.der()) },
                    "keyDetails": KeyDetails::EcdsaP256Sha256.proto_name(),
                },
            },
        },
    })
    .to_string()
    .into_bytes()
}

fn check(answer: &[u8], submitted: &HashedRekord002) -> Result<LogEntry, LogFault> {
    let entry = parse_log_entry(answer).map_err(LogFault::Malformed)?;
    let same = entry.kind == "hashedrekord"
        && entry.version == "0.0.2"
        && entry.canonicalized_body == submitted.to_canonical();
    if same { Ok(entry) } else { Err(LogFault::AnotherEntry) }
}

const ANSWER_CAP: usize = 1024 * 1024;
/// A public log answers after its next checkpoint, which may take ten seconds.
const LIMIT: Duration = Duration::from_secs(60);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use formats::bundle::InclusionProof;
    use formats::digest::HashAlgorithm;

    fn submitted() -> HashedRekord002 {
        HashedRekord002 {
            digest: HashAlgorithm::Sha256.digest(b"artifact"),
            signature: vec![1, 2, 3],
            verifier: EntryVerifier::Certificate(vec![4, 5, 6]),
            key_details: KeyDetails::EcdsaP256Sha256,
        }
    }

    fn answer(body: &HashedRekord002) -> LogEntry {
        LogEntry {
            log_index: 7,
            log_id: [8; 32],
            kind: "hashedrekord".into(),
            version: "0.0.2".into(),
            integrated_time: None,
            inclusion_promise: None,
            inclusion_proof: Some(InclusionProof {
                log_index: 7,
                root_hash: merkle::merkle::Hash::new([9; 32]),
                tree_size: 8,
                hashes: vec![],
                checkpoint: "log.example\n".into(),
            }),
            canonicalized_body: body.to_canonical(),
        }
    }

    #[test]
    fn client_checks_what_log_returned() {
        let ours = answer(&submitted());
        let json = ours.to_response_json();
        assert_eq!(check(json.as_bytes(), &submitted()), Ok(ours));

        type Change = fn(&mut HashedRekord002);
        let changes: [Change; 3] = [
            |record| record.digest = HashAlgorithm::Sha256.digest(b"another"),
            |record| record.signature = vec![3, 2, 1],
            |record| record.verifier = EntryVerifier::Certificate(vec![6, 5, 4]),
        ];
        for change in changes {
            let mut another = submitted();
            change(&mut another);
            let json = answer(&another).to_response_json();
            assert_eq!(check(json.as_bytes(), &submitted()), Err(LogFault::AnotherEntry));
        }
    }

    #[test]
    fn an_entry_without_proof_is_no_answer() {
        let mut entry = answer(&submitted());
        entry.inclusion_proof = None;
        assert_eq!(
            check(entry.to_response_json().as_bytes(), &submitted()),
            Err(LogFault::Malformed(BundleError::NoProof))
        );
        assert!(matches!(check(b"{}", &submitted()), Err(LogFault::Malformed(_))));
        assert!(matches!(check(b"<html>", &submitted()), Err(LogFault::Malformed(_))));
    }
}

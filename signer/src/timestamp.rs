//! Signature in, RFC 3161 timestamp out.

use std::time::Duration;

use fetch::endpoint::Endpoint;
use fetch::http::{Body, Http, Request, Service};
use formats::digest::HashAlgorithm;
use formats::limits::MAX_TIMESTAMP_BYTES;
use formats::timestamp::{TimestampRequest, TimestampToken, TokenError, integer_content};
use thiserror::Error;

use crate::error::Failure;

/// Why a timestamp that the authority gave cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TimestampFault {
    /// The answer is not a granted timestamp.
    #[error("{0}")]
    Malformed(TokenError),
    /// The timestamp is of another signature.
    #[error("the timestamp is of another signature than ours")]
    AnotherSignature,
    /// The nonce did not come back: the answer may be an old one.
    #[error("the timestamp does not return the nonce that was asked for")]
    AnotherNonce,
    /// The request could not be encoded.
    #[error("the request could not be encoded")]
    Request,
}

/// Asks the timestamp authority at `endpoint` when `signature` existed. Returns the DER of its
/// TimeStampResp, which is of this signature and answers this request (its nonce comes back); who
/// signed it is checked with the whole bundle.
///
/// # Errors
/// [`Failure::Http`], [`Failure::Timestamp`], [`Failure::Random`].
pub async fn timestamp(
    http: &Http,
    endpoint: &Endpoint,
    signature: &[u8],
) -> Result<Vec<u8>, Failure> {
    let at_fault = |fault| Failure::Timestamp { url: endpoint.to_string(), fault };
    let mut random = [0; NONCE_BYTES];
    getrandom::fill(&mut random).map_err(|_| Failure::Random)?;
    let mut request = TimestampRequest::for_digest(HashAlgorithm::Sha256.digest(signature));
    request.nonce = Some(integer_content(&random));
    let answer = http
        .send(&Request {
            service: Service::TimestampAuthority,
            endpoint,
            body: Some(Body {
                content_type: "application/timestamp-query",
                bytes: request.to_der().map_err(|_| at_fault(TimestampFault::Request))?,
                bearer: None,
            }),
            accept: "application/timestamp-reply",
            cap: MAX_TIMESTAMP_BYTES,
            limit: LIMIT,
        })
        .await?;
    check(&answer, &request).map_err(at_fault)?;
    Ok(answer)
}

fn check(answer: &[u8], request: &TimestampRequest) -> Result<(), TimestampFault> {
    let token = TimestampToken::from_response_der(answer).map_err(TimestampFault::Malformed)?;
    if token.imprint != request.imprint {
        return Err(TimestampFault::AnotherSignature);
    }
    if token.nonce != request.nonce {
        return Err(TimestampFault::AnotherNonce);
    }
    Ok(())
}

const NONCE_BYTES: usize = 16;
const LIMIT: Duration = Duration::from_secs(30);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use formats::certificate::{Certificate, SignatureAlgorithm};
    use formats::timestamp::{PkiFailure, TokenTemplate, build_token, granted_response, rejection};

    fn asked(nonce: Option<&[u8]>) -> TimestampRequest {
        let mut request = TimestampRequest::for_digest(HashAlgorithm::Sha256.digest(b"signature"));
        request.nonce = nonce.map(integer_content);
        request
    }

    /// A response to `request`, by an authority whose signature nobody looks at here.
    fn answer(request: &TimestampRequest) -> Vec<u8> {
        let chain = include_str!("../tests/data/tsa.pem");
        let signer = &Certificate::chain_from_pem(chain).unwrap()[0];
        let template = TokenTemplate {
            request,
            policy: "1.3.6.1.4.1.57264.2",
            serial: &[1],
            gen_time: 1_800_000_000,
            accuracy_seconds: Some(1),
            signer,
            certificates: &[],
            signature_algorithm: SignatureAlgorithm::EcdsaSha256,
        };
        let token = build_token(&template, |_| Ok::<_, ()>(vec![0x30, 0])).unwrap();
        granted_response(&token)
    }

    #[test]
    fn nonce_returned() {
        let request = asked(Some(&[0x81, 2, 3]));
        assert_eq!(check(&answer(&request), &request), Ok(()));
        for other in [None, Some(&[0x81, 2, 4][..]), Some(&[2, 3])] {
            assert_eq!(check(&answer(&asked(other)), &request), Err(TimestampFault::AnotherNonce));
        }
    }

    #[test]
    fn the_timestamp_is_of_our_signature() {
        let request = asked(Some(&[1]));
        let mut other = request.clone();
        other.imprint = HashAlgorithm::Sha256.digest(b"another signature");
        assert_eq!(check(&answer(&other), &request), Err(TimestampFault::AnotherSignature));
    }

    #[test]
    fn a_rejection_is_no_timestamp() {
        let request = asked(Some(&[1]));
        let refused = rejection(PkiFailure::BadRequest, "no");
        assert!(matches!(check(&refused, &request), Err(TimestampFault::Malformed(_))));
        assert!(matches!(check(b"", &request), Err(TimestampFault::Malformed(_))));
    }
}

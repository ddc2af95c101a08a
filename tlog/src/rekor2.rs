//! The Rekor v2 dialect: a request is verified and becomes a `hashedrekord` 0.0.2 body, and a
//! published body becomes the answer (rekor-tiles v2 `rekor_service.proto`).
//!
//! Accepted are a signature over a digest (`hashedRekordRequestV002`) and a DSSE envelope
//! (`dsseRequestV002`), which is logged as a signature over the digest of its pre-authentication
//! encoding, the form that every client verifies. Nothing is fetched, nothing is decompressed,
//! and certificates are neither chained nor dated: the log states what was signed, not who may.

mod request;

use formats::bundle::{InclusionProof, LogEntry};
use formats::certificate::{Certificate, CertificateError};
use formats::digest::{Digest, DigestError};
use formats::entry::{EntryBody, EntryError, EntryVerifier, HashedRekord002};
use formats::json::JsonError;
use formats::key::{KeyDetails, KeyError, PublicKey};
use merkle::entries::MAX_ENTRY;
use thiserror::Error;
use verify::crypto::{SignatureError, verify_digest};

use crate::entry::{Accepted, Published, Submitted, Tree};
use crate::search::{self, SearchKey};
use request::{Payload, Request};

/// Verifies a request body (protojson) and makes the entry of it. The signature is checked here,
/// before anything is queued.
///
/// # Errors
/// [`Rejected`]: the request's fault, each with a message that names the field.
pub fn accept(submitted: &Submitted) -> Result<Accepted, Rejected> {
    let Request { payload, signature, verifier, key_details } = request::parse(submitted.bytes())?;
    let details = allowed(&key_details)?;
    let (certificate, key) = open_verifier(&verifier)?;
    if !details.fits(&key) {
        return Err(Rejected::KeyMismatch { details: details.proto_name() });
    }
    let algorithm = details.hash().ok_or_else(|| not_allowed(&key_details))?;
    let digest = match payload {
        Payload::Digest(bytes) => Digest::new(algorithm, &bytes)?,
        Payload::Signed(message) => algorithm.digest(&message),
    };
    verify_digest(&key, &digest, &signature)?;
    let record = HashedRekord002 { digest, signature, verifier, key_details: details };
    let body = record.to_canonical();
    if body.len() > MAX_ENTRY {
        return Err(Rejected::TooLarge { bytes: body.len() });
    }
    let search = search_keys(&record.digest, certificate.as_ref(), &key);
    Ok(Accepted::of_body(Tree::Rekor2, body, search))
}

/// The answer to a published entry. `log_id` is the 32-byte key ID that clients know the log by
/// ([`crate::signer::CheckpointSigner::log_id`]).
#[must_use]
pub fn log_entry(published: &Published, log_id: [u8; 32]) -> LogEntry {
    let head = published.head();
    LogEntry {
        log_index: published.index(),
        log_id,
        kind: KIND.into(),
        version: VERSION.into(),
        integrated_time: None,
        inclusion_promise: None,
        inclusion_proof: Some(InclusionProof {
            log_index: published.index(),
            root_hash: head.head.root,
            tree_size: head.head.size,
            hashes: published.proof().to_vec(),
            checkpoint: head.checkpoint.clone(),
        }),
        canonicalized_body: published.body().to_vec(),
    }
}

/// The search keys of a stored body, derived from it alone.
///
/// # Errors
/// When the body is not one that [`accept`] makes.
pub(crate) fn keys_of(body: &[u8]) -> Result<Vec<SearchKey>, Rejected> {
    let EntryBody::HashedRekord002(record) = formats::entry::parse(KIND, VERSION, body)? else {
        return Err(Rejected::NoRequest);
    };
    let (certificate, key) = open_verifier(&record.verifier)?;
    Ok(search_keys(&record.digest, certificate.as_ref(), &key))
}

fn search_keys(
    digest: &Digest,
    certificate: Option<&Certificate>,
    key: &PublicKey,
) -> Vec<SearchKey> {
    let mut keys = vec![SearchKey::artifact(digest), SearchKey::public_key(&key.id())];
    keys.extend(certificate.into_iter().flat_map(search::identities));
    keys.sort_unstable();
    keys.dedup();
    keys
}

fn open_verifier(verifier: &EntryVerifier) -> Result<(Option<Certificate>, PublicKey), Rejected> {
    match verifier {
        EntryVerifier::Certificate(der) => {
            let certificate = Certificate::from_der(der)?;
            let key = certificate.public_key().map_err(Rejected::CertificateKey)?;
            Ok((Some(certificate), key))
        }
        EntryVerifier::PublicKey(der) => Ok((None, PublicKey::from_spki_der(der)?)),
    }
}

/// One row of the table fixes key type, size and hash together, so that no request can mix them.
/// Pure Ed25519 is out: it can't be verified from a digest, by nobody who reads the log later.
fn allowed(name: &str) -> Result<KeyDetails, Rejected> {
    match KeyDetails::from_proto_name(name) {
        Some(
            details @ (KeyDetails::EcdsaP256Sha256
            | KeyDetails::EcdsaP384Sha384
            | KeyDetails::EcdsaP521Sha512
            | KeyDetails::RsaPkcs1Sha256 { .. }
            | KeyDetails::Ed25519ph),
        ) => Ok(details),
        _ => Err(not_allowed(name)),
    }
}

fn not_allowed(name: &str) -> Rejected {
    Rejected::AlgorithmNotAllowed { name: name.chars().take(64).collect() }
}

/// Why a request was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Rejected {
    /// Not JSON, or not of the shape of a request: an unknown, repeated or mistyped member.
    #[error("request body: {0}")]
    Json(#[from] JsonError),
    /// Neither of the requests that the log takes.
    #[error("request body: neither hashedRekordRequestV002 nor dsseRequestV002 is present")]
    NoRequest,
    /// Both requests at once.
    #[error("request body: both hashedRekordRequestV002 and dsseRequestV002 are present")]
    TwoRequests,
    /// A field is absent, null or empty.
    #[error("{field} is missing or empty")]
    Missing {
        /// The path of the field.
        field: &'static str,
    },
    /// A DSSE request has none or several of something that is logged once.
    #[error("{field} has {count} items; exactly one can be logged")]
    NotOne {
        /// The path of the field.
        field: &'static str,
        /// How many it has.
        count: usize,
    },
    /// Both kinds of verifier at once.
    #[error("verifier has both x509Certificate and publicKey")]
    TwoVerifiers,
    /// A key algorithm that the log does not take.
    #[error("verifier.keyDetails {name:?} is not among the algorithms that this log takes")]
    AlgorithmNotAllowed {
        /// The name as sent, at most 64 characters of it.
        name: String,
    },
    /// The key is of another type or size than stated.
    #[error("the verifier's key is not of the type that keyDetails states ({details})")]
    KeyMismatch {
        /// What was stated.
        details: &'static str,
    },
    /// The digest has another length than the stated algorithm's.
    #[error("digest: {0}")]
    Digest(#[from] DigestError),
    /// The certificate does not parse.
    #[error("verifier.x509Certificate.rawBytes: {0}")]
    Certificate(#[from] CertificateError),
    /// The certificate's key does not parse.
    #[error("verifier.x509Certificate.rawBytes: key: {0}")]
    CertificateKey(KeyError),
    /// The public key does not parse.
    #[error("verifier.publicKey.rawBytes: {0}")]
    Key(#[from] KeyError),
    /// The signature does not verify.
    #[error("signature: {0}")]
    Signature(#[from] SignatureError),
    /// The entry is longer than a tile log can hold.
    #[error("the entry would be {bytes} bytes; a log entry has at most {MAX_ENTRY}")]
    TooLarge {
        /// The length of the body.
        bytes: usize,
    },
    /// A stored body is not one that this dialect makes.
    #[error("stored body: {0}")]
    Stored(#[from] EntryError),
}

const KIND: &str = "hashedrekord";
const VERSION: &str = "0.0.2";

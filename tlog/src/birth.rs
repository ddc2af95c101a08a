//! A log's first entry, written in the commit that creates it.
//!
//! Go clients drop a `logIndex` of 0 and an empty list of hashes from the bundles they write, and
//! sigstore-python then refuses such a bundle for good. So the first entry of a log is never a
//! client's: it is one ordinary entry of the log's own dialect, about the log itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use formats::key::{KeyDetails, PublicKey};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::ct::Authorities;
use crate::entry::{Accepted, Submitted, Tree};

/// Makes the entry that a tree is born with; called only when the tree has never been.
pub type Birth = Box<dyn Fn() -> Result<Accepted, BirthError> + Send + Sync>;

/// The first entry of the artifact log: a hashedrekord over the SHA-256 of the log key's SPKI.
///
/// `sign` makes a one-use P-256 key, signs the message that it is given (ECDSA over SHA-256 of
/// it), and answers the key's SPKI and the signature, both DER; then it forgets the key.
pub fn rekor2(
    log_key: &PublicKey,
    sign: impl Fn(&[u8]) -> Result<(Vec<u8>, Vec<u8>), BirthError> + Send + Sync + 'static,
) -> Birth {
    let message = log_key.spki_der().to_vec();
    Box::new(move || {
        let (spki, signature) = sign(&message)?;
        let request = serde_json::json!({ "hashedRekordRequestV002": {
            "digest": STANDARD.encode(Sha256::digest(&message)),
            "signature": {
                "content": STANDARD.encode(signature),
                "verifier": {
                    "publicKey": { "rawBytes": STANDARD.encode(spki) },
                    "keyDetails": KeyDetails::EcdsaP256Sha256.proto_name(),
                },
            },
        }});
        Ok(crate::rekor2::accept(&Submitted::new(request.to_string().into_bytes()))?)
    })
}

/// The first entry of the CT log: the certificate of the first issuing CA, under its chain.
#[must_use]
pub fn ct(ours: Authorities) -> Birth {
    Box::new(move || Ok(crate::ct::accept_issuing(&ours)?))
}

/// The first entry could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BirthError {
    /// What was given is not an entry that the Rekor v2 face accepts.
    #[error("the first entry of the artifact log is not acceptable: {0}")]
    Rekor2(#[from] crate::rekor2::Rejected),
    /// What was given is not an entry that the CT face accepts.
    #[error("the first entry of the CT log is not acceptable: {0}")]
    Ct(#[from] crate::ct::Rejected),
    /// It is an entry for another tree.
    #[error("the first entry of tree {expected} was made for tree {found}")]
    WrongTree {
        /// The tree to be born.
        expected: Tree,
        /// The tree of the entry.
        found: Tree,
    },
    /// The one-use key could not sign.
    #[error("the one-use key of the first entry could not sign: {reason}")]
    Sign {
        /// Why.
        reason: String,
    },
}

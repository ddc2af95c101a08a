//! How heads are signed and checked: a note over the checkpoint text (Rekor v2), or the RFC 6962
//! tree head inside such a note (CT). A log key signs heads, a CT key also SCTs, and nothing else.

use std::sync::Arc;

use formats::key::{KeyAlgorithm, PublicKey};
use formats::sct::{
    HASH_SHA256, SIGNATURE_ECDSA, SctError, digitally_signed, parse_digitally_signed,
    tree_head_signed_data,
};
use merkle::checkpoint::{Checkpoint, open};
use merkle::note::{
    KeyName, KeyNameError, Note, NoteError, NoteSignature, NoteVerifier, key_hint, key_id_ecdsa,
    key_id_ed25519, key_id_rfc6962, key_id_rsa,
};
use thiserror::Error;
use verify::crypto::{Scheme, verify_message};

use crate::store::{Head, SignedHead};

/// A private key that is reached only through this: a file, a token or a service behind it.
pub trait LogKey: Send + Sync {
    /// Its public half.
    fn public_key(&self) -> &PublicKey;

    /// Signs a message with the scheme of the key ([`Scheme::for_key`]): for P-256, ECDSA over
    /// SHA-256 of it, in DER.
    ///
    /// # Errors
    /// When the key can't be used now.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Makes the signed note over a head.
pub trait HeadSigner: Send + Sync {
    /// The log's origin, which is also its key name.
    fn origin(&self) -> &str;

    /// SHA-256 of the key's DER SPKI: tells whether two logs share a key.
    fn key_fingerprint(&self) -> [u8; 32];

    /// The whole note.
    ///
    /// # Errors
    /// When the key can't be used now.
    fn sign(&self, head: &Head) -> Result<String, SignError>;
}

/// Signs checkpoints as Rekor v2 and other tile logs do: a signature over the note's text.
pub struct CheckpointSigner {
    origin: KeyName,
    key: Arc<dyn LogKey>,
}

impl CheckpointSigner {
    /// A signer for the log of this origin.
    ///
    /// # Errors
    /// When the origin can't be the name of a key.
    pub fn new(origin: &str, key: Arc<dyn LogKey>) -> Result<Self, KeyNameError> {
        Ok(Self { origin: KeyName::try_from(origin.to_owned())?, key })
    }

    /// The 32 bytes that clients know the log by: `logId.keyId` in bundles and trust roots.
    #[must_use]
    pub fn log_id(&self) -> [u8; 32] {
        checkpoint_key_id(self.origin.as_str(), self.key.public_key())
    }
}

impl HeadSigner for CheckpointSigner {
    fn origin(&self) -> &str {
        self.origin.as_str()
    }

    fn key_fingerprint(&self) -> [u8; 32] {
        self.key.public_key().id()
    }

    fn sign(&self, head: &Head) -> Result<String, SignError> {
        let text = checkpoint_text(self.origin(), head);
        let signature = self.key.sign(text.as_bytes())?;
        note(text, self.origin(), key_hint(&self.log_id()), signature)
    }
}

/// Checks what [`CheckpointSigner`] makes.
pub struct CheckpointVerifier {
    origin: KeyName,
    key: PublicKey,
}

impl CheckpointVerifier {
    /// A verifier for the log of this origin.
    ///
    /// # Errors
    /// When the origin can't be the name of a key.
    pub fn new(origin: &str, key: PublicKey) -> Result<Self, KeyNameError> {
        Ok(Self { origin: KeyName::try_from(origin.to_owned())?, key })
    }
}

impl NoteVerifier for CheckpointVerifier {
    fn name(&self) -> &str {
        self.origin.as_str()
    }

    fn key_id(&self) -> [u8; 4] {
        key_hint(&checkpoint_key_id(self.origin.as_str(), &self.key))
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        verify_message(&self.key, Scheme::for_key(&self.key), text, signature).is_ok()
    }
}

/// Signs RFC 6962 tree heads, each inside a note (static-ct-api, signature type 0x05).
pub struct TreeHeadSigner {
    origin: KeyName,
    key: Arc<dyn LogKey>,
}

impl TreeHeadSigner {
    /// A signer for the CT log of this origin.
    ///
    /// # Errors
    /// When the origin can't be the name of a key, or the key is not ECDSA P-256, the one kind
    /// that every CT client takes.
    pub fn new(origin: &str, key: Arc<dyn LogKey>) -> Result<Self, TreeHeadKeyError> {
        p256(key.public_key())?;
        Ok(Self { origin: KeyName::try_from(origin.to_owned())?, key })
    }
}

impl HeadSigner for TreeHeadSigner {
    fn origin(&self) -> &str {
        self.origin.as_str()
    }

    fn key_fingerprint(&self) -> [u8; 32] {
        self.key.public_key().id()
    }

    fn sign(&self, head: &Head) -> Result<String, SignError> {
        let signed = tree_head_signed_data(head.timestamp_ms, head.size, head.root.as_bytes());
        let signature = self.key.sign(&signed)?;
        let mut blob = head.timestamp_ms.to_be_bytes().to_vec();
        blob.extend_from_slice(&digitally_signed(&signature)?);
        let key_id = key_id_rfc6962(self.origin(), &self.key_fingerprint());
        note(checkpoint_text(self.origin(), head), self.origin(), key_hint(&key_id), blob)
    }
}

/// Checks what [`TreeHeadSigner`] makes.
pub struct TreeHeadVerifier {
    origin: KeyName,
    key: PublicKey,
}

impl TreeHeadVerifier {
    /// A verifier for the CT log of this origin.
    ///
    /// # Errors
    /// As [`TreeHeadSigner::new`].
    pub fn new(origin: &str, key: PublicKey) -> Result<Self, TreeHeadKeyError> {
        p256(&key)?;
        Ok(Self { origin: KeyName::try_from(origin.to_owned())?, key })
    }
}

impl NoteVerifier for TreeHeadVerifier {
    fn name(&self) -> &str {
        self.origin.as_str()
    }

    fn key_id(&self) -> [u8; 4] {
        key_hint(&key_id_rfc6962(self.origin.as_str(), &self.key.id()))
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Ok(text) = std::str::from_utf8(text) else { return false };
        let Ok(checkpoint) = Checkpoint::parse(text) else { return false };
        let Some((timestamp, signed)) = split_tree_head(signature) else { return false };
        let Ok(signed) = parse_digitally_signed(signed) else { return false };
        let root = checkpoint.root.as_bytes();
        let message = tree_head_signed_data(timestamp, checkpoint.size, root);
        // The RFC 6962 signature does not cover the origin or an extension line: only a text that
        // has no others is what the key's owner meant.
        checkpoint.origin == self.origin.as_str()
            && checkpoint.extensions.is_empty()
            && (signed.hash, signed.signature_algorithm) == (HASH_SHA256, SIGNATURE_ECDSA)
            && verify_message(&self.key, Scheme::EcdsaSha256, &message, signed.signature).is_ok()
    }
}

/// The timestamp (Unix milliseconds) and the DigitallySigned of a type 0x05 signature.
#[must_use]
pub fn split_tree_head(signature: &[u8]) -> Option<(u64, &[u8])> {
    let (timestamp, signed) = signature.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*timestamp), signed))
}

/// Whether a stored head is what its own checkpoint says, and our key signed that.
///
/// # Errors
/// [`HeadError`].
pub fn check_head(stored: &SignedHead, verifier: &dyn NoteVerifier) -> Result<(), HeadError> {
    let note = Note::parse(&stored.checkpoint)?;
    let opened = open(&note, verifier)?;
    if opened.origin() != verifier.name() {
        return Err(HeadError::Origin { found: opened.origin().into() });
    }
    if opened.size() != stored.head.size || opened.root() != stored.head.root {
        return Err(HeadError::Row);
    }
    Ok(())
}

/// A head's note is not ours.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum HeadError {
    /// The checkpoint is not a note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note is not a checkpoint of our key.
    #[error(transparent)]
    Open(#[from] merkle::checkpoint::OpenError),
    /// It has another origin.
    #[error("its origin is {found:?}")]
    Origin {
        /// The origin.
        found: String,
    },
    /// The row beside the checkpoint has another size or root.
    #[error("size or root beside it differ from what was signed")]
    Row,
}

/// A key could not sign.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignError {
    /// The key can't be used now.
    #[error("the log's key can't be used: {reason}")]
    Unavailable {
        /// Why, in the words of what holds the key. Never key material.
        reason: String,
    },
    /// The signature does not fit in a note.
    #[error("the signed head is not a valid note: {0}")]
    Note(#[from] NoteError),
    /// The signature does not fit in its TLS field.
    #[error(transparent)]
    Sct(#[from] SctError),
}

/// A key is not for a CT log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TreeHeadKeyError {
    /// The origin can't be the name of a key.
    #[error(transparent)]
    Name(#[from] KeyNameError),
    /// Not ECDSA P-256.
    #[error("a CT log's key is ECDSA P-256")]
    Algorithm,
}

fn p256(key: &PublicKey) -> Result<(), TreeHeadKeyError> {
    if key.algorithm() == KeyAlgorithm::EcdsaP256 {
        Ok(())
    } else {
        Err(TreeHeadKeyError::Algorithm)
    }
}

/// C2SP signed-note key IDs as Rekor v2 uses them: the full hash; notes carry its first 4 bytes.
fn checkpoint_key_id(origin: &str, key: &PublicKey) -> [u8; 32] {
    match (key.algorithm(), <&[u8; 32]>::try_from(key.raw())) {
        (KeyAlgorithm::Ed25519, Ok(raw)) => key_id_ed25519(origin, raw),
        (KeyAlgorithm::Rsa { .. }, _) => key_id_rsa(origin, key.spki_der()),
        _ => key_id_ecdsa(key.spki_der()),
    }
}

fn checkpoint_text(origin: &str, head: &Head) -> String {
    let (size, root) = (head.size, head.root);
    Checkpoint { origin: origin.into(), size, root, extensions: Vec::new() }.to_string()
}

fn note(text: String, name: &str, key_id: [u8; 4], blob: Vec<u8>) -> Result<String, SignError> {
    let mut note = Note::new(text)?;
    note.add_signature(NoteSignature { name: name.into(), key_id, signature: blob })?;
    Ok(note.to_string())
}

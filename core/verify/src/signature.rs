//! Key, content and artifact in, [`VerifiedSignature`] out: the one producer for both kinds of
//! content. Neither the digest that a bundle states nor the one in a log entry ever stands in for
//! the signature.

use std::borrow::Cow;

use formats::bundle::{Bundle, Content};
use formats::digest::{Digest, HashAlgorithm};
use formats::dsse::Envelope;
use formats::key::{KeyAlgorithm, PublicKey};
use formats::statement::Statement;

use crate::crypto::{self, Scheme, SignatureError};
use crate::error::{ArtifactFault, BundleFault, Refusal, SignerFault};
use crate::inclusion::Included;

/// What the caller wants to know about: an artifact in memory, or the digests of one that was
/// streamed.
#[derive(Debug, Clone, Copy)]
pub enum Artifact<'a> {
    /// Digests of the artifact, at most one value for each algorithm; see
    /// [`required_digests`](crate::verify::required_digests).
    Digests(&'a [Digest]),
    /// The artifact itself.
    Message(&'a [u8]),
}

/// What the signature has to cover, computed from the caller's artifact and, for an envelope, from
/// the payload that names that artifact.
#[derive(Debug)]
pub(crate) struct SignedContent<'a> {
    kind: SignedKind<'a>,
    /// The digest that is signed, of the algorithm that the key implies.
    digest: Digest,
    /// The signed bytes, where they are at hand.
    bytes: Option<Cow<'a, [u8]>>,
    signature: &'a [u8],
    statement: Option<Statement>,
}

/// The two kinds of content.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SignedKind<'a> {
    Message,
    Envelope(&'a Envelope),
}

/// A logged signature that verifies.
#[derive(Debug)]
pub(crate) struct VerifiedSignature<'a> {
    pub(crate) included: Included<'a>,
    pub(crate) statement: Option<Statement>,
}

/// Verifies the signature over `content` with the signer's key.
///
/// # Errors
/// [`SignerFault::Signature`].
pub(crate) fn verify<'a>(
    included: Included<'a>,
    content: SignedContent<'_>,
) -> Result<VerifiedSignature<'a>, Refusal> {
    check(included.signer().key(), &content).map_err(SignerFault::Signature)?;
    Ok(VerifiedSignature { included, statement: content.statement })
}

impl<'a> SignedContent<'a> {
    /// # Errors
    /// The artifact is not the one the bundle is about, or the statement does not parse.
    pub(crate) fn of(
        bundle: &'a Bundle,
        key: &PublicKey,
        artifact: &Artifact<'a>,
    ) -> Result<Self, Refusal> {
        let algorithm = signed_hash(key);
        match &bundle.content {
            Content::Message { digest: stated, signature } => {
                let digest = artifact.digest(algorithm)?;
                if let Some(stated) = stated {
                    check_stated(stated, &digest)?;
                }
                let bytes = match artifact {
                    Artifact::Digests(_) => None,
                    Artifact::Message(message) => Some(Cow::Borrowed(*message)),
                };
                let kind = SignedKind::Message;
                Ok(Self { kind, digest, bytes, signature, statement: None })
            }
            Content::Dsse(envelope) => {
                let statement =
                    Statement::from_envelope(envelope).map_err(BundleFault::Statement)?;
                let digests = artifact.digests(&subject_algorithms(&statement))?;
                statement.matches(&digests).map_err(ArtifactFault::NotASubject)?;
                let pae = envelope.pae();
                Ok(Self {
                    kind: SignedKind::Envelope(envelope),
                    digest: algorithm.digest(&pae),
                    bytes: Some(Cow::Owned(pae)),
                    signature: &envelope.signature,
                    statement: Some(statement),
                })
            }
        }
    }

    pub(crate) fn kind(&self) -> SignedKind<'a> {
        self.kind
    }

    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(crate) fn signature(&self) -> &'a [u8] {
        self.signature
    }

    /// SHA-256 of the payload, which Rekor v1 records for envelopes.
    pub(crate) fn payload_hash(&self, envelope: &Envelope) -> Digest {
        HashAlgorithm::Sha256.digest(&envelope.payload)
    }
}

/// The digests that the artifact of `bundle` must be hashed with: for a message the one that the
/// key signs, for an attestation those that its subjects are known by. `key` is the policy's, for
/// a bundle without certificate. Empty when nothing could verify anyway.
pub(crate) fn required_digests(bundle: &Bundle, key: Option<&PublicKey>) -> Vec<HashAlgorithm> {
    let leaf_key = bundle.leaf().and_then(|leaf| leaf.public_key().ok());
    match &bundle.content {
        Content::Message { .. } => leaf_key.as_ref().or(key).map(signed_hash).into_iter().collect(),
        Content::Dsse(envelope) => Statement::from_envelope(envelope)
            .map(|statement| subject_algorithms(&statement))
            .unwrap_or_default(),
    }
}

impl Artifact<'_> {
    fn digest(&self, algorithm: HashAlgorithm) -> Result<Digest, ArtifactFault> {
        match self {
            Self::Message(message) => Ok(algorithm.digest(message)),
            Self::Digests(digests) => {
                let mut of_algorithm =
                    digests.iter().filter(|digest| digest.algorithm() == algorithm);
                let digest = of_algorithm.next().ok_or(ArtifactFault::DigestMissing(algorithm))?;
                if of_algorithm.any(|other| other != digest) {
                    return Err(ArtifactFault::DigestsContradict(algorithm));
                }
                Ok(*digest)
            }
        }
    }

    /// The digests there are among `algorithms`; a streamed artifact need not have them all.
    fn digests(&self, algorithms: &[HashAlgorithm]) -> Result<Vec<Digest>, ArtifactFault> {
        let mut found = Vec::with_capacity(algorithms.len());
        for algorithm in algorithms {
            match self.digest(*algorithm) {
                Ok(digest) => found.push(digest),
                Err(ArtifactFault::DigestMissing(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(found)
    }
}

/// `messageDigest` proves nothing, but a wrong one means that the signer meant something else.
fn check_stated(stated: &Digest, actual: &Digest) -> Result<(), ArtifactFault> {
    if stated.algorithm() != actual.algorithm() {
        return Err(ArtifactFault::DigestAlgorithm {
            stated: stated.algorithm(),
            wanted: actual.algorithm(),
        });
    }
    if stated != actual {
        return Err(ArtifactFault::DigestDiffers {
            stated: stated.to_string(),
            actual: actual.to_string(),
        });
    }
    Ok(())
}

fn subject_algorithms(statement: &Statement) -> Vec<HashAlgorithm> {
    let digests = || statement.subjects.iter().flat_map(|subject| &subject.digests);
    HashAlgorithm::ALL
        .into_iter()
        .filter(|algorithm| digests().any(|digest| digest.algorithm() == *algorithm))
        .collect()
}

/// The hash that goes with the key; for Ed25519 the one of its prehashed form.
fn signed_hash(key: &PublicKey) -> HashAlgorithm {
    match key.algorithm() {
        KeyAlgorithm::EcdsaP256 | KeyAlgorithm::Rsa { .. } => HashAlgorithm::Sha256,
        KeyAlgorithm::EcdsaP384 => HashAlgorithm::Sha384,
        KeyAlgorithm::EcdsaP521 | KeyAlgorithm::Ed25519 => HashAlgorithm::Sha512,
    }
}

/// An Ed25519 key signs prehashed where a log has to check it from a digest, and plainly otherwise;
/// the two can never be taken for each other (RFC 8032 5.1 prefixes the prehashed form), so that
/// both are tried when the bytes are at hand.
fn check(key: &PublicKey, content: &SignedContent<'_>) -> Result<(), SignatureError> {
    match (key.algorithm(), &content.bytes) {
        (KeyAlgorithm::Ed25519, Some(bytes)) => {
            crypto::verify_message(key, Scheme::Ed25519, bytes, content.signature)
                .or_else(|_| crypto::verify_digest(key, &content.digest, content.signature))
        }
        (KeyAlgorithm::Ed25519, None)
        | (
            KeyAlgorithm::EcdsaP256
            | KeyAlgorithm::EcdsaP384
            | KeyAlgorithm::EcdsaP521
            | KeyAlgorithm::Rsa { .. },
            Some(_) | None,
        ) => crypto::verify_digest(key, &content.digest, content.signature),
    }
}

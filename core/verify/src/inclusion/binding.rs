use formats::entry::{EntryBody, EntryVerifier, HashedRekord002};
use formats::key::{KeyAlgorithm, KeyDetails};

use super::ReadEntry;
use crate::error::EntryFault;
use crate::signature::{SignedContent, SignedKind};
use crate::signer::Signer;

/// Digest, signature and key of the entry are those of the bundle, byte for byte. A genuine entry
/// of another artifact, or of another signature by the same key, proves nothing here.
pub(super) fn check(
    read: &ReadEntry<'_>,
    signer: &Signer<'_>,
    content: &SignedContent<'_>,
) -> Result<(), EntryFault> {
    let verifier = signer.entry_verifier();
    match (&read.body, content.kind()) {
        (EntryBody::HashedRekord001(record), SignedKind::Message | SignedKind::Envelope(_)) => {
            same(&record.hash, content.digest(), EntryFault::DigestDiffers)?;
            same(record.signature.as_slice(), content.signature(), EntryFault::SignatureDiffers)?;
            same(&record.verifier, &verifier, EntryFault::KeyDiffers)
        }
        (EntryBody::HashedRekord002(record), SignedKind::Message | SignedKind::Envelope(_)) => {
            same(&record.digest, content.digest(), EntryFault::DigestDiffers)?;
            same(record.signature.as_slice(), content.signature(), EntryFault::SignatureDiffers)?;
            same(&record.verifier, &verifier, EntryFault::KeyDiffers)?;
            let key_details = details(signer).ok_or(EntryFault::KeyDetails)?;
            same(&record.key_details, &key_details, EntryFault::KeyDetails)?;
            // The whole body, rebuilt from the bundle alone: nothing in it goes unread.
            let rebuilt = HashedRekord002 {
                digest: *content.digest(),
                signature: content.signature().to_vec(),
                verifier,
                key_details,
            };
            let body = read.entry.canonicalized_body.as_slice();
            same(rebuilt.to_canonical().as_slice(), body, EntryFault::NotCanonical)
        }
        (EntryBody::Dsse001(record), SignedKind::Envelope(envelope)) => {
            same(&record.payload_hash, &content.payload_hash(envelope), EntryFault::DigestDiffers)?;
            check_signatures(&record.signatures, &verifier, content)
        }
        (EntryBody::Intoto002(record), SignedKind::Envelope(envelope)) => {
            same(&record.payload_hash, &content.payload_hash(envelope), EntryFault::DigestDiffers)?;
            same(&record.payload_type, &envelope.payload_type, EntryFault::PayloadTypeDiffers)?;
            check_signatures(&record.signatures, &verifier, content)
        }
        (EntryBody::Dsse001(_) | EntryBody::Intoto002(_), SignedKind::Message) => {
            Err(EntryFault::KindDoesNotFitContent)
        }
    }
}

fn check_signatures(
    signatures: &[(Vec<u8>, EntryVerifier)],
    verifier: &EntryVerifier,
    content: &SignedContent<'_>,
) -> Result<(), EntryFault> {
    let [(signature, by)] = signatures else {
        return Err(EntryFault::SignatureCount(signatures.len()));
    };
    same(signature.as_slice(), content.signature(), EntryFault::SignatureDiffers)?;
    same(by, verifier, EntryFault::KeyDiffers)
}

/// The one `keyDetails` that a tile log takes for the key: it checks digests, so that an Ed25519
/// key can only stand there in its prehashed form.
fn details(signer: &Signer<'_>) -> Option<KeyDetails> {
    match signer.key().algorithm() {
        KeyAlgorithm::Ed25519 => Some(KeyDetails::Ed25519ph),
        KeyAlgorithm::EcdsaP256
        | KeyAlgorithm::EcdsaP384
        | KeyAlgorithm::EcdsaP521
        | KeyAlgorithm::Rsa { .. } => KeyDetails::for_key(signer.key()),
    }
}

fn same<T: PartialEq + ?Sized>(found: &T, wanted: &T, fault: EntryFault) -> Result<(), EntryFault> {
    if found == wanted { Ok(()) } else { Err(fault) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::read;
    use super::*;
    use crate::policy::{Policy, SignerRule};
    use crate::root::Anchors;
    use crate::signature::Artifact;
    use crate::signer::TimedKey;
    use crate::time::VerifiedTimes;
    use formats::bundle::Bundle;
    use formats::key::PublicKey;
    use formats::trusted_root::TrustedRoot;

    /// The parser takes no other spelling of a tile log's body; the comparison that follows must
    /// not lean on that.
    #[test]
    fn body_is_compared_whole() {
        let bundle = Bundle::from_json(BUNDLE).unwrap();
        let root = TrustedRoot::from_json(ROOT).unwrap();
        let anchors = Anchors::prepare(&root).unwrap();
        let policy = Policy::key(PublicKey::from_pem(KEY).unwrap());
        let SignerRule::Key(rule) = &policy.signer else { panic!("a key was given") };
        let signer = Signer::Key(TimedKey::verify(rule, VerifiedTimes::none(), None).unwrap());
        let artifact = Artifact::Message(b"hello\n");
        let content = SignedContent::of(&bundle, signer.key(), &artifact).unwrap();
        let judge = |edit: fn(&mut Vec<u8>)| {
            let mut entry = bundle.entries.first().unwrap().clone();
            edit(&mut entry.canonicalized_body);
            let mut read = read(&bundle, &anchors).unwrap().remove(0);
            read.entry = &entry;
            check(&read, &signer, &content)
        };
        assert_eq!(judge(|_| {}), Ok(()));
        assert_eq!(judge(|body| body.push(b' ')), Err(EntryFault::NotCanonical));
        assert_eq!(judge(|body| body.clear()), Err(EntryFault::NotCanonical));
    }

    const BUNDLE: &[u8] =
        include_bytes!("../../tests/data/real-clients/blob-bundle-rekorv2-tsa.json");
    const ROOT: &[u8] =
        include_bytes!("../../tests/data/real-clients/trusted-root-rekorv2-tsa.json");
    const KEY: &str = include_str!("../../tests/data/real-clients/cosign.pub");
}

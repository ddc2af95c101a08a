//! The one-use key: made, used for one certificate's life, wiped.

use formats::digest::Digest;
use formats::key::PublicKey;
use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::elliptic_curve::Generate as _;
use p256::pkcs8::EncodePublicKey as _;

use crate::error::Failure;

/// An ECDSA P-256 key that never leaves this process. Its scalar is overwritten on drop (`p256`'s
/// own `ZeroizeOnDrop`), it cannot be cloned, and it does not show itself.
pub struct OneUseKey {
    signing: SigningKey,
    public: PublicKey,
}

impl OneUseKey {
    /// A key from the system's random source.
    ///
    /// # Errors
    /// [`Failure::Random`] when that source fails.
    pub fn generate() -> Result<Self, Failure> {
        let signing = SigningKey::try_generate().map_err(|_| Failure::Random)?;
        let public = signing
            .verifying_key()
            .to_public_key_der()
            .ok()
            .and_then(|spki| PublicKey::from_spki_der(spki.as_bytes()).ok())
            .ok_or(Failure::Random)?;
        Ok(Self { signing, public })
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a SHA-256 digest: ECDSA with a deterministic nonce (RFC 6979), the signature in DER.
    ///
    /// # Errors
    /// [`Failure::Key`], which no 32-byte digest causes.
    pub fn sign(&self, digest: &Digest) -> Result<Vec<u8>, Failure> {
        let signature: DerSignature =
            self.signing.sign_prehash(digest.as_bytes()).map_err(|_| Failure::Key)?;
        Ok(signature.as_bytes().to_vec())
    }
}

impl std::fmt::Debug for OneUseKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OneUseKey(redacted)")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use formats::digest::HashAlgorithm;
    use formats::key::KeyAlgorithm;
    use verify::crypto::verify_digest;

    #[test]
    fn signs_what_another_library_verifies() {
        let key = OneUseKey::generate().unwrap();
        assert_eq!(key.public().algorithm(), KeyAlgorithm::EcdsaP256);
        let digest = HashAlgorithm::Sha256.digest(b"hello");
        let signature = key.sign(&digest).unwrap();
        assert_eq!(verify_digest(key.public(), &digest, &signature), Ok(()));
        let other = HashAlgorithm::Sha256.digest(b"hullo");
        assert!(verify_digest(key.public(), &other, &signature).is_err());
    }

    #[test]
    fn no_two_are_the_same_and_none_shows() {
        let (a, b) = (OneUseKey::generate().unwrap(), OneUseKey::generate().unwrap());
        assert_ne!(a.public(), b.public());
        assert_eq!(format!("{a:?}"), "OneUseKey(redacted)");
    }

    #[test]
    fn is_wiped_on_drop() {
        fn wiped<T: zeroize::ZeroizeOnDrop>(_: &T) {}
        wiped(&OneUseKey::generate().unwrap().signing);
    }
}

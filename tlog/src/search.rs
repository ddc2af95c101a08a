//! Search keys: written in the commit that writes the entry, so that a search can't miss one.
//!
//! A key is the first 16 bytes of SHA-256 over a typed text such as `sha256:<hex>`. Shortened,
//! since a search answers with candidates whose entries the reader checks anyway; a collision
//! costs one entry too many in an answer and never a wrong one believed.

use formats::certificate::{Certificate, GeneralName};
use formats::digest::Digest;
use merkle::Hash;
use sha2::{Digest as _, Sha256};

/// A truncated hash of a typed search term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SearchKey([u8; SEARCH_KEY_LEN]);

impl SearchKey {
    /// Entries over an artifact with this digest.
    #[must_use]
    pub fn artifact(digest: &Digest) -> Self {
        Self::typed(digest.algorithm().rekor_name(), &digest.to_hex())
    }

    /// Entries whose certificate names this identity: an e-mail address or a URI, as written in
    /// the certificate.
    #[must_use]
    pub fn identity(subject: &str) -> Self {
        Self::typed("san", subject)
    }

    /// Entries verified by this key: SHA-256 of its DER SPKI.
    #[must_use]
    pub fn public_key(id: &[u8; 32]) -> Self {
        Self::typed("key", &Digest::sha256(*id).to_hex())
    }

    /// The CT entry with this leaf hash (RFC 6962 §4.5 asks for it).
    #[must_use]
    pub fn leaf(hash: &Hash) -> Self {
        Self::typed("leaf", &hash.to_string())
    }

    /// The stored bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; SEARCH_KEY_LEN] {
        &self.0
    }

    /// A key as stored.
    #[must_use]
    pub fn from_bytes(bytes: [u8; SEARCH_KEY_LEN]) -> Self {
        Self(bytes)
    }

    fn typed(kind: &str, term: &str) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(kind.as_bytes());
        hasher.update(b":");
        hasher.update(term.as_bytes());
        let full: [u8; 32] = hasher.finalize().into();
        let mut short = [0; SEARCH_KEY_LEN];
        short.copy_from_slice(&full[..SEARCH_KEY_LEN]);
        Self(short)
    }
}

/// A key for each name that a certificate is about. A certificate whose names do not parse has
/// none: it is logged all the same, since the log states what was signed.
pub(crate) fn identities(certificate: &Certificate) -> impl Iterator<Item = SearchKey> + use<> {
    let names = certificate.subject_alt_names().unwrap_or_default();
    names.into_iter().filter_map(|name| match name {
        GeneralName::Email(name) | GeneralName::Uri(name) | GeneralName::Dns(name) => {
            Some(SearchKey::identity(&name))
        }
        GeneralName::OtherName { value, .. } => Some(SearchKey::identity(utf8_string(&value)?)),
        GeneralName::Other { .. } => None,
    })
}

/// The text of a short DER UTF8String, the form of Fulcio's user names.
fn utf8_string(der: &[u8]) -> Option<&str> {
    let [UTF8_STRING, length @ 0..=127, text @ ..] = der else { return None };
    std::str::from_utf8(text).ok().filter(|text| text.len() == usize::from(*length))
}

/// The length of a search key, in bytes.
pub const SEARCH_KEY_LEN: usize = 16;
const UTF8_STRING: u8 = 0x0c;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_beginning_of_a_typed_hash() {
        let key = SearchKey::identity("someone@example.com");
        let full = Sha256::digest(b"san:someone@example.com");
        assert_eq!(key.as_bytes(), &full[..16]);
        let id = [0xab; 32];
        let typed = format!("key:{}", "ab".repeat(32));
        assert_eq!(SearchKey::public_key(&id).as_bytes(), &Sha256::digest(typed)[..16]);
        assert_ne!(SearchKey::public_key(&id), SearchKey::leaf(&Hash::new(id)));
    }

    #[test]
    fn only_an_exact_utf8_string_is_a_name() {
        assert_eq!(utf8_string(&[0x0c, 2, b'a', b'b']), Some("ab"));
        for wrong in [
            &[0x0c, 3, b'a', b'b'][..],
            &[0x0c, 1, b'a', b'b'],
            &[0x13, 1, b'a'],
            &[0x0c],
            &[0x0c, 1, 0xff],
        ] {
            assert_eq!(utf8_string(wrong), None);
        }
    }
}

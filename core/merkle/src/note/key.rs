//! Key names and key IDs of signed notes.
//!
//! A key ID is 32 bytes here; signature lines carry its first four, the hint, and trusted
//! roots carry all of it. It finds a key, it never proves one.

use std::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;

/// The name of a key: not empty, without Unicode white space, `+` or control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(String);

impl KeyName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether `name` may be a key name.
    ///
    /// # Errors
    /// [`KeyNameError`].
    pub fn check(name: &str) -> Result<(), KeyNameError> {
        if name.is_empty() {
            return Err(KeyNameError::Empty);
        }
        match name.char_indices().find(|(_, c)| c.is_whitespace() || *c == '+' || *c < ' ') {
            Some((at, character)) => Err(KeyNameError::Character { character, at }),
            None => Ok(()),
        }
    }
}

impl TryFrom<String> for KeyName {
    type Error = KeyNameError;

    fn try_from(name: String) -> Result<Self, KeyNameError> {
        Self::check(&name).map(|()| Self(name))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for KeyName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Why a string is not a key name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyNameError {
    /// The name is empty.
    #[error("the key name is empty")]
    Empty,
    /// A character that separates fields or lines of notes and of verifier keys.
    #[error("the key name has {character:?} at byte {at}")]
    Character {
        /// The character.
        character: char,
        /// Where it stands, in bytes from the start.
        at: usize,
    },
}

/// The hint of a key ID: its first four bytes, as signature lines carry it.
#[must_use]
pub const fn key_hint(key_id: &[u8; 32]) -> [u8; 4] {
    let [a, b, c, d, ..] = *key_id;
    [a, b, c, d]
}

/// The key ID of an Ed25519 key, C2SP signed-note type 0x01.
#[must_use]
pub fn key_id_ed25519(name: &str, public_key: &[u8; 32]) -> [u8; 32] {
    named_key_id(name, &[0x01], public_key)
}

/// The key ID of an ECDSA key: SHA-256 of its SubjectPublicKeyInfo (DER), whatever its name,
/// C2SP signed-note type 0x02. Rekor v1 identifies keys of every algorithm so.
#[must_use]
pub fn key_id_ecdsa(spki_der: &[u8]) -> [u8; 32] {
    Sha256::digest(spki_der).into()
}

/// The key ID of an RSA key (PKCS #1 v1.5) as Rekor v2 makes it from the
/// SubjectPublicKeyInfo (DER): C2SP signed-note type 0xff with a type string.
#[must_use]
pub fn key_id_rsa(name: &str, spki_der: &[u8]) -> [u8; 32] {
    named_key_id(name, b"\xffPKIX-RSA-PKCS#1v1.5", spki_der)
}

/// The key ID of a CT log that signs RFC 6962 tree heads, C2SP static-ct-api type 0x05;
/// `log_id` is SHA-256 of the log's SubjectPublicKeyInfo (DER).
#[must_use]
pub fn key_id_rfc6962(name: &str, log_id: &[u8; 32]) -> [u8; 32] {
    named_key_id(name, &[0x05], log_id)
}

/// SHA-256(name ‖ 0x0A ‖ type ‖ key), C2SP signed-note.
fn named_key_id(name: &str, kind: &[u8], key: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(name);
    hasher.update(b"\n");
    hasher.update(kind);
    hasher.update(key);
    hasher.finalize().into()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn hex(key_id: &[u8]) -> String {
        key_id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The verifier key `sum.golang.org+033de0ae+Ac4z…` that the Go command is built with.
    #[test]
    fn ed25519_of_the_go_checksum_database() {
        let key = STANDARD.decode("Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8").unwrap();
        let [0x01, key @ ..] = key.as_slice() else { panic!("type 0x01") };
        let key_id = key_id_ed25519("sum.golang.org", key.try_into().unwrap());
        assert_eq!(hex(&key_hint(&key_id)), "033de0ae");
    }

    /// The public Rekor v2 log, key and ID as the public trusted root has them.
    #[test]
    fn ed25519_of_the_public_rekor_v2_log() {
        let spki = "MCowBQYDK2VwAyEAt8rlp1knGwjfbcXAYPYAkn0XiLz1x8O4t0YkEhie244=";
        let spki = STANDARD.decode(spki).unwrap();
        let key_id = key_id_ed25519("log2025-1.rekor.sigstore.dev", spki.last_chunk().unwrap());
        assert_eq!(STANDARD.encode(key_id), "zxGZFVvd0FEmjR8WrFwMdcAJ9vtaY/QXf44Y1wUeP6A=");
    }

    /// Computed with Python's hashlib from the formulas of the specifications.
    #[test]
    fn other_types() {
        let log_id: [u8; 32] = std::array::from_fn(|i| i as u8);
        assert_eq!(
            hex(&key_id_rfc6962("ct.example.com/2025h2", &log_id)),
            "328cd51f53e0f724feaa0c61cbab9eb05eb1e2a4f13c2835d3bc4b3c4107242f"
        );
        let spki: [u8; 64] = std::array::from_fn(|i| i as u8);
        assert_eq!(
            hex(&key_id_rsa("log.example", &spki)),
            "ca256b8b9b1b4147391432fe570f7f038db4eac15132d3094ca3d6e842671451"
        );
    }

    #[test]
    fn names_are_one_word() {
        for name in ["a", "log.example/2025h2", "(.*)*x", "\u{2014}", "\u{e9}", "a:1"] {
            assert_eq!(KeyName::try_from(name.to_owned()).unwrap().as_str(), name);
        }
        assert_eq!(KeyName::check(""), Err(KeyNameError::Empty));
        for character in
            [' ', '\t', '\n', '\r', '\u{85}', '\u{a0}', '\u{2028}', '\u{3000}', '+', '\0']
        {
            let wrong = Err(KeyNameError::Character { character, at: 2 });
            assert_eq!(KeyName::check(&format!("na{character}me")), wrong);
        }
    }
}

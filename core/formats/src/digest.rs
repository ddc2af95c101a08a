//! The three hash algorithms of the trust chain, their names on each wire, and digests that know
//! which one made them. SHA-1 and MD5 have no representation.

use std::fmt;

use sha2::{Digest as _, Sha256, Sha384, Sha512};
use thiserror::Error;

/// A hash algorithm of FIPS 180-4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum HashAlgorithm {
    /// SHA-256, 32 bytes.
    Sha256,
    /// SHA-384, 48 bytes.
    Sha384,
    /// SHA-512, 64 bytes.
    Sha512,
}

/// Why something is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DigestError {
    /// Another number of bytes than the algorithm gives.
    #[error("{algorithm} digest has {actual} bytes, not {expected}")]
    WrongLength {
        /// The algorithm that was named.
        algorithm: HashAlgorithm,
        /// Bytes it gives.
        expected: usize,
        /// Bytes there were.
        actual: usize,
    },
    /// Anything but lower-case hexadecimal, two digits a byte.
    #[error("digest is not lower-case hexadecimal")]
    NotHex,
}

impl HashAlgorithm {
    /// All of them, shortest first.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// Length of a digest in bytes.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "an algorithm is not a container")]
    pub const fn len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The name in protobuf-specs' `HashAlgorithm`.
    #[must_use]
    pub const fn proto_name(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA2_256",
            Self::Sha384 => "SHA2_384",
            Self::Sha512 => "SHA2_512",
        }
    }

    /// The algorithm with this protobuf-specs name.
    #[must_use]
    pub fn from_proto_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.proto_name() == name)
    }

    /// The name in Rekor bodies, in-toto digest sets and OCI digests.
    #[must_use]
    pub const fn rekor_name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// The algorithm with this Rekor name.
    #[must_use]
    pub fn from_rekor_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.rekor_name() == name)
    }

    /// The object identifier of NIST's arc, in dotted decimals.
    #[must_use]
    pub const fn oid(self) -> &'static str {
        match self {
            Self::Sha256 => "2.16.840.1.101.3.4.2.1",
            Self::Sha384 => "2.16.840.1.101.3.4.2.2",
            Self::Sha512 => "2.16.840.1.101.3.4.2.3",
        }
    }

    /// The algorithm with this object identifier in dotted decimals.
    #[must_use]
    pub fn from_oid(oid: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.oid() == oid)
    }

    /// The digest of a message in memory.
    #[must_use]
    pub fn digest(self, message: &[u8]) -> Digest {
        let mut hasher = Hasher::new(self);
        hasher.update(message);
        hasher.finish()
    }
}

/// The Rekor name, `sha256`.
impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rekor_name())
    }
}

/// A digest and the algorithm that made it; never of another length than that algorithm gives.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest {
    algorithm: HashAlgorithm,
    /// Zero beyond the algorithm's length, so that derived equality compares digests.
    bytes: [u8; 64],
}

impl Digest {
    /// A digest from its bytes.
    ///
    /// # Errors
    /// [`DigestError::WrongLength`].
    pub fn new(algorithm: HashAlgorithm, bytes: &[u8]) -> Result<Self, DigestError> {
        let wrong =
            DigestError::WrongLength { algorithm, expected: algorithm.len(), actual: bytes.len() };
        if bytes.len() != algorithm.len() {
            return Err(wrong);
        }
        let mut padded = [0; 64];
        padded.get_mut(..bytes.len()).ok_or(wrong)?.copy_from_slice(bytes);
        Ok(Self { algorithm, bytes: padded })
    }

    /// A SHA-256 digest from its bytes.
    #[must_use]
    pub fn sha256(bytes: [u8; 32]) -> Self {
        let mut padded = [0; 64];
        for (to, from) in padded.iter_mut().zip(bytes) {
            *to = from;
        }
        Self { algorithm: HashAlgorithm::Sha256, bytes: padded }
    }

    /// A digest from lower-case hexadecimal of exactly the right length.
    ///
    /// # Errors
    /// [`DigestError`].
    pub fn from_hex(algorithm: HashAlgorithm, hex: &str) -> Result<Self, DigestError> {
        let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
        if !rest.is_empty() {
            return Err(DigestError::NotHex);
        }
        let bytes = pairs
            .iter()
            .map(|[high, low]| Some((nibble(*high)? << 4) | nibble(*low)?))
            .collect::<Option<Vec<u8>>>()
            .ok_or(DigestError::NotHex)?;
        Self::new(algorithm, &bytes)
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.algorithm.len()).unwrap_or(&self.bytes)
    }

    /// The bytes in lower-case hexadecimal.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.as_bytes()
            .iter()
            .flat_map(|byte| [byte >> 4, byte & 0x0f])
            .filter_map(|nibble| char::from_digit(u32::from(nibble), 16))
            .collect()
    }
}

/// `sha256:` and lower-case hexadecimal.
impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// A digest in the making: bytes in as they stream by, [`Digest`] out.
#[derive(Debug, Clone)]
pub struct Hasher(State);

#[derive(Debug, Clone)]
enum State {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    /// A hasher that has seen nothing yet.
    #[must_use]
    pub fn new(algorithm: HashAlgorithm) -> Self {
        Self(match algorithm {
            HashAlgorithm::Sha256 => State::Sha256(Sha256::new()),
            HashAlgorithm::Sha384 => State::Sha384(Sha384::new()),
            HashAlgorithm::Sha512 => State::Sha512(Sha512::new()),
        })
    }

    /// The algorithm.
    #[must_use]
    pub fn algorithm(&self) -> HashAlgorithm {
        match &self.0 {
            State::Sha256(_) => HashAlgorithm::Sha256,
            State::Sha384(_) => HashAlgorithm::Sha384,
            State::Sha512(_) => HashAlgorithm::Sha512,
        }
    }

    /// Takes the next bytes of the message.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(state) => state.update(bytes),
            State::Sha384(state) => state.update(bytes),
            State::Sha512(state) => state.update(bytes),
        }
    }

    /// The digest of all that was taken.
    #[must_use]
    pub fn finish(self) -> Digest {
        let algorithm = self.algorithm();
        let mut bytes = [0; 64];
        match self.0 {
            State::Sha256(state) => copy(&mut bytes, &state.finalize()),
            State::Sha384(state) => copy(&mut bytes, &state.finalize()),
            State::Sha512(state) => copy(&mut bytes, &state.finalize()),
        }
        Digest { algorithm, bytes }
    }
}

fn copy(to: &mut [u8; 64], from: &[u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// FIPS 180-4 example values for the message "abc".
    const ABC: [(HashAlgorithm, &str); 3] = [
        (HashAlgorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            HashAlgorithm::Sha384,
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed\
             8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            HashAlgorithm::Sha512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
    ];

    #[test]
    fn hashes_in_pieces_as_the_standard_says() {
        for (algorithm, hex) in ABC {
            let mut hasher = Hasher::new(algorithm);
            hasher.update(b"a");
            hasher.update(b"bc");
            let digest = hasher.finish();
            assert_eq!(digest.to_hex(), hex);
            assert_eq!(digest, algorithm.digest(b"abc"));
            assert_eq!(Digest::from_hex(algorithm, hex).unwrap(), digest);
            assert_eq!(digest.to_string(), format!("{}:{hex}", algorithm.rekor_name()));
        }
    }

    #[test]
    fn names_and_oids_read_back() {
        for algorithm in HashAlgorithm::ALL {
            assert_eq!(HashAlgorithm::from_proto_name(algorithm.proto_name()), Some(algorithm));
            assert_eq!(HashAlgorithm::from_rekor_name(algorithm.rekor_name()), Some(algorithm));
            assert_eq!(HashAlgorithm::from_oid(algorithm.oid()), Some(algorithm));
        }
        assert_eq!(HashAlgorithm::from_rekor_name("sha1"), None);
        assert_eq!(HashAlgorithm::from_rekor_name("SHA256"), None);
        assert_eq!(HashAlgorithm::from_proto_name("HASH_ALGORITHM_UNSPECIFIED"), None);
        assert_eq!(HashAlgorithm::from_oid("1.3.14.3.2.26"), None);
    }

    #[test]
    fn length_is_the_algorithms() {
        assert!(Digest::new(HashAlgorithm::Sha256, &[7; 32]).is_ok());
        assert_eq!(
            Digest::new(HashAlgorithm::Sha256, &[7; 20]),
            Err(DigestError::WrongLength {
                algorithm: HashAlgorithm::Sha256,
                expected: 32,
                actual: 20
            })
        );
        assert_eq!(
            Digest::new(HashAlgorithm::Sha384, &[7; 64]),
            Err(DigestError::WrongLength {
                algorithm: HashAlgorithm::Sha384,
                expected: 48,
                actual: 64
            })
        );
    }

    #[test]
    fn hex_is_lower_case_and_whole() {
        let hex = ABC[0].1;
        let parse = |text: &str| Digest::from_hex(HashAlgorithm::Sha256, text);
        assert!(parse(hex).is_ok());
        assert_eq!(parse(&hex.to_uppercase()), Err(DigestError::NotHex));
        assert_eq!(parse(hex.get(1..).unwrap()), Err(DigestError::NotHex));
        assert_eq!(parse(&hex.replace('b', "g")), Err(DigestError::NotHex));
        assert!(matches!(
            parse(hex.get(2..).unwrap()),
            Err(DigestError::WrongLength { actual: 31, .. })
        ));
    }

    #[test]
    fn equal_bytes_under_another_algorithm_differ() {
        let a = Digest::sha256([0; 32]);
        assert_eq!(a, Digest::new(HashAlgorithm::Sha256, &[0; 32]).unwrap());
        assert_ne!(a, Digest::new(HashAlgorithm::Sha384, &[0; 48]).unwrap());
    }

    proptest! {
        #[test]
        fn hex_reads_back(bytes in any::<[u8; 32]>()) {
            let digest = Digest::sha256(bytes);
            prop_assert_eq!(Digest::from_hex(HashAlgorithm::Sha256, &digest.to_hex()), Ok(digest));
            prop_assert_eq!(digest.as_bytes(), &bytes[..]);
        }
    }
}

//! Merkle trees of RFC 6962 §2.1: hashes here, proofs made in `prove` and checked in `verify`.

mod prove;
mod verify;

use std::fmt;

use sha2::{Digest, Sha256};
use thiserror::Error;

pub use prove::{Nodes, ProveError, prove_consistency, prove_inclusion, root};
pub use verify::{ProofError, verify_consistency, verify_inclusion};

/// A SHA-256 node of a Merkle tree: a leaf hash, an inner node or a root.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash([u8; HASH_LEN]);

impl Hash {
    /// Wraps 32 bytes that are already a hash.
    #[must_use]
    pub const fn new(bytes: [u8; HASH_LEN]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; HASH_LEN] {
        &self.0
    }
}

impl TryFrom<&[u8]> for Hash {
    type Error = WrongLength;

    fn try_from(bytes: &[u8]) -> Result<Self, WrongLength> {
        <[u8; HASH_LEN]>::try_from(bytes).map(Self).map_err(|_| WrongLength { len: bytes.len() })
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A byte string offered as a hash was not 32 bytes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a Merkle hash is {HASH_LEN} bytes, not {len}")]
pub struct WrongLength {
    /// The length that was offered, in bytes.
    pub len: usize,
}

/// The hash of a leaf: SHA-256(0x00 ‖ entry), RFC 6962 §2.1.
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([LEAF_PREFIX]);
    hasher.update(entry);
    Hash(hasher.finalize().into())
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right), RFC 6962 §2.1.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([NODE_PREFIX]);
    hasher.update(left.0);
    hasher.update(right.0);
    Hash(hasher.finalize().into())
}

/// The root of the tree without leaves: SHA-256 of the empty string, RFC 6962 §2.1.
#[must_use]
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// The length of every hash, in bytes.
pub const HASH_LEN: usize = 32;

const LEAF_PREFIX: u8 = 0;
const NODE_PREFIX: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn root_of(entries: &[&[u8]]) -> Hash {
        match entries {
            [] => empty_root(),
            [entry] => leaf_hash(entry),
            _ => {
                let (left, right) = entries.split_at(entries.len().next_power_of_two() / 2);
                node_hash(&root_of(left), &root_of(right))
            }
        }
    }

    /// The eight entries long used to compare implementations of RFC 6962, and the roots
    /// over the first 0 to 8 of them, recomputed with Python's hashlib.
    #[test]
    fn known_roots() {
        let entries: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        for (size, root) in roots.into_iter().enumerate() {
            assert_eq!(root_of(&entries[..size]).to_string(), root);
        }
    }

    /// Without the prefixes an entry made of two child hashes would hash to their parent, and
    /// an inner node could be shown as a leaf (RFC 6962 §2.1, second preimages).
    #[test]
    fn leaf_and_node_prefixes() {
        let (left, right) = (leaf_hash(b"left"), leaf_hash(b"right"));
        let parent = node_hash(&left, &right);
        let children = [left.as_bytes().as_slice(), right.as_bytes()].concat();
        assert_ne!(leaf_hash(&children), parent);
        assert_ne!(leaf_hash(&[&[NODE_PREFIX], children.as_slice()].concat()), parent);
        assert_ne!(node_hash(&right, &left), parent);
        assert_eq!(parent.0[..], Sha256::digest([&[1], children.as_slice()].concat())[..]);
        assert_eq!(left.0[..], Sha256::digest(b"\x00left")[..]);
    }

    #[test]
    fn hashes_are_32_bytes() {
        assert_eq!(Hash::try_from([7; 32].as_slice()), Ok(Hash::new([7; 32])));
        for len in [0, 31, 33, 64] {
            assert_eq!(Hash::try_from(vec![7; len].as_slice()), Err(WrongLength { len }));
        }
        let hash = Hash::new([0xa5; 32]);
        assert_eq!(format!("{hash} {hash:?}"), format!("{0} {0}", "a5".repeat(32)));
    }
}

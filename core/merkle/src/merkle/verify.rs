//! Proofs checked, RFC 6962 §2.1.1 and §2.1.2 read from the leaf up.
//!
//! The number of hashes a proof must have follows from the sizes alone. It is compared
//! first, so no hash of a proof is ever left over or taken twice.

use thiserror::Error;

use super::{Hash, node_hash};

/// Checks that `leaf` is the leaf `index` of the tree of `size` leaves with root `root`.
///
/// `leaf` is the leaf *hash*; make it with [`super::leaf_hash`] from the entry itself.
///
/// # Errors
/// [`ProofError::IndexOutOfRange`], [`ProofError::WrongLength`], [`ProofError::RootMismatch`].
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::IndexOutOfRange { index, size });
    }
    let path = Path::to_leaf(index, size);
    path.check_length(proof)?;
    let (inner, border) = split_at(proof, path.inner);
    let below = fold_inner(*leaf, index, inner, Side::Both);
    if fold_border(below, border) == *root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// Checks that the tree of `first` leaves with root `first_root` is a prefix of the tree of
/// `second` leaves with root `second_root`.
///
/// Holds only for `0 < first <= second`; for equal sizes the proof must be empty and the
/// roots equal.
///
/// # Errors
/// [`ProofError::EmptyFirstTree`], [`ProofError::SizesReversed`], [`ProofError::WrongLength`],
/// [`ProofError::FirstRootMismatch`], [`ProofError::RootMismatch`] (the second root).
pub fn verify_consistency(
    first: u64,
    second: u64,
    first_root: &Hash,
    second_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if first == 0 {
        return Err(ProofError::EmptyFirstTree);
    }
    if first > second {
        return Err(ProofError::SizesReversed { first, second });
    }
    if first == second {
        check_length(0, proof)?;
        return if first_root == second_root { Ok(()) } else { Err(ProofError::RootMismatch) };
    }

    // The path starts at the last complete subtree of the first tree. When that is the whole
    // first tree its hash is the first root and is not sent.
    let height = first.trailing_zeros();
    let subtree = (first - 1) >> height;
    let path = Path::to_leaf(subtree, ((second - 1) >> height) + 1);
    let (seed, rest) = if first.is_power_of_two() {
        path.check_length(proof)?;
        (first_root, proof)
    } else {
        check_length(path.len() + 1, proof)?;
        // The length is at least 1 now; the error is here so that nothing can panic.
        proof.split_first().ok_or(ProofError::WrongLength { expected: 1, actual: 0 })?
    };
    let (inner, border) = split_at(rest, path.inner);

    // What stands to the right of the first tree takes part in the second root only.
    let old = fold_border(fold_inner(*seed, subtree, inner, Side::Left), border);
    if old != *first_root {
        return Err(ProofError::FirstRootMismatch);
    }
    let new = fold_border(fold_inner(*seed, subtree, inner, Side::Both), border);
    if new == *second_root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// Why a proof was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The leaf is not in the tree.
    #[error("leaf index {index} is not in a tree of {size} leaves")]
    IndexOutOfRange {
        /// The leaf claimed, counted from 0.
        index: u64,
        /// The size of the tree, in leaves.
        size: u64,
    },
    /// The proof does not have the number of hashes that the sizes demand.
    #[error("the proof has {actual} hashes where the sizes demand {expected}")]
    WrongLength {
        /// The one right number of hashes.
        expected: usize,
        /// The number that came.
        actual: usize,
    },
    /// The proof leads to another root; for a consistency proof, another second root.
    #[error("the proof does not lead to the root")]
    RootMismatch,
    /// The consistency proof leads to another first root.
    #[error("the proof does not lead to the first root")]
    FirstRootMismatch,
    /// Every tree extends the empty one, so consistency with it says nothing.
    #[error("a consistency proof cannot start from the empty tree")]
    EmptyFirstTree,
    /// The tree said to be the older one is larger.
    #[error("the first size {first} is larger than the second size {second}")]
    SizesReversed {
        /// The size that should be the smaller one, in leaves.
        first: u64,
        /// The size that should be the larger one, in leaves.
        second: u64,
    },
}

/// The shape of an audit path, leaf side first.
///
/// Up to the level where the leaf and the last leaf of the tree share a subtree, every level
/// has a sibling (`inner`). Above it the subtree ends at the right edge, and siblings stand
/// on the left only, where the index has a bit set (`border`).
struct Path {
    inner: usize,
    border: usize,
}

impl Path {
    /// For `index < size`.
    fn to_leaf(index: u64, size: u64) -> Self {
        let inner = u64::BITS - (index ^ (size - 1)).leading_zeros();
        // The shift is by 64 when the two part at the top bit, and nothing is above it.
        let above = index.checked_shr(inner).unwrap_or(0);
        Self { inner: inner as usize, border: above.count_ones() as usize }
    }

    fn len(&self) -> usize {
        self.inner + self.border
    }

    fn check_length(&self, proof: &[Hash]) -> Result<(), ProofError> {
        check_length(self.len(), proof)
    }
}

fn check_length(expected: usize, proof: &[Hash]) -> Result<(), ProofError> {
    let actual = proof.len();
    if actual == expected { Ok(()) } else { Err(ProofError::WrongLength { expected, actual }) }
}

/// `split_at` that cannot panic; the length was checked before.
fn split_at(proof: &[Hash], at: usize) -> (&[Hash], &[Hash]) {
    proof.split_at_checked(at).unwrap_or((proof, &[]))
}

/// Which siblings take part: all of them, or only those standing on the left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Both,
    Left,
}

fn fold_inner(seed: Hash, index: u64, siblings: &[Hash], side: Side) -> Hash {
    siblings.iter().zip(0..u64::BITS).fold(seed, |hash, (sibling, level)| {
        if (index >> level) & 1 == 1 {
            node_hash(sibling, &hash)
        } else if side == Side::Both {
            node_hash(&hash, sibling)
        } else {
            hash
        }
    })
}

fn fold_border(seed: Hash, siblings: &[Hash]) -> Hash {
    siblings.iter().fold(seed, |hash, sibling| node_hash(sibling, &hash))
}

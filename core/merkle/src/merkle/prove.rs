//! Roots and proofs made from stored nodes, RFC 6962 §2.1.1 and §2.1.2.
//!
//! Each walk goes from the root down, one level per step, and names every part of the tree
//! as a half-open range of leaves. A part that ends at the right edge of the tree may be
//! ragged; it is the only part hashed here, and a walk meets at most one of them.

use thiserror::Error;

use super::{Hash, empty_root, node_hash};

/// A source of the hashes of complete subtrees.
///
/// Level 0 holds the leaf hashes. The node `(level, index)` covers the leaves
/// `index << level .. (index + 1) << level`. Only nodes that the size given to
/// [`root`] or a prover completes are ever asked for, each at most once per call.
pub trait Nodes {
    /// Why a node could not be read.
    type Error;

    /// The hash of the node `(level, index)`, with `level` in `0..=63`.
    ///
    /// # Errors
    /// Whatever keeps the source from answering.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

impl<N: Nodes + ?Sized> Nodes for &N {
    type Error = N::Error;

    fn node(&self, level: u8, index: u64) -> Result<Hash, N::Error> {
        (**self).node(level, index)
    }
}

/// The root of the first `size` leaves, MTH(D\[size\]) of RFC 6962 §2.1.
///
/// # Errors
/// Only those of `nodes`.
pub fn root<N: Nodes>(size: u64, nodes: &N) -> Result<Hash, N::Error> {
    range_hash(0, size, nodes)
}

/// The audit path of leaf `index` in the tree of `size` leaves, RFC 6962 §2.1.1, leaf side first.
///
/// Costs fewer than 2 · log2(size) + 2 lookups and log2(size) hashes.
///
/// # Errors
/// [`ProveError::IndexOutOfRange`] unless `index < size`; the errors of `nodes`.
pub fn prove_inclusion<N: Nodes>(
    index: u64,
    size: u64,
    nodes: &N,
) -> Result<Vec<Hash>, ProveError<N::Error>> {
    if index >= size {
        return Err(ProveError::IndexOutOfRange { index, size });
    }
    let mut path = Vec::new();
    let (mut from, mut to) = (0, size);
    while to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            path.push(range_hash(middle, to, nodes).map_err(ProveError::Nodes)?);
            to = middle;
        } else {
            path.push(range_hash(from, middle, nodes).map_err(ProveError::Nodes)?);
            from = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of `first` leaves is a prefix of the tree of `second`,
/// PROOF(first, D\[second\]) of RFC 6962 §2.1.2; empty when the sizes are equal.
///
/// Costs fewer than 2 · log2(second) + 2 lookups and log2(second) hashes.
///
/// # Errors
/// [`ProveError::EmptyFirstTree`] when `first` is 0 (every tree extends the empty one, so
/// such a proof would prove nothing), [`ProveError::SizesReversed`] unless
/// `first <= second`; the errors of `nodes`.
pub fn prove_consistency<N: Nodes>(
    first: u64,
    second: u64,
    nodes: &N,
) -> Result<Vec<Hash>, ProveError<N::Error>> {
    if first == 0 {
        return Err(ProveError::EmptyFirstTree);
    }
    if first > second {
        return Err(ProveError::SizesReversed { first, second });
    }
    let mut path = Vec::new();
    let (mut from, mut to) = (0, second);
    while to != first {
        let middle = from + split(to - from);
        if first <= middle {
            path.push(range_hash(middle, to, nodes).map_err(ProveError::Nodes)?);
            to = middle;
        } else {
            path.push(range_hash(from, middle, nodes).map_err(ProveError::Nodes)?);
            from = middle;
        }
    }
    // A walk that never turned right ended at the whole first tree, whose root the verifier holds.
    if from > 0 {
        path.push(range_hash(from, to, nodes).map_err(ProveError::Nodes)?);
    }
    path.reverse();
    Ok(path)
}

/// Why no proof was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ProveError<E> {
    /// The leaf is not in the tree.
    #[error("leaf index {index} is not in a tree of {size} leaves")]
    IndexOutOfRange {
        /// The leaf asked for, counted from 0.
        index: u64,
        /// The size of the tree, in leaves.
        size: u64,
    },
    /// A consistency proof was asked for from the empty tree.
    #[error("a consistency proof cannot start from the empty tree")]
    EmptyFirstTree,
    /// A consistency proof was asked for towards a smaller tree.
    #[error("the first size {first} is larger than the second size {second}")]
    SizesReversed {
        /// The size that should be the smaller one, in leaves.
        first: u64,
        /// The size that should be the larger one, in leaves.
        second: u64,
    },
    /// A node could not be read.
    #[error("a node of the tree could not be read")]
    Nodes(#[source] E),
}

/// The hash over the leaves `from .. to`, where `from` is where a walk put it: a multiple of
/// every power of two up to the length of the range.
fn range_hash<N: Nodes>(from: u64, to: u64, nodes: &N) -> Result<Hash, N::Error> {
    let mut parts = Vec::new();
    let mut start = from;
    while start < to {
        // The largest complete subtree that still fits.
        let level = (to - start).ilog2();
        parts.push(nodes.node(level as u8, start >> level)?);
        start += 1 << level;
    }
    Ok(parts
        .into_iter()
        .rev()
        .reduce(|right, left| node_hash(&left, &right))
        .unwrap_or_else(empty_root))
}

/// The largest power of two smaller than `len`, the `k` of RFC 6962 §2.1; `len` is at least 2.
fn split(len: u64) -> u64 {
    1 << (len - 1).ilog2()
}

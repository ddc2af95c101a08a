//! Proofs, against a second implementation and against everything that is nearly a proof.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod naive;

use std::cell::RefCell;
use std::collections::HashSet;
use std::convert::Infallible;

use merkle::Hash;
use merkle::merkle::{
    Nodes, ProofError, ProveError, empty_root, leaf_hash, node_hash, prove_consistency,
    prove_inclusion, root, verify_consistency, verify_inclusion,
};
use naive::Naive;
use proptest::prelude::*;

/// Serves complete subtrees of a list of `size` entries, and writes down what was asked.
struct Source<'a> {
    tree: &'a Naive,
    size: u64,
    asked: RefCell<HashSet<(u8, u64)>>,
}

impl<'a> Source<'a> {
    fn new(tree: &'a Naive, size: usize) -> Self {
        Self { tree, size: size as u64, asked: RefCell::default() }
    }
}

impl Nodes for Source<'_> {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        let (from, to) = (index << level, (index + 1) << level);
        assert!(to <= self.size, "node {level}/{index} is not complete at {}", self.size);
        assert!(self.asked.borrow_mut().insert((level, index)), "{level}/{index} asked twice");
        Ok(Hash::new(self.tree.mth(from as usize, to as usize)))
    }
}

fn hashes(bytes: &[naive::Bytes]) -> Vec<Hash> {
    bytes.iter().copied().map(Hash::new).collect()
}

fn flip(hash: &Hash, bit: usize) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    Hash::new(bytes)
}

/// Every proof one slip away: a bit flipped in one hash, a hash left out, one more put in,
/// two neighbours swapped. `salt` moves the flipped bit about.
fn neighbours(proof: &[Hash], salt: usize) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for at in 0..proof.len() {
        let mut flipped = proof.to_vec();
        flipped[at] = flip(&proof[at], salt * 31 + at * 89);
        all.push(flipped);
        let mut dropped = proof.to_vec();
        dropped.remove(at);
        all.push(dropped);
        if at + 1 < proof.len() {
            let mut swapped = proof.to_vec();
            swapped.swap(at, at + 1);
            all.push(swapped);
        }
    }
    for at in 0..=proof.len() {
        let mut added = proof.to_vec();
        added.insert(at, Hash::new([7; 32]));
        all.push(added);
        if let Some(hash) = proof.get(at) {
            let mut doubled = proof.to_vec();
            doubled.insert(at, *hash);
            all.push(doubled);
        }
    }
    all
}

#[test]
fn roots_are_those_of_the_rfc() {
    let tree = Naive::new(300);
    for size in 0..=300 {
        let source = Source::new(&tree, size);
        assert_eq!(root(size as u64, &source), Ok(Hash::new(tree.mth(0, size))));
        assert_eq!(source.asked.into_inner().len() as u32, size.count_ones());
    }
}

#[test]
fn inclusion_exhaustive() {
    let tree = Naive::new(257);
    for size in 1..=257_usize {
        let root = Hash::new(tree.mth(0, size));
        for index in 0..size {
            let leaf = leaf_hash(tree.entry(index));
            let (i, n) = (index as u64, size as u64);
            let source = Source::new(&tree, size);
            let proof = prove_inclusion(i, n, &source).unwrap();
            assert_eq!(proof, hashes(&tree.path(index, 0, size)), "leaf {index} of {size}");
            let lookups = source.asked.into_inner().len() as u32;
            assert!(lookups <= 2 * n.ilog2() + 1, "{lookups} lookups for {index} of {size}");

            assert_eq!(verify_inclusion(i, n, &leaf, &proof, &root), Ok(()));
            let bit = index * 7 + size;
            assert_eq!(
                verify_inclusion(i, n, &flip(&leaf, bit), &proof, &root),
                Err(ProofError::RootMismatch)
            );
            assert_eq!(
                verify_inclusion(i, n, &leaf, &proof, &flip(&root, bit)),
                Err(ProofError::RootMismatch)
            );
            for wrong in neighbours(&proof, bit) {
                let error = if wrong.len() == proof.len() {
                    ProofError::RootMismatch
                } else {
                    ProofError::WrongLength { expected: proof.len(), actual: wrong.len() }
                };
                assert_eq!(verify_inclusion(i, n, &leaf, &wrong, &root), Err(error));
            }
        }
    }
}

#[test]
fn inclusion_holds_at_one_index_only() {
    let tree = Naive::new(70);
    for size in 1..=70_usize {
        let root = Hash::new(tree.mth(0, size));
        for index in 0..size {
            let leaf = leaf_hash(tree.entry(index));
            let proof = hashes(&tree.path(index, 0, size));
            for other in (0..2 * size).filter(|other| *other != index) {
                let answer = verify_inclusion(other as u64, size as u64, &leaf, &proof, &root);
                assert!(answer.is_err(), "leaf {index} of {size} also held as {other}");
            }
        }
    }
}

#[test]
fn consistency_exhaustive() {
    let tree = Naive::new(130);
    for second in 1..=130_usize {
        let second_root = Hash::new(tree.mth(0, second));
        for first in 1..=second {
            let first_root = Hash::new(tree.mth(0, first));
            let (m, n) = (first as u64, second as u64);
            let source = Source::new(&tree, second);
            let proof = prove_consistency(m, n, &source).unwrap();
            assert_eq!(proof, hashes(&tree.proof(first, second)), "{first} to {second}");
            let lookups = source.asked.into_inner().len() as u32;
            assert!(lookups <= 2 * n.ilog2() + 1, "{lookups} lookups for {first} to {second}");

            assert_eq!(verify_consistency(m, n, &first_root, &second_root, &proof), Ok(()));
            let bit = first * 7 + second;
            let other_first = flip(&first_root, bit);
            let other_second = flip(&second_root, bit);
            assert!(verify_consistency(m, n, &other_first, &second_root, &proof).is_err());
            assert_eq!(
                verify_consistency(m, n, &first_root, &other_second, &proof),
                Err(ProofError::RootMismatch)
            );
            if first < second {
                assert!(verify_consistency(m, n, &second_root, &first_root, &proof).is_err());
                assert!(verify_consistency(m, n, &first_root, &first_root, &proof).is_err());
            }
            for wrong in neighbours(&proof, bit) {
                let answer = verify_consistency(m, n, &first_root, &second_root, &wrong);
                if wrong.len() == proof.len() {
                    assert!(matches!(
                        answer,
                        Err(ProofError::FirstRootMismatch | ProofError::RootMismatch)
                    ));
                } else {
                    let (expected, actual) = (proof.len(), wrong.len());
                    assert_eq!(answer, Err(ProofError::WrongLength { expected, actual }));
                }
            }
        }
    }
}

#[test]
fn every_bit_of_a_proof_counts() {
    let tree = Naive::new(201);
    let second_root = Hash::new(tree.mth(0, 201));
    let leaf = leaf_hash(tree.entry(87));
    let inclusion = hashes(&tree.path(87, 0, 201));
    let first_root = Hash::new(tree.mth(0, 87));
    let consistency = hashes(&tree.proof(87, 201));
    for bit in 0..256 {
        for at in 0..inclusion.len() {
            let mut wrong = inclusion.clone();
            wrong[at] = flip(&wrong[at], bit);
            let answer = verify_inclusion(87, 201, &leaf, &wrong, &second_root);
            assert_eq!(answer, Err(ProofError::RootMismatch));
        }
        for at in 0..consistency.len() {
            let mut wrong = consistency.clone();
            wrong[at] = flip(&wrong[at], bit);
            assert!(verify_consistency(87, 201, &first_root, &second_root, &wrong).is_err());
        }
    }
}

/// The first root is checked for itself: a proof that leads to the second root only is that of
/// a log that rewrote what it had shown.
#[test]
fn consistency_needs_the_first_root() {
    let tree = Naive::new(8);
    let (three, eight) = (Hash::new(tree.mth(0, 3)), Hash::new(tree.mth(0, 8)));
    let proof = hashes(&tree.proof(3, 8));
    assert_eq!(verify_consistency(3, 8, &three, &eight, &proof), Ok(()));
    assert_eq!(
        verify_consistency(3, 8, &flip(&three, 0), &eight, &proof),
        Err(ProofError::FirstRootMismatch)
    );
}

#[test]
fn consistency_from_zero_refused() {
    let tree = Naive::new(8);
    let source = Source::new(&tree, 8);
    let at = |size: usize| Hash::new(tree.mth(0, size));
    let (five, eight) = (at(5), at(8));

    let from_zero = Err(ProofError::EmptyFirstTree);
    assert_eq!(verify_consistency(0, 8, &empty_root(), &eight, &[]), from_zero);
    assert_eq!(verify_consistency(0, 0, &empty_root(), &empty_root(), &[]), from_zero);
    assert_eq!(prove_consistency(0, 8, &source), Err(ProveError::EmptyFirstTree));

    let reversed = ProofError::SizesReversed { first: 5, second: 3 };
    assert_eq!(verify_consistency(5, 3, &five, &at(3), &[]), Err(reversed));
    assert_eq!(
        prove_consistency(5, 3, &source),
        Err(ProveError::SizesReversed { first: 5, second: 3 })
    );

    assert_eq!(verify_consistency(8, 8, &eight, &eight, &[]), Ok(()));
    assert_eq!(
        verify_consistency(8, 8, &eight, &eight, &[eight]),
        Err(ProofError::WrongLength { expected: 0, actual: 1 })
    );
    assert_eq!(
        verify_consistency(8, 8, &eight, &flip(&eight, 3), &[]),
        Err(ProofError::RootMismatch)
    );
    assert_eq!(prove_consistency(8, 8, &source), Ok(Vec::new()));
}

#[test]
fn leaf_zero_is_a_leaf() {
    let tree = Naive::new(64);
    let leaf = leaf_hash(tree.entry(0));
    for size in 1..=64_usize {
        let proof = prove_inclusion(0, size as u64, &Source::new(&tree, size)).unwrap();
        let root = Hash::new(tree.mth(0, size));
        assert_eq!(verify_inclusion(0, size as u64, &leaf, &proof, &root), Ok(()));
    }
    assert_eq!(verify_inclusion(0, 1, &leaf, &[], &leaf), Ok(()));
}

#[test]
fn null_head_is_not_empty_head() {
    let tree = Naive::new(1);
    let source = Source::new(&tree, 0);
    // SHA-256 of nothing, from `openssl dgst -sha256 /dev/null`.
    let nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(empty_root().to_string(), nothing);
    assert_eq!(root(0, &source), Ok(empty_root()));
    assert_ne!(root(0, &source), Ok(Hash::new([0; 32])));
    assert_ne!(leaf_hash(b""), empty_root());

    let outside = ProofError::IndexOutOfRange { index: 0, size: 0 };
    let leaf = leaf_hash(b"");
    assert_eq!(verify_inclusion(0, 0, &leaf, &[], &leaf), Err(outside));
    assert_eq!(
        prove_inclusion(0, 0, &source),
        Err(ProveError::IndexOutOfRange { index: 0, size: 0 })
    );
}

/// Index, size and hash count at the ends of what 64 bits can say.
#[test]
fn largest_sizes_do_not_overflow() {
    const MAX: u64 = u64::MAX;
    let tree = OneOdd { at: 1 << 63 };
    let root = root(MAX, &tree).unwrap();
    for index in [0, 1, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, MAX - 2, MAX - 1] {
        let proof = prove_inclusion(index, MAX, &tree).unwrap();
        let leaf = tree.node(0, index).unwrap();
        assert_eq!(verify_inclusion(index, MAX, &leaf, &proof, &root), Ok(()));
        let (expected, actual) = (proof.len(), proof.len() + 1);
        let more = [proof, vec![leaf]].concat();
        assert_eq!(
            verify_inclusion(index, MAX, &leaf, &more, &root),
            Err(ProofError::WrongLength { expected, actual })
        );
    }
    let outside = ProofError::IndexOutOfRange { index: MAX, size: MAX };
    assert_eq!(verify_inclusion(MAX, MAX, &root, &[], &root), Err(outside));
    assert_eq!(
        prove_inclusion(MAX, MAX, &tree),
        Err(ProveError::IndexOutOfRange { index: MAX, size: MAX })
    );
    for first in [1, 2, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, MAX - 1, MAX] {
        let first_root = merkle::merkle::root(first, &tree).unwrap();
        let proof = prove_consistency(first, MAX, &tree).unwrap();
        assert_eq!(verify_consistency(first, MAX, &first_root, &root, &proof), Ok(()));
    }
}

/// A tree of any size: every leaf is the same but one.
struct OneOdd {
    at: u64,
}

impl Nodes for OneOdd {
    type Error = Infallible;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        let mut same = leaf_hash(b"same");
        let mut hash = leaf_hash(b"odd");
        for below in 0..level {
            hash = if (self.at >> below) & 1 == 0 {
                node_hash(&hash, &same)
            } else {
                node_hash(&same, &hash)
            };
            same = node_hash(&same, &same);
        }
        Ok(if self.at >> level == index { hash } else { same })
    }
}

/// A source that fails at one level.
struct Broken(u8);

impl Nodes for Broken {
    type Error = &'static str;

    fn node(&self, level: u8, _: u64) -> Result<Hash, &'static str> {
        if level == self.0 { Err("unreadable") } else { Ok(Hash::new([level; 32])) }
    }
}

#[test]
fn a_source_that_fails_is_reported() {
    assert_eq!(root(7, &Broken(1)), Err("unreadable"));
    assert_eq!(prove_inclusion(0, 8, &Broken(2)), Err(ProveError::Nodes("unreadable")));
    assert_eq!(prove_consistency(3, 8, &Broken(2)), Err(ProveError::Nodes("unreadable")));
    assert!(prove_inclusion(0, 8, &Broken(3)).is_ok());
}

proptest! {
    #[test]
    fn inclusion_of_any_size(at: u64, size in 1_u64.., index: u64) {
        let (tree, index) = (OneOdd { at }, index % size);
        let proof = prove_inclusion(index, size, &tree).unwrap();
        let leaf = tree.node(0, index).unwrap();
        let root = root(size, &tree).unwrap();
        prop_assert_eq!(verify_inclusion(index, size, &leaf, &proof, &root), Ok(()));
        let other = flip(&leaf, at as usize % 256);
        prop_assert!(verify_inclusion(index, size, &other, &proof, &root).is_err());
    }

    #[test]
    fn consistency_of_any_sizes(at: u64, a in 1_u64.., b in 1_u64..) {
        let (tree, first, second) = (OneOdd { at }, a.min(b), a.max(b));
        let proof = prove_consistency(first, second, &tree).unwrap();
        let (old, new) = (root(first, &tree).unwrap(), root(second, &tree).unwrap());
        prop_assert_eq!(verify_consistency(first, second, &old, &new, &proof), Ok(()));
        let other = flip(&old, at as usize % 256);
        prop_assert!(verify_consistency(first, second, &other, &new, &proof).is_err());
    }

    /// Numbers and hashes out of the blue: an answer, never a panic, and never yes.
    #[test]
    fn verifiers_are_total(
        a: u64,
        b: u64,
        proof in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let proof = hashes(&proof);
        let (x, y) = (Hash::new([1; 32]), Hash::new([2; 32]));
        prop_assert!(verify_inclusion(a, b, &x, &proof, &y).is_err());
        prop_assert!(verify_consistency(a, b, &x, &y, &proof).is_err());
    }
}

//! RFC 6962 trees, written after RFC 9162 section 2.1 and apart from the code under test.

use crate::sha256;

/// A node's hash.
pub type Hash = [u8; 32];

/// SHA-256(0x00 || entry).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry].concat())
}

/// SHA-256(0x01 || left || right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left.as_slice(), right.as_slice()].concat())
}

/// The roots of all trees over the first 0, 1, 2, ... leaves.
#[must_use]
pub fn roots(leaves: &[Hash]) -> Vec<Hash> {
    let mut all = vec![sha256(b"")];
    // The roots of the perfect subtrees from left to right, with their sizes.
    let mut peaks: Vec<(Hash, u64)> = Vec::new();
    for leaf in leaves {
        let mut peak = (*leaf, 1);
        while let Some((hash, size)) = peaks.pop_if(|(_, size)| *size == peak.1) {
            peak = (node_hash(&hash, &peak.0), size * 2);
        }
        peaks.push(peak);
        let mut from_the_right = peaks.iter().rev().map(|(hash, _)| *hash);
        let last = from_the_right.next().expect("there is a leaf");
        all.push(from_the_right.fold(last, |right, left| node_hash(&left, &right)));
    }
    all
}

/// Whether an inclusion proof leads to the root (RFC 9162 section 2.1.3.2).
#[must_use]
pub fn included(index: u64, size: u64, leaf: &Hash, proof: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether a consistency proof leads from one root to the other (RFC 9162 section 2.1.4.2).
#[must_use]
pub fn consistent(first: u64, second: u64, old: &Hash, new: &Hash, proof: &[Hash]) -> bool {
    if first == second {
        return proof.is_empty() && old == new;
    }
    if first == 0 || first > second || proof.is_empty() {
        return false;
    }
    let mut path = proof.to_vec();
    if first.is_power_of_two() {
        path.insert(0, *old);
    }
    let (mut at, mut last) = (first - 1, second - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut new_hash) = (path[0], path[0]);
    for step in &path[1..] {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old_hash = node_hash(step, &old_hash);
            new_hash = node_hash(step, &new_hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node_hash(&new_hash, step);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old && new_hash == *new
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MTH of RFC 6962 section 2.1, word for word.
    fn mth(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => sha256(b""),
            [leaf] => *leaf,
            many => {
                let split = many.len().next_power_of_two() / 2;
                node_hash(&mth(&many[..split]), &mth(&many[split..]))
            }
        }
    }

    /// PATH of RFC 6962 section 2.1.1.
    fn path(at: usize, leaves: &[Hash]) -> Vec<Hash> {
        if leaves.len() <= 1 {
            return Vec::new();
        }
        let split = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(split);
        let (mut below, beside) = if at < split {
            (path(at, left), mth(right))
        } else {
            (path(at - split, right), mth(left))
        };
        below.push(beside);
        below
    }

    /// SUBPROOF of RFC 6962 section 2.1.2.
    fn subproof(first: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
        if first == leaves.len() {
            return if whole { Vec::new() } else { vec![mth(leaves)] };
        }
        let split = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(split);
        let (mut below, beside) = if first <= split {
            (subproof(first, left, whole), mth(right))
        } else {
            (subproof(first - split, right, false), mth(left))
        };
        below.push(beside);
        below
    }

    #[test]
    fn the_judges_agree_with_the_definition() {
        let leaves: Vec<Hash> = (0..40_u8).map(|n| leaf_hash(&[n])).collect();
        let roots = roots(&leaves);
        for size in 0..=leaves.len() {
            let root = mth(&leaves[..size]);
            assert_eq!(roots[size], root);
            for index in 0..size {
                let proof = path(index, &leaves[..size]);
                let (i, n) = (index as u64, size as u64);
                assert!(included(i, n, &leaves[index], &proof, &root));
                assert!(!included(i, n, &leaf_hash(b"other"), &proof, &root));
                assert!(!included(i, n, &leaves[index], &[&proof[..], &[root]].concat(), &root));
            }
            for (first, old) in roots.iter().enumerate().take(size + 1).skip(1) {
                let proof = subproof(first, &leaves[..size], true);
                let (m, n) = (first as u64, size as u64);
                assert!(consistent(m, n, old, &root, &proof), "{m} {n}");
                assert!(!consistent(m, n, &leaf_hash(b"other"), &root, &proof));
            }
        }
    }
}

//! RFC 6962 §2.1 written down as it stands: recursive, over a list of entries, with hashing of
//! its own. The crate under test shares no code with it.

use std::cell::RefCell;
use std::collections::HashMap;

use sha2::{Digest, Sha256};

pub type Bytes = [u8; 32];

/// A list of entries; hashes of its ranges are remembered, for the tests ask millions of times.
pub struct Naive {
    entries: Vec<Vec<u8>>,
    known: RefCell<HashMap<(usize, usize), Bytes>>,
}

impl Naive {
    /// Distinct entries of several lengths, the first of them empty.
    pub fn new(len: usize) -> Self {
        let entries = (0..len).map(|i| i.to_string().repeat(i % 5).into_bytes()).collect();
        Self { entries, known: RefCell::default() }
    }

    pub fn entry(&self, index: usize) -> &[u8] {
        &self.entries[index]
    }

    /// MTH(D[from..to]).
    pub fn mth(&self, from: usize, to: usize) -> Bytes {
        if let Some(hash) = self.known.borrow().get(&(from, to)) {
            return *hash;
        }
        let hash: Bytes = match to - from {
            0 => Sha256::digest(b"").into(),
            1 => Sha256::digest([b"\x00", self.entry(from)].concat()).into(),
            n => {
                let k = k(n);
                let left = self.mth(from, from + k);
                let right = self.mth(from + k, to);
                Sha256::digest([b"\x01", &left[..], &right[..]].concat()).into()
            }
        };
        self.known.borrow_mut().insert((from, to), hash);
        hash
    }

    /// PATH(m, D[from..to]), §2.1.1.
    pub fn path(&self, m: usize, from: usize, to: usize) -> Vec<Bytes> {
        let n = to - from;
        if n == 1 {
            return Vec::new();
        }
        let k = k(n);
        if m < k {
            [self.path(m, from, from + k), vec![self.mth(from + k, to)]].concat()
        } else {
            [self.path(m - k, from + k, to), vec![self.mth(from, from + k)]].concat()
        }
    }

    /// PROOF(m, D[n]), §2.1.2.
    pub fn proof(&self, m: usize, n: usize) -> Vec<Bytes> {
        self.subproof(m, 0, n, true)
    }

    fn subproof(&self, m: usize, from: usize, to: usize, b: bool) -> Vec<Bytes> {
        let n = to - from;
        if m == n {
            return if b { Vec::new() } else { vec![self.mth(from, to)] };
        }
        let k = k(n);
        if m <= k {
            [self.subproof(m, from, from + k, b), vec![self.mth(from + k, to)]].concat()
        } else {
            let right = self.subproof(m - k, from + k, to, false);
            [right, vec![self.mth(from, from + k)]].concat()
        }
    }
}

/// The largest power of two smaller than n.
fn k(n: usize) -> usize {
    let mut k = 1;
    while 2 * k < n {
        k *= 2;
    }
    k
}

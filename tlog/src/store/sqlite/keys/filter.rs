//! Tells for most keys that are not in a run that they are not, without reading it. Ten bits a
//! key, all bits of a key within one cache line; about one in sixty absent keys is let through.

/// A blocked Bloom filter over keys that are hashes already.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    blocks: Vec<[u64; 8]>,
}

impl Filter {
    /// An empty filter, sized for this many keys.
    pub(super) fn for_keys(count: usize) -> Self {
        Self { blocks: vec![[0; 8]; (count * BITS_PER_KEY).div_ceil(512).max(1)] }
    }

    pub(super) fn add(&mut self, key: &[u8; 32]) {
        let (block, bits) = self.place(key);
        if let Some(words) = self.blocks.get_mut(block) {
            bits.for_each(|(word, bit)| words[word] |= bit);
        }
    }

    pub(super) fn may_hold(&self, key: &[u8; 32]) -> bool {
        let (block, mut bits) = self.place(key);
        let Some(words) = self.blocks.get(block) else { return true };
        bits.all(|(word, bit)| words[word] & bit != 0)
    }

    /// The block, and for each of seven bits its word (0..8) and its mask. Nine bits of the key
    /// choose each.
    fn place(&self, key: &[u8; 32]) -> (usize, impl Iterator<Item = (usize, u64)> + use<>) {
        let [a, b, ..] = *key.as_chunks::<8>().0 else { return (0, bits(0)) };
        let spread = u128::from(u64::from_le_bytes(a)) * self.blocks.len() as u128;
        ((spread >> 64) as usize, bits(u64::from_le_bytes(b)))
    }
}

fn bits(hash: u64) -> impl Iterator<Item = (usize, u64)> {
    (0..HASHES).map(move |nth| {
        let nine = hash >> (9 * nth);
        ((nine >> 6 & 7) as usize, 1 << (nine & 63))
    })
}

const BITS_PER_KEY: usize = 10;
const HASHES: u32 = 7;

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    fn key(n: u32) -> [u8; 32] {
        Sha256::digest(n.to_le_bytes()).into()
    }

    #[test]
    fn holds_what_was_added_and_little_else() {
        let mut filter = Filter::for_keys(10_000);
        (0..10_000).for_each(|n| filter.add(&key(n)));
        assert!((0..10_000).all(|n| filter.may_hold(&key(n))));
        let wrong = (10_000..110_000).filter(|n| filter.may_hold(&key(*n))).count();
        assert!(wrong < 3_000, "{wrong} of 100,000 absent keys are let through");
    }
}

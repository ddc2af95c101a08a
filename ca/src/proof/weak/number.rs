//! Just enough arithmetic on public moduli to look for weak ones. Nothing here is secret, so
//! nothing here runs in constant time.

use std::cmp::Ordering;

/// A non-negative integer in 64-bit limbs, the least first, without leading zero limbs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number(Vec<u64>);

impl Number {
    pub(super) fn from_be_bytes(bytes: &[u8]) -> Self {
        let limbs = bytes
            .rchunks(8)
            .map(|chunk| chunk.iter().fold(0, |limb, byte| (limb << 8) | u64::from(*byte)))
            .collect();
        Self(limbs).trimmed()
    }

    /// The remainder by a divisor that is not zero.
    pub(super) fn rem(&self, divisor: u32) -> u32 {
        let divisor = u64::from(divisor.max(1));
        let remainder = self.0.iter().rev().fold(0, |rest, limb| {
            let high = ((rest << 32) | (limb >> 32)) % divisor;
            ((high << 32) | (limb & 0xffff_ffff)) % divisor
        });
        u32::try_from(remainder).unwrap_or(u32::MAX)
    }

    /// The largest integer whose square is not more, bit by bit: each round decides one bit of
    /// the root from the top.
    pub(super) fn root(&self) -> Self {
        let mut rest = self.0.clone();
        rest.push(0);
        let mut root = vec![0; rest.len()];
        for bit in (0..self.0.len() * 32).rev() {
            // `root` holds twice the bits found so far, where the next square term will stand.
            let at = 2 * bit;
            flip(&mut root, at);
            if compare(&rest, &root).is_ge() {
                subtract(&mut rest, &root);
                flip(&mut root, at);
                halve(&mut root);
                flip(&mut root, at);
            } else {
                flip(&mut root, at);
                halve(&mut root);
            }
        }
        Self(root).trimmed()
    }

    pub(super) fn square(&self) -> Self {
        let mut out = vec![0_u64; self.0.len() * 2 + 1];
        for (at, left) in self.0.iter().enumerate() {
            let mut carry = 0_u128;
            for (place, right) in out.iter_mut().skip(at).zip(self.0.iter().chain(&[0])) {
                let sum = u128::from(*left) * u128::from(*right) + u128::from(*place) + carry;
                *place = low(sum);
                carry = sum >> 64;
            }
        }
        Self(out).trimmed()
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        let width = self.0.len().max(other.0.len()) + 1;
        let mut out = self.0.clone();
        out.resize(width, 0);
        let mut carry = 0_u128;
        for (place, limb) in out.iter_mut().zip(other.0.iter().chain(std::iter::repeat(&0))) {
            let sum = u128::from(*place) + u128::from(*limb) + carry;
            *place = low(sum);
            carry = sum >> 64;
        }
        Self(out).trimmed()
    }

    /// `None` if the other is more.
    pub(super) fn minus(&self, other: &Self) -> Option<Self> {
        let mut out = self.0.clone();
        let mut less = other.0.clone();
        let width = out.len().max(less.len());
        out.resize(width, 0);
        less.resize(width, 0);
        if compare(&out, &less).is_lt() {
            return None;
        }
        subtract(&mut out, &less);
        Some(Self(out).trimmed())
    }

    pub(super) fn one() -> Self {
        Self(vec![1])
    }

    pub(super) fn is_square(&self) -> bool {
        // Squares are few modulo these: nearly all others end here.
        let may_be = |modulus: u32| {
            let rest = u64::from(self.rem(modulus));
            (0..u64::from(modulus)).any(|x| x * x % u64::from(modulus) == rest)
        };
        [64, 63, 65, 11].into_iter().all(may_be) && self.root().square() == *self
    }

    fn trimmed(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }
}

/// Compares equally long limbs.
fn compare(left: &[u64], right: &[u64]) -> Ordering {
    left.iter().rev().cmp(right.iter().rev())
}

/// Subtracts an equally long number that is not more.
fn subtract(from: &mut [u64], less: &[u64]) {
    let mut borrow = false;
    for (place, limb) in from.iter_mut().zip(less) {
        let (first, under) = place.overflowing_sub(*limb);
        let (second, again) = first.overflowing_sub(u64::from(borrow));
        *place = second;
        borrow = under || again;
    }
}

fn halve(number: &mut [u64]) {
    let mut carry = 0;
    for place in number.iter_mut().rev() {
        let next = *place << 63;
        *place = (*place >> 1) | carry;
        carry = next;
    }
}

fn flip(number: &mut [u64], bit: usize) {
    if let Some(place) = number.get_mut(bit / 64) {
        *place ^= 1 << (bit % 64);
    }
}

#[allow(clippy::cast_possible_truncation, reason = "the low half is what is asked for")]
fn low(wide: u128) -> u64 {
    wide as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: u128) -> Number {
        Number::from_be_bytes(&value.to_be_bytes())
    }

    proptest::proptest! {
        #[test]
        fn agrees_with_the_machine(a in 0..u64::MAX, b in 0..u64::MAX, d in 1..u32::MAX) {
            let (wide, other) = (u128::from(a), u128::from(b));
            proptest::prop_assert_eq!(of(wide).square(), of(wide * wide));
            proptest::prop_assert_eq!(of(wide).plus(&of(other)), of(wide + other));
            proptest::prop_assert_eq!(of(wide).minus(&of(other)), wide.checked_sub(other).map(of));
            proptest::prop_assert_eq!(u128::from(of(wide * wide).rem(d)), wide * wide % u128::from(d));
            proptest::prop_assert_eq!(of(wide * other).root(), of((wide * other).isqrt()));
            proptest::prop_assert!(of(wide * wide).is_square());
            let next = wide * wide + 1;
            proptest::prop_assert_eq!(of(next).is_square(), next.isqrt().pow(2) == next);
        }

        #[test]
        fn a_root_is_the_largest(bytes in proptest::collection::vec(0_u8.., 0..300)) {
            let number = Number::from_be_bytes(&bytes);
            let root = number.root();
            proptest::prop_assert!(number.minus(&root.square()).is_some());
            let next = root.plus(&Number::one()).square();
            proptest::prop_assert!(next.minus(&number).is_some_and(|rest| rest != of(0)));
        }
    }
}

//! Three ways in which RSA moduli have been factored in practice.

use super::number::Number;

/// The smallest prime below 1024 that divides the modulus.
pub(super) fn small(modulus: &Number) -> Option<u32> {
    let is_prime = |n: &u32| (2..*n).take_while(|d| d * d <= *n).all(|d| !n.is_multiple_of(d));
    (2..SMALL_PRIMES_BELOW).filter(is_prime).find(|prime| modulus.rem(*prime) == 0)
}

/// Primes of CVE-2017-15361 ("The Return of Coppersmith's Attack", CCS 2017, section 2) are powers
/// of 65537 modulo the product of the first primes, and so are their products: modulo each of
/// the primes below, where those powers are not everything.
pub(super) fn has_roca_fingerprint(modulus: &Number) -> bool {
    ROCA_PRIMES.into_iter().all(|prime| {
        let rest = modulus.rem(prime);
        let powers = std::iter::successors(Some(1), |power| {
            let next = power * (65_537 % prime) % prime;
            (next != 1).then_some(next)
        });
        powers.into_iter().any(|power| power == rest)
    })
}

/// Fermat: n = a^2 - b^2 with a just above the root of n, if the two primes are close.
pub(super) fn has_close_primes(modulus: &Number) -> bool {
    let root = modulus.root();
    let mut a = if root.square() == *modulus { root } else { root.plus(&Number::one()) };
    for _ in 0..FERMAT_ROUNDS {
        if a.square().minus(modulus).is_some_and(|b_squared| b_squared.is_square()) {
            return true;
        }
        a = a.plus(&Number::one());
    }
    false
}

const SMALL_PRIMES_BELOW: u32 = 1024;
const FERMAT_ROUNDS: usize = 100;
const ROCA_PRIMES: [u32; 17] =
    [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

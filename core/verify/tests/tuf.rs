//! Roots of the public Sigstore, as sigstore 3.6.1 and 4.5.1 for Python carry them: three of five
//! keys must sign, and the older one has the older name of the key type.

#![allow(clippy::unwrap_used, missing_docs)]

use formats::digest::{Digest, HashAlgorithm};
use formats::tuf::Role;
use verify::tuf::{RootChain, TufFault};

const FIFTH: &[u8] = include_bytes!("data/tuf/public-sigstore-5.root.json");
const FIFTEENTH: &[u8] = include_bytes!("data/tuf/public-sigstore-15.root.json");

fn digest(hex: &str) -> Digest {
    Digest::from_hex(HashAlgorithm::Sha256, hex).unwrap()
}

/// Fingerprints as `sha256sum` gives them.
#[test]
fn roots_of_the_public_sigstore_are_signed_by_their_own_keys() {
    let fifth = digest("e2a930b2d1d4053dd56e8faf66fd113658545d522e35d222ccf58fea87ccccf4");
    let fifteenth = digest("73747011d0857ada15479a16c4cae0f3ed03aac698b523b97e1de314ac9d9ca8");
    assert_eq!(RootChain::pinned(FIFTH, &fifth).unwrap().version(), 5);
    let root = RootChain::pinned(FIFTEENTH, &fifteenth).unwrap();
    assert_eq!(root.version(), 15);
    // 2026-11-20T13:58:18Z
    let since = 1795183098;
    assert!(root.clone().newest(since - 1).is_ok());
    let expired = TufFault::Expired { role: Role::Root, version: 15, since };
    assert_eq!(root.newest(since).err(), Some(expired));
}

#[test]
fn roots_ten_apart_are_no_step() {
    let fifth = HashAlgorithm::Sha256.digest(FIFTH);
    let chain = RootChain::pinned(FIFTH, &fifth).unwrap();
    let skipped = TufFault::RootVersion { expected: 6, found: 15 };
    assert_eq!(chain.step(FIFTEENTH).err(), Some(skipped));
}

//! Bodies of any bytes: an answer, never a panic.

use proptest::prelude::*;
use tlog::{Submitted, ct, rekor2};

use crate::support::{World, rekor_request};

proptest! {
    #[test]
    fn bodies_of_any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let body = Submitted::new(bytes);
        prop_assert!(rekor2::accept(&body).is_err());
    }
}

#[test]
fn a_request_with_any_byte_changed_is_the_same_entry_or_none() {
    let original = format!("{:?}", rekor_request(1));
    let bytes: Vec<u8> = original
        .trim_start_matches("Submitted([")
        .trim_end_matches("])")
        .split(", ")
        .map(|byte| byte.parse().unwrap())
        .collect();
    let identity = *rekor2::accept(&Submitted::new(bytes.clone())).unwrap().identity();
    for at in 0..bytes.len() {
        for flip in [1, 0x20, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            if let Ok(entry) = rekor2::accept(&Submitted::new(changed)) {
                assert_eq!(entry.identity(), &identity, "byte {at}");
            }
        }
    }
}

#[test]
fn a_chain_with_any_byte_changed_is_refused_or_the_same() {
    let world = World::new();
    let precertificate = world.ca.precertificate("a@example.com");
    let ours = world.ca.authorities();
    let der = precertificate.der().to_vec();
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 1;
        let Ok(changed) = formats::certificate::Certificate::from_der(&changed) else { continue };
        assert!(ct::accept_precertificate(&changed, &[], &ours).is_err(), "byte {at}");
    }
}

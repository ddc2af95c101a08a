//! SCT lists, the spliced precertificate and the bytes a log signs.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod forge;

use forge::{Forge, extension, tlv};
use formats::certificate::{Certificate, DerError, oid as ids};
use formats::digest::HashAlgorithm;
use formats::sct::{
    LogEntryKind, Sct, SctError, digitally_signed, embedded_scts, encode_sct_list,
    is_precertificate, leaf_index_extension, merkle_tree_leaf, parse_digitally_signed,
    parse_leaf_index_extension, parse_sct_list, precert_tbs, sct_signed_data,
    tree_head_signed_data,
};
use proptest::prelude::*;

fn read(pem: &str) -> Certificate {
    Certificate::from_pem(pem).unwrap()
}

/// The digest was computed by a program of its own over data/certificates/fulcio-staging-leaf.pem,
/// and OpenSSL verified the SCT's signature over those bytes with the log's key (data/README.md).
#[test]
fn a_real_sct_signs_the_bytes_we_rebuild() {
    let leaf = read(include_str!("data/certificates/fulcio-staging-leaf.pem"));
    let chain =
        Certificate::chain_from_pem(include_str!("data/certificates/fulcio-staging-chain.pem"))
            .unwrap();
    let scts = embedded_scts(&leaf).unwrap();
    let [sct] = scts.as_slice() else { panic!("one SCT") };
    assert_eq!(sct.timestamp_ms, 1_753_473_184_078);
    assert_eq!((sct.hash, sct.signature_algorithm), (4, 3));
    assert!(sct.extensions.is_empty());
    assert_eq!(sct.signature.len(), 71);
    let tbs = precert_tbs(&leaf).unwrap();
    assert_eq!(
        HashAlgorithm::Sha256.digest(&tbs).to_hex(),
        "e38f11cf69689aa10e51ed46308015e5113222fc02e26f22bfc931c11736e6ba"
    );
    let issuer_key_hash = chain[0].public_key().unwrap().id();
    let entry = LogEntryKind::Precert { issuer_key_hash, tbs: &tbs };
    let signed = sct_signed_data(sct.timestamp_ms, &entry, &sct.extensions).unwrap();
    assert_eq!(
        HashAlgorithm::Sha256.digest(&signed).to_hex(),
        "7eeacd1a037127f5b000ad207baee72f5ca6dc15872f1ce718e058f199f9e1ca"
    );
    let list = &leaf.extension(ids::SCT_LIST).unwrap().value;
    assert_eq!(&encode_sct_list(&scts).unwrap(), list);
}

/// OpenSSL made one certificate three ways; without the CT extensions all three are the first.
#[test]
fn precertificate_and_certificate_have_one_tbs() {
    let plain = read(include_str!("data/certificates/openssl-plain.pem"));
    let precert = read(include_str!("data/certificates/openssl-precert.pem"));
    let last = read(include_str!("data/certificates/openssl-final.pem"));
    assert_ne!(precert.tbs(), plain.tbs());
    assert_ne!(last.tbs(), plain.tbs());
    assert_eq!(precert_tbs(&precert).unwrap(), plain.tbs());
    assert_eq!(precert_tbs(&last).unwrap(), plain.tbs());
    assert_eq!(precert_tbs(&plain).unwrap(), plain.tbs());

    assert_eq!(is_precertificate(&precert), Ok(true));
    assert_eq!(is_precertificate(&last), Ok(false));
    assert_eq!(embedded_scts(&precert), Err(SctError::NoSctList));
    let sct = Sct {
        log_id: [7; 32],
        timestamp_ms: 1,
        extensions: Vec::new(),
        hash: 4,
        signature_algorithm: 3,
        signature: vec![0x30, 0],
    };
    assert_eq!(embedded_scts(&last), Ok(vec![sct]));
}

#[test]
fn splicing_leaves_odd_bytes_alone() {
    // An explicit FALSE is not DER; re-encoding would drop it and change what was signed.
    let odd = tlv(0x30, &[&forge::oid("1.2.3.4"), &[1, 1, 0], &tlv(0x04, &[b"x"])]);
    let poison = extension(ids::PRECERT_POISON, true, &[5, 0]);
    let list = extension(ids::SCT_LIST, false, &tlv(0x04, &[&[0, 0]]));
    let base = Forge::leaf().with(odd);
    for index in 0..=base.extensions.len() {
        let mut forged = base.clone();
        forged.extensions.insert(index, poison.clone());
        forged.extensions.insert(index, list.clone());
        let certificate = Certificate::from_der(&forged.der()).unwrap();
        assert_eq!(precert_tbs(&certificate).unwrap(), base.tbs(), "at {index}");
    }
}

#[test]
fn no_extension_left_leaves_no_field() {
    let mut forged = Forge::leaf();
    forged.extensions = vec![extension(ids::PRECERT_POISON, true, &[5, 0])];
    let certificate = Certificate::from_der(&forged.der()).unwrap();
    forged.extensions.clear();
    assert_eq!(precert_tbs(&certificate).unwrap(), forged.tbs());
}

#[test]
fn poison_is_critical_and_null() {
    let poisoned = |critical, value: &[u8]| {
        let forged = Forge::leaf().with(extension(ids::PRECERT_POISON, critical, value));
        is_precertificate(&Certificate::from_der(&forged.der()).unwrap())
    };
    assert_eq!(poisoned(true, &[5, 0]), Ok(true));
    assert_eq!(poisoned(false, &[5, 0]), Err(SctError::MalformedPoison));
    assert_eq!(poisoned(true, &[]), Err(SctError::MalformedPoison));
}

fn sample(extensions: &[u8]) -> Sct {
    Sct {
        log_id: [9; 32],
        timestamp_ms: 1_700_000_000_000,
        extensions: extensions.into(),
        hash: 4,
        signature_algorithm: 3,
        signature: vec![0x30, 3, 2, 1, 1],
    }
}

/// The strict half of the row: lengths, trailing bytes, and extensions kept as they were signed.
#[test]
fn sct_present_and_complete() {
    let index = leaf_index_extension(0x70).unwrap();
    let sct = sample(&index);
    let bytes = sct.encode().unwrap();
    assert_eq!(Sct::parse(&bytes), Ok(sct.clone()));

    let trailing = [bytes.clone(), vec![0]].concat();
    assert_eq!(Sct::parse(&trailing), Err(SctError::TrailingBytes { field: "SCT" }));
    let cut = bytes.get(..bytes.len() - 1).unwrap();
    assert_eq!(Sct::parse(cut), Err(SctError::Truncated { field: "SCT signature" }));
    assert_eq!(Sct::parse(&[]), Err(SctError::Truncated { field: "SCT version" }));
    let mut version = bytes.clone();
    version[0] = 1;
    assert_eq!(Sct::parse(&version), Err(SctError::UnknownVersion { version: 1 }));

    let list = encode_sct_list(&[sct.clone(), sample(&[])]).unwrap();
    assert_eq!(parse_sct_list(&list), Ok(vec![sct.clone(), sample(&[])]));
    let wrap = |content: &[u8]| parse_sct_list(&tlv(0x04, &[content]));
    assert_eq!(wrap(&[0, 0]), Err(SctError::EmptyList));
    assert_eq!(wrap(&[0, 0, 0]), Err(SctError::TrailingBytes { field: "SCT list" }));
    assert_eq!(wrap(&[0, 2, 0, 9]), Err(SctError::Truncated { field: "SCT" }));
    assert_eq!(wrap(&[0, 9, 0]), Err(SctError::Truncated { field: "SCT list" }));
    assert_eq!(wrap(&[]), Err(SctError::Truncated { field: "SCT list" }));
    let after = [list.clone(), vec![0]].concat();
    assert_eq!(parse_sct_list(&after), Err(SctError::Der(DerError::TrailingBytes)));
    assert_eq!(parse_sct_list(&[0, 0]), Err(SctError::Der(DerError::BadTag)));
}

#[test]
fn scts_are_capped() {
    let many = vec![sample(&[]); 16];
    let list = encode_sct_list(&many).unwrap();
    assert_eq!(parse_sct_list(&list).unwrap().len(), 16);
    assert_eq!(encode_sct_list(&vec![sample(&[]); 17]), Err(SctError::TooManyScts));
    assert_eq!(encode_sct_list(&[]), Err(SctError::EmptyList));
    let one = sample(&[]).encode().unwrap();
    let entry = [&u16::try_from(one.len()).unwrap().to_be_bytes()[..], &one].concat();
    let entries = entry.repeat(17);
    let length = u16::try_from(entries.len()).unwrap().to_be_bytes();
    let list = tlv(0x04, &[&length, &entries]);
    assert_eq!(parse_sct_list(&list), Err(SctError::TooManyScts));
    let mut long = sample(&[]);
    long.signature = vec![0; 65_536];
    assert_eq!(long.encode(), Err(SctError::TooLong { field: "SCT signature" }));
}

#[test]
fn leaf_index_is_forty_bits() {
    // The extension of static-ct-api as the conformance suite carries it: 00 0005 0000000070.
    assert_eq!(leaf_index_extension(0x70), Ok([0, 0, 5, 0, 0, 0, 0, 0x70]));
    assert_eq!(parse_leaf_index_extension(&[0, 0, 5, 0, 0, 0, 0, 0x70]), Ok(0x70));
    let max = (1 << 40) - 1;
    assert_eq!(parse_leaf_index_extension(&leaf_index_extension(max).unwrap()), Ok(max));
    assert_eq!(leaf_index_extension(1 << 40), Err(SctError::TooLong { field: "leaf index" }));
    let with_other = [1, 0, 1, 9, 0, 0, 5, 0, 0, 0, 0, 3];
    assert_eq!(parse_leaf_index_extension(&with_other), Ok(3));
    assert_eq!(parse_leaf_index_extension(&[]), Err(SctError::NoLeafIndex));
    assert_eq!(parse_leaf_index_extension(&[1, 0, 1, 9]), Err(SctError::NoLeafIndex));
    assert_eq!(parse_leaf_index_extension(&[0, 0, 4, 0, 0, 0, 1]), Err(SctError::NoLeafIndex));
    let twice = [0, 0, 5, 0, 0, 0, 0, 3].repeat(2);
    assert_eq!(parse_leaf_index_extension(&twice), Err(SctError::NoLeafIndex));
    assert_eq!(
        parse_leaf_index_extension(&[0, 0, 5, 0]),
        Err(SctError::Truncated { field: "SCT extension" })
    );
}

/// Layouts written out from RFC 6962 sections 3.2, 3.4 and 3.5.
#[test]
fn signed_structures_have_the_layout_of_the_standard() {
    let x509 = LogEntryKind::X509 { der: b"DER" };
    let mut expected = vec![0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 3];
    expected.extend(b"DER");
    expected.extend([0, 2, 0xaa, 0xbb]);
    assert_eq!(sct_signed_data(0x0102, &x509, &[0xaa, 0xbb]).unwrap(), expected);
    assert_eq!(merkle_tree_leaf(0x0102, &x509, &[0xaa, 0xbb]).unwrap(), expected);

    let precert = LogEntryKind::Precert { issuer_key_hash: [5; 32], tbs: b"TBS" };
    let mut expected = vec![0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 1];
    expected.extend([5; 32]);
    expected.extend([0, 0, 3]);
    expected.extend(b"TBS");
    expected.extend([0, 0]);
    assert_eq!(sct_signed_data(0x0102, &precert, &[]).unwrap(), expected);

    let mut expected = vec![0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 8];
    expected.extend([6; 32]);
    assert_eq!(tree_head_signed_data(9, 8, &[6; 32]), expected);

    let long = vec![0; 1 << 24];
    assert_eq!(
        sct_signed_data(1, &LogEntryKind::X509 { der: &long }, &[]),
        Err(SctError::TooLong { field: "certificate" })
    );
    assert_eq!(
        sct_signed_data(1, &x509, &vec![0; 65_536]),
        Err(SctError::TooLong { field: "SCT extensions" })
    );
}

#[test]
fn digitally_signed_is_exact() {
    let bytes = digitally_signed(&[0x30, 1, 2]).unwrap();
    assert_eq!(bytes, [4, 3, 0, 3, 0x30, 1, 2]);
    let parsed = parse_digitally_signed(&bytes).unwrap();
    assert_eq!((parsed.hash, parsed.signature_algorithm), (4, 3));
    assert_eq!(parsed.signature, [0x30, 1, 2]);
    assert_eq!(
        parse_digitally_signed(&[4, 3, 0, 0, 1]),
        Err(SctError::TrailingBytes { field: "signature" })
    );
    assert_eq!(
        parse_digitally_signed(&[4, 3, 0, 2, 1]),
        Err(SctError::Truncated { field: "signature" })
    );
    assert_eq!(digitally_signed(&vec![0; 65_536]), Err(SctError::TooLong { field: "signature" }));
}

prop_compose! {
    fn scts()(
        log_id in any::<[u8; 32]>(),
        timestamp_ms in any::<u64>(),
        extensions in prop::collection::vec(any::<u8>(), 0..40),
        hash in any::<u8>(),
        signature_algorithm in any::<u8>(),
        signature in prop::collection::vec(any::<u8>(), 0..90),
    ) -> Sct {
        Sct { log_id, timestamp_ms, extensions, hash, signature_algorithm, signature }
    }
}

proptest! {
    #[test]
    fn lists_read_back(list in prop::collection::vec(scts(), 1..=16)) {
        let bytes = encode_sct_list(&list).unwrap();
        prop_assert_eq!(parse_sct_list(&bytes), Ok(list));
    }

    #[test]
    fn what_parses_encodes_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(sct) = Sct::parse(&bytes) {
            prop_assert_eq!(sct.encode().unwrap(), bytes.clone());
        }
        if let Ok(list) = parse_sct_list(&bytes) {
            prop_assert_eq!(encode_sct_list(&list).unwrap(), bytes);
        }
    }
}

//! Public keys: each kind we take, made by OpenSSL, and each reason to refuse one.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod forge;

use forge::{oid, tlv};
use formats::certificate::DerError;
use formats::digest::HashAlgorithm;
use formats::key::{KeyAlgorithm, KeyDetails, KeyError, PublicKey, RsaSize};
use proptest::prelude::*;

macro_rules! pem {
    ($name:literal) => {
        include_str!(concat!("data/keys/", $name, ".pem"))
    };
}

const TAKEN: [(&str, KeyAlgorithm, Option<KeyDetails>); 6] = [
    (pem!("p256"), KeyAlgorithm::EcdsaP256, Some(KeyDetails::EcdsaP256Sha256)),
    (pem!("p384"), KeyAlgorithm::EcdsaP384, Some(KeyDetails::EcdsaP384Sha384)),
    (pem!("p521"), KeyAlgorithm::EcdsaP521, Some(KeyDetails::EcdsaP521Sha512)),
    (
        pem!("rsa2048"),
        KeyAlgorithm::Rsa { bits: 2048 },
        Some(KeyDetails::RsaPkcs1Sha256 { bits: RsaSize::Bits2048 }),
    ),
    (
        pem!("rsa3072"),
        KeyAlgorithm::Rsa { bits: 3072 },
        Some(KeyDetails::RsaPkcs1Sha256 { bits: RsaSize::Bits3072 }),
    ),
    (pem!("ed25519"), KeyAlgorithm::Ed25519, Some(KeyDetails::Ed25519)),
];

#[test]
fn reads_the_keys_it_takes() {
    for (pem, algorithm, details) in TAKEN {
        let key = PublicKey::from_pem(pem).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(key.to_pem(), pem, "OpenSSL's own PEM");
        assert_eq!(PublicKey::from_spki_der(key.spki_der()), Ok(key.clone()));
        assert!(key.spki_der().ends_with(key.raw()));
        assert_eq!(KeyDetails::for_key(&key), details);
        assert_eq!(key.id(), HashAlgorithm::Sha256.digest(key.spki_der()).as_bytes());
        let hash = details.unwrap().hash();
        assert_eq!(key.default_hash(), hash, "{algorithm:?}");
    }
    let lengths = TAKEN.map(|(pem, ..)| PublicKey::from_pem(pem).unwrap().raw().len());
    assert_eq!(lengths, [65, 97, 133, 270, 398, 32]);
}

#[test]
fn weak_or_invalid_key_refused() {
    let refused = |pem| PublicKey::from_pem(pem).unwrap_err();
    assert_eq!(refused(pem!("rsa1024")), KeyError::RsaSize { bits: 1024 });
    assert_eq!(
        refused(pem!("secp256k1")),
        KeyError::UnsupportedCurve { oid: "1.3.132.0.10".into() }
    );
    assert_eq!(refused(pem!("p256-compressed")), KeyError::BadPoint);
    assert_eq!(refused(pem!("p256-explicit")), KeyError::WrongParameters);
    assert_eq!(
        refused(pem!("x25519")),
        KeyError::UnsupportedAlgorithm { oid: "1.3.101.110".into() }
    );
    assert_eq!(
        refused(pem!("rsa-pss")),
        KeyError::UnsupportedAlgorithm { oid: "1.2.840.113549.1.1.10".into() }
    );

    let ec = |point: &[u8]| {
        let id = tlv(0x30, &[&oid("1.2.840.10045.2.1"), &oid("1.2.840.10045.3.1.7")]);
        PublicKey::from_spki_der(&tlv(0x30, &[&id, &tlv(0x03, &[&[0], point])])).err()
    };
    assert_eq!(ec(&[&[4][..], &[7; 64]].concat()), None);
    assert_eq!(ec(&[0]), Some(KeyError::BadPoint), "the point at infinity");
    assert_eq!(ec(&[&[4][..], &[7; 63]].concat()), Some(KeyError::BadPoint));
    assert_eq!(ec(&[&[4][..], &[7; 65]].concat()), Some(KeyError::BadPoint));
    assert_eq!(ec(&[&[6][..], &[7; 64]].concat()), Some(KeyError::BadPoint), "hybrid form");
    assert_eq!(ec(&[]), Some(KeyError::BadPoint));

    let ed25519 = |parameters: &[u8], key: &[u8]| {
        let id = tlv(0x30, &[&oid("1.3.101.112"), parameters]);
        PublicKey::from_spki_der(&tlv(0x30, &[&id, &tlv(0x03, &[&[0], key])])).err()
    };
    assert_eq!(ed25519(&[], &[7; 32]), None);
    assert_eq!(ed25519(&[], &[7; 31]), Some(KeyError::BadEd25519Length { actual: 31 }));
    assert_eq!(ed25519(&[], &[7; 33]), Some(KeyError::BadEd25519Length { actual: 33 }));
    assert_eq!(ed25519(&[5, 0], &[7; 32]), Some(KeyError::WrongParameters));
}

#[test]
fn rsa_numbers_are_judged() {
    let rsa_with = |parameters: &[u8], modulus: &[u8], exponent: &[u8]| {
        let key = tlv(0x30, &[&tlv(0x02, &[modulus]), &tlv(0x02, &[exponent])]);
        let id = tlv(0x30, &[&oid("1.2.840.113549.1.1.1"), parameters]);
        PublicKey::from_spki_der(&tlv(0x30, &[&id, &tlv(0x03, &[&[0], &key])])).err()
    };
    let rsa = |modulus: &[u8], exponent: &[u8]| rsa_with(&[5, 0], modulus, exponent);
    let modulus = |bytes: usize| [&[0][..], &vec![0xff; bytes]].concat();
    let usual = [1, 0, 1];
    assert_eq!(rsa(&modulus(256), &usual), None);
    assert_eq!(rsa(&modulus(1024), &usual), None);
    assert_eq!(rsa(&modulus(1025), &usual), Some(KeyError::RsaSize { bits: 8200 }));
    let mut short = modulus(256);
    short[1] = 0x7f;
    assert_eq!(rsa(&short[1..], &usual), Some(KeyError::RsaSize { bits: 2047 }));
    assert_eq!(rsa(&short, &usual), Some(KeyError::Der(DerError::BadInteger)), "padded");
    let mut even = modulus(256);
    even[256] = 0xfe;
    assert_eq!(rsa(&even, &usual), Some(KeyError::RsaModulusEven));
    assert_eq!(
        rsa(&modulus(256)[1..], &usual),
        Some(KeyError::Der(DerError::BadInteger)),
        "negative"
    );

    assert_eq!(rsa(&modulus(256), &[3]), None);
    let exponent = Some(KeyError::RsaExponent);
    assert_eq!(rsa(&modulus(256), &[1]), exponent);
    assert_eq!(rsa(&modulus(256), &[0]), exponent);
    assert_eq!(rsa(&modulus(256), &[4]), exponent);
    assert_eq!(rsa(&modulus(256), &[1, 0, 0, 0, 0, 0, 0, 0, 1]), exponent);

    assert_eq!(rsa_with(&[], &modulus(256), &usual), Some(KeyError::WrongParameters));
    assert_eq!(rsa_with(&[4, 0], &modulus(256), &usual), Some(KeyError::WrongParameters));
    assert_eq!(rsa_with(&[5, 0, 5, 0], &modulus(256), &usual), Some(KeyError::WrongParameters));
}

#[test]
fn encoding_is_exact() {
    let good = PublicKey::from_pem(pem!("p256")).unwrap().spki_der().to_vec();
    let refused = |der: &[u8]| PublicKey::from_spki_der(der).unwrap_err();
    let trailing = [good.clone(), vec![0]].concat();
    assert_eq!(refused(&trailing), KeyError::Der(DerError::TrailingBytes));
    let cut = &good[..good.len() - 1];
    assert_eq!(refused(cut), KeyError::Der(DerError::Truncated));
    let mut long_form = good.clone();
    long_form.insert(1, 0x81);
    assert_eq!(refused(&long_form), KeyError::Der(DerError::BadLength));
    let mut unused_bits = good.clone();
    assert_eq!(unused_bits[23..26], [0x03, 0x42, 0x00]);
    unused_bits[25] = 1;
    assert_eq!(refused(&unused_bits), KeyError::Der(DerError::BadBitString));
    assert_eq!(refused(&vec![0x30; 2049]), KeyError::TooLarge { bytes: 2049 });
    assert_eq!(refused(&[]), KeyError::Der(DerError::Truncated));
}

#[test]
fn pem_is_one_block_with_its_label() {
    let pem = pem!("p256");
    assert!(PublicKey::from_pem(&format!("\n{pem} \n")).is_ok());
    for bad in [
        pem.replace("PUBLIC KEY", "CERTIFICATE"),
        pem.repeat(2),
        format!("note\n{pem}"),
        pem.replace("-----END", "----END"),
        String::new(),
    ] {
        assert_eq!(PublicKey::from_pem(&bad), Err(KeyError::Pem), "{bad}");
    }
}

#[test]
fn details_name_key_and_hash_together() {
    for details in KeyDetails::ALL {
        assert_eq!(KeyDetails::from_proto_name(details.proto_name()), Some(details));
    }
    // Enum names of protobuf-specs' sigstore_common.proto.
    assert_eq!(
        KeyDetails::from_proto_name("PKIX_ECDSA_P384_SHA_384"),
        Some(KeyDetails::EcdsaP384Sha384)
    );
    assert_eq!(
        KeyDetails::from_proto_name("PKIX_RSA_PKCS1V15_4096_SHA256"),
        Some(KeyDetails::RsaPkcs1Sha256 { bits: RsaSize::Bits4096 })
    );
    for unknown in ["", "PKIX_ED25519_PH ", "pkix_ed25519", "PKIX_RSA_PSS_2048_SHA256", "ML_DSA_65"]
    {
        assert_eq!(KeyDetails::from_proto_name(unknown), None);
    }
    let keys = TAKEN.map(|(pem, ..)| PublicKey::from_pem(pem).unwrap());
    let fitting = |details: KeyDetails| keys.each_ref().map(|key| details.fits(key));
    let none = [false; 6];
    let only = |index: usize| {
        let mut fits = none;
        fits[index] = true;
        fits
    };
    assert_eq!(fitting(KeyDetails::EcdsaP256Sha256), only(0));
    assert_eq!(fitting(KeyDetails::EcdsaP384Sha384), only(1));
    assert_eq!(fitting(KeyDetails::EcdsaP384Sha256), only(1));
    assert_eq!(fitting(KeyDetails::EcdsaP521Sha512), only(2));
    assert_eq!(fitting(KeyDetails::EcdsaP521Sha256), only(2));
    assert_eq!(fitting(KeyDetails::RsaPkcs1Sha256 { bits: RsaSize::Bits2048 }), only(3));
    assert_eq!(fitting(KeyDetails::RsaPkcs1Sha256 { bits: RsaSize::Bits3072 }), only(4));
    assert_eq!(fitting(KeyDetails::RsaPkcs1Sha256 { bits: RsaSize::Bits4096 }), none);
    assert_eq!(fitting(KeyDetails::Ed25519), only(5));
    assert_eq!(fitting(KeyDetails::Ed25519ph), only(5));
    assert_eq!(KeyDetails::Ed25519ph.hash(), Some(HashAlgorithm::Sha512));
    assert_eq!(KeyDetails::EcdsaP521Sha256.hash(), Some(HashAlgorithm::Sha256));
}

/// The hint cosign wrote into its bundle for this key: base64 of SHA-256 of the SPKI.
#[test]
fn id_is_the_hint_cosign_writes() {
    let key = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEbu+dvPrhvbvSXPrn1UGuxliFM0HX\n\
        8G1Q9eXRAlKrfS8N5OAU+kpMHZBRWg1wKtgFvtiMmO6yKbvorZTP3w5ouw==\n\
        -----END PUBLIC KEY-----\n";
    let id = PublicKey::from_pem(key).unwrap().id();
    let hint: formats::json::Base64 =
        formats::json::from_slice(b"\"aiLaCKn95qR9FlpZ1hcJnzOXttDCfSC2/8PxFIxNveM=\"").unwrap();
    assert_eq!(hint.0, id);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = PublicKey::from_spki_der(&bytes);
    }

    #[test]
    fn one_changed_byte_never_panics(which in 0..6_usize, at in any::<prop::sample::Index>(), to: u8) {
        let mut der = PublicKey::from_pem(TAKEN[which].0).unwrap().spki_der().to_vec();
        let at = at.index(der.len());
        der[at] = to;
        if let Ok(key) = PublicKey::from_spki_der(&der) {
            prop_assert_eq!(key.spki_der(), &der[..]);
        }
    }
}

//! Tokens put together by hand: a passing twin, and what each rule refuses.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod forge;

use forge::{oid, tlv};
use formats::certificate::{Certificate, DerError, SignatureAlgorithm};
use formats::digest::{Digest, DigestError, HashAlgorithm};
use formats::timestamp::{Accuracy, TimestampToken, TokenError};

macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("data/timestamps/", $name))
    };
}

const OPENSSL_SIGNED: &[u8] = data!("openssl-signed.bin");

fn staging_tsa() -> Certificate {
    let pem = include_str!("data/timestamps/staging-chain.pem");
    Certificate::chain_from_pem(pem).unwrap().swap_remove(0)
}

#[test]
fn cms_digest_from_signerinfo() {
    let sha384 = TimestampToken::from_response_der(data!("openssl-response-sha384.der")).unwrap();
    assert_eq!(sha384.digest_algorithm, HashAlgorithm::Sha384);
    assert_eq!(sha384.message_digest.algorithm(), HashAlgorithm::Sha384);
    assert_eq!(sha384.imprint, HashAlgorithm::Sha384.digest(OPENSSL_SIGNED));
    assert_eq!(sha384.signature_algorithm, SignatureAlgorithm::EcdsaSha384);
    assert_eq!(sha384.ess_cert_ids[0].algorithm(), HashAlgorithm::Sha384);
    let chain = Certificate::chain_from_pem(include_str!("data/timestamps/openssl-tsa.pem"));
    let [ecdsa, rsa] = <[_; 2]>::try_from(chain.unwrap()).unwrap();
    assert_eq!(sha384.certificates, std::slice::from_ref(&ecdsa));
    assert!(sha384.ess_cert_ids[0].names(&ecdsa));

    // rsaEncryption names no hash: it is the SignerInfo's, and not that of the imprint.
    let sha512 =
        TimestampToken::from_response_der(data!("openssl-response-sha512-rsa.der")).unwrap();
    assert_eq!(sha512.digest_algorithm, HashAlgorithm::Sha512);
    assert_eq!(sha512.signature_algorithm, SignatureAlgorithm::RsaPkcs1Sha512);
    assert_eq!(sha512.imprint.algorithm(), HashAlgorithm::Sha256);
    assert!(sha512.ess_cert_ids[0].names(&rsa));

    let forged = Cms { digest: tlv(0x30, &[&oid("1.3.14.3.2.26")]), ..Cms::good() };
    assert_eq!(
        forged.read(),
        Err(TokenError::UnsupportedHash { oid: "1.3.14.3.2.26".into() }),
        "SHA-1"
    );
    let forged = Cms { digest: tlv(0x30, &[&oid("1.2.840.113549.2.5"), &[5, 0]]), ..Cms::good() };
    assert_eq!(
        forged.read(),
        Err(TokenError::UnsupportedHash { oid: "1.2.840.113549.2.5".into() }),
        "MD5"
    );
    let forged = Cms { digest: tlv(0x30, &[&oid(SHA256), &[4, 0]]), ..Cms::good() };
    assert_eq!(forged.read(), Err(TokenError::HashParameters));
    let forged = Cms { digest: tlv(0x30, &[&oid(SHA256), &[5, 0]]), ..Cms::good() };
    assert!(forged.read().is_ok());
    let forged = Cms { signature_algorithm: tlv(0x30, &[&oid(ECDSA_SHA384)]), ..Cms::good() };
    assert_eq!(forged.read(), Err(TokenError::SignatureHashMismatch));
    let forged = Cms { signature_algorithm: tlv(0x30, &[&oid("1.2.3")]), ..Cms::good() };
    assert_eq!(
        forged.read(),
        Err(TokenError::UnsupportedSignatureAlgorithm { oid: "1.2.3".into() })
    );
}

#[test]
fn cms_strict_shape() {
    assert!(Cms::good().read().is_ok(), "the twin");
    let missing = |oid| Err(TokenError::MissingAttribute { oid });
    let repeated = |oid: &str| Err(TokenError::RepeatedAttribute { oid: oid.into() });

    let two = Cms { signers: 2, ..Cms::good() };
    assert_eq!(two.read(), Err(TokenError::SignerCount { count: 2 }));
    let none = Cms { signers: 0, ..Cms::good() };
    assert_eq!(none.read(), Err(TokenError::SignerCount { count: 0 }));

    let without = |index: usize| {
        let mut cms = Cms::good();
        cms.attributes.remove(index);
        cms.read()
    };
    assert_eq!(without(0), missing(CONTENT_TYPE));
    assert_eq!(without(1), missing(MESSAGE_DIGEST));
    let bare = Cms { attributes: Vec::new(), ..Cms::good() };
    assert_eq!(bare.read(), missing(CONTENT_TYPE));
    let absent = Cms { no_attributes: true, ..Cms::good() };
    assert_eq!(absent.read(), Err(TokenError::NoSignedAttributes));

    let doubled = |index: usize| {
        let mut cms = Cms::good();
        cms.attributes.push(cms.attributes[index].clone());
        cms.read()
    };
    assert_eq!(doubled(0), repeated(CONTENT_TYPE));
    assert_eq!(doubled(1), repeated(MESSAGE_DIGEST));
    let with = |index: usize, attribute: Vec<u8>| {
        let mut cms = Cms::good();
        cms.attributes[index] = attribute;
        cms.read()
    };
    let digest = tlv(0x04, &[HashAlgorithm::Sha256.digest(&tst_info()).as_bytes()]);
    let twice = tlv(0x30, &[&oid(MESSAGE_DIGEST), &tlv(0x31, &[&digest, &digest])]);
    assert_eq!(with(1, twice), repeated(MESSAGE_DIGEST));
    let no_value = tlv(0x30, &[&oid(MESSAGE_DIGEST), &[0x31, 0]]);
    assert_eq!(with(1, no_value), Err(TokenError::Der(DerError::Truncated)));

    let data = attribute(CONTENT_TYPE, &oid("1.2.840.113549.1.7.1"));
    assert_eq!(
        with(0, data),
        Err(TokenError::WrongContentType {
            oid: "1.2.840.113549.1.7.1".into(),
            expected: "1.2.840.113549.1.9.16.1.4"
        })
    );
    let wrong = attribute(MESSAGE_DIGEST, &tlv(0x04, &[&[1; 32]]));
    assert_eq!(with(1, wrong), Err(TokenError::MessageDigestMismatch));
    let short = attribute(MESSAGE_DIGEST, &tlv(0x04, &[&[1; 20]]));
    assert_eq!(
        with(1, short),
        Err(TokenError::DigestLength(DigestError::WrongLength {
            algorithm: HashAlgorithm::Sha256,
            expected: 32,
            actual: 20
        }))
    );

    let by_key = Cms { signer_id: tlv(0x80, &[&[9; 20]]), ..Cms::good() };
    assert_eq!(by_key.read(), Err(TokenError::SignerNotByIssuer));
    let other = Cms { content_type: oid("1.2.840.113549.1.7.1"), ..Cms::good() };
    assert!(matches!(other.read(), Err(TokenError::WrongContentType { .. })));
    let attribute_certificate = Cms { bag: tlv(0xa1, &[&[5, 0]]), ..Cms::good() };
    assert_eq!(attribute_certificate.read(), Err(TokenError::Der(DerError::UnexpectedElement)));
    let certificate = staging_tsa();
    let bagged = Cms { bag: certificate.der().to_vec(), ..Cms::good() };
    assert_eq!(bagged.read().unwrap().certificates, std::slice::from_ref(&certificate));
    let many = Cms { bag: certificate.der().repeat(11), ..Cms::good() };
    assert_eq!(many.read(), Err(TokenError::TooManyCertificates));
    let versions = Cms { version: 9, ..Cms::good() };
    assert_eq!(
        versions.read(),
        Err(TokenError::UnknownVersion { structure: "SignedData", version: 9 })
    );
}

#[test]
fn certificate_identifiers_are_read_strictly() {
    let ess = |ids: &[&[u8]]| {
        let mut cms = Cms::good();
        let value = tlv(0x30, &[&tlv(0x30, ids)]);
        cms.attributes.push(attribute("1.2.840.113549.1.9.16.2.47", &value));
        cms.read().map(|token| token.ess_cert_ids)
    };
    let default = tlv(0x30, &[&tlv(0x04, &[&[7; 32]])]);
    assert_eq!(ess(&[&default]).unwrap()[0].hash, Digest::sha256([7; 32]));
    assert_eq!(ess(&[&default, &default]).unwrap().len(), 2);
    assert_eq!(ess(&[]), Err(TokenError::Der(DerError::Truncated)));
    let short = tlv(0x30, &[&tlv(0x04, &[&[7; 20]])]);
    assert!(matches!(ess(&[&short]), Err(TokenError::DigestLength(_))));
    let sha1 = tlv(0x30, &[&tlv(0x30, &[&oid("1.3.14.3.2.26")]), &tlv(0x04, &[&[7; 20]])]);
    assert!(matches!(ess(&[&sha1]), Err(TokenError::UnsupportedHash { .. })));
    let trailing = tlv(0x30, &[&tlv(0x04, &[&[7; 32]]), &[5, 0]]);
    assert_eq!(ess(&[&trailing]), Err(TokenError::Der(DerError::TrailingBytes)));
    assert_eq!(ess(&[&default[..]; 11]), Err(TokenError::TooManyCertificates));
}

#[test]
fn gentime_and_accuracy_parsed() {
    let at = |time: &[u8]| {
        Cms { tst_info: tst_info_with(&tlv(0x18, &[time])), ..Cms::good() }
            .read()
            .map(|token| (token.gen_time, token.gen_time_ms))
    };
    let bad = Err(TokenError::Der(DerError::BadTime));
    assert_eq!(at(b"20250725195301Z"), Ok((1_753_473_181, 1_753_473_181_000)));
    assert_eq!(at(b"20250725195301.5Z"), Ok((1_753_473_181, 1_753_473_181_500)));
    assert_eq!(at(b"20250725195301.123456789Z"), Ok((1_753_473_181, 1_753_473_181_123)));
    assert_eq!(at(b"20250725195301.001Z"), Ok((1_753_473_181, 1_753_473_181_001)));
    assert_eq!(at(b"19691231235959.5Z"), Ok((-1, -500)), "rounded down, not towards zero");
    for time in [
        &b"20250725195301+0100"[..],
        b"20250725195360Z",
        b"20250725195301.50Z",
        b"20250725195301.0Z",
        b"20250725195301.Z",
        b"20250725195301,5Z",
        b"20250725195301.1234567891Z",
        b"20250725195301",
        b"20250725195301.5",
        b"202507251953Z",
        b"20250725195301ZZ",
        b"20250230000000Z",
        b"250725195301Z",
        b"",
    ] {
        assert_eq!(at(time), bad, "{:?}", String::from_utf8_lossy(time));
    }
    let fraction =
        TimestampToken::from_response_der(data!("openssl-response-fraction.der")).unwrap();
    assert_ne!(fraction.gen_time_ms % 1000, 0);
    assert_eq!(fraction.gen_time, fraction.gen_time_ms / 1000);

    let accuracy = |content: &[&[u8]]| {
        let time = tlv(0x18, &[b"20250725195301Z"]);
        let accuracy = tlv(0x30, content);
        Cms { tst_info: tst_info_with(&[time, accuracy].concat()), ..Cms::good() }
            .read()
            .map(|token| token.accuracy.unwrap())
    };
    let full = accuracy(&[&[2, 1, 2], &[0x80, 2, 3, 0xe7], &[0x81, 1, 1]]);
    assert_eq!(full, Ok(Accuracy { seconds: 2, millis: 999, micros: 1 }));
    assert_eq!(accuracy(&[]), Ok(Accuracy::default()));
    let refused = Err(TokenError::AccuracyOutOfRange);
    assert_eq!(accuracy(&[&[0x80, 1, 0]]), refused);
    assert_eq!(accuracy(&[&[0x81, 1, 0]]), refused);
    assert_eq!(accuracy(&[&[0x80, 2, 3, 0xe8]]), refused);
    assert_eq!(accuracy(&[&[0x81, 4, 0x7f, 0xff, 0xff, 0xff]]), refused);
    assert_eq!(accuracy(&[&[0x80, 1, 0xff]]), Err(TokenError::Der(DerError::BadInteger)));
    assert_eq!(
        accuracy(&[&[0x81, 1, 1], &[0x80, 1, 1]]),
        Err(TokenError::Der(DerError::TrailingBytes)),
        "out of order"
    );
}

#[test]
fn tst_info_is_strict() {
    let time = tlv(0x18, &[b"20250725195301Z"]);
    let after = |rest: &[&[u8]]| {
        let tail = [time.clone(), rest.concat()].concat();
        Cms { tst_info: tst_info_with(&tail), ..Cms::good() }.read()
    };
    assert_eq!(after(&[&[2, 1, 5]]).unwrap().nonce, Some(vec![5]));
    let padded = after(&[&[2, 2, 0, 5]]);
    assert_eq!(padded, Err(TokenError::Der(DerError::BadInteger)));
    let long = tlv(0x02, &[&[1; 129]]);
    assert_eq!(after(&[&long]), Err(TokenError::IntegerTooLong { bytes: 129 }));
    assert!(after(&[&[1, 1, 0xff]]).is_ok(), "ordering");
    assert_eq!(after(&[&[1, 1, 1]]), Err(TokenError::Der(DerError::BadBoolean)));
    let known = tlv(0xa1, &[&forge::extension("1.2.3", false, b"x")]);
    assert!(after(&[&known]).is_ok());
    let critical = tlv(0xa1, &[&forge::extension("1.2.3", true, b"x")]);
    assert_eq!(after(&[&critical]), Err(TokenError::CriticalExtension { oid: "1.2.3".into() }));
    assert_eq!(after(&[&[5, 0]]), Err(TokenError::Der(DerError::TrailingBytes)));
}

const SHA256: &str = "2.16.840.1.101.3.4.2.1";
const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
const ECDSA_SHA384: &str = "1.2.840.10045.4.3.3";
const TST_INFO: &str = "1.2.840.113549.1.9.16.1.4";
const CONTENT_TYPE: &str = "1.2.840.113549.1.9.3";
const MESSAGE_DIGEST: &str = "1.2.840.113549.1.9.4";

fn attribute(id: &str, value: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&oid(id), &tlv(0x31, &[value])])
}

fn tst_info() -> Vec<u8> {
    tst_info_with(&tlv(0x18, &[b"20250725195301Z"]))
}

/// A TSTInfo with these fields from genTime on.
fn tst_info_with(rest: &[u8]) -> Vec<u8> {
    let imprint = tlv(0x30, &[&tlv(0x30, &[&oid(SHA256)]), &tlv(0x04, &[&[7; 32]])]);
    tlv(0x30, &[&[2, 1, 1], &oid("1.2.3"), &imprint, &[2, 1, 9], rest])
}

/// A token in parts, each of which a test can replace.
struct Cms {
    version: u8,
    content_type: Vec<u8>,
    tst_info: Vec<u8>,
    bag: Vec<u8>,
    signers: usize,
    signer_id: Vec<u8>,
    digest: Vec<u8>,
    no_attributes: bool,
    attributes: Vec<Vec<u8>>,
    signature_algorithm: Vec<u8>,
}

impl Cms {
    fn good() -> Self {
        Self {
            version: 3,
            content_type: oid(TST_INFO),
            tst_info: tst_info(),
            bag: Vec::new(),
            signers: 1,
            signer_id: tlv(0x30, &[&[0x30, 0], &[2, 1, 5]]),
            digest: tlv(0x30, &[&oid(SHA256)]),
            no_attributes: false,
            attributes: vec![
                attribute(CONTENT_TYPE, &oid(TST_INFO)),
                attribute(
                    MESSAGE_DIGEST,
                    &tlv(0x04, &[HashAlgorithm::Sha256.digest(&tst_info()).as_bytes()]),
                ),
            ],
            signature_algorithm: tlv(0x30, &[&oid(ECDSA_SHA256)]),
        }
    }

    /// Reads the token. A changed TSTInfo gets the message digest it needs.
    fn read(mut self) -> Result<TimestampToken, TokenError> {
        if self.tst_info != tst_info() {
            let digest = HashAlgorithm::Sha256.digest(&self.tst_info);
            self.attributes[1] = attribute(MESSAGE_DIGEST, &tlv(0x04, &[digest.as_bytes()]));
        }
        let attributes: Vec<&[u8]> = self.attributes.iter().map(Vec::as_slice).collect();
        let attributes = if self.no_attributes { Vec::new() } else { tlv(0xa0, &attributes) };
        let signer = tlv(
            0x30,
            &[
                &[2, 1, 1],
                &self.signer_id,
                &self.digest,
                &attributes,
                &self.signature_algorithm,
                &[4, 2, 0x30, 0],
            ],
        );
        let content = tlv(0xa0, &[&tlv(0x04, &[&self.tst_info])]);
        let signed = tlv(
            0x30,
            &[
                &[2, 1, self.version],
                &tlv(0x31, &[&self.digest]),
                &tlv(0x30, &[&self.content_type, &content]),
                &tlv(0xa0, &[&self.bag]),
                &tlv(0x31, &[&signer.repeat(self.signers)]),
            ],
        );
        let token = tlv(0x30, &[&oid("1.2.840.113549.1.7.2"), &tlv(0xa0, &[&signed])]);
        TimestampToken::from_token_der(&token)
    }
}

//! Timestamps: real tokens of four authorities, and what each rule refuses.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod forge;

use forge::{oid, tlv};
use formats::certificate::{Certificate, DerError, SignatureAlgorithm};
use formats::digest::{Digest, HashAlgorithm};
use formats::timestamp::{
    Accuracy, BuildError, PkiFailure, RequestError, TimestampRequest, TimestampToken, TokenError,
    TokenTemplate, build_token, granted_response, integer_content, rejection,
};
use proptest::prelude::*;

macro_rules! data {
    ($name:literal) => {
        include_bytes!(concat!("data/timestamps/", $name))
    };
}

const STAGING: &[u8] = data!("staging-response.der");
const OPENSSL_SIGNED: &[u8] = data!("openssl-signed.bin");

fn staging_tsa() -> Certificate {
    let pem = include_str!("data/timestamps/staging-chain.pem");
    Certificate::chain_from_pem(pem).unwrap().swap_remove(0)
}

/// Expected values as `openssl ts -reply -text` and `openssl asn1parse` print them.
#[test]
fn reads_a_token_of_the_public_staging_authority() {
    let token = TimestampToken::from_response_der(STAGING).unwrap();
    assert_eq!(token.gen_time, 1_753_473_184);
    assert_eq!(token.gen_time_ms, 1_753_473_184_000);
    assert_eq!(token.policy, "1.3.6.1.4.1.57264.2");
    assert_eq!(token.accuracy, Some(Accuracy { seconds: 1, millis: 0, micros: 0 }));
    assert_eq!(token.imprint, HashAlgorithm::Sha256.digest(data!("staging-signed.bin")));
    assert_eq!(token.nonce.as_deref(), Some(&0x721b_94cd_5fab_6a7d_u64.to_be_bytes()[..]));
    assert_eq!(token.serial.len(), 21);
    assert_eq!(token.digest_algorithm, HashAlgorithm::Sha256);
    assert_eq!(token.signature_algorithm, SignatureAlgorithm::EcdsaSha256);
    assert_eq!(token.certificates, []);
    let [ess] = token.ess_cert_ids.as_slice() else { panic!("one ESSCertIDv2") };
    let tsa = staging_tsa();
    assert!(ess.names(&tsa) && token.signer.names(&tsa));
    assert_eq!(ess.algorithm(), HashAlgorithm::Sha256);
    let other = Certificate::chain_from_pem(include_str!("data/timestamps/local-chain.pem"));
    let other = &other.unwrap()[0];
    assert!(!ess.names(other) && !token.signer.names(other));
    assert_eq!(token.signed_attributes_der[0], 0x31);
    assert_eq!(token.message_digest, HashAlgorithm::Sha256.digest(&token.tst_info_der));
}

#[test]
fn reads_a_token_of_a_local_timestamp_server() {
    let token = TimestampToken::from_response_der(data!("local-response.der")).unwrap();
    assert_eq!(token.gen_time, 1_795_316_980, "2026-11-22T03:09:40Z");
    assert_eq!(token.imprint, HashAlgorithm::Sha256.digest(data!("local-signed.bin")));
    assert_eq!(token.nonce, None);
    let chain = Certificate::chain_from_pem(include_str!("data/timestamps/local-chain.pem"));
    assert!(token.signer.names(&chain.unwrap()[0]));
}

#[test]
fn reads_a_bare_token() {
    let response = TimestampToken::from_response_der(STAGING).unwrap();
    let bare = STAGING.get(9..).unwrap();
    assert_eq!(TimestampToken::from_token_der(bare), Ok(response));
    assert_eq!(
        TimestampToken::from_token_der(STAGING),
        Err(TokenError::Der(DerError::UnexpectedElement)),
        "a response is not a token"
    );
    assert_eq!(granted_response(bare), STAGING);
}

/// The attribute of 1998 holds SHA-1 hashes: it is not read, and so the list is empty.
#[test]
fn the_old_certificate_attribute_does_not_count() {
    let token = TimestampToken::from_response_der(data!("openssl-response-ess-v1.der")).unwrap();
    assert_eq!(token.ess_cert_ids, []);
}

#[test]
fn full_token_of_openssl() {
    let request = TimestampRequest::from_der(data!("openssl-request-full.der")).unwrap();
    let token = TimestampToken::from_response_der(data!("openssl-response-full.der")).unwrap();
    assert_eq!(token.policy, "1.2.3.4.1");
    assert_eq!(token.accuracy, Some(Accuracy { seconds: 1, millis: 500, micros: 100 }));
    assert!(request.nonce.is_some());
    assert_eq!(token.nonce, request.nonce);
    assert_eq!(token.imprint, request.imprint);
    assert_eq!(token.imprint, HashAlgorithm::Sha512.digest(OPENSSL_SIGNED));
    let plain = TimestampToken::from_response_der(data!("openssl-response-plain.der")).unwrap();
    assert_eq!(plain.accuracy, None);
    assert_eq!(plain.certificates, []);
}

#[test]
fn refusals_are_read() {
    let rejected = TimestampToken::from_response_der(data!("openssl-response-rejected.der"));
    assert_eq!(
        rejected,
        Err(TokenError::Rejected {
            status: 2,
            failure: Some(PkiFailure::UnacceptedPolicy),
            text: Some("Requested policy is not supported.".into())
        })
    );
    for failure in [
        PkiFailure::BadAlg,
        PkiFailure::BadRequest,
        PkiFailure::BadDataFormat,
        PkiFailure::TimeNotAvailable,
        PkiFailure::UnacceptedPolicy,
        PkiFailure::UnacceptedExtension,
        PkiFailure::AddInfoNotAvailable,
        PkiFailure::SystemFailure,
    ] {
        assert_eq!(
            TimestampToken::from_response_der(&rejection(failure, "why")),
            Err(TokenError::Rejected {
                status: 2,
                failure: Some(failure),
                text: Some("why".into())
            })
        );
    }
    // RFC 3161: badAlg is bit 0, unacceptedExtension bit 16 of the named bit list.
    assert!(rejection(PkiFailure::BadAlg, "").ends_with(&[3, 2, 7, 0x80]));
    assert!(rejection(PkiFailure::UnacceptedExtension, "").ends_with(&[3, 4, 7, 0, 0, 0x80]));
    let openssl = rejection(PkiFailure::UnacceptedPolicy, "Requested policy is not supported.");
    assert_eq!(openssl, data!("openssl-response-rejected.der"));

    let granted_without = tlv(0x30, &[&tlv(0x30, &[&[2, 1, 0]])]);
    assert_eq!(TimestampToken::from_response_der(&granted_without), Err(TokenError::NoToken));
    let trailing = [STAGING, &[0]].concat();
    assert_eq!(
        TimestampToken::from_response_der(&trailing),
        Err(TokenError::Der(DerError::TrailingBytes))
    );
    assert_eq!(
        TimestampToken::from_response_der(&vec![0; 131_073]),
        Err(TokenError::TooLarge { bytes: 131_073 })
    );
}

#[test]
fn tsa_request_bounded() {
    let read = |der: &[u8]| TimestampRequest::from_der(der);
    let failure = |der: &[u8]| read(der).unwrap_err().failure();
    let good = read(data!("openssl-request-plain.der")).unwrap();
    assert_eq!(good.imprint, HashAlgorithm::Sha256.digest(OPENSSL_SIGNED));
    assert_eq!((good.policy.as_deref(), good.nonce.as_deref(), good.cert_req), (None, None, false));
    assert_eq!(good, TimestampRequest::for_digest(good.imprint), "openssl writes NULL parameters");
    let full = read(data!("openssl-request-full.der")).unwrap();
    assert_eq!(full.policy.as_deref(), Some("1.2.3.4.1"));
    assert!(full.cert_req && full.nonce.is_some());
    for der in [&data!("openssl-request-plain.der")[..], data!("openssl-request-full.der")] {
        assert_eq!(read(der).unwrap().to_der().unwrap(), der);
    }

    let weak = read(data!("openssl-request-sha1.der"));
    assert_eq!(weak, Err(RequestError::UnsupportedHash { oid: "1.3.14.3.2.26".into() }));
    assert_eq!(failure(data!("openssl-request-sha1.der")), PkiFailure::BadAlg);
    assert_eq!(failure(data!("openssl-request-md5.der")), PkiFailure::BadAlg);

    let policy = read(data!("openssl-request-badpolicy.der")).unwrap();
    let refused = policy.check_policy(&["1.3.6.1.4.1.57264.2"]).unwrap_err();
    assert_eq!(refused, RequestError::UnacceptedPolicy { oid: "1.2.3.4.9".into() });
    assert_eq!(refused.failure(), PkiFailure::UnacceptedPolicy);
    assert_eq!(policy.check_policy(&["1.2.3.4.9"]), Ok(()));
    assert_eq!(good.check_policy(&[]), Ok(()), "none asked for");

    let imprint = |digest: &[u8]| tlv(0x30, &[&tlv(0x30, &[&oid(SHA256)]), &tlv(0x04, &[digest])]);
    let request = |parts: &[&[u8]]| {
        let imprint = imprint(&[7; 32]);
        tlv(0x30, &[&[&[2, 1, 1], &imprint[..]], parts].concat())
    };
    assert!(read(&request(&[])).is_ok(), "the twin");
    for critical in [true, false] {
        let extensions = tlv(0xa0, &[&forge::extension("1.2.3", critical, b"x")]);
        let der = request(&[&extensions]);
        assert_eq!(read(&der), Err(RequestError::UnacceptedExtension { oid: "1.2.3".into() }));
        assert_eq!(failure(&der), PkiFailure::UnacceptedExtension);
    }
    let arcs = |count: usize| request(&[&tlv(0x06, &[&vec![1; count - 1]])]);
    assert!(read(&arcs(32)).is_ok());
    assert_eq!(read(&arcs(33)), Err(RequestError::Der(DerError::BadOid)));
    assert_eq!(failure(&arcs(33)), PkiFailure::BadDataFormat);
    assert_eq!(failure(&arcs(60_000)), PkiFailure::BadDataFormat);
    let huge = vec![1; 1_000_000];
    assert_eq!(read(&huge), Err(RequestError::TooLarge { bytes: 1_000_000 }));
    assert_eq!(failure(&huge), PkiFailure::BadDataFormat);

    let nonce = |content: &[u8]| request(&[&tlv(0x02, &[content])]);
    assert_eq!(read(&nonce(&[1; 20])).unwrap().nonce, Some(vec![1; 20]));
    assert_eq!(read(&nonce(&[0, 0x80])).unwrap().nonce, Some(vec![0, 0x80]));
    assert_eq!(read(&nonce(&[0, 1])), Err(RequestError::Der(DerError::BadInteger)));
    assert_eq!(read(&nonce(&[])), Err(RequestError::Der(DerError::BadInteger)));
    assert_eq!(read(&nonce(&[1; 129])), Err(RequestError::NonceTooLong { bytes: 129 }));
    assert_eq!(failure(&nonce(&[1; 129])), PkiFailure::BadRequest);

    let short = tlv(0x30, &[&[2, 1, 1], &imprint(&[7; 20])]);
    assert!(matches!(read(&short), Err(RequestError::ImprintLength(_))));
    assert_eq!(failure(&short), PkiFailure::BadDataFormat);
    let version = tlv(0x30, &[&[2, 1, 2], &imprint(&[7; 32])]);
    assert_eq!(read(&version), Err(RequestError::UnknownVersion { version: 2 }));
    assert_eq!(failure(&version), PkiFailure::BadRequest);
    let trailing = [request(&[]), vec![0]].concat();
    assert_eq!(read(&trailing), Err(RequestError::Der(DerError::TrailingBytes)));
    assert_eq!(read(b"{}"), Err(RequestError::Der(DerError::Truncated)));
    assert_eq!(read(b""), Err(RequestError::Der(DerError::Truncated)));
}

/// Our writer, given what the public staging authority was given, hands its key the very bytes
/// that authority signed, and makes the very token once the authority's signature is put in.
#[test]
fn builds_the_bytes_another_authority_signed() {
    let real = TimestampToken::from_response_der(STAGING).unwrap();
    let tsa = staging_tsa();
    let request = TimestampRequest {
        nonce: real.nonce.clone(),
        ..TimestampRequest::for_digest(real.imprint)
    };
    let template = TokenTemplate {
        request: &request,
        policy: &real.policy,
        serial: &real.serial,
        gen_time: real.gen_time,
        accuracy_seconds: Some(1),
        signer: &tsa,
        certificates: &[],
        signature_algorithm: SignatureAlgorithm::EcdsaSha256,
    };
    let token = build_token(&template, |bytes| {
        assert_eq!(bytes, real.signed_attributes_der);
        Ok::<_, ()>(real.signature.clone())
    })
    .unwrap();
    let ours = TimestampToken::from_response_der(&granted_response(&token)).unwrap();
    assert_eq!(ours, real);
    // The authority writes an empty certificate bag (a0 00) where we write none.
    let mut theirs = STAGING.get(9..).unwrap().to_vec();
    let bag = theirs.windows(4).position(|bytes| bytes == [0xa0, 0, 0x31, 0x82]).unwrap();
    theirs.drain(bag..bag + 2);
    for at in [2, 17, 21] {
        let length = u16::from_be_bytes([theirs[at], theirs[at + 1]]) - 2;
        theirs[at..at + 2].copy_from_slice(&length.to_be_bytes());
    }
    assert_eq!(token, theirs);

    let with_certificate = TokenTemplate { certificates: std::slice::from_ref(&tsa), ..template };
    let token = build_token(&with_certificate, |_| Ok::<_, ()>(real.signature.clone())).unwrap();
    let read = TimestampToken::from_token_der(&token).unwrap();
    assert_eq!(read.certificates, std::slice::from_ref(&tsa));
    assert_eq!(read.signed_attributes_der, real.signed_attributes_der);

    let failed = build_token(&template, |_| Err("key offline"));
    assert_eq!(failed, Err(BuildError::Sign("key offline")));
    let policy = TokenTemplate { policy: "1.2.x", ..template };
    let failed = build_token(&policy, |_| Ok::<_, ()>(Vec::new()));
    assert_eq!(failed, Err(BuildError::Der(DerError::BadOid)));
    let late = TokenTemplate { gen_time: 253_402_300_800, ..template };
    let failed = build_token(&late, |_| Ok::<_, ()>(Vec::new()));
    assert_eq!(failed, Err(BuildError::TimeOutOfRange { gen_time: 253_402_300_800 }));
}

#[test]
fn integers_are_written_in_their_shortest_form() {
    assert_eq!(integer_content(&[]), [0]);
    assert_eq!(integer_content(&[0, 0]), [0]);
    assert_eq!(integer_content(&[0, 0, 7]), [7]);
    assert_eq!(integer_content(&[0x80]), [0, 0x80]);
    assert_eq!(integer_content(&[0, 0x80, 1]), [0, 0x80, 1]);
}

const SHA256: &str = "2.16.840.1.101.3.4.2.1";

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = TimestampToken::from_response_der(&bytes);
        let _ = TimestampToken::from_token_der(&bytes);
        let _ = TimestampRequest::from_der(&bytes);
    }

    #[test]
    fn one_changed_byte_never_panics(at in 0..728_usize, to in any::<u8>()) {
        let mut der = STAGING.to_vec();
        der[at] = to;
        let _ = TimestampToken::from_response_der(&der);
    }

    #[test]
    fn requests_read_back(
        hash in prop::sample::select(&HashAlgorithm::ALL[..]),
        message in any::<[u8; 8]>(),
        policy in prop::option::of(prop::collection::vec(0..u64::MAX, 0..10)),
        nonce in prop::option::of(prop::collection::vec(any::<u8>(), 0..40)),
        cert_req in any::<bool>(),
    ) {
        let dotted = |arcs: Vec<u64>| {
            arcs.into_iter().fold("1.2".to_owned(), |text, arc| format!("{text}.{arc}"))
        };
        let request = TimestampRequest {
            policy: policy.map(dotted),
            nonce: nonce.map(|bytes| integer_content(&bytes)),
            cert_req,
            ..TimestampRequest::for_digest(hash.digest(&message))
        };
        let der = request.to_der().unwrap();
        prop_assert_eq!(TimestampRequest::from_der(&der), Ok(request));
    }

    #[test]
    fn built_tokens_read_back(
        serial in prop::collection::vec(any::<u8>(), 1..20),
        gen_time in -631_152_000_i64..253_402_300_800,
        nonce in prop::option::of(prop::collection::vec(any::<u8>(), 1..20)),
        accuracy in prop::option::of(any::<u32>()),
        signature in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let tsa = staging_tsa();
        let request = TimestampRequest {
            nonce: nonce.map(|bytes| integer_content(&bytes)),
            ..TimestampRequest::for_digest(Digest::sha256([3; 32]))
        };
        let template = TokenTemplate {
            request: &request,
            policy: "1.3.6.1.4.1.57264.2",
            serial: &serial,
            gen_time,
            accuracy_seconds: accuracy,
            signer: &tsa,
            certificates: &[],
            signature_algorithm: SignatureAlgorithm::EcdsaSha384,
        };
        let mut signed = Vec::new();
        let token = build_token(&template, |bytes| {
            signed = bytes.to_vec();
            Ok::<_, ()>(signature.clone())
        })
        .unwrap();
        let read = TimestampToken::from_token_der(&token).unwrap();
        prop_assert_eq!(read.gen_time, gen_time);
        prop_assert_eq!(read.serial, integer_content(&serial));
        prop_assert_eq!(read.nonce, request.nonce.clone());
        prop_assert_eq!(read.accuracy.map(|a| a.seconds), accuracy.map(u64::from));
        prop_assert_eq!(read.signature, signature);
        prop_assert_eq!(read.signed_attributes_der, signed);
        prop_assert_eq!(read.digest_algorithm, HashAlgorithm::Sha384);
        prop_assert!(read.signer.names(&tsa) && read.ess_cert_ids[0].names(&tsa));
    }
}

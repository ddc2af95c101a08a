//! Making tokens. The key stays with the caller: it signs the bytes it is handed.

use thiserror::Error;
use time::OffsetDateTime;

use super::{
    CONTENT_TYPE, MESSAGE_DIGEST, SIGNED_DATA, SIGNING_CERTIFICATE_V2, SIGNING_TIME, TST_INFO,
    TimestampRequest,
};
use crate::certificate::tlv;
use crate::certificate::{Certificate, DerError, SignatureAlgorithm};
use crate::digest::HashAlgorithm;

/// All that a token says besides its signature.
#[derive(Debug, Clone, Copy)]
pub struct TokenTemplate<'a> {
    /// The request: imprint and nonce are repeated as they stand. Its policy is not read, and
    /// `cert_req` neither; the caller has judged both.
    pub request: &'a TimestampRequest,
    /// The policy to issue under, in dotted decimals.
    pub policy: &'a str,
    /// The serial number, unsigned big endian; unique for ever.
    pub serial: &'a [u8],
    /// genTime in Unix seconds, in years 1950 to 9999.
    pub gen_time: i64,
    /// Accuracy in whole seconds, if it is to be said.
    pub accuracy_seconds: Option<u32>,
    /// The certificate of the signing key.
    pub signer: &'a Certificate,
    /// The certificates to put into the token: the signer's own if the client asked for it.
    pub certificates: &'a [Certificate],
    /// How `sign` signs.
    pub signature_algorithm: SignatureAlgorithm,
}

/// Why no token was made. `E` is the signing key's own error.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum BuildError<E> {
    /// A policy that is not an object identifier, or a signer's certificate that cannot be walked.
    #[error("timestamp token: {0}")]
    Der(#[from] DerError),
    /// A time outside the years 1950 to 9999.
    #[error("timestamp token time {gen_time} is out of range")]
    TimeOutOfRange {
        /// Unix seconds.
        gen_time: i64,
    },
    /// The key did not sign.
    #[error("timestamp token is not signed: {0}")]
    Sign(E),
}

/// Makes a token (ContentInfo) in DER.
///
/// `sign` is called once, with the DER of the signed attributes as a SET OF (RFC 5652 section
/// 5.4), and returns the signature: DER for ECDSA.
///
/// # Errors
/// See [`BuildError`].
pub fn build_token<E>(
    template: &TokenTemplate<'_>,
    sign: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<Vec<u8>, BuildError<E>> {
    let time = OffsetDateTime::from_unix_timestamp(template.gen_time)
        .ok()
        .filter(|time| (1950..=9999).contains(&time.year()))
        .ok_or(BuildError::TimeOutOfRange { gen_time: template.gen_time })?;
    let hash = template.signature_algorithm.hash();
    let tst_info = tst_info(template, &generalized(time))?;
    let attributes = signed_attributes(template.signer, hash, &tst_info, &utc(time));
    let to_sign = tlv::write(tlv::SET, &[&attributes]);
    let signature = sign(&to_sign).map_err(BuildError::Sign)?;
    let signer_info = signer_info(template, hash, &attributes, &signature);
    Ok(content_info(template, hash, &tst_info, &signer_info))
}

fn tst_info(template: &TokenTemplate<'_>, gen_time: &[u8]) -> Result<Vec<u8>, DerError> {
    let request = template.request;
    let policy = tlv::write(tlv::OBJECT_IDENTIFIER, &[&tlv::oid_from_str(template.policy)?]);
    let hashed = tlv::write(tlv::OCTET_STRING, &[request.imprint.as_bytes()]);
    let imprint = tlv::write(tlv::SEQUENCE, &[&request.imprint_algorithm_der, &hashed]);
    let serial = tlv::write(tlv::INTEGER, &[&tlv::unsigned_content(template.serial)]);
    let accuracy = template.accuracy_seconds.map(|seconds| {
        let content = tlv::unsigned_content(&seconds.to_be_bytes());
        tlv::write(tlv::SEQUENCE, &[&tlv::write(tlv::INTEGER, &[&content])])
    });
    let nonce = request.nonce.as_ref().map(|nonce| tlv::write(tlv::INTEGER, &[nonce]));
    // GeneralName directoryName [4] is a CHOICE inside, so both tags are explicit.
    let directory = tlv::write(DIRECTORY_NAME, &[template.signer.subject_dn()]);
    let tsa = tlv::write(EXPLICIT_0, &[&directory]);
    Ok(tlv::write(
        tlv::SEQUENCE,
        &[
            VERSION_1,
            &policy,
            &imprint,
            &serial,
            gen_time,
            &accuracy.unwrap_or_default(),
            &nonce.unwrap_or_default(),
            &tsa,
        ],
    ))
}

/// The content of the SET OF, in DER order: ascending by encoding (X.690 11.6).
fn signed_attributes(
    signer: &Certificate,
    hash: HashAlgorithm,
    tst_info: &[u8],
    signing_time: &[u8],
) -> Vec<u8> {
    let digest = hash.digest(tst_info);
    let mut attributes = [
        attribute(CONTENT_TYPE, &tlv::oid_element(TST_INFO)),
        attribute(SIGNING_TIME, signing_time),
        attribute(MESSAGE_DIGEST, &tlv::write(tlv::OCTET_STRING, &[digest.as_bytes()])),
        attribute(SIGNING_CERTIFICATE_V2, &signing_certificate(signer)),
    ];
    attributes.sort_unstable();
    attributes.concat()
}

fn attribute(oid: &str, value: &[u8]) -> Vec<u8> {
    tlv::write(tlv::SEQUENCE, &[&tlv::oid_element(oid), &tlv::write(tlv::SET, &[value])])
}

/// SigningCertificateV2 with the signer alone; SHA-256 is the DEFAULT and so left out.
fn signing_certificate(signer: &Certificate) -> Vec<u8> {
    let hash = HashAlgorithm::Sha256.digest(signer.der());
    let hash = tlv::write(tlv::OCTET_STRING, &[hash.as_bytes()]);
    let directory = tlv::write(DIRECTORY_NAME, &[signer.issuer_dn()]);
    let names = tlv::write(tlv::SEQUENCE, &[&directory]);
    let serial = tlv::write(tlv::INTEGER, &[signer.serial()]);
    let issuer_serial = tlv::write(tlv::SEQUENCE, &[&names, &serial]);
    let ess_cert_id = tlv::write(tlv::SEQUENCE, &[&hash, &issuer_serial]);
    let certs = tlv::write(tlv::SEQUENCE, &[&ess_cert_id]);
    tlv::write(tlv::SEQUENCE, &[&certs])
}

fn signer_info(
    template: &TokenTemplate<'_>,
    hash: HashAlgorithm,
    attributes: &[u8],
    signature: &[u8],
) -> Vec<u8> {
    let signer = template.signer;
    let serial = tlv::write(tlv::INTEGER, &[signer.serial()]);
    let id = tlv::write(tlv::SEQUENCE, &[signer.issuer_dn(), &serial]);
    let attributes = tlv::write(EXPLICIT_0, &[attributes]);
    let oid = tlv::oid_element(template.signature_algorithm.oid());
    let null: &[u8] = if template.signature_algorithm.has_null_parameters() { NULL } else { &[] };
    let algorithm = tlv::write(tlv::SEQUENCE, &[&oid, null]);
    let signature = tlv::write(tlv::OCTET_STRING, &[signature]);
    tlv::write(
        tlv::SEQUENCE,
        &[VERSION_1, &id, &hash_identifier(hash), &attributes, &algorithm, &signature],
    )
}

fn content_info(
    template: &TokenTemplate<'_>,
    hash: HashAlgorithm,
    tst_info: &[u8],
    signer_info: &[u8],
) -> Vec<u8> {
    let algorithms = tlv::write(tlv::SET, &[&hash_identifier(hash)]);
    let content = tlv::write(tlv::OCTET_STRING, &[tst_info]);
    let content = tlv::write(EXPLICIT_0, &[&content]);
    let content = tlv::write(tlv::SEQUENCE, &[&tlv::oid_element(TST_INFO), &content]);
    let mut bag: Vec<&[u8]> = template.certificates.iter().map(Certificate::der).collect();
    bag.sort_unstable();
    let certificates = if bag.is_empty() { Vec::new() } else { tlv::write(EXPLICIT_0, &bag) };
    let signers = tlv::write(tlv::SET, &[signer_info]);
    let signed =
        tlv::write(tlv::SEQUENCE, &[VERSION_3, &algorithms, &content, &certificates, &signers]);
    let wrapped = tlv::write(EXPLICIT_0, &[&signed]);
    tlv::write(tlv::SEQUENCE, &[&tlv::oid_element(SIGNED_DATA), &wrapped])
}

/// AlgorithmIdentifier without parameters, as RFC 5754 section 2 has writers do.
fn hash_identifier(hash: HashAlgorithm) -> Vec<u8> {
    tlv::write(tlv::SEQUENCE, &[&tlv::oid_element(hash.oid())])
}

fn generalized(time: OffsetDateTime) -> Vec<u8> {
    let text = format!("{:04}{}", time.year(), month_to_second(time));
    tlv::write(tlv::GENERALIZED_TIME, &[text.as_bytes()])
}

/// UTCTime up to 2049, GeneralizedTime after (RFC 5652 section 11.3).
fn utc(time: OffsetDateTime) -> Vec<u8> {
    if time.year() >= 2050 {
        return generalized(time);
    }
    let text = format!("{:02}{}", time.year() % 100, month_to_second(time));
    tlv::write(tlv::UTC_TIME, &[text.as_bytes()])
}

fn month_to_second(time: OffsetDateTime) -> String {
    let (hour, minute, second) = time.to_hms();
    let month = u8::from(time.month());
    format!("{month:02}{:02}{hour:02}{minute:02}{second:02}Z", time.day())
}

const VERSION_1: &[u8] = &[tlv::INTEGER, 1, 1];
const VERSION_3: &[u8] = &[tlv::INTEGER, 1, 3];
const NULL: &[u8] = &[tlv::NULL, 0];
const EXPLICIT_0: u8 = tlv::context_constructed(0);
const DIRECTORY_NAME: u8 = tlv::context_constructed(4);

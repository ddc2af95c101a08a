//! What stands between the CA key and everything that could be signed with it by mistake.
//!
//! [`LintedKey`] is the only door to the issuing key: what it is asked to sign is read back and
//! compared with the profile before the key sees it.

use formats::certificate::{Certificate, CertificateError, oid};
use formats::key::PublicKey;
use formats::sct::{LogEntryKind, Sct, precert_tbs, sct_signed_data};
use sha2::{Digest as _, Sha256};
use verify::crypto::{Scheme, verify_message};

use crate::keys::RcgenKey;
use crate::profile::{Draft, LIFE_SECONDS, tlv};

/// The issuing key behind the lint.
pub struct LintedKey {
    key: RcgenKey,
    issuing: Certificate,
}

impl LintedKey {
    /// Guards `key`, whose certificate is `issuing`.
    pub const fn new(key: RcgenKey, issuing: Certificate) -> Self {
        Self { key, issuing }
    }
}

impl rcgen::PublicKeyData for LintedKey {
    fn der_bytes(&self) -> &[u8] {
        self.key.der_bytes()
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.key.algorithm()
    }
}

impl rcgen::SigningKey for LintedKey {
    fn sign(&self, tbs: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        if let Err(failure) = lint(tbs, &self.issuing) {
            tracing::error!(%failure, "the CA key was not used");
            return Err(rcgen::Error::RemoteKeyError);
        }
        self.key.sign(tbs)
    }
}

/// What is wrong with a certificate that was about to be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LintFailure {
    /// It does not parse.
    #[error("the certificate does not parse: {0}")]
    Shape(CertificateError),
    /// It names another issuer.
    #[error("the issuer is not the subject of the issuing certificate")]
    Issuer,
    /// It has a subject.
    #[error("the subject is not empty")]
    Subject,
    /// It does not live ten minutes, or outlives its CA.
    #[error("the validity is not ten minutes within that of the issuing certificate")]
    Validity,
    /// The serial number is not 20 bytes of a positive integer.
    #[error("the serial number is not 20 bytes")]
    Serial,
    /// The extensions are not those of the profile, in its order.
    #[error("the extensions are not those of the profile, in its order")]
    Extensions,
    /// An extension has another content or criticality than the profile says.
    #[error("the extension {0} is not as the profile says")]
    Extension(&'static str),
    /// It certifies another key, or has another serial, than was drafted.
    #[error("the certificate is not the one that was drafted")]
    NotAsDrafted,
}

/// Reads a to-be-signed certificate back and compares it with the profile.
///
/// # Errors
/// The first thing that is not as it should be.
pub fn lint(tbs: &[u8], issuing: &Certificate) -> Result<(), LintFailure> {
    let unsigned = [tbs, ECDSA_WITH_SHA256, NO_SIGNATURE].concat();
    let certificate = Certificate::from_der(&tlv(0x30, &unsigned)).map_err(LintFailure::Shape)?;
    if certificate.issuer_dn() != issuing.subject_dn() {
        return Err(LintFailure::Issuer);
    }
    if certificate.subject_dn() != EMPTY_NAME {
        return Err(LintFailure::Subject);
    }
    let (start, end) = (certificate.not_before(), certificate.not_after());
    if end.checked_sub(start) != Some(LIFE_SECONDS)
        || start < issuing.not_before()
        || end > issuing.not_after()
    {
        return Err(LintFailure::Validity);
    }
    if certificate.serial().len() != 20 {
        return Err(LintFailure::Serial);
    }
    lint_extensions(&certificate, issuing)
}

fn lint_extensions(certificate: &Certificate, issuing: &Certificate) -> Result<(), LintFailure> {
    let oids: Vec<&str> = certificate.extensions().iter().map(|e| e.oid.as_str()).collect();
    let Some((head, rest)) = oids.split_first_chunk::<5>() else {
        return Err(LintFailure::Extensions);
    };
    let Some((last, fulcio)) = rest.split_last() else { return Err(LintFailure::Extensions) };
    let numbers: Option<Vec<u64>> =
        fulcio.iter().map(|oid| oid.strip_prefix(oid::FULCIO_ARC)?.parse().ok()).collect();
    let numbers = numbers.ok_or(LintFailure::Extensions)?;
    let ascending = numbers.is_sorted_by(|a, b| a < b);
    let poison = *last == oid::PRECERT_POISON;
    if *head != ORDER || !ascending || !(poison || *last == oid::SCT_LIST) {
        return Err(LintFailure::Extensions);
    }
    if numbers.first() != Some(&1) || !numbers.contains(&8) || numbers.contains(&7) {
        return Err(LintFailure::Extensions);
    }
    for extension in certificate.extensions() {
        let critical = CRITICAL.contains(&extension.oid.as_str());
        if extension.critical != critical {
            return Err(LintFailure::Extension("criticality"));
        }
    }
    if certificate.extended_key_usages() != Some(&[oid::EKU_CODE_SIGNING.to_owned()][..]) {
        return Err(LintFailure::Extension("extendedKeyUsage"));
    }
    let digital_signature = certificate.extension(oid::KEY_USAGE).map(|e| e.value.as_slice());
    if digital_signature != Some(&[0x03, 0x02, 0x07, 0x80]) {
        return Err(LintFailure::Extension("keyUsage"));
    }
    if certificate.authority_key_id() != issuing.subject_key_id() {
        return Err(LintFailure::Extension("authorityKeyIdentifier"));
    }
    if certificate.identity().is_err() {
        return Err(LintFailure::Extension("subjectAltName"));
    }
    Ok(())
}

/// Whether a signed certificate is the drafted one: same key, same serial.
///
/// # Errors
/// [`LintFailure::NotAsDrafted`].
pub fn is_for(certificate: &Certificate, draft: &Draft) -> Result<(), LintFailure> {
    use rcgen::PublicKeyData as _;
    let key = draft.key().subject_public_key_info();
    if certificate.spki_der() == key && certificate.serial() == draft.serial() {
        Ok(())
    } else {
        Err(LintFailure::NotAsDrafted)
    }
}

/// Whether an SCT holds for our precertificate: right log, right bytes, and a time that is now.
/// Fulcio by default embeds whatever its log answers.
pub fn sct_holds(
    sct: &Sct,
    precertificate: &Certificate,
    issuing: &Certificate,
    log: &PublicKey,
    now: i64,
) -> bool {
    let Ok(tbs) = precert_tbs(precertificate) else { return false };
    let issuer_key_hash = Sha256::digest(issuing.spki_der()).into();
    let entry = LogEntryKind::Precert { issuer_key_hash, tbs: &tbs };
    let Ok(signed) = sct_signed_data(sct.timestamp_ms, &entry, &sct.extensions) else {
        return false;
    };
    let seconds = i64::try_from(sct.timestamp_ms / 1000).unwrap_or(i64::MAX);
    sct.log_id == log.id()
        && (sct.hash, sct.signature_algorithm) == (4, 3)
        && seconds.abs_diff(now) <= MAX_SCT_AGE_SECONDS
        && verify_message(log, Scheme::EcdsaSha256, &signed, &sct.signature).is_ok()
}

const ORDER: [&str; 5] = [
    oid::KEY_USAGE,
    oid::EXTENDED_KEY_USAGE,
    oid::SUBJECT_KEY_ID,
    oid::AUTHORITY_KEY_ID,
    oid::SUBJECT_ALT_NAME,
];

const CRITICAL: [&str; 3] = [oid::KEY_USAGE, oid::SUBJECT_ALT_NAME, oid::PRECERT_POISON];

/// AlgorithmIdentifier of ecdsa-with-SHA256, and an empty signature, to read a to-be-signed
/// certificate back as a certificate.
const ECDSA_WITH_SHA256: &[u8] =
    &[0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const NO_SIGNATURE: &[u8] = &[0x03, 0x02, 0x00, 0x00];

const EMPTY_NAME: &[u8] = &[0x30, 0x00];

const MAX_SCT_AGE_SECONDS: u64 = 60;

//! The leaf certificate: what stands in it, in which order, with which criticality.
//!
//! The profile is Fulcio's (certificate specification of the Sigstore architecture documents):
//! key usage, extended key usage, subject key id, authority key id, subject alternative name,
//! the Fulcio extensions in ascending order, and last the poison or the SCT list. Every
//! extension is written here, so that rcgen's own order has no part in it.

use formats::certificate::{Certificate, SubjectName};
use formats::key::PublicKey;
use formats::sct::{Sct, SctError, encode_sct_list};
use rcgen::{
    CertificateParams, CustomExtension, DistinguishedName, SerialNumber, SubjectPublicKeyInfo,
};
use time::OffsetDateTime;

use crate::identity::VerifiedIdentity;

/// How long a certificate lives, in seconds.
pub const LIFE_SECONDS: i64 = 600;

/// A certificate that is ready but for its last extension and its signature. Serial, dates and
/// extensions are fixed once, so that the precertificate and the certificate differ in the last
/// extension alone (RFC 6962 section 3.1).
pub struct Draft {
    params: CertificateParams,
    key: SubjectPublicKeyInfo,
    serial: [u8; 20],
}

/// Why no certificate can be drafted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// The system gave no random bytes for the serial number.
    #[error("the system gave no random bytes for a serial number")]
    NoRandomness,
    /// The dates cannot be written in a certificate.
    #[error("the time {0} cannot be written in a certificate")]
    Time(i64),
    /// rcgen does not write keys of this kind.
    #[error("a key of this kind cannot be certified")]
    Key,
    /// The SCT cannot be written down.
    #[error("the SCT cannot be written in a certificate: {0}")]
    Sct(SctError),
    /// The issuing certificate has no subject key id to point to.
    #[error("the issuing certificate has no subject key identifier")]
    NoAuthorityKeyId,
}

impl Draft {
    /// Drafts a certificate for `identity` and `key`, valid from `now` (Unix seconds) for ten
    /// minutes.
    ///
    /// # Errors
    /// See [`DraftError`]; none of them is the requester's fault.
    pub fn new(
        identity: &VerifiedIdentity,
        key: &PublicKey,
        issuing: &Certificate,
        now: i64,
    ) -> Result<Self, DraftError> {
        let date = |seconds| {
            OffsetDateTime::from_unix_timestamp(seconds)
                .map_err(|_out_of_range| DraftError::Time(seconds))
        };
        let serial = random_serial().map_err(|_unavailable| DraftError::NoRandomness)?;
        let authority = issuing.subject_key_id().ok_or(DraftError::NoAuthorityKeyId)?;

        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        params.not_before = date(now)?;
        params.not_after = date(now.saturating_add(LIFE_SECONDS))?;
        params.custom_extensions = extensions(identity, key, authority);
        let key = SubjectPublicKeyInfo::from_der(key.spki_der())
            .map_err(|_unsupported| DraftError::Key)?;
        Ok(Self { params, key, serial })
    }

    /// The serial number, 20 bytes big-endian.
    pub const fn serial(&self) -> &[u8; 20] {
        &self.serial
    }

    /// The public key as rcgen wants it.
    pub const fn key(&self) -> &SubjectPublicKeyInfo {
        &self.key
    }

    /// The precertificate's parameters: poison last and critical (RFC 6962 section 3.1).
    pub fn precertificate(&self) -> CertificateParams {
        self.ending_with(extension(POISON, true, vec![0x05, 0x00]))
    }

    /// The certificate's parameters: the list with `sct` last and not critical (RFC 6962
    /// section 3.3).
    ///
    /// # Errors
    /// [`DraftError::Sct`] when the SCT does not fit its own length fields.
    pub fn certificate(&self, sct: &Sct) -> Result<CertificateParams, DraftError> {
        let list = encode_sct_list(std::slice::from_ref(sct)).map_err(DraftError::Sct)?;
        Ok(self.ending_with(extension(SCT_LIST, false, list)))
    }

    fn ending_with(&self, last: CustomExtension) -> CertificateParams {
        let mut params = self.params.clone();
        params.custom_extensions.push(last);
        params
    }
}

fn extensions(
    identity: &VerifiedIdentity,
    key: &PublicKey,
    authority: &[u8],
) -> Vec<CustomExtension> {
    let mut all = vec![
        extension(KEY_USAGE, true, DIGITAL_SIGNATURE.into()),
        extension(EXTENDED_KEY_USAGE, false, CODE_SIGNING.into()),
        extension(SUBJECT_KEY_ID, false, tlv(0x04, &key_identifier(key.raw()))),
        extension(AUTHORITY_KEY_ID, false, tlv(0x30, &tlv(0x80, authority))),
        extension(SUBJECT_ALT_NAME, true, tlv(0x30, &general_name(identity.subject()))),
        fulcio(1, identity.issuer()),
    ];
    let (raw, utf8): (Vec<_>, Vec<_>) =
        identity.extensions().iter().partition(|(number, _)| *number < FIRST_UTF8);
    all.extend(raw.iter().map(|(number, value)| fulcio(*number, value)));
    all.push(fulcio(8, identity.issuer()));
    all.extend(utf8.iter().map(|(number, value)| fulcio(*number, value)));
    all.push(fulcio(24, identity.token_subject()));
    all
}

/// One extension of the Fulcio arc: raw bytes below 1.8, a DER UTF8String from there on.
fn fulcio(number: u8, value: &str) -> CustomExtension {
    let content =
        if number < FIRST_UTF8 { value.as_bytes().to_vec() } else { tlv(0x0c, value.as_bytes()) };
    let oid = [FULCIO, &[u64::from(number)]].concat();
    extension(&oid, false, content)
}

/// One GeneralName (RFC 5280 section 4.2.1.6).
fn general_name(subject: &SubjectName) -> Vec<u8> {
    match subject {
        SubjectName::Email(address) => tlv(0x81, address.as_bytes()),
        SubjectName::Uri(uri) => tlv(0x86, uri.as_bytes()),
        SubjectName::OtherName(name) => {
            tlv(0xa0, &[OTHER_NAME, &tlv(0xa0, &tlv(0x0c, name.as_bytes()))].concat())
        }
    }
}

fn extension(oid: &[u64], critical: bool, content: Vec<u8>) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, content);
    extension.set_criticality(critical);
    extension
}

/// DER tag, length and value (X.690 section 8.1), for a one-byte tag.
pub(crate) fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let bytes = content.len().to_be_bytes();
    match content.len() {
        short @ 0..=0x7f => out.push(short.to_le_bytes()[0]),
        _ => {
            let significant: Vec<u8> = bytes.iter().copied().skip_while(|b| *b == 0).collect();
            out.push(0x80 | significant.len().to_le_bytes()[0]);
            out.extend(significant);
        }
    }
    out.extend(content);
    out
}

/// 20 random bytes with the top bit clear and the next one set: a positive integer whose DER is
/// always 20 bytes (RFC 5280 section 4.1.2.2), with 158 bits of randomness.
///
/// # Errors
/// When the system gives no random bytes.
pub fn random_serial() -> Result<[u8; 20], getrandom::Error> {
    let mut serial = [0_u8; 20];
    getrandom::fill(&mut serial)?;
    serial[0] = (serial[0] & 0x7f) | 0x40;
    Ok(serial)
}

/// The key identifier of RFC 5280 section 4.2.1.2 (1): SHA-1 of the subjectPublicKey bits. SHA-1
/// only names the key here; nothing rests on its strength.
pub fn key_identifier(subject_public_key: &[u8]) -> Vec<u8> {
    let sha1 = &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY;
    aws_lc_rs::digest::digest(sha1, subject_public_key).as_ref().to_vec()
}

/// Arcs of the extensions, in the order in which they stand.
const KEY_USAGE: &[u64] = &[2, 5, 29, 15];
const EXTENDED_KEY_USAGE: &[u64] = &[2, 5, 29, 37];
const SUBJECT_KEY_ID: &[u64] = &[2, 5, 29, 14];
const AUTHORITY_KEY_ID: &[u64] = &[2, 5, 29, 35];
const SUBJECT_ALT_NAME: &[u64] = &[2, 5, 29, 17];
const FULCIO: &[u64] = &[1, 3, 6, 1, 4, 1, 57264, 1];
const POISON: &[u64] = &[1, 3, 6, 1, 4, 1, 11129, 2, 4, 3];
const SCT_LIST: &[u64] = &[1, 3, 6, 1, 4, 1, 11129, 2, 4, 2];

/// BIT STRING with digitalSignature alone.
const DIGITAL_SIGNATURE: &[u8] = &[0x03, 0x02, 0x07, 0x80];

/// ExtKeyUsageSyntax with id-kp-codeSigning alone.
const CODE_SIGNING: &[u8] = &[0x30, 0x0a, 0x06, 0x08, 0x2b, 6, 1, 5, 5, 7, 3, 3];

/// OID 1.3.6.1.4.1.57264.1.7, the type of a Fulcio user name.
const OTHER_NAME: &[u8] = &[0x06, 0x0a, 0x2b, 0x06, 0x01, 0x04, 0x01, 0x83, 0xbf, 0x30, 0x01, 0x07];

/// From this number on an extension is a DER UTF8String.
const FIRST_UTF8: u8 = 7;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn serial_random_and_unique() {
        let serials: HashSet<_> = (0..100_000).map(|_| random_serial().unwrap()).collect();
        assert_eq!(serials.len(), 100_000);
        assert!(serials.iter().all(|s| s[0] & 0x80 == 0 && s[0] != 0));
    }

    #[test]
    fn lengths_are_minimal() {
        assert_eq!(tlv(0x04, &[7; 127])[..2], [0x04, 0x7f]);
        assert_eq!(tlv(0x04, &[7; 128])[..3], [0x04, 0x81, 0x80]);
        assert_eq!(tlv(0x04, &[7; 256])[..4], [0x04, 0x82, 0x01, 0x00]);
    }
}

//! The precertificate's signed part, recovered from a certificate.

use super::SctError;
use crate::certificate::tlv::{self, Elements};
use crate::certificate::{Certificate, oid};

/// The TBSCertificate of a certificate or precertificate without the SCT list and the poison: what
/// a log signs for both (RFC 6962 section 3.2).
///
/// The bytes of every other field are copied as they stand, only the three lengths around the
/// extensions are written anew: re-encoding would "repair" bytes that the authority and the log
/// both signed, and the SCT would no longer verify.
///
/// # Errors
/// [`SctError::Der`] if the certificate's structure cannot be walked, which parsing excludes.
pub fn precert_tbs(certificate: &Certificate) -> Result<Vec<u8>, SctError> {
    let tbs = tlv::exactly(certificate.tbs(), tlv::SEQUENCE)?;
    let mut fields = Elements::new(tbs.value);
    let mut content = Vec::with_capacity(tbs.value.len());
    while !fields.is_empty() {
        let field = fields.next()?;
        if field.tag == EXTENSIONS {
            content.extend_from_slice(&spliced(field.value)?);
        } else {
            content.extend_from_slice(field.raw);
        }
    }
    Ok(tlv::write(tlv::SEQUENCE, &[&content]))
}

/// Whether this is a precertificate: it carries the poison, critical and NULL.
///
/// # Errors
/// [`SctError::MalformedPoison`]: neither reading would be safe.
pub fn is_precertificate(certificate: &Certificate) -> Result<bool, SctError> {
    match certificate.extension(oid::PRECERT_POISON) {
        None => Ok(false),
        Some(poison) if poison.critical && poison.value == DER_NULL => Ok(true),
        Some(_) => Err(SctError::MalformedPoison),
    }
}

/// The `[3]` field again without the two extensions; nothing if no extension is left, because
/// Extensions holds at least one (RFC 5280 section 4.1).
fn spliced(wrapped: &[u8]) -> Result<Vec<u8>, SctError> {
    let mut list = Elements::new(tlv::exactly(wrapped, tlv::SEQUENCE)?.value);
    let mut kept: Vec<&[u8]> = Vec::with_capacity(24);
    while !list.is_empty() {
        let extension = list.expect(tlv::SEQUENCE)?;
        let oid = Elements::new(extension.value).expect(tlv::OBJECT_IDENTIFIER)?.value;
        if oid != SCT_LIST && oid != POISON {
            kept.push(extension.raw);
        }
    }
    if kept.is_empty() {
        return Ok(Vec::new());
    }
    let sequence = tlv::write(tlv::SEQUENCE, &kept);
    Ok(tlv::write(EXTENSIONS, &[&sequence]))
}

/// `[3]` of TBSCertificate.
const EXTENSIONS: u8 = tlv::context_constructed(3);
/// 1.3.6.1.4.1.11129.2.4.2 and .3 as OBJECT IDENTIFIER content.
const SCT_LIST: &[u8] = &[0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 2];
const POISON: &[u8] = &[0x2b, 6, 1, 4, 1, 0xd6, 0x79, 2, 4, 3];
const DER_NULL: &[u8] = &[0x05, 0x00];

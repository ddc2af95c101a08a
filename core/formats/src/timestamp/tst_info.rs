//! TSTInfo, the signed content of a token (RFC 3161 section 2.4.2).

use super::{TokenError, message_imprint};
use crate::certificate::DerError;
use crate::certificate::time;
use crate::certificate::tlv::{self, Elements};
use crate::digest::Digest;
use crate::limits::MAX_TIMESTAMP_INTEGER_BYTES;

/// How far genTime may be off, either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Accuracy {
    /// Whole seconds.
    pub seconds: u64,
    /// Milliseconds, 0 (absent) or 1 to 999.
    pub millis: u16,
    /// Microseconds, 0 (absent) or 1 to 999.
    pub micros: u16,
}

pub(super) struct TstInfo {
    pub(super) policy: String,
    pub(super) imprint: Digest,
    pub(super) serial: Vec<u8>,
    pub(super) gen_time_ms: i64,
    pub(super) accuracy: Option<Accuracy>,
    pub(super) nonce: Option<Vec<u8>>,
}

/// `der` has passed no depth check yet: it was inside an OCTET STRING.
pub(super) fn parse(der: &[u8]) -> Result<TstInfo, TokenError> {
    let mut fields = Elements::new(tlv::document(der, tlv::SEQUENCE)?.value);
    let version = fields.small()?;
    if version != 1 {
        return Err(TokenError::UnknownVersion { structure: "TSTInfo", version });
    }
    let policy = fields.oid()?;
    let (imprint, _) = message_imprint(&mut fields)?;
    let serial = bounded(fields.unsigned()?)?;
    let gen_time_ms = gen_time_ms(fields.expect(tlv::GENERALIZED_TIME)?.value)?;
    let accuracy =
        fields.optional(tlv::SEQUENCE)?.map(|element| accuracy(element.value)).transpose()?;
    if let Some(ordering) = fields.optional(tlv::BOOLEAN)? {
        tlv::boolean(ordering.value)?;
    }
    let nonce = match fields.optional(tlv::INTEGER)? {
        Some(element) => {
            tlv::check_canonical(element.value)?;
            Some(bounded(element.value)?)
        }
        None => None,
    };
    // The name in `tsa` is a hint; the signing certificate is what identifies the authority.
    fields.optional(tlv::context_constructed(0))?;
    if let Some(extensions) = fields.optional(tlv::context_constructed(1))? {
        refuse_critical(extensions.value)?;
    }
    fields.finish()?;
    Ok(TstInfo { policy, imprint, serial, gen_time_ms, accuracy, nonce })
}

/// Unix milliseconds of `YYYYMMDDhhmmss[.s...]Z`, rounded down. A fraction has no trailing zero
/// and is never empty (RFC 3161 section 2.4.2); we take up to nine digits.
fn gen_time_ms(content: &[u8]) -> Result<i64, DerError> {
    let (whole, fraction) = content.split_at_checked(14).ok_or(DerError::BadTime)?;
    let millis = match fraction {
        [b'Z'] => 0,
        [b'.', digits @ .., b'Z'] => millis(digits)?,
        _ => return Err(DerError::BadTime),
    };
    let seconds = time::generalized_time(&[whole, b"Z"].concat())?;
    seconds.checked_mul(1000).and_then(|ms| ms.checked_add(millis)).ok_or(DerError::BadTime)
}

fn millis(digits: &[u8]) -> Result<i64, DerError> {
    let canonical = digits.iter().all(u8::is_ascii_digit)
        && digits.len() <= MAX_FRACTION_DIGITS
        && digits.last().is_some_and(|last| *last != b'0');
    if !canonical {
        return Err(DerError::BadTime);
    }
    let kept = digits.iter().chain(b"00").take(3);
    Ok(kept.fold(0, |value, digit| value * 10 + i64::from(digit - b'0')))
}

fn accuracy(content: &[u8]) -> Result<Accuracy, TokenError> {
    let mut fields = Elements::new(content);
    let seconds = match fields.optional(tlv::INTEGER)? {
        Some(element) => tlv::small_from_content(element.value)?,
        None => 0,
    };
    let millis = thousandths(fields.optional(tlv::context(0))?)?;
    let micros = thousandths(fields.optional(tlv::context(1))?)?;
    fields.finish()?;
    Ok(Accuracy { seconds, millis, micros })
}

/// INTEGER (1..999), absent as zero.
fn thousandths(element: Option<tlv::Tlv<'_>>) -> Result<u16, TokenError> {
    let Some(element) = element else { return Ok(0) };
    match u16::try_from(tlv::small_from_content(element.value)?) {
        Ok(value @ 1..=999) => Ok(value),
        _ => Err(TokenError::AccuracyOutOfRange),
    }
}

fn bounded(content: &[u8]) -> Result<Vec<u8>, TokenError> {
    if content.len() > MAX_TIMESTAMP_INTEGER_BYTES {
        return Err(TokenError::IntegerTooLong { bytes: content.len() });
    }
    Ok(content.to_vec())
}

fn refuse_critical(list: &[u8]) -> Result<(), TokenError> {
    let mut extensions = Elements::new(list);
    while !extensions.is_empty() {
        let mut parts = extensions.sequence()?;
        let oid = parts.oid()?;
        let critical = match parts.optional(tlv::BOOLEAN)? {
            Some(element) => tlv::boolean(element.value)?,
            None => false,
        };
        parts.expect(tlv::OCTET_STRING)?;
        parts.finish()?;
        if critical {
            return Err(TokenError::CriticalExtension { oid });
        }
    }
    Ok(())
}

const MAX_FRACTION_DIGITS: usize = 9;

//! TimeStampResp around a token, or without one (RFC 3161 section 2.4.2).

use super::TokenError;
use crate::certificate::DerError;
use crate::certificate::tlv::{self, Elements};

/// PKIFailureInfo, as far as RFC 3161 section 2.4.2 uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PkiFailure {
    /// Unrecognised or unsupported algorithm.
    BadAlg,
    /// Transaction not permitted or supported.
    BadRequest,
    /// The data submitted has the wrong format.
    BadDataFormat,
    /// The authority's time source is not available.
    TimeNotAvailable,
    /// The requested policy is not supported.
    UnacceptedPolicy,
    /// The requested extension is not supported.
    UnacceptedExtension,
    /// The additional information requested is not available.
    AddInfoNotAvailable,
    /// The request cannot be handled because of a failure of the system.
    SystemFailure,
}

impl PkiFailure {
    /// The number of its bit.
    #[must_use]
    pub const fn bit(self) -> u8 {
        match self {
            Self::BadAlg => 0,
            Self::BadRequest => 2,
            Self::BadDataFormat => 5,
            Self::TimeNotAvailable => 14,
            Self::UnacceptedPolicy => 15,
            Self::UnacceptedExtension => 16,
            Self::AddInfoNotAvailable => 17,
            Self::SystemFailure => 25,
        }
    }

    const ALL: [Self; 8] = [
        Self::BadAlg,
        Self::BadRequest,
        Self::BadDataFormat,
        Self::TimeNotAvailable,
        Self::UnacceptedPolicy,
        Self::UnacceptedExtension,
        Self::AddInfoNotAvailable,
        Self::SystemFailure,
    ];
}

/// A TimeStampResp with status granted around a token in DER.
#[must_use]
pub fn granted_response(token: &[u8]) -> Vec<u8> {
    tlv::write(tlv::SEQUENCE, &[STATUS_GRANTED, token])
}

/// A TimeStampResp with status rejection, one reason and a text for people.
#[must_use]
pub fn rejection(failure: PkiFailure, text: &str) -> Vec<u8> {
    let bit = failure.bit();
    let mut bits = vec![7 - bit % 8];
    bits.resize(usize::from(bit / 8) + 1, 0);
    bits.push(0x80 >> (bit % 8));
    let text = tlv::write(tlv::UTF8_STRING, &[text.as_bytes()]);
    let texts = tlv::write(tlv::SEQUENCE, &[&text]);
    let bits = tlv::write(tlv::BIT_STRING, &[&bits]);
    let status = tlv::write(tlv::SEQUENCE, &[STATUS_REJECTION, &texts, &bits]);
    tlv::write(tlv::SEQUENCE, &[&status])
}

/// The token inside a granted response. `der` has passed the depth check.
pub(super) fn granted_token(der: &[u8]) -> Result<&[u8], TokenError> {
    let mut fields = Elements::new(tlv::exactly(der, tlv::SEQUENCE)?.value);
    let mut info = fields.sequence()?;
    let status = info.small()?;
    let text = match info.optional(tlv::SEQUENCE)? {
        Some(texts) => free_text(texts.value)?,
        None => None,
    };
    let failure = info.optional(tlv::BIT_STRING)?.and_then(|bits| first_failure(bits.value));
    info.finish()?;
    // 1 is grantedWithMods: a token too, and all that could be modified is compared by the caller.
    if status > 1 {
        return Err(TokenError::Rejected { status, failure, text });
    }
    let token = fields.expect(tlv::SEQUENCE).map_err(|_| TokenError::NoToken)?;
    fields.finish()?;
    Ok(token.raw)
}

/// PKIFreeText: one or more UTF8Strings; the first is kept.
fn free_text(list: &[u8]) -> Result<Option<String>, DerError> {
    let mut texts = Elements::new(list);
    let mut first = None;
    while !texts.is_empty() {
        let text = texts.expect(tlv::UTF8_STRING)?.value;
        let text = std::str::from_utf8(text).map_err(|_| DerError::BadString)?;
        first.get_or_insert_with(|| text.to_owned());
    }
    Ok(first)
}

fn first_failure(content: &[u8]) -> Option<PkiFailure> {
    let (_, bits) = content.split_first()?;
    PkiFailure::ALL.into_iter().find(|failure| {
        let bit = failure.bit();
        bits.get(usize::from(bit / 8)).is_some_and(|byte| byte & (0x80 >> (bit % 8)) != 0)
    })
}

const STATUS_GRANTED: &[u8] = &[tlv::SEQUENCE, 3, tlv::INTEGER, 1, 0];
const STATUS_REJECTION: &[u8] = &[tlv::INTEGER, 1, 2];

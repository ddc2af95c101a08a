//! Strict DER tag-length-value reading and writing, the layer under every ASN.1 structure here.
//!
//! Headers are decoded by the `der` crate (definite, minimal lengths only). What it leaves open is
//! closed here: one depth pass over a whole document before anything is read from it, canonical
//! OID arcs, canonical integers, and no trailing bytes.

use der::{Decode, ErrorKind, Header, Reader as _, SliceReader, Tag, TagNumber};
use thiserror::Error;

use crate::limits::{MAX_DER_DEPTH, MAX_OID_ARCS};

/// Why bytes are not the DER (ITU-T X.690) that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DerError {
    /// The input ends inside an element.
    #[error("DER ends inside an element")]
    Truncated,
    /// A length that is not in its shortest form, or is indefinite, or too large.
    #[error("DER length is not minimal and definite")]
    BadLength,
    /// A tag byte that DER does not allow, or a multi-byte tag.
    #[error("DER tag is malformed")]
    BadTag,
    /// Another element than the structure calls for.
    #[error("DER holds another element than expected")]
    UnexpectedElement,
    /// Bytes after the end of a structure.
    #[error("trailing bytes after a DER structure")]
    TrailingBytes,
    /// Nesting deeper than [`MAX_DER_DEPTH`].
    #[error("DER nested deeper than {MAX_DER_DEPTH}")]
    TooDeep,
    /// An INTEGER that is empty, padded, negative where it may not be, or too large.
    #[error("DER INTEGER is not canonical or out of range")]
    BadInteger,
    /// A BOOLEAN other than 0x00 and 0xFF.
    #[error("DER BOOLEAN is not canonical")]
    BadBoolean,
    /// An OBJECT IDENTIFIER that is empty, padded, cut short or has more than [`MAX_OID_ARCS`] arcs.
    #[error("DER OBJECT IDENTIFIER is malformed or too long")]
    BadOid,
    /// A BIT STRING whose count of unused bits is not the one its use calls for.
    #[error("DER BIT STRING has wrong unused bits")]
    BadBitString,
    /// A string that is not in its declared character set.
    #[error("DER string is not in its character set")]
    BadString,
    /// A UTCTime or GeneralizedTime that is not in the form its profile demands.
    #[error("DER time is malformed")]
    BadTime,
}

/// One element: its tag, its content and the whole encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tlv<'a> {
    pub(crate) tag: Tag,
    pub(crate) value: &'a [u8],
    pub(crate) raw: &'a [u8],
}

/// Reads the elements of one content in order.
#[derive(Debug, Clone)]
pub(crate) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    pub(crate) fn new(content: &'a [u8]) -> Self {
        Self { rest: content }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn peek(&self) -> Option<Tag> {
        let mut reader = SliceReader::new(self.rest).ok()?;
        Tag::decode(&mut reader).ok()
    }

    pub(crate) fn next(&mut self) -> Result<Tlv<'a>, DerError> {
        let (element, rest) = split(self.rest)?;
        self.rest = rest;
        Ok(element)
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: Tag) -> Result<Tlv<'a>, DerError> {
        let element = self.next()?;
        if element.tag == tag { Ok(element) } else { Err(DerError::UnexpectedElement) }
    }

    /// The next element if it has this tag; nothing is consumed otherwise.
    pub(crate) fn optional(&mut self, tag: Tag) -> Result<Option<Tlv<'a>>, DerError> {
        if self.peek() == Some(tag) { self.next().map(Some) } else { Ok(None) }
    }

    pub(crate) fn sequence(&mut self) -> Result<Elements<'a>, DerError> {
        Ok(Self::new(self.expect(Tag::Sequence)?.value))
    }

    pub(crate) fn oid(&mut self) -> Result<String, DerError> {
        oid_to_string(self.expect(Tag::ObjectIdentifier)?.value)
    }

    /// Content of a non-negative INTEGER in canonical form (a leading zero byte is kept).
    pub(crate) fn unsigned(&mut self) -> Result<&'a [u8], DerError> {
        let content = self.expect(Tag::Integer)?.value;
        check_unsigned(content)?;
        Ok(content)
    }

    /// A non-negative INTEGER that fits.
    pub(crate) fn small(&mut self) -> Result<u64, DerError> {
        small_from_content(self.expect(Tag::Integer)?.value)
    }

    /// Content of a BIT STRING of whole bytes.
    pub(crate) fn whole_bits(&mut self) -> Result<&'a [u8], DerError> {
        match self.expect(Tag::BitString)?.value.split_first() {
            Some((0, bytes)) => Ok(bytes),
            _ => Err(DerError::BadBitString),
        }
    }

    pub(crate) fn finish(&self) -> Result<(), DerError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DerError::TrailingBytes) }
    }
}

/// The one element that fills `der` exactly, with this tag, after the depth pass over all of it.
pub(crate) fn document(der: &[u8], tag: Tag) -> Result<Tlv<'_>, DerError> {
    check_depth(der)?;
    exactly(der, tag)
}

/// The one element that fills `der` exactly, with this tag.
pub(crate) fn exactly(der: &[u8], tag: Tag) -> Result<Tlv<'_>, DerError> {
    let mut elements = Elements::new(der);
    let element = elements.expect(tag)?;
    elements.finish()?;
    Ok(element)
}

/// Walks all constructed elements without recursion: a document nested 10^5 deep costs
/// [`MAX_DER_DEPTH`] steps, and no later reader can be led deeper than that.
fn check_depth(der: &[u8]) -> Result<(), DerError> {
    let mut open: [&[u8]; MAX_DER_DEPTH] = [&[]; MAX_DER_DEPTH];
    let mut depth = 0_usize;
    let mut rest = der;
    loop {
        while rest.is_empty() {
            let Some(outer) = depth.checked_sub(1) else { return Ok(()) };
            depth = outer;
            rest = open.get(depth).copied().unwrap_or_default();
        }
        let (element, after) = split(rest)?;
        if element.tag.is_constructed() {
            *open.get_mut(depth).ok_or(DerError::TooDeep)? = after;
            depth += 1;
            rest = element.value;
        } else {
            rest = after;
        }
    }
}

fn split(bytes: &[u8]) -> Result<(Tlv<'_>, &[u8]), DerError> {
    let mut reader = SliceReader::new(bytes).map_err(|_| DerError::BadLength)?;
    let header = Header::decode(&mut reader).map_err(|error| header_error(error.kind()))?;
    let value = reader.read_slice(header.length()).map_err(|_| DerError::Truncated)?;
    let end = usize::try_from(reader.position()).map_err(|_| DerError::BadLength)?;
    let (raw, rest) = bytes.split_at_checked(end).ok_or(DerError::Truncated)?;
    Ok((Tlv { tag: header.tag(), value, raw }, rest))
}

fn header_error(kind: ErrorKind) -> DerError {
    match kind {
        ErrorKind::Incomplete { .. } => DerError::Truncated,
        ErrorKind::TagUnknown { .. }
        | ErrorKind::TagNumberInvalid
        | ErrorKind::TagModeUnknown
        | ErrorKind::TagUnexpected { .. }
        | ErrorKind::Noncanonical { .. } => DerError::BadTag,
        _ => DerError::BadLength,
    }
}

/// A primitive context-specific tag, `[number] IMPLICIT` over a primitive type.
pub(crate) const fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}

/// A constructed context-specific tag: `[number] EXPLICIT`, or IMPLICIT over a constructed type.
pub(crate) const fn context_constructed(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// Checks that INTEGER content is canonical and not negative.
pub(crate) fn check_unsigned(content: &[u8]) -> Result<(), DerError> {
    check_canonical(content)?;
    match content.first() {
        Some(byte) if byte & 0x80 == 0 => Ok(()),
        _ => Err(DerError::BadInteger),
    }
}

/// Checks that INTEGER content is canonical: not empty, and no redundant leading byte
/// (X.690 8.3.2).
pub(crate) fn check_canonical(content: &[u8]) -> Result<(), DerError> {
    match content {
        [] => Err(DerError::BadInteger),
        [0x00, second, ..] if second & 0x80 == 0 => Err(DerError::BadInteger),
        [0xff, second, ..] if second & 0x80 != 0 => Err(DerError::BadInteger),
        _ => Ok(()),
    }
}

/// The value of canonical, non-negative INTEGER content of at most 63 bits.
pub(crate) fn small_from_content(content: &[u8]) -> Result<u64, DerError> {
    check_unsigned(content)?;
    if content.len() > 8 {
        return Err(DerError::BadInteger);
    }
    Ok(content.iter().fold(0, |value, byte| (value << 8) | u64::from(*byte)))
}

/// BOOLEAN content.
pub(crate) fn boolean(content: &[u8]) -> Result<bool, DerError> {
    match content {
        [0x00] => Ok(false),
        [0xff] => Ok(true),
        _ => Err(DerError::BadBoolean),
    }
}

/// OBJECT IDENTIFIER content as dotted decimals. Padded arcs are refused: they would give one
/// extension two spellings, and so defeat the check for duplicates.
pub(crate) fn oid_to_string(content: &[u8]) -> Result<String, DerError> {
    if content.last().is_none_or(|byte| byte & 0x80 != 0) {
        return Err(DerError::BadOid);
    }
    let mut text = String::with_capacity(32);
    let mut arc = 0_u64;
    let mut arcs = 0_usize;
    let mut starts = true;
    for byte in content {
        if starts && *byte == 0x80 {
            return Err(DerError::BadOid);
        }
        if arc > u64::MAX >> 7 {
            return Err(DerError::BadOid);
        }
        arc = (arc << 7) | u64::from(byte & 0x7f);
        starts = byte & 0x80 == 0;
        if !starts {
            continue;
        }
        if arcs == 0 {
            let root = (arc / 40).min(2);
            push_decimal(&mut text, root);
            arc -= root * 40;
            arcs = 1;
        }
        arcs += 1;
        if arcs > MAX_OID_ARCS {
            return Err(DerError::BadOid);
        }
        text.push('.');
        push_decimal(&mut text, arc);
        arc = 0;
    }
    Ok(text)
}

/// OBJECT IDENTIFIER content from dotted decimals.
pub(crate) fn oid_from_str(text: &str) -> Result<Vec<u8>, DerError> {
    let mut arcs = Vec::with_capacity(12);
    for part in text.split('.') {
        let canonical =
            part == "0" || (!part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit()));
        if part.is_empty() || !canonical || arcs.len() == MAX_OID_ARCS {
            return Err(DerError::BadOid);
        }
        arcs.push(part.parse::<u64>().map_err(|_| DerError::BadOid)?);
    }
    let [root, second, others @ ..] = arcs.as_slice() else { return Err(DerError::BadOid) };
    if *root > 2 || (*root < 2 && *second > 39) {
        return Err(DerError::BadOid);
    }
    let first = second.checked_add(root * 40).ok_or(DerError::BadOid)?;
    let mut content = Vec::with_capacity(16);
    for arc in std::iter::once(&first).chain(others) {
        let significant = 64 - arc.leading_zeros();
        let groups = significant.div_ceil(7).max(1);
        for group in (0..groups).rev() {
            let bits = u8::try_from((arc >> (group * 7)) & 0x7f).unwrap_or_default();
            content.push(if group == 0 { bits } else { bits | 0x80 });
        }
    }
    Ok(content)
}

fn push_decimal(text: &mut String, value: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    let mut value = value;
    loop {
        at -= 1;
        if let Some(digit) = digits.get_mut(at) {
            *digit = b'0' + u8::try_from(value % 10).unwrap_or_default();
        }
        value /= 10;
        if value == 0 {
            break;
        }
    }
    text.extend(digits.iter().skip(at).map(|digit| char::from(*digit)));
}

/// Encodes one element whose content is the parts in order. Lengths take their shortest form.
pub(crate) fn write(identifier: u8, parts: &[&[u8]]) -> Vec<u8> {
    let total = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut out = Vec::with_capacity(total + 6);
    out.push(identifier);
    let length = total.to_be_bytes();
    match u8::try_from(total) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let significant = length.iter().skip_while(|byte| **byte == 0);
            // At most eight: the bytes of a usize.
            out.push(0x80 | u8::try_from(significant.clone().count()).unwrap_or_default());
            out.extend(significant);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

/// A whole OBJECT IDENTIFIER element for one of our own constants. A constant that is no OID would
/// give an empty element, which every reader refuses; a test covers them all.
pub(crate) fn oid_element(dotted: &str) -> Vec<u8> {
    write(OBJECT_IDENTIFIER, &[&oid_from_str(dotted).unwrap_or_default()])
}

/// INTEGER content of an unsigned big-endian number, in its shortest form.
pub(crate) fn unsigned_content(big_endian: &[u8]) -> Vec<u8> {
    let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
    let digits = big_endian.get(zeros..).unwrap_or_default();
    let mut content = Vec::with_capacity(digits.len() + 1);
    if digits.first().is_none_or(|first| first & 0x80 != 0) {
        content.push(0);
    }
    content.extend_from_slice(digits);
    content
}

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// Constructed context-specific `[0]`; add the number for others.
pub(crate) const CONTEXT_CONSTRUCTED: u8 = 0xa0;

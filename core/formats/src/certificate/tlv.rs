//! Strict DER tag-length-value reading and writing, the layer under every ASN.1 structure here.
//!
//! What a general decoder leaves to its caller is closed here: one depth pass over a whole document
//! before anything is read from it, canonical OID arcs and integers, and no trailing bytes. The
//! server reads one certificate per log entry, so an element costs no allocation; a property test
//! holds the header rules against those of the `der` crate.

mod identifier;
mod write;

use thiserror::Error;

use crate::limits::MAX_DER_DEPTH;

pub(crate) use identifier::{oid_from_str, oid_to_string};
pub(crate) use write::{oid_element, unsigned_content, write};

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
    /// An OBJECT IDENTIFIER that is empty, padded, cut short or has more than
    /// [`crate::limits::MAX_OID_ARCS`] arcs.
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
    /// The identifier byte.
    pub(crate) tag: u8,
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

    /// The identifier byte of the next element.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) fn next(&mut self) -> Result<Tlv<'a>, DerError> {
        let (element, rest) = split(self.rest)?;
        self.rest = rest;
        Ok(element)
    }

    /// The next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Tlv<'a>, DerError> {
        let element = self.next()?;
        if element.tag == tag { Ok(element) } else { Err(DerError::UnexpectedElement) }
    }

    /// The next element if it has this tag; nothing is consumed otherwise.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Tlv<'a>>, DerError> {
        if self.peek() == Some(tag) { self.next().map(Some) } else { Ok(None) }
    }

    pub(crate) fn sequence(&mut self) -> Result<Elements<'a>, DerError> {
        Ok(Self::new(self.expect(SEQUENCE)?.value))
    }

    pub(crate) fn oid(&mut self) -> Result<String, DerError> {
        oid_to_string(self.expect(OBJECT_IDENTIFIER)?.value)
    }

    /// Content of a non-negative INTEGER in canonical form (a leading zero byte is kept).
    pub(crate) fn unsigned(&mut self) -> Result<&'a [u8], DerError> {
        let content = self.expect(INTEGER)?.value;
        check_unsigned(content)?;
        Ok(content)
    }

    /// A non-negative INTEGER that fits.
    pub(crate) fn small(&mut self) -> Result<u64, DerError> {
        small_from_content(self.expect(INTEGER)?.value)
    }

    /// Content of a BIT STRING of whole bytes.
    pub(crate) fn whole_bits(&mut self) -> Result<&'a [u8], DerError> {
        match self.expect(BIT_STRING)?.value.split_first() {
            Some((0, bytes)) => Ok(bytes),
            _ => Err(DerError::BadBitString),
        }
    }

    pub(crate) fn finish(&self) -> Result<(), DerError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DerError::TrailingBytes) }
    }
}

/// The one element that fills `der` exactly, with this tag, after the depth pass over all of it.
pub(crate) fn document(der: &[u8], tag: u8) -> Result<Tlv<'_>, DerError> {
    let element = exactly(der, tag)?;
    check_depth(der)?;
    Ok(element)
}

/// The one element that fills `der` exactly, with this tag.
pub(crate) fn exactly(der: &[u8], tag: u8) -> Result<Tlv<'_>, DerError> {
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
        if is_constructed(element.tag) {
            *open.get_mut(depth).ok_or(DerError::TooDeep)? = after;
            depth += 1;
            rest = element.value;
        } else {
            rest = after;
        }
    }
}

/// The first element of `bytes`, and what follows it (X.690 sections 8.1 and 10.1).
fn split(bytes: &[u8]) -> Result<(Tlv<'_>, &[u8]), DerError> {
    let (tag, after) = bytes.split_first().ok_or(DerError::Truncated)?;
    check_tag(*tag)?;
    let (first, after) = after.split_first().ok_or(DerError::Truncated)?;
    let (length, content) = match first {
        0..=0x7f => (usize::from(*first), after),
        // Up to four bytes of length: nothing this crate reads comes near 4 GiB.
        0x81..=0x84 => {
            let (digits, content) =
                after.split_at_checked(usize::from(first & 0x7f)).ok_or(DerError::Truncated)?;
            let length = digits.iter().fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
            let minimal = length > 0x7f && digits.first() != Some(&0);
            let length = usize::try_from(length).ok().filter(|_| minimal);
            (length.ok_or(DerError::BadLength)?, content)
        }
        _ => return Err(DerError::BadLength),
    };
    let (value, rest) = content.split_at_checked(length).ok_or(DerError::Truncated)?;
    let raw = bytes.get(..bytes.len() - rest.len()).ok_or(DerError::Truncated)?;
    Ok((Tlv { tag: *tag, value, raw }, rest))
}

/// Universal types must be ones we know, primitive or constructed as DER has them (strings are
/// never in pieces). Numbers above 30, which take more bytes, occur in nothing we read.
fn check_tag(tag: u8) -> Result<(), DerError> {
    let known = match tag {
        BOOLEAN | INTEGER | BIT_STRING | OCTET_STRING | NULL | OBJECT_IDENTIFIER | SEQUENCE
        | SET => true,
        // REAL, ENUMERATED, UTF8String, RELATIVE-OID, and the older strings and times.
        0x09 | 0x0a | 0x0c | 0x0d | 0x12..=0x18 | 0x1a..=0x1c | 0x1e => true,
        0x00..=0x3f => false,
        _ => tag & NUMBER != NUMBER,
    };
    if known { Ok(()) } else { Err(DerError::BadTag) }
}

fn is_constructed(tag: u8) -> bool {
    tag & CONSTRUCTED != 0
}

/// A primitive context-specific tag, `[number] IMPLICIT` over a primitive type.
pub(crate) const fn context(number: u8) -> u8 {
    0x80 | number
}

/// A constructed context-specific tag: `[number] EXPLICIT`, or IMPLICIT over a constructed type.
pub(crate) const fn context_constructed(number: u8) -> u8 {
    0xa0 | number
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
const CONSTRUCTED: u8 = 0x20;
const NUMBER: u8 = 0x1f;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::certificate::oid;
    use proptest::prelude::*;

    #[test]
    fn tags_are_those_of_der() {
        let tagged = |tag: u8| split(&[tag, 0]).map(|(element, _)| element.tag);
        for good in [BOOLEAN, UTF8_STRING, SEQUENCE, SET, 0x1c, 0x61, 0x80, 0xa3, 0xdf - 1] {
            assert_eq!(tagged(good), Ok(good));
        }
        // End of contents, primitive SEQUENCE, constructed strings, numbers above 30.
        for bad in [0x00, 0x10, 0x11, 0x22, 0x24, 0x2c, 0x1f, 0x3f, 0x5f, 0x9f, 0xbf, 0xff] {
            assert_eq!(tagged(bad), Err(DerError::BadTag), "{bad:#x}");
        }
    }

    #[test]
    fn lengths_are_minimal_both_ways() {
        for (size, header) in [
            (0, &[4, 0][..]),
            (127, &[4, 127]),
            (128, &[4, 0x81, 128]),
            (255, &[4, 0x81, 255]),
            (256, &[4, 0x82, 1, 0]),
            (65_536, &[4, 0x83, 1, 0, 0]),
        ] {
            let der = write(OCTET_STRING, &[&vec![9; size]]);
            assert!(der.starts_with(header) && der.len() == header.len() + size);
            assert_eq!(exactly(&der, OCTET_STRING).unwrap().value, vec![9; size]);
        }
        assert_eq!(exactly(&[4, 0x81, 1, 9], OCTET_STRING), Err(DerError::BadLength));
        assert_eq!(exactly(&[4, 0x82, 0, 0x80], OCTET_STRING), Err(DerError::BadLength));
        assert_eq!(exactly(&[0x30, 0x80, 0, 0], SEQUENCE), Err(DerError::BadLength));
        assert_eq!(exactly(&[4, 2, 9], OCTET_STRING), Err(DerError::Truncated));
        assert_eq!(exactly(&[4], OCTET_STRING), Err(DerError::Truncated));
        assert_eq!(exactly(&[4, 0, 9], OCTET_STRING), Err(DerError::TrailingBytes));
        assert_eq!(exactly(&[2, 1, 9], OCTET_STRING), Err(DerError::UnexpectedElement));
        assert_eq!(exactly(&[0x24, 0], OCTET_STRING), Err(DerError::BadTag), "constructed");
        assert_eq!(exactly(&[0x10, 0], SEQUENCE), Err(DerError::BadTag), "primitive");
    }

    #[test]
    fn integers_are_canonical() {
        assert_eq!(check_unsigned(&[0]), Ok(()));
        assert_eq!(check_unsigned(&[0, 0x80]), Ok(()));
        assert_eq!(check_canonical(&[0xff]), Ok(()));
        assert_eq!(check_canonical(&[0xff, 0x7f]), Ok(()));
        for padded in [&[][..], &[0, 0], &[0, 0x7f], &[0xff, 0x80], &[0xff, 0xff]] {
            assert_eq!(check_canonical(padded), Err(DerError::BadInteger), "{padded:?}");
        }
        assert_eq!(check_unsigned(&[0x80]), Err(DerError::BadInteger));
        assert_eq!(
            small_from_content(&[0x7f, 255, 255, 255, 255, 255, 255, 255]),
            Ok(i64::MAX.unsigned_abs())
        );
        assert_eq!(small_from_content(&[1; 9]), Err(DerError::BadInteger));
    }

    #[test]
    fn booleans_are_canonical() {
        assert_eq!(boolean(&[0]), Ok(false));
        assert_eq!(boolean(&[0xff]), Ok(true));
        assert_eq!(boolean(&[1]), Err(DerError::BadBoolean));
        assert_eq!(boolean(&[]), Err(DerError::BadBoolean));
    }

    #[test]
    fn oids_are_canonical() {
        // Examples of X.690 8.19.5 and RFC 5280 Annex A.
        for (text, content) in [
            ("2.999.3", &[0x88, 0x37, 3][..]),
            ("2.100.3", &[0x81, 0x34, 3]),
            ("1.2.840.113549", &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]),
            ("0.39", &[39]),
            ("1.0", &[40]),
            ("2.0", &[80]),
            ("2.5.29.17", &[0x55, 0x1d, 0x11]),
        ] {
            assert_eq!(oid_to_string(content).as_deref(), Ok(text));
            assert_eq!(oid_from_str(text).as_deref(), Ok(content));
        }
        let wide = [0xff; 12];
        for bad in [&[][..], &[0x80, 1], &[0x2a, 0x80, 1], &[0x2a, 0x86], &wide, &[1; 32]] {
            assert_eq!(oid_to_string(bad), Err(DerError::BadOid), "{bad:?}");
        }
        assert!(oid_to_string(&[1; 31]).is_ok(), "32 arcs");
        for bad in ["", "1", "1.", ".1", "1..2", "3.1", "1.40", "01.2", "1.+2", "1.2 ", "1.-2"] {
            assert_eq!(oid_from_str(bad), Err(DerError::BadOid), "{bad}");
        }
        assert_eq!(oid_from_str("2.18446744073709551615"), Err(DerError::BadOid));
        assert!(oid_from_str(&["1"; 32].join(".")).is_ok());
        assert_eq!(oid_from_str(&["1"; 33].join(".")), Err(DerError::BadOid));
    }

    #[test]
    fn our_own_identifiers_are_identifiers() {
        use crate::certificate::SignatureAlgorithm;
        use crate::digest::HashAlgorithm;
        let constants = [oid::FULCIO_OTHER_NAME, oid::SCT_LIST, oid::EKU_TIME_STAMPING];
        let hashes = HashAlgorithm::ALL.map(HashAlgorithm::oid);
        for text in constants.into_iter().chain(hashes) {
            assert_eq!(oid_to_string(&oid_from_str(text).unwrap()).as_deref(), Ok(text));
        }
        for algorithm in SignatureAlgorithm::ALL {
            assert!(oid_from_str(algorithm.oid()).is_ok());
        }
        for text in crate::timestamp::WRITTEN_OIDS {
            assert!(oid_from_str(text).is_ok());
        }
    }

    #[test]
    fn depth_is_bounded_without_recursion() {
        let nest =
            |levels: usize| (0..levels).fold(Vec::new(), |inner, _| write(SEQUENCE, &[&inner]));
        assert!(document(&nest(MAX_DER_DEPTH), SEQUENCE).is_ok());
        assert_eq!(document(&nest(MAX_DER_DEPTH + 1), SEQUENCE), Err(DerError::TooDeep));
        // Many siblings are no depth.
        let wide = write(SEQUENCE, &[&nest(MAX_DER_DEPTH - 1), &nest(3), &nest(MAX_DER_DEPTH - 1)]);
        assert!(document(&wide, SEQUENCE).is_ok());
        // A broken element anywhere is found by the pass, read or not.
        let broken = write(SEQUENCE, &[&write(SEQUENCE, &[&[4, 0x81, 1, 9]])]);
        assert_eq!(document(&broken, SEQUENCE), Err(DerError::BadLength));
    }

    proptest! {
        #[test]
        fn oids_read_back(content in prop::collection::vec(any::<u8>(), 0..30)) {
            if let Ok(text) = oid_to_string(&content) {
                prop_assert_eq!(oid_from_str(&text), Ok(content));
            }
        }

        #[test]
        fn what_is_written_is_read(parts in prop::collection::vec(
            prop::collection::vec(any::<u8>(), 0..200), 0..4,
        )) {
            let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
            let der = write(OCTET_STRING, &parts);
            prop_assert_eq!(exactly(&der, OCTET_STRING).unwrap().value, parts.concat());
        }

        /// Another decoder draws the same lines, but for UniversalString and long tag numbers.
        #[test]
        fn headers_agree_with_der(
            tag in any::<u8>(),
            length in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..7),
                (0x80..0x88_u8, prop::collection::vec(any::<u8>(), 0..4))
                    .prop_map(|(first, more)| [vec![first], more].concat()),
                (any::<u8>()).prop_map(|one| vec![one]),
                (any::<u8>()).prop_map(|one| vec![0x81, one]),
                (0..3_u8, any::<u8>()).prop_map(|(high, low)| vec![0x82, high, low]),
            ],
        ) {
            use der::{Decode as _, Reader as _};
            let bytes = [vec![tag], length, vec![5; 700]].concat();
            let mut reader = der::SliceReader::new(&bytes).unwrap();
            let theirs = der::Header::decode(&mut reader)
                .and_then(|header| reader.read_slice(header.length()));
            let ours = split(&bytes).map(|(element, _)| element.value);
            if tag != 0x1c && tag & NUMBER != NUMBER {
                prop_assert_eq!(ours.ok(), theirs.ok());
            }
        }

        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let _ = document(&bytes, SEQUENCE);
            let _ = check_depth(&bytes);
        }
    }
}

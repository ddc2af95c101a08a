//! Writing elements.

use super::{OBJECT_IDENTIFIER, oid_from_str};

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

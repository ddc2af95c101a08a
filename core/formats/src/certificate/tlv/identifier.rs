//! OBJECT IDENTIFIER content to and from dotted decimals (X.690 section 8.19).

use super::DerError;
use crate::limits::MAX_OID_ARCS;

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

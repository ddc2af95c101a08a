//! The scalar spellings of protobuf's JSON mapping and of Rekor: base64 bytes, integers in strings.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use serde::de::{Deserialize, Error, Unexpected, Visitor};
use serde::{Serialize, Serializer};

/// Bytes spelled in standard base64: padded, without white space, spare bits zero. One value has
/// exactly one spelling.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base64(pub Vec<u8>);

/// Bytes as protobuf's JSON mapping reads them: standard or URL-safe alphabet, padded or not, but
/// never both alphabets, white space or spare bits. Written in standard base64 with padding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProtoBytes(pub Vec<u8>);

/// A `uint64` of protobuf's JSON mapping: a decimal string or a JSON integer, without sign or
/// leading zeros. Written as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ProtoU64(pub u64);

/// An `int64` of protobuf's JSON mapping: a decimal string or a JSON integer, without leading
/// zeros, `+` or `-0`. Written as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct ProtoI64(pub i64);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl Serialize for ProtoBytes {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl Serialize for ProtoU64 {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.collect_str(&self.0)
    }
}

impl Serialize for ProtoI64 {
    fn serialize<S: Serializer>(&self, writer: S) -> Result<S::Ok, S::Error> {
        writer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_str(Base64Visitor)
    }
}

struct Base64Visitor;

impl Visitor<'_> for Base64Visitor {
    type Value = Base64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("canonical standard base64")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Base64, E> {
        STANDARD.decode(text).map(Base64).map_err(|_| not_base64(&self))
    }
}

impl<'de> Deserialize<'de> for ProtoBytes {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_str(ProtoBytesVisitor)
    }
}

struct ProtoBytesVisitor;

impl Visitor<'_> for ProtoBytesVisitor {
    type Value = ProtoBytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("base64")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ProtoBytes, E> {
        let url_safe = text.bytes().any(|byte| byte == b'-' || byte == b'_');
        let engine = match (url_safe, text.len().is_multiple_of(4)) {
            (false, true) => &STANDARD,
            (false, false) => &STANDARD_NO_PAD,
            (true, true) => &URL_SAFE,
            (true, false) => &URL_SAFE_NO_PAD,
        };
        engine.decode(text).map(ProtoBytes).map_err(|_| not_base64(&self))
    }
}

/// The text itself stays out of the message: it can be megabytes, or somebody's secret.
fn not_base64<E: Error>(expected: &dyn serde::de::Expected) -> E {
    E::invalid_value(Unexpected::Other("a string of another encoding"), expected)
}

impl<'de> Deserialize<'de> for ProtoU64 {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(ProtoU64Visitor)
    }
}

struct ProtoU64Visitor;

impl Visitor<'_> for ProtoU64Visitor {
    type Value = ProtoU64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an unsigned 64-bit integer or its decimal string")
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<ProtoU64, E> {
        Ok(ProtoU64(value))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ProtoU64, E> {
        let value = if is_decimal(text) { text.parse().ok() } else { None };
        value.map(ProtoU64).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for ProtoI64 {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(ProtoI64Visitor)
    }
}

struct ProtoI64Visitor;

impl Visitor<'_> for ProtoI64Visitor {
    type Value = ProtoI64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a signed 64-bit integer or its decimal string")
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<ProtoI64, E> {
        Ok(ProtoI64(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<ProtoI64, E> {
        let signed = i64::try_from(value);
        signed.map(ProtoI64).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<ProtoI64, E> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let canonical = is_decimal(digits) && text != "-0";
        let value = if canonical { text.parse().ok() } else { None };
        value.map(ProtoI64).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

fn is_decimal(text: &str) -> bool {
    text == "0"
        || (!text.is_empty()
            && text.len() <= 20
            && !text.starts_with('0')
            && text.bytes().all(|byte| byte.is_ascii_digit()))
}

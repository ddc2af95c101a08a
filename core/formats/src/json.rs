//! Strict JSON in, canonical JSON out.
//!
//! `serde_json` keeps the last of two equal member names, so that two readers of one document can
//! see two values. Every document is therefore walked once before serde reads it: equal names
//! (after unescaping), deep nesting and trailing bytes are refused at any depth. The walk builds
//! no tree; it allocates one list of borrowed names per open object.

mod canonical;
mod message;
mod proto;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use thiserror::Error;

use crate::limits::{MAX_JSON_BYTES, MAX_JSON_DEPTH};

pub use canonical::{CanonicalError, canonical};
pub use proto::{Base64, ProtoBytes, ProtoI64, ProtoU64};

/// Why bytes are not the JSON document that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum JsonError {
    /// More bytes than the cap.
    #[error("JSON document of {bytes} bytes exceeds {limit}")]
    TooLarge {
        /// Size of the document in bytes.
        bytes: usize,
        /// The cap in bytes.
        limit: usize,
    },
    /// Bytes that are not UTF-8 (RFC 8259 section 8.1).
    #[error("JSON document is not UTF-8")]
    NotUtf8,
    /// A byte order mark, which RFC 8259 section 8.1 forbids.
    #[error("JSON document starts with a byte order mark")]
    ByteOrderMark,
    /// Two members of one object with the same name after unescaping.
    #[error("JSON object has two members named {name:?}")]
    DuplicateMember {
        /// The name, unescaped.
        name: String,
    },
    /// Arrays and objects nested deeper than [`MAX_JSON_DEPTH`].
    #[error("JSON nested deeper than {MAX_JSON_DEPTH}")]
    TooDeep,
    /// Not JSON, or bytes after the document.
    #[error("JSON syntax: {message}")]
    Syntax {
        /// Line, from one.
        line: usize,
        /// Column in bytes, from one; zero at the end of an empty line.
        column: usize,
        /// What the parser said, with line and column.
        message: String,
    },
    /// JSON, but not of the expected shape: a field missing, unknown where unknown ones are
    /// refused, or of another type.
    #[error("JSON shape: {message}")]
    Schema {
        /// What the field's reader said.
        message: String,
    },
}

/// Reads one JSON document of at most [`MAX_JSON_BYTES`] strictly, then as `T`.
///
/// # Errors
/// See [`JsonError`].
pub fn from_slice<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, JsonError> {
    from_slice_capped(bytes, MAX_JSON_BYTES)
}

/// [`from_slice`] with the caller's own cap in bytes.
///
/// # Errors
/// See [`JsonError`].
pub fn from_slice_capped<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    limit: usize,
) -> Result<T, JsonError> {
    message::read(check(bytes, limit)?)
}

/// Checks one JSON document of at most `limit` bytes without reading it into a type, and gives its
/// text. The whole document is one value with nothing but white space around it.
///
/// # Errors
/// See [`JsonError`]; never `Schema`.
pub fn check(bytes: &[u8], limit: usize) -> Result<&str, JsonError> {
    if bytes.len() > limit {
        return Err(JsonError::TooLarge { bytes: bytes.len(), limit });
    }
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Err(JsonError::ByteOrderMark);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::NotUtf8)?;
    let fault = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    Walk { depth: 0, fault: &fault }
        .deserialize(&mut reader)
        .and_then(|()| reader.end())
        .map_err(|error| fault.take().unwrap_or_else(|| serde_error(&error)))?;
    Ok(text)
}

fn serde_error(error: &serde_json::Error) -> JsonError {
    let message = error.to_string();
    if error.is_data() {
        return JsonError::Schema { message };
    }
    JsonError::Syntax { line: error.line(), column: error.column(), message }
}

/// Visits one value. Serde's errors carry text only, so the typed reason goes out by the side.
#[derive(Clone, Copy)]
struct Walk<'f> {
    depth: usize,
    fault: &'f RefCell<Option<JsonError>>,
}

impl Walk<'_> {
    fn fail<E: serde::de::Error>(&self, reason: JsonError) -> E {
        let error = E::custom(&reason);
        self.fault.replace(Some(reason));
        error
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_JSON_DEPTH {
            return Err(self.fail(JsonError::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut seen = Names::default();
        while let Some(Name(name)) = members.next_key()? {
            if let Some(name) = seen.insert(name) {
                return Err(self.fail(JsonError::DuplicateMember { name }));
            }
            members.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// The names of one object so far. Real objects are small, where a list beats hashing; a hostile
/// object of a million members must not cost a million squared.
#[derive(Default)]
struct Names<'de> {
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Names<'de> {
    /// Gives the name back if it was there already.
    fn insert(&mut self, name: Cow<'de, str>) -> Option<String> {
        if self.few.contains(&name) || self.many.contains(&name) {
            return Some(name.into_owned());
        }
        if self.few.len() < FEW_NAMES {
            self.few.push(name);
        } else {
            self.many.insert(name);
        }
        None
    }
}

/// A member name, borrowed from the document unless it holds escapes.
struct Name<'de>(Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_str(NameVisitor)
    }
}

struct NameVisitor;

impl<'de> Visitor<'de> for NameVisitor {
    type Value = Name<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a member name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Borrowed(name)))
    }

    fn visit_str<E>(self, name: &str) -> Result<Name<'de>, E> {
        Ok(Name(Cow::Owned(name.to_owned())))
    }
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
const FEW_NAMES: usize = 16;

//! Reading JSON messages as JSON objects and nothing else.
//!
//! Serde reads a struct from an array of its fields just as well as from an object, and `[]` as a
//! struct whose fields all have defaults. No other client takes either, so a document could hold a
//! signature for us alone. This reader stands between serde_json and every wire shape, and asks
//! for a map where a shape asks for a struct.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::JsonError;

/// Reads a document that [`super::check`] has passed, in which every message is an object.
///
/// # Errors
/// [`JsonError::Schema`].
pub(super) fn read<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, JsonError> {
    let mut reader = serde_json::Deserializer::from_str(text);
    T::deserialize(Messages(&mut reader)).map_err(|error| named::<T>(text, &error))
}

/// The error with the path of the member that it is about. Read a second time for that, so that
/// only what is refused pays for keeping track.
fn named<'a, T: Deserialize<'a>>(text: &'a str, error: &serde_json::Error) -> JsonError {
    let mut reader = serde_json::Deserializer::from_str(text);
    let mut track = serde_path_to_error::Track::new();
    let again =
        T::deserialize(serde_path_to_error::Deserializer::new(Messages(&mut reader), &mut track));
    let path = track.path().to_string();
    drop(again);
    match path.as_str() {
        "." | "?" => JsonError::Schema { message: error.to_string() },
        member => JsonError::Schema { message: format!("{member}: {error}") },
    }
}

/// A reader whose structs are maps, at any depth.
struct Messages<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Messages<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_map(Within(visitor))
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Within(visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(Within(visitor))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_ignored_any(visitor)
    }

    /// Passed on as such: serde_json knows a raw value by the name.
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_newtype_struct(name, Within(visitor))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map enum identifier
    }
}

/// A visitor, list, object or seed that passes the rule on to what is within.
struct Within<T>(T);

impl<'de, V: Visitor<'de>> Visitor<'de> for Within<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<V::Value, E> {
        self.0.visit_bool(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<V::Value, E> {
        self.0.visit_i64(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<V::Value, E> {
        self.0.visit_u64(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<V::Value, E> {
        self.0.visit_f64(value)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<V::Value, E> {
        self.0.visit_str(value)
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<V::Value, E> {
        self.0.visit_borrowed_str(value)
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<V::Value, D::Error> {
        self.0.visit_some(Messages(reader))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, reader: D) -> Result<V::Value, D::Error> {
        self.0.visit_newtype_struct(Messages(reader))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<V::Value, A::Error> {
        self.0.visit_seq(Within(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<V::Value, A::Error> {
        self.0.visit_map(Within(members))
    }
}

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Within<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Within(seed))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Within<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, A::Error> {
        self.0.next_key_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.0.next_value_seed(Within(seed))
    }
}

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Within<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Messages(reader))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Default, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        inner: Option<Inner>,
        list: Vec<Inner>,
    }

    #[derive(Debug, PartialEq, Default, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        number: u32,
        text: String,
    }

    fn outer(json: &str) -> Result<Outer, JsonError> {
        crate::json::from_slice_capped(json.as_bytes(), 1000)
    }

    #[test]
    fn objects_are_messages() {
        let inner = |number| Inner { number, text: "t".to_owned() };
        assert_eq!(
            outer(r#"{"inner":{"number":1,"text":"t"},"list":[{"text":"\u0074"}]}"#),
            Ok(Outer { inner: Some(inner(1)), list: vec![inner(0)] })
        );
        assert_eq!(outer(r#"{"inner":null}"#), Ok(Outer::default()));
    }

    #[test]
    fn arrays_are_no_messages() {
        for json in [
            "[]",
            r#"[{"number":1}]"#,
            r#"{"inner":[]}"#,
            r#"{"inner":[1,"t"]}"#,
            r#"{"list":[[]]}"#,
            r#"{"list":[[1,"t"]]}"#,
        ] {
            assert!(matches!(outer(json), Err(JsonError::Schema { .. })), "{json}");
            assert!(serde_json::from_str::<Outer>(json).is_ok(), "serde alone takes {json}");
        }
    }

    #[test]
    fn raw_values_pass() {
        #[derive(serde::Deserialize)]
        struct Raw<'a> {
            #[serde(borrow)]
            number: Option<&'a serde_json::value::RawValue>,
        }
        let raw: Raw<'_> =
            crate::json::from_slice(br#"{"number": 123456789012345678901}"#).unwrap();
        assert_eq!(raw.number.unwrap().get(), "123456789012345678901");
    }

    #[test]
    fn everything_else_is_as_strict_as_before() {
        assert!(matches!(outer(r#"{"later":1}"#), Err(JsonError::Schema { .. })));
        assert!(matches!(outer(r#"{"list":null}"#), Err(JsonError::Schema { .. })));
        assert!(matches!(outer("{"), Err(JsonError::Syntax { .. })));
        assert_eq!(
            outer(r#"{"list":[],"list":[]}"#),
            Err(JsonError::DuplicateMember { name: "list".to_owned() })
        );
    }
}

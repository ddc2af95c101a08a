//! RFC 8785 (JSON Canonicalization Scheme) for what log bodies hold: strings, integers, booleans,
//! null, arrays and objects.

use serde_json::Value;
use thiserror::Error;

/// Why a value has no canonical form here.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CanonicalError {
    /// A number with a fraction or exponent. Log bodies hold none, and float formatting is where
    /// implementations disagree.
    #[error("{number} is not an integer")]
    NotAnInteger {
        /// The number as `serde_json` prints it.
        number: String,
    },
    /// An integer beyond 2^53 - 1, which RFC 8785 cannot represent exactly.
    #[error("{number} is beyond the exact integers of RFC 8785")]
    IntegerTooLarge {
        /// The number in decimal.
        number: String,
    },
}

/// The RFC 8785 bytes of a value: no white space, members sorted by UTF-16 code units, strings
/// with the shortest escapes.
///
/// # Errors
/// Numbers other than integers in `-(2^53 - 1)..=2^53 - 1`.
pub fn canonical(value: &Value) -> Result<Vec<u8>, CanonicalError> {
    let mut out = Vec::with_capacity(512);
    write_value(value, &mut out)?;
    Ok(out)
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(number, out)?,
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push(b'{');
            for (index, (name, member)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(name, out);
                out.push(b':');
                write_value(member, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

fn write_number(number: &serde_json::Number, out: &mut Vec<u8>) -> Result<(), CanonicalError> {
    let magnitude = match (number.as_u64(), number.as_i64()) {
        (Some(value), _) => value,
        (None, Some(value)) => value.unsigned_abs(),
        (None, None) => return Err(CanonicalError::NotAnInteger { number: number.to_string() }),
    };
    if magnitude > MAX_EXACT_INTEGER {
        return Err(CanonicalError::IntegerTooLarge { number: number.to_string() });
    }
    out.extend_from_slice(number.to_string().as_bytes());
    Ok(())
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            0x09 => out.extend_from_slice(b"\\t"),
            0x0a => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            0x0d => out.extend_from_slice(b"\\r"),
            0x00..=0x1f => {
                out.extend_from_slice(b"\\u00");
                out.push(b'0' + (byte >> 4));
                out.push(
                    b"0123456789abcdef".get(usize::from(byte & 0x0f)).copied().unwrap_or(b'0'),
                );
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

const MAX_EXACT_INTEGER: u64 = (1 << 53) - 1;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn sorts_members_by_utf16_units() {
        // RFC 8785 section 3.2.3: the order of the example there.
        let value = json!({
            "\u{20ac}": 1, "\r": 2, "\u{fb33}": 3, "1": 4,
            "\u{1f600}": 5, "\u{80}": 6, "\u{f6}": 7
        });
        let expected = "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"\u{f6}\":7,\"\u{20ac}\":1,\"\u{1f600}\":5,\"\u{fb33}\":3}";
        assert_eq!(canonical(&value).unwrap(), expected.as_bytes());
    }

    #[test]
    fn escapes_are_the_shortest() {
        let value = json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/\u{7f}");
        assert_eq!(
            canonical(&value).unwrap(),
            "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\u{7f}\"".as_bytes()
        );
    }

    #[test]
    fn refuses_floats() {
        assert_eq!(canonical(&json!([1, -7])).unwrap(), b"[1,-7]");
        assert_eq!(
            canonical(&json!([1.5])),
            Err(CanonicalError::NotAnInteger { number: "1.5".into() })
        );
    }

    #[test]
    fn refuses_integers_that_floats_would_round() {
        assert_eq!(canonical(&json!(9_007_199_254_740_991_u64)).unwrap(), b"9007199254740991");
        assert_eq!(
            canonical(&json!(9_007_199_254_740_992_u64)),
            Err(CanonicalError::IntegerTooLarge { number: "9007199254740992".into() })
        );
        assert_eq!(
            canonical(&json!(-9_007_199_254_740_992_i64)),
            Err(CanonicalError::IntegerTooLarge { number: "-9007199254740992".into() })
        );
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_an_independent_implementation(value in values()) {
            let expected = serde_json_canonicalizer::to_vec(&value).unwrap();
            prop_assert_eq!(canonical(&value).unwrap(), expected);
        }

        #[test]
        fn reads_back_as_the_same_value(value in values()) {
            let bytes = canonical(&value).unwrap();
            prop_assert_eq!(super::super::from_slice::<Value>(&bytes).unwrap(), value);
        }
    }
}

//! The canonical JSON that TUF signs (OLPC's form, as securesystemslib and go-securesystemslib
//! write it): no white space, members sorted by code points, and in strings nothing escaped but the
//! quote and the backslash. It is not RFC 8785, and where a string holds a line feed (a key in PEM
//! does) it is not even JSON: it is hashed and never read.

use serde_json::Value;

/// A number with a fraction or exponent, which has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotAnInteger;

/// The bytes that a signature is over.
pub(super) fn canonical(value: &Value) -> Result<Vec<u8>, NotAnInteger> {
    let mut out = Vec::with_capacity(4096);
    write_value(value, &mut out)?;
    Ok(out)
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> Result<(), NotAnInteger> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            out.extend_from_slice(number.to_string().as_bytes());
        }
        Value::Number(_) => return Err(NotAnInteger),
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
            // The order of UTF-8 bytes is that of code points.
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| *name);
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

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    /// As `securesystemslib.formats.encode_canonical` of securesystemslib 1.6 gives it.
    #[test]
    fn is_what_securesystemslib_writes() {
        let value = json!({"b": [1, true, null], "a": "l\n\"\\", "\u{e9}": -2, "Z": {}});
        let expected = "{\"Z\":{},\"a\":\"l\n\\\"\\\\\",\"b\":[1,true,null],\"\u{e9}\":-2}";
        assert_eq!(canonical(&value).unwrap(), expected.as_bytes());
    }

    #[test]
    fn fractions_have_no_form() {
        assert_eq!(canonical(&json!({"a": 1.5})), Err(NotAnInteger));
        assert_eq!(canonical(&json!({"a": 1})), Ok(b"{\"a\":1}".to_vec()));
    }
}

//! Strict JSON: what is refused before serde sees it, and the spellings of scalars.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use formats::json::{
    self, Base64, JsonError, ProtoBytes, ProtoI64, ProtoU64, from_slice, from_slice_capped,
};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::Value;

fn value(text: &str) -> Result<Value, JsonError> {
    from_slice(text.as_bytes())
}

fn duplicate(name: &str) -> Result<Value, JsonError> {
    Err(JsonError::DuplicateMember { name: name.into() })
}

#[test]
fn json_duplicate_members_refused() {
    assert!(value(r#"{"email":"a@x","name":"b@x"}"#).is_ok());
    assert_eq!(value(r#"{"email":"a@x","email":"b@x"}"#), duplicate("email"));
    assert_eq!(value(r#"{"email":"a@x","e\u006dail":"b@x"}"#), duplicate("email"));
    assert_eq!(value(r#"{"e\u006dail":"a@x","email":"b@x"}"#), duplicate("email"));
    assert_eq!(value(r#"{"a":null,"a":null}"#), duplicate("a"));
    assert_eq!(value(r#"{"":1,"":2}"#), duplicate(""));
    assert_eq!(value(r#"[{"x":[{"deep":{"k":1,"j":2,"k":3}}]}]"#), duplicate("k"));
    assert_eq!(value("{\"\\ud83d\\ude00\":1,\"\u{1f600}\":2}"), duplicate("\u{1f600}"));
    assert!(value(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]}"#).is_ok(), "other objects");
    assert!(value(r#"{"a":1,"A":2,"a ":3}"#).is_ok(), "names are compared exactly");

    // serde alone would have kept the last.
    let lax: Value = serde_json::from_str(r#"{"email":"a@x","email":"b@x"}"#).unwrap();
    assert_eq!(lax["email"], "b@x");
}

#[test]
fn duplicates_in_unread_members_are_refused_too() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Reads {
        a: u8,
    }
    assert_eq!(from_slice::<Reads>(br#"{"a":1,"more":{"x":1}}"#), Ok(Reads { a: 1 }));
    assert_eq!(
        from_slice::<Reads>(br#"{"a":1,"more":{"x":1,"x":2}}"#),
        Err(JsonError::DuplicateMember { name: "x".into() })
    );
}

/// A late duplicate among very many members is found, and in linear time.
#[test]
fn wide_objects_are_walked_quickly() {
    let members = |last: usize| {
        let names: Vec<String> = (0..50_000).map(|n| format!("\"n{n}\":0")).collect();
        format!("{{{},\"n{last}\":0}}", names.join(","))
    };
    assert!(json::check(members(50_000).as_bytes(), usize::MAX).is_ok());
    for early in [3, 17, 49_999] {
        assert_eq!(
            json::check(members(early).as_bytes(), usize::MAX),
            Err(JsonError::DuplicateMember { name: format!("n{early}") })
        );
    }
}

#[test]
fn nesting_and_lengths_bounded() {
    let arrays = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    let objects = |depth: usize| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
    assert!(value(&arrays(32)).is_ok());
    assert_eq!(value(&arrays(33)), Err(JsonError::TooDeep));
    assert!(value(&objects(32)).is_ok());
    assert_eq!(value(&objects(33)), Err(JsonError::TooDeep));
    assert_eq!(value(&arrays(100_000)), Err(JsonError::TooDeep));
    assert_eq!(value(&objects(100_000)), Err(JsonError::TooDeep));

    let capped = |limit| from_slice_capped::<Value>(b"[1,2]", limit);
    assert!(capped(5).is_ok());
    assert_eq!(capped(4), Err(JsonError::TooLarge { bytes: 5, limit: 4 }));
    let huge = vec![b' '; formats::limits::MAX_JSON_BYTES + 1];
    assert!(matches!(from_slice::<Value>(&huge), Err(JsonError::TooLarge { .. })));
}

#[test]
fn one_document_of_utf8() {
    let syntax = |bytes: &[u8]| match from_slice::<Value>(bytes) {
        Err(JsonError::Syntax { line, column, .. }) => Some((line, column)),
        _ => None,
    };
    assert!(from_slice::<Value>(b" {} \n").is_ok());
    assert_eq!(syntax(b"{} {}"), Some((1, 4)));
    assert_eq!(syntax(b"{}\0"), Some((1, 3)));
    assert!(matches!(json::check(b"{} {}", 9), Err(JsonError::Syntax { line: 1, column: 4, .. })));
    assert_eq!(json::check(b"{} ", 9), Ok("{} "));
    assert_eq!(syntax(b""), Some((1, 0)));
    assert_eq!(syntax(b"{\"a\":1,}"), Some((1, 8)));
    assert_eq!(syntax(b"{'a':1}"), Some((1, 2)));
    assert!(syntax(b"[NaN]").is_some() && syntax(b"[01]").is_some() && syntax(b"[+1]").is_some());
    assert!(syntax(br#"["\ud800"]"#).is_some(), "a lone surrogate");
    assert!(syntax(b"[1e400]").is_some(), "a number beyond all numbers");
    assert_eq!(from_slice::<Value>(b"[\"\xff\"]"), Err(JsonError::NotUtf8));
    assert_eq!(from_slice::<Value>(b"\xef\xbb\xbf{}"), Err(JsonError::ByteOrderMark));
}

#[test]
fn shape_errors_are_told_from_syntax() {
    assert!(matches!(from_slice::<Vec<u8>>(b"[1,\"2\"]"), Err(JsonError::Schema { .. })));
    assert_eq!(from_slice::<Vec<u8>>(b"[1,2]"), Ok(vec![1, 2]));
}

fn read<T: for<'de> Deserialize<'de>>(text: &str) -> Option<T> {
    from_slice(text.as_bytes()).ok()
}

/// The base64 half of the row; RFC 4648 section 10 gives the vectors.
#[test]
fn base64_and_signature_bytes_canonical() {
    let strict = |text: &str| read::<Base64>(&format!("\"{text}\"")).map(|bytes| bytes.0);
    assert_eq!(strict("Zm9vYmE=").as_deref(), Some(&b"fooba"[..]));
    assert_eq!(strict("Zm9vYg==").as_deref(), Some(&b"foob"[..]));
    assert_eq!(strict("").as_deref(), Some(&b""[..]));
    for bad in ["Zm9vYmE", "Zm9vYmF=", "Zm9vYh==", "Zm9v\\nYmE=", "Zm9vYmE=\\n", " Zm9vYmE=", "Zg="]
    {
        assert_eq!(strict(bad), None, "{bad}");
    }
    assert_eq!(strict("-_-_"), None);
    assert_eq!(strict("+/+/").unwrap(), [0xfb, 0xff, 0xbf]);
    assert!(read::<Base64>("null").is_none() && read::<Base64>("[1]").is_none());
    assert_eq!(serde_json::to_string(&Base64(vec![0xfb, 0xff, 0xbf, 1])).unwrap(), "\"+/+/AQ==\"");
}

#[test]
fn proto_bytes_take_both_alphabets_but_not_a_mixture() {
    let lenient = |text: &str| read::<ProtoBytes>(&format!("\"{text}\"")).map(|bytes| bytes.0);
    let bytes = vec![0xfb, 0xff, 0xbf, 1];
    for good in ["+/+/AQ==", "+/+/AQ", "-_-_AQ==", "-_-_AQ"] {
        assert_eq!(lenient(good).as_ref(), Some(&bytes), "{good}");
    }
    for bad in ["+_+/AQ==", "-/-/AQ==", "+/+/AR==", "+/+/AQ=", "+/+/\\nAQ==", "A"] {
        assert_eq!(lenient(bad), None, "{bad}");
    }
    assert_eq!(serde_json::to_string(&ProtoBytes(bytes)).unwrap(), "\"+/+/AQ==\"");
}

#[test]
fn proto_integers_are_strings_or_numbers() {
    let unsigned = |text: &str| read::<ProtoU64>(text).map(|value| value.0);
    assert_eq!(unsigned("\"18446744073709551615\""), Some(u64::MAX));
    assert_eq!(unsigned("18446744073709551615"), Some(u64::MAX));
    assert_eq!(unsigned("\"0\""), Some(0));
    assert_eq!(unsigned("0"), Some(0));
    for bad in [
        "\"\"",
        "\"00\"",
        "\"07\"",
        "\"+7\"",
        "\"-7\"",
        "\" 7\"",
        "\"7 \"",
        "\"7.0\"",
        "\"1e2\"",
        "\"0x7\"",
        "\"18446744073709551616\"",
        "\"\u{0667}\"",
        "18446744073709551616",
        "-1",
        "7.0",
        "1e2",
        "null",
        "true",
    ] {
        assert_eq!(unsigned(bad), None, "{bad}");
    }
    let signed = |text: &str| read::<ProtoI64>(text).map(|value| value.0);
    assert_eq!(signed("\"-9223372036854775808\""), Some(i64::MIN));
    assert_eq!(signed("-5"), Some(-5));
    assert_eq!(signed("\"9223372036854775807\""), Some(i64::MAX));
    for bad in ["\"-0\"", "\"--5\"", "\"-05\"", "\"9223372036854775808\"", "9223372036854775808"] {
        assert_eq!(signed(bad), None, "{bad}");
    }
    assert_eq!(serde_json::to_string(&ProtoU64(7)).unwrap(), "\"7\"");
    assert_eq!(serde_json::to_string(&ProtoI64(-7)).unwrap(), "\"-7\"");
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..24)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Without duplicates the check changes nothing.
    #[test]
    fn documents_without_duplicates_read_as_serde_reads_them(document in values()) {
        let text = serde_json::to_string_pretty(&document).unwrap();
        let plain: Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(value(&text), Ok(plain));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = from_slice::<Value>(&bytes);
    }

    #[test]
    fn a_repeated_member_is_always_found(
        names in prop::collection::hash_set("[a-z\u{e9}\"\\\\\n]{0,6}", 1..60),
        pick in any::<prop::sample::Index>(),
        depth in 0..20_usize,
    ) {
        let names: Vec<String> = names.into_iter().collect();
        let again = names[pick.index(names.len())].clone();
        let member = |name: &String| format!("{}:0", serde_json::to_string(name).unwrap());
        let mut members: Vec<String> = names.iter().map(member).collect();
        members.push(member(&again));
        let text = format!("{}{{{}}}{}", "[".repeat(depth), members.join(","), "]".repeat(depth));
        prop_assert_eq!(value(&text), Err(JsonError::DuplicateMember { name: again }));
    }

    #[test]
    fn bytes_read_back(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let strict = serde_json::to_vec(&Base64(bytes.clone())).unwrap();
        prop_assert_eq!(from_slice::<Base64>(&strict), Ok(Base64(bytes.clone())));
        prop_assert_eq!(from_slice::<ProtoBytes>(&strict), Ok(ProtoBytes(bytes)));
    }

    #[test]
    fn integers_read_back(unsigned in any::<u64>(), signed in any::<i64>()) {
        let text = serde_json::to_vec(&ProtoU64(unsigned)).unwrap();
        prop_assert_eq!(from_slice::<ProtoU64>(&text), Ok(ProtoU64(unsigned)));
        let text = serde_json::to_vec(&ProtoI64(signed)).unwrap();
        prop_assert_eq!(from_slice::<ProtoI64>(&text), Ok(ProtoI64(signed)));
    }

    /// One value has one spelling: whatever is read is what would be written.
    #[test]
    fn strict_base64_has_one_spelling(text in "[A-Za-z0-9+/=_-]{0,12}") {
        let quoted = format!("\"{text}\"");
        if let Ok(bytes) = from_slice::<Base64>(quoted.as_bytes()) {
            prop_assert_eq!(serde_json::to_string(&bytes).unwrap(), quoted);
        }
    }
}

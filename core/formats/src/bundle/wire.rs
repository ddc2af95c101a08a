//! Proto3 JSON as it stands on the wire: every member optional, bytes and 64-bit integers still
//! text. Unknown members are refused here; what the members say is judged by the strict types
//! made from these shapes, so that each fault has a name.

use std::fmt;
use std::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::dsse::WireEnvelope;
use crate::limits::{MAX_CHAIN_CERTIFICATES, MAX_LOG_ENTRIES, MAX_TIMESTAMPS};

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WireBundle {
    pub media_type: String,
    pub verification_material: Option<WireMaterial>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_signature: Option<WireMessage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dsse_envelope: Option<WireEnvelope>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WireMaterial {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_key: Option<WireHint>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x509_certificate_chain: Option<WireChain>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<WireCertificate>,
    pub tlog_entries: Capped<WireEntry, MAX_LOG_ENTRIES>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_verification_data: Option<WireTimestamps>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WireHint {
    pub hint: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WireChain {
    pub certificates: Capped<WireCertificate, MAX_CHAIN_CERTIFICATES>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WireCertificate {
    pub raw_bytes: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WireTimestamps {
    pub rfc3161_timestamps: Capped<WireTimestamp, MAX_TIMESTAMPS>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WireTimestamp {
    pub signed_timestamp: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WireMessage {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message_digest: Option<WireDigest>,
    pub signature: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WireDigest {
    pub algorithm: String,
    pub digest: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WireEntry {
    pub log_index: WireInt,
    pub log_id: Option<WireKeyId>,
    pub kind_version: Option<WireKindVersion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub integrated_time: Option<WireInt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inclusion_promise: Option<WirePromise>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inclusion_proof: Option<WireProof>,
    pub canonicalized_body: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WireKeyId {
    pub key_id: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WireKindVersion {
    pub kind: String,
    pub version: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WirePromise {
    pub signed_entry_timestamp: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WireProof {
    pub log_index: WireInt,
    pub root_hash: String,
    pub tree_size: WireInt,
    pub hashes: Capped<String, MAX_PROOF_HASHES>,
    pub checkpoint: Option<WireCheckpoint>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct WireCheckpoint {
    pub envelope: String,
}

/// A list of which at most `N` items are kept. The rest is skipped unread and counted, so that a
/// list of a million costs a scan and a refusal, not memory.
#[derive(Debug)]
pub(crate) struct Capped<T, const N: usize> {
    items: Vec<T>,
    total: usize,
}

/// A list was longer than its cap.
pub(crate) struct TooMany {
    pub count: usize,
    pub limit: usize,
}

impl<T, const N: usize> Capped<T, N> {
    /// How many items the document held.
    pub fn total(&self) -> usize {
        self.total
    }

    /// The items, when there were not too many.
    pub fn into_all(self) -> Result<Vec<T>, TooMany> {
        if self.total > N {
            return Err(TooMany { count: self.total, limit: N });
        }
        Ok(self.items)
    }

    /// The items up to the cap; the caller judges [`Capped::total`].
    pub fn into_seen(self) -> Vec<T> {
        self.items
    }
}

impl<T, const N: usize> Default for Capped<T, N> {
    fn default() -> Self {
        Self { items: Vec::new(), total: 0 }
    }
}

impl<T, const N: usize> From<Vec<T>> for Capped<T, N> {
    fn from(items: Vec<T>) -> Self {
        let total = items.len();
        Self { items, total }
    }
}

impl<T: Serialize, const N: usize> Serialize for Capped<T, N> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.items.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>, const N: usize> Deserialize<'de> for Capped<T, N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(CappedVisitor(PhantomData))
    }
}

struct CappedVisitor<T, const N: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const N: usize> Visitor<'de> for CappedVisitor<T, N> {
    type Value = Capped<T, N>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Capped::default();
        while list.items.len() < N {
            let Some(item) = seq.next_element()? else { return Ok(list) };
            list.items.push(item);
            list.total += 1;
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            list.total += 1;
        }
        Ok(list)
    }
}

/// An `int64` of proto3 JSON, a string or a number on the wire, kept as its text. Absent is zero.
#[derive(Debug)]
pub(crate) struct WireInt(String);

/// Why an integer was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IntFault {
    NotDecimal,
    Negative,
    TooLarge,
}

impl WireInt {
    /// The value, when it is zero or more and fits an `int64`. Strings are plain decimal without
    /// sign, space, exponent or leading zero.
    pub fn index(&self) -> Result<u64, IntFault> {
        let (negative, digits) =
            self.0.strip_prefix('-').map_or((false, self.0.as_str()), |rest| (true, rest));
        let plain = !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        if !plain {
            return Err(IntFault::NotDecimal);
        }
        if negative {
            return Err(IntFault::Negative);
        }
        let value = digits.parse::<i64>().map_err(|_| IntFault::TooLarge)?;
        u64::try_from(value).map_err(|_| IntFault::Negative)
    }
}

impl From<i64> for WireInt {
    fn from(value: i64) -> Self {
        Self(value.to_string())
    }
}

impl Default for WireInt {
    fn default() -> Self {
        Self("0".to_owned())
    }
}

impl From<u64> for WireInt {
    fn from(value: u64) -> Self {
        Self(value.to_string())
    }
}

impl Serialize for WireInt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for WireInt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IntVisitor)
    }
}

struct IntVisitor;

impl Visitor<'_> for IntVisitor {
    type Value = WireInt;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an integer, as a string or a number")
    }

    fn visit_str<E>(self, text: &str) -> Result<WireInt, E> {
        Ok(WireInt(text.to_owned()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<WireInt, E> {
        Ok(WireInt(value.to_string()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<WireInt, E> {
        Ok(WireInt(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<WireInt, E> {
        // Debug keeps the point or the exponent ("1.0", "1e300"), so that this is never decimal.
        Ok(WireInt(format!("{value:?}")))
    }
}

/// Bytes from the one accepted spelling of base64: standard alphabet, padded, no spare bits, no
/// white space.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Compact JSON of a wire shape.
#[allow(clippy::expect_used, reason = "shapes of strings, lists and structs cannot fail")]
pub(crate) fn to_json<T: Serialize>(shape: &T) -> String {
    serde_json::to_string(shape).expect("invariant: wire shapes hold only text, lists and structs")
}

/// Most hashes in an inclusion proof: the height of a tree of 2⁶³ leaves and one.
pub(crate) const MAX_PROOF_HASHES: usize = 64;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn items_past_the_cap_are_counted_unread() {
        let read = |json: &str| serde_json::from_str::<Capped<u8, 2>>(json).unwrap();
        assert_eq!(read("[1,2]").into_all().ok(), Some(vec![1, 2]));
        let long = read(r#"[1,2,"not a number",[]]"#);
        assert_eq!((long.items.len(), long.total()), (2, 4));
        assert!(matches!(long.into_all(), Err(TooMany { count: 4, limit: 2 })));
    }
}

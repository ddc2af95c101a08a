//! DSSE envelopes: a payload, its type, and exactly one signature over both.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::bundle::wire::{self, Capped};
use crate::json::{self, JsonError};
use crate::limits::MAX_BUNDLE_BYTES;

/// A DSSE envelope (secure-systems-lab/dsse, `envelope.md`) with one signature by construction.
/// The payload is kept as the bytes that were signed and is never encoded anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The media type of the payload, signed with it.
    pub payload_type: String,
    /// The signed bytes.
    pub payload: Vec<u8>,
    /// The signature over [`pae`], in the encoding of the key's algorithm.
    pub signature: Vec<u8>,
    /// An unauthenticated hint at the key; `None` when absent or empty.
    pub key_id: Option<String>,
}

/// Why an envelope was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DsseError {
    /// The envelope is not JSON of the expected shape.
    #[error("DSSE envelope: {0}")]
    Json(#[from] JsonError),
    /// A member is not canonical standard base64.
    #[error("DSSE envelope: {field} is not canonical base64")]
    Base64 {
        /// The member, by its JSON name.
        field: &'static str,
    },
    /// There is not exactly one signature.
    #[error("DSSE envelope: {count} signatures, where exactly one is allowed")]
    SignatureCount {
        /// How many there were.
        count: usize,
    },
    /// The one signature has no bytes.
    #[error("DSSE envelope: the signature is empty")]
    EmptySignature,
}

impl Envelope {
    /// Reads the JSON form of an envelope that stands alone, as cosign 2 stores attestations.
    ///
    /// # Errors
    /// [`DsseError`] for anything but the exact shape: unknown members, base64 in another
    /// spelling, no or several signatures.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DsseError> {
        json::from_slice_capped::<WireEnvelope>(bytes, MAX_BUNDLE_BYTES)?.try_into()
    }

    /// The JSON form: standard base64, `keyid` left out when there is none.
    #[must_use]
    pub fn to_json(&self) -> String {
        wire::to_json(&WireEnvelope::from(self))
    }

    /// What the signature covers: [`pae`] of this envelope.
    #[must_use]
    pub fn pae(&self) -> Vec<u8> {
        pae(&self.payload_type, &self.payload)
    }
}

/// The pre-authentication encoding of DSSE's `protocol.md`: lengths count bytes of UTF-8, not
/// characters.
#[must_use]
pub fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes =
        format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// The wire form, in a bundle or alone.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct WireEnvelope {
    payload: String,
    payload_type: String,
    signatures: Capped<WireSignature, 1>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct WireSignature {
    sig: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    keyid: String,
}

impl TryFrom<WireEnvelope> for Envelope {
    type Error = DsseError;

    fn try_from(envelope: WireEnvelope) -> Result<Self, DsseError> {
        let count = envelope.signatures.total();
        let mut signatures = envelope.signatures.into_seen().into_iter();
        let (Some(signature), 1) = (signatures.next(), count) else {
            return Err(DsseError::SignatureCount { count });
        };
        let payload =
            wire::base64(&envelope.payload).ok_or(DsseError::Base64 { field: "payload" })?;
        let bytes =
            wire::base64(&signature.sig).ok_or(DsseError::Base64 { field: "signatures.sig" })?;
        if bytes.is_empty() {
            return Err(DsseError::EmptySignature);
        }
        Ok(Self {
            payload_type: envelope.payload_type,
            payload,
            signature: bytes,
            key_id: Some(signature.keyid).filter(|id| !id.is_empty()),
        })
    }
}

impl From<&Envelope> for WireEnvelope {
    fn from(envelope: &Envelope) -> Self {
        let signature = WireSignature {
            sig: wire::to_base64(&envelope.signature),
            keyid: envelope.key_id.clone().unwrap_or_default(),
        };
        Self {
            payload: wire::to_base64(&envelope.payload),
            payload_type: envelope.payload_type.clone(),
            signatures: vec![signature].into(),
        }
    }
}

/// The payload type of in-toto statements; the only one that is ever read.
pub const IN_TOTO_PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with_signatures(signatures: &str) -> Result<Envelope, DsseError> {
        let json = format!(r#"{{"payload":"aGk=","payloadType":"t","signatures":{signatures}}}"#);
        Envelope::from_json(json.as_bytes())
    }

    /// The example of DSSE's `protocol.md`, and the same with characters of four bytes.
    #[test]
    fn pae_counts_bytes() {
        assert_eq!(
            pae("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
        assert_eq!(
            pae("\u{1F511}/x", "\u{1F512}".as_bytes()),
            "DSSEv1 6 \u{1F511}/x 4 \u{1F512}".as_bytes()
        );
        assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
    }

    #[test]
    fn dsse_one_signature() {
        let good = r#"{"sig":"AQ=="}"#;
        let bad = r#"{"sig":"AA=="}"#;
        assert_eq!(with_signatures(&format!("[{good}]")).unwrap().signature, [1]);
        assert_eq!(with_signatures("[]"), Err(DsseError::SignatureCount { count: 0 }));
        for pair in [format!("[{good},{bad}]"), format!("[{bad},{good}]")] {
            assert_eq!(with_signatures(&pair), Err(DsseError::SignatureCount { count: 2 }));
        }
        let absent = Envelope::from_json(br#"{"payload":"aGk=","payloadType":"t"}"#);
        assert_eq!(absent, Err(DsseError::SignatureCount { count: 0 }));
    }

    #[test]
    fn base64_has_one_spelling() {
        for sig in ["AQ", "AR==", "A\\nQ==", "_w==", "AQ== "] {
            assert_eq!(
                with_signatures(&format!(r#"[{{"sig":"{sig}"}}]"#)),
                Err(DsseError::Base64 { field: "signatures.sig" }),
                "{sig}"
            );
        }
        assert_eq!(
            Envelope::from_json(
                br#"{"payload":"aGk","payloadType":"t","signatures":[{"sig":"AQ=="}]}"#
            ),
            Err(DsseError::Base64 { field: "payload" })
        );
    }

    #[test]
    fn an_empty_signature_is_refused() {
        assert_eq!(with_signatures(r#"[{"sig":""}]"#), Err(DsseError::EmptySignature));
        assert_eq!(with_signatures("[{}]"), Err(DsseError::EmptySignature));
    }

    #[test]
    fn unknown_members_are_refused() {
        assert!(matches!(
            with_signatures(r#"[{"sig":"AQ==","cert":"x"}]"#),
            Err(DsseError::Json(JsonError::Schema { .. }))
        ));
        assert_eq!(
            with_signatures(r#"[{"sig":"AQ==","sig":"AQ=="}]"#),
            Err(DsseError::Json(JsonError::DuplicateMember { name: "sig".into() }))
        );
    }

    #[test]
    fn an_empty_key_id_is_none() {
        let key_id = |json: &str| with_signatures(json).unwrap().key_id;
        assert_eq!(key_id(r#"[{"sig":"AQ==","keyid":""}]"#), None);
        assert_eq!(key_id(r#"[{"sig":"AQ=="}]"#), None);
        assert_eq!(key_id(r#"[{"sig":"AQ==","keyid":"k"}]"#).as_deref(), Some("k"));
    }

    proptest! {
        #[test]
        fn json_round_trips(
            payload_type in ".{0,20}",
            payload in proptest::collection::vec(any::<u8>(), 0..64),
            signature in proptest::collection::vec(any::<u8>(), 1..64),
            key_id in proptest::option::of(".{1,10}"),
        ) {
            let envelope = Envelope { payload_type, payload, signature, key_id };
            prop_assert_eq!(Envelope::from_json(envelope.to_json().as_bytes()), Ok(envelope));
        }
    }
}

//! The audit record: one row for each certificate that was issued or refused, in the store that
//! holds the logs, hash-chained there.
//!
//! A row is a JSON object with fixed members; it never holds a token or a key.

use formats::certificate::SubjectName;
use serde_json::{Map, Value, json};

use crate::answer::Refusal;
use crate::identity::VerifiedIdentity;

/// Who asked for a certificate: kept aside before the identity is spent on issuing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    name: String,
    issuer: String,
    token_subject: String,
    claims: Map<String, Value>,
}

impl Subject {
    /// The audit view of an identity.
    pub fn of(identity: &VerifiedIdentity) -> Self {
        let name = match identity.subject() {
            SubjectName::Email(name) | SubjectName::Uri(name) | SubjectName::OtherName(name) => {
                name.clone()
            }
        };
        let claims = identity.claims_used();
        Self {
            name,
            issuer: identity.issuer().to_owned(),
            token_subject: identity.token_subject().to_owned(),
            claims: claims.iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))).collect(),
        }
    }

    /// The token's issuer, one of the configured ones.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The row of an issued certificate: `serial` in hex, `log_index` in the CT log.
    pub fn issued(&self, time_ms: u64, serial: &[u8], log_index: u64) -> Vec<u8> {
        let serial: String = serial.iter().map(|byte| format!("{byte:02x}")).collect();
        row(&json!({
            "event": "issued",
            "timeMs": time_ms,
            "subject": self.name,
            "issuer": self.issuer,
            "tokenSubject": self.token_subject,
            "claims": self.claims,
            "serial": serial,
            "ctIndex": log_index,
        }))
    }

    /// The row of a certificate that was refused although the token was good.
    pub fn refused(&self, time_ms: u64, refusal: &Refusal) -> Vec<u8> {
        row(&json!({
            "event": "refused",
            "timeMs": time_ms,
            "subject": self.name,
            "issuer": self.issuer,
            "tokenSubject": self.token_subject,
            "claims": self.claims,
            "reason": refusal.reason(),
            "message": refusal.message(),
        }))
    }
}

/// The row of a request whose token was refused: who asked is not known, only why not.
pub fn refused_unknown(time_ms: u64, refusal: &Refusal) -> Vec<u8> {
    row(&json!({
        "event": "refused",
        "timeMs": time_ms,
        "reason": refusal.reason(),
        "message": refusal.message(),
    }))
}

fn row(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

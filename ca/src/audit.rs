//! The audit record: one row for each certificate that was issued or refused, in the store that
//! holds the logs, hash-chained there.
//!
//! A row is a JSON object with fixed members; it never holds a token or a key. Refusals of a known
//! identity are always written, those of strangers up to a rate.

use std::sync::{Mutex, PoisonError};

use formats::certificate::SubjectName;
use serde_json::{Map, Value, json};

use crate::admit::AdmittedIdentity;
use crate::answer::Refusal;
use crate::identity::VerifiedIdentity;

/// Who asked for a certificate: kept aside before the identity is spent on issuing it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    name: String,
    issuer: String,
    counted_as: String,
    token_subject: String,
    claims: Map<String, Value>,
    admission: Option<String>,
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
            counted_as: identity.counted_as().to_owned(),
            token_subject: identity.token_subject().to_owned(),
            claims: claims.iter().map(|(k, v)| (k.clone(), Value::String(v.clone()))).collect(),
            admission: None,
        }
    }

    /// The audit view of an identity that may sign, with the rule that says so.
    pub fn of_admitted(admitted: &AdmittedIdentity) -> Self {
        let admission = Some(admitted.admission().to_string());
        Self { admission, ..Self::of(admitted.identity()) }
    }

    /// The issuer as ca.toml has it, for metrics.
    pub fn counted_as(&self) -> &str {
        &self.counted_as
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
            "allowedBy": self.admission,
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

/// The rows of requests whose token was refused: who asked is not known, only why not.
///
/// Anyone can send a bad token, so anyone could fill the disk with such rows. Beyond
/// [`STRANGERS_PER_SECOND`] they are counted, and the next row says how many there were.
#[derive(Debug, Default)]
pub struct Strangers(Mutex<Tally>);

#[derive(Debug, Default)]
struct Tally {
    second: u64,
    written: u32,
    unwritten: u64,
}

impl Strangers {
    /// The row of one more refusal; `None` when there have been enough in this second.
    pub fn refused(&self, time_ms: u64, refusal: &Refusal) -> Option<Vec<u8>> {
        let mut tally = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let second = time_ms / 1000;
        if tally.second != second {
            (tally.second, tally.written) = (second, 0);
        }
        if tally.written >= STRANGERS_PER_SECOND {
            tally.unwritten += 1;
            return None;
        }
        tally.written += 1;
        let unwritten = std::mem::take(&mut tally.unwritten);
        Some(row(&json!({
            "event": "refused",
            "timeMs": time_ms,
            "reason": refusal.reason(),
            "message": refusal.message(),
            "unwrittenBefore": unwritten,
        })))
    }
}

fn row(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

/// How many rows about strangers are written in a second.
pub const STRANGERS_PER_SECOND: u32 = 20;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn strangers_cannot_fill_the_disk() {
        let strangers = Strangers::default();
        let refusal = Refusal::bad_request("json", "not JSON");
        let written = (0..1000).filter_map(|_| strangers.refused(5_000, &refusal)).count();
        assert_eq!(written, 20);
        let next: Value =
            serde_json::from_slice(&strangers.refused(6_000, &refusal).unwrap()).unwrap();
        assert_eq!(next["unwrittenBefore"], 980);
        let after: Value =
            serde_json::from_slice(&strangers.refused(6_001, &refusal).unwrap()).unwrap();
        assert_eq!(after["unwrittenBefore"], 0);
    }
}

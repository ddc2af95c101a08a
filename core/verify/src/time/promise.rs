use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use formats::bundle::LogEntry;
use formats::entry::EntryBody;

use super::{TimeSource, VerifiedTime};
use crate::crypto;
use crate::error::{AuthorityFault, EntryFault, Refusal};
use crate::inclusion::ReadEntry;

/// The `integratedTime` of an entry, if a promise of its log covers it.
pub(super) fn verify(read: &ReadEntry<'_>, now: i64) -> Result<Option<VerifiedTime>, Refusal> {
    let Some(promise) = &read.entry.inclusion_promise else { return Ok(None) };
    match &read.body {
        EntryBody::HashedRekord001(_) | EntryBody::Dsse001(_) | EntryBody::Intoto002(_) => {}
        EntryBody::HashedRekord002(_) => return Err(read.refuse(EntryFault::PromiseFromTileLog)),
    }
    let time =
        read.entry.integrated_time.ok_or_else(|| read.refuse(EntryFault::PromiseWithoutTime))?;
    let log = read.log().ok_or(AuthorityFault::LogUnknown)?;
    crypto::verify_message(&log.key, log.scheme(), &signed_data(read.entry, time), promise)
        .map_err(|_| read.refuse(EntryFault::PromiseSignature))?;
    if time > now {
        return Err(read.refuse(EntryFault::IntegratedTimeInFuture(time)));
    }
    Ok(Some(VerifiedTime {
        seconds: time,
        source: TimeSource::SignedEntryTimestamp { log_id: log.id },
        witness: log.key.id(),
    }))
}

/// What Rekor signs: the RFC 8785 form of four members, none of which needs escaping.
fn signed_data(entry: &LogEntry, time: i64) -> Vec<u8> {
    let body = STANDARD.encode(&entry.canonicalized_body);
    let log_id: String = entry.log_id.iter().map(|byte| format!("{byte:02x}")).collect();
    let index = entry.log_index;
    format!(r#"{{"body":"{body}","integratedTime":{time},"logID":"{log_id}","logIndex":{index}}}"#)
        .into_bytes()
}

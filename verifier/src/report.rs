//! How an outcome is told: words on standard error and one line on standard output, or one JSON
//! object on standard output. The exit code is the outcome's; a result that could not be written
//! counts as not given.

use std::io::{self, Write};

use fetch::shown::{ascii_json, one_line, shown};
use formats::certificate::SubjectName;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use verify::error::{Refusal, SignerFault};
use verify::policy::Claim;
use verify::time::{TimeSource, VerifiedTime};

use crate::advice::advice;
use crate::blob::Accepted;
use crate::cli::{Output, VerifyBlob};
use crate::error::{EXIT_USAGE, Failure};

/// Tells the outcome and returns the exit code.
pub(crate) fn report(flags: &VerifyBlob, outcome: &Result<Accepted, Failure>) -> u8 {
    let (results, talk, exit) = match (outcome, flags.output) {
        (Ok(accepted), Output::Text) => {
            (accepted_line(flags, accepted), accepted_text(flags, accepted), 0)
        }
        (Ok(accepted), Output::Json) => (line(&accepted_json(flags, accepted)), String::new(), 0),
        (Err(failure), Output::Text) => {
            (String::new(), failure_text(flags, failure), failure.exit())
        }
        (Err(failure), Output::Json) => {
            (line(&failure_json(flags, failure)), String::new(), failure.exit())
        }
    };
    // What is said on standard error is for a person who may have closed it; the result is not.
    _ = io::stderr().write_all(talk.as_bytes());
    let mut stdout = io::stdout().lock();
    match stdout.write_all(results.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => exit,
        Err(_) if exit == 0 => EXIT_USAGE,
        Err(_) => exit,
    }
}

fn accepted_line(flags: &VerifyBlob, accepted: &Accepted) -> String {
    let name = artifact_name(flags);
    let digests: Vec<_> = accepted.digests.iter().map(ToString::to_string).collect();
    let digests = digests.join(" ");
    if name == digests {
        format!("verified {name}\n")
    } else {
        format!("verified {name} {digests}\n")
    }
}

fn accepted_text(flags: &VerifyBlob, accepted: &Accepted) -> String {
    let verified = &accepted.verified;
    let mut lines: Vec<_> = accepted.root.note().into_iter().collect();
    lines.push(format!("Verified {}", artifact_name(flags)));
    if let (Some(subject), Some(issuer)) = (&verified.subject, &verified.issuer) {
        lines.push(format!("  signed by   {}", shown(subject.as_str())));
        lines.push(format!("  vouched by  {}", shown(issuer)));
    }
    if let Some(key_id) = &accepted.key_id {
        lines.push(format!("  signed with the key {key_id}"));
    }
    lines.push(format!("  trusting    {}", accepted.root.text()));
    for time in &verified.times {
        lines.push(format!("  at          {} ({})", rfc3339(time.seconds()), source_name(time)));
    }
    for entry in &verified.entries {
        lines.push(format!("  logged in   {}, entry {}", shown(&entry.log), entry.log_index));
    }
    if let Some(statement) = &verified.statement {
        lines.push(format!("  predicate   {}", shown(&statement.predicate_type)));
    }
    lines.join("\n") + "\n"
}

fn failure_text(flags: &VerifyBlob, failure: &Failure) -> String {
    let mut lines = vec![
        format!("error: {} is not verified", artifact_name(flags)),
        format!("  reason    {} [{}]", one_line(&failure.to_string()), failure.code()),
    ];
    if let Failure::Refused { root, .. } = failure {
        lines.extend(root.note());
        lines.push(format!("  trusting  {}", root.text()));
    }
    if let Failure::Refused { found: Some(found), .. } = failure {
        lines.push(format!("  found     {} of {}", shown(&found.subject), shown(&found.issuer)));
        lines.push(format!("  wanted    {} of {}", wanted_subject(flags), wanted_issuer(flags)));
    }
    if let Some(times) = times(failure) {
        lines.push(format!("  times     {times}"));
    }
    lines.push(format!("  at fault  {}", failure.blame()));
    lines.push(format!("  advice    {}", advice(failure, flags)));
    lines.join("\n") + "\n"
}

/// The library speaks of Unix seconds; a person wants dates.
fn times(failure: &Failure) -> Option<String> {
    let Failure::Refused { fault: Refusal::Signer(fault), .. } = failure else { return None };
    let SignerFault::NotValidAt { time, not_before, not_after } = fault else { return None };
    let [used, from, to] = [*time, *not_before, *not_after].map(rfc3339);
    Some(format!("used at {used}, valid from {from} to {to}"))
}

fn accepted_json(flags: &VerifyBlob, accepted: &Accepted) -> Value {
    let verified = &accepted.verified;
    let digests: Vec<_> = accepted.digests.iter().map(ToString::to_string).collect();
    json!({
        "schema": SCHEMA,
        "verified": true,
        "exit": 0,
        "artifact": { "name": flags.artifact.to_string_lossy(), "digests": digests },
        "bundle": accepted.bundle.to_string_lossy(),
        "trust": accepted.root.json(),
        "signer": signer_json(accepted),
        "times": verified.times.iter().map(time_json).collect::<Vec<_>>(),
        "logEntries": verified.entries.iter().map(|entry| json!({
            "log": entry.log,
            "logId": hex(&entry.log_id),
            "logIndex": entry.log_index,
        })).collect::<Vec<_>>(),
        "predicateType": verified.statement.as_ref().map(|statement| &statement.predicate_type),
    })
}

fn signer_json(accepted: &Accepted) -> Value {
    let verified = &accepted.verified;
    let (Some(subject), Some(issuer)) = (&verified.subject, &verified.issuer) else {
        return json!({ "type": "key", "keyId": accepted.key_id.map(|id| id.to_string()) });
    };
    let kind = match subject {
        SubjectName::Email(_) => "email",
        SubjectName::Uri(_) => "uri",
        SubjectName::OtherName(_) => "otherName",
    };
    let claims: Map<String, Value> = Claim::ALL
        .iter()
        .filter_map(|claim| {
            Some((claim.name().to_owned(), claim.value(&verified.extensions)?.into()))
        })
        .collect();
    json!({
        "type": "certificate",
        "subject": subject.as_str(),
        "subjectType": kind,
        "issuer": issuer,
        "claims": claims,
    })
}

fn time_json(time: &VerifiedTime) -> Value {
    let mut value = json!({
        "time": rfc3339(time.seconds()),
        "source": source_name(time),
    });
    match time.source() {
        TimeSource::TimestampAuthority { uri } => value["uri"] = uri.as_str().into(),
        TimeSource::SignedEntryTimestamp { log_id } => value["logId"] = hex(log_id).into(),
    }
    value
}

fn failure_json(flags: &VerifyBlob, failure: &Failure) -> Value {
    let mut value = json!({
        "schema": SCHEMA,
        "verified": false,
        "exit": failure.exit(),
        "code": failure.code(),
        "blame": failure.blame(),
        "message": one_line(&failure.to_string()),
        "advice": advice(failure, flags),
        "artifact": { "name": flags.artifact.to_string_lossy() },
    });
    if let Failure::Refused { root, .. } = failure {
        value["trust"] = root.json();
    }
    if let Failure::Refused { found: Some(found), .. } = failure {
        value["found"] = json!({ "subject": found.subject, "issuer": found.issuer });
        value["wanted"] = json!({
            "subject": flags.certificate_identity,
            "subjectPattern": flags.certificate_identity_regexp,
            "issuer": flags.certificate_oidc_issuer,
            "issuerPattern": flags.certificate_oidc_issuer_regexp,
        });
    }
    value
}

fn artifact_name(flags: &VerifyBlob) -> String {
    shown(&flags.artifact.to_string_lossy())
}

fn wanted_subject(flags: &VerifyBlob) -> String {
    wanted(flags.certificate_identity.as_deref(), flags.certificate_identity_regexp.as_deref())
}

fn wanted_issuer(flags: &VerifyBlob) -> String {
    wanted(
        flags.certificate_oidc_issuer.as_deref(),
        flags.certificate_oidc_issuer_regexp.as_deref(),
    )
}

fn wanted(exact: Option<&str>, pattern: Option<&str>) -> String {
    let pattern = pattern.map(|pattern| format!("the pattern {}", one_line(pattern)));
    exact.map(shown).or(pattern).unwrap_or_default()
}

fn source_name(time: &VerifiedTime) -> &'static str {
    match time.source() {
        TimeSource::TimestampAuthority { .. } => "timestamp-authority",
        TimeSource::SignedEntryTimestamp { .. } => "signed-entry-timestamp",
    }
}

/// A verified time in RFC 3339; one that no calendar holds, as its number of seconds.
fn rfc3339(seconds: i64) -> String {
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(&Rfc3339).ok())
        .unwrap_or_else(|| seconds.to_string())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn line(value: &Value) -> String {
    ascii_json(&value.to_string()) + "\n"
}

/// The version of the JSON report. Members are added to it, never changed or taken away.
const SCHEMA: &str = "paraph.verify.v1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_for_people() {
        let fault = SignerFault::NotValidAt { time: 1_800_000_000, not_before: 0, not_after: 600 };
        let failure = Failure::Refused {
            fault: fault.into(),
            found: None,
            root: Box::new(crate::root::RootUsed::BuiltIn),
        };
        assert_eq!(
            times(&failure).as_deref(),
            Some(
                "used at 2027-01-15T08:00:00Z, valid from 1970-01-01T00:00:00Z to \
                 1970-01-01T00:10:00Z"
            )
        );
        assert_eq!(rfc3339(i64::MAX), i64::MAX.to_string());
    }
}

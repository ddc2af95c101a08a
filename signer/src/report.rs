//! How a run is told: words on standard error and the bundles' names on standard output, or one JSON
//! object on standard output.

use std::io::{self, Write};

use fetch::shown::{ascii_json, one_line, shown};
use serde_json::{Value, json};

use crate::EXIT_FAILED;
use crate::advice::advice;
use crate::bundle_file::is_special;
use crate::cli::Output;
use crate::error::Failure;
use crate::sign::Signed;

/// What a run has to tell.
pub(crate) struct Report {
    output: Output,
    files: Vec<Value>,
    /// A result that could not be written counts as not given.
    told: io::Result<()>,
}

impl Report {
    pub(crate) fn new(output: Output) -> Self {
        Self { output, files: Vec::new(), told: Ok(()) }
    }

    /// Tells of one file.
    pub(crate) fn signed(&mut self, signed: &Signed) {
        match self.output {
            Output::Json => self.files.push(json(signed)),
            Output::Text => {
                _ = io::stderr().write_all(text(signed).as_bytes());
                // A bundle that went to standard output is the result already.
                if !is_special(&signed.bundle) {
                    let name = format!("{}\n", signed.bundle.to_string_lossy());
                    self.tell(&name);
                }
            }
        }
    }

    /// Tells how the run ended, and returns the exit code.
    pub(crate) fn end(mut self, outcome: Result<(), Failure>) -> u8 {
        match (self.output, &outcome) {
            (Output::Json, _) => {
                let object = self.object(&outcome);
                self.tell(&(ascii_json(&object.to_string()) + "\n"));
            }
            (Output::Text, Err(failure)) => {
                _ = io::stderr().write_all(failure_text(failure).as_bytes());
            }
            (Output::Text, Ok(())) => {}
        }
        if outcome.is_ok() && self.told.is_ok() { 0 } else { EXIT_FAILED }
    }

    fn object(&mut self, outcome: &Result<(), Failure>) -> Value {
        let mut object = json!({
            "schema": SCHEMA,
            "signed": outcome.is_ok(),
            "files": std::mem::take(&mut self.files),
        });
        if let Err(failure) = outcome {
            explain(&mut object, failure);
        }
        object
    }

    fn tell(&mut self, text: &str) {
        let told = write_result(text);
        if self.told.is_ok() {
            self.told = told;
        }
    }
}

/// What a command that signs nothing has to tell.
#[derive(Debug)]
pub struct Told {
    /// The result, for standard output.
    pub(crate) result: String,
    /// What explains it, for standard error.
    pub(crate) words: String,
    /// All of it, as a JSON object.
    pub(crate) members: Value,
}

impl Told {
    /// Tells how such a command ended, and returns the exit code. `schema` names the JSON report.
    pub(crate) fn end(outcome: Result<Self, Failure>, output: Output, schema: &str) -> u8 {
        let (failed, told) = match (output, outcome) {
            (Output::Json, outcome) => {
                let failed = outcome.is_err();
                let object = outcome.map_or_else(
                    |failure| {
                        let mut object = json!({ "schema": schema });
                        explain(&mut object, &failure);
                        object
                    },
                    |told| told.members,
                );
                (failed, write_result(&(ascii_json(&object.to_string()) + "\n")))
            }
            (Output::Text, Ok(Self { result, words, .. })) => {
                let told = write_result(&result);
                _ = io::stderr().write_all(words.as_bytes());
                (false, told)
            }
            (Output::Text, Err(failure)) => {
                _ = io::stderr().write_all(failure_text(&failure).as_bytes());
                (true, Ok(()))
            }
        };
        if failed || told.is_err() { EXIT_FAILED } else { 0 }
    }
}

fn write_result(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush())
}

fn explain(object: &mut Value, failure: &Failure) {
    object["code"] = failure.code().into();
    object["blame"] = failure.blame().into();
    object["message"] = one_line(&failure.to_string()).into();
    object["advice"] = advice(failure).into();
}

fn text(signed: &Signed) -> String {
    let verified = &signed.verified;
    let mut lines = vec![format!("Signed {}", shown(&signed.file.to_string_lossy()))];
    if let (Some(subject), Some(issuer)) = (&verified.subject, &verified.issuer) {
        lines.push(format!("  as          {}", shown(subject.as_str())));
        lines.push(format!("  vouched by  {}", shown(issuer)));
    }
    for entry in &verified.entries {
        lines.push(format!("  logged in   {}, entry {}", shown(&entry.log), entry.log_index));
    }
    lines.push(format!("  bundle      {}", shown(&signed.bundle.to_string_lossy())));
    lines.join("\n") + "\n"
}

fn json(signed: &Signed) -> Value {
    let verified = &signed.verified;
    json!({
        "file": signed.file.to_string_lossy(),
        "digest": signed.digest.to_string(),
        "bundle": signed.bundle.to_string_lossy(),
        "subject": verified.subject.as_ref().map(|subject| subject.as_str()),
        "issuer": verified.issuer,
        "times": verified.times.iter().map(|time| time.seconds()).collect::<Vec<_>>(),
        "logEntries": verified.entries.iter().map(|entry| json!({
            "log": entry.log,
            "logId": hex(&entry.log_id),
            "logIndex": entry.log_index,
        })).collect::<Vec<_>>(),
    })
}

fn failure_text(failure: &Failure) -> String {
    format!(
        "error: {} [{}]\n  at fault  {}\n  advice    {}\n",
        one_line(&failure.to_string()),
        failure.code(),
        failure.blame(),
        advice(failure)
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The version of the JSON report. Members are added to it, never changed or taken away.
const SCHEMA: &str = "paraph.sign.v1";

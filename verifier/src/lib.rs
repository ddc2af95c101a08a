//! The command-line tool that verifies files: it reads what the flags name, hands everything to the
//! library `verify`, and says in words, or in JSON, what came out.
//!
//! Exit codes: 0 verified, 1 usage or environment, 10 no signature, 11 no such artifact, 12 a
//! signature that does not hold or does not match.

mod advice;
pub mod blob;
pub mod cli;
pub mod error;
mod export;
mod report;
pub mod root;
mod trust;

use std::ffi::OsString;
use std::panic::{UnwindSafe, catch_unwind};

use clap::Parser as _;

use crate::cli::{Cli, Command};

/// Runs the tool with these arguments (the program's name first) and returns its exit code.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    match Cli::try_parse_from(arguments.into_iter().collect::<Vec<_>>()) {
        Ok(Cli { command: Command::VerifyBlob(flags) }) => {
            let outcome = blob::verify_blob(&flags);
            report::report(&flags, &outcome)
        }
        Ok(Cli { command: Command::Trust(flags) }) => trust::trust(&flags),
        Err(message) => {
            // Help and version are answers; clap's own code for a mistake, 2, is ours 1.
            let printed = message.print().is_ok();
            if printed && !message.use_stderr() { 0 } else { error::EXIT_USAGE }
        }
    }
}

/// Runs `work`, and turns a panic (whose message the runtime has printed) into a failure: a verdict
/// that was never reached must not look like one.
pub fn guarded(work: impl FnOnce() -> u8 + UnwindSafe) -> u8 {
    catch_unwind(work).unwrap_or(error::EXIT_USAGE)
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn panic_is_failure() {
        assert_eq!(guarded(|| 0), 0);
        assert_eq!(guarded(|| panic!("on purpose")), 1);
    }
}

//! The command-line tool that signs files: an identity token becomes a certificate for a key that
//! is used once and forgotten, and every signature is timestamped, logged, put into a bundle and
//! verified as a relying party would, before anything is reported.
//!
//! [`sign`] has the whole flow. Exit codes: 0 all signed, 1 otherwise.

mod advice;
pub mod authority;
pub mod bundle_file;
pub mod cli;
mod consent;
pub mod error;
mod interrupt;
mod job;
pub mod key;
pub mod log;
pub mod login;
mod report;
pub mod services;
pub mod sign;
pub mod timestamp;
mod trust;
pub mod whoami;

use std::ffi::OsString;
use std::panic::{UnwindSafe, catch_unwind};

use clap::Parser as _;

use crate::cli::{Cli, Command, SignBlob};
use crate::error::Failure;
use crate::report::{Report, Told};
use crate::sign::Signed;

/// Runs the tool with these arguments (the program's name first) and returns its exit code.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    match Cli::try_parse_from(arguments.into_iter().collect::<Vec<_>>()) {
        Ok(Cli { command: Command::SignBlob(flags) }) => sign_blob(flags),
        Ok(Cli { command: Command::Whoami(flags) }) => {
            let output = flags.output;
            Told::end(run_to_end(whoami::who_am_i(flags)), output, whoami::SCHEMA)
        }
        Ok(Cli { command: Command::Login(flags) }) => {
            let output = flags.output;
            Told::end(run_to_end(whoami::log_in(flags)), output, whoami::LOGIN_SCHEMA)
        }
        Ok(Cli { command: Command::Logout(flags) }) => {
            let output = flags.output;
            Told::end(run_to_end(whoami::log_out(flags)), output, whoami::LOGOUT_SCHEMA)
        }
        Ok(Cli { command: Command::Trust(flags) }) => trust::trust(&flags),
        Err(message) => {
            // Help and version are answers; clap's own code for a mistake, 2, is ours 1.
            let printed = message.print().is_ok();
            if printed && !message.use_stderr() { 0 } else { EXIT_FAILED }
        }
    }
}

/// Runs `work`, and turns a panic (whose message the runtime has printed) into a failure.
pub fn guarded(work: impl FnOnce() -> u8 + UnwindSafe) -> u8 {
    catch_unwind(work).unwrap_or(EXIT_FAILED)
}

fn sign_blob(flags: SignBlob) -> u8 {
    let mut report = Report::new(flags.output);
    let mut tell = |signed: &Signed| report.signed(signed);
    let outcome = run_to_end(sign::sign_blobs(flags, &mut tell));
    report.end(outcome)
}

fn run_to_end<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    // One thread is enough: what takes time is the network, and the hashing has its own.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Runtime(error.kind()))?;
    let outcome = runtime.block_on(async {
        tokio::select! {
            outcome = work => outcome,
            () = interrupt::interrupted() => Err(Failure::Interrupted),
        }
    });
    // A resolver or a reader of standard input may still be waiting; nobody waits for it.
    runtime.shutdown_background();
    outcome
}

const EXIT_FAILED: u8 = 1;

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

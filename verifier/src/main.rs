//! `verifier`: see the library of the same name.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(verifier::guarded(|| verifier::run(std::env::args_os())))
}

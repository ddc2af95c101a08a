//! `signer`: see the library of the same name.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(signer::guarded(|| signer::run(std::env::args_os())))
}

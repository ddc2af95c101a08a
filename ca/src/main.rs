//! `ca`: the instance.

use std::process::ExitCode;

use ca::cli::Cli;
use clap::Parser as _;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no failure.
            let failed = error.use_stderr();
            let _closed_pipe = error.print();
            return if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS };
        }
    };
    ca::commands::run(cli)
}

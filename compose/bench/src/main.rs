//! Benchmarks of the built binaries, each figure beside a limit measured in the same run.
//!
//! `cargo build --release --bins && cargo run --release -p bench [-- --entries N]`
//!
//! The limit of an operation is the cryptography that it cannot do without; the ratio to it holds
//! on any machine, a time alone does not. `--entries` is how many log entries are written (20,000
//! by default); with a million the table shows whether cost and size stay flat.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints a table")]

mod certificate;
mod client;
mod limits;
mod log;
mod server;
mod table;
mod timestamp;
mod tools;

use std::error::Error;

use limits::Limits;
use server::Server;
use table::Table;

fn main() -> Result<(), Box<dyn Error>> {
    if let Some("--memory-of") = std::env::args().nth(1).as_deref() {
        return tools::memory_of(std::env::args_os().skip(2));
    }
    let entries = entries_asked_for()?;
    let mut table = Table::default();
    let limits = Limits::measure()?;
    limits.print();

    let server = Server::start(&mut table)?;
    tools::verifier_and_signer(&server, &mut table)?;
    let certificates = certificate::issue(&server, &mut table)?;
    timestamp::stamp(&server, &mut table)?;
    log::append(&server, &certificates, entries, &mut table)?;
    tools::verdicts(&server, &mut table)?;
    tools::hashing(&limits, &mut table)?;
    server.stop(&mut table)?;
    table.print();
    Ok(())
}

fn entries_asked_for() -> Result<usize, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next().as_deref(), arguments.next()) {
        (None, _) => Ok(20_000),
        (Some("--entries"), Some(count)) => Ok(count.parse()?),
        _ => Err("usage: bench [--entries N]".into()),
    }
}

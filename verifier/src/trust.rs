//! `trust`: pins an instance once, and looks after what is pinned.

use fetch::named::command::{self, Order, Tool};

use crate::blob::now;
use crate::cli::Trust;

/// Runs it and returns the exit code.
pub(crate) fn trust(flags: &Trust) -> u8 {
    let order = flags.command.as_ref().map_or(Order::Trust(&flags.url), Order::Manage);
    command::main(TOOL, &order, flags.output, now())
}

const TOOL: Tool = Tool {
    name: "verifier",
    next: "verifier verify-blob FILE --certificate-identity WHO --certificate-oidc-issuer URL",
};

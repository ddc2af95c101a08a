//! `trust`: pins an instance once, and looks after what is pinned.

use fetch::named::command::{self, Order, Tool};
use fetch::named::{Home, NamedError};

use crate::blob::now;
use crate::cli::{Trust, TrustAction};
use crate::export::export;

/// Runs it and returns the exit code.
pub(crate) fn trust(flags: &Trust) -> u8 {
    let order = match &flags.command {
        None => Order::Trust(&flags.url),
        Some(TrustAction::Manage(command)) => Order::Manage(command),
        Some(TrustAction::Export(flagged)) => {
            let outcome = Home::of_environment().and_then(|home| {
                tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .map_err(|error| NamedError::Runtime(error.kind()))?
                    .block_on(export(flagged, &home, now()))
            });
            return command::tell(TOOL, outcome, flags.output);
        }
    };
    command::main(TOOL, &order, flags.output, now())
}

const TOOL: Tool = Tool {
    name: "verifier",
    next: "verifier verify-blob FILE --certificate-identity WHO --certificate-oidc-issuer URL",
};

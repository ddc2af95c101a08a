//! Which instance a signature is made with, and `trust`, which pins one once.
//!
//! The instance is the one that the flags name, or the one that was made the default. One that
//! cannot be had is an error: no other takes its place.

use std::io::{self, Write as _};

use fetch::http::Http;
use fetch::named::command::{self, Order, Tool};
use fetch::named::{Home, NamedError, NamedRoot};
use fetch::shown::one_line;
use fetch::trust::{Instance, Trust, ask, read_signing_config, read_trusted_root};

use crate::cli::SignBlob;
use crate::cli::trust::TrustFlags;
use crate::error::{Failure, UsageFault};
use crate::login::now;

/// The instance to sign with.
///
/// # Errors
/// [`Failure::Usage`] without any, [`Failure::Trust`].
pub(crate) async fn of(flags: &SignBlob, http: &Http, now: i64) -> Result<Trust, Failure> {
    if let (Some(root), Some(config)) = (&flags.trusted_root, &flags.signing_config) {
        return Ok(Trust {
            trusted_root: read_trusted_root(root)?,
            signing_config: read_signing_config(config)?,
            description: None,
        });
    }
    let given = flags.instance.as_deref();
    chosen(given, http, now).await?.ok_or(UsageFault::NoInstance.into())
}

/// The instance by the name that a person gives it, or the default one, if there is one.
///
/// # Errors
/// [`Failure::Trust`].
pub(crate) async fn chosen(
    given: Option<&str>,
    http: &Http,
    now: i64,
) -> Result<Option<Trust>, Failure> {
    let home = match Home::of_environment() {
        Ok(home) => Some(home),
        // Whoever has no home has trusted nothing, and made nothing the default.
        Err(NamedError::NoHome(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let Some(given) = given else {
        return match home.map(|home| home.open_default()).transpose()?.flatten() {
            Some(root) => named(&root, http, now).await.map(Some),
            None => Ok(None),
        };
    };
    match Instance::parse(given, home.as_ref())? {
        Instance::Named(root) => named(&root, http, now).await.map(Some),
        Instance::PublicSigstore => Err(NamedError::OnlyVerifies.into()),
        Instance::Local(local) => Ok(Some(local.trust()?)),
        Instance::Loopback(url) => Ok(Some(ask(http, &url).await?)),
    }
}

async fn named(root: &NamedRoot, http: &Http, now: i64) -> Result<Trust, Failure> {
    let current = root.current(http, now).await?;
    if let Some(fault) = &current.unreached {
        let name = &current.name;
        let reason = one_line(&fault.to_string());
        // For a person, who may have closed standard error.
        _ = io::stderr().write_all(
            format!(
                "note: {name} could not be asked for news, what is held still counts: {reason}\n"
            )
            .as_bytes(),
        );
    }
    Ok(current.trust()?)
}

/// Runs `trust` and returns the exit code.
pub(crate) fn trust(flags: &TrustFlags) -> u8 {
    let order = flags.command.as_ref().map_or(Order::Trust(&flags.url), Order::Manage);
    command::main(TOOL, &order, flags.output, now())
}

const TOOL: Tool = Tool { name: "signer", next: "signer sign-blob FILE" };

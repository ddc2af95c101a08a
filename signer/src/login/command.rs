//! A command that prints a token: run without a shell, without input, and not for long.

use std::io::ErrorKind;
use std::process::Stdio;
use std::time::Duration;

use formats::limits::MAX_TOKEN_BYTES;
use thiserror::Error;
use tokio::io::AsyncReadExt as _;
use tokio::process::Command;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::ambient::AmbientError;

/// Why a command gave no token. What it printed is not shown: it may be half a token.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CommandFault {
    /// It could not be run.
    #[error("cannot be run: {0}")]
    NotRun(ErrorKind),
    /// It ended with a failure.
    #[error("ended with {}", .0.map_or_else(|| "a signal".to_owned(), |code| code.to_string()))]
    Failed(Option<i32>),
    /// It ran for too long, and was ended.
    #[error("did not end within {} s", LIMIT.as_secs())]
    TooSlow,
    /// It printed no text, or more than a token.
    #[error("did not print a token")]
    NoToken,
}

/// What the command prints on standard output. Standard error goes where ours goes.
pub(super) async fn output(
    program: &'static str,
    arguments: &[&str],
) -> Result<Zeroizing<String>, AmbientError> {
    let fault = |fault| AmbientError::Command { program, fault };
    timeout(LIMIT, run(program, arguments))
        .await
        .unwrap_or(Err(CommandFault::TooSlow))
        .map_err(fault)
}

async fn run(program: &str, arguments: &[&str]) -> Result<Zeroizing<String>, CommandFault> {
    let not_run = |error: std::io::Error| CommandFault::NotRun(error.kind());
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(not_run)?;
    let stdout = child.stdout.take().ok_or(CommandFault::NoToken)?;
    let mut text = Zeroizing::new(String::with_capacity(MAX_TOKEN_BYTES + 2));
    let read = stdout.take(MAX_TOKEN_BYTES as u64 + 1).read_to_string(&mut text).await;
    let status = child.wait().await.map_err(not_run)?;
    if !status.success() {
        return Err(CommandFault::Failed(status.code()));
    }
    if read.is_err() || text.trim_ascii().is_empty() || text.len() > MAX_TOKEN_BYTES {
        return Err(CommandFault::NoToken);
    }
    Ok(text)
}

const LIMIT: Duration = Duration::from_secs(30);

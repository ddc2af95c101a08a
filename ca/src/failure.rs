//! What ends a command.

/// Anything that ends a command of `ca`: its message is shown as one line on standard error. Parts
/// that callers tell apart have errors of their own; this is for where they all come together.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

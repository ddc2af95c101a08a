//! The flags of `trust`, and nothing else.

use clap::Args;
use fetch::named::flags::{TrustCommand, TrustOutput, TrustUrl};

/// The flags of `trust`.
#[derive(Debug, Args)]
pub struct TrustFlags {
    /// What to trust.
    #[command(flatten)]
    pub url: TrustUrl,

    /// What to do with what is trusted.
    #[command(subcommand)]
    pub command: Option<TrustCommand>,

    /// How to say what came out
    #[arg(long, global = true, value_enum, default_value_t = TrustOutput::Text, value_name = "FORMAT")]
    pub output: TrustOutput,
}

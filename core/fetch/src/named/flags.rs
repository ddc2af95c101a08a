//! The flags of `trust`, which both tools have, and nothing else.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand, ValueEnum};

/// What to trust.
#[derive(Debug, Clone, Args)]
pub struct TrustUrl {
    /// The instance to trust, or a TUF mirror
    #[arg(value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub url: Option<String>,

    /// The SHA-256 of its root (1.root.json), which its operator has from `ca trust`; without it,
    /// the one that is found is shown, for you to compare
    #[arg(long, value_name = "SHA256", value_parser = NonEmptyStringValueParser::new())]
    pub fingerprint: Option<String>,

    /// The name to keep it under [default: the instance's own name, or its host]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub name: Option<String>,

    /// Leave the default instance as it is
    #[arg(long)]
    pub no_default: bool,
}

/// What to do with what is trusted.
#[derive(Debug, Clone, Subcommand)]
pub enum TrustCommand {
    /// List the trusted instances
    List,
    /// Show what is trusted under a name
    Show {
        /// The name [default: the default instance]
        name: Option<String>,
    },
    /// Ask the repository of a trusted instance for what is new
    Update {
        /// The name [default: the default instance]
        name: Option<String>,
    },
    /// Use an instance when none is asked for
    Default {
        /// The name
        name: String,
    },
    /// Forget an instance
    Remove {
        /// The name
        name: String,
    },
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TrustOutput {
    /// Words on standard error, results on standard output
    Text,
    /// One JSON object on standard output
    Json,
}

/// What the help of `trust` ends with.
pub const TRUST_HELP: &str = "\
Trust is pinned once, by the fingerprint of a root, and then kept up to date by the rules of TUF. It
is kept in $PARAPH_HOME, or in the folder `paraph` of your settings ($XDG_CONFIG_HOME or ~/.config;
Application Support on macOS; AppData on Windows).

Exit codes: 0 done, 1 otherwise";

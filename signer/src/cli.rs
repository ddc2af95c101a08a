//! The flags, and nothing else. Names are cosign's where cosign has one.

pub mod login;
pub mod trust;

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use fetch::named::flags::TRUST_HELP;

use self::login::{IdentityFlags, WhoAmI};
use self::trust::TrustFlags;

/// Signs files with a one-use key that is bound to your identity.
#[derive(Debug, Parser)]
#[command(name = "signer", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Sign files, and write a bundle beside each
    #[command(after_help = BLOB_HELP)]
    SignBlob(SignBlob),

    /// Show as whom you would sign, and who says so
    Whoami(WhoAmI),

    /// Sign in, and keep the token in the system's store for secrets until it expires
    Login(WhoAmI),

    /// Forget the token that login keeps
    Logout(WhoAmI),

    /// Trust an instance once, and look after what is trusted
    #[command(after_help = TRUST_HELP, arg_required_else_help = true)]
    #[command(args_conflicts_with_subcommands = true)]
    Trust(TrustFlags),
}

/// The flags of `sign-blob`.
#[derive(Args)]
pub struct SignBlob {
    /// The files to sign; `-` is standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Where to write the bundle; for one file only [default: FILE.sigstore.json]
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,

    /// The instance to sign with: the name or URL that it was trusted under, its folder, its
    /// client_trust_config.json, or its URL on this machine [default: the default instance]
    #[arg(long, value_name = "NAME|FOLDER|FILE|URL", help_heading = INSTANCE)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    #[arg(conflicts_with_all = ["trusted_root", "signing_config"])]
    pub instance: Option<String>,

    /// The trust root of the instance; goes with --signing-config
    #[arg(long, value_name = "FILE", requires = "signing_config", help_heading = INSTANCE)]
    pub trusted_root: Option<PathBuf>,

    /// The services of the instance; goes with --trusted-root
    #[arg(long, value_name = "FILE", requires = "trusted_root", help_heading = INSTANCE)]
    pub signing_config: Option<PathBuf>,

    /// Who signs
    #[command(flatten)]
    pub identity: IdentityFlags,

    /// How to say what came out
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,

    /// Agree to the instance's notice, where it has one, without being asked
    #[arg(short = 'y', long)]
    pub yes: bool,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Words on standard error, the name of each bundle on standard output
    Text,
    /// One JSON object on standard output
    Json,
}

impl std::fmt::Debug for SignBlob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignBlob")
            .field("files", &self.files)
            .field("bundle", &self.bundle)
            .field("instance", &self.instance)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

const INSTANCE: &str = "Instance (one of them, or its two files)";

const BLOB_HELP: &str = "\
Example:
  signer sign-blob app.tar.gz --instance http://localhost:8700 --identity-token token.txt

The token goes to the certificate authority alone. Its subject (an email address, or the identity
of a CI job) becomes public: it stands in the certificate, in the bundle and in the log.

Exit codes: 0 everything signed, 1 otherwise";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_token_is_not_shown() {
        let cli = Cli::try_parse_from(["signer", "sign-blob", "f", "--identity-token", "secret"])
            .unwrap();
        assert!(!format!("{cli:?}").contains("secret"));
    }
}

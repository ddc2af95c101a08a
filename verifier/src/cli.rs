//! The flags, and nothing else. Names are cosign's where cosign has one.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use fetch::named::flags::{TRUST_HELP, TrustCommand, TrustOutput, TrustUrl};

/// Verifies files against a pinned subject and issuer.
#[derive(Debug, Parser)]
#[command(name = "verifier", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to verify.
    #[command(subcommand)]
    pub command: Command,
}

/// What to verify.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Verify a file, or the digest of one, with its bundle
    #[command(after_help = BLOB_HELP)]
    VerifyBlob(VerifyBlob),

    /// Trust an instance once, and look after what is trusted
    #[command(after_help = TRUST_HELP, arg_required_else_help = true)]
    #[command(args_conflicts_with_subcommands = true)]
    Trust(Trust),
}

/// The flags of `trust`.
#[derive(Debug, Args)]
pub struct Trust {
    /// What to trust.
    #[command(flatten)]
    pub url: TrustUrl,

    /// What to do with what is trusted.
    #[command(subcommand)]
    pub command: Option<TrustAction>,

    /// How to say what came out
    #[arg(long, global = true, value_enum, default_value_t = TrustOutput::Text, value_name = "FORMAT")]
    pub output: TrustOutput,
}

/// What to do with what is trusted.
#[derive(Debug, Subcommand)]
pub enum TrustAction {
    /// What `signer` can do, too.
    #[command(flatten)]
    Manage(TrustCommand),
    /// Write what another client needs to trust an instance too, and print the lines to run
    Export(Export),
}

/// The flags of `trust export`.
#[derive(Debug, Args)]
pub struct Export {
    /// The client to write for
    #[arg(long = "for", value_enum, value_name = "CLIENT")]
    pub client: Client,

    /// The instance [default: the default instance]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub instance: Option<String>,

    /// Where to write its files [default: NAME-for-CLIENT]
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

/// A client that can be given an instance to trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Client {
    /// cosign
    Cosign,
    /// gitsign
    Gitsign,
    /// sigstore for Python
    SigstorePython,
    /// sigstore for JavaScript
    SigstoreJs,
    /// The policy-controller of Sigstore
    PolicyController,
    /// Kyverno
    Kyverno,
}

/// The flags of `verify-blob`.
#[derive(Debug, Args)]
pub struct VerifyBlob {
    /// The file, `-` for standard input, or its digest as sha256: and 64 lower-case hex digits
    #[arg(value_name = "FILE|sha256:HEX")]
    pub artifact: OsString,

    /// The bundle with the signature [default: FILE.sigstore.json]
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,

    /// Who must have signed: the exact email address, URI or user name in the certificate
    #[arg(long, value_name = "IDENTITY", value_parser = NonEmptyStringValueParser::new())]
    #[arg(conflicts_with = "certificate_identity_regexp", help_heading = SIGNER)]
    pub certificate_identity: Option<String>,

    /// A regular expression that must match the whole identity
    #[arg(long, value_name = "PATTERN", help_heading = SIGNER)]
    pub certificate_identity_regexp: Option<String>,

    /// Who must have vouched for that identity: the exact URL of the OpenID Connect issuer
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    #[arg(conflicts_with = "certificate_oidc_issuer_regexp", help_heading = SIGNER)]
    pub certificate_oidc_issuer: Option<String>,

    /// A regular expression that must match the whole issuer
    #[arg(long, value_name = "PATTERN", help_heading = SIGNER)]
    pub certificate_oidc_issuer_regexp: Option<String>,

    /// A public key (PEM) that must have signed, instead of an identity
    #[arg(long, value_name = "FILE", help_heading = SIGNER)]
    pub key: Option<PathBuf>,

    /// The predicate type that an attestation must have: a URI, or one of the names below
    #[arg(long = "type", value_name = "TYPE", value_parser = NonEmptyStringValueParser::new())]
    pub predicate_type: Option<String>,

    /// The trust root to verify with [default: that of the default instance, where one was trusted,
    /// else that of the public Sigstore, built in]
    #[arg(long, value_name = "FILE", conflicts_with = "instance", help_heading = TRUST)]
    pub trusted_root: Option<PathBuf>,

    /// The instance to trust: the name or URL that it was trusted under (sigstore is the public one),
    /// its folder, its client_trust_config.json, or its URL on this machine
    #[arg(long, value_name = "NAME|FOLDER|FILE|URL", help_heading = TRUST)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub instance: Option<String>,

    /// Send nothing: no packet, no name look-up. A trusted instance is taken as it is held, even when
    /// its timestamp has ended; only an instance named by its URL alone needs the network
    #[arg(long, help_heading = TRUST)]
    pub offline: bool,

    /// How to say what came out
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
}

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Words on standard error, one line on standard output
    Text,
    /// One JSON object on standard output, for a refusal too
    Json,
}

/// The short names for predicate types, as cosign has them.
pub const PREDICATE_TYPES: [(&str, &str); 10] = [
    ("slsaprovenance", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance02", "https://slsa.dev/provenance/v0.2"),
    ("slsaprovenance1", "https://slsa.dev/provenance/v1"),
    ("link", "https://in-toto.io/Link/v1"),
    ("spdx", "https://spdx.dev/Document"),
    ("spdxjson", "https://spdx.dev/Document"),
    ("cyclonedx", "https://cyclonedx.org/bom"),
    ("vuln", "https://cosign.sigstore.dev/attestation/vuln/v1"),
    ("openvex", "https://openvex.dev/ns"),
    ("custom", "https://cosign.sigstore.dev/attestation/v1"),
];

const SIGNER: &str = "Signer (an identity with its issuer, or a key)";
const TRUST: &str = "Trust";

const EXIT_CODES: &str = "\
Exit codes: 0 verified, 1 usage or environment, 10 no signature, 11 no such artifact,
12 a signature that does not hold or does not match";

const BLOB_HELP: &str = "\
Example:
  verifier verify-blob app.tar.gz --certificate-identity alice@example.com \\
    --certificate-oidc-issuer https://accounts.example.com

Names for --type: slsaprovenance, slsaprovenance02, slsaprovenance1, link, spdx, spdxjson,
cyclonedx, vuln, openvex, custom

Exit codes: 0 verified, 1 usage or environment, 10 no signature, 11 no such artifact,
12 a signature that does not hold or does not match";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn flags_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_names_every_predicate_type() {
        for (name, _) in PREDICATE_TYPES {
            assert!(BLOB_HELP.contains(name), "{name}");
        }
    }
}

//! The command line of `ca`: flags and nothing else.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Keyless signing that anyone can run: a certificate authority, its transparency logs and a
/// timestamp authority in one binary and one folder.
#[derive(Debug, Parser)]
#[command(name = "ca", version, propagate_version = true)]
pub struct Cli {
    /// How log lines are written on standard error.
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Which log lines are written: error, warn, info, debug, or a tracing filter.
    #[arg(long, global = true, default_value = "info", value_name = "FILTER")]
    pub log_level: String,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What `ca` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a new instance: keys, certificates, logs and an annotated ca.toml.
    Init(Init),
    /// Serve an instance.
    Serve {
        /// The instance folder.
        dir: PathBuf,
    },
    /// Make and serve an instance for development, with an identity provider that believes
    /// everyone. Loopback only.
    Dev {
        /// The instance folder; a temporary one when it is left out.
        dir: Option<PathBuf>,
        /// Address and port on loopback; kept in ca.toml from the first start [default:
        /// 127.0.0.1:8700].
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
    },
    /// Print a token of the development identity provider.
    Token {
        /// The folder of an instance made by `ca dev`.
        dir: PathBuf,
        /// Whom the token names.
        #[arg(long)]
        email: String,
        /// The audience.
        #[arg(long, default_value = "sigstore")]
        aud: String,
    },
    /// Say, rule by rule, what certificate a token would get, or why it would get none.
    ///
    /// Exits with 0 if one would be issued, 12 if not, and 1 if that cannot be told.
    Explain(Explain),
    /// Turn the issuers of a Fulcio configuration (YAML or JSON) into tables for ca.toml.
    ImportFulcioConfig {
        /// Fulcio's configuration.
        file: PathBuf,
        /// Append the tables to DIR/ca.toml instead of printing them.
        #[arg(long, value_name = "DIR")]
        into: Option<PathBuf>,
    },
    /// Recheck the logs from their entries, and say what is wrong.
    Fsck {
        /// The instance folder.
        dir: PathBuf,
    },
    /// Renew the TUF repository by hand, and sign its root elsewhere.
    #[command(subcommand)]
    Tuf(Tuf),
    /// Exchange a key: publish a new one, and in a second call, a day later, sign with it.
    Rotate(Rotate),
    /// Print or write the files with which clients trust the instance; says the fingerprint of its
    /// TUF root, and what a person types to trust it.
    Trust {
        /// The instance folder.
        dir: PathBuf,
        /// The file to print.
        #[arg(long, value_enum, default_value_t = TrustFile::ClientTrustConfig)]
        file: TrustFile,
        /// Write all files into this folder instead, and the first TUF root as root.json.
        #[arg(long, value_name = "FOLDER", conflicts_with = "file")]
        out: Option<PathBuf>,
        /// Write all files into DIR/public anew: after a change of the URLs in ca.toml.
        #[arg(long, conflicts_with_all = ["file", "out"])]
        write: bool,
    },
}

/// What `ca tuf` can do.
#[derive(Debug, Subcommand)]
pub enum Tuf {
    /// Publish the next root: after a change of keys or thresholds in ca.toml, or to renew it.
    Root {
        /// The instance folder.
        dir: PathBuf,
        /// Write the next root into this file instead, to be signed elsewhere.
        #[arg(long, value_name = "FILE")]
        export: Option<PathBuf>,
        /// Publish the root in this file, once enough keys have signed it.
        #[arg(long, value_name = "FILE", conflicts_with = "export")]
        import: Option<PathBuf>,
    },
    /// Add a signature to an exported root; needs no instance.
    Sign {
        /// The exported root; the signature is added in place.
        file: PathBuf,
        /// The private key: PKCS#8 PEM, readable by its owner alone.
        #[arg(long, value_name = "KEY")]
        key: PathBuf,
    },
    /// Sign targets, snapshot and timestamp where they age, as the running server does by itself.
    Renew {
        /// The instance folder.
        dir: PathBuf,
    },
}

/// The flags of `ca init`.
#[derive(Debug, clap::Args)]
pub struct Init {
    /// The instance folder; must not exist or be empty.
    pub dir: PathBuf,
    /// Who runs the instance: the organisation in its certificates.
    #[arg(long, default_value = "Paraph")]
    pub name: String,
    /// Where `ca serve` will listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8700")]
    pub listen: SocketAddr,
    /// The address of the certificate authority, as clients write it.
    #[arg(long, value_name = "URL")]
    pub ca_url: Option<String>,
    /// The address of the artifact log; its host name is the log's origin.
    #[arg(long, value_name = "URL")]
    pub log_url: Option<String>,
    /// The address of the certificate transparency log.
    #[arg(long, value_name = "URL")]
    pub ct_url: Option<String>,
    /// The full address of the timestamp authority.
    #[arg(long, value_name = "URL")]
    pub tsa_url: Option<String>,
}

/// The flags of `ca explain`.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).args(["token", "claims"]))]
pub struct Explain {
    /// The instance folder.
    pub dir: PathBuf,
    /// A file with an identity token, or - for standard input. Its signature and times are
    /// checked, as the server would; it is never printed.
    #[arg(long, value_name = "FILE")]
    pub token: Option<PathBuf>,
    /// A file with the claims of a token as a JSON object, or - for standard input. Neither a
    /// signature nor a time is checked.
    #[arg(long, value_name = "FILE")]
    pub claims: Option<PathBuf>,
    /// How the answer is written.
    #[arg(long, value_enum, default_value_t = Output::Text)]
    pub output: Output,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

/// The flags of `ca rotate`.
#[derive(Debug, clap::Args)]
pub struct Rotate {
    /// Whose key.
    #[arg(value_enum)]
    pub what: RotateWhat,
    /// The instance folder.
    pub dir: PathBuf,
    /// How long clients have to read the new trust root before the key may sign: a number of
    /// seconds, or with m, h or d of minutes, hours or days.
    #[arg(long, value_name = "TIME", default_value = "1d", value_parser = seconds)]
    pub wait: i64,
    /// The root's private key, which certifies a new issuing or timestamp key, when it is not in
    /// DIR/keys.
    #[arg(long, value_name = "FILE")]
    pub root_key: Option<PathBuf>,
    /// Switch before that time is over: clients with the older trust root refuse what is signed.
    #[arg(long)]
    pub without_waiting: bool,
}

/// What `ca rotate` exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RotateWhat {
    /// The key and certificate that issue.
    Ca,
    /// The key of the certificate transparency log.
    Ct,
    /// The key of the artifact log.
    Log,
    /// The key and certificate of the timestamp authority.
    Tsa,
    /// The keys of the TUF repository, in one call: clients follow from root to root.
    Tuf,
    /// Nothing: show every key, since when and until when it is trusted.
    Status,
}

fn seconds(text: &str) -> Result<i64, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 60 * 60),
        Some((at, 'd')) => (&text[..at], 24 * 60 * 60),
        _ => (text, 1),
    };
    let count: u32 = digits.parse().map_err(|_| "a number, with m, h or d or none".to_owned())?;
    Ok(i64::from(count) * unit)
}

/// One of the published files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TrustFile {
    /// trusted_root.json
    TrustedRoot,
    /// signing_config.v0.2.json
    SigningConfig,
    /// client_trust_config.json: both in one, for sigstore-python and `signer --instance`.
    ClientTrustConfig,
    /// paraph_instance.v1.json
    Instance,
    /// 1.root.json of the TUF repository
    Root,
}

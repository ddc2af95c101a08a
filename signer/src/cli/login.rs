//! The flags that say who signs. Names are cosign's where cosign has one.

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use super::Output;
use crate::login::Source;

/// Who signs, and how they show it.
#[derive(Args, Default)]
pub struct IdentityFlags {
    /// Your OpenID Connect identity token: a file that holds it, `-` for standard input, or the token
    /// itself. Prefer a file, or the variable SIGSTORE_ID_TOKEN: other users of a machine can see its
    /// command lines
    #[arg(long, value_name = "FILE|TOKEN", help_heading = IDENTITY)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub identity_token: Option<String>,

    /// The provider to take the token from, instead of the first that is there
    #[arg(long, value_enum, value_name = "PROVIDER", help_heading = IDENTITY)]
    #[arg(conflicts_with_all = ["identity_token", "oidc_disable_ambient_providers"])]
    pub oidc_provider: Option<Provider>,

    /// Do not look for a token in the surroundings (CI, cloud, files, SIGSTORE_ID_TOKEN)
    #[arg(long, help_heading = IDENTITY)]
    pub oidc_disable_ambient_providers: bool,

    /// Where to sign in; must be one that the instance trusts [default: the instance's own choice]
    #[arg(long, value_name = "URL", env = "SIGSTORE_OIDC_ISSUER", help_heading = IDENTITY)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub oidc_issuer: Option<String>,

    /// The client id of the instance, for which tokens are made [default: what the instance says,
    /// else sigstore]
    #[arg(long, value_name = "ID", env = "SIGSTORE_OIDC_CLIENT_ID", help_heading = IDENTITY)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub oidc_client_id: Option<String>,

    /// How to sign in [default: by a token that is there, else by browser, or without a display by a
    /// code]
    #[arg(long, value_enum, value_name = "FLOW", help_heading = IDENTITY)]
    pub fulcio_auth_flow: Option<AuthFlow>,

    /// Sign as this identity or not at all: an email address, or the URI of a job
    #[arg(long, value_name = "IDENTITY", help_heading = IDENTITY)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub expect_identity: Option<String>,

    /// Sign as somebody that this issuer vouches for, or not at all
    #[arg(long, value_name = "URL", help_heading = IDENTITY)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub expect_issuer: Option<String>,
}

/// The flags of `whoami`, `login` and `logout`.
#[derive(Debug, Args)]
pub struct WhoAmI {
    /// The instance that signatures are made with, as for sign-blob
    #[arg(long, value_name = "FOLDER|FILE|URL")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub instance: Option<String>,

    /// Who signs
    #[command(flatten)]
    pub identity: IdentityFlags,

    /// How to say it
    #[arg(long, value_enum, default_value_t = Output::Text, value_name = "FORMAT")]
    pub output: Output,
}

/// Where a token may come from without anybody being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Provider {
    /// GitHub Actions
    #[value(alias = "github")]
    GithubActions,
    /// GitLab CI
    Gitlab,
    /// Buildkite
    #[value(alias = "buildkite")]
    BuildkiteAgent,
    /// CircleCI
    Circleci,
    /// The variable SIGSTORE_ID_TOKEN
    Envvar,
    /// The file /var/run/sigstore/cosign/oidc-token
    #[value(alias = "kubernetes")]
    Filesystem,
    /// The service account of a machine in Google Cloud
    #[value(alias = "google")]
    GoogleWorkloadIdentity,
    /// The service account that GOOGLE_SERVICE_ACCOUNT_NAME names
    GoogleImpersonate,
    /// The agent at the socket that SPIFFE_ENDPOINT_SOCKET names
    Spiffe,
}

/// How somebody signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthFlow {
    /// In a browser on this machine
    Normal,
    /// With a code that is typed in a browser elsewhere
    Device,
    /// With a token that is there, or not at all
    Token,
}

impl From<Provider> for Source {
    fn from(provider: Provider) -> Self {
        match provider {
            Provider::GithubActions => Self::GitHub,
            Provider::Gitlab => Self::GitLab,
            Provider::BuildkiteAgent => Self::Buildkite,
            Provider::Circleci => Self::CircleCi,
            Provider::Envvar => Self::Variable,
            Provider::Filesystem => Self::File,
            Provider::GoogleWorkloadIdentity => Self::Google,
            Provider::GoogleImpersonate => Self::GoogleImpersonation,
            Provider::Spiffe => Self::Spiffe,
        }
    }
}

impl std::fmt::Debug for IdentityFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityFlags")
            .field("identity_token", &self.identity_token.as_ref().map(|_| "redacted"))
            .field("oidc_provider", &self.oidc_provider)
            .field("fulcio_auth_flow", &self.fulcio_auth_flow)
            .finish_non_exhaustive()
    }
}

const IDENTITY: &str = "Identity";

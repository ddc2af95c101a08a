//! The places that tokens come from, by their names.

use std::fmt;

use super::VARIABLE;

/// Where a token comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// `--identity-token`.
    Flag,
    /// `SIGSTORE_ID_TOKEN`.
    Variable,
    /// The token service of GitHub Actions.
    GitHub,
    /// A variable of a GitLab job.
    GitLab,
    /// The agent of Buildkite.
    Buildkite,
    /// The job's command of CircleCI.
    CircleCi,
    /// A file that Kubernetes, or something else, put where cosign looks for it.
    File,
    /// A service account of Google Cloud that the machine's own may impersonate.
    GoogleImpersonation,
    /// The service account of a machine in Google Cloud.
    Google,
    /// The agent of the workload, over SPIFFE's socket.
    Spiffe,
    /// What `signer login` keeps.
    Stored,
    /// A person, through a browser.
    Browser,
    /// A person, through a code that is typed elsewhere.
    Device,
}

impl Source {
    /// A stable name, in kebab case.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Flag => "flag",
            Self::Variable => "envvar",
            Self::GitHub => "github-actions",
            Self::GitLab => "gitlab",
            Self::Buildkite => "buildkite-agent",
            Self::CircleCi => "circleci",
            Self::File => "filesystem",
            Self::GoogleImpersonation => "google-impersonate",
            Self::Google => "google-workload-identity",
            Self::Spiffe => "spiffe",
            Self::Stored => "stored",
            Self::Browser => "browser",
            Self::Device => "device",
        }
    }

    /// Whether a person is at hand.
    #[must_use]
    pub const fn is_interactive(self) -> bool {
        matches!(self, Self::Browser | Self::Device)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flag => "--identity-token",
            Self::Variable => VARIABLE,
            Self::GitHub => "GitHub Actions",
            Self::GitLab => "GitLab CI",
            Self::Buildkite => "Buildkite",
            Self::CircleCi => "CircleCI",
            Self::File => "the file /var/run/sigstore/cosign/oidc-token",
            Self::GoogleImpersonation => "Google Cloud (impersonation)",
            Self::Google => "Google Cloud",
            Self::Spiffe => "SPIFFE",
            Self::Stored => "signer login",
            Self::Browser => "the browser",
            Self::Device => "a device code",
        })
    }
}

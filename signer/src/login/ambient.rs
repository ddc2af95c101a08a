//! The pipeline's or the machine's own provider: the place it runs in says who it is, and nobody
//! has to configure anything.
//!
//! The order is cosign's: a CI system first (self-hosted runners stand in other environments that
//! also have tokens), then the mounted file, the cloud, and the workload socket. A CI job that is
//! not allowed a token fails at once, with the line that is missing: to go on would end in a
//! browser that nobody sees, or in the identity of the machine instead of the job's.

use std::path::Path;

use fetch::http::{Http, HttpError};
use fetch::shown::shown;
use formats::json::JsonError;
use thiserror::Error;
use zeroize::Zeroizing;

use super::command::CommandFault;
use super::environment::Environment;
use super::{Source, buildkite, circleci, file, github, gitlab, google};

/// What is asked of a provider, and in which surroundings.
pub struct Asked<'a> {
    /// The client.
    pub http: &'a Http,
    /// The run's variables.
    pub environment: &'a Environment,
    /// Whom the token is to be for: the instance's client id.
    pub audience: &'a str,
    /// Files of the machine that providers read.
    pub files: Files<'a>,
}

/// Where the files of the machine are that providers read.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// A token that Kubernetes projects into a pod.
    pub projected_token: &'a Path,
    /// The product name in the firmware's tables, which tells a machine of Google's cloud.
    pub product_name: &'a Path,
}

impl Files<'static> {
    /// Where they are on a real machine.
    #[must_use]
    pub fn of_this_machine() -> Self {
        Self {
            projected_token: Path::new("/var/run/sigstore/cosign/oidc-token"),
            product_name: Path::new("/sys/class/dmi/id/product_name"),
        }
    }
}

/// Why the surroundings gave no token although they should.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AmbientError {
    /// A GitHub Actions job without the permission.
    #[error(
        "this GitHub Actions job may not ask for an identity token: ACTIONS_ID_TOKEN_REQUEST_URL \
         and ACTIONS_ID_TOKEN_REQUEST_TOKEN are not set"
    )]
    GitHubPermission,
    /// A GitLab job that asked for no token.
    #[error("this GitLab job has no identity token: {variable} is not set")]
    GitLabToken {
        /// The variable that would hold it.
        variable: String,
    },
    /// A source that was asked for by name is not there.
    #[error("there is no identity token of {via}: {missing} is not there")]
    NotHere {
        /// Which source.
        via: Source,
        /// The variable or file that would show it.
        missing: &'static str,
    },
    /// A source that this system has not.
    #[error("{via} is not to be had on this system")]
    NotOnThisSystem {
        /// Which source.
        via: Source,
    },
    /// A variable that should hold a URL.
    #[error("{from} is not a URL that a token service can have")]
    Url {
        /// The variable.
        from: &'static str,
    },
    /// A credential or a name with characters that no request can carry. It is not shown.
    #[error("{from} has characters that it cannot have")]
    Credential {
        /// The variable, or what it is.
        from: &'static str,
    },
    /// The service gave no usable answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The service's answer is not what it should be.
    #[error("the answer of the token service at {} does not parse: {fault}", shown(url))]
    Answer {
        /// Who answered.
        url: String,
        /// What was wrong.
        fault: JsonError,
    },
    /// A command that should give a token.
    #[error("{program}: {fault}")]
    Command {
        /// The program.
        program: &'static str,
        /// What was wrong.
        fault: CommandFault,
    },
    /// The workload's agent gave no token.
    #[cfg(unix)]
    #[error("SPIFFE_ENDPOINT_SOCKET: {0}")]
    Spiffe(super::spiffe::SpiffeFault),
    /// A token's file that is there and cannot be read.
    #[error("cannot read {}: {kind}", shown(path))]
    File {
        /// The file.
        path: String,
        /// What the system said.
        kind: std::io::ErrorKind,
    },
}

/// Asks the provider that was named, or else each in order; none when no one is there.
///
/// # Errors
/// [`AmbientError`] of the first provider that is there and gives no token.
pub async fn ambient(
    wanted: Option<Source>,
    asked: &Asked<'_>,
) -> Result<Option<(Source, Zeroizing<String>)>, AmbientError> {
    for source in ORDER.into_iter().filter(|source| wanted.is_none_or(|wanted| wanted == *source)) {
        let given = match source {
            Source::GitHub => github::token(asked).await?,
            Source::GitLab => gitlab::token(asked)?,
            Source::Buildkite => buildkite::token(asked).await?,
            Source::CircleCi => circleci::token(asked).await?,
            Source::File => file::token(asked)?,
            Source::GoogleImpersonation => google::impersonated(asked).await?,
            Source::Google => google::token(asked, wanted.is_some()).await?,
            #[cfg(unix)]
            Source::Spiffe => super::spiffe::token(asked).await?,
            #[cfg(not(unix))]
            Source::Spiffe if wanted.is_some() => {
                return Err(AmbientError::NotOnThisSystem { via: source });
            }
            #[cfg(not(unix))]
            Source::Spiffe => None,
            Source::Flag | Source::Variable | Source::Stored | Source::Browser | Source::Device => {
                None
            }
        };
        if let Some(token) = given {
            return Ok(Some((source, token)));
        }
        if wanted.is_some() {
            return Err(AmbientError::NotHere { via: source, missing: sign_of(source) });
        }
    }
    Ok(None)
}

/// What shows that a source is there.
fn sign_of(source: Source) -> &'static str {
    match source {
        Source::GitHub => "ACTIONS_ID_TOKEN_REQUEST_URL",
        Source::GitLab => "GITLAB_CI",
        Source::Buildkite => "BUILDKITE_AGENT_ACCESS_TOKEN",
        Source::CircleCi => "CIRCLECI",
        Source::File => "/var/run/sigstore/cosign/oidc-token",
        Source::GoogleImpersonation => "GOOGLE_SERVICE_ACCOUNT_NAME",
        Source::Google => "a metadata server",
        Source::Spiffe => "SPIFFE_ENDPOINT_SOCKET",
        Source::Variable => "SIGSTORE_ID_TOKEN",
        Source::Flag | Source::Stored | Source::Browser | Source::Device => "it",
    }
}

const ORDER: [Source; 8] = [
    Source::GitHub,
    Source::GitLab,
    Source::Buildkite,
    Source::CircleCi,
    Source::File,
    Source::GoogleImpersonation,
    Source::Google,
    Source::Spiffe,
];

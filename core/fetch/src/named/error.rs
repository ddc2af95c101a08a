//! What can go wrong with named trust, one variant per cause.

use std::io;

use formats::json::JsonError;
use thiserror::Error;

use crate::endpoint::EndpointError;
use crate::shown::shown;
use crate::tuf::TufError;

/// Why there is no named trust to go by, or why it cannot be changed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NamedError {
    /// Nothing says where the configuration of this user is.
    #[error("there is no folder for settings: neither PARAPH_HOME nor {0} is set")]
    NoHome(&'static str),
    /// A folder that would depend on the working directory.
    #[error("{variable} is {}, which is not an absolute path", shown(path))]
    RelativeHome {
        /// The environment variable.
        variable: &'static str,
        /// What it says.
        path: String,
    },
    /// Not a name.
    #[error("{} is not a name: 1 to 63 of a-z, 0-9 and -, and no - first or last", shown(text))]
    Name {
        /// What was given.
        text: String,
    },
    /// The name of the root that is built in.
    #[error("the name {RESERVED} belongs to the public Sigstore")]
    Reserved,
    /// Nothing was trusted under this name.
    #[error("nothing is trusted under the name {name}{}", known(names))]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        names: Vec<String>,
    },
    /// The name is of another root.
    #[error("the name {name} is of {}, which was pinned by another root", shown(url))]
    Taken {
        /// The name.
        name: String,
        /// What was trusted under it.
        url: String,
    },
    /// The name is that of a folder or file too.
    #[error("{name} is the name of a trusted instance and of a file here")]
    Ambiguous {
        /// The name.
        name: String,
    },
    /// Neither a name nor a file.
    #[error("{} is neither the name of a trusted instance nor a folder or file", shown(text))]
    Neither {
        /// What was given.
        text: String,
    },
    /// A file of the store that cannot be read or written.
    #[error("cannot {doing} {}: {kind}", shown(path))]
    Io {
        /// `read` or `write`.
        doing: &'static str,
        /// The file.
        path: String,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// A file of the store that is not what was written there.
    #[error("{} is damaged: {fault}", shown(path))]
    Damaged {
        /// The file.
        path: String,
        /// What was wrong with it.
        fault: JsonError,
    },
    /// The repository, or what is held of it.
    #[error("{name}: {fault}")]
    Tuf {
        /// Which root.
        name: String,
        /// What was wrong.
        fault: TufError,
    },
    /// The repository cannot be asked, and what is held can no longer be called the newest.
    #[error(
        "{name}: {fault}; what is held of it may be used online until {fresh_until} and is too old \
         now"
    )]
    Stale {
        /// Which root.
        name: String,
        /// Why it cannot be asked.
        fault: Box<TufError>,
        /// Since when, in RFC 3339.
        fresh_until: String,
    },
    /// Not a fingerprint.
    #[error(
        "{} is not a fingerprint: 64 hexadecimal digits, with or without sha256: before them",
        shown(text)
    )]
    Fingerprint {
        /// What was given.
        text: String,
    },
    /// Not a URL.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// No fingerprint, and nobody to ask.
    #[error(
        "no fingerprint was given, and there is no terminal to compare it on; that of {url} is {found}"
    )]
    NotCompared {
        /// The instance.
        url: String,
        /// What it has.
        found: String,
    },
    /// A person said no.
    #[error("not trusted")]
    Declined,
    /// Nothing says which.
    #[error("nothing says which: give a name{}", known(names))]
    NoName {
        /// The names that there are.
        names: Vec<String>,
    },
    /// A URL is missing.
    #[error("nothing says what to trust: give the URL of an instance")]
    NoUrl,
    /// A file of the instance that does not parse.
    #[error("{name}: its {file} is refused: {reason}")]
    Content {
        /// Which root.
        name: String,
        /// Which file.
        file: &'static str,
        /// What its reader said.
        reason: String,
    },
    /// A signer needs to know the services.
    #[error("{name} publishes no signing configuration, without which nothing says where to sign")]
    NoSigningConfig {
        /// Which root.
        name: String,
    },
    /// The built-in root says nothing of services.
    #[error(
        "the root that is built in for the public Sigstore verifies, and says nothing of where to sign"
    )]
    OnlyVerifies,
    /// The machinery for the network did not start.
    #[error("cannot start the network: {0}")]
    Runtime(io::ErrorKind),
}

fn known(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(" (there are: {})", names.join(", ")) }
}

impl NamedError {
    /// A stable name for the cause, in kebab case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoHome(_) | Self::RelativeHome { .. } => "no-home",
            Self::Name { .. } | Self::Reserved => "name",
            Self::Unknown { .. } | Self::Neither { .. } => "unknown-instance",
            Self::Taken { .. } => "name-taken",
            Self::Ambiguous { .. } => "ambiguous-instance",
            Self::Io { .. } => "trust-store",
            Self::Damaged { .. } => "trust-store-damaged",
            Self::Tuf { fault: TufError::Http(_), .. } => "instance-unreachable",
            Self::Tuf { fault: TufError::NoSuchRoot { .. }, .. } => "fingerprint",
            Self::Tuf { fault: TufError::NoRepository { .. }, .. } => "no-repository",
            Self::Tuf { fault: TufError::Held(_) | TufError::NotHeld(_), .. } => "trust-held",
            Self::Tuf { .. } => "trust-repository",
            Self::Stale { .. } => "trust-stale",
            Self::Fingerprint { .. } => "usage",
            Self::Endpoint(_) | Self::NoName { .. } | Self::NoUrl => "usage",
            Self::NotCompared { .. } => "not-compared",
            Self::Declined => "declined",
            Self::Content { .. } | Self::NoSigningConfig { .. } => "trust-content",
            Self::OnlyVerifies => "usage",
            Self::Runtime(_) => "runtime",
        }
    }

    /// Who is to blame, in one word: `usage`, `environment`, `network` or `instance`.
    #[must_use]
    pub fn blame(&self) -> &'static str {
        match self {
            Self::Name { .. }
            | Self::Reserved
            | Self::Unknown { .. }
            | Self::Taken { .. }
            | Self::Ambiguous { .. }
            | Self::Neither { .. }
            | Self::Fingerprint { .. }
            | Self::Endpoint(_)
            | Self::NotCompared { .. }
            | Self::Declined
            | Self::NoName { .. }
            | Self::NoUrl
            | Self::OnlyVerifies => "usage",
            Self::NoHome(_)
            | Self::RelativeHome { .. }
            | Self::Io { .. }
            | Self::Damaged { .. }
            | Self::Tuf { fault: TufError::Held(_) | TufError::NotHeld(_), .. }
            | Self::Runtime(_) => "environment",
            Self::Tuf { fault: TufError::Http(_), .. } | Self::Stale { .. } => "network",
            Self::Tuf { .. } | Self::Content { .. } | Self::NoSigningConfig { .. } => "instance",
        }
    }

    /// What to do next, for somebody who runs `tool`.
    #[must_use]
    pub fn advice(&self, tool: &str) -> String {
        match self {
            Self::NoHome(_) | Self::RelativeHome { .. } => {
                "Set PARAPH_HOME to an absolute path, or give the instance's files.".to_owned()
            }
            Self::Name { .. } => "Give a name such as example or team-a.".to_owned(),
            Self::Reserved | Self::Taken { .. } => "Give another name with --name.".to_owned(),
            Self::Unknown { .. } | Self::Neither { .. } => {
                format!("See {tool} trust list, or trust it: {tool} trust URL --fingerprint F.")
            }
            Self::Ambiguous { name } => {
                format!("Give the file as ./{name}, or rename it; no guess is made.")
            }
            Self::Io { .. } => {
                "Check the folder and its permissions, or set PARAPH_HOME to another.".to_owned()
            }
            Self::Damaged { .. }
            | Self::Tuf { fault: TufError::Held(_) | TufError::NotHeld(_), .. } => format!(
                "Ask its repository again with {tool} trust update NAME; if it stays so, remove \
                 it and trust it anew."
            ),
            Self::Tuf { fault: TufError::NoSuchRoot { .. }, .. } => {
                "Do not trust it. Ask the operator for the fingerprint again, over a channel that \
                 you trust."
                    .to_owned()
            }
            Self::Tuf { fault: TufError::NoRepository { .. }, .. } => {
                "Give the instance's URL, or that of its TUF mirror.".to_owned()
            }
            Self::Tuf { fault: TufError::Http(_), .. } => {
                "Check that the instance runs, and the URL.".to_owned()
            }
            Self::Stale { .. } => {
                "Try again when it can be reached; --offline goes on with what is held, as long as \
                 that lives."
                    .to_owned()
            }
            Self::Tuf { .. } | Self::Content { .. } | Self::NoSigningConfig { .. } => {
                "Nothing of it was stored. Tell the instance's operator.".to_owned()
            }
            Self::Fingerprint { .. } => {
                "The operator has it from `ca trust`: the SHA-256 of 1.root.json.".to_owned()
            }
            Self::Endpoint(_) | Self::NoUrl => {
                "Give the instance's URL, such as https://sign.example.com.".to_owned()
            }
            Self::NotCompared { url, found } => format!(
                "Compare it with what the operator gave you, and only then run: {tool} trust {url} \
                 --fingerprint {found}"
            ),
            Self::OnlyVerifies => format!(
                "Trust its repository under a name of your own: {tool} trust \
                 https://tuf-repo-cdn.sigstore.dev --fingerprint F --name NAME."
            ),
            Self::Declined => "Nothing was stored.".to_owned(),
            Self::NoName { .. } => format!("See {tool} trust list."),
            Self::Runtime(_) => {
                "Try again; if it stays so, this machine lacks resources.".to_owned()
            }
        }
    }
}

/// The name of the public Sigstore's trust root, which is built in.
pub const RESERVED: &str = "sigstore";

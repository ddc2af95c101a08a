//! Which trust root a verdict rests on. It is chosen by the flags, or by what was made the default,
//! and a choice that cannot be had is an error: one root never stands in for another.

use std::path::{Path, PathBuf};

use fetch::http::Http;
use fetch::named::{Home, NamedError, NamedRoot, RESERVED};
use fetch::shown::one_line;
use fetch::trust::{self, Instance, PUBLIC_SIGSTORE_DATE};
use formats::digest::Digest;
use formats::trusted_root::TrustedRoot;

use crate::cli::VerifyBlob;
use crate::error::{Failure, UsageFault};

/// Where the trust root comes from.
pub(crate) enum RootSource<'a> {
    /// That of the public Sigstore, built in.
    BuiltIn,
    /// That of an instance that was trusted once.
    Named(Box<NamedRoot>),
    /// A file.
    File(&'a Path),
    /// An instance named by its folder, file or URL.
    Instance(&'a str, Instance),
}

/// The trust root that a verdict rests on, for the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootUsed {
    /// That of the public Sigstore, built in.
    BuiltIn,
    /// That of an instance that was trusted once.
    Named {
        /// Its name here.
        name: String,
        /// Its URL.
        url: String,
        /// The SHA-256 of the root that was pinned.
        fingerprint: Digest,
        /// Why nothing newer was asked for, where that was tried.
        unreached: Option<String>,
    },
    /// A file.
    File(PathBuf),
    /// An instance, as it was named.
    Instance(String),
}

impl<'a> RootSource<'a> {
    pub(crate) fn of(flags: &'a VerifyBlob) -> Result<Self, Failure> {
        if let Some(path) = &flags.trusted_root {
            return Ok(Self::File(path));
        }
        let home = match Home::of_environment() {
            Ok(home) => Some(home),
            // Whoever has no home has trusted nothing, and made nothing the default.
            Err(NamedError::NoHome(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let Some(given) = &flags.instance else {
            let default = home.map(|home| home.open_default()).transpose()?.flatten();
            return Ok(default.map_or(Self::BuiltIn, |root| Self::Named(Box::new(root))));
        };
        match Instance::parse(given, home.as_ref())? {
            Instance::PublicSigstore => Ok(Self::BuiltIn),
            Instance::Named(root) => Ok(Self::Named(root)),
            Instance::Loopback(url) if flags.offline => {
                Err(UsageFault::OfflineInstance { url: url.to_string() }.into())
            }
            instance @ (Instance::Loopback(_) | Instance::Local(_)) => {
                Ok(Self::Instance(given, instance))
            }
        }
    }

    /// No socket, no resolver and no runtime is touched but for an instance named by its URL, and
    /// for a trusted one whose repository is to be asked again.
    pub(crate) fn load(self, offline: bool, now: i64) -> Result<(TrustedRoot, RootUsed), Failure> {
        match self {
            Self::BuiltIn => Ok((trust::public_sigstore()?, RootUsed::BuiltIn)),
            Self::File(path) => {
                Ok((trust::read_trusted_root(path)?, RootUsed::File(path.to_owned())))
            }
            Self::Named(root) => named(&root, offline, now),
            Self::Instance(given, instance) => {
                let used = RootUsed::Instance(given.to_owned());
                let root = match instance {
                    Instance::Local(local) => local.trusted_root()?,
                    Instance::Loopback(url) => {
                        runtime()?.block_on(trust::ask(&Http::new(), &url))?.trusted_root
                    }
                    Instance::Named(root) => return named(&root, offline, now),
                    Instance::PublicSigstore => trust::public_sigstore()?,
                };
                Ok((root, used))
            }
        }
    }
}

fn named(root: &NamedRoot, offline: bool, now: i64) -> Result<(TrustedRoot, RootUsed), Failure> {
    let current = if offline {
        root.offline(now)?
    } else {
        match root.at_hand(now) {
            Some(current) => current,
            None => runtime()?.block_on(root.current(&Http::new(), now))?,
        }
    };
    let record = root.record();
    let used = RootUsed::Named {
        name: record.name.to_string(),
        url: record.url.to_string(),
        fingerprint: record.fingerprint,
        unreached: current.unreached.as_ref().map(|fault| one_line(&fault.to_string())),
    };
    Ok((current.trusted_root()?, used))
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::Runtime(error.kind()))
}

impl RootUsed {
    /// One line for a person.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::BuiltIn => {
                format!("{RESERVED} (the public Sigstore, as of {PUBLIC_SIGSTORE_DATE})")
            }
            Self::Named { name, url, .. } => format!("{name} ({})", one_line(url)),
            Self::File(path) => one_line(&path.to_string_lossy()),
            Self::Instance(given) => one_line(given),
        }
    }

    /// One object for a program.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        match self {
            Self::BuiltIn => serde_json::json!({ "source": "built-in", "name": RESERVED }),
            Self::Named { name, url, fingerprint, .. } => serde_json::json!({
                "source": "named",
                "name": name,
                "url": url,
                "fingerprint": fingerprint.to_hex(),
            }),
            Self::File(path) => {
                serde_json::json!({ "source": "file", "file": path.to_string_lossy() })
            }
            Self::Instance(given) => {
                serde_json::json!({ "source": "instance", "instance": given })
            }
        }
    }

    /// What a person should know of how it was come by.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let Self::Named { name, unreached: Some(reason), .. } = self else { return None };
        Some(format!(
            "note: {name} could not be asked for news, what is held still counts: {reason}"
        ))
    }
}

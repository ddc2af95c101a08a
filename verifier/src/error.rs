//! Everything that ends without a verdict in the artifact's favour, one variant per cause.

use fetch::artifact::ArtifactError;
use fetch::named::NamedError;
use fetch::shown::shown;
use fetch::trust::TrustError;
use formats::bundle::BundleError;
use formats::key::KeyError;
use thiserror::Error;
use verify::error::{PatternError, Refusal, RootFault};

use crate::root::RootUsed;

/// Exit code: usage or environment.
pub const EXIT_USAGE: u8 = 1;
/// Exit code: there is no signature.
pub const EXIT_NO_SIGNATURE: u8 = 10;
/// Exit code: there is no such artifact.
pub const EXIT_NO_ARTIFACT: u8 = 11;
/// Exit code: a signature that does not hold, or is not the one asked for.
pub const EXIT_REFUSED: u8 = 12;

/// Why the artifact is not verified.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The flags do not make a question.
    #[error(transparent)]
    Usage(#[from] UsageFault),
    /// There is no usable trust root.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The trust root parses, and contradicts itself.
    #[error("trust root: {0}")]
    Root(#[from] RootFault),
    /// The machine, not the artifact: something cannot be read or written.
    #[error("cannot read {}: {kind}", shown(path))]
    Unreadable {
        /// What cannot be read.
        path: String,
        /// What the system said.
        kind: std::io::ErrorKind,
    },
    /// The public key of `--key` is none.
    #[error("{} is not a public key: {fault}", shown(path))]
    Key {
        /// The file.
        path: String,
        /// What was wrong with it.
        fault: KeyError,
    },
    /// The machinery for asking an instance did not start.
    #[error("cannot start the network: {0}")]
    Runtime(std::io::ErrorKind),
    /// There is no bundle.
    #[error("there is no bundle {}", shown(path))]
    NoBundle {
        /// Where it was looked for.
        path: String,
    },
    /// There is no artifact, or it cannot be read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A bundle larger than any bundle.
    #[error("the bundle is larger than {cap} bytes")]
    BundleTooLarge {
        /// The cap in bytes.
        cap: usize,
    },
    /// A bundle that does not parse.
    #[error("{0}")]
    Bundle(#[from] BundleError),
    /// The verdict is no.
    #[error("{fault}")]
    Refused {
        /// The one reason.
        fault: Refusal,
        /// Who did sign, where that is what does not match. Everything else about the bundle has
        /// been verified then.
        found: Option<Found>,
        /// The trust root that it was held against.
        root: Box<RootUsed>,
    },
}

/// The identity in a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Who signed, unescaped.
    pub subject: String,
    /// Who vouches for them, unescaped.
    pub issuer: String,
}

/// Flags that do not make a question.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UsageFault {
    /// Neither identity nor key.
    #[error(
        "nothing says who must have signed: give --certificate-identity and \
         --certificate-oidc-issuer (or their -regexp forms), or --key"
    )]
    NoSigner,
    /// An issuer without an identity.
    #[error("--certificate-identity (or --certificate-identity-regexp) is missing")]
    NoIdentity,
    /// An identity without an issuer.
    #[error("--certificate-oidc-issuer (or --certificate-oidc-issuer-regexp) is missing")]
    NoIssuer,
    /// Both an identity and a key.
    #[error("--key cannot be combined with {flag}: a bundle is signed by a key or by an identity")]
    KeyAndIdentity {
        /// The first identity flag given.
        flag: &'static str,
    },
    /// A pattern that is none, or that constrains nothing.
    #[error("{flag}: {fault}")]
    Pattern {
        /// The flag.
        flag: &'static str,
        /// What was wrong with it.
        fault: PatternError,
    },
    /// A bundle's default name needs a file's name.
    #[error("--bundle is missing, and {what} has no default for it")]
    NoBundleName {
        /// `a digest` or `standard input`.
        what: &'static str,
    },
    /// `--offline` with an instance that must be asked.
    #[error(
        "--offline forbids asking {url}; give the instance's folder or its \
         client_trust_config.json as --instance, or its trust root as --trusted-root"
    )]
    OfflineInstance {
        /// The instance.
        url: String,
    },
    /// A `--type` that is neither a URI nor a known name.
    #[error("--type {}: neither a URI nor one of {names}", shown(given))]
    PredicateType {
        /// What was given.
        given: String,
        /// The names that are known.
        names: String,
    },
}

impl From<NamedError> for Failure {
    fn from(fault: NamedError) -> Self {
        Self::Trust(fault.into())
    }
}

impl Failure {
    /// The exit code.
    #[must_use]
    pub fn exit(&self) -> u8 {
        match self {
            Self::Usage(_)
            | Self::Trust(_)
            | Self::Root(_)
            | Self::Unreadable { .. }
            | Self::Key { .. }
            | Self::Runtime(_)
            | Self::Artifact(ArtifactError::Folder { .. } | ArtifactError::Unreadable { .. }) => {
                EXIT_USAGE
            }
            Self::NoBundle { .. } => EXIT_NO_SIGNATURE,
            Self::Artifact(ArtifactError::Missing { .. }) => EXIT_NO_ARTIFACT,
            Self::BundleTooLarge { .. } | Self::Bundle(_) | Self::Refused { .. } => EXIT_REFUSED,
        }
    }

    /// A stable name for the cause, in kebab case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Trust(TrustError::RemoteInstance { .. }) => "remote-instance",
            Self::Trust(TrustError::Http(_)) => "instance-unreachable",
            Self::Trust(TrustError::Named(fault)) => fault.code(),
            Self::Trust(_) => "trust-root-unreadable",
            Self::Root(_) => "trust-root",
            Self::Unreadable { .. } => "unreadable",
            Self::Key { .. } => "key-unreadable",
            Self::Runtime(_) => "runtime",
            Self::NoBundle { .. } => "no-bundle",
            Self::Artifact(ArtifactError::Missing { .. }) => "no-artifact",
            Self::Artifact(_) => "artifact-unreadable",
            Self::BundleTooLarge { .. } => "bundle-too-large",
            Self::Bundle(_) => "bundle-malformed",
            Self::Refused { fault, .. } => fault.code(),
        }
    }

    /// Who is to blame, in one word: `usage`, `environment`, `network`, `instance`, or one of
    /// [`Refusal::blame`].
    #[must_use]
    pub fn blame(&self) -> &'static str {
        match self {
            Self::Usage(_)
            | Self::Trust(TrustError::RemoteInstance { .. } | TrustError::Endpoint(_)) => "usage",
            Self::Trust(TrustError::Http(_)) => "network",
            Self::Trust(TrustError::Named(fault)) => fault.blame(),
            Self::Trust(_)
            | Self::Root(_)
            | Self::Unreadable { .. }
            | Self::Key { .. }
            | Self::Runtime(_) => "environment",
            Self::Artifact(_) => "artifact",
            Self::NoBundle { .. } | Self::BundleTooLarge { .. } | Self::Bundle(_) => "bundle",
            Self::Refused { fault, .. } => fault.blame(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fetch::endpoint::EndpointError;
    use fetch::http::{HttpError, Service};
    use formats::json::JsonError;
    use formats::trusted_root::TrustedRootError;
    use std::io::ErrorKind;
    use verify::error::{ArtifactFault, AuthorityFault, BundleFault, PolicyFault, SignerFault};

    fn path() -> String {
        "x".into()
    }

    fn refused(fault: impl Into<Refusal>) -> Failure {
        Failure::Refused { fault: fault.into(), found: None, root: Box::new(RootUsed::BuiltIn) }
    }

    /// One of each, with the exit code of issue and design.
    fn all() -> Vec<(Failure, u8)> {
        let trust = |fault| (Failure::Trust(fault), 1);
        let kind = ErrorKind::PermissionDenied;
        let silent = HttpError::TimedOut { service: Service::Instance, url: path(), seconds: 1 };
        vec![
            (UsageFault::NoSigner.into(), 1),
            trust(TrustError::Unreadable { path: path(), kind }),
            trust(TrustError::TooLarge { path: path(), cap: 1 }),
            trust(TrustError::TrustedRoot {
                from: path(),
                fault: TrustedRootError::Json(JsonError::NotUtf8),
            }),
            trust(TrustError::RemoteInstance { url: path() }),
            trust(TrustError::Endpoint(EndpointError::OtherScheme { url: path() })),
            trust(TrustError::Http(silent)),
            trust(NamedError::Neither { text: path() }.into()),
            trust(NamedError::NoSigningConfig { name: path() }.into()),
            (RootFault::LogIdClash { list: "tlogs" }.into(), 1),
            (Failure::Unreadable { path: path(), kind }, 1),
            (Failure::Key { path: path(), fault: KeyError::Pem }, 1),
            (Failure::Runtime(kind), 1),
            (Failure::NoBundle { path: path() }, 10),
            (ArtifactError::Missing { path: path() }.into(), 11),
            (ArtifactError::Folder { path: path() }.into(), 1),
            (ArtifactError::Unreadable { path: path(), kind }.into(), 1),
            (Failure::BundleTooLarge { cap: 1 }, 12),
            (BundleError::NoContent.into(), 12),
            (refused(BundleFault::NoLogEntry), 12),
            (refused(SignerFault::IsAuthority), 12),
            (refused(AuthorityFault::NoSct), 12),
            (refused(PolicyFault::CertificateBundle), 12),
            (refused(ArtifactFault::DigestMissing(formats::digest::HashAlgorithm::Sha256)), 12),
        ]
    }

    #[test]
    fn every_error_exits_nonzero() {
        for (failure, exit) in all() {
            assert_eq!(failure.exit(), exit, "{failure}");
            assert_ne!(exit, 0);
        }
    }

    #[test]
    fn every_error_names_its_cause_and_whose_fault_it_is() {
        let blames = [
            "usage",
            "environment",
            "network",
            "bundle",
            "signer",
            "authority",
            "policy",
            "artifact",
            "instance",
        ];
        for (failure, _) in all() {
            assert!(blames.contains(&failure.blame()), "{failure}");
            let code = failure.code();
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{code}");
        }
    }
}

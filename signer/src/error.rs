//! Everything that keeps a file from being signed, one variant per cause.

use std::io;

use fetch::artifact::ArtifactError;
use fetch::endpoint::EndpointError;
use fetch::http::{HttpError, Service};
use fetch::named::NamedError;
use fetch::shown::shown;
use fetch::trust::TrustError;
use formats::bundle::BundleError;
use formats::signing_config::SelectError;
use thiserror::Error;
use verify::error::{Refusal, RootFault};

use crate::authority::CertificateFault;
use crate::log::LogFault;
use crate::login::ambient::AmbientError;
use crate::login::keyring::KeyringFault;
use crate::login::provider::ProviderFault;
use crate::login::{LoginError, TokenError};
use crate::timestamp::TimestampFault;

/// Why a file is not signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The flags do not make an order.
    #[error(transparent)]
    Usage(#[from] UsageFault),
    /// There is no usable trust root or signing configuration.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The trust root parses, and contradicts itself.
    #[error("trust root: {0}")]
    Root(#[from] RootFault),
    /// The signing configuration lists no service of a kind that a signature needs.
    #[error("the signing configuration lists no {service}, without which nobody could verify")]
    NotListed {
        /// The kind of service.
        service: Service,
    },
    /// The services listed are not to be used now, or are of versions that are not spoken here.
    #[error(
        "no {service} of the signing configuration can be used: {fault} (listed: version {}; \
         spoken here: version {spoken})",
        versions(listed)
    )]
    NoService {
        /// The kind of service.
        service: Service,
        /// Why none was chosen.
        fault: SelectError,
        /// Major versions that are listed.
        listed: Vec<u32>,
        /// The major version that is spoken here.
        spoken: u32,
    },
    /// A service with a URL that is none.
    #[error("the signing configuration's {service}: {fault}")]
    ServiceUrl {
        /// The kind of service.
        service: Service,
        /// What was wrong with it.
        fault: EndpointError,
    },
    /// Nobody is signed in, or not who should be.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// An artifact cannot be read.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A service gave no usable answer.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The certificate authority gave a certificate that cannot be used.
    #[error("the certificate authority at {url}: {fault}")]
    Certificate {
        /// Which authority.
        url: String,
        /// What was wrong.
        fault: CertificateFault,
    },
    /// The timestamp authority gave a timestamp that cannot be used.
    #[error("the timestamp authority at {url}: {fault}")]
    Timestamp {
        /// Which authority.
        url: String,
        /// What was wrong.
        fault: TimestampFault,
    },
    /// The transparency log gave an entry that cannot be used.
    #[error("the transparency log at {url}: {fault}")]
    Log {
        /// Which log.
        url: String,
        /// What was wrong.
        fault: LogFault,
    },
    /// The finished bundle cannot be read back, so it is not written.
    #[error("the finished bundle cannot be read back: {0}")]
    SelfRead(BundleError),
    /// The finished bundle does not verify, so it is not written.
    #[error("the finished bundle does not verify: {0}")]
    SelfCheck(Refusal),
    /// The system's store for secrets did not do what was asked.
    #[error(transparent)]
    Keyring(#[from] KeyringFault),
    /// The bundle cannot be written.
    #[error("cannot write {}: {kind}", shown(path))]
    Unwritable {
        /// The bundle.
        path: String,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// The system's random source failed.
    #[error("the system's random source failed")]
    Random,
    /// The key could not sign.
    #[error("the one-use key could not sign")]
    Key,
    /// The asynchronous runtime, or a task on it, ended without a result.
    #[error("cannot go on: {0}")]
    Runtime(io::ErrorKind),
    /// The process was asked to end.
    #[error("interrupted")]
    Interrupted,
}

/// Flags that do not make an order.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UsageFault {
    /// No instance.
    #[error(
        "nothing says where to sign: trust an instance once with signer trust, or give --instance, or \
         --trusted-root and --signing-config"
    )]
    NoInstance,
    /// `--bundle` with several files.
    #[error("--bundle names one file, and {0} are to be signed")]
    OneBundle(usize),
    /// Standard input has no name to make a bundle's of.
    #[error("--bundle is missing, and standard input has no default for it")]
    NoBundleName,
    /// The instance has a notice, and nobody is there to confirm it.
    #[error("{} has a notice to agree to first: {}", shown(instance), shown(notice))]
    NoticeUnread {
        /// The instance's name.
        instance: String,
        /// Its words.
        notice: String,
    },
    /// The instance's notice was not agreed to.
    #[error("the instance's notice was not agreed to")]
    NoticeDeclined,
    /// Standard input twice.
    #[error("standard input can be read only once, as a file or as the identity token")]
    StandardInputTwice,
}

impl From<NamedError> for Failure {
    fn from(fault: NamedError) -> Self {
        Self::Trust(fault.into())
    }
}

impl Failure {
    /// A stable name for the cause, in kebab case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Trust(TrustError::RemoteInstance { .. }) => "remote-instance",
            Self::Trust(TrustError::Http(_)) => "instance-unreachable",
            Self::Trust(TrustError::Named(fault)) => fault.code(),
            Self::Trust(_) => "trust-unreadable",
            Self::Root(_) => "trust-root",
            Self::NotListed { .. } => "service-not-listed",
            Self::NoService { .. } => "no-usable-service",
            Self::ServiceUrl { .. } => "service-url",
            Self::Login(fault) => login_code(fault),
            Self::Artifact(_) => "artifact-unreadable",
            Self::Http(fault) => http_code(fault),
            Self::Certificate { .. } => "certificate-unusable",
            Self::Timestamp { .. } => "timestamp-unusable",
            Self::Log { .. } => "log-entry-unusable",
            Self::SelfRead(_) | Self::SelfCheck(_) => "self-check",
            Self::Keyring(_) => "keyring",
            Self::Unwritable { .. } => "unwritable",
            Self::Random | Self::Key | Self::Runtime(_) => "environment",
            Self::Interrupted => "interrupted",
        }
    }

    /// Who is to blame, in a word or two: `usage`, `token`, `environment`, `instance`,
    /// `certificate authority`, `timestamp authority`, `transparency log`.
    #[must_use]
    pub fn blame(&self) -> String {
        let word = match self {
            Self::Usage(_)
            | Self::Trust(TrustError::RemoteInstance { .. } | TrustError::Endpoint(_))
            | Self::Interrupted => "usage",
            Self::Login(
                LoginError::NobodyToAsk(_)
                | LoginError::NoIssuer
                | LoginError::SomebodyElse { .. }
                | LoginError::Provider {
                    fault: ProviderFault::NotUrl | ProviderFault::TooLate { .. },
                    ..
                },
            ) => "usage",
            Self::Login(LoginError::Provider { fault: ProviderFault::Listener(_), .. }) => {
                "environment"
            }
            Self::Login(LoginError::Provider { .. }) => {
                return Service::IdentityProvider.to_string();
            }
            Self::Login(LoginError::Token { .. }) => "token",
            Self::Trust(TrustError::Named(fault)) => fault.blame(),
            Self::Trust(TrustError::Http(fault))
            | Self::Http(fault)
            | Self::Login(LoginError::Ambient(AmbientError::Http(fault))) => {
                return fault.service().to_string();
            }
            Self::Login(LoginError::Ambient(_)) => "environment",
            Self::Certificate { .. } => return Service::CertificateAuthority.to_string(),
            Self::Timestamp { .. } => return Service::TimestampAuthority.to_string(),
            Self::Log { .. } => return Service::TransparencyLog.to_string(),
            Self::Root(_)
            | Self::NotListed { .. }
            | Self::NoService { .. }
            | Self::ServiceUrl { .. }
            | Self::SelfRead(_)
            | Self::SelfCheck(_) => "instance",
            Self::Trust(_)
            | Self::Artifact(_)
            | Self::Keyring(_)
            | Self::Unwritable { .. }
            | Self::Random
            | Self::Key
            | Self::Runtime(_) => "environment",
        };
        word.to_owned()
    }
}

fn login_code(fault: &LoginError) -> &'static str {
    match fault {
        LoginError::NobodyToAsk(_) => "no-token",
        LoginError::SomebodyElse { .. } => "unexpected-identity",
        LoginError::Token { fault: TokenError::Audience { .. }, .. } => "token-audience",
        LoginError::Token { fault: TokenError::Expired { .. }, .. } => "token-expired",
        LoginError::Token { .. } => "token-malformed",
        LoginError::NoIssuer => "no-issuer",
        LoginError::Ambient(AmbientError::Http(fault))
        | LoginError::Provider { fault: ProviderFault::Http(fault), .. } => http_code(fault),
        LoginError::Provider { fault, .. } => match fault {
            ProviderFault::NotOurs(_) => "sign-in-forged",
            ProviderFault::TooLate { .. } => "sign-in-too-late",
            ProviderFault::Refused(_) => "sign-in-refused",
            ProviderFault::NotUrl
            | ProviderFault::Http(_)
            | ProviderFault::Discovery(_)
            | ProviderFault::NoDeviceFlow
            | ProviderFault::Page(_)
            | ProviderFault::Token(_)
            | ProviderFault::Listener(_) => "sign-in-failed",
        },
        LoginError::Ambient(_) => "provider",
    }
}

fn http_code(fault: &HttpError) -> &'static str {
    match fault {
        HttpError::Unreachable { .. } => "service-unreachable",
        HttpError::BrokeOff { .. } | HttpError::TimedOut { .. } => "service-silent",
        HttpError::Refused { .. } => "service-refused",
        HttpError::Redirected { .. } => "service-redirected",
        HttpError::TooLarge { .. } => "service-answer-too-large",
        HttpError::SecretInClear { .. } => "token-in-clear",
        HttpError::TokenNotHeaderText { .. } => "token-malformed",
    }
}

fn versions(listed: &[u32]) -> String {
    listed.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

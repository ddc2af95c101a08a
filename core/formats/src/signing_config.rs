//! Signing configurations: where to sign, log and timestamp (protobuf-specs
//! `sigstore_trustroot.proto`, proto3 JSON), and the choice among the services listed.

mod wire;

use thiserror::Error;

use crate::bundle::wire::to_json;
use crate::json::{self, JsonError};
use crate::limits::MAX_TRUSTED_ROOT_BYTES;
use crate::trusted_root::{TrustedRoot, TrustedRootError, Window, WindowError};

use wire::{WireClientTrustConfig, WireSigningConfig};

/// A service a signer can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// A base URL that paths are appended to; of a timestamp authority, the whole URL.
    pub url: String,
    /// The major version of its API; not 0.
    pub major: u32,
    /// When it may be used.
    pub window: Window,
    /// Who runs it; of one operator, one service is used.
    pub operator: String,
}

/// How many of the usable services a signer must use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selector {
    /// Every one.
    All,
    /// One, whichever.
    Any,
    /// So many of different operators; not 0.
    Exact(u32),
}

/// Where to sign. A list that is empty turns its step off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningConfig {
    /// Certificate authorities, newest first.
    pub ca: Vec<Service>,
    /// OpenID Connect issuers, newest first.
    pub oidc: Vec<Service>,
    /// Transparency logs, newest first.
    pub logs: Vec<Service>,
    /// Timestamp authorities, newest first.
    pub tsas: Vec<Service>,
    /// How many logs to use; [`Selector::Any`] when there are none.
    pub log_selector: Selector,
    /// How many timestamp authorities to use; [`Selector::Any`] when there are none.
    pub tsa_selector: Selector,
}

/// A trust root with the signing configuration that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientTrustConfig {
    /// What to verify with.
    pub trusted_root: TrustedRoot,
    /// Where to sign.
    pub signing_config: SigningConfig,
}

/// Why a signing configuration or client trust configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SigningConfigError {
    /// Not strict JSON of the expected shape. Unknown members are among the causes.
    #[error("signing config: {0}")]
    Json(#[from] JsonError),
    /// `mediaType` is not [`SIGNING_CONFIG_MEDIA_TYPE`] or [`CLIENT_TRUST_CONFIG_MEDIA_TYPE`].
    #[error("signing config: unknown mediaType {found:?}")]
    UnknownMediaType {
        /// The media type.
        found: String,
    },
    /// A list is longer than any real one.
    #[error("signing config: {count} {list}, more than {limit}")]
    TooMany {
        /// The list.
        list: &'static str,
        /// How many items there were.
        count: usize,
        /// The most allowed.
        limit: usize,
    },
    /// A service without a URL.
    #[error("signing config: {list}[{index}] has no url")]
    NoUrl {
        /// The list.
        list: &'static str,
        /// The place in the list, from 0.
        index: usize,
    },
    /// A service without a major API version.
    #[error("signing config: {list}[{index}] has no majorApiVersion")]
    NoMajorVersion {
        /// The list.
        list: &'static str,
        /// The place in the list, from 0.
        index: usize,
    },
    /// A `validFor` is unusable; most often, it has no start.
    #[error("signing config: {list}[{index}].validFor: {fault}")]
    Window {
        /// The list.
        list: &'static str,
        /// The place in the list, from 0.
        index: usize,
        /// What was wrong.
        fault: WindowError,
    },
    /// Services are listed, but not how many of them to use.
    #[error("signing config: {list} without its selector")]
    NoSelector {
        /// The list.
        list: &'static str,
    },
    /// A selector that is not ALL, ANY or EXACT.
    #[error("signing config: {list}: unknown selector {found:?}")]
    UnknownSelector {
        /// The list.
        list: &'static str,
        /// The selector.
        found: String,
    },
    /// EXACT without a count, or a count of 0.
    #[error("signing config: {list}: EXACT without a count")]
    NoCount {
        /// The list.
        list: &'static str,
    },
    /// A client trust configuration without `trustedRoot`.
    #[error("client trust config: no trustedRoot")]
    NoTrustedRoot,
    /// A client trust configuration without `signingConfig`.
    #[error("client trust config: no signingConfig")]
    NoSigningConfig,
    /// The trust root within was refused.
    #[error("client trust config: {0}")]
    TrustedRoot(#[from] TrustedRootError),
}

/// Why no services could be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SelectError {
    /// No service of a supported version is valid now.
    #[error("no service of a supported version is valid now")]
    NoService,
    /// Fewer operators than the configuration demands.
    #[error("{available} operators have a service, {wanted} are demanded")]
    TooFew {
        /// Operators with a usable service.
        available: usize,
        /// How many the selector demands.
        wanted: u32,
    },
}

impl SigningConfig {
    /// Reads the JSON of a v0.2 signing configuration.
    ///
    /// # Errors
    /// [`SigningConfigError`], by cause.
    pub fn from_json(bytes: &[u8]) -> Result<Self, SigningConfigError> {
        json::from_slice_capped::<WireSigningConfig>(bytes, MAX_TRUSTED_ROOT_BYTES)?.try_into()
    }

    /// The JSON of this configuration, compact; the selector of an empty list is left out.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(&WireSigningConfig::from(self))
    }

    /// The certificate authority to use now, in Unix seconds, by a client that speaks these major
    /// versions.
    ///
    /// # Errors
    /// [`SelectError::NoService`].
    pub fn select_ca(&self, now: i64, supported: &[u32]) -> Result<&Service, SelectError> {
        one(&self.ca, now, supported)
    }

    /// The OpenID Connect issuer to use now.
    ///
    /// # Errors
    /// [`SelectError::NoService`].
    pub fn select_oidc(&self, now: i64, supported: &[u32]) -> Result<&Service, SelectError> {
        one(&self.oidc, now, supported)
    }

    /// The logs to use now; none when none are listed, which turns logging off.
    ///
    /// # Errors
    /// [`SelectError`] when logs are listed and the selector can't be met.
    pub fn select_logs(&self, now: i64, supported: &[u32]) -> Result<Vec<&Service>, SelectError> {
        some(&self.logs, self.log_selector, now, supported)
    }

    /// The timestamp authorities to use now; none when none are listed.
    ///
    /// # Errors
    /// [`SelectError`] when authorities are listed and the selector can't be met.
    pub fn select_tsas(&self, now: i64, supported: &[u32]) -> Result<Vec<&Service>, SelectError> {
        some(&self.tsas, self.tsa_selector, now, supported)
    }
}

impl ClientTrustConfig {
    /// Reads the JSON of a v0.1 client trust configuration.
    ///
    /// # Errors
    /// [`SigningConfigError`], by cause.
    pub fn from_json(bytes: &[u8]) -> Result<Self, SigningConfigError> {
        json::from_slice_capped::<WireClientTrustConfig>(bytes, MAX_TRUSTED_ROOT_BYTES)?.try_into()
    }

    /// The JSON of both, compact.
    #[must_use]
    pub fn to_json(&self) -> String {
        to_json(&WireClientTrustConfig::from(self))
    }
}

fn one<'a>(
    services: &'a [Service],
    now: i64,
    supported: &[u32],
) -> Result<&'a Service, SelectError> {
    select(services, Selector::Any, now, supported)?
        .into_iter()
        .next()
        .ok_or(SelectError::NoService)
}

fn some<'a>(
    services: &'a [Service],
    selector: Selector,
    now: i64,
    supported: &[u32],
) -> Result<Vec<&'a Service>, SelectError> {
    if services.is_empty() {
        return Ok(Vec::new());
    }
    select(services, selector, now, supported)
}

/// The rules of `SigningConfig` in protobuf-specs: only services valid now, of these only the
/// highest major version both sides speak, of each operator only the newest, then as many as the
/// selector says, the newest first.
///
/// # Errors
/// [`SelectError`]; never an empty choice.
pub fn select<'a>(
    services: &'a [Service],
    selector: Selector,
    now: i64,
    supported: &[u32],
) -> Result<Vec<&'a Service>, SelectError> {
    let usable =
        |service: &&Service| supported.contains(&service.major) && service.window.contains(now);
    let major = services.iter().filter(usable).map(|service| service.major).max();
    let mut choice: Vec<&Service> = Vec::new();
    let mut newest_first: Vec<&Service> =
        services.iter().filter(usable).filter(|service| Some(service.major) == major).collect();
    newest_first.sort_by_key(|service| std::cmp::Reverse(service.window.start));
    for service in newest_first {
        if !choice.iter().any(|chosen| chosen.operator == service.operator) {
            choice.push(service);
        }
    }
    if choice.is_empty() {
        return Err(SelectError::NoService);
    }
    match selector {
        Selector::All => {}
        Selector::Any => choice.truncate(1),
        Selector::Exact(wanted) => {
            // Zero never comes from a file, and must not choose nothing.
            let count = usize::try_from(wanted).unwrap_or(usize::MAX).max(1);
            if choice.len() < count {
                return Err(SelectError::TooFew { available: choice.len(), wanted });
            }
            choice.truncate(count);
        }
    }
    Ok(choice)
}

/// The media type of signing configurations, exactly.
pub const SIGNING_CONFIG_MEDIA_TYPE: &str = "application/vnd.dev.sigstore.signingconfig.v0.2+json";

/// The media type of client trust configurations, exactly.
pub const CLIENT_TRUST_CONFIG_MEDIA_TYPE: &str =
    "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json";

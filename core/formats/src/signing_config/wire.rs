//! Signing configurations as they stand on the wire, and their way to the strict form and back.

use serde::{Deserialize, Serialize};

use super::{
    CLIENT_TRUST_CONFIG_MEDIA_TYPE, ClientTrustConfig, SIGNING_CONFIG_MEDIA_TYPE, Selector,
    Service, SigningConfig, SigningConfigError,
};
use crate::bundle::wire::{Capped, TooMany};
use crate::trusted_root::WireTrustedRoot;
use crate::trusted_root::window::WireWindow;

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WireSigningConfig {
    media_type: String,
    ca_urls: Services,
    oidc_urls: Services,
    rekor_tlog_urls: Services,
    #[serde(skip_serializing_if = "Option::is_none")]
    rekor_tlog_config: Option<WireSelection>,
    tsa_urls: Services,
    #[serde(skip_serializing_if = "Option::is_none")]
    tsa_config: Option<WireSelection>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct WireClientTrustConfig {
    media_type: String,
    trusted_root: Option<WireTrustedRoot>,
    signing_config: Option<WireSigningConfig>,
}

type Services = Capped<WireService, MAX_SERVICES>;

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct WireService {
    url: String,
    major_api_version: u32,
    valid_for: Option<WireWindow>,
    #[serde(skip_serializing_if = "String::is_empty")]
    operator: String,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct WireSelection {
    selector: String,
    #[serde(skip_serializing_if = "is_zero")]
    count: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the signature serde calls it with")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl TryFrom<WireSigningConfig> for SigningConfig {
    type Error = SigningConfigError;

    fn try_from(wire: WireSigningConfig) -> Result<Self, SigningConfigError> {
        if wire.media_type != SIGNING_CONFIG_MEDIA_TYPE {
            return Err(SigningConfigError::UnknownMediaType { found: wire.media_type });
        }
        let logs = services("rekorTlogUrls", wire.rekor_tlog_urls)?;
        let tsas = services("tsaUrls", wire.tsa_urls)?;
        Ok(Self {
            ca: services("caUrls", wire.ca_urls)?,
            oidc: services("oidcUrls", wire.oidc_urls)?,
            log_selector: selector("rekorTlogUrls", &logs, wire.rekor_tlog_config)?,
            tsa_selector: selector("tsaUrls", &tsas, wire.tsa_config)?,
            logs,
            tsas,
        })
    }
}

impl TryFrom<WireClientTrustConfig> for ClientTrustConfig {
    type Error = SigningConfigError;

    fn try_from(wire: WireClientTrustConfig) -> Result<Self, SigningConfigError> {
        if wire.media_type != CLIENT_TRUST_CONFIG_MEDIA_TYPE {
            return Err(SigningConfigError::UnknownMediaType { found: wire.media_type });
        }
        Ok(Self {
            trusted_root: wire.trusted_root.ok_or(SigningConfigError::NoTrustedRoot)?.try_into()?,
            signing_config: wire
                .signing_config
                .ok_or(SigningConfigError::NoSigningConfig)?
                .try_into()?,
        })
    }
}

fn services(list: &'static str, wire: Services) -> Result<Vec<Service>, SigningConfigError> {
    wire.into_all()
        .map_err(|TooMany { count, limit }| SigningConfigError::TooMany { list, count, limit })?
        .into_iter()
        .enumerate()
        .map(|(index, service)| {
            if service.url.is_empty() {
                return Err(SigningConfigError::NoUrl { list, index });
            }
            if service.major_api_version == 0 {
                return Err(SigningConfigError::NoMajorVersion { list, index });
            }
            let window = WireWindow::required(service.valid_for.as_ref())
                .map_err(|fault| SigningConfigError::Window { list, index, fault })?;
            let WireService { url, major_api_version: major, operator, .. } = service;
            Ok(Service { url, major, window, operator })
        })
        .collect()
}

fn selector(
    list: &'static str,
    services: &[Service],
    selection: Option<WireSelection>,
) -> Result<Selector, SigningConfigError> {
    let Some(WireSelection { selector, count }) = selection else {
        if services.is_empty() {
            return Ok(Selector::Any);
        }
        return Err(SigningConfigError::NoSelector { list });
    };
    match (selector.as_str(), count) {
        ("ALL", _) => Ok(Selector::All),
        ("ANY", _) => Ok(Selector::Any),
        ("EXACT", 0) => Err(SigningConfigError::NoCount { list }),
        ("EXACT", count) => Ok(Selector::Exact(count)),
        _ => Err(SigningConfigError::UnknownSelector { list, found: selector }),
    }
}

impl From<&SigningConfig> for WireSigningConfig {
    fn from(config: &SigningConfig) -> Self {
        Self {
            media_type: SIGNING_CONFIG_MEDIA_TYPE.to_owned(),
            ca_urls: wire_services(&config.ca),
            oidc_urls: wire_services(&config.oidc),
            rekor_tlog_urls: wire_services(&config.logs),
            rekor_tlog_config: wire_selection(&config.logs, config.log_selector),
            tsa_urls: wire_services(&config.tsas),
            tsa_config: wire_selection(&config.tsas, config.tsa_selector),
        }
    }
}

impl From<&ClientTrustConfig> for WireClientTrustConfig {
    fn from(config: &ClientTrustConfig) -> Self {
        Self {
            media_type: CLIENT_TRUST_CONFIG_MEDIA_TYPE.to_owned(),
            trusted_root: Some((&config.trusted_root).into()),
            signing_config: Some((&config.signing_config).into()),
        }
    }
}

fn wire_services(services: &[Service]) -> Services {
    services
        .iter()
        .map(|service| WireService {
            url: service.url.clone(),
            major_api_version: service.major,
            valid_for: Some((&service.window).into()),
            operator: service.operator.clone(),
        })
        .collect::<Vec<_>>()
        .into()
}

fn wire_selection(services: &[Service], selector: Selector) -> Option<WireSelection> {
    if services.is_empty() {
        return None;
    }
    let (selector, count) = match selector {
        Selector::All => ("ALL", 0),
        Selector::Any => ("ANY", 0),
        Selector::Exact(count) => ("EXACT", count),
    };
    Some(WireSelection { selector: selector.to_owned(), count })
}

/// Most services in one list.
const MAX_SERVICES: usize = 256;

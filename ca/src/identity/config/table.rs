//! `[[issuer]]` as it is written.

use std::path::PathBuf;

use openidconnect::url::Url;
use serde::Deserialize;

use super::{
    Alg, ConfigFault, DEFAULT_MAX_LIFETIME_SECONDS, IssuerClaim, IssuerConfig, KeyOptions,
    issuer_url, place,
};
use crate::admit::{AllowTables, Breadth};
use crate::identity::kind::IssuerKind;
use crate::identity::provider::CiProvider;

/// The table as it is written. A plain struct, because serde cannot refuse unknown keys through
/// a flattened or tagged one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerTable {
    url: String,
    client_id: String,
    #[serde(rename = "type")]
    kind: String,
    provider: Option<String>,
    provider_url: Option<String>,
    subject_domain: Option<String>,
    trust_domain: Option<String>,
    issuer_claim: Option<String>,
    issuer_claim_values: Option<Vec<String>>,
    ca_cert: Option<PathBuf>,
    jwks_file: Option<PathBuf>,
    jwks_url: Option<String>,
    bearer_file: Option<PathBuf>,
    #[serde(default = "default_algorithms")]
    algorithms: Vec<Alg>,
    #[serde(default = "default_max_lifetime")]
    max_lifetime_seconds: u64,
    #[serde(default)]
    allow: AllowTables,
}

impl TryFrom<IssuerTable> for IssuerConfig {
    type Error = ConfigFault;

    fn try_from(table: IssuerTable) -> Result<Self, ConfigFault> {
        table.resolve(&[])
    }
}

impl IssuerTable {
    /// The issuer, with the templates of a shipped provider or of one of these.
    ///
    /// # Errors
    /// A key that its type needs or has no use for, an unknown name, or what
    /// [`IssuerConfig::validate`] refuses.
    pub fn resolve(mut self, providers: &[CiProvider]) -> Result<IssuerConfig, ConfigFault> {
        let kind = self.kind(providers)?;
        let unused = [
            ("provider", self.provider.is_some()),
            ("provider_url", self.provider_url.is_some()),
            ("subject_domain", self.subject_domain.is_some()),
            ("trust_domain", self.trust_domain.is_some()),
        ];
        if let Some((key, _)) = unused.into_iter().find(|(_, there)| *there) {
            return Err(ConfigFault::NotForType { url: self.url, key });
        }
        let issuer_claim = match (self.issuer_claim, self.issuer_claim_values) {
            (None, None) => None,
            (None, Some(_)) => return Err(ConfigFault::IssuerClaimUnused { url: self.url }),
            (Some(path), values) => {
                Some(IssuerClaim::new(&self.url, &path, values.unwrap_or_default())?)
            }
        };
        let keys = KeyOptions::new(
            &self.url,
            self.ca_cert,
            self.jwks_file,
            self.jwks_url,
            self.bearer_file,
        )?;
        let allow = self
            .allow
            .read(
                kind.vocabulary(),
                place(&self.url, &self.client_id),
                Breadth::of_issuer(&self.url),
            )
            .map_err(|fault| ConfigFault::Allow { url: self.url.clone(), fault })?;
        let config = IssuerConfig {
            url: self.url,
            allow,
            client_id: self.client_id,
            kind,
            issuer_claim,
            keys,
            algorithms: self.algorithms,
            max_lifetime_seconds: self.max_lifetime_seconds,
        };
        config.validate()?;
        Ok(config)
    }

    /// Takes what the type needs out of the table; what is left is not for it.
    fn kind(&mut self, providers: &[CiProvider]) -> Result<IssuerKind, ConfigFault> {
        Ok(match self.kind.as_str() {
            "email" => IssuerKind::Email,
            "email-without-verified-claim" => IssuerKind::EmailWithoutVerifiedClaim,
            "username" => IssuerKind::Username { subject_domain: self.take_subject_domain()? },
            "uri" => IssuerKind::Uri { subject_domain: self.take_subject_domain()? },
            "spiffe" => match self.trust_domain.take() {
                Some(trust_domain) => IssuerKind::Spiffe { trust_domain },
                None => return Err(self.missing("trust_domain")),
            },
            "kubernetes" => IssuerKind::Kubernetes,
            "chainguard-identity" => IssuerKind::ChainguardIdentity,
            "ci" => IssuerKind::Ci { provider: self.take_provider(providers)? },
            name => match CiProvider::deprecated(name) {
                Some(provider) => IssuerKind::DeprecatedPipeline { provider },
                None => {
                    let (url, kind) = (self.url.clone(), self.kind.clone());
                    return Err(ConfigFault::Type { url, kind, known: TYPES.iter().collect() });
                }
            },
        })
    }

    fn take_subject_domain(&mut self) -> Result<String, ConfigFault> {
        self.subject_domain.take().ok_or_else(|| self.missing("subject_domain"))
    }

    fn take_provider(&mut self, providers: &[CiProvider]) -> Result<CiProvider, ConfigFault> {
        let name = self.provider.take().ok_or_else(|| self.missing("provider"))?;
        let own = || providers.iter().find(|provider| provider.name() == name).cloned();
        let Some(provider) = CiProvider::shipped(&name).or_else(own) else {
            let own = providers.iter().map(|provider| provider.name().to_owned());
            let known = CiProvider::shipped_names().map(str::to_owned).chain(own).collect();
            return Err(ConfigFault::ProviderUnknown {
                url: self.url.clone(),
                provider: name,
                known,
            });
        };
        let Some(value) = self.provider_url.take() else {
            return Ok(provider.for_issuer(&issuer_url(&self.url)?));
        };
        let is_base =
            Url::parse(&value).is_ok_and(|url| url.scheme() == "https") && !value.ends_with('/');
        provider
            .at(&value)
            .filter(|_| is_base)
            .ok_or_else(|| ConfigFault::ProviderUrl { url: self.url.clone(), value })
    }

    fn missing(&self, key: &'static str) -> ConfigFault {
        ConfigFault::Missing { url: self.url.clone(), kind: self.kind.clone(), key }
    }
}

pub(super) fn default_algorithms() -> Vec<Alg> {
    vec![Alg::RS256]
}

fn default_max_lifetime() -> u64 {
    DEFAULT_MAX_LIFETIME_SECONDS
}

const TYPES: [&str; 12] = [
    "email",
    "email-without-verified-claim",
    "username",
    "uri",
    "spiffe",
    "kubernetes",
    "chainguard-identity",
    "ci",
    "github-workflow",
    "gitlab-pipeline",
    "buildkite-job",
    "codefresh-workflow",
];

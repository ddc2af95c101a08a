//! Where an issuer's keys come from, when its discovery document is not enough.

use std::path::{Path, PathBuf};

use super::{ConfigFault, issuer_url};

/// The keys `ca_cert`, `jwks_file`, `jwks_url` and `bearer_file` of an `[[issuer]]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyOptions {
    /// PEM file of the only authorities that vouch for the issuer's hosts (TLS).
    pub ca_cert: Option<PathBuf>,
    /// Where the JWK set is.
    pub from: KeysFrom,
    /// File of a bearer token, sent to the issuer's host, or to that of `jwks_url`, alone.
    pub bearer_file: Option<PathBuf>,
}

/// Where an issuer's JWK set is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum KeysFrom {
    /// Where its discovery document says.
    #[default]
    Discovery,
    /// At this URL, and discovery is not asked.
    Address(String),
    /// In this file, which is read again as it changes.
    File(PathBuf),
}

impl KeyOptions {
    /// The options as an `[[issuer]]` with this URL has them.
    pub(super) fn new(
        url: &str,
        ca_cert: Option<PathBuf>,
        jwks_file: Option<PathBuf>,
        jwks_url: Option<String>,
        bearer_file: Option<PathBuf>,
    ) -> Result<Self, ConfigFault> {
        let several = || ConfigFault::KeysTwice { url: url.to_owned() };
        let from = match (jwks_file, jwks_url) {
            (None, None) => KeysFrom::Discovery,
            (None, Some(address)) => KeysFrom::Address(address),
            (Some(file), None) if ca_cert.is_none() && bearer_file.is_none() => {
                KeysFrom::File(file)
            }
            (Some(_), _) => return Err(several()),
        };
        Ok(Self { ca_cert, from, bearer_file })
    }

    pub(super) fn validate(&self, url: &str) -> Result<(), ConfigFault> {
        if let KeysFrom::Address(address) = &self.from {
            issuer_url(address).map_err(|_| ConfigFault::JwksUrl {
                url: url.to_owned(),
                address: address.clone(),
            })?;
        }
        Ok(())
    }

    /// The options with relative paths read as below `dir`, where ca.toml is.
    pub(super) fn below(&mut self, dir: &Path) {
        let files = [self.ca_cert.as_mut(), self.bearer_file.as_mut()];
        for file in files.into_iter().flatten() {
            *file = dir.join(&*file);
        }
        if let KeysFrom::File(file) = &mut self.from {
            *file = dir.join(&*file);
        }
    }
}

//! An issuer that speaks for others: which claim names them, and who they may be.

use serde_json::Value;

use super::{ConfigFault, Names};
use crate::identity::claims::{Claims, wrong_type};
use crate::identity::refusal::TokenRefusal;

/// Where the certificate's issuer is taken from, and the closed list of what it may be: the
/// provider that signs a token must not be able to speak for an issuer that nobody gave to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerClaim {
    path: Vec<String>,
    values: Vec<String>,
}

impl IssuerClaim {
    /// A path such as `$.federated_claims.connector_id`, and the values that it may lead to;
    /// `url` is the issuer's, for the messages.
    ///
    /// # Errors
    /// A path of another form, no values, or one that is not printable ASCII.
    pub fn new(url: &str, path: &str, values: Vec<String>) -> Result<Self, ConfigFault> {
        let (url, name) = (url.to_owned(), path.to_owned());
        let is_name = |name: &str| {
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"_-".contains(&b);
            !name.is_empty() && name.bytes().all(allowed)
        };
        let names: Option<Vec<String>> =
            path.strip_prefix("$.").map(|names| names.split('.').map(str::to_owned).collect());
        let Some(path) = names.filter(|names| names.iter().all(|name| is_name(name))) else {
            return Err(ConfigFault::IssuerClaim { url, path: name });
        };
        if values.is_empty() {
            return Err(ConfigFault::IssuerClaimOpen { url, path: name });
        }
        let printable = |v: &String| !v.is_empty() && v.bytes().all(|b| b.is_ascii_graphic());
        if let Some(value) = values.iter().find(|value| !printable(value)) {
            return Err(ConfigFault::IssuerClaimValue { url, value: value.clone() });
        }
        Ok(Self { path, values })
    }

    /// The values that are taken.
    #[must_use]
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// The issuer that a token names: one of the values, byte for byte.
    pub(in crate::identity) fn read(&self, claims: &Claims) -> Result<&str, TokenRefusal> {
        let claim = self.path.join(".");
        let (first, rest) = self.path.split_first().map_or(("", &[][..]), |(f, r)| (f.as_str(), r));
        let mut value = claims.get(first);
        for name in rest {
            value = value.and_then(|value| value.get(name));
        }
        match value {
            None | Some(Value::Null) => Err(TokenRefusal::ClaimMissing { claim }),
            Some(Value::String(named)) => {
                self.values.iter().find(|value| *value == named).map(String::as_str).ok_or_else(
                    || TokenRefusal::IssuerClaim {
                        claim,
                        allowed: self.values.iter().collect::<Names>(),
                    },
                )
            }
            Some(_) => Err(wrong_type(&claim, "a string")),
        }
    }
}

//! The URL of a service, and what may be sent there.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;
use thiserror::Error;

use crate::shown::shown;

/// An `http` or `https` URL of a service: with a host, without user name, password, query or
/// fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint(Url);

/// Why something is not the URL of a service.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// Not a URL at all.
    #[error("{} is not a URL: {reason}", shown(url))]
    NotUrl {
        /// What was given.
        url: String,
        /// What the parser said.
        reason: String,
    },
    /// Another scheme than `http` and `https`.
    #[error("{} is neither http nor https", shown(url))]
    OtherScheme {
        /// What was given.
        url: String,
    },
    /// A user name or password, a query or a fragment.
    #[error(
        "{} has a user name, password, query or fragment, which a service URL has not",
        shown(url)
    )]
    MoreThanAddress {
        /// What was given, without those parts.
        url: String,
    },
}

impl Endpoint {
    /// Parses a service URL.
    ///
    /// # Errors
    /// [`EndpointError`].
    pub fn parse(text: &str) -> Result<Self, EndpointError> {
        let mut url = Url::parse(text).map_err(|error| EndpointError::NotUrl {
            url: text.to_owned(),
            reason: error.to_string(),
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(EndpointError::OtherScheme { url: text.to_owned() });
        }
        let plain = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none();
        if !plain {
            // A password in an error message would end in a build log.
            _ = url.set_username("");
            _ = url.set_password(None);
            url.set_query(None);
            url.set_fragment(None);
            return Err(EndpointError::MoreThanAddress { url: url.to_string() });
        }
        Ok(Self(url))
    }

    /// This URL with `path` (which starts with `/`) after its own path.
    #[must_use]
    pub fn join(&self, path: &str) -> Self {
        let mut url = self.0.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        Self(url)
    }

    /// Whether the host is this machine: `localhost`, or a literal loopback address.
    ///
    /// `localhost` is safe to name here because the client of [`crate::http`] never asks a resolver
    /// for it (RFC 6761 section 6.3).
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let Some(host) = self.0.host_str() else { return false };
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
    }

    /// Whether the host is the metadata server of Google's cloud, by its name or by its link-local
    /// address.
    #[must_use]
    pub fn is_metadata_server(&self) -> bool {
        matches!(self.0.host_str(), Some("169.254.169.254" | "metadata.google.internal"))
    }

    /// The host: a name, or an address.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether a secret may be sent there: over TLS, or to this machine itself.
    #[must_use]
    pub fn keeps_secrets(&self) -> bool {
        self.is_https() || self.is_loopback()
    }

    /// Whether TLS is spoken.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The parsed URL.
    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A URL is ASCII without controls by construction: the parser encodes the rest.
        f.write_str(self.0.as_str())
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({self})")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn joins_below_the_base_path() {
        for base in ["https://ca.example.com", "https://ca.example.com/"] {
            assert_eq!(
                Endpoint::parse(base).unwrap().join("/api/v2/signingCert").to_string(),
                "https://ca.example.com/api/v2/signingCert"
            );
        }
        assert_eq!(
            Endpoint::parse("http://localhost:8700/rekor/").unwrap().join("/x").to_string(),
            "http://localhost:8700/rekor/x"
        );
    }

    #[test]
    fn secrets_go_over_tls_or_stay_here() {
        for (url, keeps) in [
            ("https://ca.example.com", true),
            ("http://localhost:8700", true),
            ("http://127.0.0.1", true),
            ("http://127.9.9.9:1", true),
            ("http://[::1]:8700", true),
            ("http://ca.example.com", false),
            ("http://localhost.example.com", false),
            ("http://127.0.0.1.example.com", false),
            ("http://10.0.0.1", false),
            ("http://[::ffff:10.0.0.1]", false),
            ("http://0.0.0.0", false),
        ] {
            assert_eq!(Endpoint::parse(url).unwrap().keeps_secrets(), keeps, "{url}");
        }
    }

    #[test]
    fn refuses_what_is_not_an_address() {
        assert!(matches!(Endpoint::parse("ca.example.com"), Err(EndpointError::NotUrl { .. })));
        assert_eq!(
            Endpoint::parse("ftp://ca.example.com"),
            Err(EndpointError::OtherScheme { url: "ftp://ca.example.com".into() })
        );
        for url in ["https://u:secret@h/", "https://h/?secret", "https://h/#secret"] {
            let error = Endpoint::parse(url).unwrap_err();
            assert_eq!(error, EndpointError::MoreThanAddress { url: "https://h/".into() });
            assert!(!error.to_string().contains("secret"));
        }
    }
}

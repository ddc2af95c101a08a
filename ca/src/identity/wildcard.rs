//! Issuer URLs with `*`: one entry for all clusters of a cloud, or all organisations of a forge.
//!
//! A token's `iss` that fits decides where we look for keys, so the pattern is all that stands
//! between a stranger and our requests. Fulcio's was not anchored, and any URL that held a trusted
//! one somewhere passed (GHSA-59jp-pj84-45mr).

use openidconnect::url::Url;
use regex::Regex;

use super::config::{ConfigFault, issuer_url};

/// A pattern of an entry's `url`. Each `*` stands for one or more of `-`, `_`, ASCII letters and
/// digits: a part of one label or segment, never a dot or a slash.
#[derive(Debug, Clone)]
pub(super) struct Wildcard(Regex);

impl Wildcard {
    /// True for a `url` that is a pattern.
    pub(super) fn is_in(url: &str) -> bool {
        url.contains('*')
    }

    /// Reads a pattern.
    ///
    /// # Errors
    /// [`ConfigFault::Wildcard`] for one that is not `https://` and a host, or whose last two
    /// labels hold a `*`: names that anybody may register.
    pub(super) fn parse(pattern: &str) -> Result<Self, ConfigFault> {
        let refused = || ConfigFault::Wildcard { url: pattern.to_owned() };
        let url = issuer_url(pattern).map_err(|_| refused())?;
        let host = url.host_str().unwrap_or_default();
        let fixed = host.rsplit('.').take(2).all(|label| !label.is_empty() && !label.contains('*'));
        if url.scheme() != "https" || !is_as_written(pattern, &url) || !fixed {
            return Err(refused());
        }
        let pieces: Vec<String> = pattern.split('*').map(regex::escape).collect();
        let anchored = format!("^{}$", pieces.join("[-_a-zA-Z0-9]+"));
        Regex::new(&anchored).map(Self).map_err(|_| refused())
    }

    /// The URL of an `iss` that fits byte for byte; nothing for any other.
    pub(super) fn matches(&self, issuer: &str) -> Option<Url> {
        if issuer.len() > MAX_ISSUER || !self.0.is_match(issuer) {
            return None;
        }
        issuer_url(issuer).ok().filter(|url| is_as_written(issuer, url))
    }
}

/// True if the URL parser changes nothing: what was matched is where a request goes.
fn is_as_written(text: &str, url: &Url) -> bool {
    let plain = !text.contains(['%', '\\', '?', '#', '@']);
    plain && (url.as_str() == text || url.as_str().strip_suffix('/') == Some(text))
}

/// No cloud's issuers come near this.
const MAX_ISSUER: usize = 512;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn wildcard_issuer_anchored() {
        let eks = Wildcard::parse("https://oidc.eks.*.amazonaws.com/id/*").unwrap();
        let fits = |issuer: &str| eks.matches(issuer).is_some();
        assert!(fits(
            "https://oidc.eks.us-west-2.amazonaws.com/id/B02C93B6A2D30341AD01E1B6D48164CB"
        ));
        for issuer in [
            "https://evil/https://oidc.eks.a.amazonaws.com/id/x",
            "https://evil.example?https://oidc.eks.a.amazonaws.com/id/x",
            "https://evil.example#https://oidc.eks.a.amazonaws.com/id/x",
            "xhttps://oidc.eks.a.amazonaws.com/id/x",
            "https://oidc.eks.a.amazonaws.com.evil/id/x",
            "https://oidc.eks.a.amazonaws.com.evil.example/id/x",
            "https://oidc.eks.a.amazonaws.comevil/id/x",
            "https://oidc.eks.a.amazonaws.com/id/x/y",
            "https://oidc.eks.a.amazonaws.com/id/x/",
            "https://oidc.eks.a.amazonaws.com/id/x\n",
            "\nhttps://oidc.eks.a.amazonaws.com/id/x",
            "https://oidc.eks.a.amazonaws.com/id/",
            "https://oidc.eks.a.amazonaws.com/id/..",
            "https://oidc.eks.a.amazonaws.com/id/x%2fy",
            "https://oidc.eks.a.amazonaws.com/id/x?y",
            "https://oidc.eks.a.amazonaws.com/id/x#y",
            "https://oidc.eks.a.amazonaws.com/id//x",
            "https://oidc.eks.a.amazonaws.com//id/x",
            "https://oidc.eks..amazonaws.com/id/x",
            "https://oidc.eks.amazonaws.com/id/x",
            "https://oidc.eks.a.b.amazonaws.com/id/x",
            "https://oidc.eks.a/.amazonaws.com/id/x",
            "https://oidc.eks.a@b.amazonaws.com/id/x",
            "https://me@oidc.eks.a.amazonaws.com/id/x",
            "https://oidc.eks.a.amazonaws.com:443/id/x",
            "https://oidc.eks.a.amazonaws.com:8443/id/x",
            "http://oidc.eks.a.amazonaws.com/id/x",
            "HTTPS://oidc.eks.a.amazonaws.com/id/x",
            "https://oidc.eks.A.amazonaws.com/id/x",
            "https://OIDC.eks.a.amazonaws.com/id/x",
            "https://oidcxeks.a.amazonaws.com/id/x",
            "https://oidc.eks.\u{e9}.amazonaws.com/id/x",
            "https://oidc.eks.*.amazonaws.com/id/*",
        ] {
            assert!(!fits(issuer), "{issuer:?}");
        }
        let long = |n: usize| format!("https://oidc.eks.a.amazonaws.com/id/{}", "x".repeat(n));
        assert!(fits(&long(400)) && !fits(&long(500)));
    }

    #[test]
    fn the_known_clouds_fit() {
        for (pattern, issuer) in [
            (
                "https://container.googleapis.com/v1/projects/*/locations/*/clusters/*",
                "https://container.googleapis.com/v1/projects/my-proj/locations/us-west1-b/clusters/c",
            ),
            (
                "https://*.oic.prod-aks.azure.com/*/*/",
                "https://eastus.oic.prod-aks.azure.com/7b1d2f3e/0a1b2c3d/",
            ),
            ("https://oidc.circleci.com/org/*", "https://oidc.circleci.com/org/7b1d2f3e-0000"),
            (
                "https://token.actions.githubusercontent.com/*",
                "https://token.actions.githubusercontent.com/octo-enterprise",
            ),
        ] {
            let wildcard = Wildcard::parse(pattern).unwrap();
            assert_eq!(wildcard.matches(issuer).unwrap().as_str(), issuer);
            let slash = issuer.strip_suffix('/').map_or(format!("{issuer}/"), str::to_owned);
            assert!(wildcard.matches(&slash).is_none(), "the trailing slash counts: {slash}");
        }
    }

    #[test]
    fn patterns_that_match_the_world_are_refused() {
        for pattern in [
            "https://*",
            "https://*/x",
            "https://*.com/x",
            "https://a.*/x",
            "https://*.example.*/x",
            "https://a.*-b.example.c*/x",
            "http://localhost/*",
            "http://a.example.com/*",
            "https://u@a.example.com/*",
            "https://a.example.com/*?x",
            "https://a.example.com/*#x",
            "https://a.example.com/%2a*",
            "https://A.example.com/*",
            "https://a.example.com/../*",
            "*://a.example.com/x",
            "*",
        ] {
            let refused = ConfigFault::Wildcard { url: pattern.to_owned() };
            assert_eq!(Wildcard::parse(pattern).err(), Some(refused), "{pattern}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_fits_goes_where_it_says(issuer in "https://[-a-z0-9.*@:/?#%]{0,12}\\.oic\\.example\\.com[-a-zA-Z0-9_./:@?#%]{0,12}") {
            let wildcard = Wildcard::parse("https://*.oic.example.com/*").unwrap();
            if let Some(url) = wildcard.matches(&issuer) {
                proptest::prop_assert_eq!(url.scheme(), "https");
                proptest::prop_assert!(url.host_str().unwrap().ends_with(".oic.example.com"));
                proptest::prop_assert_eq!(url.host_str().unwrap().split('.').count(), 4);
                proptest::prop_assert_eq!(url.port(), None);
                proptest::prop_assert_eq!(url.path_segments().unwrap().count(), 1);
                proptest::prop_assert_eq!(url.as_str(), issuer.as_str());
            }
        }
    }
}

//! Issuers that vouch for anyone who asks: the whole world has an account there, or can make one.

use openidconnect::url::{Host, Url};

/// True for an issuer that gives tokens to the public, so that having one says nothing about who
/// may sign here.
#[must_use]
pub(super) fn is_public(issuer: &str) -> bool {
    let host = Url::parse(issuer).ok().and_then(|url| match url.host() {
        Some(Host::Domain(name)) => Some(name.to_ascii_lowercase()),
        _ => None,
    });
    host.is_some_and(|host| {
        let under = |name: &&str| host.strip_suffix(*name).is_some_and(|rest| rest.ends_with('.'));
        let host = host.as_str();
        PUBLIC_HOSTS.contains(&host)
            || PUBLIC_DOMAINS.iter().any(|name| *name == host || under(name))
    })
}

/// Hosts whose issuers are public.
const PUBLIC_HOSTS: [&str; 34] = [
    "accounts.google.com",
    "agent.buildkite.com",
    "api.asia.buddy.works",
    "api.bitbucket.org",
    "api.buddy.works",
    "api.eu.buddy.works",
    "app.harness.io",
    "app.terraform.io",
    "appleid.apple.com",
    "auth.eclipse.org",
    "bitbucket.org",
    "cloud.gitlab.com",
    "dev.gitlab.org",
    "g.codefresh.io",
    "github.com",
    "gitlab.archlinux.org",
    "gitlab.com",
    "gitlab.freedesktop.org",
    "gitlab.gnome.org",
    "issuer.enforce.dev",
    "issuer.hello.coop",
    "login.microsoft.com",
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "oauth2.sigstage.dev",
    "oauth2.sigstore.dev",
    "oidc.circleci.com",
    "oidc.codefresh.io",
    "oidc.vercel.com",
    "ops.gitlab.net",
    "sts.windows.net",
    "token.actions.githubusercontent.com",
    "vstoken.dev.azure.com",
    "www.kaggle.com",
];

/// Domains all of whose hosts are public: regions and staging.
const PUBLIC_DOMAINS: [&str; 3] = ["buddy.works", "buddyusercontent.com", "sigstore.dev"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_issuers_are_known_by_their_host() {
        for issuer in [
            "https://token.actions.githubusercontent.com",
            "https://token.actions.githubusercontent.com/octo-enterprise",
            "https://GITLAB.com",
            "https://gitlab.com:443",
            "https://accounts.google.com",
            "https://login.microsoftonline.com/00000000-0000-0000-0000-000000000000/v2.0",
            "https://oidc.circleci.com/org/00000000-0000-0000-0000-000000000000",
            "https://api.eu.buddy.works",
            "https://oauth2.sigstore.dev/auth",
        ] {
            assert!(is_public(issuer), "{issuer}");
        }
        for issuer in [
            "https://gitlab.example.com",
            "https://gitlab.com.example",
            "https://notgitlab.com",
            "https://notbuddy.works",
            "https://kubernetes.default.svc",
            "http://127.0.0.1:8080",
            "http://localhost:8700/oidc",
        ] {
            assert!(!is_public(issuer), "{issuer}");
        }
    }
}

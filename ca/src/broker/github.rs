//! GitHub: OAuth for people, who have no ID tokens there, and the API that says who they are.
//!
//! Sources: GitHub's documents "Authorizing OAuth apps", "REST API endpoints for emails", "... for
//! organization members" and "... for teams".

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::url::Url;
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, LINK};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::config::{Addresses, GITHUB_LOGIN, GitHubConfig, Membership};
use super::connector::{Leg, Person, SignInRefusal, user_id};
use super::upstream::{Answer, Ask, MAX_PAGES, Upstream, UpstreamFault, known_error};
use crate::identity::email;

/// One GitHub server.
pub(super) struct GitHub {
    client_id: String,
    secret: Option<Arc<Zeroizing<String>>>,
    config: GitHubConfig,
    login: Upstream,
    api: Upstream,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct User {
    id: u64,
    login: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Email {
    email: String,
    primary: bool,
    verified: bool,
}

#[derive(Deserialize)]
struct Organization {
    login: String,
}

#[derive(Deserialize)]
struct Team {
    slug: String,
    organization: Organization,
}

impl GitHub {
    pub(super) fn new(
        client_id: String,
        secret: Option<Arc<Zeroizing<String>>>,
        config: GitHubConfig,
    ) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        let version = HeaderName::from_static("x-github-api-version");
        headers.insert(version, HeaderValue::from_static("2022-11-28"));
        Self {
            client_id,
            secret,
            login: Upstream::new(&config.url, None, HeaderMap::new()),
            api: Upstream::new(&config.api_url, None, headers),
            config,
        }
    }

    pub(super) fn begin(&self, leg: &Leg, redirect_uri: &str) -> Result<Url, SignInRefusal> {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, leg.verifier.as_bytes()));
        let mut url = parse(&format!("{}{GITHUB_LOGIN}/authorize", self.config.url))?;
        let scope = if self.config.organizations.is_empty() { EMAIL_SCOPE } else { MEMBER_SCOPE };
        let mut query = url.query_pairs_mut();
        query
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", scope)
            .append_pair("state", &leg.state)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        if let Some(hint) = &leg.login_hint {
            query.append_pair("login", hint);
        }
        drop(query);
        Ok(url)
    }

    pub(super) async fn complete(
        &self,
        leg: &Leg,
        redirect_uri: &str,
        code: &str,
    ) -> Result<Person, SignInRefusal> {
        if self.config.addresses == Addresses::Unverified {
            return Err(SignInRefusal::ServerVerifiesNone);
        }
        let token = self.redeem(leg, redirect_uri, code).await?;
        let what = "the account";
        let user: User = self.get(what, "/user", &token).await?.json(what)?;
        let emails: Vec<Email> = self.list("the addresses", "/user/emails", &token).await?;
        let (addresses, has_default) = usable(emails, self.config.addresses);
        if addresses.is_empty() {
            return Err(SignInRefusal::NoVerifiedAddress);
        }
        let groups = self.groups(&token).await?;
        Ok(Person {
            user_id: user_id(&user.id.to_string())?,
            login: Some(user.login),
            addresses,
            has_default,
            hosted_domain: None,
            groups,
        })
    }

    /// Errors come with status 200 and a member `error`.
    async fn redeem(
        &self,
        leg: &Leg,
        redirect_uri: &str,
        code: &str,
    ) -> Result<Zeroizing<String>, SignInRefusal> {
        let what = "the code";
        let url = parse(&format!("{}{GITHUB_LOGIN}/access_token", self.config.url))?;
        let secret = self.secret.as_ref().map_or("", |secret| secret.as_str());
        let fields = [
            ("client_id", self.client_id.as_str()),
            ("client_secret", secret),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", leg.verifier.as_str()),
        ];
        let ask = Ask::Form { fields: &fields, basic: None };
        let answer: TokenAnswer = self.login.ask(what, &url, ask).await?.json(what)?;
        if let Some(error) = answer.error {
            return Err(UpstreamFault::Refused { error: known_error(&error) }.into());
        }
        answer
            .access_token
            .map(Zeroizing::new)
            .ok_or_else(|| UpstreamFault::Malformed { what }.into())
    }

    /// Which of the required organisations and teams the account is in; at least one, or refused.
    async fn groups(&self, token: &str) -> Result<Vec<String>, SignInRefusal> {
        let required = &self.config.organizations;
        if required.is_empty() {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        if required.iter().any(|membership| membership.team.is_none()) {
            let what = "the organisations";
            let organizations: Vec<Organization> = self.list(what, "/user/orgs", token).await?;
            found.extend(
                organizations.into_iter().map(|organization| Membership {
                    organization: organization.login,
                    team: None,
                }),
            );
        }
        if required.iter().any(|membership| membership.team.is_some()) {
            let teams: Vec<Team> = self.list("the teams", "/user/teams", token).await?;
            found.extend(teams.into_iter().map(|team| Membership {
                organization: team.organization.login,
                team: Some(team.slug),
            }));
        }
        let groups: Vec<String> = required
            .iter()
            .filter(|required| found.iter().any(|found| required.is(found)))
            .map(ToString::to_string)
            .collect();
        if groups.is_empty() {
            let all: Vec<String> = required.iter().map(ToString::to_string).collect();
            return Err(SignInRefusal::NotAMember { required: all.join(", ") });
        }
        Ok(groups)
    }

    async fn get(
        &self,
        what: &'static str,
        path: &str,
        token: &str,
    ) -> Result<Answer, SignInRefusal> {
        let url = parse(&format!("{}{path}", self.config.api_url))?;
        Ok(self.api.ask(what, &url, Ask::Get { bearer: Some(token) }).await?)
    }

    /// All pages of a list, by the `Link` header. The token goes to the API's own host and nowhere
    /// else, whatever a page says comes next.
    async fn list<T: DeserializeOwned>(
        &self,
        what: &'static str,
        path: &str,
        token: &str,
    ) -> Result<Vec<T>, SignInRefusal> {
        let mut url = parse(&format!("{}{path}?per_page=100", self.config.api_url))?;
        let origin = url.origin();
        let mut all = Vec::new();
        for _page in 0..MAX_PAGES {
            let answer = self.api.ask(what, &url, Ask::Get { bearer: Some(token) }).await?;
            all.extend(answer.json::<Vec<T>>(what)?);
            match next_page(&answer.headers) {
                None => return Ok(all),
                Some(next) => {
                    url = parse(&next).map_err(|_| UpstreamFault::Malformed { what })?;
                    if url.origin() != origin {
                        return Err(UpstreamFault::PageElsewhere { what }.into());
                    }
                }
            }
        }
        Err(UpstreamFault::TooManyPages { what }.into())
    }
}

/// The verified addresses, the primary one first where it is one of them, and whether it is.
fn usable(emails: Vec<Email>, believed: Addresses) -> (Vec<String>, bool) {
    let verified = |email: &Email| match believed {
        Addresses::AsVerified => email.verified,
        Addresses::Trusted => true,
        Addresses::Unverified => false,
    };
    let fit = |email: &Email| verified(email) && email::check(&email.email).is_ok();
    let (mut primary, others): (Vec<Email>, Vec<Email>) =
        emails.into_iter().filter(fit).partition(|email| email.primary);
    // Exactly one address is primary; two would leave the choice to the order of a list.
    let has_default = primary.len() == 1;
    primary.extend(others);
    (primary.into_iter().map(|email| email.email).collect(), has_default)
}

/// RFC 8288: the target of the link with `rel="next"`.
fn next_page(headers: &HeaderMap) -> Option<String> {
    let links = headers.get(LINK)?.to_str().ok()?;
    links.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = |parameter: &str| matches!(parameter.trim(), "rel=\"next\"" | "rel=next");
        parameters.split(';').any(is_next).then(|| target.to_owned())
    })
}

impl Membership {
    /// GitHub's names are the same in any case.
    fn is(&self, other: &Self) -> bool {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        same(&self.organization, &other.organization)
            && match (&self.team, &other.team) {
                (None, None) => true,
                (Some(a), Some(b)) => same(a, b),
                _ => false,
            }
    }
}

impl std::fmt::Display for Membership {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.team {
            Some(team) => write!(f, "{}/{team}", self.organization),
            None => f.write_str(&self.organization),
        }
    }
}

fn parse(url: &str) -> Result<Url, UpstreamFault> {
    Url::parse(url).map_err(|_| UpstreamFault::Malformed { what: "an address" })
}

const EMAIL_SCOPE: &str = "user:email";
const MEMBER_SCOPE: &str = "user:email read:org";

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn email(email: &str, primary: bool, verified: bool) -> Email {
        Email { email: email.to_owned(), primary, verified }
    }

    #[test]
    fn github_email_primary_and_verified() {
        let check = |emails: &[Email], believed, addresses: &[&str], has_default| {
            let found = usable(emails.to_vec(), believed);
            assert_eq!(found.0, addresses, "{emails:?}");
            assert_eq!(found.1, has_default, "{emails:?}");
        };
        let (good, bad) = (email("a@b.c", true, true), email("a@b.c", true, false));
        let other = email("x@b.c", false, true);
        check(std::slice::from_ref(&good), Addresses::AsVerified, &["a@b.c"], true);
        check(std::slice::from_ref(&bad), Addresses::AsVerified, &[], false);
        let both = [other.clone(), good.clone()];
        check(&both, Addresses::AsVerified, &["a@b.c", "x@b.c"], true);
        // Another verified one is offered, and never taken unasked.
        check(&[other, bad.clone()], Addresses::AsVerified, &["x@b.c"], false);
        check(&[good], Addresses::Unverified, &[], false);
        check(&[bad], Addresses::Trusted, &["a@b.c"], true);
        check(&[email("a@@b.c", true, true)], Addresses::AsVerified, &[], false);
    }

    #[test]
    fn the_next_page_is_that_of_the_link_header() {
        let next = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, HeaderValue::from_str(value).unwrap());
            next_page(&headers)
        };
        let both = "<https://api.github.com/user/emails?page=1>; rel=\"prev\", \
                    <https://api.github.com/user/emails?page=3>; rel=\"next\"";
        assert_eq!(next(both).as_deref(), Some("https://api.github.com/user/emails?page=3"));
        assert_eq!(next("<https://api.github.com/x>; rel=\"last\""), None);
        assert_eq!(next(""), None);
        assert_eq!(next_page(&HeaderMap::new()), None);
    }
}

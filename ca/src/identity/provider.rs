//! A CI provider as data: templates that turn claims into a certificate subject and extensions.
//!
//! The tables of the known providers are shipped ([`CiProvider::shipped`]); an operator's own
//! stand in ca.toml as `[[ci_provider]]`, in the same words.

use std::collections::BTreeMap;

use openidconnect::url::Url;
use serde::Deserialize;

use super::claims::Claims;
use super::config::{Names, is_loopback};
use super::refusal::TokenRefusal;
use super::san::{self, SubjectForm};
use super::template::{Template, TemplateFault, Values};

/// The templates of one CI provider.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ProviderTable")]
pub struct CiProvider {
    name: String,
    defaults: BTreeMap<String, String>,
    required: Vec<String>,
    allowed: BTreeMap<String, Vec<String>>,
    subject: Template,
    subject_form: SubjectForm,
    extensions: BTreeMap<u8, Template>,
    escaped: BTreeMap<u8, SubjectForm>,
    home: Option<Home>,
}

/// Where a provider's repositories are, when it is not the service that everybody knows.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Home {
    /// The well-known issuer, to which the default of `url` belongs.
    issuer: String,
    /// What a self-managed installation's own `url` is.
    elsewhere: Elsewhere,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Elsewhere {
    /// The issuer itself, as with GitLab.
    Issuer,
    /// The issuer's scheme, host and port, as with GitHub Enterprise Server.
    IssuerOrigin,
}

impl CiProvider {
    /// A provider whose templates are shipped: `github-actions`, `gitlab`, `buildkite`,
    /// `circleci`, `codefresh` or `buddy`.
    #[must_use]
    pub fn shipped(name: &str) -> Option<Self> {
        find(&SHIPPED, name)
    }

    /// One of Fulcio's pipeline types from before its `ci-provider`: `github-workflow`,
    /// `gitlab-pipeline`, `buildkite-job` or `codefresh-workflow`.
    #[must_use]
    pub fn deprecated(name: &str) -> Option<Self> {
        find(&DEPRECATED, name)
    }

    /// The names that [`Self::shipped`] knows.
    pub fn shipped_names() -> impl Iterator<Item = &'static str> {
        SHIPPED.into_iter().map(|(name, _)| name)
    }

    /// The name that a configuration uses for it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// True if both make the same of every token, whatever they are called.
    #[must_use]
    pub fn says_the_same_as(&self, other: &Self) -> bool {
        let unnamed =
            |provider: &Self| Self { name: String::new(), home: None, ..provider.clone() };
        unnamed(self) == unnamed(other)
    }

    /// The provider with another default for `url`; nothing if its templates have none.
    #[must_use]
    pub fn at(mut self, url: &str) -> Option<Self> {
        let default = self.defaults.get_mut(URL)?;
        url.clone_into(default);
        Some(self)
    }

    /// The provider as its installation at `issuer` has it: a self-managed forge's certificates
    /// must not name the repositories of the public one. A loopback issuer stands in for the
    /// public one, in tests.
    #[must_use]
    pub fn for_issuer(self, issuer: &Url) -> Self {
        let Some(home) = &self.home else { return self };
        let at_home = Url::parse(&home.issuer).is_ok_and(|home| home.origin() == issuer.origin());
        if at_home || is_loopback(issuer) {
            return self;
        }
        let url = match home.elsewhere {
            Elsewhere::Issuer => issuer.as_str().trim_end_matches('/').to_owned(),
            Elsewhere::IssuerOrigin => issuer.origin().ascii_serialization(),
        };
        self.clone().at(&url).unwrap_or(self)
    }

    /// Renders every template over one token's claims; `issuer` is for the refusals.
    pub(super) fn render(&self, issuer: &str, claims: &Claims) -> Result<Rendered, TokenRefusal> {
        for claim in &self.required {
            claims.certified(claim)?;
        }
        for (claim, allowed) in &self.allowed {
            if !allowed.iter().any(|value| claims.text(claim) == Ok(value)) {
                let allowed: Names = allowed.iter().collect();
                return Err(TokenRefusal::ClaimValue { claim: claim.clone(), allowed });
            }
        }
        let escape = |text: &str, form| {
            san::uri(text, form)
                .map_err(|fault| TokenRefusal::Subject { issuer: issuer.to_owned(), fault })
        };
        let mut values = Values::new(claims, &self.defaults);
        let subject = escape(&self.subject.render(&mut values)?, self.subject_form)?;
        let mut extensions = Vec::with_capacity(self.extensions.len());
        for (arc, template) in &self.extensions {
            let mut value = template.render(&mut values)?;
            if let Some(form) = self.escaped.get(arc) {
                value = escape(&value, *form)?;
            }
            if !value.is_empty() {
                extensions.push((*arc, value));
            }
        }
        Ok(Rendered { subject, extensions, used: values.used() })
    }
}

/// What a provider's templates made of a token.
pub(super) struct Rendered {
    /// The subject, escaped as it stands in the certificate.
    pub(super) subject: String,
    /// Last arc of 1.3.6.1.4.1.57264.1 and value, ascending, never empty.
    pub(super) extensions: Vec<(u8, String)>,
    /// The claims that were read, with their text.
    pub(super) used: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProviderTable {
    name: String,
    #[serde(default)]
    defaults: BTreeMap<String, String>,
    /// Claims that must be there and not be empty, whether a template reads them or not.
    #[serde(default)]
    required: Vec<String>,
    /// Claims of which only these values are taken.
    #[serde(default)]
    allowed: BTreeMap<String, Vec<String>>,
    subject: Template,
    #[serde(default)]
    subject_form: SubjectForm,
    #[serde(default)]
    extensions: BTreeMap<String, Template>,
    /// Extensions that are escaped as a subject is.
    #[serde(default)]
    escaped: BTreeMap<String, SubjectForm>,
    home: Option<Home>,
}

impl TryFrom<ProviderTable> for CiProvider {
    type Error = TemplateFault;

    fn try_from(table: ProviderTable) -> Result<Self, TemplateFault> {
        if table.subject.is_empty() {
            return Err(TemplateFault::NoSubject { provider: table.name });
        }
        Ok(Self {
            name: table.name,
            defaults: table.defaults,
            required: table.required,
            allowed: table.allowed,
            subject: table.subject,
            subject_form: table.subject_form,
            extensions: by_arc(table.extensions)?,
            escaped: by_arc(table.escaped)?,
            home: table.home,
        })
    }
}

fn by_arc<T>(by_name: BTreeMap<String, T>) -> Result<BTreeMap<u8, T>, TemplateFault> {
    by_name
        .into_iter()
        .map(|(name, value)| match EXTENSIONS.iter().find(|(_, known)| *known == name) {
            Some((arc, _)) => Ok((*arc, value)),
            None => Err(TemplateFault::Extension { name }),
        })
        .collect()
}

/// The name of an extension below 1.3.6.1.4.1.57264.1, as Fulcio's configuration and its list of
/// object identifiers have it.
pub(crate) fn extension_name(arc: u8) -> &'static str {
    match arc {
        1 => "issuer (v1)",
        8 => "issuer",
        24 => "token-subject",
        _ => EXTENSIONS.iter().find(|(known, _)| *known == arc).map_or("", |(_, name)| name),
    }
}

fn find(tables: &[(&str, &str)], name: &str) -> Option<CiProvider> {
    let (_, table) = tables.iter().find(|(known, _)| *known == name)?;
    toml::from_str(table).ok()
}

/// The template value that says where the repositories are.
const URL: &str = "url";

const SHIPPED: [(&str, &str); 6] = [
    ("github-actions", include_str!("providers/github-actions.toml")),
    ("gitlab", include_str!("providers/gitlab.toml")),
    ("buildkite", include_str!("providers/buildkite.toml")),
    ("circleci", include_str!("providers/circleci.toml")),
    ("codefresh", include_str!("providers/codefresh.toml")),
    ("buddy", include_str!("providers/buddy.toml")),
];

const DEPRECATED: [(&str, &str); 4] = [
    ("github-workflow", include_str!("providers/github-workflow.toml")),
    ("gitlab-pipeline", include_str!("providers/gitlab-pipeline.toml")),
    ("buildkite-job", include_str!("providers/buildkite-job.toml")),
    ("codefresh-workflow", include_str!("providers/codefresh-workflow.toml")),
];

/// Last arcs of 1.3.6.1.4.1.57264.1 that templates may set, by Fulcio's configuration names. The
/// issuer (1 and 8) and the token's subject (24) are never a template's to say.
pub(crate) const EXTENSIONS: [(u8, &str); 20] = [
    (2, "github-workflow-trigger"),
    (3, "github-workflow-sha"),
    (4, "github-workflow-name"),
    (5, "github-workflow-repository"),
    (6, "github-workflow-ref"),
    (9, "build-signer-uri"),
    (10, "build-signer-digest"),
    (11, "runner-environment"),
    (12, "source-repository-uri"),
    (13, "source-repository-digest"),
    (14, "source-repository-ref"),
    (15, "source-repository-identifier"),
    (16, "source-repository-owner-uri"),
    (17, "source-repository-owner-identifier"),
    (18, "build-config-uri"),
    (19, "build-config-digest"),
    (20, "build-trigger"),
    (21, "run-invocation-uri"),
    (22, "source-repository-visibility-at-signing"),
    (23, "deployment-environment"),
];

#[cfg(test)]
mod tests;

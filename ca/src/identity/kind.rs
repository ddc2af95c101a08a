//! The types of issuers: what each reads in a token, and what its certificates say.
//!
//! They are Fulcio's, under Fulcio's names. The type alone decides the kind of the subject: an
//! address never comes out of anything but the two e-mail types.

mod chainguard;
mod email;
mod kubernetes;
mod spiffe;
mod uri;
mod username;

use std::collections::BTreeMap;

use formats::certificate::SubjectName;

pub use self::kubernetes::ServiceAccountFault;
pub use self::spiffe::SpiffeFault;
pub(super) use self::spiffe::is_trust_domain;
pub use self::username::UsernameFault;

use super::claims::Claims;
use super::provider::CiProvider;
use super::refusal::TokenRefusal;
use crate::admit::Vocabulary;

/// How an issuer's claims become a certificate subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IssuerKind {
    /// People: a verified `email` claim becomes an rfc822Name.
    Email,
    /// People of an issuer that does not say which addresses it has verified, because its operator
    /// has verified them all. An `email_verified` that is there must still be true.
    EmailWithoutVerifiedClaim,
    /// Accounts: `sub` and the domain become an otherName, `sub!domain`.
    Username {
        /// The host name of the issuer.
        subject_domain: String,
    },
    /// Resources: a `sub` below the domain is the URI.
    Uri {
        /// `https://` and the host of the issuer.
        subject_domain: String,
    },
    /// Workloads: a `sub` that is a SPIFFE ID of the trust domain is the URI.
    Spiffe {
        /// The trust domain, without `spiffe://`.
        trust_domain: String,
    },
    /// Service accounts of a cluster, by bound tokens: the URI names namespace and account.
    Kubernetes,
    /// Chainguard's identities: the URI is the issuer and `sub`.
    ChainguardIdentity,
    /// Pipelines: a provider's templates make a URI and the certificate extensions.
    Ci {
        /// The templates.
        provider: CiProvider,
    },
    /// Pipelines as Fulcio knew them before its `ci-provider`.
    DeprecatedPipeline {
        /// Templates of [`CiProvider::deprecated`].
        provider: CiProvider,
    },
}

/// What a type of issuer reads in a token.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reading {
    /// The one subject alternative name.
    pub(super) subject: SubjectName,
    /// What a signed challenge covers.
    pub(super) challenge: String,
    /// Last arc of 1.3.6.1.4.1.57264.1 and value, ascending.
    pub(super) extensions: Vec<(u8, String)>,
    /// The claims that decided, with their text.
    pub(super) used: BTreeMap<String, String>,
}

impl IssuerKind {
    /// Reads a token's claims; `issuer` is its `iss`, and `sub` is good certificate text.
    pub(super) fn read(
        &self,
        issuer: &str,
        sub: &str,
        claims: &Claims,
    ) -> Result<Reading, TokenRefusal> {
        match self {
            Self::Email => email::read(claims, email::Verified::MustBeSaid),
            Self::EmailWithoutVerifiedClaim => email::read(claims, email::Verified::MayBeUnsaid),
            Self::Username { subject_domain } => username::read(sub, subject_domain),
            Self::Uri { subject_domain } => uri::read(issuer, sub, subject_domain),
            Self::Spiffe { trust_domain } => spiffe::read(sub, trust_domain),
            Self::Kubernetes => kubernetes::read(sub, claims),
            Self::ChainguardIdentity => chainguard::read(issuer, sub, claims),
            Self::Ci { provider } | Self::DeprecatedPipeline { provider } => {
                let rendered = provider.render(issuer, claims)?;
                Ok(Reading {
                    subject: SubjectName::Uri(rendered.subject),
                    challenge: sub.to_owned(),
                    extensions: rendered.extensions,
                    used: rendered.used,
                })
            }
        }
    }

    /// Fulcio's name of the type.
    #[must_use]
    pub fn fulcio_name(&self) -> &str {
        match self {
            Self::Email | Self::EmailWithoutVerifiedClaim => "email",
            Self::Username { .. } => "username",
            Self::Uri { .. } => "uri",
            Self::Spiffe { .. } => "spiffe",
            Self::Kubernetes => "kubernetes",
            Self::ChainguardIdentity => "chainguard-identity",
            Self::Ci { .. } => "ci-provider",
            Self::DeprecatedPipeline { provider } => provider.name(),
        }
    }

    /// Which keys the allow rules of such an issuer may have.
    pub(super) fn vocabulary(&self) -> Vocabulary {
        match self {
            Self::Email | Self::EmailWithoutVerifiedClaim => Vocabulary::People,
            Self::Kubernetes => Vocabulary::Kubernetes,
            Self::Ci { provider } | Self::DeprecatedPipeline { provider } => {
                match provider.name().split('-').next() {
                    Some("github") => Vocabulary::GitHub,
                    Some("gitlab") => Vocabulary::GitLab,
                    _ => Vocabulary::Other,
                }
            }
            Self::Username { .. }
            | Self::Uri { .. }
            | Self::Spiffe { .. }
            | Self::ChainguardIdentity => Vocabulary::Other,
        }
    }

    /// True for the types whose subject is a person's address.
    #[must_use]
    pub const fn is_email(&self) -> bool {
        matches!(self, Self::Email | Self::EmailWithoutVerifiedClaim)
    }

    /// True if tokens may say `typ` JOSE and leave `iat` out, as JWT-SVIDs do (SPIFFE JWT-SVID
    /// sections 2.3 and 3.5).
    pub(super) const fn takes_jose(&self) -> bool {
        matches!(self, Self::Spiffe { .. })
    }
}

impl Reading {
    /// A subject out of `sub` alone, which the challenge covers too.
    fn of_sub(subject: SubjectName, sub: &str) -> Self {
        let (challenge, extensions) = (sub.to_owned(), Vec::new());
        Self { subject, challenge, extensions, used: BTreeMap::new() }
    }
}

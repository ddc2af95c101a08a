//! What the caller demands: an identity or a key, and how many independent witnesses. There is no
//! policy without a signer, no threshold of zero, and no way to switch a check off.

mod claim;
mod pattern;

use std::num::NonZeroU32;

use formats::key::PublicKey;
use formats::trusted_root::Window;

pub use claim::Claim;
pub use pattern::WholePattern;

use crate::error::MatchFault;

/// The demands on one bundle.
///
/// Rules that make sense for certificates alone (identity, claims, certificate transparency) live
/// in [`IdentityMatch`], so that a key policy cannot carry one that would go unread.
#[derive(Debug, Clone)]
pub struct Policy {
    pub(crate) signer: SignerRule,
    pub(crate) predicate_type: Option<String>,
    pub(crate) logs: NonZeroU32,
    pub(crate) times: Option<NonZeroU32>,
}

/// Who must have signed.
#[derive(Debug, Clone)]
pub(crate) enum SignerRule {
    Identity(IdentityMatch),
    Key(KeyRule),
}

#[derive(Debug, Clone)]
pub(crate) struct KeyRule {
    pub(crate) key: PublicKey,
    pub(crate) window: Option<Window>,
}

impl Policy {
    /// The signer must hold a certificate with this identity.
    #[must_use]
    pub fn identity(identity: IdentityMatch) -> Self {
        Self::of(SignerRule::Identity(identity))
    }

    /// The signer must hold this key, at whatever time.
    #[must_use]
    pub fn key(key: PublicKey) -> Self {
        Self::of(SignerRule::Key(KeyRule { key, window: None }))
    }

    /// The signer must hold this key, and have used it within `window`. A bundle that proves no
    /// time is refused.
    #[must_use]
    pub fn key_within(key: PublicKey, window: Window) -> Self {
        Self::of(SignerRule::Key(KeyRule { key, window: Some(window) }))
    }

    /// The bundle must be an attestation with exactly this predicate type.
    #[must_use]
    pub fn predicate_type(self, predicate_type: impl Into<String>) -> Self {
        Self { predicate_type: Some(predicate_type.into()), ..self }
    }

    /// This many distinct transparency logs must hold the entry; one if never said.
    #[must_use]
    pub fn logs(self, at_least: NonZeroU32) -> Self {
        Self { logs: at_least, ..self }
    }

    /// This many distinct sources must vouch for the time; one if never said, for a certificate,
    /// and none for a key without a window.
    #[must_use]
    pub fn times(self, at_least: NonZeroU32) -> Self {
        Self { times: Some(at_least), ..self }
    }

    fn of(signer: SignerRule) -> Self {
        Self { signer, predicate_type: None, logs: NonZeroU32::MIN, times: None }
    }
}

/// The identity that a certificate must have. Subject and issuer are both demanded: a subject
/// means nothing without the issuer that vouches for it.
#[derive(Debug, Clone)]
pub struct IdentityMatch {
    pub(crate) subject: Matcher,
    pub(crate) issuer: Matcher,
    pub(crate) claims: Vec<(Claim, Matcher)>,
    pub(crate) scts: NonZeroU32,
}

impl IdentityMatch {
    /// A certificate for `subject` (its one subject alternative name), whose identity token came
    /// from `issuer`.
    #[must_use]
    pub fn new(subject: Matcher, issuer: Matcher) -> Self {
        Self { subject, issuer, claims: Vec::new(), scts: NonZeroU32::MIN }
    }

    /// The certificate must also state this claim with a matching value; a certificate without the
    /// claim is refused. Every rule given must hold, two on one claim included.
    #[must_use]
    pub fn claim(mut self, claim: Claim, value: Matcher) -> Self {
        self.claims.push((claim, value));
        self
    }

    /// This many distinct CT logs must have signed for the certificate; one if never said.
    #[must_use]
    pub fn scts(self, at_least: NonZeroU32) -> Self {
        Self { scts: at_least, ..self }
    }
}

/// How one text must compare.
#[derive(Debug, Clone)]
pub enum Matcher {
    /// Byte for byte equal: no case folding, no normalisation.
    Exact(String),
    /// The whole text matches the pattern.
    Regexp(WholePattern),
}

impl Matcher {
    /// An exact match.
    #[must_use]
    pub fn exact(text: impl Into<String>) -> Self {
        Self::Exact(text.into())
    }

    pub(crate) fn check(&self, found: &str) -> Result<(), MatchFault> {
        match self {
            Self::Exact(wanted) if wanted == found => Ok(()),
            Self::Exact(_) => Err(MatchFault::Differs),
            Self::Regexp(pattern) if pattern.matches_whole(found) => Ok(()),
            Self::Regexp(pattern) if pattern.matches_part(found) => Err(MatchFault::InPart),
            Self::Regexp(_) => Err(MatchFault::Differs),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn exact_is_literal() {
        let exact = Matcher::exact("a.b@x.io");
        assert_eq!(exact.check("a.b@x.io"), Ok(()));
        assert_eq!(exact.check("aXb@x.io"), Err(MatchFault::Differs));
        assert_eq!(exact.check("A.b@x.io"), Err(MatchFault::Differs));
        assert_eq!(exact.check("a.b@x.io\n"), Err(MatchFault::Differs));
        assert_eq!(exact.check("xa.b@x.io"), Err(MatchFault::Differs));
    }

    #[test]
    fn regexp_matches_whole() {
        let check = |pattern: &str, text: &str| {
            Matcher::Regexp(WholePattern::new(pattern).unwrap()).check(text)
        };
        assert_eq!(check("https://github.com/org/.+", "https://github.com/org/app"), Ok(()));
        assert_eq!(
            check("https://github.com/org", "https://github.com/org-evil"),
            Err(MatchFault::InPart)
        );
        assert_eq!(check("a|b", "a"), Ok(()));
        assert_eq!(check("a|b", "b"), Ok(()));
        assert_eq!(check("a|b", "ab"), Err(MatchFault::InPart));
        assert_eq!(check("a|b", "xb"), Err(MatchFault::InPart));
        assert_eq!(check("dev@x.io", "dev@x.io\n"), Err(MatchFault::InPart));
        assert_eq!(check("dev@x.io", "evil\ndev@x.io"), Err(MatchFault::InPart));
        assert_eq!(check("(?m)^dev@x.io$", "evil\ndev@x.io"), Err(MatchFault::InPart));
        assert_eq!(check("dev@x.io", "ops@x.io"), Err(MatchFault::Differs));
    }
}

//! The page with the order of the checks.

use std::num::NonZeroU32;

use formats::bundle::{Bundle, Material};
use formats::certificate::{Certificate, FulcioExtensions, SubjectName};
use formats::digest::HashAlgorithm;
use formats::key::PublicKey;
use formats::statement::Statement;
use formats::trusted_root::TrustedRoot;

pub use crate::inclusion::IncludedEntry;
pub use crate::signature::Artifact;

use crate::chain;
use crate::error::{AuthorityFault, BundleFault, PolicyFault, Refusal, RootFault};
use crate::identity::{self, MatchedIdentity};
use crate::inclusion;
use crate::policy::{IdentityMatch, KeyRule, Policy, SignerRule};
use crate::root::Anchors;
use crate::sct;
use crate::signature::{self, SignedContent};
use crate::signer::{Signer, TimedKey};
use crate::time::{self, VerifiedTime};

/// Verifies `bundle` for `artifact` against `policy` and `root` at `now` (unix seconds, which only
/// bounds a log's claim about its own time). To verify many bundles, prepare a [`Verifier`] once.
///
/// # Errors
/// The one reason for which the bundle is not accepted.
pub fn verify(
    bundle: &Bundle,
    artifact: &Artifact<'_>,
    policy: &Policy,
    root: &TrustedRoot,
    now: i64,
) -> Result<Verified, Refusal> {
    let verifier = Verifier::new(root).map_err(AuthorityFault::TrustRoot)?;
    verifier.verify(bundle, artifact, policy, now)
}

/// A trust root whose chains have been checked and whose logs have been indexed, once for any
/// number of bundles.
#[derive(Debug)]
pub struct Verifier {
    anchors: Anchors,
}

impl Verifier {
    /// Prepares a trust root.
    ///
    /// # Errors
    /// [`RootFault`] for a chain that is broken or reversed, and for one log id with two keys. A
    /// list that is empty is no fault here: what needs it is refused.
    pub fn new(root: &TrustedRoot) -> Result<Self, RootFault> {
        Ok(Self { anchors: Anchors::prepare(root)? })
    }

    /// Verifies `bundle` for `artifact` against `policy`; see [`verify`].
    ///
    /// # Errors
    /// The one reason for which the bundle is not accepted.
    pub fn verify(
        &self,
        bundle: &Bundle,
        artifact: &Artifact<'_>,
        policy: &Policy,
        now: i64,
    ) -> Result<Verified, Refusal> {
        let anchors = &self.anchors;
        let demanded = demanded(bundle, policy, anchors)?;
        let entries = inclusion::read(bundle, anchors)?;
        let times = time::establish(bundle, &entries, anchors, now)?;
        let signer = match demanded {
            Demanded::Certificate { leaf, wanted } => {
                let times = times.at_least(policy.times.unwrap_or(NonZeroU32::MIN))?;
                let chain = chain::verify(leaf, times, anchors)?;
                let certificate = sct::verify(chain, wanted.scts, anchors)?;
                Signer::Certificate { certificate, wanted }
            }
            Demanded::Key(rule) => Signer::Key(TimedKey::verify(rule, times, policy.times)?),
        };
        let content = SignedContent::of(bundle, signer.key(), artifact)?;
        let included = inclusion::verify(&entries, signer, &content, policy.logs)?;
        let signature = signature::verify(included, content)?;
        let matched = identity::matched(signature, policy)?;
        Ok(Verified::from(matched))
    }
}

/// What a verified bundle says. Made by [`Verifier::verify`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verified {
    /// Who signed; `None` for a bare key.
    pub subject: Option<SubjectName>,
    /// Who vouches for them; `None` for a bare key.
    pub issuer: Option<String>,
    /// What else the certificate states; empty for a bare key.
    pub extensions: FulcioExtensions,
    /// Every verified time; none only for a bare key.
    pub times: Vec<VerifiedTime>,
    /// Where logs hold the entry; at least one.
    pub entries: Vec<IncludedEntry>,
    /// The statement of an attestation, `None` for a signed file.
    pub statement: Option<Statement>,
}

/// The digests that the artifact of `bundle` must be hashed with: for a message the one that the
/// key signs, for an attestation those that its subjects are known by. `key` is the policy's, for
/// a bundle without certificate. Empty when nothing could verify anyway.
#[must_use]
pub fn required_digests(bundle: &Bundle, key: Option<&PublicKey>) -> Vec<HashAlgorithm> {
    signature::required_digests(bundle, key)
}

/// What the policy demands, where the bundle has something of that kind to show.
enum Demanded<'a> {
    Certificate { leaf: &'a Certificate, wanted: &'a IdentityMatch },
    Key(&'a KeyRule),
}

/// The policy decides between identity and key; a bundle of the other kind is refused.
fn demanded<'a>(
    bundle: &'a Bundle,
    policy: &'a Policy,
    anchors: &Anchors,
) -> Result<Demanded<'a>, Refusal> {
    match (&policy.signer, &bundle.material) {
        (SignerRule::Identity(wanted), Material::Certificate(leaf)) => {
            Ok(Demanded::Certificate { leaf, wanted })
        }
        (SignerRule::Identity(wanted), Material::Chain(chain)) => {
            let leaf = leaf_of_chain(chain, anchors)?;
            Ok(Demanded::Certificate { leaf, wanted })
        }
        // The hint selects nothing: the policy has one key.
        (SignerRule::Key(rule), Material::PublicKey { hint: _ }) => Ok(Demanded::Key(rule)),
        (SignerRule::Identity(_), Material::PublicKey { .. }) => Err(PolicyFault::KeyBundle.into()),
        (SignerRule::Key(_), Material::Certificate(_) | Material::Chain(_)) => {
            Err(PolicyFault::CertificateBundle.into())
        }
    }
}

/// The certificates after the leaf are read past: paths come from the trust root. A root among
/// them is an attempt at bringing one's own anchor, or a client that misread the format.
fn leaf_of_chain<'a>(
    chain: &'a [Certificate],
    anchors: &Anchors,
) -> Result<&'a Certificate, BundleFault> {
    let (leaf, rest) = chain.split_first().ok_or(BundleFault::EmptyChain)?;
    match rest.iter().position(|other| other.is_self_issued() || anchors.is_anchor(other)) {
        Some(after) => Err(BundleFault::RootInChain { position: after + 1 }),
        None => Ok(leaf),
    }
}

impl From<MatchedIdentity> for Verified {
    fn from(matched: MatchedIdentity) -> Self {
        let MatchedIdentity { identity, times, entries, statement } = matched;
        let (subject, issuer, extensions) = match identity {
            Some(identity) => (Some(identity.subject), Some(identity.issuer), identity.extensions),
            None => (None, None, FulcioExtensions::default()),
        };
        Self { subject, issuer, extensions, times, entries, statement }
    }
}

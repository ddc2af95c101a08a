//! Why a bundle was refused, grouped by who is to blame: the bundle, the signer, an authority, the
//! policy or the artifact. One variant per cause, compared exactly in tests. Advice on what to do
//! next belongs to the command line, which knows the flags.

mod artifact;
mod authority;
mod bundle;
mod policy;
mod signer;

pub use artifact::ArtifactFault;
pub use authority::{AuthorityFault, PathFault, RootFault};
pub use bundle::{BundleFault, EntryFault};
pub use policy::{MatchFault, PatternError, PolicyFault};
pub use signer::SignerFault;

/// The one reason why a bundle was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The bundle is incomplete or contradicts itself.
    #[error("bundle: {0}")]
    Bundle(#[from] BundleFault),
    /// The signer's certificate or signature does not hold.
    #[error("signer: {0}")]
    Signer(#[from] SignerFault),
    /// A certificate authority, log or timestamp authority is unknown to the trust root, or what
    /// it issued does not hold.
    #[error("authority: {0}")]
    Authority(#[from] AuthorityFault),
    /// The signature holds, and is not one that the policy asks for.
    #[error("policy: {0}")]
    Policy(#[from] PolicyFault),
    /// The artifact is not the one that was signed.
    #[error("artifact: {0}")]
    Artifact(#[from] ArtifactFault),
}

impl Refusal {
    /// Who is to blame, in one word: `bundle`, `signer`, `authority`, `policy` or `artifact`.
    #[must_use]
    pub fn blame(&self) -> &'static str {
        match self {
            Self::Bundle(_) => "bundle",
            Self::Signer(_) => "signer",
            Self::Authority(_) => "authority",
            Self::Policy(_) => "policy",
            Self::Artifact(_) => "artifact",
        }
    }

    /// A stable name for the cause, in kebab case, for machines to compare.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bundle(fault) => fault.code(),
            Self::Signer(fault) => fault.code(),
            Self::Authority(fault) => fault.code(),
            Self::Policy(fault) => fault.code(),
            Self::Artifact(fault) => fault.code(),
        }
    }
}

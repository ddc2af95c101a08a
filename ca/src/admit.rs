//! The operator's door: an identity that is who it says in, one that may sign here out.
//!
//! Fulcio has no such door: there, everyone whom a configured issuer vouches for may sign. Here
//! each `[[issuer]]` says who of them may ([`AllowRules`]).

mod fault;
mod glob;
mod public;
mod refusal;
mod rules;
mod table;

use crate::identity::VerifiedIdentity;

pub use self::fault::{RuleFault, ValueFault};
pub use self::refusal::{Found, Miss, NotAllowed};
pub use self::rules::{Admission, AllowRules};
pub use self::table::{AllowTables, Breadth, Vocabulary};

/// Who a token stands for, and may have a certificate here. Only [`admit`] makes one, and issuing
/// takes it by value.
#[derive(Debug, PartialEq, Eq)]
pub struct AdmittedIdentity {
    identity: VerifiedIdentity,
    admission: Admission,
}

impl AdmittedIdentity {
    /// Who it is.
    #[must_use]
    pub const fn identity(&self) -> &VerifiedIdentity {
        &self.identity
    }

    /// Which rule let them in.
    #[must_use]
    pub const fn admission(&self) -> &Admission {
        &self.admission
    }
}

/// Lets an identity in if a rule of the entry that vouches for it does.
///
/// # Errors
/// [`NotAllowed`].
pub fn admit(identity: VerifiedIdentity) -> Result<AdmittedIdentity, NotAllowed> {
    let rules = &identity.vouched_by().allow;
    let admission = rules.judge(identity.issuer(), identity.claims())?;
    Ok(AdmittedIdentity { identity, admission })
}

#[cfg(test)]
mod tests;

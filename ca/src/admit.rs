//! The operator's door: an identity that is who it says in, one that may sign here out.

use thiserror::Error;

use crate::identity::VerifiedIdentity;

/// Who a token stands for, and may have a certificate here. Only [`admit`] makes one, and issuing
/// takes it by value.
#[derive(Debug, PartialEq, Eq)]
pub struct AdmittedIdentity(VerifiedIdentity);

impl AdmittedIdentity {
    /// Who it is.
    #[must_use]
    pub const fn identity(&self) -> &VerifiedIdentity {
        &self.0
    }
}

/// Why a verified identity gets no certificate.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAllowed {}

impl NotAllowed {
    /// A stable kebab-case name of the cause, for metrics and audit records.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match *self {}
    }
}

/// Lets an identity in.
///
/// # Errors
/// [`NotAllowed`].
pub fn admit(identity: VerifiedIdentity) -> Result<AdmittedIdentity, NotAllowed> {
    Ok(AdmittedIdentity(identity))
}

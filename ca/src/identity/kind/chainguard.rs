//! Chainguard's identities.

use formats::certificate::SubjectName;

use super::{Reading, email};
use crate::identity::claims::Claims;
use crate::identity::refusal::TokenRefusal;
use crate::identity::san::{self, SubjectForm};

/// The subject is `iss` and `sub`. Clients sign `email` where a token has one, so that the
/// challenge is the address; an address that nobody has verified is refused with its token.
pub(super) fn read(issuer: &str, sub: &str, claims: &Claims) -> Result<Reading, TokenRefusal> {
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let subject = san::uri(&format!("{base}/{sub}"), SubjectForm::Path)
        .map_err(|fault| TokenRefusal::Subject { issuer: issuer.to_owned(), fault })?;
    let mut reading = Reading::of_sub(SubjectName::Uri(subject), sub);
    if claims.get("email").is_some() {
        let email = email::read(claims, email::Verified::MustBeSaid)?;
        reading.challenge = email.challenge;
        reading.used = email.used;
    }
    Ok(reading)
}

//! People by their address.

use std::collections::BTreeMap;

use formats::certificate::SubjectName;
use serde_json::Value;

use super::Reading;
use crate::identity::claims::Claims;
use crate::identity::email;
use crate::identity::refusal::TokenRefusal;

/// What the absence of `email_verified` means.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verified {
    /// That nobody has verified the address.
    MustBeSaid,
    /// Nothing: this issuer never says it.
    MayBeUnsaid,
}

pub(super) fn read(claims: &Claims, verified: Verified) -> Result<Reading, TokenRefusal> {
    let address = claims.text("email")?;
    let said = says_verified(claims);
    if said == Some(false) || (said.is_none() && verified == Verified::MustBeSaid) {
        return Err(TokenRefusal::EmailNotVerified);
    }
    email::check(address).map_err(|fault| TokenRefusal::Email { fault })?;
    let mut used = BTreeMap::from([("email".to_owned(), address.to_owned())]);
    if said.is_some() {
        used.insert("email_verified".to_owned(), "true".to_owned());
    }
    Ok(Reading {
        subject: SubjectName::Email(address.to_owned()),
        challenge: address.to_owned(),
        extensions: Vec::new(),
        used,
    })
}

/// What `email_verified` says: true or `"true"`, anything else that is there is no, and nothing
/// where it is absent.
pub(super) fn says_verified(claims: &Claims) -> Option<bool> {
    claims.get("email_verified").map(|value| match value {
        Value::Bool(verified) => *verified,
        Value::String(verified) => verified == "true",
        _ => false,
    })
}

//! Who may have a token, and what is in it.
//!
//! [`authorise`] is the one way from a person at a provider to a token, whatever grant asked for
//! it; no claim of a provider's token gets into ours but through the fields of [`Person`].

use serde_json::{Map, Value, json};

use super::connector::{Connector, Person, SignInRefusal};
use crate::identity::{Claims, email};

/// Somebody who may have a token, with its claims but for audience, nonce and times. Only
/// [`authorise`] makes one.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Authorised {
    address: String,
    claims: Map<String, Value>,
}

impl Authorised {
    /// The address that becomes public.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// The claims of a token for this audience.
    pub(super) fn claims(self, audience: &str, nonce: Option<&str>, now: i64) -> Value {
        let mut claims = self.claims;
        claims.insert("aud".to_owned(), audience.into());
        claims.insert("iat".to_owned(), now.into());
        claims.insert("exp".to_owned(), now.saturating_add(TOKEN_SECONDS).into());
        if let Some(nonce) = nonce {
            claims.insert("nonce".to_owned(), nonce.into());
        }
        Value::Object(claims)
    }
}

/// Lets a person have a token for one of their verified addresses.
///
/// # Errors
/// When the address is none of theirs, no certificate can carry it, or no rule of ca.toml lets the
/// person in. The same rules are asked again, with the token, before a certificate is made.
pub(super) fn authorise(
    issuer: &str,
    connector: &Connector,
    person: &Person,
    address: &str,
) -> Result<Authorised, SignInRefusal> {
    if !person.addresses.iter().any(|own| own == address) {
        return Err(SignInRefusal::AddressNotOffered);
    }
    email::check(address).map_err(SignInRefusal::Address)?;
    let claims = json!({
        "iss": issuer,
        // An id has no colon, so no two pairs of connector and account read the same.
        "sub": format!("{}:{}", connector.id, person.user_id),
        "email": address,
        "email_verified": true,
        "federated_claims": { "connector_id": connector.issuer, "user_id": person.user_id },
    });
    let Value::Object(mut claims) = claims else { return Err(SignInRefusal::UserId) };
    if let Some(domain) = &person.hosted_domain {
        claims.insert("hd".to_owned(), domain.as_str().into());
    }
    if !person.groups.is_empty() {
        claims.insert("groups".to_owned(), person.groups.as_slice().into());
    }
    connector
        .allow
        .judge(&connector.issuer, &Claims::new(claims.clone()))
        .map_err(|refusal| SignInRefusal::NotAllowed(Box::new(refusal)))?;
    Ok(Authorised { address: address.to_owned(), claims })
}

/// How long a token lives, in seconds.
pub(super) const TOKEN_SECONDS: i64 = 5 * 60;

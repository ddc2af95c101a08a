//! Claims: each has one JSON type, and time is ours to judge.

use serde_json::{Map, Value};

use super::config::IssuerConfig;
use super::refusal::TokenRefusal;

/// The claims of a token, read by name and type.
#[derive(Clone, PartialEq, Eq)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Takes the members of a claims object. That somebody signed them is for other types to say.
    #[must_use]
    pub const fn new(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// A claim of any type. JSON null counts as absent.
    #[must_use]
    pub fn get(&self, claim: &str) -> Option<&Value> {
        self.0.get(claim).filter(|value| !value.is_null())
    }

    /// A claim that must be there and be a string.
    pub(super) fn text(&self, claim: &str) -> Result<&str, TokenRefusal> {
        let value = self
            .get(claim)
            .ok_or_else(|| TokenRefusal::ClaimMissing { claim: claim.to_owned() })?;
        value.as_str().ok_or_else(|| wrong_type(claim, "a string"))
    }

    /// A claim that must be there, be a string and become part of a certificate: not empty, and
    /// without control characters, which no reader of a certificate would see.
    pub(super) fn certified_text(&self, claim: &str) -> Result<&str, TokenRefusal> {
        let text = self.text(claim)?;
        if text.is_empty() {
            return Err(TokenRefusal::ClaimEmpty { claim: claim.to_owned() });
        }
        if text.chars().any(char::is_control) {
            return Err(TokenRefusal::ClaimControlCharacter { claim: claim.to_owned() });
        }
        Ok(text)
    }

    /// A claim as certificate text, its very characters, or nothing if it is absent. A number that
    /// is not a whole one in 64 bits has lost digits on the way, and lists have no text; both are
    /// refused rather than certified.
    pub(super) fn as_text(&self, claim: &str) -> Result<Option<String>, TokenRefusal> {
        let text = match self.get(claim) {
            None => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Bool(flag)) => flag.to_string(),
            Some(Value::Number(number)) if number.is_i64() || number.is_u64() => number.to_string(),
            Some(Value::Number(_)) => return Err(wrong_type(claim, "a whole number of 64 bits")),
            Some(_) => return Err(wrong_type(claim, "a string, a whole number or a boolean")),
        };
        if text.chars().any(char::is_control) {
            return Err(TokenRefusal::ClaimControlCharacter { claim: claim.to_owned() });
        }
        Ok(Some(text))
    }

    /// A claim that must be there as text of any kind and not be empty.
    pub(super) fn certified(&self, claim: &str) -> Result<String, TokenRefusal> {
        let text = self
            .as_text(claim)?
            .ok_or_else(|| TokenRefusal::ClaimMissing { claim: claim.to_owned() })?;
        if text.is_empty() {
            return Err(TokenRefusal::ClaimEmpty { claim: claim.to_owned() });
        }
        Ok(text)
    }

    /// A NumericDate (RFC 7519 section 2) in whole seconds. A present claim of any other type is
    /// an error, null too: libraries that took a string for "no expiry" accepted such tokens.
    fn seconds(&self, claim: &str) -> Result<Option<i64>, TokenRefusal> {
        let Some(value) = self.0.get(claim) else { return Ok(None) };
        let seconds = value.as_i64().or_else(|| value.as_f64().and_then(whole_seconds));
        match seconds {
            Some(seconds) if seconds >= 0 => Ok(Some(seconds)),
            Some(_) | None => Err(wrong_type(claim, "a time in whole seconds")),
        }
    }

    /// `aud` as RFC 7519 4.1.3 has it: one string, or a list of nothing but strings.
    pub(super) fn audiences(&self) -> Result<Vec<&str>, TokenRefusal> {
        match self.0.get("aud") {
            None => Err(TokenRefusal::ClaimMissing { claim: "aud".to_owned() }),
            Some(Value::String(audience)) => Ok(vec![audience]),
            Some(Value::Array(audiences)) => audiences
                .iter()
                .map(|audience| audience.as_str().ok_or_else(|| wrong_type("aud", AUDIENCE_TYPE)))
                .collect(),
            Some(_) => Err(wrong_type("aud", AUDIENCE_TYPE)),
        }
    }
}

impl std::fmt::Debug for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// That the token was made for us.
pub(super) fn check_audience(claims: &Claims, issuer: &IssuerConfig) -> Result<(), TokenRefusal> {
    if claims.audiences()?.contains(&issuer.client_id.as_str()) {
        return Ok(());
    }
    let (issuer, expected) = (issuer.url.clone(), issuer.client_id.clone());
    Err(TokenRefusal::Audience { issuer, expected })
}

/// The checks that hold for every issuer: audience, then the four times.
pub(super) fn check(claims: &Claims, issuer: &IssuerConfig, now: i64) -> Result<(), TokenRefusal> {
    check_audience(claims, issuer)?;
    let expires_at = claims
        .seconds("exp")?
        .ok_or_else(|| TokenRefusal::ClaimMissing { claim: "exp".to_owned() })?;
    if now >= expires_at {
        return Err(TokenRefusal::Expired { expires_at, now });
    }
    let latest = now.saturating_add(SKEW_SECONDS);
    if let Some(not_before) = claims.seconds("nbf")?
        && not_before > latest
    {
        return Err(TokenRefusal::NotYetValid { not_before, now, skew: SKEW_SECONDS });
    }
    let issued_at = claims.seconds("iat")?;
    if let Some(issued_at) = issued_at
        && issued_at > latest
    {
        return Err(TokenRefusal::IssuedInFuture { issued_at, now, skew: SKEW_SECONDS });
    }
    let lifetime = expires_at.saturating_sub(issued_at.unwrap_or(now));
    if u64::try_from(lifetime).unwrap_or(0) > issuer.max_lifetime_seconds {
        return Err(TokenRefusal::Lifetime {
            issuer: issuer.url.clone(),
            lifetime,
            limit: issuer.max_lifetime_seconds,
        });
    }
    Ok(())
}

/// `1.7e9` is a whole number of seconds; a number past 2^53 may stand for several.
fn whole_seconds(seconds: f64) -> Option<i64> {
    if seconds.fract() != 0.0 || !(0.0..=MAX_EXACT_FLOAT).contains(&seconds) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, reason = "whole and within 2^53, checked above")]
    Some(seconds as i64)
}

pub(super) fn wrong_type(claim: &str, expected: &'static str) -> TokenRefusal {
    TokenRefusal::ClaimType { claim: claim.to_owned(), expected }
}

/// How far ahead of our clock `nbf` and `iat` may be.
const SKEW_SECONDS: i64 = 60;
const MAX_EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;
const AUDIENCE_TYPE: &str = "a string or a list of strings";

//! Whom the flags expect to sign: compared with the token before it is sent, and with the certificate
//! before anything is signed.

use super::{Claimed, IdentityToken, LoginError};
use crate::cli::login::IdentityFlags;

/// Whom the flags expect to sign.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    identity: Option<String>,
    issuer: Option<String>,
}

impl Expected {
    /// Reads `--expect-identity` and `--expect-issuer`.
    #[must_use]
    pub fn of(flags: &IdentityFlags) -> Self {
        Self { identity: flags.expect_identity.clone(), issuer: flags.expect_issuer.clone() }
    }

    /// Compares a token before it is sent anywhere.
    ///
    /// # Errors
    /// [`LoginError::SomebodyElse`].
    pub(super) fn check(&self, token: &IdentityToken) -> Result<(), LoginError> {
        let Claimed { identity, issuer, .. } = token.claimed();
        self.compare(
            identity,
            issuer,
            |expected| token.may_name(expected),
            |expected| token.may_name_issuer(expected),
        )
    }

    /// Compares the certificate that came of it, before anything is signed.
    ///
    /// # Errors
    /// [`LoginError::SomebodyElse`].
    pub fn check_certificate(&self, identity: &str, issuer: &str) -> Result<(), LoginError> {
        self.compare(
            identity.to_owned(),
            issuer.to_owned(),
            |expected| expected == identity,
            |expected| expected == issuer,
        )
    }

    fn compare(
        &self,
        identity: String,
        issuer: String,
        is_identity: impl Fn(&str) -> bool,
        is_issuer: impl Fn(&str) -> bool,
    ) -> Result<(), LoginError> {
        let other_identity = self.identity.as_ref().filter(|expected| !is_identity(expected));
        let other_issuer = self.issuer.as_ref().filter(|expected| !is_issuer(expected));
        match other_identity.or(other_issuer) {
            None => Ok(()),
            Some(expected) => {
                let expected = expected.clone();
                Err(LoginError::SomebodyElse { identity, issuer, expected })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody_else(expected: &str) -> Result<(), LoginError> {
        Err(LoginError::SomebodyElse {
            identity: "https://ci.example/a".into(),
            issuer: "https://issuer.example".into(),
            expected: expected.into(),
        })
    }

    /// A pipeline's token does not say which URI it will become; the certificate does.
    #[test]
    fn a_certificate_must_name_whom_the_flags_name() {
        let check = |identity: Option<&str>, issuer: Option<&str>| {
            let (identity, issuer) = (identity.map(str::to_owned), issuer.map(str::to_owned));
            Expected { identity, issuer }
                .check_certificate("https://ci.example/a", "https://issuer.example")
        };
        assert_eq!(check(None, None), Ok(()));
        assert_eq!(check(Some("https://ci.example/a"), Some("https://issuer.example")), Ok(()));
        assert_eq!(
            check(Some("https://ci.example/b"), None),
            somebody_else("https://ci.example/b")
        );
        assert_eq!(check(Some("https://ci.example/"), None), somebody_else("https://ci.example/"));
        assert_eq!(check(Some(""), None), somebody_else(""));
        let other = "https://issuer.example/";
        assert_eq!(check(None, Some(other)), somebody_else(other));
    }
}

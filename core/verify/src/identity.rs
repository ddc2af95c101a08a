//! Certificate and policy in, `MatchedIdentity` out.

use formats::certificate::{FulcioExtensions, LeafIdentity, SubjectName};
use formats::statement::Statement;

use crate::error::{PolicyFault, Refusal, SignerFault};
use crate::inclusion::IncludedEntry;
use crate::policy::{IdentityMatch, Policy};
use crate::signature::VerifiedSignature;
use crate::signer::Signer;
use crate::time::VerifiedTime;

/// A verified signature by the signer that the policy asked for: everything a verdict says.
#[derive(Debug)]
pub(crate) struct MatchedIdentity {
    pub(crate) identity: Option<LeafIdentity>,
    pub(crate) times: Vec<VerifiedTime>,
    pub(crate) entries: Vec<IncludedEntry>,
    pub(crate) statement: Option<Statement>,
}

/// Compares the certificate's identity and the statement's type with the policy. A key was compared
/// when the signature was verified with the policy's own.
///
/// # Errors
/// [`SignerFault`] for a certificate without one clear identity, [`PolicyFault`] for another one,
/// with the value found.
pub(crate) fn matched(
    signature: VerifiedSignature<'_>,
    policy: &Policy,
) -> Result<MatchedIdentity, Refusal> {
    let VerifiedSignature { included, statement } = signature;
    check_predicate_type(policy, statement.as_ref())?;
    let (signer, entries) = included.into_parts();
    let (identity, times) = match signer {
        Signer::Key(timed) => (None, timed.into_times()),
        Signer::Certificate { certificate, wanted } => {
            let identity = certificate.leaf().identity().map_err(SignerFault::Identity)?;
            check_identity(&identity, wanted)?;
            (Some(identity), certificate.into_times().into_vec())
        }
    };
    Ok(MatchedIdentity { identity, times, entries, statement })
}

fn check_identity(identity: &LeafIdentity, wanted: &IdentityMatch) -> Result<(), Refusal> {
    if !has_shape_of_its_type(&identity.subject) {
        return Err(SignerFault::SubjectShape.into());
    }
    let subject = identity.subject.as_str();
    wanted
        .subject
        .check(subject)
        .map_err(|fault| PolicyFault::Subject { found: subject.to_owned(), fault })?;
    wanted
        .issuer
        .check(&identity.issuer)
        .map_err(|fault| PolicyFault::Issuer { found: identity.issuer.clone(), fault })?;
    check_claims(&identity.extensions, wanted).map_err(Refusal::from)
}

/// Each rule reads its own extension; a claim that is not there fails its rule.
fn check_claims(extensions: &FulcioExtensions, wanted: &IdentityMatch) -> Result<(), PolicyFault> {
    for (claim, rule) in &wanted.claims {
        let found = claim.value(extensions).ok_or(PolicyFault::ClaimAbsent(*claim))?;
        rule.check(found).map_err(|fault| PolicyFault::Claim {
            claim: *claim,
            found: found.to_owned(),
            fault,
        })?;
    }
    Ok(())
}

fn check_predicate_type(policy: &Policy, statement: Option<&Statement>) -> Result<(), PolicyFault> {
    let Some(wanted) = &policy.predicate_type else { return Ok(()) };
    let statement = statement.ok_or(PolicyFault::NotAnAttestation)?;
    if &statement.predicate_type != wanted {
        return Err(PolicyFault::PredicateType { found: statement.predicate_type.clone() });
    }
    Ok(())
}

/// A policy is a text and does not say of which type the subject is to be. So that an address in
/// one type is never taken for the same text in another, each type keeps to its own shape: a URI
/// has a scheme, an email address has none and an `@`, and Fulcio's user name has a `!` before its
/// domain (fulcio docs/oid-info.md, 1.3.6.1.4.1.57264.1.7).
fn has_shape_of_its_type(subject: &SubjectName) -> bool {
    match subject {
        SubjectName::Uri(uri) => uri.contains("://"),
        SubjectName::Email(email) => email.contains('@') && !email.contains("://"),
        SubjectName::OtherName(name) => name.contains('!') && !name.contains("://"),
    }
}

/// `text` for a terminal or a log: control characters, and everything beyond ASCII (bidirectional
/// overrides, look-alike letters), are shown as escapes, so that a certificate cannot draw on the
/// screen.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => shown.push_str("\\\\"),
            ' '..='~' => shown.push(character),
            _ => shown.extend(character.escape_default()),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_identity_is_escaped() {
        assert_eq!(escaped("dev@x.io"), "dev@x.io");
        assert_eq!(escaped("a\u{1b}[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(escaped("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(escaped("a\nb\r\tc\0"), "a\\nb\\r\\tc\\u{0}");
        assert_eq!(escaped("d\u{435}v@x.io"), "d\\u{435}v@x.io");
        assert_eq!(escaped("a\\n"), "a\\\\n");
    }

    #[test]
    fn one_san_one_type() {
        let uri = |text: &str| has_shape_of_its_type(&SubjectName::Uri(text.to_owned()));
        let email = |text: &str| has_shape_of_its_type(&SubjectName::Email(text.to_owned()));
        let other = |text: &str| has_shape_of_its_type(&SubjectName::OtherName(text.to_owned()));
        assert!(uri("https://corp.com/alice") && !uri("alice@corp.com"));
        assert!(email("alice@corp.com") && !email("https://corp.com/@alice") && !email("alice"));
        assert!(other("alice!corp.com") && !other("alice@corp.com"));
        assert!(!other("https://corp.com/!"));
    }
}

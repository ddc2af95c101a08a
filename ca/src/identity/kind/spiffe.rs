//! Workloads by their SPIFFE ID (SPIFFE-ID section 2).

use formats::certificate::SubjectName;
use thiserror::Error;

use super::Reading;
use crate::identity::refusal::TokenRefusal;

/// Which rule a SPIFFE ID breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SpiffeFault {
    /// Not `spiffe://` (lower case), a trust domain, and a path.
    #[error("not spiffe://, a trust domain and a path")]
    Form,
    /// Another trust domain. There is no suffix or subdomain rule.
    #[error("of another trust domain")]
    TrustDomain,
    /// A path segment that is empty, dots, or of other than ASCII letters, digits, `.`, `-`, `_`.
    #[error("with a path segment that is empty, dots, or of other than letters, digits, . - _")]
    Segment,
    /// Longer than 2048 bytes.
    #[error("longer than {MAX_ID} bytes")]
    TooLong,
}

pub(super) fn read(sub: &str, trust_domain: &str) -> Result<Reading, TokenRefusal> {
    check(sub, trust_domain)
        .map_err(|fault| TokenRefusal::SpiffeId { trust_domain: trust_domain.to_owned(), fault })?;
    Ok(Reading::of_sub(SubjectName::Uri(sub.to_owned()), sub))
}

/// The trust domain alone is the authority's own identity, and no workload's.
fn check(id: &str, trust_domain: &str) -> Result<(), SpiffeFault> {
    if id.len() > MAX_ID {
        return Err(SpiffeFault::TooLong);
    }
    let rest = id.strip_prefix("spiffe://").ok_or(SpiffeFault::Form)?;
    let (domain, path) = rest.split_once('/').ok_or(SpiffeFault::Form)?;
    if domain != trust_domain {
        return Err(SpiffeFault::TrustDomain);
    }
    let fits = |segment: &str| {
        !matches!(segment, "" | "." | "..")
            && segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    if path.split('/').all(fits) { Ok(()) } else { Err(SpiffeFault::Segment) }
}

/// Lower-case letters, digits, `.`, `-` and `_` (SPIFFE-ID section 2.1).
pub(in crate::identity) fn is_trust_domain(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b);
    (1..=255).contains(&name.len()) && name.bytes().all(allowed)
}

const MAX_ID: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffix_and_trust_domain_exact() {
        let of = |id: &str| check(id, "td.example");
        for id in ["spiffe://td.example/a", "spiffe://td.example/ns/x/sa/y_Z-1.0"] {
            assert_eq!(of(id), Ok(()), "{id}");
        }
        for (id, fault) in [
            ("spiffe://td.evil/a", SpiffeFault::TrustDomain),
            ("spiffe://a.td.example/a", SpiffeFault::TrustDomain),
            ("spiffe://example/a", SpiffeFault::TrustDomain),
            ("spiffe://TD.example/a", SpiffeFault::TrustDomain),
            ("spiffe://td.example:443/a", SpiffeFault::TrustDomain),
            ("spiffe://me@td.example/a", SpiffeFault::TrustDomain),
            ("spiffe:///a", SpiffeFault::TrustDomain),
            ("spiffe://td.example", SpiffeFault::Form),
            ("SPIFFE://td.example/a", SpiffeFault::Form),
            ("https://td.example/a", SpiffeFault::Form),
            ("spiffe:/td.example/a", SpiffeFault::Form),
            ("spiffe://td.example/", SpiffeFault::Segment),
            ("spiffe://td.example/a/", SpiffeFault::Segment),
            ("spiffe://td.example/a//b", SpiffeFault::Segment),
            ("spiffe://td.example/../b", SpiffeFault::Segment),
            ("spiffe://td.example/%61", SpiffeFault::Segment),
            ("spiffe://td.example/a?b", SpiffeFault::Segment),
            ("spiffe://td.example/a#b", SpiffeFault::Segment),
            ("spiffe://td.example/\u{e9}", SpiffeFault::Segment),
        ] {
            assert_eq!(of(id), Err(fault), "{id}");
        }
        let long = format!("spiffe://td.example/{}", "a".repeat(MAX_ID));
        assert_eq!(of(&long), Err(SpiffeFault::TooLong));
    }

    #[test]
    fn trust_domains_are_plain() {
        assert!(is_trust_domain("td.example") && is_trust_domain("a_b-1"));
        for name in ["", "TD", "spiffe://td", "td/a", "td:1", "t\u{e9}"] {
            assert!(!is_trust_domain(name), "{name}");
        }
    }
}

//! The one grammar of addresses that may stand in a certificate.
//!
//! Much smaller than RFC 5322's: every form outside it (quotes, comments, encoded words, literals,
//! non-ASCII) has been read as two different addresses by two pieces of software. Nothing is
//! folded or stripped: the address in the certificate is the claim, byte for byte.

use thiserror::Error;

/// Which rule an address breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EmailFault {
    /// More than 254 bytes (RFC 5321 4.5.3.1.3, less the angle brackets).
    #[error("longer than 254 bytes")]
    TooLong,
    /// No `@`, or more than one.
    #[error("not exactly one @")]
    NotOneAt,
    /// The part before the `@` is no dot-atom (RFC 5322 3.2.3) of 1 to 64 bytes.
    #[error("the part before @ is not a plain dot-atom of ASCII")]
    LocalPart,
    /// The part after the `@` is no host name of two or more LDH labels (RFC 5890 2.3.1).
    #[error("the part after @ is not a dotted host name of ASCII letters, digits and hyphens")]
    Domain,
}

/// Checks an address without changing it.
///
/// # Errors
/// The rule it breaks.
pub fn check(address: &str) -> Result<(), EmailFault> {
    if address.len() > MAX_ADDRESS {
        return Err(EmailFault::TooLong);
    }
    let (local, domain) = address.split_once('@').ok_or(EmailFault::NotOneAt)?;
    if domain.contains('@') {
        return Err(EmailFault::NotOneAt);
    }
    let atoms = local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atext));
    // An encoded word (RFC 2047) is made of atext alone, and mail software decodes it all the same.
    let encoded_word = local.contains("=?") && local.contains("?=");
    if local.len() > MAX_LOCAL_PART || !atoms || encoded_word {
        return Err(EmailFault::LocalPart);
    }
    let labels: Vec<&str> = domain.split('.').collect();
    // A last label of digits would be an IPv4 address in the eyes of a URL parser.
    let numeric = |label: &&str| label.bytes().all(|b| b.is_ascii_digit());
    if labels.len() < 2 || !labels.iter().all(|l| is_ldh(l)) || labels.last().is_some_and(numeric) {
        return Err(EmailFault::Domain);
    }
    Ok(())
}

fn is_atext(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte)
}

fn is_ldh(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

const MAX_ADDRESS: usize = 254;
const MAX_LOCAL_PART: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_grammar_minimal() {
        for address in [
            "a@b.c",
            "Al+x@B.io",
            "o'brien@mail.example.com",
            "first.last@xn--bcher-kva.example",
            "!#$%&*/=?^_`{|}~-@example.org",
            "a@1.2.3.x4",
        ] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
        for (address, fault) in [
            ("", EmailFault::NotOneAt),
            ("a", EmailFault::NotOneAt),
            ("a@@b.c", EmailFault::NotOneAt),
            ("a@b.c@d.e", EmailFault::NotOneAt),
            ("\"a@b\"@c.d", EmailFault::NotOneAt),
            ("\"a\"@c.d", EmailFault::LocalPart),
            ("a(x)@b.c", EmailFault::LocalPart),
            ("@b.c", EmailFault::LocalPart),
            (".a@b.c", EmailFault::LocalPart),
            ("a.@b.c", EmailFault::LocalPart),
            ("a..b@c.d", EmailFault::LocalPart),
            ("a b@c.d", EmailFault::LocalPart),
            ("A <a@b.c>", EmailFault::LocalPart),
            ("a\\@b.c", EmailFault::LocalPart),
            ("a,b@c.d", EmailFault::LocalPart),
            ("\u{ef}@b.c", EmailFault::LocalPart),
            ("a\0@b.c", EmailFault::LocalPart),
            ("a@b.c.", EmailFault::Domain),
            ("a@.b.c", EmailFault::Domain),
            ("a@b", EmailFault::Domain),
            ("a@localhost", EmailFault::Domain),
            ("a@[1.2.3.4]", EmailFault::Domain),
            ("a@1.2.3.4", EmailFault::Domain),
            ("a@b_c.d", EmailFault::Domain),
            ("a@-b.c", EmailFault::Domain),
            ("a@b-.c", EmailFault::Domain),
            ("a@b.c\r\n", EmailFault::Domain),
            ("a@b.c\0@evil.com", EmailFault::NotOneAt),
            ("a@corp.com\0", EmailFault::Domain),
            ("a@b\u{ff20}.c", EmailFault::Domain),
            ("a\u{ff20}b.c", EmailFault::NotOneAt),
        ] {
            assert_eq!(check(address), Err(fault), "{address:?}");
        }
    }

    #[test]
    fn an_encoded_word_is_refused() {
        assert_eq!(check("=?utf-8?q?a?=@b.c"), Err(EmailFault::LocalPart));
        assert_eq!(check("=a?b@c.d"), Ok(()));
    }

    #[test]
    fn lengths_end_where_they_should() {
        let local = "a".repeat(64);
        assert_eq!(check(&format!("{local}@b.c")), Ok(()));
        assert_eq!(check(&format!("{local}a@b.c")), Err(EmailFault::LocalPart));
        let label = "b".repeat(63);
        assert_eq!(check(&format!("a@{label}.c")), Ok(()));
        assert_eq!(check(&format!("a@{label}b.c")), Err(EmailFault::Domain));
        let tail = "c".repeat(254 - 65 - 64 - 64);
        let longest = format!("{local}@{label}.{label}.{tail}");
        assert_eq!((longest.len(), check(&longest)), (254, Ok(())));
        assert_eq!(check(&format!("{longest}c")), Err(EmailFault::TooLong));
    }
}

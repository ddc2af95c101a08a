//! A rendered URI as the one subject alternative name of a certificate.
//!
//! Two different claims must never become one subject. So a `%` in a claim is refused, and with
//! it every way of writing a path segment twice; what cannot stand in a URI is then escaped the
//! way Fulcio's Go library does it, so that policies written for the public Sigstore hold here.

use serde::Deserialize;
use thiserror::Error;

/// Which rule a rendered subject breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SanFault {
    /// Not `https://`, a host, and a path.
    #[error("not an https URI with a host and a path")]
    NotHttps,
    /// User information, or a host of other characters than a host name and port have.
    #[error("its host is not a plain host name with an optional port")]
    Host,
    /// `%`, `?`, or a control character.
    #[error("it holds a percent sign, a question mark or a control character")]
    Character,
    /// A path segment of `.` or `..`, an empty one, or (where a repository and a file in it are
    /// named) not exactly one empty one between the two.
    #[error("it has an empty or a dot path segment, or not the one empty segment of its form")]
    Segment,
    /// Longer than any client reads.
    #[error("longer than {MAX_URI} bytes")]
    TooLong,
}

/// What the path of a subject is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SubjectForm {
    /// Segments of which none is empty.
    #[default]
    Path,
    /// The path of a repository and that of a file in it, with `//` between: GitLab's form.
    RepositoryAndFile,
}

/// Checks a rendered URI and escapes it as Go's `net/url` does for paths and fragments.
///
/// # Errors
/// The rule it breaks.
pub fn uri(rendered: &str, form: SubjectForm) -> Result<String, SanFault> {
    if rendered.len() > MAX_URI {
        return Err(SanFault::TooLong);
    }
    if rendered.chars().any(|c| c.is_control() || c == '%' || c == '?') {
        return Err(SanFault::Character);
    }
    let rest = rendered.strip_prefix("https://").ok_or(SanFault::NotHttps)?;
    let (host, path) = rest.split_once('/').ok_or(SanFault::NotHttps)?;
    if !is_host(host) {
        return Err(SanFault::Host);
    }
    let fits = match form {
        SubjectForm::Path => is_path(path),
        SubjectForm::RepositoryAndFile => {
            path.split_once("//").is_some_and(|(repository, file)| {
                !repository.contains('#') && is_path(repository) && is_path(file)
            })
        }
    };
    if !fits {
        return Err(SanFault::Segment);
    }
    let mut out = format!("https://{host}/");
    let (path, fragment) = match path.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment)),
        None => (path, None),
    };
    escape(path, PATH_SAFE, &mut out);
    if let Some(fragment) = fragment {
        out.push('#');
        escape(fragment, FRAGMENT_SAFE, &mut out);
    }
    if out.len() > MAX_URI {
        return Err(SanFault::TooLong);
    }
    Ok(out)
}

/// Segments, none of them empty or dots. A `#` in a branch name starts a fragment for a URI reader,
/// and ends a segment with it.
fn is_path(path: &str) -> bool {
    let is_dots = |text: &str| matches!(text, "." | "..");
    path.split('/').all(|segment| !segment.is_empty() && !segment.split('#').any(is_dots))
}

pub(super) fn is_host(host: &str) -> bool {
    let (name, port) = match host.split_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    let label =
        |l: &str| !l.is_empty() && l.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    name.split('.').all(label)
        && port.is_none_or(|p| (1..=5).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))
}

/// Go keeps a text as it came if every byte of it is allowed where it stands, and otherwise
/// escapes the whole of it, sub-delimiters too.
fn escape(text: &str, safe: &[u8], out: &mut String) {
    let tolerated = |b: u8| b.is_ascii_alphanumeric() || TOLERATED.contains(&b);
    if text.bytes().all(tolerated) {
        out.push_str(text);
        return;
    }
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || safe.contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.extend(char::from_digit(u32::from(nibble), 16).map(|c| c.to_ascii_uppercase()));
            }
        }
    }
}

/// Go's `validEncoded`, less `%`.
const TOLERATED: &[u8] = b"-_.~!$&'()*+,;=:@[]/";
/// Go's `shouldEscape` for a path.
const PATH_SAFE: &[u8] = b"-_.~$&+,/:;=@";
/// Go's `shouldEscape` for a fragment.
const FRAGMENT_SAFE: &[u8] = b"-_.~$&+,/:;=@!()*";
const MAX_URI: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(rendered: &str) -> Result<String, SanFault> {
        super::uri(rendered, SubjectForm::Path)
    }

    const WORKFLOW: &str = "https://github.com/octo-org/octo-automation/.github/workflows/oidc.yml";

    #[test]
    fn ordinary_subjects_are_kept_byte_for_byte() {
        for tail in [
            "@refs/heads/main",
            "@refs/tags/v1.2.3",
            "@refs/pull/12/merge",
            "@refs/heads/fix/it's-(here)!",
            "@refs/heads/a..b",
            "@refs/heads/fix/#123",
            "@refs/heads/issue#123/two",
        ] {
            let subject = format!("{WORKFLOW}{tail}");
            assert_eq!(uri(&subject), Ok(subject));
        }
    }

    // Expected values printed by Go 1.26: url.Parse, then String().
    #[test]
    fn others_are_escaped_as_go_does() {
        for (raw, escaped) in [
            ("https://h.example/a b", "https://h.example/a%20b"),
            ("https://h.example/a<b!", "https://h.example/a%3Cb%21"),
            ("https://h.example/\u{e9}", "https://h.example/%C3%A9"),
            ("https://h.example/a\"[x]", "https://h.example/a%22%5Bx%5D"),
            ("https://h.example/a#b c!", "https://h.example/a#b%20c!"),
            ("https://h.example/a#b'<", "https://h.example/a#b%27%3C"),
            ("https://h.example/a#b#c", "https://h.example/a#b%23c"),
            ("https://h.example/a#[x]<", "https://h.example/a#%5Bx%5D%3C"),
            ("https://h.example/a\\b", "https://h.example/a%5Cb"),
            (
                "https://h.example/a^b`{|}~$&+,/:;=@",
                "https://h.example/a%5Eb%60%7B%7C%7D~$&+,/:;=@",
            ),
        ] {
            assert_eq!(uri(raw).as_deref(), Ok(escaped));
        }
    }

    #[test]
    fn ci_paths_validated() {
        for (raw, fault) in [
            ("https://h.example/a/../b", SanFault::Segment),
            ("https://h.example/./b", SanFault::Segment),
            ("https://h.example/a//b", SanFault::Segment),
            ("https://h.example/", SanFault::Segment),
            ("https://h.example/a/", SanFault::Segment),
            ("https://h.example/a/..#/b", SanFault::Segment),
            ("https://h.example/a#..", SanFault::Segment),
            ("https://h.example/a/%2e%2e/b", SanFault::Character),
            ("https://h.example/a%", SanFault::Character),
            ("https://h.example/a?b", SanFault::Character),
            ("https://h.example/a\0", SanFault::Character),
            ("https://h.example/a\r\nb", SanFault::Character),
            ("https://h.example", SanFault::NotHttps),
            ("http://h.example/a", SanFault::NotHttps),
            ("//h.example/a", SanFault::NotHttps),
            ("https:///a", SanFault::Host),
            ("https://me@h.example/a", SanFault::Host),
            ("https://h.example:x/a", SanFault::Host),
            ("https://h..example/a", SanFault::Host),
            ("https://h\u{e9}.example/a", SanFault::Host),
        ] {
            assert_eq!(uri(raw), Err(fault), "{raw:?}");
        }
        let long = format!("https://h.example/{}", "a".repeat(MAX_URI));
        assert_eq!(uri(&long), Err(SanFault::TooLong));
    }

    #[test]
    fn a_repository_and_its_file_have_one_double_slash() {
        let of = |path: &str| {
            let rendered = format!("https://gitlab.example/{path}");
            super::uri(&rendered, SubjectForm::RepositoryAndFile)
                .map(|escaped| assert_eq!(escaped, rendered))
        };
        assert_eq!(of("g/p//.gitlab-ci.yml@refs/heads/main"), Ok(()));
        assert_eq!(of("g/s/p//ci/a.yml@refs/tags/v1#2"), Ok(()));
        for path in [
            "g/p/.gitlab-ci.yml@refs/heads/main",
            "g/p///.gitlab-ci.yml@refs/heads/main",
            "g//p//.gitlab-ci.yml@refs/heads/main",
            "//p/.gitlab-ci.yml@refs/heads/main",
            "/g/p//x",
            "g/p//",
            "g/p//../x",
            "g/..//x",
            "g#//x",
        ] {
            assert_eq!(of(path), Err(SanFault::Segment), "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_subject_is_printable_and_its_own(left in "\\PC{0,12}", right in "\\PC{0,12}") {
            let of = |text: &str| uri(&format!("https://h.example/{text}"));
            if let (Ok(a), Ok(b)) = (of(&left), of(&right)) {
                proptest::prop_assert!(a.bytes().all(|b| b.is_ascii_graphic()));
                proptest::prop_assert_eq!(a == b, left == right);
            }
        }
    }
}

//! Resources by their URI.

use formats::certificate::SubjectName;

use super::Reading;
use crate::identity::refusal::TokenRefusal;
use crate::identity::san::{self, SubjectForm};

/// `subject_domain` is `https://` and a host: the subject has exactly these, whatever comes after.
pub(super) fn read(issuer: &str, sub: &str, subject_domain: &str) -> Result<Reading, TokenRefusal> {
    // The URL of a Jenkins job ends with a slash. With and without one are two subjects.
    let (path, end) = sub.strip_suffix('/').map_or((sub, ""), |path| (path, "/"));
    let mut subject = san::uri(path, SubjectForm::Path)
        .map_err(|fault| TokenRefusal::Subject { issuer: issuer.to_owned(), fault })?;
    subject.push_str(end);
    if !sub.strip_prefix(subject_domain).is_some_and(|path| path.starts_with('/')) {
        return Err(TokenRefusal::SubjectDomain { expected: subject_domain.to_owned() });
    }
    Ok(Reading::of_sub(SubjectName::Uri(subject), sub))
}

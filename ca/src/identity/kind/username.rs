//! Accounts by their name (fulcio docs/oid-info.md, 1.3.6.1.4.1.57264.1.7).

use formats::certificate::SubjectName;
use thiserror::Error;

use super::Reading;
use crate::identity::refusal::TokenRefusal;

/// Which rule a user name breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UsernameFault {
    /// A `!`, which stands between the name and its domain: the same text could be read as two
    /// accounts.
    #[error("it holds an exclamation mark")]
    ExclamationMark,
    /// An `@`: a reader would take the name for an address, which nobody has verified.
    #[error("it looks like an e-mail address")]
    LooksLikeEmail,
    /// Longer than any directory's names.
    #[error("longer than {MAX_NAME} bytes")]
    TooLong,
}

pub(super) fn read(sub: &str, subject_domain: &str) -> Result<Reading, TokenRefusal> {
    let fault = if sub.len() > MAX_NAME {
        Some(UsernameFault::TooLong)
    } else if sub.contains('!') {
        Some(UsernameFault::ExclamationMark)
    } else if sub.contains(['@', '\u{ff20}', '\u{fe6b}']) {
        Some(UsernameFault::LooksLikeEmail)
    } else {
        None
    };
    match fault {
        Some(fault) => Err(TokenRefusal::Username { fault }),
        None => Ok(Reading::of_sub(SubjectName::OtherName(format!("{sub}!{subject_domain}")), sub)),
    }
}

const MAX_NAME: usize = 256;

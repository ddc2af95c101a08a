//! GitLab CI: the token stands in a variable that the job asked for (docs.gitlab.com, keyword
//! `id_tokens`). For the audience `sigstore` that is `SIGSTORE_ID_TOKEN`, which is read before any
//! pipeline's provider; for another it is named after it in the same way.

use zeroize::Zeroizing;

use super::ambient::{AmbientError, Asked};

/// The job's token; none outside of GitLab CI.
///
/// # Errors
/// [`AmbientError::GitLabToken`] for a job without one.
pub(super) fn token(asked: &Asked<'_>) -> Result<Option<Zeroizing<String>>, AmbientError> {
    if !asked.environment.is_on("GITLAB_CI") {
        return Ok(None);
    }
    let variable = variable(asked.audience);
    match asked.environment.get(&variable) {
        Some(token) => Ok(Some(Zeroizing::new(token))),
        None => Err(AmbientError::GitLabToken { variable }),
    }
}

/// `sigstore` makes `SIGSTORE_ID_TOKEN`.
fn variable(audience: &str) -> String {
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    audience.chars().map(letter).chain("_ID_TOKEN".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_variable_is_named_after_the_audience() {
        assert_eq!(variable("sigstore"), "SIGSTORE_ID_TOKEN");
        assert_eq!(variable("https://sign.example"), "HTTPS___SIGN_EXAMPLE_ID_TOKEN");
    }
}

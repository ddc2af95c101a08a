//! GitHub Actions: the runner's token service, for a job with `permissions: id-token: write`
//! (docs.github.com, "OpenID Connect reference").

use fetch::http::Reach;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::ambient::{AmbientError, Asked};
use super::ask;

/// The job's token; none outside of GitHub Actions.
///
/// # Errors
/// [`AmbientError::GitHubPermission`] for a job that may not ask, and those of asking.
pub(super) async fn token(asked: &Asked<'_>) -> Result<Option<Zeroizing<String>>, AmbientError> {
    let Asked { http, environment, audience, .. } = asked;
    let (Some(url), Some(credential)) =
        (environment.get(URL), environment.get(CREDENTIAL).map(Zeroizing::new))
    else {
        if environment.is_on("GITHUB_ACTIONS") {
            return Err(AmbientError::GitHubPermission);
        }
        return Ok(None);
    };
    let mut request = ask::get(&url, URL, &[("audience", audience)])?;
    ask::authorize(&mut request, "bearer", &credential, CREDENTIAL)?;
    let answer: Answer = ask::ask(http, Reach::Private, request).await?;
    Ok(Some(answer.value))
}

#[derive(Deserialize)]
struct Answer {
    value: Zeroizing<String>,
}

const URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const CREDENTIAL: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

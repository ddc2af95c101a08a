//! CircleCI: the token in the job's environment is for the organisation, so that one for the right
//! audience is asked of the job's own `circleci` command (circleci.com/docs/openid-connect-tokens).

use zeroize::Zeroizing;

use super::ambient::{AmbientError, Asked};
use super::{IdentityToken, command, now};

/// The job's token; none outside of CircleCI.
///
/// # Errors
/// [`AmbientError::Command`].
pub(super) async fn token(asked: &Asked<'_>) -> Result<Option<Zeroizing<String>>, AmbientError> {
    let Asked { environment, audience, .. } = asked;
    if !environment.is_on("CIRCLECI") {
        return Ok(None);
    }
    if let Some(given) = environment.get("CIRCLE_OIDC_TOKEN_V2").map(Zeroizing::new)
        && IdentityToken::parse(given.clone(), audience, now()).is_ok()
    {
        return Ok(Some(given));
    }
    let claims = serde_json::json!({ "aud": audience }).to_string();
    let arguments = ["run", "oidc", "get", "--claims", &claims];
    command::output("circleci", &arguments).await.map(Some)
}

//! Buildkite: the agent's API, as cosign asks it; or the agent's own command where a job is not
//! given the agent's access token (buildkite.com/docs/agent/v3/cli-oidc).

use fetch::http::Reach;
use http::Request;
use http::header::{ACCEPT, CONTENT_TYPE};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::ambient::{AmbientError, Asked};
use super::{ask, command};

/// The job's token; none outside of Buildkite.
///
/// # Errors
/// Those of asking the API, or of running the agent.
pub(super) async fn token(asked: &Asked<'_>) -> Result<Option<Zeroizing<String>>, AmbientError> {
    let Asked { http, environment, audience, .. } = asked;
    let Some(credential) = environment.get(CREDENTIAL).map(Zeroizing::new) else {
        if !environment.is_on("BUILDKITE") {
            return Ok(None);
        }
        let arguments = ["oidc", "request-token", "--audience", audience];
        return command::output("buildkite-agent", &arguments).await.map(Some);
    };
    let job = environment
        .get(JOB)
        .ok_or(AmbientError::NotHere { via: super::Source::Buildkite, missing: JOB })?;
    // A job id is a UUID; anything else would be another path on the agent's API.
    if !job.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(AmbientError::Credential { from: JOB });
    }
    let endpoint = environment.get(ENDPOINT).unwrap_or_else(|| DEFAULT_ENDPOINT.to_owned());
    let url = format!("{}/jobs/{job}/oidc/tokens", endpoint.trim_end_matches('/'));
    let body = serde_json::json!({ "audience": audience });
    let mut request = Request::post(url)
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/json")
        .body(body.to_string().into_bytes())
        .map_err(|_| AmbientError::Url { from: ENDPOINT })?;
    ask::authorize(&mut request, "Token", &credential, CREDENTIAL)?;
    let answer: Answer = ask::ask(http, Reach::Private, request).await?;
    Ok(Some(answer.token))
}

#[derive(Deserialize)]
struct Answer {
    token: Zeroizing<String>,
}

const CREDENTIAL: &str = "BUILDKITE_AGENT_ACCESS_TOKEN";
const ENDPOINT: &str = "BUILDKITE_AGENT_ENDPOINT";
const JOB: &str = "BUILDKITE_JOB_ID";
const DEFAULT_ENDPOINT: &str = "https://agent.buildkite.com/v3";

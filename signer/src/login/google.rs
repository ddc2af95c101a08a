//! Google Cloud: the metadata server of the machine gives a token of its service account, or lets
//! that account ask for one of another, which it impersonates (cloud.google.com, "Verifying the
//! identity of instances" and IAM Credentials `generateIdToken`).

use fetch::http::Reach;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Request};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::ambient::{AmbientError, Asked};
use super::ask;

/// The machine's token; none outside of Google Cloud, and none on a machine there that has no service
/// account, unless that source was asked for by name or by a variable.
///
/// # Errors
/// Those of asking the metadata server.
pub(super) async fn token(
    asked: &Asked<'_>,
    is_named: bool,
) -> Result<Option<Zeroizing<String>>, AmbientError> {
    let is_named = is_named || asked.environment.get(HOST).is_some();
    if !is_named && !is_googles(asked) {
        return Ok(None);
    }
    let query = [("audience", asked.audience), ("format", "full")];
    let body = match metadata(asked, "identity", &query).await {
        Ok(body) => body,
        Err(fault) if is_named => return Err(fault),
        Err(_) => return Ok(None),
    };
    // A token is ASCII, and what is not is refused where it is parsed.
    Ok(Some(Zeroizing::new(String::from_utf8_lossy(&body).into_owned())))
}

/// The token of the service account that `GOOGLE_SERVICE_ACCOUNT_NAME` names.
///
/// # Errors
/// Those of asking the metadata server for the machine's own credential, and Google with it.
pub(super) async fn impersonated(
    asked: &Asked<'_>,
) -> Result<Option<Zeroizing<String>>, AmbientError> {
    let Some(account) = asked.environment.get(ACCOUNT) else { return Ok(None) };
    // It becomes a part of a path.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"@.-_".contains(&byte);
    if !account.bytes().all(plain) {
        return Err(AmbientError::Credential { from: ACCOUNT });
    }
    let base = asked.environment.get(OVERRIDE).unwrap_or_else(|| IAM.to_owned());
    let own: Credential = {
        let body = metadata(asked, "token", &[]).await?;
        let url = "of the metadata server".to_owned();
        formats::json::from_slice(&body).map_err(|fault| AmbientError::Answer { url, fault })?
    };
    let url = format!(
        "{}/v1/projects/-/serviceAccounts/{account}:generateIdToken",
        base.trim_end_matches('/')
    );
    let body = serde_json::json!({ "audience": asked.audience, "includeEmail": true });
    let mut request = Request::post(url)
        .header(ACCEPT, "application/json")
        .header(CONTENT_TYPE, "application/json")
        .body(body.to_string().into_bytes())
        .map_err(|_| AmbientError::Url { from: OVERRIDE })?;
    ask::authorize(&mut request, "Bearer", &own.access_token, "the machine's access token")?;
    let answer: Generated = ask::ask(asked.http, Reach::Private, request).await?;
    Ok(Some(answer.token))
}

/// Google's own libraries tell its machines by this.
fn is_googles(asked: &Asked<'_>) -> bool {
    let product = std::fs::read_to_string(asked.files.product_name).unwrap_or_default();
    matches!(product.trim(), "Google" | "Google Compute Engine")
}

async fn metadata(
    asked: &Asked<'_>,
    what: &str,
    query: &[(&str, &str)],
) -> Result<Zeroizing<Vec<u8>>, AmbientError> {
    let host = asked.environment.get(HOST).unwrap_or_else(|| DEFAULT_HOST.to_owned());
    let url = format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/{what}");
    let mut request = ask::get(&url, HOST, query)?;
    request.headers_mut().insert("metadata-flavor", HeaderValue::from_static("Google"));
    ask::ask_bytes(asked.http, Reach::OrMetadataServer, request).await
}

#[derive(Deserialize)]
struct Credential {
    access_token: Zeroizing<String>,
}

#[derive(Deserialize)]
struct Generated {
    token: Zeroizing<String>,
}

const ACCOUNT: &str = "GOOGLE_SERVICE_ACCOUNT_NAME";
const HOST: &str = "GCE_METADATA_HOST";
const DEFAULT_HOST: &str = "metadata.google.internal";
const IAM: &str = "https://iamcredentials.googleapis.com";
/// gcloud's own way to name another address of the service.
const OVERRIDE: &str = "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS";

//! The endpoints that only read, and the forms of an answer.

use std::collections::BTreeMap;

use axum::extract::{RawQuery, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use openidconnect::core::{
    CoreClientAuthMethod, CoreGrantType, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::url::{self, form_urlencoded};
use openidconnect::{
    AuthUrl, EmptyAdditionalProviderMetadata, IssuerUrl, JsonWebKeySetUrl, ResponseTypes, Scope,
    TokenUrl,
};
use serde_json::{Value, json};

use super::{DEFAULT_AUDIENCE, DevIssuer, DevIssuerError, redirect};

/// OpenID Connect Discovery 1.0 section 3, with the PKCE member of RFC 8414.
pub(super) async fn discovery(State(issuer): State<DevIssuer>) -> Response {
    match metadata(issuer.issuer()) {
        Ok(document) => json_answer(StatusCode::OK, &document),
        Err(_) => server_error(),
    }
}

fn metadata(issuer: &str) -> Result<Value, MetadataError> {
    let at = |path: &str| format!("{}/{path}", issuer.trim_end_matches('/'));
    let metadata = CoreProviderMetadata::new(
        IssuerUrl::new(issuer.to_owned())?,
        AuthUrl::new(at("auth"))?,
        JsonWebKeySetUrl::new(at("jwks"))?,
        vec![ResponseTypes::new(vec![CoreResponseType::Code])],
        vec![CoreSubjectIdentifierType::Public],
        vec![CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256],
        EmptyAdditionalProviderMetadata {},
    )
    .set_token_endpoint(Some(TokenUrl::new(at("token"))?))
    .set_scopes_supported(Some(["openid", "email"].map(|s| Scope::new(s.to_owned())).into()))
    .set_grant_types_supported(Some(vec![CoreGrantType::AuthorizationCode]))
    .set_token_endpoint_auth_methods_supported(Some(vec![
        CoreClientAuthMethod::None,
        CoreClientAuthMethod::ClientSecretBasic,
        CoreClientAuthMethod::ClientSecretPost,
    ]));
    let mut document = serde_json::to_value(metadata)?;
    if let Some(members) = document.as_object_mut() {
        // cosign does not sign in at a provider that does not say so.
        members.insert("code_challenge_methods_supported".to_owned(), json!(["S256"]));
        members.insert("authorization_response_iss_parameter_supported".to_owned(), json!(true));
    }
    Ok(document)
}

#[derive(Debug, thiserror::Error)]
enum MetadataError {
    #[error(transparent)]
    Url(#[from] url::ParseError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

pub(super) async fn jwks(State(issuer): State<DevIssuer>) -> Response {
    plain(StatusCode::OK, "application/json", issuer.jwks().to_vec())
}

/// `GET /dev/token?email=E[&aud=A]`: a bare token, for scripts.
pub(super) async fn dev_token(
    State(issuer): State<DevIssuer>,
    RawQuery(query): RawQuery,
) -> Response {
    let Some(fields) = fields(query.unwrap_or_default().as_bytes()) else {
        return json_error(StatusCode::BAD_REQUEST, "invalid_request", "a parameter is repeated");
    };
    let Some(email) = fields.get("email") else {
        return json_error(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            "parameter email is missing",
        );
    };
    let audience = fields.get("aud").map_or(DEFAULT_AUDIENCE, String::as_str);
    match issuer.token(email, audience) {
        Ok(token) => plain(StatusCode::OK, "text/plain; charset=utf-8", token.into_bytes()),
        Err(DevIssuerError::Provider) => server_error(),
        Err(error) => json_error(StatusCode::BAD_REQUEST, "invalid_request", &error.to_string()),
    }
}

/// Refuses requests under any other name than loopback's: a page whose name was rebound to
/// 127.0.0.1 is of the same origin as we, and could read tokens.
pub(super) async fn loopback_host_only(request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if host.is_some_and(redirect::is_loopback_host) {
        return next.run(request).await;
    }
    json_error(
        StatusCode::MISDIRECTED_REQUEST,
        "invalid_request",
        "the development issuer answers to localhost, 127.0.0.1 and [::1] only",
    )
}

/// The parameters of a query or form; nothing if one of them is repeated (RFC 6749 3.1).
pub(super) fn fields(encoded: &[u8]) -> Option<BTreeMap<String, String>> {
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(encoded) {
        if fields.insert(name.into_owned(), value.into_owned()).is_some() {
            return None;
        }
    }
    Some(fields)
}

pub(super) fn json_answer(status: StatusCode, body: &Value) -> Response {
    plain(status, "application/json", body.to_string().into_bytes())
}

/// An error of RFC 6749 5.2.
pub(super) fn json_error(status: StatusCode, error: &str, description: &str) -> Response {
    json_answer(status, &json!({ "error": error, "error_description": description }))
}

pub(super) fn server_error() -> Response {
    json_error(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "internal error")
}

/// A page under a policy that lets nothing in but its own style.
pub(super) fn html(status: StatusCode, policy: &str, body: String) -> Response {
    let mut response = plain(status, "text/html; charset=utf-8", body.into_bytes());
    let headers = response.headers_mut();
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

fn plain(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Response {
    let headers: [(HeaderName, HeaderValue); 3] = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, body).into_response()
}

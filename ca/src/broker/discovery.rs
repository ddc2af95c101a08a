//! The endpoints that only read.

use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use openidconnect::core::{
    CoreClientAuthMethod, CoreGrantType, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::url;
use openidconnect::{
    AuthUrl, EmptyAdditionalProviderMetadata, IssuerUrl, JsonWebKeySetUrl, ResponseTypes, Scope,
    TokenUrl,
};
use serde_json::{Value, json};

use super::Broker;
use super::answer::{fields, json_answer, json_error, plain, server_error};
use crate::oidc_dev::{DEFAULT_AUDIENCE, DevIssuerError};

/// OpenID Connect Discovery 1.0 section 3, with the PKCE member of RFC 8414 and the `iss` of
/// RFC 9207.
pub(super) async fn metadata(State(broker): State<Broker>) -> Response {
    match document(&broker) {
        Ok(document) => json_answer(StatusCode::OK, &document),
        Err(_) => server_error(),
    }
}

fn document(broker: &Broker) -> Result<Value, MetadataError> {
    let at = |path: &str| format!("{}/{path}", broker.issuer());
    let metadata = CoreProviderMetadata::new(
        IssuerUrl::new(broker.issuer().to_owned())?,
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
    .set_response_modes_supported(Some(vec![CoreResponseMode::Query]))
    .set_token_endpoint_auth_methods_supported(Some(vec![
        CoreClientAuthMethod::None,
        CoreClientAuthMethod::ClientSecretBasic,
        CoreClientAuthMethod::ClientSecretPost,
    ]));
    let mut document = serde_json::to_value(metadata)?;
    if let Some(members) = document.as_object_mut() {
        // cosign does not sign in at a provider that does not say so.
        members.insert("code_challenge_methods_supported".to_owned(), json!(["S256"]));
        if broker.settings().device_flow {
            // RFC 8628 section 4.
            members.insert(
                "device_authorization_endpoint".to_owned(),
                at("device_authorization").into(),
            );
            members.insert("grant_types_supported".to_owned(), json!([CODE_GRANT, DEVICE_GRANT]));
        }
        members.insert("authorization_response_iss_parameter_supported".to_owned(), json!(true));
    }
    Ok(document)
}

/// The name of the grant in RFC 6749 4.1.3.
pub(super) const CODE_GRANT: &str = "authorization_code";

/// The name of the grant in RFC 8628 section 3.4.
pub(super) const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

#[derive(Debug, thiserror::Error)]
enum MetadataError {
    #[error(transparent)]
    Url(#[from] url::ParseError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// RFC 7517 section 5.
pub(super) async fn jwks(State(broker): State<Broker>) -> Response {
    broker.turn_keys().await;
    match broker.jwks() {
        Some(jwks) => plain(StatusCode::OK, "application/json", jwks),
        None => server_error(),
    }
}

/// `GET /dev/token?email=E[&aud=A]`: a bare token of the development issuer, for scripts.
pub(super) async fn dev_token(State(broker): State<Broker>, RawQuery(query): RawQuery) -> Response {
    let invalid = |why: &str| json_error(StatusCode::BAD_REQUEST, "invalid_request", why);
    let Some(fields) = fields(query.unwrap_or_default().as_bytes()) else {
        return invalid("a parameter is repeated");
    };
    let Some(email) = fields.get("email") else { return invalid("parameter email is missing") };
    let Some(issuer) = &broker.0.development else { return server_error() };
    let audience = fields.get("aud").map_or(DEFAULT_AUDIENCE, String::as_str);
    match issuer.token(email, audience) {
        Ok(token) => plain(StatusCode::OK, "text/plain; charset=utf-8", token.into_bytes()),
        Err(DevIssuerError::Provider) => server_error(),
        Err(error) => invalid(&error.to_string()),
    }
}

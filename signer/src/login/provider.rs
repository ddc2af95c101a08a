//! The OpenID provider that people sign in with: what it says of itself, and what it answers
//! (OpenID Connect Core and Discovery 1.0, through the crate `openidconnect`).

use fetch::http::{Http, HttpError, Reach, Service};
use fetch::shown::{shown, shown_at_most};
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreGrantType,
    CoreIdToken, CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm,
    CoreResponseMode, CoreResponseType, CoreSubjectIdentifierType, CoreTokenResponse,
};
use openidconnect::{
    AdditionalProviderMetadata, ClientId, DeviceAuthorizationUrl, DiscoveryError, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, ErrorResponse, HttpRequest, HttpResponse, IssuerUrl,
    NonceVerifier, OAuth2TokenResponse as _, ProviderMetadata, RequestTokenError,
    TokenResponse as _,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

/// A provider that answered, ready to sign somebody in.
pub(super) struct Provider<'a> {
    http: &'a Http,
    /// Its issuer URL, byte for byte.
    pub(super) issuer: String,
    metadata: Metadata,
    client_id: ClientId,
}

/// Why somebody could not sign in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProviderFault {
    /// The issuer is not a URL.
    #[error("is not the URL of an OpenID issuer")]
    NotUrl,
    /// It gave no usable answer.
    #[error(transparent)]
    Http(HttpError),
    /// Its discovery document, or its keys, cannot be used.
    #[error("its discovery document cannot be used: {}", shown_at_most(.0, SHOWN))]
    Discovery(String),
    /// It offers no device flow.
    #[error("it has no device flow (RFC 8628)")]
    NoDeviceFlow,
    /// A page of its that no browser should be sent to.
    #[error("its address {} is neither https nor on this machine, or not plain", shown(.0))]
    Page(String),
    /// The person, or the provider, said no.
    #[error("it refused: {}", shown_at_most(.0, SHOWN))]
    Refused(String),
    /// What came back to this machine is not an answer to this sign-in.
    #[error("what came back does not belong to this sign-in: {0}")]
    NotOurs(&'static str),
    /// Its token cannot be used.
    #[error("its token cannot be used: {}", shown_at_most(.0, SHOWN))]
    Token(String),
    /// Nobody signed in in time.
    #[error("nobody signed in within {minutes} minutes")]
    TooLate {
        /// How long was waited.
        minutes: u64,
    },
    /// This machine would not listen for the browser's return.
    #[error("cannot listen on localhost for the browser's return: {0}")]
    Listener(std::io::ErrorKind),
}

/// A client that knows where to send people and where to redeem their codes.
pub(super) type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

impl<'a> Provider<'a> {
    /// Reads the provider's discovery document and its keys. The document must name exactly this
    /// issuer.
    ///
    /// # Errors
    /// [`ProviderFault`].
    pub(super) async fn discover(
        http: &'a Http,
        issuer: &str,
        client_id: &str,
    ) -> Result<Self, ProviderFault> {
        let url = IssuerUrl::new(issuer.to_owned()).map_err(|_| ProviderFault::NotUrl)?;
        let send = |request| exchange(http, request);
        let metadata = Metadata::discover_async(url, &send).await.map_err(|error| match error {
            DiscoveryError::Request(fault) => ProviderFault::Http(fault),
            DiscoveryError::Response(status, ..) => {
                ProviderFault::Discovery(format!("it answered {status}"))
            }
            other => ProviderFault::Discovery(other.to_string()),
        })?;
        let client_id = ClientId::new(client_id.to_owned());
        Ok(Self { http, issuer: issuer.to_owned(), metadata, client_id })
    }

    /// A public client, without a secret.
    pub(super) fn client(&self) -> Client {
        CoreClient::from_provider_metadata(self.metadata.clone(), self.client_id.clone(), None)
    }

    /// Where device codes are asked for.
    ///
    /// # Errors
    /// [`ProviderFault::NoDeviceFlow`].
    pub(super) fn device_endpoint(&self) -> Result<DeviceAuthorizationUrl, ProviderFault> {
        let more = self.metadata.additional_metadata();
        more.device_authorization_endpoint.clone().ok_or(ProviderFault::NoDeviceFlow)
    }

    /// Whether its answers always name it (RFC 9207 section 3).
    pub(super) fn always_names_itself(&self) -> bool {
        let more = self.metadata.additional_metadata();
        more.authorization_response_iss_parameter_supported.unwrap_or(false)
    }

    /// One request of a sign-in.
    pub(super) fn send(&self) -> impl Fn(HttpRequest) -> Exchange<'a> + use<'a> {
        let http = self.http;
        move |request| Box::pin(exchange(http, request))
    }

    /// The identity token of an answer, verified: signature, issuer, audience, times and nonce. A
    /// provider without one may have put it in the place of the access token (as Sigstore's does
    /// for sigstore-python); it is verified just so.
    ///
    /// # Errors
    /// [`ProviderFault::Token`].
    pub(super) fn identity_token(
        &self,
        answer: &CoreTokenResponse,
        nonce: impl NonceVerifier,
    ) -> Result<Zeroizing<String>, ProviderFault> {
        let client = self.client();
        let from_access: CoreIdToken;
        let token = match answer.id_token() {
            Some(token) => token,
            None => {
                from_access = answer
                    .access_token()
                    .secret()
                    .parse()
                    .map_err(|_| ProviderFault::Token("there is no identity token".into()))?;
                &from_access
            }
        };
        token
            .claims(&client.id_token_verifier(), nonce)
            .map_err(|error| ProviderFault::Token(error.to_string()))?;
        Ok(Zeroizing::new(token.to_string()))
    }
}

/// What an endpoint of the provider said instead of an answer.
pub(super) fn refused<E: ErrorResponse>(error: RequestTokenError<HttpError, E>) -> ProviderFault {
    match error {
        RequestTokenError::Request(fault) => ProviderFault::Http(fault),
        RequestTokenError::ServerResponse(said) => ProviderFault::Refused(said.to_string()),
        // Its body may hold a token, and is not shown.
        RequestTokenError::Parse(..) => ProviderFault::Token("the answer does not parse".into()),
        RequestTokenError::Other(text) => ProviderFault::Token(text),
    }
}

type Exchange<'a> = std::pin::Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + 'a>>;

async fn exchange(http: &Http, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    http.exchange(Service::IdentityProvider, Reach::Private, request).await
}

type Metadata = ProviderMetadata<
    More,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// Members of the discovery document that the crate does not know.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct More {
    /// RFC 8628 section 4.
    device_authorization_endpoint: Option<DeviceAuthorizationUrl>,
    /// RFC 9207 section 3.
    authorization_response_iss_parameter_supported: Option<bool>,
}

impl AdditionalProviderMetadata for More {}

/// Characters of somebody else's explanation that are shown.
const SHOWN: usize = 300;

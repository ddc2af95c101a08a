//! Any OpenID provider, Google among them: authorization code with PKCE, state and nonce.
//!
//! Its ID token passes the same door as every other token here ([`Identities`]): signature, keys,
//! audience, times and a verified address are checked there and nowhere else.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use formats::certificate::SubjectName;
use openidconnect::url::Url;
use openidconnect::{AuthUrl, IssuerUrl, TokenUrl};
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::config::{ConnectorConfig, ConnectorKind};
use super::connector::{ConnectorError, Leg, Person, Returned, SignInRefusal, user_id};
use super::upstream::{Ask, Upstream, UpstreamFault, known_error, read_roots};
use crate::identity::config::issuer_url;
use crate::identity::{
    Alg, Claims, Clock, Identities, IssuerConfig, IssuerKind, Token, TokenRefusal, VerifiedIdentity,
};

/// One OpenID provider.
pub(super) struct Oidc {
    issuer: String,
    client_id: String,
    secret: Option<Arc<Zeroizing<String>>>,
    scopes: Vec<String>,
    hosted_domains: Vec<String>,
    discovery_url: Url,
    upstream: Upstream,
    door: Identities,
    clock: Clock,
    endpoints: RwLock<Option<(Arc<Endpoints>, i64)>>,
}

/// What is read of a discovery document (OpenID Connect Discovery 1.0 section 3).
#[derive(Deserialize)]
struct Endpoints {
    issuer: IssuerUrl,
    authorization_endpoint: AuthUrl,
    token_endpoint: TokenUrl,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// RFC 9207 section 3.
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: Option<String>,
    error: Option<String>,
}

impl Oidc {
    pub(super) fn new(
        config: &ConnectorConfig,
        secret: Option<Arc<Zeroizing<String>>>,
        ca_cert: Option<&Path>,
        clock: &Clock,
    ) -> Result<Self, ConnectorError> {
        let refused = |source| ConnectorError::Issuer { id: config.id.clone(), source };
        let issuer = config.issuer();
        let scopes = match &config.kind {
            ConnectorKind::Oidc { scopes, .. } => scopes.clone(),
            _ => vec!["openid".to_owned(), "email".to_owned()],
        };
        let roots = match ca_cert {
            Some(path) => Some(
                read_roots(path)
                    .map_err(|source| ConnectorError::Roots { path: path.to_owned(), source })?,
            ),
            None => None,
        };
        let url = issuer_url(&issuer).map_err(refused)?;
        let mut trusted = IssuerConfig::new(&issuer, &config.client_id, IssuerKind::Email);
        trusted.algorithms = Alg::ALL.to_vec();
        trusted.keys.ca_cert = ca_cert.map(Path::to_owned);
        let door = Identities::new(vec![trusted], Arc::clone(clock)).map_err(refused)?;
        Ok(Self {
            client_id: config.client_id.clone(),
            secret,
            scopes,
            hosted_domains: Vec::new(),
            discovery_url: discovery_url(&url),
            upstream: Upstream::new(&issuer, roots, HeaderMap::new()),
            door,
            clock: Arc::clone(clock),
            endpoints: RwLock::new(None),
            issuer,
        })
    }

    /// Google: only accounts of these Workspace domains, or any when there are none.
    pub(super) fn within(mut self, hosted_domains: Vec<String>) -> Self {
        self.hosted_domains = hosted_domains;
        self
    }

    pub(super) async fn begin(&self, leg: &Leg, redirect_uri: &str) -> Result<Url, SignInRefusal> {
        let endpoints = self.endpoints().await?;
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, leg.verifier.as_bytes()));
        let mut url = endpoints.authorization_endpoint.url().clone();
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", redirect_uri)
            .append_pair("scope", &self.scopes.join(" "))
            .append_pair("state", &leg.state)
            .append_pair("nonce", &leg.nonce)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        if let Some(hint) = &leg.login_hint {
            query.append_pair("login_hint", hint);
        }
        // Google's chooser shows accounts of the domain first; what counts is checked afterwards.
        if let [domain] = self.hosted_domains.as_slice() {
            query.append_pair("hd", domain);
        }
        drop(query);
        Ok(url)
    }

    pub(super) async fn complete(
        &self,
        leg: &Leg,
        redirect_uri: &str,
        returned: &Returned<'_>,
    ) -> Result<Person, SignInRefusal> {
        let endpoints = self.endpoints().await?;
        let required = endpoints.authorization_response_iss_parameter_supported;
        match returned.issuer {
            Some(issuer) if issuer == self.issuer => {}
            None if !required => {}
            _ => return Err(SignInRefusal::MixedUp),
        }
        let token = self.redeem(&endpoints, leg, redirect_uri, returned.code).await?;
        let refused = |refusal| match refusal {
            TokenRefusal::EmailNotVerified => SignInRefusal::NoVerifiedAddress,
            other => SignInRefusal::Token(Box::new(other)),
        };
        let token = Token::from_bytes(token.as_bytes()).map_err(refused)?;
        let identity = self.door.verify(&token).await.map_err(refused)?;
        self.person(&identity, leg)
    }

    async fn redeem(
        &self,
        endpoints: &Endpoints,
        leg: &Leg,
        redirect_uri: &str,
        code: &str,
    ) -> Result<Zeroizing<String>, SignInRefusal> {
        let what = "the code";
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect_uri),
            ("code_verifier", leg.verifier.as_str()),
        ];
        let secret = self.secret.as_ref().map(|secret| secret.as_str());
        // RFC 6749 2.3.1: Basic where it is supported, which is also the default of Discovery.
        let methods = endpoints.token_endpoint_auth_methods_supported.as_deref();
        let by_basic = methods.is_none_or(|methods| methods.iter().any(|m| m == BASIC));
        let basic = match secret {
            Some(secret) if by_basic => Some((self.client_id.as_str(), secret)),
            Some(secret) => {
                fields.extend([("client_id", self.client_id.as_str()), ("client_secret", secret)]);
                None
            }
            None => {
                fields.push(("client_id", &self.client_id));
                None
            }
        };
        let ask = Ask::Form { fields: &fields, basic };
        let answer = self.upstream.ask(what, endpoints.token_endpoint.url(), ask).await?;
        let token: TokenAnswer = match answer.status {
            200 | 400 | 401 => answer.json_of_any_status(what)?,
            status => return Err(UpstreamFault::Status { what, status }.into()),
        };
        if let Some(error) = token.error {
            return Err(UpstreamFault::Refused { error: known_error(&error) }.into());
        }
        token.id_token.map(Zeroizing::new).ok_or_else(|| UpstreamFault::Malformed { what }.into())
    }

    fn person(&self, identity: &VerifiedIdentity, leg: &Leg) -> Result<Person, SignInRefusal> {
        let claims = identity.claims();
        if text(claims, "nonce") != Some(leg.nonce.as_str()) {
            return Err(SignInRefusal::Nonce);
        }
        self.check_authorized_party(claims)?;
        let SubjectName::Email(address) = identity.subject() else {
            return Err(SignInRefusal::NoVerifiedAddress);
        };
        let hosted_domain = text(claims, "hd").map(str::to_owned);
        if !self.hosted_domains.is_empty() {
            // An address at a domain proves no membership: anybody can have registered it with
            // Google before, or have bought the domain since.
            let of_address = address.rsplit_once('@').map(|(_, domain)| domain);
            let member = self.hosted_domains.iter().any(|domain| {
                hosted_domain.as_ref() == Some(domain) && of_address == Some(domain.as_str())
            });
            if !member {
                let required = self.hosted_domains.join(", ");
                return Err(SignInRefusal::OtherDomain { required });
            }
        }
        Ok(Person {
            user_id: user_id(identity.token_subject())?,
            login: text(claims, "name").map(str::to_owned),
            addresses: vec![address.clone()],
            has_default: true,
            hosted_domain,
            groups: Vec::new(),
        })
    }

    /// OpenID Connect Core 3.1.3.7, points 4 and 5.
    fn check_authorized_party(&self, claims: &Claims) -> Result<(), SignInRefusal> {
        let several = claims.get("aud").and_then(Value::as_array).is_some_and(|aud| aud.len() > 1);
        match claims.get("azp") {
            Some(party) if party.as_str() != Some(&self.client_id) => {
                Err(SignInRefusal::AuthorizedParty)
            }
            None if several => Err(SignInRefusal::AuthorizedParty),
            _ => Ok(()),
        }
    }

    /// The provider's endpoints, read again after a while; an older reading serves when the
    /// provider cannot be asked.
    async fn endpoints(&self) -> Result<Arc<Endpoints>, UpstreamFault> {
        let now = (self.clock)();
        let held = self.endpoints.read().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((endpoints, read_at)) = &held
            && now < read_at.saturating_add(READ_AGAIN_AFTER)
        {
            return Ok(Arc::clone(endpoints));
        }
        match self.discover().await {
            Ok(endpoints) => {
                let endpoints = Arc::new(endpoints);
                let kept = Some((Arc::clone(&endpoints), now));
                *self.endpoints.write().unwrap_or_else(PoisonError::into_inner) = kept;
                Ok(endpoints)
            }
            Err(fault) => held.map(|(endpoints, _)| endpoints).ok_or(fault),
        }
    }

    async fn discover(&self) -> Result<Endpoints, UpstreamFault> {
        let what = "discovery";
        let answer =
            self.upstream.ask(what, &self.discovery_url, Ask::Get { bearer: None }).await?;
        let endpoints: Endpoints = answer.json(what)?;
        if endpoints.issuer.as_str() != self.issuer {
            return Err(UpstreamFault::OtherIssuer);
        }
        Ok(endpoints)
    }
}

/// The issuer's URL less one trailing slash, then the well-known path (Discovery 4.1).
fn discovery_url(issuer: &Url) -> Url {
    let mut url = issuer.clone();
    let path = issuer.path().strip_suffix('/').unwrap_or(issuer.path());
    url.set_path(&format!("{path}/.well-known/openid-configuration"));
    url
}

fn text<'a>(claims: &'a Claims, claim: &str) -> Option<&'a str> {
    claims.get(claim).and_then(Value::as_str)
}

const BASIC: &str = "client_secret_basic";
const READ_AGAIN_AFTER: i64 = 60 * 60;

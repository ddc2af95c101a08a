//! The sign-in: an OpenID provider for the clients of this instance, which asks GitHub, Google and
//! other providers who a person is and says so in one token of its own.
//!
//! Clients want one issuer, and GitHub has no ID tokens for people. The way of a person: a client
//! sends the browser to [`authorize`], which sends it to a provider ([`connector`]); [`callback`]
//! takes it back, asks the person to agree, and sends it to the client with a code; [`redeem`]
//! gives the token for the code. A terminal without a browser waits instead ([`device`]). [`token::authorise`] stands between a person and every token.

mod answer;
mod authorize;
mod callback;
pub mod config;
mod connector;
mod device;
mod discovery;
mod github;
mod grants;
pub mod keys;
mod oidc;
mod page;
mod redeem;
mod redirect;
mod session;
mod token;
mod upstream;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use openidconnect::url::Url;
use thiserror::Error;

use self::connector::{ConnectorError, Connectors};
use self::grants::Grants;
use self::keys::{KeyRing, TokenKeyError};
use self::page::Page;
use self::session::Cookies;
use crate::admit::AllowRules;
use crate::config::Config;
use crate::identity::config::{ConfigFault, IssuerClaim};
use crate::identity::{Clock, Identities, IssuerConfig, IssuerKind};
use crate::oidc_dev::DevIssuer;
use crate::reload::Current;

/// The sign-in of an instance. Cloning shares it.
#[derive(Clone)]
pub struct Broker(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    issuer: String,
    /// Where the router is mounted: the path of the issuer's URL.
    path: String,
    cookies: Cookies,
    development: Option<DevIssuer>,
    clock: Clock,
    settings: Current<Settings>,
    keys: OnceLock<KeyRing>,
    /// Who is told when the published keys change.
    told: OnceLock<Listener>,
    grants: Mutex<Grants>,
}

/// Takes the JWK set that is published from now on.
type Listener = Box<dyn Fn(&[u8]) + Send + Sync>;

/// What a reload replaces: the connectors and what else `[sign_in]` says. A request takes it once.
pub struct Settings {
    /// Who runs the instance.
    name: String,
    client_id: String,
    device_flow: bool,
    connectors: Connectors,
}

/// Why there is no sign-in with this configuration.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// A connector cannot be used.
    #[error("sign_in: {0}")]
    Connector(#[from] ConnectorError),
    /// The keys cannot be used.
    #[error("sign_in: {0}")]
    Keys(#[from] TokenKeyError),
}

impl Broker {
    /// The sign-in that `config` describes, for the instance in `dir`. With `development`, anybody
    /// may sign in as anybody, under that issuer's URL and key.
    ///
    /// Without a connector there is none: every path answers 404, no key is made, and no issuer is
    /// trusted, until [`Self::put`] brings one.
    ///
    /// # Errors
    /// When a connector's secret or the keys of the sign-in cannot be used.
    pub fn open(
        dir: &Path,
        config: &Config,
        development: Option<&DevIssuer>,
        clock: Clock,
    ) -> Result<Self, BrokerError> {
        let issuer = config.sign_in_issuer();
        let url = Url::parse(&issuer).ok();
        let secure = url.as_ref().is_some_and(|url| url.scheme() == "https");
        let settings = Settings::of(dir, config, development, &clock)?;
        let broker = Self(Arc::new(Inner {
            dir: dir.to_owned(),
            path: url.map(|url| url.path().trim_end_matches('/').to_owned()).unwrap_or_default(),
            issuer,
            cookies: if secure { Cookies::Secure } else { Cookies::Loopback },
            development: development.cloned(),
            clock,
            settings: Current::new(settings),
            keys: OnceLock::new(),
            told: OnceLock::new(),
            grants: Mutex::default(),
        }));
        broker.need_keys(&broker.settings())?;
        Ok(broker)
    }

    /// Makes what another configuration wants, for [`Self::put`].
    ///
    /// # Errors
    /// As [`Self::open`]; nothing has changed either way.
    pub fn prepare(&self, config: &Config) -> Result<Settings, BrokerError> {
        let development = self.0.development.as_ref();
        let settings = Settings::of(&self.0.dir, config, development, &self.0.clock)?;
        self.need_keys(&settings)?;
        Ok(settings)
    }

    /// Goes on with other settings. Sign-ins under way stay; what they may have is decided by the
    /// new ones.
    pub fn put(&self, settings: Settings) {
        self.0.settings.put(settings);
    }

    /// The settings as of now.
    #[must_use]
    pub fn settings(&self) -> Arc<Settings> {
        self.0.settings.get()
    }

    /// The issuer URL: the `iss` of its tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// Its JWK set as JSON; nothing if there was never a connector.
    #[must_use]
    pub fn jwks(&self) -> Option<Vec<u8>> {
        self.0.keys.get().map(KeyRing::jwks)
    }

    /// Tells `listener` the JWK set whenever it has changed: whoever has pinned [`Self::jwks`] must
    /// pin the next one before its key signs. There is one listener; a second is not heard.
    pub fn on_new_keys(&self, listener: impl Fn(&[u8]) + Send + Sync + 'static) {
        let _there_is_one = self.0.told.set(Box::new(listener));
    }

    /// How an instance with these settings trusts it; nothing without a connector. The issuer of a
    /// certificate is the connector's, out of the closed list of those that there are, and so are
    /// the allow rules.
    ///
    /// # Errors
    /// When a connector's issuer cannot stand in a certificate.
    pub fn trust(&self, settings: &Settings) -> Result<Option<IssuerConfig>, ConfigFault> {
        let connectors = settings.connectors.all();
        if connectors.is_empty() {
            return Ok(None);
        }
        let client_id = settings.client_id.as_str();
        let mut trust = IssuerConfig::new(self.issuer(), client_id, IssuerKind::Email);
        let rules = connectors.iter().map(|c| (c.issuer.clone(), c.allow.clone())).collect();
        trust.allow = AllowRules::by_issuer("sign_in", rules);
        // The development issuer speaks for itself, also where a test leaves the claim out.
        if connectors.iter().any(|connector| connector.issuer != self.0.issuer) {
            let issuers = connectors.iter().map(|connector| connector.issuer.clone()).collect();
            trust.issuer_claim = Some(IssuerClaim::new(self.issuer(), ISSUER_CLAIM, issuers)?);
        }
        Ok(Some(trust))
    }

    /// The identity door of an instance that trusts `issuers` and, with these settings, this
    /// sign-in. It lives in the same process, so its keys are pinned: asking it over the network
    /// would be asking oneself.
    ///
    /// # Errors
    /// As [`Identities::new`].
    pub fn door(
        &self,
        settings: &Settings,
        mut issuers: Vec<IssuerConfig>,
        clock: Clock,
    ) -> Result<Identities, ConfigFault> {
        let own = self.trust(settings)?;
        let pinned = own.is_some();
        issuers.extend(own);
        let identities = Identities::new(issuers, clock)?;
        if let Some(jwks) = self.jwks().filter(|_| pinned) {
            identities.pin_keys(self.issuer(), &jwks)?;
        }
        Ok(identities)
    }

    /// Its pages and endpoints, to be nested at the issuer URL's path.
    pub fn router(&self) -> Router {
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery::metadata))
            .route("/jwks", get(discovery::jwks))
            .route("/auth", get(authorize::begin).post(authorize::anybody))
            .route("/auth/go", get(authorize::go))
            .route("/callback/{connector}", get(callback::back))
            .route("/confirm", get(callback::ask).post(callback::answer))
            .route("/token", post(redeem::token))
            .route("/device_authorization", post(device::authorize))
            .route("/device", get(device::show).post(device::typed));
        let router = if self.0.development.is_some() {
            router.route("/dev/token", get(discovery::dev_token))
        } else {
            router
        };
        router
            .layer(DefaultBodyLimit::max(MAX_FORM_BYTES))
            .layer(middleware::from_fn_with_state(self.clone(), answer::guard))
            .with_state(self.clone())
    }

    fn is_open(&self) -> bool {
        !self.settings().connectors.all().is_empty()
    }

    fn need_keys(&self, settings: &Settings) -> Result<(), TokenKeyError> {
        if settings.connectors.all().is_empty() || self.0.keys.get().is_some() {
            return Ok(());
        }
        let ring = match &self.0.development {
            Some(issuer) => KeyRing::of(issuer.key()),
            None => KeyRing::open(&self.0.dir.join(KEYS), self.now())?,
        };
        let _opened_meanwhile = self.0.keys.set(ring);
        Ok(())
    }

    /// Makes the next key when it is due, off the threads that serve requests.
    async fn turn_keys(&self) {
        let now = self.now();
        let Some(ring) = self.0.keys.get().filter(|ring| ring.due(now)).cloned() else { return };
        let turning = ring.clone();
        let turned = tokio::task::spawn_blocking(move || turning.turn(now)).await;
        match turned {
            Ok(Ok(true)) => {
                tracing::info!("the keys of the sign-in have turned");
                if let Some(tell) = self.0.told.get() {
                    tell(&ring.jwks());
                }
            }
            Ok(Ok(false)) | Err(_) => {}
            // The key that signs now goes on signing.
            Ok(Err(error)) => tracing::error!(%error, "the next key of the sign-in cannot be made"),
        }
    }

    fn grants(&self) -> MutexGuard<'_, Grants> {
        self.0.grants.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        (self.0.clock)()
    }

    /// A path of ours as pages write it.
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.0.path)
    }

    /// Where a provider sends the browser back. Each connector has an address of its own, so that
    /// one provider's answer cannot pass for another's (RFC 9700 section 4.4.2.2).
    fn callback(&self, connector: &str) -> String {
        format!("{}/callback/{connector}", self.0.issuer)
    }

    fn show(&self, page: Page) -> Response {
        page.respond(&self.settings().name)
    }
}

impl Settings {
    fn of(
        dir: &Path,
        config: &Config,
        development: Option<&DevIssuer>,
        clock: &Clock,
    ) -> Result<Self, ConnectorError> {
        Ok(Self {
            name: config.name.clone(),
            client_id: config.sign_in.client_id.clone(),
            device_flow: config.sign_in.device_flow,
            connectors: Connectors::open(dir, &config.sign_in, development, clock)?,
        })
    }
}

/// Fulcio's own setting for public Sigstore's sign-in.
const ISSUER_CLAIM: &str = "$.federated_claims.connector_id";

/// Below the instance folder.
const KEYS: &str = "keys/oidc";

const MAX_FORM_BYTES: usize = 16 * 1024;
